"""Tensors one after the other, and tensors with a margin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .. import shapes
from ..errors import ArgumentError, ShapeError
from ..ir import FUNCTIONS, Node, Op, example, lift, no_flops, spelling
from ..shapes import Dim, as_axis, as_dim
from ..tensor_type import TensorType
from ..wording import counted
from .layout import reshape
from .leaves import Value, constant, literal
from .slices import WHOLE, Span, at_index, expand_dims


def same_off_axis(one: TensorType, other: TensorType, axis: int, taker: str) -> None:
    """Refuse two types that differ in more than one axis."""
    if one.ndim != other.ndim:
        raise ShapeError(f"{taker} needs equal numbers of axes, and {other.ndim} is not {one.ndim}")
    for k, (a, b) in enumerate(zip(one.shape, other.shape, strict=True)):
        if k != axis and a != b:
            raise ShapeError(f"{taker} needs equal sizes off axis {axis}, and {a} is not {b}")


def _concat_type(*types: TensorType, axis: int) -> TensorType:
    first = types[0]
    for t in types[1:]:
        same_off_axis(first, t, axis, "concat")
    sizes = Counter(t.shape[axis] for t in types)  # many are equal
    total = as_dim(sum(count * size for size, count in sizes.items()))
    dtype = np.result_type(*(t.dtype for t in types))
    return TensorType((*first.shape[:axis], total, *first.shape[axis + 1 :]), dtype)


# For a join, where each part begins and the last one ends: summed once for all its parts.
_joints: WeakKeyDictionary[Node, list[Dim]] = WeakKeyDictionary()


def bounds(node: Node, i: int) -> Span:
    """What part i of a join takes of its axis."""
    joints = _joints.get(node)
    if joints is None:
        joints = _joints[node] = [0]
        for v in node.inputs:
            joints.append(as_dim(joints[-1] + v.shape[node.attrs["axis"]]))
    return Span(joints[i], joints[i + 1], 1)


def _concat_bprop(node: Node, i: int, g: Node) -> Node:
    axis, span = node.attrs["axis"], bounds(node, i)
    part = at_index(g, index=tuple(span if k == axis else WHOLE for k in range(g.ndim)))
    return reshape(FUNCTIONS["astype"](part, node.inputs[i].dtype), node.inputs[i].shape)


def _concat_text(n: Node, out: str = "") -> str:
    parts = ", ".join(f"x{i}" for i in range(len(n.inputs)))
    return f"np.concatenate([{parts}], {n.attrs['axis']}{out})"


_concat = Op(
    "concat",
    infer=_concat_type,
    numpy=_concat_text,
    into=lambda n: _concat_text(n, ", out=out"),
    bprop=_concat_bprop,
    flops=no_flops,
    family="layout",
    examples=(
        example([2], [3], axis=0),
        example([2, 3], [2, 1], [2, 2], axis=1),
        example(["n", 2], ["m", 2], axis=0),
    ),
)


@spelling
def concat(arrays: Sequence[Any], axis: int = 0) -> Node:
    """Tensors one after the other along an existing axis.

    >>> import graphc as gc
    >>> gc.concat([gc.input("x", ("n", 2)), gc.input("y", (3, 2))]).type
    f64[n + 3, 2]
    """
    values = _several(arrays, "concat")
    return _concat(*values, axis=as_axis(axis, values[0].ndim))


@spelling
def stack(arrays: Sequence[Any], axis: int = 0) -> Node:
    """Tensors of one shape along a new axis.

    >>> import graphc as gc
    >>> gc.stack([gc.input("x", ("n",)), gc.input("y", ("n",))], axis=1).type
    f64[n, 2]
    """
    values = _several(arrays, "stack")
    for v in values:
        if v.shape != values[0].shape:
            raise ShapeError(f"stack needs equal shapes, and {v.type} is not {values[0].type}")
    return _concat(
        *(expand_dims(v, axis) for v in values), axis=as_axis(axis, values[0].ndim + 1)
    )


def _several(arrays: Sequence[Any], taker: str) -> tuple[Node, ...]:
    if isinstance(arrays, Node):
        raise ArgumentError(f"{taker} takes its tensors in one list: gc.{taker}([x, y])")
    if not len(arrays):
        raise ArgumentError(f"{taker} takes a list of at least one tensor")
    return lift(list(arrays), taker)


def _pad_bprop(node: Node, i: int, g: Node) -> Node:
    spans = (
        Span(before, as_dim(before + d), 1)
        for (before, _), d in zip(node.attrs["widths"], node.inputs[0].shape, strict=True)
    )
    return reshape(at_index(g, index=tuple(spans)), node.inputs[0].shape)


_pad = Op(
    "pad",
    infer=lambda x, widths, value: x.with_shape(
        as_dim(a + d + b) for (a, b), d in zip(widths, x.shape, strict=True)
    ),
    numpy=lambda n: "np.pad(x0, ({},), constant_values={})".format(
        ", ".join(map(shapes.source, n.attrs["widths"])),
        literal(n.attrs["value"].array[()], n.dtype),
    ),
    bprop=_pad_bprop,
    flops=no_flops,
    family="pad",
    examples=(
        example([3], widths=((1, 2),), value=Value(np.float64(0.0))),
        example([2, "n"], widths=((0, 1), (2, 0)), value=Value(np.float64(1.5))),
    ),
)


@spelling
def pad(x: Any, pad_width: Any, constant_values: float = 0.0) -> Node:
    """x with a margin of one value: `pad_width` is an int, (before, after), or one pair an axis.

    >>> import graphc as gc
    >>> gc.pad(gc.input("x", ("n", 3)), ((0, 0), (1, 2))).type
    f64[n, 6]
    """
    (value,) = lift([x], "pad")
    if not isinstance(pad_width, tuple | list):
        pad_width = (pad_width, pad_width)
    if len(pad_width) == 2 and not isinstance(pad_width[0], tuple | list):
        pad_width = (tuple(pad_width),) * value.ndim
    if len(pad_width) != value.ndim:
        pairs = counted(len(pad_width), "pair")
        raise ShapeError(f"pad needs a pair for each axis of {value.type}, and was given {pairs}")
    widths = tuple((as_dim(before), as_dim(after)) for before, after in pad_width)
    if np.ndim(constant_values):
        raise ArgumentError("pad sets one value in the whole margin, and was given an array")
    margin = constant(constant_values, dtype=value.dtype).attrs["value"]
    return _pad(value, widths=widths, value=margin) if widths else value
