"""Python values as nodes: what an op is called on may be numbers, arrays and sizes."""

from __future__ import annotations

import functools
import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from .. import shapes
from ..errors import ArgumentError, DTypeError, GraphcError, ShapeError
from ..wording import a_kind
from .building import on_the_way
from .functions import FUNCTIONS
from .node import Node, operands

_NUMBERS = (bool, int, float)
_ARRAYS = (np.ndarray, np.generic, list, tuple)


def lift(values: Sequence[Any], taker: str) -> tuple[Node, ...]:
    """Nodes for some operands. Python numbers are weak: they take their peers' dtype (NEP 50).

    So are sizes, which are Python numbers when the program runs. A number in `y = 0.5 * x` is made
    on the way: it is not what `y` holds.
    """
    if all(type(value) is Node for value in values):
        return tuple(values)
    with on_the_way():
        return _lifted(values, taker)


def _lifted(values: Sequence[Any], taker: str) -> tuple[Node, ...]:
    try:
        given = [_typed(value, taker) for value in values]
    except GraphcError as error:
        error.locate(operands(value for value in values if isinstance(value, Node)))
        raise
    peers = [value.dtype for value in given if isinstance(value, Node)]
    return tuple(
        value if isinstance(value, Node) else _weak(value, peers, taker) for value in given
    )


def _typed(value: Any, taker: str) -> Any:
    """A node, or a Python number or a size, whose dtype its peers decide."""
    if isinstance(value, Node) or type(value) in _NUMBERS or shapes.is_expression(value):
        return value
    if isinstance(value, _ARRAYS):
        return FUNCTIONS["constant"](value)
    raise ArgumentError(
        f"{taker} takes symbolic tensors, numbers and arrays, not {a_kind(value)}{_instead(value)}"
    )


def _instead(value: Any) -> str:
    """What to pass in the place of something that is nearly a number or an array."""
    if hasattr(value, "toarray"):
        return ": its .toarray() is one"
    if hasattr(value, "__array__"):
        return ": np.asarray makes one of it"
    if isinstance(value, numbers.Real | Decimal):
        return ": float makes a number of it"
    if isinstance(value, numbers.Complex):
        return ": no graph holds complex numbers"
    if isinstance(value, range):
        return ": gc.iota counts"
    return ": does a function lack its return?" if value is None else ""


def _weak(value: Any, peers: list[np.dtype[Any]], taker: str) -> Node:
    if shapes.is_expression(value):
        formula = shapes.plain(value)
        kind: bool | int | float = 1 if formula.is_integer else 1.0
        return _of_sizes(formula, np.result_type(*peers, kind) if peers else np.dtype(type(kind)))
    # Integers beyond int64 have no dtype of their own: 1 stands for them.
    dtype = np.result_type(*peers, 1 if type(value) is int else value) if peers else None
    try:
        return FUNCTIONS["constant"](value, dtype=dtype)  # type: ignore[no-any-return]
    except DTypeError:
        raise DTypeError(f"{taker}: {value} does not fit in {dtype or 'int64'}") from None


def _of_sizes(formula: Any, dtype: np.dtype[Any]) -> Node:
    """A formula in sizes. What is no size itself, as n / 2 or -n, is computed from sizes in it."""
    f = FUNCTIONS
    factor, rest = formula.as_coeff_Mul()
    try:
        made = f["size"](formula, dtype)
    except ShapeError:
        if formula.is_Number:
            made = f["constant"](float(formula), dtype=dtype)
        elif factor != 1:
            made = f["multiply"](_of_sizes(factor, dtype), _of_sizes(rest, dtype))
        elif formula.is_Add or formula.is_Mul:
            parts = [_of_sizes(part, dtype) for part in formula.args]
            made = functools.reduce(f["add" if formula.is_Add else "multiply"], parts)
        elif formula.is_Pow and formula.exp.is_Number:
            made = f["power"](_of_sizes(formula.base, dtype), float(formula.exp))
        elif formula.is_Pow:
            made = f["power"](*(_of_sizes(part, dtype) for part in formula.args))
        else:
            raise
    return made  # type: ignore[no-any-return]
