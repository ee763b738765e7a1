"""Batching: many examples at once give the numbers that one after the other give."""

import itertools
import zlib

import numpy as np
import pytest

import graphc as gc
from graphc import shapes
from graphc.autodiff import vectorize
from graphc.check import laws
from graphc.ir import cuts_path

EXAMPLES = [
    (op, k)
    for op in sorted(gc.OPS.values(), key=lambda op: op.name)
    for k, example in enumerate(op.examples)
    if example.shapes
]
every_example = pytest.mark.parametrize(
    ("op", "k"), EXAMPLES, ids=[f"{o.name}-{k}" for o, k in EXAMPLES]
)
BATCH = 3


def declared(op, k):
    """An example's op on fresh inputs, and how to draw one value for each of them."""
    example, rng = op.examples[k], np.random.default_rng(zlib.crc32(f"{op.name} {k}".encode()))
    inputs = [
        gc.input(f"x{i}", s, t)
        for i, (s, t) in enumerate(zip(example.shapes, example.dtypes, strict=True))
    ]
    v = op(*inputs, **example.attrs)
    symbols = shapes.symbols(d for x in (*inputs, v) for d in x.shape)
    sizes = dict(zip(symbols, (5, 7, 11), strict=False))

    def draw(x, lead=()):
        shape = (*lead, *(shapes.number(d, sizes) for d in x.shape))
        return laws.draw(rng, example, shape, x.dtype)

    draw.sizes = {gc.input("sizes", symbols): np.empty(list(sizes.values()))}
    return v, inputs, draw


def subsets(inputs):
    """Every choice of at least one input."""
    masks = itertools.product([True, False], repeat=len(inputs))
    return [mask for mask in masks if any(mask)]


def given(inputs, mask, draw, lead=(BATCH,)):
    """Batches of the chosen inputs as new inputs, and values for everything."""
    batches, values = {}, dict(draw.sizes)
    for x, chosen in zip(inputs, mask, strict=True):
        if chosen:
            batches[x] = gc.input(f"{x.name}s", (*lead, *x.shape), x.dtype)
        values[batches.get(x, x)] = draw(x, lead if chosen else ())
    return batches, values


def one_by_one(v, inputs, batches, values, count=BATCH):
    """The loop that batching replaces."""
    results = []
    for k in range(count):
        at = {x: values[batches[x]][k] if x in batches else values[x] for x in inputs}
        at |= {x: array for x, array in values.items() if x.name == "sizes"}
        results.append(gc.evaluate(v, at))
    return np.stack(results)


@every_example
def test_a_batch_is_the_stack_of_its_examples(op, k):
    """Whichever inputs carry the axis, and under any rule: the numbers, shapes and dtypes of a
    loop."""
    v, inputs, draw = declared(op, k)
    for mask in subsets(inputs):
        batches, values = given(inputs, mask, draw)
        actual = gc.evaluate(vectorize(v, batches), values)
        expected = one_by_one(v, inputs, batches, values)
        np.testing.assert_allclose(actual, expected, rtol=1e-6 if v.dtype == "f4" else 1e-13)
        assert expected.dtype == actual.dtype


@every_example
def test_batching_nests(op, k):
    """Twice over all inputs: a batch of batches; and the second time over one input alone."""
    v, inputs, draw = declared(op, k)
    for mask in ((True,) * len(inputs), *subsets(inputs)[-1:]):
        inner, outer, values = {}, {}, dict(draw.sizes)
        for x, chosen in zip(inputs, mask, strict=True):
            inner[x] = gc.input(f"{x.name}s", (4, *x.shape), x.dtype)
            if chosen:
                outer[inner[x]] = gc.input(f"{x.name}ss", (BATCH, 4, *x.shape), x.dtype)
            values[outer.get(inner[x], inner[x])] = draw(x, (BATCH, 4) if chosen else (4,))
        actual = gc.evaluate(vectorize(vectorize(v, inner), outer), values)
        expected = [
            one_by_one(
                v, inputs, inner,
                draw.sizes
                | {x: values[outer[x]][j] if x in outer else values[x] for x in inner.values()}, 4,
            )
            for j in range(BATCH)
        ]  # fmt: skip
        np.testing.assert_allclose(
            actual, np.stack(expected), rtol=1e-6 if v.dtype == "f4" else 1e-13
        )


@every_example
def test_gradients_are_batched_and_batches_have_gradients(op, k):
    """A batch of gradients is the gradient of each; the gradient of a batch is its adjoint."""
    if op.bprop in (None, cuts_path):
        pytest.skip("no gradient passes")
    v, inputs, draw = declared(op, k)
    floats = [x for x in inputs if x.type.is_float]
    if not v.type.is_float:
        pytest.skip("a conversion to integers")
    weights = gc.input("weights", v.shape, v.dtype)
    gradients = gc.vjp(v, floats, weights, disconnected="zero")
    batches, values = given([*inputs, weights], (True,) * (len(inputs) + 1), draw)
    relative = 1e-5 if v.dtype == "f4" else 1e-12
    expected = [one_by_one(g, [*inputs, weights], batches, values) for g in gradients]
    per_example = gc.evaluate(vectorize(gradients, batches), values)
    batched = vectorize(v, {x: batches[x] for x in inputs})
    of_batch = gc.vjp(batched, [batches[x] for x in floats], batches[weights], disconnected="zero")
    for want, one, two in zip(expected, per_example, gc.evaluate(of_batch, values), strict=True):
        np.testing.assert_allclose(one, want, rtol=relative, atol=relative)
        np.testing.assert_allclose(two, want, rtol=relative, atol=relative)
