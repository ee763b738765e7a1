"""Sizes that are known only when the program runs: formulas, and what they say for now."""

from __future__ import annotations

import functools
import operator
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias
from weakref import WeakValueDictionary

import numpy as np
import sympy as sp

from .errors import NotConcrete, ShapeError
from .lines import not_the_users

# In `n * x` sympy may stand between us and the user, in `np.sum(x)` NumPy does.
not_the_users(sp.__file__)
not_the_users(np.__file__)

# What to write instead, of a size {0} that is asked for a number; {1} is its text as a factor.
_FORMULA = "in formulas write {1}**0.5 or gc.sqrt({0}), for np.arange({0}) gc.iota({0})"
_WHOLE = "in formulas write it as it is or gc.sqrt of it; half a size n in whole numbers is n // 2"
_ARRAY = "arrays of that size are gc.zeros({0}), gc.ones({0}), gc.eye({0}) and gc.iota({0})"
_CHOICE = "gc.where(gc.size({0}) {2}, a, b) chooses when it runs"
_NUMBER = "a loop or a branch needs a size that is declared as a number (left out of dims=)"
_TEXT = "without that it shows as {0}"

OF_FORMULAS = (
    "a formula in sizes is known only when the program runs, and here a number is needed: for a "
    "size n " + "; ".join([_FORMULA, _ARRAY, _CHOICE, _NUMBER]).format("n", "n", "> 3")
)


def formula(plain: Any) -> Any:
    """What sympy has made of sizes: an int, a float, or the one Size that stands for it."""
    expanded = sp.expand(plain)
    if expanded.is_Integer:
        return int(expanded)
    if not expanded.is_number:
        return Size(expanded if expanded.is_integer else plain)
    if expanded is sp.zoo:
        raise ZeroDivisionError("a size is divided by 0")
    return complex(expanded) if expanded.is_extended_real is False else float(expanded)


def _operator(made: Callable[[Any, Any], Any], reflected: bool = False) -> Callable[..., Any]:
    """A method that computes with a size and another operand."""

    @functools.lru_cache(maxsize=4096, typed=True)  # typed, for 2 and 2.0 are one key else
    def result(size: Size, other: Any) -> Any:
        a, b = size.plain, other.plain if type(other) is Size else other
        found = made(b, a) if reflected else made(a, b)
        return tuple(map(formula, found)) if isinstance(found, tuple | sp.Tuple) else formula(found)

    def method(self: Size, other: Any) -> Any:
        operand = _operand(other)
        return NotImplemented if operand is None else result(self, operand)

    return method


def _comparison(asked: Callable[[Any, Any], Any], sign: str) -> Callable[[Any, Any], bool]:
    """A method that answers where the answer is the same whatever the sizes are."""

    @functools.lru_cache(maxsize=4096, typed=True)
    def answer(size: Size, other: Any) -> bool | None:
        if type(other) is float and other != other:
            return False
        found = asked(size.plain, other.plain if type(other) is Size else other)
        return None if isinstance(found, sp.core.relational.Relational) else bool(found)

    def method(self: Size, other: Any) -> Any:
        operand = _operand(other)
        if operand is None:
            return NotImplemented
        found = answer(self, operand)
        return self._undecided(f"{sign} {other}") if found is None else found

    return method


def _operand(value: Any) -> Any:
    """What sizes are computed with: a size, a number, sympy's expression; None for all else."""
    if type(value) is int or type(value) is Size or type(value) is float:
        return value
    if isinstance(value, np.ndarray | complex):
        return None
    if isinstance(value, np.generic):
        return _operand(value.item())
    try:
        known = sp.sympify(int(value) if isinstance(value, bool) else value, strict=True)
    except sp.SympifyError:
        return None
    return known if isinstance(known, sp.Expr) else None


def _is_number(value: Any) -> bool:
    """Whether this is a number of NumPy's: before it asks for more it makes an array of it."""
    return isinstance(value, np.ndarray | np.generic) and value.ndim == 0 and value.dtype != object


# What stays a formula in sizes beside numbers: everything else that NumPy computes is a tensor.
_FORMULAS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "power": operator.pow, "negative": operator.neg,
    "floor_divide": operator.floordiv, "remainder": operator.mod,
}  # fmt: skip

# What is asked of sizes and NumPy's numbers: `np.int64(3) == n` is what `3 == n` is.
_QUESTIONS: dict[str, Callable[[Any, Any], bool]] = {
    "equal": operator.eq, "not_equal": operator.ne, "less": operator.lt,
    "less_equal": operator.le, "greater": operator.gt, "greater_equal": operator.ge,
}  # fmt: skip


class Size:
    """A positive integer that Python cannot have yet, or a formula in such; `plain` is sympy's.

    There is one object for each formula: sizes are equal where they are the same, and none is
    equal to a number. Asked for the number that it will be, it says so at the user's line. Half a
    size is a formula too, though no axis is that long.

    >>> import graphc as gc
    >>> n = gc.dim("n")
    >>> n + n, type(2 * n).__name__, (n + 1) - 1 is n, n == 3, np.sqrt(n)
    (2*n, 'Size', True, False, <sqrt: f64[] = sqrt(size)>)
    >>> n > 0, (2 * n - 1).subs({n: 3})
    (True, 5)
    >>> n > 3
    Traceback (most recent call last):
        ...
    graphc.errors.NotConcrete: the size n is known only when the program runs, so n > 3 is not ...
    """

    __slots__ = ("__weakref__", "plain")

    plain: Any
    # What a ufunc makes of sizes and arrays, told by the rooms above that know tensors.
    of_ufunc: Callable[..., Any]

    def __new__(cls, plain: Any) -> Size:
        found = _known.get(plain)
        if found is None:
            made = object.__new__(cls)
            made.plain = plain
            with _making:
                found = _known.setdefault(plain, made)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return Size, (self.plain,)

    # Equality is that of objects: it is asked at every node, and takes no time.
    __add__, __radd__ = _operator(operator.add), _operator(operator.add, reflected=True)
    __sub__, __rsub__ = _operator(operator.sub), _operator(operator.sub, reflected=True)
    __mul__, __rmul__ = _operator(operator.mul), _operator(operator.mul, reflected=True)
    __pow__, __rpow__ = _operator(operator.pow), _operator(operator.pow, reflected=True)
    __mod__, __rmod__ = _operator(operator.mod), _operator(operator.mod, reflected=True)
    __truediv__, __floordiv__ = _operator(operator.truediv), _operator(operator.floordiv)
    __rtruediv__ = _operator(operator.truediv, reflected=True)
    __rfloordiv__ = _operator(operator.floordiv, reflected=True)
    __divmod__, __rdivmod__ = _operator(divmod), _operator(divmod, reflected=True)
    __lt__, __le__ = _comparison(operator.lt, "<"), _comparison(operator.le, "<=")
    __gt__, __ge__ = _comparison(operator.gt, ">"), _comparison(operator.ge, ">=")

    def __neg__(self) -> Any:
        return -1 * self

    def __pos__(self) -> Size:
        return self

    def __abs__(self) -> Any:
        return formula(abs(self.plain))

    def __floor__(self) -> Any:
        return formula(sp.floor(self.plain))

    def __ceil__(self) -> Any:
        return formula(sp.ceiling(self.plain))

    def __round__(self, digits: int | None = None) -> Size:
        return self if self.plain.is_integer else self._no("number")

    def subs(self, *known: Any) -> Any:
        """The formula with numbers for its symbols, as in sympy: `(2 * n).subs({n: 3})` is 6."""
        return formula(self.plain.subs(*known))

    # What has no answer yet

    def _open(self, so: str, *cures: str, test: str = "") -> str:
        factor = self if self.plain.is_Symbol else f"({self})"
        instead = "; ".join(cures).format(self, factor, test)
        return f"the size {self} is known only when the program runs, so {so}: {instead}"

    def _undecided(self, test: str) -> NoReturn:
        so = f"{self} {test} is not decided yet"
        raise NotConcrete(self._open(so, _CHOICE, _NUMBER, test=test))

    def _no(self, kind: str) -> NoReturn:
        cure = _FORMULA if self.plain.is_integer else _WHOLE
        raise NotConcrete(self._open(f"it is no {kind} yet", cure))

    def __bool__(self) -> bool:
        if self.plain.is_nonzero is None:
            self._undecided("!= 0")
        return True

    def __index__(self) -> int:
        # No TypeError: of one NumPy makes an error of its own, which knows less.
        raise ShapeError(self._open("it counts nothing yet", _ARRAY, _NUMBER))

    def __int__(self) -> int:
        self._no("int")

    def __float__(self) -> float:
        self._no("float")

    def __complex__(self) -> complex:
        self._no("complex number")

    # How it shows, to people and to libraries

    def __repr__(self) -> str:
        return str(self.plain)

    def __format__(self, specification: str) -> str:
        if specification:
            so = f"it has no digits to show as {specification!r}"
            raise NotConcrete(self._open(so, _TEXT))
        return str(self)

    def _sympy_(self) -> Any:
        return self.plain

    def _latex(self, printer: Any) -> Any:
        """What sympy's printers ask for."""
        return printer._print(self.plain)

    _pretty = _latex

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        made = _FORMULAS.get(ufunc.__name__)
        asked = _QUESTIONS.get(ufunc.__name__)
        if asked and method == "__call__" and all(x is self or _is_number(x) for x in inputs):
            return asked(*(x if x is self else x.item() for x in inputs))
        if made and method == "__call__" and not any(type(x) is np.ndarray for x in inputs):
            return made(*(x.item() if isinstance(x, np.generic) else x for x in inputs))
        return Size.of_ufunc(ufunc, method, inputs, options)


Dim: TypeAlias = int | Size
Shape: TypeAlias = tuple[Dim, ...]

# The sizes that somebody has, by their formulas.
_known: WeakValueDictionary[Any, Size] = WeakValueDictionary()
_making = threading.RLock()  # what compares formulas may let go of some, and so make others
