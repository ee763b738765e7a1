"""Terms that fit a line: what is too long for it is cut where least is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..ir import Node
from .in_text import text
from .reading import is_written_inside, term
from .terms import ELIDED, Term

# What is written with more operations than this is told to a fixed depth.
_MOST_OPERATIONS, _DEPTH = 40, 3
# Names are shortened to one of these lengths before anything else goes; the end of a name tells it
# from others that begin like it.
_LENGTHS, _TAIL = (30, 24, 18, 14), 6
# Of more operands no line has room.
_MOST_PARTS = 8
# "…" in place of anything shorter gains nothing.
_SHORTEST = 4

_Place = tuple[int, ...]


def fitted(v: Node, names: Mapping[Node, Term], most: int) -> Term:
    """What v is, written in named values, in a line of about so many characters.

    >>> import graphc as gc
    >>> from graphc.notation import names_of
    >>> x = gc.input("x", ())
    >>> y = gc.exp(-x) * gc.sin(x) + gc.log(x + 1)
    >>> [text(fitted(y, names_of(gc.Graph([x])), most)) for most in (40, 24, 14)]
    ['exp(−x) * sin(x) + log(x + 1)', 'exp(−x) * … + log(x + 1)', '… + log(x + 1)']
    """
    return cut(term(v, names, _depth(v, names)), most)


def cut(t: Term, most: int) -> Term:
    """A term in a line of so many characters, if it can be: one part goes rather than several."""
    if len(text(t)) <= most:
        return t
    for longest in _LENGTHS:
        t = _without(_with_short_names(t, longest))
        if len(text(t)) <= most:
            return t
    while (excess := len(text(t)) - most) > 0:
        found = [(len(text(part)), place) for place, part in _inner(t) if _may_go(part)]
        if not found:
            break
        enough = [f for f in found if f[0] > excess]
        _, place = min(enough, key=_length) if enough else max(found, key=_length)
        t = _without(t, place)
    return t


def _length(found: tuple[int, _Place]) -> int:
    return found[0]


def _depth(v: Node, names: Mapping[Node, Term]) -> int:
    """How deep v must be read to be told in full, unless that is too much for any line."""
    level, depth, count = [v], 0, 0
    while level and count <= _MOST_OPERATIONS:
        count += len(level)
        depth += 1
        level = [
            x for u in level for x in u.inputs
            if x.inputs and x not in names and not is_written_inside(x)
        ]  # fmt: skip
    return _DEPTH if level else depth + 1  # for the leaves


def _inner(t: Term, place: _Place = ()) -> Iterator[tuple[_Place, Term]]:
    """The parts of a term and theirs, the last first, but for those of what is read as one word."""
    if t.kind in ("name", "gradient", "partial"):
        return
    for k, part in reversed([*enumerate(t.parts)]):
        yield (*place, k), part
        yield from _inner(part, (*place, k))


def _may_go(t: Term) -> bool:
    """Not numbers, which are short and say much, nor what tells how an operation is meant."""
    is_option = t.kind == "name" and "=" in t.head
    return t.kind not in ("number", "elided") and not is_option and len(text(t)) >= _SHORTEST


def _without(t: Term, place: _Place | None = None, is_root: bool = True) -> Term:
    """A term without one of its parts; what is then nothing but "…" and signs is one "…"."""
    if place == ():
        return ELIDED
    parts = tuple(
        _without(part, place[1:] if place and place[0] == k else None, False)
        for k, part in enumerate(t.parts)
    )
    is_empty = t.kind in ("infix", "negative") and all(part == ELIDED for part in parts)
    return ELIDED if is_empty and not is_root else t._replace(parts=parts)


def _with_short_names(t: Term, longest: int) -> Term:
    head, parts = t.head, t.parts
    if len(parts) > _MOST_PARTS:
        parts = (*parts[:_MOST_PARTS], ELIDED)
    if t.kind == "name" and len(head) > longest and "=" not in head:
        head = f"{head[: longest - _TAIL - 1]}…{head[-_TAIL:]}"
    return t._replace(head=head, parts=tuple(_with_short_names(p, longest) for p in parts))
