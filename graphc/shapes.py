"""Shapes: symbolic dims, what is known of them, broadcasting, sizes in programs.

A dim is a plain int or a `Size`: an integer formula in named symbols, of which there is one object,
so that two dims are equal exactly when they are the same.
"""

from __future__ import annotations

import functools
import itertools
import keyword
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import sympy as sp

from .errors import IndexingError, ShapeError
from .sizes import Size, formula
from .wording import counted, with_kind

Dim: TypeAlias = int | Size
Shape: TypeAlias = tuple[Dim, ...]

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
    return as_dim(_with_our_symbols(expr))


def _with_our_symbols(expr: Any) -> Any:
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
        _source(value.plain)
    except ShapeError:
        made = "+ - * // % ** abs, sympy.Max and sympy.Min"
        said = f"no program can compute the size {value}: sizes are made of whole ones by {made}"
        raise ShapeError(said) from None
    return value


def is_expression(value: object) -> bool:
    """Whether this is a formula in dims (a dim is either that or an int), also one of sympy's."""
    return isinstance(value, Size | sp.Expr)


def plain(value: object) -> Any:
    """A number, or a formula in dims, as sympy has it."""
    return sp.sympify(value)


def not_an_expression(value: object) -> Any:
    """What sympy expects to be told of an operand that it should leave to the other side."""
    return sp.SympifyError(value)


def as_shape(value: object) -> Shape:
    """A tuple of canonical dims from a tuple, a list, or one size alone."""
    if isinstance(value, tuple | list):
        return tuple(as_dim(d) for d in value)
    return (as_dim(value),)


@functools.lru_cache(maxsize=4096)
def size(shape: Shape) -> Dim:
    """The number of elements: the product of the dims."""
    total: Dim = 1
    for d in shape:
        total = as_dim(total * d)
    return total


@functools.lru_cache(maxsize=4096)
def ratio(whole: Dim, part: Dim) -> Dim | None:
    """whole / part where that is an integer expression whatever the symbols are, else None."""
    if part == 0:
        return None
    quotient = sp.expand(sp.cancel(plain(whole) / plain(part)))
    return as_dim(quotient) if quotient.is_integer else None


@functools.lru_cache(maxsize=4096)
def is_outside(index: Dim, size: Dim) -> bool:
    """Whether an index lies beyond an axis whatever the symbols are."""
    return _is_proved(index - size) or _is_proved(-index - size - 1)


def _is_proved(value: Dim) -> bool:
    """Whether value >= 0 is certain."""
    return bool(plain(value).is_nonnegative)


def unknown_size(shape: Sequence[object], total: Dim) -> Shape:
    """`shape` with its single -1 replaced so that it holds `total` elements."""
    known = [as_dim(d) for d in shape if not _is_unknown(d)]
    if len(known) == len(shape):
        return tuple(known)
    if len(known) < len(shape) - 1:
        raise ShapeError("reshape takes at most one -1")
    missing = ratio(total, size(tuple(known)))
    if missing is None:
        raise ShapeError(f"{total} elements cannot be divided among {show(tuple(known))} and -1")
    return tuple(missing if _is_unknown(d) else as_dim(d) for d in shape)


def _is_unknown(value: object) -> bool:
    return isinstance(value, int | np.integer) and value == -1


def broadcast(*shapes: Shape) -> Shape:
    """NumPy's broadcasting, except that only a literal 1 stretches: a symbol is never a 1."""
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(len(shape) for shape in shapes)
    result = []
    for axis in range(-rank, 0):
        found: Dim = 1
        for shape in shapes:
            d = shape[axis] if len(shape) >= -axis else 1
            if d == found or d == 1:
                continue
            if found != 1:
                raise ShapeError(f"{found} is not {d} (axis {axis}){_of_a_slice(found, d)}")
            found = d
        result.append(found)
    return tuple(result)


def _of_a_slice(*sizes: Dim) -> str:
    """What to write beside a slice whose axis may end before it does, or instead of it."""
    if any(plain(d).has(sp.Min) for d in sizes):
        return (
            ": a slice ends where its axis ends; gc.take(x, np.arange(k), axis) is k long or fails"
        )
    if any(plain(d) == sp.Max(0, plain(e)) for d, e in itertools.permutations(sizes, 2)):
        return ": a slice may be empty; what stands beside it takes its shape, as in x[2:].shape"
    return ""


@functools.lru_cache(maxsize=4096)
def span_length(size: Dim, start: Dim | None, stop: Dim | None, step: int) -> Dim:
    """How many elements of an axis `start:stop:step` takes, with Python's rules for bounds."""
    low = 0 if step > 0 else -1
    high = size + low
    # Each bound is kept from leaving the axis at its own end; beyond the other nothing is left.
    first, last = (start, stop) if step > 0 else (stop, start)
    left = plain(low) if first is None else sp.Max(low, from_zero(first, size))
    right = plain(high) if last is None else sp.Min(high, from_zero(last, size))
    return as_dim(_or_0(sp.floor((right - left + abs(step) - 1) / abs(step))))


def _or_0(value: Any) -> Any:
    """max(0, value). Of max(0, e) - k that is max(0, e - k), so slices of slices do not nest."""
    less, rest = value.as_coeff_Add()
    if isinstance(rest, sp.Max) and less.is_negative and sp.S.Zero in rest.args:
        value = sp.Max(*(e + less for e in rest.args if e != 0))
    return sp.Max(0, value)


def from_zero(bound: Dim, size: Dim) -> Dim:
    """A bound of an axis, counted from its beginning. Negative ones are counted from its end."""
    is_negative = bound < 0 if isinstance(bound, int) else bound.plain.is_negative
    return bound + size if is_negative else bound


def as_bound(value: Dim) -> Dim:
    """The canonical form of a slice's bound, which unlike a size may be negative.

    Python counts a negative bound from the end, so its sign must be known now.
    """
    if not is_expression(value):
        return int(value)
    if isinstance(value, sp.Expr):
        value = _with_our_symbols(value)
    sign = plain(value)
    if sign.is_negative:
        return -as_dim(-value)
    if sign.is_nonpositive:
        raise IndexingError(
            f"the bound {value} may come out 0, where Python counts from the beginning: "
            f"of an axis of size k say k - ({-value})"
        )
    if not sign.is_nonnegative:
        raise IndexingError(
            f"the bound {value} may come out negative, where Python counts from the end: "
            f"say sympy.Max(0, {value})"
        )
    return as_dim(value)


def as_axis(axis: object, rank: int, of: str = "tensor") -> int:
    """A non-negative axis number."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        is_array = hasattr(axis, "shape")
        cure = ": two tensors meet in gc.add, gc.maximum, gc.minimum" if is_array else ""
        raise ShapeError(f"an axis must be an int, and {with_kind(axis)}{cure}")
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} does not exist in a {of} of {counted(rank, 'axis', 'axes')}")
    return int(axis) % rank


def as_axes(axis: object, rank: int) -> tuple[int, ...]:
    """Sorted non-negative axes from None (all), an int, or a tuple."""
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    axes = sorted(as_axis(a, rank) for a in given)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"the axes {axis} name one axis twice")
    return tuple(axes)


def show(value: Shape | Dim) -> str:
    """A dim or a shape as people read it: `(n, 2*n + 1)`."""
    return str(value)


# -- sizes in source text ---------------------------------------------------------------------

def source(value: Dim | Shape) -> str:
    """A dim or a shape as Python text. The symbol n is written `dim_n` until a program names it."""
    if isinstance(value, tuple):
        inner = ", ".join(source(d) for d in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return str(value) if isinstance(value, int) else _source(value.plain)


def from_sources(numbers: Mapping[str, int]) -> dict[Size, int]:
    """Numbers by their symbols, of numbers by what texts call these."""
    return {dim(name.removeprefix("dim_")): number for name, number in numbers.items()}


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


# -- what is known of sizes -------------------------------------------------------------------

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


def is_symbol(value: Dim) -> TypeGuard[Size]:
    """Whether a dim is a symbol alone."""
    return isinstance(value, Size) and bool(value.plain.is_Symbol)


def is_polynomial(value: Dim) -> bool:
    """Whether a dim is made of sums and products alone: no rounding, no choice of the larger."""
    return not plain(value).has(sp.Max, sp.Min, sp.floor, sp.ceiling, sp.Mod)


def linear(value: Dim, symbol: Size) -> tuple[int, Dim] | None:
    """factor, rest where a dim is factor * symbol + rest for a whole number, else None."""
    e, s = plain(value), symbol.plain
    if not e.is_polynomial(s):
        return None
    factor, rest = e.coeff(s, 1), e.coeff(s, 0)
    is_linear = factor.is_Integer and sp.expand(factor * s + rest - e) == 0
    return (int(factor), formula(rest)) if is_linear else None


@functools.lru_cache(maxsize=4096)
def terms(value: Dim) -> Mapping[Dim, int]:
    """A dim as whole numbers times products of sizes: quick to add up."""
    if isinstance(value, int):
        return {1: value}
    return {formula(m): int(c) for m, c in value.plain.as_coefficients_dict().items()}


def of_terms(found: Mapping[Dim, int]) -> Dim:
    """The dim of such terms."""
    return as_dim(sp.Add(*[count * plain(m) for m, count in found.items()]))


@functools.lru_cache(maxsize=4096)
def is_at_least(a: Dim, b: Dim) -> bool:
    """Whether a >= b is certain, whatever positive integers the symbols are."""
    difference = plain(a - b)
    # In terms of how much each symbol exceeds 1, a sum without negative terms is not negative.
    if not is_polynomial(difference):
        return bool(difference.is_nonnegative)
    shifted = sp.expand(difference.subs({s: s + 1 for s in difference.free_symbols}))
    terms = sp.Add.make_args(shifted)
    return all(term.subs({s: 1 for s in term.free_symbols}) >= 0 for term in terms)


@functools.lru_cache(maxsize=4096)
def covers(a: Dim, b: Dim) -> bool:
    """Whether a >= b is certain even where sizes are 0, as they may be when a program runs."""
    difference = plain(a - b)
    return is_polynomial(difference) and all(
        term.as_coeff_Mul()[0] >= 0 for term in sp.Add.make_args(difference)
    )


@functools.lru_cache(maxsize=4096)
def may_be_negative(value: Dim) -> bool:
    """Whether a dim comes out below 0 where a symbol is 0 or small, such as n - 1."""
    if isinstance(value, int):
        return False
    e = value.plain
    loose = {s: sp.Symbol(s.name, integer=True, nonnegative=True) for s in e.free_symbols}
    return e.subs(loose).is_nonnegative is not True


def number(value: Dim, sizes: Mapping[Size, int]) -> int:
    """The number that a dim is, given its symbols."""
    if isinstance(value, int):
        return value
    if value in sizes:
        return sizes[value]
    known = {s.plain: sp.Integer(sizes[s]) for s in _symbols(value)}
    found = formula(value.plain.xreplace(known))
    if not isinstance(found, int):
        raise ZeroDivisionError(f"the size {value} is {found} where sizes are 0")
    return found


def numbers(shape: Shape, sizes: Mapping[Size, int]) -> tuple[int, ...]:
    """The numbers that the dims of a shape are."""
    return tuple(number(d, sizes) for d in shape)


@functools.lru_cache(maxsize=4096)
def typical(value: Dim) -> int:
    """What a dim is where every symbol is 1000: for choices that sizes unknown yet decide."""
    return number(value, dict.fromkeys(symbols([value]), 1000))
