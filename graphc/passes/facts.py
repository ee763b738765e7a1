"""Facts: what is known of a value before it is computed, from declarations and from how it is made.

A fact is an interval that holds every element that is not NaN. Constants, sizes and declared inputs
begin with one; operations hand it on. Only a few operations back are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..ir import Node

_DEPTH = 6
_INFINITY = float("inf")
# By how much bounds that were computed are widened: by more than what is rounded.
_MARGIN = 1e-6


class Interval(NamedTuple):
    """From `low` to `high`, both included."""

    low: float
    high: float

    @property
    def is_positive(self) -> bool:
        return self.low > 0

    @property
    def is_not_negative(self) -> bool:
        return self.low >= 0

    @property
    def size(self) -> float:
        """The largest absolute value."""
        return max(abs(self.low), abs(self.high))

    def is_tame(self, dtype: Any = "float64") -> bool:
        """Neither zero nor so small or large that products of two leave the range of a dtype."""
        # A bit more than 2**63, which is the largest size: what is computed of it is widened.
        largest = 2.0**200 if np.dtype(dtype) == np.float64 else 2.0**63 * (1 + 4 * _MARGIN)
        smallest = min(abs(self.low), abs(self.high))
        return self.low * self.high > 0 and smallest >= 1 / largest and self.size <= largest


ANYTHING = Interval(-_INFINITY, _INFINITY)
_FACTS = {"positive", "between", "distribution"}
_UNIT = Interval(0.0, 1.0)


def interval(v: Node, depth: int = _DEPTH) -> Interval:
    """Where the elements of a value lie.

    >>> import graphc as gc
    >>> interval(gc.exp(gc.input("x", ("n",))))
    Interval(low=0.0, high=inf)
    """
    if v.op.name == "constant":
        return _of_array(v.attrs["value"].array)
    if v.op.name == "input":
        said, (least, most) = declared(v), _all_of(v)
        return said if said is ANYTHING else Interval(max(said.low, least), min(said.high, most))
    if v.op.name == "size":
        return Interval(1.0, 2.0**63)
    if v.dtype == bool:
        return _UNIT
    rule = _RULES.get(v.op.name)
    if rule is None or not depth:
        return _all_of(v)
    found = rule(v, *[interval(x, depth - 1) for x in v.inputs])
    if found is ANYTHING and v.type.is_float:
        return found
    low, high = found
    low = low if low in _EXACT else low - abs(low) * _MARGIN
    high = high if high in _EXACT else high + abs(high) * _MARGIN
    if v.dtype == np.float32:
        low, high = _in_single(low), _in_single(high)
    if low != low or high != high or (v.op.name in _WRAPS and _wraps(v, low, high)):
        return _all_of(v)
    return Interval(low, high)


_EXACT = (0.0, 1.0, -1.0, _INFINITY, -_INFINITY)


def _in_single(bound: float) -> float:
    """A bound of what is computed in single precision: there exp(100) is infinite."""
    with np.errstate(all="ignore"):
        return float(np.float32(bound))


# What leaves the range of an integer comes back at its other end.
_WRAPS = {"add", "subtract", "multiply", "negative", "square", "abs", "sum"}


def _wraps(v: Node, low: float, high: float) -> bool:
    if v.dtype.kind not in "iu":
        return False
    limits = np.iinfo(v.dtype)
    return low < int(limits.min) or high > int(limits.max)


def _all_of(v: Node) -> Interval:
    """All that a dtype holds."""
    if v.dtype.kind not in "iu":
        return ANYTHING
    limits = np.iinfo(v.dtype)
    return Interval(float(limits.min), float(limits.max))


def declared(v: Node) -> Interval:
    """What was said of an input when it was declared."""
    if _FACTS.isdisjoint(v.attrs) and v.type.is_float:
        return ANYTHING
    low, high = v.attrs.get("between", _UNIT if v.attrs.get("distribution") else ANYTHING)
    if v.attrs.get("positive"):
        low = max(low, float(np.finfo(v.dtype).smallest_subnormal) if v.type.is_float else 1)
    if v.dtype.kind in "bu":
        low = max(low, 0.0)
    if v.type.is_float:  # 0.3 as a float32 is more than 0.3
        low, high = v.dtype.type(low), v.dtype.type(high)
    return Interval(float(low), float(high))


def sums_to_one(v: Node, axes: tuple[int, ...]) -> bool:
    """Whether the elements along some axes sum to 1 wherever they are numbers.

    >>> import graphc as gc
    >>> sums_to_one(gc.softmax(gc.input("x", ("n", 3))), (1,))
    True
    """
    if v.op.name not in ("divide", "input", "astype") or 0 in v.shape:  # of nothing it is 0
        return False
    if v.op.name == "divide":
        top, whole = v.inputs
        if whole.op.name != "sum" or whole.inputs[0] is not top or whole.attrs["axis"] != axes:
            return False
        return stands_beside(whole)
    if axes != (v.ndim - 1,):
        return False
    if v.op.name == "input":
        return bool(v.attrs.get("distribution"))
    labels = labels_of(v)
    if labels is None or not isinstance(v.shape[-1], int):
        return False
    low, high = interval(labels)
    return low >= 0 and high < v.shape[-1]


def labels_of(v: Node) -> Node | None:
    """The labels of `one_hot(labels, k)`, with an axis of size 1 where the classes are."""
    if v.op.name != "astype" or v.inputs[0].op.name != "equal":
        return None
    labels, classes = v.inputs[0].inputs
    if classes.op.name != "iota" or labels.dtype.kind not in "iu" or not labels.ndim:
        return None
    return labels if labels.shape[-1] == 1 and labels.ndim == v.ndim else None


def _of_array(array: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Interval:
    if not array.ndim:
        number = float(array)
        return Interval(number, number) if number == number else ANYTHING
    if not array.size or array.size > 64 or np.any(np.isnan(array)):
        return ANYTHING
    return Interval(float(np.min(array)), float(np.max(array)))


def _corners(f: Callable[[float, float], float], a: Interval, b: Interval) -> Interval:
    """Of an operation that is monotone in each operand."""
    if a is b is ANYTHING:
        return ANYTHING
    try:
        found = [f(x, y) for x in a for y in b]
    except (ZeroDivisionError, OverflowError):
        return ANYTHING
    if any(value != value for value in found):
        return ANYTHING
    return Interval(min(found), max(found))


def _product(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y


def _quotient(x: float, y: float) -> float:
    return 0.0 if x == 0 or abs(y) == _INFINITY else x / y


def _divide(v: Node, a: Interval, b: Interval) -> Interval:
    if _is_softmax(v):
        return Interval(0.0, 1.0)
    if b.low <= 0 <= b.high:  # it may be -0
        return ANYTHING
    return _corners(_quotient, a, b)


def _is_softmax(v: Node) -> bool:
    """exp(x) / sum(exp(x)): a share of the whole, where the sum stands beside what it is of."""
    top, whole = v.inputs
    if top.op.name != "exp" or whole.op.name != "sum" or whole.inputs[0] is not top:
        return False
    return stands_beside(whole)


def _square(v: Node, a: Interval) -> Interval:
    nearest = 0.0 if a.low <= 0 <= a.high else min(abs(a.low), abs(a.high))
    return Interval(nearest * nearest, a.size * a.size)


def _abs(v: Node, a: Interval) -> Interval:
    return Interval(0.0 if a.low <= 0 <= a.high else min(abs(a.low), abs(a.high)), a.size)


def _increasing(f: Callable[[float], float]) -> Callable[[Node, Interval], Interval]:
    def rule(v: Node, a: Interval) -> Interval:
        with np.errstate(all="ignore"):
            return Interval(float(f(np.float64(a.low))), float(f(np.float64(a.high))))

    return rule


def _odd_below_one(v: Node, a: Interval) -> Interval:
    return Interval(-1.0 if a.low < 0 else 0.0, 1.0 if a.high > 0 else 0.0)


def _multiply(v: Node, a: Interval, b: Interval) -> Interval:
    if v.inputs[0] is v.inputs[1]:
        return _square(v, a)
    return _corners(_product, a, b)


def _sum(v: Node, a: Interval) -> Interval:
    """Signs are kept; sizes are not known here."""
    return Interval(0.0 if a.low >= 0 else -_INFINITY, 0.0 if a.high <= 0 else _INFINITY)


def _same(v: Node, a: Interval) -> Interval:
    return a


def _either(v: Node, condition: Interval, a: Interval, b: Interval) -> Interval:
    return Interval(min(a.low, b.low), max(a.high, b.high))


_RULES: dict[str, Callable[..., Interval]] = {
    "add": lambda v, a, b: _corners(lambda x, y: x + y, a, b),
    "subtract": lambda v, a, b: _corners(lambda x, y: x - y, a, b),
    "multiply": _multiply,
    "divide": _divide,
    "negative": lambda v, a: Interval(-a.high, -a.low),
    "reciprocal": lambda v, a: _divide_one(a),
    "square": _square,
    "abs": _abs,
    "relu": lambda v, a: Interval(max(a.low, 0.0), max(a.high, 0.0)),
    "sqrt": lambda v, a: Interval(max(a.low, 0.0) ** 0.5, max(a.high, 0.0) ** 0.5),
    "exp": _increasing(np.exp),
    "tanh": _odd_below_one,
    "erf": _odd_below_one,
    "erfc": lambda v, a: Interval(1.0 if a.high <= 0 else 0.0, 1.0 if a.low >= 0 else 2.0),
    "erfcx": lambda v, a: Interval(0.0, 1.0 if a.low >= 0 else _INFINITY),
    "sigmoid": lambda v, a: _UNIT,
    "softplus": lambda v, a: Interval(0.0, _INFINITY),
    "sin": lambda v, a: Interval(-1.0, 1.0),
    "cos": lambda v, a: Interval(-1.0, 1.0),
    "cosh": lambda v, a: Interval(1.0, _INFINITY),
    "hypot": lambda v, a, b: Interval(0.0, _INFINITY),
    "maximum": lambda v, a, b: Interval(max(a.low, b.low), max(a.high, b.high)),
    "minimum": lambda v, a, b: Interval(min(a.low, b.low), min(a.high, b.high)),
    "where": _either,
    "astype": lambda v, a: a if v.type.is_float else _all_of(v),
    "sum": _sum,
    **dict.fromkeys(
        ("broadcast_to", "reshape", "permute_dims", "getitem", "max", "min", "stop_gradient"), _same
    ),
}


def _divide_one(a: Interval) -> Interval:
    if a.low <= 0 <= a.high:  # it may be -0
        return ANYTHING
    return Interval(1.0 / a.high, 1.0 / a.low)


def stands_beside(total: Node) -> bool:
    """Whether what was reduced broadcasts with its reduction, axis by axis."""
    return bool(total.attrs["keepdims"]) or are_first(total.attrs["axis"])


def are_first(axes: tuple[int, ...]) -> bool:
    """Whether axes are the first ones, which broadcasting puts back itself."""
    return axes == tuple(range(len(axes)))
