"""Functions entered while building become parts of the graph: one for each call, at little cost."""

import contextlib
import functools
import gc as collector
import sys
import threading
import weakref

import numpy as np
import pytest

import graphc as gc
from graphc.draw.frames import Frames
from graphc.parts import Part

pytestmark = pytest.mark.skipif(
    sys.gettrace() is not None, reason="a tracer has the slot that tells calls apart"
)


def run(program, **given):
    """A program at the top of a module of its own; its variables."""
    space = {"gc": gc, **given}
    exec(compile(program, "<program>", "exec"), space)
    return space


def paths(*outputs):
    """The frames that a picture draws, in the order of the graph."""
    graph = gc.Graph(outputs)
    frames = Frames(graph.nodes)
    return list(dict.fromkeys(frames.path(v) for v in graph.nodes if v.inputs))


LAYER = """
def layer(x):
    return gc.tanh(2.0 * x)
"""
# A program whose result is z -> the frames of its picture.
PROGRAMS = {
    "a plain script has none": (
        "z = gc.input('x', ())\nfor k in range(3):\n    z = gc.tanh(2.0 * z)", [()],
    ),
    "each call is one": (
        LAYER + "x = gc.input('x', ())\nz = 3.0 * layer(layer(layer(x)))",
        [("layer 1",), ("layer 2",), ("layer 3",), ()],
    ),
    "also from one line of a loop": (
        LAYER + "z = gc.input('x', ())\nfor k in range(2):\n    z = layer(z)",
        [("layer 1",), ("layer 2",)],
    ),
    "also by map, lambda and comprehension": (
        LAYER + "x = gc.input('x', ())\na, b = map(layer, [x, x + 1])\n"
        "c = (lambda v: layer(v))(x + 2)\n(d,) = [layer(v) for v in [x + 3]]\nz = a + b + c + d",
        [("layer 1",), (), ("layer 2",), ("layer 3",), ("layer 4",)],
    ),
    "around a single operation there is none": (
        "def act(x):\n    return gc.tanh(x)\nz = act(act(gc.input('x', ()) + 1)) * 2", [()],
    ),
    "around everything there is none": (
        LAYER + "def main():\n    return 2.0 * layer(layer(gc.input('x', ())))\nz = main()",
        [("layer 1",), ("layer 2",), ()],
    ),
    "of a function that only calls another, the inner one stays": (
        LAYER + "def wrapper(x):\n    return layer(x)\nz = wrapper(gc.input('x', ())) + 1",
        [("layer",), ()],
    ),
    "they nest": (
        LAYER + "def block(x):\n    return gc.exp(layer(layer(x)))\n"
        "z = block(gc.input('x', ())) + 1",
        [("block", "layer 1"), ("block", "layer 2"), ("block",), ()],
    ),
    "recursion is one": (
        "def power(x, n):\n    return x if n == 1 else x * power(x, n - 1)\n"
        "z = power(gc.input('x', ()), 900) + 1",
        [("power",), ()],
    ),
    "a method is called by its class and name": (
        "class Layer:\n    def __call__(self, x):\n        return gc.exp(self.forward(x))\n"
        "    def forward(self, x):\n        return gc.tanh(2.0 * x)\n"
        "z = Layer()(gc.input('x', ())) + 1",
        [("Layer", "Layer.forward"), ("Layer",), ()],
    ),
    "a scope lies in the call that opens it, and around the calls made in it": (
        LAYER + "def block(x):\n    with gc.scope('inner'):\n        y = layer(x) + 1\n"
        "    return y * 2\n"
        "with gc.scope('outer'):\n    z = block(gc.input('x', ())) + 2\nz = z + 3",
        [("outer", "block", "inner", "layer"), ("outer", "block", "inner"), ("outer", "block"),
         ("outer",), ()],
    ),
    "scopes of one name are one": (
        "z = gc.input('x', ())\nfor k in range(3):\n    with gc.scope('a'):\n        z = gc.exp(z)",
        [("a",)],
    ),
    "a generator's frame is one call": (
        "def steps(x):\n    for k in range(3):\n        x = gc.tanh(x)\n        yield x\n"
        "z = sum(steps(gc.input('x', ())), 0.0)",
        [("steps",), ()],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PROGRAMS)
def test_the_frames_of_a_program(case):
    """What a reader of the program would draw a box around."""
    program, expected = PROGRAMS[case]
    assert expected == paths(run(program)["z"])


def test_whom_a_library_calls_is_where_the_program_begins():
    """This test is called by pytest, and a thread's target by threading: neither is a part."""

    def layer(x):
        return gc.tanh(2.0 * x)

    x = gc.input("x", ())
    assert () == (x * 3.0).scope
    assert (f"{layer.__name__}",) == layer(x + 4.0).scope
    found = []
    thread = threading.Thread(target=lambda: found.append([(x * 5.0).scope, layer(x * 6.0).scope]))
    thread.start()
    thread.join()
    assert [[(), ("layer",)]] == found


def test_functions_of_libraries_are_no_parts():
    """functools and contextlib stand between, and what they call is the user's all the same."""

    @contextlib.contextmanager
    def nothing():
        yield

    @nothing()
    def decorated(x):
        return gc.exp(3.0 * x)

    @functools.singledispatch
    def chosen(x):
        return gc.sin(5.0 * x)

    x = gc.input("x", ())
    assert ("decorated",) == decorated(x).scope
    assert ("chosen",) == chosen(x).scope
    assert () == gc.softmax(gc.input("v", (3,))).scope


def test_a_gradient_belongs_to_the_call_of_its_forward_node():
    """Wherever it is asked for."""

    def layer(x):
        return gc.tanh(2.0 * x)

    def ask(z, x):
        return gc.grad(z, x)

    x = gc.input("x", ())
    h = layer(x)
    table = gc.backprop(layer(h) * 3.0, [x])
    assert ("layer",) == table[h].scope
    assert ask(h, x).scope == ("layer",)


def test_a_call_that_is_over_is_forgotten():
    """No frame is held: what its variables held may go."""

    class Large:
        pass

    def build(x):
        held = Large()
        return gc.tanh(x * 7.0), weakref.ref(held)

    z, held = build(gc.input("x", ()))
    assert ("build",) == z.scope and held() is None
    part = weakref.ref(z)
    del z
    collector.collect()
    assert part() is None


def test_a_tracer_that_starts_later_is_not_disturbed():
    """The frame's part is a trace function that does nothing."""

    def layer(x):
        first = x * 8.0
        seen = []
        sys.settrace(lambda frame, event, arg: seen.append(event))
        second = gc.tanh(first)
        sys.settrace(None)
        return second, seen

    z, seen = layer(gc.input("x", ()))
    assert "call" in seen and z.scope[:1] == ("layer",)
    assert Part()("frame", "line", None) is None


def test_expand_takes_a_functions_name():
    """For each of its calls, or one of them by its number; another name is an error."""
    z = run(LAYER + "z = gc.input('x', ())\nfor k in range(3):\n    z = layer(z)")["z"]
    folded = gc.draw(z, fold=True).picture.boxes
    assert {"layer 1", "layer 2", "layer 3"} <= {box.lines[0] for box in folded}
    opened = gc.draw(z, fold=True, expand="layer").picture.boxes
    assert not any(box.folded > 1 for box in opened)
    second = gc.draw(z, fold=True, expand="layer 2").picture.boxes
    assert 2 == sum(box.folded > 1 for box in second)
    with pytest.raises(gc.GraphcError, match="'lawyer'.*layer 1"):
        gc.draw(z, expand="lawyer")


# -- graphc's own functions -------------------------------------------------------------------


def labels(drawing):
    return [" ".join(box.lines) for box in drawing.picture.boxes]


def test_a_function_of_graphcs_is_drawn_as_one_operation():
    """What logsumexp does inside is no news; asked for, it is there."""
    U = gc.input("U", ("n", 10))
    loss = gc.mean(gc.logsumexp(U, axis=1)) + gc.sum(gc.softmax(U, axis=0) * U)
    found = labels(gc.draw(loss))
    one, other = "logsumexp(U, axis=1)", "softmax(U, axis=0)"
    assert {one, f"mean({one})", other, f"{other} * U"} <= set(found)
    assert len(found) == 7
    assert any("isfinite" in label for label in labels(gc.draw(loss, fold=False)))
    opened = labels(gc.draw(loss, expand="logsumexp"))
    assert any("isfinite" in label for label in opened) and other in opened
    assert () == loss.scope


@pytest.mark.parametrize("function", [np.trace, np.diff, np.linalg.norm])
def test_a_function_of_numpys_has_its_own_name(function):
    """And not that of what NumPy calls on a tensor."""
    A = gc.input("A", ("n", "n"))
    assert f"= {function.__name__}(A)" in str(gc.Graph([function(A) * 2]))


@pytest.mark.parametrize("name", ["var", "std", "trace"])
def test_a_method_has_its_own_name(name):
    """And not that of what looks methods up."""
    A = gc.input("A", (4, 4))
    assert f"= {name}(A)" in str(gc.Graph([getattr(A, name)() * 2]))


def test_its_result_has_the_users_name_and_is_what_it_is():
    """A loss that is a mean is the loss."""
    x = gc.input("x", ("n",))
    s = gc.softmax(x)
    loss = gc.mean(s * x)
    boxes = {" ".join(b.lines): b for b in gc.draw(loss, wrt=x).picture.boxes}
    assert "s = softmax(x)" in boxes
    assert "loss" == boxes["loss = mean(s * x)"].kind
    assert boxes["loss = mean(s * x)"].is_output
    assert any(label.startswith("∇ softmax") for label in boxes)


def test_alone_it_is_opened():
    """A picture of softmax(x) with one box in it would explain nothing."""
    assert len(labels(gc.draw(gc.softmax(gc.input("x", (3,)))))) > 3


def test_differences_prunings_and_derivatives_are_told_of_single_operations():
    """They are about what lies inside."""
    x = gc.input("x", ("n",))
    z = gc.sum(gc.softmax(x) * 2.0)
    count = len(labels(gc.draw(z, fold=False)))
    for drawing in (gc.draw(z, view="jacobians"), gc.draw(z, wrt=x, view="pruned")):
        assert count == len(labels(drawing))
    assert not any("softmax" in label for label in labels(gc.draw.diff(z, z)))


def cell(x, h, c):
    """One step of a recurrence; its input needs no earlier step."""
    c = c * gc.sigmoid(x @ gc.input("W", (3, 4)) + h @ gc.input("U", (4, 4)))
    return gc.tanh(c), c


def test_calls_are_numbered_in_the_order_in_which_they_were_made():
    """The last step's product with its input has no predecessor: it stood first, as cell 1."""
    h = c = gc.input("h", ("n", 4))
    for k in range(3):
        h, c = cell(gc.input(f"x{k}", ("n", 3)), h, c)
    boxes = gc.draw(gc.sum(h), fold=True).picture
    names = {box.id: box.lines[0] for box in boxes.boxes}
    found = {(names[e.tail], names[e.head]) for e in boxes.edges}
    assert {("cell 1", "cell 2"), ("cell 2", "cell 3")} <= found
    assert "cell 3" in {tail for tail, head in found if head.startswith("sum")}


def scoped_block(x, k):
    with gc.scope("mlp"):
        return x + gc.tanh(x @ gc.input(f"W{k}", (4, 4)))


def test_a_picture_keeps_its_frames_while_another_call_builds_the_nodes_again():
    """As another thread may: nodes are shared, and the last call that made them has them."""
    x = gc.input("x", ())
    z = run(LAYER + "z = layer(layer(x))", x=x)["z"]
    order = gc.Graph([z]).nodes
    frames = Frames(order)
    drawn = [frames.path(v) for v in order]
    run(LAYER + "z = layer(layer(x))", x=x)
    assert drawn == [frames.path(v) for v in order]


def test_a_scope_in_two_calls_is_two_scopes():
    """The frame of a call that holds nothing but a scope is not drawn; the scopes were one."""
    h = gc.input("h", ("n", 4))
    for k in range(2):
        h = scoped_block(h, k)
    parts = {box.part for box in gc.draw(gc.sum(h**2)).picture.boxes if box.part}
    assert {("mlp 1",), ("mlp 2",)} == parts
    assert len(gc.draw(gc.sum(h**2), fold=True, expand="mlp").picture.boxes) > 6


def unrolled(steps):
    """A recurrence, its weights, and the loss at its end."""
    W, U = gc.input("W", (3, 4)), gc.input("U", (4, 4))
    b, h = gc.input("b", (4,)), gc.input("h", ("n", 4))
    for k in range(steps):
        h = step_of(gc.input(f"x{k}", ("n", 3)), h, W, U, b)
    return gc.sum(h), [W, U, b]


def step_of(x, h, W, U, b):
    return gc.tanh(x @ W + h @ U + b)


def test_inputs_that_go_to_the_same_folded_boxes_are_one():
    """Sixty arrows from twelve weights to five steps hid how the steps follow each other."""
    loss, weights = unrolled(4)
    boxes = {box.lines: box for box in gc.draw(loss, fold=True).picture.boxes}
    (together,) = [box for lines, box in boxes.items() if lines[-1] == "3 inputs"]
    assert ("W, U, b", "input") == (together.lines[0], together.kind)
    assert {"W", "U", "b"} <= {box.lines[0] for box in gc.draw(loss).picture.boxes}


def test_what_is_added_up_for_a_gradient_is_one_box_beside_its_input():
    """The sums of shares lay in the last step, which so stood before and after all others."""
    loss, weights = unrolled(4)
    picture = gc.draw(loss, wrt=weights[:1], fold=True).picture
    names = {box.id: box.lines[0] for box in picture.boxes}
    (total,) = [box for box in picture.boxes if box.lines[0].startswith("∇W")]
    assert 4 == sum(edge.head == total.id for edge in picture.edges)
    assert total.is_output and total.is_one
    between = {(names[e.tail], names[e.head]) for e in picture.edges if e.kind == "gradient"}
    steps = [f"∇ step_of {k}" for k in (4, 3, 2, 1)]
    assert set(zip(steps, steps[1:], strict=False)) <= between
    assert not between & set(zip(steps[1:], steps, strict=False))
    # Asked for single operations, each addition is one.
    single = gc.draw(loss, wrt=weights[:1], fold=False).picture.boxes
    assert not any(box.folded > 1 for box in single)


def test_a_function_is_one_box_though_another_has_made_its_nodes():
    """With a softmax of A alive, logsumexp(A) was a box softmax and a box log(...)."""
    A = gc.input("A", ("n", "d"))
    alive = gc.softmax(A, axis=1)
    assert "logsumexp(A, axis=1)" in labels(gc.draw(gc.exp(gc.logsumexp(A, axis=1, keepdims=True))))
    both = labels(gc.draw(gc.logsumexp(A, axis=1, keepdims=True), alive))
    assert not any("nodes" in label for label in both)  # what both use is shown


def test_a_diff_has_the_frames_of_the_graph_before():
    """A frame "sum" held one box that was there before and another that is there now."""
    x, y = gc.input("x", ("n",)), gc.input("y", ("n",))
    before = gc.sum(gc.exp(x)) + gc.sum(y * 1)
    f = gc.compile(before + gc.sum(x * y * 1), simplify=True)
    assert not any(box.part for box in gc.draw(f.log).picture.boxes)
    after = gc.sum(gc.exp(x)) + gc.sum(y)
    assert not any(box.part for box in gc.draw.diff(before, after).picture.boxes)
