"""The text of a region: a function that computes the rows of one tile.

Steps write into buffers: pieces of a memory that the next tile uses again, and the next call.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ... import shapes
from ...ir import OPS, Node
from ...ops.slices import index_of_first
from ...passes.cost import DEAREST_ARITHMETIC, weight
from ...shapes import Dim, Shape, as_dim
from ..body import Body, Kind
from ..memory import is_given, takes_buffer
from ..plan import Plan
from ..regions import Region
from ..rows import adds_rows, axis_of, cut, one_row
from ..schedule import Step
from .comments import Comments
from .texts import Texts, told_where


class Tiles:
    """Writes the regions of one program. Regions that do the same are one function."""

    def __init__(self, plan: Plan, texts: Texts, program: str, threads: int | None) -> None:
        self.plan, self.texts, self.program, self.threads = plan, texts, program, threads
        words = ("first", "last", "rows", "memory", "order")
        self.words = tuple(map(texts.identifiers.take, words))
        self.written: dict[Any, _Function] = {}
        product = next((k for k, s in enumerate(plan.steps) if _is_product(s)), len(plan.steps))
        self.after_products = {s.node for s in plan.steps[product:]}

    @property
    def functions(self) -> list[str]:
        """The functions that the calls so far need."""
        return [function.source for function in self.written.values()]

    def call(self, step: Step) -> Iterator[str]:
        """The lines that run a region."""
        region, texts = step.region, self.texts
        assert region is not None and step.body is not None
        over = tuple(v in step.body.over for v in region.results)
        key = _structure(region), over, any(map(_is_foreign, step.body.laid))
        function = self.written.get(key)
        if function is None:
            name = texts.identifiers.take(f"{self.program}_rows")
            function = self.written[key] = _Function(name, step.body, texts, self.words)
        yield from self._new_results(step)
        made = ", ".join(map(texts.name, region.folds)) + "," * (len(region.folds) == 1)
        is_there = all(v.ndim for v in region.folds)
        helper = texts.use("in_tiles" if function.model is None else "over_elements")
        call = f"{'' if is_there else f'{made} = '}{helper}("
        lines = self._arguments(function, step.body, step.node in self.after_products)
        in_one = ", ".join(lines)
        if len(call) + len(in_one) < _WIDTH:
            yield f"{call}{in_one})"
        else:
            yield call
            yield from (f"    {line}," for line in lines)
            yield ")"

    def _new_results(self, step: Step) -> Iterator[str]:
        """The arrays for the caller that a region writes into."""
        plan, texts = self.plan, self.texts
        for v in step.nodes:
            if v in plan.over:
                yield f"{texts.name(v)} = {texts.name(plan.over[v])}"
            elif v in plan.within:
                whole = plan.within[v]
                if plan.place[whole] is None:
                    yield f"{texts.name(whole)} = {texts.new(whole)}"
                part = texts.filled(f"x0[{index_of_first(whole)}]", [texts.name(whole)])
                yield f"{texts.name(v)} = {part}"
            elif v in plan.place and plan.place[v] is None:
                models = step.body.models(v) if step.body else ()
                yield f"{texts.name(v)} = {texts.new(v, models)}"

    def _arguments(self, function: _Function, body: Body, after_product: bool) -> list[str]:
        """What a function is given, how much memory and work that is, and what it adds up."""
        region, texts = body.region, self.texts
        by_rows = function.model is None
        given = [
            function.name,
            *([texts.size(region.rows)] if by_rows else []),
            *map(texts.name, (*_in_order(body), *region.results)),
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


# What the helpers take for granted.
_DEFAULTS = {
    "buffer_bytes": "0", "laid": "()", "axis": "0", "totals": "()", "folds": "()",
    "after_product": "False", "threads": "None",
}  # fmt: skip


def _is_product(step: Step) -> bool:
    """Whether BLAS is called for all rows at once, on threads of its own."""
    return step.body is None and step.node.op.family == "contract"


def _named(arguments: Mapping[str, str]) -> str:
    return ", ".join(f"{k}={text}" for k, text in arguments.items() if text != _DEFAULTS.get(k))


def _tuple(texts: Iterable[str | None]) -> str:
    parts = list(map(str, texts))
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})"


def _in_order(body: Body) -> Sequence[Node]:
    """The operands as they are given: where the last one tells how all lie, it is no number."""
    operands, model = body.region.operands, body.model
    return operands if model is None else sorted(operands, key=lambda x: x.shape == model.shape)


def _structure(region: Region) -> Any:
    """A region up to the names of its values: equal layers have equal structures."""
    at: dict[Node, int] = {x: k for k, x in enumerate(region.operands)}
    lines: list[Any] = [(region.rows, *((x.type, x in region.by_row) for x in region.operands))]
    for v in region.nodes:
        lines.append((v.op, tuple(v.attrs.items()), tuple(at.get(x, x) for x in v.inputs)))
        at[v] = len(at)
    return tuple(lines), tuple(at[v] for v in (*region.results, *region.folds))


def _is_foreign(x: Node) -> bool:
    """Whether it is known at the call alone how a value lies, or it is turned."""
    return x.op.view or is_given(x)


class _Function:
    """The function of a region, and what a call has to give it."""

    def __init__(self, name: str, body: Body, texts: Texts, words: tuple[str, ...]) -> None:
        self.name, self.body, self.texts, self.model = name, body, texts, body.model
        self.region = region = body.region
        self.first, self.last, self.rows, self.memory, order = words
        self.order = order if self.model is None and any(map(_is_foreign, body.laid)) else None
        by_row = [v for v in region.operands if v in region.by_row]
        cut_here = (*by_row, *region.results) if self.model is None else ()
        # All rows of what is cut; the rows of one tile have the name of the value.
        self.whole = {v: texts.identifiers.take(f"all_{texts.name(v)}") for v in cut_here}
        self.buffers: dict[Kind, list[str]] = {}
        self.sizes: list[str] = []
        steps = list(self._steps())
        taken, buffer_bytes = self._taken()
        self.source = "\n".join(self._lines([*taken, *steps]))
        kept = [x for x in by_row if not self._is_passing(x)]
        row_bytes = sum(self._row_bytes(body.kind(v)) for v in (*kept, *region.results))
        work = region.rows * sum(_row_work(v, region.rows) for v in body.nodes)
        self.row_bytes, self.buffer_bytes, work_text = (
            texts.size(shapes.as_dim(d)) for d in (row_bytes + buffer_bytes, buffer_bytes, work)
        )
        count = _START_OF_A_THREAD + sum(not v.op.view for v in body.nodes)
        is_sum = " + " in work_text or " - " in work_text
        self.step_work = f"{f'({work_text})' if is_sum else work_text} // {count}"

    def _is_passing(self, x: Node) -> bool:
        """Whether an operand is read once, row by row, and need not stay in the cache."""
        readers = [v for v in self.body.nodes if any(x is y for y, _ in self.body.operands[v])]
        return len(readers) == 1 and adds_rows(readers[0]) is not None

    def _lines(self, steps: list[str]) -> Iterator[str]:
        operands = _in_order(self.body)
        named = [self.whole.get(v, self.texts.name(v)) for v in operands]
        results = [self.whole.get(v, self.texts.name(v)) for v in self.region.results]
        totals = [self.texts.name(v) for v in self.region.folds if v.ndim]
        where = [self.first, self.last] if self.model is None else []
        order = [] if self.order is None else [self.order]
        parameters = [*where, self.memory, *totals, *named, *results, *self.sizes, *order]
        yield f"def {self.name}({', '.join(parameters)}):"
        if self.model is None and any(self.rows in line for line in steps):
            yield f"    {self.rows} = {self.last} - {self.first}"
        yield from ("    " + line for line in steps)
        folds = ", ".join(map(self.texts.name, self.region.folds))
        if folds:
            yield f"    return {folds}" if len(self.region.folds) > 1 else f"    return ({folds},)"

    def _taken(self) -> tuple[list[str], Dim]:
        """The lines that cut the memory into buffers, and how many bytes of it a row takes."""
        lines: list[str] = []
        start: Dim = 0
        # Widest numbers first: so all of them lie as their types need it.
        for sort, names in sorted(self.buffers.items(), key=lambda item: -item[0][2].itemsize):
            axis, row, dtype = sort
            shape = self._shape((*row[:axis], _rows(), *row[axis:]))
            for name in names:
                offset = f", {self._begin(start)}" if lines else ""
                order = f", order={self.order}" if self.order and row else ""
                place = f"{shape}, np.{dtype.name}, {self.memory}{offset}{order}"
                lines.append(f"{name} = np.ndarray({place})")
                start += self._row_bytes(sort)
        return lines, start

    def _row_bytes(self, sort: Kind) -> Dim:
        """The bytes of a row, or of an element where there may be no rows."""
        _, row, dtype = sort
        elements = 1 if self.model is not None else shapes.size(row)
        return as_dim(elements * dtype.itemsize)

    def _shape(self, shape: Shape) -> str:
        """The shape of a buffer."""
        if self.model is not None:
            return f"{self.texts.name(self.model)}.shape"
        return self._sized(shapes.source(shape))

    def _begin(self, row_bytes: Dim) -> str:
        """Where memory begins that so many bytes of each row lie before."""
        if self.model is not None:
            return f"{row_bytes} * {self.texts.name(self.model)}.size"
        return self._sized(shapes.source(_rows() * row_bytes))

    def _steps(self) -> Iterator[str]:
        """The lines for one tile."""
        name = self.texts.name
        for v, whole in self.whole.items():
            before = ":, " * axis_of(v.shape, self.region.rows)
            yield f"{name(v)} = {whole}[{before}{self.first}:{self.last}]"
        early = self.body.early
        free: dict[Kind, list[str]] = {}
        held: dict[Node, tuple[Kind, str]] = {}
        comments = Comments()
        for v, ends in zip(self.body.nodes, self.body.ends, strict=True):
            yield from comments.above(v)
            ended = [held.pop(x) for x in ends if x in held]
            spare = self._spare(v, free)
            if v.op.family == "elementwise":  # it may write over an operand that it is last to read
                _release(ended, free)
            if v in self.body.folds and not v.ndim:
                yield f"{name(v)} = {self._part(v)}"
            elif v in self.region.results or v in self.body.folds:
                yield self._into(v, name(v), spare) or f"{name(v)}[...] = {self._text(v)}"
            elif not takes_buffer(v):
                yield f"{name(v)} = {self._text(v)}"
            elif v in early:
                yield from self._written(v, name(early[v]), spare)
            else:
                sort = self.body.kind(v)
                buffer = self._buffer(sort, free)
                held[v] = sort, buffer
                yield from self._written(v, buffer, spare)
            _release([(self.body.kind(v), buffer) for buffer in spare], free)
            if v.op.family != "elementwise":
                _release(ended, free)

    def _written(self, v: Node, out: str, spare: Sequence[str]) -> Iterator[str]:
        """The lines for a value that lies in some memory: most calls return it."""
        name, text = self.texts.name(v), self._into(v, out, spare)
        if text.endswith(f"out={out})"):
            yield f"{name} = {text}"
        else:  # it writes into a turned view
            yield text
            yield f"{name} = {out}"

    def _spare(self, v: Node, free: dict[Kind, list[str]]) -> list[str]:
        """The buffers that a step can use besides the one that it writes into."""
        count = v.op.spare(v) if takes_buffer(v) else 0
        return [self._buffer(self.body.kind(v), free) for _ in range(count)]

    def _buffer(self, sort: Kind, free: dict[Kind, list[str]]) -> str:
        """A buffer that is free, or one more."""
        if free.get(sort):
            return free[sort].pop()
        buffer = self.texts.identifiers.take(f"b{sum(map(len, self.buffers.values())) + 1}")
        self.buffers.setdefault(sort, []).append(buffer)
        return buffer

    # Texts

    def _given(self, v: Node) -> list[str]:
        """v's operands: their rows, or all of one that v is not cut along."""
        return [
            self.whole.get(x, text) if not is_tile else text
            for x, is_tile in self.body.operands[v]
            for text in [self.texts.operand(v, x)]
        ]

    def _into(self, v: Node, out: str, spare: Sequence[str]) -> str:
        """The text that computes a node on a tile into memory, empty where there is none."""
        return self._sized(*told_where(self._writes, v, self._given(v), out, spare))

    def _writes(self, v: Node, out: str, spare: Sequence[str]) -> str | None:
        tile, matrix = _on_tile(v, self.region.rows), adds_rows(v)
        if matrix is None:
            return tile.op.text_into(tile, out, spare)
        count = shapes.source(self.region.rows)
        return f"weighted_sum(x{1 - matrix}, x{matrix}, {count}, out={out})"

    def _part(self, v: Node) -> str:
        """The text for what a tile adds to a total."""
        tile = _on_tile(v, self.region.rows)
        return self._filled(v, tile.op.text_of_part(tile))

    def _text(self, v: Node) -> str:
        tile = _on_tile(v, self.region.rows)
        return self._filled(v, tile.op.text(tile))

    def _filled(self, v: Node, text: str) -> str:
        """The text of a node on a tile."""
        return self._sized(text, self._given(v))

    def _sized(self, text: str, operands: Sequence[str] = ()) -> str:
        """A text with the tile's rows in its shapes."""
        names = self.texts.dim_names
        for symbol, given in names.items():
            if f"dim_{symbol}" in text and given not in self.sizes:
                self.sizes.append(given)
        names[str(_rows())] = self.rows
        try:
            return self.texts.filled(text, operands)
        finally:
            del names[str(_rows())]


# Of a line of the program, whose functions are indented.
_WIDTH = 96

# In steps of a region, where they are as short as is worth a thread.
_START_OF_A_THREAD = 12


def _row_work(v: Node, rows: Dim) -> Dim:
    """The bytes of one row of a step, times what it costs beside a multiplication."""
    if v.op.view:
        return 0
    widest = max((one_row(x.shape, rows) for x in (v, *v.inputs) if rows in x.shape), key=len)
    if adds_rows(v) is not None:
        return 2 * shapes.size(widest)  # it takes BLAS a quarter of a multiplication
    itemsize = max(x.dtype.itemsize for x in (v, *v.inputs) if x.ndim)
    # Of single precision a function takes a quarter of the time, arithmetic half of it.
    is_function = weight(v) > DEAREST_ARITHMETIC
    cost = weight(v) * (itemsize / 8 if itemsize < 8 and is_function else 1)
    return max(1, round(cost)) * shapes.size(widest) * itemsize


def _release(ended: list[tuple[Kind, str]], free: dict[Kind, list[str]]) -> None:
    for sort, buffer in ended:
        free.setdefault(sort, []).append(buffer)


@functools.cache
def _rows() -> Dim:
    """What the number of rows of one tile is called in a shape."""
    return shapes.own_dim("rows")


def _on_tile(v: Node, rows: Dim) -> Node:
    """An operation on the rows of one tile, where its text may tell of shapes."""
    if v.op.family not in ("layout", "contract"):
        return v
    found = cut(v, rows)
    assert found is not None

    def tile(shape: Shape) -> Shape:
        k = axis_of(shape, rows)
        return (*shape[:k], _rows(), *shape[k + 1 :])

    types = [
        x.type.with_shape(tile(x.shape)) if is_tile else x.type
        for x, is_tile in zip(v.inputs, found.by_row, strict=True)
    ]
    attrs = {**v.attrs, "shape": tile(v.shape)} if "shape" in v.attrs else v.attrs
    return v.op(*(OPS["input"](name="x", type=t) for t in types), **attrs)
