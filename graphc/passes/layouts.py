"""Layouts: what stands beside one value, laid out to stand beside another that is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir import Node
from ..ops.slices import Span, is_reshape
from .rules.vocabulary import f, letters, op

_REDUCTIONS = (op.sum, op.max, op.min)

Labels = Sequence[Any]


def labels(v: Node, i: int) -> tuple[Labels | None, Labels]:
    """Names for the axes of an input and of a result, the same for what is the same axis.

    What is not handed on has the name None; no names at all where that is not known.
    """
    x, out = v.inputs[i], range(v.ndim)
    if v.op.family == "elementwise" or v.op is op.broadcast_to:
        return out[v.ndim - x.ndim :], out
    if v.op in _REDUCTIONS:
        axes = v.attrs["axis"]
        inner = [None if k in axes else k for k in range(x.ndim)]
        return inner, inner if v.attrs["keepdims"] else [k for k in inner if k is not None]
    if v.op is op.cumulative_sum or v.op is op.concat:
        inner = [None if k == v.attrs["axis"] else k for k in range(x.ndim)]
        return inner, inner
    if v.op is op.permute_dims:
        return range(x.ndim), v.attrs["axes"]
    if is_reshape(v):
        old, new = ([k for k, d in enumerate(u.shape) if d != 1] for u in (x, v))
        if [x.shape[k] for k in old] == [v.shape[k] for k in new]:
            name = {k: j for j, k in enumerate(new)}
            inner = [None] * x.ndim
            for j, k in enumerate(old):
                inner[k] = j
            return inner, [name.get(k) for k in out]
    if v.op is op.getitem:
        return _names_of_parts(v)
    if v.op is op.einsum:
        terms, result = letters(v)
        if all(len(set(t)) == len(t) for t in terms):
            return terms[i], result
    return None, out


def _names_of_parts(v: Node) -> tuple[Labels, Labels]:
    """Of what takes a part of an axis only that axis is not handed on."""
    inner: list[Any] = []
    outer: list[Any] = []
    for entry in v.attrs["index"]:
        if entry is None:
            outer.append(None)
            continue
        is_whole = isinstance(entry, Span) and entry.is_whole
        inner.append(len(inner) if is_whole else None)
        if isinstance(entry, Span):
            outer.append(inner[-1])
    return inner, outer


def carried(p: Node, old: Labels, new: Labels) -> Node | None:
    """What stands beside one value, laid out to stand beside another; None where it cannot."""
    p = reshaped(p, (1,) * (len(old) - p.ndim) + p.shape)
    kept = [k for k, d in enumerate(p.shape) if d != 1]
    if any(old[k] is None or old[k] not in new for k in kept):
        return None
    order = [k for name in new for k in kept if old[k] == name]
    sizes = {old[k]: p.shape[k] for k in kept}
    if order != kept:
        rest = [k for k in range(p.ndim) if k not in order]
        p = f.permute_dims(p, (*rest, *order))
    return stripped(reshaped(p, tuple(sizes.get(name, 1) for name in new)))


def stripped(p: Node) -> Node:
    """Without the axes of size 1 that stand first."""
    first = next((k for k, d in enumerate(p.shape) if d != 1), p.ndim)
    return reshaped(p, p.shape[first:])


def reshaped(v: Node, shape: Any) -> Node:
    """In another shape: one node, however often it was reshaped before."""
    if v.shape == tuple(shape):
        return v
    while v.op is op.reshape:
        (v,) = v.inputs
    made: Node = v if v.shape == tuple(shape) else f.reshape(v, tuple(shape))
    return made


def stretched(p: Node, v: Node) -> Node:
    """What stands beside a value, in its shape."""
    return p if p.shape == v.shape else f.broadcast_to(p, v.shape)
