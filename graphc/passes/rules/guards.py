"""Guards: choices that leave a length, and its derivative, at 0 where it is 0."""

from __future__ import annotations

from ...ir import Node, is_literal
from ...ops.slices import is_reshape
from ..rewrite import rule
from .vocabulary import (
    Alone,
    f,
    is_beside,
    is_zero,
    letters,
    like,
    number,
    op,
    sides,
)


@rule("where", over=("multiply", "divide"), among=("square", "einsum"), signs=True)
def guard_of_rows(n: Node, is_alone: Alone) -> Node | None:
    """where(s != 0, t * x, 0) = where(s != 0, t, 0) * x, and x / t = x / where(s != 0, t, inf)

    Here s is the sum of the squares of x: where that is 0, x is so small that all of this is 0.
    """
    c, v, zero = n.inputs
    if v.op not in (op.multiply, op.divide) or not is_zero(zero, 1.0) or not is_alone(v):
        return None
    for x, t in sides(v) if v.op is op.multiply else (v.inputs,):
        if t.shape == c.shape and x.shape == n.shape != c.shape and _is_length_of(x, c):
            if v.op is op.multiply:
                return f.multiply(f.where(c, t, zero), x)
            return f.divide(x, f.where(c, t, like(t, float("inf"))))
    return None


def _is_length_of(x: Node, c: Node) -> bool:
    """Whether c asks of each row of x, beside it, whether the sum of its squares is not 0."""
    d = c.inputs[0] if is_reshape(c) else c
    if d.op is not op.not_equal or number(d.inputs[1]) != 0:
        return False
    squared, axes = _squared_in(d.inputs[0]) or (None, ())
    return squared is x and is_beside(c, x, axes)


def _squared_in(s: Node) -> tuple[Node, tuple[int, ...]] | None:
    """The x of sum(x^2), and the axes that are summed; None where s is no such sum."""
    s = s.inputs[0] if is_reshape(s) else s
    if s.op is op.sum and s.inputs[0].op is op.square:
        return s.inputs[0].inputs[0], s.attrs["axis"]
    if s.op is op.einsum and len(s.inputs) == 2 and s.inputs[0] is s.inputs[1]:
        (rows, again), out = letters(s)
        axes = tuple(k for k, letter in enumerate(rows) if letter not in out)
        left = "".join(letter for letter in rows if letter in out)
        is_whole = rows == again and len(set(rows)) == len(rows)  # not the diagonal of x alone
        return (s.inputs[0], axes) if is_whole and out == left else None
    return None


@rule("where", over=("sqrt",), strict=True)
def root_or_zero(n: Node) -> Node | None:
    """where(s == 0, 0, sqrt(s)) = sqrt(s) for a sum of squares, which is never -0"""
    match n:
        case Node(op.where, (Node(op.equal, (s, zero)), result, Node(op.sqrt, (t,)) as root)):
            is_same = s is t and is_literal(zero, 0) and is_zero(result, 1.0)
            return root if is_same and _is_of_squares(s) else None
    return None


def _is_of_squares(s: Node) -> bool:
    """A sum or a mean of squares, or of absolute values."""
    s = s.inputs[0] if is_reshape(s) else s
    if s.op is op.divide and s.inputs[1].op is op.size:
        s = s.inputs[0]
    if s.op is op.multiply and (number(s.inputs[1]) or 0) > 0:  # 1 / size, where that is exact
        s = s.inputs[0]
    return _squared_in(s) is not None or s.op is op.sum and s.inputs[0].op is op.abs
