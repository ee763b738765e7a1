"""What each of NumPy's functions builds: a table that the files beside this one fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]

# NumPy function -> what it builds.
TABLE: dict[Any, Function] = {}


def means(*functions: Any) -> Callable[[Function], Function]:
    """The function below is what these NumPy functions build."""

    def register(function: Function) -> Function:
        for f in functions:
            TABLE[f] = function
        return function

    return register
