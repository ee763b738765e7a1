"""Which node is to blame: those on the way from some nodes to a value are judged, inputs first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..autodiff.backprop import pruned
from ..evaluate import interpret
from ..ir import Node
from .blame import Finding, blame, disagreement, strays
from .numeric import Moving, moves
from .point import Point
from .progress import watched

# The least movement that shows in float32 too.
_NUDGE = 2.0**-20


class Search:
    """The search for the node to blame: each is judged once for each set that it may be among."""

    def __init__(self, v: Node, here: Point, seed: int) -> None:
        self.v, self.here, self.seed = v, here, seed
        self.found: dict[tuple[Node, frozenset[Node]], Finding | None] = {}

    def find(self, targets: Sequence[Node]) -> dict[str, Finding]:
        """The first finding of each kind on the way from some targets, inputs first."""
        findings: dict[str, Finding] = {}
        path, order = self._path(targets)
        for u in watched(order, "looking for the node"):
            key = (u, frozenset(path & set(u.inputs)))
            if key not in self.found:
                self.found[key] = blame(u, self.here, self.seed, path)
            finding = self.found[key]
            if finding is not None:
                findings.setdefault(finding.kind, finding)
            if "wrong" in findings:
                break
        return findings

    def _path(self, targets: Sequence[Node]) -> tuple[set[Node], list[Node]]:
        """The nodes on the way from some targets, and in order those with a rule to judge."""
        way = pruned(self.v, targets)
        return set(way), [u for u in way if u not in targets and u.inputs]

    def errors(self, targets: Sequence[Node]) -> dict[Node, float]:
        """By how much the rule of each node on the way is off."""
        path, order = self._path(targets)
        return {
            u: disagreement(u, self.here, self.seed, path)
            for u in watched(order, "measuring each node")
        }

    def stray(self, x: Node) -> Finding | None:
        """The first node whose NumPy text is not what its expression says."""
        found = (strays(u, self.here) for u in pruned(self.v, [x])[1:])
        return next((f for f in found if f is not None), None)

    def edge(self, x: Node, place: tuple[int, ...] | None) -> Finding | None:
        """The first node that flips with the least movement of one element: a comparison that
        changes its outcome, or a value that is finite no more."""
        if place is None:
            return None
        moving = Moving(self.v, x, self.here.values, self.here.sizes, moves)
        element = np.asarray(moving.values[x])[place]
        size = abs(element) if element else np.ones_like(element)
        for step in (-_NUDGE * size, _NUDGE * size):
            values = {**moving.resting, x: moving.changed(place, element + step)}
            interpret(moving.nodes, values, self.here.sizes)
            for u in moving.nodes:
                was = self.here.values[u]
                if not u.type.is_float and np.any(values[u] != was):
                    return Finding("kink", u, f"the outcome of {u.op.name} changes here")
                if u.type.is_float and np.any(np.isfinite(was) > np.isfinite(values[u])):
                    return Finding("outside", u, f"{u.op.name} leaves its domain here")
        return None

    def outside(self, x: Node) -> Finding:
        """The first node that is not finite though its operands are."""
        values = self.here.values

        def is_finite(u: Node) -> bool:
            return not u.type.is_float or bool(np.all(np.isfinite(values[u])))

        for u in pruned(self.v, [x]):
            if not is_finite(u) and all(map(is_finite, u.inputs)):
                index = tuple(int(k) for k in np.argwhere(~np.isfinite(values[u]))[0])
                place = f" at {list(index)}" if index else ""
                return Finding("outside", u, f"{u.op.name} is {values[u][index]}{place}")
        return Finding("outside", self.v, f"its value is {values[self.v]}")
