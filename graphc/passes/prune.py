"""prune: keep what the outputs need when the program runs."""

from __future__ import annotations

from ..ir import Graph, Node, rebuild
from .log import Log


def prune(graph: Graph, log: Log) -> Graph:
    """Keep what the outputs need; what only stopped gradients has done its work."""
    pruned = Graph(rebuild(graph.outputs, {}, _without_stops), graph.parameters)
    log.add("prune", pruned)
    return pruned


def _without_stops(v: Node) -> Node:
    """stop_gradient(x) = x"""
    return v.inputs[0] if v.op.name == "stop_gradient" else v
