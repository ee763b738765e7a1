"""Derivatives at kinks: few choices are left, and the numbers are those of what was written."""

import gc as collector

import numpy as np
import pytest

import graphc as gc
from graphc.ir import Graph
from graphc.passes import Budget, Log, rules, run
from graphc.passes.rules import kinks
from graphc.passes.searches import Memo

x, a, b = (gc.input(name, ("k",)) for name in "xab")
c, y = gc.input("c", ()), gc.input("y", ("k",))
relu, most, least, size = gc.relu, gc.maximum, gc.minimum, gc.abs


def huber(x):
    return gc.where(size(x) <= 1, 0.5 * x**2, size(x) - 0.5)


# What is differentiated by x, and how many choices and signs are left in it (as written, strict,
# simplified); the numbers at which its pieces meet are -6, -3, -1, -1/2, 0 and their opposites.
KINKS = {
    "relu(relu(x))": (lambda x, y, a, b, c: relu(relu(x)), 1, 1, 1),
    "relu(x)*|x|": (lambda x, y, a, b, c: relu(x) * size(x), 2, 2, 0),
    "||x||": (lambda x, y, a, b, c: size(size(x)), 2, 1, 1),
    "max(x, 0)": (lambda x, y, a, b, c: most(x, 0), 2, 0, 0),
    "min(0, x)": (lambda x, y, a, b, c: least(0, x), 2, 0, 0),
    "max(x, 0)**2": (lambda x, y, a, b, c: most(x, 0) ** 2, 2, 0, 0),
    "y*max(x, 0)**2": (lambda x, y, a, b, c: y * most(x, 0) ** 2, 2, 0, 0),
    "sin(y)*max(x, 0)": (lambda x, y, a, b, c: gc.sin(y) * most(x, 0), 2, 0, 0),
    "max(x, -x)": (lambda x, y, a, b, c: most(x, -x), 3, 0, 0),
    "max(relu(x), |x|)": (lambda x, y, a, b, c: most(relu(x), size(x)), 5, 2, 1),
    "max(max(x, a), b)": (lambda x, y, a, b, c: most(most(x, a), b), 4, 0, 0),
    "||x| - 1|": (lambda x, y, a, b, c: size(size(x) - 1), 2, 2, 2),
    "|relu(x) - 1|": (lambda x, y, a, b, c: size(relu(x) - 1), 2, 2, 2),
    "soft threshold": (lambda x, y, a, b, c: relu(size(x) - c), 2, 2, 2),
    "triangle": (lambda x, y, a, b, c: relu(1 - size(x)), 2, 2, 2),
    "Huber": (lambda x, y, a, b, c: huber(x), 3, 3, 0),
    "Huber, weighted": (lambda x, y, a, b, c: y * huber(x), 3, 3, 0),
    "clip": (lambda x, y, a, b, c: gc.clip(x, -1, 1), 1, 1, 1),
    "hard tanh": (lambda x, y, a, b, c: most(-1, least(x, 1)), 4, 2, 0),
    "relu6": (lambda x, y, a, b, c: least(relu(x), 6), 3, 0, 0),
    "relu6, weighted": (lambda x, y, a, b, c: y * least(relu(x), 6), 3, 3, 2),
    "hinge": (lambda x, y, a, b, c: most(0, 1 - y * x), 2, 0, 0),
    "squared hinge": (lambda x, y, a, b, c: most(0, 1 - y * x) ** 2, 2, 0, 0),
    "leaky relu": (lambda x, y, a, b, c: gc.where(x > 0, x, 0.01 * x), 2, 2, 1),
    "leaky relu by max": (lambda x, y, a, b, c: most(x, 0.01 * x), 3, 0, 0),
    "leaky relu by two": (lambda x, y, a, b, c: relu(x) - 0.01 * relu(-x), 2, 0, 0),
    "pinball": (lambda x, y, a, b, c: most(0.9 * x, -0.1 * x), 3, 0, 0),
    "pinball, weighted": (lambda x, y, a, b, c: y * most(0.9 * x, -0.1 * x), 3, 0, 0),
    "relu(x) + relu(-x)": (lambda x, y, a, b, c: relu(x) + relu(-x), 2, 0, 0),
    "elu": (lambda x, y, a, b, c: gc.where(x > 0, x, gc.exp(x) - 1), 2, 2, 1),
    "hard sigmoid": (lambda x, y, a, b, c: gc.clip(x / 6 + 0.5, 0, 1), 1, 1, 1),
    "three in a row": (lambda x, y, a, b, c: relu(least(most(x, -3), 3) - 0.5), 5, 3, 1),
}


def derivative(name, of=(x, y, a, b, c)):
    return gc.grad(gc.sum(KINKS[name][0](*of)), of[0])


def simplified(node, mode):
    return run(Graph([node]), mode)[0]


@pytest.mark.parametrize("name", KINKS)
def test_few_choices_are_left(name):
    """One, or none where truth values, clip or the value itself say the same."""
    left = []
    for mode in (False, "strict", True):
        count = simplified(derivative(name), mode).count()
        left.append(count["where"] + count["sign"])
    assert [*KINKS[name][1:]] == left


def points():
    """Both sides of every kink and the kinks, zeros, what is not finite; all pairs with a and y."""
    kinks = np.array([0.0, 0.5, 1.0, 3.0, 6.0])
    beside = [kinks, np.nextafter(kinks, np.inf), np.nextafter(kinks, -np.inf), kinks + 0.25]
    given = np.concatenate([*beside, [5e-324, 1e-300, 1e300, np.inf]])
    given = np.concatenate([given, -given, [np.nan]])
    pairs = np.array(np.meshgrid(given, given)).reshape(2, -1)
    return {x: pairs[0], a: pairs[1], y: pairs[1], b: np.roll(pairs[1], 7), c: 1.0}


@pytest.mark.parametrize("mode", [True, "strict"])
@pytest.mark.parametrize("name", KINKS)
def test_the_numbers_are_those_of_the_program_as_written(name, mode):
    """Strict to the bit; else what was finite is so up to rounding, and zeros up to their sign."""
    graph = simplified(derivative(name), mode)
    values = points()
    was, now = gc.evaluate([derivative(name), graph.outputs[0]], values)
    if mode == "strict":
        np.testing.assert_array_equal(was, now)
        signs = [np.signbit(side) & ~np.isnan(side) for side in (was, now)]
        np.testing.assert_array_equal(*signs)
    finite = np.isfinite(was)
    assert finite.sum() > 40
    np.testing.assert_allclose(now[finite], was[finite], rtol=1e-15, atol=1e-323)
    assert not np.any(np.isfinite(now) & np.isinf(was))


@pytest.mark.parametrize("name", KINKS)
def test_simplified_once_is_simplified(name):
    """With what it is of, and in each mode."""
    for mode in (True, "strict"):
        once, _ = run(Graph([derivative(name), KINKS[name][0](x, y, a, b, c)]), mode)
        assert once.outputs == run(once, mode)[0].outputs


@pytest.mark.parametrize("name", KINKS)
def test_single_precision_keeps_its_numbers(name):
    """The pieces are numbers of the dtype: 0.9 is another one there."""
    of = [gc.input(f"{name}32", ("k",) if name != "c" else (), "float32") for name in "xyabc"]
    slope = derivative(name, of)
    after = simplified(slope, True).outputs[0]
    with np.errstate(all="ignore"):
        given = points()[x].astype("float32")
    values = dict.fromkeys(of, np.roll(given, 5)) | {of[0]: given, of[4]: np.float32(1)}
    was, now = gc.evaluate([slope, after], values)
    finite = np.isfinite(was)
    assert was.dtype == now.dtype == np.float32
    np.testing.assert_allclose(now[finite], was[finite], rtol=1e-6, atol=0)


TRAPS = {
    "a guard hides what is infinite": gc.where(x > 0, y, 0.0),
    "so it does in two": gc.where(x > 0, y, gc.where(x < 0, -y, 0.0)),
    "NaN is neither": gc.where(x > 0, 1.0, gc.where(x <= 0, -1.0, 0.5)),
    "a sum may be rounded": gc.where(x + 3.0 > 0, gc.where(x > -3.0, 2.0, 1.0), 0.0),
    "a product may vanish": gc.where(x * 1e-200 > 0, gc.where(x > 0, 2.0, 1.0), 0.0),
    "infinity is 0.01 of itself": gc.where(x > 0.01 * x, gc.where(x > 0, 2.0, 1.0), 3.0),
    "|x| is infinite twice": gc.where(size(x) > 1, gc.sign(x), x) * y,
    "0 is not 1": gc.relu(x) * gc.where(x >= 0, 2.0, 1.0),
    "0 * x is NaN at infinity": gc.where(0.0 * x < x, 1.0, gc.where(x > 0, 2.0, 3.0)),
    "so is x - x": gc.where(x - x < x, 1.0, gc.where(x > 0, 2.0, 3.0)),
    "so is what 0 * y is added to": gc.where(x > 0, gc.where(0.0 * y + x > 0, 1.0, 0.0), 0.0),
    "half of the least is 0": gc.where(0.5 * x > 0, 1.0, gc.where(x > 0, 2.0, 3.0)),
    "zeros have signs": gc.where(x < 0, 0.0, gc.where(x > 0, 1.0, gc.where(x == 0, -0.0, 0.0))),
    "what is compared is needed": gc.where(
        gc.logical_and(x != x, gc.where(c >= 0, 1.0, x) < gc.astype(x > 3, "float64")), -1.0, 0.0
    ),
    "0 - 0 is 0": gc.where(x > 0, 0.0, -0.0) + gc.where(x > 0, 1.0, -0.0),
}


@pytest.mark.parametrize("mode", [True, "strict"])
@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_keeps_its_numbers(name, mode):
    """Where one condition seems to follow from another, and what is guarded may be infinite."""
    before = TRAPS[name]
    was, now = gc.evaluate([before, simplified(before, mode).outputs[0]], points())
    finite = np.isfinite(was)
    if mode == "strict":
        np.testing.assert_array_equal(was, now)
        signs = [np.signbit(side) & ~np.isnan(side) for side in (was, now)]
        np.testing.assert_array_equal(*signs)
    np.testing.assert_array_equal(was[finite], now[finite])


@pytest.mark.parametrize("mode", [True, "strict"])
@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_that_is_simplified_is_simplified(name, mode):
    """What is written anew counts all that it takes: else there would be no end of it."""
    once, log = run(Graph([TRAPS[name]]), mode)
    assert sum(len(step.rewrites) for step in log.steps) < 10
    assert once.outputs == run(once, mode)[0].outputs


def test_a_guarded_gradient_stays_guarded():
    """The branch that is not taken contributes 0 whatever its own derivative is."""
    root = gc.where(x > 0, gc.sqrt(x), 0.0) * most(x, 0)
    slope = simplified(gc.grad(gc.sum(root), x), True).outputs[0]
    found = gc.evaluate(slope, {x: np.array([-4.0, 0.0, 4.0])})
    np.testing.assert_allclose(found, [0.0, 0.0, 3.0])


def test_a_relu_network_is_walked_past():
    """One condition on one value has nothing to be joined with."""
    h, weights = gc.input("X", ("n", 8)), []
    for k in range(3):
        weights.append(gc.input(f"W{k}", (8, 8)))
        h = relu(h @ weights[-1])
    _, log = run(Graph(gc.grad(gc.sum(h), weights)), True)
    names = {r.name for step in log.steps for r in step.rewrites}
    assert names.isdisjoint({"same_pieces", "fewer_choices", "choice_that_is_made"})


def test_equal_layers_are_searched_once(monkeypatch):
    """What was found is remembered by its structure, without the nodes that it was found on."""
    searched, cheapest = [], kinks._cheapest
    monkeypatch.setattr(kinks, "_memo", Memo())

    def noting(n, *rest):
        searched.append(n)
        return cheapest(n, *rest)

    monkeypatch.setattr(kinks, "_cheapest", noting)

    def searches(depth):
        searched.clear()
        h, weights = gc.input("X", ("n", 8)), []
        for k in range(depth):
            weights.append(gc.input(f"W{k}", (8, 8)))
            h = least(relu(h @ weights[-1]), 6)
        graph, _ = run(Graph(gc.grad(gc.sum(h), weights)), True)
        assert graph.count()["where"] <= 2 * depth
        return len(searched)

    few = searches(3)
    assert few > 0 and searches(24) <= few
    kept = [step for found, _ in kinks._memo.known.values() if found for step in found.ops]
    assert kept and not any(isinstance(part, gc.Node) for step in kept for part in step)


def test_searches_are_within_the_budget(monkeypatch):
    """What they take is counted: the same is left as it is, whatever was found before."""
    monkeypatch.setattr(kinks, "_memo", Memo())
    slopes = Graph(
        gc.grad(gc.sum(size(least(most(x, k), 2 * k + 1) * relu(x - k))), x) for k in range(1, 9)
    )
    whole, log = run(slopes, True)
    enough = log.budget.spent
    assert not log.budget.is_short and 0.001 < enough < 1
    found = []
    for known in ({}, kinks._memo.known):
        kinks._memo.known = dict(known)
        log = Log(slopes, Budget(enough / 2))
        found.append((rules(slopes, log).outputs, log.budget.spent))
        assert f"simplify stopped: its budget of {enough / 2:g} s was spent" in log.table
    assert found[0] == found[1]
    assert found[0][0] != whole.outputs


def test_a_value_that_stays_itself_is_read_once(monkeypatch):
    """It is in all that is made of its pieces. Compiles spent most of their time on the others."""
    cells, value = [], kinks.Reading.value

    def noting(reading, v, cell):
        if v is top:
            cells.append(cell)
        return value(reading, v, cell)

    monkeypatch.setattr(kinks.Reading, "value", noting)
    monkeypatch.setattr(kinks, "_memo", Memo())
    top = gc.where(x > 0, gc.sin(y), b) * gc.where(a > 0, gc.cos(y), x)
    assert kinks.fewer_choices(top) is None
    assert cells and set(cells) == {0}


def test_a_search_leaves_no_nodes_behind(monkeypatch):
    """They would be met by others until memory is cleaned, who then had their lines in programs."""
    monkeypatch.setattr(kinks, "_memo", Memo())
    collector.collect()
    collector.disable()
    try:
        slope = gc.grad(gc.sum(most(relu(x) * y, size(x)) * gc.clip(x, -1, 1)), x)
        gc.compile(slope)
        collector.set_debug(collector.DEBUG_SAVEALL)
        collector.collect()
        assert [] == [v for v in collector.garbage if isinstance(v, gc.Node)]
    finally:
        collector.set_debug(0)
        collector.garbage.clear()
        collector.enable()
