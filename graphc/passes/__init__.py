"""Passes: functions from Graph to Graph that change nothing in place and keep a log."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Literal

from ..errors import ArgumentError
from ..ir import Graph, Node
from .fold import fold
from .log import Log
from .prune import prune
from .rewrite import Rule, Settled, rewritten
from .rules import RULES, STRICT
from .scales import scaled, torn_apart
from .searches import Budget
from .share import LAST_SHARING, READ_SHARING, SHARING, STRICT_SHARING, shared
from .simplify import simplify

Mode = bool | Literal["strict"]
Pass = Callable[[Graph, Log], Graph]

# What is shared may let rules fire, and those let more be shared; in practice twice is enough.
_SHARINGS = 6

__all__ = [
    "PIPELINE", "Budget", "Log", "Mode", "fold", "for_reading", "prune", "regions", "rules", "run",
    "simplify", "strict_rules",
]  # fmt: skip


def rules(graph: Graph, log: Log) -> Graph:
    """Structural rewrites: what was finite stays finite, and as accurate."""
    return _ruled(graph, log, "rules", RULES)


def strict_rules(graph: Graph, log: Log) -> Graph:
    """The structural rewrites that are IEEE for IEEE: the same NaN, inf and signed zeros."""
    return _ruled(graph, log, "strict rules", STRICT)


def _ruled(graph: Graph, log: Log, name: str, which: tuple[Rule, ...]) -> Graph:
    settled = Settled(log.budget)
    found, fired = rewritten(graph, which, settled=settled)
    for _ in range(_SHARINGS):
        found, again = shared(found, SHARING if which is RULES else STRICT_SHARING)
        if not again:
            break
        found, more = rewritten(found, which, settled=settled)
        fired += again + more
    log.add(name, found, fired)
    return found


# A region that became another may be a part of a larger one, which may change once more.
_REGIONS = 3


def regions(graph: Graph, log: Log) -> Graph:
    """Elementwise regions in other forms, and the rules on what they leave, until neither fires."""
    for _ in range(_REGIONS):
        found = simplify(graph, log)
        if found is graph:
            break
        graph = rules(found, log)
    return graph


def scales(graph: Graph, log: Log) -> Graph:
    """Exponentials less the largest of their sum, where sums are divided by, or their log taken."""
    found, story = _scaled(graph, log.budget)
    torn = torn_apart(found)
    if torn:
        found, story = _scaled(graph, log.budget, torn)
    log.steps += story.steps[1:]
    return found


def _scaled(
    graph: Graph, budget: Budget, left: frozenset[Node] = frozenset()
) -> tuple[Graph, Log]:
    """The same but for exponentials that are `left`, and how it came."""
    log = Log(graph, budget)
    for _ in range(_REGIONS):
        found = scaled(graph, log, left)
        if found is graph:
            break
        graph = regions(rules(found, log), log)
    return graph, log


def last(graph: Graph, log: Log) -> Graph:
    """What is computed from what is there, in ways that no other pass need know."""
    found, fired = shared(graph, LAST_SHARING)
    if fired:
        log.add("last", found, fired)
    return found


PIPELINE: dict[Mode, tuple[Pass, ...]] = {
    False: (prune, fold),
    "strict": (prune, fold, strict_rules),
    True: (prune, fold, rules, regions, scales, last),
}


def run(graph: Graph, mode: Mode = False) -> tuple[Graph, Log]:
    """Every pass of the pipeline of a mode, in order."""
    if not isinstance(mode, Hashable) or mode not in PIPELINE:
        raise ArgumentError(f"simplify= is True, False or 'strict', not {mode!r}")
    log = Log(graph)
    for step in PIPELINE[mode]:
        graph = step(graph, log)
    return graph, log


def for_reading(graph: Graph) -> Graph:
    """The same to be read. What is computed from what is there, as `last` does, takes less time."""
    log = Log(graph)
    for step in PIPELINE[True]:
        graph = shared(graph, READ_SHARING)[0] if step is last else step(graph, log)
    return graph
