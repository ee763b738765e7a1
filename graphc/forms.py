"""Forms: a value alone, or lists, tuples and dicts of values. Results keep the form asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def leaves(form: Any) -> list[Any]:
    """The values of a form, from left to right."""
    if isinstance(form, dict):
        return [leaf for part in form.values() for leaf in leaves(part)]
    if isinstance(form, list | tuple):
        return [leaf for part in form for leaf in leaves(part)]
    return [form]


def paths(form: Any, name: str = "") -> list[str]:
    """What to call each leaf: the keys and positions that lead to it, joined by underscores."""
    if isinstance(form, dict):
        parts: Iterable[tuple[Any, Any]] = form.items()
    elif isinstance(form, list | tuple):
        parts = enumerate(form)
    else:
        return [name]
    return [p for key, part in parts for p in paths(part, f"{name}_{key}" if name else str(key))]


def keys(form: Any) -> list[Any]:
    """The keys of all dicts in a form."""
    if isinstance(form, dict):
        return [*form, *(key for part in form.values() for key in keys(part))]
    if isinstance(form, list | tuple):
        return [key for part in form for key in keys(part)]
    return []


def skeleton(form: Any) -> Any:
    """What forms of one structure have in common, to look them up by."""
    if isinstance(form, dict):
        return dict, *((key, skeleton(part)) for key, part in form.items())
    if isinstance(form, list | tuple):
        return type(form), *map(skeleton, form)
    return None


def map_leaves(function: Callable[[Any], Any], form: Any) -> Any:
    """The form with a function applied to each leaf."""
    # No function here calls itself by a variable of another: such a pair would keep the leaves
    # alive until the collector comes.
    if isinstance(form, dict):
        return {key: map_leaves(function, part) for key, part in form.items()}
    if isinstance(form, list | tuple):
        return with_parts(form, (map_leaves(function, part) for part in form))
    return function(form)


def with_parts(form: list[Any] | tuple[Any, ...], parts: Iterable[Any]) -> Any:
    """A list or a tuple, maybe a named one, like this one."""
    return type(form)(*parts) if hasattr(form, "_fields") else type(form)(parts)


def fill(form: Any, values: Iterable[Any]) -> Any:
    """The form with other values for its leaves."""
    rest = iter(values)
    return map_leaves(lambda _: next(rest), form)


def _key(key: str | int) -> str:
    """A key as Python text, also that of an enum, whose own repr is none."""
    return str.__repr__(key) if isinstance(key, str) else int.__repr__(int(key))


def write(form: Any, texts: Iterable[str]) -> str:
    """Python text that builds the form out of texts for its leaves."""
    return _text(fill(form, texts))


def _text(form: Any) -> str:
    if isinstance(form, dict):
        return "{" + ", ".join(f"{_key(key)}: {_text(part)}" for key, part in form.items()) + "}"
    if isinstance(form, list):
        return "[" + ", ".join(map(_text, form)) + "]"
    if isinstance(form, tuple):
        end = "," if len(form) == 1 else ""
        return "(" + ", ".join(map(_text, form)) + end + ")"
    return str(form)


def is_written(form: Any) -> bool:
    """Whether the text of `write` builds the form as it is: plain Python has no named tuples."""
    if isinstance(form, dict):
        return all(map(is_written, form.values()))
    if isinstance(form, list | tuple):
        return not hasattr(form, "_fields") and all(map(is_written, form))
    return True
