"""Whole Jacobians and Hessians: vjp of the rows of an identity, or jvp of its columns, all at once.

The identity is kept as tied axes (`labelled`), so what is diagonal or a copy of a matrix comes out
as that, and `structure` reads it off the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import forms, shapes
from ..errors import ArgumentError, ShapeError
from ..ir import FUNCTIONS, Node, operands, topo
from ..ops.chain import is_literal
from ..ops.slices import Span
from ..shapes import Dim
from .backprop import check_differentiable, disconnected, grad, vjp
from .batching import placeholder
from .labelled import Axis, Terms, fresh, identity, push, total
from .modes import forward

MODES = ("auto", "forward", "reverse")


class Mode(NamedTuple):
    """Which side a Jacobian is built from, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def jacobian_mode(v: Node, wrt: Node) -> Mode:
    """The side that `jacobian` takes: forward where the columns are provably no more than the rows.

    >>> import graphc as gc
    >>> X, w = gc.input("X", ("n", 3)), gc.input("w", (3,))
    >>> print(gc.jacobian_mode(gc.tanh(X @ w), X), "|", gc.jacobian_mode(gc.tanh(w), w))
    reverse: n rows, and 3*n columns | reverse: 3 rows, and 3 columns
    """
    rows, columns = v.size, wrt.size
    is_forward = rows != columns and shapes.is_at_least(rows, columns)
    reason = f"{shapes.show(rows)} rows, and {shapes.show(columns)} columns"
    return Mode("forward" if is_forward else "reverse", reason)


def jacobian(v: Any, wrt: Any, mode: str = "auto", *, disconnected: str = "raise") -> Any:
    """All derivatives of v by x, in the shape v.shape + x.shape; several nodes give nested results.

    `mode="auto"` takes the side with provably fewer rows or columns (`jacobian_mode` says which).

    >>> import graphc as gc
    >>> W, x = gc.input("W", (2, 3)), gc.input("x", (3,))
    >>> gc.jacobian(W @ x, x) is W
    True
    >>> gc.jacobian(gc.exp(x), x)
    <diagonal_matrix: f64[3, 3] = diagonal_matrix(exp)>
    """
    if mode not in MODES:
        raise ArgumentError(f"mode= is 'auto', 'forward' or 'reverse', not {mode!r}")
    if disconnected not in ("raise", "zero"):
        raise ArgumentError(f"disconnected= is 'raise' or 'zero', not {disconnected!r}")
    targets = forms.leaves(wrt)
    for output in forms.leaves(v):
        check_differentiable(output, targets)
    return forms.map_leaves(lambda one: _jacobians(one, wrt, targets, mode, disconnected), v)


def _jacobians(v: Node, wrt: Any, targets: list[Node], mode: str, when_disconnected: str) -> Any:
    """The Jacobians of one node, in the form of wrt."""
    names = [jacobian_mode(v, x).name if mode == "auto" else mode for x in targets]
    backwards = list(
        dict.fromkeys(x for x, m in zip(targets, names, strict=True) if m == "reverse")
    )
    found = dict(zip(backwards, _rows(v, backwards), strict=True)) if backwards else {}
    for x, m in zip(targets, names, strict=True):
        if m == "forward" and x not in found:
            found[x] = _columns(v, x)

    def one(x: Node) -> Node:
        made = found[x]
        if made is not None:
            return made
        if when_disconnected == "raise":
            raise disconnected(v, x)
        return FUNCTIONS["zeros"]((*v.shape, *x.shape), v.dtype)  # type: ignore[no-any-return]

    return forms.map_leaves(one, wrt)


def _rows(v: Node, targets: list[Node]) -> list[Node | None]:
    """Reverse: the cotangents of all elements of v at once."""
    core = v
    while core.op.name == "reshape" and _wide(core) != _wide(core.inputs[0]):
        core = core.inputs[0]  # that only counts the rows anew: no reason to break their ties
    u = placeholder(core.type)
    pulled = vjp(core, targets, u, disconnected="zero")
    table: dict[Node, Terms] = {u: [identity(core.type)]}
    push(topo(pulled), table)
    found: list[Node | None] = []
    for g in pulled:
        whole = g.type.with_shape((*core.shape, *g.shape))
        made = total(table[g], lambda t: t.legs, whole) if g in table else None
        found.append(made if made is None else FUNCTIONS["reshape"](made, (*v.shape, *g.shape)))
    return found


def _wide(x: Node) -> list[Dim]:
    return [d for d in x.shape if d != 1]


def _columns(v: Node, x: Node) -> Node | None:
    """Forward: the tangents by all elements of x at once."""
    u = placeholder(x.type)
    pushed = forward([v], {x: u}).get(v)
    if pushed is None:
        return None
    table: dict[Node, Terms] = {u: [identity(x.type)]}
    push(topo([pushed]), table)
    shape = (*v.shape, *x.shape)
    terms = table.get(pushed, [])
    return total(terms, lambda t: (*t.own, *t.batch), v.type.with_shape(shape))


def hessian(z: Node, wrt: Any) -> Any:
    """All second derivatives of a scalar, forward over reverse; several nodes give nested results.

    >>> import graphc as gc
    >>> x = gc.input("x", (2,))
    >>> gc.evaluate(gc.hessian(gc.prod(x) + gc.sum(x**3), x), {x: [1.0, 2.0]})
    array([[ 6.,  1.],
           [ 1., 12.]])
    """
    gradients = grad(z, wrt, disconnected="zero")
    return jacobian(gradients, wrt, "forward", disconnected="zero")


# -- structure --------------------------------------------------------------------------------


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
    split = matrix.ndim // 2 if rows is None else rows
    if not 0 <= split <= matrix.ndim:
        error = ShapeError(f"rows= is how many of {matrix.ndim} axes are rows, not {rows}")
        error.locate(operands([matrix]))
        raise error
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
    core, names, outer = x, list(axes), list(axes)
    within: set[int] = set()  # axes along which it lies within zeros

    def tie(a: Axis, b: Axis) -> None:
        for places in (names, outer):
            places[:] = [a if c is b else c for c in places]

    while True:
        inputs = core.inputs
        if core.op.name == "permute_dims":
            order = core.attrs["axes"]
            names = [names[order.index(k)] for k in range(len(order))]
        elif core.op.name == "diagonal_matrix":
            tie(names[-2], names[-1])
            names = names[:-1]
        elif core.op.name == "eye" and core.attrs["k"] == 0 and core.shape[0] == core.shape[1]:
            tie(names[0], names[1])
            core, names = FUNCTIONS["constant"](1.0, dtype=core.dtype), []
            continue
        elif core.op.name == "place" and None not in core.attrs["index"]:
            inner: list[Axis] = []
            for a, d, e in zip(names, core.shape, core.attrs["index"], strict=True):
                if e == Span(None, None, 1):
                    inner.append(a)
                    continue
                short = Axis(e.length(d) if isinstance(e, Span) else 1)
                within |= {k for k, b in enumerate(outer) if b is a}
                tie(short, a)
                inner += [short] * isinstance(e, Span)
            names = inner
        elif core.op.name == "broadcast_to":
            names = names[core.ndim - inputs[0].ndim :]
            names = [
                a for a, d in zip(names, inputs[0].shape, strict=True) if d == a.size or d != 1
            ]
            if len(names) != inputs[0].ndim:
                break
        elif core.op.name == "negative":
            if is_literal(inputs[0], 1.0):
                break
        else:
            break
        core = inputs[0]
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
        is_one = is_literal(core, 1.0) and not _is_negated(x)
        return Part("identity" if is_one else "diagonal", elements, None, ties, not within)
    if tied:
        return Part("block-diagonal", elements, None, ties, not within)
    rank = _rank(core, names, [a for a in wide if a in left], [a for a in wide if a in right])
    return Part("dense" if rank is None else "low-rank", elements, rank, ties, True)


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
    words, out = core.attrs["subscripts"].split("->")
    rows = {c for c, a in zip(out, names, strict=True) if a in left}
    columns = {c for c, a in zip(out, names, strict=True) if a in right}
    between: set[str] = set()
    sides = []
    for word in words.split(","):
        if set(word) & rows and set(word) & columns:
            return None
        sides.append((set(word) & rows, set(word)))
    first = set().union(*(word for row, word in sides if row))
    second = set().union(*(word for row, word in sides if not row))
    between = (first & second) - rows - columns
    sizes = {
        c: d
        for word, y in zip(words.split(","), core.inputs, strict=True)
        for c, d in zip(word, y.shape, strict=True)
    }
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
