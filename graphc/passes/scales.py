"""Scales: what is computed from exponentials, as a value times a power of the largest of them.

`exp(x) / (exp(x) + exp(y))` does not change when the same is taken from both x and y. So it is with
all that is of degree 0 in exponentials, gradients included: one walk carries degrees along, and
what comes to degree 0, as a quotient or by a log, is made of exponentials that do not overflow.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ..ir import Graph, Node, building_for, with_inputs
from .exponents import (
    HYPERBOLIC,
    exponent,
    factors_among,
    largest_of,
    ones,
    plus_one,
    sums_of,
)
from .facts import interval
from .layouts import carried, labels
from .log import Log
from .rewrite import Rewrite, adopt, belong, fitted
from .rules.vocabulary import f, letters, like, number, op, opposite

_NAME = "exponentials_less_the_largest"
_EQUATION = "sum(w * exp(x)) = sum(w * exp(x - t)) * exp(t) for t = max(x): in quotients t cancels"

Powers = Mapping[Node, Fraction]
_NONE: Powers = {}


class Scaled(NamedTuple):
    """A node as `value` times the product of exp(t)**k, for each t and k of `powers`.

    What is `whole` is no smaller than it was beside its largest term: others may be divided by it.
    Where exponentials were divided by one another it is `mixed`: as written that may be inf / inf.
    """

    value: Node
    powers: Powers = _NONE
    whole: bool = True
    mixed: bool = False


def scaled(graph: Graph, log: Log) -> Graph:
    """Sums of exponentials beside their largest term, where they are divided or a log is taken."""
    sums = sums_of(graph.nodes)
    start = _Start(graph, sums) if sums else None
    if start is None or not start.shifts:
        return graph
    walk = _Walk(graph, start)
    if not walk.used:
        return graph
    wanted = walk.wanted(graph)
    is_idle = any(not walk.settled.isdisjoint(graph.consumers(v)) for v in walk.made - wanted)
    # What others use is there for these.
    if is_idle or any(taken <= walk.used for taken in walk.waiting):
        walk = _Walk(graph, start, walk.used, wanted)
    new = Graph([walk.becomes.get(v, v) for v in graph.outputs], graph.parameters)
    log.add("scales", new, walk.rewrites)
    return new


class _Start:
    """What is taken out of the sums of exponentials that are divided by, or whose log is taken."""

    def __init__(self, graph: Graph, sums: set[Node]) -> None:
        self.sums = sums
        self.shifts: dict[Node, Node] = {}
        self.wholes: set[Node] = set()
        self.plain: set[Node] = set()
        self.given: dict[Node, Scaled] = {}  # where walks begin: exp(x), exp(-t)
        self.inverse: dict[Node, Node] = {}  # exp(-t) for those t where it has a name
        self.least: set[Node] = set()  # those t that are not negative
        with building_for(graph.outputs[0]) as belonging_to:
            # A sigmoid is as well a number, where its exponential goes less something else.
            for v in sorted(graph.nodes, key=lambda v: v.op is op.sigmoid):
                for total in _divisors(v, sums):
                    if total not in self.wholes:
                        belonging_to(v)
                        self._shift(v, total, sums)
            if any(v.op in HYPERBOLIC for v in self.given):
                self._beside_shares(set(graph.nodes))

    def _shift(self, v: Node, total: Node, sums: set[Node]) -> None:
        """Note what is taken out of a sum that v divides by, or takes the log of."""
        found = largest_of(total, sums)
        for x in (*found.less.values(), *found.values.values()):
            belong(x, v)
        if not found.less or any(self.shifts.get(e, t) is not t for e, t in found.less.items()):
            return
        self.shifts |= found.less
        self.wholes.add(total)
        for e, t in found.less.items():
            self.given[e] = Scaled(found.values[e], {t: Fraction(1)}, e in self.wholes)
            if found.has_one:
                self.least.add(t)
            if found.inverse is not None:
                self.inverse[t] = found.inverse
                self.given[found.inverse] = Scaled(ones(found.inverse), {t: Fraction(-1)})
        if found.is_plain:
            self.plain.add(total)

    def _beside_shares(self, there: set[Node]) -> None:
        """cosh(x) = c / (p * q), sinh(x) = d / (p * q) where p or q is there, sigmoid of x or -x.

        Here c is 1/2 - p * q, at least 1/4, and d is tanh(x / 2) / 2.
        """
        for v in [v for v in self.given if v.op in HYPERBOLIC and v in there]:
            (x,) = v.inputs
            shares = {f.softplus(opposite(x)): f.sigmoid(x), f.softplus(x): f.sigmoid(opposite(x))}
            is_alone = f.log(f.cosh(x)) in self.given[v].powers
            if not is_alone or there.isdisjoint(shares.values()):
                continue
            half = like(v, 0.5)
            value = f.multiply(half, f.tanh(f.multiply(half, x)))
            if v.op is op.cosh:
                value = f.subtract(half, f.multiply(*shares.values()))
            self.given[v] = Scaled(value, dict.fromkeys(shares, Fraction(1)), v.op is op.cosh)
            self.inverse |= shares
            self.least |= shares.keys()
            for t, p in shares.items():
                self.given[p] = Scaled(ones(p), {t: Fraction(-1)})


class _Walk:
    """One walk over a graph, inputs first: what nodes become, and are beside the largest."""

    def __init__(
        self,
        graph: Graph,
        start: _Start,
        used: frozenset[Node] = frozenset(),
        known_want: set[Node] | None = None,
    ) -> None:
        self.start, self.known_use, self.known_want = start, used, known_want
        self.wild: set[Node] = set()  # made of exponentials that nothing is taken out of
        self.scaled: dict[Node, Scaled] = {}
        self.becomes: dict[Node, Node] = {}
        self.made: set[Node] = set()  # what is scaled but where walks begin
        self.settled: set[Node] = set()  # what becomes something by that
        self.cancels: dict[Node, frozenset[Node]] = {}  # those t that are divided by one another
        self.used: frozenset[Node] = frozenset()
        # Reciprocals alone are not worth what they take: whether others use it too is known late.
        self.waiting: list[frozenset[Node]] = []
        self.rewrites: list[Rewrite] = []
        with building_for(graph.outputs[0]) as belonging_to:
            for v in graph.nodes:
                if v in start.given or not self.scaled.keys().isdisjoint(v.inputs):
                    belonging_to(v)
                    if self._settle(v):
                        continue
                self._keep(v)

    def _keep(self, v: Node) -> None:
        """What v becomes by what its inputs become alone."""
        if v in self.start.sums and v not in self.scaled:
            is_left = any(x in self.wild or x in self.scaled for x in v.inputs)
            if is_left or self.start.sums.isdisjoint(v.inputs):
                self.wild.add(v)
        if not self.becomes.keys().isdisjoint(v.inputs):
            self.becomes[v] = with_inputs(v, tuple(self.becomes.get(x, x) for x in v.inputs))

    def _settle(self, v: Node) -> bool:
        """Note what v is beside the largest; whether it becomes something by that."""
        if v in self.start.given:
            self.scaled[v] = self.start.given[v]
            return False
        found = self._beside(v)
        if found is None:
            return False
        new = found.value
        taken = frozenset(_root(t) for x in v.inputs for t in self._of(x).powers)
        is_log = v.op in _LOGS
        is_worth_it = is_log or not self._is_done(v, found.mixed)
        if is_worth_it and not (is_log or found.mixed or self.known_use >= taken):
            self.waiting.append(taken)
            is_worth_it = False
        self.cancels[v] = taken if is_log else self._cancelled(v)
        if found.powers:
            if self.known_want is None or v in self.known_want:
                self.scaled[v] = found
                self.made.add(v)
            for x in (found.value, *found.powers):
                belong(x, v)
            if not self._is_small(found.powers):
                return False
            for t, k in found.powers.items() if is_worth_it else ():
                new = self._times_power(new, t, k)
        if not is_worth_it:
            return False
        fit = fitted(new, v)
        if fit is None:
            return False
        self.used |= taken
        self.settled.add(v)
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
                (up if (k > 0) is not (v.op is op.divide and i == 1) else down).add(_root(t))
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
                if v in found and powers or any(_root(t) in self.cancels[v] for t in powers):
                    found.add(x)
        return found

    def _is_done(self, v: Node, is_mixed: bool) -> bool:
        """Whether v is made of what became small already, and nothing more cancels in it."""
        if v.op is op.divide and self._of(v.inputs[1]).powers or v.op in _SUMS and is_mixed:
            return False
        return all(self._is_small(self._of(x).powers) for x in v.inputs)

    def _is_small(self, powers: Powers) -> bool:
        return all(k < 0 and _root(t) in self.start.least for t, k in powers.items())

    def _of(self, x: Node) -> Scaled:
        found = self.scaled.get(x)
        return Scaled(self.becomes.get(x, x)) if found is None else found

    def _beside(self, v: Node) -> Scaled | None:
        """What v is beside the largest exponentials; None where that has no such form."""
        if not v.type.is_float or not self.wild.isdisjoint(v.inputs):
            return None
        parts = [self._of(x) for x in v.inputs]
        if v.op in (op.multiply, op.divide, op.reciprocal, op.square, op.sqrt, op.power):
            return self._product(v, parts)
        if v.op is op.log and parts[0].whole:
            total = f.log(parts[0].value)
            for t, k in parts[0].powers.items():
                total = f.add(total, t if k == 1 else f.multiply(like(v, float(k)), t))
            return Scaled(total)
        if v.op is op.log1p:
            return self._log1p(v.inputs[0], parts[0])
        if v.op in _SUMS and not _is_held(v):
            return self._sum(v, parts)
        if v.op in _LAYOUTS and len(v.inputs) == 1:
            (part,) = parts
            powers = _carried(part.powers, v, 0)
            if powers is None:
                return None
            whole = v in self.start.wholes or part.whole and v.op not in _REDUCED
            return Scaled(v.op(part.value, **v.attrs), powers, whole, part.mixed)
        if v.op is op.einsum:
            return self._einsum(v, parts)
        return None

    def _log1p(self, x: Node, part: Scaled) -> Scaled | None:
        """log1p(x) = t + log1p(exp(-t) * x + exp(-t) - 1): as small as x is where t is 0."""
        if self.start.plain.isdisjoint(plus_one(x)) or len(part.powers) != 1:
            return None
        ((t, k),) = part.powers.items()
        rest = f.add(part.value, f.expm1(f.negative(t)))
        return Scaled(f.add(t, f.log1p(rest))) if k == 1 else None

    def _product(self, v: Node, parts: list[Scaled]) -> Scaled | None:
        exponents = [Fraction(1)] * len(parts)
        if v.op in (op.divide, op.reciprocal):
            exponents[-1] = Fraction(-1)
        elif v.op in (op.square, op.sqrt):
            exponents = [Fraction(2) if v.op is op.square else Fraction(1, 2)]
        elif v.op is op.power:
            k = number(v.inputs[1])
            if k is None or parts[1].powers or abs(k) > 8:
                return None
            parts, exponents = parts[:1], [Fraction(k)]
        if any(p.powers and not p.whole and k < 0 for p, k in zip(parts, exponents, strict=True)):
            return None
        pairs = zip(parts, exponents, strict=True)
        left, cancels = _gathered((t, j * k) for part, k in pairs for t, j in part.powers.items())
        mixed = cancels or any(p.mixed for p in parts)
        values = [p.value for p in parts] + list(v.inputs[len(parts) :])
        # What is beside a power may be as small as that is large: then both stay together.
        falls = left and any(_falls(p.value) for p in parts if not p.powers)
        whole = not falls and all(p.whole for p in parts)
        return Scaled(v.op(*values, **v.attrs), left, whole, mixed)

    def _einsum(self, v: Node, parts: list[Scaled]) -> Scaled | None:
        """Powers are gathered beside all axes: what cancels may lie along one that is summed."""
        terms, out = letters(v)
        axes = list(dict.fromkeys(itertools.chain(*terms)))
        given: list[tuple[Node, Fraction]] = []
        for term, part in zip(terms, parts, strict=True):
            for t, k in part.powers.items():
                beside = carried(t, term, axes) if len(set(term)) == len(term) else None
                if beside is None:
                    return None
                given.append((beside, k))
        left, cancels = _gathered(given)
        powers: dict[Node, Fraction] = {}
        for t, k in left.items():
            beside = carried(t, axes, out)
            if beside is None:
                return None
            powers[beside] = k
        mixed = cancels or any(p.mixed for p in parts)
        value = v.op(*(p.value for p in parts), **v.attrs)
        return Scaled(value, powers, v in self.start.wholes, mixed)

    def _sum(self, v: Node, parts: list[Scaled]) -> Scaled | None:
        """Of one degree, or brought to it: by exponentials that are at most 1."""
        first = 1 if v.op is op.where else 0
        if any(p.powers for p in parts[:first]):
            return None
        taken = []
        for i, part in enumerate(parts[first:], first):
            powers = _carried(part.powers, v, i)
            if powers is None:
                return None
            taken.append(part._replace(powers=powers))
        given = [p for p, x in zip(taken, v.inputs[first:], strict=True) if number(x) != 0]
        most: dict[Node, Fraction] = {}
        for t in dict.fromkeys(t for p in given for t in p.powers):
            most[t] = max(p.powers.get(t, Fraction(0)) for p in given)
        values = [p.value for p in parts[:first]]
        for part in taken:
            value = part.value
            for t, k in most.items() if part in given else ():
                less = part.powers.get(t, Fraction(0)) - k
                if less and _root(t) not in self.start.least:
                    return None
                value = self._times_power(value, t, less)
            values.append(value)
        left = {t: k for t, k in most.items() if k}
        mixed = any(p.mixed for p in parts)
        # Of what is not negative a sum is as large as its largest term.
        whole = v.op is op.add and all(interval(x).is_not_negative for x in v.inputs)
        whole = whole and any(p.whole and p.powers == most for p in taken)
        return Scaled(v.op(*values, **v.attrs), left, whole or v in self.start.wholes, mixed)

    def _inverse(self, t: Node) -> Node | None:
        """exp(-t) by its name, where it has one."""
        layouts = []
        root = t
        while root not in self.start.inverse and root.op in (op.reshape, op.permute_dims):
            layouts.append(root)
            (root,) = root.inputs
        found = self.start.inverse.get(root)
        for v in reversed(layouts) if found is not None else ():
            found = v.op(found, **v.attrs)
        return found

    def _times_power(self, x: Node, t: Node, k: Fraction) -> Node:
        """x * exp(t)**k for k <= 0, one factor after the other: each is larger than the product."""
        inverse, part = self._inverse(t), k + math.floor(-k)
        for _ in range(math.floor(-k)):
            x = f.multiply(x, f.exp(f.negative(t)) if inverse is None else inverse)
        if not part:
            return x
        if inverse is None:
            return f.multiply(x, f.exp(f.multiply(like(t, float(part)), t)))
        root = f.sqrt(inverse) if part == -1 / 2 else f.power(inverse, like(t, float(-part)))
        return f.multiply(x, root)


_LOGS = (op.log, op.log1p)
_SUMS = (op.add, op.subtract, op.maximum, op.minimum, op.where, op.concat)
_REDUCED = (op.sum, op.max, op.min, op.cumulative_sum)
_LAYOUTS = (op.negative, op.abs, op.relu, op.stop_gradient, op.reshape, op.permute_dims,
            op.getitem, op.broadcast_to, op.place, *_REDUCED)  # fmt: skip


def _falls(x: Node, depth: int = 4) -> bool:
    """Whether x, or a factor near by, comes to 0 as fast as exponentials do, but is none."""
    if depth and x.op in (op.multiply, op.divide, op.square, op.sqrt, op.power, op.reciprocal):
        return any(_falls(y, depth - 1) for y in x.inputs)
    return x.op in (op.softplus, op.sigmoid)


def _is_held(v: Node) -> bool:
    """Whether v is no larger than the largest float: rules have seen to it that it is finite."""
    largest = float(np.finfo(v.dtype).max)
    return v.op is op.minimum and any(number(x) == largest for x in v.inputs)


def _divisors(v: Node, sums: set[Node]) -> list[Node]:
    """The sums of exponentials that v divides by, or takes the log of."""
    if v.op in (op.divide, op.reciprocal):
        return [u for u in factors_among(v.inputs[-1], sums) if exponent(u) is None]
    if v.op is op.sigmoid:  # exp(x) may stand beside it
        e = f.exp(opposite(v.inputs[0]))
        return [plus_one(e)[0]] if e in sums else []
    if v.op is op.log:
        return list(factors_among(v.inputs[0], sums))
    if v.op is op.log1p and v.inputs[0] in sums:
        ways = plus_one(v.inputs[0])
        return [w for w in ways if w in sums] or list(ways[:1])
    return []


def _gathered(given: Iterable[tuple[Node, Fraction]]) -> tuple[dict[Node, Fraction], bool]:
    """The powers of a product of powers, and whether some were divided by one another."""
    powers: dict[Node, Fraction] = {}
    cancels = False
    for t, k in given:
        cancels |= powers.get(t, 0) * k < 0
        powers[t] = powers.get(t, Fraction(0)) + k
    return {t: k for t, k in powers.items() if k}, cancels


def _carried(powers: Powers, v: Node, i: int) -> Powers | None:
    """Powers that stand beside an input, beside the result."""
    if not powers:
        return powers
    old, new = labels(v, i)
    if old is None:
        return powers if all(not t.ndim for t in powers) else None
    found = {carried(t, old, new): k for t, k in powers.items()}
    return None if None in found else {t: k for t, k in found.items() if t is not None}


def _root(t: Node) -> Node:
    """What was laid out to stand beside something."""
    while t.op in (op.reshape, op.permute_dims):
        (t,) = t.inputs
    return t
