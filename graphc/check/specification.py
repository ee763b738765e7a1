"""The laws of elementwise ops: NumPy text and gradient against the sympy expression, exactly."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from ..autodiff.backprop import vjp
from ..errors import LawBroken
from ..evaluate import evaluate
from ..ir import Node, Op
from ..ops.leaves import input as new_input
from .exact import derivative_of, function_of
from .laws import draw, has_gradient, law, seeded
from .numeric import SMALLEST

# 1 + 5e-324 must not be 1.
DIGITS = 400
SIZES = (0.0, 5e-324, 1e-300, 1e-8, 1.0, 20.0, 700.0, 1e8, 1e300)
EXTREMES = tuple(sign * size for size in SIZES for sign in (1.0, -1.0))
INFINITE = (*EXTREMES, np.inf, -np.inf)
LARGEST = float(np.finfo(np.float64).max)

# Where the meaning has no derivative that float64 can be held to.
ILL_POSED: dict[str, Callable[..., Any]] = {
    "power": lambda x, y: x < 0 and abs(y) > 2.0**53,  # y - 1 is not even or odd any more
    "clip": lambda x, low, high: x == low == high,  # the closed interval is a point
}


def has_meaning(op: Op) -> bool:
    """Whether the op is a sympy expression, with an example that says where to try it."""
    return op.meaning is not None and bool(op.examples)


def has_derivative(op: Op) -> bool:
    """Whether it has a gradient to hold to the expression's."""
    return has_meaning(op) and has_gradient(op)


# What division of integers by 0 gives is not for the mathematics to say.
_EXTREMES_OF: dict[str, tuple[float, ...]] = {
    "bool": (False, True), "int64": (-(2**53), -7, -1, 1, 3, 2**53),
}  # fmt: skip


def points(op: Op, extremes: tuple[float, ...], count: int = 50) -> list[Any]:
    """One column for each argument: the random points of the first example, then the extremes."""
    example, rng = op.examples[0], seeded(op)
    random = [draw(rng, example, (count,), np.dtype(t)) for t in example.dtypes]
    if len(random) > 2:
        extremes = tuple(v for v in extremes if abs(v) not in (5e-324, 1e-8, 700.0, 1e8))
    axes = [_EXTREMES_OF.get(t, extremes) for t in example.dtypes]
    grid = list(itertools.product(*axes))
    return [np.array([*r, *(row[i] for row in grid)], r.dtype) for i, r in enumerate(random)]


def exact_arguments(values: Any) -> list[Any]:
    return [bool(v) if isinstance(v, np.bool_) else mpmath.mpf(float(v)) for v in values]


def claims(f: Any, values: Any) -> list[Any]:
    """What a result may be: the exact value, or where an argument is 0 the limit from its side."""
    arguments = exact_arguments(values)
    exact = f(*arguments)
    if exact is not None and exact != exact:
        return []  # inf - inf and its like: not for the mathematics to say
    zeros = [not isinstance(a, bool) and a == 0 for a in arguments]
    ranks = range(1, len(arguments) + 1)
    limits = []
    for order in (ranks, ranks[::-1]) if any(zeros) else ():  # which zero is approached the faster
        near = [
            float(np.copysign(1.0, v)) * mpmath.mpf(10) ** (-100_000 * rank) if is_zero else a
            for a, v, rank, is_zero in zip(arguments, values, order, zeros, strict=True)
        ]
        limits.append(f(*near))
    limits = [v for v in limits if v is not None and v == v]
    if exact is not None:
        return [exact, *limits]
    return limits if len(set(map(float, limits))) == 1 else []


def ulps(expected: Any, actual: Any) -> float:
    """The error in units of the last place of the exact value."""
    if isinstance(expected, bool) or not mpmath.isfinite(expected) or not np.isfinite(actual):
        rounded = expected if isinstance(expected, bool) else float(expected)
        return 0.0 if actual == rounded else np.inf
    unit = np.spacing(min(abs(float(expected)), LARGEST))
    return float(abs(mpmath.mpf(float(actual)) - expected) / mpmath.mpf(float(unit)))


def inputs_of(op: Op) -> list[Node]:
    """Fresh inputs, one for each operand."""
    return [new_input(f"x{i}", ("k",), t) for i, t in enumerate(op.examples[0].dtypes)]


def _refuse(wrong: list[Any], of: int, what: str) -> None:
    if wrong:
        raise LawBroken(f"{what} at {len(wrong)} of {of} points, such as {wrong[:4]}")


@law("its NumPy text is its expression to 4 ulp, extremes included", has_meaning)
def text_is_the_meaning(op: Op) -> None:
    """The sympy expression is the specification."""
    columns, inputs = points(op, INFINITE), inputs_of(op)
    results = evaluate(op(*inputs), dict(zip(inputs, columns, strict=True)))
    meaning = function_of(op.meaning.expr, op.meaning.variables)
    wrong = []
    with mpmath.workdps(DIGITS):
        for values, actual in zip(zip(*columns, strict=True), results, strict=True):
            known = claims(meaning, values)
            if known and min(ulps(c, actual) for c in known) > 4:
                wrong.append((*map(float, values), float(actual), str(known[0])[:20]))
    _refuse(wrong, len(results), "the text is not the expression (operands, text, expression)")


def _is_of_floats(op: Op) -> bool:
    return has_meaning(op) and set(op.examples[0].dtypes) == {"float64"}


@law("NaN in gives NaN out", _is_of_floats)
def nan_in_nan_out(op: Op) -> None:
    """An unknown operand makes the result unknown; where may drop it, so may 0 and 1 in powers."""
    inputs = inputs_of(op)
    node = op(*inputs)
    if not node.type.is_float:
        return  # a truth value cannot be NaN
    for unknown in inputs:
        values = {x: np.array([np.nan if x is unknown else 0.5]) for x in inputs}
        if not np.isnan(evaluate(node, values)).all():
            raise LawBroken(f"NaN as {unknown.label} gives {evaluate(node, values)[0]}")


@law("its gradient is finite where the truth is", has_derivative)
def gradient_is_finite(op: Op) -> None:
    """Value and gradient at the extremes; a gradient keeps 1e-6 of itself, or 1e-15 of 1."""
    columns, inputs = points(op, EXTREMES, count=0), inputs_of(op)
    at = dict(zip(inputs, columns, strict=True))
    result = evaluate(op(*inputs), at)
    meaning = function_of(op.meaning.expr, op.meaning.variables)
    is_ill_posed: Callable[..., Any] = ILL_POSED.get(op.name, lambda *values: False)
    wrong = []
    for i, x in enumerate(inputs):
        if not x.type.is_float:
            continue
        gradient = evaluate(vjp(op(*inputs), x, 1.0), at)
        slope = derivative_of(op, i)
        with mpmath.workdps(DIGITS):
            for k, values in enumerate(zip(*columns, strict=True)):
                arguments = exact_arguments(values)
                expected = slope(*arguments)
                if not is_representable(meaning(*arguments)) or not is_representable(expected):
                    continue
                error = mpmath.mpf(float(gradient[k])) - expected
                if any(0 < abs(v) < SMALLEST for v in (*values, result[k])):
                    # A subnormal number has lost the digits that the derivative needs.
                    is_right = not np.isnan(gradient[k])
                else:
                    is_right = bool(abs(error) <= 1e-6 * abs(expected) + 1e-15)
                is_right = is_right and bool(np.isfinite(result[k]))
                if not is_right and not is_ill_posed(*values) and is_smooth(slope, arguments, i):
                    exact = mpmath.nstr(expected, 17)
                    wrong.append((i, *map(float, values), float(gradient[k]), exact))
    _refuse(wrong, len(result), "the gradient is wrong (operand, operands, gradient, truth)")


def is_representable(value: Any) -> bool:
    return value is not None and bool(mpmath.isfinite(value)) and abs(value) <= LARGEST


def is_smooth(slope: Any, arguments: list[Any], i: int) -> bool:
    """Whether a derivative is the same on both sides: kinks have a table of their own."""
    step = (abs(arguments[i]) or 1) * mpmath.mpf(10) ** -330
    sides = [slope(*arguments[:i], arguments[i] + s, *arguments[i + 1 :]) for s in (-step, step)]
    if any(not is_representable(s) for s in sides):
        return False
    return bool(abs(sides[0] - sides[1]) <= 1e-9 * abs(sides[0]))


@law("its gradient is that of its expression at 50 digits", has_derivative)
def gradient_is_the_meanings(op: Op) -> None:
    """At random points to 1e-12, against sympy's derivative."""
    columns, inputs = points(op, (), count=50), inputs_of(op)
    at = dict(zip(inputs, columns, strict=True))
    for i, x in enumerate(inputs):
        if not x.type.is_float:
            continue
        actual = evaluate(vjp(op(*inputs), x, 1.0), at)
        slope = derivative_of(op, i)
        with mpmath.workdps(50):
            exact = map(exact_arguments, zip(*columns, strict=True))
            expected = np.array([slope(*arguments) for arguments in exact], np.float64)
        off = ~(np.abs(actual - expected) <= 1e-12 * np.abs(expected))
        wrong = [(i, float(a), float(e)) for a, e in zip(actual[off], expected[off], strict=True)]
        _refuse(wrong, len(actual), "the gradient is wrong (operand, gradient, truth)")
