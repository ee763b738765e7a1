"""Single numbers: whether a graph is one that Python's floats compute as NumPy does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir import Graph, Node


def is_on_floats(graph: Graph, computed: Sequence[Node]) -> bool:
    """Whether all inputs are single floats, and the text of all that is computed is for such."""
    parameters, outputs = graph.parameters, graph.outputs
    if not computed or not parameters:
        return False
    return (
        all(v.dtype == np.float64 and not v.ndim for v in parameters)
        and all(v.dtype in (np.float64, np.int64, np.bool_) and not v.ndim for v in outputs)
        and all(map(_means_the_same, computed))
    )


def _means_the_same(v: Node) -> bool:
    """Whether v's text for floats computes what NumPy does. To Python True + True is 2."""
    if v.op.scalar is None or v.ndim or v.dtype not in (np.float64, np.bool_):
        return False
    if v.dtype == bool and v.op.name.startswith("logical_"):
        return True
    return all(map(_is_float, v.inputs[1:] if v.op.name == "where" else v.inputs))


def _is_float(x: Node) -> bool:
    """Whether an operand is a float, or a constant that is one to the last digit."""
    if x.op.name != "constant" or x.dtype == bool:
        return x.dtype == np.float64
    if x.ndim:
        return False
    number = x.attrs["value"].array.item()
    return bool(number == float(number) or np.isnan(number))
