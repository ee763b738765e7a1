"""Pieces: what a value is between the numbers that conditions on another value name.

Conditions on one value cut the line of numbers into cells: below the first number, at it, up to
the next and so on, and NaN. In each cell all of them are known, so what hangs on them is a number
there, or a number times some value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ...ir import Node
from .vocabulary import like, number, op

# What is larger, or has more numbers to lie among, is left as it is.
_MOST_NODES, _MOST_ENDS = 24, 5

COMPARISONS: dict[Any, Callable[[Any, Any], bool]] = {
    op.less: lambda a, b: a < b,
    op.less_equal: lambda a, b: a <= b,
    op.greater: lambda a, b: a > b,
    op.greater_equal: lambda a, b: a >= b,
    op.equal: lambda a, b: a == b,
    op.not_equal: lambda a, b: a != b,
}
TURNED = {
    op.less: op.greater, op.less_equal: op.greater_equal, op.greater: op.less,
    op.greater_equal: op.less_equal, op.equal: op.equal, op.not_equal: op.not_equal,
}  # fmt: skip
LOGIC = (op.logical_and, op.logical_or, op.logical_not)
# Functions of one value that the line of numbers is cut for: through these a condition is seen.
BENT = (op.relu, op.abs, op.negative, op.maximum, op.minimum, op.clip)
OPEN = {
    op.where, op.add, op.subtract, op.multiply, op.sign, op.astype, *LOGIC, *COMPARISONS, *BENT,
}  # fmt: skip


class Piece(NamedTuple):
    """A number, or a number times the value of a node: 0 times it is NaN where it is infinite."""

    factor: float
    node: Node | None = None


# A piece, a truth value, or None for a condition that a cell does not decide.
Value = Piece | bool | None


def near(n: Node) -> list[Node]:
    """What n is computed from by operations that have pieces, the nearest first."""
    found: dict[Node, None] = {n: None}
    for v in _growing(found):
        for x in v.inputs:
            if x.op in OPEN and x not in found and len(found) < _MOST_NODES:
                if x.shape == n.shape and is_open(x):
                    found[x] = None
    return list(found)


def is_open(v: Node) -> bool:
    """Whether v has pieces where its operands have: nothing is converted but truth values."""
    if v.op is op.astype:
        return v.inputs[0].dtype == bool
    taken = v.inputs[v.op is op.where :]
    return v.op in OPEN and all(x.dtype == taken[0].dtype for x in taken)


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


def lines(n: Node, nodes: list[Node]) -> Iterator[Line]:
    """What the conditions in some nodes are on: one value among numbers, or beside another."""
    tests = [v for v in nodes if v.op in COMPARISONS]
    asked = [x for v in tests for x in v.inputs] + [v.inputs[0] for v in nodes if v.op is op.sign]
    inside = set(nodes)
    for x in dict.fromkeys(b for v in asked if number(b := _base(v, inside)) is None):
        uses = sum(x in v.inputs for v in nodes)
        numbers = _ends(nodes) if x.shape == n.shape and x.type.is_float and uses > 1 else ()
        if numbers:
            yield Line(x, tuple(like(x, c) for c in numbers), numbers)
    for x, y in dict.fromkeys((*v.inputs,) for v in tests):
        if number(x) is None and number(y) is None and n.shape in (x.shape, y.shape):
            yield Line(x, (y,), ())


def _base(v: Node, inside: set[Node]) -> Node:
    """The value that a condition is on: x in relu(x) > 0, in -x > 0 and in max(x, 1) > 0."""
    while v in inside and (v.op in BENT or v.op is op.multiply):
        inner = [x for x in v.inputs if number(x) is None]
        if len(inner) != 1:
            break
        (v,) = inner
    return v


def _ends(nodes: list[Node]) -> tuple[float, ...]:
    """The numbers that conditions and bends in some nodes are at; none where they are too many."""
    found = {0.0}
    for v in nodes:
        if v.op in COMPARISONS or v.op in (op.maximum, op.minimum, op.clip):
            found |= {float(c) + 0.0 for x in v.inputs if (c := number(x)) is not None}
    if any(v.op in (op.abs, op.negative) for v in nodes):
        found |= {-c + 0.0 for c in found}
    is_short = len(found) <= _MOST_ENDS and all(map(math.isfinite, found))
    return tuple(sorted(found)) if is_short else ()


class Reading:
    """What some nodes are in each cell of a line.

    To be strict is to let no rounding differ, and no zero's sign. With `may_hide` what is NaN only
    where x is infinite (0 * x, 2 * x - x) is a number; what a comparison sees is read without.
    """

    def __init__(self, line: Line, nodes: list[Node], is_strict: bool, may_hide: bool = True):
        self.line, self.nodes, self.is_strict = line, set(nodes), is_strict
        self.may_hide = may_hide and not is_strict
        # None for itself: in a cycle it would keep nodes, and their lines, until memory is cleaned.
        self.seen = Reading(line, nodes, is_strict, may_hide=False) if self.may_hide else None
        self.known: dict[tuple[Node, int], Value] = {}

    def value(self, v: Node, cell: int) -> Value:
        """What a node is in a cell: what is none of the nodes, or is not known, stays itself."""
        if (v, cell) not in self.known:
            self.known[v, cell] = self._read(v, cell)
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
        reading = self.seen or self if v.op in COMPARISONS else self
        operands = [reading.value(x, cell) for x in v.inputs]
        found = reading._applied(v, operands, cell)
        return whole if found is None else found

    def _applied(self, v: Node, operands: list[Value], cell: int) -> Value:
        if v.op in LOGIC:
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
        if v.op in COMPARISONS:
            order = self.order(pieces[0], pieces[1], cell)
            return None if order is None else COMPARISONS[v.op](order, 0)
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
        if not self.may_hide and (a.factor == 0 or b.factor == 0 and b.node is line.x):
            return None
        low, high = line.between(cell)
        above = 1.0 if low >= 0 and high > 0 else -1.0 if high <= 0 and low < 0 else 0.0
        if b.node is line.x:
            if a.factor == b.factor or not above:
                return 0.0
            is_clear = a.factor * b.factor <= 0 and max(abs(a.factor), abs(b.factor)) > 0.5
            return math.copysign(1.0, a.factor - b.factor) * above if is_clear else None
        if b.factor == 0 and abs(a.factor) > 0.5:  # else what is tiny may vanish
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
        if a.node is b.node and (self.may_hide or a.factor * b.factor > 0):
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
    op.multiply: Reading.times,
    op.add: Reading.plus,
    op.subtract: Reading.minus,
    op.negative: lambda r, v, cell, a: Piece(-a.factor, a.node),
    op.sign: Reading.sign,
    op.abs: Reading.absolute,
    op.relu: Reading.rectified,
    op.maximum: Reading.most,
    op.minimum: Reading.least,
    op.clip: Reading.clipped,
}


def _decided(connective: Any, operands: list[Value]) -> Value:
    if connective is op.logical_not:
        return None if operands[0] is None else not operands[0]
    settles = connective is op.logical_or
    if any(c is settles for c in operands):
        return settles
    return None if None in operands else not settles
