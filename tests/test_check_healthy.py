"""Healthy graphs at hard points: kinks, cancellation, extreme scales, float32. None is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

SINGLE = np.float32
RNG = np.random.default_rng(7)
A, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 5))
TIED = [[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]]


def s(x: Any) -> Any:
    return gc.sum(x)


def network(x: Any, w: Any, b: Any) -> Any:
    return gc.mean(gc.square(gc.relu(x @ w + b)))


def layers(x: Any) -> Any:
    for _ in range(60):
        x = gc.sin(x) * 1.1 + 0.1
    return s(x)


def variance(x: Any) -> Any:
    """The textbook formula, which cancels."""
    return gc.mean(x**2) - gc.mean(x) ** 2


def root(x: Any) -> Any:
    return s(gc.where(x > 0, gc.sqrt(x), 0))


# The function, its arguments, and what may be said of its gradient; float64 unless they are not.
HEALTHY: dict[str, tuple[Any, list[Any], str]] = {
    # smooth
    "polynomial": (lambda x: s(x**3 - 2 * x), [[1.0, -2.0, 0.5]], "right"),
    "network": (lambda x, w, b: s(gc.tanh(x @ w + b)), [A, B, B[0]], "right"),
    "deep": (layers, [[0.1, 0.5]], "right"),
    "softmax": (lambda x: s(gc.log_softmax(x)[:, 0]), [A], "right"),
    "constant-in-one": (lambda x, y: s(x * x) + 0 * s(y), [[1.0, 2.0], [3.0]], "right"),
    "products-with-zeros": (lambda x: gc.prod(x), [[0.0, 2.0, 3.0]], "right"),
    "running-products-with-zeros": (lambda x: s(gc.cumulative_prod(x)), [[2.0, 0.0, 3.0]], "right"),
    "soft-corner": (lambda x: s(gc.sqrt(x**2 + 1e-6)), [[0.0, 1e-4, 1.0]], "right"),
    "softer-corner": (lambda x: s(gc.sqrt(x**2 + 1e-12)), [[0.0, 1e-7]], "right"),
    "beside-a-kink": (lambda x: s(gc.abs(x)), [[1e-9, -1e-7, 1e-3]], "right"),
    "beside-a-step": (lambda x: s(gc.floor(x) * x), [[0.999999, 2.5]], "right"),
    "power-at-zero": (lambda x: s(x**2), [[0.0, 0.0]], "right"),
    "guarded-branch": (root, [[-1.0, 2.0]], "right"),
    "masked-nan": (lambda x: s(gc.where(gc.isfinite(x), x, 0) ** 2), [[1.0, 2.0]], "right"),
    "stopped": (lambda x: s(gc.stop_gradient(gc.exp(x)) * x), [[0.3, 1.0]], "right"),
    "gathered": (lambda x: s(gc.take(x, [0, 0, 1]) ** 2), [[1.0, 2.0, 3.0]], "right"),
    "many-elements": (lambda x: gc.mean(gc.softplus(x)), [RNG.normal(size=3000)], "right"),
    "no-elements": (lambda x: s(x**2) + 1, [[]], "right"),
    "a-tensor": (lambda x: gc.exp(x), [[0.5, 1.0]], "right"),
    # kinks
    "relu-at-0": (lambda x: s(gc.relu(x)), [[0.0, 1.0]], "kink"),
    "abs-at-0": (lambda x: s(gc.abs(x)), [[0.0, -1.0]], "kink"),
    "tie-of-two": (lambda x, y: s(gc.maximum(x, y)), [[1.0, 2.0], [1.0, 0.0]], "kink"),
    "tie-with-itself": (lambda x: s(gc.maximum(x, x)), [[1.0, 2.0]], "right kink"),
    "tied-largest": (lambda x: s(gc.max(x, axis=1)), [TIED], "kink"),
    "tied-least": (lambda x: gc.min(x), [[1.0, 1.0, 2.0]], "kink"),
    "clip-at-its-bound": (lambda x: s(gc.clip(x, 0, 1)), [[0.0, 1.0, 0.5]], "kink"),
    "norm-at-0": (lambda x: gc.norm(x), [[0.0, 0.0]], "kink"),
    "hypot-at-0": (lambda x, y: gc.hypot(x, y), [0.0, 0.0], "kink"),
    "guarded-root-at-0": (root, [[0.0, 2.0]], "kink"),
    "kinks-that-cancel": (lambda x: s(gc.relu(x) - gc.relu(-x)), [[0.0, 1.0]], "kink"),
    "kink-behind-a-zero": (lambda x: s(gc.relu(x) ** 2), [[0.0, 1.0]], "right"),
    "new-network": (network, [A, np.zeros((3, 5)), np.zeros(5)], "right"),
    "step-at-its-edge": (lambda x: s(gc.floor(x) + x), [[1.0, 2.5]], "right"),
    "chosen-at-the-edge": (lambda x: s(gc.where(x > 0, x, 2 * x)), [[0.0, 1.0]], "kink"),
    # cancellation
    "large-and-small": (lambda x: s((1e12 + x) - 1e12), [[1e-3, 1.0]], "right"),
    "larger-and-small": (lambda x: s((1e16 + x) - 1e16), [[1.0, 3.0]], "right noisy"),
    "variance": (variance, [[1e6, 1e6 + 1, 1e6 + 2]], "right noisy"),
    "variance-far-off": (variance, [[1e9, 1e9 + 1, 1e9 + 2]], "right noisy"),
    "one-minus-cosine": (lambda x: s((1 - gc.cos(x)) / x**2), [[1e-4, 1e-6]], "right noisy"),
    "exp-minus-1": (lambda x: s(gc.log(gc.exp(x))), [[1e-10, 1e-3]], "right noisy"),
    "sum-that-cancels": (lambda x: s(x**3), [[1e8, -1e8, 1.0]], "right"),
    # scales
    "all-at-1e-12": (lambda x: s(x * gc.sin(x)), [[1e-12, 2e-12]], "right"),
    "all-at-1e12": (lambda x: s(gc.log(x) * x), [[1e12, 2e12]], "right"),
    "waves-at-1e12": (lambda x: s(gc.sin(x)), [[1e12, 2.5e12]], "right"),
    "waves-of-1e-12": (lambda x: s(gc.sin(x * 1e12)), [[1e-12, 3e-12]], "right"),
    "scales-together": (lambda x, y: s(x * y), [[1e-12, 1e12], [1e12, 1e-12]], "right"),
    "scales-added": (lambda x: s(x**2), [[1e-12, 1.0, 1e12]], "right"),
    "flat": (lambda x: s(gc.tanh(x)), [[30.0, -40.0]], "right noisy"),
    "overflow-nearby": (lambda x: s(gc.exp(x)), [[709.0, -745.0]], "right noisy"),
    "softplus-far": (lambda x: s(gc.softplus(x)), [[800.0, -800.0]], "right noisy"),
    "sigmoid-far": (lambda x: s(gc.sigmoid(x)), [[-900.0, 40.0]], "right noisy"),
    # float32
    "float32": (lambda x: s(gc.tanh(x) * x), [SINGLE([0.1, 1.0, -2.0])], "right"),
    "float32-network": (network, [SINGLE(A), SINGLE(B), SINGLE(B[0])], "right"),
    "float32-sum": (lambda x: gc.mean(gc.exp(x)), [SINGLE(RNG.normal(size=500))], "right"),
    "float32-cancels": (variance, [SINGLE([1000.0, 1001.0, 1002.0])], "right noisy"),
    "float32-at-1e-12": (lambda x: s(x * gc.sin(x)), [SINGLE([1e-12, 2e-12])], "right"),
    "float32-at-1e12": (lambda x: s(gc.log(x) * x), [SINGLE([1e12, 2e12])], "right"),
    "float32-kink": (lambda x: s(gc.relu(x)), [SINGLE([0.0, 1.0])], "kink"),
    "float32-cast": (lambda x: s(gc.astype(x, SINGLE) ** 2), [[0.1, 1.0]], "right"),
    "float32-softmax": (lambda x: s(gc.log_softmax(x)[:, 0]), [SINGLE(A)], "right"),
    # outside the domain
    "log-of-a-negative": (lambda x: s(gc.log(x)), [[-1.0, 1.0]], "outside"),
    "root-at-0": (lambda x: s(gc.sqrt(x)), [[0.0, 1.0]], "outside"),
    "divided-by-zero": (lambda x: s(1 / x), [[0.0, 1.0]], "outside"),
}  # fmt: skip


def checked(row: Any) -> gc.Report:
    build, values, _ = row
    arrays = [np.asarray(v, getattr(v, "dtype", float)) for v in values]
    inputs = [gc.input("xyz"[k], a.shape, a.dtype) for k, a in enumerate(arrays)]
    return gc.check(build(*inputs), inputs, dict(zip(inputs, arrays, strict=True)))


@pytest.mark.parametrize("row", HEALTHY.values(), ids=HEALTHY.keys())
def test_a_healthy_graph_is_not_called_wrong(row: Any) -> None:
    """Whatever the point: uncertain, on a kink, outside the domain, but never wrong."""
    report = checked(row)
    verdicts, expected = {r.verdict for r in report.rows}, set(row[-1].split())
    assert verdicts & expected and verdicts <= expected | {"right"}, f"\n{report}"
    report.raise_if_wrong()
