"""What goes wrong, said well: the exceptions, the user's line, and how a message is laid out."""

from __future__ import annotations

import contextlib
import dis
import functools
import itertools
import linecache
import os
import sys
import weakref
from collections.abc import Iterable
from types import CodeType, FrameType
from typing import Any, NamedTuple

# Frames of these files, and of files in these folders, are never the user's: compiled programs,
# and what Python itself puts between two frames of graphc (a cached property, a mapping's get).
_internal: tuple[str, ...] = (
    "<graphc ", "<frozen ", functools.__file__, contextlib.__file__, weakref.__file__,
)  # fmt: skip


def not_the_users(file: str) -> None:
    """The folder of this file is a library's: look for the user's line beyond it."""
    global _internal
    _internal += (os.path.dirname(os.path.abspath(file)) + os.sep,)
    is_internal.clear()


class _Internal(dict[str, bool]):
    """Whether a file is graphc's, or of a library that builds on its behalf; asked at each node."""

    def __missing__(self, file: str) -> bool:
        self[file] = found = file.startswith(_internal)
        return found


is_internal = _Internal()


not_the_users(__file__)


class Where(NamedTuple):
    """One instruction of the user's program. Cheap to take; its line and columns are read later."""

    code: CodeType
    offset: int

    @property
    def line(self) -> int:
        return _position(self)[0]

    @property
    def place(self) -> str:
        """`train.py:15`"""
        return f"{printable(os.path.basename(self.code.co_filename))}:{self.line}"

    @property
    def text(self) -> str:
        """The user's line, stripped; empty when the source cannot be read."""
        return printable(linecache.getline(self.code.co_filename, self.line).strip())

    @property
    def assigned_name(self) -> str | None:
        """`z` when the instruction's value is stored at once in a variable: `z = X @ w`."""
        name = _stores(self.code).get(self.offset)
        is_name = name is not None and name.isidentifier() and not name.startswith("_")
        return name if is_name else None

    def underlined(self) -> list[str]:
        """The user's line, and below it a row of carets under the exact expression."""
        line, end_line, column, end_column = _position(self)
        raw = linecache.getline(self.code.co_filename, line)
        text = raw.strip()
        if not text:
            return [f"{self.place}   (source not available)"]
        # Columns are counted in bytes of UTF-8, carets in characters.
        start = len(raw.encode()[:column].decode(errors="ignore"))
        stop = len(raw.encode()[:end_column].decode(errors="ignore"))
        if end_line != line:
            stop = len(raw.rstrip())
        margin = f"{self.place}   "
        indent = len(raw) - len(raw.lstrip())
        carets = " " * (len(margin) + start - indent) + "^" * max(stop - start, 1)
        return [margin + printable(text), carets]


    def __reduce__(self) -> tuple[Any, ...]:
        """What is told of it here: an instruction cannot leave its process."""
        told = Told(self.line, self.place, self.text, self.assigned_name, tuple(self.underlined()))
        return Elsewhere, (told,)


class Told(NamedTuple):
    """What is told of an instruction, for where its program is not."""

    line: int
    place: str
    text: str
    assigned_name: str | None
    underlined: tuple[str, ...]


class Elsewhere(Where):
    """An instruction of another process, that a pickle tells of."""

    __slots__ = ()
    code: Told  # type: ignore[assignment]

    def __new__(cls, told: Told) -> Elsewhere:
        return tuple.__new__(cls, (told, 0))

    def __reduce__(self) -> tuple[Any, ...]:
        return Elsewhere, (self.code,)

    @property
    def line(self) -> int:
        return self.code.line

    @property
    def place(self) -> str:
        return self.code.place

    @property
    def text(self) -> str:
        return self.code.text

    @property
    def assigned_name(self) -> str | None:
        return self.code.assigned_name

    def underlined(self) -> list[str]:
        return list(self.code.underlined)


class OnTheWay(Where):
    """The same for what is built on the way to the instruction's value: no variable holds that."""

    __slots__ = ()

    @property
    def assigned_name(self) -> None:
        return None


def user_frame() -> FrameType | None:
    """The innermost frame on the stack that is not graphc's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (is_internal[frame.f_code.co_filename] or _is_written(frame)):
        frame = frame.f_back
    return frame


def _is_written(frame: FrameType) -> bool:
    """Whether a call is of a method that `dataclass` wrote for graphc, which is of no file."""
    name = frame.f_globals.get("__name__", "")
    return frame.f_code.co_filename == "<string>" and str(name).partition(".")[0] == __package__


def caller() -> Where | None:
    """The innermost instruction on the stack that is not graphc's own."""
    frame = user_frame()
    return None if frame is None else Where(frame.f_code, frame.f_lasti)


@functools.lru_cache(maxsize=4096)
def _position(where: Where) -> tuple[int, int, int, int]:
    position = next(itertools.islice(where.code.co_positions(), where.offset // 2, None), None)
    line, end_line, column, end_column = position or (None, None, None, None)
    first = line or where.code.co_firstlineno
    return first, end_line or first, column or 0, end_column or 0


@functools.lru_cache(maxsize=1024)
def _stores(code: CodeType) -> dict[int, str]:
    """Offset of an instruction -> the variable that its value is stored in right away."""
    stores: dict[int, str] = {}
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "COPY")]
    for step, following in itertools.pairwise(steps):
        if following.opname.startswith("STORE_") and isinstance(following.argval, str | tuple):
            if following.opname not in ("STORE_ATTR", "STORE_SUBSCR", "STORE_SLICE"):
                value = following.argval
                name = value if isinstance(value, str) else value[0]
                # A frame that made a call stands at the last of the instruction's cache entries.
                stores.update(dict.fromkeys(range(step.offset, following.offset, 2), name))
    return stores


def printable(text: str) -> str:
    """One line of harmless characters: what a comment or a message may show of foreign text."""
    return "".join(c if c.isprintable() else "?" for c in text)


def counted(count: int, one: str, more: str = "") -> str:
    """How many there are of something: `1 axis`, `2 axes`, `1,000 nodes`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def in_words(texts: Iterable[str], most: int = 12) -> str:
    """`a, b and c`; of many the first, and how many more there are."""
    given = list(texts)
    more = len(given) - most
    *first, last = [*given[:most], f"{more:,} more"] if more > 0 else given or [""]
    return f"{', '.join(first)} and {last}" if first else last


def a_kind(value: object) -> str:
    """What kind of thing this is, as a sentence says it: `a str`, `an object`, `None`."""
    return "None" if value is None else _an(type(value).__name__)


def with_kind(value: object) -> str:
    """A value and its kind: `3.0 is a float`."""
    return f"{value!r} is {_an(type(value).__name__)}"


def _an(word: str) -> str:
    return f"{'an' if word[0] in 'aeiouAEIOU' else 'a'} {word}"


class Operand(NamedTuple):
    """One line below an error: a value that took part, its type, and where it was made."""

    name: str
    type: str
    where: Where | None


class GraphcError(Exception):
    """Root of every error that graphc raises: one sentence, then where it happened.

    >>> import graphc as gc
    >>> try:
    ...     gc.input("x", ("n",)) + gc.input("y", ("m",))
    ... except gc.GraphcError as error:
    ...     print(error.sentence, [operand.name for operand in error.operands])
    add needs shapes that broadcast, and n is not m (axis -1) ['x', 'y']
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.where = caller()
        self.operands: tuple[Operand, ...] = ()

    def locate(self, operands: Iterable[Operand]) -> None:
        """List the values that took part. The innermost account, told first, is kept.

        >>> import graphc as gc
        >>> error = gc.ShapeError("the halves differ")
        >>> error.locate([])
        >>> error.operands
        ()
        """
        self.operands = self.operands or tuple(operands)

    def __str__(self) -> str:
        lines = [self.sentence]
        if self.where is not None:
            lines += ["    " + line for line in self.where.underlined()]
        width = max((len(o.name) for o in self.operands), default=0)
        for operand in self.operands:
            place = f"    {operand.where.place}" if operand.where else ""
            lines.append(f"        {operand.name:{width}} : {operand.type}{place}")
        return "\n".join(lines)


class ShapeError(GraphcError, ValueError):
    """Sizes or axes that do not fit.

    >>> import graphc as gc
    >>> gc.input("X", ("n", "d")) @ gc.input("w", ("h",))
    Traceback (most recent call last):
        ...
    graphc.errors.ShapeError: matmul needs equal inner sizes, and d is not h
    ...
    """


class IndexingError(ShapeError, IndexError):
    """An index that is out of range, or of a kind that a graph cannot hold.

    >>> import graphc as gc
    >>> gc.input("v", (3,))[5]
    Traceback (most recent call last):
        ...
    graphc.errors.IndexingError: ...
    ...
    """


class DTypeError(GraphcError, TypeError):
    """An element type that an operation does not take.

    >>> import graphc as gc
    >>> gc.mean(gc.input("k", ("n",), "int64"))
    Traceback (most recent call last):
        ...
    graphc.errors.DTypeError: mean needs floats, and was given i64[n]
    ...
    """


class NotConcrete(GraphcError, TypeError):
    """Python asked a symbolic tensor for a value (`if node`, `float(node)`, `for row in node`).

    >>> import graphc as gc
    >>> float(gc.input("x", ()))
    Traceback (most recent call last):
        ...
    graphc.errors.NotConcrete: x has no value while the graph is built, so it has no float value...
    """


class ArgumentError(GraphcError, TypeError, ValueError):
    """An argument that is not of the kind a function takes.

    >>> import graphc as gc
    >>> gc.concat([])
    Traceback (most recent call last):
        ...
    graphc.errors.ArgumentError: concat takes a list of at least one tensor
    ...
    """


class NotDifferentiable(GraphcError, TypeError):
    """A derivative was asked for where there is none to give.

    >>> import graphc as gc
    >>> k = gc.input("k", (), "int64")
    >>> gc.grad(k * k, k)
    Traceback (most recent call last):
        ...
    graphc.errors.NotDifferentiable: ...
    ...
    """


class Disconnected(GraphcError, ValueError):
    """The value does not depend on the target, or its path is cut.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> gc.grad(gc.floor(x), x)
    Traceback (most recent call last):
        ...
    graphc.errors.Disconnected: no gradient: every path from x to floor is cut...
    ...
    """


class NameClash(GraphcError, ValueError):
    """A name that cannot be used, or one name for two things.

    >>> import graphc as gc
    >>> gc.compile(gc.input("x", ()) + gc.sum(gc.input("x", (3,))))
    Traceback (most recent call last):
        ...
    graphc.errors.NameClash: two inputs of one graph are called 'x'
    ...
    """


class BindError(GraphcError, TypeError, ValueError):
    """An argument of a compiled function that does not fit its declaration.

    >>> import graphc as gc
    >>> gc.compile(gc.sum(gc.input("v", (3,))))([1.0, 2.0])
    Traceback (most recent call last):
        ...
    graphc.errors.BindError: axis 0 of v has size 2, and needs 3
    ...
    """


class MissingInput(BindError, KeyError):
    """An input without a value.

    >>> import graphc as gc
    >>> gc.evaluate(gc.exp(gc.input("x", ())), {})
    Traceback (most recent call last):
        ...
    graphc.errors.MissingInput: ...
    ...
    """

    __str__ = GraphcError.__str__


class InvalidGraph(GraphcError, ValueError):
    """A graph that breaks an invariant of the IR: not the user's mistake but ours.

    >>> from graphc import InvalidGraph
    >>> raise InvalidGraph("a node is said to be f64[n], and is f64[]")
    Traceback (most recent call last):
        ...
    graphc.errors.InvalidGraph: a node is said to be f64[n], and is f64[]
    ...
    """


class WrongGradient(GraphcError, AssertionError):
    """A gradient that differs from the derivative by more than rounding explains.

    >>> import numpy as np, sympy as sp, graphc as gc
    >>> bad_twice = gc.elementwise(
    ...     "bad_twice", lambda x: 2 * x, numpy="2 * x0", like=np.square, d=lambda: [sp.Integer(3)]
    ... )
    >>> x = gc.input("x", ())
    >>> gc.check(bad_twice(x), x, at={x: 1.0}).raise_if_wrong()
    Traceback (most recent call last):
        ...
    graphc.errors.WrongGradient: the gradient by x is wrong, first at bad_twice: ...
    ...
    """


class LawBroken(GraphcError, AssertionError):
    """An op that does not keep a law that all ops must keep.

    >>> import numpy as np, graphc as gc
    >>> bad_half = gc.Op(
    ...     "bad_half", infer=lambda t: t, numpy="x0 / 2", bprop=lambda node, i, g: g,
    ...     examples=[gc.example([3])],
    ... )
    >>> gc.check_op(bad_half).raise_if_wrong()
    Traceback (most recent call last):
        ...
    graphc.errors.LawBroken: bad_half breaks a law
    ...
    """
