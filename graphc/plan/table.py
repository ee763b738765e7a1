"""The plan as text, a row for each step; and as lanes: which value lies in which memory, and when.

Bytes count arrays that the program makes: neither inputs nor single numbers, nor the buffers of one
tile, which do not grow with the sizes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..ir import Node
from ..notation import fitted, names_of, text
from ..passes.cost import flops_of, weight
from ..shapes import Dim, Shape, of_terms, terms, typical
from ..wording import columns, printable
from .memory import takes_memory
from .places import Places
from .schedule import Step

# A longer table shows its beginning and its end, and says what lies between.
MOST_ROWS = 40
# A value without a name is called by so many characters of its formula.
_LABEL = 24
_HEAD = ("step", "operation", "result", "place", "bytes live", "flops", "line")


class Bar(NamedTuple):
    """A value of a plan, from the step that computes it to the last that reads it."""

    step: int
    """The step that computes it, as the plan counts them."""
    label: str
    lane: int | str
    """The buffer that it lies in: the number of a slot, or a name for others."""
    first: int
    last: int
    bytes: str
    """A formula in the sizes."""
    kind: str
    """input, constant, operation, output, loss or gradient."""
    where: str = ""
    """The user's line."""


def lanes(plan: Places) -> list[Bar]:
    """The values that take memory, in the order in which they are computed."""
    last = {v: k for k, step in enumerate(plan.steps) for v in step.ends}
    outputs, terms = set(plan.graph.outputs), names_of(plan.graph)
    losses = {v.differentiated for v in plan.graph.nodes}
    end = len(plan.steps) - 1

    def kind(v: Node) -> str:
        if v.origin is not None:
            return "gradient"
        return "operation" if v not in outputs else "loss" if v in losses else "output"

    def bar(k: int, v: Node) -> Bar:
        name = text(terms.get(v) or fitted(v, terms, _LABEL))
        size, until = str(v.type.nbytes), last.get(v, end)
        return Bar(k, name, _place(plan, v), k, until, size, kind(v), lines_of([v]))

    return [bar(k, v) for k, step in enumerate(plan.steps) for v in step.nodes if takes_memory(v)]


def table(plan: Places) -> str:
    """A row for each step, and what all of them need together."""
    steps, names = plan.steps, plan.graph.names
    first, count = _ends_shown(len(steps))
    shown = {*range(first), *range(count, len(steps))}
    live, peaks = _live(steps, shown)
    rows: list[Sequence[str]] = [_HEAD]
    for k in sorted(shown):
        if k == count and first < count:
            rows.append([_left_out(steps[first:count])])
        step = steps[k]
        rows.append((
            str(k), operation(step), results(step, names, lambda v: v.shape), _places(plan, step),
            live[k], formula(flops_of(step.computed)), lines_of(step.computed),
        ))  # fmt: skip
    return "\n".join([*columns(rows), *_totals(plan, peaks)])


# What the tables of plans and of profiles have in common


def operation(step: Step) -> str:
    """What a step does: one operation, or how many and which of them cost most."""
    if len(step.computed) == 1:
        return step.node.op.name
    costs: Counter[str] = Counter()
    for v in step.computed:
        costs[v.op.name] += round(10 * weight(v)) if not v.op.view else 0
    names = sorted(costs, key=lambda name: -costs[name])
    more = " ..." if len(names) > 3 else ""
    return f"{len(step.computed)} operations: {', '.join(names[:3])}{more}"


def results(step: Step, names: Mapping[Node, str], shape: Callable[[Node], Shape]) -> str:
    """What others read of a step, with types."""
    types = {v: v.type.with_shape(shape(v)) for v in step.nodes}
    told = [f"{names[v]} : {t}" if v in names else str(t) for v, t in types.items()]
    return printable(and_more(told, 2))


def lines_of(nodes: Iterable[Node]) -> str:
    """The user's lines that some nodes belong to: the text of one, or where several stand."""
    roles: dict[Any, set[bool]] = {}
    for v in nodes:
        if v.where is not None and v.op.family != "leaf":
            roles.setdefault((v.where.place, v.where.text), set()).add(v.origin is not None)
    if not roles:
        return ""
    role = "gradient of " if all(False not in found for found in roles.values()) else ""
    if len(roles) == 1:
        ((place, text),) = roles
        return f"{role}{place}   {text if len(text) <= 60 else text[:57] + '...'}".rstrip()
    numbers: dict[str, list[str]] = {}
    for place, _ in roles:
        file, _, line = place.rpartition(":")
        numbers.setdefault(file, []).append(line)
    return role + "; ".join(f"{file}:{and_more(found, 3)}" for file, found in numbers.items())


def formula(value: Dim) -> str:
    """A number of bytes or operations: what is known is grouped by thousands."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def and_more(texts: Sequence[str], most: int) -> str:
    """Some texts, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


# Memory


def _place(plan: Places, v: Node) -> int | str:
    """The number of the slot in which a value lies, or what its memory is else."""
    whole = plan.whole(v)
    if whole not in plan.place:
        return "NumPy's array"
    slot = plan.place[whole]
    return "new array" if slot is None else slot


def _places(plan: Places, step: Step) -> str:
    """Where the results of a step lie."""
    found = []
    for v in step.nodes:
        place = _place(plan, v) if takes_memory(v) else "view" if v.ndim else "number"
        found.append(f"slot {place}" if isinstance(place, int) else place)
    return and_more(list(dict.fromkeys(found)), 3)


Terms = Counter[Dim]


def _live(steps: Sequence[Step], shown: set[int]) -> tuple[dict[int, str], list[tuple[int, Dim]]]:
    """The bytes that live at some steps; and at which the most do, where no other has more."""
    live: Terms = Counter()
    told: dict[int, str] = {}
    peaks: list[tuple[int, Terms]] = []
    for k, step in enumerate(steps):
        for v in filter(takes_memory, step.nodes):
            live.update(terms(v.type.nbytes))
        if k in shown:
            told[k] = formula(of_terms(live))
        ended = list(filter(takes_memory, step.ends))
        # Memory grows until something ends: only there it may be at its largest.
        if (ended or k == len(steps) - 1) and not any(_covers(most, live) for _, most in peaks):
            peaks = [(j, most) for j, most in peaks if not _covers(live, most)]
            peaks.append((k, live.copy()))
        for v in ended:
            live.subtract(terms(v.type.nbytes))
    return told, [(k, of_terms(most)) for k, most in peaks]


def _covers(a: Terms, b: Terms) -> bool:
    return all(a[m] >= c for m, c in b.items())


def _totals(plan: Places, peaks: Sequence[tuple[int, Dim]]) -> Iterator[str]:
    yield f"workspace: {formula(plan.workspace)} in {len(plan.slots)} slots, kept between calls"
    yield f"peak: {_told(peaks)}"


def peak(plan: Places) -> str:
    """The most bytes that live at once, and when: formulas, of which the sizes choose."""
    return _told(_live(plan.steps, set())[1])


def _told(peaks: Sequence[tuple[int, Dim]]) -> str:
    # Which is the largest depends on the sizes: of many those are told that mostly are.
    mostly = sorted(peaks, key=lambda peak: -typical(peak[1]))[:2] if len(peaks) > 3 else peaks
    told = [f"{formula(size)} at step {k}" for k, size in sorted(mostly, key=lambda peak: peak[0])]
    if len(peaks) > 3:
        told.append(f"one of {len(peaks) - 2} others")
    return " or ".join(told or ["0"])


def _ends_shown(count: int) -> tuple[int, int]:
    """How many steps are shown from the first, and from which on the last ones are."""
    if count <= MOST_ROWS:
        return count, count
    return MOST_ROWS // 2, count - MOST_ROWS // 2


def _left_out(steps: Sequence[Step]) -> str:
    """What the steps do that have no row: alike ones are counted."""
    kinds = Counter(operation(step) for step in steps).most_common()
    told = ", ".join(f"{count} times {name}" for name, count in kinds[:4])
    more = f" and {len(kinds) - 4} other kinds" if len(kinds) > 4 else ""
    work = formula(flops_of(v for step in steps for v in step.computed))
    return f"   ... {len(steps)} more steps, {work} flops: {told}{more} ..."
