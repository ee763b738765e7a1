"""Places: in which memory the values of some steps lie, as long as they live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ir import Graph, Node
from ..shapes import Dim, as_dim, covers, typical
from .memory import base, is_fresh, takes_buffer, takes_memory
from .schedule import Step


class Places:
    """The `place` of each value that is written into given memory.

    A place is the number of a slot of the workspace, which is kept from call to call, or None: a
    new array, for the caller. Other values are what NumPy returns, or lie in a part of another.
    """

    def __init__(
        self,
        graph: Graph,
        steps: Sequence[Step],
        within: Mapping[Node, Node],
        over: Mapping[Node, Node],
        has_spare: bool = False,
    ) -> None:
        self.graph, self.steps, self._has_spare = graph, steps, has_spare
        self.within, self.laid = within, set(within.values())
        """What is computed as a part of which longer array; and these arrays."""
        self.over = over
        """Which results are written over which operand: its array is then the caller's."""
        self.place: dict[Node, int | None] = {}
        self.spare: dict[Node, list[int]] = {}
        """If it `has_spare`: the slots that a step can use besides that of its result."""
        self._slots = _Slots()
        self._allot()

    @property
    def slots(self) -> list[Dim]:
        """How many bytes each slot has."""
        return self._slots.sizes

    @property
    def workspace(self) -> Dim:
        """How many bytes are kept between calls."""
        return as_dim(sum(self.slots))

    def whole(self, v: Node) -> Node:
        """The array that a value is computed as a part of, or else the value itself."""
        while v in self.within:
            v = self.within[v]
        return v

    def _allot(self) -> None:
        """Give each value a slot for as long as it lives; what the caller gets whole has none."""
        new = {base(v) for v in self.graph.outputs if is_fresh(v)} | set(self.over.values())
        for step in self.steps:
            ended = dict.fromkeys(step.ends)
            for v in placed(step):
                if v not in self.laid and (v := self.whole(v)) not in self.place:
                    self.place[v] = None if v in new else self._slot(v, step, ended)
            for v in ended:
                slot = self.place.get(v)
                if slot is not None:
                    self._slots.give_back(slot)

    def _slot(self, v: Node, step: Step, ended: dict[Node, None]) -> int:
        """A slot for a value: that of an operand which it may be written over, or a free one."""
        if v in self.laid:
            return self._slots.take(v.type.nbytes)
        count = v.op.spare(v) if self._has_spare else 0
        self.spare[v] = [self._slots.take(v.type.nbytes) for _ in range(count)]
        for x in step.free:
            slot = self.place.get(x)
            if x in ended and slot is not None and _may_overwrite(v, x, step):
                del ended[x]
                break
        else:
            slot = self._slots.take(v.type.nbytes)
        for extra in self.spare[v]:
            self._slots.give_back(extra)
        return slot


class _Slots:
    """Pieces of memory that hold one value after the other."""

    def __init__(self) -> None:
        self.sizes: list[Dim] = []
        self._free: dict[Dim, list[int]] = {}

    def take(self, needed: Dim) -> int:
        """A free slot: one of the right size, else one not twice as large, else one that grows.

        A small value that took a large slot would have the next large value ask for one more.
        """
        most = 2 * typical(needed)
        larger = [s for s in self._free if typical(s) <= most and covers(s, needed)]
        smaller = [s for s in self._free if covers(needed, s)]
        sizes = [needed, *sorted(larger, key=typical)]
        sizes += sorted(smaller, key=typical, reverse=True)
        for size in sizes:
            if self._free.get(size):
                slot = self._free[size].pop()
                if not covers(size, needed):
                    self.sizes[slot] = needed
                return slot
        self.sizes.append(needed)
        return len(self.sizes) - 1

    def give_back(self, slot: int) -> None:
        """It is free from now on."""
        self._free.setdefault(self.sizes[slot], []).append(slot)


def placed(step: Step) -> list[Node]:
    """The values that a step writes into memory that it is given."""
    return [v for v in step.nodes if takes_memory(v) and (step.body or takes_buffer(v))]


def _may_overwrite(v: Node, x: Node, step: Step) -> bool:
    """Whether v may lie where an operand lies."""
    if step.body is not None:
        return step.body.may_overwrite(v, x)
    # Of a choice all of the last operand is written first.
    is_read_late = v.op.name == "where" and x in v.inputs[:2]
    return v.op.family == "elementwise" and x.type == v.type and not is_read_late
