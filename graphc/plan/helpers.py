"""What a compiled program may carry with it: the functions of the rooms that know nothing of us."""

from __future__ import annotations

from typing import Any

from . import functions, runtime

HELPERS: dict[str, Any] = {
    name: value
    for room in (runtime, functions)
    for name, value in vars(room).items()
    if getattr(value, "__module__", None) == room.__name__
}
