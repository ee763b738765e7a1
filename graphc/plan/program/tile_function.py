"""The function of a region, which computes the rows of one tile.

Steps write into buffers: pieces of a memory that the next tile uses again, and the next call.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ... import shapes
from ...ir import OPS, Node
from ...passes.cost import DEAREST_ARITHMETIC, weight
from ...shapes import Dim, Shape, as_dim
from ..body import Body, Kind
from ..memory import takes_buffer
from ..rows import adds_rows, axis_of, cut, one_row
from .comments import Comments
from .names import Identifiers
from .texts import Texts, told_where

# In steps of a region, where they are as short as is worth a thread.
_START_OF_A_THREAD = 12


class TileFunction:
    """The function of a region, and what a call has to give it."""

    def __init__(self, name: str, body: Body, texts: Texts, words: tuple[str, ...]) -> None:
        self.name, self.body, self.texts, self.model = name, body, texts, body.model
        self.region = region = body.region
        self.first, self.last, self.rows, self.memory, order = words
        self.order = order if self.model is None and body.is_laid_by_call else None
        by_row = [v for v in region.operands if v in region.by_row]
        cut_here = (*by_row, *region.results) if self.model is None else ()
        # All rows of what is cut; the rows of one tile have the name of the value.
        self.whole = {v: texts.identifiers.take(f"all_{texts.name(v)}") for v in cut_here}
        self.buffers = _Buffers(texts.identifiers)
        self.sizes: list[str] = []
        steps = list(self._steps())
        taken, buffer_bytes = self._taken()
        self.source = "\n".join(self._lines([*taken, *steps]))
        kept = [x for x in by_row if not self._is_passing(x)]
        row_bytes = sum(self._row_bytes(body.kind(v)) for v in (*kept, *region.results))
        self.row_bytes = texts.size(as_dim(row_bytes + buffer_bytes))
        self.buffer_bytes = texts.size(buffer_bytes)
        self.step_work = self._step_work()

    def _step_work(self) -> str:
        """What a step takes in the mean; the start of a thread counts as some more of them."""
        steps, rows = self.body.nodes, self.region.rows
        alike = Counter(_row_work(v, rows) for v in steps)
        row_work = sum(count * work for work, count in alike.items())
        work = self.texts.size(as_dim(rows * row_work))
        work = f"({work})" if " + " in work or " - " in work else work
        return f"{work} // {_START_OF_A_THREAD + sum(not v.op.view for v in steps)}"

    def _is_passing(self, x: Node) -> bool:
        """Whether an operand is read once, row by row, and need not stay in the cache."""
        readers = self.body.readers.get(x, ())
        return len(readers) == 1 and adds_rows(readers[0]) is not None

    def _lines(self, steps: list[str]) -> Iterator[str]:
        arrays = (*self.body.given, *self.region.results)
        named = [self.whole.get(v, self.texts.name(v)) for v in arrays]
        totals = [self.texts.name(v) for v in self.region.folds if v.ndim]
        where = [self.first, self.last] if self.model is None else []
        order = [] if self.order is None else [self.order]
        parameters = [*where, self.memory, *totals, *named, *self.sizes, *order]
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
        for kind, names in self.buffers.by_kind():
            shape = self._shape((*kind.row[: kind.axis], _rows(), *kind.row[kind.axis :]))
            for name in names:
                offset = f", {self._begin(start)}" if lines else ""
                order = f", order={self.order}" if self.order and kind.row else ""
                place = f"{shape}, np.{kind.dtype.name}, {self.memory}{offset}{order}"
                lines.append(f"{name} = np.ndarray({place})")
                start += self._row_bytes(kind)
        return lines, start

    def _row_bytes(self, kind: Kind) -> Dim:
        """The bytes of a row, or of an element where there may be no rows."""
        elements = 1 if self.model is not None else shapes.size(kind.row)
        return as_dim(elements * kind.dtype.itemsize)

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
        held: dict[Node, str] = {}
        comments = Comments()
        for v, ends in zip(self.body.nodes, self.body.ends, strict=True):
            yield from comments.above(v)
            ended = [held.pop(x) for x in ends if x in held]
            spare = self._spare(v)
            if v.op.family == "elementwise":  # it may write over an operand that it is last to read
                self.buffers.give_back(ended)
            if v in self.body.folds and not v.ndim:
                yield f"{name(v)} = {self._part(v)}"
            elif v in self.region.results or v in self.body.folds:
                yield self._into(v, name(v), spare) or f"{name(v)}[...] = {self._text(v)}"
            elif not takes_buffer(v):
                yield f"{name(v)} = {self._text(v)}"
            elif v in self.body.early:
                yield from self._written(v, name(self.body.early[v]), spare)
            else:
                held[v] = self.buffers.take(self.body.kind(v))
                yield from self._written(v, held[v], spare)
            self.buffers.give_back(spare)
            if v.op.family != "elementwise":
                self.buffers.give_back(ended)

    def _written(self, v: Node, out: str, spare: Sequence[str]) -> Iterator[str]:
        """The lines for a value that lies in some memory: most calls return it."""
        name, text = self.texts.name(v), self._into(v, out, spare)
        if text.endswith(f"out={out})"):
            yield f"{name} = {text}"
        else:  # it writes into a turned view
            yield text
            yield f"{name} = {out}"

    def _spare(self, v: Node) -> list[str]:
        """The buffers that a step can use besides the one that it writes into."""
        count = v.op.spare(v) if takes_buffer(v) else 0
        return [self.buffers.take(self.body.kind(v)) for _ in range(count)]

    # Texts

    def _given(self, v: Node) -> list[str]:
        """v's operands: their rows, or all of one that v is not cut along."""
        return [
            text if is_tile else self.whole.get(x, text)
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


class _Buffers:
    """The buffers of one tile. One after the other, values of one kind lie in each."""

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers
        self._kind: dict[str, Kind] = {}
        self._free: dict[Kind, list[str]] = {}

    def take(self, kind: Kind) -> str:
        """A buffer that is free, or one more."""
        if self._free.get(kind):
            return self._free[kind].pop()
        name = self._identifiers.take(f"b{len(self._kind) + 1}")
        self._kind[name] = kind
        return name

    def give_back(self, names: Iterable[str]) -> None:
        """They are free from now on."""
        for name in names:
            self._free.setdefault(self._kind[name], []).append(name)

    def by_kind(self) -> list[tuple[Kind, list[str]]]:
        """All of them, widest numbers first: so all of them lie as their types need it."""
        found: dict[Kind, list[str]] = {}
        for name, kind in self._kind.items():
            found.setdefault(kind, []).append(name)
        return sorted(found.items(), key=lambda item: -item[0].dtype.itemsize)


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
