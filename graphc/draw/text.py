"""Text in pictures: its width, by a table of our own, and how foreign text is made harmless."""

from __future__ import annotations

import unicodedata

# Helvetica's widths in thousandths of the font size, from the space to the tilde.
_ASCII = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
_SMALL = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀ₀₁₂₃₄₅₆₇₈₉"


def width(text: str, size: float) -> float:
    """The width of a text in points. Fonts differ by a tenth or so, which a box's margin takes."""
    return sum(map(_width, text)) * size / 1000


def _width(c: str) -> int:
    if " " <= c <= "~":
        return _ASCII[ord(c) - 32]
    if c in _SMALL:
        return 370
    if unicodedata.combining(c):
        return 0
    if c == "…" or unicodedata.east_asian_width(c) in "WF" or ord(c) >= 0x1F000:
        return 1000
    return 640


def printable(text: str) -> str:
    """Text that shows as what it is: control and direction characters come out as escapes."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(c: str) -> str:
    return {"\n": "⏎", "\t": "⇥"}.get(c) or ascii(c)[1:-1]


def short(text: str, most: int) -> str:
    """At most so many characters, with an ellipsis for the rest."""
    return text if len(text) <= most else text[: most - 1] + "…"
