"""Slices of one value: what is done to each of them is done to all at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...ir import FUNCTIONS, Graph, Node, building_for
from ...ops.contract import contract
from ...ops.letters import letters_of
from ...ops.slices import Span

# So many slices make it worth it, and so many products.
_SLICES, _PRODUCTS = 2, 8


def slices_together(graph: Graph) -> dict[Node, Node]:
    """f(x[a:b]), f(x[b:c]), ... = y[a:b], y[b:c], ... for y = f(x[a:c]), element by element, and
    x[0] @ W, x[1] @ W, ... = y[0], y[1], ... for y = x @ W."""
    return _Slices(graph).becomes() if graph.count().get("getitem", 0) >= _SLICES else {}


class _Part(NamedTuple):
    """A value as the slice start:stop of another along an axis."""

    whole: Node
    axis: int
    start: int
    stop: int


class _Slices:
    """The slices of a graph, and what is computed of them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.position = {v: k for k, v in enumerate(graph.nodes)}
        self.part: dict[Node, _Part] = {}
        self.found: dict[Node, Node] = {}

    def becomes(self) -> dict[Node, Node]:
        """What takes the place of which node."""
        waiting: dict[tuple[Node, int], list[Node]] = {}
        rows: dict[Node, list[Node]] = {}
        for v in self.graph.nodes:
            part = _part(v)
            if part is not None:
                self.part[v] = part
                waiting.setdefault((part.whole, part.axis), []).append(v)
            elif v.op.name == "getitem" and row_of(v) is not None:
                rows.setdefault(v.inputs[0], []).append(v)
        for x, taken in rows.items():
            self._multiply(x, taken)
        while waiting:
            whole = next(iter(waiting))
            for v in self._joined(waiting.pop(whole)):
                part = self.part[v]
                waiting.setdefault((part.whole, part.axis), []).append(v)
        return self.found

    def _joined(self, parts: list[Node]) -> Iterator[Node]:
        """What is computed of some parts of one value, now parts of one result."""
        groups: dict[Any, list[Node]] = {}
        for x in parts:
            for v in self.graph.consumers(x):
                key = self._kind(v)
                if key is not None and v not in self.part:
                    groups.setdefault(key, []).append(v)
        for group in groups.values():
            group = list(dict.fromkeys(group))
            for run in self._runs(group):
                yield from self._join(run)

    def _kind(self, v: Node) -> Any:
        """What like operations have in common; None where an operand is neither part nor number."""
        if v.op.family != "elementwise" or not all(x in self.part or not x.ndim for x in v.inputs):
            return None
        # Counted from the last axis: there broadcasting has the axes of one another.
        axes = {self.part[x].axis - x.ndim for x in v.inputs if x in self.part}
        axis = axes.pop()
        if axes or any(x.ndim and x.shape[axis] != v.shape[axis] for x in v.inputs):
            return None  # one is stretched, or cut along another axis
        operands = [(p.whole, p.axis, x.ndim) if (p := self.part.get(x)) else x for x in v.inputs]
        return (v.op, tuple(v.attrs.items()), v.ndim, *operands)

    def _runs(self, group: list[Node]) -> Iterator[list[Node]]:
        """Those of some like operations whose operands follow one another."""
        group.sort(key=lambda v: [p.start for p in self._parts(v)])
        run: list[Node] = []
        for v in group:
            if run and any(
                p.stop != q.start for p, q in zip(self._parts(run[-1]), self._parts(v), strict=True)
            ):
                if len(run) >= _SLICES:
                    yield run
                run = []
            run.append(v)
        if len(run) >= _SLICES:
            yield run

    def _parts(self, v: Node) -> list[_Part]:
        return [self.part[x] for x in v.inputs if x in self.part]

    def _join(self, run: list[Node]) -> Iterator[Node]:
        first, last = run[0], run[-1]
        operands = []
        with building_for(first):
            for x, y in zip(first.inputs, last.inputs, strict=True):
                if x in self.part:
                    p = self.part[x]
                    x = _sliced(p.whole, p.axis, p.start, self.part[y].stop)
                operands.append(x)
            whole = first.op(*operands, **first.attrs)
        x = next(x for x in first.inputs if x in self.part)
        axis, start = self.part[x].axis + whole.ndim - x.ndim, 0
        for v in run:
            size = v.shape[axis]
            assert isinstance(size, int)
            self.part[v] = _Part(whole, axis, start, start + size)
            with building_for(v):
                self.found[v] = _sliced(whole, axis, start, start + size)
            start += size
            yield v

    def _multiply(self, x: Node, rows: list[Node]) -> None:
        """All rows of x times one matrix, which does not wait for any of them."""
        products: dict[Any, dict[int, Node]] = {}
        for row in rows:
            for v in self.graph.consumers(row):
                if v.op.name == "einsum" and len(v.inputs) == 2 and v.inputs[0] is not v.inputs[1]:
                    i = v.inputs.index(row)
                    key = v.inputs[1 - i], i, v.attrs["subscripts"]
                    products.setdefault(key, {})[row_of(row) or 0] = v
        for (other, i, _), product in products.items():
            first = min(product.values(), key=self.position.__getitem__)
            terms, out = letters_of(first)
            is_all = _PRODUCTS <= len(product) == x.shape[0]
            if not is_all or not is_plain_product(terms, out):
                continue
            if self.position[other] < self.position[first]:
                terms[i] = "z" + terms[i]
                operands = (x, other) if i == 0 else (other, x)
                with building_for(first):
                    whole = contract(f"{','.join(terms)}->z{out}", operands)
                for k, v in product.items():
                    with building_for(v):
                        self.found[v] = FUNCTIONS["getitem"](whole, k)


def row_of(v: Node) -> int | None:
    """The k of x[k]."""
    first, *others = v.attrs["index"]
    is_row = type(first) is int and all(isinstance(e, Span) and e.is_whole for e in others)
    return first if is_row else None


def _part(v: Node) -> _Part | None:
    """A node as a part of its operand, along the one axis that it does not take whole."""
    if v.op.name != "getitem" or not all(isinstance(e, Span) for e in v.attrs["index"]):
        return None
    cut = [(k, e) for k, e in enumerate(v.attrs["index"]) if not e.is_whole]
    if len(cut) != 1:
        return None
    (axis, (start, stop, step)) = cut[0]
    size = v.inputs[0].shape[axis]
    start, stop = 0 if start is None else start, size if stop is None else stop
    if step != 1 or type(start) is not int or type(stop) is not int or type(size) is not int:
        return None
    return _Part(v.inputs[0], axis, start, stop) if 0 <= start < stop <= size else None


def _sliced(x: Node, axis: int, start: int, stop: int) -> Node:
    if (start, stop) == (0, x.shape[axis]):
        return x
    found: Node = FUNCTIONS["getitem"](x, (*[slice(None)] * axis, slice(start, stop)))
    return found


def is_plain_product(terms: list[str], out: str) -> bool:
    """Whether it is a product of matrices or vectors, with one letter summed, or an outer one."""
    a, b = terms
    shared = set(a) & set(b)
    is_once = all(len(set(t)) == len(t) in (1, 2) for t in terms)
    return is_once and len(shared) <= 1 and sorted(set(a + b) - shared) == sorted(out) != []
