"""Plain functions: traced, compiled on call, differentiated, mapped over examples; and what is
refused."""

import inspect
import math
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import graphc as gc
from graphc.ops.as_numpy.table import TABLE
from graphc.passes.cost import flops

RNG = np.random.default_rng(0)
A, B, C = RNG.normal(size=(4, 3)), RNG.normal(size=(3,)), RNG.normal(size=(4,))


# -- jit --------------------------------------------------------------------------------------


def test_a_program_is_made_for_each_kind_of_arguments_and_kept():
    """The function is called once for each: what it prints, it prints while it is traced."""
    calls = []

    @gc.jit
    def f(x, y):
        calls.append(x.shape)
        return np.sum(x * y)

    for _ in range(3):
        assert np.sum(A * B) == pytest.approx(f(A, B))
    assert np.sum(B * B) == pytest.approx(f(B, B))
    assert np.sum(A * B) == pytest.approx(f(A, y=B))
    f(A.astype("f4"), B.astype("f4"))
    assert [(4, 3), (3,), (4, 3), (4, 3)] == calls
    assert np.sum(A * B) == pytest.approx(f(A.tolist() and np.asfortranarray(A), B))
    assert 4 == len(calls)


def test_the_programs_kept_are_bounded():
    """A server that sees every length must not grow without end."""
    f = gc.jit(lambda x: np.sum(x), maxsize=3)
    for n in range(1, 20):
        assert n == f(np.ones(n))
    assert len(f._programs) <= 6


def test_sizes_can_be_left_open():
    """One program for all lengths; sizes that share a name must agree."""
    calls = []

    def f(x, w):
        calls.append(x.shape)
        return np.tanh(x @ w)

    g = gc.jit(f, dims={"x": ("n", "d"), "w": ("d",)})
    for n in (2, 5, 9):
        x = RNG.normal(size=(n, 3))
        np.testing.assert_allclose(g(x, B), np.tanh(x @ B), rtol=1e-13)
    assert [gc.dims("n d")] == calls
    with pytest.raises(gc.BindError, match="axis 0 of w has size 4"):
        g(A, C)


@dataclass(eq=False)
class Parameters:
    w: object


class Pair(NamedTuple):
    first: object
    second: object


def test_what_dims_does_not_name_keeps_its_sizes():
    """Of a dict one part may be open, and the other has a program for each of its sizes."""
    f = gc.jit(lambda p: np.sum(p["w"]) + np.sum(p["b"]), dims={"p": {"w": ("n",)}})
    assert 4.0 == f({"w": np.ones(2), "b": np.ones(2)})
    assert 7.0 == f({"w": np.ones(3), "b": np.ones(4)})
    program = f.compiled({"w": np.ones(3), "b": np.ones(4)})
    assert ["f64[n]", "f64[4]"] == [str(x.type) for x in program.graph.parameters]


def test_arguments_and_results_may_be_nested():
    """Tuples, lists, dicts and named tuples of arrays, both ways."""

    def f(parameters, pair):
        w, (b, c) = parameters["w"], parameters["rest"]
        return {"z": pair.first @ w + b, "pair": Pair(pair.second * c, [w])}

    given = {"w": B, "rest": (1.5, np.float64(2.0))}, Pair(A, C)
    expected, actual = f(*given), gc.jit(f)(*given)
    np.testing.assert_allclose(actual["z"], expected["z"], rtol=1e-14)
    assert type(actual["pair"]) is Pair
    np.testing.assert_array_equal(actual["pair"].first, expected["pair"].first)
    np.testing.assert_array_equal(actual["pair"].second[0], B)
    assert not np.shares_memory(actual["pair"].second[0], B)


def test_specs_may_be_nested():
    """As arguments may be: a named tuple of shapes makes one of inputs."""
    (pair, scale), z = gc.trace(lambda p, c: p.first @ p.second * c, Pair(("n",), ("n",)), 1.0)
    assert (Pair, "f64[]") == (type(pair), str(z.type))


def test_ints_strings_and_bools_are_part_of_the_program():
    """Loops and choices by them are Python's, and are gone in the program."""

    @gc.jit
    def f(x, n, how="sum", negate=False):
        for _ in range(n):
            x = x * 2
        x = np.sum(x) if how == "sum" else np.mean(x)
        return -x if negate else x

    assert 8 * B.sum() == pytest.approx(f(B, 3))
    assert 2 * B.mean() == pytest.approx(f(B, 1, how="mean"))
    assert -2 * B.sum() == pytest.approx(f(B, 1, negate=True))


def test_a_python_float_takes_the_precision_of_the_arrays():
    """As in NumPy: float32 times 0.1 stays float32. And another number needs no other program."""
    f = gc.jit(lambda x, by: x * by)
    assert np.float32 == f(B.astype("f4"), 0.1).dtype
    assert np.float64 == f(B, 0.1).dtype
    f(B, 0.2), f(B, 0.3)
    assert len(f._programs) == 2


def test_a_jitted_function_inside_another_is_traced_with_it():
    """No program calls another: there is one graph."""
    inner = gc.jit(lambda x: np.tanh(x) * 2)
    outer = gc.jit(lambda x: np.sum(inner(x) ** 2))
    assert np.sum((2 * np.tanh(B)) ** 2) == pytest.approx(outer(B))
    assert "np.tanh" in outer.compiled(B).source


def test_the_program_of_a_jitted_function_can_be_read():
    """It has the names of the function's parameters."""

    def scaled(x, weights):
        return x * np.sum(weights)

    source = gc.jit(scaled).compiled(B, {"a": C}["a"]).source
    assert "def scaled(x, weights):" in source


# -- derivatives ------------------------------------------------------------------------------


def test_the_gradient_has_the_form_of_the_argument():
    """Parameters are nested as people nest them."""

    def loss(p, x):
        return np.sum((np.tanh(x @ p["w"]) + p["rest"][0]) ** 2)

    p = {"w": B, "rest": [0.5]}
    value, slope = gc.value_and_grad(loss)(p, A)
    h = np.tanh(A @ B)
    np.testing.assert_allclose(slope["w"], A.T @ (2 * (h + 0.5) * (1 - h**2)), rtol=1e-12)
    assert 2 * np.sum(h + 0.5) == pytest.approx(slope["rest"][0])
    assert loss(p, A) == pytest.approx(value)


def test_several_arguments_give_a_tuple():
    """argnums=(0, 2), and counting from the end."""
    f = gc.grad_fn(lambda a, b, c: np.sum(a * b * c), argnums=(0, -1))
    for expected, actual in zip((B * B, B * B), f(B, B, B), strict=True):
        np.testing.assert_allclose(actual, expected)


COMPARISONS = {
    "of arguments": lambda a, b: np.where(a == b, 10.0, 20.0),
    "unequal": lambda a, b: np.where(a != b, a, b),
    "counted": lambda a, b: np.mean((a == b) * 1.0),
    "with its own largest": lambda a, b: a == a.max(),
    "with itself": lambda a, b: (a == a, a != a),
    "of conditions": lambda a, b: (a > 2) == (b > 2),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_in_a_plain_function_tensors_are_compared_by_value(name):
    """Between nodes of a graph `==` is identity; a function that NumPy runs means the elements."""
    function = COMPARISONS[name]
    a, b = np.array([1.0, 2.0, np.nan, 4.0]), np.array([1.0, 5.0, np.nan, 3.0])
    np.testing.assert_equal(gc.jit(function)(a, b), function(a, b))
    x, y = gc.input("compared", (4,)), gc.input("with it", (4,))
    assert (x == y) is False and (x != y) is True and x in [y, x]


def test_while_a_function_is_traced_nodes_are_still_found_in_mappings():
    """Mappings of Python's own ask `==` on graphc's behalf, and mean the node."""

    def joined(x):
        return np.sum(np.concatenate([x, x * 2, np.sin(x)]) ** 2)

    at = np.array([0.5, -1.0])
    value, slope = gc.value_and_grad(joined)(at)
    np.testing.assert_allclose(value, joined(at))
    np.testing.assert_allclose(slope, 10 * at + np.sin(2 * at))


def test_derivatives_of_derivatives():
    """grad_fn of grad_fn, the Hessian, and the Jacobian of the gradient agree."""

    def f(x):
        return np.prod(np.sin(x)) + np.sum(x**3)

    H = gc.hessian_fn(f)(B)
    np.testing.assert_allclose(H, gc.jacobian_fn(gc.grad_fn(f))(B), rtol=1e-12)
    rows = gc.vmap(lambda v: gc.grad_fn(lambda x: gc.grad_fn(f)(x) @ v)(B + 0 * v))(np.eye(3))
    np.testing.assert_allclose(H, rows, rtol=1e-12)
    third = gc.grad_fn(gc.grad_fn(gc.grad_fn(lambda x: x**4)))
    assert 24 * 0.5 == pytest.approx(third(0.5))


def test_only_the_argument_counts_not_the_same_node_elsewhere():
    """d/dx of x * y by x alone is y, also where y is x."""
    slope = gc.jit(lambda x: gc.grad_fn(lambda t: t * np.sin(x))(np.sin(x)))
    assert math.sin(0.7) == pytest.approx(slope(0.7))


# -- vmap -------------------------------------------------------------------------------------


@pytest.mark.parametrize("into", [0, 1, -1])
@pytest.mark.parametrize("axis", [0, 1, -2])
def test_any_axis_can_be_mapped_over_and_put_anywhere(axis, into):
    """in_axes and out_axes, against the loop."""

    def f(x, w):
        return np.cumsum(x, axis=0) * w + np.max(x)

    xs, w = RNG.normal(size=(2, 3, 2)), RNG.normal(size=(2, 2))
    w = w if np.moveaxis(xs, axis, 0)[0].shape == (2, 2) else RNG.normal(size=(3, 2))
    expected = np.stack([f(x, w) for x in np.moveaxis(xs, axis, 0)], axis=into)
    np.testing.assert_allclose(gc.vmap(f, (axis, None), into)(xs, w), expected, rtol=1e-14)


def test_vmap_nests():
    """All pairs of rows: one map inside another, no loop."""
    pairs = gc.vmap(lambda x: gc.vmap(lambda y: np.linalg.norm(x - y))(A))(A)
    expected = np.linalg.norm(A[:, None] - A[None], axis=-1)
    np.testing.assert_allclose(pairs, expected, rtol=1e-13)


def test_vmap_of_nested_arguments():
    """An axis for each part of the form."""

    def f(p, x):
        return {"z": p["w"] @ x + p["b"]}

    p = {"w": RNG.normal(size=(5, 3)), "b": 1.0}
    found = gc.vmap(f, in_axes=({"w": 0, "b": None}, None))(p, B)
    np.testing.assert_allclose(found["z"], p["w"] @ B + 1.0, rtol=1e-14)


def network(p, x, t):
    h = np.tanh(x @ p["W"] + p["a"])
    z = h @ p["V"] + p["b"]
    top = np.max(z)
    return np.log(np.sum(np.exp(z - top))) + top - z @ t


def problem(batch, sizes):
    n, m, k = sizes
    p = {
        "W": 0.1 * RNG.normal(size=(n, m)),
        "a": np.zeros(m),
        "V": 0.1 * RNG.normal(size=(m, k)),
        "b": np.zeros(k),
    }
    return p, RNG.normal(size=(batch, n)), np.eye(k)[RNG.integers(0, k, batch)]


def test_gradients_of_each_example():
    """vmap of grad; their mean is the gradient of the mean, by the grad of vmap."""
    p, X, T = problem(6, (7, 5, 3))
    each = gc.vmap(gc.grad_fn(network), in_axes=(None, 0, 0))(p, X, T)
    mean = gc.grad_fn(lambda p, X, T: np.mean(gc.vmap(network, (None, 0, 0))(p, X, T)))(p, X, T)
    for k in range(6):
        one = gc.grad_fn(network)(p, X[k], T[k])
        for key in p:
            np.testing.assert_allclose(each[key][k], one[key], rtol=1e-11, atol=1e-15)
    for key in p:
        np.testing.assert_allclose(each[key].mean(axis=0), mean[key], rtol=1e-10, atol=1e-15)


def test_gradients_of_each_example_take_no_more_work_than_three_gradients_of_the_batch():
    """784-256-10 at batch 64, counted in flops: one outer product for each weight and example."""
    p, X, T = problem(64, (784, 256, 10))
    each = gc.vmap(gc.grad_fn(network), in_axes=(None, 0, 0)).compiled(p, X, T)
    batch = gc.grad_fn(lambda p, X, T: np.mean(gc.vmap(network, (None, 0, 0))(p, X, T)))
    assert flops(each.graph) <= 3 * flops(batch.compiled(p, X, T).graph)
    body = each.source.partition("\ndef network(")[2].partition("\ndef ")[0]
    assert "return" in body and "for " not in body


# -- the array API ----------------------------------------------------------------------------


def test_a_function_for_the_array_api_is_traced_through_its_namespace():
    """`xp = x.__array_namespace__()`, as the standard says."""

    def f(x):
        xp = x.__array_namespace__()
        y = xp.concat([xp.sum(x, axis=0, keepdims=True), xp.asarray([[1.0, 2.0, 3.0]])], axis=0)
        z = xp.astype(xp.matmul(y, xp.matrix_transpose(y)), xp.float64)
        parts = xp.unstack(xp.permute_dims(z, (1, 0)))
        return xp.stack(parts) + xp.linalg.trace(z) * xp.pi + xp.linalg.vector_norm(x)

    x = gc.input("x", (4, 3))
    np.testing.assert_allclose(gc.evaluate(f(x), {x: A}), f(A), rtol=1e-13)


def test_the_namespace_names_what_it_does_not_have():
    """With the nearest."""
    xp = gc.input("x", (3,)).__array_namespace__()
    with pytest.raises(AttributeError, match="has no cumulativesum; did you mean cumulative_sum"):
        xp.cumulativesum  # noqa: B018
    assert "matmul" in dir(xp) and "2023.12" == xp.__array_api_version__


# -- NumPy's functions ------------------------------------------------------------------------

M = RNG.uniform(0.5, 2.0, size=(3, 3))
CALLS = {
    "amax": lambda x: np.amax(x, axis=1),
    "any": lambda x: np.any(x > 1, axis=0),
    "all": lambda x: x.all(),
    "append": lambda x: np.append(x, x[:1], axis=0),
    "atleast_3d": lambda x: np.atleast_3d(x[0]),
    "average": lambda x: np.average(x, axis=0),
    "array_split": lambda x: np.array_split(x, 2)[1],
    "argmax": lambda x: np.argmax(x, axis=1, keepdims=True),
    "argmax of all": lambda x: x.argmax(),
    "argmin": lambda x: x.argmin(axis=0),
    "argsort": lambda x: x.argsort(axis=0),
    "argsort of all": lambda x: np.argsort(x, axis=None, kind="stable"),
    "around": lambda x: np.around(x, 1),
    "astype": lambda x: x.astype(np.float32),
    "block by stacks": lambda x: np.vstack([x, x[0]]),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, x[0])[1] * x,
    "cbrt": lambda x: np.cbrt(x),
    "clip": lambda x: x.clip(0.7, 1.2),
    "column_stack": lambda x: np.column_stack([x[0], x]),
    "copysign": lambda x: np.copysign(x, x - 1),
    "count_nonzero": lambda x: np.count_nonzero(x > 1),
    "cumprod": lambda x: np.cumprod(x),
    "cumsum": lambda x: x.cumsum(axis=1),
    "deg2rad": lambda x: np.deg2rad(x),
    "diag": lambda x: np.diag(x),
    "diag of a vector": lambda x: np.diag(x[0], k=1),
    "diag below": lambda x: np.diag(x[0], k=-2),
    "diagonal": lambda x: x.diagonal(1),
    "diff": lambda x: np.diff(x, n=2, axis=0),
    "dot": lambda x: x.dot(x[0]),
    "dstack": lambda x: np.dstack([x, x]),
    "exp2": lambda x: np.exp2(x),
    "expand_dims": lambda x: np.expand_dims(x, (0, 2)),
    "fix": lambda x: np.fix(3 * x),
    "flip": lambda x: np.flip(x),
    "fliplr": lambda x: np.fliplr(x),
    "float_power": lambda x: np.float_power(x, 2),
    "floor_divide": lambda x: np.floor_divide(x, 0.3),
    "fmod": lambda x: np.fmod(x, 0.3),
    "full_like": lambda x: np.full_like(x, 2.0),
    "gradient": lambda x: np.gradient(x, axis=0),
    "heaviside": lambda x: np.heaviside(x - 1, 0.5),
    "hstack": lambda x: np.hstack([x, x]),
    "hsplit": lambda x: np.hsplit(x, [1])[1],
    "inner": lambda x: np.inner(x, x),
    "isclose": lambda x: np.isclose(x, 1.0, atol=0.3),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x, axis=0),
    "logaddexp2": lambda x: np.logaddexp2(x, 1.0),
    "linalg.norm 1": lambda x: np.linalg.norm(x[0], 1),
    "linalg.norm inf": lambda x: np.linalg.norm(x[0], np.inf),
    "matrix_norm": lambda x: np.linalg.matrix_norm(x),
    "maximum.reduce": lambda x: np.maximum.reduce(x),
    "meshgrid": lambda x: np.meshgrid(x[0], x[1, :2])[0],
    "minimum": lambda x: np.minimum(x, 1.0),
    "moveaxis": lambda x: np.moveaxis(x[None], 0, 2),
    "multi_dot": lambda x: np.linalg.multi_dot([x, x, x]),
    "multiply.outer": lambda x: np.multiply.outer(x, x[0]),
    "nan_to_num": lambda x: np.nan_to_num(x / (x - x)),
    "outer": lambda x: np.outer(x, x[0]),
    "pad": lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=3.0),
    "ptp": lambda x: np.ptp(x, axis=1),
    "ravel": lambda x: x.ravel(),
    "remainder": lambda x: np.remainder(-x, 0.3),
    "repeat": lambda x: x.repeat(2, axis=0),
    "reshape": lambda x: x.reshape(9, -1),
    "roll": lambda x: np.roll(x, (1, -1), axis=(0, 1)),
    "roll flat": lambda x: np.roll(x, 2),
    "rot90": lambda x: np.rot90(x),
    "select": lambda x: np.select([x < 0.8, x < 1.5], [x, x**2], 9.0),
    "sign": lambda x: np.sign(x - 1),
    "squeeze": lambda x: x[None].squeeze(),
    "std": lambda x: x.std(axis=0, ddof=1),
    "std corrected": lambda x: np.std(x, correction=1),
    "steps for each axis": lambda x: np.gradient(x, 0.5, 2.0)[1],
    "a dtype in its place": lambda x: np.sum(x, 0, np.float32),
    "a copy in its place": lambda x: np.nan_to_num(x, False, 1.0),
    "mean of ints": lambda x: np.mean(x.astype(int)) + np.mean(x > 1),
    "add.reduce in places": lambda x: np.add.reduce(x, 1, None, None, True),
    "sum of dtype": lambda x: np.sum(x, dtype=np.float32),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "take": lambda x: x.take([0, 5, 8]),
    "take rows": lambda x: np.take(x, np.array([2, 0]), axis=0),
    "tile": lambda x: np.tile(x, (2, 1, 2)),
    "trace": lambda x: x.trace(),
    "transpose": lambda x: x[None].transpose(1, 2, 0),
    "tril": lambda x: np.tril(x, -1),
    "triu": lambda x: np.triu(x),
    "unstack": lambda x: np.unstack(x)[1],
    "trapezoid along columns": lambda x: np.trapezoid(x[:, :2], x[:, 1:] ** 2, axis=0),
    "trapezoid of a square": lambda x: np.trapezoid(x[:2, :2], x[:2, 1:] ** 2, axis=0),
    "gradients in an order": lambda x: np.stack(np.gradient(x, 0.5, 2.0, axis=(1, 0))),
    "correlate with a longer one": lambda x: np.correlate(x[0], x.ravel()[:6], "same"),
    "vector_norm of a matrix": lambda x: np.linalg.vector_norm(x, axis=(0, 1), ord=3),
    "vector_norm that keeps axes": lambda x: np.linalg.vector_norm(x, keepdims=True),
    "vecdot": lambda x: np.vecdot(x, x),
    "vsplit": lambda x: np.vsplit(x, 3)[2],
    "where of ints": lambda x: np.where(np.array([1, 0, 2]), x, 0.0),
    "zeros_like": lambda x: np.zeros_like(x),
}


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")
@pytest.mark.parametrize("call", CALLS)
def test_a_numpy_function_of_a_node_is_that_of_the_array(call):
    """Shape, dtype and numbers."""
    x = gc.input("x", (3, 3))
    with np.errstate(all="ignore"):
        expected = np.asarray(CALLS[call](M))
    actual = np.asarray(gc.evaluate(CALLS[call](x), {x: M}))
    np.testing.assert_allclose(actual, expected, rtol=2e-6 if expected.dtype == "f4" else 1e-13)
    assert (expected.shape, expected.dtype) == (actual.shape, actual.dtype)


BOX, TABLE_OF = np.arange(24.0).reshape(2, 3, 4), np.arange(12.0).reshape(4, 3)
INDEXED = {
    "columns": lambda x: x[:, [2, 0, -1]],
    "several": lambda x: x[[0, 1], [2, -3]],
    "after an ellipsis": lambda x: x[..., [1, 2]],
    "apart": lambda x: x[[0, 1], :, [1, 3]],
    "apart from an int": lambda x: x[0, :, [1, 3]],
    "a mask": lambda x: x[np.array([True, False])],
    "a mask of all": lambda x: x[np.arange(24).reshape(2, 3, 4) % 5 == 0],
    "a mask between": lambda x: x[:, np.array([True, False, True])],
    "a new axis": lambda x: x[:, None, [1, 2]],
    "in two axes": lambda x: x[:, [[0, 1], [2, 0]], [1, 2]],
    "broadcast": lambda x: x[[[0], [1]], [0, 1, 2]],
    "ix_": lambda x: x[np.ix_([0, 1], [2, 0], [3, 1])],
    "triu_indices": lambda x: x[0][np.triu_indices(3)],
    "slices beside": lambda x: x[1:, [0, 1], ::2],
    "a mask and an int": lambda x: x[np.array([True, True]), 0],
    "none": lambda x: x[:, []],
}
LOOKED_UP = {
    "cross-entropy": lambda x, k: -np.mean((x - np.max(x, 1, keepdims=True))[np.arange(4), k]),
    "both": lambda x, k: x[k, k],
    "columns": lambda x, k: x[1:, k],
    "beside an int": lambda x, k: x[k, 1],
}


@pytest.mark.parametrize("call", INDEXED)
def test_arrays_index_a_tensor_as_they_do_an_array(call):
    """And a gradient goes to the places that were read, as often as they were."""
    f = INDEXED[call]
    np.testing.assert_array_equal(f(BOX), gc.jit(f)(BOX))
    count = np.zeros(24)
    np.add.at(count, f(np.arange(24).reshape(2, 3, 4)).ravel(), 1)
    np.testing.assert_array_equal(count.reshape(BOX.shape), gc.grad_fn(lambda x: f(x).sum())(BOX))


@pytest.mark.parametrize("call", LOOKED_UP)
def test_integer_tensors_index_beside_others(call):
    """Negative ones count from the end; what is outside in one axis reads no element of another."""
    f, k = LOOKED_UP[call], np.array([2, 0, 1, -1])
    for dims in (None, {"x": ("n", "m")} if call != "cross-entropy" else None):
        g = gc.jit(f, dims=dims)
        np.testing.assert_allclose(g(TABLE_OF, k), f(TABLE_OF, k), rtol=1e-14)
        for outside in (4, -5):
            with pytest.raises(IndexError):
                g(TABLE_OF, np.array([2, 0, 1, outside]))


COUNTS = np.array([[3, -100, 7], [5, 0, 127], [-128, 1, 90]], np.int8)
OF_INTEGERS = {
    "gradient": lambda x: np.gradient(x, axis=0),
    "norm": lambda x: np.linalg.norm(x, axis=1),
    "norm 1": lambda x: np.linalg.norm(x, 1, axis=1),
    "cov": lambda x: np.cov(x),
    "average": lambda x: np.average(x, axis=0, weights=np.float32([1, 2, 3])),
    "polyval": lambda x: np.polyval([3, 0, 100], x),
    "polyval by floats": lambda x: np.polyval([0.1, 3], x.astype(np.float32)),
    "vander": lambda x: np.vander(x[0], 4),
    "round": lambda x: np.round(x, 1),
    "round to hundreds": lambda x: np.round(x.astype(int), -2),
    "copysign": lambda x: np.copysign(x.astype(np.uint8), x.astype(int)),
    "copysign of floats": lambda x: np.copysign(x, x.astype(np.float32)),
    "fabs": lambda x: np.fabs(x.astype(int)),
    "rint": lambda x: np.rint(x.astype(int)),
    "modf": lambda x: np.modf(x.astype(int))[0],
    "nan_to_num": lambda x: np.nan_to_num(x),
    "fmod": lambda x: np.fmod(x, 3),
    "fmod of the least": lambda x: np.fmod(x, x[2:, :1]),
    "fmod by floats": lambda x: np.fmod(x, x.astype(int) + 0.3),
    "float_power": lambda x: np.float_power(x, 2),
    "float_power of a number": lambda x: np.float_power(2, x),
    "cbrt": lambda x: np.cbrt(x.astype(int) * 2**56),
}


@pytest.mark.parametrize("call", OF_INTEGERS)
def test_a_numpy_function_of_integers_converts_them_as_numpy_does(call):
    """Before it computes with them: what is small wraps around, and has no sign or no half."""
    expected = np.asarray(OF_INTEGERS[call](COUNTS))
    actual = np.asarray(gc.evaluate(OF_INTEGERS[call](gc.constant(COUNTS)), {}))
    np.testing.assert_allclose(actual, expected, rtol=1e-13)
    assert (expected.shape, expected.dtype) == (actual.shape, actual.dtype)


EDGES = np.array([1.0, np.nan, -np.inf, np.inf, -0.0, 0.0, -3.0, 1 + 1e-9])
WHOLE = np.array([7, -7, 0, 2**62 + 1])
AT_EDGES = {
    "fmax": lambda x: np.fmax(x, x[::-1] + 1),
    "fmin": lambda x: np.fmin(1.0, x),
    "copysign": lambda x: np.copysign(2.0, x),
    "signbit": lambda x: np.signbit(x) & ~np.isnan(x),
    "heaviside": lambda x: np.heaviside(x, 0.3),
    "isclose": lambda x: np.isclose(x, x[::-1]) | np.isclose(1.0, x),
    "isclose to itself": lambda x: np.isclose(x, x),
    "equal_nan": lambda x: np.isclose(x, x, equal_nan=True),
    "fmod": lambda x: np.fmod(x + 0.0, 0.7),
    "sinc": lambda x: np.sinc(x / 10),
    "modf": lambda x: np.abs(np.modf(x)[0]),
}
OPERATORS = {
    "//": lambda x: (x // 3, 3 // (x + 1), x // x[::-1]),
    "%": lambda x: (x % 3, 3 % (x + 1), -x % 2),
    "divmod": lambda x: (*divmod(x, 3), *divmod(3, x + 1)),
    "round": lambda x: (round(x[0] / 4, 1), round(x[0] / 4.0, -1)),
    "np.mod": lambda x: (np.mod(x, 3), np.fmod(x, 3), np.floor_divide(x, 3)),
}


@pytest.mark.parametrize("call", AT_EDGES)
def test_a_numpy_function_is_that_of_the_array_at_nan_infinity_and_minus_zero(call):
    """With the sign of zero."""
    with np.errstate(all="ignore"):
        expected, actual = AT_EDGES[call](EDGES), gc.jit(AT_EDGES[call])(EDGES)
    assert expected.dtype == actual.dtype
    np.testing.assert_allclose(actual, expected, rtol=1e-14)
    signs = (np.copysign(1.0, np.nan_to_num(1.0 * v)) for v in (actual, expected))
    np.testing.assert_array_equal(*signs)


def test_the_reciprocal_of_integers_is_refused():
    """NumPy's has no fractions, gc.reciprocal has: one of them was meant."""
    with pytest.raises(gc.DTypeError, match="is 0 for all but 1 and -1; write 1 / x"):
        gc.jit(np.reciprocal)(COUNTS)


@pytest.mark.parametrize("values", [WHOLE[:2], WHOLE[3:], A[0]], ids=["ints", "large", "floats"])
@pytest.mark.parametrize("call", OPERATORS)
def test_whole_parts_and_remainders_are_those_of_arrays(call, values):
    """Integers stay integers, exact beyond 2**53; the sign is that of the divisor."""
    expected, actual = OPERATORS[call](values), gc.jit(OPERATORS[call])(values)
    for one, other in zip(expected, actual, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other, one, rtol=1e-13, atol=1e-15)


def test_the_derivatives_of_sinc_are_right_at_and_near_0():
    """d^2/dx^2 at 0 is -pi^2/3, and the fourth derivative pi^4/5; no cancellation beside it."""
    first = gc.grad_fn(np.sinc)
    second = gc.grad_fn(first)
    fourth = gc.grad_fn(gc.grad_fn(second))
    assert -(math.pi**2) / 3 == pytest.approx(second(0.0), rel=1e-14)
    assert math.pi**4 / 5 == pytest.approx(fourth(0.0), rel=1e-14)
    for x in (1e-9, 1e-3, 0.1, 0.1591, 0.1592, 0.3):
        y = math.pi * x
        slope = sum((-(y**2)) ** k / y * 2 * k / math.factorial(2 * k + 1) for k in range(1, 20))
        assert math.pi * slope == pytest.approx(first(x), rel=1e-14)


NARROW = np.concatenate([[np.float32(1e8)], np.ones(1000, np.float32)])
WIDENED = {
    "sum": lambda x: np.sum(x, dtype=np.float64),
    "method": lambda x: x.sum(None, np.float64),
    "mean": lambda x: np.mean(x, dtype=np.float64),
    "var": lambda x: np.var(x, dtype=np.float64),
    "cumsum": lambda x: np.cumsum(x, dtype=np.float64)[-1],
    "prod": lambda x: np.prod(x[:5] * x[0], dtype=np.float64),
    "add.reduce": lambda x: np.add.reduce(x, 0, np.float64),
    "trace": lambda x: np.trace(np.outer(x, x[:3]), dtype=np.float64),
    "a ufunc": lambda x: np.add(x, x / 3, dtype=np.float64),
    "a ufunc of a number": lambda x: np.exp(x * 1e-7, dtype=np.float64),
    "a comparison": lambda x: np.greater(x, 2.5, dtype=bool),
    "concatenate": lambda x: np.concatenate([x, x / 3], dtype=np.float64),
}


@pytest.mark.parametrize("call", WIDENED)
def test_what_a_dtype_is_asked_of_is_computed_in_it(call):
    """NumPy converts the operands first: a float32 sum rounds at each step, a float64 one not."""
    expected, actual = WIDENED[call](NARROW), gc.jit(WIDENED[call])(NARROW)
    assert np.asarray(expected).dtype == np.asarray(actual).dtype
    np.testing.assert_allclose(actual, expected, rtol=1e-14)


def test_parameters_stand_where_numpy_has_them():
    """Else what is given by position means something else here: x.sum(0, np.float64)."""
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    different = {}
    for function, ours in TABLE.items():
        theirs = [
            [p.name for p in inspect.signature(f).parameters.values() if p.kind in by_place]
            for f in (ours, function)
        ]
        if function is not np.einsum and theirs[0] != theirs[1][: len(theirs[0])]:
            different[function] = theirs
    assert {} == different


# -- what is refused --------------------------------------------------------------------------


def written_into(x):
    out = np.zeros(3)
    out[0] = x[0]
    return out


def added_into(x):
    total = np.zeros(3)
    total += x
    return total


def assigned(x):
    x[0] = 1.0
    return x


REFUSED = {
    "if": (lambda x: 1.0 if x[0] > 0 else 2.0, "it has no truth value: choose with gc.where"),
    "while": (lambda x: [0 for _ in iter(lambda: bool(np.sum(x) > 1), False)], "no truth value"),
    "float": (lambda x: float(x[0]), "it has no float value: "),
    "math": (lambda x: math.exp(x[0]), "it has no float value: "),
    "digits": (lambda x: f"{x[0]:.3f}", "it has no digits to show as '.3f': keep it a tensor"),
    "item": (lambda x: np.sum(x).item(), "it has no item: "),
    "int": (lambda x: int(x[0]), "it has no int value: "),
    "range": (lambda x: list(range(x[0])), "it has no integer value: "),
    "an array of nodes": (lambda x: np.array([x[0], x[1]]), "it has no array: "),
    "assigned into": (assigned, "x cannot be assigned into: build a new tensor with gc.where"),
    "written into an array": (written_into, "build the result with np.stack"),
    "added into an array": (added_into, "np.add would write a symbolic tensor into an array"),
    "fill": (lambda x: x.fill(1.0), "x.fill() would change a tensor, and none can be"),
    "a mask": (
        lambda x: x[x > 0],
        "a mask selects a number of elements that only its values decide",
    ),
    "where alone": (lambda x: np.where(x > 0), "write np.where(condition, a, b)"),
    "out=": (lambda x: np.sum(x, out=np.zeros(())), "np.sum has no out= for symbolic tensors"),
    "linalg.lstsq": (lambda x: np.linalg.lstsq(np.eye(3), x), "np.linalg.lstsq has no form"),
    "sort in place": (lambda x: x.sort(), "returns, such as np.sort"),
    "partition": (lambda x: np.partition(x, 1), "the nearest is np.sort"),
    "nanmedian": (lambda x: np.nanmedian(x), "np.median, of np.where(np.isnan(x), 0, x) or"),
    "method": (lambda x: np.quantile(x, 0.5, method="lower"), "np.quantile"),
    "fft": (lambda x: np.fft.fft(x), "np.fft.fft has no form for symbolic tensors"),
    "nancumsum": (lambda x: np.nancumsum(x), "the nearest is np.cumsum"),
    "nextafter": (lambda x: np.nextafter(x, 1.0), "np.nextafter has no form for symbolic tensors"),
    "add.at": (lambda x: np.add.at(x, [0], 1.0), "the nearest is gc.scatter_add"),
    "linalg.svd": (lambda x: np.linalg.svd(x[:, None]), "compute it outside, and pass the result"),
    "isin": (lambda x: np.isin(x, [1.0]), "nearest that has one is np.any(x[..., None] == values"),
    "ldexp": (lambda x: np.ldexp(x, 2), "the nearest is x * 2.0**n"),
    "nanmax": (lambda x: np.nanmax(x), "np.max, of np.where(np.isnan(x), 0, x) or another number"),
    "insert": (lambda x: np.insert(x, 1, 2.0), "the nearest is np.concatenate"),
    "a mean": (lambda x: np.std(x, mean=0.0), "np.std has no mean= for symbolic tensors: it is"),
    "keepdims in the place of a dtype": (lambda x: x.sum(0, 2), "a dtype must be one that NumPy"),
    "keepdims in the place of out": (lambda x: np.max(x, 0, True), "too many positional arguments"),
    "a wrong argument": (lambda x: np.sum(x, axes=0), "unexpected keyword argument 'axes'"),
    "None": (lambda x: None, "a result of it is None"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_graph_cannot_hold_is_refused_at_the_users_line(case):
    """With what was asked, and what to write instead."""
    function, message = REFUSED[case]
    with pytest.raises((gc.GraphcError, TypeError)) as caught:
        gc.jit(function)(np.array([1.0, 2.0, 3.0]))
    assert message in str(caught.value)
    if isinstance(caught.value, gc.GraphcError) and case != "None":
        assert "test_trace.py" in str(caught.value)


NUMBERS_OF_SIZES = {
    "math.sqrt": lambda x: x / math.sqrt(x.shape[0]),
    "float": lambda x: x / float(x.shape[0] + 1),
    "zeros": lambda x: x + np.zeros(x.shape),
    "arange": lambda x: x + np.arange(x.shape[0]),
    "eye": lambda x: np.eye(x.shape[0]) @ x,
    "range": lambda x: sum(x[i] for i in range(x.shape[0])),
    "range of a formula": lambda x: sum(x[i] for i in range(x.shape[0] - 1)),
    "range of a part": lambda x: sum(x[i] for i in range(x[1:].shape[0])),
    "if": lambda x: x if x.shape[0] > 2 else -x,
    "if even": lambda x: x if x.shape[0] % 2 else -x,
    "max": lambda x: x * max(x.shape[0], 2),
}


@pytest.mark.parametrize("case", NUMBERS_OF_SIZES)
def test_a_size_that_is_open_is_no_number_and_the_error_says_what_to_write(case):
    """What Python, NumPy and sympy say of a Symbol is no help."""
    with pytest.raises(gc.GraphcError) as caught:
        gc.jit(NUMBERS_OF_SIZES[case], dims={"x": ("n",)})(B)
    said = caught.value.sentence
    assert "known only when the program runs" in said
    assert any(cure in said for cure in ("gc.sqrt(n", "gc.zeros(n", "gc.where(gc.size("))
    assert NUMBERS_OF_SIZES[case].__code__.co_firstlineno == caught.value.where.line


def test_what_is_said_of_an_open_size_can_be_written():
    """The advice works."""

    def f(x):
        n = x.shape[0]
        chosen = gc.where(gc.size(n) > 3, x / n**0.5, x / gc.sqrt(n))
        return chosen + gc.zeros(n) + gc.iota(n)

    np.testing.assert_allclose(gc.jit(f, dims={"x": ("n",)})(B), B / np.sqrt(3) + np.arange(3))


def test_a_list_of_numbers_is_named_where_an_array_was_meant():
    """`[1.0, 2.0]` is a structure of two arguments: what goes wrong then speaks of other things."""
    advice = "x was given as a list of 2 numbers, which is 2 arguments: pass np.array(x)"
    with pytest.raises(gc.ArgumentError, match=re.escape(f"'list' and 'int'; {advice}")):
        gc.grad_fn(lambda x: np.sum(x**2))([1.0, 2.0])
    with pytest.raises(gc.NotConcrete) as caught:
        gc.jit(lambda x: np.sum(x))([[1.0], [2.0]])
    assert [advice] == caught.value.__notes__


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gc.grad_fn(lambda x: x * 2)(B), "returns f64[3]: sum it, or use jacobian_fn"),
        (lambda: gc.grad_fn(lambda n: n * 1.0)(3), "n, an argument of <lambda>, is 3"),
        (
            lambda: gc.grad_fn(lambda p: p["a"] * 1.0)({"a": 1.0, "b": [None]}),
            "p_b_0, an argument of <lambda>, is None",
        ),
        (
            lambda: gc.jit(lambda p: p.w)(Parameters(B)),
            "p is a Parameters, which is no array: arguments are arrays and numbers, in tuples",
        ),
        (
            lambda: gc.value_and_grad(lambda x: (np.sum(x), x))(B),
            "returns several values: return the loss alone",
        ),
        (
            lambda: gc.grad_fn(lambda p: p[0] * 1.0)((1.0, 2.0)),
            'does not depend on p_1; disconnected="zero" gives zeros',
        ),
        (
            lambda: gc.grad_fn(lambda x: x, argnums=2)(1.0),
            "argnums= is 2, and was given 1 argument",
        ),
        (
            lambda: gc.vmap(lambda x, y: x, (0,))(B, B),
            "in_axes names 1 argument, and was given 2",
        ),
        (lambda: gc.vmap(lambda x, y: x + y)(B, C), "batches need one size, and 3 is not 4"),
        (
            lambda: gc.jit(lambda x: x, dims={"z": ("n",)})(B),
            "dims= names z, and the arguments are x",
        ),
        (
            lambda: gc.trace(gc.input("x", (2, 2))),
            "the sum of the diagonal of a tensor is x.trace()",
        ),
        (lambda: gc.jit(3.0), "jit takes a function, not a float"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    """With what was needed and what came."""
    with pytest.raises(gc.GraphcError) as caught:
        call()
    assert message in caught.value.sentence
