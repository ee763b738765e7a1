"""Formulas: what sympy sees of a region, and the forms that it may take instead.

sympy sees products and powers. To it every other operation, sums included, is a function that it
knows nothing of: it can neither reorder a sum nor join two exponentials, each of which loses digits
at some point however many were tried. What may become of those is written here, case by case.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sympy as sp
from sympy.core.function import AppliedUndef

from ..meaning import is_negated

# Powers beyond these are functions of two arguments.
_LARGEST_POWER = 8
# What is of a higher degree in exp(x) is no function that we know.
_LARGEST_DEGREE = 12

_EVEN, _ODD = ("cosh", "cos"), ("sinh", "tanh", "sin")
# Never negative, or never 0 either, as real functions.
_POSITIVE, _NOT_NEGATIVE = ("exp", "cosh", "sigmoid", "softplus"), ("sqrt", "abs")


@functools.cache
def _function(name: str, sign: str = "real") -> Any:
    return sp.Function(name, **{sign: True})


def applied(name: str, *arguments: Any) -> Any:
    """The formula of an op, by its name, on formulas."""
    known = _ARITHMETIC.get(name)
    if known is not None:
        return known(*arguments)
    (a,) = arguments
    if name in _EVEN + _ODD and is_negated(a):
        return (-1 if name in _ODD else 1) * applied(name, -a)
    sign = "positive" if name in _POSITIVE else "nonnegative" if name in _NOT_NEGATIVE else "real"
    return _function(name, sign)(a)


def total(a: Any, b: Any) -> Any:
    """a + b, in one of the ways to write it: IEEE sums commute, and hand on a common sign."""
    if a == 0 or b == 0:
        return a + b
    if a.is_number and b.is_number:
        return a + b
    if a == -b:
        return sp.S.Zero
    if a == b:
        return 2 * a
    a, b = sorted((a, b), key=lambda e: sp.default_sort_key(-e if is_negated(e) else e))
    if is_negated(a):
        return -total(-a, -b)
    if a.is_nonnegative and b.is_nonnegative:
        sign = "positive" if a.is_positive or b.is_positive else "nonnegative"
        return _function("add", sign)(a, b)
    return _function("add")(a, b)


def _exponential(a: Any) -> Any:
    """exp(a): of a negative argument and of twice another, powers of one exponential."""
    number, rest = a.as_coeff_Mul()
    k = int(number) if number.is_Integer and abs(number) <= 4 and rest != 1 else 0
    if k:
        return _function("exp", "positive")(rest) ** k
    return _function("exp", "positive")(a)


def _power(base: Any, exponent: Any) -> Any:
    small = exponent.is_Rational and abs(exponent) <= _LARGEST_POWER
    return base**exponent if small else _function("power")(base, exponent)


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": total,
    "subtract": lambda a, b: total(a, -b),
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negative": lambda a: -a,
    "square": lambda a: a**2,
    "reciprocal": lambda a: 1 / a,
    "sqrt": sp.sqrt,
    "power": _power,
    "exp": _exponential,
}
# The ops that a region may consist of.
OPEN = frozenset(
    (*_ARITHMETIC, "log", "sinh", "cosh", "tanh", "sigmoid", "cos", "expm1", "log1p", "softplus")
)


def written(formula: Any) -> Any:
    """The formula as nodes are built from it: exp(-x) and exp(2x) are functions, not powers."""

    def change(e: Any) -> Any:
        base, exponent = e.as_base_exp()
        if _name(base) == "exp" and exponent in (-1, 2, -2, 4, -4):
            return _function("exp", "positive")(exponent * base.args[0])
        return None

    return everywhere(change, formula)


def _name(e: Any) -> str:
    return e.func.__name__ if isinstance(e, AppliedUndef) else ""


def everywhere(change: Callable[[Any], Any], formula: Any) -> Any:
    """A formula with each part changed, outer ones first; None leaves a part as it is."""
    if formula.is_Atom:
        return formula
    changed = change(formula)
    outer = formula if changed is None else changed
    arguments = tuple(everywhere(change, a) for a in outer.args)
    if arguments == outer.args:
        return outer
    name = _name(outer)
    new = applied(name, *arguments) if name else outer.func(*arguments)
    # What it is made of has changed: it may have a form now.
    again = change(new) if changed is None and not new.is_Atom else None
    return new if again is None else again


# -- the forms --------------------------------------------------------------------------------

def _common_factor(e: Any) -> Any:
    """a*c + b*c = (a + b)*c"""
    if _name(e) != "add":
        return None
    first, second = (
        {base: k for base, k in a.as_powers_dict().items() if not base.is_number} for a in e.args
    )
    shared = sp.S.One
    for base, k in first.items():
        other = second.get(base, sp.S.Zero)
        if k.is_Rational and other.is_Rational and k * other > 0:
            shared *= base ** min(k, other, key=abs)
    return None if shared == 1 else shared * total(*(a / shared for a in e.args))


def _difference_of_squares(e: Any) -> Any:
    """a**2 - b**2 = (a - b)*(a + b)"""
    if _name(e) != "add":
        return None
    plus, minus = sorted(e.args, key=is_negated)
    if is_negated(plus) or not is_negated(minus):
        return None
    a, b = _root(plus), _root(-minus)
    return None if a is None or b is None else total(a, -b) * total(a, b)


def _root(e: Any) -> Any:
    """The a of a**2."""
    factors = e.as_powers_dict()
    if any(not (k.is_Integer and k % 2 == 0) and base != 1 for base, k in factors.items()):
        return None
    return sp.Mul(*(base ** (k / 2) for base, k in factors.items()))


def _rational_in_exp(e: Any) -> Any:
    """t/(1 + t) = sigmoid(x), (t - 1/t)/(t + 1/t) = tanh(x) and so on, for t = exp(x)"""
    if not (e.is_Mul or e.is_Pow or _name(e) == "add"):
        return None
    e = everywhere(_without_expm1, e)
    for exponential in _exponentials(e):
        t = sp.Dummy("t")
        of_t, rest = sp.S.One, sp.S.One
        for factor in sp.Mul.make_args(e):
            if factor.has(exponential) and _is_rational(factor, exponential):
                of_t *= _plain(factor.xreplace({exponential: t}))
            else:
                rest *= factor
        found = None if of_t == 1 else _known(of_t, t, exponential.args[0])
        if found is not None:
            return found * rest
    return None


def _is_rational(e: Any, t: Any) -> bool:
    """Whether a formula is a rational function of t and of nothing else.

    Asked before sympy sees its sums: about roots of sums it thinks for long.
    """
    if e == t or e.is_Atom:
        return bool(e == t or e.is_number)
    if e.is_Pow:
        return bool(e.exp.is_Integer) and _is_rational(e.base, t)
    return (e.is_Mul or _name(e) == "add") and all(_is_rational(a, t) for a in e.args)


def _without_expm1(e: Any) -> Any:
    """expm1(x) = exp(x) - 1"""
    return total(applied("exp", *e.args), -sp.S.One) if _name(e) == "expm1" else None


def _exponentials(e: Any) -> list[Any]:
    found = (f for f in e.atoms(AppliedUndef) if _name(f) == "exp")
    return sorted(found, key=sp.default_sort_key)


def _plain(e: Any) -> Any:
    """Sums as sympy writes them, to compute with."""
    if e.is_Atom:
        return e
    arguments = [_plain(a) for a in e.args]
    return sp.Add(*arguments) if _name(e) == "add" else e.func(*arguments)


def _known(ratio: Any, t: Any, x: Any) -> Any:
    """The function of x that a rational function of t = exp(x) is."""
    if not ratio.is_rational_function(t) or _degree(ratio) > _LARGEST_DEGREE:
        return None
    above, below = (sp.Poly(part, t) for part in sp.fraction(sp.cancel(ratio)))
    key = tuple(above.monic().all_coeffs()), tuple(below.monic().all_coeffs())
    found = _OF_EXPONENTIAL.get(key)
    return None if found is None else above.LC() / below.LC() * found(x)


def _degree(e: Any) -> Any:
    """A bound for the degrees of a rational function, before anything is expanded."""
    if e.is_Pow:
        return abs(e.exp) * _degree(e.base)
    degrees = [_degree(a) for a in e.args]
    return int(e.is_Symbol) if not degrees else sum(degrees)


# By the coefficients of the numerator and of the denominator in t = exp(x).
_OF_EXPONENTIAL: dict[Any, Callable[[Any], Any]] = {
    ((1, 0), (1, 1)): lambda x: applied("sigmoid", x),
    ((1,), (1, 1)): lambda x: applied("sigmoid", -x),
    ((1, 0), (1, 2, 1)): lambda x: applied("sigmoid", x) * applied("sigmoid", -x),
    ((1, 0, 0), (1, 2, 1)): lambda x: applied("sigmoid", x) ** 2,
    ((1,), (1, 2, 1)): lambda x: applied("sigmoid", -x) ** 2,
    ((1, 0, 0), (1, 0, 1)): lambda x: applied("sigmoid", 2 * x),
    ((1,), (1, 0, 1)): lambda x: applied("sigmoid", -2 * x),
    ((1, -1), (1, 1)): lambda x: applied("tanh", x / 2),
    ((1, 0, -1), (1, 0, 1)): lambda x: applied("tanh", x),
    ((1, 0, 1), (1, 0, -1)): lambda x: 1 / applied("tanh", x),
    ((1, 0, -1), (1, 0)): lambda x: 2 * applied("sinh", x),
    ((1, 0, 1), (1, 0)): lambda x: 2 * applied("cosh", x),
    ((1, 2, 0), (1, 2, 2)): lambda x: applied("tanh", applied("softplus", x)),
    ((1, 0), (1, 0, -1)): lambda x: 1 / (2 * applied("sinh", x)),
    ((1, 0), (1, 0, 1)): lambda x: 1 / (2 * applied("cosh", x)),
    ((1, 0, 0), (1, 0, 2, 0, 1)): lambda x: 1 / (4 * applied("cosh", x) ** 2),
}


def _ratio_of_exponentials(e: Any) -> Any:
    """exp(x)/exp(y) = exp(x - y), exp(x)/(exp(x) + exp(y)) = sigmoid(x - y)"""
    factors = e.as_powers_dict() if e.is_Mul else {}
    above = [b for b, k in factors.items() if _name(b) == "exp" and k == 1]
    for a in above:
        for below, k in factors.items():
            if k != -1 or below is a:
                continue
            if _name(below) == "exp":
                return e / a * below * applied("exp", total(a.args[0], -below.args[0]))
            if _name(below) == "add" and a in below.args:
                first, second = below.args
                other = second if first == a else first
                if _name(other) == "exp":
                    share = applied("sigmoid", total(a.args[0], -other.args[0]))
                    return e / a * below * share
    return None


def _half_angle(e: Any) -> Any:
    """1 - cos(x) = 2*sin(x/2)**2"""
    if _name(e) == "add" and e.args[0] == 1 and _name(-e.args[1]) == "cos":
        return 2 * applied("sin", (-e.args[1]).args[0] / 2) ** 2
    return None


def _difference_of_roots(e: Any) -> Any:
    """sqrt(a) - sqrt(b) = (a - b)/(sqrt(a) + sqrt(b)) where a - b is a number"""
    if _name(e) != "add" or not is_negated(e.args[1]):
        return None
    first, second = e.args[0], -e.args[1]
    if not any(root.is_Pow and root.exp == sp.S.Half for root in (first, second)):
        return None
    gap = _plain(first**2) - _plain(second**2)
    return gap / total(first, second) if gap.is_number and gap != 0 else None


class Form(NamedTuple):
    """One way to write a formula: its name, how a part changes, and how many times as much it may
    cost where the formula as it stands is wrong at some points.
    """

    name: str
    change: Callable[[Any], Any]
    worth: float = 1.0

    @property
    def equation(self) -> str:
        return str(self.change.__doc__)


FORMS = (
    Form("products and powers", lambda e: None),
    Form("common factor", _common_factor),
    Form("difference of squares", _difference_of_squares),
    Form("function of exp(x)", _rational_in_exp, 3.0),
    Form("ratio of exponentials", _ratio_of_exponentials, 3.0),
    Form("half angle", _half_angle, 3.0),
    Form("difference of roots", _difference_of_roots, 3.0),
)


def forms(formula: Any) -> Iterator[tuple[Form, Any]]:
    """Each other way to write a formula, and all of them one after the other."""
    seen = set()
    together, used = formula, 0
    for form in FORMS:
        one = everywhere(form.change, formula)
        if one not in seen:
            seen.add(one)
            yield form, one
        then = everywhere(form.change, together)
        used += then != together
        together = then
    if used > 1 and together not in seen:
        yield Form("several forms", lambda e: None), together
