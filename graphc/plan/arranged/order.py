"""Order: what is computed of turned values alone is computed as they lie, and turned afterwards.

NumPy is several times as quick where it reads and writes memory in one direction. Of `x.T + 1`,
written row by row, each row would gather a column of x. Computed as `(x + 1).T` it is a view.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ...ir import Graph, Node, adopt, building_for, with_inputs
from ...ops.contract import contract
from ...ops.layout import broadcast_to, inverse, permute, permute_dims
from ...ops.letters import letters_of
from ...ops.slices import WHOLE, at_index
from ...shapes import Shape, typical
from ..rows import adds_rows, is_by_element
from ..sets import Sets

Axes = tuple[int, ...]
"""How a value v lies in memory: it is `permute_dims(as_it_lies, axes)`."""


def as_they_lie(graph: Graph) -> Graph:
    """The graph, in which elementwise operations and reductions go the way their operands lie.

    >>> import graphc as gc
    >>> X, w = gc.input("X", ("n", "d")), gc.input("w", ("n",))
    >>> graph = gc.Graph([gc.exp(X.T) * w])
    >>> [str(v.type) for v in as_they_lie(graph).nodes if v.op.family == "elementwise"]
    ['f64[n, d]', 'f64[n, d]']
    """
    if not any(v.op is permute for v in graph.nodes):
        return graph
    turned = _turned(graph)
    return _InOrder(graph, turned).graph if turned else graph


def _turned(graph: Graph) -> dict[Node, Axes]:
    """What is computed in another order than that of its axes, and in which.

    What is computed of one another, element by element, lies in one order: that in which most of
    what is read lies, if whoever reads the results can do so in any order.
    """
    found: dict[Node, Axes] = {}
    for group, read in _groups(graph):
        votes: Counter[Axes] = Counter()
        for x in read:
            votes[_lies(x, found)] += typical(x.type.nbytes)
        axes = max(votes, key=votes.__getitem__, default=None)
        if axes is None or axes == _natural(group[0]) or 2 * votes[axes] <= sum(votes.values()):
            continue
        if all(_may_turn(v, axes) and _may_be_read(graph, v, axes) for v in group):
            found.update(dict.fromkeys(group, axes))
    return found


def _natural(v: Node) -> Axes:
    return tuple(range(v.ndim))


def _lies(x: Node, turned: Mapping[Node, Axes]) -> Axes:
    """How a value lies: one that is turned, or is left of such a one, or a view of either."""
    seen = _natural(x)
    while x.op is permute:
        seen = tuple(x.attrs["axes"][k] for k in seen)
        x = x.inputs[0]
    lies = turned.get(x)
    if lies is None:
        is_left = x.op.family == "reduce" and x.inputs[0] in turned
        lies = _left(x, turned[x.inputs[0]]) if is_left else _natural(x)
    return tuple(lies[k] for k in seen)


def _left(v: Node, lies: Axes) -> Axes:
    """How a reduction lies of what lies in an order."""
    if v.attrs["keepdims"]:
        return lies
    left = [a for k, a in enumerate(lies) if k not in v.attrs["axis"]]
    return tuple(sorted(left).index(a) for a in left)


def _is_beside(graph: Graph, v: Node) -> bool:
    """Whether a value is computed, and stands beside what it is computed of."""
    if v.op.family == "reduce" and v.attrs["keepdims"]:
        return any(c.op.family == "elementwise" for c in graph.consumers(v))
    return v.op.family == "elementwise"


def _may_turn(v: Node, axes: Axes) -> bool:
    """Whether v is computed as well in some order."""
    return v.op.family != "reduce" or _stays_within(set(v.attrs["axis"]), axes)


def _stays_within(axis: set[int], axes: Axes) -> bool:
    """Whether what was summed within rows, and belongs to each, is so in some order too."""
    return 0 in axis or axes.index(0) not in axis


def _may_be_read(graph: Graph, v: Node, axes: Axes) -> bool:
    """Whether all that is computed of v can as well be computed of it in some order."""
    return all(_takes(c, v, axes) for c in graph.consumers(v))


def _takes(c: Node, v: Node, axes: Axes) -> bool:
    """Whether c can as well be computed of v in some order."""
    if c.op.family == "contract":
        return _is_as_quick(c, c.inputs.index(v), axes)
    return c.op.family in ("elementwise", "reduce") or c.op.name in ("permute_dims", "broadcast_to")


def _is_as_quick(c: Node, i: int, axes: Axes) -> bool:
    """Whether a contraction has no preference for how an operand lies: BLAS has none for a matrix.

    Sums within rows are found while these are in the cache, and rows are added as they come.
    """
    terms, out = letters_of(c)
    if not is_by_element(terms) or sorted(map(len, terms)) == [1, 2]:
        return adds_rows(c) != i and all(len(t) <= 2 for t in terms)
    return _stays_within({k for k, a in enumerate(terms[i]) if a not in out}, axes)


def _groups(graph: Graph) -> Iterator[tuple[list[Node], list[Node]]]:
    """What is computed of one another, with as many axes, and what is read for it."""
    beside = [v for v in graph.nodes if v.ndim > 1 and _is_beside(graph, v)]
    sets = Sets(beside)
    for v in beside:
        for x in v.inputs:
            if x in sets and x.ndim == v.ndim:
                sets.join(x, v)
    for group in sets.all():
        read = dict.fromkeys(x for v in group for x in v.inputs if x.ndim == v.ndim)
        # What is stretched may lie in any order.
        yield group, [x for x in read if x not in sets and x.op.name != "broadcast_to"]


class _InOrder:
    """A graph in which some values are computed as their operands lie."""

    def __init__(self, graph: Graph, turned: dict[Node, Axes]) -> None:
        self.turned = turned
        self.order: dict[Node, Axes] = {}
        self.lying: dict[Node, Node] = {}
        """What lies in an order, as it lies."""
        self.new: dict[Node, Node] = {}
        for v in graph.nodes:
            with building_for(v):
                for made in self._made(v):
                    adopt(made, v)
        self.graph = Graph([self.new[v] for v in graph.outputs], graph.parameters)

    def _made(self, v: Node) -> Iterator[Node]:
        """What is built for a node, the last one in its place."""
        if v in self.turned:
            self._lay(v, self.turned[v], self._as_it_lies(v, self.turned[v]))
        elif v.op is permute:
            x = v.inputs[0]
            self._lay(v, _lies(v, self.turned), self.lying.get(x, self.new[x]))
        elif v.op.family == "reduce" and v.inputs[0] in self.turned:
            lies = self.turned[v.inputs[0]]
            self._lay(v, _left(v, lies), self._reduced(v, lies))
        elif v.op.family == "contract" and not self.turned.keys().isdisjoint(v.inputs):
            self.new[v] = self._product(v)
        else:
            inputs = tuple(self.new[x] for x in v.inputs)
            self.new[v] = v if inputs == v.inputs else with_inputs(v, inputs)
        if v in self.lying:
            yield self.lying[v]
        yield self.new[v]

    def _lay(self, v: Node, order: Axes, lying: Node) -> None:
        self.order[v], self.lying[v] = order, lying
        self.new[v] = permute_dims(lying, order)

    def _as_it_lies(self, v: Node, order: Axes) -> Node:
        """v, of operands that lie in an order too."""
        if v.op.family == "reduce":
            return self._reduced(v, order)
        return v.op(*(self._beside(x, order) for x in v.inputs), **v.attrs)

    def _reduced(self, v: Node, order: Axes) -> Node:
        """A reduction of what lies in an order."""
        axis = tuple(sorted(order[k] for k in v.attrs["axis"]))
        return v.op(self._beside(v.inputs[0], order), **{**v.attrs, "axis": axis})

    def _beside(self, x: Node, order: Axes) -> Node:
        """An operand as it stands beside values that lie in an order."""
        if not x.ndim:
            return self.new[x]
        if self.order.get(x) == order:
            return self.lying[x]
        if x.op.name == "broadcast_to" and x.ndim == len(order):
            shape: Shape = tuple(x.shape[k] for k in inverse(order))
            return broadcast_to(self._beside(x.inputs[0], order), shape)
        places = order[len(order) - x.ndim :]
        turned = permute_dims(self.new[x], sorted(range(x.ndim), key=places.__getitem__))
        if x.ndim == len(order):
            return turned
        return at_index(turned, index=tuple(WHOLE if k in places else None for k in sorted(order)))

    def _product(self, v: Node) -> Node:
        """A contraction, which has letters for the axes, of operands as they lie."""
        terms, out = letters_of(v)
        for i, x in enumerate(v.inputs):
            if x in self.order:
                terms[i] = "".join(terms[i][k] for k in inverse(self.order[x]))
        operands = [self.lying.get(x, self.new[x]) for x in v.inputs]
        return contract(f"{','.join(terms)}->{out}", operands)
