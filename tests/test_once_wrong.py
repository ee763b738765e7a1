"""What was wrong once and fits no other table: each row is a program and the value it must have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

n, m = gc.dims("n m")
x, y = gc.input("x", (n,)), gc.input("y", (m,))
p, c = gc.input("p", (2,)), gc.input("c", (2, 1))
a, w = gc.input("a"), gc.input("w", (2, 3))
k = gc.input("k", (2,), dtype="int64")

PLACES = {"x": np.arange(1.0, 4.0), "y": np.arange(24.0), "p": [1.0, 2.0], "c": [[1.0], [-1.0]]}
PLACES |= {"a": 1.0, "w": np.ones((2, 3)), "k": [1, 2]}
TABLE = np.random.default_rng(0).normal(size=(784, 2))


def chosen(*branches: Any) -> gc.Node:
    return gc.sum(gc.where(c > 0, *branches) * gc.where(c > 0, 2.0, w))


ROWS = {
    # Constants are written as bytes, and bytes can look like operands.
    "a large constant": (lambda: gc.ones((784,)) @ gc.constant(TABLE), np.ones(784) @ TABLE),
    "a choice made twice, of a scalar": (lambda: gc.grad(chosen(a, w), a), 6.0),
    "a choice made twice": (lambda: gc.grad(chosen(2 * w, a), w), [[4.0] * 3, [1.0] * 3]),
    "a size over a product": (lambda: gc.ones((m // (2 * n),)) + 0 * gc.sum(x), [1.0] * 4),
    "a size modulo a product": (lambda: gc.size(m % (7 * n)) + 0 * gc.sum(x), 3.0),
    "a margin of -inf": (lambda: gc.pad(p, 1, -np.inf), [-np.inf, 1.0, 2.0, -np.inf]),
    "a scalar without axes to pad": (lambda: gc.pad(a, 1), 1.0),
    "classes beyond the dtype of the index": (
        lambda: gc.sum(gc.one_hot(gc.astype(k, "int8"), 300), axis=0)[:4], [0.0, 1.0, 1.0, 0.0],
    ),
    "the sigmoid of an unsigned integer": (
        lambda: gc.sigmoid(gc.astype(k, "uint32")), 1 / (1 + np.exp([-1.0, -2.0])),
    ),
    "the log of a quotient of truth values": (lambda: gc.log((p > 0) / (p > 0)), [0.0, 0.0]),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_program_that_was_wrong_is_right(row: Any) -> None:
    """Compiled and interpreted, to the value that NumPy gives."""
    build, expected = row
    made = build()
    f = gc.compile(made, inputs=[x, y, p, c, a, w, k])
    np.testing.assert_allclose(f(**PLACES), expected, rtol=1e-13)
    inputs = {v: PLACES[v.name] for v in (x, y, p, c, a, w, k)}
    np.testing.assert_allclose(gc.evaluate(made, inputs), expected, rtol=1e-13)


# Programs that were right as written and wrong simplified, at these values. What they must give is
# what they give as written, or nearer to the truth, which then is said.
z, q = gc.input("z", (n,)), gc.input("q")
t = gc.exp(z)
e = gc.input("e", (3, 3))
e33 = gc.exp(e)
i8, i32 = gc.input("i", (n,), "int8"), gc.input("i", (n,), "int32")
u8, i64 = gc.input("b", (n,), "uint8"), gc.input("l", (n,), "int64")
u32 = gc.input("d", (n,), "uint32")
tens = gc.input("i", (n,), "int8", between=(0, 100))
u, v, h = gc.input("u", (n,)), gc.input("v", (n,)), gc.input("h", (n,), "float32")
known = gc.input("u", (n,), between=(0, 1))
minus, low = gc.input("f", between=(-3, -1)), gc.input("low", between=(-1, -0.25))
above, far = gc.input("p", (n,), positive=True), {"dtype": "float32", "between": (1e-30, 1e30)}
none = gc.input("none", (2, 0))
warm = gc.input("h", (n,), "float32", between=(0, 100))
s32, t32 = gc.input("s", **far), gc.input("t", **far)
large, small = {"s": np.float32(1e30), "t": np.float32(1e30)}, np.float32([1e-30])
third = gc.sum(gc.exp(p[None]) / (1 + gc.exp(p[None])))
for _ in range(3):
    third = gc.grad(gc.sum(third), p)
FAR = np.array([40.0, 100.0, 178.0, 250.0, 345.0])
SIMPLIFIED = {
    "the slope of a tanh by exponentials": (
        gc.grad(gc.sum((gc.exp(2 * z) - 1) / (gc.exp(2 * z) + 1)), z), {"z": FAR},
        4 * np.exp(-2 * FAR),
    ),
    "the third slope of one beside an axis of size 1": (
        third, {"p": [1.8, -3.3]}, [0.0328211465667112086, 0.0272445194471001135],
    ),
    "the slope of a sigmoid by exponentials": (
        gc.grad(gc.sum(t / (1 + t)), z), {"z": 2 * FAR}, np.exp(-2 * FAR),
    ),
    "its mirror": (gc.grad(gc.sum((1 - t) / (1 + t)), z), {"z": 2 * FAR}, -2 * np.exp(-2 * FAR)),
    "shares along the wrong axis": (
        gc.relu(1 - e33 / gc.sum(e33, axis=1)), {"e": [[0, 0, 0], [5, 5, 5], [0, 0, 0]]}, None,
    ),
    "the square of an integer that wraps": (gc.abs(i32 * i32), {"i": np.int32([50_000])}, None),
    "labels that wrap": (gc.sum(gc.one_hot(i8 * i8, 10), axis=1), {"i": np.int8([15])}, None),
    "labels in range that wrap": (
        gc.sum(gc.one_hot(tens + tens, 201), axis=1), {"i": np.int8([100, 3])}, None,
    ),
    "negatives that wrap beside floats": (
        [z + -i8, z - -u8, -u8 / z, z * -u8, -u8 / -i8, z + -u8 * z, 3.0 / -u8, -u8 - z],
        {"z": [1.5, -2.0], "i": np.int8([-128, 3]), "b": np.uint8([5, 255])}, None,
    ),
    "negatives that wrap beside wider ones": (
        [i64 + -i8, i64 - -u8, -u8 * -i64],
        {"l": [1, -2], "i": np.int8([-128, 3]), "b": np.uint8([5, 255])}, None,
    ),
    "functions of unsigned integers": (
        [1 - gc.sigmoid(u32), 1 / (1 + gc.exp(u32)), gc.log(gc.sigmoid(u32)), gc.cosh(u32) / 2,
         gc.exp(u32) / gc.sum(gc.exp(u32)), gc.log(gc.sum(gc.exp(u32))) + z, gc.log(1 / u32)],
        {"z": [1.0, 1.0], "d": np.uint32([1, 3])}, None,
    ),
    "a choice from a sum with a row": (
        gc.take_along_axis(w + w[0], k[:, None]), {"w": np.eye(2, 3), "k": [1, 2]}, None,
    ),
    "an exponential beside one that overflows": (
        [gc.tanh(t), gc.log2(gc.exp(-z)), gc.exp(-z) * 1e300], {"z": [720.0]}, None,
    ),
    "the same in single precision": (
        [gc.tanh(gc.exp(h)), gc.log2(gc.exp(-h))], {"h": np.float32([90.0])}, None,
    ),
    "small factors in single precision": (s32 * (t32 * h), large | {"h": small}, None),
    "small divisors in single precision": (h / t32 / s32, large | {"h": 1 / small}, None),
    "slopes in single precision beside what overflows": (
        [gc.grad(gc.sum(1 / h), h), gc.grad(gc.sum(gc.grad(gc.sum(gc.log(h)), h)), h)],
        {"h": np.float32([1e20])}, None,
    ),
    # What was rounded in a mean is taken off where deviations are less their own mean.
    "the slopes of what is far from 0 through its mean": (
        [gc.grad(gc.var(z), z), gc.grad(gc.var(z) + gc.sum(gc.abs(z - gc.mean(z))), z)],
        {"z": 1e6 + np.array([0.25, 1.0, 3.5])}, None,
    ),
    "two roots of a tiny number": (
        (u / gc.sqrt(above)) * (1e-3 / gc.sqrt(above)), {"u": [1e10], "p": [1e-300]}, None,
    ),
    "numbers that cancel far apart": (
        1024.0 * ((z * (u / 1024)) / v), {"z": [1e300], "u": [1e9], "v": [1e10]}, None,
    ),
    "their mirror": (
        (z * (u * 1024.0)) / v / 1024, {"z": [1e-160], "u": [3e-162], "v": [1e-300]}, None,
    ),
    "a number that is stretched": (
        gc.vdot(gc.broadcast_to(gc.constant(1e-10), (n,)), z), {"z": [1e308, 1e308]}, None,
    ),
    "shares of nothing": (
        gc.sum(none / gc.sum(none, axis=1, keepdims=True), axis=1), {"none": np.ones((2, 0))}, None,
    ),
    "a softmax of nothing": (
        gc.exp(none) / gc.sum(gc.exp(none), axis=1, keepdims=True), {"none": np.ones((2, 0))}, None,
    ),
    "the logarithm of nothing": (
        gc.exp(gc.log(gc.sum(gc.exp(none), axis=1))), {"none": np.ones((2, 0))}, None,
    ),
    "numbers whose sum overflows": ((z + 1.7e308) + 1.7e308, {"z": [-1.7e308]}, None),
    "the same in single": ((h + 3e38) + 3e38, {"h": np.float32([-3e38])}, None),
    "functions of more than any float, as exp(exp(700))": (
        [gc.tanh(gc.exp(t) / gc.exp(u)), (gc.exp(t) / gc.exp(u)) ** (gc.exp(t) / gc.exp(u))],
        {"z": [0.5], "u": [1.0]}, None,
    ),
    "a bound beyond single precision": (
        [gc.minimum(gc.exp(warm) * 1e-30, 1e15), gc.clip(gc.exp(warm) * 1e-30, 0, 1e15)],
        {"h": np.float32([1.0, 95.0])}, None,
    ),
    # Of what is known of one region the other, with a node in the place of a 1, has no use.
    "one over one over a value, over one over it": (
        [1 / (1 / gc.softplus(-z)), 1 / (1 / gc.softplus(-z)) / (1 / gc.softplus(-z))],
        {"z": [-1.0]}, None,
    ),
    "the sign of the square of a root": (gc.atan(1 / gc.sqrt(known) ** 2), {"u": [-0.0]}, None),
    "the sign of a difference with a negative factor": (
        gc.atan(1 / (minus * z + minus * u)), {"f": -2.0, "z": [1.0], "u": [-1.0]}, None,
    ),
    "the sign of the log of odds": (
        gc.atan(1 / gc.log(gc.sigmoid(z) / (1 - gc.sigmoid(z)))), {"z": [-0.0]}, None,
    ),
    "the sign of a share of expm1": (
        gc.atan(1 / (z / gc.expm1(low) * gc.exp(low))), {"z": [0.0], "low": -0.5}, None,
    ),
    "the sign of a logarithm": (gc.atan(1 / gc.log(gc.exp(z))), {"z": [-0.0]}, None),
    "sums of choices among a truth value, a small integer, a single and a double": (
        [gc.where(z > 0, k, 2.5) + gc.where(z > 0, k, gc.constant(1.5)) for k in (z > 1, i8, h)],
        {"z": [2.0, -2.0], "i": np.int8([100, 3]), "h": np.float32([3e38, 1])}, None,
    ),
    "choices below choices among these": (
        [*(gc.where(z > 0, k * gc.where(z > 0, k, z), z) for k in (z > 1, i8, h)),
         gc.where(z > 0, -gc.where(z > 0, i8, z), z)],
        {"z": [2.0, -2.0], "i": np.int8([-128, 3]), "h": np.float32([3e38, 1])}, None,
    ),
    "choices of sums of these beside those of their terms": (
        [v for k in (z > 1, i8, h) for a in (gc.where(z > 0, k, gc.constant(0.0)),)
         for v in (a * z, gc.where(z > 0, k + k, gc.constant(0.0)))],
        {"z": [2.0, -2.0], "i": np.int8([100, 3]), "h": np.float32([1e38, 1])}, None,
    ),
    "a matrix whose diagonal alone is asked for its length": (
        gc.where(gc.einsum("ii,ii->", e, e) != 0, 2 * q * e, 0.0),
        {"q": 1.0, "e": [[0.0, np.inf, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]}, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", SIMPLIFIED.values(), ids=SIMPLIFIED.keys())
def test_a_program_that_was_simplified_too_far_is_right(row: Any) -> None:
    """Where the program as written gives a number, so does the simplified one, and no worse."""
    built, values, truth = row
    written = gc.compile(built, simplify=False)(**values)
    expected = written if truth is None else truth
    assert np.all(np.isfinite(written))
    np.testing.assert_allclose(gc.compile(built)(**values), expected, rtol=1e-13)


s0 = gc.sum(gc.square(z))
SIGNS = {
    "the root of nothing": (gc.where(gc.equal(s0, 0), -0.0, gc.sqrt(s0)), {"z": [0.0]}),
    "a choice of -0": (u * gc.relu(z) * gc.where(z > 0, 1.0, -0.0), {"u": [2.0], "z": [-1.0]}),
    "floats beyond a small integer": (
        gc.astype(gc.astype(u32, "float64"), "int8") * z,
        {"d": np.uint32([2**32 - 1]), "z": [1.0]},
    ),
    "negatives that wrap": (-u8 * z, {"b": np.uint8([5]), "z": [0.0]}),
}


@pytest.mark.parametrize("row", SIGNS.values(), ids=SIGNS.keys())
def test_what_was_not_as_written_in_the_strict_mode_is(row: Any) -> None:
    """The same numbers, and the same zeros."""
    built, values = row
    written, strict = (gc.compile(built, simplify=mode)(**values) for mode in (False, "strict"))
    np.testing.assert_array_equal(written, strict)
    np.testing.assert_array_equal(np.signbit(written), np.signbit(strict))


wraps = -gc.astype(gc.constant([-128, 3]), "int8")  # -128 and -3
SLOPES = {
    "times": (p * wraps, [-128.0, -3.0]),
    "over": (p / wraps, [-1 / 128, -1 / 3]),
    "a power": (p ** gc.astype(gc.constant([-128, 3]), "int8"), [128.0, 3.0]),
    "the base": (gc.astype(gc.constant([100, 3]), "int8") ** p, [np.log(100) / 100, np.log(3) / 3]),
    "an angle": (gc.atan2(p, wraps), [-128 / (1 + 128**2), -3 / (1 + 3**2)]),
}


@pytest.mark.parametrize("row", SLOPES.values(), ids=SLOPES.keys())
def test_a_slope_beside_integers_that_wrap_is_right(row: Any) -> None:
    """A derivative computes with numbers, and with none that wrapped around on the way."""
    value, expected = row
    slope = gc.grad(gc.sum(value), p)
    for mode in (False, "strict", True):
        found = gc.compile(slope, simplify=mode, inputs=[p])([-1.0, -1.0])
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_the_two_zeros_are_two_margins() -> None:
    """0.0 == -0.0, but a margin of one is not a margin of the other."""
    positive, negative = gc.pad(p, 1, 0.0), gc.pad(p, 1, -0.0)
    at = {p: [1.0, 2.0]}
    assert [False] * 4 == np.signbit(gc.evaluate(positive, at)).tolist()
    assert [True, False, False, True] == np.signbit(gc.evaluate(negative, at)).tolist()


def test_a_margin_that_does_not_fit_is_refused() -> None:
    """Half of one is no integer: it was 0 in silence."""
    with pytest.raises(gc.DTypeError, match="0.5 does not fit in int64"):
        gc.pad(k, 1, 0.5)


@pytest.mark.parametrize("bound", [n - 5, 5 - n])
def test_a_bound_of_unknown_sign_is_refused(bound: Any) -> None:
    """Python counts a negative bound from the end: the declared shape would not be the real one."""
    with pytest.raises(gc.IndexingError, match="may come out negative"):
        x[:bound]


def test_a_bound_that_may_come_out_0_says_how_to_count_from_the_end() -> None:
    """Its cure was sympy.Max(0, -floor(n/2)): nothing but 0."""
    with pytest.raises(gc.IndexingError, match=r"of an axis of size k say k - \(floor\(n/2\)\)"):
        x[-(n // 2) :]


@pytest.mark.parametrize("index", [n, n + 3, -n - 1])
def test_an_index_that_is_out_of_range_for_every_size_is_refused(index: Any) -> None:
    """x[n] fails whatever n is: that is known when it is written."""
    with pytest.raises(gc.IndexingError, match="out of range"):
        x[index]


def test_a_broadcast_output_can_be_written() -> None:
    """What NumPy broadcasts is read-only even where nothing repeats; outputs are fresh arrays."""
    out = gc.compile(gc.broadcast_to(x + 1, (1, n)))(PLACES["x"])
    out[0, 0] = 7.0
    assert [7.0, 3.0, 4.0] == out[0].tolist()


def test_what_a_gradient_built_first_is_the_users_when_written() -> None:
    """The same node: from the line that writes it on, it has that line and that name."""
    t = gc.tanh(p)
    slope = gc.grad(gc.sum(t), p)
    u = 1 - gc.square(t)
    assert u is slope
    assert "u" == u.label
    assert "u = " in gc.compile(u).source


def test_constants_are_not_kept_when_a_program_is_dropped() -> None:
    """Texts are cached, and the text of a constant is as long as its bytes."""
    from graphc.evaluate import code
    from graphc.plan.program.texts import _template

    z = gc.input("z", (1000,))
    before = code.cache_info().currsize, _template.cache_info().currsize
    for seed in range(3):
        scaled = gc.sum(z * gc.constant(np.random.default_rng(seed).normal(size=1000)))
        gc.compile(scaled)(np.ones(1000))
        gc.evaluate(scaled, {z: np.ones(1000)})
    after = code.cache_info().currsize, _template.cache_info().currsize
    assert all(now - then <= 2 for now, then in zip(after, before, strict=True))


def test_an_error_inside_numpy_shows_the_line_of_the_program() -> None:
    """A traceback through a program shows its text while the function lives."""
    import linecache
    import traceback

    f = gc.compile(gc.take(p, gc.input("i", (), dtype="int64")), name="picks")
    with pytest.raises(IndexError) as caught:
        f([1.0, 2.0], 7)
    assert "np.take(p, i, axis=0)" in "".join(traceback.format_exception(caught.value))
    files = [file for file in linecache.cache if "picks" in file]
    assert 1 == len(files)
    del f, caught
    assert not [file for file in linecache.cache if "picks" in file]
