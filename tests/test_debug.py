"""f.debug finds the first NaN or inf: the node, the element, the user's line, the likely cure.

Each program has one fault; the line that holds it ends in `# here`.
"""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import graphc as gc
from graphc.errors import BindError
from graphc.ir import OPS

n, d = gc.dims("faulty_n faulty_d")  # graphs of other tests are not met
NAN, INF = np.nan, np.inf


def vector(name="x"):
    return gc.input(name, (n,))


def single(name="s"):
    return gc.input(name, ())


# -- programs with one fault each: outputs, values, and what is found --------------------------


def log_of_zero():
    q = vector("p") * 2
    loss = -gc.mean(gc.log(q))  # here
    return loss, {"p": [1.0, 0.5, 0.0]}, "log", (2,), "gc.log_softmax"


def zero_by_zero():
    x, y = vector("x"), vector("y")
    ratio = x / y  # here
    return gc.sum(ratio), {"x": [1.0, 0.0], "y": [1.0, 0.0]}, "divide", (1,), "gc.where(y != 0"


def inf_minus_inf():
    x = vector()
    masked = gc.where(x > 0, x, -np.inf)
    shifted = masked - gc.max(masked)  # here
    return gc.exp(shifted), {"x": [-1.0, -2.0]}, "subtract", (0,), "large finite number"


def root_below_zero():
    x = vector()
    spread = gc.mean(x**2) - 2 * gc.mean(x) ** 2
    return gc.sqrt(spread), {"x": [3.0, 3.0]}, "sqrt", (), "gc.maximum"  # here


def exponential_too_large():
    x = vector()
    return gc.sum(gc.exp(x) * x), {"x": [1.0, 710.0]}, "exp", (1,), "gc.logsumexp"  # here


def naive_softmax():
    z = gc.input("z", (n, d))
    e = gc.exp(z)  # here
    p = e / gc.sum(e, axis=1, keepdims=True)
    at = {"z": [[0.0, 1.0], [1000.0, 0.0]]}
    return [gc.sum(gc.log(p)), gc.grad(gc.sum(p * p), z)], at, "exp", (1, 0), "gc.softmax"


def naive_log_softmax():
    z = vector("z")
    total = gc.sum(gc.exp(z))
    return z - gc.log(total), {"z": [-800.0, -900.0]}, "log", (), "gc.log_softmax"  # here


def slope_of_a_length_at_zero():
    x = vector()
    length = gc.sqrt(gc.sum(x * x))  # here
    return gc.grad(length, x), {"x": [0.0, 0.0]}, "divide", (), "gc.norm"


def zero_times_inf_in_a_gradient():
    x = vector()
    root = gc.sqrt(x)  # here
    return gc.grad(gc.sum(root * x), x), {"x": [4.0, 0.0]}, "divide", (1,), "slope is infinite"


def batch_without_spread():
    x = gc.input("x", (n, d))
    deviation = x - gc.mean(x, axis=0)
    normal = deviation / gc.std(x, axis=0)  # here
    at = {"x": [[1.0, 2.0], [1.0, 3.0]]}
    return gc.sum(gc.tanh(normal)), at, "divide", (0, 0), "gc.maximum(y"


def nan_in_an_input():
    x, w = vector("x"), gc.input("w", (n,))  # here
    return gc.sum(gc.log(x) * w), {"x": [1.0, 2.0], "w": [1.0, NAN]}, "input", (1,), "passed in"


def inf_in_an_input():
    x = gc.input("x", (n,))  # here
    return gc.cos(x) + 1, {"x": [INF, 1.0]}, "input", (0,), "passed in"


def nan_in_a_matrix():
    A, x = gc.input("A", (n, d)), gc.input("x", (d,))  # here
    return gc.tanh(A @ x), {"A": [[1.0, 2.0], [3.0, NAN]], "x": [1.0, 1.0]}, "input", (1, 1), "it"


def nan_in_a_constant():
    x = gc.input("x", (2,))
    weights = gc.constant([1.0, NAN])  # here
    return gc.sum(gc.exp(x) * weights), {"x": [1.0, 1.0]}, "constant", (1,), "holds it already"


def guard_on_the_wrong_side():
    x = vector()
    share = 1 / x  # here
    return gc.sum(gc.where(x >= 0, share, 0.0)), {"x": [0.0, 1.0]}, "divide", (0,), "divisor"


def guarded_elsewhere():
    """One log is guarded, the other is not: that one is to blame."""
    x = vector()
    kept = gc.where(x > 0, gc.log(x), 0)
    return gc.sum(kept) + gc.sum(gc.log1p(-x)), {"x": [0.0, 1.0]}, "log1p", (1,), "above -1"  # here


def fractional_power():
    x = vector()
    return gc.sum(x**0.5 + x**1.5), {"x": [1.0, -1.0]}, "power", (1,), "fractional powers"  # here


def slope_of_a_power():
    s = single()
    return gc.grad(s**0.3, s), {"s": 0.0}, "divide", (), "slopes of powers"  # here


def arcsine_beyond_one():
    x = vector()
    cosine = gc.sum(x * x) * 1.0000001
    return gc.acos(cosine), {"x": [1.0, 0.0]}, "acos", (), "gc.clip"  # here


def atanh_at_one():
    s = single()
    return gc.atanh(gc.tanh(s)), {"s": 50.0}, "atanh", (), "gc.clip"  # here


def acosh_below_one():
    s = single()
    return gc.acosh(s), {"s": 0.5}, "acosh", (), "gc.maximum(x, 1)"  # here


def reciprocal_of_zero():
    x = vector()
    return gc.reciprocal(gc.sum(x)), {"x": [1.0, -1.0]}, "reciprocal", (), "divisor"  # here


def product_too_large():
    x = vector()
    return gc.prod(x), {"x": [1e200, 1e200]}, "prod", (), "1.8e+308"  # here


def single_precision():
    x = gc.input("x", (n,), dtype="float32")
    return gc.sum(x * x), {"x": np.float32([1.0, 1e20])}, "multiply", (1,), "3.4e+38"  # here


def cosh_too_large():
    s = single()
    return gc.log(gc.cosh(s)), {"s": 800.0}, "cosh", (), "709"  # here


def taken_from_a_table():
    """What nobody takes does no harm; what is taken is found by its index."""
    table, k = vector("table"), gc.input("k", (d,), dtype="int64")
    logs = gc.log(table)  # here
    return gc.take(logs, k), {"table": [0.0, 1.0, 0.0], "k": [1, 2]}, "log", (2,), "gc.maximum"


def both_operands_together():
    """The smaller of two infinities is infinite, the smaller of one and a number is not."""
    s = single()
    grown = gc.exp(s)  # here
    return gc.minimum(grown, grown * 2), {"s": 1000.0}, "exp", (), "709"


def hidden_then_seen():
    """1 / inf hides an overflow; the second result shows it."""
    s = single()
    e = gc.exp(-s)  # here
    return [1 / (1 + e), e * s], {"s": -1000.0}, "exp", (), "gc.sigmoid"


def last_of_many_layers():
    x = vector()
    h = x
    for _ in range(300):
        h = gc.tanh(h)
    return gc.sum(gc.log(h)), {"x": [1.0, 0.0]}, "log", (1,), "gc.maximum"  # here


FAULTS = [
    log_of_zero, zero_by_zero, inf_minus_inf, root_below_zero, exponential_too_large,
    naive_softmax, naive_log_softmax, slope_of_a_length_at_zero, zero_times_inf_in_a_gradient,
    batch_without_spread, nan_in_an_input, inf_in_an_input, nan_in_a_matrix, nan_in_a_constant,
    guard_on_the_wrong_side, guarded_elsewhere, fractional_power, slope_of_a_power,
    arcsine_beyond_one, atanh_at_one, acosh_below_one, reciprocal_of_zero, product_too_large,
    single_precision, cosh_too_large, taken_from_a_table, both_operands_together,
    hidden_then_seen, last_of_many_layers,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_the_planted_fault_is_found(fault):
    """The node, the element and the line; and a cure that fits."""
    outputs, values, op, index, cure = fault()
    found = gc.compile(outputs, simplify=False).debug(**values)
    assert not found.ok
    assert (op, index) == (found.node.op.name, found.index)
    assert found.node.where.text.endswith("# here")
    value = np.asarray(found.values[found.node])[index]
    assert not np.isfinite(value)
    text = str(found)
    assert found.node.where.underlined()[1] in text
    assert cure in text


@pytest.mark.parametrize("mode", (True, "strict"))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_after_simplifying_the_line_is_still_the_users(fault, mode):
    """The graph that runs may be another one, and may be right where the written one was not."""
    outputs, values, *_ = fault()
    f = gc.compile(outputs, simplify=mode)
    found = f.debug(**values)
    results = f(**values) if isinstance(outputs, list) else [f(**values)]
    assert found.ok == all(np.isfinite(x).all() for x in results)
    if not found.ok:
        assert found.node.where.text.endswith("# here")


# -- what is told -----------------------------------------------------------------------------


def test_a_finding_reads_like_an_error():
    """One sentence, the line underlined, the operands with what they are, the cure, the way."""
    outputs, values, *_ = log_of_zero()
    lines = str(gc.compile(outputs, simplify=False).debug(**values)).splitlines()
    assert "log is -inf at [2]: the first number that is not finite on the way to loss" == lines[0]
    assert lines[1].startswith("    test_debug.py:") and lines[1].endswith("gc.log(q))  # here")
    assert lines[2].strip() == "^" * len("gc.log(q)")
    assert lines[3].startswith("        log : f64[3]    test_debug.py:")
    assert lines[3].endswith("-inf at [2], 1 -inf among 3 elements, numbers from 0 to 0.693147")
    assert lines[4].startswith("        q   : f64[3]    test_debug.py:")
    assert lines[4].endswith("    0 at [2], numbers from 0 to 2")
    assert lines[5].startswith("    likely cure: take the log of gc.maximum(x, 1e-12)")
    assert "    it reaches loss by way of sum, divide" == lines[6]


def test_a_result_is_called_as_it_was_written_or_by_its_key():
    """Also where simplifying has made something else of it."""
    x = vector("x")
    loss = -gc.mean(x * gc.log_softmax(x))
    for outputs, name in ((loss, "loss"), ({"cost": gc.sum(gc.log(x))}, "cost")):
        text = str(gc.compile(outputs).debug(x=[NAN, 0.0]))
        assert f"on the way to {name}" in text and f"it reaches {name} by way of" in text


@pytest.mark.parametrize("mode", (False, True, "strict"))
def test_the_cure_of_a_gradient_is_that_of_the_operation_whose_slope_is_infinite(mode):
    """Also where simplifying has made one division of what was built for several nodes."""
    outputs, values, *_ = slope_of_a_length_at_zero()
    text = str(gc.compile(outputs, simplify=mode).debug(**values))
    assert "the slope of length = sqrt(...) at test_debug.py:" in text and "gc.norm" in text


def test_a_gradient_node_is_told_with_its_forward_twin():
    """The gradient of a root divides by it: the root is what to change."""
    outputs, values, *_ = slope_of_a_length_at_zero()
    f = gc.compile(outputs, simplify=False)
    found = f.debug(**values)
    twin = found.node.origin
    assert "sqrt" == twin.op.name and 0.0 == found.values[twin]
    text = str(found)
    assert text.startswith("divide, in the gradient of sqrt, is inf")
    assert "it was built for length = sqrt(...):" in text


def test_nan_in_the_inputs_is_said_first_and_no_operation_is_blamed():
    """Also where it does not reach a result, or where something else goes wrong too."""
    x, y = vector("x"), vector("y")
    f = gc.compile([gc.log(x), gc.where(x > 0, y, 0)], simplify=False)
    lines = str(f.debug(x=[1.0, 0.0], y=[1.0, NAN])).splitlines()
    assert "the input y is NaN at [1], 1 NaN among 2 elements, numbers 1" == lines[0]
    assert lines[1].startswith("log is -inf at [1]")
    lines = str(f.debug(x=[1.0, 0.0], y=[NAN, 1.0])).splitlines()
    assert lines[0].startswith("the input y is NaN at [0]: the first number that is not finite")


def test_a_guard_that_lets_the_bad_branch_through_is_named():
    """`where` is not to blame, but its condition is what to look at."""
    outputs, values, *_ = guard_on_the_wrong_side()
    text = str(gc.compile(outputs, simplify=False).debug(**values))
    assert "gc.where takes it (test_debug.py:" in text
    assert "its condition is True at [0]" in text


def test_where_all_is_finite_it_says_so():
    """And names what is not finite on the way, if it reaches nothing."""
    x = vector()
    f = gc.compile(gc.sum(gc.where(x > 0, gc.log(x), 0)), name="safe", simplify=False)
    found = f.debug([1.0, 2.0])
    assert (True, None, None) == (found.ok, found.node, found.index)
    assert "safe: every result is finite" == str(found)
    found = f.debug([1.0, 0.0])
    assert found.ok
    assert "on the way, log (test_debug.py:" in str(found) and "reaches none of them" in str(found)


def test_an_infinite_constant_is_no_fault_until_it_becomes_nan():
    """Masks are -inf; that a result is -inf is said of the constant, as it was written."""
    x = vector()
    f = gc.compile(gc.where(x > 0, x, -np.inf), simplify=False)
    found = f.debug([1.0, -1.0])
    assert "constant" == found.node.op.name
    masked = gc.exp(gc.where(x > 0, x, -np.inf))
    assert gc.compile(masked, simplify=False).debug([1.0, -1.0]).ok


def test_values_and_drawing():
    """Every node's array, as drawings take them; what holds NaN is red there."""
    x = vector()
    ratio = x / x
    total = gc.sum(ratio)
    found = gc.compile(total, simplify=False).debug([1.0, 0.0])
    assert np.array_equal([1.0, NAN], found.values[ratio], equal_nan=True)
    svg = found.draw().svg
    ElementTree.fromstring(svg)
    assert "NaN" in svg and "first_nan" in svg
    masked = gc.exp(gc.where(x > 0, -x, -np.inf))
    deep = gc.compile({"log": gc.log(x), "masked": masked}, simplify=False).debug([1.0, 0.0])
    states = {box.lines[0]: box.state for box in deep.draw().picture.boxes}
    assert {"log(x)": "first_nan"} == {line: state for line, state in states.items() if state}


def test_debugging_takes_arguments_as_a_call_does():
    """By position or by name; refused in the same words; nothing is compiled."""
    x, y = vector("x"), vector("y")
    f = gc.compile(gc.log(x) + y)
    f._known = f._made._replace(write=None)
    assert not f.debug([0.0], y=[1.0]).ok
    with pytest.raises(BindError, match="has size 2"):
        f.debug([1.0], [1.0, 2.0])
    with pytest.raises(BindError, match="no input z"):
        f.debug(z=1.0)


def test_a_deep_graph_is_followed_back_to_its_beginning():
    """4,000 steps: without recursion, one element at a time."""
    x = vector()
    h = gc.log(x)
    for _ in range(2_000):
        h = h * 1.0000001 + 0.1
    found = gc.compile(h, simplify=False).debug([1.0, 0.0, -1.0])
    assert ("log", (1,)) == (found.node.op.name, found.index)
    assert len(str(found).splitlines()) < 12


SAID_BY_THE_OP = ("divide", "reciprocal", "sqrt", "power", "exp", "expm1", "log", "log1p", "log2",
                  "log10", "asin", "acos", "acosh", "atanh", "sinh", "cosh", "erfcx")  # fmt: skip


@pytest.mark.parametrize("name", SAID_BY_THE_OP)
def test_an_op_with_limits_knows_a_cure(name):
    """Kept in its record, as everything about it is."""
    cure = OPS[name].cure
    assert 30 < len(cure) and not cure.endswith(".")


def test_every_elementwise_op_that_leaves_finite_numbers_knows_a_cure():
    """A new op with a pole is not forgotten: each is tried on some numbers."""
    numbers = np.array([-1e3, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 1e3])
    lacking = []
    for op in OPS.values():
        if op.family != "elementwise" or op.cure or not op.examples:
            continue
        example = op.examples[0]
        if set(example.dtypes) != {"float64"} or example.attrs:
            continue
        inputs = [gc.input(f"x{i}", (n,)) for i in range(len(example.shapes))]
        grids = [g.ravel() for g in np.meshgrid(*[numbers] * len(inputs))]
        value = gc.evaluate(op(*inputs), dict(zip(inputs, grids, strict=True)))
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            lacking.append(op.name)
    assert [] == lacking
