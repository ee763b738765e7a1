"""The straight path: small values are computed line by line, each of them whole.

Where there are many they lie in memory that is kept from call to call, as large ones do. Where
there are few, one is written where another lay that nobody reads any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...ir import Graph, Node
from ..memory import computed, holds_memory
from ..schedule import Step
from .in_place import written_over
from .kept import Kept, kept
from .small_texts import into_small
from .texts import Texts, told_where
from .workspace import Workspace

# From this many values on, memory is kept for them: new memory for all of them would not stay in
# the cache. Half as many do where nothing is turned or multiplied as a matrix: of those the last
# bits may depend on how operands lie in memory.
MANY = 100
_SIMPLE = {"elementwise", "reduce"}


class Straight:
    """Writes the lines for a graph of small values."""

    def __init__(self, graph: Graph, texts: Texts, keeps_memory: bool) -> None:
        self.graph, self.texts = graph, texts
        self.steps = [Step((v,), v.inputs) for v in computed(graph)]
        self._kept: Kept | None = None
        self._over: dict[Node, Node] = {}
        """Without kept memory: in place of which value one is written."""
        self._ends: dict[Node, list[Node]] = {}
        is_simple = {step.node.op.family for step in self.steps} <= _SIMPLE
        if keeps_memory and len(self.steps) >= (MANY // 2 if is_simple else MANY):
            self._kept = kept(graph, texts)
            self._ends = self._found_ends()
        elif keeps_memory:
            self._over = written_over(graph)

    @property
    def kept(self) -> Mapping[Node, str]:
        """The values in kept memory, and what the pieces of it are called that they lie in."""
        return self._kept.pieces if self._kept else {}

    @property
    def workspace(self) -> Workspace | None:
        return self._kept.workspace if self._kept else None

    def _found_ends(self) -> dict[Node, list[Node]]:
        found: dict[Node, list[Node]] = {}
        seen = {*self.graph.outputs, *self.graph.parameters, *self.kept}
        for step in reversed(self.steps):
            ended = [x for x in dict.fromkeys(step.reads) if x not in seen and holds_memory(x)]
            seen.update(ended)
            found[step.node] = ended
        return found

    def lines(self, step: Step) -> Iterator[str]:
        """The lines for a node."""
        v = step.node
        if self._kept and v in self.kept:
            yield from self._kept.lines(v)
        else:
            text = self._in_place(v) if v in self._over else self.texts.of(v)
            yield f"{self.texts.name(v)} = {text}"

    def ended(self, step: Step) -> list[Node]:
        """Where memory is kept: the values in new memory that a node is the last to read."""
        return self._ends.get(step.node, [])

    def _in_place(self, v: Node) -> str:
        operands = [self.texts.operand(v, x) for x in v.inputs]
        place = self.texts.name(self._over[v])
        return self.texts.filled(*told_where(into_small, v, operands, place))
