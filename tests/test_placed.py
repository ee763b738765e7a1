"""Sums of places: what slices give back is added up in one array, where it lies."""

import numpy as np
import pytest

import graphc as gc
from graphc.plan.arranged.placed import placed
from graphc.plan.carried import tiling
from graphc.plan.program import small_sizes

n, m = gc.dims("n m")
x, X = gc.input("x_of_places", (n,)), gc.input("X_of_places", (n, m))
y, Y = gc.input("y_of_places", (n,)), gc.input("Y_of_places", (7, 3))


def gradient(value, wrt):
    return gc.grad(gc.sum(gc.sin(value)), wrt)


def laplacian():
    around = X[2:, 1:-1] + X[:-2, 1:-1] + X[1:-1, 2:] + X[1:-1, :-2]
    return gradient(around - 4 * X[1:-1, 1:-1], X)


def unrolled():
    state = Y[0]
    for t in range(7):
        state = gc.tanh(state * Y[t] + Y[-1, ::-1])
    return gradient(state, Y)


def beside_others():
    """Terms that lie in no place stand before, between and after."""
    return gc.tanh(y) + gradient(x[1:] * x[:-1], x) + y**2 + gradient(x[:-2] * x[2:], x) + y


def within_rows():
    return gradient(X[:, 1:] * X[:, :-1], X)


def read_twice():
    """A place that somebody else reads is there in any case."""
    ends = gradient(x[1:] * x[:-1], x)
    return ends * gc.exp(gradient(x[2:] * x[:-2], x) + ends)


def beginning_together():
    """No two of what starts at one place follow one another: they are added, not joined."""
    parts = Y[:1], Y[:2], Y[:2] * 3, Y[:1] * 2, Y[1:]
    return sum((gradient(part, Y) for part in parts[1:]), gradient(parts[0], Y))


# What a graph has left of places, and of sums of them.
SUMS = {
    laplacian: (0, 1), unrolled: (0, 1), beside_others: (0, 2), within_rows: (0, 1),
    read_twice: (0, 2), beginning_together: (0, 1),
}  # fmt: skip
each = pytest.mark.parametrize("formula", SUMS, ids=lambda f: f.__name__)


def values(rows):
    rng = np.random.default_rng(rows)
    shapes = {x: rows, y: rows, X: (rows, 5), Y: (7, 3)}
    # Of so different sizes that the order of a sum shows in its digits.
    return {v.name: rng.normal(size=s) * 10.0 ** rng.integers(-9, 9, s) for v, s in shapes.items()}


@each
def test_one_step_for_a_sum_of_places(formula):
    counts = placed(gc.Graph([formula()])).count()
    assert (counts.get("place", 0), counts.get("places", 0)) == SUMS[formula]


@each
@pytest.mark.parametrize("rows", [3, 4, 50, 30_001])
@pytest.mark.parametrize("threads", [1, 3])
def test_numbers_stay_what_they_are(formula, rows, threads, monkeypatch):
    """Terms are added in their order, in the lines for small arrays and in the plan."""
    monkeypatch.setattr(tiling, "THREAD_WORK", 0)
    monkeypatch.setattr(small_sizes, "SMALL", 30)
    monkeypatch.setattr(small_sizes, "LEAST_SMALL", 30)
    graph = gc.Graph([formula()])
    given = {k: v for k, v in values(rows).items() if k in {p.name for p in graph.parameters}}
    (want,) = (gc.evaluate(v, given) for v in graph.outputs)
    (merged,) = (gc.evaluate(v, given) for v in placed(graph).outputs)
    np.testing.assert_array_equal(want, merged)
    f = gc.compile(graph.outputs[0], threads=threads)
    got = f(**given)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(got, f(**given))


def test_what_a_region_gives_is_computed_where_it_will_lie():
    """It is written into a part of the result, and not copied there; nor is it in memory twice."""
    f = gc.compile(gradient(x[1:] * x[:-1], x))
    (whole,) = f.graph.outputs
    part = whole.inputs[0]
    assert f.plan.within == {part: whole}
    assert len(f.plan.slots) == 1 and part not in f.plan.place
    assert "new array" in str(f.plan)


def test_strictly_a_zero_keeps_its_sign():
    """-0 at one place is 0 beside the zeros of another; so no place is left out of the sum."""
    slope = gc.grad(gc.sum(x[1:] * y[1:]) + gc.sum(x[:-1] * y[1:]), x)
    given = {"y_of_places": np.full(3, -0.0)}
    want = gc.evaluate(slope, given)
    strict = gc.compile(slope, simplify="strict")
    assert "places" not in strict.graph.count()
    np.testing.assert_array_equal(np.signbit(want), np.signbit(strict(**given)))
