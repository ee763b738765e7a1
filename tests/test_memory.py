"""memory="low": less is kept for gradients, more is computed again, and no answer changes."""

import itertools
import os
import platform
import subprocess
import sys
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from answers import (
    all_is_large,
    arguments,
    assert_close,
    assert_same_bits,
    assert_threads_agree,
    kept_arrays,
)
from random_expressions import tensor_graph
from test_plan import GRAPHS, SIZES, mixture

import graphc as gc
from benchmarks.peers import graphc as peer
from benchmarks.workload import Case, Row
from benchmarks.workloads import WORKLOADS
from graphc.evaluate import interpret
from graphc.ir import Graph
from graphc.plan.plan import Plan
from graphc.plan.recompute import Halves, is_cheap, is_dear, minimum_cut, sparing
from graphc.shapes import number, symbols, typical

n, d, k = gc.dims("n d k")


# -- graphs -----------------------------------------------------------------------------------


def chain(layers=16):
    """tanh(v @ W), again and again: what is kept for the gradient is every v."""
    X, weights = gc.input("X", (n, d)), [gc.input(f"W{j}", (d, d)) for j in range(layers)]
    v = X
    for W in weights:
        v = gc.tanh(v @ W)
    loss = gc.sum(v * v)
    return [loss, *gc.grad(loss, weights)]


def gated(layers=8):
    """Residual layers of several elementwise steps, each of which the gradient reads."""
    v, weights = gc.input("X", (n, d)), []
    for j in range(layers):
        weights += [gc.input(f"W{j}", (d, d)), gc.input(f"b{j}", (d,))]
        z = v @ weights[-2] + weights[-1]
        v = v + z * gc.sigmoid(1.702 * z)
    loss = gc.sum(v * v)
    return [loss, *gc.grad(loss, weights)]


def attention():
    """Layer norm, attention with one head, a projection, added to the input."""
    X, target = (gc.input(name, (n, d)) for name in ("X", "target"))
    gain, shift = (gc.input(name, (d,)) for name in ("gain", "shift"))
    Wq, Wk, Wv, Wo = weights = [gc.input(name, (d, d)) for name in ("Wq", "Wk", "Wv", "Wo")]
    centred = X - gc.mean(X, axis=1, keepdims=True)
    spread = gc.sqrt(gc.mean(centred**2, axis=1, keepdims=True) + 1e-5)
    H = gain * (centred / spread) + shift
    P = gc.softmax((H @ Wq) @ (H @ Wk).T / 8, axis=1)
    loss = gc.mean((X + P @ (H @ Wv) @ Wo - target) ** 2)
    return [loss, *gc.grad(loss, [X, gain, shift, *weights])]


def normalized():
    """Sums over the rows, on which values of every row depend, forward and backward."""
    X, w, V = gc.input("X", (n, d)), gc.input("w", (d,)), gc.input("V", (d, d))
    z = gc.exp(gc.tanh(X @ V) * w)
    u = (z - gc.mean(z, axis=0)) / gc.sqrt(gc.mean((z - gc.mean(z, axis=0)) ** 2, axis=0) + 1)
    loss = gc.sum(gc.cos(u) @ (V @ w))
    return [loss, u, *gc.grad(loss, [X, w, V])]


MODELS = [chain, gated, attention, normalized]
EVERY = [*MODELS, *GRAPHS]


def named(graphs):
    return pytest.mark.parametrize("graph", graphs, ids=[g.__name__ for g in graphs])


def halves_of(form):
    return Halves(Plan(gc.compile(form, simplify=False).graph))


def answers(graph, seed=0):
    """What a graph computes, node by node."""
    given = arguments(SimpleNamespace(graph=graph), SIZES | {"k": 5}, seed)
    values = {v: given[v.name] for v in graph.parameters}
    with np.errstate(all="ignore"):
        interpret(graph.nodes, values, {"dim_n": 7, "dim_d": 3, "dim_h": 4, "dim_k": 5})
    return [values[v] for v in graph.outputs]


# -- the same answer --------------------------------------------------------------------------


@named(EVERY)
def test_every_way_gives_the_same_bits(graph):
    """Whatever is computed again is what was there before, bit by bit."""
    halves = halves_of(graph())
    want = answers(halves.graph)
    for way in halves.ways():
        found, _ = halves.joined(way)
        found.typecheck()
        assert found.parameters == halves.graph.parameters
        assert_same_bits(want, answers(found))


@pytest.mark.parametrize("seed", range(16))
def test_every_way_gives_the_same_bits_for_random_graphs(seed):
    """Graphs that nobody thought of, simplified and not."""
    A, B, v = gc.input("A", (n, d)), gc.input("B", (d, d)), gc.input("v", (d,))
    loss = tensor_graph(seed, [A, B, v])
    form = [loss, *gc.grad(loss, [A, B, v], disconnected="zero")]
    graph = gc.compile(form, simplify=seed % 2 == 0, inputs=[A, B, v]).graph
    halves = Halves(Plan(graph))
    want = answers(graph, seed)
    for way in halves.ways():
        found, _ = halves.joined(way)
        assert_same_bits(want, answers(found, seed))


@named(EVERY)
@pytest.mark.parametrize("tile_bytes", [100, 1 << 40])
def test_a_program_in_low_memory_answers_as_any_other(graph, tile_bytes, monkeypatch):
    """In many tiles up to the rounding of their sums; where one tile is all, bit by bit."""
    all_is_large(monkeypatch, tile_bytes)
    plain = gc.compile(graph(), simplify=False)
    low = gc.compile(graph(), simplify=False, memory="low")
    for rows in (0, 1, 7, 50):
        values = arguments(plain, SIZES | {"k": 5, "n": rows})
        try:
            want = plain(**values)
        except ValueError:  # no largest of nothing
            continue
        (assert_close if tile_bytes == 100 else assert_same_bits)(want, low(**values))


@named(MODELS)
def test_the_battery_of_the_plan(graph, monkeypatch):
    """Poisoned memory, other numbers of threads, layouts, results that are the caller's own."""
    all_is_large(monkeypatch, 100)
    f = gc.compile(graph(), memory="low", threads=1)
    values = arguments(f, SIZES | {"k": 5, "n": 50})
    want = f(**values)
    assert_close(gc.evaluate(graph(), values), want)
    kept = kept_arrays(f)
    again = f(**values)
    for k, a in enumerate(map(np.asarray, again)):
        for b in (*want, *again[k + 1 :], *values.values(), *kept):
            assert not np.shares_memory(a, b)
    for array in kept:
        array.view(np.uint8)[...] = 255
    assert_same_bits(want, f(**values))
    for threads in (2, 5):
        assert_same_bits(want, gc.compile(graph(), memory="low", threads=threads)(**values))
    given = {name: np.asfortranarray(a) for name, a in values.items()}
    for a in given.values():
        a.setflags(write=False)
    assert_close(want, f(**given))


def test_many_threads_call_one_function(monkeypatch):
    """Each call has a workspace of its own."""
    all_is_large(monkeypatch)
    f = gc.compile(gated(4), memory="low")
    given = [arguments(f, {"n": 30 + j % 2, "d": 3}, seed=j) for j in range(6)]
    assert_threads_agree(f, given, times=20)


# -- what it saves ----------------------------------------------------------------------------

# The share of the workspace that goes, at least, and the share of work that comes, at most.
SHARES = {chain: (0.4, 0.3), gated: (0.5, 0.34), attention: (0.08, 0.25)}


@pytest.mark.parametrize("graph", SHARES, ids=[g.__name__ for g in SHARES])
def test_the_workspace_shrinks_for_little_work(graph):
    """As told by formulas, which the program that runs is the source of."""
    f = gc.compile(graph(), memory="low")
    bytes_, flops_ = SHARES[graph]
    saving = f.saving
    assert typical(saving.bytes_saved) >= bytes_ * typical(saving.workspace_before)
    before = gc.passes.cost.flops(saving.before)
    assert typical(saving.flops_added) <= flops_ * typical(before)
    assert f.plan is saving.plan and f.graph is saving.graph


def test_depth_costs_the_root_of_it():
    """Of four times as many layers about twice as much is kept, where it was four times."""
    small, large = (sparing(Graph(gated(layers))) for layers in (9, 36))

    def kept(saving):
        return typical(saving.workspace_before - saving.bytes_saved)

    assert typical(large.workspace_before) > 3.5 * typical(small.workspace_before)
    assert kept(large) < 2.5 * kept(small)


SIZE = {"n": 256, "d": 32, "k": 8}


@pytest.mark.parametrize("graph", SHARES, ids=[g.__name__ for g in SHARES])
def test_what_is_saved_is_saved(graph, monkeypatch):
    """A first call takes that much less memory, and later ones no more: results and tiles."""
    all_is_large(monkeypatch, 1 << 13)
    usual, low = gc.compile(graph(), threads=1), gc.compile(graph(), threads=1, memory="low")
    values = arguments(usual, SIZE)
    known = {s: SIZE[str(s)] for s in symbols([low.saving.bytes_saved])}
    saved = number(low.saving.bytes_saved, known)
    usual_first, usual_second = peaks(usual, values)
    low_first, low_second = peaks(low, values)
    assert usual_first - low_first >= 0.9 * saved > 0
    assert low_second <= 1.1 * usual_second


def peaks(f, values):
    """The most memory that a first and a second call take at once, beyond what there was."""
    found = []
    for _ in range(2):
        tracemalloc.start()
        f(**values)
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return found


def heads():
    """Two heads for each of n texts: what is turned to lie by heads is never copied."""
    X = gc.input("X", (n, 4, 8))
    Wq, Wk, Wv, Wo = weights = [gc.input(name, (8, 8)) for name in ("Wq", "Wk", "Wv", "Wo")]
    parts = [gc.permute_dims(gc.reshape(X @ W, (n, 4, 2, 4)), (0, 2, 1, 3)) for W in (Wq, Wk, Wv)]
    P = gc.softmax(parts[0] @ parts[1].mT, axis=-1) @ parts[2]
    loss = gc.sum((X + gc.reshape(gc.permute_dims(P, (0, 2, 1, 3)), (n, 4, 8)) @ Wo) ** 2)
    return [loss, *gc.grad(loss, [X, *weights])]


def parts():
    """Results that are parts of longer values: those lie in kept memory."""
    X, V = gc.input("X", (n, d)), gc.input("V", (d, d))
    running = gc.cumulative_sum(gc.tanh(X) * X, axis=0)
    return [running[-1:], gc.cos(X @ V)[:, :1], gc.sum(running)]


@named([chain, gated, mixture, heads, parts])
def test_later_calls_take_no_more_than_results_and_tiles(graph, monkeypatch):
    """However many rows there are: what else is needed was kept by the first call."""
    all_is_large(monkeypatch, 1 << 13)
    f = gc.compile(graph(), threads=1)
    beyond = []
    for rows in (1 << 9, 1 << 12):
        values = arguments(f, SIZE | {"n": rows, "d": 4, "h": 3})
        results = sum(np.asarray(v).nbytes for v in f(**values))
        beyond.append(peaks(f, values)[1] - results)
    small, large = beyond
    assert large < 1.5 * small + (1 << 13)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_later_call_makes_its_results_and_nothing_else(threads):
    """The buffers of tiles are those of the call before, however many rows there are."""
    x, y = gc.input("x", (n,)), gc.input("y", (n,))
    loss = gc.sum(gc.tanh(x * y) * gc.exp(-(x**2)) + gc.cos(x - y))
    f = gc.compile([loss, *gc.grad(loss, [x, y])], threads=threads)
    for rows in (40_000, 300_000, 100_000):  # fewer go line by line, in a mebibyte of new memory
        values = arguments(f, {"n": rows})
        assert peaks(f, values)[1] - 2 * 8 * rows < 10_000


# name, and sizes of the benchmarks or smaller ones
MODELS_BY_HAND = [
    *(("network 784-256-10", {"n": n}) for n in (1, 32, 256, 2048)),
    ("layer norm and attention", {"batch": 8, "length": 64, "width": 128}),
    ("Gaussian mixture", {"n": 1000, "d": 10, "k": 25}),
    ("Gaussian mixture", {"n": 1000, "d": 64, "k": 50}),
    ("Gaussian mixture", {"n": 2000, "d": 20, "k": 50}),
    ("LSTM", {"length": 12, "batch": 32, "width": 64, "gates": 256}),
]


@pytest.mark.parametrize(("name", "sizes"), MODELS_BY_HAND)
def test_a_gradient_takes_no_more_memory_than_by_hand(name, sizes, monkeypatch):
    """The first call of two threads, with the memory that it keeps."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    row = row_of(name, sizes)
    job = row.job()
    ours = peak(peer.build(job))
    assert ours <= peak(lambda: row.workload.by_hand(*job.as_passed, **row.static))


def row_of(name, sizes):
    """A workload of the benchmarks at some sizes."""
    workload = next(w for w in WORKLOADS if w.name == name)
    return Row(workload, Case(sizes, workload.cases[0].dtype))


# What NumPy needs for a moment: pieces of operands that it repeats or casts, eight thousand
# elements of each at a time.
PASSING = 1 << 18

# name: two sets of sizes, the second with twice as many rows
GROWING = {
    "tanh-exp-log1p": ({"n": 100_000}, {"n": 200_000}),
    "30 operations": ({"n": 50_000}, {"n": 100_000}),
    "30 operations, softmax over rows of 100": ({"n": 500}, {"n": 1000}),
    "logistic regression": ({"n": 50_000, "d": 5}, {"n": 100_000, "d": 5}),
    "network 784-256-10": ({"n": 256}, {"n": 512}),
    "softmax cross-entropy": ({"n": 500, "k": 100}, {"n": 1000, "k": 100}),
    "layer norm and attention": tuple({"batch": b, "length": 64, "width": 64} for b in (8, 16)),
    "Gaussian mixture": tuple({"n": n, "d": 20, "k": 25} for n in (1000, 2000)),
    "Rosenbrock, Hessian times vector": ({"n": 50_000}, {"n": 100_000}),
    "pairwise distances in space": ({"n": 500, "m": 300}, {"n": 1000, "m": 300}),
    "LSTM": tuple({"length": 12, "batch": b, "width": 16, "gates": 64} for b in (32, 64)),
    "chain of small layers": tuple({"layers": 60, "width": d} for d in (64, 128)),
}


@pytest.mark.parametrize("name", GROWING)
def test_a_later_call_of_a_workload_makes_its_results_and_no_more(name, monkeypatch):
    """What else grows with the rows is kept, also for sums of arrays and within functions."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    beyond = []
    for sizes in GROWING[name]:
        call = peer.build(row_of(name, sizes).job())
        results = sum(np.asarray(v).nbytes for v in call())
        beyond.append(peak(call) - results)
    assert beyond[1] <= beyond[0] + (1 << 14) and beyond[1] <= PASSING


def peak(call):
    """The most memory that a call takes at once, beyond what there was."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_nothing_is_computed_again_where_it_does_not_pay():
    """A single layer reads its activation at once; without a gradient nothing is read late."""
    for form in (chain(1), [gc.tanh(gc.input("x", (n,)))], gc.sum(gc.input("a", ()) ** 2)):
        f = gc.compile(form, memory="low")
        assert not f.saving.copies
        assert f.source == gc.compile(form).source
        assert "nothing is worth computing again" in str(f.report)


# -- what may be computed again ---------------------------------------------------------------


@named(EVERY)
def test_sums_over_tiles_are_never_computed_again(graph):
    """Their last bits are those of the tiles of a region, and another region has other tiles."""
    halves = halves_of(graph())
    for way in halves.ways():
        for v in halves.joined(way)[1]:
            assert is_cheap(v) or (way.dear_too and is_dear(v))


def test_a_copy_waits_for_a_gradient():
    """Else it would be computed early and kept as well."""
    halves = halves_of(gated())
    for way in halves.ways():
        found, copies = halves.joined(way)
        waits = [v for v in found.nodes if v.op.name == "again"]
        assert copies and waits
        for v in waits:
            assert v.inputs[0].origin is None and v.inputs[1].origin is not None
        assert all(v.origin is None and v.where is not None for v in copies)


@pytest.mark.parametrize("simplify", [True, "strict", False])
def test_views_of_constants_are_there(simplify):
    """They have nothing to be held for them: the network was unbounded."""
    X, W, w = gc.input("X", (n, d)), gc.input("W", (d, d)), gc.input("w", (d,))
    h = X
    for _ in range(3):
        h = gc.tanh(h @ W + gc.ones((n, 1)) @ w[None, :])
    outputs = [gc.sum(h * h), *gc.grad(gc.sum(h * h), [W, w])]
    given = [np.linspace(-1, 1, 20).reshape(5, 4), np.eye(4) / 2, np.ones(4)]
    low, whole = (gc.compile(outputs, simplify=simplify, memory=m) for m in ("low", None))
    for a, b in zip(low(*given), whole(*given), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(40))
def test_the_cut_is_a_minimum(seed):
    """Against every set of values that could be held."""
    rng = np.random.default_rng(seed)
    sizes = [int(s) for s in rng.integers(1, 9, 9)]
    made = [gc.input("x", (1, 1))]
    for j, size in enumerate(sizes):
        x, y = (made[i] for i in rng.integers(max(0, j - 3), j + 1, 2))
        smaller = gc.sum(x, axis=0, keepdims=True) + gc.sum(y, axis=0, keepdims=True)
        made.append(gc.broadcast_to(smaller, (size, 1)) * float(j + 2))
    made = made[1:]
    order = [v for v in Graph(made).nodes if v.op.name not in ("input", "constant")]
    may = {v for v in order if v in made or rng.random() < 0.8}
    needed = list(dict.fromkeys(made[i] for i in rng.integers(0, len(made), 3)))
    side = minimum_cut(needed, may, set())

    def follows(held):
        """Whether all that is needed can be computed from what is held."""
        known = set(held)
        for v in order:
            if v.op.view or v in may:
                if all(x in known or x.op.family == "leaf" for x in v.inputs):
                    known.add(v)
        return known.issuperset(needed)

    cost = sum(v.type.nbytes for v in side.held if v.op.family != "leaf")
    assert follows(side.held)
    candidates = [v for v in order if not v.op.view and any(v in Graph([u]) for u in needed)]
    candidates = candidates[-12:] if len(candidates) > 12 else candidates
    for count in range(len(candidates) + 1):
        for held in itertools.combinations(candidates, count):
            if sum(v.type.nbytes for v in held) < cost:
                assert not follows(held)


# -- the face ---------------------------------------------------------------------------------


def test_the_report_shows_bytes_saved_and_flops_added():
    """As formulas in the sizes; without memory="low" there is nothing to show."""
    lines = str(gc.compile(chain(), memory="low").report).splitlines()
    at = next(j for j, line in enumerate(lines) if line.startswith("memory='low': "))
    assert lines[at].endswith("values are computed again")
    assert "bytes saved: " in lines[at + 1] and "*d*n of " in lines[at + 1]
    assert "flops added: " in lines[at + 2] and "d**2*n" in lines[at + 2]
    assert "memory" not in str(gc.compile(chain(2)).report)


def test_what_is_told_as_saved_is_saved():
    """Arrays that NumPy makes shrank here, and the workspace grew by two truth values: the report
    was an error about a size of -2.
    """

    def taken(v):
        places = gc.stack([v[:, 0] > 0, v[:, 0] < 1], axis=1)
        wide = gc.concat([v, v], axis=1)
        return gc.take_along_axis(wide, gc.astype(places, "int64"), axis=1)

    x = gc.input("x", (1, 1))
    once = taken(x)
    twice = gc.tan(taken(once.T))
    share = gc.softmax(gc.take(once.T, gc.constant([[0, 0], [0, 0]]), axis=1) + once, axis=0)
    saving = gc.compile([twice, share, gc.grad(gc.sum(twice), x)], memory="low").saving
    assert saving.bytes_saved >= 0 and "memory='low'" in str(saving)


def test_memory_is_low_or_not_said():
    """What is misspelt is not passed over."""
    with pytest.raises(ValueError, match="memory= is 'low' or None, not 'lo'"):
        gc.compile(gc.input("x", ()), memory="lo")


LATER_CALLS = """
import resource
from itertools import pairwise
import numpy as np, graphc as gc

x, y = gc.input("x", ("n",)), gc.input("y", ("n",))
z = gc.sum(gc.tanh(x * y) * gc.exp(-(x**2)))
f = gc.compile([z, *gc.grad(z, [x, y])], inputs=[x, y])
given = np.ones(100_000), np.ones(100_000)
faults = []
for _ in range(6):
    f(*given)  # what it gives is let go
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(min(after - before for before, after in pairwise(faults[2:])))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is about glibc's malloc")
def test_results_of_later_calls_have_memory_that_the_process_has():
    """Two arrays of 800,000 bytes were asked of the system at each call: half of the time."""
    done = subprocess.run(
        [sys.executable, "-c", LATER_CALLS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 100  # of 400 pages a call; one of them may find a new thread's
