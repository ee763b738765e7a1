"""What a loop does to many small values is done to all at once: fewer calls, same values."""

import numpy as np
import pytest

import graphc as gc
from graphc.plan.arranged.together import together

STEPS = 9
X = gc.input("X_steps", (STEPS, "b", 4))
V = gc.input("V_steps", (STEPS, 4))
W = gc.input("W_step", (4, 4))
B = gc.input("B_step", (4,))
A = gc.input("A_gates", ("b", 12))


def loop(step, h):
    for t in range(STEPS):
        h = step(h, t)
    return h


def recurrent():
    """A bias and a matrix used in each step, on a matrix of states."""
    h = loop(lambda h, t: gc.tanh(X[t] + h @ W + B), X[0])
    loss = gc.sum(h**2)
    return [loss, *gc.grad(loss, [W, B])]


def with_decay():
    """The sums have terms besides the products."""
    loss = gc.sum(loop(lambda h, t: gc.tanh(X[t] @ W + h), X[0]) ** 2) + 0.1 * gc.sum(W**2)
    return [loss, gc.grad(loss, W)]


def of_vectors():
    """The gradient is a sum of outer products."""
    h = loop(lambda h, t: gc.tanh(W @ h + B + V[t]), V[0])
    loss = gc.sum(h)
    return [loss, *gc.grad(loss, [W, B, V])]


def of_transposed():
    """The matrix stands on either side, turned or not."""
    h = loop(lambda h, t: gc.tanh(W.T @ (W @ h)), V[0])
    return [gc.sum(h), gc.grad(gc.sum(h), W)]


def with_partial_sums():
    """A part of the sum is a result too, and one term comes twice."""
    part = sum((V[t][:, None] * V[t - 1] for t in range(STEPS)), W)
    whole = sum((V[t][:, None] * V[t - 2] for t in range(STEPS)), part) + V[0][:, None] * V[1]
    return [part, whole + V[0][:, None] * V[1]]


def of_a_product_that_waits():
    """The matrix of some products is computed from the others: they are not there together."""
    first = X[0] @ W
    return [first, *[X[t] @ gc.exp(-(first.T @ first)) for t in range(1, STEPS)]]


def gates():
    """Slices of one array, through the same functions; two do not follow one another."""
    keep, enter, tell, change = (A[:, i : i + 3] for i in (0, 3, 6, 9))
    keep, enter, tell = map(gc.sigmoid, (keep, enter, tell))
    apart = gc.sin(A[:, :2]), gc.sin(A[:, 5:7]), gc.sin(A[:, 7:8])
    c = keep * enter + (1 - tell) * gc.tanh(change) * (1 - keep)
    loss = gc.sum(c**2) + sum(map(gc.sum, apart))
    return [c, loss, gc.grad(loss, A)]


def stretched():
    """Some slices are stretched beside their like, or are cut along another axis of the result."""
    beside = [V[:2] * W[:1], V[2:3] * W[1:2], V[3:4] * W[2:4]]
    shifted = [gc.exp(V[:2]) + gc.sin(W[:1]), gc.exp(V[2:4]) + gc.sin(W[1:2])]
    column = W[:, :1]
    across = [column[:2] + B[:2], column[2:] + B[2:], B[:2] * V[:, :2], B[2:] * V[:, 2:]]
    return [*beside, *shifted, *across]


def with_functions():
    """Their functions are needed on the way: those are not there together, their slopes are."""
    h = loop(lambda h, t: gc.tanh(h @ W + 0.1 * h**2), X[0])
    loss = gc.sum(gc.log1p(h**2))
    return [loss, gc.grad(loss, W)]


def of_numbers():
    """As written, the gradient of each step is a number times a vector: numbers have no axis."""
    loss = sum((gc.tanh(V[t] @ B) for t in range(1, STEPS)), gc.tanh(V[0] @ B))
    return [loss, gc.grad(loss, B)]


CASES = (
    recurrent, with_decay, of_vectors, of_transposed, with_partial_sums, of_a_product_that_waits,
    gates, stretched, with_functions, of_numbers,
)  # fmt: skip
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)


def values(batch):
    rng = np.random.default_rng(batch)
    return {
        v: rng.standard_normal([batch if d == gc.dim("b") else d for d in v.shape])
        for v in (X, V, W, B, A)
    }


@each_case
@pytest.mark.parametrize("batch", (0, 1, 3, 5_000))
def test_both_faces_give_what_the_interpreter_gives(case, batch):
    """The small one puts values together, the large one does not."""
    outputs, at = case(), values(batch)
    f = gc.compile(outputs, inputs=list(at))
    for wanted, found in zip(gc.evaluate(outputs, at), f(*at.values()), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@each_case
@pytest.mark.parametrize("mode", ["strict", False])
def test_programs_as_written_are_put_together_too(case, mode):
    """There products stand that simplifying makes others of."""
    outputs, at = case(), values(3)
    f = gc.compile(outputs, inputs=list(at), simplify=mode)
    for wanted, found in zip(gc.evaluate(outputs, at), f(*at.values()), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("case", "products", "sums"),
    [(recurrent, 2 * STEPS + 1, 2), (with_decay, STEPS + 3, 1), (of_vectors, 2 * STEPS + 1, 2)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_loop_has_one_product_for_the_gradient_of_its_matrix(case, products, sums):
    """Not one for each step, and a sum of all of them; nor as many sums for its bias."""
    graph = gc.compile(case()).graph
    found = together(graph, lambda v: True).count()
    assert found["einsum"] <= products < graph.count()["einsum"]
    assert found["sum"] <= sums
    assert graph.count()["add"] - found["add"] >= STEPS - 1


@pytest.mark.parametrize(("case", "squares"), [(recurrent, 3), (of_vectors, 2)])
def test_slopes_of_all_steps_are_computed_at_once(case, squares):
    """The states are put together for the gradient of the matrix anyhow; the last is not."""
    graph = gc.compile(case()).graph
    assert graph.count()["square"] >= STEPS
    assert together(graph, lambda v: True).count()["square"] <= squares


def test_like_functions_of_neighbouring_slices_are_one():
    """Three gates are one sigmoid; what lies apart stays apart."""
    count = together(gc.Graph(gates()[:2]), lambda v: True).count()
    assert 1 == count["sigmoid"] and 2 == count["sin"]


def test_what_may_be_large_is_not_put_together():
    """Its elements would be copied."""
    graph = gc.compile(recurrent()).graph
    assert together(graph, lambda v: False).count()["einsum"] == graph.count()["einsum"]


def test_in_low_memory_nothing_is_kept_to_be_put_together():
    """Values are computed again one after the other, so that few of them live."""
    h = X[0]
    for _ in range(40):
        h = gc.tanh(h @ W)
    f = gc.compile(gc.grad(gc.sum(h), W), memory="low")
    assert f.graph.count()["again"] > 0
    assert together(f.graph, lambda v: True) is f.graph
