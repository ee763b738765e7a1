"""What is done to each element, or chooses elements."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...ir import Node, lift
from .. import elementwise as e
from .. import index, leaves
from .arrangement import flat
from .table import means

means(np.clip)(lambda a, a_min=None, a_max=None, *, min=None, max=None: e.clip(
    a, a_min if min is None else min, a_max if max is None else max
))  # fmt: skip
means(np.fix)(lambda x: e.trunc(x))
means(np.take_along_axis)(lambda arr, indices, axis=-1: index.take_along_axis(arr, indices, axis))
means(np.zeros_like)(lambda a, dtype=None: leaves.zeros_like(a, dtype))
means(np.empty_like)(lambda prototype, dtype=None: leaves.zeros_like(prototype, dtype))
means(np.ones_like)(lambda a, dtype=None: leaves.ones_like(a, dtype))
means(np.full_like)(lambda a, fill_value, dtype=None: leaves.full_like(a, fill_value, dtype))


@means(np.isclose)
def _isclose(
    a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False
) -> Node:
    near = e.less_equal(e.abs(e.subtract(a, b)), atol + rtol * e.abs(b))
    close = e.logical_or(e.logical_and(near, e.isfinite(b)), e.equal(a, b))
    both = e.logical_and(e.isnan(a), e.isnan(b))
    return e.logical_or(close, both) if equal_nan else close


@means(np.where)
def _where(condition: Any, x: Any = None, y: Any = None) -> Node:
    if x is None or y is None:
        raise ArgumentError(
            "np.where(condition) alone finds as many places as its values decide: "
            "write np.where(condition, a, b)"
        )
    return e.where(_as_truth(condition), x, y)


def _as_truth(condition: Any) -> Node:
    (value,) = lift([condition], "where")
    return value if value.dtype == bool else e.not_equal(value, 0)


@means(np.select)
def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0.0) -> Any:
    value = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        value = e.where(_as_truth(condition), choice, value)
    return value


@means(np.round, np.around)
def _round(a: Any, decimals: int = 0) -> Node:
    (x,) = lift([a], "round")
    decimals = operator.index(decimals)
    unit = 10.0 ** abs(decimals)
    if decimals >= 0:
        return e.round(x * unit) / unit if decimals and x.type.is_float else e.round(x)
    return e.astype(e.round(x / unit) * unit, x.dtype)


@means(np.nan_to_num)
def _nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Node:
    (v,) = lift([x], "nan_to_num")
    if not v.type.is_float:
        return v
    limits = np.finfo(v.dtype)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    known = e.where(e.isnan(v), nan, v)
    return e.where(e.equal(known, np.inf), high, e.where(e.equal(known, -np.inf), low, known))


@means(np.sinc)
def _sinc(x: Any) -> Node:
    """sin(y)/y; near 0, where its derivatives would cancel, the series."""
    y = e.multiply(x, math.pi)
    square = y * y
    series = leaves.ones_like(y)
    for k in range(8, 0, -1):
        series = 1.0 - square / (2.0 * k * (2 * k + 1)) * series
    is_near = e.less(e.abs(y), 0.5)
    return e.where(is_near, series, e.sin(y) / e.where(is_near, 1.0, y))


@means(np.take)
def _take(a: Any, indices: Any, axis: int | None = None) -> Node:
    (x,) = lift([a], "take")
    return index.take(flat(x) if axis is None else x, indices, axis or 0)
