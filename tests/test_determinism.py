"""The same graph gives the same source, byte for byte, in every process, for every hash seed."""

import functools
import gc as collector
import hashlib
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

import graphc as gc

HERE = Path(__file__).parent


def graphs():
    """Outputs with names, sizes, constants, reductions, sharing and second derivatives."""
    n, d, m = gc.dims("n d m")
    X, w, b = gc.input("X", (n, d)), gc.input("w", (d,)), gc.input("b", (2 * n + m,))
    extra = gc.input("extra", (m,))
    z = (X @ w).named("z")
    loss = gc.mean(gc.softplus(z) * gc.sigmoid(-z)) + gc.logsumexp(b) * gc.sum(extra)
    table = gc.constant([[1.0, 2.0], [3.0, 4.0]])
    shared = gc.sin(z) * gc.cos(z) + gc.sum(table)
    gradients = gc.grad(loss + gc.sum(shared), {"w": w, "b": b, "X": X})
    product = gc.hvp(loss, [w], [w])
    joined = gc.concat([gc.reshape(X, (-1,)), b[::2], w**3, gc.where(w > 0, gc.sqrt(w), 0)])
    yield {"loss": loss, "gradients": gradients, "more": [product, (shared, joined)]}
    yield gc.maximum(gc.max(X, axis=0), w) @ gc.einsum("ij,ik->jk", X, X) / gc.size(n * d)


def sources():
    return [gc.compile(form, name="same").source for form in graphs()]


def digest():
    report = [str(gc.compile(form).report) + repr(gc.compile(form).graph) for form in graphs()]
    return hashlib.sha256("\0".join(sources() + report).encode()).hexdigest()


@pytest.mark.parametrize("seed", ["0", "1", "42", "4294967295"])
def test_the_source_does_not_depend_on_the_hash_seed(seed):
    """Sets and dicts of strings have another order in each process; programs have not."""
    assert digest_of_a_process("7") == digest_of_a_process(seed)


@functools.cache
def digest_of_a_process(seed):
    """In a process of its own: here other tests have named some of the nodes."""
    code = "import test_determinism; print(test_determinism.digest())"
    path = os.pathsep.join([str(Path(gc.__file__).parents[1]), str(HERE)])
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_source_does_not_depend_on_what_was_built_before():
    """Addresses and the order of creation change; the program is a function of the graph."""
    first = sources()
    kept = [gc.exp(gc.input(f"other{k}", ("n", "d"))) for k in range(100)]
    assert first == sources() and kept
    del kept
    assert first == sources()


USES = {
    "gradient": lambda z, x: gc.grad(z, x),
    "jacobian": lambda z, x: gc.jacobian(x * z, [x]),
    "compile": lambda z, x: repr(gc.compile({"z": z, "g": gc.grad(z, x)}).report),
    "evaluate": lambda z, x: gc.evaluate([z], {x: np.ones(3)}),
    "check": lambda z, x: repr(gc.check(z, [x])),
    "draw": lambda z, x: gc.draw(z, wrt=x).svg,
    "explain": lambda z, x: gc.explain(z, x).markdown,
    "latex": lambda z, x: gc.latex([z, x]),
    "vectorize": lambda z, x: gc.vectorize([z], {x: gc.input("xs", ("m", 3))}),
    "jit": lambda z, x: gc.grad_fn(lambda y: np.sum(np.exp(y)))(np.ones(3)),
}


@pytest.mark.parametrize("use", USES)
def test_nodes_end_with_the_last_that_holds_them(use):
    """One that waited for the collector would name what is built like it next, or would not."""

    def held():
        x = gc.input("x", (3,))
        hidden = gc.exp(x)
        USES[use](gc.sum(hidden * hidden), x)
        return weakref.ref(hidden)

    collector.disable()
    try:
        assert held()() is None
    finally:
        collector.enable()


def test_a_graph_built_in_another_order_is_the_same_program():
    """What is walked is the graph; who came first does not matter but for the inputs' order."""
    x, y = gc.input("x", (3,)), gc.input("y", (3,))

    def left():
        return gc.sin(x * 2)

    def right():
        return gc.cos(y * 3)

    one = gc.compile([left(), right()], inputs=[x, y]).source
    second, first = right(), left()
    assert one == gc.compile([first, second], inputs=[x, y]).source


def test_printing_does_not_depend_on_the_hash_seed():
    """Graphs, tables of gradients and reports are read and compared by people."""
    x = gc.input("x", ("n",))
    table = gc.backprop(gc.sum(gc.tanh(x) * x), [x])
    assert repr(table) == repr(gc.backprop(gc.sum(gc.tanh(x) * x), [x]))
    assert repr(gc.Graph([table[x]])) == repr(gc.Graph([table[x]]))
