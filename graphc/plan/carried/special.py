"""The error function and its complement, which NumPy has not.

Out of few elements they are those of `math`. Large arrays take quotients of polynomials, every
element the same way. Their coefficients were fitted for these functions by Remez' exchange, with 50
digits: the largest relative error of the results is told beside them. All are positive, so that
nothing cancels where polynomials are added up.
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


@functools.cache
def erf_quotient(dtype: Any) -> list[Any]:
    """-log(1 - erf(x)) / x for 0 <= x <= 6 as a quotient, to 2e-18; of float32 to 3e-10."""
    above: tuple[float, ...]
    below: tuple[float, ...]
    if dtype == np.float32:
        above = (0.9995518343471503, 7.531981223260357, 24.542718089064753, 40.73523255954158,
                 30.290225142464553)  # fmt: skip
        below = (1.0, 7.4825532538299875, 20.95554805582893, 26.844013093490588)
    else:
        above = (0.99982214217414, 28.462746875238093, 295.5377025344831, 1689.2709707707754,
                 6088.798746417262, 14491.070282660032, 22570.305287531373, 21331.29934013083,
                 9540.460635722802)  # fmt: skip
        below = (1.0, 28.442112269562696, 290.8133245833846, 1595.284150405916,
                 5346.727990997571, 11257.99553814682, 14134.141512255184,
                 8455.013096599685)  # fmt: skip
    return [[np.array(c, dtype) for c in part] for part in (above, below)]


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
def erfc_quotient(dtype: Any) -> list[Any]:
    """(exp(x * x) * erfc(x) * (1 + 2 * x) - 1) / x for x >= 0 as a quotient, to 3e-17; float32 to
    3e-9."""
    above: tuple[float, ...]
    below: tuple[float, ...]
    if dtype == np.float32:
        above = (0.12838740642808386, 1.4146552535605348, 5.877824458535576, 12.566113165084642,
                 13.100525810696757)  # fmt: skip
        below = (1.0, 6.627132054576718, 21.013401537496513, 37.261074481118406,
                 36.08837676193038, 15.030069935033877)  # fmt: skip
    else:
        above = (0.12837916709334338, 2.949768649374137, 31.81255645011328, 213.55560261533395,
                 985.5168086975675, 3248.8355489016767, 7679.423569928433, 12638.464167953814,
                 13306.605249265262, 7009.515719195061)  # fmt: skip
        below = (1.0, 18.582291188499976, 170.53242689875577, 997.8956528558049,
                 4074.82626050364, 12033.26200598415, 25867.116765387058, 39777.98269751569,
                 41718.88804907674, 26861.87593454691, 8041.932288191664)  # fmt: skip
    return [[np.array(c, dtype) for c in part] for part in (above, below)]


def erfc(x: Any, spare: Any = (None, None, None, None, None), out: Any = None) -> Any:
    """exp(-s * s) * (1 + s * q) / (1 + 2 * s) of the size s, and 2 less that where x is negative.

    The quotient adds little to 1, and so do its roundings.
    """
    if x.size < 400:  # the calls would take longer than the elements do
        return of_elements(math.erfc, x, out)
    x = x if x.dtype.kind == "f" else x * 1.0
    above, below = erfc_quotient(x.dtype)
    size = np.abs(x, out=spare[0])
    np.minimum(size, 11 if x.dtype == np.float32 else 28, out=size)  # from there on it is 0
    found = polynomial(size, above, out=spare[1])
    np.multiply(found, size, out=found)
    divisor = polynomial(size, below, out=spare[2])
    np.add(np.divide(found, divisor, out=found), 1, out=found)
    np.add(np.add(size, size, out=divisor), 1, out=divisor)
    np.divide(found, divisor, out=found)
    # Far out exp(-s * s) is off by as many units of its last place as s * s is large. What rounding
    # took from that is h * h - s * s + (s - h) * (s + h), all exact for an h of half the digits.
    square = np.square(size, out=divisor)
    half = np.empty_like(size) if spare[3] is None else spare[3]
    bits = f"i{size.itemsize}"
    np.bitwise_and(size.view(bits), -1 << (12 if bits == "i4" else 27), out=half.view(bits))
    rest = np.subtract(size, half, out=spare[4])
    np.multiply(rest, np.add(size, half, out=size), out=rest)
    np.add(rest, np.subtract(np.square(half, out=half), square, out=half), out=rest)
    np.multiply(found, np.exp(np.negative(square, out=square), out=square), out=found)
    np.subtract(found, np.multiply(rest, found, out=rest), out=found)
    sign = np.copysign(1, x, out=size)
    np.copysign(found, sign, out=found)
    return np.add(found, np.subtract(1, sign, out=sign), out=out)
