"""Schedules: a learning rate as a function of the step, which is a node of the program."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real

from ..errors import ArgumentError
from ..ir import Node
from ..ops import elementwise as ew
from ..ops.elementwise import clip, where
from ..ops.leaves import constant as constant_node

Schedule = Callable[[Node], Node]
"""From the step (0, 1, 2, ..., a float64 scalar) to the rate of that step."""

Rate = float | Schedule


def constant(rate: float) -> Schedule:
    """The same rate at every step.

    >>> import graphc as gc
    >>> gc.evaluate(gc.optim.constant(0.1)(gc.constant(7.0)))
    np.float64(0.1)
    """
    _check_rate(rate)
    return lambda step: constant_node(float(rate))


def step_decay(rate: float, every: int, factor: float = 0.1) -> Schedule:
    """rate * factor ** floor(step / every): stairs that go down.

    >>> import graphc as gc
    >>> step = gc.constant([0.0, 9.0, 10.0, 25.0])
    >>> gc.evaluate(gc.optim.step_decay(1.0, every=10, factor=0.5)(step))
    array([1.  , 1.  , 0.5 , 0.25])
    """
    _check_rate(rate)
    _check_steps(every, "every")
    return lambda step: rate * factor ** ew.floor(step / every)


def exponential_decay(rate: float, every: int, factor: float = 0.1) -> Schedule:
    """rate * factor ** (step / every): the same fall without stairs.

    >>> import graphc as gc
    >>> step = gc.constant([0.0, 5.0, 10.0])
    >>> gc.evaluate(gc.optim.exponential_decay(1.0, every=10, factor=0.25)(step))
    array([1.  , 0.5 , 0.25])
    """
    _check_rate(rate)
    _check_steps(every, "every")
    return lambda step: rate * factor ** (step / every)


def linear(first: float, last: float, steps: int) -> Schedule:
    """From one rate to another in equal parts, and then the last.

    >>> import graphc as gc
    >>> gc.evaluate(gc.optim.linear(1.0, 0.0, steps=4)(gc.constant([0.0, 1.0, 4.0, 9.0])))
    array([1.  , 0.75, 0.  , 0.  ])
    """
    _check_rate(first)
    _check_rate(last)
    _check_steps(steps, "steps")
    return lambda step: first + (last - first) * clip(step / steps, 0, 1)


def cosine(rate: float, steps: int, last: float = 0.0) -> Schedule:
    """Half a wave of the cosine, from the rate down to the last one, which then stays.

    >>> import graphc as gc
    >>> gc.evaluate(gc.optim.cosine(1.0, steps=6)(gc.constant([0.0, 2.0, 3.0, 6.0, 9.0])))
    array([1.  , 0.75, 0.5 , 0.  , 0.  ])
    """
    _check_rate(rate)
    _check_rate(last)
    _check_steps(steps, "steps")
    return lambda step: (
        last + (rate - last) * (1 + ew.cos(math.pi * clip(step / steps, 0, 1))) / 2
    )


def warmup(then: Rate, steps: int) -> Schedule:
    """A rise in equal parts to the first rate of a schedule, which begins after `steps` steps.

    >>> import graphc as gc
    >>> rate = gc.optim.warmup(gc.optim.linear(1.0, 0.0, steps=2), steps=4)
    >>> gc.evaluate(rate(gc.constant([0.0, 1.0, 3.0, 4.0, 5.0, 6.0])))
    array([0.25, 0.5 , 1.  , 1.  , 0.5 , 0.  ])
    """
    _check_steps(steps, "steps")
    schedule = as_schedule(then)

    def rate(step: Node) -> Node:
        rising = (step + 1) / steps * schedule(constant_node(0.0))
        return where(step < steps, rising, schedule(step - steps))

    return rate


def as_schedule(rate: Rate) -> Schedule:
    """A schedule as it is, or a number as a constant one."""
    return rate if callable(rate) else constant(rate)


def _check_rate(rate: float) -> None:
    if not (isinstance(rate, Real) and math.isfinite(rate) and rate >= 0):
        raise ArgumentError(f"a learning rate is a number that is not negative, not {rate!r}")


def _check_steps(steps: int, name: str) -> None:
    if not (isinstance(steps, Real) and 1 <= steps < math.inf):
        raise ArgumentError(f"{name}= counts steps, at least 1, and is {steps!r}")
