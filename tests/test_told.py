"""The log tells each rewrite in the user's own terms: what became what, at what cost, how right."""

import pytest

import graphc as gc
from graphc.ir import Graph
from graphc.passes import run
from graphc.passes.told import change

X, W = gc.input("X", ("n", 8)), gc.input("W", (8, 8))
x, y, s = gc.input("x", ("n",)), gc.input("y", ("n",)), gc.input("s", ())
k = gc.input("k", ("n",), dtype="int64")


def story(*outputs, mode=True):
    return run(Graph(outputs), mode)[1].story


def exponent():
    z = x * y
    return gc.log(1 + gc.exp(z))


# What is written, and what the line below its equation says.
TOLD = {
    "names that were given": (
        exponent,
        "log(1 + exp(z)) -> softplus(z)   cost 31 -> 40   "
        "worst error 8e+15 ulp before, 0.7 after",
    ),
    "numbers": (
        lambda: 0.01 * (2 * x),
        "0.01 * (2 * x) -> x * 0.02   2*n -> n flops   the same numbers",
    ),
    "bits": (
        lambda: gc.exp(x) + -y,
        "add: exp(x) − y -> subtract: exp(x) − y   2*n -> n flops   the same bits",
    ),
    "two ops of one text": (
        lambda: x**2 + y,
        "power: x² -> square: x²   cost 40 -> 1   the same bits",
    ),
    "integers": (lambda: k + 0, "k + 0 -> k   n -> 0 flops   the same bits"),
    "matrices": (lambda: (X @ W).T @ X, "(X @ W)ᵀ -> Wᵀ @ Xᵀ   cost 2 -> 1"),
    "sizes": (lambda: gc.sum(gc.broadcast_to(s, ("n",))), "sum(s) -> s * n   n -> 1 flops"),
    "what it is made of is not told": (
        lambda: gc.relu(gc.tanh(X @ W) @ W) * 1.0 + s,
        "relu(… @ W) * 1 -> relu(… @ W)   8*n -> 0 flops   the same bits",
    ),
    "kinks": (
        lambda: gc.grad(gc.sum(gc.maximum(x, y)), x),
        "where(x > y, 1, where(x == y, 0.5, 0)) -> 0.5 * (x == y) + (x > y)   the same bits",
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_rewrite_is_told_in_the_users_terms(name):
    """Both sides, the operations of each, and the worst errors where they are soon found out."""
    build, line = TOLD[name]
    assert f"\n        {line}" in story(build())


def test_a_form_that_sympy_found_is_told_too():
    """Its equation is in x0, x1; the line below in the user's names."""
    told = story(x**2 - y**2)
    assert "region: x0² − x1² = (x0 − x1) * (x0 + x1) (difference of squares" in told
    assert "\n        x² − y² -> (x − y) * (x + y)\n" in told + "\n"


def test_equal_layers_are_told_once_with_a_count():
    """However many there are, and whatever their weights are called."""
    h = X
    for k in range(24):
        h = gc.tanh(h @ gc.input(f"W{k}", (8, 8)) * 1.0)
    told = story(h)
    assert "times_one: 1 * x = x  (24 times)   test_told.py:" in told
    assert "tanh(…) @ W1 * 1 -> tanh(…) @ W1" in told
    assert len(told.splitlines()) <= 7


def test_what_reads_the_same_before_and_after_is_told_once():
    """What stretches an operand is not written, so that only the place can be told."""
    told = story(x * gc.broadcast_to(s, ("n",)))
    assert "        in " in told and "        multiply: " not in told


def test_a_step_says_how_much_it_did():
    """Rewrites, and nodes before and after."""
    assert story(x * 1.0 + (-y)).startswith("rules: 2 rewrites, 6 nodes -> 3\n")
    assert "strict rules: 1 rewrite, 3 nodes -> 1\n" in story(x * 1.0, mode="strict")
    steps = run(Graph([gc.exp(x) / gc.exp(y) * 1.0]), True)[1].steps
    shown = ["<rules: 1 rewrite, 5 nodes>", "<simplify: 0 rewrites, 2 refused, 5 nodes>"]
    assert shown == [*map(repr, steps[3:5])]  # it was all their graphs and rewrites


def test_a_line_is_bounded():
    """Of what is long the middle is left out."""
    v = x
    for _ in range(40):
        v = gc.sin(v * y + s) / (1 + gc.exp(v))
    told = [line for line in story(v * 1.0 + (-y) * v).splitlines() if line.startswith(" " * 8)]
    assert max(map(len, told)) <= 180 and len(told) >= 2


def test_what_a_rewrite_changed_is_no_more_than_that():
    """The rest of the graph is on the border, also where one side has nothing of the other."""
    deep = gc.exp(gc.sin(gc.exp(gc.sin(x))))
    gone, made, border = change(deep * 0.0, gc.zeros(("n",)))
    assert [v.op.name for v in gone] == ["multiply"]
    assert deep in border and all(v.op.family in ("leaf", "layout") for v in made)
    gone, made, border = change(-(s * deep), -s * deep)
    assert [v.op.name for v in (*gone, *made)] == ["multiply", "negative", "negative", "multiply"]
    assert set(border) == {s, deep}


def test_to_tell_takes_time_by_the_equation_not_by_the_rewrite():
    """A long chain is counted, and looked at in its first links only."""
    v = x
    for k in range(2000):
        v = gc.sin(v + k * 1.0) * 1.0
    told = story(v)
    assert "(2000 times)" in told
    assert len(told) < 3000


def test_a_pass_that_runs_again_is_told_with_its_round():
    """Two rows of one name look like a mistake of the table."""
    x = gc.input("x", ("n",))
    log = gc.compile(gc.sum(gc.exp(x) / gc.sum(gc.exp(x) + gc.exp(2 * x)))).log
    names = [row.rsplit("  ")[0].strip() for row in log.table.splitlines()]
    assert {"rules", "rules 2"} <= set(names) and len(names) == len(set(names))
    assert len(log.steps) == len(names) - 1
