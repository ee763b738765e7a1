"""Jacobians and Hessians: every number, from either side, and the structure that is found on the
way."""

import numpy as np
import pytest

import graphc as gc
from graphc.check import complex_step
from graphc.passes.cost import flops

N, D = 4, 3
W, U = gc.input("W", (N, D)), gc.input("U", (N, N))
x, b = gc.input("x", (D,)), gc.input("b", (N,))
X, k = gc.input("X", (5, D)), gc.input("k", (6,), "int64")
s = gc.input("s", ())
RNG = np.random.default_rng(0)
AT = {v: RNG.normal(size=v.shape) for v in (W, U, x, b, X, s)}
AT[k] = np.array([0, 2, -1, 4, 4, 1])
COLUMNS = gc.constant(np.array([[0, 1]] * 5))

# v, by what, what it is
TABLE = {
    "tanh(Wx + b) by b": (gc.tanh(W @ x + b), b, "diagonal"),
    "tanh(Wx + b) by x": (gc.tanh(W @ x + b), x, "dense"),
    "tanh(Wx + b) by W": (gc.tanh(W @ x + b), W, "block-diagonal"),
    "Wx + b by b": (W @ x + b, b, "identity"),
    "Wx by x": (W @ x, x, "dense"),
    "a vector by itself": (x, x, "identity"),
    "a matrix by itself": (X, X, "identity"),
    "minus x": (-x, x, "diagonal"),
    "a number by itself": (s, s, "dense"),
    "elementwise, a matrix": (gc.sin(X) * gc.exp(X), X, "diagonal"),
    "a sum of rows": (gc.sum(gc.sin(X), axis=1), X, "block-diagonal"),
    "softmax": (gc.softmax(x), x, "diagonal + low-rank"),
    "softmax of rows": (gc.softmax(X, -1), X, "block-diagonal"),
    "x times its sum": (x * gc.sum(x), x, "diagonal + low-rank"),
    "the sum, repeated": (gc.sum(x * x) * b, x, "low-rank"),
    "a scalar": (gc.sum(x * x), x, "dense"),
    "running sums": (gc.cumulative_sum(gc.sin(X), 0), X, "block-diagonal"),
    "running products": (gc.cumulative_prod(X, 1), X, "block-diagonal"),
    "products of rows": (gc.prod(X, axis=1), X, "block-diagonal"),
    "largest of columns": (gc.max(X, axis=0), X, "block-diagonal"),
    "norms of rows": (gc.norm(X, axis=1), X, "block-diagonal"),
    "deviations of columns": (gc.std(X, 0), X, "block-diagonal"),
    "logsumexp of rows": (gc.logsumexp(X, 1), X, "block-diagonal"),
    "rows in order": (gc.sort(gc.sin(X)), X, "dense"),
    "rows taken": (gc.take(gc.sin(X), k, 0), X, "block-diagonal"),
    "columns taken": (gc.take(gc.sin(X), COLUMNS[0], 1), X, "block-diagonal"),
    "elements gathered": (gc.take_along_axis(gc.sin(X), COLUMNS, 1), X, "dense"),
    "scattered": (gc.scatter_add(gc.zeros((7, D)), k[:5], gc.sin(X)), X, "block-diagonal"),
    "rows cut and turned": (gc.sin(X)[1:, ::-1], X, "sparse"),
    "one row": (gc.sin(X)[2], X, "sparse"),
    "flattened": (gc.reshape(gc.sin(X), (15,)), X, "dense"),
    "with an axis more": (gc.sin(gc.reshape(X, (5, D, 1))) * X[:, :, None], X, "diagonal"),
    "transposed": ((X * X).T, X, "diagonal"),
    "joined": (gc.concat([gc.sin(x), x * x, gc.sum(x)[None]]), x, "sparse"),
    "stacked": (gc.stack([gc.sin(x), x * x]), x, "sparse"),
    "padded": (gc.pad(x * x, 1), x, "sparse"),
    "differences": (x[1:] - x[:-1], x, "sparse"),
    "broadcast": (gc.broadcast_to(x * x, (2, D)), x, "block-diagonal"),
    "chosen": (gc.where(X > 0, X, X * X), X, "diagonal"),
    "a diagonal": (gc.diagonal(U) ** 2, U, "diagonal"),
    "on a diagonal": (gc.diagonal_matrix(gc.sin(x)), x, "diagonal"),
    "a trace": (gc.einsum("ii->", U @ U), U, "dense"),
    "a matrix squared": (U @ U, U, "block-diagonal"),
    "an outer product": (gc.outer(gc.sin(x), x), x, "block-diagonal"),
    "three factors": (gc.einsum("ij,jk,j->ik", W, X.T, x), x, "dense"),
    "two uses": (W @ gc.outer(x, x) @ gc.tanh(x), x, "dense"),
    "a constant matrix of rank 1": (gc.outer(b, x) @ x, x, "dense"),
    "float32": (gc.astype(gc.astype(x, "float32"), "float64") * x, x, "diagonal"),
}  # fmt: skip
every_row = pytest.mark.parametrize("row", TABLE)


@every_row
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_jacobian_is_that_of_the_complex_step(row, mode):
    """Either side, in the shape v.shape + x.shape, evaluated and compiled."""
    v, wrt, _ = TABLE[row]
    matrix = gc.jacobian(v, wrt, mode)
    expected = complex_step(v, wrt, AT)
    relative = 1e-6 if row == "float32" else 1e-12
    np.testing.assert_allclose(gc.evaluate(matrix, AT), expected, rtol=relative, atol=1e-14)
    f = gc.compile(matrix)
    given = {p.name: AT[p] for p in f.graph.parameters}
    np.testing.assert_allclose(f(**given), expected, rtol=relative, atol=1e-14)
    assert matrix.shape == (*v.shape, *wrt.shape)


@every_row
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_jacobian_has_a_jacobian(row, mode):
    """Second derivatives of a tensor: what structure was found is differentiated like anything
    else."""
    v, wrt, _ = TABLE[row]
    if row == "float32":
        pytest.skip("the step of 1e-200 does not survive float32")
    first = gc.jacobian(v, wrt)
    second = gc.jacobian(first, wrt, mode, disconnected="zero")
    expected = complex_step(first, wrt, AT)
    np.testing.assert_allclose(gc.evaluate(second, AT), expected, rtol=1e-10, atol=1e-13)


@every_row
def test_structure_says_what_a_jacobian_is(row):
    """A claim of zeros is kept by the numbers, and no more elements differ from 0 than it says."""
    v, wrt, kind = TABLE[row]
    matrix = gc.jacobian(v, wrt)
    found = gc.structure(matrix, rows=v.ndim)
    values = gc.evaluate(matrix, AT)
    assert kind == found.kind
    assert np.count_nonzero(values) <= found.elements
    if kind == "low-rank":
        assert np.linalg.matrix_rank(values) <= found.parts[0].rank


def products_with_an_identity(matrix):
    """The products of which a factor is an identity, however its axes are arranged."""
    identities, found = set(), []
    for v in gc.Graph([matrix]).nodes:
        if v.op.name == "eye" or (v.op.family == "layout" and identities & {*v.inputs}):
            identities.add(v)
        elif v.op.name in ("multiply", "einsum", "divide") and identities & {*v.inputs}:
            found.append(v)
    return found


@every_row
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_no_identity_is_multiplied(row, mode):
    """An identity that is the answer may be written down; nothing is ever multiplied by one."""
    v, wrt, _ = TABLE[row]
    assert [] == products_with_an_identity(gc.jacobian(v, wrt, mode))


def test_the_jacobian_of_a_product_is_the_matrix_itself():
    """Of `W @ x` by x it is W; of `u @ h` by u it is h: the same node, no work."""
    v = gc.input("v", (D,))
    assert gc.jacobian(W @ x, x) is W
    assert gc.jacobian(W @ x, x, "forward") is W
    assert gc.jacobian(v @ x, v) is x
    assert gc.jacobian(b @ W, b) is W.T


def test_the_jacobian_of_a_layer_by_its_bias_takes_n_operations():
    """O(n) work and memory, and the n x n result, written once."""
    n, d = gc.dims("n d")
    weights, point, bias = gc.input("W", (n, d)), gc.input("x", (d,)), gc.input("b", (n,))
    layer = gc.tanh(weights @ point + bias)
    matrix = gc.jacobian(layer, bias)
    square = [v for v in gc.Graph([matrix]).nodes if v.shape == (n, n)]
    assert [matrix] == square
    extra = (flops(gc.Graph([matrix])) - flops(gc.Graph([layer]))).plain
    assert extra.is_polynomial(n.plain) and extra.as_poly(n.plain).degree() == 1


def test_the_cheaper_side_is_taken_where_that_is_provable():
    """Fewer columns than rows for every size: forward. Else, or when nobody can know, reverse."""
    n, d = gc.dims("n d")
    y, z = gc.input("y", (n,)), gc.input("z", (n, d))
    assert "forward" == gc.jacobian_mode(gc.concat([y, gc.sin(y)]), y).name
    assert "reverse" == gc.jacobian_mode(gc.sum(z, axis=1), z).name
    assert "reverse" == gc.jacobian_mode(gc.input("a", (d,)), y).name
    assert "forward" == gc.jacobian_mode(z, gc.input("t", ())).name
    assert "n*d rows, and n columns" in str(gc.jacobian_mode(z, y)).replace("d*n", "n*d")


def test_several_nodes_give_nested_results_of_the_same_form():
    """Like grad: a dict for a dict, and within it a list for a list."""
    outputs = {"p": gc.tanh(W @ x + b), "q": gc.sum(x * x)}
    found = gc.jacobian(outputs, [x, (b,)], disconnected="zero")
    assert {"p", "q"} == set(found)
    assert [(N, D), (N, N)] == [found["p"][0].shape, found["p"][1][0].shape]
    assert [(D,), (N,)] == [found["q"][0].shape, found["q"][1][0].shape]
    assert "zero" == gc.structure(found["q"][1][0], rows=0).kind


def test_tangents_and_vectors_may_be_nested_as_the_nodes_are():
    """A tangent stands for each node, where a list of numbers is one tangent."""
    z, parts, t = gc.sum(gc.tanh(W @ x + b)), {"w": [W, {"x": x}], "b": (b,)}, [1.0, -1.0, 2.0]
    nested = {"w": [AT[W], {"x": t}], "b": (AT[b],)}
    flat = [W, x, b], [AT[W], t, AT[b]]
    assert gc.jvp(z, *flat) is gc.jvp(z, parts, nested)
    curved = gc.hvp(z, parts, nested)
    assert gc.hvp(z, *flat) == [curved["w"][0], curved["w"][1]["x"], curved["b"][0]]


def test_the_seed_of_a_table_may_be_a_number():
    """As a cotangent may."""
    z = gc.sum(gc.tanh(W @ x))
    assert gc.backprop(z, [x], seed=2.0)[x] is gc.vjp(z, x, 2.0)


def test_a_hessian_is_nested_and_symmetric():
    """Forward over reverse: blocks by pairs of nodes, in the form of wrt."""
    z = gc.sum(gc.tanh(W @ x + b) ** 2) + gc.prod(x)
    found = gc.hessian(z, {"x": x, "b": b})
    for i in ("x", "b"):
        for j in ("x", "b"):
            gradient = gc.grad(z, {"x": x, "b": b}[i])
            expected = complex_step(gradient, {"x": x, "b": b}[j], AT)
            np.testing.assert_allclose(
                gc.evaluate(found[i][j], AT), expected, rtol=1e-11, atol=1e-13
            )
    cross = gc.evaluate([found["x"]["b"], found["b"]["x"]], AT)
    np.testing.assert_allclose(cross[0], cross[1].T, rtol=1e-12)


def test_the_hessian_of_a_sum_of_functions_of_one_element_is_diagonal():
    """Newton's method on separable functions needs no matrix."""
    assert "diagonal" == gc.structure(gc.hessian(gc.sum(gc.exp(x) * x), x)).kind
    assert "zero" == gc.structure(gc.hessian(gc.sum(x), x)).kind


def test_a_jacobian_by_what_does_not_matter_is_an_error_or_zeros():
    """As for gradients."""
    with pytest.raises(gc.Disconnected, match="does not depend on b"):
        gc.jacobian(gc.sin(x), b)
    zeros = gc.jacobian(gc.sin(x), b, disconnected="zero")
    np.testing.assert_array_equal(np.zeros((D, N)), gc.evaluate(zeros, {x: AT[x], b: AT[b]}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((x, x, "sideways"), "mode= is 'auto', 'forward' or 'reverse', not 'sideways'"),
        ((k, x), "what is differentiated must be of floats, and k is i64[6]"),
        ((x, []), "there is nothing to differentiate by: the targets are empty"),
        ((3.0, x), "what is differentiated must be a node, and 3.0 is a float"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    """With what was needed and what came."""
    with pytest.raises(gc.GraphcError) as caught:
        gc.jacobian(*arguments)
    assert message == caught.value.sentence


# -- random chains ----------------------------------------------------------------------------


def grown(seed):
    """A tensor made from x by a random chain of ops that move, cut, join, sum and multiply."""
    rng = np.random.default_rng(seed)
    symbolic = bool(rng.integers(2))
    shape = tuple(int(d) for d in rng.choice([1, 2, 3], size=rng.integers(1, 3)))
    start = gc.input("x", tuple("nmk"[i] if symbolic and d > 1 else d for i, d in enumerate(shape)))
    alive = [start, gc.sin(start)]

    def pick():
        return alive[int(rng.integers(len(alive)))]

    def axis(v):
        return int(rng.integers(v.ndim))

    def cut(v):
        entries = []
        for d in v.shape:
            ways = [slice(None), slice(None, None, -1), slice(1, None), slice(None, -1)]
            ways += [0, -1] if isinstance(d, int) and d > 0 else []
            some = ways[int(rng.integers(len(ways)))]
            entries.append(some if rng.random() < 0.5 else slice(None))
        return v[tuple(entries)]

    def joined(v):
        k = axis(v)
        others = [u for u in alive if u.ndim == v.ndim]
        u = others[int(rng.integers(len(others)))]
        return gc.concat([v, u if all(a == b for i, (a, b) in enumerate(
            zip(u.shape, v.shape, strict=True)) if i != k) else v], k)  # fmt: skip

    def combined(v):
        u = pick()
        try:
            return v * u if rng.random() < 0.6 else v + u
        except gc.ShapeError:
            return v * gc.sum(u)

    def contracted(v):
        if v.ndim == 2 and v.shape[0] == v.shape[1]:
            return gc.einsum(["ii->i", "ii->", "ij,ij->j"][int(rng.integers(2))], v)
        if v.ndim == 2:
            return gc.einsum(*[("ij,ij->j", v, v), ("ij,kj->ik", v, v)][int(rng.integers(2))])
        return gc.einsum("i,j->ij", v, v) if v.ndim == 1 else gc.square(v)

    moves = [
        gc.sin, gc.square, cut, cut, joined, combined, combined, contracted,
        lambda v: gc.sum(v, axis=axis(v), keepdims=bool(rng.integers(2))),
        lambda v: gc.expand_dims(v, int(rng.integers(v.ndim + 1))) if v.ndim < 3 else v,
        lambda v: gc.transpose(v), lambda v: gc.reshape(v, (-1,)),
        lambda v: gc.pad(v, 1), lambda v: gc.cumulative_sum(v, axis(v)),
        lambda v: gc.where(v > 0.1, v, v * v), lambda v: gc.stack([v, gc.cos(v)], axis(v)),
        lambda v: gc.diagonal_matrix(v) if v.ndim < 3 else v,
    ]  # fmt: skip
    for _ in range(int(rng.integers(2, 7))):
        v = pick() if rng.random() < 0.4 else alive[-1]
        if v.ndim == 0:
            continue
        alive.append(moves[int(rng.integers(len(moves)))](v))
        alive = [v for v in alive if v.ndim <= 3]
    return alive[-1], start, {start: rng.normal(size=shape)}


@pytest.mark.parametrize("seed", range(60))
def test_random_chains_have_the_jacobians_of_the_complex_step(seed):
    """Both sides, and twice: what is tied, cut and put within zeros stays what it is."""
    v, wrt, at = grown(seed)
    if gc.evaluate(v, at).size * at[wrt].size ** 2 > 4000:
        pytest.skip("too large to differentiate numerically at once")
    expected = complex_step(v, wrt, at)
    for mode in ("forward", "reverse"):
        matrix = gc.jacobian(v, wrt, mode, disconnected="zero")
        np.testing.assert_allclose(gc.evaluate(matrix, at), expected, rtol=1e-11, atol=1e-12)
        again = gc.jacobian(matrix, wrt, mode, disconnected="zero")
        np.testing.assert_allclose(
            gc.evaluate(again, at), complex_step(matrix, wrt, at), rtol=1e-10, atol=1e-11
        )
    found = gc.structure(matrix, rows=v.ndim).elements
    sizes = dict(zip(wrt.shape, at[wrt].shape, strict=True))
    assert np.count_nonzero(expected) <= (found if isinstance(found, int) else found.subs(sizes))
