"""What Python and NumPy may write about a tensor: operators, indexing, protocols, methods.

Each looks up by name the function that builds it: floors above say what that is.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import shapes
from ..lines import is_internal
from ..misfits import Telling
from .functions import FUNCTIONS


class _Tracing(threading.local):
    """How many plain functions this thread is tracing, one inside the other."""

    depth = 0


tracing = _Tracing()


def _operator(name: str, mirror: str = "", reflected: bool = False) -> Callable[[Any, Any], Any]:
    """The method of Node that calls the function `name` on itself and one operand; `mirror` is the
    method by which another type may answer in its place.
    """

    def method(self: Any, other: Any) -> Any:
        if not is_liftable(other) and _may_answer(other, mirror):
            return NotImplemented
        return FUNCTIONS[name](other, self) if reflected else FUNCTIONS[name](self, other)

    return method


def _method(name: str, arguments: str, becomes: str) -> Callable[..., Any]:
    """The method of Node that does what the array method of that name does."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS["array_method"](self, name, args, kwargs)

    method.__name__ = name
    method.__doc__ = f"""What the method `{name}` of a NumPy array does, as nodes.

    >>> import graphc as gc
    >>> X = gc.input("X", (2, 3))
    >>> X.{name}({arguments}).type
    {becomes}
    """
    return method


def _no_method(name: str, arguments: str) -> Callable[..., Any]:
    """A method that arrays have and tensors cannot have: its error tells what to do instead."""
    method = _method(name, arguments, "")
    method.__doc__ = f"""Refused, for only an array can do this: the error tells what to write.

    >>> import graphc as gc
    >>> gc.input("X", (2, 3)).{name}({arguments})
    Traceback (most recent call last):
        ...
    graphc.errors...
    """
    return method


class Operators(metaclass=Telling):
    """What a node inherits: it knows of itself only that functions take it."""

    __slots__ = ()

    __add__ = _operator("add", "__radd__")
    __radd__ = _operator("add", reflected=True)
    __sub__ = _operator("subtract", "__rsub__")
    __rsub__ = _operator("subtract", reflected=True)
    __mul__ = _operator("multiply", "__rmul__")
    __rmul__ = _operator("multiply", reflected=True)
    __truediv__ = _operator("divide", "__rtruediv__")
    __rtruediv__ = _operator("divide", reflected=True)
    __floordiv__ = _operator("floor_divide", "__rfloordiv__")
    __rfloordiv__ = _operator("floor_divide", reflected=True)
    __mod__ = _operator("remainder", "__rmod__")
    __rmod__ = _operator("remainder", reflected=True)
    __pow__ = _operator("power", "__rpow__")
    __rpow__ = _operator("power", reflected=True)
    __matmul__ = _operator("matmul", "__rmatmul__")
    __rmatmul__ = _operator("matmul", reflected=True)
    __lt__ = _operator("less", "__gt__")
    __le__ = _operator("less_equal", "__ge__")
    __gt__ = _operator("greater", "__lt__")
    __ge__ = _operator("greater_equal", "__le__")
    __and__ = _operator("logical_and", "__rand__")
    __rand__ = _operator("logical_and", reflected=True)
    __or__ = _operator("logical_or", "__ror__")
    __ror__ = _operator("logical_or", reflected=True)
    __xor__ = _operator("logical_xor", "__rxor__")
    __rxor__ = _operator("logical_xor", reflected=True)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        """Identity between nodes; the elementwise comparison against numbers and arrays, and
        between tensors in a plain function that is traced.
        """
        if _is_identity(other):
            return self is other
        return FUNCTIONS["equal"](self, other)

    def __ne__(self, other: object) -> Any:
        if _is_identity(other):
            return self is not other
        return FUNCTIONS["not_equal"](self, other)

    def __neg__(self) -> Self:
        return FUNCTIONS["negative"](self)  # type: ignore[no-any-return]

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return FUNCTIONS["abs"](self)  # type: ignore[no-any-return]

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __round__(self, digits: int | None = None) -> Self:
        return self.round(digits or 0)  # type: ignore[no-any-return]

    def __invert__(self) -> Self:
        return FUNCTIONS["logical_not"](self)  # type: ignore[no-any-return]

    def __getitem__(self, index: Any) -> Self:
        return FUNCTIONS["getitem"](self, index)  # type: ignore[no-any-return]

    @property
    def T(self) -> Self:
        """All axes in reverse order."""
        return FUNCTIONS["transpose"](self)  # type: ignore[no-any-return]

    @property
    def mT(self) -> Self:
        """The last two axes exchanged."""
        return FUNCTIONS["matrix_transpose"](self)  # type: ignore[no-any-return]

    # NumPy's protocols and methods: floors above say what each name builds

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return FUNCTIONS["array_ufunc"](ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return FUNCTIONS["array_function"](function, args, kwargs)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return FUNCTIONS["array_namespace"]()

    sum = _method("sum", "axis=0", "f64[3]")
    prod = _method("prod", "axis=0", "f64[3]")
    mean = _method("mean", "axis=0", "f64[3]")
    std = _method("std", "axis=0", "f64[3]")
    var = _method("var", "axis=0", "f64[3]")
    max = _method("max", "axis=0", "f64[3]")
    min = _method("min", "axis=0", "f64[3]")
    all = _method("all", "axis=0", "bool[3]")
    any = _method("any", "axis=0", "bool[3]")
    argmax = _method("argmax", "axis=0", "i64[3]")
    argmin = _method("argmin", "axis=0", "i64[3]")
    argsort = _method("argsort", "", "i64[2, 3]")
    cumsum = _method("cumsum", "axis=1", "f64[2, 3]")
    cumprod = _method("cumprod", "axis=1", "f64[2, 3]")
    dot = _method("dot", "X.T", "f64[2, 2]")
    trace = _method("trace", "", "f64[]")
    diagonal = _method("diagonal", "", "f64[2]")
    reshape = _method("reshape", "3, 2", "f64[3, 2]")
    ravel = _method("ravel", "", "f64[6]")
    flatten = _method("flatten", "", "f64[6]")
    transpose = _method("transpose", "", "f64[3, 2]")
    swapaxes = _method("swapaxes", "0, 1", "f64[3, 2]")
    squeeze = _method("squeeze", "", "f64[2, 3]")
    astype = _method("astype", "'float32'", "f32[2, 3]")
    clip = _method("clip", "0, 1", "f64[2, 3]")
    round = _method("round", "", "f64[2, 3]")
    take = _method("take", "[0, 2], axis=1", "f64[2, 2]")
    repeat = _method("repeat", "2, axis=0", "f64[4, 3]")
    copy = _method("copy", "", "f64[2, 3]")
    conj = _method("conj", "", "f64[2, 3]")
    item = _no_method("item", "")
    tolist = _no_method("tolist", "")
    fill = _no_method("fill", "0")
    put = _no_method("put", "0, 1")
    sort = _no_method("sort", "")


def is_liftable(value: object) -> bool:
    """Whether `lift` can make a node of it."""
    numeric = isinstance(value, Operators | bool | int | float | np.ndarray | np.generic | list)
    return numeric or shapes.is_expression(value)


def _is_identity(other: object) -> bool:
    """Whether `==` of a node and this asks for identity. Python asks too: for lists and tuples."""
    if not isinstance(other, Operators):
        return not is_liftable(other)
    return not tracing.depth or is_internal[sys._getframe(2).f_code.co_filename]


# Whose types have nothing to say about tensors: what they give is refused, and told of.
_SILENT = {"builtins", "datetime", "decimal", "fractions", "numpy", "pandas", "scipy"}


def _may_answer(value: object, method: str) -> bool:
    """Whether another type's own method may know what to do with a node."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in _SILENT:
        return False
    return getattr(kind, method, None) is not getattr(object, method, None)
