"""Sparse Jacobians and Hessians: the pattern is read off the graph, and columns that never meet
share one derivative.

Needs scipy, the extra `special`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from . import shapes
from .autodiff import Structure, grad, jacobian, jvp, structure, vectorize, vjp
from .autodiff.backprop import carries, check_differentiable
from .autodiff.batching import placeholder
from .binding import Binding
from .compile import Function, compile
from .errors import ArgumentError, BindError, MissingInput, counted
from .evaluate import interpret
from .ir import FUNCTIONS, Graph, Node, topo
from .ops.leaves import Value
from .shapes import Dim

Pattern = Any  # scipy.sparse.csr_array of ones
Sizes = dict[Dim, int]


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
        known = {shapes.as_dim(k): int(d) for k, d in {**(sizes or {}), **named}.items()}
        missing = [s for s in shapes.symbols([*self.v.shape, *self.wrt.shape]) if s not in known]
        if missing:
            raise MissingInput(f"the pattern depends on {missing[0]}, which has no size")
        return _pattern(self.v, self.wrt, known)

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


def _scipy_sparse() -> Any:
    try:
        from scipy import sparse
    except ModuleNotFoundError:
        raise ArgumentError(
            "sparse matrices are those of scipy, which is not installed: "
            "pip install 'graphc[special]'"
        ) from None
    return sparse


# -- the pattern for given sizes --------------------------------------------------------------


def _pattern(v: Node, x: Node, sizes: Sizes) -> Pattern:
    """For each node between, which elements of x each of its elements depends on."""
    sparse = _scipy_sparse()

    def count(node: Node) -> int:
        return shapes.number(node.size, sizes)

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


def _shape(node: Node, sizes: Sizes) -> tuple[int, ...]:
    return tuple(shapes.number(d, sizes) for d in node.shape)


def _numbered(shape: tuple[int, ...]) -> Any:
    return np.arange(int(np.prod(shape))).reshape(shape)


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
    sparse = _scipy_sparse()

    def gather(p: Pattern) -> Pattern:
        ones = np.ones(len(sources), bool)
        relation = sparse.csr_array((ones, (targets, sources)), shape=(count, p.shape[0]))
        return relation @ p

    return gather


def _broadcast(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    index = _numbered(_shape(u.inputs[i], sizes))
    return _gathered(np.broadcast_to(index, _shape(u, sizes)))


def _moved(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    """Layout moves elements: the op itself, on the numbers of its elements, tells which."""
    attrs = {**u.attrs, **({"value": Value(np.int64(0))} if "value" in u.attrs else {})}
    inputs = [placeholder(y.type.with_dtype(np.int64)) for y in u.inputs]
    moved = u.op(*inputs, **attrs)
    values = {y: (_numbered(_shape(y, sizes)) + 1) * (k == i) for k, y in enumerate(inputs)}
    interpret([moved], values, {f"dim_{s.name}": d for s, d in sizes.items()})
    return _gathered(values[moved] - 1)


def _reduced(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    shape, axes = _shape(u.inputs[i], sizes), u.attrs["axis"]
    kept = tuple(1 if k in axes else d for k, d in enumerate(shape))
    targets = np.broadcast_to(_numbered(kept), shape)
    return _summed_rows(np.arange(targets.size), targets.ravel(), int(np.prod(kept)))


def _contracted(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    left, out = u.attrs["subscripts"].split("->")
    word = left.split(",")[i]
    lengths = dict(zip(word, _shape(u.inputs[i], sizes), strict=True))
    lengths |= dict(zip(out, _shape(u, sizes), strict=True))
    letters = list(lengths)
    grid = dict(zip(letters, np.indices(tuple(lengths.values()), sparse=True), strict=True))

    def numbers(letters: str, shape: tuple[int, ...]) -> Any:
        index = np.zeros((1,) * len(grid), np.int64)
        for c, d in zip(letters, shape, strict=True):
            index = index * d + grid[c]
        return np.broadcast_to(index, tuple(lengths.values())).ravel()

    sources = numbers(word, _shape(u.inputs[i], sizes))
    shape = _shape(u, sizes)
    return _summed_rows(sources, numbers(out, shape), int(np.prod(shape)))


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
    numbers = _numbered(_shape(u.inputs[0], sizes))
    return _gathered(np.take(numbers, indices, axis=u.attrs["axis"]))


def _scattered(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    if i == 0:
        return lambda p: p
    indices = _known(u.inputs[1])
    if indices is None:
        return _everything(u, i, sizes)
    numbers = _numbered(_shape(u, sizes))
    targets = np.take(numbers, indices, axis=u.attrs["axis"])
    return _summed_rows(np.arange(targets.size), targets.ravel(), numbers.size)


def _scanned(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    """Each element depends on those before it along the axis."""
    numbers = np.moveaxis(_numbered(_shape(u, sizes)), u.attrs["axis"], 0)
    later, earlier = np.tril_indices(len(numbers))
    return _summed_rows(numbers[earlier].ravel(), numbers[later].ravel(), numbers.size)


def _everything(u: Node, i: int, sizes: Sizes) -> Callable[[Pattern], Pattern]:
    """Nothing is known: each element depends on all that any element of the input does."""
    count = int(np.prod(_shape(u, sizes)))

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

# -- colouring --------------------------------------------------------------------------------


def colour_columns(pattern: Pattern) -> Any:
    """A colour for each column such that no row meets two columns of one colour.

    networkx colours a graph, which would first have to be made of all pairs of columns that meet:
    its greedy colouring finds as many colours, in 3 to 50 times the time.
    """
    rows = pattern.tocsr()
    lengths = np.diff(rows.indptr)
    least = int(lengths.max(initial=1))
    row_of = np.repeat(np.arange(len(lengths)), lengths)
    for count in (least, least + 1):  # a band is coloured by turns
        pairs = np.sort(row_of * count + rows.indices % count)
        if np.diff(pairs).all():
            return np.arange(pattern.shape[1]) % count
    columns = pattern.tocsc()
    colours = np.full(pattern.shape[1], -1)
    # The columns of most neighbours first: they have the least choice.
    for j in np.argsort(-np.diff(columns.indptr), kind="stable"):
        touched = columns.indices[columns.indptr[j] : columns.indptr[j + 1]]
        near = np.concatenate(
            [rows.indices[rows.indptr[r] : rows.indptr[r + 1]] for r in touched] or [[]]
        ).astype(int)
        colours[j] = _least_absent(set(colours[near].tolist()))
    return colours


def _least_absent(taken: set[int]) -> int:
    return next(k for k in range(len(taken) + 1) if k not in taken)


def colour_star(pattern: Pattern) -> Any:
    """A colour for each row of a symmetric matrix: neighbours differ, and no path of four vertices
    has two colours. Then every element, or its mirror image, is alone with its colour in its
    row."""
    turns = colour_columns(pattern)
    if turns.max(initial=-1) < 3:
        return turns
    rows = pattern.tocsr()
    near = [rows.indices[a:b].tolist() for a, b in zip(rows.indptr, rows.indptr[1:], strict=False)]
    colours = [-1] * len(near)
    for v in np.argsort([-len(n) for n in near], kind="stable").tolist():
        taken = set()
        for w in near[v]:
            if w == v:
                continue
            if colours[w] >= 0:
                taken.add(colours[w])
            for x in near[w]:
                if x in (v, w) or colours[x] < 0:
                    continue
                if colours[w] < 0:
                    taken.add(colours[x])  # v - w - x: w will need both ends to differ
                elif any(y != w and colours[y] == colours[w] for y in near[x]):
                    taken.add(colours[x])  # v - w - x - y
        colours[v] = _least_absent(taken)
    found = np.array(colours)
    return found if found.max() < turns.max() else turns


# -- compression ------------------------------------------------------------------------------


_COLOURS = shapes.dim("number_of_colours")


class _Plan(NamedTuple):
    """For some sizes: the seeds to differentiate along, and where each element is found."""

    seeds: Any
    colour: Any
    row: Any
    rows: Any
    columns: Any
    shape: tuple[int, int]


class SparseFunction:
    """A derivative as a scipy.sparse matrix. Called like a compiled function, with all its inputs.

    >>> import numpy as np, graphc as gc
    >>> v = gc.input("v", ("n",))
    >>> derivative = gc.sparse_jacobian(v**2, v)
    >>> derivative(np.arange(3.0)).toarray().tolist()
    [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0]]
    >>> derivative.colours(np.arange(3.0)), derivative.program("forward").name
    (1, 'compressed')
    """

    def __init__(self, v: Node, wrt: Node, mode: str, is_symmetric: bool) -> None:
        check_differentiable(v, [wrt])
        self.v, self.wrt, self.mode, self.is_symmetric = v, wrt, mode, is_symmetric
        self.inputs = Graph([v, wrt]).parameters
        self._programs: dict[str, Function] = {}
        self._plans: dict[Any, tuple[str, _Plan]] = {}

    def program(self, mode: str) -> Function:
        """The program that differentiates along several seeds at once: its input `seeds`."""
        if mode not in self._programs:
            along = self.wrt if mode == "forward" else self.v
            one = placeholder(along.type)
            many = FUNCTIONS["input"](
                name="seeds", type=along.type.with_shape((_COLOURS, *along.shape))
            )
            derive = jvp if mode == "forward" else vjp
            made = vectorize(derive(self.v, self.wrt, one), {one: many})
            self._programs[mode] = compile(made, name="compressed", inputs=[*self.inputs, many])
        return self._programs[mode]

    def colours(self, *args: Any, **kwargs: Any) -> int:
        """How many derivatives are taken for arguments like these."""
        return len(self._plan(self._bound(args, kwargs))[1].seeds)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        sparse = _scipy_sparse()
        values = self._bound(args, kwargs)
        mode, plan = self._plan(values)
        compressed = self.program(mode)(*values, plan.seeds)
        flat = compressed.reshape(len(plan.seeds), -1)
        elements = flat[plan.colour, plan.row]
        return sparse.csr_array((elements, (plan.rows, plan.columns)), shape=plan.shape)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        names = [str(x.name) for x in self.inputs]
        wanted = f"the inputs are {', '.join(names)}"
        if len(args) > len(names):
            raise ArgumentError(f"{wanted}, and {len(args)} were given")
        values = {**dict(zip(names, args, strict=False)), **kwargs}
        for name in values:
            if name not in names:
                raise ArgumentError(f"{wanted}, and {name} is none of them")
        missing = [name for name in names if name not in values]
        if missing:
            raise MissingInput(f"{wanted}, and {missing[0]} has no value")
        bound = []
        for name, x in zip(names, self.inputs, strict=True):
            bound.append(np.asarray(values[name], x.dtype))
            if bound[-1].ndim != x.ndim:
                axes = counted(bound[-1].ndim, "axis", "axes")
                raise BindError(f"{name} needs {x.type}, and has {axes}")
        return bound

    def __repr__(self) -> str:
        kind = "Hessian, by" if self.is_symmetric else f"Jacobian of {self.v.label} by"
        names = ", ".join(str(x.name) for x in self.inputs)
        return f"<sparse {kind} {self.wrt.label}: a function of {names}>"

    def _plan(self, values: list[Any]) -> tuple[str, _Plan]:
        key = tuple(a.shape for a in values)
        if key not in self._plans:
            self._plans[key] = self._planned(Binding(self.inputs, []).sizes(key))
        return self._plans[key]

    def _planned(self, sizes: Sizes) -> tuple[str, _Plan]:
        pattern = _pattern(self.v, self.wrt, sizes)
        if self.is_symmetric:
            pattern = (pattern + pattern.T).tocsr()
            return "forward", self._symmetric(pattern, sizes)
        # No fewer colours than elements in the fullest row (of columns), or column (of rows).
        least = {
            "forward": int(np.diff(pattern.tocsr().indptr).max(initial=0)),
            "reverse": int(np.diff(pattern.tocsc().indptr).max(initial=0)),
        }
        modes = sorted(least, key=lambda m: least[m]) if self.mode == "auto" else [self.mode]
        best: tuple[str, Any] | None = None
        for mode in modes:
            colours = colour_columns(pattern if mode == "forward" else pattern.T.tocsr())
            if best is None or colours.max(initial=0) < best[1].max(initial=0):
                best = mode, colours
            if colours.max(initial=-1) + 1 <= min(least[m] for m in modes[1:] or modes):
                break
        assert best is not None
        mode, colours = best
        listed = pattern.tocoo()
        rows, columns = listed.row, listed.col
        colour, row = (colours[columns], rows) if mode == "forward" else (colours[rows], columns)
        along = self.wrt if mode == "forward" else self.v
        seeds = _seeds(colours, _shape(along, sizes), along.dtype)
        return mode, _Plan(seeds, colour, row, rows, columns, pattern.shape)

    def _symmetric(self, pattern: Pattern, sizes: Sizes) -> _Plan:
        colours = colour_star(pattern)
        listed = pattern.tocoo()
        rows, columns = listed.row, listed.col
        pairs = rows.astype(np.int64) * (colours.max(initial=0) + 1) + colours[columns]
        _, where, counts = np.unique(pairs, return_inverse=True, return_counts=True)
        alone = counts[where] == 1
        colour = np.where(alone, colours[columns], colours[rows])
        row = np.where(alone, rows, columns)
        seeds = _seeds(colours, _shape(self.wrt, sizes), self.wrt.dtype)
        return _Plan(seeds, colour, row, rows, columns, pattern.shape)


def _seeds(colours: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """One tensor for each colour, 1 at its columns."""
    count = int(colours.max(initial=-1)) + 1
    seeds = np.zeros((count, len(colours)), dtype)
    seeds[colours, np.arange(len(colours))] = 1
    return seeds.reshape(count, *shape)


def sparse_jacobian(v: Node, wrt: Node, mode: str = "auto") -> SparseFunction:
    """The function that computes the Jacobian of v by wrt as a scipy.sparse matrix, exactly.

    Columns (or rows) that have no row (or column) in common are differentiated together.

    >>> import numpy as np, graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> f = gc.sparse_jacobian(x[1:] ** 2 - x[:-1], x)
    >>> f(np.array([1.0, 2.0, 3.0])).toarray(), f.colours(np.ones(1000))
    (array([[-1.,  4.,  0.],
           [ 0., -1.,  6.]]), 2)
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ArgumentError(f"mode= is 'auto', 'forward' or 'reverse', not {mode!r}")
    return SparseFunction(v, wrt, mode, is_symmetric=False)


def sparse_hessian(z: Node, wrt: Node) -> SparseFunction:
    """The function that computes the Hessian of a scalar as a scipy.sparse matrix, exactly.

    >>> import numpy as np, graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> f = gc.sparse_hessian(gc.sum(x[1:] * x[:-1] ** 2), x)
    >>> f(np.array([1.0, 2.0, 3.0])).toarray()
    array([[4., 2., 0.],
           [2., 6., 4.],
           [0., 4., 0.]])
    """
    return SparseFunction(grad(z, wrt), wrt, "forward", is_symmetric=True)
