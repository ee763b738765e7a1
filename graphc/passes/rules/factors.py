"""Factors: quotients of quotients, numbers that merge, scalars kept away from tensors."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ...ir import Node
from ...ops.chain import is_literal
from ..facts import interval
from ..rewrite import rule
from .vocabulary import LITERAL, Alone, f, like, number, op, sides


@rule("multiply", over=("reciprocal", "divide"))
def times_reciprocal(n: Node) -> Node | None:
    """x * (1 / y) = x / y"""
    for a, b in sides(n):
        match b:
            case Node(op.reciprocal, (y,)) if n.type.is_float:
                return f.divide(a, y)
            case Node(op.divide, (one, y)) if is_literal(one, 1) and y.dtype == n.dtype:
                return f.divide(a, y)
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

@rule("divide", over=LITERAL, strict=True)
def over_power_of_two(n: Node) -> Node | None:
    """x / 2^k = x * 2^-k"""
    x, c = n.inputs
    k = number(c)
    if k and n.type.is_float and x.dtype == n.dtype and math.isfinite(k):
        if abs(math.frexp(k)[0]) == 0.5 and _is_normal(1 / k, n):
            return f.multiply(x, like(n, 1 / k))
    return None


def _is_normal(value: float, n: Node) -> bool:
    """Whether a number is neither zero, nor infinite, nor subnormal in a node's dtype."""
    info = np.finfo(n.dtype)
    return bool(info.smallest_normal <= abs(value) <= info.max)


def _rounded(exact: Fraction, n: Node) -> Node | None:
    """A number as a constant of a node's dtype, if it is a normal one there."""
    try:
        value = float(exact)
    except OverflowError:
        return None
    return like(n, value) if _is_normal(value, n) else None


@rule("multiply", "divide", over=("multiply", "divide"))
def scaled_twice(n: Node, is_alone: Alone) -> Node | None:
    """a * (b * x) = (a * b) * x, and so with quotients, for numbers a and b"""
    if not n.type.is_float:
        return None
    for outer, v in sides(n):
        a = _factor(outer)
        if a is None or v.op not in (op.multiply, op.divide) or not is_alone(v):
            continue
        over = n.op is op.divide
        for inner, x in sides(v):
            b = _factor(inner)
            if b is None or x.dtype != n.dtype:
                continue
            is_below = v.op is op.divide and inner is v.inputs[0]  # b / x
            b = 1 / b if v.op is op.divide and not is_below else b
            if not over:
                c = _rounded(a * b, n)
                flipped = is_below
            elif outer is n.inputs[1]:  # v / a
                c = _rounded(b / a, n)
                flipped = is_below
            else:  # a / v
                c = _rounded(a / b, n)
                flipped = not is_below
            if c is not None:
                return f.divide(c, x) if flipped else f.multiply(x, c)
    return None


def _factor(v: Node) -> Fraction | None:
    """A number as an exact fraction, if it can be multiplied and divided by."""
    value = number(v)
    if value is None or not v.type.is_float or not math.isfinite(value) or value == 0:
        return None
    return Fraction(value)


@rule("add", "subtract", over=LITERAL)
def added_twice(n: Node, is_alone: Alone) -> Node | None:
    """a + (b + x) = (a + b) + x for numbers whose sum is exact"""
    if not n.type.is_float:
        return None
    for outer, v in sides(n):
        a = _summand(outer)
        if a is None or v.op not in (op.add, op.subtract) or not is_alone(v):
            continue
        if n.op is op.subtract and outer is n.inputs[0]:
            continue  # a - (b + x)
        for inner, x in sides(v):
            b = _summand(inner)
            if b is None or x.dtype != n.dtype or (v.op is op.subtract and inner is v.inputs[0]):
                continue
            total = (b if v.op is op.add else -b) + (a if n.op is op.add else -a)
            if total != 0 and Fraction(float(n.dtype.type(float(total)))) == total:
                return f.add(x, like(n, float(total)))
    return None


def _summand(v: Node) -> Fraction | None:
    value = number(v)
    return None if value is None or not math.isfinite(value) else Fraction(value)


@rule("multiply", over=("multiply", "divide"))
def small_factors_first(n: Node, is_alone: Alone) -> Node | None:
    """s * (t * X) = (s * t) * X where s and t are smaller than X, and in a tame range"""
    if not n.type.is_float:
        return None
    for s, v in sides(n):
        if v.op not in (op.multiply, op.divide) or not is_alone(v) or not _is_small(s, n):
            continue
        for t, x in sides(v):
            if not _is_small(t, n) or x.shape != n.shape:
                continue
            if v.op is op.multiply:
                return f.multiply(f.multiply(s, t), x)
            if t is v.inputs[1]:
                return f.multiply(f.divide(s, t), x)
    return None


@rule("divide", over=("multiply", "divide"))
def small_divisors_first(n: Node, is_alone: Alone) -> Node | None:
    """(t * X) / s = (t / s) * X, (X / t) / s = X / (t * s) where s and t are smaller, and tame"""
    v, s = n.inputs
    if v.op not in (op.multiply, op.divide) or not is_alone(v) or not _is_small(s, n):
        return None
    for t, x in sides(v):
        if not _is_small(t, n) or x.shape != n.shape:
            continue
        if v.op is op.multiply:
            return f.multiply(f.divide(t, s), x)
        if t is v.inputs[1]:
            return f.divide(x, f.multiply(t, s))
    return None


def _is_small(s: Node, n: Node) -> bool:
    """A scalar beside a tensor, known to be neither tiny nor huge."""
    return not s.ndim and bool(n.ndim) and s.dtype == n.dtype and interval(s).is_tame
