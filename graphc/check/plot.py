"""The V: errors of a numeric derivative against the step, as SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 150, 40, 52
# Colours that people who see few of them tell apart (Okabe and Ito), and a mark for each.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_SMALLEST = 1e-17


class Curve(NamedTuple):
    """One way of differentiating: at each step the relative error."""

    name: str
    steps: tuple[float, ...]
    errors: tuple[float, ...]


def plotted(
    curves: Sequence[Curve],
    title: str,
    across: str = "step, beside each element",
    up: str = "relative error",
) -> str:
    """Some curves on logarithmic axes; errors of 0 lie on the floor.

    >>> "<polyline" in plotted([Curve("central", (1e-1, 1e-2), (1e-2, 1e-4))], "V")
    True
    """
    points = [(h, e) for c in curves for h, e in zip(c.steps, c.errors, strict=True) if e == e]
    points = [(h, e) for h, e in points if math.isfinite(e)] or [(1.0, 1.0)]
    x0 = math.floor(min(math.log10(h) for h, _ in points))
    x1 = max(math.ceil(max(math.log10(h) for h, _ in points)), x0 + 1)
    y0 = math.floor(min(_log(e) for _, e in points))
    y1 = max(math.ceil(max(_log(e) for _, e in points)), y0 + 1)

    def x(h: float) -> float:
        return _LEFT + (math.log10(h) - x0) / (x1 - x0) * (_WIDTH - _LEFT - _RIGHT)

    def y(e: float) -> float:
        return _HEIGHT - _BOTTOM - (_log(e) - y0) / (y1 - y0) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 22, title, size=15),
    ]
    for k in range(x0, x1 + 1, _every(x1 - x0)):
        parts.append(_line(x(10.0**k), _TOP, x(10.0**k), _HEIGHT - _BOTTOM))
        parts.append(_text(x(10.0**k), _HEIGHT - _BOTTOM + 18, f"1e{k}", "middle"))
    for k in range(y0, y1 + 1, _every(y1 - y0)):
        parts.append(_line(_LEFT, y(10.0**k), _WIDTH - _RIGHT, y(10.0**k)))
        parts.append(_text(_LEFT - 8, y(10.0**k) + 4, f"1e{k}", "end"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(_text(middle, _HEIGHT - 12, across, "middle"))
    centre = (_TOP + _HEIGHT - _BOTTOM) / 2
    turned = f' transform="rotate(-90 16 {centre:.1f})"'
    parts.append(_text(16, centre, up, "middle", extra=turned))
    for k, curve in enumerate(curves):
        seen = zip(curve.steps, curve.errors, strict=True)
        parts += _drawn(k, curve.name, [(x(h), y(e)) for h, e in seen if math.isfinite(e)])
    return "\n".join([*parts, "</svg>\n"])


def _drawn(k: int, name: str, points: Sequence[tuple[float, float]]) -> Iterator[str]:
    """The k-th curve, with a mark at each of its points, and its line of the legend."""
    colour = _COLOURS[k % len(_COLOURS)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>'
    beside, height = _WIDTH - _RIGHT + 12, _TOP + 14 + 20 * k
    yield f'<rect x="{beside}" y="{height - 9}" width="10" height="10" fill="{colour}"/>'
    yield _text(beside + 16, height, name)


def _log(error: float) -> float:
    return math.log10(max(error, _SMALLEST))


def _every(decades: int) -> int:
    """Not more than ten labels on an axis."""
    return max(1, math.ceil(decades / 10))


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    ends = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
    return f'<line {ends} stroke="#ddd"/>'


def _text(
    x: float, y: float, text: str, anchor: str = "start", size: int = 12, extra: str = ""
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {place} fill="#222"{extra}>{html.escape(text)}</text>'
