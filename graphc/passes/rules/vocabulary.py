"""The words that rules are written in: ops to match, functions to build with, numbers to read."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ... import shapes
from ...ir import FUNCTIONS, OPS, Node, number_of
from ...ops import (  # noqa: F401
    contract,
    elementwise,
    index,
    layout,
    leaves,
    reduce,
    scan,
    slices,
    special,
)
from ...ops.letters import terms_of
from ...shapes import Dim
from ..facts import are_first, interval


class _Functions:
    """`f.exp(x)` builds a node by the name of a public function."""

    def __getattr__(self, name: str) -> Callable[..., Node]:
        if name not in FUNCTIONS:
            raise AttributeError(name)
        vars(self)[name] = found = FUNCTIONS[name]  # from now on it is found without a call
        return found


op: Any = SimpleNamespace(**OPS)
f = _Functions()

Alone = Callable[[Node], bool]
Times = Callable[[Node], Node | None]  # a node times something, where it takes that up

_ELEMENTWISE = tuple(o.name for o in OPS.values() if o.family == "elementwise")
# What IEEE 754 defines to the last bit, and what only computes with truth values.
EXACT = tuple(
    name
    for name in _ELEMENTWISE
    if name
    in (
        "add", "subtract", "multiply", "divide", "negative", "square", "sqrt", "reciprocal", "abs",
        "sign", "relu", "maximum", "minimum", "clip", "floor", "ceil", "trunc", "round", "where",
        "astype", "stop_gradient",
    )
    or name.startswith(("is", "equal", "not_", "less", "greater", "logical"))
)  # fmt: skip
ROUNDED = tuple(name for name in _ELEMENTWISE if name not in EXACT)
REDUCTIONS = tuple(o.name for o in OPS.values() if o.family == "reduce")
# What converts integers that it is given beside floats.
CONVERTING = tuple(name for name in _ELEMENTWISE if name not in ("where", "astype"))
QUOTIENTS = (op.divide, op.reciprocal)
LITERAL = ("constant", "broadcast_to")


def number(v: Node) -> Any:
    """The one number that a constant holds, broadcast or not; None for anything else."""
    found = number_of(v)
    return None if found is None else found.item()


def is_zero(v: Node, sign: float) -> bool:
    """Whether a node is the zero with a sign, 1.0 or -1.0, and a float."""
    value = number(v)
    return v.type.is_float and value == 0 and math.copysign(1.0, value) == sign


def sides(n: Node) -> Iterable[tuple[Node, Node]]:
    """The operands of a commutative op, both ways."""
    a, b = n.inputs
    return ((a, b), (b, a))


def like(n: Node, value: float) -> Node:
    """A constant of a node's dtype."""
    made: Node = f.constant(value, dtype=n.dtype)
    return made


def opposite(x: Node) -> Node:
    """-x, and y of -y."""
    found: Node = x.inputs[0] if x.op is op.negative else f.negative(x)
    return found


def without_sign(x: Node, is_alone: Alone, depth: int = 2) -> Node | None:
    """The y of an x that is -y, where the sign is one of its own or of a factor; else None."""
    if x.op is op.negative:
        found: Node = x.inputs[0]
        return found
    if depth and x.op in (op.multiply, op.divide) and is_alone(x):
        for k, v in enumerate(x.inputs):
            plain = without_sign(v, is_alone, depth - 1)
            if plain is not None:
                return with_input(x, k, plain)
    return None


def with_input(v: Node, k: int, x: Node) -> Node:
    """v with another node in the place of its kth input."""
    made: Node = v.op(*(x if i == k else u for i, u in enumerate(v.inputs)), **v.attrs)
    return made


def number_times(v: Node) -> tuple[Node | None, Node]:
    """The c and the x of c * x for a number c, else None and v."""
    for c, x in sides(v) if v.op is op.multiply else ():
        if number(c) is not None:
            return c, x
    return None, v


def numerator(v: Node) -> Node:
    """The x of a quotient x / y, 1 where that is 1 / y. (The y is the last input of both.)"""
    return like(v, 1) if v.op is op.reciprocal else v.inputs[0]


# Whose result is c times as large where one of these inputs is.
FACTORS = {op.multiply: (0, 1), op.divide: (0,), op.negative: (0,)}


def taken_up(
    v: Node, times: Times, is_alone: Alone, depth: int, in_terms: bool = False
) -> Node | None:
    """c * v, where a factor of v takes c up: `times` gives c * u for such a u, and None for others.

    With `in_terms` each term of a sum may have one.
    """
    found = times(v)
    is_sum = in_terms and v.op in (op.add, op.subtract)
    if found is not None or not depth or not (is_sum or v.op in FACTORS) or not is_alone(v):
        return found
    if is_sum:
        terms = [taken_up(u, times, is_alone, depth - 1, in_terms) for u in v.inputs]
        return None if None in terms else v.op(*terms)
    for k in FACTORS[v.op]:
        u = v.inputs[k]  # the last ones are asked at once: a call less for each
        found = taken_up(u, times, is_alone, depth - 1, in_terms) if depth > 1 else times(u)
        if found is not None:
            return with_input(v, k, found)
    return None


def takes_fewer(new: shapes.Dim, old: shapes.Dim) -> bool:
    """Whether a count of operations is never larger than another, and not always the same."""
    return new != old and shapes.is_at_least(old, new)


def letters(n: Node) -> tuple[list[str], str]:
    """The subscripts of an einsum: one term for each operand, and that of the result."""
    terms, out = _parts(n.attrs["subscripts"])
    return list(terms), out


_parts = functools.lru_cache(maxsize=1024)(terms_of)


def spread(x: Node, own: str, out: str) -> Node:
    """x, whose axes have letters of their own, to stand beside what has all the letters."""
    order = tuple(own.index(c) for c in out if c in own)
    sizes = dict(zip(own, x.shape, strict=True))
    made: Node = f.reshape(f.permute_dims(x, order), tuple(sizes.get(c, 1) for c in out))
    return made


def squeezed(x: Node, own: str) -> tuple[Node, str]:
    """x without its axes of size 1, and the letters of those that are left."""
    kept = [k for k, d in enumerate(x.shape) if d != 1]
    return f.reshape(x, tuple(x.shape[k] for k in kept)), "".join(own[k] for k in kept)


def fits(small: shapes.Shape, large: shapes.Shape) -> bool:
    """Whether broadcasting brings one shape to another."""
    if len(small) > len(large):
        return False
    return all(a == b or a == 1 for a, b in zip(small[::-1], large[::-1], strict=False))


def kept(shape: shapes.Shape, axes: tuple[int, ...]) -> shapes.Shape:
    """The shape of a reduction along some axes that keeps them."""
    return tuple(1 if k in axes else d for k, d in enumerate(shape))


def is_beside(t: Node, x: Node, axes: tuple[int, ...]) -> bool:
    """Whether t has the shape in which a reduction of x along some axes stands beside x."""
    return t.shape == kept(x.shape, axes) or (are_first(axes) and t.shape == x.shape[len(axes) :])


def beside_all(q: Node, x: Node, axes: tuple[int, ...]) -> Node | None:
    """What q is but for axes of size 1, where it stands beside x as a sum along some axes does."""
    if not is_beside(q, x, axes):
        return None
    return q.inputs[0] if slices.is_reshape(q) else q


def is_constant_along(s: Node, n: Node) -> bool:
    """Whether a factor of what is reduced is the same for all that is added up."""
    offset = n.inputs[0].ndim - s.ndim
    return all(k < offset or s.shape[k - offset] == 1 for k in n.attrs["axis"])


def beside(s: Node, n: Node) -> Node:
    """A factor that is constant along the reduced axes, to stand beside the result."""
    if n.attrs["keepdims"]:
        return s
    offset = n.inputs[0].ndim - s.ndim
    kept = tuple(d for k, d in enumerate(s.shape) if k + offset not in n.attrs["axis"])
    found: Node = f.reshape(s, kept)
    return found


def grows(s: Node, product: Node) -> bool:
    """Whether a factor, or divisor, of a product makes nothing smaller: it may be taken out."""
    bounds = interval(s)
    smallest = 0.0 if bounds.low <= 0 <= bounds.high else min(map(abs, bounds))
    return smallest >= 1 if product.op is op.multiply else bounds.size <= 1 and smallest > 0


def adds_up(v: Node, terms: Dim, axes: tuple[int, ...] = ()) -> bool:
    """Whether a dot product of this many terms is as good as v's sum, within a few ulp.

    That is pairwise along the last axis; along others one row is added after the other.
    """
    if v.dtype == np.float32:
        is_pairwise = not axes or v.ndim - 1 in axes
        return not is_pairwise or isinstance(terms, int) and terms <= 4096
    return v.dtype == np.float64
