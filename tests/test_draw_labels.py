"""What a picture calls things: gradients by their order, names given twice, operations."""

import re
import struct

import pytest

import graphc as gc
from graphc.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("bundled")


def labels(drawing):
    """What stands left of the equals sign in each box."""
    return [" ".join(box.lines).split(" =")[0] for box in drawing.picture.boxes]


def curve():
    x = gc.input("x", ())
    y = gc.exp(x) * gc.sin(x)
    return x, y


# What is drawn -> labels that must be there, and none that begins as the last says.
ORDERS = {
    "one gradient is a nabla": (
        lambda x, y: [y, gc.grad(y, x)], {"∇x"}, "∂",
    ),
    "two orders are told apart": (
        lambda x, y: [y, gc.grad(y, x), gc.grad(gc.grad(y, x), x)], {"∂y/∂x", "∂²y/∂x²"}, "∇",
    ),
    "the second order alone is not called the first": (
        lambda x, y: [y, gc.grad(gc.grad(y, x), x)], {"∂²y/∂x²"}, "∇",
    ),
    "the third": (
        lambda x, y: [y, gc.grad(gc.grad(gc.grad(y, x), x), x)], {"∂³y/∂x³"}, "∇",
    ),
    "two losses": (
        lambda x, y: [(u := x * y), gc.grad(y, x), gc.grad(u, x)], {"∂y/∂x", "∂u/∂x"}, "∇",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ORDERS)
def test_a_gradient_says_of_what_it_is_and_of_which_order(case):
    """Two boxes called ∇x would be two different values under one name."""
    build, expected, absent = ORDERS[case]
    found = labels(gc.draw(build(*curve())))
    assert expected <= set(found)
    assert [] == [label for label in found if label.startswith(absent)]
    assert len(set(found)) == len(found)


def test_mixed_derivatives_name_their_variables_and_vectors_what_is_differentiated():
    """grad(grad(z, x), y) is ∂²z/∂y∂x; a Hessian times a vector is no second-order gradient."""
    x, y = gc.input("x", ()), gc.input("y", ())
    z = gc.exp(x * y)
    assert "∂²z/∂y∂x" in labels(gc.draw(z, gc.grad(gc.grad(z, x), y)))
    cube = x**3  # which its gradient does not hold
    assert r"\frac{\partial^{2} \mathrm{cube}}{\partial x^{2}} = " in gc.latex(
        gc.grad(gc.grad(cube, x), x)
    )
    w, v = gc.input("w", ("d",)), gc.input("v", ("d",))
    loss = gc.sum(gc.sin(w))
    s = gc.sum(gc.grad(loss, w) * v)
    assert "∂s/∂w" in labels(gc.draw(loss, s, gc.grad(s, w)))
    assert r"\frac{\partial^{2} z}{\partial y \partial x}" in gc.latex(gc.grad(gc.grad(z, x), y))


def test_a_name_given_to_several_values_is_numbered():
    """As in the program: h, h_1, h_2; what it is an input of says which is meant."""
    h = gc.input("x", ("n", 3))
    for k in range(3):
        h = gc.tanh(h @ gc.input(f"W{k}", (3, 3)))
    drawing = gc.draw(h)
    assert {"h", "h₁", "h₂", "h @ W1", "h₁ @ W2"} <= set(labels(drawing))
    assert "h_1 = " in gc.compile(h).source
    assert r"h_{2} = \tanh\left(h_{1} W_{2}\right)" == gc.latex(h)


def test_no_label_speaks_of_einsum_where_people_write_a_product():
    """The op of `X @ w` is called einsum, and nobody wrote that."""
    X, w = gc.input("a_long_name_of_data", ("n", "d")), gc.input("the_weights", ("d",))
    h = gc.tanh(X @ w) + 1.0
    table = gc.backprop(gc.sum(h), [w])
    boxes = gc.draw(table).picture.boxes
    told = "\n".join(line for box in boxes for line in (*box.lines, *box.facts))
    assert "matmul : f64[n]" in told
    assert "∇(a_long_…f_data @ …)" in told
    assert "einsum" not in told


def test_a_number_in_a_shape_is_the_number():
    """`reshape(1)` says nothing that 1 does not say."""
    x = gc.input("x", ("n", 3))
    loss = gc.sum(gc.logsumexp(x, axis=1))
    assert "reshape(1)" not in str([box.lines for box in gc.draw(loss, wrt=x).picture.boxes])


@pytest.mark.parametrize("build, formula", [
    (lambda w: gc.grad(w[0] + w[1] * 2, w), "place(1, at=[0]) + place(2, at=[1])"),  # was 1 + 2
    (lambda w: gc.grad(gc.sum(w[:3]), w), "place(1, at=[:3])"),
    (lambda w: gc.diagonal_matrix(gc.full(("n",), 2)) @ w, "diagonal_matrix(2) @ w"),
    (lambda w: gc.grad(gc.grad(w[0] ** 2, w)[0], w), "place(1 * 2, at=[0])"),
])
def test_a_number_laid_among_zeros_is_not_the_number(build, formula):
    """The slope of w[0] + w[1] is a vector; taken out of the zeros again, a number is one."""
    assert formula in str(gc.tree(build(gc.input("w", ("n",)))))


@pytest.mark.parametrize("build, formula", [
    (lambda A: gc.linalg.slogdet(A).logabsdet, "slogdet(A)[1] * 2"),  # was slogdet(A) * 2
    (lambda A: gc.linalg.cholesky(A, upper=True), "cholesky(Aᵀ)ᵀ * 2"),
    (lambda A: gc.sort(A[0], descending=True), "sort(A[0][::-1])[::-1] * 2"),
    (lambda A: gc.sort(A[0]), "sort(A[0]) * 2"),
])
def test_a_box_does_not_hide_what_a_function_does_beside_its_operation(build, formula):
    """One box for all would be called as if the operation were the whole."""
    A = gc.input("A", ("n", "n"))
    assert formula in str(gc.tree(build(A) * 2))


@pytest.mark.parametrize("view", ["gradient"])
def test_a_view_with_nothing_in_it_is_an_error_that_says_what_to_do(view):
    """An empty page teaches nobody."""
    x, y = curve()
    with pytest.raises(ArgumentError, match="y holds no gradient.*wrt="):
        gc.draw(y, view=view)
    assert gc.draw(y, wrt=x, view=view).picture.boxes


def test_a_bitmap_is_sharp():
    """192 pixels to the inch, where a layout's inch has 72 points."""
    x, y = curve()
    drawing = gc.draw(y)
    w, h = struct.unpack(">II", drawing.png[16:24])
    assert w > 2.5 * drawing.layout.width and h > 2.5 * drawing.layout.height


def test_the_box_of_a_function_says_once_what_it_is():
    """Where its argument is cut to fit the line, too; and a picture is called as its last box."""
    x = gc.input("a_name_that_fills_a_line_by_itself", ("n", "d"))
    boxes = gc.draw(gc.sum(gc.softmax(x))).picture.boxes
    assert ("softmax(a_name_that_fills…itself)",) == boxes[1].lines
    assert "mean(out²)" == gc.draw(gc.mean(gc.input("out", ("n",)) ** 2)).picture.title


def decayed(rate):
    """A loss with a weight decay, and what it is differentiated by."""
    X, y, w = gc.input("X", ("n", "d")), gc.input("y", ("n",)), gc.input("w", ("d",))
    v = gc.input("v", ("d",))
    return gc.mean((X @ (w * v) - y) ** 2) + rate * gc.sum(w**2) + rate * gc.sum(v**2), [w, v]


@pytest.mark.parametrize("rate", [0.1, gc.input("rate", ())], ids=["a number", "an input"])
def test_every_gradient_goes_on_to_those_that_are_asked_for(rate):
    """A product with a broadcast scalar is built from the scalar: ∇(w²) = rate led nowhere."""
    loss, wrt = decayed(rate)
    picture = gc.draw(loss, wrt=wrt).picture
    goes_on = {edge.tail for edge in picture.edges}
    ends = [box.lines for box in picture.boxes if box.is_gradient and box.id not in goes_on]
    assert {"∇w", "∇v"} == {lines[0].split(" =")[0] for lines in ends}


def test_a_gradient_by_several_values_without_names_tells_two_of_them():
    """One alone had it, where both are the same node."""
    loss, wrt = decayed(gc.input("rate", ()))
    found = labels(gc.draw(loss, wrt=wrt))
    assert {"∇sum(v²), ∇sum(w²)", "∇sum(w²), ∇sum(v²)"} & set(found)


def shown(drawing):
    """What stands in each box, as one line."""
    return [" ".join(box.lines) for box in drawing.picture.boxes]


# A function of graphc's -> its box. What it does unasked is not told.
OVER = {
    "mean(A, axis=0)": lambda A: gc.mean(A, axis=0),
    "mean(A)": gc.mean,
    "var(A, axis=1)": lambda A: gc.var(A, axis=-1),
    "median(A)": lambda A: gc.median(A),
    "median(A, axis=0)": lambda A: gc.median(A, axis=0),
    "std(A, axis=0)": lambda A: gc.std(A, axis=(0,)),
    "logsumexp(A, axis=1)": lambda A: gc.logsumexp(A, axis=1, keepdims=True),
    "softmax(A)": gc.softmax,
    "softmax(A, axis=0)": lambda A: gc.softmax(A, axis=0),
    "max(A, axis=0)": lambda A: gc.max(A, axis=0),
}


@pytest.mark.parametrize("label", OVER)
def test_a_function_says_which_axis_it_goes_over(label):
    """`mean(A)` was the mean of all, of rows and of columns."""
    assert label in shown(gc.draw(gc.exp(OVER[label](gc.input("A", ("n", "d"))))))


def test_a_gradient_is_written_in_the_gradients_that_reach_it():
    """As in textbooks; also where the value in between has no name."""
    X, W, b = gc.input("X", ("n", 3)), gc.input("W", (3, "k")), gc.input("b", ("k",))
    H = gc.tanh(X @ W + b)
    found = shown(gc.draw(gc.sum(H**2), wrt=[W, b]))
    assert "∇W = Xᵀ @ ∇(X @ W + b)" in found
    assert "∇b = sum(∇(X @ W + b), axis=0)" in found
    assert "∇(X @ W + b), ∇(X @ W) = ∇H * (1 − H²)" in found


def test_the_gradient_that_leaves_a_function_is_named():
    """What others speak of as ∇S is to be found somewhere."""
    X, W = gc.input("X", ("n", 3)), gc.input("W", (3, 5))
    S = X @ W
    found = shown(gc.draw(gc.sum(gc.log_softmax(S) ** 2), wrt=W))
    assert "∇W = Xᵀ @ ∇S" in found
    assert any(label.startswith("∇S via log_softmax, ") for label in found)
    # The mean is a sum and a quotient inside, of which nobody has heard.
    found = shown(gc.draw(gc.mean(S**2), wrt=W))
    assert "∇ mean 2 nodes" in found and not any("∇sum" in label for label in found)


P, Q, T = gc.input("p", ()), gc.input("q", ()), gc.input("t", ())
RATE_1, RATE_2 = gc.input("rate_of_the_first_layer", ()), gc.input("rate_of_the_next_layer", ())
# A formula that is too long for a line -> what goes.
CUT = {
    "exp(p * q) + p * q / log(p) + …": (
        gc.exp(P * Q) + P * Q / gc.log(P) + gc.sin(gc.log(P)) / (P * Q)
    ),
    "where(p > 0, log(q), …)": gc.where(
        P > 0, gc.log(Q), gc.where(P < -1, gc.abs(P), gc.minimum(P, 0.5))
    ),
    "−(sin(p) * cos(q) * tanh(t)) + …": (
        -(gc.sin(P) * gc.cos(Q) * gc.tanh(T)) + gc.exp(P + Q) * (Q - P)
    ),
    "rate_of…_layer * rate_of…_layer": RATE_1 * RATE_2,
}


@pytest.mark.parametrize("label", CUT)
def test_a_long_formula_loses_one_part_rather_than_its_inside(label):
    """`… * … / … + (… + …)` told nothing; names keep their ends."""
    assert label in shown(gc.draw(CUT[label]))


def test_the_derivative_of_a_gradient_by_a_gradient_has_no_name():
    """∂²z/∂(∂z/∂(x²))∂x is no help to anybody: it is 2 * x."""
    x, y = gc.input("x", ()), gc.input("y", ())
    z = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    found = shown(gc.draw(z, gc.grad(z, x), gc.grad(gc.grad(z, x), x)))
    assert "2 * x" in found
    assert not any("∂(∂" in label for label in found)


X3, M, V1 = gc.input("X3", ("b", "n", 4)), gc.input("M", (4, 4)), gc.input("v1", (4,))
C = [P > 0, Q < 1, T > P]
# What is drawn -> how its box is written.
WRITTEN = {
    "X3 @ M": X3 @ M,
    "X3 @ v1": X3 @ V1,
    "X3 @ Mᵀ": X3 @ M.T,
    "X3 @ X3ᵀ": X3 @ X3.mT,
    "(p > 0) & (q < 1)": C[0] & C[1],
    "((p > 0) | (q < 1)) & (t > p)": (C[0] | C[1]) & C[2],
    "(p > 0) & (q < 1) & (t > p)": C[0] & C[1] & C[2],
    "¬(p > 0)": ~C[0],
    "p − (−q)": gc.subtract(P, gc.negative(Q)),
    "p − (−1 / q * t)": gc.subtract(P, gc.multiply(gc.divide(-1.0, Q), T)),
    "∇v1 = place(∇(v1[0]), at=[0])": gc.grad(V1[0] ** 2, V1),  # where is half the answer
    "eye(4)": gc.eye(4) @ M,
    "iota(4)": gc.one_hot(gc.input("i", ("n",), dtype="int64"), 4),
    "v1 == 0": gc.equal(V1, 0),  # one sign would say that v1 is 0: boxes are written `z = x * y`
    "M @ [[0, −1], [1, 0.5]]": gc.input("M", (2, 2)) @ [[0.0, -1.0], [1.0, 0.5]],
}


@pytest.mark.parametrize("label", WRITTEN)
def test_a_box_is_written_as_people_write_it(label):
    """Not as sums over indices, nor as calls, where there is a sign."""
    assert label in shown(gc.draw(WRITTEN[label]))


# What simplifying does -> how many boxes only one of both graphs has.
CHANGED = {
    "a power becomes a square": (lambda x: gc.exp(gc.sin(x**2)), 0),
    "a power and a sum with a negative": (lambda x: gc.exp(x**2) + (-x), 3),
    "an order of axes, which boxes do not tell": (
        lambda x: gc.permute_dims(gc.permute_dims(x, (1, 2, 0)), (1, 2, 0)), 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGED)
def test_before_and_after_differ_where_a_reader_sees_that_they_do(case):
    """x² before and x² after stood side by side, and all that was computed from both."""
    build, changed = CHANGED[case]
    z = build(gc.input("cube", (3, 3, 3)))
    drawing = gc.draw.diff(z, gc.compile(z))
    assert changed == len([box for box in drawing.picture.boxes if box.state])


def test_a_bitmap_has_the_legend_of_the_svg():
    """It had a title alone; what orange means was to be guessed."""
    w = gc.input("w", ("d",))
    drawing = gc.draw(gc.sum(w**2), wrt=w, heat="cost", at={w: [1.0, float("nan")]})
    for word in ("input", "loss", "∇v: gradient by v", "returned", "forward value reused"):
        assert f">{word}<" in drawing.svg and f">{word}<" in drawing.dot
    assert ">NaN or inf arises here<" in drawing.dot and ">flops, " in drawing.dot
    ghosts = gc.draw(gc.sum(w**2) + gc.input("b", ()), wrt=w, view="pruned")
    assert 'STYLE="DASHED"' in ghosts.dot  # as its boxes are: it looked like "returned"


def test_names_of_a_gradient_are_left_out_whole():
    """The second was cut where the line ended: `∇(… + (1 − x[:-1])²), ∇((1 − x[:-… =`."""
    x = gc.input("x", ("n",))
    f = gc.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    lines = [line for box in gc.draw(f, wrt=x).picture.boxes for line in box.lines]
    assert "∇(… + (1 − x[:-1])²), … = 1" in lines
    assert all(line.count("[") == line.count("]") for line in lines)


def test_the_gradient_of_a_function_that_is_drawn_open_is_open_too():
    """Eight of its nodes were a box "∇ std" that gradients entered and left, in circles."""
    x = gc.input("x", ("n", "d"))
    mu = gc.mean(x, axis=1, keepdims=True)
    s = gc.std(x, axis=1, keepdims=True)
    boxes = gc.draw(gc.sum(((x - mu) / s) ** 3), wrt=x).picture.boxes
    lines = {line for box in boxes for line in box.lines}
    assert "mu = mean(x, axis=1)" in lines and "(x − mu)²" in lines and "∇ std" not in lines


def test_a_title_tells_what_is_drawn():
    """Of a sum of products it was `… + …`; of a derivative that is drawn, nothing."""
    z, h, c = gc.input("z", ()), gc.input("h", ()), gc.input("c", ())
    assert "(1 − z) * h + z * c" == gc.draw((1 - z) * h + z * c).picture.title
    y = gc.exp(z * h)
    slopes = [gc.grad(y, z), gc.grad(gc.grad(y, z), z)]
    assert "y, ∂y/∂z, ∂²y/∂z²" == gc.draw(y, slopes).picture.title
    v = [gc.input(f"v{k}", ()) for k in range(9)]
    total = gc.exp(sum(v))
    assert "total and its gradient by v0" == gc.draw(total, wrt=v[0]).picture.title
    told = gc.draw(total, wrt=v).picture.title
    assert "total and its gradients by v0, v1, v2, v3, v4, v5 and 3 more" == told


def test_dashed_lines_run_beneath_the_labels_of_others():
    """Which have the paper around them where a line crosses."""
    x, y = curve()
    svg = gc.draw(y, wrt=x).svg.split('class="legend"')[0]
    assert svg.rindex('class="edge reuse"') < svg.index('class="edge value"')


def test_a_label_stands_upon_its_halo():
    """Where one text had both, by `paint-order`, cairosvg showed no label at all."""
    svg = gc.draw(gc.sum(gc.exp(gc.input("x", ("n",))))).svg
    halo, label = re.findall("<text(.*)>n</text>", svg)[:2]
    assert f' class="halo" aria-hidden="true"{label}' == halo and "paint-order" not in svg
