"""Arguments of compiled functions: every layout is right, what would be lost is refused by name."""

import copy
import decimal
import fractions
import gc as python_gc
import math
import pickle
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sympy as sp

import graphc as gc
from graphc.shapes import as_dim
from graphc.sizes import Size

N, D = 5, 3


def program():
    """f(X, w): a matrix product, an elementwise part and a reduction, as three outputs."""
    x, w = gc.input("X", ("n", "d")), gc.input("w", ("d",))
    return gc.compile([x @ w, gc.tanh(x) * w, gc.sum(x, axis=0)], inputs=[x, w])


def expected(x, w):
    x, w = np.array(x, np.float64), np.array(w, np.float64)
    return [x @ w, np.tanh(x) * w, x.sum(axis=0)]


def numbers(*shape):
    return np.random.default_rng(7).standard_normal(shape)


LAYOUTS = {
    "contiguous": lambda: numbers(N, D),
    "F-ordered": lambda: np.asfortranarray(numbers(N, D)),
    "strided": lambda: numbers(3 * N, 2 * D)[::3, ::2],
    "offset and strided": lambda: numbers(N + 4, D + 4)[3:-1, 2:-2],
    "transposed": lambda: numbers(D, N).T,
    "negative strides": lambda: numbers(N, D)[::-1, ::-1],
    "one negative stride": lambda: numbers(N, D)[:, ::-1],
    "zero strides": lambda: np.broadcast_to(0.25, (N, D)),
    "one zero stride": lambda: np.broadcast_to(numbers(D), (N, D)),
    "not aligned": lambda: np.frombuffer(b"\0" + numbers(N, D).tobytes(), "u1")[1:]
    .view(np.float64)
    .reshape(N, D),
    "big-endian": lambda: numbers(N, D).astype(">f8"),
    "a subclass": lambda: numbers(N, D).view(np.recarray),
    "a memory map's view": lambda: np.asarray(memoryview(numbers(N, D))),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_writable", [True, False], ids=["writable", "read-only"])
def test_every_memory_layout_gives_the_numbers_of_a_plain_copy_and_is_left_as_it_was(
    layout, is_writable
):
    """The program may take any path that BLAS offers; which one is no business of the caller."""
    x, w = LAYOUTS[layout](), numbers(2 * D)[::2]
    if not is_writable:
        x.flags.writeable = w.flags.writeable = False
    before = x.tobytes(), w.tobytes(), x.strides, x.dtype, x.flags.writeable
    for want, got in zip(expected(x, w), program()(x, w), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)
        assert type(got) is np.ndarray and got.dtype == np.float64
        assert not np.shares_memory(got, x) and got.flags.writeable
    assert before == (x.tobytes(), w.tobytes(), x.strides, x.dtype, x.flags.writeable)


@pytest.mark.parametrize("n, d", [(0, 3), (4, 0), (0, 0), (1, 1), (1, 0)])
def test_a_size_may_be_zero_or_one(n, d):
    """An empty batch is an ordinary batch: sums over nothing are 0."""
    for want, got in zip(expected(np.ones((n, d)), np.ones(d)), program()(
        np.ones((n, d)), np.ones(d)
    ), strict=True):
        np.testing.assert_array_equal(got, want)
        assert want.shape == got.shape


ACCEPTED = {
    # declared dtype, axes, what is given, what it means
    "a list for float64": ("float64", 1, [1, 2.5], [1.0, 2.5]),
    "a tuple": ("float64", 1, (1.0, 2.0), [1.0, 2.0]),
    "nested lists": ("float64", 2, [[1, 2], [3, 4]], [[1.0, 2.0], [3.0, 4.0]]),
    "a list of arrays": ("float64", 2, [np.ones(2), np.zeros(2)], [[1.0, 1.0], [0.0, 0.0]]),
    "an empty list": ("float64", 1, [], []),
    "a range": ("int64", 1, range(3), [0, 1, 2]),
    "an int for float": ("float64", 0, 3, 3.0),
    "a bool for float": ("float64", 0, True, 1.0),
    "a float": ("float64", 0, 2.5, 2.5),
    "a NumPy scalar": ("float64", 0, np.float64(2.5), 2.5),
    "a float32 scalar for float64": ("float64", 0, np.float32(2.5), 2.5),
    "a 0-d array": ("float64", 0, np.array(2.5), 2.5),
    "float32 for float64": ("float64", 1, np.array([0.1], np.float32), [float(np.float32(0.1))]),
    "float16 for float64": ("float64", 1, np.array([0.5], np.float16), [0.5]),
    "int32 for float64": ("float64", 1, np.array([-7], np.int32), [-7.0]),
    "int64 for float64": ("float64", 1, np.array([-7]), [-7.0]),
    "bool for float64": ("float64", 1, np.array([True, False]), [1.0, 0.0]),
    "big-endian int for float64": ("float64", 1, np.array([258], ">i4"), [258.0]),
    "Python floats for float32": ("float32", 1, [0.1, 1e-3], np.array([0.1, 1e-3], "f4")),
    "a Python float for float32": ("float32", 0, 0.1, np.float32(0.1)),
    "Python ints for float32": ("float32", 1, [1, 2], [1.0, 2.0]),
    "int16 for float32": ("float32", 1, np.array([3], np.int16), [3.0]),
    "int32 for int64": ("int64", 1, np.array([3], np.int32), [3]),
    "uint8 for int64": ("int64", 1, np.array([255], np.uint8), [255]),
    "Python ints for int8": ("int8", 1, [127, -128], [127, -128]),
    "a Python int for uint8": ("uint8", 0, 255, 255),
    "Python ints for uint64": ("uint64", 1, [2**63], np.array([2**63], np.uint64)),
    "an infinite Python float for float32": ("float32", 0, np.inf, np.inf),
    "bool for int64": ("int64", 1, np.array([True]), [1]),
    "bools for bool": ("bool", 1, [True, False], [True, False]),
    "infinite and undefined": ("float64", 1, [np.inf, -np.inf], [np.inf, -np.inf]),
    "the negative zero": ("float64", 0, -0.0, -0.0),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_conversion_that_loses_nothing_is_made(case):
    """Where NumPy calls it safe; Python's own numbers have no dtype and take the declared one."""
    dtype, ndim, given, meant = ACCEPTED[case]
    x = gc.input("x", ("a", "b")[:ndim], dtype=dtype)
    got = gc.compile(x)(given)
    want = np.array(meant, dtype)
    assert (want.dtype, want.shape) == (got.dtype, got.shape)
    assert want.tobytes() == got.tobytes()
    assert want.tobytes() == np.asarray(gc.evaluate(x, {x: given})).tobytes()


def numberless(kind, dtype):
    return f"x needs float64, and this {kind} holds {dtype}, not numbers"


def safely(given, wanted):
    return (
        f"x needs {wanted}, and {given} does not convert to it safely: "
        f"convert it yourself with .astype(np.{wanted})"
    )


def unconvertible(wanted):
    return f"x needs {wanted}, and its value does not convert: "


def unfitting(number, wanted):
    return f"x needs {wanted}, and {number} does not fit in it"


LONG = np.dtype(np.longdouble).name  # its width is the platform's
MASKED = "x is a masked array, whose mask would be lost: pass an ndarray"

REFUSED = {
    # declared dtype, axes, what is given, the message (all of it, or its graphc part if open-ended)
    "float64 for float32": ("float32", 1, np.ones(2), safely("float64", "float32")),
    "a float64 scalar for float32": ("float32", 0, np.float64(1), safely("float64", "float32")),
    "int64 for float32": ("float32", 1, np.ones(2, np.int64), safely("int64", "float32")),
    "float64 for int64": ("int64", 1, np.ones(2), safely("float64", "int64")),
    "a float for int64": ("int64", 0, 1.0, safely("float64", "int64")),
    "floats for int64": ("int64", 1, [1, 2.0], safely("float64", "int64")),
    "uint64 for int64": ("int64", 1, np.ones(2, np.uint64), safely("uint64", "int64")),
    "int64 for int8": ("int8", 1, np.ones(2, np.int64), safely("int64", "int8")),
    "an int for bool": ("bool", 0, 1, safely("int64", "bool")),
    "complex": ("float64", 1, np.ones(2, complex), safely("complex128", "float64")),
    "a complex number": ("float64", 0, 1j, safely("complex128", "float64")),
    "longdouble": ("float64", 1, np.ones(2, np.longdouble), safely(LONG, "float64")),
    "a string": ("float64", 0, "1.0", numberless("str", "<U3")),
    "strings": ("float64", 1, ["1", "2"], numberless("list", "<U1")),
    "bytes": ("float64", 0, b"1", numberless("bytes", "|S1")),
    "objects": ("float64", 1, np.array([1.0, 2.0], object), numberless("ndarray", "object")),
    "an object": ("float64", 0, object(), numberless("object", "object")),
    "None": ("float64", 0, None, numberless("NoneType", "object")),
    "a list with None": ("float64", 1, [1.0, None], numberless("list", "object")),
    "a dict": ("float64", 1, {"a": 1.0}, numberless("dict", "object")),
    "a set": ("float64", 1, {1.0}, numberless("set", "object")),
    "a generator": ("float64", 1, (i for i in range(2)), numberless("generator", "object")),
    "a Decimal": ("float64", 0, decimal.Decimal("0.1"), numberless("Decimal", "object")),
    "a Fraction": ("float64", 0, fractions.Fraction(1, 3), numberless("Fraction", "object")),
    "a date": (
        "float64", 0, np.datetime64("2020-01-01"), numberless("datetime64", "datetime64[D]"),
    ),
    "a span of time": (
        "float64", 0, np.timedelta64(1, "s"), numberless("timedelta64", "timedelta64[s]"),
    ),
    "a record": (
        "float64",
        1,
        np.zeros(2, [("a", "f8")]),
        numberless("ndarray", "[('a', '<f8')]"),
    ),
    "a ragged list": ("float64", 2, [[1.0], [1.0, 2.0]], unconvertible("float64")),
    "an int that is too large": ("int64", 0, 2**63, unfitting(2**63, "int64")),
    "an int that is far too large": ("int64", 0, 10**30, unfitting(10**30, "int64")),
    "an int out of int8": ("int8", 1, [127, 128], unfitting(128, "int8")),
    "a negative int for unsigned": ("uint8", 0, -1, unfitting(-1, "uint8")),
    "a list of arrays out of int8": ("int8", 1, [np.array(300)], unfitting(300, "int8")),
    "a float out of float32": ("float32", 0, 1e300, unfitting(1e300, "float32")),
    "a list of floats out of float32": ("float32", 1, [np.inf, -1e39], unfitting(-1e39, "float32")),
    "a masked array": ("float64", 1, np.ma.masked_array([1.0, 2.0], [0, 1]), MASKED),
    "the masked constant": ("float64", 0, np.ma.masked, MASKED),
    "too few axes": ("float64", 2, [1.0], "x needs 2 axes, and has shape (1,)"),
    "too many axes": ("float64", 0, [1.0], "x needs 0 axes, and has shape (1,)"),
    "a number for a vector": ("float64", 1, 1.0, "x needs 1 axis, and has shape ()"),
}


@pytest.mark.parametrize("run", ["compiled", "evaluated"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_would_lose_something_is_refused_by_name(case, run):
    """Never a silent loss: the message names the input, what it needs, and what came."""
    dtype, ndim, given, message = REFUSED[case]
    x = gc.input("x", ("a", "b")[:ndim], dtype=dtype)
    with pytest.raises(gc.BindError) as caught:
        if run == "compiled":
            gc.compile(x)(given)
        else:
            gc.evaluate(x, {x: given})
    sentence = caught.value.sentence
    if message.endswith(": "):
        assert sentence.startswith(message) and len(sentence) > len(message)
    else:
        assert message == sentence


def test_an_array_with_a_mask_that_masks_nothing_is_refused_too():
    """Whether something is masked is a matter of the numbers; the refusal is one of the kind."""
    x = gc.input("x", (2,))
    with pytest.raises(gc.BindError, match="masked array"):
        gc.compile(x)(np.ma.masked_array([1.0, 2.0]))


def test_a_matrix_is_taken_as_the_array_that_it_is():
    """np.matrix multiplies with *: the program must see an ndarray."""
    x = gc.input("x", (2, 2))
    with pytest.warns(PendingDeprecationWarning):
        given = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    got = gc.compile(x * x)(given)
    assert type(got) is np.ndarray
    np.testing.assert_array_equal([[1.0, 4.0], [9.0, 16.0]], got)


# -- sizes ------------------------------------------------------------------------------------

n, d = gc.dims("n d")

SIZES = {
    # shapes of the inputs a, b, c; shapes given; the message
    "a shared symbol": (
        [(n, d), (d,)],
        [(4, 3), (5,)],
        "axis 0 of b has size 5, and needs d = 3 (d is axis 1 of a)",
    ),
    "a shared symbol in later axes": (
        [(n,), (2, n)],
        [(4,), (2, 3)],
        "axis 1 of b has size 3, and needs n = 4 (n is axis 0 of a)",
    ),
    "a symbol twice in one input": (
        [(n, n)],
        [(4, 3)],
        "axis 1 of a has size 3, and needs n = 4 (n is axis 0 of a)",
    ),
    "a number": ([(n, 3)], [(4, 5)], "axis 1 of a has size 5, and needs 3"),
    "only numbers": ([(2, 3)], [(2, 4)], "axis 1 of a has size 4, and needs 3"),
    "one is not stretched": ([(n,), (n,)], [(4,), (1,)],
        "axis 0 of b has size 1, and needs n = 4 (n is axis 0 of a)"),
    "empty is not stretched": ([(n,), (n,)], [(4,), (0,)],
        "axis 0 of b has size 0, and needs n = 4 (n is axis 0 of a)"),
    "an expression of a known symbol": (
        [(n,), (2 * n + 1,)],
        [(4,), (8,)],
        "axis 0 of b has size 8, and needs 2*n + 1 = 9 (n is axis 0 of a)",
    ),
    "an expression before its symbol": (
        [(2 * n + 1,), (n,)],
        [(8,), (4,)],
        "axis 0 of a has size 8, and needs 2*n + 1 = 9 (n is axis 0 of b)",
    ),
    "an expression of two symbols": (
        [(n,), (d,), (n * d,)],
        [(4,), (3,), (7,)],
        "axis 0 of c has size 7, and needs d*n = 12 (d is axis 0 of b, n is axis 0 of a)",
    ),
    "an expression alone, of a wrong remainder": (
        [(2 * n + 1,)],
        [(8,)],
        "axis 0 of a has size 8, and no size makes it 2*n + 1",
    ),
    "an expression alone, too small": (
        [(n + 3,)],
        [(2,)],
        "axis 0 of a has size 2, and no size makes it n + 3",
    ),
    "two expressions that disagree": (
        [(2 * n + 1,), (3 * n,)],
        [(9,), (13,)],
        "axis 0 of b has size 13, and needs 3*n = 12 (n is axis 0 of a)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("run", ["compiled", "evaluated"])
@pytest.mark.parametrize("case", SIZES)
def test_a_wrong_size_names_both_inputs_and_both_axes(case, run):
    """Who reads the message knows which two arrays to look at, and where."""
    declared, given, message = SIZES[case]
    inputs = [gc.input(name, shape) for name, shape in zip("abc", declared, strict=False)]
    values = [np.ones(shape) for shape in given]
    f = gc.compile(inputs)
    with pytest.raises(gc.BindError) as caught:
        if run == "compiled":
            f(*values)
        else:
            gc.evaluate(inputs, dict(zip(inputs, values, strict=True)))
    assert message == caught.value.sentence
    with pytest.raises(ValueError):
        f(*values)


def test_a_size_is_read_from_a_dim_that_is_not_bare():
    """2n + 1 = 9 says n = 4 as well as n itself would."""
    a, b = gc.input("a", (2 * n + 1,)), gc.input("b", (n + d, 3))
    f = gc.compile([gc.sum(a) * gc.size(n), gc.sum(b) * gc.size(d)], inputs=[a, b])
    got = f(np.ones(9), np.ones((6, 3)))
    assert [36.0, 36.0] == [float(g) for g in got]


def test_a_size_that_no_input_shows_is_refused_when_compiling():
    """n*d alone does not tell n; the program could not be run by anybody."""
    a = gc.input("a", (n * d,))
    with pytest.raises(gc.ShapeError) as caught:
        gc.compile(a + 1)
    assert "no input shows the size d in a form it can be read from" == caught.value.sentence


@pytest.mark.parametrize("build", [gc.ones, gc.zeros, gc.size, gc.iota, gc.eye])
def test_a_size_that_no_input_has_is_refused(build):
    """A graph may speak of any size; a program must be able to learn it."""
    node = build(gc.dim("k")) if build in (gc.size, gc.iota, gc.eye) else build((gc.dim("k"),))
    with pytest.raises(gc.ShapeError) as caught:
        gc.compile(node)
    assert (
        "the program needs the size k, which no input shows: "
        "list an input that does in compile(..., inputs=[...])"
    ) == caught.value.sentence
    with pytest.raises(gc.GraphcError, match="no value shows the size k: give an input's"):
        gc.evaluate(node)


def test_an_unused_input_may_be_what_shows_a_size():
    """inputs= lists what the program is given, needed for its elements or not."""
    a = gc.input("a", (n,))
    f = gc.compile(gc.ones((n,)), inputs=[a])
    np.testing.assert_array_equal(np.ones(3), f(np.full(3, np.nan)))


# -- positions and names ----------------------------------------------------------------------


def test_arguments_go_by_position_in_order_of_declaration_by_name_or_mixed():
    """The order is that in which people wrote the inputs, not that in which a walk meets them."""
    a, b, c = (gc.input(name) for name in "abc")
    f = gc.compile(c - 10 * b + 100 * a)
    for got in (
        f(1.0, 2.0, 3.0),
        f(1.0, 2.0, c=3.0),
        f(1.0, c=3.0, b=2.0),
        f(c=3.0, b=2.0, a=1.0),
    ):
        assert 83.0 == got
    assert 83.0 == gc.compile(c - 10 * b + 100 * a, inputs=[c, b, a])(3.0, 2.0, 1.0)


def test_an_input_goes_by_its_own_name_where_the_program_calls_another_so():
    """What is no name in Python has one made of it: here that of the other input."""
    first, second = gc.input("a b"), gc.input("a_b")
    f = gc.compile(first - second, inputs=[first, second])
    assert "def program(a_b, a_b_1):" in f.source
    assert -4.0 == f(**{"a b": 1.0}, a_b=5.0) == f(1.0, a_b=5.0)


CALLS = {
    "too many": (
        lambda f: f(1.0, 2.0, 3.0, 4.0),
        gc.BindError,
        "model takes 3 arguments, and was given 4",
    ),
    "too few": (
        lambda f: f(1.0),
        gc.MissingInput,
        "model needs rate, shift: model(weight: f64[], rate: f64[], shift: f64[])",
    ),
    "none": (
        lambda f: f(),
        gc.MissingInput,
        "model needs weight, rate, shift: model(weight: f64[], rate: f64[], shift: f64[])",
    ),
    "unknown, close": (
        lambda f: f(1.0, 2.0, shfit=3.0),
        gc.BindError,
        "model has no input shfit: model(weight: f64[], rate: f64[], shift: f64[]); "
        "did you mean shift?",
    ),
    "unknown, far": (
        lambda f: f(1.0, 2.0, q=3.0),
        gc.BindError,
        "model has no input q: model(weight: f64[], rate: f64[], shift: f64[])",
    ),
    "twice": (lambda f: f(1.0, 2.0, rate=3.0), gc.BindError, "model was given rate twice"),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_call_that_does_not_fit_is_explained(case):
    """The message shows how the function wants to be called."""
    call, kind, message = CALLS[case]
    weight, rate, shift = (gc.input(name) for name in ("weight", "rate", "shift"))
    f = gc.compile(weight * rate + shift, name="model")
    with pytest.raises(kind) as caught:
        call(f)
    assert message == caught.value.sentence
    assert isinstance(caught.value, TypeError)


def test_evaluate_takes_values_by_node_or_by_name_and_names_what_is_missing():
    """Nodes cannot be misspelled; names are shorter."""
    a, b = gc.input("a"), gc.input("b", (n,))
    assert 5.0 == gc.evaluate(a + 2, {"a": 3}) == gc.evaluate(a + 2, {a: 3})
    assert gc.evaluate(a + 2, {"a": 3, "of another graph": 1}) == 5.0
    with pytest.raises(gc.MissingInput) as caught:
        gc.evaluate(a * b, {"a": 3.0})
    assert "b has no value" == caught.value.sentence
    assert str(caught.value).endswith("        b : f64[n]    test_inputs.py:" + str(
        b.where.line
    ))


# -- sizes as numbers --------------------------------------------------------------------------

NUMBERS = {
    "size": lambda n, d: n,
    "negative": lambda n, d: -n,
    "may be negative": lambda n, d: 1 - n,
    "half": lambda n, d: n / 2,
    "times a float": lambda n, d: 0.5 * n * d * math.log(6.25),
    "reciprocal": lambda n, d: 1 / (n - 1),
    "root": lambda n, d: d**-0.5,
    "sum": lambda n, d: n / 3 + d**0.5 - 2.5,
    "product of roots": lambda n, d: n**0.5 * d**-0.5,
    "NumPy's root": lambda n, d: np.sqrt(n),
    "NumPy's root of a formula": lambda n, d: np.sqrt(2 / (n + d)),
    "NumPy's choice of formulas": lambda n, d: np.maximum(n * d, 2 * d - 1),
    "NumPy's logarithm and minimum": lambda n, d: np.log(d) * np.minimum(n, 2),
    "in an array": lambda n, d: np.array([7]) * d / n,
    "in an array as a formula": lambda n, d: np.array([7]) * (d - 1) / (n * d),
    "rounded": lambda n, d: math.floor(n / 2) + math.ceil(d / 3) + round(n - 1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_formula_in_sizes_is_a_number_beside_tensors(name, dtype):
    """Of the dtype that NumPy gives where X.shape[0] stands, also without a peer."""
    n, d = gc.dims("n d")
    X = gc.input("X", (n, d), dtype)
    array = np.arange(12).reshape(3, 4).astype(dtype)
    number = NUMBERS[name]
    wanted = array * number(3, 4)
    for simplify in (False, True):
        found = gc.compile(X * number(n, d), simplify=simplify)(array)
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, rtol=1e-6 if dtype == "float32" else 1e-14)


def test_a_formula_in_sizes_is_the_expression_that_sympy_has():
    """Also in hash tables, pickles and shapes, where both kinds meet."""
    n, d = gc.dims("n d")
    v = gc.input("v", (n,))
    assert v[1:].shape == (n - 1,) and n - 1 == v[1:].shape[0] and d * n == n * d
    assert sp.expand((n - 1) ** 2) == n**2 - 2 * n + 1 and sp.sympify(n - 1) == n - 1
    assert {n - 1: "one", 2 * n: "two"}[v[1:].shape[0]] == "one" and n - 1 != n and n - n == 0
    assert pickle.loads(pickle.dumps((n, n - 1))) == (n, n - 1)
    assert v[: n - 1].type == v[1:].type == gc.zeros(n - 1).type
    assert (n - 1).subs({n: 3}) == 2 and str(n - 1) == repr(n - 1) == f"{n - 1}" == "n - 1"


def test_a_shape_holds_formulas_that_say_what_they_are():
    """As `n - 1` does: of sympy's own `v[1:].shape[0] > 3` had no truth value."""
    n, d = gc.dims("n d")
    rows = gc.input("v", (n, d))[1:].shape[0]
    assert rows == n - 1 and sp.latex(rows) == "n - 1" and sp.pretty(rows / n).count("\n") == 2
    for formula in (rows, *divmod(n, 2)):
        with pytest.raises(gc.NotConcrete):
            max(formula, 3)


def test_there_is_one_size_for_each_formula():
    """Whoever makes it, however it is written, and for as long as somebody has it."""
    n, d = gc.dims("n d")
    X = gc.input("X", (n, d))
    made = [n * (d - 1), d * n - n, X[:, 1:].size, np.prod((n, d - 1))]
    made += [as_dim(sp.sympify(n * d - n)), copy.deepcopy(made[0])]
    made += [pickle.loads(pickle.dumps(made[0]))]
    assert {id(size) for size in made} == {id(made[0])} and type(made[0]) is type(n)
    assert [0, 1, 0.5] == [n - n, n // n, n / (2 * n)]
    assert n * np.inf == np.inf and ((-n) ** 0.5).subs({n: 4}) == 2j
    assert [int, int, float] == [type(found) for found in (n - n, n // n, n / (2 * n))]
    with ThreadPoolExecutor(8) as pool:
        meet = threading.Barrier(8)
        found = list(pool.map(lambda _: meet.wait() * 0 + 12345 * n**7, range(8)))
    assert len(set(map(id, found))) == 1


OF_SIZES = [
    "2**n - 1", "(-1)**n + 2", "n**m", "abs(n - m)", "n*(n + 1)//2", "-(-n//4)", "n//2%3 + 1",
    "n//(m + 1)", "n%(m + 1)", "(n - m)**2", "n//2*2", "(2*n + 1)//3*(m%2)", "(n%3)**(m%2)",
]  # fmt: skip


@pytest.mark.parametrize("text", OF_SIZES)
def test_a_formula_in_sizes_is_what_python_makes_of_its_numbers(text):
    """As a length, as a number and beside tensors, in programs and where a graph is evaluated."""
    v, w = gc.input("v", ("n",)), gc.input("w", ("m",))
    size = eval(text, {"n": v.shape[0], "m": w.shape[0]})
    made = {"x": gc.ones(size), "size": gc.size(size), "times": v * size}
    f = gc.compile(made, inputs=[v, w])
    for n, m in ((1, 1), (2, 5), (7, 3), (9, 4)):
        number = eval(text, {"n": n, "m": m})
        given = {v: np.ones(n), w: np.ones(m)}
        for found in (f(given[v], given[w]), gc.evaluate(made, given)):
            assert (number,) == found["x"].shape and number == found["size"]
            np.testing.assert_array_equal(found["times"], np.full(n, number))


NO_SIZES = {
    "sp.factorial(n)": "no program can compute the size factorial(n)",
    "sp.floor(n**0.5)": "no program can compute the size floor(n**0.5)",
    "sp.Symbol('n + 1')": "a dim's name must be a Python identifier, and 'n + 1' is not",
    "sp.I": "a size must be an int, a dim or a dim's name, and 1j is a complex",
}


@pytest.mark.parametrize("text", NO_SIZES)
def test_what_no_program_can_compute_is_refused_where_it_is_written(text):
    """It was refused when the graph was compiled, which shows no line; or gave a broken text."""
    with pytest.raises(gc.ShapeError) as caught:
        gc.input("x", (eval(text, {"n": gc.dim("n"), "sp": sp}),))
    assert caught.value.sentence.startswith(NO_SIZES[text])


def test_a_size_that_divides_by_a_size_of_0_says_so():
    """In both faces: evaluate had sympy's "Cannot convert nan to int"."""
    n, m = gc.dims("n m")
    v, w = gc.input("v", (n,)), gc.input("w", (m,))
    made = gc.ones(n // m) * gc.sum(v) * gc.sum(w)
    for call in (gc.compile(made), lambda a, b: gc.evaluate(made, {v: a, w: b})):
        with pytest.raises(ZeroDivisionError):
            call(np.ones(0), np.ones(0))


def test_slices_of_slices_have_short_sizes():
    """Each step of a stencil put the size into another max(0, ... - 1)."""
    n = gc.dim("n")
    y = gc.input("v", (n,))
    for _ in range(9):
        y = y[1:] + y[:-1]
    assert "Max(0, n - 9)" == str(y.shape[0])
    for k in (1, 8, 9, 10, 20):
        assert len(np.ones(k)[3:][:-3][1:-2]) == y.shape[0].subs({n: k})


@pytest.mark.parametrize("shift", ["n//2", "-n", "2*n + 1", "1 - n//3", "2", "-5"])
def test_a_roll_is_numpys_for_every_size(shift):
    """It asked a formula for its truth; and by more than all of an axis nothing moved."""
    n = gc.dim("n")
    v = gc.input("v", (n,))
    f = gc.compile(np.roll(v, eval(shift)))
    for n in (0, 1, 2, 7):
        a = np.arange(1.0 * n)
        np.testing.assert_array_equal(f(a), np.roll(a, eval(shift)))


def test_differences_along_an_axis_of_unknown_size_have_a_gradient():
    """Their ends were slices, and what nobody could add up was their sizes."""
    v = gc.input("v", ("n",))
    f = gc.compile(gc.grad(gc.sum(np.gradient(v, 0.5) ** 2), v))
    for n in (2, 3, 7):
        a, step = np.cos(np.arange(n)), np.gradient(np.eye(n), 0.5, axis=0)
        np.testing.assert_allclose(f(a), 2 * step.T @ step @ a, rtol=1e-12, atol=1e-12)


def test_a_formula_that_nobody_has_is_forgotten():
    """A process that meets ever new formulas does not keep them all."""
    size = Size(sp.Symbol("nobody", integer=True, positive=True) ** 3)
    held = weakref.ref(size)
    assert held() is Size(size.plain)
    del size
    python_gc.collect()
    assert held() is None


X = gc.input("X", (4, 2, 3))
STRAIGHT = gc.sum(gc.tanh(X) ** 2)

# What takes an int, and what is seen of it.
WHOLE_NUMBERS = {
    "threads": lambda k: gc.compile(STRAIGHT, threads=k).source,
    "programs kept": lambda k: gc.jit(np.sin, maxsize=k).maxsize,
    "a key of the results": lambda k: gc.compile({k: STRAIGHT}).source,
    "an axis that moves": lambda k: np.moveaxis(X, k, 0),
    "the axis of a map": lambda k: gc.vmap(np.sum, in_axes=k)(np.ones((2, 3, 4))).shape,
    "the step of a slice": lambda k: X[::k],
    "axes that are paired": lambda k: gc.tensordot(X, X, (k, k)),
    "the axis of a norm": lambda k: np.linalg.norm(X, axis=k),
    "the order of a norm": lambda k: np.linalg.norm(X, k, axis=1),
    "a shape that is traced": lambda k: gc.trace(np.sin, (k, 3)).outputs.type,
    "boxes of a picture": lambda k: gc.draw(STRAIGHT, fold=k).dot,
    "steps of an explanation": lambda k: gc.explain(STRAIGHT, X, limit=k).text,
    "a seed": lambda k: gc.check(STRAIGHT, X, seed=k),
    "rows of a batch": lambda k: gc.optim.Batches({"x": np.ones(3)}, size=k),
}


@pytest.mark.parametrize("seen", WHOLE_NUMBERS.values(), ids=WHOLE_NUMBERS)
def test_an_int_of_numpys_is_as_good_as_pythons(seen):
    """What counts something often comes out of an array: of np.arange, or a.argmax()."""
    assert str(seen(2)) == str(seen(np.int64(2))) == str(seen(np.uint8(2)))


def test_two_sizes_are_asked_for_identity_and_a_size_is_never_a_number():
    """So programs for all shapes, and shapes in tables, work."""
    n, d = gc.dims("n d")
    for size in (2, 3, 1.5):
        assert n != size and not size == n and (n - 1) not in [size]
    assert n != d and n != 1 and n - 1 != 1 and n != -1 and n != 0 and n != "n" and n != None  # noqa: E711
    assert (n, 2) == (n, 2) and (n, 1) != (1, 1)
    # NumPy's numbers ask for themselves: as arrays they would be tensors of the graph.
    three, none = np.int64(3), np.float64("nan")
    assert [False, False, True] == [three == n, three in (n, d), n != three]
    assert (np.int64(0) < n) is True and [False] * 3 == [none < n, n < none, n >= float("nan")]
    assert isinstance(np.less(n, 3), gc.Node) and isinstance(n == np.ones(2), gc.Node)
