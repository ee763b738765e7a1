"""Exponents: of a sum of exponentials the largest, and by how much each exponential may be less.

A sum has a shadow: that of `w * exp(x) + sum(exp(y)) + 1` is
`max(where(w != 0, x, -inf), max(y), 0)`. Less that, no exponential overflows, and the largest is 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ..ir import Graph, Node
from ..ops.reduce import largest
from ..ops.slices import is_reshape
from .facts import interval
from .layouts import carried, labels, reshaped, stretched, stripped
from .rules.exponentials import one_plus
from .rules.softmax import is_largest, is_shifted
from .rules.vocabulary import f, fits, letters, like, number, op, opposite

# A sum of more parts is left as it is.
_MOST_PARTS = 40
# A weight below this is small.
_SMALL = 1 / 16

_LINEAR = (op.add, op.multiply, op.divide, op.where, op.sum, op.reshape, op.permute_dims,
           op.getitem, op.broadcast_to, op.concat, op.einsum)  # fmt: skip
# What rules may put around what is less the largest, and how much of it is looked through.
_AROUND = (op.minimum, op.subtract, op.reshape, op.permute_dims, op.getitem, op.broadcast_to)
_LAYERS = 4
HYPERBOLIC = (op.cosh, op.sinh)
_TERMS = ("exp", "reciprocal", *(o.name for o in HYPERBOLIC))


def exponent(v: Node) -> Node | None:
    """The x of exp(x), or -x of 1 / exp(x), unless it is less the largest already."""
    e = v.inputs[0] if v.op is op.reciprocal else v
    if e.op is not op.exp or _is_less_the_largest(e.inputs[0]):
        return None
    return e.inputs[0] if e is v else f.negative(e.inputs[0])


def may_overflow(v: Node) -> bool:
    """Whether v is an exponential that is not known to stay in a range whose squares are finite."""
    e = v.inputs[0] if v.op is op.reciprocal else v
    if e.op is not op.exp or not v.type.is_float or 0 in v.shape:
        return False
    (x,) = e.inputs
    tame = 300.0 if v.dtype == np.float64 else 40.0
    return not _is_less_the_largest(x) and x.dtype == v.dtype and interval(x).size > tame


def _is_less_the_largest(x: Node) -> bool:
    """Whether x is what this pass, or gc.softmax, leaves of an exponent: x - t, -t or k * t."""
    for _ in range(_LAYERS):
        if is_shifted(x) or (x.op in (op.negative, op.multiply) and is_largest(x.inputs[-1])):
            return True
        if x.op not in _AROUND:
            break
        x = x.inputs[0]
    return False


def sums_of(graph: Graph, left: frozenset[Node] = frozenset()) -> set[Node]:
    """The nodes that may be sums of such exponentials, but for some that are `left` as they are; a
    cosh or a sinh is one by itself only.
    """
    found: set[Node] = set()
    named: set[Node] = set()
    for v in () if graph.by_op.keys().isdisjoint(_TERMS) else graph.nodes:
        if v.op in (op.exp, op.reciprocal):
            if v not in left and may_overflow(v):
                found.add(v)
        elif v.op in HYPERBOLIC:
            named.add(v)
        elif found and v.op in _LINEAR and not found.isdisjoint(v.inputs):
            found.add(v)
    return found | named


class Largest(NamedTuple):
    """What each exponential in a sum may be less, in its own layout, and what `values` are left of
    them; nothing for no such sum.

    With `has_one` that is never negative, as 1 is a term. A `plain` sum has no weight that may be
    small. Less what has a name of its own, exp of the negative of that has one too: its `inverse`.
    """

    less: Mapping[Node, Node]
    values: Mapping[Node, Node]
    has_one: bool = False
    is_plain: bool = False
    inverse: Node | None = None


_NOTHING = Largest({}, {})


def largest_of(total: Node, sums: set[Node]) -> Largest:
    """The largest exponent of a sum of exponentials."""
    named = _named(total)
    if named is not None:
        return named
    alone = exponent(total)
    if alone is not None:
        return Largest({total: alone}, {total: ones(total)})
    shadow = _Shadow(sums)
    top = shadow.of(total)
    if top is None:
        return _NOTHING
    found: dict[Node, Node] = {}
    values: dict[Node, Node] = {}
    met: dict[Node, Node] = {}
    waiting = [(total, stripped(top))]
    while waiting:
        v, p = waiting.pop()
        if v in met:
            if met[v] is not p:
                return _NOTHING
            continue
        met[v] = p
        x = exponent(v)
        if x is not None or v.op in HYPERBOLIC:
            found[v] = f.where(f.isfinite(p), p, like(v, 0))
            rest = f.subtract(f.abs(v.inputs[0]) if x is None else x, found[v])
            if shadow.is_masked:  # what is larger is multiplied by 0
                rest = f.minimum(rest, like(v, math.floor(math.log(float(np.finfo(v.dtype).max)))))
            values[v] = f.exp(rest)
            if x is None:
                both = _hyperbolic(v.inputs[0], f.exp(rest))
                found |= dict.fromkeys(both, found[v])
                values |= both
            continue
        for i, x in enumerate(v.inputs):
            if x in sums and x in shadow.known:
                inner, outer = labels(v, i)
                below = None if inner is None else carried(p, outer, inner)
                if below is None or not fits(below.shape, x.shape):
                    return _NOTHING
                waiting.append((x, below))
    has_one = shadow.has_one and not shadow.is_masked
    return Largest(found, values, has_one, shadow.is_plain and not shadow.is_masked)


def _named(total: Node) -> Largest | None:
    """Of 1 + exp(x) sigmoid(x) is exp(x), of cosh(x) tanh(x) is sinh(x): shares that have names."""
    if total.op in HYPERBOLIC:
        (x,) = total.inputs
        c, s = f.cosh(x), f.sinh(x)
        t, inverse, values = f.log(c), f.reciprocal(c), {c: ones(c), s: f.tanh(x)}
    else:
        e = one_plus(total)
        if e is None or e.op is not op.exp or e.inputs[0].dtype != e.dtype:
            return None
        (x,) = e.inputs
        t, inverse = f.softplus(x), f.sigmoid(opposite(x))
        values = {e: f.sigmoid(x), **dict.fromkeys(plus_one(e), ones(e))}
    return Largest(dict.fromkeys(values, t), values, has_one=True, inverse=inverse)


def _hyperbolic(x: Node, e: Node) -> dict[Node, Node]:
    """cosh(x) and sinh(x) in multiples of exp(s) / e for s = |x|."""
    half, less = like(x, 0.5), f.exp(f.multiply(like(x, -2), f.abs(x)))
    above: Node = f.multiply(e, f.add(half, f.multiply(half, less)))
    return {f.cosh(x): above, f.sinh(x): f.multiply(f.tanh(x), above)}


def ones(v: Node) -> Node:
    """1 for each element of a node."""
    found: Node = f.broadcast_to(like(v, 1), v.shape)
    return found


def plus_one(x: Node) -> tuple[Node, Node]:
    """1 + x, as it may be written."""
    one = like(x, 1)
    return f.add(one, x), f.add(x, one)


class _Shadow:
    """The largest exponents of some sums, each in the shape of the sum, as far as is known."""

    def __init__(self, sums: set[Node]) -> None:
        self.sums, self.left = sums, _MOST_PARTS
        self.known: dict[Node, Node] = {}
        self.has_one, self.is_masked, self.is_plain = False, False, True

    def of(self, v: Node) -> Node | None:
        if v not in self.known:
            self.left -= 1
            found = self._made(v) if self.left >= 0 and 0 not in v.shape else None
            if found is None:
                return None
            self.known[v] = stretched(found, v)
        return self.known[v]

    def _made(self, v: Node) -> Node | None:
        """The rules of max and plus for those of plus and times."""
        alone = exponent(v)
        if alone is not None:
            return alone
        if v.op in HYPERBOLIC:
            return f.abs(v.inputs[0])
        below = [x for x in v.inputs if x in self.sums]
        if v.op in (op.add, op.where, op.concat):
            return self._of_parts(v) if below else None
        if len(below) != 1 or v.op is op.divide and v.inputs[1] in below:
            return None
        top = self.of(below[0])
        if top is None:
            return None
        if v.op in (op.multiply, op.divide):
            (w,) = (x for x in v.inputs if x is not below[0])
            if v.op is op.multiply:
                return self._unless_zero(top, w)
            self.is_plain &= interval(w).size <= 1 / _SMALL
            return top
        if v.op is op.sum:
            return reshaped(largest(top, v.attrs["axis"], -math.inf), v.shape)
        if v.op is op.einsum:
            return self._of_products(v, below[0], top)
        if is_reshape(v):
            return reshaped(top, v.shape)
        return None if v.op is op.getitem else v.op(top, **v.attrs)

    def _of_parts(self, v: Node) -> Node | None:
        """The largest exponents where values are added, chosen or joined."""
        found = [self._part(x) for x in v.inputs[v.op is op.where :]]
        parts = [p for p in found if p is not None]
        if len(parts) < len(found):
            return None
        if v.op is op.add:
            return f.maximum(*parts)
        if v.op is op.where:
            self.is_masked = True
            return f.where(v.inputs[0], *parts)
        return v.op(*(stretched(p, x) for p, x in zip(parts, v.inputs, strict=True)), **v.attrs)

    def _part(self, x: Node) -> Node | None:
        """Of what is added: a number is that times exp(0), and nothing where it is 0."""
        if x in self.sums:
            return self.of(x)
        if number(x) == 0:
            return like(x, -math.inf)
        if x.op in (op.reciprocal, op.divide) and x.inputs[-1] in self.sums:
            return None  # c / exp(x) is no number beside exp(x)
        self.has_one = True
        return like(x, 0.0) if x.type.is_float else None

    def _unless_zero(self, top: Node, w: Node) -> Node | None:
        """The largest exponent among those whose weight is not 0."""
        low, high = interval(w)
        if high < 0:
            return None
        self.is_plain &= low >= _SMALL
        if low > 0:
            return top
        self.is_masked = True
        if w.op is op.astype and w.inputs[0].dtype == bool:
            return f.where(w.inputs[0], top, like(top, -math.inf))
        return f.where(f.not_equal(w, like(w, 0)), top, like(top, -math.inf))

    def _of_products(self, v: Node, a: Node, top: Node) -> Node | None:
        """The largest exponent of sum(w * exp(x)), written as a contraction."""
        terms, out = letters(v)
        (k,) = (k for k, x in enumerate(v.inputs) if x is a)
        mine = terms[k]
        if len(set(mine)) < len(mine) or not set(out) <= set(mine):
            return None
        for term, w in zip(terms, v.inputs, strict=True):
            if w is a:
                continue
            beside = carried(w, term, mine) if set(term) <= set(mine) else None
            masked = None if beside is None else self._unless_zero(top, beside)
            if masked is None:
                return None
            top = masked
        summed = tuple(i for i, c in enumerate(mine) if c not in out)
        top = largest(top, summed, -math.inf) if summed else top
        kept = carried(top, [c if c in out else None for c in mine], out)
        return None if kept is None else stretched(kept, v)


def factors_among(v: Node, sums: set[Node]) -> Iterator[Node]:
    """The sums of exponentials that a product or quotient is made of."""
    waiting = [v]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        u = waiting.pop()
        if u in sums and exponent(u) is not None:
            yield u
        elif u.op in (op.multiply, op.divide, op.sqrt, op.square, op.reciprocal, op.negative):
            waiting += u.inputs
        elif u in sums:
            yield u
        elif u.op is op.add:
            waiting += u.inputs
