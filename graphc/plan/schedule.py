"""The schedule: a graph as steps, in an order that takes little memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .. import shapes
from ..ir import Graph, Node
from .body import Body
from .memory import base, computed, is_given, takes_memory
from .regions import Region, regions


class Step(NamedTuple):
    """One call: of a region, or of NumPy for a single node."""

    nodes: tuple[Node, ...]
    """What others read of it."""
    reads: tuple[Node, ...]
    body: Body | None = None
    """What is computed for each tile, if it is the call of a region."""
    ends: tuple[Node, ...] = ()
    """The values that no later step reads."""
    free: tuple[Node, ...] = ()
    """Those of them that the step itself reads through no view: it may write over them."""

    @property
    def node(self) -> Node:
        return self.nodes[0]

    @property
    def region(self) -> Region | None:
        return self.body.region if self.body else None

    @property
    def computed(self) -> tuple[Node, ...]:
        """All that it computes, also what nobody else sees."""
        return self.region.nodes if self.region else self.nodes


def schedule(graph: Graph) -> list[Step]:
    """The steps of a graph: calls of regions and of single nodes."""
    return _with_ends(graph, list(_scheduled(graph)))


def one_by_one(graph: Graph) -> list[Step]:
    """A step for each node of a graph, as it stands."""
    return _with_ends(graph, [Step((v,), v.inputs) for v in computed(graph)])


def _steps(graph: Graph) -> list[Step]:
    """The calls of regions and of single nodes, in no order."""
    found = regions(graph)
    inside = {v for region in found for v in region.nodes}
    shown = {x for region in found for x in region.operands} | set(graph.outputs)
    steps = [Step((*r.results, *r.folds), r.operands, Body(r)) for r in found]
    for v in reversed(graph.nodes):
        if not is_given(v) and (v not in inside or v.op.view and v in shown):
            shown.update(v.inputs)
            steps.append(Step((v,), v.inputs))
    return steps


def _scheduled(graph: Graph) -> Iterator[Step]:
    """The steps in an order that their reads allow: first what frees as much memory as it takes,
    else the one that is complete first.

    The caller's results are made in any case: they count for nothing.
    """
    steps, results = _steps(graph), {base(v) for v in graph.outputs}
    place = {v: k for k, v in enumerate(graph.nodes)}
    maker = {v: k for k, step in enumerate(steps) for v in step.nodes}
    waits = [{maker[x] for x in step.reads if x in maker} for step in steps]
    followers: list[list[int]] = [[] for _ in steps]
    readers: dict[Node, set[int]] = {}
    for k, step in enumerate(steps):
        for j in waits[k]:
            followers[j].append(k)
        for x in step.reads:
            readers.setdefault(base(x), set()).add(k)
    ready: list[tuple[bool, int, int]] = []

    def total(values: Iterable[Node]) -> int:
        return sum(shapes.typical(v.type.nbytes) for v in values if takes_memory(v))

    def enter(k: int) -> None:
        step = steps[k]
        freed = total({base(x) for x in step.reads if readers[base(x)] == {k}} - results)
        is_late = not freed or freed < total(v for v in step.nodes if v not in results)
        heapq.heappush(ready, (is_late, max(place[v] for v in step.computed), k))

    for k in range(len(steps)):
        if not waits[k]:
            enter(k)
    done: set[int] = set()
    while ready:
        k = heapq.heappop(ready)[2]
        if k in done:
            continue
        done.add(k)
        yield steps[k]
        for x in {base(x) for x in steps[k].reads}:
            readers[x].discard(k)
        # One that read the same values may be the last now: it enters once more, before itself.
        last = {j for x in steps[k].reads if len(left := readers[base(x)]) == 1 for j in left}
        for j in followers[k]:
            waits[j].discard(k)
            last.add(j)
        for j in sorted(last):
            if not waits[j]:
                enter(j)


def _with_ends(graph: Graph, steps: list[Step]) -> list[Step]:
    """The steps, each with the values that it is the last to read; outputs have no end."""
    seen = {base(v) for v in graph.outputs}
    result = []
    for step in reversed(steps):
        ends = dict.fromkeys(b for v in (*step.reads, *step.nodes) if (b := base(v)) not in seen)
        seen.update(ends)
        viewed = {base(x) for x in step.reads if x.op.view}
        free = tuple(x for x in ends if x not in viewed)
        result.append(step._replace(ends=tuple(ends), free=free))
    return result[::-1]
