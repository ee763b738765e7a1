"""Names of any kind reach a program as identifiers made by us and as quoted text, never as code."""

import ast
import enum
import linecache
import subprocess
import sys
import types

import numpy as np
import pytest
from answers import all_is_large, assert_close

import graphc as gc
from graphc.plan.carried import HELPERS

CONFUSABLE = ("ﬁ", "fi")  # NFKC, which Python applies to identifiers, makes one of the two

NAMES = {
    "a call": '__import__("os").getcwd()',
    "a call that leaves a trace": '__import__("pathlib").Path("trace").write_text("")',
    "a keyword": "lambda",
    "a soft keyword": "match",
    "None": "None",
    "True": "True",
    "debug": "__debug__",
    "dunder": "__builtins__",
    "NumPy": "np",
    "numpy": "numpy",
    "a builtin": "print",
    "a builtin that programs use": "max",
    "an op": "exp",
    "the first operand": "x0",
    "a size's text": "dim_n",
    "an automatic name": "t1",
    "a name of one of our constants": "constant",
    "self": "self",
    "args": "args",
    "name": "name",
    "the program's": "program",
    "a newline": "x\n",
    "a line of code": 'x\nopen("trace", "w")\n',
    "a carriage return": "x\ropen('trace', 'w')",
    "a form feed": "x\x0cy",
    "a line separator": "x\u2028open('trace', 'w')",
    "triple quotes": '"""',
    "the end of a docstring": '"""\nopen("trace", "w")\n"""',
    "single quotes": "'''",
    "a quote and a brace": "'}{x!r}",
    "a backslash": "\\",
    "a backslash and a quote": '\\"""',
    "an escape": "\\N{BULLET}",
    "a comment": "x # y",
    "a semicolon": "x; import os",
    "a percent": "%s %(name)s",
    "a number": "1",
    "a digit first": "2x",
    "spaces": "   ",
    "punctuation": "!?-",
    "underscores": "____",
    "accents": "é",
    "a ligature": CONFUSABLE[0],
    "mathematical letters": "𝐱",
    "Greek": "λ",
    "Chinese": "梯度",
    "an emoji": "🙂",
    "right to left": "\u202eabc\u202c",
    "a mark alone": "\u200f",
    "zero width": "a\u200bb",
    "NUL": "a\0b",
    "a lone surrogate": "a\ud800b",
    "10,000 characters": "n" * 10_000,
    "10,000 emoji": "🙂" * 10_000,
    "a coding line": "-*- coding: utf-7 -*-",
    **{f"the helper {name}": name for name in HELPERS if name != "BindError"},
    "the error": "BindError",
    "annotations": "annotations",
    "base64": "base64",
    "Any": "Any",
}

each = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
# Where a name is no variable's, one helper is as good as the next.
SOME = {key: name for key, name in NAMES.items() if name not in HELPERS or name == "as_input"}
some = pytest.mark.parametrize("name", SOME.values(), ids=SOME)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path, monkeypatch):
    """A name that was executed would have left a file named `trace`."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "trace").exists()


def alone(function, tmp_path):
    """The saved program, loaded by NumPy alone: the function that its docstring names first."""
    path = tmp_path / "saved.py"
    function.save(path)
    namespace = {"__name__": "saved"}
    exec(compile(path.read_bytes(), str(path), "exec"), namespace)
    return namespace[namespace["__doc__"].split(":")[0]]


# What a program may import: NumPy, and of the standard library what its helpers need.
MODULES = {
    "numpy", "typing", "collections.abc", "__future__",
    "_thread", "base64", "functools", "math", "os", "sys",
}  # fmt: skip


def assert_harmless(source):
    """It parses, imports NumPy and little else, and mentions nothing that a hostile name would."""
    tree = ast.parse(source)
    helpers = {f.name for f in tree.body if isinstance(f, ast.FunctionDef | ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else [
                alias.name for alias in node.names
            ]
            assert set(modules) <= MODULES
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
            assert node.attr in {"sched_getaffinity", "cpu_count"}
        if isinstance(node, ast.Name):
            assert node.id not in {"__import__", "open", "eval", "exec", "__builtins__"}
    assert helpers


@each
def test_an_input_may_be_called_anything(name, tmp_path):
    """The program has an identifier for it; people call it by the name that they gave."""
    x, other = gc.input(name, ("n",)), gc.input("other", ("n",))
    f = gc.compile(gc.exp(x) * gc.sigmoid(other), inputs=[x, other])
    a, b = np.array([0.5, -1.0]), np.array([2.0, 3.0])
    want = np.exp(a) / (1 + np.exp(-b))
    np.testing.assert_allclose(f(a, b), want, rtol=1e-15)
    np.testing.assert_allclose(f(**{name: a, "other": b}), want, rtol=1e-15)
    np.testing.assert_allclose(gc.evaluate(f.graph.outputs, {name: a, "other": b})[0], want)
    np.testing.assert_allclose(alone(f, tmp_path)(a, b), want, rtol=1e-15)
    assert_harmless(f.source)
    with pytest.raises(gc.BindError) as caught:
        f(a, np.ones(3))
    assert name in caught.value.sentence
    with pytest.raises(gc.MissingInput):
        f(other=b)
    for shown in (f, f.report, f.graph, x, caught.value):
        assert str(shown)


@each
def test_a_node_may_be_named_anything(name, tmp_path):
    """`named` is for people; the program's variable is like it, or like nothing."""
    x = gc.input("x", ("n",))
    hidden = (x * 3).named(name)
    table = gc.constant([1.0, 2.0, 4.0]).named(name)
    f = gc.compile(gc.sum(hidden * hidden) + gc.sum(table))
    a = np.array([1.0, 2.0])
    assert 52.0 == f(a) == alone(f, tmp_path)(a)
    assert_harmless(f.source)
    assert str(f.graph) and repr(hidden)


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("name", ["x0", "x1", "x2", "x9", "dim_n", "dim_m", "out"])
def test_a_value_may_be_called_as_operations_call_their_operands(name, is_large, monkeypatch):
    """Memory has the name of the value that lies in it: `x1 = x * w`, and tanh(x1) in its place."""
    if is_large:
        all_is_large(monkeypatch)
    x, w = gc.input("x", ("n", 2)), gc.input("w", (2,))
    scaled = (x * w).named(name)
    grown = gc.tanh(gc.tanh(scaled) - w)
    product = (grown.T @ x).named(name)
    a, b = np.linspace(-1.0, 1.0, 60).reshape(30, 2), np.array([0.5, 2.0])
    wanted = [scaled, grown * x, product, gc.sum((grown + w).named(name), axis=0), product * 3 + 1]
    for results in (wanted[1:], *([v] for v in wanted)):
        assert_close(gc.evaluate(results, {x: a, w: b}), gc.compile(results)(x=a, w=b))


@some
def test_a_program_may_be_called_anything(name, tmp_path):
    """The name is one for messages and tracebacks; the function in the file is one of ours."""
    x = gc.input("x")
    f = gc.compile(gc.sigmoid(x) + x, name=name)
    assert 0.5 == f(0.0) == alone(f, tmp_path)(0.0)
    assert_harmless(f.source)
    with pytest.raises(gc.MissingInput) as caught:
        f()
    assert caught.value.sentence.startswith(f"{name} needs x")
    assert repr(f)


@some
def test_a_key_may_be_anything(name, tmp_path):
    """The result has the very keys that were asked for."""
    x = gc.input("x", ("n",))
    f = gc.compile({name: x * 2, "sum": gc.sum(x), name + name: {name: x * 2}})
    a = np.array([1.0, 2.0])
    for got in (f(a), alone(f, tmp_path)(a)):
        assert [name, "sum", name + name] == list(got)
        np.testing.assert_array_equal([2.0, 4.0], got[name])
        np.testing.assert_array_equal([2.0, 4.0], got[name + name][name])
    assert_harmless(f.source)


@some
def test_a_size_is_named_by_an_identifier_or_refused(name, tmp_path):
    """Sizes are written without quotes in types and messages, so they must read as names."""
    try:
        size = gc.dim(name)
    except gc.ShapeError as error:
        told = f"a dim's name must be a Python identifier, and {name!r} is not"
        assert error.sentence.startswith(told)
        return
    x, y = gc.input("x", (size,)), gc.input("y", ("n", 2 * size + 1))
    total = gc.sum(x) * gc.size(size) + gc.sum(y)
    f = gc.compile(total, inputs=[x, y])
    a, b = np.ones(3), np.ones((2, 7))
    assert 23.0 == f(a, b) == alone(f, tmp_path)(a, b) == gc.evaluate(total, {x: a, y: b})
    assert_harmless(f.source)
    with pytest.raises(gc.BindError):
        f(a, np.ones((2, 6)))


@pytest.mark.parametrize("role", ["keyword", "lambda", "x y", "", "1n", "a-b", "n\n", None, 3.5])
def test_what_is_no_identifier_names_no_size(role):
    """`gc.dim("lambda")` could not be written in the program that people read."""
    if role == "keyword":
        role = "class"
    with pytest.raises(gc.ShapeError):
        gc.dim(role)


def test_names_that_python_takes_for_one_stay_two(tmp_path):
    """NFKC turns both into the identifier `fi`: the program must tell them apart all the same."""
    first, second = (gc.input(name) for name in CONFUSABLE)
    f = gc.compile({"a": first - 2 * second, "b": (first * 5).named("ﬁ")}, inputs=[first, second])
    want = {"a": 1.0, "b": 35.0}
    assert want == f(7.0, 3.0) == f(**{"fi": 3.0, "ﬁ": 7.0}) == alone(f, tmp_path)(7.0, 3.0)


def test_sizes_that_python_takes_for_one_are_one():
    """A size is written as an identifier, so `ﬁ` is `fi` there as everywhere in Python."""
    x, y = gc.input("x", (CONFUSABLE[0],)), gc.input("y", (CONFUSABLE[1],))
    total = gc.sum(x + y) * gc.size(CONFUSABLE[0])
    assert 12.0 == gc.evaluate(total, {x: [1.0, 1.0], y: [2.0, 2.0]})
    assert 12.0 == gc.compile(total)([1.0, 1.0], [2.0, 2.0])


def test_names_that_are_cut_short_or_cleaned_stay_different(tmp_path):
    """Identifiers are short and plain: what is lost is made up for by a number."""
    names = ["n" * 9_999 + c for c in "abc"] + ["x y", "x-y", "x_y", "x_y_1", "x_y_2", "x\ty"]
    inputs = [gc.input(name) for name in names]
    total = sum((10.0**k * x for k, x in enumerate(inputs)), gc.constant(0.0))
    f = gc.compile(total, inputs=inputs)
    assert 987654321.0 == f(*range(1, 10)) == alone(f, tmp_path)(*range(1, 10))


def test_a_program_has_one_name_for_each_of_many_things_called_alike(tmp_path):
    """Nodes, inputs, sizes, the program and a key may all have one name."""
    size = gc.dim("x")
    x = gc.input("x", (size,))
    doubled = (x * 2).named("x")
    f = gc.compile({"x": doubled + 1, "y": [x, doubled]}, name="x")
    for got in (f([1.0, 2.0]), alone(f, tmp_path)([1.0, 2.0]), f(x=[1.0, 2.0])):
        np.testing.assert_array_equal([3.0, 5.0], got["x"])
        np.testing.assert_array_equal([[1.0, 2.0], [2.0, 4.0]], got["y"])


def test_two_inputs_of_one_name_are_refused_by_both_places():
    """By name it could not be said which of them an argument is for."""
    first = gc.input("x", (2,))
    second = gc.input("x", (3,))
    with pytest.raises(gc.NameClash) as caught:
        gc.compile([first, second])
    lines = str(caught.value).splitlines()
    assert "two inputs of one graph are called 'x'" == lines[0]
    assert f"        x : f64[2]    test_names.py:{first.where.line}" == lines[-2]
    assert f"        x : f64[3]    test_names.py:{second.where.line}" == lines[-1]
    with pytest.raises(gc.NameClash):
        gc.compile(first, inputs=[first, second])


def test_an_input_declared_twice_with_one_type_is_one_input():
    """Same name, same type: the same node, as for every operation."""
    assert gc.input("x", ("n",)) is gc.input("x", ("n",))


@pytest.mark.parametrize("name", ["", None, 3, b"x", ("x",)])
def test_a_name_that_is_no_text_is_refused(name):
    """Inputs, nodes and programs are all called by a string that is not empty."""
    message = f"a string that is not empty, and {name!r} is not"
    with pytest.raises(gc.NameClash) as caught:
        gc.input(name)
    assert f"an input's name must be {message}" == caught.value.sentence
    with pytest.raises(gc.NameClash) as caught:
        gc.exp(gc.input("x")).named(name)
    assert f"a name must be {message}" == caught.value.sentence
    with pytest.raises(gc.ArgumentError) as caught:
        gc.compile(gc.input("x"), name=name)
    assert caught.value.sentence.startswith("a program's name must be a string that is not empty")


class Column(enum.StrEnum):
    """Strings whose repr is no Python text."""

    PRICE = "price"


class Digit(enum.IntEnum):
    """Ints whose repr is no Python text."""

    ONE = 1


class Quoted(str):
    """A string whose repr is code."""

    def __repr__(self):
        return '__import__("pathlib").Path("trace").write_text("")'


@pytest.mark.parametrize("key", [Column.PRICE, Digit.ONE, Quoted("q"), True, 0, -1])
def test_keys_and_names_that_are_more_than_strings_are_written_as_plain_ones(key, tmp_path):
    """People keep their column names in an enum; a repr is nobody's promise."""
    x = gc.input(str(key) if isinstance(key, int) else key)
    f = gc.compile({key: x + 1}, name=str(key))
    assert {key: 3.0} == f(2.0) == alone(f, tmp_path)(2.0)
    assert_harmless(f.source)


@pytest.mark.parametrize("key", [None, 1.5, (1, 2), b"x"])
def test_a_key_that_is_neither_a_string_nor_an_int_is_refused(key):
    """The program writes its keys as text, and must mean the same."""
    with pytest.raises(gc.ArgumentError) as caught:
        gc.compile({key: gc.input("x")})
    assert f"outputs are keyed by strings or ints, and {key!r} is neither" == caught.value.sentence


FILES = {
    "a line break": 'bad\nopen("trace", "w")\n.py',
    "a carriage return": 'bad\ropen("trace", "w")\r.py',
    "quotes": '""".py',
    "NUL": "a\0b.py",
    "a lone surrogate": "a\udcffb.py",  # how Python reads a file name that is not UTF-8
}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_a_comment_about_the_users_line_is_one_line(file, tmp_path):
    """The file's name and the line's text are foreign too."""
    text = "y = gc.exp(x) # \x0c \x85 \u2028 \ud800 '''\n"
    linecache.cache[file] = (len(text), None, [text], file)
    # The code is compiled from plain text: a lone surrogate cannot be written to a file at all.
    module = types.ModuleType("user")
    module.gc, module.x = gc, gc.input(f"x {file}")
    code = compile("y = gc.exp(x)\n", "stand-in.py", "exec").replace(co_filename=file)
    exec(code, module.__dict__)
    f = gc.compile(module.y)
    assert 1.0 == f(0.0) == alone(f, tmp_path)(0.0)
    assert_harmless(f.source)
    with pytest.raises(gc.Disconnected) as caught:
        gc.grad(gc.sum(module.y), gc.input("other"))
    assert str(caught.value)
    del linecache.cache[file]


def test_a_saved_program_with_strange_names_runs_in_a_fresh_interpreter(tmp_path):
    """All names at once, in one file, read back by Python as a script would be."""
    names = list(NAMES.values())
    inputs = [gc.input(name) for name in names]
    total = sum(((k + 1.0) * x for k, x in enumerate(inputs)), gc.constant(0.0))
    f = gc.compile({"total": total}, inputs=inputs)
    f.save(tmp_path / "strange.py")
    want = f(*range(len(names)))["total"]
    assert sum((k + 1) * k for k in range(len(names))) == want
    code = f"import strange; print(strange.program(*range({len(names)}))['total'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert float(want) == float(done.stdout)


LEFT_ALIVE = []


@pytest.mark.parametrize("name", ["first", "second"])
def test_what_another_test_left_alive_is_not_met(name):
    """conftest.py sees to it: else the order of the tests, and a cycle that waits, would matter."""
    y = gc.exp(gc.input("left_alive", ()))
    assert y.name is None
    LEFT_ALIVE.append(y.named(name))


def test_a_variable_names_the_result_of_a_call_and_not_what_was_built_on_the_way():
    """Also in a graph that holds what was built on the way alone: `p` was the sum below it."""
    scores = gc.input("scores", ("n", 3))
    p = gc.softmax(scores)
    q = gc.log_softmax(scores)
    graph = gc.Graph([q])
    assert p not in graph and "p" not in graph.names.values() and "q" == graph.names[q]
    assert {"scores", "p"} == set(gc.Graph([p]).names.values())


@pytest.mark.parametrize(
    "formula",
    ["0.5 * s", "s + 1", "-n * gc.log(s)", "np.array([1.0, 2.0]) * s", "gc.maximum(s, 0.5)"],
)
def test_a_variable_does_not_name_the_numbers_and_sizes_of_its_formula(formula):
    """`e = -n * log(s)` was drawn as e = -1 * n and e1 = e * log(s), and of J = 0.5 * s the
    gradient was J; a number that had a variable of its own lost it.
    """
    names = {"gc": gc, "np": np, "n": gc.dim("n"), "s": gc.input("s", ()), "half": None}
    exec(f"half = gc.constant(0.5)\ntotal = {formula}", names)
    called = {v.label for v in names["total"].inputs + names["total"].inputs[0].inputs}
    assert "total" == names["total"].label and "total" not in called
    assert "half" == names["half"].label


def test_a_variable_keeps_what_another_call_builds_again_on_the_way():
    """The standard deviation took the mean for its own: `mu` had no name, and was drawn as std."""
    x = gc.input("x", ("n", "d"))
    mu = gc.mean(x, axis=1, keepdims=True)
    s = gc.std(x, axis=1, keepdims=True)
    assert {"x", "mu", "s"} == set(gc.Graph([mu, s]).names.values())
    assert "mu = " in gc.compile((x - mu) / s).plain
    assert "mu = mean(x, axis=1)" in str(gc.tree((x - mu) * 2))


def test_a_function_that_shares_what_it_builds_is_drawn_as_its_operations():
    """What it takes was read off what it did not build: s was drawn as std(x - mu)."""
    x = gc.input("x", ("n", "d"))
    s = gc.std(x, axis=1, keepdims=True)
    mu = gc.mean(x, axis=1, keepdims=True)
    drawn = str(gc.tree((x - mu) / s))
    assert "mu = mean(x, axis=1)" in drawn and "std(" not in drawn
