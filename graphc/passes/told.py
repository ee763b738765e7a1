"""What a rewrite did, told in the user's own terms: both sides, what they cost, how right they are.

All of it is worked out when it is asked for, from the two nodes that a rewrite keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .. import shapes
from ..ir import OPS, Graph, Node, topo
from ..notation import Term, names_of, reference, term, text
from ..tensor_type import tensor
from .audit import audit
from .cost import flops_of, weight
from .facts import interval
from .rewrite import Rewrite
from .rules import STRICT

# How far below both sides what they have in common is looked for, and how many operations are
# written at most, in how many characters for each side.
_FAR, _DEEP, _LONGEST = 8, 5, 64
# Only what is this small is compared with exact arithmetic again, and that only so long.
_MOST_VALUES, _MOST_NODES, _MOST_WORK = 3, 12, 1200
# Of equal rewrites on one line so many are looked at, and so many forms are told.
_LOOKED_AT, _TOLD = 24, 3

_SAME_BITS = {rule.name for rule in STRICT}


class Change(NamedTuple):
    """What a rewrite took away and what it put there, and the values that both are made of."""

    gone: list[Node]
    made: list[Node]
    border: list[Node]


def change(before: Node, after: Node) -> Change:
    """What lies between two nodes and what they have in common: no more than that takes.

    >>> import graphc as gc
    >>> x, y = gc.input("x", ()), gc.input("y", ())
    >>> gone, made, border = change(gc.exp(x) + (-y), gc.exp(x) - y)
    >>> [v.op.name for v in gone], [v.op.name for v in made], [v.op.name for v in border]
    (['negative', 'add'], ['subtract'], ['input', 'exp'])
    """
    old, new = _levels(before), _levels(after)
    far = {x for v in new for x in v.inputs if x not in new}
    for depth in range(1, _FAR + 1):
        there = {v for v, level in old.items() if level <= depth}
        made = [] if after in there else topo([after], beyond=there | far)
        below = {x for v in made for x in v.inputs}
        if below.isdisjoint(far) and old.keys().isdisjoint({*made} - _free(made)):
            break
    inner = [v for v, level in old.items() if level < depth and v not in new and v.inputs]
    gone = [v for v in topo([before], beyond={x for v in inner for x in v.inputs} - {*inner})]
    inside = {*gone, *made}
    border = dict.fromkeys(x for v in (*gone, *made) for x in v.inputs if x not in inside)
    return Change(gone, made, sorted(border, key=lambda v: v.op.family != "leaf"))


def _free(nodes: Iterable[Node]) -> set[Node]:
    """Numbers and sizes, which any side may hold."""
    return {v for v in nodes if v.op.name in ("constant", "size")}


def _levels(v: Node) -> dict[Node, int]:
    """A node and what it is computed from by a few operations, and by how many."""
    found, edge = {v: 0}, [v]
    for level in range(1, _FAR + 1):
        edge = list(dict.fromkeys(x for u in edge for x in u.inputs if x not in found))
        found |= dict.fromkeys(edge, level)
    return found


class Telling:
    """Tells of rewrites in the names of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.names = names_of(graph)

    def lines(self, rewrites: Iterable[Rewrite]) -> list[str]:
        """Each equation with the user's line and how often it was used, and what it did there."""
        alike: dict[Any, list[Rewrite]] = {}
        for r in rewrites:
            alike.setdefault((str(r), r.place), []).append(r)
        found = []
        for (equation, place), group in alike.items():
            times = f"  ({len(group)} times)" if len(group) > 1 else ""
            found.append(f"{equation}{times}" + (f"   {place}" if place else ""))
            forms: dict[Any, tuple[Rewrite, tuple[Term, Term]]] = {}
            for r in group[:_LOOKED_AT]:
                sides = self._sides(r)
                forms.setdefault(_shape(sides), (r, sides))
            told = list(forms.values())
            found += [f"    {self._told(r, sides)}" for r, sides in told[:_TOLD]]
            found += ["    ..."] * (len(told) > _TOLD)
        return found

    def _told(self, r: Rewrite, sides: tuple[Term, Term]) -> str:
        before, after = map(text, sides)
        told = f"{before} -> {after}"
        if before == after and r.before.op is r.after.op:  # by other operands, which go unsaid
            told = f"in {before}"
        elif before == after:
            told = f"{r.before.op.name}: {before} -> {r.after.op.name}: {after}"
        said = [told, _cost(r)]
        if r.name != "region":  # whose equation tells
            said.append(_errors(r))
        return "   ".join(filter(None, said))

    def _sides(self, r: Rewrite) -> tuple[Term, Term]:
        """Both sides, with as many operations as there is room for."""
        gone, made, border = change(r.before, r.after)
        names = dict(self.names)
        for v in (*gone, *made):  # their formulas are told
            if v.inputs:
                names.pop(v, None)
        names |= {x: reference(x, names) for x in border if x.inputs}
        for depth in range(_DEEP, 0, -1):
            of_after = names.get(r.after) or term(r.after, names, depth)
            sides = term(r.before, names, depth), of_after
            if max(len(text(side)) for side in sides) <= _LONGEST:
                break
        return sides


def _shape(sides: tuple[Term, Term]) -> Any:
    """Two terms up to the names in them: equal layers have equal shapes."""
    seen: dict[Term, int] = {}

    def of(t: Term) -> Any:
        if t.kind in ("name", "gradient", "partial"):
            return seen.setdefault(t, len(seen))
        return t.kind, t.head, *map(of, t.parts)

    return tuple(map(of, sides))


def _cost(r: Rewrite) -> str:
    """How many operations became how many; where they are as many, what they weigh."""
    gone, made, _ = change(r.before, r.after)
    before, after = flops_of(gone), flops_of(made)
    if before != after:
        return f"{shapes.show(before)} -> {shapes.show(after)} flops"
    lighter = sum(map(weight, made)), sum(map(weight, gone))
    if lighter[0] == lighter[1]:
        return ""
    return f"cost {lighter[1]:g} -> {lighter[0]:g}"


def _errors(r: Rewrite) -> str:
    """The worst errors of both sides against exact arithmetic, where that is soon found out."""
    if r.name in _SAME_BITS:
        return "the same bits"
    gone, made, border = change(r.before, r.after)
    values = [x for x in (*gone, *made, *border) if not x.inputs or x in border]
    values = [x for x in dict.fromkeys(values) if x.op.name != "constant"]
    nodes = [v for v in (*gone, *made) if v.op.family != "leaf"]
    is_small = 1 <= len(values) <= _MOST_VALUES and len(nodes) <= _MOST_NODES
    is_open = all(v.op.family == "elementwise" and v.dtype == r.before.dtype for v in nodes)
    if not (is_small and is_open and all(x.dtype == r.before.dtype for x in values)):
        return ""
    if not r.before.type.is_float:  # rounding is all that an audit measures
        return "the same bits"
    type_ = tensor(("k",), r.before.dtype)
    letters = [OPS["input"](name=f"x{k}", type=type_) for k in range(len(values))]
    new: dict[Node, Node] = dict(zip(values, letters, strict=True))
    for v in (*gone, *made):
        if v not in new:
            new[v] = v.op(*(new.get(x, x) for x in v.inputs), **v.attrs) if v.inputs else v
    known = dict(zip(letters, map(interval, values), strict=True))
    sides = new.get(r.before, r.before), new.get(r.after, r.after)
    verdict = audit(*sides, letters, True, known, may_extend=True, most_work=_MOST_WORK)
    if verdict.before == verdict.after == 0:
        return "the same numbers"
    return verdict.errors
