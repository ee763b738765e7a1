"""views: a NumPy program written by graphc. It needs NumPy alone, 2.0 or later."""

from __future__ import annotations

from typing import Any

import numpy as np


@np.errstate(all="ignore")
def views(x):
    """
    x : f64[2*n, 2]
    -> [f64[2, 2*n], f64[2*n], [f64[4*n], f64[2, 2], f64[2*n, 2]]]
    """
    x = as_input('x', x, np.float64, 2)
    n = solve_size('x', 0, x.shape[0], 2, 0, '2*n')
    if x.shape != (2 * n, 2):
        raise wrong_shape('x', x.shape, (2 * n, 2), ('2*n', '2'), (' (n is axis 0 of x)', ''))
    # golden_programs.py:43   return [x.T, x[::-1, 0], [gc.reshape(x, (-1,)), table, x]]
    result_0 = x.T
    result_1 = x[::-1, 0]
    result_2_0 = x.reshape((4 * n,))
    return [result_0.copy(), result_1.copy(), [result_2_0.copy(), result_2_1.copy(), x.copy()]]


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


def solve_size(name: str, axis: int, size: int, factor: int, rest: int, text: str) -> int:
    """The n of `factor * n + rest = size`."""
    n, remainder = divmod(size - rest, factor)
    if remainder or n < 0:
        raise BindError(f"axis {axis} of {name} has size {size}, and no size makes it {text}")
    return n


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


result_2_1 = np.array([[1.0, 2.0], [3.0, 4.0]], np.float64)
