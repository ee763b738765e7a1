"""How nodes come about: for whom they are built, on which line, in which part of the graph.

A node is built for the user, at a statement of theirs; for a forward node, while backprop runs; or
in the place of one that is rebuilt. It is one object however often it is asked for, so whose it is
can change: what the user writes is the user's, whoever built it first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..lines import OnTheWay, Where
from ..parts import WHOLE, Part, at_work
from ..tensor_type import TensorType
from .node import Attrs, Node, tell

if TYPE_CHECKING:
    from .op import Op


class _Building(threading.local):
    """For whom this thread builds nodes: the forward node while backprop runs, else nobody."""

    state: tuple[Node | None, Where | None, Part] = (None, None, WHOLE)


_building = _Building()


@contextmanager
def building_for(origin: Node) -> Iterator[Callable[[Node], None]]:
    """Nodes built inside belong to the line of `origin`; call what is yielded to change it."""
    outer = _building.state

    def change(node: Node) -> None:
        _building.state = node, node.where, node.part

    try:
        change(origin)
        yield change
    finally:
        _building.state = outer


@contextmanager
def standing_for(node: Node) -> Iterator[None]:
    """Nodes built inside do in another graph what `node` does in its own: they have its line."""
    outer = _building.state
    try:
        _building.state = node.origin, node.where, node.part
        yield
    finally:
        _building.state = outer


@contextmanager
def on_the_way() -> Iterator[None]:
    """Nodes built inside are part of what the user's variable holds, and have not its name."""
    outer = _building.state
    try:
        if outer[1] is None:
            frame, part = at_work()
            if frame is not None:
                _building.state = outer[0], OnTheWay(frame.f_code, frame.f_lasti), part
        yield
    finally:
        _building.state = outer


class _Draft(Node):
    """A node while it is made: what it consists of can be set, as fast as that of any object."""

    __slots__ = ()
    __setattr__, __delattr__ = object.__setattr__, object.__delattr__  # type: ignore[assignment]


def built(op: Op, inputs: tuple[Node, ...], attrs: Attrs, type_: TensorType) -> Node:
    """A new node, made here and now."""
    origin, where, part = _building.state
    if where is None:
        frame, part = at_work()
        where = None if frame is None else Where(frame.f_code, frame.f_lasti)
    node = object.__new__(_Draft)
    node.op, node.inputs, node.attrs, node.type = op, inputs, attrs, type_
    node.where, node.part, node.origin = where, part, origin
    node.adjoint_of = node.differentiated = node.given_name = None
    node.__class__ = Node  # type: ignore[assignment]
    return node


def rebuilt(old: Node, inputs: tuple[Node, ...], type_: TensorType) -> Node:
    """A node's operation on other inputs, and all else that is told of it."""
    node = object.__new__(_Draft)
    node.op, node.inputs, node.attrs, node.type = old.op, inputs, old.attrs, type_
    node.where, node.part, node.origin = old.where, old.part, old.origin
    node.adjoint_of, node.differentiated = old.adjoint_of, old.differentiated
    node.given_name = old.given_name
    node.__class__ = Node  # type: ignore[assignment]
    return node


def adopt(new: Node, old: Node) -> None:
    """What was built for a node takes its place: its line, its name, the node it is adjoint of.

    What else was built has its line only.
    """
    if new.origin is not old:
        return
    tell(new, adjoint_of=old.adjoint_of, differentiated=old.differentiated)
    tell(new, given_name=old.given_name, origin=old.origin)
    for x in new.inputs:
        belong(x, old)


def belong(new: Node, old: Node) -> None:
    """What was built for a node has its line, and is of a gradient only where that is."""
    fresh = [new]
    while fresh:
        v = fresh.pop()
        if v.origin is old:
            tell(v, origin=old.origin)
            if v.where is not None:
                tell(v, where=OnTheWay(*v.where))
            fresh.extend(v.inputs)


def meet(node: Node, old: Node | None = None) -> None:
    """Note that a node, which exists already, is asked for once more: by the user, or as what an
    old one that is rebuilt becomes.
    """
    _, where, part = _building.state if old is None else (None, old.where, old.part)
    is_users = where is None
    if is_users:
        frame, part = at_work()
        if part is not node.part and node.inputs and node.origin is None:
            if part.is_ours:
                part.met.setdefault(node, (node.where, node.part))
            else:
                node.part.is_open = True
    # A scope keeps what it made; of the calls that made a node, the last one has it.
    if part is not node.part and node.inputs and (is_users or node.origin is not None):
        if node.part is WHOLE or node.part.is_call:
            tell(node, part=part)
    if not is_users:
        return
    where = None if frame is None else Where(frame.f_code, frame.f_lasti)
    if node.origin is not None or (where is not None and where.assigned_name):
        # What a gradient built first, or what is given a variable again, is the user's here.
        tell(node, origin=None, adjoint_of=None, differentiated=None, where=where)


def leave_name(made: Node) -> None:
    """What the call that made a node built on the way is not what its variable holds."""
    is_users = _building.state[1] is None
    waiting, seen = [made] if is_users else [], {made}
    while waiting:
        for v in waiting.pop().inputs:
            if v not in seen and v.part is made.part and v.where == made.where:
                seen.add(v)
                waiting.append(v)
                if type(v.where) is Where:
                    tell(v, where=OnTheWay(*v.where))


def leave_others(made: Node, call: Part) -> None:
    """What a variable holds, or another call has returned, stays theirs where the call that
    returns this node has built it again on the way: the mean in a standard deviation.
    """
    held = {v for v, was in call.met.items() if v is not made and _is_held(*was)}
    returned = {part for v in held if (part := call.met[v][1]).is_ours}
    for v, (where, part) in call.met.items():
        if v in held or (v is not made and part in returned):
            tell(v, where=where, part=part)
            call.is_open = True
        else:
            part.is_open = True
    call.met.clear()


def _is_held(where: Where | None, part: Part) -> bool:
    """Whether a variable has a node, or one of graphc's functions has returned it."""
    if where is None or type(where) is OnTheWay:
        return False
    return part.is_ours or where.assigned_name is not None
