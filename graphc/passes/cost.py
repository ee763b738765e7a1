"""What a graph costs before it runs: flops and bytes, as formulas in the sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ..ir import Graph, Node
from ..shapes import Dim, as_dim


def flops(graph: Graph) -> Dim:
    """How many arithmetic operations a run takes."""
    return _total(graph.nodes, lambda v: v.op.flops(v))


def peak_bytes(graph: Graph) -> Dim:
    """The memory for results: every result lives until the end, views take none."""
    computed = [v for v in graph.nodes if v.op.family != "leaf" and not v.op.view]
    return _total(computed, lambda v: v.type.nbytes)


def _total(nodes: Iterable[Node], cost: Callable[[Node], Dim]) -> Dim:
    """The sum of a cost. Alike nodes cost alike: the formula is asked for once for each kind."""
    kinds: Counter[object] = Counter()
    first: dict[object, Node] = {}
    for v in nodes:
        kind = (v.op, v.type, tuple(x.type for x in v.inputs), tuple(v.attrs.items()))
        kinds[kind] += 1
        first.setdefault(kind, v)
    return as_dim(sum(count * cost(first[kind]) for kind, count in kinds.items()))
