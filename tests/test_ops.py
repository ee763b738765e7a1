"""The laws: every op record times every law. A new op adds examples to its record, no code here."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import zlib
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
import sympy as sp

import graphc as gc
from graphc import shapes
from graphc.check import complex_step, continued
from graphc.evaluate import NAMESPACE
from graphc.ir import Example, Node, Op, cuts_path
from graphc.plan import runtime

FAMILIES = {"leaf", "elementwise", "layout", "pad", "reduce", "contract", "index", "scan"}
PRIMES = (5, 7, 11)
RECORDS = sorted(gc.OPS.values(), key=lambda op: op.name)
CASES = [(op, k) for op in RECORDS for k in range(len(op.examples))]


def has_gradient(op: Op) -> bool:
    return op.bprop is not None and op.bprop is not cuts_path


def records(holds: Any) -> Any:
    chosen = [op for op in RECORDS if holds(op)]
    return pytest.mark.parametrize("op", chosen, ids=[op.name for op in chosen])


def cases(holds: Any) -> Any:
    chosen = [(op, k) for op, k in CASES if holds(op)]
    names = [f"{op.name}-{k}" for op, k in chosen]
    return pytest.mark.parametrize(("op", "k"), chosen, ids=names)


def seeded(op: Op) -> np.random.Generator:
    """The same numbers for an op in every process."""
    return np.random.default_rng(zlib.crc32(op.name.encode()))


def draw(rng: np.random.Generator, example: Example, shape: tuple[int, ...], dtype: Any) -> Any:
    low, high = example.between
    if np.dtype(dtype).kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind in "iu":
        return rng.integers(int(low), int(high), shape, dtype=dtype)
    return np.asarray(rng.uniform(low, high, shape), dtype)[()]


class Case(NamedTuple):
    """One example with numbers: symbols are distinct primes; `weights` has the result's shape."""

    node: Node
    inputs: list[Node]
    weights: Node
    values: dict[Node, Any]
    sizes: dict[Any, int]
    rng: np.random.Generator

    @property
    def floats(self) -> list[Node]:
        return [x for x in self.inputs if x.type.is_float]

    def draw_like(self, x: Node) -> Any:
        shape = tuple(shapes.number(d, self.sizes) for d in x.shape)
        return np.asarray(self.rng.uniform(-1, 1, shape), x.dtype)[()]

    def new(self, name: str, like: Node) -> Node:
        """A fresh input with random numbers, of the type of another node."""
        made = gc.input(name, like.shape, like.dtype)
        self.values[made] = self.draw_like(like)
        return made

    def numbers(self, node: Node) -> Any:
        """The value of a node."""
        return gc.evaluate(node, self.values)


def case_of(op: Op, k: int) -> Case:
    example, rng = op.examples[k], seeded(op)
    inputs = [
        gc.input(f"x{i}", shape, dtype)
        for i, (shape, dtype) in enumerate(zip(example.shapes, example.dtypes, strict=True))
    ]
    node = op(*inputs, **example.attrs)
    attrs = [a for a in example.attrs.values() if shapes.is_expression(a)]
    dims = shapes.symbols([*(d for v in (*inputs, node) for d in v.shape), *attrs])
    sizes = dict(zip(dims, PRIMES, strict=False))
    values = {
        x: draw(rng, example, tuple(shapes.number(d, sizes) for d in x.shape), x.dtype)
        for x in inputs
    }
    # An op without inputs shows its sizes nowhere.
    values[gc.input("sizes", dims)] = np.empty([sizes[d] for d in dims])
    case = Case(node, inputs, gc.input("weights", node.shape, np.float64), values, sizes, rng)
    values[case.weights] = case.draw_like(case.weights)
    return case


def agree(expected: Any, actual: Any, relative: float) -> None:
    """Every element, relative to itself or to a thousandth of the largest of all (and of 1)."""
    largest = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(actual, expected, rtol=relative, atol=relative * 1e-3 * largest)


# -- records ----------------------------------------------------------------------------------


@records(has_gradient)
def test_a_record_with_a_gradient_has_examples(op: Op) -> None:
    """The laws reach an op through its examples alone."""
    assert op.examples


@records(lambda op: True)
def test_the_family_is_known(op: Op) -> None:
    """Passes and plans treat the ops of one family alike."""
    assert op.family in FAMILIES


@cases(lambda op: True)
def test_flops_are_a_formula_that_is_not_negative(op: Op, k: int) -> None:
    """Costs are told before running, as formulas in the sizes."""
    case = case_of(op, k)
    count = op.flops(case.node)
    assert isinstance(count, int) or set(count.free_symbols) <= set(case.sizes)
    assert shapes.number(count, case.sizes) >= 0


@cases(lambda op: not op.view)
def test_only_a_view_shares_memory(op: Op, k: int) -> None:
    """What is not marked as a view may be written over while its inputs live."""
    case = case_of(op, k)
    result = run_text(op, case)
    assert not any(shares(result, case.values[x]) for x in case.inputs)


@records(lambda op: op.view)
def test_a_view_shares_memory_with_its_first_input_alone(op: Op) -> None:
    """The flag is honest in both directions: some example shares, and never with another input."""
    found = False
    for k in range(len(op.examples)):
        case = case_of(op, k)
        result = run_text(op, case)
        first, *others = (case.values[x] for x in case.inputs)
        found = found or shares(result, first)
        assert not any(shares(result, other) for other in others)
    assert found


def run_text(op: Op, case: Case) -> Any:
    """What NumPy itself returns, with nothing copied."""
    names = {f"x{i}": case.values[x] for i, x in enumerate(case.inputs)}
    sizes = {f"dim_{symbol.name}": size for symbol, size in case.sizes.items()}
    return eval(op.text(case.node), NAMESPACE, {**names, **sizes})


def shares(a: Any, b: Any) -> bool:
    """Whether two arrays have memory in common (a NumPy scalar has none of its own)."""
    both = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    return a is b or (both and bool(np.shares_memory(a, b)))


# -- types and text ---------------------------------------------------------------------------


@cases(lambda op: True)
def test_shape_and_dtype_are_what_numpy_returns(op: Op, k: int) -> None:
    """A type is promised when the line is written; the program must keep the promise."""
    case = case_of(op, k)
    result = case.numbers(case.node)
    assert tuple(shapes.number(d, case.sizes) for d in case.node.shape) == np.shape(result)
    assert case.node.dtype == np.asarray(result).dtype


@records(lambda op: op.family == "elementwise")
def test_the_dtype_is_what_numpy_returns_or_is_refused(op: Op) -> None:
    """Promotion is NumPy's, over every combination of dtypes, for arrays and for scalars."""
    example, rng = op.examples[0], seeded(op)
    arity = len(example.shapes)
    dtypes = [np.dtype(t) for t in ("bool", "int32", "int64", "float32", "float64")]
    for shape, given in itertools.product([(3,), ()], itertools.product(dtypes, repeat=arity)):
        inputs = [gc.input(f"x{i}", shape, t) for i, t in enumerate(given)]
        try:
            node = op(*inputs, **example.attrs)
        except gc.DTypeError:
            continue
        values = {x: np.asarray(rng.integers(1, 3, shape), x.dtype)[()] for x in inputs}
        assert node.dtype == np.asarray(gc.evaluate(node, values)).dtype, given


@cases(lambda op: True)
def test_the_text_parses_and_uses_only_allowed_names(op: Op, k: int) -> None:
    """A program stands on NumPy alone: operands, sizes (min and max), the runtime's functions."""
    case = case_of(op, k)
    texts = [op.text(case.node), continued(case.node)]
    allowed = {name for name, f in vars(runtime).items() if inspect.isfunction(f)}
    allowed |= {"np", "min", "max", *(f"x{i}" for i in range(max(1, len(case.inputs))))}
    for text in texts:
        names = {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}
        assert {n for n in names if not n.startswith("dim_")} <= allowed


# -- gradients --------------------------------------------------------------------------------


@cases(has_gradient)
def test_the_gradient_is_that_of_the_complex_step(op: Op, k: int) -> None:
    """Orders 1 and 2, every element, to 1e-9: the numbers, not the shape of the formula."""
    case = case_of(op, k)
    if not case.node.type.is_float or not case.floats:
        pytest.skip("no gradient passes: integers")
    relative = 1e-9 if case.node.dtype == np.float64 else 1e-6
    first = gc.sum(case.weights * case.node)
    gradients = gc.grad(first, case.floats, disconnected="zero")
    for x, g in zip(case.floats, gradients, strict=True):
        agree(complex_step(first, x, case.values), case.numbers(g), relative)
    shares = [gc.sum(case.new(f"w{i}", g) * g) for i, g in enumerate(gradients)]
    second = functools.reduce(gc.add, shares)
    for x, g in zip(case.floats, gc.grad(second, case.floats, disconnected="zero"), strict=True):
        agree(complex_step(second, x, case.values), case.numbers(g), relative)


@cases(has_gradient)
def test_forward_and_reverse_mode_are_dual(op: Op, k: int) -> None:
    """<jvp t, g> = <t, vjp g>: one Jacobian, used from both sides."""
    case = case_of(op, k)
    if not case.node.type.is_float or not case.floats:
        pytest.skip("no gradient passes: integers")
    cotangent = case.new("g", case.node)
    tangents = [case.new(f"t{i}", x) for i, x in enumerate(case.floats)]
    pushed = gc.jvp(case.node, case.floats, tangents)
    pulled = gc.vjp(case.node, case.floats, cotangent, disconnected="zero")
    products = [(pushed, cotangent), *zip(pulled, tangents, strict=True)]
    left, *right = (case.numbers(a) * case.numbers(b) for a, b in products)
    scale = sum(np.sum(np.abs(r), dtype=np.float64) for r in right)
    eps = 1e-13 if case.node.dtype == np.float64 else 1e-6
    assert np.sum(left) == pytest.approx(sum(map(np.sum, right)), rel=eps, abs=eps * scale)


@cases(lambda op: op.bprop is cuts_path)
def test_an_op_that_cuts_the_path_says_so(op: Op, k: int) -> None:
    """No gradient is better than a silent zero."""
    case = case_of(op, k)
    if not case.floats:
        pytest.skip("there is no float to differentiate by")
    result = gc.astype(case.node, np.float64)
    with pytest.raises(gc.Disconnected):
        gc.vjp(result, case.floats[0], case.weights)


# -- the specification, in exact arithmetic ---------------------------------------------------

# 1 + 5e-324 must not be 1.
DIGITS = 400
SIZES = (0.0, 5e-324, 1e-300, 1e-8, 1.0, 20.0, 700.0, 1e8, 1e300)
EXTREMES = tuple(sign * size for size in SIZES for sign in (1.0, -1.0))
INFINITE = (*EXTREMES, np.inf, -np.inf)
LARGEST, SMALLEST = np.finfo(np.float64).max, np.finfo(np.float64).smallest_normal

# Where the meaning has no derivative that float64 can be held to.
ILL_POSED = {
    "power": lambda x, y: x < 0 and abs(y) > 2.0**53,  # y - 1 is not even or odd any more
    "clip": lambda x, low, high: x == low == high,  # the closed interval is a point
}

with_meaning = records(lambda op: op.meaning is not None)
with_derivative = records(lambda op: op.meaning is not None and has_gradient(op))


@functools.cache
def exactly(expression: Any, variables: tuple[Any, ...]) -> Any:
    """The expression as a function of mpf numbers: an mpf, a bool, or None where it is not real."""
    f = sp.lambdify(variables, expression, modules="mpmath")

    def value(*arguments: Any) -> Any:
        try:
            found = f(*arguments)
        except (ZeroDivisionError, ValueError, TypeError, OverflowError):
            return None
        if isinstance(found, bool | sp.logic.boolalg.BooleanAtom):
            return bool(found)
        return None if isinstance(found, mpmath.mpc) else mpmath.mpf(found)

    return value


def derivative_of(op: Op, i: int) -> Any:
    """sympy's own derivative of the meaning."""
    expression, variables = op.meaning.expr.rewrite(sp.Piecewise), op.meaning.variables
    return exactly(sp.diff(expression, variables[i]), variables)


def points(op: Op, extremes: tuple[float, ...], count: int = 50) -> list[Any]:
    """One column for each argument: the random points of the first example, then the extremes."""
    example, rng = op.examples[0], seeded(op)
    random = [draw(rng, example, (count,), np.dtype(t)) for t in example.dtypes]
    if len(random) > 2:
        extremes = tuple(v for v in extremes if abs(v) not in (5e-324, 1e-8, 700.0, 1e8))
    axes = [(False, True) if t == "bool" else extremes for t in example.dtypes]
    grid = list(itertools.product(*axes))
    return [np.array([*r, *(row[i] for row in grid)], r.dtype) for i, r in enumerate(random)]


def as_exact(values: Any) -> list[Any]:
    return [bool(v) if isinstance(v, np.bool_) else mpmath.mpf(float(v)) for v in values]


def claims(f: Any, values: Any) -> list[Any]:
    """What a result may be: the exact value, or where an argument is 0 the limit from its side."""
    arguments = as_exact(values)
    exact = f(*arguments)
    if exact is not None and exact != exact:
        return []  # inf - inf and its like: not for the mathematics to say
    zeros = [not isinstance(a, bool) and a == 0 for a in arguments]
    ranks = range(1, len(arguments) + 1)
    limits = []
    for order in (ranks, ranks[::-1]) if any(zeros) else ():  # which zero is approached the faster
        near = [
            float(np.copysign(1.0, v)) * mpmath.mpf(10) ** (-100_000 * rank) if is_zero else a
            for a, v, rank, is_zero in zip(arguments, values, order, zeros, strict=True)
        ]
        limits.append(f(*near))
    limits = [v for v in limits if v is not None and v == v]
    if exact is not None:
        return [exact, *limits]
    return limits if len(set(map(float, limits))) == 1 else []


def ulps(expected: Any, actual: Any) -> float:
    """The error in units of the last place of the exact value."""
    if isinstance(expected, bool) or not mpmath.isfinite(expected) or not np.isfinite(actual):
        rounded = expected if isinstance(expected, bool) else float(expected)
        return 0.0 if actual == rounded else np.inf
    unit = np.spacing(min(abs(float(expected)), LARGEST))
    return float(abs(mpmath.mpf(float(actual)) - expected) / mpmath.mpf(float(unit)))


def inputs_of(op: Op) -> list[Node]:
    return [gc.input(f"x{i}", ("k",), t) for i, t in enumerate(op.examples[0].dtypes)]


@with_meaning
def test_numpy_text_is_the_meaning_to_a_few_ulp(op: Op) -> None:
    """The sympy expression is the specification; 4 ulp in float64, extremes included."""
    columns, inputs = points(op, INFINITE), inputs_of(op)
    results = gc.evaluate(op(*inputs), dict(zip(inputs, columns, strict=True)))
    meaning = exactly(op.meaning.expr, op.meaning.variables)
    wrong = []
    with mpmath.workdps(DIGITS):
        for values, actual in zip(zip(*columns, strict=True), results, strict=True):
            known = claims(meaning, values)
            if known and min(ulps(c, actual) for c in known) > 4:
                wrong.append((*map(float, values), float(actual), str(known[0])[:20]))
    assert not wrong, f"{len(wrong)} of {len(results)}, such as {wrong[:8]}"


@records(lambda op: op.meaning is not None and set(op.examples[0].dtypes) == {"float64"})
def test_nan_in_gives_nan_out(op: Op) -> None:
    """An unknown operand makes the result unknown; where may drop it, so may 0 and 1 in powers."""
    inputs = inputs_of(op)
    node = op(*inputs)
    if not node.type.is_float:
        pytest.skip("a truth value cannot be NaN")
    for unknown in inputs:
        values = {x: np.array([np.nan if x is unknown else 0.5]) for x in inputs}
        assert np.isnan(gc.evaluate(node, values)).all()


@with_derivative
def test_the_gradient_is_finite_where_the_truth_is(op: Op) -> None:
    """Value and gradient at the extremes; a gradient keeps 1e-6 of itself, or 1e-15 of 1."""
    columns, inputs = points(op, EXTREMES, count=0), inputs_of(op)
    at = dict(zip(inputs, columns, strict=True))
    result = gc.evaluate(op(*inputs), at)
    meaning = exactly(op.meaning.expr, op.meaning.variables)
    is_ill_posed = ILL_POSED.get(op.name, lambda *values: False)
    wrong = []
    for i, x in enumerate(inputs):
        if not x.type.is_float:
            continue
        gradient = gc.evaluate(gc.vjp(op(*inputs), x, 1.0), at)
        slope = derivative_of(op, i)
        with mpmath.workdps(DIGITS):
            for k, values in enumerate(zip(*columns, strict=True)):
                arguments = as_exact(values)
                expected = slope(*arguments)
                if not is_representable(meaning(*arguments)) or not is_representable(expected):
                    continue
                assert np.isfinite(result[k]), (values, result[k])
                error = mpmath.mpf(float(gradient[k])) - expected
                if any(0 < abs(v) < SMALLEST for v in (*values, result[k])):
                    # A subnormal number has lost the digits that the derivative needs.
                    is_right = not np.isnan(gradient[k])
                else:
                    is_right = bool(abs(error) <= 1e-6 * abs(expected) + 1e-15)
                if not is_right and not is_ill_posed(*values) and is_smooth(slope, arguments, i):
                    exact = mpmath.nstr(expected, 17)
                    wrong.append((i, *map(float, values), float(gradient[k]), exact))
    assert not wrong, f"{len(wrong)} of {len(result)}, such as {wrong[:8]}"


def is_representable(value: Any) -> bool:
    return value is not None and bool(mpmath.isfinite(value)) and abs(value) <= LARGEST


def is_smooth(slope: Any, arguments: list[Any], i: int) -> bool:
    """Whether a derivative is the same on both sides: kinks have a table of their own."""
    step = (abs(arguments[i]) or 1) * mpmath.mpf(10) ** -330
    sides = [slope(*arguments[:i], arguments[i] + s, *arguments[i + 1 :]) for s in (-step, step)]
    if any(not is_representable(s) for s in sides):
        return False
    return bool(abs(sides[0] - sides[1]) <= 1e-9 * abs(sides[0]))


@with_derivative
def test_a_derivative_given_by_hand_is_that_of_the_meaning(op: Op) -> None:
    """At random points to 1e-12, against sympy's derivative at 50 digits."""
    columns, inputs = points(op, (), count=50), inputs_of(op)
    at = dict(zip(inputs, columns, strict=True))
    for i, x in enumerate(inputs):
        if not x.type.is_float:
            continue
        actual = gc.evaluate(gc.vjp(op(*inputs), x, 1.0), at)
        slope = derivative_of(op, i)
        with mpmath.workdps(50):
            expected = [slope(*as_exact(values)) for values in zip(*columns, strict=True)]
        np.testing.assert_allclose(actual, np.array(expected, np.float64), rtol=1e-12, atol=0)


# -- kinks and guards -------------------------------------------------------------------------


def derivatives(build: Any, at: Any, orders: int, by: int = 0) -> list[Any]:
    """f's derivatives by one argument: each order is the gradient of the sum of the one before."""
    values = [np.asarray(v, np.float64) for v in at]
    inputs = [gc.input(f"x{i}", v.shape) for i, v in enumerate(values)]
    found = [build(*inputs)]
    for _ in range(orders):
        found.append(gc.grad(gc.sum(found[-1]), inputs[by], disconnected="zero"))
    return gc.evaluate(found[1:], dict(zip(inputs, values, strict=True)))  # type: ignore[no-any-return]


INF, NAN = np.inf, np.nan
HALF, THIRD = 0.5, 1 / 3

# What is differentiated, where, by which argument, and its derivatives of order 1, 2 and 3.
KINKS = {
    "where-inf": (lambda x: gc.where(x > 0, gc.sqrt(x), x), [0.0], 0, 1, 0, 0),
    "where-nan": (lambda x: gc.where(x > 0, gc.log(x), x), [-1.0], 0, 1, 0, 0),
    "where-other-branch": (lambda x: gc.where(x <= 0, 2 * x, gc.log(x)), [0.0], 0, 2, 0, 0),
    "abs": (gc.abs, [0.0], 0, 0, 0, 0),
    "abs-left": (gc.abs, [-2.0], 0, -1, 0, 0),
    "sign": (gc.sign, [0.0], 0, 0, 0, 0),
    "relu": (gc.relu, [0.0], 0, 0, 0, 0),
    "relu-square": (lambda x: gc.relu(x) ** 2, [0.0], 0, 0, 0, 0),
    "maximum-first": (gc.maximum, [1.0, 1.0], 0, HALF, 0, 0),
    "maximum-second": (gc.maximum, [1.0, 1.0], 1, HALF, 0, 0),
    "maximum-both": (lambda x: gc.maximum(x, x), [1.0], 0, 1, 0, 0),
    "minimum-first": (gc.minimum, [1.0, 1.0], 0, HALF, 0, 0),
    "minimum-second": (gc.minimum, [1.0, 1.0], 1, HALF, 0, 0),
    "max": (gc.max, [[1.0, 3.0, 3.0, 3.0]], 0, [0, THIRD, THIRD, THIRD], [0] * 4, [0] * 4),
    "max-square": (lambda x: gc.max(x) ** 2, [[3.0, 3.0]], 0, [3, 3], [1, 1], [0, 0]),
    "min": (gc.min, [[1.0, 1.0, 3.0]], 0, [HALF, HALF, 0], [0] * 3, [0] * 3),
    "max-axis": (
        lambda x: gc.max(x, axis=0), [[[1.0, 5.0], [1.0, 2.0]]], 0,
        [[HALF, 1], [HALF, 0]], np.zeros((2, 2)), np.zeros((2, 2)),
    ),
    "clip-low": (lambda x: gc.clip(x, 0, 1), [0.0], 0, 1, 0, 0),
    "clip-high": (lambda x: gc.clip(x, 0, 1), [1.0], 0, 1, 0, 0),
    "clip-outside": (lambda x: gc.clip(x, 0, 1), [1.5], 0, 0, 0, 0),
    "clip-by-low": (lambda x, low: gc.clip(x, low, 2), [1.0, 1.0], 1, 0, 0, 0),
    "clip-by-high": (lambda x, high: gc.clip(x, 0, high), [1.0, 1.0], 1, 0, 0, 0),
    "norm": (gc.norm, [[0.0, 0.0]], 0, [0, 0], [0, 0], [0, 0]),
    "hypot": (gc.hypot, [0.0, 0.0], 0, 0, 0, 0),
    "hypot-second": (gc.hypot, [0.0, 0.0], 1, 0, 0, 0),
    "sqrt": (gc.sqrt, [0.0], 0, INF, -INF, INF),
    "sqrt-guarded": (lambda x: gc.where(x > 0, gc.sqrt(x), 0), [0.0], 0, 0, 0, 0),
    "power-0": (lambda x: x**0, [0.0], 0, 0, 0, 0),
    "power-half": (lambda x: x**0.5, [0.0], 0, INF, -INF, INF),
    "power-1": (lambda x: x**1, [0.0], 0, 1, 0, 0),
    "power-2": (lambda x: x**2, [0.0], 0, 0, 2, 0),
    "power-3": (lambda x: x**3, [0.0], 0, 0, 0, 6),
    "power-symbolic-0": (gc.power, [0.0, 0.0], 0, 0, 0, 0),
    "power-symbolic-half": (gc.power, [0.0, 0.5], 0, INF, -INF, INF),
    "power-symbolic-1": (gc.power, [0.0, 1.0], 0, 1, 0, 0),
    "power-symbolic-2": (gc.power, [0.0, 2.0], 0, 0, 2, 0),
    "power-symbolic-3": (gc.power, [0.0, 3.0], 0, 0, 0, 6),
    "power-by-exponent-0": (gc.power, [0.0, 0.0], 1, 0, 0, 0),
    "power-by-exponent-2": (gc.power, [0.0, 2.0], 1, 0, 0, 0),
    "power-by-negative-exponent": (gc.power, [0.0, -1.0], 1, 0, 0, 0),
    "prod-one-zero": (gc.prod, [[0.0, 2.0, 3.0]], 0, [6, 0, 0], [5, 3, 2], [2, 2, 2]),
    "prod-two-zeros": (gc.prod, [[0.0, 0.0, 3.0]], 0, [0, 0, 0], [3, 3, 0], [2, 2, 2]),
    "cumprod-one-zero": (
        gc.cumulative_prod, [[2.0, 0.0, 3.0]], 0, [1, 8, 0], [4, 6, 2], [2, 2, 2],
    ),
    "cumprod-two-zeros": (
        gc.cumulative_prod, [[0.0, 0.0, 3.0]], 0, [1, 0, 0], [4, 4, 0], [2, 2, 2],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kink", KINKS.values(), ids=KINKS.keys())
def test_a_kink_has_the_derivative_that_the_table_names(kink: Any) -> None:
    """One written table, at every order: nobody has to guess."""
    build, at, by, *expected = kink
    for wanted, actual in zip(expected, derivatives(build, at, 3, by), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-14, atol=1e-14)


CUTS = {
    "floor": gc.floor,
    "ceil": gc.ceil,
    "trunc": gc.trunc,
    "round": gc.round,
    "stop": gc.stop_gradient,
    "comparison": lambda x: gc.astype(x > 0, float),
    "integer-cast": lambda x: gc.astype(gc.astype(x, int), float),
    "condition": lambda x: gc.where(x > 0, 1.0, 2.0),
}


@pytest.mark.parametrize("build", CUTS.values(), ids=CUTS.keys())
def test_a_step_cuts_the_path(build: Any) -> None:
    """There is no derivative to give: the error names the cut; zeros come for the asking."""
    x = gc.input("x", ())
    with pytest.raises(gc.Disconnected):
        gc.grad(build(x), x)
    zero = gc.grad(build(x), x, disconnected="zero")
    assert gc.evaluate(zero, {x: 0.5}) == 0


def s_of(x: Node) -> Node:
    return gc.sum(x * x)


def sinc(x: Node) -> Node:
    return gc.where(x != 0, gc.sin(x) / x, 1)


def root(x: Node) -> Node:
    return gc.where(x > 0, gc.sqrt(x), 0)


def logarithm(x: Node) -> Node:
    return gc.where(x > 0, gc.log(x), 0)


ROOT = [0, 0, 0.5 / 1.5], [0, 0, -0.25 / 1.5**3]
LOG = [0, 0, 1 / 2.25], [0, 0, -(2.25**-2)]
AT = [-1.0, 0.0, 2.25]


# What is guarded, where, and its derivatives of order 1 and 2.
GUARDS = {
    "sqrt": (root, AT, *ROOT),
    "log": (logarithm, AT, *LOG),
    "sinc-at-0": (sinc, 0.0, 0, 0),
    "sinc-beside": (sinc, 1e-3, -3.333333e-4, -0.3333332333333),
    "norm-at-0": (lambda x: gc.where(s_of(x) > 0, gc.sqrt(s_of(x)), 0), [0.0, 0.0], [0, 0], [0, 0]),
    "norm-beside": (
        lambda x: gc.where(s_of(x) > 0, gc.sqrt(s_of(x)), 0), [3.0, 4.0],
        [0.6, 0.8], [16 / 125 - 12 / 125, 9 / 125 - 12 / 125],
    ),
    "in-the-other-branch": (lambda x: gc.where(x <= 0, 0, gc.sqrt(x)), AT, *ROOT),
    "negated": (lambda x: -root(x), AT, *np.negative(ROOT)),
    "sum": (lambda x: gc.sum(root(x)), AT, *ROOT),
    "sum-then-root": (lambda x: gc.sum(gc.where(x > 0, x**1.5, 0)), AT, [0, 0, 2.25], [0, 0, 0.5]),
    "reshape": (lambda x: gc.reshape(root(gc.reshape(x, (3, 1))), (1, 3)), AT, *ROOT),
    "transpose": (lambda x: gc.transpose(root(gc.reshape(x, (3, 1)))), AT, *ROOT),
    "broadcast": (lambda x: gc.broadcast_to(root(x), (2, 3)), AT, *np.multiply(2, ROOT)),
    "broadcast-inside": (lambda x: root(gc.broadcast_to(x, (2, 3))), AT, *np.multiply(2, ROOT)),
    "slice": (lambda x: root(x)[1:], AT, *ROOT),
    "slice-inside": (lambda x: root(x[1:]), AT, *ROOT),
    "flip": (lambda x: gc.flip(root(gc.flip(x))), AT, *ROOT),
    "two-added": (lambda x: root(x) + logarithm(x), AT, *np.add(ROOT, LOG)),
    "two-multiplied": (
        lambda x: root(x) * logarithm(x), [-1.0, 0.0, 1.0], [0, 0, 1], [0, 0, 0],
    ),
    "signs-of-a-factor": (lambda x: x * gc.negative(-root(x)), AT, [0, 0, 2.25], [0, 0, 0.5]),
    "signs-within-guards": (
        lambda x: x * -gc.where(x > -2, -root(x), 0), AT, [0, 0, 2.25], [0, 0, 0.5],
    ),
    "scaled": (lambda x: 3 * root(x) * 2, AT, *np.multiply(6, ROOT)),
    "root-of-log": (lambda x: root(logarithm(x)), [-1.0, 0.0, 1.0], [0] * 3, [0] * 3),
    "exp-of-root": (lambda x: gc.exp(root(x)), [-1.0, 0.0], [0, 0], [0, 0]),
    "root-of-root": (lambda x: root(root(x)), [-1.0, 0.0, 1.0], [0, 0, 0.25], [0, 0, -3 / 16]),
    "square-of-root": (lambda x: root(x) ** 2, [-1.0, 0.0, 4.0], [0, 0, 1], [0, 0, 0]),
    "divided": (lambda x: gc.where(x != 0, x / x, 1), [0.0, 2.0], [0, 0], [0, 0]),
    "nested": (
        lambda x: gc.where(x > 0, gc.where(x > 1, gc.sqrt(x - 1), 0), 0), [-1.0, 0.0, 1.0, 2.0],
        [0, 0, 0, 0.5], [0, 0, 0, -0.25],
    ),
    "scalar-guard": (
        lambda x: gc.where(gc.sum(x) > 0, gc.log(x), 0), [0.0, -1.0], [0, 0], [0, 0],
    ),
    "column-guard": (
        lambda x: gc.broadcast_to(logarithm(gc.reshape(x, (2, 1))), (2, 3)),
        [0.0, 2.0], [0, 1.5], [0, -0.75],
    ),
    "outer-sum": (
        lambda x: gc.sum(gc.reshape(x, (2, 1)) * root(gc.reshape(x, (1, 2)))), [0.0, 4.0],
        [2, 3], [0.25, 0.625],
    ),
    "max-inside": (lambda x: logarithm(gc.max(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0]),
    "sum-inside": (lambda x: logarithm(gc.sum(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0]),
    "mean-inside": (lambda x: logarithm(gc.mean(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0]),
    "pad-inside": (lambda x: logarithm(gc.pad(gc.sqrt(x), 1)), [0.0, 0.0], [0, 0], [0, 0]),
    "concat": (lambda x: gc.concat([root(x), logarithm(x)]), AT, *np.add(ROOT, LOG)),
    "dot-inside": (
        lambda x: logarithm(gc.dot(gc.sqrt(x), np.ones(2))), [0.0, 0.0], [0, 0], [0, 0],
    ),
    "matmul-inside": (
        lambda x: logarithm(gc.sqrt(gc.reshape(x, (2, 1))) @ np.ones((1, 3))), [0.0, 4.0],
        [0, 0.375], [0, -0.09375],
    ),
    "take-inside": (
        lambda x: logarithm(gc.take(gc.sqrt(x), [0, 1, 1])), [0.0, 4.0], [0, 0.25], [0, -0.0625],
    ),
    "gather-inside": (
        lambda x: logarithm(gc.take_along_axis(gc.sqrt(x), [0, 1, 1])), [0.0, 4.0],
        [0, 0.25], [0, -0.0625],
    ),
    "cumulative-sum-inside": (
        lambda x: logarithm(gc.cumulative_sum(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0],
    ),
    "prod-inside": (lambda x: logarithm(gc.prod(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0]),
    "cumulative-prod-inside": (
        lambda x: logarithm(gc.cumulative_prod(gc.sqrt(x))), [0.0, 0.0], [0, 0], [0, 0],
    ),
    "missing-rows": (
        lambda x: gc.where(gc.isfinite(x), x, 0.0) * 2, [np.nan, 1.0], [0, 2], [0, 0],
    ),
    "missing-values-in-a-product": (
        lambda x: gc.where(x > 0, gc.constant([np.nan, 2.0]) * x, 0), [-1.0, 1.0], [0, 2], [0, 0],
    ),
    "power": (lambda x: gc.where(x > 0, x**0.5, 0), AT, *ROOT),
    "reciprocal": (
        lambda x: gc.where(x != 0, gc.reciprocal(x), 0), [0.0, 2.0], [0, -0.25], [0, 0.25],
    ),
}  # fmt: skip


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
def test_a_guard_holds_through_everything_built_on_it(guard: Any) -> None:
    """0 * inf never reaches a gradient: a branch not taken contributes exactly 0, at each order."""
    build, point, *expected = guard
    for wanted, actual in zip(expected, derivatives(build, [point], 2), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-6, atol=1e-14)
    assert np.isfinite(derivatives(build, [point], 3)[-1]).all()
