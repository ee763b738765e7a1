"""Plan: the steps of a program for large arrays, and in which memory their values lie."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from .. import shapes
from ..ir import Graph, Node
from ..ops.slices import is_laid
from ..printed import Printed
from ..shapes import Dim
from .memory import base, is_fresh
from .places import Places, placed
from .schedule import Step, schedule
from .table import Bar, lanes, table


class Plan(Printed, Places):
    """The steps of a graph, and the `place` of each value that is written into given memory.

    A place is the number of a slot of the workspace, which is kept from call to call, or None: a
    new array, for the caller. Other values are what NumPy returns, or lie in a part of another.
    Printing a plan shows a table: for each step what it computes and where, how many bytes live,
    what it costs, the user's line.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> print(gc.compile(gc.sum(gc.exp(x)), name="total").plan)
    step  operation               result   place   bytes live  flops  line
    0     2 operations: exp, sum  f64[]    number  0           2*n    ...
    workspace: 0 in 0 slots, kept between calls
    peak: 0 at step 0
    >>> gc.compile(gc.sum(gc.exp(x))).plan.sizes
    [n]
    """

    def __init__(self, graph: Graph) -> None:
        steps = schedule(graph)
        over = _written_over(graph, steps)
        super().__init__(graph, steps, dict(_laid_down(graph, steps, over)), over)

    def lanes(self) -> list[Bar]:
        """Which value lies in which memory, from the step that computes it to its last use.

        >>> import graphc as gc
        >>> x = gc.input("x", ("n", "n"))
        >>> [tuple(bar[1:6]) for bar in gc.compile(x @ gc.exp(x), name="f").plan.lanes()]
        [('exp(x)', 0, 0, 1, '8*n**2'), ('x @ exp(x)', 'new array', 1, 1, '8*n**2')]
        """
        return lanes(self)

    def __str__(self) -> str:
        return table(self)

    @functools.cached_property
    def sizes(self) -> list[Dim]:
        """The counts of elements that decide at a call whether to follow the plan: those that
        regions work on, and those in kept memory, without what another certainly exceeds.
        """
        kept = {v for v, slot in self.place.items() if slot is not None}
        steps = (step for step in self.steps if step.region or not kept.isdisjoint(step.computed))
        types = dict.fromkeys(v.type for step in steps for v in step.computed if v.ndim)
        found = dict.fromkeys(t.size for t in types)
        return [d for d in found if not any(e != d and shapes.covers(e, d) for e in found)]


def _written_over(graph: Graph, steps: Sequence[Step]) -> dict[Node, Node]:
    """The caller's results that are written over an operand: its array is then the caller's."""
    fresh = {base(v) for v in graph.outputs if is_fresh(v)}
    found: dict[Node, Node] = {}
    made: set[Node] = set()
    for step in steps:
        if step.body is not None:
            ended = [x for x in step.free if x in made and x not in fresh]
            results = [v for v in placed(step) if v in fresh]
            at_its_end = _paired(results, ended, step.body.may_end_over)
            step.body.over.update(at_its_end)
            others = [v for v in results if v not in at_its_end]
            found |= at_its_end | _paired(others, ended, step.body.may_overwrite)
        made.update(placed(step))
    return found


def _paired(
    results: Iterable[Node], ended: list[Node], may_lie: Callable[[Node, Node], bool]
) -> dict[Node, Node]:
    """For results one each of the values that have ended, where they may lie."""
    found = {}
    for v in results:
        x = next((x for x in ended if may_lie(v, x)), None)
        if x is not None:
            found[v] = x
            ended.remove(x)
    return found


def _laid_down(
    graph: Graph, steps: Sequence[Step], over: Mapping[Node, Node]
) -> Iterator[tuple[Node, Node]]:
    """What a region gives that is then laid into a longer array: it is computed there."""
    kept = {*over.values(), *map(base, graph.outputs)}
    made: set[Node] = set()
    for step in steps:
        if step.body is not None:
            made.update(placed(step))
        elif is_laid(step.node):
            x, *others = step.node.inputs
            if x in made and x not in kept and x in step.ends and x not in map(base, others):
                yield x, step.node
