"""Wrong programs with their whole messages: mistakes.txt holds each with what graphc says of it.

`python tests/test_mistakes.py` prints the file anew, for reading before it is kept.
"""

import linecache
import re
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import graphc as gc

FILE = Path(__file__).with_name("mistakes.txt")

INPUTS = """\
n, d, h = gc.dims("n d h")
X = gc.input("X", (n, d))
w = gc.input("w", (h,))
A = gc.input("A", (2, 3))
v = gc.input("v", (n,))
s = gc.input("s")
t = gc.input("t")
k = gc.input("k", (n,), dtype="int64")
m = gc.input("m", (n,), dtype=bool)
"""


def records():
    """(program, message) for each paragraph of the file that is no heading."""
    for paragraph in FILE.read_text(encoding="utf-8").strip().split("\n\n"):
        if not paragraph.startswith("# "):
            lines = paragraph.split("\n")
            at = next(i for i, line in enumerate(lines) if re.match(r"[A-Z]\w+: ", line))
            yield "\n".join(lines[:at]), "\n".join(lines[at:])


class Table:
    """What NumPy can make an array of, as data frames are."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(3)


def run(text, file):
    """The names that a program defines; its lines can be read back as those of a file."""
    # Where it was run before, positions are known by its code, which is a new object each time.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names = {"gc": gc, "np": np, "Decimal": Decimal, "Fraction": Fraction, "Table": Table}
    for part in ("sparse", "special"):
        if f"{part}." in text:
            names[part] = pytest.importorskip(f"scipy.{part}")
    if file != "inputs.py":
        names |= run(INPUTS, "inputs.py")
    try:
        exec(compile(text + "\n" * 99, file, "exec"), names)
    finally:
        names.pop("__builtins__", None)
    return names


def said(program):
    """The error that a program ends with, as a traceback would print it."""
    try:
        run(program + "\n", "model.py")
    except Exception as error:
        return f"{type(error).__name__}: {error}", error
    return "nothing", None


CASES = list(records())


@pytest.mark.parametrize(("program", "message"), CASES, ids=[program for program, _ in CASES])
def test_a_mistake_is_told_with_the_line_the_carets_and_the_operands(program, message):
    """What was needed, what came, where: the message is part of what graphc is."""
    got, error = said(program)
    assert marked(message) == marked(got)
    assert isinstance(error, gc.GraphcError)


def marked(message):
    """The message with its carets where Python is that of the file: a later one marks more."""
    return message if sys.version_info < (3, 12) else re.sub(r"\n +\^+", "", message)


def test_a_foreign_type_may_answer_an_operator_itself():
    """NotImplemented passes the question on."""

    class Foreign:
        def __radd__(self, other):
            return "answered"

        def __gt__(self, other):
            return "compared"

    assert "answered" == gc.input("x") + Foreign() and "compared" == (gc.input("x") < Foreign())
    with pytest.raises(gc.ArgumentError, match="multiply takes .* not a Foreign"):
        gc.input("x") * Foreign()


def test_equality_with_a_foreign_value_is_false_and_does_not_raise():
    """`node in [...]` and dict lookups compare nodes with anything."""
    x = gc.input("x")
    assert not (x == "x") and x != "x" and x != None and not (x == None)  # noqa: E711
    assert x in [x] and x not in ["x", None]
    assert {x: 1}[x] == 1


WRONG_KINDS = [
    "gc.exp(s, axis=1)",
    "gc.permute_dims(X, 1)",
    "gc.tensordot(X, A, 'a')",
    "gc.tensordot(X, A, 1.5)",
    "gc.dims(3)",
    "gc.dims(['n'])",
    "gc.einsum(3, X)",
    "gc.concat(3)",
    "gc.concat([s, s])",
    "gc.stack(None)",
    "gc.pad(X, 1.5)",
    "gc.pad(X, ((1,), (2, 3)))",
    "gc.pad(X, 1, 'a')",
    "gc.pad(X, 1, [1.0, 2.0])",
    "gc.squeeze(X, None)",
    "gc.reshape(X, None)",
    "gc.reshape(X, 'a')",
    "gc.sum(None)",
    "gc.sum(X, axis={})",
    "gc.mean('a')",
    "gc.where(None, s, t)",
    "gc.where(m, 'a', s)",
    "gc.clip(s, 1j)",
    "gc.astype(s, 3)",
    "gc.take(v, 1.5)",
    "gc.take(v, None)",
    "gc.one_hot(k, None)",
    "gc.one_hot(k, 3, 'nonsense')",
    "gc.scatter_add(v, None, v)",
    "gc.eye(3, k='a')",
    "gc.full((2,), None)",
    "gc.full(None, 1)",
    "gc.iota('a b')",
    "gc.size(None)",
    "gc.constant({})",
    "gc.constant([s])",
    "gc.constant(object())",
    "gc.constant(300, dtype='int8')",
    "gc.input('x', {})",
    "gc.input('x', object())",
    "gc.input('x', between=1)",
    "gc.input('x', between=(1, 2, 3))",
    "gc.input('x', between='01')",
    "gc.input('x', between=(2, 1))",
    "gc.input('x', positive=True, between=(-2, -1))",
    "gc.compile(s, threads=0)",
    "gc.compile(s, threads=-1)",
    "gc.compile(s, threads=1.5)",
    "gc.compile(s, threads=True)",
    "gc.compile(s, threads=np.inf)",
    "gc.optim.Batches({'x': np.ones(3)}, 1, seed=np.nan)",
    "gc.optim.cosine(0.1, steps=np.inf)",
    "gc.optim.adam(eps=np.inf)",
    "gc.compile(s, simplify=[])",
    "gc.compile(s, check_facts='no')",
    "gc.compile(s, check_facts=np.ones(2))",
    "gc.broadcast_to(s, None)",
    "gc.flip(X, 'a')",
    "gc.diagonal('a')",
    "gc.outer(None, v)",
    "gc.std(v, correction=v)",
    "gc.logsumexp(v, axis=v)",
    "gc.grad(s, {})",
    "gc.grad(s, [s, 'a'])",
    "gc.vjp(s, s, None)",
    "gc.jvp(None, s, 1.0)",
    "gc.jvp(s, s, 'a')",
    "gc.hvp(s, None, 1.0)",
    "gc.backprop(s, None)",
    "gc.backprop(None, [s])",
    "gc.backprop(s, 's')",
    "gc.compile(s, inputs=3)",
    "gc.compile(s, inputs='s')",
    "gc.compile({s: s})",
    "gc.evaluate({'a': None})",
    "gc.evaluate(s, {s: None})",
    "gc.Graph(None)",
    "gc.Graph([s], 3)",
    "gc.Graph([s * t]).substitute({s: 3})",
    "gc.compile(s)(s)",
    "s.named(3)",
    "A[0, s]",
    "A[s > 0]",
    "v[1.0:]",
    "A[(0, 1), (0, 3)]",
    "A[(0, 1), (0, 1, 2)]",
    "A[[0.5]]",
    "A[np.array([True, False, True])]",
    "A[:, m]",
    "k ** -1",
    "k & k",
    "~k",
    "v & m",
    "np.exp(s, out=s)",
    "np.clip(v, 0, 1, out=np.ones(3))",
    "np.linalg.svd(A)",
    "np.add.at(v, k, 1)",
    "np.linalg.matrix_power(A, 2.5)",  # was A squared
    "np.round(A, np.nan)",
    "v.sort()",
    "np.partition(v, 1)",
    "np.sort(v, 1)",
    "gc.argmax(A, (0, 1))",
    "gc.quantile(v, 95)",
]


@pytest.mark.parametrize("expression", WRONG_KINDS)
def test_an_argument_of_a_wrong_kind_raises_an_error_of_graphc(expression):
    """Not one that comes from inside and speaks of what the caller has never heard of."""
    with pytest.raises(gc.GraphcError) as caught:
        run(f"y = {expression}\n", "model.py")
    lines = str(caught.value).splitlines()
    assert "    model.py:1   y = " + expression == lines[1]
    assert not re.search(r"object has no|positional argument|NoneType' object|lambda", lines[0])
    assert 1 == str(caught.value).count("^\n") + str(caught.value).endswith("^")


def test_carets_stand_under_the_expression_whatever_characters_come_before():
    """Python counts columns in bytes; people see characters."""
    got, _ = said('α, "梯度", (βγ := 1), X @ w')
    lines = got.splitlines()
    assert 'NameError' in got or lines[2].index("^") == lines[1].index("X @ w")
    got, _ = said('y = ("梯度", "é", X @ w)')
    _, line, carets = got.splitlines()[:3]
    assert line.index("X @ w") == carets.index("^") and 5 == carets.count("^")


def test_an_expression_over_several_lines_is_shown_by_its_first():
    """The rest of the expression is found from there."""
    got, _ = said("y = gc.exp(\n    X @\n    w)")
    assert [
        "ShapeError: matmul needs equal inner sizes, and d is not h",
        "    model.py:2   X @",
        "                 ^^^",
    ] == got.splitlines()[:3]


def test_a_message_without_source_says_so():
    """In a REPL or a frozen program there is no line to show; place and operands remain."""
    with pytest.raises(gc.ShapeError) as caught:
        exec(compile("gc.input('a', 2) + gc.input('b', 3)", "nowhere.py", "exec"), {"gc": gc})
    assert [
        "add needs shapes that broadcast, and 2 is not 3 (axis -1)",
        "    nowhere.py:1   (source not available)",
        "        a : f64[2]    nowhere.py:1",
        "        b : f64[3]    nowhere.py:1",
    ] == str(caught.value).splitlines()


def test_errors_are_those_that_people_would_catch():
    """Code written for NumPy catches ValueError, TypeError, IndexError, KeyError."""
    bases = {
        gc.ShapeError: ValueError,
        gc.IndexingError: IndexError,
        gc.DTypeError: TypeError,
        gc.NotConcrete: TypeError,
        gc.ArgumentError: (TypeError, ValueError),
        gc.NotDifferentiable: TypeError,
        gc.Disconnected: ValueError,
        gc.NameClash: ValueError,
        gc.BindError: (TypeError, ValueError),
        gc.MissingInput: KeyError,
        gc.InvalidGraph: ValueError,
    }
    for error, base in bases.items():
        assert issubclass(error, gc.GraphcError)
        for one in base if isinstance(base, tuple) else (base,):
            assert issubclass(error, one)


def main():
    """Print mistakes.txt with what is said today."""
    for paragraph in FILE.read_text(encoding="utf-8").strip().split("\n\n"):
        if not paragraph.startswith("# "):
            lines = paragraph.split("\n")
            at = next(i for i, line in enumerate(lines) if re.match(r"[A-Z]\w+: ", line))
            program = "\n".join(lines[:at])
            paragraph = f"{program}\n{said(program)[0]}"
        sys.stdout.write(paragraph + "\n\n")


if __name__ == "__main__":
    main()
