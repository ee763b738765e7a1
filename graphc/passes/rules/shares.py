"""Shares of two: of exponentials they are sigmoids, and what one leaves is the other's.

Of larger sums of exponentials `..scales` takes care.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ...ir import Node, is_literal
from ..rewrite import rule
from .softmax import is_shifted
from .vocabulary import QUOTIENTS, Alone, f, like, numerator, op, sides

# What lies deeper in a product is left as it is.
_DEPTH = 6


def _exponents(total: Node) -> list[Node] | None:
    """x and y for exp(x) + exp(y)."""
    if total.op is not op.add or any(v.op is not op.exp for v in total.inputs):
        return None
    found = [v.inputs[0] for v in total.inputs]
    return None if any(is_shifted(x) or x.dtype != total.dtype for x in found) else found


def _share(e: Node, total: Node) -> Node | None:
    """exp(x) as a part of a sum of two."""
    exponents = _exponents(total) if e.op is op.exp else None
    if exponents is None or e.inputs[0] not in exponents:
        return None
    (x,), (first, second) = e.inputs, exponents
    share: Node = f.sigmoid(_difference(x, second if x is first else first))
    return share


def _difference(x: Node, y: Node) -> Node:
    """x - y, where that may be 2 * x."""
    if y.op is op.negative and y.inputs[0] is x:
        return f.multiply(like(x, 2), x)
    if x.op is op.negative and x.inputs[0] is y:
        return f.multiply(like(x, -2), y)
    found: Node = f.subtract(x, y)
    return found


@rule("divide", over=("exp",))
def share_of_exponentials(n: Node) -> Node | None:
    """exp(x) / (exp(x) + exp(y)) = sigmoid(x - y)"""
    e, total = n.inputs
    return _share(e, total)


@rule("multiply", over=("exp",))
def shares_of_exponentials(n: Node) -> Node | None:
    """(g / s + h / e) * e = g * (e / s) + h for e = exp(x), s = exp(x) + exp(y)"""
    for v, e in sides(n):
        for total in _divisors(v) if e.op is op.exp else ():
            share = _share(e, total)
            parts = None if share is None else _over(v, e, total)
            if parts is not None and parts[0] is not None:
                above, rest = parts
                product: Node = f.multiply(above, share)
                return product if rest is None else f.add(product, rest)
    return None


def _divisors(v: Node, depth: int = _DEPTH) -> Iterator[Node]:
    """The sums that terms of v are divided by."""
    if v.op in QUOTIENTS and v.inputs[-1].op is op.add:
        yield v.inputs[-1]
    if depth and v.op in (op.add, op.subtract, op.negative, op.multiply, op.divide):
        for u in v.inputs:
            yield from _divisors(u, depth - 1)


_Parts = tuple[Node | None, Node | None]


def _over(v: Node, e: Node, total: Node, depth: int = _DEPTH) -> _Parts | None:
    """The (g, h) of v = g / total + h / e, None for what is missing, or where v is no such sum."""
    if not depth:
        return None
    if v.op in QUOTIENTS and v.inputs[-1] in (total, e):
        above = numerator(v)
        return (above, None) if v.inputs[-1] is total else (None, above)
    if v.op in (op.add, op.subtract):
        first, second = (_over(u, e, total, depth - 1) for u in v.inputs)
        if first is None or second is None:
            return None
        return _joined(v, first[0], second[0]), _joined(v, first[1], second[1])
    if v.op not in (op.negative, op.multiply, op.divide):
        return None
    for u, *others in sides(v) if v.op is op.multiply else (v.inputs,):
        found = _over(u, e, total, depth - 1)
        if found is not None:
            g, h = (None if a is None else v.op(a, *others) for a in found)
            return g, h
    return None


def _joined(v: Node, a: Node | None, b: Node | None) -> Node | None:
    """a + b or a - b, as v is a sum or a difference, where one may be missing."""
    if b is None:
        return a
    if a is None:
        return b if v.op is op.add else f.negative(b)
    return v.op(a, b)


@rule("subtract", over=("multiply",), among=("subtract",), hides=True)
def difference_of_shares(n: Node, is_alone: Alone) -> Node | None:
    """(1 - a) * b - a * (1 - b) = b - a, also of both times or over the same"""
    if not n.type.is_float or not all(v.op is op.multiply and is_alone(v) for v in n.inputs):
        return None
    for (u, v), sign in (n.inputs, 1), (n.inputs[::-1], -1):
        for (p, b), (a, q) in itertools.product(sides(u), sides(v)):
            for scale, x, y in _in_common(p, a) if _is_rest(q, b) else ():
                if _is_rest(x, y):
                    found = f.subtract(b, y) if sign == 1 else f.subtract(y, b)
                    return found if scale is None else p.op(found, scale)
    return None


def _in_common(p: Node, a: Node) -> Iterator[tuple[Node | None, Node, Node]]:
    """(s, x, y) for p = x * s, a = y * s, or both over s; and what they are themselves."""
    yield None, p, a
    if p.op is a.op is op.divide and p.inputs[1] is a.inputs[1]:
        yield p.inputs[1], p.inputs[0], a.inputs[0]
    if p.op is a.op is op.multiply:
        for (x, s), (y, t) in itertools.product(sides(p), sides(a)):
            if s is t:
                yield s, x, y


def _is_rest(q: Node, b: Node) -> bool:
    """Whether q is 1 - b, as it is written: sigmoid(-x) is better than 1 - sigmoid(x)."""
    return q.op is op.subtract and q.inputs[1] is b and is_literal(q.inputs[0], 1)
