"""What gc.check and gc.check_op say: the table, the reasons, the picture, the point."""

from __future__ import annotations

import xml.etree.ElementTree

import numpy as np
import pytest
import sympy as sp
from rich.console import Console

import graphc as gc
from graphc.check.plot import Curve, plotted
from graphc.ir import no_flops
from graphc.meaning import Formula

X = gc.input("x", (3,))
AT = {X: [0.3, -1.2, 2.0]}


def bad_sine() -> gc.Op:
    return gc.Op(
        "bad_sine", infer=lambda x: x, numpy="np.sin(x0)", flops=no_flops,
        bprop=lambda n, i, g: -g * gc.cos(n.inputs[0]), examples=(gc.example([3]),),
    )  # fmt: skip


def test_the_report_of_a_wrong_gradient() -> None:
    """The whole text: the table, the rule that disagrees with both numbers, the user's line."""
    wave = bad_sine()(X)
    report = gc.check(gc.sum(wave), X, AT)
    text = str(report)
    assert text == repr(report)  # a shell shows it unasked
    assert not report and gc.check(gc.sum(gc.sin(X)), X, AT)  # `assert gc.check(...)` means it
    assert text.splitlines()[0] == "gradient of sum : f64[] at the given point"
    row = text.splitlines()[2].split()
    assert row[:9] == [
        "x", ":", "f64[3]", "wrong", "-0.9553365", "-0.9553365", "-", "0.9553365", "complex",
    ]  # fmt: skip
    assert (
        "x: wave: the bprop of bad_sine gives -0.9553 by operand 0 (x) at [0], "
        "and differences 0.9553\n"
        f"    {wave.where.place}   wave = bad_sine()(X)\n"
        "                                     ^^^^^^^^^^^^^\n"
        "exact arithmetic was not used: bad_sine has no sympy expression"
    ) in text


def test_a_derivative_is_called_by_what_was_differentiated() -> None:
    """Its label is that of its own gradient."""
    x = gc.input("x", ())
    slope = gc.grad(gc.grad(gc.tanh(x), x), x)
    assert str(gc.check(slope, x, {x: 0.5})).startswith("gradient of ∂²tanh(x)/∂x² : f64[]")


def test_the_error_names_the_node_and_its_line() -> None:
    """raise_if_wrong is for tests: what is wrong, where, of which operands."""
    wave = bad_sine()(X)
    with pytest.raises(gc.WrongGradient) as caught:
        gc.check(gc.sum(wave), X, AT).raise_if_wrong()
    assert "the gradient by x is wrong, first at wave: the bprop of bad_sine" in str(caught.value)
    assert "wave = bad_sine()(X)" in str(caught.value)


def test_a_right_gradient_agrees_in_four_ways() -> None:
    """Reverse, forward, exact, numeric, to a few units in the last place; Taylor's order is 2."""
    row = gc.check(gc.sum(gc.exp(gc.sin(X))), X, AT).rows[0]
    assert row.verdict == "right" and row.checked == row.of == 3
    assert row.reverse == pytest.approx(row.forward, rel=1e-15)
    assert row.reverse == pytest.approx(row.exact, rel=1e-15)
    assert row.reverse == pytest.approx(row.numeric, rel=1e-15)
    assert row.ulps <= 8 and row.uncertainty < 1e-13
    assert row.order == pytest.approx(2, abs=0.05)


def test_differences_stand_in_where_a_text_stays_on_the_real_line() -> None:
    """np.hypot takes no complex numbers, and np.abs would silently drop the imaginary part."""
    for text in ("np.hypot(x0, 1)", "np.sqrt(np.abs(x0) ** 2 + 1)"):
        rule = dict(infer=lambda x: x, bprop=lambda n, i, g: g * n.inputs[0] / n)
        made = gc.Op(text, numpy=text, **rule)
        row = gc.check(gc.sum(made(X)), X, AT).rows[0]
        assert ("right", "central differences") == (row.verdict, row.method)
        assert row.absolute <= row.uncertainty < 1e-9


def test_a_large_parameter_is_sampled_and_along_a_direction_it_is_checked_whole() -> None:
    """The same sample each time."""
    w = gc.input("w", ("n",))
    z = gc.mean(gc.tanh(w) ** 2)
    at = {w: np.linspace(-2, 2, 500)}
    report = gc.check(z, w, at)
    assert (16, 500) == (report.rows[0].checked, report.rows[0].of)
    assert "of w a random sample was checked, and all of it along one direction" in report.notes
    assert str(report) == str(gc.check(z, w, at))


def hundreds(last, dtype="float64"):
    """A graph of 300 scalars and a vector, in which the last scalar goes through `last`."""
    scalars = [gc.input(f"s{k}", (), dtype) for k in range(300)]
    w = gc.input("w", ("n",), dtype)
    total = gc.sum(gc.sin(w)) * scalars[0]
    for s in scalars[1:-1]:
        total = total + s * gc.cos(s)
    return total + last(scalars[-1]), [*scalars, w]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_of_hundreds_of_parameters_a_sample_is_checked_and_the_others_together(dtype) -> None:
    """Each takes runs of the whole graph: 700 scalars took minutes."""
    report = gc.check(*hundreds(gc.sin, dtype))
    assert report.ok and {"right"} == {row.verdict for row in report.rows}
    assert (301, 16) == (len(report.rows), sum(row.checked == row.of for row in report.rows))
    told = "16 of 301 were checked one by one, and the 285 others together along one direction"
    assert any(told in note for note in report.notes)


def test_what_is_wrong_of_those_that_are_checked_together_is_found_and_located() -> None:
    """At the node and the line of the user, not at those of the graph that is moved."""
    z, parameters = hundreds(bad_sine())
    wrong = [row for row in gc.check(z, parameters).rows if row.verdict == "wrong"]
    assert [("s299", z.inputs[1])] == [(row.parameter, row.node) for row in wrong]


def test_of_a_large_graph_a_part_is_compared_exactly() -> None:
    """And the report says which."""
    w = gc.input("w", (4000,))
    z = gc.log(gc.mean(w * w)) * gc.sin(gc.sum(w))
    report = gc.check(z, w, {w: np.linspace(-2, 1, 4000)})
    (note,) = (note for note in report.notes if note.startswith("exact"))
    assert "exact arithmetic was used on a part:" in note
    assert note.endswith("there the gradient agrees")


def test_what_is_not_given_is_drawn_from_what_was_declared() -> None:
    """Sizes are small and distinct; the report says what it drew."""
    rate = gc.input("rate", ("n",), between=(0.0, 1.0))
    scale = gc.input("scale", ("d",), positive=True)
    z = gc.sum(gc.log(rate)) * gc.sum(gc.sqrt(scale))
    report = gc.check(z, [rate, scale])
    assert ["right", "right"] == [row.verdict for row in report.rows]
    assert "n = 3, d = 4" in report.notes[0] and "rate was drawn from" in report.notes[0]
    assert 4 == gc.check(z, [rate, scale], {"rate": [0.1, 0.2, 0.3, 0.4]}).rows[0].of


def test_undeclared_inputs_are_drawn_where_the_graph_is_finite() -> None:
    """A logarithm wants positive numbers, and an index one that exists."""
    x, k = gc.input("x", (4,)), gc.input("k", (2,), dtype=int)
    report = gc.check(gc.sum(gc.take(gc.log(x), k)), x)
    assert report.ok and "x" in report.notes[0]


MISTAKES = {
    "unknown-name": (lambda: gc.check(gc.sum(X), X, {"X": 1.0}), "no input X: .* did you mean x?"),
    "no-mapping": (lambda: gc.check(gc.sum(X), X, [1.0]), "at= maps inputs"),
    "no-parameter": (lambda: gc.check(gc.sum(X), X, AT).plot("y"), "no parameter 'y': there are x"),
    "no-ufunc": (lambda: gc.elementwise("bell", lambda x: x**2), "no ufunc called bell: like="),
    "no-variable": (
        lambda: gc.elementwise("bell", lambda v: -v, like=np.exp), "called x, .*: not v"
    ),
    "no-variable-of-sympy": (
        lambda: gc.elementwise("bell", sp.exp(sp.Symbol("u")), like=np.exp), "called x, .*: not u"
    ),
    # A symbol was taken for a size, and what came of it was a SympifyError where it was used.
    "not-sympy's": (lambda: Formula(lambda x: gc.exp(x)).expr, "such as sympy.exp, not of gc's"),
    "not-sympy's-derivative": (lambda: Formula(lambda x, result: [gc.exp(x)]).expr, "not of gc's"),
    "not-sympy's-but-NumPy's": (lambda: Formula(lambda x: np.exp(x)).expr, "or NumPy's .*ufunc"),
    "no-op": (lambda: gc.check_op(gc.mean), "check_op takes an op"),
}


def test_a_symbol_of_sympy_is_the_variable_of_its_name() -> None:
    """Ours are real: of sp.Symbol("x") an operation with no operand was made."""
    assert Formula(sp.Symbol("y") - sp.Symbol("x"))(1, 3) == 2


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told(mistake) -> None:
    """One sentence, with what was given."""
    call, message = mistake
    with pytest.raises((gc.ArgumentError, gc.BindError), match=message):
        call()


def test_what_does_not_depend_on_a_parameter_is_an_error_as_in_grad() -> None:
    """There is nothing to check."""
    with pytest.raises(gc.Disconnected):
        gc.check(gc.sum(X), gc.input("y", ()), {X: [1.0, 2.0, 3.0], "y": 0.0})


def test_parameters_come_in_any_form_and_may_be_inner_nodes() -> None:
    """A dict, a tuple; a hidden value too."""
    hidden = gc.tanh(X)
    z = gc.sum(hidden**2)
    report = gc.check(z, {"x": X, "rest": (hidden,)}, AT)
    assert ["x", "hidden"] == [row.parameter for row in report.rows]
    assert report.ok


def test_the_picture_is_well_formed_and_shows_each_way() -> None:
    """Three curves on logarithmic axes; names are escaped."""
    report = gc.check(gc.sum(gc.exp(X)), X, AT)
    root = xml.etree.ElementTree.fromstring(report.plot("x"))
    lines = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert 3 == len(lines) and all(line.get("points") for line in lines)
    forward, central, imaginary = report.curves[0]
    assert min(central.errors) < min(forward.errors) < 1e-6
    assert min(imaginary.errors) < 1e-15
    xml.etree.ElementTree.fromstring(plotted([Curve("<&", (0.1,), (0.0,))], '"<&'))


def test_heat_is_where_the_rule_is_off() -> None:
    """By as much as it is; the others are off by rounding, and a rule that breaks down by all."""
    hidden = gc.exp(X)
    wave = bad_sine()(hidden)
    z = gc.sum(gc.tanh(wave))
    heat = gc.check(z, X, AT).heat
    assert heat.pop(wave) == pytest.approx(2.0)
    assert {hidden, z} <= set(heat) and max(heat.values()) < 1e-9
    assert "heat" in gc.draw(z, wrt=X, heat={**heat, wave: 2.0}).svg
    broken = gc.Op(
        "broken", infer=lambda x: x, numpy="np.sin(x0)", flops=no_flops,
        bprop=lambda n, i, g: 1 / 0, examples=(gc.example([3]),),
    )  # fmt: skip
    value = broken(X)
    assert gc.check(gc.sum(value), X, AT).heat[value] == np.inf


def test_the_table_is_shown_in_colours_by_rich() -> None:
    """The same cells."""
    console = Console(width=200, record=True, file=open("/dev/null", "w"))
    with console.file:
        console.print(gc.check(gc.sum(gc.abs(X)), X, {X: [0.0, 1.0, 2.0]}))
    text = console.export_text()
    assert "kink" in text and "its slope is -1 below and 1 above" in text


BROKEN = {
    "gradient": (dict(bprop=lambda n, i, g: g), "its gradient, of orders 1 and 2"),
    "shape": (dict(infer=lambda x: x.with_shape((4,))), "its shape and its dtype"),
    "dtype": (dict(infer=lambda x: x.with_dtype(np.float32)), "its shape and its dtype"),
    "text": (dict(numpy="np.sin(foreign)"), "its text parses"),
    "no-expression": (dict(numpy="np.sin(x0"), "its text parses"),
    "flops": (dict(flops=lambda n: -1), "its flops"),
    "writing": (dict(numpy="np.sin(x0, out=x0)"), "it computes the same every time"),
    "random": (dict(numpy="np.sin(x0) + np.random.rand()"), "it computes the same every time"),
    "no-node": (dict(bprop=lambda n, i, g: None), "its gradient, of orders 1 and 2"),
    "view": (dict(numpy="x0", bprop=lambda n, i, g: g), "only a view shares memory"),
    "no-view": (dict(view=True), "a view shares memory"),
    "no-examples": (dict(examples=()), "a record with a gradient has examples"),
    "jvp": (dict(jvp=lambda n, t: t[0]), "forward and reverse mode"),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_law_is_named(fault) -> None:
    """Each fault in a record breaks the law that is about it."""
    parts, law = fault
    good = dict(
        infer=lambda x: x, numpy="np.sin(x0)", flops=no_flops,
        bprop=lambda n, i, g: g * gc.cos(n.inputs[0]), examples=(gc.example([3]),),
    )  # fmt: skip
    assert gc.check_op(gc.Op("good", **good)).ok
    report = gc.check_op(gc.Op("fault", **{**good, **parts}))
    assert not report.ok
    assert any(row.law.startswith(law) for row in report.rows if not row.holds), f"\n{report}"
    with pytest.raises(gc.LawBroken, match="fault breaks a law"):
        report.raise_if_wrong()


def test_a_text_unlike_its_formula_breaks_the_law_of_meaning() -> None:
    """4 ulp at random points and at the extremes."""
    made = gc.elementwise("close", lambda x: x**2, numpy="x0 * x0 * (1 + 1e-9)", like=np.square)
    broken = [row.law for row in gc.check_op(made).rows if not row.holds]
    assert "its NumPy text is its expression to 4 ulp, extremes included" in broken
