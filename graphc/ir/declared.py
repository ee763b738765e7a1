"""The order in which inputs were declared: the order of a program's arguments."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from ..lines import caller
from .node import Node, tell

# The order in which this thread, or else any thread, last declared its inputs.
_declared = itertools.count()
_latest: WeakKeyDictionary[Node, int] = WeakKeyDictionary()


class _Declarations(threading.local):
    def __init__(self) -> None:
        self.order: WeakKeyDictionary[Node, int] = WeakKeyDictionary()


_mine = _Declarations()


def declare(node: Node) -> Node:
    """Note that the user declares this input here and now, whoever may have done so before."""
    tell(node, where=caller())
    _mine.order[node] = _latest[node] = next(_declared)
    return node


def declaration(node: Node) -> int:
    """Where an input stands in the order of declaration."""
    return _mine.order.get(node, _latest.get(node, 0))


def declare_as_read(nodes: Iterable[Node]) -> None:
    """Inputs that come from a pickle, in their order there, after those that are known here."""
    for node in nodes:
        if node not in _latest:
            _mine.order[node] = _latest[node] = next(_declared)
