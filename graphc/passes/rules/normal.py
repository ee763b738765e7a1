"""The error function and its complement, each where the other would cancel."""

from __future__ import annotations

from ...ir import Node, is_literal
from ..rewrite import rule
from .vocabulary import Alone, f, number, op, opposite, sides


@rule("erf", over=("negative",), strict=True)
def erf_of_negative(n: Node) -> Node | None:
    """erf(-x) = -erf(x)"""
    match n:
        case Node(op.erf, (Node(op.negative, (x,)),)):
            return f.negative(f.erf(x))
    return None


@rule("subtract", over=("erf", "erfc"))
def one_minus_erf(n: Node, is_alone: Alone) -> Node | None:
    """1 - erf(x) = erfc(x), 1 - erfc(x) = erf(x), 2 - erfc(x) = erfc(-x)"""
    c, v = n.inputs
    if not is_alone(v):
        return None
    match v:
        case Node(op.erf, (x,)) if is_literal(c, 1):
            return f.erfc(x)
        case Node(op.erfc, (x,)) if is_literal(c, 1):
            return f.erf(x)
        case Node(op.erfc, (x,)) if is_literal(c, 2):
            return f.erfc(opposite(x))
    return None


@rule("subtract", "add", over=("erf", "erfc"), signs=True)
def erf_minus_one(n: Node, is_alone: Alone) -> Node | None:
    """erf(x) - 1 = -erfc(x), erfc(x) - 1 = -erf(x)"""
    for v, c in sides(n) if n.op is op.add else (n.inputs,):
        if v.op in (op.erf, op.erfc) and is_literal(c, -1 if n.op is op.add else 1):
            if is_alone(v):
                other = f.erfc if v.op is op.erf else f.erf
                return f.negative(other(v.inputs[0]))
    return None


@rule("add", over=("erf",))
def one_plus_erf(n: Node, is_alone: Alone) -> Node | None:
    """1 + erf(x) = erfc(-x)"""
    for c, v in sides(n):
        if v.op is op.erf and is_literal(c, 1) and is_alone(v):
            return f.erfc(opposite(v.inputs[0]))
    return None


@rule("add", "subtract", over=("multiply",), among=("erf", "erfc"))
def scaled_erf_plus_scale(n: Node, is_alone: Alone) -> Node | None:
    """c + c * erf(x) = c * erfc(-x), c - c * erf(x) = c * erfc(x), 2 * c - c * erfc(x) =
    c * erfc(-x) for a number c"""
    for whole, product in sides(n) if n.op is op.add else (n.inputs,):
        if product.op is not op.multiply or number(whole) is None or not is_alone(product):
            continue
        for c, v in sides(product):
            if v.op not in (op.erf, op.erfc) or number(c) is None or not is_alone(v):
                continue
            (x,), is_less = v.inputs, n.op is op.subtract
            if v.op is op.erf and number(whole) == number(c):
                return f.multiply(c, f.erfc(x if is_less else opposite(x)))
            if v.op is op.erfc and is_less and number(whole) == 2 * number(c):
                return f.multiply(c, f.erfc(opposite(x)))
    return None
