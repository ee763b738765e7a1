"""Broadcasting: the shape that several shapes meet in."""

from __future__ import annotations

from ..errors import ShapeError
from ..sizes import Dim, Shape
from .axes import of_a_slice


def broadcast(*shapes: Shape) -> Shape:
    """NumPy's broadcasting, except that only a literal 1 stretches: a symbol is never a 1."""
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(len(shape) for shape in shapes)
    result = []
    for axis in range(-rank, 0):
        found: Dim = 1
        for shape in shapes:
            d = shape[axis] if len(shape) >= -axis else 1
            if d == found or d == 1:
                continue
            if found != 1:
                raise ShapeError(f"{found} is not {d} (axis {axis}){of_a_slice(found, d)}")
            found = d
        result.append(found)
    return tuple(result)
