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
    return _with_ends(graph, list(_Queue(graph).in_order()))


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


class _Queue:
    """Steps in an order that their reads allow: first what frees as much memory as it takes, else
    the one that is complete first.

    The caller's results are made in any case: they count for nothing.
    """

    def __init__(self, graph: Graph) -> None:
        self.steps, self.results = _steps(graph), {base(v) for v in graph.outputs}
        self.place = {v: k for k, v in enumerate(graph.nodes)}
        maker = {v: k for k, step in enumerate(self.steps) for v in step.nodes}
        self.waits = [{maker[x] for x in step.reads if x in maker} for step in self.steps]
        self.followers: list[list[int]] = [[] for _ in self.steps]
        self.readers: dict[Node, set[int]] = {}
        for k, step in enumerate(self.steps):
            for j in self.waits[k]:
                self.followers[j].append(k)
            for x in step.reads:
                self.readers.setdefault(base(x), set()).add(k)
        self.ready: list[tuple[bool, int, int]] = []

    def in_order(self) -> Iterator[Step]:
        """Each step once, after those that it reads."""
        self._enter(range(len(self.steps)))
        done: set[int] = set()
        while self.ready:
            k = heapq.heappop(self.ready)[2]
            if k not in done:
                done.add(k)
                yield self.steps[k]
                self._enter(sorted(self._nearer(k)))

    def _nearer(self, k: int) -> set[int]:
        """The steps that may be ready after step k, or free more memory than they would before."""
        read = {base(x) for x in self.steps[k].reads}
        for x in read:
            self.readers[x].discard(k)
        for j in self.followers[k]:
            self.waits[j].discard(k)
        # One that read the same values may be the last now: it enters once more, before itself.
        last = {j for x in read if len(left := self.readers[x]) == 1 for j in left}
        return last.union(self.followers[k])

    def _enter(self, numbers: Iterable[int]) -> None:
        """Those of some steps that wait for no other are ready."""
        for k in numbers:
            if not self.waits[k]:
                step = self.steps[k]
                alone = {base(x) for x in step.reads if self.readers[base(x)] == {k}}
                freed = _bytes(alone - self.results)
                is_late = not freed or freed < _bytes(set(step.nodes) - self.results)
                heapq.heappush(self.ready, (is_late, max(self.place[v] for v in step.computed), k))


def _bytes(values: Iterable[Node]) -> int:
    return sum(shapes.typical(v.type.nbytes) for v in values if takes_memory(v))


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
