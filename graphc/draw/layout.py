"""Where everything stands: DOT through the graphviz package, laid out by dot, read back as points.

The layout sees sizes only, never text, so it does not depend on the fonts of a machine.
"""

from __future__ import annotations

import graphlib
import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import GraphcError
from .picture import FONT_SIZE, SMALL, Box, Edge, Picture
from .style import FONTS, LIGHT, SHAPES
from .text import printable, short, width

# Deeper scopes are drawn as part of the one at this depth.
_DEEPEST = 6
# So many boxes of a scope are tied to those of the next.
_TIES = 8
# Graphviz keeps global state.
_one_at_a_time = threading.Lock()


class NoLayoutEngine(GraphcError, ImportError):
    """There is no Graphviz: neither `dot` on the path nor the pygraphviz package."""


Point = tuple[float, float]


class Place(NamedTuple):
    """The centre of a box."""

    x: float
    y: float


class Line(NamedTuple):
    """An edge: the points of a cubic spline, the tip of its arrow, the centre of its label."""

    points: tuple[Point, ...]
    tip: Point
    label: Point | None


class Frame(NamedTuple):
    """The rectangle around a scope: its name and two corners."""

    name: str
    depth: int
    low: Point
    high: Point


class Layout(NamedTuple):
    """A picture's geometry, y upwards from the bottom left."""

    width: float
    height: float
    places: Mapping[str, Place]
    lines: Mapping[str, Line]
    frames: tuple[Frame, ...]


# -- DOT --------------------------------------------------------------------------------------


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
    if picture.title and not for_layout:
        graph.attr("graph", label=graphviz.escape(picture.title), labelloc="t")
    _add_boxes(graph, picture, for_layout)
    drawn = {e.tail for e in picture.edges if e.kind == "value"}
    drawn |= {e.head for e in picture.edges if e.kind == "value"}
    for edge in picture.edges:
        _add_edge(graph, edge, edge.tail in drawn, for_layout)
    for upper, lower in _stacked(picture):
        graph.edge(upper, lower, style="invis", weight="0")
    return str(graph.source)


def _stacked(picture: Picture) -> Iterator[tuple[str, str]]:
    """Pairs of boxes that keep a scope below the scopes whose values it takes."""
    part = {box.id: box.part[:1] for box in picture.boxes}
    below: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}
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
    members: dict[tuple[str, ...], list[str]] = {}
    for box in picture.boxes:
        members.setdefault(part[box.id], []).append(box.id)
    for one, others in below.items():
        lowest = [b for b in members[one] if b not in has_lower]
        for other in others:
            highest = [b for b in members[other] if b not in has_upper]
            yield from itertools.product(lowest[:_TIES], highest[:_TIES])


def _add_row(into: Any, box: Box) -> None:
    """A gradient stands to the right of its forward node."""
    with into.subgraph() as row:
        row.attr(rank="same")
        row.edge(box.beside, box.id, style="invis", weight="2")


def _add_boxes(graph: Any, picture: Picture, for_layout: bool) -> None:
    """Boxes inside the scopes that are drawn around them."""
    tree: dict[tuple[str, ...], list[Box]] = {(): []}
    for box in picture.boxes:
        path = box.part[:_DEEPEST]
        for depth in range(1, len(path) + 1):
            tree.setdefault(path[:depth], [])
        tree[path].append(box)
    numbers = {path: k for k, path in enumerate(tree)}
    part_of = {box.id: box.part[:_DEEPEST] for box in picture.boxes}
    inside: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in tree:
        inside.setdefault(path[:-1], []).append(path)

    def add(into: Any, path: tuple[str, ...]) -> None:
        for box in tree[path]:
            _add_box(into, box, for_layout)
        for box in tree[path]:
            if box.beside and part_of.get(box.beside) == path:
                _add_row(into, box)
        for inner in inside.get(path, ()):
            if inner:
                with into.subgraph(name=f"cluster_{numbers[inner]}") as part:
                    part.attr(**_frame_attributes(inner[-1], for_layout))
                    add(part, inner)

    add(graph, ())
    for box in picture.boxes:
        if box.beside and part_of[box.id] != part_of.get(box.beside):
            _add_row(graph, box)


def _frame_attributes(name: str, for_layout: bool) -> dict[str, str]:
    import graphviz

    shown = _frame_name(name)
    if for_layout:
        return {"label": _spacer(width(shown, SMALL) + 8, SMALL + 4), "labeljust": "l"}
    style = {"style": "rounded", "color": LIGHT.frame, "fontcolor": LIGHT.quiet}
    return {"label": graphviz.escape(shown), "labeljust": "l", **style}


def _frame_name(name: str) -> str:
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
    style = f"filled{SHAPES[box.kind].style}{',dashed' * (box.state in ('ghost', 'removed'))}"
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
    attributes: dict[str, str] = {"id": edge.id}
    tail, head = edge.tail, edge.head
    if edge.kind != "value":
        # The backward half is read from the bottom to the top: the layout sees its edges reversed.
        tail, head = head, tail
        attributes["dir"] = "back"
    if edge.kind == "reuse" and is_beside_forward:
        tail, head = edge.tail, edge.head
        attributes |= {"constraint": "false", "dir": "forward"}
    if edge.label:
        attributes["label"] = (
            _spacer(width(edge.label, SMALL) + 6, SMALL + 3) if for_layout else _plain(edge.label)
        )
    if not for_layout:
        stroke = LIGHT.stroke("operation" if edge.kind == "value" else "gradient")
        attributes |= {"color": stroke, "fontcolor": LIGHT.quiet}
        if edge.kind == "reuse":
            attributes |= {"style": "dashed", "penwidth": "0.7"}
    graph.edge(tail, head, **attributes)


def _plain(label: str) -> str:
    import graphviz

    return str(graphviz.escape(label))


# -- the engines ------------------------------------------------------------------------------


def run(dot: str, format: str) -> bytes:
    """What Graphviz makes of a DOT text: `dot` on the path, else the one inside pygraphviz."""
    program = shutil.which("dot")
    if program is not None:
        done = subprocess.run(
            [program, f"-T{format}"], input=dot.encode(), capture_output=True, check=False
        )
        if done.returncode == 0 and done.stdout:
            return done.stdout
    try:
        import pygraphviz
    except ImportError:
        raise NoLayoutEngine(
            "laying out a picture needs Graphviz: pip install pygraphviz, whose wheel carries it, "
            "or put its program dot on the path; the .dot text needs neither"
        ) from None
    with _one_at_a_time:
        graph = pygraphviz.AGraph(string=dot)
        try:
            return bytes(graph.draw(format=format, prog="dot"))
        finally:
            graph.close()


def lay_out(picture: Picture) -> Layout:
    """Where the boxes, edges and frames of a picture stand."""
    if not picture.boxes:
        return Layout(240.0, 40.0, {}, {}, ())
    found = json.loads(run(dot_text(picture, for_layout=True), "json0"))
    _, _, w, h = _numbers(found["bb"])
    places, frames = {}, []
    parts = _frame_names(picture)
    for thing in found.get("objects", ()):
        name = thing["name"]
        if name.startswith("cluster_"):
            x0, y0, x1, y1 = _numbers(thing["bb"])
            path = parts[name]
            frames.append(Frame(_frame_name(path[-1]), len(path), (x0, y0), (x1, y1)))
        elif "pos" in thing:
            places[name] = Place(*_numbers(thing["pos"]))
    lines = {e["id"]: _line(e) for e in found.get("edges", ()) if "id" in e and "pos" in e}
    sizes = {box.id: box.size for box in picture.boxes}
    for edge in picture.edges:
        if edge.id not in lines:  # Graphviz now and then finds no way between scopes that overlap
            lines[edge.id] = _straight(edge, places, sizes)
    return Layout(w, h, places, lines, tuple(frames))


def _straight(
    edge: Edge, places: Mapping[str, Place], sizes: Mapping[str, tuple[float, float]]
) -> Line:
    """From border to border along the line between the centres."""
    tail, head = places[edge.tail], places[edge.head]
    dx, dy = head.x - tail.x, head.y - tail.y

    def border(centre: Place, size: tuple[float, float], sign: float) -> Point:
        scales = [s / 2 / abs(d) for s, d in zip(size, (dx, dy), strict=True) if d]
        k = sign * min([*scales, 0.5])
        return centre.x + k * dx, centre.y + k * dy

    start, tip = border(tail, sizes[edge.tail], 1), border(head, sizes[edge.head], -1)
    end = (start[0] + 0.9 * (tip[0] - start[0]), start[1] + 0.9 * (tip[1] - start[1]))
    return Line((start, start, end, end), tip, None)


def _frame_names(picture: Picture) -> dict[str, tuple[str, ...]]:
    """The scope that each cluster of the DOT text stands for."""
    numbers: dict[tuple[str, ...], None] = {(): None}
    for box in picture.boxes:
        path = box.part[:_DEEPEST]
        for depth in range(1, len(path) + 1):
            numbers.setdefault(path[:depth])
    return {f"cluster_{k}": path for k, path in enumerate(numbers)}


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def _line(edge: Mapping[str, str]) -> Line:
    """Graphviz writes `e,tip points` for an arrow at the end and `s,tip points` at the start."""
    points, tip, is_back = [], None, False
    # Of several splines the first is the edge.
    for word in edge["pos"].split(";")[0].split():
        mark, *rest = word.split(",")
        if mark in ("e", "s"):
            tip, is_back = (float(rest[0]), float(rest[1])), mark == "s"
        else:
            points.append((float(mark), float(rest[0])))
    if is_back:
        points.reverse()
    x, y = _numbers(edge["lp"]) if "lp" in edge else (None, None)
    label = None if x is None or y is None else (x, y)
    return Line(tuple(points), tip or points[-1], label)
