"""Order: sort, argsort, argmax, argmin; and what is composed of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import shapes
from ..errors import ArgumentError, ShapeError
from ..ir import Node, Op, cuts_path, example, lift, spelling
from ..options import truth
from ..shapes import Dim, as_axes, as_axis
from ..tensor_type import TensorType
from . import elementwise as e
from .index import scatter_add_along_axis, take
from .layout import moveaxis, permute_dims, reshape
from .leaves import constant, size, zeros
from .reduce import Axis, floating, keeps, reduced, reduction
from .slices import flip, getitem

_EXAMPLES = (
    example([5], axis=0, stable=True),
    example([2, 3], axis=1, stable=True),
    example(["n", 3], axis=0, stable=False),
)


def _sort_bprop(node: Node, i: int, g: Node) -> Node:
    """The gradient goes back to where each element came from: there is one place for each."""
    (x,), axis = node.inputs, node.attrs["axis"]
    return scatter_add_along_axis(zeros(x.shape, g.dtype), _argsort(x, **node.attrs), g, axis)


_sort: Op = Op(
    "sort",
    infer=lambda x, axis, stable: x,
    # Of equal elements nobody can tell in which order they stand: the quickest way will do.
    numpy=lambda n: f"np.sort(x0, axis={n.attrs['axis']})",
    bprop=_sort_bprop,
    family="scan",
    examples=_EXAMPLES,
)


def _argsort_text(n: Node) -> str:
    kind = ', kind="stable"' if n.attrs["stable"] else ""
    return f"np.argsort(x0, axis={n.attrs['axis']}{kind})"


_argsort = Op(
    "argsort",
    infer=lambda x, axis, stable: x.with_dtype(np.intp),
    numpy=_argsort_text,
    bprop=cuts_path,
    family="scan",
    examples=_EXAMPLES,
)


def _position(x: TensorType, axis: tuple[int, ...], keepdims: bool) -> TensorType:
    if x.shape[axis[0]] == 0:
        raise ShapeError(f"of no elements none is extreme, and {x} has none along axis {axis[0]}")
    return reduced(x, axis, keepdims).with_dtype(np.intp)


def _extreme_position(name: str) -> Op:
    return reduction(
        name,
        fold="",
        infer=_position,
        into=None,
        bprop=cuts_path,
        examples=(
            example([5], axis=(0,), keepdims=False),
            example([2, 3], axis=(1,), keepdims=True),
            example(["n", 3], axis=(0,), keepdims=False),
        ),
    )


_argmax = _extreme_position("argmax")
_argmin = _extreme_position("argmin")


def _turned(x: Node, axis: int, descending: bool) -> Node:
    """The other way round where a descending order is asked for: so equal elements keep theirs."""
    return flip(x, axis) if truth("descending", descending) else x


@spelling
def sort(x: Any, axis: int = -1, descending: bool = False, stable: bool = True) -> Node:
    """The elements along an axis in ascending order, NaN last; `descending`, all of that reversed.

    The gradient goes back to where each element came from. Of equal elements the first in x comes
    first; with stable=False any may, and the gradient takes a fraction of the time.

    >>> import graphc as gc
    >>> x = gc.input("x", (3,))
    >>> gc.evaluate([gc.sort(x), gc.grad(gc.sort(x)[0], x)], {x: [3.0, 1.0, 2.0]})
    [array([1., 2., 3.]), array([0., 1., 0.])]
    """
    (value,) = lift([x], "sort")
    at = as_axis(axis, value.ndim)
    found = _sort(_turned(value, at, descending), axis=at, stable=truth("stable", stable))
    return _turned(found, at, descending)


@spelling
def argsort(x: Any, axis: int = -1, descending: bool = False, stable: bool = True) -> Node:
    """The positions along an axis of the elements in order, as `sort` puts them.

    >>> import graphc as gc
    >>> gc.evaluate(gc.argsort(gc.constant([3.0, 1.0, 3.0]), descending=True))
    array([0, 2, 1])
    """
    (value,) = lift([x], "argsort")
    at = as_axis(axis, value.ndim)
    found = _argsort(_turned(value, at, descending), axis=at, stable=truth("stable", stable))
    if not descending:
        return found
    last = e.subtract(size(value.shape[at], found.dtype), 1)
    return e.subtract(last, flip(found, at))


def _spelled(op: Op, x: Any, axis: int | None, keepdims: bool) -> Node:
    (value,) = lift([x], op.name)
    if axis is not None:
        return op(value, axis=(as_axis(axis, value.ndim),), keepdims=keeps(keepdims))
    found = op(reshape(value, (value.size,)), axis=(0,), keepdims=False)
    return reshape(found, (1,) * value.ndim) if keeps(keepdims) else found


@spelling
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Node:
    """The position of the largest element along an axis, or in one row of all: the first of equals.

    NaN counts as larger than all numbers.

    >>> import graphc as gc
    >>> scores = gc.constant([[0.1, 0.7, 0.2], [0.8, 0.1, 0.1]])
    >>> gc.evaluate(gc.argmax(scores, axis=1))
    array([1, 0])
    """
    return _spelled(_argmax, x, axis, keepdims)


@spelling
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Node:
    """The position of the smallest element along an axis, or in one row of all: the first of
    equals. NaN counts as smaller than all numbers.

    >>> import graphc as gc
    >>> gc.argmin(gc.input("x", ("n", 3)), axis=0).type
    i64[3]
    """
    return _spelled(_argmin, x, axis, keepdims)


# -- compositions -----------------------------------------------------------------------------


def _in_order(x: Node, axes: tuple[int, ...], taker: str) -> tuple[Node, int]:
    """The elements along some axes in order along one, and which that is: the last for several."""
    length = shapes.size(tuple(x.shape[k] for k in axes))
    if length == 0:
        raise ShapeError(f"{taker} needs an element, and {x.type} has none there")
    if len(axes) == 1:
        return sort(x, axes[0]), axes[0]
    rest = tuple(k for k in range(x.ndim) if k not in axes)
    moved = permute_dims(x, (*rest, *axes))
    return sort(reshape(moved, (*moved.shape[: len(rest)], length))), len(rest)


def _nan_if_there(ordered: Node, at: int) -> Node:
    """What to add: nothing, or NaN where an element is. NaN comes last."""
    last = _element(ordered, at, -1)
    return e.where(e.isnan(last), *(constant(v, dtype=last.dtype) for v in (np.nan, -0.0)))


def _element(x: Node, axis: int, position: Dim) -> Node:
    return getitem(x, (*[slice(None)] * axis, position, ...))


@spelling
def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """The element in the middle of all in order along some axes, or the mean of the two there.

    >>> import graphc as gc
    >>> x = gc.input("x", (4,))
    >>> gc.evaluate([gc.median(x), gc.grad(gc.median(x), x)], {x: [4.0, 1.0, 9.0, 3.0]})
    [np.float64(3.5), array([0.5, 0. , 0. , 0.5])]
    """
    value = floating(x, "median")
    axes = as_axes(axis, value.ndim)
    ordered, at = _in_order(value, axes, "median")
    half = ordered.shape[at] // 2
    first, second = (_element(ordered, at, k) for k in (-1 - half, half))  # from either end
    middle = first if first is second else e.divide(e.add(first, second), 2.0)
    found = e.add(middle, _nan_if_there(ordered, at))
    return reshape(found, reduced(value.type, axes, keeps(keepdims)).shape)


@spelling
def quantile(x: Any, q: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """What a share q of the elements along some axes lies below; linear between two of them.

    Several levels q, numbers from 0 to 1, are a new first axis.

    >>> import graphc as gc
    >>> gc.evaluate(gc.quantile(gc.constant([1.0, 2.0, 5.0]), [0.5, 0.75]))
    array([2. , 3.5])
    """
    value, levels = floating(x, "quantile"), _levels(q)
    axes = as_axes(axis, value.ndim)
    ordered, at = _in_order(value, axes, "quantile")
    place = e.multiply(levels, e.subtract(size(ordered.shape[at], levels.dtype), 1.0))
    low, high = (
        moveaxis(
            take(ordered, e.astype(k, np.int64), axis=at), range(at, at + k.ndim), range(k.ndim)
        )
        for k in (e.floor(place), e.ceil(place))
    )
    share = e.astype(e.subtract(place, e.floor(place)), value.dtype)
    share = reshape(share, (*share.shape, *[1] * (low.ndim - share.ndim)))
    between = e.add(low, e.multiply(e.subtract(high, low), share))
    between = e.where(e.isinf(low), e.add(low, high), between)  # where inf - inf would be NaN
    found = e.add(between, _nan_if_there(ordered, at))
    return reshape(found, (*levels.shape, *reduced(value.type, axes, keeps(keepdims)).shape))


def _levels(q: Any) -> Node:
    try:
        levels = np.asarray(q, np.float64)
    except (TypeError, ValueError):
        levels = np.asarray(np.nan)
    if not np.all((levels >= 0) & (levels <= 1)):
        raise ArgumentError(f"quantile needs levels that are numbers from 0 to 1, not {q!r}")
    return constant(levels)
