"""Gradients of one example each: what is made of them costs little more than the batch's."""

import functools
import tracemalloc

import numpy as np
import pytest

import graphc as gc
from graphc.passes.cost import flops, peak_bytes
from graphc.shapes import number

n, d, h, k = gc.dims("n d h k")
SIZES = {n: 64, d: 784, h: 256, k: 10}


def network(dtype):
    """Two layers and the cross-entropy of one example."""
    x, label = gc.input("x", (d,), dtype), gc.input("label", (), "int64")
    weights = [
        gc.input(name, shape, dtype)
        for name, shape in {"W1": (d, h), "b1": (h,), "W2": (h, k), "b2": (k,)}.items()
    ]
    W1, b1, W2, b2 = weights
    scores = gc.tanh(x @ W1 + b1) @ W2 + b2
    loss = gc.logsumexp(scores) - gc.take_along_axis(scores, label[None])[0]
    return x, label, weights, loss


@functools.cache
def programs(dtype):
    """The gradient of the batch, those of each example, and what people make of these."""
    x, label, weights, loss = network(dtype)
    batch = {x: gc.input("X", (n, d), dtype), label: gc.input("labels", (n,), "int64")}
    inputs = [*batch.values(), *weights]
    each = gc.vectorize(gc.grad(loss, weights), batch)
    mean = gc.grad(gc.mean(gc.vectorize(loss, batch)), weights)
    norms = gc.sqrt(sum(gc.sum(g**2, axis=tuple(range(1, g.ndim))) for g in each))
    factor = gc.minimum(1.0, 1.0 / norms)
    factors = [gc.reshape(factor, (n,) + (1,) * (g.ndim - 1)) for g in each]
    outputs = {
        "mean": mean,
        "each": each,
        "norms": norms,
        "clipped": [gc.sum(c * g, axis=0) for c, g in zip(factors, each, strict=True)],
        "second moment": [gc.mean(g**2, axis=0) for g in each],
    }
    outputs["all of them"] = [outputs[name] for name in ("mean", "norms", "clipped")]
    return {name: gc.compile(v, inputs=inputs) for name, v in outputs.items()}


def values(dtype, sizes):
    """Arguments in the order of the inputs."""
    rng = np.random.default_rng(0)
    rows, features, hidden, classes = sizes
    shapes = (features, hidden), (hidden,), (hidden, classes), (classes,)
    images = rng.normal(size=(rows, features)).astype(dtype)
    weights = [(rng.normal(size=shape) * 0.1).astype(dtype) for shape in shapes]
    return [images, rng.integers(0, classes, rows), *weights]


REDUCED = ["norms", "clipped", "second moment", "all of them"]
both_precisions = pytest.mark.parametrize("dtype", ["float64", "float32"])


@both_precisions
def test_they_are_what_follows_from_the_gradients_themselves(dtype):
    """The reductions against NumPy's of the gradients, and these against the loop."""
    found = programs(dtype)
    at = values(dtype, (6, 5, 4, 3))
    got = {name: f(*at) for name, f in found.items()}
    each = got["each"]
    x, label, weights, loss = network(dtype)
    one = gc.compile(gc.grad(loss, weights), inputs=[x, label, *weights])
    looped = [one(at[0][row], at[1][row], *at[2:]) for row in range(6)]
    norms = np.sqrt(sum(np.sum(g.reshape(6, -1) ** 2, axis=1) for g in each))
    factor = np.minimum(1, 1 / norms)
    expected = {
        "each": [np.stack(rows) for rows in zip(*looped, strict=True)],
        "norms": [norms],
        "clipped": [np.tensordot(factor, g, 1) for g in each],
        "second moment": [np.mean(g**2, axis=0) for g in each],
        "mean": [np.mean(g, axis=0) for g in each],
    }
    assert 0 < np.sum(factor < 1) < 6
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for name, wanted in expected.items():
        actual = got[name] if isinstance(got[name], list) else [got[name]]
        for value, want in zip(actual, wanted, strict=True):
            assert value.dtype == dtype
            np.testing.assert_allclose(value, want, rtol=tolerance, atol=tolerance)


@both_precisions
def test_what_is_made_of_them_costs_no_three_gradients_of_the_batch(dtype):
    """Of 64 examples' gradients by 784 x 256 weights none is built: flops and bytes say so."""
    found = programs(dtype)
    largest = n * d * h
    work = {name: number(flops(f.graph), SIZES) for name, f in found.items()}
    bytes_ = {name: number(peak_bytes(f.graph), SIZES) for name, f in found.items()}
    assert largest in [v.type.size for v in found["each"].graph.nodes]
    for name in REDUCED:
        assert [] == [v for v in found[name].graph.nodes if v.ndim > 2]
        assert work[name] < 2 * work["mean"]
        assert bytes_[name] < 3 * bytes_["mean"]
    assert work["each"] < 2 * work["mean"]


def test_their_memory_is_what_was_promised():
    """Measured: the gradients themselves take 100 MB in float64, their norms not one of it."""
    found = programs("float64")
    at = values("float64", (64, 784, 256, 10))
    peaks = {}
    for name in ("mean", "norms", "clipped", "second moment"):
        found[name](*at)  # the workspace is kept
        tracemalloc.start()
        found[name](*at)
        peaks[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks["norms"] < 1e6
    assert peaks["clipped"] < 2 * peaks["mean"] > peaks["second moment"]
