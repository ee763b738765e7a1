"""Exponentials: what overflows as people write it is right far out, with its slopes.

Each formula is held against what it is of exponents less the largest, or against 60 digits.
"""

import mpmath
import numpy as np
import pytest

import graphc as gc
from graphc.ir import Graph
from graphc.passes import exponents, run

x, y, p = gc.input("x", ("k",)), gc.input("y", ("k",)), gc.input("p", ("k",), positive=True)
s, t, v = gc.input("s"), gc.input("t"), gc.input("v", ("n",))
Z, G = gc.input("Z", ("m", 5)), gc.input("g", ("m", 5))
E = gc.exp(Z)


# What people write, and its derivative, by sigmoid(x) and sigmoid(-x).
SLOPES = {
    "softplus": (gc.log(1 + gc.exp(x)), lambda x, p, q: p),
    "log-sigmoid by exp(-x)": (gc.log(1 / (1 + gc.exp(-x))), lambda x, p, q: q),
    "log-sigmoid by exp(x)": (gc.log(gc.exp(x) / (1 + gc.exp(x))), lambda x, p, q: q),
    "log of the rest": (-gc.log(1 - 1 / (1 + gc.exp(-x))), lambda x, p, q: p),
    "the same by exp(x)": (-gc.log(1 - gc.exp(x) / (1 + gc.exp(x))), lambda x, p, q: p),
    "logistic loss": (gc.log(1 + gc.exp(-3.0 * x)), None),
    "swish": (x / (1 + gc.exp(-x)), lambda x, p, q: x * p * q + p),
    "square": ((1 / (1 + gc.exp(-x))) ** 2, lambda x, p, q: 2 * p * p * q),
}


@pytest.mark.parametrize("name", SLOPES)
def test_a_slope_is_as_stable_as_what_it_is_of(name):
    """exp(x) overflows at 710, and 1 - sigmoid(x) is 0 from 37 on: the derivatives are numbers."""
    before, truth = SLOPES[name]
    at = np.array([-1000.0, -50.0, -3.0, 0.0, 3.0, 40.0, 1000.0])
    with np.errstate(all="ignore"):
        low = np.exp(-np.abs(at))
        p, q = np.where(at < 0, low, 1) / (1 + low), np.where(at < 0, 1, low) / (1 + low)
        wanted = truth(at, p, q) if truth else -3 / (1 + np.exp(3.0 * at))
    slope = gc.grad(gc.sum(before), x)
    for outputs in ([slope], [slope, before], [slope, gc.sum(before)]):
        result = run(Graph(outputs), True)[0].outputs[0]
        np.testing.assert_allclose(gc.evaluate(result, {x: at}), wanted, rtol=1e-13, atol=1e-300)


def softmax(z):
    weights = np.exp(z - z.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


SHARES = {
    "softmax of one row": (gc.exp(v) / gc.sum(gc.exp(v)), softmax),
    "its log": (gc.log(gc.exp(v) / gc.sum(gc.exp(v))), lambda z: np.log(softmax(z))),
    "softmax by None": (E / gc.sum(E, axis=1)[:, None], softmax),
    "softmax by .T": ((E.T / gc.sum(E, axis=1)).T, softmax),
    "gradient of logsumexp": (gc.grad(gc.log(gc.sum(gc.exp(v))), v), softmax),
    "gradient of logs, rows": (
        gc.grad(-gc.sum(gc.log(E / gc.sum(E, axis=1, keepdims=True))), Z),
        lambda z: 5 * softmax(z) - 1,
    ),
    "gradient of logs": (
        gc.grad(-gc.sum(gc.log(gc.exp(v) / gc.sum(gc.exp(v)))), v),
        lambda z: 5 * softmax(z) - 1,
    ),
    "softmax by its mean": (
        gc.exp(v) / gc.mean(gc.exp(v)),
        lambda z: z.shape[-1] * softmax(z),
    ),
    "softmax by a power": (E * gc.sum(E, axis=1, keepdims=True) ** -1, softmax),
    "log of mean": (
        gc.log(gc.mean(gc.exp(v))),
        lambda z: np.log(np.mean(np.exp(z - z.max()))) + z.max(),
    ),
}


@pytest.mark.parametrize("name", SHARES)
@pytest.mark.parametrize("row", [[1e3, 1e3, 999, 998, 997], [-1e3, -1e3, -999, -998, -997]])
def test_shares_of_a_whole_that_overflows(name, row):
    """Far from 0 the naive spelling is NaN or infinite; what it becomes is right."""
    before, truth = SHARES[name]
    given = np.tile(np.array(row, float), (3, 1)) if Z in Graph([before]).nodes else np.array(row)
    values = dict.fromkeys(Graph([before]).parameters, given)
    with np.errstate(all="ignore"):
        was = gc.evaluate(before, values)
    assert not np.any(np.isfinite(was))
    now = gc.evaluate(run(Graph([before]), True)[0].outputs[0], values)
    np.testing.assert_allclose(now, truth(given), rtol=1e-14)


tops = gc.max(Z, axis=1)
lower = Z - gc.max(Z, axis=1, keepdims=True)
weights, weight = gc.exp(lower), gc.exp(v - gc.max(v))
# What careful people write: the softmax, its log, the log of the sum.
BY_HAND = {
    "softmax": (weights / gc.sum(weights, axis=1, keepdims=True), softmax),
    "softmax of one row": (weight / gc.sum(weight), softmax),
    "log of softmax": (
        gc.log(weights / gc.sum(weights, axis=1)[:, None]),
        lambda z: np.log(softmax(z)),
    ),
    "log-softmax": (
        lower - gc.log(gc.sum(weights, axis=1, keepdims=True)),
        lambda z: np.log(softmax(z)),
    ),
    "logsumexp": (
        tops + gc.log(gc.sum(gc.exp(Z - tops[:, None]), axis=1)),
        lambda z: z[:, 0] - np.log(softmax(z)[:, 0]),
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_what_is_less_the_largest_by_hand_is_not_shifted_again(name):
    """It cannot overflow: the largest of each row is 0, and was looked for and taken off again."""
    before, truth = BY_HAND[name]
    given = np.array([1e3, 1e3, 999, 998, 997])
    given = np.tile(given, (3, 1)) if Z in Graph([before]).nodes else given
    after = run(Graph([before]), True)[0]
    assert after.count()["max"] == 1
    now = gc.evaluate(after.outputs[0], dict.fromkeys(after.parameters, given))
    np.testing.assert_allclose(now, truth(given), rtol=1e-14)


of_columns, of_all = gc.max(Z, axis=0), gc.max(v)
LOG_SUMS = {
    "rows": (BY_HAND["logsumexp"][0], Z, softmax),
    "columns": (
        of_columns + gc.log(gc.sum(gc.exp(Z - of_columns), axis=0)),
        Z,
        lambda z: softmax(z.T).T,
    ),
    "one row": (of_all + gc.log(gc.sum(gc.exp(v - of_all))), v, softmax),
}


@pytest.mark.parametrize("name", LOG_SUMS)
def test_the_gradient_of_a_log_sum_by_hand_is_the_softmax(name):
    """What goes through the largest is 0, however the sum keeps its axes: it was computed."""
    value, wrt, truth = LOG_SUMS[name]
    after = run(Graph([value, gc.grad(gc.sum(value), wrt)]), True)[0]
    count = after.count()
    assert (1, 1, 1, 0) == tuple(count.get(k, 0) for k in ("max", "exp", "sum", "where"))
    given = np.random.default_rng(0).normal(size=(4, 5)[-wrt.ndim :])
    slope = gc.evaluate(after.outputs[1], {wrt: given})
    np.testing.assert_allclose(slope, truth(given), rtol=1e-14)


def test_rows_that_are_less_the_largest_of_all_are_numbers():
    """The weights of a row that lies far below another are all 0, and so was their sum."""
    rows = np.array([[0.0, 1, 2, 3, 4], [2000, 2001, 2002, 2003, 2004]])
    below = gc.exp(Z - gc.max(Z))
    share = run(Graph([below / gc.sum(below, axis=1, keepdims=True)]), True)[0].outputs[0]
    np.testing.assert_allclose(gc.evaluate(share, {Z: rows}), softmax(rows), rtol=1e-14)


ex, ey, ep = gc.exp(x), gc.exp(y), gc.exp(p)
# Sums of exponentials that are written out: with x first, y second and p third of three terms.
WRITTEN_OUT = {
    "log of two": (gc.log(ex + ey), 2),
    "log of three": (gc.log(ex + ey + ep), 3),
    "log of three otherwise": (gc.log(ep + (ex + ey)), 3),
    "log of one more": (gc.log(1 + ex + ey), 1),
    "log of mean": (gc.log((ex + ey + ep) / 3), 3),
    "log of share": (gc.log(ex / (ex + ey + ep)), 3),
    "share": (ex / (ex + ey + ep), 3),
    "share of two": (ex / (ex + ey), 2),
    "share with one more": (ex / (1 + ex + ey), 1),
}


def written_out(name, at):
    """What the value and its slope by x are, by shares that cannot overflow."""
    rows = {1: [at[x], at[y], 0 * at[x]], 2: [at[x], at[y]], 3: [at[x], at[y], at[p]]}
    rows = np.array(rows[WRITTEN_OUT[name][1]])
    share = softmax(rows.T).T[0]
    total = rows.max(axis=0) + np.log(np.sum(np.exp(rows - rows.max(axis=0)), axis=0))
    if name.startswith("share"):
        return share, share * (1 - share)
    if name == "log of share":
        return at[x] - total, 1 - share
    return total - np.log(3) * (name == "log of mean"), share


@pytest.mark.parametrize("scale", [1.0, 1000.0, -1000.0])
@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_exponentials_that_are_written_out_do_not_overflow(name, scale):
    """Their log, a share of them and its slope, also where each exponential is 0 or infinite."""
    at = {x: scale + np.array([0.0, 2.0, -1.5]), y: scale + np.array([1.0, -2.0, 0.5])}
    at[p] = scale + np.array([0.25, 0.5, 0.75])
    before = WRITTEN_OUT[name][0]
    slope = gc.grad(gc.sum(before), x)
    graph, _ = run(Graph([before, slope], [x, y, p]), True)
    with np.errstate(all="ignore"):
        found = gc.evaluate(list(graph.outputs), at)
    for got, want in zip(found, written_out(name, at), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_exponentials_that_are_written_out_are_as_good_as_before(name):
    """Where all is ordinary, weighted or not; what vanished or overflowed alone still does."""
    rng = np.random.default_rng(0)
    at = {x: rng.normal(size=200) * 5, y: rng.normal(size=200) * 5, p: rng.uniform(0, 5, 200)}
    at[x][:3], at[y][:3] = (-np.inf, 3.0, -np.inf), (1.0, -np.inf, -np.inf)
    before = WRITTEN_OUT[name][0] * y
    slopes = gc.grad(gc.sum(before), [x, y])
    written = [before, *slopes]
    graph, _ = run(Graph(written, [x, y, p]), True)
    sides = gc.evaluate(written, at), gc.evaluate(list(graph.outputs), at)
    for was, now in zip(*sides, strict=True):
        finite = np.isfinite(was)
        assert finite.sum() >= 190
        np.testing.assert_allclose(now[finite], was[finite], rtol=1e-12, atol=1e-14)


def rows_of(*terms):
    """Exponents as rows, beside the weights of their exponentials."""
    exponents = np.array([e for e, _ in terms])
    return exponents, np.array([np.full(exponents.shape[1:], float(w)) for _, w in terms])


def log_of(*terms):
    exponents, weights = rows_of(*terms)
    top = exponents.max(axis=0)
    return np.log(np.sum(weights * np.exp(exponents - top), axis=0)) + top


def share_of(above, *terms):
    exponents, weights = rows_of(*terms)
    top = exponents.max(axis=0)
    parts = weights * np.exp(exponents - top)
    return sum(parts[k] for k in above) / parts.sum(axis=0)


two = gc.stack([ex, ey])
mask = gc.astype(y > 0, "float64")
# Sums of exponentials as people write them: what each is of numbers a, b and c for x, y and p.
SPELLED = {
    "stack": (gc.log(gc.sum(two, axis=0)), lambda a, b, c: log_of((a, 1), (b, 1))),
    "stack of three": (
        gc.log(gc.sum(gc.stack([ex, ey, ep], axis=1), axis=1)),
        lambda a, b, c: log_of((a, 1), (b, 1), (c, 1)),
    ),
    "concat": (
        gc.log(gc.sum(gc.concat([ex[:, None], ey[:, None]], axis=1), axis=1, keepdims=True))[:, 0],
        lambda a, b, c: log_of((a, 1), (b, 1)),
    ),
    "with a number": (
        gc.log(gc.sum(two, axis=0) + 1),
        lambda a, b, c: log_of((a, 1), (b, 1), (0 * a, 1)),
    ),
    "weights": (gc.log(1 + 2 * ex + 3 * ey), lambda a, b, c: log_of((a, 2), (b, 3), (0 * a, 1))),
    "weight of one": (gc.log(1 + 2 * ex), lambda a, b, c: log_of((a, 2), (0 * a, 1))),
    "mixture": (gc.log(0.25 * ex + 0.75 * ey), lambda a, b, c: log_of((a, 0.25), (b, 0.75))),
    "log of a quotient": (
        gc.log((ex + 2 * ey) / (3 * ex + ey)),
        lambda a, b, c: log_of((a, 1), (b, 2)) - log_of((a, 3), (b, 1)),
    ),
    "share with weights": (
        2 * ex / (2 * ex + ey + 3),
        lambda a, b, c: share_of([0], (a, 2), (b, 1), (0 * a, 3)),
    ),
    "shares together": (
        (ex + ey) / (1 + ex + ey),
        lambda a, b, c: share_of([0, 1], (a, 1), (b, 1), (0 * a, 1)),
    ),
    "mean by weights": (
        (2 * ex + 5 * ey) / (ex + ey),
        lambda a, b, c: 5 - 3 * share_of([0], (a, 1), (b, 1)),
    ),
    "the rest": (1 / (1 + ex + ey), lambda a, b, c: share_of([2], (a, 1), (b, 1), (0 * a, 1))),
    "masked": (
        ex / (ex + gc.where(y > 0, ep, 0.0)),
        lambda a, b, c: np.where(b > 0, share_of([0], (a, 1), (c, 1)), 1.0),
    ),
    "mask as a factor": (
        ex / (ex + mask * ep),
        lambda a, b, c: np.where(b > 0, share_of([0], (a, 1), (c, 1)), 1.0),
    ),
}


@pytest.mark.parametrize("scale", [1.0, 1000.0, -1000.0])
@pytest.mark.parametrize("name", SPELLED)
def test_sums_of_exponentials_as_people_spell_them(name, scale):
    """Value and slope; the slope is held against differences of the true values."""
    before, truth = SPELLED[name]
    at = {x: scale + np.array([0.0, 2.0, -1.5]), y: scale + np.array([1.0, -2.0, 0.5])}
    at[p] = np.abs(scale + np.array([0.25, 0.5, 0.75]))
    for outputs in ([before], [before, gc.grad(gc.sum(before), x)]):
        graph, _ = run(Graph(outputs, [x, y, p]), True)
        with np.errstate(all="ignore"):
            found = gc.evaluate(list(graph.outputs), at)
            wanted = truth(*at.values())
            np.testing.assert_allclose(found[0], wanted, rtol=1e-12, atol=1e-15)
    step = 1e-3
    with np.errstate(all="ignore"):
        near = [truth(at[x] + k * step, at[y], at[p]) for k in (-2, -1, 1, 2)]
    slope = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * step)
    np.testing.assert_allclose(found[1], slope, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1000.0, -1000.0])
@pytest.mark.parametrize("spelling", [lambda e, w: gc.sum(w * e, axis=1), lambda e, w: e @ w])
def test_the_slope_by_the_weights_of_exponentials_is_finite(spelling, scale):
    """A mixture's: what cancels lies along the axis that is summed, here over three rows."""
    t, w = gc.input("t", ("n", 2)), gc.input("w", (2,))
    slopes = gc.grad(gc.sum(gc.log(spelling(gc.exp(t), w))), [t, w])
    at = {t: scale + np.array([[0.0, 1.0], [-2.0, 3.0], [0.5, 0.25]]), w: np.array([0.25, 0.75])}
    parts = np.exp(at[t] - at[t].max(axis=1, keepdims=True))
    shares = parts / (parts @ at[w])[:, None]
    graph, _ = run(Graph(slopes, [t, w]), True)
    found = gc.evaluate(list(graph.outputs), at)
    for got, want in zip(found, (shares * at[w], sum(shares)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


# What is finite as written, beside sums whose exponentials go less the largest.
BESIDE = {
    "the square of a quotient": ((ex / (2 + ey)) ** 2, (600.0, 500.0, 0.0)),
    "a product with another": (ex * ey / (ex + ep), (-100.0, 600.0, 700.0)),
    "quotients of a huge number": (
        p / (1 + ex + ey) / (1 + ex + ey) * (1 / (1 + ex + ey)), (0.0, 400.0, 1e300),
    ),
    "a sigmoid of what nothing cancels": (
        gc.expm1(y) ** 2 * (p * (1 - ey) * gc.sigmoid(-y)), (0.0, 300.0, 2.0),
    ),
    "the square of a share beside its exponential": (
        y * (1 + ey) + p / ((1 + gc.exp(-y)) * gc.sigmoid(y)) ** 2, (0.0, -600.0, 0.7),
    ),
    "a large factor that nothing cancels": (
        gc.log(gc.softplus(y)) * (gc.cosh(y) + 2) / (2 + gc.exp(-y)), (0.0, -695.0, 1.0),
    ),
    "a cosh that overflows beside another": (
        (1 - gc.sigmoid(y)) * (1 - ey) / (1 + gc.exp(-y) + gc.cosh(y)), (0.0, -800.0, 1.0),
    ),
    "a cosh beside shares": (
        y + gc.grad(gc.sum(gc.log(gc.sigmoid(y) / (1 + ey) * (gc.cosh(y) / gc.sigmoid(-y)))), y),
        (0.0, -695.0, 1.0),
    ),
    "shares and what they are short of 1": (
        ((1 - gc.sigmoid(y)) / (gc.sigmoid(y) * gc.cosh(y))
         - (1 - gc.sigmoid(y)) / ((1 + gc.exp(-y)) * gc.sigmoid(-y)))
        * (1 + gc.exp(-y) - gc.sinh(y)) / (1 + ey),
        (0.0, -300.0, 1.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_what_stands_beside_sums_of_exponentials_stays_finite(name):
    """It is not multiplied by what is larger than as written, nor by what is 0 only then."""
    before, values = BESIDE[name]
    at = {v: np.array([value]) for v, value in zip((x, y, p), values, strict=True)}
    written = [before, gc.grad(gc.sum(before), y)]
    graph, _ = run(Graph(written, [x, y, p]), True)
    for was, now in zip(
        gc.evaluate(written, at), gc.evaluate(list(graph.outputs), at), strict=True
    ):
        assert np.isfinite(now[np.isfinite(was)]).all()
        seen = np.isfinite(was) & (was != 0)
        np.testing.assert_allclose(now[seen], was[seen], rtol=1e-12, atol=0)


def mish(x, exp):
    return x * ((1 + exp(x)) ** 2 - 1) / ((1 + exp(x)) ** 2 + 1)


# Functions of one number, spelled by an exp, a log, a cosh and a sinh that may overflow.
NAMED = {
    "softplus": lambda x, m: m.log(1 + m.exp(x)),
    "share": lambda x, m: m.exp(x) / (1 + m.exp(x)),
    "share of a weight": lambda x, m: 3 * (m.exp(x) / (1 + m.exp(x))),
    "logistic density": lambda x, m: m.exp(-x) / (1 + m.exp(-x)) ** 2,
    "silu": lambda x, m: x / (1 + m.exp(-x)),
    "mish": lambda x, m: mish(x, m.exp),
    "log of a power": lambda x, m: m.log((1 / (1 + m.exp(-x))) ** 3),
    "tanh": lambda x, m: m.sinh(x) / m.cosh(x),
    "coth": lambda x, m: m.cosh(x) / m.sinh(x),
    "sech": lambda x, m: 1 / m.cosh(x),
    "sech squared": lambda x, m: 1 / m.cosh(x) ** 2,
    "log cosh": lambda x, m: m.log(m.cosh(x)),
    "one over a sum with a cosh": lambda x, m: 1 / (1 + m.cosh(x)),
    "share of a cosh": lambda x, m: m.cosh(x) / (m.cosh(x) + m.exp(-x)),
    "a cosh beside a share": lambda x, m: m.exp(x) / (1 + m.exp(x) + m.cosh(x)),
}


@pytest.mark.parametrize("name", NAMED)
def test_what_has_a_name_has_derivatives_far_out(name):
    """Value, slope and the slope's slope where the exponential vanishes or overflows."""
    value = NAMED[name](x, gc)
    slope = gc.grad(gc.sum(value), x)
    graph, _ = run(Graph([value, slope, gc.grad(gc.sum(slope), x)]), True)
    at = [-1000.0, -30.0, -1.5, 0.25, 20.0, 1000.0]
    found = gc.evaluate(list(graph.outputs), {x: np.array(at)})
    with mpmath.workdps(60):
        for order, got in enumerate(found):
            exact = [mpmath.diff(lambda t: NAMED[name](t, mpmath), t, order) for t in at]
            np.testing.assert_allclose(got, np.array(exact, float), rtol=1e-9, atol=1e-12)


def test_beside_other_exponentials_a_cosh_is_one():
    value = gc.log(gc.cosh(x) + 2 * gc.exp(y))
    graph, _ = run(Graph([value, *gc.grad(gc.sum(value), [x, y])]), True)
    at = {x: np.array([1.0, 300.0]), y: np.array([1000.0, 1.0])}
    found = gc.evaluate(list(graph.outputs), at)
    np.testing.assert_allclose(found[0], [1000 + np.log(2), 300 - np.log(2)], rtol=1e-15)
    np.testing.assert_allclose(found[1:], [[0, 1], [1, 0]], atol=1e-100)


# Gradients of what is computed from a softmax whose shares vanish.
FROM_SHARES = {
    "root": lambda p: gc.sqrt(p),
    "divergence as a ratio": lambda p: p * gc.log(p / gc.softmax(G)),
}


@pytest.mark.parametrize("name", FROM_SHARES)
def test_shares_that_vanish_have_slopes(name):
    """The slope divides by them and multiplies by them: as written that is 0 * inf."""
    value = gc.sum(FROM_SHARES[name](gc.softmax(Z)) * gc.constant(np.arange(1.0, 6.0)))
    graph, _ = run(Graph([gc.grad(value, Z)]), True)
    given = np.array([[0.5, 1.0, 0.0, -1.0, 0.25]])
    far, near = np.append(given, [[1000.0, 0, 0, 0, -1000]], 0), np.append(given, given, 0)
    first, second = (
        gc.evaluate(graph.outputs[0], {Z: z, G: near} if G in graph.parameters else {Z: z})
        for z in (far, near)
    )
    np.testing.assert_allclose(first[0], second[0], rtol=1e-13)
    np.testing.assert_allclose(first[1], 0, atol=1e-200)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_exponentials_that_a_mask_leaves_out_may_be_any(dtype):
    """The largest float's log may round up: its exponential is no number, and 0 times that."""
    z, keep = gc.input("z", (3,), dtype), gc.input("keep", (3,), "bool")
    kept = gc.exp(z) * gc.astype(keep, dtype)
    share = gc.sum(kept / gc.sum(kept) * gc.constant(np.arange(3, dtype=dtype)))
    graph, _ = run(Graph([share, gc.grad(share, z)]), True)
    at = {z: np.array([1, 2, 3000], dtype), keep: np.array([True, True, False])}
    value, slope = gc.evaluate(list(graph.outputs), at)
    s = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(value, s, rtol=1e-6)
    np.testing.assert_allclose(slope, [-s * (1 - s), s * (1 - s), 0], rtol=1e-5)


def test_exponentials_go_less_the_largest_once():
    """What that leaves is known again, and what only then is a log of a product is looked at."""
    by_rows = gc.sum(gc.broadcast_to(gc.exp(s), (3, 4)), axis=0, keepdims=True)
    for before in (
        ex / (ex + 2 * ey + ep), 3 / (gc.exp(x - y) + 0.5 * gc.exp(-y)),
        gc.log(by_rows * gc.exp(t)), gc.log((ex + 3 * ey) * (1 + ep + ex)),
    ):  # fmt: skip
        wrt = [v for v in Graph([before]).parameters if v.type.is_float]
        once, _ = run(Graph([before, *gc.grad(gc.sum(before), wrt)]), True)
        again, log = run(once, True)
        assert once.outputs == again.outputs, str(log)


def test_a_kernel_that_stays_is_computed_once():
    """Sums that are made of each other have a largest term each: K went less one after another."""
    points, eps = gc.input("points", ("n", 2)), gc.input("eps", (), positive=True)
    K = gc.exp(-gc.sum((points[:, None, :] - points[None, :, :]) ** 2, axis=2) / eps)
    u = v = gc.ones("n")
    for _ in range(3):
        u = 1 / (K @ v)
        v = 1 / (K.T @ u)
    cost = gc.sum(u[:, None] * K * v)
    outputs = [cost, gc.grad(cost, points)]
    program = gc.compile(outputs)
    assert program.plain.count("np.exp(") == 1
    at = {"points": np.random.default_rng(0).normal(size=(5, 2)), "eps": 0.5}
    for found, wanted in zip(program(**at), gc.evaluate(outputs, at), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_sums_that_share_their_terms_are_met_once(monkeypatch):
    """There are two ways from each of these sums to the one before."""
    calls = []
    carried = exponents.carried
    monkeypatch.setattr(exponents, "carried", lambda *a: calls.append(a) or carried(*a))
    total = ex
    for _ in range(15):
        total = total + (1 + y**2) * total
    run(Graph([ex / total]), True)
    assert 15 <= len(calls) <= 1000


@pytest.mark.parametrize("power", [1, 2])
def test_a_softplus_that_makes_up_for_an_exponential_stays_beside_it(power):
    """Alone it is so small that what its slopes divide by is 0."""
    slopes = [gc.log(1 / (gc.exp(-x) * gc.softplus(x) ** power))]
    for _ in range(2):
        slopes.append(gc.grad(gc.sum(slopes[-1]), x))
    got = gc.compile(slopes)(np.array([-600.0 / (power + 1)]))
    expected = (0.0, 0.0) if power == 1 else (200.0, -1.0)
    np.testing.assert_allclose(np.ravel(got), [*expected, 0.0], atol=1e-12)
