"""Debug: where the first NaN or inf of a run comes from, and what to do about it.

Every value is computed by the reference interpreter; then the way is followed back from a result
that is not finite, element by element: an operand is to blame if the element becomes finite, or
another, once finite numbers stand in the operand. So a branch that `where` does not take is not
blamed, nor an overflow that a later division makes 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .draw import Drawing, draw
from .errors import MissingInput, printable
from .evaluate import bind, interpret
from .ir import Graph, Node, topo

Array = Any
Index = tuple[int, ...]

_OF_INFINITIES = (
    "keep infinite numbers out of it: inf - inf, 0 * inf, inf / inf and the like have no value "
    "(a mask can be a large finite number)"
)
_TOO_LARGE = (
    "it is beyond the largest {dtype}, {largest:.2g}: scale what it is computed from, or compute "
    "with logarithms"
)
_GIVEN = "what is passed in for it holds it already: look where that comes from"


class Diagnosis:
    """What `f.debug(...)` found. `ok` tells whether all results are finite, printing it tells all.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> f = gc.compile(gc.sum(gc.log(x)), name="likelihood")
    >>> f.debug([1.0, 2.0]).ok
    True
    >>> found = f.debug([1.0, 0.0, 2.0])
    >>> found.ok, found.node.op.name, found.index
    (False, 'log', (1,))
    """

    def __init__(
        self, name: str, graph: Graph, values: Mapping[Node, Array], trace: _Trace
    ) -> None:
        self.name, self.graph = name, graph
        self.values = dict(values)
        """What every node of the graph is, as `gc.draw(f, values=...)` takes it."""
        self.ok = not trace.starts
        """Whether every result is finite."""
        self.node: Node | None = None
        """Which node is the first to hold NaN or inf that reaches a result."""
        self.index: Index | None = None
        """Where, in that node."""
        self._trace = trace
        self._way: list[Node] = []
        if not self.ok:
            self.node = trace.first()
            self.index = trace.index[self.node]
            self._way = trace.way(self.node)

    def draw(self, **options: Any) -> Drawing:
        """The graph with its values, what holds NaN in red; the options are those of `gc.draw`.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> gc.compile(gc.sqrt(x) + 1).debug(-1.0).draw().svg[:4]
        '<svg'
        """
        return draw(self.graph, **{"values": self.values, "title": self.name, **options})

    def __str__(self) -> str:
        return "\n".join([*self._about_inputs(), *self._finding()])

    __repr__ = __str__

    def _about_inputs(self) -> Iterator[str]:
        """What is wrong from the start is said first."""
        for v in self.graph.parameters:
            bad = _not_finite(self.values[v])
            if v is not self.node and bad.any():
                yield f"the input {self._called(v)} is {self._seen(v, _first(bad))}"

    def _finding(self) -> Iterator[str]:
        v, index = self.node, self.index
        if v is None or index is None:
            yield from self._on_the_way()
            return
        of = "the input " if v.op.name == "input" else ""
        role = f", in the gradient of {v.origin.op.name}," if v.origin is not None else ""
        is_ = f"is {_element(self.values[v], index)}"
        result = "" if v is self._way[-1] else f" on the way to {self._called(self._way[-1])}"
        yield f"{of}{self._told(v)}{role} {is_}: the first number that is not finite{result}"
        if v.where is not None:
            yield from (f"    {line}" for line in v.where.underlined())
        yield from self._lines([v, *v.inputs], lambda x: index if x is v else _aligned(v, index, x))
        yield from self._twin(v, index)
        yield f"    likely cure: {self._cure(v, index)}"
        yield from self._onward()

    # Texts

    def _called(self, v: Node) -> str:
        return printable(self.graph.names.get(v) or v.label)

    def _told(self, v: Node) -> str:
        """A node by the name that it has, and by what it does."""
        name = self._called(v)
        return name if name == v.op.name or not v.inputs else f"{name} = {v.op.name}(...)"

    def _seen(self, v: Node, index: Index | None) -> str:
        return _summary(self.values[v], index)

    def _lines(self, nodes: Sequence[Node], at: Any) -> Iterator[str]:
        """Operands, in the way of errors, with what they are."""
        shown = [x for x in dict.fromkeys(nodes) if x in self.values]
        width = max((len(self._called(x)) for x in shown), default=0)
        for x in shown:
            kind = x.type.with_shape(np.shape(self.values[x]))
            place = f"    {x.where.place}" if x.where and x.op.name != "constant" else ""
            yield f"        {self._called(x):{width}} : {kind}{place}    {self._seen(x, at(x))}"

    def _twin(self, v: Node, index: Index) -> Iterator[str]:
        """The forward node that a gradient was built for, and its values."""
        u = v.origin
        if u is None or u not in self.values:
            return
        yield f"    it was built for {self._told(u)}:"

        def at(x: Node) -> Index | None:
            return _aligned(v, index, x) if u.op.family == "elementwise" else None

        yield from self._lines([u, *u.inputs], at)

    def _cure(self, v: Node, index: Index) -> str:
        value = np.asarray(self.values[v])[index]
        if not v.inputs:
            return _GIVEN
        operands = (self.values[x] for x in v.inputs)
        if np.isnan(value) and any(_not_finite(x).any() for x in operands):
            return _OF_INFINITIES
        if v.origin is not None and v.origin.op.cure:
            return v.origin.op.cure
        largest = np.finfo(v.dtype).max
        return v.op.cure or _TOO_LARGE.format(dtype=v.dtype, largest=largest)

    def _onward(self) -> Iterator[str]:
        """By which way it comes to a result."""
        between = [self._called(v) for v in self._way[1:-1]]
        if len(between) > 6:
            between[3:-2] = [f"{len(between) - 5} more"]
        if between:
            yield f"    it reaches {self._called(self._way[-1])} by way of {', '.join(between)}"
        for v in self._way[1:]:
            if v.op.name == "where":
                index = self._trace.index[v]
                chooser = v.inputs[0]
                holds = bool(np.asarray(self.values[chooser])[_aligned(v, index, chooser) or ()])
                place = f" ({v.where.place})" if v.where else ""
                yield (
                    f"    gc.where takes it{place}: its condition is {holds} at {list(index)}, "
                    "so it does not keep the bad values out"
                )
                return

    def _on_the_way(self) -> Iterator[str]:
        """Nothing is wrong with the results: what is not finite inside them is named."""
        yield f"{self.name}: every result is finite"
        arising = [
            v for v in self.graph.nodes
            if v.inputs and _not_finite(self.values[v]).any()
            and not any(_not_finite(self.values[x]).any() for x in v.inputs)
        ]  # fmt: skip
        for v in arising[:3]:
            place = f" ({v.where.place})" if v.where else ""
            seen = self._seen(v, _first(_not_finite(self.values[v])))
            yield f"    on the way, {self._told(v)}{place} gives {seen}, which reaches none of them"
        if len(arising) > 3:
            yield f"    and {len(arising) - 3} more like these"


def diagnosed(name: str, graph: Graph, args: Sequence[Any]) -> Diagnosis:
    """What is not finite when a graph is computed at some arguments."""
    given = dict(zip(graph.parameters, args, strict=True))
    values, sizes = bind([*graph.parameters, *graph.nodes], given)
    with np.errstate(all="ignore"):
        interpret(graph.nodes, values, sizes)
        trace = _Trace(graph, values, sizes)
        found = Diagnosis(name, graph, values, trace)
        _add_twin(found, values, sizes)
    return found


def _add_twin(found: Diagnosis, values: dict[Node, Array], sizes: Mapping[str, int]) -> None:
    """Compute the forward node of a gradient, which a program need not hold."""
    twin = found.node.origin if found.node is not None else None
    order = topo([twin]) if twin is not None else []
    if twin is None or not all(v in values for v in order if v.op.name == "input"):
        return
    extended = dict(values)
    try:
        interpret(order, extended, sizes)
    except MissingInput:  # a size that only the forward graph shows
        return
    found.values.update({v: extended[v] for v in (twin, *twin.inputs)})


class _Cause(NamedTuple):
    """An element of an operand that makes an element of the result what it is."""

    node: Node
    at: Index


class _Trace:
    """The ways from results that are not finite back to where that begins."""

    def __init__(
        self, graph: Graph, values: Mapping[Node, Array], sizes: Mapping[str, int]
    ) -> None:
        self.values, self.sizes = values, sizes
        self._place = {v: k for k, v in enumerate(graph.nodes)}
        self.bad = {v for v in graph.nodes if v.type.is_float and _not_finite(values[v]).any()}
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
            self.index[start] = _first(_not_finite(self.values[start]))
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

    def first(self) -> Node:
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
    """An element of a node, computed again with finite numbers in place of bad ones."""

    def __init__(
        self, v: Node, index: Index, values: Mapping[Node, Array], sizes: Mapping[str, int]
    ) -> None:
        self.v, self.index, self.sizes = v, index, sizes
        self.aligned: dict[Node, Index] = {}
        inputs = dict.fromkeys(v.inputs)
        if v.op.family == "elementwise":  # one element of each operand is enough
            self.aligned = {x: _aligned(v, index, x) or () for x in inputs}
            self.given = {x: np.asarray(values[x])[self.aligned[x]] for x in inputs}
            self.index = ()
        else:
            self.given = {x: values[x] for x in inputs}
        # A number that the operation takes: it lies where those of its examples do.
        low, high = v.op.examples[0].between if v.op.examples else (0.0, 1.0)
        self.fill = low + 0.7 * (high - low)

    def with_dirt(self, kept: Mapping[Node, Array | None]) -> Any:
        """The element where some operands keep their bad elements, all or those at flat places."""
        values = dict(self.given)
        for x, value in self.given.items():
            bad = _not_finite(value)
            if x in kept:
                bad.flat[slice(None) if kept[x] is None else kept[x]] = False
            if bad.any():
                values[x] = np.where(bad, np.asarray(self.fill, x.dtype), value)[()]
        interpret([self.v], values, self.sizes)
        return np.asarray(values[self.v])[self.index]

    def first_in(self, x: Node) -> Index:
        return self.aligned[x] if self.aligned else _first(_not_finite(self.given[x]))

    def index_in(self, x: Node) -> Index:
        """Which bad element of an operand is enough to spoil the result: found by halving."""
        if self.aligned:
            return self.aligned[x]
        places = np.flatnonzero(_not_finite(self.given[x]))
        while len(places) > 1:
            halves = np.array_split(places, 2)
            spoils = (h for h in halves if not np.isfinite(self.with_dirt({x: h})))
            half = next(spoils, None)
            if half is None:
                break
            places = half
        return tuple(int(i) for i in np.unravel_index(places[0], np.shape(self.given[x])))


def _not_finite(value: Array) -> Array:
    array = np.asarray(value)
    return ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)


def _first(bad: Array) -> Index:
    """Where the first true element stands."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))


def _aligned(v: Node, index: Index, x: Node) -> Index | None:
    """The element of an operand that goes with one of the result; None if that is not one."""
    if v.op.family != "elementwise" or x.ndim > len(index):
        return None
    last = index[len(index) - x.ndim :]
    return tuple(0 if d == 1 else i for d, i in zip(x.shape, last, strict=True))


def _summary(value: Array, index: Index | None) -> str:
    """An element of an array, and what is to be seen of all of it."""
    array = np.asarray(value)
    if not array.ndim:
        return _number(array)
    told = [_element(array, index)] if index is not None else []
    if array.dtype.kind == "f":
        counts = {"NaN": np.isnan(array).sum(), "inf": np.isposinf(array).sum()}
        counts["-inf"] = np.isneginf(array).sum()
        bad = [f"{count:,} {what}" for what, count in counts.items() if count]
        if bad:
            told.append(f"{' and '.join(bad)} among {array.size:,} elements")
    numbers = array[~_not_finite(array)]
    if numbers.size and array.dtype.kind != "b":
        low, high = _number(numbers.min()), _number(numbers.max())
        told.append(f"numbers from {low} to {high}" if low != high else f"numbers {low}")
    return ", ".join(told) or "no elements"


def _element(value: Array, index: Index) -> str:
    return _number(np.asarray(value)[index]) + (f" at {list(index)}" if index else "")


def _number(value: Any) -> str:
    if value != value:
        return "NaN"
    return f"{float(value):.6g}" if np.asarray(value).dtype.kind == "f" else str(value)
