"""Kept memory of the straight path: where many small values lie from call to call.

To be told where to write takes NumPy no longer than to find new memory and let it go again, and
what is cut out of kept memory is there before the call: slices of values, and the places of those
that are joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ...ir import Graph, Node
from ...ops.joins import bounds
from ...passes.cost import weight
from ..memory import base, computed, takes_buffer, takes_memory
from ..places import Places
from ..schedule import Step, one_by_one
from .small_texts import into_small, is_many, returns_it
from .texts import Texts, told_where
from .workspace import Workspace


def kept(graph: Graph, texts: Texts) -> Kept | None:
    """The kept memory for a graph, where anything can lie in such; what is joined lies joined."""
    steps = one_by_one(graph)
    places = Places(graph, steps, dict(_joined(graph, steps)), over={}, has_spare=True)
    slots = {v: slot for v, slot in places.place.items() if slot is not None}
    slots = {v: slot for v, slot in slots.items() if is_many(v) or _may_be_told_none(v, places)}
    return Kept(places, slots, texts) if slots else None


class Kept:
    """The pieces of a workspace in which small values lie."""

    def __init__(self, places: Places, slots: Mapping[Node, int], texts: Texts) -> None:
        self.places, self.texts = places, texts
        self.workspace = Workspace(texts, places.slots, {})
        self.pieces: dict[Node, str] = {}
        """What the memory is called in which a value lies."""
        self.parts: dict[Node, list[tuple[Node, str]]] = {}
        """Of joins what is joined, and the memory that is for it."""
        self._cut(slots)

    def _cut(self, slots: Mapping[Node, int]) -> None:
        """Find the pieces of values that have slots, of their parts, and of slices of them."""
        nodes = computed(self.places.graph)
        for v in reversed(nodes):  # what is joined comes before its join
            if v in slots:
                self.pieces[v] = self.workspace.array(slots[v], v.type)
            if v in self.places.laid and v in self.pieces:
                self.parts[v] = [(x, self.workspace.cut(text)) for x, text in self._parts(v)]
                inside = ((x, part) for x, part in self.parts[v] if self.places.within.get(x) is v)
                self.pieces.update(inside)
        for v in nodes:
            whole = v.inputs[0] if v.op.name == "getitem" and v.ndim else None
            if whole in self.pieces and is_many(whole):
                text = self.texts.filled(v.op.text(v), [self.pieces[whole]])
                self.pieces[v] = self.workspace.cut(text)

    def _parts(self, join: Node) -> Iterator[tuple[Node, str]]:
        """What is joined, and where it lies."""
        whole, axis = self.pieces[join], join.attrs["axis"]
        kinds = {x.shape for x in join.inputs}
        if _joins_runs(join) and len(kinds) == 1:
            shape = self.texts.size((len(join.inputs), *kinds.pop()))
            stack = self.workspace.cut(f"{whole}.reshape({shape})")
            yield from ((x, f"{stack}[{k}]") for k, x in enumerate(join.inputs))
        else:
            for k, x in enumerate(join.inputs):
                taken = self.texts.filled(bounds(join, k).source(), ())
                yield x, f"{whole}[{':, ' * axis}{taken}]"

    def lines(self, v: Node) -> Iterator[str]:
        """The lines that compute a value where it lies."""
        out = self.pieces[v]
        if v.op.view:
            self.texts.names[v] = out
        elif v in self.parts:
            self.texts.names[v] = out
            for x, part in self.parts[v]:
                if self.pieces.get(x) != part:
                    yield f"np.copyto({part}, {self.texts.operand(v, x)})"
        else:
            yield from self._written(v, out)

    def _written(self, v: Node, out: str) -> Iterator[str]:
        """The lines that compute a value into memory: most calls return it."""
        name, operands = self.texts.name(v), [self.texts.operand(v, x) for x in v.inputs]
        if v.op.name == "where":
            condition, x, y = operands
            if self.pieces.get(v.inputs[2]) != out:
                yield f"np.copyto({out}, {y})"
            yield f"np.copyto({out}, {x}, where={condition})"
            yield f"{name} = {out}"
            return
        spare = [self.workspace.array(slot, v.type) for slot in self.places.spare.get(v, ())]
        text = self.texts.filled(*told_where(into_small, v, operands, out, spare))
        if returns_it(text):
            yield f"{name} = {text}"
        else:
            yield text
            yield f"{name} = {out}"


def _may_be_told_none(v: Node, places: Places) -> bool:
    """Whether the lines of v make new memory where that which is kept is None."""
    is_copied = v.op.name == "where" or v in places.laid
    return not is_copied and returns_it(into_small(v, "out"))


def _joined(graph: Graph, steps: Sequence[Step]) -> Iterator[tuple[Node, Node]]:
    """What is joined to others, once and before anybody reads all of them: it is computed there."""
    kept = {base(v) for v in graph.outputs}
    last = {v: k for k, step in enumerate(steps) for v in step.ends}
    runs: dict[Node, bool] = {}
    """Whether what lies in a join lies in one piece."""
    for step in reversed(steps):
        join = step.node
        if join.op.name != "concat" or join in kept:
            continue
        runs[join] = runs.get(join, True) and _joins_runs(join)
        for x, count in Counter(join.inputs).items():
            is_one = count == 1 and x not in kept and x not in runs and x.dtype == join.dtype
            if is_one and takes_memory(x) and takes_buffer(x) and last[x] < last[join]:
                if runs[join] or _may_be_cut(graph, x):
                    runs[x] = runs[join]
                    yield x, join


def _joins_runs(join: Node) -> bool:
    """Whether the parts of a join lie in one piece each."""
    return all(d == 1 for d in join.shape[: join.attrs["axis"]])


def _may_be_cut(graph: Graph, x: Node) -> bool:
    """Whether a value may lie in pieces: no product is made of it, and it is cheap to make."""
    is_cheap = x.op.family == "elementwise" and weight(x) <= 1 or x.op.name == "concat"
    return is_cheap and len(graph.consumers(x)) == 1
