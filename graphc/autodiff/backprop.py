"""Reverse mode by the book: Algorithm 6.5 prunes, Algorithm 6.6 builds the table of gradients.

The gradients are nodes built on top of the graph; nothing is interpreted and nothing recurses.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .. import forms
from ..errors import (
    ArgumentError,
    Disconnected,
    GraphcError,
    InvalidGraph,
    NotDifferentiable,
    ShapeError,
)
from ..ir import (
    FUNCTIONS,
    OPS,
    Graph,
    Node,
    building_for,
    cuts_path,
    is_literal,
    lift,
    listed,
    no_node,
    operands,
    tell,
    topo,
)
from ..wording import a_kind, counted


class Contribution(NamedTuple):
    """What a consumer C of V adds to V's gradient: op.bprop(inputs, V, D), D being C's own."""

    consumer: Node
    position: int
    gradient: Node


class Step(NamedTuple):
    """One entry of the table as it came about: V, its consumers' contributions, their sum."""

    node: Node
    contributions: tuple[Contribution, ...]
    gradient: Node


class GradTable(Mapping[Node, Node]):
    """The book's grad_table: node -> gradient of z by it. `steps` tells how each came about.

    >>> import graphc as gc
    >>> x, y = gc.input("x", ()), gc.input("y", ())
    >>> s = gc.sin(x)
    >>> table = gc.backprop(s * y, [x])
    >>> table[s], y in table, table.get(y, "none")
    (<y: f64[] = input>, False, 'none')
    >>> [step.node.label for step in table.steps]
    ['multiply', 's', 'x']
    >>> table
    grad_table of multiply: 3 gradients
      multiply : f64[]  <-  1.
      s : f64[]  <-  y
      x : f64[]  <-  grad_x = multiply(y, cos)
    >>> table.left_out([y])
    {<y: f64[] = input>: 'not a descendant of x'}
    """

    def __init__(
        self, z: Node, targets: tuple[Node, ...], pruned: tuple[Node, ...], steps: list[Step]
    ) -> None:
        self.z = z
        self.targets = targets
        self.pruned = pruned
        self.steps = tuple(steps)
        self._table = {step.node: step.gradient for step in steps}

    def __getitem__(self, node: Node) -> Node:
        if not isinstance(node, Node):
            raise ArgumentError(f"a grad_table is asked by nodes, and {no_node(node)}")
        if node not in self._table:
            raise self._lacks(node)
        return self._table[node]

    def _lacks(self, node: Node) -> GraphcError:
        order = topo([self.z])
        if node in self.targets or node not in order:
            return disconnected(self.z, node)
        said = f"the table has no gradient by {node.label}, which is {self.left_out(order)[node]}"
        cure = "gc.backprop fills it for the targets that it is given"
        return ArgumentError(f"{said}: {cure}").locate(operands([node]))

    def __contains__(self, node: object) -> bool:
        return node in self._table

    def get(self, node: Node, default: Any = None) -> Any:
        """The gradient by a node, or the default where the table holds none."""
        return self._table.get(node, default)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def left_out(self, order: Iterable[Node]) -> dict[Node, str]:
        """The nodes of an order that Algorithm 6.5 does not keep, and why each is not kept."""
        order, kept, above = list(order), set(self.pruned), set(topo([self.z]))
        many = len(self.targets) > 4
        names = "any target" if many else ", ".join(t.label for t in self.targets)
        below = set(self.targets)
        for v in order:
            if not below.isdisjoint(v.inputs):
                below.add(v)
        return {
            v: f"not an ancestor of {self.z.label}" if v not in above
            else f"not a descendant of {names}" if v not in below
            else f"every path from {names} through it to {self.z.label} is cut"
            for v in order if v not in kept
        }  # fmt: skip

    def __repr__(self) -> str:
        graph = Graph([*self._table, *self._table.values()])
        lines = [f"grad_table of {graph.tags[self.z]}: {counted(len(self), 'gradient')}"]
        for v, g in self._table.items():
            told = str(g.attrs["value"]) if g.op.name == "constant" else graph.tags[g]
            made = f" = {graph.applied(g)}" if g.inputs else ""
            lines.append(f"  {graph.tags[v]} : {v.type}  <-  {told}{made}")
        return "\n".join(lines)


def carries(v: Node, i: int) -> bool:
    """Whether a gradient passes from v to its input i."""
    return v.op.bprop is not cuts_path and v.type.is_float and v.inputs[i].type.is_float


def pruned(z: Node, targets: Iterable[Node], beyond: Container[Node] = ()) -> list[Node]:
    """Algorithm 6.5's G': the ancestors of z that descend from the targets, in order."""
    order = topo([z], beyond)
    reached = set(targets)
    for v in order:
        if v not in reached and any(x in reached and carries(v, i) for i, x in enumerate(v.inputs)):
            reached.add(v)
    # A node that descends from a target still has no gradient if all its ways to z are cut.
    useful = carrying([v for v in order if v in reached], {z} & reached)
    return [v for v in order if v in useful]


def carrying(order: Sequence[Node], outputs: Iterable[Node]) -> set[Node]:
    """What has a way to some outputs, within an order, along which gradients pass."""
    within, found = set(order), set(outputs)
    for v in reversed(order):
        if v in found:
            found.update(x for i, x in enumerate(v.inputs) if x in within and carries(v, i))
    return found


def backprop(
    z: Node,
    targets: Iterable[Node],
    seed: Any = None,
    *,
    beyond: Container[Node] = (),
) -> GradTable:
    """Algorithms 6.5 and 6.6: the table of gradients of z, for the targets and all between.

    The gradient by z itself is `seed`, or 1. What is known not to depend on a target may be named
    as lying `beyond`: it is not walked.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> table = gc.backprop(x * x, [x])
    >>> [step.node.label for step in table.steps]
    ['multiply', 'x']
    """
    targets = listed(targets, "targets") if isinstance(z, Node) else ()
    check_differentiable(z, targets)
    if seed is None and z.shape:
        raise ShapeError(
            f"a gradient is taken of a scalar, and {z.label} is {z.type}: "
            f"{_swapped(z, targets) or 'sum it, or use gc.vjp with a cotangent'}"
        ).locate(operands([z]))
    if seed is not None:
        seed = like(z, seed, "seed")
    kept = pruned(z, targets, beyond)
    uses: dict[Node, list[tuple[Node, int]]] = {v: [] for v in kept}
    for c in kept:
        for i, x in enumerate(c.inputs):
            if x in uses and carries(c, i):
                uses[x].append((c, i))

    table: dict[Node, Node] = {}
    steps: list[Step] = []
    with building_for(z) as belonging_to:
        # Reverse order: every consumer has its gradient before we reach the node.
        for v in reversed(kept):
            contributions = []
            for c, i in uses[v]:
                belonging_to(c)
                contributions.append(Contribution(c, i, contribution(c, i, table[c])))
            # An input's line computes nothing: of a sum, the line that adds the last share is told.
            belonging_to(contributions[-1].consumer if contributions and not v.inputs else v)
            shares = [c.gradient for c in contributions]
            if v is z:
                shares.insert(0, FUNCTIONS["ones_like"](z) if seed is None else seed)
            table[v] = _sum(shares)
            if table[v].origin is not None and table[v].adjoint_of is None and v is not z:
                tell(table[v], adjoint_of=v, differentiated=z)
            steps.append(Step(v, tuple(contributions), table[v]))
    return GradTable(z, targets, tuple(kept), steps)


def _swapped(z: Node, targets: Sequence[Node]) -> str:
    """What to write where a target is the scalar, and is computed from z."""
    for v in targets:
        if v is not z and not v.shape and any(u is z for u in topo([v])):
            return f"the gradient of {v.label} by {z.label} is gc.grad({v.label}, {z.label})"
    return ""


def contribution(c: Node, i: int, g: Node) -> Node:
    """The book's op.bprop(inputs, X, G), checked: a gradient has the type of its node."""
    if c.op.bprop is None:
        said = f"{c.op.name} has no bprop, and {c.label} needs one"
        raise NotDifferentiable(said).locate(operands([c]))
    share = c.op.bprop(c, i, g)
    if not isinstance(share, Node):
        said = f"the bprop of {c.op.name} returned no node, but {a_kind(share)}"
        raise InvalidGraph(said).locate(operands([c]))
    if share.type != c.inputs[i].type:
        raise InvalidGraph(
            f"the bprop of {c.op.name} by input {i} returned {share.type}, "
            f"and that input is {c.inputs[i].type}"
        ).locate(operands([c]))
    return share


def _sum(shares: Sequence[Node]) -> Node:
    """The sum of some contributions; literal zeros are left out."""
    total, *others = [g for g in shares if not is_literal(g, 0.0)] or shares[:1]
    for g in others:
        total = OPS["add"](total, g)
    return total


# -- what people call -------------------------------------------------------------------------


def grad(z: Node, wrt: Any, *, disconnected: str = "raise") -> Any:
    """The gradient of a scalar by a node, or by a list, tuple or dict of nodes, in the same form.

    `disconnected="zero"` gives zeros for what z does not depend on, instead of an error.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> float(gc.evaluate(gc.grad(x**3, x), {x: 2.0}))
    12.0
    """
    return _reverse(z, wrt, None, disconnected)


def vjp(v: Node, wrt: Any, cotangent: Any, *, disconnected: str = "raise") -> Any:
    """Reverse mode of any tensor: the cotangent times the Jacobian of v, without building it.

    >>> import graphc as gc
    >>> x = gc.input("x", (2,))
    >>> gc.evaluate(gc.vjp(x * x, x, [1.0, 10.0]), {x: [3.0, 4.0]})
    array([ 6., 80.])
    """
    check_differentiable(v, forms.leaves(wrt))
    return _reverse(v, wrt, like(v, cotangent, "cotangent"), disconnected)


def _reverse(z: Node, wrt: Any, seed: Node | None, when_disconnected: str) -> Any:
    if when_disconnected not in ("raise", "zero"):
        raise ArgumentError(f"disconnected= is 'raise' or 'zero', not {when_disconnected!r}")
    table = backprop(z, forms.leaves(wrt), seed)

    def one(x: Node) -> Node:
        if x in table:
            return table[x]
        if when_disconnected == "raise":
            raise disconnected(z, x, has_zeros=True)
        return FUNCTIONS["zeros_like"](x)  # type: ignore[no-any-return]

    return forms.map_leaves(one, wrt)


def like(v: Node, value: Any, role: str) -> Node:
    """A cotangent or tangent for v: of its shape, and of its dtype."""
    if isinstance(value, int | float):
        value = FUNCTIONS["full_like"](v, value)
    (node,) = lift([value], role)
    node = OPS["astype"](node, dtype=v.dtype) if node.dtype != v.dtype else node
    if node.shape != v.shape:
        said = f"the {role} of {v.label} must be {v.type}, and is {node.type}"
        raise ShapeError(said).locate(operands([v, node]))
    return node


def check_differentiable(z: Node, targets: Sequence[Node]) -> None:
    """Refuse what is not a node of floats, and an empty list of targets."""
    for v, role in [(z, "what is differentiated"), *((t, "a target") for t in targets)]:
        if not isinstance(v, Node):
            raise ArgumentError(f"{role} must be a node, and {no_node(v)}")
        if not v.type.is_float:
            said = f"{role} must be of floats, and {v.label} is {v.type}"
            raise NotDifferentiable(said).locate(operands([v]))
    if not targets:
        raise ArgumentError("there is nothing to differentiate by: the targets are empty")


def disconnected(z: Node, target: Node, *, has_zeros: bool = False) -> Disconnected:
    """The error that tells why z has no gradient by a target: no path, or an edge that cuts it.

    Who asked may have zeros for it; not for `x[0]`, which is new where it is written again.
    """
    if target not in topo([z]):
        cure = '; disconnected="zero" gives zeros' * (has_zeros and target.op.name == "input")
        said = f"no gradient: {z.label} does not depend on {target.label}{cure}"
        return Disconnected(said).locate(operands([z, target]))
    x, v, reason = next(cuts(z, [target]))
    return Disconnected(
        f"no gradient: every path from {target.label} to {z.label} is cut, "
        f"first where {v.op.name} takes {x.label} ({reason})"
    ).locate(operands([z, target, x, v]))


class Cut(NamedTuple):
    """An edge along which no gradient passes, though its value depends on a target."""

    node: Node
    consumer: Node
    reason: str


def cuts(z: Node, targets: Iterable[Node]) -> Iterator[Cut]:
    """Every edge that keeps some of the gradient of z from the targets, each where it is first
    met."""
    reached = set(targets)
    for v in topo([z]):
        for i, x in enumerate(v.inputs):
            if x in reached and carries(v, i):
                reached.add(v)
            elif x in reached:
                yield Cut(x, v, _why_cut(v, x))


def _why_cut(v: Node, x: Node) -> str:
    """Why no gradient passes from v to its input x."""
    if v.op.name == "stop_gradient":
        return "it stops gradients"
    if not v.type.is_float:
        return f"its result is {v.type.dtype.name}, which has no derivative"
    if not x.type.is_float:
        return f"it takes {x.type.dtype.name} there, which has no derivative"
    return "it is a step function, whose derivative is 0 wherever it exists"
