"""The error function and its complement, bare and scaled, which NumPy has not.

Of few elements they are those of `math`, which has two of them. Large arrays take quotients of
polynomials, every element the same way. Their coefficients were fitted for these functions by
Remez' exchange, with 50 digits and more: the largest relative error of the results is told beside
them. All are positive, so that nothing cancels where polynomials are added up.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .functions import fast_expm1


def of_elements(function: Callable[[float], float], x: Any, out: Any = None) -> Any:
    """A function of Python's floats, of one element after the other."""
    dtype = x.dtype if x.dtype.kind == "f" else np.float64
    found = np.array([function(v) for v in x.ravel().tolist()], dtype).reshape(x.shape)
    if out is None:
        return found
    np.copyto(out, found)
    return out


def polynomial(x: Any, coefficients: Any, out: Any = None) -> Any:
    """The polynomial with these coefficients, the first of the highest power."""
    highest, *others, last = coefficients
    total = np.multiply(x, highest, out=out)
    for c in others:
        np.multiply(np.add(total, c, out=total), x, out=total)
    return np.add(total, last, out=total)


def in_dtype(dtype: Any, *polynomials: tuple[float, ...]) -> list[Any]:
    """The coefficients of some polynomials as numbers of a dtype."""
    return [[np.array(c, dtype) for c in coefficients] for coefficients in polynomials]


@functools.cache
def erf_quotient(dtype: Any) -> list[Any]:
    """-log(1 - erf(x)) / x for 0 <= x <= 6 as a quotient, to 2e-18; of float32 to 3e-10."""
    if dtype == np.float32:
        return in_dtype(
            dtype,
            (0.9995518343471503, 7.531981223260357, 24.542718089064753, 40.73523255954158,
             30.290225142464553),
            (1.0, 7.4825532538299875, 20.95554805582893, 26.844013093490588),
        )  # fmt: skip
    return in_dtype(
        dtype,
        (0.99982214217414, 28.462746875238093, 295.5377025344831, 1689.2709707707754,
         6088.798746417262, 14491.070282660032, 22570.305287531373, 21331.29934013083,
         9540.460635722802),
        (1.0, 28.442112269562696, 290.8133245833846, 1595.284150405916, 5346.727990997571,
         11257.99553814682, 14134.141512255184, 8455.013096599685),
    )  # fmt: skip


def erf(x: Any, spare: Any = (None, None, None), out: Any = None) -> Any:
    """1 - exp(-s * q) of the size s, with the sign of x: near 0 no digit is lost."""
    if x.size < 400:  # the calls would take longer than the elements do
        return of_elements(math.erf, x, out)
    x = x if x.dtype.kind == "f" else x * 1.0
    above, below = erf_quotient(x.dtype)
    size = np.abs(x, out=spare[0])
    np.minimum(size, 6, out=size)  # from there on it is 1
    found = polynomial(size, above, out=spare[1])
    np.multiply(found, size, out=found)
    np.divide(found, polynomial(size, below, out=spare[2]), out=found)
    found = fast_expm1(np.negative(found, out=found), spare=spare[:1], out=spare[2])
    return np.copysign(found, x, out=out)


@functools.cache
def erfcx_quotient(dtype: Any) -> list[Any]:
    """(erfcx(x) * (1 + 2 * x) - 1) / x for x >= 0 as a quotient, to 6e-18; of float32 to 3e-8."""
    if dtype == np.float32:
        return in_dtype(
            dtype,
            (0.1283791906020418, 1.3201238369249204, 4.988925651164603, 9.912471887555732,
             9.268911528795613),
            (1.0, 5.88835782080202, 17.374456449300443, 29.002859380145804, 26.705882163117938,
             10.634088078799348),
        )  # fmt: skip
    return in_dtype(
        dtype,
        (0.1283791670955126, 3.1651165503537113, 37.19879842807294, 276.3031927914046,
         1436.259922912534, 5458.505781434653, 15375.832323705448, 31789.181653543594,
         46423.86647837957, 43669.794223851095, 20463.744007855494),
        (1.0, 20.259727692974593, 205.11630724425916, 1342.0489854296177, 6229.073190065571,
         21355.421631805235, 54839.46845314919, 104973.3808328957, 146220.05954749326,
         140702.13034430958, 83953.61681216705, 23477.805067674293),
    )  # fmt: skip


def erfcx_of_size(size: Any, spare: Any) -> Any:
    """exp(s * s) * erfc(s) for s >= 0, in the first of three spare arrays.

    The quotient adds little to 1, and so do its roundings.
    """
    above, below = erfcx_quotient(size.dtype)
    # Far out nothing changes, and powers would overflow.
    near = np.minimum(size, 1e7 if size.dtype == np.float32 else 1e15, out=spare[2])
    found = polynomial(near, above, out=spare[0])
    np.multiply(found, near, out=found)
    divisor = polynomial(near, below, out=spare[1])
    np.add(np.divide(found, divisor, out=found), 1, out=found)
    np.add(np.add(size, size, out=divisor), 1, out=divisor)
    return np.divide(found, divisor, out=found)


def exact_square(x: Any, spare: Any) -> Any:
    """x * x, and what rounding took from it, in two of three spare arrays; x is written over.

    It is h * h - x * x + (x - h) * (x + h), all exact, for an h of half the digits. Far out the
    exponential of a square is off by as many units of its last place as the square is large.
    """
    square = np.square(x, out=spare[0])
    half = np.empty_like(x) if spare[1] is None else spare[1]
    bits = f"i{x.itemsize}"
    np.bitwise_and(x.view(bits), -1 << (12 if bits == "i4" else 27), out=half.view(bits))
    rest = np.subtract(x, half, out=spare[2])
    np.multiply(rest, np.add(x, half, out=x), out=rest)
    np.add(rest, np.subtract(np.square(half, out=half), square, out=half), out=rest)
    return square, rest


def erfc(x: Any, spare: Any = (None, None, None, None, None), out: Any = None) -> Any:
    """exp(-s * s) * erfcx(s) of the size s, and 2 less that where x is negative."""
    if x.size < 400:  # the calls would take longer than the elements do
        return of_elements(math.erfc, x, out)
    x = x if x.dtype.kind == "f" else x * 1.0
    size = np.abs(x, out=spare[0])
    np.minimum(size, 11 if x.dtype == np.float32 else 28, out=size)  # from there on it is 0
    found = erfcx_of_size(size, spare[1:4])
    square, rest = exact_square(size, spare[2:5])
    np.multiply(found, np.exp(np.negative(square, out=square), out=square), out=found)
    np.subtract(found, np.multiply(rest, found, out=rest), out=found)
    sign = np.copysign(1, x, out=size)
    np.copysign(found, sign, out=found)
    return np.add(found, np.subtract(1, sign, out=sign), out=out)


def erfcx(x: Any, spare: Any = (None, None, None, None, None), out: Any = None) -> Any:
    """exp(x * x) * erfc(x): where x is negative 2 * exp(x * x) less that of the size of x."""
    if x.ndim == 0:  # a single number is no memory to write into
        (found,) = erfcx(x.reshape(1))
        return found if out is None else np.add(found, 0, out=out)
    x = x if x.dtype.kind == "f" else x * 1.0
    found = erfcx_of_size(np.abs(x, out=spare[0]), spare[1:4])
    below = np.minimum(x, 0, out=spare[0])
    np.maximum(below, -10 if x.dtype == np.float32 else -27, out=below)  # from there on it is inf
    square, rest = exact_square(below, spare[2:5])
    more = np.multiply(np.exp(square, out=square), np.add(rest, 1, out=rest), out=square)
    sign = np.copysign(1, x, out=rest)
    np.copysign(found, sign, out=found)
    np.multiply(more, np.subtract(1, sign, out=sign), out=more)
    return np.add(found, more, out=out)
