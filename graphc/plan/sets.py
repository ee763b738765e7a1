"""Sets that grow together: what is computed in one region, or lies in one order."""

from __future__ import annotations

from collections.abc import Iterable

from ..ir import Node


class Sets:
    """Nodes, each in a set of its own until that is joined with others.

    >>> import graphc as gc
    >>> x, y, z = (gc.input(name, ()) for name in "xyz")
    >>> sets = Sets([x, y, z])
    >>> sets.join(x, z)
    >>> [[v.name for v in found] for found in sets.all()]
    [['x', 'z'], ['y']]
    """

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._above: dict[Node, Node] = {v: v for v in nodes}

    def __contains__(self, v: Node) -> bool:
        return v in self._above

    def add(self, v: Node) -> None:
        """A set of one more."""
        self._above[v] = v

    def join(self, v: Node, w: Node) -> None:
        """The sets of two nodes become one."""
        self._above[self._top(v)] = self._top(w)

    def _top(self, v: Node) -> Node:
        while self._above[v] is not v:
            self._above[v] = v = self._above[self._above[v]]
        return v

    def all(self) -> list[list[Node]]:
        """The sets, in the order of their first members."""
        found: dict[Node, list[Node]] = {}
        for v in self._above:
            found.setdefault(self._top(v), []).append(v)
        return list(found.values())
