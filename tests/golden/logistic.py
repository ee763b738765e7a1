"""logistic: a NumPy program written by graphc. It needs NumPy alone, 2.0 or later."""

from __future__ import annotations

import _thread
import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


@np.errstate(all="ignore")
def logistic(X, y, w):
    """
    X : f64[n, d]
    y : f64[n]
    w : f64[d]
    -> {'loss': f64[], 'grad': f64[d]}
    """
    X = as_input('X', X, np.float64, 2)
    y = as_input('y', y, np.float64, 1)
    w = as_input('w', w, np.float64, 1)
    n = X.shape[0]
    d = X.shape[1]
    if y.shape != (n,):
        raise wrong_shape('y', y.shape, (n,), ('n',), (' (n is axis 0 of X)',))
    if w.shape != (d,):
        raise wrong_shape('w', w.shape, (d,), ('d',), (' (d is axis 1 of X)',))
    if n <= 26214 and d <= 26214:
        # golden_programs.py:25   margin = y * (X @ w)
        t1 = X.dot(w)
        margin = y * t1
        # golden_programs.py:26   fit = gc.mean(gc.softplus(-margin))
        t2 = -margin
        t3 = softplus(t2)
        t4 = t3.sum()
        t5 = np.float64(n)
        fit = t4 / t5
        # golden_programs.py:27   loss = fit + 0.01 * gc.sum(w**2)
        t6 = w.dot(w)
        t7 = 0.01 * t6
        loss = fit + t7
        # gradient of golden_programs.py:26   fit = gc.mean(gc.softplus(-margin))
        t8 = sigmoid(t2)
        t9 = -t5
        grad_margin = np.divide(t8, t9, t2)
        # gradient of golden_programs.py:25   margin = y * (X @ w)
        t10 = np.multiply(grad_margin, y, margin)
        t11 = t10.dot(X)
        # gradient of golden_programs.py:27   loss = fit + 0.01 * gc.sum(w**2)
        t12 = w * c0_02
        grad = t11 + t12
        return {'loss': loss[()], 'grad': grad}
    work = borrowed(spare, workspace, n, d)
    t1, = work
    # golden_programs.py:25   margin = y * (X @ w)
    X.dot(w, out=t1)
    t5 = np.float64(n)
    # golden_programs.py:27   loss = fit + 0.01 * gc.sum(w**2)
    t6, = in_tiles(
        logistic_rows, d, w,
        row_bytes=8, step_work=8 * d // 13,
        folds=(np.add,), after_product=True,
    )
    t7 = 0.01 * t6
    # gradient of golden_programs.py:26   fit = gc.mean(gc.softplus(-margin))
    t9 = -t5
    # golden_programs.py:26   fit = gc.mean(gc.softplus(-margin))
    t11 = np.empty((d,), np.float64)
    t4, t11 = in_tiles(
        logistic_rows_1, n, y, t1, t9, X, n,
        row_bytes=56, buffer_bytes=40, step_work=(2 * d * n + 568 * n) // 20,
        laid=(X,), totals=(t11,), folds=(np.add, np.add), after_product=True,
    )
    # gradient of golden_programs.py:27   loss = fit + 0.01 * gc.sum(w**2)
    grad = t11
    in_tiles(
        logistic_rows_2, d, w, t11, grad,
        row_bytes=32, buffer_bytes=8, step_work=16 * d // 14,
        after_product=True,
    )
    # golden_programs.py:26   fit = gc.mean(gc.softplus(-margin))
    fit = t4 / t5
    # golden_programs.py:27   loss = fit + 0.01 * gc.sum(w**2)
    loss = fit + t7
    give_back(spare, work, n, d)
    return {'loss': loss[()], 'grad': grad}


def workspace(n, d):
    """Memory for intermediate values."""
    starts = one_after_another(8 * n)
    slots = np.empty(starts[-1], np.uint8)
    t1 = np.ndarray((n,), np.float64, slots, starts[0])
    return t1,


def logistic_rows(first, last, memory, all_w):
    w = all_w[first:last]
    # golden_programs.py:27   loss = fit + 0.01 * gc.sum(w**2)
    t6 = inner_product(w, w)
    return (t6,)


def logistic_rows_1(first, last, memory, t11, all_y, all_t1, t9, all_X, n, order):
    rows = last - first
    b1 = np.ndarray((rows,), np.float64, memory)
    b2 = np.ndarray((rows,), np.float64, memory, 8 * rows)
    b3 = np.ndarray((rows,), np.float64, memory, 16 * rows)
    b4 = np.ndarray((rows,), np.float64, memory, 24 * rows)
    b5 = np.ndarray((rows,), np.float64, memory, 32 * rows)
    y = all_y[first:last]
    t1 = all_t1[first:last]
    X = all_X[first:last]
    # golden_programs.py:25   margin = y * (X @ w)
    margin = np.multiply(y, t1, out=b1)
    # golden_programs.py:26   fit = gc.mean(gc.softplus(-margin))
    t2 = np.negative(margin, out=b1)
    t3 = softplus(t2, spare=(b2, b3, b4), out=b5)
    t4 = t3.sum()
    # gradient of golden_programs.py:26   fit = gc.mean(gc.softplus(-margin))
    t8 = sigmoid(t2, spare=(b5,), out=b1)
    grad_margin = np.divide(t8, t9, out=b1)
    # gradient of golden_programs.py:25   margin = y * (X @ w)
    t10 = np.multiply(grad_margin, y, out=b1)
    weighted_sum(t10, X, n, out=t11)
    return t4, t11


def logistic_rows_2(first, last, memory, all_w_1, all_t11, all_grad):
    rows = last - first
    b1_1 = np.ndarray((rows,), np.float64, memory)
    w = all_w_1[first:last]
    t11 = all_t11[first:last]
    grad = all_grad[first:last]
    # gradient of golden_programs.py:27   loss = fit + 0.01 * gc.sum(w**2)
    t12 = np.multiply(w, c0_02, out=b1_1)
    np.add(t11, t12, out=grad)


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


def lying(arrays: tuple[Any, ...], axis: int) -> tuple[str, bool]:
    """In which order arrays lie, and whether along an axis so do the elements of their columns."""
    strides = [[abs(step) for step in x.strides] for x in arrays if 0 not in x.strides]
    is_turned = bool(strides) and all(steps == sorted(steps) for steps in strides)
    is_across = bool(strides) and all(steps[axis] == min(steps) for steps in strides)
    return "F" if is_turned else "C", is_across


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


def borrowed(spare: dict[Any, Any], make: Callable[..., Any], *sizes: int) -> Any:
    """A workspace for some sizes: one that an earlier call gave back, or a new one."""
    try:
        return spare[sizes].pop()
    except (KeyError, IndexError):
        return make(*sizes)


def give_back(spare: dict[Any, Any], work: Any, *sizes: int) -> None:
    """Keep a workspace for the next call of these sizes; of other sizes few are kept."""
    if sizes not in spare and len(spare) >= 4:
        spare.clear()
    spare.setdefault(sizes, []).append(work)


def one_after_another(*sizes: int) -> list[int]:
    """Where pieces of some sizes begin in one memory, and where the last one ends."""
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + rounded_up(size))
    return starts


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


def has_runs(x: Any) -> bool:
    """Whether elements of a row, or of a column, lie one after the other."""
    return x.itemsize in x.strides[-2:]


def inner_product(x: Any, y: Any) -> Any:
    """np.vdot, in pieces so short that BLAS does not start threads of its own beside ours."""
    x, y, piece = np.ravel(x), np.ravel(y), 8192
    if x.size <= piece:
        return x.dot(y)
    end = x.size - x.size % piece
    pieces = np.vecdot(x[:end].reshape(-1, piece), y[:end].reshape(-1, piece))
    return pieces.sum() + x[end:].dot(y[end:])


def weighted_sum(x: Any, rows: Any, count: int, out: Any) -> Any:
    """x.dot(rows), where these are a tile of so many: in ways for which BLAS starts no threads."""
    here, length = rows.shape
    if here == count or not length or not has_runs(rows):
        return np.dot(x, rows, out=out)
    if rows.strides[1] != rows.itemsize:
        columns, count, piece = rows.T, here // 8192, 8192
        end = count * piece
        whole = columns[:, :end].reshape(length, count, piece)
        np.vecdot(columns[:, end:], x[end:], out=out)
        return np.add(out, np.vecdot(whole, x[:end].reshape(count, piece)).sum(axis=1), out=out)
    is_far = count * rows.nbytes > here << 24  # they come from memory, for which np.einsum is best
    if length >= (48 if is_far else 256):
        return np.einsum("i,ij->j", x, rows, out=out)
    piece = 8192 // length
    end = here - here % piece
    np.dot(x[end:], rows[end:], out=out)
    pieces = np.matmul(x[:end].reshape(-1, 1, piece), rows[:end].reshape(-1, piece, length))
    return np.add(out, pieces.sum(axis=(0, 1)), out=out)


def sigmoid(x: Any, spare: Any = (None,), out: Any = None) -> Any:
    """exp(x) / (1 + exp(x)), which is 1 from x = 40 on: so exp(x) need not overflow."""
    x = x if x.dtype.kind == "f" else x * 1.0
    e = np.exp(np.minimum(x, 40, out=out), out=out)
    return np.divide(e, np.add(e, 1, out=spare[0]), out=out)


def log1p_exp(x: Any, spare: Any) -> Any:
    """log(1 + exp(x)) for x <= 0, in the memory of x; 1 + exp(x) is at most 2."""
    e = np.exp(x, out=x)
    if in_vectors("log1p"):
        return np.log1p(e, out=e)
    above = np.add(e, 1, out=spare[0])
    rest = np.subtract(e, np.subtract(above, 1, out=spare[1]), out=e)
    return np.add(np.log(above, out=above), rest, out=rest)


def softplus(x: Any, spare: Any = (None, None, None), out: Any = None) -> Any:
    """log(1 + exp(x)) without overflow: the larger of r and x + r, where r is that of -abs(x)."""
    x = np.asarray(x) * 1.0 if x.dtype.kind != "f" else x
    if x.size < 256:  # the calls would take longer than the elements do
        return np.logaddexp(0, x, out=out)
    rest = np.abs(x, out=spare[0])
    rest = log1p_exp(np.negative(rest, out=rest), spare[1:])
    return np.maximum(rest, np.add(x, rest, out=spare[1]), out=rest if out is None else out)


spare_memory = []
TILE_BYTES = 4194304
LONG_RUN = 4096
THREAD_WORK = 524288
# Let go at once: from then on malloc keeps what results leave for those of the next call.
np.empty(33546240, np.uint8)
c0_02 = np.array(0.02, np.float64)
spare = {}
