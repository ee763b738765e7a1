"""A derivation as data: Algorithm 6.6 step by step, as formulas in the user's names and as values.

A formula is found twice: by the chain rule with a symbol for the consumer's gradient, which is how
the book writes it, and from the nodes that were built, where ones and zeros are left out already.
"""

from __future__ import annotations

import functools
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import passes
from ..autodiff import Contribution, GradTable
from ..autodiff.backprop import contribution
from ..evaluate import bind, interpret
from ..ir import Graph, Node, building_for, topo
from ..notation import (
    ELIDED,
    Term,
    is_written_inside,
    leaf_term,
    names_of,
    number_text,
    term,
    term_latex,
    text,
)
from ..ops.leaves import placeholder

# Formulas are written to this depth, or less where they would be longer than this many characters.
_DEPTHS, _LONGEST = (8, 5, 3, 2), 110
# What is larger is not simplified for the sake of an explanation.
_MOST_SIMPLIFIED = 3000
# Of a value that goes into more others than this, the first contributions are written.
_MOST_SHARES = 5
# A result of more operations than this is not written out whole.
_LARGEST = 48


class Formula(NamedTuple):
    """A piece of mathematics: `str` writes it as text, `.latex` for within dollars."""

    term: Term

    def __str__(self) -> str:
        return text(self.term)

    @property
    def latex(self) -> str:
        return term_latex(self.term)

    @property
    def is_whole(self) -> bool:
        """Whether nothing in it is left out."""
        return all(t is not ELIDED for t in parts(self.term))


class Share(NamedTuple):
    """What a consumer of a node contributes to the node's gradient: op.bprop(inputs, V, D)."""

    consumer: Node
    position: int
    rule: Formula
    """By the chain rule, whatever the consumer's own gradient is."""
    gradient: Node
    """As it was built."""
    numbers: Formula | None = None
    """The rule with numbers for its names, where all are scalars."""
    value: Any = None
    by_rule: Any = None
    """The values of `gradient` and of the rule: they differ where a branch was not taken."""


class Step(NamedTuple):
    """One turn of the algorithm's loop: a node, what its consumers contribute, and the sum."""

    number: int
    node: Node
    name: Formula
    operation: Formula | None
    """How the node is computed; None for an input."""
    shares: tuple[Share, ...]
    """The first of them, where there are very many: `GradTable.steps` has all."""
    more: int
    """How many further shares there are."""
    gradient: Node
    sum: Formula
    """The sum of the shares, by the chain rule."""
    built: Formula
    """The same as it was built: ones and zeros are left out."""
    simplified: Formula
    """The same after the passes that a reader follows."""
    value: Any = None
    slope: Any = None
    """The values of the node and of its gradient at the point, if one was given."""


_REST = Formula(ELIDED)


def parts(t: Term) -> Iterable[Term]:
    """A term and all terms in it."""
    yield t
    for part in t.parts:
        yield from parts(part)


def written(v: Node, names: Mapping[Node, Term]) -> Formula:
    """What v is in named values; its own name if it has one."""
    return Formula(names[v]) if v in names else expanded(v, names)


def expanded(v: Node, names: Mapping[Node, Term]) -> Formula:
    """How v is computed from named values, as deep as fits in a line."""
    if not v.inputs:
        return Formula(names.get(v) or leaf_term(v))
    for depth in _DEPTHS:
        found = Formula(term(v, names, depth))
        if len(str(found)) <= _LONGEST:
            return found
    return Formula(term(v, names, 1))


def gradient_by(name: Term) -> Term:
    """∇v"""
    return Term("gradient", "", (name,))


class Derivation:
    """The steps of a grad_table, each written when it is asked for."""

    def __init__(self, table: GradTable, at: Mapping[Any, Any] | None = None) -> None:
        self.table, self.at = table, at
        self.graph = Graph(dict.fromkeys([table.z, *table.targets]))
        self.user_names = names_of(self.graph)
        self.names = self._with_auxiliaries()
        self.number_of = {step.node: k for k, step in enumerate(table.steps, 1)}
        self.sizes: dict[str, int] = {}
        self.values = {} if at is None else self._values(at)
        self._simplified = _simplified([*self.names, *(s.gradient for s in table.steps)])

    def __len__(self) -> int:
        return len(self.table.steps)

    def _with_auxiliaries(self) -> dict[Node, Term]:
        """Every node that has a step has a name: the user's, or u1, u2, ..."""
        names = dict(self.user_names)
        taken = {text(name) for name in names.values()}
        count = 0
        for v in self.table.pruned:
            if v not in names:
                count += 1
                while f"u{count}" in taken:
                    count += 1
                names[v] = Term("name", f"u{count}")
        return names

    def _values(self, at: Mapping[Any, Any]) -> dict[Node, Any]:
        shares = [c.gradient for step in self.table.steps for c in step.contributions]
        order = topo([*self.graph.outputs, *shares, *(s.gradient for s in self.table.steps)])
        values, self.sizes = bind(order, at)
        with np.errstate(all="ignore"):
            interpret(order, values, self.sizes)
        return values

    @functools.cached_property
    def _whole(self) -> dict[Node, Node]:
        """The same of what the user gave names and of the targets' gradients: what lies between is
        not there to be used, and may go.
        """
        table = self.table
        return _simplified([*self.user_names, *(table[t] for t in table.targets if t in table)])

    # Names for one step

    def _gradient_names(self, nodes: Iterable[Node]) -> dict[Node, Term]:
        """∇v for gradients that are neither a number nor a value with a name of its own."""
        found = {self.table[v]: gradient_by(self.names[v]) for v in nodes}
        return {g: t for g, t in found.items() if g not in self.names and not is_written_inside(g)}

    def made(self, v: Node) -> Formula | None:
        """How a node is computed from named values; None for an input."""
        return expanded(v, self.names) if v.inputs else None

    # Steps

    def __getitem__(self, number: int) -> Step:
        """The step of that number, counted from 1."""
        step = self.table.steps[number - 1]
        v = step.node
        shares = tuple(self._share(c) for c in step.contributions[:_MOST_SHARES])
        more = len(step.contributions) - len(shares)
        gradients = self._gradient_names(c.consumer for c in step.contributions)
        built = written(step.gradient, ChainMap(gradients, self.names))
        simplified = self._simplified_formula(step.gradient, gradients)
        return Step(
            number=number,
            node=v,
            name=Formula(self.names[v]),
            operation=self.made(v),
            shares=shares,
            more=more,
            gradient=step.gradient,
            sum=added([*(s.rule for s in shares), *[_REST] * bool(more)]) if shares else built,
            built=built,
            simplified=simplified if simplified.is_whole else built,
            value=self.values.get(v),
            slope=self.values.get(step.gradient),
        )

    def _share(self, c: Contribution) -> Share:
        d = placeholder(c.consumer.type, "the consumer's gradient")
        with building_for(c.consumer):
            share = contribution(c.consumer, c.position, d)
        names = ChainMap({d: gradient_by(self.names[c.consumer])}, self.names)
        rule = written(share, names)
        if not self.values:
            return Share(c.consumer, c.position, rule, c.gradient)
        value, known = self.values[c.gradient], dict[Node, Any]()
        known[d] = self.values[self.table[c.consumer]]
        for u in topo([share], beyond=self.values):
            known |= {x: self.values[x] for x in u.inputs if x in self.values}
        with np.errstate(all="ignore"):
            interpret(topo([share], beyond=self.values), known, self.sizes)
        by_rule = known.get(share, value)
        numbers = _with_numbers(share, names, ChainMap(known, self.values))
        # What a guard kept out makes the rule's numbers differ: 0 * inf is no 0.
        is_told = np.array_equal(by_rule, value, equal_nan=True)
        return Share(
            c.consumer, c.position, rule, c.gradient, numbers if is_told else None, value, by_rule
        )

    @functools.cached_property
    def _forward(self) -> dict[Node, Term]:
        """The names of what the passes made of the nodes that have names."""
        return _names_of_new(self._simplified, self.names)

    def _simplified_formula(self, gradient: Node, gradients: Mapping[Node, Term]) -> Formula:
        new = self._simplified
        others = {new[g]: t for g, t in gradients.items() if not is_written_inside(new[g])}
        return written(new[gradient], ChainMap(self._forward, others))

    def result(self, target: Node) -> Formula:
        """The whole gradient by a target, in the user's own names alone, after simplifying."""
        names = _names_of_new(self._whole, self.user_names)
        gradient = self._whole[self.table[target]]
        if gradient in names or _size(gradient, names) > _LARGEST:
            return written(gradient, names)
        return Formula(term(gradient, names, _LARGEST)) if gradient.inputs else expanded(
            gradient, names
        )  # fmt: skip


def _simplified(nodes: Iterable[Node]) -> dict[Node, Node]:
    """What the passes make of some nodes for a reader."""
    nodes = list(dict.fromkeys(nodes))
    if len(nodes) > _MOST_SIMPLIFIED or not nodes:
        return {v: v for v in nodes}
    return dict(zip(nodes, passes.for_reading(Graph(nodes)).outputs, strict=True))


def _names_of_new(new: Mapping[Node, Node], names: Mapping[Node, Term]) -> dict[Node, Term]:
    """But a number stays one, though some value has become the same: 0 * x is no name for 0."""
    made = ((new[v], v, name) for v, name in names.items())
    return {s: name for s, v, name in made if s is v or not is_written_inside(s)}


def _size(v: Node, names: Mapping[Node, Term]) -> int:
    """How many operations v's formula holds when it is written out down to named values."""
    size: dict[Node, int] = {}
    for u in topo([v], beyond=names):
        size[u] = 1 + sum(size.get(x, 0) for x in u.inputs)
    return size[v]


def added(rules: Sequence[Formula]) -> Formula:
    """The sum of some formulas; what is negative is subtracted."""
    total = rules[0].term
    for rule in rules[1:]:
        is_negative = rule.term.kind == "negative"
        sign, other = ("-", rule.term.parts[0]) if is_negative else ("+", rule.term)
        total = Term("infix", sign, (total, other))
    return Formula(total)


def _with_numbers(
    v: Node, names: Mapping[Node, Term], values: Mapping[Node, Any]
) -> Formula | None:
    """What v is, with numbers for names; None where one of them is no scalar."""
    numbers: dict[Node, Term] = {}
    stack, met = [v], {v}
    while stack:
        u = stack.pop()
        if u in names or u.op.name == "size":
            if u.ndim:
                return None
            numbers[u] = _number(values[u])
            continue
        new = [x for x in u.inputs if x not in met]
        met.update(new)
        stack += new
    found = written(v, numbers)
    return found if found.is_whole else None


def _number(value: Any) -> Term:
    """A number as a term; a negative one so that it is put in parentheses where it must be."""
    number = value.item() if isinstance(value, np.generic | np.ndarray) else value
    if number < 0:
        return Term("negative", "-", (Term("number", number_text(-number)),))
    return Term("number", number_text(number))
