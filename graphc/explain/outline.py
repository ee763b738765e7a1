"""Which steps of a long derivation are written out; repeated parts and scopes are summed up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..draw.fold import Group, Pieces, fold
from .derivation import Derivation


class Gap(NamedTuple):
    """Steps that are not written out, and why that is no loss."""

    numbers: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        return f"{_ranges(self.numbers)}: {self.reason}"


def outline(derivation: Derivation, limit: int | None) -> list[int | Gap]:
    """The numbers of the steps to write, at most about `limit`, with gaps between them."""
    count = len(derivation)
    if limit is None or count <= limit:
        return list(range(1, count + 1))
    steps = derivation.table.steps
    position = {s.node: i for i, s in enumerate(steps)}
    pieces = Pieces(
        inputs=[[position[c.consumer] for c in s.contributions] for s in steps],
        like=[(s.node.op, *((c.consumer.op, c.position) for c in s.contributions)) for s in steps],
        scopes=[s.node.scope for s in steps],
        halves=[False] * count,
    )
    groups = fold(pieces, count, True)
    opened = _opened(groups, limit)
    return _trimmed([part for group in groups for part in _parts(group, opened)], limit)


def _opened(groups: Sequence[Group], limit: int) -> set[int]:
    """The groups (by identity) that there is room to write out, from the first."""
    room = limit - sum(group.kind == "piece" for group in groups)
    opened: set[int] = set()
    waiting = list(groups)
    while waiting:
        group = waiting.pop(0)
        inside = group.children[: group.block] if group.kind == "repeat" else []
        size = sum(g.kind == "piece" for g in inside)
        size = len(group.members) if group.kind == "scope" else size
        if group.kind != "piece" and 0 <= size <= room:
            opened.add(id(group))
            room -= size
            waiting[:0] = inside
    return opened


def _parts(group: Group, opened: set[int]) -> Iterator[int | Gap]:
    """What is written of a group."""
    numbers = tuple(i + 1 for i in sorted(group.members))
    if group.kind == "piece" or (group.kind == "scope" and id(group) in opened):
        yield from numbers
    elif id(group) in opened:
        inside = group.children[: group.block]
        for child in inside:
            yield from _parts(child, opened)
        done = {i + 1 for child in inside for i in child.members}
        rest = tuple(n for n in numbers if n not in done)
        if rest:
            times = f"{group.count - 1} times more" if group.count > 2 else "once more"
            yield Gap(rest, f"the same as {_ranges(sorted(done))}, {times}, for other nodes")
    elif group.kind == "scope":
        yield Gap(numbers, f"the scope {group.name}")
    else:
        many = f"{len(numbers) // group.count} steps" if len(numbers) > group.count else "step"
        yield Gap(numbers, f"{group.count} times the same {many}")


def _trimmed(parts: list[int | Gap], limit: int) -> list[int | Gap]:
    """At most so many steps, and gaps: the first ones, and the last."""
    if len(parts) <= limit:
        return parts
    head, tail = limit - limit // 3, limit // 3
    between = parts[head : len(parts) - tail]
    numbers = [n for part in between for n in ((part,) if isinstance(part, int) else part.numbers)]
    gap = Gap(tuple(sorted(numbers)), "not written out")
    return [*parts[:head], gap, *parts[len(parts) - tail :]]


def _ranges(numbers: Sequence[int]) -> str:
    """`steps 3 to 5 and 9`"""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    texts = [str(a) if a == b else f"{a} to {b}" for a, b in runs[:4]]
    if len(runs) > 4:
        return f"{len(numbers)} steps between {numbers[0]} and {numbers[-1]}"
    word = "step" if len(numbers) == 1 else "steps"
    return f"{word} {texts[0]}" if len(texts) == 1 else (
        f"{word} {', '.join(texts[:-1])} and {texts[-1]}"
    )  # fmt: skip
