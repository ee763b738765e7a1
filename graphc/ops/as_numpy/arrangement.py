"""Shapes, repetition, joining and splitting: the same elements elsewhere."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ... import shapes
from ...errors import ArgumentError
from ...ir import Node, lift
from .. import elementwise as e
from .. import index, joins, layout, leaves, slices
from .table import TABLE, Function, means

means(np.shape)(lambda a: a.shape)
means(np.ndim)(lambda a: a.ndim)
means(np.reshape)(lambda a, shape: layout.reshape(a, shape))
means(np.ravel)(lambda a: flat(lift([a], "ravel")[0]))
means(np.transpose, np.permute_dims)(lambda a, axes=None: layout.transpose(a, axes))
means(np.matrix_transpose, np.linalg.matrix_transpose)(lambda x: layout.matrix_transpose(x))
means(np.moveaxis)(lambda a, source, destination: layout.moveaxis(a, source, destination))
means(np.swapaxes)(lambda a, axis1, axis2: layout.swapaxes(a, axis1, axis2))
means(np.broadcast_to)(lambda array, shape: layout.broadcast_to(array, shape))
means(np.flip)(lambda m, axis=None: slices.flip(m, axis))
means(np.flipud)(lambda m: slices.flip(m, 0))
means(np.fliplr)(lambda m: slices.flip(m, 1))
means(np.copy)(lambda a: a)
means(np.real)(lambda val: val)
means(np.iscomplexobj)(lambda x: False)
means(np.isrealobj)(lambda x: True)
means(np.astype)(lambda x, dtype: e.astype(x, dtype))


def flat(x: Node) -> Node:
    return layout.reshape(x, (x.size,))


@means(np.size)
def _size(a: Node, axis: int | None = None) -> Any:
    return a.size if axis is None else a.shape[axis]


@means(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Node:
    (x,) = lift([a], "expand_dims")
    places = axis if isinstance(axis, tuple | list) else (axis,)
    new = {shapes.as_axis(k, x.ndim + len(places)) for k in places}
    rank = x.ndim + len(places)
    return x[tuple(None if k in new else slice(None) for k in range(rank))]


@means(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> Node:
    (x,) = lift([a], "squeeze")
    single = tuple(k for k, d in enumerate(x.shape) if d == 1)
    return slices.squeeze(x, single if axis is None else axis)


@means(np.broadcast_arrays)
def broadcast_arrays(*args: Any) -> tuple[Node, ...]:
    values = [lift([x], "broadcast_arrays")[0] for x in args]
    shape = shapes.broadcast(*(v.shape for v in values))
    return tuple(layout.broadcast_to(v, shape) for v in values)


def _at_least(rank: int, place: Function) -> Function:
    def function(*arys: Any) -> Any:
        values = [lift([x], f"atleast_{rank}d")[0] for x in arys]
        made = [v if v.ndim >= rank else v[place(v.ndim)] for v in values]
        return made[0] if len(made) == 1 else tuple(made)

    return function


_WHOLE = slice(None)
means(np.atleast_1d)(_at_least(1, lambda have: (None,)))
means(np.atleast_2d)(_at_least(2, lambda have: (None,) * (2 - have) + (_WHOLE,) * have))
means(np.atleast_3d)(
    _at_least(3, lambda have: [(None,) * 3, (None, _WHOLE, None), (_WHOLE, _WHOLE, None)][have])
)


@means(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Node:
    (x,) = lift([a], "roll")
    if axis is None:
        return layout.reshape(roll(flat(x), shift, 0), x.shape)
    if isinstance(axis, tuple | list):
        shifts = shift if isinstance(shift, tuple | list) else [shift] * len(axis)
        for by, k in zip(shifts, axis, strict=True):
            x = roll(x, by, k)
        return x
    k = shapes.as_axis(axis, x.ndim)
    is_known = isinstance(x.shape[k], int)
    if shapes.is_expression(shift) or not (is_known or -1 <= shift <= 1):
        # A slice by more than all of an axis is all of it: only a position can come round again.
        return index.take(x, (leaves.iota(x.shape[k]) - shift) % x.shape[k], k)
    by = shift % x.shape[k] if is_known and x.shape[k] else shift
    return joins.concat([along(x, k, -by, None), along(x, k, None, -by)], k) if by else x


def along(x: Node, axis: int, start: Any, stop: Any) -> Node:
    return x[tuple(slice(start, stop) if k == axis else _WHOLE for k in range(x.ndim))]


@means(np.rot90)
def _rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Node:
    (x,) = lift([m], "rot90")
    for _ in range(k % 4):
        x = slices.flip(layout.swapaxes(x, *axes), axes[0])
    return x


@means(np.tile)
def tile(A: Any, reps: Any) -> Node:
    (x,) = lift([A], "tile")
    counts = list(reps) if isinstance(reps, tuple | list) else [reps]
    rank = max(x.ndim, len(counts))
    counts = [1] * (rank - len(counts)) + counts
    sizes = (1,) * (rank - x.ndim) + x.shape
    wide = layout.reshape(x, tuple(itertools.chain(*((1, d) for d in sizes))))
    pairs = itertools.chain(*zip(counts, sizes, strict=True))
    total = tuple(c * d for c, d in zip(counts, sizes, strict=True))
    return layout.reshape(layout.broadcast_to(wide, tuple(pairs)), total)


@means(np.repeat)
def repeat(a: Any, repeats: int, axis: int | None = None) -> Node:
    (x,) = lift([a], "repeat")
    if not isinstance(repeats, int | np.integer):
        raise ArgumentError("repeat of symbolic tensors takes one int; the nearest is np.take")
    x, k = (flat(x), 0) if axis is None else (x, shapes.as_axis(axis, x.ndim))
    wide = expand_dims(x, k + 1)
    full = layout.broadcast_to(wide, (*x.shape[: k + 1], int(repeats), *x.shape[k + 1 :]))
    return layout.reshape(full, (*x.shape[:k], x.shape[k] * int(repeats), *x.shape[k + 1 :]))


@means(np.pad)
def _pad(
    array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0.0
) -> Node:
    if mode != "constant":
        raise ArgumentError(
            f"pad of symbolic tensors has no mode={mode!r}; the nearest is 'constant'"
        )
    return joins.pad(array, pad_width, constant_values)


@means(np.tril)
def tril(m: Any, k: int = 0) -> Node:
    (x,) = lift([m], "tril")
    rows, columns = (leaves.iota(d) for d in x.shape[-2:])
    return e.where(rows[:, None] + k >= columns, x, leaves.constant(0, dtype=x.dtype))


@means(np.triu)
def triu(m: Any, k: int = 0) -> Node:
    (x,) = lift([m], "triu")
    rows, columns = (leaves.iota(d) for d in x.shape[-2:])
    return e.where(rows[:, None] + k <= columns, x, leaves.constant(0, dtype=x.dtype))


# -- joining and splitting --------------------------------------------------------------------


def _several(arrays: Any) -> list[Node]:
    return [lift([x], "concatenate")[0] for x in arrays]


@means(np.concatenate)
def _concatenate(arrays: Any, axis: int | None = 0) -> Node:
    values = _several(arrays)
    if axis is None:
        return joins.concat(list(map(flat, values)))
    return joins.concat(values, axis)


means(np.stack)(lambda arrays, axis=0: joins.stack(_several(arrays), axis))


@means(np.vstack)
def _vstack(tup: Any) -> Node:
    return joins.concat([v if v.ndim > 1 else layout.reshape(v, (1, -1)) for v in _several(tup)])


@means(np.hstack)
def _hstack(tup: Any) -> Node:
    values = [TABLE[np.atleast_1d](v) for v in _several(tup)]
    return joins.concat(values, 0 if values[0].ndim == 1 else 1)


@means(np.dstack)
def _dstack(tup: Any) -> Node:
    return joins.concat([TABLE[np.atleast_3d](v) for v in _several(tup)], 2)


@means(np.column_stack)
def _column_stack(tup: Any) -> Node:
    return joins.concat([v if v.ndim > 1 else v[:, None] for v in _several(tup)], 1)


@means(np.split, np.array_split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Node]:
    (x,) = lift([ary], "split")
    k = shapes.as_axis(axis, x.ndim)
    if isinstance(indices_or_sections, int | np.integer):
        count, length = int(indices_or_sections), x.shape[k]
        if not isinstance(length, int):
            raise ArgumentError(f"split of symbolic tensors needs a known size, and it is {length}")
        sizes = [length // count + (j < length % count) for j in range(count)]
        cuts = list(itertools.accumulate(sizes))[:-1]
    else:
        cuts = list(indices_or_sections)
    return [along(x, k, a, b) for a, b in itertools.pairwise([0, *cuts, None])]


means(np.hsplit)(lambda ary, indices_or_sections: _split(ary, indices_or_sections, 1))
means(np.vsplit)(lambda ary, indices_or_sections: _split(ary, indices_or_sections, 0))


@means(np.unstack)
def unstack(x: Any, *, axis: int = 0) -> tuple[Node, ...]:
    return tuple(layout.moveaxis(x, axis, 0))


@means(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    return _concatenate([arr, values], axis)


@means(np.meshgrid)
def meshgrid(*xi: Any, indexing: str = "xy", sparse: bool = False) -> tuple[Node, ...]:
    axes = _several(xi)
    rank = len(axes)
    grid = [layout.reshape(v, (*[1] * k, -1, *[1] * (rank - k - 1))) for k, v in enumerate(axes)]
    full = tuple(grid) if sparse else broadcast_arrays(*grid)
    return tuple(layout.swapaxes(v, 0, 1) for v in full) if indexing == "xy" and rank > 1 else full
