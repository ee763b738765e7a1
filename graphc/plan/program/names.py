"""Identifiers: what a program calls its values. The user's names never reach it as they are."""

from __future__ import annotations

import builtins
import functools
import keyword
import re
import unicodedata
from collections.abc import Iterable


class Identifiers:
    """Hands out identifiers: like the names that people gave, safe, and each only once."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self.taken = {*keyword.kwlist, *dir(builtins), *reserved}
        self.last: dict[str, int] = {}

    def take(self, name: str) -> str:
        found = base = _identifier(name)
        while found in self.taken:
            self.last[base] = self.last.get(base, 0) + 1
            found = f"{base}_{self.last[base]}"
        self.taken.add(found)
        return found


@functools.lru_cache(maxsize=4096)
def _identifier(name: str) -> str:
    """The identifier nearest to a name, in the form that Python itself would bring it to."""
    base = unicodedata.normalize("NFKC", name[:200])
    base = unicodedata.normalize("NFKC", re.sub(r"\W+", "_", base).strip("_")[:40])
    if not base.isidentifier():
        base = f"v_{base}" if f"v_{base}".isidentifier() else "v"
    return base
