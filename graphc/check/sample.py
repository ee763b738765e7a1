"""A part of a graph that is too large for exact arithmetic, compared exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..autodiff.backprop import backprop, pruned
from ..evaluate import interpret
from ..ir import FUNCTIONS, Node, rebuild, topo
from ..ops.leaves import placeholder
from .exact import ExactSlopes, NotExact
from .numeric import Moving, moves
from .point import Point
from .rounding import rounding

# How many single elements a part may compute, how many operands it is compared by (each costs
# runs of the part), and by how many elements of each.
_MOST, _OPERANDS, _COMPARED, _TRIES = 2000, 8, 8, 8


def sampled(v: Node, parameters: Sequence[Node], here: Point, seed: int) -> list[str]:
    """What exact arithmetic says of a part of the graph: which part, and whether it agrees."""
    rng = np.random.default_rng(seed)
    path = [u for u in pruned(v, parameters) if u.inputs]
    small = [u for u in path if _cost(u, here) <= _MOST]
    roots = [small[k] for k in rng.permutation(len(small))[:_TRIES]]
    parts = {root: _part(root, path, here) for root in roots}
    reason = "its tensors are too large"
    for root, inside in sorted(parts.items(), key=lambda part: -len(part[1])):
        try:
            worst = _compared(root, inside, here, rng)
        except NotExact as error:
            reason = str(error)
            continue
        where = f" ({root.where.place})" if root.where else ""
        return [
            f"exact arithmetic was used on a part: {len(inside)} of {len(path)} nodes, up to "
            f"{root.label}{where}; there the gradient {worst}"
        ]
    return [f"exact arithmetic was not used: {reason}"]


def _cost(u: Node, here: Point) -> int:
    return sum(int(np.size(here.values[x])) for x in (u, *u.inputs))


def _part(root: Node, path: Sequence[Node], here: Point) -> list[Node]:
    """The nearest ancestors of a node on the path, as many as there is time for."""
    allowed, inside, cost = set(path), {root}, _cost(root, here)
    front = [root]
    while front:
        u = front.pop(0)
        for x in u.inputs:
            if x in allowed and x not in inside and cost + _cost(x, here) <= _MOST:
                inside.add(x)
                front.append(x)
                cost += _cost(x, here)
    return [u for u in path if u in inside]


def _compared(root: Node, inside: Sequence[Node], here: Point, rng: np.random.Generator) -> str:
    """The gradient by what the part stands on, against exact arithmetic."""
    within = set(inside)
    below = dict.fromkeys(x for u in inside for x in u.inputs if x not in within)
    stands_on = {
        x: placeholder(x.type, x.label)
        for x in below
        if x.op.name != "constant"
    }
    order = topo([root], beyond=stands_on)
    alone = rebuild(order, replacements=stands_on)[root]  # the part, a graph by itself
    cotangent = placeholder(root.type, "a cotangent")
    total = FUNCTIONS["sum"](cotangent * alone)
    values = {new: here.values[x] for x, new in stands_on.items()}
    values[cotangent] = rng.uniform(-1, 1, np.shape(here.values[root])).astype(root.dtype)[()]
    table = backprop(total, [x for x in stands_on.values() if x.type.is_float])
    gradients = {x: table[x] for x in stands_on.values() if x in table}
    interpret(topo([total, *gradients.values()]), values, here.sizes)
    computed = [u for u in topo(gradients.values()) if u.inputs]
    bounds = rounding(list(gradients.values()), computed, values, here.sizes)
    largest = 0.0
    compared = list(zip(gradients.items(), bounds, strict=True))
    for i in rng.permutation(len(compared))[:_OPERANDS]:
        (x, gradient), bound = compared[i]
        slopes = ExactSlopes(Moving(total, x, values, here.sizes, moves))
        places = list(np.ndindex(np.shape(values[x])))
        for k in rng.permutation(len(places))[:_COMPARED]:
            low, high = sorted(map(float, slopes.at(places[k])))
            value = float(np.asarray(values[gradient])[places[k]])
            off = max(low - value, value - high, 0.0)
            if off > float(np.asarray(bound)[places[k]]):
                largest = max(largest, off)
    return "agrees" if not largest else f"differs by {largest:.1e}"
