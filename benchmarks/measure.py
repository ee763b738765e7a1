"""The measurements: results first, then times by turns, peer after peer, round after round."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .peers import BY_HAND, OURS
from .worker import Built, Failed, Worker
from .workload import Row

TOLERANCE = {"float64": 1e-8, "float32": 1e-3}  # relative to the largest element
PAUSE = 0.015  # between peers: threads that wait busily go to sleep
LEAST_ROUNDS, MOST_ROUNDS = 3, 21


@dataclass
class Cell:
    """What one peer showed on one row."""

    compile_seconds: float | None = None
    times: list[float] = field(default_factory=list)  # seconds of one call, one for each round
    value_times: list[float] = field(default_factory=list)  # the same for the value alone
    peak_bytes: int | None = None
    again_bytes: int | None = None
    note: str = ""  # why there is nothing to show
    is_wrong: bool = False

    @property
    def seconds(self) -> float | None:
        """The median."""
        return statistics.median(self.times) if self.times else None


@dataclass
class Measured:
    """A row with the cells of all peers."""

    row: Row
    cells: dict[str, Cell]

    def ratio(self, peer: str) -> float | None:
        """The peer's time by ours: the median over the rounds, so that drifts cancel."""
        theirs, ours = self.cells[peer].times, self.cells[OURS].times
        if not theirs or not ours:
            return None
        return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))

    def slowdown(self, peer: str) -> float | None:
        """How many times the value alone the value with its gradients takes."""
        cell = self.cells[peer]
        if not cell.times or not cell.value_times:
            return None
        return statistics.median(a / b for a, b in zip(cell.times, cell.value_times, strict=True))


def difference(results: list[Any], reference: tuple[Any, ...]) -> float:
    """The largest difference, relative to the largest element of each result."""
    if len(results) != len(reference):
        return float("inf")
    worst = 0.0
    for got, want in zip(map(np.asarray, results), map(np.asarray, reference), strict=True):
        if got.size != want.size:
            return float("inf")
        error = np.abs(got.ravel().astype(np.float64) - want.ravel()).max(initial=0)
        worst = np.maximum(worst, error / (np.abs(want).max(initial=0) + 1e-300))  # keeps NaN
    return float(worst)


def measure(row: Row, workers: dict[str, Worker], limit: float, seconds: float) -> Measured:
    """All peers on one row: at most `limit` s for each answer, about `seconds` for the rounds."""
    cells, faces, reference = {}, {}, row.reference
    for name, worker in workers.items():
        cell = cells[name] = Cell()
        try:
            built = worker.ask("prepare", row.name, False, limit=limit)
            cell.compile_seconds = built.compile_seconds
            cell.peak_bytes, cell.again_bytes = built.peak_bytes, built.again_bytes
            error = difference(built.results, reference)
            cell.is_wrong = not error <= TOLERANCE[row.case.dtype]
            if cell.is_wrong:
                raise Failed(f"WRONG: results differ by {error:.1e}")
            if row.case.only_compiling:
                continue
            faces[name, False] = built
            if name in (OURS, BY_HAND) and row.workload.along is None:
                faces[name, True] = worker.ask("prepare", row.name, True, limit=limit)
        except Failed as reason:
            cell.note = str(reason)
    rounds(cells, faces, workers, limit, seconds)
    return Measured(row, cells)


def rounds(
    cells: dict[str, Cell],
    faces: dict[tuple[str, bool], Built],
    workers: dict[str, Worker],
    limit: float,
    seconds: float,
) -> None:
    """Every face in turn, forth and back, as often as time allows."""
    start = time.perf_counter()
    for count in range(MOST_ROUNDS):
        if count >= LEAST_ROUNDS and time.perf_counter() - start > seconds:
            break
        for name, only_value in list(faces)[:: 1 if count % 2 == 0 else -1]:
            cell = cells[name]
            time.sleep(PAUSE)
            try:
                repeats = faces[name, only_value].repeats
                found = workers[name].ask("time", only_value, repeats, limit=limit)
                (cell.value_times if only_value else cell.times).append(found)
            except Failed as reason:
                cell.note, cell.times, cell.value_times = str(reason), [], []
                faces = {face: built for face, built in faces.items() if face[0] != name}


@contextmanager
def workers_for(peers: list[str], threads: int) -> Iterator[dict[str, Worker]]:
    """A worker for each peer, all with the same number of threads, caches of compilers empty."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
            os.environ[f"{name}_NUM_THREADS"] = str(threads)
        os.environ["PYTENSOR_FLAGS"] = f"base_compiledir={folder}/pytensor"
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = f"{folder}/torch"
        workers = {name: Worker(name, threads) for name in peers}
        try:
            yield workers
        finally:
            for worker in workers.values():
                worker.end()
