"""Steps: what was found for some nodes, written down without nodes, to be built on others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..ir import Attrs, Node, Op, topo


class Steps(NamedTuple):
    """Operations in order, the positions of their inputs (given values come first), and that of
    the result. To remember nodes would keep users' graphs alive.

    >>> import graphc as gc
    >>> x, y = gc.input("x", ()), gc.input("y", ())
    >>> steps_of(gc.exp(x * y), [x, y]).on([y, y]) is gc.exp(y * y)
    True
    """

    ops: tuple[tuple[Op, tuple[int, ...], Attrs], ...]
    result: int

    def on(self, values: Iterable[Node]) -> Node:
        """The nodes of the steps on given values."""
        found = list(values)
        for op, positions, attrs in self.ops:
            found.append(op(*(found[k] for k in positions), **attrs))
        return found[self.result]


def steps_of(v: Node, values: Sequence[Node]) -> Steps:
    """A node written down as steps from some values, of which it may be one."""
    inner = topo([v], beyond=set(values))
    at = {u: k for k, u in enumerate((*values, *inner))}
    ops = tuple((u.op, tuple(at[x] for x in u.inputs), dict(u.attrs)) for u in inner)
    return Steps(ops, at[v])
