"""Leaves: what a graph begins with. Inputs, constants, sizes, ranges, and tensors of one value."""

from __future__ import annotations

import base64
import functools
import itertools
import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import forms, shapes
from ..errors import ArgumentError, DTypeError, NameClash
from ..ir import OPS, Node, Op, declare, example, no_flops, spelling
from ..shapes import as_dim, as_shape
from ..tensor_type import DTYPE_NAMES, TensorType, as_dtype, tensor
from ..wording import a_kind


class Value:
    """The value of a constant: a read-only array, compared by its bytes (so that 0 is not -0)."""

    __slots__ = ("_key", "array", "number")

    def __init__(self, array: np.ndarray[Any, Any] | np.generic) -> None:
        self.array: np.ndarray[Any, Any] = np.array(array, order="C")
        self.array.flags.writeable = False
        # The one number that it is, without axes. Rules ask for it again and again.
        self.number = None if self.array.ndim else self.array[()]
        self._key = (self.array.dtype.str, self.array.shape, self.array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple[Any, ...]:
        return Value, (self.array,)

    def __repr__(self) -> str:
        return np.array2string(self.array, threshold=8, separator=", ")


@functools.lru_cache(maxsize=256)
def _number(digits: str) -> Value:
    """The value of a float64 constant (by its hex form: 0.0 == -0.0, but their digits differ)."""
    return Value(np.array(float.fromhex(digits)))


def literal(value: np.generic | bool | int | float, dtype: np.dtype[Any]) -> str:
    """One number as Python text: exact, and never the wrong zero."""
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and not np.isfinite(number):
        text = "np.nan" if np.isnan(number) else "np.inf" if number > 0 else "-np.inf"
    elif dtype == np.float32:
        text = str(np.float32(number))  # the shortest text that rounds to this float32
    else:
        text = repr(number)
    return f"({text})" if text.startswith("-") else text


def _constant_text(node: Node) -> str:
    array = node.attrs["value"].array
    if array.ndim == 0:
        return f"np.{array.dtype.name}({literal(array[()], array.dtype)})"
    if array.size <= 64:
        rows = np.array2string(
            array, separator=", ", threshold=65, max_line_width=10**6,
            formatter={"all": lambda v: literal(v, array.dtype)},  # type: ignore[arg-type]
        )  # fmt: skip
        if array.size == 0:
            return f"np.empty({array.shape}, np.{array.dtype.name})"
        return f"np.array({' '.join(rows.split())}, np.{array.dtype.name})"
    digits = base64.b64encode(array.tobytes()).decode()
    return f"from_bytes({digits!r}, np.{array.dtype.name}, {array.shape})"


_input = Op(
    "input",
    infer=lambda name, type, **facts: type,
    numpy="x0",
    flops=no_flops,
    family="leaf",
)

_constant = Op(
    "constant",
    infer=lambda value: tensor(value.array.shape, value.array.dtype),
    numpy=_constant_text,
    flops=no_flops,
    family="leaf",
    examples=(
        example(value=Value(np.float64(-0.0))),
        example(value=Value(np.array([[np.nan, np.inf], [-np.inf, 0.1]]))),
        example(value=Value(np.array([0.1, 1e-40], np.float32))),
        example(value=Value(np.arange(100))),
        example(value=Value(np.empty((0, 3)))),
    ),
)

_size = Op(
    "size",
    infer=lambda dim, dtype: tensor((), dtype),
    numpy=lambda n: f"np.{n.dtype.name}({shapes.source(n.attrs['dim'])})",
    flops=no_flops,
    family="leaf",
    examples=(example(dim=as_dim("n"), dtype=np.dtype(np.int64)),),
)

_iota = Op(
    "iota",
    infer=lambda length, dtype: tensor((length,), dtype),
    numpy=lambda n: f"np.arange({shapes.source(n.attrs['length'])}, dtype=np.{n.dtype.name})",
    flops=no_flops,
    family="leaf",
    examples=(example(length=4, dtype=np.dtype(np.int64)),),
)

_eye = Op(
    "eye",
    infer=lambda rows, columns, k, dtype: tensor((rows, columns), dtype),
    numpy=lambda n: "np.eye({}, {}, {}, np.{})".format(
        *(shapes.source(n.attrs[a]) for a in ("rows", "columns")), n.attrs["k"], n.dtype.name
    ),
    flops=no_flops,
    family="leaf",
    examples=(example(rows=3, columns=4, k=1, dtype=np.dtype(np.float64)),),
)


def input(
    name: str,
    shape: object = (),
    dtype: DTypeLike = np.float64,
    *,
    positive: bool = False,
    between: tuple[float, float] | None = None,
    distribution: bool = False,
) -> Node:
    """A value that the compiled function is given: `input("X", (n, 784))`.

    What is known of its elements can be declared, for simplifying to use: `positive=True`, or
    `between=(0, 1)` with both ends included; `distribution=True` says that along the last axis they
    are parts of a whole: none negative, the sum 1. `compile(..., check_facts=True)` has it checked.

    >>> import graphc as gc
    >>> gc.input("X", ("n", 784))
    <X: f64[n, 784] = input>
    >>> gc.input("p", ("n",), between=(0, 1))
    <p: f64[n] = input>
    """
    if not isinstance(name, str) or not name:
        raise NameClash(f"an input's name must be a string that is not empty, and {name!r} is not")
    plain = str.__str__(name)  # of an enum too: its repr is no Python text
    facts: dict[str, Any] = {"positive": True} if positive else {}
    if between is not None:
        low, high = facts["between"] = _interval(between)
        if positive and high <= 0:
            raise ArgumentError(f"no number is positive and between {low} and {high}")
    if distribution:
        facts["distribution"] = True
    if isinstance(shape, str) and shape in DTYPE_NAMES:
        raise ArgumentError(
            f"{shape} is a dtype, and a shape comes before it: write dtype={shape!r}"
        )
    if not isinstance(shape, tuple | list) and _is_size(dtype):
        raise ArgumentError(
            f"the sizes of {plain} belong in one tuple, as in ({shape!r}, {dtype!r}): what follows "
            "a shape is a dtype, called by its whole name"
        )
    kind = tensor(shape, dtype)
    if distribution and not (kind.is_float and kind.shape):
        raise ArgumentError(f"distribution=True needs floats along an axis, and {plain} is {kind}")
    return declare(_input(name=plain, type=kind, **facts))


_fresh = itertools.count()


def placeholder(type_: TensorType, name: str = "") -> Node:
    """An input that nobody else has: it stands for a value while a graph is transformed."""
    # The token makes it an input like no other; what it is called is for people.
    known = name or f"placeholder {next(_fresh)}"
    return _input(name=known, type=type_, token=object())


def _is_size(dtype: Any) -> bool:
    """Whether a size was given for a dtype: to NumPy the letter d, too, is a dtype."""
    if not isinstance(dtype, str):
        return isinstance(dtype, int) or shapes.is_expression(dtype)
    return dtype.isidentifier() and (len(dtype) == 1 or not hasattr(np, dtype))


def _interval(between: Any) -> tuple[float, float]:
    """Both ends of what is declared as (low, high)."""
    ends = between if isinstance(between, tuple | list) else ()
    if len(ends) != 2 or not all(isinstance(end, int | float | np.number) for end in ends):
        raise ArgumentError(f"between=(low, high) needs two numbers, and got {between!r}")
    low, high = map(float, ends)
    if not low <= high:
        raise ArgumentError(f"between=(low, high) needs low <= high, and got {between!r}")
    return low, high


# What arrays hold that hold no numbers, by the letter of their kind, and what to do.
_NO_NUMBERS = {
    "O": ("objects", "np.asarray(x, float) makes numbers of what float can read"),
    "U": ("text", "np.asarray(x, float) reads numbers"),
    "S": ("bytes", "np.asarray(x, float) reads numbers"),
    "M": ("dates", "count days, as by (x - x[0]) / np.timedelta64(1, 'D')"),
    "m": ("durations", "count days, as by x / np.timedelta64(1, 'D')"),
}


@spelling
def constant(value: Any, dtype: DTypeLike | None = None) -> Node:
    """A tensor that is known now: a number, an array, nested lists.

    >>> import graphc as gc
    >>> gc.constant([1.0, 2.0]).type
    f64[2]
    """
    if type(value) is float and dtype == np.float64:
        return _constant(value=_number(value.hex()))
    if isinstance(value, Node):
        raise ArgumentError("constant takes a number or an array, and was given a node")
    if any(isinstance(leaf, Node) for leaf in forms.leaves(value)):
        raise ArgumentError("a list of nodes is no tensor by itself: join them with gc.stack")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"constant cannot make an array of {value!r}: {error}") from None
    if isinstance(value, np.ma.MaskedArray):
        raise ArgumentError(
            "of a masked array the mask would be lost: choose with gc.where, or fill it first"
        )
    if array.dtype.kind not in "biufc":
        if isinstance(value, int):
            raise DTypeError(f"{value} does not fit in int64")
        if any(shapes.is_expression(held) for held in np.ravel(array)):
            raise DTypeError("sizes are no numbers yet: gc.size takes one, gc.stack takes several")
        if not array.ndim and array.dtype == object:
            raise DTypeError(f"a tensor holds numbers, and was given {a_kind(value)}")
        held, cure = _NO_NUMBERS.get(array.dtype.kind, ("records", "take one of their fields"))
        raise DTypeError(f"a tensor holds numbers, and this holds {held}: {cure}")
    wanted = as_dtype(array.dtype if dtype is None else dtype)
    with np.errstate(all="ignore"):
        taken = array.astype(wanted)
    is_rounded = wanted.kind == "f" and array.dtype.kind in "biuf"  # as every float is
    if not is_rounded and not np.array_equal(taken, array):
        raise DTypeError(f"{value} does not fit in {wanted}")
    return _constant(value=Value(taken))


@spelling
def size(dim: object, dtype: DTypeLike = np.int64) -> Node:
    """A size as a scalar of the graph: `size(n)`.

    >>> import graphc as gc
    >>> gc.size("n").type
    i64[]
    """
    known = as_dim(dim)
    if isinstance(known, int):
        return constant(known, dtype=dtype)
    return _size(dim=known, dtype=as_dtype(dtype))


@spelling
def iota(length: object, dtype: DTypeLike = np.int64) -> Node:
    """0, 1, ..., length - 1.

    >>> import graphc as gc
    >>> gc.evaluate(gc.iota(3), {})
    array([0, 1, 2])
    """
    if _is_size(dtype):
        raise ArgumentError(f"iota counts from 0: {length!r} + gc.iota(n) from {length!r} on")
    return _iota(length=as_dim(length), dtype=as_dtype(dtype))


@spelling
def eye(
    n_rows: object, n_cols: object = None, *, k: int = 0, dtype: DTypeLike = np.float64
) -> Node:
    """Ones on the k-th diagonal, zeros elsewhere.

    >>> import graphc as gc
    >>> gc.evaluate(gc.eye(2), {})
    array([[1., 0.],
           [0., 1.]])
    """
    rows = as_dim(n_rows)
    columns = rows if n_cols is None else as_dim(n_cols)
    return _eye(rows=rows, columns=columns, k=operator.index(k), dtype=as_dtype(dtype))


@spelling
def full(shape: object, fill_value: Any, dtype: DTypeLike | None = None) -> Node:
    """A tensor that holds one value everywhere.

    >>> import graphc as gc
    >>> gc.full(("n", 2), 0.5).type
    f64[n, 2]
    """
    value = fill_value if isinstance(fill_value, Node) else constant(fill_value, dtype=dtype)
    if value.ndim:
        raise ArgumentError(f"full takes one number, and was given {value.type}")
    if dtype is not None and value.dtype != as_dtype(dtype):
        value = OPS["astype"](value, dtype=as_dtype(dtype))
    target = as_shape(shape)
    return value if not target else OPS["broadcast_to"](value, shape=target)


@spelling
def zeros(shape: object, dtype: DTypeLike = np.float64) -> Node:
    """A tensor of zeros.

    >>> import graphc as gc
    >>> gc.evaluate(gc.zeros(2), {})
    array([0., 0.])
    """
    return full(shape, 0, dtype)


@spelling
def ones(shape: object, dtype: DTypeLike = np.float64) -> Node:
    """A tensor of ones.

    >>> import graphc as gc
    >>> gc.evaluate(gc.ones(2), {})
    array([1., 1.])
    """
    return full(shape, 1, dtype)


def _type_like(x: Any, dtype: DTypeLike | None) -> TensorType:
    if not isinstance(x, Node):
        x = constant(x)
    known: TensorType = x.type
    return known if dtype is None else known.with_dtype(dtype)


@spelling
def full_like(x: Any, fill_value: Any, dtype: DTypeLike | None = None) -> Node:
    """A tensor of x's shape and dtype that holds one value everywhere.

    >>> import graphc as gc
    >>> gc.full_like(gc.input("x", ("n",)), 2).type
    f64[n]
    """
    like = _type_like(x, dtype)
    return full(like.shape, fill_value, like.dtype)


@spelling
def zeros_like(x: Any, dtype: DTypeLike | None = None) -> Node:
    """Zeros of x's shape and dtype.

    >>> import graphc as gc
    >>> gc.zeros_like(gc.input("x", ("n",))).type
    f64[n]
    """
    return full_like(x, 0, dtype)


@spelling
def ones_like(x: Any, dtype: DTypeLike | None = None) -> Node:
    """Ones of x's shape and dtype.

    >>> import graphc as gc
    >>> gc.ones_like(gc.input("x", ("n",))).type
    f64[n]
    """
    return full_like(x, 1, dtype)


