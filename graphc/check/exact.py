"""Exact arithmetic: a graph run on mpmath's numbers, and derivatives to more than 50 digits.

An elementwise op means its sympy expression, evaluated by mpmath. All other ops add, multiply,
compare and move elements: their NumPy text does so with objects too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ..evaluate import computed_by
from ..ir import Node, Op, topo
from .numeric import Array, Moving

# The step, beside an element; its square is lost beyond what anybody reads.
_STEP = 60
# Slopes that agree in so many digits are one: there is no kink.
_SAME = 20
_FEWEST, _MOST = 80, 700

Number = Any  # mpmath.mpf


class NotExact(Exception):
    """What exact arithmetic cannot do: an op without a meaning, numbers too far apart."""


def _exp(x: Any) -> Any:
    return _exp_in(mpmath.mp.prec, x)


@functools.lru_cache(maxsize=4096)
def _exp_in(bits: int, x: Any) -> Any:
    """mpmath's own, kept: of large numbers to many digits it takes milliseconds."""
    return mpmath.exp(x)


@functools.cache
def function_of(expression: Any, variables: tuple[Any, ...]) -> Callable[..., Any]:
    """The expression as a function of mpf numbers: an mpf, a bool, or None where it is not real."""
    f = sp.lambdify(variables, expression, modules=[{"exp": _exp}, "mpmath"])

    def value(*arguments: Any) -> Any:
        try:
            found = f(*arguments)
        except (ZeroDivisionError, ValueError, TypeError, OverflowError):
            return None
        if isinstance(found, bool | sp.logic.boolalg.BooleanAtom):
            return bool(found)
        return None if isinstance(found, mpmath.mpc) else mpmath.mpf(found)

    return value


@functools.cache
def derivative_of(op: Op, i: int) -> Callable[..., Any]:
    """sympy's own derivative of the meaning."""
    expression, variables = op.meaning.expr.rewrite(sp.Piecewise), op.meaning.variables
    return function_of(sp.diff(expression, variables[i]), variables)


@functools.cache
def _elementwise(op: Op) -> Any:
    """The meaning over arrays of objects; NaN where it is not real."""
    meaning = function_of(op.meaning.expr, op.meaning.variables)

    def value(*arguments: Any) -> Any:
        if any(map(_is_beyond, arguments)):
            return mpmath.nan
        found = meaning(*arguments)
        return mpmath.nan if found is None else found

    return np.frompyfunc(value, len(op.meaning.variables), 1)


def _is_beyond(argument: Any) -> bool:
    """Beyond 2^4096 floats ended long before, and the exponential would take for ever."""
    if not isinstance(argument, mpmath.mpf) or not mpmath.isfinite(argument):
        return False
    return bool(argument and argument.exp + argument.bc > 4096)


_exactly: Any = np.frompyfunc(
    lambda value: mpmath.mpf(value.item() if isinstance(value, np.ndarray) else value), 1, 1
)


def as_exact(value: Array) -> Array:
    """An array of mpf numbers, each exactly the float that it was."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        array = array.astype(np.float64).astype(object)
    return np.asarray(_exactly(array), object)


def is_kink(left: Number, right: Number) -> bool:
    """Whether two one-sided slopes differ, and not by the little that their steps leave."""
    larger = max(abs(left), abs(right))
    return bool(abs(right - left) > max(mpmath.mpf(10) ** -_SAME * larger, 10.0 ** -(2 * _SAME)))


def run(order: Iterable[Node], values: dict[Node, Array], sizes: Mapping[str, int]) -> None:
    """Add to `values` the exact value of every node of an order that has none yet."""
    for v in order:
        if v not in values:
            values[v] = _value(v, [values[x] for x in v.inputs], sizes)


def exact_values(
    outputs: Sequence[Node], values: Mapping[Node, Array], sizes: Mapping[str, int]
) -> list[Array]:
    """The exact values of some nodes, from the given ones of inputs (or of what they stand on).

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> (value,) = exact_values([gc.sqrt(x)], {x: np.float64(2.0)}, {})
    >>> with mpmath.workdps(30):
    ...     print(value[()])
    1.41421356237309504880168872421
    """
    given = [v for v in values if v.op.name == "input" or not _is_known(v, values)]
    order = topo(outputs, beyond=set(given))
    with mpmath.workdps(_FEWEST):
        found = _from(given, values)
        run(order, found, sizes)
        digits = _FEWEST + _spread(found)
    with mpmath.workdps(digits):
        found = _from(given, values)
        run(order, found, sizes)
    return [found[v] for v in outputs]


def _is_known(v: Node, values: Mapping[Node, Array]) -> bool:
    """Whether v follows from values that are given."""
    return all(x in values for x in v.inputs)


def _from(given: Iterable[Node], values: Mapping[Node, Array]) -> dict[Node, Array]:
    return {v: as_exact(values[v]) if v.type.is_float else np.asarray(values[v]) for v in given}


def _value(v: Node, operands: list[Array], sizes: Mapping[str, int]) -> Array:
    floats = [x for x in v.inputs if x.type.is_float]
    if v.op.family == "leaf" and not v.inputs:
        value = v.attrs["value"].array if v.op.name == "constant" else _text(v, [], sizes)
        return as_exact(value) if v.type.is_float else value
    if v.op.meaning is not None and (floats or v.type.is_float):
        value = np.asarray(_elementwise(v.op)(*map(_whole, operands)), object)
        return value if v.type.is_float else value.astype(v.dtype)
    if not v.type.is_float:  # a test, a count, a conversion: as floats decide it
        rounded = [a.astype(np.float64) if a.dtype == object else a for a in operands]
        return np.asarray(_text(v, rounded, sizes))
    try:
        value = np.asarray(_text(v, operands, sizes, as_objects=True))
    except (TypeError, AttributeError, ValueError):
        raise NotExact(f"{v.op.name} has no sympy expression") from None
    if value.dtype != object and floats:
        raise NotExact(f"{v.op.name} has no sympy expression")
    return as_exact(value)


def _whole(operand: Array) -> Array:
    """Integers as Python's own, which mpmath takes as they are."""
    return operand if operand.dtype == object else operand.astype(object)


def _text(
    v: Node, operands: list[Array], sizes: Mapping[str, int], as_objects: bool = False
) -> Array:
    text = v.op.text(v)
    if as_objects:
        text = text.replace("np.float64", "object").replace("np.float32", "object")
    return computed_by(text, operands, sizes)


class ExactSlopes:
    """The derivatives of a value by the elements of x, from either side.

    >>> import graphc as gc
    >>> from graphc.check.numeric import moves
    >>> x = gc.input("x", ())
    >>> z = gc.log(x)
    >>> at = {x: np.float64(3.0), z: np.log(3.0)}
    >>> left, right = ExactSlopes(Moving(z, x, at, {}, moves)).at(())
    >>> with mpmath.workdps(50):
    ...     print(mpmath.nstr((left + right) / 2, 40))
    0.3333333333333333333333333333333333333333
    """

    def __init__(self, moving: Moving) -> None:
        self.moving = moving
        with mpmath.workdps(_FEWEST):
            self.digits = _FEWEST + 2 * _STEP + _spread(self._base())
        with mpmath.workdps(self.digits):
            self.values = self._base()

    def _base(self) -> dict[Node, Array]:
        given = self.moving.values
        values = _from((v for v in given if v.op.name == "input" or v is self.moving.x), given)
        run(given, values, self.moving.sizes)
        return values

    def at(self, index: tuple[int, ...]) -> tuple[Number, Number]:
        """The slopes to the left and to the right by one element of x; infinite at a step."""
        with mpmath.workdps(self.digits):
            element = self.values[self.moving.x][index]
            step = mpmath.mpf(10) ** -_STEP * (abs(element) if element else 1)
            left, right = self._sides(index, element, step)
            larger = max(abs(left), abs(right))
            if abs(right - left) <= mpmath.mpf(10) ** -_SAME * larger and larger < 10**_SAME:
                return left, right
            # A kink, or nearly 0: what falls with the step is taken away.
            tiny = mpmath.mpf(10) ** (-2 * _SAME)
            nearer = self._sides(index, element, step / 2)
            left, right = (
                # At a step the slope grows as the step shrinks.
                mpmath.sign(near) * mpmath.inf
                if abs(near) > 1.9 * abs(far) > 0
                else _or_0(2 * near - far, tiny * abs(near))
                for near, far in zip(nearer, (left, right), strict=True)
            )
            return left, right

    def _sides(
        self, index: tuple[int, ...], element: Number, step: Number
    ) -> tuple[Number, Number]:
        base = self.values[self.moving.v][()]
        low, high = (self._moved(index, element + d) for d in (-step, step))
        # What is left of two equal numbers whose last digits were rounded is 0.
        rounding = abs(base) * mpmath.mpf(10) ** (5 - self.digits)
        left, right = (_or_0(d, rounding) / step for d in (base - low, high - base))
        return left, right

    def _moved(self, index: tuple[int, ...], element: Number) -> Number:
        moving = self.moving
        inside = set(moving.nodes)
        values = {v: a for v, a in self.values.items() if v not in inside}
        values[moving.x] = self.values[moving.x].copy()
        values[moving.x][index] = element
        run(moving.nodes, values, moving.sizes)
        return values[moving.v][()]


def _or_0(value: Number, tiny: Number) -> Number:
    return mpmath.mpf(0) if abs(value) <= tiny else value


def _spread(values: Mapping[Node, Array]) -> int:
    """How many digits lie between the largest and the smallest of some numbers."""
    exponents = [
        e.exp + e.bc
        for v, array in values.items()
        if v.type.is_float
        for e in np.ravel(array)
        if e and mpmath.isfinite(e)
    ]
    digits = int(0.302 * (max(exponents, default=0) - min(exponents, default=0))) + 1
    if digits > _MOST:
        raise NotExact("its numbers are too far apart")
    return digits
