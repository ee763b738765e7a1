"""Single numbers: Python's floats give what NumPy gives, bit for bit, zeros included."""

import itertools
import math

import numpy as np
import pytest

import graphc as gc
from graphc.ir import OPS

a, b = gc.input("one float", ()), gc.input("another float", ())
OPERANDS = [
    a, b, a > 0, gc.constant(np.float32(0.1)), gc.constant(2), gc.constant(2**53 + 1),
    gc.constant(True), gc.constant(-3.5),
]  # fmt: skip
POINTS = [
    (1.0, 2.0), (-0.0, 0.0), (0.0, -0.0), (math.inf, -1.0), (math.nan, 1.0), (-2.5, math.nan),
    (30.0, 1e308), (0.3, -0.7),
]  # fmt: skip
NAMES = sorted(name for name, op in OPS.items() if op.scalar)


def graphs(op):
    """The op on floats, on truth values and on constants of other dtypes, where it takes them."""
    for arity in (1, 2, 3):
        for operands in itertools.product(OPERANDS[: 8 if arity < 3 else 5], repeat=arity):
            try:
                made = op(*operands)
            except gc.GraphcError:
                continue
            if any(x.op.name != "constant" for x in operands):
                yield made


@pytest.mark.parametrize("name", NAMES)
def test_a_formula_of_floats_is_that_of_numpys_numbers(name):
    """Where Python refuses, NumPy answers; a truth value is no number, a float32 no float64."""
    compared = 0
    for graph in graphs(OPS[name]):
        f = gc.compile(graph, inputs=[a, b], simplify=False)
        for point in POINTS:
            found, expected = f(*point), f(*map(np.float64, point))
            kinds = {bool: "b", float: "f", int: "i"}
            assert np.asarray(found).dtype.kind == expected.dtype.kind, (graph, point)
            assert type(found) in kinds or isinstance(found, np.generic)
            np.testing.assert_allclose(found, expected, rtol=4e-16, atol=0)
            assert np.signbit(float(found)) == np.signbit(float(expected)) or np.isnan(found)
            compared += type(found) in kinds
    assert compared


SUMS = {
    "truth values are joined, not counted": (((a > 0) + (b > 0)) * 1.5, 1.5),
    "the size of a truth value": (gc.abs(a > 0) * 1.0, 1.0),
    "a float32 number": (a * gc.constant(np.float32(0.1)), float(np.float32(0.1))),
    "a power of float32": (a ** gc.constant(np.float32(0.1)) + b, 2.0),
    "the sign of -0": (gc.atan2(gc.constant(0.0) * a, gc.sign(b * -0.0)), 0.0),
}


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("simplify", [True, "strict", False])
def test_a_program_that_was_wrong_on_floats(name, simplify):
    graph, expected = SUMS[name]
    f = gc.compile(graph, inputs=[a, b], simplify=simplify)
    assert f(1.0, 1.0) == expected == f(np.float64(1), np.float64(1))


def test_a_formula_has_no_sign_twice():
    """The slope of 1 / (1 + exp(-x)) was written with exp(--x)."""
    y = 1 / (1 + gc.exp(-a))
    assert "math.exp(one_float)" in gc.compile([y, gc.grad(y, a)]).source
    share = gc.compile(gc.sigmoid(-(a - b)), simplify=False)
    assert "math.exp(one_float - another_float)" in share.source
