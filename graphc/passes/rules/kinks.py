"""Kinks: what depends on where a value lies among numbers, or beside another, in fewer choices.

Derivatives of relu, abs, maximum, minimum, clip and of choices, one in the other, nest conditions
on one value x. They cut the line of numbers into cells: below the first number, at it, up to the
next and so on, and NaN. In each cell every condition is known, so the whole is a number there, or
a number times some value. What has the same pieces and costs less takes its place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ...ir import Node, topo
from ...ops.chain import is_literal
from ..rewrite import rule
from .vocabulary import Alone, f, like, number, op, sides

# What is larger, or has more numbers to lie among, is left as it is.
_MOST_NODES, _MOST_ENDS = 24, 5

_COMPARISONS: dict[Any, Callable[[Any, Any], bool]] = {
    op.less: lambda a, b: a < b,
    op.less_equal: lambda a, b: a <= b,
    op.greater: lambda a, b: a > b,
    op.greater_equal: lambda a, b: a >= b,
    op.equal: lambda a, b: a == b,
    op.not_equal: lambda a, b: a != b,
}
_TURNED = {
    op.less: op.greater, op.less_equal: op.greater_equal, op.greater: op.less,
    op.greater_equal: op.less_equal, op.equal: op.equal, op.not_equal: op.not_equal,
}  # fmt: skip
_LOGIC = (op.logical_and, op.logical_or, op.logical_not)
# Functions of one value that the line of numbers is cut for: through these a condition is seen.
_BENT = (op.relu, op.abs, op.negative, op.maximum, op.minimum, op.clip)
_OPEN = {
    op.where, op.add, op.subtract, op.multiply, op.sign, op.astype, *_LOGIC, *_COMPARISONS, *_BENT,
}  # fmt: skip


class Piece(NamedTuple):
    """A number, or a number times the value of a node: 0 times it is NaN where it is infinite."""

    factor: float
    node: Node | None = None


# A piece, a truth value, or None for a condition that a cell does not decide.
Value = Piece | bool | None


@rule("where", "add", "subtract", "multiply", over=("where", "sign", *(o.name for o in _LOGIC)),
      strict=True)
def same_pieces(n: Node, is_alone: Alone) -> Node | None:
    """where(x > y, 1, where(x == y, 1/2, 0)) = where(x == y, 1/2, x > y), and what is alike"""
    return _simpler(n, is_alone, is_strict=True)


@rule("where", "add", "subtract", "multiply", hides=True,
      over=("where", "sign", "multiply", "maximum", "minimum",
            *(o.name for o in (*_LOGIC, *_COMPARISONS))))
def fewer_choices(n: Node, is_alone: Alone) -> Node | None:
    """where(|x| <= 1, x, sign(x)) = clip(x, -1, 1), and what is alike where 0 * y may be 0"""
    return _simpler(n, is_alone, is_strict=False)


@rule("multiply", over=("where", "add", "multiply", "divide", "square"), strict=True)
def choice_that_is_made(n: Node) -> Node | None:
    """(y * relu(x)) * where(x > 0, 1, 0) = y * relu(x): what is chosen is 0 elsewhere anyhow"""
    for u, choice in sides(n):
        if u.shape != n.shape or choice.op not in (op.where, op.add) or not n.type.is_float:
            continue
        nodes = [v for v in _near(choice) if v is not u]
        factors = [v for v in _factors(u) if v.op in _BENT and _is_open(v)]
        for line in _lines(n, [*nodes, *factors]) if factors else ():
            reading = _Reading(line, [*nodes, *factors], is_strict=False, may_hide=False)
            if any(_is_made(b, choice, reading) for b in factors):
                return u
    return None


def _factors(v: Node, depth: int = 4) -> Iterator[Node]:
    yield v
    if depth and v.op in (op.multiply, op.square):
        for u in dict.fromkeys(v.inputs):
            yield from _factors(u, depth - 1)


def _is_made(b: Node, choice: Node, reading: _Reading) -> bool:
    """Whether b is 0, or NaN, wherever a choice among numbers that are not negative is not 1."""
    for cell in reading.line.cells:
        h, piece = reading.value(choice, cell), reading.value(b, cell)
        if not isinstance(h, Piece) or h.node is not None or not 0 <= h.factor < math.inf:
            return False
        is_zero = isinstance(piece, Piece) and piece.node is None and not abs(piece.factor) > 0
        if h.factor != 1 and not is_zero:
            return False
    return True


def _simpler(n: Node, is_alone: Alone, is_strict: bool) -> Node | None:
    """The cheapest node that has the same pieces as n, if it is cheaper than n."""
    if not n.type.is_float or not _is_open(n):
        return None
    nodes = _near(n)
    for line in itertools.islice(_lines(n, nodes), _MOST_LINES):
        whole = _Reading(line, nodes, is_strict)
        pieces = [whole.value(n, cell) for cell in line.cells]
        goes = _goes(n, nodes, is_alone)
        price = sum(_price(v) for v in goes)
        kept = {v for v in nodes if v not in goes}
        best = None
        for made in _made(n, line, nodes, pieces, is_strict):
            fresh = [v for v in topo([made], beyond={*kept, *line.values}) if v not in kept]
            cost = sum(_price(v) for v in fresh)
            if cost < price and _is_same(made, line, pieces, is_strict):
                best, price = made, cost
        if best is not None:
            return best
    return None


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


def _near(n: Node) -> list[Node]:
    """What n is computed from by operations that have pieces, the nearest first."""
    found: dict[Node, None] = {n: None}
    for v in _growing(found):
        for x in v.inputs:
            if len(found) < _MOST_NODES and x.shape == n.shape and _is_open(x):
                found.setdefault(x)
    return list(found)


def _is_open(v: Node) -> bool:
    """Whether v has pieces where its operands have: nothing is converted but truth values."""
    if v.op is op.astype:
        return v.inputs[0].dtype == bool
    taken = v.inputs[v.op is op.where :]
    return v.op in _OPEN and all(x.dtype == taken[0].dtype for x in taken)


def _growing(found: dict[Node, None]) -> Iterator[Node]:
    """The keys of a dict that grows meanwhile."""
    done = 0
    while done < len(found):
        yield from (batch := list(found)[done:])
        done += len(batch)


class Line(NamedTuple):
    """One value, and what it lies among: numbers in order, or one other value.

    Cell 2 * k + 1 is the kth end, those beside it are even, the last is where there is no order.
    """

    x: Node
    ends: tuple[Node, ...]
    numbers: tuple[float, ...]

    @property
    def cells(self) -> range:
        return range(2 * len(self.ends) + 2)

    @property
    def values(self) -> tuple[Node, ...]:
        return (self.x, *self.ends)

    def is_unordered(self, cell: int) -> bool:
        return cell == 2 * len(self.ends) + 1

    def between(self, cell: int) -> tuple[float, float]:
        """The ends of a cell."""
        k, is_end = divmod(cell, 2)
        if is_end:
            return self.numbers[k], self.numbers[k]
        low = self.numbers[k - 1] if k else -math.inf
        return low, self.numbers[k] if k < len(self.numbers) else math.inf


def _lines(n: Node, nodes: list[Node]) -> Iterator[Line]:
    """What the conditions in some nodes are on: one value among numbers, or beside another."""
    tests = [v for v in nodes if v.op in _COMPARISONS]
    asked = [x for v in tests for x in v.inputs] + [v.inputs[0] for v in nodes if v.op is op.sign]
    for x in dict.fromkeys(b for b in map(_base, asked) if number(b) is None):
        uses = sum(x in v.inputs for v in nodes)
        numbers = _ends(nodes) if x.shape == n.shape and x.type.is_float and uses > 1 else ()
        if numbers:
            yield Line(x, tuple(like(x, c) for c in numbers), numbers)
    for x, y in dict.fromkeys((*v.inputs,) for v in tests):
        if number(x) is None and number(y) is None and n.shape in (x.shape, y.shape):
            yield Line(x, (y,), ())


def _base(v: Node) -> Node:
    """The value that a condition is on: x in relu(x) > 0, in -x > 0 and in max(x, 1) > 0."""
    while True:
        inner = [x for x in v.inputs if number(x) is None]
        if v.op not in _BENT and v.op is not op.multiply or len(inner) != 1:
            return v
        (v,) = inner


def _ends(nodes: list[Node]) -> tuple[float, ...]:
    """The numbers that conditions and bends in some nodes are at; none where they are too many."""
    found = {0.0}
    for v in nodes:
        if v.op in _COMPARISONS or v.op in (op.maximum, op.minimum, op.clip):
            found |= {float(c) + 0.0 for x in v.inputs if (c := number(x)) is not None}
    if any(v.op in (op.abs, op.negative) for v in nodes):
        found |= {-c + 0.0 for c in found}
    is_short = len(found) <= _MOST_ENDS and all(map(math.isfinite, found))
    return tuple(sorted(found)) if is_short else ()


# -- reading ----------------------------------------------------------------------------------

class _Reading:
    """What some nodes are in each cell of a line.

    `may_hide` where 0 * y is 0, whatever y is; where not, no rounding differs, and no zero's sign.
    """

    def __init__(self, line: Line, nodes: list[Node], is_strict: bool, may_hide: bool = True):
        self.line, self.nodes, self.is_strict = line, set(nodes), is_strict
        self.may_hide = may_hide and not is_strict
        self.known: dict[tuple[Node, int], Value] = {}

    def value(self, v: Node, cell: int) -> Value:
        if (v, cell) not in self.known:
            for u in topo([v], beyond=self.line.values):
                if (u, cell) not in self.known:
                    self.known[u, cell] = self._read(u, cell)
            self.known.setdefault((v, cell), self._read(v, cell))
        return self.known[v, cell]

    def _read(self, v: Node, cell: int) -> Value:
        if v is self.line.x and self.line.numbers:
            if self.line.is_unordered(cell):
                return Piece(math.nan)
            low, high = self.line.between(cell)
            return Piece(low) if low == high and (low or not self.is_strict) else Piece(1.0, v)
        constant = number(v)
        if constant is not None:
            return constant if v.dtype == bool else Piece(float(constant))
        whole = None if v.dtype == bool else Piece(1.0, v)
        if v not in self.nodes or v in self.line.values:
            return whole
        operands = [self.value(x, cell) for x in v.inputs]
        found = self._applied(v, operands, cell)
        return whole if found is None else found

    def _applied(self, v: Node, operands: list[Value], cell: int) -> Value:
        if v.op in _LOGIC:
            return _decided(v.op, operands)
        if v.op is op.where:
            c, a, b = operands
            return None if c is None else a if c else b
        if v.op is op.astype:
            (c,) = operands
            return Piece(float(c)) if isinstance(c, bool) and v.type.is_float else None
        pieces = [a for a in operands if isinstance(a, Piece)]
        if len(pieces) < len(operands):
            return None
        if v.op in _COMPARISONS:
            order = self.order(pieces[0], pieces[1], cell)
            return None if order is None else _COMPARISONS[v.op](order, 0)
        return _ARITHMETIC[v.op](self, v, cell, *pieces)

    def order(self, a: Piece, b: Piece, cell: int) -> float | None:
        """-1, 0 or 1 as a is less than b, equal or greater, NaN without order; None is unknown."""
        line = self.line
        if a.factor != a.factor or b.factor != b.factor:
            return math.nan
        if a.node is None and b.node is None:
            return float(a.factor > b.factor) - (a.factor < b.factor)
        if not line.numbers:
            if {a.node, b.node} != set(line.values) or a.factor != b.factor or abs(a.factor) != 1:
                return None
            position = math.nan if line.is_unordered(cell) else cell - 1
            return position * a.factor * (1 if a.node is line.x else -1)
        if b.node is line.x and a.node is None:
            turned = self.order(b, a, cell)
            return None if turned is None else -turned
        if a.node is not line.x or b.node not in (None, line.x):
            return None
        low, high = line.between(cell)
        above = 1.0 if low >= 0 and high > 0 else -1.0 if high <= 0 and low < 0 else 0.0
        if b.node is line.x:
            if a.factor == b.factor or not above:
                return 0.0
            is_clear = a.factor * b.factor <= 0 and max(abs(a.factor), abs(b.factor)) >= 0.5
            return math.copysign(1.0, a.factor - b.factor) * above if is_clear else None
        if b.factor == 0 and abs(a.factor) >= 0.5:  # else what is tiny may vanish
            return math.copysign(1.0, a.factor) * above
        if abs(a.factor) != 1:
            return None
        end = b.factor * a.factor
        if low == high == end:
            return 0.0
        return a.factor if low >= end else -a.factor if high <= end else None

    # The arithmetic of pieces; None where the result is none.

    def times(self, v: Node, cell: int, a: Piece, b: Piece) -> Piece | None:
        if a.node is not None and b.node is not None:
            return None
        if a.node is None and b.node is None:
            return _rounded(v, np.multiply, a.factor, b.factor)
        c, piece = (a.factor, b) if a.node is None else (b.factor, a)
        if c != c:
            return Piece(c)
        if c == 0 and self.may_hide and piece.node is self.line.x:
            return Piece(0.0)
        if self.is_strict and abs(c) != 1 and abs(piece.factor) != 1:
            return None
        factor = _rounded(v, np.multiply, c, piece.factor).factor
        is_exact = (factor == 0) == (c == 0 or piece.factor == 0)
        return Piece(factor, piece.node) if is_exact and math.isfinite(factor) else None

    def plus(self, v: Node, cell: int, a: Piece, b: Piece) -> Piece | None:
        if a.node is None and b.node is None:
            return _rounded(v, np.add, a.factor, b.factor)
        if self.is_strict:
            return None
        if a.node is b.node:
            factor = _rounded(v, np.add, a.factor, b.factor).factor
            return Piece(factor, a.node) if math.isfinite(factor) else None
        for c, piece in ((a, b), (b, a)):
            if c.factor == 0 and (c.node is None or self.may_hide):
                return piece
        return None

    def minus(self, v: Node, cell: int, a: Piece, b: Piece) -> Piece | None:
        return self.plus(v, cell, a, Piece(-b.factor, b.node))

    def sign(self, v: Node, cell: int, a: Piece) -> Piece | None:
        order = self.order(a, Piece(0.0), cell)
        return None if order is None else Piece(order + 0.0)

    def absolute(self, v: Node, cell: int, a: Piece) -> Piece | None:
        order = self.order(a, Piece(0.0), cell)
        if order == 0:
            return Piece(0.0)
        return None if order is None else Piece(a.factor * order, a.node)

    def most(self, v: Node, cell: int, a: Piece, b: Piece, turn: int = 1) -> Piece | None:
        order = self.order(a, b, cell)
        if order is None or (order == 0 and self.is_strict):
            return None
        if order != order:
            return Piece(math.nan) if a.node is None or b.node is None else None
        return a if order * turn >= 0 else b

    def least(self, v: Node, cell: int, a: Piece, b: Piece) -> Piece | None:
        return self.most(v, cell, a, b, -1)

    def rectified(self, v: Node, cell: int, a: Piece) -> Piece | None:
        return self.most(v, cell, a, Piece(0.0))

    def clipped(self, v: Node, cell: int, a: Piece, low: Piece, high: Piece) -> Piece | None:
        raised = self.most(v, cell, a, low)
        return None if raised is None else self.least(v, cell, raised, high)


def _rounded(v: Node, of: Any, a: float, b: float) -> Piece:
    with np.errstate(all="ignore"):
        return Piece(float(of(v.dtype.type(a), v.dtype.type(b))))


_ARITHMETIC: dict[Any, Callable[..., Piece | None]] = {
    op.multiply: _Reading.times,
    op.add: _Reading.plus,
    op.subtract: _Reading.minus,
    op.negative: lambda r, v, cell, a: Piece(-a.factor, a.node),
    op.sign: _Reading.sign,
    op.abs: _Reading.absolute,
    op.relu: _Reading.rectified,
    op.maximum: _Reading.most,
    op.minimum: _Reading.least,
    op.clip: _Reading.clipped,
}


def _decided(connective: Any, operands: list[Value]) -> Value:
    if connective is op.logical_not:
        return None if operands[0] is None else not operands[0]
    settles = connective is op.logical_or
    if any(c is settles for c in operands):
        return settles
    return None if None in operands else not settles


# -- writing ----------------------------------------------------------------------------------

def _tests(nodes: list[Node]) -> dict[Any, Node]:
    """The comparisons among some nodes, either way round."""
    found = {}
    for v in nodes:
        if v.op in _COMPARISONS:
            x, y = v.inputs
            found[v.op, _key(x), _key(y)] = v
            found[_TURNED[v.op], _key(y), _key(x)] = v
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
        distinct = list(dict.fromkeys(_key(p) for p in self.pieces))
        if len(distinct) == 1:
            yield self._of(other)
            return
        if self.line.numbers:
            yield from self._known()
        others = [p for p in dict.fromkeys(self.pieces) if _key(p) != _key(other)]
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


def _is_same(made: Node, line: Line, pieces: list[Any], is_strict: bool) -> bool:
    """Whether what was made has the given pieces."""
    nodes = [v for v in topo([made], beyond=line.values) if v.op in _OPEN]
    reading = _Reading(line, nodes, is_strict, may_hide=False)
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


# -- prices -----------------------------------------------------------------------------------

def _goes(n: Node, nodes: list[Node], is_alone: Alone) -> set[Node]:
    """What goes with n: what nothing else needs."""
    gone = {n}
    for v in nodes:
        if v in gone:
            gone.update(x for x in v.inputs if x in nodes and is_alone(x))
    return gone


def _price(v: Node) -> float:
    """What an operation takes beside a product: a choice has to ask each element by itself."""
    if v.op is op.where:
        return 1.5 if is_literal(v.inputs[2], 0) and number(v.inputs[1]) is None else 5.0
    if v.op in _LOGIC or v.op is op.astype:
        return 0.25 if v.dtype == bool else 0.5
    return 0.0 if v.op.family == "leaf" else 2.0 if v.op is op.sign else 1.0
