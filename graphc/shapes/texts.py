"""Sizes as text: for people, and as Python for programs."""

from __future__ import annotations

import functools
from typing import Any

import sympy as sp

from ..errors import ShapeError
from ..sizes import Dim, Shape


def show(value: Shape | Dim) -> str:
    """A dim or a shape as people read it: `(n, 2*n + 1)`."""
    return str(value)


def source(value: Dim | Shape) -> str:
    """A dim or a shape as Python text. The symbol n is written `dim_n` until a program names it."""
    if isinstance(value, tuple):
        inner = ", ".join(source(d) for d in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return str(value) if isinstance(value, int) else _source(value.plain)


@functools.lru_cache(maxsize=16384)
def _source(e: Any) -> str:
    if e.is_Integer:
        return str(e)
    if e.is_Symbol:
        return f"dim_{e.name}"
    parts = e.args
    if e.is_Add:
        return " + ".join(map(_source, e.as_ordered_terms())).replace("+ -", "- ")
    if e.is_Mul:
        coefficient, rest = e.as_coeff_Mul()
        if coefficient == -1:
            return f"-{_factor(rest)}"
        return " * ".join(map(_factor, e.as_ordered_factors()))
    if e.is_Pow and e.is_integer:
        return f"{_operand(parts[0])} ** {_operand(parts[1])}"
    if isinstance(e, sp.Abs):
        return f"abs({_source(parts[0])})"
    if isinstance(e, sp.floor):
        numerator, denominator = sp.fraction(sp.together(parts[0]))
        return f"({_operand(numerator)} // {_operand(denominator)})"
    if isinstance(e, sp.ceiling):
        return f"(-{_source(sp.floor(-parts[0]))})"
    if isinstance(e, sp.Max | sp.Min):
        inner = ", ".join(_source(p) for p in sorted(parts, key=sp.default_sort_key))
        return f"{'max' if isinstance(e, sp.Max) else 'min'}({inner})"
    if isinstance(e, sp.Mod):
        return f"({_operand(parts[0])} % {_operand(parts[1])})"
    raise ShapeError(f"the size {e} cannot be computed by a program")


def _factor(e: Any) -> str:
    text = _source(e)
    return f"({text})" if e.is_Add or text.startswith("-") else text


def _operand(e: Any) -> str:
    """A text that binds tighter than any operator."""
    text = _source(e)
    return f"({text})" if e.is_Add or e.is_Mul or e.is_Pow or text[0] == "-" else text
