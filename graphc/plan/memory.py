"""Memory: which values are arrays that a program makes, and in whose memory a value lies."""

from __future__ import annotations

from ..ir import Graph, Node


def takes_memory(v: Node) -> bool:
    """Whether a value is an array that the program makes."""
    return holds_memory(v) and not v.op.view


def holds_memory(v: Node) -> bool:
    """Whether an array lives as long as the name of v does: a view's is that it looks at."""
    return bool(v.ndim) and v.op.family != "leaf"


def takes_buffer(v: Node) -> bool:
    """Whether a value can be written into memory that is there."""
    into = v.op.into
    return not v.op.view and (into(v) if callable(into) else into) is not None


def is_given(v: Node) -> bool:
    """Whether a value is there before anything is computed."""
    return v.op.name in ("input", "constant")


def computed(graph: Graph) -> list[Node]:
    """What a program computes, in order."""
    return [v for v in graph.nodes if not is_given(v)]


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
