"""Order: what is computed of turned values lies in memory as they do."""

import re

import numpy as np
import pytest

import graphc as gc
from graphc.plan.arranged.order import as_they_lie
from graphc.plan.carried import arrays, tiling
from graphc.plan.program import small_sizes

n, d, h = gc.dims("n d h")
X, Y, Z = gc.input("X_", (n, d)), gc.input("Y_", (n, d)), gc.input("Z_", (d, n))
w, u, W = gc.input("w_", (d,)), gc.input("u_", (n,)), gc.input("W_", (n, h))
T, U = gc.input("T_", (n, d, h)), gc.input("U_", (h, n, d))
k = gc.input("k_", (n, d), dtype="int32")


def of_one():
    return [X.T + 1]


def of_two():
    return [gc.tanh(X.T) * Y.T, X.T + X.T]


def with_vectors():
    """Along either axis, one that is computed too, and a number."""
    return [X.T * w[:, None] + gc.exp(u) * gc.sum(w), X.T * gc.broadcast_to(u, (d, n))]


def three_axes():
    turned = gc.permute_dims(T, (2, 0, 1))
    return [turned * 3, turned * U[:, :1, :1], gc.permute_dims(T, (2, 1, 0)) * w[:, None]]


def summed():
    """Also of what is left of three axes, in an order of its own."""
    t = gc.exp(gc.permute_dims(T, (2, 1, 0)))
    t2 = gc.sin(X.T * Y.T)
    return [gc.sum(t2), gc.sum(t2, axis=0), gc.max(t2, axis=1), gc.sum(t, axis=1) + 1]


def normed():
    """A reduction whose rows are rows in memory too."""
    p = gc.softmax(X.T, axis=0)
    return [p, gc.sum(p * Y.T, axis=0), gc.max(p, axis=0, keepdims=True)]


def multiplied():
    """In a product either order is as good, and sums of products follow."""
    t = gc.tanh(X.T) + Y.T
    return [t @ W, t @ u, gc.sum(t * t), gc.einsum("dn,dn->n", t, gc.cos(t))]


def turned_again():
    t = gc.exp(X.T)
    return [t, t.T * 2, (t.T + 1).T]


def most_are():
    return [X.T + Y.T + Z]


def kinds():
    """Truth values and integers lie in an order as numbers do."""
    return [gc.where(k.T > 0, X.T, Y.T), k.T * 2, k.T > 0]


def asked():
    """NumPy writes wrong answers to whether elements are finite where they lie with gaps."""
    p = gc.log(X)
    return [gc.isnan(p), (X[::2] - gc.isfinite(p)[::2]) * 2, gc.exp(p + Y), gc.isinf(Y.T / 0)]


def gradients():
    value = gc.sum(gc.tanh(X.T * w[:, None]) ** 2 * u)
    return [value, *gc.grad(value, [X, w, u])]


TURNED = [
    of_one, of_two, with_vectors, three_axes, summed, normed, multiplied, turned_again, most_are,
    kinds, gradients, asked,
]  # fmt: skip


def as_many():
    return [X.T + Z]


def rows_within():
    """What belongs to each row is found while the row is in the cache."""
    return [gc.softmax(X.T, axis=1), X.T - gc.mean(X.T, axis=1, keepdims=True)]


def reshaped():
    """A copy, of what does not lie as its axes do."""
    return [gc.reshape(gc.exp(X.T), (n * d,)), gc.concat([X.T * 2, Z], axis=0)]


def sums_of_rows():
    return [gc.einsum("dn,d->n", gc.tanh(X.T), w)]


def nothing_computed():
    return [X.T, X.T @ X, gc.sum(X.T, axis=0)]


LEFT = [as_many, rows_within, reshaped, sums_of_rows, nothing_computed]
every = pytest.mark.parametrize("graph", [*TURNED, *LEFT], ids=lambda g: g.__name__)


def arguments(f, rows):
    rng = np.random.default_rng(rows)
    sizes = {n: rows, d: 5, h: 3}
    drawn = {v: rng.uniform(-2, 2, [sizes[s] for s in v.shape]) for v in f.graph.parameters}
    return {v.name: x.astype(v.dtype) for v, x in drawn.items()}


def in_tiles(monkeypatch):
    monkeypatch.setattr(small_sizes, "SMALL", -1)
    monkeypatch.setattr(small_sizes, "LEAST_SMALL", -1)
    monkeypatch.setattr(tiling, "TILE_BYTES", 400)
    monkeypatch.setattr(tiling, "THREAD_WORK", 0)


@every
@pytest.mark.parametrize("is_large", [False, True])
def test_in_order_all_is_what_it_was(graph, is_large, monkeypatch):
    """Line by line and in tiles, of arguments in any order; on two threads with the same bits."""
    if is_large:
        in_tiles(monkeypatch)
    one, two = (gc.compile(graph(), simplify="strict", threads=threads) for threads in (1, 2))
    for rows in (0, 1, 7, 60):
        values = arguments(one, rows)
        given = [values, {name: np.asfortranarray(x) for name, x in values.items()}]
        given.append({name: x[::-1] for name, x in given[1].items()})
        for at in given:
            try:
                wanted = gc.evaluate(graph(), at)
            except ValueError:  # no largest of nothing
                continue
            found, again = one(**at), one(**at)
            for right, a, b, c in zip(wanted, found, two(**at), again, strict=True):
                assert (a.dtype, a.shape) == (right.dtype, right.shape)
                np.testing.assert_allclose(a, right, rtol=1e-9, atol=1e-9)
                np.testing.assert_array_equal(a, b)
                assert a.flags.writeable or not a.ndim
                assert not any(np.shares_memory(a, x) for x in (c, *at.values()))
            assert not any(np.shares_memory(a, b) for i, a in enumerate(found) for b in found[:i])


@pytest.mark.parametrize("graph", TURNED, ids=lambda g: g.__name__)
def test_nothing_large_is_read_across(graph):
    """No view turns what is read; only what is given back, or one of several, is turned."""
    turned = as_they_lie(gc.Graph(graph()))
    turned.typecheck()
    views = [v for v in turned.nodes if v.op.name == "permute_dims" and 1 not in v.shape]
    read = [v for v in views if any(c.op.family != "contract" for c in turned.consumers(v))]
    assert [Z] * (graph is most_are) == [v.inputs[0] for v in read]


@pytest.mark.parametrize("graph", LEFT, ids=lambda g: g.__name__)
def test_what_gains_nothing_keeps_its_order(graph):
    """As many operands lie one way as the other; or some reader wants rows."""
    written = gc.Graph(graph())
    assert written.outputs == as_they_lie(written).outputs


def test_results_lie_as_their_operands(monkeypatch):
    """As NumPy's do; so tiles go through memory in one direction."""
    in_tiles(monkeypatch)
    turned, of_three = gc.compile(of_one()), gc.compile(gc.permute_dims(T, (2, 0, 1)) * 3)
    A, B = np.ones((40, 30)), np.ones((9, 8, 7))
    assert (A.T + 1).strides == turned(A)[0].strides
    assert (B.transpose(2, 0, 1) * 3).strides == of_three(B).strides
    for f in (turned, of_three):
        tiles = f.source.split("def program_rows")[1].split("class ")[0]
        code = [line for line in tiles.splitlines() if "#" not in line]
        assert 1 == sum("=" in line for line in code)  # one operation
        assert not any("transpose" in line or ".T" in line for line in code)


def test_arithmetic_in_one_step_stays_light():
    """The view that is given back is no step: x.T + 1 goes line by line as long as x + 1 does, and
    a single operation longest."""
    assert f"<= {32 * small_sizes.SMALL}:" in gc.compile(X.T + 1).source
    assert f"<= {8 * small_sizes.SMALL}:" in gc.compile(gc.sqrt(X.T)).source
    assert f"<= {32 * small_sizes.SMALL}:" in gc.compile(X.T + Z).source
    assert f"<= {32 * small_sizes.SMALL}:" not in gc.compile(gc.sum(X, axis=1)).source
    assert f"<= {16 * small_sizes.SMALL}:" in gc.compile([X * 2, Y * 3]).source
    assert f"<= {16 * small_sizes.SMALL}:" in gc.compile([X * 2, X * Y]).source
    limits = [re.findall(r"<= (\d+):", gc.compile(v * 2).source) for v in (X + Y, X.T + Y.T)]
    assert limits[0] == limits[1] and int(limits[0][0]) > small_sizes.SMALL


def test_as_written_every_axis_stays():
    """simplify=False promises the program as written."""
    written = gc.compile(of_one(), simplify=False).graph
    assert ["permute_dims", "add"] == [v.op.name for v in written.nodes if v.op.family != "leaf"]


def formula():
    return [gc.tanh(X) * Y + gc.exp(X * 0.5) * 2]


def total():
    """A number for which no array exists, and beside it one that does."""
    return [gc.sum(X * Y + 1), gc.max(X - Y), gc.sum(gc.sin(X) * Y), gc.sin(X)]


def numbers():
    s = gc.input("s_", ())
    return [X * s + Y * gc.exp(s), gc.sum(X * s)]


def kept():
    """What lies in kept memory lies by rows, whatever it is computed of."""
    return [W.T @ gc.tanh(X * Y), X * Y]


def single_precision():
    return [k * 2 + 1, gc.astype(X, "float32") * 3, X > Y]


def cube():
    return [gc.sin(T) * 2 + T]


def beside_vectors():
    """Along either axis: with the region these are turned."""
    return [gc.tanh(X) * w + u[:, None], gc.sum(X * w), Y - gc.reshape(u, (n, 1)) * 2]


def by_rows():
    """What belongs to rows, as these lie, and what is added up of them."""
    return [gc.softmax(X, axis=1), gc.sum(X * Y + 1, axis=1), X.T - gc.mean(X.T, axis=1)[:, None]]


def by_columns():
    return [gc.softmax(X, axis=0), gc.max(X * Y, axis=0), X * gc.mean(X, axis=0)]


GIVEN = {
    "by rows": lambda x: x,
    "by columns": np.asfortranarray,
    "axes the other way round": lambda x: x.transpose()[::-1].copy().transpose(),
    "first axis last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0),
    "with gaps": lambda x: np.repeat(np.asfortranarray(x), 2, axis=0)[::2],
    "from the end": lambda x: np.asfortranarray(x[::-1])[::-1],
    "stretched": lambda x: np.broadcast_to(x[:1], x.shape),
    "stretched the other way": lambda x: np.broadcast_to(x[..., :1], x.shape),
}


COMPUTED = [
    formula, total, numbers, kept, single_precision, cube, beside_vectors, by_rows, by_columns,
]  # fmt: skip


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("graph", COMPUTED, ids=lambda g: g.__name__)
def test_arguments_may_lie_in_any_order(graph, given, monkeypatch):
    """All alike, or every other one; on two threads with the same bits as on one."""
    in_tiles(monkeypatch)
    one, two = (gc.compile(graph(), threads=threads) for threads in (1, 2))
    assert "over_elements(" in one.source or "laid=" in one.source
    for rows in (0, 1, 7, 300):
        values = arguments(one, rows)
        if ".max" in one.source and not rows:
            continue
        for step in (1, 2):
            at = {
                name: GIVEN[given](x) if x.ndim and i % step == 0 else x
                for i, (name, x) in enumerate(values.items())
            }
            found = one(**at)
            for right, a, b in zip(gc.evaluate(graph(), at), found, two(**at), strict=True):
                assert (a.dtype, a.shape) == (right.dtype, right.shape)
                np.testing.assert_allclose(a, right, rtol=1e-6 if a.dtype == "f4" else 1e-9)
                np.testing.assert_array_equal(a, b)
                assert not any(np.shares_memory(a, x) for x in (b, *at.values()))


def test_each_result_lies_as_what_it_is_computed_of(monkeypatch):
    """As NumPy's do: not as what another one is computed of; nor as what is stretched."""
    in_tiles(monkeypatch)
    A, B = np.ones((40, 30)), np.ones((40, 30), order="F")
    found = gc.compile([gc.exp(X) * 2, gc.exp(Y) * 3, X * Y])
    for a, b in [(A, B), (B, A)]:
        assert [a.strides, b.strides, a.strides] == [x.strides for x in found(a, b)]
    stretched = np.broadcast_to(A[0], A.shape)
    for x in (A, B):
        assert [x.strides, x.strides] == [y.strides for y in found(stretched, x)[1:]]


def pieces(*arrays):
    """What a region is given piece by piece, in tiles of 64 bytes at most."""
    seen = []
    tiling.over_elements(
        lambda memory, *given: seen.append([x for x in given if x.ndim]),
        *arrays, element_bytes=8 * len(arrays), step_work=0, threads=1,
    )  # fmt: skip
    return seen


def test_pieces_lie_as_memory_does(monkeypatch):
    """One after the other, without rows where there are no gaps."""
    monkeypatch.setattr(tiling, "TILE_BYTES", 4096)
    x = np.arange(48_000.0).reshape(80, 600)
    assert all(p.shape[1:] == (600,) for p, _ in pieces(x, x))
    for turned in (x.T, x.reshape(80, 20, 30).transpose(2, 0, 1)):
        found = pieces(turned, np.float64(2), np.empty_like(turned))
        assert all(p.ndim == 1 and q.strides == (8,) for p, q in found)
        np.testing.assert_array_equal(np.concatenate([p for p, _ in found]), x.ravel())
    mixed = pieces(x.T, x.reshape(600, 80), np.empty_like(x.T))
    assert all(p.strides == (4800, 8) == q.strides for p, _, q in mixed)


def test_vectors_are_turned_with_a_region(monkeypatch):
    """Pieces of an array given by columns are columns, each beside what belongs to it."""
    monkeypatch.setattr(tiling, "TILE_BYTES", 4096)
    x, row, column = np.zeros((80, 600)), np.arange(600.0), np.arange(80.0)[:, None]
    for k, (p, q, found) in enumerate(pieces(row, column, np.asfortranarray(x))):
        assert found.flags.c_contiguous and found.shape == (len(p), 80)
        np.testing.assert_array_equal(p[:, 0], row[k * len(p) :][: len(p)])
        np.testing.assert_array_equal(q, column.T)


def test_columns_are_read_whole(monkeypatch):
    """Or in long runs: short ones take NumPy, and memory, several times as long."""
    monkeypatch.setattr(tiling, "TILE_BYTES", 1 << 14)
    monkeypatch.setattr(tiling, "LONG_RUN", 100)

    def lengths(x, axis=0):
        seen = []
        tiling.in_tiles(
            lambda first, last, memory, x, order: seen.append((last - first, order)),
            x.shape[axis], x, laid=(x,), axis=axis, row_bytes=8 * x.size // x.shape[axis],
            step_work=0, threads=1,
        )  # fmt: skip
        return seen

    square, long = np.zeros((150, 150)), np.zeros((1600, 10))
    assert len(lengths(square)) > 8 and {"C"} == {order for _, order in lengths(square)}
    assert [(150, "F")] == lengths(square.T)
    assert [(150, "C")] == lengths(square, axis=1)
    assert {(200, "F")} == {*lengths(np.asfortranarray(long))}
    assert lengths(square) == lengths(np.broadcast_to(np.zeros(150), (150, 150)))


def test_results_of_rows_lie_as_their_operands(monkeypatch):
    """Whoever gives arrays by columns has results by columns, as NumPy's are."""
    in_tiles(monkeypatch)
    joined = gc.concat([X * 2, Y * 3], axis=0)
    f = gc.compile([gc.softmax(X, axis=1), X.T - gc.mean(X.T, axis=1)[:, None], Y * w, joined])
    A, B = np.ones((40, 30)), np.ones((40, 30), order="F")
    for a in (A, B):
        given = {"X_": a, "Y_": a, "w_": A[0]}
        longer = np.concatenate([a, a])
        assert [x.strides for x in (a, a.T, a, longer)] == [x.strides for x in f(**given)]


@pytest.mark.parametrize("rows", [0, 5, 8192, 20_000])
def test_rows_of_columns_are_added_up_column_by_column(rows):
    """Of a tile of columns; np.dot takes five to fifteen times as long."""
    x, given = np.linspace(-1, 1, rows), np.random.default_rng(0).normal(size=(5, rows + 9)).T
    out = np.empty(5)
    assert arrays.weighted_sum(x, given[:rows], rows + 9, out=out) is out
    np.testing.assert_allclose(out, x @ given[:rows], rtol=1e-10, atol=1e-12)


def test_a_product_of_what_lies_with_gaps_is_left_to_blas():
    """np.matmul would multiply by itself, in three times as long, and with other last bits."""
    A, B, out = np.random.default_rng(0).normal(size=(60, 60)), np.ones((30, 8)), np.empty((30, 8))
    B *= np.arange(8)
    for x in (A[::2, ::2], A[::2, ::2].T, A[:30, ::2]):
        np.testing.assert_array_equal(
            arrays.matrix_product(x, B, out=out), np.ascontiguousarray(x) @ B
        )
