"""Emission: a graph becomes the source of a NumPy program.

Small arrays are computed line by line. For large ones the program follows the plan: regions over
tiles, in memory that is kept from call to call.
"""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ... import forms, shapes
from ...binding import Binding
from ...ir import Graph, Node, is_number
from ...wording import printable
from ..arranged.together import together
from ..carried import HELPERS, tiling
from ..memory import base, holds_memory, is_fresh
from ..plan import Plan
from ..schedule import Step
from . import scalars
from .bindings import bindings
from .comments import Comments
from .names import Identifiers
from .small_sizes import small_size
from .straight import Straight
from .texts import Texts, closure, told_where
from .tiles import Tiles
from .workspace import Workspace


class Program(NamedTuple):
    """A text, the name of the function in it, and the steps that it marks."""

    source: str
    function: str
    marks: tuple[Step | None, ...] = ()
    on_floats: bool = False
    """Whether single numbers given as floats are computed by Python itself."""


def emit(
    graph: Graph,
    form: Any,
    name: str,
    check_facts: bool = False,
    plan: Plan | None = None,
    threads: int | None = None,
    marked: bool = False,
) -> Program:
    """The program of a graph, whose outputs are returned in a form; line by line without a plan.

    A `marked` one calls `mark(k)`, which it does not define, when it has done step k of its marks,
    and with that of None when it has its inputs. Python's floats have no part in it.
    """
    writer = _Writer(graph, form, name, check_facts, plan, threads, [] if marked else None)
    source, marks = writer.source(), tuple(writer.marks or ())
    return Program(source, writer.function, marks, writer.is_scalar)


class _Writer:
    """Writes a program: one function, then what it uses: regions, helpers and constants."""

    def __init__(
        self,
        graph: Graph,
        form: Any,
        name: str,
        check_facts: bool,
        plan: Plan | None,
        threads: int | None,
        marks: list[Step | None] | None = None,
    ) -> None:
        self.graph, self.form, self.check_facts = graph, form, check_facts
        self.plan, self.threads, self.marks = plan, threads, marks
        self.small = together(graph, self._is_small) if plan else graph
        reserved = _RESERVED if marks is None else (*_RESERVED, MARK)
        self.identifiers = Identifiers((*HELPERS, *_MODULES, *reserved))
        self.function = self.identifiers.take(name)
        given = {v: self.identifiers.take(str(v.name)) for v in graph.parameters}
        self.binding = Binding(graph.parameters, graph.nodes)
        dims = {r.symbol: self.identifiers.take(str(r.symbol)) for r in self.binding.readings}
        self.texts = Texts(self.identifiers, given, self._called(), for_speed=plan is not None)
        self.texts.dim_names = {str(symbol): given for symbol, given in dims.items()}
        self.pieces: list[str] = []

    def source(self) -> str:
        parameters = ", ".join(self.texts.name(v) for v in self.graph.parameters)
        functions = []
        called, told = self.function, self._docstring()
        if self.is_scalar:
            functions += [f"def {called}({parameters}):", *_indented([*told, *self._scalars()])]
            called, told = self.identifiers.take(f"{called}_numpy"), []
            functions += [f"    return {called}({parameters})", "", ""]
        head = bindings(self.binding, self.texts, self.check_facts)
        body = [*told, *head, *self._faces()]
        functions += [
            '@np.errstate(all="ignore")', f"def {called}({parameters}):", *_indented(body)
        ]  # fmt: skip
        helpers = closure(self.texts.helpers)
        tail = self._tail(helpers)
        return "\n".join([*self._head(functions, helpers), *functions, *tail, ""])

    # Names

    def _called(self) -> dict[Node, str]:
        """The user's names; an output without one is called by its key."""
        called = {**self.small.names, **self.graph.names}
        for graph in (self.small, self.graph):
            for v, path in zip(graph.outputs, forms.paths(self.form), strict=True):
                if path and (v not in called or v.adjoint_of is not None):
                    called[v] = f"result_{path}" if path[0].isdigit() else path
        return called

    # Numbers

    @functools.cached_property
    def is_scalar(self) -> bool:
        """Whether all is single numbers that Python computes with as NumPy does."""
        if self.plan is None or self.check_facts or self.marks is not None:
            return False
        return scalars.is_on_floats(self.graph)

    def _scalars(self) -> Iterator[str]:
        """On Python's floats, which give floats: many times as fast as NumPy on single numbers."""
        tests = [f"type({self.texts.name(v)}) is float" for v in self.graph.parameters]
        yield f"if {' and '.join(tests)}:"
        lines = scalars.written(self.graph, self.texts)
        results = forms.write(self.form, list(map(self.texts.number, self.graph.outputs)))
        yield "    try:"
        yield from _indented(_indented([*lines, f"return {results}"]))
        yield "    except (ArithmeticError, ValueError):"
        yield "        pass  # where Python refuses, NumPy answers: inf or NaN"

    # The two faces

    def _faces(self) -> Iterator[str]:
        """Line by line where all is small; else by the plan."""
        large = self.plan.sizes if self.plan else []
        if any(isinstance(d, int) and d > self.small_size for d in large):
            yield from self._planned()
        elif all(isinstance(d, int) for d in large):
            yield from self._plain()
        else:
            sizes = [self.texts.size(d) for d in large if not isinstance(d, int)]
            yield f"if {' and '.join(f'{size} <= {self.small_size}' for size in sizes)}:"
            yield from _indented(self._plain())
            yield from self._planned()

    @functools.cached_property
    def small_size(self) -> int:
        """Up to how many elements the program goes line by line."""
        assert self.plan is not None
        return small_size(self.plan)

    def _plain(self) -> Iterator[str]:
        straight = Straight(self.small, self.texts, keeps_memory=self.plan is not None)
        comments, lines = Comments(), [*self._mark(None)]
        for v in straight.computed:
            lines += [*comments.above(v), *straight.lines(v)]
            lines += self._mark(Step((v,), v.inputs))
        kept = straight.kept
        workspace, pieces = (kept.workspace, kept.pieces) if kept else (None, {})
        yield from self._face(self.small, lines, workspace, pieces)

    def _is_small(self, v: Node) -> bool:
        """Whether a value is small wherever the straight path is taken."""
        assert self.plan is not None
        size = v.type.size
        if isinstance(size, int):
            return size <= self.small_size
        return any(shapes.covers(d, size) for d in self.plan.sizes if not isinstance(d, int))

    def _mark(self, step: Step | None) -> Iterator[str]:
        if self.marks is not None:
            yield f"{MARK}({len(self.marks)})"
            self.marks.append(step)

    def _planned(self) -> Iterator[str]:
        assert self.plan is not None
        tiles = Tiles(self.plan, self.texts, self.function, self.threads)
        kept = {v: slot for v, slot in self.plan.place.items() if slot is not None}
        workspace = Workspace(self.texts, self.plan.slots, kept) if kept else None
        lines = [*self._steps(self.plan, tiles)]
        yield from self._face(self.graph, lines, workspace, kept)
        self.pieces += tiles.functions

    def _steps(self, plan: Plan, tiles: Tiles) -> Iterator[str]:
        comments = Comments()
        yield from self._mark(None)
        for step in plan.steps:
            yield from comments.above(step.node)
            yield from tiles.call(step) if step.region else self._call(step)
            ended = [v for v in step.ends if v not in plan.place and holds_memory(v)]
            if ended:
                yield f"del {', '.join(map(self.texts.name, ended))}"
            yield from self._mark(step)

    def _call(self, step: Step) -> Iterator[str]:
        """A node by its own NumPy text, into its place if it has one."""
        assert self.plan is not None
        v = step.node
        if v not in self.plan.place:
            yield f"{self.texts.name(v)} = {self.texts.of(v)}"
            return
        if self.plan.place[v] is None and v not in self.plan.laid:
            yield f"{self.texts.name(v)} = {self.texts.new(v)}"
        operands = [self.texts.operand(v, x) for x in v.inputs]
        yield self.texts.filled(*told_where(v.op.text_into, v, operands, self.texts.name(v)))

    # The result, and what surrounds the function

    def _face(
        self, graph: Graph, lines: list[str], workspace: Workspace | None, kept: Container[Node]
    ) -> Iterator[str]:
        """Lines that compute a graph, in the memory that they borrow, and then its result."""
        if workspace is not None:
            lines = [*workspace.borrowed(), *lines, *self._copied(graph, kept)]
            lines += workspace.given_back()
            self.pieces.append(workspace.made())
        yield from lines
        yield from self._result(graph, kept)

    def _copied(self, graph: Graph, kept: Container[Node]) -> Iterator[str]:
        """Results that are parts of kept memory, which the next call may have once it is back."""
        for v in dict.fromkeys(graph.outputs):
            if not is_fresh(v) and base(v) in kept:
                copy = ".copy()" if v.ndim else "[()]"
                yield f"{self.texts.name(v)} = {self.texts.name(v)}{copy}"

    def _result(self, graph: Graph, kept: Container[Node]) -> Iterator[str]:
        written: list[str] = []
        given: set[Node] = set()
        for v in graph.outputs:
            if is_number(v):
                written.append(self.texts.of(v))
                continue
            written.append(self.texts.name(v))
            is_whole = is_fresh(v)
            memory = base(v) if is_whole else v
            if not v.ndim:
                written[-1] += "[()]"
            elif memory in given or not is_whole and base(v) not in kept:
                written[-1] += ".copy()"
            given.add(memory)
        yield "return " + forms.write(self.form, written)

    def _docstring(self) -> list[str]:
        inputs = [f"    {_harmless(str(v.name))} : {v.type}" for v in self.graph.parameters]
        types = [str(v.type) for v in self.graph.outputs]
        result = _harmless(forms.write(self.form, types))
        if not inputs:
            return [f'"""{result}"""']
        return ['"""', *(line.strip() for line in inputs), f"-> {result}", '"""']

    def _head(self, functions: list[str], helpers: Mapping[str, str]) -> list[str]:
        carried = helpers.values()
        imports = [
            f"import {module}"
            for module in _MODULES
            if module != "np" and any(f"{module}." in text for text in (*carried, *functions))
        ]
        for name, module in (("Callable", "collections.abc"), ("Any", "typing")):
            if any(name in text for text in carried):
                imports.append(f"from {module} import {name}")
        return [
            f'"""{self.function}: a NumPy program written by graphc. {_NEEDS}"""',
            "",
            "from __future__ import annotations",
            "",
            *([*imports, ""] if imports else []),
            "import numpy as np",
            "",
            "",
        ]

    def _tail(self, helpers: Mapping[str, str]) -> list[str]:
        """What the function uses; constants come last, since they may call helpers."""
        tail = []
        for piece in (*self.pieces, *helpers.values()):
            tail += ["", "", piece]
        constants = self.texts.constants
        if "in_tiles" in helpers:
            limits = (f"{name} = {getattr(tiling, name)}" for name in _LIMITS)
            constants = ["spare_memory = []", *limits, *_KEPT, *constants]
        return [*tail, "", "", *constants] if constants else tail


_MODULES = ("_thread", "base64", "functools", "math", "os", "sys", "np")
# Before, a float32 times a number of Python's was a float64, and there was no np.vecdot.
_NEEDS = "It needs NumPy alone, 2.0 or later."
_LIMITS = ("TILE_BYTES", "LONG_RUN", "THREAD_WORK")
# What two results leave glibc's malloc gives back to the system, and asks for it again at the next
# call: a fault for each page. It keeps twice as much as the largest piece that was let go, if that
# is not above this.
_KEPT = (
    "# Let go at once: from then on malloc keeps what results leave for those of the next call.",
    f"np.empty({(1 << 25) - (1 << 13)}, np.uint8)",
)
_RESERVED = ("Any", "annotations", "spare_memory", *_LIMITS)
MARK = "mark"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" if line else line for line in lines]


def _harmless(text: str) -> str:
    """Foreign text as it may stand inside a docstring."""
    return printable(text).replace("\\", "\\\\").replace('"', "'")
