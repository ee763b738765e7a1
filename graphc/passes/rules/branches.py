"""Choices: one where for many."""

from __future__ import annotations

from ...ir import Node, is_literal
from ..rewrite import rule
from .vocabulary import (
    EXACT,
    LITERAL,
    ROUNDED,
    Alone,
    f,
    number,
    op,
    sides,
    with_input,
    without_sign,
)


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


@rule("where", over=("multiply", "divide", "negative"), strict=True)
def choice_below_choice(n: Node, is_alone: Alone) -> Node | None:
    """where(c, x * where(c, y, z), w) = where(c, x * y, w), also where c is laid out beside x"""
    c, *choices = n.inputs
    found = [_where_chosen(x, c, side, is_alone) for side, x in enumerate(choices, 1)]
    return None if found == choices else f.where(c, *found)


def _where_chosen(v: Node, c: Node, side: int, is_alone: Alone, depth: int = 4) -> Node:
    """v, or what it is where it is chosen by c, on one side, if that is simpler."""
    # Of another dtype it would be multiplied as such: True by True, small integers, float32.
    if v.op is op.where and v.inputs[0] is c and v.inputs[side].dtype == v.dtype:
        chosen: Node = f.broadcast_to(v.inputs[side], v.shape)
        return chosen
    if not depth or v.op not in _LOOKED_INTO or not is_alone(v):
        return v
    is_laid_out = v.op in (op.reshape, op.getitem)
    if is_laid_out and not (c.op is v.op and c.attrs == v.attrs):
        return v
    c = c.inputs[0] if is_laid_out else c
    found = [_where_chosen(x, c, side, is_alone, depth - 1) for x in v.inputs]
    return v if found == list(v.inputs) else v.op(*found, **v.attrs)


_LOOKED_INTO = (op.multiply, op.divide, op.negative, op.reshape, op.getitem)


@rule("logical_not", over=("logical_not",), strict=True)
def not_not(n: Node) -> Node | None:
    """not not p = p"""
    match n:
        case Node(op.logical_not, (Node(op.logical_not, (p,)),)):
            return p
    return None


@rule("where", over=("where",), strict=True)
def choice_by_both(n: Node, is_alone: Alone) -> Node | None:
    """where(c, where(d, x, z), z) = where(c and d, x, z), where(c, z, where(d, z, x)) = with or"""
    match n:
        case Node(op.where, (c, Node(op.where, (d, x, y)) as v, z)) if y is z and is_alone(v):
            return f.where(f.logical_and(c, d), x, z)
        case Node(op.where, (c, z, Node(op.where, (d, y, x)) as v)) if y is z and is_alone(v):
            return f.where(f.logical_or(c, d), z, x)
    return None


@rule("logical_not", over=("equal", "not_equal"), strict=True)
def not_equal(n: Node) -> Node | None:
    """not (x == y) = (x != y), not (x != y) = (x == y)"""
    (v,) = n.inputs
    if v.op is op.equal:
        return f.not_equal(*v.inputs)
    return f.equal(*v.inputs) if v.op is op.not_equal else None


@rule("add", "subtract", over=("where",), signs=True)
def sum_of_choices(n: Node, is_alone: Alone) -> Node | None:
    """where(c, x, 0) + where(c, 0, y) = where(c, x, y), where(c, x, 0) - where(c, y, 0) = ..."""
    match n:
        case Node(op.add | op.subtract, (Node(op.where, (c, a, b)), Node(op.where, (d, x, y)))):
            # Truth values, small integers and float32 would be added as such.
            is_one_dtype = {v.dtype for v in (a, b, x, y)} == {n.dtype}
            if c is d and is_one_dtype and all(map(is_alone, n.inputs)):
                first, second = _known(n, a, x), _known(n, b, y)
                if first is None and second is not None:
                    first = n.op(a, x)
                elif second is None and first is not None:
                    second = n.op(b, y)
                if first is not None and second is not None:
                    return f.where(c, first, second)
    return None


def _known(n: Node, a: Node, b: Node) -> Node | None:
    """a + b or a - b where that takes nothing, or a sign at most."""
    if number(a) is not None and number(b) is not None:
        return n.op(a, b)
    if is_literal(b, 0):
        return a
    if is_literal(a, 0):
        return b if n.op is op.add else f.negative(b)
    return None


@rule("multiply", "divide", over=("where",), strict=True)
def scaled_choice(n: Node, is_alone: Alone) -> Node | None:
    """c * where(p, a, b) = where(p, c * a, c * b) for numbers a, b and c"""
    if not n.type.is_float:
        return None
    for c, v in sides(n):
        if number(c) is not None and v.op is op.where and v.shape == n.shape:
            return _in_each(n, v, is_alone)
    return None


def _in_each(n: Node, v: Node, is_alone: Alone, depth: int = 4) -> Node | None:
    """n, which takes a choice among numbers and a number, with any of the chosen in its place."""
    if number(v) is not None:
        return n.op(*(v if number(x) is None else x for x in n.inputs))
    if v.op is not op.where or not depth or not is_alone(v):
        return None
    c, *branches = v.inputs
    changed = [_in_each(n, x, is_alone, depth - 1) for x in branches]
    return None if None in changed else f.where(c, *changed)


@rule("multiply", over=("where",), hides=True)
def product_with_choice(n: Node, is_alone: Alone) -> Node | None:
    """x * where(c, 1, 0) = where(c, x, 0)"""
    for v, x in sides(n):
        if v.op is op.where and n.type.is_float and is_alone(v) and x.dtype == n.dtype:
            c, a, b = v.inputs
            if is_literal(a, 1) and is_literal(b, 0):
                return f.where(c, x, b)
            if is_literal(a, 0) and is_literal(b, 1):
                return f.where(c, a, x)
    return None


@rule("where", over=("negative", "multiply", "divide"), signs=True)
def choice_of_negative(n: Node, is_alone: Alone) -> Node | None:
    """where(c, -x, 0) = -where(c, x, 0), also of (-s) * x: a sign is met further on"""
    c, *choices = n.inputs
    chosen = [x for x in choices if not is_literal(x, 0)]
    if [x.type for x in chosen] != [n.type] or not n.type.is_float:
        return None
    plain = without_sign(chosen[0], is_alone)
    if plain is None:
        return None
    return f.negative(f.where(c, *(plain if x in chosen else x for x in choices)))


@rule("where", over=EXACT, strict=True)
def choice_among_equals(n: Node, is_alone: Alone) -> Node | None:
    """where(c, -x, -y) = -where(c, x, y), where(c, x / s, y / s) = where(c, x, y) / s"""
    return _one_for_both(n, is_alone) if n.inputs[1].op.name in EXACT else None


@rule("where", over=ROUNDED)
def choice_among_functions(n: Node, is_alone: Alone) -> Node | None:
    """where(c, f(x), f(y)) = f(where(c, x, y)) for an f that a loop may round otherwise"""
    return _one_for_both(n, is_alone) if n.inputs[1].op.name in ROUNDED else None


def _one_for_both(n: Node, is_alone: Alone) -> Node | None:
    c, a, b = n.inputs
    if a.op is not b.op or a.op.family != "elementwise" or a.attrs != b.attrs:
        return None
    if a.shape != n.shape or b.shape != n.shape or not is_alone(a) or not is_alone(b):
        return None
    for i, j in _pairings(a):
        x, y = a.inputs[i], b.inputs[j]
        others = [v for k, v in enumerate(a.inputs) if k != i]
        if others == [v for k, v in enumerate(b.inputs) if k != j] and x.dtype == y.dtype:
            if x.shape == y.shape == n.shape:
                chosen = f.where(c, x, y)
                return with_input(a, i, chosen)
    return None


def _pairings(v: Node) -> list[tuple[int, int]]:
    """Which operands of two alike nodes may differ: the same one, or any where order is free."""
    count = len(v.inputs)
    if v.op in (op.add, op.multiply):
        return [(i, j) for i in range(count) for j in range(count)]
    return [(i, i) for i in range(count)]
