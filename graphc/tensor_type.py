"""Types of tensors: a shape and an element type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import DTypeError
from .shapes import Dim, Shape, as_dim, as_shape, is_expression, size

_SHORT = {
    np.dtype(name): short
    for name, short in {
        "bool": "bool", "float32": "f32", "float64": "f64",
        "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
        "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64",
    }.items()
}  # fmt: skip
# The short names are read in types, and are no dtypes: NumPy's "i8" has 8 bytes, ours 8 bits.
_LONG = {short: dtype.name for dtype, short in _SHORT.items()}
DTYPE_NAMES = frozenset(dtype.name for dtype in _SHORT)
_DTYPES = {dtype: dtype for dtype in _SHORT}


def as_dtype(value: DTypeLike) -> np.dtype[Any]:
    """One of the element types that graphs hold: bool, integers, float32, float64."""
    if isinstance(value, np.dtype) and value in _DTYPES:
        return _DTYPES[value]
    try:
        dtype = np.dtype(value)
    except TypeError:
        is_size = isinstance(value, int) or is_expression(value)
        cure = ": the sizes of a shape belong in one tuple, as in (3, 4)" if is_size else ""
        if isinstance(value, str) and value in _LONG:
            cure = f": write {_LONG[value]!r}"
        said = f"a dtype must be one that NumPy knows, and {value!r} is not{cure}"
        raise DTypeError(said) from None
    if dtype.name not in DTYPE_NAMES:
        raise DTypeError(f"graphs hold bool, integers, float32 and float64, not {dtype.name}")
    return dtype.newbyteorder("=")


@dataclass(frozen=True, slots=True)
class TensorType:
    """A shape and an element type.

    >>> import graphc as gc
    >>> t = gc.input("X", ("n", 3)).type
    >>> t, t.shape, t.dtype
    (f64[n, 3], (n, 3), dtype('float64'))
    >>> t.ndim, t.size, t.nbytes, t.is_float
    (2, 3*n, 24*n, True)
    >>> t.with_shape((3,)), t.with_dtype("int64")
    (f64[3], i64[n, 3])
    """

    shape: Shape
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self.shape)

    @property
    def size(self) -> Dim:
        """How many elements, as a formula."""
        return size(self.shape)

    @property
    def nbytes(self) -> Dim:
        """How many bytes, as a formula."""
        return as_dim(self.size * self.dtype.itemsize)

    @property
    def is_float(self) -> bool:
        """Whether the elements are floats."""
        return self.dtype.kind == "f"

    def with_shape(self, shape: Iterable[Dim]) -> TensorType:
        """The same elements in another shape."""
        return TensorType(tuple(shape), self.dtype)

    def with_dtype(self, dtype: DTypeLike) -> TensorType:
        """The same shape of other elements."""
        return TensorType(self.shape, as_dtype(dtype))

    def __repr__(self) -> str:
        return f"{_SHORT[self.dtype]}[{', '.join(map(str, self.shape))}]"


def tensor(shape: object, dtype: DTypeLike = np.float64) -> TensorType:
    """A TensorType from loosely given parts."""
    return TensorType(as_shape(shape), as_dtype(dtype))
