"""Beside the textbook: what is compiled costs no more than the same network written by hand.

Two layers with cross-entropy and weight decay, forward and backward. The labels come in four ways:
as integers, spread out by one_hot, as any matrix, and as a matrix declared to hold distributions.
"""

from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.ir import Graph
from graphc.passes import run
from graphc.passes.cost import flops

DOCUMENT = Path(__file__).parent.parent / "docs" / "passes.md"
MODES = (False, "strict", True)
DECAY = 1e-4

n = gc.dim("n")
X = gc.input("X", (n, 784))
W1, b1, W2, b2 = PARAMETERS = [
    gc.input("W1", (784, 256)), gc.input("b1", (256,)),
    gc.input("W2", (256, 10)), gc.input("b2", (10,)),
]  # fmt: skip
labels = gc.input("labels", (n,), dtype="int64")
one_hot = gc.one_hot(labels, 10)
dense = gc.input("Y", (n, 10))
shares = gc.input("P", (n, 10), distribution=True)

CASES = {"labels": labels, "one-hot": one_hot, "dense": dense, "dense, a distribution": shares}


def written(y):
    """The loss as one writes it, and its gradients."""
    scores = gc.relu(X @ W1 + b1) @ W2 + b2
    if y is labels:
        chosen = gc.take_along_axis(gc.log_softmax(scores), labels[:, None])
    else:
        chosen = gc.sum(y * gc.log(gc.softmax(scores)), axis=1)
    J = -gc.mean(chosen) + DECAY * (gc.sum(W1**2) + gc.sum(W2**2))
    return [J, *gc.grad(J, PARAMETERS)]


def by_hand(y):
    """The same with its gradient by hand: softmax less the labels, and so on down."""
    count = gc.size(n, "float64")
    a = X @ W1 + b1
    hidden = gc.relu(a)
    scores = hidden @ W2 + b2
    shifted = scores - gc.max(scores, axis=1, keepdims=True)
    e = gc.exp(shifted)
    t = gc.sum(e, axis=1, keepdims=True)
    logs = shifted - gc.log(t)
    if y is labels:
        k, minus_one = labels[:, None], gc.full((n, 1), -1.0)
        J = -gc.sum(gc.take_along_axis(logs, k)) / count
        slope = gc.scatter_add_along_axis(e / t, k, minus_one) / count
    else:
        J = -gc.sum(y * logs) / count
        # Softmax times the sum of the labels less the labels: rows of `dense` may sum to anything.
        whole = e / t if y is not dense else gc.sum(y, axis=1, keepdims=True) / t * e
        slope = (whole - y) / count
    J = J + DECAY * (gc.sum(W1 * W1) + gc.sum(W2 * W2))
    back = gc.where(a > 0, slope @ W2.T, 0.0)
    return [
        J, X.T @ back + 2 * DECAY * W1, gc.sum(back, axis=0),
        hidden.T @ slope + 2 * DECAY * W2, gc.sum(slope, axis=0),
    ]  # fmt: skip


def beside_the_textbook():
    """The table of docs/passes.md, and the graphs by hand and simplified."""
    lines, graphs = ["| labels | program | nodes | flops |", "|---|---|---|---|"], {}
    for name, y in CASES.items():
        outputs = Graph(written(y))
        rows = [("by hand", Graph(by_hand(y)))]
        rows += [(f"simplify={mode!r}", run(outputs, mode)[0]) for mode in MODES]
        lines += [f"| {name} | {row} | {len(g)} | `{flops(g)}` |" for row, g in rows]
        graphs[name] = rows[0][1], rows[-1][1]
    return "\n".join(lines), graphs


@pytest.mark.parametrize("name", CASES)
def test_the_network_costs_no_more_than_by_hand(name):
    """Forward and backward with weight decay: flops at every batch size, nodes within a tenth."""
    theirs, ours = beside_the_textbook()[1][name]
    for batch in (1, 32, 4096):
        assert gc.shapes.number(flops(ours), {n: batch}) <= gc.shapes.number(
            flops(theirs), {n: batch}
        )
    assert len(ours) <= 1.1 * len(theirs)


@pytest.mark.parametrize("name", CASES)
def test_the_network_gives_the_numbers_that_are_got_by_hand(name):
    """Compiled in each mode, interpreted as written, and by the formulas."""
    rng = np.random.default_rng(0)
    y = CASES[name]
    values = {
        "X": rng.normal(size=(7, 784)), "labels": rng.integers(0, 10, 7),
        "Y": rng.normal(size=(7, 10)), "P": rng.dirichlet(np.ones(10), 7),
        "W1": rng.normal(size=(784, 256)) / 28, "b1": rng.normal(size=256),
        "W2": rng.normal(size=(256, 10)) / 16, "b2": rng.normal(size=10),
    }  # fmt: skip
    outputs = written(y)
    needed = {v.name: values[v.name] for v in Graph(outputs).parameters}
    expected = gc.evaluate(by_hand(y), needed)
    for found in (
        gc.evaluate(outputs, needed),
        *(gc.compile(outputs, simplify=mode)(**needed) for mode in MODES),
    ):
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-14)


def test_the_table_of_the_document_is_current():
    """docs/passes.md shows what the passes do today."""
    assert beside_the_textbook()[0] in DOCUMENT.read_text(encoding="utf-8")


def test_a_declared_distribution_is_checked_when_asked():
    """None negative, and 1 in total along the last axis; integers and scalars cannot be one."""
    q = gc.input("q", ("k", 3), distribution=True)
    f = gc.compile(gc.sum(q, axis=1), simplify=True, check_facts=True)
    np.testing.assert_array_equal([1.0, 1.0], f([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]]))
    with pytest.raises(gc.BindError, match="q was declared a distribution, and holds -0.5"):
        f([[0.5, 1.0, -0.5]])
    with pytest.raises(gc.BindError, match="q was declared a distribution, and sums to 0.75"):
        f([[0.5, 0.25, 0.0]])
    with pytest.raises(gc.errors.ArgumentError, match="needs floats along an axis, and i is"):
        gc.input("i", (3,), "int64", distribution=True)


def test_each_row_of_a_printed_table_has_a_name_of_its_own():
    """A mean is a sum and a division: both come of the line that names the loss."""
    x, w = gc.input("x", ("n",)), gc.input("w", ())
    loss = gc.mean((w * x) ** 2)
    table = gc.backprop(loss, [w])
    rows = [row.split(" : ")[0].strip() for row in str(table).splitlines()[1:]]
    assert len(set(rows)) == len(table) == len(rows) and "loss" == rows[0]
