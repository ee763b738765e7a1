"""Quotients: what is divided and multiplied by the same, and quotients of quotients."""

from __future__ import annotations

from ...ir import Node, is_literal
from ...ops.slices import is_reshape
from ..facts import interval
from ..rewrite import rule
from .vocabulary import FACTORS, QUOTIENTS, Alone, f, numerator, op, opposite, sides, taken_up


@rule("multiply", over=("reciprocal", "divide"))
def times_reciprocal(n: Node) -> Node | None:
    """x * (1 / y) = x / y, x * (-1 / y) = -(x / y)"""
    for a, b in sides(n):
        match b:
            case Node(op.divide, (c, y)) if is_literal(c, -1) and y.dtype == n.dtype:
                return f.negative(f.divide(a, y))
            case Node(op.reciprocal, (y,)) if n.type.is_float:
                return f.divide(a, y)
            case Node(op.divide, (one, y)) if is_literal(one, 1) and y.dtype == n.dtype:
                return f.divide(a, y)
    return None


@rule("multiply", over=("divide", "reciprocal", "multiply", "add", "subtract"),
      among=("divide", "reciprocal"), hides=True)
def quotient_times_divisor(n: Node, is_alone: Alone) -> Node | None:
    """(x / y) * y = x, (x / y) * (y / z) = x / z, (x / p - s) * p = x - s * p for |p| <= 1

    So it is within a product, too.
    """
    for v, y in sides(n) if n.type.is_float else ():
        found = _times(v, y, is_alone)
        if found is not None:
            return found
        for p, q in sides(y) if y.op is op.multiply else ():
            found = _times(v, p, is_alone)
            if found is not None:
                both = _times(found, q, lambda u: True)
                return f.multiply(found, q) if both is None else both
        if y.op is op.divide and v.op in FACTORS and not _is_sum(y.inputs[1]):
            found = undivided(v, y.inputs[0], is_alone)
            if found is not None:
                return f.divide(found, y.inputs[1])
    return None


def _times(v: Node, p: Node, is_alone: Alone) -> Node | None:
    """v * p where v, or one of its terms, is divided by p. What is not is multiplied: |p| <= 1."""
    if v.op not in (op.add, op.subtract) or not is_alone(v):
        return undivided(v, p, is_alone)
    terms = [undivided(u, p, is_alone) if is_alone(u) else None for u in v.inputs]
    if terms == [None, None] or interval(p).size > 1:
        return None
    pairs = zip(terms, v.inputs, strict=True)
    made: Node = v.op(*(f.multiply(u, p) if term is None else term for term, u in pairs))
    return made


def _is_sum(t: Node) -> bool:
    """Whether t is a sum: the shares of one have rules of their own, which look for quotients."""
    return (t.inputs[0] if is_reshape(t) else t).op is op.sum


def undivided(v: Node, y: Node, is_alone: Alone, depth: int = 1) -> Node | None:
    """v * y where y is among the divisors of v."""

    def times_y(u: Node) -> Node | None:
        if u.op not in QUOTIENTS:
            return None
        d = u.inputs[-1]
        if d is y or _is_rest(d, y):
            return numerator(u)
        if d.op is op.multiply and y in d.inputs and is_alone(u):
            return f.divide(numerator(u), d.inputs[d.inputs[0] is y])
        if d.op is op.sqrt and d.inputs[0] is y and interval(y).size <= 1:
            return f.multiply(numerator(u), d)
        return None

    return taken_up(v, times_y, is_alone, depth)


def _is_rest(v: Node, q: Node) -> bool:
    """Whether v is 1 - sigmoid(x) and q is sigmoid(-x), or the other way round."""
    match v:
        case Node(op.subtract, (one, Node(op.sigmoid, (x,)))) if is_literal(one, 1):
            return q.op is op.sigmoid and q is f.sigmoid(opposite(x))
    return False


@rule("divide", over=("multiply",), hides=True)
def product_over_factor(n: Node) -> Node | None:
    """(x * y) / y = x, (x * y) / (y / z) = x * z"""
    v, y = n.inputs
    if v.op is not op.multiply or not n.type.is_float:
        return None
    y, z = y.inputs if y.op is op.divide and y.inputs[0] in v.inputs else (y, None)
    found = next((x for x, u in sides(v) if u is y and x.dtype == n.dtype), None)
    return found if found is None or z is None else f.multiply(found, z)


@rule("multiply", over=("subtract",), among=("divide", "reciprocal"), hides=True)
def slope_through_share(n: Node) -> Node | None:
    """(v - sum(v * p)) * p = u - sum(u) * p for u = v * p, where v is divided by p"""
    for d, p in sides(n):
        if d.op is not op.subtract or not n.type.is_float:
            continue
        for v, total in sides(d):
            if total.op is not op.sum or v.op is op.divide or not is_divided(v, p):
                continue
            (u,) = total.inputs
            if u.op is op.multiply and set(u.inputs) == {v, p}:
                rest = f.multiply(total, p)
                return f.subtract(u, rest) if v is d.inputs[0] else f.subtract(rest, u)
    return None


def is_divided(v: Node, p: Node, depth: int = 6) -> bool:
    """Whether v, or a term of it, is divided by p or by something computed from it."""
    if v.op in QUOTIENTS and is_part(p, v.inputs[-1]):
        return True
    if not depth or not v.type.is_float or v.op not in _THROUGH:
        return False
    return any(is_divided(x, p, depth - 1) for x in v.inputs)


_THROUGH = (op.add, op.subtract, op.negative, op.multiply, op.divide, op.scatter_add_along_axis,
            op.reshape, op.getitem, op.broadcast_to)  # fmt: skip


def is_part(p: Node, d: Node, depth: int = 3) -> bool:
    """Whether d is p, or what a product, a sum or a choice makes of it."""
    if d is p:
        return True
    parts = d.inputs if depth and d.op in _MADE_OF else ()
    return any(is_part(p, x, depth - 1) for x in parts)


_MADE_OF = (op.multiply, op.divide, op.sum, op.sqrt, op.take_along_axis)


def is_chosen(v: Node, p: Node) -> bool:
    """Whether v is what some indices choose from p."""
    return v.op is op.take_along_axis and v.inputs[0] is p


@rule("divide", over=("divide",), hides=True)
def quotient_over_part(n: Node) -> Node | None:
    """(x / t) / x = 1 / t, (x / (y / z)) / z = x / y"""
    match n:
        case Node(op.divide, (Node(op.divide, (x, t)), y)) if x is y and t.type.is_float:
            return f.reciprocal(t)
        case Node(op.divide, (Node(op.divide, (x, Node(op.divide, (y, z)))), t)) if t is z:
            return None if _is_sum(z) else f.divide(x, y)
    return None


@rule("divide", over=("reciprocal", "divide"))
def over_reciprocal(n: Node) -> Node | None:
    """x / (1 / y) = x * y"""
    match n:
        case Node(op.divide, (x, Node(op.reciprocal, (y,)))):
            return f.multiply(x, y)
    return None


@rule("reciprocal", over=("reciprocal", "divide"))
def reciprocal_of_quotient(n: Node, is_alone: Alone) -> Node | None:
    """1 / (x / y) = y / x, 1 / (1 / x) = x"""
    match n:
        case Node(op.reciprocal, (Node(op.reciprocal, (x,)),)):
            return x
        case Node(op.reciprocal, (Node(op.divide, (x, y)) as v,)) if is_alone(v):
            return f.divide(y, x)
    return None
