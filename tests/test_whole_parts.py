"""`//`, `%` and divmod are NumPy's, on floats and integers: values, signs of zero, inf and NaN."""

import itertools

import numpy as np
import pytest

import graphc as gc

NUMBERS = [
    0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 3.0, -3.5, 7.0, 1e300, 5e-324, 2.0**53, np.inf, -np.inf, np.nan
]  # fmt: skip
PAIRS = np.array(list(itertools.product(NUMBERS, repeat=2)))


def same(wanted, found):
    """To the bit, but for the sign of NaN."""
    wanted, found = np.asarray(wanted), np.asarray(found)
    assert wanted.dtype == found.dtype
    np.testing.assert_array_equal(found, wanted)
    if wanted.dtype.kind == "f":
        is_number = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.signbit(found)[is_number], np.signbit(wanted)[is_number])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("simplify", [True, False, "strict"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_of_floats_they_are_those_of_numpy(dtype, simplify):
    """In tiles and line by line: 1 // 0.1 is 9, since 0.1 is a little more than that."""
    x, y = gc.input("x", ("n",), dtype), gc.input("y", ("n",), dtype)
    f = gc.compile([x // y, x % y, *divmod(x, y)], simplify=simplify)
    for times in (1, 300):
        a, b = np.tile(PAIRS, (times, 1)).T.astype(dtype)
        for wanted, found in zip([a // b, a % b, *divmod(a, b)], f(a, b), strict=True):
            same(wanted, found)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_single_floats_are_divided_as_arrays_are():
    """Python raises where the divisor is 0; NumPy answers."""
    x, y = gc.input("x", ()), gc.input("y", ())
    f = gc.compile([x // y, x % y])
    for a, b in PAIRS.tolist():
        for wanted, found in zip(divmod(np.float64(a), np.float64(b)), f(a, b), strict=True):
            same(wanted, found)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_of_integers_they_are_those_of_numpy():
    """Dividing by 0 gives 0 there."""
    k, m = gc.input("k", ("n",), "int64"), gc.input("m", ("n",), "int64")
    a, b = np.array(list(itertools.product([0, 1, -1, 7, -7, 2**62], repeat=2))).T
    results = gc.compile([*divmod(k, m), 7 % m])(a, b)
    for wanted, found in zip([*divmod(a, b), 7 % b], results, strict=True):
        same(wanted, found)


def test_the_gradient_of_a_remainder_counts_the_divisor_as_often_as_it_was_taken_off():
    """d(x % y) = dx - (x // y) dy, in both modes and at both orders."""
    x, y = gc.input("x", ("n",)), gc.input("y", ("n",))
    left = gc.sum((x % y) ** 2)
    at = {x: [1.05, -2.3, 7.0], y: [0.1, 0.7, -1.9]}
    assert gc.check(left, [x, y], at=at).ok
    for slope in gc.grad(left, [x, y]):
        assert gc.check(gc.sum(slope * slope), [x, y], at=at).ok
    np.testing.assert_array_equal(
        [-10.0, 4.0, 4.0], gc.evaluate(gc.grad(gc.sum(x % y), y), at)
    )


def test_the_whole_part_has_no_gradient():
    """It is a step function."""
    x = gc.input("x", ())
    with pytest.raises(gc.Disconnected, match="floor_divide takes x"):
        gc.grad(x // 0.3, x)
