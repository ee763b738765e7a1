"""The four objectives that automatic differentiation is measured on: every derivative, element by
element."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.check import complex_step

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    """An example file as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def agree(actual, expected):
    """1e-9 of each element, or of a millionth of the largest."""
    np.testing.assert_allclose(
        actual, expected, rtol=1e-9, atol=1e-15 * max(1.0, np.max(np.abs(expected)))
    )


def traced(function, values, static=()):
    inputs, v = gc.trace(function, *values)
    return inputs, v, dict(zip(inputs, values, strict=True))


def test_the_gradient_of_the_gaussian_mixture():
    """By the logarithms of the weights, the means, and the factors of the inverse covariances."""
    module = example("gaussian_mixture")
    values = module.problem(n=20, d=3, k=4)
    inputs, v, at = traced(module.objective, values)
    assert module.objective(*values) == pytest.approx(gc.evaluate(v, at), rel=1e-13)
    slopes = gc.value_and_grad(module.objective, (0, 1, 2))(*values)[1]
    for x, slope in zip(inputs, slopes, strict=False):
        agree(slope, complex_step(v, x, at))


def test_the_jacobian_of_bundle_adjustment():
    """15 parameters meet in a row; the one of the other axis' principal point cancels from the
    graph."""
    module = example("bundle_adjustment")
    cameras, points, weights, *seen = module.problem(n=3, m=5, p=12)
    assert not cameras[0, :3].any()
    derive = module.jacobian(*seen, len(cameras), len(points))
    matrix = derive(cameras, points, weights)
    assert [14] * 24 == np.diff(matrix.indptr).tolist()
    inputs, v = gc.trace(lambda c, x, w: module.residuals(c, x, w, *seen), cameras, points, weights)
    at = dict(zip(inputs, (cameras, points, weights), strict=True))
    expected = [complex_step(v, x, at).reshape(24, -1) for x in inputs]
    agree(matrix.toarray(), np.hstack(expected))


def test_bundle_adjustment_at_the_angle_0_has_the_derivative_of_the_limit():
    """Rodrigues' formula divides by the angle; there the derivative by the axis is the cross
    product."""
    module = example("bundle_adjustment")
    point = np.array([[1.0, 2.0, 3.0]])
    slope = gc.jacobian_fn(lambda axis: module.rotated(axis, point))(np.zeros((1, 3)))
    expected = [np.cross(unit, point[0]) for unit in np.eye(3)]
    np.testing.assert_allclose(slope[0, :, 0, :], np.transpose(expected), atol=1e-15)


def test_the_jacobian_of_hand_tracking_is_26_wide():
    """Forward mode, all 26 columns at once."""
    module = example("hand_tracking")
    values = module.problem(vertices=40)
    inputs, v, at = traced(module.errors, values)
    assert "forward" == gc.jacobian_mode(v, inputs[0]).name
    matrix = gc.jacobian_fn(module.errors)(*values)
    assert (40, 3, 26) == matrix.shape
    agree(matrix, complex_step(v, inputs[0], at))


def test_the_gradient_of_the_character_model_through_512_steps():
    """A graph of some 25,000 nodes: no loop in the program, and no recursion in graphc."""
    module = example("character_model")
    values = module.problem(steps=512, width=2)
    inputs, v, at = traced(module.objective, values)
    slopes = gc.evaluate(gc.grad(v, inputs[:2]), at)
    for x, slope in zip(inputs, slopes, strict=False):
        agree(slope, complex_step(v, x, at))
