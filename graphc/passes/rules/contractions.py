"""Contractions: products of matrices in the cheaper order, and sums of them."""

from __future__ import annotations

import functools
import itertools
import string

import numpy as np

from ... import shapes
from ...ir import Node, is_literal
from ...ops import contract, layout, slices
from ...ops.letters import terms_of
from ...shapes import Dim
from ..facts import interval
from ..rewrite import rule
from .outer import outer_product
from .vocabulary import (
    EXACT,
    ROUNDED,
    Alone,
    adds_up,
    f,
    grows,
    letters,
    number_times,
    op,
    spread,
    squeezed,
    takes_fewer,
)


@rule("einsum", over=("permute_dims",))
def contraction_of_transposes(n: Node) -> Node | None:
    """einsum(transpose(x), y) = einsum(x, y) with other letters"""
    if all(x.op is not op.permute_dims for x in n.inputs):
        return None
    terms, out = letters(n)
    operands = list(n.inputs)
    for i, x in enumerate(operands):
        if x.op is op.permute_dims:
            back = layout.inverse(x.attrs["axes"])
            terms[i], operands[i] = "".join(terms[i][k] for k in back), x.inputs[0]
    return contract.contract(",".join(terms) + "->" + out, operands)


@rule("permute_dims", over=("einsum",))
def transpose_of_contraction(n: Node, is_alone: Alone) -> Node | None:
    """(A @ B).T = B.T @ A.T: products of matrices, or stacks of them, come in any order"""
    match n:
        case Node(op.permute_dims, (Node(op.einsum, xs) as v,), {"axes": axes}):
            terms, out = letters(v)
            if not is_alone(v) or n.ndim != 2 and not _is_stack(terms, out):
                return None
            order = "".join(out[k] for k in axes)
            return contract.contract(",".join(terms) + "->" + order, xs)
    return None


def _is_stack(terms: list[str], out: str) -> bool:
    """Whether there is a product of matrices for each index of some letters."""
    if len(terms) != 2 or not any(c in terms[0] and c in terms[1] for c in out):
        return False
    return bool(set(terms[0]) - set(terms[1]) and set(terms[1]) - set(terms[0]))


@rule("einsum")
def operands_in_order(n: Node) -> Node | None:
    """einsum(x, y) -> letters of y, then of x = einsum(y, x)"""
    turned = _turned(n.attrs["subscripts"]) if len(n.inputs) == 2 else None
    return None if turned is None else contract.contract(turned, n.inputs[::-1])


@functools.lru_cache(maxsize=1024)
def _turned(subscripts: str) -> str | None:
    """The subscripts with the operands the other way round, where they come in that order."""
    (one, other), out = terms_of(subscripts)
    if len(out) < 2 or max(len(one), len(other)) < 3 or set(out) & set(one) & set(other):
        return None
    right = "".join(c for c in out if c in other)
    left = "".join(c for c in out if c in one)
    return f"{other},{one}->{out}" if left and right and out == right + left else None


@rule("einsum", over=("negative",), signs=True)
def contraction_of_negative(n: Node) -> Node | None:
    """einsum(-x, y) = -einsum(x, y)"""
    if not n.type.is_float or all(x.op is not op.negative for x in n.inputs):
        return None
    count = sum(x.op is op.negative for x in n.inputs)
    plain = op.einsum(*(x.inputs[0] if x.op is op.negative else x for x in n.inputs), **n.attrs)
    return f.negative(plain) if count % 2 else plain


@rule("sum", over=("einsum",), signs=True)
def sum_of_diagonal(n: Node, is_alone: Alone) -> Node | None:
    """sum(einsum(x, y)) = einsum(x, y) with fewer letters in the result"""
    match n:
        case Node(op.sum, (Node(op.einsum, xs) as v,), {"axis": axes, "keepdims": False}):
            terms, out = letters(v)
            summed = [out[k] for k in axes]
            # An outer product is not read where it can be helped, whoever else does.
            is_worth_it = is_alone(v) or outer_product(v) is not None
            # A letter of one operand alone would be summed there, before the product.
            if is_worth_it and v.dtype == n.dtype and all(c in t for c in summed for t in terms):
                kept = "".join(c for c in out if c not in summed)
                if not adds_up(v, _summed(v, kept), axes):
                    return None
                return contract.contract(",".join(terms) + "->" + kept, xs)
    return None


def _summed(v: Node, kept: str) -> Dim:
    """How many terms a sum has that leaves these letters of a contraction."""
    terms, _ = letters(v)
    operands = zip(terms, v.inputs, strict=True)
    sizes = {c: d for t, x in operands for c, d in zip(t, x.shape, strict=True)}
    return shapes.size(tuple(d for c, d in sizes.items() if c not in kept))


@rule("sum", over=("einsum",), signs=True)
def sum_of_rows(n: Node, is_alone: Alone) -> Node | None:
    """sum(A @ B, axis=0) = sum(A, axis=0) @ B: what one factor alone has is summed there"""
    match n:
        case Node(op.sum, (Node(op.einsum, (a, b)) as v,), {"axis": axes}):
            terms, out = letters(v)
            own = [set(terms[k]) - set(terms[1 - k]) for k in (0, 1)]
            summed = {out[k] for k in axes}
            # A matrix times a vector is one look at the matrix already.
            if not all(own) or not set(terms[0]) & set(terms[1]) - set(out) or not is_alone(v):
                return None
            if not summed <= own[0] | own[1] or not a.dtype == b.dtype == n.dtype:
                return None
            # In single precision what was added in pairs, along the last axis, still is.
            last = out[-1] if n.dtype == np.float32 else ""
            if last in summed and all(term[-1] != last for term in terms):
                return None
            # Of a stack of products each is left a matrix of one row: BLAS is called for matrices.
            stays = bool(set(terms[0]) & set(terms[1]) & set(out))
            parts = [_less(x, t, summed, stays) for x, t in zip((a, b), terms, strict=True)]
            left = ["".join(c for c in t if stays or c not in summed) for t in (*terms, out)]
            whole = contract.contract(f"{left[0]},{left[1]}->{left[2]}", parts)
            new = sum(w.op.flops(w) for w in {whole, *parts} - {a, b})
            # For a single row it is one more look at it, which is little.
            if shapes.typical(new) < shapes.typical(n.op.flops(n) + v.op.flops(v)):
                return f.reshape(whole, n.shape)
    return None


def _less(x: Node, term: str, summed: set[str], keepdims: bool) -> Node:
    """The sum of a factor over some of its letters."""
    axes = tuple(k for k, c in enumerate(term) if c in summed)
    total: Node = f.sum(x, axis=axes, keepdims=keepdims) if axes else x
    return total


@rule("einsum", over=("einsum",), operands=1, signs=True)
def contraction_of_contraction(n: Node, is_alone: Alone) -> Node | None:
    """trace(A @ B) = sum(A * B.T): one contraction of two where the first is not needed itself"""
    match n:
        case Node(op.einsum, (Node(op.einsum, (a, b)) as v,)) if is_alone(v):
            (outer,), out = letters(n)
            if len(set(outer)) < len(outer):
                return contract.contract(",".join(_terms_within(n, 0)) + "->" + out, [a, b])
    return None


def _terms_within(n: Node, i: int) -> list[str]:
    """The terms of a contraction that is operand i of another, in the letters of that."""
    (terms, out), (inner, inner_out) = letters(n), letters(n.inputs[i])
    spare = iter(c for c in string.ascii_letters if c not in "".join(terms) + out)
    names = dict(zip(inner_out, terms[i], strict=True))
    for c in dict.fromkeys("".join(inner)):
        names.setdefault(c, next(spare))
    return ["".join(names[c] for c in term) for term in inner]


@rule("getitem", over=("einsum",))
def slice_of_contraction(n: Node, is_alone: Alone) -> Node | None:
    """(A @ B)[i, j:k] = A[i] @ B[:, j:k]: what is left out is not computed

    Of a product that is used more than once, as by other slices, there stays one: one call of BLAS
    for all columns takes less time than one for each of its parts.
    """
    (v,), at = n.inputs, n.attrs["index"]
    if not is_alone(v) or None in at or slices.is_reshape(n):
        return None
    if any(isinstance(e, slices.Span) and e.step != 1 for e in at):  # BLAS would be given a copy
        return None
    terms, out = letters(v)
    entry = dict(zip(out, at, strict=True))
    pairs = zip(v.inputs, terms, strict=True)
    left = {c for c in "".join(terms) if isinstance(entry.get(c, slices.WHOLE), slices.Span)}
    parts = [_part(x, [entry.get(c, slices.WHOLE) for c in t]) for x, t in pairs]
    *terms, out = ("".join(c for c in t if c in left) for t in (*terms, out))
    return contract.contract(",".join(terms) + "->" + out, parts) if all(terms) else None


def _part(x: Node, at: list[slices.Entry]) -> Node:
    part: Node = x if {*at} <= {slices.WHOLE} else op.getitem(x, index=tuple(at))
    return part


@rule("einsum", over=(*EXACT, *ROUNDED), operands=1)
def diagonal_of_function(n: Node, is_alone: Alone) -> Node | None:
    """trace(x - y) = sum(diagonal(x) - diagonal(y)): beside the diagonal nothing is computed"""
    (v,), ((term,), out) = n.inputs, letters(n)
    own = "".join(dict.fromkeys(term))
    if own == term or 1 in v.shape or not is_alone(v):
        return None
    values = v.op(*(_diagonal(x, term, own) for x in v.inputs), **v.attrs)
    return contract.contract(f"{own}->{out}", [values])


def _diagonal(x: Node, term: str, own: str) -> Node:
    """x, which stands beside what has the letters of a term, where equal letters are equal."""
    if not x.ndim:
        return x
    x, of_x = squeezed(x, term[len(term) - x.ndim :])
    once = "".join(dict.fromkeys(of_x))
    return spread(contract.contract(f"{of_x}->{once}", [x]), once, own)


@rule("einsum", over=("inv",), hides=True)
def product_with_inverse(n: Node, is_alone: Alone) -> Node | None:
    """inv(A) @ B = solve(A, B), and B @ inv(A) = solve(A.T, B.T).T, for vectors B too"""
    if len(n.inputs) != 2 or n.inputs[0] is n.inputs[1]:
        return None
    for k, inverse in enumerate(n.inputs):
        if inverse.op is not op.inv or inverse.ndim != 2:
            continue
        terms, out = letters(n)
        row, column, other = *terms[k], terms[1 - k]
        if row == column or (row in other) == (column in other) or not is_alone(inverse):
            continue
        (a,), summed, new = inverse.inputs, column, row
        if row in other:
            a, summed, new = f.permute_dims(a, (1, 0)), row, column
        rest = other.replace(summed, "")
        if len(rest) > 1 or len(other) != len(rest) + 1 or {*out} != {*new, *rest}:
            continue
        right = contract.contract(f"{other}->{summed}{rest}", [n.inputs[1 - k]])
        return contract.contract(f"{new}{rest}->{out}", [f.solve(a, right)])
    return None


@rule("einsum", over=("einsum",), signs=True)
def cheaper_chain(n: Node, is_alone: Alone) -> Node | None:
    """(A @ B) @ C = A @ (B @ C) where that takes fewer operations, whatever the sizes are"""
    if len(n.inputs) != 2 or not n.type.is_float:
        return None
    for i in (0, 1):
        v, last = n.inputs[i], n.inputs[1 - i]
        if v.op is not op.einsum or len(v.inputs) != 2:
            continue
        # An outer product is not read where it can be helped, whoever else does.
        if not is_alone(v) and outer_product(v) is None:
            continue
        terms, out = letters(n)
        inner = _terms_within(n, i)
        written = n.op.flops(n) + v.op.flops(v)
        for k in (0, 1):
            kept, joined, other = inner[k], inner[1 - k], terms[1 - i]
            x, y = v.inputs[k], v.inputs[1 - k]
            if not set(joined) & set(other) or len({x.dtype, y.dtype, last.dtype}) > 1:
                continue
            used = set(kept) | set(out)
            middle = "".join(dict.fromkeys(c for c in joined + other if c in used))
            first = contract.contract(f"{joined},{other}->{middle}", [y, last])
            whole = contract.contract(f"{kept},{middle}->{out}", [x, first])
            if takes_fewer(whole.op.flops(whole) + first.op.flops(first), written):
                return whole
    return None


@rule("add", "subtract", over=("einsum",), beside=("einsum", "multiply"), signs=True)
def common_matrix(n: Node, is_alone: Alone) -> Node | None:
    """A @ X + B @ X = (A + B) @ X where that is cheaper, also of c * (B @ X), and of B.T @ X"""
    (u, c), (v, d) = (_scaled_product(x) for x in n.inputs)
    if u is None or v is None or not all(map(is_alone, (*n.inputs, u, v))):
        return None
    if not n.ndim or not n.type.is_float or any(v.shape != n.shape for v in n.inputs):
        return None
    for i, j in itertools.product((0, 1), repeat=2):
        if u.inputs[i] is not v.inputs[j]:
            continue
        (*one, a_term), (*other, b_term) = _with_first(u, i), _with_first(v, j)
        if one != other or sorted(a_term) != sorted(b_term) or len(set(a_term)) < len(a_term):
            continue
        a, b, x = u.inputs[1 - i], v.inputs[1 - j], u.inputs[i]
        b = f.permute_dims(b, tuple(map(b_term.index, a_term)))
        if a.type != b.type or a.dtype != n.dtype:
            continue
        total = n.op(a if c is None else f.multiply(c, a), b if d is None else f.multiply(d, b))
        terms, out = letters(u)
        operands = [x if k == i else total for k in (0, 1)]
        whole = contract.contract(",".join(terms) + "->" + out, operands)
        new = sum(w.op.flops(w) for w in {whole, total, *total.inputs} - {a, b})
        if takes_fewer(new, sum(w.op.flops(w) for w in {n, u, v, *n.inputs})):
            return whole
    return None


def _scaled_product(v: Node) -> tuple[Node | None, Node | None]:
    """The contraction of two that a value is, and the number that it is multiplied by, if any."""
    c, x = number_times(v)
    return (x if x.op is op.einsum and len(x.inputs) == 2 else None), c


def _with_first(v: Node, i: int) -> tuple[str, str, str]:
    """The subscripts of a contraction of two: of operand i, whose letters come first, of the
    result, and of the other operand.
    """
    terms, out = letters(v)
    present = dict.fromkeys(terms[i] + terms[1 - i])
    names = str.maketrans(dict(zip(present, string.ascii_letters, strict=False)))
    return terms[i].translate(names), out.translate(names), terms[1 - i].translate(names)


@rule("einsum", over=("broadcast_to", "constant"), hides=True)
def contraction_of_stretched(n: Node) -> Node | None:
    """einsum(broadcast(s), y) = s * sum(y): what is stretched does not take part in the products"""
    terms, out = letters(n)
    if len(terms) != 2 or not n.type.is_float:
        return None
    for i in (0, 1):
        s, y, term = n.inputs[i], n.inputs[1 - i], terms[1 - i]
        s = s.inputs[0] if s.op is op.broadcast_to else s
        if s.ndim or len(set(term)) < len(term) or not s.dtype == y.dtype == n.dtype:
            continue
        # A letter that y does not have is stretched in the result; summed, it would be counted.
        if set(terms[i]) <= set(out + term):
            kept = "".join(c for c in out if c in term)
            if is_literal(s, 1):
                rest = contract.contract(f"{term}->{kept}", [y])
            elif set(kept) == set(term) or _is_summed_first(s, y):
                rest = f.multiply(s, contract.contract(f"{term}->{kept}", [y]))
            else:
                rest = contract.contract(f"{term}->{kept}", [f.multiply(s, y)])
            return rest if out.endswith(kept) else spread(rest, kept, out)
    return None


@rule("einsum", over=("broadcast_to",))
def contraction_of_equal_columns(n: Node) -> Node | None:
    """einsum("na,nk->ak", x, broadcast(s)) = broadcast(einsum("na,n->a", x, s)): all k are alike"""
    terms, out = letters(n)
    for i, s in enumerate(n.inputs):
        others = "".join(terms[:i] + terms[i + 1 :])
        if s.op is not op.broadcast_to or len(set(terms[i])) < len(terms[i]):
            continue
        (x,) = s.inputs
        own = (1,) * (s.ndim - x.ndim) + x.shape
        alike = {
            c for c, d, whole in zip(terms[i], own, s.shape, strict=True)
            if d == 1 != whole and c in out and c not in others
        }  # fmt: skip
        if alike:
            left = [k for k, c in enumerate(terms[i]) if c not in alike]
            x = f.reshape(x, tuple(own[k] for k in left))
            x = f.broadcast_to(x, tuple(s.shape[k] for k in left))
            rest = [*terms[:i], "".join(terms[i][k] for k in left), *terms[i + 1 :]]
            kept = "".join(c for c in out if c not in alike)
            operands = [*n.inputs[:i], x, *n.inputs[i + 1 :]]
            found = contract.contract(f"{','.join(rest)}->{kept}", operands)
            return found if out.endswith(kept) else spread(found, kept, out)
    return None


def _is_summed_first(s: Node, y: Node) -> bool:
    """Whether s * sum(y) overflows only where sum(s * y) does."""
    largest = 1e200 if y.dtype == np.float64 else 1e10
    return grows(s, f.multiply(s, y)) or interval(y).size <= largest


@rule("einsum", operands=1, strict=True)
def sum_of_one_operand(n: Node) -> Node | None:
    """einsum("ab->b", x) = sum(x, axis=0), transposed where need be"""
    if not n.type.is_float:
        return None
    (term,), out = letters(n)
    if len(set(term)) < len(term):
        return None
    summed = f.sum(n.inputs[0], axis=tuple(k for k, c in enumerate(term) if c not in out))
    kept = [c for c in term if c in out]
    return f.permute_dims(summed, tuple(kept.index(c) for c in out))


@rule("sum", over=("multiply",), signs=True)
def sum_of_stretched_products(n: Node, is_alone: Alone) -> Node | None:
    """sum(x[:, :, None] * y, axis=1) = x @ y: what is multiplied out and summed is a contraction"""
    (v,) = n.inputs
    if v.op is not op.multiply or not is_alone(v) or not v.type.is_float or n.attrs["keepdims"]:
        return None
    x, y = v.inputs
    if x.shape == y.shape:
        return None
    axes = n.attrs["axis"]
    if not adds_up(v, shapes.size(tuple(v.shape[k] for k in axes)), axes):
        return None
    whole = string.ascii_letters[: v.ndim]
    operands, terms = zip(*(squeezed(a, whole[v.ndim - a.ndim :]) for a in (x, y)), strict=True)
    summed = {whole[k] for k in axes}
    # Each summed letter in both, and a letter of its own on each side: else nothing is stretched,
    # or one factor could be summed alone.
    shared = set(terms[0]) & set(terms[1])
    if not summed <= shared or set(terms[0]) == set(terms[1]) or 1 in v.shape:
        return None
    if any(a.dtype != v.dtype for a in operands):
        return None
    kept = "".join(c for c in whole if c not in summed)
    return contract.contract(f"{','.join(terms)}->{kept}", operands)
