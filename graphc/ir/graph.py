"""`Graph`: some outputs and what they are computed from, a closed set that can be rewritten."""

from __future__ import annotations

import functools
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, InvalidGraph, MissingInput, NameClash, ShapeError
from .declared import declaration
from .functions import FUNCTIONS
from .node import Node, applied, is_number, listed, operands
from .op import Op
from .walks import ancestors, consumers, rebuild, topo

if TYPE_CHECKING:
    import networkx


_inputs_of = operator.attrgetter("inputs")


class Graph:
    """Some outputs and everything they are computed from, as a function of `parameters`.

    The book's words: `operation(v)` made v; its parents are `inputs(v)`, its children
    `consumers(v)`.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> s = gc.sin(x)
    >>> graph = gc.Graph([x * s])
    >>> graph
    graph(x)
      x : f64[] = input
      s : f64[] = sin(x)
      multiply : f64[] = multiply(x, s)
      return multiply
    >>> graph.operation(s), graph.inputs(s), [c.op for c in graph.consumers(s)]
    (Op(sin), (<x: f64[] = input>,), [Op(multiply)])
    >>> graph.ancestors(s) == {x, s}, graph.descendants(s) == {s, *graph.outputs}
    (True, True)
    >>> graph.names[s], graph.tags[graph.outputs[0]], graph.count()["sin"]
    ('s', 'multiply', 1)
    >>> graph.applied(s)
    'sin(x)'
    >>> graph.by_op["sin"], graph.not_floats
    ([<s: f64[] = sin(x)>], [])
    >>> print(graph.listing([graph.line(s)]))
    graph(x)
      s : f64[] = sin(x)
      return multiply
    """

    def __init__(self, outputs: Iterable[Node], parameters: Iterable[Node] | None = None) -> None:
        self.outputs = listed(outputs, "outputs")
        self.nodes = topo(self.outputs)
        self.by_op: dict[str, list[Node]] = {}  # the nodes of each op, in order
        for v in self.nodes:
            self.by_op.setdefault(v.op.name, []).append(v)
        free = self.by_op.get("input", [])
        refuse_shared_names(free)
        if parameters is None:
            self.parameters = tuple(sorted(free, key=declaration))
        else:
            self.parameters = listed(parameters, "inputs")
            for v, times in Counter(self.parameters).items():
                if v.op.name != "input" or times > 1:
                    reason = f"{v.label} twice" if times > 1 else f"{v.label}, which is computed"
                    said = f"inputs are what gc.input made, each once, not {reason}"
                    raise ArgumentError(said).locate(operands([v]))
            refuse_shared_names(self.parameters)
        missing = sorted(set(free) - set(self.parameters), key=lambda v: str(v.name))
        if missing:
            names = ", ".join(str(v.name) for v in missing)
            said = f"the graph needs {names}, which its inputs do not list"
            raise MissingInput(said).locate(operands(missing))

    def __reduce__(self) -> tuple[Any, ...]:
        return Graph, (self.outputs, self.parameters)

    def __copy__(self) -> Graph:
        return self

    def __deepcopy__(self, memo: object) -> Graph:
        return self

    @functools.cached_property
    def _consumers(self) -> dict[Node, list[Node]]:
        return consumers(self.nodes)

    def operation(self, v: Node) -> Op:
        """The book's get_operation: the op that computes v."""
        return v.op

    def inputs(self, v: Node) -> tuple[Node, ...]:
        """The book's get_inputs: what v is computed from."""
        return v.inputs

    def consumers(self, v: Node) -> tuple[Node, ...]:
        """The book's get_consumers: the nodes of this graph that v is an input of."""
        return tuple(self._consumers[v])

    @functools.cached_property
    def uses(self) -> dict[Node, int]:
        """How many consumers each node has; to be an output is one more.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> gc.Graph([gc.sin(x) * gc.cos(x)]).uses[x]
        2
        """
        found = Counter(chain.from_iterable(map(set, map(_inputs_of, self.nodes))))
        found.update(self.outputs)
        return dict(found)

    def ancestors(self, v: Node) -> set[Node]:
        """What v is computed from, itself included."""
        return ancestors([v])

    def descendants(self, *sources: Node) -> set[Node]:
        """What is computed from any of the sources, themselves included."""
        reached = {v for v in sources if v in self}
        for v in self.nodes:
            if not reached.isdisjoint(v.inputs):
                reached.add(v)
        return reached

    def substitute(self, replacements: Mapping[Node, Node]) -> Graph:
        """This graph with some nodes replaced by others of the same type.

        >>> import graphc as gc
        >>> x, y = gc.input("x", ()), gc.input("y", ())
        >>> gc.Graph([gc.sin(x)]).substitute({x: y * y}).outputs[0]
        <sin: f64[] = sin(multiply)>
        """
        for old, new in replacements.items():
            listed((old, new), "what is replaced and its substitute")
            if old.type != new.type:
                raise ShapeError(f"{old.label} is {old.type}, and its substitute is {new.type}")
        return self.rewritten(replacements=replacements)

    def rewritten(
        self,
        rule: Callable[[Node], Node] = lambda node: node,
        replacements: Mapping[Node, Node] | None = None,
    ) -> Graph:
        """This graph with a rule applied to every node, inputs first.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> def to_cosines(v):
        ...     return gc.cos(*v.inputs) if v.op is gc.sin else v
        >>> gc.Graph([gc.sin(x)]).rewritten(to_cosines).outputs[0]
        <cos: f64[] = cos(x)>
        """
        new = rebuild(self.nodes, rule, replacements)
        if all(old is node for old, node in new.items()):
            return self
        outputs = [new[v] for v in self.outputs]
        if not replacements:
            return Graph(outputs, self.parameters)
        # A parameter that is replaced gives way to what its substitute needs.
        kept = [p for p in self.parameters if new.get(p, p) is p]
        needed = [v for v in topo(outputs) if v.op.name == "input"]
        return Graph(outputs, dict.fromkeys([*kept, *needed]))

    @functools.cached_property
    def names(self) -> dict[Node, str]:
        """What the user calls nodes: given names, then the variables they were assigned to."""
        names: dict[Node, str] = {}
        for v in self.nodes:
            name = v.name or self._assigned_name(v)
            if name is None and v.adjoint_of in names:
                name = f"grad_{names[v.adjoint_of]}"
            if name is not None:
                names[v] = name
        return names

    def _assigned_name(self, v: Node) -> str | None:
        if v.origin is not None or v.where is None or v.op.family == "leaf":
            return None
        # One call may build several nodes; the variable holds the last of them. A consumer of
        # another op on the same instruction means that v is not the last.
        siblings = (c for c in self._consumers[v] if c.origin is None and c.where == v.where)
        if any(c.op is not v.op for c in siblings):
            return None
        return v.where.assigned_name

    def typecheck(self) -> None:
        """Infer every type again: a graph that a pass has left is as sound as one just built.

        >>> import graphc as gc
        >>> gc.Graph([gc.exp(gc.input("x", ()))]).typecheck()
        """
        for v in self.nodes:
            inferred = v.op.infer(*[x.type for x in v.inputs], **v.attrs)
            if inferred != v.type:
                raise InvalidGraph(f"{v.label} is said to be {v.type}, and is {inferred}")

    def to_networkx(self) -> networkx.MultiDiGraph:
        """A view for graph algorithms: an edge from each input, keyed by its position.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> gc.Graph([x * x]).to_networkx().number_of_edges()
        2
        """
        import networkx

        graph = networkx.MultiDiGraph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from((x, v, i) for v in self.nodes for i, x in enumerate(v.inputs))
        return graph

    @functools.cached_property
    def not_floats(self) -> list[Node]:
        """The nodes whose elements are truth values or integers."""
        return [v for v in self.nodes if v.type.dtype.kind != "f"]

    def count(self) -> Counter[str]:
        """How many nodes there are of each op."""
        return Counter({name: len(nodes) for name, nodes in self.by_op.items()})

    def __contains__(self, v: object) -> bool:
        return v in self._consumers

    def __len__(self) -> int:
        return len(self.nodes)

    @functools.cached_property
    def tags(self) -> dict[Node, str]:
        """A name for each node that no other has: the user's or the op's, numbered."""
        tags: dict[Node, str] = {}
        used: Counter[str] = Counter()
        for v in self.nodes:
            base = self.names.get(v, v.op.name)
            tags[v] = base if not used[base] else f"{base}_{used[base]}"
            used[base] += 1
        return tags

    def line(self, v: Node) -> str:
        """`z : f64[n] = einsum(X, w, subscripts=ij,j->i)`"""
        return f"{self.tags[v]} : {v.type} = {self.applied(v)}"

    def applied(self, v: Node) -> str:
        """`einsum(X, w, subscripts=ij,j->i)`"""
        return applied(v, [self.tags[x] for x in v.inputs])

    def listing(self, lines: Iterable[str]) -> str:
        """Some lines between the inputs and the outputs."""
        head = f"graph({', '.join(str(p.name) for p in self.parameters)})"
        foot = f"return {', '.join(self.tags[v] for v in self.outputs)}"
        return "\n  ".join([head, *lines, foot])

    def __repr__(self) -> str:
        """Every node, a line each; numbers stand where they are used."""
        return self.listing(
            self.line(v)
            for v in self.nodes
            if not is_number(v) or v in self.outputs
        )

    def __str__(self) -> str:
        """As it is printed: like its picture, folded where it is large."""
        return FUNCTIONS["folded_listing"](self)  # type: ignore[no-any-return]


def refuse_shared_names(inputs: Iterable[Node]) -> None:
    """Raise where two inputs have one name: a value that is given by it could be for either."""
    seen: dict[str | None, Node] = {}
    for v in inputs:
        other = seen.setdefault(v.name, v)
        if other is not v:
            said = f"two inputs of one graph are called {v.name!r}"
            raise NameClash(said).locate(operands([other, v]))
