"""Parts of a graph: the calls of the user's functions, and the `with gc.scope(...)`, that made it.

The frame of a call bears its part, in the slot for a trace function, which nothing reads while
nobody traces. So one call is told from the next of the same function without keeping its frame
alive, and the stack above it is walked once for each call, not once for each node.
"""

from __future__ import annotations

import inspect
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from .errors import NameClash
from .lines import is_internal, is_users_own, user_frame

_serials = itertools.count()


class Part:
    """A piece of a graph that has a name, and the piece that it lies in; the whole has neither.

    It is made by a call of a function of the user's or of graphc's (`logsumexp`), or by a scope.
    """

    __slots__ = ("name", "outer", "is_call", "is_ours", "depth", "serial", "met", "is_open")

    def __init__(
        self,
        name: str = "",
        outer: Part | None = None,
        is_call: bool = False,
        is_ours: bool = False,
    ) -> None:
        self.name, self.outer, self.is_call, self.is_ours = name, outer, is_call, is_ours
        self.depth: int = outer.depth + 1 if outer is not None else 0
        self.serial = next(_serials)  # parts are numbered in the order in which they were begun
        self.met: dict[Any, tuple[Any, Part]] = {}  # while it runs: nodes of others, as they were
        self.is_open = False  # whether others have some of what it built: it is not one operation

    def __call__(self, *event: object) -> None:
        """A tracer that starts while a frame bears this part finds a trace function here."""

    @property
    def chain(self) -> list[Part]:
        """The parts that this one lies in, outermost first, and itself; without the whole."""
        found: list[Part] = []
        part = self
        while part.outer is not None:
            found.append(part)
            part = part.outer
        return found[::-1]

    @property
    def path(self) -> tuple[str, ...]:
        """The names of the chain, without what graphc's own functions do."""
        return tuple([part.name for part in self.chain if not part.is_ours])

    def __repr__(self) -> str:
        return f"<part {'/'.join(self.path)}>"

    def __reduce__(self) -> Any:
        if self is WHOLE:
            return "WHOLE"
        return Part, (self.name, self.outer, self.is_call, self.is_ours)


WHOLE = Part()


class _Opened(threading.local):
    part = WHOLE  # the innermost `with gc.scope(...)` of this thread


_opened = _Opened()


# The code of all that `ir.spelling` wraps: a public function that may build several nodes.
_spelled: CodeType | None = None


def is_spelled_by(function: Callable[..., object]) -> None:
    """Frames of this function are calls of graphc's public functions."""
    global _spelled
    _spelled = function.__code__


def at_work() -> tuple[FrameType | None, Part]:
    """The innermost frame of the user's, and the part that is being made."""
    frame: FrameType | None = sys._getframe(1)
    call = within = below = None
    while frame is not None:
        code = frame.f_code
        if not is_internal[code.co_filename]:
            break
        if code is _spelled:
            call, within = frame, below
        below, frame = frame, frame.f_back
    if call is None or within is None:
        return frame, part_of(frame)
    found = call.f_trace
    if type(found) is Part:
        return frame, found
    part = part_of(frame)
    if sys.gettrace() is None:
        call.f_trace = part = Part(_name_of(within), part, is_call=True, is_ours=True)
    return frame, part


def _name_of(call: FrameType) -> str:
    """What was called: NumPy's function or the method, where that has handed the call on."""
    name, given = call.f_code.co_name, call.f_locals
    handed = {"array_function": "function", "array_ufunc": "ufunc", "array_method": "name"}
    found = given.get(handed.get(name, ""), name)
    return str(getattr(found, "__name__", found))


def part_of(frame: FrameType | None) -> Part:
    """The part that a frame of the user's is at work on."""
    if frame is None:
        return _opened.part
    found = frame.f_trace
    part = found if type(found) is Part else _entered(frame)
    # A scope opened in this call lies deeper than the call; one opened before lies around it.
    opened = _opened.part
    return opened if opened.depth > part.depth else part


def _entered(frame: FrameType) -> Part:
    """The part of a call that has made no node before."""
    if sys.gettrace() is not None:
        return WHOLE  # a debugger or a measurement of coverage has use for the slot
    calls: list[FrameType] = []
    at: FrameType | None = frame
    part, is_users = WHOLE, False
    while at is not None:
        if type(at.f_trace) is Part:
            part, is_users = part_of(at), True
            break
        # Python's own functions are no parts, nor those of installed packages and their commands.
        if is_users_own(at.f_code.co_filename):
            calls.append(at)
            is_users = at.f_code.co_name == "<module>"
        if at.f_code.co_name == "<module>":
            break
        at = at.f_back
    for at in reversed(calls):
        # Whom a library calls (a test, a thread's target) is where the program begins.
        if is_users and _is_function(at.f_code):
            part = _called(at.f_code, part)
        is_users = True
        at.f_trace = part
    return part


def _is_function(code: CodeType) -> bool:
    """Not a module, a class body, a lambda or a comprehension."""
    return bool(code.co_flags & inspect.CO_OPTIMIZED) and not code.co_name.startswith("<")


def _called(code: CodeType, outer: Part) -> Part:
    name = code.co_qualname.rpartition("<locals>.")[2]
    if code.co_name.startswith("__") and "." in name:  # of Layer.__call__, Layer says more
        name = name.rpartition(".")[0]
    part: Part | None = outer
    while part is not None:
        if part.is_call and part.name == name:
            return outer  # recursion: what it builds is one part
        part = part.outer
    return Part(name, outer, is_call=True)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Nodes made inside are a part of the graph called `name`, which pictures can fold into a box.

    Scopes nest. What is made in two scopes stays in the first. A gradient is a part of what its
    forward node is a part of. The functions in which a graph is built are parts unasked, each call
    one of its own (unless a debugger runs: it needs what tells calls apart).

    >>> import graphc as gc
    >>> with gc.scope("layer1"):
    ...     h = gc.tanh(gc.input("x", ()))
    >>> h.scope, gc.grad(h, h.inputs[0]).scope
    (('layer1',), ('layer1',))
    >>> def layer(x):
    ...     return gc.tanh(2.0 * x)
    >>> layer(layer(h)).scope
    ('layer',)
    """
    if not isinstance(name, str) or not name:
        raise NameClash(f"a scope's name must be a string that is not empty, and {name!r} is not")
    outer = _opened.part
    _opened.part = Part(name, part_of(user_frame()))
    try:
        yield
    finally:
        _opened.part = outer
