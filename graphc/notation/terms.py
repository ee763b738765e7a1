"""Terms: pieces of mathematics, and how tightly each holds together when it is written."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Term(NamedTuple):
    """A piece of mathematics: its kind, its sign or word, and its parts.

    The kinds are name (its part is a number that tells it from others of that name), number, call,
    infix, negative, not, power, transpose, index, einsum, gradient (by its part), partial (of its
    first part by the others, the last taken first), operand (of a pattern, by position) and elided.
    """

    kind: str
    head: str
    parts: tuple[Term, ...] = ()


ELIDED = Term("elided", "…")


def filled(pattern: Term, operands: Sequence[Term]) -> Term:
    """A pattern with terms for its operands."""
    if pattern.kind == "operand":
        return operands[int(pattern.head)]
    return pattern._replace(parts=tuple(filled(part, operands) for part in pattern.parts))


# How tightly signs and kinds hold together; what is in neither table is a product, or an atom.
_SIGNS = {"&": 1, "|": 1, "=": 1, "≠": 1, "<": 1, "≤": 1, ">": 1, "≥": 1, "+": 2, "-": 2}
_PRODUCT = 3
_KINDS = {"negative": _PRODUCT, "not": _PRODUCT, "einsum": _PRODUCT, "power": 5, "partial": 5}
ATOM = 6


def level(t: Term) -> int:
    """How tightly a term holds together."""
    if t.kind == "number" and t.head.startswith("-"):
        return _PRODUCT
    return _SIGNS.get(t.head, _PRODUCT) if t.kind == "infix" else _KINDS.get(t.kind, ATOM)


def level_before(t: Term) -> int:
    """How tightly the left side of a sign must hold together; nobody reads a * b @ C well.

    Comparisons that are joined have brackets, as Python needs them.
    """
    left = t.parts[0]
    if t.head in ("&", "|"):
        return level(t) + (left.head != t.head)
    is_product = t.head in ("@", "·")
    return level(t) + (is_product and left.kind == "infix" and left.head != "@")


def runs(texts: Iterable[str]) -> Iterable[tuple[str, int]]:
    """Each text once, with how often it follows itself."""
    return ((x, len(list(run))) for x, run in itertools.groupby(texts))


def indices(t: Term) -> tuple[list[str], str]:
    """The letters of each operand of an einsum, and those that are summed over."""
    left, _, out = t.head.partition("->")
    terms = left.split(",")
    letters = dict.fromkeys("".join(terms))
    # i, j, k, ... as people index, in order of appearance.
    renamed = dict(zip(letters, "ijklmnopqrstuvwabcdefgh", strict=False))
    summed = "".join(renamed.get(c, c) for c in letters if c not in out)
    return ["".join(renamed.get(c, c) for c in term) for term in terms], summed
