"""Terms in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .terms import ATOM, Term, indices, level, level_before, runs

_GREEK = """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
""".split()
_ACCENTS = ("hat", "bar", "tilde", "dot", "vec")
_FUNCTIONS = (
    "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min", "det",
)  # fmt: skip
_WORDS = {"σ": r"\sigma", "sum": r"\sum", "prod": r"\prod", "maximum": r"\max", "minimum": r"\min",
          "diagonal_matrix": r"\operatorname{diag}"}  # fmt: skip
_SIGNS = {
    "@": " ", "·": r" \cdot ", "*": r" \, ", "⊙": r" \odot ", "==": " = ", "≠": r" \neq ",
    "&": r" \land ", "|": r" \lor ", "≤": r" \leq ", "≥": r" \geq ", "%": r" \bmod ",
}  # fmt: skip
_ESCAPES = {
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\hat{}", "~": r"\tilde{}",
}  # fmt: skip


def _escaped(word: str) -> str:
    return "".join(_ESCAPES.get(c, c if c.isprintable() else "?") for c in word)


def _name(name: str) -> str:
    """`y_hat` is \\hat{y}, `W1` is W_{1}, `loss` is \\mathrm{loss}."""
    if not re.fullmatch(r"[A-Za-z]+\d*(?:_[A-Za-z0-9]+)*", name):
        return rf"\mathrm{{{_escaped(name)}}}"
    stem, *rest = name.split("_")
    letters, digits = re.fullmatch(r"([A-Za-z]+)(\d*)", stem).groups()  # type: ignore[union-attr]
    written = (
        letters if len(letters) == 1 else
        f"\\{letters}" if letters in _GREEK else rf"\mathrm{{{letters}}}"
    )  # fmt: skip
    while rest and rest[-1] in _ACCENTS:
        written = rf"\{rest.pop()}{{{written}}}"
    words = [r if len(r) == 1 or r.isdigit() else rf"\mathrm{{{r}}}" for r in rest]
    below = ",".join([digits] * bool(digits) + words)
    return f"{written}_{{{below}}}" if below else written


def _number(text: str) -> str:
    """`2e-09` is 2 \\cdot 10^{-9}; the numbers of a list one by one."""
    powers = re.sub(r"e([+-]\d+)", lambda e: rf" \cdot 10^{{{int(e[1])}}}", text)
    return powers.replace("inf", r"\infty").replace("nan", r"\mathrm{nan}")


def term_latex(t: Term, least: int = 0) -> str:
    """A term in LaTeX, for within dollars; in brackets if it holds together less than that."""
    if (t.kind, t.head) == ("call", "outer"):
        t = Term("infix", "@", (t.parts[0], Term("transpose", "", (t.parts[1],))))
    is_fraction = t.kind == "infix" and t.head == "/"
    if level(t) < least and not (is_fraction and least < ATOM):
        return rf"\left({term_latex(t)}\right)"
    parts = t.parts
    match t.kind:
        case "name":
            number = parts[0].head if parts else ""
            return _name(f"{t.head}_{number}" if number else t.head)
        case "number":
            return _number(t.head)
        case "negative":
            return f"-{term_latex(parts[0], level(t) + _begins_with_number(parts[0]))}"
        case "not":
            return rf"\lnot {term_latex(parts[0], ATOM)}"
        case "infix" if is_fraction:
            return rf"\frac{{{term_latex(parts[0])}}}{{{term_latex(parts[1])}}}"
        case "infix":
            own = level(t)
            sign = _SIGNS.get(t.head, f" {t.head} ")
            left = term_latex(parts[0], level_before(t))
            right = term_latex(parts[1], own + (not _is_run(t)))
            if t.head == "@" and r"\mathrm" in left + right:
                sign = r" \, "  # else two words would be one
            if t.head == "+" and right.startswith("-"):
                sign, right = " - ", right[1:]  # no sum is bare there: the minus is of all
            elif t.head == "-" and right.startswith("-"):
                right = rf"\left({right}\right)"
            return f"{left}{sign}{right}"
        case "power":
            by_element = r"\odot " if t.head else ""
            return f"{_base(parts[0])}^{{{by_element}{term_latex(parts[1])}}}"
        case "transpose":
            return rf"{_base(parts[0])}^{{\top}}"
        case "index":
            return rf"{{{term_latex(parts[0], ATOM)}}}_{{[{_escaped(t.head)}]}}"
        case "gradient":
            return rf"\nabla_{{{term_latex(parts[0])}}}"
        case "partial":
            order = f"^{{{len(parts) - 1}}}" if len(parts) > 2 else ""
            below = " ".join(
                rf"\partial {x}" + (f"^{{{n}}}" if n > 1 else "")
                for x, n in runs(term_latex(p, ATOM) for p in parts[1:])
            )
            return rf"\frac{{\partial{order} {term_latex(parts[0], ATOM)}}}{{{below}}}"
        case "einsum":
            terms, summed = indices(t)
            factors = r" \, ".join(
                f"{{{term_latex(p, ATOM)}}}_{{{i}}}" if i else term_latex(p, ATOM)
                for p, i in zip(parts, terms, strict=True)
            )
            return rf"\sum_{{{summed}}} {factors}" if summed else factors
        case "call":
            return _call(t)
    return r"\dots"


def _is_run(t: Term) -> bool:
    """Whether a number stands before a product, with which it is one: 2 a b, 2 A x."""
    return t.head == "*" and t.parts[0].kind == "number" and not _begins_with_number(t.parts[1])


def _begins_with_number(t: Term) -> bool:
    while t.kind == "infix" and t.head != "/":
        t = t.parts[0]
    return t.kind in ("number", "negative")


def aligned(rows: Iterable[str]) -> str:
    """Equations below each other, aligned where they have an `&`."""
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


# What has a superscript already, and what would be read as ending before one.
_UNRAISED = ("transpose", "gradient")
_UNRAISED_CALLS = ("exp", "where", "sum", "prod")


def _base(t: Term) -> str:
    """What a superscript is put on."""
    is_open = t.kind in _UNRAISED or (t.kind == "call" and t.head in _UNRAISED_CALLS)
    return rf"\left({term_latex(t)}\right)" if is_open else term_latex(t, ATOM)


# What stands below the word of a call.
_OPTIONS = ("axis=", "at=")


def _call(t: Term) -> str:
    options = [p.head.partition("=")[2] for p in t.parts if p.head.startswith(_OPTIONS)]
    parts = [term_latex(p) for p in t.parts if not p.head.startswith(_OPTIONS)]
    match t.head, parts:
        case "sqrt", [x]:
            return rf"\sqrt{{{x}}}"
        case "abs", [x]:
            return rf"\left|{x}\right|"
        case "exp", [x] if len(x) < 40:
            return f"e^{{{x}}}"
        case "where", [c, a, b]:
            return rf"\begin{{cases}} {a} & {c} \\ {b} & \text{{otherwise}} \end{{cases}}"
    word = _WORDS.get(t.head) or (
        f"\\{t.head}" if t.head in _FUNCTIONS else rf"\operatorname{{{_escaped(t.head)}}}"
    )
    below = f"_{{{_escaped(options[0])}}}" if options else ""
    return rf"{word}{below}\left({', '.join(parts)}\right)"
