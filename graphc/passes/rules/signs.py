"""Ones, zeros and signs: what arithmetic does with them."""

from __future__ import annotations

from ...ir import Node, is_literal
from ..rewrite import rule
from .vocabulary import (
    LITERAL,
    Alone,
    f,
    is_zero,
    like,
    number,
    op,
    sides,
    with_input,
    without_sign,
)


@rule("multiply", over=LITERAL, strict=True)
def times_one(n: Node) -> Node | None:
    """1 * x = x"""
    return next((x for one, x in sides(n) if is_literal(one, 1)), None)


@rule("multiply", over=LITERAL, strict=True)
def times_minus_one(n: Node) -> Node | None:
    """(-1) * x = -x"""
    for c, x in sides(n):
        if is_literal(c, -1) and x.dtype == n.dtype and n.type.is_float:
            return f.negative(x)
    return None


@rule("add", over=LITERAL, signs=True)
def plus_zero(n: Node) -> Node | None:
    """x + 0 = x"""
    return next((x for zero, x in sides(n) if is_literal(zero, 0)), None)


@rule("add", over=LITERAL, strict=True)
def plus_negative_zero(n: Node) -> Node | None:
    """x + (-0) = x"""
    return next((x for zero, x in sides(n) if is_zero(zero, -1.0)), None)


@rule("subtract", over=LITERAL, strict=True)
def minus_zero(n: Node) -> Node | None:
    """x - 0 = x"""
    x, zero = n.inputs
    return x if is_zero(zero, 1.0) else None


@rule("subtract", over=LITERAL, signs=True)
def zero_minus(n: Node) -> Node | None:
    """0 - x = -x"""
    zero, x = n.inputs
    return f.negative(x) if is_literal(zero, 0) and x.dtype == n.dtype else None


@rule("multiply", over=LITERAL, hides=True)
def times_zero(n: Node) -> Node | None:
    """0 * x = 0"""
    return like(n, 0) if any(is_literal(x, 0) for x in n.inputs) else None


@rule("divide", over=LITERAL, hides=True)
def zero_over(n: Node) -> Node | None:
    """0 / x = 0"""
    return like(n, 0) if is_literal(n.inputs[0], 0) else None


@rule("subtract", hides=True)
def minus_itself(n: Node) -> Node | None:
    """x - x = 0"""
    x, y = n.inputs
    return like(n, 0) if x is y else None


@rule("divide", hides=True)
def over_itself(n: Node) -> Node | None:
    """x / x = 1"""
    x, y = n.inputs
    return like(n, 1) if x is y else None


@rule("negative", over=("negative",), strict=True)
def negative_of_negative(n: Node) -> Node | None:
    """-(-x) = x"""
    match n:
        case Node(op.negative, (Node(op.negative, (x,)),)):
            return x
    return None


@rule("multiply", over=("negative",), strict=True)
def product_of_negatives(n: Node) -> Node | None:
    """(-x) * y = -(x * y), and with a number c: (-x) * c = x * (-c)"""
    for a, b in sides(n):
        match (a, b):
            case (Node(op.negative, (x,)), Node(op.negative, (y,))):
                return f.multiply(x, y)
            case (Node(op.negative, (x,)), _) if b.type.is_float:
                if number(b) is not None:
                    return f.multiply(x, like(b, -number(b)))
                if x.shape == n.shape:  # else the sign costs less where it is
                    return f.negative(f.multiply(x, b))
    return None


@rule("divide", over=("negative",), strict=True)
def quotient_of_negatives(n: Node) -> Node | None:
    """(-x) / y = -(x / y) = x / (-y), and with a number c: (-x) / c = x / (-c)"""
    match n:
        case Node(op.divide, (Node(op.negative, (x,)), Node(op.negative, (y,)))):
            return f.divide(x, y)
        case Node(op.divide, (Node(op.negative, (x,)), y)) if number(y) is not None:
            return f.divide(x, like(y, -number(y)))
        case Node(op.divide, (x, Node(op.negative, (y,)))) if number(x) is not None:
            return f.divide(like(x, -number(x)), y)
        case Node(op.divide, (Node(op.negative, (x,)), y)) if x.shape == n.shape:
            return f.negative(f.divide(x, y))
        case Node(op.divide, (x, Node(op.negative, (y,)))) if y.shape == n.shape:
            return f.negative(f.divide(x, y))
    return None


@rule("negative", over=("multiply", "divide"), signs=True)
def negative_of_scaled_difference(n: Node, is_alone: Alone) -> Node | None:
    """-(s * (x - y)) = s * (y - x), -((x - y) / s) = (y - x) / s"""
    (v,) = n.inputs
    if v.op not in (op.multiply, op.divide) or not is_alone(v) or not n.type.is_float:
        return None
    # What is divided by 0 is infinite, and has another sign divided by -0.
    for k, d in enumerate(v.inputs if v.op is op.multiply else v.inputs[:1]):
        is_known = any(number(x) is not None for x in d.inputs)  # 1 - x is known to other rules
        if d.op is op.subtract and is_alone(d) and not is_known:
            turned = f.subtract(*d.inputs[::-1])
            return with_input(v, k, turned)
    return None


@rule("negative", over=("multiply", "divide"), strict=True)
def negative_of_product(n: Node, is_alone: Alone) -> Node | None:
    """-(s * X) = (-s) * X, -(s / X) = (-s) / X, -(X / s) = X / (-s) where s is smaller than X"""
    (v,) = n.inputs
    if v.op not in (op.multiply, op.divide) or not is_alone(v) or not n.type.is_float:
        return None
    a, b = v.inputs
    if number(a) is not None or number(b) is not None:
        return None
    if a.shape != n.shape and a.dtype == n.dtype:
        return v.op(f.negative(a), b)
    if b.shape != n.shape and b.dtype == n.dtype:
        return v.op(a, f.negative(b))
    return None


@rule("negative", over=("multiply", "divide", "reciprocal"), strict=True)
def negative_of_scaled(n: Node, is_alone: Alone) -> Node | None:
    """-(c * x) = (-c) * x, -(c / x) = (-c) / x, -(x / c) = x / (-c) for a number c"""
    (v,) = n.inputs
    if not n.type.is_float or not is_alone(v):
        return None
    match v:
        case Node(op.reciprocal, (x,)):
            return f.divide(like(n, -1.0), x)
        case Node(op.multiply | op.divide, (c, x)) if number(c) is not None:
            return v.op(like(c, -number(c)), x)
        case Node(op.multiply | op.divide, (x, c)) if number(c) is not None:
            return v.op(x, like(c, -number(c)))
    return None


@rule("add", over=("negative",), strict=True)
def plus_negative(n: Node) -> Node | None:
    """x + (-y) = x - y"""
    for a, b in sides(n):
        match b:
            case Node(op.negative, (y,)):
                return f.subtract(a, y)
    return None


@rule("subtract", over=("negative",), strict=True)
def minus_negative(n: Node) -> Node | None:
    """x - (-y) = x + y"""
    match n:
        case Node(op.subtract, (x, Node(op.negative, (y,)))):
            return f.add(x, y)
    return None


@rule("add", "subtract", over=LITERAL, strict=True)
def plus_negative_number(n: Node) -> Node | None:
    """x + (-c) = x - c, x - (-c) = x + c for a number c"""
    if not n.type.is_float:
        return None
    for x, c in sides(n) if n.op is op.add else (n.inputs,):
        if c.dtype == n.dtype and (number(c) or 0) < 0:
            c = like(c, -number(c))
            return f.subtract(x, c) if n.op is op.add else f.add(x, c)
    return None


@rule("add", "subtract", over=("multiply", "divide"), strict=True)
def plus_negative_product(n: Node, is_alone: Alone) -> Node | None:
    """x + (-s) * y = x - s * y, x - (-s) * y = x + s * y, and so with quotients"""
    for x, v in sides(n):
        if v.op is op.negative or v is x or (n.op is op.subtract and v is n.inputs[0]):
            continue
        plain = without_sign(v, is_alone) if n.type.is_float else None
        if plain is not None:
            return f.subtract(x, plain) if n.op is op.add else f.add(x, plain)
    return None


@rule("subtract", over=("negative",), signs=True)
def negative_minus(n: Node, is_alone: Alone) -> Node | None:
    """(-x) - y = -(x + y)"""
    match n:
        case Node(op.subtract, (Node(op.negative, (x,)) as v, y)) if is_alone(v):
            return f.negative(f.add(x, y)) if n.type.is_float else None
    return None


@rule("negative", over=("add",), signs=True)
def negative_of_sum(n: Node, is_alone: Alone) -> Node | None:
    """-(x + c) = -c - x for a number c"""
    (v,) = n.inputs
    if v.op is not op.add or not n.type.is_float or not is_alone(v):
        return None
    for x, c in sides(v):
        if number(c) is not None:
            return f.subtract(like(n, -number(c)), x)
    return None


@rule("negative", over=("subtract",), signs=True)
def negative_of_difference(n: Node, is_alone: Alone) -> Node | None:
    """-(x - y) = y - x"""
    match n:
        case Node(op.negative, (Node(op.subtract, (x, y)) as v,)) if is_alone(v):
            return f.subtract(y, x)
    return None


@rule("square", "abs", over=("negative", "abs"), strict=True)
def even_of_negative(n: Node) -> Node | None:
    """(-x)^2 = x^2, |-x| = |x|, |x|^2 = x^2"""
    match n:
        case Node(_, (Node(op.negative | op.abs, (x,)),)) if n.type.is_float:
            return n.op(x)
    return None
