"""Derivatives as sparse matrices: columns of one colour are differentiated together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import shapes
from ..autodiff import grad, jvp, vectorize, vjp
from ..autodiff.backprop import carrying, check_differentiable, disconnected
from ..binding import Binding, in_order
from ..compile import Function, compile
from ..errors import ArgumentError
from ..ir import FUNCTIONS, Graph, Node, topo
from ..ops.leaves import placeholder
from .colouring import colour_columns, colour_star
from .pattern import Pattern, Sizes, pattern_of, scipy_sparse

_COLOURS = shapes.dim("number_of_colours")


class _Plan(NamedTuple):
    """For some sizes: the seeds to differentiate along, and where each element is found."""

    seeds: Any
    colour: Any
    row: Any
    rows: Any
    columns: Any
    shape: tuple[int, int]

    @property
    def taken(self) -> int:
        """How many derivatives are taken: none where all is zero, as in what is linear."""
        return len(self.seeds) if len(self.rows) else 0


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
        self._binding = Binding(self.inputs, [])
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
        return self._plan(self._bound(args, kwargs))[1].taken

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        sparse = scipy_sparse()
        values = self._bound(args, kwargs)
        mode, plan = self._plan(values)
        if not plan.taken:
            return sparse.csr_array(plan.shape, dtype=self.v.dtype)
        compressed = self.program(mode)(*values, plan.seeds)
        flat = compressed.reshape(len(plan.seeds), -1)
        elements = flat[plan.colour, plan.row]
        return sparse.csr_array((elements, (plan.rows, plan.columns)), shape=plan.shape)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        taken = {str(x.name): str(x.type) for x in self.inputs}
        of = "hessian" if self.is_symmetric else "jacobian"
        return self._binding.arrays(in_order(of, taken, args, kwargs))

    def __repr__(self) -> str:
        kind = "Hessian, by" if self.is_symmetric else f"Jacobian of {self.v.label} by"
        names = ", ".join(str(x.name) for x in self.inputs)
        return f"<sparse {kind} {self.wrt.label}: a function of {names}>"

    def _plan(self, values: list[Any]) -> tuple[str, _Plan]:
        key = tuple(map(np.shape, values))
        if key not in self._plans:
            self._plans[key] = self._planned(self._binding.sizes(key))
        return self._plans[key]

    def _planned(self, sizes: Sizes) -> tuple[str, _Plan]:
        pattern = pattern_of(self.v, self.wrt, sizes)
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
        seeds = _seeds(colours, shapes.numbers(along.shape, sizes), along.dtype)
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
        seeds = _seeds(colours, shapes.numbers(self.wrt.shape, sizes), self.wrt.dtype)
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
    made = SparseFunction(v, wrt, mode, is_symmetric=False)
    if wrt not in carrying(topo([v]), [v]):
        raise disconnected(v, wrt)
    return made


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
    gradient = grad(z, wrt, disconnected="zero")
    return SparseFunction(gradient, wrt, "forward", is_symmetric=True)
