"""Planes: a short last axis stands first while large arrays are computed.

NumPy goes along the last axis. Where operands broadcast, as in the differences of all points in
space, it begins anew for every three elements, and takes four times as long as for long rows.
"""

from __future__ import annotations

from ... import shapes
from ...ir import Graph, Node, adopt, building_for, with_inputs
from ...ops.contract import contract
from ...ops.layout import broadcast_to, contiguous, moveaxis
from ...ops.letters import letters_of
from ...ops.slices import WHOLE, Span, at_index
from ..rows import SHORT, is_by_element
from ..sets import Sets

# What is turned before anything is computed from it has at most this share of the elements.
_SHARE = 4

# So few elements take less time than it takes to turn anything.
_FEW = 200


def planes(graph: Graph) -> Graph:
    """The graph with short last axes first in what is made of smaller arrays, and reduced again.

    >>> import graphc as gc
    >>> X, Y = gc.input("X", ("n", 3)), gc.input("Y", ("m", 3))
    >>> graph = gc.Graph([gc.sum((X[:, None, :] - Y[None, :, :]) ** 2, axis=2)])
    >>> [str(v.type) for v in planes(graph).nodes if v.op.family == "elementwise"]
    ['f64[3, n, m]', 'f64[3, n, m]']
    """
    turned = [v for group in _groups(graph) if _gains(graph, group) for v in group]
    return _Turned(graph, turned).graph if turned else graph


def _groups(graph: Graph) -> list[list[Node]]:
    """What is computed element by element of one another, in one shape with a short last axis."""
    sets = Sets(filter(_may_turn, graph.nodes))
    for v in graph.nodes:
        for x in v.inputs if v in sets else ():
            if x in sets and x.shape == v.shape:
                sets.join(x, v)
    return sets.all()


def _may_turn(v: Node) -> bool:
    """Whether a value is computed element by element, and has a short last axis."""
    if v.op.family != "elementwise" and v.op.name != "broadcast_to" or v.ndim < 2:
        return False
    return isinstance(v.shape[-1], int) and 1 < v.shape[-1] <= SHORT


def _gains(graph: Graph, group: list[Node]) -> bool:
    """Whether all that is read is small, and what is made of the values can read them turned."""
    inside, outputs = set(group), set(graph.outputs)
    size = group[0].type.size
    if isinstance(size, int) and size <= _FEW:
        return False
    most = shapes.typical(size) // _SHARE
    read = {x for v in group for x in v.inputs if x not in inside and x.ndim and x.shape[-1] != 1}
    if any(shapes.typical(x.type.size) > most for x in read) or not outputs.isdisjoint(group):
        return False
    return all(_may_read(c) for v in group for c in graph.consumers(v) if c not in inside)


def _may_read(c: Node) -> bool:
    """Whether something else can be computed of values that are turned."""
    if c.op.family == "reduce":
        return bool(c.attrs["axis"])
    if c.op.name == "getitem":
        return isinstance(c.attrs["index"][-1], int)
    if c.op.family == "contract":
        return is_by_element(letters_of(c)[0])
    return False


class _Turned:
    """A graph in which some values have their last axis first."""

    def __init__(self, graph: Graph, values: list[Node]) -> None:
        self.turned: dict[Node, Node] = {}
        self.new: dict[Node, Node] = {}
        inside = set(values)
        for v in graph.nodes:
            with building_for(v):
                if v in inside:
                    self.turned[v] = made = self._turn(v)
                else:
                    self.new[v] = made = self._read(v)
            adopt(made, v)
        self.graph = Graph([self.new[v] for v in graph.outputs], graph.parameters)

    def _turn(self, v: Node) -> Node:
        operands = [self._operand(x, v.ndim) for x in v.inputs]
        if v.op.name == "broadcast_to":
            return broadcast_to(operands[0], (v.shape[-1], *v.shape[:-1]))
        return v.op(*operands, **v.attrs)

    def _operand(self, x: Node, ndim: int) -> Node:
        """An operand as it stands beside values of so many axes that are turned."""
        if x in self.turned:
            return self.turned[x]
        if not x.ndim:
            return self.new[x]
        if x.shape[-1] == 1:
            return self._without_last(x)
        first = self._first(x)
        added = ndim - x.ndim
        if not added:
            return first
        return at_index(first, index=(WHOLE, *[None] * added, *[WHOLE] * (x.ndim - 1)))

    def _without_last(self, x: Node) -> Node:
        """x without its last axis, which broadcasts."""
        index = x.attrs.get("index", ())
        if x.op.name == "getitem" and index[-1] is None:
            whole, kept = self.new[x.inputs[0]], index[:-1]
            return whole if all(e == WHOLE for e in kept) else at_index(whole, index=kept)
        return at_index(self.new[x], index=(*[WHOLE] * (x.ndim - 1), 0))

    def _first(self, x: Node) -> Node:
        """x with its last axis first: below the axes that are added to it, where it is smallest."""
        index = x.attrs.get("index", ())
        if x.op.name == "getitem" and index[-1] == WHOLE:
            return at_index(_moved(self.new[x.inputs[0]]), index=(WHOLE, *index[:-1]))
        return _moved(self.new[x])

    def _read(self, v: Node) -> Node:
        """A value that is not turned, of operands that may be."""
        if self.turned.keys().isdisjoint(v.inputs):
            inputs = tuple(self.new[x] for x in v.inputs)
            return v if inputs == v.inputs else with_inputs(v, inputs)
        if v.op.family == "contract":
            return self._product(v)
        if v.op.family == "reduce":
            return self._reduced(v)
        index = v.attrs["index"]
        return at_index(self.turned[v.inputs[0]], index=(index[-1], *index[:-1]))

    def _product(self, v: Node) -> Node:
        terms, out = letters_of(v)
        turned = [
            t[-1] + t[:-1] if x in self.turned else t for t, x in zip(terms, v.inputs, strict=True)
        ]
        operands = [self.turned[x] if x in self.turned else self.new[x] for x in v.inputs]
        return contract(f"{','.join(turned)}->{out}", operands)

    def _reduced(self, v: Node) -> Node:
        (x,), axis, keepdims = v.inputs, v.attrs["axis"], v.attrs["keepdims"]
        last = x.ndim - 1
        moved = tuple(sorted(0 if k == last else k + 1 for k in axis))
        if last not in axis:
            return moveaxis(v.op(self.turned[x], **{**v.attrs, "axis": moved}), 0, -1)
        made = v.op(self.turned[x], **{**v.attrs, "axis": moved, "keepdims": False})
        index: list[Span | None] = [None if k in axis else WHOLE for k in range(x.ndim)]
        return at_index(made, index=tuple(index)) if keepdims else made


def _moved(x: Node) -> Node:
    """x with its last axis first, in memory too."""
    return contiguous(moveaxis(x, -1, 0))
