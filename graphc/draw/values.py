"""Values at a point: as short as an edge has room for, and where they are no numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError
from ..evaluate import evaluate
from ..ir import Node
from ..wording import a_kind

# What has more elements is told by its sizes.
_MOST_ELEMENTS = 3


class Seen(NamedTuple):
    """A value: in short, if it is short; in a sentence; and how many of its elements are NaN."""

    short: str
    summary: str
    nans: int


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
    Seen(short='', summary='from 1 to 5, 1 of 4 NaN', nans=1)
    """
    array = np.asarray(value)
    short = _shown(array.tolist()) if array.size <= _MOST_ELEMENTS else ""
    missing = np.isnan(array) if array.dtype.kind in "fc" else np.zeros(array.shape, bool)
    nans = int(np.sum(missing))
    if array.ndim == 0:
        return Seen(short, f"value {short}", nans)
    numbers, told = array[~missing], []
    if numbers.size:
        told.append(f"from {_shown(numbers.min().item())} to {_shown(numbers.max().item())}")
    if nans:
        told.append(f"{nans:,} of {array.size:,} NaN")
    return Seen(short, ", ".join(told) or "no elements", nans)


def states(values: Mapping[Node, Seen]) -> dict[Node, str]:
    """For each node that holds NaN, whether it has it from an input or is the first to have it."""
    return {
        v: "nan" if any(x in values and values[x].nans for x in v.inputs) else "first_nan"
        for v, found in values.items()
        if found.nans
    }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if value != value:
        return "NaN"
    return (f"{value:.3g}" if isinstance(value, float) else str(value)).replace("-", "−")
