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
TIMES, PLUS = 4.0, 6.0

_RANDOM, _EXTREME, _NEIGHBOURS, _EXACTLY = 24, 40_000, 12, 40


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
    for k in _worst_first(was, now, mode):
        a, b = float(was[k]), float(now[k])
        point = tuple(float(column[k]) for column in columns)
        if mode == "strict" and not _same_kind(a, b):
            return Verdict(worst_before, worst_after, point, f"{a!r} became {b!r}")
        if math.isfinite(a) and not math.isfinite(b):
            # On the edge of an overflow or a domain, where rounding decides, it may go either way.
            if math.inf in _errors_nearby(before, symbols, point, eps):
                continue
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
            nearby = _errors_nearby(before, symbols, point, eps)
            error = max([error, *(e for e in nearby if math.isfinite(e))])
        if not new <= TIMES * error + PLUS:
            reason = f"{new:.3g} ulp wrong, and {error:.3g} before"
            return Verdict(worst_before, worst_after, point, reason)
    return Verdict(worst_before, worst_after)


def _worst_first(was: Any, now: Any, mode: Mode) -> list[int]:
    """The points at which the two differ by more than is allowed whatever the truth is.

    First those that are finite no more, then by the difference, then those that became finite; of
    each kind no more than the audit has time for.
    """
    with np.errstate(all="ignore"):
        differ = (was != now) & ~(np.isnan(was) & np.isnan(now))
        if mode == "strict":
            differ |= (was == 0) & (now == 0) & (np.signbit(was) != np.signbit(now))
        finite, still = np.isfinite(was), np.isfinite(now)
        distance = np.where(was == now, 0, np.abs(was - now) / np.spacing(np.abs(was)))
        differ &= ~(finite & still & (distance <= PLUS)) | ((was == 0) | (now == 0))
        by_distance = np.argsort(np.where(differ & finite & still, -distance, 1), kind="stable")
    lost = np.flatnonzero(differ & finite & ~still)
    moved = by_distance[: np.count_nonzero(differ & finite & still)]
    found = np.flatnonzero(differ & ~finite)
    # Every other of the large number: neighbours in a grid tell the same story.
    chosen = [part[:: max(1, len(part) // most)][:most] for part, most in (
        (lost, _EXACTLY), (moved, 2 * _EXACTLY), (found, _EXACTLY),
    )]  # fmt: skip
    return [int(k) for part in chosen for k in part]


def _errors_nearby(
    v: Node, symbols: Sequence[Node], point: Sequence[float], eps: Any
) -> Iterator[float]:
    """The errors in ulp at points a few roundings away; inf where the value is not finite."""
    rng = np.random.default_rng(0)
    for _ in range(_NEIGHBOURS):
        near = [x * (1 + 64 * float(eps.eps) * rng.uniform(-1, 1)) for x in point]
        columns = [np.array([c], x.dtype) for c, x in zip(near, symbols, strict=True)]
        exact = exactly(v, symbols, [float(c[0]) for c in columns])
        value = float(_run(v, symbols, columns)[0])
        if not math.isfinite(value):
            yield math.inf
        else:
            yield 0.0 if exact is None else _ulps(exact, value, eps)


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
    if name in _PERIODIC and _is_beyond(arguments[0]):
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


# The sine of a number beyond 2^5000 would take for ever, and floats ended long before.
_PERIODIC, _BEYOND = ("sin", "cos", "tan"), 5_000


def _is_beyond(value: Any) -> bool:
    return bool(value and mpmath.isfinite(value) and value.exp + value.bc > _BEYOND)


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
        ends = [end for end in (low, high) if math.isfinite(end)]
        allowed.append([p for p in kind if not (p < low or p > high)] + ends)
    grid: Any = itertools.product(*allowed)
    if math.prod(map(len, allowed)) > _EXTREME:
        picks = [rng.integers(0, len(a), _EXTREME) for a in allowed]
        grid = [
            tuple(a[i] for a, i in zip(allowed, row, strict=True))
            for row in zip(*picks, strict=True)
        ]
    grid = np.array(list(grid))
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
            np.concatenate([r, grid[:, i]]).astype(x.dtype)
            for i, (x, r) in enumerate(zip(symbols, random, strict=True))
        ]
