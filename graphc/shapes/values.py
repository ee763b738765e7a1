"""The numbers that dims are, once their symbols are known."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from ..sizes import Dim, Shape, Size, formula
from .dims import dim, plain, symbols


def number(value: Dim, sizes: Mapping[Size, int]) -> int:
    """The number that a dim is, given its symbols."""
    if isinstance(value, int):
        return value
    if value in sizes:
        return sizes[value]
    known = {s.plain: plain(sizes[s]) for s in symbols([value])}
    found = formula(value.plain.xreplace(known))
    if not isinstance(found, int):
        raise ZeroDivisionError(f"the size {value} is {found} where sizes are 0")
    return found


def numbers(shape: Shape, sizes: Mapping[Size, int]) -> tuple[int, ...]:
    """The numbers that the dims of a shape are."""
    return tuple(number(d, sizes) for d in shape)


@functools.lru_cache(maxsize=4096)
def typical(value: Dim) -> int:
    """What a dim is where every symbol is 1000: for choices that sizes unknown yet decide."""
    return number(value, dict.fromkeys(symbols([value]), 1000))


def from_sources(numbers: Mapping[str, int]) -> dict[Size, int]:
    """Numbers by their symbols, of numbers by what texts call these."""
    return {dim(name.removeprefix("dim_")): number for name, number in numbers.items()}
