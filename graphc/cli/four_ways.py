"""The derivatives of a scalar expression in four ways, each by its own means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from ..autodiff import grad, jvp
from ..check import central
from ..errors import Disconnected
from ..evaluate import bind, evaluate, interpret
from ..ir import Graph, Node, number_of, topo
from ..meaning import expression
from ..notation import names_of, reference, text

DIGITS = 50
# sympy goes through an expression by recursion, and writes out what a graph shares.
_MOST_OPERATIONS, _DEEPEST = 400, 60
# Ways that differ by more than this, and by more than numeric differences err, contradict.
_TOLERANCE = 1e-8
# Numeric differences that know less of themselves tell nothing.
_KNOWN = 1e-2


class Slopes(NamedTuple):
    """One derivative: reverse mode, forward mode, sympy, numeric differences and their error."""

    reverse: float
    forward: float
    symbolic: Any | None
    """A sympy number of 50 digits; None where sympy has none, or `FourWays.refusal` tells why."""
    numeric: float
    uncertainty: float

    @property
    def is_known_numerically(self) -> bool:
        """Whether numeric differences tell anything: beside a pole they do not."""
        return bool(self.uncertainty <= _KNOWN * max(1.0, abs(self.numeric)))

    @property
    def differences(self) -> list[tuple[float, float]]:
        """How far reverse mode is from each other way, and how far that may be off.

        What is not finite says nothing.
        """
        others = [(self.forward, 0.0), (self.symbolic, 0.0)]
        if self.is_known_numerically:
            others.append((self.numeric, 4 * self.uncertainty))
        apart = [(float(abs(o - self.reverse)), off) for o, off in others if o is not None]
        return [(difference, off) for difference, off in apart if np.isfinite(difference)]

    @property
    def largest(self) -> float:
        return max((difference for difference, _ in self.differences), default=float("nan"))

    @property
    def agree(self) -> bool:
        """Whether no way contradicts another."""
        allowed = _TOLERANCE * max(1.0, abs(self.reverse))
        return all(difference <= allowed + off for difference, off in self.differences)


class FourWays(NamedTuple):
    """All derivatives at one point, the value, and why sympy's are missing, if they are."""

    value: float
    symbolic: Any | None
    slopes: tuple[Slopes, ...]
    refusal: str


def four_ways(y: Node, wrt: Sequence[Node], at: Mapping[str, Any]) -> FourWays:
    """The value and the derivatives of y at a point.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> found = four_ways(x**3, [x], {"x": 2.0})
    >>> found.value, found.slopes[0].reverse, found.slopes[0].symbolic
    (8.0, 12.0, 12.000000000000000000000000000000000000000000000000)
    """
    exact, refusal = _symbolic(y, wrt, at)
    slopes = []
    for k, x in enumerate(wrt):
        with np.errstate(all="ignore"):
            reverse = float(evaluate(grad(y, x, disconnected="zero"), at))
            numeric, uncertainty = central(y, x, at)
        forward, symbolic = _forward(y, x, at), None if exact is None else exact[k + 1]
        slopes.append(Slopes(reverse, forward, symbolic, float(numeric), float(uncertainty)))
    value = float(evaluate(y, at))
    return FourWays(value, None if exact is None else exact[0], tuple(slopes), refusal)


def _forward(y: Node, x: Node, at: Mapping[str, Any]) -> float:
    try:
        return float(evaluate(jvp(y, x, 1.0), at))
    except Disconnected:
        return 0.0


def _called(v: Node, y: Node) -> str:
    """A value inside an expression, in the names of its inputs."""
    return text(reference(v, names_of(Graph(Graph([y]).parameters))))


def _symbolic(
    y: Node, wrt: Sequence[Node], at: Mapping[str, Any]
) -> tuple[list[Any] | None, str]:
    """The value and sympy's derivatives to 50 digits, or why there are none."""
    order = topo([y])
    if _is_too_large(order):
        return None, "the expression is too large for sympy"
    values, sizes = bind([*order, *wrt], at)
    with np.errstate(all="ignore"):
        interpret(order, values, sizes)
    odd = next((v for v in order if not np.isfinite(values[v])), None)
    if odd is not None:
        # To 50 digits exp(exp(exp(9))) has more digits than there is room for.
        return None, f"{_called(odd, y)} is {values[odd]}"
    leaves = [v for v in dict.fromkeys([*order, *wrt]) if v.op.family == "leaf"]
    symbols = {v: sp.Symbol(f"_{k}", real=True) for k, v in enumerate(leaves) if not _is_small(v)}
    point = {symbol: sp.Rational(float(values[v])) for v, symbol in symbols.items()}
    try:
        e = expression(y, symbols)
        found = [e, *(sp.diff(e, symbols[x]) for x in wrt)]
        numbers = [sp.N(f.subs(point) if not f.args else f, DIGITS, subs=point) for f in found]
    except (RecursionError, MemoryError, OverflowError, ValueError, TypeError) as error:
        return None, f"sympy gives up: {type(error).__name__}"
    return [n if n.is_Number and n.is_finite else None for n in numbers], ""


def _is_too_large(order: Sequence[Node]) -> bool:
    """Whether sympy would take long over the last of some nodes, or run out of stack."""
    depth: dict[Node, int] = {}
    size: dict[Node, int] = {}
    for v in order:
        depth[v] = 1 + max((depth[x] for x in v.inputs), default=0)
        size[v] = 1 + sum(size[x] for x in v.inputs)
    return size[order[-1]] > _MOST_OPERATIONS or depth[order[-1]] > _DEEPEST


def _is_small(v: Node) -> bool:
    """Whether a leaf is a small whole number: one of many digits would be raised to powers
    exactly."""
    number = number_of(v)
    return number is not None and float(number).is_integer() and abs(float(number)) <= 64
