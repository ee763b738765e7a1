"""Simplifying: random expressions and tensor graphs keep the promise of each mode."""

import os
import subprocess
import sys

import numpy as np
import pytest
from random_expressions import SPECIAL, expression, tensor_graph

import graphc as gc
from graphc.errors import ArgumentError
from graphc.evaluate import interpret
from graphc.ir import Graph, topo
from graphc.passes import rewrite, run
from graphc.passes.audit import audit

MODES = [True, "strict"]
x, y = gc.input("x", ("k",)), gc.input("y", ("k",))
h = gc.input("h", ("k",), "float32")


def simplified(node, mode):
    return run(Graph([node]), mode)[0].outputs[0]


def judged(node, inputs, mode):
    """The verdict on a whole program. At the roots of its sums either side may be lucky."""
    return audit(node, simplified(node, mode), inputs, mode, may_extend=True, at_roots=False)


# -- expressions ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first", range(0, 1000, 100))
def test_a_random_expression_keeps_the_promise(first, mode):
    """1,000 expressions of every elementwise op, at random points and extremes, against mpmath."""
    for seed in range(first, first + 100):
        before = run(Graph([expression(seed, [x, y])]), False)[0].outputs[0]
        verdict = judged(before, [x, y], mode)
        assert verdict.holds, (seed, verdict)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", SPECIAL, ids=lambda op: op.name)
def test_a_random_expression_of_an_error_function_keeps_the_promise(function, mode):
    """Of it, within it, and added to a number."""
    for seed in range(60):
        inner = expression(seed, [function(x), 1 - function(y), y], depth=6)
        before = run(Graph([0.5 + 0.5 * function(inner)]), False)[0].outputs[0]
        verdict = judged(before, [x, y], mode)
        assert verdict.holds, (seed, verdict)


@pytest.mark.parametrize("mode", MODES)
def test_a_random_expression_in_float32_keeps_the_promise(mode):
    """The rules ask for ranges and roundings of the dtype at hand."""
    for seed in range(100):
        before = run(Graph([expression(seed, [h])]), False)[0].outputs[0]
        verdict = judged(before, [h], mode)
        assert verdict.holds, (seed, verdict)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_more_random_expressions_keep_the_promise(mode):
    """A longer sweep."""
    for seed in range(1000, 2000):
        before = run(Graph([expression(seed, [x, y])]), False)[0].outputs[0]
        verdict = judged(before, [x, y], mode)
        assert verdict.holds, (seed, verdict)


# -- traps ------------------------------------------------------------------------------------

TRAPS = {
    "x/x": x / x,
    "0*x": 0 * x,
    "x-x": x - x,
    "(x+1e20)-1e20": (x + 1e20) - 1e20,
    "sqrt(x)**2": gc.sqrt(x) ** 2,
    "log(exp(x))": gc.log(gc.exp(x)),
    "x**0": x**0,
    "exp(log(x))": gc.exp(gc.log(x)),
    "max(x,nan)": gc.maximum(x, np.nan),
    "x+0": x + 0.0,
    "0-x": 0 - x,
    "-(x-y)": -(x - y),
    "0/x": 0.0 / x,
    "sqrt(x*x)": gc.sqrt(x * x),
    "log(1+x)": gc.log(1 + x),
    "exp(x)-1": gc.exp(x) - 1,
    "x*(1/y)": x * (1 / y),
    "(x*3)/3": (x * 3.0) / 3.0,
    "sum": gc.sum(gc.concat([x, -x])),
    "(x+y)-x": (x + y) - x,
}
POINTS = [0.0, -0.0, 1.0, -1.0, 5e-324, 1e-300, 1e20, 1e300, -1e308, np.inf, -np.inf, np.nan, 0.1]


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_does_not_fire_in_strict(trap):
    """To the bit, zeros and infinities included."""
    before = TRAPS[trap]
    grid = np.array(np.meshgrid(POINTS, POINTS)).reshape(2, -1)
    values = {x: grid[0], y: grid[1]}
    was, now = gc.evaluate([before, simplified(before, "strict")], values)
    np.testing.assert_array_equal(was, now)
    np.testing.assert_array_equal(np.signbit(was), np.signbit(now))


def test_sums_across_huge_and_small_keep_their_order():
    """1e300 + 1 - 1e300 is 0 as written, and stays so: the true value is another program's."""
    a, b, c = (gc.input(name, ()) for name in "abc")
    for mode in MODES:
        f = gc.compile((a + b) - c, simplify=mode)
        assert 0.0 == f(1e300, 1.0, 1e300)


def test_naive_spellings_become_stable():
    """Where the program as written overflows, the simplified one gives the true value."""
    z = gc.input("z", ("n",))
    softmax = gc.exp(z) / gc.sum(gc.exp(z), keepdims=True)
    f = gc.compile([softmax, gc.log(softmax), gc.log(gc.sum(gc.exp(z)))], simplify=True)
    shares, logs, total = f([1000.0, 1000.0, -1000.0])
    np.testing.assert_array_equal([0.5, 0.5, 0.0], shares)
    np.testing.assert_allclose(logs, [-np.log(2), -np.log(2), -2000.6931471805599])
    assert total == pytest.approx(1000 + np.log(2))


# -- tensor graphs ----------------------------------------------------------------------------

SHAPES = {"A": (5, 7), "B": (7, 7), "C": (7, 5), "v": (7,), "w": (5, 1), "s": ()}
SIZES = {"dim_n": 5, "dim_m": 7}
n, m = gc.dims("n m")
INPUTS = [
    gc.input("A", (n, m)), gc.input("B", (m, m)), gc.input("C", (m, n)),
    gc.input("v", (m,)), gc.input("w", (n, 1)), gc.input("s", ()),
]  # fmt: skip


def drawn(rng):
    values = {v: rng.normal(size=SHAPES[v.name]) * rng.choice([0.5, 1, 3]) for v in INPUTS}
    if rng.random() < 0.4:  # something that is not finite, somewhere
        v = INPUTS[rng.integers(0, 5)]
        values[v].flat[rng.integers(0, values[v].size)] = rng.choice([np.inf, np.nan, -np.inf])
    return {v: np.asarray(value)[()] for v, value in values.items()}


def numbers(nodes, values):
    found = dict(values)
    with np.errstate(all="ignore"):
        interpret(topo(nodes), found, SIZES)
    return [np.asarray(found[v]) for v in nodes]


def longer(nodes, values):
    """The same operations with 64 bits of mantissa: as good as exact beside float64."""
    found = {v: np.asarray(value, np.longdouble)[()] for v, value in values.items()}
    order = topo(nodes)
    for v in order:
        if v.op.name == "constant":
            array = v.attrs["value"].array
            found[v] = np.asarray(array, np.longdouble if v.type.is_float else array.dtype)[()]

    def text(v):
        if v.op.name == "astype":
            return "x0 * 1"
        return v.op.text(v).replace("np.float64", "np.longdouble")

    with np.errstate(all="ignore"):
        interpret(order, found, SIZES, text)
    return [np.asarray(found[v]) for v in nodes]


def kept(written, now, exact, mode):
    """Whether the promise holds for one output: NaN, inf, and the error beside the exact values."""
    finite = np.isfinite(written)
    if mode == "strict":
        np.testing.assert_array_equal(np.isnan(written), np.isnan(now))
        np.testing.assert_array_equal(np.isinf(written), np.isinf(now))
    assert np.all(np.isfinite(now[finite]))
    if finite.any():
        was, new = (np.max(np.abs(value[finite] - exact[finite])) for value in (written, now))
        assert new <= 4 * was + 8 * np.finfo(float).eps * np.max(np.abs(exact[finite]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first", range(0, 200, 50))
def test_a_random_tensor_graph_keeps_the_promise(first, mode):
    """200 graphs with their gradients, compared with the same sums in longer arithmetic."""
    for seed in range(first, first + 50):
        rng = np.random.default_rng(seed)
        z = tensor_graph(seed, INPUTS)
        targets = [v for v in INPUTS if v in topo([z])]
        outputs = [z, *gc.grad(z, targets, disconnected="zero")] if targets else [z]
        written = run(Graph(outputs, INPUTS), False)[0]
        result = run(written, mode)[0]
        result.typecheck()
        values = drawn(rng)
        sides = (numbers(written.outputs, values), numbers(result.outputs, values))
        for was, now, exact in zip(*sides, longer(written.outputs, values), strict=True):
            kept(was, now, exact, mode)


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_of_the_simplified_is_the_simplified_gradient(mode):
    """Rewriting and differentiating commute, up to rounding."""
    for seed in range(60):
        z = tensor_graph(seed, INPUTS)
        targets = [v for v in INPUTS if v in topo([z])]
        if not targets:
            continue
        simple = run(Graph([z], INPUTS), mode)[0].outputs[0]
        one = run(Graph(gc.grad(z, targets, disconnected="zero"), INPUTS), mode)[0].outputs
        two = (
            gc.grad(simple, targets, disconnected="zero")
            if not simple.op.name == "constant"
            else one
        )
        values = {
            v: np.asarray(value)[()] for v, value in zip(INPUTS, drawn_finite(seed), strict=True)
        }
        for a, b in zip(numbers(one, values), numbers(two, values), strict=True):
            np.testing.assert_allclose(
                a, b, rtol=1e-9, atol=1e-9 * max(1, np.max(np.abs(a), initial=0))
            )


def drawn_finite(seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=SHAPES[v.name]) for v in INPUTS]


@pytest.mark.parametrize("mode", MODES)
def test_simplifying_twice_changes_nothing(mode):
    """The rules have come to an end."""
    for seed in range(150):
        z = tensor_graph(seed, INPUTS)
        targets = [v for v in INPUTS if v in topo([z])]
        outputs = [z, *gc.grad(z, targets, disconnected="zero")] if targets else [z]
        once = run(Graph(outputs, INPUTS), mode)[0]
        again, log = run(once, mode)
        assert once.outputs == again.outputs, (seed, str(log))


@pytest.mark.parametrize("mode", MODES)
def test_what_becomes_one_value_is_looked_at_again(mode):
    """3 * (y / 2) * 1 is counted with both its consumers in the round that makes one of them."""
    once = run(Graph([-((3.0 * (0.5 * y)) * 1.0)]), mode)[0]
    assert once.count()["negative"] == 0
    assert once.outputs == run(once, mode)[0].outputs


# -- the pipeline -----------------------------------------------------------------------------


def network():
    size = gc.dim("n")
    X, labels = gc.input("X", (size, 784)), gc.input("labels", (size,), dtype="int64")
    W1, b1 = gc.input("W1", (784, 256)), gc.input("b1", (256,))
    W2, b2 = gc.input("W2", (256, 10)), gc.input("b2", (10,))
    scores = gc.relu(X @ W1 + b1) @ W2 + b2
    chosen = gc.take_along_axis(gc.log_softmax(scores), labels[:, None])
    J = -gc.mean(chosen) + 1e-4 * (gc.sum(W1**2) + gc.sum(W2**2))
    return {"J": J, "g": gc.grad(J, [W1, b1, W2, b2])}


def test_false_is_the_program_as_written():
    """No rule fires, and the names of the passes tell."""
    f = gc.compile(network(), simplify=False)
    assert ["as written", "prune", "fold"] == [step.name for step in f.log.steps]
    assert "**" in f.source


def test_an_unknown_mode_is_refused():
    """A typing error must not silently mean True."""
    with pytest.raises(ArgumentError, match="simplify= is True, False or 'strict', not 'fast'"):
        gc.compile(x, simplify="fast")


def test_the_network_gives_the_same_numbers_simplified():
    """Compiled in each mode, and interpreted."""
    rng = np.random.default_rng(0)
    values = {
        "X": rng.normal(size=(7, 784)), "labels": rng.integers(0, 10, 7),
        "W1": rng.normal(size=(784, 256)) / 28, "b1": rng.normal(size=256),
        "W2": rng.normal(size=(256, 10)) / 16, "b2": rng.normal(size=10),
    }  # fmt: skip
    outputs = network()
    expected = gc.evaluate([outputs["J"], *outputs["g"]], values)
    for mode in (False, *MODES):
        found = gc.compile(outputs, simplify=mode)(**values)
        for a, b in zip(expected, [found["J"], *found["g"]], strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-14)


def test_the_source_is_the_same_under_every_hash_seed():
    """Sets and dicts of nodes never decide an order."""
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "import graphc as gc, test_simplify as t\n"
        "print(gc.compile(t.network(), simplify=True).source)\n"
        "print(gc.compile(t.tensor_graph(3, t.INPUTS), simplify=True, inputs=t.INPUTS).source)\n"
    )
    root = os.path.dirname(os.path.dirname(__file__))
    sources = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert 1 == len(sources)


def test_a_deep_chain_is_simplified_in_rounds_that_do_not_grow():
    """Work per node is bounded: as many rules are tried for each node at ten times the depth."""

    def firings(depth):
        a, z = gc.input("a", ()), gc.input("z", (4,))
        for _ in range(depth):
            z = gc.tanh(a * z * 1.0)
        graph, log = run(Graph([gc.grad(gc.sum(z), a)]), True)
        return len(graph), len(log.steps[3].rewrites)

    small, large = firings(100), firings(1000)
    assert large[0] <= 10.5 * small[0]
    assert large[1] <= 10.5 * small[1]


LOSSES = {
    "squares": lambda h: gc.sum(h**2),
    "cross-entropy": lambda h: -gc.sum(gc.input("y", ("n", 8)) * gc.log_softmax(h)) / 8,
}


def tanh_layers(depth, loss):
    h, weights = gc.input("X", ("n", 8)), []
    for k in range(depth):
        weights += [gc.input(f"W{k}", (8, 8)), gc.input(f"b{k}", (8,))]
        h = gc.tanh(h @ weights[-2] + weights[-1])
    result = LOSSES[loss](h)
    return Graph([result, *gc.grad(result, weights)])


@pytest.mark.parametrize("loss", LOSSES)
def test_rules_look_at_the_nodes_of_a_layer_once(loss, monkeypatch):
    """However many rounds the loss takes: a layer below is settled, and stays so."""
    seen = []
    simplest = rewrite._Round._simplest

    def noting(walk, node, old):
        seen.append(node)
        return simplest(walk, node, old)

    monkeypatch.setattr(rewrite._Round, "_simplest", noting)

    def looks(depth):
        seen.clear()
        graph = tanh_layers(depth, loss)
        _, log = run(graph, True)
        assert any(step.rewrites for step in log.steps)
        return len(seen), sum(bool(v.inputs) for v in graph.nodes)

    (few, small), (many, large) = looks(2), looks(24)
    assert large - small > 100
    assert many - few <= large - small


# -- facts ------------------------------------------------------------------------------------


def test_declared_facts_are_used():
    """sqrt(p)^2 is p where p is known to be positive, and nowhere else."""
    p = gc.input("p", ("k",), positive=True)
    assert simplified(gc.sqrt(p) ** 2, True) is p
    assert simplified(gc.sqrt(x) ** 2, True) is not x


def test_declared_facts_are_checked_when_asked():
    """The program itself refuses, with the declaration and what was found."""
    p = gc.input("p", ("k",), positive=True)
    q = gc.input("q", (), "float32", between=(0, 0.3))
    f = gc.compile([gc.abs(p), gc.abs(q)], check_facts=True)
    f([1.0, np.nan], 0.3)
    with pytest.raises(gc.BindError, match="p was declared positive, and holds 0.0"):
        f([1.0, 0.0], 0.1)
    with pytest.raises(gc.BindError, match="q was declared between 0.0 and 0.3, and holds 0.5"):
        f([1.0], 0.5)
    r = gc.compile(gc.abs(gc.input("r", (), between=(-1, np.inf))), check_facts=True)
    with pytest.raises(gc.BindError, match="r was declared between -1.0 and inf, and holds -2.0"):
        r(-2.0)  # it was told as the program writes it: (-1.0), np.inf
    assert 2 == len(gc.compile([gc.abs(p), gc.abs(q)])([0.0], 0.5))


def test_facts_belong_to_the_input():
    """With and without a declaration are two inputs; a graph refuses both under one name."""
    plain, known = gc.input("p", ("k",)), gc.input("p", ("k",), positive=True)
    assert plain is not known
    assert known is gc.input("p", ("k",), positive=True)
    with pytest.raises(gc.NameClash):
        gc.compile(plain + known)


def test_an_empty_interval_is_refused():
    """between=(1, 0) holds nothing."""
    with pytest.raises(ArgumentError, match=r"between=\(low, high\) needs low <= high"):
        gc.input("p", (), between=(1, 0))
