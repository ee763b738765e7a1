"""affine: a NumPy program written by graphc. It needs NumPy alone, 2.0 or later."""

from __future__ import annotations

import _thread
import functools
import os
import sys
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
    if 3 * n <= 32768:
        # golden_programs.py:17   return X @ W + b
        t1 = X.dot(W)
        t2 = t1 + b
        return t2
    # golden_programs.py:17   return X @ W + b
    t1 = np.empty((n, 3), np.float64)
    matrix_product(X, W, out=t1)
    t2 = t1
    over_elements(
        affine_rows, b, t1, t2,
        element_bytes=24, step_work=24 * n // 13,
        after_product=True,
    )
    return t2


def affine_rows(memory, b, t1, t2):
    # golden_programs.py:17   return X @ W + b
    np.add(t1, b, out=t2)


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
        axes = "axis" if ndim == 1 else "axes"
        raise BindError(f"{name} needs {ndim} {axes}, and has shape {array.shape}")
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
    *given: Any,
    row_bytes: int,
    buffer_bytes: int = 0,
    step_work: int,
    laid: tuple[Any, ...] = (),
    axis: int = 0,
    totals: tuple[Any, ...] = (),
    folds: tuple[Any, ...] = (),
    after_product: bool = False,
    threads: int | None = None,
) -> Any:
    """Run a region over all rows, in tiles that stay in the cache, shared among threads.

    The tiles and the order in which their totals are joined depend on the sizes alone, and on how
    the arrays are `laid` whose rows are along an axis. The totals that are arrays come to lie in
    those that are given.
    """
    is_long = step_work > THREAD_WORK
    # In halves it takes half the memory.
    count = 1 + (not totals and rows * buffer_bytes > TILE_BYTES // 8)
    if rows * row_bytes > 2 * TILE_BYTES or is_long:
        # An even number, and not small: threads wait for each other where their steps are short.
        count = 2 * -(-rows * row_bytes // (2 * TILE_BYTES))
        if totals and rows * buffer_bytes > TILE_BYTES:
            count = max(count, 4)  # two threads of two tiles would hold all at once
        total_bytes = sum(total.nbytes for total in totals)
        count = min(count, rows * row_bytes // max(TILE_BYTES // 16, 4 * total_bytes))
    if laid:
        order, is_across = lying(laid, axis)
        given = (*given, order)
        if is_across:  # of each column, tiles read some elements that lie together
            count = min(count, rows // LONG_RUN)
    tile = -(-rows // max(1, count))
    if rows > tile:
        # After a product the threads of BLAS wait for another one, milliseconds long, and ours wait
        # for the processors that they hold.
        least = THREAD_WORK * (4 if in_vectors("log1p") else 1) * (2 if after_product else 1)
        wanted = threads or available_threads() if step_work > least else 1
        task = region, rows, tile, tile * buffer_bytes, totals, folds, given
        return tile_by_tile(wanted, *task) if wanted > 1 else one_by_one(*task)
    memory = tile_memory(rows * buffer_bytes)
    made = region(0, rows, memory, *totals, *given)
    spare_memory.append(memory)
    return made


def over_elements(
    region: Callable[..., Any],
    *given: Any,
    element_bytes: int,
    buffer_bytes: int = 0,
    step_work: int,
    folds: tuple[Any, ...] = (),
    after_product: bool = False,
    threads: int | None = None,
) -> Any:
    """Run a region that goes element by element over numbers and arrays that broadcast to the shape
    of the last one: as that lies in memory, along the first long axis."""
    model = given[-1]
    is_small = model.size * element_bytes <= TILE_BYTES // 8 and step_work <= THREAD_WORK
    if is_small and model.flags.c_contiguous:  # one tile, of which nothing is cut
        memory = tile_memory(model.size * buffer_bytes)
        made = region(memory, *given)
        spare_memory.append(memory)
        return made
    ndim = model.ndim
    if any([0 < x.ndim < ndim for x in given]):
        given = tuple([x[(None,) * (ndim - x.ndim)] if x.ndim else x for x in given])
    if not given[-1].flags.c_contiguous:
        given = in_memory_order(given)
    shape, size = given[-1].shape, given[-1].size
    axis = 0
    if shape[0] < 64:
        axis = next((k for k, length in enumerate(shape) if length >= 64), 0)
    rows = shape[axis]
    row = size // rows if rows else 0

    def on_tile(first: int, last: int, memory: Any, *given: Any) -> Any:
        if last - first < rows:
            tile = (*(slice(None),) * axis, slice(first, last))
            given = tuple([x[tile] if x.ndim and x.shape[axis] > 1 else x for x in given])
        return region(memory, *given)

    return in_tiles(
        on_tile, rows, *given, row_bytes=row * element_bytes, buffer_bytes=row * buffer_bytes,
        step_work=step_work, folds=folds, after_product=after_product, threads=threads,
    )  # fmt: skip


def lying(arrays: tuple[Any, ...], axis: int) -> tuple[str, bool]:
    """In which order arrays lie, and whether along an axis so do the elements of their columns."""
    strides = [[abs(step) for step in x.strides] for x in arrays if 0 not in x.strides]
    is_turned = bool(strides) and all(steps == sorted(steps) for steps in strides)
    is_across = bool(strides) and all(steps[axis] == min(steps) for steps in strides)
    return "F" if is_turned else "C", is_across


def first_unstretched(*given: Any) -> Any:
    """The first array that lies in some order: one that is stretched would tell of none."""
    return next((x for x in given if x.ndim and 0 not in x.strides), given[0])


def in_memory_order(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numbers, and arrays turned as the last of them lies: in one axis where all of them are of one
    shape and lie so without gaps."""
    shape = given[-1].shape
    full = [x for x in given if x.shape == shape]
    model = first_unstretched(*full[::-1])
    order = sorted(range(model.ndim), key=lambda k: -abs(model.strides[k]))
    turned = tuple([x.transpose(order) if x.ndim else x for x in given])
    is_whole = all(x.shape in ((), turned[-1].shape) and x.flags.c_contiguous for x in turned)
    return tuple([x.reshape(-1) if x.ndim else x for x in turned]) if is_whole else turned


def one_by_one(
    region: Callable[..., Any],
    rows: int,
    tile: int,
    bytes_needed: int,
    totals: tuple[Any, ...],
    folds: tuple[Any, ...],
    arrays: tuple[Any, ...],
) -> Any:
    """Run a region on one tile after the other, on this thread alone."""
    piece = rounded_up(bytes_needed)
    memory = tile_memory(piece + sum(rounded_up(total.nbytes) for total in totals))
    parts = arrays_like(totals, memory[piece:])
    result = region(0, tile, memory, *totals, *arrays)
    for first in range(tile, rows, tile):
        made = region(first, min(first + tile, rows), memory, *parts, *arrays)
        result = joined_totals(folds, result, made)
    spare_memory.append(memory)
    return result


def tile_by_tile(
    threads: int,
    region: Callable[..., Any],
    rows: int,
    tile: int,
    bytes_needed: int,
    totals: tuple[Any, ...],
    folds: tuple[Any, ...],
    arrays: tuple[Any, ...],
) -> Any:
    """Run a region on one tile after the other; each thread begins the first that is left."""
    parts: dict[int, Any] = {}  # what waits for a part before it, to be joined with the totals
    result: Any = None
    joined = 0
    lock = _thread.allocate_lock()
    waiting = iter(range(0, rows, tile))
    threads = min(threads, -(-rows // tile))
    # In one piece, so that a later call finds what it needs whichever thread comes first. Of arrays
    # that are joined each thread fills one, and as many may wait for those before them.
    piece = rounded_up(bytes_needed)
    part = sum(rounded_up(total.nbytes) for total in totals)
    memory = tile_memory(threads * piece + (2 * threads - 1) * part)
    pieces = [memory[k * piece : (k + 1) * piece] for k in range(threads)]
    free = [
        arrays_like(totals, memory[threads * piece + k * part :])
        for k in range(2 * threads - 1 if totals else 0)
    ]

    def work() -> None:
        nonlocal result, joined
        mine = pieces.pop()
        for first in waiting:
            try:
                into = free.pop() if totals and first else totals
            except IndexError:
                into = [np.empty_like(total) for total in totals]
            made = region(first, min(first + tile, rows), mine, *into, *arrays)
            with lock:
                parts[first] = made, into
                while joined in parts:
                    made, into = parts.pop(joined)
                    result = joined_totals(folds, result, made)
                    if joined:
                        free.append(into)
                    joined += tile

    on_threads(work, threads, waiting)
    spare_memory.append(memory)
    return result


def on_threads(work: Callable[[], None], threads: int, waiting: Any) -> None:
    """Do some work on several threads, this one among them, until nothing waits any more."""
    errors: list[BaseException] = []
    helpers: list[Any] = []  # a lock for each, which it holds as long as it works

    def assist() -> None:
        busy = _thread.allocate_lock()
        with busy, np.errstate(all="ignore"):  # each thread has settings of its own
            helpers.append(busy)
            try:
                work()
            except BaseException as error:
                errors.append(error)
                list(waiting)

    try:
        for _ in range(threads - 1):
            try:
                _thread.start_new_thread(assist, ())
            except RuntimeError:
                break  # the system has no more threads to give
        work()
    finally:
        list(waiting)  # nobody begins another one: who has not yet begun at all has nothing to do
        for busy in helpers:
            busy.acquire()
    if errors:
        raise errors[0]


def joined_totals(folds: tuple[Any, ...], totals: Any, part: Any) -> Any:
    """The totals of some rows and of those that follow them, in the memory of the former."""
    if totals is None:
        return part
    pairs = zip(folds, totals, part, strict=True)
    return [fold(a, b, out=a if np.ndim(a) else None) for fold, a, b in pairs]


def rounded_up(size: int) -> int:
    """A number of bytes after which any number may begin, and a line of the cache."""
    return -(-size // 64) * 64


def arrays_like(arrays: tuple[Any, ...], memory: Any) -> list[Any]:
    """Arrays of the same shapes and dtypes, one after the other in some memory."""
    made, start = [], 0
    for array in arrays:
        made.append(np.ndarray(array.shape, array.dtype, memory, start))
        start += rounded_up(array.nbytes)
    return made


def tile_memory(bytes_needed: int) -> Any:
    """Memory for the buffers of tiles: what an earlier call left, if it is large enough."""
    try:
        memory = spare_memory.pop()
    except IndexError:
        memory = None
    if memory is None or len(memory) < bytes_needed:
        memory = None  # first it is let go
        memory = np.empty(bytes_needed, np.uint8)
    return memory


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


def matrix_product(x: Any, y: Any, out: Any) -> Any:
    """x @ y; np.matmul leaves to BLAS neither a column times a row nor what lies with gaps."""
    if x.shape[-1] == 1:
        return x.dot(y, out=out)
    x, y = (v if has_runs(v) else np.ascontiguousarray(v) for v in (x, y))
    return np.matmul(x, y, out=out)


def has_runs(x: Any) -> bool:
    """Whether elements of a row, or of a column, lie one after the other."""
    return x.itemsize in x.strides[-2:]


def stretched(x: Any, shape: tuple[int, ...]) -> Any:
    """np.broadcast_to for a single number, in a seventh of its time."""
    return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))


spare_memory = []
TILE_BYTES = 4194304
LONG_RUN = 4096
THREAD_WORK = 524288
# Let go at once: from then on malloc keeps what results leave for those of the next call.
np.empty(33546240, np.uint8)
