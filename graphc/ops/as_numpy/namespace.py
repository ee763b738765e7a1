"""The array API's names on nodes: what `node.__array_namespace__()` gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ir import FUNCTIONS, Node
from ...wording import did_you_mean
from .. import contract, layout, leaves, linalg
from .. import elementwise as e
from .arrangement import (
    broadcast_arrays,
    expand_dims,
    meshgrid,
    repeat,
    roll,
    tile,
    tril,
    triu,
    unstack,
)
from .products import cross, diagonal, matrix_power, trace, vector_norm
from .reductions import count_nonzero
from .series import diff
from .table import TABLE
from .ufuncs import UFUNCS


class Namespace:
    """Functions by the names of the array API standard, on nodes: `node.__array_namespace__()`."""

    def __init__(self, name: str, members: dict[str, Any]) -> None:
        self.__name__ = name
        self._members = members

    def __getattr__(self, name: str) -> Any:
        members = self.__dict__.get("_members", {})
        if name in members:
            return members[name]
        if name.startswith("__"):
            raise AttributeError(name)
        hint = did_you_mean(name, members, before="; ")
        raise AttributeError(f"the namespace of symbolic tensors has no {name}{hint}")

    def __dir__(self) -> list[str]:
        return sorted(self._members)

    def __repr__(self) -> str:
        return f"<namespace {self.__name__}>"


def _asarray(obj: Any, dtype: Any = None, copy: Any = None, device: Any = None) -> Node:
    if isinstance(obj, Node):
        return obj if dtype is None else e.astype(obj, dtype)
    return leaves.constant(obj, dtype=dtype)


def _linspace(start: Any, stop: Any, num: int, dtype: Any = None, endpoint: bool = True) -> Any:
    steps = leaves.iota(num, dtype or np.float64)
    return start + steps * ((stop - start) / (num - 1 if endpoint else num))


def _arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Node:
    first, last = (0, start) if stop is None else (start, stop)
    made: Any = np.arange(first, last, step)
    return leaves.constant(made, dtype=dtype)


_STANDARD = (
    "abs acos acosh add all any argmax argmin argsort asin asinh astype atan atan2 atanh "
    "broadcast_to ceil clip concat cos cosh cumulative_prod cumulative_sum divide equal exp "
    "expand_dims expm1 "
    "eye flip floor full full_like greater greater_equal hypot isfinite isinf isnan less "
    "less_equal log log10 log1p log2 logaddexp logical_and logical_not logical_or "
    "logical_xor matmul matrix_transpose max maximum mean min minimum moveaxis multiply "
    "negative not_equal ones ones_like permute_dims power prod reciprocal reshape round "
    "sign sin sinh sort sqrt square squeeze stack std subtract sum take take_along_axis tan "
    "tanh tensordot trunc var vecdot where zeros zeros_like"
)

_API: dict[str, Any] = {name: FUNCTIONS[name] for name in _STANDARD.split()}
_API.update({
    "__array_api_version__": "2023.12",
    "asarray": _asarray, "arange": _arange, "linspace": _linspace,
    "broadcast_arrays": lambda *arrays: list(broadcast_arrays(*arrays)),
    "empty": leaves.zeros, "empty_like": leaves.zeros_like,
    "expand_dims": lambda x, axis=0: expand_dims(x, axis),
    "bitwise_and": e.logical_and, "bitwise_or": e.logical_or, "bitwise_xor": e.logical_xor,
    "bitwise_invert": e.logical_not,
    "positive": lambda x: x, "conj": lambda x: x, "real": lambda x: x,
    "floor_divide": UFUNCS["floor_divide"], "remainder": UFUNCS["remainder"],
    "copysign": UFUNCS["copysign"], "signbit": UFUNCS["signbit"],
    "roll": roll, "tile": tile, "repeat": repeat, "unstack": unstack, "diff": diff,
    "tril": tril, "triu": triu, "count_nonzero": count_nonzero,
    "meshgrid": lambda *arrays, indexing="xy": list(meshgrid(*arrays, indexing=indexing)),
    "result_type": lambda *of: np.result_type(*(x.dtype if isinstance(x, Node) else x for x in of)),
    "can_cast": np.can_cast, "finfo": np.finfo, "iinfo": np.iinfo, "isdtype": np.isdtype,
    "e": math.e, "pi": math.pi, "inf": math.inf, "nan": math.nan, "newaxis": None,
    "bool": np.dtype(np.bool_),
    **{name: np.dtype(name) for name in (
        "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32",
        "float64",
    )},
    "linalg": Namespace("graphc array API linalg", {
        "matmul": contract.matmul, "vecdot": contract.vecdot, "tensordot": contract.tensordot,
        "matrix_transpose": layout.matrix_transpose, "outer": contract.outer, "cross": cross,
        "diagonal": lambda x, offset=0: diagonal(x, offset, -2, -1),
        "trace": lambda x, offset=0: trace(x, offset, -2, -1),
        "vector_norm": vector_norm, "matrix_norm": TABLE[np.linalg.matrix_norm],
        "matrix_power": matrix_power,
        **{name: getattr(linalg, name) for name in linalg.__all__},
    }),
})  # fmt: skip
NAMESPACE = Namespace("graphc array API", _API)
FUNCTIONS["array_namespace"] = lambda: NAMESPACE
