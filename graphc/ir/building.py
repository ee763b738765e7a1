"""For whom nodes are built: the user, a forward node while backprop runs, or what is rebuilt.

And by what: by statements of the user's, or by a plain function that is traced.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..lines import Where
from ..parts import WHOLE, Part

if TYPE_CHECKING:
    from .node import Node


class _Building(threading.local):
    """For whom this thread builds nodes: the forward node while backprop runs, else nobody."""

    state: tuple[Node | None, Where | None, Part] = (None, None, WHOLE)


building = _Building()


class _Tracing(threading.local):
    """How many plain functions this thread is tracing, one inside the other."""

    depth = 0


tracing = _Tracing()


@contextmanager
def building_for(origin: Node) -> Iterator[Callable[[Node], None]]:
    """Nodes built inside belong to the line of `origin`; call what is yielded to change it."""
    outer = building.state

    def change(node: Node) -> None:
        building.state = node, node.where, node.part

    try:
        change(origin)
        yield change
    finally:
        building.state = outer


@contextmanager
def standing_for(node: Node) -> Iterator[None]:
    """Nodes built inside do in another graph what `node` does in its own: they have its line."""
    outer = building.state
    try:
        building.state = node.origin, node.where, node.part
        yield
    finally:
        building.state = outer
