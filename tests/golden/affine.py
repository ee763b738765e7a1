"""affine: a NumPy program written by graphc. It needs NumPy alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np


@np.errstate(all="ignore")
def affine(X, W, b):
    """
    X : f64[n, d]
    W : f64[d, 3]
    b : f64[n, 1]
    -> f64[n, 3]
    """
    X = as_input('X', X, np.float64, 2)
    W = as_input('W', W, np.float64, 2)
    b = as_input('b', b, np.float64, 2)
    n = X.shape[0]
    d = X.shape[1]
    if W.shape != (d, 3):
        raise wrong_shape('W', W.shape, (d, 3), ('d', '3'), (' (d is axis 1 of X)', ''))
    if b.shape != (n, 1):
        raise wrong_shape('b', b.shape, (n, 1), ('n', '1'), (' (n is axis 0 of X)', ''))
    if 3 * n <= 16384:
        # golden_programs.py:17   return X @ W + b
        t1 = X.dot(W)
        t2 = t1 + b
        return t2
    # golden_programs.py:17   return X @ W + b
    t1 = np.empty((n, 3), np.float64)
    matrix_product(X, W, out=t1)
    t2 = t1
    in_tiles(affine_rows, n, 56, 3, 0, None, 0, (), t1, b, t2)
    return t2


def affine_rows(start, stop, tile, scratch, all_t1, all_b, all_t2):
    for first in range(start, max(stop, 1), tile):
        last = min(first + tile, stop)
        t1 = all_t1[first:last]
        b = all_b[first:last]
        t2 = all_t2[first:last]
        # golden_programs.py:17   return X @ W + b
        np.add(t1, b, out=t2)
    return ()


class BindError(TypeError, ValueError):
    """An argument that does not fit the program."""


def as_input(name: str, value: Any, dtype: Any, ndim: int) -> Any:
    """The argument as an array of the declared dtype, by conversions that lose nothing."""
    if type(value) is np.ndarray and value.dtype == dtype and value.ndim == ndim > 0:
        return value
    is_typed = isinstance(value, np.ndarray | np.generic)
    if isinstance(value, np.ma.MaskedArray):
        raise BindError(f"{name} is a masked array, whose mask would be lost: pass an ndarray")
    try:
        if isinstance(value, int) and np.dtype(dtype).kind == "f":
            value = float(value)  # Python's integers have no bound, and its floats nearly none
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        message = f"{name} needs {np.dtype(dtype)}, and its value does not convert: {reason}"
        raise BindError(message) from None
    if array.dtype.kind not in "biufc":
        reason = f"this {type(value).__name__} holds {array.dtype}, not numbers"
        if isinstance(value, int):
            reason = f"{value} does not fit in it"
        raise BindError(f"{name} needs {np.dtype(dtype)}, and {reason}")
    if array.dtype != dtype and not is_typed:
        array = fitted(name, array, dtype)
    if array.dtype != dtype:
        if not np.can_cast(array.dtype, dtype, "safe"):
            raise BindError(
                f"{name} needs {np.dtype(dtype)}, and {array.dtype} does not convert to it safely: "
                f"convert it yourself with .astype(np.{np.dtype(dtype)})"
            )
        array = array.astype(dtype)
    if array.ndim != ndim:
        raise BindError(f"{name} needs {ndim} axes, and has shape {array.shape}")
    return array[()] if ndim == 0 else array


def fitted(name: str, array: Any, dtype: Any) -> Any:
    """Python's numbers have no dtype of their own: they take the declared one if it holds them."""
    is_integer = array.dtype.kind in "iu" and np.dtype(dtype).kind in "iu"
    if not is_integer and not np.can_cast(array.dtype, dtype, "same_kind"):
        return array
    with np.errstate(over="ignore"):
        taken = array.astype(dtype)
    fits = taken == array if is_integer else np.isfinite(taken) | ~np.isfinite(array)
    if not np.all(fits):
        raise BindError(f"{name} needs {np.dtype(dtype)}, and {array[~fits][0]} does not fit in it")
    return taken


def wrong_shape(
    name: str, shape: Any, wanted: Any, texts: tuple[str, ...], reasons: tuple[str, ...]
) -> BindError:
    """The error of an input whose sizes do not fit: it names both inputs and both axes."""
    axis = next(k for k in range(len(wanted)) if shape[k] != wanted[k])
    needed = texts[axis]
    if needed != str(wanted[axis]):
        needed += f" = {wanted[axis]}"
    found = f"axis {axis} of {name} has size {shape[axis]}"
    return BindError(f"{found}, and needs {needed}{reasons[axis]}")


def in_tiles(
    region: Callable[..., Any],
    rows: int,
    row_bytes: int,
    row_work: int,
    total_bytes: int,
    threads: int | None,
    buffers: int,
    folds: tuple[Any, ...],
    *arrays: Any,
) -> list[Any]:
    """Run a region over all rows, in tiles that stay in the cache, shared among threads.

    The tiles and the order in which their totals are joined depend on the sizes alone.
    """
    is_worth_it = rows * row_work > THREAD_WORK
    if rows * row_bytes <= 2 * TILE_BYTES and not is_worth_it:
        return list(region(0, rows, max(1, rows), [None] * buffers, *arrays))
    # Large enough that threads seldom wait for each other, and where it can be several for each.
    tile_bytes = max(TILE_BYTES // 8, min(TILE_BYTES, rows * row_bytes // 8), 4 * total_bytes)
    tile = max(1, tile_bytes // max(1, row_bytes))
    if rows <= tile:
        return list(region(0, rows, max(1, rows), [None] * buffers, *arrays))
    chunk = -(-rows // (tile * 16)) * tile
    starts = range(0, rows, chunk)
    parts: dict[int, Any] = {}  # what waits for a part before it, to be joined with the totals
    totals: Any = None
    joined = 0
    lock = threading.Lock()
    errors: list[BaseException] = []
    waiting = iter(range(len(starts)))

    @np.errstate(all="ignore")  # each thread has settings of its own
    def work() -> None:
        nonlocal totals, joined
        scratch = [None] * buffers
        try:
            for k in waiting:
                stop = min(starts[k] + chunk, rows)
                made = region(starts[k], stop, tile, scratch, *arrays)
                with lock:
                    parts[k] = made
                    while joined in parts:
                        totals = joined_totals(folds, totals, parts.pop(joined))
                        joined += 1
        except BaseException as error:
            errors.append(error)
            list(waiting)  # nobody begins another one

    wanted = min(threads or available_threads(), len(starts)) - 1 if is_worth_it else 0
    helpers: list[threading.Thread] = []
    try:
        for _ in range(wanted):
            helper = threading.Thread(target=work, daemon=True)
            try:
                helper.start()
            except RuntimeError:
                break  # the system has no more threads to give
            helpers.append(helper)
        work()
    finally:
        list(waiting)
        for helper in helpers:
            helper.join()
    if errors:
        raise errors[0]
    return list(totals)


def joined_totals(folds: tuple[Any, ...], totals: Any, part: Any) -> Any:
    """The totals of some rows and of those that follow them, in the memory of the former."""
    if totals is None:
        return part
    pairs = zip(folds, totals, part, strict=True)
    return [fold(a, b, out=a if np.ndim(a) else None) for fold, a, b in pairs]


def available_threads() -> int:
    """How many threads can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def matrix_product(x: Any, y: Any, out: Any) -> Any:
    """x @ y; np.matmul does not leave a column times a row to BLAS, and np.dot does."""
    return x.dot(y, out=out) if x.shape[-1] == 1 else np.matmul(x, y, out=out)


TILE_BYTES = 2097152
THREAD_WORK = 4194304
