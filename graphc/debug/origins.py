"""Origins: from results that are not finite back to where that begins, element by element.

An operand is to blame for an element if that becomes finite, or another, once finite numbers stand
in the operand. So a branch that `where` does not take is not blamed, nor an overflow that a later
division makes 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..evaluate import interpret
from ..ir import Graph, Node
from ..ops.letters import letters_of

Array = Any
Index = tuple[int, ...]


class _Cause(NamedTuple):
    """An element of an operand that makes an element of the result what it is."""

    node: Node
    at: Index


class Trace:
    """The ways from results that are not finite back to where that begins."""

    def __init__(
        self, graph: Graph, values: Mapping[Node, Array], sizes: Mapping[str, int]
    ) -> None:
        self.values, self.sizes = values, sizes
        self._place = {v: k for k, v in enumerate(graph.nodes)}
        self.bad = {v for v in graph.nodes if v.type.is_float and not_finite(values[v]).any()}
        self.starts = [v for v in dict.fromkeys(graph.outputs) if v in self.bad]
        self.index: dict[Node, Index] = {}
        self.next: dict[Node, Node] = {}
        """For each node that was come to, the one it is an operand of, on the way to a result."""
        self.origins: list[Node] = []
        self._follow()

    def _follow(self) -> None:
        for start in self.starts:
            if start in self.index:
                continue
            self.index[start] = first(not_finite(self.values[start]))
            stack = [start]
            while stack:
                v = stack.pop()
                causes = self._causes(v, self.index[v])
                if not causes:
                    self.origins.append(v)
                for x, index in causes:
                    if x not in self.index:
                        self.index[x], self.next[x] = index, v
                        stack.append(x)

    def earliest(self) -> Node:
        """An input if one is to blame, else the earliest operation, else a constant's first NaN."""

        def rank(v: Node) -> tuple[int, int]:
            kind = 0 if v.op.name == "input" else 1 if v.inputs else 2
            return kind, self._place[v]

        found = min(self.origins, key=rank)
        if found.inputs or found.op.name == "input" or np.isnan(self._at(found)):
            return found
        # An infinite constant is meant; what is not is that it becomes NaN.
        return next((v for v in self.way(found) if np.isnan(self._at(v))), found)

    def way(self, v: Node) -> list[Node]:
        """From a node to the result that it spoils."""
        found = [v]
        while found[-1] in self.next:
            found.append(self.next[found[-1]])
        return found

    def _at(self, v: Node) -> Any:
        return np.asarray(self.values[v])[self.index[v]]

    def _causes(self, v: Node, index: Index) -> list[_Cause]:
        """The operands' elements that make v's element bad; none where v itself does."""
        suspects = [x for x in dict.fromkeys(v.inputs) if x in self.bad]
        if not suspects:
            return []
        trial = _Trial(v, index, self.values, self.sizes)
        clean = trial.with_dirt({})
        found = []
        for x in suspects:
            dirty = trial.with_dirt({x: None})
            if not np.isfinite(dirty) and not np.array_equal(clean, dirty, equal_nan=True):
                found.append(_Cause(x, trial.index_in(x)))
        if not found and np.isfinite(clean):  # they do it together, as in minimum(inf, inf)
            found = [_Cause(x, trial.first_in(x)) for x in suspects]
        return found


class _Trial:
    """An element of a node, computed again with finite numbers in place of bad ones.

    Of each operand only the piece is taken that the element depends on, where that is known.
    """

    def __init__(
        self, v: Node, index: Index, values: Mapping[Node, Array], sizes: Mapping[str, int]
    ) -> None:
        self.v, self.index, self.sizes = v, index, sizes
        self.given = {x: values[x] for x in v.inputs}
        self.start: dict[Node, Index] = {x: (0,) * x.ndim for x in v.inputs}
        starts = {(x, at) for x, at in zip(v.inputs, _pieces(v, index), strict=True) if x.ndim}
        if _is_cut(v) and len(starts) == len({x for x, _ in starts}):
            self.index = (0,) * v.ndim
            for x, at in starts:
                piece = tuple(slice(i, None if i is None else i + 1) for i in at)
                self.given[x] = values[x][piece]
                self.start[x] = tuple(i or 0 for i in at)
        # A number that the operation takes: it lies where those of its examples do.
        low, high = v.op.examples[0].between if v.op.examples else (0.0, 1.0)
        self.fill = low + 0.7 * (high - low)

    def with_dirt(self, kept: Mapping[Node, Array | None]) -> Any:
        """The element where some operands keep their bad elements, all or those at flat places."""
        values = dict(self.given)
        for x, value in self.given.items():
            bad = not_finite(value)
            if x in kept:
                bad.flat[slice(None) if kept[x] is None else kept[x]] = False
            if bad.any():
                values[x] = np.where(bad, np.asarray(self.fill, x.dtype), value)[()]
        try:
            interpret([self.v], values, self.sizes)
        except np.linalg.LinAlgError:  # a matrix of one number everywhere has no inverse
            return np.nan
        return np.asarray(values[self.v])[self.index]

    def first_in(self, x: Node) -> Index:
        """The first bad element of an operand, as far as it matters."""
        return self._whole(x, int(np.argmax(not_finite(self.given[x]))))

    def index_in(self, x: Node) -> Index:
        """Which bad element of an operand is enough to spoil the result: found by halving."""
        places = np.flatnonzero(not_finite(self.given[x]))
        while len(places) > 1:
            halves = np.array_split(places, 2)
            spoils = (h for h in halves if not np.isfinite(self.with_dirt({x: h})))
            half = next(spoils, None)
            if half is None:
                break
            places = half
        return self._whole(x, int(places[0]))

    def _whole(self, x: Node, place: int) -> Index:
        """Where an element of the piece of an operand stands in all of it."""
        found = np.unravel_index(place, np.shape(self.given[x]))
        return tuple(int(i) + s for i, s in zip(found, self.start[x], strict=True))


def _is_cut(v: Node) -> bool:
    return v.op.family in ("elementwise", "reduce", "contract")


def _pieces(v: Node, index: Index) -> Iterator[tuple[int | None, ...]]:
    """For each operand, along each axis, which index alone matters; None where all do."""
    if v.op.family == "contract":
        terms, out = letters_of(v)
        known = dict(zip(out, index, strict=True))
        yield from (tuple(map(known.get, term)) for term in terms)
    elif v.op.family == "reduce":
        (x,), summed = v.inputs, v.attrs["axis"]
        rest = iter(index)
        if v.attrs["keepdims"]:
            yield tuple(None if k in summed else i for k, i in enumerate(index))
        else:
            yield tuple(None if k in summed else next(rest) for k in range(x.ndim))
    else:
        yield from (aligned(v, index, x) or () for x in v.inputs)


def not_finite(value: Array) -> Array:
    """Where an array holds NaN or inf."""
    array = np.asarray(value)
    return ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)


def first(bad: Array) -> Index:
    """Where the first true element stands."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))


def aligned(v: Node, index: Index, x: Node) -> Index | None:
    """The element of an operand that goes with one of the result; None if that is not one."""
    if v.op.family != "elementwise" or x.ndim > len(index):
        return None
    last = index[len(index) - x.ndim :]
    return tuple(0 if d == 1 else i for d, i in zip(x.shape, last, strict=True))
