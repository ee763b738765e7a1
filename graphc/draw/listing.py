"""A graph as lines of text, folded as its picture is."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import FUNCTIONS, Graph
from ..notation import op_word
from .build import Builder
from .fold import Group
from .subject import Piece, Subject
from .text import printable

# So many operands, or operations, of a folded line are named.
_MOST_NAMED = 6


def folded_listing(graph: Graph) -> str:
    """A small graph node by node; of a large one, a line for all that folds into one box."""
    builder = Builder(Subject([graph]), "both")
    groups = builder.folded()
    if all(group.kind == "piece" for group in groups):
        return repr(graph)
    return graph.listing(printable(_line(graph, group, builder.pieces)) for group in groups)


def _line(graph: Graph, group: Group, pieces: Sequence[Piece]) -> str:
    """`h : f64[n] = layer 1(x, W)   3 nodes`: what leaves a folded part, and what enters it."""
    members = [pieces[i].node for i in group.members]
    last = members[-1]
    if group.kind == "piece":
        return graph.line(last)
    inside = set(members)
    entering = {
        graph.tags[x]: None
        for v in members
        for x in v.inputs
        if x.op.name == "input" or x not in inside and x.op.name not in ("constant", "size")
    }
    operands = list(entering)[:_MOST_NAMED] + ["…"] * (len(entering) > _MOST_NAMED)
    half = "∇ " if pieces[group.members[0]].is_gradient else ""
    return (
        f"{graph.tags[last]} : {last.type} = {half}{_called(group, pieces)}({', '.join(operands)})"
        f"   {len(members):,} nodes"
    )


def _called(group: Group, pieces: Sequence[Piece]) -> str:
    """A scope by its name, a repetition by its count and what is repeated."""
    if group.kind == "scope":
        return group.name
    if group.kind != "repeat":
        return "…"
    if group.ends:
        return f"{group.count} × {group.ends}"
    block = [i for part in group.children[: group.block] for i in part.members]
    ops = [op_word(pieces[i].node) for i in block]
    told = ops[:_MOST_NAMED] + ["…"] * (len(ops) > _MOST_NAMED)
    return f"{group.count} × [{', '.join(told)}]"


FUNCTIONS["folded_listing"] = folded_listing
