"""Choices: one where for many."""

from __future__ import annotations

from ...ir import Node
from ...ops.chain import is_literal
from ..rewrite import rule
from .vocabulary import LITERAL, Alone, f, number, op


@rule("stop_gradient", strict=True)
def stopped(n: Node) -> Node | None:
    """stop_gradient(x) = x: no gradient is taken any more"""
    return n.inputs[0]


@rule("where", strict=True)
def choice_of_equals(n: Node) -> Node | None:
    """where(c, x, x) = x"""
    _, x, y = n.inputs
    return x if x is y else None


@rule("where", over=LITERAL, strict=True)
def choice_that_is_known(n: Node) -> Node | None:
    """where(True, x, y) = x, where(False, x, y) = y"""
    c, x, y = n.inputs
    known = number(c)
    return None if known is None else x if known else y


@rule("where", over=("where",), strict=True)
def choice_in_choice(n: Node) -> Node | None:
    """where(c, where(c, x, y), z) = where(c, x, z)"""
    match n:
        case Node(op.where, (c, Node(op.where, (d, x, _)), z)) if c is d:
            return f.where(c, x, z)
        case Node(op.where, (c, x, Node(op.where, (d, _, z)))) if c is d:
            return f.where(c, x, z)
    return None


@rule("where", over=("logical_not",), strict=True)
def choice_by_not(n: Node) -> Node | None:
    """where(not c, x, y) = where(c, y, x)"""
    match n:
        case Node(op.where, (Node(op.logical_not, (c,)), x, y)):
            return f.where(c, y, x)
    return None


@rule("logical_not", over=("logical_not",), strict=True)
def not_not(n: Node) -> Node | None:
    """not not p = p"""
    match n:
        case Node(op.logical_not, (Node(op.logical_not, (p,)),)):
            return p
    return None


@rule("add", over=("where",), signs=True)
def sum_of_choices(n: Node, is_alone: Alone) -> Node | None:
    """where(c, x, 0) + where(c, 0, y) = where(c, x, y), and so on by one condition"""
    match n:
        case Node(op.add, (Node(op.where, (c, a, b)) as u, Node(op.where, (d, x, y)) as v)):
            if c is d and is_alone(u) and is_alone(v):
                first, second = _sum_unless_zero(a, x), _sum_unless_zero(b, y)
                if first is not None and second is not None:
                    return f.where(c, first, second)
    return None


def _sum_unless_zero(a: Node, b: Node) -> Node | None:
    """a + b where one of them is 0, so that nothing is computed anew."""
    return b if is_literal(a, 0) else a if is_literal(b, 0) else None
