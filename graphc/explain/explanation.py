"""gc.explain: a derivation that tells itself as text, Markdown, LaTeX, and as data."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import forms
from ..autodiff import backprop
from ..autodiff.backprop import Cut, cuts
from ..errors import ArgumentError
from ..ir import Node
from ..misfits import elsewhere
from ..options import whole
from ..wording import a_kind, counted, in_words
from . import faces, reasons
from .derivation import Derivation, Formula, Step
from .outline import outline

# What people look for in an explanation, and where it is.
_ELSEWHERE = {
    "md": "it is called .markdown",
    "tex": "it is called .latex",
    "save show html": "print it, or keep its .text, .markdown or .latex; notebooks show it by "
    "itself",
    "draw svg png": "gc.draw(z, wrt=...) is the same as a picture",
}


class Steps(Sequence[Step]):
    """The steps of a derivation, each written when it is looked at."""

    def __init__(self, derivation: Derivation) -> None:
        self._derivation = derivation

    def __len__(self) -> int:
        return len(self._derivation)

    def __getitem__(self, index: Any) -> Any:
        numbers = range(1, len(self) + 1)[index]
        if isinstance(numbers, range):
            return tuple(self._derivation[n] for n in numbers)
        return self._derivation[numbers]

    def __repr__(self) -> str:
        return f"<{counted(len(self), 'step')}>"


@elsewhere("an explanation", _ELSEWHERE)
class Explanation:
    """Where a gradient comes from; `explain` makes it. Printing it tells the story.

    >>> import graphc as gc
    >>> x, y = gc.input("x", ()), gc.input("y", ())
    >>> told = gc.explain(gc.sin(x) * y, x, at={x: 0.0, y: 2.0})
    >>> print(told.text.splitlines()[-1].strip())
    ∇x = y * cos(x)
    >>> told.markdown[:8], told.latex[:15]
    ('### The ', '\\\\begin{aligned}')
    >>> told.steps, len(list(told.written())), told.remarks(told.steps[-1])
    (<3 steps>, 3, ())
    >>> told.missing, told.cuts
    ({}, ())
    """

    def __init__(self, derivation: Derivation, limit: int | None) -> None:
        self.table = derivation.table
        """The grad_table whose steps are told."""
        self.derivation = derivation
        self.outline = outline(derivation, limit)
        """The numbers of the steps that are written out, and the gaps between them."""

    @property
    def steps(self) -> Sequence[Step]:
        """Every step as data, those that are not written out too."""
        return Steps(self.derivation)

    @functools.cached_property
    def missing(self) -> Mapping[Node, str]:
        """The targets that have no gradient, and why."""
        return reasons.missing(self.derivation)

    @functools.cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """The edges along which no gradient passes though values do."""
        return tuple(cuts(self.table.z, self.table.targets))

    def why(self, node: Node | str) -> str:
        """Why a node, given itself or by its name, is in the graph, or why it was left out.

        >>> import graphc as gc
        >>> x, y = gc.input("x", ()), gc.input("y", ())
        >>> print(gc.explain(gc.sin(x) * y, x).why(y))
        y is left out of the derivation: not a descendant of x. Its value is used by u2. It is the
        gradient of u2 by u1 (step 2).
        """
        return reasons.why(self.derivation, self._found(node))

    def _found(self, node: Node | str) -> Node:
        if isinstance(node, Node):
            return node
        named = {str(Formula(t)): v for v, t in self.derivation.names.items()}
        named |= {f"∇{name}": self.table[v] for name, v in named.items() if v in self.table}
        if node not in named:
            raise ArgumentError(f"there is no node called {node!r} here: {in_words(named)}")
        return named[node]

    def remarks(self, step: Step) -> tuple[str, ...]:
        """What a reader may ask about a step: why a gradient is 0 or not finite."""
        return reasons.remarks(self.derivation, step)

    def written(self) -> Iterator[Any]:
        """The steps that are written out, and the gaps."""
        return (self.derivation[n] if isinstance(n, int) else n for n in self.outline)

    @functools.cached_property
    def text(self) -> str:
        """The derivation in plain text."""
        return faces.text_of(self.derivation, tuple(self.written()))

    @functools.cached_property
    def markdown(self) -> str:
        """The derivation as Markdown, formulas between dollars."""
        return faces.markdown_of(self.derivation, tuple(self.written()))

    @functools.cached_property
    def latex(self) -> str:
        """The derivation as aligned equations, for within a displayed formula."""
        return faces.latex_of(self.derivation, tuple(self.written()))

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        wrt = ", ".join(t.label for t in self.table.targets)
        return f"<explanation of the gradient of {self.table.z.label} by {wrt}: {self.steps!r}>"


def explain(
    z: Node, wrt: Any, at: Mapping[Any, Any] | None = None, *, limit: int | None = 40
) -> Explanation:
    """How the gradient of a scalar comes about: Algorithm 6.6, step by step, as formulas.

    `wrt` is a node, or a list, tuple or dict of nodes. With values for the inputs (`at`, as
    `evaluate` takes them) every step shows its numbers, and tells why a gradient is 0 or not
    finite. About `limit` steps are written out; None writes all.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> y = x * gc.sin(x)
    >>> print(gc.explain(y, x, at={x: 2.0}))
    The gradient of y by x, in 3 steps (Algorithm 6.6)
    <BLANKLINE>
    Forward
        x             f64[]   2
        u1 = sin(x)   f64[]   0.909297   ...
        y = x * u1    f64[]   1.81859    ...
    <BLANKLINE>
    Backward
        ∇v is the gradient of y by v. Every consumer c of v (a value computed from v directly)
        contributes ∇c times the derivative of c by v; ∇v is the sum.
    <BLANKLINE>
      1. ∇y = 1: it is what is differentiated.
      2. ∇u1: u1 goes into y = x * u1
             ∇u1 = ∇y * x = x
                 = 1 * 2 = 2
      3. ∇x: x goes into u1 and y
             u1 = sin(x)   contributes   ∇u1 * cos(x)
             y = x * u1    contributes   ∇y * u1
             ∇x = ∇u1 * cos(x) + ∇y * u1 = x * cos(x) + u1
                = 2 * cos(2) + 1 * 0.909297 = 0.0770038
    <BLANKLINE>
    Altogether
        ∇x = x * cos(x) + sin(x)
    """
    if limit is not None:
        limit = whole(limit, "limit= is a number of steps, or None for all, not")
    if not isinstance(at, Mapping | None):
        raise ArgumentError(f"at= maps inputs or their names to values, not {a_kind(at)}")
    table = backprop(z, forms.leaves(wrt))
    return Explanation(Derivation(table, at), limit)
