"""Long sums: products are one product, and other terms one array, which is added up at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...ir import FUNCTIONS, Graph, Node, building_for, is_number
from ...ops.contract import contract
from ...ops.letters import letters_of
from .together_slices import is_plain_product, row_of

# So many like terms make it worth it.
_TERMS = 8


def sums_together(graph: Graph, is_small: Callable[[Node], bool]) -> dict[Node, Node]:
    """x0 @ y0 + x1 @ y1 + ... = (x0, x1, ...) @ (y0, y1, ...): the gradient of what a loop uses in
    each step. And y0 + y1 + ... = sum((y0, y1, ...)), and like functions of them are one, where
    these are put together anyhow."""
    return _Sums(graph, is_small).becomes() if graph.count().get("add", 0) + 1 >= _TERMS else {}


class _Sums:
    """The long sums of a graph, and what is put together for them."""

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
        if not is_plain_product(*letters_of(v)) or not all(map(self.is_small, v.inputs)):
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
            v.inputs[0]: v
            for v in terms
            if v.op.name == "sum" and v.attrs["axis"] == (axis,) and not v.attrs["keepdims"]
        }
        is_there = all(v in sums for v in values)
        found = {sums[v] for v in values} if is_there else set()
    is_once = len(found) == len(values) and sum(v in found for v in terms) == len(values)
    return found if is_there and is_once else set()


def _whole(axis: int | None, values: tuple[Node, ...]) -> Node:
    """Values along an axis, or along a new first one."""
    x, f = values[0], FUNCTIONS
    whole: Node
    shape = (len(values), *x.shape)
    if axis in (0, None) and x.op.name == "getitem":
        source: Node = x.inputs[0]
        is_all = source.shape == shape and all(
            v.op.name == "getitem" and v.inputs[0] is source and row_of(v) == k
            for k, v in enumerate(values)
        )
        if is_all:
            whole = source if axis is None else f["reshape"](source, (-1, *x.shape[1:]))
            return whole
    whole = f["concat"](values, axis or 0)
    return whole if axis is not None else f["reshape"](whole, shape)
