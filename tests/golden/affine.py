"""affine: a NumPy program written by graphc. It needs NumPy alone."""

from __future__ import annotations

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
    # golden_programs.py:17   return X @ W + b
    t1 = X @ W
    t2 = t1 + b
    return t2


class BindError(TypeError, ValueError):
    """An argument that does not fit the program."""


def as_input(name: str, value: Any, dtype: Any, ndim: int) -> Any:
    """The argument as an array of the declared dtype, by conversions that lose nothing."""
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
