"""Large graphs: what is too much to lay out is folded first, in linear time."""

import random

import pytest

import graphc as gc
from tests.timing import takes

pytestmark = pytest.mark.usefixtures("bundled")


def chain(count):
    """One long line."""
    h = gc.input("x", ())
    for _ in range(count):
        h = gc.tanh(h)
    return [h]


def network(count):
    """Layers, with their gradients: about twelve nodes each."""
    h = gc.input("x", ("n", 8))
    weights = []
    for k in range(count // 12):
        weights.append(gc.input(f"W{k}", (8, 8)))
        with gc.scope(f"layer{k}"):
            h = gc.tanh(h @ weights[-1] + gc.input(f"b{k}", (8,)))
    loss = gc.sum(h * h)
    return [loss, *gc.grad(loss, weights)]


def tangle(count):
    """No structure at all."""
    choose = random.Random(0).choice
    nodes = [gc.input(f"x{k}", ()) for k in range(5)]
    one, two = [gc.tanh, gc.sin, gc.cos, gc.exp], [gc.add, gc.multiply, gc.maximum]
    while len(nodes) < count:
        a, b = choose(nodes[-40:]), choose(nodes[-400:])
        nodes.append(choose(one)(a) if choose([True, False]) else choose(two)(a, b))
    return nodes[-20:]


# The seconds are those of the issue that asked for pictures, with nothing else running.
LIMITS = {1_000: 1.0, 10_000: 3.0, 100_000: 10.0}


@pytest.mark.parametrize("build", [chain, network, tangle])
@pytest.mark.parametrize("count", LIMITS)
def test_a_drawing_takes_so_many_seconds_at_most(build, count):
    """1,000 nodes in 1 s, 10,000 in 3 s, 100,000 in 10 s; doubled, for a machine that is shared."""
    nodes = build(count)
    drawings = []

    def draw():
        drawings.append(gc.draw(*nodes))
        assert 1000 < len(drawings[-1].svg) < 200_000

    limit = 2 * LIMITS[count]
    assert takes(draw, limit) <= limit
    assert len(drawings[0].picture.boxes) <= 90
