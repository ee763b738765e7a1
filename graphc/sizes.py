"""Sizes that are known only when the program runs, formulas in them, and what both say for now."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import sympy as sp

from .errors import NotConcrete, ShapeError
from .lines import is_internal, not_the_users, takes_literal

# In `n * x` Python asks the size first, in `np.sum(x)` NumPy: they stand between us and the user.
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

# What stays a formula in sizes beside numbers: everything else that NumPy computes is a tensor.
_FORMULAS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "power": operator.pow, "negative": operator.neg,
    "floor_divide": operator.floordiv, "remainder": operator.mod,
}  # fmt: skip
_NUMBERS = (int, float, np.integer, np.floating)


class Open:
    """What a size and a formula in sizes say where Python wants the number that they will be."""

    __slots__ = ()

    plain: Any  # the same to sympy
    # What a ufunc makes of sizes and arrays, told by the rooms above that know tensors.
    of_ufunc: Callable[..., Any]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        made = _FORMULAS.get(ufunc.__name__)
        if made and method == "__call__" and not any(type(x) is np.ndarray for x in inputs):
            return shown(made(*(x.item() if isinstance(x, np.generic) else x for x in inputs)))
        return Open.of_ufunc(ufunc, method, inputs, options)

    def _open(self, so: str, *cures: str, test: str = "") -> str:
        factor = f"({self})" if isinstance(self, Formula) else self
        instead = "; ".join(cures).format(self, factor, test)
        return f"the size {self} is known only when the program runs, so {so}: {instead}"

    def _undecided(self, test: str) -> NoReturn:
        so = f"{self} {test} is not decided yet"
        raise NotConcrete(self._open(so, _CHOICE, _NUMBER, test=test))

    def _no(self, kind: str) -> NoReturn:
        cure = _FORMULA if self.plain.is_integer else _WHOLE
        raise NotConcrete(self._open(f"it is no {kind} yet", cure))

    def __index__(self) -> int:
        # No TypeError: of one NumPy makes an error of its own, which knows less.
        raise ShapeError(self._open("it counts nothing yet", _ARRAY, _NUMBER))

    def __int__(self) -> int:
        self._no("int")

    def __float__(self) -> float:
        self._no("float")

    def __complex__(self) -> complex:
        self._no("complex number")

    def __floor__(self) -> Any:
        return shown(sp.floor(self.plain))

    def __ceil__(self) -> Any:
        return shown(sp.ceiling(self.plain))

    def __round__(self, digits: int | None = None) -> Any:
        return self if self.plain.is_integer else self._no("number")

    def __format__(self, specification: str) -> str:
        if specification:
            so = f"it has no digits to show as {specification!r}"
            raise NotConcrete(self._open(so, _TEXT))
        return str(self)

    def __eq__(self, other: object) -> Any:
        return self is other or _equal(self, other)

    def __ne__(self, other: object) -> Any:
        found = self is other or _equal(self, other)
        return found if found is NotImplemented else not found

    def __hash__(self) -> int:
        return hash(self.plain)


class Size(Open, sp.Symbol):  # type: ignore[misc]
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
    __hash__ = sp.Symbol.__hash__

    @property
    def plain(self) -> Size:
        """Itself: sympy may have it as it is."""
        return self


class Formula(Open):
    """What the user's arithmetic makes of sizes. To sympy, and within graphc, it is an expression.

    >>> import graphc as gc
    >>> n = gc.dim("n")
    >>> type(n - 1).__name__, np.sqrt(n - 1)
    ('Formula', <sqrt: f64[] = sqrt(size)>)
    """

    __slots__ = ("plain",)

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def _sympy_(self) -> Any:
        return self.plain

    def _latex(self, printer: Any) -> Any:
        """What sympy's printers ask for."""
        return printer._print(self.plain)

    _pretty = _latex

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # sympy would take it for an expression by these
            raise AttributeError(name)
        return getattr(self.plain, name)

    def __bool__(self) -> bool:
        if self.plain.is_nonzero is None:
            self._undecided("!= 0")
        return True

    def __repr__(self) -> str:
        return str(self.plain)

    def __reduce__(self) -> tuple[Any, ...]:
        return Formula, (self.plain,)


def shown(found: Any) -> Any:
    """A result of arithmetic, or a shape, as the user gets it."""
    if isinstance(found, tuple | sp.Tuple):
        return tuple(map(shown, found))
    is_open = isinstance(found, sp.Expr) and not found.is_Symbol and found.free_symbols
    return Formula(found) if is_open else found


def _equal(asked: Open, other: Any) -> Any:
    """Whether it is the same expression, which no number is; of a number that stands beside it in
    the user's program that is not what is asked. A size is never taken for 1."""
    if not isinstance(other, _NUMBERS):
        other = other.plain if type(other) is Formula else other
        is_known = isinstance(other, sp.Basic)
        return sp.Basic.__eq__(asked.plain, other) if is_known else NotImplemented
    if other != 1 and takes_literal(sys._getframe(2)):
        if sp.core.relational.is_eq(asked.plain, sp.sympify(other)) is None:
            asked._undecided(f"== {other}")
    return False


def _comparison(name: str, sign: str) -> Callable[[Open, Any], Any]:
    """One that sympy may leave open for itself. To the user an open one says nothing."""
    compared: Callable[[Any, Any], Any] = getattr(sp.Expr, name)

    def method(self: Open, other: Any) -> Any:
        found = compared(self.plain, other)
        if isinstance(found, sp.core.relational.Relational):
            if not is_internal[sys._getframe(1).f_code.co_filename]:
                self._undecided(f"{sign} {other}")
        return found

    return method


def _arithmetic(name: str) -> Callable[..., Any]:
    """An operator that gives the user a formula which explains itself, and us an expression."""
    made: Callable[..., Any] = getattr(sp.Expr, name)

    def method(self: Open, *other: Any) -> Any:
        found = made(self.plain, *other)
        return found if is_internal[sys._getframe(1).f_code.co_filename] else shown(found)

    return method


for _name, _sign in {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}.items():
    setattr(Open, _name, _comparison(_name, _sign))
for _name in ("add", "sub", "mul", "truediv", "pow", "floordiv", "mod", "divmod"):
    for _side in ("", "r"):
        setattr(Open, f"__{_side}{_name}__", _arithmetic(f"__{_side}{_name}__"))
for _name in ("neg", "pos", "abs"):
    setattr(Open, f"__{_name}__", _arithmetic(f"__{_name}__"))
