"""What people give on the command line: values for inputs, names of what to differentiate by."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..draw.text import short
from ..errors import GraphcError
from ..evaluate import evaluate
from ..ir import Node
from ..wording import did_you_mean
from .expression import parse

# A longer text of values belongs into a file.
_LONGEST = 100_000


class Usage(Exception):
    """A command that cannot be carried out as it was given: one paragraph says why."""


def names(text: str) -> list[str]:
    """`W,b` as a list."""
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise Usage(f"names are separated by single commas, as in W,b and not {text!r}")
    return list(dict.fromkeys(found))


def values(text: str | None) -> dict[str, Any]:
    """`x=2,w=[1,2],X=data.npy` as values by name."""
    found: dict[str, Any] = {}
    for part in _parts(text or ""):
        name, sign, value = part.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise Usage(f"values are given as name=value, as in x=2,z=3, and {part!r} is not")
        if name.strip() in found:
            raise Usage(f"{name.strip()} is given two values")
        found[name.strip()] = _value(name.strip(), value.strip())
    return found


def _parts(text: str) -> list[str]:
    """The text cut at the commas that are outside of brackets."""
    if len(text) > _LONGEST:
        raise Usage(f"--at holds {len(text):,} characters: put long arrays into .npy files")
    parts, depth = [""], 0
    for c in text:
        depth += (c in "[(") - (c in "])")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [part for part in parts if part.strip()]


def _value(name: str, text: str) -> Any:
    if text.endswith(".npy"):
        return _array(name, Path(text))
    if text.startswith("["):
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise Usage(f"the value of {name} is no list of numbers: {short(text, 40)}") from None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(evaluate(parse(text)))
    except GraphcError as error:
        raise Usage(f"the value of {name} is no number: {error.sentence}") from None


def _array(name: str, path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Usage(f"the value of {name} cannot be read from {path}: {error}") from None


def picked(wanted: Iterable[str], known: Mapping[str, Node], role: str) -> list[Node]:
    """The nodes of some names, or a message that says which names there are."""
    found = []
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise Usage(f"{role} names {name}, which is not there: {hint}")
        found.append(known[name])
    return found
