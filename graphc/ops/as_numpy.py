"""NumPy's own names: what `np.f(node)`, `node.f()` and the array API's namespace build.

Every function here has the parameters that NumPy gives it, and comes down to graphc's own. What is
not here is refused by name, with the nearest that is.
"""

from __future__ import annotations

import builtins
import difflib
import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from .. import shapes
from ..errors import ArgumentError
from ..ir import FUNCTIONS, Node, lift, spelling
from . import contract, index, joins, layout, leaves, reduce, scan, slices
from . import elementwise as e

Function = Callable[..., Any]

# NumPy function -> what it builds. Ufuncs are found by name.
TABLE: dict[Any, Function] = {}
UFUNCS: dict[str, Function] = {}

# Parameters that ask for nothing when they hold one of these.
_NOTHING: tuple[Any, ...] = (None, np._NoValue)
_REFUSED = {
    "out": "a graph writes into nothing: use the result",
    "where": "choose with np.where before, or after",
    "initial": "join the initial value with the result",
    "order": "a tensor has no memory order",
    "subok": "there are no subclasses of tensors",
    "like": "there is nothing to be like",
    "casting": "convert with .astype",
}


def means(*functions: Any) -> Callable[[Function], Function]:
    """The function below is what these NumPy functions build."""

    def register(function: Function) -> Function:
        for f in functions:
            TABLE[f] = function
        return function

    return register


# -- the protocols ----------------------------------------------------------------------------


@spelling
def array_function(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """`np.sum(node, axis=0)`: Node.__array_function__ comes here."""
    name = f"np.{_spelled(function)}"
    if function not in TABLE:
        raise ArgumentError(f"{name} has no form for symbolic tensors{_nearest(name)}")
    return _called(TABLE[function], name, args, kwargs)


@spelling
def array_ufunc(ufunc: Any, method: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """`np.tanh(node)`, `np.add.reduce(node)`: Node.__array_ufunc__ comes here."""
    name = f"np.{ufunc.__name__}"
    if any(isinstance(out, np.ndarray) for out in kwargs.get("out") or ()):
        raise ArgumentError(
            f"{name} would write a symbolic tensor into an array: write x = x + y, not x += y, "
            "where x is an array and y a tensor"
        )
    function = UFUNCS.get(ufunc.__name__)
    if function is None or method == "at":
        raise ArgumentError(f"{name} has no form for symbolic tensors{_nearest(name)}")
    if method == "__call__":
        return _called(function, name, args, kwargs)
    if method == "outer" and len(args) == 2:
        first, second = (lift([x], name)[0] for x in args)
        wide = layout.reshape(first, (*first.shape, *[1] * second.ndim))
        return _called(function, name, (wide, second), kwargs)
    if (ufunc.__name__, method) in _REDUCTIONS:
        axis = args[1] if len(args) > 1 else kwargs.pop("axis", 0)
        reduction = _REDUCTIONS[ufunc.__name__, method]
        return _called(reduction, name, args[:1], {**kwargs, "axis": axis})
    raise ArgumentError(f"{name}.{method} has no form for symbolic tensors")


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
        if builtins.any(value is nothing for nothing in _NOTHING) and key not in ("axis", "axes"):
            continue
        if key not in known and key in _REFUSED:
            if not (
                key == "where" and value is True or key == "order" and value in ("C", "K", "A")
            ):
                raise ArgumentError(f"{name} has no {key}= for symbolic tensors: {_REFUSED[key]}")
            continue
        given[key] = value
    dtype = given.pop("dtype") if "dtype" in given and "dtype" not in known else None
    try:
        inspect.signature(function).bind(*args, **given)
    except TypeError as error:
        raise ArgumentError(f"{name} of symbolic tensors: {error}") from None
    result = function(*args, **given)
    return result if dtype is None else e.astype(result, dtype)


def _spelled(function: Any) -> str:
    module = getattr(function, "__module__", None) or ""
    inner = "".join(f"{part}." for part in module.split(".")[1:] if not part.startswith("_"))
    return f"{inner}{function.__name__}"


# What to write instead of some functions that are not covered.
_INSTEAD = {
    "np.argmax": "np.max, or np.take_along_axis with indices from outside",
    "np.argmin": "np.min, or np.take_along_axis with indices from outside",
    "np.median": "np.mean",
    "np.nonzero": "np.where(condition, a, b)",
    "np.argwhere": "np.where(condition, a, b)",
    "np.array_equal": "np.all(np.equal(a, b))",
    "np.allclose": "np.all(np.isclose(a, b))",
    "np.unique": "np.sum over np.equal",
    "np.copyto": "np.where(condition, a, b)",
    "np.put": "gc.scatter_add",
    "np.put_along_axis": "gc.scatter_add_along_axis",
    "np.linalg.cond": "np.linalg.norm",
}


def _nearest(name: str) -> str:
    """`; the nearest that has one is np.f`."""
    if name in _INSTEAD:
        return f"; the nearest that has one is {_INSTEAD[name]}"
    covered = [f"np.{_spelled(f)}" for f in TABLE] + [f"np.{f}" for f in UFUNCS]
    close = difflib.get_close_matches(name, covered, 1, cutoff=0.85)
    return f"; the nearest that has one is {close[0]}" if close else ""


# -- ufuncs -----------------------------------------------------------------------------------


def _ufuncs() -> None:
    same = (
        "add subtract multiply divide negative square sqrt reciprocal power exp expm1 log "
        "log1p log2 log10 logaddexp sin cos tan sinh cosh tanh hypot sign floor ceil trunc "
        "equal not_equal less less_equal greater greater_equal logical_and logical_or "
        "logical_xor logical_not isfinite isinf isnan maximum minimum matmul vecdot"
    )
    UFUNCS.update({name: FUNCTIONS[name] for name in same.split()})
    arc = "sin cos tan sinh cosh tanh"
    UFUNCS.update({f"arc{name}": FUNCTIONS[f"a{name}"] for name in arc.split()})
    UFUNCS.update({
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
    })  # fmt: skip


_ufuncs()

# -- reductions -------------------------------------------------------------------------------

means(np.sum)(lambda a, axis=None, keepdims=False: reduce.sum(a, axis, keepdims))
means(np.prod)(lambda a, axis=None, keepdims=False: reduce.prod(a, axis, keepdims))
means(np.max, np.amax)(lambda a, axis=None, keepdims=False: reduce.max(a, axis, keepdims))
means(np.min, np.amin)(lambda a, axis=None, keepdims=False: reduce.min(a, axis, keepdims))
means(np.any)(lambda a, axis=None, keepdims=False: reduce.any(a, axis, keepdims))
means(np.all)(lambda a, axis=None, keepdims=False: reduce.all(a, axis, keepdims))
means(np.mean)(lambda a, axis=None, keepdims=False: reduce.mean(a, axis, keepdims))


@means(np.var)
def _var(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False, **also: float) -> Node:
    return reduce.var(a, axis, also.get("correction", ddof), keepdims)


@means(np.std)
def _std(a: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False, **also: float) -> Node:
    return reduce.std(a, axis, also.get("correction", ddof), keepdims)


@means(np.ptp)
def _ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return reduce.max(a, axis, keepdims) - reduce.min(a, axis, keepdims)


@means(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Any:
    if weights is None:
        return reduce.mean(a, axis, keepdims)
    (x,), (w,) = lift([a], "average"), lift([weights], "average")
    if w.ndim < x.ndim:
        (at,) = shapes.as_axes(axis, x.ndim)
        w = layout.reshape(w, tuple(d if k == at else 1 for k, d in enumerate(x.shape)))
    w = layout.broadcast_to(w, x.shape)
    return reduce.sum(x * w, axis, keepdims) / reduce.sum(w, axis, keepdims)


@means(np.count_nonzero)
def _count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Node:
    return reduce.sum(e.not_equal(a, 0), axis, keepdims)


@means(np.cov)
def _cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None) -> Node:
    (x,) = lift([m], "cov")
    x = x if rowvar or x.ndim == 1 else x.T
    if y is not None:
        raise ArgumentError("np.cov of two arrays: join them first, with np.stack")
    rows = layout.reshape(x, (1, -1)) if x.ndim == 1 else x
    deviation = rows - reduce.mean(rows, axis=1, keepdims=True)
    count = leaves.size(rows.shape[1], rows.dtype) - ((0 if bias else 1) if ddof is None else ddof)
    square = deviation @ deviation.T / count
    return square if x.ndim > 1 else layout.reshape(square, ())


@means(np.corrcoef)
def _corrcoef(x: Any, rowvar: bool = True) -> Any:
    square = _cov(x, rowvar=rowvar)
    spread = e.sqrt(contract.diagonal(square))
    return square / spread[:, None] / spread[None, :]


@means(np.cumsum)
def _cumsum(a: Any, axis: int | None = None) -> Node:
    (x,) = lift([a], "cumsum")
    return scan.cumulative_sum(_flat(x) if axis is None else x, 0 if axis is None else axis)


@means(np.cumprod)
def _cumprod(a: Any, axis: int | None = None) -> Node:
    (x,) = lift([a], "cumprod")
    return scan.cumulative_prod(_flat(x) if axis is None else x, 0 if axis is None else axis)


means(np.cumulative_sum)(lambda x, axis=None: scan.cumulative_sum(x, axis))
means(np.cumulative_prod)(lambda x, axis=None: scan.cumulative_prod(x, axis))


@means(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Node:
    (f,) = lift([y], "trapezoid")
    k = shapes.as_axis(axis, f.ndim)
    if x is not None:
        dx = _diff(x, axis=-1)
        dx = layout.reshape(dx, (*[1] * k, -1, *[1] * (f.ndim - k - 1))) if dx.ndim == 1 else dx
    return reduce.sum((_along(f, k, 1, None) + _along(f, k, None, -1)) * dx / 2.0, axis=k)


# -- products ---------------------------------------------------------------------------------

means(np.dot)(lambda a, b: contract.dot(a, b))
means(np.inner)(lambda a, b: contract.inner(a, b))
means(np.tensordot, np.linalg.tensordot)(lambda a, b, axes=2: contract.tensordot(a, b, axes))
means(np.linalg.matmul)(lambda x1, x2: contract.matmul(x1, x2))
means(np.linalg.vecdot)(lambda x1, x2, axis=-1: contract.vecdot(x1, x2, axis))
means(np.linalg.multi_dot)(lambda arrays: _folded(contract.dot, arrays))
means(np.outer, np.linalg.outer)(lambda a, b: contract.outer(*map(_flat, lift([a, b], "outer"))))
means(np.vdot)(lambda a, b: contract.vdot(*map(_flat, lift([a, b], "vdot"))))


@means(np.einsum)
def _einsum(subscripts: str, *operands: Any, optimize: Any = False) -> Node:
    return contract.einsum(subscripts, *operands)


def _folded(function: Function, arrays: Sequence[Any]) -> Any:
    first, *others = arrays
    for other in others:
        first = function(first, other)
    return first


@means(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Node:
    (x,) = lift([a], "matrix_power")
    if n < 0:
        raise ArgumentError(
            f"matrix_power of symbolic tensors takes no negative power, such as {n}"
        )
    if n == 0:
        return layout.broadcast_to(leaves.eye(x.shape[-1], dtype=x.dtype), x.shape)
    half = _matrix_power(x, n // 2) if n > 1 else None
    square = x if half is None else contract.matmul(half, half)
    return contract.matmul(square, x) if half is not None and n % 2 else square


@means(np.kron)
def _kron(a: Any, b: Any) -> Node:
    x, y = lift([a, b], "kron")
    rank = builtins.max(x.ndim, y.ndim)
    x, y = (layout.reshape(v, (*[1] * (rank - v.ndim), *v.shape)) for v in (x, y))
    wide = x[tuple(i for _ in range(rank) for i in (slice(None), None))]
    product = wide * y[tuple(i for _ in range(rank) for i in (None, slice(None)))]
    return layout.reshape(product, tuple(c * d for c, d in zip(x.shape, y.shape, strict=True)))


@means(np.cross, np.linalg.cross)
def _cross(a: Any, b: Any, axis: int = -1) -> Node:
    x, y = (layout.moveaxis(v, axis, -1) for v in lift([a, b], "cross"))
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ArgumentError(f"cross needs vectors of 3, and was given {x.type} and {y.type}")
    x0, x1, x2 = (x[..., k] for k in range(3))
    y0, y1, y2 = (y[..., k] for k in range(3))
    parts = [x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0]
    return layout.moveaxis(joins.stack(parts, -1), -1, axis)


@means(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    (v,) = lift([x], "norm")
    count = 1 if isinstance(axis, int) else len(axis) if axis is not None else v.ndim
    if ord in (None, "fro") or (ord == 2 and count == 1):
        return reduce.norm(v, axis, keepdims)
    if count == 1 and ord == np.inf:
        return reduce.max(e.abs(v), axis, keepdims)
    if count == 1 and ord == -np.inf:
        return reduce.min(e.abs(v), axis, keepdims)
    if count == 1 and ord == 1:
        return reduce.sum(e.abs(v), axis, keepdims)
    if count == 1 and ord == 0:
        return e.astype(_count_nonzero(v, axis, keepdims), v.dtype)
    if count == 1 and isinstance(ord, int | float):
        return reduce.sum(e.abs(v) ** float(ord), axis, keepdims) ** (1.0 / ord)
    raise ArgumentError(f"norm of symbolic matrices has no ord={ord!r}; the nearest is ord='fro'")


@means(np.linalg.vector_norm)
def _vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Any:
    (v,) = lift([x], "vector_norm")
    if axis is None and not keepdims:
        v = _flat(v)
    return _norm(v, ord, axis, keepdims)


means(np.linalg.matrix_norm)(lambda x, keepdims=False, ord="fro": _norm(x, ord, (-2, -1), keepdims))


@means(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    return reduce.sum(_diagonal(a, offset, axis1, axis2), axis=-1)


@means(np.diagonal)
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    x = layout.moveaxis(a, (axis1, axis2), (-2, -1))
    if offset:
        x = x[..., offset:] if offset > 0 else x[..., -offset:, :]
    rows, columns = x.shape[-2:]
    if rows != columns and isinstance(rows, int) and isinstance(columns, int):
        short = builtins.min(rows, columns)
        x = x[..., :short, :short]
    elif rows != columns and shapes.is_at_least(rows, columns):
        x = x[..., :columns, :]
    elif rows != columns and shapes.is_at_least(columns, rows):
        x = x[..., :rows]
    return contract.diagonal(x)


means(np.linalg.diagonal)(lambda x, offset=0: _diagonal(x, offset, -2, -1))
means(np.linalg.trace)(lambda x, offset=0: _trace(x, offset, -2, -1))


@means(np.diag)
def _diag(v: Any, k: int = 0) -> Any:
    (x,) = lift([v], "diag")
    if x.ndim != 1:
        return _diagonal(x, k)
    margin = ((0, builtins.abs(k)), (builtins.abs(k), 0))
    square = layout.diagonal_matrix(x)
    return square if not k else joins.pad(square, margin if k > 0 else margin[::-1])


means(np.diagflat)(lambda v, k=0: _diag(_flat(lift([v], "diagflat")[0]), k))

# -- shapes -----------------------------------------------------------------------------------

means(np.shape)(lambda a: a.shape)
means(np.ndim)(lambda a: a.ndim)
means(np.reshape)(lambda a, shape: layout.reshape(a, shape))
means(np.ravel)(lambda a: _flat(lift([a], "ravel")[0]))
means(np.transpose, np.permute_dims)(lambda a, axes=None: layout.transpose(a, axes))
means(np.matrix_transpose, np.linalg.matrix_transpose)(lambda x: layout.matrix_transpose(x))
means(np.moveaxis)(lambda a, source, destination: layout.moveaxis(a, source, destination))
means(np.swapaxes)(lambda a, axis1, axis2: layout.swapaxes(a, axis1, axis2))
means(np.broadcast_to)(lambda array, shape: layout.broadcast_to(array, shape))
means(np.flip)(lambda m, axis=None: slices.flip(m, axis))
means(np.flipud)(lambda m: slices.flip(m, 0))
means(np.fliplr)(lambda m: slices.flip(m, 1))
means(np.copy)(lambda a: a)
means(np.real)(lambda val: val)
means(np.iscomplexobj)(lambda x: False)
means(np.isrealobj)(lambda x: True)
means(np.astype)(lambda x, dtype: e.astype(x, dtype))


def _flat(x: Node) -> Node:
    return layout.reshape(x, (x.size,))


@means(np.size)
def _size(a: Node, axis: int | None = None) -> Any:
    return a.size if axis is None else a.shape[axis]


@means(np.expand_dims)
def _expand_dims(a: Any, axis: Any) -> Node:
    (x,) = lift([a], "expand_dims")
    places = axis if isinstance(axis, tuple | list) else (axis,)
    new = {shapes.as_axis(k, x.ndim + len(places)) for k in places}
    rank = x.ndim + len(places)
    return x[tuple(None if k in new else slice(None) for k in range(rank))]


@means(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> Node:
    (x,) = lift([a], "squeeze")
    single = tuple(k for k, d in enumerate(x.shape) if d == 1)
    return slices.squeeze(x, single if axis is None else axis)


@means(np.broadcast_arrays)
def _broadcast_arrays(*args: Any) -> tuple[Node, ...]:
    values = [lift([x], "broadcast_arrays")[0] for x in args]
    shape = shapes.broadcast(*(v.shape for v in values))
    return tuple(layout.broadcast_to(v, shape) for v in values)


def _at_least(rank: int, place: Function) -> Function:
    def function(*arys: Any) -> Any:
        values = [lift([x], f"atleast_{rank}d")[0] for x in arys]
        made = [v if v.ndim >= rank else v[place(v.ndim)] for v in values]
        return made[0] if len(made) == 1 else tuple(made)

    return function


_WHOLE = slice(None)
means(np.atleast_1d)(_at_least(1, lambda have: (None,)))
means(np.atleast_2d)(_at_least(2, lambda have: (None,) * (2 - have) + (_WHOLE,) * have))
means(np.atleast_3d)(
    _at_least(3, lambda have: [(None,) * 3, (None, _WHOLE, None), (_WHOLE, _WHOLE, None)][have])
)


@means(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Node:
    (x,) = lift([a], "roll")
    if axis is None:
        return layout.reshape(_roll(_flat(x), shift, 0), x.shape)
    if isinstance(axis, tuple | list):
        shifts = shift if isinstance(shift, tuple | list) else [shift] * len(axis)
        for by, k in zip(shifts, axis, strict=True):
            x = _roll(x, by, k)
        return x
    k = shapes.as_axis(axis, x.ndim)
    by = shift % x.shape[k] if isinstance(x.shape[k], int) and x.shape[k] else shift
    return joins.concat([_along(x, k, -by, None), _along(x, k, None, -by)], k) if by else x


def _along(x: Node, axis: int, start: Any, stop: Any) -> Node:
    return x[tuple(slice(start, stop) if k == axis else _WHOLE for k in range(x.ndim))]


@means(np.rot90)
def _rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Node:
    (x,) = lift([m], "rot90")
    for _ in range(k % 4):
        x = slices.flip(layout.swapaxes(x, *axes), axes[0])
    return x


@means(np.tile)
def _tile(A: Any, reps: Any) -> Node:
    (x,) = lift([A], "tile")
    counts = list(reps) if isinstance(reps, tuple | list) else [reps]
    rank = builtins.max(x.ndim, len(counts))
    counts = [1] * (rank - len(counts)) + counts
    sizes = (1,) * (rank - x.ndim) + x.shape
    wide = layout.reshape(x, tuple(itertools.chain(*((1, d) for d in sizes))))
    pairs = itertools.chain(*zip(counts, sizes, strict=True))
    total = tuple(c * d for c, d in zip(counts, sizes, strict=True))
    return layout.reshape(layout.broadcast_to(wide, tuple(pairs)), total)


@means(np.repeat)
def _repeat(a: Any, repeats: int, axis: int | None = None) -> Node:
    (x,) = lift([a], "repeat")
    if not isinstance(repeats, int | np.integer):
        raise ArgumentError("repeat of symbolic tensors takes one int; the nearest is np.take")
    x, k = (_flat(x), 0) if axis is None else (x, shapes.as_axis(axis, x.ndim))
    wide = _expand_dims(x, k + 1)
    full = layout.broadcast_to(wide, (*x.shape[: k + 1], int(repeats), *x.shape[k + 1 :]))
    return layout.reshape(full, (*x.shape[:k], x.shape[k] * int(repeats), *x.shape[k + 1 :]))


@means(np.pad)
def _pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Node:
    if mode != "constant":
        raise ArgumentError(
            f"pad of symbolic tensors has no mode={mode!r}; the nearest is 'constant'"
        )
    return joins.pad(array, pad_width, constant_values)


@means(np.tril)
def _tril(m: Any, k: int = 0) -> Node:
    (x,) = lift([m], "tril")
    rows, columns = (leaves.iota(d) for d in x.shape[-2:])
    return e.where(rows[:, None] + k >= columns, x, leaves.constant(0, dtype=x.dtype))


@means(np.triu)
def _triu(m: Any, k: int = 0) -> Node:
    (x,) = lift([m], "triu")
    rows, columns = (leaves.iota(d) for d in x.shape[-2:])
    return e.where(rows[:, None] + k <= columns, x, leaves.constant(0, dtype=x.dtype))


# -- joining and splitting --------------------------------------------------------------------


def _several(arrays: Any) -> list[Node]:
    return [lift([x], "concatenate")[0] for x in arrays]


@means(np.concatenate)
def _concatenate(arrays: Any, axis: int | None = 0) -> Node:
    values = _several(arrays)
    return joins.concat(list(map(_flat, values)) if axis is None else values, axis or 0)


means(np.stack)(lambda arrays, axis=0: joins.stack(_several(arrays), axis))


@means(np.vstack)
def _vstack(tup: Any) -> Node:
    return joins.concat([v if v.ndim > 1 else layout.reshape(v, (1, -1)) for v in _several(tup)])


@means(np.hstack)
def _hstack(tup: Any) -> Node:
    values = [TABLE[np.atleast_1d](v) for v in _several(tup)]
    return joins.concat(values, 0 if values[0].ndim == 1 else 1)


@means(np.dstack)
def _dstack(tup: Any) -> Node:
    return joins.concat([TABLE[np.atleast_3d](v) for v in _several(tup)], 2)


@means(np.column_stack)
def _column_stack(tup: Any) -> Node:
    return joins.concat([v if v.ndim > 1 else v[:, None] for v in _several(tup)], 1)


@means(np.split, np.array_split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Node]:
    (x,) = lift([ary], "split")
    k = shapes.as_axis(axis, x.ndim)
    if isinstance(indices_or_sections, int | np.integer):
        count, length = int(indices_or_sections), x.shape[k]
        if not isinstance(length, int):
            raise ArgumentError(f"split of symbolic tensors needs a known size, and it is {length}")
        sizes = [length // count + (j < length % count) for j in range(count)]
        cuts = list(itertools.accumulate(sizes))[:-1]
    else:
        cuts = list(indices_or_sections)
    return [_along(x, k, a, b) for a, b in itertools.pairwise([0, *cuts, None])]


means(np.hsplit)(lambda ary, indices_or_sections: _split(ary, indices_or_sections, 1))
means(np.vsplit)(lambda ary, indices_or_sections: _split(ary, indices_or_sections, 0))


@means(np.unstack)
def _unstack(x: Any, axis: int = 0) -> tuple[Node, ...]:
    return tuple(layout.moveaxis(x, axis, 0))


@means(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    return _concatenate([arr, values], axis)


@means(np.meshgrid)
def _meshgrid(*xi: Any, indexing: str = "xy", sparse: bool = False) -> tuple[Node, ...]:
    axes = _several(xi)
    rank = len(axes)
    grid = [layout.reshape(v, (*[1] * k, -1, *[1] * (rank - k - 1))) for k, v in enumerate(axes)]
    full = tuple(grid) if sparse else _broadcast_arrays(*grid)
    return tuple(layout.swapaxes(v, 0, 1) for v in full) if indexing == "xy" and rank > 1 else full


# -- elements ---------------------------------------------------------------------------------

means(np.clip)(lambda a, a_min=None, a_max=None, min=None, max=None: e.clip(
    a, a_min if min is None else min, a_max if max is None else max
))  # fmt: skip
means(np.fix)(lambda x: e.trunc(x))
means(np.take_along_axis)(lambda arr, indices, axis=-1: index.take_along_axis(arr, indices, axis))
means(np.zeros_like, np.empty_like)(lambda a, dtype=None: leaves.zeros_like(a, dtype))
means(np.ones_like)(lambda a, dtype=None: leaves.ones_like(a, dtype))
means(np.full_like)(lambda a, fill_value, dtype=None: leaves.full_like(a, fill_value, dtype))
means(np.isclose)(
    lambda a, b, rtol=1e-5, atol=1e-8: e.less_equal(e.abs(e.subtract(a, b)), atol + rtol * e.abs(b))
)


@means(np.where)
def _where(condition: Any, x: Any = None, y: Any = None) -> Node:
    if x is None or y is None:
        raise ArgumentError(
            "np.where(condition) alone finds as many places as its values decide: "
            "write np.where(condition, a, b)"
        )
    return e.where(_as_truth(condition), x, y)


def _as_truth(condition: Any) -> Node:
    (value,) = lift([condition], "where")
    return value if value.dtype == bool else e.not_equal(value, 0)


@means(np.select)
def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0.0) -> Any:
    value = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        value = e.where(_as_truth(condition), choice, value)
    return value


@means(np.round, np.around)
def _round(a: Any, decimals: int = 0) -> Node:
    return e.round(a) if not decimals else e.round(a * 10.0**decimals) / 10.0**decimals


@means(np.nan_to_num)
def _nan_to_num(x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Node:
    (v,) = lift([x], "nan_to_num")
    limits = np.finfo(v.dtype)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    known = e.where(e.isnan(v), nan, v)
    return e.where(e.equal(known, np.inf), high, e.where(e.equal(known, -np.inf), low, known))


@means(np.sinc)
def _sinc(x: Any) -> Node:
    y = e.multiply(x, math.pi)
    return e.where(e.equal(y, 0.0), 1.0, e.sin(y) / e.where(e.equal(y, 0.0), 1.0, y))


@means(np.take)
def _take(a: Any, indices: Any, axis: int | None = None) -> Node:
    (x,) = lift([a], "take")
    return index.take(_flat(x) if axis is None else x, indices, axis or 0)


@means(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1) -> Node:
    (x,) = lift([a], "diff")
    k = shapes.as_axis(axis, x.ndim)
    for _ in range(n):
        x = _along(x, k, 1, None) - _along(x, k, None, -1)
    return x


@means(np.gradient)
def _gradient(f: Any, spacing: float = 1.0, axis: Any = None) -> Any:
    (x,) = lift([f], "gradient")
    axes = shapes.as_axes(axis, x.ndim)
    found = []
    for k in axes:
        inside = (_along(x, k, 2, None) - _along(x, k, None, -2)) / (2 * spacing)
        first = (_along(x, k, 1, 2) - _along(x, k, 0, 1)) / spacing
        last = (_along(x, k, -1, None) - _along(x, k, -2, -1)) / spacing
        found.append(joins.concat([first, inside, last], k))
    return found[0] if len(found) == 1 else tuple(found)


@means(np.convolve)
def _convolve(a: Any, v: Any, mode: str = "full") -> Node:
    x, y = lift([a, v], "convolve")
    n, m = x.shape[0], y.shape[0]
    if not isinstance(m, int) or (isinstance(n, int) and n < m):
        x, y, n, m = y, x, m, n
    if not isinstance(m, int):
        raise ArgumentError(f"convolve needs one array of known size, and they are {n} and {m}")
    wide = joins.pad(x, (m - 1, m - 1))
    parts = [wide[m - 1 - j : n + 2 * (m - 1) - j] * y[j] for j in range(m)]
    full: Node = _folded(e.add, parts)
    if mode == "full":
        return full
    start = m - 1 if mode == "valid" else (m - 1) // 2
    return full[start : start + (n - m + 1 if mode == "valid" else n)]


@means(np.correlate)
def _correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    return _convolve(a, slices.flip(v), mode)


@means(np.polyval)
def _polyval(p: Any, x: Any) -> Any:
    coefficients = list(p)
    value = coefficients[0] + 0.0 * x
    for c in coefficients[1:]:
        value = value * x + c
    return value


@means(np.vander)
def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Node:
    (v,) = lift([x], "vander")
    count = v.shape[0] if N is None else N
    powers = [leaves.ones_like(v)]
    for _ in range(count - 1):
        powers.append(powers[-1] * v)
    return joins.stack(powers if increasing else powers[::-1], 1)


@means(np.interp)
def _interp(x: Any, xp: Any, fp: Any) -> Any:
    """A sum of clipped ramps: linear between the points, flat outside."""
    (v,), (at,), (of,) = (lift([a], "interp") for a in (x, xp, fp))
    slopes = _diff(of) / _diff(at)
    ramps = e.minimum(e.maximum(v[..., None], at[:-1]), at[1:]) - at[:-1]
    return of[0] + reduce.sum(ramps * slopes, axis=-1)


# -- methods ----------------------------------------------------------------------------------


def _no_item(wanted: str) -> Function:
    def refuse(x: Node, *_: Any) -> NoReturn:
        x._no_value(wanted)

    return refuse


def _in_place(name: str) -> Function:
    def refuse(x: Node, *_: Any, **__: Any) -> NoReturn:
        raise ArgumentError(
            f"{x.label}.{name}() would change a tensor, and none can be: use the value that a "
            "function returns, such as np.where, np.full_like or np.concatenate"
        )

    return refuse


_METHODS: dict[str, Function] = {
    "item": _no_item("item"),
    "tolist": _no_item("list"),
    "flatten": lambda x: _flat(x),
    "astype": lambda x, dtype, copy=True: e.astype(x, dtype),
    "dot": contract.dot,
    "conj": lambda x: x,
    "fill": _in_place("fill"),
    "itemset": _in_place("itemset"),
    "put": _in_place("put"),
    "clip": TABLE[np.clip],
    "view": _in_place("view"),
}
_VARIADIC: dict[str, Function] = {
    "reshape": layout.reshape,
    "transpose": lambda x, axes=None: layout.transpose(x, axes),
}


# -- the array API's namespace ----------------------------------------------------------------


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
        close = difflib.get_close_matches(name, members, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
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
    "abs acos acosh add all any asin asinh astype atan atan2 atanh broadcast_to ceil clip "
    "concat cos cosh cumulative_prod cumulative_sum divide equal exp expand_dims expm1 "
    "eye flip floor full full_like greater greater_equal hypot isfinite isinf isnan less "
    "less_equal log log10 log1p log2 logaddexp logical_and logical_not logical_or "
    "logical_xor matmul matrix_transpose max maximum mean min minimum moveaxis multiply "
    "negative not_equal ones ones_like permute_dims power prod reciprocal reshape round "
    "sign sin sinh sqrt square squeeze stack std subtract sum take take_along_axis tan "
    "tanh tensordot trunc var vecdot where zeros zeros_like"
)

_API: dict[str, Any] = {name: FUNCTIONS[name] for name in _STANDARD.split()}
_API.update({
    "__array_api_version__": "2023.12",
    "asarray": _asarray, "arange": _arange, "linspace": _linspace,
    "broadcast_arrays": lambda *arrays: list(_broadcast_arrays(*arrays)),
    "empty": leaves.zeros, "empty_like": leaves.zeros_like,
    "expand_dims": lambda x, axis=0: _expand_dims(x, axis),
    "bitwise_and": e.logical_and, "bitwise_or": e.logical_or, "bitwise_xor": e.logical_xor,
    "bitwise_invert": e.logical_not,
    "positive": lambda x: x, "conj": lambda x: x, "real": lambda x: x,
    "floor_divide": UFUNCS["floor_divide"], "remainder": UFUNCS["remainder"],
    "copysign": UFUNCS["copysign"], "signbit": UFUNCS["signbit"],
    "roll": _roll, "tile": _tile, "repeat": _repeat, "unstack": _unstack, "diff": _diff,
    "tril": _tril, "triu": _triu, "count_nonzero": _count_nonzero,
    "meshgrid": lambda *arrays, indexing="xy": list(_meshgrid(*arrays, indexing=indexing)),
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
        "matrix_transpose": layout.matrix_transpose, "outer": contract.outer, "cross": _cross,
        "diagonal": lambda x, offset=0: _diagonal(x, offset, -2, -1),
        "trace": lambda x, offset=0: _trace(x, offset, -2, -1),
        "vector_norm": _vector_norm, "matrix_norm": TABLE[np.linalg.matrix_norm],
        "matrix_power": _matrix_power,
    }),
})  # fmt: skip
NAMESPACE = Namespace("graphc array API", _API)
FUNCTIONS["array_namespace"] = lambda: NAMESPACE
