"""Together: where arrays are small, a call costs more than its elements. So what an unrolled loop
does to one small value after the other is done to all of them at once, where the values are there.

The graph of the straight path alone is changed: large arrays would be copied for it.
"""

from __future__ import annotations

from collections.abc import Callable

from ...ir import Graph, Node, adopt
from ...passes.share import replaced
from .together_slices import slices_together
from .together_sums import sums_together


def together(graph: Graph, is_small: Callable[[Node], bool]) -> Graph:
    """The graph with one operation in place of many like ones; only small values are copied.

    >>> import graphc as gc
    >>> X, W = gc.input("X", (9, 4, 3)), gc.input("W", (3, 2))
    >>> total = sum(X[t].T @ gc.tanh(X[t] @ W) for t in range(9))
    >>> graph = gc.Graph([total])
    >>> graph.count()["einsum"], together(graph, lambda v: True).count()["einsum"]
    (18, 2)
    """
    if graph.count().get("again"):  # in low memory values are not kept until all of them are there
        return graph
    graph = _with(graph, slices_together(graph))
    return _with(graph, sums_together(graph, is_small))


def _with(graph: Graph, becomes: dict[Node, Node]) -> Graph:
    for old, new in becomes.items():
        adopt(new, old)
    return replaced(graph, becomes)
