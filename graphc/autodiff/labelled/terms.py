"""Terms, and the dense tensors inside them, by the names of their axes."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ...ir import FUNCTIONS, Node, is_literal
from ...ops.contract import contract
from ...ops.layout import on_diagonals
from ...ops.slices import WHOLE, Span
from ...shapes import Dim
from ...tensor_type import TensorType
from ..batching import batch_rule


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
    order = present(a.names, [a.axes, b.axes])
    both = (arranged(term.dense, term.axes, order) for term in (a, b))
    return a._replace(dense=FUNCTIONS["add"](*both), axes=order)


def present(names: Iterable[Axis], groups: Iterable[Iterable[Axis]]) -> tuple[Axis, ...]:
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
        x = contract(f"{letters(axes, distinct)}->{letters(distinct, distinct)}", [x])
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


def letters(axes: Iterable[Axis], distinct: Sequence[Axis]) -> str:
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
        x = on_diagonals(filled(term.dense, term.axes, distinct), distinct, names)
    if all(leg.within is None for leg in order):
        return x  # type: ignore[no-any-return]
    index = tuple(WHOLE if leg.within is None else leg.within[0] for leg in order)
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


def batched(v: Node, parts: Parts) -> Terms:
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
