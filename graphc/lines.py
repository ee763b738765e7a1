"""The user's line: which instruction of the user's program made this, and how it is shown."""

from __future__ import annotations

import contextlib
import dis
import functools
import itertools
import linecache
import os
import re
import sys
import sysconfig
import weakref
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, NamedTuple

from .wording import printable

# Frames of these files, and of files in these folders, are never the user's: compiled programs,
# and what Python itself puts between two frames of graphc (a cached property, a mapping's get).
_internal: tuple[str, ...] = (
    "<graphc ", "<frozen ", functools.__file__, contextlib.__file__, weakref.__file__,
)  # fmt: skip
_PYTHON = ("<frozen ", sysconfig.get_path("stdlib"), sysconfig.get_path("scripts"))
_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")


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


@functools.lru_cache(maxsize=4096)
def is_users_own(file: str) -> bool:
    """Whether a file is the user's own: not graphc's, nor Python's, nor of an installed package."""
    return not (is_internal[file] or file.startswith(_PYTHON) or _INSTALLED.search(file))


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


def raised_at(error: BaseException, is_asked_for: Callable[[str], bool]) -> Where | None:
    """The innermost instruction that an error went through in a file that is asked for."""
    found, trace = None, error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if is_asked_for(code.co_filename):
            found = Where(code, trace.tb_lasti)
        trace = trace.tb_next
    return found


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
