"""The laws: what any op record must keep, tried on its own examples.

The tests of graphc hold every record to them, and `gc.check_op` a record of yours.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import shapes
from ..autodiff.backprop import grad, pruned, vjp
from ..autodiff.modes import jvp
from ..errors import Disconnected, DTypeError, LawBroken
from ..evaluate import computed_by, evaluate
from ..ir import OPS, Example, Node, Op, cuts_path
from ..ops.elementwise import astype
from ..ops.leaves import input as new_input
from ..ops.reduce import sum as total
from ..plan.carried import HELPERS
from ..records import applied
from ..sizes import Size
from .compare import check
from .numeric import complex_step, continued

PRIMES = (5, 7, 11)


class Law(NamedTuple):
    """A statement about records: of which it holds, and how it is tried."""

    says: str
    applies: Callable[[Op], bool]
    trial: Callable[..., None]
    is_by_example: bool  # tried on each example, else once

    def __call__(self, op: Op, *case: int) -> None:
        self.trial(op, *case)


LAWS: dict[str, Law] = {}


def law(says: str, applies: Callable[[Op], bool] = lambda op: True) -> Callable[[Any], Law]:
    """Enter a function in the list of laws: it raises LawBroken where the law does not hold."""

    def entered(trial: Callable[..., None]) -> Law:
        by_example = len(inspect.signature(trial).parameters) > 1
        LAWS[trial.__name__] = made = Law(says, applies, trial, by_example)
        return made

    return entered


def has_gradient(op: Op) -> bool:
    """Whether gradients pass the op."""
    return op.bprop is not None and op.bprop is not cuts_path


# -- examples with numbers --------------------------------------------------------------------


def seeded(op: Op) -> np.random.Generator:
    """The same numbers for an op in every process."""
    return np.random.default_rng(zlib.crc32(op.name.encode()))


def draw(rng: np.random.Generator, example: Example, shape: tuple[int, ...], dtype: Any) -> Any:
    """Numbers where an example says that they lie."""
    low, high = example.between
    if np.dtype(dtype).kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind in "iu":
        return rng.integers(int(low), int(high), shape, dtype=dtype)
    numbers = rng.uniform(low, high, shape)
    if example.diagonal and len(shape) > 1 and shape[-1] == shape[-2]:
        numbers += example.diagonal * np.eye(shape[-1])
    return np.asarray(numbers, dtype)[()]


class Case(NamedTuple):
    """One example with numbers: symbols are distinct primes; `weights` has the result's shape."""

    node: Node
    inputs: list[Node]
    weights: Node
    values: dict[Node, Any]
    sizes: dict[Size, int]
    rng: np.random.Generator

    @property
    def floats(self) -> list[Node]:
        return [x for x in self.inputs if x.type.is_float]

    @property
    def has_gradient(self) -> bool:
        return self.node.type.is_float and bool(self.floats)

    def draw_like(self, x: Node) -> Any:
        shape = shapes.numbers(x.shape, self.sizes)
        return np.asarray(self.rng.uniform(-1, 1, shape), x.dtype)[()]

    def new(self, name: str, like: Node) -> Node:
        """A fresh input with random numbers, of the type of another node."""
        made = new_input(name, like.shape, like.dtype)
        self.values[made] = self.draw_like(like)
        return made

    def numbers(self, node: Node) -> Any:
        """The value of a node."""
        return evaluate(node, self.values)


def case_of(op: Op, k: int) -> Case:
    """The k-th example of an op, with numbers."""
    example, rng = op.examples[k], seeded(op)
    node = applied(op, example)
    inputs = list(node.inputs)
    attrs = [a for a in example.attrs.values() if shapes.is_expression(a)]
    dims = shapes.symbols([*(d for v in (*inputs, node) for d in v.shape), *attrs])
    sizes = dict(zip(dims, PRIMES, strict=False))
    values = {
        x: draw(rng, example, shapes.numbers(x.shape, sizes), x.dtype)
        for x in inputs
    }
    # An op without inputs shows its sizes nowhere.
    values[new_input("sizes", dims)] = np.empty([sizes[d] for d in dims])
    case = Case(node, inputs, new_input("weights", node.shape), values, sizes, rng)
    values[case.weights] = case.draw_like(case.weights)
    return case


def _require(holds: Any, message: str) -> None:
    if not holds:
        raise LawBroken(message)


def _differ(expected: Any, actual: Any, relative: float) -> str:
    """Where two arrays differ by more than allowed: of each element, or a thousandth of all."""
    largest = np.max(np.abs(expected), initial=1.0)
    allowed = relative * (np.abs(expected) + 1e-3 * largest)
    wrong = ~(np.abs(actual - expected) <= allowed) & ~(np.isnan(actual) & np.isnan(expected))
    if not np.any(wrong):
        return ""
    index = tuple(int(k) for k in np.argwhere(wrong)[0])
    return f"{np.asarray(actual)[index]:.10g}, and should be {np.asarray(expected)[index]:.10g}" + (
        f", at {list(index)}" if index else ""
    )


# -- records ----------------------------------------------------------------------------------


@law("a record with a gradient has examples", has_gradient)
def has_examples(op: Op) -> None:
    """The laws reach an op through its examples alone."""
    _require(op.examples, f"{op.name} has no examples, and the laws reach an op through them")


@law("its flops are a formula in the sizes that is not negative")
def flops_are_counted(op: Op, k: int) -> None:
    """Costs are told before running, as formulas in the sizes."""
    case = case_of(op, k)
    count = op.flops(case.node)
    is_formula = set(shapes.symbols([count])) <= set(case.sizes)
    _require(is_formula, f"the flops are {count}, which is no formula in the sizes")
    _require(shapes.number(count, case.sizes) >= 0, f"the flops are {count}, which is negative")


@law("it computes the same every time, and writes into no operand")
def is_pure(op: Op, k: int) -> None:
    """What is computed again has the same bits, and others read the operands too."""
    case = case_of(op, k)
    given = [np.copy(case.values[x]) for x in case.inputs]
    first, second = (np.copy(_run_text(op, case)) for _ in range(2))
    for i, (x, before) in enumerate(zip(case.inputs, given, strict=True)):
        kept = np.array_equal(case.values[x], before)
        _require(kept, f"the text writes into operand {i}, which is not its own")
    same = np.array_equal(first, second, equal_nan=True)
    _require(same, "the text gives another result the second time")


@law("only a view shares memory with its operands", lambda op: not op.view)
def only_a_view_shares_memory(op: Op, k: int) -> None:
    """What is not marked as a view may be written over while its inputs live."""
    case = case_of(op, k)
    result = _run_text(op, case)
    shared = [i for i, x in enumerate(case.inputs) if _shares(result, case.values[x])]
    _require(not shared, f"the result shares memory with operand {shared}: say view=True")


@law("a view shares memory with its first operand alone", lambda op: op.view)
def a_view_shares_memory(op: Op) -> None:
    """The flag is honest in both directions: some example shares, and never with another input."""
    found = False
    for k in range(len(op.examples)):
        case = case_of(op, k)
        result = _run_text(op, case)
        first, *others = (case.values[x] for x in case.inputs)
        found = found or _shares(result, first)
        is_alone = not any(_shares(result, other) for other in others)
        _require(is_alone, "the result shares memory with another operand than the first")
    _require(found, "no example shares memory: it is no view")


def _run_text(op: Op, case: Case) -> Any:
    """What NumPy itself returns, with nothing copied."""
    operands = [case.values[x] for x in case.inputs]
    sizes = {shapes.source(symbol): size for symbol, size in case.sizes.items()}
    return computed_by(op.text(case.node), operands, sizes)


def _shares(a: Any, b: Any) -> bool:
    """Whether two arrays have memory in common (a NumPy scalar has none of its own)."""
    both = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    return a is b or (both and bool(np.shares_memory(a, b)))


# -- types and text ---------------------------------------------------------------------------


@law("its shape and its dtype are what NumPy returns")
def shape_and_dtype(op: Op, k: int) -> None:
    """A type is promised when the line is written; the program must keep the promise."""
    case = case_of(op, k)
    result = case.numbers(case.node)
    promised = shapes.numbers(case.node.shape, case.sizes)
    is_kept = promised == np.shape(result) and case.node.dtype == np.asarray(result).dtype
    returned = f"{np.asarray(result).dtype}{list(np.shape(result))}"
    _require(is_kept, f"infer promises {case.node.dtype}{list(promised)}, and NumPy has {returned}")


@law("every dtype is NumPy's, or refused", lambda op: op.family == "elementwise")
def every_dtype(op: Op) -> None:
    """Promotion is NumPy's, over every combination of dtypes, for arrays and for scalars."""
    example, rng = op.examples[0], seeded(op)
    arity = len(example.shapes)
    dtypes = [np.dtype(t) for t in ("bool", "int32", "int64", "float32", "float64")]
    for shape, given in itertools.product([(3,), ()], itertools.product(dtypes, repeat=arity)):
        inputs = [new_input(f"x{i}", shape, t) for i, t in enumerate(given)]
        try:
            node = op(*inputs, **example.attrs)
        except DTypeError:
            continue
        values = {x: np.asarray(rng.integers(1, 3, shape), x.dtype)[()] for x in inputs}
        found = np.asarray(evaluate(node, values)).dtype
        names = ", ".join(t.name for t in given)
        _require(node.dtype == found, f"of {names} it promises {node.dtype}, and NumPy has {found}")


@law("its text parses, and uses operands, sizes, NumPy and what programs carry")
def text_parses(op: Op, k: int) -> None:
    """A program stands on NumPy alone: operands, sizes (min and max), what programs carry."""
    case = case_of(op, k)
    allowed = {name for name, f in HELPERS.items() if inspect.isfunction(f)}
    allowed |= {"np", "min", "max", *(f"x{i}" for i in range(max(1, len(case.inputs))))}
    for text in (op.text(case.node), continued(case.node)):
        try:
            tree = ast.parse(text, mode="eval")
        except SyntaxError:
            raise LawBroken(f"its text is no expression: {text}") from None
        names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        foreign = {n for n in names if not n.startswith("dim_")} - allowed
        _require(not foreign, f"its text uses {', '.join(sorted(foreign))}: {text}")


# -- gradients --------------------------------------------------------------------------------


def _orders(case: Case) -> Iterator[tuple[int, Node, list[Node]]]:
    """A number that depends on all of the result, its gradients; then of those gradients."""
    first = total(case.weights * case.node)
    gradients = grad(first, case.floats, disconnected="zero")
    yield 1, first, gradients
    shares = [total(case.new(f"w{i}", g) * g) for i, g in enumerate(gradients)]
    second = functools.reduce(OPS["add"], shares)
    yield 2, second, grad(second, case.floats, disconnected="zero")


@law("its gradient, of orders 1 and 2, is that of the complex step", has_gradient)
def gradient_by_complex_step(op: Op, k: int) -> None:
    """Every element, to 1e-9: the numbers, not the shape of the formula."""
    case = case_of(op, k)
    if not case.has_gradient:
        return
    relative = 1e-9 if case.node.dtype == np.float64 else 1e-6
    for order, value, gradients in _orders(case):
        for x, g in zip(case.floats, gradients, strict=True):
            wrong = _differ(complex_step(value, x, case.values), case.numbers(g), relative)
            _require(not wrong, f"its gradient of order {order} by {x.label} is {wrong}")


@law("its gradient, of orders 1 and 2, is that of differences", has_gradient)
def gradient_by_differences(op: Op, k: int) -> None:
    """As gc.check sees it: also where the text does not go on into the complex plane."""
    case = case_of(op, k)
    if not case.has_gradient:
        return
    for order, value, _ in _orders(case):
        wrt = [x for x in case.floats if pruned(value, [x])]
        for row in check(value, wrt, case.values).rows if wrt else ():
            reason = f"of order {order} by {row.parameter}: {row.reason}"
            _require(row.verdict != "wrong", f"its gradient is wrong, {reason}")


@law("forward and reverse mode are one Jacobian from two sides", has_gradient)
def modes_are_dual(op: Op, k: int) -> None:
    """<jvp t, g> = <t, vjp g>"""
    case = case_of(op, k)
    if not case.has_gradient:
        return
    cotangent = case.new("g", case.node)
    tangents = [case.new(f"t{i}", x) for i, x in enumerate(case.floats)]
    pushed = jvp(case.node, case.floats, tangents)
    pulled = vjp(case.node, case.floats, cotangent, disconnected="zero")
    products = [(pushed, cotangent), *zip(pulled, tangents, strict=True)]
    left, *right = (case.numbers(a) * case.numbers(b) for a, b in products)
    scale = sum(np.sum(np.abs(r), dtype=np.float64) for r in right)
    forward, reverse = np.sum(left), sum(map(np.sum, right))
    eps = 1e-13 if case.node.dtype == np.float64 else 1e-6
    is_dual = abs(forward - reverse) <= eps * max(abs(reverse), scale)
    _require(is_dual, f"forward mode gives {forward:.10g} where reverse mode gives {reverse:.10g}")


@law("an op that cuts the path says so", lambda op: op.bprop is cuts_path)
def cut_says_so(op: Op, k: int) -> None:
    """No gradient is better than a silent zero."""
    case = case_of(op, k)
    if not case.floats:
        return
    try:
        vjp(astype(case.node, np.float64), case.floats[0], case.weights)
    except Disconnected:
        return
    raise LawBroken("a gradient passes an op that cuts the path")
