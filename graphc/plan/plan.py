"""Plan: in which memory the values of a schedule lie."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator

from .. import shapes
from ..ir import Graph, Node
from ..ops.slices import is_laid
from ..passes.cost import weight
from ..shapes import Dim
from .body import takes_buffer
from .memory import base, is_fresh, joins_runs, takes_memory
from .schedule import Step, schedule
from .table import Bar, lanes, table


class Plan:
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

    def __init__(self, graph: Graph, in_regions: bool = True) -> None:
        self.graph, self.in_regions = graph, in_regions
        self.steps = schedule(graph, in_regions)
        self.slots: list[Dim] = []
        self.place: dict[Node, int | None] = {}
        self.spare: dict[Node, list[int]] = {}
        """The slots that a value which is computed alone can use besides."""
        self._allot()

    def _allot(self) -> None:
        """Give each value a slot for as long as it lives; what the caller gets whole has none."""
        fresh = {base(v) for v in self.graph.outputs if is_fresh(v)}
        self.over = self._written_over(fresh) if self.in_regions else {}
        lent = set(self.over.values())
        kept = lent | {base(v) for v in self.graph.outputs}
        self.within = dict(self._laid_down(kept) if self.in_regions else self._joined(kept))
        self.laid = set(self.within.values())
        free: dict[Dim, list[int]] = {}
        for step in self.steps:
            ended, waiting = dict.fromkeys(step.ends), _free(step)
            for v in step.nodes:
                if not _has_place(v, step) or v in self.laid:
                    continue
                while v in self.within:
                    v = self.within[v]
                if v in self.place:  # by another part of it
                    continue
                if v in fresh or v in lent:
                    self.place[v] = None
                elif v in self.laid:
                    self.place[v] = self._slot(v.type.nbytes, free)
                else:
                    spare = self._spare(v, step, free)
                    x = self._overwritten(v, step, waiting)
                    if x is None:
                        self.place[v] = self._slot(v.type.nbytes, free)
                    else:
                        self.place[v] = self.place[x]
                        waiting.remove(x)
                        del ended[x]
                    for extra in spare:
                        free.setdefault(self.slots[extra], []).append(extra)
            for v in ended:
                slot = self.place.get(v)
                if slot is not None:
                    free.setdefault(self.slots[slot], []).append(slot)

    def _written_over(self, fresh: set[Node]) -> dict[Node, Node]:
        """The caller's results that are written over an operand: its array is then the caller's."""
        found: dict[Node, Node] = {}
        made: set[Node] = set()
        for step in self.steps:
            placed = [v for v in step.nodes if _has_place(v, step)]
            free = _free(step) if step.body else []
            ended = [x for x in free if x in made and x not in fresh]
            for way in (_may_end_over, _may_overwrite) if ended else ():
                for v in placed:
                    if v in fresh and v not in found:
                        x = next((x for x in ended if way(v, x, step)), None)
                        if x is not None:
                            found[v] = x
                            ended.remove(x)
            made.update(placed)
        return found

    def _laid_down(self, kept: set[Node]) -> Iterator[tuple[Node, Node]]:
        """What a region gives that is then laid into a longer array: it is computed there."""
        made: set[Node] = set()
        for step in self.steps:
            if step.body:
                made.update(v for v in step.nodes if _has_place(v, step))
            elif is_laid(step.node):
                x, *others = step.node.inputs
                if x in made - kept and x in step.ends and x not in map(base, others):
                    yield x, step.node

    def _joined(self, kept: set[Node]) -> Iterator[tuple[Node, Node]]:
        """What is joined to others, once and before anybody reads all of them: it is computed
        there."""
        last = {v: k for k, step in enumerate(self.steps) for v in step.ends}
        runs: dict[Node, bool] = {}
        for step in reversed(self.steps):
            join = step.node
            if join.op.name != "concat" or join in kept:
                continue
            runs[join] = runs.get(join, True) and joins_runs(join)
            parts = Counter(join.inputs)
            for x, count in parts.items():
                is_one = count == 1 and x not in kept and x not in runs and x.dtype == join.dtype
                if is_one and takes_memory(x) and takes_buffer(x) and last[x] < last[join]:
                    if runs[join] or self._may_be_cut(x):
                        runs[x] = runs[join]
                        yield x, join

    def _may_be_cut(self, x: Node) -> bool:
        """Whether a value may lie in pieces: no product is made of it, and it is cheap to make."""
        is_cheap = x.op.family == "elementwise" and weight(x) <= 1 or x.op.name == "concat"
        return is_cheap and len(self.graph.consumers(x)) == 1

    def _spare(self, v: Node, step: Step, free: dict[Dim, list[int]]) -> list[int]:
        """The slots that a step can use besides that of its result."""
        count = v.op.spare(v) if step.body is None and not self.in_regions else 0
        found = [self._slot(v.type.nbytes, free) for _ in range(count)]
        if found:
            self.spare[v] = found
        return found

    def _overwritten(self, v: Node, step: Step, waiting: list[Node]) -> Node | None:
        """An operand in a slot that v may be written over; the slot then is v's."""
        placed = (x for x in waiting if self.place.get(x) is not None)
        return next((x for x in placed if _may_overwrite(v, x, step)), None)

    def _slot(self, needed: Dim, free: dict[Dim, list[int]]) -> int:
        """A free slot: one of the right size, else one not twice as large, else one that grows.

        A small value that took a large slot would have the next large value ask for one more.
        """
        most = 2 * shapes.typical(needed)
        larger = [s for s in free if shapes.typical(s) <= most and shapes.covers(s, needed)]
        smaller = [s for s in free if shapes.covers(needed, s)]
        sizes = [needed, *sorted(larger, key=shapes.typical)]
        sizes += sorted(smaller, key=shapes.typical, reverse=True)
        for size in sizes:
            if free.get(size):
                slot = free[size].pop()
                if not shapes.covers(size, needed):
                    self.slots[slot] = needed
                return slot
        self.slots.append(needed)
        return len(self.slots) - 1

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

    __repr__ = __str__

    @functools.cached_property
    def sizes(self) -> list[Dim]:
        """The counts of elements that decide at a call whether to follow the plan: those that
        regions work on, and those in kept memory, without what another certainly exceeds.
        """
        kept = {v for v, slot in self.place.items() if slot is not None}
        steps = (step for step in self.steps if step.region or not kept.isdisjoint(step.computed))
        types = dict.fromkeys(v.type for step in steps for v in step.computed if v.ndim)
        found = dict.fromkeys(t.size for t in types)
        return [
            d for d in found if not any(e != d and shapes.covers(e, d) for e in found)
        ]


def _free(step: Step) -> list[Node]:
    """The operands that nobody reads afterwards, and the step itself through no view."""
    seen = {base(x) for x in step.reads if x.op.view}
    return [x for x in step.ends if x not in seen]


def _may_end_over(v: Node, x: Node, step: Step) -> bool:
    """Whether v may lie where an operand lies if its last step alone writes there: so it does."""
    if step.body is None or not step.body.may_end_over(v, x):
        return False
    step.body.over.add(v)
    return True


def _may_overwrite(v: Node, x: Node, step: Step) -> bool:
    """Whether v may lie where an operand lies."""
    if step.body is None:
        # Of a choice all of the last operand is written first.
        is_read_late = v.op.name == "where" and x in v.inputs[:2]
        return v.op.family == "elementwise" and x.type == v.type and not is_read_late
    return step.body.may_overwrite(v, x)


def _has_place(v: Node, step: Step) -> bool:
    """Whether a step writes a value into memory that it is given."""
    return takes_memory(v) and (step.body is not None or takes_buffer(v))
