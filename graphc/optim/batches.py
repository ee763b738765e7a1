"""Batches: rows of some arrays, in an order that a seed and the number of the epoch decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..evaluate import by_name
from ..misfits import explained_methods
from ..options import whole
from ..wording import a_kind

Batch = Mapping[Any, Any]
Source = Batch | Iterable[Batch] | Callable[[int], Iterable[Batch]]


@explained_methods
class Batches:
    """Some arrays cut along their first axis, in a new order for each epoch.

    `data` maps inputs, or their names, to arrays with the same number of rows; numbers without axes
    are handed on as they are. The order depends on `seed` and on the epoch alone, so a run that is
    resumed meets the same batches. `drop_last` leaves out a last batch that is not full.

    >>> import numpy as np, graphc as gc
    >>> batches = gc.optim.Batches({"x": np.arange(5)}, size=2, shuffle=False)
    >>> [batch["x"].tolist() for batch in batches.epoch(0)]
    [[0, 1], [2, 3], [4]]
    >>> batches = gc.optim.Batches({"x": np.arange(5)}, size=5, seed=1)
    >>> [batch["x"].tolist() for k in (0, 1) for batch in batches.epoch(k)]
    [[4, 0, 1, 2, 3], [1, 4, 0, 3, 2]]
    """

    def __init__(
        self,
        data: Batch,
        size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.arrays = {name: np.asarray(value) for name, value in by_name(data).items()}
        self.shuffle, self.drop_last = shuffle, drop_last
        self.seed = whole(seed, "seed= is a whole number that is not negative, and is", least=0)
        rows = {name: len(a) for name, a in self.arrays.items() if a.ndim}
        if len(set(rows.values())) != 1:
            raise ArgumentError(f"the arrays of a batch need equally many rows, and have {rows}")
        self.rows = next(iter(rows.values()))
        wanted = f"a batch has at least 1 row and at most {self.rows}, not"
        self.size = whole(size, wanted)
        if self.size > max(self.rows, 1):
            raise ArgumentError(f"{wanted} {size!r}")

    def __len__(self) -> int:
        """How many batches there are in an epoch."""
        return self.rows // self.size if self.drop_last else -(-self.rows // self.size)

    def epoch(self, k: int) -> Iterator[dict[str, Any]]:
        """The batches of the epoch with that number, which counts from 0."""
        order = np.arange(self.rows)
        if self.shuffle:
            order = np.random.default_rng([self.seed, k]).permutation(self.rows)
        for i in range(len(self)):
            chosen = order[i * self.size : (i + 1) * self.size]
            yield {name: a[chosen] if a.ndim else a for name, a in self.arrays.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.epoch(0)

    def __repr__(self) -> str:
        return (
            f"Batches({self.rows} rows of {', '.join(self.arrays)}, size={self.size}, "
            f"shuffle={self.shuffle}, seed={self.seed}, drop_last={self.drop_last})"
        )


def epoch_of(source: Source, k: int) -> Iterable[Batch]:
    """The batches of one epoch: of `Batches`, of one batch alone, of a list, or of a function."""
    if isinstance(source, Batches):
        return source.epoch(k)
    if isinstance(source, Mapping):
        return [source]
    batches = source(k) if callable(source) else source
    if not isinstance(batches, Iterable):
        raise ArgumentError(
            "batches come in a dict of arrays, in gc.optim.Batches, in a list of dicts or from a "
            f"function of the epoch, not as {a_kind(batches)}"
        )
    return batches


def count_of(source: Source) -> int | None:
    """How many batches an epoch has, if that is known before it is over."""
    if isinstance(source, Mapping):
        return 1
    return len(source) if isinstance(source, Sized) else None


def description(source: Source) -> str:
    """What a checkpoint says of the data: enough to notice that it is resumed with another."""
    if isinstance(source, Mapping):
        shapes = {name: np.shape(value) for name, value in by_name(source).items()}
        return f"one batch of {shapes}"
    return repr(source) if isinstance(source, Batches) else "batches made elsewhere"
