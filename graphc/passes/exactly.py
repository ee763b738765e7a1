"""Exact arithmetic: elementwise graphs evaluated in as many digits as their sums need."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Sequence
from typing import Any

import mpmath
import sympy as sp

from ..ir import Node, Op, topo


@functools.cache
def _meaning(op: Op) -> Any:
    return sp.lambdify(op.meaning.variables, op.meaning.expr, modules="mpmath")


class _Work(threading.local):
    """Operations of exact arithmetic so far in this thread; those of many digits count more."""

    done = 0.0


work = _Work()


def exactly(v: Node, symbols: Sequence[Node], point: Sequence[float]) -> Any:
    """The value in exact arithmetic; NaN where it is undefined, None outside the real domain."""
    return exactly_from(v, symbols, point, FEWEST)[0]


def exactly_from(
    v: Node, symbols: Sequence[Node], point: Sequence[float], digits: int
) -> tuple[Any, int]:
    """The same where so many digits will do, and the digits that it took: as many do nearby."""
    value, needed = _with_digits(v, symbols, point, digits)
    if digits < needed and digits < _MOST:
        digits = min(needed, _MOST)
        value, _ = _with_digits(v, symbols, point, digits)
    return value, digits


# 1 + 5e-324 must not be 1; what is smaller yet makes no difference to a float.
FEWEST, _MOST, _CANCELLED = 60, 700, 10**5


def _with_digits(
    v: Node, symbols: Sequence[Node], point: Sequence[float], digits: int
) -> tuple[Any, int]:
    """The value with some digits, and how many it would take for every sum to be exact."""
    low = high = 0
    values: dict[Node, Any] = dict(zip(symbols, map(mpmath.mpf, point), strict=True))
    order = topo([v])
    work.done += len(order) * max(1.0, digits / 200)
    with mpmath.workdps(digits):
        for u in order:
            if u.op.name == "constant":
                item = u.attrs["value"].array.item()
                values[u] = item if isinstance(item, bool) else mpmath.mpf(item)
            elif u not in values:
                values[u] = _apply(u, [values[x] for x in u.inputs])
            value = values[u]
            if u.op.name in ("add", "subtract") and value == 0 and digits < _MOST:
                low = -_CANCELLED  # was all of it lost, or is there nothing?
            if value and not isinstance(value, bool) and mpmath.isfinite(value):
                exponent = value.exp + value.bc
                low, high = min(low, exponent), max(high, exponent)
    return values[v], 40 + int(0.302 * min(high - low, 10**6))


def _apply(u: Node, arguments: list[Any]) -> Any:
    """One operation on exact values; what is undefined or outside the domain passes through it."""
    name = u.op.name
    if name in ("broadcast_to", "reshape"):
        return arguments[0]
    if name == "where":
        return arguments[1 if arguments[0] else 2]
    unknown = [a for a in arguments if a is None or a != a]
    if u.op.meaning is None:  # isfinite, isinf, isnan
        return name == "isnan" if unknown else bool(getattr(mpmath, name)(arguments[0]))
    if unknown:
        is_test = not u.type.is_float
        return name == "not_equal" if is_test else None if None in unknown else mpmath.nan
    if any(_is_beyond(a, _LIMITS.get(name, math.inf)) for a in arguments):
        return mpmath.nan
    try:
        value = _meaning(u.op)(*arguments)
    except ZeroDivisionError:
        return mpmath.nan
    except (ValueError, OverflowError, TypeError):
        return None
    if isinstance(value, mpmath.mpc):
        return None
    if isinstance(value, bool | sp.logic.boolalg.BooleanAtom):
        return bool(value)
    return mpmath.mpf(value)


# Powers of two beyond which an op would take all time or memory; floats ended long before.
_LIMITS = {
    **dict.fromkeys(("sin", "cos", "tan", "tanh", "power"), 5_000),
    **dict.fromkeys(("exp", "expm1", "sinh", "cosh", "sigmoid", "softplus", "logaddexp"), 64),
    **dict.fromkeys(("erfc", "erfcx"), 64),
}


def _is_beyond(value: Any, limit: float) -> bool:
    return bool(value and mpmath.isfinite(value) and value.exp + value.bc > limit)
