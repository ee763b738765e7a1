"""Profile: how long each step of a compiled program takes, at the sizes that it really runs on."""

from __future__ import annotations

import builtins
import functools
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import shapes
from .draw import Drawing, draw
from .evaluate import bind
from .ir import Graph, Node
from .passes.cost import flops_of, weight
from .plan.program.emit import MARK, Program
from .plan.schedule import Step
from .plan.table import MOST_ROWS, and_more, lines_of, operation, results
from .printed import Printed
from .shapes import Dim
from .wording import columns, counted, printable

# Runs are repeated for so many nanoseconds, and at least and at most so often.
_LONGEST, _FEWEST, _MOST = 500_000_000, 5, 200
# From so many bytes on the speed of a step says something about the machine.
_WORTH_A_SPEED = 1 << 14
_ON_FLOATS = "a whole call computes with Python's floats; the steps are those that NumPy would take"
_HEAD = ("step", "operation", "result", "seconds", "share", "", "GFLOP/s", "GB/s", "line")


class Timing(NamedTuple):
    """One step of the program that ran, and how long it took."""

    step: Step
    seconds: float
    flops: int
    bytes: int
    """What it reads and writes."""


class Marked:
    """A program that marks each of its steps, compiled."""

    def __init__(self, program: Program) -> None:
        self.steps = program.marks
        self._function = program.function
        self._code = builtins.compile(program.source, "<graphc marked program>", "exec")

    def instance(self) -> tuple[Callable[..., Any], list[tuple[int, int]]]:
        """The program with memory of its own, and the list of marks and times that it adds to."""
        mark, times = _recorder()
        namespace: dict[str, Any] = {"__name__": "graphc.programs.marked", MARK: mark}
        exec(self._code, namespace)
        return namespace[self._function], times


def _recorder() -> tuple[Callable[[int], None], list[tuple[int, int]]]:
    times: list[tuple[int, int]] = []
    clock, append = time.perf_counter_ns, times.append
    return lambda k: append((k, clock())), times


class Profile(Printed):
    """The steps of one run in order, each with its median time; printing it shows a table.

    >>> import numpy as np, graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> profile = gc.compile(gc.sum(gc.exp(x))).profile(np.ones(1000))
    >>> [timing.step.node.op.name for timing in profile.steps]
    ['exp', 'sum']
    >>> sum(timing.seconds for timing in profile.steps) < 2 * profile.seconds
    True
    >>> len(profile.heat)
    2
    """

    def __init__(
        self,
        graph: Graph,
        title: str,
        steps: Sequence[Timing],
        around: tuple[float, float],
        seconds: float,
        sizes: Sizes,
        notes: Sequence[str] = (),
    ) -> None:
        self.graph, self.title, self.steps, self.notes = graph, title, tuple(steps), tuple(notes)
        self.around = around
        """Before the first step, while arguments are checked and memory is borrowed; and after."""
        self.seconds = seconds
        """A whole call of the program as it is, without marks."""
        self._sizes = sizes

    @functools.cached_property
    def heat(self) -> dict[Node, float]:
        """Seconds for each node, as `gc.draw(f, heat=...)` takes them.

        Those of a region are shared among its nodes by what these cost. A step that stands for many
        nodes is on no picture.
        """
        found: dict[Node, float] = {}
        for timing in self.steps:
            nodes = timing.step.computed
            costs = [self._sizes.cost(v) if len(nodes) > 1 else 1.0 for v in nodes]
            whole = sum(costs) or 1.0
            for v, cost in zip(nodes, costs, strict=True):
                if v in self.graph:
                    found[v] = found.get(v, 0.0) + timing.seconds * cost / whole
        return found

    def draw(self, **options: Any) -> Drawing:
        """The graph, coloured by the seconds that its nodes took; the options are `gc.draw`'s.

        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> gc.compile(gc.exp(x) * x).profile([1.0, 2.0, 3.0]).draw().svg[:4]
        '<svg'
        """
        return draw(self.graph, **{"heat": ("seconds", self.heat), "title": self.title, **options})

    def __str__(self) -> str:
        before, after = self.around
        rows = [
            _HEAD,
            ["", "arguments, sizes, memory", "", *self._times(before)],
            *self._rows(),
            ["", "results", "", *self._times(after)],
        ]
        inside = sum(timing.seconds for timing in self.steps)
        total = f"steps {_duration(inside)}, a whole call {_duration(self.seconds)}"
        return "\n".join([self.title, *columns(rows), total, *self.notes])

    def _rows(self) -> Iterator[Sequence[str]]:
        """In the order of the program; where steps are many, alike ones share a row."""
        groups = [[k] for k in range(len(self.steps))]
        if len(groups) > MOST_ROWS:
            alike: dict[Any, list[int]] = {}
            for k, timing in enumerate(self.steps):
                alike.setdefault(self._told(timing), []).append(k)
            groups = list(alike.values())
        seconds = [sum(self.steps[k].seconds for k in group) for group in groups]
        slowest = sorted(range(len(groups)), key=lambda i: -seconds[i])[:MOST_ROWS]
        for i in sorted(slowest):
            yield self._row(groups[i])
        count = sum(map(len, groups)) - sum(len(groups[i]) for i in slowest)
        if count:
            taken, share, _ = self._times(sum(seconds) - sum(seconds[i] for i in slowest))
            yield [f"   ... and {counted(count, 'step')} of less time: {taken}, {share} ..."]

    def _told(self, timing: Timing) -> tuple[str, str, str]:
        step = timing.step
        names = self.graph.names if len(self.steps) <= MOST_ROWS else {}
        return operation(step), results(step, names, self._sizes.shape), lines_of(step.computed)

    def _row(self, group: Sequence[int]) -> Sequence[str]:
        timings = [self.steps[k] for k in group]
        what, result, line = self._told(timings[0])
        seconds = sum(t.seconds for t in timings)
        flops, moved = sum(t.flops for t in timings), sum(t.bytes for t in timings)
        speeds = [
            f"{amount / seconds / 1e9:.3g}"
            if amount and seconds and moved >= _WORTH_A_SPEED * len(group)
            else ""
            for amount in (flops, moved)
        ]
        more = f" and {len(group) - 1} more" if len(group) > 1 else ""
        return [f"{group[0]}{more}", what, result, *self._times(seconds), *speeds, line]

    def _times(self, seconds: float) -> Sequence[str]:
        whole = sum(timing.seconds for timing in self.steps) + sum(self.around)
        share = seconds / (whole or 1.0)
        return _duration(seconds), f"{share:.1%}", "#" * round(20 * share)


class Sizes:
    """What formulas in sizes amount to in one run."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._known = shapes.from_sources(sizes)
        self._numbers: dict[Dim, int] = {}

    def number(self, value: Dim) -> int:
        if value not in self._numbers:
            self._numbers[value] = shapes.number(value, self._known)
        return self._numbers[value]

    def shape(self, v: Node) -> tuple[int, ...]:
        return tuple(map(self.number, v.shape))

    def cost(self, v: Node) -> float:
        """What a node costs, in multiplications."""
        if v.op.view:
            return 0.0
        return weight(v) * max(self.number(x.type.size) for x in (v, *v.inputs))

    def timing(self, step: Step, seconds: float) -> Timing:
        moved = () if all(v.op.view for v in step.computed) else (*step.reads, *step.nodes)
        size = sum(self.number(v.type.nbytes) for v in dict.fromkeys(moved) if v.ndim)
        return Timing(step, seconds, self.number(flops_of(step.computed)), size)


def profiled(
    name: str,
    graph: Graph,
    marked: Marked,
    run: Callable[..., Any],
    args: Sequence[Any],
    on_floats: bool = False,
) -> Profile:
    """The profile of a program at some arguments.

    Where Python computes with floats itself, `on_floats`, a step is shorter than measuring it: the
    steps are then those that NumPy would take.
    """
    values = dict(zip(graph.parameters, args, strict=True))
    sizes = Sizes(bind([*graph.parameters, *graph.nodes], values)[1])
    marks, after, whole, count = _measured(marked, run, args)
    first, *others = [(marked.steps[k], seconds) for k, seconds in marks]
    steps = [sizes.timing(step, seconds) for step, seconds in others if step is not None]
    given = [f"{v.name}: {v.type.with_shape(sizes.shape(v))}" for v in graph.parameters]
    taken = counted(len(steps), "step")
    title = f"{name}({printable(and_more(given, 8))}): {taken}, medians of {count} runs"
    notes = [_ON_FLOATS] if on_floats else []
    return Profile(graph, title, steps, (first[1], after), whole, sizes, notes)


def _measured(
    marked: Marked, run: Callable[..., Any], args: Sequence[Any]
) -> tuple[list[tuple[int, float]], float, float, int]:
    """The seconds before each mark, after the last, and of a whole `run`: medians of how many."""
    program, times = marked.instance()
    clock = time.perf_counter_ns
    before: dict[int, list[int]] = {}
    after: list[int] = []
    whole: list[int] = []
    program(*args), run(*args)  # the first of all makes the memory that the others use
    end = clock() + _LONGEST
    while len(whole) < _FEWEST or len(whole) < _MOST and clock() < end:
        times.clear()
        last = clock()
        program(*args)
        returned = clock()
        for k, at in times:
            before.setdefault(k, []).append(at - last)
            last = at
        after.append(returned - last)
        start = clock()
        run(*args)
        whole.append(clock() - start)
    cost = _cost_of_a_mark()
    marks = [(k, _median(taken, cost)) for k, taken in before.items()]
    return marks, _median(after), _median(whole), len(whole)


def _median(nanoseconds: Sequence[int], cost: float = 0.0) -> float:
    return max(0.0, statistics.median(nanoseconds) - cost) / 1e9


def _cost_of_a_mark() -> float:
    mark, times = _recorder()
    for k in range(1000):
        mark(k)
    return statistics.median(b - a for (_, a), (_, b) in itertools.pairwise(times))


def _duration(seconds: float) -> str:
    for unit, scale in (("s ", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.0f} ns"
