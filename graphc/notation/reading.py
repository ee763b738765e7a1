"""Nodes as terms, read off their records.

An op needs no row here: what its NumPy text spells with operators is written with them, and
anything else is a call by the op's name.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import shapes
from ..ir import FUNCTIONS, Graph, Node, is_number
from ..ops.fast import own_text
from ..ops.slices import index_of_first
from .in_text import number_text, text
from .terms import ELIDED, Term, filled

# Where the NumPy text is not how people write it.
_WRITTEN: dict[str, str | Callable[[Node], str]] = {
    "astype": "x0",
    "broadcast_to": "x0",
    "eigh": "eigh(x0)",
    "einsum": lambda v: _scaling(v) or v.op.text(v),
    "logical_and": "x0 & x1",
    "logical_not": "~x0",
    "logical_or": "x0 | x1",
    "permute_dims": lambda v: "x0.T" if _is_transposition(v) else "permute_dims(x0)",
    "sigmoid": "σ(x0)",
    "square": "x0 ** 2",
    "stop_gradient": "stop_gradient(x0)",
}

_AMONG_ZEROS = ("diagonal_matrix", "place")
# How often a number may be shaped and cast and still be written where it is used.
_MOST_CASTS = 4

_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Mod: "%",
    ast.BitAnd: "&", ast.BitOr: "|",
    ast.Eq: "==", ast.NotEq: "≠", ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥",
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
        case ast.UnaryOp(op=ast.Invert(), operand=inner):
            return Term("not", "~", (_term_of(inner),))
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


# Which operands of a contraction are the sides of an outer product.
_OUTER = {"a,b->ab": "01", "a,b->ba": "10"}


def pattern(v: Node) -> Term:
    """How an op's value is written in terms of its operands."""
    sides = _OUTER.get(v.attrs.get("subscripts", ""), "")
    if sides:
        return Term("call", "outer", tuple(Term("operand", k) for k in sides))
    if v.op.name == "inv":
        return Term("power", "", (Term("operand", "0"), Term("number", "-1")))
    written = _WRITTEN.get(v.op.name, own_text)
    found = _parsed(written if isinstance(written, str) else written(v))
    if found is not None and (found.kind != "operand" or v.op.name in _WRITTEN):
        return _as_tensors(found, v)
    operands = tuple(Term("operand", str(i)) for i in range(len(v.inputs)))
    if "subscripts" in v.attrs:
        return _matmul(v.attrs["subscripts"]) or Term("einsum", v.attrs["subscripts"], operands)
    return Term("call", v.op.name, (*operands, *_options(v)))


def _scaling(v: Node) -> str:
    """A product with a scalar; nothing for other contractions."""
    left, _, out = v.attrs["subscripts"].partition("->")
    return "x0 * x1" if left in (f",{out}", f"{out},") else ""


def _matmul(subscripts: str) -> Term | None:
    """A product with a matrix, or a vector, that is the same for a whole batch: X @ W."""
    left, _, out = subscripts.partition("->")
    a, *others = left.split(",")
    if len(others) != 1 or len(set(a)) < len(a) or not a or not others[0]:
        return None
    (b,) = others
    summed, stays = a[-1], a[:-1]
    found = {
        (summed, stays): Term("operand", "1"),
        (summed + b[-1], stays + b[-1]): Term("operand", "1"),
        (b[0] + summed, stays + b[0]): Term("transpose", "", (Term("operand", "1"),)),
    }
    if (b, out) in found and (len(b) == 1 or len({*b} & {*a}) == 1):
        return Term("infix", "@", (Term("operand", "0"), found[b, out]))
    return None


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
    if v.op.name == "place":
        return (Term("name", f"at=[{index_of_first(v).replace('dim_', '')}]"),)
    axis = _axis(v)
    count = len(axis) if isinstance(axis, tuple) else 1
    is_all = axis is None or count == v.inputs[0].ndim
    return () if is_all else (Term("name", f"axis={axis}"),)


def _axis(v: Node) -> Any:
    """The axis that an operation goes along, or several in a tuple; None where there is none."""
    axis = v.attrs.get("axis")
    return axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis


def axes_of(name: str, nodes: Iterable[Node]) -> list[Term]:
    """The axis that a function of graphc's goes over, of the nodes that a call of it has made.

    What the function does unasked is not told: softmax goes over the last axis.
    """
    reduced = [v for v in nodes if v.op.family != "layout" and "axis" in v.attrs]
    reduced = [v for v in reduced if v.inputs[0].op.name != "reshape"]  # it has other axes
    told = {options: v for v in reduced for options in [(*_options(v),)]}
    if len(told) != 1 or name not in FUNCTIONS:
        return []
    ((options, v),) = told.items()
    usual = inspect.signature(FUNCTIONS[name]).parameters.get("axis")
    is_usual = usual is not None and usual.default == -1 and _axis(v) == v.inputs[0].ndim - 1
    return [] if is_usual else [*options]


def is_written_inside(v: Node) -> bool:
    """A number or a size, however shaped or cast: it is written where it is used."""
    for _ in range(_MOST_CASTS):
        v = _shaped(v)
    return is_number(v) or v.op.name == "size"


def _shaped(v: Node) -> Node:
    """What v holds in another shape or dtype, or v. What is laid among zeros is more than that,
    unless it is taken from there again.
    """
    if len(v.inputs) != 1 or v.op.name in _AMONG_ZEROS:
        return v
    (x,) = v.inputs
    if v.op.name == "getitem" and x.op.name == "place" and v.attrs["index"] == x.attrs["index"]:
        return x.inputs[0]
    return x if v.op.family == "layout" or _WRITTEN.get(v.op.name) == "x0" else v


def leaf_term(v: Node) -> Term:
    """A leaf that has no name."""
    if v.op.name == "constant":
        array = v.attrs["value"].array
        if array.ndim == 0:
            return Term("number", number_text(array.item()))
        if array.size <= 4:
            return Term("number", _array_text(array.tolist()))
        return Term("name", f"{v.dtype.name} {size_text(v)}")
    if v.op.name == "size":
        return _size_term(v.attrs["dim"])
    sides = dict.fromkeys(v.shape)  # eye(3) has two that are one
    return Term("call", v.op.name, tuple(map(_size_term, sides)))


def _array_text(array: Any) -> str:
    if isinstance(array, list):
        return f"[{', '.join(map(_array_text, array))}]"
    return number_text(array)


def _size_term(d: shapes.Dim) -> Term:
    """A size as a formula in the names of its symbols."""
    symbols = shapes.symbols([d])
    places = {str(s): f"x{k}" for k, s in enumerate(symbols)}
    written = re.sub(r"[A-Za-z_]\w*", lambda word: places.get(word[0], word[0]), shapes.show(d))
    found = _parsed(written)
    if found is None:
        return Term("name", shapes.show(d))
    return filled(found, [Term("name", str(s)) for s in symbols])


def size_text(v: Node) -> str:
    """`n×784`, `(n - 1)×2`; nothing for a scalar."""
    sizes = [shapes.show(d) for d in v.shape]
    return "×".join(f"({d})" if v.ndim > 1 and " " in d else d for d in sizes)


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
    own = z.name or (None if z.where is None else z.where.assigned_name)
    if z in names or own is None or any(t.head == own for t in names.values()):
        return Term("partial", "", (reference(z, names), *chain))
    return Term("partial", "", (Term("name", own), *chain))  # the graph need not hold z itself


def term(v: Node, names: Mapping[Node, Term], depth: int) -> Term:
    """What v is, written in named values and at most `depth` operations; "…" is what is deeper."""
    while v.inputs:
        found = pattern(v)
        if v.inputs[0] in names or not (found.kind == "operand" or is_written_inside(v)):
            break
        v = v.inputs[0] if _shaped(v) is v else _shaped(v)
    if not v.inputs:
        return names.get(v) or leaf_term(v)

    def of(x: Node) -> Term:
        if x in names:
            return names[x]
        return term(x, names, depth - 1) if depth > 1 or is_written_inside(x) else ELIDED

    return filled(found, [of(x) for x in v.inputs])


def reference(v: Node, names: Mapping[Node, Term]) -> Term:
    """A short way to speak of a node: its name, its formula, or its op."""
    if v in names:
        return names[v]
    for depth in (2, 1):
        found = term(v, names, depth)
        if len(text(found)) <= 16:
            return found
    written = pattern(v)
    if written.kind in ("call", "einsum", "operand"):
        return Term("call", op_word(v), (ELIDED,))
    return filled(written, [ELIDED] * len(v.inputs))


def op_word(v: Node) -> str:
    """What to call a node's operation in a sentence: `matmul` where it is `X @ w`."""
    if "subscripts" not in v.attrs:
        return v.op.name
    found = pattern(v)
    return "matmul" if found.kind == "infix" and found.head == "@" else "einsum"
