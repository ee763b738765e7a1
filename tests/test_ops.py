"""The laws: every op record times every law. A new op adds examples to its record, no code here.

The laws stand in `graphc/check`, where `gc.check_op` tries them on the records of others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.check.laws import LAWS, Law
from graphc.ir import Node, Op

FAMILIES = {"leaf", "elementwise", "layout", "pad", "reduce", "contract", "linalg", "index", "scan"}
RECORDS = sorted(gc.OPS.values(), key=lambda op: op.name)

# For records of others, whose text need not go on into the complex plane: it says what the complex
# step says, less sharply, in twenty times the time.
LESS_SHARP = "gradient_by_differences"


def cases(law: Law, op: Op) -> list[tuple[int, ...]]:
    """The examples that a law is tried on, or once none."""
    return [(k,) for k in range(len(op.examples))] if law.is_by_example else [()]


TRIALS = {
    "-".join(map(str, (name, op.name, *case))): (law, op, case)
    for name, law in LAWS.items() if name != LESS_SHARP
    for op in filter(law.applies, RECORDS)
    for case in cases(law, op)
}  # fmt: skip


@pytest.mark.parametrize(("law", "op", "case"), TRIALS.values(), ids=TRIALS.keys())
def test_a_record_keeps_a_law(law: Law, op: Op, case: tuple[int, ...]) -> None:
    """What each law says, and why, stands where it is written."""
    law(op, *case)


@pytest.mark.parametrize("op", RECORDS, ids=lambda op: op.name)
def test_the_family_is_known(op: Op) -> None:
    """Passes and plans treat the ops of one family alike."""
    assert op.family in FAMILIES


# -- kinks and guards -------------------------------------------------------------------------


def derivatives(build: Any, at: Any, orders: int, by: int = 0) -> list[Any]:
    """f's derivatives by one argument: each order is the gradient of the sum of the one before."""
    values = [np.asarray(v, np.float64) for v in at]
    inputs = [gc.input(f"x{i}", v.shape) for i, v in enumerate(values)]
    found = [build(*inputs)]
    for _ in range(orders):
        found.append(gc.grad(gc.sum(found[-1]), inputs[by], disconnected="zero"))
    return gc.evaluate(found[1:], dict(zip(inputs, values, strict=True)))  # type: ignore[no-any-return]


INF, NAN = np.inf, np.nan
HALF, THIRD = 0.5, 1 / 3

# What is differentiated, where, by which argument, and its derivatives of order 1, 2 and 3.
KINKS = {
    "where-inf": (lambda x: gc.where(x > 0, gc.sqrt(x), x), [0.0], 0, 1, 0, 0),
    "where-nan": (lambda x: gc.where(x > 0, gc.log(x), x), [-1.0], 0, 1, 0, 0),
    "where-other-branch": (lambda x: gc.where(x <= 0, 2 * x, gc.log(x)), [0.0], 0, 2, 0, 0),
    "abs": (gc.abs, [0.0], 0, 0, 0, 0),
    "abs-left": (gc.abs, [-2.0], 0, -1, 0, 0),
    "sign": (gc.sign, [0.0], 0, 0, 0, 0),
    "relu": (gc.relu, [0.0], 0, 0, 0, 0),
    "relu-square": (lambda x: gc.relu(x) ** 2, [0.0], 0, 0, 0, 0),
    "maximum-first": (gc.maximum, [1.0, 1.0], 0, HALF, 0, 0),
    "maximum-second": (gc.maximum, [1.0, 1.0], 1, HALF, 0, 0),
    "maximum-both": (lambda x: gc.maximum(x, x), [1.0], 0, 1, 0, 0),
    "minimum-first": (gc.minimum, [1.0, 1.0], 0, HALF, 0, 0),
    "minimum-second": (gc.minimum, [1.0, 1.0], 1, HALF, 0, 0),
    "max": (gc.max, [[1.0, 3.0, 3.0, 3.0]], 0, [0, THIRD, THIRD, THIRD], [0] * 4, [0] * 4),
    "max-square": (lambda x: gc.max(x) ** 2, [[3.0, 3.0]], 0, [3, 3], [1, 1], [0, 0]),
    "min": (gc.min, [[1.0, 1.0, 3.0]], 0, [HALF, HALF, 0], [0] * 3, [0] * 3),
    "max-axis": (
        lambda x: gc.max(x, axis=0), [[[1.0, 5.0], [1.0, 2.0]]], 0,
        [[HALF, 1], [HALF, 0]], np.zeros((2, 2)), np.zeros((2, 2)),
    ),
    "sort": (
        lambda x: gc.sort(x) * gc.constant([1.0, 2.0, 4.0]), [[3.0, 1.0, 1.0]], 0,
        [4, 1, 2], [0] * 3, [0] * 3,
    ),
    "sort-descending": (
        lambda x: gc.sort(x, descending=True)[0], [[3.0, 1.0, 3.0]], 0, [1, 0, 0], [0] * 3, [0] * 3,
    ),
    "median": (gc.median, [[2.0, 2.0, 1.0]], 0, [1, 0, 0], [0] * 3, [0] * 3),
    "median-of-two": (gc.median, [[2.0, 2.0]], 0, [HALF, HALF], [0] * 2, [0] * 2),
    "clip-low": (lambda x: gc.clip(x, 0, 1), [0.0], 0, 1, 0, 0),
    "clip-high": (lambda x: gc.clip(x, 0, 1), [1.0], 0, 1, 0, 0),
    "clip-outside": (lambda x: gc.clip(x, 0, 1), [1.5], 0, 0, 0, 0),
    "clip-by-low": (lambda x, low: gc.clip(x, low, 2), [1.0, 1.0], 1, 0, 0, 0),
    "clip-by-high": (lambda x, high: gc.clip(x, 0, high), [1.0, 1.0], 1, 0, 0, 0),
    "norm": (gc.norm, [[0.0, 0.0]], 0, [0, 0], [0, 0], [0, 0]),
    "hypot": (gc.hypot, [0.0, 0.0], 0, 0, 0, 0),
    "hypot-second": (gc.hypot, [0.0, 0.0], 1, 0, 0, 0),
    "sqrt": (gc.sqrt, [0.0], 0, INF, -INF, INF),
    "sqrt-guarded": (lambda x: gc.where(x > 0, gc.sqrt(x), 0), [0.0], 0, 0, 0, 0),
    "power-0": (lambda x: x**0, [0.0], 0, 0, 0, 0),
    "power-half": (lambda x: x**0.5, [0.0], 0, INF, -INF, INF),
    "power-1": (lambda x: x**1, [0.0], 0, 1, 0, 0),
    "power-2": (lambda x: x**2, [0.0], 0, 0, 2, 0),
    "power-3": (lambda x: x**3, [0.0], 0, 0, 0, 6),
    "power-symbolic-0": (gc.power, [0.0, 0.0], 0, 0, 0, 0),
    "power-symbolic-half": (gc.power, [0.0, 0.5], 0, INF, -INF, INF),
    "power-symbolic-1": (gc.power, [0.0, 1.0], 0, 1, 0, 0),
    "power-symbolic-2": (gc.power, [0.0, 2.0], 0, 0, 2, 0),
    "power-symbolic-3": (gc.power, [0.0, 3.0], 0, 0, 0, 6),
    "power-by-exponent-0": (gc.power, [0.0, 0.0], 1, 0, 0, 0),
    "power-by-exponent-2": (gc.power, [0.0, 2.0], 1, 0, 0, 0),
    "power-by-negative-exponent": (gc.power, [0.0, -1.0], 1, 0, 0, 0),
    "prod-one-zero": (gc.prod, [[0.0, 2.0, 3.0]], 0, [6, 0, 0], [5, 3, 2], [2, 2, 2]),
    "prod-two-zeros": (gc.prod, [[0.0, 0.0, 3.0]], 0, [0, 0, 0], [3, 3, 0], [2, 2, 2]),
    "cumprod-one-zero": (
        gc.cumulative_prod, [[2.0, 0.0, 3.0]], 0, [1, 8, 0], [4, 6, 2], [2, 2, 2],
    ),
    "cumprod-two-zeros": (
        gc.cumulative_prod, [[0.0, 0.0, 3.0]], 0, [1, 0, 0], [4, 4, 0], [2, 2, 2],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kink", KINKS.values(), ids=KINKS.keys())
def test_a_kink_has_the_derivative_that_the_table_names(kink: Any) -> None:
    """One written table, at every order: nobody has to guess."""
    build, at, by, *expected = kink
    for wanted, actual in zip(expected, derivatives(build, at, 3, by), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-14, atol=1e-14)


CUTS = {
    "floor": gc.floor,
    "ceil": gc.ceil,
    "trunc": gc.trunc,
    "round": gc.round,
    "stop": gc.stop_gradient,
    "comparison": lambda x: gc.astype(x > 0, float),
    "integer-cast": lambda x: gc.astype(gc.astype(x, int), float),
    "condition": lambda x: gc.where(x > 0, 1.0, 2.0),
    "order": lambda x: gc.astype(gc.argsort(gc.stack([x, 0.25]))[0], float),
    "position": lambda x: gc.astype(gc.argmax(gc.stack([x, 0.25])), float),
}


@pytest.mark.parametrize("build", CUTS.values(), ids=CUTS.keys())
def test_a_step_cuts_the_path(build: Any) -> None:
    """There is no derivative to give: the error names the cut; zeros come for the asking."""
    x = gc.input("x", ())
    with pytest.raises(gc.Disconnected):
        gc.grad(build(x), x)
    zero = gc.grad(build(x), x, disconnected="zero")
    assert gc.evaluate(zero, {x: 0.5}) == 0


def s_of(x: Node) -> Node:
    return gc.sum(x * x)


def sinc(x: Node) -> Node:
    return gc.where(x != 0, gc.sin(x) / x, 1)


def root(x: Node) -> Node:
    return gc.where(x > 0, gc.sqrt(x), 0)


def logarithm(x: Node) -> Node:
    return gc.where(x > 0, gc.log(x), 0)


ROOT = [0, 0, 0.5 / 1.5], [0, 0, -0.25 / 1.5**3]
LOG = [0, 0, 1 / 2.25], [0, 0, -(2.25**-2)]
AT = [-1.0, 0.0, 2.25]


# What is guarded, where, and its derivatives of order 1 and 2.
GUARDS = {
    "sqrt": (root, AT, *ROOT),
    "log": (logarithm, AT, *LOG),
    "sinc-at-0": (sinc, 0.0, 0, 0),
    "sinc-beside": (sinc, 1e-3, -3.333333e-4, -0.3333332333333),
    "norm-at-0": (lambda x: gc.where(s_of(x) > 0, gc.sqrt(s_of(x)), 0), [0.0, 0.0], [0, 0], [0, 0]),
    "norm-beside": (
        lambda x: gc.where(s_of(x) > 0, gc.sqrt(s_of(x)), 0), [3.0, 4.0],
        [0.6, 0.8], [16 / 125 - 12 / 125, 9 / 125 - 12 / 125],
    ),
    "in-the-other-branch": (lambda x: gc.where(x <= 0, 0, gc.sqrt(x)), AT, *ROOT),
    "negated": (lambda x: -root(x), AT, *np.negative(ROOT)),
    "sum": (lambda x: gc.sum(root(x)), AT, *ROOT),
    "sum-then-root": (lambda x: gc.sum(gc.where(x > 0, x**1.5, 0)), AT, [0, 0, 2.25], [0, 0, 0.5]),
    "reshape": (lambda x: gc.reshape(root(gc.reshape(x, (3, 1))), (1, 3)), AT, *ROOT),
    "transpose": (lambda x: gc.transpose(root(gc.reshape(x, (3, 1)))), AT, *ROOT),
    "broadcast": (lambda x: gc.broadcast_to(root(x), (2, 3)), AT, *np.multiply(2, ROOT)),
    "broadcast-inside": (lambda x: root(gc.broadcast_to(x, (2, 3))), AT, *np.multiply(2, ROOT)),
    "slice": (lambda x: root(x)[1:], AT, *ROOT),
    "slice-inside": (lambda x: root(x[1:]), AT, *ROOT),
    "flip": (lambda x: gc.flip(root(gc.flip(x))), AT, *ROOT),
    "two-added": (lambda x: root(x) + logarithm(x), AT, *np.add(ROOT, LOG)),
    "two-multiplied": (
        lambda x: root(x) * logarithm(x), [-1.0, 0.0, 1.0], [0, 0, 1], [0, 0, 0],
    ),
    "signs-of-a-factor": (lambda x: x * gc.negative(-root(x)), AT, [0, 0, 2.25], [0, 0, 0.5]),
    "signs-within-guards": (
        lambda x: x * -gc.where(x > -2, -root(x), 0), AT, [0, 0, 2.25], [0, 0, 0.5],
    ),
    "scaled": (lambda x: 3 * root(x) * 2, AT, *np.multiply(6, ROOT)),
    "root-of-log": (lambda x: root(logarithm(x)), [-1.0, 0.0, 1.0], [0] * 3, [0] * 3),
    "exp-of-root": (lambda x: gc.exp(root(x)), [-1.0, 0.0], [0, 0], [0, 0]),
    "root-of-root": (lambda x: root(root(x)), [-1.0, 0.0, 1.0], [0, 0, 0.25], [0, 0, -3 / 16]),
    "square-of-root": (lambda x: root(x) ** 2, [-1.0, 0.0, 4.0], [0, 0, 1], [0, 0, 0]),
    "divided": (lambda x: gc.where(x != 0, x / x, 1), [0.0, 2.0], [0, 0], [0, 0]),
    "nested": (
        lambda x: gc.where(x > 0, gc.where(x > 1, gc.sqrt(x - 1), 0), 0), [-1.0, 0.0, 1.0, 2.0],
        [0, 0, 0, 0.5], [0, 0, 0, -0.25],
    ),
    "scalar-guard": (
        lambda x: gc.where(gc.sum(x) > 0, gc.log(x), 0), [0.0, -1.0], [0, 0], [0, 0],
    ),
    "column-guard": (
        lambda x: gc.broadcast_to(logarithm(gc.reshape(x, (2, 1))), (2, 3)),
        [0.0, 2.0], [0, 1.5], [0, -0.75],
    ),
    "outer-sum": (
        lambda x: gc.sum(gc.reshape(x, (2, 1)) * root(gc.reshape(x, (1, 2)))), [0.0, 4.0],
        [2, 3], [0.25, 0.625],
    ),
    "max-inside": (lambda x: logarithm(gc.max(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0]),
    "sum-inside": (lambda x: logarithm(gc.sum(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0]),
    "mean-inside": (lambda x: logarithm(gc.mean(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0]),
    "pad-inside": (lambda x: logarithm(gc.pad(gc.sqrt(x), 1)), [0.0, 0.0], [0, 0], [0, 0]),
    "concat": (lambda x: gc.concat([root(x), logarithm(x)]), AT, *np.add(ROOT, LOG)),
    "dot-inside": (
        lambda x: logarithm(gc.dot(gc.sqrt(x), np.ones(2))), [0.0, 0.0], [0, 0], [0, 0],
    ),
    "matmul-inside": (
        lambda x: logarithm(gc.sqrt(gc.reshape(x, (2, 1))) @ np.ones((1, 3))), [0.0, 4.0],
        [0, 0.375], [0, -0.09375],
    ),
    "take-inside": (
        lambda x: logarithm(gc.take(gc.sqrt(x), [0, 1, 1])), [0.0, 4.0], [0, 0.25], [0, -0.0625],
    ),
    "gather-inside": (
        lambda x: logarithm(gc.take_along_axis(gc.sqrt(x), [0, 1, 1])), [0.0, 4.0],
        [0, 0.25], [0, -0.0625],
    ),
    "cumulative-sum-inside": (
        lambda x: logarithm(gc.cumulative_sum(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0],
    ),
    "sort-inside": (
        lambda x: logarithm(gc.sort(gc.sqrt(x))), [4.0, 0.0], [0.125, 0], [-0.03125, 0],
    ),
    "median-inside": (lambda x: logarithm(gc.median(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0]),
    "prod-inside": (lambda x: logarithm(gc.prod(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0]),
    "cumulative-prod-inside": (
        lambda x: logarithm(gc.cumulative_prod(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0],
    ),
    "missing-rows": (
        lambda x: gc.where(gc.isfinite(x), x, 0.0) * 2, [np.nan, 1.0], [0, 2], [0, 0],
    ),
    "missing-values-in-a-product": (
        lambda x: gc.where(x > 0, gc.constant([np.nan, 2.0]) * x, 0), [-1.0, 1.0], [0, 2], [0, 0],
    ),
    "power": (lambda x: gc.where(x > 0, x**0.5, 0), AT, *ROOT),
    "reciprocal": (
        lambda x: gc.where(x != 0, gc.reciprocal(x), 0), [0.0, 2.0], [0, -0.25], [0, 0.25],
    ),
}  # fmt: skip


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
def test_a_guard_holds_through_everything_built_on_it(guard: Any) -> None:
    """0 * inf never reaches a gradient: a branch not taken contributes exactly 0, at each order."""
    build, point, *expected = guard
    for wanted, actual in zip(expected, derivatives(build, [point], 2), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-6, atol=1e-14)
    assert np.isfinite(derivatives(build, [point], 3)[-1]).all()


def written(**parts: Any) -> Op:
    """A record that somebody writes, taken off the list of operations again."""
    record: dict[str, Any] = dict(infer=lambda x: x, numpy="2 * x0") | parts
    op = gc.Op("written", **record)
    del gc.OPS["written"]
    return op


@pytest.mark.parametrize(
    "parts, message",
    [
        (dict(numpy="np.exp(x0"), "^the NumPy text of written is no expression: '[(]' was never"),
        (dict(numpy="scipy.special.erf(x0)"), "^the NumPy text of written has the name scipy: "),
        (dict(numpy="x0.sum()"), r"^the NumPy text of written gives an array of shape \(\) where"),
        (dict(numpy="x0[:2]"), r"^the .* of shape \(2,\) where its infer says f64\[3\]"),
        (dict(infer=lambda x: (3,)), r"^infer of written must return the TensorType.*not \(3,\)"),
    ],
)
def test_a_record_that_is_wrong_is_told_by_its_name(parts: Any, message: str) -> None:
    """They were a bare SyntaxError, a size called scipy, and a node of the type (3,)."""
    x = gc.input("x", (3,))
    with pytest.raises(gc.ArgumentError, match=message):
        gc.evaluate(written(**parts)(x), {x: [1.0, 2.0, 3.0]})


def test_a_record_written_again_takes_the_place_of_the_first() -> None:
    """So a notebook's cell is run again, once its op is taken off the list: the message says so."""
    x = gc.input("x", (2,))
    for k in (2, 5):
        y = written(numpy=f"{k} * x0")(x)
        assert [k, 3 * k] == gc.evaluate(y, {x: [1.0, 3.0]}).tolist()
        assert [k, 3 * k] == gc.compile(y)([1.0, 3.0]).tolist()
    with pytest.raises(gc.NameClash, match=r"or first del graphc.OPS\['tanh'\]"):
        gc.Op("tanh", infer=lambda x: x, numpy="x0")
