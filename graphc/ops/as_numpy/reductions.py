"""Sums and what is made of them, and order, along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import shapes
from ...errors import ArgumentError
from ...ir import Node, lift
from .. import contract, layout, leaves, reduce, scan, sort
from .. import elementwise as e
from .arrangement import flat
from .table import Function, means


def in_dtype(a: Any, dtype: Any) -> Node:
    """The operand as NumPy computes with it where a dtype is asked for: converted before."""
    (x,) = lift([a], "astype")
    return x if dtype is None else e.astype(x, dtype)


def _along_axes(reduction: Function) -> Function:
    def function(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        return reduction(in_dtype(a, dtype), axis, bool(keepdims))

    return function


def _chosen_along_axes(reduction: Function) -> Function:
    """Without a dtype: what these find has that of the elements, or is bool."""
    return lambda a, axis=None, *, keepdims=False: reduction(a, axis, bool(keepdims))


def in_floats(a: Any, dtype: Any = None) -> Node:
    """Means of integers and of truth values, and what else NumPy converts first, are float64."""
    x = in_dtype(a, dtype)
    return x if x.type.is_float else e.astype(x, np.float64)


means(np.sum)(_along_axes(reduce.sum))
means(np.prod)(_along_axes(reduce.prod))
means(np.max, np.amax)(_chosen_along_axes(reduce.max))
means(np.min, np.amin)(_chosen_along_axes(reduce.min))
means(np.any)(_chosen_along_axes(reduce.any))
means(np.all)(_chosen_along_axes(reduce.all))


@means(np.mean)
def _mean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Node:
    return reduce.mean(in_floats(a, dtype), axis, bool(keepdims))


def _spread(reduction: Function) -> Function:
    def function(
        a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False,
        correction: float | None = None,
    ) -> Any:  # fmt: skip
        less = ddof if correction is None else correction
        return reduction(in_floats(a, dtype), axis, less, bool(keepdims))

    return function


means(np.var)(_spread(reduce.var))
means(np.std)(_spread(reduce.std))


@means(np.ptp)
def _ptp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return reduce.max(a, axis, keepdims) - reduce.min(a, axis, keepdims)


@means(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    if weights is None:
        return reduce.mean(in_floats(a), axis, keepdims)
    x, (w,) = in_floats(a), lift([weights], "average")
    if w.ndim < x.ndim:
        (at,) = shapes.as_axes(axis, x.ndim)
        w = layout.reshape(w, tuple(d if k == at else 1 for k, d in enumerate(x.shape)))
    w = layout.broadcast_to(w, x.shape)
    return reduce.sum(x * w, axis, keepdims) / reduce.sum(w, axis, keepdims)


@means(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    return reduce.sum(e.not_equal(a, 0), axis, keepdims)


@means(np.cov)
def _cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None) -> Node:
    x = in_dtype(in_floats(m), np.float64)
    x = x if rowvar or x.ndim == 1 else x.T
    if y is not None:
        raise ArgumentError("np.cov of two arrays: join them first, with np.stack")
    rows = layout.reshape(x, (1, -1)) if x.ndim == 1 else x
    deviation = rows - reduce.mean(rows, axis=1, keepdims=True)
    count = leaves.size(rows.shape[1], rows.dtype) - ((0 if bias else 1) if ddof is None else ddof)
    square = deviation @ deviation.T / count
    return square if x.ndim > 1 else layout.reshape(square, ())


@means(np.corrcoef)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    square = _cov(x, y, rowvar)
    spread = e.sqrt(contract.diagonal(square))
    return square / spread[:, None] / spread[None, :]


def _running(scanned: Function) -> Function:
    """Along one axis, or through all the elements in a row."""

    def function(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
        x = in_dtype(a, dtype)
        return scanned(flat(x) if axis is None else x, 0 if axis is None else axis)

    return function


means(np.cumsum)(_running(scan.cumulative_sum))
means(np.cumprod)(_running(scan.cumulative_prod))
means(np.cumulative_sum)(lambda x, *, axis=None: scan.cumulative_sum(x, axis))
means(np.cumulative_prod)(lambda x, *, axis=None: scan.cumulative_prod(x, axis))


# -- order ------------------------------------------------------------------------------------


def _ordered(function: Function) -> Function:
    """Along one axis, or through all the elements in a row; stable where that is asked for."""

    def ordered(
        a: Any, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None
    ) -> Any:
        x, k = (flat(*lift([a], "sort")), 0) if axis is None else (a, axis)
        return function(x, k, stable=_is_stable(kind) if stable is None else bool(stable))

    return ordered


def _is_stable(kind: str | None) -> bool:
    """NumPy reads the first letter of a kind alone: quicksort, heapsort, mergesort or stable."""
    letter = "q" if kind is None else str(kind)[:1].lower()
    if letter not in [*"qhms"]:
        raise ArgumentError(f"kind= is 'quick', 'heap' or 'stable', not {kind!r}")
    return letter in "ms"


means(np.sort)(_ordered(sort.sort))
means(np.argsort)(_ordered(sort.argsort))
means(np.argmax)(_chosen_along_axes(sort.argmax))
means(np.argmin)(_chosen_along_axes(sort.argmin))


@means(np.median)
def _median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    return sort.median(in_floats(a), axis, bool(keepdims))


@means(np.quantile)
def _quantile(a: Any, q: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    x = in_floats(a)
    if np.ndim(q):  # several levels are an array, with a dtype
        x = e.astype(x, np.result_type(x.dtype, np.asarray(q)))
    return sort.quantile(x, q, axis, bool(keepdims))


@means(np.percentile)
def _percentile(a: Any, q: Any, axis: Any = None, *, keepdims: bool = False) -> Node:
    found: Node = _quantile(a, np.true_divide(q, 100), axis, keepdims=keepdims)
    return found
