"""The error function, and what is made of it: the normal distribution function, and GELU.

NumPy has none of them: a program carries the error function and its complement.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy as sp

from ..errors import ArgumentError
from ..ir import Node, lift, spelling
from .elementwise import log, log1p, multiply, sigmoid, square, where
from .from_formula import elementwise

_AT_0 = 2 / math.sqrt(math.pi)  # the slope of erf
# Analytic near the real line, where a complex step is taken.
_STEP = f"{_AT_0}j * x0.imag * np.exp(-np.square(x0.real))"

erf = elementwise(
    "erf", lambda x: sp.erf(x), numpy="erf(x0)", into="erf(x0, spare=3, out=out)",
    scalar="math.erf(x0)", like=np.exp, d=lambda x: [_AT_0 * sp.exp(-(x**2))],
    complex_step=f"erf(x0.real) + {_STEP}",
    doc="""The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    >>> import graphc as gc
    >>> gc.evaluate(gc.erf(gc.constant([0.0, 1.0, 6.0])))
    array([0.        , 0.84270079, 1.        ])
    """,
)  # fmt: skip
erfc = elementwise(
    "erfc", lambda x: sp.erfc(x), numpy="erfc(x0)", into="erfc(x0, spare=5, out=out)",
    scalar="math.erfc(x0)", like=np.exp, d=lambda x: [-_AT_0 * sp.exp(-(x**2))],
    complex_step=f"erfc(x0.real) - {_STEP}",
    doc="""1 - erf(x), with all its digits where that is small.

    >>> import graphc as gc
    >>> gc.evaluate(gc.erfc(gc.constant([0.0, 1.0, 10.0])))
    array([1.00000000e+00, 1.57299207e-01, 2.08848758e-45])
    """,
)  # fmt: skip
erfcx = elementwise(
    "erfcx", lambda x: sp.exp(x**2) * sp.erfc(x), numpy="erfcx(x0)",
    into="erfcx(x0, spare=5, out=out)", like=np.exp, d=lambda x, result: [2 * x * result - _AT_0],
    complex_step=f"erfcx(x0.real) + 1j * x0.imag * (2 * x0.real * erfcx(x0.real) - {_AT_0})",
    cure="keep its argument above -26 (-9 for float32), as by gc.maximum, or use gc.erfc, which is "
    "2 at most",
    doc="""exp(x**2) * erfc(x), which neither vanishes nor overflows where x is large.

    >>> import graphc as gc
    >>> gc.evaluate(gc.erfcx(gc.constant([0.0, 1.0, 1000.0])))
    array([1.00000000e+00, 4.27583576e-01, 5.64189301e-04])
    """,
)  # fmt: skip


@spelling
def ndtr(x: Any) -> Node:
    """The normal distribution function: how likely a standard normal number is below x.

    Its log is `gc.log_ndtr(x)`.

    >>> import graphc as gc
    >>> gc.evaluate(gc.ndtr(gc.constant([0.0, 1.96, -10.0])))
    array([5.00000000e-01, 9.75002105e-01, 7.61985302e-24])
    """
    (value,) = lift([x], "ndtr")
    return multiply(0.5, erfc(value * -math.sqrt(0.5)))


@spelling
def log_ndtr(x: Any) -> Node:
    """log(ndtr(x)) where ndtr(x) vanishes too, with a gradient: the loss of probit regression.

    >>> import graphc as gc
    >>> gc.evaluate(gc.log_ndtr(gc.constant([0.0, -100.0])))
    array([-6.93147181e-01, -5.00552421e+03])
    """
    (value,) = lift([x], "log_ndtr")
    u = value * math.sqrt(0.5)
    below = log(0.5 * erfcx(-u)) - 0.5 * square(value)
    return where(value < 0, below, log1p(-0.5 * erfc(u)))


@spelling
def gelu(x: Any, approximate: bool | str = False) -> Node:
    """x * ndtr(x); with approximate=True, or "tanh" as PyTorch has it, the formula by tanh.

    >>> import graphc as gc
    >>> gc.evaluate(gc.gelu(gc.constant([-1.0, 0.0, 2.0])))
    array([-0.15865525,  0.        ,  1.95449974])
    >>> gc.evaluate(gc.gelu(gc.constant([-1.0, 0.0, 2.0]), approximate="tanh"))
    array([-0.15880801,  0.        ,  1.95459769])
    """
    (value,) = lift([x], "gelu")
    if isinstance(approximate, Node) or approximate not in (False, "none", True, "tanh"):
        raise ArgumentError(
            'approximate= is False, or "none", for the exact formula, and True, or "tanh", for '
            f"the one by tanh, not {approximate!r}"
        )
    if approximate in (False, "none"):
        return multiply(value, ndtr(value))
    # (1 + tanh(u)) / 2 = sigmoid(2 * u), which keeps its digits where tanh is near -1.
    u = math.sqrt(2 / math.pi) * (value + 0.044715 * value**3)
    return multiply(value, sigmoid(2 * u))
