"""Exponentials and logarithms in their stable forms: log1p, expm1, softplus, sigmoid, hypot..."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from ...ir import Node, is_literal
from ..facts import interval
from ..rewrite import rule
from .quotients import undivided
from .vocabulary import QUOTIENTS, Alone, f, like, number, numerator, op, sides, taken_up


@rule("log", over=("exp",), signs=True)
def log_of_exp(n: Node) -> Node | None:
    """log(exp(x)) = x"""
    match n:
        case Node(op.log, (Node(op.exp, (x,)),)):
            return x
    return None


@rule("exp", over=("log",), signs=True)
def exp_of_log(n: Node) -> Node | None:
    """exp(log(x)) = x for x >= 0"""
    match n:
        case Node(op.exp, (Node(op.log, (x,)),)) if interval(x).is_not_negative:
            return x
    return None


def one_plus(v: Node) -> Node | None:
    """The x of 1 + x."""
    if v.op is not op.add:
        return None
    return next((x for one, x in sides(v) if is_literal(one, 1) and x.type == v.type), None)


def _exp_of(v: Node | None) -> Node | None:
    """The x of exp(x)."""
    return v.inputs[0] if v is not None and v.op is op.exp else None


@rule("log", over=("add",), signs=True)
def log_of_one_plus(n: Node) -> Node | None:
    """log(1 + x) = log1p(x), log(1 + exp(x)) = softplus(x)"""
    x = one_plus(n.inputs[0])
    exponent = _exp_of(x)
    if exponent is not None:
        return f.softplus(exponent)
    return None if x is None else f.log1p(x)


@rule("log1p", over=("exp",))
def log1p_of_exp(n: Node) -> Node | None:
    """log1p(exp(x)) = softplus(x)"""
    x = _exp_of(n.inputs[0])
    return None if x is None else f.softplus(x)


@rule("log", over=("add",))
def log_of_sum_of_exponentials(n: Node) -> Node | None:
    """log(exp(x) + exp(y)) = logaddexp(x, y)"""
    match n:
        case Node(op.log, (Node(op.add, (Node(op.exp, (x,)), Node(op.exp, (y,)))),)):
            return f.logaddexp(x, y)
    return None


@rule("log", over=("sigmoid", "multiply", "square", "power"), among=("sigmoid",))
def log_of_sigmoid(n: Node) -> Node | None:
    """log(sigmoid(x)) = -softplus(-x), also of products and powers: of one sign, nothing cancels"""
    found = _minus_log(n.inputs[0])
    return None if found is None else f.negative(found)


def _minus_log(v: Node, depth: int = 3) -> Node | None:
    """-log(v) for a product of sigmoids and their powers."""
    match v:
        case Node(op.sigmoid, (x,)):
            return f.softplus(f.negative(x))
        case Node(op.multiply, factors) if depth:
            parts = [_minus_log(u, depth - 1) for u in factors]
            return None if None in parts else f.add(*parts)
        case Node(op.square, (u,)) if depth:
            return _scaled(_minus_log(u, depth - 1), 2)
        case Node(op.power, (u, k)) if depth and (number(k) or 0) > 0:
            return _scaled(_minus_log(u, depth - 1), number(k))
    return None


def _scaled(v: Node | None, k: float) -> Node | None:
    return None if v is None else f.multiply(like(v, k), v)


@rule("log", over=("subtract",))
def log_of_rest(n: Node) -> Node | None:
    """log(1 - sigmoid(x)) = -softplus(x)"""
    match n:
        case Node(op.log, (Node(op.subtract, (one, Node(op.sigmoid, (x,)))),)):
            return f.negative(f.softplus(x)) if is_literal(one, 1) else None
    return None


@rule("multiply", over=("exp",))
def slope_of_sigmoid(n: Node, is_alone: Alone) -> Node | None:
    """p / (1 + e) * e = p * (1 - p) for p = 1 / (1 + e), e = exp(x): times sigmoid(x)"""
    for w, e in sides(n):
        if e.op is not op.exp or w.op not in (op.multiply, op.divide) or not is_alone(w):
            continue
        for r, rest in sides(w) if w.op is op.multiply else ((w, None),):
            if r.op is not op.divide or _exp_of(one_plus(r.inputs[1])) is not e.inputs[0]:
                continue
            p, slope = r.inputs[0], f.sigmoid(e.inputs[0])
            if p is f.sigmoid(f.negative(e.inputs[0])) or p is f.reciprocal(r.inputs[1]):
                slope = f.multiply(p, slope)
                return slope if rest is None else f.multiply(rest, slope)
    return None


@rule("multiply", over=("exp",))
def sigmoid_times_exponential(n: Node, is_alone: Alone) -> Node | None:
    """sigmoid(-x) * exp(x) = sigmoid(x), and so within a product"""
    for w, e in sides(n):
        if e.op is op.exp and w.op in (op.sigmoid, op.multiply, op.square):
            return _times_exponential(w, e.inputs[0], is_alone, depth=3)
    return None


def _times_exponential(w: Node, x: Node, is_alone: Alone, depth: int) -> Node | None:
    """w * exp(x) where sigmoid(-x) is among the factors of w."""
    if w.op is op.sigmoid:
        return f.sigmoid(x) if w.inputs[0] is f.negative(x) else None
    if w.op not in (op.multiply, op.square) or not depth or not is_alone(w):
        return None
    for a, rest in sides(w) if w.op is op.multiply else (w.inputs * 2,):
        found = _times_exponential(a, x, is_alone, depth - 1)
        if found is not None:
            return f.multiply(rest, found)
    return None


@rule("multiply", over=("exp",))
def share_times_exponential(n: Node, is_alone: Alone) -> Node | None:
    """u / (1 + e) * e = u * sigmoid(x) for e = exp(x), and so within a product or a quotient"""
    for w, e in sides(n):
        above = _times_one_plus(w, e, is_alone) if e.op is op.exp else None
        if above is not None:
            return f.multiply(above, f.sigmoid(e.inputs[0]))
    return None


def _times_one_plus(w: Node, e: Node, is_alone: Alone) -> Node | None:
    """w * (1 + e) where 1 + e is among the divisors of w, or of each of its terms."""

    def times(v: Node) -> Node | None:
        if v.op is op.sigmoid and v.inputs[0] is f.negative(e.inputs[0]):
            return like(v, 1)
        is_over = v.op in QUOTIENTS and one_plus(v.inputs[-1]) is e
        return numerator(v) if is_over else None

    return taken_up(w, times, is_alone, depth=4, in_terms=True)


@rule("add", "subtract", over=("divide", "multiply"), among=("exp",), signs=True)
def slope_of_share(n: Node) -> Node | None:
    """g / d - (g * t / d) / d = g / d * sigmoid(-x) for t = exp(x), d = 1 + t, and so for t - 1

    The terms cancel: to round one otherwise, as a sigmoid, would bring out what had vanished.
    """
    for a, b in sides(n):
        for x in _exponents(b):
            above_a, count_a = _share(a, x)
            above_b, count_b = _share(b, x)
            extra = above_b - above_a
            if count_b != count_a + 1 or above_a - above_b or extra.total() != 1:
                continue
            (t,) = extra
            times = _missing(t, f.exp(x), n.op is op.subtract)
            if times:
                slope = f.multiply(a, f.sigmoid(f.negative(x)))
                slope = slope if times == 1 else f.multiply(like(n, times), slope)
                return slope if a is n.inputs[0] or n.op is op.add else f.negative(slope)
    return None


def _exponents(v: Node, depth: int = 4) -> Iterator[Node]:
    """Each x for which v is a quotient by 1 + exp(x)."""
    x = _exp_of(one_plus(v.inputs[1])) if v.op is op.divide else None
    if x is not None:
        yield x
    if depth and v.op in (op.multiply, op.divide, op.negative):
        for u in v.inputs:
            yield from _exponents(u, depth - 1)


def _share(v: Node, x: Node, depth: int = 4) -> tuple[Counter[Node], int]:
    """The factors of v but for 1 / (1 + exp(x)), and how often that is among them."""
    match v:
        case Node(op.sigmoid, (y,)) if y is x:
            return Counter([f.exp(x)]), 1
        case Node(op.sigmoid, (Node(op.negative, (y,)),)) if y is x:
            return Counter(), 1
        case Node(op.reciprocal, (d,)) if _exp_of(one_plus(d)) is x:
            return Counter(), 1
        case Node(op.divide, (u, d)) if depth and _exp_of(one_plus(d)) is x:
            above, count = _share(u, x, depth - 1)
            return +Counter({u: k for u, k in above.items() if not is_literal(u, 1)}), count + 1
        case Node(op.multiply, (u, w)) if depth:
            (first, i), (second, j) = _share(u, x, depth - 1), _share(w, x, depth - 1)
            return first + second, i + j
    return Counter([v]), 0


def _missing(t: Node, e: Node, is_less: bool) -> int:
    """What 1 + e has more than t (or than -t) where that is a number; else 0."""
    match t:
        case Node(op.expm1, (x,)) if is_less and x is e.inputs[0]:
            return 2
        case Node(op.subtract, (u, one)) if is_less and u is e and is_literal(one, 1):
            return 2
        case Node(op.subtract, (one, u)) if not is_less and u is e and is_literal(one, 1):
            return 2
    return 1 if t is e and is_less else 0


@rule("subtract", over=("exp",), signs=True)
def exp_minus_one(n: Node) -> Node | None:
    """exp(x) - 1 = expm1(x)"""
    match n:
        case Node(op.subtract, (Node(op.exp, (x,)), one)) if is_literal(one, 1):
            return f.expm1(x) if x.dtype == n.dtype else None
    return None


@rule("subtract", over=("exp",))
def exp_minus_one_below(n: Node) -> Node | None:
    """exp(x) - 1 = expm1(x + 0), whose zeros are positive too, where their sign is seen"""
    whole = exp_minus_one(n)
    return None if whole is None else f.expm1(f.add(whole.inputs[0], like(n, 0)))


@rule("subtract", over=("exp",))
def one_minus_exp(n: Node) -> Node | None:
    """1 - exp(x) = 0 - expm1(x), whose zeros are positive too"""
    match n:
        case Node(op.subtract, (one, Node(op.exp, (x,)))) if is_literal(one, 1):
            return f.subtract(like(n, 0), f.expm1(x)) if x.dtype == n.dtype else None
    return None


@rule("multiply", over=("exp",), among=("expm1",), signs=True)
def exponential_over_expm1(n: Node, is_alone: Alone) -> Node | None:
    """u / m * exp(x) = u + u / m for m = expm1(x), x >= -1; else both at most the largest"""
    for v, e in sides(n):
        x = _exp_of(e)
        if x is None:
            continue
        for m in (f.expm1(x), f.expm1(f.add(x, like(x, 0)))):
            u = undivided(v, m, is_alone, depth=4)
            if u is not None and interval(x).low >= -1:
                return f.add(u, f.divide(u, m))
            if u is not None:
                largest = like(n, float(np.finfo(n.dtype).max))
                return f.multiply(f.divide(u, f.minimum(m, largest)), f.minimum(e, largest))
    return None


@rule("multiply", over=("sigmoid",))
def quotient_times_share(n: Node, is_alone: Alone) -> Node | None:
    """u / (1 + exp(x)) * sigmoid(x) = u * (sigmoid(x) * sigmoid(-x))"""
    for v, s in sides(n):
        if v.op is op.divide and s.op is op.sigmoid and is_alone(v):
            (x,) = s.inputs
            if _exp_of(one_plus(v.inputs[1])) is x:
                return f.multiply(v.inputs[0], f.multiply(s, f.sigmoid(f.negative(x))))
    return None


@rule("divide", over=("sinh",))
def hyperbolic_quotient(n: Node) -> Node | None:
    """sinh(x) / cosh(x) = tanh(x)"""
    match n:
        case Node(op.divide, (Node(op.sinh, (x,)), Node(op.cosh, (y,)))) if x is y:
            return f.tanh(x)
    return None


@rule("log", over=("cosh",))
def log_of_cosh(n: Node) -> Node | None:
    """log(cosh(x)) = s + log1p(expm1(-2 * s) / 2) for s = |x|"""
    match n:
        case Node(op.log, (Node(op.cosh, (x,)),)):
            s = f.abs(x)
            rest = f.expm1(f.multiply(like(n, -2), s))
            return f.add(s, f.log1p(f.multiply(like(n, 0.5), rest)))
    return None


@rule("sqrt", over=("exp",))
def root_of_exp(n: Node) -> Node | None:
    """sqrt(exp(x)) = exp(x / 2)"""
    match n:
        case Node(op.sqrt, (Node(op.exp, (x,)),)):
            return f.exp(f.multiply(like(n, 0.5), x))
    return None


@rule("log", over=("divide",), signs=True)
def log_of_odds(n: Node) -> Node | None:
    """log(sigmoid(x) / (1 - sigmoid(x))) = x"""
    match n:
        case Node(op.log, (Node(op.divide, (Node(op.sigmoid, (x,)), rest)),)):
            if rest is f.sigmoid(f.negative(x)):
                return x
            if rest.op is op.subtract and is_literal(rest.inputs[0], 1):
                return x if rest.inputs[1] is f.sigmoid(x) else None
    return None


@rule("reciprocal", over=("add",))
def reciprocal_of_one_plus_exp(n: Node) -> Node | None:
    """1 / (1 + exp(-x)) = sigmoid(x)"""
    x = _exp_of(one_plus(n.inputs[0]))
    return None if x is None else f.sigmoid(f.negative(x))


@rule("divide", over=("add", "square"))
def share_of_exponential(n: Node) -> Node | None:
    """1 / (1 + exp(-x)) = exp(x) / (1 + exp(x)) = sigmoid(x); over (1 + exp(x))^2, its slope"""
    top, bottom = n.inputs
    if bottom.op is op.square:
        exponential = one_plus(bottom.inputs[0])
        x = _exp_of(exponential)
        if x is not None and top is exponential:
            return f.multiply(f.sigmoid(x), f.sigmoid(f.negative(x)))
        return None
    exponential = one_plus(bottom)
    x = _exp_of(exponential)
    if x is None:
        return None
    if top is exponential:
        return f.sigmoid(x)
    return f.sigmoid(f.negative(x)) if is_literal(top, 1) else None


@rule("subtract", over=("sigmoid",))
def one_minus_sigmoid(n: Node, is_alone: Alone) -> Node | None:
    """1 - sigmoid(x) = sigmoid(-x)"""
    match n:
        case Node(op.subtract, (one, Node(op.sigmoid, (x,)) as s)):
            if is_literal(one, 1) and is_alone(s):
                return f.sigmoid(f.negative(x))
    return None


@rule("subtract", "add", over=("sigmoid",), signs=True)
def sigmoid_minus_one(n: Node) -> Node | None:
    """sigmoid(x) - 1 = -sigmoid(-x)"""
    for s, one in sides(n) if n.op is op.add else (n.inputs,):
        if s.op is op.sigmoid and is_literal(one, -1 if n.op is op.add else 1):
            return f.negative(f.sigmoid(f.negative(s.inputs[0])))
    return None


@rule("sqrt", over=("add",))
def root_of_sum_of_squares(n: Node, is_alone: Alone) -> Node | None:
    """sqrt(x^2 + y^2) = hypot(x, y) unless nothing can overflow"""
    match n:
        case Node(op.sqrt, (Node(op.add, (Node(op.square, (x,)), Node(op.square, (y,)))) as s,)):
            largest = 1e150 if n.dtype == np.float64 else 1e18
            if is_alone(s) and interval(x).size + interval(y).size > largest:
                return f.hypot(x, y)
    return None
