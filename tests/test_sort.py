"""Order: sort, argsort, argmax, argmin, and what is made of them, held against NumPy."""

import re

import numpy as np
import pytest

import graphc as gc

RNG = np.random.default_rng(7)
TIES = np.array([[2.0, 0.0, -1.0, 2.0, -0.0], [np.inf, 1.0, -np.inf, 1.0, 3.0]])
NANS = np.array([[2.0, np.nan, -1.0, 2.0, np.nan], [np.inf, 1.0, -np.inf, 1.0, 3.0]])
VALUES = {
    "floats": RNG.normal(size=(3, 4)),
    "ties and infinities": TIES,
    "NaN": NANS,
    "float32": RNG.normal(size=(3, 4)).astype("float32"),
    "integers": RNG.integers(-3, 3, (3, 4)),
    "small integers": RNG.integers(0, 3, (3, 4)).astype("uint8"),
    "truth values": RNG.integers(0, 2, (3, 4)) > 0,
    "one": np.array([[3.0]]),
    "no rows": np.zeros((0, 3)),
}


def rows_of(a, k):
    """Its rows along an axis, as lists, to be put in order by Python."""
    return np.moveaxis(a, k, -1).reshape(-1, a.shape[k])


def descending(a, k):
    """The positions in descending order, equal ones in theirs, NaN before all."""
    order = [
        sorted(range(len(row)), key=lambda i: (not np.isnan(row[i]), -float(row[i])))
        for row in rows_of(a, k)
    ]
    shape = np.moveaxis(a, k, -1).shape
    return np.moveaxis(np.array(order, np.int64).reshape(shape), -1, k)


BY_AXIS = {
    "sort": (lambda x, k: gc.sort(x, k), lambda a, k: np.sort(a, k)),
    "sort, quickly": (lambda x, k: gc.sort(x, k, stable=False), lambda a, k: np.sort(a, k)),
    "argsort": (lambda x, k: gc.argsort(x, k), lambda a, k: np.argsort(a, k, stable=True)),
    "descending": (
        lambda x, k: gc.sort(x, k, descending=True), lambda a, k: np.flip(np.sort(a, k), k)
    ),
    "argsort, descending": (lambda x, k: gc.argsort(x, axis=k, descending=True), descending),
    "argmax": (lambda x, k: gc.argmax(x, k), lambda a, k: np.argmax(a, k)),
    "argmin": (lambda x, k: gc.argmin(x, k), lambda a, k: np.argmin(a, k)),
    "argmax, kept": (
        lambda x, k: gc.argmax(x, k, keepdims=True), lambda a, k: np.argmax(a, k, keepdims=True)
    ),
    "picked": (
        lambda x, k: gc.take_along_axis(x, gc.argsort(x, k), k), lambda a, k: np.sort(a, k)
    ),
}  # fmt: skip


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("name", BY_AXIS)
def test_order_along_an_axis_is_that_of_numpy(name, values, axis):
    """As evaluated and as compiled, with sizes that are known and with open ones."""
    build, expected = BY_AXIS[name]
    a = VALUES[values]
    if not a.shape[axis] and name.startswith(("argm", "descending", "argsort, d")):
        return
    wanted = expected(a, axis)
    for shape in (a.shape, ("n", "d")):
        x = gc.input("x", shape, a.dtype)
        y = build(x, axis)
        for found in (gc.evaluate(y, {x: a}), gc.compile(y)(a), gc.compile(y, simplify=False)(a)):
            assert (wanted.dtype, wanted.shape) == (found.dtype, found.shape)
            np.testing.assert_array_equal(found, wanted)


def whole(function, **more):
    ours, theirs = getattr(gc, function), getattr(np, function)
    return [
        (lambda x, k, keep: ours(x, *more.values(), axis=k, keepdims=keep)),
        (lambda a, k, keep: theirs(a, *more.values(), axis=k, keepdims=keep)),
    ]


OF_ALL = {
    "argmax": (*whole("argmax"), [None]),
    "argmin": (*whole("argmin"), [None]),
    "median": (*whole("median"), [None, 0, -1, (0, 1), (2, 0), ()]),
    "quantile": (*whole("quantile", q=0.3), [None, 0, -1, (0, 1), (2, 0)]),
    "least": (*whole("quantile", q=0.0), [None, 1]),
    "largest": (*whole("quantile", q=1), [None, 1]),
    "quantiles": (*whole("quantile", q=[0.1, 0.5, 0.99]), [None, 0, (0, 1), (2, 0)]),
}
CASES = [(name, k, keep) for name, (*_, axes) in OF_ALL.items() for k in axes for keep in (0, 1)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name, axis, keepdims", CASES)
def test_what_is_found_along_several_axes_is_that_of_numpy(name, axis, keepdims, dtype):
    """Even counts and odd ones, and NaN where there is one."""
    build, expected, _ = OF_ALL[name]
    for shape, is_open in (((3, 4, 2), False), ((3, 5, 1), True), ((1, 3, 3), True)):
        x = gc.input("x", ("n", "m", "k") if is_open else shape, dtype)
        y = build(x, axis, bool(keepdims))
        f = gc.compile(y)
        for has_nan in (False, True):
            a = RNG.normal(size=shape).astype(dtype)
            a.flat[1] = np.nan if has_nan else 0.0
            wanted = expected(a, axis, bool(keepdims))
            for found in (gc.evaluate(y, {x: a}), f(a)):
                assert wanted.shape == found.shape and found.dtype in (np.int64, dtype)
                close = 1e-6 if dtype == "float32" else 2e-15
                np.testing.assert_allclose(found, wanted, rtol=close, atol=close)


INFINITE = [
    ([np.inf, 1.0, np.inf, np.inf], 0.5, np.inf),
    ([-np.inf, 1.0, -np.inf, -np.inf], 0.5, -np.inf),
    ([np.inf, 1.0, 0.0], 0.5, 1.0),
    ([np.inf, 1.0, 0.0], 0.75, np.inf),
    ([-np.inf, 1.0], 0.25, -np.inf),
    ([-np.inf, 1.0], 0.75, -np.inf),
    ([-np.inf, 1.0], 1.0, 1.0),
    ([-np.inf, np.inf], 0.5, np.nan),
    ([-np.inf, np.nan], 0.5, np.nan),
]


@pytest.mark.parametrize("at, level, expected", INFINITE)
@pytest.mark.parametrize("mode", [True, "strict", False])
def test_a_quantile_may_be_infinite(at, level, expected, mode):
    """Beside an infinity, or between two, NumPy's is NaN, and its median is not."""
    x = gc.input("x", ("n",))
    made = [gc.quantile(x, level), *[gc.median(x)] * (level == 0.5)]
    for found in (gc.evaluate(made, {x: at}), gc.compile(made, simplify=mode)(at)):
        np.testing.assert_array_equal(found, [expected] * len(made))


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: gc.argmax(gc.zeros((2, 0)), axis=1), "^of no elements none is extreme"),
        (lambda: gc.argmin(gc.zeros(0)), "^of no elements none is extreme"),
        (lambda: gc.median(gc.zeros((2, 0)), axis=1), "^median needs an element"),
        (lambda: gc.quantile(gc.zeros(3), 50), "^quantile needs levels .* from 0 to 1, not 50$"),
        (lambda: gc.quantile(gc.zeros(3), gc.input("q", ())), "^quantile needs levels"),
        (lambda: gc.median(gc.iota(3)), "^median needs floats"),
        (lambda: gc.sort(gc.constant(1.0)), "axis"),
        (lambda: np.sort(x, kind="best"), "^kind= is 'quick', 'heap' or 'stable', not 'best'$"),
        (lambda: np.argsort(x, kind=""), "^kind= is 'quick', 'heap' or 'stable', not ''$"),
        (lambda: gc.argmax(gc.zeros((2, 3)), (0, 1)), "axis"),
        (lambda: gc.sort(x, descending="no"), "^descending= is True or False, not 'no'$"),
        (lambda: gc.argsort(x, stable=1), "^stable= is True or False, not 1$"),
        (lambda: x.sort(), "^x.sort.. would change a tensor.*such as np.sort$"),
    ],
)
def test_what_has_no_order_is_told_where_it_is_written(build, message):
    """NumPy says so when the program runs, if it does."""
    with pytest.raises(gc.GraphcError) as caught:
        build()
    assert re.search(message, caught.value.sentence)


# -- derivatives ------------------------------------------------------------------------------

x, w = gc.input("x", ("n",)), gc.input("w", ("n",))
X = gc.input("X", ("n", "m"))
AT = {x: RNG.normal(size=7), w: RNG.normal(size=7), X: RNG.normal(size=(4, 5))}
k = gc.iota("n", float)
SMOOTH = {
    "weighted order": (gc.sum(gc.sort(x) ** 2 * k), x),
    "descending": (gc.sum(gc.sort(gc.sin(x), descending=True)[:3] ** 3), x),
    "rows": (gc.sum(gc.sort(X) ** 2 * gc.iota("m", float)), X),
    "columns": (gc.sum(gc.exp(gc.sort(X * X, axis=0)) * gc.iota("n", float)[:, None]), X),
    "by the order of another": (gc.sum(x[gc.argsort(w)] ** 2 * gc.sort(w) ** 2), w),
    "taken in another's order": (gc.sum(x[gc.argsort(w)] ** 2 * gc.sort(w)), x),
    "distance of orders": (gc.sum((gc.sort(x) - gc.sort(w)) ** 2), x),
    "sorted twice": (gc.sum(gc.sort(gc.sort(x) * k) ** 2 * k), x),
    "median": (gc.median(x) ** 2, x),
    "medians": (gc.sum(gc.median(X, axis=0) ** 3), X),
    "quantiles": (gc.sum(gc.quantile(gc.sin(X), [0.2, 0.7], axis=1) ** 2), X),
    "deviation from the median": (gc.median((x - gc.median(x)) ** 2), x),
    "the one that is largest": (X[gc.iota("n"), gc.argmax(X, axis=1)] @ gc.sum(X, axis=1), X),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_are_those_of_differences(name):
    """Of order 1 and 2, in reverse and in forward mode; where nothing is tied, order is smooth."""
    z, wrt = SMOOTH[name]
    for f in (z, gc.sum(gc.sin(gc.grad(z, wrt)))):
        given = gc.Graph([f]).parameters
        assert gc.check(f, wrt, at={v: AT[v] for v in given}).ok


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_the_jacobian_of_a_sort_is_a_permutation(mode):
    """In each row of a matrix another one."""
    order = np.argsort(AT[x])
    found = gc.evaluate(gc.jacobian(gc.sort(x), x, mode), {x: AT[x]})
    np.testing.assert_array_equal(found, np.eye(7)[order])
    whole = gc.evaluate(gc.jacobian(gc.sort(X), X, mode), {X: AT[X]})
    for i, row in enumerate(np.argsort(AT[X])):
        np.testing.assert_array_equal(whole[i, :, i, :], np.eye(5)[row])
    assert 20 == np.count_nonzero(whole)


def test_order_is_applied_to_each_of_many():
    """vmap and vectorize sort each example by itself."""
    a = AT[X]

    def told(v):
        return np.sort(v), np.argsort(v), np.argmax(v), np.median(v), np.quantile(v, [0.1, 0.9])

    for found, row in zip(zip(*gc.vmap(told)(a), strict=True), a, strict=True):
        for one, wanted in zip(found, told(row), strict=True):
            np.testing.assert_allclose(one, wanted, rtol=1e-15)
    per_example = gc.vectorize(gc.grad(gc.median(x), x), {x: gc.input("xs", ("b", "n"))})
    middles = np.eye(5)[np.argsort(a)[:, 2]]
    np.testing.assert_array_equal(gc.evaluate(per_example, {"xs": a}), middles)


def test_the_forward_order_serves_the_gradient():
    """What is sorted for the value and its gradient is put in order once, and once by positions."""
    z = gc.sum(gc.sort(x)[gc.argsort(w)] ** 2) + gc.sum(x[gc.argsort(x)] * w)
    names = gc.compile([z, gc.grad(z, x)]).graph.count()
    assert (1, 2) == (names["sort"], names["argsort"])


@pytest.mark.parametrize("kind", [None, "quicksort", "heapsort", "mergesort", "stable", "Stable"])
def test_a_kind_of_sort_is_stable_where_that_of_numpy_is(kind):
    """NumPy reads its first letter, small or not."""
    (is_stable,) = {n.attrs["stable"] for n in (np.argsort(x, kind=kind), np.sort(x, kind=kind))}
    assert is_stable == (kind in ("mergesort", "stable", "Stable"))


# -- what people write ------------------------------------------------------------------------


def trimmed_mean(x):
    cut = len(x) // 10
    return np.mean(np.sort(x)[cut : len(x) - cut])


def spread_about_the_median(x):
    return np.median(np.abs(x - np.median(x)))


def accuracy(scores, labels):
    return np.mean(np.argmax(scores, axis=1) == labels)


def top_three(losses):
    return np.sum(np.sort(losses)[-3:])


def wasserstein(x, y):
    return np.mean(np.abs(np.sort(x) - np.sort(y)))


def shortfall(losses):
    least = np.quantile(losses, 0.9)
    return least + np.mean(np.maximum(losses - least, 0)) / 0.1


def ranks(x):
    return np.argsort(np.argsort(x))


def interquartile(x):
    high, low = np.percentile(x, [75, 25])
    return high - low


LABELS = RNG.integers(0, 4, 30)
SAMPLE, OTHER = RNG.normal(size=30), RNG.normal(size=30)
WRITTEN = {
    "trimmed mean": (trimmed_mean, SAMPLE),
    "median absolute deviation": (spread_about_the_median, SAMPLE),
    "accuracy": (accuracy, RNG.normal(size=(30, 4)), LABELS),
    "the three largest losses": (top_three, SAMPLE),
    "Wasserstein distance": (wasserstein, SAMPLE, OTHER),
    "expected shortfall": (shortfall, SAMPLE),
    "ranks": (ranks, SAMPLE),
    "interquartile range": (interquartile, SAMPLE),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_people_write_with_numpy_gives_the_same_here(name):
    """And its gradient is that of differences."""
    f, *at = WRITTEN[name]
    np.testing.assert_allclose(gc.jit(f)(*at), f(*at), rtol=1e-14)
    if name == "accuracy":
        with pytest.raises(gc.Disconnected, match="cut, first where argmax takes scores"):
            gc.grad_fn(f)(*at)
    if name in ("accuracy", "ranks"):
        return
    slope = gc.grad_fn(f)(*at)
    step = np.eye(30) * 1e-6
    near = [(f(at[0] + h, *at[1:]) - f(at[0] - h, *at[1:])) / 2e-6 for h in step]
    np.testing.assert_allclose(slope, near, atol=1e-8)
