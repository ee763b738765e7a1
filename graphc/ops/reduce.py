"""Reductions: sum, prod, max, min, any, all; and what is composed of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import shapes
from ..errors import DTypeError
from ..ir import Example, Node, Op, cuts_path, example, lift, spelling
from ..options import truth
from ..shapes import Dim, as_axes
from ..tensor_type import TensorType
from . import elementwise as e
from .chain import guarded, times
from .layout import broadcast_to, permute_dims, reshape
from .leaves import literal, size
from .scan import products_of_others, widened
from .slices import expand_dims

Axis = int | tuple[int, ...] | None


def reduced(x: TensorType, axis: tuple[int, ...], keepdims: bool) -> TensorType:
    """x without some axes, or with one element along each."""
    return x.with_shape(
        1 if k in axis else d for k, d in enumerate(x.shape) if keepdims or k not in axis
    )


def _initial(n: Node) -> list[str]:
    """The argument that says what the result is of nothing, where there is one."""
    if "initial" not in n.attrs:
        return []
    return [f"initial={literal(n.attrs['initial'], n.dtype).strip('()')}"]


def _text(function: str, *more: str) -> Any:
    def text(n: Node) -> str:
        axis, keepdims = n.attrs["axis"], n.attrs["keepdims"]
        where = axis[0] if len(axis) == 1 else axis
        every = len(axis) == n.inputs[0].ndim and not keepdims
        arguments = [] if every else [f"axis={where}", *(["keepdims=True"] if keepdims else [])]
        # The method: np.sum and its like take microseconds to find it.
        return f"x0.{function}({', '.join([*arguments, *_initial(n), *more])})"

    return text


def _flops(n: Node) -> Dim:
    return n.inputs[0].type.size


_EXAMPLES: tuple[Example, ...] = (
    example([2, 3], axis=(0, 1), keepdims=False),
    example([2, 3], axis=(1,), keepdims=True),
    example([2, 3, 2], axis=(0, 2), keepdims=False),
    example(["n", 3], axis=(0,), keepdims=False),
    example([], axis=(), keepdims=False),
)


def _spread(g: Node, node: Node) -> Node:
    """A reduction's gradient or result, in the shape of its input."""
    axes = node.attrs["axis"]
    if not node.attrs["keepdims"]:
        # Leading axes come by broadcasting; the others must be put back in their places.
        leading = next((k for k in range(node.inputs[0].ndim) if k not in axes), len(axes))
        for k in axes:
            if k > leading:
                g = expand_dims(g, k - leading)
    return broadcast_to(g, node.inputs[0].shape)


def reduction(name: str, fold: str, *, infer: Any = reduced, bprop: Any, **options: Any) -> Op:
    """A record of the family, whose text is the method of its name."""
    return Op(
        name,
        infer=infer,
        numpy=_text(name),
        fold=fold,
        bprop=bprop,
        flops=_flops,
        family="reduce",
        **{"into": _text(name, "out=out"), "examples": _EXAMPLES, **options},
    )


def _summed(x: TensorType, axis: tuple[int, ...], keepdims: bool) -> TensorType:
    return widened(reduced(x, axis, keepdims))


def _may_be_short(x: Node) -> bool:
    """Whether the last axis may have so few elements that NumPy's loops along it only begin."""
    return x.ndim > 1 and not (isinstance(x.shape[-1], int) and x.shape[-1] > 32)


def _sum_text(*more: str) -> Any:
    """Along the last axis, or the one before it where the last may be short: see the helper."""
    by_method = _text("sum", *more)

    def text(n: Node) -> str:
        (x,), axis, keepdims = n.inputs, n.attrs["axis"], n.attrs["keepdims"]
        is_last = axis == (x.ndim - 1,) and x.ndim > 1
        is_beside = axis == (x.ndim - 2,) and _may_be_short(x)
        if not x.type.is_float or not (is_last or is_beside):
            return str(by_method(n))
        arguments = ["x0", str(axis[0]), *(["keepdims=True"] if keepdims else []), *more]
        return f"summed({', '.join(arguments)})"

    return text


_sum = reduction(
    "sum",
    "np.add",
    infer=_summed,
    into=_sum_text("out=out"),
    part=_sum_text(),
    bprop=lambda n, i, g: _spread(g, n),
    guard=(0, lambda n, condition, _: _any(condition, **n.attrs)),
)


def _prod_bprop(node: Node, i: int, g: Node) -> Node:
    """Each factor's share is the product of all the others: from the left times from the right."""
    x, axes = node.inputs[0], node.attrs["axis"]
    kept = tuple(k for k in range(x.ndim) if k not in axes)
    order = (*kept, *axes)
    moved = permute_dims(x, order)
    length = shapes.size(tuple(x.shape[k] for k in axes))
    flat = reshape(moved, (*(x.shape[k] for k in kept), length))
    others = reshape(products_of_others(flat), moved.shape)
    back = permute_dims(others, tuple(order.index(k) for k in range(x.ndim)))
    return times(_spread(g, node), back)


_prod = reduction("prod", "np.multiply", infer=_summed, bprop=_prod_bprop)


def _extremum_bprop(node: Node, i: int, g: Node) -> Node:
    """Shared equally among the tied."""
    x = node.inputs[0]
    axis, keepdims = node.attrs["axis"], node.attrs["keepdims"]
    tied = e.equal(x, _spread(node, node))
    ties = _spread(e.astype(_sum(tied, axis=axis, keepdims=keepdims), g.dtype), node)
    return guarded(tied, times(_spread(g, node), e.reciprocal(ties)))


def _largest(
    x: TensorType, axis: tuple[int, ...], keepdims: bool, initial: float | None = None
) -> TensorType:
    """Of nothing there is no largest element, unless an `initial` one is given."""
    return reduced(x, axis, keepdims)


def _extremum_into(name: str, fold: str) -> Any:
    """Along the last axis, which may be short: see the helper."""
    by_method = _text(name, "out=out")

    def text(n: Node) -> str:
        (x,), axis = n.inputs, n.attrs["axis"]
        if not _may_be_short(x) or axis != (x.ndim - 1,):
            return str(by_method(n))
        kept = ["keepdims=True"] if n.attrs["keepdims"] else []
        return f"extreme({', '.join([fold, 'x0', *kept, *_initial(n), 'out=out'])})"

    return text


_max = reduction(
    "max", "np.maximum", infer=_largest, bprop=_extremum_bprop,
    into=_extremum_into("max", "np.maximum"),
)  # fmt: skip
_min = reduction(
    "min", "np.minimum", bprop=_extremum_bprop, into=_extremum_into("min", "np.minimum")
)


def _truth(x: TensorType, axis: tuple[int, ...], keepdims: bool) -> TensorType:
    return reduced(x, axis, keepdims).with_dtype(bool)


_any: Op = reduction("any", "np.logical_or", infer=_truth, bprop=cuts_path)
_all = reduction("all", "np.logical_and", infer=_truth, bprop=cuts_path)


def keeps(keepdims: Any) -> bool:
    """Whether the axes stay, of size 1; a second axis in its place is refused, not taken for it."""
    return truth("keepdims", keepdims, ": several axes go in one tuple, as in axis=(0, 1)")


def _spelled(op: Op, x: Any, axis: Axis, keepdims: bool) -> Node:
    (value,) = lift([x], op.name)
    return op(value, axis=as_axes(axis, value.ndim), keepdims=keeps(keepdims))


@spelling
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """The sum over some axes (all by default).

    >>> import graphc as gc
    >>> gc.sum(gc.input("x", ("n", 3)), axis=-1).type
    f64[n]
    """
    return _spelled(_sum, x, axis, keepdims)


@spelling
def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """The product over some axes. Its gradient never divides, so zeros are exact.

    >>> import graphc as gc
    >>> x = gc.input("x", (3,))
    >>> gc.evaluate(gc.grad(gc.prod(x), x), {x: [0.0, 2.0, 3.0]})
    array([6., 0., 0.])
    """
    return _spelled(_prod, x, axis, keepdims)


@spelling
def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """The largest element along some axes; tied elements share the gradient equally.

    >>> import graphc as gc
    >>> x = gc.input("x", (3,))
    >>> gc.evaluate(gc.grad(gc.max(x), x), {x: [1.0, 2.0, 2.0]})
    array([0. , 0.5, 0.5])
    """
    return _spelled(_max, x, axis, keepdims)


@spelling
def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """The smallest element along some axes; tied elements share the gradient equally.

    >>> import graphc as gc
    >>> gc.min(gc.input("x", ("n", 3)), axis=1, keepdims=True).type
    f64[n, 1]
    """
    return _spelled(_min, x, axis, keepdims)


@spelling
def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Whether some element is true.

    >>> import graphc as gc
    >>> gc.any(gc.input("x", ("n",)) > 0).type
    bool[]
    """
    return _spelled(_any, x, axis, keepdims)


@spelling
def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Whether every element is true.

    >>> import graphc as gc
    >>> gc.all(gc.input("x", ("n",)) > 0).type
    bool[]
    """
    return _spelled(_all, x, axis, keepdims)


# -- compositions -----------------------------------------------------------------------------


def floating(x: Any, taker: str) -> Node:
    """x, which is to be of floats: of integers nobody knows in which dtype to divide."""
    (value,) = lift([x], taker)
    if not value.type.is_float:
        cure = "convert with gc.astype"
        raise DTypeError(f"{taker} needs floats, and was given {value.type}; {cure}")
    return value


def _count(x: Node, axes: tuple[int, ...]) -> Node:
    """How many elements are reduced to one, in x's dtype."""
    return size(shapes.size(tuple(x.shape[k] for k in axes)), x.dtype)


@spelling
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """The arithmetic mean over some axes.

    >>> import graphc as gc
    >>> float(gc.evaluate(gc.mean(gc.constant([1.0, 2.0, 6.0])), {}))
    3.0
    """
    value = floating(x, "mean")
    axes = as_axes(axis, value.ndim)
    return e.divide(_sum(value, axis=axes, keepdims=keeps(keepdims)), _count(value, axes))


@spelling
def var(x: Any, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Node:
    """The variance: the mean square of the deviations, with `correction` taken off the count.

    >>> import graphc as gc
    >>> float(gc.evaluate(gc.var(gc.constant([1.0, 3.0]), correction=1), {}))
    2.0
    """
    value = floating(x, "var")
    axes = as_axes(axis, value.ndim)
    deviation = e.subtract(value, mean(value, axes, keepdims=True))
    count = _count(value, axes)
    count = e.subtract(count, correction) if correction else count
    return e.divide(_sum(e.square(deviation), axis=axes, keepdims=keeps(keepdims)), count)


@spelling
def std(x: Any, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Node:
    """The standard deviation; like that of a norm, its derivative at 0 is 0.

    >>> import graphc as gc
    >>> float(gc.evaluate(gc.std(gc.constant([1.0, 3.0])), {}))
    1.0
    """
    return _root(var(x, axis, correction, keepdims))


def _root(s: Node) -> Node:
    """sqrt(s) for a sum of squares, whose derivative at 0 is taken to be 0."""
    return e.where(e.equal(s, 0.0), 0.0, e.sqrt(s))


@spelling
def norm(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Node:
    """The Euclidean length over some axes; its derivative at 0 is 0.

    They are named, for the second argument of NumPy's norm is no axis.

    >>> import graphc as gc
    >>> float(gc.evaluate(gc.norm(gc.constant([3.0, 4.0])), {}))
    5.0
    """
    value = floating(x, "norm")
    return _root(sum(e.square(value), axis, keepdims))


def largest(x: Node, axis: tuple[int, ...], of_nothing: float) -> Node:
    """The largest element, with the axes kept; a run-time size may be 0, where NumPy has none."""
    count = shapes.size(tuple(x.shape[k] for k in axis))
    initial = {} if isinstance(count, int) and count else {"initial": of_nothing}
    return _max(x, axis=axis, keepdims=True, **initial)


def _shifted(x: Any, axis: Axis, taker: str) -> tuple[Node, Node, tuple[int, ...]]:
    """x less its largest element, that element (0 where infinite: no inf - inf), and the axes."""
    value = floating(x, taker)
    axes = as_axes(axis, value.ndim)
    top = e.stop_gradient(largest(value, axes, -np.inf))
    top = e.where(e.isfinite(top), top, 0.0)
    return e.subtract(value, top), top, axes


@spelling
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """log(sum(exp(x))) without overflow.

    >>> import graphc as gc
    >>> float(gc.evaluate(gc.logsumexp(gc.constant([1000.0, 1000.0])), {}))
    1000.6931471805599
    """
    shifted, top, axes = _shifted(x, axis, "logsumexp")
    total = e.add(e.log(_sum(e.exp(shifted), axis=axes, keepdims=True)), top)
    return total if keeps(keepdims) else reshape(total, reduced(shifted.type, axes, False).shape)


@spelling
def softmax(x: Any, axis: Axis = -1) -> Node:
    """exp(x) / sum(exp(x)) without overflow.

    >>> import graphc as gc
    >>> gc.evaluate(gc.softmax(gc.constant([1000.0, 1000.0])), {})
    array([0.5, 0.5])
    """
    shifted, _, axes = _shifted(x, axis, "softmax")
    weights = e.exp(shifted)
    return e.divide(weights, _sum(weights, axis=axes, keepdims=True))


@spelling
def log_softmax(x: Any, axis: Axis = -1) -> Node:
    """log(softmax(x)) without overflow.

    >>> import graphc as gc
    >>> gc.evaluate(gc.log_softmax(gc.constant([0.0, -2000.0])), {})
    array([    0., -2000.])
    """
    shifted, _, axes = _shifted(x, axis, "log_softmax")
    return e.subtract(shifted, e.log(_sum(e.exp(shifted), axis=axes, keepdims=True)))
