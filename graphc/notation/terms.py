"""Terms: pieces of mathematics, and how tightly each holds together when it is written."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
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
    parts = tuple(filled(part, operands) for part in pattern.parts)
    if pattern.kind == "transpose" and parts[0].kind == "transpose":
        return parts[0].parts[0]  # Xᵀᵀ
    return pattern._replace(parts=parts)


# How tightly signs and kinds hold together; what is in neither table is a product, or an atom.
_SIGNS = {"&": 1, "|": 1, "=": 1, "==": 1, "≠": 1, "<": 1, "≤": 1, ">": 1, "≥": 1, "+": 2, "-": 2}
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


# What has more digits was rounded when it was written, or would be: it is not multiplied.
_MOST_DIGITS = 5


def numbers_first(t: Term) -> Term:
    """A product with its numbers multiplied and in front: `sin(t) * 3 * (2 * s)` is 6 sin(t) s."""
    number, rest = _factored(t)
    written = _number(number)
    if rest is t or written is None:
        return t
    if rest is None:
        return written
    if abs(number) == 1:
        return rest if number == 1 else Term("negative", "-", (rest,))
    return Term("infix", "*", (written, rest))


def _number(number: Fraction) -> Term | None:
    """A decimal where it ends, else a fraction; None where either would be long."""
    decimal = f"{float(number):.{_MOST_DIGITS}g}"
    if Fraction(decimal) == number:
        return Term("number", decimal)
    over, under = str(number.numerator), str(number.denominator)
    if len(over + under) > _MOST_DIGITS:
        return None
    return Term("infix", "/", (Term("number", over), Term("number", under)))


def _factored(t: Term) -> tuple[Fraction, Term | None]:
    """The number that a product holds, and what is left."""
    one = Fraction(1)
    if t.kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?", t.head):
        is_exact = len(re.sub(r"e.*|\D", "", t.head).lstrip("0")) <= _MOST_DIGITS
        return (Fraction(t.head), None) if is_exact else (one, t)
    if t.kind == "negative":
        number, rest = _factored(t.parts[0])
        return -number, rest
    if t.kind != "infix":
        return one, t
    (m, a), (n, b) = map(_factored, t.parts)
    match t.head:
        case "+" if t.parts[0] == t.parts[1]:
            return 2 * m, a
        case "/" if a is b is None and n:
            return m / n, None
        case "*" | "⊙" if a is None or b is None:
            return m * n, a or b
        case "*" | "⊙" | "@" | "·" if m * n != 1 and a is not None and b is not None:
            return m * n, t._replace(parts=(a, b))
    return one, t
