"""Growth: time, nodes and memory are linear in the size of a graph, however deep it is."""

import gc as collector
import subprocess
import sys
import weakref
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc import ir
from graphc.autodiff.modes import forward
from tests.timing import growth, without_collector

ROOT = Path(gc.__file__).parents[1]


def chain(layers):
    """Layers of tanh(a * x + b) on a vector: three nodes each."""
    x, a, b = gc.input("x", (8,)), gc.input("a", (8,)), gc.input("b", (8,))
    v = x
    for _ in range(layers):
        v = gc.tanh(a * v + b)
    return gc.sum(v), [x, a, b]


@pytest.mark.slow
def test_ten_times_the_layers_take_at_most_twelve_times_the_time():
    """To build, differentiate, compile (which simplifies), and call once, from 1,000 to 10,000
    layers: nothing is walked once for each node.
    """

    def everything(layers):
        loss, inputs = chain(layers)
        f = gc.compile([loss, *gc.grad(loss, inputs)])
        f(np.full(8, 0.5), np.full(8, 0.9), np.full(8, 0.01))

    everything(10)
    assert growth(lambda layers: partial(everything, layers), 1_000, 10_000, limit=12) <= 12


def count(layers):
    loss, inputs = chain(layers)
    return len(gc.Graph([loss, *gc.grad(loss, inputs)]))


def test_a_chain_and_its_gradient_have_so_many_nodes_a_layer():
    """Each further layer adds the same nodes: the difference is constant."""
    counts = [count(layers) for layers in (10, 20, 30, 200)]
    step = counts[1] - counts[0]
    assert step == counts[2] - counts[1] and 17 * step == counts[3] - counts[2]
    assert step <= 10 * 12


def test_a_program_has_a_line_for_each_node():
    """Three-address code: lines grow as nodes do, and those that let values go do as well."""
    loss, inputs = chain(200)
    f = gc.compile([loss, *gc.grad(loss, inputs)])
    function = f.source[f.source.index("def program") : f.source.index("    return ")]
    lines = [line.strip() for line in function.splitlines() if not line.strip().startswith("#")]
    computing = [line for line in lines if not line.startswith("del ")]
    assert len(computing) <= len(f.graph) + 20
    assert len(lines) <= 2 * len(computing)


def squares(depth):
    """x = x*x + x: every step uses the one before three times."""
    x = gc.input("x")
    v = x
    for _ in range(depth):
        v = v * v + v
    return v, x


def waves(depth):
    """x = sin(x) * cos(x): 2**depth paths."""
    x = gc.input("x")
    v = x
    for _ in range(depth):
        v = gc.sin(v) * gc.cos(v)
    return v, x


def by_hand(step, slope, depth, value):
    """The chain rule forwards, in plain floats."""
    total = 1.0
    for _ in range(depth):
        total *= slope(value)
        value = step(value)
    return value, total


DIAMONDS = {
    "squares": (squares, 1000, lambda v: v * v + v, lambda v: 2 * v + 1, -1e-4),
    "waves": (
        waves,
        200,
        lambda v: np.sin(v) * np.cos(v),
        lambda v: np.cos(v) ** 2 - np.sin(v) ** 2,
        0.7,
    ),
}


@pytest.mark.parametrize("name", DIAMONDS)
def test_the_gradient_of_a_diamond_chain_is_linear_in_its_depth_and_right(name):
    """Each gradient is built once, in a table: 2**1000 paths are 1000 sums."""
    build, depth, step, slope, at = DIAMONDS[name]
    sizes = []
    for layers in (depth // 4, depth // 2, depth):
        v, x = build(layers)
        sizes.append(len(gc.Graph([v, gc.grad(v, x)])))
    assert 2 * (sizes[1] - sizes[0]) == pytest.approx(sizes[2] - sizes[1], abs=8)
    assert sizes[2] <= 14 * depth
    want = by_hand(step, slope, depth, at)
    got = gc.compile([v, gc.grad(v, x)])(at)
    np.testing.assert_allclose(got, want, rtol=1e-10)


@pytest.mark.parametrize("name", DIAMONDS)
def test_second_derivatives_of_a_diamond_chain_are_linear_too(name):
    """The gradient's gradient shares what the gradient shares."""
    build, depth, *_ = DIAMONDS[name]
    sizes = []
    for layers in (20, 40, 80):
        v, x = build(layers)
        sizes.append(len(gc.Graph([gc.grad(gc.grad(v, x), x)])))
    assert sizes[2] - sizes[1] <= 2.2 * (sizes[1] - sizes[0])


def work(function):
    """How many calls of Python and C functions one call comes to."""
    count = 0

    def counted(*_):
        nonlocal count
        count += 1

    outer = sys.getprofile()
    with without_collector():
        sys.setprofile(counted)
        try:
            function()
        finally:
            sys.setprofile(outer)
    return count


# Ops whose tangents are derived from their bprop.
LAYERS = {
    "softmax": gc.softmax,
    "prod": lambda v: v * gc.prod(v),
    "cumulative-prod": gc.cumulative_prod,
}


@pytest.mark.parametrize("name", LAYERS)
def test_forward_mode_through_ops_without_a_rule_for_it_is_linear(name):
    """The tangent of one op is derived from that op alone, not from all that lies before it."""

    def tangent(layers):
        x = gc.input("x", (3,))
        v = x
        for _ in range(layers):
            v = LAYERS[name](v)
        return lambda: gc.jvp(v, x, np.ones(3))

    tangent(10)()
    sizes = [len(gc.Graph([tangent(layers)()])) for layers in (20, 40, 80)]
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])
    assert work(tangent(400)) <= 4.5 * work(tangent(100))


def test_no_tangent_is_built_that_reaches_no_output():
    """Behind a gradient that is stopped, nothing is differentiated."""
    x = gc.input("x", ())
    stopped = gc.exp(x)
    table = forward([gc.stop_gradient(stopped) * x], {x: gc.constant(1.0)})
    assert stopped not in table and 2 == len(table)


def test_the_gradient_of_a_join_is_linear_in_its_parts():
    """Where the parts begin is summed once, not again before each of them."""

    def gradient(parts):
        x = gc.input("x", (f"of_{parts}",))
        joined = gc.sum(gc.concat([x * (k + 1.0) for k in range(parts)]))
        return lambda: gc.grad(joined, x)

    sizes = [len(gc.Graph([gradient(parts)()])) for parts in (20, 40, 80)]
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])
    assert work(gradient(400)) <= 6 * work(gradient(100))


def test_the_plan_of_a_loop_is_linear_in_its_steps():
    """A region of all their slopes looks up what reads an operand, and where each ends: a thousand
    steps took five times as long to compile as they do now.
    """

    def compiled(steps):
        v, W, b = gc.input("v", ("n",)), gc.input("W", ("n", "n")), gc.input("b", ("n",))
        for _ in range(steps):
            v = gc.tanh(W @ v + b)
        loss = gc.sum(v)
        outputs = [loss, *gc.grad(loss, [W, b])]
        return lambda: gc.compile(outputs)

    compiled(50)()
    assert work(compiled(600)) <= 5.5 * work(compiled(150))


MANY = {
    "evaluate": lambda z, at: gc.evaluate(z, at),
    "check": lambda z, at: gc.check(z, next(iter(at)), at),
}


@pytest.mark.parametrize("name", MANY)
def test_values_of_many_inputs_are_looked_up_not_searched_for(name):
    """Nor is a graph run once for each input where only one is asked for."""

    def asked(inputs):
        at = {gc.input(f"x{k}", ()): 0.1 for k in range(inputs)}
        z = sum(map(gc.sin, at))
        return lambda: MANY[name](z, at)

    asked(10)()
    assert work(asked(1_000)) <= 20 * work(asked(100))


FACTORS = {
    "signs": lambda y, x, k: -y,
    "guards": lambda y, x, k: gc.where(x > k, y, 0),
    "signs-of-guards": lambda y, x, k: -gc.where(x > k, y, 0),
}


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_under_many_signs_and_guards_is_differentiated_without_recursion(name):
    """What a product hangs on is read in a loop, however deep: its sign is the parity."""
    x, w, k = (gc.input(name, ()) for name in "xwk")
    sizes = []
    for depth in (1_500, 3_000):
        y = x + 1
        for _ in range(depth):
            y = FACTORS[name](y, x, k)
        g, t = gc.grad(x * y * w, x), gc.jvp(x * y * w, x, 1.0)
        assert [15, 15] == gc.evaluate([g, t], {x: 2.0, w: 3.0, k: 1.0})
        sizes.append(len(gc.Graph([g, t])))
    assert sizes[1] <= 2 * sizes[0]


def test_forward_mode_of_a_diamond_chain_is_linear():
    """A tangent for each node, once."""
    sizes = []
    for layers in (50, 100, 200):
        v, x = waves(layers)
        sizes.append(len(gc.Graph([gc.jvp(v, x, 1.0)])))
    assert sizes[2] - sizes[1] <= 2.1 * (sizes[1] - sizes[0])


DEEP = """
import resource, sys, time
limit = sys.getrecursionlimit()
import numpy as np
import graphc as gc
from test_growth import chain

loss, inputs = chain(100_000)
forward = len(gc.Graph([loss]))
f = gc.compile([loss, *gc.grad(loss, inputs)])
got = f(np.full(8, 0.5), np.full(8, 0.9), np.full(8, 0.01))
assert all(np.all(np.isfinite(g)) for g in got)
assert sys.getrecursionlimit() == limit == 1000
# The chain has a fixed point t = tanh(0.9 t + 0.01); sums of a geometric series around it.
t = 0.5
for _ in range(100_000):
    t = np.tanh(0.9 * t + 0.01)
slope = 1 - t * t
np.testing.assert_allclose(got[0], 8 * t, rtol=1e-12)
np.testing.assert_allclose(got[1], 0, atol=1e-300)
np.testing.assert_allclose(got[3], slope / (1 - 0.9 * slope), rtol=1e-9)
np.testing.assert_allclose(got[2], t * slope / (1 - 0.9 * slope), rtol=1e-9)
del f, loss, inputs
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(forward, peak / (1024**3 if sys.platform == "darwin" else 1024**2))
"""


@pytest.mark.slow
def test_a_hundred_thousand_layers_compile_and_run_in_six_gibibytes():
    """With Python's own recursion limit, in a process of its own."""
    path = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]"
    done = subprocess.run([sys.executable, "-c", path + DEEP], capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    forward, gibibytes = done.stdout.split()
    assert 300_000 <= int(forward) <= 300_010
    assert float(gibibytes) <= 6


def interned():
    collector.collect()
    return len(ir.interned)


def resident():
    """Bytes of this process in memory, where the system tells; else 0."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * 4096


@pytest.mark.slow
def test_a_million_nodes_that_are_dropped_leave_nothing_behind():
    """The table of nodes holds them weakly: dropping a graph forgets it."""
    x = gc.input("x", ("n",))

    def build(start, rounds):
        v = x
        for k in range(start, start + rounds):
            v = gc.tanh(v + float(k))  # a constant, a sum, a tanh
            for _ in range(17):  # and what is made most cheaply
                v = -v
        return v

    assert 1 + 20 * 100 == len(gc.Graph([build(0, 100)]))
    build(0, 500)
    before, memory = interned(), resident()
    for part in range(100):
        build(500 * part, 500)
    assert before == interned()
    assert resident() - memory <= 64 * 2**20


def test_dropped_nodes_leave_the_table():
    """The same with few nodes, gradients and programs included."""
    x = gc.input("x", ("n",))

    def use(k):
        loss = gc.sum(gc.softplus(x * float(k)) ** 2)
        f = gc.compile([loss, gc.grad(loss, x)], name=f"p{k}")
        f(np.ones(3))
        return weakref.ref(loss)

    for k in range(30):
        use(k + 0.5)
    before = interned()
    references = [use(k + 0.25) for k in range(200)]
    after = interned()
    assert all(reference() is None for reference in references)
    assert after <= before + 20


def test_a_chain_that_is_a_hundred_thousand_deep_is_dropped_without_a_crash():
    """Freeing one node frees the next: not by one call inside another."""
    code = """
import sys; sys.path.insert(0, sys.argv[1])
import graphc as gc
v = gc.input("x", (2,))
for k in range(100_000):
    v = gc.sin(v)
del v
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True)
    assert (0, "alive\n") == (done.returncode, done.stdout), done.stderr


def test_walks_do_not_recurse():
    """Every walk of a graph that is deeper than Python's stack."""
    loss, inputs = chain(3_000)
    graph = gc.Graph([loss])
    assert 9_004 == len(graph)
    graph.typecheck()
    assert graph.ancestors(loss) == set(graph.nodes)
    assert graph.descendants(inputs[0]) == set(graph.nodes) - {inputs[1], inputs[2]}
    assert len(repr(graph).splitlines()) == 9_006
    y = gc.input("y", (8,))
    assert 9_004 == len(graph.substitute({inputs[0]: y}))
    values = {x: np.full(8, 0.5) for x in inputs}
    gradient, tangent = gc.grad(loss, inputs[0]), gc.jvp(loss, inputs[0], np.ones(8))
    reverse, forward = gc.evaluate([gradient, tangent], values)
    np.testing.assert_allclose(np.sum(reverse), forward, rtol=1e-10, atol=1e-300)
    assert 9_004 == graph.to_networkx().number_of_nodes()
