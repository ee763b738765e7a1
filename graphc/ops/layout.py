"""Layout: the same elements in another arrangement. Nothing here computes a new number."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from .. import shapes
from ..errors import ArgumentError, IndexingError, ShapeError
from ..ir import FUNCTIONS, Node, Op, example, lift, no_flops, spelling
from ..shapes import Dim, Shape, TensorType, as_axes, as_axis, as_dim, as_shape
from .leaves import Value, constant, literal

# -- broadcasting -----------------------------------------------------------------------------


@spelling
def sum_to(x: Node, shape: object) -> Node:
    """x summed over the axes that broadcasting had stretched: the adjoint of broadcast_to."""
    target = as_shape(shape)
    added = x.ndim - len(target)
    if added:
        x = FUNCTIONS["sum"](x, axis=tuple(range(added)))
    stretched = tuple(k for k, d in enumerate(target) if d != x.shape[k])
    return FUNCTIONS["sum"](x, axis=stretched, keepdims=True) if stretched else x


def _broadcast_type(x: TensorType, shape: Shape) -> TensorType:
    sentence = f"{shapes.show(x.shape)} does not broadcast to {shapes.show(shape)}"
    try:
        fits = shapes.broadcast(x.shape, shape) == shape
    except ShapeError as error:
        raise ShapeError(f"{sentence}: {error.sentence}") from None
    if not fits:
        raise ShapeError(sentence)
    return x.with_shape(shape)


def _broadcast_batch(
    node: Node, inputs: Sequence[Node], batched: Sequence[bool], lead: Shape
) -> Node:
    """The axes in front stay there; those that broadcasting adds come after them."""
    (x,), added = inputs, node.ndim - node.inputs[0].ndim
    clear = (*(_WHOLE for _ in lead), *(None for _ in range(added)))
    clear = (*clear, *(_WHOLE for _ in node.inputs[0].shape))
    return broadcast_to(_getitem(x, index=clear) if added else x, (*lead, *node.shape))


_broadcast_to = Op(
    "broadcast_to",
    infer=_broadcast_type,
    numpy=lambda n: f"np.broadcast_to(x0, {shapes.source(n.shape)})",
    bprop=lambda n, i, g: sum_to(g, n.inputs[0].shape),
    flops=no_flops,
    view=True,
    family="layout",
    batch=_broadcast_batch,
    examples=(
        example([3], shape=(2, 3)),
        example([], shape=(2, 3)),
        example([2, 1], shape=(4, 2, 3)),
        example(["n", 1], shape=as_shape(("n", "d"))),
    ),
)


@spelling
def broadcast_to(x: Any, shape: object) -> Node:
    """x stretched to a shape; axes of size 1 and new leading axes repeat.

    >>> import graphc as gc
    >>> gc.broadcast_to(gc.input("x", (3,)), ("n", 3)).type
    f64[n, 3]
    """
    (value,) = lift([x], "broadcast_to")
    target = as_shape(shape)
    return value if value.shape == target else _broadcast_to(value, shape=target)


# -- shape and order --------------------------------------------------------------------------


def _reshape_type(x: TensorType, shape: Shape) -> TensorType:
    if shapes.size(shape) != x.size:
        raise ShapeError(
            f"reshape keeps the number of elements, and {shapes.show(x.shape)} holds {x.size} "
            f"while {shapes.show(shape)} holds {shapes.size(shape)}"
        )
    return x.with_shape(shape)


_reshape: Op = Op(
    "reshape",
    infer=_reshape_type,
    numpy=lambda n: f"np.reshape(x0, {shapes.source(n.shape)})",
    bprop=lambda n, i, g: _reshape(g, shape=n.inputs[0].shape),
    flops=no_flops,
    view=True,
    family="layout",
    examples=(
        example([2, 3], shape=(3, 2)),
        example([4], shape=(2, 1, 2)),
        example(["n", "d"], shape=as_shape(("d", "n"))),
    ),
)


@spelling
def reshape(x: Any, shape: Any) -> Node:
    """x in another shape, row by row; one size may be -1.

    >>> import graphc as gc
    >>> gc.reshape(gc.input("x", ("n", 6)), (-1, 3)).type
    f64[2*n, 3]
    """
    (value,) = lift([x], "reshape")
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    target = shapes.unknown_size(sizes, value.size)
    return value if target == value.shape else _reshape(value, shape=target)


permute: Op = Op(
    "permute_dims",
    infer=lambda x, axes: x.with_shape(x.shape[k] for k in axes),
    numpy=lambda n: "x0.T" if n.attrs["axes"] == (1, 0) else f"np.transpose(x0, {n.attrs['axes']})",
    bprop=lambda n, i, g: permute(g, axes=inverse(n.attrs["axes"])),
    flops=no_flops,
    view=True,
    family="layout",
    examples=(example([2, 3], axes=(1, 0)), example(["n", 4, "d"], axes=(2, 0, 1))),
)


def inverse(permutation: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes this one."""
    return tuple(permutation.index(k) for k in range(len(permutation)))


@spelling
def permute_dims(x: Any, axes: Sequence[int]) -> Node:
    """x with its axes in another order.

    >>> import graphc as gc
    >>> gc.permute_dims(gc.input("x", ("n", 4, "d")), (2, 0, 1)).type
    f64[d, n, 4]
    """
    (value,) = lift([x], "permute_dims")
    order = tuple(as_axis(a, value.ndim) for a in axes)
    if sorted(order) != list(range(value.ndim)):
        raise ShapeError(f"permute_dims needs each of {value.ndim} axes once, and got {axes}")
    return value if order == tuple(range(value.ndim)) else permute(value, axes=order)


@spelling
def transpose(x: Any, axes: Sequence[int] | None = None) -> Node:
    """x with its axes reversed, or in the order given.

    >>> import graphc as gc
    >>> gc.transpose(gc.input("x", ("n", "d"))).type
    f64[d, n]
    """
    (value,) = lift([x], "transpose")
    return permute_dims(value, tuple(range(value.ndim))[::-1] if axes is None else axes)


@spelling
def matrix_transpose(x: Any) -> Node:
    """x with its last two axes exchanged.

    >>> import graphc as gc
    >>> gc.input("x", (5, "n", "d")).mT.type
    f64[5, d, n]
    """
    (value,) = lift([x], "matrix_transpose")
    if value.ndim < 2:
        raise ShapeError(f"matrix_transpose needs at least two axes, and {value.type} has less")
    *batch, rows, columns = range(value.ndim)
    return permute_dims(value, (*batch, columns, rows))


def _diagonal_type(x: TensorType) -> TensorType:
    if not x.ndim:
        raise ShapeError("diagonal_matrix needs at least one axis")
    return x.with_shape((*x.shape, x.shape[-1]))


@spelling
def moveaxis(x: Any, source: Any, destination: Any) -> Node:
    """x with some axes moved to other places; the others keep their order.

    >>> import graphc as gc
    >>> gc.moveaxis(gc.input("x", (2, 3, "n")), -1, 0).type
    f64[n, 2, 3]
    """
    (value,) = lift([x], "moveaxis")
    ends = [[k] if isinstance(k, int) else list(k) for k in (source, destination)]
    moved, places = ([as_axis(k, value.ndim) for k in axes] for axes in ends)
    if len(moved) != len(places):
        raise ShapeError(f"moveaxis needs a place for each axis, and got {source}, {destination}")
    if any(len(set(axes)) < len(axes) for axes in (moved, places)):
        raise ShapeError(f"moveaxis names an axis and a place once, not {source}, {destination}")
    order = [k for k in range(value.ndim) if k not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return permute_dims(value, order)


@spelling
def swapaxes(x: Any, axis1: int, axis2: int) -> Node:
    """x with two axes exchanged.

    >>> import graphc as gc
    >>> gc.swapaxes(gc.input("x", (2, 3, "n")), 0, 2).type
    f64[n, 3, 2]
    """
    (value,) = lift([x], "swapaxes")
    first, second = as_axis(axis1, value.ndim), as_axis(axis2, value.ndim)
    exchanged = {first: second, second: first}
    return permute_dims(value, [exchanged.get(k, k) for k in range(value.ndim)])


diagonal_matrix: Op = Op(
    "diagonal_matrix",
    infer=_diagonal_type,
    numpy="diagonal_matrix(x0)",
    bprop=lambda n, i, g: FUNCTIONS["diagonal"](g),
    flops=no_flops,
    family="layout",
    examples=(example([3]), example([2, 3]), example(["n", "d"])),
    doc="""x along the diagonal of the last two axes, zeros elsewhere: the adjoint of diagonal.

    >>> import graphc as gc
    >>> gc.evaluate(gc.diagonal_matrix(gc.constant([1.0, 2.0])))
    array([[1., 0.],
           [0., 2.]])
    """,
)


# -- basic indexing ---------------------------------------------------------------------------


class Span(NamedTuple):
    """A slice as an attribute. Its bounds may be symbolic."""

    start: Dim | None
    stop: Dim | None
    step: int

    @property
    def is_whole(self) -> bool:
        return self == (None, None, 1)

    def length(self, size: Dim) -> Dim:
        """How many elements of an axis it takes."""
        return size if self.is_whole else shapes.span_length(size, *self)

    def source(self) -> str:
        start, stop = ("" if b is None else _bound_source(b) for b in (self.start, self.stop))
        return f"{start}:{stop}" + (f":{self.step}" if self.step != 1 else "")


def _bound_source(bound: Dim) -> str:
    return str(bound) if isinstance(bound, int) else shapes.source(bound)


Index = tuple[int | Dim | Span | None, ...]


def _index_source(index: Index) -> str:
    def one(entry: int | Dim | Span | None) -> str:
        if entry is None:
            return "None"
        return entry.source() if isinstance(entry, Span) else _bound_source(entry)

    entries = list(index)
    while len(entries) > 1 and isinstance(entries[-1], Span) and entries[-1].is_whole:
        entries.pop()
    return ", ".join(map(one, entries)) or "()"


@functools.lru_cache(maxsize=4096)
def _indexed_shape(shape: Shape, index: Index) -> Shape:
    taken, axis = [], 0
    for entry in index:
        if entry is None:
            taken.append(1)
            continue
        if isinstance(entry, Span):
            taken.append(entry.length(shape[axis]))
        elif shapes.is_outside(entry, shape[axis]):
            raise IndexingError(
                f"index {entry} is out of range for axis {axis} of size {shape[axis]}"
            )
        axis += 1
    return tuple(taken)


def keeps_rows(v: Node) -> bool:
    """Whether what lies under an index of the first axis comes from that index of the inputs."""
    rows = v.shape[:1]
    if not rows or any(x.shape[:1] != rows for x in v.inputs):
        return False
    if "index" in v.attrs:
        first = v.attrs["index"][0]
        return isinstance(first, Span) and first.is_whole
    if "axes" in v.attrs:
        return bool(v.attrs["axes"][0] == 0)
    return v.attrs["axis"] != 0 if "axis" in v.attrs else "shape" in v.attrs


def keeps_all(shape: Shape, index: Index) -> bool:
    """Whether indexing only adds and drops axes of size 1."""
    entries = [e for e in index if e is not None]
    return all(
        e.is_whole if isinstance(e, Span) else d == 1 for e, d in zip(entries, shape, strict=True)
    )


def _getitem_bprop(node: Node, i: int, g: Node) -> Node:
    x, index = node.inputs[0], node.attrs["index"]
    if keeps_all(x.shape, index):
        return reshape(g, x.shape)
    return place(g, shape=x.shape, index=index)


_WHOLE = Span(None, None, 1)

_getitem = Op(
    "getitem",
    infer=lambda x, index: x.with_shape(_indexed_shape(x.shape, index)),
    numpy=lambda n: f"x0[{_index_source(n.attrs['index'])}]",
    bprop=_getitem_bprop,
    flops=no_flops,
    view=True,
    family="layout",
    examples=(
        example([4, 3], index=(1, _WHOLE)),
        example([4, 3], index=(_WHOLE, None, Span(None, None, -1))),
        example([5, 2], index=(Span(1, 4, 2), -1)),
        example([3], index=(0,)),
        example(["n", 1], index=(_WHOLE, 0)),
        example(["n"], index=(Span(1, None, 1),)),
    ),
)

place = Op(
    "place",
    infer=lambda x, shape, index: x.with_shape(shape),
    numpy=lambda n: "place(x0, {}, np.s_[{}])".format(
        shapes.source(n.shape), _index_source(n.attrs["index"])
    ),
    bprop=lambda n, i, g: _getitem(g, index=n.attrs["index"]),
    flops=no_flops,
    family="layout",
    examples=(
        example([3], shape=(4, 3), index=(1, _WHOLE)),
        example([2], shape=(5, 2), index=(Span(1, 4, 2), -1)),
    ),
    doc="Zeros of a shape with x written at a basic index: the adjoint of getitem.",
)


@spelling
def getitem(x: Node, index: Any) -> Node:
    """`x[index]` by ints, slices, None, Ellipsis, or one integer node, which takes along axis 0.

    >>> import graphc as gc
    >>> gc.input("x", ("n", 4))[1:, ::2].type
    f64[n - 1, 2]
    """
    if isinstance(index, np.ndarray | list) or (isinstance(index, Node) and index.ndim):
        (index,) = lift([index], "getitem")
    if isinstance(index, Node):
        if index.dtype == bool:
            raise IndexingError(
                "a mask selects a number of elements that only its values decide: "
                "keep the shape with gc.where(mask, x, 0)"
            )
        return FUNCTIONS["take"](x, index, axis=0)  # type: ignore[no-any-return]
    given = index if isinstance(index, tuple) else (index,)
    return _getitem(x, index=tuple(_canonical(x, given)))


def _canonical(x: Node, given: tuple[Any, ...]) -> Iterable[Any]:
    """One entry for each axis and each None, with the Ellipsis written out."""
    ellipses = sum(entry is Ellipsis for entry in given)
    used = sum(entry is not None and entry is not Ellipsis for entry in given)
    if ellipses > 1:
        raise IndexingError("an index holds at most one Ellipsis")
    if used > x.ndim:
        raise IndexingError(f"{used} indices are too many for {x.ndim} axes")
    for entry in given if ellipses else (*given, Ellipsis):
        if entry is Ellipsis:
            yield from [_WHOLE] * (x.ndim - used)
        elif entry is None:
            yield None
        elif isinstance(entry, slice):
            step = 1 if entry.step is None else entry.step
            if not isinstance(step, int) or step == 0:
                raise IndexingError(f"a slice's step must be an int that is not 0, not {step!r}")
            yield Span(_bound(entry.start), _bound(entry.stop), step)
        else:
            bound = _bound(entry)
            if bound is None:
                raise IndexingError("an index must not be a node mixed with others: use gc.take")
            yield bound


def _bound(value: Any) -> Dim | None:
    if value is None:
        return None
    is_int = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
    if is_int or shapes.is_expression(value):
        return shapes.as_bound(value)
    raise IndexingError(
        f"an index must be made of ints, slices, None and Ellipsis, and {value!r} is none of them; "
        "by integer tensors use gc.take, by masks gc.where"
    )


@spelling
def expand_dims(x: Any, axis: int = 0) -> Node:
    """x with a new axis of size 1.

    >>> import graphc as gc
    >>> gc.expand_dims(gc.input("x", ("n",)), axis=1).type
    f64[n, 1]
    """
    (value,) = lift([x], "expand_dims")
    at = as_axis(axis, value.ndim + 1, "result")
    return _getitem(value, index=(_WHOLE,) * at + (None,) + (_WHOLE,) * (value.ndim - at))


@spelling
def squeeze(x: Any, axis: int | tuple[int, ...]) -> Node:
    """x without the given axes, which must be of size 1.

    >>> import graphc as gc
    >>> gc.squeeze(gc.input("x", ("n", 1)), axis=1).type
    f64[n]
    """
    (value,) = lift([x], "squeeze")
    axes = as_axes(axis, value.ndim)
    for a in axes:
        if value.shape[a] != 1:
            raise ShapeError(f"squeeze drops axes of size 1, and axis {a} has {value.shape[a]}")
    return _getitem(value, index=tuple(0 if k in axes else _WHOLE for k in range(value.ndim)))


@spelling
def flip(x: Any, axis: int | tuple[int, ...] | None = None) -> Node:
    """x with the order of its elements reversed along the given axes (all by default).

    >>> import graphc as gc
    >>> gc.evaluate(gc.flip(gc.constant([1, 2, 3])), {})
    array([3, 2, 1])
    """
    (value,) = lift([x], "flip")
    axes = as_axes(axis, value.ndim)
    back = Span(None, None, -1)
    return _getitem(value, index=tuple(back if k in axes else _WHOLE for k in range(value.ndim)))


# -- joining and padding ----------------------------------------------------------------------


def _concat_type(*types: TensorType, axis: int) -> TensorType:
    first = types[0]
    for t in types[1:]:
        if t.ndim != first.ndim:
            raise ShapeError(
                f"concat needs equal numbers of axes, and {t.ndim} is not {first.ndim}"
            )
        for k, (a, b) in enumerate(zip(first.shape, t.shape, strict=True)):
            if k != axis and a != b:
                raise ShapeError(f"concat needs equal sizes off axis {axis}, and {a} is not {b}")
    total = as_dim(sum(t.shape[axis] for t in types))
    dtype = np.result_type(*(t.dtype for t in types))
    return TensorType((*first.shape[:axis], total, *first.shape[axis + 1 :]), dtype)


# For a join, where each part begins and the last one ends: summed once for all its parts.
_joints: WeakKeyDictionary[Node, list[Dim]] = WeakKeyDictionary()


def _bounds(node: Node, i: int) -> Span:
    """What part i of a join takes of its axis."""
    joints = _joints.get(node)
    if joints is None:
        joints = _joints[node] = [0]
        for v in node.inputs:
            joints.append(as_dim(joints[-1] + v.shape[node.attrs["axis"]]))
    return Span(joints[i], joints[i + 1], 1)


def _concat_bprop(node: Node, i: int, g: Node) -> Node:
    axis, span = node.attrs["axis"], _bounds(node, i)
    part = _getitem(g, index=tuple(span if k == axis else _WHOLE for k in range(g.ndim)))
    return reshape(FUNCTIONS["astype"](part, node.inputs[i].dtype), node.inputs[i].shape)


_concat = Op(
    "concat",
    infer=_concat_type,
    numpy=lambda n: "np.concatenate(({},), {})".format(
        ", ".join(f"x{i}" for i in range(len(n.inputs))), n.attrs["axis"]
    ),
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
    if isinstance(arrays, Node) or not len(arrays):
        raise ArgumentError(f"{taker} takes a list of at least one tensor")
    return lift(list(arrays), taker)


def _pad_bprop(node: Node, i: int, g: Node) -> Node:
    spans = (
        Span(before, as_dim(before + d), 1)
        for (before, _), d in zip(node.attrs["widths"], node.inputs[0].shape, strict=True)
    )
    return reshape(_getitem(g, index=tuple(spans)), node.inputs[0].shape)


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
        raise ShapeError(f"pad needs one pair for each of {value.ndim} axes, not {len(pad_width)}")
    widths = tuple((as_dim(before), as_dim(after)) for before, after in pad_width)
    margin = constant(constant_values, dtype=value.dtype).attrs["value"]
    return _pad(value, widths=widths, value=margin) if widths else value


# -- order ------------------------------------------------------------------------------------

again = Op(
    "again",
    infer=lambda x, after: x,
    numpy="x0",
    bprop=lambda n, i, g: g if i == 0 else FUNCTIONS["zeros_like"](n.inputs[1]),
    flops=no_flops,
    view=True,
    family="layout",
    batch=lambda n, inputs, batched, lead: broadcast_to(inputs[0], (*lead, *n.shape)),
    examples=(example([3], [2]), example(["n", "d"], [])),
    doc="""x itself, when another value is there: what is computed from it is computed late.

    >>> import graphc as gc
    >>> gc.OPS["again"](gc.input("x", (3,)), gc.input("signal", ())).type
    f64[3]
    """,
)
