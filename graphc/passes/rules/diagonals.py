"""Diagonals: a scaled eye, products with diagonal matrices, and what is scaled beside a product."""

from __future__ import annotations

import itertools

from ... import shapes
from ...ir import Node
from ...ops import contract
from ..rewrite import rule
from .vocabulary import Alone, f, letters, op, sides, spread, squeezed


@rule("einsum", over=("eye",), hides=True)
def product_with_eye(n: Node) -> Node | None:
    """eye @ A = A @ eye = A, vdot(A, eye) = trace(A)"""
    terms, out = letters(n)
    if len(terms) != 2 or not n.type.is_float:
        return None
    for i in (0, 1):
        e, a = n.inputs[i], n.inputs[1 - i]
        if e.op is not op.eye or e.attrs["k"] or e.shape[0] != e.shape[1] or len(set(terms[i])) < 2:
            continue
        for summed, kept in itertools.permutations(terms[i]):
            other = terms[1 - i]
            if summed in out or other.count(summed) != 1:
                continue
            if a.dtype == n.dtype and len(set(other)) == len(other):
                moved = other.replace(summed, kept)
                return contract.contract(f"{moved}->{out}", [a])
    return None


@rule("multiply", over=("eye",), hides=True)
def scaled_eye(n: Node) -> Node | None:
    """eye * d = eye * d[:, None] = diagonal_matrix(d), also for one number d"""
    for e, d in sides(n):
        size = e.shape[:1]
        if e.op is not op.eye or e.attrs["k"] or not e.shape == n.shape == size * 2:
            continue
        if n.type.is_float and d.type.size == 1:
            return f.diagonal_matrix(f.broadcast_to(f.reshape(d, ()), size))
        if n.type.is_float and d.shape in (size, (1, *size), (*size, 1)):
            return f.diagonal_matrix(f.reshape(d, size))
    return None


@rule("einsum", over=("diagonal_matrix",), hides=True)
def product_with_diagonal_matrix(n: Node) -> Node | None:
    """A @ diag(d) = A * d, diag(d) @ diag(e) = diag(d * e), vdot(A, diag(d)) = diag(A) @ d"""
    terms, out = letters(n)
    for i in (0, 1) if len(terms) == 2 and n.type.is_float else ():
        v, a, (term, other) = n.inputs[i], n.inputs[1 - i], (terms[i], terms[1 - i])
        if v.op is not op.diagonal_matrix or len(set(term)) < len(term):
            continue
        (d,), batch, ends = v.inputs, term[:-2], term[-2:]
        one_shared = n.ndim == 2 and set(term) ^ set(other) == set(out)
        if a.op is v.op and d.ndim == a.ndim - 1 == 1 and one_shared:
            return f.diagonal_matrix(f.multiply(d, a.inputs[0]))
        for summed, kept in itertools.permutations(ends):
            if summed in out or len(set(other)) < len(other):
                continue
            own, moved = batch + kept, other.replace(summed, kept)
            if len(set(moved)) < len(moved):  # both ends stand in the other term
                tied, moved = moved, "".join(dict.fromkeys(moved))
                a = contract.contract(f"{tied}->{moved}", [a])
            if set(own + moved) == set(out):
                return f.multiply(spread(a, moved, out), spread(d, own, out))
            return contract.contract(f"{own},{moved}->{out}", [d, a])
    return None


@rule("einsum", over=("diagonal_matrix",), operands=1, signs=True)
def trace_of_diagonal_matrix(n: Node) -> Node | None:
    """trace(diag(d)) = sum(d), diagonal(diag(d)) = d"""
    (term,), out = letters(n)
    if not n.type.is_float or len(set(term[-2:]) & set(out)) > 1:
        return None
    own = term[:-1] if term[-2] in out else term[:-2] + term[-1]
    if len(set(own)) < len(own):
        return None
    (d,) = n.inputs[0].inputs
    summed = tuple(k for k, c in enumerate(own) if c not in out)
    total = f.sum(d, axis=summed) if summed else d
    return contract.contract(f"{''.join(c for c in own if c in out)}->{out}", [total])


@rule("sum", over=("diagonal_matrix",), signs=True)
def sum_of_diagonal_matrix(n: Node) -> Node | None:
    """sum(diag(d)) = sum(d), sum(diag(d), axis=0) = d"""
    (d,), axes = n.inputs[0].inputs, n.attrs["axis"]
    ends = {d.ndim - 1, d.ndim}
    if not n.type.is_float or ends.isdisjoint(axes):
        return None
    summed = tuple(k for k in axes if k not in ends) + (d.ndim - 1,) * ends.issubset(axes)
    return f.reshape(f.sum(d, axis=summed) if summed else d, n.shape)


@rule("add", "subtract", over=("einsum",), beside=("multiply",), signs=True)
def product_plus_scaled(n: Node, is_alone: Alone) -> Node | None:
    """A @ B + A * v = A @ (B + diag(v)), and so with -, where A has more elements than B"""
    if not n.type.is_float or not all(map(is_alone, n.inputs)):
        return None
    for v, scaled in sides(n):
        if v.op is not op.einsum or len(v.inputs) != 2 or scaled.op is not op.multiply:
            continue
        if not v.shape == scaled.shape == n.shape:
            continue
        for a, s in sides(scaled):
            found = _with_diagonal(v, a, s, n, is_first=v is n.inputs[0])
            if found is not None:
                return found
    return None


def _with_diagonal(v: Node, a: Node, s: Node, n: Node, is_first: bool) -> Node | None:
    """einsum(a, b) + a * s as a product of a, which has the axes of the result."""
    terms, out = letters(v)
    for i in (0, 1):
        b, term, other = v.inputs[1 - i], terms[i], terms[1 - i]
        summed, new = set(term) - set(out), set(out) - set(term)
        if v.inputs[i] is not a or len(summed) != 1 or len(new) != 1 or a.shape != n.shape:
            continue
        (c,), (d,) = summed, new
        values, own = squeezed(s, out[n.ndim - s.ndim :])
        if term.replace(c, d) != out or len(set(other)) < len(other) or not set(own) <= set(other):
            continue
        if c not in other or set(other) - set(term) != {d}:
            continue
        if not a.dtype == b.dtype == s.dtype == n.dtype:
            continue
        if shapes.typical(b.type.size) > shapes.typical(a.type.size):
            continue
        diagonal = _diagonal_beside(b, other, values, own, (c, d))
        operands = [a, n.op(b, diagonal) if is_first else n.op(diagonal, b)]
        return contract.contract(f"{term},{other}->{out}", operands)
    return None


def _diagonal_beside(b: Node, of_b: str, values: Node, own: str, ends: tuple[str, str]) -> Node:
    """diag(values) as it stands beside b, along two of its letters; the others are a batch's."""
    batch = "".join(k for k in of_b if k not in ends)
    needed = batch + ends[1]
    sizes = dict(zip(of_b, b.shape, strict=True))
    values = spread(values, own, needed) if own else values
    values = f.broadcast_to(values, tuple(sizes[k] for k in needed))
    both = "".join(k for k in of_b if k in ends)  # either way: it is symmetric
    order = tuple((batch + both).index(k) for k in of_b)
    diagonal: Node = f.permute_dims(f.diagonal_matrix(values), order)
    return diagonal
