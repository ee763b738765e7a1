"""Numbers and truth values that options take: NumPy's are as good as Python's."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from .errors import ArgumentError


def whole(value: object, wanted: str, least: int = 1) -> int:
    """A number that counts something, as an int; the message ends with what came instead.

    >>> import numpy as np
    >>> whole(np.int64(2), "threads= is a number of at least 1, not")
    2
    >>> whole(2.5, "threads= is a number of at least 1, not")
    Traceback (most recent call last):
        ...
    graphc.errors.ArgumentError: threads= is a number of at least 1, not 2.5...
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least:
        return int(value)
    raise ArgumentError(f"{wanted} {value!r}")


def truth(name: str, value: object, hint: str = "") -> bool:
    """An option that is on or off: any text is true, `"no"` too.

    >>> truth("upper", "no")
    Traceback (most recent call last):
        ...
    graphc.errors.ArgumentError: upper= is True or False, not 'no'...
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ArgumentError(f"{name}= is True or False, not {value!r}{hint}")
