"""Pickles of nodes: flat however deep a graph is, each node once however many are pickled together.

A node that is read is the one of its meaning: in the process that wrote it, the same object.
"""

from __future__ import annotations

import copyreg
import functools
import threading
from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from ..lines import Where
from ..parts import Part
from .building import built
from .declared import declaration, declare_as_read
from .graph import Graph
from .interning import key_of
from .node import NO_ATTRS, Node, tell
from .op import interned, named_op
from .walks import topo


class _Row(NamedTuple):
    """A node as plain values, in which other nodes are numbers of rows."""

    op: str
    inputs: tuple[int, ...]
    attrs: dict[str, Any]
    told: dict[str, Where | Part | str | None]
    told_by: dict[str, int]

    @staticmethod
    def of(v: Node, place: Mapping[Node, int], where: Where | None) -> _Row:
        told = {"where": where, "part": v.part, "given_name": v.given_name}
        told_by = {name: place[x] for name, x in _tellers(v).items()}
        return _Row(v.op.name, tuple([place[x] for x in v.inputs]), dict(v.attrs), told, told_by)

    def read(self, nodes: list[Node]) -> tuple[Node, bool]:
        """The node, and whether it is new here."""
        op = named_op(self.op)
        inputs = tuple([nodes[k] for k in self.inputs])
        attrs = MappingProxyType(self.attrs) if self.attrs else NO_ATTRS
        key = key_of(op, inputs, attrs)
        found = interned.find(key)
        if found is not None:
            return found, False
        made = built(op, inputs, attrs, op._inferred(inputs, attrs))
        tell(made, **self.told)
        return interned.keep(key, made), True


class Packed:
    """Some nodes and all that they need, as rows; nodes `beyond` stand in packs of their own.

    What was unpickled is rows alone until somebody asks for its nodes.
    """

    def __init__(self, wanted: Iterable[Node], beyond: MutableMapping[Node, Packed]) -> None:
        own: dict[Node, Any] = {}
        waiting = list(wanted)
        while waiting:  # what tells of a node need not be among those that it is computed from
            new = topo(waiting, beyond=ChainMap[Node, Any](own, beyond))
            own.update(dict.fromkeys(new))
            tellers = (x for v in new for x in _tellers(v).values())
            waiting = [x for x in tellers if x not in own and x not in beyond]
        used = (x for v in own for x in (*v.inputs, *_tellers(v).values()))
        self.earlier = tuple(dict.fromkeys(x for x in used if x not in own))
        self.nodes = [*self.earlier, *own]
        self.place = {v: k for k, v in enumerate(self.nodes)}
        lines: dict[Any, Where | None] = {}  # many nodes have one
        kinds = ((v, (type(v.where), v.where)) for v in own)
        self._rows = [_Row.of(v, self.place, lines.setdefault(k, v.where)) for v, k in kinds]
        inputs = sorted((v for v in own if v.op.name == "input"), key=declaration)
        self._declared = [self.place[v] for v in inputs]

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.earlier, [tuple(row) for row in self._rows], self._declared)

    @functools.cached_property
    def nodes(self) -> list[Node]:
        """Each as it exists here already, or else as it was."""
        found, new = list(self.earlier), []
        for row in self._rows:
            node, is_new = row.read(found)
            found.append(node)
            if is_new:
                new.append((node, row))
        for node, row in new:
            tell(node, **{name: found[k] for name, k in row.told_by.items()})
        declare_as_read([found[k] for k in self._declared])
        return found


class PackedGraph(NamedTuple):
    """A graph as a pickle has it: no node is made before somebody asks for the graph."""

    packed: Packed
    outputs: tuple[int, ...]
    parameters: tuple[int, ...]

    @staticmethod
    def of(graph: Graph) -> PackedGraph:
        packed = Packed([*graph.outputs, *graph.parameters], {})
        outputs, parameters = (
            tuple([packed.place[v] for v in nodes]) for nodes in (graph.outputs, graph.parameters)
        )
        return PackedGraph(packed, outputs, parameters)

    @property
    def graph(self) -> Graph:
        nodes = self.packed.nodes
        return Graph([nodes[k] for k in self.outputs], [nodes[k] for k in self.parameters])


def _unpickled(earlier: tuple[Node, ...], rows: list[Any], declared: list[int]) -> Packed:
    packed = object.__new__(Packed)
    packed.earlier, packed._rows, packed._declared = earlier, [_Row(*row) for row in rows], declared
    return packed


def _tellers(v: Node) -> dict[str, Node]:
    """The nodes that something told of v is read off."""
    found = {"origin": v.origin, "adjoint_of": v.adjoint_of, "differentiated": v.differentiated}
    return {name: x for name, x in found.items() if x is not None}


class _Held(threading.local):
    """In which packs nodes stand that pickles of this thread hold now: the next node shares them.

    Else a pickle of the gradients by a thousand weights would hold the graph a thousand times.
    """

    def __init__(self) -> None:
        self.packs: WeakValueDictionary[Node, Packed] = WeakValueDictionary()


_held = _Held()


def _reduced(v: Node) -> tuple[Any, ...]:
    packed = _held.packs.get(v)
    if packed is None:
        packed = Packed([v], _held.packs)
        _held.packs.update(dict.fromkeys(packed.nodes[len(packed.earlier) :], packed))
    return _node, (packed, packed.place[v])


def _node(packed: Packed, k: int) -> Node:
    return packed.nodes[k]


copyreg.pickle(Node, _reduced)
