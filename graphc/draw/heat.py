"""Heat: a number for each node, shown as a colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .. import shapes
from ..errors import ArgumentError
from ..ir import Node

# Numbers that differ by more than this are told apart by their magnitude.
_MOST_LINEAR = 30.0


class Heat(NamedTuple):
    """What colours a picture: what the numbers are, the numbers, how those of a box join."""

    title: str
    numbers: Mapping[Node, float]
    join: Callable[[Iterable[float]], float] = sum

    def of(self, groups: Sequence[Sequence[Node]]) -> tuple[list[float | None], str]:
        """From 0 to 1 for each group of nodes that has a number but 0; what the legend says."""
        found = [[self.numbers[v] for v in group if v in self.numbers] for group in groups]
        totals = [self.join(numbers) if numbers else None for numbers in found]
        finite = [t for t in totals if t and math.isfinite(t)]
        low, high = min(finite, default=0.0), max(finite, default=0.0)
        if low > 0 and high > _MOST_LINEAR * low:
            low, high = math.log(low), math.log(high)
            scale = [None if not t else math.log(t) if math.isfinite(t) else high for t in totals]
        else:
            low = min(low, 0.0)
            scale = [None if not t else t if math.isfinite(t) else high for t in totals]
        width = (high - low) or 1.0
        said = f"{min(finite):.3g} to {max(finite):.3g}" if finite else "none"
        return [None if t is None else (t - low) / width for t in scale], f"{self.title}, {said}"


def heat_of(asked: Any, nodes: Iterable[Node], sizes: Mapping[str, int]) -> Heat | None:
    """What `heat=` of draw stands for: "cost", numbers for nodes, or those and a title."""
    if asked is None or isinstance(asked, Heat):
        return asked
    if isinstance(asked, str) and asked == "cost":
        return cost(nodes, sizes)
    title, numbers = asked if isinstance(asked, tuple) and len(asked) == 2 else ("heat", asked)
    if not isinstance(numbers, Mapping) or not all(isinstance(v, Node) for v in numbers):
        raise ArgumentError(
            "heat= is 'cost', a mapping from nodes to numbers, or a title and such a mapping, "
            f"not {asked!r}"
        )
    drawn = set(nodes)
    if numbers and drawn.isdisjoint(numbers):
        raise ArgumentError("heat= has numbers for none of the nodes that are drawn")
    return Heat(str(title), {v: float(x) for v, x in numbers.items()})


def cost(nodes: Iterable[Node], sizes: Mapping[str, int]) -> Heat:
    """flops, for some sizes of the symbols; 100 where none is given."""
    known: dict[Any, float] = {}

    def flops(v: Node) -> float:
        key = v.op, v.type, tuple(x.type for x in v.inputs)
        if key not in known:
            formula = v.op.flops(v)
            at = {s: sizes.get(str(s), 100) for s in shapes.symbols([formula])}
            known[key] = float(shapes.number(formula, at))
        return known[key]

    return Heat("flops", {v: flops(v) for v in nodes})
