"""Many parameters at once: along one direction, as the elements of a large parameter are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..evaluate import interpret
from ..ir import Node, rebuild, topo
from ..ops.elementwise import astype
from ..ops.joins import stack
from ..ops.leaves import placeholder
from ..ops.reduce import sum
from ..tensor_type import tensor
from .numeric import direction
from .point import Point

# Each parameter takes runs of the whole graph: so many are compared one by one, of more so many.
_FEW, _SAMPLE = 100, 16


def one_by_one(parameters: Sequence[Node], seed: int) -> list[int]:
    """Which parameters to compare alone: all when they are few, else a sample of the inputs."""
    inputs = [k for k, x in enumerate(parameters) if x.op.name == "input"]
    if len(inputs) <= _FEW:
        return list(range(len(parameters)))
    left = set(inputs) - set(np.random.default_rng(seed).choice(inputs, _SAMPLE, replace=False))
    # What is computed from other parameters moves with them: it has no direction of its own.
    return [k for k in range(len(parameters)) if k not in left]


class Line(NamedTuple):
    """A value as a function of the number t that moves some parameters, at t = 0."""

    value: Node
    t: Node
    slope: Node  # by reverse mode
    here: Point
    known: dict[Node | None, Node]  # the nodes of the graph that is moved, as the user has them


def line(
    v: Node, parameters: Sequence[Node], gradients: Sequence[Node], here: Point, seed: int
) -> Line:
    """The value where each of some inputs x is x + t * d, for a random d."""
    rng = np.random.default_rng(seed)
    t = placeholder(tensor(()), "how far along the direction")
    values, moved, slopes = {**here.values, t: np.float64(0)}, {}, []
    for x, g in dict(zip(parameters, gradients, strict=True)).items():
        d = placeholder(x.type, f"the direction of {x.label}")
        values[d] = np.asarray(direction(np.float64(here.values[x]), rng), x.dtype)[()]
        moved[x] = x + astype(t, x.dtype) * d
        slopes.append(sum(astype(g * d, t.dtype)))
    new = rebuild(topo([v]), replacements=moved)
    slope = sum(stack(slopes))
    interpret(topo([new[v], slope]), values, here.sizes)
    known: dict[Node | None, Node] = {made: old for old, made in new.items()}
    return Line(new[v], t, slope, Point(values, here.sizes, ""), known)
