"""The texts of small values: calls that take the memory to write into as one argument more."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ... import shapes
from ...ir import Node

# NumPy wants these to be told by name.
_BY_NAME = ("maximum", "minimum")
_OPERATOR = re.compile(r"x0 \S+ x1")
_METHOD = re.compile(r"([^()]*\.dot)\(([^()]*)\)")
_CALL = re.compile(r"np\.(\w+)\(([^=]*?)(?:, out=\w+)?\)")


def into_small(v: Node, out: str, spare: Sequence[str] = ()) -> str:
    """The text that writes a small value into memory.

    It is that of new memory with one argument more, by position: a name is looked up for as long as
    some dozens of elements take. Functions that are better for large arrays have more calls.

    >>> import graphc as gc
    >>> x, W = gc.input("x", (1, 32)), gc.input("W", (32, 32))
    >>> [into_small(v, "b1") for v in (x * x, gc.expm1(x), x @ W)]
    ['np.multiply(x0, x1, b1)', 'np.expm1(x0, b1)', 'x0.dot(x1, b1)']
    """
    text, told = v.op.text(v), v.op.text_into(v, out, spare) or ""
    if told.startswith("np.copyto("):
        return told
    if method := _METHOD.fullmatch(text):
        return f"{method[1]}({method[2]}, {out})"
    if v.op.family == "elementwise" and _OPERATOR.fullmatch(text):
        text = f"np.{v.op.name}(x0, x1)"
    call = _of_ufunc(text) or _of_ufunc(text := told)
    if call is None:
        return text
    by_name = "out=" if call[1] in _BY_NAME else ""
    return f"np.{call[1]}({call[2]}, {by_name}{out})"


def _of_ufunc(text: str) -> re.Match[str] | None:
    call = _CALL.fullmatch(text)
    return call if call and isinstance(getattr(np, call[1], None), np.ufunc) else None


def is_by_ufunc(v: Node) -> bool:
    """Whether a ufunc computes v, into new memory or into that which it is told, in the same time.

    Of powers Python's operator is the quick one: it takes roots, squares and reciprocals.
    """
    is_array = v.ndim and v.op.family == "elementwise" and not v.op.view
    return bool(is_array) and v.op.name != "power" and bool(_of_ufunc(into_small(v, "out")))


def is_many(v: Node) -> bool:
    """Whether a value is surely more than one element."""
    return shapes.is_at_least(v.type.size, 2)


def returns_it(text: str) -> bool:
    """Whether a text that writes into memory returns that, or new memory where it is given None:
    what copies does not, nor what writes into a turned view."""
    return not text.startswith("np.copyto(") and "out=np." not in text
