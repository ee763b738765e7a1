"""Tracing: what a plain function does to arrays it does to nodes, by NumPy's own protocols."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from .. import forms
from ..errors import ArgumentError
from ..ir import FUNCTIONS, Node
from ..ops.leaves import input as declare_input
from ..shapes import is_expression
from ..tensor_type import TensorType
from ..wording import a_kind
from .untraceable import traces

Plain = Callable[..., Any]


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
    if not callable(function):
        is_node = isinstance(function, Node)
        cure = ": the sum of the diagonal of a tensor is x.trace()" if is_node else ""
        said = f"trace takes a function and specs of its arguments, not {a_kind(function)}{cure}"
        raise ArgumentError(said)
    names = parameters(function, len(specs))
    inputs = tuple(_declared(spec, name) for spec, name in zip(specs, names, strict=True))
    with traces():
        outputs = function(*inputs)
    return Traced(inputs, results(function, outputs))


def _declared(spec: Any, name: str) -> Any:
    """Inputs for a spec: one, or a form of them."""
    if isinstance(spec, Node):
        return spec
    if isinstance(spec, TensorType):
        return declare_input(name, spec.shape, spec.dtype)
    if isinstance(spec, tuple) and all(map(_is_size, spec)):
        return declare_input(name, spec)
    if isinstance(spec, dict):
        return {key: _declared(part, f"{name}_{key}") for key, part in spec.items()}
    if isinstance(spec, list | tuple):
        parts = (_declared(part, f"{name}_{k}") for k, part in enumerate(spec))
        return forms.with_parts(spec, parts)
    if isinstance(spec, float):
        return declare_input(name)
    if isinstance(spec, np.ndarray | np.generic):
        return declare_input(name, spec.shape, spec.dtype)
    return spec


def _is_size(value: object) -> bool:
    return isinstance(value, int | np.integer | str) or is_expression(value)


def parameters(function: Plain, count: int, kwargs: Iterable[str] = ()) -> list[str]:
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


def called(function: Plain) -> str:
    """What a sentence calls a function."""
    return str(getattr(function, "__name__", "the function"))


def results(function: Plain, outputs: Any) -> Any:
    """The form that a function returned, all of it nodes."""

    def one(value: Any) -> Node:
        if isinstance(value, Node):
            return value
        if isinstance(value, bool | int | float | np.ndarray | np.generic):
            return FUNCTIONS["constant"](value)  # type: ignore[no-any-return]
        raise ArgumentError(
            f"{called(function)} must return tensors, in tuples, lists and dicts, "
            f"and a result of it is {a_kind(value)}"
        )

    return forms.map_leaves(one, outputs)
