"""The module that a program is: its functions, and around them what they import, use and keep."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Iterator

from ..carried import HELPERS, tiling
from .texts import Texts, helpers_in

_IMPORTED = ("_thread", "base64", "functools", "math", "os", "sys")
_LIMITS = ("TILE_BYTES", "LONG_RUN", "THREAD_WORK")
# Names that mean something in every program.
RESERVED = (*HELPERS, *_IMPORTED, "np", "Any", "annotations", "spare_memory", *_LIMITS)

# Before, a float32 times a number of Python's was a float64, and there was no np.vecdot.
_NEEDS = "It needs NumPy alone, 2.0 or later."
# What two results leave glibc's malloc gives back to the system, and asks for it again at the next
# call: a fault for each page. It keeps twice as much as the largest piece that was let go, if that
# is not above this.
_KEPT = (
    "# Let go at once: from then on malloc keeps what results leave for those of the next call.",
    f"np.empty({(1 << 25) - (1 << 13)}, np.uint8)",
)


def module(name: str, functions: list[str], pieces: Iterable[str], texts: Texts) -> str:
    """The text of a module: the lines of its first functions, what these call, and constants."""
    helpers = _helpers(texts.helpers)
    imports = list(_imports(functions, helpers.values()))
    lines = [
        f'"""{name}: a NumPy program written by graphc. {_NEEDS}"""',
        "",
        "from __future__ import annotations",
        "",
        *([*imports, ""] if imports else []),
        "import numpy as np",
        "",
        "",
        *functions,
    ]
    for piece in (*pieces, *helpers.values()):
        lines += ["", "", piece]
    constants = texts.constants
    if "in_tiles" in helpers:
        limits = (f"{name} = {getattr(tiling, name)}" for name in _LIMITS)
        constants = ["spare_memory = []", *limits, *_KEPT, *constants]
    if constants:  # they come last, since they may call helpers
        lines += ["", "", *constants]
    return "\n".join([*lines, ""])


def _imports(functions: Iterable[str], helpers: Iterable[str]) -> Iterator[str]:
    for name in _IMPORTED:
        if any(f"{name}." in text for text in (*helpers, *functions)):
            yield f"import {name}"
    for name, room in (("Callable", "collections.abc"), ("Any", "typing")):
        if any(name in text for text in helpers):
            yield f"from {room} import {name}"


def _helpers(names: Iterable[str]) -> dict[str, str]:
    """The texts of some carried functions and of all those that they use, in their order."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(helpers_in(_helper_text(name)))
    return {name: _helper_text(name) for name in HELPERS if name in found}


@functools.cache
def _helper_text(name: str) -> str:
    """What a program holds of a helper. Found once: Python reads the whole module to find it."""
    return inspect.getsource(HELPERS[name]).rstrip()
