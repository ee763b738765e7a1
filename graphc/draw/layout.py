"""Where the parts of a picture stand on the page: laid out by Graphviz, read back as points."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import GraphcError
from .dot import Scopes, dot_text, frame_name
from .picture import Edge, Picture

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
    parts = {cluster: path for path, cluster in Scopes(picture).clusters.items()}
    for thing in found.get("objects", ()):
        name = thing["name"]
        if name.startswith("cluster_"):
            x0, y0, x1, y1 = _numbers(thing["bb"])
            path = parts[name]
            frames.append(Frame(frame_name(path[-1]), len(path), (x0, y0), (x1, y1)))
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
