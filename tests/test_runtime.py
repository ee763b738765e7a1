"""What programs carry with them: functions that are NumPy's own, by other means."""

import numpy as np
import pytest

from graphc.plan import runtime

LONG = np.longdouble

# name: the formula with more digits, its dtype, and how many units of the last place it may be off
FUNCTIONS = {
    "sigmoid float32": (runtime.sigmoid, np.float32, lambda x: 1 / (1 + np.exp(-x)), 8),
    "sigmoid float64": (runtime.sigmoid, np.float64, lambda x: 1 / (1 + np.exp(-x)), 3),
    "softplus float32": (runtime.softplus, np.float32, lambda x: np.logaddexp(0, x), 5),
    "softplus float64": (runtime.softplus, np.float64, lambda x: np.logaddexp(LONG(0), x), 3),
    "log1p float32": (runtime.log1p_f32, np.float32, np.log1p, 4),
}


def numbers(dtype):
    """From all the bit patterns of a dtype: both zeros and infinities, NaN, subnormals."""
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}").type
    patterns = np.arange(1_000_003, dtype=unsigned) * unsigned(np.iinfo(unsigned).max // 1_000_003)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, 5e-324, -720.0, -100.0, 100.0, 720.0]
    return np.concatenate([patterns.view(dtype), np.array(special, dtype)])


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("out", ["new", "given", "in place"])
def test_a_function_is_as_good_as_its_formula_with_more_digits(name, out):
    function, dtype, formula, ulps = FUNCTIONS[name]
    x = numbers(dtype)
    with np.errstate(all="ignore"):
        exact = formula(x.astype(np.float64 if dtype == np.float32 else LONG))
        rounded = exact.astype(dtype)
        given = {"new": None, "given": np.empty_like(x), "in place": x.copy()}[out]
        found = function(given if out == "in place" else x, given)
        error = np.abs(found - exact) / np.spacing(np.abs(rounded))
    assert found.dtype == dtype and (given is None or found is given)
    is_finite = np.isfinite(rounded)
    np.testing.assert_array_equal(found[~is_finite], rounded[~is_finite])
    assert np.array_equal(np.signbit(found[rounded == 0]), np.signbit(rounded[rounded == 0]))
    assert error[is_finite].max() <= ulps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_single_numbers_are_as_the_elements_of_arrays(dtype):
    for x in (-720.0, -3.0, -0.0, 0.5, 100.0, np.inf):
        for function in (runtime.sigmoid, runtime.softplus):
            with np.errstate(all="ignore"):
                one, (element,) = function(dtype(x)), function(np.array([x], dtype))
            assert one.dtype == dtype and np.isclose(one, element, rtol=1e-6, atol=0)


ARRAYS = {
    "short rows": np.arange(6000.0).reshape(600, 10),
    "stacks of short rows": np.arange(12000.0, dtype=np.float32).reshape(4, 300, 10) - 5000,
    "long rows": np.arange(8000.0).reshape(2, 4000),
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
            found = runtime.summed(x, axis, keepdims, out)
            assert found.shape == exact.shape and found.dtype == x.dtype
            np.testing.assert_allclose(found, exact, rtol=1e-12 if x.dtype == "f8" else 1e-5)
        np.testing.assert_array_equal(given, found)
