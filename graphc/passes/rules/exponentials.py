"""Exponentials and logarithms in their stable forms: log1p, expm1, softplus, sigmoid, hypot..."""

from __future__ import annotations

import numpy as np

from ...ir import Node
from ...ops.chain import is_literal
from ..facts import interval
from ..rewrite import rule
from .vocabulary import Alone, f, op, sides


@rule("log", over=("exp",))
def log_of_exp(n: Node) -> Node | None:
    """log(exp(x)) = x"""
    match n:
        case Node(op.log, (Node(op.exp, (x,)),)):
            return x
    return None


@rule("exp", over=("log",))
def exp_of_log(n: Node) -> Node | None:
    """exp(log(x)) = x for x >= 0"""
    match n:
        case Node(op.exp, (Node(op.log, (x,)),)) if interval(x).is_not_negative:
            return x
    return None


def _one_plus(v: Node) -> Node | None:
    """The x of 1 + x."""
    if v.op is not op.add:
        return None
    return next((x for one, x in sides(v) if is_literal(one, 1) and x.type == v.type), None)


def _exp_of(v: Node | None) -> Node | None:
    """The x of exp(x)."""
    return v.inputs[0] if v is not None and v.op is op.exp else None


@rule("log", over=("add",), signs=True)
def log_of_one_plus(n: Node) -> Node | None:
    """log(1 + x) = log1p(x), log(1 + exp(x)) = softplus(x)"""
    x = _one_plus(n.inputs[0])
    exponent = _exp_of(x)
    if exponent is not None:
        return f.softplus(exponent)
    return None if x is None else f.log1p(x)


@rule("log1p", over=("exp",))
def log1p_of_exp(n: Node) -> Node | None:
    """log1p(exp(x)) = softplus(x)"""
    x = _exp_of(n.inputs[0])
    return None if x is None else f.softplus(x)


@rule("log", over=("add",))
def log_of_sum_of_exponentials(n: Node) -> Node | None:
    """log(exp(x) + exp(y)) = logaddexp(x, y)"""
    match n:
        case Node(op.log, (Node(op.add, (Node(op.exp, (x,)), Node(op.exp, (y,)))),)):
            return f.logaddexp(x, y)
    return None


@rule("log", over=("sigmoid",))
def log_of_sigmoid(n: Node) -> Node | None:
    """log(sigmoid(x)) = -softplus(-x)"""
    match n:
        case Node(op.log, (Node(op.sigmoid, (x,)),)):
            return f.negative(f.softplus(f.negative(x)))
    return None


@rule("log", over=("subtract",))
def log_of_rest(n: Node) -> Node | None:
    """log(1 - sigmoid(x)) = -softplus(x)"""
    match n:
        case Node(op.log, (Node(op.subtract, (one, Node(op.sigmoid, (x,)))),)):
            return f.negative(f.softplus(x)) if is_literal(one, 1) else None
    return None


@rule("multiply", over=("exp",))
def slope_of_sigmoid(n: Node, is_alone: Alone) -> Node | None:
    """p / (1 + e) * e = p * (1 - p) for p = 1 / (1 + e), e = exp(x): times sigmoid(x)"""
    for w, e in sides(n):
        if e.op is not op.exp or w.op not in (op.multiply, op.divide) or not is_alone(w):
            continue
        for r, rest in sides(w) if w.op is op.multiply else ((w, None),):
            if r.op is not op.divide or _exp_of(_one_plus(r.inputs[1])) is not e.inputs[0]:
                continue
            p, slope = r.inputs[0], f.sigmoid(e.inputs[0])
            if p is f.sigmoid(f.negative(e.inputs[0])) or p is f.reciprocal(r.inputs[1]):
                slope = f.multiply(p, slope)
                return slope if rest is None else f.multiply(rest, slope)
    return None


@rule("subtract", over=("exp",), signs=True)
def exp_minus_one(n: Node) -> Node | None:
    """exp(x) - 1 = expm1(x)"""
    match n:
        case Node(op.subtract, (Node(op.exp, (x,)), one)) if is_literal(one, 1):
            return f.expm1(x) if x.dtype == n.dtype else None
    return None


@rule("reciprocal", over=("add",))
def reciprocal_of_one_plus_exp(n: Node) -> Node | None:
    """1 / (1 + exp(-x)) = sigmoid(x)"""
    x = _exp_of(_one_plus(n.inputs[0]))
    return None if x is None else f.sigmoid(f.negative(x))


@rule("divide", over=("add", "square"))
def share_of_exponential(n: Node) -> Node | None:
    """1 / (1 + exp(-x)) = exp(x) / (1 + exp(x)) = sigmoid(x); over (1 + exp(x))^2, its slope"""
    top, bottom = n.inputs
    if bottom.op is op.square:
        exponential = _one_plus(bottom.inputs[0])
        x = _exp_of(exponential)
        if x is not None and top is exponential:
            return f.multiply(f.sigmoid(x), f.sigmoid(f.negative(x)))
        return None
    exponential = _one_plus(bottom)
    x = _exp_of(exponential)
    if x is None:
        return None
    if top is exponential:
        return f.sigmoid(x)
    return f.sigmoid(f.negative(x)) if is_literal(top, 1) else None


@rule("subtract", over=("sigmoid",))
def one_minus_sigmoid(n: Node, is_alone: Alone) -> Node | None:
    """1 - sigmoid(x) = sigmoid(-x)"""
    match n:
        case Node(op.subtract, (one, Node(op.sigmoid, (x,)) as s)):
            if is_literal(one, 1) and is_alone(s):
                return f.sigmoid(f.negative(x))
    return None


@rule("sqrt", over=("add",))
def root_of_sum_of_squares(n: Node, is_alone: Alone) -> Node | None:
    """sqrt(x^2 + y^2) = hypot(x, y) unless nothing can overflow"""
    match n:
        case Node(op.sqrt, (Node(op.add, (Node(op.square, (x,)), Node(op.square, (y,)))) as s,)):
            largest = 1e150 if n.dtype == np.float64 else 1e18
            if is_alone(s) and interval(x).size + interval(y).size > largest:
                return f.hypot(x, y)
    return None
