"""Linear algebra beyond products: solve, inverse, determinant, Cholesky factor, eigenvalues.

The names and meanings are those of the array API's linalg extension and of np.linalg, stacks of
matrices included, and so is what happens when a program runs: a matrix that is singular, or not
positive definite, raises NumPy's LinAlgError. What has two results in NumPy is one operation here,
whose result holds both, so that they share one decomposition.

>>> import graphc as gc
>>> K, y = gc.input("K", ("n", "n")), gc.input("y", ("n",))
>>> loss = y @ gc.linalg.solve(K, y) + gc.linalg.slogdet(K).logabsdet
>>> gc.evaluate(gc.grad(loss, K), {K: [[2.0, 0.0], [0.0, 1.0]], y: [2.0, 0.0]})
array([[-0.5,  0. ],
       [ 0. ,  1. ]])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError
from ..ir import Node, Op, example, lift, spelling
from ..options import truth
from ..shapes import Dim, Shape, broadcast, size
from ..tensor_type import TensorType
from .chain import times, where_any
from .contract import einsum, matmul, outer
from .elementwise import add, divide, multiply, negative, not_equal, sign, subtract, where
from .from_formula import onto
from .layout import broadcast_to, diagonal_matrix, matrix_transpose, moveaxis, reshape
from .leaves import iota
from .reduce import sum as total
from .slices import expand_dims, getitem, squeeze

__all__ = ["cholesky", "det", "eigh", "eigvalsh", "inv", "slogdet", "solve"]

# What the laws try these on: added to numbers of at most 1, it makes matrices well-conditioned
# and, of what the lower triangle says, positive definite.
_DIAGONAL = 4.0
_NUMBERS: dict[str, Any] = {"between": (-1.0, 1.0), "diagonal": _DIAGONAL}
_MATRICES = (
    example([3, 3], **_NUMBERS),
    example([1, 1], **_NUMBERS),
    example([2, "n", "n"], between=(-1.0, 1.0), diagonal=8.0),
    example([2, 2], dtypes=("float32",), **_NUMBERS),
)


def _of_matrices(name: str, x: TensorType) -> TensorType:
    """The type of matrices in the precision that NumPy computes in: float64 unless float32."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, and was given {x}")
    return x.with_dtype(x.dtype if x.is_float else np.float64)


def _cubes(node: Node) -> Dim:
    """The cube of the size for each matrix. A decomposition takes from a third of that (Cholesky)
    to some multiples (eigenvalues): what is compared with it is how it grows."""
    shape = node.inputs[0].shape
    return size(shape) * shape[-1]


# -- solve and inv ----------------------------------------------------------------------------


def _solve_type(a: TensorType, b: TensorType) -> TensorType:
    a = _of_matrices("solve", a)
    if not b.ndim:
        raise ShapeError(f"solve needs a vector or matrices on the right side, and was given {b}")
    rows = b.shape[-1 if b.ndim == 1 else -2]
    if a.shape[-1] != rows:
        raise ShapeError(f"solve needs as many rows on both sides, and {a.shape[-1]} is not {rows}")
    dtype = np.result_type(a.dtype, b.dtype if b.is_float else np.float64)
    if b.ndim == 1:
        return a.with_shape(a.shape[:-1]).with_dtype(dtype)
    try:
        stack = broadcast(a.shape[:-2], b.shape[:-2])
    except ShapeError as error:
        said = f"solve needs stacks that broadcast, and {error.sentence}"
        raise ShapeError(said) from None
    return b.with_shape((*stack, *b.shape[-2:])).with_dtype(dtype)


def _solve_bprop(node: Node, i: int, g: Node) -> Node:
    """With A x = b, the gradient by b is A.T's solution for g; that by A is -grad_b x.T"""
    a, b = node.inputs
    grad_b = solve(matrix_transpose(a), g)
    if i == 1:
        return onto(grad_b, b)
    if node.ndim == 1:
        return onto(negative(outer(grad_b, node)), a)
    return onto(negative(einsum("...ik,...jk->...ij", grad_b, node)), a)


def _solve_batch(
    node: Node, inputs: Sequence[Node], batched: Sequence[bool], lead: Shape
) -> Node:
    """One matrix is decomposed once: the right sides of all examples are its columns."""
    a, b = inputs
    k = len(lead)
    if a.ndim == 2 and not batched[0]:
        rows_first = moveaxis(b, -1 if b.ndim == k + 1 else -2, 0)
        columns = reshape(rows_first, (a.shape[0], size(rows_first.shape[1:])))
        found = reshape(solve(a, columns), rows_first.shape)
        return moveaxis(found, 0, -1 if b.ndim == k + 1 else -2)
    is_vector = node.inputs[1].ndim == 1
    if is_vector:
        b = expand_dims(b, b.ndim)
    rank = node.ndim + is_vector
    a, b = (
        reshape(x, (*lead, *[1] * (rank + k - x.ndim), *x.shape[k:])) if is_own else x
        for x, is_own in zip((a, b), batched, strict=True)
    )
    found = _solve(a, b)
    return squeeze(found, found.ndim - 1) if is_vector else found


def _each_of_a_column(node: Node, ones: Node) -> Node:
    """Each element of a solution depends on all of its column of the right side."""
    axis = max(ones.ndim - 2, 0)
    return broadcast_to(total(ones, axis=axis, keepdims=True), node.shape)


_solve: Op = Op(
    "solve",
    infer=_solve_type,
    numpy="np.linalg.solve(x0, x1)",
    bprop=_solve_bprop,
    guard=(1, where_any(_each_of_a_column)),
    flops=lambda n: _cubes(n) + 2 * n.inputs[0].shape[-1] * n.type.size,
    family="linalg",
    batch=_solve_batch,
    examples=(
        example([3, 3], [3], **_NUMBERS),
        example([3, 3], [3, 2], **_NUMBERS),
        example(["n", "n"], ["n"], between=(-1.0, 1.0), diagonal=8.0),
        example([2, 3, 3], [3, 1], **_NUMBERS),
        example([3, 3], [2, 3, 2], **_NUMBERS),
        example([2, 1, 2, 2], [3, 2, 2], **_NUMBERS),
        example([2, 2], [2], dtypes=("float32", "float32"), **_NUMBERS),
    ),
)


def _inv_bprop(node: Node, i: int, g: Node) -> Node:
    """-B.T @ g @ B.T where B is the inverse"""
    by_columns = einsum("...ij,...kj->...ik", g, node)
    return negative(einsum("...jk,...ji->...ik", by_columns, node))


_inv: Op = Op(
    "inv",
    infer=lambda x: _of_matrices("inv", x),
    numpy="np.linalg.inv(x0)",
    bprop=_inv_bprop,
    flops=lambda n: 2 * _cubes(n),
    family="linalg",
    examples=_MATRICES,
)


# -- determinants -----------------------------------------------------------------------------


def _times_inverse(g: Node, a: Node) -> Node:
    """g times the inverse of A.T, which is the gradient of log(abs(det(A)))"""
    by_matrix = expand_dims(expand_dims(g, g.ndim), g.ndim + 1) if g.ndim else g
    return times(by_matrix, matrix_transpose(_inv(a)))


_det: Op = Op(
    "det",
    infer=lambda x: (t := _of_matrices("det", x)).with_shape(t.shape[:-2]),
    numpy="np.linalg.det(x0)",
    bprop=lambda n, i, g: _times_inverse(times(g, n), n.inputs[0]),
    flops=_cubes,
    family="linalg",
    cure="gc.linalg.slogdet has the logarithm of its absolute value, which does not overflow",
    examples=_MATRICES,
)


def _slogdet_batch(
    node: Node, inputs: Sequence[Node], batched: Sequence[bool], lead: Shape
) -> Node:
    """The axis of sign and logarithm stays in front of a matrix's own."""
    return moveaxis(_slogdet(*inputs), 0, len(lead))


_slogdet: Op = Op(
    "slogdet",
    infer=lambda x: (t := _of_matrices("slogdet", x)).with_shape((2, *t.shape[:-2])),
    numpy="np.array(np.linalg.slogdet(x0))",
    bprop=lambda n, i, g: _times_inverse(getitem(g, 1), n.inputs[0]),
    flops=_cubes,
    family="linalg",
    batch=_slogdet_batch,
    # det goes on into the complex plane: its sign and the logarithm of what is left.
    complex_step=(
        "np.array([np.sign(np.linalg.det(x0).real) + 0j, "
        "np.log(np.linalg.det(x0) * np.sign(np.linalg.det(x0).real))])"
    ),
    examples=_MATRICES,
)


# -- symmetric matrices -----------------------------------------------------------------------


def _by_lower_triangle(s: Node) -> Node:
    """A gradient by all elements, as one by those of the lower triangle, which alone are read:
    each stands for its mirror image too."""
    return _half_of_diagonal(add(s, matrix_transpose(s)))


def _half_of_diagonal(x: Node) -> Node:
    """The lower triangle with half the diagonal."""
    k = iota(x.shape[-1], x.dtype)
    share = divide(add(sign(subtract(expand_dims(k, 1), k)), 1), 2)
    return multiply(x, share)


def _cholesky_bprop(node: Node, i: int, g: Node) -> Node:
    """S = L.T^-1 @ P @ L^-1, of the lower triangle P of L.T @ g with half its diagonal"""
    up = matrix_transpose(node)
    p = _half_of_diagonal(einsum("...kj,...ki->...ij", g, node))
    return _by_lower_triangle(solve(up, matrix_transpose(solve(up, p))))


_cholesky: Op = Op(
    "cholesky",
    infer=lambda x: _of_matrices("cholesky", x),
    numpy="np.linalg.cholesky(x0)",
    bprop=_cholesky_bprop,
    flops=_cubes,
    family="linalg",
    complex_step="complex_cholesky(x0)",
    examples=_MATRICES,
)


def _eigh_bprop(node: Node, i: int, g: Node) -> Node:
    """V @ (diag(g_w) + V.T @ g_V / gaps) @ V.T: what is between equal eigenvalues is taken as 0"""
    w, v = _values(node), _vectors(node)
    gaps = subtract(expand_dims(w, w.ndim - 1), expand_dims(w, w.ndim))
    turned = einsum("...kj,...ki->...ij", _vectors(g), v)
    inside = add(where(not_equal(gaps, 0), divide(turned, gaps), 0), diagonal_matrix(_values(g)))
    return _by_lower_triangle(matmul(matmul(v, inside), matrix_transpose(v)))


_eigh: Op = Op(
    "eigh",
    infer=lambda x: (t := _of_matrices("eigh", x)).with_shape(
        (*t.shape[:-2], t.shape[-1] + 1, t.shape[-1])
    ),
    numpy="eigenvalues_first(x0)",
    bprop=_eigh_bprop,
    flops=lambda n: 9 * _cubes(n),
    family="linalg",
    complex_step="complex_eigenvalues_first(x0)",
    examples=_MATRICES,
)


def _values(x: Node) -> Node:
    """The eigenvalues, which lie in front of the vectors as one more row."""
    return getitem(x, (Ellipsis, 0, slice(None)))


def _vectors(x: Node) -> Node:
    return getitem(x, (Ellipsis, slice(1, None), slice(None)))


# -- spellings --------------------------------------------------------------------------------


@spelling
def solve(x1: Any, x2: Any) -> Node:
    """The x of x1 @ x = x2, without the inverse. A right side of one axis is a vector.

    >>> import graphc as gc
    >>> A, b = gc.input("A", ("n", "n")), gc.input("b", ("n",))
    >>> x = gc.linalg.solve(A, b)
    >>> gc.evaluate(x, {A: [[2.0, 0.0], [0.0, 4.0]], b: [1.0, 1.0]})
    array([0.5 , 0.25])
    """
    a, b = lift([x1, x2], "solve")
    if b.ndim == 1 and a.ndim > 2:
        return squeeze(_solve(a, expand_dims(b, 1)), -1)
    return _solve(a, b)


@spelling
def inv(x: Any) -> Node:
    """The inverse of a matrix, or of each of a stack. What is multiplied by it is better solved.

    >>> import graphc as gc
    >>> gc.evaluate(gc.linalg.inv(gc.constant([[2.0, 0.0], [0.0, 4.0]])), {})
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return _inv(*lift([x], "inv"))


@spelling
def det(x: Any) -> Node:
    """The determinant. Of large matrices it overflows: `slogdet` has its logarithm.

    The gradient is det(x) times the inverse of x.T: there is none where x is singular.

    >>> import graphc as gc
    >>> round(float(gc.evaluate(gc.linalg.det(gc.constant([[2.0, 0.0], [0.0, 4.0]])))), 9)
    8.0
    """
    return _det(*lift([x], "det"))


class Slogdet(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Node
    logabsdet: Node


@spelling
def slogdet(x: Any) -> Slogdet:
    """The sign of the determinant and the logarithm of its absolute value: (sign, logabsdet).

    >>> import graphc as gc
    >>> A = gc.input("A", ("n", "n"))
    >>> sign, logabsdet = gc.linalg.slogdet(A)
    >>> gc.evaluate([sign, logabsdet], {A: [[0.0, 1.0], [1.0, 0.0]]})
    [np.float64(-1.0), np.float64(0.0)]
    """
    both = _slogdet(*lift([x], "slogdet"))
    return Slogdet(getitem(both, 0), getitem(both, 1))


@spelling
def cholesky(x: Any, *, upper: bool = False) -> Node:
    """The lower triangle L of L @ L.T = x, for a symmetric positive definite x; or U of U.T @ U.

    As in NumPy only the lower triangle of x is read (the upper one for U): gradients are 0 in the
    other. Where x is computed as a symmetric matrix that makes no difference.

    >>> import graphc as gc
    >>> gc.evaluate(gc.linalg.cholesky(gc.constant([[4.0, 2.0], [2.0, 10.0]])), {})
    array([[2., 0.],
           [1., 3.]])
    """
    (a,) = lift([x], "cholesky")
    if truth("upper", upper):
        return matrix_transpose(_cholesky(matrix_transpose(a)))
    return _cholesky(a)


class Eigh(NamedTuple):
    """Eigenvalues from the smallest on, and the eigenvectors, which are columns."""

    eigenvalues: Node
    eigenvectors: Node


@spelling
def eigh(x: Any) -> Eigh:
    """Eigenvalues and eigenvectors of a symmetric matrix: (eigenvalues, eigenvectors).

    As in NumPy only the lower triangle of x is read, and the signs of eigenvectors are any. The
    gradient by eigenvectors is right where eigenvalues differ; of equal ones, what turns their
    vectors into each other is taken as 0.

    >>> import graphc as gc
    >>> A = gc.input("A", ("n", "n"))
    >>> w, v = gc.linalg.eigh(A)
    >>> gc.evaluate(w, {A: [[2.0, 1.0], [1.0, 2.0]]}).round(12)
    array([1., 3.])
    """
    both = _eigh(*lift([x], "eigh"))
    return Eigh(_values(both), _vectors(both))


@spelling
def eigvalsh(x: Any) -> Node:
    """The eigenvalues of a symmetric matrix, from the smallest on.

    >>> import graphc as gc
    >>> float(gc.evaluate(gc.linalg.eigvalsh(gc.constant([[2.0, 1.0], [1.0, 2.0]])), {})[1])
    3.0
    """
    return eigh(x).eigenvalues


def __dir__() -> list[str]:
    """What the Tab key shows: the public names alone, not the rooms they come from."""
    return sorted(__all__)
