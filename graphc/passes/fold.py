"""fold: compute now what depends on constants alone."""

from __future__ import annotations

from ..ir import Graph
from .constants import folded_node
from .log import Log


def fold(graph: Graph, log: Log) -> Graph:
    """Replace operations on constants by constants, where that makes nothing larger."""
    constants = set(graph.by_op.get("constant", ()))
    on_constants = [v for v in graph.nodes if v.inputs and constants.issuperset(v.inputs)]
    if any(folded_node(v) is not v for v in on_constants):
        graph = graph.rewritten(folded_node)
    log.add("fold", graph)
    return graph
