"""The audit: it accepts what is true at hard points, and refutes with a point what is not."""

import sys

import numpy as np
import pytest

import graphc as gc
from graphc.ir import Graph
from graphc.passes import Budget, Log, fold, prune, rules
from graphc.passes.audit import Verdict, audit
from graphc.passes.exactly import exactly
from graphc.passes.facts import Interval, interval
from graphc.passes.searches import Memo
from graphc.passes.simplify import simplify

x, y = gc.input("x", ("k",)), gc.input("y", ("k",))
h = gc.input("h", ("k",), "float32")

TRUE = {
    "softplus": (gc.log(1 + gc.exp(x)), gc.softplus(x), [x]),
    "softplus f32": (gc.log(1 + gc.exp(h)), gc.softplus(h), [h]),
    "sigmoid": (gc.exp(x) / (1 + gc.exp(x)), gc.sigmoid(x), [x]),
    "hypot": (gc.sqrt(x * x + y * y), gc.hypot(x, y), [x, y]),
    "expm1": (gc.exp(x) - 1, gc.expm1(x), [x]),
    "cube": (x**3, x * x * x, [x]),
    "itself": (x / x, gc.ones_like(x), [x]),
}
FALSE = {
    "leaves the domain": (gc.sqrt(x) ** 2, x, [x]),
    "loses digits": (gc.exp(-x) / (1 + gc.exp(-x)) ** 2, gc.sigmoid(x) * (1 - gc.sigmoid(x)), [x]),
    "overflows": (x * (x / y), x * x / y, [x, y]),
    "underflows where a factor is magnified": (
        x**2 * y + x * y,
        (x * y) * (1 + x),
        [x, y],
    ),
    "overflows between": (
        (gc.exp(x) - 1) / (gc.exp(x) + 1) / (gc.exp(x) + 1),
        (gc.exp(x) - 1) / gc.square(gc.exp(x) + 1),
        [x],
    ),
    "underflows": (x / y / y, x / (y * y), [x, y]),
    "is another function": (gc.sin(x), gc.cos(x), [x]),
    "differs at one point": (
        gc.exp(gc.abs(x)),
        gc.where(gc.equal(x, 0.0), 2.0, gc.exp(gc.abs(x))),
        [x],
    ),
}


@pytest.mark.parametrize("name", TRUE)
def test_what_is_true_is_accepted(name):
    """Stable forms of naive ones, at points where the naive ones fail."""
    verdict = audit(*TRUE[name])
    assert verdict.holds, verdict


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_is_refuted_at_a_point(name):
    """The log tells where."""
    verdict = audit(*FALSE[name])
    assert not verdict.holds
    assert verdict.refuted_at
    assert "refuted at" in str(verdict)


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "hypot", "expm1", "itself"])
def test_strict_refuses_what_is_better_but_different(name):
    """IEEE for IEEE: an overflow stays one."""
    assert not audit(*TRUE[name], mode="strict").holds


def test_facts_widen_what_is_allowed():
    """sqrt(x)^2 is x where x is not negative."""
    assert audit(gc.sqrt(x) ** 2, x, [x], facts={x: Interval(0.0, float("inf"))}).holds


def test_exact_arithmetic_takes_the_digits_it_needs():
    """1 + 5e-324 is not 1."""
    value = exactly(gc.log1p(x), [x], [5e-324])
    assert 0 < value < 1e-320


def test_intervals_come_from_declarations_and_operations():
    """What rules may ask."""
    p = gc.input("p", ("n",), between=(0, 1))
    assert Interval(0.0, 1.0) == interval(p)
    assert interval(gc.exp(x)).is_not_negative
    assert interval(gc.square(x) + 1.0).is_positive
    assert interval(1 / gc.size("n", "float64")).is_tame()
    assert interval(1 / gc.size("n", "float32")).is_tame("float32")
    assert not interval(gc.input("t", between=(1e-30, 1))).is_tame("float32")
    assert not interval(x).is_not_negative
    assert Interval(0.0, 1.0) == interval(gc.softmax(x))
    positive = gc.input("s", (), positive=True)
    assert interval(-gc.square(x) / positive) == (-np.inf, 0)
    assert interval(gc.exp(-gc.sum(gc.square(x)) / positive)) == (0, 1)
    tiny = gc.input("tiny", ("n",), between=(1e-310, 2e-310))  # 1 / tiny is inf
    assert interval(tiny / 1e-310).low <= 1


# -- regions ----------------------------------------------------------------------------------


def after_regions(node):
    log = Log(Graph([node]))
    graph = rules(fold(prune(Graph([node]), log), log), log)
    return simplify(graph, log).outputs[0], log


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((gc.exp(x) - gc.exp(-x)) / (gc.exp(x) + gc.exp(-x)), gc.tanh(x)),
        ((x * x - y * y) / (x - y), x + y),
        (x / (x / y), y),
    ],
    ids=["tanh from exponentials", "difference of squares", "quotient"],
)
def test_a_region_is_simplified_by_sympy_and_audited(before, after):
    """The log shows both expressions, and the worst error of each."""
    result, log = after_regions(before)
    assert result is after
    assert "worst error" in str(log)


def test_worst_errors_are_told_in_a_few_digits():
    """2101344075926057.2 ulp are all of them."""
    assert "worst error 2e+15 ulp before, 0.8 after" == str(Verdict(2101344075926057.2, 0.84))


def test_what_numpy_is_told_to_raise_is_not_raised_by_an_audit(monkeypatch):
    """It tries the smallest numbers that there are: compiling was a FloatingPointError."""
    module = sys.modules["graphc.passes.simplify"]
    monkeypatch.setattr(module, "_memo", Memo())  # others met it before
    slope = gc.grad(gc.sum(gc.log(x * gc.input("w", ())) / x), x)
    with np.errstate(all="raise"):
        gc.compile(slope)


def test_a_region_whose_candidate_is_refuted_stays():
    """x * x / y overflows where x * (x / y) does not."""
    before = x / (y / (x + 1))
    assert after_regions(before)[0] is before


def test_a_budget_that_is_spent_is_stated():
    """And the graph stays as it is."""
    before = Graph([3 * gc.sinh(x * 7.125) / gc.cosh(x * 7.125)])  # met here for the first time
    log = Log(before, Budget(-1.0))
    graph = simplify(before, log)
    assert graph is log.steps[0].graph
    assert "simplify stopped: its budget of -1 s was spent" in log.table
