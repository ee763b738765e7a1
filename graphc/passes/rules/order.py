"""Rules for what is put in order."""

from __future__ import annotations

from ...ir import Node
from ..rewrite import rule
from .vocabulary import Alone, op


@rule("sort", over=("sort",), signs=True)
def sort_of_sort(n: Node) -> Node | None:
    """sort(sort(x)) = sort(x) along the same axis"""
    (v,) = n.inputs
    return v if v.op is op.sort and v.attrs["axis"] == n.attrs["axis"] else None


@rule("take", "take_along_axis", over=("argsort",), signs=True)
def taken_in_order(n: Node, is_alone: Alone) -> Node | None:
    """x[argsort(x)] = sort(x), along any axis: in a tenth of the time"""
    x, order = n.inputs
    if order.op is not op.argsort or order.inputs[0] is not x or not is_alone(order):
        return None
    if order.attrs["axis"] != n.attrs["axis"] or n.op is op.take and x.ndim > 1:
        return None
    found: Node = op.sort(x, **order.attrs)
    return found
