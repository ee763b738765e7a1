"""The SVG of a picture, written by ourselves: text is text, nothing runs, nothing is fetched."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence

from .layout import Layout, Line, Point
from .legend import Mark, legend
from .picture import FONT_SIZE, LINE_HEIGHT, SMALL, STEPS_OF_HEAT, Box, Edge, Picture
from .style import SHAPES, css
from .text import short, width

EDGE = 16.0  # the paper's margin
TITLE, LEGEND = 30.0, 30.0


def svg(picture: Picture, layout: Layout, with_style: bool = True) -> str:
    """A picture as an SVG document, the same for the same picture."""
    marks = list(legend(picture))
    title_width = width(picture.title, 16) + 8
    w = max(layout.width, min(title_width, 900), legend_width(marks)) + 2 * EDGE
    top = EDGE + (TITLE if picture.title else 0)
    h = top + layout.height + LEGEND + EDGE / 2
    left = (w - layout.width) / 2
    lines = list(head(picture.title, picture.description, w, h, css() if with_style else ""))
    lines.append(f'<g class="drawing" transform="translate({digits(left)} {digits(top)})">')
    lines += _frames(layout)
    # What is dashed runs beneath the rest and its labels.
    for edge in sorted(picture.edges, key=lambda edge: edge.kind != "reuse"):
        lines += _edge(edge, layout)
    lines += (part for box in picture.boxes for part in _box(box, layout))
    lines.append("</g>")
    lines += legend_marks(marks, EDGE, h - LEGEND + 6)
    lines.append("</svg>\n")
    return "\n".join(lines)


def head(title: str, description: str, w: float, h: float, style: str) -> Iterator[str]:
    """How a document opens: its size, what it is, its style, the paper and the heading."""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graphc" role="img" width="{digits(w)}" '
        f'height="{digits(h)}" viewBox="0 0 {digits(w)} {digits(h)}">'
    )
    yield f"<title>{escape(title)}</title>"
    yield f"<desc>{escape(description)}</desc>"
    if style:
        yield f"<style>\n{style}\n</style>"
    yield f'<rect class="paper" width="{digits(w)}" height="{digits(h)}"/>'
    if title:
        yield (
            f'<text class="heading" x="{digits(EDGE)}" y="{digits(EDGE + 12)}">'
            f"{escape(short(title, max(4, int(w / 8.5))))}</text>"
        )


def escape(text: str) -> str:
    """Text as it stands between tags."""
    return html.escape(text, quote=False)


def digits(number: float) -> str:
    """At most one decimal: the same digits wherever it is computed."""
    return f"{round(number + 0.0, 1):.1f}".removesuffix(".0").replace("-0", "0", number == 0)


def _frames(layout: Layout) -> Iterator[str]:
    for frame in sorted(layout.frames, key=lambda f: f.depth):
        (x0, y0), (x1, y1) = frame.low, frame.high
        top = layout.height - y1
        yield f'<g class="frame" data-name="{html.escape(frame.name)}">'
        size = f'width="{digits(x1 - x0)}" height="{digits(y1 - y0)}"'
        yield f'<rect x="{digits(x0)}" y="{digits(top)}" {size} rx="8"/>'
        yield f'<text x="{digits(x0 + 8)}" y="{digits(top + 14)}">{escape(frame.name)}</text></g>'


def _box(box: Box, layout: Layout) -> Iterator[str]:
    x, y = layout.places[box.id]
    y = layout.height - y
    w, h = box.size
    classes = ["box", box.kind]
    if box.state:
        classes.append(box.state)
    if box.heat is not None:
        classes.append(f"heat{box.step_of_heat}")
    if box.folded > 1:
        classes.append("folded")
    yield f'<g id="{box.id}" class="{" ".join(classes)}">'
    yield f"<title>{escape(chr(10).join(box.facts))}</title>"
    outline = SHAPES[box.kind].outline
    if box.folded > 1 and not box.is_one:
        for off in (6, 3):  # a stack, on the side where no arrow arrives
            yield _outline(outline, x + off, y - off if box.is_gradient else y + off, w, h)
    yield _outline(outline, x, y, w, h)
    if box.is_output:
        inner = _outline(outline, x, y, w - 6, h - 6)
        yield inner.replace('class="shape"', 'class="shape rim"')
    first = y - (len(box.lines) - 1) * LINE_HEIGHT / 2 + FONT_SIZE * 0.35
    for k, line in enumerate(box.lines):
        yield f'<text x="{digits(x)}" y="{digits(first + k * LINE_HEIGHT)}">{escape(line)}</text>'
    yield "</g>"


def _outline(outline: str, x: float, y: float, w: float, h: float) -> str:
    left, right, top, low = x - w / 2, x + w / 2, y - h / 2, y + h / 2
    if outline in ("pill", "round"):
        radius = h / 2 if outline == "pill" else 5.0
        return (
            f'<rect class="shape" x="{digits(left)}" y="{digits(top)}" width="{digits(w)}" '
            f'height="{digits(h)}" rx="{digits(radius)}"/>'
        )
    c = min(7.0, h / 3)
    corners: Sequence[Point] = {
        "note": [(left, top), (right - c, top), (right, top + c), (right, low), (left, low)],
        "hexagon": [
            (left, y), (left + c, top), (right - c, top),
            (right, y), (right - c, low), (left + c, low),
        ],
        "octagon": [
            (left, top + c), (left + c, top), (right - c, top), (right, top + c),
            (right, low - c), (right - c, low), (left + c, low), (left, low - c),
        ],
    }[outline]  # fmt: skip
    return f'<polygon class="shape" points="{_points(corners)}"/>'


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{digits(px)},{digits(py)}" for px, py in points)


def _edge(edge: Edge, layout: Layout) -> Iterator[str]:
    line = layout.lines.get(edge.id)
    if line is None:
        return
    state = f" {edge.state}" if edge.state else ""
    yield (
        f'<g id="{edge.id}" class="edge {edge.kind}{state}" '
        f'data-from="{edge.tail}" data-to="{edge.head}">'
    )
    first, *rest = [(px, layout.height - py) for px, py in line.points]
    curve = " ".join(f"{digits(px)},{digits(py)}" for px, py in rest)
    yield f'<path d="M{digits(first[0])},{digits(first[1])} C{curve}"/>'
    yield _tip(line, layout.height)
    if edge.label and line.label is not None:
        lx, ly = line.label[0], layout.height - line.label[1]
        said = f'x="{digits(lx)}" y="{digits(ly + SMALL * 0.35)}">{escape(edge.label)}</text>'
        # Twice, for not every program knows paint-order: there the paper around it hid the label.
        yield f'<text class="halo" aria-hidden="true" {said}'
        yield f"<text {said}"
    yield "</g>"


def _tip(line: Line, height: float) -> str:
    """An arrowhead from the end of the curve to the border of the box."""
    (x0, y0), (x1, y1) = line.points[-1], line.tip
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    bx, by = x1 - 7 * ux, y1 - 7 * uy
    corners = [(x1, y1), (bx - 2.8 * uy, by + 2.8 * ux), (bx + 2.8 * uy, by - 2.8 * ux)]
    return f'<polygon class="tip" points="{_points([(px, height - py) for px, py in corners])}"/>'


# -- legend -----------------------------------------------------------------------------------


def legend_width(marks: Sequence[Mark]) -> float:
    """How much room a legend takes."""
    return sum(_mark_width(sort) + width(word, SMALL) + 20 for sort, _, word in marks)


def _mark_width(sort: str) -> float:
    return 16.0 * STEPS_OF_HEAT if sort == "heat" else 24.0


def legend_marks(marks: Sequence[Mark], x: float, y: float) -> Iterator[str]:
    """The legend as SVG, from a point to the right."""
    if not marks:
        return
    yield '<g class="legend">'
    for sort, name, word in marks:
        span = _mark_width(sort)
        if sort == "edge":
            path = f'<path d="M{digits(x)},{digits(y + 6)} L{digits(x + span)},{digits(y + 6)}"/>'
            yield f'<g class="edge {name}">{path}</g>'
        elif sort == "heat":
            for k in range(STEPS_OF_HEAT):
                cell = f'<rect class="shape" x="{digits(x + 16 * k)}" y="{digits(y)}"'
                yield f'<g class="operation heat{k}">{cell} width="16" height="12"/></g>'
        else:
            outline = "round" if sort == "bar" else SHAPES[name.split()[0]].outline
            drawn = _outline(outline, x + span / 2, y + 6, span, 14)
            if sort == "rim":
                drawn += _outline(outline, x + span / 2, y + 6, span - 6, 8)
            yield f'<g class="{name}">{drawn}</g>'
        yield f'<text x="{digits(x + span + 5)}" y="{digits(y + 10)}">{escape(word)}</text>'
        x += span + width(word, SMALL) + 20
    yield "</g>"
