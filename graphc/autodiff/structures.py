"""The structure of a Jacobian, read off its graph: diagonal, low-rank, sparse, or a sum of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .. import shapes
from ..errors import ArgumentError, ShapeError
from ..ir import FUNCTIONS, Node, is_literal, operands
from ..ops.letters import letters_of, sizes_of
from ..ops.slices import WHOLE, Span
from ..shapes import Dim
from .labelled import Axis, fresh

KINDS = ("identity", "diagonal", "sparse", "block-diagonal", "low-rank", "dense")


class Part(NamedTuple):
    """One summand of a matrix: what it is, how many of its elements may differ from 0, a bound on
    its rank where it is low, and the pairs of axes (of a row, of a column) that are tied."""

    kind: str
    elements: Dim
    rank: Dim | None
    ties: frozenset[tuple[int, int]]
    is_whole: bool

    def __str__(self) -> str:
        return f"{self.kind} (rank {self.rank})" if self.kind == "low-rank" else self.kind


class Structure(NamedTuple):
    """What is known of a Jacobian from its graph: its summands, and bounds as formulas in the
    sizes."""

    shape: tuple[Dim, ...]
    parts: tuple[Part, ...]

    @property
    def kind(self) -> str:
        """zero, identity, diagonal, block-diagonal, low-rank, sparse (other zeros that are known)
        or dense; or a sum of them."""
        if "low-rank" not in (kinds := dict.fromkeys(part.kind for part in self.parts)):
            if self.elements == shapes.size(self.shape) and "sparse" in kinds:
                return "dense"
        return " + ".join(kinds) or "zero"

    @property
    def elements(self) -> Dim:
        """How many elements may differ from 0, at most."""
        bound = shapes.as_dim(sum(part.elements for part in self.parts))
        whole = shapes.size(self.shape)
        return whole if any(part.elements == whole for part in self.parts) else bound

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts)) or "zero"


def structure(matrix: Node, rows: int | None = None) -> Structure:
    """What a Jacobian is, read off its graph; `rows` is how many of its axes are those of v.

    >>> import graphc as gc
    >>> n, d = gc.dims("n d")
    >>> X, w = gc.input("X", (n, d)), gc.input("w", (d,))
    >>> print(gc.structure(gc.jacobian(gc.tanh(X), X)))
    diagonal
    >>> print(gc.structure(gc.jacobian(gc.softmax(w), w)))
    diagonal + low-rank (rank 1)
    >>> gc.structure(gc.jacobian(gc.sin(X) @ w, X), rows=1).elements
    d*n
    """
    if not (isinstance(matrix, Node) and isinstance(rows, int | None)):
        raise ArgumentError(
            "structure takes a Jacobian, and how many of its axes are rows: "
            "gc.structure(gc.jacobian(v, x))"
        )
    split = matrix.ndim // 2 if rows is None else rows
    if not 0 <= split <= matrix.ndim:
        said = f"rows= is how many axes of {matrix.type} are rows, not {rows}"
        raise ShapeError(said).locate(operands([matrix]))
    parts = []
    waiting = [(matrix, fresh(matrix.shape))]
    while waiting:
        x, axes = waiting.pop()
        if x.op.name in ("add", "subtract") and len({y.shape for y in x.inputs}) == 1:
            waiting += [(y, axes) for y in reversed(x.inputs)]
        elif not is_literal(x, 0.0):
            parts.append(_part(x, axes, split))
    parts.sort(key=lambda part: KINDS.index(part.kind))
    return Structure(
        matrix.shape, tuple(p for k, p in enumerate(parts) if not _is_covered(k, parts))
    )


def _is_covered(k: int, parts: Sequence[Part]) -> bool:
    """Whether a later summand has no zeros where this one has none."""
    part, later = parts[k], parts[k + 1 :]
    if part.kind == "low-rank":
        return any(other.kind == "dense" for other in later)
    covering = [other for other in later if other.rank is None and other.is_whole]
    # Within zeros axes are shifted, and what ties them is no diagonal of the whole.
    return any(other.ties <= (part.ties if part.is_whole else frozenset()) for other in covering)


def _part(x: Node, axes: Sequence[Axis], split: int) -> Part:
    """The kind of one summand, from the ties of its axes and the dense tensor inside."""
    inside = _Inside(x, axes)
    outer, within = inside.outer, inside.within
    distinct = list(dict.fromkeys(outer))
    left, right = outer[:split], outer[split:]
    elements = shapes.size(tuple(a.size for a in distinct))
    wide = [a for a in distinct if a.size != 1]
    tied = [a for a in wide if a in left and a in right]
    ties = frozenset(
        (j, k) for j, a in enumerate(left) for k, b in enumerate(right) if a is b and a.size != 1
    )
    if within and (tied == wide or not tied or any(outer[k] in tied for k in within)):
        return Part("sparse", elements, None, ties, not within)
    if wide and tied == wide:
        is_one = is_literal(inside.core, 1.0) and not _is_negated(x)
        return Part("identity" if is_one else "diagonal", elements, None, ties, not within)
    if tied:
        return Part("block-diagonal", elements, None, ties, not within)
    sides = ([a for a in wide if a in left], [a for a in wide if a in right])
    rank = _rank(inside.core, inside.names, *sides)
    return Part("dense" if rank is None else "low-rank", elements, rank, ties, True)


class _Inside:
    """The dense tensor inside a summand, when all is taken off that ties axes, stretches along them
    or puts them within zeros."""

    def __init__(self, x: Node, axes: Sequence[Axis]) -> None:
        self.core = x
        self.names = list(axes)  # the axes of the core
        self.outer = list(axes)  # those of the summand: one and the same where they are tied
        self.within: set[int] = set()  # the places of those that lie within zeros
        while self._is_taken_off():
            pass

    def _is_taken_off(self) -> bool:
        """Whether the outermost op is one of those, and then what is under it comes next."""
        core = self.core
        match core.op.name:
            case "permute_dims":
                order = core.attrs["axes"]
                self.names = [self.names[order.index(k)] for k in range(len(order))]
            case "diagonal_matrix":
                self._tie(self.names[-2], self.names[-1])
                self.names.pop()
            case "eye" if core.attrs["k"] == 0 and core.shape[0] == core.shape[1]:
                self._tie(*self.names)
                self.core, self.names = FUNCTIONS["constant"](1.0, dtype=core.dtype), []
                return True
            case "place" if None not in core.attrs["index"]:
                self._leave_the_zeros()
            case "broadcast_to":
                if not self._shrink():
                    return False
            case "negative" if not is_literal(core.inputs[0], 1.0):
                pass
            case _:
                return False
        self.core = core.inputs[0]
        return True

    def _tie(self, a: Axis, b: Axis) -> None:
        for places in (self.names, self.outer):
            places[:] = [a if c is b else c for c in places]

    def _leave_the_zeros(self) -> None:
        """From a place within zeros to what was put there."""
        inner: list[Axis] = []
        core = self.core
        for a, d, e in zip(self.names, core.shape, core.attrs["index"], strict=True):
            if e == WHOLE:
                inner.append(a)
                continue
            short = Axis(e.length(d) if isinstance(e, Span) else 1)
            self.within |= {k for k, b in enumerate(self.outer) if b is a}
            self._tie(short, a)
            inner += [short] * isinstance(e, Span)
        self.names = inner

    def _shrink(self) -> bool:
        """Whether each axis from before the stretching is kept, or was of size 1."""
        x = self.core.inputs[0]
        names = self.names[self.core.ndim - x.ndim :]
        self.names = [a for a, d in zip(names, x.shape, strict=True) if d == a.size or d != 1]
        return len(self.names) == x.ndim


def _is_negated(x: Node) -> bool:
    while x.op.name in ("permute_dims", "diagonal_matrix", "broadcast_to"):
        x = x.inputs[0]
    return x.op.name == "negative"


def _rank(core: Node, names: Sequence[Axis], left: list[Axis], right: list[Axis]) -> Dim | None:
    """A bound on the rank that is less than the sides allow, where the graph shows one."""
    if not left or not right:
        return None  # a single row or column
    if not set(left) & set(names) or not set(right) & set(names):
        return 1
    while core.op.name == "negative":
        core = core.inputs[0]
    if core.op.name in ("multiply", "divide"):
        return _rank_of_product(core, names, left, right)
    if core.op.name != "einsum":
        return None
    words, out = letters_of(core)
    rows = {c for c, a in zip(out, names, strict=True) if a in left}
    columns = {c for c, a in zip(out, names, strict=True) if a in right}
    sides = []
    for word in words:
        if set(word) & rows and set(word) & columns:
            return None
        sides.append((set(word) & rows, set(word)))
    first = set().union(*(word for row, word in sides if row))
    second = set().union(*(word for row, word in sides if not row))
    between = (first & second) - rows - columns
    sizes = sizes_of(words, [y.type for y in core.inputs])
    rank = shapes.size(tuple(sizes[c] for c in sorted(between)))
    for side in (left, right):
        whole = shapes.size(tuple(a.size for a in side))
        # A number is less than a symbol for all that matters; between symbols it must be provable.
        is_less = isinstance(rank, int) and not isinstance(whole, int)
        if not is_less and (rank == whole or not shapes.is_at_least(whole, rank)):
            return None
    return rank


def _rank_of_product(
    core: Node, names: Sequence[Axis], left: list[Axis], right: list[Axis]
) -> Dim | None:
    """An elementwise product of something of the rows with something of the columns has rank 1."""
    reach = []
    for x in core.inputs:
        shift = core.ndim - x.ndim
        wide = {names[k + shift] for k, d in enumerate(x.shape) if d == core.shape[k + shift]}
        reach.append(wide)
    is_split = all(not (wide & set(left) and wide & set(right)) for wide in reach)
    return 1 if is_split else None
