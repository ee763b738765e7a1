"""Sizes and types: symbolic dims, tensor types, broadcasting, promotion.

A dim is a plain int or a sympy integer expression in named symbols, always expanded, so that two
dims are equal exactly when they are the same expression.
"""

from __future__ import annotations

import functools
import keyword
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import DTypeLike

from .errors import DTypeError, IndexingError, ShapeError
from .sizes import Formula, Size
from .wording import counted, with_kind

Dim: TypeAlias = Any  # int | sympy.Expr: sympy carries no types of its own
Shape: TypeAlias = tuple[Dim, ...]


def dim(name: str) -> Dim:
    """A symbolic size: a positive integer that is known when the program runs.

    >>> import graphc as gc
    >>> n = gc.dim("n")
    >>> gc.input("x", (n, 2 * n + 1)).type
    f64[n, 2*n + 1]
    """
    # Python reads an identifier in this normal form, and so does every program that names the size.
    known = unicodedata.normalize("NFKC", name) if isinstance(name, str) else ""
    if not known.isidentifier() or keyword.iskeyword(known):
        raise ShapeError(f"a dim's name must be a Python identifier, and {name!r} is not")
    return _symbol(known)


def dims(names: str) -> tuple[Dim, ...]:
    """Several symbolic sizes at once: `n, d = dims("n d")`.

    >>> import graphc as gc
    >>> gc.dims("n d")
    (n, d)
    """
    if not isinstance(names, str):
        raise ShapeError(f"dims takes names in one string, as in dims('n d'), not {names!r}")
    return tuple(dim(name) for name in names.replace(",", " ").split())


def own_dim(name: str) -> Dim:
    """A size that programs have of their own: its name is none that a user's can have."""
    return _symbol(f"0_{name}")


@functools.cache
def _symbol(name: str) -> Dim:
    return Size(name, integer=True, positive=True)


def as_dim(value: object) -> Dim:
    """The canonical form of a size given as an int, a name, or an expression in dims."""
    if type(value) is int:
        return _not_negative(value)
    if isinstance(value, str):
        return dim(value)
    if isinstance(value, np.integer) or (isinstance(value, int) and not isinstance(value, bool)):
        return _not_negative(int(value))
    if is_expression(value):
        return _canonical(sp.sympify(value))
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
    foreign = {s: _symbol(s.name) for s in expr.free_symbols if s != _symbol(s.name)}
    expanded = sp.expand(expr.subs(foreign) if foreign else expr)
    if expanded.is_Integer:
        return _not_negative(int(expanded))
    if expanded.is_integer is not True:
        raise ShapeError(f"a size must be an integer, and {expr} need not be")
    if expanded.is_negative:
        raise ShapeError(f"a size must not be negative, and {expr} always is")
    return expanded


def is_expression(value: object) -> bool:
    """Whether this is an expression in dims (a dim is either that or an int)."""
    return isinstance(value, sp.Expr | Formula)


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
    quotient = sp.expand(sp.cancel(sp.Integer(1) * whole / part))
    if quotient.is_integer is not True:
        return None
    return as_dim(quotient)


@functools.lru_cache(maxsize=4096)
def is_outside(index: Dim, size: Dim) -> bool:
    """Whether an index lies beyond an axis whatever the symbols are."""
    return _is_proved(index - size) or _is_proved(-index - size - 1)


def _is_proved(value: Dim) -> bool:
    """Whether value >= 0 is certain."""
    return value >= 0 if isinstance(value, int) else bool(value.is_nonnegative)


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
    """What to write instead of a slice whose axis may end before it does."""
    if not any(is_expression(d) and d.has(sp.Min) for d in sizes):
        return ""
    return ": a slice ends where its axis ends; gc.take(x, np.arange(k), axis) is k long or fails"


@functools.lru_cache(maxsize=4096)
def span_length(size: Dim, start: Dim | None, stop: Dim | None, step: int) -> Dim:
    """How many elements of an axis `start:stop:step` takes, with Python's rules for bounds."""
    low = 0 if step > 0 else -1
    high = size + low
    # Each bound is kept from leaving the axis at its own end; beyond the other nothing is left.
    first, last = (start, stop) if step > 0 else (stop, start)
    left = low if first is None else sp.Max(low, _from_zero(first, size))
    right = high if last is None else sp.Min(high, _from_zero(last, size))
    distance = sp.sympify(right - left)
    return as_dim(sp.Max(0, sp.floor((distance + abs(step) - 1) / abs(step))))


def _from_zero(bound: Dim, size: Dim) -> Dim:
    is_negative = bound.is_negative if is_expression(bound) else bound < 0
    return bound + size if is_negative else bound


def as_bound(value: Dim) -> Dim:
    """The canonical form of a slice's bound, which unlike a size may be negative.

    Python counts a negative bound from the end, so its sign must be known now.
    """
    if not is_expression(value):
        return int(value)
    value = sp.sympify(value)
    if value.is_negative:
        return -as_dim(-value)
    if not value.is_nonnegative:
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
    return _dim_source(value)


@functools.lru_cache(maxsize=16384)
def _dim_source(value: Dim) -> str:
    if isinstance(value, int) or value.is_Integer:
        return str(int(value))
    if value.is_Symbol:
        return f"dim_{value.name}"
    parts = value.args
    if value.is_Add:
        return " + ".join(map(_dim_source, value.as_ordered_terms())).replace("+ -", "- ")
    if value.is_Mul:
        coefficient, rest = value.as_coeff_Mul()
        if coefficient == -1:
            return f"-{_factor(rest)}"
        return " * ".join(map(_factor, value.as_ordered_factors()))
    if value.is_Pow and parts[1].is_Integer and parts[1] > 0:
        return f"{_operand(parts[0])} ** {parts[1]}"
    if isinstance(value, sp.floor):
        numerator, denominator = sp.fraction(sp.together(parts[0]))
        return f"({_operand(numerator)} // {_operand(denominator)})"
    if isinstance(value, sp.ceiling):
        return f"(-{_dim_source(sp.floor(-parts[0]))})"
    if isinstance(value, sp.Max | sp.Min):
        inner = ", ".join(_dim_source(p) for p in sorted(parts, key=sp.default_sort_key))
        return f"{'max' if isinstance(value, sp.Max) else 'min'}({inner})"
    if isinstance(value, sp.Mod):
        return f"({_operand(parts[0])} % {_operand(parts[1])})"
    raise ShapeError(f"the size {value} cannot be computed by a program")


def _factor(value: Dim) -> str:
    text = _dim_source(value)
    return f"({text})" if value.is_Add or text.startswith("-") else text


def _operand(value: Dim) -> str:
    """A text that binds tighter than any operator."""
    text = _dim_source(value)
    return f"({text})" if value.is_Add or value.is_Mul or value.is_Pow or text[0] == "-" else text


def symbols(values: Iterable[Dim]) -> list[Dim]:
    """The symbols in some dims, each once, in order of appearance."""
    found: dict[Dim, None] = {}
    for value in values:
        if not isinstance(value, int):
            found.update(dict.fromkeys(sorted(value.free_symbols, key=str)))
    return list(found)


def is_polynomial(value: Dim) -> bool:
    """Whether a dim is made of sums and products alone: no rounding, no choice of the larger."""
    return isinstance(value, int) or not value.has(sp.Max, sp.Min, sp.floor, sp.ceiling, sp.Mod)


@functools.lru_cache(maxsize=4096)
def is_at_least(a: Dim, b: Dim) -> bool:
    """Whether a >= b is certain, whatever positive integers the symbols are."""
    difference = sp.sympify(a - b)
    # In terms of how much each symbol exceeds 1, a sum without negative terms is not negative.
    if not is_polynomial(difference):
        return bool(difference.is_nonnegative)
    shifted = sp.expand(difference.subs({s: s + 1 for s in difference.free_symbols}))
    terms = sp.Add.make_args(shifted)
    return all(term.subs({s: 1 for s in term.free_symbols}) >= 0 for term in terms)


@functools.lru_cache(maxsize=4096)
def covers(a: Dim, b: Dim) -> bool:
    """Whether a >= b is certain even where sizes are 0, as they may be when a program runs."""
    difference = sp.expand(sp.sympify(a - b))
    return is_polynomial(difference) and all(
        term.as_coeff_Mul()[0] >= 0 for term in sp.Add.make_args(difference)
    )


def number(value: Dim, sizes: Mapping[Dim, int]) -> int:
    """The number that a dim is, given its symbols."""
    return value if isinstance(value, int) else int(value.subs(sizes))


def numbers(shape: Shape, sizes: Mapping[Dim, int]) -> tuple[int, ...]:
    """The numbers that the dims of a shape are."""
    return tuple(number(d, sizes) for d in shape)


@functools.lru_cache(maxsize=4096)
def typical(value: Dim) -> int:
    """What a dim is where every symbol is 1000: for choices that sizes unknown yet decide."""
    return number(value, dict.fromkeys(symbols([value]), 1000))


# -- element types ----------------------------------------------------------------------------

_SHORT = {
    "bool": "bool", "float32": "f32", "float64": "f64",
    "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64",
}  # fmt: skip


DTYPE_NAMES = frozenset(_SHORT)
_DTYPES = {np.dtype(name): np.dtype(name) for name in _SHORT}


def as_dtype(value: DTypeLike) -> np.dtype[Any]:
    """One of the element types that graphs hold: bool, integers, float32, float64."""
    if isinstance(value, np.dtype) and value in _DTYPES:
        return _DTYPES[value]
    try:
        dtype = np.dtype(value)
    except TypeError:
        is_size = isinstance(value, int) or is_expression(value)
        cure = ": the sizes of a shape belong in one tuple, as in (3, 4)" if is_size else ""
        said = f"a dtype must be one that NumPy knows, and {value!r} is not{cure}"
        raise DTypeError(said) from None
    if dtype.name not in _SHORT:
        raise DTypeError(f"graphs hold bool, integers, float32 and float64, not {dtype.name}")
    return dtype.newbyteorder("=")


@dataclass(frozen=True, slots=True)
class TensorType:
    """A shape and an element type.

    >>> import graphc as gc
    >>> t = gc.input("X", ("n", 3)).type
    >>> t, t.shape, t.dtype
    (f64[n, 3], (n, 3), dtype('float64'))
    >>> t.ndim, t.size, t.nbytes, t.is_float
    (2, 3*n, 24*n, True)
    >>> t.with_shape((3,)), t.with_dtype("int64")
    (f64[3], i64[n, 3])
    """

    shape: Shape
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self.shape)

    @property
    def size(self) -> Dim:
        """How many elements, as a formula."""
        return size(self.shape)

    @property
    def nbytes(self) -> Dim:
        """How many bytes, as a formula."""
        return as_dim(self.size * self.dtype.itemsize)

    @property
    def is_float(self) -> bool:
        """Whether the elements are floats."""
        return self.dtype.kind == "f"

    def with_shape(self, shape: Iterable[Dim]) -> TensorType:
        """The same elements in another shape."""
        return TensorType(tuple(shape), self.dtype)

    def with_dtype(self, dtype: DTypeLike) -> TensorType:
        """The same shape of other elements."""
        return TensorType(self.shape, as_dtype(dtype))

    def __repr__(self) -> str:
        return f"{_SHORT[self.dtype.name]}[{', '.join(map(str, self.shape))}]"


def tensor(shape: object, dtype: DTypeLike = np.float64) -> TensorType:
    """A TensorType from loosely given parts."""
    return TensorType(as_shape(shape), as_dtype(dtype))
