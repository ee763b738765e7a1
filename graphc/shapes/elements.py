"""How many elements a shape holds, and the one size that is left open in it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from ..sizes import Dim, Shape
from .dims import as_dim
from .facts import ratio
from .texts import show


@functools.lru_cache(maxsize=4096)
def size(shape: Shape) -> Dim:
    """The number of elements: the product of the dims."""
    total: Dim = 1
    for d in shape:
        total = as_dim(total * d)
    return total


def unknown_size(shape: Sequence[object], total: Dim) -> Shape:
    """`shape` with its single -1 replaced so that it holds `total` elements."""
    known = [as_dim(d) for d in shape if not _is_unknown(d)]
    if len(known) == len(shape):
        return tuple(known)
    if len(known) < len(shape) - 1:
        raise ShapeError("reshape takes at most one -1")
    missing = ratio(total, size(tuple(known)))
    if missing is None:
        raise ShapeError(f"{total} elements cannot be divided among {show(tuple(known))} and -1")
    return tuple(missing if _is_unknown(d) else as_dim(d) for d in shape)


def _is_unknown(value: object) -> bool:
    return isinstance(value, int | np.integer) and value == -1
