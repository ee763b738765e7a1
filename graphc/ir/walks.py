"""Walks over nodes: their order, what uses what, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

from .node import Node
from .op import with_inputs


def topo(outputs: Iterable[Node], beyond: Container[Node] = ()) -> list[Node]:
    """Every ancestor of the outputs and they themselves, inputs before consumers.

    The walk does not enter what lies `beyond`.
    """
    done: dict[Node, None] = {}
    for output in outputs:
        # The way down to a node, and which inputs are left to see at each step of it.
        way = [] if output in done or output in beyond else [(output, iter(output.inputs))]
        while way:
            node, left = way[-1]
            for x in left:
                if x not in done and x not in beyond:
                    if not x.inputs:  # a leaf is no way
                        done[x] = None
                        continue
                    way.append((x, iter(x.inputs)))
                    break
            else:
                done[node] = None
                way.pop()
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
    others = {node for node in new if new[node] is not node}
    for node in order:
        if node not in new:
            is_same = others.isdisjoint(node.inputs)
            found = node if is_same else with_inputs(node, tuple(map(new.__getitem__, node.inputs)))
            new[node] = found = rule(found)
            if found is not node:
                others.add(node)
    return new
