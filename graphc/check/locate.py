"""Which node is to blame: each op's own bprop, at its own operands, against its own NumPy text.

One op is a small function. What the chain rule makes of it is no matter here: a random cotangent
and a random direction give one number from bprop and one from differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.backprop import carries, contribution
from ..errors import GraphcError
from ..evaluate import NAMESPACE, code, interpret
from ..ir import OPS, Node, topo
from .exact import NotExact, exact_values
from .numeric import (
    EPS,
    IMAGINARY,
    Array,
    Jump,
    Sides,
    continued,
    exponents,
    extrapolated,
    jump,
    widened,
)
from .rounding import rounding

# Ridders' error is an estimate: so many times that is believed.
TRUST = 4.0

_REPEATS, _KINKS, _SHOWN = 3, 12, 12


class Finding(NamedTuple):
    """What is the matter with a node: it is wrong, sits on a kink, or is outside its domain."""

    kind: str
    node: Node
    reason: str


Moves = Mapping[int, Array]  # position of an operand -> the direction in which it is moved


class Judged(NamedTuple):
    """One line through a node's operands: what bprop claims along it and what differences find."""

    claimed: float
    found: float
    uncertain: float
    kink: Jump | None

    @property
    def agrees(self) -> bool:
        """Whether they are equal, or on a kink whether the claim lies between the two sides."""
        if self.kink is not None:
            low, high = sorted(self.kink)
            spread = high - low
            return low - spread / 16 <= self.claimed <= high + spread / 16
        return bool(abs(self.claimed - self.found) <= self.uncertain)

    @property
    def is_known(self) -> bool:
        """Whether differences say anything at all."""
        return bool(np.isfinite(self.found) and np.isfinite(self.uncertain))

    @property
    def is_wrong(self) -> bool:
        return self.is_known and not self.agrees


def as_double(value: Array) -> Array:
    """A float in double precision; anything else as it is."""
    array = np.asarray(value)
    return array.astype(np.float64)[()] if array.dtype.kind == "f" else value


class Local:
    """One node by itself: its operands are numbers, in double precision."""

    def __init__(
        self, node: Node, values: Mapping[Node, Array], sizes: Mapping[str, int], seed: int = 0
    ) -> None:
        self.node, self.sizes = node, sizes
        self.rng = np.random.default_rng(seed)
        self.all, self.values = values, {v: as_double(values[v]) for v in {*node.inputs, node}}
        self.operands = [self.values[x] for x in node.inputs]
        self.text, self.onward = code(widened(node)), code(continued(node))
        self.result = np.float64(self._run(self.operands))
        self.cotangent = OPS["input"](name="a cotangent", type=node.type, token=object())
        self.shares = {
            i: contribution(node, i, self.cotangent)
            for i in range(len(node.inputs))
            if carries(node, i)
        }
        self.order = self.beyond(self.shares.values())

    def beyond(self, nodes: Iterable[Node]) -> list[Node]:
        """What must be computed for some nodes; what the graph knows already is noted."""
        order = topo(nodes)
        self.values.update((v, as_double(self.all[v])) for v in order if v in self.all)
        return [v for v in order if v not in self.values]

    def _run(self, operands: Sequence[Array], text: Any = None) -> Array:
        names = {f"x{i}": a for i, a in enumerate(operands)}
        return eval(text or self.text, NAMESPACE, {**names, **self.sizes})

    def cotangents(self) -> Array:
        return np.asarray(self.rng.uniform(0.5, 1.5, np.shape(self.result)) * self._signs())

    def _signs(self) -> Array:
        return self.rng.choice([-1.0, 1.0], np.shape(self.result))

    def direction(self, i: int) -> Array:
        """Each element by its own size or by 1, times a random power of 2 with a random sign."""
        a = np.asarray(self.operands[i])
        sizes = 2.0 ** np.ceil(np.log2(np.maximum(np.abs(a), 1)))
        factors = self.rng.choice([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0], a.shape)
        return np.asarray(sizes * factors / 2)

    def claims(self, g: Array) -> tuple[dict[int, Array], dict[int, Array]]:
        """What bprop gives for each operand, and by how much rounding may have moved it."""
        values = {**self.values, self.cotangent: g}
        interpret(self.order, values, self.sizes, widened)
        computed = [v for v in self.order if v.inputs]
        bounds = rounding(list(self.shares.values()), computed, values, self.sizes, widened, EPS)
        claims = {i: np.float64(values[share]) for i, share in self.shares.items()}
        return claims, dict(zip(self.shares, bounds, strict=True))

    def judge(self, along: Moves, g: Array) -> Judged:
        """bprop against differences along one line."""
        claims, bounds = self.claims(g)
        claimed = sum(float(np.sum(claims[i] * t, where=t != 0)) for i, t in along.items())
        moved = [np.abs(claims[i] * t) for i, t in along.items()]
        blur = sum(float(np.sum(bounds[i] * np.abs(t), where=t != 0)) for i, t in along.items())
        blur += 4 * EPS * sum(float(np.sum(m, where=np.isfinite(m))) for m in moved)

        def value(s: float) -> float:
            operands = list(self.operands)
            for i, t in along.items():
                operands[i] = operands[i] + s * t
            return float(np.sum(g * self._run(operands)))

        def sides(h: float) -> Sides:
            return Sides(value(h), value(-h), 2 * h)

        reached = [np.abs(self.operands[i])[t != 0] for i, t in along.items()]
        steps = exponents(np.concatenate(reached) if reached else np.zeros(0))
        # Directions carry the sizes of what they move: steps begin at an eighth of that.
        steps = range(3, steps.stop)
        base = value(0.0)
        tiny = 2.0 ** -(steps.stop + 2)
        line = np.array([value(k * tiny) for k in range(-3, 4)])
        measured = np.max(np.abs(np.diff(line, 3)), initial=0.0) if base == base else np.nan
        own = EPS * float(np.sum(np.abs(g * self.result)))
        pulled = EPS * sum(
            float(np.sum(np.abs(claims[i] * self.operands[i]), where=t != 0))
            for i, t in along.items()
        )
        noise = float(np.nanmax([own, measured, pulled if np.isfinite(pulled) else 0.0]))
        slope = extrapolated(sides, steps, EPS, noise)
        kink = jump(sides, base, slope, steps, noise)
        found, error = float(slope.value), TRUST * float(slope.error)
        onward = self._onward(along, g)
        if onward is not None and abs(onward - found) <= error:
            found, error = onward, min(error, blur + 16 * EPS * abs(onward))
        return Judged(claimed, found, error + blur, kink)

    def _onward(self, along: Moves, g: Array) -> float | None:
        """The derivative by the complex step, where the text goes on into the complex plane."""
        operands = list(self.operands)
        for i, t in along.items():
            operands[i] = operands[i] + 1j * IMAGINARY * t
        try:
            value = np.asarray(self._run(operands, self.onward))
        except TypeError:
            return None
        if value.dtype.kind != "c":
            return None
        found = float(np.sum(g * (value.imag / IMAGINARY)))
        return found if np.isfinite(found) else None


@np.errstate(all="ignore")
def blame(
    node: Node, values: Mapping[Node, Array], sizes: Mapping[str, int], seed: int = 0
) -> Finding | None:
    """What is the matter with one node at these values, if anything is.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> y = gc.abs(x)
    >>> blame(y, {x: np.float64(0.0), y: np.float64(0.0)}, {}).kind
    'kink'
    >>> blame(y, {x: np.float64(1.0), y: np.float64(1.0)}, {})
    """
    try:
        local = Local(node, values, sizes, seed)
    except GraphcError as error:
        return Finding("wrong", node, error.sentence)
    except Exception as error:  # whatever a user's own rule may raise
        return Finding("wrong", node, f"its bprop raises {type(error).__name__}: {error}")
    if not local.shares:
        return None
    wrong = _wrong_jvp(local)
    kinks: list[tuple[int, tuple[int, ...], Jump]] = []
    for i in local.shares:
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


def _wrong_along(local: Local, i: int, kinks: list[Any]) -> str | None:
    """What is wrong with the gradient by one operand; kinks are taken out one by one, and noted."""
    t = local.direction(i)
    for _ in range(_KINKS):
        judged = local.judge({i: t}, local.cotangents())
        if judged.kink is None:
            break
        index = _kink_in(local, i, t)
        for g in _single(local, {i: _only(t, index)}):
            alone = local.judge({i: _only(t, index)}, g)
            if alone.is_wrong:
                return _told(local, i, index, alone, float(t[index]))
            if alone.kink is not None:
                kinks.append((i, index, _per_unit(alone.kink, float(t[index]))))
        t = np.where(_only(np.ones_like(t), index) != 0, 0.0, t)
    if not np.any(t):
        return None
    for _ in range(_REPEATS):
        judged = local.judge({i: t}, local.cotangents())
        if not judged.is_wrong or judged.kink is not None:
            return None
        t = np.where(t != 0, local.direction(i), 0.0)
    return _worst(local, i, t)


def _kink_in(local: Local, i: int, t: Array) -> tuple[int, ...]:
    """The element that sits on a kink, by halving a direction along which there is one."""
    places = [tuple(int(k) for k in place) for place in np.argwhere(t)]
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
    left, right = kink.left / scale, kink.right / scale
    return Jump(left, right) if scale > 0 else Jump(right, left)


def _only(t: Array, index: tuple[int, ...]) -> Array:
    one = np.zeros_like(t)
    one[index] = t[index]
    return one


def _single(local: Local, along: Moves) -> Iterable[Array]:
    """Cotangents that pick the single elements of the result that move the most."""
    operands = list(local.operands)
    for i, t in along.items():
        operands[i] = operands[i] + 2.0**-20 * t
    moved = np.abs(np.asarray(local._run(operands) - local.result))
    order = np.argsort(-np.nan_to_num(np.ravel(moved)), kind="stable")[:2]
    for k in order:
        g = np.zeros(moved.size)
        g[k] = 1.0
        yield g.reshape(moved.shape)


def _wrong_together(local: Local) -> str | None:
    """On a tie, operands that move together stay tied: along that line the op may be smooth."""
    size = max(float(np.max(np.abs(local.operands[i]), initial=1.0)) for i in local.shares)
    step = 2.0 ** np.ceil(np.log2(size))
    along = {i: np.full(np.shape(local.operands[i]), step) for i in local.shares}
    for g in _single(local, along):
        judged = local.judge(along, g)
        if judged.is_wrong:
            return (
                f"its bprop gives {judged.claimed / step:.6g} for moving all operands together, "
                f"and differences {judged.found / step:.6g}"
            )
    return None


def _wrong_jvp(local: Local) -> str | None:
    """Whether a forward rule of its own contradicts bprop: <jvp t, g> = <t, bprop g>."""
    node = local.node
    if node.op.jvp is None:
        return None
    tangents = {
        i: OPS["input"](name="a tangent", type=node.inputs[i].type, token=object())
        for i in local.shares
    }
    try:
        pushed = node.op.jvp(node, [tangents.get(i) for i in range(len(node.inputs))])
    except Exception as error:
        return f"its jvp raises {type(error).__name__}: {error}"
    if pushed.type != node.type:
        return f"its jvp returned {pushed.type}, and the node is {node.type}"
    order = local.beyond([pushed])
    for _ in range(_REPEATS):
        directions = {i: local.rng.normal(size=np.shape(local.operands[i])) for i in tangents}
        given = {tangents[i]: np.asarray(t)[()] for i, t in directions.items()}
        values = {**local.values, **given}
        interpret(order, values, local.sizes, widened)
        computed = [v for v in order if v.inputs]
        bound = rounding([pushed], computed, values, local.sizes, widened, EPS)[0]
        g = local.cotangents()
        claims, bounds = local.claims(g)
        forward = float(np.sum(g * values[pushed]))
        reverse = float(sum(np.sum(claims[i] * t) for i, t in directions.items()))
        blur = float(np.sum(np.abs(g) * bound))
        for i, t in directions.items():
            blur += float(np.sum(np.abs(t) * bounds[i] + 8 * EPS * np.abs(claims[i] * t)))
        if not abs(forward - reverse) > blur:
            return None
    return f"its jvp gives {forward:.6g} where its bprop gives {reverse:.6g}"


def _worst(local: Local, i: int, t: Array) -> str:
    """The first element of an operand by which the gradient is wrong, with both numbers."""
    places = [tuple(int(k) for k in place) for place in np.argwhere(t)]
    for index in places[:_SHOWN]:
        judged = local.judge({i: _only(t, index)}, np.ones_like(local.result))
        if judged.is_wrong and judged.kink is None:
            return _told(local, i, index, judged, float(t[index]))
    return f"its bprop by {_operand(local.node, i)} is not what differences of its result give"


def _told(
    local: Local, i: int, index: tuple[int, ...], judged: Judged, scale: float = 1.0
) -> str:
    found = f"{judged.found / scale:.6g}"
    if judged.kink is not None:
        left, right = _per_unit(judged.kink, scale)
        found = f"from {left:.3g} to {right:.3g}"
    return (
        f"its bprop gives {judged.claimed / scale:.6g} by {_place(local.node, i, index)}, "
        f"and differences {found}"
    )


def _operand(node: Node, i: int) -> str:
    name = node.inputs[i].label
    return f"operand {i}" if name == node.inputs[i].op.name else f"operand {i} ({name})"


def _place(node: Node, i: int, index: tuple[int, ...]) -> str:
    where = f" at {list(index)}" if index else ""
    return _operand(node, i) + where


@np.errstate(all="ignore")
def strays(node: Node, values: Mapping[Node, Array], sizes: Mapping[str, int]) -> Finding | None:
    """Whether a node's NumPy text computes something else than its sympy expression.

    A text that keeps not even half of the digits, and whose own noise does not explain it.
    """
    if node.op.meaning is None or not node.type.is_float:
        return None
    given = {x: as_double(values[x]) for x in node.inputs}
    try:
        exact: Array = np.float64(exact_values([node], given, sizes)[0])
    except NotExact:
        return None
    operands = [given[x] for x in node.inputs]

    def text(scale: float) -> Array:
        names = {
            f"x{i}": a * (1 + scale) if np.asarray(a).dtype.kind == "f" else a
            for i, a in enumerate(operands)
        }
        value: Array = np.float64(eval(code(widened(node)), NAMESPACE, {**names, **sizes}))
        return value

    line = np.stack([text(8 * k * EPS) for k in range(-3, 4)])
    noise = np.max(np.abs(np.diff(line, 3, axis=0)), axis=0)
    apart = np.abs(text(0.0) - exact)
    wrong = apart > 64 * noise + np.sqrt(EPS) * np.abs(exact)
    if not np.any(wrong):
        return None
    index = tuple(int(k) for k in np.argwhere(wrong)[0])
    where = f" at {list(index)}" if index else ""
    numbers = f"{float(text(0.0)[index]):.6g}, and its expression is {float(exact[index]):.6g}"
    return Finding("wrong", node, f"its NumPy text gives {numbers}{where}")
