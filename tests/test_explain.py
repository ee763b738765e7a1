"""Explanations: whole texts, and every formula in them evaluated against the values it stands for.

`python tests/test_explain.py` prints explanations.txt anew, for reading before it is kept.
"""

import linecache
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import graphc as gc

FILE = Path(__file__).with_name("explanations.txt")


def records():
    """(program, text) for each part of the file."""
    for part in FILE.read_text(encoding="utf-8").split("\n=====\n"):
        program, _, text = part.partition("\n-----\n")
        yield program.strip(), text.rstrip("\n")


def fresh(name, shape=()):
    """An input like no other: what is made of it has no line but that of the program."""
    return gc.OPS["input"](**gc.input(name, shape).attrs, token=object())


def said(program):
    """What a program's last line, an expression, comes to as text; its lines can be read back."""
    file = "model.py"
    linecache.cache[file] = (len(program), None, program.splitlines(keepends=True), file)
    *lines, last = program.splitlines()
    names = {"gc": types.SimpleNamespace(**{**vars(gc), "input": fresh}), "np": np}
    exec(compile("\n".join(lines) + "\n" * 99, file, "exec"), names)
    return str(eval(last, names))


CASES = list(records())


@pytest.mark.parametrize(("program", "text"), CASES, ids=[p.splitlines()[-1] for p, _ in CASES])
def test_an_explanation_reads_like_this(program, text):
    """What a student reads, whole."""
    assert text == said(program)


# -- formulas are evaluated ---------------------------------------------------------------------

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
MATHEMATICS = {
    **{name: getattr(np, name) for name in ("exp", "log", "sin", "cos", "tanh", "sqrt", "abs")},
    "σ": lambda x: 1 / (1 + np.exp(-x)), "softplus": lambda x: np.logaddexp(0, x),
    **{name: getattr(np, name) for name in ("log1p", "logical_not", "sign", "where", "maximum")},
    "relu": lambda x: np.maximum(x, 0), "sum": np.sum,
}  # fmt: skip


def value_of(formula, values):
    """The number that a formula's text stands for: as a reader would compute it."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: f"**({m[0].translate(SUPERSCRIPTS)})", str(formula))
    text = text.replace("−", "-").replace("^", "**").replace("∇", "grad_")
    text = text.replace("¬(", "logical_not(")
    known = {k.replace("∇", "grad_"): v for k, v in values.items()}
    with np.errstate(all="ignore"):
        return eval(text, MATHEMATICS, known)


# Other names than in the file: a value that exists keeps the line that made it.
n, d = gc.dims("n d")
x, y = gc.input("xq", ()), gc.input("yq", ())
X, t, w = gc.input("Xq", (n, d)), gc.input("tq", (n,)), gc.input("wq", (d,))

SCALARS = [
    x * gc.sin(x * y),
    gc.exp(x * y) + x * y / gc.log(x) + gc.sin(gc.log(x)) / (x * y),
    gc.tanh(gc.tanh(gc.tanh(x) * y) * y),
    (x - y) ** 3 / (1 + x**2) - x,
    gc.where(x > y, gc.sqrt(x), gc.exp(-x)) * y,
    gc.softplus(-x * y) + 0.01 * (x**2 + y**2),
    gc.relu(x - y) * gc.log1p(x) - gc.abs(y) * gc.maximum(x, y),
    (-x) * (x + x) - y**-2,
]
TENSORS = [gc.sum(gc.softplus(-t * (X @ w))) + 0.01 * gc.sum(w**2), gc.sum((X @ w - t) ** 2) / 2]


def points(z):
    rng = np.random.default_rng(0)
    sizes = {n: 3, d: 2}
    inputs = [v for v in gc.Graph([z]).nodes if v.op.name == "input"]
    for _ in range(3):
        yield {v: rng.uniform(0.2, 2.0, [sizes[k] for k in v.shape]) for v in inputs}


@pytest.mark.parametrize("z", SCALARS + TENSORS, ids=range(len(SCALARS + TENSORS)))
def test_every_formula_has_the_value_that_it_stands_for(z):
    """Each share, sum, shortened and simplified form, computed from its text."""
    wrt = [v for v in (x, y, w) if v in gc.Graph([z])]
    for at in points(z):
        e = gc.explain(z, wrt, at)
        known = {v.name: value for v, value in at.items()}
        for step in e.steps[::-1]:
            known[str(step.name)] = step.value
        for step in e.steps:
            known[f"∇{step.name}"] = step.slope
            if step.operation is not None:
                np.testing.assert_allclose(value_of(step.operation, known), step.value)
            for share in step.shares:
                by_rule = value_of(share.rule, known) * np.ones(np.shape(step.value))
                np.testing.assert_allclose(by_rule, share.value)
                if share.numbers is not None:
                    np.testing.assert_allclose(value_of(share.numbers, {}), share.value, rtol=1e-4)
            for formula in (step.sum, step.built, step.simplified):
                found = value_of(formula, known) * np.ones(np.shape(step.value))
                np.testing.assert_allclose(found, step.slope)
        for v in wrt:
            result = value_of(e.derivation.result(v), known)
            np.testing.assert_allclose(result, gc.evaluate(gc.grad(z, v), at))


@pytest.mark.parametrize("z", SCALARS, ids=range(len(SCALARS)))
def test_the_steps_are_those_of_the_table(z):
    """The data and the algorithm's own record agree, and the shares add up."""
    e = gc.explain(z, [x, y], at={x: 1.5, y: 0.5})
    assert [s.node for s in e.table.steps] == [s.node for s in e.steps]
    for step, own in zip(e.steps, e.table.steps, strict=True):
        assert own.gradient is step.gradient
        assert [(c.consumer, c.position) for c in own.contributions] == [s[:2] for s in step.shares]
        if step.shares:
            np.testing.assert_allclose(sum(s.value for s in step.shares), step.slope)


# -- reasons -----------------------------------------------------------------------------------

p, q, r = gc.input("p", ()), gc.input("q", ()), gc.input("r", ())
hidden = gc.tanh(p * q)
cut = gc.floor(p) * q
loss = hidden * 3 + cut

WHY = {
    "loss": "loss is what is differentiated: its own gradient is 1 (step 1).",
    "p": "p is asked for, and loss depends on it: p → u1 → hidden → u2 → loss (step 5).",
    "hidden": "hidden lies between p and loss: p → u1 → hidden, and hidden → u2 → loss. "
    "Its gradient is needed on the way to p (step 3).",
    "q": "q is left out of the derivation: not a descendant of p. Its value is used by u1.",
    "cut": "cut is left out of the derivation: every path from p through it to loss is cut. "
    "Its value is used by loss.",
    "∇u1": "It is the gradient of loss by u1 (step 4).",
}


@pytest.mark.parametrize("name", WHY)
def test_a_node_s_reason_is_told_by_name(name):
    """Why it is in the graph, or why it was left out."""
    assert WHY[name] == gc.explain(loss, p).why(name)


def test_a_node_s_reason_is_told_for_the_node_itself():
    """Gradient nodes, parts of contributions, and strangers."""
    e = gc.explain(loss, p)
    local = next(v for v in gc.Graph([e.table[p]]).nodes if v.op.name == "square")
    assert "It is a part of what hidden contributes to the gradient by u1 (step 4)." == e.why(local)
    stranger = "r has no part in this: loss and its gradients do not use it."
    assert stranger == e.why(r)
    with pytest.raises(gc.GraphcError, match="there is no node called 'nobody' here: "):
        e.why("nobody")


def test_targets_without_a_gradient_are_told_with_the_reason():
    """The others are explained all the same."""
    e = gc.explain(loss, [p, r])
    assert {r: "no gradient: loss does not depend on r"} == e.missing
    assert [(c.node, c.consumer.op.name) for c in e.cuts] == [(p, "floor")]
    assert "No gradient: loss does not depend on r." in str(e) and "∇p" in str(e)
    nothing = gc.explain(gc.round(p), [p])
    assert 0 == len(nothing.steps) and "is cut, first where round takes p" in str(nothing)


ZEROS = [
    (gc.relu(p), {p: -2.0}, "∇p is 0: the derivative of u1 by p is 0 here."),
    (gc.relu(p) ** 2, {p: -2.0}, "∇u1 is 0: the derivative of u2 by u1 is 0 here."),
    (gc.relu(p) ** 2, {p: -2.0}, "∇p is 0: ∇u1 is 0 (step 2)."),
    (p**2 - 2 * p, {p: 1.0}, "∇p is 0 because the contributions cancel."),
    (gc.abs(p), {p: 0.0}, "p sits on a kink of abs, whose slope is -1 to the left and 1 to the"),
    (gc.maximum(p, q), {p: 2.0, q: 2.0}, "p sits on a kink of maximum, whose slope is 0 to the"),
    (gc.sqrt(p), {p: 0.0}, "Here the gradient first is infinite: the derivative of u1 by p is not"),
    (gc.where(p > 0, gc.log(p), 0), {p: 0.0}, "u1 contributes exactly 0 where a branch was not"),
    (gc.log(p - p * q), {p: 1.0, q: 1.0}, "Here the gradient first is infinite: the derivative"),
]


@pytest.mark.parametrize(("z", "at", "sentence"), ZEROS, ids=[s for *_, s in ZEROS])
def test_a_gradient_that_is_zero_or_infinite_is_explained(z, at, sentence):
    """Zeros, kinks, guards and poles are what people ask about."""
    e = gc.explain(z, p, at)
    assert any(remark.startswith(sentence) for s in e.steps for remark in e.remarks(s))


def test_smooth_functions_have_no_kinks_and_no_reasons_for_zeros():
    """A remark where there is nothing to remark would teach distrust."""
    for z in SCALARS[:4]:
        e = gc.explain(z, [x, y], at={x: 1.3, y: 0.7})
        told = [remark for s in e.steps for remark in e.remarks(s)]
        assert [] == [remark for remark in told if not remark.endswith("known already.")]


# -- faces and bounds ----------------------------------------------------------------------------


def test_markdown_and_latex_are_balanced_and_tell_every_step():
    """Notebooks render them: a lost brace or dollar breaks the page."""
    for z in [*SCALARS, *TENSORS]:
        e = gc.explain(z, [v for v in (x, y, w) if v in gc.Graph([z])])
        assert e.markdown == e._repr_markdown_() and 0 == e.markdown.count("$") % 2
        assert len(e.steps) == len(re.findall(r"^- \*\*\d+", e.markdown, re.MULTILINE))
        for text in (e.latex, *re.findall(r"\$([^$]+)\$", e.markdown)):
            plain = re.sub(r"\\[{}]", "", text)
            assert plain.count("{") == plain.count("}")
            assert not re.search(r"_\{(\w|[{}])*\}_|\^\{(\w|[\\{}])*\}\^", text), "a double script"
            assert text.count(r"\left") - text.count(r"\leftarrow") == text.count(r"\right")
        assert len(e.steps) == len(re.findall(r"^\\nabla", e.latex, re.MULTILINE))


def network(layers, scoped):
    h, weights = gc.input("h", (8,)), []
    for k in range(layers):
        weights.append(gc.input(f"W{k}", (8, 8)))
        with gc.scope(f"layer{k}" if scoped else "network"):
            h = gc.tanh(weights[-1] @ h)
    return gc.sum(h**2), weights


@pytest.mark.parametrize("scoped", [True, False])
@pytest.mark.parametrize("layers", [12, 300])
def test_long_derivations_are_bounded_and_say_what_they_leave_out(layers, scoped):
    """Every step is written or stands in one gap."""
    z, weights = network(layers, scoped)
    e = gc.explain(z, weights, limit=20)
    assert len(str(e).splitlines()) < 120 and len(e.latex) < 20_000 and len(e.markdown) < 20_000
    written = [[n] if isinstance(n, int) else n.numbers for n in e.outline]
    assert sorted(n for part in written for n in part) == list(range(1, len(e.steps) + 1))
    assert sum(isinstance(n, int) for n in e.outline) <= 20
    everything = gc.explain(z, weights, limit=None)
    assert list(range(1, len(e.steps) + 1)) == everything.outline


def test_a_node_with_thousands_of_consumers_is_told_in_a_few_lines():
    """A weight used at every time step of a long recurrence."""
    h, W = gc.input("h", (4,)), gc.input("W", (4, 4))
    for _ in range(2000):
        h = gc.tanh(W @ h)
    e = gc.explain(gc.sum(h), W)
    assert len(str(e).splitlines()) < 80 and "and 1995 more contribute likewise" in str(e)
    assert 1995 == e.steps[-1].more


def test_explaining_leaves_the_graph_as_it_was():
    """Formulas are found by building nodes; the user's own keep their lines and names."""
    z = (x * gc.tanh(x)).named("z1")
    g = gc.grad(z, x)
    before = [(v, v.where, v.origin, v.adjoint_of, v.label) for v in gc.Graph([z, g]).nodes]
    str(gc.explain(z, x, at={x: 1.0}))
    assert before == [
        (v, v.where, v.origin, v.adjoint_of, v.label) for v in gc.Graph([z, g]).nodes
    ]


def main():
    """Print explanations.txt with what is said today."""
    parts = [f"{program}\n-----\n{said(program)}\n" for program, _ in CASES]
    sys.stdout.write("\n=====\n".join(parts))


if __name__ == "__main__":
    main()
