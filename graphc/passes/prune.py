"""prune: keep what the outputs need when the program runs."""

from __future__ import annotations

from ..ir import Graph, Node
from .log import Log


def prune(graph: Graph, log: Log) -> Graph:
    """Keep what the outputs need; what only stopped gradients has done its work."""
    if "stop_gradient" in graph.by_op:
        graph = graph.rewritten(_without_stops)
    log.add("prune", graph)
    return graph


def _without_stops(v: Node) -> Node:
    """stop_gradient(x) = x"""
    return v.inputs[0] if v.op.name == "stop_gradient" else v
