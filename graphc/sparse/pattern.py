"""Which elements of a Jacobian may differ from 0, read off the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import shapes
from ..autodiff import Structure, jacobian, structure
from ..autodiff.backprop import carries, check_differentiable
from ..errors import ArgumentError, MissingInput
from ..evaluate import interpret
from ..ir import Node, topo
from ..ops.leaves import Value, placeholder
from ..ops.letters import letters_of
from ..shapes import Dim
from ..sizes import Size

Pattern = Any  # scipy.sparse.csr_array of ones
Sizes = dict[Size, int]


class Sparsity:
    """Which elements of a Jacobian may differ from 0: as formulas, and as a matrix for given sizes.

    >>> import graphc as gc
    >>> v = gc.input("v", ("n",))
    >>> pattern = gc.sparsity(v[1:] * v[:-1], v)
    >>> pattern.elements, pattern.structure.kind
    (2*n - 2, ...)
    >>> pattern.matrix(n=3).toarray()
    array([[...True,  True, False],
           [False,  True,  True]]...)
    """

    def __init__(self, v: Node, wrt: Node) -> None:
        check_differentiable(v, [wrt])
        self.v, self.wrt = v, wrt

    @property
    def structure(self) -> Structure:
        """What the Jacobian is, as `gc.structure` says it."""
        made = jacobian(self.v, self.wrt, disconnected="zero")
        return structure(made, rows=self.v.ndim)

    @property
    def elements(self) -> Dim:
        """How many elements may differ from 0, at most, as a formula of the sizes."""
        return self.structure.elements

    def matrix(self, sizes: Mapping[Any, int] | None = None, **named: int) -> Any:
        """The pattern for given sizes: a scipy.sparse array of v.size rows and wrt.size columns."""
        known = {shapes.dim(str(k)): int(d) for k, d in {**(sizes or {}), **named}.items()}
        missing = [s for s in shapes.symbols([*self.v.shape, *self.wrt.shape]) if s not in known]
        if missing:
            raise MissingInput(f"the pattern depends on {missing[0]}, which has no size")
        return pattern_of(self.v, self.wrt, known)

    def __repr__(self) -> str:
        return f"<sparsity: {self.elements} of {shapes.size((*self.v.shape, *self.wrt.shape))}>"


def sparsity(v: Node, wrt: Node) -> Sparsity:
    """Where the Jacobian of v by wrt may differ from 0.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> pattern = gc.sparsity(gc.sin(x[1:] - x[:-1]), x)
    >>> pattern.elements
    2*n - 2
    >>> pattern.matrix(n=4).toarray().astype(int)
    array([[1, 1, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 1, 1]])
    """
    return Sparsity(v, wrt)


def scipy_sparse() -> Any:
    """The package whose matrices these are."""
    try:
        from scipy import sparse
    except ModuleNotFoundError:
        raise ArgumentError(
            "sparse matrices are those of scipy, which is not installed: "
            "pip install 'graphc[special]'"
        ) from None
    return sparse


# -- for given sizes ---------------------------------------------------------------------------


def pattern_of(v: Node, x: Node, sizes: Sizes) -> Pattern:
    """For each node between, which elements of x each of its elements depends on."""
    sparse = scipy_sparse()

    def count(node: Node) -> int:
        return shapes.number(node.type.size, sizes)

    order = topo([v])
    found: dict[Node, Pattern] = {x: sparse.eye_array(count(x), dtype=bool, format="csr")}
    lasts = {y: k for k, u in enumerate(order) for y in u.inputs}
    for k, u in enumerate(order):
        if u in found:
            continue
        shares = [
            _relation(u, i, sizes)(found[y])
            for i, y in enumerate(u.inputs)
            if y in found and carries(u, i)
        ]
        if shares:
            found[u] = shares[0] if len(shares) == 1 else sum(shares[1:], shares[0])
        for y in u.inputs:
            if lasts[y] == k and y is not v:
                found.pop(y, None)
    return found.get(v, sparse.csr_array((count(v), count(x)), dtype=bool))


def _relation(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    """How the pattern of u follows from that of its input i."""
    by_name = {"take": _taken, "scatter_add": _scattered, "where": _broadcast}
    rule = by_name.get(u.op.name) or _RELATIONS.get(u.op.family, _everything)
    return rule(u, i, sizes)


def _numbered(node: Node, sizes: Sizes) -> Any:
    """The numbers of a node's elements, in its shape."""
    shape = shapes.numbers(node.shape, sizes)
    return np.arange(math.prod(shape)).reshape(shape)


def _gathered(index: Any) -> Callable[[Pattern], Pattern]:
    """Element k depends on what element index[k] of the input does; on nothing where that is -1."""
    rows = np.ravel(index)

    def gather(p: Pattern) -> Pattern:
        if len(rows) == p.shape[0] and np.array_equal(rows, np.arange(len(rows))):
            return p
        if (rows >= 0).all():
            return p[rows]
        return _summed_rows(rows[rows >= 0], np.flatnonzero(rows >= 0), len(rows))(p)

    return gather


def _summed_rows(sources: Any, targets: Any, count: int) -> Callable[[Pattern], Pattern]:
    """Element targets[k] depends on what element sources[k] of the input does."""
    sparse = scipy_sparse()

    def gather(p: Pattern) -> Pattern:
        ones = np.ones(len(sources), bool)
        relation = sparse.csr_array((ones, (targets, sources)), shape=(count, p.shape[0]))
        return relation @ p

    return gather


def _broadcast(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    index = _numbered(u.inputs[i], sizes)
    return _gathered(np.broadcast_to(index, shapes.numbers(u.shape, sizes)))


def _moved(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    """Layout moves elements: the op itself, on the numbers of its elements, tells which."""
    attrs = {**u.attrs, **({"value": Value(np.int64(0))} if "value" in u.attrs else {})}
    inputs = [placeholder(y.type.with_dtype(np.int64)) for y in u.inputs]
    moved = u.op(*inputs, **attrs)
    values = {y: (_numbered(y, sizes) + 1) * (k == i) for k, y in enumerate(inputs)}
    interpret([moved], values, {shapes.source(s): d for s, d in sizes.items()})
    return _gathered(values[moved] - 1)


def _reduced(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    shape, axes = shapes.numbers(u.inputs[i].shape, sizes), u.attrs["axis"]
    kept = tuple(1 if k in axes else d for k, d in enumerate(shape))
    count = int(np.prod(kept))
    targets = np.broadcast_to(np.arange(count).reshape(kept), shape)
    return _summed_rows(np.arange(targets.size), targets.ravel(), count)


def _contracted(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    terms, out = letters_of(u)
    word = terms[i]
    lengths = dict(zip(word, shapes.numbers(u.inputs[i].shape, sizes), strict=True))
    lengths |= dict(zip(out, shapes.numbers(u.shape, sizes), strict=True))
    letters = list(lengths)
    grid = dict(zip(letters, np.indices(tuple(lengths.values()), sparse=True), strict=True))

    def numbers(letters: str, shape: tuple[int, ...]) -> Any:
        index = np.zeros((1,) * len(grid), np.int64)
        for c, d in zip(letters, shape, strict=True):
            index = index * d + grid[c]
        return np.broadcast_to(index, tuple(lengths.values())).ravel()

    sources = numbers(word, shapes.numbers(u.inputs[i].shape, sizes))
    targets = numbers(out, shapes.numbers(u.shape, sizes))
    return _summed_rows(sources, targets, shapes.number(u.type.size, sizes))


def _known(node: Node) -> Any:
    """The value of a node that depends on no input, else None."""
    order = topo([node])
    if any(y.op.name == "input" for y in order):
        return None
    values: dict[Node, Any] = {}
    try:
        interpret(order, values, {})
    except (MissingInput, NameError):
        return None
    return values[node]


def _taken(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    indices = _known(u.inputs[1])
    if indices is None:
        return _everything(u, i, sizes)
    numbers = _numbered(u.inputs[0], sizes)
    return _gathered(np.take(numbers, indices, axis=u.attrs["axis"]))


def _scattered(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    if i == 0:
        return lambda p: p
    indices = _known(u.inputs[1])
    if indices is None:
        return _everything(u, i, sizes)
    numbers = _numbered(u, sizes)
    targets = np.take(numbers, indices, axis=u.attrs["axis"])
    return _summed_rows(np.arange(targets.size), targets.ravel(), numbers.size)


def _scanned(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    """Each element depends on those before it along the axis; of a sort, it may be any there."""
    numbers = np.moveaxis(_numbered(u, sizes), u.attrs["axis"], 0)
    last = len(numbers) if u.op.name == "sort" else 0
    later, earlier = np.tril_indices(len(numbers), last)
    return _summed_rows(numbers[earlier].ravel(), numbers[later].ravel(), numbers.size)


def _everything(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    """Nothing is known: each element depends on all that any element of the input does."""
    count = shapes.number(u.type.size, sizes)

    def all_rows(p: Pattern) -> Pattern:
        sources = np.tile(np.arange(p.shape[0]), count)
        return _summed_rows(sources, np.repeat(np.arange(count), p.shape[0]), count)(p)

    return all_rows


_RELATIONS: dict[str, Callable[[Node, int, Sizes], Callable[[Pattern], Pattern]]] = {
    "elementwise": _broadcast,
    "layout": _moved,
    "pad": _moved,
    "reduce": _reduced,
    "contract": _contracted,
    "scan": _scanned,
}
