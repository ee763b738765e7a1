"""Structural rules. Each is its equation; `strict=True` marks those that are IEEE for IEEE.

The others keep the promise of `simplify=True`: what was finite stays finite, with an error at most
four times as large plus a few ulp. Floats only where nothing else is said. Where two rules look at
one op, the room that is named first here goes first.
"""

from __future__ import annotations

from ..rewrite import Rule
from . import (
    branches,
    contractions,
    diagonals,
    exponentials,
    factors,
    guards,
    kinks,
    labels,
    layout,
    normal,
    order,
    outer,
    powers,
    quotients,
    reductions,
    shares,
    signs,
    softmax,
    symmetric,
)

_ROOMS = (
    layout, signs, powers, exponentials, normal, quotients, factors, branches, guards, kinks, outer,
    reductions, diagonals, contractions, symmetric, softmax, shares, labels, order,
)  # fmt: skip

RULES: tuple[Rule, ...] = tuple(
    v for room in _ROOMS for v in vars(room).values() if isinstance(v, Rule)
)
STRICT: tuple[Rule, ...] = tuple(r for r in RULES if r.is_strict)
