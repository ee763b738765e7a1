"""How an operation runs on some of the rows of its operands: the cut that regions are made by.

Rows lie along one axis, which is known by its size: of the axes of a value, the first that has it.
A row is what lies under one index of that axis. Like batching, this is known of families.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..ir import Node
from ..ops.letters import letters_of
from ..ops.slices import source_axes
from ..shapes import Dim, Shape

# An axis of at most so many elements, if there are others, is not the one along which rows lie.
SHORT = 4


class Cut(NamedTuple):
    """An operation cut into rows: those of its result or, where it `folds` them, of its input."""

    rows: Dim
    by_row: tuple[bool, ...]
    """For each operand whether it is cut too; else every piece takes all of it."""
    folds: bool = False
    """The result has no rows: pieces give parts of it, to be joined by the ufunc `Op.fold`."""


def axis_of(shape: Shape, rows: Dim) -> int:
    """Along which axis a value of some shape is cut into rows."""
    return shape.index(rows)


def one_row(shape: Shape, rows: Dim) -> Shape:
    """The shape of one row of a value."""
    k = axis_of(shape, rows)
    return (*shape[:k], *shape[k + 1 :])


def cut(v: Node, rows: Dim) -> Cut | None:
    """The cut of a node into `rows`; None if it has no such rows, or needs them all at once."""
    rule = _RULES.get(v.op.family)
    if rule is None or not v.inputs or rows in (0, 1):
        return None
    return rule(v, rows)


def first_cut(v: Node) -> Cut | None:
    """The cut along the first long axis of a node or, where it folds, of what it reads.

    Of a stack of products each piece makes the calls that the whole would, so no bit depends on it.
    """
    is_sum = v.op.family == "reduce" or v.op.family == "contract" and not _is_outer(v)
    shapes = [x.shape for x in v.inputs] if is_sum else [v.shape]
    if not all(shapes) or len(rows := {first_long(shape) for shape in shapes}) != 1:
        return None
    found = cut(v, rows.pop())
    return None if found and found.folds and is_stack(v) else found


def first_long(shape: Shape) -> Dim:
    """The size of the first long axis."""
    long = (d for d in shape if not (isinstance(d, int) and 1 < d <= SHORT))
    return next(long, shape[0])


def is_stack(v: Node) -> bool:
    """Whether a node is a matrix product for each index of some axes."""
    if v.op.family != "contract" or len(v.inputs) != 2:
        return False
    (a, b), out = letters_of(v)
    is_once = len({*a}) == len(a) and len({*b}) == len(b)
    return is_once and any(c in a and c in b for c in out) and not is_by_element([a, b])


def _kept(v: Node, rows: Dim, sources: list[int | None]) -> Cut | None:
    """The cut of a result whose rows are those along some axis of each operand, or all of it."""
    by_row = tuple(k is not None for k in sources)
    right = all(
        k is None or axis_of(x.shape, rows) == k for x, k in zip(v.inputs, sources, strict=True)
    )
    return Cut(rows, by_row) if right else None


def _aligned(v: Node, rows: Dim) -> Cut | None:
    """Operands that broadcast are cut where they have the axis and do not stretch it."""
    if rows not in v.shape:
        return None
    from_last = axis_of(v.shape, rows) - v.ndim
    sources = [
        x.ndim + from_last if x.ndim + from_last >= 0 and x.shape[from_last] == rows else None
        for x in v.inputs
    ]
    return _kept(v, rows, sources)


def _layout(v: Node, rows: Dim) -> Cut | None:
    if v.op.name == "broadcast_to":
        return _aligned(v, rows)
    if rows not in v.shape:
        return None
    sources = source_axes(v, axis_of(v.shape, rows))
    return None if None in sources else _kept(v, rows, sources)


def _reduce(v: Node, rows: Dim) -> Cut | None:
    (x,) = v.inputs
    if rows not in x.shape or not v.attrs["axis"]:
        return None
    axis, removed = axis_of(x.shape, rows), v.attrs["axis"]
    if axis in removed:
        return Cut(rows, (True,), folds=True) if v.op.fold else None
    before = 0 if v.attrs["keepdims"] else sum(k < axis for k in removed)
    return Cut(rows, (True,)) if axis_of(v.shape, rows) == axis - before else None


def is_by_element(terms: list[str]) -> bool:
    """Whether nothing is repeated for the letters of another operand, as in a matrix product."""
    return not any({*a} - {*b} and {*b} - {*a} for a in terms for b in terms)


def _is_outer(v: Node) -> bool:
    """Whether nothing is summed."""
    terms, out = letters_of(v)
    return {*"".join(terms)} == {*out}


def adds_rows(v: Node) -> int | None:
    """Which operand is a matrix whose rows are added up, each times a number: of doubles, of which
    BLAS fetches few at a time from memory."""
    if v.op.family != "contract" or v.dtype != np.float64 or v.ndim != 1:
        return None
    terms, out = letters_of(v)
    if sorted(map(len, terms)) != [1, 2] or isinstance(v.type.size, int) and v.type.size <= SHORT:
        return None
    matrix = 0 if len(terms[0]) == 2 else 1
    return matrix if terms[matrix] == terms[1 - matrix] + out else None


def _contract(v: Node, rows: Dim) -> Cut | None:
    """Products, outer ones too, sums of products element by element, stacks of products, and sums
    of the rows of a matrix, each times a number.

    A product of two matrices is left to BLAS, which is at its best with all of it at once.
    """
    terms, out = letters_of(v)
    places = [(out, v.shape), *zip(terms, (x.shape for x in v.inputs), strict=True)]
    letter = next((t[axis_of(shape, rows)] for t, shape in places if rows in shape), "")
    places = [(t, shape) for t, shape in places if letter in t]
    if not letter or any(t.find(letter) != axis_of(shape, rows) for t, shape in places):
        return None
    folds = letter not in out
    if any(t.count(letter) > 1 for t in terms):
        return None
    if not is_stack(v) and not _is_outer(v):
        if not is_by_element(terms) or any(letter not in t for t in terms):
            return None
        if folds and out and adds_rows(v) is None:
            return None
    return Cut(rows, tuple(letter in t for t in terms), folds)


def _along(v: Node, rows: Dim) -> Cut | None:
    """What runs, or picks, along one axis is cut along another that all operands have."""
    if rows not in v.shape:
        return None
    k = axis_of(v.shape, rows)
    if k == v.attrs["axis"] or any(x.ndim != v.ndim or x.shape[k] != rows for x in v.inputs):
        return None
    return _kept(v, rows, [k] * len(v.inputs))


_RULES = {
    "elementwise": _aligned,
    "layout": _layout,
    "reduce": _reduce,
    "contract": _contract,
    "scan": _along,
    "index": _along,
}
