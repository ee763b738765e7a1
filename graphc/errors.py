"""What goes wrong, said well: the exceptions, the user's line, and how a message is laid out."""

from __future__ import annotations

import dis
import functools
import itertools
import linecache
import os
import sys
from collections.abc import Iterable
from types import CodeType, FrameType
from typing import NamedTuple

# Frames of files in these folders are never the user's.
_internal: tuple[str, ...] = ("<graphc ",)  # compiled programs


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


def user_frame() -> FrameType | None:
    """The innermost frame on the stack that is not graphc's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_internal[frame.f_code.co_filename]:
        frame = frame.f_back
    return frame


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


class Operand(NamedTuple):
    """One line below an error: a value that took part, its type, and where it was made."""

    name: str
    type: str
    where: Where | None


class GraphcError(Exception):
    """Root of every error that graphc raises: one sentence, then where it happened."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.where = caller()
        self.operands: tuple[Operand, ...] = ()

    def locate(self, operands: Iterable[Operand]) -> None:
        """List the values that took part. The innermost account, told first, is kept."""
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
    """Sizes or axes that do not fit."""


class IndexingError(ShapeError, IndexError):
    """An index that is out of range, or of a kind that a graph cannot hold."""


class DTypeError(GraphcError, TypeError):
    """An element type that an operation does not take."""


class NotConcrete(GraphcError, TypeError):
    """Python asked a symbolic tensor for a value (`if node`, `float(node)`, `for row in node`)."""


class ArgumentError(GraphcError, TypeError, ValueError):
    """An argument that is not of the kind a function takes."""


class NotDifferentiable(GraphcError, TypeError):
    """A derivative was asked for where there is none to give."""


class Disconnected(GraphcError, ValueError):
    """The value does not depend on the target, or its path is cut."""


class NameClash(GraphcError, ValueError):
    """A name that cannot be used, or one name for two things."""


class BindError(GraphcError, TypeError, ValueError):
    """An argument of a compiled function that does not fit its declaration."""


class MissingInput(BindError, KeyError):
    """An input without a value."""

    __str__ = GraphcError.__str__


class InvalidGraph(GraphcError, ValueError):
    """A graph that breaks an invariant of the IR: not the user's mistake but ours."""


class WrongGradient(GraphcError, AssertionError):
    """A gradient that differs from the derivative by more than rounding explains."""


class LawBroken(GraphcError, AssertionError):
    """An op that does not keep a law that all ops must keep."""
