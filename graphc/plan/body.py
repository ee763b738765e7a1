"""The body of a region: what is computed for one tile, step by step, and what writes where.

A step may write over a value that it is the last to read: rows of a buffer, or of a result.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .. import shapes
from ..errors import ShapeError
from ..ir import Node, topo
from ..ops.letters import letters_of
from ..shapes import Dim, Shape
from .memory import is_given, takes_buffer
from .regions import Region
from .rows import axis_of, cut, is_stack, one_row


class Kind(NamedTuple):
    """What values must have in common to be kept in one buffer."""

    axis: int
    """Along which rows lie."""
    row: Shape
    dtype: Any


class Body:
    """The steps of a region that its results and folds need."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.folds = frozenset(region.folds)
        inside = frozenset(region.nodes)
        self.operands = {v: list(_operands(v, inside, region.rows)) for v in region.nodes}
        """For each step its operands, and whether it reads rows of them or all."""
        self.nodes = self._needed()
        self.over: set[Node] = set()
        """The results that only their last step writes: there they take the place of an operand."""
        self.ends = self._ends()
        """For each step the values that nobody reads after it, not even through a view."""

    def _needed(self) -> list[Node]:
        needed = {*self.region.results, *self.region.folds}
        for v in reversed(self.region.nodes):
            if v in needed:
                needed.update(x for x, _ in self.operands[v])
        return [v for v in self.region.nodes if v in needed]

    def _ends(self) -> list[list[Node]]:
        inside = set(self.nodes)
        ends: list[list[Node]] = []
        seen: set[Node] = set()
        for v in reversed(self.nodes):
            bases = dict.fromkeys(_base(x, inside) for x, _ in self.operands[v])
            ends.append([x for x in bases if x not in seen])
            seen.update(bases)
        return ends[::-1]

    @functools.cached_property
    def readers(self) -> dict[Node, list[Node]]:
        """The steps that read each value."""
        found: dict[Node, list[Node]] = {}
        for v in self.nodes:
            for x in dict.fromkeys(x for x, _ in self.operands[v]):
                found.setdefault(x, []).append(v)
        return found

    @functools.cached_property
    def laid(self) -> list[Node]:
        """The operands as which buffers and results may lie in memory: those of the most elements,
        of one shape, whose rows are read. BLAS wants matrices of a stack to lie by rows."""
        rows = [x for x in self.readers if x in self.region.by_row and x.ndim > 1]
        if not rows or any(map(is_stack, self.nodes)):
            return []
        shape = max(rows, key=lambda x: (shapes.typical(x.type.size), not x.op.view)).shape
        return [x for x in rows if x.shape == shape]

    @functools.cached_property
    def is_laid_by_call(self) -> bool:
        """Whether it is known at the call alone how one of these lies, or it is turned."""
        return any(x.op.view or is_given(x) for x in self.laid)

    @functools.cached_property
    def model(self) -> Node | None:
        """An operand in whose order in memory all is computed that is computed element by element,
        in its shape, of arrays that broadcast to that; None where anything else is computed."""
        shape = self.laid[0].shape if self.laid else ()
        is_alike = _broadcasts_to(shape, self.readers)
        by_element = all(_goes_by_element(v, shape) for v in self.nodes)
        return self.laid[0] if shape and is_alike and by_element else None

    @property
    def given(self) -> Sequence[Node]:
        """The operands of the region as its function is given them: where the last one tells how
        all lie, it is no number."""
        operands, model = self.region.operands, self.model
        return operands if model is None else sorted(operands, key=lambda x: x.shape == model.shape)

    def models(self, result: Node) -> list[Node]:
        """The arrays that a result is computed of, where it may lie as one: those of its shape, up
        to an axis along which it is joined, or summed."""
        computed = topo([result], beyond=set(self.region.operands))
        read = dict.fromkeys(x for v in computed for x in v.inputs)
        return [x for x in read if x in self.laid and _is_like(x.shape, result.shape)]

    @functools.cached_property
    def last_reader(self) -> dict[Node, int]:
        """Which step is the last to read a value."""
        return {x: k for k, values in enumerate(self.ends) for x in values}

    @functools.cached_property
    def early(self) -> dict[Node, Node]:
        """Steps on the way to a result that may use its rows: the last one writes over them."""
        found: dict[Node, Node] = {}
        at = {v: k for k, v in enumerate(self.nodes)}
        taken = {*self.region.results, *self.region.folds}
        for result in self.region.results:
            v: Node | None = result if result not in self.over else None
            while v is not None:
                before = (
                    x
                    for x in self._may_lie_under(v)
                    if x in at and x not in taken and self.last_reader.get(x) == at[v]
                    if takes_buffer(x) and self.kind(x) == self.kind(result)
                )
                v = next(before, None)
                if v is not None:
                    taken.add(v)
                    found[v] = result
        return found

    def _may_lie_under(self, v: Node) -> list[Node]:
        """The operands in whose memory v may be computed, were they of no more use."""
        operands = [x for x, _ in self.operands[v]]
        if v.op.adds_to and operands[0] not in {_base(x, set(self.nodes)) for x in operands[1:]}:
            return operands[:1]
        return operands if v.op.family == "elementwise" else []

    @functools.cached_property
    def _first_writer(self) -> dict[Node, int]:
        """Which step is the first to write into the rows of a result."""
        at = {v: k for k, v in enumerate(self.nodes)}
        first = {v: at[v] for v in self.region.results}
        for v, result in self.early.items():
            first[result] = min(first[result], at[v])
        return first

    def kind(self, v: Node) -> Kind:
        """The kind of buffer that a value can be kept in."""
        rows = self.region.rows
        return Kind(axis_of(v.shape, rows), one_row(v.shape, rows), v.dtype)

    @functools.cached_property
    def _in_pieces(self) -> set[Node]:
        """The operands that are read a tile at a time, by all who read them."""
        whole = {x for v in self.nodes for x, is_tile in self.operands[v] if not is_tile}
        return set(self.last_reader) & self.region.by_row - whole

    def may_end_over(self, result: Node, x: Node) -> bool:
        """Whether the step that gives a result may write it over an operand that nobody else reads
        afterwards, where the steps before it write into buffers."""
        if result.op.family != "elementwise" or x.type != result.type or x not in self._in_pieces:
            return False
        return self.nodes[self.last_reader[x]] is result

    def may_overwrite(self, result: Node, x: Node) -> bool:
        """Whether a result may lie where an operand lies that nobody reads afterwards."""
        if result in self.folds or x.type != result.type or x not in self._in_pieces:
            return False  # a total is written while operands are still read
        first, last = self._first_writer[result], self.last_reader[x]
        return last < first or last == first and self.nodes[first].op.family == "elementwise"


def _is_like(shape: Shape, other: Shape) -> bool:
    return len(shape) == len(other) and sum(d != e for d, e in zip(shape, other, strict=True)) < 2


def _goes_by_element(v: Node, shape: Shape) -> bool:
    """Whether v, or each part of the number that it adds up to, is made of one element of each
    array of some shape."""
    if v.op.family == "elementwise":
        return v.shape == shape
    is_total = not v.ndim and all(x.shape == shape for x in v.inputs)
    if v.op.family == "contract":
        return is_total and len(set(letters_of(v)[0])) == 1
    return is_total and v.op.family == "reduce"


def _base(v: Node, inside: set[Node]) -> Node:
    while v.op.view and v in inside:
        v = v.inputs[0]
    return v


def _operands(v: Node, inside: frozenset[Node], rows: Dim) -> Iterator[tuple[Node, bool]]:
    """v's operands, and whether it takes the rows of each; what only stretches one is left out."""
    found = cut(v, rows)
    assert found is not None
    given = list(zip(v.inputs, found.by_row, strict=True))
    if v.op.family == "elementwise":
        for k, (x, _) in enumerate(given):
            stretch = cut(x, rows) if x.op.name == "broadcast_to" and x in inside else None
            if stretch is not None:
                shorter = [*given[:k], (x.inputs[0], stretch.by_row[0]), *given[k + 1 :]]
                if _broadcasts_to(v.shape, [y for y, _ in shorter]):
                    given = shorter
    return iter(given)


def _broadcasts_to(shape: Shape, operands: Iterable[Node]) -> bool:
    try:
        return shapes.broadcast(*(x.shape for x in operands)) == shape
    except ShapeError:
        return False
