"""Values at a point: as short as an edge has room for, and where they are no numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError
from ..evaluate import evaluate
from ..ir import Node
from ..wording import a_kind

# What has more elements is told by its sizes.
_MOST_ELEMENTS = 3


class Seen(NamedTuple):
    """A value: in short, if it is short; in a sentence; how many elements are NaN, and infinite."""

    short: str
    summary: str
    nans: int
    infs: int = 0


def seen_at(nodes: Sequence[Node], at: Mapping[Any, Any]) -> dict[Node, Seen]:
    """The values of nodes where the inputs have those given.

    >>> import graphc as gc
    >>> x = gc.input("x", (2,))
    >>> [v.short for v in seen_at([x, gc.sum(x) / 3], {x: [1.0, 2.5]}).values()]
    ['[1, 2.5]', '1.17']
    """
    return {v: seen(a) for v, a in zip(nodes, evaluate(list(nodes), at), strict=True)}


def seen_in(values: Mapping[Node, Any], nodes: Sequence[Node]) -> dict[Node, Seen]:
    """The values that somebody has recorded."""
    if not isinstance(values, Mapping) or not all(isinstance(v, Node) for v in values):
        raise ArgumentError(f"values= maps nodes to arrays, and this is {a_kind(values)}")
    if values and set(nodes).isdisjoint(values):
        raise ArgumentError("values= has values for none of the nodes that are drawn")
    return {v: seen(a) for v, a in values.items()}


def seen(value: Any) -> Seen:
    """What there is to see of an array.

    >>> seen([1.0, float("nan"), 3.0, 5.0])
    Seen(short='', summary='from 1 to 5, 1 of 4 NaN', nans=1, infs=0)
    """
    array = np.asarray(value)
    short = _shown(array.tolist()) if array.size <= _MOST_ELEMENTS else ""
    is_float = array.dtype.kind in "fc"
    missing = np.isnan(array) if is_float else np.zeros(array.shape, bool)
    nans, infs = int(np.sum(missing)), int(np.sum(np.isinf(array))) if is_float else 0
    if array.ndim == 0:
        return Seen(short, f"value {short}", nans, infs)
    numbers, told = array[~missing], []
    if numbers.size:
        told.append(f"from {_shown(numbers.min().item())} to {_shown(numbers.max().item())}")
    if nans:
        told.append(f"{nans:,} of {array.size:,} NaN")
    return Seen(short, ", ".join(told) or "no elements", nans, infs)


def states(values: Mapping[Node, Seen], outputs: Iterable[Node]) -> dict[Node, str]:
    """For each node that holds NaN, or inf that comes to an output, whether it has it from an input
    or is the first to have it. What a mask leaves out is no mistake.
    """
    waiting = [v for v in outputs if v in values and not _is_finite(values[v])]
    reached = set(waiting)
    while waiting:
        inputs = dict.fromkeys(waiting.pop().inputs)
        near = [x for x in inputs if x in values and x not in reached and not _is_finite(values[x])]
        reached.update(near)
        waiting += near
    wrong = reached | {v for v, found in values.items() if found.nans}
    return {v: "nan" if not wrong.isdisjoint(v.inputs) else "first_nan" for v in wrong}


def _is_finite(value: Seen) -> bool:
    return not value.nans + value.infs


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if value != value:
        return "NaN"
    return (f"{value:.3g}" if isinstance(value, float) else str(value)).replace("-", "−")
