"""fold: compute now what depends on constants alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..evaluate import interpret
from ..ir import FUNCTIONS, Graph, Node
from ..shapes import symbols

if TYPE_CHECKING:
    from .log import Log


def fold(graph: Graph, log: Log) -> Graph:
    """Replace operations on constants by constants, where that makes nothing larger."""
    constants = {v for v in graph.nodes if v.op.name == "constant"}
    on_constants = [v for v in graph.nodes if v.inputs and constants.issuperset(v.inputs)]
    if any(folded_node(v) is not v for v in on_constants):
        graph = graph.rewritten(folded_node)
    log.add("fold", graph)
    return graph


def folded_node(v: Node) -> Node:
    """op(constants) = constant"""
    for x in v.inputs:
        if x.op.name != "constant":
            return v
    if not v.inputs or symbols(v.shape) or v.op.name == "broadcast_to":
        return v  # a number that is stretched stays one: rules ask for it
    if v.size > max(x.size for x in v.inputs):
        return v
    values = {x: x.attrs["value"].array for x in v.inputs}
    try:
        with np.errstate(all="ignore"):
            interpret([v], values, {})
    except (ValueError, IndexError, ArithmeticError):
        return v  # the program will say so when it runs
    return FUNCTIONS["constant"](values[v], dtype=v.dtype)  # type: ignore[no-any-return]
