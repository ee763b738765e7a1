"""Sizes that are 0 or 1 in a call: the planned program, the plain one and the interpreter agree."""

import numpy as np
import pytest

import graphc as gc
from graphc.plan.program import small_sizes

n, m = gc.dims("n m")
x, A, B = gc.input("x", (n,)), gc.input("A", (n, m)), gc.input("B", (m, n))
C, D, k = gc.input("C", (n, 3)), gc.input("D", (2, n, m)), gc.input("k", (n,), "int64")


def with_slopes(value):
    total = gc.sum(value)
    wrt = [v for v in gc.Graph([total]).parameters if v.type.is_float]
    return [value, *gc.grad(total, wrt, disconnected="zero")]


def distances():
    d = C[:, None] - C[None]
    return gc.sqrt(gc.sum(d * d, axis=2) + 1e-6)


def layer_norm():
    u = A - gc.mean(A, axis=1, keepdims=True)
    return gc.tanh(u / gc.sqrt(gc.mean(u * u, axis=1, keepdims=True) + 1e-5))


def rosenbrock():
    return 100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2


def each_outer():
    return gc.norm(A[:, :, None] * C[:, None, :], axis=(1, 2))


GRAPHS = {
    "sums": lambda: [f(v, axis=a) for f in (gc.sum, gc.prod, gc.any, gc.norm) for a in (0, 1)
                     for v in (A, D)],
    "means": lambda: [gc.mean(A), gc.var(A, axis=0), gc.std(D, axis=(0, 2))],
    "largest": lambda: [gc.max(A, axis=1)],
    "least": lambda: [gc.min(C, axis=0)],
    "in order": lambda: [f(v, axis=a) for f in (gc.sort, gc.argsort) for a in (0, 1)
                         for v in (A, D)],
    "running": lambda: [gc.cumulative_sum(A, axis=0), gc.cumulative_prod(A, axis=1)],
    "softmax": lambda: with_slopes(gc.softmax(A, axis=1)),
    "log_softmax": lambda: with_slopes(gc.log_softmax(D, axis=1)),
    "logsumexp": lambda: with_slopes(gc.logsumexp(A, axis=0)),
    "softmax spelled out": lambda: [gc.exp(x) / gc.sum(gc.exp(x)),
                                    gc.exp(A) / gc.sum(gc.exp(A), axis=1, keepdims=True)],
    "logsumexp spelled out": lambda: [gc.log(gc.sum(gc.exp(x))),
                                      gc.log(gc.sum(gc.exp(A), axis=0))],
    "sums of exponentials": lambda: [
        *with_slopes(gc.log(1 + gc.sum(gc.exp(A), axis=1))),
        *with_slopes(gc.exp(A) / (1 + gc.sum(gc.exp(A), axis=1, keepdims=True)))],
    "log of a mean": lambda: [gc.log(gc.mean(gc.exp(x)))],
    "products": lambda: [A @ B, B @ A, B @ x, x @ A, gc.vdot(A, A), gc.outer(x, x)],
    "stacks": lambda: [gc.einsum("bij,bkj->bik", D, D), gc.einsum("bij,bkj->ik", D, D)],
    "joined": lambda: [gc.concat([x, x]), gc.stack([A, A], axis=1), gc.pad(x, ((1, 2),))],
    "slices": lambda: [v[s] for v in (x, A) for s in
                       (slice(2), slice(None, None, 2), slice(None, None, -1), slice(0))],
    "slices of one": lambda: [x[:1] * 2, A[:, -1:] + 1, C[n - 1 :]],
    "slopes of slices": lambda: with_slopes(x[:1] ** 2) + with_slopes(A[:, :1] ** 2),
    "slices of all but one": lambda: with_slopes(x[1:] ** 2),
    "taken": lambda: [gc.take(x, k, axis=0), gc.one_hot(k, 4),
                      gc.take_along_axis(A, k[:, None], axis=1)],
    "added by labels": lambda: [gc.scatter_add(A, k, A, axis=0)],
    "first taken": lambda: [gc.take(x, np.arange(1), axis=0)],
    "distances": lambda: with_slopes(distances()),
    "layer norm": lambda: with_slopes(layer_norm()),
    "logistic": lambda: with_slopes(gc.softplus(-x * (A @ gc.input("w", (m,))))),
    "attention": lambda: with_slopes(gc.softmax(A @ B, axis=1) @ A),
    "rosenbrock": lambda: with_slopes(rosenbrock()),
    "outer products": lambda: [each_outer()],
}  # fmt: skip

SIZES = [(0, 3), (3, 0), (0, 0), (1, 1), (1, 3), (3, 1), (4, 2)]


def arguments(f, sizes):
    rng, known = np.random.default_rng(0), dict(zip((n, m), sizes, strict=True))
    shapes = {v: tuple(known.get(d, d) for d in v.shape) for v in f.graph.parameters}
    return {
        v.name: rng.normal(size=s) if v.type.is_float else np.zeros(s, v.dtype)
        for v, s in shapes.items()
    }


def outcome(run, *args, **kwargs):
    """What comes of a call: arrays, or the kind of an error and what it says."""
    try:
        return [np.asarray(r) for r in run(*args, **kwargs)]
    except IndexError:  # the plain face stands alone: it has NumPy's words for that
        return "an index out of range", ""
    except ValueError as error:
        return type(error).__name__, str(error).splitlines()[0]


def plain(f):
    namespace = {"__name__": "plain"}
    exec(f.plain, namespace)
    return namespace[f.name]


@pytest.mark.parametrize("simplify", [False, "strict", True])
@pytest.mark.parametrize("graph", GRAPHS)
def test_what_is_empty_or_single_is_computed_alike(graph, simplify, monkeypatch):
    """Values, shapes, dtypes and errors; tiles of no rows too, and by default finite numbers."""
    outputs = GRAPHS[graph]()
    f = gc.compile(outputs, simplify=simplify)
    monkeypatch.setattr(small_sizes, "SMALL", -1)
    monkeypatch.setattr(small_sizes, "LEAST_SMALL", -1)
    tiled = gc.compile(outputs, simplify=simplify)
    runs = f, tiled, plain(f)
    for sizes in SIZES:
        values = arguments(f, sizes)
        want = outcome(gc.evaluate, outputs, values)
        for run in runs:
            got = outcome(run, **values)
            if isinstance(want, tuple) or isinstance(got, tuple):
                assert want == got
                continue
            for a, b in zip(want, got, strict=True):
                assert (a.shape, a.dtype) == (b.shape, b.dtype)
                told = np.isfinite(a) if simplify is True else np.full(a.shape, True)
                np.testing.assert_allclose(b[told], a[told], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("simplify", [False, "strict", True])
def test_of_nothing_the_softmax_is_empty_and_the_log_of_the_sum_is_minus_inf(simplify):
    """Spelled out or not: the largest element by which both are shifted is that of nothing."""
    spelled = [gc.exp(x) / gc.sum(gc.exp(x)), gc.log(gc.sum(gc.exp(x)))]
    found = gc.compile([*spelled, gc.softmax(x), gc.logsumexp(x)], simplify=simplify)(np.zeros(0))
    assert [(0,), -np.inf, (0,), -np.inf] == [v.shape or v for v in map(np.asarray, found)]


@pytest.mark.parametrize("part", [x[:1], x[-1:], x[n - 1 :], x[None, :1, None], -gc.exp(x[:1])])
def test_a_slice_that_has_one_element_needs_one(part):
    """A size is positive, so its type says 1; a call that makes it 0 is refused by name."""
    message = r"the program needs the size n of at least 1, which is 0 \(n is axis 0 of x\)"
    assert 1 in part.shape
    with pytest.raises(gc.BindError, match=message):
        gc.evaluate(part, {x: np.zeros(0)})
    with pytest.raises(gc.BindError, match=message):
        gc.compile(part)(np.zeros(0))
    assert (1,) * part.ndim == np.shape(gc.compile(part)(np.ones(1)))


def test_the_parts_of_nothing_add_up_to_nothing():
    """They add up to the whole elsewhere: sum(e / t) is sum(e) / t, and that is 0 / 0 here."""
    e = gc.exp(gc.tanh(gc.input("nothing", (0, 3))))
    f = gc.compile([gc.sum(e / gc.sum(e)), gc.sum(e * (3.0 / gc.sum(e)))])
    assert [0.0, 0.0] == f(np.zeros((0, 3)))
