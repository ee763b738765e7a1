"""The planned path: large values lie where the plan says, and regions run from tile to tile."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...ir import Node
from ...ops.slices import index_of_first
from ..body import Body
from ..carried.tiling import in_tiles
from ..memory import holds_memory
from ..plan import Plan
from ..regions import Region
from ..rows import axis_of
from ..schedule import Step
from .texts import Texts, told_where
from .tile_function import TileFunction
from .workspace import Workspace

# Of a line of the program, whose functions are indented.
_WIDTH = 96


class Planned:
    """Writes the lines for the steps of a plan. Regions that do the same are one function."""

    def __init__(self, plan: Plan, texts: Texts, program: str, threads: int | None) -> None:
        self.plan, self.texts, self.program, self.threads = plan, texts, program, threads
        self.graph, self.steps = plan.graph, plan.steps
        words = ("first", "last", "rows", "memory", "order")
        self.words = tuple(map(texts.identifiers.take, words))
        self.kept = {v: slot for v, slot in plan.place.items() if slot is not None}
        """The values in kept memory, and the slots of it that they lie in."""
        self.workspace = Workspace(texts, plan.slots, self.kept) if self.kept else None
        self.written: dict[Any, TileFunction] = {}
        product = next((k for k, s in enumerate(plan.steps) if _is_product(s)), len(plan.steps))
        self.after_products = {s.node for s in plan.steps[product:]}

    @property
    def functions(self) -> list[str]:
        """The functions that the calls so far need."""
        return [function.source for function in self.written.values()]

    def lines(self, step: Step) -> Iterator[str]:
        """The lines for a step."""
        return self._region(step, step.body) if step.body else self._node(step.node)

    def ended(self, step: Step) -> list[Node]:
        """The values in NumPy's own memory that a step is the last to read."""
        return [v for v in step.ends if v not in self.plan.place and holds_memory(v)]

    def _node(self, v: Node) -> Iterator[str]:
        """A node by its own NumPy text, into its place if it has one."""
        if v not in self.plan.place:
            yield f"{self.texts.name(v)} = {self.texts.of(v)}"
            return
        if self.plan.place[v] is None and v not in self.plan.laid:
            yield f"{self.texts.name(v)} = {self.texts.new(v)}"
        operands = [self.texts.operand(v, x) for x in v.inputs]
        yield self.texts.filled(*told_where(v.op.text_into, v, operands, self.texts.name(v)))

    def _region(self, step: Step, body: Body) -> Iterator[str]:
        """The call that runs a region."""
        region, texts = body.region, self.texts
        over = tuple(v in body.over for v in region.results)
        key = _structure(region), over, body.is_laid_by_call
        function = self.written.get(key)
        if function is None:
            name = texts.identifiers.take(f"{self.program}_rows")
            function = self.written[key] = TileFunction(name, body, texts, self.words)
        for v in step.nodes:
            yield from self._new_result(v, body)
        made = ", ".join(map(texts.name, region.folds)) + "," * (len(region.folds) == 1)
        is_there = all(v.ndim for v in region.folds)
        helper = texts.use("in_tiles" if function.model is None else "over_elements")
        call = f"{'' if is_there else f'{made} = '}{helper}("
        lines = self._arguments(function, body, step.node in self.after_products)
        in_one = ", ".join(lines)
        if len(call) + len(in_one) < _WIDTH:
            yield f"{call}{in_one})"
        else:
            yield call
            yield from (f"    {line}," for line in lines)
            yield ")"

    def _new_result(self, v: Node, body: Body) -> Iterator[str]:
        """The array for the caller that a region writes a value into."""
        plan, name = self.plan, self.texts.name
        if v in plan.over:
            yield f"{name(v)} = {name(plan.over[v])}"
        elif v in plan.within:
            whole = plan.within[v]
            if plan.place[whole] is None:
                yield f"{name(whole)} = {self.texts.new(whole)}"
            part = self.texts.filled(f"x0[{index_of_first(whole)}]", [name(whole)])
            yield f"{name(v)} = {part}"
        elif v in plan.place and plan.place[v] is None:
            yield f"{name(v)} = {self.texts.new(v, body.models(v))}"

    def _arguments(self, function: TileFunction, body: Body, after_product: bool) -> list[str]:
        """What a function is given, how much memory and work that is, and what it adds up."""
        region, texts = body.region, self.texts
        by_rows = function.model is None
        given = [
            function.name,
            *([texts.size(region.rows)] if by_rows else []),
            *map(texts.name, (*body.given, *region.results)),
            *function.sizes,
        ]
        sizes = {
            "row_bytes" if by_rows else "element_bytes": function.row_bytes,
            "buffer_bytes": function.buffer_bytes,
            "step_work": function.step_work,
        }
        laid = [] if function.order is None else body.laid
        options = {
            "laid": _tuple(map(texts.name, laid)),
            "axis": str(axis_of(laid[0].shape, region.rows)) if laid else "0",
            "totals": _tuple(texts.name(v) for v in region.folds if v.ndim),
            "folds": _tuple(v.op.fold for v in region.folds),
            "after_product": str(after_product),
            "threads": str(self.threads),
        }
        return list(filter(None, (", ".join(given), _named(sizes), _named(options))))


# What the functions that run regions take for granted.
_DEFAULTS = {p.name: repr(p.default) for p in inspect.signature(in_tiles).parameters.values()}


def _is_product(step: Step) -> bool:
    """Whether BLAS is called for all rows at once, on threads of its own."""
    return step.body is None and step.node.op.family == "contract"


def _named(arguments: Mapping[str, str]) -> str:
    return ", ".join(f"{k}={text}" for k, text in arguments.items() if text != _DEFAULTS.get(k))


def _tuple(texts: Iterable[str | None]) -> str:
    parts = list(map(str, texts))
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})"


def _structure(region: Region) -> Any:
    """A region up to the names of its values: equal layers have equal structures."""
    at: dict[Node, int] = {x: k for k, x in enumerate(region.operands)}
    lines: list[Any] = [(region.rows, *((x.type, x in region.by_row) for x in region.operands))]
    for v in region.nodes:
        lines.append((v.op, tuple(v.attrs.items()), tuple(at.get(x, x) for x in v.inputs)))
        at[v] = len(at)
    return tuple(lines), tuple(at[v] for v in (*region.results, *region.folds))
