"""Backprop's steps, as the page plays them on a picture."""

from __future__ import annotations

from collections.abc import Mapping

from ..autodiff import GradTable
from ..ir import Node
from .captions import Captions
from .picture import Moment, Share

# Of a large table, so many steps are played.
_MOST = 400


def moments(
    table: GradTable, box_of: Mapping[tuple[Node, bool], str], captions: Captions
) -> list[Moment]:
    """A step for each entry of the table; boxes are found by node, and whether it is an entry."""
    played = []
    for step in table.steps[:_MOST]:
        g = step.gradient
        shares = tuple(
            Share(captions.reference(c.consumer), captions.value(c.gradient))
            for c in step.contributions
        )
        played.append(
            Moment(
                node=box_of.get((step.node, False), ""),
                gradient=box_of.get((g, True)) or box_of.get((g, False), ""),
                name=captions.reference(step.node),
                shares=shares,
                total=captions.value(g),
            )
        )
    return played
