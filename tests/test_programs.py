"""Emitted programs: text that is kept, NumPy alone, outputs that belong to the caller."""

import ast
import collections
import itertools
import subprocess
import sys
from pathlib import Path

import golden_programs
import numpy as np
import pytest
from golden_programs import FOLDER, PROGRAMS

import graphc as gc

each_golden = pytest.mark.parametrize("program", PROGRAMS, ids=[p.__name__ for p in PROGRAMS])

x = gc.input("x", ("n", 3))
y = gc.input("y", ("n",))
s = gc.input("s")
k = gc.input("k", (2,), dtype="int64")

ARGUMENTS = {
    "affine": (np.arange(8.0).reshape(4, 2), np.ones((2, 3)), np.arange(4.0).reshape(4, 1)),
    "logistic": (np.eye(4, 2) + 0.5, np.array([1.0, -1.0, 1.0, -1.0]), np.array([0.5, -0.25])),
    "guarded": (np.float64(4.0),),
    "views": (np.arange(8.0).reshape(4, 2),),
}


@each_golden
def test_the_emitted_text_is_the_one_that_is_kept(program):
    """People read what a change of the emitter does to them before they renew the files."""
    kept = (FOLDER / f"{program.__name__}.py").read_text(encoding="utf-8")
    assert kept == golden_programs.source(program), "python tests/golden_programs.py renews it"


def test_every_kept_program_belongs_to_a_graph():
    """And none is left over."""
    assert {p.__name__ for p in PROGRAMS} == {path.stem for path in FOLDER.glob("*.py")}


@each_golden
def test_a_kept_program_runs_with_numpy_alone(program, tmp_path):
    """By its file, in a fresh interpreter; same bits as here."""
    name = program.__name__
    f = gc.compile(program(), name=name)
    arguments = ARGUMENTS[name]
    np.savez(tmp_path / "given.npz", *arguments)
    code = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n"
        f"import numpy as np, {name}\n"
        "with np.load('given.npz') as given: arguments = list(given.values())\n"
        f"print(repr({name}.{name}(*arguments)))\n"
        "print('graphc' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert f"{f(*arguments)!r}\nFalse\n" == done.stdout


def test_kept_programs_compute_what_they_should():
    """The numbers, by hand."""
    named = {p.__name__: gc.compile(p(), name=p.__name__) for p in PROGRAMS}
    X, W, b = ARGUMENTS["affine"]
    np.testing.assert_array_equal(X @ W + b, named["affine"](X, W, b))
    root, slope, curvature = named["guarded"](4.0)
    assert (2.0, 0.25, -1 / 32) == (root, slope, curvature)
    assert (0.0, 0.0, 0.0) == named["guarded"](0.0) == named["guarded"](-1.0)
    X, labels, w = ARGUMENTS["logistic"]
    margin = labels * (X @ w)
    got = named["logistic"](X, labels, w)
    want = np.mean(np.log1p(np.exp(-margin))) + 0.01 * w @ w
    np.testing.assert_allclose(got["loss"], want, rtol=1e-15)
    slope = X.T @ (-labels / (1 + np.exp(margin))) / 4 + 0.02 * w
    np.testing.assert_allclose(got["grad"], slope, rtol=1e-14)


# -- what a program is made of ----------------------------------------------------------------

GRAPHS = {
    "every helper": lambda: [
        gc.sigmoid(x),
        gc.scatter_add(y, [0, 1], [1.0, 2.0]),
        gc.grad(gc.sum(gc.take_along_axis(x, gc.astype(x > 0, "int64")) ** 2), x),
        gc.grad(gc.sum(y[1:] ** 2), y),
        gc.grad(gc.sum(gc.cumulative_prod(y)), y),
    ],
    "a large constant": lambda: x[:1] + gc.constant(np.arange(300.0).reshape(100, 3)),
    "no input": lambda: gc.constant([1.0, 2.0]) * 3,
    "only a constant": lambda: gc.constant(2.5),
    "special numbers": lambda: gc.constant([np.nan, np.inf, -np.inf, -0.0, 5e-324, 1e308]) + s,
    "float32": lambda: gc.sin(gc.input("f", (3,), "float32")) * 0.1 + 1e-8,
    "integers": lambda: gc.take(y, k) + gc.astype(k * 2 - 1, "float64"),
    "truth": lambda: [x > 0, gc.any(x > 0), gc.logical_not(gc.all(x > 1, axis=0))],
    "sizes": lambda: [gc.iota("n") + gc.size("n"), gc.mean(y), gc.one_hot(k, 4), y[:0]],
    "deep": lambda: gc.compile(chain(50)).graph.outputs,
}


def chain(depth):
    v = s
    for _ in range(depth):
        v = gc.sin(v) * 0.5
    return v


LIBRARY = {"numpy", "base64", "functools", "math", "os", "sys", "_thread"}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_program_imports_numpy_and_little_else(name):
    """And it parses, and holds its function, regions, the helpers that it needs, and constants."""
    form = GRAPHS[name]()
    source = gc.compile(form, inputs=[x, y, s, k] + extra(form)).source
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= LIBRARY
        if isinstance(node, ast.ImportFrom):
            assert node.module in ("typing", "collections.abc", "__future__")
    defined = {f.name for f in tree.body if isinstance(f, ast.FunctionDef | ast.ClassDef)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "program" in defined and "program" not in used
    assert defined - {"program"} <= used, "a helper that nobody calls"


def extra(form):
    free = gc.Graph(gc_leaves(form)).nodes
    return [v for v in free if v.op.name == "input" and v not in (x, y, s, k)]


def gc_leaves(form):
    if isinstance(form, dict):
        return [leaf for part in form.values() for leaf in gc_leaves(part)]
    if isinstance(form, list | tuple):
        return [leaf for part in form for leaf in gc_leaves(part)]
    return [form]


@pytest.mark.parametrize("name", GRAPHS)
def test_a_program_says_what_the_reference_interpreter_says(name):
    """Bit for bit, type for type."""
    form = GRAPHS[name]()
    inputs = [x, y, s, k] + extra(form)
    values = {
        v: np.asarray(np.linspace(-1, 2, 12)[: int(np.prod(shape))].reshape(shape), v.dtype)
        for v in inputs
        for shape in [tuple(d if isinstance(d, int) else 2 for d in v.shape)]
    }
    values[k] = np.array([1, 0])
    want = gc_leaves(gc.evaluate(form, values))
    got = gc_leaves(gc.compile(form, inputs=inputs)(*values.values()))
    for w, g in zip(want, got, strict=True):
        assert type(w) is type(g)
        assert (w.dtype, w.shape, w.tobytes()) == (g.dtype, g.shape, g.tobytes())


# -- purity -----------------------------------------------------------------------------------


def views():
    """Graphs that could return their inputs, their constants, or one array twice."""
    table = gc.constant([[1.0, 2.0, 3.0]])
    doubled = x * 2
    return {
        "an input": x,
        "an input twice": [x, x],
        "an input and its view": [x, x.T],
        "a transpose": x.T,
        "a transpose of a transpose": x.T.T,
        "a reshape": gc.reshape(x, (-1,)),
        "a reshape of a transpose": gc.reshape(x.T, (-1,)),
        "a stretched input": gc.broadcast_to(y, (4, *y.shape)),
        "a row": x[0],
        "an element": x[0, 0],
        "a reversed slice": x[::-1, 1:],
        "everything": x[...],
        "a new axis": x[:, None],
        "stop_gradient": gc.stop_gradient(x),
        "a flip of a flip": gc.flip(gc.flip(x)),
        "a squeezed new axis": gc.squeeze(gc.expand_dims(x, 0), 0),
        "a constant": [table, table, table.T, table + gc.sum(x)],
        "a number": [gc.constant(2.0), s, s],
        "zeros": [gc.zeros((2, 3)), gc.zeros((2, 3)), gc.zeros_like(x)],
        "a computed node twice": [doubled, doubled],
        "a computed node and its views": [doubled, doubled.T, doubled[0], gc.reshape(doubled, -1)],
        "views of one node": [doubled[0], doubled[:1], doubled[0, 1:]],
        "a stretched computed node": [gc.broadcast_to(gc.sin(y), (2, *y.shape)), gc.sin(y)],
        "a where that copies nothing": gc.where(True, x, x),
        "a concat of one": gc.concat([x]),
        "a gradient that is an input": gc.grad(gc.sum(x * gc.stop_gradient(x)), x),
        "a vjp's cotangent": gc.vjp(x, x, x),
        "nested": {"a": [x, (doubled, {"b": x.T})], "c": doubled},
    }


@pytest.mark.parametrize("name", views())
def test_outputs_are_fresh_and_belong_to_the_caller(name):
    """Writable, of nobody else's memory, and not touched by the next call."""
    form = views()[name]
    f = gc.compile(form, inputs=[x, y, s])
    X, Y = np.arange(12.0).reshape(4, 3) + 1, np.arange(4.0) + 1
    given = [X.copy(), Y.copy(), np.array(3.0)]
    first = gc_leaves(f(*given))
    want = [np.array(v) for v in first]
    for value, meant in zip(first, gc_leaves(gc.evaluate(form, {x: X, y: Y, s: 3.0})), strict=True):
        np.testing.assert_array_equal(value, meant)
    second = gc_leaves(f(*(v * 0 - 7 for v in given)))
    arrays = [v for v in first + second if isinstance(v, np.ndarray)]
    for i, array in enumerate(arrays):
        assert array.flags.writeable
        assert 0 not in [st for st, d in zip(array.strides, array.shape, strict=True) if d > 1]
        assert not any(np.shares_memory(array, other) for other in [*arrays[:i], *given])
    for value, kept in zip(first, want, strict=True):
        np.testing.assert_array_equal(value, kept)
    for array in arrays:
        array[...] = np.nan
    for value, kept in zip(gc_leaves(f(*given)), want, strict=True):
        np.testing.assert_array_equal(value, kept)
    np.testing.assert_array_equal(given[0], X)
    np.testing.assert_array_equal(given[1], Y)


def test_an_output_does_not_keep_a_larger_array_alive():
    """A row of a large result is a copy of the row, not a window into the result."""
    row = gc.compile((x * 2)[0])(np.ones((1000, 3)))
    assert row.base is None or row.base.size == row.size


def test_what_a_constant_was_made_of_may_change_afterwards():
    """The graph took its own copy."""
    array = np.ones(3)
    f = gc.compile(x + gc.constant(array))
    array[:] = 5
    np.testing.assert_array_equal(np.ones((1, 3)), f(np.zeros((1, 3))))


def test_an_input_that_is_given_twice_is_read_twice():
    """One array for two inputs."""
    other = gc.input("other", ("n", 3))
    X = np.arange(6.0).reshape(2, 3)
    f = gc.compile([x * other, x - other], inputs=[x, other])
    product, difference = f(X, X)
    np.testing.assert_array_equal(X * X, product)
    np.testing.assert_array_equal(0 * X, difference)


def test_a_number_comes_back_as_a_scalar_of_its_dtype():
    """As NumPy's own functions return 0-d results; never a Python number, never a 0-d array."""
    single = gc.astype(s, "float32")
    form = [gc.sum(x), gc.any(x > 0), gc.size("n"), gc.constant(1), s, single, x[0, 0]]
    got = gc.compile(form, inputs=[x, s])(np.ones((2, 3)), 2.0)
    kinds = [np.float64, np.bool, np.int64, np.int64, np.float64, np.float32, np.float64]
    assert kinds == [type(v) for v in got] == [
        type(v) for v in gc.evaluate(form, {x: np.ones((2, 3)), s: 2.0})
    ]


# -- forms ------------------------------------------------------------------------------------

Pair = collections.namedtuple("Pair", "left right")

FORMS = {
    "a node": lambda a, b: a,
    "a list": lambda a, b: [a, b],
    "a list of one": lambda a, b: [a],
    "a tuple": lambda a, b: (a, b),
    "a tuple of one": lambda a, b: (a,),
    "a dict": lambda a, b: {"a": a, "b": b},
    "keys in another order": lambda a, b: {"z": a, "a": b},
    "int keys": lambda a, b: {1: a, -2: b},
    "nested": lambda a, b: {"x": [a, (b, {"y": a})], "z": ((b,), [])},
    "empty parts": lambda a, b: [[], a, (), {}, b],
    "a named tuple": lambda a, b: Pair(a, [b]),
}


@pytest.mark.parametrize("name", FORMS)
def test_results_come_back_in_the_form_that_was_asked_for(name):
    """Same types, same keys, same order."""
    a, b = gc.sum(x), gc.sum(y)
    form, want = FORMS[name](a, b), FORMS[name](3.0, 2.0)
    X, Y = np.full((2, 3), 0.5), np.ones(2)
    for got in (gc.compile(form, inputs=[x, y])(X, Y), gc.evaluate(form, {x: X, y: Y})):
        assert want == got
        assert repr(want) == repr(got).replace("np.float64(3.0)", "3.0").replace(
            "np.float64(2.0)", "2.0"
        )


@pytest.mark.parametrize("name", [n for n in FORMS if n != "a node"])
def test_gradients_come_back_in_the_form_of_wrt(name):
    """grad by a dict of parameters is a dict of gradients."""
    a, b = gc.input("a"), gc.input("b")
    wrt = FORMS[name](a, b)
    got = gc.evaluate(gc.grad(a * 2 + b * 3, wrt), {a: 0.0, b: 0.0})
    want = FORMS[name](2.0, 3.0)
    assert want == got and type(want) is type(got)


# -- report -----------------------------------------------------------------------------------


def test_unused_inputs_are_accepted_and_reported():
    """An interface may be wider than what one program needs."""
    f = gc.compile(x * 2, inputs=[x, y, s])
    np.testing.assert_array_equal(np.full((2, 3), 2.0), f(np.ones((2, 3)), np.ones(2), 1.0))
    assert (y, s) == f.unused
    assert "unused inputs: y, s" == str(f.report).splitlines()[-1]
    with pytest.raises(gc.BindError):
        f(np.ones((2, 3)), np.ones(3), 1.0)
    assert () == gc.compile(x * 2).unused
    assert "unused" not in str(gc.compile(x * 2).report)


def test_the_report_counts_what_a_person_would_count():
    """2 n d h flops for X @ W, one an element for tanh and sum; every result is kept."""
    n, d, h = gc.dims("n d h")
    X, W = gc.input("X", (n, d)), gc.input("W", (d, h))
    f = gc.compile(gc.sum(gc.tanh(X @ W)) * 2.0)
    head, columns, *rows, planned = str(f.report).splitlines()
    assert "planned: 8*h*n at step 1, beside inputs and tiles" == planned
    assert "program(X: f64[n, d], W: f64[d, h])" == head
    assert ["pass", "nodes", "flops", "peak", "bytes"] == columns.split()
    assert "as written" == rows[0][:10]
    flops = 2 * n * d * h + n * h + n * h + 1
    peak = 8 * (n * h + n * h + 1 + 1)
    for row in rows:
        cells = [cell.strip() for cell in row.split("  ") if cell.strip()]
        assert str(len(f.graph)) == cells[1]
        assert str(flops) == cells[2]
        assert str(peak) == cells[3]


def test_the_report_shows_what_a_pass_saved():
    """2 * 3 is folded into 6; a stopped gradient is no operation when the program runs."""
    f = gc.compile(gc.stop_gradient(s * (gc.constant(2.0) * gc.constant(3.0))))
    rows = [row.split()[-3:] for row in f.log.table.splitlines()[1:]]
    nodes = [int(row[0]) for row in rows]
    assert nodes == sorted(nodes, reverse=True) and nodes[0] > nodes[-1]
    assert 3 == nodes[-1] == len(f.graph)
    assert 12.0 == f(2.0)


def test_saving_writes_exactly_the_source(tmp_path):
    """UTF-8 and \\n on every system; a path or its text."""
    f = gc.compile(gc.exp(x).named("größe"), name="programm")
    f.save(tmp_path / "a.py")
    f.save(str(tmp_path / "b.py"))
    assert f.source.encode() == (tmp_path / "a.py").read_bytes() == Path(
        tmp_path / "b.py"
    ).read_bytes()
    assert f.source.endswith("\n") and not f.source.endswith("\n\n")


def test_a_compiled_function_shows_its_signature():
    """What to give it is the first thing that people ask."""
    f = gc.compile([x * s], name="scale")
    assert "<compiled scale(x: f64[n, 3], s: f64[])>" == repr(f)


def test_names_of_the_users_variables_are_those_of_the_program():
    """The program reads like the code that it was made from."""
    hidden = gc.tanh(x)
    total = gc.sum(hidden)
    f = gc.compile({"answer": total * 2})
    lines = [line.strip() for line in f.source.splitlines()]
    assert "hidden = np.tanh(x)" in lines
    assert "total = hidden.sum()" in lines
    assert any(line.startswith("answer = total * ") for line in lines)
    comments = [line for line in lines if line.startswith("# test_programs.py:")]
    assert any(line.endswith("   hidden = gc.tanh(x)") for line in comments)


def test_no_variable_is_what_a_rule_built_on_the_way_to_it():
    """Of a softmax whose log alone is wanted only the sum is left, which nobody called p."""
    p = gc.exp(x) / gc.sum(gc.exp(x), axis=1, keepdims=True)
    assert "\n    p = " in gc.compile([gc.tanh(p)]).plain
    assert "\n    p = " not in gc.compile([gc.log(p)]).plain


def test_no_line_is_told_twice_running_and_none_is_told_of_a_size():
    """A size belongs to whoever reads it, in this program or in another of the process."""
    w = gc.input("w", (3,))
    loss = gc.mean(gc.softplus(x @ w)) + 0.01 * gc.sum(w**2)
    elsewhere = gc.mean(x, axis=0)
    f = gc.compile([loss, gc.grad(loss, w)])
    lines = f.source.splitlines()
    assert "elsewhere" == elsewhere.label and not any("elsewhere" in line for line in lines)
    told = [line for line in lines if line.startswith(("    # test_", "    # gradient", "def "))]
    assert len(told) > 4 and all(a != b for a, b in itertools.pairwise(told))


def test_a_program_without_gradients_speaks_of_none():
    """What was built on the way to what replaces a line is of that line, and of no gradient."""
    x, y = gc.input("x", ("n", "k")), gc.input("y", ("n", "k"))
    up, down = gc.exp(x), gc.exp(-x)
    sums = gc.sum(y * up, axis=1) / gc.sum(up, axis=1), gc.log(gc.sum(y * y * up, axis=1) + 1)
    shares = y * (up - down) / (up + down), y * up / (1 + up), gc.sinh(x) / gc.cosh(x) ** 1.5
    assert "gradient of" not in gc.compile([*sums, *shares]).source


def test_numbers_beside_arrays_are_made_once():
    """NumPy converts each of Python's numbers at every call; powers by these are the quick ones."""
    x, s = gc.input("x_beside", ("n",), dtype="float32"), gc.input("s_beside", (), dtype="float32")
    f = gc.compile([gc.tanh(2.5 * x) - 0.1, gc.exp(x) * 2.5, x**-1.5, gc.cos(s * 2.5)])
    assert f.source.count("c2_5 = np.array(2.5, np.float32)") == 1
    assert f.source.count("c2_5") == 5  # two uses on each of two ways, and where it is made
    assert "** (-1.5)" in f.source and "s_beside * 2.5" in f.source
    assert "c2_5" not in f.plain and "2.5 * x_beside" in f.plain
    given = np.linspace(1, 2, 40_000, dtype="float32"), np.float32(2)
    want = gc.evaluate(f.graph.outputs, {"x_beside": given[0], "s_beside": given[1]})
    for a, b in zip(f(*given), want, strict=True):
        assert a.dtype == b.dtype == "float32"
        np.testing.assert_allclose(a, b, rtol=3e-6)


def test_negative_numbers_stand_in_brackets_where_they_must_and_nowhere_else():
    """A reader met `x.clip((-1.0), 1.0)` and `(-0.5) * x`."""
    x = gc.input("x", ("n",))
    bent = gc.clip(x, -1.0, 1.0)
    results = [bent, -0.5 * bent, bent * -0.5, gc.constant(-2.0) ** bent, -1e-30 - bent]
    plain = gc.compile(results, simplify=False).plain
    for text in ("x.clip(-1.0, 1.0)", "= -0.5 * ", " * (-0.5)", "= (-2.0) ** ", "= -1e-30 - "):
        assert text in plain, plain
