"""Axes: which one is meant, and how much of it an index or a slice takes."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import sympy as sp

from ..errors import IndexingError, ShapeError
from ..sizes import Dim
from ..wording import counted, with_kind
from .dims import as_dim, is_expression, plain, with_our_symbols


def as_axis(axis: object, rank: int, of: str = "tensor") -> int:
    """A non-negative axis number."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        is_array = hasattr(axis, "shape")
        cure = ": two tensors meet in gc.add, gc.maximum, gc.minimum" if is_array else ""
        raise ShapeError(f"an axis must be an int, and {with_kind(axis)}{cure}")
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} does not exist in a {of} of {counted(rank, 'axis', 'axes')}")
    return int(axis) % rank


def as_axes(axis: object, rank: int) -> tuple[int, ...]:
    """Sorted non-negative axes from None (all), an int, or a tuple."""
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    axes = sorted(as_axis(a, rank) for a in given)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"the axes {axis} name one axis twice")
    return tuple(axes)


@functools.lru_cache(maxsize=4096)
def is_outside(index: Dim, size: Dim) -> bool:
    """Whether an index lies beyond an axis whatever the symbols are."""
    return _is_proved(index - size) or _is_proved(-index - size - 1)


def _is_proved(value: Dim) -> bool:
    """Whether value >= 0 is certain."""
    return bool(plain(value).is_nonnegative)


@functools.lru_cache(maxsize=4096)
def span_length(size: Dim, start: Dim | None, stop: Dim | None, step: int) -> Dim:
    """How many elements of an axis `start:stop:step` takes, with Python's rules for bounds."""
    low = 0 if step > 0 else -1
    high = size + low
    # Each bound is kept from leaving the axis at its own end; beyond the other nothing is left.
    first, last = (start, stop) if step > 0 else (stop, start)
    left = plain(low) if first is None else sp.Max(low, from_zero(first, size))
    right = plain(high) if last is None else sp.Min(high, from_zero(last, size))
    return as_dim(_or_0(sp.floor((right - left + abs(step) - 1) / abs(step))))


def _or_0(value: Any) -> Any:
    """max(0, value). Of max(0, e) - k that is max(0, e - k), so slices of slices do not nest."""
    less, rest = value.as_coeff_Add()
    if isinstance(rest, sp.Max) and less.is_negative and sp.S.Zero in rest.args:
        value = sp.Max(*(e + less for e in rest.args if e != 0))
    return sp.Max(0, value)


def from_zero(bound: Dim, size: Dim) -> Dim:
    """A bound of an axis, counted from its beginning. Negative ones are counted from its end."""
    is_negative = bound < 0 if isinstance(bound, int) else bound.plain.is_negative
    return bound + size if is_negative else bound


def as_bound(value: Dim) -> Dim:
    """The canonical form of a slice's bound, which unlike a size may be negative.

    Python counts a negative bound from the end, so its sign must be known now.
    """
    if not is_expression(value):
        return int(value)
    if isinstance(value, sp.Expr):
        value = with_our_symbols(value)
    sign = plain(value)
    if sign.is_negative:
        return -as_dim(-value)
    if sign.is_nonpositive:
        raise IndexingError(
            f"the bound {value} may come out 0, where Python counts from the beginning: "
            f"of an axis of size k say k - ({-value})"
        )
    if not sign.is_nonnegative:
        raise IndexingError(
            f"the bound {value} may come out negative, where Python counts from the end: "
            f"say sympy.Max(0, {value})"
        )
    return as_dim(value)


def of_a_slice(*sizes: Dim) -> str:
    """What to write beside a slice whose axis may end before it does, or instead of it."""
    if any(plain(d).has(sp.Min) for d in sizes):
        return (
            ": a slice ends where its axis ends; gc.take(x, np.arange(k), axis) is k long or fails"
        )
    if any(plain(d) == sp.Max(0, plain(e)) for d, e in itertools.permutations(sizes, 2)):
        return ": a slice may be empty; what stands beside it takes its shape, as in x[2:].shape"
    return ""
