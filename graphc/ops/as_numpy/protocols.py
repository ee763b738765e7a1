"""NumPy's protocols and the methods of arrays: what they find to build, and what they refuse."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from ...errors import ArgumentError
from ...ir import Node, lift, spelling
from ...misfits import misfit
from ...sizes import Size
from ...tensor_type import as_dtype
from .. import contract, layout, reduce, scan
from .. import elementwise as e
from .arrangement import flat
from .table import TABLE, Function
from .ufuncs import SCIPYS, UFUNCS

# Parameters that ask for nothing when they hold one of these.
_NOTHING: tuple[Any, ...] = (None, np._NoValue)
_TENSORS = (Node, np.ndarray, np.generic)
_REFUSED = {
    "out": "a graph writes into nothing: use the result",
    "where": "choose with np.where before, or after",
    "initial": "join the initial value with the result",
    "order": "a tensor has no memory order",
    "subok": "there are no subclasses of tensors",
    "like": "there is nothing to be like",
    "casting": "convert with .astype",
    "mean": "it is computed with the rest, once",
}


@spelling
def array_function(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """`np.sum(node, axis=0)`: Node.__array_function__ comes here."""
    name = f"np.{spelled(function)}"
    if function not in TABLE:
        raise ArgumentError(f"{name} has no form for symbolic tensors{nearest(name)}")
    return _called(TABLE[function], name, args, kwargs)


@spelling
def array_ufunc(ufunc: Any, method: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """`np.tanh(node)`, `np.add.reduce(node)`: Node.__array_ufunc__ comes here."""
    name = ufunc.__name__
    if getattr(np, name, None) is ufunc:  # scipy has others
        name = f"np.{name}"
    if any(isinstance(out, np.ndarray) for out in kwargs.get("out") or ()):
        raise ArgumentError(
            f"{name} would write a symbolic tensor into an array: write x = x + y, not x += y, "
            "where x is an array and y a tensor"
        )
    function = UFUNCS.get(ufunc.__name__) or SCIPYS.get(ufunc.__name__)
    name += ".at" if method == "at" else ""
    if function is None or method == "at":
        raise ArgumentError(f"{name} has no form for symbolic tensors{nearest(name)}")
    if method == "__call__":
        return _called(function, name, args, kwargs)
    if method == "outer" and len(args) == 2:
        first, second = (lift([x], name)[0] for x in args)
        wide = layout.reshape(first, (*first.shape, *[1] * second.ndim))
        return _called(function, name, (wide, second), kwargs)
    if (ufunc.__name__, method) in _REDUCTIONS:
        by_place = dict(zip(("axis", "dtype", "out", "keepdims"), args[1:], strict=False))
        reduction = _REDUCTIONS[ufunc.__name__, method]
        return _called(reduction, name, args[:1], {"axis": 0, **by_place, **kwargs})
    raise ArgumentError(f"{name}.{method} has no form for symbolic tensors")


# NumPy asks a size too, as in `np.sqrt(n)`: it is a number of the graph.
Size.of_ufunc = array_ufunc

_REDUCTIONS: dict[tuple[str, str], Function] = {
    ("add", "reduce"): reduce.sum,
    ("multiply", "reduce"): reduce.prod,
    ("maximum", "reduce"): reduce.max,
    ("minimum", "reduce"): reduce.min,
    ("logical_and", "reduce"): reduce.all,
    ("logical_or", "reduce"): reduce.any,
    ("logaddexp", "reduce"): reduce.logsumexp,
    ("add", "accumulate"): scan.cumulative_sum,
    ("multiply", "accumulate"): scan.cumulative_prod,
}


@spelling
def array_method(x: Node, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """`node.sum(axis=0)`: the methods of arrays."""
    if name in _VARIADIC:
        if len(args) > 1 or (args and not isinstance(args[0], tuple | list | None)):
            args = (args,)
        return _called(_VARIADIC[name], f".{name}", (x, *args), kwargs)
    function = _METHODS.get(name) or TABLE[getattr(np, name)]
    return _called(function, f".{name}", (x, *args), kwargs)


def _called(function: Function, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The function with NumPy's parameters, less those that ask for nothing."""
    known = inspect.signature(function).parameters
    given = {}
    for key, value in kwargs.items():
        if any(value is nothing for nothing in _NOTHING) and key not in ("axis", "axes"):
            continue
        if key not in known and key in _REFUSED:
            if not (
                key == "where" and value is True or key == "order" and value in ("C", "K", "A")
            ):
                raise ArgumentError(f"{name} has no {key}= for symbolic tensors: {_REFUSED[key]}")
            continue
        given[key] = value
    dtype = given.pop("dtype") if "dtype" in given and "dtype" not in known else None
    if dtype is not None and as_dtype(dtype).kind != "b":
        # NumPy computes in it. Comparisons, whose result is bool, compare what they are given.
        args = [e.astype(a, dtype) if isinstance(a, _TENSORS) else a for a in args]
    wrong = misfit(function, args, given, name=name, is_method=name.startswith("."))
    if wrong:
        raise ArgumentError(wrong if name.startswith(".") else f"of symbolic tensors {wrong}")
    result = function(*args, **given)
    return result if dtype is None else e.astype(result, dtype)


def spelled(function: Any) -> str:
    """What it is called within NumPy: `linalg.norm`."""
    module = getattr(function, "__module__", None) or ""
    inner = "".join(f"{part}." for part in module.split(".")[1:] if not part.startswith("_"))
    return f"{inner}{function.__name__}"


# What to write instead of some functions that are not covered.
_INSTEAD = {
    "np.partition": "np.sort",
    "np.argpartition": "np.argsort",
    "np.nonzero": "np.where(condition, a, b)",
    "np.argwhere": "np.where(condition, a, b)",
    "np.extract": "np.where(condition, a, b)",
    "np.compress": "x[mask], where the mask is an array",
    "np.choose": "np.select, or np.where",
    "np.piecewise": "np.select, or np.where",
    "np.array_equal": "np.all(np.equal(a, b))",
    "np.allclose": "np.all(np.isclose(a, b))",
    "np.isin": "np.any(x[..., None] == values, axis=-1)",
    "np.unique": "np.sum over np.equal",
    "np.bincount": "gc.scatter_add",
    "np.histogram": "gc.scatter_add",
    "np.searchsorted": "np.sum(x[..., None] > edges, axis=-1)",
    "np.digitize": "np.sum(x[..., None] >= edges, axis=-1)",
    "np.copyto": "np.where(condition, a, b)",
    "np.putmask": "np.where(condition, a, b)",
    "np.put": "gc.scatter_add",
    "np.put_along_axis": "gc.scatter_add_along_axis",
    "np.add.at": "gc.scatter_add",
    "np.insert": "np.concatenate of slices",
    "np.delete": "np.concatenate of slices",
    "np.resize": "np.tile, or np.reshape",
    "np.block": "np.concatenate",
    "np.rollaxis": "np.moveaxis",
    "np.ediff1d": "np.diff",
    "np.ldexp": "x * 2.0**n",
    "np.left_shift": "x * 2**n",
    "np.right_shift": "x // 2**n",
    "np.angle": "np.arctan2",
    "np.linalg.cond": "np.linalg.norm",
    "np.linalg.lstsq": "np.linalg.solve(A.T @ A, A.T @ b)",
    "np.linalg.pinv": "np.linalg.solve(A.T @ A, A.T)",
    "np.linalg.eig": "np.linalg.eigh, of symmetric matrices",
    "np.linalg.eigvals": "np.linalg.eigvalsh, of symmetric matrices",
    "np.linspace": "a + (b - a) * np.linspace(0, 1, n)",
    "np.apply_along_axis": "an axis= of the function, or gc.vmap",
    "expit": "gc.sigmoid",
    "log_expit": "-gc.softplus(-x)",
    "logit": "np.log(p) - np.log1p(-p)",
    "xlogy": "np.where(x == 0, 0, x * np.log(y))",
}
_NOT_OF_NUMPY = (
    "programs need NumPy alone, which has none: gc.elementwise makes an operation of a formula "
    "and a NumPy text"
)
_NOTHING_LIKE_IT = "nothing is like it: compute it outside, and pass the result in as an argument"


def nearest(name: str) -> str:
    """`; the nearest is np.f`: by meaning, for there is no likeness in letters."""
    if name in _INSTEAD:
        return f"; the nearest is {_INSTEAD[name]}"
    if name.startswith("np.nan") and getattr(np, name.removeprefix("np.nan"), None) in TABLE:
        return (
            f"; the nearest is np.{name.removeprefix('np.nan')}, of "
            "np.where(np.isnan(x), 0, x) or another number that leaves it as it is"
        )
    if "." not in name:
        return f"; {_NOT_OF_NUMPY}"
    return f"; {_NOTHING_LIKE_IT}" if name.startswith(("np.linalg.", "np.fft.")) else ""


# -- methods ----------------------------------------------------------------------------------


def _no_item(wanted: str) -> Function:
    def refuse(x: Node, *_: Any) -> NoReturn:
        x._no_value(wanted)

    return refuse


def _in_place(name: str, instead: str = "np.where, np.full_like or np.concatenate") -> Function:
    def refuse(x: Node, *_: Any, **__: Any) -> NoReturn:
        raise ArgumentError(
            f"{x.label}.{name}() would change a tensor, and none can be: use the value that a "
            f"function returns, such as {instead}"
        )

    return refuse


_METHODS: dict[str, Function] = {
    "item": _no_item("item"),
    "tolist": _no_item("list"),
    "flatten": lambda x: flat(x),
    "astype": lambda x, dtype, copy=True: e.astype(x, dtype),
    "dot": contract.dot,
    "conj": lambda x: x,
    "fill": _in_place("fill"),
    "itemset": _in_place("itemset"),
    "put": _in_place("put"),
    "sort": _in_place("sort", "np.sort"),
    "view": _in_place("view"),
}
_VARIADIC: dict[str, Function] = {
    "reshape": layout.reshape,
    "transpose": lambda x, axes=None: layout.transpose(x, axes),
}
