"""Which frames stand around the nodes of a picture: those of their parts that are worth one."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence, Set

from ..errors import ArgumentError
from ..ir import Node
from ..parts import WHOLE, Part

Path = tuple[str, ...]


class Frames:
    """For every part of a graph the names of the frames around it, outermost first.

    A call has a frame of its own, numbered where there are several of that name: `layer 1`, `layer
    2`, in the order of the calls. There is none around a single operation, around everything, or
    around a frame that holds all of it: a frame divides a picture. What `with gc.scope(...)` names
    stands as it was named.
    """

    def __init__(self, order: Iterable[Node], added: Set[Node] = frozenset()) -> None:
        """What was `added` to a graph stands in its frames, and makes none."""
        nodes = [v for v in order if v.inputs]
        # As it is now: another thread that builds the same node is the last call that made it.
        self._part = {v: v.part for v in nodes}
        counted = [v for v in nodes if v.origin is None and v not in added] or nodes
        self._same: dict[tuple[Part, str], Part] = {}
        self._one: dict[Part, Part] = {WHOLE: WHOLE}
        parts = [p for p in dict.fromkeys(self._part.values()) for p in p.chain]
        for part in parts:
            self._identify(part)
        self._counts = self._counted(Counter(self._part[v] for v in counted))
        inner: dict[Part, int] = {}
        for part in dict.fromkeys(self._one.values()):
            if part.outer is not None:
                outer = self._one[part.outer]
                inner[outer] = max(inner.get(outer, 0), self._counts[part])
        self._is_drawn = {
            part: not part.is_call
            or 1 < self._counts[part] < len(counted) and inner.get(part) != self._counts[part]
            for part in self._one.values()
        }
        self._paths: dict[Part, Path] = {WHOLE: ()}
        self._number_calls()

    def _identify(self, part: Part) -> None:
        """Scopes of one name in one place are one; calls never are."""
        if part in self._one:
            return
        assert part.outer is not None
        key = self._one[part.outer], part.name
        self._one[part] = part if part.is_call else self._same.setdefault(key, part)

    def _counted(self, direct: Counter[Part]) -> Counter[Part]:
        """How many operations each part holds, those of its inner parts included."""
        counts: Counter[Part] = Counter()
        for part, count in direct.items():
            for p in (WHOLE, *part.chain):
                counts[self._one[p]] += count
        return counts

    def _number_calls(self) -> None:
        """The path of every part; where several would have the same, in the order of their making.

        Scopes of one name are told apart too, where calls around them that have no frame do.
        """
        drawn = sorted(set(self._one.values()), key=lambda part: part.serial)
        outer = {p: self._outer(p) for p in drawn}
        alike = Counter((outer[p], p.name) for p in drawn if self._is_drawn[p])
        used: Counter[tuple[Part, str]] = Counter()
        for part in drawn:
            if part is WHOLE:
                continue
            above = self._paths[outer[part]]
            if not self._is_drawn[part]:
                self._paths[part] = above
                continue
            key, name = (outer[part], part.name), part.name
            if alike[key] > 1:
                used[key] += 1
                name = f"{name} {used[key]}"
            self._paths[part] = (*above, name)

    def _outer(self, part: Part) -> Part:
        """The innermost part around this one that has a frame."""
        while part.outer is not None:
            part = self._one[part.outer]
            if self._is_drawn[part] and part is not WHOLE:
                break
        return part

    def path(self, v: Node) -> Path:
        """The frames around a node; a leaf stands where it is used."""
        return () if not v.inputs else self._paths[self._one[self._part[v]]]

    @functools.cached_property
    def ours(self) -> frozenset[Path]:
        """The frames of graphc's own functions, which are drawn as one operation each."""
        drawn = (p for p in self._one.values() if p.is_ours and self._is_drawn[p])
        return frozenset(self._paths[p] for p in drawn)

    def called(self, names: Sequence[str]) -> frozenset[Path]:
        """The frames that go by some names, and those around them; `layer` is each call of it."""
        found: set[Path] = set()
        known: dict[str, None] = {}
        for part in dict.fromkeys(self._one.values()):
            path = self._paths[part]
            if self._is_drawn[part] and path:
                own = (part.name, path[-1], "/".join(path))
                known.update(dict.fromkeys(own))
                if not set(own).isdisjoint(names):
                    found.update(path[:depth] for depth in range(1, len(path) + 1))
        for name in names:
            if name not in known:
                there = f"only {', '.join(list(known)[:9])}" if known else "none"
                raise ArgumentError(f"expand= names a scope {name!r}, and the graph has {there}")
        return frozenset(found)
