"""Searches: what is sought once for each structure, remembered, and paid for out of a budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass
class Budget:
    """Seconds for the searches of one compilation, far more than most take.

    They are counted, not measured: what is sought must not depend on how busy the machine is, nor
    on what others have found before. So what is remembered is charged for too, once.
    """

    seconds: float = 2.0
    spent: float = 0.0
    is_short: bool = False  # something was left as it is, for want of more
    found: dict[tuple[Memo[Any], Hashable], Any] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What a report says of it, if it did not suffice."""
        return f"simplify stopped: its budget of {self.seconds:g} s was spent" * self.is_short


class Memo(Generic[T]):
    """What was found by structure, and in how many seconds, for all compilations of the process.

    One thread searches after the other. A full memo begins anew.
    """

    def __init__(self, size: int = 4096) -> None:
        self.size = size
        self.known: dict[Hashable, tuple[T, float]] = {}
        self.searching = threading.Lock()

    def find(
        self, key: Hashable, budget: Budget, search: Callable[[], tuple[T, float]]
    ) -> T | None:
        """What is known or a search finds; None where the budget is spent."""
        if (self, key) in budget.found:
            found: T = budget.found[self, key]
            return found
        if budget.spent > budget.seconds:
            budget.is_short = True
            return None
        with self.searching:
            known = self.known.get(key)
            if known is None:
                known = search()
                if len(self.known) >= self.size:
                    self.known.clear()
                self.known[key] = known
        budget.found[self, key], seconds = known
        budget.spent += seconds
        return known[0]
