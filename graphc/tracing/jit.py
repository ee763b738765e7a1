"""Plain functions as programs: one is traced and compiled for each kind of arguments, and kept."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import forms
from ..compile import Function, compile
from ..errors import ArgumentError
from ..ir import FUNCTIONS, Node
from ..ir.operators import tracing
from ..misfits import elsewhere
from ..ops.leaves import input as declare_input
from ..options import whole
from ..wording import a_kind
from .trace import Plain, Traced, parameters, results
from .untraceable import traces

_ARRAY = np.ndarray

# Arguments of these types are part of the program, not its inputs.
_STATIC = (bool, int, str, bytes, type(None), np.dtype, type)

# What belongs to one program, of which there is one for each kind of arguments.
_ELSEWHERE = {
    "source plain save report plan profile debug log graph draw lower": ".compiled(...) of some "
    "arguments is their program, which has it",
}


@elsewhere("a function that is compiled on call", _ELSEWHERE)
class Jit:
    """A plain function with a compiled program for each kind of arguments that it was called with.

    >>> import numpy as np, graphc as gc
    >>> f = gc.jit(lambda x: np.sum(x**2))
    >>> f(np.array([1.0, 2.0])), f(np.array([3.0]))
    (np.float64(5.0), np.float64(9.0))
    >>> f.compiled(np.ones(2)).report.function.graph.parameters[0].type
    f64[2]
    """

    def __init__(
        self, function: Plain, dims: Mapping[str, Any] | None = None, maxsize: int = 64
    ) -> None:
        _check_callable("jit", function, "gc.compile makes programs of nodes")
        if not isinstance(dims, Mapping | None):
            raise ArgumentError(
                f"dims= maps arguments to shapes, as in {{'x': ('n', 3)}}, and is {a_kind(dims)}"
            )
        self.function, self.dims = function, dict(dims or {})
        self.maxsize = whole(maxsize, "maxsize= counts programs, at least 1, and is")
        self._programs: dict[Any, Callable[..., Any]] = {}
        self._latest: tuple[Any, Callable[..., Any]] = (None, function)
        functools.update_wrapper(self, function, updated=())
        self._again = functools.partial(Jit, dims=dims, maxsize=maxsize), (function,)

    def _made_again_by(self, maker: Callable[..., Jit], function: Plain, **options: Any) -> Jit:
        """Itself; a pickle has what it is made of, since it holds functions that have no name."""
        _check_callable(maker.__name__, function, "nodes go to gc.grad, gc.vectorize and their kin")
        self._again = functools.partial(maker, **options), (function,)
        return self

    def __reduce__(self) -> Any:
        """By its name, as all functions are, where it bears one (`@gc.jit`)."""
        name = getattr(self, "__qualname__", "")
        found: Any = sys.modules.get(self.__module__)
        for part in name.split("."):
            found = getattr(found, part, None)
        return name if found is self else self._again

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            # Arrays alone, like those of the last call, are the common case: nothing is hashed.
            kind: list[Any] = []
            for a in args:
                if type(a) is not _ARRAY:
                    break
                kind += a.shape, a.dtype
            else:
                latest = self._latest
                if kind == latest[0]:
                    return latest[1](*args)
                run = self._programs.get(tuple(kind))
                if run is not None:
                    self._latest = kind, run
                    return run(*args)
        return self._called(args, kwargs)

    def _called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = [*args, *kwargs.values()]
        leaves = forms.leaves(given)
        if any(isinstance(x, Node) for x in leaves):
            return self.function(*args, **kwargs)  # inside another function that is traced
        if tracing.depth:
            args, kwargs = forms.map_leaves(_as_node, (args, kwargs))
            return self.function(*args, **kwargs)
        shapes = self._shapes(args, kwargs) if self.dims else [None] * len(leaves)
        key = (len(args), *kwargs, forms.skeleton(given), *map(_kind, leaves, shapes))
        run = self._programs.get(key)
        if run is None:
            run = self._kept(key, self.compiled(*args, **kwargs))
            arrays = all(type(a) is np.ndarray for a in args) and not kwargs
            if arrays and not self.dims:
                self._kept(tuple(part for a in args for part in (a.shape, a.dtype)), run)
        return run(*[x for x in leaves if not _is_static(x)])

    def _kept(self, key: Any, run: Callable[..., Any]) -> Callable[..., Any]:
        while len(self._programs) >= 2 * self.maxsize:
            self._programs.pop(next(iter(self._programs)))
        self._programs[key] = run
        return run

    def compiled(self, *args: Any, **kwargs: Any) -> Function:
        """The program for some arguments, to read, save, or ask for its cost."""
        inputs, outputs = self._traced(args, kwargs)
        return compile(outputs, name=name_of(self.function), inputs=inputs)

    def _shapes(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """For each leaf of the arguments the shape that `dims` gives it, or None."""
        names = parameters(self.function, len(args), kwargs)
        unknown = [name for name in self.dims if name not in names]
        if unknown:
            raise ArgumentError(
                f"dims= names {unknown[0]}, and the arguments are {', '.join(names)}"
            )
        given = zip([*args, *kwargs.values()], names, strict=True)
        return [shape for v, name in given for shape in _opened(v, self.dims.get(name))]

    def _traced(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Traced:
        """Inputs in a flat list, and results."""
        given = [*args, *kwargs.values()]
        names = parameters(self.function, len(args), kwargs)
        shapes = self._shapes(args, kwargs)
        weak = _weak(forms.leaves(given))

        def declared(value: Any, name: str, shape: Any) -> Any:
            if _is_static(value):
                return value
            if isinstance(value, float):
                return declare_input(name, (), weak)
            array = np.asarray(value)
            if array.dtype == object:
                raise ArgumentError(
                    f"{name} is {a_kind(value)}, which is no array: arguments are "
                    "arrays and numbers, in tuples, named tuples, lists and dicts"
                )
            return declare_input(name, array.shape if shape is None else shape, array.dtype)

        paths = [p for v, name in zip(given, names, strict=True) for p in forms.paths(v, name)]
        leaves = list(map(declared, forms.leaves(given), paths, shapes))
        nodes = forms.fill(given, leaves)
        named = dict(zip(kwargs, nodes[len(args) :], strict=True))
        with traces(dict(zip(names, given, strict=True))):
            outputs = self.function(*nodes[: len(args)], **named)
        inputs = [v for v in leaves if isinstance(v, Node)]
        return Traced(inputs, results(self.function, outputs))

    def __repr__(self) -> str:
        return f"<compiled on call: {name_of(self.function)}>"


def _is_static(value: Any) -> bool:
    """Whether an argument is part of the program."""
    return isinstance(value, _STATIC) or callable(value)


def _as_node(value: Any) -> Any:
    """An array or a float as a constant; what is part of the program stays what it is."""
    return value if _is_static(value) else FUNCTIONS["constant"](value)


def _opened(form: Any, dims: Any) -> list[Any]:
    """For each leaf of an argument the shape that `dims=` leaves open, or None."""
    if isinstance(form, dict):
        inner = dims if isinstance(dims, dict) else {}
        return [shape for key, part in form.items() for shape in _opened(part, inner.get(key))]
    if isinstance(form, list | tuple):
        each = dims if isinstance(dims, list) else [None] * len(form)
        if len(each) != len(form):
            raise ArgumentError(f"dims= has {len(each)} shapes for {len(form)} values")
        return [shape for part, d in zip(form, each, strict=True) for shape in _opened(part, d)]
    return [dims]


def _kind(value: Any, shape: Any) -> Any:
    """What a program depends on: shapes and dtypes, and the values that are no tensors."""
    if _is_static(value):
        return type(value), value
    if isinstance(value, float):
        return float
    sizes = np.shape(value)
    dtype = getattr(value, "dtype", None) or np.asarray(value).dtype
    return (sizes if shape is None else len(sizes)), dtype


def _weak(leaves: Sequence[Any]) -> np.dtype[Any]:
    """The dtype of Python floats: as NumPy has it, that of the arrays that they meet."""
    found = {x.dtype for x in leaves if isinstance(x, np.ndarray | np.generic)}
    floats = {d for d in found if d.kind == "f"}
    return np.dtype(np.float32 if floats == {np.dtype(np.float32)} else np.float64)


def _check_callable(what: str, function: Any, instead: str) -> None:
    if not callable(function):
        instead = f": {instead}" if isinstance(function, Node) else ""
        raise ArgumentError(f"{what} takes a function, not {a_kind(function)}{instead}")


def name_of(function: Plain) -> str:
    """What to call the program of a function."""
    return str(getattr(function, "__name__", "program")).replace("<lambda>", "program")


def jit(function: Plain, *, dims: Mapping[str, Any] | None = None, maxsize: int = 64) -> Jit:
    """A function on arrays that runs as a compiled program: the same results, written once.

    A program is made for the shapes and dtypes of the arguments, and for the values of those that
    are ints, strings or bools; the last `maxsize` are kept. `dims={"x": ("n", "d")}` leaves the
    sizes of an argument open, so that one program serves all of them.

    Lists, tuples and dicts are structures: `[1.0, 2.0]` is two arguments, `np.array([1.0, 2.0])` is
    one.

    What the function reads besides its arguments (a global, a closure, a random number) is read
    once, when a program is made: pass as an argument what is to change.

    >>> import numpy as np, graphc as gc
    >>> @gc.jit
    ... def scaled(x, by):
    ...     return x / np.linalg.norm(x) * by
    >>> scaled(np.array([3.0, 4.0]), 10.0)
    array([6., 8.])
    """
    return Jit(function, dims, maxsize)
