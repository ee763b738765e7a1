"""Nodes as equations in LaTeX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .. import forms
from ..errors import ArgumentError
from ..ir import Graph, Node, no_node
from .in_latex import aligned, term_latex
from .reading import is_written_inside, leaf_term, names_of, pattern, term
from .terms import Term, filled, numbers_first

# An unnamed value deeper than this in an equation gets a name and an equation of its own.
_DEEPEST = 10
_MOST_EQUATIONS = 60


def latex(node: Any) -> str:
    """Tensor mathematics that stops at named intermediates; several nodes make several equations.

    Matrix calculus is written without indices, other contractions as sums over indices. Unnamed
    values that are used twice, or that lie deep, are called u_1, u_2, ... and defined below. Of
    what you wrote nothing is changed; in derivatives numbers stand first, multiplied.

    >>> import graphc as gc
    >>> W, x = gc.input("W", (3, "d")), gc.input("x", ("d",))
    >>> y_hat = gc.sigmoid(W @ x + gc.input("b", (3,)))
    >>> print(gc.latex(y_hat))
    \\hat{y} = \\sigma\\left(W x + b\\right)
    """
    asked = forms.leaves(node)
    for v in asked:
        if not isinstance(v, Node):
            raise ArgumentError(f"latex takes nodes, and {no_node(v)}")
    graph = Graph(asked)
    equations = _equations(asked, names_of(graph))
    is_one = len(equations) == 1
    equals = " = " if is_one else " &= "
    lines = [f"{term_latex(name)}{equals}{term_latex(value)}" if name else term_latex(value)
             for name, value in equations[:_MOST_EQUATIONS]]  # fmt: skip
    if is_one:
        return lines[0]
    if len(equations) > _MOST_EQUATIONS:
        lines.append(r"\vdots")
    return aligned(lines)


def _equations(asked: Sequence[Node], names: dict[Node, Term]) -> list[tuple[Term | None, Term]]:
    """A name and what it is for each node, and below them for the auxiliaries that they need."""
    found: dict[Node, tuple[Term | None, Term]] = {}
    order = _unnamed(asked, names)
    uses = Counter(x for v in order for x in v.inputs)
    terms: dict[Node, Term] = {}
    depth: dict[Node, int] = {}
    auxiliaries = 0
    for v in order:
        given = [terms.get(x) or names.get(x) or leaf_term(x) for x in v.inputs]
        value = filled(pattern(v), given)
        if v.origin is not None:  # nobody wrote it: the chain rule did
            value = term(v, names, 1) if is_written_inside(v) else numbers_first(value)
        depth[v] = 1 + max(depth.get(x, 0) for x in v.inputs)
        is_shared = uses[v] > 1 and depth[v] > 1 and not is_written_inside(v)
        if v not in names and (is_shared or depth[v] > _DEEPEST):
            auxiliaries += 1
            names[v] = Term("name", f"u_{auxiliaries}")
            found[v] = names[v], value
        elif v in asked:
            found[v] = names.get(v), value
        if v in names:
            depth[v] = 0
        terms[v] = names.get(v, value)
    for v in asked:
        found.setdefault(v, (None, names.get(v) or leaf_term(v)))
    first = [found.pop(v) for v in dict.fromkeys(asked)]
    return first + list(found.values())[::-1]


def _unnamed(asked: Sequence[Node], names: dict[Node, Term]) -> list[Node]:
    """The nodes asked for and the unnamed ones that they are written in, inputs first.

    Leaves are not among them.
    """
    order: dict[Node, None] = {}
    opened: set[Node] = set()
    stack = list(reversed(asked))
    while stack:
        v = stack.pop()
        if v in order or not v.inputs:
            continue
        if v in opened:
            order[v] = None
            continue
        opened.add(v)
        stack.append(v)
        stack.extend(x for x in reversed(v.inputs) if x not in names or x in asked)
    return list(order)
