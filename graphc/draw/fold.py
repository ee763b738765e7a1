"""Folding: which pieces of a graph share a box, so that what is laid out stays small.

Scopes fold first, then repeated structure ("24 ×"), also where there is room but lines are tangled;
what is still too much is cut into stretches of the topological order, which cannot make a circle.
Everything here takes linear time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass, field

# Rounds of hashing that tell apart what stands in different places of a repeated block; fewer
# where that is not enough, as the ends of a short loop are not like its middle that far away.
_ROUNDS = 3, 1, 0
# So many inputs that go the same way are one box.
_LEAVES = 3
# A value with so many readers is used everywhere: the weights of an unrolled loop.
_EVERYWHERE = 8
# So many lines more than boxes hide what repeats, where one value is used everywhere.
_TANGLE = 24


@dataclass
class Group:
    """Some pieces, by their positions, and why they stand together."""

    kind: str  # piece, scope, repeat, stretch, leaves
    members: list[int]
    name: str = ""
    path: tuple[str, ...] = ()  # of a scope
    count: int = 1  # how often the block is repeated
    block: int = 1  # how many groups one block holds
    children: list[Group] = field(default_factory=list)

    @property
    def ends(self) -> str:
        """`step 2 … step 30`, where scopes are repeated."""
        names = sorted((g.name for g in self.children if g.kind == "scope"), key=_counted)
        return " … ".join(dict.fromkeys((names[0], names[-1]))) if names else ""


def _counted(name: str) -> list[str | int]:
    """What sorts names as they were counted: `layer 2` before `layer 10`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


@dataclass
class Pieces:
    """What is folded: for each piece its inputs, what it is like, its scopes, and which half."""

    inputs: list[list[int]]
    like: Sequence[Hashable]
    scopes: list[tuple[str, ...]]
    halves: list[bool]  # whether a piece is part of the gradient

    def __len__(self) -> int:
        return len(self.inputs)


Paths = frozenset[tuple[str, ...]]


def fold(
    pieces: Pieces,
    most: int,
    fold_all: bool,
    opened: Paths = frozenset(),
    closed: Paths = frozenset(),
    untangle: bool = False,
) -> list[Group]:
    """Groups that cover the pieces, at most `most` of them; fewer if that is to `untangle` them.

    Scopes that are `opened` stay so, and so do those that are `closed`, though there be room.
    """
    groups = [Group("piece", [i]) for i in range(len(pieces))]
    if len(groups) > most or fold_all or not closed.isdisjoint(pieces.scopes):
        groups = _by_scope(pieces, groups, 0 if fold_all else most, opened, closed - opened)
    is_enough = len(groups) <= most and not (untangle and _is_tangled(groups, pieces))
    if is_enough and not fold_all:
        return groups
    for rounds in _ROUNDS:
        groups = _repeated(groups, _signatures(pieces, rounds), pieces)
        if len(groups) <= most and not (untangle and _is_tangled(groups, pieces)):
            break
    return groups if len(groups) <= most else _stretches(groups, pieces, most)


# -- scopes -----------------------------------------------------------------------------------


def _by_scope(
    pieces: Pieces, singles: list[Group], most: int, asked: Paths, closed: Paths
) -> list[Group]:
    """Every scope is a group; then scopes are opened from the outside while there is room."""
    scopes = pieces.scopes
    tree: dict[tuple[str, ...], list[int]] = {}
    for i, path in enumerate(scopes):
        for depth in range(1, len(path) + 1):
            tree.setdefault(path[:depth], []).append(i)
    own, parts = Counter(scopes), Counter(p[:-1] for p in tree)
    opened = {p for p in tree if p in asked}
    visible = own[()] + 2 * parts[()]
    # Scopes that differ by a number alone are opened together or not at all.
    families: dict[tuple[tuple[str, ...], str], list[tuple[str, ...]]] = {}
    for path in tree:
        families.setdefault((path[:-1], re.sub(r"\d+", "", path[-1])), []).append(path)
    for paths in sorted(families.values(), key=lambda f: (len(f[0]), sum(len(tree[p]) for p in f))):
        folded = [p for p in paths if p not in opened and p not in closed]
        if not folded or (len(folded[0]) > 1 and folded[0][:-1] not in opened):
            continue
        # A part may show as two boxes, one for each half.
        inside = sum(own[p] + 2 * parts[p] for p in folded)
        if visible + inside <= most:
            opened.update(folded)
            visible += inside
    found: dict[tuple[tuple[str, ...], bool], Group] = {}
    groups = []
    for i, path in enumerate(scopes):
        shut = next((path[:k] for k in range(1, len(path) + 1) if path[:k] not in opened), None)
        if shut is None:
            groups.append(singles[i])
            continue
        key = shut, pieces.halves[i]
        if key not in found:
            found[key] = Group("scope", [], name=shut[-1], path=shut)
            groups.append(found[key])
        found[key].members.append(i)
    for group in groups:
        if group.path in closed and len(group.members) == 1:
            group.kind = "piece"  # what little a function left in this half says itself
    return groups


def with_leaves(
    inputs: Sequence[Sequence[int]], scopes: Sequence[tuple[str, ...]], halves: Sequence[bool]
) -> list[tuple[str, ...]]:
    """Scopes, where a leaf that one scope alone uses belongs to it."""
    users: dict[int, set[tuple[str, ...]]] = {}
    for i, operands in enumerate(inputs):
        for x in operands:
            if not inputs[x] and not scopes[x] and not halves[i]:
                users.setdefault(x, set()).add(scopes[i])
    found = list(scopes)
    for x, paths in users.items():
        if len(paths) == 1:
            (found[x],) = paths
    return found


def leaves_together(
    groups: list[Group], readers: Sequence[Sequence[int]], leaves: Set[int]
) -> list[Group]:
    """Leaves that all go to the same folded boxes share one: the weights of each step of a loop."""
    owner = {i: k for k, group in enumerate(groups) for i in group.members}
    alike: dict[frozenset[int], list[int]] = {}
    for k, group in enumerate(groups):
        (first, *others) = group.members
        if not others and first in leaves:
            boxes = frozenset(owner[i] for i in readers[first] if i in owner)
            if len(boxes) > 1 and all(groups[b].kind != "piece" for b in boxes):
                alike.setdefault(boxes, []).append(k)
    together = {k: run for run in alike.values() if len(run) >= _LEAVES for k in run}
    folded = []
    for k, group in enumerate(groups):
        run = together.get(k, [k])
        if run != [k] and run[0] == k:
            folded.append(Group("leaves", [groups[i].members[0] for i in run]))
        elif run == [k]:
            folded.append(group)
    return folded


# -- repeated structure -----------------------------------------------------------------------


def _is_tangled(groups: list[Group], pieces: Pieces) -> bool:
    """Whether there are many lines, and many of them from one box."""
    owner = {i: k for k, group in enumerate(groups) for i in group.members}
    edges = {(owner[x], k) for i, k in owner.items() for x in pieces.inputs[i] if owner[x] != k}
    readers = Counter(tail for tail, _ in edges)
    return len(edges) - len(groups) > _TANGLE and max(readers.values()) >= _EVERYWHERE


def _ids(keys: Sequence[Hashable]) -> list[int]:
    """Equal keys have equal numbers."""
    known: dict[Hashable, int] = {}
    return [known.setdefault(key, len(known)) for key in keys]


def _signatures(pieces: Pieces, rounds: int) -> tuple[list[int], list[int]]:
    """What each piece is like, by itself and with its neighbourhood."""
    plain = _ids(list(zip(pieces.like, pieces.halves, strict=True)))
    consumers: list[list[int]] = [[] for _ in pieces.inputs]
    for i, inputs in enumerate(pieces.inputs):
        for x in inputs:
            consumers[x].append(i)
    deep = plain
    for _ in range(rounds):
        deep = _ids([(deep[i], tuple([deep[x] for x in v])) for i, v in enumerate(pieces.inputs)])
    for _ in range(rounds):
        # A value used everywhere says nothing about its place.
        deep = _ids([
            (deep[i], tuple(sorted([deep[c] for c in v])) if len(v) < _EVERYWHERE else ())
            for i, v in enumerate(consumers)
        ])  # fmt: skip
    return plain, deep


def _repeated(
    groups: list[Group], signatures: tuple[list[int], list[int]], pieces: Pieces
) -> list[Group]:
    """Repeated blocks as one group each, loops in loops too: three rounds are enough for those."""
    for _ in range(3):
        shorter = _repeats(groups, signatures, pieces)
        if len(shorter) == len(groups):
            break
        groups = shorter
    return groups


def _repeats(
    groups: list[Group], signatures: tuple[list[int], list[int]], pieces: Pieces
) -> list[Group]:
    """Runs of equal blocks become one group each."""
    plain = _group_ids(groups, signatures[0])
    deep = _group_ids(groups, signatures[1])
    folded: list[Group] = []
    at = 0
    for start, period, count in _runs(plain, deep):
        if start < at:
            continue
        folded += groups[at:start]
        stop = start + period * count
        run = groups[start:stop]
        members = [i for g in run for i in g.members]
        folded.append(Group("repeat", members, run[0].name, (), count, period, run))
        at = stop
    return folded + groups[at:]


def _group_ids(groups: list[Group], ids: list[int]) -> list[int]:
    keys: list[Hashable] = []
    for g in groups:
        if g.kind == "piece":
            keys.append(ids[g.members[0]])
        elif g.kind == "scope":
            keys.append(("scope", tuple(sorted(Counter(ids[i] for i in g.members).items()))))
        else:
            first = tuple(ids[i] for c in g.children[: g.block] for i in c.members[:64])
            keys.append((g.kind, g.count, first))
    return _ids(keys)


def _runs(plain: list[int], deep: list[int]) -> list[tuple[int, int, int]]:
    """(start, period, count) of blocks that follow each other three times or more."""
    found: list[tuple[int, int, int]] = []
    last: dict[int, int] = {}
    n, i, period, since, end = len(plain), 0, 0, 0, 0
    while i <= n:
        continues = i < n and period and deep[i] == deep[i - period]
        if not continues:
            if period and i - since >= 2 * period:
                start, stop = since - period, i
                # The ends of a chain have other neighbours: there the plain likeness decides.
                while start > end and plain[start - 1] == plain[start - 1 + period]:
                    start -= 1
                while stop < n and plain[stop] == plain[stop - period]:
                    stop += 1
                found.append((start, period, (stop - start) // period))
                end = start + period * found[-1][2]
                for j in range(i, min(end, n)):
                    last[deep[j]] = j
                i = max(i, end)
            if i >= n:
                break
            previous = last.get(deep[i], -1)
            period, since = (i - previous, i) if previous >= end else (0, 0)
        last[deep[i]] = i
        i += 1
    return found


# -- stretches --------------------------------------------------------------------------------


def _stretches(
    groups: list[Group], pieces: Pieces, most: int, keeps: bool = True
) -> list[Group]:
    """Stretches of the order, each one half of the picture; as many as there is room for."""
    wanted = max(1, most // 4)
    length = -(-len(groups) // wanted)
    halves = [pieces.halves[g.members[0]] for g in groups]
    folded: list[Group] = []
    at = 0
    while at < len(groups):
        stop = at + 1
        while stop < len(groups) and stop - at < length and halves[stop] == halves[at]:
            if keeps and "repeat" in (groups[at].kind, groups[stop].kind):
                break  # what repeats tells more than the stretch that it would be lost in
            stop += 1
        run = groups[at:stop]
        if len(run) == 1:
            folded.append(run[0])
        else:
            members = [i for g in run for i in g.members]
            folded.append(Group("stretch", members, children=run, block=len(run)))
        at = stop
    if len(folded) > most and keeps:
        return _stretches(groups, pieces, most, keeps=False)
    if len(folded) > most:  # the halves alternate: then they are not kept apart
        pieces = Pieces(pieces.inputs, pieces.like, pieces.scopes, [False] * len(pieces))
        return _stretches(groups, pieces, most, keeps=False)
    return folded
