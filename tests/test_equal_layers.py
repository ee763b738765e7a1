"""Equal layers: what one more of them costs to simplify, counted in calls and not in seconds."""

import sys

import pytest

import graphc as gc
from graphc.ir import Graph
from graphc.passes import run
from graphc.passes.rewrite import Settled, rewritten, rule


class Net:
    """A network of equal layers, its weights, and the loss with the gradients by all of them."""

    def __init__(self, kind, depth):
        self.weights = []
        self.h = h = gc.input("X", ("n", 8))
        for k in range(depth):
            h = KINDS[kind][0](self, h, k)
        loss = gc.sum(h**2)
        if kind == "weight decay":
            loss = loss + 1e-4 * sum(gc.sum(w**2) for w in self.weights)
        self.graph = Graph([loss, *gc.grad(loss, self.weights)])

    def weight(self, name, *shape):
        self.weights.append(gc.input(name, shape))
        return self.weights[-1]

    def affine(self, h, k, name=""):
        return h @ self.weight(f"W{name}{k}", 8, 8) + self.weight(f"b{name}{k}", 8)


def gated(net, h, k):
    gate = gc.sigmoid(net.affine(h, k, "g"))
    return gate * h + (1 - gate) * gc.tanh(net.affine(h, k))


def attention(net, h, k):
    q, keys, v = (h @ net.weight(f"{name}{k}", 8, 8) for name in "QKV")
    h = h + gc.softmax(q @ keys.T / 8**0.5, axis=-1) @ v
    return h + gc.relu(h @ net.weight(f"U{k}", 8, 16)) @ net.weight(f"D{k}", 16, 8)


def normed(net, h, k):
    centred = h - gc.mean(h, axis=-1, keepdims=True)
    scale = gc.sqrt(gc.mean(centred**2, axis=-1, keepdims=True) + 1e-5)
    return h + gc.tanh(net.affine(centred / scale, k))


def masked(net, h, k):
    return gc.relu(net.affine(h, k)) * gc.input(f"mask{k}", ("n", 8)) / 0.9


def tanh_of_affine(net, h, k):
    return gc.tanh(net.affine(h, k))


# And how many calls a node of a further layer may take.
KINDS = {
    "tanh": (tanh_of_affine, 11),
    "relu": (lambda net, h, k: gc.relu(net.affine(h, k)), 14),
    "elementwise": (
        lambda net, h, k: gc.tanh(net.weight(f"a{k}", 8) * h + net.weight(f"b{k}", 8)),
        20,
    ),
    "residual": (lambda net, h, k: h + gc.tanh(net.affine(h, k)), 11),
    "weight decay": (tanh_of_affine, 35),
    "gates": (gated, 22),
    "dropout": (masked, 73),
    "layer norm": (normed, 108),
    "attention": (attention, 47),
}


def calls(graph):
    """How many functions written in Python are called to simplify a graph."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event == "call"

    outer = sys.getprofile()
    sys.setprofile(note)
    try:
        run(graph, True)
    finally:
        sys.setprofile(outer)
    return count


def calls_for_a_node(kind):
    """Of the layers beyond the second, when all that is remembered is known."""
    for depth in (2, 24):
        run(Net(kind, depth).graph, True)
    few, many = Net(kind, 2).graph, Net(kind, 24).graph
    return (calls(many) - calls(few)) / (len(many) - len(few))


@pytest.mark.parametrize(("kind", "limit"), [(kind, row[1]) for kind, row in KINDS.items()])
def test_a_further_layer_takes_few_calls(kind, limit):
    """Its nodes are walked a fixed number of times, and rules that cannot apply are not tried."""
    assert calls_for_a_node(kind) <= limit


@rule("exp")
def doubled_exponential(n):
    """exp(x) = 2 * where(x > 0, exp(x), 0) for this test only"""
    (x,) = n.inputs
    return gc.where(x > 0, 2.0 * n, 0.0) if x.op.name == "input" else None


tried = []


@rule("negative", among=("greater",))
def noted(n):
    """-x = -x for this test only"""
    tried.append(n)


def test_a_rule_is_tried_where_what_it_needs_may_be_below():
    """It stands in the graph, or another rule has built it: anew, or as it stands elsewhere."""
    x = gc.input("x", ("k",))
    for v, is_tried in ((-gc.sin(x), False), (-gc.where(x > 1, x, 0.0), True), (-gc.exp(x), True)):
        for _ in range(2):  # the second time, what is built is there already
            tried.clear()
            kept = rewritten(Graph([v]), (doubled_exponential, noted), 1, Settled())
            assert bool(tried) is is_tried
    assert kept


if __name__ == "__main__":
    for kind in KINDS:
        print(f"{kind:14}{calls_for_a_node(kind):6.1f}")
