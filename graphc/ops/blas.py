"""Contractions as NumPy text: the BLAS call that a person would write where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .. import shapes
from ..ir import Node
from ..shapes import Dim
from .letters import letters_of, sizes_of


class _Product(NamedTuple):
    """Two operands, what multiplies them, and the order of the result's axes if it is another."""

    function: str
    first: str
    second: str
    order: tuple[int, ...] = ()

    def call(self) -> str:
        # Of arrays with two axes at most the method takes half the time of @ where they are small.
        if self.function == "dot":
            return f"{self.first}.dot({self.second})"
        return f"{self.function}({self.first}, {self.second})"

    def into(self, place: str, inner: Dim, is_vector: bool = False) -> str:
        """The call that writes into memory, given how many products each element is a sum of.

        The method clears the memory first, which is nothing for vectors; but np.matmul does not
        leave a column times a row to BLAS, and takes eight times as long for it.
        """
        name = self.function
        if name == "dot":
            if inner == 1 or is_vector:
                return f"{self.first}.dot({self.second}, out={place})"
            name = "np.matmul" if isinstance(inner, int) else "matrix_product"
        return f"{name}({self.first}, {self.second}, out={place})"


_OPERATORS = {"np.matmul": "@", "np.multiply": "*"}


def text_of(node: Node) -> str:
    """The BLAS call that a person would write where there is one, else np.einsum."""
    terms, out = letters_of(node)
    if not _is_product(terms, out):
        return einsum_text(node)
    a, b = terms
    product = _product(a, b, out)
    if product is None:
        return _tensordot_text(a, b, out) if _is_flat(a, b, out) else einsum_text(node)
    if product.function not in _OPERATORS:
        return product.call()
    text = f"{product.first} {_OPERATORS[product.function]} {product.second}"
    return f"np.transpose({text}, {product.order})" if product.order else text


def text_into(node: Node) -> str | None:
    """The same call with `out`, where it has one."""
    terms, out = letters_of(node)
    if not out:  # a number has no place
        return None
    if _is_product(terms, out):
        a, b = terms
        product = _product(a, b, out)
        if product is None and _is_flat(a, b, out):
            return _flat_text(node)
        if product is not None:
            back = tuple(product.order.index(k) for k in range(len(product.order)))
            place = f"np.transpose(out, {back})" if back else "out"
            return product.into(place, _inner(node, terms, out), len(out) < 2)
    text = einsum_text(node)
    if text.endswith(".copy()"):
        return f"np.copyto(out, {text.removesuffix('.copy()')})"
    return f"{text[:-1]}, out=out)"


def text_of_part(node: Node) -> str | None:
    """Of an inner product: for many elements BLAS would start threads beside those of tiles."""
    terms, out = letters_of(node)
    is_inner = not out and _is_product(terms, out) and _product(terms[0], terms[1], out) is not None
    return "inner_product(x0, x1)" if is_inner and node.type.is_float else None


def _inner(node: Node, terms: Sequence[str], out: str) -> Dim:
    """How many products each element is a sum of."""
    sizes = sizes_of(terms, [v.type for v in node.inputs])
    return shapes.size(tuple(sizes[c] for c in sizes if c not in out))


def einsum_text(node: Node) -> str:
    operands = ", ".join(f"x{i}" for i in range(len(node.inputs)))
    terms, out = letters_of(node)
    if len(terms) == 1 and len(terms[0]) == 2 > len(set(terms[0])) and node.type.is_float:
        return "x0.diagonal().copy()" if out else "x0.trace()"
    # Where two are multiplied and nothing is summed there is no order to look for.
    is_plain = len(terms) < 3 and set("".join(terms)) == set(out)
    order = "" if is_plain else ", optimize=True"
    text = f"np.einsum({node.attrs['subscripts']!r}, {operands}{order})"
    # Of a diagonal np.einsum returns a view.
    return f"{text}.copy()" if len(terms) == 1 and set(terms[0]) == set(out) else text


def _is_product(terms: Sequence[str], out: str) -> bool:
    """Whether two operands are multiplied, and no letter is repeated or summed in one alone."""
    if len(terms) != 2 or any(len(set(t)) < len(t) for t in terms):
        return False
    return set(terms[0] + terms[1]) - set(out) <= set(terms[0]) & set(terms[1])


def _product(a: str, b: str, out: str) -> _Product | None:
    shared = [c for c in a if c in b]
    summed = [c for c in shared if c not in out]
    batch = "".join(c for c in out if c in shared)
    left = "".join(c for c in a if c not in b)
    right = "".join(c for c in b if c not in a)
    if not shared:
        return _outer(a, b, out)
    if not batch and a == b:
        return _Product("dot" if len(a) == 1 else "np.vdot", "x0", "x1")
    if a == b and out == a[:-1]:
        return _Product("np.vecdot", "x0", "x1")
    if len(summed) != 1 or len(left) > 1 or len(right) > 1 or batch and not (left and right):
        return None
    first, second = "x0", "x1"
    if left and right and out.index(right) < out.index(left):
        a, b, left, right, first, second = b, a, right, left, "x1", "x0"
    made = batch + left + right
    return _Product(
        "np.matmul" if batch else "dot",
        _oriented(first, a, batch, left + summed[0]),
        _oriented(second, b, batch, summed[0] + right),
        () if made == out else tuple(made.index(c) for c in out),
    )


def _oriented(name: str, term: str, batch: str, matrix: str) -> str:
    """The operand with its batch letters first and its matrix letters in order."""
    if term == batch + matrix:
        return name
    if term == batch + matrix[::-1]:
        return f"{name}.swapaxes(-1, -2)" if batch else f"{name}.T"
    return f"np.transpose({name}, {tuple(term.index(c) for c in batch + matrix)})"


def _outer(a: str, b: str, out: str) -> _Product | None:
    if out == b + a:
        a, b, first, second = b, a, "x1", "x0"
    elif out == a + b:
        first, second = "x0", "x1"
    else:
        return None
    if len(b) > 1:
        first = f"{first}[(..., *[None] * {len(b)})]"
    elif b:
        first = f"{first}[..., None]"
    return _Product("np.multiply", first, second)


def _is_flat(a: str, b: str, out: str) -> bool:
    """Whether it is one matrix product, once letters are taken together."""
    return set(a) & set(b) != set() and not set(a) & set(b) & set(out)


def _tensordot_text(a: str, b: str, out: str) -> str:
    summed = [c for c in a if c in b]
    axes = tuple(a.index(c) for c in summed), tuple(b.index(c) for c in summed)
    made = [c for c in a + b if c not in summed]
    text = f"np.tensordot(x0, x1, {axes})"
    order = tuple(made.index(c) for c in out)
    return text if order == tuple(range(len(out))) else f"np.transpose({text}, {order})"


def _flat_text(node: Node) -> str | None:
    """np.tensordot's matrix product, into the memory of `out`."""
    (a, b), out = letters_of(node)
    sizes = sizes_of((a, b), [v.type for v in node.inputs])
    summed = "".join(c for c in a if c in b)
    left, right = ("".join(c for c in t if c not in summed) for t in (a, b))
    first, second = "x0", "x1"
    if out == right + left:
        a, b, left, right, first, second = b, a, right, left, "x1", "x0"
    elif out != left + right:
        return None
    rows, inner, columns = (
        shapes.size(tuple(sizes[c] for c in group)) for group in (left, summed, right)
    )
    one = _flat(first, a, left, summed, (rows, inner))
    two = _flat(second, b, summed, right, (inner, columns))
    is_matrix = len(left) == len(right) == 1
    place = "out" if is_matrix else f"np.reshape(out, {shapes.source((rows, columns))})"
    return _Product("dot", one, two).into(place, inner)


def _flat(name: str, term: str, rows: str, columns: str, shape: tuple[Dim, Dim]) -> str:
    """An operand as a matrix, by views where its letters lie right."""
    is_matrix = len(rows) == len(columns) == 1
    if term == rows + columns:
        return name if is_matrix else f"np.reshape({name}, {shapes.source(shape)})"
    if term == columns + rows:
        turned = f"np.reshape({name}, {shapes.source(shape[::-1])})"
        return f"{name}.T" if is_matrix else f"{turned}.T"
    order = tuple(term.index(c) for c in rows + columns)
    return f"np.reshape(np.transpose({name}, {order}), {shapes.source(shape)})"
