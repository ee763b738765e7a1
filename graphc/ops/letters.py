"""Letters: what the subscripts of an einsum call the axes of its operands and of its result."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ShapeError
from ..ir import Node
from ..shapes import Dim
from ..tensor_type import TensorType


def letters_of(node: Node) -> tuple[list[str], str]:
    """The letters of each operand's axes, and those of the result's."""
    return terms_of(node.attrs["subscripts"])


def terms_of(subscripts: str) -> tuple[list[str], str]:
    """Subscripts apart: the letters of each operand, and those of the result."""
    left, right = subscripts.split("->")
    return left.split(","), right


def sizes_of(terms: Sequence[str], types: Sequence[TensorType]) -> dict[str, Dim]:
    """The size of each letter; a letter stands for one size everywhere."""
    found: dict[str, Dim] = {}
    for term, t in zip(terms, types, strict=True):
        for letter, d in zip(term, t.shape, strict=True):
            if found.setdefault(letter, d) != d:
                raise ShapeError(
                    f"einsum needs one size for {letter!r}, and {found[letter]} is not {d}"
                )
    return found
