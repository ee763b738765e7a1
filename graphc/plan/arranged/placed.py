"""Placed: what lies at places of zeros and is added up is added where it lies, in one array.

The gradient of slices is such a sum: a loop that reads X[0], X[1], ... gives one array as large as
X for each of them, and of each all but one row is zeros.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...ir import OPS, Graph, Node, adopt, building_for
from ...ops.slices import WHOLE, Index, place, places
from ...passes.share import replaced

add = OPS["add"]


def placed(graph: Graph) -> Graph:
    """The graph with one step for each sum of places.

    A zero may then have another sign: nothing is added to what lies in one place alone.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> graph = gc.Graph([gc.grad(gc.sum((x[1:] - x[:-1]) ** 2), x)])
    >>> graph.count()["place"], placed(graph).count().get("place", 0)
    (2, 0)
    """
    if graph.count().get("place", 0) < 2:
        return graph
    becomes: dict[Node, Node] = {}
    for root, terms in _sums(graph):
        with building_for(root):
            inputs, indices = zip(*map(_at, terms), strict=True)
            becomes[root] = made = places(*inputs, shape=root.shape, indices=indices)
        adopt(made, root)
    return replaced(graph, becomes)


def _at(x: Node) -> tuple[Node, Index]:
    """What lies where."""
    return (x.inputs[0], x.attrs["index"]) if x.op is place else (x, (WHOLE,) * x.ndim)


def _sums(graph: Graph) -> Iterator[tuple[Node, list[Node]]]:
    """The sums that add places to one another or to something else, with their terms in order."""
    inner: set[Node] = set()
    for root in reversed(graph.nodes):
        if root in inner:
            continue
        v, terms, sums = root, [], []
        while v.op is add and all(x.type == root.type for x in v.inputs):
            first, last = v.inputs
            if last.op is add and graph.uses[last] == 1 or last.op is not place:
                first, last = last, first  # of two it makes no difference which comes first
            if last.op is not place or v is not root and graph.uses[v] > 1:
                break
            terms.append(last)
            sums.append(v)
            v = first
        if sum(x.op is place and graph.uses[x] == 1 for x in (*terms, v)) >= 2:
            inner.update(sums)
            yield root, [v, *reversed(terms)]
