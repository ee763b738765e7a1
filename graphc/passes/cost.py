"""What a graph costs before it runs: flops and bytes, as formulas in the sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ..ir import Graph, Node, is_literal, number_of
from ..shapes import Dim, as_dim


def flops(graph: Graph) -> Dim:
    """How many arithmetic operations a run takes."""
    return flops_of(graph.nodes)


def flops_of(nodes: Iterable[Node]) -> Dim:
    """How many arithmetic operations some nodes take."""
    return _total(nodes, lambda v: v.op.flops(v))


def peak_bytes(graph: Graph) -> Dim:
    """The memory for results: every result lives until the end, views take none."""
    computed = [v for v in graph.nodes if v.op.family != "leaf" and not v.op.view]
    return _total(computed, lambda v: v.type.nbytes)


def _total(nodes: Iterable[Node], cost: Callable[[Node], Dim]) -> Dim:
    """The sum of a cost. Alike nodes cost alike: the formula is asked for once for each kind."""
    kinds: Counter[object] = Counter()
    first: dict[object, Node] = {}
    for v in nodes:
        kind = (v.op, v.type, tuple(x.type for x in v.inputs), tuple(v.attrs.items()))
        kinds[kind] += 1
        first.setdefault(kind, v)
    return as_dim(sum(count * cost(first[kind]) for kind, count in kinds.items()))


# One element of each op in units of one multiplication, measured on random numbers that
# fit in cache (a processor learns by heart what is repeated), as the plan computes it.
_WEIGHTS = {
    "divide": 3.0, "reciprocal": 3.0, "sqrt": 4.0, "exp": 15.0, "expm1": 25.0, "log": 15.0,
    "log1p": 20.0, "log2": 15.0, "log10": 20.0, "sigmoid": 24.0, "softplus": 40.0,
    "logaddexp": 40.0, "sin": 20.0, "cos": 20.0, "tan": 30.0, "sinh": 35.0, "cosh": 30.0,
    "tanh": 20.0, "power": 40.0, "hypot": 20.0, "atan2": 40.0, "where": 2.0,
    "erf": 40.0, "erfc": 65.0, "erfcx": 65.0,
    "asin": 45.0, "acos": 45.0, "atan": 28.0, "asinh": 35.0, "acosh": 33.0, "atanh": 30.0,
    "sort": 60.0, "argsort": 250.0,
}  # fmt: skip


DEAREST_ARITHMETIC = 4  # the weight of a square root


def weight(v: Node) -> float:
    """What one element of an elementwise node costs; a multiplication is 1, leaves are free."""
    return 0.0 if v.op.family == "leaf" else _WEIGHTS.get(v.op.name, 1.0)


def weight_in_choices(v: Node) -> float:
    """The same, finer: for choices, tests and signs, as they are held against each other.

    A choice asks each element by itself, but a 0 beside a value is little; truth values are small.
    """
    if not v.ndim:
        return 0.0 if v.op.family == "leaf" else 1.0
    if v.op.name == "where":
        return 1.5 if is_literal(v.inputs[2], 0) and number_of(v.inputs[1]) is None else 5.0
    if v.op.name in ("logical_and", "logical_or", "logical_not", "astype"):
        return 0.25 if v.dtype == bool else 0.5
    return 2.0 if v.op.name == "sign" else weight(v)
