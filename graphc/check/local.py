"""One op by itself, at its own operands: its bprop against differences of its NumPy text.

One op is a small function. What the chain rule makes of it is no matter here: a cotangent and a
direction give one number from bprop and one from differences.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..autodiff.backprop import carries, contribution
from ..evaluate import computed_by, interpret
from ..ir import Node, topo
from ..ops.leaves import placeholder
from .numeric import (
    EPS,
    FIRST,
    IMAGINARY,
    LAST,
    MOST,
    UNSEEN,
    Array,
    Jump,
    Sides,
    as_double,
    continued,
    direction,
    measured,
    widened,
)
from .point import Point
from .rounding import rounding

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
        is_between = self.kink is not None and self.kink.holds(self.claimed)
        return is_between or bool(abs(self.claimed - self.found) <= self.uncertain)

    @property
    def is_sharp(self) -> bool:
        """Whether they are known to be equal in more than a few digits."""
        return bool(self.uncertain <= 1e-6 * abs(self.claimed))

    @property
    def is_known(self) -> bool:
        """Whether differences say anything at all."""
        return bool(np.isfinite(self.found) and np.isfinite(self.uncertain))

    @property
    def is_wrong(self) -> bool:
        return self.is_known and not self.agrees


def _is_float(value: Array) -> bool:
    return np.asarray(value).dtype.kind == "f"


class Local:
    """One node by itself: its operands are numbers, in double precision."""

    def __init__(
        self, node: Node, here: Point, seed: int = 0, among: Container[Node] | None = None
    ) -> None:
        self.node, self.sizes, self.all = node, here.sizes, here.values
        self.rng = np.random.default_rng(seed)
        self.values = {v: as_double(self.all[v]) for v in {*node.inputs, node}}
        self.operands = [self.values[x] for x in node.inputs]
        self.text, self.onward = widened(node), continued(node)
        # In double precision the result is another, and rules may use it.
        self.values[node] = self.run(self.operands)
        self.result = np.float64(self.values[node])
        self.cotangent = placeholder(node.type, "a cotangent")
        self.shares = {
            i: contribution(node, i, self.cotangent)
            for i in range(len(node.inputs))
            if carries(node, i)
        }
        self.asked = [i for i in self.shares if among is None or node.inputs[i] in among]
        self.order = self.beyond(self.shares.values())
        self.constants = [v for v in self.order if v.op.name == "constant"]

    def beyond(self, nodes: Iterable[Node]) -> list[Node]:
        """What must be computed for some nodes; what the rest of the graph knows is noted.

        What stands on the operands is computed again, in double precision as they are.
        """
        order = topo(nodes, beyond=self.values)
        fresh = {*self.node.inputs, self.node}
        for v in order:
            if v in self.all and fresh.isdisjoint(v.inputs):
                self.values[v] = as_double(self.all[v])
            else:
                fresh.add(v)
        return [v for v in order if v not in self.values]

    def run(self, operands: Sequence[Array], text: str = "") -> Array:
        return computed_by(text or self.text, operands, self.sizes)

    def cotangents(self) -> Array:
        """Random numbers for the elements of the result, none small."""
        signs = self.rng.choice([-1.0, 1.0], np.shape(self.result))
        return np.asarray(self.rng.uniform(0.5, 1.5, np.shape(self.result)) * signs)

    def direction(self, i: int) -> Array:
        """A random direction of one operand."""
        return direction(self.operands[i], self.rng)

    def coordinate(self, i: int, index: tuple[int, ...]) -> Array:
        """One element alone, by its own size or by 1."""
        t = np.zeros(np.shape(self.operands[i]))
        element = abs(float(np.asarray(self.operands[i])[index]))
        if np.isfinite(element):
            t[index] = 2.0 ** np.ceil(np.log2(max(element, 1.0)))
        return t

    def moved(self, along: Moves, s: complex) -> list[Array]:
        """The operands a little along a direction."""
        operands = list(self.operands)
        for i, t in along.items():
            operands[i] = operands[i] + s * t
        return operands

    def answering(self, along: Moves) -> Array:
        """Which elements of the result move at all: the others would only add rounding."""
        moves = [self.run(self.moved(along, s)) for s in (2.0**-3, -(2.0**-3), 2.0**-20, 2.0**-44)]
        return np.any([np.asarray(m != self.result) for m in moves], axis=0).astype(np.float64)

    def single(self, along: Moves) -> Iterable[Array]:
        """Cotangents that pick the single elements of the result that move the most."""
        moved = np.abs(np.asarray(self.run(self.moved(along, 2.0**-20)) - self.result))
        for k in np.argsort(-np.nan_to_num(np.ravel(moved)), kind="stable")[:2]:
            g = np.zeros(moved.size)
            g[k] = 1.0
            yield g.reshape(moved.shape)

    def gradients(self, g: Array) -> dict[int, Array]:
        """What bprop gives for each operand."""
        values = self._backwards(g)
        return {i: np.float64(values[share]) for i, share in self.shares.items()}

    def claims(self, g: Array) -> tuple[dict[int, Array], dict[int, Array]]:
        """The same, and by how much rounding may have moved it."""
        values = self._backwards(g)
        computed = [v for v in self.order if v.inputs]
        bounds = rounding(
            list(self.shares.values()), computed, values, self.sizes, widened, EPS, self.constants
        )
        claims = {i: np.float64(values[share]) for i, share in self.shares.items()}
        return claims, dict(zip(self.shares, bounds, strict=True))

    def _backwards(self, g: Array) -> dict[Node, Array]:
        values = {**self.values, self.cotangent: g}
        interpret(self.order, values, self.sizes, widened)
        return values

    def is_plainly_right(self, i: int) -> bool:
        """A quick look that settles most nodes: no kink, and all in agreement, by a wide margin."""
        a = np.abs(np.asarray(self.operands[i]))
        if not np.max(a, initial=0.0) <= 1e4 * np.min(a, initial=np.inf):
            return False  # where sizes differ much the large hide the small
        g, t, h = self.cotangents(), self.direction(i), 2.0**-17
        shares: Array = self.gradients(g)[i] * t
        claimed, size = float(np.sum(shares)), float(np.sum(np.abs(shares)))
        high, base, low = (
            float(np.sum(g * self.run(self.moved({i: t}, s)))) for s in (h, 0.0, -h)
        )
        onward = self._onward({i: t}, g)
        return (
            onward is not None
            and abs(onward - claimed) <= 1e-10 * size
            and abs((high - low) / (2 * h) - claimed) <= 1e-4 * size
            and abs(high + low - 2 * base) / h <= 1e-4 * size
        )

    def judge(self, along: Moves, g: Array) -> Judged:
        """bprop against differences along one line."""
        claims, bounds = self.claims(g)
        claimed = sum(float(np.sum(claims[i] * t, where=t != 0)) for i, t in along.items())
        moved = [np.abs(claims[i] * t) for i, t in along.items()]
        blur = 0.0
        for (i, t), m in zip(along.items(), moved, strict=True):  # NaN is no rounding
            finite = (t != 0) & np.isfinite(m)
            blur += float(np.sum(bounds[i] * np.abs(t) + 4 * EPS * m, where=finite))

        def value(s: float) -> float:
            return float(np.sum(g * self.run(self.moved(along, s)), where=g != 0))

        def sides(h: float) -> Sides:
            return Sides(value(h), value(-h), 2 * h)

        steps, fine = self._steps(along)
        base = value(0.0)
        tiny = 2.0 ** -(steps.stop + 2)
        line = np.array([value(k * tiny) for k in range(-3, 4)])
        jitter = np.max(np.abs(np.diff(line, 3)), initial=0.0) if base == base else np.nan
        own = EPS * float(np.sum(np.abs(g * self.result), where=g != 0))
        pulled = EPS * sum(
            float(np.sum(np.abs(claims[i] * self.operands[i]), where=t != 0))
            for i, t in along.items()
        )
        pulled = pulled if np.isfinite(pulled) else 0.0
        noise = float(np.nanmax([own, jitter, pulled]))
        found, error, kink, is_clear = measured(sides, base, steps, fine, noise, pulled)
        if not np.isfinite(claimed):
            # Where the rule gives up, only differences that are sharp contradict it.
            around = [*(a for a in self.operands if _is_float(a)), self.result]
            is_inside = all(np.all(np.isfinite(a)) for a in around)
            is_sharp = is_inside and error <= 1e-3 * (abs(found) + abs(base))
            return Judged(claimed, found if is_sharp else np.nan, error, kink)
        if not is_clear:
            error = max(error, 2 * abs(claimed))
        onward = self._onward(along, g)
        if onward is not None and abs(onward - found) <= error < np.inf:
            found, error = onward, min(error, blur + 16 * EPS * abs(onward) + UNSEEN)
        if kink is not None and not kink.holds(found, error):
            kink = None
        return Judged(claimed, found, error + blur, kink)

    def _steps(self, along: Moves) -> tuple[range, int]:
        """The steps: on until each element that moves is moved by little of itself.

        And from which of them on each moves by no more than an eighth of itself.
        """
        extra = 0
        for i, t in along.items():
            a = np.abs(self.operands[i])
            ratio = np.where((a > 0) & (t != 0), np.abs(t) / a, 1.0)
            extra = max(extra, int(np.ceil(np.log2(np.max(ratio, initial=1.0)))))
        return range(FIRST, min(LAST + extra, MOST)), FIRST + extra

    def _onward(self, along: Moves, g: Array) -> float | None:
        """The derivative by the complex step, where the text goes on into the complex plane."""
        try:
            value = np.asarray(self.run(self.moved(along, 1j * IMAGINARY), self.onward))
        except TypeError:
            return None
        if value.dtype.kind != "c":
            return None
        found = float(np.sum(g * (value.imag / IMAGINARY), where=g != 0))
        return found if np.isfinite(found) else None
