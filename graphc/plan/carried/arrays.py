"""Products, sums and rearrangements of arrays that NumPy has not, or not as quick."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np


def unless_single(memory: Any) -> Any:
    """Memory to write into; None, which makes new, for one element: NumPy takes 1 us more there."""
    return memory if memory.size != 1 else None


def from_bytes(text: str, dtype: Any, shape: tuple[int, ...]) -> Any:
    """A constant array from its bytes."""
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


def matrix_product(x: Any, y: Any, out: Any) -> Any:
    """x @ y; np.matmul leaves to BLAS neither a column times a row nor what lies with gaps."""
    if x.shape[-1] == 1:
        return x.dot(y, out=out)
    x, y = (v if has_runs(v) else np.ascontiguousarray(v) for v in (x, y))
    return np.matmul(x, y, out=out)


def has_runs(x: Any) -> bool:
    """Whether elements of a row, or of a column, lie one after the other."""
    return x.itemsize in x.strides[-2:]


def inner_product(x: Any, y: Any) -> Any:
    """np.vdot, in pieces so short that BLAS does not start threads of its own beside ours."""
    x, y, piece = np.ravel(x), np.ravel(y), 8192
    if x.size <= piece:
        return x.dot(y)
    end = x.size - x.size % piece
    pieces = np.vecdot(x[:end].reshape(-1, piece), y[:end].reshape(-1, piece))
    return pieces.sum() + x[end:].dot(y[end:])


def weighted_sum(x: Any, rows: Any, count: int, out: Any) -> Any:
    """x.dot(rows), where these are a tile of so many: in ways for which BLAS starts no threads."""
    here, length = rows.shape
    if here == count or not length or not has_runs(rows):
        return np.dot(x, rows, out=out)
    if rows.strides[1] != rows.itemsize:
        columns, count, piece = rows.T, here // 8192, 8192
        end = count * piece
        whole = columns[:, :end].reshape(length, count, piece)
        np.vecdot(columns[:, end:], x[end:], out=out)
        return np.add(out, np.vecdot(whole, x[:end].reshape(count, piece)).sum(axis=1), out=out)
    is_far = count * rows.nbytes > here << 24  # they come from memory, for which np.einsum is best
    if length >= (48 if is_far else 256):
        return np.einsum("i,ij->j", x, rows, out=out)
    piece = 8192 // length
    end = here - here % piece
    np.dot(x[end:], rows[end:], out=out)
    pieces = np.matmul(x[:end].reshape(-1, 1, piece), rows[:end].reshape(-1, piece, length))
    return np.add(out, pieces.sum(axis=(0, 1)), out=out)


def stretched(x: Any, shape: tuple[int, ...]) -> Any:
    """np.broadcast_to for a single number, in a seventh of its time."""
    return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))


def index_along(indices: Any, axis: int) -> Any:
    """The index of each position's own indices along an axis."""
    index: list[Any] = []
    for size in indices.shape:
        index.append(np.arange(size).reshape(-1, *[1] * (indices.ndim - len(index) - 1)))
    index[axis] = indices
    return tuple(index)


def summed(x: Any, axis: int, keepdims: bool = False, out: Any = None) -> Any:
    """x.sum(axis), by products with ones: NumPy adds fewer elements at a time than BLAS, and of
    short rows it does little but begin."""
    count, size = x.shape[-1], x.itemsize
    is_last, has_rows = axis == x.ndim - 1, x.strides[-1] == size
    if is_last and has_rows and 32 < count <= 4096 and x.size >= 1 << 14:
        into = out[..., 0] if keepdims and out is not None else out
        found = np.vecdot(x, np.ones(count, x.dtype), out=into)
        return found[..., None] if keepdims else found
    is_short = count <= 32 and x.size >= 4096 and axis >= x.ndim - 2
    if not is_short or not has_rows or x.strides[-2] < count * size:
        return x.sum(axis=axis, keepdims=keepdims, out=out)
    if is_last:
        return np.matmul(x, np.ones((count, 1) if keepdims else count, x.dtype), out=out)
    rows = x.shape[-2]
    return np.matmul(np.ones((1, rows) if keepdims else rows, x.dtype), x, out=out)


def extreme(fold: Any, x: Any, keepdims: bool = False, initial: Any = None, out: Any = None) -> Any:
    """fold.reduce along the last axis, of short rows one column after the other: NumPy takes as
    long to begin a row as for 50 of its elements."""
    count = x.shape[-1]
    if not 1 < count <= 16 or x.size < 4096 or x.size < 16 * count**2:
        return fold.reduce(x, axis=-1, keepdims=keepdims, initial=initial, out=out)
    if out is None:
        out = np.empty((*x.shape[:-1], 1) if keepdims else x.shape[:-1], x.dtype)
    rows = 1 + len(x) * (1 << 17) // x.nbytes  # which stay in the cache from column to column
    for first in range(0, len(x), rows):
        part, total = x[first : first + rows], out[first : first + rows]
        total = total[..., 0] if keepdims else total
        fold(part[..., 0], part[..., 1] if initial is None else initial, out=total)
        for k in range(2 if initial is None else 1, count):
            fold(total, part[..., k], out=total)
    return out


def place(x: Any, shape: tuple[int, ...], index: Any, out: Any = None) -> Any:
    """Zeros with x written at an index."""
    if out is None:
        out = np.zeros(shape, x.dtype)
    elif type(index) is slice and index.step is None:  # zeros where x does not come
        start, stop, _ = index.indices(len(out))
        out[:start] = 0
        out[max(start, stop) :] = 0
    else:
        out.fill(0)
    out[index] = x
    return out


def places(shape: tuple[int, ...], x: Any, index: Any, *others: Any, out: Any = None) -> Any:
    """Zeros with x written at an index, and others added, each at the index that follows it."""
    out = place(x, shape, index, out)
    for y, at in zip(others[::2], others[1::2], strict=True):
        out[at] += y
    return out


def diagonal_matrix(x: Any, out: Any = None) -> Any:
    """Zeros with x along the diagonal of the last two axes."""
    out = np.empty((*x.shape, x.shape[-1]), x.dtype) if out is None else out
    out.fill(0)
    np.einsum("...ii->...i", out)[...] = x
    return out


def scatter_add(x: Any, indices: Any, updates: Any, axis: int) -> Any:
    """x with updates added at positions along an axis."""
    result = np.array(x, np.result_type(x, updates))
    np.add.at(result, (slice(None),) * axis + (indices,), updates)
    return result


def scatter_add_along_axis(x: Any, indices: Any, updates: Any, axis: int, out: Any = None) -> Any:
    """x with updates added at each position's own indices along an axis."""
    out = np.empty(x.shape, np.result_type(x, updates)) if out is None else out
    if out is not x:
        np.copyto(out, x)
    np.add.at(out, index_along(indices, axis), updates)
    return out


def linear_recurrence(a: Any, b: Any, axis: int) -> Any:
    """r[k] = a[k] * r[k - 1] + b[k] along an axis, from r[0] = b[0]."""
    a = np.moveaxis(a, axis, 0)
    result = np.moveaxis(np.array(b, np.result_type(a, b)), axis, 0)
    for k in range(1, len(result)):
        result[k] += a[k] * result[k - 1]
    return np.moveaxis(result, 0, axis)


def eigenvalues_first(x: Any) -> Any:
    """The eigenvalues of symmetric matrices as a first row, and the eigenvectors below it."""
    values, vectors = np.linalg.eigh(x)
    return np.concatenate((values[..., None, :], vectors), axis=-2)


def complex_eigenvalues_first(x: Any) -> Any:
    """The same a small imaginary step away from real matrices, by perturbation theory."""
    values, vectors = np.linalg.eigh(x.real)
    up = np.swapaxes(vectors, -1, -2)
    step = np.tril(x.imag) + np.swapaxes(np.tril(x.imag, -1), -1, -2)
    turned = up @ step @ vectors
    gaps = values[..., None, :] - values[..., :, None]
    mixed = np.divide(turned, gaps, out=np.zeros_like(turned), where=gaps != 0)
    values = values + 1j * np.einsum("...ii->...i", turned)
    return np.concatenate((values[..., None, :], vectors + 1j * (vectors @ mixed)), axis=-2)


def complex_cholesky(x: Any) -> Any:
    """np.linalg.cholesky, which takes conjugates of complex numbers, without them."""
    result = np.zeros_like(x)
    for k in range(x.shape[-1]):
        before = result[..., k:, :k] @ result[..., k, :k, None]
        rest = x[..., k:, k] - before[..., 0]
        result[..., k:, k] = rest / np.sqrt(rest[..., :1])
    return result
