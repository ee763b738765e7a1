"""logistic: a NumPy program written by graphc. It needs NumPy alone."""

from __future__ import annotations

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
    # golden_programs.py:25   margin = y * (X @ w)
    t1 = X @ w
    margin = y * t1
    # golden_programs.py:26   loss = gc.mean(gc.softplus(-margin)) + 0.01 * gc.sum(w**2)
    t2 = -margin
    t3 = np.logaddexp(0, t2)
    t4 = np.sum(t3)
    t5 = np.float64(n)
    t6 = t4 / t5
    t7 = w ** 2.0
    t8 = np.sum(t7)
    t9 = 0.01 * t8
    loss = t6 + t9
    # gradient of golden_programs.py:26   loss = gc.mean(gc.softplus(-margin)) + 0.01 * gc.sum(w**2)
    t10 = 1 / t5
    t11 = sigmoid(t2)
    t12 = t10 * t11
    grad_margin = -t12
    # gradient of golden_programs.py:25   margin = y * (X @ w)
    t13 = grad_margin * y
    t14 = t13 @ X
    # gradient of golden_programs.py:26   loss = gc.mean(gc.softplus(-margin)) + 0.01 * gc.sum(w**2)
    t15 = 2.0 * w
    t16 = 0.01 * t15
    # gradient of golden_programs.py:24   w = gc.input("w", (d,))
    grad = t14 + t16
    return {'loss': loss[()], 'grad': grad}


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


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) without overflow."""
    x = np.asarray(x) * 1.0 if x.dtype.kind != "f" else x
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)
