"""How values are written: terms read off the records, and their two faces, plain text and LaTeX.

An op needs no row here: what its NumPy text spells with operators is written with them, and
anything else is a call by the op's name.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from . import forms, shapes
from .errors import ArgumentError
from .ir import Graph, Node

# Where the NumPy text is not how people write it.
_WRITTEN: dict[str, str | Callable[[Node], str]] = {
    "astype": "x0",
    "broadcast_to": "x0",
    "permute_dims": lambda v: "x0.T" if _is_transposition(v) else "permute_dims(x0)",
    "sigmoid": "σ(x0)",
    "square": "x0 ** 2",
    "stop_gradient": "stop_gradient(x0)",
}


# How often a number may be shaped and cast and still be written where it is used.
_MOST_CASTS = 4


class Term(NamedTuple):
    """A piece of mathematics: its kind, its sign or word, and its parts.

    The kinds are name (its part is a number that tells it from others of that name), number, call,
    infix, negative, power, transpose, index, einsum, gradient (by its part), partial (of its first
    part by the others, the last taken first), operand (of a pattern, by position) and elided.
    """

    kind: str
    head: str
    parts: tuple[Term, ...] = ()


ELIDED = Term("elided", "…")


# -- from records to terms --------------------------------------------------------------------

_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Mod: "%",
    ast.Eq: "=", ast.NotEq: "≠", ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥",
}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Term | None:
    """A text of operators, words and operands x0, x1, ... as a term; None for what is more."""
    try:
        return _term_of(ast.parse(text, mode="eval").body)
    except (NotImplementedError, SyntaxError):
        return None


def _term_of(e: ast.expr) -> Term:
    match e:
        case ast.Name() if _is_operand(e):
            return Term("operand", e.id[1:])
        case ast.Constant(value=int() | float() as number):
            return Term("number", number_text(number))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return Term("negative", "-", (_term_of(inner),))
        case ast.BinOp(op=ast.Pow(), left=base, right=exponent):
            return Term("power", "", (_term_of(base), _term_of(exponent)))
        case ast.BinOp(op=sign, left=left, right=right) if type(sign) in _SIGNS:
            return Term("infix", _SIGNS[type(sign)], (_term_of(left), _term_of(right)))
        case ast.Compare(left=left, ops=[sign], comparators=[right]):
            return Term("infix", _SIGNS[type(sign)], (_term_of(left), _term_of(right)))
        case ast.Call(func=ast.Attribute(value=left, attr="dot"), args=[right], keywords=[]):
            return Term("infix", "@", (_term_of(left), _term_of(right)))
        case ast.Attribute(value=inner, attr="T"):
            return Term("transpose", "", (_term_of(inner),))
        case ast.Subscript(value=inner, slice=index) if not any(map(_is_operand, ast.walk(index))):
            where = ast.unparse(index).replace("dim_", "")
            where = where[1:-1] if isinstance(index, ast.Tuple) and where[0] == "(" else where
            return Term("index", where, (_term_of(inner),))
        case ast.Call(func=ast.Name(id=word), args=arguments, keywords=[]):
            return Term("call", word, tuple(map(_term_of, arguments)))
    raise NotImplementedError


def _is_operand(e: ast.AST) -> bool:
    return isinstance(e, ast.Name) and re.fullmatch(r"x\d+", e.id) is not None


def number_text(number: bool | int | float) -> str:
    """A number as people write it: 2 for 2.0, at most six digits."""
    if isinstance(number, bool) or isinstance(number, int):
        return str(number)
    return f"{number:.6g}"


def _pattern(v: Node) -> Term:
    """How an op's value is written in terms of its operands."""
    written = _WRITTEN.get(v.op.name, v.op.text)
    found = _parsed(written if isinstance(written, str) else written(v))
    if found is not None and (found.kind != "operand" or v.op.name in _WRITTEN):
        return _as_tensors(found, v)
    operands = tuple(Term("operand", str(i)) for i in range(len(v.inputs)))
    if "subscripts" in v.attrs:
        return Term("einsum", v.attrs["subscripts"], operands)
    return Term("call", v.op.name, (*operands, *_options(v)))


def _as_tensors(t: Term, v: Node) -> Term:
    """A sign that LaTeX writes in another way between tensors: ⊙, a power by elements, a dot."""
    dims = [x.ndim for x in v.inputs]
    if (t.kind, t.head) == ("infix", "*") and all(dims):
        return t._replace(head="⊙")
    if (t.kind, t.head) == ("infix", "@") and dims == [1, 1]:
        return t._replace(head="·")
    if t.kind == "power" and dims[0] >= 2:
        return t._replace(head="⊙")
    return t


def _is_transposition(v: Node) -> bool:
    """Whether a permutation swaps the last two axes, as `mT` does."""
    *lead, a, b = v.attrs["axes"]
    return (*lead, b, a) == tuple(range(v.ndim))


def _options(v: Node) -> Iterable[Term]:
    axis = v.attrs.get("axis")
    if axis is None or (isinstance(axis, tuple) and len(axis) == v.inputs[0].ndim):
        return ()
    where = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    return (Term("name", f"axis={where}"),)


def is_written_inside(v: Node) -> bool:
    """A number or a size, however shaped or cast: it is written where it is used."""
    for _ in range(_MOST_CASTS):
        if len(v.inputs) == 1 and (v.op.family == "layout" or _WRITTEN.get(v.op.name) == "x0"):
            v = v.inputs[0]
    return (v.op.name == "constant" and v.ndim == 0) or v.op.name == "size"


def leaf_term(v: Node) -> Term:
    """A leaf that has no name."""
    if v.op.name == "constant":
        array = v.attrs["value"].array
        if array.ndim == 0:
            return Term("number", number_text(array.item()))
        if array.size <= 4:
            return Term("number", str(array.tolist()))
        return Term("name", f"{v.dtype.name} {size_text(v)}")
    if v.op.name == "size":
        return _size_term(v.attrs["dim"])
    return Term("call", v.op.name)


def _size_term(d: shapes.Dim) -> Term:
    """A size as a formula in the names of its symbols."""
    symbols = shapes.symbols([d])
    places = {str(s): f"x{k}" for k, s in enumerate(symbols)}
    written = re.sub(r"[A-Za-z_]\w*", lambda word: places.get(word[0], word[0]), shapes.show(d))
    pattern = _parsed(written)
    if pattern is None:
        return Term("name", shapes.show(d))
    return _filled(pattern, [Term("name", str(s)) for s in symbols])


def size_text(v: Node) -> str:
    """`n×784`; nothing for a scalar."""
    return "×".join(shapes.show(d) for d in v.shape)


def names_of(graph: Graph) -> dict[Node, Term]:
    """The names by which terms refer to nodes: the user's, and ∇v or ∂z/∂v for gradients by v.

    A name given to several values is numbered, as in programs: h, h₁, h₂.
    """
    names: dict[Node, Term] = {}
    has_one = has_one_gradient(graph)
    used: Counter[str] = Counter()
    for v, name in graph.names.items():
        if v.adjoint_of is None or v.name:
            number = (Term("number", str(used[name])),) * bool(used[name])
            used[name] += 1
            names[v] = Term("name", name, number)
        elif not is_written_inside(v):  # not a number that happens to be a gradient
            names[v] = gradient_term(v.differentiated, v.adjoint_of, names, has_one)
    return names


def has_one_gradient(graph: Graph, z: Node | None = None, table: Mapping[Node, Node] = {}) -> bool:
    """Whether ∇v says enough: no two gradients by one v, and none of a gradient.

    The `table` holds the gradients of z by nodes of the graph, where they are known.
    """
    own = {g: g.adjoint_of for g in graph.nodes if g.adjoint_of is not None and g.inputs}
    by = own | {g: v for v, g in table.items() if g.origin is not None and g.inputs}
    of = {g.differentiated for g in own} | {z}
    return len(set(by.values())) == len(by) and all(s is None or s.adjoint_of is None for s in of)


def gradient_term(
    z: Node | None, v: Node, names: Mapping[Node, Term], has_one: bool = True
) -> Term:
    """The gradient of z by v: ∇v where there is one gradient only, else ∂z/∂v, ∂²z/∂u∂v..."""
    by = reference(v, names)
    if z is None or has_one:
        return Term("gradient", "", (by,))
    chain = [by]
    while z.adjoint_of is not None and z.differentiated is not None:
        chain.append(reference(z.adjoint_of, names))
        z = z.differentiated
    return Term("partial", "", (reference(z, names), *chain))


def term(v: Node, names: Mapping[Node, Term], depth: int) -> Term:
    """What v is, written in named values and at most `depth` operations; "…" is what is deeper."""
    while v.inputs:
        found = _pattern(v)
        if v.inputs[0] in names or not (found.kind == "operand" or is_written_inside(v)):
            break
        v = v.inputs[0]
    if not v.inputs:
        return names.get(v) or leaf_term(v)

    def of(x: Node) -> Term:
        if x in names:
            return names[x]
        return term(x, names, depth - 1) if depth > 1 or is_written_inside(x) else ELIDED

    return _filled(found, [of(x) for x in v.inputs])


def _filled(pattern: Term, operands: Sequence[Term]) -> Term:
    """A pattern with terms for its operands."""
    if pattern.kind == "operand":
        return operands[int(pattern.head)]
    return pattern._replace(parts=tuple(_filled(part, operands) for part in pattern.parts))


# -- plain text -------------------------------------------------------------------------------

_LEVELS = {"=": 1, "≠": 1, "<": 1, "≤": 1, ">": 1, "≥": 1, "+": 2, "-": 2}
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_ATOM = 6


def _level(t: Term) -> int:
    """How tightly a term holds together."""
    if t.kind == "number" and t.head.startswith("-"):
        return 3
    by_kind = {"negative": 3, "einsum": 3, "power": 5, "partial": 5}
    return _LEVELS.get(t.head, 3) if t.kind == "infix" else by_kind.get(t.kind, _ATOM)


def _level_before(t: Term) -> int:
    """How tightly the left side of a sign must hold together; nobody reads a * b @ C well."""
    left = t.parts[0]
    is_product = t.head in ("@", "·")
    return _level(t) + (is_product and left.kind == "infix" and left.head != "@")


def text(t: Term, level: int = 0) -> str:
    """A term in one line of Unicode.

    >>> import graphc as gc
    >>> X, w = gc.input("X", ("n", "d")), gc.input("w", ("d",))
    >>> text(term(gc.sigmoid(X @ w) ** 2 - 1, names_of(gc.Graph([X, w])), 9))
    'σ(X @ w)² − 1'
    """
    if _level(t) < level:
        return f"({text(t)})"
    parts = t.parts
    match t.kind:
        case "negative":
            return f"−{text(parts[0], 4)}"
        case "infix":
            sign = {"⊙": "*", "·": "@", "-": "−"}.get(t.head, t.head)
            own = _level(t)
            return f"{text(parts[0], _level_before(t))} {sign} {text(parts[1], own + 1)}"
        case "power":
            exponent = text(parts[1])
            if parts[1].kind == "number" and re.fullmatch(r"-?\d+", exponent):
                return text(parts[0], _ATOM) + exponent.translate(_SUPERSCRIPTS)
            return f"{text(parts[0], _ATOM)}^{text(parts[1], _ATOM)}"
        case "transpose":
            return f"{text(parts[0], _ATOM)}ᵀ"
        case "index":
            return f"{text(parts[0], _ATOM)}[{t.head}]"
        case "gradient":
            return f"∇{text(parts[0], _ATOM)}"
        case "partial":
            below = _runs(text(p, _ATOM) for p in parts[1:])
            by = "".join(f"∂{x}{_raised(n)}" for x, n in below)
            return f"∂{_raised(len(parts) - 1)}{text(parts[0], _ATOM)}/{by}"
        case "name" if parts:
            return t.head + parts[0].head.translate(_SUBSCRIPTS)
        case "einsum":
            terms, summed = _indices(t)
            factors = " ".join(f"{text(p, _ATOM)}[{i}]" for p, i in zip(parts, terms, strict=True))
            return f"Σ{summed} {factors}" if summed else factors
        case "call":
            return f"{t.head}({', '.join(map(text, parts))})"
    return t.head.replace("-", "−", 1) if t.kind == "number" else t.head


def _raised(n: int) -> str:
    return str(n).translate(_SUPERSCRIPTS) if n > 1 else ""


def _runs(texts: Iterable[str]) -> Iterable[tuple[str, int]]:
    """Each text once, with how often it follows itself."""
    return ((x, len(list(run))) for x, run in itertools.groupby(texts))


def _indices(t: Term) -> tuple[list[str], str]:
    """The letters of each operand of an einsum, and those that are summed over."""
    left, _, out = t.head.partition("->")
    terms = left.split(",")
    letters = dict.fromkeys("".join(terms))
    # i, j, k, ... as people index, in order of appearance.
    renamed = dict(zip(letters, "ijklmnopqrstuvwabcdefgh", strict=False))
    summed = "".join(renamed.get(c, c) for c in letters if c not in out)
    return ["".join(renamed.get(c, c) for c in term) for term in terms], summed


def reference(v: Node, names: Mapping[Node, Term]) -> Term:
    """A short way to speak of a node: its name, its formula, or its op."""
    if v in names:
        return names[v]
    for depth in (2, 1):
        found = term(v, names, depth)
        if len(text(found)) <= 16:
            return found
    pattern = _pattern(v)
    is_sign = pattern.kind not in ("call", "einsum", "operand")
    return _filled(pattern, [ELIDED] * len(v.inputs)) if is_sign else Term(
        "call", op_word(v), (ELIDED,)
    )


def op_word(v: Node) -> str:
    """What to call a node's operation in a sentence: `matmul` where it is `X @ w`."""
    if "subscripts" not in v.attrs:
        return v.op.name
    found = _pattern(v)
    return "matmul" if found.kind == "infix" and found.head == "@" else "einsum"


# -- LaTeX ------------------------------------------------------------------------------------

_GREEK = """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau
    upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
""".split()
_ACCENTS = ("hat", "bar", "tilde", "dot", "vec")
_FUNCTIONS = (
    "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min",
)  # fmt: skip
_WORDS = {"σ": r"\sigma", "sum": r"\sum", "prod": r"\prod", "maximum": r"\max", "minimum": r"\min"}
_LATEX_SIGNS = {
    "@": " ", "·": r" \cdot ", "*": r" \, ", "⊙": r" \odot ", "=": " = ", "≠": r" \neq ",
    "≤": r" \leq ", "≥": r" \geq ", "%": r" \bmod ",
}  # fmt: skip
_ESCAPES = {
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\hat{}", "~": r"\tilde{}",
}  # fmt: skip


def _escaped(word: str) -> str:
    return "".join(_ESCAPES.get(c, c if c.isprintable() else "?") for c in word)


def _latex_name(name: str) -> str:
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


def _latex_number(text: str) -> str:
    """`2e-09` is 2 \\cdot 10^{-9}; the numbers of a list one by one."""
    powers = re.sub(r"e([+-]\d+)", lambda e: rf" \cdot 10^{{{int(e[1])}}}", text)
    return powers.replace("inf", r"\infty").replace("nan", r"\mathrm{nan}")


def term_latex(t: Term) -> str:
    """A term in LaTeX, for within dollars."""
    return _latex(t)


def _latex(t: Term, level: int = 0) -> str:
    is_fraction = t.kind == "infix" and t.head == "/"
    if _level(t) < level and not (is_fraction and level < _ATOM):
        return rf"\left({_latex(t)}\right)"
    parts = t.parts
    match t.kind:
        case "name":
            number = parts[0].head if parts else ""
            return _latex_name(f"{t.head}_{number}" if number else t.head)
        case "number":
            return _latex_number(t.head)
        case "negative":
            return f"-{_latex(parts[0], 4)}"
        case "infix" if is_fraction:
            return rf"\frac{{{_latex(parts[0])}}}{{{_latex(parts[1])}}}"
        case "infix":
            own = _level(t)
            sign = _LATEX_SIGNS.get(t.head, f" {t.head} ")
            return f"{_latex(parts[0], _level_before(t))}{sign}{_latex(parts[1], own + 1)}"
        case "power":
            by_element = r"\odot " if t.head else ""
            return f"{_base(parts[0])}^{{{by_element}{_latex(parts[1])}}}"
        case "transpose":
            return rf"{_base(parts[0])}^{{\top}}"
        case "index":
            return rf"{{{_latex(parts[0], _ATOM)}}}_{{[{_escaped(t.head)}]}}"
        case "gradient":
            return rf"\nabla_{{{_latex(parts[0])}}}"
        case "partial":
            order = f"^{{{len(parts) - 1}}}" if len(parts) > 2 else ""
            below = " ".join(
                rf"\partial {x}" + (f"^{{{n}}}" if n > 1 else "")
                for x, n in _runs(_latex(p, _ATOM) for p in parts[1:])
            )
            return rf"\frac{{\partial{order} {_latex(parts[0], _ATOM)}}}{{{below}}}"
        case "einsum":
            terms, summed = _indices(t)
            factors = r" \, ".join(
                f"{{{_latex(p, _ATOM)}}}_{{{i}}}" if i else _latex(p, _ATOM)
                for p, i in zip(parts, terms, strict=True)
            )
            return rf"\sum_{{{summed}}} {factors}" if summed else factors
        case "call":
            return _latex_call(t)
    return r"\dots"


# What has a superscript already, and what would be read as ending before one.
_UNRAISED = ("transpose", "gradient")
_UNRAISED_CALLS = ("exp", "where", "sum", "prod")


def _base(t: Term) -> str:
    """What a superscript is put on."""
    is_open = t.kind in _UNRAISED or (t.kind == "call" and t.head in _UNRAISED_CALLS)
    return rf"\left({_latex(t)}\right)" if is_open else _latex(t, _ATOM)


def _latex_call(t: Term) -> str:
    options = [p.head.removeprefix("axis=") for p in t.parts if p.head.startswith("axis=")]
    parts = [_latex(p) for p in t.parts if not p.head.startswith("axis=")]
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


# An unnamed value deeper than this in an equation gets a name and an equation of its own.
_DEEPEST = 10
_MOST_EQUATIONS = 60


def latex(node: Any) -> str:
    """Tensor mathematics that stops at named intermediates; several nodes make several equations.

    Matrix calculus is written without indices, other contractions as sums over indices. Unnamed
    values that are used twice, or that lie deep, are called u_1, u_2, ... and defined below.

    >>> import graphc as gc
    >>> W, x = gc.input("W", (3, "d")), gc.input("x", ("d",))
    >>> y_hat = gc.sigmoid(W @ x + gc.input("b", (3,)))
    >>> print(gc.latex(y_hat))
    \\hat{y} = \\sigma\\left(W x + b\\right)
    """
    asked = forms.leaves(node)
    for v in asked:
        if not isinstance(v, Node):
            raise ArgumentError(f"latex takes nodes, and {v!r} is a {type(v).__name__}")
    graph = Graph(asked)
    equations = _Equations(names_of(graph)).of(asked)
    is_one = len(equations) == 1
    equals = " = " if is_one else " &= "
    lines = [f"{_latex(name)}{equals}{_latex(value)}" if name else _latex(value)
             for name, value in equations[:_MOST_EQUATIONS]]  # fmt: skip
    if is_one:
        return lines[0]
    if len(equations) > _MOST_EQUATIONS:
        lines.append(r"\vdots")
    rows = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"


class _Equations:
    """Equations for some nodes and for the auxiliaries that they need, without recursion."""

    def __init__(self, names: dict[Node, Term]) -> None:
        self.names = names

    def of(self, asked: Sequence[Node]) -> list[tuple[Term | None, Term]]:
        found: dict[Node, tuple[Term | None, Term]] = {}
        order = self._unnamed(asked)
        uses: dict[Node, int] = {}
        for v in order:
            for x in v.inputs:
                uses[x] = uses.get(x, 0) + 1
        terms: dict[Node, Term] = {}
        depth: dict[Node, int] = {}
        auxiliaries = 0
        for v in order:
            given = [terms.get(x) or self.names.get(x) or leaf_term(x) for x in v.inputs]
            value = _filled(_pattern(v), given) if v.inputs else leaf_term(v)
            depth[v] = 1 + max((depth.get(x, 0) for x in v.inputs), default=0)
            is_shared = uses.get(v, 0) > 1 and depth[v] > 1 and not is_written_inside(v)
            if v not in self.names and (is_shared or depth[v] > _DEEPEST):
                auxiliaries += 1
                self.names[v] = Term("name", f"u_{auxiliaries}")
                found[v] = self.names[v], value
            elif v in asked:
                found[v] = self.names.get(v), value
            if v in self.names:
                depth[v] = 0
            terms[v] = self.names.get(v, value)
        for v in asked:
            found.setdefault(v, (None, self.names.get(v) or leaf_term(v)))
        first = [found.pop(v) for v in dict.fromkeys(asked)]
        return first + list(found.values())[::-1]

    def _unnamed(self, asked: Sequence[Node]) -> list[Node]:
        """The nodes asked for and the unnamed ones that they are written in, inputs first."""
        order: dict[Node, None] = {}
        opened: set[Node] = set()
        stack = list(reversed(asked))
        while stack:
            v = stack.pop()
            if v in order or not v.inputs:
                continue
            if v in opened:
                order[v] = None
                continue
            opened.add(v)
            stack.append(v)
            stack.extend(x for x in reversed(v.inputs) if x not in self.names or x in asked)
        return list(order)
