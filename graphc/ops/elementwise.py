"""Elementwise operations. Each is one sympy expression; gradient, LaTeX and cost come from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import DTypeLike

from ..errors import DTypeError
from ..ir import (
    FUNCTIONS,
    Node,
    Op,
    cuts_path,
    example,
    is_literal,
    is_number,
    lift,
    no_flops,
    number_of,
    spelling,
)
from ..meaning import Formula, recipe, result, x, y
from ..tensor_type import TensorType, as_dtype
from .chain import guarded, times, unchanged
from .fast import (
    circular_text,
    clip_into,
    clip_text,
    fast,
    log1p_into,
    log1p_text,
    power_into,
    where_into,
)
from .from_formula import broadcast, elementwise, examples, forward_rule, onto

sigmoid_, sign_, divide_, hypot_ = map(sp.Function, ("sigmoid", "sign", "divide", "hypot"))

# -- arithmetic -------------------------------------------------------------------------------

_DIVISION = (
    "keep the divisor away from 0, by gc.maximum(y, 1e-12) or y + 1e-12, or choose with "
    "gc.where(y != 0, x / y, 0), whose gradient is finite too"
)

add = elementwise("add", lambda x, y: x + y, numpy="x0 + x1")
subtract = elementwise("subtract", lambda x, y: x - y, numpy="x0 - x1")
multiply = elementwise("multiply", lambda x, y: x * y, numpy="x0 * x1")
divide = elementwise(
    "divide", lambda x, y: x / y, numpy="x0 / x1",
    d=lambda y, result: [1 / y, -result / y], between=(0.5, 2.0), cure=_DIVISION,
)  # fmt: skip
negative = elementwise("negative", lambda x: -x, numpy="-x0", guard=(0, unchanged))
square = elementwise("square", lambda x: x**2, scalar="x0 * x0", d=lambda x: [2 * x])
sqrt = elementwise(
    "sqrt", lambda x: sp.sqrt(x), d=lambda result: [1 / (2 * result)], between=(0.1, 4.0),
    cure="take the root of gc.maximum(x, 1e-12), since below 0 there is none and at 0 its slope is "
    "infinite; lengths are gc.norm, gc.hypot and gc.std, whose slope at 0 is 0",
)  # fmt: skip
reciprocal = elementwise(
    "reciprocal", lambda x: 1 / x, numpy="1 / x0", into="np.divide(1, x0, out=out)",
    like=np.true_divide,
    d=lambda result: [-(result**2)], between=(0.5, 2.0), cure=_DIVISION,
)  # fmt: skip


def _power_bprop(node: Node, i: int, g: Node) -> Node:
    """d/dx by the rule for a constant exponent where it is literal; d/dy is 0 at x = 0."""
    base, exponent = node.inputs
    if i == 1:
        local = sp.Piecewise((sp.log(x) * result, sp.Ne(x, 0)), (0, True))
    elif is_number(exponent):
        known = sp.Rational(number_of(exponent).item())
        local = known * x ** (known - 1)
    else:
        local = sp.Piecewise((y * x ** (y - 1), sp.Ne(y, 0)), (0, True))
    built = recipe(local, (x, y, result)).build((base, exponent, node), node.dtype)
    return onto(times(g, built), node.inputs[i])


_power = elementwise(
    "power", lambda x, y: x**y, numpy="x0 ** x1", into=power_into,
    scalar="math.pow(x0, x1)", bprop=_power_bprop, between=(0.5, 2.0),
    cure="take the power of gc.maximum(x, 1e-12): numbers below 0 have no fractional powers, and 0 "
    "no negative ones, nor finite slopes of powers below 1; large powers are exp(y * log(x))",
)  # fmt: skip


@spelling
def power(x1: Any, x2: Any) -> Node:
    """x1 raised to x2.

    >>> import graphc as gc
    >>> float(gc.evaluate(gc.power(gc.constant(2.0), 3), {}))
    8.0
    """
    base, exponent = lift([x1, x2], "power")
    are_integers = base.dtype.kind in "biu" and exponent.dtype.kind in "biu"
    if are_integers and exponent.op.name == "constant":
        if (exponent.attrs["value"].array < 0).any():
            raise DTypeError("integers have no negative powers: convert the base with gc.astype")
    return _power(base, exponent)


# -- exponentials and their kin ---------------------------------------------------------------

_GROWTH = (
    "keep its argument below 709 (88 for float32), as by taking off the largest element before, or "
    "use gc.softmax, gc.logsumexp, gc.sigmoid, gc.softplus or gc.tanh where that is what is meant"
)
_LOGARITHM = (
    "take the log of gc.maximum(x, 1e-12), or use gc.log1p, gc.logsumexp, gc.log_softmax or "
    "gc.softplus where that is what is meant"
)
exp = elementwise("exp", lambda x: sp.exp(x), d=lambda result: [result], cure=_GROWTH)
expm1 = elementwise(
    "expm1", lambda x: sp.exp(x) - 1, into=fast(np.expm1, "f", spare=1), d=lambda x: [sp.exp(x)],
    cure=_GROWTH,
)  # fmt: skip
log = elementwise("log", lambda x: sp.log(x), between=(0.1, 4.0), cure=_LOGARITHM)
log1p = elementwise(
    "log1p", lambda x: sp.log(1 + x), between=(-0.5, 4.0), scalar="math.log1p(x0)",
    numpy=log1p_text, into=log1p_into,
    cure="keep its argument above -1, as by gc.maximum(x, -1 + 1e-12)",
)  # fmt: skip
log2 = elementwise("log2", lambda x: sp.log(x) / sp.log(2), between=(0.1, 4.0), cure=_LOGARITHM)
log10 = elementwise("log10", lambda x: sp.log(x) / sp.log(10), between=(0.1, 4.0), cure=_LOGARITHM)
sigmoid = elementwise(
    "sigmoid", lambda x: 1 / (1 + sp.exp(-x)), numpy="sigmoid(x0)", like=np.exp,
    into="sigmoid(x0, spare=1, out=out)", scalar="1 / (1 + math.exp(-x0))",
    d=lambda result: [result * (1 - result)], complex_step="1 / (1 + np.exp(-x0))",
)  # fmt: skip
softplus = elementwise(
    "softplus", lambda x: sp.log(1 + sp.exp(x)), numpy="softplus(x0)", like=np.exp,
    into="softplus(x0, spare=3, out=out)", scalar="math.log1p(math.exp(x0))",
    d=lambda x: [sigmoid_(x)], complex_step="np.log(1 + np.exp(x0))",
)  # fmt: skip
logaddexp = elementwise(
    "logaddexp", lambda x, y: sp.log(sp.exp(x) + sp.exp(y)),
    into=fast(np.logaddexp, "fd", spare=3),
    d=lambda x, y: [sigmoid_(x - y), sigmoid_(y - x)],
    complex_step="np.log(np.exp(x0) + np.exp(x1))",
)  # fmt: skip

# -- circular and hyperbolic ------------------------------------------------------------------

_WITHIN = "keep its argument between -1 and 1, and inside where it is differentiated, by gc.clip"
sin = elementwise(
    "sin", lambda x: sp.sin(x), numpy=circular_text("sin"), into=fast(np.sin, "d", spare=1),
    scalar="math.sin(x0)", complex_step="np.sin(x0)",
)  # fmt: skip
cos = elementwise(
    "cos", lambda x: sp.cos(x), numpy=circular_text("cos"), into=fast(np.cos, "d", spare=2),
    scalar="math.cos(x0)", complex_step="np.cos(x0)",
)  # fmt: skip
tan = elementwise(
    "tan", lambda x: sp.tan(x), into=fast(np.tan, "f", spare=1), d=lambda result: [1 + result**2],
    between=(-1.0, 1.0),
)  # fmt: skip
asin = elementwise(
    "asin", lambda x: sp.asin(x), numpy="np.arcsin(x0)", like=np.arcsin, between=(-0.9, 0.9),
    cure=_WITHIN,
)  # fmt: skip
acos = elementwise(
    "acos", lambda x: sp.acos(x), numpy="np.arccos(x0)", like=np.arccos, between=(-0.9, 0.9),
    cure=_WITHIN,
)  # fmt: skip
atan = elementwise("atan", lambda x: sp.atan(x), numpy="np.arctan(x0)", like=np.arctan)
atan2 = elementwise(
    "atan2", lambda x, y: sp.atan2(x, y), numpy="np.arctan2(x0, x1)", like=np.arctan2,
    into=fast(np.arctan2, "fd"),
    # Divided by the length twice: its square would overflow or vanish.
    d=lambda x, y: [
        divide_(divide_(y, hypot_(x, y)), hypot_(x, y)),
        -divide_(divide_(x, hypot_(x, y)), hypot_(x, y)),
    ],
    between=(0.5, 2.0),
    complex_step="np.arctan(x0 / x1) + np.where(x1.real < 0, np.copysign(np.pi, x0.real), 0)",
)  # fmt: skip
sinh = elementwise(
    "sinh", lambda x: sp.sinh(x), into=fast(np.sinh, "fd", spare=2),
    d=lambda x: [sp.cosh(x)], cure=_GROWTH,
)  # fmt: skip
cosh = elementwise(
    "cosh", lambda x: sp.cosh(x), into=fast(np.cosh, "fd", spare=2),
    d=lambda x: [sp.sinh(x)], cure=_GROWTH,
)  # fmt: skip
tanh = elementwise("tanh", lambda x: sp.tanh(x), d=lambda result: [1 - result**2])
asinh = elementwise(
    "asinh", lambda x: sp.asinh(x), numpy="np.arcsinh(x0)", like=np.arcsinh,
    into=fast(np.arcsinh, "fd"),
)  # fmt: skip
acosh = elementwise(
    "acosh", lambda x: sp.acosh(x), numpy="np.arccosh(x0)", like=np.arccosh,
    into=fast(np.arccosh, "fd"), between=(1.5, 4.0),
    cure="keep its argument at 1 or above by gc.maximum(x, 1), above where it is differentiated",
)  # fmt: skip
atanh = elementwise(
    "atanh", lambda x: sp.atanh(x), numpy="np.arctanh(x0)", like=np.arctanh,
    into=fast(np.arctanh, "fd"), between=(-0.9, 0.9),
    cure=_WITHIN + ", since it is infinite at both ends",
)  # fmt: skip
hypot = elementwise(
    "hypot", lambda x, y: sp.sqrt(x**2 + y**2), into=fast(np.hypot, "fd", spare=2),
    d=lambda x, y, result: [
        sp.Piecewise((a / result, sp.Ne(result, 0)), (0, True)) for a in (x, y)
    ],
    complex_step="np.sqrt(x0 * x0 + x1 * x1)",
)  # fmt: skip

# -- kinks: the derivative at each is the one that the design's table names --------------------

abs = elementwise(
    "abs", lambda x: sp.Abs(x), like=np.absolute, scalar="abs(x0)", d=lambda x: [sign_(x)],
    complex_step="np.where(x0.real < 0, -x0, x0)",
)  # fmt: skip
sign = elementwise(
    "sign", lambda x: sp.sign(x), d=lambda: [0], complex_step="np.sign(x0.real) + 0j",
    scalar="x0 if x0 != x0 else 0.0 if x0 == 0 else math.copysign(1.0, x0)",
)
relu = elementwise(
    "relu", lambda x: sp.Max(x, 0), numpy="np.maximum(x0, 0)", like=np.positive,
    scalar="0.0 if x0 <= 0 else x0",
    d=lambda x: [sp.Piecewise((1, x > 0), (0, True))],
    complex_step="np.where(x0.real > 0, x0, 0)",
)  # fmt: skip
_half = sp.Rational(1, 2)
maximum = elementwise(
    "maximum", lambda x, y: sp.Max(x, y), scalar="x0 if x0 > x1 or x0 != x0 else x1",
    d=lambda x, y: [
        sp.Piecewise((1, a > b), (_half, sp.Eq(a, b)), (0, True)) for a, b in ((x, y), (y, x))
    ],
    complex_step="np.where(x0.real > x1.real, x0, x1)",
)  # fmt: skip
minimum = elementwise(
    "minimum", lambda x, y: sp.Min(x, y), scalar="x0 if x0 < x1 or x0 != x0 else x1",
    d=lambda x, y: [
        sp.Piecewise((1, a < b), (_half, sp.Eq(a, b)), (0, True)) for a, b in ((x, y), (y, x))
    ],
    complex_step="np.where(x0.real < x1.real, x0, x1)",
)  # fmt: skip
_clip = elementwise(
    "clip", lambda x, y, z: sp.Min(sp.Max(x, y), z), like=np.maximum,
    numpy=clip_text, into=clip_into,
    d=lambda x, y, z: [
        sp.Piecewise((1, (x >= y) & (x <= z)), (0, True)),
        sp.Piecewise((1, (x < y) & (y <= z)), (0, True)),
        sp.Piecewise((1, (x > z) | (y > z)), (0, True)),
    ],
    complex_step=(
        "np.where(np.maximum(x0.real, x1.real) > x2.real, x2, np.where(x0.real < x1.real, x1, x0))"
    ),
)  # fmt: skip

# -- steps: no derivative, the path ends here --------------------------------------------------

floor = elementwise(
    "floor", lambda x: sp.floor(x), bprop=cuts_path, complex_step="np.floor(x0.real)"
)
ceil = elementwise(
    "ceil", lambda x: sp.ceiling(x), bprop=cuts_path, complex_step="np.ceil(x0.real)"
)
trunc = elementwise(
    "trunc", lambda x: sp.sign(x) * sp.floor(sp.Abs(x)),
    bprop=cuts_path, complex_step="np.trunc(x0.real)",
)  # fmt: skip


def _nearest(x: Any) -> Any:
    """A half goes to the even neighbour."""
    down = sp.Piecewise((1, sp.Eq(sp.Mod(x, 2), _half)), (0, True))
    return sp.floor(x + _half) - down


round = elementwise(
    "round", _nearest, numpy="np.round(x0)", like=np.positive, bprop=cuts_path,
    complex_step="np.round(x0.real)",
)  # fmt: skip

# Their expressions are tried on integers: of floats, which NumPy divides exactly, an expression can
# tell neither the signs of zero nor what is left of infinity.
floor_divide = elementwise(
    "floor_divide", lambda x, y: sp.floor(x / y), numpy="x0 // x1", kinds="iuf",
    dtypes=("int64", "int64"), between=(1, 5), bprop=cuts_path,
    complex_step="np.floor_divide(x0.real, x1.real)",
    doc="""The largest integer that is not above the exact quotient: `x1 // x2`, as NumPy has it.

    What is left is exact, so of floats this is not the floor of the rounded quotient: ten times the
    float64 called 0.1 is more than 1. No gradient passes.

    >>> import graphc as gc
    >>> gc.evaluate([gc.floor_divide(gc.constant([7, -7]), 2), gc.constant(1.0) // 0.1], {})
    [array([ 3, -4]), np.float64(9.0)]
    """,
)  # fmt: skip


def _remainder_bprop(node: Node, i: int, g: Node) -> Node:
    """x - floor(x / y) * y, whose whole part is a step function of both."""
    if i == 1:
        g = negative(times(g, floor_divide(*node.inputs)))
    return onto(g, node.inputs[i])


remainder = elementwise(
    "remainder", lambda x, y: x - y * sp.floor(x / y), numpy="x0 % x1", kinds="iuf",
    dtypes=("int64", "int64"), between=(1, 5), bprop=_remainder_bprop,
    complex_step="x0 - x1 * np.floor_divide(x0.real, x1.real)",
    cure="keep its second argument from 0, as by gc.where",
    doc="""What is left of x1 after whole x2: `x1 % x2`, with the sign of x2, as NumPy has it.

    The derivatives are 1 and -(x1 // x2).

    >>> import graphc as gc
    >>> gc.evaluate([gc.remainder(gc.constant([7, -7]), 2), gc.constant(-1.0) % 0.75], {})
    [array([1, 1]), np.float64(0.5)]
    """,
)  # fmt: skip


# -- comparisons and logic --------------------------------------------------------------------


def _predicate(name: str, meaning: Any, **options: Any) -> Op:
    return elementwise(name, meaning, bprop=cuts_path, **options)


def _connective(name: str, meaning: Any, scalar: str, arity: int = 2) -> Op:
    return _predicate(name, meaning, scalar=scalar, kinds="b", dtypes=("bool",) * arity)


equal = _predicate("equal", lambda x, y: sp.Eq(x, y), numpy="x0 == x1")
not_equal = _predicate("not_equal", lambda x, y: sp.Ne(x, y), numpy="x0 != x1")
less = _predicate("less", lambda x, y: x < y, numpy="x0 < x1")
less_equal = _predicate("less_equal", lambda x, y: x <= y, numpy="x0 <= x1")
greater = _predicate("greater", lambda x, y: x > y, numpy="x0 > x1")
greater_equal = _predicate("greater_equal", lambda x, y: x >= y, numpy="x0 >= x1")

logical_and = _connective("logical_and", lambda p, q: p & q, scalar="x0 and x1")
logical_or = _connective("logical_or", lambda p, q: p | q, scalar="x0 or x1")
logical_xor = _connective("logical_xor", lambda p, q: p ^ q, scalar="x0 != x1")
logical_not = _connective("logical_not", lambda p: ~p, arity=1, scalar="not x0")


def _test(name: str, says: str, of: str) -> Op:
    """A question about each element: no formula answers it."""
    return Op(
        name,
        infer=lambda t: t.with_dtype(bool),
        numpy=f"np.{name}(x0)",
        # NumPy 2.4 itself writes wrong answers where out has gaps.
        into=f"np.copyto(out, np.{name}(x0))",
        bprop=cuts_path,
        family="elementwise",
        examples=examples(1, (-2.0, 2.0), ()),
        doc=f"""Whether x is {says}, element by element. No gradient passes.

        >>> import numpy as np, graphc as gc
        >>> x = gc.constant([1.0, np.inf, -np.inf, np.nan])
        >>> gc.evaluate(gc.{name}(x)).tolist()
        {of}
        """,
    )


isfinite = _test("isfinite", "neither infinite nor NaN", "[True, False, False, False]")
isinf = _test("isinf", "infinite, of either sign", "[False, True, True, False]")
isnan = _test("isnan", "NaN, not a number", "[False, False, False, True]")

# -- choosing, converting, stopping -----------------------------------------------------------


def _where_type(condition: TensorType, a: TensorType, b: TensorType) -> TensorType:
    if condition.dtype != bool:
        raise DTypeError(f"where chooses by truth values, and its condition is {condition}")
    shape = broadcast("where", (condition, a, b))
    return TensorType(shape, as_dtype(np.result_type(a.dtype, b.dtype)))


def _where_bprop(node: Node, i: int, g: Node) -> Node:
    """The branch that is not taken contributes exactly 0."""
    condition = node.inputs[0]
    if g.op.name == "where" and g.inputs[0] is condition:
        # The same choice was made already: its branch, at the type of the whole.
        g = astype(FUNCTIONS["broadcast_to"](g.inputs[i], node.shape), g.dtype)
    if is_literal(g, 0.0):
        return FUNCTIONS["zeros_like"](node.inputs[i])  # type: ignore[no-any-return]
    return onto(guarded(condition if i == 1 else logical_not(condition), g), node.inputs[i])


_where = Op(
    "where",
    infer=_where_type,
    numpy="np.where(x0, x1, x2)",
    into=where_into,
    scalar="x1 if x0 else x2",
    bprop=_where_bprop,
    jvp=forward_rule(_where_bprop),
    meaning=Formula(lambda p, x, y: sp.Piecewise((x, p), (y, True))),
    family="elementwise",
    examples=tuple(
        example(*case, dtypes=("bool",))
        for case in ([[2, 3]] * 3, [[], ["n"], ["n"]], [[2, 1], [3], []])
    ),
)


@spelling
def where(condition: Any, x1: Any, x2: Any) -> Node:
    """x1 where the condition holds, else x2. The branch not taken never reaches the gradient.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> f = gc.where(x > 0, gc.sqrt(x), 0)
    >>> float(gc.evaluate(gc.grad(f, x), {x: 0.0}))
    0.0
    """
    (chooser,) = lift([condition], "where")
    return _where(chooser, *lift([x1, x2], "where"))


@spelling
def clip(x: Any, min: Any = None, max: Any = None) -> Node:
    """x limited to the closed interval from min to max; its derivative is 1 there, ends included.

    >>> import graphc as gc
    >>> float(gc.evaluate(gc.clip(gc.constant(3.0), 0, 1), {}))
    1.0
    """
    (value,) = lift([x], "clip")
    limits = np.finfo if value.type.is_float else np.iinfo
    if min is None:
        min = -np.inf if value.type.is_float else int(limits(value.dtype).min)
    if max is None:
        max = np.inf if value.type.is_float else int(limits(value.dtype).max)
    return _clip(*lift([value, min, max], "clip"))


def _complex_cast(n: Node) -> str:
    return "x0 * 1" if n.type.is_float else f"np.real(x0).astype(np.{n.dtype.name})"


_astype = Op(
    "astype",
    infer=lambda t, dtype: t.with_dtype(dtype),
    numpy=lambda n: f"x0.astype(np.{n.dtype.name})",
    bprop=lambda n, i, g: onto(g, n.inputs[i]),
    flops=no_flops,
    guard=(0, unchanged),
    family="elementwise",
    complex_step=_complex_cast,
    examples=(example([2, 3], dtype=np.dtype(np.float32)), example([], dtype=np.dtype(np.int64))),
)


@spelling
def astype(x: Any, dtype: DTypeLike) -> Node:
    """x converted to another dtype. A conversion to integers or bool cuts the path of gradients.

    >>> import graphc as gc
    >>> gc.astype(gc.input("x", (3,)), "float32").type
    f32[3]
    """
    (value,) = lift([x], "astype")
    return value if value.dtype == as_dtype(dtype) else _astype(value, dtype=as_dtype(dtype))


stop_gradient = Op(
    "stop_gradient",
    infer=lambda t: t,
    numpy="x0",
    scalar="x0",
    bprop=cuts_path,
    meaning=Formula(lambda x: x),
    flops=no_flops,
    view=True,
    family="elementwise",
    examples=examples(1, (-2.0, 2.0), ()),
    doc="""x itself, which gradients take for a constant.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> gc.evaluate(gc.grad(gc.stop_gradient(x) * x, x), {x: 3.0})
    np.float64(3.0)
    """,
)
