"""gc.draw: from what people have (nodes, graphs, tables, programs) to a Drawing in every format."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ..errors import ArgumentError
from ..folders import in_folder
from ..ir import Node
from ..misfits import elsewhere, explained_as, explained_methods
from ..passes import Log
from ..plan.table import Bar
from ..wording import counted
from .alike import as_before
from .build import Builder
from .dot import dot_text
from .heat import heat_of
from .html import page
from .lanes import lanes_svg
from .layout import Layout, lay_out, run
from .picture import Picture
from .subject import VIEWS, Subject
from .svg import svg
from .values import seen_at, seen_in

# Pixels in an inch of a bitmap: sharp on today's screens and in print.
_SHARP = 192

# What pictures of other libraries have, and what there is instead.
_ELSEWHERE = {
    "show view display render plot": 'write .save("graph.html"), or .png, .svg, .pdf, .dot, to '
    "look at; notebooks show it by itself",
    "write to_file savefig write_png": "write .save(path)",
}


@elsewhere("a drawing", _ELSEWHERE)
@explained_methods
class Drawing:
    """A picture: `.svg`, `.dot`, `.html`, `.png`, `.pdf`; it shows itself in notebooks.

    >>> import tempfile, pathlib, graphc as gc
    >>> x = gc.input("x", ())
    >>> drawing = gc.draw(gc.exp(x), title="growth")
    >>> drawing.svg[:4], drawing.dot[:7], drawing.html[:15], drawing.pdf[:4], drawing.png[1:4]
    ('<svg', 'digraph', '<!DOCTYPE html>', b'%PDF', b'PNG')
    >>> len(drawing.picture.boxes), drawing.layout.width > 0
    (2, True)
    >>> drawing.save(pathlib.Path(tempfile.mkdtemp()) / "growth.svg")
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    @functools.cached_property
    def picture(self) -> Picture:
        """What is drawn, before it is laid out."""
        return self._builder.whole()

    @functools.cached_property
    def layout(self) -> Layout:
        """Where everything stands."""
        return lay_out(self.picture)

    @functools.cached_property
    def svg(self) -> str:
        """An SVG document."""
        return svg(self.picture, self.layout)

    @functools.cached_property
    def dot(self) -> str:
        """A text in the DOT language; needs no Graphviz."""
        return dot_text(self.picture)

    @functools.cached_property
    def html(self) -> str:
        """One self-contained page: pan, zoom, search, fold and unfold, backprop step by step."""
        picture = self.picture
        return page(self._builder, picture, self.layout)

    @property
    def png(self) -> bytes:
        """A bitmap, drawn by Graphviz from the DOT text."""
        return run(dot_text(self.picture, dpi=_SHARP), "png")

    @property
    def pdf(self) -> bytes:
        """A PDF document, drawn by Graphviz from the DOT text."""
        return run(self.dot, "pdf")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the drawing to a file; its suffix says in which format."""
        into = in_folder(path, "a drawing")
        suffix = os.path.splitext(into)[1].lower()
        if suffix not in (".svg", ".dot", ".gv", ".html", ".png", ".pdf"):
            raise ArgumentError(
                "a drawing is saved as .svg, .dot, .html, .png or .pdf, by the file's suffix, and "
                f"{into!r} has none of them"
            )
        found: str | bytes = getattr(self, {".gv": "dot"}.get(suffix, suffix[1:]))
        with open(into, "wb") as file:
            file.write(found if isinstance(found, bytes) else found.encode())

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<drawing of {self.picture.title}: {self.picture.description}>"


class PlanDrawing(Drawing):
    """The plan of a compiled function: `.svg`; it shows itself in notebooks."""

    def __init__(self, bars: Sequence[Bar], title: str) -> None:
        self._bars, self._title = bars, title

    @functools.cached_property
    def svg(self) -> str:
        """An SVG document."""
        return lanes_svg(self._bars, self._title)

    @property
    def picture(self) -> NoReturn:
        """There are no boxes and edges to lay out."""
        raise ArgumentError("a plan is drawn as SVG alone: it has .svg, and is saved as .svg")

    def __repr__(self) -> str:
        return f"<drawing of {self._title}: {counted(len(self._bars), 'value')}>"


class _Draw:
    """Pictures of graphs: `draw(...)` of one, `draw.diff(before, after)` of two in one.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> gc.draw(x * gc.sin(x), wrt=x).svg[:4]
    '<svg'
    """

    @explained_as("draw")
    def __call__(
        self,
        *what: Any,
        view: str | None = None,
        wrt: Any = None,
        fold: bool | int | None = None,
        expand: str | Iterable[str] = (),
        heat: Any = None,
        sizes: Mapping[str, int] | None = None,
        at: Mapping[Any, Any] | None = None,
        values: Mapping[Node, Any] | None = None,
        title: str | None = None,
    ) -> Drawing:
        """A drawing of nodes, a graph, a grad_table, a compiled function, or what its log tells.

        `view` is "forward", "gradient", "both", "pruned" (what Algorithm 6.5 drops stays as ghosts,
        each saying why), "jacobians" (edges bear local derivatives) or "plan" (of a compiled
        function: what lies in which buffer, from when to when); by default all that there is.
        `wrt` takes the gradients of the one node drawn. `fold=True` folds every scope and
        repetition, `fold=False` as little as can be laid out, a number folds to so many boxes;
        `expand` names scopes, or functions, that stay open.

        `heat` colours: by "cost", the flops for the `sizes` of the symbols (100 unless given), by a
        mapping from nodes to numbers, or by a pair of a title and such a mapping. `at` gives the
        inputs values, or `values` maps nodes to arrays: edges show those of a few elements instead
        of sizes, and NaN is red, and inf that comes to a result.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> drawing = gc.draw(gc.tanh(x) * x, wrt=x)
        >>> drawing.svg.startswith("<svg"), len(drawing.picture.boxes)
        (True, 9)
        """
        match what:
            case (Log(steps=[first, *_, last]),):
                return self.diff(first.graph, last.graph, fold=fold, title=title or "The passes")
        if view == "plan":
            return _plan(what, title)
        if not what:
            raise ArgumentError("draw takes nodes, a graph, a table, a function or a log")
        subject = Subject(what, wrt, title)
        if view is None:
            has_gradients = any(map(subject.is_gradient, subject.order)) or subject.table
            view = "both" if has_gradients else "forward"
        if view not in VIEWS:
            raise ArgumentError(f"view= is one of {', '.join(VIEWS)}, not {view!r}")
        found = seen_at(subject.order, at) if at is not None else {}
        if values is not None:
            found |= seen_in(values, subject.order)
        numbers = heat_of(heat, subject.order, sizes or {})
        return Drawing(
            Builder(
                subject, view, fold=fold, expand=expand, heat=numbers, values=found
            )
        )

    @explained_as("draw.diff")
    def diff(
        self,
        before: Any,
        after: Any,
        *,
        fold: bool | int | None = None,
        title: str | None = None,
    ) -> Drawing:
        """Two graphs in one picture: what both hold, what only the first, what only the second.

        What is written alike in both, as x² by a power and by a square, is no change.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> drawing = gc.draw.diff(gc.exp(x) + 1, gc.exp(x) - 1)
        >>> sorted(box.state for box in drawing.picture.boxes)
        ['', '', 'added', 'removed']
        """
        one, two = Subject([before]), Subject([after])
        same = as_before(one.order, two.order)
        both = Subject([before, *(same[v] for v in two.outputs)], title=title)
        if title is None:
            both.title = "before and after" if one.title == two.title else (
                f"{one.title} before, {two.title} after"
            )
        old, new = set(one.order), set(same.values())
        state = {v: "" if v in old and v in new else "removed" if v in old else "added"
                 for v in both.order}  # fmt: skip
        kept, gone, made = (sum(s == k for s in state.values()) for k in ("", "removed", "added"))
        notes = [f"{counted(kept, 'node')} kept, {gone} removed, {made} added."]
        return Drawing(Builder(both, "both", fold=fold, state=state, notes=notes))


def _plan(what: Sequence[Any], title: str | None) -> PlanDrawing:
    """The lanes that a compiled function's plan, or a plan itself, hands over."""
    subject = what[0] if len(what) == 1 else None
    lanes = getattr(getattr(subject, "plan", subject), "lanes", None)
    if lanes is None:
        raise ArgumentError('view="plan" draws one compiled function, or its plan')
    if title is None:
        title = f"The plan of {getattr(subject, 'name', 'a program')}"
    return PlanDrawing([Bar(*row) for row in lanes()], str(title))


draw = _Draw()


