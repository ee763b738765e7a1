"""The story of a compilation: the graph after each pass, and what it costs."""

from __future__ import annotations

from typing import NamedTuple

from ..ir import Graph
from .cost import flops, peak_bytes


class LogStep(NamedTuple):
    """One pass and the graph that it left."""

    name: str
    graph: Graph


class Log:
    """The passes in order. Costs are worked out when the log is printed, not while compiling."""

    def __init__(self, graph: Graph) -> None:
        self.steps = [LogStep("as written", graph)]

    def add(self, name: str, graph: Graph) -> None:
        self.steps.append(LogStep(name, graph))

    def __str__(self) -> str:
        rows = [("pass", "nodes", "flops", "peak bytes")]
        for name, graph in self.steps:
            rows.append((name, str(len(graph)), str(flops(graph)), str(peak_bytes(graph))))
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        lines = [
            f"{name:{widths[0]}}  {nodes:>{widths[1]}}  {work:{widths[2]}}  {memory}"
            for name, nodes, work, memory in rows
        ]
        return "\n".join(lines)
