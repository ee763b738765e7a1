"""Regions: parts of a graph that run together over tiles, a few rows at a time, inside the cache.

A region holds elementwise operations, reductions along its rows, stacks of products and, at its
ends, reductions of the rows. What lies between them never exists as a whole. Rows may lie along any
axis: it is the first one, unless along another less would have to exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ..ir import Graph, Node, is_number
from ..shapes import Dim, typical
from .memory import base, takes_memory
from .rows import Cut, adds_rows, axis_of, cut, first_cut, first_long
from .sets import Sets

# What a tile takes from the ends of rows costs NumPy as much as this share of it in memory.
_OF_ROWS = 1 / 16

# So many axes are tried beside the first, those first along which most might stay in the cache.
_MOST_TRIED = 3


class Region(NamedTuple):
    """Nodes that run together on the rows of one tile after the other."""

    nodes: tuple[Node, ...]
    rows: Dim
    operands: tuple[Node, ...]
    """What is read from outside."""
    by_row: frozenset[Node]
    """Those of the operands of which a tile reads its rows alone."""
    results: tuple[Node, ...]
    """What others need of it, with all its rows."""
    folds: tuple[Node, ...]
    """The reductions of its rows."""


def regions(graph: Graph) -> list[Region]:
    """The regions of a graph. Those that cannot run before each other do not wait for each other.

    Views may stand in a region and outside too: what others need is the value that they look at.
    """
    best = _Parts(graph, {v: found for v in graph.nodes if (found := first_cut(v)) is not None})
    if not any(v.op.name == "again" for v in graph.nodes):  # what comes again has the same bits
        for rows in best.promising():
            along = {v: found for v in graph.nodes if (found := cut(v, rows)) is not None}
            other = _Parts(graph, best.cuts | along)
            best = min(best, other, key=_Parts.cost)
    return [_region(part, best.cuts, best.demanded) for part in best.parts]


class _Parts:
    """What runs together if nodes are cut in some way."""

    def __init__(self, graph: Graph, cuts: dict[Node, Cut]) -> None:
        self.graph, self.cuts, self.outputs = graph, cuts, set(graph.outputs)
        self.parts = [p for p in _Stages(graph, cuts).parts() if any(map(_gains, p))]
        self.part_of = {v: k for k, part in enumerate(self.parts) for v in part}
        self.demanded = _demanded(graph, cuts, self.part_of)

    def cost(self) -> float:
        """How many bytes exist as a whole; of what is cut within its rows, a share counts too."""
        kept = sum(typical(v.type.nbytes) for v in self.demanded if takes_memory(v))
        return kept + _OF_ROWS * sum(map(self._within_rows, self.part_of))

    def _within_rows(self, v: Node) -> int:
        """The bytes of a value of which a tile holds a part of each of many rows."""
        rows = self.cuts[v].rows
        if not takes_memory(v) or rows not in v.shape or axis_of(v.shape, rows) < v.ndim - 1:
            return 0
        return typical(v.type.nbytes) if first_long(v.shape) != rows else 0

    def promising(self) -> list[Dim]:
        """Sizes of axes along which values that are whole now could stay in the cache."""
        found: Counter[Dim] = Counter()
        for x in self.graph.nodes:
            if x not in self.cuts or x not in self.demanded or x in self.outputs:
                continue
            for rows in dict.fromkeys(x.shape):
                if rows != self.cuts[x].rows and self._may_stay(x, rows):
                    found[rows] += typical(x.type.nbytes)
        return [rows for rows, _ in found.most_common(_MOST_TRIED)]

    def _may_stay(self, x: Node, rows: Dim) -> bool:
        """Whether all that read a value could do so row by row."""
        mine, readers = cut(x, rows), self.graph.consumers(x)
        if mine is None or mine.folds or not readers:
            return False
        return all(
            (theirs := cut(c, rows)) is not None
            and all(theirs.by_row[k] for k, y in enumerate(c.inputs) if y is x)
            for c in readers
        )


def _demanded(graph: Graph, cuts: dict[Node, Cut], part_of: dict[Node, int]) -> set[Node]:
    """What has to exist as a whole, seen from those who read it."""
    found = set(graph.outputs)
    for v in reversed(graph.nodes):
        is_alone = v not in part_of or v.op.view and v in found
        for k, x in enumerate(v.inputs):
            if is_alone or part_of.get(x) != part_of[v] or not cuts[v].by_row[k] or cuts[x].folds:
                found.add(x)
    return found


def _region(nodes: list[Node], cuts: dict[Node, Cut], demanded: set[Node]) -> Region:
    part = _without_first_views(nodes)
    inside = set(part)
    operands = dict.fromkeys(
        x
        for v in part
        for k, x in enumerate(v.inputs)
        if (x not in inside or not cuts[v].by_row[k]) and not is_number(x)
    )
    by_row = frozenset(
        x for v in part for k, x in enumerate(v.inputs) if x not in inside and cuts[v].by_row[k]
    )
    folds = tuple(v for v in part if cuts[v].folds)
    results = tuple(v for v in part if v in demanded and not v.op.view and not cuts[v].folds)
    return Region(tuple(part), cuts[part[0]].rows, tuple(operands), by_row, results, folds)


def _without_first_views(part: list[Node]) -> list[Node]:
    """A region reads what is turned, or stands beside more axes, as it lies in memory."""
    computed: dict[Node, None] = {}
    for v in part:
        is_first = v.op.name in ("permute_dims", "getitem") and v.inputs[0] not in computed
        if not is_first:
            computed[v] = None
    return list(computed)


def _gains(v: Node) -> bool:
    """Whether a node is better off in a region if that holds nothing else."""
    return not v.op.view and adds_rows(v) is None


class _Stages:
    """Which nodes may run together: those of one stage that are cut into the same rows.

    An edge that leaves a region leads to a later stage, so that regions never wait in a circle.
    """

    def __init__(self, graph: Graph, cuts: dict[Node, Cut]) -> None:
        self.graph, self.cuts = graph, cuts
        self.stage: dict[Node, int] = {}
        for v in graph.nodes:
            stage = 0
            for k, x in enumerate(v.inputs):
                if x.op.family != "leaf":
                    leaves = x in cuts and not self._may_join(v, k)
                    stage = max(stage, self.stage[x] + leaves)
            self.stage[v] = stage
        self._sink()

    def _may_join(self, v: Node, k: int) -> bool:
        """Whether v may run in the region that computes its operand k."""
        mine, theirs = self.cuts.get(v), self.cuts.get(v.inputs[k])
        if mine is None or theirs is None:
            return False
        return mine.by_row[k] and not theirs.folds and mine.rows == theirs.rows

    def _readers(self, v: Node) -> Iterator[tuple[Node, bool]]:
        """Who reads v, and whether they may run in the region that computes it."""
        for c in self.graph.consumers(v):
            yield c, all(self._may_join(c, k) for k, x in enumerate(c.inputs) if x is v)

    def _sink(self) -> None:
        """Compute late what only a later region reads, if no more values are kept for it."""
        outputs = set(self.graph.outputs)
        for v in reversed(self.graph.nodes):
            if v not in self.cuts or self.cuts[v].folds or v in outputs:
                continue
            stages = {self.stage[c] if joins else -1 for c, joins in self._readers(v)}
            latest = min(stages, default=-1)
            if len(stages) == 1 and latest > self.stage[v]:
                waiting = [x for x in dict.fromkeys(v.inputs) if self._waits(x, v, latest)]
                if len(waiting) <= 1 and outputs.isdisjoint(waiting):
                    self.stage[v] = latest

    def _waits(self, x: Node, v: Node, stage: int) -> bool:
        """Whether x would have to be kept until a stage for v alone."""
        is_kept = not x.ndim or base(x).op.family == "leaf"
        return not is_kept and all(
            self.stage[c] < stage for c in self.graph.consumers(x) if c is not v
        )

    def parts(self) -> list[list[Node]]:
        """The nodes of each stage and number of rows, in parts that pass or share rows."""
        sets = Sets()
        readers: dict[tuple[Node, int, Dim], Node] = {}
        for v in self.graph.nodes:
            mine = self.cuts.get(v)
            if mine is None:
                continue
            sets.add(v)
            for k, x in enumerate(v.inputs):
                if self._may_join(v, k) and self.stage[x] == self.stage[v]:
                    sets.join(x, v)
                elif mine.by_row[k]:
                    reader = readers.setdefault((x, self.stage[v], mine.rows), v)
                    sets.join(reader, v)
        return sets.all()
