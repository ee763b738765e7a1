"""Sharing: what the graph holds already, up to the order of operands or to a shape, is used again.

Equal nodes are one node by themselves. These equations hold for nodes that are not equal, and help
only where their right side is there anyhow: so they look at the graph, as no other rule does.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np

from .. import shapes
from ..ir import Graph, Node, Op, adopt, building_for, interned, is_literal, key_of, with_inputs
from ..ops import slices
from ..ops.contract import contract
from .facts import interval
from .rewrite import Rewrite, Rule, chosen_of, fitted, names_at, rule
from .rules.softmax import log_softmax_in_dot
from .rules.vocabulary import (
    REDUCTIONS,
    adds_up,
    f,
    is_zero,
    letters,
    like,
    number,
    op,
    opposite,
    sides,
    with_input,
)

_COMMUTATIVE = (
    "add", "multiply", "equal", "not_equal", "logical_and", "logical_or", "logical_xor",
)  # fmt: skip


class There:
    """What a graph holds, as seen from one of its nodes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.here: Node = graph.outputs[0]

    @cached_property
    def position(self) -> dict[Node, int]:
        return dict(zip(self.graph.nodes, count(), strict=False))

    @cached_property
    def swapped(self) -> set[Node]:
        """The nodes whose operands the graph holds the other way round, too."""
        first: dict[Any, Node] = {}
        found: set[Node] = set()
        for name in _COMMUTATIVE:
            for v in self.graph.by_op.get(name, ()):
                twin = first.setdefault((name, frozenset(v.inputs)), v)
                if twin is not v:
                    found.update((twin, v))
        return found

    @cached_property
    def contractions(self) -> dict[frozenset[Node], list[Node]]:
        """The contractions of the graph by what they contract."""
        found: dict[frozenset[Node], list[Node]] = {}
        for v in self.graph.by_op.get("einsum", ()):
            found.setdefault(frozenset(v.inputs), []).append(v)
        return found

    def find(self, of: Op, *inputs: Node | None, **attrs: Any) -> Node | None:
        """What an op makes of some nodes, if the graph holds it, and them: in whatever order."""
        operands = tuple([x for x in inputs if x is not None])
        if len(operands) < len(inputs):
            return None
        orders = (operands, operands[::-1]) if of.name in _COMMUTATIVE else (operands,)
        found = (interned.find(key_of(of, order, attrs)) for order in orders)
        return next((v for v in found if v in self.position), None)

    def has_before(self, v: Node) -> bool:
        """Whether the graph holds v, and before this node: of two alike the first stays."""
        last = len(self.position)
        return self.position.get(v, last) < self.position.get(self.here, last)

    def is_alone(self, v: Node) -> bool:
        """Whether v goes when this node no longer needs it."""
        return self.graph.uses.get(v, 0) <= 1

    def is_summed(self) -> bool:
        """Whether this node is there to be summed, some of it or all, and for nothing else."""
        user = self._only_user(self.here)
        if user is not None and user.op is op.where and user.inputs[0] is not self.here:
            user = self._only_user(user)
        return user is not None and user.op is op.sum

    def _only_user(self, v: Node) -> Node | None:
        """The one node that uses v, once."""
        users = self.graph.consumers(v)
        return users[0] if self.graph.uses.get(v) == len(users) == 1 else None

    def is_added_to(self, v: Node) -> bool:
        """Whether this node is there to be added to v, or subtracted, and for nothing else."""
        users = set(self.graph.consumers(self.here))
        if self.graph.uses.get(self.here) != len(users):
            return False
        return all(u.op.name in ("add", "subtract") and v in u.inputs for u in users)


@rule(*_COMMUTATIVE, strict=True)
def commuted(n: Node, there: There) -> Node | None:
    """y * x = x * y where that is there"""
    if n not in there.swapped:
        return None
    twin = n.op(*n.inputs[::-1], **n.attrs)
    return twin if there.has_before(twin) else None


@rule(*REDUCTIONS, strict=True)
def reduced_alike(n: Node, there: There) -> Node | None:
    """sum(x, keepdims=True) = reshape(sum(x)) where that is there"""
    if not n.attrs["keepdims"]:
        return None
    twin = there.find(n.op, n.inputs[0], axis=n.attrs["axis"], keepdims=False)
    return None if twin is None else f.reshape(twin, n.shape)


@rule("reshape", strict=True)
def indexed_alike(n: Node, there: There) -> Node | None:
    """reshape(x, (n, 1)) = x[:, None] where that is there"""
    for twin in there.graph.consumers(n.inputs[0]):
        if twin.op is op.getitem and twin.shape == n.shape and slices.is_reshape(twin):
            return twin
    return None


@rule("add", "subtract", "multiply", "divide", "sqrt", "square", over=("reshape",), strict=True)
def shaped_later(n: Node, there: There) -> Node | None:
    """reshape(x) / s = reshape(x / s) where that is there"""
    if any(x.ndim and x.op is not op.reshape for x in n.inputs):
        return None
    shaped = [x for x in n.inputs if x.op is op.reshape]
    if len(shaped) != 1 or shaped[0].shape != n.shape:
        return None
    operands = (x.inputs[0] if x is shaped[0] else x for x in n.inputs)
    twin = there.find(n.op, *operands, **n.attrs)
    return None if twin is None else f.reshape(twin, n.shape)


@rule("multiply", over=("constant",), strict=True)
def opposite_alike(n: Node, there: There) -> Node | None:
    """(-c) * x = -(c * x) for a number c where that is there"""
    for c, x in sides(n):
        value = number(c) or 0
        if value < 0 and n.type.is_float and c.dtype == n.dtype:
            twin = there.find(n.op, like(c, -value), x)
            return None if twin is None else f.negative(twin)
    return None


@rule("where", over=("add", "subtract"), strict=True)
def chosen_alike(n: Node, there: There) -> Node | None:
    """where(c, x + y, 0) = where(c, x, 0) + where(c, y, 0) where both are there"""
    c, v, zero = n.inputs
    if v.op not in (op.add, op.subtract) or not is_zero(zero, 1.0) or not there.is_alone(v):
        return None
    if {x.dtype for x in v.inputs} != {n.dtype}:  # small integers are added as such
        return None
    parts = [there.find(n.op, c, x, zero) for x in v.inputs]
    return None if None in parts else v.op(*parts)


@rule("multiply", "einsum", over=("divide",))
def grouped_alike(n: Node, there: There) -> Node | None:
    """x * (y / z) = (x / z) * y where x / z is there, for a sum: a single element may be tiny"""
    if not n.type.is_float or len(n.inputs) != 2:
        return None
    if n.op is op.einsum:
        (a, b), _ = letters(n)
        if a != b:
            return None
    for x, v in sides(n):
        if v.op is op.divide and there.is_alone(v) and v.shape == x.shape:
            y, z = v.inputs
            twin = there.find(v.op, x, z)
            if twin is not None and twin.shape == y.shape == x.shape:
                is_in_sum = n.op is op.einsum or there.is_summed()
                return n.op(twin, y, **n.attrs) if is_in_sum else None
    return None


@rule("divide", over=("einsum",))
def scaled_dot(n: Node, there: There) -> Node | None:
    """sum(y * v) / m = -sum(((-1 / m) * y) * v) where (-1 / m) * y is there"""
    dot, m = n.inputs
    if dot.op is not op.einsum or n.ndim or m.op is not op.size or len(dot.inputs) != 2:
        return None
    if not there.is_alone(dot):
        return None
    minus = like(n, -1)
    for i in (0, 1):
        y = dot.inputs[i]
        for twin in (
            there.find(op.multiply, there.find(op.divide, minus, m), y),
            there.find(op.divide, y, there.find(op.negative, m)),
        ):
            if twin is not None:
                negated: Node = f.negative(with_input(dot, i, twin))
                return negated
    return None


@rule("einsum", over=("subtract",))
def cross_entropy_alike(n: Node, there: There) -> Node | None:
    """sum(y * log_softmax(x)) = sum(y * x) - sum(sum(y) * log(sum(exp(x)))) if sum(y) is there"""
    found = log_softmax_in_dot(n)
    if found is None or not there.is_alone(found.logs):
        return None
    totals = there.find(op.sum, found.weights, axis=found.axes, keepdims=True)
    return None if totals is None else found.apart(totals)


@rule("exp", over=("negative",))
def exponential_of_negative(n: Node, there: There) -> Node | None:
    """exp(-x) = 1 / exp(x) where exp(x) is there, and does not overflow before exp(-x) is 0"""
    (v,) = n.inputs
    if v.op is not op.negative:
        return None
    twin = there.find(n.op, v.inputs[0])
    if twin is None:
        return None
    largest = 700 if n.dtype == np.float64 else 85
    # Or it is added to exp(x): then so small a number does not matter.
    is_safe = interval(v.inputs[0]).high <= largest or there.is_added_to(twin)
    return f.reciprocal(twin) if is_safe else None


@rule("subtract", over=("sigmoid",))
def rest_alike(n: Node, there: There) -> Node | None:
    """1 - sigmoid(x) = sigmoid(-x) where that is there: both at once would not cancel each other"""
    one, s = n.inputs
    if s.op is not op.sigmoid or not is_literal(one, 1):
        return None
    return there.find(s.op, opposite(s.inputs[0]))


@rule("sigmoid")
def sigmoid_alike(n: Node, there: There) -> Node | None:
    """sigmoid(x) = e / (1 + e), e = min(exp(x), the largest), where exp(x), 1 + exp(x) are there"""
    grown = there.find(op.exp, n.inputs[0])
    one = like(n, 1)
    if grown is None or there.find(op.add, one, grown) is None:
        return None
    # What has overflowed has a share of 1: the largest float is as large as one more. (Regions
    # would make exp(x) / (1 + exp(x)) a sigmoid again.)
    e = f.minimum(grown, like(n, float(np.finfo(n.dtype).max)))
    share: Node = f.divide(e, f.add(one, e))
    return share


@rule("sigmoid", over=("negative",))
def rest_of_share(n: Node, there: There) -> Node | None:
    """sigmoid(-x) = 1 - sigmoid(x) where that is there: to read, for it cancels"""
    (v,) = n.inputs
    share = there.find(n.op, v.inputs[0]) if v.op is op.negative else None
    return None if share is None else f.subtract(like(n, 1), share)


@rule("einsum")
def contracted_alike(n: Node, there: There) -> Node | None:
    """y.T @ x.T = (x @ y).T where x @ y is there"""
    twins = there.contractions[frozenset(n.inputs)]
    if len(twins) < 2 or len(set(n.inputs)) < len(n.inputs):  # x @ x.T is its own transpose
        return None
    terms, out = letters(n)
    mine = dict(zip(n.inputs, terms, strict=True))
    for twin in twins:
        if not there.has_before(twin) or len(twin.inputs) != len(terms):
            continue
        theirs, result = letters(twin)
        pairs = {
            pair
            for x, term in zip(twin.inputs, theirs, strict=True)
            for pair in zip(term, mine[x], strict=True)
        }
        name = dict(pairs)
        named = [name[c] for c in result]
        if len(pairs) == len(name) == len(set(name.values())) and set(named) == set(out):
            return f.permute_dims(twin, tuple(map(named.index, out)))
    return None


@rule("sum", over=("multiply",), signs=True)
def diagonal_alike(n: Node, there: There) -> Node | None:
    """sum(x * y, axis=0) = diagonal(x.T @ y) where that is there"""
    (v,) = n.inputs
    if v.op is not op.multiply or v.inputs[0].type != v.inputs[1].type or v.dtype != n.dtype:
        return None
    axes = n.attrs["axis"]
    terms = shapes.size(tuple(v.shape[k] for k in axes))
    if not there.is_alone(v) or not adds_up(v, terms, axes):
        return None
    for product in there.contractions.get(frozenset(v.inputs), ()):
        kept = _on_diagonal(*letters(product), axes)
        if kept is not None:
            found: Node = f.reshape(contract(kept, [product]), n.shape)
            return found
    return None


def _on_diagonal(terms: list[str], out: str, axes: tuple[int, ...]) -> str | None:
    """The subscripts that take sum(x * y, axes) from the contraction of x and y, if it is there."""
    one, other = terms
    if len(set(one)) < len(one) or len(set(other)) < len(other):
        return None
    for k, (c, d) in enumerate(zip(one, other, strict=True)):
        is_summed = c == d and c not in out
        is_kept = c in out and d in out and (c == d or c not in other and d not in one)
        if not (is_summed if k in axes else is_kept):
            return None
    same = dict(zip(other, one, strict=True))
    result = "".join(c for k, c in enumerate(one) if k not in axes)
    return None if one == other else "".join(same.get(c, c) for c in out) + "->" + result


SHARING: tuple[Rule, ...] = (
    commuted, reduced_alike, indexed_alike, shaped_later, opposite_alike, chosen_alike,
    grouped_alike, contracted_alike, scaled_dot, cross_entropy_alike, exponential_of_negative,
    rest_alike, diagonal_alike,
)  # fmt: skip
# When all else is done: what these make of a node other rules would not know.
LAST_SHARING: tuple[Rule, ...] = (sigmoid_alike,)
# The last for those who read formulas.
READ_SHARING: tuple[Rule, ...] = (rest_of_share,)
STRICT_SHARING: tuple[Rule, ...] = tuple(r for r in SHARING if r.is_strict)


def shared(graph: Graph, rules: Iterable[Rule] = SHARING) -> tuple[Graph, list[Rewrite]]:
    """The graph with one node for what it computed twice, and which equations did it.

    >>> import graphc as gc
    >>> x, y = gc.input("x", ("n",)), gc.input("y", ("n",))
    >>> graph, _ = shared(gc.Graph([x * y, gc.exp(y * x)]))
    >>> graph.count()["multiply"]
    1
    """
    chosen = chosen_of(tuple(rules))
    if chosen.by_head.keys().isdisjoint(graph.by_op):
        return graph, []
    there = There(graph)
    becomes: dict[Node, Node] = {}
    fired: list[Rewrite] = []
    with building_for(graph.outputs[0]) as belonging_to:
        for node in graph.nodes:
            if node.op.name not in chosen.by_head:
                continue
            candidates = chosen[names_at(node)]
            if candidates:
                belonging_to(node)
                there.here = node
            for one in candidates:
                found = one.rewrite(node, there)
                found = None if found is None else fitted(found, node)
                if found is not None and found is not node:
                    adopt(found, node)
                    becomes[node] = found
                    fired.append(Rewrite(one.name, one.equation, node, found))
                    break
    return replaced(graph, becomes), fired


def replaced(graph: Graph, becomes: dict[Node, Node]) -> Graph:
    """The graph with all its replacements at once, which are written in its own nodes.

    Rebuilt as they are found, they would hide from one another: what stands above the first is no
    longer what the graph holds, and a chain of equal layers would take a walk for each.
    """
    if not becomes:
        return graph
    above = set(becomes)
    for v in graph.nodes:
        if not above.isdisjoint(v.inputs):
            above.add(v)
    new = {v: v for v in graph.nodes if v not in above}
    opened: set[Node] = set()
    stack = list(reversed(graph.outputs))
    while stack:
        v = stack.pop()
        if v in new:
            continue
        needs = (becomes[v],) if v in becomes else v.inputs
        if v not in opened:
            opened.add(v)
            stack.append(v)
            stack.extend(x for x in reversed(needs) if x not in new)
            continue
        # Were two replacements to need each other, one would stay as it was: it is equal.
        needs = tuple(map(new.get, needs, needs))
        new[v] = needs[0] if v in becomes else v if needs == v.inputs else with_inputs(v, needs)
    return Graph([new[v] for v in graph.outputs], graph.parameters)
