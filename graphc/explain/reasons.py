"""Reasons: why a node is in the graph or left out, why a gradient is missing, zero, not finite."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from ..autodiff.backprop import carries, disconnected
from ..evaluate import interpret
from ..ir import Node, is_literal, topo
from ..notation import Term
from .derivation import Derivation, Share, Step, written

_MOST_LISTED = 5


def missing(derivation: Derivation) -> dict[Node, str]:
    """The targets that have no gradient, and why."""
    table = derivation.table
    return {t: disconnected(table.z, t).sentence for t in table.targets if t not in table}


# -- why a node is there -----------------------------------------------------------------------


def why(derivation: Derivation, v: Node) -> str:
    """Why a node is in the graph, was left out of the derivation, or has no part in it."""
    table, name = derivation.table, _caller(derivation)
    z = name(table.z)
    step = derivation.number_of.get(v)
    if step is not None:
        if v is table.z:
            return f"{z} is what is differentiated: its own gradient is 1 (step 1)."
        if v in table.targets:
            way = _way(v, lambda u: u is table.z, derivation)
            return f"{name(v)} is asked for, and {z} depends on it: {way} (step {step})."
        up = _way(v, lambda u: u is table.z, derivation)
        target = _source(v, derivation)
        down = _way(target, lambda u: u is v, derivation)
        return (
            f"{name(v)} lies between {name(target)} and {z}: {down}, and {up}. "
            f"Its gradient is needed on the way to {name(target)} (step {step})."
        )
    told = [_of_left_out(derivation, v), _of_gradient(derivation, v) or _of_part(derivation, v)]
    if not any(told):
        return f"{_called(v, name)} has no part in this: {z} and its gradients do not use it."
    return " ".join(filter(None, told))


def _of_left_out(derivation: Derivation, v: Node) -> str:
    name, order = _caller(derivation), derivation.graph.nodes
    if v not in derivation.graph:
        return ""
    reason = derivation.table.left_out(order)[v]
    users = [u for u in derivation.graph.consumers(v) if u in derivation.number_of]
    also = f" Its value is used by {name(users[0])}." if users else ""
    return f"{_called(v, name)} is left out of the derivation: {reason}.{also}"


def _of_gradient(derivation: Derivation, v: Node) -> str:
    name, table = _caller(derivation), derivation.table
    by = [s.node for s in table.steps if s.gradient is v]
    steps = ", ".join(str(derivation.number_of[u]) for u in by)
    names = ", ".join(map(name, by))
    many = "s" * (len(by) > 1)
    return f"It is the gradient of {name(table.z)} by {names} (step{many} {steps})." if by else ""


def _caller(derivation: Derivation) -> Callable[[Node], str]:
    return lambda v: str(written(v, derivation.names))


def _called(v: Node, name: Callable[[Node], str]) -> str:
    found = name(v) if v.inputs else v.label
    return found if len(found) < 40 else v.label


def _way(start: Node, is_end: Callable[[Node], bool], derivation: Derivation) -> str:
    """The shortest way of consumers from a node, as `w → z → loss`."""
    name = _caller(derivation)
    before: dict[Node, Node | None] = {start: None}
    queue = deque([start])
    while queue:
        v = queue.popleft()
        if is_end(v):
            break
        for c in _gradient_consumers(derivation, v):
            if c not in before:
                before[c] = v
                queue.append(c)
    way, at = [], v
    while at is not None:
        way.append(name(at))
        at = before[at]  # type: ignore[assignment]
    way.reverse()
    if len(way) > 2 * _MOST_LISTED:
        way[_MOST_LISTED:-_MOST_LISTED] = [f"… ({len(way) - 2 * _MOST_LISTED} more)"]
    return " → ".join(way)


def _gradient_consumers(derivation: Derivation, v: Node) -> list[Node]:
    step = derivation.table.steps[derivation.number_of[v] - 1]
    return list(dict.fromkeys(c.consumer for c in step.contributions))


def _source(v: Node, derivation: Derivation) -> Node:
    """A target that v is computed from."""
    targets = set(derivation.table.targets)
    stack, met = [v], {v}
    while stack:
        u = stack.pop()
        if u in targets:
            return u
        new = [
            x for i, x in enumerate(u.inputs)
            if x not in met and x in derivation.number_of and carries(u, i)
        ]  # fmt: skip
        met.update(new)
        stack += new
    raise AssertionError("what has a step descends from a target")


def _of_part(derivation: Derivation, v: Node) -> str:
    """The contribution that a node built by backprop is a part of."""
    name = _caller(derivation)
    for step in derivation.table.steps:
        for c in step.contributions:
            if v is c.gradient or (v.origin is c.consumer and v in topo([c.gradient])):
                kind = "It is" if v is c.gradient else "It is a part of"
                number = derivation.number_of[step.node]
                return (
                    f"{kind} what {name(c.consumer)} contributes to the gradient by "
                    f"{name(step.node)} (step {number})."
                )
    return ""


# -- why a gradient is what it is --------------------------------------------------------------


def remarks(derivation: Derivation, step: Step) -> tuple[str, ...]:
    """What a reader would ask about a step: zeros, values that are not finite, one for many."""
    found = [_copied(derivation, step, s) for s in step.shares]
    found += [_used_again(derivation, s) for s in step.shares]
    if derivation.at is None:
        found += [_flat(derivation, step, s) for s in step.shares]
    else:
        found += _at_the_point(derivation, step)
    return tuple(dict.fromkeys(r for r in found if r))


def _copied(derivation: Derivation, step: Step, share: Share) -> str:
    """A reduction's gradient is one number that every element gets."""
    c, v = share.consumer, step.node
    if c.ndim >= v.ndim or share.rule.term.kind != "gradient":
        return ""
    return f"Every element of {step.name} gets the same {share.rule}."


def _used_again(derivation: Derivation, share: Share) -> str:
    """exp'(v) is exp(v): a consumer may occur in its own derivative."""
    name = derivation.names[share.consumer]
    is_used = name.kind == "name" and _occurs(name, share.rule.term)
    made = derivation.made(share.consumer)
    return f"{written(share.consumer, derivation.names)} is {made}, known already." * is_used


def _occurs(name: Term, t: Term) -> bool:
    """Whether a name stands in a term by itself, not as that of a gradient."""
    return t == name or (t.kind != "gradient" and any(_occurs(name, part) for part in t.parts))


def _flat(derivation: Derivation, step: Step, share: Share) -> str:
    if not is_literal(share.gradient, 0.0):
        return ""
    return f"{share.consumer.op.name} is flat: its derivative is 0 wherever it has one."


def _at_the_point(derivation: Derivation, step: Step) -> list[str]:
    name = _caller(derivation)
    found = []
    for s in step.shares:
        if np.any(np.isfinite(s.value) & ~np.isfinite(s.by_rule)):
            found.append(
                f"{name(s.consumer)} contributes exactly 0 where a branch was not taken, though "
                "its own derivative is not finite there."
            )
        own = derivation.values[derivation.table[s.consumer]]
        if not np.all(np.isfinite(s.value)) and np.all(np.isfinite(own)):
            kind = "NaN" if np.any(np.isnan(s.value)) else "infinite"
            found.append(
                f"Here the gradient first is {kind}: the derivative of {name(s.consumer)} by "
                f"{step.name} is not finite at this point."
            )
        found.append(_on_a_kink(derivation, step, s))
    if np.size(step.slope) and not np.any(step.slope):
        found.append(_why_zero(derivation, step))
    return found


# Slopes at these distances tell a kink, whose jump stays, from a curve, whose jump shrinks.
_NEAR, _NEARER = 2.0**-12, 2.0**-20
_MOST_TRIED = 16


def _on_a_kink(derivation: Derivation, step: Step, share: Share) -> str:
    """Where the slopes on the two sides differ, the table of kinks has chosen the derivative."""
    c, v = share.consumer, step.node
    size = np.size(step.value)
    if not 0 < size <= _MOST_TRIED or not np.all(np.isfinite(step.value)):
        return ""
    for index in np.ndindex(np.shape(step.value)):
        near, nearer = (_slopes(derivation, c, v, index, h) for h in (_NEAR, _NEARER))
        jump, size_ = abs(nearer[1] - nearer[0]), max(1.0, *map(abs, nearer))
        if jump > 1e-3 * size_ and jump > abs(near[1] - near[0]) / 2:
            place = f"[{', '.join(map(str, index))}]" if index else ""
            left, right = (f"{slope:.3g}" for slope in nearer)
            return (
                f"{step.name}{place} sits on a kink of {c.op.name}, whose slope is {left} to the "
                f"left and {right} to the right: here the derivative is chosen by a convention."
            )
    return ""


def _slopes(
    derivation: Derivation, c: Node, v: Node, index: tuple[int, ...], h: float
) -> tuple[float, float]:
    """The slopes of a consumer's sum by one element of v, to the left and to the right."""
    middle = np.asarray(derivation.values[v], np.float64)
    h *= max(1.0, float(abs(middle[index])))
    sums = []
    for moved in (-h, 0.0, h):
        array = middle.copy()
        array[index] += moved
        values = {x: derivation.values[x] for x in c.inputs} | {v: array[()]}
        with np.errstate(all="ignore"):
            interpret([c], values, derivation.sizes)
            sums.append(float(np.sum(values[c], dtype=np.float64)))
    return (sums[1] - sums[0]) / h, (sums[2] - sums[1]) / h


def _why_zero(derivation: Derivation, step: Step) -> str:
    """Why a gradient is 0 at the point."""
    name = _caller(derivation)
    if any(np.any(s.value) for s in step.shares):
        return f"{_gradient(step)} is 0 because the contributions cancel."
    reasons = []
    for s in step.shares:
        if not np.any(derivation.values[derivation.table[s.consumer]]):
            number = derivation.number_of[s.consumer]
            reasons.append(f"∇{name(s.consumer)} is 0 (step {number})")
        else:
            reasons.append(f"the derivative of {name(s.consumer)} by {step.name} is 0 here")
    shown = "; ".join(dict.fromkeys(reasons))
    return f"{_gradient(step)} is 0: {shown}." if shown else ""


def _gradient(step: Step) -> str:
    return f"∇{step.name}"
