"""Terms in one line of Unicode."""

from __future__ import annotations

import re

from .terms import ATOM, Term, indices, level, level_before, runs

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def number_text(number: bool | int | float) -> str:
    """A number as people write it: 2 for 2.0, at most six digits."""
    return str(number) if isinstance(number, int) else f"{number:.6g}"


def text(t: Term, least: int = 0) -> str:
    """A term in one line of Unicode; in brackets if it holds together less than that.

    >>> import graphc as gc
    >>> from graphc.notation import names_of, term
    >>> X, w = gc.input("X", ("n", "d")), gc.input("w", ("d",))
    >>> text(term(gc.sigmoid(X @ w) ** 2 - 1, names_of(gc.Graph([X, w])), 9))
    'σ(X @ w)² − 1'
    """
    if level(t) < least:
        return f"({text(t)})"
    parts = t.parts
    match t.kind:
        case "negative":
            return f"−{text(parts[0], 4)}"
        case "not":
            return f"¬{text(parts[0], ATOM)}"
        case "infix":
            sign = {"⊙": "*", "·": "@", "-": "−"}.get(t.head, t.head)
            own = level(t)
            right = text(parts[1], own + 1)
            if sign == "+" and right.startswith("−"):
                sign, right = "−", right[1:]  # no sum is bare there: the minus is of all
            elif sign == "−" and right.startswith("−"):
                right = f"({right})"
            return f"{text(parts[0], level_before(t))} {sign} {right}"
        case "power":
            base, exponent = text(parts[0], ATOM), parts[1]
            if exponent.kind == "number" and re.fullmatch(r"-?\d+", exponent.head):
                return base + exponent.head.translate(_SUPERSCRIPTS)
            return f"{base}^{text(exponent, ATOM)}"
        case "transpose":
            return f"{text(parts[0], ATOM)}ᵀ"
        case "index":
            return f"{text(parts[0], ATOM)}[{t.head}]"
        case "gradient":
            # What follows ∇v is of the gradient: (∇v)ᵀ is ∇vᵀ, and of vᵀ it is ∇(vᵀ).
            is_followed = parts[0].kind in ("transpose", "index")
            return f"∇{text(parts[0], ATOM + is_followed)}"
        case "partial":
            below = runs(text(p, ATOM) for p in parts[1:])
            by = "".join(f"∂{x}{_raised(n)}" for x, n in below)
            return f"∂{_raised(len(parts) - 1)}{text(parts[0], ATOM)}/{by}"
        case "name" if parts:
            return t.head + parts[0].head.translate(_SUBSCRIPTS)
        case "einsum":
            terms, summed = indices(t)
            factors = " ".join(f"{text(p, ATOM)}[{i}]" for p, i in zip(parts, terms, strict=True))
            return f"Σ{summed} {factors}" if summed else factors
        case "call":
            return f"{t.head}({', '.join(map(text, parts))})"
    if t.kind == "number":
        return t.head.replace("-", "−", -1 if t.head.startswith("[") else 1)
    return t.head


def _raised(n: int) -> str:
    return str(n).translate(_SUPERSCRIPTS) if n > 1 else ""
