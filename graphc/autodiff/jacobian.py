"""Whole Jacobians and Hessians: vjp of the rows of an identity, or jvp of its columns, all at once.

The identity is kept as tied axes (`labelled`), so what is diagonal or a copy of a matrix comes out
as that, and `structure` reads it off the result.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import forms, shapes
from ..errors import ArgumentError
from ..ir import FUNCTIONS, Node, topo
from ..ops.leaves import placeholder
from ..shapes import Dim
from .backprop import check_differentiable, disconnected, grad, vjp
from .labelled import Terms, identity, push, total
from .modes import forward

MODES = ("auto", "forward", "reverse")


class Mode(NamedTuple):
    """Which side a Jacobian is built from, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def jacobian_mode(v: Node, wrt: Node) -> Mode:
    """The side that `jacobian` takes: forward where the columns are provably no more than the rows.

    >>> import graphc as gc
    >>> X, w = gc.input("X", ("n", 3)), gc.input("w", (3,))
    >>> print(gc.jacobian_mode(gc.tanh(X @ w), X), "|", gc.jacobian_mode(gc.tanh(w), w))
    reverse: n rows, and 3*n columns | reverse: 3 rows, and 3 columns
    """
    check_differentiable(v, [wrt])
    rows, columns = v.type.size, wrt.type.size
    is_forward = rows != columns and shapes.is_at_least(rows, columns)
    reason = f"{shapes.show(rows)} rows, and {shapes.show(columns)} columns"
    return Mode("forward" if is_forward else "reverse", reason)


def jacobian(v: Any, wrt: Any, mode: str = "auto", *, disconnected: str = "raise") -> Any:
    """All derivatives of v by x, in the shape v.shape + x.shape; several nodes give nested results.

    `mode="auto"` takes the side with provably fewer rows or columns (`jacobian_mode` says which).

    >>> import graphc as gc
    >>> W, x = gc.input("W", (2, 3)), gc.input("x", (3,))
    >>> gc.jacobian(W @ x, x) is W
    True
    >>> gc.jacobian(gc.exp(x), x)
    <diagonal_matrix: f64[3, 3] = diagonal_matrix(exp)>
    """
    if mode not in MODES:
        raise ArgumentError(f"mode= is 'auto', 'forward' or 'reverse', not {mode!r}")
    if disconnected not in ("raise", "zero"):
        raise ArgumentError(f"disconnected= is 'raise' or 'zero', not {disconnected!r}")
    targets = forms.leaves(wrt)
    for output in forms.leaves(v):
        check_differentiable(output, targets)
    return forms.map_leaves(lambda one: _jacobians(one, wrt, targets, mode, disconnected), v)


def _jacobians(v: Node, wrt: Any, targets: list[Node], mode: str, when_disconnected: str) -> Any:
    """The Jacobians of one node, in the form of wrt."""
    names = [jacobian_mode(v, x).name if mode == "auto" else mode for x in targets]
    backwards = list(
        dict.fromkeys(x for x, m in zip(targets, names, strict=True) if m == "reverse")
    )
    found = dict(zip(backwards, _rows(v, backwards), strict=True)) if backwards else {}
    for x, m in zip(targets, names, strict=True):
        if m == "forward" and x not in found:
            found[x] = _columns(v, x)

    def one(x: Node) -> Node:
        made = found[x]
        if made is not None:
            return made
        if when_disconnected == "raise":
            raise disconnected(v, x, has_zeros=True)
        return FUNCTIONS["zeros"]((*v.shape, *x.shape), v.dtype)  # type: ignore[no-any-return]

    return forms.map_leaves(one, wrt)


def _rows(v: Node, targets: list[Node]) -> list[Node | None]:
    """Reverse: the cotangents of all elements of v at once."""
    core = v
    while core.op.name == "reshape" and _wide(core) != _wide(core.inputs[0]):
        core = core.inputs[0]  # that only counts the rows anew: no reason to break their ties
    u = placeholder(core.type)
    pulled = vjp(core, targets, u, disconnected="zero")
    table: dict[Node, Terms] = {u: [identity(core.type)]}
    push(topo(pulled), table)
    found: list[Node | None] = []
    for g in pulled:
        whole = g.type.with_shape((*core.shape, *g.shape))
        made = total(table[g], lambda t: t.legs, whole) if g in table else None
        found.append(made if made is None else FUNCTIONS["reshape"](made, (*v.shape, *g.shape)))
    return found


def _wide(x: Node) -> list[Dim]:
    return [d for d in x.shape if d != 1]


def _columns(v: Node, x: Node) -> Node | None:
    """Forward: the tangents by all elements of x at once."""
    u = placeholder(x.type)
    pushed = forward([v], {x: u}).get(v)
    if pushed is None:
        return None
    table: dict[Node, Terms] = {u: [identity(x.type)]}
    push(topo([pushed]), table)
    shape = (*v.shape, *x.shape)
    terms = table.get(pushed, [])
    return total(terms, lambda t: (*t.own, *t.batch), v.type.with_shape(shape))


def hessian(z: Node, wrt: Any) -> Any:
    """All second derivatives of a scalar, forward over reverse; several nodes give nested results.

    >>> import graphc as gc
    >>> x = gc.input("x", (2,))
    >>> gc.evaluate(gc.hessian(gc.prod(x) + gc.sum(x**3), x), {x: [1.0, 2.0]})
    array([[ 6.,  1.],
           [ 1., 12.]])
    """
    gradients = grad(z, wrt, disconnected="zero")
    return jacobian(gradients, wrt, "forward", disconnected="zero")
