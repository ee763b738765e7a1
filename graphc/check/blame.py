"""What is the matter with one node: its op's own rule is judged at its own operands."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, NamedTuple

import numpy as np

from ..errors import GraphcError
from ..evaluate import computed_by, interpret
from ..ir import Node
from ..ops.leaves import placeholder
from .exact import NotExact, exact_values
from .local import Judged, Local
from .numeric import EPS, Array, Jump, as_double, widened
from .point import Point
from .rounding import rounding

# A fault must show so many times; so many kinks are taken out; so many elements are looked at.
_REPEATS, _KINKS, _SHOWN, _ALONE = 3, 12, 12, 6


class Finding(NamedTuple):
    """What is the matter with a node: it is wrong, sits on a kink, or is outside its domain."""

    kind: str
    node: Node
    reason: str


@np.errstate(all="ignore")
def blame(
    node: Node, here: Point, seed: int = 0, among: Container[Node] | None = None
) -> Finding | None:
    """What is the matter with one node at a point, if anything is.

    Only operands `among` some nodes are looked at, where those are given.

    >>> import graphc as gc
    >>> from graphc.check.point import point
    >>> x = gc.input("x", ())
    >>> y = gc.abs(x)
    >>> blame(y, point([y], {x: 0.0}, seed=0)).kind
    'kink'
    >>> blame(y, point([y], {x: 1.0}, seed=0))
    """
    try:
        local = Local(node, here, seed, among)
    except GraphcError as error:
        return Finding("wrong", node, error.sentence)
    except Exception as error:  # whatever a user's own rule may raise
        reason = f"the bprop of {node.op.name} raises {type(error).__name__}: {error}"
        return Finding("wrong", node, reason)
    if not local.asked:
        return None
    wrong = _wrong_jvp(local)
    kinks: list[tuple[int, tuple[int, ...], Jump]] = []
    for i in local.asked:
        wrong = wrong or _wrong_along(local, i, kinks)
    if kinks and not wrong:
        wrong = _wrong_together(local)
    if wrong:
        return Finding("wrong", node, wrong)
    if not np.all(np.isfinite(local.result)):
        return Finding("outside", node, f"{node.op.name} is not finite here")
    if kinks:
        i, index, (left, right) = kinks[0]
        sides = f"{left:.3g} below and {right:.3g} above"
        reason = f"{node.op.name} has a kink here: by {_place(node, i, index)} its slope is {sides}"
        return Finding("kink", node, reason)
    claims, _ = local.claims(local.cotangents())
    if not all(np.all(np.isfinite(c)) for c in claims.values()):
        return Finding("outside", node, f"the derivative of {node.op.name} is not finite here")
    return None


@np.errstate(all="ignore")
def disagreement(
    node: Node, here: Point, seed: int = 0, among: Container[Node] | None = None
) -> float:
    """By how much a node's own rule differs from differences, beside its size; inf if it fails.

    >>> import graphc as gc
    >>> from graphc.check.point import point
    >>> x = gc.input("x", ())
    >>> y = gc.exp(x)
    >>> disagreement(y, point([y], {x: 1.0}, seed=0)) < 1e-15
    True
    """
    try:
        local = Local(node, here, seed, among)
    except Exception:  # whatever a user's own rule may raise
        return float("inf")
    largest = 0.0
    for i in local.asked:
        t, g = local.direction(i), local.cotangents()
        judged = local.judge({i: t}, g)
        apart = abs(judged.claimed - judged.found)
        is_on_kink = judged.kink is not None and judged.agrees
        if judged.is_known and apart and not is_on_kink:
            size = float(np.sum(np.abs(local.gradients(g)[i] * t), where=t != 0))
            largest = max(largest, apart / max(size, abs(judged.found)))
    return largest


def _wrong_along(local: Local, i: int, kinks: list[Any]) -> str | None:
    """What is wrong with the gradient by one operand; kinks are taken out one by one, and noted."""
    if local.is_plainly_right(i):
        return None
    t, judged = local.direction(i), None
    for _ in range(_KINKS):
        judged = local.judge({i: t}, local.cotangents())
        if judged.kink is None or not np.any(t):
            break
        index = _kink_in(local, i, t)
        told = _wrong_at(local, i, index, kinks)
        if told:
            return told
        t[index] = 0.0
    if judged is not None and judged.is_wrong:
        return _confirmed(local, i, t)
    if judged is None or not (judged.is_sharp and _is_even(local.operands[i])):
        return _wrong_alone(local, i, t, kinks)
    return None


def _wrong_at(local: Local, i: int, index: tuple[int, ...], kinks: list[Any]) -> str | None:
    """What is wrong by one element that may sit on a kink, judged by single results."""
    along = {i: local.coordinate(i, index)}
    scale = float(along[i][index])
    if not scale:
        return None
    for g in local.single(along):
        judged = local.judge(along, g)
        if judged.is_wrong:
            return _told(local, i, index, judged, scale)
        if judged.kink is not None:
            kinks.append((i, index, _per_unit(judged.kink, scale)))
    return None


def _confirmed(local: Local, i: int, t: Array) -> str | None:
    """A fault along a direction must show again, with other numbers; then at single elements."""
    for _ in range(_REPEATS - 1):
        t = np.where(t != 0, local.direction(i), 0.0)
        judged = local.judge({i: t}, local.cotangents())
        if not judged.is_wrong or judged.kink is not None:
            return None
    places = _places(t)
    for index in places[:_SHOWN]:
        along = {i: local.coordinate(i, index)}
        scale = float(along[i][index])
        # All of the result together makes the plainest numbers; moved elements hide in the sum.
        for g in (local.answering(along), *local.single(along)):
            judged = local.judge(along, g)
            if judged.is_wrong and judged.kink is None:
                return _told(local, i, index, judged, scale)
    if len(places) <= _SHOWN:
        return None
    rule = f"the bprop of {local.node.op.name} by {_operand(local.node, i)}"
    return f"{rule} is not what differences give"


def _wrong_alone(local: Local, i: int, t: Array, kinks: list[Any]) -> str | None:
    """Where sizes differ much the large hide the small: some elements are judged alone."""
    places = _places(t)
    sizes = [abs(float(np.asarray(local.operands[i])[place])) for place in places]
    by_size = np.argsort(sizes, kind="stable")
    ends = [*by_size[: _ALONE // 3], *by_size[len(by_size) - _ALONE // 3 :]]
    others = local.rng.permutation(len(places))[: _ALONE // 3]
    for k in dict.fromkeys(int(k) for k in (*ends, *others)):
        along = {i: local.coordinate(i, places[k])}
        judged = local.judge(along, local.answering(along))
        if judged.kink is not None:
            told = _wrong_at(local, i, places[k], kinks)
        elif judged.is_wrong:
            told = _told(local, i, places[k], judged, float(along[i][places[k]]))
        else:
            continue
        if told:
            return told
    return None


def _is_even(operand: Array) -> bool:
    """Whether all elements are of comparable size, so that none hides behind another."""
    sizes = np.abs(np.asarray(operand))
    return bool(np.max(sizes, initial=0.0) <= 1e4 * np.min(sizes, initial=np.inf))


def _places(t: Array) -> list[tuple[int, ...]]:
    return [tuple(int(k) for k in place) for place in np.argwhere(t)]


def _kink_in(local: Local, i: int, t: Array) -> tuple[int, ...]:
    """The element that sits on a kink, by halving a direction along which there is one."""
    places = _places(t)
    while len(places) > 1:
        half = places[: len(places) // 2]
        part = np.zeros_like(t)
        for place in half:
            part[place] = t[place]
        judged = local.judge({i: part}, local.cotangents())
        places = half if judged.kink is not None else places[len(half) :]
    return places[0]


def _per_unit(kink: Jump, scale: float) -> Jump:
    """The slopes along a direction of some length, by the coordinate itself."""
    left, right = kink.left / scale + 0.0, kink.right / scale + 0.0
    return Jump(left, right) if scale > 0 else Jump(right, left)


def _wrong_together(local: Local) -> str | None:
    """On a tie, operands that move together stay tied: along that line the op may be smooth."""
    sizes = [np.abs(np.asarray(local.operands[i])) for i in local.shares]
    size = max(float(np.max(a, initial=1.0, where=np.isfinite(a))) for a in sizes)
    step = 2.0 ** np.ceil(np.log2(size))
    along = {i: np.full(np.shape(local.operands[i]), step) for i in local.shares}
    for g in local.single(along):
        judged = local.judge(along, g)
        if judged.is_wrong:
            claimed, found = told_apart(judged.claimed / step, judged.found / step)
            moved = "where all operands move together"
            rule = f"the bprop of {local.node.op.name}"
            return f"{rule} gives {claimed} {moved}, and differences {found}"
    return None


def _wrong_jvp(local: Local) -> str | None:
    """Whether a forward rule of its own contradicts bprop: <jvp t, g> = <t, bprop g>."""
    node = local.node
    if node.op.jvp is None:
        return None
    tangents = {i: placeholder(node.inputs[i].type, "a tangent") for i in local.shares}
    try:
        pushed = node.op.jvp(node, [tangents.get(i) for i in range(len(node.inputs))])
    except Exception as error:
        return f"the jvp of {node.op.name} raises {type(error).__name__}: {error}"
    if pushed.type != node.type:
        return f"the jvp of {node.op.name} returned {pushed.type}, and the node is {node.type}"
    order = local.beyond([pushed])
    for _ in range(_REPEATS):
        directions = {i: local.rng.normal(size=np.shape(local.operands[i])) for i in tangents}
        given = {tangents[i]: np.asarray(t)[()] for i, t in directions.items()}
        values = {**local.values, **given}
        interpret(order, values, local.sizes, widened)
        g = local.cotangents()
        found = local.gradients(g)
        forward = float(np.sum(g * values[pushed]))
        reverse = float(sum(np.sum(found[i] * t) for i, t in directions.items()))
        size = float(sum(np.sum(np.abs(found[i] * t)) for i, t in directions.items()))
        if abs(forward - reverse) <= 1e-10 * size:
            return None  # no need to know how far rounding goes
        claims, bounds = local.claims(g)
        computed = [v for v in order if v.inputs]
        bound = rounding([pushed], computed, values, local.sizes, widened, EPS)[0]
        blur = float(np.sum(np.abs(g) * bound))
        for i, t in directions.items():
            blur += float(np.sum(np.abs(t) * bounds[i] + 8 * EPS * np.abs(claims[i] * t)))
        if not abs(forward - reverse) > blur:
            return None
    pushed_to, pulled_to = told_apart(forward, reverse)
    return f"the jvp of {node.op.name} gives {pushed_to} where its bprop gives {pulled_to}"


def _told(
    local: Local, i: int, index: tuple[int, ...], judged: Judged, scale: float = 1.0
) -> str:
    claimed, found = told_apart(judged.claimed / scale, judged.found / scale)
    if judged.kink is not None:
        left, right = _per_unit(judged.kink, scale)
        found = f"from {left:.3g} to {right:.3g}"
    place = _place(local.node, i, index)
    return f"the bprop of {local.node.op.name} gives {claimed} by {place}, and differences {found}"


def told_apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see that they differ."""
    for digits in range(4, 17):
        one, two = f"{a + 0.0:.{digits}g}", f"{b + 0.0:.{digits}g}"  # no -0
        if one != two:
            break
    return one, two


def _operand(node: Node, i: int) -> str:
    name = node.inputs[i].label
    return f"operand {i}" if name == node.inputs[i].op.name else f"operand {i} ({name})"


def _place(node: Node, i: int, index: tuple[int, ...]) -> str:
    where = f" at {list(index)}" if index else ""
    return _operand(node, i) + where


@np.errstate(all="ignore")
def strays(node: Node, here: Point) -> Finding | None:
    """Whether a node's NumPy text computes something else than its sympy expression.

    A text that keeps not even half of the digits, and whose own noise does not explain it.
    """
    if node.op.meaning is None or not node.type.is_float:
        return None
    given = {x: as_double(here.values[x]) for x in node.inputs}
    try:
        exact: Array = np.float64(exact_values([node], given, here.sizes)[0])
    except NotExact:
        return None
    operands = [given[x] for x in node.inputs]

    def text(scale: float) -> Array:
        scaled = [a * (1 + scale) if np.asarray(a).dtype.kind == "f" else a for a in operands]
        value: Array = np.float64(computed_by(widened(node), scaled, here.sizes))
        return value

    line = np.stack([text(8 * k * EPS) for k in range(-3, 4)])
    noise = np.max(np.abs(np.diff(line, 3, axis=0)), axis=0)
    apart = np.abs(text(0.0) - exact)
    wrong = apart > 64 * noise + np.sqrt(EPS) * np.abs(exact)
    if not np.any(wrong):
        return None
    index = tuple(int(k) for k in np.argwhere(wrong)[0])
    where = f" at {list(index)}" if index else ""
    given_as, meant = told_apart(float(text(0.0)[index]), float(exact[index]))
    text_of = f"the NumPy text of {node.op.name}"
    reason = f"{text_of} gives {given_as}{where}, and its expression {meant}"
    return Finding("wrong", node, reason)
