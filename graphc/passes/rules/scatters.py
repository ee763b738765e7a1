"""Scatters: the gradient of a choice by labels."""

from __future__ import annotations

from ...ir import Node
from ...ops.chain import is_literal
from ..rewrite import rule
from .vocabulary import Alone, f, op, sides


@rule("sum", over=("scatter_add_along_axis",), signs=True)
def sum_of_scatter(n: Node) -> Node | None:
    """sum(scatter_add(0, k, u)) = sum(u) along the axis of k"""
    match n:
        case Node(op.sum, (Node(op.scatter_add_along_axis, (zero, _, u)) as v,), {"axis": axes}):
            if is_literal(zero, 0) and v.attrs["axis"] in axes and u.dtype == n.dtype:
                return f.sum(u, **n.attrs)
    return None


@rule("negative", over=("scatter_add_along_axis",))
def scaled_scatter(n: Node, is_alone: Alone) -> Node | None:
    """-scatter_add(0, k, u) = scatter_add(0, k, -u)"""
    match n:
        case Node(op.negative, (Node(op.scatter_add_along_axis, (zero, k, u)) as v,)):
            if is_literal(zero, 0) and is_alone(v) and n.type.is_float:
                return v.op(zero, k, f.negative(u), **v.attrs)
    return None


@rule("add", over=("scatter_add_along_axis",), signs=True)
def plus_scatter(n: Node, is_alone: Alone) -> Node | None:
    """x + scatter_add(0, k, u) = scatter_add(x, k, u)"""
    for x, v in sides(n):
        match v:
            case Node(op.scatter_add_along_axis, (zero, k, u)) if is_literal(zero, 0):
                alone = is_alone(v) and x.shape == n.shape and x.dtype == u.dtype == n.dtype
                # More than one at a place would be added in another order.
                if alone and k.shape[v.attrs["axis"]] == 1:
                    return v.op(x, k, u, **v.attrs)
    return None


@rule("subtract", over=("scatter_add_along_axis",), signs=True)
def minus_scatter(n: Node, is_alone: Alone) -> Node | None:
    """x - scatter_add(0, k, u) = x + scatter_add(0, k, -u)"""
    match n:
        case Node(op.subtract, (x, Node(op.scatter_add_along_axis, (zero, k, u)) as v)):
            if is_literal(zero, 0) and is_alone(v) and n.type.is_float:
                return f.add(x, v.op(zero, k, f.negative(u), **v.attrs))
    return None
