"""`Size`: the symbol of an axis whose length is known only when the program runs."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import sympy as sp

from .errors import NotConcrete, ShapeError
from .lines import is_internal, not_the_users

# In `n * x` Python asks the size first, in `np.sum(x)` NumPy: they stand between us and the user.
not_the_users(sp.__file__)
not_the_users(np.__file__)

# What to write instead, of a size {0} that is asked for a number.
_FORMULA = "in formulas write {0}**0.5 or gc.sqrt({0}), for np.arange({0}) gc.iota({0})"
_ARRAY = "arrays of that size are gc.zeros({0}), gc.ones({0}), gc.eye({0}) and gc.iota({0})"
_CHOICE = "gc.where(gc.size({0}) {1}, a, b) chooses when it runs"
_NUMBER = "a loop or a branch needs a size that is declared as a number (left out of dims=)"
_TEXT = "without that it shows as {0}"

OF_FORMULAS = (
    "a formula in sizes is known only when the program runs, and here a number is needed: for a "
    "size n " + "; ".join([_FORMULA, _ARRAY, _CHOICE, _NUMBER]).format("n", "> 3")
)

# What stays a formula in sizes beside numbers: everything else that NumPy computes is a tensor.
_FORMULAS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "power": operator.pow, "negative": operator.neg,
    "floor_divide": operator.floordiv, "remainder": operator.mod,
}  # fmt: skip


class Size(sp.Symbol):  # type: ignore[misc]
    """A positive integer that Python cannot have yet: asked for it, it says so at the user's line.

    >>> import graphc as gc
    >>> n = gc.dim("n")
    >>> type(n).__name__, n + n, np.sqrt(n)
    ('Size', 2*n, <sqrt: f64[] = sqrt(size)>)
    >>> n > 3
    Traceback (most recent call last):
        ...
    graphc.errors.NotConcrete: the size n is known only when the program runs, so n > 3 is not ...
    """

    __slots__ = ()

    # What a ufunc makes of sizes and arrays, told by the rooms above that know tensors.
    of_ufunc: Callable[..., Any]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        formula = _FORMULAS.get(ufunc.__name__)
        if formula and method == "__call__" and not any(type(x) is np.ndarray for x in inputs):
            return formula(*(x.item() if isinstance(x, np.generic) else x for x in inputs))
        return type(self).of_ufunc(ufunc, method, inputs, options)

    def _open(self, so: str, *cures: str, test: str = "") -> str:
        instead = "; ".join(cures).format(self, test)
        return f"the size {self} is known only when the program runs, so {so}: {instead}"

    def __index__(self) -> int:
        # No TypeError: of one NumPy makes an error of its own, which knows less.
        raise ShapeError(self._open("it counts nothing yet", _ARRAY, _NUMBER))

    def _no(self, kind: str) -> NoReturn:
        raise NotConcrete(self._open(f"it is no {kind} yet", _FORMULA))

    def __int__(self) -> int:
        self._no("int")

    def __float__(self) -> float:
        self._no("float")

    def __complex__(self) -> complex:
        self._no("complex number")

    def __round__(self, digits: int | None = None) -> Any:
        return self

    def __format__(self, specification: str) -> str:
        if specification:
            so = f"it has no digits to show as {specification!r}"
            raise NotConcrete(self._open(so, _TEXT))
        return str(self)


def _comparison(name: str, sign: str) -> Callable[[Size, Any], Any]:
    """One that sympy may leave open for itself. To the user an open one says nothing."""
    compared: Callable[[Size, Any], Any] = getattr(sp.Symbol, name)

    def method(self: Size, other: Any) -> Any:
        found = compared(self, other)
        if isinstance(found, sp.core.relational.Relational):
            if not is_internal[sys._getframe(1).f_code.co_filename]:
                test = f"{sign} {other}"
                so = f"{self} {test} is not decided yet"
                raise NotConcrete(self._open(so, _CHOICE, _NUMBER, test=test))
        return found

    return method


for _name, _sign in {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}.items():
    setattr(Size, _name, _comparison(_name, _sign))
