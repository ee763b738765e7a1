"""What a program makes of its arguments: converted without loss, or refused, and sizes read."""

from __future__ import annotations

from typing import Any

import numpy as np


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


def no_size(text: str, size: int, reason: str, least: int = 0) -> BindError:
    """The error of a size that comes out negative, or less than a slice takes for granted."""
    needed = f"{text} of at least {least}" if least else text
    return BindError(f"the program needs the size {needed}, which is {size}{reason}")


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


def check_fact(name: str, array: Any, low: float, high: float, declared: str) -> None:
    """Refuse an argument that does not lie where its declaration says; NaN lies everywhere."""
    wrong = (array < low) | (array > high)
    if np.any(wrong):
        found = np.asarray(array)[wrong].flat[0]
        raise BindError(f"{name} was declared {declared}, and holds {found}")


def check_total(name: str, array: Any) -> None:
    """Refuse a distribution that does not sum to 1 along its last axis, up to rounding."""
    total = np.sum(array, axis=-1)
    wrong = np.abs(total - 1) > 1e3 * np.finfo(array.dtype).eps * max(array.shape[-1], 1)
    if np.any(wrong):
        found = np.asarray(total)[wrong].flat[0]
        raise BindError(f"{name} was declared a distribution, and sums to {found}")
