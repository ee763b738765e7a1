"""Passes: functions from Graph to Graph that change nothing in place and keep a log."""

from __future__ import annotations

from collections.abc import Callable

from ..ir import Graph
from .fold import fold
from .log import Log
from .prune import prune

PIPELINE: tuple[Callable[[Graph, Log], Graph], ...] = (prune, fold)

__all__ = ["PIPELINE", "Log", "fold", "prune", "run"]


def run(graph: Graph) -> tuple[Graph, Log]:
    """Every pass of the pipeline, in order."""
    log = Log(graph)
    for step in PIPELINE:
        graph = step(graph, log)
    return graph, log
