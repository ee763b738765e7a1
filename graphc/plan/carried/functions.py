"""Elementwise functions for large arrays, out of those that NumPy computes many elements at a time.

NumPy's own ask each element which way to go, and on data without a pattern the processor guesses
wrong. These take every element the same way. They broadcast, may write over an operand, and keep
NumPy's NaN, infinities and signs of zero. Which of its own NumPy computes many elements at a time
hangs on the processor: where it does, they are asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .processor import in_vectors


def unless_over(out: Any, x: Any, spare: Any) -> Any:
    """Memory to write into: not that in which x lies, which is read again."""
    return spare if out is not None and np.may_share_memory(out, x) else out


def in_one_dtype(x: Any, y: Any) -> list[Any]:
    """Two operands as arrays of the dtype that they have together."""
    dtype = np.result_type(x, y)
    return [np.asarray(v, dtype) for v in (x, y)]


def only_where(condition: Any, x: Any, out: Any = None) -> Any:
    """np.where(condition, x, 0): the bits of x, times 1 or 0."""
    x = np.asarray(x)
    if out is None:
        out = np.empty(np.broadcast_shapes(condition.shape, x.shape), x.dtype)
    bits = f"i{x.itemsize}"
    np.multiply(x.view(bits), condition, out=out.view(bits))
    return out


def fast_where(condition: Any, x: Any, y: Any, spare: Any = (None,), out: Any = None) -> Any:
    """np.where(condition, x, y): y, and where the condition holds the bits in which x differs."""
    x, y = in_one_dtype(x, y)
    if out is None:
        out = np.empty(np.broadcast_shapes(condition.shape, x.shape, y.shape), x.dtype)
    change = unless_over(out, y, spare[0])
    change = np.empty_like(out) if change is None else change
    x, y, into, change = (v.view(f"i{out.itemsize}") for v in (x, y, out, change))
    np.multiply(np.bitwise_xor(x, y, out=change), condition, out=change)
    np.bitwise_xor(change, y, out=into)
    return out


def sigmoid(x: Any, spare: Any = (None,), out: Any = None) -> Any:
    """exp(x) / (1 + exp(x)), which is 1 from x = 40 on: so exp(x) need not overflow."""
    x = x if x.dtype.kind == "f" else x * 1.0
    e = np.exp(np.minimum(x, 40, out=out), out=out)
    return np.divide(e, np.add(e, 1, out=spare[0]), out=out)


def fast_log1p(
    x: Any, has_minus_zero: bool = True, spare: Any = (None, None), out: Any = None
) -> Any:
    """np.log1p: the log of 1 + x as it is rounded, and what the rounding took away, beside it."""
    if in_vectors("log1p") or x.size < (256 if x.itemsize == 4 else 1024):  # the calls take longer
        return np.log1p(x, out=out)
    above = np.add(x, 1, out=spare[0])
    rest = np.subtract(above, 1, out=unless_over(out, x, spare[1]))
    np.divide(np.subtract(x, rest, out=rest), above, out=rest)
    np.fmin(rest, above, out=rest)  # it is tiny, or NaN where 1 + x is 0 or inf
    if not has_minus_zero:
        return np.add(np.log(above, out=above), rest, out=out)
    np.negative(np.log(above, out=above), out=above)
    return np.negative(np.subtract(above, rest, out=above), out=out)  # twice negative: -0 stays


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


def fast_logaddexp(x: Any, y: Any, spare: Any = (None, None, None), out: Any = None) -> Any:
    """np.logaddexp: the larger one, and the softplus of minus how far apart they are."""
    apart = np.subtract(x, y, out=spare[0])
    out = np.maximum(x, y, out=out)
    rest = log1p_exp(np.negative(np.abs(apart, out=apart), out=apart), spare[1:])
    np.fmin(rest, 1, out=rest)  # it is at most log(2), or NaN between equal infinities
    return np.add(out, rest, out=out)


def fast_expm1(x: Any, spare: Any = (None,), out: Any = None) -> Any:
    """np.expm1, as tanh(x / 2) * (exp(x) + 1)."""
    if in_vectors("expm1"):
        return np.expm1(x, out=out)
    above = np.exp(x, out=spare[0])
    np.add(above, 1, out=above)
    half = np.multiply(x, 0.5, out=out)
    return np.multiply(np.tanh(half, out=half), above, out=half)


def fast_sinh(x: Any, spare: Any = (None, None), out: Any = None) -> Any:
    """np.sinh, as tanh(x / 2) * (cosh(x) + 1)."""
    if in_vectors("sinh"):
        return np.sinh(x, out=out)
    grown = np.abs(x, out=spare[0])
    rare = grown > np.log(np.finfo(x.dtype).max) - 1  # exp might overflow
    large = x[rare]
    np.exp(grown, out=grown)
    more = np.divide(1, grown, out=spare[1])
    np.add(grown, more, out=more)
    np.add(np.multiply(more, 0.5, out=more), 1, out=more)
    half = np.multiply(x, 0.5, out=out)
    found = np.multiply(np.tanh(half, out=half), more, out=half)
    found[rare] = np.sinh(large)
    return found


def fast_cosh(x: Any, spare: Any = (None, None), out: Any = None) -> Any:
    """np.cosh: half of exp(s) + exp(-s) of the size s."""
    if in_vectors("cosh"):
        return np.cosh(x, out=out)
    size = np.abs(x, out=spare[0])
    rare = size > np.log(np.finfo(x.dtype).max) - 1  # exp might overflow
    large = size[rare]
    grown = np.multiply(np.exp(size, out=size), 0.5, out=size)
    fallen = np.divide(0.25, grown, out=spare[1])
    found = np.add(grown, fallen, out=grown if out is None else out)
    found[rare] = np.cosh(large)
    return found


def fast_sin(x: Any, spare: Any = (None,), out: Any = None) -> Any:
    """np.sin, as 2 * t / (1 + t**2) with t = tan(x / 2), where that is in vectors."""
    if x.size < 512 or x.itemsize < 8 or not in_vectors("tan"):  # it takes NumPy no longer
        return np.sin(x, out=out)
    half = np.multiply(x, 0.5, out=out)
    half = np.tan(half, out=half)
    below = np.square(half, out=spare[0])
    np.add(below, 1, out=below)
    return np.divide(np.add(half, half, out=half), below, out=half)


def fast_cos(x: Any, spare: Any = (None, None), out: Any = None) -> Any:
    """np.cos, as the sine by the tangent, where that is in vectors."""
    if x.size < 1024 or x.itemsize < 8 or not in_vectors("tan"):  # it takes NumPy no longer
        return np.cos(x, out=out)
    size = np.abs(x, out=spare[0])
    np.add(size, 1e-300, out=size)  # there is no quotient of zeros
    half = np.multiply(size, 0.5, out=out)
    half = np.tan(half, out=half)
    below = np.square(half, out=spare[1])
    np.multiply(np.add(below, 1, out=below), np.tan(size, out=size), out=below)
    found = np.divide(np.add(half, half, out=half), below, out=half)
    return found.clip(-1, 1, out=found)  # rounded, it may be above


def fast_tan(x: Any, spare: Any = (None,), out: Any = None) -> Any:
    """np.tan, as the sine by the cosine."""
    if in_vectors("tan"):
        return np.tan(x, out=out)
    below = np.cos(x, out=spare[0])
    return np.divide(np.sin(x, out=out), below, out=below if out is None else out)


def fast_hypot(x: Any, y: Any, spare: Any = (None, None), out: Any = None) -> Any:
    """np.hypot: the root of 1 + the square of the smaller by the larger, times the larger."""
    x, y = in_one_dtype(x, y)
    x, y = np.abs(x, out=spare[0]), np.abs(y, out=spare[1])
    length = np.minimum(x, y, out=out)
    larger = np.fmax(x, y, out=spare[0])
    is_larger = np.isinf(larger) | (length == 0)
    np.square(np.divide(length, larger, out=length), out=length)
    np.sqrt(np.add(length, 1, out=length), out=length)
    np.multiply(length, larger, out=length)
    np.copyto(length, larger, where=is_larger)
    return length


def fast_arctan2(y: Any, x: Any, out: Any = None) -> Any:
    """np.arctan2: the arctan of the quotient, and half a turn where x is negative."""
    if in_vectors("arctan2"):
        return np.arctan2(y, x, out=out)
    y, x = in_one_dtype(y, x)
    turn = np.multiply(np.copysign(y.dtype.type(np.pi), y), np.signbit(x))
    angle = np.divide(y, x)
    rare = np.isnan(angle)  # 0 / 0, inf / inf and NaN
    y, x = (np.broadcast_to(v, rare.shape)[rare] for v in (y, x))
    angle = np.add(np.arctan(angle, out=angle), turn, out=angle if out is None else out)
    angle[rare] = np.arctan2(y, x)
    return angle


def fast_arcsinh(x: Any, out: Any = None) -> Any:
    """np.arcsinh: log1p(s + s**2 / (1 + sqrt(1 + s**2))) of the size s, with the sign of x."""
    if in_vectors("arcsinh"):
        return np.arcsinh(x, out=out)
    size = np.abs(x)
    rare = size > np.sqrt(np.finfo(size.dtype).max) / 2  # its square might overflow
    large = size[rare]
    square = np.square(size)
    root = np.sqrt(np.add(square, 1))
    np.divide(square, np.add(root, 1, out=root), out=square)
    size = fast_log1p(np.add(size, square, out=size), out=square)
    size[rare] = np.arcsinh(large)
    return np.copysign(size, x, out=out)


def fast_arccosh(x: Any, out: Any = None) -> Any:
    """np.arccosh: log1p(t + sqrt(t) * sqrt(t + 2)) with t = x - 1."""
    if in_vectors("arccosh"):
        return np.arccosh(x, out=out)
    rare = x > np.finfo(x.dtype).max / 4  # the sum might overflow
    large = x[rare]
    above = np.subtract(x, 1)
    root = np.add(above, 2)
    np.multiply(np.sqrt(root, out=root), np.sqrt(above), out=root)
    found = fast_log1p(np.add(above, root, out=root), out=out)
    found[rare] = np.arccosh(large)
    return found


def fast_arctanh(x: Any, out: Any = None) -> Any:
    """np.arctanh: half of log1p(2 * s / (1 - s)) of the size s, with the sign of x."""
    if in_vectors("arctanh"):
        return np.arctanh(x, out=out)
    size = np.abs(x)
    rest = np.subtract(1, size)
    size = fast_log1p(np.divide(np.add(size, size, out=size), rest, out=rest), out=size)
    return np.copysign(np.multiply(size, 0.5, out=size), x, out=out)


def fast_power(x: Any, exponent: float, spare: Any = (None,), out: Any = None) -> Any:
    """np.power for 2, 3, ... and for odd multiples of 1/2, by products and a root."""
    whole, has_root = int(abs(exponent)), exponent % 1 > 0
    # -0 has the powers of 0.
    base = np.add(x, 0.0, out=spare[0]) if has_root else np.positive(x, out=spare[0])
    if has_root:
        is_least = base == -np.inf  # it has no root, and the powers of inf
        power = np.sqrt(base, out=out)
    else:
        power, whole = np.multiply(base, 1, out=out), whole - 1
    if exponent < 0:
        np.divide(1, power, out=power)
        np.divide(1, base, out=base)
    while whole:
        if whole % 2:
            np.multiply(power, base, out=power)
        whole //= 2
        if whole:
            np.square(base, out=base)
    if has_root:
        np.copyto(power, 0.0 if exponent < 0 else np.inf, where=is_least)
    return power
