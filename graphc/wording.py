"""How a message words what it speaks of: counts, lists, columns, kinds of values, foreign text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from types import FunctionType

_LONGEST = 100  # characters that a message shows of a value


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


def did_you_mean(name: str, known: Iterable[str], before: str = "", most: int = 1) -> str:
    """`did you mean exp?`; nothing where no known name is near in letters, capital or not."""
    alike = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), alike, most)
    return f"{before}did you mean {' or '.join(map(alike.__getitem__, close))}?" if close else ""


def columns(rows: Iterable[Sequence[str]], are_numbers: bool = False) -> Iterator[str]:
    """Rows of cells as lines, the last ones may lack; one cell alone is a remark across.

    What follows the first cell stands to the right if it is numbers.
    """
    given = list(rows)
    cells = [row for row in given if len(row) > 1]
    widths = [max(map(len, column)) for column in zip_longest(*cells, fillvalue="")]
    for row in given:
        if len(row) > 1:
            row = [
                cell.rjust(width) if are_numbers and k else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=False))
            ]
        yield "  ".join(row).rstrip()


def a_kind(value: object) -> str:
    """What kind of thing this is, as a sentence says it: `a str`, `an object`, `None`."""
    return "None" if value is None else _an(type(value).__name__)


def with_kind(value: object) -> str:
    """A value, in one line at most, and its kind: `3.0 is a float`."""
    text = value.__name__ if isinstance(value, FunctionType) else " ".join(repr(value).split())
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return f"{text} is {_an(type(value).__name__)}"


def _an(word: str) -> str:
    return f"{'an' if word[0] in 'aeiouAEIOU' else 'a'} {word}"
