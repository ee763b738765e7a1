"""Layout: transposes, reshapes, broadcasts, slices of what was put together, double casts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import shapes
from ...ir import Node
from ...ops import slices
from ..rewrite import rule
from .vocabulary import CONVERTING, EXACT, ROUNDED, Alone, f, number, op

# A sum of more terms than this is taken as it is.
_MOST_TERMS = 64


@rule(*CONVERTING, among="iu", strict=True)
def operands_converted(n: Node) -> Node | None:
    """f(x, k) = f(x, astype(k)) for integers k, as NumPy does: other rules are for one dtype

    An integer wraps around in its own, so `x + (-k)` is not `x - k`.
    """
    is_other = [x.type.dtype.kind in "iu" and x.dtype != n.dtype for x in n.inputs]
    if True not in is_other or n.dtype == bool:
        return None
    pairs = zip(n.inputs, is_other, strict=True)
    return n.op(*(f.astype(x, n.dtype) if other else x for x, other in pairs), **n.attrs)


# Other functions take no truth values.
@rule("square", "reciprocal", among="b", strict=True)
def truth_converted(n: Node) -> Node | None:
    """c^2 = astype(c)^2, 1 / c = 1 / astype(c) for truth values c, as NumPy does"""
    (c,) = n.inputs
    return n.op(f.astype(c, n.dtype)) if c.dtype == bool else None


@rule("astype", over=("where",), strict=True)
def cast_of_choice(n: Node) -> Node | None:
    """astype(where(c, a, b)) = where(c, astype(a), astype(b)) for numbers a and b"""
    c, *numbers = n.inputs[0].inputs if n.inputs[0].op is op.where else (None,)
    if not numbers or any(number(v) is None for v in numbers):
        return None
    return f.where(c, *(f.astype(v, n.dtype) for v in numbers))


@rule("permute_dims", over=("permute_dims",), strict=True)
def transpose_of_transpose(n: Node) -> Node | None:
    """transpose(transpose(x, p), q) = transpose(x, p[q])"""
    match n:
        case Node(op.permute_dims, (Node(op.permute_dims, (x,), {"axes": p}),), {"axes": q}):
            return f.permute_dims(x, tuple(p[k] for k in q))
    return None


@rule("reshape", "getitem", over=("reshape", "getitem"), strict=True)
def reshape_of_reshape(n: Node) -> Node | None:
    """reshape(reshape(x)) = reshape(x), and so with x[:, None]"""
    (v,) = n.inputs
    if not (slices.is_reshape(n) and slices.is_reshape(v)):
        return None
    return f.reshape(v.inputs[0], n.shape)


@rule("reshape", "getitem", over=EXACT, strict=True)
def shape_put_back(n: Node, is_alone: Alone) -> Node | None:
    """reshape(2 * reshape(x)) = 2 * x, where that is x's shape"""
    (v,) = n.inputs
    if not slices.is_reshape(n) or v.op.name not in EXACT or not is_alone(v):
        return None
    inputs = [x.inputs[0] if slices.is_reshape(x) and x.shape == v.shape else x for x in v.inputs]
    if not any(x.ndim for x in inputs) or not all(x.shape in ((), n.shape) for x in inputs):
        return None
    return v.op(*inputs, **v.attrs)


@rule("reshape", "getitem", over=("getitem",), strict=True)
def element_of_slice(n: Node) -> Node | None:
    """x[1:2] without that axis = x[1]"""
    (v,) = n.inputs
    at = v.attrs.get("index", ())
    if not slices.is_reshape(n) or not at or not all(isinstance(e, slices.Span) for e in at):
        return None
    single = {k for k, e in enumerate(at) if v.shape[k] == e.step == 1 and not e.is_whole}
    if not single or n.shape != tuple(d for k, d in enumerate(v.shape) if k not in single):
        return None
    index = tuple(e.begin if k in single else e for k, e in enumerate(at))
    return v.op(v.inputs[0], index=index)


@rule("getitem", strict=True)
def slice_of_everything(n: Node) -> Node | None:
    """x[:] = x, and so for x[0:n] of n elements"""
    (x,) = n.inputs
    forward = all(isinstance(e, slices.Span) and e.step == 1 for e in n.attrs["index"])
    return x if forward and n.shape == x.shape else None


@rule("permute_dims", "reshape", "getitem", over=("negative",), strict=True)
def layout_of_negative(n: Node, is_alone: Alone) -> Node | None:
    """layout(-x) = -layout(x): a sign is met further on"""
    match n:
        case Node(_, (Node(op.negative, (x,)) as v,), attrs) if is_alone(v):
            return f.negative(n.op(x, **attrs))
    return None


@rule("broadcast_to", over=("broadcast_to",), strict=True)
def broadcast_of_broadcast(n: Node) -> Node | None:
    """broadcast(broadcast(x)) = broadcast(x)"""
    match n:
        case Node(op.broadcast_to, (Node(op.broadcast_to, (x,)),)):
            return f.broadcast_to(x, n.shape)
    return None


@rule("reshape", "permute_dims", "getitem", over=("broadcast_to",), strict=True)
def layout_of_one_number(n: Node) -> Node | None:
    """layout(broadcast(x)) = broadcast(x) for a scalar x"""
    match n:
        case Node(_, (Node(op.broadcast_to, (Node() as x,)),)) if not x.ndim:
            return f.broadcast_to(x, n.shape)
    return None


@rule(*EXACT, over=("broadcast_to",), strict=True)
def arithmetic_on_stretched(n: Node) -> Node | None:
    """f(broadcast(x), y) = f(x, y) for arithmetic: it stretches its operands itself"""
    if all(x.op is not op.broadcast_to for x in n.inputs):
        return None
    return n.op(*(x.inputs[0] if x.op is op.broadcast_to else x for x in n.inputs), **n.attrs)


@rule(*ROUNDED, over=("broadcast_to",))
def function_on_stretched(n: Node) -> Node | None:
    """f(broadcast(x)) = broadcast(f(x)): computed once, by a loop that may round otherwise"""
    return arithmetic_on_stretched(n)


@rule(*EXACT, *ROUNDED, over=("reshape", "getitem"), strict=True)
def axes_in_front(n: Node) -> Node | None:
    """f(x[None], y) = f(x, y) where y has that axis: what is elementwise puts it there itself"""
    inputs = tuple(map(_without_axes_in_front, n.inputs))
    is_shorter = inputs != n.inputs and any(x.ndim == n.ndim for x in inputs)
    return n.op(*inputs, **n.attrs) if is_shorter else None


def _without_axes_in_front(v: Node) -> Node:
    """The x of a v that only puts axes of size 1 in front of it."""
    if not slices.is_reshape(v):
        return v
    (x,) = v.inputs
    return x if v.shape == (1,) * (v.ndim - x.ndim) + x.shape else v


@rule("getitem", over=("concat",), strict=True)
def slice_of_concat(n: Node) -> Node | None:
    """concat(x, y, ...)[the part of x] = x"""
    match n:
        case Node(op.getitem, (Node(op.concat, parts, {"axis": axis}) as v,), {"index": at}):
            span, start = _only_span(at, axis), shapes.as_dim(0)
            if span is None:
                return None
            for x in parts:
                stop = shapes.as_dim(start + x.shape[axis])
                if (span.begin, span.end(v.shape[axis])) == (start, stop):
                    return f.reshape(x, n.shape)
                start = stop
    return None


@rule("concat", over=("getitem",), strict=True)
def concat_of_neighbours(n: Node) -> Node | None:
    """concat(x[i:j], x[j:k], ...) = concat(x[i:k], ...)"""
    first, *others = n.inputs
    parts, axis = [first], n.attrs["axis"]
    for x in others:
        both = _joined(parts[-1], x, axis)
        parts[-1:] = [parts[-1], x] if both is None else [both]
    if len(parts) == len(n.inputs):
        return None
    return parts[0] if len(parts) == 1 else f.concat(parts, axis=axis)


def _joined(a: Node, b: Node, axis: int) -> Node | None:
    """concat(a, b) as one slice, where b is cut from the same x right after a; else None."""
    if not a.op is b.op is op.getitem or a.inputs != b.inputs:
        return None
    (x,), one, other = a.inputs, a.attrs["index"], b.attrs["index"]
    if not all(isinstance(e, slices.Span) and e.step == 1 for e in (*one, *other)):
        return None
    if one[:axis] != other[:axis] or one[axis + 1 :] != other[axis + 1 :]:
        return None
    if one[axis].end(x.shape[axis]) != other[axis].begin:
        return None
    span = slices.Span(one[axis].start, other[axis].stop, 1)
    both = a.op(x, index=(*one[:axis], span, *one[axis + 1 :]))
    # Where one of them ends before it begins, it is empty.
    return both if both.shape[axis] == a.shape[axis] + b.shape[axis] else None


def _only_span(at: slices.Index, axis: int) -> slices.Span | None:
    """The neighbours along one axis, or the one, where an index takes the others whole."""
    others = (*at[:axis], *at[axis + 1 :])
    if axis >= len(at) or not all(isinstance(e, slices.Span) and e.is_whole for e in others):
        return None
    e = at[axis]
    if isinstance(e, slices.Span):
        return e if e.step == 1 else None
    return None if e is None else slices.Span(e, shapes.as_dim(e + 1), 1)


@rule("getitem", over=("place",), strict=True)
def slice_of_place(n: Node) -> Node | None:
    """place(x, at)[at] = x, and place(x, 0)[1:] = 0: what was put elsewhere is not met"""
    match n:
        case Node(op.getitem, (Node(op.place, (x,), {"index": there}),), {"index": at}):
            if there == at:
                return x
            if None not in (*there, *at) and any(map(_are_apart, there, at)):
                return f.zeros(n.shape, dtype=n.dtype)
    return None


def _are_apart(one: object, other: object) -> bool:
    """Whether of two indices of an axis one is a number, and comes before the other, a slice."""
    k, span = (other, one) if isinstance(one, slices.Span) else (one, other)
    if not (isinstance(k, int) and isinstance(span, slices.Span) and span.step == 1):
        return False
    return isinstance(span.begin, int) and 0 <= k < span.begin


@rule("getitem", over=("pad",), strict=True)
def slice_of_pad(n: Node) -> Node | None:
    """pad(x)[the part of x] = x"""
    match n:
        case Node(op.getitem, (Node(op.pad, (x,), {"widths": widths}),), {"index": at}):
            spans = [e for e in at if isinstance(e, slices.Span) and e.step == 1]
            is_there = [e.begin for e in spans] == [before for before, _ in widths]
            return x if is_there and len(spans) == len(at) and n.shape == x.shape else None
    return None


@rule("add", over=("add", "place"), among=("place",), signs=True)
def places_that_tile(n: Node) -> Node | None:
    """place(x, 0:k) + place(y, k:n) + ... = concat(x, y, ...)"""
    terms: list[Node] = []
    waiting = [n]
    while waiting:
        t = waiting.pop()
        if t.op is op.add and len(terms) + len(waiting) < _MOST_TERMS:
            waiting.extend(t.inputs)
        elif t.op is op.place and t.shape == n.shape and t.inputs[0].ndim == n.ndim:
            terms.append(t)
        else:
            return None
    for axis in range(n.ndim):
        by_start = {s.begin: (s, t) for t in terms if (s := _only_span(t.attrs["index"], axis))}
        if len(by_start) < len(terms):  # so it is, too, where two start at the same place
            continue
        parts, at = [], shapes.as_dim(0)
        while at in by_start:
            span, t = by_start.pop(at)
            parts.append(t.inputs[0])
            at = shapes.as_dim(at + t.inputs[0].shape[axis])
            if span.end(n.shape[axis]) != at:
                return None
        if by_start or at != n.shape[axis] or len({p.dtype for p in parts}) > 1:
            return None
        return f.concat(parts, axis=axis)
    return None


@rule("astype", over=("astype",), strict=True)
def cast_of_cast(n: Node) -> Node | None:
    """astype(astype(x, wide), t) = astype(x, t)"""
    match n:
        case Node(op.astype, (Node(op.astype, (x,)) as wide,), {"dtype": dtype}):
            # A float beyond an integer's range is anything, and an integer wraps around.
            is_wild = wide.type.is_float and dtype.kind in "iu"
            if is_wild and not np.can_cast(x.dtype, dtype, "safe"):
                return None
            if _holds_all(wide.dtype, x.dtype):
                return f.astype(x, dtype)
    return None


def _holds_all(wide: np.dtype[Any], narrow: np.dtype[Any]) -> bool:
    """Whether every value of one dtype is a value of another."""
    if wide.kind == "f" and narrow.kind in "iu":
        return narrow.itemsize < wide.itemsize
    return np.can_cast(narrow, wide, "safe")
