"""Outer products, one for each example, that are scaled, squared or summed: none of them is built.

Such are the gradients of one example each by a matrix of weights.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ... import shapes
from ...ir import Node
from ...ops import contract
from ...ops.reduce import largest
from ...shapes import Dim, Shape
from ..rewrite import rule
from .vocabulary import Alone, f, letters, op, sides, spread, squeezed


class OuterProduct(NamedTuple):
    """u and v in letters, of which each has some to itself; the product sums none of them."""

    u: Node
    v: Node
    of_u: str
    of_v: str
    out: str

    @property
    def shared(self) -> str:
        return "".join(c for c in self.of_u if c in self.of_v)


def outer_product(x: Node) -> OuterProduct | None:
    """x as an outer product; None if it is none, or has no element."""
    if x.op is not op.einsum or len(x.inputs) != 2:
        return None
    found = _outer_letters(x.attrs["subscripts"])
    if found is None or not x.type.is_float or 0 in x.shape:
        return None
    if any(y.dtype != x.dtype for y in x.inputs):
        return None
    return OuterProduct(*x.inputs, *found)


@functools.lru_cache(maxsize=1024)
def _outer_letters(subscripts: str) -> tuple[str, str, str] | None:
    """The letters of both factors and of the product; None where that is no outer product."""
    left, out = subscripts.split("->")
    u, v = left.split(",")
    is_plain = len(set(u)) == len(u) and len(set(v)) == len(v) and set(out) == set(u + v)
    if not is_plain or set(u) <= set(v) or set(v) <= set(u):
        return None
    return u, v, out


@rule("sum", over=("square",))
def sum_of_squared_outer(n: Node) -> Node | None:
    """sum((u[:, :, None] * v[:, None, :])^2, axis=(1, 2)) = sum(u^2, axis=1) * sum(v^2, axis=1)"""
    (v,) = n.inputs
    if v.op is not op.square:
        return None
    x, axes = v.inputs[0], n.attrs["axis"]
    if x.op is op.reshape:
        x, axes = x.inputs[0], _unmerged(x.inputs[0].shape, x.shape, axes)
    found = outer_product(x)
    if found is None or axes is None:
        return None
    kept = "".join(c for k, c in enumerate(found.out) if k not in axes)
    result = _squared(found, kept)
    return None if result is None else f.reshape(result, n.shape)


def _unmerged(shape: Shape, merged: Shape, axes: Iterable[int]) -> tuple[int, ...] | None:
    """The axes of a shape that became some axes of another, where whole axes were merged."""
    found: list[int] = []
    k = 0
    for axis, size in enumerate(merged):
        parts: list[int] = []
        total: Dim = 1
        while k < len(shape) and (not parts or total != size):
            total = shapes.size((total, shape[k]))
            parts.append(k)
            k += 1
        if total != size:
            return None
        found += parts if axis in axes else []
    return tuple(found) if k == len(shape) else None


@rule("einsum", over=("einsum",), beside=("einsum",))
def dot_of_outer(n: Node) -> Node | None:
    """vecdot(u v', u v') = vecdot(u, u) * vecdot(v, v), for one outer product with itself"""
    if len(n.inputs) != 2 or n.inputs[0] is not n.inputs[1]:
        return None
    (first, second), kept = letters(n)
    found = outer_product(n.inputs[0])
    if found is None or first != second or len(set(first)) < len(first):
        return None
    names = dict(zip(first, found.out, strict=True))
    return _squared(found, "".join(names[c] for c in kept))


def _squared(x: OuterProduct, kept: str) -> Node | None:
    """The squares of an outer product, summed over all letters but those that are kept."""
    if set(kept) == set(x.out):
        return None
    # The square of a factor may leave the range where that of the product does not. So v, which
    # is the smaller one, is measured in its largest element, and u is multiplied by it: neither
    # square is larger then than the largest one that was written.
    if shapes.typical(x.v.type.size) > shapes.typical(x.u.type.size):
        x = OuterProduct(x.v, x.u, x.of_v, x.of_u, x.out)
    only_v = tuple(k for k, c in enumerate(x.of_v) if c not in x.shared)
    top = largest(f.abs(x.v), only_v, 0.0)
    limits = np.finfo(x.v.dtype)
    unit = f.clip(top, float(limits.smallest_subnormal), float(limits.max))
    of_unit = "".join(c for c in x.of_v if c in x.shared)
    u = f.multiply(x.u, spread(f.squeeze(unit, only_v), of_unit, x.of_u))
    v = f.divide(x.v, unit)
    (u, of_u), (v, of_v) = (
        _summed(f.square(w), of_w, kept + x.shared) for w, of_w in ((u, x.of_u), (v, x.of_v))
    )
    if of_u == of_v == kept:
        return f.multiply(u, v)
    return contract.contract(f"{of_u},{of_v}->{kept}", [u, v])


def _summed(x: Node, term: str, kept: str) -> tuple[Node, str]:
    """The sum over the letters of one operand that nobody needs, and the letters that are left."""
    axes = tuple(k for k, c in enumerate(term) if c not in kept)
    return f.sum(x, axis=axes) if axes else x, "".join(c for c in term if c in kept)


@rule("sum", over=("square",))
def sum_of_squared_parts(n: Node, is_alone: Alone) -> Node | None:
    """sum(concat(x, y)^2) = sum(x^2) + sum(y^2) along the axis where they are joined"""
    (v,) = n.inputs
    if v.op is not op.square or v.inputs[0].op is not op.concat or not is_alone(v):
        return None
    joined = v.inputs[0]
    if not is_alone(joined) or joined.attrs["axis"] not in n.attrs["axis"]:
        return None
    sums: list[Node] = [op.sum(f.square(x), **n.attrs) for x in joined.inputs]
    return functools.reduce(f.add, sums)


@rule("multiply", "divide", over=("einsum",), signs=True)
def scaled_outer(n: Node, is_alone: Alone) -> Node | None:
    """c[:, None, None] * u[:, :, None] * v[:, None, :] = (c[:, None] * u)[:, :, None] * v[...]"""
    for x, c in sides(n) if n.op is op.multiply else (n.inputs,):
        found = outer_product(x)
        if found is None or not is_alone(x) or x.shape != n.shape or c.dtype != n.dtype:
            continue
        c, term = squeezed(c, found.out[n.ndim - c.ndim :])
        factors = [(found.u, found.of_u), (found.v, found.of_v)]
        fit = [k for k, (_, of_a) in enumerate(factors) if set(term) <= set(of_a)]
        if not fit:
            continue
        # The smaller one that it stands beside.
        k = min(fit, key=lambda k: shapes.typical(factors[k][0].type.size))
        a, of_a = factors[k]
        scaled = [a for a, _ in factors]
        scaled[k] = n.op(a, spread(c, term, of_a))
        return contract.contract(f"{found.of_u},{found.of_v}->{found.out}", scaled)
    return None


@rule("einsum", over=("einsum",), signs=True)
def scaled_sum_of_outer(n: Node) -> Node | None:
    """sum(c[:, None, None] * u[:, :, None] * v[:, None, :], axis=0) = (c[:, None] * u).T @ v"""
    products = [outer_product(x) for x in n.inputs]
    if products.count(None) == len(products):
        return None
    terms, out = letters(n)
    if len(terms) != 2 or any(len(set(term)) < len(term) for term in terms):
        return None
    for i in (0, 1):
        found, c = products[i], n.inputs[1 - i]
        if found is None or c.dtype != n.dtype:
            continue
        names = dict(zip(found.out, terms[i], strict=True))
        of_u, of_v = ("".join(names[k] for k in term) for term in (found.of_u, found.of_v))
        for a, of_a, b, of_b in ((found.v, of_v, found.u, of_u), (found.u, of_u, found.v, of_v)):
            of_c = terms[1 - i]
            if not set(of_c) <= set(of_a) or set(out) >= set(of_a + of_b):
                continue
            left = "".join(k for k in of_a if k in out + of_b)
            if left == of_a:
                scaled = f.multiply(a, spread(c, of_c, of_a))
            else:
                scaled = contract.contract(f"{of_a},{of_c}->{left}", [a, c])
            b, of_b = _summed(b, of_b, out + left)
            return contract.contract(f"{left},{of_b}->{out}", [scaled, b])
    return None
