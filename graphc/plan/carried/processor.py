"""What a program asks of the processor that it runs on."""

from __future__ import annotations

import functools
import os
import sys

import numpy as np


def available_threads() -> int:
    """How many threads can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def in_vectors(name: str) -> bool:
    """Whether NumPy computes a function many elements at a time: most only on some processors, and
    out of a library that is there on Linux alone."""
    introspect = getattr(np.lib, "introspect", None)  # NumPy 1 has none
    if introspect is None or sys.platform != "linux":
        return False
    found = introspect.opt_func_info(func_name=f"^{name}$", signature="^float64")
    ways = found.get(name, {}).values()
    return bool(ways) and not any(way["current"].startswith("baseline") for way in ways)
