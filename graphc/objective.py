"""A scalar of a graph as scipy.optimize takes it: functions of one flat vector of parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .autodiff import grad, hessian, hvp
from .binding import no_input
from .errors import ArgumentError, MissingInput
from .evaluate import by_name
from .ir import Graph, Node, operands
from .ops.leaves import input as declare_input

Array = Any
Compile = Callable[..., Callable[..., Any]]


class Objective:
    """`fun`, `jac`, `hess` and `hessp` of a flat vector, for `scipy.optimize.minimize` and others.

    `x0` is the vector that was given first, and `params(x)` are the parameters that a vector holds.
    Each program is compiled when it is first asked for; `fun` and `jac` share one, and a call of
    each at the same vector runs it once.

    >>> import numpy as np, graphc as gc
    >>> from scipy.optimize import minimize
    >>> x, y = gc.input("x", ()), gc.input("y", ())
    >>> rosenbrock = gc.compile((1 - x) ** 2 + 100 * (y - x**2) ** 2)
    >>> s = rosenbrock.as_scipy({x: -1.0, y: 2.0})
    >>> found = minimize(s.fun, s.x0, jac=s.jac, hess=s.hess, method="Newton-CG")
    >>> {name: round(float(value), 3) for name, value in s.params(found.x).items()}
    {'x': 1.0, 'y': 1.0}
    >>> s.hess(s.x0) @ [1.0, 0.0] == s.hessp(s.x0, [1.0, 0.0])
    array([ True,  True])
    """

    def __init__(
        self, graph: Graph, params: Mapping[Any, Any], data: Mapping[Any, Any], compile: Compile
    ) -> None:
        # `compile` is handed in, since it stands above: a compiled function asks for its objective.
        self.loss, self._compile = graph.outputs[0], compile
        if self.loss.shape or not self.loss.type.is_float:
            raise ArgumentError(
                "what is minimised is one float, the first that the program returns: "
                f"{self.loss.label} is {self.loss.type}"
            ).locate(operands([self.loss]))
        self._inputs = Graph([self.loss]).parameters
        known = {str(v.name): v for v in self._inputs}
        given = by_name(params)
        for name in given:
            if name not in known:
                raise MissingInput(f"no input is called {name}: there are {', '.join(known)}")
        if not given:
            raise ArgumentError("as_scipy needs parameters: a dict from inputs to first values")
        self._targets = {name: known[name] for name in given}
        first = {n: np.asarray(value, self._targets[n].dtype) for n, value in given.items()}
        self._shapes = {name: value.shape for name, value in first.items()}
        self._data = {name: value for name, value in by_name(data).items() if name not in first}
        for name in self._data:
            if name not in {str(v.name) for v in graph.parameters}:
                raise no_input("the program", name, graph.parameters)
        missing = [name for name in known if name not in first and name not in self._data]
        if missing:
            raise MissingInput(
                f"the loss needs {', '.join(missing)} too: params has what is to be learnt, and "
                "data the rest"
            )
        self._latest: tuple[Array, float, Array] | None = None
        self.x0 = _flat(first)

    def __repr__(self) -> str:
        return f"<{self.loss.label} as a function of {', '.join(self._shapes)} in one vector>"

    def fun(self, x: Array) -> float:
        """The value at a flat vector."""
        return self._at(x)[1]

    def jac(self, x: Array) -> Array:
        """The gradient at a flat vector, as one."""
        return self._at(x)[2].copy()

    def hess(self, x: Array) -> Array:
        """The matrix of all second derivatives at a flat vector."""
        blocks = self._second(**self.params(x), **self._data)
        sizes = {name: int(np.prod(shape)) for name, shape in self._shapes.items()}
        rows = [
            [np.reshape(blocks[i][j], (sizes[i], sizes[j])) for j in self._shapes]
            for i in self._shapes
        ]
        return np.block(rows).astype(np.float64)

    def hessp(self, x: Array, p: Array) -> Array:
        """The second derivatives times a vector; their matrix is never built."""
        vector = {_direction(name): value for name, value in self.params(p).items()}
        return _flat(self._product(**self.params(x), **self._data, **vector))

    def params(self, x: Array) -> dict[str, Array]:
        """The parameters that a flat vector holds, by name, each in its shape and dtype."""
        if np.shape(x) != self.x0.shape:
            size, came = self.x0.size, np.shape(x)
            raise ArgumentError(f"the parameters are a vector of {size}, not of shape {came}")
        flat, start, found = np.asarray(x), 0, {}
        for name, shape in self._shapes.items():
            end = start + int(np.prod(shape))
            found[name] = flat[start:end].reshape(shape).astype(self._targets[name].dtype)
            start = end
        return found

    def _at(self, x: Array) -> tuple[Array, float, Array]:
        """Value and gradient, kept for the next question about the same vector."""
        latest = self._latest
        if latest is None or not np.array_equal(latest[0], x):
            value, slopes = self._first(**self.params(x), **self._data)
            latest = self._latest = np.array(x), float(value), _flat(slopes)
        return latest

    @functools.cached_property
    def _first(self) -> Callable[..., Any]:
        slopes = grad(self.loss, self._targets)
        return self._compile((self.loss, slopes), name="value_and_grad", inputs=self._inputs)

    @functools.cached_property
    def _second(self) -> Callable[..., Any]:
        return self._compile(
            hessian(self.loss, self._targets), name="hessian", inputs=self._inputs
        )

    @functools.cached_property
    def _product(self) -> Callable[..., Any]:
        vector: dict[str, Node] = {
            name: declare_input(_direction(name), v.shape, v.dtype)
            for name, v in self._targets.items()
        }
        product = hvp(self.loss, self._targets, vector)
        inputs = [*self._inputs, *vector.values()]
        return self._compile(product, name="hessian_times_vector", inputs=inputs)


def _direction(name: str) -> str:
    return f"direction.{name}"


def _flat(values: Mapping[str, Array]) -> Array:
    return np.concatenate([np.ravel(value).astype(np.float64) for value in values.values()])
