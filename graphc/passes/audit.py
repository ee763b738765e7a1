"""The audit: two elementwise graphs compared in floats, against exact arithmetic, at hard points.

A rewrite is used only when no point refutes the promise of its mode (`simplify=True`, `"strict"`).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import mpmath
import numpy as np
import sympy as sp

from ..evaluate import interpret
from ..ir import Node, Op, topo
from .facts import ANYTHING, Interval

Mode = Literal[True, "strict"]

# An error may be this many times as large as before, and this many ulp more.
TIMES, PLUS = 4.0, 4.0

_RANDOM, _EXTREME, _NEIGHBOURS = 24, 48, 12


class Verdict(NamedTuple):
    """What the audit found: the worst errors in ulp, and the point and reason of a refusal."""

    before: float
    after: float
    refuted_at: tuple[float, ...] | None = None
    reason: str = ""

    @property
    def holds(self) -> bool:
        return self.refuted_at is None

    def __str__(self) -> str:
        if self.refuted_at is not None:
            return f"refuted at {', '.join(map(repr, self.refuted_at))}: {self.reason}"
        return f"worst error {self.before:.1f} ulp before, {self.after:.1f} after"


def audit(
    before: Node,
    after: Node,
    symbols: Sequence[Node],
    mode: Mode = True,
    facts: Mapping[Node, Interval] | None = None,
    *,
    may_extend: bool = False,
) -> Verdict:
    """Whether one elementwise graph may stand for another, as functions of some inputs.

    With `may_extend` it may be a number where the other leaves the real domain (log(-1) * 0).

    >>> import graphc as gc
    >>> x = gc.input("x", ("k",))
    >>> audit(gc.log(1 + gc.exp(x)), gc.softplus(x), [x]).holds
    True
    >>> audit(gc.sqrt(x) ** 2, x, [x]).holds
    False
    """
    columns = points(symbols, facts or {})
    was, now = _run(before, symbols, columns), _run(after, symbols, columns)
    eps = np.finfo(before.dtype)
    worst_before = worst_after = 0.0
    for k, (a, b) in enumerate(zip(was.tolist(), now.tolist(), strict=True)):
        if _same(a, b):
            continue
        point = tuple(float(column[k]) for column in columns)
        if mode == "strict" and not _same_kind(a, b):
            return Verdict(worst_before, worst_after, point, f"{a!r} became {b!r}")
        if math.isfinite(a) and not math.isfinite(b):
            return Verdict(worst_before, worst_after, point, f"{a!r} became {b!r}")
        if may_extend and not math.isfinite(a):
            continue
        exact = exactly(before, symbols, point)
        if exact is None:
            if math.isfinite(b) and not math.isfinite(a):
                return Verdict(worst_before, worst_after, point, f"outside the domain, and {b!r}")
            continue
        if not math.isfinite(a):
            # By accident of rounding or order: the new value must be the true one.
            if math.isfinite(b) and _ulps(exact, b, eps) > PLUS + TIMES:
                return Verdict(worst_before, worst_after, point, f"{a!r} became {b!r}")
            continue
        error, new = _ulps(exact, a, eps), _ulps(exact, b, eps)
        worst_before, worst_after = max(worst_before, error), max(worst_after, new)
        if not new <= TIMES * error + PLUS:
            # At one point the roundings may cancel by luck: what is typical shows nearby.
            error = max(error, *_errors_nearby(before, symbols, point, eps))
        if not new <= TIMES * error + PLUS:
            reason = f"{new:.3g} ulp wrong, and {error:.3g} before"
            return Verdict(worst_before, worst_after, point, reason)
    return Verdict(worst_before, worst_after)


def _errors_nearby(
    v: Node, symbols: Sequence[Node], point: Sequence[float], eps: Any
) -> Iterator[float]:
    rng = np.random.default_rng(0)
    for _ in range(_NEIGHBOURS):
        near = [x * (1 + 64 * float(eps.eps) * rng.uniform(-1, 1)) for x in point]
        columns = [np.array([c], x.dtype) for c, x in zip(near, symbols, strict=True)]
        exact = exactly(v, symbols, [float(c[0]) for c in columns])
        value = float(_run(v, symbols, columns)[0])
        yield 0.0 if exact is None or not math.isfinite(value) else _ulps(exact, value, eps)


def _same(a: float, b: float) -> bool:
    return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)


def _same_kind(a: float, b: float) -> bool:
    """IEEE for IEEE: both NaN, the same infinity, the same zero, or both finite and not zero."""
    if math.isfinite(a) and math.isfinite(b) and a != 0 and b != 0:
        return True
    return _same(a, b)


def _ulps(exact: Any, value: float, info: Any) -> float:
    """The error in units of the last place of the exact value; NaN claims nothing."""
    if exact != exact:
        return 0.0
    if not mpmath.isfinite(exact):
        # The truth is infinite: an overflow or a division by zero that some order avoids.
        return 0.0 if not math.isfinite(value) or abs(value) > float(info.max) / 2 else math.inf
    size = min(max(abs(float(exact)), float(info.smallest_normal)), float(info.max))
    unit = 2.0 ** (math.frexp(size)[1] - 1) * float(info.eps)
    unit = max(unit, float(info.smallest_subnormal))
    return float(abs(mpmath.mpf(value) - exact) / mpmath.mpf(unit))


def _run(v: Node, symbols: Sequence[Node], columns: Sequence[Any]) -> Any:
    values = dict(zip(symbols, columns, strict=True))
    with np.errstate(all="ignore"):
        interpret(topo([v]), values, {"dim_k": len(columns[0]) if columns else 0})
    return np.broadcast_to(values[v], columns[0].shape)


# -- exact arithmetic -------------------------------------------------------------------------

@functools.cache
def _meaning(op: Op) -> Any:
    return sp.lambdify(op.meaning.variables, op.meaning.expr, modules="mpmath")


def exactly(v: Node, symbols: Sequence[Node], point: Sequence[float]) -> Any:
    """The value in exact arithmetic; NaN where it is undefined, None outside the real domain."""
    value, digits = _with_digits(v, symbols, point, _FEWEST)
    if digits > _FEWEST:
        value, _ = _with_digits(v, symbols, point, min(digits, _MOST))
    return value


# 1 + 5e-324 must not be 1; what is smaller yet makes no difference to a float.
_FEWEST, _MOST = 60, 700


def _with_digits(
    v: Node, symbols: Sequence[Node], point: Sequence[float], digits: int
) -> tuple[Any, int]:
    """The value with some digits, and how many it would take for every sum to be exact."""
    low = high = 0
    values: dict[Node, Any] = dict(zip(symbols, map(mpmath.mpf, point), strict=True))
    with mpmath.workdps(digits):
        for u in topo([v]):
            if u.op.name == "constant":
                item = u.attrs["value"].array.item()
                values[u] = item if isinstance(item, bool) else mpmath.mpf(item)
            elif u not in values:
                values[u] = _apply(u, [values[x] for x in u.inputs])
            value = values[u]
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
    return _bounded(mpmath.mpf(value))


# Numbers beyond 2^20000 count as infinite and their reciprocals as zero: a sine of one would take
# for ever, and floats ended long before.
_BEYOND = 20_000


def _bounded(value: Any) -> Any:
    if not value or not mpmath.isfinite(value):
        return value
    exponent = value.exp + value.bc
    if abs(exponent) <= _BEYOND:
        return value
    return mpmath.mpf(0) if exponent < 0 else mpmath.sign(value) * mpmath.inf


# -- points -----------------------------------------------------------------------------------

_DOUBLE = (
    0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.0, 1e-8, -1e-8, 1e-17, 30.0, -30.0, 40.0, -40.0, 700.0,
    -700.0, 720.0, -720.0, 1e8, -1e8, 1e155, 1e-155, 1e300, -1e300, 1e-300, 5e-324, -5e-324,
    1.7976931348623157e308, math.inf, -math.inf, math.nan,
)  # fmt: skip
_SINGLE = (
    0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.0, 1e-4, -1e-4, 1e-9, 15.0, -15.0, 85.0, -85.0, 90.0,
    -90.0, 1e4, -1e4, 1e19, 1e-19, 1e37, -1e37, 1e-37, 1e-45, -1e-45, 3.4e38, math.inf, -math.inf,
    math.nan,
)  # fmt: skip


def points(symbols: Sequence[Node], facts: Mapping[Node, Interval]) -> list[Any]:
    """One column of numbers for each symbol: random ones, then extremes in combination."""
    if not symbols:
        return [np.zeros(1)]
    rng = np.random.default_rng(len(symbols))
    kinds = [_DOUBLE if x.dtype == np.float64 else _SINGLE for x in symbols]
    allowed = []
    for x, kind in zip(symbols, kinds, strict=True):
        low, high = facts.get(x, ANYTHING)
        inside = [p for p in kind if not (p < low or p > high)]
        allowed.append(inside or [low, high])
    grid = list(itertools.islice(itertools.product(*allowed), 4096))
    if len(symbols) > 1:
        picks = [rng.integers(0, len(a), _EXTREME) for a in allowed]
        grid = [
            tuple(a[i] for a, i in zip(allowed, row, strict=True))
            for row in zip(*picks, strict=True)
        ]
    random = []
    for x in symbols:
        low, high = facts.get(x, ANYTHING)
        scale = rng.choice([0.1, 1.0, 3.0, 30.0], _RANDOM)
        values = rng.normal(size=_RANDOM) * scale
        if math.isfinite(low) and math.isfinite(high):
            values = rng.uniform(low, high, _RANDOM)
        elif math.isfinite(low):
            values = low + np.abs(values)
        elif math.isfinite(high):
            values = high - np.abs(values)
        random.append(values)
    with np.errstate(over="ignore"):
        return [
            np.array([*r, *(row[i] for row in grid)], x.dtype)
            for i, (x, r) in enumerate(zip(symbols, random, strict=True))
        ]
