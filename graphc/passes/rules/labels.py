"""Choices by labels: one-hot products, and the scatters that are their gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ...ir import Node, Op, is_literal
from ..facts import interval, labels_of, sums_to_one
from ..rewrite import rule
from .vocabulary import (
    EXACT,
    Alone,
    beside,
    beside_all,
    f,
    fits,
    is_constant_along,
    letters,
    like,
    number,
    op,
    sides,
    takes_fewer,
)

# Where adding up so many classes costs more than two comparisons of each label.
MANY = 8


def _without_factor(n: Node) -> tuple[Node, Callable[[Node], Node]]:
    """What is summed as p, p * c or p / c with a c that is constant along the sum; n by sum(p)."""
    (v,) = n.inputs
    if v.op in (op.multiply, op.divide):
        for k in (1,) if v.op is op.divide else (1, 0):
            c, p = v.inputs[k], v.inputs[1 - k]
            if p.shape == v.shape != c.shape and is_constant_along(c, n):
                return p, functools.partial(_scaled, v.op, beside(c, n))
    return v, lambda total: total


def _scaled(by: Op, c: Node, total: Node) -> Node:
    return by(total, c)


@rule("sum", over=("divide", "multiply", "astype", "input"), hides=True)
def sum_of_shares(n: Node) -> Node | None:
    """sum(c * p) = c for shares p of a whole: softmax, one-hot labels in range, what is declared"""
    if not n.type.is_float:
        return None
    if sums_to_one(n.inputs[0], n.attrs["axis"]):
        return like(n, 1)
    p, scaled = _without_factor(n)
    return scaled(like(n, 1)) if sums_to_one(p, n.attrs["axis"]) else None


# Such sums stand in the slopes of the largest, where that was taken off by hand.
@rule(
    "sum",
    over=("subtract", "multiply", "divide", "scatter_add_along_axis"),
    among=("max",),
    hides=True,
)
def sum_of_differences(n: Node) -> Node | None:
    """sum(c * (p - q)) = sum((x - sum(x * p)) * p) = 0 for shares p, q of a whole

    And so for sum(x - sum(x) / sum(y) * y).
    """
    v, _ = _without_factor(n)
    axes = n.attrs["axis"]
    if v.op is op.scatter_add_along_axis:
        is_zero = _is_whole_taken_off(v, n)
    elif v.op is op.subtract and all(x.shape == v.shape for x in v.inputs):
        p, q = v.inputs
        is_parted = _is_parted(p, q, axes) or _is_parted(q, p, axes)
        is_zero = is_parted or sums_to_one(p, axes) and sums_to_one(q, axes)
    elif v.op is op.multiply:
        is_zero = any(_is_deviation(d, p, axes) for d, p in sides(v))
    else:
        return None
    return like(n, 0) if is_zero and n.type.is_float else None


def _is_parted(x: Node, v: Node, axes: tuple[int, ...]) -> bool:
    """Whether v is sum(x) / sum(y) * y: the whole of x, parted as y is."""
    for r, y in sides(v) if v.op is op.multiply else ():
        q = beside_all(r, y, axes)
        if q is None or q.op is not op.divide or y.shape != v.shape:
            continue
        if all(s.op is op.sum and s.attrs["axis"] == axes for s in q.inputs):
            return tuple(s.inputs[0] for s in q.inputs) == (x, y)
    return False


def _is_deviation(d: Node, p: Node, axes: tuple[int, ...]) -> bool:
    """Whether d is x - sum(x * p), for shares p of a whole: times p, the slope of a softmax."""
    if d.op is not op.subtract or d.shape != p.shape or not sums_to_one(p, axes):
        return False
    for x, mean in sides(d):
        total = beside_all(mean, p, axes)
        if total is None or total.op is not op.sum or total.attrs["axis"] != axes:
            continue
        (u,) = total.inputs
        if u.op is op.multiply and set(u.inputs) == {x, p}:
            return True
    return False


def _is_whole_taken_off(v: Node, n: Node) -> bool:
    """Whether v is scatter_add(p, k, -1) or scatter_add(p / c, k, -1 / c) for a k in each row."""
    x, k, u = v.inputs
    axis = v.attrs["axis"]
    if n.attrs["axis"] != (axis,) or k.shape[axis] != 1:
        return False
    u = u.inputs[0] if u.op is op.broadcast_to else u
    if u.op is op.divide and x.op is op.divide and u.inputs[1] is x.inputs[1]:
        if not is_constant_along(u.inputs[1], n):
            return False
        x, u = x.inputs[0], u.inputs[0]
    return number(u) == -1 and sums_to_one(x, (axis,))


@rule("sum", over=("astype", "multiply", "divide"), among=("iota",), signs=True)
def sum_of_one_hot(n: Node) -> Node | None:
    """sum(c * one_hot(k, size)) = c where 0 <= k < size, else 0, for many classes"""
    v, scaled = _without_factor(n)
    k = labels_of(v)
    if k is None or n.attrs["axis"] != (v.ndim - 1,) or not n.type.is_float:
        return None
    size = v.shape[-1]
    if not isinstance(size, int) or size < MANY:
        return None
    k = f.reshape(k, n.shape)
    if size > np.iinfo(k.dtype).max:
        k = f.astype(k, "int64")
    inside = f.less(k, f.size(size, k.dtype))
    if not interval(k).is_not_negative:
        inside = f.logical_and(f.greater_equal(k, 0), inside)
    return scaled(f.astype(inside, n.dtype))


@rule("sum", over=("multiply",), among=("iota",), hides=True)
def sum_by_one_hot(n: Node) -> Node | None:
    """sum(one_hot(k) * x) = take_along_axis(x, k) for labels k that are declared to be in range"""
    (v,) = n.inputs
    last = v.ndim - 1
    if last not in n.attrs["axis"]:
        return None
    for y, x in sides(v):
        if labels_of(y) is not None and x.shape == y.shape and x.dtype == n.dtype:
            if sums_to_one(y, (last,)):
                return f.sum(f.take_along_axis(x, labels_of(y), axis=last), **n.attrs)
    return None


@rule("einsum", over=("astype",), hides=True)
def dot_with_one_hot(n: Node) -> Node | None:
    """sum(one_hot(k) * x) = sum(take_along_axis(x, k)) for labels k that are in range"""
    terms, out = letters(n)
    if len(terms) != 2 or terms[0] != terms[1] or out not in ("", terms[0][:-1]):
        return None
    for y, x in sides(n):
        last = y.ndim - 1
        if labels_of(y) is None or x.shape != y.shape or x.dtype != n.dtype:
            continue
        if sums_to_one(y, (last,)):
            chosen = f.take_along_axis(x, labels_of(y), axis=last)
            return f.reshape(chosen, n.shape) if out else f.sum(chosen)
    return None


@rule("take_along_axis", over=EXACT, strict=True)
def choice_among_computed(n: Node, is_alone: Alone) -> Node | None:
    """take_along_axis(x - s, k) = take_along_axis(x, k) - s where s is constant along the axis

    So it is with all arithmetic: what is chosen has the same bits, and the rest is not computed.
    """
    v, k = n.inputs
    axis = n.attrs["axis"]
    if v.op.name not in EXACT or not is_alone(v) or not takes_fewer(k.type.size, v.type.size):
        return None
    if any(d != e for i, (d, e) in enumerate(zip(v.shape, k.shape, strict=True)) if i != axis):
        return None
    behind = axis - v.ndim
    whole = [x for x in v.inputs if x.ndim >= -behind and x.shape[behind] != 1]
    if len(whole) != 1 or whole[0].shape != v.shape:
        return None
    return v.op(*(n.op(x, k, **n.attrs) if x in whole else x for x in v.inputs), **v.attrs)


@rule("add", "subtract", over=("multiply", "astype"), among=("iota",), signs=True)
def plus_one_hot(n: Node, is_alone: Alone) -> Node | None:
    """x + c * one_hot(k) = scatter_add(x, k, c), and so with -, for labels k that are in range"""
    for x, v in sides(n):
        if x.shape != n.shape or not n.type.is_float:
            continue
        for i, y in enumerate(v.inputs if v.op is op.multiply else (v,)):
            k = labels_of(y)
            if k is None or y.shape != n.shape or not is_alone(v):
                continue
            c = like(v, 1) if y is v else v.inputs[1 - i]
            if not fits(c.shape, k.shape) or c.dtype != n.dtype:
                continue
            if sums_to_one(y, (y.ndim - 1,)):
                if n.op is op.subtract:
                    x, c = (f.negative(x), c) if v is n.inputs[0] else (x, f.negative(c))
                return f.scatter_add_along_axis(x, k, f.broadcast_to(c, k.shape), axis=-1)
    return None


@rule("sum", over=("scatter_add_along_axis",), signs=True)
def sum_of_scatter(n: Node) -> Node | None:
    """sum(scatter_add(0, k, u)) = sum(u) along the axis of k"""
    match n:
        case Node(op.sum, (Node(op.scatter_add_along_axis, (zero, _, u)) as v,), {"axis": axes}):
            if is_literal(zero, 0) and v.attrs["axis"] in axes and u.dtype == n.dtype:
                return f.sum(u, **n.attrs)
    return None


@rule("add", "subtract", over=("scatter_add_along_axis",), signs=True)
def plus_scatter(n: Node, is_alone: Alone) -> Node | None:
    """x + scatter_add(0, k, u) = scatter_add(x, k, u), and so with -"""
    for x, v in sides(n):
        if v.op is not op.scatter_add_along_axis or not is_alone(v) or x.shape != v.shape:
            continue
        zero, k, u = v.inputs
        # More than one at a place would be added in another order.
        is_single = k.shape[v.attrs["axis"]] == 1
        if is_single and is_literal(zero, 0) and x.dtype == u.dtype == n.dtype:
            if n.op is op.subtract:
                x, u = (f.negative(x), u) if v is n.inputs[0] else (x, f.negative(u))
            found: Node = v.op(x, k, u, **v.attrs)
            return found
    return None
