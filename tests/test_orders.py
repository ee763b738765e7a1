"""Gradients of gradients of gradients, against mpmath at 50 digits."""

import itertools

import mpmath
import numpy as np
import pytest

import graphc as gc

RTOL = 1e-8


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(50):
        yield


def derived(z, wrt):
    """z differentiated by each of wrt in turn; of a vector, the sum of the gradient's elements."""
    for x in wrt:
        z = gc.sum(gc.grad(z, x, disconnected="zero"))
    return z


def number(node, values):
    want = gc.evaluate(node, values)
    got = gc.compile(node, inputs=list(values), simplify=False)(*map(np.asarray, values.values()))
    assert np.asarray(want).tobytes() == np.asarray(got).tobytes()
    return float(got)


def close(want, got):
    return abs(want - got) <= RTOL * max(abs(want), mpmath.mpf(10) ** -12)


FUNCTIONS = {
    "tanh": (gc.tanh, mpmath.tanh, [-3.0, -0.7, 0.0, 0.25, 2.0]),
    "sigmoid": (gc.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), [-30.0, -2.0, 0.0, 1.5, 4.0]),
    "softplus": (
        gc.softplus,
        lambda x: mpmath.log(1 + mpmath.exp(x)),
        [-40.0, -3.0, 0.0, 0.5, 4.0],
    ),
    "exp(sin)": (lambda x: gc.exp(gc.sin(x)), lambda x: mpmath.exp(mpmath.sin(x)), [-1.0, 9.0]),
    "sqrt": (gc.sqrt, mpmath.sqrt, [0.01, 1.0, 50.0]),
    "1/x": (gc.reciprocal, lambda x: 1 / x, [-2.0, 0.1, 3.0]),
    "x**3": (lambda x: x**3, lambda x: x**3, [-2.0, 0.0, 1.5]),
    "x**2.5": (lambda x: x**2.5, lambda x: x ** mpmath.mpf("2.5"), [0.1, 1.0, 7.0]),
    "x*tanh(x)**2": (
        lambda x: x * gc.tanh(x) ** 2,
        lambda x: x * mpmath.tanh(x) ** 2,
        [-1.0, 0.0, 0.6],
    ),
    "log1p(x*x)": (lambda x: gc.log1p(x * x), lambda x: mpmath.log(1 + x * x), [-2.0, 0.0, 0.5]),
    "erf": (gc.erf, mpmath.erf, [-3.0, 0.0, 0.5, 9.0]),
    "erfc": (gc.erfc, mpmath.erfc, [-9.0, 0.0, 0.5, 20.0]),
    "log_ndtr": (
        gc.log_ndtr,
        lambda x: mpmath.log(mpmath.erfc(-x / mpmath.sqrt(2)) / 2),
        [-9.0, -0.5, 0.5, 3.0],
    ),
    "gelu": (gc.gelu, lambda x: x * mpmath.ncdf(x), [-12.0, -0.5, 0.0, 2.5]),
}


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_one_variable(name, order):
    """Each order is the gradient of the graph that the order before has built."""
    function, truth, points = FUNCTIONS[name]
    x = gc.input("x")
    node = derived(function(x), [x] * order)
    for point in points:
        # Differentiated by the Taylor coefficients of a circle integral: exact to all digits.
        want = mpmath.diff(truth, mpmath.mpf(point), order)
        assert close(want, number(node, {x: point}))


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize(("name", "point"), [("tanh", 12.0), ("sigmoid", 30.0), ("softplus", 40.0)])
@pytest.mark.xfail(strict=True, reason="1 - result**2 and 1 - result cancel where they saturate")
def test_derivatives_keep_their_digits_where_the_function_saturates(name, point, order):
    """The derivative is tiny there, and no less a number for it."""
    function, truth, _ = FUNCTIONS[name]
    x = gc.input("x")
    got = number(derived(function(x), [x] * order), {x: point})
    assert close(mpmath.diff(truth, mpmath.mpf(point), order), got)


@pytest.mark.parametrize("wrt", ["".join(w) for w in itertools.product("xy", repeat=3)])
def test_third_derivatives_of_a_power_by_base_and_exponent(wrt):
    """x**y by x and y in every order: eight graphs, four numbers."""
    x, y = gc.input("x"), gc.input("y")
    node = derived(x**y, [x if c == "x" else y for c in wrt])
    for a, b in [(0.5, 2.0), (2.0, -1.5), (3.0, 0.25), (1.0, 3.0), (1.7, 5.5)]:
        counts = (wrt.count("x"), wrt.count("y"))
        want = mpmath.diff(lambda u, v: u**v, (mpmath.mpf(a), mpmath.mpf(b)), counts)
        assert close(want, number(node, {x: a, y: b}))


def exact_tensor(function, point, order):
    """All partial derivatives of an order, by mpmath."""
    point = [mpmath.mpf(float(p)) for p in point]
    result = np.empty((len(point),) * order, object)
    for index in itertools.product(range(len(point)), repeat=order):
        counts = tuple(index.count(i) for i in range(len(point)))
        result[index] = mpmath.diff(function, tuple(point), counts)
    return result


def assert_third_derivatives(z, x, function, point):
    """Every element of the third derivative: three gradients, of one element at a time."""
    want = exact_tensor(function, point.ravel(), 3)
    scale = max(abs(w) for w in want.ravel())
    first = gc.reshape(gc.grad(z, x), (-1,))
    for i in range(point.size):
        second = gc.reshape(gc.grad(first[i], x, disconnected="zero"), (-1,))
        for j in range(point.size):
            if x not in gc.Graph([second[j]]):
                got = np.zeros(point.size)
            else:
                third = gc.grad(second[j], x, disconnected="zero")
                got = np.ravel(gc.evaluate(third, {x: point}))
            for k in range(point.size):
                assert abs(want[i, j, k] - got[k]) <= RTOL * scale


def test_third_derivatives_of_logsumexp():
    """Every mixed partial derivative of three variables, far from and near to a tie."""
    x = gc.input("x", (3,))
    for point in ([0.1, -0.4, 0.3], [2.0, 2.0, -1.0], [0.0, 0.0, 0.0]):
        assert_third_derivatives(
            gc.logsumexp(x),
            x,
            lambda *a: mpmath.log(sum(map(mpmath.exp, a))),
            np.array(point),
        )


def test_third_derivatives_of_a_chain_of_matrix_products():
    """trace(M M M) is of degree three: its third derivative is constant and not zero."""
    x = gc.input("x", (2, 2))

    def truth(*a):
        m = mpmath.matrix(2, 2)
        m[0, 0], m[0, 1], m[1, 0], m[1, 1] = a
        cube = m * m * m
        return cube[0, 0] + cube[1, 1]

    point = np.array([[0.5, -1.0], [2.0, 0.25]])
    assert_third_derivatives(gc.einsum("ii->", x @ x @ x), x, truth, point)


def test_third_derivatives_through_products_and_tanh():
    """u' tanh(W tanh(W u)): what a network's curvature is made of."""
    x, w = gc.input("x", (2,)), np.array([[0.5, -1.0], [0.75, 0.25]])
    z = x @ gc.tanh(w @ gc.tanh(w @ x))

    def truth(a, b):
        def layer(u, v):
            return (
                mpmath.tanh(w[0, 0].item() * u + w[0, 1].item() * v),
                mpmath.tanh(w[1, 0].item() * u + w[1, 1].item() * v),
            )

        p, q = layer(*layer(a, b))
        return a * p + b * q

    assert_third_derivatives(z, x, truth, np.array([0.3, -0.8]))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_forward_over_reverse_gives_the_same_higher_derivatives(order):
    """A tangent of a gradient is the next order, whichever mode takes which step."""
    x = gc.input("x")
    z = gc.softplus(x) * gc.tanh(x)
    by_tangents, by_gradients = z, z
    for _ in range(order):
        by_tangents = gc.jvp(by_tangents, x, 1.0)
        by_gradients = gc.grad(by_gradients, x)
    for point in (-1.5, 0.0, 0.75):
        want = mpmath.diff(
            lambda t: mpmath.log(1 + mpmath.exp(t)) * mpmath.tanh(t), mpmath.mpf(point), order
        )
        assert close(want, number(by_tangents, {x: point}))
        assert close(want, number(by_gradients, {x: point}))


GUARDED = {
    "sqrt": (lambda x: gc.where(x > 0, gc.sqrt(x), 0), mpmath.sqrt, 0.0),
    "log": (lambda x: gc.where(x > 0, gc.log(x), 0), mpmath.log, 0.0),
    "sinc": (lambda x: gc.where(x != 0, gc.sin(x) / x, 1), lambda x: mpmath.sin(x) / x, None),
}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", GUARDED)
def test_a_guarded_branch_is_right_around_its_edge_and_exactly_zero_beyond(name, order):
    """The branch not taken contributes 0, at every order, where its own derivative is infinite."""
    function, truth, beyond = GUARDED[name]
    x = gc.input("x")
    node = derived(function(x), [x] * order)
    for point in (0.5, 2.0):
        assert close(mpmath.diff(truth, mpmath.mpf(point), order), number(node, {x: point}))
    assert 0.0 == number(node, {x: 0.0})
    if beyond is not None:
        assert beyond == number(node, {x: -1.0})


def test_a_guarded_norm_is_flat_at_zero():
    """where(s > 0, sqrt(s), 0) with s = sum(x * x): no 0 * inf, in first and second order."""
    x = gc.input("x", (3,))
    s = gc.sum(x * x)
    gradient = gc.grad(gc.where(s > 0, gc.sqrt(s), 0), x)
    product = gc.hvp(gc.where(s > 0, gc.sqrt(s), 0), x, [1.0, 2.0, 3.0])
    zero, point = np.zeros(3), np.array([1.0, -2.0, 2.0])
    np.testing.assert_array_equal(zero, gc.evaluate(gradient, {x: zero}))
    np.testing.assert_array_equal(zero, gc.evaluate(product, {x: zero}))
    np.testing.assert_allclose(gc.evaluate(gradient, {x: point}), point / 3, rtol=1e-14)
    vector = np.array([1.0, 2.0, 3.0])
    want = vector / 3 - point * (point @ vector) / 27
    np.testing.assert_allclose(gc.evaluate(product, {x: point}), want, rtol=1e-13)
