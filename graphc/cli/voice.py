"""How the command line speaks: rich's tables and colours on a terminal, plain text elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ..wording import columns


def is_terminal(stream: Any) -> bool:
    """Whether somebody is watching this stream."""
    return bool(getattr(stream, "isatty", lambda: False)())


def say(text: Any = "") -> None:
    """A text as it is."""
    print(text)


def heading(text: str) -> None:
    """A line that names what follows."""
    if is_terminal(sys.stdout):
        _console().print(_text(text, "bold"))
    else:
        say(text)


def note(text: str) -> None:
    """A remark about what was done; it does not mix with what is piped on."""
    print(text, file=sys.stderr)


def show(thing: Any) -> None:
    """Something that prints itself, and knows how to do so for rich."""
    if is_terminal(sys.stdout) and hasattr(thing, "__rich__"):
        _console().print(thing)
    else:
        say(thing)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = False) -> None:
    """Rows under a head; numbers stand to the right."""
    if is_terminal(sys.stdout):
        from rich.table import Table

        drawn = Table(header_style="bold")
        for k, name in enumerate(head):
            drawn.add_column(_text(name), justify="right" if numbers and k else "left")
        for row in rows:
            drawn.add_row(*map(_text, row))
        _console().print(drawn)
        return
    for line in columns([head, *rows], numbers):
        say(line)


def source(code: str, language: str = "python") -> None:
    """A program, in colours on a terminal."""
    if is_terminal(sys.stdout):
        from rich.syntax import Syntax

        _console().print(Syntax(code, language, background_color="default"))
    else:
        say(code)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """A sign that something is being done, where somebody is watching."""
    if not is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _console() -> Any:
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def _text(text: str, style: str = "") -> Any:
    """Text that is no markup, whatever brackets it holds."""
    from rich.text import Text

    return Text(text, style)
