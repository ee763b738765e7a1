"""Terms through what works along one axis: scans, gathers and scatters."""

from __future__ import annotations

from ...ir import FUNCTIONS, Node
from .terms import (
    Axis,
    Leg,
    Parts,
    Term,
    Terms,
    arranged,
    batched,
    facing,
    filled,
    fresh,
    legs,
    loosened,
    present,
    reduced,
)


def scanned(v: Node, parts: Parts) -> Terms:
    """Only the axis that is run along loses its ties."""
    axis = v.attrs["axis"]
    if sum(terms is not None for terms in parts) != 1:
        return batched(v, parts)
    (i,) = (k for k, terms in enumerate(parts) if terms is not None)
    found = []
    for term in (loosened(t, axis) for t in parts[i] or ()):
        along = term.own[axis].axis
        operands = [
            (term.dense, term.axes) if k == i else facing(x, term.own)
            for k, x in enumerate(v.inputs)
        ]
        lead = [a for a in present(term.names, [axes for _, axes in operands]) if a is not along]
        order = [*lead, along]
        dense = v.op(*(filled(x, axes, order) for x, axes in operands), axis=len(lead))
        dense, axes = reduced(dense, order)
        found.append(term._replace(dense=dense, axes=axes))
    return found


def taken(v: Node, parts: Parts) -> Terms:
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


def scattered(v: Node, parts: Parts) -> Terms:
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
    order = (*present(term.names, [names, term.axes]), along)
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
