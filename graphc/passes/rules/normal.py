"""The error function and its complement, each where the other would cancel."""

from __future__ import annotations

import numpy as np

from ...ir import Node, is_literal
from ..facts import interval
from ..rewrite import rule
from .quotients import undivided
from .vocabulary import Alone, f, like, number, number_times, op, opposite, sides


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


def _may_vanish(x: Node) -> bool:
    """Whether erfc(x) may be 0, or have lost digits."""
    return interval(x).high > (26 if x.dtype == np.float64 else 9)


def _times(c: Node | None, x: Node) -> Node:
    return x if c is None else f.multiply(c, x)


@rule("log", over=("erfc", "multiply"), among=("erfc",))
def log_of_erfc(n: Node) -> Node | None:
    """log(c * erfc(x)) = log(c * erfcx(x)) - x^2 for x > 1, where erfc(x) may vanish"""
    c, v = number_times(n.inputs[0])
    if v.op is not op.erfc or not _may_vanish(v.inputs[0]):
        return None
    (x,) = v.inputs
    one = like(x, 1)
    tail = f.subtract(f.log(_times(c, f.erfcx(x))), f.square(x))
    return f.where(f.greater(x, one), tail, f.log(_times(c, f.erfc(f.minimum(x, one)))))


@rule("multiply", over=("exp", "multiply"), among=("erfc",))
def density_over_erfc(n: Node, is_alone: Alone) -> Node | None:
    """y / erfc(x) * exp(-x^2) = y / erfcx(x), where erfc(x) may vanish"""
    for v, product in sides(n):
        c, e = number_times(product)
        match e:
            case Node(op.exp, (Node(op.negative, (Node(op.square, (root,)),)),)):
                for x in (root, opposite(root)):
                    y = undivided(v, f.erfc(x), is_alone, depth=4) if _may_vanish(x) else None
                    if y is not None:
                        return _times(c, f.divide(y, f.erfcx(x)))
    return None
