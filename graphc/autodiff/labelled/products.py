"""Terms through elementwise operations, sums and contractions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...ir import FUNCTIONS, Node
from ...ops.chain import times
from ...ops.contract import contract
from ...ops.letters import letters_of
from .terms import (
    Axis,
    Dense,
    Leg,
    Parts,
    Term,
    Terms,
    arranged,
    batched,
    facing,
    fresh,
    legs,
    letters,
    loosened,
    present,
    reduced,
)


def elementwise(v: Node, parts: Parts) -> Terms:
    """Where tied axes disagree the operands are 0, and the result is: the diagonal is computed."""
    groups: dict[tuple[Any, ...], dict[int, Term]] = {}
    for i, terms in enumerate(parts):
        for term in terms or ():
            term = stretched(term, v)
            group = groups.setdefault(term.pattern, {})
            first = next(iter(group.values()), term)
            group[i] = term.renamed(first)
    return [_on_diagonal(v, parts, group) for group in groups.values()]


def stretched(term: Term, v: Node) -> Term:
    """A term of an operand with the axes of the result: those that broadcasting stretches are
    new."""
    new = v.ndim - len(term.own)
    own = (*legs(fresh(v.shape[:new])), *term.own)
    own = tuple(a if a.size == d else Leg(Axis(d)) for a, d in zip(own, v.shape, strict=True))
    return term._replace(own=own)


def _on_diagonal(v: Node, parts: Parts, group: dict[int, Term]) -> Term:
    first = next(iter(group.values()))
    if v.op.name == "add" and len(group) == 1:
        return cast(first, v)
    operands: list[Dense] = []
    for i, x in enumerate(v.inputs):
        if i in group:
            operands.append((group[i].dense, group[i].axes))
        elif parts[i] is not None:  # its term of this pattern is 0
            operands.append((FUNCTIONS["constant"](0.0, dtype=x.dtype), ()))
        else:
            operands.append(facing(x, first.own[v.ndim - x.ndim :]))
    order = present(first.names, [axes for _, axes in operands])
    ready = [arranged(x, axes, order) for x, axes in operands]
    if v.op.name == "multiply" and len(group) == 1:
        (i,) = group
        dense = times(ready[i], ready[1 - i])
    else:
        dense = v.op(*ready, **v.attrs)
    dense, axes = reduced(dense, order[len(order) - dense.ndim :])
    return first._replace(dense=dense, axes=axes)


def cast(term: Term, v: Node) -> Term:
    return term._replace(dense=FUNCTIONS["astype"](term.dense, v.dtype))


# -- sums and products ------------------------------------------------------------------------


def sums(v: Node, parts: Parts) -> Terms:
    """Along a tied axis one element is not 0: to sum over it is to forget it."""
    (terms,) = parts
    return [_summed(v, term) for term in terms or ()]


def _summed(v: Node, term: Term) -> Term:
    summed = v.attrs["axis"]
    own = tuple(leg for k, leg in enumerate(term.own) if k not in summed)
    kept = {leg.axis for leg in (*term.batch, *own)}
    gone = [a for a in dict.fromkeys(term.own[k].axis for k in summed) if a not in kept]
    places = tuple(k for k, a in enumerate(term.axes) if a in gone)
    dense = FUNCTIONS["sum"](term.dense, axis=places) if places else term.dense
    dense = _times_sizes(dense, [a for a in gone if a not in term.axes])
    axes = tuple(a for a in term.axes if a not in gone)
    if v.attrs["keepdims"]:
        own = tuple(Leg(Axis(1)) if k in summed else leg for k, leg in enumerate(term.own))
    return Term(dense, axes, term.batch, own)


def _times_sizes(x: Node, summed: Iterable[Axis]) -> Node:
    """x summed over axes along which it is the same."""
    for a in summed:
        if a.size != 1:
            x = times(x, FUNCTIONS["size"](a.size, dtype=x.dtype))
    return x


def contracted(v: Node, parts: Parts) -> Terms:
    """A tied axis takes the place of its letter."""
    if sum(terms is not None for terms in parts) != 1:
        return batched(v, parts)
    (i,) = (k for k, terms in enumerate(parts) if terms is not None)
    return [_product(v, i, term) for term in parts[i] or ()]


def _product(v: Node, i: int, term: Term) -> Term:
    words, out = letters_of(v)
    for p, c in enumerate(words[i]):
        if words[i].count(c) > 1 and term.own[p].within is not None:
            term = loosened(term, p)
    letters: dict[str, Leg] = {}
    same: dict[Axis, Axis] = {}  # axes that a repeated letter ties

    def name(a: Axis) -> Axis:
        while a in same:
            a = same[a]
        return a

    def known(leg: Leg) -> Leg:
        return leg._replace(axis=name(leg.axis))

    in_batch = [leg.axis for leg in term.batch]
    for c, leg in zip(words[i], term.own, strict=True):
        a, b = name(letters.setdefault(c, leg).axis), name(leg.axis)
        if a is not b and b in in_batch:
            a, b = b, a  # a name of the batch stays
        if a is not b:
            same[b] = a
    for word, x in zip(words, v.inputs, strict=True):
        for c, d in zip(word, x.shape, strict=True):
            letters.setdefault(c, Leg(Axis(d)))
    batch = tuple(map(known, term.batch))
    own = tuple(Leg(Axis(1)) if letters[c].size == 1 else known(letters[c]) for c in out)
    factors = [reduced(term.dense, [name(a) for a in term.axes])]
    for k, (word, x) in enumerate(zip(words, v.inputs, strict=True)):
        if k != i:
            factors.append(facing(x, [known(letters[c]) for c in word]))
    kept = list(dict.fromkeys(leg.axis for leg in (*batch, *own)))
    seen = {*kept, *(a for _, axes in factors for a in axes)}
    dense, axes = product(factors, kept)
    unseen = dict.fromkeys(name(letters[c].axis) for c in words[i])
    dense = _times_sizes(dense, [a for a in unseen if a not in seen])
    return cast(Term(dense, axes, batch, own), v)


def product(factors: Sequence[Dense], kept: Sequence[Axis]) -> Dense:
    """The product of some tensors, summed over the axes that are not kept."""
    numbers = [x for x, axes in factors if not axes]
    others = [(x, axes) for x, axes in factors if axes]
    out = present(kept, [axes for _, axes in others])
    distinct = list(dict.fromkeys(a for _, axes in others for a in axes))
    if not others:
        result = numbers.pop(0)
    elif len(others) == 2 and len(out) == len(distinct) and {*others[0][1]} & {*others[1][1]}:
        result = times(*(arranged(x, axes, out) for x, axes in others))
    else:
        words = ",".join(letters(axes, distinct) for _, axes in others)
        result = contract(f"{words}->{letters(out, distinct)}", [x for x, _ in others])
    for x in numbers:
        result = times(result, x)
    return reduced(result, out[len(out) - result.ndim :])
