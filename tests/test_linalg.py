"""Linear algebra: NumPy's numbers, NumPy's errors, and gradients that exact arithmetic has too."""

import sys

import mpmath as mp
import numpy as np
import pytest

import graphc as gc
from graphc import linalg
from graphc.check import complex_step


def well(*shape, seed=0, dtype=float):
    """Matrices that are far from singular, and positive definite."""
    half = np.random.default_rng(seed).normal(size=shape)
    return (half @ half.swapaxes(-1, -2) + shape[-1] * np.eye(shape[-1])).astype(dtype)


def numbers(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape)


FUNCTIONS = {
    "inv": (linalg.inv, np.linalg.inv),
    "det": (linalg.det, np.linalg.det),
    "slogdet": (linalg.slogdet, np.linalg.slogdet),
    "cholesky": (linalg.cholesky, np.linalg.cholesky),
    "upper": (
        lambda x: linalg.cholesky(x, upper=True),
        lambda x: np.linalg.cholesky(x.swapaxes(-1, -2)).swapaxes(-1, -2),
    ),
    "eigh": (linalg.eigh, np.linalg.eigh),
    "eigvalsh": (linalg.eigvalsh, lambda x: np.linalg.eigh(x).eigenvalues),
    "solve": (
        lambda x: linalg.solve(x, x * 2.0 - 1),
        lambda x: np.linalg.solve(x, x * 2.0 - 1),
    ),
}
MATRICES = {
    "one": well(3, 3),
    "not symmetric": well(3, 3) + np.triu(np.ones((3, 3)), 1),
    "a number": well(1, 1),
    "no size": np.ones((0, 0)),
    "a stack": well(4, 3, 3),
    "an empty stack": np.ones((0, 3, 3)),
    "stacks of stacks": well(2, 1, 2, 2),
    "float32": well(3, 3, dtype=np.float32),
    "int64": well(3, 3, dtype=np.int64),
    "int32": well(2, 3, 3, dtype=np.int32),
    "bool": np.eye(3, dtype=bool),
}


@pytest.mark.parametrize("given", MATRICES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_are_those_of_numpy(name, given):
    """To the last bit, and with its dtype: the program calls the same functions."""
    ours, numpys = FUNCTIONS[name]
    value = MATRICES[given]
    sizes = ("k", "l", "n", "n")[-value.ndim :]
    for shape in (value.shape, sizes):
        x = gc.input("x", shape, value.dtype)
        made, expected = ours(x), numpys(value)
        for found in (gc.evaluate(made, {x: value}), gc.compile(made)(value)):
            if name in ("slogdet", "eigh"):
                assert found._fields == made._fields == expected._fields
            else:
                found, expected = (found,), (numpys(value),)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other, strict=True)


RIGHT_SIDES = {
    "a vector": ((3, 3), (3,)),
    "a matrix": ((3, 3), (3, 2)),
    "no column": ((3, 3), (3, 0)),
    "no row": ((0, 0), (0,)),
    "a vector for a stack": ((4, 3, 3), (3,)),
    "a matrix for a stack": ((4, 3, 3), (3, 2)),
    "a stack for a matrix": ((3, 3), (4, 3, 2)),
    "two stacks": ((4, 1, 3, 3), (2, 3, 2)),
}


@pytest.mark.parametrize("shapes", RIGHT_SIDES.values(), ids=RIGHT_SIDES.keys())
@pytest.mark.parametrize("dtypes", [("f8", "f8"), ("f4", "f4"), ("f4", "f8"), ("i8", "f4")])
def test_right_sides_are_those_of_numpy(shapes, dtypes):
    """One axis is a vector, more are matrices, whatever stands on the left; gradients fit."""
    a, b = well(*shapes[0]).astype(dtypes[0]), numbers(*shapes[1]).astype(dtypes[1])
    A, B = gc.input("A", a.shape, a.dtype), gc.input("B", b.shape, b.dtype)
    x = linalg.solve(A, B)
    expected = np.linalg.solve(a, b)
    np.testing.assert_array_equal(gc.evaluate(x, {A: a, B: b}), expected, strict=True)
    np.testing.assert_array_equal(gc.compile(x)(a, b), expected, strict=True)
    if dtypes == ("f8", "f8"):
        loss = gc.sum(gc.sin(x))
        for of, slope in zip((A, B), gc.evaluate(gc.grad(loss, [A, B]), {A: a, B: b}), strict=True):
            wanted = complex_step(loss, of, {A: a, B: b})
            np.testing.assert_allclose(slope, wanted, rtol=1e-11, atol=1e-13)


# A number for a matrix M, by mpmath and by graphc.
EXACT = {
    "solve": (
        lambda M: mp.fsum(mp.lu_solve(M, mp.matrix([1, 2, 3]))),
        lambda M: gc.sum(linalg.solve(M, [1.0, 2.0, 3.0])),
    ),
    "inv": (lambda M: (M**-1)[0, 2], lambda M: linalg.inv(M)[0, 2]),
    "det": (mp.det, linalg.det),
    "slogdet": (lambda M: mp.log(abs(mp.det(M))), lambda M: linalg.slogdet(M).logabsdet),
    "cholesky": (lambda M: mp.cholesky(M)[2, 1], lambda M: linalg.cholesky(M)[2, 1]),
    "eigvalsh": (
        lambda M: mp.eigsy(M, eigvals_only=True)[1], lambda M: linalg.eigvalsh(M)[1],
    ),
    "eigh": (
        lambda M: mp.eigsy(M)[1][0, 1] * mp.eigsy(M)[1][2, 1],  # whatever the vector's sign
        lambda M: linalg.eigh(M).eigenvectors[0, 1] * linalg.eigh(M).eigenvectors[2, 1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_derivatives_of_three_orders_are_exact(name):
    """Along a line of symmetric matrices, against mpmath's own algebra at 50 digits."""
    exactly, ours = EXACT[name]
    start, step = well(3, 3), numbers(3, 3) + numbers(3, 3).T
    t = gc.input("t", ())
    derivatives = [ours(start + t * step)]
    for _ in range(3):
        derivatives.append(gc.grad(derivatives[-1], t))
    found = gc.evaluate(derivatives, {t: 0.25})
    with mp.workdps(50):
        first, second = mp.matrix(start.tolist()), mp.matrix(step.tolist())
        wanted = [mp.diff(lambda x: exactly(first + x * second), 0.25, k) for k in range(4)]
    np.testing.assert_allclose(found, np.array(wanted, float), rtol=1e-9)
    np.testing.assert_allclose(gc.compile(derivatives)(0.25), np.array(wanted, float), rtol=1e-9)


def test_what_is_there_twice_is_decomposed_once():
    """A sign and a logarithm, values and vectors: in the program there is one call for both."""
    A = gc.input("A", ("n", "n"))
    f = gc.compile([*linalg.slogdet(A), *linalg.eigh(A), linalg.eigvalsh(A)])
    assert 1 == f.plain.count("np.linalg.slogdet(") == f.plain.count("= eigenvalues_first(")


def test_a_jacobian_decomposes_a_matrix_once():
    """Of one matrix the right sides of all rows are columns; vmap too solves once."""
    A, b, B = gc.input("A", ("n", "n")), gc.input("b", ("n",)), gc.input("B", ("k", "n"))
    f = gc.compile(gc.jacobian(linalg.solve(A, b), b))
    np.testing.assert_allclose(f(well(3, 3)), np.linalg.inv(well(3, 3)), rtol=1e-13)
    assert 1 == f.plain.count("np.linalg.")
    g = gc.compile(gc.vectorize(linalg.solve(A, b), {b: B}))
    assert 1 == g.plain.count("np.linalg.")
    expected = np.linalg.solve(well(3, 3), numbers(4, 3).T).T
    np.testing.assert_allclose(g(well(3, 3), numbers(4, 3)), expected, rtol=1e-13)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_mode_agrees(name):
    """gc.check holds four ways against each other; a Hessian and vmap give the same numbers."""
    ours, numpys = FUNCTIONS[name]
    A, stack = gc.input("A", (3, 3)), well(4, 3, 3)
    made = ours(A)
    v = made[0] * made[1] if name == "slogdet" else made[0] if name == "eigh" else made
    loss = gc.sum(gc.sin(v))
    report = gc.check(loss, A, at={A: stack[0]})
    assert report.ok and report.rows[0].verdict == "right"
    hessian = gc.hessian(loss, A)
    wanted = complex_step(gc.grad(loss, A), A, {A: stack[0]})
    np.testing.assert_allclose(gc.evaluate(hessian, {A: stack[0]}), wanted, rtol=1e-8, atol=1e-10)
    slope = gc.grad_fn(lambda x: total(ours(x)))
    expected = [slope(x) for x in stack]
    np.testing.assert_allclose(gc.vmap(slope)(stack), expected, rtol=1e-10, atol=1e-12)


def total(made):
    """Of the first of two results, or of the one."""
    return gc.sum(made[0] if isinstance(made, tuple) else made)


def test_equal_eigenvalues_have_the_gradient_of_their_sum():
    """What depends on all of them alike is smooth where they meet, and 0 / 0 is taken as 0."""
    A = gc.input("A", (3, 3))
    w = linalg.eigvalsh(A)
    slope = gc.grad(gc.sum(gc.exp(w)), A)
    expected = np.exp(2) * np.eye(3)
    np.testing.assert_allclose(gc.evaluate(slope, {A: 2 * np.eye(3)}), expected, rtol=1e-14)
    np.testing.assert_allclose(gc.compile(slope)(2 * np.eye(3)), expected, rtol=1e-14)


def test_a_guard_holds_through_a_solution():
    """0 * inf never reaches a gradient, as through products."""
    x = gc.input("x", (2,))
    y = linalg.solve([[2.0, 0.0], [0.0, 4.0]], gc.sqrt(x))
    slope = gc.grad(gc.sum(gc.where(y > 0, gc.log(y), 0)), x)
    np.testing.assert_array_equal(gc.evaluate(slope, {x: [0.0, 0.0]}), [0, 0])


SINGULAR = {
    "inv": (linalg.inv, "Singular matrix"),
    "solve": (lambda A: linalg.solve(A, gc.ones("n")), "Singular matrix"),
    "cholesky": (linalg.cholesky, "Matrix is not positive definite"),
    "gradient of det": (lambda A: gc.grad(linalg.det(A), A), "Singular matrix"),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_what_has_no_solution_raises_what_numpy_raises(name, tmp_path, monkeypatch):
    """Its LinAlgError: also from the program alone; beside graphc a note shows the user's line."""
    build, message = SINGULAR[name]
    A = gc.input("A", ("n", "n"))
    f = gc.compile(build(A), name="solved")
    zeros = np.zeros((2, 2))
    for run in (f, lambda v: gc.evaluate(build(A), {A: v})):
        with pytest.raises(np.linalg.LinAlgError, match=f"^{message}") as caught:
            run(zeros)
        (note,) = caught.value.__notes__
        assert "test_linalg.py:" in note and "A : f64[n, n]" in note
    f.save(tmp_path / "solved.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    import solved

    assert "graphc" not in vars(solved)
    with pytest.raises(np.linalg.LinAlgError, match=f"^{message}"):
        solved.solved(zeros)
    del sys.modules["solved"]


def test_determinants_of_singular_matrices_are_zero():
    """As in NumPy: 0, and the logarithm of 0."""
    A = gc.input("A", ("n", "n"))
    f = gc.compile([linalg.det(A), *linalg.slogdet(A)])
    assert [0, 0, -np.inf] == f([[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "solve"])
def test_nan_goes_through_as_in_numpy(name):
    """Nothing is raised, and nothing is hidden."""
    ours, numpys = FUNCTIONS[name]
    value = well(3, 3)
    value[1, 2] = np.nan
    A = gc.input("A", (3, 3))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(gc.compile(ours(A))(value), numpys(value))


def test_debug_finds_a_matrix_of_nan():
    """A matrix without any number is singular whatever one number stands in for them."""
    A, b = gc.input("A", ("n", "n")), gc.input("b", ("n",))
    f = gc.compile(linalg.solve(A, b))
    assert "the input A is NaN" in str(f.debug(np.full((2, 2), np.nan), np.ones(2)))


REFUSED = {
    "inv": (lambda A, v: linalg.inv(v), r"inv needs square matrices, and was given f64\[3\]"),
    "det": (lambda A, v: linalg.det(A[:2]), r"det needs square .* was given f64\[2, 3\]"),
    "rows": (lambda A, v: linalg.solve(A, v[:2]), "as many rows on both sides, and 3 is not 2"),
    "no axis": (lambda A, v: linalg.solve(A, v[0]), "solve needs a vector or matrices"),
    "stacks": (
        lambda A, v: linalg.solve(gc.ones((2, 3, 3)), gc.ones((4, 3, 1))),
        "solve needs stacks that broadcast, and 2 is not 4",
    ),
    "symbols": (
        lambda A, v: linalg.cholesky(gc.input("M", ("n", "m"))),
        r"cholesky needs square matrices, and was given f64\[n, m\]",
    ),
}


def test_text_is_no_truth_value():
    """`upper="lower"` was the upper triangle."""
    with pytest.raises(gc.ArgumentError, match="^upper= is True or False, not 'lower'"):
        linalg.cholesky(gc.input("A", (3, 3)), upper="lower")


@pytest.mark.parametrize("name", REFUSED)
def test_matrices_that_do_not_fit_are_refused_where_they_are_written(name):
    """Not when the program runs."""
    build, message = REFUSED[name]
    with pytest.raises(gc.ShapeError, match=message) as caught:
        build(gc.input("A", (3, 3)), gc.input("v", (3,)))
    assert "test_linalg.py" in str(caught.value)


ELSEWHERE = {
    "norm": ": it is called gc.norm",
    "matrix_power": " of its own: np.linalg.matrix_power takes its tensors",
    "svd": "; nothing is like it: compute it outside, and pass the result in as an argument",
    "trace": ": write x.trace()",  # gc.trace traces a function
    "cond": "; the nearest is np.linalg.norm",  # elsewhere cond is a branch
    "slodget": "; did you mean gc.linalg.slogdet?",
    "chol": "",
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_name_that_the_room_has_not_leads_somewhere(name):
    """As names of the package do; two of np.linalg mean something else in the package itself."""
    with pytest.raises(AttributeError) as caught:
        getattr(gc.linalg, name)
    assert f"gc.linalg has no {name}{ELSEWHERE[name]}" == str(caught.value)


READ = {
    "inverse": (lambda A, b: linalg.inv(A) @ b, "A^{-1} b", "A⁻¹ @ b"),
    "transposed": (lambda A, b: linalg.inv(A).T @ b, r"\left(A^{-1}\right)^{\top} b", None),
    "determinant": (lambda A, b: linalg.det(A), r"\det\left(A\right)", "det(A)"),
    "vectors": (
        lambda A, b: linalg.eigh(A)[1] @ b,
        r"{\operatorname{eigh}\left(A\right)}_{[1:]} b",
        None,
    ),
    "by elements": (lambda A, b: b**-2.0, "b^{-2}", "b⁻²"),
}


@pytest.mark.parametrize("name", READ)
def test_formulas_read_as_in_books(name):
    """An inverse is a power of the matrix: a power by elements has another sign in LaTeX."""
    build, latex, text = READ[name]
    made = build(gc.input("A", (2, 2)), gc.input("b", (2,)))
    assert latex is None or gc.latex(made) == latex
    assert text is None or str(gc.tree(made)).splitlines()[0] == text


# -- what people compute with it --------------------------------------------------------------


def log_density(x, mean, covariance):
    """A multivariate normal's, by the Cholesky factor."""
    L = np.linalg.cholesky(covariance)
    z = np.linalg.solve(L, x - mean)
    return -0.5 * z @ z - np.sum(np.log(np.diagonal(L))) - 0.5 * x.shape[0] * np.log(2 * np.pi)


def marginal_likelihood(X, y, length, noise):
    """Of a Gaussian process, by the determinant and a solution."""
    squares = np.sum((X[:, None] - X[None]) ** 2, axis=-1)
    K = np.exp(-0.5 * squares / length**2) + noise**2 * np.eye(5)
    return -0.5 * y @ np.linalg.solve(K, y) - 0.5 * np.linalg.slogdet(K)[1]


def weighted_residual(w, X, y):
    """What weighted least squares leave, where the weights are what is differentiated by."""
    beta = np.linalg.solve(X.T @ (w[:, None] * X), X.T @ (w * y))
    return np.sum((y - X @ beta) ** 2)


def kalman_step(F, P, H, z):
    """The state after a measurement, from covariances by way of an inverse."""
    x = F @ np.ones(3)
    P = F @ P @ F.T + 0.1 * np.eye(3)
    S = H @ P @ H.T + 0.2 * np.eye(2)
    gain = P @ H.T @ np.linalg.inv(S)
    return np.sum((x + gain @ (z - H @ x)) ** 2) + np.linalg.det(P - gain @ S @ gain.T)


def spectral(A):
    """A function of the eigenvalues, and one vector's elements."""
    w, v = np.linalg.eigh(A @ A.T)
    return np.sum(np.log(w)) + np.sum(v[:, -1] ** 4) + np.linalg.eigvalsh(A @ A.T, "U")[0]


MODELS = {
    "normal": (log_density, numbers(3), numbers(3, seed=2), well(3, 3)),
    "gaussian process": (marginal_likelihood, numbers(5, 2), numbers(5, seed=3), 0.7, 0.3),
    "weighted least squares": (weighted_residual, np.arange(1.0, 7), numbers(6, 2), numbers(6)),
    "kalman": (kalman_step, numbers(3, 3), well(3, 3), numbers(2, 3), numbers(2)),
    "spectral": (spectral, numbers(3, 3)),
    "powers": (lambda A: np.sum(np.linalg.matrix_power(A, -2)), well(3, 3)),
    "upper": (lambda A: np.sum(np.sin(np.linalg.cholesky(A, upper=True))), well(3, 3)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_written_with_numpy_has_its_value_and_its_gradient(name):
    """As it is: the same function computes the value, and moved by little its slopes."""
    function, *given = MODELS[name]
    value, slope = gc.value_and_grad(function)(*given)
    np.testing.assert_allclose(value, function(*given), rtol=1e-12)
    first = np.asarray(given[0])
    for k in np.ndindex(first.shape):
        step = np.zeros(first.shape)
        step[k] = 1e-6
        ends = [function(first + h, *given[1:]) for h in (step, -step)]
        np.testing.assert_allclose(slope[k], (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-7)


def test_weights_through_a_written_inverse_need_no_inverse():
    """inv(A) @ b is solved where the inverse is for that alone."""
    X, y = gc.input("X", ("n", "d")), gc.input("y", ("n",))
    f = gc.compile(linalg.inv(X.T @ X) @ (X.T @ y))
    assert "np.linalg.solve(" in f.plain and "np.linalg.inv(" not in f.plain
    expected = np.linalg.lstsq(numbers(6, 2), numbers(6), rcond=None)[0]
    np.testing.assert_allclose(f(numbers(6, 2), numbers(6)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "subscripts", ["ij,j,j->i", "ij,i,i->j", "ij,j,i->i", "ij,j->i", "ij,i->j"]
)
def test_a_product_with_an_inverse_keeps_all_its_factors(subscripts):
    """What stands there twice was left out once when the inverse became a solution."""
    A, b = gc.input("A", ("n", "n")), gc.input("b", ("n",))
    given = [well(3, 3), numbers(3)]
    others = subscripts.count(",")
    found = gc.compile(gc.einsum(subscripts, linalg.inv(A), *[b] * others))(*given)
    expected = np.einsum(subscripts, np.linalg.inv(given[0]), *given[1:] * others)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
