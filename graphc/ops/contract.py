"""Contraction. Every product of tensors (matmul, dot, outer, trace) is one op: einsum."""

from __future__ import annotations

import functools
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import shapes
from ..errors import ArgumentError, ShapeError
from ..ir import Node, Op, example, lift, spelling
from ..shapes import Dim, as_axis
from ..tensor_type import TensorType
from ..wording import counted
from . import blas
from .elementwise import astype, greater, multiply
from .from_formula import onto
from .layout import broadcast_to, on_diagonals, permute_dims
from .letters import letters_of, sizes_of, terms_of
from .slices import expand_dims, squeeze


@functools.lru_cache(maxsize=1024)
def _type(*types: TensorType, subscripts: str) -> TensorType:
    terms, out = terms_of(subscripts)
    sizes = sizes_of(terms, types)
    return TensorType(tuple(sizes[c] for c in out), np.result_type(*(t.dtype for t in types)))


def _flops(node: Node) -> Dim:
    """A multiplication and an addition for every combination of the letters."""
    terms, _ = letters_of(node)
    every = shapes.size(tuple(sizes_of(terms, [v.type for v in node.inputs]).values()))
    return len(terms) * every


def _bprop(node: Node, i: int, g: Node) -> Node:
    """The same letters, with the result's gradient in place of operand i."""
    terms, out = letters_of(node)
    operand = node.inputs[i]
    sizes = sizes_of(terms, [v.type for v in node.inputs])
    others = [(t, v) for k, (t, v) in enumerate(zip(terms, node.inputs, strict=True)) if k != i]
    present = set(out).union(*(t for t, _ in others))
    wanted = "".join(dict.fromkeys(terms[i]))  # a repeated letter is a diagonal: once, then spread
    reachable = "".join(c for c in wanted if c in present)
    given = [(out, g), *others]
    made = contract(",".join(t for t, _ in given) + "->" + reachable, [v for _, v in given])
    for k, c in enumerate(wanted):  # letters that were summed in operand i alone
        if c not in present:
            made = expand_dims(made, k)
    made = broadcast_to(made, tuple(sizes[c] for c in wanted))
    return onto(on_diagonals(made, wanted, terms[i]), operand)


def _guard(node: Node, condition: Node, is_urgent: bool) -> Node | None:
    """The condition of operand 0, for any element that is summed.

    Where the condition varies along a summed axis, that is work, and in an ordinary network nearly
    every sum has some element that was taken: then only what is urgent gets a guard.
    """
    terms, out = letters_of(node)
    while condition.op.name == "broadcast_to":
        condition = condition.inputs[0]
    letters = terms[0][len(terms[0]) - condition.ndim :]
    kept = "".join(c for c, d in zip(letters, condition.shape, strict=True) if d != 1)
    single = tuple(k for k, d in enumerate(condition.shape) if d == 1)
    condition = squeeze(condition, single) if single else condition
    wanted = "".join(c for c in out if c in kept)
    if wanted != kept:
        if not is_urgent and len(wanted) < len(kept):
            return None
        condition = greater(contract(f"{kept}->{wanted}", [astype(condition, np.int64)]), 0)
    for k, c in enumerate(out):
        if c not in kept:
            condition = expand_dims(condition, k)
    return broadcast_to(condition, node.shape)


def contract(subscripts: str, operands: Sequence[Node]) -> Node:
    """einsum on canonical letters; what is no product at all is spelled as a transpose."""
    terms, out = terms_of(subscripts)
    if len(terms) == 1 and len(set(terms[0])) == len(terms[0]) and sorted(terms[0]) == sorted(out):
        return permute_dims(operands[0], tuple(terms[0].index(c) for c in out))
    return _einsum(*operands, subscripts=_canonical(subscripts))


@functools.lru_cache(maxsize=1024)
def _canonical(subscripts: str) -> str:
    """The same subscripts in the first letters of the alphabet."""
    letters = dict.fromkeys(filter(str.isalpha, subscripts))
    names = dict(zip(letters, string.ascii_letters, strict=False))
    return "".join(names.get(c, c) for c in subscripts)


_einsum = Op(
    "einsum",
    infer=_type,
    numpy=blas.text_of,
    into=blas.text_into,
    fold="np.add",
    part=blas.text_of_part,
    bprop=_bprop,
    guard=(0, _guard),
    flops=_flops,
    family="contract",
    complex_step=blas.einsum_text,  # np.vdot conjugates
    examples=(
        example([2, 3], [3, 4], subscripts="ab,bc->ac"),
        example([3, 2], [4, 3], subscripts="ab,ca->bc"),
        example([3, 2], [4, 3], subscripts="ab,ca->cb"),
        example([3, 2], [3, 4], subscripts="ab,ac->bc"),
        example([2, 3], [4, 3], subscripts="ab,cb->ac"),
        example(["n", 3], [3], subscripts="ab,b->a"),
        example([3], [3, 2], subscripts="a,ab->b"),
        example([3], [2, 3], subscripts="a,ba->b"),
        example([3], [3], subscripts="a,a->"),
        example([2, 3], [2, 3], subscripts="ab,ab->"),
        example([2], [3], subscripts="a,b->ab"),
        example([2], [3], subscripts="a,b->ba"),
        example([2], [3, 2], subscripts="a,bc->abc"),
        example([3, 3], subscripts="aa->"),
        example([3, 3], subscripts="aa->a"),
        example([2, 3, 4], subscripts="abc->b"),
        example([2, 3, 4], [2, 4, 2], subscripts="abc,acd->abd"),
        example([2, 3, 4], [2, 2, 4], subscripts="abc,adc->abd"),
        example([2, 3, 4], [4, 2], subscripts="abc,cd->abd"),
        example([2, 3, 4], [3, 4, 2], subscripts="abc,bcd->da"),
        example([2, 3], [3], subscripts="ab,b->ab"),
        example([2, 3], [2], [3], subscripts="ab,a,b->"),
        example([2, 3], [4], subscripts="ab,c->a"),
    ),
)


# -- spellings --------------------------------------------------------------------------------


@spelling
def einsum(subscripts: str, *operands: Any) -> Node:
    """Einstein's summation: `einsum("ij,jk->ik", a, b)`. Letters not in the result are summed.

    >>> import graphc as gc
    >>> gc.einsum("ij,ij->i", gc.input("a", ("n", 3)), gc.input("b", ("n", 3))).type
    f64[n]
    """
    if not isinstance(subscripts, str):
        raise ArgumentError(f"einsum takes its subscripts first, as a string, not {subscripts!r}")
    values = lift(operands, "einsum")
    text = subscripts.replace(" ", "")
    left, arrow, out = text.partition("->")
    terms = left.split(",")
    if not all(c in string.ascii_letters + ",.->" for c in text):
        raise ArgumentError(f"einsum's subscripts are letters, commas and ->, not {subscripts!r}")
    if len(terms) != len(values):
        wanted = counted(len(terms), "operand")
        raise ArgumentError(f"einsum names {wanted}, and was given {len(values)}")
    named = [t.replace("...", "") for t in terms]
    for term, letters, v in zip(terms, named, values, strict=True):
        if len(letters) > v.ndim or (len(letters) < v.ndim and letters == term):
            raise ShapeError(
                f"einsum's {term!r} names {counted(len(letters), 'axis', 'axes')}, and "
                f"{v.label} has {v.ndim}"
            )
    wanted = out.replace("...", "") if arrow else _implied(named)
    if len(set(wanted)) < len(wanted) or not set(wanted) <= set("".join(named)):
        raise ArgumentError(f"einsum's result {out!r} must name letters of the operands, each once")
    if "." in text:
        out = out if arrow else "..." + wanted
        terms, values, out = _without_ellipsis(terms, values, out, "einsum needs axes under ...")
    else:
        out = wanted
    sizes_of(terms, [v.type for v in values])  # an error here speaks of the user's own letters
    return contract(",".join(terms) + "->" + out, values)


def _implied(terms: Sequence[str]) -> str:
    """Without an arrow: the letters that appear once, in alphabetical order."""
    every = "".join(terms)
    return "".join(sorted(c for c in set(every) if every.count(c) == 1))


def _without_ellipsis(
    terms: Sequence[str], values: Sequence[Node], out: str, needed: str
) -> tuple[list[str], tuple[Node, ...], str]:
    """Letters in place of each ellipsis, counted from the right, and operands without the axes of
    a literal size 1 that others stretch: these are dropped, not copied."""
    sizes = []
    for term, v in zip(terms, values, strict=True):
        before, dots, after = term.partition("...")
        sizes.append(v.shape[len(before) : v.ndim - len(after)] if dots else ())
    try:
        common = shapes.broadcast(*sizes)
    except ShapeError as error:
        raise ShapeError(f"{needed} that broadcast, and {error.sentence}") from None
    used = set("".join(terms))
    letters = "".join([c for c in string.ascii_letters if c not in used][: len(common)])
    filled, kept = [], []
    for term, v, own in zip(terms, values, sizes, strict=True):
        offset, at = len(common) - len(own), term.find("...")
        single = [k for k, d in enumerate(own) if d != common[k + offset]]
        under = "".join(c for k, c in enumerate(letters[offset:]) if k not in single)
        filled.append(term.replace("...", under))
        kept.append(squeeze(v, tuple(at + k for k in single)) if single else v)
    return filled, tuple(kept), out.replace("...", letters)


@spelling
def matmul(x1: Any, x2: Any) -> Node:
    """The matrix product, as NumPy's @: vectors and stacks of matrices included.

    >>> import graphc as gc
    >>> (gc.input("X", ("n", "d")) @ gc.input("w", ("d",))).type
    f64[n]
    """
    a, b = lift([x1, x2], "matmul")
    if not a.ndim or not b.ndim:
        raise ShapeError("matmul needs at least one axis on both sides: multiply scalars with *")
    inner_a, inner_b = a.shape[-1], b.shape[-1 if b.ndim == 1 else -2]
    if inner_a != inner_b:
        raise ShapeError(f"matmul needs equal inner sizes, and {inner_a} is not {inner_b}")
    rows = "y" if a.ndim > 1 else ""
    columns = "z" if b.ndim > 1 else ""
    terms, operands, out = _without_ellipsis(
        [f"...{rows}x", f"...x{columns}"], (a, b), f"...{rows}{columns}", "matmul needs stacks"
    )
    return contract(f"{','.join(terms)}->{out}", operands)


@spelling
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Node:
    """Sum over some axes of both: the last `axes` of x1 with the first of x2, or a pair of tuples.

    >>> import graphc as gc
    >>> gc.tensordot(gc.input("a", (2, "n", 3)), gc.input("b", ("n", 3, 4))).type
    f64[2, 4]
    """
    a, b = lift([x1, x2], "tensordot")
    if isinstance(axes, int | np.integer):
        count = int(axes)
        if not 0 <= count <= min(a.ndim, b.ndim):
            paired = counted(count, "axis", "axes")
            raise ShapeError(f"tensordot cannot pair {paired} of {a.type} and {b.type}")
        axes = (range(a.ndim - count, a.ndim), range(count))
    first, second = ([k] if isinstance(k, int | np.integer) else list(k) for k in axes)
    if len(first) != len(second):
        raise ShapeError(f"tensordot pairs axes, and {len(first)} is not {len(second)}")
    first, second = [as_axis(j, a.ndim) for j in first], [as_axis(k, b.ndim) for k in second]
    if len(set(first)) < len(first) or len(set(second)) < len(second):
        raise ShapeError(f"tensordot pairs an axis once, not {first} with {second}")
    letters_a = list(string.ascii_letters[: a.ndim])
    letters_b = list(string.ascii_letters[a.ndim : a.ndim + b.ndim])
    for j, k in zip(first, second, strict=True):
        if a.shape[j] != b.shape[k]:
            raise ShapeError(f"tensordot needs equal sizes, and {a.shape[j]} is not {b.shape[k]}")
        letters_b[k] = letters_a[j]
    summed = set(letters_a) & set(letters_b)
    out = "".join(c for c in letters_a + letters_b if c not in summed)
    return contract(f"{''.join(letters_a)},{''.join(letters_b)}->{out}", [a, b])


@spelling
def dot(x1: Any, x2: Any) -> Node:
    """NumPy's dot: the last axis of x1 with the last but one of x2; scalars multiply.

    >>> import graphc as gc
    >>> gc.dot(gc.input("u", ("n",)), gc.input("v", ("n",))).type
    f64[]
    """
    a, b = lift([x1, x2], "dot")
    if not a.ndim or not b.ndim:
        return multiply(a, b)
    j, k = a.ndim - 1, max(b.ndim - 2, 0)
    if a.shape[j] != b.shape[k]:
        raise ShapeError(f"dot needs equal sizes, and {a.shape[j]} is not {b.shape[k]}")
    return tensordot(a, b, ((j,), (k,)))


@spelling
def vdot(x1: Any, x2: Any) -> Node:
    """The sum of products of equal elements of two tensors of one shape.

    >>> import graphc as gc
    >>> gc.vdot(gc.input("A", ("n", 2)), gc.input("B", ("n", 2))).type
    f64[]
    """
    a, b = lift([x1, x2], "vdot")
    if a.shape != b.shape:
        raise ShapeError(f"vdot needs equal shapes, and {a.type} is not {b.type}")
    letters = string.ascii_letters[: a.ndim]
    return contract(f"{letters},{letters}->", [a, b])


@spelling
def vecdot(x1: Any, x2: Any, axis: int = -1) -> Node:
    """The sum of products along one axis.

    >>> import graphc as gc
    >>> gc.vecdot(gc.input("a", ("n", 3)), gc.input("b", ("n", 3))).type
    f64[n]
    """
    a, b = lift([x1, x2], "vecdot")
    if a.shape != b.shape:
        raise ShapeError(f"vecdot needs equal shapes, and {a.type} is not {b.type}")
    letters = string.ascii_letters[: a.ndim]
    summed = letters[as_axis(axis, a.ndim)]
    return contract(f"{letters},{letters}->{letters.replace(summed, '')}", [a, b])


@spelling
def outer(x1: Any, x2: Any) -> Node:
    """Every product of an element of x1 with one of x2.

    >>> import graphc as gc
    >>> gc.outer(gc.input("u", ("n",)), gc.input("v", ("d",))).type
    f64[n, d]
    """
    a, b = lift([x1, x2], "outer")
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"outer takes two vectors, and was given {a.type} and {b.type}")
    return contract("a,b->ab", [a, b])


@spelling
def inner(x1: Any, x2: Any) -> Node:
    """NumPy's inner: sums over the last axis of both; scalars multiply.

    >>> import graphc as gc
    >>> gc.inner(gc.input("A", ("n", 3)), gc.input("B", (4, 3))).type
    f64[n, 4]
    """
    a, b = lift([x1, x2], "inner")
    if not a.ndim or not b.ndim:
        return multiply(a, b)
    return tensordot(a, b, ((a.ndim - 1,), (b.ndim - 1,)))


@spelling
def trace(x: Any) -> Node:
    """The sum of the diagonal of the last two axes.

    >>> import graphc as gc
    >>> gc.input("A", ("n", "n")).trace().type
    f64[]
    """
    (value,) = lift([x], "trace")
    if value.ndim < 2 or value.shape[-1] != value.shape[-2]:
        raise ShapeError(f"trace needs square matrices, and was given {value.type}")
    batch = string.ascii_letters[: value.ndim - 2]
    return contract(f"{batch}zz->{batch}", [value])


@spelling
def diagonal(x: Any) -> Node:
    """The diagonal of the last two axes.

    >>> import graphc as gc
    >>> gc.diagonal(gc.input("A", ("n", "n"))).type
    f64[n]
    """
    (value,) = lift([x], "diagonal")
    if value.ndim < 2 or value.shape[-1] != value.shape[-2]:
        raise ShapeError(f"diagonal needs square matrices, and was given {value.type}")
    batch = string.ascii_letters[: value.ndim - 2]
    return contract(f"{batch}zz->{batch}z", [value])
