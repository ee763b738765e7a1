"""Numbers in a graph: what a node is worth that is a constant, alone or broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from .node import Node


def number_of(v: Node) -> Any:
    """The one number that a constant holds, broadcast or not; None for anything else."""
    while v.op.name == "broadcast_to":
        v = v.inputs[0]
    return v.attrs["value"].number if v.op.name == "constant" else None


def is_literal(v: Node, number: float) -> bool:
    """Whether a node is this number, alone or broadcast."""
    found = number_of(v)
    return found is not None and bool(found == number)


def is_positive_zero(v: Node) -> bool:
    """Whether a node is 0 and not -0, alone or broadcast."""
    found = number_of(v)
    return found is not None and bool(found == 0) and not np.signbit(found)
