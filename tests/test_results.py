"""Results that are written over what they are computed from have no array besides."""

import tracemalloc

import numpy as np
import pytest
from answers import all_is_large

import graphc as gc
from graphc.plan.carried import arrays

n, d = gc.dims("n d")
X, Y = gc.input("X_over", (n, d)), gc.input("Y_over", (n, d))
W, V = gc.input("W_over", (d, d)), gc.input("V_over", (d, d))


def decayed():
    """A weight's gradient with decay is the product, and something is added where it lies."""
    return [X.T @ Y + 0.1 * W]


def two_alike():
    """Both regions are one function; the second reads its product once more, after the region."""
    first, second = X.T @ Y, W @ V
    return [first + 0.1 * W, second + 0.1 * V, second @ V]


def read_twice():
    """A product that a step in the middle reads and the last one too."""
    p = X @ W
    return [gc.tanh(p) * gc.exp(-gc.tanh(p)) + p]


def through_a_view():
    """What is read in another order is not written over."""
    p = W @ V
    return [p.T * 2 + p]


def both_of_one():
    """Two results of one region end the same product: one of them takes its array."""
    p = X @ W
    return [p + 1, p * 2]


def product_that_is_returned():
    """The caller gets the product too: it stays as it is."""
    p = X @ W
    return [p, p + 1]


def beside_its_mirror():
    """A choice that may lie where both lie that it is among."""
    p = gc.exp(X)
    return [gc.where(Y > 0, p, gc.flip(p, axis=1)), gc.where(Y > 1, gc.flip(p, axis=1), p) + 1]


CASES = (
    decayed, two_alike, read_twice, through_a_view, both_of_one, product_that_is_returned,
    beside_its_mirror,
)  # fmt: skip
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)


def values(size):
    rng = np.random.default_rng(size)
    shape = {n: size, d: 5}
    return {v: rng.standard_normal([shape[s] for s in v.shape]) for v in (X, Y, W, V)}


@each_case
@pytest.mark.parametrize("size", (0, 1, 7, 60))
def test_what_is_written_over_an_operand_is_right_again_and_again(case, size, monkeypatch):
    """In tiles, on threads, and in the second call too, whose results are other arrays."""
    all_is_large(monkeypatch, tile_bytes=256)
    outputs, at = case(), values(size)
    f = gc.compile(outputs, inputs=list(at))
    wanted = gc.evaluate(outputs, at)
    first, second = f(*at.values()), f(*at.values())
    for results in (first, second):
        for found, right in zip(results, wanted, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-12)
    arrays = [*first, *second, *at.values()]
    assert not any(np.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])


def test_a_gradient_with_decay_takes_one_array():
    """The product is made in the array that the caller gets; no workspace holds another."""
    f = gc.compile(decayed())
    assert 1 == len(f.plan.over) and not f.plan.slots
    A = np.ones((3, 2_000))
    f(A, A, np.ones((2_000, 2_000)))
    size = 2_000 * 2_000 * 8
    tracemalloc.start()
    try:
        f(A, A, np.ones((2_000, 2_000)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.4 * size  # the argument, the result, tiles


def test_what_is_read_later_is_not_written_over():
    """Of two alike the one that is needed afterwards keeps its memory."""
    assert 1 == len(gc.compile(two_alike()).plan.over)
    assert not gc.compile(through_a_view()).plan.over
    assert not gc.compile(product_that_is_returned()).plan.over


PLACES = (
    np.s_[1:], np.s_[:-1], np.s_[2:5], np.s_[3:3], np.s_[5:2], np.s_[-4:-1], np.s_[::2],
    np.s_[:, 1:], np.s_[4],
)  # fmt: skip


@pytest.mark.parametrize("index", PLACES, ids=str)
def test_what_is_placed_has_zeros_around_it(index):
    """Also in memory that held something else."""
    wanted = np.zeros((6, 3))
    x = np.arange(1.0, 1 + wanted[index].size).reshape(wanted[index].shape)
    wanted[index] = x
    for out in (None, np.full((6, 3), np.nan)):
        np.testing.assert_array_equal(arrays.place(x, (6, 3), index, out), wanted)
