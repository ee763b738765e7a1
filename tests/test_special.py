"""The error function and its kin: every digit from tail to tail, and what is made of them."""

import mpmath
import numpy as np
import pytest

import graphc as gc
from graphc.plan.carried import functions, special

# name: the carried function, mpmath's, and how many units of the last place it may be off, in
# float64 and in float32
CARRIED = {
    "erf": (special.erf, mpmath.erf, (4, 4)),
    "erfc": (special.erfc, mpmath.erfc, (5, 5)),
    "erfcx": (special.erfcx, lambda x: mpmath.exp(x * x) * mpmath.erfc(x), (5, 5)),
}
DTYPES = [np.float64, np.float32]
FEW, MANY = 300, 1500  # of few, the functions of `math`
LAST = {np.float64: 27.3, np.float32: 10.1}  # erfc is 0 beyond


@pytest.fixture(params=[False, True], ids=["one at a time", "in vectors"])
def in_vectors(request, monkeypatch):
    """As on a processor on which NumPy computes expm1 many elements at a time, and as not."""
    monkeypatch.setattr(functions, "in_vectors", lambda name: request.param)


def sweep(dtype):
    """Where the functions change most, both tails to their ends, and small numbers of any size."""
    rng = np.random.default_rng(0)
    last = LAST[dtype]
    small = rng.choice([-1, 1], 800) * 10.0 ** rng.uniform(-37, 0, 800)
    parts = [rng.normal(size=1200), rng.uniform(-last, last, 1500), small]
    parts += [rng.uniform(last - 1.2, last, 300), [0.0, 1.0, -1.0, 4.0, 6.0]]
    return np.concatenate(parts).astype(dtype)


def ulps(exact, found):
    """The largest error in units of the last place; those of subnormal numbers are all the same."""
    rounded = np.array([float(v) for v in exact]).astype(found.dtype)
    np.testing.assert_array_equal(np.isinf(found), np.isinf(rounded))
    return max(
        abs(mpmath.mpf(float(a)) - e) / mpmath.mpf(float(np.spacing(abs(r))))
        for a, e, r in zip(found, exact, rounded, strict=True) if np.isfinite(r)
    )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CARRIED)
@np.errstate(all="ignore")
def test_every_digit_is_kept_from_tail_to_tail(name, dtype, in_vectors):
    """Subnormal values included: there scipy's erfc is 0 already."""
    function, truth, allowed = CARRIED[name]
    x = sweep(dtype)
    with mpmath.workdps(40):
        exact = [truth(mpmath.mpf(float(v))) for v in x]
        assert ulps(exact, function(x)) <= allowed[dtype == np.float32]
        few = [function(x[k : k + FEW]) for k in range(0, len(x), FEW)]
        assert ulps(exact, np.concatenate(few)) <= 4


SPECIAL = {
    "erf": [0.0, -0.0, 1.0, -1.0, np.nan, 1.0, -1.0],
    "erfc": [1.0, 1.0, 0.0, 2.0, np.nan, 0.0, 2.0],
    "erfcx": [1.0, 1.0, 0.0, np.inf, np.nan, 0.0, np.inf],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CARRIED)
@np.errstate(all="ignore")
def test_zeros_infinities_and_nan(name, dtype, in_vectors):
    large = np.finfo(dtype).max
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, large, -large], dtype)
    wanted = np.array(SPECIAL[name], dtype)
    for times in (1, MANY):
        found = CARRIED[name][0](np.repeat(x, times))
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.repeat(wanted, times))
        np.testing.assert_array_equal(np.signbit(found), np.signbit(np.repeat(wanted, times)))


@np.errstate(all="ignore")
def test_erf_is_odd_and_neither_leaves_its_range(in_vectors):
    for dtype in DTYPES:
        x = np.linspace(0, 30, 100_001, dtype=dtype)
        assert np.array_equal(special.erf(-x), -special.erf(x))
        assert special.erf(x).max() == 1 and special.erfc(x).max() == 1
        assert special.erfc(-x).max() == 2 and special.erfc(x).min() == 0


LAYOUTS = {
    "none": lambda x: x[:0].reshape(3, 0),
    "one": lambda x: x[:1].reshape(()),
    "turned": lambda x: x.reshape(-1, 50).T,
    "backwards": lambda x: x[::-2],
    "stretched": lambda x: np.broadcast_to(x[:50, None], (50, 30)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CARRIED)
def test_operands_of_any_layout_are_read_alone(name, dtype, layout, in_vectors):
    function = CARRIED[name][0]
    x = LAYOUTS[layout](np.linspace(-3, 3, 2 * MANY, dtype=dtype))
    given = x.copy()
    x.flags.writeable = False
    found = function(x)
    assert found.dtype == dtype and found.shape == x.shape
    np.testing.assert_array_equal(x, given)
    spares = 3 if name == "erf" else 5
    for out in (np.empty_like(given), given):  # into other memory, and over the operand
        spare = [np.full_like(given, 7) for _ in range(spares)]
        assert function(x if out is not given else given, spare=spare, out=out) is out
        np.testing.assert_array_equal(out, found)


@pytest.mark.parametrize("count", [3, MANY])
def test_integers_are_converted(count):
    k, values = gc.input("k", ("n",), "int64"), np.arange(count) % 7 - 3
    for f in (gc.erf, gc.erfc, gc.ndtr, gc.gelu):
        wanted = gc.evaluate(f(k), {k: values})
        np.testing.assert_allclose(gc.compile(f(k))(values), wanted, rtol=1e-14)
        np.testing.assert_allclose(wanted, gc.evaluate(f(gc.constant(values * 1.0))), rtol=1e-14)


@pytest.mark.parametrize("n", [5, 100_000])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_programs_with_gradients_are_what_evaluate_says(dtype, n):
    x = gc.input("x", ("n",), dtype)
    z = gc.sum(gc.gelu(x) * gc.erf(x) + gc.erfc(x))
    outputs = [z, gc.grad(z, x)]
    values = np.random.default_rng(0).normal(size=n).astype(dtype)
    tolerance = 100 * np.finfo(dtype).eps
    wanted = gc.evaluate(outputs, {x: values})
    for found, value in zip(gc.compile(outputs)(values), wanted, strict=True):
        np.testing.assert_allclose(found, value, rtol=tolerance, atol=tolerance)


def test_scalars_are_pythons_own():
    s = gc.input("s", ())
    f = gc.compile(gc.erf(s) + 3 * gc.erfc(s))
    assert "math.erf(s)" in f.source and "math.erfc(s)" in f.source
    assert gc.compile(gc.erfc(s))(27.0) == 5.237048923789256e-319


def test_a_program_carries_what_it_calls_alone():
    x = gc.input("x", ("n",))
    by_erf, by_erfc = gc.erf(x), gc.erfc(x)
    assert "def erfc" not in gc.compile(by_erf).source
    assert "def fast_expm1" not in gc.compile(by_erfc).source


def test_scipys_functions_take_tensors():
    scipy_special = pytest.importorskip("scipy.special")
    x = np.linspace(-3, 3, 13)
    for name in ("erf", "erfc", "erfcx", "ndtr", "log_ndtr"):
        function = getattr(scipy_special, name)
        np.testing.assert_allclose(gc.jit(lambda v, f=function: f(v))(x), function(x), rtol=1e-14)


def test_gelu_is_exact_or_by_tanh():
    x, values = gc.input("x", ("n",)), np.linspace(-5, 5, 21)
    exact = [float(v * mpmath.ncdf(v)) for v in values]
    by_tanh = 0.5 * values * (1 + np.tanh(np.sqrt(2 / np.pi) * (values + 0.044715 * values**3)))
    for given in ({}, {"approximate": False}, {"approximate": "none"}):
        np.testing.assert_allclose(gc.evaluate(gc.gelu(x, **given), {x: values}), exact, rtol=1e-14)
    for approximate in (True, "tanh"):
        found = gc.evaluate(gc.gelu(x, approximate=approximate), {x: values})
        np.testing.assert_allclose(found, by_tanh, rtol=1e-9, atol=1e-12)
    with pytest.raises(gc.ArgumentError, match="approximate= is False, or \"none\""):
        gc.gelu(x, approximate="erf")
    with pytest.raises(gc.ArgumentError, match="approximate= is False.* not <x: "):
        gc.gelu(x, x)  # it was asked for its truth value


SPELLINGS = {
    "halves": lambda x: 0.5 * (1 + gc.erf(x / np.sqrt(2))),
    "a half of each": lambda x: gc.erf(x / np.sqrt(2)) / 2 + 0.5,
    "less the rest": lambda x: 1 - 0.5 * gc.erfc(x / np.sqrt(2)),
    "the other way": lambda x: 0.5 * (1 - gc.erf(-x / np.sqrt(2))),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_normal_distribution_keeps_its_digits_however_it_is_spelled(name):
    """Written so, nothing but rounding errors is left from -8 on."""
    x, values = gc.input("x", ("n",)), np.array([-30.0, -9.0, -1.0, 0.0, 2.0, 9.0])
    wanted = [float(mpmath.ncdf(v)) for v in values]
    np.testing.assert_allclose(gc.compile(SPELLINGS[name](x))(values), wanted, rtol=1e-12)


def test_the_log_of_the_normal_distribution_has_a_gradient_in_both_tails():
    """There the distribution itself is 0, and its log -inf with a slope of 0 / 0."""
    x, values = gc.input("x", ("n",)), np.array([-1e8, -60.0, -9.0, -0.1, 0.0, 1.0, 12.0, 37.0])
    z = gc.log_ndtr(x)
    slope = gc.grad(gc.sum(z), x)
    f = gc.compile([z, slope, gc.grad(gc.sum(slope), x)], inputs=[x])
    with mpmath.workdps(60):
        exact = []
        for v in map(mpmath.mpf, values):
            below, above = (mpmath.erfc(k * v / mpmath.sqrt(2)) / 2 for k in (-1, 1))
            value = mpmath.log(below) if v < 0 else mpmath.log1p(-above)
            slope = mpmath.npdf(v) / below
            exact.append([value, slope, -(v + slope) * slope])
    logs, slopes, curves = np.array(exact, np.float64).T
    for found in (f(values), gc.evaluate(f.graph.outputs, {x: values})):
        np.testing.assert_allclose(found[0], logs, rtol=1e-11)
        np.testing.assert_allclose(found[1], slopes, rtol=1e-11)
        np.testing.assert_allclose(found[2][1:], curves[1:], rtol=1e-8)


LOGS = {
    "log_ndtr": gc.log_ndtr,
    "log(ndtr)": lambda z: gc.log(gc.ndtr(z)),
    "by erf": lambda z: gc.log(0.5 * (1 + gc.erf(z / np.sqrt(2)))),
    "by erf, halved": lambda z: gc.log((1 + gc.erf(z / np.sqrt(2))) / 2),
    "the other tail": lambda z: gc.log(1 - gc.ndtr(-z)),
}


@pytest.mark.parametrize("name", LOGS)
def test_a_probit_regression_has_a_finite_loss_far_out_however_it_is_spelled(name):
    X, sign, w = gc.input("X", ("n", 2)), gc.input("sign", ("n",)), gc.input("w", (2,))
    loss = -gc.mean(LOGS[name](sign * (X @ w)))
    f = gc.compile([loss, gc.grad(loss, w)], inputs=[X, sign, w])
    values, gradient = f([[300.0, 1.0], [-2.0, 500.0]], [-1.0, 1.0], [1.0, 1.0])
    np.testing.assert_allclose(values, (301**2 / 2 + np.log(301 * np.sqrt(2 * np.pi))) / 2)
    np.testing.assert_allclose(gradient, [301 * 300 / 2, 301 / 2], rtol=1e-4)


def test_bounds_are_known():
    x, p = gc.input("x", ("n",)), gc.input("p", ("n",), positive=True)
    for z, low, high in (
        (gc.erf(x), -1, 1), (gc.erfc(x), 0, 2), (gc.erfc(p), 0, 1), (gc.erfc(-p), 1, 2),
    ):  # fmt: skip
        assert "clip" not in gc.compile(gc.clip(z, low, high)).graph.count()


def test_erfc_that_cannot_vanish_stays():
    """Its log and the slope of that need nothing dearer there."""
    x = gc.input("x", ("n",), between=(-3, 3))
    z = gc.log(gc.erfc(x))
    f = gc.compile([z, gc.grad(gc.sum(z), x)])
    assert "erfcx" not in f.graph.count() and "where" not in f.graph.count()
