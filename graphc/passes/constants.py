"""Operations on constants, computed now."""

from __future__ import annotations

import numpy as np

from ..evaluate import interpret
from ..ir import FUNCTIONS, Node
from ..shapes import symbols


def folded_node(v: Node) -> Node:
    """op(constants) = constant"""
    for x in v.inputs:
        if x.op.name != "constant":
            return v
    if not v.inputs or symbols(v.shape) or v.op.name == "broadcast_to":
        return v  # a number that is stretched stays one: rules ask for it
    if v.type.size > max(x.type.size for x in v.inputs):
        return v
    values = {x: x.attrs["value"].array for x in v.inputs}
    try:
        with np.errstate(all="ignore"):
            interpret([v], values, {})
    except (ValueError, IndexError, ArithmeticError):
        return v  # the program will say so when it runs
    return FUNCTIONS["constant"](values[v], dtype=v.dtype)  # type: ignore[no-any-return]
