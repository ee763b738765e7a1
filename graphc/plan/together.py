"""Together: where arrays are small, a call costs more than its elements. So what an unrolled loop
does to one small value after the other is done to all of them at once, where the values are there.

The graph of the straight path alone is changed: large arrays would be copied for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..ir import FUNCTIONS, Graph, Node, building_for, is_number
from ..ops.contract import contract
from ..ops.letters import letters_of
from ..ops.slices import Span
from ..passes.rewrite import adopt
from ..passes.share import replaced

# So many like terms make a sum worth it, so many like products, and so many slices.
_TERMS, _PRODUCTS, _SLICES = 8, 8, 2


def together(graph: Graph, is_small: Callable[[Node], bool]) -> Graph:
    """The graph with one operation in place of many like ones; only small values are copied.

    >>> import graphc as gc
    >>> X, W = gc.input("X", (9, 4, 3)), gc.input("W", (3, 2))
    >>> total = sum(X[t].T @ gc.tanh(X[t] @ W) for t in range(9))
    >>> graph = gc.Graph([total])
    >>> graph.count()["einsum"], together(graph, lambda v: True).count()["einsum"]
    (18, 2)
    """
    counts = graph.count()
    if counts.get("again"):  # in low memory values are not kept until all of them are there
        return graph
    if counts.get("getitem", 0) >= _SLICES:
        graph = _with(graph, _Slices(graph).becomes())
    if counts.get("add", 0) + 1 >= _TERMS:
        graph = _with(graph, _Sums(graph, is_small).becomes())
    return graph


def _with(graph: Graph, becomes: dict[Node, Node]) -> Graph:
    for old, new in becomes.items():
        adopt(new, old)
    return replaced(graph, becomes)


# -- slices ---------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """A value as the slice start:stop of another along an axis."""

    whole: Node
    axis: int
    start: int
    stop: int


class _Slices:
    """f(x[a:b]), f(x[b:c]), ... = y[a:b], y[b:c], ... for y = f(x[a:c]), element by element, and
    x[0] @ W, x[1] @ W, ... = y[0], y[1], ... for y = x @ W."""

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
            elif v.op.name == "getitem" and _row(v) is not None:
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
        if v.op.family != "elementwise" or not all(
            x in self.part or not x.ndim for x in v.inputs
        ):
            return None
        # Counted from the last axis: there broadcasting has the axes of one another.
        axes = {self.part[x].axis - x.ndim for x in v.inputs if x in self.part}
        axis = axes.pop()
        if axes or any(x.ndim and x.shape[axis] != v.shape[axis] for x in v.inputs):
            return None  # one is stretched, or cut along another axis
        operands = [
            (p.whole, p.axis, x.ndim) if (p := self.part.get(x)) else x for x in v.inputs
        ]
        return (v.op, tuple(v.attrs.items()), v.ndim, *operands)

    def _runs(self, group: list[Node]) -> Iterator[list[Node]]:
        """Those of some like operations whose operands follow one another."""
        group.sort(key=lambda v: [p.start for p in self._parts(v)])
        run: list[Node] = []
        for v in group:
            if run and any(
                p.stop != q.start
                for p, q in zip(self._parts(run[-1]), self._parts(v), strict=True)
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
                    products.setdefault(key, {})[_row(row) or 0] = v
        for (other, i, _), product in products.items():
            first = min(product.values(), key=self.position.__getitem__)
            terms, out = letters_of(first)
            if len(product) != x.shape[0] or len(product) < _PRODUCTS or not _is_plain(terms, out):
                continue
            if self.position[other] < self.position[first]:
                terms[i] = "z" + terms[i]
                operands = (x, other) if i == 0 else (other, x)
                with building_for(first):
                    whole = contract(f"{','.join(terms)}->z{out}", operands)
                for k, v in product.items():
                    with building_for(v):
                        self.found[v] = FUNCTIONS["getitem"](whole, k)


def _row(v: Node) -> int | None:
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


# -- sums -----------------------------------------------------------------------------------------


class _Sums:
    """x0 @ y0 + x1 @ y1 + ... = (x0, x1, ...) @ (y0, y1, ...): the gradient of what a loop uses in
    each step. And y0 + y1 + ... = sum((y0, y1, ...)), and like functions of them are one, where
    these are put together anyhow."""

    def __init__(self, graph: Graph, is_small: Callable[[Node], bool]) -> None:
        self.graph, self.is_small = graph, is_small
        self.position = {v: k for k, v in enumerate(graph.nodes)}
        # By the axis along which it is, or None for a new one: what is put together, and the whole.
        self.joined: dict[tuple[int | None, tuple[Node, ...]], Node] = {}

    def becomes(self) -> dict[Node, Node]:
        """What takes the place of which sum."""
        made: dict[Node, list[Node]] = {}
        rest: dict[Node, list[Node]] = {}
        for root, terms in self._sums():
            with building_for(root):
                made[root], rest[root] = self._products(root, terms)
        for root, terms in rest.items():
            with building_for(root):
                for (axis, values), whole in self.joined.items():
                    added = _added_up(terms, axis, values)
                    if added and all(axis is None or self.graph.uses[v] == 1 for v in added):
                        terms[:] = [v for v in terms if v not in added]
                        made[root].append(FUNCTIONS["sum"](whole, axis=axis or 0))
        found = {}
        for root, products in made.items():
            if products:
                first, *others = [*products, *rest[root]]
                with building_for(root):
                    for v in others:
                        first = FUNCTIONS["add"](first, v)
                found[root] = first
        for (axis, values), whole in self.joined.items():
            if not axis:
                found |= self._functions(values, whole)
        return found

    def _functions(self, values: tuple[Node, ...], whole: Node) -> dict[Node, Node]:
        """f(y0), f(y1), ... = z[0], z[1], ... for z = f(y), where y0, y1, ... are put together
        anyhow and are there before the first of these: so are the slopes of a loop's steps."""
        found: dict[Node, Node] = {}
        with building_for(values[0]):
            stack = FUNCTIONS["reshape"](whole, (len(values), *values[0].shape))
        waiting = [(stack, {v: k for k, v in enumerate(values)})]
        there = max(self.position[v] for v in values)
        while waiting:
            stack, row = waiting.pop()
            groups: dict[Any, dict[Node, int]] = {}
            for x, k in row.items():
                for v in self.graph.consumers(x):
                    if self.position[v] > there and _is_function(v, x):
                        others = tuple(None if y is x else y for y in v.inputs)
                        groups.setdefault((v.op, v.type, *v.attrs.items(), others), {})[v] = k
            for (*_, others), like in groups.items():
                if len(like) >= _TERMS:
                    first = next(iter(like))
                    with building_for(first):
                        z = first.op(*(stack if y is None else y for y in others), **first.attrs)
                    for v, k in like.items():
                        with building_for(v):
                            found[v] = FUNCTIONS["getitem"](z, k)
                    waiting.append((z, like))
        return found

    def _sums(self) -> Iterator[tuple[Node, list[Node]]]:
        """The sums of many terms, and these, the last in the graph first."""
        inner: set[Node] = set()
        for root in reversed(self.graph.nodes):
            if root.op.name != "add" or root in inner or not root.ndim or not root.type.is_float:
                continue
            terms, waiting = [], list(root.inputs)
            while waiting:
                v = waiting.pop()
                if v.op.name == "add" and v.type == root.type and self.graph.uses[v] == 1:
                    inner.add(v)
                    waiting.extend(v.inputs)
                else:
                    terms.append(v)
            if len(terms) >= _TERMS:
                yield root, sorted(terms, key=self.position.__getitem__, reverse=True)

    def _products(self, root: Node, terms: list[Node]) -> tuple[list[Node], list[Node]]:
        """One product for many like ones among some terms, and the others."""
        groups: dict[Any, list[Node]] = {}
        for v in terms:
            kind = self._kind(v) if v.type == root.type else None
            groups.setdefault(kind, []).append(v)
        made, rest = [], groups.pop(None, [])
        for group in groups.values():
            if len(group) >= _TERMS and all(len({v.inputs[i] for v in group}) > 1 for i in (0, 1)):
                made.append(self._product(group))
            else:
                rest += group
        return made, rest

    def _kind(self, v: Node) -> Any:
        """What like products have in common; None where a value is none, or is no small one."""
        if v.op.name != "einsum" or len(v.inputs) != 2 or self.graph.uses[v] > 1:
            return None
        if not _is_plain(*letters_of(v)) or not all(map(self.is_small, v.inputs)):
            return None
        return v.attrs["subscripts"], *(x.type for x in v.inputs)

    def _product(self, group: list[Node]) -> Node:
        (a, b), out = letters_of(group[0])
        # The order is that of the values which are there last: they may be in other sums too.
        last = max((0, 1), key=lambda i: self.position[group[0].inputs[i]])
        group = sorted(group, key=lambda v: self.position[v.inputs[last]], reverse=True)
        left, right = (tuple(v.inputs[i] for v in group) for i in (0, 1))
        summed = next((c for c in a if c in b), None)
        if summed is None:
            operands = self._join(None, left), self._join(None, right)
            return contract(f"z{a},z{b}->{out}", operands)
        operands = self._join(a.index(summed), left), self._join(b.index(summed), right)
        return group[0].op(*operands, **group[0].attrs)

    def _join(self, axis: int | None, values: tuple[Node, ...]) -> Node:
        found = self.joined.get((axis, values))
        if found is None:
            found = self.joined[axis, values] = _whole(axis, values)
        return found


def _is_function(v: Node, x: Node) -> bool:
    """Whether v is computed element by element from x and numbers alone."""
    is_known = all(y is x or is_number(y) for y in v.inputs)
    return v.op.family == "elementwise" and v.shape == x.shape and is_known


def _added_up(terms: list[Node], axis: int | None, values: tuple[Node, ...]) -> set[Node]:
    """Those of some terms that add up values: themselves, or the sums of each along an axis."""
    if axis is None:
        found = set(values)
        is_there = found <= set(terms)
    else:
        sums = {
            v.inputs[0]: v for v in terms
            if v.op.name == "sum" and v.attrs["axis"] == (axis,) and not v.attrs["keepdims"]
        }
        is_there = all(v in sums for v in values)
        found = {sums[v] for v in values} if is_there else set()
    is_once = len(found) == len(values) and sum(v in found for v in terms) == len(values)
    return found if is_there and is_once else set()


def _is_plain(terms: list[str], out: str) -> bool:
    """Whether it is a product of matrices or vectors, with one letter summed, or an outer one."""
    a, b = terms
    shared = set(a) & set(b)
    is_once = all(len(set(t)) == len(t) in (1, 2) for t in terms)
    return is_once and len(shared) <= 1 and sorted(set(a + b) - shared) == sorted(out) != []


def _whole(axis: int | None, values: tuple[Node, ...]) -> Node:
    """Values along an axis, or along a new first one."""
    x, f = values[0], FUNCTIONS
    whole: Node
    shape = (len(values), *x.shape)
    if axis in (0, None) and x.op.name == "getitem":
        source: Node = x.inputs[0]
        is_all = source.shape == shape and all(
            v.op.name == "getitem" and v.inputs[0] is source and _row(v) == k
            for k, v in enumerate(values)
        )
        if is_all:
            whole = source if axis is None else f["reshape"](source, (-1, *x.shape[1:]))
            return whole
    whole = f["concat"](values, axis or 0)
    return whole if axis is not None else f["reshape"](whole, shape)
