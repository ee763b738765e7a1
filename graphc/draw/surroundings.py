"""Where the pieces of a picture stand: the frames around them, and what is one operation."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Node
from ..notation import Term, axes_of, fitted, is_written_inside
from .fold import Paths, with_leaves
from .frames import Frames, Path
from .subject import Link, Piece, Subject

# So many characters of an operand are told.
_OPERAND = 34


class Surroundings:
    """The frames of a graph laid around the pieces of one picture of it.

    Those in `closed` are one box each: functions of graphc's, and sums of gradients.
    """

    def __init__(
        self,
        subject: Subject,
        pieces: Sequence[Piece],
        links: Sequence[Link],
        frames: Frames,
        expand: Paths,
        is_close: bool,
    ) -> None:
        self._subject, self._pieces, self._links = subject, pieces, links
        self.inputs: list[list[int]] = [[] for _ in pieces]
        self.readers: list[list[int]] = [[] for _ in pieces]
        for link in links:
            self.inputs[link.head].append(link.tail)
            self.readers[link.tail].append(link.head)
        # What is asked about single operations shows them.
        self.closed: Paths = frozenset() if is_close else frames.ours
        self._shut = self.closed - expand
        self._home = subject.homes()
        self.scopes = self._scopes(frames)
        self._claim()
        self.calls = self._called()
        """The results of graphc's functions that are one box: `logsumexp(U)`."""
        inside = {p.node for i, p in enumerate(pieces) if self.scopes[i] in self._shut}
        self.hidden = inside - self.calls.keys()
        """What stands inside a function that is one box."""
        self._follow()
        self.sums: dict[Path, Piece] = {}
        """The gradients that several are added up for."""
        if not is_close:
            self._close_sums()

    def _scopes(self, frames: Frames) -> list[Path]:
        """The frames around each piece. What a function takes is not a part of it."""
        paths = [frames.path(self._home.get(p.node, p.node)) for p in self._pieces]
        outside = [path[:-1] if path in self.closed else path for path in paths]
        halves = [p.is_gradient for p in self._pieces]
        around = with_leaves(self.inputs, outside, halves)
        return [path or leaf for path, leaf in zip(paths, around, strict=True)]

    def _members(self) -> dict[Path, list[int]]:
        """What stands in each function that is one box."""
        found: dict[Path, list[int]] = {}
        for i, path in enumerate(self.scopes):
            if path in self._shut and not self._pieces[i].is_gradient:
                found.setdefault(path, []).append(i)
        return found

    def _claim(self) -> None:
        """A node that two functions make belongs to the first, though only the second be drawn."""
        outputs = set(self._subject.outputs)
        for path, members in self._members().items():
            readers = {r for i in members for r in self.readers[i] if self.scopes[r] != path}
            users = {self.scopes[r] for r in readers if not self._pieces[r].is_gradient}
            exits = [i for i in members if not readers.isdisjoint(self.readers[i])]
            if len(exits) > 1 and len(users) == 1 and users <= self._shut:
                (user,) = users
                if outputs.isdisjoint(self._pieces[i].node for i in members):
                    for i in members:
                        self.scopes[i] = user

    def _called(self) -> dict[Node, Term]:
        leaving = {x.tail for x in self._links if self.scopes[x.tail] != self.scopes[x.head]}
        outputs = set(self._subject.outputs)
        leaving |= {i for i, p in enumerate(self._pieces) if p.node in outputs}
        names, found = self._subject.names, {}
        for path, members in self._members().items():
            exits = [i for i in members if i in leaving]
            within = {self._pieces[i].node for i in members}
            taken = dict.fromkeys(
                x for i in members for x in self._pieces[i].node.inputs
                if x not in within and not is_written_inside(x)
            )  # fmt: skip
            if len(exits) > 1:  # others use what it does inside: that is shown
                for i in members:
                    self.scopes[i] = path[:-1]
            else:
                v = self._pieces[exits[0]].node
                told = [names.get(x) or fitted(x, names, _OPERAND) for x in taken]
                told += axes_of(v.part.name, within)
                found[v] = Term("call", v.part.name, tuple(told))
                names.setdefault(v, found[v])
        return found

    def _follow(self) -> None:
        """A gradient stands where its forward node stands."""
        at = {p.node: i for i, p in enumerate(self._pieces)}
        for i, piece in enumerate(self._pieces):
            forward = piece.adjoint_of[0] if piece.is_entry else self._home.get(piece.node)
            if piece.is_gradient and forward in at:
                self.scopes[i] = self.scopes[at[forward]]

    def _close_sums(self) -> None:
        """A gradient and what is added up for it are one box: the sum of Algorithm 6.6."""
        for i, piece in enumerate(self._pieces):
            if not piece.adjoint_of or piece.is_entry:
                continue
            inside, waiting = {i}, [i]
            while waiting:
                for x in self.inputs[waiting.pop()]:
                    part = self._pieces[x]
                    is_part = not part.adjoint_of and part.node in self._home
                    if is_part and x not in inside and inside.issuperset(self.readers[x]):
                        inside.add(x)
                        waiting.append(x)
            if len(inside) > 1:
                path = (*self.scopes[i], f"sum {i}")
                self.sums[path] = piece
                for x in inside:
                    self.scopes[x] = path
        self.closed |= self.sums.keys()
