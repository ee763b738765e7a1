"""The plan as a picture: time runs down, each buffer is a lane, each value a bar in its lane."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..plan.table import Bar
from ..wording import counted
from .legend import Mark
from .picture import FONT_SIZE, KINDS, SMALL
from .style import css
from .svg import EDGE, LEGEND, TITLE, digits, escape, head, legend_marks, legend_width
from .text import printable, short, width

# A row for each step, as long as that fits on a page that one scrolls.
_ROW, _LOWEST, _TALLEST = 24.0, 1.5, 9000.0
_WIDEST, _NARROWEST = 190.0, 34.0
_HEADER, _NUMBER = 24.0, 40.0


class _Lane(NamedTuple):
    name: str
    bars: list[Bar]
    x: float
    width: float


def lanes_svg(bars: Sequence[Bar], title: str) -> str:
    """Some values and their buffers as an SVG document."""
    steps = max((bar.last for bar in bars), default=0) + 1
    row = max(_LOWEST, min(_ROW, _TALLEST / steps))
    gutter = _gutter(bars, steps, row)
    margin = _NUMBER + max((width(told, SMALL) for told in gutter.values()), default=0)
    lanes = list(_lanes(bars, EDGE + margin))
    kinds = {bar.kind for bar in bars}
    legend = [Mark("bar", kind, word) for kind, word in KINDS.items() if kind in kinds]
    right = lanes[-1].x + lanes[-1].width if lanes else EDGE
    w = max(right, EDGE + width(title, 16) + 8, EDGE + legend_width(legend)) + EDGE
    top = EDGE + TITLE + _HEADER
    low = top + (steps + 0.5) * row  # what is held at the end has a row to be read in
    h = low + LEGEND + EDGE
    buffers = len({bar.lane for bar in bars})
    steps_told, held = counted(steps, "step"), counted(len(bars), "value")
    told = f"A plan of {steps_told}: {held} in {counted(buffers, 'buffer')}."
    lines = list(head(printable(title), told, w, h, "\n".join([css(), *_RULES])))
    lines += _grid(gutter, lanes, top, low, row, right)
    for lane in lanes:
        for bar in lane.bars:
            end = bar.last + (bar.last == steps - 1)
            lines += _bar(bar, lane, top, row, end)
    lines += legend_marks(legend, EDGE, low + 14)
    return "\n".join([*lines, "</svg>\n"])


_RULES = (
    ".graphc .bar text { font-size: 13px; text-anchor: middle; }",
    ".graphc .bar .small, .graphc .step, .graphc .lane text { font-size: 10.5px; }",
    ".graphc .lane text { text-anchor: middle; font-weight: 600; }",
    ".graphc .step { text-anchor: end; }",
    ".graphc .rule { stroke: #8b96a3; stroke-opacity: 0.28; stroke-width: 0.8; }",
)


def _gutter(bars: Iterable[Bar], steps: int, row: float) -> dict[int, str]:
    """What stands left of a step's number: the user's line; of very many steps, some."""
    where: dict[int, str] = {}
    for bar in bars:
        where.setdefault(bar.first, short(printable(bar.where), 44))
    every = max(1, math.ceil(11.0 / row))
    return {k: where.get(k, "") for k in range(0, steps, every)}


def _lanes(bars: Sequence[Bar], x: float) -> Iterator[_Lane]:
    """A lane for each buffer: slots by number, then what has a name; wider where values coincide.

    A buffer that is no slot may hold many values at once, each of them an array of its own.
    """
    names = sorted({b.lane for b in bars}, key=lambda n: (isinstance(n, str), n))
    for name in names:
        tracks: list[list[Bar]] = []
        for bar in sorted((b for b in bars if b.lane == name), key=lambda b: (b.first, b.last)):
            free = (t for t in tracks if t[-1].last <= bar.first)
            track = next(free, None)
            if track is None:
                tracks.append(track := [])
            track.append(bar)
        for k, track in enumerate(tracks):
            shown = f"slot {name}" if isinstance(name, int) else printable(name)
            widest = max(max(_text_width(bar) for bar in track) + 16, width(shown, SMALL) + 12)
            size = min(_WIDEST, max(_NARROWEST, widest))
            yield _Lane(shown if k == 0 else "", track, x, size)
            x += size + 2
        x += 8


def _text_width(bar: Bar) -> float:
    return max(width(printable(bar.label), FONT_SIZE), width(bar.bytes, SMALL))


def _grid(
    gutter: dict[int, str], lanes: Sequence[_Lane], top: float, low: float, row: float, right: float
) -> Iterator[str]:
    left = lanes[0].x - 6 if lanes else EDGE
    for k, where in gutter.items():
        y = top + (k + 0.5) * row
        yield f'<path class="rule" d="M{digits(left)},{digits(y)} L{digits(right)},{digits(y)}"/>'
        for x, told in ((left - 4, str(k)), (left + 6 - _NUMBER, where)):
            if told:
                at = f'x="{digits(x)}" y="{digits(y + 3.5)}"'
                yield f'<text class="step" {at}>{escape(told)}</text>'
    starts = [k for k, lane in enumerate(lanes) if lane.name]
    for start, stop in itertools.pairwise([*starts, len(lanes)]):
        first, last = lanes[start], lanes[stop - 1]
        size = last.x + last.width - first.x
        yield (
            f'<g class="lane frame"><rect x="{digits(first.x - 3)}" y="{digits(top - 4)}" '
            f'width="{digits(size + 6)}" height="{digits(low - top + 8)}" rx="6" '
            f'fill-opacity="0.35" stroke-opacity="0.5"/>'
            f'<text x="{digits(first.x + size / 2)}" y="{digits(top - 10)}">'
            f"{escape(short(first.name, int(size / 5.5)))}</text></g>"
        )


def _bar(bar: Bar, lane: _Lane, top: float, row: float, end: int) -> Iterator[str]:
    """From the middle of its first row to the middle of its last: there the next may begin."""
    y = top + (bar.first + 0.5) * row + 0.75
    height = max((end - bar.first) * row - 1.5, min(0.45 * row, 10.0))
    middle = lane.x + lane.width / 2
    kind = bar.kind if bar.kind in KINDS else "operation"
    facts = [
        bar.label, f"computed by step {bar.step}, read last by step {bar.last}",
        f"{bar.bytes} bytes in {lane.name or 'an array of its own'}", bar.where,
    ]  # fmt: skip
    told = html.escape("\n".join(printable(fact) for fact in facts if fact), quote=False)
    yield f'<g class="bar {kind}"><title>{told}</title>'
    yield (
        f'<rect class="shape" x="{digits(lane.x)}" y="{digits(y)}" width="{digits(lane.width)}" '
        f'height="{digits(height)}" rx="{digits(min(5.0, height / 2))}"/>'
    )
    label, room = printable(bar.label), lane.width - 8
    if width(label, FONT_SIZE) > room:
        label = short(label, max(1, int(room / 7.2)))
    has_both = height >= 32
    if height >= 14:
        baseline = y + height / 2 + (-3 if has_both else 4.5)
        yield f'<text x="{digits(middle)}" y="{digits(baseline)}">{escape(label)}</text>'
    if has_both:
        size = escape(short(f"{bar.bytes} B", int(lane.width / 5.2)))
        below = y + height / 2 + 12
        yield f'<text class="small" x="{digits(middle)}" y="{digits(below)}">{size}</text>'
    yield "</g>"
