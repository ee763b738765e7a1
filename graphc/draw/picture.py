"""What a picture holds before it is laid out: boxes, edges between them, and parts around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..wording import counted
from .text import width

# What a box stands for, in the order of the legend.
KINDS = {
    "input": "input",
    "constant": "constant",
    "operation": "operation",
    "output": "output",
    "loss": "loss",
    "gradient": "gradient",
}
# What became of a box: nothing, or one of these.
STATES = {
    "ghost": "dropped by pruning",
    "removed": "only before",
    "added": "only after",
    "nan": "holds NaN or inf",
    "first_nan": "NaN or inf arises here",
}
STEPS_OF_HEAT = 5
FONT_SIZE, SMALL = 13.0, 10.5
LINE_HEIGHT, MARGIN = 17.0, 12.0


@dataclass(frozen=True)
class Box:
    """One node, or many that are folded into one."""

    id: str
    kind: str
    lines: tuple[str, ...]
    facts: tuple[str, ...]  # what it tells on hover, a line each
    is_output: bool = False
    is_gradient: bool = False
    state: str = ""
    part: tuple[str, ...] = ()  # the scopes that are drawn around it
    beside: str = ""  # the box that it stands to the right of: of the node it is the gradient by
    heat: float | None = None  # from 0 to 1
    folded: int = 1  # how many nodes it stands for
    is_one: bool = False  # it is read as one operation, however many it stands for

    @property
    def step_of_heat(self) -> int | None:
        """Which of the colours of heat it has."""
        if self.heat is None:
            return None
        return min(STEPS_OF_HEAT - 1, int(self.heat * STEPS_OF_HEAT))

    @property
    def headline(self) -> str:
        """Its first line, with the value that a name and an equals sign announce."""
        return " ".join(self.lines[: 1 + self.lines[0].endswith("=")])

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in points, a multiple of 1/72 inch."""
        widest = max((width(line, FONT_SIZE) for line in self.lines), default=0)
        return max(34.0, round(widest + 2 * MARGIN)), LINE_HEIGHT * len(self.lines) + MARGIN


@dataclass(frozen=True)
class Edge:
    """A value that goes from one box to another."""

    id: str
    tail: str
    head: str
    kind: str  # value: forwards; gradient: backwards; reuse: a forward value used by a gradient
    label: str = ""
    state: str = ""


class Share(NamedTuple):
    """What one consumer adds to a gradient, as the page tells it."""

    consumer: str
    text: str


class Moment(NamedTuple):
    """One step of Algorithm 6.6: the box of V, that of its gradient, and how it came about."""

    node: str
    gradient: str
    name: str
    shares: tuple[Share, ...]
    total: str


@dataclass
class Picture:
    """Boxes and edges, a title, a sentence for who cannot see them, and backprop's steps."""

    title: str
    boxes: Sequence[Box]
    edges: Sequence[Edge]
    notes: Sequence[str] = ()
    steps: Sequence[Moment] = ()
    heat: str = ""  # what the colours measure, if they do

    @property
    def description(self) -> str:
        """The picture in a few sentences."""
        counts = {k: 0 for k in KINDS}
        for box in self.boxes:
            counts[box.kind] += 1
        told = [f"{c} {k}{'s' * (c != 1 and k != 'loss')}" for k, c in counts.items() if c]
        outputs = [box.headline for box in self.boxes if box.is_output]
        boxes = counted(len(self.boxes), "box", "boxes")
        sentence = f"A computation graph of {boxes}: {', '.join(told)}."
        if not self.boxes:
            sentence = "An empty computation graph."
        if outputs:
            sentence += f" Outputs: {'; '.join(outputs[:8])}{'; …' * (len(outputs) > 8)}."
        return " ".join([sentence, *self.notes])
