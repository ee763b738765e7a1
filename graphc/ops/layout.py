"""Layout: the same elements in another arrangement. Nothing here computes a new number."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from .. import shapes
from ..errors import ShapeError
from ..ir import FUNCTIONS, Node, Op, example, lift, no_flops, spelling
from ..shapes import Shape, as_axis, as_shape
from ..tensor_type import TensorType

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
    if added:
        x = x[(*[slice(None)] * len(lead), *[None] * added)]
    return broadcast_to(x, (*lead, *node.shape))


_broadcast_to = Op(
    "broadcast_to",
    infer=_broadcast_type,
    numpy=lambda n: (
        f"{'np.broadcast_to' if n.inputs[0].ndim else 'stretched'}(x0, {shapes.source(n.shape)})"
    ),
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


def _reshape_text(n: Node) -> str:
    """An index where that does it. (What arrays do themselves takes a seventh of the time.)"""
    index = _index_of_ones(n.inputs[0].shape, n.shape)
    if index:
        return f"x0[{', '.join(index)}]"
    target = shapes.source(n.shape)
    return f"x0.reshape({target})" if n.inputs[0].ndim else f"np.reshape(x0, {target})"


def _index_of_ones(shape: Shape, target: Shape) -> list[str]:
    """The index that adds and drops axes of size 1, and leaves some; nothing if there is none.

    >>> _index_of_ones((5, 1, 3), (1, 5, 3)), _index_of_ones((5, 3), (3, 5))
    (['None', ':', '0'], [])
    """
    if [d for d in shape if d != 1] != [d for d in target if d != 1] or () in (shape, target):
        return []
    index, left = list[str](), list(target)
    for d in shape:
        while left and left[0] == 1 != d:
            index.append("None")
            left.pop(0)
        index.append(":" if left[:1] == [d] else "0")
        left = left[1:] if index[-1] == ":" else left
    index += ["None"] * len(left)
    while len(index) > 1 and index[-1] == ":":
        index.pop()
    return index


_reshape: Op = Op(
    "reshape",
    infer=_reshape_type,
    numpy=_reshape_text,
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
    target = shapes.unknown_size(sizes, value.type.size)
    return value if target == value.shape else _reshape(value, shape=target)


permute: Op = Op(
    "permute_dims",
    infer=lambda x, axes: x.with_shape(x.shape[k] for k in axes),
    numpy=lambda n: "x0.T" if n.attrs["axes"] == (1, 0) else f"x0.transpose{n.attrs['axes']}",
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
        raise ShapeError(f"permute_dims needs each axis of {value.type} once, and got {axes}")
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


@spelling
def moveaxis(x: Any, source: Any, destination: Any) -> Node:
    """x with some axes moved to other places; the others keep their order.

    >>> import graphc as gc
    >>> gc.moveaxis(gc.input("x", (2, 3, "n")), -1, 0).type
    f64[n, 2, 3]
    """
    (value,) = lift([x], "moveaxis")
    ends = [[k] if isinstance(k, Integral) else list(k) for k in (source, destination)]
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


# -- diagonals --------------------------------------------------------------------------------


def _diagonal_type(x: TensorType) -> TensorType:
    if not x.ndim:
        raise ShapeError("diagonal_matrix needs at least one axis")
    return x.with_shape((*x.shape, x.shape[-1]))


diagonal_matrix: Op = Op(
    "diagonal_matrix",
    infer=_diagonal_type,
    numpy="diagonal_matrix(x0)",
    into="diagonal_matrix(x0, out=out)",
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


def on_diagonals(x: Node, names: Sequence[Any], wanted: Sequence[Any]) -> Node:
    """x, whose axes have distinct names, put where axes of one name agree; zero elsewhere."""
    order = list(names)
    for name in names:
        for _ in range(wanted.count(name) - 1):
            k = order.index(name)
            x = diagonal_matrix(moveaxis(x, k, -1))
            order = [*order[:k], *order[k + 1 :], name, name]
    places = {name: iter([k for k, a in enumerate(order) if a == name]) for name in names}
    return permute_dims(x, [next(places[name]) for name in wanted])


# -- where and when a value is there ----------------------------------------------------------

contiguous: Op = Op(
    "contiguous",
    infer=lambda x: x,
    numpy="np.asarray(x0, order='C')",
    bprop=lambda n, i, g: g,
    flops=no_flops,
    view=True,
    family="layout",
    batch=lambda n, inputs, batched, lead: contiguous(*inputs),
    examples=(example([3]), example([2, 3]), example(["n", "d"])),
    doc="""x itself, row by row in memory: results of NumPy are laid out as operands are.

    >>> import graphc as gc
    >>> gc.OPS["contiguous"](gc.input("x", ("n", 3)).T).type
    f64[3, n]
    """,
)

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
