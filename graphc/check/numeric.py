"""Numeric derivatives: the complex step, exact to rounding, and central differences, anywhere.

Both run the reference interpreter, once for each element of x and each step, and build no nodes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.backprop import carries
from ..errors import NotDifferentiable
from ..evaluate import bind, computed_by, interpret
from ..ir import Node, cuts_path, operands, topo

Array = Any

# So small that its square vanishes, and so large that its product with a derivative does not.
IMAGINARY = 1e-200

# The first step is 2^-3 of x (or of 1), each is half of the one before. They end where x + h keeps
# a few bits of h; sooner where rounding has been worse than the best entry for a few steps.
FIRST, LAST, MOST, _IDLE, _ORDERS = 3, 47, 120, 4, 5

# Where nothing bounds the function's own noise, it would mislead smaller steps.
_FINE = 21

# Ridders' error is an estimate: so many times that is believed.
_TRUST = 4.0

EPS = float(np.finfo(np.float64).eps)
SMALLEST = float(np.finfo(np.float64).smallest_normal)

# What the complex step cannot see: its imaginary part would be below the normal numbers.
UNSEEN = SMALLEST / IMAGINARY


@np.errstate(all="ignore")
def complex_step(v: Node, x: Node, at: Mapping[Any, Any]) -> Array:
    """The derivative of v by every element of x, of shape v.shape + x.shape: Im v(x + ih) / h.

    Nothing is subtracted, so nothing is lost. Every op on the way must go on into the complex
    plane, by its NumPy text or by its `complex_step` text. What no gradient passes keeps its
    value: a stopped value, a comparison, a cast to integers.

    >>> import graphc as gc
    >>> x = gc.input("x", (2,))
    >>> complex_step(gc.sum(x**3), x, {x: [1.0, 2.0]})
    array([ 3., 12.])
    """
    moving = _bound(v, x, at, carries)
    rerun, result = moving.program(continued), moving.zeros()
    for index, element in moving.elements():
        moved = rerun(moving.changed(index, np.complex128(complex(element, IMAGINARY))))
        result[(..., *index)] = np.imag(moved) / IMAGINARY
    return result


@np.errstate(all="ignore")
def central(v: Node, x: Node, at: Mapping[Any, Any]) -> tuple[Array, Array]:
    """The derivative of v by every element of x by central differences, and its estimated error.

    Differences at steps h, h/2, h/4, ... are extrapolated to h = 0 (Richardson); of all entries of
    the tableau (Ridders) the one is taken whose estimated error, rounding included, is smallest;
    but one that contradicts it from nearer by replaces it: there is a kink or a pole between.
    The error is infinite where no two steps stay inside the domain. Stopped values stay.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> estimate, error = central(gc.exp(x), x, {x: 0.0})
    >>> bool(abs(estimate - 1) <= error < 1e-10)
    True
    """
    moving = _bound(v, x, at, moves)
    rerun, estimate, error = moving.program(), moving.zeros(), moving.zeros()
    for index, element in moving.elements():

        def sides(h: float, index: Any = index, x: Any = element) -> Sides:
            right, left = x + x.dtype.type(h), x - x.dtype.type(h)
            high, low = (rerun(moving.changed(index, to)) for to in (right, left))
            return Sides(high, low, float(right) - float(left))

        slope = extrapolated(sides, exponents(np.asarray(element), _FINE), moving.eps)
        place = (..., *index)
        estimate[place], error[place] = slope.value, slope.error
    return estimate, error


# -- from differences to a derivative ---------------------------------------------------------


class Sides(NamedTuple):
    """A function's values on both sides of a point, and how far they lie apart."""

    high: Array
    low: Array
    width: float


class Slope(NamedTuple):
    """A derivative from differences, its estimated error, and the steps: (h, its two sides)."""

    value: Array
    error: Array
    trace: tuple[tuple[float, Sides], ...]


def exponents(x: Array, last: int = LAST) -> range:
    """The steps 2^-k at which the elements of x are moved, from an eighth of 1 or of the largest.

    Where x is small they go on until they are small beside it.
    """
    sizes = np.abs(x[(x != 0) & np.isfinite(x)])
    if not sizes.size:
        return range(FIRST, last)
    high, low = (int(np.floor(np.log2(float(e)))) for e in (np.max(sizes), np.min(sizes)))
    return range(FIRST - max(high, 0), min(last - min(low, 0), MOST))


def extrapolated(
    sides: Callable[[float], Sides], steps: Iterable[int], eps: float, noise: float = 0.0
) -> Slope:
    """Ridders' tableau of one derivative, row by row: the entry of least estimated error.

    Each value is taken to be off by `eps` of itself, or by `noise` if that is more.
    """
    estimate: Array = np.nan
    error: Array = np.inf
    above: list[Array] = []
    trace: list[tuple[float, Sides]] = []
    idle = 0
    for k in steps:
        h = 2.0**-k  # a power of 2: x + h is exact
        found = sides(h)
        high, low = np.float64(found.high), np.float64(found.low)
        trace.append((h, Sides(high, low, found.width)))
        size = np.maximum(np.abs(high), np.abs(low))
        rounding = np.maximum(eps * size, max(noise, SMALLEST)) / found.width
        row = [(high - low) / found.width]
        for order, coarse in enumerate(above[:_ORDERS]):
            fine, factor = row[-1], 4.0 ** (order + 1)
            row.append((factor * fine - coarse) / (factor - 1))
            change = np.maximum(np.abs(row[-1] - fine), np.abs(row[-1] - coarse)) + rounding
            contradicts = np.abs(row[-1] - estimate) > 8 * (change + error)
            # Never where a step left the domain: there all is NaN.
            is_better = (change < error) | contradicts
            estimate = np.where(is_better, row[-1], estimate)
            error = np.where(is_better, change, error)
        above = row
        # Rounding explains all that still changes: smaller steps would tell less.
        is_settled = np.abs(row[0] - estimate) <= 16 * rounding + error
        idle = idle + 1 if np.all(is_settled & (rounding >= error)) else 0
        if idle == _IDLE:
            break
    return Slope(estimate, error, tuple(trace))


def _resolved(
    sides: Callable[[float], Sides], steps: range, fine: int, noise: float
) -> tuple[Slope, range]:
    """A derivative from all steps, unless those from 2^-fine on contradict it; and which they were.

    A function may look smooth at steps that are large beside x, and be another near x.
    """
    slope = extrapolated(sides, steps, EPS, noise)
    if fine <= steps.start:
        return slope, steps
    near = extrapolated(sides, steps[fine - steps.start :], EPS, noise)
    if np.abs(near.value - slope.value) > _TRUST * (near.error + slope.error):
        return near, steps[fine - steps.start :]
    return slope, steps


class Jump(NamedTuple):
    """A kink on a line: the slopes on its two sides."""

    left: float
    right: float

    def holds(self, slope: float, uncertain: float = 0.0) -> bool:
        """Whether a slope lies between the two sides (or beside them by little)."""
        low, high = sorted(self)
        margin = (high - low) / 16 + uncertain
        return bool(low - margin <= slope <= high + margin)


def _jump(
    sides: Callable[[float], Sides], base: float, slope: Slope, steps: range, noise: float
) -> Jump | None:
    """The kink of a function of one number at a point, if there is one.

    The difference of the two one-sided slopes shrinks with the step where a function is smooth,
    and stays where it is not. It is followed down to where rounding hides it.
    """
    seen: list[tuple[float, Jump]] = []
    taken, limit, is_hidden = len(slope.trace), 0.0, False
    further = ((2.0**-k, sides(2.0**-k)) for k in steps[taken:])
    for step, (h, (high, low, _)) in enumerate(itertools.chain(slope.trace, further)):
        right, left = (float(high) - base) / h, (base - float(low)) / h
        size = max(noise, EPS * max(abs(base), abs(float(high)), abs(float(low))))
        limit = 40 * size / h
        is_hidden = abs(right - left) <= limit
        if not is_hidden:
            if np.isfinite(right - left):
                seen.append((abs(right - left), Jump(left, right)))
        elif step >= taken or (len(seen) >= _RUN and seen[-1][0] <= 4 * limit):
            break
        else:
            seen.clear()
    last = seen[-_RUN:]
    # Where it vanishes long before rounding could hide it, there was a kink nearby, not here.
    is_lost = is_hidden and bool(last) and last[-1][0] > 4 * limit
    is_kink = len(last) == _RUN and last[-1][0] >= last[0][0] / 2 and not is_lost
    return last[-1][1] if is_kink else None


# So many halvings in a row must leave a jump as it is: a smooth one would be 32 times less.
_RUN = 6


class Measured(NamedTuple):
    """What differences find along a line."""

    slope: float
    error: float
    kink: Jump | None
    is_clear: bool
    """Whether rounding the argument moves the function by little of what it does at all steps."""


def measured(
    sides: Callable[[float], Sides],
    base: float,
    steps: range,
    fine: int,
    noise: float,
    pulled: float,
) -> Measured:
    """The slope of a function of one number at a point, where it is `base`, or the kink there.

    Each value may be off by `noise`, of which `pulled` is what rounding the argument may do.
    """
    slope, taken = _resolved(sides, steps, fine, noise)
    kink = _jump(sides, base, slope, taken, noise)
    # The sine of 1e16 is another number for each float: differences tell nothing of its slope.
    values = [abs(v) for _, (high, low, _) in slope.trace for v in (high, low) if v == v]
    is_clear = bool(pulled <= 2.0**-10 * max(values, default=0.0))
    return Measured(float(slope.value), _TRUST * float(slope.error), kink, is_clear)


# -- points and directions in double precision -------------------------------------------------


def as_double(value: Array) -> Array:
    """A float in double precision; anything else as it is."""
    array = np.asarray(value)
    return array.astype(np.float64)[()] if array.dtype.kind == "f" else value


def direction(value: Array, rng: np.random.Generator) -> Array:
    """Each element by a random part of its own size, with a random sign.

    So none crosses 0 on the way; what is 0 moves by the usual size of the others.
    """
    a = np.abs(np.asarray(value))
    others = a[(a > 0) & np.isfinite(a)]
    usual = float(np.median(others)) if others.size else 1.0
    parts = rng.uniform(0.3, 1, a.shape) * rng.choice([-1.0, 1.0], a.shape)
    return np.asarray(np.where(np.isfinite(a), np.where(a > 0, a, usual) * parts, 0.0))


# -- one value as a function of one node ------------------------------------------------------

Text = Callable[[Node], str]


def plain(node: Node) -> str:
    """The NumPy text as it is."""
    return node.op.text(node)


def continued(node: Node) -> str:
    """The text that goes on into the complex plane."""
    text = node.op.complex_step
    if text is None:
        return node.op.text(node)
    return text if isinstance(text, str) else text(node)


def widened(node: Node) -> str:
    """The text in double precision."""
    return node.op.text(node).replace("np.float32", "np.float64")


def moves(v: Node, i: int) -> bool:
    """Whether v moves with its input i in a difference: all ops do but those that stop a float."""
    return v.op.bprop is not cuts_path or not v.type.is_float


class Moving:
    """A value as a function of one node x: what moves with x is run again, the rest stays."""

    def __init__(
        self,
        v: Node,
        x: Node,
        values: Mapping[Node, Array],
        sizes: Mapping[str, int],
        passes: Callable[[Node, int], bool],
    ) -> None:
        self.v, self.x, self.sizes = v, x, sizes
        order = topo([v, x])
        reached = {x}
        for u in order:
            if any(w in reached and passes(u, i) for i, w in enumerate(u.inputs)):
                reached.add(u)
        self.nodes = [u for u in order if u in reached]
        self.values = {u: values[u] for u in order}
        self.resting = {u: self.values[u] for u in order if u not in reached}
        self.eps = max(float(np.finfo(u.dtype).eps) for u in self.nodes if u.type.is_float)

    def zeros(self) -> Array:
        """Zeros of the derivative's shape."""
        return np.zeros(np.shape(self.values[self.v]) + np.shape(self.values[self.x]))

    def elements(self) -> Iterator[tuple[tuple[int, ...], Any]]:
        """Each position in x, and the number there."""
        array = np.asarray(self.values[self.x])
        return ((index, array[index]) for index in np.ndindex(array.shape))

    def changed(self, index: tuple[int, ...], element: Any) -> Array:
        """x with another number in one place."""
        array = np.array(self.values[self.x], np.result_type(self.values[self.x], element))
        array[index] = element
        return array[()]

    def program(self, text: Text = plain) -> Callable[[Array], Array]:
        """v as a function of the value of x."""
        if self.x is self.v:
            return lambda value: value
        texts = [(u, text(u)) for u in self.nodes if u is not self.x]

        def run(value: Array) -> Array:
            values = {**self.resting, self.x: value}
            for u, written in texts:
                values[u] = computed_by(written, [values[w] for w in u.inputs], self.sizes)
            return values[self.v]

        return run if self.v in self.nodes else lambda value: self.values[self.v]


def _bound(
    v: Node, x: Node, at: Mapping[Any, Any], passes: Callable[[Node, int], bool]
) -> Moving:
    """The same at a point given by nodes or names."""
    for node in (v, x):
        if not node.type.is_float:
            said = f"a derivative is of floats by floats, and {node.label} is {node.type}"
            raise NotDifferentiable(said).locate(operands([node]))
    order = topo([v, x])
    values, sizes = bind(order, at)
    interpret(order, values, sizes)
    return Moving(v, x, values, sizes, passes)
