"""Graphs as text: printed like their pictures, folded where they are large."""

import graphc as gc
from tests.timing import growth


def layer(x, k):
    W, b = gc.input(f"W{k}", (8, 8)), gc.input(f"b{k}", (8,))
    return gc.tanh(x @ W + b)


def network(count):
    h = gc.input("x", ("n", 8))
    for k in range(count):
        h = layer(h, k)
    return gc.sum(h * h)


def test_a_small_graph_is_printed_node_by_node():
    """As its repr, which is never folded."""
    graph = gc.Graph([network(3)])
    assert repr(graph) == str(graph)
    assert len(repr(gc.Graph([network(60)])).splitlines()) > 300


def test_slices_are_printed_as_they_are_written():
    """They were index=(Span(start=1, stop=None, step=1), ...)."""
    x = gc.input("x", ("n", 3))
    assert "getitem(x, index=(1:, None, ::2))" in repr(x[1:, None, ::2])


def test_a_function_is_printed_with_what_it_is_called_on():
    """A mean was mean(x, size), and no line said what size is."""
    z = gc.input("x", ("n",)) * 2
    lines = str(gc.Graph([gc.exp(gc.mean(z))])).splitlines()
    assert "  divide : f64[] = mean(z)   2 nodes" in lines


def test_what_two_rules_made_of_a_node_belongs_to_its_line_and_to_no_gradient():
    """The second built for the node before the first: it was drawn in red, or was an IndexError."""
    x, s = gc.input("x", ("n",)), gc.input("s")

    def chosen(c, v):
        w = gc.where(c, v, 1.0) * 2.0
        return gc.where(c[:, None], w[:, None] * -1.0, 0.0)

    f = gc.compile(chosen(x > 0, gc.exp(x) / s))
    fired = {r.name for step in f.log.steps for r in step.rewrites}
    assert {"choice_below_choice", "choice_of_negative"} <= fired
    assert all(v.origin is None for v in f.graph.nodes)
    assert "return negative" in str(f.graph)


def test_a_large_graph_is_printed_with_a_line_for_each_folded_part():
    """What leaves it, what it is called, what enters it, how much there is in it."""
    lines = str(gc.Graph([network(24)])).splitlines()
    assert len(lines) < 40
    assert "  tanh_1 : f64[n, 8] = layer 2(tanh, W1, b1)   5 nodes" in lines
    assert "  return sum" == lines[-1]
    lines = str(gc.Graph([network(200)])).splitlines()
    (line,) = [line for line in lines if "×" in line]
    assert "199 × layer 2 … layer 200(tanh, W1, b1, W2, b2, W3, …)   995 nodes" in line


def test_the_backward_half_of_a_part_is_a_line_of_its_own():
    """∇ stands before its name."""
    loss = network(24)
    weight = next(v for v in gc.Graph([loss]).nodes if v.name == "W3")
    text = str(gc.Graph([loss, gc.grad(loss, weight)]))
    assert "= ∇ layer 5(" in text and "= layer 5(" in text


def test_a_loop_is_printed_as_what_it_repeats():
    """No name is at hand, so the operations are listed."""
    h = gc.input("x", ())
    for _ in range(500):
        h = gc.tanh(h) * 2.0
    assert "h_499 : f64[] = 500 × [tanh, multiply](x)   1,000 nodes" in str(gc.Graph([h]))


def test_parts_that_differ_by_a_number_are_folded_alike():
    """Nine open layers before fifteen closed ones say nothing about the network."""
    loss = network(24)
    for drawn in (gc.draw(loss), gc.draw(loss, gc.grad(loss, gc.Graph([loss]).parameters[1]))):
        names = [box.lines[0] for box in drawn.picture.boxes if box.folded > 1]
        assert 24 == sum(name.startswith("layer ") for name in names)


def test_a_tree_folds_as_a_picture_does():
    """And says how much is in a part."""
    told = str(gc.tree(network(24)))
    assert "layer 24   5 nodes" in told and "layer 23" in told
    assert "tanh(… + b2)" in str(gc.tree(network(4)))
    assert "layer 3   5 nodes" in str(gc.tree(network(4), fold=True))


def test_printing_grows_as_the_graph_does():
    """Linear in the nodes: 100,000 of them are an ordinary graph."""

    def printing(count):
        h = gc.input("printed", ())
        for _ in range(count):
            h = gc.tanh(h)
        graph = gc.Graph([h])
        assert len(str(graph)) < 10_000
        return lambda: str(graph)

    assert growth(printing, 2_000, 20_000, limit=20) <= 20
