"""What programs carry with them: functions that are NumPy's own, by other means."""

import inspect
import itertools

import mpmath
import numpy as np
import pytest

import graphc as gc
from graphc.plan.carried import arrays, functions

LONG = np.longdouble

# name: NumPy's own, which tells the values of longer numbers, and how many units of the last place
# the function may be off, in float64 and in float32
ONE = {
    "sigmoid": (functions.sigmoid, lambda x: 1 / (1 + np.exp(-x)), (3, 8)),
    "softplus": (functions.softplus, lambda x: np.logaddexp(x.dtype.type(0), x), (3, 5)),
    "log1p": (functions.fast_log1p, np.log1p, (2, 4)),
    "expm1": (functions.fast_expm1, np.expm1, (3, 4)),
    "sinh": (functions.fast_sinh, np.sinh, (3, 4)),
    "cosh": (functions.fast_cosh, np.cosh, (2, 3)),
    "sin": (functions.fast_sin, np.sin, (3, 4)),
    "cos": (functions.fast_cos, np.cos, (5, 4)),
    "tan": (functions.fast_tan, np.tan, (3, 4)),
    "asinh": (functions.fast_arcsinh, np.arcsinh, (2, 4)),
    "acosh": (functions.fast_arccosh, np.arccosh, (3, 4)),
    "atanh": (functions.fast_arctanh, np.arctanh, (3, 4)),
}
FEW, MANY = 255, 1024  # of few NumPy's own may be called; of many each goes its own way
TWO = {
    "logaddexp": (functions.fast_logaddexp, np.logaddexp, (2, 4)),
    "hypot": (functions.fast_hypot, np.hypot, (2, 2)),
    "atan2": (functions.fast_arctan2, np.arctan2, (2, 4)),
}
DTYPES = [np.float64, np.float32]


def longer(dtype):
    return np.float64 if dtype == np.float32 else LONG


def numbers(dtype):
    """From all the bit patterns of a dtype: both zeros and infinities, NaN, subnormals; and from
    where most numbers lie."""
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}").type
    step = unsigned(np.iinfo(unsigned).max // 100_003)
    patterns = (np.arange(100_003, dtype=unsigned) * step).view(dtype)
    limits = np.finfo(dtype)
    ends = [limits.tiny, limits.smallest_subnormal, limits.max, limits.eps, 1e-17, 709.78, 88.72]
    near = 10.0 ** -np.arange(1, 17)
    special = [*ends, 0.0, 1.0, 710.4, 720.0, 100.0, np.inf, np.pi / 2, *near, *(1 - near)]
    special.append(0.000990889207311322)  # there fast_cos is off most
    random = np.random.default_rng(0).normal(size=(6, 20_000))
    usual = random * np.array([1e-8, 1e-3, 1.0, 10.0, 100.0, 700.0])[:, None]
    parts = [patterns, *np.multiply.outer([1, -1], special), [np.nan], *usual]
    return np.concatenate([np.asarray(part, np.float64).astype(dtype) for part in parts])


def pairs(dtype):
    """All pairs of special numbers, pairs of any, and pairs of numbers that are near each other."""
    x = numbers(dtype)
    limits = np.finfo(dtype)
    few = [0.0, np.inf, 1.0, limits.tiny, limits.smallest_subnormal, limits.max]
    few = np.array([*few, *(-v for v in few), np.nan], dtype)
    others = np.random.default_rng(0).permutation(x), x * dtype(0.7) + dtype(0.1), x
    left = np.concatenate([np.repeat(few, len(few)), x, x, x])
    return left, np.concatenate([np.tile(few, len(few)), *others])


def assert_as_good(function, own, ulps, *operands):
    """The same NaN, infinities and signs of zero; and as near as that to the exact values."""
    dtype = operands[0].dtype
    exact = own(*(x.astype(longer(dtype)) for x in operands))
    rounded, found = exact.astype(dtype), function(*operands)
    assert found.dtype == dtype
    is_finite = np.isfinite(rounded)
    np.testing.assert_array_equal(found[~is_finite], rounded[~is_finite])
    is_zero = (found == 0) & (rounded == 0)
    np.testing.assert_array_equal(np.signbit(found[is_zero]), np.signbit(rounded[is_zero]))
    allowed = ulps * np.spacing(np.abs(rounded[is_finite]))
    if own is np.logaddexp:  # NumPy's own loses digits where the sum of its terms is near 0
        allowed = np.maximum(allowed, ulps * np.finfo(dtype).eps)
    assert (np.abs(found - exact)[is_finite] <= allowed).all()
    for k, x in enumerate(operands):
        given = [x.copy() for x in operands]
        assert function(*given, out=given[k]) is given[k]
        np.testing.assert_array_equal(given[k], found)
        np.testing.assert_array_equal(function(*operands, out=np.empty_like(x)), found)
        if spare := inspect.signature(function).parameters.get("spare"):
            given = [x.copy() for x in operands]
            spare = [np.full_like(x, 7) for _ in spare.default]
            assert function(*given, spare=spare, out=given[k]) is given[k]
            np.testing.assert_array_equal(given[k], found)


IN_VECTORS = 4  # units of the last place that NumPy's own may be off


@pytest.fixture(params=[False, True], ids=["one at a time", "in vectors"])
def in_vectors(request, monkeypatch):
    """As on a processor on which NumPy computes functions many elements at a time, and as not."""
    monkeypatch.setattr(functions, "in_vectors", lambda name: request.param)
    return request.param


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ONE)
@np.errstate(all="ignore")
def test_a_function_is_as_good_as_the_one_that_it_stands_for(name, dtype, in_vectors):
    function, own, ulps = ONE[name]
    ulps = [max(k, IN_VECTORS * in_vectors) for k in ulps]
    assert_as_good(function, own, ulps[dtype == np.float32], numbers(dtype))


def test_where_numpy_has_vectors_it_is_asked_itself():
    assert functions.in_vectors("no_function") is False
    if functions.in_vectors("log1p"):
        x = np.linspace(-0.5, 8, 5000)
        assert np.array_equal(functions.fast_log1p(x), np.log1p(x))
    if functions.in_vectors("tan"):
        x = np.linspace(-50, 50, 5000)
        assert not np.array_equal(functions.fast_sin(x), np.sin(x))


@pytest.mark.parametrize("function", [functions.fast_sin, functions.fast_cos])
def test_sines_are_never_above_one(function, monkeypatch):
    monkeypatch.setattr(functions, "in_vectors", lambda name: True)
    turns = np.arange(-2000, 2000) * (np.pi / 2)
    x = (turns[:, None] + np.linspace(-1e-7, 1e-7, 41)).ravel()
    assert np.abs(function(x)).max() == 1


@pytest.mark.parametrize("dtype", DTYPES)
@np.errstate(all="ignore")
def test_log1p_of_what_is_never_minus_zero_takes_fewer_steps_and_is_as_good(dtype, monkeypatch):
    def function(x, spare=(None, None), out=None):
        return functions.fast_log1p(x, False, spare, out)

    monkeypatch.setattr(functions, "in_vectors", lambda name: False)
    x = numbers(dtype)
    assert_as_good(function, np.log1p, (2, 4)[dtype == np.float32], x[(x != 0) | ~np.signbit(x)])
    given = gc.input("x", ("n",), dtype)
    for v, is_known in ((gc.square(given), True), (gc.exp(given), True), (given, False)):
        text = gc.log1p(v).op.text_into(gc.log1p(v), "b1", ("b2", "b3"))
        assert ("has_minus_zero=False" in text) == is_known
        assert text.endswith("spare=(b2, b3), out=b1)")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("exponent", [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 2, 3, 5, 6])
@np.errstate(all="ignore")
def test_a_power_by_products_is_the_power(exponent, dtype):
    def function(x, spare=(None,), out=None):
        return functions.fast_power(x, exponent, spare, out)

    def own(x):
        # NumPy takes the root for 1/2, which -inf does not have and -0 keeps.
        return np.power(x, np.full_like(x, exponent))

    assert_as_good(function, own, 4, numbers(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TWO)
@np.errstate(all="ignore")
def test_a_function_of_two_is_as_good_as_the_one_that_it_stands_for(name, dtype, in_vectors):
    function, own, ulps = TWO[name]
    assert_as_good(function, own, ulps[dtype == np.float32], *pairs(dtype))


@pytest.mark.parametrize("name", [*ONE, *TWO])
@np.errstate(all="ignore")
def test_exact_values_agree_with_mpmath(name):
    """The rows above trust NumPy's longer numbers: here are others that do not."""
    function, own, ulps = {**ONE, **TWO}[name]
    exact = {
        "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
        "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
        "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    }.get(name) or getattr(mpmath, name)
    points = [1e-300, 1e-17, 3e-9, 0.1, 0.75, 1 - 1e-12, 1 + 1e-12, 1.5, 40.0, 700.0, -1e-17, -0.3]
    points += [-1 + 1e-12, -7.0, 1e150, 1e200]
    cases = itertools.product(points, points) if name in TWO else ((x,) for x in points)
    for case in cases:
        with mpmath.workdps(60):
            try:
                wanted = exact(*map(mpmath.mpf, case))
            except (OverflowError, ValueError, ZeroDivisionError):
                continue
        if isinstance(wanted, mpmath.mpc) or abs(wanted) > np.finfo(np.float64).max:
            continue
        found, *_ = function(*(np.full(MANY, x) for x in case))
        assert abs(mpmath.mpf(float(found)) - wanted) <= ulps[0] * np.spacing(abs(float(wanted)))


CHOICES = {
    "arrays": (np.array([1.0, np.nan, -0.0, np.inf]), np.array([np.nan, 2.0, 0.0, -np.inf])),
    "float32": (np.array([1, np.nan, -0.0, 3], "f4"), np.array([5, 6, 7, -0.0], "f4")),
    "integers": (np.arange(4), -np.arange(4)),
    "a number and an array": (-0.0, np.arange(4.0)),
    "an array and a number": (np.array([np.nan, 1, 2, 3], "f4"), 1.5),
    "two numbers": (np.float64(2.0), np.float64(3.0)),
    "a row and a column": (np.arange(4.0), np.arange(3.0)[:, None]),
    "backwards": (np.arange(8.0)[::-2], np.arange(8.0)[::2]),
    "none": (np.ones((0, 4)), np.zeros(4)),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_by_bits_is_the_choice(name):
    x, y = CHOICES[name]
    for condition in (np.array([True, False, True, False]), np.array([[False], [True], [True]])):
        if name == "none":
            condition = condition[:, :1] if condition.ndim > 1 else condition
            condition = condition[:0] if condition.ndim > 1 else condition
        wanted = np.where(condition, x, y)
        assert_same_bits(functions.fast_where(condition, x, y), wanted)
        for k in (0, 1):
            over = (x, y)[k]
            if np.shape(over) == wanted.shape:
                given = [x, y]
                given[k] = out = over.copy()
                assert functions.fast_where(condition, *given, out=out) is out
                assert_same_bits(out, wanted)
        x_alone = np.where(condition, x, np.zeros_like(x))
        assert_same_bits(functions.only_where(condition, x), x_alone)


def test_a_choice_may_be_written_over_both_that_it_is_among():
    """One of them is a view of the other."""
    x = np.arange(12.0).reshape(3, 4)
    condition = x % 3 == 0
    for order in (1, -1):
        out = x.copy()
        given = [out, out[:, ::-1]][::order]
        wanted = np.where(condition, *given)
        assert_same_bits(functions.fast_where(condition, *given, out=out), wanted)


def assert_same_bits(found, wanted):
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    assert found.tobytes() == wanted.tobytes()


LAYOUTS = {
    "none": (np.ones(0), np.ones((3, 0))),
    "a row and a column": (np.linspace(1.1, 2, 5), np.linspace(1.2, 3, 4)[:, None]),
    "backwards": (np.linspace(1.1, 2, 6)[::-2], np.linspace(1, 2, 3)),
    "turned": (np.linspace(1.1, 2, 6).reshape(2, 3).T, np.linspace(1, 2, 6).reshape(3, 2)),
    "an array and a number": (np.linspace(1.1, 2, 5), 2.0),
    "float32 and a number": (np.linspace(1.1, 2, 5, dtype="f4"), 2.0),
    "a number and an array": (2.0, np.linspace(1.1, 2, 5, dtype="f4")),
    "many, backwards": (np.linspace(1.1, 2, 2 * MANY)[::-2], 2.0),
    "many, turned": (np.linspace(1.1, 2, MANY).reshape(32, 32).T, np.linspace(1, 2, 32)),
    "many, stretched": (np.broadcast_to(np.linspace(1.1, 2, MANY)[:, None], (MANY, 2)), 2.0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@np.errstate(all="ignore")
def test_functions_broadcast_and_take_any_layout(layout, in_vectors):
    for function, own, _ in TWO.values():
        wanted = own(*LAYOUTS[layout])
        for out in (None, np.empty_like(wanted)):
            found = function(*LAYOUTS[layout], out=out)
            assert found.dtype == wanted.dtype
            np.testing.assert_allclose(found, wanted, rtol=1e-6)
    for function, own, _ in ONE.values():
        for x in LAYOUTS[layout]:
            if isinstance(x, np.ndarray):
                np.testing.assert_allclose(function(x), own(x), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softplus", "log1p"])
def test_of_few_elements_numpy_own_is_called(name, dtype, monkeypatch):
    """Five calls of NumPy take as long as some hundred elements do in one."""
    monkeypatch.setattr(functions, "in_vectors", lambda name: False)
    function, own, _ = ONE[name]
    x = np.linspace(0, 3, MANY, dtype=dtype)
    for few in (x[:1], x[:FEW], x[:FEW].reshape(5, -1)):
        for out in (None, np.empty_like(few)):
            assert np.array_equal(own(few), function(few, out=out))
    assert not np.array_equal(own(x), function(x))


@pytest.mark.parametrize("name", ["log1p", "sin", "cos"])
def test_functions_of_integers_are_numpys_own(name, in_vectors):
    """The fast ones would write into memory of the operand's dtype."""
    k, values = gc.input("k", ("n",), "int64"), np.arange(2 * MANY)
    y = getattr(gc, name)(k)
    for found in (gc.evaluate(y, {k: values}), gc.compile(y, simplify=False)(values)):
        np.testing.assert_array_equal(found, getattr(np, name)(values))


@pytest.mark.parametrize("dtype", DTYPES)
def test_single_numbers_are_as_the_elements_of_arrays(dtype):
    for x in (-720.0, -3.0, -0.0, 0.5, 100.0, np.inf):
        for function in (functions.sigmoid, functions.softplus):
            with np.errstate(all="ignore"):
                one, (element,) = function(dtype(x)), function(np.array([x], dtype))
            assert one.dtype == dtype and np.isclose(one, element, rtol=1e-6, atol=0)


ARRAYS = {
    "short rows": np.arange(6000.0).reshape(600, 10),
    "stacks of short rows": np.arange(12000.0, dtype=np.float32).reshape(4, 300, 10) - 5000,
    "long rows": np.arange(8000.0).reshape(2, 4000),
    "rows": np.arange(30000.0).reshape(300, 100),
    "stacks of rows": np.arange(30000.0, dtype=np.float32).reshape(3, 100, 100) / 7,
    "rows of longer ones": np.arange(30000.0).reshape(200, 150)[:, 20:120],
    "rows with infinity": np.where(np.arange(30000) % 997 == 3, -np.inf, 1.0).reshape(300, 100),
    "few": np.arange(6.0).reshape(2, 3),
    "turned": np.arange(6000.0).reshape(10, 600).T,
    "a part of longer ones": np.arange(9000.0).reshape(600, 15)[:, 3:8],
    "stretched": np.broadcast_to(np.arange(10.0), (600, 10)),
    "backwards": np.arange(6000.0).reshape(600, 10)[::-1, ::-1],
    "empty": np.ones((0, 10)),
    "with infinity": np.where(np.arange(6000) % 17 == 3, np.inf, 1.0).reshape(600, 10),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_sum_by_a_product_is_the_sum(name, keepdims):
    x = ARRAYS[name]
    for axis in range(x.ndim):
        exact = x.astype(np.float64).sum(axis=axis, keepdims=keepdims)
        given = np.empty(exact.shape, x.dtype)
        for out in (None, given):
            found = arrays.summed(x, axis, keepdims, out)
            assert found.shape == exact.shape and found.dtype == x.dtype
            np.testing.assert_allclose(found, exact, rtol=1e-12 if x.dtype == "f8" else 1e-5)
        np.testing.assert_array_equal(given, found)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("fold", [np.maximum, np.minimum], ids=lambda f: f.__name__)
def test_an_extreme_of_rows_is_that_of_numpy(name, keepdims, fold):
    """Column by column where rows are short; NaN is the largest, and the least."""
    x = ARRAYS[name].copy()
    for dtype in ("float32", "int64"):
        given = np.where(np.isfinite(x), x, 7).astype(dtype)
        if dtype == "float32":
            given[::3, -1:] = np.nan
        for initial in (None, 5):
            want = fold.reduce(given, axis=-1, keepdims=keepdims, initial=initial)
            out = np.empty(want.shape, dtype)
            for into in (None, out):
                found = arrays.extreme(fold, given, keepdims, initial, into)
                np.testing.assert_array_equal(found, want)
                assert found.dtype == want.dtype
            np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ARRAYS)
def test_an_inner_product_in_pieces_is_the_product(name, dtype):
    """Pieces have 8192 elements, in any layout."""
    x = ARRAYS[name].astype(dtype)
    wanted = np.sum(x.astype(np.float64) * x[::-1])
    found = arrays.inner_product(x, x[::-1])
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=1e3 * np.finfo(dtype).eps, atol=1e-3)


@pytest.mark.parametrize("size", [0, 1, 8191, 8192, 8193, 16384, 30_000])
def test_an_inner_product_leaves_no_element_out(size):
    """Whole numbers, whose sum is exact in any order."""
    x = np.arange(size) % 7.0
    assert arrays.inner_product(x, x + 1) == np.sum(x * (x + 1))


@pytest.mark.parametrize("length", [0, 1, 3, 47, 48, 255, 256, 9000])
def test_a_sum_of_rows_leaves_no_row_out(length):
    """Whole numbers, whose sum is exact in any order; tiles of rows near and far, in any layout."""
    for here in (1, 100, 1000 if length < 1000 else 101):
        rows = np.arange(here * length).reshape(here, length) % 7.0
        x = np.arange(here) % 5.0
        strided = np.repeat(rows, 2, axis=1)[:, ::2]
        for given in (rows, np.asfortranarray(rows), rows[::-1], strided):
            for count in (here, 2 * here, 1 << 22):
                out = np.full(length, np.nan)
                assert arrays.weighted_sum(x, given, count, out) is out
                np.testing.assert_array_equal(out, np.sum(x[:, None] * given, axis=0))


# Each of these is written by a function of its own into large arrays, in the dtypes that it names.
WRITTEN = {
    "log1p": (lambda x, y: gc.log1p(gc.square(x)), "float64 float32"),
    "expm1": (lambda x, y: gc.expm1(x), "float32"),
    "logaddexp": (lambda x, y: gc.logaddexp(x, y), "float64 float32"),
    "logaddexp of 0": (lambda x, y: gc.logaddexp(2.0, y) + gc.logaddexp(x, 1.0), "float64 float32"),
    "hypot": (lambda x, y: gc.hypot(x, 3.0) * gc.hypot(2.0, y), "float64 float32"),
    "arctan2": (lambda x, y: gc.atan2(x, 3.0) * gc.atan2(2.0, y), "float64 float32"),
    "where": (lambda x, y: gc.where(x > y, x, 1.5), "float64 float32"),
    "power": (lambda x, y: gc.exp(x) ** 2.5 + y**5, "float64 float32"),
    "sin": (lambda x, y: gc.sin(x), "float64"),
    "cos": (lambda x, y: gc.cos(x), "float64"),
    "tan": (lambda x, y: gc.tan(x), "float32"),
    "sinh": (lambda x, y: gc.sinh(x) * gc.cosh(y), "float64 float32"),
    "arcsinh": (lambda x, y: gc.asinh(x), "float64 float32"),
    "arccosh": (lambda x, y: gc.acosh(gc.exp(gc.abs(x))), "float64 float32"),
    "arctanh": (lambda x, y: gc.atanh(gc.tanh(x)), "float64 float32"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", WRITTEN)
def test_large_arrays_are_written_so_and_few_elements_by_numpy(name, dtype):
    formula, dtypes = WRITTEN[name]
    helper = f"fast_{name.split()[0]}("
    x, y = gc.input("x", ("n",), dtype), gc.input("y", ("n",), dtype)
    f = gc.compile(formula(x, y), inputs=[x, y])
    assert (helper in f.source) == (dtype in dtypes)
    for n in (10, 20_000):
        values = np.random.default_rng(0).normal(size=(2, n)).astype(dtype)
        wanted = gc.evaluate(formula(x, y), {x: values[0], y: values[1]})
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(f(*values), wanted, rtol=40 * eps, atol=40 * eps)
    few = gc.input("few", (3, 4), dtype)
    if name != "log1p":
        assert helper not in gc.compile(formula(few, few)).source
