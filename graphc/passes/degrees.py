"""Degrees: what operations make of values that stand beside powers of exponentials."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from ..ir import Node
from .exponents import plus_one
from .facts import interval
from .layouts import Labels, carried, labels, stripped
from .rules.vocabulary import f, letters, like, number, op
from .shifts import Powers, Scaled, Shifts, root_of

SUMS = (op.add, op.subtract, op.maximum, op.minimum, op.where, op.concat)
_REDUCED = (op.sum, op.max, op.min, op.cumulative_sum)
_LAYOUTS = (op.negative, op.abs, op.relu, op.stop_gradient, op.reshape, op.permute_dims,
            op.getitem, op.broadcast_to, op.place, *_REDUCED)  # fmt: skip


class Degrees:
    """The same operations, on values times powers of what is taken out of some sums."""

    def __init__(self, shifts: Shifts) -> None:
        self.shifts = shifts

    def of(self, v: Node, parts: Sequence[Scaled]) -> Scaled | None:
        """What v is, of inputs that are these; None where that has no such form."""
        if v.op in (op.multiply, op.divide, op.reciprocal, op.square, op.sqrt, op.power):
            return _product(v, parts)
        if v.op is op.log and parts[0].whole:
            total = f.log(parts[0].value)
            for t, k in parts[0].powers.items():
                total = f.add(total, t if k == 1 else f.multiply(like(v, float(k)), t))
            return Scaled(total)
        if v.op is op.log1p:
            return self._log1p(v.inputs[0], parts[0])
        if v.op in SUMS and not _is_held(v):
            return self._sum(v, parts)
        if v.op in _LAYOUTS and len(v.inputs) == 1:
            (part,) = parts
            powers = _carried(part.powers, v, 0)
            if powers is None:
                return None
            whole = v in self.shifts.wholes or part.whole and v.op not in _REDUCED
            return Scaled(v.op(part.value, **v.attrs), powers, whole, part.mixed)
        if v.op is op.einsum:
            return self._einsum(v, parts)
        return None

    def _log1p(self, x: Node, part: Scaled) -> Scaled | None:
        """log1p(x) = t + log1p(exp(-t) * x + exp(-t) - 1): as small as x is where t is 0."""
        if self.shifts.plain.isdisjoint(plus_one(x)) or len(part.powers) != 1:
            return None
        ((t, k),) = part.powers.items()
        rest = f.add(part.value, f.expm1(f.negative(t)))
        return Scaled(f.add(t, f.log1p(rest))) if k == 1 else None

    def _einsum(self, v: Node, parts: Sequence[Scaled]) -> Scaled | None:
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
        powers = _beside(left, axes, out)
        if powers is None:
            return None
        mixed = cancels or any(p.mixed for p in parts)
        value = v.op(*(p.value for p in parts), **v.attrs)
        return Scaled(value, powers, v in self.shifts.wholes, mixed)

    def _sum(self, v: Node, parts: Sequence[Scaled]) -> Scaled | None:
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
                if less and root_of(t) not in self.shifts.least:
                    return None
                value = self.times_power(value, t, less)
            values.append(value)
        left = {t: k for t, k in most.items() if k}
        mixed = any(p.mixed for p in parts)
        # Of what is not negative a sum is as large as its largest term.
        whole = v.op is op.add and all(interval(x).is_not_negative for x in v.inputs)
        whole = whole and any(p.whole and p.powers == most for p in taken)
        return Scaled(v.op(*values, **v.attrs), left, whole or v in self.shifts.wholes, mixed)

    def is_small(self, powers: Powers) -> bool:
        """Whether the powers that stand beside a value are none that may be large."""
        return all(k < 0 and root_of(t) in self.shifts.least for t, k in powers.items())

    def times_power(self, x: Node, t: Node, k: Fraction) -> Node:
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

    def _inverse(self, t: Node) -> Node | None:
        """exp(-t) by its name, where it has one."""
        layouts = []
        root = t
        while root not in self.shifts.inverse and root.op in (op.reshape, op.permute_dims):
            layouts.append(root)
            (root,) = root.inputs
        found = self.shifts.inverse.get(root)
        for v in reversed(layouts) if found is not None else ():
            found = v.op(found, **v.attrs)
        return found


def _product(v: Node, parts: Sequence[Scaled]) -> Scaled | None:
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


def _gathered(given: Iterable[tuple[Node, Fraction]]) -> tuple[dict[Node, Fraction], bool]:
    """The powers of a product of powers, and whether some were divided by one another."""
    powers: dict[Node, Fraction] = {}
    cancels = False
    for t, k in ((stripped(t), k) for t, k in given):  # one t, in whatever layout it came
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
    return _beside(powers, old, new)


def _beside(powers: Powers, old: Labels, new: Labels) -> Powers | None:
    """Powers that stand beside one value, beside another."""
    found = [(carried(t, old, new), k) for t, k in powers.items()]
    known = [(t, k) for t, k in found if t is not None]
    return _gathered(known)[0] if len(known) == len(found) else None


def _falls(x: Node, depth: int = 4) -> bool:
    """Whether x, or a factor near by, comes to 0 as fast as exponentials do, but is none."""
    if depth and x.op in (op.multiply, op.divide, op.square, op.sqrt, op.power, op.reciprocal):
        return any(_falls(y, depth - 1) for y in x.inputs)
    return x.op in (op.softplus, op.sigmoid)


def _is_held(v: Node) -> bool:
    """Whether v is no larger than the largest float: rules have seen to it that it is finite."""
    largest = float(np.finfo(v.dtype).max)
    return v.op is op.minimum and any(number(x) == largest for x in v.inputs)
