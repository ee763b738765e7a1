"""A progress bar, where somebody is watching and it takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

_PATIENCE = 1.0


def watched(items: Sequence[T], what: str) -> Iterator[T]:
    """The items, with a bar on a terminal once a second has passed.

    >>> list(watched([1, 2], "counting"))
    [1, 2]
    """
    begun = time.monotonic()
    rest = iter(items)
    done = 0
    for item in rest:
        yield item
        done += 1
        is_long = time.monotonic() - begun > _PATIENCE
        if is_long and done < len(items) and sys.stderr.isatty():
            yield from _barred(rest, what, done, len(items))
            return


def _barred(rest: Iterable[T], what: str, done: int, total: int) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, completed=done)
        for item in rest:
            yield item
            bar.advance(task)
