"""The straight path of long programs: small values in memory that is kept from call to call."""

import tracemalloc

import numpy as np
import pytest
from answers import (
    arguments,
    assert_close,
    assert_same_bits,
    assert_threads_agree,
    compiled,
    kept_arrays,
    namespace,
)

import graphc as gc
from graphc.plan.program import straight

STEPS = 9
n = gc.dim("n")
X, h, c = gc.input("X", (STEPS, n, 4)), gc.input("h", (n, 4)), gc.input("c", (n, 4))
W, R, U = gc.input("W", (4, 16)), gc.input("R", (4, 16)), gc.input("U", (4, 16), dtype="float32")
V, v, b = gc.input("V", (4, 4)), gc.input("v", (4,)), gc.input("b", (4,))
y, z = gc.input("y", (n,)), gc.input("z", (n,))


def gates():
    """Slices of what is kept, and gradients joined twice over: by gate, then by step."""
    H, C = h, c
    for t in range(STEPS):
        a = X[t] @ W + H @ R
        keep, enter, tell, change = (a[:, i : i + 4] for i in range(0, 16, 4))
        C = gc.sigmoid(keep) * C + gc.sigmoid(enter) * gc.tanh(change)
        H = gc.sigmoid(tell) * gc.tanh(C)
    loss = gc.mean(H**2)
    return [loss, *gc.grad(loss, [W, R, h])]


def layers():
    """All states are put together, and all their gradients."""
    state = v
    for _ in range(STEPS):
        state = gc.tanh(V @ state + b)
    return [gc.sum(state), *gc.grad(gc.sum(state), [v, V, b])]


def chosen():
    """Functions that are carried, and need memory besides; branches, some in the result's place."""
    y = gc.softplus(h) * gc.log1p(c**2) + gc.logaddexp(h, c) + gc.hypot(h, c) ** 2.5
    y = gc.where(h > c, y + 1, gc.exp(y)) + gc.where(c > 0, gc.exp(-c), 1.0)
    y = gc.maximum(y, gc.clip(c, -1, 1)) + gc.expm1(h) + gc.atan2(h, c)
    return [y, gc.sum(y, axis=1), gc.max(y, axis=0), gc.cumulative_sum(y, axis=0)]


def in_single_precision():
    y = gc.expm1(U) + gc.log1p(U**2) + gc.where(U > 0, gc.sinh(U), U)
    return [gc.softplus(y) @ U.T, gc.sigmoid(y) ** 0.5]


def joins():
    """Parts that others read too, before or after; that come twice; that are joins themselves."""
    p, q, r = gc.exp(h), gc.tanh(c), h * c
    first = gc.concat([p, q, r, q, h])
    second = gc.concat([r + p, gc.concat([p * 2, q * 3], axis=1), h - c], axis=1)
    third = gc.concat([gc.concat([gc.cos(h), gc.sin(h)]), gc.sqrt(gc.abs(c))])
    late = gc.concat([gc.square(h), gc.exp(c)])
    return [gc.exp(first), second * 2, third @ V, gc.exp(late[:1]) + late.T @ late, q + 1]


def vectors():
    """Of a length that may be 1: chosen, sliced, turned, joined to one another and to nothing."""
    p, q = gc.exp(y) * 2, gc.tanh(z) - y
    for k in range(4):
        p, q = gc.where(q > 0, p, q * k), gc.softplus(q)[::-1] * p
    both, alone = gc.concat([p * q, p + q]), gc.concat([p - q, y[:0]])
    turned = (q[:, None] * 3).T
    return [both * both, alone * 2, turned @ p, p.astype("float32") + 1, gc.cumulative_sum(q)[-1:]]


def longer_and_longer():
    """Each join is a part of the next one."""
    y = gc.exp(h)
    for k in range(5):
        y = gc.concat([y, gc.tanh(h * k)])
    return [y * y]


def what_the_caller_gets():
    """Views of kept memory, joins, their parts."""
    p, q = gc.exp(h), gc.tanh(c)
    stack = gc.concat([p + q, p - q])
    twice = (p * q - p)[:, ::2]
    return [
        p[0], q, gc.concat([p * q, q * q]), stack[:, 1:3], gc.sum(stack * stack), stack.T, twice,
        gc.reshape((p * 2)[:1, :1], ()), twice, gc.broadcast_to(p[0] * 3, (2, 4)),
    ]  # fmt: skip


def turned():
    """Views that are copies if the memory is another: reshapes of slices and of turned values."""
    p = gc.exp(h) @ V
    return [gc.reshape(p.T, (-1,)) * 2, gc.reshape(p[:, 1:3], (-1,)) * 2, p.T @ p, p[:, None] * p]


FORMS = [
    gates, layers, chosen, in_single_precision, joins, vectors, longer_and_longer,
    what_the_caller_gets, turned,
]  # fmt: skip
each = pytest.mark.parametrize("form", FORMS, ids=[form.__name__ for form in FORMS])


def path_of(f):
    """The lines of a program for small arrays."""
    lines = f.source.partition("\n        return ")[0].splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


@pytest.fixture(autouse=True)
def all_is_long(monkeypatch):
    """Short programs go the way of long ones."""
    monkeypatch.setattr(straight, "MANY", 1)


@each
@pytest.mark.parametrize("simplify", [True, False])
def test_kept_memory_changes_no_answer(form, simplify, monkeypatch):
    """Nor a bit: the same functions are called, in the same order."""
    f = gc.compile(form(), simplify=simplify)
    monkeypatch.setattr(straight, "MANY", 1 << 40)
    new = gc.compile(form(), simplify=simplify)
    assert "borrowed(" in path_of(f) and "borrowed(" not in path_of(new)
    for rows in (5, 1, 2):
        values = arguments(f, {"n": rows}, seed=rows)
        assert_same_bits(new(**values), f(**values))
        assert_close(gc.evaluate(form(), values), f(**values))


@each
def test_the_battery_of_the_plan(form):
    """Poisoned memory, layouts, results that are the caller's own."""
    f = gc.compile(form())
    values = arguments(f, {"n": 5})
    want, again = f(**values), f(**values)
    kept = kept_arrays(f)
    assert kept
    for k, a in enumerate(map(np.asarray, again)):
        for other in (*want, *again[k + 1 :], *values.values(), *kept):
            assert not np.shares_memory(a, other)
    for array in kept:
        array[...] = np.nan if array.dtype.kind == "f" else 1
    assert_same_bits(want, f(**values))
    given = {name: np.asfortranarray(a) for name, a in values.items()}
    for a in given.values():
        a.setflags(write=False)
    assert_close(want, f(**given))


@each
def test_many_threads_call_one_function(form):
    """Each call has a workspace of its own."""
    f = gc.compile(form())
    given = [arguments(f, {"n": 3 + j % 2}, seed=j) for j in range(6)]
    assert_threads_agree(f, given, times=20)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_call_leaves_the_function_as_it_was(error):
    """The workspace of a call that ends early is nobody's any more."""
    f = compiled(gates())
    values = arguments(f, {"n": 5})
    want, known = f(**values), namespace(f)
    original, calls = known["sigmoid"], []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 5:
            raise error
        return original(*args, **kwargs)

    known["sigmoid"] = interrupted
    with pytest.raises(error):
        f(**values)
    assert known["spare"] == {(5,): []}
    known["sigmoid"] = original
    assert_same_bits(want, f(**values))
    assert len(known["spare"][5,]) == 1


def test_what_is_joined_is_computed_where_it_will_lie():
    """Nothing is copied: neither states and slopes by step, nor the slopes of gates by gate."""
    for form in (gates, layers):
        assert "np.concatenate(" not in path_of(gc.compile(form()))


def test_kept_values_are_sliced_before_the_call():
    """A slice takes NumPy as long as a sum of some hundred elements."""
    f = gc.compile(gates())
    assert "[:, " not in path_of(f) and "[:, " in f.source


def test_no_memory_is_kept_for_a_single_element():
    """NumPy takes a microsecond more to write there than to make it."""
    x = gc.input("x", ("n",))
    f = gc.compile(gc.sin(gc.exp(x) * gc.tanh(x)) * x)
    for size in (1, 2):
        f(x=[0.5] * size)
    known = namespace(f)["spare"]
    assert known[1,] == [(None,) * len(known[2,][0])]
    assert all(array.size == 2 for array in known[2,][0])


def test_values_that_are_copied_and_may_be_single_elements_keep_no_memory():
    """A choice is copied into memory, which is None for one element: so there is no workspace."""
    value, c = y, gc.input("chosen", (n,), dtype="bool")
    for k in range(STEPS):
        value = gc.where(c, value, z) if k % 2 else gc.where(c, z, value)
    f = gc.compile(value, simplify=False)
    assert "borrowed(" not in f.source
    np.testing.assert_array_equal([3.0, 4.0], f([1.0, 2.0], [3.0, 4.0], [True, False]))


def layouts():
    """Sums whose last bits depend on how their operands lie, of values that lie otherwise."""
    p, q = gc.input("p_laid", (n, 40)), gc.input("q_laid", (n, 40))
    a, b = gc.exp(gc.sin(p)), gc.sin(gc.exp(p * q))
    total = gc.sum(gc.sin(a) * 2 + 1, axis=1) + gc.sum(gc.tanh(gc.cos(b) + q), axis=1)
    return [total, gc.sum(gc.sin(gc.cos(q)), axis=0), gc.tanh(gc.cos(p + 1).T)[1:]]


def rows_beside_columns():
    """Of stretched values and of vectors rows are made, beside columns they become columns."""
    p, q = gc.input("p_laid", (n, 40)), gc.input("q_laid", (n, 40))
    rows = gc.broadcast_to(y[:, None], (n, 40))
    a, b = gc.exp(rows) - p, gc.sin(rows - p)
    c = gc.sin(b * gc.sum(gc.tanh(a), axis=0))
    d, e = gc.exp(y[:, None] * gc.input("r_laid", (40,))) - q, gc.sin(y[:, None] - q)
    sums = [gc.sum(gc.cos(v), axis=0) for v in (c, gc.sin(e * gc.sum(gc.tanh(d), axis=0)))]
    return [*sums, gc.sin(c * sums[0]), gc.sin(e * sums[1])]


@pytest.mark.parametrize(
    "form", (*FORMS, layouts, rows_beside_columns), ids=lambda form: form.__name__
)
def test_what_nobody_reads_any_more_is_written_over(form, monkeypatch):
    """By few values, which lie as they would in new memory: not a bit is another."""
    monkeypatch.setattr(straight, "MANY", 1 << 40)
    over = gc.compile(form(), simplify=False)
    monkeypatch.setattr(straight, "written_over", lambda *given: {})
    new = gc.compile(form(), simplify=False)
    assert over.source != new.source or form is turned
    for rows in (37, 2, 1):
        values = arguments(over, {"n": rows}, seed=rows)
        by_columns = {name: np.asfortranarray(a) for name, a in values.items()}
        for given in (values, by_columns, values | dict(list(by_columns.items())[:1])):
            assert_same_bits(new(**given), over(**given))


def test_few_arrays_are_made_where_each_is_read_soon(monkeypatch):
    """Of twenty in new memory most would be out of the first cache when they are read."""
    monkeypatch.undo()
    f = gc.compile(gc.sum(gc.tanh(y * z) * gc.exp(-(y**2)) + gc.log1p(z**2)))
    for size in (1, 1000):
        held = traced(f, np.ones(size), np.ones(size))
        assert held < 4.5 * 8 * size + 2000


def traced(f, *args):
    """The bytes that a call holds at most."""
    f(*args)
    tracemalloc.start()
    f(*args)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_few_values_keep_no_memory(monkeypatch):
    """To borrow memory takes as long as a line."""
    monkeypatch.undo()
    assert "borrowed(" not in path_of(gc.compile(joins()))
