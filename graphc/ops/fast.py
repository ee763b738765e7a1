"""Texts that are faster than NumPy's: by functions that a program carries, into large arrays.

What an operation means is in its record; here is which text serves which operands best.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..ir import Node, is_literal, is_positive_zero

# Of fewer elements the calls cost more than the elements.
_FEW = 1000


def _is_large(node: Node) -> bool:
    """Whether a value may have so many elements that each of them counts."""
    size = node.type.size
    return bool(node.ndim) and not (isinstance(size, int) and size < _FEW)


def fast(
    ufunc: np.ufunc, dtypes: str, spare: int = 0, option: Callable[[Node], str] = lambda node: ""
) -> Callable[[Node], str]:
    """Into large arrays of some dtypes: the function that a program carries in place of NumPy's,
    which can use some spare arrays, and may be told more by an option."""
    name, given = ufunc.__name__, ", ".join(f"x{i}" for i in range(ufunc.nin))
    also = f", spare={spare}" if spare else ""

    def into(node: Node) -> str:
        has_one = node.dtype.char in dtypes and all(x.dtype == node.dtype for x in node.inputs)
        if has_one and (_is_large(node) or node.op.text(node).startswith("fast_")):
            return f"fast_{name}({given}{option(node)}{also}, out=out)"
        return f"np.{name}({given}, out=out)"

    return into


# Exponents whose powers are few products, near enough to the exact ones.
_FEW_PRODUCTS = (-2.5, -1.5, -0.5, 1.5, 2.5, 3.5, 5, 6)


def power_into(node: Node) -> str:
    """By products, where the exponent is one of few."""
    base, exponent = node.inputs
    if base.type == node.type and node.type.is_float and _is_large(node):
        for number in _FEW_PRODUCTS:
            if is_literal(exponent, number):
                return f"fast_power(x0, {number}, spare=1, out=out)"
    return "np.power(x0, x1, out=out)"


# Of which there is no -0.
_NEVER_MINUS_ZERO = ("square", "abs", "exp")


def _unsigned(node: Node) -> str:
    """Where no sign of zero has to be kept, the fast log1p takes two steps less."""
    return ", has_minus_zero=False" * (node.inputs[0].op.name in _NEVER_MINUS_ZERO)


def log1p_text(node: Node) -> str:
    """NumPy's own is slow, of few elements too."""
    is_fast = node.ndim and node.inputs[0].dtype.char in "fd"
    return f"fast_log1p(x0{_unsigned(node)})" if is_fast else "np.log1p(x0)"


log1p_into = fast(np.log1p, "fd", spare=2, option=_unsigned)


def circular_text(name: str) -> Callable[[Node], str]:
    """NumPy computes sines and cosines of double precision one at a time."""

    def text(node: Node) -> str:
        is_fast = _is_large(node) and node.inputs[0].dtype.char == "d"
        return f"fast_{name}(x0)" if is_fast else f"np.{name}(x0)"

    return text


def own_text(node: Node) -> str:
    """The text with NumPy's own function in place of one that is faster: to read."""
    text = node.op.text(node)
    if not text.startswith("fast_"):
        return text
    name = text.removeprefix("fast_").partition("(")[0]
    return f"np.{name}({', '.join(f'x{k}' for k in range(len(node.inputs)))})"


def clip_text(node: Node, out: str = "") -> str:
    """By the method, where it is an array's: np.clip takes a microsecond to find it."""
    return f"x0.clip(x1, x2{out})" if node.inputs[0].ndim else f"np.clip(x0, x1, x2{out})"


def clip_into(node: Node) -> str:
    return clip_text(node, ", out=out")


def where_into(node: Node) -> str | None:
    """By bits, where no element is asked by itself; 0 has none."""
    _, x, y = node.inputs
    if not _is_large(node) or node.dtype == bool or {x.dtype, y.dtype} != {node.dtype} or x is y:
        return None
    if is_positive_zero(y):
        return "only_where(x0, x1, out=out)"
    if is_positive_zero(x):
        return "only_where(~x0, x2, out=out)"
    return "fast_where(x0, x1, x2, spare=1, out=out)"
