"""The functions that return gradients, Jacobians and Hessians of plain functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, SupportsIndex

from .. import forms
from ..autodiff import grad, hessian, jacobian
from ..errors import ArgumentError
from ..ir import Node, operands, rebuild, topo
from ..ops.leaves import placeholder
from ..wording import counted
from .jit import Jit
from .trace import Plain, called, parameters, results


def _derived(
    function: Plain,
    argnums: int | tuple[int, ...],
    derive: Callable[[Any, Any], Any],
) -> Jit:
    """A function of the same arguments that returns `derive(results, the chosen arguments)`."""
    counted_from_0 = argnums if isinstance(argnums, tuple) else (argnums,)
    if not all(isinstance(k, SupportsIndex) for k in counted_from_0):
        raise ArgumentError(
            f"argnums= counts arguments from 0: an int or a tuple of ints, not {argnums!r}"
        )

    def derived(*args: Any, **kwargs: Any) -> Any:
        if not all(-len(args) <= k < len(args) for k in counted_from_0):
            there = counted(len(args), "argument")
            cure = ": what is differentiated by is given by position" if kwargs else ""
            raise ArgumentError(f"argnums= is {argnums}, and was given {there}{cure}")
        numbers = [k % len(args) for k in counted_from_0]
        meant: dict[Node, Node] = {}
        names, given = parameters(function, len(args)), [*args]
        for k in sorted({*numbers}):
            given[k] = _standing_in(args[k], names[k], function, meant)
        values = results(function, function(*given, **kwargs))
        chosen = tuple(given[k] for k in numbers)
        made = derive(values, chosen if isinstance(argnums, tuple) else chosen[0])
        if not meant:
            return made
        new = rebuild(topo(forms.leaves(made)), replacements=meant)
        return forms.map_leaves(lambda v: new[v], made)

    return Jit(functools.wraps(function, updated=())(derived))


def _standing_in(form: Any, name: str, function: Plain, meant: dict[Node, Node]) -> Any:
    """An argument to differentiate by, with inputs for its values: what they stand for is `meant`.

    Only what depends on the argument counts, not what depends on the same node elsewhere.
    """

    def one(x: Any, path: str) -> Node:
        if not isinstance(x, Node) or not x.type.is_float:
            is_node = isinstance(x, Node)
            cure = ": pass floats" if is_node or type(x) is int else ""
            raise ArgumentError(
                f"derivatives are by floats, and {path}, an argument of "
                f"{called(function)}, is {x.type if is_node else repr(x)}{cure}"
            )
        if x.op.name == "input":
            return x
        stand_in = placeholder(x.type, path)
        meant[stand_in] = x
        return stand_in

    return forms.fill(form, map(one, forms.leaves(form), forms.paths(form, name)))


def _scalar(value: Any, function: Plain) -> Node:
    if isinstance(value, Node) and not value.shape:
        return value
    said = f"a gradient is taken of a scalar, and {called(function)} returns "
    if not isinstance(value, Node):
        raise ArgumentError(
            f"{said}several values: return the loss alone, and what else is wanted by a function "
            "of its own, or take jacobian_fn of one of them"
        )
    said += f"{value.type}: sum it, or use jacobian_fn"
    raise ArgumentError(said).locate(operands([value]))


def grad_fn(
    function: Plain, argnums: int | tuple[int, ...] = 0, *, disconnected: str = "raise"
) -> Jit:
    """The function that returns the gradient of a plain function by some of its arguments.

    `argnums` is the position of one, or a tuple of them for a tuple of gradients. With
    `disconnected="zero"` what the result does not depend on has zeros, and is no error.

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

    `argnums` and `disconnected` are those of `grad_fn`.

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

    `argnums` and `disconnected` are those of `grad_fn`, `mode` is that of `jacobian`.

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

    derived = _derived(function, argnums, derive)
    return derived._made_again_by(hessian_fn, function, argnums=argnums)
