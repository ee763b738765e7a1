"""Sparse Jacobians and Hessians: exact patterns, few colours, the same numbers as the dense
ones."""

import sys

import numpy as np
import pytest

import graphc as gc
from graphc.sparse import colour_columns, colour_star

sparse = pytest.importorskip("scipy.sparse")

x, y = gc.input("x", ("n",)), gc.input("y", ("n",))
X = gc.input("X", ("n", 3))
k = gc.input("k", (4,), "int64")
RNG = np.random.default_rng(0)
N = 7
AT = {
    "x": RNG.normal(size=N),
    "y": RNG.normal(size=N),
    "X": RNG.normal(size=(N, 3)),
    "k": np.array([0, 2, 2, 5]),
}
p = gc.pad(x, 1)
grid = gc.pad(gc.reshape(gc.sin(X), (-1, 3)), ((1, 1), (1, 1)))

# v, by what, how many colours
TABLE = {
    "elementwise": (gc.sin(x) * y, x, 1),
    "tridiagonal": (gc.exp(-x) * (p[2:] - 2 * x + p[:-2]), x, 3),
    "five points of a grid": (
        grid[2:, 1:-1] + grid[:-2, 1:-1] + grid[1:-1, 2:] + grid[1:-1, :-2] - 4 * grid[1:-1, 1:-1],
        X,
        None,
    ),
    "sums of rows": (gc.sum(gc.sin(X), axis=1), X, 1),
    "softmax of rows": (gc.softmax(X), X, 3),
    "one dense row": (gc.concat([gc.sin(x), gc.sum(x**2)[None]]), x, None),
    "one dense column": (x * x[0], x, 2),
    "running sums": (gc.cumulative_sum(x), x, N),
    "running sums along rows": (gc.cumulative_sum(gc.sin(X), axis=1), X, 3),
    "in order": (gc.sort(x), x, N),
    "rows in order": (gc.sort(gc.sin(X)), X, 3),
    "reversed": (gc.flip(x) * x, x, 2),
    "strided": (x[::2] * 3.0, x, 1),
    "joined": (gc.concat([x[2:], x[:2] * y[:2]]), x, 1),
    "taken at known places": (gc.sin(gc.take(x, [0, 2, 2, 5])), x, 1),
    "taken at unknown places": (gc.sin(gc.take(x, k)), x, 4),
    "scattered": (
        gc.scatter_add(gc.zeros("n"), np.array([1, 1, 3]), gc.sin(gc.take(x, [0, 1, 5]))),
        x,
        1,
    ),
    "a product with a constant": (X @ gc.constant(np.ones((3, 2))), X, 2),
    "an outer product": (gc.einsum("i,j->ij", x, y), x, 1),
    "a diagonal": (gc.diagonal(gc.outer(x, y)), x, 1),
    "nothing": (gc.sin(y) + 0 * gc.floor(x), x, 0),
}
every_row = pytest.mark.parametrize("row", TABLE)


def inputs(f):
    return {v.name: AT[v.name] for v in f.inputs}


@every_row
@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_a_sparse_jacobian_is_the_dense_one(row, mode):
    """Whichever side is compressed; every element, none more than the pattern has."""
    v, wrt, count = TABLE[row]
    if row == "nothing":
        with pytest.raises(gc.Disconnected):  # as gc.jacobian says
            gc.sparse_jacobian(v, wrt, mode)
        return
    f = gc.sparse_jacobian(v, wrt, mode)
    matrix = f(**inputs(f))
    dense = gc.evaluate(gc.jacobian(v, wrt), {u: AT[u.name] for u in f.inputs})
    np.testing.assert_allclose(
        matrix.toarray(), dense.reshape(matrix.shape), rtol=1e-13, atol=1e-15
    )
    if mode == "auto" and count is not None:
        assert f.colours(**inputs(f)) <= count


@every_row
def test_a_pattern_holds_every_element_that_is_not_zero(row):
    """And no more than a formula says, where the structure is known."""
    v, wrt, _ = TABLE[row]
    pattern = gc.sparsity(v, wrt)
    matrix = pattern.matrix(n=N).toarray()
    dense = gc.evaluate(
        gc.jacobian(v, wrt, disconnected="zero"), {u: AT[u.name] for u in (x, y, X, k)}
    )
    assert (matrix | (dense.reshape(matrix.shape) == 0)).all()
    bound = pattern.elements
    bound = bound if isinstance(bound, int) else bound.subs({gc.dim("n"): N})
    assert np.count_nonzero(dense) <= bound


def test_the_pattern_of_a_tridiagonal_jacobian_is_a_formula():
    """3n - 2, from the graph alone."""
    v, wrt, _ = TABLE["tridiagonal"]
    assert 3 * gc.dim("n") - 2 == gc.sparsity(v, wrt).elements
    assert 3 * N - 2 == gc.sparsity(v, wrt).matrix(n=N).nnz
    assert "<sparsity: 3*n - 2 of n**2>" == repr(gc.sparsity(v, wrt))


def test_a_tridiagonal_jacobian_of_100000_rows_takes_three_colours():
    """And is exact, all 299,998 elements of it."""
    v, wrt, _ = TABLE["tridiagonal"]
    n = 100_000
    at = np.linspace(-1, 1, n)
    f = gc.sparse_jacobian(v, wrt)
    matrix = f(at)
    e, far = np.exp(-at), np.concatenate([[0], at, [0]])
    laplace = far[2:] - 2 * at + far[:-2]
    expected = sparse.diags_array([e[1:], -e * laplace - 2 * e, e[:-1]], offsets=[-1, 0, 1])
    assert (3, 3 * n - 2) == (f.colours(at), matrix.nnz)
    assert abs(matrix - expected).max() <= 1e-15


HESSIANS = {
    "separable": (gc.sum(gc.exp(x)), x, 1),
    "a chain": (gc.sum(x[1:] ** 2 * x[:-1]), x, 3),
    "an arrow": (gc.sum(x) * x[0] ** 2 + gc.sum(x**3), x, 2),
    "rows": (gc.sum(gc.prod(X, axis=1)), X, 3),
    "rosenbrock": (gc.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), x, 3),
    "dense": (gc.prod(x), x, N),
    "linear": (gc.sum(X[:, 0] * x), X, 0),  # was told to be disconnected
    "of what it does not depend on": (gc.sum(gc.sin(y)), x, 0),
}


@pytest.mark.parametrize("row", HESSIANS)
def test_a_sparse_hessian_is_the_dense_one(row):
    """Star colouring: an arrow takes 2 derivatives, where a column colouring takes n."""
    z, wrt, count = HESSIANS[row]
    f = gc.sparse_hessian(z, wrt)
    matrix = f(**inputs(f))
    dense = gc.evaluate(gc.hessian(z, wrt), {u: AT[u.name] for u in f.inputs})
    np.testing.assert_allclose(
        matrix.toarray(), dense.reshape(matrix.shape), rtol=1e-12, atol=1e-14
    )
    assert f.colours(**inputs(f)) <= count


@pytest.mark.parametrize("seed", range(20))
def test_colours_of_random_patterns_are_proper(seed):
    """Columns: no row meets a colour twice. Stars: each element or its mirror image is alone."""
    pattern = sparse.random_array((15, 12), density=0.2, rng=np.random.default_rng(seed))
    pattern = (pattern != 0).tocsr()
    colours = colour_columns(pattern)
    for row in pattern.toarray():
        assert len(set(colours[row])) == row.sum()
    square = sparse.random_array((15, 15), density=0.12, rng=np.random.default_rng(seed)) != 0
    square = (square + square.T + sparse.eye_array(15, dtype=bool)).tocsr()
    colours, filled = colour_star(square), square.toarray()
    for i, j in zip(*np.nonzero(filled), strict=True):
        ways = [(i, j), (j, i)]
        assert any((filled[r] & (colours == colours[c])).sum() == 1 for r, c in ways)


def test_wrong_arguments_are_refused_by_name():
    """As a compiled function refuses them, before they are used."""
    v, a = gc.input("v", ("n",)), gc.input("a")
    f = gc.sparse_jacobian(a * v**2, v)
    assert "<sparse Jacobian of multiply by v: a function of v, a>" == repr(f)
    for arguments, named, message in (
        ((2.0, np.ones(3)), {}, "v needs 1 axis, and has shape ()"),
        ((np.ones(3),), {}, "jacobian needs a: jacobian(v: f64[n], a: f64[])"),
        ((np.ones(3), 1.0, 2.0), {}, "jacobian takes 2 arguments, and was given 3"),
        ((np.ones(3),), {"b": 1.0}, "jacobian has no input b: jacobian(v: f64[n], a: f64[])"),
        ((np.ones(3),), {"v": 1.0}, "jacobian was given v twice"),
        ((np.ones(3), "x"), {}, "a needs float64, and this str holds <U1, not numbers"),
    ):
        with pytest.raises(gc.GraphcError) as caught:
            f(*arguments, **named)
        assert message == caught.value.sentence


def test_without_scipy_the_error_tells_what_to_install(monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(gc.ArgumentError, match=r"pip install 'graphc\[special\]'"):
        gc.sparse_jacobian(x**2, x)(np.ones(3))


def test_the_sizes_of_a_pattern_must_be_given():
    """By name, or in a mapping."""
    with pytest.raises(gc.MissingInput, match="the pattern depends on n"):
        gc.sparsity(gc.sin(x), x).matrix()
    assert 2 == gc.sparsity(gc.sin(x), x).matrix({"n": 2}).nnz
