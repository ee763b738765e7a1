"""Rewriting: rules are applied to every node, inputs first, until none fires."""

from __future__ import annotations

import inspect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InvalidGraph
from ..ir import FUNCTIONS, Graph, Node, building_for, with_inputs
from .fold import folded_node

# More rounds than any chain of rules needs; a pair that undoes each other must not hang a compile.
_ROUNDS = 12
_FIRINGS = 24


@dataclass(frozen=True, eq=False)
class Rule:
    """An equation between nodes, read from left to right: the docstring states it.

    `heads` are the ops it looks at, and `over` those of which one input at least must be.
    A strict rule gives the same bits. One that `hides` may give a
    number where an input that is NaN or inf made the left side NaN; one that changes `signs` may
    give 0 for -0.
    """

    rewrite: Callable[..., Node | None]
    heads: tuple[str, ...]
    over: frozenset[str]
    is_strict: bool
    hides: bool
    signs: bool
    asks: bool = False

    @property
    def name(self) -> str:
        return self.rewrite.__name__

    @property
    def equation(self) -> str:
        """The first line of the docstring."""
        return (self.rewrite.__doc__ or "").strip().splitlines()[0]

    def __call__(
        self, node: Node, is_alone: Callable[[Node], bool] = lambda v: True
    ) -> Node | None:
        """The right side for a node, or None where the rule does not apply."""
        return self.rewrite(node, is_alone) if self.asks else self.rewrite(node)

    def __repr__(self) -> str:
        return f"Rule({self.name})"


def rule(
    *heads: str,
    over: Iterable[str] = (),
    strict: bool = False,
    hides: bool = False,
    signs: bool = False,
) -> Callable[[Callable[..., Node | None]], Rule]:
    """The decorator that makes a rule of a function Node -> Node | None.

    The function may take a second argument: whether a node has one consumer only, so that it goes
    when the consumer no longer needs it.
    """

    def made(rewrite: Callable[..., Node | None]) -> Rule:
        asks = len(inspect.signature(rewrite).parameters) > 1
        return Rule(rewrite, heads, frozenset(over), strict, hides, signs or hides, asks)

    return made


class Rewrite(NamedTuple):
    """One firing: the equation, and the node before and after."""

    name: str
    equation: str
    before: Node
    after: Node

    @property
    def place(self) -> str:
        """The user's line."""
        return self.before.where.place if self.before.where is not None else ""

    def __str__(self) -> str:
        return f"{self.name}: {self.equation}"


class Refusal(NamedTuple):
    """A rewrite that was not done: what it would have been, and the point that refuted it."""

    reason: str
    at: Node

    @property
    def place(self) -> str:
        """The user's line."""
        return self.at.where.place if self.at.where is not None else ""

    def __str__(self) -> str:
        return f"refused: {self.reason}"


class Chosen(dict[tuple[str, ...], tuple[Rule, ...]]):
    """The rules for an op over some others, found once for each combination."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)

    def __missing__(self, names: tuple[str, ...]) -> tuple[Rule, ...]:
        head, *inputs = names
        self[names] = found = tuple(
            r for r in self.rules if head in r.heads and (not r.over or r.over & set(inputs))
        )
        return found


def rewritten(
    graph: Graph,
    rules: Iterable[Rule],
    rounds: int = _ROUNDS,
    settled: dict[Node, Situation] | None = None,
) -> tuple[Graph, list[Rewrite]]:
    """The graph with rules applied until none fires, and what fired.

    What is `settled` by the same rules is known, and noted, from one call to another.
    """
    chosen = Chosen(rules)
    fired: list[Rewrite] = []
    settled = {} if settled is None else settled
    for _ in range(rounds):
        before = graph
        graph = _Round(graph, chosen, fired, settled).result()
        if graph is before:
            break
    return graph, fired


def observed(graph: Graph) -> set[Node]:
    """What a test may look at: everything that something not a float is computed from.

    There NaN may become a number (`where(isnan(x), 0, x)`), so no rule may make it one before.
    """
    found: set[Node] = set()
    for v in reversed(graph.nodes):
        if v in found or not v.type.is_float:
            found.update(v.inputs)
    return found


# Where the sign of a zero is seen, and what hands a zero on with its sign.
_SEE_SIGNS = {"divide": (1,), "reciprocal": (0,), "power": (0,), "atan2": (0, 1)}
_HAND_ON = {
    "add", "subtract", "multiply", "divide", "negative", "sqrt", "sin", "tan", "asin", "atan",
    "sinh", "tanh", "asinh", "atanh", "expm1", "log1p", "relu", "maximum", "minimum", "clip",
    "where", "sign", "floor", "ceil", "trunc", "round", "atan2", "astype", "power",
}  # fmt: skip


def sign_is_seen(graph: Graph) -> set[Node]:
    """What may be a zero whose sign decides between inf and -inf, or between 0 and pi."""
    found: set[Node] = set()
    for v in reversed(graph.nodes):
        name = v.op.name
        if v in found and (name in _HAND_ON or v.op.family != "elementwise"):
            if name not in ("add", "subtract") or not any(map(_is_nonzero, v.inputs)):
                found.update(x for x in v.inputs if x.type.is_float)
        found.update(v.inputs[i] for i in _SEE_SIGNS.get(name, ()))
    return found


def _is_nonzero(v: Node) -> bool:
    return v.op.name == "constant" and not v.ndim and bool(v.attrs["value"].array != 0)


# All that a rule can see of a node beside the node: whether a test may look at it, whether the sign
# of its zeros is seen, and how many consumers its inputs have.
Situation = tuple[bool, bool, list[int]]


class _Round:
    """One walk over a graph.

    What no rule changed before is looked at again in a new situation only: a change anywhere below
    a node makes it another node.
    """

    def __init__(
        self,
        graph: Graph,
        chosen: Chosen,
        fired: list[Rewrite],
        settled: dict[Node, Situation],
    ) -> None:
        self.graph, self.chosen, self.fired, self.settled = graph, chosen, fired, settled
        self.observed, self.signs = observed(graph), sign_is_seen(graph)
        self.uses: defaultdict[Node, int] = defaultdict(int, Counter(graph.outputs))
        for v in graph.nodes:
            for x in set(v.inputs):
                self.uses[x] += 1
        self.new_uses: defaultdict[Node, int] = defaultdict(int)

    def result(self) -> Graph:
        new: dict[Node, Node] = {}
        changed = False
        with building_for(self.graph.outputs[0]) as belonging_to:
            for old in self.graph.nodes:
                node = old
                if old.inputs:
                    inputs = tuple([new[x] for x in old.inputs])
                    node = old if inputs == old.inputs else with_inputs(old, inputs)
                    node = self._simplest(node, old, belonging_to)
                    changed |= node is not old
                new[old] = node
                self.new_uses[node] += self.uses[old]
        if not changed:
            return self.graph
        return Graph([new[v] for v in self.graph.outputs], self.graph.parameters)

    def is_alone(self, v: Node) -> bool:
        """Whether v has one consumer only. Leaves cost nothing, so they never are."""
        return v.op.family != "leaf" and self.new_uses[v] <= 1

    def _simplest(self, node: Node, old: Node, belonging_to: Callable[[Node], None]) -> Node:
        observed, signs = old in self.observed, old in self.signs
        situation = observed, signs, [self.new_uses[x] for x in node.inputs]
        if self.settled.get(node) == situation:
            return node
        belonging_to(node)
        for _ in range(_FIRINGS):
            node = folded_node(node)
            for one in self.chosen[(node.op.name, *[x.op.name for x in node.inputs])]:
                if (observed and one.hides) or (signs and one.signs):
                    continue
                found = one.rewrite(node, self.is_alone) if one.asks else one.rewrite(node)
                found = None if found is None else fitted(found, node)
                if found is not None and found is not node:
                    adopt(found, node)
                    self.fired.append(Rewrite(one.name, one.equation, node, found))
                    node = found
                    break
            else:
                break
        situation = observed, signs, [self.new_uses[x] for x in node.inputs]
        self.settled[node] = situation
        return node


def fitted(new: Node, old: Node) -> Node | None:
    """The new node stretched to the old one's shape; None where the dtype is another."""
    if new.dtype != old.dtype:
        return None
    if new.shape != old.shape:
        new = FUNCTIONS["broadcast_to"](new, old.shape)
    if new.type != old.type:
        raise InvalidGraph(f"a rule made {new.type} of {old.label}, which is {old.type}")
    return new


def adopt(new: Node, old: Node) -> None:
    """What was built for a node takes its place: its line, its name, the node it is adjoint of."""
    if new.origin is not old:
        return
    object.__setattr__(new, "adjoint_of", old.adjoint_of)
    object.__setattr__(new, "differentiated", old.differentiated)
    object.__setattr__(new, "given_name", old.given_name)
    fresh = [new]
    while fresh:
        v = fresh.pop()
        if v.origin is old:
            object.__setattr__(v, "origin", old.origin)
            fresh.extend(v.inputs)
