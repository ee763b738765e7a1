"""Softmax and its kin: recognised where they are spelled out, and what is over it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ... import shapes
from ...ir import Node
from ...ops.slices import is_reshape
from ..facts import labels_of, sums_to_one
from ..rewrite import rule
from .labels import MANY
from .quotients import is_chosen
from .vocabulary import (
    QUOTIENTS,
    Alone,
    f,
    fits,
    is_beside,
    letters,
    number,
    numerator,
    op,
    sides,
    taken_up,
    with_input,
)


def is_shifted(x: Node) -> bool:
    """Whether x is already less its largest element, as gc.softmax or a careful hand writes it."""
    return x.op is op.subtract and (is_largest(x.inputs[1]) or _is_largest_of(*x.inputs))


def _is_largest_of(x: Node, t: Node) -> bool:
    """Whether t is max(x), beside x: that of each row. Less that of all, a row's sum may be 0."""
    top = t.inputs[0] if is_reshape(t) else t
    if top.op is not op.max or top.inputs[0] is not x:
        return False
    axes = top.attrs["axis"]
    return x.ndim == 1 or (is_beside(t, x, axes) and len(axes) < x.ndim)


def is_largest(t: Node) -> bool:
    """Whether t is where(isfinite(top), top, 0), in whatever layout."""
    while t.op in (op.reshape, op.broadcast_to, op.permute_dims):
        (t,) = t.inputs
    return t.op is op.where and t.inputs[0].op in (op.isfinite, op.reshape, op.broadcast_to)


def _may_overflow(x: Node) -> bool:
    """Whether exp(x) has a largest element that may be too large: of nothing there is none."""
    return 0 not in x.shape and not is_shifted(x)


class Dot(NamedTuple):
    """sum(weights * logs) where logs = x - log_total is a log_softmax along some axes."""

    node: Node
    weights: Node
    logs: Node
    x: Node
    log_total: Node
    axes: tuple[int, ...]

    def apart(self, totals: Node) -> Node:
        """sum(weights * x) - sum(totals * log_total), given sum(weights) along the axes.

        x is not positive and log_total not negative: what was of one sign in a sum still is.
        """
        of_x = self.node.op(self.weights, self.x, **self.node.attrs)
        whole: Node = f.subtract(of_x, f.vdot(totals, self.log_total))
        return whole


def log_softmax_in_dot(n: Node) -> Dot | None:
    """The parts of sum(y * log_softmax(x)), written as a contraction of everything."""
    terms, out = letters(n)
    if out or len(terms) != 2 or terms[0] != terms[1] or n.dtype != np.float64:
        return None
    for y, v in sides(n):
        match v:
            case Node(op.subtract, (x, Node(op.log, (Node(op.sum, (e,), attrs),)) as s)):
                is_exp = e.op is op.exp and e.inputs[0] is x
                if is_exp and is_shifted(x) and attrs["keepdims"] and y.dtype == v.dtype:
                    return Dot(n, y, v, x, s, attrs["axis"])
    return None


@rule("log", over=("sum",))
def log_of_total(n: Node) -> Node | None:
    """log(sum(exp(x))) = logsumexp(x)"""
    match n:
        case Node(op.log, (Node(op.sum, (Node(op.exp, (x,)),), attrs),)) if _may_overflow(x):
            return f.logsumexp(x, **attrs)
    return None


@rule("log", over=("divide", "multiply"))
def log_of_mean(n: Node) -> Node | None:
    """log(sum(exp(x)) / m) = log(sum(exp(x - t)) / m) + t for t = max(x)"""
    (v,) = n.inputs
    for total, m in sides(v) if v.op is op.multiply else (v.inputs,):
        match total:
            case Node(op.sum, (Node(op.exp, (x,)),), {"axis": axes}) if _may_overflow(x):
                if m.op is op.size or (number(m) or 0) > 0:
                    weights = f.softmax(x, axis=axes).inputs[0]
                    scaled = v.op(op.sum(weights, axis=axes, keepdims=True), m)
                    largest = weights.inputs[0].inputs[1]
                    return f.reshape(f.add(f.log(scaled), largest), n.shape)
    return None


def _softmax_of(e: Node, total: Node) -> Node | None:
    """softmax(x) where e is exp(x), transposed or not, and total its sum, both spelled out.

    The sum may lack the axes that are summed, where it stands beside e as if it had them.
    """
    axes = range(e.ndim)
    shape = (1,) * (e.ndim - total.ndim) + total.shape
    beside = e.shape
    if e.op is op.permute_dims:
        (e,), axes = e.inputs, e.attrs["axes"]
    if is_reshape(total):
        (total,) = total.inputs
    if e.op is not op.exp or total.op is not op.sum or total.inputs[0] is not e:
        return None
    summed, (x,) = total.attrs["axis"], e.inputs
    kept = [k for k in axes if k not in summed]
    whole = tuple(1 if k in summed else d for k, d in zip(axes, beside, strict=True))
    if not _may_overflow(x) or kept != sorted(kept) or shape != whole:
        return None
    return f.permute_dims(f.softmax(x, axis=summed), tuple(axes))


@rule("divide", over=("exp", "permute_dims"))
def naive_softmax(n: Node) -> Node | None:
    """exp(x) / sum(exp(x)) = softmax(x)"""
    return _softmax_of(*n.inputs)


@rule("multiply", over=("exp",))
def shares_of_total(n: Node) -> Node | None:
    """(g / t - h / t) * e = (g - h) * softmax(x) for e = exp(x), t = sum(e), and so for g / t"""
    for v, e in sides(n):
        total = _divisor(v) if e.op is op.exp and _may_overflow(e.inputs[0]) else None
        if total is not None:
            share, above = _softmax_of(e, total), _above(v, total)
            if share is not None and above is not None:
                return f.multiply(above, share)
    return None


def _divisor(v: Node, depth: int = 6) -> Node | None:
    """The sum of exponentials that v is divided by, as it stands beside v."""
    if not depth or not v.type.is_float:
        return None
    if v.op in QUOTIENTS and _is_total(v.inputs[-1]):
        return v.inputs[-1]
    if is_reshape(v):
        found = _divisor(v.inputs[0], depth - 1)
        fit = found is not None and found.shape == v.inputs[0].shape
        return v.op(found, **v.attrs) if fit else None
    if v.op in _LINEAR:
        found_in = (_divisor(u, depth - 1) for u in v.inputs)
        return next((d for d in found_in if d is not None), None)
    return None


_LINEAR = (op.add, op.subtract, op.negative, op.multiply, op.divide)


def _is_total(v: Node) -> bool:
    if is_reshape(v):
        (v,) = v.inputs
    return v.op is op.sum and v.inputs[0].op is op.exp


def _above(v: Node, total: Node, depth: int = 6) -> Node | None:
    """v * total, where each term of v is divided by total."""

    def times_total(u: Node) -> Node | None:
        if u.op in QUOTIENTS and u.inputs[-1] is total:
            return numerator(u)
        if not depth or not is_reshape(u) or total.op is not u.op or total.attrs != u.attrs:
            return None
        (x,) = u.inputs
        above = _above(x, total.inputs[0], depth - 1)
        if above is None or not above.ndim:
            return above
        return u.op(above, **u.attrs) if above.shape == x.shape else None

    return taken_up(v, times_total, lambda u: True, depth, in_terms=True)


@rule("log", over=("divide",))
def log_of_softmax(n: Node) -> Node | None:
    """log(softmax(x)) = log_softmax(x), also of what is chosen from it"""
    (v,) = n.inputs
    if v.op is not op.divide:
        return None
    e, t = v.inputs
    total = _chosen_from(t)
    if total.op is not op.sum or _chosen_from(e) is not total.inputs[0]:
        return None
    exponents = _before_exp(e)
    if exponents is None or not is_shifted(total.inputs[0].inputs[0]):
        return None
    return f.subtract(exponents, f.log(t))


def _before_exp(e: Node) -> Node | None:
    """The x of exp(x), and what is chosen from x where e is chosen from that."""
    if e.op is op.exp:
        return e.inputs[0]
    x = _before_exp(e.inputs[0]) if e.op in _CHOICES else None
    return None if x is None else e.op(x, *e.inputs[1:], **e.attrs)


_CHOICES = (op.getitem, op.reshape, op.take, op.take_along_axis)


def _chosen_from(v: Node) -> Node:
    while v.op in _CHOICES:
        v = v.inputs[0]
    return v


@rule("log", over=("take_along_axis",))
def log_of_chosen_share(n: Node) -> Node | None:
    """log(take_along_axis(softmax(x), k)) = take_along_axis(log_softmax(x), k)"""
    (v,) = n.inputs
    share = log_of_softmax(f.log(v.inputs[0])) if v.op is op.take_along_axis else None
    return None if share is None else v.op(share, *v.inputs[1:], **v.attrs)


@rule("log", over=("divide",))
def log_of_two_shares(n: Node) -> Node | None:
    """log(softmax(x) / softmax(y)) = log_softmax(x) - log_softmax(y)"""
    (v,) = n.inputs
    is_share = v.op is op.divide and all(x.type.is_float for x in v.inputs)
    logs = [log_of_softmax(f.log(x)) for x in v.inputs] if is_share else [None]
    made: Node | None = None if None in logs else f.subtract(*logs)
    return made


@rule("multiply", over=("scatter_add_along_axis",), hides=True)
def scattered_over_chosen(n: Node) -> Node | None:
    """scatter_add(0, k, g / take_along_axis(p, k)) * p = scatter_add(0, k, g)"""
    for v, p in sides(n):
        if v.op is op.scatter_add_along_axis and number(v.inputs[0]) == 0:
            zero, k, u = v.inputs
            if u.op is op.divide and is_chosen(u.inputs[1], p) and u.inputs[1].inputs[1] is k:
                if u.inputs[1].attrs == v.attrs and v.shape == p.shape:
                    g = u.inputs[0]
                    g = g if g.shape == u.shape else f.broadcast_to(g, u.shape)
                    made: Node = v.op(zero, k, g, **v.attrs)
                    return made
    return None


@rule("multiply", over=("exp",), signs=True)
def gradient_of_softmax(n: Node) -> Node | None:
    """(g / t - sum(g / t * p)) * e = (g - sum(g * p)) * p for p = e / t, e = exp(x), t = sum(e)

    What stands beside the sum, one number over t for each, goes with it.
    """
    for v, e in sides(n):
        if v.op is not op.subtract or e.op is not op.exp or 0 in e.shape:
            continue
        is_flipped = v.inputs[1].op is op.divide
        summed, divided = v.inputs if is_flipped else v.inputs[::-1]
        if divided.op is not op.divide or divided.inputs[0].shape != n.shape:
            continue
        (g, t), (x,) = divided.inputs, e.inputs
        if t.op is not op.sum or t.inputs[0] is not e:
            continue
        p = f.divide(e, t) if is_shifted(x) else f.softmax(x, axis=t.attrs["axis"])
        total = _above_total(summed, divided, p, t)
        if total is not None:
            return f.multiply(f.subtract(total, g) if is_flipped else f.subtract(g, total), p)
    return None


def _above_total(v: Node, divided: Node, p: Node, t: Node) -> Node | None:
    """t * v for a sum over what is divided by t, weighed by p, and for that beside h / t."""
    factors, attrs = _factors_of_sum(v)
    g, _ = divided.inputs
    if attrs == t.attrs and factors in ({g, f.divide(p, t)}, {divided, p}):
        total: Node = op.sum(f.multiply(g, p), **attrs)
        return total
    for k in (0, 1) if v.op in (op.add, op.subtract) else ():
        h = v.inputs[1 - k]
        if h.op in QUOTIENTS and h.inputs[-1] is t:
            total_of_other = _above_total(v.inputs[k], divided, p, t)
            if total_of_other is not None:
                return with_input(with_input(v, k, total_of_other), 1 - k, numerator(h))
    return None


def _factors_of_sum(v: Node) -> tuple[set[Node], dict[str, Any]]:
    """The x and y of sum(x * y) and how it is summed, also where that is a contraction of all."""
    match v:
        case Node(op.sum, (Node(op.multiply, factors),), attrs):
            return set(factors), dict(attrs)
        case Node(op.einsum, (x, y)):
            (first, second), out = letters(v)
            if first == second and not out and len(set(first)) == len(first):
                return {x, y}, {"axis": tuple(range(x.ndim)), "keepdims": False}
    return set(), {}


@rule("multiply", over=("divide",), among=("exp",))
def scaled_softmax(n: Node, is_alone: Alone) -> Node | None:
    """s * (e / t) = (s / t) * e for e = exp(x), t = sum(e), and s no larger than t"""
    for s, p in sides(n):
        match p:
            case Node(op.divide, (Node(op.exp, (x,)) as e, Node(op.sum, (total,)) as t)):
                if total is e and is_shifted(x) and is_alone(p) and fits(s.shape, t.shape):
                    return f.multiply(f.divide(s, t), e)
    return None


@rule("einsum", over=("subtract",))
def cross_entropy_of_shares(n: Node, is_alone: Alone) -> Node | None:
    """sum(y * (x - log(sum(exp(x))))) = sum(y * x) - sum(log(sum(exp(x)))) where y sums to 1"""
    found = log_softmax_in_dot(n)
    if found is None or not is_alone(found.logs):
        return None
    y, axes = found.weights, found.axes
    if sums_to_one(y, axes):
        return f.subtract(n.op(y, found.x, **n.attrs), f.sum(found.log_total))
    if labels_of(y) is not None and axes == (y.ndim - 1,) and _is_many(y.shape[-1]):
        return found.apart(f.sum(y, axis=axes, keepdims=True))
    return None


def _is_many(size: shapes.Dim) -> bool:
    """Whether there are so many classes that sum_of_one_hot does not add them up."""
    return isinstance(size, int) and size >= MANY
