"""Text: a graph as an outline in the terminal, folded as its picture is."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..printed import Printed
from .build import Builder
from .picture import Box, Picture
from .subject import Subject

if TYPE_CHECKING:
    from rich.tree import Tree

_STYLES = {"input": "blue", "constant": "dim", "loss": "bold green", "output": "bold green",
           "gradient": "dark_orange", "operation": ""}  # fmt: skip
# Deeper than this an outline starts again at the left.
_DEEPEST = 24


class Outline(Printed):
    """Outputs, and below each what it is computed from. What was shown before is only named."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

    def __rich__(self) -> Tree:
        from rich.tree import Tree

        boxes = {box.id: box for box in self.picture.boxes}
        inputs: dict[str, list[str]] = {box.id: [] for box in self.picture.boxes}
        used = set()
        for edge in self.picture.edges:
            inputs[edge.head].append(edge.tail)
            used.add(edge.tail)
        root = Tree(_text(self.picture.title, "bold"))
        shown: set[str] = set()
        tops = [b.id for b in self.picture.boxes if b.is_output or b.id not in used]
        stack = [(root, id, 0) for id in reversed(tops)]
        while stack:
            above, id, depth = stack.pop()
            box = boxes[id]
            if id in shown:
                above.add(_text(f"{box.lines[0]}  (above)", "dim"))
                continue
            shown.add(id)
            branch = above.add(_line(box))
            if depth == _DEEPEST and inputs[id]:
                branch.add(_text("…  (continued below)", "dim"))
                stack[:0] = [(root, x, 0) for x in reversed(inputs[id])]
                continue
            stack += [(branch, x, depth + 1) for x in reversed(inputs[id])]
        return root

    @functools.cached_property
    def _plain(self) -> str:
        from rich.console import Console

        file = io.StringIO()
        Console(file=file, width=400, no_color=True).print(self.__rich__())
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines())

    def __str__(self) -> str:
        return self._plain


def _text(text: str, style: str) -> Any:
    from rich.text import Text  # never parsed as markup: names are the users'

    return Text(text, style=style)


def _line(box: Box) -> Any:
    told, size = list(box.lines), ""
    if box.folded == 1:
        size = box.facts[1].rpartition(" : ")[2]
    elif told[-1].endswith(" nodes"):
        size = told.pop()
    line = _text(" ".join(told), _STYLES[box.kind])
    line.append(f"   {size}" if size else "", "dim")
    return line


def tree(
    *what: Any, fold: bool | int | None = None, expand: str | Iterable[str] = ()
) -> Outline:
    """What a picture shows, as an outline for the terminal; what folds there folds here.

    >>> import graphc as gc
    >>> A, v = gc.input("A", ("n", "d")), gc.input("v", ("d",))
    >>> gc.tree(gc.sum(gc.tanh(A @ v)))
    sum(tanh(A @ v))
    └── sum(tanh(A @ v))   f64[]
        └── tanh(A @ v)   f64[n]
            └── A @ v   f64[n]
                ├── A   f64[n, d]
                └── v   f64[d]
    """
    return Outline(Builder(Subject(what), "both", fold=fold, expand=expand).whole())
