"""Up to how many elements a program goes line by line: tiles and threads would gain nothing."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np

from ... import shapes
from ...ir import Node
from ...passes.cost import DEAREST_ARITHMETIC, weight
from ..memory import takes_memory
from ..plan import Plan
from ..regions import Region
from .in_place import written_over
from .straight import MANY

# Up to this many elements, where the arrays of one region take together no more than so many bytes:
# these stay in the cache.
SMALL, SMALL_BYTES = 1 << 15, 1 << 20
# Up to this many always.
LEAST_SMALL = 1 << 11
# Of single precision so many times as many take as long.
OF_SINGLES = 4
# So many times as many, shared by the steps, if all is arithmetic: it is over before threads have
# begun.
OF_ARITHMETIC = 16
# So many times as many of single operations: they have nothing to keep in the cache, and only
# threads are of use, where it is long.
OF_ONE = 32


def small_size(plan: Plan) -> int:
    """Up to how many elements a program goes line by line, and does not follow its plan."""
    if len(plan.graph.nodes) >= MANY:  # as it goes line by line it lets values go
        return SMALL
    steps = [s for s in plan.steps if s.region or takes_memory(s.node)]
    regions = [step.region for step in steps if step.region]
    over = written_over(plan.graph)
    most = SMALL_BYTES // max((_bytes_by_element(r, over) for r in regions), default=1)
    nodes = [v for region in regions for v in region.nodes]
    is_single = all(v.dtype.itemsize <= 4 for v in nodes)
    small = min(SMALL * (OF_SINGLES if is_single else 1), max(LEAST_SMALL, most))
    if not 0 < len(steps) == len(regions) or not all(map(_is_arithmetic, nodes)):
        return small
    if _are_single(nodes):
        return int(OF_ONE * SMALL // max(1, sum(map(weight, nodes))))
    return max(small, OF_ARITHMETIC * SMALL // sum(map(_passes, regions)))


def _bytes_by_element(region: Region, over: Container[Node]) -> int:
    """How many bytes a region takes for each of its elements where it goes line by line."""
    sizes = {v: shapes.typical(v.type.size) for v in region.nodes if not v.op.view}
    most = max(sizes.values(), default=0)
    made = [v for v, size in sizes.items() if size == most and v not in over]
    return sum(v.dtype.itemsize for v in made) or 1


def _passes(region: Region) -> int:
    """How often a region goes through as many elements as it ever does."""
    steps = [(v, *v.inputs) for v in region.nodes if not v.op.view]
    sizes = [max(shapes.typical(x.type.size) for x in step) for step in steps]
    return sizes.count(max(sizes))


def _is_arithmetic(v: Node) -> bool:
    """Whether an operation takes little more than a sum: a choice takes as long as ten."""
    return weight(v) <= DEAREST_ARITHMETIC and not any(x.dtype == np.bool_ for x in v.inputs)


def _are_single(nodes: Sequence[Node]) -> bool:
    """Whether all is computed element by element, and nothing of another."""
    read = {x for v in nodes for x in v.inputs}
    return all(v.op.family == "elementwise" and v not in read for v in nodes)
