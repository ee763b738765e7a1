"""How far rounding may have moved a value: every step is moved by a unit in the last place.

No formula of error analysis is needed for any op: the program is run a few times with each result
that was rounded changed at random in its last place, and what comes out differs by as much as
rounding matters. So a sum that cancels shows what it has lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..evaluate import computed_by
from ..ir import Node
from .numeric import Array, Text, plain

_RUNS = 8

# A change of up to two units is four times what rounding does; the largest of eight is taken, and
# this many times that.
_SAFETY = 4.0

# Families whose ops round on the way: their operands are moved too, each where it is used.
_INNER = ("reduce", "contract", "linalg", "scan", "")
# Families that only move elements about.
_EXACT = ("leaf", "layout", "pad", "index")


@np.errstate(all="ignore")
def rounding(
    outputs: Sequence[Node],
    order: Sequence[Node],
    values: Mapping[Node, Array],
    sizes: Mapping[str, int],
    text: Text = plain,
    eps: float | None = None,
    constants: Sequence[Node] = (),
) -> list[Array]:
    """For each output, by how much rounding may have moved each of its elements.

    `order` lists what is computed; the other values are given, and exact. `eps` is the precision,
    that of each node's dtype by default. `constants` are numbers that a rule has rounded.

    >>> import graphc as gc
    >>> from graphc.ir import topo
    >>> x = gc.input("x", ())
    >>> z = (1e6 + x) - 1e6
    >>> order = [v for v in topo([z]) if v.op.family != "leaf"]
    >>> values = {v: gc.evaluate(v, {x: 0.1}) for v in topo([z])}
    >>> bool(1e-10 < rounding([z], order, values, {})[0] < 1e-8)
    True
    """
    rng = np.random.default_rng(0)
    calls = [(v, text(v), *_moved(v, values)) for v in order]
    worst: list[Array] = [np.zeros(np.shape(values[v])) for v in outputs]
    for _ in range(_RUNS):
        moved = dict(values)
        for v in constants:
            moved[v] = _stirred(v.attrs["value"].array, _eps(v), rng)[()]
        for v, written, inner, rounded in calls:
            operands = [moved[x] for x in v.inputs]
            precision = eps or _eps(v)
            if inner:
                operands = [_stirred(a, precision, rng) for a in operands]
            value = computed_by(written, operands, sizes)
            moved[v] = _stirred(value, precision, rng) if rounded else value
        for k, v in enumerate(outputs):
            change = np.abs(np.float64(moved[v]) - np.float64(values[v]))
            worst[k] = np.maximum(worst[k], np.where(np.isnan(change), np.inf, change))
    for k, v in enumerate(outputs):
        last = 4 * (eps or _eps(v)) * np.abs(np.float64(values[v]))
        # Below the normal numbers digits are lost whatever is computed.
        worst[k] = _SAFETY * worst[k] + last + float(np.finfo(v.dtype).smallest_normal)
    return worst


def _eps(v: Node) -> float:
    return float(np.finfo(v.dtype).eps) if v.type.is_float else 0.0


def _moved(v: Node, values: Mapping[Node, Array]) -> tuple[bool, bool]:
    """Whether v rounds inside, and whether its result is rounded at all: a choice is not."""
    if not v.type.is_float or v.op.family in _EXACT:
        return False, False
    floats = [np.ravel(values[x]) for x in v.inputs if x.type.is_float]
    if floats:
        given = np.concatenate(floats)
        result = np.ravel(values[v])
        if np.all(np.isin(np.abs(result), np.abs(given)) | (result == 0) | np.isnan(result)):
            return False, False
    return v.op.family in _INNER, True


def _stirred(value: Array, eps: float, rng: np.random.Generator) -> Array:
    """Each float changed by up to two units in its last place."""
    if np.asarray(value).dtype.kind != "f":
        return value
    change = 1 + 2 * eps * rng.uniform(-1, 1, np.shape(value))
    return (value * change).astype(np.asarray(value).dtype)
