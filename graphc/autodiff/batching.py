"""Batching: a graph for one example becomes the graph for many, with one more axis in front.

No loop is built. What batching does to an op follows from its family; a record may give its own
rule.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .. import forms
from ..errors import ArgumentError, ShapeError
from ..ir import FUNCTIONS, Node, no_node, operands, standing_for, tell, topo
from ..ops.contract import contract
from ..ops.letters import letters_of
from ..ops.slices import WHOLE
from ..shapes import Dim, Shape

Rule = Callable[[Node, Sequence[Node], Sequence[bool], Shape], Node]

# What axes in front do to an attribute, by its name: the same name means the same in every record.
_SHIFTED: dict[str, Callable[[Any, Shape], Any]] = {
    "axis": lambda axis, lead: (
        tuple(len(lead) + a for a in axis) if isinstance(axis, tuple) else len(lead) + axis
    ),
    "axes": lambda axes, lead: (*range(len(lead)), *(len(lead) + a for a in axes)),
    "shape": lambda shape, lead: (*lead, *shape),
    "index": lambda index, lead: (*(WHOLE for _ in lead), *index),
    "indices": lambda indices, lead: tuple((*(WHOLE for _ in lead), *i) for i in indices),
    "widths": lambda widths, lead: (*((0, 0) for _ in lead), *widths),
}


def aligned(node: Node, inputs: Sequence[Node], batched: Sequence[bool], lead: Shape) -> Node:
    """Elementwise: the axes in front stand clear of those that broadcasting aligns from the
    right."""
    k = len(lead)
    spread = [
        with_axes(x, k, node.ndim - (x.ndim - k)) if b else x
        for x, b in zip(inputs, batched, strict=True)
    ]
    return node.op(*spread, **node.attrs)


def shifted(node: Node, inputs: Sequence[Node], batched: Sequence[bool], lead: Shape) -> Node:
    """Ops along axes: the same op with its axes moved on, every input carrying the axes in
    front."""
    full = [
        x if b else FUNCTIONS["broadcast_to"](x, (*lead, *x.shape))
        for x, b in zip(inputs, batched, strict=True)
    ]
    attrs = {
        name: _SHIFTED[name](value, lead) if name in _SHIFTED else value
        for name, value in node.attrs.items()
    }
    return node.op(*full, **attrs)


def lettered(node: Node, inputs: Sequence[Node], batched: Sequence[bool], lead: Shape) -> Node:
    """Contraction: one more letter for each axis in front."""
    terms, out = letters_of(node)
    taken = "".join(terms)
    more = "".join(c for c in string.ascii_letters if c not in taken)[: len(lead)]
    longer = [more * b + term for b, term in zip(batched, terms, strict=True)]
    return contract(f"{','.join(longer)}->{more}{out}", inputs)


def stacked(node: Node, inputs: Sequence[Node], batched: Sequence[bool], lead: Shape) -> Node:
    """Linear algebra: a stack of matrices is taken as one matrix is."""
    return node.op(*inputs, **node.attrs)


RULES: dict[str, Rule] = {
    "elementwise": aligned,
    "layout": shifted,
    "pad": shifted,
    "reduce": shifted,
    "scan": shifted,
    "index": shifted,
    "contract": lettered,
    "linalg": stacked,
}


def with_axes(x: Node, position: int, count: int) -> Node:
    """x with some axes of size 1 put in at a position."""
    if not count:
        return x
    index = (*(slice(None) for _ in range(position)), *(None for _ in range(count)))
    return FUNCTIONS["getitem"](x, (*index, Ellipsis))  # type: ignore[no-any-return]


def batch_rule(node: Node) -> Rule:
    """How to batch a node: its record's own rule, or its family's."""
    rule = node.op.batch or RULES.get(node.op.family)
    if rule is None:
        raise ArgumentError(
            f"{node.op.name} cannot be batched: its family has no rule, and its record gives none"
        ).locate(operands([node]))
    return rule


def batch(order: Iterable[Node], table: dict[Node, Node], lead: Shape) -> None:
    """Add to `table` what each node of an order becomes when those in it carry the axes `lead`."""
    for v in order:
        if v in table or not any(x in table for x in v.inputs):
            continue
        is_batched = [x in table for x in v.inputs]
        inputs = [table.get(x, x) for x in v.inputs]
        with standing_for(v):
            new = batch_rule(v)(v, inputs, is_batched, lead)
        if new.given_name is None and v.given_name is not None:
            tell(new, given_name=v.given_name)
        table[v] = new


def vectorize(outputs: Any, batches: Mapping[Node, Node]) -> Any:
    """The outputs for many examples at once: `{x: xs}` gives x each slice of xs along axis 0.

    Nodes that are not in the mapping are the same for every example. Results have one leading axis.

    >>> import graphc as gc
    >>> x, w = gc.input("x", ("d",)), gc.input("w", ("d",))
    >>> loss = gc.tanh(x @ w) ** 2
    >>> gc.vectorize(gc.grad(loss, w), {x: gc.input("X", ("n", "d"))}).type
    f64[n, d]
    """
    if not isinstance(batches, Mapping):
        raise ArgumentError("vectorize takes a dict from nodes to their batches: {x: xs}")
    for v in (*batches, *batches.values()):
        if not isinstance(v, Node):
            raise ArgumentError(f"vectorize takes a dict of nodes, and {no_node(v)}")
    size = _common_size(batches)
    nodes = forms.leaves(outputs)
    for v in nodes:
        if not isinstance(v, Node):
            raise ArgumentError(f"vectorize takes nodes, and {no_node(v)}")
    table = dict(batches)
    batch(topo(nodes), table, (size,))

    def one(v: Node) -> Node:
        if v in table:
            return table[v]
        return FUNCTIONS["broadcast_to"](v, (size, *v.shape))  # type: ignore[no-any-return]

    return forms.map_leaves(one, outputs)


def _common_size(batches: Mapping[Node, Node]) -> Dim:
    """The size of the axis in front, after checking that every batch is one of its node's
    values."""
    if not batches:
        raise ArgumentError("vectorize needs at least one node and its batch: {x: xs}")
    first = next(iter(batches.values()))
    for x, xs in batches.items():
        if not xs.ndim or xs.type != x.type.with_shape((xs.shape[0], *x.shape)):
            raise ShapeError(
                f"a batch of {x.label} must be {x.type} with one axis in front, and is {xs.type}"
            ).locate(operands([x, xs]))
        if xs.shape[0] != first.shape[0]:
            said = f"batches need one size, and {first.shape[0]} is not {xs.shape[0]}"
            raise ShapeError(said).locate(operands([first, xs]))
    return first.shape[0]
