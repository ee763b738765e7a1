"""What to write where a name is looked for that the package does not have: `gc.arctan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import numpy as np

from ...ir import Op
from .table import TABLE
from .ufuncs import UFUNCS

# Besides the ufuncs: functions whose parameters have other names, and words for inputs.
_CALLED = {
    "amax": "max", "amin": "min", "around": "round", "concatenate": "concat",
    "cumsum": "cumulative_sum", "cumprod": "cumulative_prod", "array": "constant",
    "asarray": "constant", "placeholder": "input", "symbol": "input", "variable": "input",
}  # fmt: skip


def otherwise(names: Sequence[str]) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a package that has these names. Python itself knows what is near.

    >>> otherwise(["atan", "softmax"])("arctan")
    Traceback (most recent call last):
        ...
    AttributeError: graphc has no arctan: it is called gc.atan
    """

    def missing(name: str) -> NoReturn:
        raise AttributeError(f"graphc has no {name}{_instead(name, names)}")

    return missing


def _instead(name: str, names: Sequence[str]) -> str:
    found = UFUNCS.get(name)
    called = found.name if isinstance(found, Op) else _CALLED.get(name)
    if called in names:
        return f": it is called gc.{called}"
    function = vars(np).get(name)
    is_covered = name in UFUNCS or callable(function) and function in TABLE
    return f" of its own: np.{name} takes its tensors" if is_covered else ""
