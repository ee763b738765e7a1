"""Running sums, products and linear recurrences along an axis. Nothing divides: zeros are exact."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ir import Node, Op, example, lift, size_of_result, spelling
from ..shapes import Shape, as_axis
from ..tensor_type import TensorType
from .chain import times, where_any
from .elementwise import multiply
from .from_formula import onto
from .joins import pad
from .slices import flip, getitem

_EXAMPLES = (
    example([4], axis=0),
    example([2, 3], axis=1),
    example(["n", 2], axis=0),
)


def widened(x: TensorType) -> TensorType:
    """What NumPy adds up and multiplies in: small integers and bool are too narrow for many."""
    if x.is_float:
        return x
    return x.with_dtype(np.result_type(x.dtype, np.uint64 if x.dtype.kind == "u" else np.int64))


_cumulative_sum: Op = Op(
    "cumulative_sum",
    infer=lambda x, axis: widened(x),
    numpy=lambda n: f"np.cumsum(x0, axis={n.attrs['axis']})",
    into=lambda n: f"np.cumsum(x0, axis={n.attrs['axis']}, out=out)",
    bprop=lambda n, i, g: flip(_cumulative_sum(flip(g, **n.attrs), **n.attrs), **n.attrs),
    guard=(0, where_any(lambda n, ones: _cumulative_sum(ones, **n.attrs))),
    family="scan",
    examples=_EXAMPLES,
)


def _recurrence_type(a: TensorType, b: TensorType, axis: int) -> TensorType:
    if a.shape != b.shape:
        raise ShapeError(f"linear_recurrence needs equal shapes, and {a} is not {b}")
    return a.with_dtype(np.result_type(a.dtype, b.dtype))


def _recurrence_bprop(node: Node, i: int, g: Node) -> Node:
    axis = node.attrs["axis"]
    shares = _backwards(node.inputs[0], g, axis)
    share = shares if i == 1 else times(shares, _delayed(node, axis, 0.0))
    return onto(share, node.inputs[i])


linear_recurrence: Op = Op(
    "linear_recurrence",
    infer=_recurrence_type,
    numpy=lambda n: f"linear_recurrence(x0, x1, {n.attrs['axis']})",
    bprop=_recurrence_bprop,
    guard=(1, where_any(lambda n, ones: _cumulative_sum(ones, **n.attrs))),
    flops=lambda n: 2 * size_of_result(n),
    family="scan",
    examples=(example([4], [4], axis=0), example([2, 3], [2, 3], axis=1)),
    doc="r[k] = a[k] * r[k - 1] + b[k] along an axis, from r[0] = b[0].",
)


def _cumulative_prod_bprop(node: Node, i: int, g: Node) -> Node:
    x, axis = node.inputs[0], node.attrs["axis"]
    return times(_backwards(x, g, axis), _products_before(x, axis))


_cumulative_prod: Op = Op(
    "cumulative_prod",
    infer=lambda x, axis: widened(x),
    numpy=lambda n: f"np.cumprod(x0, axis={n.attrs['axis']})",
    into=lambda n: f"np.cumprod(x0, axis={n.attrs['axis']}, out=out)",
    bprop=_cumulative_prod_bprop,
    family="scan",
    examples=_EXAMPLES,
)


def _backwards(a: Node, g: Node, axis: int) -> Node:
    """s[k] = g[k] + a[k + 1] * s[k + 1]: the recurrence run from the end."""
    margin = tuple((0, 1) if k == axis else (0, 0) for k in range(a.ndim))
    following = getitem(pad(a, margin), _along(a.shape, axis, slice(1, None)))
    return flip(linear_recurrence(flip(following, axis), flip(g, axis), axis=axis), axis)


def _delayed(x: Node, axis: int, first: float) -> Node:
    """x moved on by one place, with `first` in front."""
    margin = tuple((1, 0) if k == axis else (0, 0) for k in range(x.ndim))
    return getitem(pad(x, margin, first), _along(x.shape, axis, slice(None, -1)))


def _along(shape: Shape, axis: int, entry: slice) -> tuple[slice, ...]:
    return tuple(entry if k == axis else slice(None) for k in range(len(shape)))


def _products_before(x: Node, axis: int) -> Node:
    """For each element, the product of those before it."""
    return _cumulative_prod(_delayed(x, axis, 1.0), axis=axis)


def products_of_others(x: Node) -> Node:
    """For each element of the last axis, the product of all the others."""
    last = x.ndim - 1
    after = flip(_products_before(flip(x, last), last), last)
    return multiply(_products_before(x, last), after)


def _checked(x: Any, axis: int | None, taker: str) -> tuple[Node, int]:
    (value,) = lift([x], taker)
    if axis is None and value.ndim != 1:
        raise ShapeError(f"{taker} needs an axis unless there is one only, and got {value.type}")
    return value, as_axis(0 if axis is None else axis, value.ndim)


@spelling
def cumulative_sum(x: Any, axis: int | None = None) -> Node:
    """The running sum along an axis.

    >>> import graphc as gc
    >>> gc.evaluate(gc.cumulative_sum(gc.constant([1.0, 2.0, 3.0])), {})
    array([1., 3., 6.])
    """
    value, at = _checked(x, axis, "cumulative_sum")
    return _cumulative_sum(value, axis=at)


@spelling
def cumulative_prod(x: Any, axis: int | None = None) -> Node:
    """The running product along an axis. Its gradient never divides, so zeros are exact.

    >>> import graphc as gc
    >>> gc.evaluate(gc.cumulative_prod(gc.constant([2.0, 0.0, 3.0])), {})
    array([2., 0., 0.])
    """
    value, at = _checked(x, axis, "cumulative_prod")
    return _cumulative_prod(value, axis=at)
