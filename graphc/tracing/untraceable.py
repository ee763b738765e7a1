"""A plain function while it is traced, and what goes wrong in it, told at the user's line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Number
from typing import Any

from .. import forms
from ..errors import ArgumentError, GraphcError, NotConcrete
from ..ir.operators import tracing
from ..lines import is_internal, raised_at
from ..sizes import OF_FORMULAS
from ..wording import a_kind, counted

# How Python, NumPy and sympy say that an expression in sizes is no number.
_OF_A_SIZE = re.compile(
    r"'(Add|Mul|Pow|Max|Min)'|type (Add|Mul|Pow|Max|Min)\b"
    r"|convert (symbols|expression) to|truth value of Relational"
)
_NOT_INTO_ARRAYS = (
    "a symbolic tensor cannot be written into an array: build the result with np.stack, "
    "np.concatenate or np.where"
)


@contextmanager
def traces(arguments: Mapping[str, Any] | None = None) -> Iterator[None]:
    """While a function is traced, what it calls is traced with it, on arrays too.

    `arguments` are those that it was called with, for errors that come of their kind.
    """
    tracing.depth += 1
    try:
        yield
    except Exception as error:
        lists = _lists(arguments or {})
        said = _said(error, lists)
        if said is not error:
            raise said from None
        if lists:
            error.add_note(lists)
        raise
    finally:
        tracing.depth -= 1


def _said(error: Exception, lists: str) -> Exception:
    """The error that tells what to write, where this one does not."""
    if isinstance(error, GraphcError):
        return error
    cause = error.__cause__
    if isinstance(error, ValueError) and isinstance(cause, NotConcrete):
        said = ArgumentError(_NOT_INTO_ARRAYS)
        said.where, said.operands = cause.where, cause.operands
        return said
    if not isinstance(error, TypeError):
        return error
    is_of_a_size = _OF_A_SIZE.search(str(error))
    if not is_of_a_size and not lists:
        return error
    said = ArgumentError(OF_FORMULAS if is_of_a_size else f"{error}; {lists}")
    said.where = raised_at(error, lambda file: not is_internal[file]) or said.where
    return said


def _lists(arguments: Mapping[str, Any]) -> str:
    """What to say of arguments that are lists of numbers, if any."""
    for name, value in arguments.items():
        numbers = forms.leaves(value) if type(value) in (list, tuple) else []
        if numbers and all(isinstance(v, Number) for v in numbers):
            return (
                f"{name} was given as {a_kind(value)} of {counted(len(numbers), 'number')}, "
                f"which is {counted(len(numbers), 'argument')}: pass np.array({name})"
            )
    return ""
