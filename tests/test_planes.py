"""Short last axes: arrays made of smaller ones are computed with that axis first."""

import numpy as np
import pytest
from answers import all_is_large, arguments

import graphc as gc
from graphc.plan.arranged.planes import planes

n, m = gc.dims("n m")
X, Y, y = gc.input("X_of_planes", (n, 3)), gc.input("Y_of_planes", (m, 3)), gc.input("y_", (n,))
scale, P = gc.input("scale", (3,)), gc.input("P", (n, 2))
k = gc.input("k_of_planes", (m, 3), dtype="int32")


def differences():
    return X[:, None, :] - Y[None, :, :]


def distances():
    value = gc.sum(gc.sqrt(gc.sum(differences() ** 2, axis=2) + 1e-6))
    return [value, *gc.grad(value, [X, Y])]


def scaled():
    """A vector along the short axis, and one that it is stretched over."""
    value = gc.sum(gc.exp(-gc.abs(differences() * scale) - (y**2)[:, None, None]), axis=(0, 1))
    return [value, *gc.grad(gc.sum(gc.sin(value)), [X, Y, scale, y])]


def kept_axes():
    d = differences()
    longest = gc.max(gc.abs(d), axis=2, keepdims=True)
    return [longest, gc.sum(d / (longest + 1), axis=(1, 2), keepdims=True), gc.min(d, axis=0)]


def components():
    d = gc.tanh(differences())
    return [d[..., 0] * d[:, ::-1, -1], d[:, ::2, 1], gc.all(d > -2, axis=(0, 2))]


def products():
    """Sums of products, which name axes by letters."""
    d = differences()
    turned = gc.einsum("ijk,k->ij", d, scale)
    back = gc.einsum("ijk,ij->k", d, turned)
    return [gc.einsum("ijk,ijk->ij", d, d), turned, back, gc.sum(d * d)]


def choices():
    """Truth values and integers turn as numbers do."""
    d = gc.where(X[:, None, :] > k[None, :, :], X[:, None, :], 0.0)
    return [gc.sum(d, axis=2), gc.sum(k[None, :, :] * k[:, None, :], axis=(0, 2))]


def stretched():
    wide = gc.broadcast_to(P[:, None, :], (n, m, 2)) + gc.broadcast_to(y[:, None, None], (n, m, 2))
    value = gc.sum(gc.cos(wide), axis=2)
    return [value, gc.grad(gc.sum(value**2), P), gc.sum(Y)]


TURNED = [distances, scaled, kept_axes, components, products, choices, stretched]


def returned():
    return [differences() * 2]


def long_already():
    """The points themselves are as large as what is computed of them."""
    return [gc.sum(gc.sin(X) ** 2, axis=1)]


def of_blocks():
    return [gc.reshape(gc.exp(differences()), (n, 3 * m))]


def of_many():
    A, B = gc.input("A_of_planes", (n, 5)), gc.input("B_of_planes", (m, 5))
    return [gc.sum(gc.abs(A[:, None, :] - B[None, :, :]), axis=2)]


def of_few():
    A = gc.input("C_of_planes", (5, 3))
    return [gc.sum(gc.abs(A[:, None, :] - A[None, :, :]), axis=2)]


LEFT = [returned, long_already, of_blocks, of_many, of_few]
every = pytest.mark.parametrize("graph", [*TURNED, *LEFT], ids=lambda g: g.__name__)


@every
@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("simplify", [False, True])
def test_what_is_turned_is_what_it_was(graph, is_large, simplify, monkeypatch):
    """Line by line and in tiles, on one thread and two with the same bits."""
    if is_large:
        all_is_large(monkeypatch, tile_bytes=400)
    turned = graph() if simplify else planes(gc.Graph(graph())).outputs
    one, two = (gc.compile(turned, simplify=simplify, threads=threads) for threads in (1, 2))
    for sizes in [(0, 4), (1, 1), (1, 6), (7, 3), (40, 23)]:
        values = arguments(one, dict(zip("nm", sizes, strict=True)))
        try:
            want = gc.evaluate(graph(), values)
        except ValueError as error:  # no largest of nothing
            with pytest.raises(ValueError, match=str(error)):
                one(**values)
            continue
        found = one(**values)
        columns = {name: np.asfortranarray(a) for name, a in values.items()}
        for right, a, b, c in zip(want, found, two(**values), one(**columns), strict=True):
            np.testing.assert_allclose(a, right, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(c, right, rtol=1e-9, atol=1e-9)
            np.testing.assert_array_equal(a, b)
            assert a.dtype == right.dtype and (a.flags.writeable or not a.ndim)
            assert not any(np.shares_memory(a, given) for given in values.values())


def last_axes(graph, size):
    return [v for v in graph.nodes if v.op.family == "elementwise" and v.shape[-1:] == (size,)]


@pytest.mark.parametrize("graph", TURNED, ids=lambda g: g.__name__)
def test_nothing_large_is_computed_along_a_short_axis(graph):
    """What remains there are the points, and what is made of them once they are summed."""
    written = gc.Graph(graph())
    turned = planes(written)
    turned.typecheck()
    assert any(v.ndim == 3 for v in last_axes(written, 3) + last_axes(written, 2))
    assert not any(v.ndim == 3 for v in last_axes(turned, 3) + last_axes(turned, 2))


@every
def test_as_written_no_axis_moves(graph):
    """simplify=False promises the program as written; its numbers are those of what is turned."""
    written, turned = (gc.compile(graph(), simplify=mode) for mode in (False, "strict"))
    assert gc.passes.run(gc.Graph(graph()))[0].outputs == written.graph.outputs
    values = arguments(written, {"n": 7, "m": 5})
    for a, b in zip(turned(**values), written(**values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("graph", LEFT, ids=lambda g: g.__name__)
def test_what_gains_nothing_stays(graph):
    """Nothing is turned to be turned back, and no operand that is as large as the result."""
    written = gc.Graph(graph())
    assert planes(written) is written


def test_tiles_hold_whole_rows():
    """Of planes too: a part of each row would be less in memory, and few elements for each call."""
    (large,) = (s.region for s in gc.compile(distances()).plan.steps if s.region and s.region.folds)
    assert large.rows == n and any(v.shape == (3, n, m) for v in large.nodes)
