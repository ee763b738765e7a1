"""The ufuncs: those that are called as graphc calls them, and those made of others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import DTypeError
from ...ir import FUNCTIONS, Node, Op, lift
from .. import contract, special
from .. import elementwise as e
from .reductions import in_floats
from .table import Function

_SAME = (
    "add subtract multiply divide negative square sqrt power exp expm1 log "
    "log1p log2 log10 logaddexp sin cos tan sinh cosh tanh hypot sign floor ceil trunc "
    "equal not_equal less less_equal greater greater_equal logical_and logical_or "
    "logical_xor logical_not isfinite isinf isnan maximum minimum matmul vecdot "
    "floor_divide remainder"
)


def _is_negative(x: Any) -> Node:
    """Whether there is a minus before it: of zeros too, as the angle with the negative axis has."""
    (v,) = lift([x], "signbit")
    return e.less(e.atan2(v, -1.0) if v.type.is_float else v, 0)


def _of_numbers(chosen: Op, x: Any, y: Any) -> Node:
    """NaN counts only where both are."""
    u, v = lift([x, y], chosen.name)
    return e.where(e.isnan(u), v, e.where(e.isnan(v), u, chosen(u, v)))


def _one_or_nan(x: Any) -> Node:
    return e.where(e.isnan(x), x, 1.0)


def _remainder_from_zero(x: Any, y: Any) -> Node:
    """With the sign of x, and exact: of floats that of the absolute values, then the sign."""
    u, v = lift([x, y], "fmod")
    dtype = np.result_type(u.dtype, v.dtype)
    u, v = e.astype(u, dtype), e.astype(v, dtype)
    if not u.type.is_float:  # the least integer is its own negative
        left = e.remainder(u, v)
        is_it = e.logical_or(e.equal(left, 0), e.equal(e.less(u, 0), e.less(v, 0)))
        return e.where(is_it, left, left - v)
    by = e.abs(v)
    return e.where(e.less(u, 0), -e.remainder(-u, by), e.remainder(u, by))


def _one_over(x: Any) -> Node:
    (v,) = lift([x], "reciprocal")
    if not v.type.is_float:
        raise DTypeError(f"np.reciprocal of {v.type} is 0 for all but 1 and -1; write 1 / x")
    return e.reciprocal(v)


def _power_in_doubles(x: Any, y: Any) -> Node:
    """Numbers stay literals: derivatives at 0 go by a constant exponent."""
    return e.power(*(e.astype(v, np.float64) if isinstance(v, Node) else v for v in (x, y)))


def _cube_root(x: Any) -> Node:
    v = in_floats(x)  # the least integer has no absolute value
    return e.multiply(e.sign(v), e.power(e.abs(v), 1 / 3))


def _with_sign(x: Any, y: Any) -> Node:
    """Also of integers: not all of them have a sign, but floats do."""
    u, v = lift([x, y], "copysign")
    size = e.abs(in_floats(u, np.result_type(u.dtype, v.dtype)))
    return e.where(_is_negative(v), -size, size)


def _parts(x: Any) -> tuple[Node, Node]:
    v = in_floats(x)
    return e.where(e.isinf(v), 0.0, e.subtract(v, e.trunc(v))), e.trunc(v)


_ARCS = "sin cos tan sinh cosh tanh"

# By name, for a ufunc has no other that is sure.
UFUNCS: dict[str, Function] = {
    **{name: FUNCTIONS[name] for name in _SAME.split()},
    **{f"arc{name}": FUNCTIONS[f"a{name}"] for name in _ARCS.split()},
    "absolute": e.abs, "arctan2": e.atan2,
    "fabs": lambda x: e.abs(in_floats(x)), "rint": lambda x: e.round(in_floats(x)),
    "fmax": lambda x, y: _of_numbers(e.maximum, x, y),
    "fmin": lambda x, y: _of_numbers(e.minimum, x, y),
    "float_power": _power_in_doubles, "reciprocal": _one_over, "invert": e.logical_not,
    "bitwise_and": e.logical_and, "bitwise_or": e.logical_or, "bitwise_xor": e.logical_xor,
    "positive": lambda x: x, "conjugate": lambda x: x,
    "deg2rad": lambda x: x * (math.pi / 180), "radians": lambda x: x * (math.pi / 180),
    "rad2deg": lambda x: x * (180 / math.pi), "degrees": lambda x: x * (180 / math.pi),
    "exp2": lambda x: e.exp(x * math.log(2)),
    "cbrt": _cube_root,
    "logaddexp2": lambda x, y: e.logaddexp(x * math.log(2), y * math.log(2)) / math.log(2),
    "fmod": _remainder_from_zero,
    "heaviside": lambda x, y: e.where(e.less(x, 0), 0.0, e.where(e.equal(x, 0), y, _one_or_nan(x))),
    "copysign": _with_sign,
    "signbit": lambda x: _is_negative(x),
    "matvec": lambda x, y: contract.einsum("...ij,...j->...i", x, y),
    "vecmat": lambda x, y: contract.einsum("...i,...ij->...j", x, y),
    "divmod": lambda x, y: (UFUNCS["floor_divide"](x, y), UFUNCS["remainder"](x, y)),
    "modf": _parts,
}  # fmt: skip
# Those of scipy.special.
SCIPYS: dict[str, Function] = {
    "erf": special.erf, "erfc": special.erfc, "erfcx": special.erfcx, "ndtr": special.ndtr,
    "log_ndtr": special.log_ndtr,
}  # fmt: skip
