"""Dims: what may stand in a shape, made from what people write there.

A dim is a plain int or a `Size`: an integer formula in named symbols, of which there is one object,
so that two dims are equal exactly when they are the same.
"""

from __future__ import annotations

import functools
import keyword
import unicodedata
from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np
import sympy as sp

from ..errors import ShapeError
from ..sizes import Dim, Shape, Size, formula
from ..wording import with_kind
from .texts import source

_OF_DIMS = ": formulas are written with dims, as in 2 * gc.dim('n')"


def dim(name: str) -> Size:
    """A symbolic size: a positive integer that is known when the program runs.

    >>> import graphc as gc
    >>> n = gc.dim("n")
    >>> gc.input("x", (n, 2 * n + 1)).type
    f64[n, 2*n + 1]
    """
    # Python reads an identifier in this normal form, and so does every program that names the size.
    known = unicodedata.normalize("NFKC", name) if isinstance(name, str) else ""
    if not known.isidentifier() or keyword.iskeyword(known):
        said = f"a dim's name must be a Python identifier, and {name!r} is not"
        is_formula = any(sign in known for sign in "+-*/")
        raise ShapeError(said + (_OF_DIMS if is_formula else ""))
    return _symbol(known)


def dims(names: str) -> tuple[Size, ...]:
    """Several symbolic sizes at once: `n, d = dims("n d")`.

    >>> import graphc as gc
    >>> gc.dims("n d")
    (n, d)
    """
    if not isinstance(names, str):
        raise ShapeError(f"dims takes names in one string, as in dims('n d'), not {names!r}")
    return tuple(dim(name) for name in names.replace(",", " ").split())


_OWN = "0_"


def own_dim(name: str) -> Size:
    """A size that programs have of their own: its name is none that a user's can have."""
    return _symbol(_OWN + name)


@functools.cache
def _symbol(name: str) -> Size:
    return Size(sp.Symbol(name, integer=True, positive=True))


def as_dim(value: object) -> Dim:
    """The canonical form of a size given as an int, a name, or an expression in dims."""
    if type(value) is int:
        return _not_negative(value)
    if type(value) is Size:
        return _as_length(value)
    if isinstance(value, str):
        return dim(value)
    if isinstance(value, np.integer) or (isinstance(value, int) and not isinstance(value, bool)):
        return _not_negative(int(value))
    if isinstance(value, sp.Expr):
        return _canonical(value)
    raise ShapeError(
        f"a size must be an int, a dim or a dim's name, and {with_kind(value)}{_no_size(value)}"
    )


def _no_size(value: object) -> str:
    """What to write instead of something that is no size."""
    if isinstance(value, tuple):
        is_made = any(is_expression(d) for d in value)
        return ": gc.dim makes one, gc.dims a tuple" if is_made else ": each stands by itself"
    if isinstance(value, type | np.dtype):
        return ": a dtype follows the shape, or is given by dtype="
    return ": its .shape is one" if isinstance(value, np.ndarray) else ""


def _not_negative(value: int) -> int:
    if value < 0:
        raise ShapeError(f"a size must not be negative, and {value} is")
    return value


@functools.lru_cache(maxsize=65536)
def _canonical(expr: Any) -> Dim:
    return as_dim(with_our_symbols(expr))


def with_our_symbols(expr: Any) -> Any:
    """A formula of sympy's, whose symbols may be anything, in sizes of these names."""
    own = {s for s in expr.free_symbols if s.name.startswith(_OWN)}
    return formula(expr.xreplace({s: dim(s.name).plain for s in expr.free_symbols - own}))


@functools.lru_cache(maxsize=65536)
def _as_length(value: Size) -> Size:
    if value.plain.is_integer is not True:
        raise ShapeError(f"a size must be an integer, and {value} need not be")
    if value.plain.is_negative:
        raise ShapeError(f"a size must not be negative, and {value} always is")
    try:
        source(value)
    except ShapeError:
        made = "+ - * // % ** abs, sympy.Max and sympy.Min"
        said = f"no program can compute the size {value}: sizes are made of whole ones by {made}"
        raise ShapeError(said) from None
    return value


def as_shape(value: object) -> Shape:
    """A tuple of canonical dims from a tuple, a list, or one size alone."""
    if isinstance(value, tuple | list):
        return tuple(as_dim(d) for d in value)
    return (as_dim(value),)


def is_expression(value: object) -> bool:
    """Whether this is a formula in dims (a dim is either that or an int), also one of sympy's."""
    return isinstance(value, Size | sp.Expr)


def plain(value: object) -> Any:
    """A number, or a formula in dims, as sympy has it."""
    return sp.sympify(value)


def not_an_expression(value: object) -> Any:
    """What sympy expects to be told of an operand that it should leave to the other side."""
    return sp.SympifyError(value)


def is_symbol(value: Dim) -> TypeGuard[Size]:
    """Whether a dim is a symbol alone."""
    return isinstance(value, Size) and bool(value.plain.is_Symbol)


def symbols(values: Iterable[Dim]) -> list[Size]:
    """The symbols in some dims, each once, in order of appearance."""
    found: dict[Size, None] = {}
    for value in values:
        if not isinstance(value, int):
            found.update(dict.fromkeys(_symbols(value)))
    return list(found)


@functools.lru_cache(maxsize=16384)
def _symbols(value: Size) -> tuple[Size, ...]:
    return tuple(map(Size, sorted(value.plain.free_symbols, key=str)))
