"""The story of a compilation: the graph after each pass, what it costs, and each rewrite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from ..ir import Graph
from ..printed import Printed
from ..wording import counted
from .cost import flops, peak_bytes
from .rewrite import Refusal, Rewrite
from .searches import Budget
from .told import Telling


class LogStep(NamedTuple):
    """One pass, the graph that it left, what it rewrote, and what was refused."""

    name: str
    graph: Graph
    rewrites: tuple[Rewrite, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def __repr__(self) -> str:
        refused = f", {len(self.refusals)} refused" if self.refusals else ""
        rewrites = counted(len(self.rewrites), "rewrite")
        return f"<{self.name}: {rewrites}{refused}, {counted(len(self.graph), 'node')}>"


class Log(Printed):
    """The passes in order, and the budget of their searches.

    Costs are worked out when the log is printed, not while compiling.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> f = gc.compile(gc.sum(x**2), simplify=True)
    >>> [step.name for step in f.log.steps]
    ['as written', 'prune', 'fold', 'rules', 'simplify']
    >>> [rewrite.name for rewrite in f.log.steps[3].rewrites]
    ['power_that_numpy_knows', 'sum_of_products']
    >>> print(f.log.table)
    pass        nodes  flops  peak bytes
    as written ...
    >>> print(f.log.story)
    rules: 2 rewrites, 4 nodes -> 2
        ...
    >>> f.log.add("mine", f.graph)
    >>> f.log.steps[-1].name
    'mine'
    """

    def __init__(self, graph: Graph, budget: Budget | None = None) -> None:
        self.budget = Budget() if budget is None else budget
        self.steps = [LogStep("as written", graph)]

    def add(
        self,
        name: str,
        graph: Graph,
        rewrites: Iterable[Rewrite] = (),
        refusals: Iterable[Refusal] = (),
    ) -> None:
        """One more pass: the graph that it left, what it rewrote, and what was refused."""
        self.steps.append(LogStep(name, graph, tuple(rewrites), tuple(refusals)))

    @property
    def _names(self) -> list[str]:
        """The passes; one that runs again is told with its round: `rules 2`."""
        rounds: Counter[str] = Counter()
        names = []
        for step in self.steps:
            rounds[step.name] += 1
            names.append(step.name + f" {rounds[step.name]}" * (rounds[step.name] > 1))
        return names

    @property
    def table(self) -> str:
        """Nodes, flops and peak bytes after each pass, and whether the budget sufficed."""
        rows = [("pass", "nodes", "flops", "peak bytes")]
        for name, step in zip(self._names, self.steps, strict=True):
            g = step.graph
            rows.append((name, str(len(g)), str(flops(g)), str(peak_bytes(g))))
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        lines = [
            f"{name:{widths[0]}}  {nodes:>{widths[1]}}  {work:{widths[2]}}  {memory}"
            for name, nodes, work, memory in rows
        ]
        return "\n".join(filter(None, [*lines, self.budget.note]))

    @property
    def story(self) -> str:
        """Each rewrite as an equation with the user's line, what became what there, and each that
        was refused; equal ones are counted.
        """
        lines = []
        telling = Telling(self.steps[0].graph)
        for name, (before, step) in zip(self._names[1:], pairwise(self.steps), strict=True):
            if step.rewrites or step.refusals:
                lines.append(_heading(name, step, len(before.graph)))
            lines += [f"    {line}" for line in telling.lines(step.rewrites)]
            for (text, place), count in Counter((str(r), r.place) for r in step.refusals).items():
                times = f"  ({count} times)" if count > 1 else ""
                lines.append(f"    {text}{times}" + (f"   {place}" if place else ""))
        return "\n".join(lines)

    def __str__(self) -> str:
        return "\n\n".join(filter(None, [self.table, self.story]))


def _heading(name: str, step: LogStep, nodes: int) -> str:
    """The pass, how often it rewrote, and how many nodes it met and left."""
    rewrites = counted(len(step.rewrites), "rewrite")
    return f"{name}: {rewrites}, {counted(nodes, 'node')} -> {len(step.graph)}"
