"""In place: where few small values are computed, one is written where another lay that has ended.

Of twenty arrays of a call, each in new memory, most are out of the first cache when they are read.
"""

from __future__ import annotations

from ...ir import Graph, Node
from ...tensor_type import TensorType
from ..memory import base, computed
from .small_texts import is_by_ufunc, is_many

Models = frozenset[Node | frozenset[Node]]
"""What decides how a value lies in memory."""


def written_over(graph: Graph) -> dict[Node, Node]:
    """For values that a ufunc computes: those in whose memory they are written, read by nobody
    any more.

    Both are of one type, and would lie in memory alike: NumPy's results lie as their operands do,
    and the last bits of sums may depend on it. One element is not written over an operand, for
    which NumPy takes half a microsecond more.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> a = gc.exp(x)
    >>> b = gc.sqrt(a)
    >>> graph = gc.Graph([gc.tanh(b) * x])
    >>> [(v.op.name, w.op.name) for v, w in written_over(graph).items()]
    [('tanh', 'exp'), ('multiply', 'sqrt')]
    """
    nodes = computed(graph)
    last = {base(x): v for v in nodes for x in (*v.inputs, v)}
    kept = {base(v) for v in graph.outputs}
    free: dict[tuple[TensorType, Models], list[Node]] = {}
    models: dict[Node, Models] = {}
    found = {}
    for v in nodes:
        models[v] = _models(v, models)
        key = v.type, models[v]
        ended = [x for x in dict.fromkeys(map(base, v.inputs)) if last[x] is v and x not in kept]
        ended = [x for x in ended if is_by_ufunc(x)]
        is_seen = {base(x) for x in v.inputs if x.op.view}
        if is_by_ufunc(v):
            over = [x for x in ended if is_many(v) and (x.type, models[x]) == key]
            over = [x for x in over if x not in is_seen] or free.get(key, [])[-1:]
            if over:
                found[v] = over[0]
                (ended if over[0] in ended else free[key]).remove(over[0])
        for x in ended:
            free.setdefault((x.type, models[x]), []).append(x)
    return found


def _models(v: Node, known: dict[Node, Models]) -> Models:
    """What decides how v lies in memory; nothing does where it is a vector.

    A set stands for values that one operation reads: where they tell of no order, as vectors and
    stretched values do, or of several, its result lies row by row, and whatever is computed of it.
    A value by itself decides beside others alone.
    """
    if not _has_order(v):
        return frozenset()
    read = [x for x in v.inputs if _has_order(x)]
    if not is_by_ufunc(v) or any(x.shape != v.shape for x in read):
        return frozenset({frozenset({v})})
    made = Models().union(*(known[x] for x in read if is_by_ufunc(x)))
    given = frozenset(x for x in read if not is_by_ufunc(x))
    decided = frozenset[Node]().union(*(x for x in made if isinstance(x, frozenset)))
    return made | (given - decided) if made else frozenset({given})


def _has_order(v: Node) -> bool:
    """Whether a value may lie in several ways."""
    return sum(d != 1 for d in v.shape) > 1
