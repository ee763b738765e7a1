"""The plan: programs in tiles, threads and kept memory answer as the reference interpreter does.

Here every array counts as large and a tile is a few rows, so that small graphs take the same ways
as large ones.
"""

import _thread
import re
from types import SimpleNamespace

import numpy as np
import pytest
from answers import (
    all_is_large,
    arguments,
    assert_close,
    assert_same_bits,
    assert_threads_agree,
    compiled,
    kept_arrays,
    leaves,
    namespace,
    workspaces,
)
from test_random_graphs import Grower

import graphc as gc
from graphc import shapes

n, d, h = gc.dims("n d h")


@pytest.fixture(autouse=True)
def in_tiles(monkeypatch):
    all_is_large(monkeypatch, tile_bytes=100)


# -- graphs -----------------------------------------------------------------------------------

X = gc.input("X", (n, d))
y = gc.input("y", (n,))
w = gc.input("w", (d,))
W = gc.input("W", (d, h))
k = gc.input("k", (n,), dtype="int64")
single = gc.input("single", (n, d), dtype="float32")


def elementwise():
    loss = gc.sum(gc.tanh(X * w) * gc.exp(-(X**2)) + gc.log1p(y**2)[:, None])
    return [loss, *gc.grad(loss, [X, w, y])]


def softmax():
    p = gc.softmax(X @ W, axis=1)
    loss = -gc.mean(gc.sum(gc.one_hot(k, h) * gc.log(p), axis=1))
    return [loss, p, gc.grad(loss, W)]


def layer_norm():
    centred = X - gc.mean(X, axis=1, keepdims=True)
    out = centred / gc.sqrt(gc.mean(centred**2, axis=1, keepdims=True) + 1e-5) * w
    return [out, gc.grad(gc.sum(gc.sin(out)), X)]


def reductions():
    return [
        gc.sum(X, axis=0), gc.prod(X, axis=0, keepdims=True), gc.sum(X * X), gc.max(X, axis=1),
        gc.min(y), gc.any(X > 1), gc.all(X > -9, axis=0), gc.sum(X > 0, axis=0),
    ]  # fmt: skip


def layouts():
    tripled = gc.reshape(gc.concat([X, X * 2, X + y[:, None]], axis=1), (n, 3, d))
    return [
        gc.sum(tripled, axis=2), gc.permute_dims(tripled, (0, 2, 1)) * w[:, None], X[:, ::-1] + w,
        gc.cumulative_sum(X, axis=1) * X, gc.broadcast_to(w, (n, d)) + 1, X.T + 1,
        gc.broadcast_to(y[:, None], (n, d)),
    ]  # fmt: skip


def aliases():
    """Inputs, views of them and views of results, given back: all must be the caller's own."""
    t = gc.exp(X)
    return [X, X.T, t, t.T, gc.reshape(t, (n * d,)), t[:, 0], gc.sum(t), t + 0]


def kinds():
    return [single * 2 + X, gc.astype(single, "float64") * X, k * 2 + 1, gc.take(w, k) * y, k > 0]


def square_of_rows():
    """A vector read row by row and as a whole by one operation after the other."""
    s = gc.exp(y)
    return [s[:, None] * s, gc.sum(s[:, None] - y, axis=1), s + y]


def outer_products():
    """Row by row like what is computed of them; one of a vector with itself."""
    s, t = gc.exp(y), gc.einsum("nd,nh->nhd", X, X @ W)
    return [
        gc.sum(gc.tanh(gc.outer(s, w)), axis=1), gc.outer(s, s), gc.outer(w, s) + 1,
        gc.sum(gc.sin(t), axis=0), t, gc.einsum("n,nd->nd", s, X) * 2,
        gc.max(gc.einsum("d,nh->nhd", w, X @ W), axis=(1, 2)),
    ]  # fmt: skip


def deep():
    v, total = X, 0.0
    for _ in range(12):
        v = gc.tanh(v @ (W @ W.T)) + v
        total = total + gc.sum(v * v) / n
    return [total, gc.grad(total, W)]


def mixture():
    """The log-likelihood of a Gaussian mixture whose components stand first, and its gradient."""
    alphas, low = gc.input("alphas", (h,)), gc.input("low", (h, d, d))
    means, logs = gc.input("means", (h, d)), gc.input("logs", (h, d))
    centred = X[None, :, :] - means[:, None, :]
    turned = centred @ gc.matrix_transpose(low) + gc.exp(logs)[:, None, :] * centred
    parts = (alphas + gc.sum(logs, axis=1))[:, None] - 0.5 * gc.sum(turned**2, axis=2)
    value = gc.sum(gc.logsumexp(parts, axis=0)) - gc.size(n) * gc.logsumexp(alphas, axis=0)
    return [value, *gc.grad(value, [alphas, means, logs, low])]


def columns():
    """Columns are normed, so that a tile holds some of them; and their stack of products."""
    p = gc.softmax(X * y[:, None], axis=0)
    stack = gc.permute_dims(p[None, :, :] * gc.input("three", (3,))[:, None, None], (2, 0, 1))
    product = stack @ gc.input("four", (n, 4))
    return [product, gc.sum(gc.cumulative_sum(p, axis=0) ** 2), gc.max(p, axis=0), p.T[:, ::-1]]


def folded_stacks():
    """Stacks of products whose tiles hold what is summed, in other orders of axes too."""
    s = gc.max(gc.input("many", (n, h, d)), axis=0, keepdims=True)
    return [gc.einsum(order, s, s) for order in ("zab,zac->zbc", "zab,zac->bzc", "zab,zac->bcz")]


def turned_stacks():
    """Stacks of products with their axes in another order, read again in the same tile."""
    stack = gc.input("stack", (3, n, d))
    s = gc.einsum("zab,zac->bzc", stack, stack)
    t = gc.einsum("zab,zac->bcz", stack, gc.exp(stack))
    return [gc.sigmoid(s), gc.sum(gc.tanh(s) * s, axis=0), gc.exp(t) + t]


def places():
    """What slices give back is added where it lies; some of it is computed there, in tiles."""
    value = gc.sum(gc.sin(X[1:] * X[:-1]))
    rows = gc.sum(gc.cos(X[:, 1:] - X[:, :-1]))
    slopes = [gc.grad(value, X), gc.grad(value + rows, X)]
    return [*slopes, gc.tanh(slopes[0] * 3), gc.sum(slopes[1], axis=0)]


def sums_of_rows():
    """The rows of a matrix, each times a number, one of them computed, in a column, or none."""
    loss = gc.mean(gc.softplus(-y * (X @ w)))
    s, t = gc.exp(y), gc.sin(X)
    return [
        loss, gc.grad(loss, w), s @ t, t.T @ y, y @ X, gc.sum(s[:, None] * t, axis=0),
        s @ gc.input("wide", (n, 300)), s @ gc.input("narrow", (n, 2)), gc.cos(w) @ X.T,
    ]  # fmt: skip


GRAPHS = [
    elementwise, softmax, layer_norm, reductions, layouts, aliases, kinds, square_of_rows,
    outer_products, deep, mixture, columns, folded_stacks, turned_stacks, places, sums_of_rows,
]  # fmt: skip


each = pytest.mark.parametrize("graph", GRAPHS, ids=[g.__name__ for g in GRAPHS])
SIZES = {"n": 7, "d": 3, "h": 4}


# -- the laws ---------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 50])
def test_a_planned_program_answers_as_the_interpreter_does(graph, rows):
    """At every number of tiles, a ragged last one among them, and where there is nothing at all."""
    f = compiled(graph())
    values = arguments(f, SIZES | {"n": rows})
    try:
        want = gc.evaluate(graph(), values)
    except ValueError as error:  # no largest of nothing, no slice of it
        with pytest.raises(ValueError, match=re.escape(str(error).partition("\n")[0])):
            f(**values)
        return
    assert_close(want, f(**values))


@each
def test_the_number_of_threads_changes_no_bit(graph):
    """Tiles, and the order in which their sums are joined, depend on the sizes alone."""
    form = graph()
    functions = [compiled(form, threads=threads) for threads in (1, 2, 5)]
    values = arguments(functions[0], SIZES | {"n": 203})
    want = functions[0](**values)
    for f in functions[1:]:
        for _ in range(3):
            assert_same_bits(want, f(**values))


@each
def test_kept_memory_holds_nothing_that_matters(graph):
    """Whatever an earlier call left in the workspace and in buffers, the answer is the same."""
    f = compiled(graph())
    values = arguments(f, SIZES)
    want = f(**values)
    for array in kept_arrays(f):
        array.view(np.uint8)[...] = 255  # NaN, or -1
    assert_same_bits(want, f(**values))


@each
def test_results_belong_to_the_caller(graph):
    """No result shares memory with an input, another result, kept memory or the next results."""
    f = compiled(graph())
    values = arguments(f, SIZES)
    first, again = leaves(f(**values)), leaves(f(**values))
    arrays = [*first, *again]
    for k, a in enumerate(arrays):
        for b in (*arrays[k + 1 :], *values.values(), *kept_arrays(f)):
            assert not np.shares_memory(a, b)
        assert a.flags.writeable or not a.ndim


LAYOUTS = {
    "Fortran's order": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "not aligned": lambda a: unaligned(a),
}


def unaligned(a):
    memory = np.empty(a.nbytes + 1, np.uint8)[1:]
    moved = memory.view(a.dtype).reshape(a.shape)
    moved[...] = a
    return moved


@each
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_of_the_inputs_will_do(graph, layout):
    """And inputs are never written, even where they may not be."""
    f = compiled(graph())
    values = arguments(f, SIZES)
    want = f(**values)
    given = {name: LAYOUTS[layout](a) if a.ndim else a for name, a in values.items()}
    for a in given.values():
        a.setflags(write=False)
    assert_close(want, f(**given))
    for name, a in values.items():
        np.testing.assert_array_equal(a, given[name])


@each
def test_inputs_of_stride_zero_will_do(graph):
    """What NumPy broadcasts lies in no memory of its own."""
    f = compiled(graph())
    values = arguments(f, SIZES)
    flat = {name: np.broadcast_to(a.flat[0], a.shape) for name, a in values.items()}
    assert_close(f(**{name: a.copy() for name, a in flat.items()}), f(**flat))


@pytest.mark.parametrize("shape", [(0, 6, 1), (6, 0), (0,)])
def test_nothing_has_no_rows(shape):
    """It is reshaped as a whole: an axis without elements is not that of the same size before."""
    empty = gc.reshape(gc.exp(gc.input("x", (1, 5)))[:, :0], shape)
    f = gc.compile([gc.exp(2 * empty), gc.exp(y)], simplify=False)
    values = arguments(f, SIZES)
    assert_same_bits(gc.evaluate([gc.exp(2 * empty), gc.exp(y)], values), f(**values))


@pytest.mark.parametrize("shape", [(), (d,), (n, 1), (n, d)])
def test_a_choice_may_be_of_what_is_stretched(shape):
    """A region reads the operand of a broadcast, smaller than the result."""
    small = gc.input("small", shape)
    f = gc.compile(gc.exp(gc.where(X > 0, gc.broadcast_to(small, (n, d)), 0.0)), simplify=False)
    x = np.arange(-10.0, 11.0).reshape(7, 3)
    value = np.full([SIZES.get(str(size), size) for size in shape], 2.0)
    np.testing.assert_array_equal(f(x, value), np.exp(np.where(x > 0, value, 0)))


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_in_tiles(seed):
    """Graphs that nobody thought of; NaN kept, sizes of 0 and 1 too."""
    grown = Grower(seed, is_smooth=seed % 2 == 0).grow(14)
    outputs = grown.outputs(3)
    f = compiled(outputs)
    for size in (2, 0, 1, 7):
        values = arguments(f, {"a": size, "b": size}, seed)
        try:
            want = gc.evaluate(outputs, values)
        except (ValueError, IndexError) as error:
            with pytest.raises(type(error)):
                f(**values)
            continue
        got = f(**values)
        assert_close(want, got)
        assert_same_bits(got, f(**values))


def test_cross_entropy_and_its_gradient_are_one_region():
    """Labels pick along a row, and numbers that everything waits for part no region."""
    picked = gc.take_along_axis(gc.log_softmax(X, axis=1), k[:, None], axis=1)
    loss = -gc.mean(picked)
    f = gc.compile([loss, gc.grad(loss, X)])
    (step,) = (s for s in f.plan.steps if s.region and s.region.rows == n)
    done = {v.op.name for v in step.computed}
    assert {"take_along_axis", "scatter_add_along_axis", "exp"} <= done
    assert n not in shapes.symbols(f.plan.slots)
    # All that is as large as X is computed where the gradient will lie, and so is the last step.
    written = [v for v in step.computed if v.shape == X.shape]
    assert [v.op.name for v in written] == ["subtract", "exp", "multiply", "scatter_add_along_axis"]
    assert set(step.body.early) == set(written[:-1])
    values = arguments(f, SIZES)
    assert_close(gc.evaluate(f.graph.outputs, values), f(**values))


def test_what_is_added_to_is_not_written_over_where_it_is_added():
    """Updates that are a view of what they are added to are read after the first one was added."""
    y = gc.exp(gc.input("three", (n, 3)))
    swapped = gc.constant([[2, 1]]) + 0 * k[:, None]
    f = compiled(gc.scatter_add_along_axis(y, swapped, y[:, 1:]))
    (step,) = (s for s in f.plan.steps if s.region)
    assert {"exp", "scatter_add_along_axis"} <= {v.op.name for v in step.computed}
    assert y not in step.body.early
    values = arguments(f, SIZES)
    assert_close(gc.evaluate(f.graph.outputs, values), [f(**values)])


def test_tiles_run_along_the_axis_that_leaves_least_in_memory():
    """Of a mixture nothing is kept that grows with its points, though components stand first."""
    f = gc.compile(mixture())
    assert n not in shapes.symbols(f.plan.slots)
    (region,) = (s.region for s in f.plan.steps if s.region and s.region.rows == n)
    assert {v.op.name for v in region.nodes} >= {"einsum", "exp", "max", "log"}


def test_a_linear_models_gradient_is_added_up_where_its_residuals_are():
    """They never exist as a whole; what is left to BLAS is the product that they are made of."""
    loss = gc.mean(gc.softplus(-y * (X @ w)))
    f = gc.compile([loss, gc.grad(loss, w)])
    (step,) = (s for s in f.plan.steps if s.region and s.region.rows == n)
    assert [v.op.name for v in step.region.folds] == ["sum", "einsum"]
    assert f.plan.slots == [y.type.nbytes]


def test_what_is_read_last_is_written_over():
    """A layer's activation lies where the product lay that it is made of."""
    f = compiled(gc.exp(gc.tanh(X @ W) + 1) @ W.T)
    plan = f.plan
    overwritten = [v for s in plan.steps if s.body for v in s.nodes for x in s.ends
                   if plan.place.get(v) is not None and plan.place.get(v) == plan.place.get(x)]
    assert overwritten
    values = arguments(f, SIZES)
    assert_close(gc.evaluate(f.graph.outputs, values), [f(**values)])


# -- memory, threads, interruptions -----------------------------------------------------------


@each
def test_calls_of_other_sizes_disturb_none(graph):
    """Buffers lie in what an earlier call left, whether it was larger or smaller."""
    f, alone = (compiled(graph(), threads=1) for _ in range(2))
    for rows in (50, 7, 1, 203, 7):
        values = arguments(f, SIZES | {"n": rows})
        namespace(alone).get("spare_memory", []).clear()
        assert_same_bits(alone(**values), f(**values))
        assert len(namespace(f).get("spare_memory", [])) <= 1


def test_memory_is_kept_for_few_sizes():
    """Calls of many sizes do not gather memory without end."""
    f = compiled(deep())
    for rows in range(1, 40):
        f(**arguments(f, SIZES | {"n": rows}))
    assert 1 <= len(namespace(f)["spare"]) <= 4


def test_values_that_are_not_alive_together_share_memory():
    """Layers that are not needed backwards take turns in one slot."""
    v = X
    for _ in range(10):
        v = gc.exp(gc.tanh(v) @ (W @ W.T))
    f = compiled(v)
    f(**arguments(f, SIZES))
    (work,) = workspaces(f)
    assert len(work) > 9
    assert len({array.__array_interface__["data"][0] for array in work}) <= 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupted_call_leaves_the_function_as_it_was(error, threads):
    """Nobody writes any more when the error arrives, and the next answer is right."""
    f = compiled(softmax(), threads=threads)
    values = arguments(f, SIZES | {"n": 100})
    want = f(**values)
    known = namespace(f)
    region = next(name for name in known if name.endswith("_rows"))
    original, calls, ended = known[region], [], []

    def interrupted(*args):
        calls.append(args)
        try:
            if len(calls) == 3:
                raise error
            return original(*args)
        finally:
            ended.append(args)

    known[region] = interrupted
    with pytest.raises(error):
        f(**values)
    assert len(ended) == len(calls)
    known[region] = original
    assert_same_bits(want, f(**values))


def no_thread(work, args):
    raise RuntimeError("can't start new thread")


@each
@pytest.mark.parametrize("start", ["never", "late"])
def test_threads_that_do_not_start_are_not_missed(graph, start):
    """The system may have none to give, or let one run when all is done: it does nothing then."""
    f = compiled(graph(), threads=3)
    values = arguments(f, SIZES | {"n": 203})
    want, late = f(**values), []
    namespace(f)["_thread"] = SimpleNamespace(
        allocate_lock=_thread.allocate_lock,
        start_new_thread=no_thread if start == "never" else lambda work, args: late.append(work),
    )
    found = f(**values)
    assert_same_bits(want, found)
    for array in leaves(found):
        array.setflags(write=False)
    for work in late:
        work()
    assert_same_bits(want, found)


def test_eight_threads_call_one_planned_function():
    """Each call has a workspace of its own."""
    f = compiled(softmax(), threads=2)
    given = [arguments(f, SIZES | {"n": 30 + k % 2}, seed=k) for k in range(8)]
    assert_threads_agree(f, given, times=30)


# -- single numbers ---------------------------------------------------------------------------

a, b = gc.input("a", ()), gc.input("b", ())
NUMBERS = [
    gc.exp(a * b) + a * b / gc.log(a) + gc.sin(gc.log(a)) / (a * b),
    gc.where(a > b, gc.sqrt(a), b**a), gc.sigmoid(a) * gc.softplus(b) + gc.relu(a - b),
    gc.maximum(a, b) - gc.minimum(a, 2.0) + gc.abs(b), gc.atan2(a, b) + gc.hypot(a, b),
    gc.reciprocal(a) + gc.square(b) - (-a), gc.logical_and(a > 0, gc.logical_not(b > 0)),
    gc.expm1(a) + gc.log1p(b) + gc.tanh(a) + gc.asin(b) + gc.acosh(a),
]  # fmt: skip


@pytest.mark.parametrize("formula", NUMBERS, ids=[str(k) for k in range(len(NUMBERS))])
def test_single_numbers_run_on_python_floats_and_answer_as_numpy_does(formula):
    """Where Python would raise, the answer is NumPy's: inf or NaN."""
    extremes = 2.0, 0.5, -1.5, 0.0, -0.0, 1e308, -1e308, 5e-324, np.inf, -np.inf, np.nan, 1.0
    outputs = [formula]
    if formula.type.is_float:
        outputs += gc.grad(formula, [a, b], disconnected="zero")
    f = compiled(outputs, inputs=[a, b])
    assert "type(a) is float" in f.source
    for p in extremes:
        for q in extremes:
            want = gc.evaluate(outputs, {a: p, b: q})
            got = f(float(p), float(q))
            for x, y in zip(want, got, strict=True):
                assert isinstance(y, float if formula.type.is_float else bool)
                np.testing.assert_allclose(y, x, rtol=1e-14)


@pytest.mark.parametrize("size", ["rows_of_tile", "rows", "first", "memory", "x1"])
def test_a_size_may_have_any_name(size):
    """Also one that tiles use."""
    x = gc.input("last", (size, 4))
    outputs = [gc.exp(x) * x, gc.sum(gc.tanh(x)), gc.size(gc.dim(size)) + 1]
    value = np.linspace(-1, 1, 28).reshape(7, 4)
    assert_close(gc.evaluate(outputs, {x: value}), compiled(outputs)(value))
