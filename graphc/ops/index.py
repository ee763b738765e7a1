"""Indexing by integer tensors: take and gather, and the scatters that are their adjoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..errors import DTypeError, IndexingError, ShapeError
from ..ir import Node, Op, example, is_literal, lift, no_flops, spelling
from ..shapes import Dim, Shape, as_axis, as_dim
from ..tensor_type import TensorType
from .chain import where_any
from .elementwise import astype, equal
from .joins import same_off_axis
from .layout import broadcast_to, reshape
from .leaves import full, iota, zeros
from .slices import expand_dims

_INDEX = ("float64", "int64")


def _integers(indices: TensorType, taker: str) -> None:
    if indices.dtype.kind not in "iu":
        raise DTypeError(f"{taker} needs integer indices, and was given {indices}")


def refuse_outside(array: Any, size: Dim, axis: int) -> None:
    """What is known now is held against the size now."""
    if isinstance(size, int):
        outside = array[(array < -size) | (array >= size)]
        if outside.size:
            raise IndexingError(
                f"index {outside.flat[0]} is out of range for axis {axis} of size {size}"
            )


def _refuse_known(x: Node, indices: Node, axis: int) -> int:
    """The axis, along which no index that is a number lies outside."""
    if indices.op.name == "constant" and indices.dtype.kind in "iu":
        refuse_outside(indices.attrs["value"].array, x.shape[axis], axis)
    return axis


def _take_type(x: TensorType, indices: TensorType, axis: int) -> TensorType:
    _integers(indices, "take")
    return x.with_shape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _own_indices(indices: Node, axis: int, x: Shape, lead: Shape) -> Node:
    """Indices that differ along the axes in front, in one row, beside all the other axes of x."""
    k = len(lead)
    row = reshape(indices, (*lead, *[1] * axis, -1, *[1] * (len(x) - k - axis - 1)))
    return broadcast_to(row, (*x[: k + axis], row.shape[k + axis], *x[k + axis + 1 :]))


def _take_batch(
    node: Node, inputs: Sequence[Node], batched: Sequence[bool], lead: Shape
) -> Node:
    """Where each example has its own indices, they are taken along the axis of its own x."""
    (x, indices), axis = inputs, node.attrs["axis"]
    if not batched[1]:
        return _take(x, indices, axis=len(lead) + axis)
    if not batched[0]:
        x = broadcast_to(x, (*lead, *x.shape))
    own = _own_indices(indices, axis, x.shape, lead)
    taken = _take_along_axis(x, own, axis=len(lead) + axis)
    return reshape(taken, (*lead, *node.shape))


def _scatter_batch(
    node: Node, inputs: Sequence[Node], batched: Sequence[bool], lead: Shape
) -> Node:
    """Where each example has its own indices, it scatters along the axis of its own x."""
    x, indices, updates = (
        v if b or i == 1 else broadcast_to(v, (*lead, *v.shape))
        for i, (v, b) in enumerate(zip(inputs, batched, strict=True))
    )
    axis = len(lead) + node.attrs["axis"]
    if not batched[1]:
        return _scatter_add(x, indices, updates, axis=axis)
    own = _own_indices(indices, node.attrs["axis"], x.shape, lead)
    return _scatter_add_along_axis(x, own, reshape(updates, own.shape), axis=axis)


_take: Op = Op(
    "take",
    infer=_take_type,
    numpy=lambda n: f"np.take(x0, x1, axis={n.attrs['axis']})",
    bprop=lambda n, i, g: _scatter_add(
        zeros(n.inputs[0].shape, g.dtype), n.inputs[1], g, axis=n.attrs["axis"]
    ),
    flops=no_flops,
    guard=(0, lambda n, condition, _: _take(condition, n.inputs[1], **n.attrs)),
    family="index",
    batch=_take_batch,
    examples=(
        example([3], [4], dtypes=_INDEX, between=(0, 3), axis=0),
        example([3, 4], [2, 2], dtypes=_INDEX, between=(-3, 3), axis=1),
        example([2, "n"], [], dtypes=_INDEX, between=(0, 2), axis=0),
    ),
)


def _undone_by(gather: Op) -> Callable[[Node, int, Node], Node]:
    """The bprop of a scatter: an update has the gradient of the place that it was added to."""

    def bprop(node: Node, i: int, g: Node) -> Node:
        back = g if i == 0 else gather(g, node.inputs[1], **node.attrs)
        return astype(back, node.inputs[i].dtype)

    return bprop


def _scatter_type(x: TensorType, indices: TensorType, updates: TensorType, axis: int) -> TensorType:
    expected = _take_type(x, indices, axis).shape
    if updates.shape != expected:
        raise ShapeError(f"scatter_add needs updates of shape {expected}, and was given {updates}")
    return x.with_dtype(np.result_type(x.dtype, updates.dtype))


_scatter_add: Op = Op(
    "scatter_add",
    infer=_scatter_type,
    numpy=lambda n: f"scatter_add(x0, x1, x2, {n.attrs['axis']})",
    bprop=_undone_by(_take),
    flops=lambda n: n.inputs[2].type.size,
    guard=(2, where_any(lambda n, ones: _counted(n, ones))),
    family="index",
    batch=_scatter_batch,
    examples=(
        example([3], [4], [4], dtypes=_INDEX, between=(0, 3), axis=0),
        example([2, 3], [2, 2], [2, 2, 2], dtypes=_INDEX, between=(0, 3), axis=1),
    ),
)


def _along_type(x: TensorType, indices: TensorType, axis: int) -> TensorType:
    _integers(indices, "take_along_axis")
    same_off_axis(x, indices, axis, "take_along_axis")
    return x.with_shape(indices.shape)


_take_along_axis: Op = Op(
    "take_along_axis",
    infer=_along_type,
    numpy=lambda n: f"x0[index_along(x1, {n.attrs['axis']})]",
    bprop=lambda n, i, g: _scatter_add_along_axis(
        zeros(n.inputs[0].shape, g.dtype), n.inputs[1], g, axis=n.attrs["axis"]
    ),
    flops=no_flops,
    guard=(0, lambda n, condition, _: _take_along_axis(condition, n.inputs[1], **n.attrs)),
    family="index",
    examples=(
        example([2, 3], [2, 4], dtypes=_INDEX, between=(0, 3), axis=1),
        example([3, "n"], [2, "n"], dtypes=_INDEX, between=(-3, 3), axis=0),
    ),
)


def _scatter_along_type(
    x: TensorType, indices: TensorType, updates: TensorType, axis: int
) -> TensorType:
    _along_type(x, indices, axis)
    if updates.shape != indices.shape:
        raise ShapeError(f"scatter_add_along_axis needs updates like its indices, not {updates}")
    return x.with_dtype(np.result_type(x.dtype, updates.dtype))


_scatter_add_along_axis: Op = Op(
    "scatter_add_along_axis",
    infer=_scatter_along_type,
    numpy=lambda n: f"scatter_add_along_axis(x0, x1, x2, {n.attrs['axis']})",
    into=lambda n: f"scatter_add_along_axis(x0, x1, x2, {n.attrs['axis']}, out=out)",
    adds_to=True,
    bprop=_undone_by(_take_along_axis),
    flops=lambda n: n.inputs[2].type.size,
    guard=(2, where_any(lambda n, ones: _counted(n, ones))),
    family="index",
    examples=(example([2, 3], [2, 4], [2, 4], dtypes=_INDEX, between=(0, 3), axis=1),),
)


def _counted(node: Node, ones: Node) -> Node:
    """How many holding elements a scatter brings to each place, besides what it starts from."""
    start = full(node.shape, 0 if is_literal(node.inputs[0], 0.0) else 1, dtype=np.int64)
    return node.op(start, node.inputs[1], ones, **node.attrs)


@spelling
def take(x: Any, indices: Any, axis: int | None = None) -> Node:
    """The elements of x at integer positions along an axis; negative positions count from the end.

    >>> import graphc as gc
    >>> gc.take(gc.input("x", ("n", 3)), gc.input("k", (5,), dtype="int64"), axis=0).type
    f64[5, 3]
    """
    value, where = lift([x], "take")[0], lift([indices], "take")[0]
    if axis is None and value.ndim != 1:
        raise ShapeError(f"take needs an axis unless there is one only, and got {value.type}")
    at = as_axis(0 if axis is None else axis, value.ndim)
    return _take(value, where, axis=_refuse_known(value, where, at))


@spelling
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Node:
    """Gather: for each position off `axis`, the elements of x at that position's own indices.

    >>> import graphc as gc
    >>> k = gc.input("k", ("n", 2), dtype="int64")
    >>> gc.take_along_axis(gc.input("x", ("n", 5)), k).type
    f64[n, 2]
    """
    value, where = lift([x], "take_along_axis")[0], lift([indices], "take_along_axis")[0]
    at = as_axis(axis, value.ndim)
    return _take_along_axis(value, where, axis=_refuse_known(value, where, at))


@spelling
def scatter_add(x: Any, indices: Any, updates: Any, axis: int = 0) -> Node:
    """x with updates added at integer positions along an axis; repeated positions add up.

    >>> import graphc as gc
    >>> gc.evaluate(gc.scatter_add(gc.zeros(3), [1, 1], [2.0, 3.0]), {})
    array([0., 5., 0.])
    """
    value, new = lift([x, updates], "scatter_add")
    (where,) = lift([indices], "scatter_add")
    return _scatter_add(value, where, new, axis=as_axis(axis, value.ndim))


@spelling
def scatter_add_along_axis(x: Any, indices: Any, updates: Any, axis: int = -1) -> Node:
    """x with updates added at each position's own indices along an axis: the adjoint of gather.

    >>> import graphc as gc
    >>> gc.evaluate(gc.scatter_add_along_axis(gc.zeros((1, 2)), [[0, 0]], [[2.0, 3.0]]), {})
    array([[5., 0.]])
    """
    value, new = lift([x, updates], "scatter_add_along_axis")
    (where,) = lift([indices], "scatter_add_along_axis")
    return _scatter_add_along_axis(value, where, new, axis=as_axis(axis, value.ndim))


@spelling
def one_hot(indices: Any, num_classes: object, dtype: DTypeLike = np.float64) -> Node:
    """A new last axis that holds 1 at each index and 0 elsewhere.

    >>> import graphc as gc
    >>> gc.evaluate(gc.one_hot([0, 2], 3), {})
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    (where,) = lift([indices], "one_hot")
    _integers(where.type, "one_hot")
    classes = iota(as_dim(num_classes), np.uint64 if where.dtype.kind == "u" else np.int64)
    return astype(equal(expand_dims(where, where.ndim), classes), dtype)
