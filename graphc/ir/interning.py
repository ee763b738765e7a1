"""Interning: one node for each meaning, which is its op, its inputs and its attributes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias, TypeVar

Key: TypeAlias = tuple[Any, ...]
V = TypeVar("V")


def key_of(op: object, inputs: tuple[object, ...], attrs: Mapping[str, Any]) -> Key:
    """What nodes of one meaning have in common."""
    if not attrs:
        return op, inputs
    items = attrs.items()
    return op, inputs, tuple(items if len(attrs) == 1 else sorted(items))


class _Held(weakref.ref[V]):
    """A weak reference that knows under which key the table has it."""

    __slots__ = ("key",)
    key: Key


class Interned(MutableMapping[Key, V]):
    """Nodes by their keys, held weakly: dropping a graph forgets it.

    What weakref.WeakValueDictionary is, at half its price: every pass makes nodes.
    """

    def __init__(self) -> None:
        self._held: dict[Key, _Held[V]] = {}
        # Whoever makes a node may be the one who ends the lives of others: it is entered again.
        self._changing = threading.RLock()

    def find(self, key: Key) -> V | None:
        """The node of a key, if there is one."""
        held = self._held.get(key)
        return None if held is None else held()

    def keep(self, key: Key, node: V) -> V:
        """The node of a key: this one, or that of a thread which was faster."""
        held = _Held(node, self._forget)
        held.key = key
        with self._changing:
            first = self._held.setdefault(key, held)
            found = node if first is held else first()
            if found is None:  # it is dead, and not yet forgotten
                self._held[key], found = held, node
            return found

    def _forget(self, held: _Held[V]) -> None:
        with self._changing:
            if self._held.get(held.key) is held:
                del self._held[held.key]

    def __getitem__(self, key: Key) -> V:
        found = self.find(key)
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: Key, node: V) -> None:
        del self[key]
        self.keep(key, node)

    def __delitem__(self, key: Key) -> None:
        self._held.pop(key, None)

    def __iter__(self) -> Iterator[Key]:
        return (key for key, held in self._held.copy().items() if held() is not None)

    def __len__(self) -> int:
        return len(self._held)
