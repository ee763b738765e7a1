"""Shifts: what is taken out of sums of exponentials, so that what is left does not overflow."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from ..ir import Graph, Node, belong, building_for
from .exponents import HYPERBOLIC, exponent, factors_among, largest_of, ones, plus_one
from .rules.vocabulary import f, like, op, opposite

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


class Shifts:
    """What is taken out of the sums of exponentials that are divided by, or whose log is taken."""

    def __init__(self, graph: Graph, sums: set[Node]) -> None:
        self.sums = sums
        self.less: dict[Node, Node] = {}  # exp(x), and the t that it goes less
        self.wholes: set[Node] = set()  # the sums
        self.plain: set[Node] = set()  # those whose terms have no tiny or huge factors
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
        if not found.less or any(self.less.get(e, t) is not t for e, t in found.less.items()):
            return
        self.less |= found.less
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


def root_of(t: Node) -> Node:
    """What was laid out to stand beside something."""
    while t.op in (op.reshape, op.permute_dims):
        (t,) = t.inputs
    return t
