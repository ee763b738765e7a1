"""The point at which derivatives are compared: given, or drawn from what inputs are declared."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import shapes
from ..binding import no_input
from ..errors import ArgumentError, BindError, ShapeError
from ..evaluate import bind, interpret
from ..ir import Node, declaration, topo
from ..passes.facts import declared
from ..sizes import Size
from ..wording import a_kind, in_words

# Where numbers are drawn from until all values are finite: anywhere, positive, between -1 and 1,
# above 1, a probability.
_RANGES = ((-2.0, 2.0), (0.5, 2.0), (-0.9, 0.9), (1.5, 3.0), (0.1, 0.9))
_TRIES = 40

# What sizes are tried for the symbols: distinct, and small.
_SIZES = ((3, 4, 5, 2, 6), (7, 8, 9, 10, 11), (4, 4, 4, 4, 4), (24, 25, 26, 27, 28))


class Point(NamedTuple):
    """Every value at one point, the sizes, and what was drawn rather than given."""

    values: dict[Node, Any]
    sizes: dict[str, int]
    drawn: str


def point(wanted: Sequence[Node], at: Mapping[Any, Any] | None, seed: int) -> Point:
    """The values of some nodes and of all that they need; what `at` omits is drawn.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n",), positive=True)
    >>> drawn = point([gc.sum(gc.log(x))], None, seed=0)
    >>> drawn.values[x].shape, drawn.drawn
    ((3,), 'n = 3; x was drawn from 0.5 to 2 (seed 0)')
    """
    given = {} if at is None else at
    if not isinstance(given, Mapping):
        raise ArgumentError(f"at= maps inputs or their names to values, not {a_kind(at)}")
    order = topo([*wanted, *(key for key in given if isinstance(key, Node))])
    inputs = sorted((v for v in order if v.op.name == "input"), key=declaration)
    takes = {*inputs, *(v.name for v in inputs)}
    for key in given:
        if key not in takes:
            raise no_input("graph", key, inputs)
    known = {v: given[v] if v in given else given[v.name] for v in inputs if _is_in(v, given)}
    missing = [v for v in inputs if v not in known]
    if not missing:
        values, sizes = _run(order, known)
        return Point(values, sizes, "")
    with contextlib.suppress(ShapeError):  # as when a size is shown by none of those given
        bind([v for v in inputs if v in known], known)
    return _drawn(order, wanted, known, missing, seed)


def _is_in(v: Node, given: Mapping[Any, Any]) -> bool:
    return v in given or v.name in given


def _run(order: Sequence[Node], known: Mapping[Any, Any]) -> tuple[dict[Node, Any], dict[str, int]]:
    values, sizes = bind(order, known)
    with np.errstate(all="ignore"):
        interpret(order, values, sizes)
    return values, sizes


def _drawn(
    order: Sequence[Node],
    wanted: Sequence[Node],
    known: Mapping[Node, Any],
    missing: Sequence[Node],
    seed: int,
) -> Point:
    """The first of some draws at which all that is wanted is finite, or else the first at all."""
    found: Point | None = None
    misfit = ""
    for symbols, assigned in _assignments(order, known):
        for ranges in _ranges(missing, seed):
            rng = np.random.default_rng(seed)
            drawn = {
                v: _numbers(v, r, shapes.numbers(v.shape, symbols), rng)
                for v, r in zip(missing, ranges, strict=True)
            }
            try:
                values, sizes = _run(order, {**known, **drawn})
            except BindError as error:
                misfit = f": {error.sentence}"
                break  # these sizes do not do
            except (IndexError, ValueError):
                continue  # a position beyond its axis
            here = Point(values, sizes, _sentence(assigned, missing, ranges, seed))
            if all(np.all(np.isfinite(values[v])) for v in wanted if v.type.is_float):
                return here
            found = found or here
    if found is None:
        names = ", ".join(str(v.name) for v in missing)
        raise ArgumentError(f"no sizes were found that fit; give {names} by at={misfit}")
    return found


def _assignments(
    order: Sequence[Node], known: Mapping[Node, Any]
) -> Iterator[tuple[dict[Size, int], dict[Size, int]]]:
    """Numbers for all symbols, and those of them that no given value shows."""
    symbols = shapes.symbols(d for v in order for d in v.shape)
    shown: dict[Size, int] = {}
    for v, value in known.items():
        for d, size in zip(v.shape, np.shape(value), strict=False):
            if shapes.is_symbol(d):
                shown[d] = size
    rest = [s for s in symbols if s not in shown]
    for sizes in _SIZES:
        endless = itertools.chain(sizes, itertools.count(max(sizes) + 1))
        free = (s for s in endless if s not in shown.values() or sizes == _SIZES[2])
        assigned = dict(zip(rest, free, strict=False))
        yield {**shown, **assigned}, assigned


Range = tuple[float, float]


def _ranges(missing: Sequence[Node], seed: int) -> Iterator[list[Range]]:
    """Where to draw each from: one range for all, then each its own."""
    rng = np.random.default_rng(seed)
    for choice in _RANGES:
        yield [_within(v, choice) for v in missing]
    for _ in range(_TRIES):
        yield [_within(v, _RANGES[rng.integers(len(_RANGES))]) for v in missing]


def _within(v: Node, choice: Range) -> Range:
    """A range inside what was declared of an input, clear of its ends."""
    low, high = declared(v)
    if low <= choice[0] and choice[1] <= high and (low, high) != (0.0, 1.0):
        return choice
    if np.isfinite(low) and np.isfinite(high):
        margin = (high - low) / 16
        return low + margin, high - margin
    return (low + 0.5, low + 2.0) if np.isfinite(low) else (high - 2.0, high - 0.5)


def _numbers(v: Node, between: Range, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    low, high = between
    if v.dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if v.dtype.kind in "iu":
        bottom, top = max(int(np.ceil(low)), 0), int(np.floor(high))
        return rng.integers(bottom, max(top, bottom) + 1, shape).astype(v.dtype)
    return rng.uniform(low, high, shape).astype(v.dtype)


def _sentence(
    assigned: Mapping[Any, int], missing: Sequence[Node], ranges: Sequence[Range], seed: int
) -> str:
    """What was drawn: `n = 3; x and w were drawn from -2 to 2 (seed 0)`."""
    parts = [", ".join(f"{s} = {size}" for s, size in assigned.items())] if assigned else []
    by_range: dict[Range, list[str]] = {}
    for v, r in zip(missing, ranges, strict=True):
        if "token" not in v.attrs:  # the user's own
            by_range.setdefault(r, []).append(str(v.name))
    for (low, high), names in by_range.items():
        were = "was" if len(names) == 1 else "were"
        parts.append(f"{in_words(names)} {were} drawn from {low:g} to {high:g} (seed {seed})")
    return "; ".join(parts)
