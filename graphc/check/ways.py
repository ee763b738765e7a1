"""One parameter, element by element: what each way of differentiating gives, and how sure it is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import mpmath
import numpy as np

from .. import shapes
from ..autodiff.backprop import carries
from ..autodiff.modes import forward
from ..evaluate import interpret
from ..ir import Node, topo
from ..ops.leaves import placeholder
from .exact import ExactSlopes, NotExact, exact_values, is_kink
from .numeric import (
    EPS,
    FIRST,
    IMAGINARY,
    LAST,
    UNSEEN,
    Array,
    Jump,
    Moving,
    Sides,
    as_double,
    continued,
    direction,
    exponents,
    measured,
    moves,
    widened,
)
from .plot import Curve
from .rounding import rounding

# All elements of a parameter are compared when they are so few, else so many of them; fewer where
# a value takes more than so many numbers to compute.
_FEW, _SAMPLE, _FEWER, _DEAR = 40, 16, 4, 30_000

# How many operations on single elements exact arithmetic may take for one parameter.
BUDGET = 12_000

# Three digits are enough to tell a right derivative from another; fewer are noise.
_KNOWN = 1e-3


class Coordinate(NamedTuple):
    """One element, or a random direction (place None): what each way gives there."""

    place: tuple[int, ...] | None
    reverse: float
    blur: float  # by how much rounding may have moved it
    forward: float | None
    exact: float | None
    formula: float | None  # what the graph of the gradient is in exact arithmetic
    numeric: float
    method: str
    uncertainty: float
    kink: Jump | None

    @property
    def best(self) -> tuple[float, float]:
        """What is most likely true, and how well that is known."""
        return (self.numeric, self.uncertainty) if self.exact is None else (self.exact, 0.0)

    @property
    def difference(self) -> float:
        return abs(self.reverse - self.best[0])

    @property
    def is_exact(self) -> bool:
        """Whether exact arithmetic confirms it, whatever differences say."""
        return self.exact is not None and self.difference <= max(
            self.blur, _KNOWN * abs(self.exact)
        ) < np.inf  # fmt: skip

    @property
    def is_unknown(self) -> bool:
        """Whether there is nothing to compare with: one side is outside the domain."""
        return self.exact is None and not np.isfinite(self.uncertainty + self.numeric)

    @property
    def is_suspect(self) -> bool:
        """Whether some way differs by more than all uncertainties together."""
        if not np.isfinite(self.reverse):
            return True
        ways = [(self.numeric, self.uncertainty), (self.forward, self.blur), (self.exact, 0.0)]
        return any(
            not abs(self.reverse - value) <= self.blur + uncertain
            for value, uncertain in ways
            if value is not None and value == value and np.isfinite(uncertain)
        )

    @property
    def is_refuted(self) -> bool:
        """Whether it is wrong for certain, even where no single node is to blame."""
        if self.kink is not None or not self.is_suspect:
            return False
        if self.exact is not None and self.formula is not None:
            return not abs(self.formula - self.exact) <= self.blur
        if not np.isfinite(self.reverse):
            return bool(np.isfinite(self.numeric) and self.uncertainty <= abs(self.numeric))
        is_sharp = self.method == "complex step"
        allowed = 100 * (self.blur + self.uncertainty)
        return is_sharp and not abs(self.reverse - self.numeric) <= allowed

    def is_known(self, largest: float) -> bool:
        """Whether some digits are certain, of itself or of the largest of its kind."""
        doubt = self.difference + self.best[1]
        return bool(doubt <= _KNOWN * abs(self.reverse) or doubt <= _KNOWN**2 * largest)


class Ways:
    """The derivatives of v by one parameter x at one point."""

    def __init__(
        self,
        v: Node,
        x: Node,
        gradient: Node,
        values: Mapping[Node, Array],
        sizes: Mapping[str, int],
        seed: int,
    ) -> None:
        self.v, self.x, self.values, self.sizes = v, x, values, sizes
        self.rng = np.random.default_rng(seed)
        self.gradient: Array = np.float64(values[gradient])
        self.blur = self._blur(gradient)
        self.start = as_double(values[x])
        self.moving = self._widened()
        self.run = self.moving.program(widened)
        self.base = float(self.moving.values[v])
        order = [u for u in self.moving.nodes if u is not x]
        self.noise = float(rounding([v], order, self.moving.values, sizes, widened, EPS)[0])
        self.tangent = self._forward()
        self.exact = self._exactly()
        self.formula = None if self.exact is None else self._formula(gradient)

    # Each way

    def _blur(self, gradient: Node) -> Array:
        """By how much rounding may have moved each element of the gradient."""
        order = [u for u in topo([gradient]) if u.inputs]
        known = set(topo([self.v]))
        constants = [u for u in topo([gradient]) if u.op.name == "constant" and u not in known]
        return rounding([gradient], order, self.values, self.sizes, constants=constants)[0]

    def _widened(self) -> Moving:
        """The graph in double precision, whatever its dtypes are: so differences can be sharp."""
        moving = Moving(self.v, self.x, self.values, self.sizes, moves)
        inside = set(moving.nodes) - {self.x}
        values = {u: as_double(a) for u, a in moving.values.items() if u not in inside}
        interpret(moving.nodes, values, self.sizes, widened)
        return Moving(self.v, self.x, values, self.sizes, moves)

    def _forward(self) -> Callable[[Array], Array] | None:
        """Forward mode, as a function of the tangent."""
        seed = placeholder(self.x.type, "a tangent")
        try:
            tangent = forward([self.v], {self.x: seed}).get(self.v)
            if tangent is None:
                return None
            values = {**self.values, seed: np.zeros_like(self.values[self.x])}
            interpret(topo([tangent]), values, self.sizes)
            run = Moving(tangent, seed, values, self.sizes, carries).program()
            run(values[seed])
        except Exception:  # a forward rule that breaks down: the search names it
            return lambda t: np.float64(np.nan)
        return run

    @functools.cached_property
    def direction(self) -> Array:
        """One random direction, along which all elements are compared together."""
        return direction(self.start, self.rng)

    @functools.cached_property
    def _onward(self) -> Callable[[Array], Array] | None:
        """The value in the complex plane, if all texts go on there."""
        run = self.moving.program(lambda u: continued(u).replace("np.float32", "np.float64"))
        try:
            found = np.asarray(run(self.start + 1j * IMAGINARY))
        except TypeError:
            return None
        return run if found.dtype.kind == "c" else None

    def cost(self, nodes: Iterable[Node]) -> int:
        """How many numbers are computed for some nodes."""
        known = shapes.from_sources(self.sizes)
        return sum(
            max(shapes.number(u.op.flops(u), known), int(np.size(self.values[u]))) for u in nodes
        )

    def _exactly(self) -> ExactSlopes | None:
        if self.cost(self.moving.values) > BUDGET // 4:
            return None
        moving = Moving(self.v, self.x, self.values, self.sizes, moves)
        try:
            return ExactSlopes(moving)
        except NotExact:
            return None

    def _formula(self, gradient: Node) -> Array | None:
        order = topo([gradient])
        if self.cost(order) > BUDGET:
            return None
        try:
            return exact_values([gradient], self.values, self.sizes)[0]
        except NotExact:
            return None

    # Element by element

    @property
    def places(self) -> list[tuple[int, ...]]:
        """The elements to compare: all when they are few, else a sample."""
        places = list(np.ndindex(np.shape(self.start)))
        if len(places) <= _FEW:
            return places
        numbers = sum(int(np.size(self.values[u])) for u in self.moving.nodes)
        count = _SAMPLE if numbers <= _DEAR else _FEWER
        chosen = self.rng.choice(len(places), count, replace=False)
        return [places[k] for k in sorted(chosen)]

    def exact_places(self, places: Sequence[tuple[int, ...]]) -> set[tuple[int, ...]]:
        """Those for which there is time to use exact arithmetic."""
        most = 0
        if self.exact is not None:
            most = max(1, BUDGET // (2 * self.cost(self.moving.nodes)))
        return set(places[:: -(-len(places) // most)]) if most and places else set()

    @np.errstate(all="ignore")
    def coordinate(self, index: tuple[int, ...], with_exact: bool) -> Coordinate:
        """The derivative by one element."""
        element = np.asarray(self.start)[index]
        one = np.zeros_like(self.values[self.x])
        one[index] = 1

        def sides(h: float) -> Sides:
            right, left = element + h, element - h
            high, low = (self.run(self.moving.changed(index, to)) for to in (right, left))
            return Sides(float(high), float(low), float(right) - float(left))

        def onward() -> Array:
            to = np.complex128(complex(element, IMAGINARY))
            return self._onward(self.moving.changed(index, to)) if self._onward else None

        exact, formula, kink = None, None, None
        if with_exact and self.exact is not None:
            exact, kink = self._exact_at(index)
            formula = None if self.formula is None else float(self.formula[index])
        pushed = None if self.tangent is None else float(self.tangent(one[()]))
        reverse, blur = float(self.gradient[index]), float(self.blur[index])
        steps = exponents(np.asarray(element))
        # Where steps are small beside the element.
        fine = FIRST + steps.stop - LAST if abs(element) < 1 else steps.start
        pulled = EPS * abs(reverse * float(element)) if np.isfinite(reverse) else 0.0
        numeric = self._numeric(sides, steps, fine, onward, reverse, blur, pulled)
        return Coordinate(
            index, reverse, blur, pushed, exact, formula, *numeric[:3], kink or numeric[3]
        )

    def _exact_at(self, index: tuple[int, ...]) -> tuple[float | None, Jump | None]:
        assert self.exact is not None
        left, right = self.exact.at(index)
        if not (mpmath.isfinite(left) and mpmath.isfinite(right)):
            is_step = not (mpmath.isnan(left) or mpmath.isnan(right))
            return None, Jump(float(left), float(right)) if is_step else None
        with mpmath.workdps(self.exact.digits):
            mean, has_kink = float((left + right) / 2), is_kink(left, right)
        return mean, Jump(float(left), float(right)) if has_kink else None

    def _numeric(
        self, sides: Callable[[float], Sides], steps: range, fine: int,
        onward: Callable[[], Array], claimed: float, blur: float, pulled: float,
    ) -> tuple[float, str, float, Jump | None]:  # fmt: skip
        """Differences, or the complex step where they do not contradict it."""
        noise = max(self.noise, pulled)
        found, error, kink, is_clear = measured(sides, self.base, steps, fine, noise, pulled)
        if not is_clear:
            error = max(error, 2 * abs(claimed))
        if kink is not None and not kink.holds(found, error):
            kink = None
        moved = onward()
        if moved is not None:
            # It rounds as the gradient does, but in double precision.
            own = blur * EPS / float(np.finfo(self.x.dtype).eps)
            value = float(np.imag(moved)) / IMAGINARY
            if abs(value - found) <= error + own < np.inf:
                return value, "complex step", own + 4 * EPS * abs(value) + UNSEEN, kink
        return found, "central differences", error, kink

    @np.errstate(all="ignore")
    def along(self) -> Coordinate:
        """The derivative along the direction."""
        t = self.direction
        shares = np.abs(self.gradient * t)

        def sides(h: float) -> Sides:
            return Sides(float(self.run(self.start + h * t)), float(self.run(self.start - h * t)),
                         2 * h)  # fmt: skip

        def onward() -> Array:
            return self._onward(self.start + 1j * IMAGINARY * t) if self._onward else None

        reverse = float(np.sum(self.gradient * t))
        blur = float(np.sum(self.blur * np.abs(t))) + 16 * EPS * float(np.sum(shares))
        pulled = EPS * float(np.sum(np.abs(self.gradient * self.start)))
        pushed = None
        if self.tangent is not None:
            given = np.asarray(t, self.x.dtype)[()]
            pushed = float(self.tangent(given))
        pulled = pulled if np.isfinite(pulled) else 0.0
        numeric = self._numeric(sides, range(FIRST, LAST), FIRST, onward, reverse, blur, pulled)
        return Coordinate(None, reverse, blur, pushed, None, None, *numeric)

    # The picture of the errors

    @np.errstate(all="ignore")
    def curves(self, best: float) -> tuple[tuple[Curve, ...], float | None]:
        """Errors of differences along the direction at every step, and the Taylor order."""
        t = self.direction
        steps = [2.0**-k for k in range(1, 49, 2)]
        highs = [float(self.run(self.start + h * t)) for h in steps]
        lows = [float(self.run(self.start - h * t)) for h in steps]
        claimed = float(np.sum(self.gradient * t))
        size = abs(best) or 1.0
        sides = list(zip(steps, highs, lows, strict=True))
        forwards = [abs((high - self.base) / h - claimed) / size for h, high, _ in sides]
        centrals = [abs((high - low) / (2 * h) - claimed) / size for h, high, low in sides]
        curves = [
            Curve("forward differences", tuple(steps), tuple(forwards)),
            Curve("central differences", tuple(steps), tuple(centrals)),
        ]
        if self._onward is not None:
            moved = [np.imag(self._onward(self.start + 1j * h * t)) / h for h in steps]
            errors = tuple(abs(float(m) - claimed) / size for m in moved)
            curves.append(Curve("complex step", tuple(steps), errors))
        remainders = [(h, abs(high - self.base - h * claimed)) for h, high, _ in sides]
        return tuple(curves), self._order(remainders)

    def _order(self, remainders: Sequence[tuple[float, float]]) -> float | None:
        """The power of h with which z(x + ht) - z(x) - h<g, t> falls, where rounding is far."""
        clear = [(h, r) for h, r in remainders if 64 * self.noise < r < np.inf]
        # The smallest steps that are clear of rounding tell.
        return _fitted(clear[-4:]) if len(clear) >= 3 else None


def _fitted(points: Sequence[tuple[float, float]]) -> float:
    h, r = (np.log2([p[k] for p in points]) for k in (0, 1))
    return float(np.polyfit(h, r, 1)[0])
