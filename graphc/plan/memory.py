"""Memory: which values are arrays that a program makes, and in whose memory a value lies."""

from __future__ import annotations

from ..ir import Node


def takes_memory(v: Node) -> bool:
    """Whether a value is an array that the program makes."""
    return bool(v.ndim) and not v.op.view and v.op.family != "leaf"


def is_given(v: Node) -> bool:
    """Whether a value is there before anything is computed."""
    return v.op.name in ("input", "constant")


def base(v: Node) -> Node:
    """The value whose memory a value lies in."""
    while v.op.view:
        v = v.inputs[0]
    return v


def is_fresh(v: Node) -> bool:
    """Whether a value is nobody else's memory, and all of it."""
    while v.op.view:
        # What NumPy broadcasts is read-only, even where nothing repeats.
        if v.type.size != v.inputs[0].type.size or v.op.name == "broadcast_to":
            return False
        v = v.inputs[0]
    return not is_given(v)


def joins_runs(join: Node) -> bool:
    """Whether the parts of a join lie in one piece each."""
    return all(d == 1 for d in join.shape[: join.attrs["axis"]])
