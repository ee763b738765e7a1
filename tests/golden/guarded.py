"""guarded: a NumPy program written by graphc. It needs NumPy alone, 2.0 or later."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def guarded(x):
    """
    x : f64[]
    -> (f64[], f64[], f64[])
    """
    if type(x) is float:
        try:
            # golden_programs.py:34   root = gc.where(x > 0, gc.sqrt(x), 0)
            t1 = x > 0.0
            t2 = math.sqrt(x)
            root = t2 if t1 else 0.0
            # gradient of golden_programs.py:34   root = gc.where(x > 0, gc.sqrt(x), 0)
            t3 = 0.5 / t2
            result_1 = t3 if t1 else 0.0
            result_2 = -(t3 / (2.0 * t2) / t2 if t1 else 0.0)
            return (root, result_1, result_2)
        except (ArithmeticError, ValueError):
            pass  # where Python refuses, NumPy answers: inf or NaN
    return guarded_numpy(x)


@np.errstate(all="ignore")
def guarded_numpy(x):
    x = as_input('x', x, np.float64, 0)
    # golden_programs.py:34   root = gc.where(x > 0, gc.sqrt(x), 0)
    t1 = x > 0.0
    t2 = np.sqrt(x)
    root = np.where(t1, t2, 0.0)
    # gradient of golden_programs.py:34   root = gc.where(x > 0, gc.sqrt(x), 0)
    t3 = 0.5 / t2
    result_1 = np.where(t1, t3, 0.0)
    t4 = 2.0 * t2
    t5 = t3 / t4
    t6 = t5 / t2
    t7 = np.where(t1, t6, 0.0)
    result_2 = -t7
    return (root[()], result_1[()], result_2[()])


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
