"""Comments: the user's lines, each above what it became in a program."""

from __future__ import annotations

from collections.abc import Iterator

from ...ir import Node
from ...lines import Where


class Comments:
    """Writes the comments of one block of lines, which a reader may come to first."""

    def __init__(self) -> None:
        self.last = ""
        self.known: dict[tuple[Where, bool], str] = {}

    def above(self, v: Node) -> Iterator[str]:
        """The user's line that a node belongs to, where it is not the one before."""
        if v.where is None or v.op.family == "leaf":  # a size belongs to all lines that read it
            return
        key = v.where, v.origin is not None
        if key not in self.known:
            role = "gradient of " if v.origin is not None else ""
            self.known[key] = f"# {role}{v.where.place}   {v.where.text}".rstrip()
        if self.known[key] != self.last:
            self.last = self.known[key]
            yield self.last
