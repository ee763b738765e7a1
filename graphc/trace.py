"""Plain functions as graphs: a function written with NumPy is called once on nodes, and compiled.

What a function does to arrays it does to nodes, by NumPy's own protocols. A program is made for the
shapes, dtypes and structure of the arguments, and kept.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import forms
from .autodiff import grad, hessian, jacobian, mapped
from .autodiff.batching import placeholder
from .compile import Function, compile
from .errors import ArgumentError, Disconnected
from .ir import FUNCTIONS, Node, operands, rebuild, topo
from .ir.building import tracing
from .ops.leaves import input as declare_input
from .shapes import TensorType, is_expression
from .untraceable import traces

Plain = Callable[..., Any]

_ARRAY = np.ndarray

# Arguments of these types are part of the program, not its inputs.
_STATIC = (bool, int, str, bytes, type(None), np.dtype, type)


class Traced(NamedTuple):
    """A function as a graph: its arguments and results, as nodes in the function's own forms."""

    inputs: Any
    outputs: Any


def trace(function: Plain, *specs: Any) -> Traced:
    """What a plain function builds from inputs of some types.

    A spec is a shape (of float64), a type, an array or number to be like, a node, or lists and
    dicts of specs; other values are handed to the function as they are.

    >>> import numpy as np, graphc as gc
    >>> def loss(w, X):
    ...     return np.sum(np.tanh(X @ w) ** 2)
    >>> (w, X), value = gc.trace(loss, ("d",), ("n", "d"))
    >>> gc.grad(value, w).type
    f64[d]
    """
    if isinstance(function, Node):
        raise ArgumentError(
            "trace takes a function and specs of its arguments: the sum of the diagonal of a "
            "tensor is x.trace()"
        )
    names = _parameters(function, len(specs), {})
    inputs = tuple(_declared(spec, name) for spec, name in zip(specs, names, strict=True))
    with traces():
        outputs = function(*inputs)
    return Traced(inputs, _results(function, outputs))


def _declared(spec: Any, name: str) -> Any:
    """Inputs for a spec: one, or a form of them."""
    if isinstance(spec, Node):
        return spec
    if isinstance(spec, TensorType):
        return declare_input(name, spec.shape, spec.dtype)
    if isinstance(spec, tuple) and all(isinstance(d, int | str) or is_expression(d) for d in spec):
        return declare_input(name, spec)
    if isinstance(spec, dict):
        return {key: _declared(part, f"{name}_{key}") for key, part in spec.items()}
    if isinstance(spec, list | tuple):
        return type(spec)(_declared(part, f"{name}_{k}") for k, part in enumerate(spec))
    if isinstance(spec, float):
        return declare_input(name)
    if isinstance(spec, np.ndarray | np.generic):
        return declare_input(name, spec.shape, spec.dtype)
    return spec


def _parameters(function: Plain, count: int, kwargs: Mapping[str, Any]) -> list[str]:
    """What to call the arguments, those given by name last."""
    try:
        known = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        known = ()  # type: ignore[assignment]
    names: list[str] = []
    for p in known:
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            names.append(p.name)
        elif p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}_{k}" for k in range(count - len(names))]
    names = names[:count] + [f"argument_{k}" for k in range(len(names), count)]
    return [*names, *kwargs]


def _as_node(value: Any) -> Any:
    """An array or a float as a constant; what is part of the program stays what it is."""
    if isinstance(value, _STATIC) or callable(value):
        return value
    return FUNCTIONS["constant"](value)


def _results(function: Plain, outputs: Any) -> Any:
    """The form that a function returned, all of it nodes."""

    def one(value: Any) -> Node:
        if isinstance(value, Node):
            return value
        if isinstance(value, bool | int | float | np.ndarray | np.generic):
            return FUNCTIONS["constant"](value)  # type: ignore[no-any-return]
        name = getattr(function, "__name__", "the function")
        raise ArgumentError(
            f"{name} must return tensors, in tuples, lists and dicts, and a result of it is "
            f"{'None' if value is None else 'a ' + type(value).__name__}"
        )

    return forms.map_leaves(one, outputs)


# -- jit --------------------------------------------------------------------------------------


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
        if not callable(function):
            raise ArgumentError(f"jit takes a function, not a {type(function).__name__}")
        self.function, self.dims, self.maxsize = function, dict(dims or {}), maxsize
        self._programs: dict[Any, Callable[..., Any]] = {}
        self._latest: tuple[Any, Callable[..., Any]] = (None, function)
        functools.update_wrapper(self, function, updated=())
        self._again = functools.partial(Jit, dims=dims, maxsize=maxsize), (function,)

    def _made_again_by(self, maker: Callable[..., Jit], function: Plain, **options: Any) -> Jit:
        """Itself; a pickle has what it is made of, since it holds functions that have no name."""
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
        leaves = forms.leaves([*args, *kwargs.values()])
        if any(isinstance(x, Node) for x in leaves):
            return self.function(*args, **kwargs)  # inside another function that is traced
        if tracing.depth:
            args = tuple(forms.map_leaves(_as_node, a) for a in args)
            kwargs = {key: forms.map_leaves(_as_node, a) for key, a in kwargs.items()}
            return self.function(*args, **kwargs)
        values = [x for x in leaves if not isinstance(x, _STATIC) and not callable(x)]
        key = _Key(self, args, kwargs).made
        run = self._programs.get(key)
        if run is None:
            run = self._kept(key, self._run_of(args, kwargs))
            arrays = all(type(a) is np.ndarray for a in args) and not kwargs
            if arrays and not self.dims:
                self._kept(tuple(part for a in args for part in (a.shape, a.dtype)), run)
        return run(*values)

    def _kept(self, key: Any, run: Callable[..., Any]) -> Callable[..., Any]:
        while len(self._programs) >= 2 * self.maxsize:
            self._programs.pop(next(iter(self._programs)))
        self._programs[key] = run
        return run

    def compiled(self, *args: Any, **kwargs: Any) -> Function:
        """The program for some arguments, to read, save, or ask for its cost."""
        inputs, outputs = self._traced(args, kwargs)
        return compile(outputs, name=_name(self.function), inputs=inputs)

    def _traced(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Traced:
        """Inputs in a flat list, and results."""
        names = _parameters(self.function, len(args), kwargs)
        unknown = [name for name in self.dims if name not in names]
        if unknown:
            raise ArgumentError(
                f"dims= names {unknown[0]}, and the arguments are {', '.join(names)}"
            )
        given = [*args, *kwargs.values()]
        weak = _weak(forms.leaves(given))
        flat: list[Node] = []

        def one(value: Any, name: str, shape: Any) -> Any:
            if isinstance(value, dict):
                return {
                    k: one(v, f"{name}_{k}", shape.get(k) if isinstance(shape, dict) else None)
                    for k, v in value.items()
                }
            if isinstance(value, tuple | list):
                inner = shape if isinstance(shape, list) else [None] * len(value)
                parts = [
                    one(v, f"{name}_{k}", s)
                    for k, (v, s) in enumerate(zip(value, inner, strict=True))
                ]
                return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
            if isinstance(value, _STATIC) or callable(value):
                return value
            if isinstance(value, float):
                flat.append(declare_input(name, (), weak))
            else:
                array = np.asarray(value)
                if array.dtype == object:
                    raise ArgumentError(
                        f"{name} is a {type(value).__name__}, which is no array: arguments are "
                        "arrays and numbers, in tuples, named tuples, lists and dicts"
                    )
                flat.append(
                    declare_input(name, array.shape if shape is None else shape, array.dtype)
                )
            return flat[-1]

        nodes = [one(v, name, self.dims.get(name)) for v, name in zip(given, names, strict=True)]
        named = dict(zip(kwargs, nodes[len(args) :], strict=True))
        with traces(dict(zip(names, given, strict=True))):
            outputs = self.function(*nodes[: len(args)], **named)
        return Traced(flat, _results(self.function, outputs))

    def _run_of(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Callable[..., Any]:
        inputs, outputs = self._traced(args, kwargs)
        if not any(_is_named_tuple(form) for form in _parts(outputs)):
            return compile(outputs, name=_name(self.function), inputs=inputs)
        run = compile(forms.leaves(outputs), name=_name(self.function), inputs=inputs)
        return lambda *values: forms.fill(outputs, run(*values))

    def __repr__(self) -> str:
        return f"<compiled on call: {_name(self.function)}>"


class _Key:
    """What a program depends on: shapes, dtypes, structure, and the values that are no tensors."""

    def __init__(self, jit: Jit, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        names = _parameters(jit.function, len(args), kwargs) if jit.dims else ()
        symbolic = [name in jit.dims for name in names] or [False] * (len(args) + len(kwargs))
        given = [*args, *kwargs.values()]
        parts = [self.of(v, s) for v, s in zip(given, symbolic, strict=True)]
        self.made = (len(args), *kwargs, *parts)

    def of(self, value: Any, is_symbolic: bool) -> Any:
        if isinstance(value, dict):
            return (dict, *((key, self.of(v, is_symbolic)) for key, v in value.items()))
        if isinstance(value, tuple | list):
            return (type(value), *(self.of(v, is_symbolic) for v in value))
        if isinstance(value, _STATIC) or callable(value):
            return type(value), value
        if isinstance(value, float):
            return float
        shape = np.shape(value)
        dtype = getattr(value, "dtype", None) or np.asarray(value).dtype
        return (len(shape) if is_symbolic else shape), dtype


def _weak(leaves: Sequence[Any]) -> np.dtype[Any]:
    """The dtype of Python floats: as NumPy has it, that of the arrays that they meet."""
    found = {x.dtype for x in leaves if isinstance(x, np.ndarray | np.generic)}
    floats = {d for d in found if d.kind == "f"}
    return np.dtype(np.float32 if floats == {np.dtype(np.float32)} else np.float64)


def _name(function: Plain) -> str:
    return str(getattr(function, "__name__", "program")).replace("<lambda>", "program")


def _parts(form: Any) -> Iterator[Any]:
    yield form
    if isinstance(form, dict | list | tuple):
        for part in form.values() if isinstance(form, dict) else form:
            yield from _parts(part)


def _is_named_tuple(form: Any) -> bool:
    return isinstance(form, tuple) and hasattr(form, "_fields")


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


# -- derivatives of functions -----------------------------------------------------------------


def _derived(
    function: Plain,
    argnums: int | tuple[int, ...],
    derive: Callable[[Any, Any], Any],
    has_zeros: bool = True,
) -> Jit:
    """A function of the same arguments that returns `derive(results, the chosen arguments)`."""

    def derived(*args: Any, **kwargs: Any) -> Any:
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)
        if not all(-len(args) <= k < len(args) for k in numbers):
            raise ArgumentError(f"argnums= is {argnums}, and {len(args)} arguments were given")
        numbers = tuple(k % len(args) for k in numbers)
        meant: dict[Node, Node] = {}
        names = _parameters(function, len(args), {})

        def one(x: Any, path: str) -> Node:
            if not isinstance(x, Node) or not x.type.is_float:
                raise ArgumentError(
                    f"derivatives are by floats, and {path}, an argument of "
                    f"{_name(function)}, is {x.type if isinstance(x, Node) else repr(x)}"
                )
            if x.op.name == "input":
                return x
            # Only what depends on the argument counts, not what depends on the same node elsewhere.
            stand_in = placeholder(x.type)
            meant[stand_in] = x
            return stand_in

        def by(k: int, form: Any) -> Any:
            parts = zip(forms.leaves(form), forms.paths(form, names[k]), strict=True)
            return forms.fill(form, [one(x, path) for x, path in parts])

        given = [by(k, a) if k in numbers else a for k, a in enumerate(args)]
        results = _results(function, function(*given, **kwargs))
        chosen = tuple(given[k] for k in numbers)
        try:
            made = derive(results, chosen if isinstance(argnums, tuple) else chosen[0])
        except Disconnected as error:
            error.sentence += '; disconnected="zero" gives zeros' * has_zeros
            raise
        if not meant:
            return made
        new = rebuild(topo(forms.leaves(made)), replacements=meant)
        return forms.map_leaves(lambda v: new[v], made)

    return Jit(functools.wraps(function, updated=())(derived))


def _scalar(value: Any, function: Plain) -> Node:
    if isinstance(value, Node) and not value.shape:
        return value
    said = f"a gradient is taken of a scalar, and {_name(function)} returns "
    if not isinstance(value, Node):
        raise ArgumentError(
            f"{said}several values: return the loss alone, and what else is wanted by a function "
            "of its own, or take jacobian_fn of one of them"
        )
    error = ArgumentError(f"{said}{value.type}: sum it, or use jacobian_fn")
    error.locate(operands([value]))
    raise error


def grad_fn(
    function: Plain, argnums: int | tuple[int, ...] = 0, *, disconnected: str = "raise"
) -> Jit:
    """The function that returns the gradient of a plain function by some of its arguments.

    >>> import numpy as np, graphc as gc
    >>> slope = gc.grad_fn(lambda x: np.sum(np.sin(x)) ** 2)
    >>> slope(np.array([0.0, np.pi / 2]))
    array([2.0000000e+00, 1.2246468e-16])
    """
    derived = _derived(
        function, argnums, lambda z, x: grad(_scalar(z, function), x, disconnected=disconnected)
    )
    return derived._made_again_by(grad_fn, function, argnums=argnums, disconnected=disconnected)


def value_and_grad(
    function: Plain, argnums: int | tuple[int, ...] = 0, *, disconnected: str = "raise"
) -> Jit:
    """The function that returns the value and the gradient, computed together.

    >>> import numpy as np, graphc as gc
    >>> both = gc.value_and_grad(lambda p, x: np.sum(p["w"] * x) + p["b"])
    >>> both({"w": np.array([1.0, 2.0]), "b": 0.5}, np.array([3.0, 4.0]))
    (np.float64(11.5), {'w': array([3., 4.]), 'b': np.float64(1.0)})
    """
    derived = _derived(
        function,
        argnums,
        lambda z, x: (z, grad(_scalar(z, function), x, disconnected=disconnected)),
    )
    options = {"argnums": argnums, "disconnected": disconnected}
    return derived._made_again_by(value_and_grad, function, **options)


def jacobian_fn(
    function: Plain,
    argnums: int | tuple[int, ...] = 0,
    *,
    mode: str = "auto",
    disconnected: str = "raise",
) -> Jit:
    """The function that returns the Jacobian of a plain function: result.shape + argument.shape.

    >>> import numpy as np, graphc as gc
    >>> gc.jacobian_fn(lambda x: np.array([2.0, 3.0]) * x**2)(np.array([1.0, 2.0]))
    array([[ 4.,  0.],
           [ 0., 12.]])
    """
    derived = _derived(
        function, argnums, lambda v, x: jacobian(v, x, mode, disconnected=disconnected)
    )
    options = {"argnums": argnums, "mode": mode, "disconnected": disconnected}
    return derived._made_again_by(jacobian_fn, function, **options)


def hessian_fn(function: Plain, argnums: int | tuple[int, ...] = 0) -> Jit:
    """The function that returns the Hessian of a plain function of a scalar value.

    >>> import numpy as np, graphc as gc
    >>> gc.hessian_fn(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    def derive(z: Any, x: Any) -> Any:
        return hessian(_scalar(z, function), x)

    derived = _derived(function, argnums, derive, has_zeros=False)
    return derived._made_again_by(hessian_fn, function, argnums=argnums)


def vmap(function: Plain, in_axes: Any = 0, out_axes: Any = 0) -> Jit:
    """A function of one example, applied to many at once; no loop is built.

    `in_axes` is an axis for all arguments, or one for each: an int, None (the same for every
    example), or a form of them. Inside other traced functions it works on nodes as well as on
    arrays.

    >>> import numpy as np, graphc as gc
    >>> per_example = gc.vmap(gc.grad_fn(lambda w, x: np.tanh(w @ x)), in_axes=(None, 0))
    >>> per_example(np.zeros(2), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    array([[1., 2.],
           [3., 4.],
           [5., 6.]])
    """
    made = Jit(functools.wraps(function, updated=())(mapped(function, in_axes, out_axes)))
    return made._made_again_by(vmap, function, in_axes=in_axes, out_axes=out_axes)
