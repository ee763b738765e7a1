"""Texts: the NumPy text of a node under the names that a program gives to values and sizes."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ... import shapes
from ...errors import ShapeError
from ...ir import Node, is_number, number_of
from ...ops.fast import own_text
from ...ops.leaves import literal
from ...shapes import Dim, Shape
from ..carried import HELPERS
from .names import Identifiers

_WORD = re.compile(r"[^\W\d]\w*")
_OPERAND = re.compile(r"\b(?:x(\d+)|dim_(\w+))\b")
# A negative number in brackets that it can do without: it begins a formula, or is an argument.
_BRACKETED = re.compile(r"(?:^|(?<=\()|(?<=, ))\((-[\d.e+-]+)\)(?=[,)]| [-+*/] )")

Piece = tuple[str, int | None, str | None]
Writes = Callable[[Node, str, Sequence[str]], str | None]
"""(v, out, spare) -> the text in x0, x1, ... that computes v into memory."""


class Texts:
    """Names and writes nodes, and notes what the text needs: helpers, constants.

    What is `for_speed` keeps numbers as arrays and calls functions faster than NumPy's own;
    else it is to be read.
    """

    def __init__(
        self,
        identifiers: Identifiers,
        names: dict[Node, str],
        dim_names: dict[str, str],
        called: Mapping[Node, str],
        for_speed: bool,
    ) -> None:
        self.identifiers, self.names, self.dim_names = identifiers, names, dim_names
        self.called, self.for_speed = called, for_speed
        self.numbers: dict[str, str] = {}
        self.helpers: set[str] = set()
        self.constants: list[str] = []
        self.made: dict[str, str] = {}
        self.temporaries = itertools.count(1)

    def name(self, v: Node) -> str:
        """The identifier of a value, from now on."""
        found = self.names.get(v)
        if found is None:
            given = self.called.get(v)
            if given is None:
                given = "constant" if v.op.name == "constant" else f"t{next(self.temporaries)}"
            found = self.names[v] = self.identifiers.take(given)
            if v.op.name == "constant" and v.ndim:
                self._write_constant(v)
        return found

    def _write_constant(self, v: Node) -> None:
        # Its text holds foreign bytes: it is written as it is, and never looked through or kept.
        text = v.op.text(v)
        if text.startswith("from_bytes("):
            self.use("from_bytes")
        self.constants.append(f"{self.names[v]} = {text}")

    def made_once(self, name: str, text: str) -> str:
        """The name of something that is made when the program is loaded."""
        found = self.made.get(name)
        if found is None:
            found = self.made[name] = self.identifiers.take(name)
            self.constants.append(f"{found} = {text}")
        return found

    def use(self, helper: str) -> str:
        self.helpers.add(helper)
        return helper

    def of(self, v: Node) -> str:
        """The value of a node."""
        text = v.op.text(v) if self.for_speed else own_text(v)
        return self.filled(text, [self.operand(v, x) for x in v.inputs])

    def scalar(self, v: Node, within: Mapping[Node, str]) -> str:
        """The value of a node of single numbers, by Python's floats; some operands have texts."""
        assert v.op.scalar is not None
        operands = [within[x] if x in within else self._float(x) for x in v.inputs]
        return self.filled(v.op.scalar, operands)

    def _float(self, x: Node) -> str:
        """An operand among floats: a float32 constant has more digits there."""
        if not is_number(x) or x.dtype == bool:
            return self.number(x)
        return literal(np.float64(number_of(x)), np.dtype(np.float64))

    def number(self, x: Node) -> str:
        """A single number: its name, or its digits."""
        return literal(number_of(x), x.dtype) if is_number(x) else self.name(x)

    def filled(self, text: str, operands: Sequence[str]) -> str:
        """A text in x0, x1, ... with texts for these."""
        pieces, helpers = _template(text)
        self.helpers |= helpers
        parts = []
        for part, operand, dim in pieces:
            parts.append(part)
            if operand is not None:
                parts.append(operands[operand])
            elif dim is not None:
                parts.append(self._dim(dim))
        found = "".join(parts)
        return _BRACKETED.sub(r"\1", found) if "(-" in found else found

    def operand(self, v: Node, x: Node) -> str:
        """How v's text calls its operand x."""
        if not is_number(x):
            return self.name(x)
        # A bare number is weak: right only beside an operand that has the constant's dtype.
        beside = [y for y in v.inputs if y.dtype == x.dtype and y.op.name != "constant"]
        if v.op.family != "elementwise" or not beside:
            return x.op.text(x)
        text = literal(number_of(x), x.dtype)
        # Python's own powers are the quick ones: square roots, reciprocals.
        is_kept = self.for_speed and any(y.ndim for y in beside) and "**" not in v.op.text(v)
        return self._kept(text, x.op.text(x), x.dtype.name) if is_kept else text

    def _kept(self, digits: str, text: str, dtype: str) -> str:
        """The name of a number that is made once: beside an array, Python's own are converted at
        each call, which takes NumPy as long as a thousand elements."""
        found = self.numbers.get(text)
        if found is None:
            short = digits.strip("()").removesuffix(".0").replace("-", "m").replace("+", "")
            found = self.numbers[text] = self.identifiers.take(f"c{short}")
            self.constants.append(f"{found} = np.array({digits}, np.{dtype})")
        return found

    def new(self, v: Node, models: Sequence[Node] = ()) -> str:
        """A new array for a value, which lies as its models do."""
        if not models:
            return f"np.empty({self.size(v.shape)}, np.{v.dtype.name})"
        names = ", ".join(map(self.name, models))
        one = f"{self.use('first_unstretched')}({names})" if len(models) > 1 else names
        is_like = all(x.shape == v.shape for x in models)
        shape = "" if is_like else f", shape={self.size(v.shape)}"
        return f"np.empty_like({one}, np.{v.dtype.name}{shape})"

    def size(self, value: Dim | Shape) -> str:
        """A dim or a shape."""
        return _OPERAND.sub(lambda m: self._dim(m[2]), shapes.source(value))

    def _dim(self, name: str) -> str:
        if name not in self.dim_names:
            raise ShapeError(
                f"the program needs the size {name}, which no input shows: "
                "list an input that does in compile(..., inputs=[...])"
            )
        return self.dim_names[name]


def told_where(
    writes: Writes, v: Node, operands: Sequence[str], out: str, spare: Sequence[str] = ()
) -> tuple[str, list[str]]:
    """The text that computes v where it is told to, empty where there is none, and what fills it.

    The names of memory are filled in as those of operands are: a value may be called `x1`, too.
    """
    into, *besides = [f"x{len(operands) + k}" for k in range(1 + len(spare))]
    return writes(v, into, besides) or "", [*operands, out, *spare]


def mentioned(text: str) -> list[int]:
    """Which operands a NumPy text mentions, as often as it does."""
    return [operand for _, operand, _ in _template(text)[0] if operand is not None]


@functools.lru_cache(maxsize=4096)
def _template(text: str) -> tuple[tuple[Piece, ...], frozenset[str]]:
    """A NumPy text cut at its operands and sizes, and the helpers that it calls."""
    pieces: list[Piece] = []
    end = 0
    for m in _OPERAND.finditer(text):
        pieces.append((text[end : m.start()], int(m[1]) if m[1] else None, m[2]))
        end = m.end()
    return (*pieces, (text[end:], None, None)), helpers_in(text)


@functools.lru_cache(maxsize=4096)
def helpers_in(text: str) -> frozenset[str]:
    """The carried functions that a text calls."""
    return frozenset(_WORD.findall(text)) & HELPERS.keys()
