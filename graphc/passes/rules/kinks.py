"""Kinks: derivatives of relu, abs, maximum, minimum, clip and of choices, in fewer choices.

One in the other they nest conditions on one value. What has the same pieces and costs less takes
their place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from ...ir import Node, topo
from ..cost import weight_in_choices
from ..rewrite import rule
from ..searches import Budget, Memo
from ..steps import Steps, steps_of
from .pieces import (
    BENT,
    COMPARISONS,
    LOGIC,
    OPEN,
    TURNED,
    Line,
    Piece,
    Reading,
    is_open,
    lines,
    near,
)
from .vocabulary import Alone, f, like, number, op, sides

_TESTS = ("sign", *(o.name for o in COMPARISONS))


@rule("where", "add", "subtract", "multiply", over=("where", "sign", *(o.name for o in LOGIC)),
      among=_TESTS, strict=True)
def same_pieces(n: Node, is_alone: Alone, budget: Budget) -> Node | None:
    """where(x > y, 1, where(x == y, 1/2, 0)) = where(x == y, 1/2, x > y), and what is alike"""
    return _simpler(n, is_alone, budget, is_strict=True)


@rule("where", "add", "subtract", "multiply", hides=True, among=_TESTS,
      over=("where", "sign", "multiply", "maximum", "minimum",
            *(o.name for o in (*LOGIC, *COMPARISONS))))
def fewer_choices(n: Node, is_alone: Alone, budget: Budget) -> Node | None:
    """where(|x| <= 1, x, sign(x)) = clip(x, -1, 1), and what is alike where 0 * y may be 0"""
    return _simpler(n, is_alone, budget, is_strict=False)


@rule("multiply", over=("where", "add", "multiply", "divide", "square"),
      among=_TESTS, strict=True)
def choice_that_is_made(n: Node) -> Node | None:
    """(y * relu(x)) * where(x > 0, 1, 0) = y * relu(x): what is chosen is 0 elsewhere anyhow"""
    for u, choice in sides(n):
        if u.shape != n.shape or choice.op not in (op.where, op.add) or not n.type.is_float:
            continue
        factors = [v for v in _factors(u) if v.op in BENT and is_open(v)]
        nodes = [v for v in near(choice) if v is not u] if factors else []
        for line in lines(n, [*nodes, *factors]) if factors else ():
            reading = Reading(line, [*nodes, *factors], is_strict=False, may_hide=False)
            if any(_is_made(b, choice, reading) for b in factors):
                return u
    return None


def _factors(v: Node, depth: int = 4) -> Iterator[Node]:
    yield v
    if depth and v.op in (op.multiply, op.square):
        for u in dict.fromkeys(v.inputs):
            yield from _factors(u, depth - 1)


def _is_made(b: Node, choice: Node, reading: Reading) -> bool:
    """Whether b is 0, or NaN, wherever a choice among numbers that are not negative is not 1."""
    for cell in reading.line.cells:
        h, piece = reading.value(choice, cell), reading.value(b, cell)
        if not isinstance(h, Piece) or h.node is not None or not 0 <= h.factor < math.inf:
            return False
        if math.copysign(1.0, h.factor) < 0:  # -0 turns the sign of a zero
            return False
        is_zero = isinstance(piece, Piece) and piece.node is None and not abs(piece.factor) > 0
        if h.factor != 1 and not is_zero:
            return False
    return True


def _simpler(n: Node, is_alone: Alone, budget: Budget, is_strict: bool) -> Node | None:
    """The cheapest node that has the same pieces as n, if it is cheaper than n."""
    if not n.type.is_float or not is_open(n):
        return None
    nodes = near(n)
    if not any(v.op in COMPARISONS or v.op is op.sign for v in nodes) or _is_short(n, nodes):
        return None
    goes = _goes(n, nodes, is_alone)
    inside = set(nodes)
    border = list(dict.fromkeys(x for v in nodes for x in v.inputs if x not in inside))
    key = _structure(n, nodes, border, goes), is_strict
    values = [*nodes, *border]

    def search() -> tuple[Steps | None, float]:
        best, readings = _cheapest(n, nodes, border, goes, is_strict)
        return None if best is None else steps_of(best, values), _READING * readings

    steps = _memo.find(key, budget, search)
    return None if steps is None else steps.on(values)


def _is_short(n: Node, nodes: list[Node]) -> bool:
    """Whether n is one choice by one test, of a value that the test has nothing to do with."""
    if n.op is not op.where or n.inputs[0].op not in COMPARISONS:
        return False
    values = {x for x in n.inputs[1:] if number(x) is None}
    compared = itertools.chain(nodes, *(v.inputs for v in nodes[1:]))
    return bool(values) and values.isdisjoint(compared)


def _goes(n: Node, nodes: list[Node], is_alone: Alone) -> set[Node]:
    """What goes with n: what nothing else needs."""
    gone, inside = {n}, set(nodes)
    for v in nodes:
        if v in gone:
            gone.update(x for x in v.inputs if x in inside and is_alone(x))
    return gone


def _cheapest(
    n: Node, nodes: list[Node], outside: list[Node], goes: set[Node], is_strict: bool
) -> tuple[Node | None, int]:
    """The search: along each line that conditions name, until one helps; and how many nodes it
    has read in how many cells.
    """
    border, readings = set(outside), 0
    for line in itertools.islice(lines(n, nodes), _MOST_LINES):
        whole = Reading(line, nodes, is_strict)
        read: Iterator[Any] = (whole.value(n, cell) for cell in line.cells)
        # Where n stays itself in a cell, it is in all that is made of its pieces: no need to go on.
        pieces = list(itertools.takewhile(lambda piece: piece.node is not n, read))
        readings += len(nodes) * (len(pieces) + 1)
        if len(pieces) < len(line.cells):
            continue
        price = sum(map(weight_in_choices, goes))
        kept = border.union(v for v in nodes if v not in goes)
        best = None
        for made in _made(n, line, nodes, pieces, is_strict):
            needed = [] if made in border else topo([made], beyond=border)
            cost = sum(weight_in_choices(v) for v in needed if v not in kept)
            if cost >= price:
                continue
            readings += len(needed) * len(line.cells)
            if _is_same(made, needed, line, pieces, is_strict):
                best, price = made, cost
        if best is not None:
            return best, readings
    return None, readings


# Equal layers are searched once.
_memo: Memo[Steps | None] = Memo()
# Seconds to read a node in a cell, with what is made of it: as measured.
_READING = 5.5e-6


def _structure(n: Node, nodes: list[Node], border: list[Node], goes: set[Node]) -> Any:
    """Nodes up to the names of what they are computed from, and which of them go with n."""
    at = {v: k for k, v in enumerate((*nodes, *border))}
    inner = [
        (v.op, v.dtype, v in goes, tuple(v.attrs.items()), *[at[x] for x in v.inputs])
        for v in nodes
    ]
    outer = [(x.dtype, x.shape == n.shape, x.op.family == "leaf", repr(number(x))) for x in border]
    return tuple(inner), tuple(outer), n.ndim == 0


_MOST_LINES = 3


def _made(
    n: Node, line: Line, nodes: list[Node], pieces: list[Any], is_strict: bool
) -> Iterator[Node]:
    """The ways to write what has some pieces; where bits do not matter, 0 * y may be 0 always."""
    tests = _tests(nodes)
    yield from _Forms(n, line, tests, pieces).all()
    plain = pieces if is_strict else [p if p.factor else Piece(p.factor) for p in pieces]
    if plain != pieces:
        yield from _Forms(n, line, tests, plain).all()


# -- writing ----------------------------------------------------------------------------------

def _tests(nodes: list[Node]) -> dict[Any, Node]:
    """The comparisons among some nodes, either way round."""
    found = {}
    for v in nodes:
        if v.op in COMPARISONS:
            x, y = v.inputs
            found[v.op, _key(x), _key(y)] = v
            found[TURNED[v.op], _key(y), _key(x)] = v
    return found


class _Forms:
    """The ways to write what has some pieces in the cells of a line."""

    def __init__(self, n: Node, line: Line, tests: dict[Any, Node], pieces: list[Any]) -> None:
        self.n, self.line, self.tests, self.pieces = n, line, tests, pieces

    def all(self) -> Iterator[Node]:
        (node, *others) = dict.fromkeys(p.node for p in self.pieces)
        if node is not None and not others:
            factors = [Piece(p.factor) for p in self.pieces]
            numbers = _Forms(self.n, self.line, self.tests, factors).all()
            yield from (f.multiply(node, v) for v in numbers)
        yield from self._each()

    def _each(self) -> Iterator[Node]:
        *_, other = self.pieces
        distinct = {_key(p): p for p in self.pieces}
        if len(distinct) == 1:
            yield self._of(other)
            return
        if self.line.numbers:
            yield from self._known()
        others = [p for key, p in distinct.items() if key != _key(other)]
        for k, chosen in enumerate(others):
            rest = [p for p in others if p is not chosen]
            if len(distinct) == 2:
                yield f.where(self._in(chosen), self._of(chosen), self._of(other))
            elif other == Piece(0.0) and len(distinct) <= 4:
                yield f.where(self._in(chosen), self._of(chosen), self._sum(rest))
            if k == 0 and other == Piece(0.0) and 3 <= len(distinct) <= 4:
                yield self._sum(others)

    def _known(self) -> Iterator[Node]:
        """Functions that have such pieces: sign, relu, abs, clip."""
        x, (first, *_, last, _) = self.line.x, self.pieces
        if x.dtype != self.n.dtype:
            return
        if last.node is None:
            yield self._scaled(last.factor, f.sign(x))
        if last.node is x:
            yield self._scaled(last.factor, f.relu(x))
            yield self._scaled(last.factor, f.abs(x))
        if first.node is x:
            yield self._scaled(-first.factor, f.relu(f.negative(x)))
        if Piece(1.0, x) in self.pieces and first.node is last.node is None:
            if first.factor < last.factor:
                yield f.clip(x, like(x, first.factor), like(x, last.factor))

    def _of(self, piece: Piece) -> Node:
        if piece.node is None:
            return like(self.n, piece.factor)
        return self._scaled(piece.factor, piece.node)

    def _scaled(self, factor: float, v: Node) -> Node:
        if factor == 1:
            return v
        made: Node = f.negative(v) if factor == -1 else f.multiply(like(v, factor), v)
        return made

    def _sum(self, pieces: list[Piece]) -> Node:
        """The sum of what is a piece in its cells, and 0 elsewhere."""
        terms: list[tuple[Piece, Node]] = []
        for piece in pieces:
            if piece.node is not None:
                terms.append((piece, f.where(self._in(piece), self._of(piece), like(self.n, 0))))
            else:
                terms.append((piece, f.astype(self._in(piece), self.n.dtype)))
        terms.sort(key=lambda term: term[0].factor <= 0)
        total: Node | None = None
        for piece, v in terms:
            factor = piece.factor if piece.node is None else 1.0
            if total is None:
                total = self._scaled(factor, v)
            elif factor < 0:
                total = f.subtract(total, self._scaled(-factor, v))
            else:
                total = f.add(total, self._scaled(factor, v))
        assert total is not None
        return total

    def _in(self, piece: Piece) -> Node:
        """Whether the value is in a cell with this piece, where there is order."""
        cells = [k for k, p in enumerate(self.pieces[:-1]) if _key(p) == _key(piece)]
        runs: list[Node] = []
        while cells:
            last = first = cells.pop(0)
            while cells and cells[0] == last + 1:
                last = cells.pop(0)
            runs.append(self._run(first, last))
        either, *others = runs
        for other in others:
            either = f.logical_or(either, other)
        return either

    def _run(self, first: int, last: int) -> Node:
        """Whether the value is in one of some neighbouring cells."""
        ends = self.line.ends
        if first == last and first % 2:
            return self._test(op.equal, ends[first // 2])
        tests = []
        if first > 0:
            tests.append(self._test(*_lower(first, ends)))
        if last < 2 * len(ends):
            tests.append(self._test(*_upper(last, ends)))
        if not tests:
            return f.equal(self.line.x, self.line.x)
        return tests[0] if len(tests) == 1 else f.logical_and(*tests)

    def _test(self, comparison: Any, end: Node) -> Node:
        there = self.tests.get((comparison, _key(self.line.x), _key(end)))
        made: Node = comparison(self.line.x, end)
        return made if there is None else there


def _lower(first: int, ends: tuple[Node, ...]) -> tuple[Any, Node]:
    return (op.greater_equal if first % 2 else op.greater), ends[(first - 1) // 2]


def _upper(last: int, ends: tuple[Node, ...]) -> tuple[Any, Node]:
    return (op.less_equal if last % 2 else op.less), ends[last // 2]


def _key(v: Any) -> Any:
    """What is equal for equal pieces, NaN among them, and for equal numbers."""
    if isinstance(v, Node):
        return v if number(v) is None else number(v)
    return repr(v.factor), v.node


def _is_same(
    made: Node, nodes: list[Node], line: Line, pieces: list[Any], is_strict: bool
) -> bool:
    """Whether what was made of some nodes has the given pieces."""
    reading = Reading(line, [v for v in nodes if v.op in OPEN], is_strict, may_hide=False)
    found = [reading.value(made, cell) for cell in line.cells]
    if is_strict:
        return [*map(_key, found)] == [*map(_key, pieces)]
    return all(_is_as_good(a, b) for a, b in zip(found, pieces, strict=True))


def _is_as_good(new: Any, old: Any) -> bool:
    """Whether a piece may stand for another: a zero for what is 0 or NaN, and either zero."""
    if old.factor == 0 and new == Piece(0.0):
        return True
    is_equal = new.factor == old.factor or (new.factor != new.factor and old.factor != old.factor)
    return is_equal and new.node is old.node
