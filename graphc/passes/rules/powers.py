"""Powers and roots, and what is known to be positive."""

from __future__ import annotations

from ...ir import Node, is_literal
from ..facts import interval
from ..rewrite import rule
from .vocabulary import LITERAL, f, like, number, op, sides


@rule("power", over=LITERAL, strict=True)
def power_that_numpy_knows(n: Node) -> Node | None:
    """x^1 = x, and for arrays x^2 = square(x), x^-1 = 1 / x"""
    x, exponent = n.inputs
    k = number(exponent)
    if x.dtype != n.dtype or n.dtype == bool:
        return None
    if k == 1:
        return x
    if n.ndim and x.shape == n.shape and n.type.is_float:
        return f.square(x) if k == 2 else f.reciprocal(x) if k == -1 else None
    return None


@rule("power", over=LITERAL)
def small_power(n: Node) -> Node | None:
    """x^2 = square(x), x^3 = square(x) * x, x^4 = square(square(x)), x^-1 = 1 / x, x^-2 = ..."""
    x, exponent = n.inputs
    k = number(exponent)
    if k not in (2, 3, 4, -1, -2) or x.dtype != n.dtype or n.dtype == bool:
        return None
    if k < 0:
        inverse = f.reciprocal(x) if n.type.is_float else None
        return inverse if inverse is None or k == -1 else f.square(inverse)
    squared = f.square(x)
    return squared if k == 2 else f.multiply(squared, x) if k == 3 else f.square(squared)


@rule("power", over=LITERAL)
def zeroth_power(n: Node) -> Node | None:
    """x^0 = 1"""
    return like(n, 1) if is_literal(n.inputs[1], 0) else None


@rule("power", over=LITERAL, signs=True)
def half_power(n: Node) -> Node | None:
    """x^0.5 = sqrt(x) for x >= 0"""
    x, exponent = n.inputs
    if number(exponent) == 0.5 and x.dtype == n.dtype and interval(x).is_not_negative:
        return f.sqrt(x)
    return None


@rule("multiply", strict=True)
def product_with_itself(n: Node) -> Node | None:
    """x * x = square(x)"""
    x, y = n.inputs
    return f.square(x) if x is y and n.type.is_float else None


@rule("abs", "relu", signs=True)
def nothing_to_do(n: Node) -> Node | None:
    """|x| = x and relu(x) = x for x >= 0"""
    (x,) = n.inputs
    return x if interval(x).is_not_negative else None


@rule("maximum", "minimum", strict=True)
def extremum_of_one(n: Node) -> Node | None:
    """max(x, x) = min(x, x) = x"""
    x, y = n.inputs
    return x if x is y else None


@rule("maximum", over=LITERAL, signs=True)
def rectified(n: Node) -> Node | None:
    """max(x, 0) = relu(x), which gradients are written in, too"""
    for x, c in sides(n):
        if number(c) == 0 and n.type.is_float and x.type == n.type:
            return f.relu(x)
    return None


@rule("maximum", "minimum", over=LITERAL, signs=True)
def extremum_out_of_reach(n: Node) -> Node | None:
    """max(x, c) = x for x >= c, min(x, c) = x for x <= c, by what is known of x"""
    for x, c in sides(n):
        if _is_beyond(x, c) if n.op is op.maximum else _is_beyond(x, c, -1):
            return x
    return None


@rule("clip", over=LITERAL, signs=True)
def clip_out_of_reach(n: Node) -> Node | None:
    """clip(x, a, b) = min(x, b) for x >= a, and max(x, a) for x <= b"""
    x, low, high = n.inputs
    if _is_beyond(x, low):
        return f.minimum(x, high)
    return f.maximum(x, low) if _is_beyond(x, high, -1) and _is_beyond(high, low) else None


def _is_beyond(x: Node, c: Node, sign: int = 1) -> bool:
    """Whether x >= c, or with -1 whether x <= c, for a number c that a float holds."""
    value = number(c)
    if value is None or not abs(value) <= 2.0**53:
        return False
    low, high = interval(x)
    return bool(low >= value if sign > 0 else high <= value)


@rule("sqrt", over=("square",))
def root_of_square(n: Node) -> Node | None:
    """sqrt(x^2) = |x|"""
    match n:
        case Node(op.sqrt, (Node(op.square, (x,)),)):
            return f.abs(x)
    return None


@rule("square", over=("sqrt",), signs=True)
def square_of_root(n: Node) -> Node | None:
    """sqrt(x)^2 = x for x >= 0"""
    match n:
        case Node(op.square, (Node(op.sqrt, (x,)),)) if interval(x).is_not_negative:
            return x
    return None


@rule("multiply", over=("divide",), beside=("divide",), among=("sqrt",))
def divided_by_two_roots(n: Node) -> Node | None:
    """(x / sqrt(s)) * (c / sqrt(s)) = c * (x / s) for an s > 0.001, and an ordinary number c"""
    for v, w in sides(n):
        match v, w:
            case Node(op.divide, (x, r)), Node(op.divide, (c, q)) if r is q and r.op is op.sqrt:
                (s,) = r.inputs
                is_ordinary = 1 / 1024 <= abs(number(c) or 0) <= 1024
                if is_ordinary and r.shape == n.shape and interval(s).low >= 1e-3:
                    return f.multiply(c, f.divide(x, s))
    return None
