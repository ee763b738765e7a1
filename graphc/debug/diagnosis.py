"""A diagnosis: the first number that is not finite, told at the user's line, with a cure.

Every value is computed by the reference interpreter; nothing is compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..draw import Drawing, draw
from ..errors import MissingInput
from ..evaluate import bind, evaluate, interpret
from ..ir import Graph, Node, cuts_path, topo
from ..ops.leaves import constant
from ..printed import Printed
from ..wording import printable
from .origins import Array, Index, Trace, aligned, first, not_finite

_OF_INFINITIES = (
    "keep infinite numbers out of it: inf - inf, 0 * inf, inf / inf and the like have no value "
    "(a mask can be a large finite number)"
)
_TOO_LARGE = (
    "it is beyond the largest {dtype}, {largest:.2g}: scale what it is computed from, or compute "
    "with logarithms"
)
_GIVEN = "what is passed in for it holds it already: look where that comes from"


class Diagnosis(Printed):
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
        self,
        name: str,
        graph: Graph,
        values: Mapping[Node, Array],
        trace: Trace,
        results: Mapping[Node, str],
    ) -> None:
        self.name, self.graph = name, graph
        self._names = {**results, **graph.names}
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
            self.node = trace.earliest()
            self.index = trace.index[self.node]
            self._way = trace.way(self.node)

    def draw(self, **options: Any) -> Drawing:
        """The graph with its values, NaN and inf in red; the options are those of `gc.draw`.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> gc.compile(gc.sqrt(x) + 1).debug(-1.0).draw().svg[:4]
        '<svg'
        """
        return draw(self.graph, **{"values": self.values, "title": self.name, **options})

    def __str__(self) -> str:
        return "\n".join([*self._about_inputs(), *self._finding()])

    def _about_inputs(self) -> Iterator[str]:
        """What is wrong from the start is said first."""
        for v in self.graph.parameters:
            bad = not_finite(self.values[v])
            if v is not self.node and bad.any():
                yield f"the input {self._called(v)} is {self._seen(v, first(bad))}"

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
        yield from self._lines([v, *v.inputs], lambda x: index if x is v else aligned(v, index, x))
        yield from self._twin(v, index)
        steep = self._steep(v)
        if steep is not None:
            place = f" at {steep.where.place}" if steep.where else ""
            yield f"    the slope of {self._told(steep)}{place} is not finite there"
        yield f"    likely cure: {self._cure(v, index) if steep is None else steep.op.cure}"
        yield from self._onward()

    # Texts

    def _called(self, v: Node) -> str:
        return printable(self._names.get(v) or v.label)

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
            return aligned(v, index, x) if u.op.family == "elementwise" else None

        yield from self._lines([u, *u.inputs], at)

    def _cure(self, v: Node, index: Index) -> str:
        value = np.asarray(self.values[v])[index]
        if not v.inputs:
            return _GIVEN
        operands = (self.values[x] for x in v.inputs)
        if np.isnan(value) and any(not_finite(x).any() for x in operands):
            return _OF_INFINITIES
        largest = np.finfo(v.dtype).max
        return v.op.cure or _TOO_LARGE.format(dtype=v.dtype, largest=largest)

    def _steep(self, v: Node) -> Node | None:
        """What a gradient node is to be cured by: the forward operation whose slope is infinite."""
        if v.origin is None:
            return None
        near = [v.origin, *v.inputs, *(y for x in v.inputs for y in x.inputs)]
        found = (u for u in dict.fromkeys(near) if u.op.cure and _is_steep(u, self.values))
        return next(found, None)

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
                holds = bool(np.asarray(self.values[chooser])[aligned(v, index, chooser) or ()])
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
            if v.inputs and not_finite(self.values[v]).any()
            and not any(not_finite(self.values[x]).any() for x in v.inputs)
        ]  # fmt: skip
        for v in arising[:3]:
            place = f" ({v.where.place})" if v.where else ""
            seen = self._seen(v, first(not_finite(self.values[v])))
            yield f"    on the way, {self._told(v)}{place} gives {seen}, which reaches none of them"
        if len(arising) > 3:
            yield f"    and {len(arising) - 3} more like these"


def diagnosed(
    name: str, graph: Graph, args: Sequence[Any], results: Mapping[Node, str]
) -> Diagnosis:
    """What is not finite when a graph is computed at some arguments; results may have names."""
    given = dict(zip(graph.parameters, args, strict=True))
    values, sizes = bind([*graph.parameters, *graph.nodes], given)
    with np.errstate(all="ignore"):
        interpret(graph.nodes, values, sizes)
        trace = Trace(graph, values, sizes)
        found = Diagnosis(name, graph, values, trace, results)
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


def _is_steep(u: Node, values: Mapping[Node, Array]) -> bool:
    """Whether an operation on finite numbers has a derivative there that is not finite."""
    is_known = all(x in values and x.type.is_float for x in (u, *u.inputs))
    if u.op.bprop in (None, cuts_path) or not is_known:
        return False
    if any(not_finite(values[x]).any() for x in u.inputs):
        return False
    alone = u.op(*[constant(np.asarray(values[x])) for x in u.inputs], **u.attrs)
    one = constant(np.ones(np.shape(values[u]), u.dtype))
    assert u.op.bprop is not None
    slopes = [u.op.bprop(alone, i, one) for i in range(len(u.inputs))]
    return any(not_finite(slope).any() for slope in evaluate(slopes))


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
    numbers = array[~not_finite(array)]
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
