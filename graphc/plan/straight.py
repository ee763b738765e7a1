"""The straight path: small values are computed line by line, each of them whole.

Where there are many they lie in memory that is kept from call to call, as large ones do. To be told
where to write takes NumPy no longer than to find new memory and let it go again, and what is cut
out of kept memory is there before the call: slices of values, and the places of those that are
joined.

Where there are few, a value is written where one lay that nobody reads any more: of twenty arrays
of a call, each in new memory, most are out of the first cache when they are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from .. import shapes
from ..ir import Graph, Node
from ..ops.joins import bounds
from ..tensor_type import TensorType
from .memory import base, is_given, joins_runs
from .plan import Plan
from .texts import Texts, told_where
from .workspace import Workspace

# From this many values on, memory is kept for them: new memory for all of them would not stay in
# the cache. Half as many do where nothing is turned or multiplied as a matrix: of those the last
# bits may depend on how operands lie in memory.
MANY = 100
_IN_PLACE = {"elementwise", "reduce"}

Models = frozenset[Node | frozenset[Node]]
"""What decides how a value lies in memory."""


class Straight:
    """Writes the lines for a graph of small values."""

    def __init__(self, graph: Graph, texts: Texts, keeps_memory: bool) -> None:
        self.graph, self.texts = graph, texts
        self.computed = [v for v in graph.nodes if not is_given(v)]
        self.plan: Plan | None = None
        self.workspace: Workspace | None = None
        self.pieces: dict[Node, str] = {}
        """What the kept memory is called in which a value lies."""
        self.parts: dict[Node, list[tuple[Node, str]]] = {}
        """Of joins what is joined, and the memory that is for it."""
        self.over: dict[Node, Node] = {}
        """Without kept memory: in place of which value one is written."""
        self.ends: dict[Node, list[Node]] = {}
        is_simple = {v.op.family for v in self.computed} <= _IN_PLACE
        if keeps_memory and len(self.computed) >= (MANY // 2 if is_simple else MANY):
            self.plan = plan = Plan(graph, in_regions=False)
            if plan.slots:
                self.workspace = Workspace(texts, plan.slots, {})
                self._cut(plan, self.workspace)
            self.ends = self._ends()
        elif keeps_memory:
            self.over = written_over(graph, self.computed)

    def _cut(self, plan: Plan, workspace: Workspace) -> None:
        """Find a piece of the workspace for each value that has a place in it."""
        for v in reversed(self.computed):  # what is joined comes before its join
            is_laid = v in plan.laid
            slot = plan.place.get(v)
            if slot is not None and (is_many(v) or takes_none(v) and not is_laid):
                self.pieces[v] = workspace.array(slot, v.type)
            if is_laid and v in self.pieces:
                self.parts[v] = [(x, workspace.cut(text)) for x, text in self._parts(v, workspace)]
                self.pieces |= {x: part for x, part in self.parts[v] if plan.within.get(x) is v}
        for v in self.computed:
            whole = v.inputs[0] if v.op.name == "getitem" and v.ndim else None
            if whole in self.pieces and is_many(whole):
                text = self.texts.filled(v.op.text(v), [self.pieces[whole]])
                self.pieces[v] = workspace.cut(text)

    def _parts(self, join: Node, workspace: Workspace) -> Iterator[tuple[Node, str]]:
        """What is joined, and where it lies."""
        whole, axis = self.pieces[join], join.attrs["axis"]
        kinds = {x.shape for x in join.inputs}
        if joins_runs(join) and len(kinds) == 1:
            shape = self.texts.size((len(join.inputs), *kinds.pop()))
            stack = workspace.cut(f"{whole}.reshape({shape})")
            yield from ((x, f"{stack}[{k}]") for k, x in enumerate(join.inputs))
        else:
            for k, x in enumerate(join.inputs):
                taken = self.texts.filled(bounds(join, k).source(), ())
                yield x, f"{whole}[{':, ' * axis}{taken}]"

    def _ends(self) -> dict[Node, list[Node]]:
        """For each node the values in new memory that it is the last to read."""
        found: dict[Node, list[Node]] = {}
        seen = {*self.graph.outputs, *self.graph.parameters, *self.pieces}
        for v in reversed(self.computed):
            ended = [x for x in dict.fromkeys(v.inputs) if x not in seen and holds_memory(x)]
            seen.update(ended)
            if ended:
                found[v] = ended
        return found

    def lines(self, v: Node) -> Iterator[str]:
        """The lines for a node, and that which lets go what nobody reads any more."""
        out = self.pieces.get(v)
        if v in self.over:
            place = self.texts.name(self.over[v])
            operands = [self.texts.operand(v, x) for x in v.inputs]
            text = self.texts.filled(*told_where(into_small, v, operands, place))
            yield f"{self.texts.name(v)} = {text}"
        elif out is None:
            yield f"{self.texts.name(v)} = {self.texts.of(v)}"
        elif v.op.view:
            self.texts.names[v] = out
        elif self.plan and v in self.plan.laid:
            self.texts.names[v] = out
            for x, part in self.parts[v]:
                if self.pieces.get(x) != part:
                    yield f"np.copyto({part}, {self.texts.operand(v, x)})"
        else:
            yield from self._written(v, out)
        if ended := self.ends.get(v):
            yield f"del {', '.join(map(self.texts.name, ended))}"

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
        text = self.texts.filled(*told_where(into_small, v, operands, out, self._spare(v)))
        if text.startswith("np.copyto(") or "out=np." in text:  # or it writes into a turned view
            yield text
            yield f"{name} = {out}"
        else:
            yield f"{name} = {text}"

    def _spare(self, v: Node) -> list[str]:
        """The memory that the computation of a value can use besides."""
        assert self.plan is not None and self.workspace is not None
        return [self.workspace.array(slot, v.type) for slot in self.plan.spare.get(v, ())]


def written_over(graph: Graph, computed: Sequence[Node]) -> dict[Node, Node]:
    """For values that a ufunc computes: those in whose memory they are written, read by nobody
    any more.

    Both are of one type, and would lie in memory alike: NumPy's results lie as their operands do,
    and the last bits of sums may depend on it. One element is not written over an operand, for
    which NumPy takes half a microsecond more.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> a = gc.exp(x)
    >>> b = gc.sqrt(a)
    >>> graph = gc.Graph([gc.tanh(b) * x])
    >>> [(v.op.name, w.op.name) for v, w in written_over(graph, graph.nodes[1:]).items()]
    [('tanh', 'exp'), ('multiply', 'sqrt')]
    """
    last = {base(x): v for v in computed for x in (*v.inputs, v)}
    kept = {base(v) for v in graph.outputs}
    free: dict[tuple[TensorType, Models], list[Node]] = {}
    models: dict[Node, Models] = {}
    found = {}
    for v in computed:
        key = v.type, _models(v, models)
        ended = [x for x in dict.fromkeys(map(base, v.inputs)) if last[x] is v and x not in kept]
        ended = [x for x in ended if is_by_ufunc(x)]
        is_seen = {base(x) for x in v.inputs if x.op.view}
        if is_by_ufunc(v):
            over = [x for x in ended if is_many(v) and (x.type, models[x]) == key]
            over = [x for x in over if x not in is_seen] or free.get(key, [])[-1:]
            if over:
                found[v] = over[0]
                (ended if over[0] in ended else free[key]).remove(over[0])
        for x in ended:
            free.setdefault((x.type, models[x]), []).append(x)
    return found


def _models(v: Node, known: dict[Node, Models]) -> Models:
    """What decides how v lies in memory; nothing does where it is a vector.

    A set stands for values that one operation reads: where they tell of no order, as vectors and
    stretched values do, or of several, its result lies row by row, and whatever is computed of it.
    A value by itself decides beside others alone.
    """
    if v in known:
        return known[v]
    found: Models = frozenset()
    if _has_order(v):
        read = [x for x in v.inputs if _has_order(x)]
        if not is_by_ufunc(v) or any(x.shape != v.shape for x in read):
            found = frozenset({frozenset({v})})
        else:
            made = frozenset[Node | frozenset[Node]]().union(
                *(_models(x, known) for x in read if is_by_ufunc(x))
            )
            given = frozenset(x for x in read if not is_by_ufunc(x))
            decided = frozenset[Node]().union(*(x for x in made if isinstance(x, frozenset)))
            found = made | (given - decided) if made else frozenset({given})
    return known.setdefault(v, found)


def _has_order(v: Node) -> bool:
    """Whether a value may lie in several ways."""
    return sum(d != 1 for d in v.shape) > 1


def is_by_ufunc(v: Node) -> bool:
    """Whether a ufunc computes v, into new memory or into that which it is told, in the same time.

    Of powers Python's operator is the quick one: it takes roots, squares and reciprocals.
    """
    is_array = v.ndim and v.op.family == "elementwise" and not v.op.view
    return bool(is_array) and v.op.name != "power" and bool(_of_ufunc(into_small(v, "out")))


def holds_memory(v: Node) -> bool:
    """Whether an array lives as long as the name of v does: a view's is that it looks at."""
    return bool(v.ndim) and v.op.family != "leaf"


def is_many(v: Node) -> bool:
    """Whether a value is surely more than one element."""
    return shapes.is_at_least(v.type.size, 2)


def takes_none(v: Node) -> bool:
    """Whether the text of v makes new memory where that which is kept is None."""
    text = into_small(v, "out")
    return v.op.name != "where" and not text.startswith("np.copyto(") and "out=np." not in text


# NumPy wants these to be told by name.
_BY_NAME = ("maximum", "minimum")
_OPERATOR = re.compile(r"x0 \S+ x1")
_METHOD = re.compile(r"([^()]*\.dot)\(([^()]*)\)")
_CALL = re.compile(r"np\.(\w+)\(([^=]*?)(?:, out=\w+)?\)")


def into_small(v: Node, out: str, spare: Sequence[str] = ()) -> str:
    """The text that writes a small value into memory.

    It is that of new memory with one argument more, by position: a name is looked up for as long as
    some dozens of elements take. Functions that are better for large arrays have more calls.

    >>> import graphc as gc
    >>> x, W = gc.input("x", (1, 32)), gc.input("W", (32, 32))
    >>> [into_small(v, "b1") for v in (x * x, gc.expm1(x), x @ W)]
    ['np.multiply(x0, x1, b1)', 'np.expm1(x0, b1)', 'x0.dot(x1, b1)']
    """
    text, told = v.op.text(v), v.op.text_into(v, out, spare) or ""
    if told.startswith("np.copyto("):
        return told
    if method := _METHOD.fullmatch(text):
        return f"{method[1]}({method[2]}, {out})"
    if v.op.family == "elementwise" and _OPERATOR.fullmatch(text):
        text = f"np.{v.op.name}(x0, x1)"
    call = _of_ufunc(text) or _of_ufunc(text := told)
    if call is None:
        return text
    by_name = "out=" if call[1] in _BY_NAME else ""
    return f"np.{call[1]}({call[2]}, {by_name}{out})"


def _of_ufunc(text: str) -> re.Match[str] | None:
    call = _CALL.fullmatch(text)
    return call if call and isinstance(getattr(np, call[1], None), np.ufunc) else None
