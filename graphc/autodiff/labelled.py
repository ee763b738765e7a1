"""Tensors of many rows whose zeros are known: a dense tensor, and which axes are tied together.

A `Term` is T[batch, own] = dense[axes] where tied axes agree, and 0 elsewhere. An identity is the
number 1 with its two axes tied: an elementwise product with it is a diagonal that is never spread
out, and in a contraction it only renames a letter. `push` carries terms through a graph that is
linear in them.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .. import shapes
from ..ir import FUNCTIONS, Node, standing_for
from ..ops.chain import is_literal, times
from ..ops.contract import contract
from ..ops.slices import Span
from ..shapes import Dim, TensorType, as_dim
from .batching import batch_rule

_WHOLE = Span(None, None, 1)


class Axis:
    """The name of an axis. Axes that bear one name are tied: off their diagonal a term is 0."""

    __slots__ = ("size",)

    def __init__(self, size: Dim) -> None:
        self.size = size


class Leg(NamedTuple):
    """One axis of a term: a named axis, or one that lies within a longer axis of zeros."""

    axis: Axis
    within: tuple[Span, Dim] | None = None

    @property
    def size(self) -> Dim:
        return self.axis.size if self.within is None else self.within[1]


Legs = tuple[Leg, ...]
Dense = tuple[Node, tuple[Axis, ...]]


class Term(NamedTuple):
    """dense[axes] spread over the legs batch + own. An axis that dense lacks has equal values; axes
    of size 1 bear names of their own and are never among those of dense."""

    dense: Node
    axes: tuple[Axis, ...]
    batch: Legs
    own: Legs

    @property
    def legs(self) -> Legs:
        return (*self.batch, *self.own)

    @property
    def names(self) -> tuple[Axis, ...]:
        """The distinct axes, in order."""
        return tuple(dict.fromkeys(leg.axis for leg in self.legs))

    @property
    def pattern(self) -> tuple[Any, ...]:
        """Which axes are tied, and where they lie: terms of one pattern can be added."""
        names = self.names
        return tuple((names.index(leg.axis), leg.within) for leg in self.legs)

    def renamed(self, like: Term) -> Term:
        """This term by the names of another of its pattern."""
        names = {a.axis: b.axis for a, b in zip(self.legs, like.legs, strict=True)}
        return Term(self.dense, tuple(names[a] for a in self.axes), like.batch, like.own)

    def is_tied(self, p: int) -> bool:
        """Whether own axis p is tied to any other."""
        return [leg.axis for leg in self.legs].count(self.own[p].axis) > 1

    def is_loose(self, p: int) -> bool:
        """Whether own axis p is neither tied nor within a longer one."""
        return self.own[p].within is None and not self.is_tied(p)

    def with_own(self, p: int, *legs: Leg) -> Term:
        """This term with other legs in place of own axis p."""
        return self._replace(own=(*self.own[:p], *legs, *self.own[p + 1 :]))


Terms = list[Term]
Parts = Sequence[Terms | None]


def fresh(sizes: Iterable[Dim]) -> tuple[Axis, ...]:
    """New names for axes of some sizes."""
    return tuple(Axis(d) for d in sizes)


def legs(axes: Iterable[Axis]) -> Legs:
    """Axes as they are, within nothing."""
    return tuple(Leg(a) for a in axes)


def identity(type_: TensorType) -> Term:
    """Row b of the batch holds a 1 at place b: each axis is tied to its own copy."""
    batch = fresh(type_.shape)
    own = tuple(Axis(1) if a.size == 1 else a for a in batch)
    return Term(FUNCTIONS["constant"](1.0, dtype=type_.dtype), (), legs(batch), legs(own))


def push(order: Iterable[Node], table: dict[Node, Terms]) -> None:
    """Add to `table` the terms of every node of an order that depends, linearly, on those in it."""
    for v in order:
        if v not in table and any(x in table for x in v.inputs):
            with standing_for(v):
                rule = _BY_NAME.get(v.op.name) or _BY_FAMILY.get(v.op.family, _batched)
                table[v] = merged(rule(v, [table.get(x) for x in v.inputs]))


def merged(terms: Iterable[Term]) -> Terms:
    """The same sum, one term for each pattern, without zeros."""
    found: dict[tuple[Any, ...], Term] = {}
    for term in terms:
        if is_literal(term.dense, 0.0):
            continue
        other = found.get(term.pattern)
        found[term.pattern] = term if other is None else _sum(other, term.renamed(other))
    return list(found.values())


def _sum(a: Term, b: Term) -> Term:
    order = _present(a.names, [a.axes, b.axes])
    both = (arranged(term.dense, term.axes, order) for term in (a, b))
    return a._replace(dense=FUNCTIONS["add"](*both), axes=order)


def _present(names: Iterable[Axis], groups: Iterable[Iterable[Axis]]) -> tuple[Axis, ...]:
    every = {a for group in groups for a in group}
    return tuple(a for a in names if a in every)


def total(terms: Terms, order: Callable[[Term], Legs], type_: TensorType) -> Node:
    """The sum of some terms as one tensor."""
    result: Node = FUNCTIONS["zeros"](type_.shape, type_.dtype)
    for k, term in enumerate(terms):
        whole = spread(term, order(term))
        result = whole if k == 0 else FUNCTIONS["add"](result, whole)
    return FUNCTIONS["astype"](result, type_.dtype)  # type: ignore[no-any-return]


# -- dense tensors by the names of their axes -------------------------------------------------


def reduced(x: Node, axes: Sequence[Axis]) -> Dense:
    """x without the axes along which its values are equal, and once along axes that are tied."""
    while x.op.name == "broadcast_to":
        x = x.inputs[0]
        axes = axes[len(axes) - x.ndim :]
    single = tuple(k for k, d in enumerate(x.shape) if d == 1)
    if single:
        x = FUNCTIONS["squeeze"](x, single)
        axes = [a for k, a in enumerate(axes) if k not in single]
    distinct = list(dict.fromkeys(axes))
    if len(distinct) < len(axes):
        x = contract(f"{_letters(axes, distinct)}->{_letters(distinct, distinct)}", [x])
    return x, tuple(distinct)


def facing(x: Node, against: Sequence[Leg]) -> Dense:
    """The part of x that meets what some legs hold."""
    while x.op.name == "broadcast_to":
        x = x.inputs[0]
        against = against[len(against) - x.ndim :]
    index = [
        slice(None) if leg.within is None or d == 1 else slice(*leg.within[0])
        for leg, d in zip(against, x.shape, strict=True)
    ]
    if any(cut != slice(None) for cut in index):
        x = FUNCTIONS["getitem"](x, tuple(index))
    return reduced(x, [leg.axis for leg in against])


def _letters(axes: Iterable[Axis], distinct: Sequence[Axis]) -> str:
    return "".join(string.ascii_letters[distinct.index(a)] for a in axes)


def permuted(x: Node, order: Sequence[int]) -> Node:
    """x with its axes in another order; two permutations are one."""
    while x.op.name == "permute_dims":
        order = [x.attrs["axes"][k] for k in order]
        x = x.inputs[0]
    return FUNCTIONS["permute_dims"](x, order)  # type: ignore[no-any-return]


def arranged(x: Node, axes: Sequence[Axis], order: Sequence[Axis]) -> Node:
    """x with its axes in this order, ready to broadcast: of size 1 where it lacks one."""
    x = permuted(x, [axes.index(a) for a in order if a in axes])
    index = [slice(None) if a in axes else None for a in order]
    while index and index[0] is None:
        index.pop(0)
    return FUNCTIONS["getitem"](x, tuple(index)) if None in index else x


def filled(x: Node, axes: Sequence[Axis], order: Sequence[Axis]) -> Node:
    """x with exactly these axes, in this order."""
    full = FUNCTIONS["broadcast_to"](arranged(x, axes, order), tuple(a.size for a in order))
    return full  # type: ignore[no-any-return]


def spread(term: Term, order: Legs) -> Node:
    """The whole tensor, its axes in the order of the given legs, its zeros written down."""
    names = [leg.axis for leg in order]
    distinct = list(dict.fromkeys(names))
    is_one = not term.axes and is_literal(term.dense, 1.0)
    if is_one and len(distinct) == 1 and len(order) == 2:
        x = FUNCTIONS["eye"](distinct[0].size, dtype=term.dense.dtype)
    else:
        x, axes = filled(term.dense, term.axes, distinct), list(distinct)
        for a in distinct:
            for _ in range(names.count(a) - 1):
                k = axes.index(a)
                x = FUNCTIONS["diagonal_matrix"](FUNCTIONS["moveaxis"](x, k, -1))
                axes = [*axes[:k], *axes[k + 1 :], a, a]
        places = {a: iter([k for k, b in enumerate(axes) if a is b]) for a in distinct}
        x = permuted(x, [next(places[a]) for a in names])
    if all(leg.within is None for leg in order):
        return x  # type: ignore[no-any-return]
    index = tuple(_WHOLE if leg.within is None else leg.within[0] for leg in order)
    return FUNCTIONS["place"](x, shape=tuple(leg.size for leg in order), index=index)  # type: ignore[no-any-return]


def loosened(term: Term, p: int) -> Term:
    """The same tensor with own axis p neither tied nor within another: its zeros are written
    down."""
    if term.is_loose(p):
        return term
    tie = term.own[p].axis
    rest = [a for a in term.axes if a is not tie]
    if term.is_tied(p):
        lead, order = [*rest, tie], (*legs(rest), Leg(tie), term.own[p])
    else:
        lead, order = rest, (*legs(rest), term.own[p])
    free = Axis(term.own[p].size)
    dense, axes = reduced(spread(term, order), [*lead, free])
    return Term(dense, axes, term.batch, term.own).with_own(p, Leg(free))


# -- elementwise ------------------------------------------------------------------------------


def _elementwise(v: Node, parts: Parts) -> Terms:
    """Where tied axes disagree the operands are 0, and the result is: the diagonal is computed."""
    groups: dict[tuple[Any, ...], dict[int, Term]] = {}
    for i, terms in enumerate(parts):
        for term in terms or ():
            term = _stretched(term, v)
            group = groups.setdefault(term.pattern, {})
            first = next(iter(group.values()), term)
            group[i] = term.renamed(first)
    return [_on_diagonal(v, parts, group) for group in groups.values()]


def _stretched(term: Term, v: Node) -> Term:
    """A term of an operand with the axes of the result: those that broadcasting stretches are
    new."""
    new = v.ndim - len(term.own)
    own = (*legs(fresh(v.shape[:new])), *term.own)
    own = tuple(a if a.size == d else Leg(Axis(d)) for a, d in zip(own, v.shape, strict=True))
    return term._replace(own=own)


def _on_diagonal(v: Node, parts: Parts, group: dict[int, Term]) -> Term:
    first = next(iter(group.values()))
    if v.op.name == "add" and len(group) == 1:
        return _cast(first, v)
    operands: list[Dense] = []
    for i, x in enumerate(v.inputs):
        if i in group:
            operands.append((group[i].dense, group[i].axes))
        elif parts[i] is not None:  # its term of this pattern is 0
            operands.append((FUNCTIONS["constant"](0.0, dtype=x.dtype), ()))
        else:
            operands.append(facing(x, first.own[v.ndim - x.ndim :]))
    order = _present(first.names, [axes for _, axes in operands])
    ready = [arranged(x, axes, order) for x, axes in operands]
    if v.op.name == "multiply" and len(group) == 1:
        (i,) = group
        dense = times(ready[i], ready[1 - i])
    else:
        dense = v.op(*ready, **v.attrs)
    dense, axes = reduced(dense, order[len(order) - dense.ndim :])
    return first._replace(dense=dense, axes=axes)


def _cast(term: Term, v: Node) -> Term:
    return term._replace(dense=FUNCTIONS["astype"](term.dense, v.dtype))


# -- sums and products ------------------------------------------------------------------------


def _sums(v: Node, parts: Parts) -> Terms:
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


def _contracted(v: Node, parts: Parts) -> Terms:
    """A tied axis takes the place of its letter."""
    if sum(terms is not None for terms in parts) != 1:
        return _batched(v, parts)
    (i,) = (k for k, terms in enumerate(parts) if terms is not None)
    return [_product(v, i, term) for term in parts[i] or ()]


def _product(v: Node, i: int, term: Term) -> Term:
    left, out = v.attrs["subscripts"].split("->")
    words = left.split(",")
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
    return _cast(Term(dense, axes, batch, own), v)


def product(factors: Sequence[Dense], kept: Sequence[Axis]) -> Dense:
    """The product of some tensors, summed over the axes that are not kept."""
    numbers = [x for x, axes in factors if not axes]
    others = [(x, axes) for x, axes in factors if axes]
    out = _present(kept, [axes for _, axes in others])
    distinct = list(dict.fromkeys(a for _, axes in others for a in axes))
    if not others:
        result = numbers.pop(0)
    elif len(others) == 2 and len(out) == len(distinct) and {*others[0][1]} & {*others[1][1]}:
        result = times(*(arranged(x, axes, out) for x, axes in others))
    else:
        words = ",".join(_letters(axes, distinct) for _, axes in others)
        result = contract(f"{words}->{_letters(out, distinct)}", [x for x, _ in others])
    for x in numbers:
        result = times(result, x)
    return reduced(result, out[len(out) - result.ndim :])


# -- layout -----------------------------------------------------------------------------------


def _permuted(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    return [t._replace(own=tuple(t.own[k] for k in v.attrs["axes"])) for t in terms or ()]


def _broadcast(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    return [_stretched(t, v) for t in terms or ()]


def _diagonals(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    found = []
    for term in terms or ():
        last = term.own[-1]
        is_single = last.axis.size == 1 and last.within is None
        found.append(term._replace(own=(*term.own, Leg(Axis(1)) if is_single else last)))
    return found


def _indexed(v: Node, parts: Parts) -> Terms:
    """What is cut off at one end of a tie is 0 at the other."""
    (terms,) = parts
    return [_cut(v, term) for term in terms or ()]


def _cut(v: Node, term: Term) -> Term:
    sizes, p = iter(v.shape), 0
    for e in v.attrs["index"]:
        if e is None:
            next(sizes)
            term = term._replace(own=(*term.own[:p], Leg(Axis(1)), *term.own[p:]))
            p += 1
        elif isinstance(e, Span):
            size = next(sizes)
            if not e.is_whole:
                term = _restricted(term, p, e, size)
            p += 1
        else:
            start = e if shapes.is_expression(e) or e >= 0 else as_dim(term.own[p].size + e)
            term = _restricted(term, p, Span(start, as_dim(start + 1), 1), 1).with_own(p)
    return term


def _restricted(term: Term, p: int, span: Span, size: Dim) -> Term:
    """Own axis p cut to a span: whatever is tied to it lies within the span from now on."""
    tie = term.own[p].axis
    if any(leg.within is not None for leg in term.legs if leg.axis is tie):
        overlap = _overlap(term, p, span, size)
        if overlap is not None:
            return overlap
        term = loosened(term, p)
        tie = term.own[p].axis
    dense, axes = term.dense, term.axes
    new = Axis(size)
    if tie in axes:
        index = tuple(slice(*span) if a is tie else slice(None) for a in axes)
        cut = FUNCTIONS["getitem"](dense, index)
        dense, axes = reduced(cut, [new if a is tie else a for a in axes])

    def moved(leg: Leg) -> Leg:
        if leg.axis is not tie:
            return leg
        return Leg(Axis(1) if size == 1 else new, (_explicit(span, tie.size), tie.size))

    result = Term(dense, axes, tuple(map(moved, term.batch)), tuple(map(moved, term.own)))
    return result.with_own(p, Leg(Axis(1) if size == 1 else new))


def _overlap(term: Term, p: int, span: Span, size: Dim) -> Term | None:
    """The cut of an axis that lies within another: what both spans have in common, if that is
    known."""
    leg, tie = term.own[p], term.own[p].axis
    frames = [other.within for other in term.legs if other.axis is tie and other.within]
    if not all(_is_plain(*frame) for frame in [(span, leg.size), *frames]):
        return None
    first, last = _bounds(span, leg.size)
    start, stop = (0, tie.size) if leg.within is None else _bounds(*leg.within)
    low, high = _larger(first, start), _smaller(last, stop)
    if size == 1 or low is None or high is None or high - low in (0, 1):
        return None  # an axis of size 1 lies within nothing
    if not shapes.is_at_least(high, low):
        return None
    new = tie if high - low == tie.size else Axis(as_dim(high - low))
    dense, axes = term.dense, term.axes
    if tie in axes and new is not tie:
        part = slice(as_dim(low - start), as_dim(high - start))
        index = tuple(part if a is tie else slice(None) for a in axes)
        dense = FUNCTIONS["getitem"](dense, index)
        axes = tuple(new if a is tie else a for a in axes)

    def moved(other: Leg) -> Leg:
        if other.axis is not tie or new is tie:
            return other
        begin = 0 if other.within is None else _bounds(*other.within)[0]
        return Leg(new, (_between(begin + low - start, begin + high - start), other.size))

    result = Term(dense, axes, tuple(map(moved, term.batch)), tuple(map(moved, term.own)))
    is_all = low == first and high == last
    within = None if is_all else (_between(low - first, high - first), size)
    return result.with_own(p, Leg(new, within))


def _bounds(span: Span, size: Dim) -> tuple[Dim, Dim]:
    """Where a span of step 1 begins and ends, counted from 0."""
    start: Dim = span.start or 0
    is_negative = start.is_negative if shapes.is_expression(start) else start < 0
    start = size + start if is_negative else start
    return start, start + span.length(size)


def _is_plain(span: Span, size: Dim) -> bool:
    """Whether a span is of step 1, and its bounds are sums and products of sizes."""
    return span.step == 1 and all(map(shapes.is_polynomial, (size, *_bounds(span, size))))


def _between(start: Dim, stop: Dim) -> Span:
    return Span(as_dim(start), as_dim(stop), 1)


def _explicit(span: Span, size: Dim) -> Span:
    """The same span, written in one way."""
    return _between(*_bounds(span, size)) if _is_plain(span, size) else span


def _larger(a: Dim, b: Dim) -> Dim | None:
    return a if shapes.is_at_least(a, b) else b if shapes.is_at_least(b, a) else None


def _smaller(a: Dim, b: Dim) -> Dim | None:
    return b if shapes.is_at_least(a, b) else a if shapes.is_at_least(b, a) else None


def _placed(v: Node, parts: Parts) -> Terms:
    """Nothing moves: the axes lie within longer ones."""
    (terms,) = parts
    return [_put(v, term) for term in terms or ()]


def _put(v: Node, term: Term) -> Term:
    own: list[Leg] = []
    p, sizes = 0, iter(v.shape)
    for e in v.attrs["index"]:
        if e is None:
            p += 1
            continue
        size = next(sizes)
        if isinstance(e, Span):
            if not e.is_whole:
                term = _within(term, p, e, size)
            own.append(term.own[p])
            p += 1
        else:
            start = e if shapes.is_expression(e) or e >= 0 else as_dim(size + e)
            within = None if size == 1 else (Span(start, as_dim(start + 1), 1), size)
            own.append(Leg(Axis(1), within))
    return term._replace(own=tuple(own))


def _within(term: Term, p: int, span: Span, size: Dim) -> Term:
    """Own axis p as a part of a longer axis."""
    axis, within = term.own[p]
    if size == 1:  # it is all of the longer axis, or nothing
        whole = term.with_own(p, Leg(Axis(1)))
        zero = FUNCTIONS["zeros"]((), term.dense.dtype)
        return whole if axis.size == 1 else whole._replace(dense=zero, axes=())
    span = _explicit(span, size)
    if within is not None and _is_plain(span, size) and _is_plain(*within):
        start, stop = (span.start + end for end in _bounds(*within))
        return term.with_own(p, Leg(axis, (_between(start, stop), size)))
    if within is not None:
        term = loosened(term, p)
    return term.with_own(p, Leg(term.own[p].axis, (span, size)))


def _joined(v: Node, parts: Parts) -> Terms:
    """Each part lies within the whole."""
    axis = v.attrs["axis"]
    found = []
    for i, terms in enumerate(parts):
        start = as_dim(sum(x.shape[axis] for x in v.inputs[:i]))
        span = Span(start, as_dim(start + v.inputs[i].shape[axis]), 1)
        found += [_cast(_within(term, axis, span, v.shape[axis]), v) for term in terms or ()]
    return found


def _reshaped(v: Node, parts: Parts) -> Terms:
    """An axis that goes over unchanged keeps its ties."""
    (terms,) = parts
    groups = _groups(v.inputs[0].shape, v.shape)
    return [_regrouped(v, term, groups) for term in terms or ()]


Group = tuple[list[int], list[int]]


def _groups(old: Sequence[Dim], new: Sequence[Dim]) -> list[Group]:
    """Which axes of the old shape hold the elements of which axes of the new one, in order."""
    before = [k for k, d in enumerate(old) if d != 1]
    after = [k for k, d in enumerate(new) if d != 1]
    groups: list[Group] = []
    while before and after:
        a, b = [before.pop(0)], [after.pop(0)]
        while (have := _product_of(old, a)) != (want := _product_of(new, b)):
            if before and shapes.ratio(want, have) is not None:
                a.append(before.pop(0))
            elif after and shapes.ratio(have, want) is not None:
                b.append(after.pop(0))
            else:
                a, b, before, after = [*a, *before], [*b, *after], [], []
                break
        groups.append((a, b))
    if groups:
        groups[-1][0].extend(before)
        groups[-1][1].extend(after)
    return groups


def _product_of(shape: Sequence[Dim], axes: Iterable[int]) -> Dim:
    return shapes.size(tuple(shape[k] for k in axes))


def _regrouped(v: Node, term: Term, groups: Iterable[Group]) -> Term:
    own = [Leg(Axis(d)) for d in v.shape]
    for a, b in groups:
        if len(a) == len(b) == 1:
            own[b[0]] = term.own[a[0]]
            continue
        if all(term.is_loose(k) and term.own[k].axis not in term.axes for k in a):
            continue
        for k in a:
            term = loosened(term, k)
        old, new = [term.own[k].axis for k in a], [own[k].axis for k in b]
        lead = [c for c in term.axes if c not in old]
        full = filled(term.dense, term.axes, [*lead, *old])
        dense = FUNCTIONS["reshape"](full, tuple(c.size for c in (*lead, *new)))
        dense, axes = reduced(dense, [*lead, *new])
        term = term._replace(dense=dense, axes=axes)
    return term._replace(own=tuple(own))


# -- along an axis ----------------------------------------------------------------------------


def _scanned(v: Node, parts: Parts) -> Terms:
    """Only the axis that is run along loses its ties."""
    axis = v.attrs["axis"]
    if sum(terms is not None for terms in parts) != 1:
        return _batched(v, parts)
    (i,) = (k for k, terms in enumerate(parts) if terms is not None)
    found = []
    for term in (loosened(t, axis) for t in parts[i] or ()):
        along = term.own[axis].axis
        operands = [
            (term.dense, term.axes) if k == i else facing(x, term.own)
            for k, x in enumerate(v.inputs)
        ]
        lead = [a for a in _present(term.names, [axes for _, axes in operands]) if a is not along]
        order = [*lead, along]
        dense = v.op(*(filled(x, axes, order) for x, axes in operands), axis=len(lead))
        dense, axes = reduced(dense, order)
        found.append(term._replace(dense=dense, axes=axes))
    return found


def _taken(v: Node, parts: Parts) -> Terms:
    """Only the axis that is taken from loses its ties."""
    terms, _ = parts
    axis, indices = v.attrs["axis"], v.inputs[1]
    found = []
    for term in (loosened(t, axis) for t in terms or ()):
        along, places = term.own[axis].axis, fresh(indices.shape)
        dense, axes = term.dense, term.axes
        if along in axes:
            lead = [a for a in axes if a is not along]
            ready = arranged(dense, axes, [*lead, along])
            dense = FUNCTIONS["take"](ready, indices, axis=len(lead))
            dense, axes = reduced(dense, [*lead, *places])
        found.append(term._replace(dense=dense, axes=axes).with_own(axis, *legs(places)))
    return found


def _scattered(v: Node, parts: Parts) -> Terms:
    """An update that is a row of the identity becomes a one-hot row, at what its index names."""
    base, _, updates = parts
    found = list(base or ())
    places = range(v.attrs["axis"], v.attrs["axis"] + v.inputs[1].ndim)
    for term in updates or ():
        rows = [leg.axis for leg in term.batch]
        one_hot = all(
            term.own[p].within is None and (term.own[p].axis in rows or term.own[p].size == 1)
            for p in places
        )
        found.append((_one_hot if one_hot else _scattered_densely)(v, term, places))
    return found


def _one_hot(v: Node, term: Term, places: range) -> Term:
    axis, size = v.attrs["axis"], v.shape[v.attrs["axis"]]
    along = Axis(size)
    where, names = reduced(v.inputs[1], [term.own[p].axis for p in places])
    order = (*_present(term.names, [names, term.axes]), along)
    ready = arranged(where, names, order)
    counted = FUNCTIONS["where"](ready < 0, ready + FUNCTIONS["size"](size), ready)
    chosen = FUNCTIONS["equal"](counted, FUNCTIONS["iota"](size))
    dense = FUNCTIONS["where"](chosen, arranged(term.dense, term.axes, order), 0.0)
    dense, axes = reduced(dense, order[len(order) - dense.ndim :])
    own = (*term.own[:axis], Leg(along), *term.own[places.stop :])
    return Term(dense, axes, term.batch, own)


def _scattered_densely(v: Node, term: Term, places: range) -> Term:
    axis, size = v.attrs["axis"], v.shape[v.attrs["axis"]]
    for p in places:
        term = loosened(term, p)
    given = [term.own[p].axis for p in places]
    lead = [a for a in term.axes if a not in given]
    zeros = FUNCTIONS["zeros"]((*(a.size for a in lead), size), term.dense.dtype)
    full = filled(term.dense, term.axes, [*lead, *given])
    along = Axis(size)
    scattered = FUNCTIONS["scatter_add"](zeros, v.inputs[1], full, axis=len(lead))
    dense, axes = reduced(scattered, [*lead, along])
    own = (*term.own[:axis], Leg(along), *term.own[places.stop :])
    return Term(dense, axes, term.batch, own)


# -- whatever the op --------------------------------------------------------------------------


def _batched(v: Node, parts: Parts) -> Terms:
    """All rows are spread out, and batched."""
    batch = next(term.batch for terms in parts for term in terms or ())
    lead = tuple(leg.size for leg in batch)
    inputs = [
        x if terms is None else total(terms, lambda t: t.legs, x.type.with_shape((*lead, *x.shape)))
        for x, terms in zip(v.inputs, parts, strict=True)
    ]
    dense = batch_rule(v)(v, inputs, [terms is not None for terms in parts], lead)
    rows, own = fresh(lead), fresh(v.shape)
    dense, axes = reduced(dense, (*rows, *own))
    return [Term(dense, axes, legs(rows), legs(own))]


_Push = Callable[[Node, Parts], Terms]

# What keeps ties, and how. Everything else is spread out and batched, which is right for every op.
_BY_NAME: dict[str, _Push] = {
    "permute_dims": _permuted,
    "broadcast_to": _broadcast,
    "diagonal_matrix": _diagonals,
    "getitem": _indexed,
    "place": _placed,
    "reshape": _reshaped,
    "concat": _joined,
    "sum": _sums,
    "take": _taken,
    "scatter_add": _scattered,
}
_BY_FAMILY: dict[str, _Push] = {
    "elementwise": _elementwise,
    "contract": _contracted,
    "scan": _scanned,
}
