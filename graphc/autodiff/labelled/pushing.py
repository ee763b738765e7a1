"""`push`: terms through a whole graph, by a rule for each op."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...ir import Node, standing_for
from .along_axis import scanned, scattered, taken
from .layout import broadcast, diagonals, indexed, joined, placed, reordered, reshaped
from .products import contracted, elementwise, sums
from .terms import Parts, Terms, batched, merged


def push(order: Iterable[Node], table: dict[Node, Terms]) -> None:
    """Add to `table` the terms of every node of an order that depends, linearly, on those in it."""
    for v in order:
        if v not in table and any(x in table for x in v.inputs):
            with standing_for(v):
                rule = _BY_NAME.get(v.op.name) or _BY_FAMILY.get(v.op.family, batched)
                table[v] = merged(rule(v, [table.get(x) for x in v.inputs]))


_Push = Callable[[Node, Parts], Terms]

# What keeps ties, and how. Everything else is spread out and batched, which is right for every op.
_BY_NAME: dict[str, _Push] = {
    "permute_dims": reordered,
    "broadcast_to": broadcast,
    "diagonal_matrix": diagonals,
    "getitem": indexed,
    "place": placed,
    "reshape": reshaped,
    "concat": joined,
    "sum": sums,
    "take": taken,
    "scatter_add": scattered,
}
_BY_FAMILY: dict[str, _Push] = {
    "elementwise": elementwise,
    "contract": contracted,
    "scan": scanned,
}
