"""Walks over nodes: their order, what uses what, and the same operations on other inputs."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

from .building import building
from .node import Node


def topo(outputs: Iterable[Node], beyond: Container[Node] = ()) -> list[Node]:
    """Every ancestor of the outputs and they themselves, inputs before consumers.

    The walk does not enter what lies `beyond`.
    """
    done: dict[Node, None] = {}
    opened: set[Node] = set()
    for output in outputs:
        stack = [output]
        while stack:
            node = stack.pop()
            if node in done or node in beyond:
                continue
            if node in opened:  # its inputs are done
                done[node] = None
                continue
            opened.add(node)
            stack.append(node)
            stack.extend([x for x in reversed(node.inputs) if x not in done])
    return list(done)


def ancestors(nodes: Iterable[Node]) -> set[Node]:
    """What some nodes are computed from, themselves included."""
    return set(topo(nodes))


def consumers(order: Iterable[Node]) -> dict[Node, list[Node]]:
    """For each node in an order, the nodes there that take it as an input, each once."""
    found: dict[Node, list[Node]] = {}
    for node in order:
        found[node] = []
        for x in dict.fromkeys(node.inputs):
            found[x].append(node)
    return found


def rebuild(
    order: Iterable[Node],
    rule: Callable[[Node], Node] = lambda node: node,
    replacements: Mapping[Node, Node] | None = None,
) -> dict[Node, Node]:
    """What each node of an order becomes when some are replaced and a rule changes the rest."""
    new: dict[Node, Node] = dict(replacements or {})
    for node in order:
        if node not in new:
            inputs = tuple([new[x] for x in node.inputs])
            new[node] = rule(node if inputs == node.inputs else with_inputs(node, inputs))
    return new


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """A node's operation on other inputs, keeping its line and its name."""
    are_alike = all([x.type == v.type for x, v in zip(inputs, node.inputs, strict=True)])
    outer = building.state
    building.state = node, node.where, node.part
    try:
        new = node.op._of(inputs, dict(node.attrs), node.type if are_alike else None)
    finally:
        building.state = outer
    if new.origin is node:
        object.__setattr__(new, "origin", node.origin)
        object.__setattr__(new, "adjoint_of", node.adjoint_of)
        object.__setattr__(new, "differentiated", node.differentiated)
        object.__setattr__(new, "given_name", node.given_name)
    return new
