"""Forward mode, derived from the same bprop rules, and what is made of both modes."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from .. import forms
from ..errors import ArgumentError
from ..ir import FUNCTIONS, OPS, Node, building_for, topo
from ..ops.leaves import placeholder
from .backprop import (
    backprop,
    carries,
    carrying,
    check_differentiable,
    contribution,
    disconnected,
    grad,
    like,
)


def forward(outputs: Sequence[Node], tangents: Mapping[Node, Node]) -> dict[Node, Node]:
    """The tangents of all that has a way to some outputs, where they are not zero."""
    table = dict(tangents)
    order = topo(outputs)
    known, useful = set(order), carrying(order, outputs)
    with building_for(order[-1]) as belonging_to:
        for v in order:
            if v in table or v not in useful:
                continue
            given = [table.get(x) if carries(v, i) else None for i, x in enumerate(v.inputs)]
            if any(t is not None for t in given):
                belonging_to(v)
                tangent = v.op.jvp(v, given) if v.op.jvp else _derived(v, given, known)
                if tangent is not None:
                    table[v] = tangent
    return table


def _derived(v: Node, tangents: Sequence[Node | None], known: Container[Node]) -> Node | None:
    """The tangent from bprop alone.

    With u a fresh cotangent, bprop_i(u) = J_i^T u is linear in u, so its own vjp by u is J_i t_i.
    Nothing known before u depends on it: the walk back to u ends there.
    """
    u = placeholder(v.type, "a cotangent")
    total: Node | None = None
    for i, t in enumerate(tangents):
        if t is None:
            continue
        table = backprop(contribution(v, i, u), [u], seed=t, beyond=known)
        if u in table:
            total = table[u] if total is None else OPS["add"](total, table[u])
    return total


def jvp(v: Any, wrt: Any, tangent: Any) -> Any:
    """Forward mode: the Jacobian of v times a tangent, without building it.

    `wrt` and `tangent` have one form; v may be several nodes, and the result has v's form.

    >>> import graphc as gc
    >>> x = gc.input("x", (2,))
    >>> gc.evaluate(gc.jvp(x * x, x, [1.0, 10.0]), {x: [3.0, 4.0]})
    array([ 6., 80.])
    """
    outputs, targets, given = forms.leaves(v), forms.leaves(wrt), _tangents(wrt, tangent)
    if not outputs:
        raise ArgumentError("there is nothing to differentiate: no node is given")
    for output in outputs:
        check_differentiable(output, targets)
    seeds = {x: like(x, t, "tangent") for x, t in zip(targets, given, strict=True)}
    table = forward(outputs, seeds)

    def one(output: Node) -> Node:
        if output not in table:
            raise disconnected(output, targets[0])
        return table[output]

    return forms.map_leaves(one, v)


def _tangents(wrt: Any, tangent: Any) -> list[Any]:
    """The tangent of each leaf of `wrt`; where that is one node, a list is its tangent."""
    if isinstance(wrt, dict) and isinstance(tangent, dict) and set(wrt) == set(tangent):
        return [t for key, part in wrt.items() for t in _tangents(part, tangent[key])]
    if isinstance(wrt, list | tuple) and isinstance(tangent, list | tuple):
        if len(wrt) == len(tangent):
            pairs = zip(wrt, tangent, strict=True)
            return [t for part, given in pairs for t in _tangents(part, given)]
    if isinstance(wrt, dict | list | tuple):
        raise ArgumentError("there must be one tangent for each node of wrt, in the same form")
    return [tangent]


def hvp(z: Node, wrt: Any, vector: Any) -> Any:
    """The Hessian of a scalar times a vector, forward over reverse; the matrix is never built.

    >>> import graphc as gc
    >>> x = gc.input("x", (2,))
    >>> gc.evaluate(gc.hvp(gc.sum(x**3), x, [1.0, 0.0]), {x: [2.0, 5.0]})
    array([12.,  0.])
    """
    targets = forms.leaves(wrt)
    given = _tangents(wrt, vector)
    gradients = forms.leaves(grad(z, wrt, disconnected="zero"))
    seeds = {x: like(x, t, "vector") for x, t in zip(targets, given, strict=True)}
    table = forward(gradients, seeds)
    zero = FUNCTIONS["zeros_like"]
    return forms.fill(wrt, [table.get(g, zero(x)) for g, x in zip(gradients, targets, strict=True)])
