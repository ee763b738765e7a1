"""Recomputing: what gradients read late is computed again there, in place of being kept.

The forward half of a graph is cut into segments. In each a minimum cut finds the fewest bytes from
which all follows that the backward half reads there: these are kept. The rest is computed `again`
after the first gradient that meets the segment, by copies of its nodes, which are nodes like others
to the schedule, the regions and the workspace. Several sizes of segments are planned and compared.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..ir import Graph, Node, standing_for, with_inputs
from ..ops.layout import again
from ..passes.cost import flops, weight
from ..shapes import Dim, as_dim, typical
from .memory import base, takes_memory
from .plan import Plan
from .rows import first_cut, is_stack


class Saving(NamedTuple):
    """A graph that computes values again, its plan, and what that saves and costs."""

    before: Graph
    workspace_before: Dim
    graph: Graph
    plan: Plan
    copies: tuple[Node, ...] = ()
    """What is computed a second time."""

    @property
    def bytes_saved(self) -> Dim:
        return as_dim(self.workspace_before - self.plan.workspace)

    @property
    def flops_added(self) -> Dim:
        return as_dim(flops(self.graph) - flops(self.before))

    def __repr__(self) -> str:
        if not self.copies:
            return "memory='low': nothing is worth computing again"
        count = f"{len(self.copies)} value{'s are' if len(self.copies) > 1 else ' is'}"
        return (
            f"memory='low': {count} computed again\n"
            f"  bytes saved: {self.bytes_saved} of {self.workspace_before}\n"
            f"  flops added: {self.flops_added} to {flops(self.before)}"
        )


def sparing(graph: Graph) -> Saving:
    """The way to compute a graph in least memory that pays: by a share of the memory that is at
    least the share of work it adds. Sizes that are not known are taken to be 1000.

    >>> import graphc as gc
    >>> h, weights = gc.input("X", ("n", "d")), [gc.input(f"W{k}", ("d", "d")) for k in range(16)]
    >>> for w in weights:
    ...     h = gc.tanh(h @ w)
    >>> saving = sparing(gc.Graph(gc.grad(gc.sum(h), weights)))
    >>> sorted({v.op.name for v in saving.copies})
    ['einsum', 'tanh']
    """
    plan = Plan(graph)
    memory, work = _memory(plan), _work(graph.nodes)
    best, least = Saving(graph, plan.workspace, graph, plan), (memory, 0)
    halves = Halves(plan)
    for way in halves.ways():
        joined, copies = halves.joined(way)
        if not copies:
            continue
        planned = Plan(joined)
        if typical(planned.workspace) > typical(plan.workspace):  # it is what the report tells of
            continue
        cost = _memory(planned), _work(copies)
        if cost < least and (memory - cost[0]) * work >= cost[1] * memory:
            least = cost
            best = best._replace(graph=joined, plan=planned, copies=tuple(copies))
    return best


def _memory(plan: Plan) -> int:
    """The bytes of a call beside its results: the workspace, and the arrays that NumPy makes."""
    results = {base(v) for v in plan.graph.outputs}

    def total(values: Iterable[Node]) -> int:
        made = (v for v in values if takes_memory(v) and v not in plan.place and v not in results)
        return sum(typical(v.type.nbytes) for v in made)

    live = most = 0
    for step in plan.steps:
        live += total(step.nodes)
        most = max(most, live)
        live -= total(step.ends)
    return most + sum(map(typical, plan.slots))


def _work(nodes: Iterable[Node]) -> int:
    """What some nodes cost, in tenths of a multiplication."""
    return sum(round(10 * weight(v)) * typical(v.op.flops(v)) for v in nodes)


# What comes back with the same bits. What is summed tile by tile need not: it is always kept.


def is_cheap(v: Node) -> bool:
    """Whether each element is computed alone."""
    return v.op.view or v.op.family in ("elementwise", "layout")


def is_dear(v: Node) -> bool:
    """Whether it is one call on whole arrays, or on each of a stack, such as a matrix product."""
    if is_cheap(v) or v.op.family == "leaf":
        return False
    return first_cut(v) is None or is_stack(v)


def _ends_a_region(v: Node) -> bool:
    found = first_cut(v)
    return is_dear(v) or found is not None and found.folds


class Way(NamedTuple):
    """A way to compute values again."""

    size: int
    """How many of the values at which regions end make a segment of the forward half."""
    dear_too: bool
    """Whether matrix products are computed again, and not only what is cheap."""


class Part(NamedTuple):
    """What is computed again together."""

    nodes: list[Node]
    signal: Node
    """The gradient that it waits for: the first that is there when one of these is read."""


class Halves:
    """What a graph computes forward, what it computes backward, and how the one reads the other."""

    def __init__(self, plan: Plan) -> None:
        self.graph = plan.graph
        self.backward: set[Node] = set()
        for v in self.graph.nodes:
            is_gradient = v.origin is not None and v.op.family != "leaf" and not v.op.view
            if is_gradient or not self.backward.isdisjoint(v.inputs):
                self.backward.add(v)
        self.when: dict[Node, int] = {}
        """The step that computes a value."""
        for k, step in enumerate(plan.steps):
            for v in step.computed:
                self.when.setdefault(v, k)
        place = {v: k for k, v in enumerate(self.graph.nodes)}
        self.order = sorted(self.when, key=lambda v: (self.when[v], place[v]))
        self.forward = [v for v in self.order if v not in self.backward]
        self.signal = self._signals(plan)
        small = max(map(typical, plan.slots), default=0) // 100
        self.kept = {v for v in self.forward if typical(v.type.nbytes) <= small}
        self.kept.update(base(v) for v in self.graph.outputs)

    def _signals(self, plan: Plan) -> dict[Node, Node]:
        """For each value that is read late, the gradient that is there just before it is."""
        found: dict[Node, Node] = {}
        seen: set[Node] = set()
        latest = dict(self._latest(plan))
        for v in self.order:
            for x in v.inputs if v in self.backward else ():
                if x in self.when and x not in self.backward and x not in seen:
                    seen.add(x)
                    if self.when[v] in latest:
                        found[x] = latest[self.when[v]]
        return found

    def _latest(self, plan: Plan) -> Iterator[tuple[int, Node]]:
        """Of the gradients that a step reads and that are made before it, the latest."""
        for k, step in enumerate(plan.steps):
            made = [x for x in step.reads if x in self.backward and self.when.get(x, k) < k]
            if made:
                yield k, max(made, key=self.when.__getitem__)

    def ways(self) -> Iterator[Way]:
        """Of a chain of n it is best to keep about the root of n, so no segment need be longer."""
        yield Way(1, dear_too=False)
        count, size = sum(map(_ends_a_region, self.forward)), 1
        while size <= 2 * math.isqrt(count) and size < count:
            yield Way(size, dear_too=True)
            size *= 2

    def joined(self, way: Way) -> tuple[Graph, list[Node]]:
        """The graph with copies of forward values in its backward half, and these copies."""
        part_of = {v: part for part in self._repeated(way) for v in part.nodes}
        late: dict[Node, Node] = {}
        copies: dict[Node, dict[Node, Node]] = {}
        for v in self.order:
            if v not in self.backward:
                continue
            inputs = [late.get(x, x) for x in v.inputs]
            for k, x in enumerate(v.inputs):
                part = part_of.get(x)
                if part and self.when[part.signal] < self.when[v]:  # else x is still there
                    made = copies.setdefault(part.signal, {})
                    if x not in made:
                        _copy(part.nodes, late[part.signal], made)
                    inputs[k] = made[x]
            late[v] = v if tuple(inputs) == v.inputs else with_inputs(v, tuple(inputs))
        graph = Graph([late.get(v, v) for v in self.graph.outputs], self.graph.parameters)
        found = (c for made in copies.values() for c in made.values())
        return graph, [c for c in found if c in graph and not c.op.view]

    def _segments(self, size: int) -> list[list[Node]]:
        """The forward half in order; each part but the first begins where a region ends."""
        segments: list[list[Node]] = [[]]
        count = 0
        for v in self.forward:
            if _ends_a_region(v):
                if count % size == 0:
                    segments.append([])
                count += 1
            segments[-1].append(v)
        return segments

    def _repeated(self, way: Way) -> Iterator[Part]:
        """What is computed again of each segment but the last, whose values are needed at once.

        Segments are cut from the last to the first, twice: what others hold is there for each.
        """
        *segments, last = self._segments(way.size)
        always = self.kept | {base(v) for v in last}
        kept, holders = set(always), Counter[Node]()
        sides = [Side(set(), set()) for _ in segments]
        for k in 2 * [*reversed(range(len(segments)))]:
            holders.subtract(sides[k].held)
            kept -= {v for v in sides[k].held if not holders[v]} - always
            needed = [v for v in segments[k] if v in self.signal and base(v) not in kept]
            may = {v for v in segments[k] if is_cheap(v) or way.dear_too and is_dear(v)}
            sides[k] = minimum_cut(needed, may, kept)
            holders.update(sides[k].held)
            kept |= sides[k].held
        for segment, side in zip(segments, sides, strict=True):
            part: dict[Node, None] = {}
            for v in segment:  # a view of what is kept is there
                if v in side.computed and (not v.op.view or not part.keys().isdisjoint(v.inputs)):
                    part[v] = None
            if part:
                signals = (self.signal[v] for v in part if v in self.signal)
                yield Part(list(part), min(signals, key=self.when.__getitem__))


def _copy(nodes: list[Node], signal: Node, made: dict[Node, Node]) -> None:
    """Copies of some nodes, to be computed after a signal."""
    for v in nodes:
        inputs = [made.get(x, x) for x in v.inputs]
        if made.keys().isdisjoint(v.inputs):
            first = next(k for k, x in enumerate(inputs) if x.op.name != "constant")
            with standing_for(v):
                inputs[first] = again(inputs[first], signal)
        made[v] = with_inputs(v, tuple(inputs))


class Side(NamedTuple):
    """What lies beyond a cut: what is computed there, and what is held for it."""

    computed: set[Node]
    held: set[Node]


def minimum_cut(needed: list[Node], may: set[Node], kept: set[Node]) -> Side:
    """How to have what is needed by holding fewest bytes, where some `may` be computed again.

    Inputs, and what is kept anyway, cost nothing. Of several such cuts it is the one that leaves
    least to compute.
    """
    import networkx

    network: Any = networkx.DiGraph()
    network.add_nodes_from((_SOURCE, _SINK))
    network.add_edges_from(_edges(needed, may, kept))
    _, (_, beyond) = networkx.minimum_cut(network, _SOURCE, _SINK)
    side, waiting = Side(set(), set()), list(needed)
    while waiting:
        v = waiting.pop()
        if (v, _MADE) not in beyond:
            side.held.add(v)
        elif v not in side.computed:
            side.computed.add(v)
            waiting.extend(_sources(v))
    return side


_SOURCE, _SINK, _MADE, _READ = "source", "sink", "made", "read"


def _edges(
    needed: list[Node], may: set[Node], kept: set[Node]
) -> Iterator[tuple[Any, Any, dict[str, int]]]:
    """From what makes a value to those that read it; to hold it is to cut what lies between."""
    waiting, seen = list(needed), set(needed)
    while waiting:
        v = waiting.pop()
        is_there = v.op.family == "leaf" or v in kept
        sources = _sources(v) if v.op.view or v in may and not is_there else []
        # Without a capacity an edge cannot be cut: a view is had by holding what it looks at, and
        # one of a constant is there.
        size = 0 if is_there or v.op.view else typical(v.type.nbytes)
        yield (v, _MADE), (v, _READ), {} if v.op.view and sources else {"capacity": size}
        if not sources:
            yield _SOURCE, (v, _MADE), {}
        for x in sources:
            yield (x, _READ), (v, _MADE), {}
            if x not in seen:
                seen.add(x)
                waiting.append(x)
    for v in needed:
        yield (v, _READ), _SINK, {}


def _sources(v: Node) -> list[Node]:
    return [x for x in v.inputs if x.op.name != "constant"]
