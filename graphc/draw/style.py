"""Shapes and colours. The hues are Okabe and Ito's: told apart by the colour-blind and in print."""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """How a kind of box looks: in our SVG (pill, note, round, hexagon, octagon), and in DOT."""

    outline: str
    dot: str
    style: str


SHAPES = {
    "input": Shape("pill", "box", ",rounded"),
    "constant": Shape("note", "note", ""),
    "operation": Shape("round", "box", ",rounded"),
    "output": Shape("round", "box", ",rounded"),
    "loss": Shape("octagon", "box", ",bold"),
    "gradient": Shape("hexagon", "box", ""),
}


# Fonts as wide as our table of widths says, or narrower. Anywhere one of them is at hand.
FONTS = (
    "Helvetica", "Arial", "Liberation Sans", "Nimbus Sans", "DejaVu Sans Condensed", "DejaVu Sans",
)  # fmt: skip


class Colours(NamedTuple):
    """One palette: fill and stroke of each kind of box, in the order of SHAPES, and the rest."""

    boxes: tuple[tuple[str, str], ...]
    paper: str
    ink: str
    quiet: str  # small text
    frame: str
    inside: str  # of a frame
    removed: str
    added: str
    wrong: tuple[str, str]  # fill and stroke
    heat: tuple[tuple[str, str], ...]  # from few to many: fill and ink

    def fill(self, kind: str) -> str:
        return self.boxes[list(SHAPES).index(kind)][0]

    def stroke(self, kind: str) -> str:
        return self.boxes[list(SHAPES).index(kind)][1]

    def of_state(self, state: str) -> str | None:
        """The stroke of what a state sets apart."""
        known = {"removed": self.removed, "added": self.added}
        return self.wrong[1] if state in ("nan", "first_nan") else known.get(state)


LIGHT = Colours(
    boxes=(
        ("#dcecf8", "#0072b2"), ("#ededed", "#6b6b6b"), ("#ffffff", "#55606e"),
        ("#d5f0e6", "#00795a"), ("#bfe8d8", "#00795a"), ("#fdebd9", "#c05000"),
    ),
    paper="#ffffff", ink="#16191d", quiet="#5b6571", frame="#a9b4c0", inside="#f6f8fa",
    removed="#b3004b", added="#00795a", wrong=("#f9c9c9", "#c4001a"),
    heat=(
        ("#fff8d6", "#16191d"), ("#fbdc8c", "#16191d"), ("#f6b04d", "#16191d"),
        ("#e57a2a", "#16191d"), ("#a83a15", "#ffffff"),
    ),
)  # fmt: skip
DARK = Colours(
    boxes=(
        ("#0d2f47", "#56b4e9"), ("#30343a", "#a3a9b1"), ("#1c2127", "#8b96a3"),
        ("#0b3a2d", "#2fc79a"), ("#0d4a39", "#2fc79a"), ("#43260c", "#f0923f"),
    ),
    paper="#101418", ink="#e9edf1", quiet="#a3adb8", frame="#48525d", inside="#161b20",
    removed="#ff7fae", added="#2fc79a", wrong=("#6b1015", "#ff6b6b"),
    heat=(
        ("#2a2410", "#e9edf1"), ("#54410f", "#e9edf1"), ("#7d5110", "#ffffff"),
        ("#c97a1f", "#16191d"), ("#f3b65b", "#16191d"),
    ),
)  # fmt: skip


def css() -> str:
    """The rules of an SVG, for daylight and for the dark."""
    return "\n".join([
        f".graphc {{ font-family: {', '.join(map(repr, FONTS))}, sans-serif; }}",
        ".graphc .box text { font-size: 13px; text-anchor: middle; }",
        ".graphc .edge text, .graphc .frame text, .graphc .legend text { font-size: 10.5px; }",
        # Where a line runs behind a label, the label has the paper around it.
        ".graphc .edge text { text-anchor: middle; }",
        ".graphc .halo { stroke-width: 3px; stroke-linejoin: round; }",
        ".graphc .heading { font-size: 15px; font-weight: 600; }",
        ".graphc .shape { stroke-width: 1.3; }",
        ".graphc .rim { fill: none !important; }",
        ".graphc .edge path { fill: none; stroke-width: 1.1; }",
        ".graphc .reuse path { stroke-width: 0.8; stroke-dasharray: 4 3; }",
        ".graphc .ghost { opacity: 0.5; }",
        ".graphc .ghost .shape, .graphc .removed .shape { stroke-dasharray: 5 3; }",
        ".graphc .removed .shape, .graphc .added .shape, .graphc .nan .shape, "
        ".graphc .first_nan .shape { stroke-width: 2.2; }",
        *_colours(LIGHT),
        "@media (prefers-color-scheme: dark) {",
        *_colours(DARK),
        "}",
    ])  # fmt: skip


def _colours(c: Colours) -> list[str]:
    rules = [
        f".graphc .paper {{ fill: {c.paper}; }}",
        f".graphc text {{ fill: {c.ink}; }}",
        f".graphc .halo {{ stroke: {c.paper}; }}",
        ".graphc .edge text, .graphc .frame text, .graphc .legend text, .graphc .step "
        f"{{ fill: {c.quiet}; }}",
        f".graphc .frame rect {{ fill: {c.inside}; stroke: {c.frame}; }}",
    ]
    for kind, (fill, stroke) in zip(SHAPES, c.boxes, strict=True):
        rules.append(f".graphc .{kind} .shape {{ fill: {fill}; stroke: {stroke}; }}")
    for kind, like in (("value", "operation"), ("gradient", "gradient"), ("reuse", "gradient")):
        rules.append(f".graphc .{kind} path {{ stroke: {c.stroke(like)}; }}")
        rules.append(f".graphc .{kind} .tip {{ fill: {c.stroke(like)}; }}")
    for k, (fill, ink) in enumerate(c.heat):
        rules.append(f".graphc .heat{k} .shape {{ fill: {fill}; }}")
        rules.append(f".graphc .heat{k} text {{ fill: {ink}; }}")
    fill, stroke = c.wrong
    for state in ("nan", "first_nan"):
        rules.append(f".graphc .{state} .shape, .graphc .{state} path {{ stroke: {stroke}; }}")
        rules.append(f".graphc .{state} .tip {{ fill: {stroke}; }}")
    rules.append(f".graphc .first_nan .shape {{ fill: {fill}; }}")
    for state, colour in (("removed", c.removed), ("added", c.added)):
        rules.append(f".graphc .{state} .shape, .graphc .{state} path {{ stroke: {colour}; }}")
        rules.append(f".graphc .{state} .tip {{ fill: {colour}; }}")
    return rules
