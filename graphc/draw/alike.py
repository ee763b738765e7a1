"""What two graphs write alike: x² is a power in one, and a square in the other."""

from __future__ import annotations

from collections.abc import Iterable

from ..ir import Node, with_inputs
from ..notation import Term, is_written_inside, term, text


def as_before(before: Iterable[Node], after: Iterable[Node]) -> dict[Node, Node]:
    """Each node of a graph, with the earlier graph's where that is written as it is.

    Both in order. A picture of what has changed would else show twice what reads the same, and all
    that is computed from it.
    """
    known = {_written(v): v for v in before}
    same: dict[Node, Node] = {}
    for v in after:
        new = with_inputs(v, tuple(same[x] for x in v.inputs))
        found = known.get(_written(new), new)
        same[v] = new if found.op is new.op else found  # one op written alike has other options
    return same


def _written(v: Node) -> tuple[object, ...]:
    """What a box says of a node, and of which nodes."""
    operands = {x: Term("name", str(id(x))) for x in v.inputs if not is_written_inside(x)}
    return v.type, text(term(v, operands, 1)) if v.inputs else v
