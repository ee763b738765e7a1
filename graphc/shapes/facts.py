"""What is known of dims: their terms, and what is certain whatever their symbols are."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import sympy as sp

from ..sizes import Dim, Size, formula
from .dims import as_dim, plain


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
def ratio(whole: Dim, part: Dim) -> Dim | None:
    """whole / part where that is an integer expression whatever the symbols are, else None."""
    if part == 0:
        return None
    quotient = sp.expand(sp.cancel(plain(whole) / plain(part)))
    return as_dim(quotient) if quotient.is_integer else None


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
