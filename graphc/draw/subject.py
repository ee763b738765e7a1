"""What is drawn: the nodes of a picture as pieces, one box each unless they are folded."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from .. import forms
from ..autodiff import GradTable, backprop
from ..errors import ArgumentError
from ..ir import Graph, Node, no_node
from ..notation import (
    Term,
    fitted,
    gradient_term,
    has_one_gradient,
    is_written_inside,
    names_of,
    text,
)
from ..wording import in_words
from .text import printable

# A gradient is called by a formula of so many characters, where its forward value has no name.
_BY, _TITLE = 20, 60
_MOST_NAMED = 4000
# So many targets are told in a title.
_MOST_TARGETS = 6
VIEWS = ("forward", "gradient", "both", "pruned", "jacobians", "plan")


class Piece(NamedTuple):
    """A node, or the entry of a grad_table whose gradient is a node that stands elsewhere."""

    node: Node
    is_gradient: bool
    adjoint_of: tuple[Node, ...] = ()
    is_entry: bool = False
    ghost: str = ""  # why pruning dropped it


class Link(NamedTuple):
    """A value that goes from one piece to another, both by position."""

    tail: int
    head: int
    kind: str


class Subject:
    """Outputs, the nodes behind them, and the table of gradients if there is one."""

    def __init__(self, what: Sequence[Any], wrt: Any = None, title: str | None = None) -> None:
        self.table: GradTable | None = None
        self.title = ""
        outputs: list[Node] = []
        for part in what:
            outputs += self._read(part)
        if wrt is not None:
            if self.table is not None or len(outputs) != 1:
                raise ArgumentError("wrt= goes with one scalar node, whose gradients are drawn")
            self.table = backprop(outputs[0], forms.leaves(wrt))
        if self.table is not None:
            asked = [self.table[t] for t in self.table.targets if t in self.table]
            # A gradient that is a forward value is shown as an entry of the table.
            outputs += [g for g in asked if self.is_gradient(g)]
        self.outputs = tuple(dict.fromkeys(outputs))
        inside = [s.gradient for s in self.table.steps] if self.table else []
        graph = Graph([*self.outputs, *inside])
        self.order = graph.nodes
        self.names: dict[Node, Term] = names_of(graph)
        self.has_one = has_one_gradient(graph)
        if self.table is not None:
            known = {step.node: step.gradient for step in self.table.steps}
            self.has_one = has_one_gradient(graph, self.table.z, known)
        self._name_adjoints()
        self.title = (self.title or self.described()) if title is None else str(title)

    def _read(self, part: Any) -> list[Node]:
        if isinstance(part, GradTable):
            if self.table is not None:
                raise ArgumentError("one picture shows one grad_table")
            self.table = part
            return [part.z]
        if isinstance(part, Graph):
            return list(part.outputs)
        if isinstance(getattr(part, "graph", None), Graph):  # a compiled function
            self.title = self.title or str(getattr(part, "name", ""))
            return list(part.graph.outputs)
        found = forms.leaves(part)
        for v in found:
            if not isinstance(v, Node):
                raise ArgumentError(
                    "draw takes nodes, graphs, grad_tables, compiled functions and logs, and "
                    f"{no_node(v)}"
                )
        return found

    def described(self) -> str:
        """A title for what has none: what is drawn."""
        if self.table is not None:
            by = [t.label for t in self.table.targets]
            several = "s" * (len(by) > 1)
            targets = in_words(by, _MOST_TARGETS)
            return f"{self.reference(self.table.z)} and its gradient{several} by {targets}"
        told = [
            self.reference(v, _TITLE)
            for v in self.outputs
            if not self.is_gradient(v) or v in self.names
        ]
        return ", ".join(dict.fromkeys(told or [self.reference(v, _TITLE) for v in self.outputs]))

    def reference(self, v: Node, most: int = _BY) -> str:
        """A short way to speak of a node: its name, or as much of its formula as there is room."""
        return printable(text(self.names.get(v) or fitted(v, self.names, most)))

    def gradient(self, g: Node, v: Node) -> Term:
        """What to call g, the gradient by v: ∇v, or ∂z/∂v where there are several gradients."""
        z = self.table.z if self.table is not None else g.differentiated
        names: Mapping[Node, Term] = self.names
        if v not in names and v.inputs:
            names = ChainMap({v: fitted(v, self.names, _BY)}, self.names)
        return gradient_term(z, v, names, self.has_one)

    def name_calls(self, calls: Mapping[Node, Term]) -> None:
        """What is drawn as one box has the name of the function, in the title too."""
        was_described = self.title == self.described()
        self.names = {**calls, **self.names}
        if was_described:
            self.title = self.described()

    def name_gradients(self, hidden: Set[Node]) -> None:
        """Gradients by values without a name are spoken of as their boxes are called: ∇(X @ W).

        Those by values that are `hidden` have none, nor those of a graph of which a picture shows
        little.
        """
        if len(self.order) > _MOST_NAMED:
            return
        found = {
            g: self.gradient(g, forwards[0])
            for g, forwards in self.adjoints().items()
            if g not in self.names and self.is_gradient(g) and not is_written_inside(g)
            and forwards[0] not in hidden and not self.is_gradient(forwards[0])
        }  # fmt: skip
        uses = Counter(map(text, found.values()))
        self.names |= {g: t for g, t in found.items() if uses[text(t)] == 1}

    def _name_adjoints(self) -> None:
        """In a table every gradient is ∇v, also where the node itself does not know."""
        for step in self.table.steps if self.table else ():
            is_number = is_written_inside(step.gradient)
            if step.node in self.names and self.is_gradient(step.gradient) and not is_number:
                self.names.setdefault(step.gradient, self.gradient(step.gradient, step.node))

    @staticmethod
    def is_gradient(v: Node) -> bool:
        """Whether backprop made it. A leaf is shared by whoever needs it first."""
        return v.origin is not None and bool(v.inputs)

    def adjoints(self) -> dict[Node, tuple[Node, ...]]:
        """For each gradient node the forward nodes that it is the gradient by."""
        found: dict[Node, tuple[Node, ...]] = {}
        if self.table is not None:
            for step in self.table.steps:
                found[step.gradient] = (*found.get(step.gradient, ()), step.node)
            return found
        present = set(self.order)
        for v in self.order:
            if v.adjoint_of in present and self.is_gradient(v):
                found[v] = (v.adjoint_of,)
        return found

    def homes(self) -> dict[Node, Node]:
        """The forward node beside which a gradient stands; what is added up for it goes along."""
        found: dict[Node, Node] = {}
        for g, forwards in self.adjoints().items():
            if not self.is_gradient(g):
                continue
            found[g] = forwards[0]
            waiting = [g]
            while waiting:
                for x in waiting.pop().inputs:
                    is_part = x.op is g.op and x.origin is g.origin and x.adjoint_of is None
                    if is_part and x not in found:
                        found[x] = forwards[0]
                        waiting.append(x)
        return found

    def pieces(self, view: str) -> tuple[list[Piece], list[Link]]:
        """What the view shows, inputs before consumers, and what goes from where to where."""
        adjoints = self.adjoints()
        ghosts = self._ghosts() if view == "pruned" else {}
        shown = [v for v in self.order if self._is_shown(v, view)]
        if view == "gradient":
            shown = self._with_reused(shown)
        pieces: list[Piece] = []
        at: dict[Node, int] = {}
        kept = set(self.outputs) | {v for v in adjoints if self.is_gradient(v)}
        for v in shown:
            if is_written_inside(v) and v not in kept and len(shown) > 1:
                continue
            at[v] = len(pieces)
            by = adjoints.get(v, ()) if self.is_gradient(v) else ()
            pieces.append(Piece(v, self.is_gradient(v), by, ghost=ghosts.get(v, "")))
        links = [
            Link(at[x], i, self._kind(x, p.node))
            for i, p in enumerate(pieces)
            for x in dict.fromkeys(p.node.inputs)
            if x in at and not (is_written_inside(x) and x not in self.outputs)
        ]
        if view == "gradient":
            links = [link for link in links if link.kind != "value"]
        if self.table is not None and view in ("both", "gradient"):
            self._add_entries(adjoints, pieces, links, at)
        return pieces, links

    def _is_shown(self, v: Node, view: str) -> bool:
        if view in ("forward", "jacobians", "pruned"):
            return not self.is_gradient(v)
        return view != "gradient" or self.is_gradient(v)

    def _with_reused(self, shown: Iterable[Node]) -> list[Node]:
        """The gradient nodes, and the forward values that they use."""
        wanted = set(shown)
        reused = {x for v in wanted for x in v.inputs if not self.is_gradient(x)}
        return [v for v in self.order if v in wanted or v in reused]

    def _kind(self, tail: Node, head: Node) -> str:
        if not self.is_gradient(head):
            return "value"
        return "gradient" if self.is_gradient(tail) else "reuse"

    def _ghosts(self) -> dict[Node, str]:
        """Why Algorithm 6.5 leaves a node out."""
        if self.table is None:
            raise ArgumentError("the pruned view needs a grad_table, or wrt= the targets of one")
        left_out = self.table.left_out(self.order)
        return {v: f"dropped: {reason}" for v, reason in left_out.items()}

    def _add_entries(
        self,
        adjoints: Mapping[Node, tuple[Node, ...]],
        pieces: list[Piece],
        links: list[Link],
        at: Mapping[Node, int],
    ) -> None:
        """Boxes for gradients that are forward values or bare numbers: in d(xy)/dx = y, ∇x is y."""
        assert self.table is not None
        entry: dict[Node, int] = {}
        for g, forwards in adjoints.items():
            if self.is_gradient(g) and g in at:
                entry[g] = at[g]
                continue
            entry[g] = len(pieces)
            pieces.append(Piece(g, True, forwards, is_entry=True))
            if g in at:
                links.append(Link(at[g], entry[g], "reuse"))
        drawn = {(link.tail, link.head) for link in links}
        # A product with what is broadcast is built from what that is made of; here it goes by way
        # of the broadcast, which would else go nowhere.
        goes_on = {link.tail for link in links if link.kind == "gradient"}
        around: set[tuple[int, int]] = set()
        for step in self.table.steps:
            for share in step.contributions:
                tail = entry[self.table[share.consumer]]
                head = entry[step.gradient]
                built = share.gradient
                if built in at and self.is_gradient(built):
                    head = at[built]
                is_bare = pieces[tail].is_entry or is_written_inside(pieces[tail].node)
                is_new = tail != head and (tail, head) not in drawn
                if is_new and (is_bare or pieces[head].is_entry or tail not in goes_on):
                    drawn.add((tail, head))
                    links.append(Link(tail, head, "gradient"))
                    if not is_bare:
                        around |= {(at[x], head) for x in pieces[tail].node.inputs if x in at}
        links[:] = [link for link in links if (link.tail, link.head) not in around]
