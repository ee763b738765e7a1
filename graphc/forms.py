"""Forms: a value alone, or lists, tuples and dicts of values. Results keep the form asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def leaves(form: Any) -> list[Any]:
    """The values of a form, from left to right."""
    if isinstance(form, dict):
        return [leaf for part in form.values() for leaf in leaves(part)]
    if isinstance(form, list | tuple):
        return [leaf for part in form for leaf in leaves(part)]
    return [form]


def paths(form: Any, prefix: str = "") -> list[str]:
    """What to call each leaf: the keys and positions that lead to it, joined by underscores."""
    if isinstance(form, dict):
        return [p for key, part in form.items() for p in paths(part, f"{prefix}_{key}")]
    if isinstance(form, list | tuple):
        return [p for k, part in enumerate(form) for p in paths(part, f"{prefix}_{k}")]
    return [prefix.lstrip("_")]


def keys(form: Any) -> list[Any]:
    """The keys of all dicts in a form."""
    if isinstance(form, dict):
        return [*form, *(key for part in form.values() for key in keys(part))]
    if isinstance(form, list | tuple):
        return [key for part in form for key in keys(part)]
    return []


def fill(form: Any, values: Sequence[Any]) -> Any:
    """The form with other values for its leaves."""
    rest = iter(values)

    def filled(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: filled(inner) for key, inner in part.items()}
        if isinstance(part, tuple) and hasattr(part, "_fields"):
            return type(part)(*map(filled, part))
        if isinstance(part, list | tuple):
            return type(part)(map(filled, part))
        return next(rest)

    return filled(form)


def _key(key: str | int) -> str:
    """A key as Python text, also that of an enum, whose own repr is none."""
    return str.__repr__(key) if isinstance(key, str) else int.__repr__(key)


def write(form: Any, texts: Sequence[str]) -> str:
    """Python text that builds the form out of texts for its leaves."""
    rest = iter(texts)

    def written(part: Any) -> str:
        if isinstance(part, dict):
            return "{" + ", ".join(f"{_key(key)}: {written(v)}" for key, v in part.items()) + "}"
        if isinstance(part, list):
            return "[" + ", ".join(map(written, part)) + "]"
        if isinstance(part, tuple):
            return "(" + "".join(f"{written(v)}, " for v in part).strip() + ")"
        return next(rest)

    return written(form)


def is_written(form: Any) -> bool:
    """Whether the text of `write` builds the form as it is: plain Python has no named tuples."""
    if isinstance(form, dict):
        return all(map(is_written, form.values()))
    if isinstance(form, list | tuple):
        return not hasattr(form, "_fields") and all(map(is_written, form))
    return True


def map_leaves(function: Callable[[Any], Any], form: Any) -> Any:
    """The form with a function applied to each leaf."""
    return fill(form, [function(leaf) for leaf in leaves(form)])
