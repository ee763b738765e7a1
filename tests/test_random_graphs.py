"""Random graphs: the compiled program equals the reference interpreter, and the modes agree.

A graph is grown from a seed over the public functions. Sizes are distinct primes and 1, so that no
axis can stand in for another; symbolic sizes are also 0 and 1 when the program runs.
"""

import numpy as np
import pytest

import graphc as gc
from graphc import ir
from graphc.check import central

SIZES = {"a": 2, "b": 3}  # with 5 and 1: a is symbolic in half of the graphs, b in the others
A, B = (gc.dim(name) for name in SIZES)


class Grower:
    """Adds random operations on random earlier nodes. Only smooth ones where `is_smooth`."""

    def __init__(self, seed, is_smooth):
        self.rng = np.random.default_rng(seed)
        self.is_smooth = is_smooth
        dims = [A, 3, 5, 1] if self.rng.integers(2) else [2, B, 5, 1]
        self.dims = dims
        self.inputs = [
            gc.input(name, tuple(self.pick(dims) for _ in range(rank)))
            for name, rank in zip("xyzw", (2, 1, 3, 0), strict=True)
        ]
        # An input that shows each symbol bare: a program could not learn it otherwise.
        self.inputs += [gc.input(f"of_{d}", (d,)) for d in dims if not isinstance(d, int)]
        self.nodes = list(self.inputs)
        if not is_smooth:
            k = gc.input("k", (self.pick(dims[:3]), 2), dtype="int64")
            single = gc.input("single", (5,), dtype="float32")
            self.inputs += [k, single]
            self.nodes += [single]
            self.indices = k

    def pick(self, values):
        return values[int(self.rng.integers(len(values)))]

    def node(self, ndim=None):
        """A node of a rank, late ones more often: graphs are to grow deep."""
        fitting = [v for v in self.nodes if ndim is None or v.ndim in ndim] or self.nodes
        return fitting[-min(int(self.rng.geometric(0.2)), len(fitting))]

    def matching(self, v):
        """A node that broadcasts with v, made of another if need be."""
        fitting = [u for u in self.nodes if broadcasts(u, v)]
        return self.pick(fitting)

    def axes(self, v):
        axes = [k for k in range(v.ndim) if self.rng.integers(2)]
        signed = tuple(k - v.ndim if self.rng.integers(2) else k for k in axes)
        return None if not signed and self.rng.integers(2) else signed

    def grow(self, steps):
        for _ in range(steps):
            moves = SMOOTH if self.is_smooth else SMOOTH + KINKED
            made = self.pick(moves)(self)
            if made is not None and made.type.is_float:
                self.nodes.append(made)
        return self

    def outputs(self, count):
        return [self.pick(self.nodes[-8:]) for _ in range(count)]


def broadcasts(u, v):
    pairs = zip(u.shape[::-1], v.shape[::-1], strict=False)
    return all(p == q or p == 1 or q == 1 for p, q in pairs)


def unary(*functions):
    return lambda g: g.pick(functions)(g.node())


def binary(*functions):
    def move(g):
        v = g.node()
        return g.pick(functions)(v, g.matching(v))

    return move


def reduced(*functions):
    def move(g):
        v = g.node((1, 2, 3))
        return g.pick(functions)(v, axis=g.axes(v), keepdims=bool(g.rng.integers(2)))

    return move


def normalised(g):
    v = g.node((1, 2, 3))
    return g.pick([gc.softmax, gc.log_softmax])(v, axis=int(g.rng.integers(-v.ndim, v.ndim)))


def accumulated(g):
    v = g.node((1, 2))
    return g.pick([gc.cumulative_sum, gc.cumulative_prod])(v, axis=int(g.rng.integers(v.ndim)))


def permuted(g):
    v = g.node((1, 2, 3))
    return gc.permute_dims(v, tuple(map(int, g.rng.permutation(v.ndim))))


def reshaped(g):
    v = g.node((1, 2, 3))
    return gc.reshape(v, g.pick([(-1,), (1, -1), (*v.shape, 1), (1, *v.shape), v.shape[::-1]]))


def indexed(g):
    v = g.node((1, 2, 3))
    index = []
    for d in v.shape:
        size = d if isinstance(d, int) else 0
        index.append(
            g.pick(
                [slice(None), slice(None, None, -1), slice(1, None), slice(-2, None)]
                + ([0, -1, slice(0, size, 2), slice(None, None, -2)] if size else [])
            )
        )
    if g.rng.integers(2):
        index.insert(int(g.rng.integers(len(index) + 1)), None)
    return v[tuple(index[: int(g.rng.integers(1, len(index) + 1))])]


def stretched(g):
    v = g.node((0, 1, 2))
    return gc.broadcast_to(v, (g.pick([3, 5, 1]), *v.shape))


def joined(g):
    v = g.node((1, 2, 3))
    if g.rng.integers(2):
        return gc.stack([v, gc.sin(v)], axis=int(g.rng.integers(-v.ndim - 1, v.ndim + 1)))
    axis = int(g.rng.integers(v.ndim))
    return gc.concat([v, v * 2, gc.cos(v)], axis=axis)


def padded(g):
    v = g.node((1, 2))
    return gc.pad(v, tuple((int(p), int(q)) for p, q in g.rng.integers(0, 3, (v.ndim, 2))), 0.5)


def squeezed(g):
    v = g.node((1, 2, 3))
    single = tuple(k for k, d in enumerate(v.shape) if d == 1)
    return gc.squeeze(v, single) if single else gc.expand_dims(v, int(g.rng.integers(v.ndim + 1)))


def multiplied(g):
    u = g.node((1, 2, 3))
    fitting = []
    for v in g.nodes:
        if v.ndim and u.shape[-1] == v.shape[-1 if v.ndim == 1 else -2]:
            stacks = zip(u.shape[-3::-1], v.shape[-3::-1], strict=False)
            if all(p == q or 1 in (p, q) for p, q in stacks):
                fitting.append(v)
    return u @ g.pick(fitting) if fitting else None


def contracted(g):
    u, v = g.node((2,)), g.node((1, 2))
    if u.ndim != 2:
        return None
    if v.ndim == 2 and u.shape[1] == v.shape[1]:
        return gc.einsum(g.pick(["ij,kj->ki", "ij,kj->ik", "ij,kj->i", "ij,kj->jik"]), u, v)
    if v.ndim == 2 and u.shape == v.shape:
        return gc.einsum(g.pick(["ij,ij->", "ij,ij->j"]), u, v)
    return gc.einsum(g.pick(["ij->j", "ij->ji", "ij->"]), u)


def squared(g):
    u = g.node((2,))
    return gc.einsum(g.pick(["ii->", "ii->i"]), u @ u.T) if u.ndim == 2 else None


def bounded(g):
    """Keeps numbers in a range where derivatives can be compared."""
    return g.pick([gc.tanh, gc.sin, gc.atan])(g.node()) * 1.5


SMOOTH = [
    unary(gc.sin, gc.cos, gc.tanh, gc.sigmoid, gc.softplus, gc.negative, gc.square, gc.atan),
    unary(lambda v: gc.exp(gc.tanh(v)), lambda v: gc.log(gc.square(v) + 1), lambda v: v + 0.0),
    unary(lambda v: gc.sqrt(gc.square(v) + 0.5), lambda v: (gc.sin(v) + 2) ** 1.5),
    binary(gc.add, gc.subtract, gc.multiply, gc.add, lambda u, v: u / (v * v + 1), gc.logaddexp),
    binary(lambda u, v: gc.where(gc.stop_gradient(u) > 0.1, u, v), lambda u, v: u * np.float64(3)),
    reduced(gc.sum, gc.mean, gc.logsumexp, gc.var),
    normalised,
    accumulated,
    permuted,
    reshaped,
    indexed,
    indexed,
    stretched,
    joined,
    padded,
    squeezed,
    multiplied,
    multiplied,
    contracted,
    squared,
    bounded,
]


def taken(g):
    v = g.node((1, 2, 3))
    axis = int(g.rng.integers(v.ndim))
    long = gc.concat([v, v, v], axis=axis)  # its size is at least 2, if it is not 0
    if not isinstance(v.shape[axis], int):
        return None
    return gc.take(long, g.indices, axis=axis)


def gathered(g):
    v = g.node((2,))
    if v.ndim != 2:
        return None
    places = gc.astype(gc.stack([v[:, 0] > 0, v[:, 0] < 1], axis=1), "int64")
    wide = gc.concat([v, v], axis=1)
    if g.rng.integers(2):
        return gc.take_along_axis(wide, places, axis=1)
    return gc.scatter_add_along_axis(wide, places, gc.astype(places, v.dtype) * 0.5, axis=1)


def scattered(g):
    v = g.node((1, 2))
    if not v.ndim:
        return None
    updates = gc.broadcast_to(gc.constant(0.25), (*g.indices.shape, *v.shape[1:]))
    return gc.scatter_add(gc.concat([v, v, v]), g.indices, updates)


def counted(g):
    """A size, a range or an identity matrix as numbers."""
    v = g.node()
    d = g.pick(g.dims)
    n = gc.astype(gc.size(d), v.dtype)
    return g.pick([lambda: v * n, lambda: gc.iota(d, v.dtype), lambda: gc.eye(d, k=1)])()


def decided(g):
    """Logic over comparisons, and its reductions."""
    u = g.node()
    v = g.matching(u)
    p, q = u > v, gc.isfinite(u)
    logic = g.pick([gc.logical_and, gc.logical_or, gc.logical_xor])(p, q)
    if logic.ndim and g.rng.integers(2):
        logic = g.pick([gc.any, gc.all])(logic, axis=g.axes(logic), keepdims=True)
    return gc.where(logic, v, gc.astype(gc.isnan(u) | gc.isinf(v), v.dtype))


def compared(g):
    u = g.node()
    v = g.matching(u)
    condition = g.pick([gc.less, gc.greater_equal, gc.equal, gc.not_equal])(u, v)
    if g.rng.integers(2):
        condition = gc.logical_not(condition)
    return gc.astype(condition, "float64") if g.rng.integers(2) else gc.where(condition, u, v)


def picked(g):
    v = g.node((2,))
    if v.ndim != 2:
        return None
    order = gc.iota(v.shape[1])
    return gc.where(gc.expand_dims(gc.iota(v.shape[0]), 1) > order, v, 0)


KINKED = [
    unary(gc.abs, gc.relu, gc.sign, gc.floor, gc.round, gc.exp, gc.log, gc.sqrt, gc.reciprocal),
    unary(lambda v: gc.clip(v, -0.5, 0.5), lambda v: gc.astype(v, "float32"), gc.stop_gradient),
    unary(lambda v: v ** gc.constant(2), gc.expm1, gc.log1p, gc.log2, gc.cosh, gc.sinh, gc.tan),
    unary(gc.asin, gc.acos, gc.acosh, gc.asinh, gc.atanh, gc.log10, gc.trunc, gc.ceil),
    binary(gc.maximum, gc.minimum, gc.divide, gc.hypot, gc.power, gc.atan2),
    reduced(gc.max, gc.min, gc.prod, gc.std, gc.norm),
    compared,
    taken,
    gathered,
    scattered,
    counted,
    decided,
    picked,
]


def values_for(inputs, seed, sizes):
    """Numbers for the inputs; some are exactly 0, 1 or equal, where kinks are."""
    rng = np.random.default_rng(seed)
    known = {gc.dim(name): size for name, size in sizes.items()}
    values = {}
    for v in inputs:
        shape = tuple(d if isinstance(d, int) else int(d.subs(known)) for d in v.shape)
        if v.dtype.kind == "i":
            values[v] = rng.integers(0, 2, shape)
            continue
        value = rng.uniform(-1.5, 1.5, shape)
        values[v] = np.asarray(np.where(rng.random(shape) < 0.1, np.round(value), value), v.dtype)
    return values


def assert_same_bits(want, got):
    """Equal to the last bit, NaN for NaN; the sign of a NaN is nobody's promise."""
    for w, g in zip(want, got, strict=True):
        w, g = np.asarray(w), np.asarray(g)
        assert (w.dtype, w.shape) == (g.dtype, g.shape)
        np.testing.assert_array_equal(np.isnan(w), np.isnan(g))
        keep = ~np.isnan(w)
        assert w[keep].tobytes() == g[keep].tobytes()


@pytest.mark.parametrize("chunk", range(20))
def test_a_compiled_program_equals_the_reference_interpreter(chunk):
    """Bit for bit, with every kind of operation, for sizes 0 and 1 as for any other."""
    for seed in range(chunk * 10, chunk * 10 + 10):
        grower = Grower(seed, is_smooth=False).grow(25)
        outputs = grower.outputs(4)
        total = sum((gc.sum(gc.astype(o, "float64")) for o in outputs), gc.constant(0.0))
        outputs += gc.grad(total, grower.inputs[:2], disconnected="zero")
        f = gc.compile(outputs, inputs=grower.inputs, simplify=False)
        for sizes in (SIZES, {"a": 1, "b": 1}, {"a": 0, "b": 0}, {"a": 7, "b": 4}):
            values = values_for(grower.inputs, seed, sizes)
            try:
                want = gc.evaluate(outputs, values)
            except (ValueError, IndexError) as error:
                # What is empty has no largest element: the program says the same.
                with pytest.raises(type(error)):
                    f(*values.values())
                continue
            before = [value.tobytes() for value in values.values()]
            got = f(*values.values())
            assert_same_bits(want, got)
            assert before == [value.tobytes() for value in values.values()]


@pytest.mark.parametrize("chunk", range(10))
def test_the_modes_are_adjoint_where_there_are_kinks_too(chunk):
    """Both modes use one rule for every kink, so they agree on it, wherever both are finite."""
    for seed in range(3000 + chunk * 8, 3000 + chunk * 8 + 8):
        grower = Grower(seed, is_smooth=False).grow(16)
        v = sum((gc.sum(gc.astype(o, "float64")) for o in grower.outputs(3)), gc.constant(0.0))
        wrt = grower.inputs[:3]
        gradients = gc.grad(v, wrt, disconnected="zero")
        names = [gc.input(f"t_{x.name}", x.shape) for x in wrt]
        try:
            tangent = gc.jvp(v, wrt, names)
        except gc.Disconnected:
            zeros = gc.evaluate(gradients, values_for(grower.inputs, seed, SIZES))
            assert not any(map(np.any, zeros))
            continue
        values = values_for(grower.inputs + names, seed, SIZES)
        *reverse, forward = gc.evaluate([*gradients, tangent], values)
        products = [values[t] * g for t, g in zip(names, reverse, strict=True)]
        if all(map(np.all, map(np.isfinite, products))) and np.isfinite(forward):
            scale = sum(np.sum(abs(p)) for p in products)
            assert abs(sum(map(np.sum, products)) - forward) <= 1e-6 * max(scale, 1.0)


@pytest.mark.parametrize("chunk", range(20))
def test_reverse_and_forward_mode_are_adjoint_and_agree_with_differences(chunk):
    """<jvp t, u> = <t, vjp u>, and both are what small steps say."""
    for seed in range(1000 + chunk * 5, 1000 + chunk * 5 + 5):
        grower = Grower(seed, is_smooth=True).grow(14)
        v = gc.sum(sum((gc.sum(gc.sin(o)) for o in grower.outputs(3)), gc.constant(0.0)))
        wrt = [x for x in grower.inputs if x in gc.Graph([v]) and gc.Graph([v]).consumers(x)]
        if not wrt:
            continue
        gradients = gc.grad(v, wrt, disconnected="zero")
        for sizes in (SIZES, {"a": 1, "b": 1}):
            values = values_for(grower.inputs, seed, sizes)
            rng = np.random.default_rng(seed)
            tangents = [rng.standard_normal(values[x].shape) for x in wrt]
            names = [gc.input(f"t_{x.name}", x.shape) for x in wrt]
            given = values | dict(zip(names, tangents, strict=True))
            tangent = gc.jvp(v, wrt, names)
            f = gc.compile([v, *gradients, tangent], inputs=list(given), simplify=False)
            try:
                value, *reverse, forward = gc.evaluate([v, *gradients, tangent], given)
            except ValueError:
                continue  # nothing is the largest of no elements
            assert_same_bits([value, *reverse, forward], f(*given.values()))
            if not np.isfinite(value):
                continue  # a mean of no elements
            product = sum(np.vdot(t, g) for t, g in zip(tangents, reverse, strict=True))
            scale = sum(np.vdot(abs(t), abs(g)) for t, g in zip(tangents, reverse, strict=True))
            assert abs(product - forward) <= 1e-12 * max(scale, 1.0)
            for x, g in zip(wrt, reverse, strict=True):
                numeric, error = central(v, x, values)
                bound = 1e-7 * np.maximum(abs(g), 1.0) + 10 * error
                assert np.all(abs(numeric - g) <= bound)


@pytest.mark.parametrize("chunk", range(4))
def test_second_derivatives_agree_with_differences_of_first_ones(chunk):
    """The gradient is a graph like any other, so its own derivative follows the same rules."""
    for seed in range(2000 + chunk * 6, 2000 + chunk * 6 + 6):
        grower = Grower(seed, is_smooth=True).grow(8)
        v = gc.sum(gc.sin(grower.outputs(1)[0]))
        graph = gc.Graph([v])
        for x in (x for x in grower.inputs if x in graph and x.ndim == 1):
            vector = gc.input("vector", x.shape)
            product = gc.hvp(v, x, vector)
            values = values_for(grower.inputs, seed, SIZES)
            direction = np.cos(np.arange(values[x].size, dtype=float))
            got = gc.evaluate(product, values | {vector: direction})
            slope = gc.sum(gc.grad(v, x, disconnected="zero") * vector)
            numeric, error = central(slope, x, values | {vector: direction})
            bound = 1e-6 * np.maximum(abs(got), 1.0) + 10 * error
            assert np.all(abs(numeric - got) <= bound)


def cotangent_by_name(dtype, other):
    """What forward mode must not take for its own."""
    x = gc.input("a cotangent", (3,), dtype)
    return gc.cumulative_prod(x), {x: [2.0, 3.0, 5.0]}, [2, 6, 30]


def recurrence(dtype, other):
    """r[k] = a[k] * r[k - 1] + b[k]."""
    a, b = gc.input("a", (3,), dtype), gc.input("b", (3,), other)
    v = gc.OPS["linear_recurrence"](a, b, axis=0)
    return v, {a: [1.0, 2.0, 3.0], b: [4.0, 5.0, 6.0]}, [4, 13, 45]


def underived(x):
    """An op that has no derivative at all, and is known to nobody else."""
    op = gc.Op("underived", infer=lambda t: t, numpy="np.sin(x0)")
    del ir.OPS[op.name], ir.FUNCTIONS[op.name]
    return op(x)


def stopped(dtype, other):
    """What lies behind a stop needs no derivative."""
    x = gc.input("x", (2,), dtype)
    return gc.stop_gradient(underived(x)) * x, {x: [0.5, 1.0]}, [0.5, 1] * np.sin([0.5, 1])


def einsum(subscripts, *shapes):
    """The same as NumPy's, on counted elements."""

    def build(dtype, other):
        given = [np.arange(1.0, 1 + np.prod(s)).reshape(s) for s in shapes]
        inputs = [gc.input(f"x{i}", s, dtype) for i, s in enumerate(shapes)]
        values = dict(zip(inputs, given, strict=True))
        return gc.einsum(subscripts, *inputs), values, np.einsum(subscripts, *given)

    return build


# What was wrong once: how it is built, where, and its value.
FOUND = {
    "an input called as forward mode calls its own": cotangent_by_name,
    "a recurrence of two dtypes": recurrence,
    "an op without a derivative behind a stop": stopped,
    "an ellipsis that stretches a 1": einsum("...a,...b->...ab", (1, 2), (3, 2)),
    "an ellipsis that stretches on both sides": einsum("...,...", (3, 1), (2, 1, 4)),
    "an ellipsis between letters": einsum("a...b,...->...ba", (2, 1, 3), (4, 5)),
    "an ellipsis after a letter": einsum("a...,b...->ab...", (2, 1, 4), (3, 5, 1)),
    "an ellipsis over 1 alone": einsum("i...,i...->...", (2, 1), (2, 1)),
}


@pytest.mark.parametrize("dtypes", [("float64", "float64"), ("float32", "float64")])
@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_stays_right(name, dtypes):
    """The value, the compiled program, and both modes of differentiation against each other."""
    v, given, want = FOUND[name](*dtypes)
    values = {x: np.asarray(value, x.dtype) for x, value in given.items()}
    inputs = list(values)
    cotangent = np.cos(np.arange(np.size(want))).reshape(np.shape(want))
    tangents = [np.sin(1 + np.arange(a.size)).reshape(a.shape) for a in values.values()]
    pulled, pushed = gc.vjp(v, inputs, cotangent), gc.jvp(v, inputs, tangents)
    assert [x.type for x in inputs] == [g.type for g in pulled] and v.type == pushed.type
    outputs = [v, *pulled, pushed]
    got = gc.evaluate(outputs, values)
    assert_same_bits(got, gc.compile(outputs, inputs=inputs, simplify=False)(*values.values()))
    value, *reverse, forward = got
    np.testing.assert_allclose(value, want, rtol=1e-6)
    product = sum(np.vdot(t, g) for t, g in zip(tangents, reverse, strict=True))
    assert product == pytest.approx(np.vdot(cotangent, forward), rel=1e-5)


@pytest.mark.parametrize("derive", [gc.jvp, gc.vjp])
def test_an_op_without_a_derivative_is_named_in_both_modes(derive):
    """One check for both: the op and the node that needs it."""
    x = gc.input("x", (2,))
    y = underived(x)
    with pytest.raises(gc.NotDifferentiable, match="^underived has no bprop, and"):
        derive(gc.sin(y), x, 1.0)
