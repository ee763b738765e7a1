"""Sums and what is made of them, along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import shapes
from ...errors import ArgumentError
from ...ir import Node, lift
from .. import contract, layout, leaves, reduce, scan
from .. import elementwise as e
from .arrangement import flat
from .table import means

means(np.sum)(lambda a, axis=None, keepdims=False: reduce.sum(a, axis, keepdims))
means(np.prod)(lambda a, axis=None, keepdims=False: reduce.prod(a, axis, keepdims))
means(np.max, np.amax)(lambda a, axis=None, keepdims=False: reduce.max(a, axis, keepdims))
means(np.min, np.amin)(lambda a, axis=None, keepdims=False: reduce.min(a, axis, keepdims))
means(np.any)(lambda a, axis=None, keepdims=False: reduce.any(a, axis, keepdims))
means(np.all)(lambda a, axis=None, keepdims=False: reduce.all(a, axis, keepdims))
means(np.mean)(lambda a, axis=None, keepdims=False: reduce.mean(a, axis, keepdims))


@means(np.var)
def _var(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False, **also: float) -> Node:
    return reduce.var(a, axis, also.get("correction", ddof), keepdims)


@means(np.std)
def _std(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False, **also: float) -> Node:
    return reduce.std(a, axis, also.get("correction", ddof), keepdims)


@means(np.ptp)
def _ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return reduce.max(a, axis, keepdims) - reduce.min(a, axis, keepdims)


@means(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Any:
    if weights is None:
        return reduce.mean(a, axis, keepdims)
    (x,), (w,) = lift([a], "average"), lift([weights], "average")
    if w.ndim < x.ndim:
        (at,) = shapes.as_axes(axis, x.ndim)
        w = layout.reshape(w, tuple(d if k == at else 1 for k, d in enumerate(x.shape)))
    w = layout.broadcast_to(w, x.shape)
    return reduce.sum(x * w, axis, keepdims) / reduce.sum(w, axis, keepdims)


@means(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Node:
    return reduce.sum(e.not_equal(a, 0), axis, keepdims)


@means(np.cov)
def _cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None) -> Node:
    (x,) = lift([m], "cov")
    x = x if rowvar or x.ndim == 1 else x.T
    if y is not None:
        raise ArgumentError("np.cov of two arrays: join them first, with np.stack")
    rows = layout.reshape(x, (1, -1)) if x.ndim == 1 else x
    deviation = rows - reduce.mean(rows, axis=1, keepdims=True)
    count = leaves.size(rows.shape[1], rows.dtype) - ((0 if bias else 1) if ddof is None else ddof)
    square = deviation @ deviation.T / count
    return square if x.ndim > 1 else layout.reshape(square, ())


@means(np.corrcoef)
def _corrcoef(x: Any, rowvar: bool = True) -> Any:
    square = _cov(x, rowvar=rowvar)
    spread = e.sqrt(contract.diagonal(square))
    return square / spread[:, None] / spread[None, :]


@means(np.cumsum)
def _cumsum(a: Any, axis: int | None = None) -> Node:
    (x,) = lift([a], "cumsum")
    return scan.cumulative_sum(flat(x) if axis is None else x, 0 if axis is None else axis)


@means(np.cumprod)
def _cumprod(a: Any, axis: int | None = None) -> Node:
    (x,) = lift([a], "cumprod")
    return scan.cumulative_prod(flat(x) if axis is None else x, 0 if axis is None else axis)


means(np.cumulative_sum)(lambda x, axis=None: scan.cumulative_sum(x, axis))
means(np.cumulative_prod)(lambda x, axis=None: scan.cumulative_prod(x, axis))
