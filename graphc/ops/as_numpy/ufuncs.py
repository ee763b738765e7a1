"""The ufuncs: those that are called as graphc calls them, and those made of others."""

from __future__ import annotations

import math

from ...ir import FUNCTIONS
from .. import contract
from .. import elementwise as e
from .table import Function

_SAME = (
    "add subtract multiply divide negative square sqrt reciprocal power exp expm1 log "
    "log1p log2 log10 logaddexp sin cos tan sinh cosh tanh hypot sign floor ceil trunc "
    "equal not_equal less less_equal greater greater_equal logical_and logical_or "
    "logical_xor logical_not isfinite isinf isnan maximum minimum matmul vecdot"
)
_ARCS = "sin cos tan sinh cosh tanh"

# By name, for a ufunc has no other that is sure.
UFUNCS: dict[str, Function] = {
    **{name: FUNCTIONS[name] for name in _SAME.split()},
    **{f"arc{name}": FUNCTIONS[f"a{name}"] for name in _ARCS.split()},
    "absolute": e.abs, "fabs": e.abs, "arctan2": e.atan2, "rint": e.round, "fmax": e.maximum,
    "fmin": e.minimum, "float_power": e.power, "invert": e.logical_not,
    "bitwise_and": e.logical_and, "bitwise_or": e.logical_or, "bitwise_xor": e.logical_xor,
    "positive": lambda x: x, "conjugate": lambda x: x,
    "deg2rad": lambda x: x * (math.pi / 180), "radians": lambda x: x * (math.pi / 180),
    "rad2deg": lambda x: x * (180 / math.pi), "degrees": lambda x: x * (180 / math.pi),
    "exp2": lambda x: e.exp(x * math.log(2)),
    "cbrt": lambda x: e.sign(x) * e.abs(x) ** (1 / 3),
    "logaddexp2": lambda x, y: e.logaddexp(x * math.log(2), y * math.log(2)) / math.log(2),
    "floor_divide": lambda x, y: e.floor(e.divide(x, y)),
    "remainder": lambda x, y: e.subtract(x, e.floor(e.divide(x, y)) * y),
    "fmod": lambda x, y: e.subtract(x, e.trunc(e.divide(x, y)) * y),
    "heaviside": lambda x, y: e.where(e.less(x, 0), 0.0, e.where(e.greater(x, 0), 1.0, y)),
    "copysign": lambda x, y: e.where(e.greater_equal(y, 0), e.abs(x), -e.abs(x)),
    "signbit": lambda x: e.less(x, 0),
    "matvec": lambda x, y: contract.einsum("...ij,...j->...i", x, y),
    "vecmat": lambda x, y: contract.einsum("...i,...ij->...j", x, y),
    "divmod": lambda x, y: (UFUNCS["floor_divide"](x, y), UFUNCS["remainder"](x, y)),
    "modf": lambda x: (e.subtract(x, e.trunc(x)), e.trunc(x)),
}  # fmt: skip
