"""Numeric derivatives: the complex step, exact to rounding, and central differences, anywhere.

Both run the reference interpreter, once for each element of x and each step, and build no nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .autodiff.backprop import carries
from .errors import NotDifferentiable
from .evaluate import bind, interpret
from .ir import Node, cuts_path, operands, topo

Array = Any

# So small that its square vanishes, and so large that its product with a derivative does not.
_IMAGINARY = 1e-200

# The steps of a tableau begin at an eighth of x (or of 1), each half of the one before; where x is
# small they go on until they are small beside it.
_STEPS, _MOST_STEPS, _ORDERS = 18, 64, 5


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
    base = _Base(v, x, at, carries)
    result = base.zeros()
    for index, element in base.elements():
        moved = base.rerun(index, np.complex128(complex(element, _IMAGINARY)), continued)
        result[(..., *index)] = np.imag(moved) / _IMAGINARY
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
    base = _Base(v, x, at, _moves)
    estimate, error = base.zeros(), base.zeros()
    for index, element in base.elements():
        place = (..., *index)
        estimate[place], error[place] = _extrapolated(base, index, element)
    return estimate, error


def _extrapolated(base: _Base, index: tuple[int, ...], x: Any) -> tuple[Array, Array]:
    """Ridders' tableau of one derivative, row by row: the entry of least estimated error."""
    shape = np.shape(base.values[base.v])
    estimate, error = np.full(shape, np.nan), np.full(shape, np.inf)
    above: list[Array] = []
    exponent = int(np.floor(np.log2(np.abs(x)))) if x else 0
    h = 2.0 ** (max(exponent, 0) - 3)  # a power of 2: x + h is exact
    for _ in range(min(_STEPS + max(-exponent, 0), _MOST_STEPS)):
        right, left = x + x.dtype.type(h), x - x.dtype.type(h)
        width = float(right) - float(left)
        high, low = (np.float64(base.rerun(index, to, _plain)) for to in (right, left))
        rounding = base.eps * np.maximum(np.abs(high), np.abs(low)) / width
        row = [(high - low) / width]
        for order, coarse in enumerate(above[:_ORDERS]):
            fine, factor = row[-1], 4.0 ** (order + 1)
            row.append((factor * fine - coarse) / (factor - 1))
            change = np.maximum(np.abs(row[-1] - fine), np.abs(row[-1] - coarse)) + rounding
            contradicts = np.abs(row[-1] - estimate) > 8 * (change + error)
            # Never where a step left the domain: there all is NaN.
            is_better = (change < error) | contradicts
            estimate = np.where(is_better, row[-1], estimate)
            error = np.where(is_better, change, error)
        above, h = row, h / 2
    return estimate, error


def _moves(v: Node, i: int) -> bool:
    """Whether v moves with its input i in a difference: all ops do but those that stop a float."""
    return v.op.bprop is not cuts_path or not v.type.is_float


def _plain(node: Node) -> str:
    return node.op.text(node)


def continued(node: Node) -> str:
    """The text that goes on into the complex plane."""
    text = node.op.complex_step
    if text is None:
        return node.op.text(node)
    return text if isinstance(text, str) else text(node)


class _Base:
    """All values at one point, and which of them move with x."""

    def __init__(
        self, v: Node, x: Node, at: Mapping[Any, Any], passes: Callable[[Node, int], bool]
    ) -> None:
        for node in (v, x):
            if not node.type.is_float:
                error = NotDifferentiable(
                    f"a derivative is of floats by floats, and {node.label} is {node.type}"
                )
                error.locate(operands([node]))
                raise error
        order = topo([v, x])
        self.v, self.x = v, x
        self.values, self.sizes = bind(order, at)
        interpret(order, self.values, self.sizes)
        reached = {x}
        for u in order:
            if any(w in reached and passes(u, i) for i, w in enumerate(u.inputs)):
                reached.add(u)
        self.moving = [u for u in order if u in reached]
        self.resting = {u: a for u, a in self.values.items() if u not in reached}
        self.eps = max(float(np.finfo(u.dtype).eps) for u in self.moving if u.type.is_float)

    def zeros(self) -> Array:
        """Zeros of the derivative's shape."""
        return np.zeros(np.shape(self.values[self.v]) + np.shape(self.values[self.x]))

    def elements(self) -> Iterator[tuple[tuple[int, ...], Any]]:
        """Each position in x, and the number there."""
        array = np.asarray(self.values[self.x])
        return ((index, array[index]) for index in np.ndindex(array.shape))

    def rerun(self, index: tuple[int, ...], element: Any, text: Callable[[Node], str]) -> Array:
        """The value of v when one element of x is another number."""
        array = np.array(self.values[self.x], np.result_type(self.values[self.x], element))
        array[index] = element
        values = {**self.resting, self.x: array[()]}
        interpret(self.moving, values, self.sizes, text)
        return values[self.v]
