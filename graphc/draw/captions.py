"""What a box says: its lines, and what it tells on hover."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ..ir import Node
from ..notation import Term, cut, fitted, leaf_term, op_word, text
from .fold import Group
from .frames import Frames
from .heat import Heat
from .picture import STATES
from .subject import Piece, Subject
from .text import printable, short
from .values import Seen

_LINE, _NAME, _HOVER, _STEP = 34, 26, 300, 60
# So many names of a box that holds several are told.
_MOST_NAMED = 4


class Captions:
    """The words of one picture, for a piece and for what is folded."""

    def __init__(
        self,
        subject: Subject,
        frames: Frames,
        calls: Mapping[Node, Term],
        *,
        heat: Heat | None = None,
        state: Mapping[Node, str] | None = None,
        values: Mapping[Node, Seen] | None = None,
    ) -> None:
        self.subject, self.frames, self.calls = subject, frames, calls
        self.heat, self.state, self.values = heat, state or {}, values or {}
        steps = subject.table.steps if subject.table else ()
        self._step_of = {s.node: k for k, s in enumerate(steps, 1)}

    # One node

    def lines(self, piece: Piece) -> tuple[str, ...]:
        """`z = X @ w`; an input is its name."""
        name, value = self.name(piece), self._value(piece, _LINE)
        if name is not None and piece.node.op.name == "input" and not piece.is_entry:
            return (short(name, _LINE),)
        return _equation(name, value)

    def name(self, piece: Piece) -> str | None:
        """What a box is called: by the user, or as the gradient by this and that."""
        names = self.subject.names
        given = names.get(piece.node)
        if not piece.adjoint_of:
            if given is None:
                return None
            return printable(text(given if given.kind == "name" else cut(given, _LINE)))
        if given is not None and given.kind == "name" and not piece.is_entry:
            return printable(text(given))
        if all(map(self.subject.is_gradient, piece.adjoint_of)):
            return None  # on the way to a derivative of higher order
        named = [v for v in piece.adjoint_of if v in names]
        terms = dict.fromkeys(
            self.subject.gradient(piece.node, v) for v in named or piece.adjoint_of[:3]
        )
        told = [short(printable(text(cut(t, _NAME))), _NAME) for t in list(terms)[:2]]
        more = ", …" * (len(terms) > 2)
        if len(", ".join(told) + more) > _LINE:
            told, more = told[:1], ", …"
        return ", ".join(told) + more

    def _value(self, piece: Piece, most: int) -> str:
        """The mathematics of a piece, as far as the line has room for it."""
        v, names = piece.node, self.subject.names
        if piece.is_entry and v in names:
            return short(printable(text(cut(names[v], most))), most)
        if not v.inputs:
            return short(printable(text(names.get(v) or leaf_term(v))), most)
        return short(printable(text(fitted(v, names, most))), most)

    def value(self, v: Node) -> str:
        """What a gradient is, in the table of steps."""
        return self._value(Piece(v, True), _STEP)

    def reference(self, v: Node) -> str:
        """A short way to speak of a node."""
        return short(self.subject.reference(v), _NAME)

    def facts(self, piece: Piece) -> tuple[str, ...]:
        """Everything that the graph knows about a node."""
        v = piece.node
        name, value = self.name(piece), self._value(piece, _HOVER)
        facts = [f"{short(name, _HOVER)} = {value}" if name and name != value else value]
        facts.append(f"{op_word(v)} : {v.type}")
        if v.op.family != "leaf":
            facts.append(f"{v.op.flops(v)} flops, {v.type.nbytes} bytes")
        if v.where is not None and (v.inputs or v.op.name == "input"):
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
            by = " and ".join(self.reference(v) for v in piece.adjoint_of[:3])
            yield f"the gradient by {by}"
            if piece.adjoint_of[0] in self._step_of:
                yield f"Algorithm 6.6, step {self._step_of[piece.adjoint_of[0]]}"
        elif piece.node.origin is not None:
            yield f"made by the bprop of {self.reference(piece.node.origin)}"

    # Several nodes in one box

    def group_lines(
        self, group: Group, members: list[Piece], result: Piece | None, exit: Piece | None
    ) -> tuple[str, ...]:
        """A function by its value, a scope by its name, a repetition by what is repeated.

        The `result` is what a function of graphc's returns; the `exit` is all that others read.
        """
        count = f"{len(members):,}"
        if group.kind == "leaves":
            told = [short(self.name(p) or "…", _NAME) for p in members[:_MOST_NAMED]]
            more = ", …" * (len(members) > _MOST_NAMED)
            return short(", ".join(told), _LINE) + more, f"{count} inputs"
        if group.kind == "scope":
            if result is not None and result.is_gradient:
                return self.lines(result)
            if result is not None:
                value = text(cut(self.calls[result.node], _LINE))
                return _equation(self.name(result), short(printable(value), _LINE))
            name = short(printable(group.name), _LINE)
            if exit is not None and exit.is_gradient and exit.node in self.subject.names:
                return self.name(exit) or name, f"via {name}, {count} nodes"
            return f"∇ {name}" if members[0].is_gradient else name, f"{count} nodes"
        last = members[-1]
        return f"{count} nodes, up to", self.name(last) or self._value(last, _NAME)

    def repeated(self, count: int, ends: str, last: Piece) -> tuple[str, ...]:
        """`24 ×`, and the first and the last scope, or else the result of a block."""
        if not ends:
            return (f"{count} ×", *self.lines(last))
        return f"{count} ×", short("∇ " * last.is_gradient + printable(ends), _LINE)

    def group_facts(self, group: Group, members: list[Piece]) -> tuple[str, ...]:
        """How many nodes, of which operations."""
        ops = Counter(op_word(piece.node) for piece in members)
        told = ", ".join(f"{c:,} {name}" for name, c in ops.most_common(8))
        facts = [f"{len(members):,} nodes: {told}{', …' * (len(ops) > 8)}"]
        if group.kind == "repeat":
            size = len(members) // group.count
            facts.append(f"{group.count:,} times the same {size} nodes")
        return tuple(facts)


def _equation(name: str | None, value: str) -> tuple[str, ...]:
    """`name = value`, in two lines if it is long."""
    if name is None or short(name, _LINE) == value:
        return (value,)
    line = f"{name} = {value}"
    return (line,) if len(line) <= _LINE else (f"{short(name, _LINE)} =", value)
