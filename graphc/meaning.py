"""sympy both ways: an expression becomes a recipe that builds nodes, nodes become an expression.

Recipes are made once per expression and then replayed: sympy is never asked while a graph is built.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from .errors import ArgumentError, NotDifferentiable
from .ir import FUNCTIONS, OPS, Node, Op, is_number, topo

# The arguments of specifications, p and q truth values, and the result itself, which a derivative
# may mention.
x, y, z, result = sp.symbols("x y z result", real=True)
p, q = sp.symbols("p q")
_SYMBOLS = {s.name: s for s in (p, q, x, y, z, result)}


def _symbol(name: str) -> Any:
    """The variable of this name."""
    if name not in _SYMBOLS:
        known = "x, y and z, p and q where they are truth values"
        raise ArgumentError(f"the parameters of a formula are called {known}: not {name}")
    return _SYMBOLS[name]


class Formula:
    """Expressions in some of x, y, z, p, q, result, or a function of those that makes them.

    They are made when first looked at: sympy takes its time over the first sum that it meets, and
    importing graphc should not.
    """

    def __init__(self, formula: Any) -> None:
        if inspect.isfunction(formula):
            self.variables = tuple(map(_symbol, inspect.signature(formula).parameters))
            self._make: Callable[..., Any] = formula
        else:
            # Whoever makes a symbol x says no more of it than its name.
            ours = {s: _symbol(s.name) for s in getattr(formula, "free_symbols", ())}
            self.variables = tuple(s for s in _SYMBOLS.values() if s in ours.values())
            self._make = lambda *_: formula.xreplace(ours) if ours else formula

    @functools.cached_property
    def expr(self) -> Any:
        try:
            made = self._make(*self.variables)
            sp.sympify(made)
        except (sp.SympifyError, AttributeError, TypeError) as error:
            raise ArgumentError(
                "a formula is made of numbers, operators and sympy's functions, such as sympy.exp, "
                f"not of gc's or NumPy's ({error})"
            ) from None
        return made

    def __call__(self, *arguments: Any) -> Any:
        """The expression in other symbols, or its value."""
        return sp.Lambda(self.variables, self.expr)(*arguments)


class Step(NamedTuple):
    """One function applied to earlier values: arguments are positions, or constants."""

    function: str
    arguments: tuple[int | float | bool, ...]
    is_position: tuple[bool, ...]


class Recipe(NamedTuple):
    """A straight line of steps. Positions count the arguments first, then the steps."""

    steps: tuple[Step, ...]
    value: int | float | bool
    value_is_position: bool

    def build(self, arguments: Sequence[Node], dtype: np.dtype[Any]) -> Node:
        """The nodes of the recipe on these arguments; its constants have the given dtype.

        So have integers among the arguments: squares and differences of their own wrap around.
        """
        cast = FUNCTIONS["astype"]
        values = [cast(v, dtype) if v.type.dtype.kind in "iu" else v for v in arguments]

        def value(at: Any, is_position: bool) -> Any:
            if is_position:
                return values[at]
            # A truth value stays one; every number is of the dtype asked for.
            truth = isinstance(at, bool)
            return FUNCTIONS["constant"](at, dtype=np.dtype(bool) if truth else dtype)

        for function, positions, flags in self.steps:
            values.append(FUNCTIONS[function](*map(value, positions, flags)))
        built: Node = value(self.value, self.value_is_position)
        return built


@functools.lru_cache(maxsize=4096)
def recipe(expression: Any, symbols: tuple[Any, ...]) -> Recipe:
    """How to build an expression from nodes for its symbols, common subexpressions once."""
    writer = _Writer(symbols)
    at, is_position = writer.write(expression)
    return Recipe(tuple(writer.steps), at, is_position)


Value = tuple[Any, bool]


class _Writer:
    """Writes the steps of a (small) expression, sums and products as people write them."""

    def __init__(self, symbols: tuple[Any, ...]) -> None:
        self.known: dict[Any, Value] = {s: (i, True) for i, s in enumerate(symbols)}
        self.count = len(symbols)
        self.steps: list[Step] = []

    def write(self, e: Any) -> Value:
        if e not in self.known:
            self.known[e] = self._write(e)
        return self.known[e]

    def step(self, function: str, *arguments: Value) -> Value:
        positions, flags = zip(*arguments, strict=True)
        self.steps.append(Step(function, positions, flags))
        self.count += 1
        return self.count - 1, True

    def _write(self, e: Any) -> Value:
        if e in (sp.true, sp.false):
            return bool(e), False
        if e.is_number:
            return float(e), False
        if e.is_Add:
            return self._sum(e)
        if e.is_Mul:
            return self._product(e)
        if e.is_Pow:
            return self._power(e)
        if isinstance(e, sp.Piecewise):
            return self._cases(e)
        return self.step(function_of(e), *map(self.write, e.args))

    def _sum(self, e: Any) -> Value:
        terms = sorted(e.as_ordered_terms(), key=is_negated)
        total = self.write(terms[0])
        for term in terms[1:]:
            if is_negated(term):
                total = self.step("subtract", total, self.write(-term))
            else:
                total = self.step("add", total, self.write(term))
        return total

    def _product(self, e: Any) -> Value:
        if is_negated(e):
            return self.step("negative", self.write(-e))
        numerator, denominator = _fraction(e)
        if denominator != 1:
            return self.step("divide", self.write(numerator), self.write(denominator))
        total, *others = map(self.write, e.as_ordered_factors())
        for other in others:
            total = self.step("multiply", total, other)
        return total

    def _power(self, e: Any) -> Value:
        base, exponent = e.args
        if exponent == 2:
            return self.step("square", self.write(base))
        if exponent == sp.Rational(1, 2):
            return self.step("sqrt", self.write(base))
        if exponent == -1:
            return self.step("reciprocal", self.write(base))
        if exponent in (-2, sp.Rational(-1, 2)):
            return self.step("reciprocal", self.write(base**-exponent))
        if base == sp.E:
            return self.step("exp", self.write(exponent))
        return self.step("power", self.write(base), self.write(exponent))

    def _cases(self, e: Any) -> Value:
        *cases, (otherwise, last) = e.args
        if last != sp.true:
            cases, otherwise = list(e.args), sp.nan
        value = self.write(otherwise)
        for expression, condition in reversed(cases):
            value = self.step("where", self.write(condition), self.write(expression), value)
        return value


def _fraction(e: Any) -> tuple[Any, Any]:
    """Numerator and denominator; an exponential of a negative argument stays above."""
    above, below = [], []
    for factor in e.as_ordered_factors():
        base, exponent = factor.as_base_exp()
        if factor.is_Rational:
            above.append(sp.Integer(factor.p))
            below.append(sp.Integer(factor.q))
        elif base != sp.E and is_negated(exponent):
            below.append(base**-exponent)
        else:
            above.append(factor)
    return sp.Mul(*above), sp.Mul(*below)


def is_negated(e: Any) -> bool:
    """Whether a formula is something with a minus before it."""
    return bool(e.as_coeff_Mul()[0].is_negative)


def function_of(e: Any) -> str:
    """The op that an applied sympy function stands for."""
    name = e.func.__name__ if isinstance(e, AppliedUndef) else _op_meaning(e.func, len(OPS))
    if name not in FUNCTIONS:
        raise NotDifferentiable(f"no operation of graphc means {e.func}")
    return name


@functools.lru_cache(maxsize=256)
def _op_meaning(function: Any, count: int) -> str | None:
    """The op, of so many, whose whole meaning is a sympy function of its arguments."""
    # Most have its name: to look at the others makes sympy write down what all of them mean.
    likely = sorted(OPS.values(), key=lambda op: op.name != function.__name__.lower())
    meanings = ((op.name, op.meaning) for op in likely if op.meaning is not None)
    return next(
        (n for n, m in meanings if m.expr.func is function and m.expr.args == m.variables), None
    )


@functools.cache
def operations(op: Op) -> int:
    """How many arithmetic operations the specification of an elementwise op holds."""
    return max(1, int(op.meaning.expr.count_ops())) if op.meaning is not None else 1


def expression(node: Node, symbols: Mapping[Node, Any]) -> Any:
    """The sympy expression of an elementwise graph, in given symbols for some of its nodes."""
    found: dict[Node, Any] = dict(symbols)
    for v in topo([node]):
        if v in found:
            continue
        if is_number(v):
            found[v] = _number(v)
        elif v.op.meaning is not None:
            found[v] = v.op.meaning(*(found[u] for u in v.inputs))
        else:
            raise NotDifferentiable(
                f"{v.label} ({v.op.name}) is no elementwise operation and has no symbol"
            )
    return found[node]


def _number(v: Node) -> Any:
    value = v.attrs["value"].array.item()
    if isinstance(value, bool):
        return sp.true if value else sp.false
    # Exact: the double 0.1 enters as the rational number that it is.
    return sp.Rational(value) if np.isfinite(value) else sp.sympify(value)
