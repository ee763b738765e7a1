"""The text of a region: a function that computes some rows, one tile after the other.

Every step writes into a buffer that the next tile uses again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .. import shapes
from ..ir import OPS, Node
from ..passes.cost import weight
from ..shapes import Dim, Shape
from .body import Body, Kind, takes_buffer
from .plan import Step
from .regions import Region
from .rows import axis_of, cut, one_row

if TYPE_CHECKING:
    from .emit import Writer


class Tiles:
    """Writes the regions of one program. Regions that do the same are one function."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        words = ("start", "stop", "tile", "first", "last", "rows", "scratch")
        self.words = tuple(map(writer.identifiers.take, words))
        self.written: dict[Any, _Function] = {}

    def call(self, step: Step) -> Iterator[str]:
        """The lines that run a region."""
        region, writer = step.region, self.writer
        assert region is not None and step.body is not None
        key = _structure(region), tuple(v in step.body.over for v in region.results)
        function = self.written.get(key)
        if function is None:
            function = self.written[key] = _Function(step.body, writer, self.words)
            writer.pieces.append(function.source)
        yield from writer.new_results(step)
        arguments = [
            function.name,
            writer.texts.size(region.rows),
            function.row_bytes,
            function.row_work,
            function.total_bytes,
            str(writer.threads),
            str(len(function.buffers)),
            f"({''.join(f'{v.op.fold}, ' for v in region.folds).rstrip()})",
            *(writer.texts.name(v) for v in (*region.operands, *region.results)),
            *function.sizes,
        ]
        call = f"{writer.texts.use('in_tiles')}({', '.join(arguments)})"
        made = "".join(f"{writer.texts.name(v)}, " for v in region.folds).rstrip()
        if len(region.folds) > 1:
            made = made.rstrip(",")
        yield f"{made} = {call}" if made else call


def _structure(region: Region) -> Any:
    """A region up to the names of its values: equal layers have equal structures."""
    at: dict[Node, int] = {x: k for k, x in enumerate(region.operands)}
    lines: list[Any] = [(region.rows, *((x.type, x in region.by_row) for x in region.operands))]
    for v in region.nodes:
        lines.append((v.op, tuple(v.attrs.items()), tuple(at.get(x, x) for x in v.inputs)))
        at[v] = len(at)
    return tuple(lines), tuple(at[v] for v in (*region.results, *region.folds))


class _Function:
    """The function of a region, and what a call has to give it."""

    def __init__(self, body: Body, writer: Writer, words: tuple[str, ...]) -> None:
        self.body, self.writer = body, writer
        self.region = region = body.region
        self.start, self.stop, self.tile, self.first, self.last, self.rows, self.scratch = words
        take = writer.identifiers.take
        self.name = take(f"{writer.function}_rows")
        by_row = [v for v in region.operands if v in region.by_row]
        # All rows of what is cut; the rows of one tile have the name of the value.
        self.whole = {v: take(f"all_{writer.texts.name(v)}") for v in (*by_row, *region.results)}
        self.totals = {v: take(f"total_{writer.texts.name(v)}") for v in region.folds}
        self.buffers: list[str] = []
        self.kinds: list[Kind] = []
        self.sizes: list[str] = []
        self.source = "\n".join(self._lines(list(self._steps())))
        widths = [*map(body.kind, (*by_row, *region.results)), *self.kinds]
        row_bytes = sum(shapes.size(row) * dtype.itemsize for _, row, dtype in widths)
        row_work = sum(_row_work(v, region.rows) for v in body.nodes)
        total_bytes = sum(v.type.nbytes for v in region.folds if v.ndim)
        self.row_bytes, self.row_work, self.total_bytes = (
            writer.texts.size(shapes.as_dim(d)) for d in (row_bytes, row_work, total_bytes)
        )

    def _lines(self, steps: list[str]) -> Iterator[str]:
        named = [self.whole.get(v, self.writer.texts.name(v)) for v in self.region.operands]
        results = [self.whole[v] for v in self.region.results]
        parameters = [self.start, self.stop, self.tile, self.scratch, *named, *results, *self.sizes]
        buffers = ", ".join(self.buffers) + ("," if len(self.buffers) == 1 else "")
        yield f"def {self.name}({', '.join(parameters)}):"
        if buffers:
            yield f"    {buffers} = {self.scratch}"
        if self.totals:
            yield f"    {' = '.join(self.totals.values())} = None"
        yield f"    for {self.first} in range({self.start}, max({self.stop}, 1), {self.tile}):"
        yield f"        {self.last} = min({self.first} + {self.tile}, {self.stop})"
        if buffers or any(self.rows in line for line in steps):
            yield f"        {self.rows} = {self.last} - {self.first}"
        if buffers:
            yield f"        if {self.rows} < {self.tile}:"
            yield f"            {' = '.join(self.buffers)} = None"
        yield from ("        " + line for line in steps)
        if buffers:
            yield f"    {self.scratch}[:] = {buffers}"
        yield f"    return ({''.join(f'{name}, ' for name in self.totals.values()).rstrip()})"

    def _steps(self) -> Iterator[str]:
        """The lines for one tile."""
        name = self.writer.texts.name
        for v, whole in self.whole.items():
            before = ":, " * axis_of(v.shape, self.region.rows)
            yield f"{name(v)} = {whole}[{before}{self.first}:{self.last}]"
        early = self.body.early
        free: dict[Kind, list[str]] = {}
        held: dict[Node, tuple[Kind, str]] = {}
        self.writer.place = ""
        for v, ends in zip(self.body.nodes, self.body.ends, strict=True):
            yield from self.writer.comment(v)
            ended = [held.pop(x) for x in ends if x in held]
            if v.op.family == "elementwise":  # it may write over an operand that it is last to read
                _release(ended, free)
            if v in self.totals:
                total, fold = self.totals[v], v.op.fold
                yield f"{name(v)} = {self._new(v)}"
                both = f"{total}, {name(v)}" + (f", out={total}" if v.ndim else "")
                yield f"{total} = {name(v)} if {total} is None else {fold}({both})"
            elif v in self.whole:
                yield self._into(v, name(v)) or f"{name(v)}[...] = {self._text(v)}"
            elif not takes_buffer(v):
                yield f"{name(v)} = {self._text(v)}"
            elif v in early:
                yield f"{name(v)} = {self._into(v, name(early[v]))}"
            else:
                sort = self.body.kind(v)
                buffer = free[sort].pop() if free.get(sort) else self._new_buffer(sort)
                held[v] = sort, buffer
                yield f"{name(v)} = {buffer} = {self._into(v, buffer)}"
            if v.op.family != "elementwise":
                _release(ended, free)
        self.writer.place = ""

    def _new_buffer(self, sort: Kind) -> str:
        self.kinds.append(sort)
        self.buffers.append(self.writer.identifiers.take(f"b{len(self.buffers) + 1}"))
        return self.buffers[-1]

    # Texts

    def _given(self, v: Node) -> list[str]:
        """v's operands: their rows, or all of one that v is not cut along."""
        return [
            self.whole.get(x, text) if not is_tile else text
            for x, is_tile in self.body.operands[v]
            for text in [self.writer.texts.operand(v, x)]
        ]

    def _into(self, v: Node, out: str) -> str | None:
        tile = _on_tile(v, self.region.rows)
        text = tile.op.text_into(tile, out)
        return None if text is None else self._filled(v, text)

    def _new(self, v: Node) -> str:
        """The text for a new array that is joined with others: as fast as one into memory."""
        text = self._into(v, "None") if v.ndim else None
        return self._text(v) if text is None else text.replace(", out=None", "")

    def _text(self, v: Node) -> str:
        tile = _on_tile(v, self.region.rows)
        return self._filled(v, tile.op.text(tile))

    def _filled(self, v: Node, text: str) -> str:
        """The text of a node on a tile, with the tile's rows in its shapes."""
        names = self.writer.texts.dim_names
        for symbol, given in names.items():
            if f"dim_{symbol}" in text and given not in self.sizes:
                self.sizes.append(given)
        names[_rows().name] = self.rows
        try:
            return self.writer.texts.filled(text, self._given(v))
        finally:
            del names[_rows().name]


def _row_work(v: Node, rows: Dim) -> Dim:
    """How many multiplications one row of a step is worth."""
    if v.op.view:
        return 0
    widest = max((one_row(x.shape, rows) for x in (v, *v.inputs) if rows in x.shape), key=len)
    return max(1, round(weight(v))) * shapes.size(widest)


def _release(ended: list[tuple[Kind, str]], free: dict[Kind, list[str]]) -> None:
    for sort, buffer in ended:
        free.setdefault(sort, []).append(buffer)


@functools.cache
def _rows() -> Dim:
    """What the number of rows of one tile is called in a shape."""
    return shapes.dim("rows_of_tile")


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
