"""Factors: numbers that merge, scalars kept away from tensors."""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

import numpy as np

from ...ir import Node, is_literal
from ..facts import interval
from ..rewrite import rule
from .vocabulary import FACTORS, LITERAL, Alone, f, grows, like, number, op, sides, taken_up

# What has factors, one of which may be a number.
_SCALED = ("multiply", "divide")


@rule("add", "subtract", over=_SCALED, beside=_SCALED, signs=True)
def common_factor(n: Node, is_alone: Alone) -> Node | None:
    """s * x + s * y = s * (x + y), x / s - y / s = (x - y) / s where x + y cannot overflow alone"""
    u, v = n.inputs
    if u.op is not v.op or u.op not in (op.multiply, op.divide) or not n.type.is_float:
        return None
    if u is v or not is_alone(u) or not is_alone(v) or not u.shape == v.shape == n.shape:
        return None
    for s, x in sides(u):
        for t, y in sides(v):
            if s is not t or s.shape == n.shape or not x.shape == y.shape == n.shape:
                continue
            if u.op is op.divide and (s is u.inputs[0] or t is v.inputs[0]):
                continue
            largest = 1e300 if n.dtype == np.float64 else 1e36
            is_tame = interval(x).size + interval(y).size <= largest
            if s.dtype == x.dtype == y.dtype == n.dtype and (is_tame or grows(s, u)):
                return u.op(n.op(x, y), s)
    return None


@rule("divide", over=LITERAL, strict=True)
def over_power_of_two(n: Node) -> Node | None:
    """x / 2^k = x * 2^-k, and so with x / 1 and x / (-1)"""
    x, c = n.inputs
    k = number(c)
    if k and n.type.is_float and x.dtype == n.dtype and math.isfinite(k):
        if abs(math.frexp(k)[0]) == 0.5 and _is_normal(1 / k, n):
            return f.multiply(x, like(n, 1 / k))
    return None


def _is_normal(value: float, n: Node) -> bool:
    """Whether a number is neither zero, nor infinite, nor subnormal in a node's dtype."""
    smallest, largest = _normal_range(n.dtype)
    return smallest <= abs(value) <= largest


@functools.cache
def _normal_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    info = np.finfo(dtype)
    return float(info.smallest_normal), float(info.max)


def _rounded(exact: Fraction, n: Node) -> Node | None:
    """A number as a constant of a node's dtype, if it is a normal one there."""
    try:
        value = float(exact)
    except OverflowError:
        return None
    return like(n, value) if _is_normal(value, n) else None


@rule("multiply", "divide", over=LITERAL, beside=_SCALED)
def scaled_twice(n: Node, is_alone: Alone) -> Node | None:
    """a * (b * x) = (a * b) * x, and so with quotients, for numbers a and b"""
    if not n.type.is_float:
        return None
    for outer, v in sides(n):
        a = _factor(outer) if v.op in (op.multiply, op.divide) else None
        if a is None:
            continue
        is_free = not n.ndim or is_alone(v)  # of two scalars neither is dearer
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
            if c is not None and (is_free or is_literal(c, 1) and not flipped):
                return f.divide(c, x) if flipped else f.multiply(x, c)
    return None


def _factor(v: Node) -> Fraction | None:
    """A number as an exact fraction, if it can be multiplied and divided by."""
    value = number(v)
    if value is None or not v.type.is_float or not math.isfinite(value) or value == 0:
        return None
    return _exact(value)


_exact = functools.lru_cache(maxsize=256)(Fraction)


@rule("multiply", over=("multiply",), beside=("multiply",))
def scaled_both(n: Node, is_alone: Alone) -> Node | None:
    """(a * x) * (b * y) = (a * b) * (x * y), (x * (a / z)) * (b * y) = (x * (a * b / z)) * y

    For numbers a and b whose product is near 1 or less; or where b is near 1.
    """
    u, v = n.inputs
    if u.op is not op.multiply or v.op is not op.multiply or not n.type.is_float:
        return None
    if not is_alone(u) or not is_alone(v):
        return None
    (a, x), (b, y) = _number_and_rest(u), _number_and_rest(v)
    if a is None or b is None:
        scaled = None
        if a is not None and _is_near(a) and x.dtype == n.dtype:
            scaled, y = _with_number(v, a, n, is_alone), x
        if b is not None and _is_near(b) and y.dtype == n.dtype:
            scaled = _with_number(u, b, n, is_alone)
        return None if scaled is None else f.multiply(scaled, y)
    c = _rounded(a * b, n)
    if c is None or not x.dtype == y.dtype == n.dtype:
        return None
    if 1 <= abs(a * b) <= _NEAR:
        return f.multiply(c, f.multiply(x, y))
    # The number goes where it is no smaller than the one before: nothing vanishes in between.
    if abs(a * b) < 1 and abs(b) * _NEAR >= 1:
        return f.multiply(f.multiply(c, x), y)
    if abs(a * b) < 1 and abs(a) * _NEAR >= 1:
        return f.multiply(x, f.multiply(c, y))
    return None


@rule("multiply", over=("divide",), beside=("multiply",))
def numbers_of_quotient_and_product(n: Node, is_alone: Alone) -> Node | None:
    """(0.3 / x) * (2 * y) = (0.6 / x) * y, and y / x where the product of the numbers is 1"""
    for q, v in sides(n):
        if q.op is not op.divide or v.op is not op.multiply or not is_alone(v):
            continue
        (a, x), (b, y) = (_factor(q.inputs[0]), q.inputs[1]), _number_and_rest(v)
        if a is None or b is None or not x.dtype == y.dtype == n.dtype:
            continue
        if abs(a * b) == 1:
            return f.divide(y, x) if a * b == 1 else f.negative(f.divide(y, x))
        c = _rounded(a * b, n) if is_alone(q) and _is_near(b) else None
        if c is not None:
            return f.multiply(f.divide(c, x), y)
    return None


@rule("divide", over=("multiply",))
def numbers_of_quotient(n: Node, is_alone: Alone) -> Node | None:
    """(2 * x) / (2 * y) = x / y, also where others need 2 * y"""
    u, v = n.inputs
    if u.op is not op.multiply or v.op is not op.multiply or not is_alone(u):
        return None
    (a, x), (b, y) = _number_and_rest(u), _number_and_rest(v)
    if a is None or b is None or abs(a) != abs(b) or not x.dtype == y.dtype == n.dtype:
        return None
    return f.divide(x, y) if a == b else f.negative(f.divide(x, y))


# A factor so near 1 matters at the very ends of the range only, and there within a few ulp.
_NEAR = 4


def _number_and_rest(v: Node) -> tuple[Fraction | None, Node]:
    """The number and the other factor of a product; None where there is none."""
    for c, x in sides(v):
        a = _factor(c)
        if a is not None:
            return a, x
    return None, v


@rule("multiply", over=("reshape", "permute_dims", "getitem"))
def scaled_layout(n: Node, is_alone: Alone) -> Node | None:
    """a * layout(b * x) = layout(a * (b * x)) for numbers, also of b / x: there they meet"""
    for a, v in sides(n):
        scale = _factor(a)
        if v.op not in (op.reshape, op.permute_dims, op.getitem) or scale is None:
            continue
        (u,) = v.inputs
        if u.op not in (op.multiply, op.divide) or not u.ndim or u.type.size != v.type.size:
            continue
        numbers = [b for b in map(_factor, u.inputs) if b is not None]
        is_free = is_alone(v) and is_alone(u)
        if numbers and (is_free or u.op is op.multiply and scale * numbers[0] == 1):
            return v.op(f.multiply(a, u), **v.attrs)
        met = numbers_within.rewrite(f.multiply(a, u), is_alone) if is_free else None
        if met is not None:
            return v.op(met, **v.attrs)
    return None


@rule("multiply", over=("multiply",))
def number_on_the_small_side(n: Node, is_alone: Alone) -> Node | None:
    """s * (c * X) = (c * s) * X for an ordinary number c, and an s that is smaller than X"""
    if not n.type.is_float:
        return None
    for s, v in sides(n):
        if v.op is not op.multiply or s.shape == n.shape or not is_alone(v):
            continue
        c, x = _number_and_rest(v)
        if c is None or x.shape != n.shape or not s.dtype == x.dtype == n.dtype:
            continue
        if _is_ordinary(c) and _factor(s) is None:
            return f.multiply(f.multiply(like(n, float(c)), s), x)
    return None


def _is_ordinary(c: Fraction) -> bool:
    """Whether a number may be moved among factors: what it makes overflow was nearly there."""
    return Fraction(1, 1024) <= abs(c) <= 1024


@rule("multiply", over=LITERAL, beside=[factor.name for factor in FACTORS])
def numbers_within(n: Node, is_alone: Alone) -> Node | None:
    """2 * (x * (0.3 / y)) = x * (0.6 / y): a number near 1 meets another within the product"""
    c, v = _number_and_rest(n)
    if c is None or v.op not in FACTORS or v.shape != n.shape or not _is_near(c):
        return None
    return _with_number(v, c, n, is_alone)


def _is_near(c: Fraction) -> bool:
    """Whether a number may move within a product: what it passes is so many times as large then."""
    return Fraction(1, _NEAR) <= abs(c) <= _NEAR


def _with_number(v: Node, c: Fraction, n: Node, is_alone: Alone) -> Node | None:
    """c * v where a number is among the factors of v."""

    def times_c(x: Node) -> Node | None:
        b = _factor(x)
        return _rounded(b * c, n) if b is not None and x.dtype == n.dtype else None

    return taken_up(v, times_c, is_alone, depth=4)


@rule("add", over=("multiply", "divide"))
def added_to_itself(n: Node, is_alone: Alone) -> Node | None:
    """s * X + s * X = (2 * s) * X: the gradient of X * X, where s is small or holds a number"""
    v, again = n.inputs
    return _twice(v, n, is_alone) if v is again and n.type.is_float else None


@rule("add", "subtract", over=("add", "subtract"))
def halves_that_add_up(n: Node, is_alone: Alone) -> Node | None:
    """(a + 0.5 * x) + 0.5 * x = a + x, and (a + s * X) + s * X = a + (2 * s) * X"""
    if not n.type.is_float:
        return None
    for v, half in sides(n) if n.op is op.add else [n.inputs]:
        if v.op is not n.op or half.shape != n.shape or not is_alone(v):
            continue
        for a, b in sides(v) if n.op is op.add else [v.inputs]:
            # Nothing else may need the halves: each is used here, and in the sum within.
            whole = _twice(half, n, is_alone) if b is half else None
            if whole is not None:
                return n.op(a, whole)
    return None


def _twice(v: Node, n: Node, is_alone: Alone) -> Node | None:
    """2 * v where a number among its factors takes that up, or a factor that is smaller than v."""
    whole = _with_number(v, Fraction(2), n, lambda u: u is v or is_alone(u))
    if whole is not None or v.op is not op.multiply:
        return whole
    for s, x in sides(v):
        if s.shape != x.shape == n.shape and s.dtype == x.dtype == n.dtype:
            return f.multiply(f.multiply(like(n, 2), s), x)
    return None


@rule("add", "subtract", over=LITERAL, beside=("add", "subtract"))
def added_twice(n: Node, is_alone: Alone) -> Node | None:
    """a + (b + x) = (a + b) + x for numbers whose sum is exact"""
    if not n.type.is_float:
        return None
    for outer, v in sides(n):
        a = _summand(outer) if v.op in (op.add, op.subtract) else None
        if a is None or not is_alone(v):
            continue
        if n.op is op.subtract and outer is n.inputs[0]:
            continue  # a - (b + x)
        for inner, x in sides(v):
            b = _summand(inner)
            if b is None or x.dtype != n.dtype or (v.op is op.subtract and inner is v.inputs[0]):
                continue
            total = (b if v.op is op.add else -b) + (a if n.op is op.add else -a)
            whole = None if total == 0 else _rounded(total, n)
            if whole is not None and _factor(whole) == total:
                return f.add(x, whole)
    return None


def _summand(v: Node) -> Fraction | None:
    value = number(v)
    return None if value is None or not math.isfinite(value) else _exact(value)


@rule("multiply", over=("multiply", "divide"))
def small_factors_first(n: Node, is_alone: Alone) -> Node | None:
    """s * (t * X) = (s * t) * X where s and t are smaller than X, and in a tame range"""
    if not n.type.is_float:
        return None
    for s, v in sides(n):
        found = _small_part(v, n) if _is_small(s, n) and is_alone(v) else None
        if found is not None:
            t, x = found
            return f.multiply((f.multiply if v.op is op.multiply else f.divide)(s, t), x)
    return None


@rule("divide", over=("multiply", "divide"))
def small_divisors_first(n: Node, is_alone: Alone) -> Node | None:
    """(t * X) / s = (t / s) * X, (X / t) / s = X / (t * s) where s and t are smaller, and tame"""
    v, s = n.inputs
    found = _small_part(v, n) if _is_small(s, n) and is_alone(v) else None
    if found is None:
        return None
    t, x = found
    if v.op is op.multiply:
        return f.multiply(f.divide(t, s), x)
    return f.divide(x, f.multiply(t, s))


def _small_part(v: Node, n: Node) -> tuple[Node, Node] | None:
    """(t, x) where v is t * x or x / t, with t smaller than n and x as large."""
    if v.op not in (op.multiply, op.divide):
        return None
    for t, x in sides(v):
        if _is_small(t, n) and x.shape == n.shape and (v.op is op.multiply or t is v.inputs[1]):
            return t, x
    return None


def _is_small(s: Node, n: Node) -> bool:
    """A scalar beside a tensor, known to be neither tiny nor huge."""
    return not s.ndim and bool(n.ndim) and s.dtype == n.dtype and interval(s).is_tame(n.dtype)
