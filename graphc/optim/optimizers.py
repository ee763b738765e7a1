"""Optimizers: one step down a gradient as nodes, so that the update is part of the program."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from .. import forms
from ..autodiff import grad
from ..errors import ArgumentError, DTypeError, ShapeError
from ..evaluate import by_name
from ..ir import Node, operands
from ..misfits import elsewhere, explained_methods
from ..ops.elementwise import astype, clip, maximum, sqrt, square
from ..ops.leaves import input as declare_input
from ..ops.reduce import sum as total
from .schedules import Rate, as_schedule

Slots = Mapping[str, Node]
Rule = Callable[[Node, Node, Slots, Node, Node], tuple[Node, Slots]]
Clip = Callable[[Sequence[Node]], Sequence[Node]]

# What optimizers of other libraries have, and what there is instead.
_ELSEWHERE = {
    "step minimize apply_gradients": "gc.fit trains; .update(loss, params) builds one",
    "zero_grad": "no gradient is kept that could be set to 0",
    "state_dict state": ".init(params) is what is remembered at first",
    "lr rate": "it is called .learning_rate",
    "clip clip_norm clip_grad_norm": ".clipped(norm=...) is one that clips first",
}


@elsewhere("an optimizer", _ELSEWHERE)
@explained_methods
@dataclass(frozen=True)
class Optimizer:
    """How a parameter moves by its gradient, and what is remembered for it from step to step.

    `rule(parameter, gradient, slots, rate, t)` returns the new parameter and the new slots; `slots`
    are the names of the tensors that are kept for each parameter, zeros at first; `rate` is of this
    step, in the parameter's dtype; `t` counts the steps from 1. So an optimizer of your own is one
    function:

    >>> import numpy as np, graphc as gc
    >>> def rule(w, g, slots, rate, t):
    ...     square = 0.9 * slots["square"] + 0.1 * g**2
    ...     return w - rate * g / (gc.sqrt(square) + 1e-8), {"square": square}
    >>> rmsprop = gc.optim.Optimizer("rmsprop", rule, ("square",), learning_rate=0.1)
    >>> w = gc.input("w", (2,))
    >>> step = gc.compile(rmsprop.update(gc.sum(w**2), [w]))
    >>> params = {"w": np.array([1.0, 2.0])}
    >>> step(**params, **rmsprop.init(params))["params"]
    {'w': array([0.68377224, 1.68377224])}
    """

    name: str
    rule: Rule
    slots: tuple[str, ...] = ()
    learning_rate: Rate = 0.01
    clipping: Clip = tuple

    def __post_init__(self) -> None:
        as_schedule(self.learning_rate)  # a rate that is none is told at once

    def __repr__(self) -> str:
        """In one line: the functions within are at some address, which tells nobody anything."""
        rate = "of a schedule" if callable(self.learning_rate) else f"{self.learning_rate:g}"
        clipped = ", clipped" * (self.clipping is not tuple)
        return f"<optimizer {self.name}: learning rate {rate}{clipped}>"

    def init(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What is remembered before the first step, for parameters with these values.

        >>> import numpy as np, graphc as gc
        >>> gc.optim.momentum(0.1).init({"w": np.ones(2)})
        {'momentum.step': np.int64(0), 'momentum.velocity.w': array([0., 0.])}
        """
        state: dict[str, Any] = {f"{self.name}.step": np.int64(0)}
        for name, value in by_name(params).items():
            for slot in self.slots:
                state[self._slot(slot, name)] = np.zeros_like(value)
        return state

    def update(self, loss: Node, params: Any) -> dict[str, dict[str, Node]]:
        """The parameters and the state after one step, as nodes, by the names of their inputs.

        What is remembered are inputs too, called `momentum.velocity.w`: the results of one step are
        the arguments of the next.

        >>> import numpy as np, graphc as gc
        >>> w = gc.input("w", (2,))
        >>> loss = gc.sum(w**2)
        >>> sgd = gc.optim.sgd(0.25)
        >>> step = gc.compile({"loss": loss, **sgd.update(loss, [w])}, name="step")
        >>> out = step(w=np.array([1.0, 2.0]), **sgd.init({"w": np.ones(2)}))
        >>> out["loss"], out["params"]
        (np.float64(5.0), {'w': array([0.5, 1. ])})
        >>> step(**out["params"], **out["state"])["loss"]
        np.float64(1.25)
        """
        targets = forms.leaves(params)
        for p in targets:
            if not isinstance(p, Node) or p.op.name != "input":
                raise ArgumentError(f"parameters are inputs of the loss, and {p!r} is not one")
        gradients = self.clipping(grad(loss, targets))
        done = declare_input(f"{self.name}.step", (), np.int64)
        step = astype(done, np.float64)  # exact up to 2**53
        rate = as_schedule(self.learning_rate)(step)
        moved: dict[str, Node] = {}
        state: dict[str, Node] = {str(done.name): done + 1}
        for p, g in zip(targets, gradients, strict=True):
            name = str(p.name)
            slots = {s: declare_input(self._slot(s, name), p.shape, p.dtype) for s in self.slots}
            moved[name], kept = self.rule(p, g, slots, _like(rate, p), step + 1)
            if set(kept) != set(slots):
                raise ArgumentError(f"{self.name} keeps {list(slots)}, and returned {list(kept)}")
            for new in (moved[name], *kept.values()):
                self._check(new, p)
            state |= {self._slot(s, name): kept[s] for s in slots}
        return {"params": moved, "state": state}

    def clipped(self, *, norm: float | None = None, value: float | None = None) -> Optimizer:
        """This optimizer on gradients that are clipped first, by their values, their norm, or both.

        >>> import numpy as np, graphc as gc
        >>> w = gc.input("w", (2,))
        >>> sgd = gc.optim.sgd(1.0).clipped(norm=1.0)
        >>> step = gc.compile(sgd.update(gc.sum(w * [30.0, 40.0]), [w]))
        >>> step(w=np.zeros(2), **sgd.init({"w": np.zeros(2)}))["params"]
        {'w': array([-0.6, -0.8])}
        """
        limits = [limit for limit in (norm, value) if limit is not None]
        if not limits:
            raise ArgumentError("clipped needs a limit: norm=, value=, or both")
        for limit in limits:
            _check_limit(limit)
        earlier = self.clipping

        def clipping(gradients: Sequence[Node]) -> Sequence[Node]:
            found = list(earlier(gradients))
            found = found if value is None else clip_by_value(found, value)
            return found if norm is None else clip_by_norm(found, norm)

        return replace(self, clipping=clipping)

    def _slot(self, slot: str, parameter: str) -> str:
        return f"{self.name}.{slot}.{parameter}"

    def _check(self, new: Node, p: Node) -> None:
        """A step must not change the type of a parameter, or the next one could not begin."""
        if new.type == p.type:
            return
        error_type = ShapeError if new.shape != p.shape else DTypeError
        said = f"{self.name} makes {new.type} of the parameter {p.name}: {p.type}"
        raise error_type(said).locate(operands([p, new]))


def sgd(learning_rate: Rate = 0.01) -> Optimizer:
    """Gradient descent, on all of the data or on batches: w <- w - rate g.

    >>> import graphc as gc
    >>> gc.optim.sgd(0.1).name
    'sgd'
    """
    return Optimizer("sgd", lambda w, g, slots, rate, t: (w - rate * g, {}), (), learning_rate)


def momentum(
    learning_rate: Rate = 0.01, beta: float = 0.9, *, nesterov: bool = False
) -> Optimizer:
    """v <- beta v + g; w <- w - rate v, or by Nesterov w - rate (g + beta v).

    >>> import graphc as gc
    >>> gc.optim.momentum(0.1, nesterov=True).slots
    ('velocity',)
    """
    _check_beta(beta, "beta")

    def rule(w: Node, g: Node, slots: Slots, rate: Node, t: Node) -> tuple[Node, Slots]:
        v = beta * slots["velocity"] + g
        return w - rate * (g + beta * v if nesterov else v), {"velocity": v}

    return Optimizer("momentum", rule, ("velocity",), learning_rate)


def adam(
    learning_rate: Rate = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> Optimizer:
    """Kingma and Ba's: w <- w - rate m / (sqrt(s) + eps), of the corrected running means.

    m and s are those of the gradient and of its square, divided by 1 - beta ** t.

    >>> import graphc as gc
    >>> gc.optim.adam(gc.optim.cosine(0.001, steps=1000)).slots
    ('mean', 'square')
    """
    return _adam("adam", learning_rate, beta1, beta2, eps, 0.0)


def adamw(
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter): w <- ... - rate weight_decay w.

    >>> import graphc as gc
    >>> gc.optim.adamw(0.001, weight_decay=0.05).name
    'adamw'
    """
    return _adam("adamw", learning_rate, beta1, beta2, eps, weight_decay)


def _adam(
    name: str, learning_rate: Rate, beta1: float, beta2: float, eps: float, decay: float
) -> Optimizer:
    _check_beta(beta1, "beta1")
    _check_beta(beta2, "beta2")
    for what, number in (("eps", eps), ("weight_decay", decay)):
        if not (isinstance(number, Real) and 0 <= number < math.inf):
            raise ArgumentError(f"{what} is a number that is not negative, and is {number!r}")

    def rule(w: Node, g: Node, slots: Slots, rate: Node, t: Node) -> tuple[Node, Slots]:
        mean = beta1 * slots["mean"] + (1 - beta1) * g
        second = beta2 * slots["square"] + (1 - beta2) * square(g)
        # In float64: in float32 the first 1 - beta2 ** t keep four digits.
        m = mean / _like(1 - beta1**t, w)
        s = second / _like(1 - beta2**t, w)
        towards = m / (sqrt(s) + eps)
        if decay:
            towards = towards + decay * w
        return w - rate * towards, {"mean": mean, "square": second}

    return Optimizer(name, rule, ("mean", "square"), learning_rate)


def clip_by_norm(gradients: Any, limit: float) -> Any:
    """Gradients, all divided by one number where their norm together exceeds a limit.

    >>> import graphc as gc
    >>> clipped = gc.optim.clip_by_norm([gc.constant([3.0]), gc.constant([4.0])], 1.0)
    >>> gc.evaluate(clipped)
    [array([0.6]), array([0.8])]
    """
    _check_limit(limit)
    found = forms.leaves(gradients)
    if not found:
        return gradients
    # In float64: in float32 the squares of a gradient that explodes are infinite.
    squares = [total(square(astype(g, np.float64))) for g in found]
    norm = sqrt(sum(squares[1:], squares[0]))
    factor = limit / maximum(norm, limit)  # 1 where nothing is to be done
    return forms.map_leaves(lambda g: _like(factor, g) * g, gradients)


def clip_by_value(gradients: Any, limit: float) -> Any:
    """Gradients, each element brought into the interval from -limit to limit.

    >>> import graphc as gc
    >>> gc.evaluate(gc.optim.clip_by_value(gc.constant([-3.0, 0.5]), 1.0))
    array([-1. ,  0.5])
    """
    _check_limit(limit)
    return forms.map_leaves(lambda g: clip(g, -limit, limit), gradients)


def _like(x: Node, w: Node) -> Node:
    """A scalar in the dtype of a parameter, which it must not widen."""
    return x if x.dtype == w.dtype else astype(x, w.dtype)


def _check_beta(beta: float, name: str) -> None:
    if not (isinstance(beta, Real) and 0 <= beta < 1):
        raise ArgumentError(f"{name} is a weight of what was, from 0 to below 1, and is {beta!r}")


def _check_limit(limit: float) -> None:
    if not (isinstance(limit, Real) and limit > 0):
        raise ArgumentError(f"gradients are clipped to a limit above 0, not {limit!r}")
