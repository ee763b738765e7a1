"""A plain function of one example as a function of many at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, SupportsIndex

from .. import forms
from ..autodiff import vectorize
from ..errors import ArgumentError, ShapeError
from ..ir import FUNCTIONS, Node
from ..ops.leaves import placeholder
from ..wording import counted, in_words
from .jit import Jit
from .trace import Plain, called, parameters, results


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

    def over_batches(*args: Any, **kwargs: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * len(args)
        if len(axes) != len(args):
            named = counted(len(axes), "argument")
            raise ArgumentError(f"in_axes names {named}, and was given {len(args)}")
        batches: dict[Node, Node] = {}
        names = parameters(function, len(args))
        given = [_examples(*each, batches) for each in zip(args, axes, names, strict=True)]
        given_by_name = {key: _examples(a, 0, key, batches) for key, a in kwargs.items()}
        if not batches:
            raise ArgumentError(
                f"no argument of {called(function)} is mapped over: in_axes= names an axis of one "
                "array at least"
            )
        made = vectorize(results(function, function(*given, **given_by_name)), batches)
        return _zipped(lambda v, axis: FUNCTIONS["moveaxis"](v, 0, axis), made, out_axes)

    made = Jit(functools.wraps(function, updated=())(over_batches))
    return made._made_again_by(vmap, function, in_axes=in_axes, out_axes=out_axes)


def _examples(form: Any, axes: Any, name: str, batches: dict[Node, Node]) -> Any:
    """An argument with inputs for single examples in it: what they stand for joins `batches`."""
    paths = iter(forms.paths(form, name))

    def one(x: Any, axis: int | None) -> Any:
        path = next(paths)
        if axis is None or not isinstance(x, Node):
            return x
        if not isinstance(axis, SupportsIndex):
            raise ArgumentError(f"in_axes= holds ints and None, and for {path} there is {axis!r}")
        if not x.ndim:
            raise ShapeError(
                f"{path} is one number, without an axis to map over: for what is the same in every "
                "example, in_axes= holds None"
            )
        moved = FUNCTIONS["moveaxis"](x, axis, 0)
        stand_in = placeholder(moved.type.with_shape(moved.shape[1:]), path)
        batches[stand_in] = moved
        return stand_in

    return _zipped(one, form, axes)


def _zipped(function: Callable[[Any, Any], Any], form: Any, axes: Any) -> Any:
    """The form with a function of each leaf and its axis; an axis serves a whole part of it."""
    if isinstance(axes, dict) and isinstance(form, dict):
        if lacking := [key for key in form if key not in axes]:
            there = in_words(map(str, axes))
            raise ArgumentError(f"there is no axis for {lacking[0]}: axes are given for {there}")
        return {key: _zipped(function, part, axes[key]) for key, part in form.items()}
    if isinstance(axes, tuple | list) and isinstance(form, tuple | list):
        if len(axes) != len(form):
            given = counted(len(axes), "axis", "axes")
            raise ArgumentError(f"each value needs an axis: {len(form)} have {given}")
        pairs = zip(form, axes, strict=True)
        return forms.with_parts(form, (_zipped(function, part, a) for part, a in pairs))
    return forms.map_leaves(lambda leaf: function(leaf, axes), form)
