"""Reductions: sums of what is stretched, scaled, negative, or a product."""

from __future__ import annotations

import numpy as np

from ... import shapes
from ...errors import ShapeError
from ...ir import Node
from ..facts import interval
from ..rewrite import rule
from .vocabulary import Alone, f, op, sides


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
            return scaled if _is_suffix(scaled.shape, n.shape) else f.reshape(scaled, n.shape)
    return None


def _is_suffix(small: shapes.Shape, large: shapes.Shape) -> bool:
    """Whether broadcasting brings one shape to another."""
    try:
        return shapes.broadcast(small, large) == large
    except ShapeError:
        return False


@rule("sum", "max", "min", signs=True)
def reduction_of_single(n: Node) -> Node | None:
    """sum(x) = max(x) = min(x) = x over axes of size 1"""
    (x,) = n.inputs
    if x.dtype == n.dtype and all(x.shape[k] == 1 for k in n.attrs["axis"]):
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


@rule("sum", over=("negative",), signs=True)
def sum_of_negative(n: Node) -> Node | None:
    """sum(-x) = -sum(x)"""
    match n:
        case Node(op.sum, (Node(op.negative, (x,)),)) if n.type.is_float:
            return f.negative(op.sum(x, **n.attrs))
    return None


@rule("sum", over=("multiply", "divide"), signs=True)
def sum_of_scaled(n: Node, is_alone: Alone) -> Node | None:
    """sum(s * x) = s * sum(x) for a scalar s with |s| >= 1, or where sum(x) cannot overflow"""
    (v,) = n.inputs
    if v.op not in (op.multiply, op.divide) or not n.type.is_float or not is_alone(v):
        return None
    for s, x in sides(v):
        if s.ndim or not x.ndim or x.shape != v.shape or x.dtype != n.dtype or s.dtype != n.dtype:
            continue
        if v.op is op.divide and s is v.inputs[0]:
            continue
        bounds = interval(s)
        smallest = 0.0 if bounds.low <= 0 <= bounds.high else min(map(abs, bounds))
        grows = smallest >= 1 if v.op is op.multiply else bounds.size <= 1 and smallest > 0
        if grows or interval(x).size <= (1e200 if n.dtype == np.float64 else 1e10):
            return v.op(op.sum(x, **n.attrs), s)
    return None


@rule("sum", over=("multiply", "square"), signs=True)
def sum_of_products(n: Node, is_alone: Alone) -> Node | None:
    """sum(x * y) = vdot(x, y), sum(x^2) = vdot(x, x)"""
    (v,) = n.inputs
    if v.op not in (op.multiply, op.square) or not is_alone(v) or not v.ndim:
        return None
    x, y = v.inputs if v.op is op.multiply else v.inputs * 2
    same = x.shape == y.shape == v.shape and x.dtype == y.dtype == n.dtype
    if not same or len(n.attrs["axis"]) < v.ndim or n.ndim or not _adds_up(v):
        return None
    return f.vdot(x, y)


def _adds_up(v: Node) -> bool:
    """Whether a dot product of this many terms is as good as a pairwise sum, within a few ulp."""
    if v.dtype == np.float32:
        return isinstance(v.size, int) and v.size <= 4096
    return v.dtype == np.float64
