"""The straight path: small values are computed line by line, each of them whole.

Where there are many they lie in memory that is kept from call to call, as large ones do. Where
there are few, one is written where another lay that nobody reads any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...ir import Graph, Node
from ..memory import computed, holds_memory
from .in_place import written_over
from .kept import Kept, kept
from .small_texts import into_small
from .texts import Texts, told_where

# From this many values on, memory is kept for them: new memory for all of them would not stay in
# the cache. Half as many do where nothing is turned or multiplied as a matrix: of those the last
# bits may depend on how operands lie in memory.
MANY = 100
_SIMPLE = {"elementwise", "reduce"}


class Straight:
    """Writes the lines for a graph of small values."""

    def __init__(self, graph: Graph, texts: Texts, keeps_memory: bool) -> None:
        self.graph, self.texts = graph, texts
        self.computed = computed(graph)
        self.kept: Kept | None = None
        self.over: dict[Node, Node] = {}
        """Without kept memory: in place of which value one is written."""
        self.ends: dict[Node, list[Node]] = {}
        """With it: the values in new memory that each node is the last to read."""
        is_simple = {v.op.family for v in self.computed} <= _SIMPLE
        if keeps_memory and len(self.computed) >= (MANY // 2 if is_simple else MANY):
            self.kept = kept(graph, texts)
            self.ends = self._ends()
        elif keeps_memory:
            self.over = written_over(graph)

    def _ends(self) -> dict[Node, list[Node]]:
        found: dict[Node, list[Node]] = {}
        seen = {*self.graph.outputs, *self.graph.parameters}
        seen.update(self.kept.pieces if self.kept else ())
        for v in reversed(self.computed):
            ended = [x for x in dict.fromkeys(v.inputs) if x not in seen and holds_memory(x)]
            seen.update(ended)
            if ended:
                found[v] = ended
        return found

    def lines(self, v: Node) -> Iterator[str]:
        """The lines for a node, and that which lets go what nobody reads any more."""
        if self.kept and v in self.kept.pieces:
            yield from self.kept.lines(v)
        else:
            text = self._in_place(v) if v in self.over else self.texts.of(v)
            yield f"{self.texts.name(v)} = {text}"
        if ended := self.ends.get(v):
            yield f"del {', '.join(map(self.texts.name, ended))}"

    def _in_place(self, v: Node) -> str:
        operands = [self.texts.operand(v, x) for x in v.inputs]
        place = self.texts.name(self.over[v])
        return self.texts.filled(*told_where(into_small, v, operands, place))
