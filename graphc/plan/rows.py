"""How an operation runs on some of the rows of its operands: the cut that regions are made by.

A row is what lies under one index of the first axis. Like batching, this is known of families.
"""

from __future__ import annotations

from typing import NamedTuple

from ..ir import Node
from ..ops.contract import letters_of
from ..ops.slices import keeps_rows
from ..shapes import Dim


class Cut(NamedTuple):
    """An operation cut along the first axis of its result or, where it `folds` rows, its input."""

    rows: Dim
    by_row: tuple[bool, ...]
    """For each operand whether it is cut too; else every piece takes all of it."""
    folds: bool = False
    """The result has no rows: pieces give parts of it, to be joined by the ufunc `Op.fold`."""


def cut(v: Node) -> Cut | None:
    """The cut of a node; None if it needs all of its operands at once."""
    rule = _RULES.get(v.op.family)
    found = rule(v) if rule and v.inputs else None
    return None if found is None or found.rows == 1 else found


def _aligned(v: Node) -> Cut | None:
    """Operands that broadcast are cut where they have all axes and do not stretch the first."""
    if not v.ndim:
        return None
    rows = v.shape[0]
    return Cut(rows, tuple(x.ndim == v.ndim and x.shape[0] == rows for x in v.inputs))


def _layout(v: Node) -> Cut | None:
    if v.op.name == "broadcast_to":
        return _aligned(v)
    return Cut(v.shape[0], (True,) * len(v.inputs)) if keeps_rows(v) else None


def _reduce(v: Node) -> Cut | None:
    (x,) = v.inputs
    if not x.ndim or not v.attrs["axis"]:
        return None
    folds = 0 in v.attrs["axis"]
    return Cut(x.shape[0], (True,), folds) if v.op.fold or not folds else None


def _contract(v: Node) -> Cut | None:
    """Products, outer ones too, and sums of products element by element; matrix products are left
    to BLAS."""
    terms, out = letters_of(v)
    if out and set("".join(terms)) == set(out):
        is_apart = any(out[0] in t[1:] for t in terms)
        return None if is_apart else Cut(v.shape[0], tuple(t[:1] == out[0] for t in terms))
    first = terms[0][:1]
    if not first or any(t[0] != first or t.count(first) > 1 for t in terms if t) or "" in terms:
        return None
    if any(set(a) - set(b) and set(b) - set(a) for a in terms for b in terms):
        return None
    folds = first not in out
    if folds and out or not folds and out[0] != first:
        return None
    return Cut(v.inputs[0].shape[0], (True,) * len(terms), folds)


def _scan(v: Node) -> Cut | None:
    is_along_rows = v.attrs["axis"] == 0 or not v.ndim
    return None if is_along_rows else Cut(v.shape[0], (True,) * len(v.inputs))


_RULES = {
    "elementwise": _aligned,
    "layout": _layout,
    "reduce": _reduce,
    "contract": _contract,
    "scan": _scan,
}
