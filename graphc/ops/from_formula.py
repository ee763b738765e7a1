"""An elementwise op from one sympy expression: its type, its texts, its gradient both ways.

Dtypes are asked of NumPy's ufuncs. Inputs broadcast; the gradient sums over what was stretched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp

from .. import shapes
from ..errors import ArgumentError, DTypeError, ShapeError
from ..ir import FUNCTIONS, Example, GuardRule, Node, Op, cuts_path, example
from ..meaning import Formula, Recipe, operations, recipe, result
from ..tensor_type import TensorType, as_dtype
from ..wording import counted
from .chain import times


def elementwise(
    name: str,
    meaning: Any,
    *,
    numpy: str | Callable[[Node], str] | None = None,
    into: str | Callable[[Node], str] | None = None,
    scalar: str | None = None,
    like: np.ufunc | None = None,
    d: Any = None,
    between: tuple[float, float] = (-2.0, 2.0),
    dtypes: tuple[str, ...] = (),
    kinds: str = "biuf",
    bprop: Callable[[Node, int, Node], Node] | None = None,
    guard: tuple[int, GuardRule] | None = None,
    complex_step: str | None = None,
    cure: str = "",
    doc: str = "",
) -> Op:
    """An op from its meaning: a sympy expression in x, y, z, or a function that returns one.

    `numpy` is the text that programs hold (by default a call of the ufunc of the same name), `like`
    a ufunc with the same dtypes. `d` gives the derivatives, one for each input, where sympy's are
    not the ones to use; they may mention `result`. `between` is where examples are drawn.

    >>> import numpy as np, sympy as sp, graphc as gc
    >>> bell = gc.elementwise(
    ...     "bell", lambda x: sp.exp(-(x**2)), numpy="np.exp(-np.square(x0))", like=np.exp,
    ...     d=lambda x, result: [-2 * x * result],
    ... )
    >>> bell.meaning.expr
    exp(-x**2)
    >>> x = gc.input("x", ())
    >>> gc.evaluate([bell(x), gc.grad(bell(x), x)], {x: 0.0})
    [np.float64(1.0), np.float64(-0.0)]
    """
    formula = Formula(meaning)
    arity = len(formula.variables)
    ufunc = like or getattr(np, name, None)
    if not isinstance(ufunc, np.ufunc):
        hint = "like= is the one whose dtypes it has, as in like=np.exp"
        raise ArgumentError(f"NumPy has no ufunc called {name}: {hint}")
    rule = bprop or _chain_rule(formula, d)
    return Op(
        name,
        infer=_broadcast_like(name, ufunc, arity, kinds),
        numpy=numpy or _ufunc_text(name, arity),
        into=into or (None if callable(numpy) else _text_into(name, numpy, arity)),
        scalar=scalar or (None if callable(numpy) else _scalar_text(name, numpy, arity)),
        bprop=rule,
        jvp=None if rule is cuts_path else forward_rule(rule),
        meaning=formula,
        flops=lambda node: operations(node.op) * node.type.size,
        family="elementwise",
        guard=guard,
        complex_step=complex_step,
        cure=cure,
        examples=examples(arity, between, dtypes),
        doc=doc,
    )


def _ufunc_text(name: str, arity: int, *more: str) -> str:
    return f"np.{name}({', '.join([*(f'x{i}' for i in range(arity)), *more])})"


def _text_into(name: str, text: str | None, arity: int) -> str | None:
    """A ufunc takes `out`: the one that is called, or that an operator of the text stands for."""
    if text is not None and text.startswith("np."):
        return f"{text[:-1]}, out=out)" if isinstance(_called(text), np.ufunc) else None
    ufunc = getattr(np, name, None)
    is_same = isinstance(ufunc, np.ufunc) and ufunc.nin == arity
    return _ufunc_text(name, arity, "out=out") if is_same else None


def _scalar_text(name: str, text: str | None, arity: int) -> str | None:
    """Operators are those of floats; many functions have their twin in `math`."""
    if text is not None and "(" not in text:
        return text
    return _ufunc_text(name, arity).replace("np.", "math.") if name in _IN_MATH else None


# The twins that NumPy agrees with everywhere: rounding in `math` gives integers.
_IN_MATH = (
    "sqrt", "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos",
    "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "hypot",
)  # fmt: skip


def _called(text: str) -> Any:
    return getattr(np, text.removeprefix("np.").partition("(")[0], None)


def examples(
    arity: int, between: tuple[float, float], dtypes: tuple[str, ...]
) -> tuple[Example, ...]:
    """Equal shapes, scalars, and every way of stretching."""
    cases: list[list[Any]] = [[[2, 3]] * arity, [[]] * arity, [["n", 3]] * arity]
    if arity > 1:
        cases += [[[3], *[[2, 3]] * (arity - 1)], [[2, 1], *[[1, 3]] * (arity - 1)]]
    return tuple(example(*case, between=between, dtypes=dtypes) for case in cases)


def _broadcast_like(
    name: str, ufunc: np.ufunc, arity: int, kinds: str
) -> Callable[..., TensorType]:
    def dtype_of(dtypes: tuple[np.dtype[Any], ...]) -> np.dtype[Any]:
        try:
            # 1 / x is a division whose other operand is weak: it has the dtypes of x / x.
            wanted = dtypes if arity <= ufunc.nin else (np.result_type(*dtypes),)
            operands = (wanted * ufunc.nin)[: ufunc.nin]
            return as_dtype(ufunc.resolve_dtypes((*operands, None))[-1])
        except (TypeError, DTypeError):
            given = ", ".join(d.name for d in dtypes)
            raise DTypeError(f"{name} does not take {given}; convert with gc.astype") from None

    @functools.lru_cache(maxsize=1024)  # of equal layers types are equal
    def infer(*types: TensorType, **attrs: Any) -> TensorType:
        taken = f"{name} takes {counted(arity, 'operand')}"
        if attrs:
            raise ArgumentError(f"{taken} by position, and no {next(iter(attrs))}=")
        if len(types) != arity:
            raise ArgumentError(f"{taken} and nothing else, not {len(types)}")
        if any(t.dtype.kind not in kinds for t in types):
            given = ", ".join(str(t) for t in types)
            wanted = "truth values, as x > 0 gives" if kinds == "b" else "numbers"
            cure = ": a power is written x**2" * (name == "logical_xor")
            raise DTypeError(f"{name} takes {wanted}, and was given {given}{cure}")
        return TensorType(broadcast(name, types), dtype_of(tuple(t.dtype for t in types)))

    return infer


def broadcast(name: str, types: Sequence[TensorType]) -> shapes.Shape:
    """The common shape of some operands, or an error in the name of the op."""
    try:
        return shapes.broadcast(*(t.shape for t in types))
    except ShapeError as error:
        raise ShapeError(f"{name} needs shapes that broadcast, and {error.sentence}") from None


def _chain_rule(formula: Formula, d: Any) -> Callable[[Node, int, Node], Node]:
    """G * d(op)/d(x_i), summed over what broadcasting had stretched."""
    symbols = (*formula.variables, result)
    derivatives = Formula(d)

    @functools.cache
    def local(i: int) -> Recipe:
        if d is None:
            return recipe(sp.diff(formula.expr, symbols[i]), symbols)
        return recipe(sp.sympify(derivatives.expr[i]), symbols)

    def bprop(node: Node, i: int, g: Node) -> Node:
        built = local(i).build((*node.inputs, node), node.dtype)
        return onto(times(g, built), node.inputs[i])

    return bprop


def onto(g: Node, v: Node) -> Node:
    """A gradient brought to the shape and the dtype of what it is the gradient of."""
    summed: Node = FUNCTIONS["sum_to"](g, v.shape)
    return summed if summed.dtype == v.dtype else FUNCTIONS["astype"](summed, v.dtype)


def forward_rule(
    bprop: Callable[[Node, int, Node], Node],
) -> Callable[[Node, Sequence[Node | None]], Node]:
    """The chain rule forwards: the same local derivatives, each times its tangent."""

    def jvp(node: Node, tangents: Sequence[Node | None]) -> Node:
        total: Node | None = None
        add, cast = FUNCTIONS["add"], FUNCTIONS["astype"]
        for i, t in enumerate(tangents):
            if t is None:
                continue
            # On inputs of the full shape no local derivative is summed over stretched axes.
            full = [FUNCTIONS["broadcast_to"](v, node.shape) for v in node.inputs]
            wide = node if full == list(node.inputs) else node.op(*full, **node.attrs)
            g = FUNCTIONS["broadcast_to"](t, node.shape)
            share = bprop(wide, i, g if g.dtype == node.dtype else cast(g, node.dtype))
            share = share if share.dtype == node.dtype else cast(share, node.dtype)
            total = share if total is None else add(total, share)
        assert total is not None
        return total

    return jvp
