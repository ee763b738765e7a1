"""A picture in the DOT language: with its texts to be shown, with their sizes to be laid out.

The layout sees sizes only, never text, so it does not depend on the fonts of a machine.
"""

from __future__ import annotations

import graphlib
import html
import itertools
from collections.abc import Iterator
from typing import Any

from .legend import Mark, legend
from .picture import FONT_SIZE, SMALL, Box, Edge, Picture
from .style import FONTS, LIGHT, SHAPES
from .text import printable, short, width

# Deeper scopes are drawn as part of the one at this depth.
_DEEPEST = 6
# So many boxes of a scope are tied to those of the next.
_TIES = 8


def dot_text(picture: Picture, for_layout: bool = False, dpi: int | None = None) -> str:
    """A picture in the DOT language; for the layout, sizes in place of texts."""
    import graphviz

    graph = graphviz.Digraph("graphc")
    fonts = ",".join(FONTS)
    graph.attr(
        "graph", rankdir="TB", newrank="true", nodesep="0.28", ranksep="0.42", splines="true",
        nslimit="4", nslimit1="4", mclimit="1", fontname=fonts, fontsize=f"{FONT_SIZE:g}",
    )  # fmt: skip
    if len(picture.boxes) > 150:
        graph.attr("graph", splines="polyline", nslimit="1", nslimit1="1", mclimit="0.3")
    graph.attr("node", fixedsize="true", fontname=fonts, fontsize=f"{FONT_SIZE:g}")
    graph.attr("edge", fontname=fonts, fontsize=f"{SMALL:g}", arrowsize="0.6")
    if dpi is not None:
        graph.attr("graph", dpi=str(dpi), pad="0.2")
    if picture.boxes and not for_layout:
        graph.attr("graph", label=_heading(picture), labelloc="t")
    _add_boxes(graph, picture, for_layout)
    drawn = {e.tail for e in picture.edges if e.kind == "value"}
    drawn |= {e.head for e in picture.edges if e.kind == "value"}
    for edge in picture.edges:
        _add_edge(graph, edge, edge.tail in drawn, for_layout)
    for upper, lower in _stacked(picture):
        graph.edge(upper, lower, style="invis", weight="0")
    return str(graph.source)


# The states of boxes that are not there, or no longer.
_DASHED = frozenset({"ghost", "removed"})


def _heading(picture: Picture) -> str:
    """The title, and below it the legend; as the tables of DOT are written."""
    cells = [cell for mark in legend(picture) for cell in _cells(mark)]
    title = f'<TR><TD ALIGN="LEFT" COLSPAN="{max(1, len(cells))}">{_text(picture.title)}</TD></TR>'
    row = f"<TR>{''.join(cells)}</TR>" if cells else ""
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="4">{title}{row}</TABLE>>'


def _cells(mark: Mark) -> Iterator[str]:
    """A swatch or more, and a word."""
    swatch = (
        '<TD BORDER="{}" COLOR="{}" BGCOLOR="{}" WIDTH="{}" STYLE="{}" HEIGHT="11" '
        'FIXEDSIZE="TRUE"></TD>'
    )
    kind, *states = mark.name.split() or [""]
    if mark.sort == "heat":
        yield from (swatch.format(0, fill, fill, 14, "SOLID") for fill, _ in LIGHT.heat)
    elif mark.sort == "edge":
        yield f'<TD><FONT COLOR="{LIGHT.stroke("gradient")}">- - -</FONT></TD>'
    elif mark.sort == "rim":
        yield swatch.format(3, LIGHT.stroke(kind), LIGHT.paper, 22, "SOLID")
    else:
        fill, stroke = LIGHT.fill(kind), LIGHT.stroke(kind)
        for state in states:
            fill = LIGHT.wrong[0] if state == "first_nan" else fill
            stroke = LIGHT.of_state(state) or LIGHT.quiet
        style = "DASHED" if _DASHED.intersection(states) else "SOLID"
        yield swatch.format(1 + bool(states), stroke, fill, 22, style)
    told = f'<FONT POINT-SIZE="{SMALL:g}" COLOR="{LIGHT.quiet}">{_text(mark.word)}</FONT>'
    yield f'<TD ALIGN="LEFT">{told}</TD>'


def _text(text: str) -> str:
    """Text as it stands in a table; one that is empty is no text to Graphviz."""
    return html.escape(text) or " "


def _stacked(picture: Picture) -> Iterator[tuple[str, str]]:
    """Pairs of boxes that keep a scope below the scopes whose values it takes."""
    part = {box.id: box.part[:1] for box in picture.boxes}
    below: dict[Path, dict[Path, None]] = {}
    has_lower, has_upper = set(), set()
    for edge in picture.edges:
        one, other = part[edge.tail], part[edge.head]
        if one == other and edge.kind != "reuse":
            upper, lower = (edge.tail, edge.head)[:: 1 if edge.kind == "value" else -1]
            has_lower.add(upper)
            has_upper.add(lower)
        elif one and other and edge.kind == "value":
            below.setdefault(one, {})[other] = None
    try:
        graphlib.TopologicalSorter(below).prepare()
    except graphlib.CycleError:
        return
    members: dict[Path, list[str]] = {}
    for box in picture.boxes:
        members.setdefault(part[box.id], []).append(box.id)
    for one, others in below.items():
        lowest = [b for b in members[one] if b not in has_lower]
        for other in others:
            highest = [b for b in members[other] if b not in has_upper]
            yield from itertools.product(lowest[:_TIES], highest[:_TIES])


Path = tuple[str, ...]


class Scopes:
    """The scopes of a picture: the boxes that stand directly in each, and the scopes inside it."""

    def __init__(self, picture: Picture) -> None:
        self.boxes: dict[Path, list[Box]] = {(): []}
        self.inside: dict[Path, list[Path]] = {}
        for box in picture.boxes:
            path = _part(box)
            for depth in range(len(path)):
                if path[: depth + 1] not in self.boxes:
                    self.boxes[path[: depth + 1]] = []
                    self.inside.setdefault(path[:depth], []).append(path[: depth + 1])
            self.boxes[path].append(box)
        self.clusters = {path: f"cluster_{k}" for k, path in enumerate(self.boxes)}
        """What DOT calls them."""


def _part(box: Box) -> Path:
    return box.part[:_DEEPEST]


def _add_boxes(graph: Any, picture: Picture, for_layout: bool) -> None:
    """Boxes inside the scopes that are drawn around them."""
    _add_scope(graph, (), Scopes(picture), for_layout)
    part_of = {box.id: _part(box) for box in picture.boxes}
    for box in picture.boxes:
        if box.beside and part_of[box.id] != part_of.get(box.beside):
            _add_row(graph, box)


def _add_scope(into: Any, path: Path, scopes: Scopes, for_layout: bool) -> None:
    boxes = scopes.boxes[path]
    here = {box.id for box in boxes}
    for box in boxes:
        _add_box(into, box, for_layout)
    for box in boxes:
        if box.beside in here:
            _add_row(into, box)
    for inner in scopes.inside.get(path, ()):
        with into.subgraph(name=scopes.clusters[inner]) as part:
            part.attr(**_frame_attributes(inner[-1], for_layout))
            _add_scope(part, inner, scopes, for_layout)


def _add_row(into: Any, box: Box) -> None:
    """A gradient stands to the right of its forward node."""
    with into.subgraph() as row:
        row.attr(rank="same")
        row.edge(box.beside, box.id, style="invis", weight="2")


def _frame_attributes(name: str, for_layout: bool) -> dict[str, str]:
    import graphviz

    shown = frame_name(name)
    if for_layout:
        return {"label": _spacer(width(shown, SMALL) + 8, SMALL + 4), "labeljust": "l"}
    style = {"style": "rounded", "color": LIGHT.frame, "fontcolor": LIGHT.quiet}
    return {"label": graphviz.escape(shown), "labeljust": "l", **style}


def frame_name(name: str) -> str:
    """What stands in the corner of a scope."""
    return short(printable(name), 40)


def _spacer(w: float, h: float) -> str:
    """A label of a given size and nothing in it."""
    return (
        '<<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0" FIXEDSIZE="TRUE" '
        f'WIDTH="{round(w)}" HEIGHT="{round(h)}"><TR><TD></TD></TR></TABLE>>'
    )


def _add_box(graph: Any, box: Box, for_layout: bool) -> None:
    import graphviz

    w, h = box.size
    size = {"width": f"{w / 72:.4f}", "height": f"{h / 72:.4f}"}
    if for_layout:
        graph.node(box.id, label="", shape="box", **size)
        return
    fill, ink = LIGHT.fill(box.kind), LIGHT.ink
    stroke = LIGHT.of_state(box.state) or LIGHT.stroke(box.kind)
    style = f"filled{SHAPES[box.kind].style}{',dashed' * (box.state in _DASHED)}"
    if box.step_of_heat is not None:
        fill, ink = LIGHT.heat[box.step_of_heat]
    if box.state == "first_nan":
        fill = LIGHT.wrong[0]
    graph.node(
        box.id, label=graphviz.escape("\n".join(box.lines)),
        tooltip=graphviz.escape("\n".join(box.facts)), style=style,
        shape=SHAPES[box.kind].dot, fillcolor=fill, color=stroke, fontcolor=ink,
        peripheries="2" if box.is_output else "1", **size,
    )  # fmt: skip


def _add_edge(graph: Any, edge: Edge, is_beside_forward: bool, for_layout: bool) -> None:
    import graphviz

    attributes: dict[str, str] = {"id": edge.id}
    tail, head = edge.tail, edge.head
    if edge.kind != "value":
        # The backward half is read from the bottom to the top: the layout sees its edges reversed.
        tail, head = head, tail
        attributes["dir"] = "back"
    if edge.kind == "reuse" and is_beside_forward:
        tail, head = edge.tail, edge.head
        attributes |= {"constraint": "false", "dir": "forward"}
    if edge.label and for_layout:
        attributes["label"] = _spacer(width(edge.label, SMALL) + 6, SMALL + 3)
    elif edge.label:
        attributes["label"] = graphviz.escape(f" {edge.label} ")  # clear of the line
    if not for_layout:
        stroke = LIGHT.stroke("operation" if edge.kind == "value" else "gradient")
        attributes |= {"color": stroke, "fontcolor": LIGHT.quiet}
        if edge.kind == "reuse":
            attributes |= {"style": "dashed", "penwidth": "0.7"}
    graph.edge(tail, head, **attributes)
