"""What was measured, as Markdown and as data."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any

import numpy as np

from graphc.plan.carried.processor import in_vectors

from .measure import Cell, Measured
from .peers import BY_HAND, LIMIT, OURS, PEERS

INTRODUCTION = """# Benchmarks

Printed by `python -m benchmarks > docs/benchmarks.md`, with every peer installed by
`pip install 'graphc[bench]'`. `--only`, `--peers` and `--json` choose rows, peers, and a file for
all numbers."""
TIMES = """Each number is a peer's time divided by ours: above 1 we are faster. The best peer of a
row is bold; C is no peer but the limit: its column is our fraction of what the machine allows. All
results were compared with those by hand in float64 before anything was timed; then the peers took
turns, in processes of their own, and the numbers are medians over the rounds."""
COMPILING = """To build the graph, differentiate and compile, in a process that has compiled once
before; for those who compile at their first call, that call too."""
MEMORY = """What a call needs besides its arguments: traced exactly for those who use NumPy's
arrays, read from the process's peak for the others, whose numbers are coarse below some MiB. Our
last column is what a second call allocates besides its results."""


def markdown(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; all columns but the first are numbers."""
    heads = list(heads)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(number: float | None, digits: int = 3) -> str:
    """A few digits, or "-" for nothing."""
    if number is None:
        return "-"
    if number >= 10 ** (digits - 1):
        return f"{number:,.0f}"
    return f"{number:.{digits}g}" if number >= 0.001 or number == 0 else f"{number:.1e}"


def megabytes(count: int | None) -> float | None:
    return None if count is None else count / 2**20


def rivals(m: Measured) -> dict[str, float]:
    """The ratios of those who could be used instead: all but ourselves and the limit."""
    found = {name: m.ratio(name) for name in m.cells if name not in (OURS, LIMIT)}
    return {name: ratio for name, ratio in found.items() if ratio is not None}


def best(m: Measured) -> float | None:
    """The best peer's time by ours."""
    return min(rivals(m).values(), default=None)


def times(all_measured: list[Measured], peers: list[str]) -> str:
    """Our milliseconds, every peer's time by ours, and the best of them."""
    others = [name for name in peers if name not in (OURS, LIMIT)]
    limit = [name for name in peers if name == LIMIT]
    rows = []
    for m in all_measured:
        if m.row.case.only_compiling:
            continue
        ours = m.cells[OURS].seconds
        ratios = rivals(m)
        least = best(m)
        cells = [shown(ratios.get(name)) for name in others]
        marked = [
            f"**{text}**" if ratios.get(name) == least is not None else text
            for name, text in zip(others, cells, strict=True)
        ]
        limits = [shown(m.ratio(name)) for name in limit]
        rows.append([m.row.name, shown(None if ours is None else 1e3 * ours), *marked, *limits])
    return markdown(["value and gradient", "ours, ms", *others, *limit], rows)


def compiling(all_measured: list[Measured], peers: list[str]) -> str:
    """Seconds to build, differentiate and compile: the first row of each workload, all chains."""
    names = [name for name in peers if PEERS[name].compiles]
    rows, seen = [], set()
    for m in all_measured:
        if m.row.workload.name not in seen or m.row.case.only_compiling:
            seen.add(m.row.workload.name)
            cells = [m.cells[name] for name in names]
            rows.append([m.row.name, *(shown(cell.compile_seconds, 2) for cell in cells)])
    return markdown(["seconds to compile", *names], rows)


def memory(all_measured: list[Measured], peers: list[str]) -> str:
    """Peak megabytes of a first call, and what a second call of ours needs besides its results."""
    rows = [
        [
            m.row.name,
            *(shown(megabytes(m.cells[name].peak_bytes), 3) for name in peers),
            shown(megabytes(m.cells[OURS].again_bytes), 3),
        ]
        for m in all_measured
        if not m.row.case.only_compiling
    ]
    return markdown(["peak MiB of a call", *peers, "ours, again"], rows)


def slowdowns(all_measured: list[Measured]) -> str:
    """How many times the value's time value and gradients take, ours and by hand."""
    names = [name for name in (OURS, BY_HAND) if all_measured and name in all_measured[0].cells]
    rows = [
        [m.row.name, *(shown(m.slowdown(name)) for name in names)]
        for m in all_measured
        if m.slowdown(OURS) is not None
    ]
    return markdown(["time with gradient / of value", *names], rows)


def summary(all_measured: list[Measured]) -> str:
    """The whole in a few sentences."""
    ratios = [ratio for m in all_measured if (ratio := best(m)) is not None]
    if not ratios:
        return "No row has both our time and a peer's."
    lines = [
        f"Geometric mean of (best peer / ours) over {len(ratios)} rows: **{mean(ratios):.2f}**.",
        f"Faster than every peer on {sum(r > 1 for r in ratios)} of them.",
    ]
    limits = [r for m in all_measured if LIMIT in m.cells if (r := m.ratio(LIMIT)) is not None]
    if limits:
        lines.append(
            f"Geometric mean of (C / ours) over {len(limits)} rows: **{mean(limits):.2f}**."
        )
    return "\n".join(lines)


def mean(ratios: list[float]) -> float:
    """The geometric mean."""
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios))


def losses(all_measured: list[Measured]) -> str:
    """Where others do better: in time, in memory, in compiling, and in what a gradient costs."""
    worst_first = sorted(all_measured, key=lambda m: best(m) or math.inf)
    lines = [f"- {m.row.name}: {'; '.join(told)}" for m in worst_first if (told := behind(m))]
    return "\n".join(lines) or "Nowhere in this run."


def behind(m: Measured) -> list[str]:
    """What others do better on one row."""
    ours, by_hand = m.cells[OURS], m.cells.get(BY_HAND, Cell())
    if ours.note:
        return ["no result of ours, see below"]
    ratios = sorted((ratio, peer) for peer, ratio in rivals(m).items() if ratio < 1)
    told = [f"{peer} takes {shown(ratio, 2)} of our time" for ratio, peer in ratios]
    if ours.peak_bytes and by_hand.peak_bytes and ours.peak_bytes > 1.05 * by_hand.peak_bytes:
        told.append(f"{ours.peak_bytes / by_hand.peak_bytes:.1f} times the memory of {BY_HAND}")
    for peer, cell in m.cells.items():
        seconds, limit = cell.compile_seconds, ours.compile_seconds
        if PEERS[peer].compiles and peer not in (OURS, LIMIT) and seconds and limit:
            if seconds < limit:
                told.append(f"{peer} compiles in {shown(seconds / limit, 2)} of our time")
    if BY_HAND in m.cells and (slow := m.slowdown(OURS)) and (theirs := m.slowdown(BY_HAND)):
        if slow > 4 >= theirs:
            told.append(
                f"the gradient takes {slow:.1f} times the value's time, by hand {theirs:.1f}"
            )
    return told


def notes(all_measured: list[Measured]) -> str:
    """Why cells are empty, each reason once for a peer."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for m in all_measured:
        for name, cell in m.cells.items():
            if cell.note:
                rows = reasons.setdefault((name, cell.note), [])
                if m.row.workload.name not in rows:
                    rows.append(m.row.workload.name)
    return "\n".join(
        f"- {name}: {note} ({'; '.join(rows)})" for (name, note), rows in reasons.items()
    )


def machine(threads: int, peers: list[str]) -> str:
    """What ran where, without names of places."""
    installed = [name for name in peers if not PEERS[name].lacking]
    packages = {p: metadata.version(p) for name in installed for p in PEERS[name].packages}
    versions = {"Python": platform.python_version(), "NumPy": np.__version__, **packages}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    processors = f"{platform.machine()}, {os.cpu_count()} processors"
    count = "one thread" if threads == 1 else f"{threads} threads"
    # Most of the ratios hang on it.
    vectors = "with" if in_vectors("log1p") else "without"
    return f"{processors}, {vectors} AVX-512 for NumPy, {count} for each peer; {listed}."


def document(all_measured: list[Measured], peers: list[str], threads: int) -> str:
    """The page docs/benchmarks.md: everything, in the order in which one asks."""
    ways = "\n".join(f"- **{name}**: {PEERS[name].how}" for name in peers)
    parts = [
        INTRODUCTION,
        f"{machine(threads, peers)}\n\n{ways}",
        f"## Times\n\n{TIMES}\n\n{times(all_measured, peers)}",
        summary(all_measured),
        f"## Where others do better\n\n{losses(all_measured)}",
        f"## Compiling\n\n{COMPILING}\n\n{compiling(all_measured, peers)}",
        f"## Memory\n\n{MEMORY}\n\n{memory(all_measured, peers)}",
        f"## What a gradient costs\n\n{slowdowns(all_measured)}",
        f"## Empty cells\n\n{notes(all_measured) or 'None in this run.'}",
    ]
    return "\n\n".join(part for part in parts if part)


def data(all_measured: list[Measured], threads: int) -> dict[str, Any]:
    """All of it, for programs."""
    fields: Callable[[Cell], dict[str, Any]] = vars
    rows = {
        m.row.name: {
            name: {**fields(cell), "seconds": cell.seconds, "ratio": m.ratio(name)}
            for name, cell in m.cells.items()
        }
        for m in all_measured
    }
    return {"threads": threads, "python": platform.python_version(), "rows": rows}
