"""Pictures are sound: they parse, run nothing, overlap nowhere, and say what is so."""

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

import graphc as gc
from graphc.draw import dot, layout
from graphc.draw.fold import Pieces, fold
from graphc.draw.picture import SMALL, Box, Edge, Picture
from graphc.draw.text import width
from graphc.errors import ArgumentError

SVG = "{http://www.w3.org/2000/svg}"


pytestmark = pytest.mark.usefixtures("bundled")


def parsed(drawing):
    """The SVG's root; it parses, and there is nothing in it that runs or fetches."""
    root = ElementTree.fromstring(drawing.svg)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {
            "svg", "title", "desc", "style", "g", "rect", "polygon", "path", "text",
        }  # fmt: skip
        for attribute, value in element.attrib.items():
            assert not attribute.lower().startswith("on")
            assert "href" not in attribute.lower()
            assert "url(" not in value
    return root


def texts(drawing):
    """The text lines of a drawing's boxes."""
    boxes = parsed(drawing).iterfind(f".//{SVG}g")
    boxes = [b for b in boxes if "box" in b.get("class", "").split()]
    return [t.text for b in boxes for t in b.iter(SVG + "text")]


def lines(drawing):
    return {" ".join(box.lines): box for box in drawing.picture.boxes}


def logistic():
    n, d = gc.dims("n d")
    X, y, w = gc.input("X", (n, d)), gc.input("y", (n,)), gc.input("w", (d,))
    z = X @ w
    loss = gc.mean(gc.softplus(-y * z)) + 0.01 * gc.sum(w**2)
    return loss, w


def network(layers, is_scoped=False):
    h = gc.input("x", ("n", 8))
    weights = []
    for k in range(layers):
        W, b = gc.input(f"W{k}", (8, 8)), gc.input(f"b{k}", (8,))
        weights += [W, b]
        if is_scoped:
            with gc.scope(f"layer{k}"):
                h = gc.tanh(h @ W + b)
        else:
            h = gc.tanh(h @ W + b)
    loss = gc.sum(h * h)
    return loss, weights


# -- what boxes say ---------------------------------------------------------------------------


def test_labels_are_the_users_names_and_mathematics():
    """A picture is read beside the program that drew it."""
    loss, _ = logistic()
    drawing = gc.draw(loss)
    assert {"X", "y", "w", "z = X @ w", "−y * z", "softplus(−y * z)", "w²"} <= set(texts(drawing))
    sigma = gc.sigmoid(gc.input("z", ("n",)))
    assert "sigma = σ(z)" in texts(gc.draw(sigma))
    A = gc.input("A", ("n", 3, 4))
    drawing = gc.draw([A[:, 0, 1:], A.mT])
    assert {"A[:, 0, 1:]", "Aᵀ"} <= set(texts(drawing))


def test_edges_bear_sizes():
    """`n×d` goes into the product, `n` comes out."""
    loss, _ = logistic()
    picture = gc.draw(loss).picture
    names = {box.id: box.lines[0] for box in picture.boxes}
    sizes = {(names[e.tail], names[e.head]): e.label for e in picture.edges}
    assert sizes["X", "z = X @ w"] == "n×d"
    assert sizes["z = X @ w", "−y * z"] == "n"
    X = gc.input("X", ("n", "d"))
    edges = gc.draw(gc.sum(gc.sin(X[1:, 1:])) + gc.sum(gc.cos(X[0, 1:]))).picture.edges
    assert {"n×d", "(n - 1)×(d - 1)", "d - 1", ""} == {e.label for e in edges}


def test_a_box_tells_its_op_type_cost_line_and_step():
    """On hover: everything that the graph knows about the node."""
    loss, w = logistic()
    drawing = gc.draw(loss, wrt=w)
    facts = "\n".join(lines(drawing)["z = X @ w"].facts)
    assert "z = X @ w" in facts
    assert "matmul : f64[n]" in facts
    assert "2*d*n flops, 8*n bytes" in facts
    assert "test_draw.py:" in facts
    assert "test_draw.py:" in "\n".join(lines(drawing)["X"].facts)  # where it was declared
    gradient = next(b for b in drawing.picture.boxes if b.lines[0].startswith("∇w"))
    assert "the gradient by w" in gradient.facts
    assert any(re.fullmatch(r"Algorithm 6.6, step \d+", fact) for fact in gradient.facts)


def test_each_kind_has_its_shape_and_the_legend_names_it():
    """Shapes and colours both: for print, for the colour-blind."""
    loss, w = logistic()
    drawing = gc.draw(loss, wrt=w)
    assert {"input", "operation", "loss", "gradient"} == {b.kind for b in drawing.picture.boxes}
    legend = [t.text for t in parsed(drawing).iter(SVG + "text")]
    assert {"input", "operation", "loss", "∇v: gradient by v", "returned"} <= set(legend)
    assert "prefers-color-scheme: dark" in drawing.svg


def test_a_picture_describes_itself_to_a_screen_reader():
    """`<title>` and `<desc>` stand first."""
    loss, _ = logistic()
    root = parsed(gc.draw(loss, title="Logistic"))
    assert ["title", "desc"] == [child.tag.removeprefix(SVG) for child in root[:2]]
    assert "Logistic" == root[0].text
    assert "3 inputs" in root[1].text


def test_a_gradient_stands_beside_its_forward_node():
    """In one row, to the right; the backward half is read from the bottom to the top."""
    w = gc.input("w", ())
    z = gc.tanh(gc.sin(gc.exp(w)))
    drawing = gc.draw(z, wrt=w)
    places = drawing.layout.places
    pairs = [(places[b.beside], places[b.id]) for b in drawing.picture.boxes if b.beside]
    assert len(pairs) == 4
    for forward, gradient in pairs:
        assert forward.y == pytest.approx(gradient.y, abs=1)
        assert forward.x < gradient.x
    for edge in drawing.picture.edges:
        if edge.kind == "gradient":
            assert places[edge.tail].y <= places[edge.head].y + 1


def test_a_jacobian_stands_to_the_right_of_what_it_is_of():
    """No node of it is the gradient by one forward node: it stood on the left."""
    W, x, b = gc.input("W", (3, "d")), gc.input("x", ("d",)), gc.input("b", (3,))
    drawing = gc.draw(gc.jacobian(gc.tanh(W @ x + b), x))
    right = {box.is_gradient: [] for box in drawing.picture.boxes}
    for box in drawing.picture.boxes:
        right[box.is_gradient].append(drawing.layout.places[box.id].x)
    middle = {is_gradient: sum(xs) / len(xs) for is_gradient, xs in right.items()}
    assert middle[False] < middle[True]


def test_a_gradient_that_is_a_forward_value_has_a_box_of_its_own():
    """d(xy)/dx is y itself: ∇x = y, tied to y by a dashed edge."""
    x, y = gc.input("x", ()), gc.input("y", ())
    drawing = gc.draw(x * y, wrt=[x, y])
    assert {"∇x = y", "∇y = x", "∇(x * y) = 1"} <= set(texts(drawing))
    assert [e.kind for e in drawing.picture.edges].count("reuse") == 2


# -- views ------------------------------------------------------------------------------------


def test_the_forward_view_has_no_gradients_and_the_gradient_view_only_what_they_use():
    """Halves of one picture."""
    loss, w = logistic()
    forward = gc.draw(loss, wrt=w, view="forward").picture
    assert not any(box.is_gradient for box in forward.boxes)
    both = gc.draw(loss, wrt=w).picture
    gradient = gc.draw(loss, wrt=w, view="gradient").picture
    assert sum(b.is_gradient for b in both.boxes) == sum(b.is_gradient for b in gradient.boxes)
    assert 0 < sum(not b.is_gradient for b in gradient.boxes) < len(forward.boxes)


def test_the_pruned_view_says_why_each_ghost_was_dropped():
    """Algorithm 6.5 keeps the ancestors of z that descend from the targets."""
    x, w, v = gc.input("x", ()), gc.input("w", ()), gc.input("v", ())
    u = gc.exp(x)
    z = u * w + gc.floor(w)
    aside = gc.sin(w)
    drawing = gc.draw(gc.backprop(z, [w]), aside + v, view="pruned")
    ghosts = {box.lines[0].split(" = ")[0]: box.facts[-1]
              for box in drawing.picture.boxes if box.state == "ghost"}  # fmt: skip
    assert ghosts["x"] == ghosts["u"] == "dropped: not a descendant of w"
    assert ghosts["aside"] == "dropped: not an ancestor of z"
    assert "is cut" in ghosts["floor(w)"]
    with pytest.raises(ArgumentError):
        gc.draw(z, view="pruned")


def test_the_jacobians_view_writes_local_derivatives_on_edges():
    """As in the textbook: at the edge from x to v stands ∂v/∂x."""
    X, w, y = gc.input("X", ("n", "d")), gc.input("w", ("d",)), gc.input("y", ("n",))
    z = X @ w
    h = gc.tanh(z)
    loss = gc.sum(y * h)
    picture = gc.draw(loss, view="jacobians").picture
    names = {box.id: box.lines[0].split(" = ")[0] for box in picture.boxes}
    found = {(names[e.tail], names[e.head]): e.label for e in picture.edges}
    assert found["w", "z"] == "X"
    assert found["z", "h"] == "1 − h²"
    assert found["h", "y * h"] == "y"
    assert found["y * h", "loss"] == "1"


def test_heat_follows_the_cost():
    """Of a matrix product and a sum the product is hot."""
    A, B = gc.input("A", ("n", "n")), gc.input("B", ("n", "n"))
    drawing = gc.draw(gc.sum(A @ B), heat="cost", sizes={"n": 1000})
    heat = {box.lines[0]: box.heat for box in drawing.picture.boxes}
    assert heat["A @ B"] == 1.0
    assert 0 <= heat["sum(A @ B)"] < 0.7
    assert heat["A"] is None
    assert "heat4" in drawing.svg


def test_a_diff_tells_what_was_kept_removed_and_added():
    """Two graphs that share nodes, in one picture."""
    x = gc.input("x", ("n",))
    drawing = gc.draw.diff(gc.sum(gc.exp(x) * 2), gc.sum(gc.exp(x) + 2))
    states = {" ".join(b.lines): b.state for b in drawing.picture.boxes}
    assert states["x"] == states["exp(x)"] == ""
    assert states["exp(x) * 2"] == "removed"
    assert states["exp(x) + 2"] == "added"
    parsed(drawing)
    assert "1 node kept, 1 removed, 1 added." in repr(gc.draw.diff(gc.exp(x), gc.sin(x)))


def test_compiled_functions_and_their_logs_are_drawn():
    """What runs, and what the passes did to it."""
    x = gc.input("x", ("n",))
    f = gc.compile(gc.sum(gc.stop_gradient(gc.exp(x)) * (gc.constant(2.0) + 3.0)), name="program")
    assert "program" == f.draw().picture.title
    parsed(gc.draw(f.log))
    states = {box.state for box in gc.draw(f.log).picture.boxes}
    assert {"removed", "added"} <= states


# -- safety -----------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>", '" onload="alert(1)', "a\\nb\\", "]]>", "-->", "two\nlines",
    "nul\0nul", "\u202eright to left", "x" * 10_000, "digraph", "node", "subgraph", "a:b", "a:b:c",
    "<b>bold</b>", "&amp;", "%s{}", "\ud800", "'; }", "{rank=same}", "\\N", "naïve ∂ 変数",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_shown_and_does_nothing(name):
    """In SVG, DOT and HTML: as a node's name, a scope's, an input's, a title."""
    x = gc.input(name, (2,))
    with gc.scope(name):
        z = gc.tanh(x + 1).named(name)
    drawing = gc.draw(gc.sum(z), wrt=x, title=name)
    shown = texts(drawing)
    visible = "".join(c if c.isprintable() else "" for c in name)
    start = re.match(r"[^\\]*", visible)[0][:20] if name.isprintable() else visible[:3]
    assert any(start in line for line in shown)
    assert "<script" not in drawing.svg
    assert drawing.html.count("<script") == 2  # the page's own
    assert "</script>alert" not in drawing.html and "<script>alert" not in drawing.html
    # Graphviz reads the DOT text as boxes of ours and nothing more.
    found = layout.run(drawing.dot, "plain").decode()
    nodes = {line.split()[1] for line in found.splitlines() if line.startswith("node ")}
    assert nodes == {box.id for box in drawing.picture.boxes}


# -- edge cases -------------------------------------------------------------------------------


def test_an_empty_graph_one_node_several_outputs_and_disconnected_parts():
    """Every shape of graph has a picture."""
    assert "An empty computation graph." == gc.draw([]).picture.description
    parsed(gc.draw([]))
    x, y = gc.input("x", ()), gc.input("y", ("n",))
    assert ["x"] == texts(gc.draw(x))
    assert ["1"] == texts(gc.draw(gc.constant(1.0)))
    several = gc.draw(gc.exp(x), gc.sin(x), gc.sum(y))
    assert 3 == sum(box.is_output for box in several.picture.boxes)
    parsed(several)
    parsed(gc.draw({"a": x, "b": [y, y]}))


def test_a_long_formula_is_cut_and_told_in_full_on_hover():
    """300 characters do not fit in a box."""
    total = gc.input("first", ())
    for k in range(40):
        total = gc.add(total, gc.input(f"a_long_name_{k}", ()))
    last = gc.exp(total + gc.input("the_last_one_of_all_of_these_names", ()))
    drawing = gc.draw(last.named("n" * 300))
    assert all(len(line) <= 40 for line in texts(drawing))
    assert "n" * 299 in drawing.svg
    parsed(drawing)


def test_one_value_used_twice_by_one_node_is_one_edge():
    """x * x."""
    x = gc.input("x", ())
    assert 1 == len(gc.draw(x * x).picture.edges)


def test_wrong_arguments_are_explained():
    """Each says what it takes."""
    x = gc.input("x", ())
    for wrong in (
        lambda: gc.draw(3), lambda: gc.draw(x, view="sideways"), lambda: gc.draw(x, heat="no"),
        lambda: gc.draw(x, x + 1, wrt=x), lambda: gc.draw(x).save("picture.bmp"),
        lambda: gc.draw(x, fold="first"), lambda: gc.tree(x, fold=[1]),
    ):  # fmt: skip
        with pytest.raises(ArgumentError):
            wrong()


# -- formats ----------------------------------------------------------------------------------


def test_a_drawing_is_saved_by_suffix(tmp_path):
    """And shows itself in a notebook."""
    loss, w = logistic()
    drawing = gc.draw(loss, wrt=w)
    starts = {"svg": b"<svg", "dot": b"digraph", "html": b"<!DOCTYPE", "png": b"\x89PNG",
              "pdf": b"%PDF"}  # fmt: skip
    for suffix, start in starts.items():
        drawing.save(tmp_path / f"picture.{suffix}")
        assert (tmp_path / f"picture.{suffix}").read_bytes().startswith(start)
    bundle = drawing._repr_mimebundle_()
    assert bundle["image/svg+xml"] == drawing.svg
    assert "loss" in bundle["text/plain"]


def test_without_any_graphviz_the_dot_text_still_works(monkeypatch):
    """And the error says what to install."""
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    drawing = gc.draw(gc.exp(gc.input("x", ())))
    assert drawing.dot.startswith("digraph")
    with pytest.raises(layout.NoLayoutEngine, match="pip install pygraphviz"):
        _ = drawing.svg


def test_dot_on_the_path_is_asked_first_and_a_broken_one_is_passed_over(tmp_path, monkeypatch):
    """People may have a Graphviz of their own."""
    program = tmp_path / "dot"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys, pathlib, pygraphviz\n"
        "graph = pygraphviz.AGraph(string=sys.stdin.read())\n"
        "sys.stdout.buffer.write(graph.draw(format=sys.argv[1][2:], prog='dot'))\n"
        "pathlib.Path(__file__).with_name('asked').touch()\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    z = gc.tanh(gc.input("x", ()))
    theirs = gc.draw(z).svg
    assert (tmp_path / "asked").exists()
    program.write_text(f"#!{sys.executable}\nraise SystemExit(1)\n")
    assert theirs == gc.draw(z).svg


def test_a_picture_is_the_same_under_every_hash_seed():
    """Byte for byte."""
    code = (
        "import graphc as gc\n"
        "x = gc.input('x', ('n', 3)); W = gc.input('W', (3, 3))\n"
        "z = gc.sum(gc.tanh(x @ W) * gc.tanh(x))\n"
        "d = gc.draw(z, wrt=[W, x])\n"
        "import hashlib; print(hashlib.sha256((d.svg + d.dot + d.html).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PATH": "", "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert 1 == len(found)


# -- layout -----------------------------------------------------------------------------------


def rectangles(drawing):
    """The boxes and the labels of edges, as (name, x0, y0, x1, y1)."""
    places = drawing.layout.places
    for box in drawing.picture.boxes:
        (x, y), (w, h) = places[box.id], box.size
        yield box.id, x - w / 2, y - h / 2, x + w / 2, y + h / 2
    for edge in drawing.picture.edges:
        label = drawing.layout.lines[edge.id].label
        if edge.label and label is not None:
            w = width(edge.label, SMALL)
            yield edge.id, label[0] - w / 2, label[1] - 4, label[0] + w / 2, label[1] + 4


def overlaps(drawing):
    """The pairs of rectangles that share more than a point of area."""
    found = list(rectangles(drawing))
    return [
        (a[0], b[0])
        for k, a in enumerate(found)
        for b in found[:k]
        if min(a[3], b[3]) - max(a[1], b[1]) > 0.5 and min(a[4], b[4]) - max(a[2], b[2]) > 0.5
    ]


def test_no_text_overlaps_in_a_network_with_scopes():
    """Boxes and labels keep clear of each other."""
    loss, weights = network(3, is_scoped=True)
    drawing = gc.draw(loss, wrt=weights)
    assert 3 == len(drawing.layout.frames)
    assert [] == overlaps(drawing)


def test_the_text_fits_its_box():
    """By our own table of widths, with a margin for fonts that are wider."""
    loss, w = logistic()
    for box in gc.draw(loss, wrt=w).picture.boxes:
        assert all(width(line, 13) * 1.1 <= box.size[0] for line in box.lines)


# -- folding ----------------------------------------------------------------------------------


def test_repeated_layers_fold_into_one_box_that_counts_them():
    """A network of 24 layers is one box "24 ×", and one for its gradients."""
    loss, weights = network(24)
    boxes = gc.draw(loss, fold=12).picture.boxes
    assert ["24 ×"] == [box.lines[0] for box in boxes if box.folded > 1]
    assert len(boxes) == 4
    both = gc.draw(loss, wrt=weights, fold=30).picture.boxes
    assert len(both) <= 30
    assert {"24 ×", "23 ×"} <= {box.lines[0] for box in both}


def unrolled(steps):
    """A loop whose every step reads the same weights."""

    def step(h, x, W, U):
        return gc.tanh(gc.sigmoid(x @ W) * (x @ W + h @ U))

    X, W, U = gc.input("X", (steps, 5, 3)), gc.input("W", (3, 4)), gc.input("U", (4, 4))
    h = gc.zeros((5, 4))
    for k in range(steps):
        h = step(h, X[k], W, U)
    return gc.sum(h * h), [W, U]


def test_an_unrolled_loop_folds_where_its_lines_would_be_a_tangle():
    """Though there were room for 64 boxes: 121 lines of weights and slices ran across them."""
    loss, weights = unrolled(30)
    lines = [box.lines for box in gc.draw(loss).picture.boxes]
    assert ("29 ×", "step 2 … step 30") in lines and len(lines) < 10
    both = gc.draw(loss, wrt=weights).picture
    assert ("28 ×", "∇ step 1 … step 28") in {box.lines for box in both.boxes}
    assert len(both.edges) < 45
    assert len(gc.draw(unrolled(4)[0]).picture.boxes) > 10


def recurrent(steps, gates):
    """A loss at each step of a recurrent network, which has no scopes; and its weights."""
    X, Y = gc.input("X", ("n", steps, 3)), gc.input("Y", ("n", steps, 2))
    h, c, Wo = gc.input("h0", ("n", 5)), gc.input("c0", ("n", 5)), gc.input("Wo", (5, 2))
    weights = [
        (gc.input(f"Wx{k}", (3, 5)), gc.input(f"Wh{k}", (5, 5)), gc.input(f"b{k}", (5,)))
        for k in range(gates)
    ]
    loss = 0
    for t in range(steps):
        z = [X[:, t] @ Wx + h @ Wh + b for Wx, Wh, b in weights]
        if gates == 1:
            h = gc.tanh(z[0])
        else:
            c = gc.sigmoid(z[0]) * c + gc.sigmoid(z[1]) * gc.tanh(z[2])
            h = gc.sigmoid(z[3]) * gc.tanh(c)
        loss = loss + gc.mean((h @ Wo - Y[:, t]) ** 2)
    return loss, [Wo, *(w for group in weights for w in group)]


@pytest.mark.parametrize(("steps", "gates"), [(4, 1), (8, 4), (30, 4)])
def test_what_repeats_in_a_loop_without_scopes_is_seen(steps, gates):
    """A loop of four steps repeats too; and what repeats is no part of a stretch of the order."""
    loss, weights = recurrent(steps, gates)
    times = f"{steps - 1} ×"
    picture = gc.draw(loss, wrt=weights).picture
    assert len([box for box in picture.boxes if box.lines[0] == times]) >= 2
    assert (times, f"mean 1 … mean {steps - 1}") in {box.lines for box in picture.boxes}
    told = [text for box in picture.boxes for text in (*box.lines, *box.part)]
    assert not any(re.search(r"sum \d", text) for text in told)


def test_scopes_fold_and_expand_by_name():
    """fold=True folds every scope; expand= keeps some open."""
    loss, _ = network(2, is_scoped=True)
    names = {box.lines[0] for box in gc.draw(loss, fold=True).picture.boxes}
    assert {"layer0", "layer1"} <= names
    boxes = gc.draw(loss, fold=True, expand="layer1").picture.boxes
    assert {("layer1",)} == {box.part for box in boxes if box.part}
    assert "layer0" in {box.lines[0] for box in boxes}


def test_every_node_is_in_one_group_and_stretches_make_no_circle():
    """Whatever is folded, nothing is lost."""
    inputs = [[] if k % 7 == 0 else [k - 1, (k * k) % k] for k in range(2000)]
    like = [hash(str(k * k % 13)) for k in range(2000)]
    pieces = Pieces(inputs, like, [()] * 2000, [False] * 2000)
    groups = fold(pieces, 50, False)
    assert len(groups) <= 50
    assert sorted(i for g in groups for i in g.members) == list(range(2000))
    owner = {i: k for k, g in enumerate(groups) for i in g.members}
    assert all(owner[x] <= owner[i] for i, xs in enumerate(inputs) for x in xs)


def test_nothing_over_400_boxes_is_laid_out():
    """Even if asked not to fold."""
    x = gc.input("x", ())
    h = x
    for k in range(900):
        h = gc.sin(h) if k % 3 else gc.exp(h) * x
    assert len(gc.draw(h, fold=False).picture.boxes) <= 400
    assert len(gc.draw(h).picture.boxes) <= 90


def test_what_is_folded_can_be_looked_into():
    """The page holds the inside of each folded box."""
    loss, _ = network(24)
    page = gc.draw(loss, fold=12).html
    assert 1 < page.count('class="view"') < 10
    assert ">x @ W0<" in page


def test_a_wide_graph_is_folded_too():
    """A thousand inputs summed: no chain to cut."""
    total = gc.stack([gc.input(f"x{k}", ()) * (k + 2) for k in range(1000)])
    picture = gc.draw(gc.sum(total)).picture
    assert len(picture.boxes) <= 90
    parsed(gc.draw(gc.sum(total)))


# -- text -------------------------------------------------------------------------------------


def test_a_tree_folds_as_the_picture_does():
    """And names are never read as markup."""
    loss, _ = network(24)
    assert "24 × h = tanh(x @ W0 + b0)" in str(gc.tree(loss, fold=12))
    assert "[red]" in str(gc.tree(gc.exp(gc.input("[red]", ()))))
    x = gc.input("x", ())
    shared = gc.exp(x)
    assert "shared = exp(x)  (above)" in str(gc.tree(gc.sin(shared) + gc.cos(shared)))
    assert "x / (2 * n)" in str(gc.tree(x / (2 * gc.dim("n"))))


@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda W, x, b: gc.sigmoid(W @ x + b), r"\sigma\left(W x + b\right)"),
        (lambda W, x, b: W.T @ b, r"W^{\top} b"),
        (lambda W, x, b: gc.stack([W, W]).mT, r"\right)^{\top}"),
        (lambda W, x, b: gc.sum(b * (W @ x)), r"\sum\left(b \odot \left(W x\right)\right)"),
        (lambda W, x, b: gc.einsum("ij,ij->", W, W), r"\sum_{ij} {W}_{ij} \, {W}_{ij}"),
        (lambda W, x, b: gc.sqrt(b) / 2, r"\frac{\sqrt{b}}{2}"),
        (lambda W, x, b: b - (b - 1), r"b - \left(b - 1\right)"),
        (lambda W, x, b: b + -(b - 1), r"b - \left(b - 1\right)"),
        (lambda W, x, b: b + gc.negative(-b) * 2, r"b - \left(-b\right) \, 2"),
        (lambda W, x, b: b + -3, "b - 3"),
        (lambda W, x, b: b - gc.negative(b), r"b - \left(-b\right)"),
        (lambda W, x, b: b - gc.negative(2) * b, r"b - \left(-2 \, b\right)"),
        (lambda W, x, b: (b + 1) ** 2, r"\left(b + 1\right)^{2}"),
        (lambda W, x, b: gc.where(b > 0, b, 0), r"\begin{cases} b & b > 0 \\ 0 &"),
        (lambda W, x, b: gc.dot(x, x), r"x \cdot x"),
        (lambda W, x, b: W**2, r"W^{\odot 2}"),
        (lambda W, x, b: gc.exp(b) ** 2, r"\left(e^{b}\right)^{2}"),
        (lambda W, x, b: gc.sum(W, axis=0) ** 2, r"\left(\sum_{0}\left(W\right)\right)^{2}"),
        (lambda W, x, b: gc.input("b_1", (3,))[1:], r"{b_{1}}_{[1:]}"),
        (lambda W, x, b: b * -3, r"b \, \left(-3\right)"),
        (lambda W, x, b: b * [1e-5, math.nan, 2], r"[1 \cdot 10^{-5}, \mathrm{nan}, 2]"),
        (lambda W, x, b: gc.norm(b), r"\begin{cases} 0 & u_{1} = 0 \\"),
        (lambda W, x, b: gc.sum(W) / W.size, r"\frac{\sum\left(W\right)}{3 \, d}"),
        (lambda W, x, b: 2 * (3 * b), r"2 \, \left(3 \, b\right)"),
        (lambda W, x, b: -(b * b), r"-b \odot b"),
        (lambda W, x, b: gc.input("inv", (3, 3)) @ b, r"\mathrm{inv} \, b"),  # not one word: invb
        (lambda W, x, b: gc.grad(b[0] ** 2, b), r"place}_{[0]}\left(2 \, {b}_{[0]}\right)"),
        (lambda W, x, b: gc.diagonal_matrix(b), r"\operatorname{diag}\left(b\right)"),
        (lambda W, x, b: gc.eye(3) @ b, r"eye}\left(3\right) b"),
        (lambda W, x, b: gc.where(gc.equal(b, 0), 1, b), r"1 & b = 0 \\"),
        (lambda W, x, b: gc.log1p(gc.cos(x)), r"log1p}\left(\cos\left(x\right)\right)"),
    ],
)
def test_latex_is_matrix_calculus_where_it_can_be(build, expected):
    """Indices only where there is no matrix form; parentheses only where they are needed."""
    W, x, b = gc.input("W", (3, "d")), gc.input("x", ("d",)), gc.input("b", (3,))
    assert expected in gc.latex([build(W, x, b)])


@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda W, x, b: gc.grad(gc.grad(b[0] ** 4, b)[0], b), r"12 \, {b}_{[0]}^{2}"),
        (lambda W, x, b: gc.grad(gc.sum(b**3) / 3, b), r"\nabla_{b} = b^{2}"),
        (lambda W, x, b: gc.grad(gc.mean(b**2) / 7, b), r"\nabla_{b} = \frac{2}{21} \, b"),
        (lambda W, x, b: gc.grad(-b @ b, b), r"\nabla_{b} = -2 \, b"),
        (lambda W, x, b: gc.grad(0.1234567 * gc.sum(b**2), b), r"2 \, \left(0.123457 \, b"),
        (lambda W, x, b: gc.hvp(x @ W.T @ W @ x, x, x), r"2 \, x W^{\top} W"),
        (lambda W, x, b: gc.jvp(gc.sin(2 * b), b, b), r"2 \, b \odot \cos\left(2 \, b\right)"),
        (lambda W, x, b: gc.grad(gc.sum(x @ W.T), x), "1 W"),  # a product with ones is a sum
    ],
)
def test_latex_of_a_derivative_has_its_numbers_multiplied_and_in_front(build, expected):
    """The chain rule makes sin(t) * 3 * (2 * s). What is written rounded is not multiplied."""
    W, x, b = gc.input("W", (3, "d")), gc.input("x", ("d",)), gc.input("b", (3,))
    assert expected in gc.latex([build(W, x, b)])


def test_names_are_the_users_and_not_those_of_a_cached_property():
    """Python's own frames may stand between two of graphc: they assign to names of their own."""
    w = gc.input("w", (3,))
    loss = gc.mean((gc.tanh(w) - 1) ** 2)
    report = gc.check(loss, w, at={w: [0.1, 0.2, 0.3]})
    picture = gc.draw(loss, wrt=w, heat=report.heat).picture
    lines = [line for box in picture.boxes for line in box.lines]
    assert not any("val" in line for line in lines)


def test_latex_stops_at_names_and_survives_depth_and_sharing():
    """Auxiliary equations keep the text linear in the graph."""
    x = gc.input("x", ())
    y_hat = gc.exp(x)
    told = gc.latex(gc.sin(y_hat))
    assert r"\sin\left(\hat{y}\right)" == told
    deep = [x]
    for _ in range(60):
        deep.append(gc.sin(deep[-1]) * gc.cos(deep[-1]))
    assert len(gc.latex(deep[-1])) < 5000
    long = [x]
    for _ in range(20_000):
        long.append(gc.tanh(long[-1]))
    assert "u_{1}" in gc.latex(long[25])
    assert r"\vdots" in gc.latex(long[-1])


# -- the DOT text of a picture made by hand -----------------------------------------------------


def test_the_layout_does_not_see_text():
    """So it cannot depend on fonts."""
    box = Box("n0", "input", ("a name",), ())
    other = Box("n1", "operation", ("another",), ())
    picture = Picture("title", [box, other], [Edge("e0", "n0", "n1", "value", "label")])
    text = dot.dot_text(picture, for_layout=True)
    assert not any(word in text for word in ("a name", "another", "title", ">label<"))


def test_edges_show_the_values_at_a_point():
    """Of few elements; a value that no edge bears stands in its box."""
    x, v = gc.input("x", ()), gc.input("v", (4,))
    z = x * x * gc.sum(v)
    drawing = gc.draw(z, wrt=x, at={x: -1.5, v: [1.0, 2.0, 3.0, 4.0]})
    assert {"−1.5", "2.25", "10", "4"} <= {e.label for e in drawing.picture.edges}
    ends = [box.lines[-1] for box in drawing.picture.boxes if box.is_output]
    assert {"22.5", "−30"} <= set(ends)
    with pytest.raises(gc.MissingInput, match="v has no value"):
        gc.draw(z, at={x: 1.0})
