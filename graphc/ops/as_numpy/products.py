"""Products of vectors and matrices, norms, diagonals, and what np.linalg solves and decomposes."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from ... import shapes
from ...errors import ArgumentError
from ...ir import Node, lift
from .. import contract, joins, layout, leaves, linalg, reduce
from .. import elementwise as e
from .arrangement import flat
from .reductions import count_nonzero, in_floats
from .table import means

means(np.dot)(lambda a, b: contract.dot(a, b))
means(np.inner)(lambda a, b: contract.inner(a, b))
means(np.tensordot)(lambda a, b, axes=2: contract.tensordot(a, b, axes))
means(np.linalg.tensordot)(lambda x1, x2, *, axes=2: contract.tensordot(x1, x2, axes))
means(np.linalg.matmul)(lambda x1, x2: contract.matmul(x1, x2))
means(np.linalg.vecdot)(lambda x1, x2, *, axis=-1: contract.vecdot(x1, x2, axis))
means(np.linalg.multi_dot)(lambda arrays: functools.reduce(contract.dot, arrays))
means(np.outer)(lambda a, b: contract.outer(*map(flat, lift([a, b], "outer"))))
means(np.linalg.outer)(lambda x1, x2: contract.outer(x1, x2))
means(np.vdot)(lambda a, b: contract.vdot(*map(flat, lift([a, b], "vdot"))))


@means(np.einsum)
def _einsum(subscripts: str, *operands: Any, optimize: Any = False) -> Node:
    return contract.einsum(subscripts, *operands)


@means(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Node:
    (x,) = lift([a], "matrix_power")
    n = operator.index(n)
    if n < 0:
        x, n = linalg.inv(x), -n
    if n == 0:
        return layout.broadcast_to(leaves.eye(x.shape[-1], dtype=x.dtype), x.shape)
    half = matrix_power(x, n // 2) if n > 1 else None
    square = x if half is None else contract.matmul(half, half)
    return contract.matmul(square, x) if half is not None and n % 2 else square


@means(np.kron)
def _kron(a: Any, b: Any) -> Node:
    x, y = lift([a, b], "kron")
    rank = max(x.ndim, y.ndim)
    x, y = (layout.reshape(v, (*[1] * (rank - v.ndim), *v.shape)) for v in (x, y))
    wide = x[tuple(i for _ in range(rank) for i in (slice(None), None))]
    product = wide * y[tuple(i for _ in range(rank) for i in (None, slice(None)))]
    return layout.reshape(product, tuple(c * d for c, d in zip(x.shape, y.shape, strict=True)))


means(np.linalg.cross)(lambda x1, x2, *, axis=-1: cross(x1, x2, axis=axis))


@means(np.cross)
def cross(a: Any, b: Any, *, axis: int = -1) -> Node:
    x, y = (layout.moveaxis(v, axis, -1) for v in lift([a, b], "cross"))
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ArgumentError(f"cross needs vectors of 3, and was given {x.type} and {y.type}")
    x0, x1, x2 = (x[..., k] for k in range(3))
    y0, y1, y2 = (y[..., k] for k in range(3))
    parts = [x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0]
    return layout.moveaxis(joins.stack(parts, -1), -1, axis)


@means(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    v = in_floats(x)
    count = 1 if isinstance(axis, int | np.integer) else len(axis) if axis is not None else v.ndim
    if ord in (None, "fro"):
        return reduce.norm(v, axis=axis, keepdims=keepdims)
    if count == 1 and isinstance(ord, int | float | np.number):
        return vector_norm(v, axis=axis, keepdims=keepdims, ord=ord)
    raise ArgumentError(f"norm of symbolic matrices has no ord={ord!r}; the nearest is ord='fro'")


@means(np.linalg.vector_norm)
def vector_norm(x: Any, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Any:
    """Of all the elements along some axes, as of one vector."""
    v = in_floats(x)
    if ord == 2:
        return reduce.norm(v, axis=axis, keepdims=keepdims)
    if ord == np.inf:
        return reduce.max(e.abs(v), axis, keepdims)
    if ord == -np.inf:
        return reduce.min(e.abs(v), axis, keepdims)
    if ord == 1:
        return reduce.sum(e.abs(v), axis, keepdims)
    if ord == 0:
        return e.astype(count_nonzero(v, axis, keepdims=keepdims), v.dtype)
    return reduce.sum(e.abs(v) ** float(ord), axis, keepdims) ** (1.0 / ord)


means(np.linalg.matrix_norm)(
    lambda x, *, keepdims=False, ord="fro": _norm(x, ord, (-2, -1), keepdims)
)


@means(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    return reduce.sum(diagonal(a, offset, axis1, axis2), axis=-1)


@means(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    x = layout.moveaxis(a, (axis1, axis2), (-2, -1))
    if offset:
        x = x[..., offset:] if offset > 0 else x[..., -offset:, :]
    rows, columns = x.shape[-2:]
    if rows != columns and isinstance(rows, int) and isinstance(columns, int):
        short = min(rows, columns)
        x = x[..., :short, :short]
    elif rows != columns and shapes.is_at_least(rows, columns):
        x = x[..., :columns, :]
    elif rows != columns and shapes.is_at_least(columns, rows):
        x = x[..., :rows]
    return contract.diagonal(x)


means(np.linalg.diagonal)(lambda x, *, offset=0: diagonal(x, offset, -2, -1))
means(np.linalg.trace)(lambda x, *, offset=0: trace(x, offset, -2, -1))


@means(np.diag)
def _diag(v: Any, k: int = 0) -> Any:
    (x,) = lift([v], "diag")
    if x.ndim != 1:
        return diagonal(x, k)
    margin = ((0, abs(k)), (abs(k), 0))
    square = layout.diagonal_matrix(x)
    return square if not k else joins.pad(square, margin if k > 0 else margin[::-1])


means(np.diagflat)(lambda v, k=0: _diag(flat(lift([v], "diagflat")[0]), k))


means(np.linalg.solve)(lambda a, b: linalg.solve(a, b))
means(np.linalg.inv)(lambda a: linalg.inv(a))
means(np.linalg.det)(lambda a: linalg.det(a))
means(np.linalg.slogdet)(lambda a: linalg.slogdet(a))
means(np.linalg.cholesky)(lambda a, *, upper=False: linalg.cholesky(a, upper=bool(upper)))
means(np.linalg.eigh)(lambda a, UPLO="L": linalg.eigh(_by_lower(a, UPLO)))
means(np.linalg.eigvalsh)(lambda a, UPLO="L": linalg.eigvalsh(_by_lower(a, UPLO)))


def _by_lower(a: Any, triangle: str) -> Node:
    """A symmetric matrix of which one triangle is read, as one of which the lower is."""
    (x,) = lift([a], "eigh")
    if triangle not in ("L", "U", "l", "u"):
        raise ArgumentError(f"UPLO= is 'L' or 'U', not {triangle!r}")
    return x if triangle in "Ll" else layout.matrix_transpose(x)
