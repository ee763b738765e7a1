"""Expressions: what is arithmetic means what it says, and everything else is refused at once."""

import math

import numpy as np
import pytest

import graphc as gc
from graphc.cli.expression import CONSTANTS, ExpressionError, functions, parse
from tests.timing import takes

# -- what is refused, with the sentence and the column of the caret ------------------------------

REFUSED = [
    ("__import__('os')", "there is no function __import__", 0),
    ("__import__('os').system('true')", "only a function's name can be called", 0),
    ("x.__class__.__mro__", "an expression has no attributes: there is nothing behind a dot", 0),
    ("1 + x.real", "an expression has no attributes: there is nothing behind a dot", 4),
    ("lambda: x", "an expression holds no lambda", 0),
    ("(lambda: 1)()", "only a function's name can be called", 0),
    ("9**9**9**9", "this number is larger than any float, which ends at 1.8e308", 3),
    ("1" + "0" * 400, "this number is larger than any float, which ends at 1.8e308", 0),
    ("0x" + "f" * 1000, "this number is larger than any float, which ends at 1.8e308", 0),
    ("1e999", "this number is larger than any float, which ends at 1.8e308", 0),
    ("9" * 5000, "the expression has 5,000 characters, and 4,096 is most", 0),
    ("a" * 10**6, "the expression has 1,000,000 characters, and 4,096 is most", 0),
    ("(" * 10**6 + "x" + ")" * 10**6, "the expression has 2,000,001 characters, and 4,096", 0),
    ("(" * 500 + "x" + ")" * 500, "parentheses are nested more than 100 deep", 100),
    ("-" * 4000 + "x", "the expression is nested more than 100 deep", None),
    ("-" * 150 + "x", "the expression is nested more than 100 deep", 101),
    ("sin(" * 99 + "-" * 50 + "x" + ")" * 99, "the expression is nested more than 100 deep", 398),
    ("x**" * 1000 + "x", "the expression is nested more than 100 deep", 300),
    ("x\0y", r"the expression holds the character '\x00'", 1),
    ("x\n+1", r"the expression holds the character '\n'", 1),
    ("x\u202e+y", r"the expression holds the character '\u202e'", 1),
    ("\ud800", r"the expression holds the character '\ud800'", 0),
    ("x # twice", "the expression holds the character '#'", 2),
    ("sin(x=1)", "sin takes its arguments by position", 6),
    ("sin(*x)", "sin takes its arguments one by one", 0),
    ("sin(x, x)", "sin takes 1 operand and nothing else, not 2", 0),
    ("sin", "sin is a function: write sin(...)", 0),
    ("sni(x)", "there is no function sni; did you mean sin?", 0),
    ("SIN(x)", "there is no function SIN; did you mean sin?", 0),
    ("x(2)", "there is no function x: for a product write x*(...)", 0),
    ("print(1)", "there is no function print", 0),
    ("sum(x)", "there is no function sum", 0),
    ("2x", "this is no expression: a product is written with a *, as in 2*x", 1),
    ("x y", "this is no expression: invalid syntax", 0),
    ("x^2", "^ is no power here: write x**2", 0),
    ("x = 2", "an expression holds no =: values are given with --at, as in --at x=2", 2),
    ("(x := 2)", "an expression holds no assignment", 1),
    ('f"{x}"', "an expression holds no f-string", 0),
    ("x if x else y", "a choice is written where(condition, a, b)", 0),
    ("[x for x in y]", "this is not arithmetic: an expression is made of names, numbers,", 0),
    ("x[0]", "this is not arithmetic: an expression is made of names, numbers,", 0),
    ("x // 2", "this is not arithmetic: an expression is made of names, numbers,", 0),
    ("await x", "this is not arithmetic: an expression is made of names, numbers,", 0),
    ("x @ y", "the names of an expression are numbers, which @ does not multiply", 0),
    ("1 < x < 2", "numbers are compared two at a time", 0),
    ("x is y", "numbers are compared by <, <=, >, >=, == and !=", 0),
    ("x and y", "truth values are joined by logical_and, logical_or and logical_not", 0),
    ("not x", "truth values are joined by logical_and, logical_or and logical_not", 0),
    ("1j", "an expression holds real numbers and names, nothing else", 0),
    ("'a' * 9", "an expression holds real numbers and names, nothing else", 0),
    ("True", "an expression holds real numbers and names, nothing else", 0),
    ("1 / 0", "this divides by zero", 0),
    ("2 + (-8)**0.5", "this power of a negative number is not real", 4),
    ("_x", "a name begins with a letter, and _x does not", 0),
    ("", "the expression is empty", 0),
    ("   ", "the expression is empty", 0),
    ("x +", "this is no expression: invalid syntax", 3),
    ("(x", "this is no expression: '(' was never closed", 0),
    ("import os", "this is no expression: invalid syntax", 0),
    ("αβγ + (lambda: 1)", "an expression holds no lambda", 7),
]


@pytest.mark.parametrize(("text", "sentence", "column"), REFUSED, ids=[t[:24] for t, *_ in REFUSED])
def test_what_is_not_arithmetic_is_refused_at_once_with_a_caret(text, sentence, column):
    """Nothing is executed."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.sentence.startswith(sentence)
    # Python itself has told the place of a syntax error in more than one way, and some of its
    # versions read what is nested so deep that others give up.
    is_told_by_python = column is None or "invalid syntax" in sentence
    assert is_told_by_python or column == caught.value.column
    *_, line, carets = str(caught.value).split("\n")
    assert len(line) < 80 and carets.strip() == "^" and len(carets) < 80


def test_nothing_takes_long_to_refuse():
    """Whatever is typed: powers of powers, and nests as deep as it will."""

    def refused():
        for text, *_ in REFUSED:
            with pytest.raises(ExpressionError):
                parse(text)

    assert takes(refused, limit=2) < 2


def test_the_caret_stands_under_the_place_in_a_window_of_a_long_expression():
    """Of thousands of characters those around the mistake are shown."""
    with pytest.raises(ExpressionError) as caught:
        parse("x + " * 300 + "sni(x)" + " + x" * 300)
    _, line, carets = str(caught.value).split("\n")
    assert line[carets.index("^") :].startswith("sni(x) + x")
    assert line.strip()[0] == line.strip()[-1] == "…"


# -- what is arithmetic --------------------------------------------------------------------------

POINT = {"x": 0.7, "y": 1.3, "z": -0.4}
PYTHON = {name: getattr(np, name, None) for name in ("exp", "sin", "cos", "tanh", "sqrt", "abs")}
PYTHON |= {"maximum": np.maximum, "where": np.where, **CONSTANTS}


def written(rng, depth):
    """A random expression as text."""
    if depth == 0 or rng.random() < 0.1:
        number = str(rng.choice(["2", "0.5", "1e-1", "3", "pi"]))
        return str(rng.choice(["x", "y", "z", number]))
    kind = rng.integers(0, 7)
    a, b = written(rng, depth - 1), written(rng, depth - 1)
    if kind < 3:
        return f"{a} {rng.choice(['+', '-', '*', '/'])} {b}"
    if kind == 3:
        return f"({a} {rng.choice(['+', '-'])} {b})"
    if kind == 4:
        return f"-{a}"
    if kind == 5:
        return f"({a})**2"
    call = str(rng.choice(["exp(sin({a}))", "sqrt(abs({a}))", "maximum({a}, {b})",
                           "where({a} > {b}, {a}, {b})", "tanh({a})", "cos({b})"]))  # fmt: skip
    return call.format(a=a, b=b)


@pytest.mark.parametrize("seed", range(120))
def test_an_expression_has_the_value_that_python_gives_it(seed):
    """Precedence, associativity, signs: as people know them."""
    text = written(np.random.default_rng(seed), 4)
    with np.errstate(all="ignore"):
        try:
            expected = eval(text, dict(PYTHON), dict(POINT))
        except ZeroDivisionError:
            return
    got = gc.evaluate(parse(text + " + 0*x*y*z"), POINT) if math.isfinite(expected) else expected
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_every_function_is_called_by_its_names():
    """What can be typed is what the records of elementwise ops hold, what is made of them, and how
    others call it.
    """
    known = functions()
    assert {"exp", "log", "ln", "arctan", "max", "where", "softplus", "sigmoid"} <= set(known)
    assert {"erf", "ndtr", "log_ndtr", "gelu"} <= set(known)
    assert parse("ln(x)") is gc.log(gc.input("x"))
    assert parse("max(x, 2)") is gc.maximum(gc.input("x"), 2.0)


def test_e_and_pi_are_numbers_unless_they_are_given_as_names():
    """`--at e=1` speaks of a variable."""
    assert 1 == len(gc.Graph([parse("e * x")]).parameters)
    assert 2 == len(gc.Graph([parse("e * x", {"e"})]).parameters)


def test_a_sum_may_be_long():
    """Only nesting is bounded."""
    assert 1000 == gc.evaluate(parse(" + ".join(["x"] * 1000)), {"x": 1.0})
