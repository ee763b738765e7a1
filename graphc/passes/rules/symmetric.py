"""Symmetry: a matrix that is its own transpose is read one way, so what stands twice is one."""

from __future__ import annotations

from ...ir import Node
from ...ops import contract
from ..rewrite import rule
from .vocabulary import letters, op

# Gram matrices are looked at where one of these is: looking costs every product.
_MADE_SO = ("eye", "diagonal_matrix")
# Through so many operations a matrix is known to be symmetric.
_DEPTH = 4


@rule("permute_dims", among=_MADE_SO)
def transpose_of_symmetric(n: Node) -> Node | None:
    """S.T = S for a symmetric S"""
    (x,) = n.inputs
    return x if n.ndim == 2 and n.shape == x.shape and is_symmetric(x) else None


@rule("einsum", among=_MADE_SO)
def product_with_symmetric(n: Node) -> Node | None:
    """A @ S.T = A @ S for a symmetric S"""
    terms, out = letters(n)
    for k, x in enumerate(n.inputs):
        if len(set(terms[k])) == 2 and x.shape[0] == x.shape[1] and is_symmetric(x):
            turned = [term[::-1] if i == k else term for i, term in enumerate(terms)]
            found = contract.contract(",".join(turned) + "->" + out, n.inputs)
            if found.op is op.einsum and found.attrs["subscripts"] < n.attrs["subscripts"]:
                return found
    return None


def is_symmetric(x: Node, depth: int = _DEPTH) -> bool:
    """Whether a matrix is its own transpose, for all that is known of how it is made."""
    if not depth or x.ndim != 2 or x.shape[0] != x.shape[1]:
        return False
    if x.op in (op.eye, op.diagonal_matrix):
        return not x.attrs.get("k")
    if x.op is op.einsum and len(x.inputs) == 2 and x.inputs[0] is x.inputs[1]:
        (one, other), out = letters(x)
        return one.translate(str.maketrans(out, out[::-1])) == other
    if x.op.family == "elementwise":
        return all(v.type.size == 1 or is_symmetric(v, depth - 1) for v in x.inputs)
    return False
