"""Reductions: sums of what is stretched, scaled, negative, or a product."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from ... import shapes
from ...ir import Node
from ...ops import slices
from ..facts import are_first, interval, stands_beside
from ..rewrite import rule
from .vocabulary import (
    QUOTIENTS,
    REDUCTIONS,
    Alone,
    adds_up,
    beside,
    beside_all,
    f,
    fits,
    grows,
    is_constant_along,
    is_zero,
    kept,
    like,
    number,
    numerator,
    op,
    sides,
    taken_up,
    with_input,
)


@rule("sum", over=("broadcast_to",), signs=True)
def sum_of_stretched(n: Node) -> Node | None:
    """sum(broadcast(x)) = size * sum(x) over the axes that were stretched"""
    match n:
        case Node(op.sum, (Node(op.broadcast_to, (x,)) as v,), {"axis": axes}):
            if not n.type.is_float or any(shapes.size((v.shape[k],)) == 0 for k in axes):
                return None
            offset = v.ndim - x.ndim
            stretched = [k for k in axes if k < offset or x.shape[k - offset] != v.shape[k]]
            if not stretched:
                return None
            count = f.size(shapes.size(tuple(v.shape[k] for k in stretched)), n.dtype)
            # Axes that were stretched have size 1 in x: with the others, sum over all of these.
            rest = tuple(k - offset for k in axes if k >= offset)
            total = f.sum(x, axis=rest, keepdims=n.attrs["keepdims"]) if rest else x
            scaled = f.multiply(total, count)
            return scaled if fits(scaled.shape, n.shape) else f.reshape(scaled, n.shape)
    return None


@rule("sum", "max", "min", signs=True)
def reduction_of_single(n: Node) -> Node | None:
    """sum(x) = max(x) = min(x) = x over axes of size 1"""
    (x,), axes = n.inputs, n.attrs["axis"]
    if x.shape.count(1) >= len(axes) and x.dtype == n.dtype and all(x.shape[k] == 1 for k in axes):
        return f.reshape(x, n.shape)
    return None


@rule("sum", "max", "min", over=("sum", "max", "min"), signs=True)
def reduction_of_reduction(n: Node, is_alone: Alone) -> Node | None:
    """sum(sum(x, axis)) = sum(x), and so with max and min, where all is reduced"""
    (v,) = n.inputs
    if v.op is n.op and is_alone(v) and not n.ndim and v.dtype == n.dtype:
        return n.op(v.inputs[0], axis=tuple(range(v.inputs[0].ndim)), keepdims=False)
    return None


@rule("sum", "max", "min", over=("permute_dims", "reshape"), signs=True)
def reduction_of_layout(n: Node) -> Node | None:
    """sum(transpose(x)) = sum(reshape(x)) = sum(x), and so with max and min"""
    (v,) = n.inputs
    if v.op in (op.permute_dims, op.reshape) and len(n.attrs["axis"]) == v.ndim and not n.ndim:
        x = v.inputs[0]
        return n.op(x, axis=tuple(range(x.ndim)), keepdims=False)
    return None


@rule("reshape", "getitem", over=(*REDUCTIONS, "permute_dims"), strict=True)
def axes_not_kept(n: Node, is_alone: Alone) -> Node | None:
    """reshape(sum(x, keepdims=True)) = sum(x), transposed where that is"""
    (v,) = n.inputs
    if not slices.is_reshape(n):
        return None
    order: Sequence[int] = range(v.ndim)
    if v.op is op.permute_dims and is_alone(v):
        order, (v,) = v.attrs["axes"], v.inputs
    if not v.attrs.get("keepdims") or not is_alone(v):
        return None
    rest = [k for k in order if k not in v.attrs["axis"]]
    if n.shape != tuple(v.shape[k] for k in rest):
        return None
    plain = v.op(*v.inputs, **{**v.attrs, "keepdims": False})
    axes = tuple(sorted(rest).index(k) for k in rest)
    return plain if axes == tuple(range(len(axes))) else f.permute_dims(plain, axes)


@rule("reshape", "getitem", over=REDUCTIONS, strict=True)
def axes_kept(n: Node, is_alone: Alone) -> Node | None:
    """sum(x, axis=1)[:, None] = sum(x, axis=1, keepdims=True)"""
    (v,) = n.inputs
    if not v.ndim or v.attrs.get("keepdims", True) or not is_alone(v):
        return None
    if not slices.is_reshape(n):
        return None
    (x,), axes = v.inputs, v.attrs["axis"]
    if are_first(axes) or n.shape != kept(x.shape, axes):  # nobody needs the first ones
        return None
    return v.op(x, axis=axes, keepdims=True)


@rule("sum", "cumulative_sum", over=("negative",), signs=True)
def sum_of_negative(n: Node) -> Node | None:
    """sum(-x) = -sum(x), and so with cumulative_sum"""
    match n:
        case Node(_, (Node(op.negative, (x,)),)) if n.type.is_float:
            return f.negative(n.op(x, **n.attrs))
    return None


@rule("sum", over=("multiply", "divide"), signs=True)
def sum_of_scaled(n: Node, is_alone: Alone) -> Node | None:
    """sum(s * x) = s * sum(x) for an s with |s| >= 1, or where sum(x) cannot overflow"""
    (v,) = n.inputs
    if v.op not in (op.multiply, op.divide) or not n.type.is_float or not is_alone(v):
        return None
    if 0 in v.shape:  # of nothing it is 0, whatever s is
        return None
    for s, x in sides(v):
        if not x.ndim or x.shape != v.shape or x.dtype != n.dtype or s.dtype != n.dtype:
            continue
        if (v.op is op.divide and s is v.inputs[0]) or not is_constant_along(s, n):
            continue
        if grows(s, v) or interval(x).size <= (1e200 if n.dtype == np.float64 else 1e10):
            return v.op(op.sum(x, **n.attrs), beside(s, n))
    return None


@rule("sum", over=("where",), strict=True)
def sum_of_choice(n: Node) -> Node | None:
    """sum(where(c, x, 0)) = where(c, sum(x), 0) for a c that is constant along the sum"""
    (v,) = n.inputs
    if v.op is not op.where or not is_constant_along(v.inputs[0], n):
        return None
    c, *choices = v.inputs
    chosen = [x for x in choices if not is_zero(x, 1.0)]
    if [x.type for x in chosen] != [v.type]:
        return None
    sums = (op.sum(x, **n.attrs) if x in chosen else like(n, 0) for x in choices)
    return f.where(beside(c, n), *sums)


@rule("any", over=("logical_or",), strict=True)
def any_of_any(n: Node) -> Node | None:
    """any(x or any(x)) = any(x) along the same axes"""
    for x, v in sides(n.inputs[0]):
        if v.op is op.any and v.inputs[0] is x and v.attrs == {**n.attrs, "keepdims": True}:
            return n.op(x, **n.attrs)
    return None


# What is used elsewhere may be there to be less its own mean, as in the gradient of a variance:
# that takes off what was rounded in the mean of x.
@rule("sum", over=("subtract", "multiply", "divide"), hides=True)
def sum_of_deviations(n: Node, is_alone: Alone) -> Node | None:
    """sum(s * (x - mean(x))) = 0 over the axes of the mean, where nothing else needs the terms"""
    (v,) = n.inputs
    return like(n, 0) if is_alone(v) and _adds_up_to_zero(v, n) else None


@rule("sum", over=("add", "subtract"), hides=True)
def sum_beside_deviations(n: Node, is_alone: Alone) -> Node | None:
    """sum(y + s * (x - mean(x))) = sum(y) over the axes of the mean, also where that is chosen"""
    (v,) = n.inputs
    for y, x in sides(v) if is_alone(v) else ():
        if y.type == v.type and _adds_up_to_zero(x, n):
            left = op.sum(y, **n.attrs)
            return f.negative(left) if v.op is op.subtract and y is v.inputs[1] else left
    return None


@rule("sum", over=("multiply",), among=("divide", "reciprocal"), hides=True)
def sum_of_parts(n: Node) -> Node | None:
    """sum((c / sum(x)) * x) = c, however the axes of the sum are put back"""
    (v,), axes = n.inputs, n.attrs["axis"]
    if v.op is not op.multiply or 0 in v.shape:  # of nothing it is 0, whatever c is
        return None
    for q, x in sides(v):
        r = beside_all(q, x, axes)
        if r is None or x.type != v.type or r.op not in QUOTIENTS:
            continue
        c, t = numerator(r), r.inputs[-1]
        is_whole = t.op is op.sum and t.inputs[0] is x and t.attrs["axis"] == axes
        if is_whole and c.dtype == n.dtype and c.shape in ((), t.shape):
            return f.reshape(c, n.shape) if c.ndim else c
    return None


def _adds_up_to_zero(v: Node, n: Node) -> bool:
    """Whether v, of n's operand, is the deviation of an x from its mean along the axes of n.

    It may be times what is constant there, and 0 where a condition that is so does not hold.
    """
    if not n.type.is_float or v.shape != n.inputs[0].shape:
        return False
    if v.op is op.where:
        c, *choices = v.inputs
        chosen = [x for x in choices if not is_zero(x, 1.0)]
        return len(chosen) == 1 and is_constant_along(c, n) and _adds_up_to_zero(chosen[0], n)
    if v.op in (op.multiply, op.divide):
        for s, x in sides(v) if v.op is op.multiply else [v.inputs[::-1]]:
            if x.op is op.subtract and is_constant_along(s, n):
                return _adds_up_to_zero(x, n)
        return False
    return v.op is op.subtract and _is_mean(v.inputs[1], v.inputs[0], n.attrs["axis"])


def _is_mean(m: Node, x: Node, axes: tuple[int, ...]) -> bool:
    """Whether m is the mean of x over some axes, as it stands beside x."""
    if m.op not in (op.divide, op.multiply):
        return False
    total, count = m.inputs
    if total.op is not op.sum or total.inputs[0] is not x or total.attrs["axis"] != axes:
        return False
    if not stands_beside(total):
        return False
    size = shapes.size(tuple(x.shape[k] for k in axes))
    if m.op is op.multiply:  # by 1 / size, where that is exact
        known = number(count)
        return isinstance(size, int) and known is not None and bool(known * size == 1)
    return bool(count.attrs["dim"] == size if count.op is op.size else number(count) == size)


@rule("multiply", over=("sum", "einsum"), among=("divide",), hides=True)
def scale_that_returns(n: Node, is_alone: Alone) -> Node | None:
    """sum(x * (y / s)) * s = sum(x * y) for an s that is constant along the sum"""
    for total, s in sides(n):
        if total.op not in (op.sum, op.einsum) or not is_alone(total) or total.shape != n.shape:
            continue
        times_s = functools.partial(_without_divisor, s=s, total=total, is_alone=is_alone)
        for k, x in enumerate(total.inputs):
            found = taken_up(x, times_s, is_alone, depth=1)
            if found is not None:
                return with_input(total, k, found)
    return None


def _without_divisor(q: Node, s: Node, total: Node, is_alone: Alone) -> Node | None:
    """The y of y / s, for an s that is constant along a sum and stands beside it."""
    if q.op is not op.divide or not is_alone(q) or q.inputs[0].shape != q.shape:
        return None
    y, d = q.inputs
    if total.op is op.einsum:
        return y if d is s and not s.ndim else None
    if q.shape != total.inputs[0].shape or not is_constant_along(d, total):
        return None
    return y if beside(d, total) is s else None


@rule("sum", over=("multiply", "square"), signs=True)
def sum_of_products(n: Node, is_alone: Alone) -> Node | None:
    """sum(x * y) = vdot(x, y), sum(x^2) = vdot(x, x)"""
    (v,) = n.inputs
    if v.op not in (op.multiply, op.square) or not is_alone(v) or not v.ndim:
        return None
    x, y = v.inputs if v.op is op.multiply else v.inputs * 2
    same = x.shape == y.shape == v.shape and x.dtype == y.dtype == n.dtype
    if not same or len(n.attrs["axis"]) < v.ndim or n.ndim:
        return None
    if adds_up(v, v.type.size):
        return f.vdot(x, y)
    # Row by row it is as good, and the rows are summed pairwise.
    return f.sum(f.vecdot(x, y)) if v.ndim > 1 and adds_up(v, v.shape[-1]) else None
