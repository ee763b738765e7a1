"""Terms through what only moves elements: axes renamed, cut, joined and regrouped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ... import shapes
from ...ir import FUNCTIONS, Node
from ...ops.slices import Span
from ...shapes import Dim, as_dim
from .products import cast, stretched
from .terms import (
    Axis,
    Leg,
    Parts,
    Term,
    Terms,
    filled,
    loosened,
    reduced,
)


def reordered(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    return [t._replace(own=tuple(t.own[k] for k in v.attrs["axes"])) for t in terms or ()]


def broadcast(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    return [stretched(t, v) for t in terms or ()]


def diagonals(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    found = []
    for term in terms or ():
        last = term.own[-1]
        is_single = last.axis.size == 1 and last.within is None
        found.append(term._replace(own=(*term.own, Leg(Axis(1)) if is_single else last)))
    return found


def indexed(v: Node, parts: Parts) -> Terms:
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
            start = as_dim(shapes.from_zero(e, term.own[p].size))
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
    start = shapes.from_zero(span.begin, size)
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


def placed(v: Node, parts: Parts) -> Terms:
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
            start = as_dim(shapes.from_zero(e, size))
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
        start, stop = (span.begin + end for end in _bounds(*within))
        return term.with_own(p, Leg(axis, (_between(start, stop), size)))
    if within is not None:
        term = loosened(term, p)
    return term.with_own(p, Leg(term.own[p].axis, (span, size)))


def joined(v: Node, parts: Parts) -> Terms:
    """Each part lies within the whole."""
    axis = v.attrs["axis"]
    found = []
    for i, terms in enumerate(parts):
        start = as_dim(sum(x.shape[axis] for x in v.inputs[:i]))
        span = Span(start, as_dim(start + v.inputs[i].shape[axis]), 1)
        found += [cast(_within(term, axis, span, v.shape[axis]), v) for term in terms or ()]
    return found


def reshaped(v: Node, parts: Parts) -> Terms:
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
