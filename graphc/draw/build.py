"""From a subject to a picture: which boxes there are, what is folded, and which are joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

from ..errors import ArgumentError
from ..ir import Node
from ..notation import size_text
from .captions import Captions
from .derivatives import local_derivative
from .fold import Group, Pieces, fold, leaves_together
from .frames import Frames
from .heat import Heat
from .moments import moments
from .picture import Box, Edge, Moment, Picture
from .subject import Link, Piece, Subject
from .surroundings import surroundings
from .text import printable, short
from .values import Seen, states

# Nothing larger is laid out; by default a picture is folded to what a page can show.
MOST, PAGE = 400, 90
_LABEL = 26
# Above this number of edges, sizes are told on hover only.
_MOST_LABELS = 160


class Builder:
    """Makes pictures of one subject: the whole, and the inside of what is folded."""

    def __init__(
        self,
        subject: Subject,
        view: str,
        *,
        fold: bool | int | None = None,
        expand: str | Iterable[str] = (),
        heat: Heat | None = None,
        state: Mapping[Node, str] | None = None,
        notes: Sequence[str] = (),
        values: Mapping[Node, Seen] | None = None,
    ) -> None:
        self.subject, self.view, self.heat = subject, view, heat
        self.notes = notes
        self.values = values or {}
        self.state = {**states(self.values, subject.outputs), **(state or {})}
        self.frames = Frames(subject.order, {v for v, s in self.state.items() if s == "added"})
        self.expand = self.frames.called([expand] if isinstance(expand, str) else [*expand])
        self.fold_all, self.most = fold is True, _room(fold)
        self.untangle = fold is None and not self.expand
        self.pieces, self.links = subject.pieces(view)
        if subject.order and not self.pieces:
            raise ArgumentError(
                f"the {view} view is empty: {subject.title} holds no gradient; draw a gc.grad or a "
                "gc.backprop of it, or pass wrt= the nodes to differentiate by"
            )
        self._with_edges = {link.tail for link in self.links if link.kind != "reuse"}
        is_close = fold is False or state is not None or view in ("pruned", "jacobians")
        self.around = surroundings(
            subject, self.pieces, self.links, self.frames, self.expand, is_close
        )
        subject.name_calls(self.around.calls)
        subject.name_gradients(self.around.hidden)
        self.captions = Captions(
            subject, self.frames, self.around.calls,
            heat=heat, state=self.state, values=self.values,
        )  # fmt: skip
        self.groups: dict[str, Group] = {}
        self._sizes: dict[Node, str] = {}

    # Pictures

    def whole(self) -> Picture:
        """The picture of everything."""
        picture = self._picture(self.folded(), "", self.subject.title)
        picture.steps = self._moments(picture)
        return picture

    def inside(self, box: Box) -> Picture | None:
        """What a folded box holds; of a repeated block, its first."""
        group = self.groups.get(box.id)
        if group is None or group.kind == "piece":
            return None
        if group.kind == "repeat":
            groups = group.children[: group.block]
            if len(groups) == 1 and groups[0].kind != "piece":
                groups = self._folded(groups[0].members)
        elif group.kind == "stretch" and len(group.children) <= MOST:
            groups = group.children
        else:
            groups = self._folded(group.members)
        title = box.lines[0] if group.kind == "scope" else " ".join(box.lines)
        return self._picture(groups, box.id + "_", title)

    def folded(self) -> list[Group]:
        """What shares a box in the picture of everything."""
        return self._folded(range(len(self.pieces)))

    def _folded(self, members: Sequence[int]) -> list[Group]:
        """Groups for some of the pieces."""
        place = {i: k for k, i in enumerate(members)}
        known: dict[tuple[Any, ...], int] = {}
        like = [known.setdefault(_likeness(self.pieces[i]), len(known)) for i in members]
        part = Pieces(
            [[place[x] for x in self.around.inputs[i] if x in place] for i in members],
            like,
            [self.around.scopes[i] if len(place) == len(self.pieces) else () for i in members],
            [self.pieces[i].is_gradient for i in members],
        )  # fmt: skip
        closed = self.around.closed if len(place) == len(self.pieces) else frozenset()
        groups = fold(part, self.most, self.fold_all, self.expand, closed, self.untangle)
        for group in groups:
            _renumber(group, members)
        outputs = set(self.subject.outputs)
        pieces = ((i, self.pieces[i].node) for i in members)
        inputs = {i for i, v in pieces if v.op.name == "input" and v not in outputs}
        return leaves_together(groups, self.around.readers, inputs)

    def _picture(self, groups: Sequence[Group], prefix: str, title: str) -> Picture:
        owner: dict[int, int] = {}
        for k, group in enumerate(groups):
            owner.update(dict.fromkeys(group.members, k))
        ids = [f"{prefix}n{k}" for k in range(len(groups))]
        self.groups.update(zip(ids, groups, strict=True))
        beside = self._beside(groups, owner, ids)
        heats: list[float | None] = [None] * len(groups)
        told = ""
        if self.heat is not None:
            members = [[self.pieces[i].node for i in group.members] for group in groups]
            heats, told = self.heat.of(members)
        boxes = [
            self._box(group, id, beside.get(k, ""), heat)
            for k, (group, id, heat) in enumerate(zip(groups, ids, heats, strict=True))
        ]
        return Picture(
            title=printable(title),
            boxes=boxes,
            edges=self._edges(owner, ids, prefix, groups),
            notes=self.notes,
            heat=told,
        )

    def _beside(
        self, groups: Sequence[Group], owner: Mapping[int, int], ids: Sequence[str]
    ) -> dict[int, str]:
        """For a box of gradients, the box that holds most of their forward nodes."""
        at = {p.node: i for i, p in enumerate(self.pieces) if not p.is_gradient}
        taken: set[int] = set()
        beside: dict[int, str] = {}
        for k, group in enumerate(groups):
            places = Counter(
                owner[at[v]]
                for i in group.members
                for v in self.pieces[i].adjoint_of
                if v in at and at[v] in owner
            )
            for place, _ in places.most_common():
                if place != k and place not in taken:
                    taken.add(place)
                    beside[k] = ids[place]
                    break
        if not beside:  # as of a Jacobian: then one that uses a forward value stands beside that
            for link in self.links:
                tail, head = owner.get(link.tail), owner.get(link.head)
                if link.kind == "reuse" and tail is not None and head is not None:
                    return {head: ids[tail]}
        return beside

    def _edges(
        self, owner: Mapping[int, int], ids: Sequence[str], prefix: str, groups: Sequence[Group]
    ) -> list[Edge]:
        found: dict[tuple[int, int, str], list[Link]] = {}
        for link in self.links:
            tail, head = owner.get(link.tail), owner.get(link.head)
            if tail is not None and head is not None and tail != head:
                found.setdefault((tail, head, link.kind), []).append(link)
        has_labels = len(found) <= _MOST_LABELS
        edges: list[Edge] = []
        for (tail, head, kind), links in found.items():
            label = ""
            if has_labels and kind != "reuse":
                labels = {self._edge_label(link) for link in links}
                label = labels.pop() if len(labels) == 1 else ""
            ends = self.pieces[links[0].tail], self.pieces[links[0].head]
            state = _state_between(*(self.state.get(p.node, "") for p in ends))
            state = "ghost" if any(p.ghost for p in ends) else state
            id = f"{prefix}e{len(edges)}"
            edges.append(Edge(id, ids[tail], ids[head], kind, label, state))
        if len(edges) > 2 * len(groups) and any(g.kind == "stretch" for g in groups):
            return _direct(edges)
        return edges

    # What edges and boxes say

    def _edge_label(self, link: Link) -> str:
        tail, head = self.pieces[link.tail].node, self.pieces[link.head].node
        if self.view == "jacobians":
            return short(printable(local_derivative(head, tail, self.subject.names)), _LABEL)
        if tail in self.values and self.values[tail].short:
            return self.values[tail].short
        if tail not in self._sizes:
            self._sizes[tail] = short(size_text(tail), _LABEL)
        return self._sizes[tail]

    def _box(self, group: Group, id: str, beside: str, heat: float | None) -> Box:
        made = self._single(group, id) if group.kind == "piece" else self._several(group, id)
        return replace(made, beside=beside, heat=heat)

    def _single(self, group: Group, id: str) -> Box:
        """The box of one piece."""
        (i,), around = group.members, self.around
        piece, v = self.pieces[i], self.pieces[i].node
        path = around.scopes[i]
        if path in around.closed and path not in self.expand:
            path = path[:-1]
        lines = self.captions.lines(piece)
        if i not in self._with_edges and v in self.values:
            lines += (self.values[v].short,) * bool(self.values[v].short)
        return Box(
            id, self._kind(piece), lines, self.captions.facts(piece), self._is_output(piece),
            piece.is_gradient, "ghost" if piece.ghost else self.state.get(v, ""), path,
        )  # fmt: skip

    def _is_output(self, piece: Piece) -> bool:
        """Whether a piece is what was asked for: an output, or the entry of a target."""
        if not piece.is_entry:
            return piece.node in self.subject.outputs
        table = self.subject.table
        return table is not None and not set(piece.adjoint_of).isdisjoint(table.targets)

    def _several(self, group: Group, id: str) -> Box:
        """The box of pieces that are folded into one."""
        inner, outputs = [self.pieces[i] for i in group.members], set(self.subject.outputs)
        is_output = any(piece.node in outputs and not piece.is_entry for piece in inner)
        is_gradient = inner[0].is_gradient
        path = self.around.scopes[group.members[0]]
        if path in self.around.sums:
            path = path[:-1]
        if group.name in path:
            path = path[: path.index(group.name)]
        result = self._result(group)
        kind = "gradient" if is_gradient else "operation"
        kind = "input" if group.kind == "leaves" else kind
        inside = {self.state.get(piece.node, "") for piece in inner}
        state = next((s for s in ("first_nan", "nan") if s in inside), "")
        facts = self.captions.group_facts(group, inner)
        if group.path in self.around.sums:
            facts = (*self.captions.facts(self.around.sums[group.path]), *facts)
        return Box(
            id, self._kind(result) if result else kind, self._group_lines(group), facts,
            is_output, is_gradient, state, path, folded=len(inner), is_one=result is not None,
        )  # fmt: skip

    def _kind(self, piece: Piece) -> str:
        v = piece.node
        if piece.is_gradient:
            return "gradient"
        if v.op.family == "leaf":
            return "input" if v.op.name == "input" else "constant"
        if v in self.subject.outputs:
            is_loss = self.subject.table is None or v is self.subject.table.z
            return "loss" if is_loss and v.type.is_float and not v.ndim else "output"
        return "operation"

    def _group_lines(self, group: Group) -> tuple[str, ...]:
        members = [self.pieces[i] for i in group.members]
        if group.kind != "repeat":
            exits = self._exits(group)
            exit = self.pieces[exits[0]] if len(exits) == 1 else None
            return self.captions.group_lines(group, members, self._result(group), exit)
        last = group.children[group.block - 1]
        while last.kind == "repeat":
            last = last.children[last.block - 1]
        # Sums of gradients are numbered by where they stand, which tells nobody anything.
        is_told = self.around.sums.keys().isdisjoint(g.path for g in group.children)
        return self.captions.repeated(
            group.count, group.ends if is_told else "", self.pieces[last.members[-1]]
        )

    def _result(self, group: Group) -> Piece | None:
        """What the one operation computes that a box is, though it holds several nodes."""
        if group.path in self.around.sums:
            return self.around.sums[group.path]
        calls = self.captions.calls
        results = [p for i in group.members if (p := self.pieces[i]).node in calls]
        return results[0] if group.path in self.around.closed and len(results) == 1 else None

    def _exits(self, group: Group) -> list[int]:
        """What of a folded part others read."""
        inside, outputs = set(group.members), set(self.subject.outputs)
        return [
            i for i in group.members
            if self.pieces[i].node in outputs or not inside.issuperset(self.around.readers[i])
        ]  # fmt: skip

    def _moments(self, picture: Picture) -> list[Moment]:
        table = self.subject.table
        if table is None or self.view not in ("both", "gradient"):
            return []
        box_of: dict[tuple[Node, bool], str] = {}
        for box in picture.boxes:
            for i in self.groups[box.id].members:
                piece = self.pieces[i]
                box_of[piece.node, piece.is_entry] = box.id
        return moments(table, box_of, self.captions)


def _room(fold: bool | int | None) -> int:
    """How many boxes a picture may have."""
    if not isinstance(fold, Integral | None):
        said = "fold= is True, False or a number of boxes; expand= names what stays open"
        raise ArgumentError(f"{said}; it is {fold!r}")
    if fold is None or isinstance(fold, bool):
        return MOST if fold is False else PAGE
    return max(1, min(int(fold), MOST))


def _likeness(piece: Piece) -> tuple[Any, ...]:
    v = piece.node
    return v.op, v.type, len(v.inputs), piece.is_entry, bool(piece.adjoint_of)


def _state_between(tail: str, head: str) -> str:
    """NaN goes along an edge; what was added or removed takes its edges with it."""
    wrong = ("nan", "first_nan")
    if tail in wrong or head in wrong:
        return "nan" if tail in wrong else ""
    return max(tail, head)


def _direct(edges: list[Edge]) -> list[Edge]:
    """Between stretches of a graph: the edges that do not follow from longer ways."""
    import networkx

    graph = networkx.DiGraph((e.tail, e.head) for e in edges)
    if not networkx.is_directed_acyclic_graph(graph):
        return edges
    kept = networkx.transitive_reduction(graph).edges
    return [e for e in edges if (e.tail, e.head) in kept]


def _renumber(group: Group, members: Sequence[int]) -> None:
    """Positions among the members as positions among all pieces."""
    group.members = [members[i] for i in group.members]
    for child in group.children:
        _renumber(child, members)
