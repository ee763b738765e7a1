"""Structural rules. Each is its equation; `strict=True` marks those that are IEEE for IEEE.

The others keep the promise of `simplify=True`: what was finite stays finite, with an error at most
four times as large plus a few ulp. Floats only where nothing else is said.
"""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Callable, Iterable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import shapes
from ..errors import ShapeError
from ..ir import FUNCTIONS, OPS, Node
from ..ops import contract, elementwise, index, layout, leaves, reduce, scan  # noqa: F401
from ..ops.chain import is_literal
from .facts import interval
from .rewrite import Rule, rule


class _Functions:
    """`f.exp(x)` builds a node by the name of a public function."""

    def __getattr__(self, name: str) -> Callable[..., Node]:
        if name not in FUNCTIONS:
            raise AttributeError(name)
        return FUNCTIONS[name]


op: Any = SimpleNamespace(**OPS)
f = _Functions()

Alone = Callable[[Node], bool]

_ELEMENTWISE = tuple(o.name for o in OPS.values() if o.family == "elementwise")
# What IEEE 754 defines to the last bit, and what only computes with truth values.
_EXACT = tuple(
    name
    for name in _ELEMENTWISE
    if name
    in (
        "add", "subtract", "multiply", "divide", "negative", "square", "sqrt", "reciprocal", "abs",
        "sign", "relu", "maximum", "minimum", "clip", "floor", "ceil", "trunc", "round", "where",
        "astype", "stop_gradient",
    )
    or name.startswith(("is", "equal", "not_", "less", "greater", "logical"))
)  # fmt: skip
_ROUNDED = tuple(name for name in _ELEMENTWISE if name not in _EXACT)
LITERAL = ("constant", "broadcast_to")

# A sum of more terms than this is taken as it is.
_MOST_TERMS = 64

_WHOLE = layout.Span(None, None, 1)


def number(v: Node) -> Any:
    """The one number that a constant holds, broadcast or not; None for anything else."""
    while v.op is op.broadcast_to:
        v = v.inputs[0]
    return v.attrs["value"].array.item() if v.op is op.constant and not v.ndim else None


def sides(n: Node) -> Iterable[tuple[Node, Node]]:
    """The operands of a commutative op, both ways."""
    a, b = n.inputs
    return ((a, b), (b, a))


def like(n: Node, value: float) -> Node:
    """A constant of a node's dtype."""
    made: Node = f.constant(value, dtype=n.dtype)
    return made


# -- layout -----------------------------------------------------------------------------------

@rule("permute_dims", over=("permute_dims",), strict=True)
def transpose_of_transpose(n: Node) -> Node | None:
    """transpose(transpose(x, p), q) = transpose(x, p[q])"""
    match n:
        case Node(op.permute_dims, (Node(op.permute_dims, (x,), {"axes": p}),), {"axes": q}):
            return f.permute_dims(x, tuple(p[k] for k in q))
    return None


@rule("reshape", strict=True)
def reshape_of_reshape(n: Node) -> Node | None:
    """reshape(reshape(x)) = reshape(x)"""
    match n:
        case Node(op.reshape, (Node(op.reshape, (x,)),)):
            return f.reshape(x, n.shape)
        case Node(op.reshape, (Node(op.getitem, (x,), {"index": at}),)):
            return f.reshape(x, n.shape) if layout.keeps_all(x.shape, at) else None
    return None


@rule("broadcast_to", over=("broadcast_to",), strict=True)
def broadcast_of_broadcast(n: Node) -> Node | None:
    """broadcast(broadcast(x)) = broadcast(x)"""
    match n:
        case Node(op.broadcast_to, (Node(op.broadcast_to, (x,)),)):
            return f.broadcast_to(x, n.shape)
    return None


@rule("reshape", "permute_dims", "getitem", over=("broadcast_to",), strict=True)
def layout_of_one_number(n: Node) -> Node | None:
    """layout(broadcast(x)) = broadcast(x) for a scalar x"""
    match n:
        case Node(_, (Node(op.broadcast_to, (Node() as x,)),)) if not x.ndim:
            return f.broadcast_to(x, n.shape)
    return None


@rule(*_EXACT, over=("broadcast_to",), strict=True)
def arithmetic_on_stretched(n: Node) -> Node | None:
    """f(broadcast(x), y) = f(x, y) for arithmetic: it stretches its operands itself"""
    if all(x.op is not op.broadcast_to for x in n.inputs):
        return None
    return n.op(*(x.inputs[0] if x.op is op.broadcast_to else x for x in n.inputs), **n.attrs)


@rule(*_ROUNDED, over=("broadcast_to",))
def function_on_stretched(n: Node) -> Node | None:
    """f(broadcast(x)) = broadcast(f(x)): computed once, by a loop that may round otherwise"""
    return arithmetic_on_stretched(n)


@rule("getitem", over=("concat",), strict=True)
def slice_of_concat(n: Node) -> Node | None:
    """concat(x, y, ...)[the part of x] = x"""
    match n:
        case Node(op.getitem, (Node(op.concat, parts, {"axis": axis}),), {"index": at}):
            span = _only_span(at, axis)
            start: Any = 0
            for x in parts:
                stop = shapes.as_dim(start + x.shape[axis])
                if span == layout.Span(start, stop, 1) or (
                    span is not None and span.step == 1
                    and (span.start or 0) == start
                    and (stop if span.stop is not None else n.inputs[0].shape[axis])
                    == (span.stop if span.stop is not None else stop)
                ):
                    return x
                start = stop
    return None


def _only_span(at: layout.Index, axis: int) -> layout.Span | None:
    """The slice along one axis, where an index takes the others whole."""
    if len(at) <= axis or any(not isinstance(e, layout.Span) for e in at):
        return None
    if any(e != _WHOLE for k, e in enumerate(at) if k != axis):
        return None
    span = at[axis]
    return span if isinstance(span, layout.Span) else None


@rule("getitem", over=("place",), strict=True)
def slice_of_place(n: Node) -> Node | None:
    """place(x, at)[at] = x"""
    match n:
        case Node(op.getitem, (Node(op.place, (x,), {"index": there}),), {"index": at}):
            return x if there == at else None
    return None


@rule("getitem", over=("pad",), strict=True)
def slice_of_pad(n: Node) -> Node | None:
    """pad(x)[the part of x] = x"""
    match n:
        case Node(op.getitem, (Node(op.pad, (x,), {"widths": widths}),), {"index": at}):
            inside = tuple(
                layout.Span(before, shapes.as_dim(before + d), 1)
                for (before, _), d in zip(widths, x.shape, strict=True)
            )
            return x if inside == at else None
    return None


@rule("add", over=("add", "place"), signs=True)
def places_that_tile(n: Node) -> Node | None:
    """place(x, 0:k) + place(y, k:n) + ... = concat(x, y, ...)"""
    terms: list[Node] = []
    waiting = [n]
    while waiting:
        t = waiting.pop()
        if t.op is op.add and len(terms) + len(waiting) < _MOST_TERMS:
            waiting.extend(t.inputs)
        elif t.op is op.place and t.shape == n.shape:
            terms.append(t)
        else:
            return None
    for axis in range(n.ndim):
        spans = [_only_span(t.attrs["index"], axis) for t in terms]
        if any(s is None or s.step != 1 for s in spans):
            continue
        by_start = {s.start or 0: (s, t) for s, t in zip(spans, terms, strict=True) if s}
        parts, at = [], shapes.as_dim(0)
        while at in by_start:
            span, t = by_start.pop(at)
            parts.append(t.inputs[0])
            at = shapes.as_dim(at + t.inputs[0].shape[axis])
            if (n.shape[axis] if span.stop is None else span.stop) != at:
                return None
        if by_start or at != n.shape[axis] or len({p.dtype for p in parts}) > 1:
            return None
        return f.concat(parts, axis=axis)
    return None


@rule("astype", strict=True)
def cast_of_cast(n: Node) -> Node | None:
    """astype(astype(x, wide), t) = astype(x, t)"""
    match n:
        case Node(op.astype, (Node(op.astype, (x,)) as wide,), {"dtype": dtype}):
            if _holds_all(wide.dtype, x.dtype):
                return f.astype(x, dtype)
    return None


def _holds_all(wide: np.dtype[Any], narrow: np.dtype[Any]) -> bool:
    """Whether every value of one dtype is a value of another."""
    if wide.kind == "f" and narrow.kind in "iu":
        return narrow.itemsize < wide.itemsize
    return np.can_cast(narrow, wide, "safe")


# -- ones, zeros and signs --------------------------------------------------------------------

@rule("multiply", over=LITERAL, strict=True)
def times_one(n: Node) -> Node | None:
    """1 * x = x"""
    return next((x for one, x in sides(n) if is_literal(one, 1)), None)


@rule("divide", over=LITERAL, strict=True)
def divided_by_one(n: Node) -> Node | None:
    """x / 1 = x"""
    x, one = n.inputs
    return x if is_literal(one, 1) else None


@rule("add", over=LITERAL, signs=True)
def plus_zero(n: Node) -> Node | None:
    """x + 0 = x"""
    return next((x for zero, x in sides(n) if is_literal(zero, 0)), None)


@rule("add", over=LITERAL, strict=True)
def plus_negative_zero(n: Node) -> Node | None:
    """x + (-0) = x"""
    return next((x for zero, x in sides(n) if _is_zero(zero, -1.0)), None)


def _is_zero(v: Node, sign: float) -> bool:
    value = number(v)
    return v.type.is_float and value == 0 and math.copysign(1.0, value) == sign


@rule("subtract", over=LITERAL, strict=True)
def minus_zero(n: Node) -> Node | None:
    """x - 0 = x"""
    x, zero = n.inputs
    return x if _is_zero(zero, 1.0) else None


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


@rule("negative", over=("multiply", "divide"), strict=True)
def negative_of_scaled(n: Node, is_alone: Alone) -> Node | None:
    """-(c * x) = (-c) * x, -(c / x) = (-c) / x, -(x / c) = x / (-c) for a number c"""
    (v,) = n.inputs
    if not n.type.is_float or not is_alone(v):
        return None
    match v:
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


@rule("negative", over=("subtract",), signs=True)
def negative_of_difference(n: Node, is_alone: Alone) -> Node | None:
    """-(x - y) = y - x"""
    match n:
        case Node(op.negative, (Node(op.subtract, (x, y)) as v,)) if is_alone(v):
            return f.subtract(y, x)
    return None


@rule("square", "abs", strict=True)
def even_of_negative(n: Node) -> Node | None:
    """(-x)^2 = x^2, |-x| = |x|, |x|^2 = x^2"""
    match n:
        case Node(_, (Node(op.negative | op.abs, (x,)),)) if n.type.is_float:
            return n.op(x)
    return None


# -- powers, roots, exponentials --------------------------------------------------------------

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


@rule("sqrt")
def root_of_square(n: Node) -> Node | None:
    """sqrt(x^2) = |x|"""
    match n:
        case Node(op.sqrt, (Node(op.square, (x,)),)):
            return f.abs(x)
    return None


@rule("square")
def square_of_root(n: Node) -> Node | None:
    """sqrt(x)^2 = x for x >= 0"""
    match n:
        case Node(op.square, (Node(op.sqrt, (x,)),)) if interval(x).is_not_negative:
            return x
    return None


@rule("log", over=("exp",))
def log_of_exp(n: Node) -> Node | None:
    """log(exp(x)) = x"""
    match n:
        case Node(op.log, (Node(op.exp, (x,)),)):
            return x
    return None


@rule("exp")
def exp_of_log(n: Node) -> Node | None:
    """exp(log(x)) = x for x >= 0"""
    match n:
        case Node(op.exp, (Node(op.log, (x,)),)) if interval(x).is_not_negative:
            return x
    return None


def _one_plus(v: Node) -> Node | None:
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
    x = _one_plus(n.inputs[0])
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


@rule("log", over=("sigmoid",))
def log_of_sigmoid(n: Node) -> Node | None:
    """log(sigmoid(x)) = -softplus(-x)"""
    match n:
        case Node(op.log, (Node(op.sigmoid, (x,)),)):
            return f.negative(f.softplus(f.negative(x)))
    return None


@rule("subtract", over=("exp",), signs=True)
def exp_minus_one(n: Node) -> Node | None:
    """exp(x) - 1 = expm1(x)"""
    match n:
        case Node(op.subtract, (Node(op.exp, (x,)), one)) if is_literal(one, 1):
            return f.expm1(x) if x.dtype == n.dtype else None
    return None


@rule("reciprocal", over=("add",))
def reciprocal_of_one_plus_exp(n: Node) -> Node | None:
    """1 / (1 + exp(-x)) = sigmoid(x)"""
    x = _exp_of(_one_plus(n.inputs[0]))
    return None if x is None else f.sigmoid(f.negative(x))


@rule("divide", over=("add", "square"))
def share_of_exponential(n: Node) -> Node | None:
    """1 / (1 + exp(-x)) = exp(x) / (1 + exp(x)) = sigmoid(x); over (1 + exp(x))^2, its slope"""
    top, bottom = n.inputs
    if bottom.op is op.square:
        exponential = _one_plus(bottom.inputs[0])
        x = _exp_of(exponential)
        if x is not None and top is exponential:
            return f.multiply(f.sigmoid(x), f.sigmoid(f.negative(x)))
        return None
    exponential = _one_plus(bottom)
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


@rule("sqrt", over=("add",))
def root_of_sum_of_squares(n: Node, is_alone: Alone) -> Node | None:
    """sqrt(x^2 + y^2) = hypot(x, y) unless nothing can overflow"""
    match n:
        case Node(op.sqrt, (Node(op.add, (Node(op.square, (x,)), Node(op.square, (y,)))) as s,)):
            largest = 1e150 if n.dtype == np.float64 else 1e18
            if is_alone(s) and interval(x).size + interval(y).size > largest:
                return f.hypot(x, y)
    return None


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


# -- numbers and scalars ----------------------------------------------------------------------

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


# -- choices ----------------------------------------------------------------------------------

@rule("stop_gradient", strict=True)
def stopped(n: Node) -> Node | None:
    """stop_gradient(x) = x: no gradient is taken any more"""
    return n.inputs[0]


@rule("where", strict=True)
def choice_of_equals(n: Node) -> Node | None:
    """where(c, x, x) = x"""
    _, x, y = n.inputs
    return x if x is y else None


@rule("where", over=LITERAL, strict=True)
def choice_that_is_known(n: Node) -> Node | None:
    """where(True, x, y) = x, where(False, x, y) = y"""
    c, x, y = n.inputs
    known = number(c)
    return None if known is None else x if known else y


@rule("where", over=("where",), strict=True)
def choice_in_choice(n: Node) -> Node | None:
    """where(c, where(c, x, y), z) = where(c, x, z)"""
    match n:
        case Node(op.where, (c, Node(op.where, (d, x, _)), z)) if c is d:
            return f.where(c, x, z)
        case Node(op.where, (c, x, Node(op.where, (d, _, z)))) if c is d:
            return f.where(c, x, z)
    return None


@rule("where", over=("logical_not",), strict=True)
def choice_by_not(n: Node) -> Node | None:
    """where(not c, x, y) = where(c, y, x)"""
    match n:
        case Node(op.where, (Node(op.logical_not, (c,)), x, y)):
            return f.where(c, y, x)
    return None


@rule("logical_not", over=("logical_not",), strict=True)
def not_not(n: Node) -> Node | None:
    """not not p = p"""
    match n:
        case Node(op.logical_not, (Node(op.logical_not, (p,)),)):
            return p
    return None


@rule("add", over=("where",), signs=True)
def sum_of_choices(n: Node, is_alone: Alone) -> Node | None:
    """where(c, x, 0) + where(c, 0, y) = where(c, x, y), and so on by one condition"""
    match n:
        case Node(op.add, (Node(op.where, (c, a, b)) as u, Node(op.where, (d, x, y)) as v)):
            if c is d and is_alone(u) and is_alone(v):
                first, second = _sum_unless_zero(a, x), _sum_unless_zero(b, y)
                if first is not None and second is not None:
                    return f.where(c, first, second)
    return None


def _sum_unless_zero(a: Node, b: Node) -> Node | None:
    """a + b where one of them is 0, so that nothing is computed anew."""
    return b if is_literal(a, 0) else a if is_literal(b, 0) else None


# -- reductions -------------------------------------------------------------------------------

@rule("sum", over=("broadcast_to",), signs=True)
def sum_of_stretched(n: Node) -> Node | None:
    """sum(broadcast(x)) = size * sum(x) over the axes that were stretched"""
    match n:
        case Node(op.sum, (Node(op.broadcast_to, (x,)) as v,), {"axis": axes}):
            if not n.type.is_float or any(shapes.size((v.shape[k],)) == 0 for k in axes):
                return None
            offset = v.ndim - x.ndim
            stretched = [k for k in axes if k < offset or x.shape[k - offset] != v.shape[k]]
            if not stretched:
                return None
            count = f.size(shapes.size(tuple(v.shape[k] for k in stretched)), n.dtype)
            # Axes that were stretched have size 1 in x: with the others, sum over all of these.
            rest = tuple(k - offset for k in axes if k >= offset)
            total = f.sum(x, axis=rest, keepdims=n.attrs["keepdims"]) if rest else x
            scaled = f.multiply(total, count)
            return scaled if _is_suffix(scaled.shape, n.shape) else f.reshape(scaled, n.shape)
    return None


def _is_suffix(small: shapes.Shape, large: shapes.Shape) -> bool:
    """Whether broadcasting brings one shape to another."""
    try:
        return shapes.broadcast(small, large) == large
    except ShapeError:
        return False


@rule("sum", "max", "min", signs=True)
def reduction_of_single(n: Node) -> Node | None:
    """sum(x) = max(x) = min(x) = x over axes of size 1"""
    (x,) = n.inputs
    if x.dtype == n.dtype and all(x.shape[k] == 1 for k in n.attrs["axis"]):
        return f.reshape(x, n.shape)
    return None


@rule("sum", "max", "min", over=("sum", "max", "min"), signs=True)
def reduction_of_reduction(n: Node, is_alone: Alone) -> Node | None:
    """sum(sum(x, axis)) = sum(x), and so with max and min, where all is reduced"""
    (v,) = n.inputs
    if v.op is n.op and is_alone(v) and not n.ndim and v.dtype == n.dtype:
        return n.op(v.inputs[0], axis=tuple(range(v.inputs[0].ndim)), keepdims=False)
    return None


@rule("sum", "max", "min", over=("permute_dims", "reshape"), signs=True)
def reduction_of_layout(n: Node) -> Node | None:
    """sum(transpose(x)) = sum(reshape(x)) = sum(x), and so with max and min"""
    (v,) = n.inputs
    if v.op in (op.permute_dims, op.reshape) and len(n.attrs["axis"]) == v.ndim and not n.ndim:
        x = v.inputs[0]
        return n.op(x, axis=tuple(range(x.ndim)), keepdims=False)
    return None


@rule("sum", over=("negative",), signs=True)
def sum_of_negative(n: Node) -> Node | None:
    """sum(-x) = -sum(x)"""
    match n:
        case Node(op.sum, (Node(op.negative, (x,)),)) if n.type.is_float:
            return f.negative(op.sum(x, **n.attrs))
    return None


@rule("sum", over=("multiply", "divide"), signs=True)
def sum_of_scaled(n: Node, is_alone: Alone) -> Node | None:
    """sum(s * x) = s * sum(x) for a scalar s with |s| >= 1, or where sum(x) cannot overflow"""
    (v,) = n.inputs
    if v.op not in (op.multiply, op.divide) or not n.type.is_float or not is_alone(v):
        return None
    for s, x in sides(v):
        if s.ndim or not x.ndim or x.shape != v.shape or x.dtype != n.dtype or s.dtype != n.dtype:
            continue
        if v.op is op.divide and s is v.inputs[0]:
            continue
        bounds = interval(s)
        smallest = 0.0 if bounds.low <= 0 <= bounds.high else min(map(abs, bounds))
        grows = smallest >= 1 if v.op is op.multiply else bounds.size <= 1 and smallest > 0
        if grows or interval(x).size <= (1e200 if n.dtype == np.float64 else 1e10):
            return v.op(op.sum(x, **n.attrs), s)
    return None


@rule("sum", over=("multiply", "square"), signs=True)
def sum_of_products(n: Node, is_alone: Alone) -> Node | None:
    """sum(x * y) = vdot(x, y), sum(x^2) = vdot(x, x)"""
    (v,) = n.inputs
    if v.op not in (op.multiply, op.square) or not is_alone(v) or not v.ndim:
        return None
    x, y = v.inputs if v.op is op.multiply else v.inputs * 2
    same = x.shape == y.shape == v.shape and x.dtype == y.dtype == n.dtype
    if not same or len(n.attrs["axis"]) < v.ndim or n.ndim or not _adds_up(v):
        return None
    return f.vdot(x, y)


def _adds_up(v: Node) -> bool:
    """Whether a dot product of this many terms is as good as a pairwise sum, within a few ulp."""
    if v.dtype == np.float32:
        return isinstance(v.size, int) and v.size <= 4096
    return v.dtype == np.float64


# -- contractions -----------------------------------------------------------------------------

def _letters(n: Node) -> tuple[list[str], str]:
    left, out = n.attrs["subscripts"].split("->")
    return left.split(","), out


@rule("einsum", over=("permute_dims",))
def contraction_of_transposes(n: Node) -> Node | None:
    """einsum(transpose(x), y) = einsum(x, y) with other letters"""
    if all(x.op is not op.permute_dims for x in n.inputs):
        return None
    terms, out = _letters(n)
    operands = list(n.inputs)
    for i, x in enumerate(operands):
        if x.op is op.permute_dims:
            back = layout.inverse(x.attrs["axes"])
            terms[i], operands[i] = "".join(terms[i][k] for k in back), x.inputs[0]
    return contract.contract(",".join(terms) + "->" + out, operands)


@rule("permute_dims", over=("einsum",))
def transpose_of_contraction(n: Node, is_alone: Alone) -> Node | None:
    """(A @ B).T = B.T @ A.T: a matrix product has its result in either order"""
    match n:
        case Node(op.permute_dims, (Node(op.einsum, xs) as v,), {"axes": axes}):
            if not is_alone(v) or n.ndim != 2:
                return None
            terms, out = _letters(v)
            order = "".join(out[k] for k in axes)
            return contract.contract(",".join(terms) + "->" + order, xs)
    return None


@rule("einsum")
def operands_in_order(n: Node) -> Node | None:
    """einsum(x, y) -> letters of y, then of x = einsum(y, x)"""
    terms, out = _letters(n)
    if len(terms) != 2 or set(out) & set(terms[0]) & set(terms[1]) or n.ndim < 2:
        return None
    right = "".join(c for c in out if c in terms[1])
    left = "".join(c for c in out if c in terms[0])
    if not left or not right or out != right + left or max(len(t) for t in terms) < 3:
        return None
    return contract.contract(f"{terms[1]},{terms[0]}->{out}", n.inputs[::-1])


@rule("einsum", over=("negative",), signs=True)
def contraction_of_negative(n: Node) -> Node | None:
    """einsum(-x, y) = -einsum(x, y)"""
    if not n.type.is_float or all(x.op is not op.negative for x in n.inputs):
        return None
    count = sum(x.op is op.negative for x in n.inputs)
    plain = op.einsum(*(x.inputs[0] if x.op is op.negative else x for x in n.inputs), **n.attrs)
    return f.negative(plain) if count % 2 else plain


@rule("einsum", over=("eye",), hides=True)
def product_with_eye(n: Node) -> Node | None:
    """eye @ A = A @ eye = A"""
    terms, out = _letters(n)
    if len(terms) != 2 or not n.type.is_float:
        return None
    for i in (0, 1):
        e, a = n.inputs[i], n.inputs[1 - i]
        if e.op is not op.eye or e.attrs["k"] or e.shape[0] != e.shape[1] or len(set(terms[i])) < 2:
            continue
        for summed, kept in itertools.permutations(terms[i]):
            other = terms[1 - i]
            if summed in out or kept not in out or kept in other or other.count(summed) != 1:
                continue
            if a.dtype == n.dtype and len(set(other)) == len(other):
                moved = other.replace(summed, kept)
                return contract.contract(f"{moved}->{out}", [a])
    return None


@rule("einsum", hides=True)
def product_with_diagonal(n: Node) -> Node | None:
    """(eye * d) @ A = d[:, None] * A, A @ (eye * d) = A * d"""
    terms, out = _letters(n)
    if len(terms) != 2 or not n.type.is_float:
        return None
    for i in (0, 1):
        v, a = n.inputs[i], n.inputs[1 - i]
        term, other = terms[i], terms[1 - i]
        d = _diagonal(v)
        if d is None or len(set(term)) < 2 or len(set(other)) < len(other):
            continue
        for summed, kept in itertools.permutations(term):
            if summed in out or kept not in out or kept in other or summed not in other:
                continue
            moved = contract.contract(f"{other.replace(summed, kept)}->{out}", [a])
            place = out.index(kept)
            shape = tuple(n.shape[k] if k == place else 1 for k in range(n.ndim))
            return f.multiply(moved, f.reshape(d, shape))
    return None


def _diagonal(v: Node) -> Node | None:
    """The d of eye * d, eye * d[:, None] or eye * s."""
    if v.op is not op.multiply:
        return None
    for e, d in sides(v):
        if e.op is not op.eye or e.attrs["k"] or e.shape != v.shape or e.shape[0] != e.shape[1]:
            continue
        if all(size == 1 for size in d.shape):
            return f.broadcast_to(f.reshape(d, ()), e.shape[:1])
        if d.shape in ((e.shape[0],), (1, e.shape[0]), (e.shape[0], 1)):
            return f.reshape(d, e.shape[:1])
    return None


@rule("sum", over=("einsum",), signs=True)
def sum_of_diagonal(n: Node, is_alone: Alone) -> Node | None:
    """sum(einsum(x, y)) = einsum(x, y) with fewer letters in the result"""
    match n:
        case Node(op.sum, (Node(op.einsum, xs) as v,), {"axis": axes, "keepdims": False}):
            terms, out = _letters(v)
            summed = [out[k] for k in axes]
            # A letter of one operand alone would be summed there, before the product.
            if is_alone(v) and v.dtype == n.dtype and all(c in t for c in summed for t in terms):
                kept = "".join(c for c in out if c not in summed)
                return contract.contract(",".join(terms) + "->" + kept, xs)
    return None


@rule("einsum", over=("einsum",), signs=True)
def contraction_of_contraction(n: Node, is_alone: Alone) -> Node | None:
    """trace(A @ B) = sum(A * B.T): one contraction of two where the first is not needed itself"""
    match n:
        case Node(op.einsum, (Node(op.einsum, (a, b)) as v,)) if is_alone(v):
            (outer,), out = _letters(n)
            (x, y), inner = _letters(v)
            if len(set(outer)) == len(outer):
                return None
            spare = iter(c for c in string.ascii_letters if c not in outer + out)
            names = dict(zip(inner, outer, strict=True))
            for c in dict.fromkeys(x + y):
                names.setdefault(c, next(spare))
            text = ",".join("".join(names[c] for c in term) for term in (x, y)) + "->" + out
            return contract.contract(text, [a, b])
    return None


@rule("einsum", over=("einsum",), signs=True)
def cheaper_chain(n: Node, is_alone: Alone) -> Node | None:
    """(A @ B) @ C = A @ (B @ C) where that takes fewer operations, whatever the sizes are"""
    terms, out = _letters(n)
    if len(terms) != 2 or not n.type.is_float:
        return None
    for i in (0, 1):
        v, last = n.inputs[i], n.inputs[1 - i]
        if v.op is not op.einsum or len(v.inputs) != 2 or not is_alone(v):
            continue
        inner, inner_out = _letters(v)
        spare = iter(c for c in string.ascii_letters if c not in "".join(terms) + out)
        names = dict(zip(inner_out, terms[i], strict=True))
        for c in dict.fromkeys("".join(inner)):
            names.setdefault(c, next(spare))
        three = [("".join(names[c] for c in t), x) for t, x in zip(inner, v.inputs, strict=True)]
        written = n.op.flops(n) + v.op.flops(v)
        for k in (0, 1):
            (kept, x), (joined, y), other = three[k], three[1 - k], terms[1 - i]
            if not set(joined) & set(other) or len({x.dtype, y.dtype, last.dtype}) > 1:
                continue
            used = set(kept) | set(out)
            middle = "".join(dict.fromkeys(c for c in joined + other if c in used))
            first = contract.contract(f"{joined},{other}->{middle}", [y, last])
            whole = contract.contract(f"{kept},{middle}->{out}", [x, first])
            if shapes.is_less(whole.op.flops(whole) + first.op.flops(first), written):
                return whole
    return None


# -- softmax and its kin ----------------------------------------------------------------------

def _is_shifted(x: Node) -> bool:
    """Whether x is already less its largest element, as gc.softmax writes it."""
    if x.op is not op.subtract:
        return False
    top = x.inputs[1]
    while top.op in (op.reshape, op.broadcast_to):
        top = top.inputs[0]
    return top.op is op.where and top.inputs[0].op in (op.isfinite, op.reshape, op.broadcast_to)


@rule("log", over=("sum",))
def log_of_total(n: Node) -> Node | None:
    """log(sum(exp(x))) = logsumexp(x)"""
    match n:
        case Node(op.log, (Node(op.sum, (Node(op.exp, (x,)),), attrs),)) if not _is_shifted(x):
            return f.logsumexp(x, **attrs)
    return None


@rule("divide", over=("exp",), signs=True)
def naive_softmax(n: Node) -> Node | None:
    """exp(x) / sum(exp(x)) = softmax(x)"""
    match n:
        case Node(op.divide, (Node(op.exp, (x,)) as e, Node(op.sum, (total,), attrs))):
            if total is e and attrs["keepdims"] and not _is_shifted(x) and len(attrs["axis"]) == 1:
                return f.softmax(x, axis=attrs["axis"][0])
    return None


@rule("log")
def log_of_softmax(n: Node) -> Node | None:
    """log(softmax(x)) = log_softmax(x)"""
    match n:
        case Node(op.log, (Node(op.divide, (Node(op.exp, (x,)) as e, t)),)):
            if t.op is op.sum and t.inputs[0] is e and t.attrs["keepdims"] and _is_shifted(x):
                return f.subtract(x, f.log(t))
    return None


@rule("multiply", over=("subtract",), signs=True)
def gradient_of_softmax(n: Node) -> Node | None:
    """(g / t - sum(g / t * p)) * e = (g - sum(g * p)) * p for p = e / t, e = exp(x), t = sum(e)"""
    for v, e in sides(n):
        match v:
            case Node(op.subtract, (Node(op.divide, (g, t)), Node(op.sum, (product,), attrs))):
                pass
            case _:
                continue
        if e.op is not op.exp or not _is_shifted(e.inputs[0]) or g.shape != n.shape:
            continue
        if t is not op.sum(e, **attrs) or product.op not in (op.multiply, op.divide):
            continue
        p, divided = f.divide(e, t), f.divide(g, t)
        known = (f.multiply(g, f.divide(p, t)), f.multiply(divided, p), f.multiply(p, divided))
        if product in known:
            return f.multiply(f.subtract(g, op.sum(f.multiply(g, p), **attrs)), p)
    return None


# -- scatters: the gradient of a choice by labels ----------------------------------------------

@rule("sum", over=("scatter_add_along_axis",), signs=True)
def sum_of_scatter(n: Node) -> Node | None:
    """sum(scatter_add(0, k, u)) = sum(u) along the axis of k"""
    match n:
        case Node(op.sum, (Node(op.scatter_add_along_axis, (zero, _, u)) as v,), {"axis": axes}):
            if is_literal(zero, 0) and v.attrs["axis"] in axes and u.dtype == n.dtype:
                return f.sum(u, **n.attrs)
    return None


@rule("negative", over=("scatter_add_along_axis",))
def scaled_scatter(n: Node, is_alone: Alone) -> Node | None:
    """-scatter_add(0, k, u) = scatter_add(0, k, -u)"""
    match n:
        case Node(op.negative, (Node(op.scatter_add_along_axis, (zero, k, u)) as v,)):
            if is_literal(zero, 0) and is_alone(v) and n.type.is_float:
                return v.op(zero, k, f.negative(u), **v.attrs)
    return None


@rule("add", over=("scatter_add_along_axis",), signs=True)
def plus_scatter(n: Node, is_alone: Alone) -> Node | None:
    """x + scatter_add(0, k, u) = scatter_add(x, k, u)"""
    for x, v in sides(n):
        match v:
            case Node(op.scatter_add_along_axis, (zero, k, u)) if is_literal(zero, 0):
                alone = is_alone(v) and x.shape == n.shape and x.dtype == u.dtype == n.dtype
                # More than one at a place would be added in another order.
                if alone and k.shape[v.attrs["axis"]] == 1:
                    return v.op(x, k, u, **v.attrs)
    return None


@rule("subtract", over=("scatter_add_along_axis",), signs=True)
def minus_scatter(n: Node, is_alone: Alone) -> Node | None:
    """x - scatter_add(0, k, u) = x + scatter_add(0, k, -u)"""
    match n:
        case Node(op.subtract, (x, Node(op.scatter_add_along_axis, (zero, k, u)) as v)):
            if is_literal(zero, 0) and is_alone(v) and n.type.is_float:
                return f.add(x, v.op(zero, k, f.negative(u), **v.attrs))
    return None


RULES: tuple[Rule, ...] = tuple(v for v in list(globals().values()) if isinstance(v, Rule))
STRICT: tuple[Rule, ...] = tuple(r for r in RULES if r.is_strict)
