"""Numbers in a row: differences and integrals, convolution, polynomials, interpolation."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ... import shapes
from ...errors import ArgumentError
from ...ir import Node, lift
from .. import elementwise as e
from .. import joins, layout, leaves, reduce, slices
from .arrangement import along, expand_dims
from .reductions import in_floats
from .table import means


@means(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1) -> Node:
    (x,) = lift([a], "diff")
    k = shapes.as_axis(axis, x.ndim)
    for _ in range(n):
        x = along(x, k, 1, None) - along(x, k, None, -1)
    return x


@means(np.gradient)
def _gradient(f: Any, *spacing: Any, axis: Any = None) -> Any:
    x = in_floats(f)
    given = axis if isinstance(axis, tuple | list) else shapes.as_axes(axis, x.ndim)
    axes = [shapes.as_axis(k, x.ndim) for k in given]  # in their order: so are steps and results
    steps = spacing or (1.0,)
    if len(steps) not in (1, len(axes)) or any(np.ndim(h) for h in steps):
        raise ArgumentError("gradient of symbolic tensors takes one step for all axes, or for each")
    found = []
    for k, h in zip(axes, steps * (len(axes) // len(steps)), strict=True):
        inside = (along(x, k, 2, None) - along(x, k, None, -2)) / (2 * h)
        ends = [_at(x, k, 1) - _at(x, k, 0), _at(x, k, -1) - _at(x, k, -2)]
        first, last = (expand_dims(end / h, k) for end in ends)
        found.append(joins.concat([first, inside, last], k))
    return found[0] if len(found) == 1 else tuple(found)


def _at(x: Node, axis: int, position: int) -> Node:
    return x[(slice(None),) * axis + (position,)]


@means(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Node:
    (f,) = lift([y], "trapezoid")
    k = shapes.as_axis(axis, f.ndim)
    if x is not None:
        (at,) = lift([x], "trapezoid")
        dx = diff(at, axis=axis if at.ndim > 1 else -1)
        dx = layout.reshape(dx, (*[1] * k, -1, *[1] * (f.ndim - k - 1))) if dx.ndim == 1 else dx
    return reduce.sum((along(f, k, 1, None) + along(f, k, None, -1)) * dx / 2.0, axis=k)


@means(np.convolve)
def _convolve(a: Any, v: Any, mode: str = "full") -> Node:
    x, y = lift([a, v], "convolve")
    n, m = x.shape[0], y.shape[0]
    if not isinstance(m, int) or (isinstance(n, int) and n < m):
        x, y, n, m = y, x, m, n
    if not isinstance(m, int):
        raise ArgumentError(f"convolve needs one array of known size, and they are {n} and {m}")
    wide = joins.pad(x, (m - 1, m - 1))
    parts = [wide[m - 1 - j : n + 2 * (m - 1) - j] * y[j] for j in range(m)]
    full: Node = functools.reduce(e.add, parts)
    if mode == "full":
        return full
    start = m - 1 if mode == "valid" else (m - 1) // 2
    return full[start : start + (n - m + 1 if mode == "valid" else n)]


@means(np.correlate)
def _correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    x, y = lift([a, v], "correlate")
    n, m = x.shape[0], y.shape[0]
    if isinstance(n, int) and isinstance(m, int) and n < m:
        return slices.flip(_correlate(y, x, mode))  # not the same: its middle may lie beside
    return _convolve(x, slices.flip(y), mode)


@means(np.polyval)
def _polyval(p: Any, x: Any) -> Any:
    """By Horner's rule from 0 on, in dtypes that come about as NumPy's do."""
    is_known = not any(isinstance(c, Node) for c in p)
    value = leaves.zeros_like(*lift([x], "polyval"))
    for c in np.asarray(p) if is_known else p:
        value = value * x + c
    return value


@means(np.vander)
def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Node:
    (v,) = lift([x], "vander")
    v = e.astype(v, np.result_type(v.dtype, np.int64))
    count = v.shape[0] if N is None else N
    powers = [leaves.ones_like(v)]
    for _ in range(count - 1):
        powers.append(powers[-1] * v)
    return joins.stack(powers if increasing else powers[::-1], 1)


@means(np.interp)
def _interp(x: Any, xp: Any, fp: Any) -> Any:
    """A sum of clipped ramps: linear between the points, flat outside."""
    (v,), (at,), (of,) = (lift([a], "interp") for a in (x, xp, fp))
    slopes = diff(of) / diff(at)
    ramps = e.minimum(e.maximum(v[..., None], at[:-1]), at[1:]) - at[:-1]
    return of[0] + reduce.sum(ramps * slopes, axis=-1)
