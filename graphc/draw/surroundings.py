"""Where the pieces of a picture stand: the frames around them, and what is one operation."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from typing import NamedTuple

from ..ir import Node
from ..notation import Term, axes_of, fitted, is_written_inside
from .fold import Paths, with_leaves
from .frames import Frames, Path
from .subject import Link, Piece, Subject

# So many characters of an operand are told.
_OPERAND = 34


class Surroundings(NamedTuple):
    """The frames of a graph laid around the pieces of one picture of it; pieces by position."""

    inputs: list[list[int]]
    readers: list[list[int]]
    scopes: list[Path]
    """The frames around each piece."""
    closed: Paths
    """Those that are one box each: functions of graphc's, and sums of gradients."""
    calls: dict[Node, Term]
    """The results of graphc's functions that are one box: `logsumexp(U)`."""
    hidden: set[Node]
    """What stands inside a function that is one box."""
    sums: dict[Path, Piece]
    """The gradients that several are added up for."""


def surroundings(
    subject: Subject,
    pieces: Sequence[Piece],
    links: Sequence[Link],
    frames: Frames,
    expand: Paths,
    is_close: bool,
) -> Surroundings:
    """What stands where; a picture that `is_close` shows single operations, as it is asked for."""
    around = _Around(subject, pieces, links)
    ours: Paths = frozenset() if is_close else frames.ours
    shut = ours - expand
    scopes = around.claimed(around.framed(frames, ours), shut)
    calls, scopes = around.called(scopes, shut)
    inside = {p.node for p, path in zip(pieces, scopes, strict=True) if path in shut}
    scopes = around.beside_forward(scopes)
    sums, scopes = ({}, scopes) if is_close else around.summed(scopes)
    closed = ours | sums.keys()
    hidden = inside - calls.keys()
    return Surroundings(around.inputs, around.readers, scopes, closed, calls, hidden, sums)


class _Around:
    """The pieces of a picture, and what is asked of them; scopes are given, and given back."""

    def __init__(self, subject: Subject, pieces: Sequence[Piece], links: Sequence[Link]) -> None:
        self._pieces, self._links, self._names = pieces, links, subject.names
        self._outputs, self._home = set(subject.outputs), subject.homes()
        self.inputs: list[list[int]] = [[] for _ in pieces]
        self.readers: list[list[int]] = [[] for _ in pieces]
        for link in links:
            self.inputs[link.head].append(link.tail)
            self.readers[link.tail].append(link.head)

    def framed(self, frames: Frames, ours: Paths) -> list[Path]:
        """The frames around each piece. What a function takes is not a part of it."""
        paths = [frames.path(self._home.get(p.node, p.node)) for p in self._pieces]
        outside = [path[:-1] if path in ours else path for path in paths]
        halves = [p.is_gradient for p in self._pieces]
        leaves = with_leaves(self.inputs, outside, halves)
        return [path or leaf for path, leaf in zip(paths, leaves, strict=True)]

    def _members(self, scopes: Sequence[Path], shut: Paths) -> dict[Path, list[int]]:
        """What stands in each function that is one box."""
        found: dict[Path, list[int]] = {}
        for i, path in enumerate(scopes):
            if path in shut and not self._pieces[i].is_gradient:
                found.setdefault(path, []).append(i)
        return found

    def claimed(self, scopes: Sequence[Path], shut: Paths) -> list[Path]:
        """A node that two functions make belongs to the first, though only the second be drawn."""
        found = [*scopes]
        for path, members in self._members(scopes, shut).items():
            readers = {r for i in members for r in self.readers[i] if found[r] != path}
            users = {found[r] for r in readers if not self._pieces[r].is_gradient}
            exits = [i for i in members if not readers.isdisjoint(self.readers[i])]
            is_result = any(self._pieces[i].node in self._outputs for i in members)
            if len(exits) > 1 and len(users) == 1 and users <= shut and not is_result:
                for i in members:
                    (found[i],) = users
        return found

    def called(
        self, scopes: Sequence[Path], shut: Paths
    ) -> tuple[dict[Node, Term], list[Path]]:
        """Functions by their results. Where others use what one does inside, that is shown."""
        leaving = {x.tail for x in self._links if scopes[x.tail] != scopes[x.head]}
        leaving |= {i for i, p in enumerate(self._pieces) if p.node in self._outputs}
        calls: dict[Node, Term] = {}
        names, opened = ChainMap(self._names, calls), set()
        for path, members in self._members(scopes, shut).items():
            exits = [i for i in members if i in leaving]
            within = {self._pieces[i].node for i in members}
            if len(exits) != 1 or any(v.part.is_open for v in within):
                opened.add(path)
                continue
            v = self._pieces[exits[0]].node
            if v.op.name != v.part.name and any(x.op.name == v.part.name for x in within):
                opened.add(path)  # more than its operation: sort(y[::-1])[::-1], slogdet(A)[1]
                continue
            taken = dict.fromkeys(
                x for i in members for x in self._pieces[i].node.inputs
                if x not in within and not is_written_inside(x)
            )  # fmt: skip
            told = [names.get(x) or fitted(x, names, _OPERAND) for x in taken]
            calls[v] = Term("call", v.part.name, (*told, *axes_of(v.part.name, within)))
        return calls, [path[:-1] if path in opened else path for path in scopes]

    def beside_forward(self, scopes: Sequence[Path]) -> list[Path]:
        """A gradient stands where its forward node stands."""
        at, found = {p.node: i for i, p in enumerate(self._pieces)}, [*scopes]
        for i, piece in enumerate(self._pieces):
            forward = piece.adjoint_of[0] if piece.is_entry else self._home.get(piece.node)
            if piece.is_gradient and forward in at:
                found[i] = found[at[forward]]
        return found

    def summed(self, scopes: Sequence[Path]) -> tuple[dict[Path, Piece], list[Path]]:
        """A gradient and what is added up for it are one box: the sum of Algorithm 6.6."""
        sums: dict[Path, Piece] = {}
        found = [*scopes]
        for i, piece in enumerate(self._pieces):
            inside = self._added_up(i) if piece.adjoint_of and not piece.is_entry else {i}
            if len(inside) > 1:
                path = (*found[i], f"sum {i}")
                sums[path] = piece
                for x in inside:
                    found[x] = path
        return sums, found

    def _added_up(self, i: int) -> set[int]:
        """A gradient, and what is computed for it alone."""
        inside, waiting = {i}, [i]
        while waiting:
            for x in self.inputs[waiting.pop()]:
                part = self._pieces[x]
                is_part = not part.adjoint_of and part.node in self._home
                if is_part and x not in inside and inside.issuperset(self.readers[x]):
                    inside.add(x)
                    waiting.append(x)
        return inside
