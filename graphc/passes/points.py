"""Hard points: numbers at which two programs for one formula show their differences."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluate import interpret
from ..ir import Node, topo
from .facts import ANYTHING, Interval

# How many points: random ones, and combinations of extremes.
_RANDOM, _EXTREME = 24, 40_000

# No wide gap up to where exp overflows: its square, and its cube, do so before. And a factor that
# is no integer, beside a subnormal number: there each product is rounded. The squares of 1e155 and
# 3e19 overflow, where those of their reciprocals do not vanish.
_DOUBLE = (
    0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.0, 1e-8, -1e-8, 1e-17, 30.0, -30.0, 40.0, -40.0, 100.0,
    -100.0, 150.0, -200.0, 250.0, -355.0, 356.0, 450.0, -550.0, 700.0, -700.0, 720.0, -720.0,
    1234.567, 1e8, -1e8, 1e155, 1e-155, 1e300, -1e300, 1e-300, 6.3e-317, 5e-324, -5e-324,
    1.7976931348623157e308, math.inf, -math.inf, math.nan,
)  # fmt: skip
_SINGLE = (
    0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.0, 1e-4, -1e-4, 1e-9, 15.0, -15.0, 20.0, -25.0, 30.0,
    -37.0, 45.0, -45.0, 60.0, -60.0, 85.0, -85.0, 90.0, -90.0, 1234.567, 1e4, -1e4, 3e19, 3e-20,
    1e37, -1e37, 1e-37, 6.3e-42, 1e-45, -1e-45, 3.4e38, math.inf, -math.inf, math.nan,
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
    sums = [v for v in topo(nodes) if v.op.name in ("add", "subtract") and v.type.is_float]
    near = _cancellations(sums, symbols, columns, known) if sums else columns[:0]
    return [np.concatenate(pair) for pair in zip(columns, near, strict=True)] if near else columns


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
        with np.errstate(all="ignore"):
            column = np.concatenate([values, extremes]).astype(dtype)
        column.setflags(write=False)
        columns.append(column)
    return tuple(columns)


# Starts, steps of halving, and how far beside a root to look too.
_ROOTS, _HALVINGS, _BESIDE = 3, 48, (1e-13, -1e-10, 1e-6, -1e-3)


def _cancellations(
    sums: Sequence[Node], symbols: Sequence[Node], columns: Sequence[Any], known: Sequence[Interval]
) -> list[Any]:
    """Points where sums are nearly zero: from random ones along each symbol, by halving.

    All of them are halved together: what takes time is to walk the nodes, not the points.
    """
    starts = [column[:_ROOTS] for column in columns]
    lows: list[list[Any]] = [[] for _ in sums]
    highs: list[list[Any]] = [[] for _ in sums]
    for j, column in enumerate(columns):
        ladder = np.unique(column[np.isfinite(column)])
        base = [np.repeat(start, len(ladder)) for start in starts]
        base[j] = np.tile(ladder, _ROOTS)
        for k, value in enumerate(_each_at(sums, symbols, base)):
            signs = np.sign(value).reshape(_ROOTS, -1)
            rows, places = np.nonzero(signs[:, :-1] * signs[:, 1:] < 0)
            # One change of sign for each start.
            for row, place in dict(zip(rows, places, strict=True)).items():
                for ends, end in ((lows, ladder[place]), (highs, ladder[place + 1])):
                    ends[k].append([end if i == j else s[row] for i, s in enumerate(starts)])
    of = np.repeat(np.arange(len(sums)), [len(ends) for ends in lows])
    if not len(of):
        return [column[:0] for column in columns]

    def sign_at(points: Any) -> Any:
        return np.sign(np.stack(_each_at(sums, symbols, list(points)))[of, np.arange(len(of))])

    low, high = (np.array([end for ends in part for end in ends]).T for part in (lows, highs))
    sign = sign_at(low)
    for _ in range(_HALVINGS):
        middle = _between(low, high)
        is_below = sign_at(middle) == sign
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    with np.errstate(all="ignore"):
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


def at_points(v: Node, symbols: Sequence[Node], columns: Sequence[Any]) -> Any:
    """The values of a node where some symbols are columns of numbers."""
    return _each_at([v], symbols, columns)[0]


def _each_at(nodes: Sequence[Node], symbols: Sequence[Node], columns: Sequence[Any]) -> list[Any]:
    """The values of some nodes at the same points."""
    values = dict(zip(symbols, columns, strict=True))
    with np.errstate(all="ignore"):
        interpret(topo(nodes), values, {"dim_k": len(columns[0]) if columns else 0})
    return [np.broadcast_to(values[v], columns[0].shape) for v in nodes]
