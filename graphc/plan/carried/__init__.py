"""What a compiled program may carry with it: NumPy functions, copied whole by their source.

None of them knows of graphc: a function uses NumPy, and others that are carried.
"""

from __future__ import annotations

from typing import Any

from . import arguments, arrays, functions, processor, special, tiling

# In the order in which they stand in a program.
HELPERS: dict[str, Any] = {
    name: value
    for room in (arguments, tiling, processor, arrays, functions, special)
    for name, value in vars(room).items()
    if getattr(value, "__module__", None) == room.__name__
}
