"""One process for each peer: it builds functions for rows, and times them when told to.

Peers in processes of their own do not share thread pools, allocators or settings; one that crashes
or takes too long is ended without harm to the others; and each one's memory is its own.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import sys
import tracemalloc
import warnings
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .peers import PEERS
from .workloads import FIRST, ROWS

BLOCK = 0.01  # seconds of calls that are timed together, at least
WARMING = 0.005  # seconds of calls before them
SLOW = 0.05  # a call of that many seconds warms itself


class Failed(Exception):
    """A peer gave no answer; the text says why."""


@dataclass
class Built:
    """What building and the first calls showed."""

    results: list[Any]
    compile_seconds: float
    repeats: int = 0  # calls in a block; 0 is one that needs no others before it
    peak_bytes: int | None = None  # of the first call, arguments excluded
    again_bytes: int | None = None  # of a later call, its results excluded too


class Bench:
    """The worker's side: one function at a time for each face of a row."""

    def __init__(self, peer_name: str) -> None:
        self.peer = PEERS[peer_name]
        self.build = self.peer.build
        self.calls: dict[bool, Any] = {}
        self.build(FIRST.smallest.job())()

    def prepare(self, row_name: str, only_value: bool) -> Built:
        """Build a row's function; what was built for other rows is forgotten."""
        row = ROWS[row_name]
        if not only_value:
            self.calls.clear()
            gc.collect()
        job = row.job(only_value)
        start = perf_counter()
        call = self.calls[only_value] = self.build(job)
        compile_seconds = perf_counter() - start
        if row.case.only_compiling:
            return Built([np.array(v) for v in call()], compile_seconds)
        peak, again = traced(call) if self.peer.in_numpy else (resident(call), None)
        built = Built([np.array(v) for v in call()], compile_seconds, 0, peak, again)
        once = min(timed(call, 1) for _ in range(3))
        built.repeats = max(1, round(BLOCK / once)) if once < SLOW else 0
        return built

    def time(self, only_value: bool, repeats: int) -> float:
        """Seconds of one call, of many in a row."""
        call, start = self.calls[only_value], perf_counter()
        while repeats and perf_counter() - start < WARMING:
            call()
        return timed(call, max(1, repeats))


def timed(call: Any, repeats: int) -> float:
    """Seconds of one call, as timeit measures: without the collector."""
    gc.disable()
    try:
        start = perf_counter()
        for _ in range(repeats):
            call()
        return (perf_counter() - start) / repeats
    finally:
        gc.enable()


def traced(call: Any) -> tuple[int, int]:
    """Peak bytes of a first call, and of a second one without its results: exact, for NumPy."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        call()
        _, peak = tracemalloc.get_traced_memory()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        results = call()
        _, peak_again = tracemalloc.get_traced_memory()
        made = sum(np.asarray(v).nbytes for v in results)
        return peak - before, peak_again - held - made
    finally:
        tracemalloc.stop()


def resident(call: Any) -> int | None:
    """By how much a call raises the memory that the process occupies, where Linux tells."""
    gc.collect()
    try:
        # What was freed goes back, else a call that takes it again would seem to need nothing.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
        before = status("VmRSS")
        call()
        return max(0, status("VmHWM") - before)
    except (OSError, AttributeError):
        return None


def status(field: str) -> int:
    """Bytes that /proc/self/status tells."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def serve(connection: Any, peer_name: str, threads: int) -> None:
    """Answer orders until told to stop: ("prepare", ...) and ("time", ...)."""
    if hasattr(os, "sched_setaffinity"):  # before the peer counts processors
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(100_000)  # some peers walk deep graphs by recursion
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    bench = None
    while (order := connection.recv()) is not None:
        name, *details = order
        try:
            if bench is None:
                bench = Bench(peer_name)
            connection.send(getattr(bench, name)(*details) if name else None)
        except Exception as error:
            text = str(error).strip().partition("\n")[0]
            connection.send(Failed(text if text else type(error).__name__))


class Worker:
    """The other side: starts a peer's process when needed, and ends it when it takes too long."""

    def __init__(self, peer_name: str, threads: int) -> None:
        self.peer_name, self.threads = peer_name, threads
        self.process: Any = None
        self.connection: Any = None

    def ask(self, *order: Any, limit: float) -> Any:
        """The answer to an order, within some seconds."""
        if self.process is None:
            self.start()
        try:
            self.connection.send(order)
            if not self.connection.poll(limit):
                self.end()
                raise Failed(f"took more than {limit:.0f} s")
            reply = self.connection.recv()
        except (EOFError, OSError) as error:
            self.end()
            raise Failed("its process died") from error
        if isinstance(reply, Failed):
            raise reply
        return reply

    def start(self) -> None:
        """A fresh process, which has imported the peer and compiled once."""
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = (theirs, self.peer_name, self.threads)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.ask("", limit=300)

    def end(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None
