"""From a subject to a picture: what each box says and tells on hover, and which are joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import ArgumentError
from ..ir import Node
from ..notation import (
    Term,
    is_written_inside,
    leaf_term,
    op_word,
    reference,
    size_text,
    term,
    text,
)
from .derivatives import local_derivative
from .fold import Group, Pieces, fold, with_leaves
from .frames import Frames, Path
from .heat import Heat
from .picture import STATES, Box, Edge, Moment, Picture, Share
from .subject import Link, Piece, Subject
from .text import printable, short
from .values import Seen, states

# Nothing larger is laid out; by default a picture is folded to what a page can show.
MOST, PAGE = 400, 90
_LINE, _NAME, _HOVER = 34, 26, 300
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
        expand: Iterable[str] = (),
        heat: Heat | None = None,
        state: Mapping[Node, str] | None = None,
        notes: Sequence[str] = (),
        values: Mapping[Node, Seen] | None = None,
    ) -> None:
        self.subject, self.view, self.heat = subject, view, heat
        self.notes = notes
        self.values = values or {}
        self.state = {**states(self.values), **(state or {})}
        self.frames = Frames(subject.order)
        self.expand = self.frames.called([*expand])
        self.fold_all = fold is True
        self.most = MOST if fold is False else PAGE
        if fold is not None and not isinstance(fold, bool):
            self.most = max(1, min(fold, MOST))
        self.pieces, self.links = subject.pieces(view)
        if subject.order and not self.pieces:
            raise ArgumentError(
                f"the {view} view is empty: {subject.title} holds no gradient; draw a gc.grad or a "
                "gc.backprop of it, or pass wrt= the nodes to differentiate by"
            )
        self.inputs: list[list[int]] = [[] for _ in self.pieces]
        for link in self.links:
            self.inputs[link.head].append(link.tail)
        self._with_edges = {link.tail for link in self.links if link.kind != "reuse"}
        # What is asked about single operations shows them.
        is_close = fold is False or state is not None or view in ("pruned", "jacobians")
        self.closed = frozenset() if is_close else self.frames.ours
        self.scopes = self._scopes()
        told = subject.described()
        self._calls = self._called()
        if subject.title == told:  # what is one box now has the name of the function
            subject.title = subject.described()
        at = {p.node: i for i, p in enumerate(self.pieces)}
        for i, piece in enumerate(self.pieces):
            if piece.adjoint_of and piece.adjoint_of[0] in at:
                self.scopes[i] = self.scopes[at[piece.adjoint_of[0]]]
        self.groups: dict[str, Group] = {}
        self._sizes: dict[Node, str] = {}
        steps = subject.table.steps if subject.table else ()
        self._step_of = {s.node: k for k, s in enumerate(steps, 1)}

    def _path(self, piece: Piece) -> Path:
        """A gradient stands where its forward node stands."""
        return self.frames.path(piece.adjoint_of[0] if piece.adjoint_of else piece.node)

    def _scopes(self) -> list[Path]:
        """The frames around each piece. What a function takes is not a part of it."""
        paths = [self._path(p) for p in self.pieces]
        outside = [path[:-1] if path in self.closed else path for path in paths]
        halves = [p.is_gradient for p in self.pieces]
        around = with_leaves(self.inputs, outside, halves)
        return [path or leaf for path, leaf in zip(paths, around, strict=True)]

    def _called(self) -> dict[Node, Term]:
        """The results of graphc's functions that are one box: `logsumexp(U)`."""
        inside: dict[Path, list[int]] = {}
        for i, path in enumerate(self.scopes):
            if path in self.closed - self.expand and not self.pieces[i].is_gradient:
                inside.setdefault(path, []).append(i)
        leaving = {x.tail for x in self.links if self.scopes[x.tail] != self.scopes[x.head]}
        outputs = set(self.subject.outputs)
        leaving |= {i for i, p in enumerate(self.pieces) if p.node in outputs}
        names, found = self.subject.names, {}
        for members in inside.values():
            exits = [i for i in members if i in leaving]
            within = {self.pieces[i].node for i in members}
            taken = dict.fromkeys(
                x for i in members for x in self.pieces[i].node.inputs
                if x not in within and not is_written_inside(x)
            )  # fmt: skip
            if len(exits) == 1:
                v = self.pieces[exits[0]].node
                told = tuple(reference(x, names) for x in taken)
                found[v] = Term("call", v.part.name, told)
                names.setdefault(v, found[v])
        return found

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
            [[place[x] for x in self.inputs[i] if x in place] for i in members],
            like,
            [self.scopes[i] if len(place) == len(self.pieces) else () for i in members],
            [self.pieces[i].is_gradient for i in members],
        )  # fmt: skip
        closed = self.closed if len(place) == len(self.pieces) else frozenset()
        groups = fold(part, self.most, self.fold_all, self.expand, closed)
        for group in groups:
            _renumber(group, members)
        return groups

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
            edges.append(
                Edge(f"{prefix}e{len(edges)}", ids[tail], ids[head], kind, label, state, len(links))
            )
        if len(edges) > 2 * len(groups) and any(g.kind == "stretch" for g in groups):
            return _direct(edges)
        return edges

    # What edges and boxes say

    def _edge_label(self, link: Link) -> str:
        tail, head = self.pieces[link.tail].node, self.pieces[link.head].node
        if self.view == "jacobians":
            return short(printable(local_derivative(head, tail, self.subject.names)), _NAME)
        if tail in self.values and self.values[tail].short:
            return self.values[tail].short
        if tail not in self._sizes:
            self._sizes[tail] = short(size_text(tail), _NAME)
        return self._sizes[tail]

    def _box(self, group: Group, id: str, beside: str, heat: float | None) -> Box:
        first = self.pieces[group.members[0]]
        is_gradient = first.is_gradient
        outputs = set(self.subject.outputs)
        is_output = any(
            self.pieces[i].node in outputs and not self.pieces[i].is_entry for i in group.members
        )
        path = self.scopes[group.members[0]]
        if group.kind != "piece":
            if group.name in path:
                path = path[: path.index(group.name)]
            result = self._result(group)
            kind = "gradient" if is_gradient else "operation"
            inside = {self.state.get(self.pieces[i].node, "") for i in group.members}
            state = next((s for s in ("first_nan", "nan") if s in inside), "")
            return Box(
                id, self._kind(result) if result else kind, self._group_lines(group),
                self._group_facts(group), is_output, is_gradient, state, path, beside, heat,
                len(group.members), result is not None,
            )  # fmt: skip
        state = "ghost" if first.ghost else self.state.get(first.node, "")
        is_output = is_output or (
            first.is_entry
            and self.subject.table is not None
            and not set(first.adjoint_of).isdisjoint(self.subject.table.targets)
        )
        if path in self.closed and path not in self.expand:
            path = path[:-1]
        lines = self._lines(first)
        if group.members[0] not in self._with_edges and first.node in self.values:
            lines += (self.values[first.node].short,) * bool(self.values[first.node].short)
        return Box(
            id, self._kind(first), lines, self._facts(first), is_output, is_gradient,
            state, path, beside, heat,
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

    def _lines(self, piece: Piece) -> tuple[str, ...]:
        v = piece.node
        name, value = self._name(piece), self._value(piece, _LINE)
        if name is not None and v.op.name == "input" and not piece.is_entry:
            return (short(name, _LINE),)
        return self._equation(name, value)

    def _equation(self, name: str | None, value: str) -> tuple[str, ...]:
        """`name = value`, in two lines if it is long."""
        value = short(printable(value), _LINE)
        if name is None or short(name, _LINE) == value:
            return (value,)
        line = f"{name} = {value}"
        return (line,) if len(line) <= _LINE else (f"{short(name, _LINE)} =", value)

    def _name(self, piece: Piece) -> str | None:
        """What a box is called: by the user, or as the gradient by this and that."""
        names = self.subject.names
        if not piece.adjoint_of:
            found = names.get(piece.node)
            return None if found is None else printable(text(found))
        given = names.get(piece.node)
        if given is not None and given.kind == "name" and not piece.is_entry:
            return printable(text(given))
        named = [v for v in piece.adjoint_of if v in names]
        terms = dict.fromkeys(
            self.subject.gradient(piece.node, v) for v in named or piece.adjoint_of[:3]
        )
        told = [printable(text(t)) for t in list(terms)[:2]]
        return ", ".join(short(t, _NAME) for t in told) + ", …" * (len(terms) > 2)

    def _value(self, piece: Piece, most: int) -> str:
        """The mathematics of a piece, as deep as the line is long."""
        v, names = piece.node, self.subject.names
        if piece.is_entry and v in names:
            return short(printable(text(names[v])), most)
        if not v.inputs:
            return short(printable(text(names.get(v) or leaf_term(v))), most)
        for depth in (3, 2, 1):
            written = printable(text(term(v, names, depth)))
            if len(written) <= most:
                return written
        return short(written, most)

    def _facts(self, piece: Piece) -> tuple[str, ...]:
        v = piece.node
        name, value = self._name(piece), self._value(piece, _HOVER)
        facts = [f"{short(name, _HOVER)} = {value}" if name and name != value else value]
        facts.append(f"{op_word(v)} : {v.type}")
        if v.op.family != "leaf":
            facts.append(f"{v.op.flops(v)} flops, {v.type.nbytes} bytes")
        if v.where is not None and v.inputs:
            facts.append(short(f"{v.where.place}   {v.where.text}".rstrip(), _HOVER))
        if path := self.frames.path(v):
            facts.append(f"in {'/'.join(path)}")
        if piece.is_gradient:
            facts += self._history(piece)
        if piece.ghost:
            facts.append(piece.ghost)
        if self.heat is not None and v in self.heat.numbers:
            facts.append(f"{self.heat.title}: {self.heat.numbers[v]:.4g}")
        if v in self.values:
            facts.append(self.values[v].summary)
        if self.state.get(v):
            facts.append(STATES[self.state[v]])
        return tuple(printable(fact) for fact in facts)

    def _history(self, piece: Piece) -> Iterable[str]:
        """Which step of Algorithm 6.6 made a gradient node."""
        if piece.adjoint_of:
            by = " and ".join(self._forward(v) for v in piece.adjoint_of[:3])
            yield f"the gradient by {by}"
            if piece.adjoint_of[0] in self._step_of:
                yield f"Algorithm 6.6, step {self._step_of[piece.adjoint_of[0]]}"
        elif piece.node.origin is not None:
            consumer = piece.node.origin
            yield f"made by the bprop of {self._forward(consumer)}"


    def _forward(self, v: Node) -> str:
        return short(printable(text(reference(v, self.subject.names))), _NAME)

    def _group_lines(self, group: Group) -> tuple[str, ...]:
        count = len(group.members)
        if group.kind == "repeat":
            run = group.children
            if run[0].kind == "scope":
                ends = f"{run[0].name} … {run[-1].name}" if group.block == 1 else run[0].name
                return (f"{group.count} ×", short(printable(ends), _LINE))
            last = run[group.block - 1]
            while last.kind == "repeat":
                last = last.children[last.block - 1]
            shown = self._lines(self.pieces[last.members[-1]])
            return (f"{group.count} ×", *shown)
        if group.kind == "scope":
            result = self._result(group)
            if result is not None:
                return self._equation(self._name(result), text(self._calls[result.node]))
            half = "∇ " if self.pieces[group.members[0]].is_gradient else ""
            return (half + short(printable(group.name), _LINE), f"{count:,} nodes")
        last_piece = self.pieces[group.members[-1]]
        return (f"{count:,} nodes, up to", self._name(last_piece) or self._value(last_piece, _NAME))

    def _result(self, group: Group) -> Piece | None:
        """What a function of graphc's returns, of the box that it is."""
        results = [p for i in group.members if (p := self.pieces[i]).node in self._calls]
        return results[0] if group.path in self.closed and len(results) == 1 else None

    def _group_facts(self, group: Group) -> tuple[str, ...]:
        members = [self.pieces[i].node for i in group.members]
        ops = Counter(map(op_word, members))
        told = ", ".join(f"{c:,} {name}" for name, c in ops.most_common(8))
        facts = [f"{len(members):,} nodes: {told}{', …' * (len(ops) > 8)}"]
        if group.kind == "repeat":
            size = len(members) // group.count
            facts.append(f"{group.count:,} times the same {size} nodes")
        return tuple(facts)

    # Steps

    def _moments(self, picture: Picture) -> list[Moment]:
        """Backprop's steps as the page plays them; of a large table, the first few hundred."""
        table = self.subject.table
        if table is None or self.view not in ("both", "gradient"):
            return []
        box_of: dict[tuple[Node, bool], str] = {}
        for box in picture.boxes:
            for i in self.groups[box.id].members:
                piece = self.pieces[i]
                box_of[piece.node, piece.is_entry] = box.id
        moments = []
        for step in table.steps[:MOST]:
            g = step.gradient
            box_id = box_of.get((g, True)) or box_of.get((g, False), "")
            shares = tuple(
                Share(self._forward(c.consumer), self._told(c.gradient))
                for c in step.contributions
            )
            moments.append(
                Moment(
                    box_of.get((step.node, False), ""), box_id, self._forward(step.node), shares,
                    self._told(g),
                )
            )  # fmt: skip
        return moments

    def _told(self, v: Node) -> str:
        return self._value(Piece(v, True), 60)


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
