"""Many threads: one compiled function answers all of them, one graph is built by all of them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import graphc as gc
from graphc import passes


def network():
    X, W = gc.input("X", ("n", 6)), gc.input("W", (6, 4))
    loss = gc.mean(gc.logsumexp(gc.tanh(X @ W), axis=1)) + 0.5 * gc.sum(W * W)
    return gc.compile({"loss": loss, "grad": gc.grad(loss, [X, W])}, name="network")


def leaves(result):
    return [result["loss"], *result["grad"]]


def test_sixteen_threads_get_the_answers_of_one():
    """A program keeps nothing between calls that another call could overwrite."""
    f = network()
    rng = np.random.default_rng(1)
    W = rng.standard_normal((6, 4))
    batches = [rng.standard_normal((1 + k, 6)) for k in range(16)]
    serial = [[np.copy(v) for v in leaves(f(X, W))] for X in batches]
    start = threading.Barrier(16)

    def calls(k):
        start.wait()
        return [leaves(f(batches[k], W)) for _ in range(200)]

    with ThreadPoolExecutor(16) as pool:
        for k, answers in enumerate(pool.map(calls, range(16))):
            for answer in answers:
                for want, got in zip(serial[k], answer, strict=True):
                    assert np.asarray(want).tobytes() == np.asarray(got).tobytes()


def test_errors_of_one_thread_do_not_reach_another():
    """A wrong argument is refused in its own call; the settings of NumPy's warnings stay."""
    f = network()
    X, W = np.ones((3, 6)), np.ones((6, 4))
    want = f(X, W)["loss"]
    start = threading.Barrier(8)

    def calls(k):
        start.wait()
        with np.errstate(divide="raise"):
            for _ in range(100):
                if k % 2:
                    try:
                        f(X, np.ones((5, 4)))
                    except gc.BindError:
                        continue
                    raise AssertionError("a wrong size was accepted")
                assert want == f(X, W)["loss"]
            return np.geterr()["divide"]

    with ThreadPoolExecutor(8) as pool:
        assert {"raise"} == set(pool.map(calls, range(8)))


def build(tag):
    """A graph with a gradient, of nodes that exist nowhere else."""
    x = gc.input(f"x of {tag}", ("n", 3))
    v = gc.tanh(x)
    for k in range(20):
        v = gc.softplus(v * float(k + 2)) + gc.mean(x, axis=0)
    loss = gc.sum(v * v)
    return [loss, gc.grad(loss, x)]


def test_eight_threads_build_the_same_nodes():
    """Interning is one table with one winner: same op, same inputs, same attributes, same node."""
    for tag in range(20):
        start = threading.Barrier(8)

        def built(_, tag=tag, start=start):
            start.wait()
            return build(tag)

        with ThreadPoolExecutor(8) as pool:
            first, *others = pool.map(built, range(8))
        for other in others:
            assert all(a is b for a, b in zip(first, other, strict=True))
        again = gc.Graph(build(tag))
        assert set(gc.Graph(first).nodes) == set(again.nodes)


def test_threads_that_build_and_drop_the_same_nodes_disturb_nobody():
    """A node that one thread is dropping is not handed to another half dead."""
    start = threading.Barrier(8)

    def calls(_):
        start.wait()
        for _ in range(60):
            loss, gradient = build("dropped")
            assert loss.op.name == "sum" and gradient.shape == loss.inputs[0].inputs[0].shape
            gc.Graph([loss, gradient]).typecheck()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(calls, range(8)))


def test_threads_compile_each_its_own_program():
    """Nothing in the compiler is shared that a thread could find half written."""
    start = threading.Barrier(8)

    def compiled(k):
        start.wait()
        x = gc.input(f"x{k}", ("n",))
        v = x
        for j in range(30):
            v = gc.sin(v * float(j + 1)) + float(k)
        return gc.compile([v, gc.grad(gc.sum(v), x)])(np.arange(3.0))

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(compiled, range(8)))
    start = threading.Barrier(1)
    for k, answer in enumerate(together):
        for want, got in zip(compiled(k), answer, strict=True):
            assert want.tobytes() == got.tobytes()


def test_no_compile_waits_for_that_of_another_thread(monkeypatch):
    """They did: in Python 3.11 the lock of a cached_property is one for all objects."""
    run, begun, may_end = passes.run, threading.Event(), threading.Event()

    def held_up(graph, mode):
        if graph.outputs[0].op.name == "exp":
            begun.set()
            may_end.wait(60)
        return run(graph, mode)

    monkeypatch.setattr(passes, "run", held_up)
    x = gc.input("x", ())
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(gc.compile, gc.exp(x))
        assert begun.wait(60)
        second = pool.submit(gc.compile, gc.sin(x))
        try:
            assert 0.0 == second.result(20)(0.0)
        finally:
            may_end.set()
        assert 1.0 == first.result(60)(0.0)
