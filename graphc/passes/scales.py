"""Scales: what is computed from exponentials, as a value times a power of the largest of them.

`exp(x) / (exp(x) + exp(y))` does not change when the same is taken from both x and y. So it is with
all that is of degree 0 in exponentials, gradients included: one walk carries degrees along, and
what comes to degree 0, as a quotient or by a log, is made of exponentials that do not overflow.
"""

from __future__ import annotations

from collections import Counter

from ..ir import Graph, Node, adopt, belong, building_for, with_inputs
from .degrees import SUMS, Degrees
from .exponents import sums_of
from .facts import interval
from .log import Log
from .rewrite import Rewrite, fitted
from .rules.vocabulary import op
from .shifts import Scaled, Shifts, root_of

_NAME = "exponentials_less_the_largest"
_EQUATION = "sum(w * exp(x)) = sum(w * exp(x - t)) * exp(t) for t = max(x): in quotients t cancels"
_LOGS = (op.log, op.log1p)


def scaled(graph: Graph, log: Log, left: frozenset[Node] = frozenset()) -> Graph:
    """Sums of exponentials beside their largest term, where they are divided or a log is taken.

    Some exponentials are `left` as they are.
    """
    sums = sums_of(graph, left)
    shifts = Shifts(graph, sums) if sums else None
    if shifts is None or not shifts.less:
        return graph
    walk = _Walk(shifts).over(graph)
    if not walk.used:
        return graph
    wanted = walk.wanted(graph)
    settled = {r.before for r in walk.rewrites}
    needless = walk.scaled.keys() - shifts.given.keys() - wanted
    is_idle = any(not settled.isdisjoint(graph.consumers(v)) for v in needless)
    # What others use is there for these.
    if is_idle or any(taken <= walk.used for taken in walk.waiting):
        walk = _Walk(shifts, walk.used, wanted).over(graph)
    new = Graph([walk.becomes.get(v, v) for v in graph.outputs], graph.parameters)
    log.add("scales", new, walk.rewrites)
    return new


def torn_apart(graph: Graph) -> frozenset[Node]:
    """Each exp(x) that stays beside several exp(x - t), and cannot overflow by itself.

    Of sums that are made of each other, as `u = a / (K @ v)` in rounds, each has a largest term of
    its own: to compute all exponentials again for each would cost more than it saves.
    """
    exponentials = graph.by_op.get("exp", ())
    less: Counter[Node] = Counter()
    for e in exponentials:
        (x,) = e.inputs
        x = x.inputs[0] if x.op is op.minimum else x
        if x.op is op.subtract:
            less[x.inputs[0]] += 1
    at_most_1 = (e for e in exponentials if less[e.inputs[0]] > 1 and interval(e).high <= 1)
    return frozenset(at_most_1)


class _Walk:
    """One walk over a graph, inputs first: what nodes become, and are beside the largest."""

    def __init__(
        self,
        shifts: Shifts,
        used: frozenset[Node] = frozenset(),
        wanted: set[Node] | None = None,
    ) -> None:
        self.shifts, self.known_use, self.known_want = shifts, used, wanted
        self.degrees = Degrees(shifts)
        self.wild: set[Node] = set()  # made of exponentials that nothing is taken out of
        self.scaled: dict[Node, Scaled] = {}
        self.becomes: dict[Node, Node] = {}
        self.cancels: dict[Node, frozenset[Node]] = {}  # those t that are divided by one another
        self.used: frozenset[Node] = frozenset()
        # Reciprocals alone are not worth what they take: whether others use it too is known late.
        self.waiting: list[frozenset[Node]] = []
        self.rewrites: list[Rewrite] = []

    def over(self, graph: Graph) -> _Walk:
        """This walk, when it has been over a graph."""
        with building_for(graph.outputs[0]) as belonging_to:
            for v in graph.nodes:
                if v in self.shifts.given or not self.scaled.keys().isdisjoint(v.inputs):
                    belonging_to(v)
                    if self._settle(v):
                        continue
                self._keep(v)
        return self

    def _keep(self, v: Node) -> None:
        """What v becomes by what its inputs become alone."""
        if v in self.shifts.sums and v not in self.scaled:
            is_left = any(x in self.wild or x in self.scaled for x in v.inputs)
            if is_left or self.shifts.sums.isdisjoint(v.inputs):
                self.wild.add(v)
        if not self.becomes.keys().isdisjoint(v.inputs):
            self.becomes[v] = with_inputs(v, tuple(map(self.becomes.get, v.inputs, v.inputs)))

    def _settle(self, v: Node) -> bool:
        """Note what v is beside the largest; whether it becomes something by that."""
        if v in self.shifts.given:
            self.scaled[v] = self.shifts.given[v]
            return False
        if not v.type.is_float or not self.wild.isdisjoint(v.inputs):
            return False
        found = self.degrees.of(v, [self._of(x) for x in v.inputs])
        if found is None:
            return False
        taken = frozenset(root_of(t) for x in v.inputs for t in self._of(x).powers)
        is_log = v.op in _LOGS
        is_worth_it = is_log or not self._is_done(v, found.mixed)
        if is_worth_it and not (is_log or found.mixed or self.known_use >= taken):
            self.waiting.append(taken)
            is_worth_it = False
        self.cancels[v] = taken if is_log else self._cancelled(v)
        if found.powers:
            if self.known_want is None or v in self.known_want:
                self.scaled[v] = found
            for x in (found.value, *found.powers):
                belong(x, v)
        if not is_worth_it or not self.degrees.is_small(found.powers):
            return False
        new = found.value
        for t, k in found.powers.items():
            new = self.degrees.times_power(new, t, k)
        fit = fitted(new, v)
        if fit is None:
            return False
        self.used |= taken
        adopt(fit, v)
        self.becomes[v] = fit
        self.rewrites.append(Rewrite(_NAME, _EQUATION, v, fit))
        return True

    def _cancelled(self, v: Node) -> frozenset[Node]:
        """Those t of which a product has powers above and below."""
        if v.op not in (op.multiply, op.divide, op.einsum):
            return frozenset()
        up: set[Node] = set()
        down: set[Node] = set()
        for i, x in enumerate(v.inputs):
            for t, k in self._of(x).powers.items():
                (up if (k > 0) is not (v.op is op.divide and i == 1) else down).add(root_of(t))
        return frozenset(up & down)

    def wanted(self, graph: Graph) -> set[Node]:
        """What must stay beside the largest until something made of it cancels that, or a log.

        What need not is multiplied by it at once: later it may have become too large.
        """
        found: set[Node] = set()
        for v in reversed(graph.nodes):
            if v not in self.cancels:
                continue
            for x in v.inputs:
                powers = self._of(x).powers
                if v in found and powers or any(root_of(t) in self.cancels[v] for t in powers):
                    found.add(x)
        return found

    def _is_done(self, v: Node, is_mixed: bool) -> bool:
        """Whether v is made of what became small already, and nothing more cancels in it."""
        if v.op is op.divide and self._of(v.inputs[1]).powers or v.op in SUMS and is_mixed:
            return False
        return all(self.degrees.is_small(self._of(x).powers) for x in v.inputs)

    def _of(self, x: Node) -> Scaled:
        found = self.scaled.get(x)
        return Scaled(self.becomes.get(x, x)) if found is None else found
