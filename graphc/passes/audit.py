"""The audit: two elementwise graphs compared in floats, against exact arithmetic, at hard points.

A rewrite is used only when no point refutes the promise of its mode (`simplify=True`, `"strict"`).
"""

from __future__ import annotations

import functools
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

# How many points: random ones, combinations of extremes; around one that would refute; and of each
# kind of difference those that are compared with exact arithmetic.
_RANDOM, _EXTREME, _NEIGHBOURS, _EXACTLY = 24, 40_000, 40, 40
# Points where what is nearby has to excuse a part of a program; more are too many.
_DOUBTS = 16


class Verdict(NamedTuple):
    """What the audit found: the worst errors in ulp where the two differ, and the point and reason
    of a refusal.
    """

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
    at_roots: bool = True,
    times: float = TIMES,
    plus: float = PLUS,
) -> Verdict:
    """Whether one elementwise graph may stand for another, as functions of some inputs.

    With `may_extend` it may be a number where the other leaves the real domain (log(-1) * 0).
    `at_roots` looks where sums cancel too: there roundings decide, so a part of a program must be
    no worse, while of two whole programs either may be lucky. An error may be `times` as large as
    before, and `plus` ulp more.

    >>> import graphc as gc
    >>> x = gc.input("x", ("k",))
    >>> audit(gc.log(1 + gc.exp(x)), gc.softplus(x), [x]).holds
    True
    >>> audit(gc.sqrt(x) ** 2, x, [x]).holds
    False
    """
    columns = hard_points([before, after] if at_roots else [], symbols, facts or {})
    was, now = _run(before, symbols, columns), _run(after, symbols, columns)
    eps = np.finfo(before.dtype)
    worst_before = worst_after = 0.0
    doubts = 0
    for k in _worst_first(was, now, mode, plus):
        a, b = float(was[k]), float(now[k])
        point = tuple(float(column[k]) for column in columns)
        if mode == "strict" and not _same_kind(a, b):
            return Verdict(worst_before, worst_after, point, f"{a!r} became {b!r}")
        if math.isfinite(a) and not math.isfinite(b):
            # On the edge of an overflow or a domain, where rounding decides, it may go either way.
            doubts += 1
            if doubts > _DOUBTS and not may_extend:
                return Verdict(worst_before, worst_after, point, "in doubt at many points")
            if math.inf in _errors_nearby(before, symbols, point, eps):
                continue
            if _overflows(exactly(before, symbols, point), a, eps):
                continue
            return Verdict(worst_before, worst_after, point, f"{a!r} became {b!r}")
        if may_extend and not math.isfinite(a):
            continue
        if math.isinf(a) and (math.isnan(b) or (b == -a and 0.0 not in point)):
            # What surrounds a region may make a number of one infinity, as max(x, -inf) does.
            return Verdict(worst_before, worst_after, point, f"{a!r} became {b!r}")
        exact = exactly(before, symbols, point)
        if exact is None:
            if math.isfinite(b) and not math.isfinite(a):
                return Verdict(worst_before, worst_after, point, f"outside the domain, and {b!r}")
            continue
        if not math.isfinite(a):
            # By accident of rounding or order: the new value must be the true one.
            new = _ulps(exact, b, eps) if math.isfinite(b) else 0.0
            if new > plus + times:
                return Verdict(worst_before, worst_after, point, f"{a!r} became {b!r}")
            if math.isfinite(b) and exact == exact and not _is_tiny(exact, eps):
                worst_before, worst_after = math.inf, max(worst_after, new)
            continue
        error, new = _ulps(exact, a, eps), _ulps(exact, b, eps)
        if not _is_tiny(exact, eps):
            worst_before, worst_after = max(worst_before, error), max(worst_after, new)
        if not new <= times * error + plus:
            # At one point the roundings may cancel by luck: what is typical shows nearby.
            doubts += 1
            if doubts > _DOUBTS and not may_extend:
                return Verdict(worst_before, worst_after, point, "in doubt at many points")
            nearby = _errors_nearby(before, symbols, point, eps)
            error = max([error, *(e for e in nearby if math.isfinite(e))])
        if not new <= times * error + plus:
            reason = f"{new:.3g} ulp wrong, and {error:.3g} before"
            return Verdict(worst_before, worst_after, point, reason)
    return Verdict(worst_before, worst_after)


def _worst_first(was: Any, now: Any, mode: Mode, plus: float) -> list[int]:
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
        differ &= ~(finite & still & (distance <= plus)) | ((was == 0) | (now == 0))
        by_distance = np.argsort(np.where(differ & finite & still, -distance, 1), kind="stable")
    lost = np.flatnonzero(differ & finite & ~still)
    moved = by_distance[: np.count_nonzero(differ & finite & still)]
    found = np.flatnonzero(differ & ~finite)
    # Every other of the large number: neighbours in a grid tell the same story. But the largest
    # differences are all looked at: there one side is wrong.
    chosen = [part[:: max(1, len(part) // most)][:most] for part, most in (
        (lost, _EXACTLY), (moved[:_EXACTLY], _EXACTLY), (moved[_EXACTLY:], _EXACTLY),
        (found, _EXACTLY),
    )]  # fmt: skip
    return [int(k) for part in chosen for k in part]


def _errors_nearby(
    v: Node, symbols: Sequence[Node], point: Sequence[float], eps: Any
) -> Iterator[float]:
    """The errors in ulp at points a few roundings away; inf where the value is not finite."""
    rng = np.random.default_rng(0)
    largest = float(eps.max)
    for _ in range(_NEIGHBOURS):
        near = [x * (1 + 64 * float(eps.eps) * rng.uniform(-1, 1)) for x in point]
        # Beside the largest number lies infinity, where no sum is finite: that excuses nothing.
        near = [
            min(max(c, -largest), largest) if math.isfinite(x) else x
            for c, x in zip(near, point, strict=True)
        ]
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


def _overflows(exact: Any, value: float, info: Any) -> bool:
    """Whether infinity is right, and a finite value that came out before was not."""
    if exact is None or not mpmath.isfinite(exact):
        return False
    return abs(exact) > float(info.max) and abs(value) < float(info.max) / 2


def _is_tiny(exact: Any, info: Any) -> bool:
    """Whether a value is so near to the subnormal numbers that its digits mean nothing."""
    return bool(abs(exact) < float(info.smallest_normal) / float(info.eps))


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
_FEWEST, _MOST, _CANCELLED = 60, 700, 10**5


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


# Powers of two beyond which an op would take for ever; floats ended long before.
_LIMITS = {
    **dict.fromkeys(("sin", "cos", "tan"), 5_000),
    **dict.fromkeys(("exp", "expm1", "sinh", "cosh", "sigmoid", "softplus", "logaddexp"), 64),
}


def _is_beyond(value: Any, limit: float) -> bool:
    return bool(value and mpmath.isfinite(value) and value.exp + value.bc > limit)


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


def hard_points(
    nodes: Sequence[Node], symbols: Sequence[Node], facts: Mapping[Node, Interval]
) -> list[Any]:
    """One column of numbers for each symbol: random, extreme, and where the sums of nodes cancel.

    >>> import graphc as gc
    >>> x = gc.input("x", ("k",))
    >>> (column,) = hard_points([gc.exp(x) - 2.0], [x], {})
    >>> bool(np.any(abs(column - np.log(2)) < 1e-15))
    True
    """
    known = tuple(facts.get(x, ANYTHING) for x in symbols)
    columns = list(points(tuple(x.dtype.name for x in symbols), known))
    for v in topo(nodes):
        if v.op.name in ("add", "subtract") and v.type.is_float:
            near = _cancellations(v, symbols, columns, known)
            columns = [np.concatenate(pair) for pair in zip(columns, near, strict=True)]
    return columns


@functools.lru_cache(maxsize=256)
def points(dtypes: tuple[str, ...], known: tuple[Interval, ...]) -> tuple[Any, ...]:
    """Random numbers within some intervals, then extremes in combination."""
    if not dtypes:
        return (np.zeros(1),)
    rng = np.random.default_rng(len(dtypes))
    allowed = []
    for dtype, (low, high) in zip(dtypes, known, strict=True):
        kind = _DOUBLE if dtype == "float64" else _SINGLE
        ends = [end for end in (low, high) if math.isfinite(end)]
        allowed.append(np.array([p for p in kind if not (p < low or p > high)] + ends))
    if math.prod(map(len, allowed)) > _EXTREME:
        grid = [a[rng.integers(0, len(a), _EXTREME)] for a in allowed]
    else:
        grid = [a.ravel() for a in np.meshgrid(*allowed, indexing="ij")]
    columns = []
    for dtype, extremes, (low, high) in zip(dtypes, grid, known, strict=True):
        values = rng.normal(size=_RANDOM) * rng.choice([0.1, 1.0, 3.0, 30.0], _RANDOM)
        if math.isfinite(low) and math.isfinite(high):
            share = rng.uniform(size=_RANDOM)
            values = low * share + high * (1 - share)
        elif math.isfinite(low):
            values = low + np.abs(values)
        elif math.isfinite(high):
            values = high - np.abs(values)
        with np.errstate(over="ignore"):
            column = np.concatenate([values, extremes]).astype(dtype)
        column.setflags(write=False)
        columns.append(column)
    return tuple(columns)


# Starts, steps of halving, and how far beside a root to look too.
_ROOTS, _HALVINGS, _BESIDE = 3, 48, (1e-13, -1e-10, 1e-6, -1e-3)


def _cancellations(
    v: Node, symbols: Sequence[Node], columns: Sequence[Any], known: Sequence[Interval]
) -> list[Any]:
    """Points where a sum is nearly zero: from random ones along each symbol, by halving."""
    starts = [column[:_ROOTS] for column in columns]
    lows: list[list[Any]] = []
    highs: list[list[Any]] = []
    for j, column in enumerate(columns):
        ladder = np.unique(column[np.isfinite(column)])
        base = [np.repeat(start, len(ladder)) for start in starts]
        base[j] = np.tile(ladder, _ROOTS)
        signs = np.sign(_run(v, symbols, base)).reshape(_ROOTS, -1)
        rows, places = np.nonzero(signs[:, :-1] * signs[:, 1:] < 0)
        # One change of sign for each start.
        for row, k in dict(zip(rows, places, strict=True)).items():
            for ends, value in ((lows, ladder[k]), (highs, ladder[k + 1])):
                ends.append([value if i == j else s[row] for i, s in enumerate(starts)])
    if not lows:
        return [column[:0] for column in columns]
    low, high = np.array(lows).T, np.array(highs).T
    sign = np.sign(_run(v, symbols, list(low)))
    for _ in range(_HALVINGS):
        middle = _between(low, high)
        is_below = np.sign(_run(v, symbols, list(middle))) == sign
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    with np.errstate(over="ignore"):
        found = np.concatenate([low, high, *(low * (1 + step) for step in _BESIDE)], axis=1)
    return [
        np.clip(row, *ends).astype(x.dtype)
        for row, ends, x in zip(found, known, symbols, strict=True)
    ]


def _between(low: Any, high: Any) -> Any:
    """The middle of two numbers: the geometric one where they are far apart and of one sign."""
    with np.errstate(all="ignore"):
        small, large = np.minimum(np.abs(low), np.abs(high)), np.maximum(np.abs(low), np.abs(high))
        is_far = (np.sign(low) == np.sign(high)) & (large > 2 * small)
        return np.where(is_far, np.sign(low) * np.sqrt(small) * np.sqrt(large), low / 2 + high / 2)
