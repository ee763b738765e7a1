"""Ops as users write them, each with one fault in its gradient, and graphs that use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

import graphc as gc
from graphc.ir import Node, Op

X = [0.7, -1.3, 0.4]
Y = [1.1, 0.6, -0.8]
M = [[0.5, -1.2, 0.3], [1.4, 0.2, -0.7], [-0.6, 0.9, 1.1]]


class Planted(NamedTuple):
    """A graph, what it is differentiated by, where; the node with the fault."""

    z: Node
    wrt: list[Node]
    at: dict[Node, Any]
    culprit: Node


def op(name: str, numpy: Any, bprop: Any, infer: Any = lambda *types, **attrs: types[0],
       **more: Any) -> Op:  # fmt: skip
    return Op(name, infer=infer, numpy=numpy, bprop=bprop, **more)


def used(made: Op, *values: Any, before: Any = None, dtype: Any = float, **attrs: Any) -> Planted:
    """The op between others: something before it, something behind it."""
    inputs = [gc.input("xyw"[k], np.shape(v), dtype) for k, v in enumerate(values)]
    start = [x if before is None else before(x) for x in inputs]
    culprit = made(*start, **attrs)
    size = np.shape(gc.evaluate(culprit, dict(zip(inputs, map(cast(dtype), values), strict=True))))
    weights = np.linspace(0.3, 1.7, int(np.prod(size))).reshape(size).astype(dtype)
    z = gc.sum(gc.tanh(culprit * 0.3) * weights)
    return Planted(z, inputs, dict(zip(inputs, map(cast(dtype), values), strict=True)), culprit)


def cast(dtype: Any) -> Callable[[Any], Any]:
    return lambda value: np.asarray(value, dtype)


def unary(numpy: str, d: Any, at: Any = X, before: Any = None, dtype: Any = float) -> Any:
    """An op of one operand; `d` is its derivative from the operand and the node."""

    def planted() -> Planted:
        made = op("mine", numpy, lambda n, i, g: g * d(n.inputs[0], n))
        return used(made, at, before=before, dtype=dtype)

    return planted


def binary(numpy: str, d: Any, x: Any = X, y: Any = Y, infer: Any = None) -> Any:
    """An op of two operands of one shape; `d` is the pair of their gradients."""

    def planted() -> Planted:
        made = op("mine", numpy, lambda n, i, g: d(n, g)[i], infer or (lambda a, b: a))
        return used(made, x, y)

    return planted


def layout(numpy: Any, bprop: Any, at: Any, infer: Any = lambda x: x) -> Any:
    return lambda: used(op("mine", numpy, bprop, infer), at)


def bias(back: Any, shape: tuple[int, ...] = (2, 3)) -> Any:
    """A vector added to the rows of a matrix; `back` is the gradient of the vector."""

    def planted() -> Planted:
        made = op("mine", "x0 + x1", lambda n, i, g: g if i == 0 else back(g))
        return used(made, np.linspace(-1, 1, 6).reshape(shape), X)

    return planted


def reduced(numpy: str, d: Any, at: Any = X) -> Any:
    """A vector made a number."""

    def planted() -> Planted:
        made = op("mine", numpy, lambda n, i, g: d(n.inputs[0], n, g), lambda x: x.with_shape(()))
        return used(made, at)

    return planted


def diffs() -> Planted:
    def back(n: Node, i: int, g: Node) -> Node:
        return gc.pad(g, ((1, 0),)) - gc.pad(g, ((1, 0),))  # the second should be padded behind

    made = op("mine", "np.diff(x0)", back, lambda x: x.with_shape((x.shape[0] - 1,)))
    return used(made, [0.7, -1.3, 0.4, 2.2])


def shifted() -> Planted:
    def back(n: Node, i: int, g: Node) -> Node:
        return gc.pad(g, ((2, 0),))  # one place too far

    made = op("mine", "x0[1:-1]", back, lambda x: x.with_shape((x.shape[0] - 2,)))
    return used(made, [0.7, -1.3, 0.4, 2.2])


def gathered() -> Planted:
    """A position that is taken twice must get both shares."""

    def back(n: Node, i: int, g: Node) -> Node:
        return gc.stack([g[0], g[2], gc.constant(0.0)])

    made = op("mine", "x0[[0, 0, 1]]", back)
    return used(made, X)


def forwards(jvp: Any) -> Any:
    """The gradient is right; a forward rule of its own is not."""

    def planted() -> Planted:
        def back(n: Node, i: int, g: Node) -> Node:
            return g * n.inputs[1 - i]

        return used(op("mine", "x0 * x1", back, lambda a, b: a, jvp=jvp), X, Y)

    return planted


def by_formula(meaning: Any, numpy: str, like: Any = np.exp, d: Any = None, at: Any = X) -> Any:
    return lambda: used(gc.elementwise("mine", meaning, numpy=numpy, like=like, d=d), at)


def in_a_chain() -> Planted:
    """Three ops alike in a row, the middle one broken; the fault is found past a healthy one."""
    right = op("right", "np.sin(x0)", lambda n, i, g: g * gc.cos(n.inputs[0]))
    wrong = op("mine", "np.sin(x0)", lambda n, i, g: g * gc.sin(n.inputs[0]))
    x = gc.input("x", (3,))
    culprit = wrong(right(x) * 2)
    return Planted(gc.sum(right(culprit)), [x], {x: X}, culprit)


def of_two_faults() -> Planted:
    """The first in the graph is named."""
    one = op("mine", "np.sin(x0)", lambda n, i, g: g * gc.sin(n.inputs[0]))
    two = op("other", "x0 ** 2", lambda n, i, g: g * n.inputs[0])
    x = gc.input("x", (3,))
    culprit = one(x)
    return Planted(gc.sum(two(culprit)), [x], {x: X}, culprit)


def large() -> Planted:
    """Of many elements one in a thousand is treated wrongly."""
    made = op("mine", "x0 * x0", lambda n, i, g: g * 2 * gc.minimum(n.inputs[0], 2.9))
    x = gc.input("x", (2000,))
    culprit = made(x)
    at = {x: np.sin(np.arange(2000)) * 3}
    return Planted(gc.sum(gc.tanh(culprit)), [x], at, culprit)


def raising() -> Planted:
    made = op("mine", "np.exp(x0)", lambda n, i, g: g * n.no_such_thing)
    return used(made, X)


FAULTS: dict[str, Callable[[], Planted]] = {
    "a-sign": unary("np.sin(x0)", lambda x, n: -gc.cos(x)),
    "a-factor": unary("np.square(x0)", lambda x, n: x),
    "a-factor-of-1.001": unary("x0 ** 3", lambda x, n: 3.003 * x**2),
    "a-factor-of-1-and-1e-7": unary("np.exp(x0)", lambda x, n: (1 + 1e-7) * n),
    "sin-for-cos": unary("np.sin(x0)", lambda x, n: gc.sin(x)),
    "the-inner-derivative": unary("np.exp(2 * x0)", lambda x, n: n),
    "a-power": unary("x0 ** 3", lambda x, n: 3 * x),
    "a-dropped-epsilon": unary("np.sqrt(x0 * x0 + 1e-2)", lambda x, n: gc.sign(x)),
    "only-at-positive-x": unary("np.abs(x0) * x0", lambda x, n: 2 * x),
    "only-at-positive-x-by-abs": unary("np.abs(x0)", lambda x, n: gc.ones_like(x)),
    "only-below-1": unary("np.maximum(x0, 1) ** 2", lambda x, n: 2 * x * (x > -9), at=[2.0, 0.4]),
    "a-term-of-two": unary("x0 * np.sin(x0)", lambda x, n: gc.sin(x)),
    "the-quotient-rule": unary("x0 / (3 + x0)", lambda x, n: 1 / (3 + x)),
    "one-for-result": unary("np.tanh(x0)", lambda x, n: 1 - x**2),
    "a-sign-inside": unary("np.exp(-x0)", lambda x, n: n),
    "a-missing-derivative": unary("np.exp(x0)", lambda x, n: gc.zeros_like(x)),
    "not-masked": unary("np.clip(x0, -1, 0.5)", lambda x, n: gc.ones_like(x)),
    "masked-the-wrong-way": unary("np.maximum(x0, 0)", lambda x, n: gc.where(x > 0, 0.0, 1.0)),
    "nan-where-finite": unary(
        "np.where(x0 > 0, np.sqrt(np.abs(x0)), 0)", lambda x, n: (x > 0) * 0.5 / gc.sqrt(x)
    ),
    "at-1e-12": unary("np.sin(x0 * 1e12)", lambda x, n: 1.01e12 * gc.cos(x * 1e12),
                      at=[1e-12, 2e-12]),
    "at-1e12": unary("np.log(x0)", lambda x, n: 2 / x, at=[1e12, 3e12]),
    "behind-a-cancellation": unary("x0 ** 2", lambda x, n: x, before=lambda x: (1e6 + x) - 1e6),
    "in-float32": unary("np.sin(x0)", lambda x, n: 1.001 * gc.cos(x), dtype=np.float32),
    "swapped-gradients": binary("x0 * x1", lambda n, g: [g * n.inputs[0], g * n.inputs[1]]),
    "the-sign-of-the-second": binary("x0 - x1", lambda n, g: [g, g]),
    "a-stale-second-operand": binary(
        "x0 / x1", lambda n, g: [g / n.inputs[1], -g * n.inputs[0] / n.inputs[1]]
    ),
    "the-first-operand-only": binary("x0 * x1", lambda n, g: [g * n.inputs[1], 0 * g]),
    "a-missing-logarithm": binary(
        "x0 ** x1", lambda n, g: [g * n.inputs[1] * n / n.inputs[0], g * n], x=[0.7, 1.3, 2.0],
    ),
    "swapped-arguments": binary(
        "np.arctan2(x0, x1)",
        lambda n, g: [
            g * n.inputs[0] / (n.inputs[0] ** 2 + n.inputs[1] ** 2),
            -g * n.inputs[1] / (n.inputs[0] ** 2 + n.inputs[1] ** 2),
        ],
    ),
    "one-share-for-both": binary(
        "np.logaddexp(x0, x1)",
        lambda n, g: [g * gc.sigmoid(n.inputs[0] - n.inputs[1])] * 2,
    ),
    "a-transposed-operand": binary(
        "x0 @ x1", lambda n, g: [g @ n.inputs[1], n.inputs[0].T @ g], x=M, y=np.flip(M, 0)
    ),
    "a-transposed-gradient": binary(
        "x0 @ x1", lambda n, g: [g @ n.inputs[1].T, (g.T @ n.inputs[0])], x=M, y=np.flip(M, 0)
    ),
    "ties-counted-twice": binary(
        "np.maximum(x0, x1)",
        lambda n, g: [g * (n.inputs[0] >= n.inputs[1]), g * (n.inputs[1] >= n.inputs[0])],
        x=[1.0, 2.0, 0.5], y=[1.0, 0.3, 0.9],
    ),
    "tied-largest-counted-twice": reduced(
        "np.max(x0)", lambda x, n, g: g * (x >= n), at=[2.0, 1.0, 2.0]
    ),
    "no-sum-over-a-stretched-axis": bias(lambda g: g),
    "a-row-for-the-sum": bias(lambda g: g[0]),
    "the-mean-for-the-sum": bias(lambda g: gc.mean(g, axis=0)),
    "the-sum-over-the-other-axis": lambda: used(
        op("mine", "x0 + x1", lambda n, i, g: g if i == 0 else gc.sum(g, axis=1)), M, X
    ),
    "an-off-by-one-slice": shifted,
    "a-shift-that-cancels": diffs,
    "rolled-the-same-way": layout(
        "np.roll(x0, 1)", lambda n, i, g: gc.concat([g[2:], g[:2]]), X
    ),
    "not-flipped-back": layout("x0[::-1]", lambda n, i, g: g, X),
    "not-transposed-back": layout("x0.T", lambda n, i, g: g, M),
    "summed-from-the-front": layout("np.cumsum(x0)", lambda n, i, g: gc.cumulative_sum(g), X),
    "overwritten-not-added": gathered,
    "no-division-by-the-count": reduced("np.mean(x0)", lambda x, n, g: g * gc.ones_like(x)),
    "a-lost-2": reduced("np.var(x0)", lambda x, n, g: g * (x - gc.mean(x)) / 3),
    "not-divided-by-the-norm": reduced("np.sqrt(np.sum(x0 * x0))", lambda x, n, g: g * x),
    "not-normalised": reduced("np.log(np.sum(np.exp(x0)))", lambda x, n, g: g * gc.exp(x)),
    "divided-by-zero": reduced("np.prod(x0)", lambda x, n, g: g * n / x, at=[0.0, 2.0, 3.0]),
    "the-diagonal-alone": layout(
        "np.exp(x0) / np.sum(np.exp(x0))", lambda n, i, g: g * n * (1 - n), X
    ),
    "a-jvp-with-a-factor": forwards(
        lambda n, t: 2 * t[0] * n.inputs[1] if t[1] is None
        else 2 * t[0] * n.inputs[1] + n.inputs[0] * t[1] if t[0] is not None
        else n.inputs[0] * t[1]
    ),
    "a-jvp-without-its-second-term": forwards(
        lambda n, t: n.inputs[1] * (t[0] if t[0] is not None else t[1])
    ),
    "a-derivative-by-hand": by_formula(
        lambda x: sp.tanh(x), "np.tanh(x0)", np.tanh, d=lambda result: [1 + result**2]
    ),
    "a-text-unlike-its-formula": by_formula(lambda x: x**2, "1.01 * x0 * x0", np.square),
    "a-text-off-by-a-constant": by_formula(
        lambda x: sp.log(1 + x**2), "np.log(2 + x0 * x0)", np.log1p
    ),
    "the-middle-of-a-chain": in_a_chain,
    "the-first-of-two": of_two_faults,
    "few-of-many-elements": large,
    "a-rule-that-raises": raising,
}  # fmt: skip
