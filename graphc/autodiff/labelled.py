"""Tensors of many rows whose zeros are known: one dense tensor, and the axes that are tied together.

A `Term` is T[batch, own] = dense[axes] where tied axes agree, and 0 elsewhere. An identity is the number
1 with its two axes tied, so an elementwise product with it is a diagonal that is never spread out, and
in a contraction it only renames a letter. `push` carries terms through a graph that is linear in them.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .. import shapes
from ..ir import FUNCTIONS, Node, standing_for
from ..ops.chain import is_literal, times
from ..ops.contract import contract
from ..ops.layout import Span
from ..shapes import Dim, TensorType, as_dim
from .batching import batch_rule

_WHOLE = Span(None, None, 1)


class Axis:
    """The name of an axis. Axes of a term that bear one name are tied: off their diagonal it is 0."""

    __slots__ = ("size",)

    def __init__(self, size: Dim) -> None:
        self.size = size


class Term(NamedTuple):
    """dense[axes] spread over the axes batch + own. An axis that dense lacks is one of equal values;
    axes of size 1 bear names of their own and are never among those of dense."""

    dense: Node
    axes: tuple[Axis, ...]
    batch: tuple[Axis, ...]
    own: tuple[Axis, ...]

    @property
    def names(self) -> tuple[Axis, ...]:
        """The distinct axes, in order."""
        return tuple(dict.fromkeys((*self.batch, *self.own)))

    @property
    def pattern(self) -> tuple[int, ...]:
        """Which axes are tied: terms of one pattern can be added."""
        names = self.names
        return tuple(names.index(a) for a in (*self.batch, *self.own))

    def renamed(self, like: Term) -> Term:
        """This term by the names of another of its pattern."""
        names = dict(zip((*self.batch, *self.own), (*like.batch, *like.own), strict=True))
        return Term(self.dense, tuple(names[a] for a in self.axes), like.batch, like.own)

    def is_tied(self, p: int) -> bool:
        """Whether own axis p is tied to any other."""
        return (*self.batch, *self.own).count(self.own[p]) > 1


Terms = list[Term]
Parts = Sequence[Terms | None]


def identity(type_: TensorType) -> Term:
    """Row b of the batch holds a 1 at place b: each axis is tied to its own copy."""
    batch = fresh(type_.shape)
    own = tuple(Axis(1) if a.size == 1 else a for a in batch)
    return Term(FUNCTIONS["constant"](1.0, dtype=type_.dtype), (), batch, own)


def fresh(sizes: Iterable[Dim]) -> tuple[Axis, ...]:
    """New names for axes of some sizes."""
    return tuple(Axis(d) for d in sizes)


def push(order: Iterable[Node], table: dict[Node, Terms]) -> None:
    """Add to `table` the terms of every node of an order that depends, linearly, on those in it."""
    for v in order:
        if v not in table and any(x in table for x in v.inputs):
            with standing_for(v):
                rule = _BY_NAME.get(v.op.name) or _BY_FAMILY.get(v.op.family, _dense)
                table[v] = merged(rule(v, [table.get(x) for x in v.inputs]))


def merged(terms: Iterable[Term]) -> Terms:
    """The same sum, one term for each pattern, without zeros."""
    found: dict[tuple[int, ...], Term] = {}
    for term in terms:
        if is_literal(term.dense, 0.0):
            continue
        other = found.get(term.pattern)
        found[term.pattern] = term if other is None else _sum(other, term.renamed(other))
    return list(found.values())


def _sum(a: Term, b: Term) -> Term:
    order = _present(a.names, [a.axes, b.axes])
    total = FUNCTIONS["add"](arranged(a.dense, a.axes, order), arranged(b.dense, b.axes, order))
    return a._replace(dense=total, axes=order)


def _present(names: Iterable[Axis], groups: Iterable[Iterable[Axis]]) -> tuple[Axis, ...]:
    every = {a for group in groups for a in group}
    return tuple(a for a in names if a in every)


# -- dense tensors by the names of their axes -------------------------------------------------


def reduced(x: Node, axes: Sequence[Axis]) -> tuple[Node, tuple[Axis, ...]]:
    """x without the axes along which its values are equal, and once along axes that are tied."""
    axes = list(axes)
    while x.op.name == "broadcast_to":
        x = x.inputs[0]
        axes = axes[len(axes) - x.ndim :]
    single = [k for k, d in enumerate(x.shape) if d == 1]
    if single:
        x = FUNCTIONS["squeeze"](x, tuple(single))
        axes = [a for k, a in enumerate(axes) if k not in single]
    distinct = list(dict.fromkeys(axes))
    if len(distinct) < len(axes):
        x = contract(f"{_letters(axes, distinct)}->{_letters(distinct, distinct)}", [x])
    return x, tuple(distinct)


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


def spread(term: Term, order: Sequence[Axis]) -> Node:
    """The whole tensor, with its axes in the order of the given names; a tied axis comes twice."""
    distinct = tuple(dict.fromkeys(order))
    ties = [a for a in distinct if order.count(a) > 1]
    if len(ties) == 1 and len(order) == 2 and not term.axes and is_literal(term.dense, 1.0):
        return FUNCTIONS["eye"](ties[0].size, dtype=term.dense.dtype)  # type: ignore[no-any-return]
    x, axes = filled(term.dense, term.axes, distinct), list(distinct)
    for a in ties:
        for _ in range(order.count(a) - 1):
            k = axes.index(a)
            x = FUNCTIONS["diagonal_matrix"](FUNCTIONS["moveaxis"](x, k, -1))
            axes = [*axes[:k], *axes[k + 1 :], a, a]
    places = {a: iter([k for k, b in enumerate(axes) if a is b]) for a in distinct}
    return permuted(x, [next(places[a]) for a in order])


def untied(term: Term, p: int) -> Term:
    """The same tensor with own axis p free of its ties: the diagonal is spread out along it."""
    if not term.is_tied(p):
        return term
    tie, free = term.own[p], Axis(term.own[p].size)
    rest = tuple(a for a in term.axes if a is not tie)
    one = Term(term.dense, term.axes, (), (*rest, tie, tie))
    dense, axes = spread(one, one.own), (*rest, tie, free)
    return Term(dense, axes, term.batch, (*term.own[:p], free, *term.own[p + 1 :]))


# -- elementwise ------------------------------------------------------------------------------


def _elementwise(v: Node, parts: Parts) -> Terms:
    """Where tied axes disagree all terms are 0, and so is the result: only the diagonal is computed."""
    groups: dict[tuple[int, ...], dict[int, Term]] = {}
    for i, terms in enumerate(parts):
        for term in terms or ():
            term = _stretched(term, v)
            group = groups.setdefault(term.pattern, {})
            first = next(iter(group.values()), term)
            group[i] = term.renamed(first)
    return [_on_diagonal(v, parts, group) for group in groups.values()]


def _stretched(term: Term, v: Node) -> Term:
    """A term of an operand with the axes of the result: those that broadcasting stretches are free."""
    new = v.ndim - len(term.own)
    own = (*fresh(v.shape[:new]), *term.own)
    own = tuple(a if a.size == d else Axis(d) for a, d in zip(own, v.shape, strict=True))
    return term._replace(own=own)


def _on_diagonal(v: Node, parts: Parts, group: dict[int, Term]) -> Term:
    first = next(iter(group.values()))
    if v.op.name == "add" and len(group) == 1:
        return first if first.dense.dtype == v.dtype else _cast(first, v)
    operands: list[tuple[Node, tuple[Axis, ...]]] = []
    for i, x in enumerate(v.inputs):
        if i in group:
            operands.append((group[i].dense, group[i].axes))
        elif parts[i] is not None:  # another pattern: it has its turn
            operands.append((FUNCTIONS["constant"](0.0, dtype=x.dtype), ()))
        else:
            operands.append(reduced(x, first.own[v.ndim - x.ndim :]))
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
    kept = tuple(a for k, a in enumerate(term.own) if k not in summed)
    gone = dict.fromkeys(term.own[k] for k in summed)
    gone = {a: None for a in gone if a not in term.batch and a not in kept}
    places = tuple(k for k, a in enumerate(term.axes) if a in gone)
    dense = FUNCTIONS["sum"](term.dense, axis=places) if places else term.dense
    axes = tuple(a for a in term.axes if a not in gone)
    for a in gone:
        if a not in term.axes and a.size != 1:
            dense = times(dense, FUNCTIONS["size"](a.size, dtype=dense.dtype))
    own = tuple(Axis(1) if k in summed else a for k, a in enumerate(term.own))
    return Term(dense, axes, term.batch, own if v.attrs["keepdims"] else kept)


def _contracted(v: Node, parts: Parts) -> Terms:
    """A tied axis takes the place of its letter."""
    if sum(terms is not None for terms in parts) != 1:
        return _dense(v, parts)
    (i,) = (k for k, terms in enumerate(parts) if terms is not None)
    return [_product(v, i, term) for term in parts[i] or ()]


def _product(v: Node, i: int, term: Term) -> Term:
    left, out = v.attrs["subscripts"].split("->")
    words = left.split(",")
    letters: dict[str, Axis] = {}
    same: dict[Axis, Axis] = {}  # axes that a repeated letter ties

    def name(a: Axis) -> Axis:
        while a in same:
            a = same[a]
        return a

    for c, a in zip(words[i], term.own, strict=True):
        other = letters.setdefault(c, a)
        if name(other) is not name(a):
            # A name of the batch stays, so that it is found there.
            keep, drop = (other, a) if name(other) in term.batch else (a, other)
            same[name(drop)] = name(keep)
    for word, x in zip(words, v.inputs, strict=True):
        for c, d in zip(word, x.shape, strict=True):
            letters.setdefault(c, Axis(d))
    batch = tuple(map(name, term.batch))
    own = tuple(name(letters[c]) if letters[c].size != 1 else Axis(1) for c in out)
    factors = [reduced(term.dense, [name(a) for a in term.axes])]
    for k, (word, x) in enumerate(zip(words, v.inputs, strict=True)):
        if k != i:
            factors.append(reduced(x, [name(letters[c]) for c in word]))
    kept = tuple(dict.fromkeys((*batch, *own)))
    dense, axes = product(factors, kept)
    for a in dict.fromkeys(name(letters[c]) for c in words[i]):
        if a.size != 1 and a not in kept and not any(a in axes for _, axes in factors):
            dense = times(dense, FUNCTIONS["size"](a.size, dtype=dense.dtype))
    return Term(dense if dense.dtype == v.dtype else FUNCTIONS["astype"](dense, v.dtype), axes, batch, own)


def product(
    factors: Sequence[tuple[Node, tuple[Axis, ...]]], kept: Sequence[Axis]
) -> tuple[Node, tuple[Axis, ...]]:
    """The product of some tensors, summed over the axes that are not kept."""
    scalars = [x for x, axes in factors if not axes]
    others = [(x, axes) for x, axes in factors if axes]
    out = _present(kept, [axes for _, axes in others])
    distinct = list(dict.fromkeys(a for _, axes in others for a in axes))
    if not others:
        total = FUNCTIONS["constant"](1.0, dtype=scalars[0].dtype)
    elif len(others) == 2 and len(out) == len(distinct) and set(others[0][1]) & set(others[1][1]):
        total = times(*(arranged(x, axes, out) for x, axes in others))
    else:
        words = ",".join(_letters(axes, distinct) for _, axes in others)
        total = contract(f"{words}->{_letters(out, distinct)}", [x for x, _ in others])
    for x in scalars:
        total = times(total, x)
    total, axes = reduced(total, out[len(out) - total.ndim :])
    return total, axes


# -- layout -----------------------------------------------------------------------------------


def _permuted(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    return [t._replace(own=tuple(t.own[k] for k in v.attrs["axes"])) for t in terms or ()]


def _broadcast(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    return [_stretched(t, v) for t in terms or ()]


def _diagonals(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    return [
        t._replace(own=(*t.own, Axis(1) if t.own[-1].size == 1 else t.own[-1])) for t in terms or ()
    ]


def _indexed(v: Node, parts: Parts) -> Terms:
    """Only the axes that are cut lose their ties."""
    (terms,) = parts
    return [_cut(v, term) for term in terms or ()]


def _cut(v: Node, term: Term) -> Term:
    index = v.attrs["index"]
    entries = [e for e in index if e is not None]
    cut = {k: e for k, e in enumerate(entries) if not (isinstance(e, Span) and e.is_whole)}
    for k in cut:
        term = untied(term, k)
    entry_of = {term.own[k]: e for k, e in cut.items()}
    dense, axes = term.dense, term.axes
    if any(a in entry_of for a in axes):
        dense = _getitem(dense, axes, entry_of)
    sizes = iter(v.shape)
    renamed: dict[Axis, Axis] = {}
    own: list[Axis] = []
    position = iter(range(len(term.own)))
    for e in index:
        if e is None:
            own.append(Axis(next(sizes)))
            continue
        a = term.own[next(position)]
        if not isinstance(e, Span):
            continue
        size = next(sizes)
        if not e.is_whole:
            renamed[a] = a = Axis(size)
        own.append(a)
    left = [a for a in axes if isinstance(entry_of.get(a, _WHOLE), Span)]
    dense, axes = reduced(dense, [renamed.get(a, a) for a in left])
    return Term(dense, axes, term.batch, tuple(own))


def _getitem(x: Node, axes: Sequence[Axis], entry_of: dict[Axis, Any]) -> Node:
    from_entry = [entry_of.get(a, _WHOLE) for a in axes]
    index = tuple(slice(*e) if isinstance(e, Span) else e for e in from_entry)
    return FUNCTIONS["getitem"](x, index)  # type: ignore[no-any-return]


def _placed(v: Node, parts: Parts) -> Terms:
    (terms,) = parts
    return [_put(v, term) for term in terms or ()]


def _put(v: Node, term: Term) -> Term:
    """Only the axes along which it is put somewhere lose their ties."""
    own: list[Axis] = []
    into: list[tuple[Axis | None, Any, Axis]] = []  # from which axis, at which entry, to which axis
    p, sizes = 0, iter(v.shape)
    for e in v.attrs["index"]:
        if e is None:
            p += 1
            continue
        size = next(sizes)
        if isinstance(e, Span) and e.is_whole:
            own.append(term.own[p])
            p += 1
            continue
        source = None
        if isinstance(e, Span):
            term = untied(term, p)
            source, p = term.own[p], p + 1
        own.append(Axis(size))
        into.append((source, e, own[-1]))
    if not into:
        return term._replace(own=tuple(own))
    sources = [a for a, _, _ in into if a is not None]
    lead = [a for a in term.axes if a not in sources]
    dense = FUNCTIONS["place"](
        filled(term.dense, term.axes, [*lead, *sources]),
        shape=(*(a.size for a in lead), *(a.size for _, _, a in into)),
        index=(*(_WHOLE for _ in lead), *(e for _, e, _ in into)),
    )
    dense, axes = reduced(dense, [*lead, *(a for _, _, a in into)])
    return Term(dense, axes, term.batch, tuple(own))


def _reshaped(v: Node, parts: Parts) -> Terms:
    """An axis that goes over unchanged keeps its ties."""
    (terms,) = parts
    groups = _groups(v.inputs[0].shape, v.shape)
    return [_regrouped(v, term, groups) for term in terms or ()]


def _groups(old: Sequence[Dim], new: Sequence[Dim]) -> list[tuple[list[int], list[int]]]:
    """Which axes of the old shape hold the elements of which axes of the new one, in order."""
    before = [k for k, d in enumerate(old) if d != 1]
    after = [k for k, d in enumerate(new) if d != 1]
    groups = []
    while before and after:
        a, b = [before.pop(0)], [after.pop(0)]
        while (have := _total(old, a)) != (want := _total(new, b)):
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


def _total(shape: Sequence[Dim], axes: Iterable[int]) -> Dim:
    return shapes.size(tuple(shape[k] for k in axes))


def _regrouped(v: Node, term: Term, groups: list[tuple[list[int], list[int]]]) -> Term:
    own = [Axis(d) for d in v.shape]
    for a, b in groups:
        if len(a) == len(b) == 1:
            own[b[0]] = term.own[a[0]]
            continue
        if any(term.is_tied(k) for k in a) or any(term.own[k] in term.axes for k in a):
            for k in a:
                term = untied(term, k)
            old, new = [term.own[k] for k in a], [own[k] for k in b]
            lead = [c for c in term.axes if c not in old]
            full = filled(term.dense, term.axes, [*lead, *old])
            dense = FUNCTIONS["reshape"](full, tuple(c.size for c in (*lead, *new)))
            dense, axes = reduced(dense, [*lead, *new])
            term = term._replace(dense=dense, axes=axes)
    return term._replace(own=tuple(own))


def _joined(v: Node, parts: Parts) -> Terms:
    """Each part, with zeros where the other parts are; only the axis of joining loses its ties."""
    axis = v.attrs["axis"]
    found = []
    for i, terms in enumerate(parts):
        for term in map(lambda t: untied(t, axis), terms or ()):
            start = as_dim(sum(x.shape[axis] for x in v.inputs[:i]))
            stop = as_dim(start + v.inputs[i].shape[axis])
            lead = [a for a in term.axes if a is not term.own[axis]]
            dense = FUNCTIONS["place"](
                filled(term.dense, term.axes, [*lead, term.own[axis]]),
                shape=(*(a.size for a in lead), v.shape[axis]),
                index=(*(_WHOLE for _ in lead), Span(start, stop, 1)),
            )
            whole = Axis(v.shape[axis])
            dense, axes = reduced(dense, [*lead, whole])
            own = (*term.own[:axis], whole, *term.own[axis + 1 :])
            found.append(_cast(Term(dense, axes, term.batch, own), v))
    return found


# -- along an axis ----------------------------------------------------------------------------


def _scanned(v: Node, parts: Parts) -> Terms:
    """Only the axis that is run along loses its ties."""
    axis = v.attrs["axis"]
    if sum(terms is not None for terms in parts) != 1:
        return _dense(v, parts)
    (i,) = (k for k, terms in enumerate(parts) if terms is not None)
    found = []
    for term in map(lambda t: untied(t, axis), parts[i] or ()):
        along = term.own[axis]
        operands = [
            (term.dense, term.axes) if k == i else reduced(x, term.own)
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
    for term in map(lambda t: untied(t, axis), terms or ()):
        along, places = term.own[axis], fresh(indices.shape)
        dense, axes = term.dense, term.axes
        if along in axes:
            lead = [a for a in axes if a is not along]
            ready = arranged(dense, axes, [*lead, along])
            dense = FUNCTIONS["take"](ready, indices, axis=len(lead))
            dense, axes = reduced(dense, [*lead, *places])
        own = (*term.own[:axis], *places, *term.own[axis + 1 :])
        found.append(Term(dense, axes, term.batch, own))
    return found


def _scattered(v: Node, parts: Parts) -> Terms:
    """An update that is a row of the identity goes to the place that its index names: a one-hot row."""
    base, _, updates = parts
    axis, indices = v.attrs["axis"], v.inputs[1]
    found = list(base or ())
    for term in updates or ():
        places = range(axis, axis + indices.ndim)
        size = v.shape[axis]
        along = Axis(size)
        if all(term.own[p] in term.batch or term.own[p].size == 1 for p in places):
            where, names = reduced(indices, [term.own[p] for p in places])
            order = (*_present(term.names, [names, term.axes]), along)
            ready = arranged(where, names, order)
            counted = FUNCTIONS["where"](ready < 0, ready + FUNCTIONS["size"](size), ready)
            chosen = FUNCTIONS["equal"](counted, FUNCTIONS["iota"](size))
            dense = FUNCTIONS["where"](chosen, arranged(term.dense, term.axes, order), 0.0)
        else:
            for p in places:
                term = untied(term, p)
            given = [term.own[p] for p in places]
            lead = [a for a in term.axes if a not in given]
            zeros = FUNCTIONS["zeros"]((*(a.size for a in lead), size), term.dense.dtype)
            full = filled(term.dense, term.axes, [*lead, *given])
            dense = FUNCTIONS["scatter_add"](zeros, indices, full, axis=len(lead))
            order = (*lead, along)
        dense, axes = reduced(dense, order[len(order) - dense.ndim :])
        own = (*term.own[:axis], along, *term.own[axis + indices.ndim :])
        found.append(Term(dense, axes, term.batch, own))
    return found


def _dense(v: Node, parts: Parts) -> Terms:
    """Whatever the op: all rows spread out, and batched."""
    batch = next(term.batch for terms in parts for term in terms or ())
    lead = tuple(a.size for a in batch)
    inputs = []
    for x, terms in zip(v.inputs, parts, strict=True):
        if terms is None:
            inputs.append(x)
        else:
            inputs.append(total(terms, lambda t: (*t.batch, *t.own), x.type.with_shape((*lead, *x.shape))))
    dense = batch_rule(v)(v, inputs, [terms is not None for terms in parts], lead)
    rows, own = fresh(lead), fresh(v.shape)
    dense, axes = reduced(dense, (*rows, *own))
    return [Term(dense, axes, rows, own)]


def total(terms: Terms, order: Callable[[Term], Sequence[Axis]], type_: TensorType) -> Node:
    """The sum of some terms as one tensor."""
    if not terms:
        return FUNCTIONS["zeros"](type_.shape, type_.dtype)  # type: ignore[no-any-return]
    first, *others = [spread(term, order(term)) for term in terms]
    for other in others:
        first = FUNCTIONS["add"](first, other)
    return first if first.dtype == type_.dtype else FUNCTIONS["astype"](first, type_.dtype)  # type: ignore[no-any-return]


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
