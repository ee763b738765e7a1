"""The audit: two elementwise graphs compared in floats, against exact arithmetic, at hard points.

A rewrite is used only when no point refutes the promise of its mode (`simplify=True`, `"strict"`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import mpmath
import numpy as np

from ..ir import Node
from .exactly import FEWEST, exactly, exactly_from, work
from .facts import Interval
from .points import at_points, hard_points

Mode = Literal[True, "strict"]

# An error may be this many times as large as before, and this many ulp more.
TIMES, PLUS = 4.0, 6.0

# How many points: around one that would refute; and of each kind of difference those that are
# compared with exact arithmetic.
_NEIGHBOURS, _EXACTLY = 40, 40
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
        return self.errors

    @property
    def errors(self) -> str:
        """The worst errors of both sides, in a few digits."""
        worst = self.before, self.after
        before, after = (f"{e:.1f}" if e < 1e4 else f"{e:.0e}" for e in worst)
        return f"worst error {before} ulp before, {after} after"


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
    most_work: float = math.inf,
) -> Verdict:
    """Whether one elementwise graph may stand for another, as functions of some inputs.

    With `may_extend` it may be a number where the other leaves the real domain (log(-1) * 0).
    `at_roots` looks where sums cancel too: there roundings decide, so a part of a program must be
    no worse, while of two whole programs either may be lucky. An error may be `times` as large as
    before, and `plus` ulp more. What is not settled within `most_work` operations of exact
    arithmetic is refused.

    >>> import graphc as gc
    >>> x = gc.input("x", ("k",))
    >>> audit(gc.log(1 + gc.exp(x)), gc.softplus(x), [x]).holds
    True
    >>> audit(gc.sqrt(x) ** 2, x, [x]).holds
    False
    """
    columns = hard_points([before, after] if at_roots else [], symbols, facts or {})
    was, now = at_points(before, symbols, columns), at_points(after, symbols, columns)
    seen = _Seen(before, symbols, mode, may_extend, times, plus)
    last = work.done + most_work
    for k in _worst_first(was, now, mode, plus):
        point = tuple(float(column[k]) for column in columns)
        reason = seen.refusal(float(was[k]), float(now[k]), point)
        if not reason and work.done > last:
            reason = "too much work to settle"
        if reason:
            return Verdict(seen.before, seen.after, point, reason)
    return Verdict(seen.before, seen.after, *seen.too_much())


class _Seen:
    """What the points have shown so far: the worst errors before and after, and how many doubts."""

    def __init__(
        self,
        node: Node,
        symbols: Sequence[Node],
        mode: Mode,
        may_extend: bool,
        times: float,
        plus: float,
    ) -> None:
        self.node, self.symbols, self.eps = node, symbols, np.finfo(node.dtype)
        self.mode, self.may_extend, self.times, self.plus = mode, may_extend, times, plus
        self.before = self.after = 0.0
        self.doubts = 0
        # The worst errors where both were finite, and where that after was met.
        self.was = self.now = 0.0
        self.worst: tuple[float, ...] = ()

    def refusal(self, a: float, b: float, point: tuple[float, ...]) -> str:
        """Why b may not stand for a at a point; empty where it may."""
        became = f"{a!r} became {b!r}"
        if self.mode == "strict" and not _same_kind(a, b):
            return became
        if math.isfinite(a) and not math.isfinite(b):
            return self._doubt() or ("" if self._is_on_an_edge(a, point) else became)
        if self.may_extend and not math.isfinite(a):
            return ""
        if math.isinf(a) and (math.isnan(b) or b == -a):
            # What surrounds a region may make a number of one infinity, as max(x, -inf) does.
            return became
        exact = exactly(self.node, self.symbols, point)
        if exact is None:
            is_new = math.isfinite(b) and not math.isfinite(a)
            return f"outside the domain, and {b!r}" if is_new else ""
        if not math.isfinite(a):
            return "" if self._is_true(b, exact) else became
        return self._worse(a, b, exact, point)

    def _doubt(self) -> str:
        """Here what is nearby has to decide: that takes long, and many such points are too many."""
        self.doubts += 1
        is_over = self.doubts > _DOUBTS and not self.may_extend
        return "in doubt at many points" if is_over else ""

    def _is_on_an_edge(self, a: float, point: tuple[float, ...]) -> bool:
        """Whether it is rounding that decides here, at an overflow or the end of a domain."""
        if math.inf in _errors_nearby(self.node, self.symbols, point, self.eps):
            return True
        return _overflows(exactly(self.node, self.symbols, point), a, self.eps)

    def _is_true(self, b: float, exact: Any) -> bool:
        """Whether what was no number, by accident of rounding or order, became the true one."""
        new = _ulps(exact, b, self.eps) if math.isfinite(b) else 0.0
        if new > self.plus + self.times:
            return False
        if math.isfinite(b) and exact == exact and not _is_tiny(exact, self.eps):
            self.before, self.after = math.inf, max(self.after, new)
        return True

    def _worse(self, a: float, b: float, exact: Any, point: tuple[float, ...]) -> str:
        """By how much an error grew that may not grow so much."""
        error, new = _ulps(exact, a, self.eps), _ulps(exact, b, self.eps)
        if not _is_tiny(exact, self.eps):
            self.before, self.after = max(self.before, error), max(self.after, new)
            self.was = max(self.was, error)
            self.now, self.worst = max((self.now, self.worst), (new, point))
        if new <= self.times * error + self.plus:
            return ""
        if in_doubt := self._doubt():
            return in_doubt
        # At one point the roundings may cancel by luck: what is typical shows nearby.
        for nearby in _errors_nearby(self.node, self.symbols, point, self.eps):
            error = max(error, nearby if math.isfinite(nearby) else 0.0)
            if new <= self.times * error + self.plus:
                return ""
        return f"{new:.3g} ulp wrong, and {error:.3g} before"

    def too_much(self) -> tuple[tuple[float, ...] | None, str]:
        """The point and reason of a refusal where what is nearby excused too much, all in all.

        That is asked of parts only: a whole program is met at too few points to judge its luck.
        """
        if self.may_extend or self.now <= self.times * self.was + self.plus:
            return None, ""
        return self.worst, f"{self.now:.3g} ulp wrong, and nowhere more than {self.was:.3g} before"


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
    largest, digits = float(eps.max), FEWEST
    moved = 1 + 64 * float(eps.eps) * rng.uniform(-1, 1, (_NEIGHBOURS, len(point)))
    # Beside the largest number lies infinity, where no sum is finite: that excuses nothing.
    with np.errstate(all="ignore"):
        columns = [
            np.clip(x * by, -largest, largest) if math.isfinite(x) else x * by
            for x, by in zip(point, moved.T, strict=True)
        ]
        columns = [c.astype(x.dtype) for c, x in zip(columns, symbols, strict=True)]
    for k, value in enumerate(map(float, at_points(v, symbols, columns))):
        if not math.isfinite(value):
            yield math.inf
        else:
            near = [float(column[k]) for column in columns]
            exact, digits = exactly_from(v, symbols, near, digits)
            yield 0.0 if exact is None else _ulps(exact, value, eps)


def _same_kind(a: float, b: float) -> bool:
    """IEEE for IEEE: both NaN, the same infinity, the same zero, or both finite and not zero."""
    if math.isfinite(a) and math.isfinite(b) and a != 0 and b != 0:
        return True
    return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)


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
