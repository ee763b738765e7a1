"""What the marks of a picture mean: a word for each that it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .picture import KINDS, STATES, Picture


class Mark(NamedTuple):
    """A mark: which sort (box, rim, edge, heat, bar), its class in the style, and its word."""

    sort: str
    name: str
    word: str


def legend(picture: Picture) -> Iterator[Mark]:
    """The marks of a picture, in the order in which it explains them."""
    kinds = {box.kind for box in picture.boxes}
    for kind, word in KINDS.items():
        if kind in kinds:
            yield Mark("box", kind, _by(picture) if kind == "gradient" else word)
    if any(box.is_output for box in picture.boxes):
        yield Mark("rim", "operation", "returned")
    if any(edge.kind == "reuse" for edge in picture.edges):
        yield Mark("edge", "reuse", "forward value reused")
    states = {box.state for box in picture.boxes}
    for state, word in STATES.items():
        if state in states:
            yield Mark("box", f"operation {state}", word)
    if picture.heat:
        yield Mark("heat", "", picture.heat)


def _by(picture: Picture) -> str:
    """How the picture writes gradients."""
    is_partial = any(box.is_gradient and box.lines[0].startswith("∂") for box in picture.boxes)
    return "∂z/∂v: gradient of z by v" if is_partial else "∇v: gradient by v"
