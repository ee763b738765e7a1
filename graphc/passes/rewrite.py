"""Rewriting: rules are applied to every node, inputs first, until none fires."""

from __future__ import annotations

import functools
import inspect
import itertools
import operator
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ..errors import GraphcError, ShapeError
from ..ir import (
    FUNCTIONS,
    Graph,
    Node,
    adopt,
    building_for,
    is_number,
    number_of,
    topo,
    with_inputs,
)
from ..ops.letters import letters_of, sizes_of
from .constants import folded_node
from .searches import Budget

# More rounds than any chain of rules needs; a pair that undoes each other must not hang a compile.
_ROUNDS = 12
_FIRINGS = 24
# From how far above a rule may ask whether a node has one consumer only.
_FAR = 3


@dataclass(frozen=True, eq=False)
class Rule:
    """An equation between nodes, read from left to right: the docstring states it.

    `heads` are the ops it looks at, `over` those of which one input at least must be, `beside`
    those of which another input must be, and `among` those of which there must be one somewhere
    below, or letters of dtypes: "i", "u", "b". Where an op takes more or fewer, `operands` is how
    many it must have.
    A strict rule gives the same bits. One that `hides` may give a
    number where an input that is NaN or inf made the left side NaN; one that changes `signs` may
    give 0 for -0.
    """

    rewrite: Callable[..., Node | None]
    heads: tuple[str, ...]
    over: frozenset[str]
    beside: frozenset[str]
    among: frozenset[str]
    operands: int | None
    is_strict: bool
    hides: bool
    signs: bool
    asks: int = 0  # how many of the answers that a walk has, beside the node

    @property
    def name(self) -> str:
        return self.rewrite.__name__

    def stands_over(self, inputs: Names) -> bool:
        """Whether it may apply to what has inputs of these ops."""
        if self.operands is not None and self.operands != len(inputs):
            return False
        if not self.beside:
            return not self.over or not self.over.isdisjoint(inputs)
        pairs = itertools.permutations(inputs, 2)
        return any(one in self.over and other in self.beside for one, other in pairs)

    @functools.cached_property
    def equation(self) -> str:
        """The first line of the docstring, which `python -OO` leaves out."""
        return (self.rewrite.__doc__ or self.name).strip().splitlines()[0]

    def __call__(
        self,
        node: Node,
        is_alone: Callable[[Node], bool] = lambda v: True,
        budget: Budget | None = None,
    ) -> Node | None:
        """The right side for a node, or None where the rule does not apply."""
        answers = is_alone, Budget() if budget is None else budget
        return self.rewrite(node, *answers[: self.asks])

    def __repr__(self) -> str:
        return f"Rule({self.name})"


def rule(
    *heads: str,
    over: Iterable[str] = (),
    beside: Iterable[str] = (),
    among: Iterable[str] = (),
    operands: int | None = None,
    strict: bool = False,
    hides: bool = False,
    signs: bool = False,
) -> Callable[[Callable[..., Node | None]], Rule]:
    """The decorator that makes a rule of a function Node -> Node | None.

    The function may take a second argument: whether a node has one consumer only, so that it goes
    when the consumer no longer needs it. One that searches takes a third: the budget.
    """

    def made(rewrite: Callable[..., Node | None]) -> Rule:
        asks = len(inspect.signature(rewrite).parameters) - 1
        below = frozenset(over), frozenset(beside), frozenset(among)
        return Rule(rewrite, heads, *below, operands, strict, hides, signs or hides, asks)

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


Names: TypeAlias = tuple[str, ...]  # of an op, and of those that its inputs are of
Seen: TypeAlias = tuple[bool, bool]  # whether NaN is at a node, and the sign of a zero


class Chosen(dict[Names, tuple[Rule, ...]]):
    """The rules for an op over some others, found once for each combination."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.by_head: dict[str, list[Rule]] = {}
        for one in rules:
            for head in one.heads:
                self.by_head.setdefault(head, []).append(one)

    def __missing__(self, names: Names) -> tuple[Rule, ...]:
        rules = self.by_head.get(names[0], ())
        self[names] = found = tuple([r for r in rules if r.stands_over(names[1:])])
        return found


class Tried(dict[tuple[Names, Seen], tuple[Rule, ...]]):
    """Those of the chosen rules that may fire: what they need below is in the graph, and they hide
    nothing that is seen.
    """

    def __init__(self, chosen: Chosen, present: set[str]) -> None:
        self.chosen, self.present = chosen, present

    def __missing__(self, key: tuple[Names, Seen]) -> tuple[Rule, ...]:
        names, (is_observed, signs_are_seen) = key
        there = [r for r in self.chosen[names] if not r.among or r.among & self.present]
        held = [r for r in there if is_observed and r.hides or signs_are_seen and r.signs]
        self[key] = found = tuple([r for r in there if r not in held])
        return found

    def come(self, kinds: set[str]) -> None:
        """Rules have built these."""
        if not kinds <= self.present:
            self.present |= kinds
            self.clear()


def names_at(node: Node) -> Names:
    """The name of a node's op, and those of the ops of its inputs."""
    return node.op.name, *map(_name_of_op, node.inputs)


_name_of_op = operator.attrgetter("op.name")

# Once for the process: there are few combinations, and each takes a look at all rules.
chosen_of = functools.lru_cache(maxsize=16)(Chosen)


def rewritten(
    graph: Graph,
    rules: Iterable[Rule],
    rounds: int = _ROUNDS,
    settled: Settled | None = None,
) -> tuple[Graph, list[Rewrite]]:
    """The graph with rules applied until none fires, and what fired.

    What is `settled` by the same rules is known, and noted, from one call to another.
    """
    chosen = chosen_of(tuple(rules))
    fired: list[Rewrite] = []
    settled = Settled() if settled is None else settled
    for _ in range(rounds):
        before, one = graph, _Round(graph, chosen, fired, settled)
        graph = one.result() if one.waiting else graph
        if graph is before:
            break
    return graph, fired


def observed(graph: Graph) -> set[Node]:
    """What a test may look at: everything that something not a float is computed from.

    There NaN may become a number (`where(isnan(x), 0, x)`), so no rule may make it one before.
    """
    found = {x for v in graph.not_floats for x in v.inputs}
    for v in reversed(graph.nodes) if found else ():
        if v in found:
            found.update(v.inputs)
    return found


# Where the sign of a zero is seen, and what hands a zero on with its sign.
_SEE_SIGNS = {
    "divide": (1,), "reciprocal": (0,), "power": (0,), "atan2": (0, 1), "floor_divide": (1,),
}  # fmt: skip
_HAND_ON = {
    "add", "subtract", "multiply", "divide", "negative", "sqrt", "sin", "tan", "asin", "atan",
    "sinh", "tanh", "erf", "asinh", "atanh", "expm1", "log1p", "relu", "maximum", "minimum", "clip",
    "where", "sign", "floor", "ceil", "trunc", "round", "atan2", "astype", "power",
    "floor_divide", "remainder",
}  # fmt: skip


def sign_is_seen(graph: Graph) -> set[Node]:
    """What may be a zero whose sign decides between inf and -inf, or between 0 and pi."""
    found = {
        v.inputs[i]
        for name, seen in _SEE_SIGNS.items()
        for v in graph.by_op.get(name, ()) if not _is_positive_power(v)
        for i in seen
    }
    for v in reversed(graph.nodes) if found else ():
        if v in found and (v.op.name in _HAND_ON or v.op.family != "elementwise"):
            if _is_never_minus_zero(v):
                continue
            if v.op.name not in ("add", "subtract") or not any(map(_is_nonzero, v.inputs)):
                found.update(x for x in v.inputs if x.type.is_float)
    return found


def _is_positive_power(v: Node) -> bool:
    """Whether v is x^k for a number k > 0: of a zero it is a zero, and no infinity."""
    if v.op.name != "power" or v.inputs[1].op.name != "constant":
        return False
    return bool((v.inputs[1].attrs["value"].array > 0).all())


def _is_never_minus_zero(v: Node) -> bool:
    """Whether v adds up products, two at least: BLAS adds them to 0. (One product is the sum.)"""
    if v.op.name != "einsum":
        return False
    terms, out = letters_of(v)
    sizes = sizes_of(terms, [x.type for x in v.inputs])
    return any(isinstance(d, int) and d > 1 for c, d in sizes.items() if c not in out)


def _is_nonzero(v: Node) -> bool:
    return is_number(v) and bool(number_of(v) != 0)


class View(NamedTuple):
    """All that holds a rule back at a node, beside what the node is computed from."""

    observed: set[Node]
    signs: set[Node]
    shared: set[Node]


class Settled:
    """The nodes that rules have left as they are, and what held them back then.

    A change below a node makes it another node. So the same rules need not look at what is settled
    again, however often they are applied to the graph, until one of those things no longer holds.
    They all search within one budget.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = Budget() if budget is None else budget
        self.nodes: set[Node] = set()
        self.view = View(set(), set(), set())

    def waiting(self, graph: Graph, now: View) -> set[Node]:
        """The nodes of a graph that rules should look at."""
        before, there = self.view, set(graph.nodes)
        found = {v for v in there - self.nodes if v.inputs}
        found |= there & (before.observed - now.observed)
        found |= there & (before.signs - now.signs)
        above = there & (before.shared - now.shared)
        for _ in range(_FAR if above else 0):
            above = {v for v in graph.nodes if not above.isdisjoint(v.inputs)}
            found |= above
        return found


def _letters(nodes: Iterable[Node]) -> set[str]:
    """The letters of some nodes' dtypes."""
    return {v.type.dtype.kind for v in nodes}


class _Round:
    """One walk over a graph, which looks at what is not settled and at what stands on a change."""

    def __init__(
        self,
        graph: Graph,
        chosen: Chosen,
        fired: list[Rewrite],
        settled: Settled,
    ) -> None:
        self.graph, self.fired, self.settled = graph, fired, settled
        self.met: dict[Node, int] = {}  # uses of what the walk has come to
        self.chosen = chosen
        shared = {v for v, count in graph.uses.items() if count > 1 and v.op.family != "leaf"}
        self.view = View(observed(graph), sign_is_seen(graph), shared)
        self.waiting = settled.waiting(graph, self.view)

    @functools.cached_property
    def tried(self) -> Tried:
        return Tried(self.chosen, {*self.graph.by_op, *_letters(self.graph.not_floats)})

    def result(self) -> Graph:
        becomes: dict[Node, Node] = {}
        changed, waiting, met, uses = becomes.keys(), self.waiting, self.met, self.graph.uses
        with building_for(self.graph.outputs[0]) as belonging_to:
            for old in self.graph.nodes:
                node, inputs = old, old.inputs
                if not changed.isdisjoint(inputs):
                    node = with_inputs(old, tuple(map(becomes.get, inputs, inputs)))
                if node is not old or old in waiting:
                    belonging_to(node)
                    node = self._simplest(node, old)
                    if node is not old:
                        becomes[old] = node
                met[node] = met.get(node, 0) + uses[old]
        self._settle(becomes)
        if not becomes:
            return self.graph
        outputs = [becomes.get(v, v) for v in self.graph.outputs]
        return Graph(outputs, self.graph.parameters)

    def _settle(self, becomes: dict[Node, Node]) -> None:
        """Note what is settled now: with what holds back a node, it holds back what it becomes."""
        self.settled.nodes.update(self.graph.nodes)
        self.settled.nodes.difference_update(becomes)
        self.settled.nodes.update(becomes.values())
        for kept in self.view:
            kept.update([becomes[old] for old in becomes.keys() & kept])
        self.settled.view = self.view

    def _note(self, found: Node) -> None:
        """There are now the ops of what a rule has built on what the walk has come to."""
        built = topo([found], beyond=self.met)
        self.tried.come({v.op.name for v in built} | _letters(built))

    def is_alone(self, v: Node) -> bool:
        """Whether v has one consumer only. Leaves cost nothing, so they never are."""
        if v.op.family == "leaf":
            return False
        if self.met.get(v, 0) > 1:  # what became one here may have had one consumer each before
            self.view.shared.add(v)
            return False
        return True

    def _simplest(self, node: Node, old: Node) -> Node:
        answers = self.is_alone, self.settled.budget
        start = node  # for this one all is built, however many rules fire one after the other
        seen = old in self.view.observed, old in self.view.signs
        for _ in range(_FIRINGS):
            names = names_at(node)
            if names.count("constant") == len(names) - 1:
                node = folded_node(node)
                names = names_at(node)
            for one in self.tried[names, seen]:
                try:
                    if one.asks:
                        found = one.rewrite(node, *answers[: one.asks])
                    else:  # as most do: a call with a star takes much longer
                        found = one.rewrite(node)
                except GraphcError as error:
                    left_out(f"rules, {one.name}, cannot rewrite", node, error.sentence)
                    continue
                if found is None:
                    continue
                found = fitted(found, node)
                if found is not None and found is not node:
                    adopt(found, start)
                    self._note(found)
                    self.fired.append(Rewrite(one.name, one.equation, node, found))
                    node = found
                    break
            else:
                break
        return node


def fitted(new: Node, old: Node) -> Node | None:
    """The new node stretched to the old one's shape; None where the dtype is another.

    None also where no stretching leads there, which is a rule's mistake.
    """
    if new.dtype != old.dtype:
        return None
    if new.shape == old.shape:
        return new
    try:
        stretched: Node = FUNCTIONS["broadcast_to"](new, old.shape)
        return stretched
    except ShapeError:
        left_out(f"made {new.type} of", old, f"that is {old.type}")
        return None


def left_out(what: str, node: Node, why: str = "") -> None:
    """Warn of a rule's mistake, which leaves the user a program that is as right without it."""
    place = f" ({node.where.place})" if node.where is not None else ""
    told = f"{what} {node.label}{place}{why and ': '}{why}"
    warnings.warn(f"a rewrite of graphc's {told}; it was left out", RuntimeWarning, 3)
