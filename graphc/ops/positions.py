"""Indexing by arrays and integer tensors, beside slices or several together, as NumPy does it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import shapes
from ..errors import IndexingError, ShapeError
from ..ir import Node, lift, spelling
from ..shapes import Dim
from . import elementwise as e
from . import index, layout, leaves
from .slices import MASK, for_each_axis, getitem


class _Held(NamedTuple):
    """Along one of its axes, where a mask holds."""

    positions: Any
    size: int


@spelling
def getitem_at_positions(x: Node, given: tuple[Any, ...]) -> Node:
    """`x[rows, columns]`: slices first, then one take for all the arrays together."""
    entries = list(for_each_axis(x, [part for entry in given for part in _listed(entry)]))
    chosen = [k for k, entry in enumerate(entries) if not isinstance(entry, slice | None)]
    x = getitem(x, tuple(slice(None) if k in chosen else entry for k, entry in enumerate(entries)))
    positions = [_position(entries[k], x.shape[k], k) for k in chosen]
    if len(chosen) == 1:
        return index.take(x, positions[0], axis=chosen[0])
    if x.ndim == 2 and _is_every(positions[0], x.shape[0]) and np.ndim(positions[1]) == 1:
        return index.take_along_axis(x, positions[1][:, None], axis=1)[:, 0]
    try:
        shapes.broadcast(*map(np.shape, positions))
    except ShapeError as error:
        raise IndexingError(f"positions need shapes that broadcast, and {error.sentence}") from None
    # NumPy: the places of the arrays, where they stand together; else in front.
    at = chosen[0] if chosen[-1] - chosen[0] == len(chosen) - 1 else 0
    x = layout.moveaxis(x, tuple(chosen), tuple(range(at, at + len(chosen))))
    sizes, after = x.shape[at : at + len(chosen)], x.shape[at + len(chosen) :]
    flat = layout.reshape(x, (*x.shape[:at], shapes.size(sizes), *after))
    return index.take(flat, _in_one_row(positions, sizes), axis=at)


def _listed(entry: Any) -> tuple[Any, ...]:
    """A list as an array; a mask as the positions where it holds, one array for each axis of it."""
    if isinstance(entry, Node):
        if entry.dtype == bool:
            raise IndexingError(MASK)
        if entry.dtype.kind not in "iu":
            raise IndexingError(f"positions must be integers, and {entry.label} is {entry.type}")
        return (entry,)
    if not isinstance(entry, list | tuple | np.ndarray | bool | np.bool_):
        return (entry,)
    (constant,) = lift([np.asarray(entry) if len(np.shape(entry)) else entry], "getitem")
    array = constant.attrs["value"].array
    if not array.size and isinstance(entry, list):
        array = array.astype(np.int64)
    if array.dtype == bool and array.ndim:
        return tuple(map(_Held, np.nonzero(array), array.shape))
    if array.dtype.kind not in "iu":
        raise IndexingError(f"positions must be integers, and were given as {constant.type}")
    return (array,)


def _position(entry: Any, size: Dim, axis: int) -> Any:
    """What an entry picks along an axis, as a tensor or an array."""
    if isinstance(entry, Node):
        return entry
    if isinstance(entry, _Held):
        if entry.size != size:
            raise IndexingError(f"a mask of {entry.size} chooses along axis {axis}, of size {size}")
        return entry.positions
    array = np.asarray(entry)
    if array.dtype.kind not in "iu":
        raise IndexingError(f"an index must be made of integers, and {entry!r} is none")
    index.refuse_outside(array, size, axis)
    if isinstance(size, int):
        array = np.where(array < 0, array + size, array)
    return array


def _is_every(position: Any, size: Dim) -> bool:
    """Whether this is each position of the axis in order: `np.arange(n)`, `gc.iota(n)`."""
    if isinstance(position, Node):
        return position.op.name == "iota" and position.shape == (size,)
    return position.shape == (size,) and bool((position == np.arange(len(position))).all())


def _in_one_row(positions: list[Any], sizes: tuple[Dim, ...]) -> Any:
    """The positions in axes that are merged; one that is out of range in its own is so in all."""
    at: Any = 0
    is_inside: list[Node] = []
    for position, size in zip(positions, sizes, strict=True):
        length = size if isinstance(size, int) else leaves.size(size)
        if isinstance(position, Node) or not isinstance(size, int):
            (given,) = lift([position], "getitem")
            position = e.where(e.less(given, 0), given + length, given)
            is_inside += [e.greater_equal(position, 0), e.less(position, length)]
        at = at * length + position
    if not is_inside:
        return at
    for inside in is_inside:
        at = e.where(inside, at, leaves.size(shapes.size(sizes)))
    return at
