"""fold: compute now what depends on constants alone."""

from __future__ import annotations

import numpy as np

from ..evaluate import interpret
from ..ir import FUNCTIONS, Graph, Node
from ..shapes import symbols
from .log import Log


def fold(graph: Graph, log: Log) -> Graph:
    """Replace operations on constants by constants, where that makes nothing larger."""
    folded = graph.rewritten(_folded)
    log.add("fold", folded)
    return folded


def _folded(v: Node) -> Node:
    """op(constants) = constant"""
    if not v.inputs or any(x.op.name != "constant" for x in v.inputs) or symbols(v.shape):
        return v
    if v.size > max(x.size for x in v.inputs):
        return v
    values = {x: x.attrs["value"].array for x in v.inputs}
    try:
        with np.errstate(all="ignore"):
            interpret([v], values, {})
    except (ValueError, IndexError, ArithmeticError):
        return v  # the program will say so when it runs
    return FUNCTIONS["constant"](values[v], dtype=v.dtype)  # type: ignore[no-any-return]
