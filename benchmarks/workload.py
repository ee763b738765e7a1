"""What is measured: one record for each piece of mathematics, one row for each of its sizes."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Input:
    """The shape of an argument, in numbers and names of sizes, and how its values are drawn."""

    shape: tuple[int | str, ...]
    draw: Callable[[np.random.Generator, tuple[int, ...], Mapping[str, int]], Any]


def normal(*shape: int | str, scale: float = 1.0, around: float = 0.0) -> Input:
    """Normal numbers."""
    return Input(shape, lambda rng, shape, sizes: around + scale * rng.standard_normal(shape))


def signs(*shape: int | str) -> Input:
    """Labels -1 and 1."""
    return Input(shape, lambda rng, shape, sizes: rng.choice([-1.0, 1.0], shape))


def labels(*shape: int | str, classes: int | str) -> Input:
    """Integer labels from 0 to classes - 1."""
    return Input(
        shape, lambda rng, shape, sizes: rng.integers(0, sizes.get(str(classes), classes), shape)
    )


def exactly(value: float) -> Input:
    """A given number."""
    return Input((), lambda rng, shape, sizes: np.asarray(value))


@dataclass(frozen=True)
class Case:
    """Sizes and a dtype; `only_compiling` where calls are of no interest."""

    sizes: Mapping[str, int]
    dtype: str = "float64"
    only_compiling: bool = False


@dataclass(frozen=True)
class Workload:
    """Mathematics, written once, and what is asked of it: value and gradients, or H v.

    `objective(xp, *inputs, **static)` computes a scalar with the functions of a namespace xp, which
    speaks of NumPy, graphc or a peer. `by_hand(*inputs, **static)` computes in NumPy what is asked.
    Sizes named in `static` are known when a program is built; the others are symbols. With `along`,
    the Hessian by the one input of `wrt` is multiplied by the vector of that name.
    """

    name: str
    inputs: Mapping[str, Input]
    wrt: tuple[str, ...]
    objective: Callable[..., Any]
    by_hand: Callable[..., tuple[Any, ...]]
    cases: tuple[Case, ...]
    static: tuple[str, ...] = ()
    along: str | None = None
    elementwise: bool = False  # a sum of one formula over the elements: for sympy
    c: str | None = None  # the body of the C function, see peers/c.py
    tiny: Mapping[str, int] | None = None  # sizes for tests; otherwise 3 for each

    @property
    def rows(self) -> tuple[Row, ...]:
        """One for each case."""
        return tuple(Row(self, case) for case in self.cases)

    @property
    def smallest(self) -> Row:
        """A row that takes no time, to test with."""
        case = self.cases[0]
        return Row(self, Case(self.tiny or dict.fromkeys(case.sizes, 3), case.dtype))


@dataclass(frozen=True)
class Row:
    """A workload at given sizes."""

    workload: Workload
    case: Case

    @property
    def name(self) -> str:
        """The workload's name with the sizes and the dtype."""
        sizes = [f"{name} = {size:,}" for name, size in self.case.sizes.items()]
        return ", ".join([self.workload.name, *sizes, self.case.dtype])

    @property
    def static(self) -> dict[str, int]:
        """The sizes that a program may know when it is built."""
        return {name: self.case.sizes[name] for name in self.workload.static}

    @property
    def arguments(self) -> dict[str, Any]:
        """The same values in every process."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        drawn = {}
        for name, given in self.workload.inputs.items():
            shape = tuple(self.case.sizes[d] if isinstance(d, str) else d for d in given.shape)
            value = np.asarray(given.draw(rng, shape, self.case.sizes))
            is_float = value.dtype.kind == "f"
            drawn[name] = value.astype(self.case.dtype) if is_float else value
        return drawn

    def shape_of(self, name: str) -> tuple[int | str, ...]:
        """An argument's shape, where a size that is not static is a name."""
        return tuple(self.static.get(str(d), d) for d in self.workload.inputs[name].shape)

    @property
    def reference(self) -> tuple[Any, ...]:
        """What is asked, by hand, in float64 whatever the row's dtype is."""
        exact = {
            name: value.astype(np.float64) if value.dtype.kind == "f" else value
            for name, value in self.arguments.items()
        }
        return self.workload.by_hand(*exact.values(), **self.static)

    def job(self, only_value: bool = False) -> Job:
        """What a peer needs to build a function for this row."""
        return Job(self, self.arguments, only_value)


@dataclass(frozen=True)
class Job:
    """A row with its arguments, seen as a peer wants to see it."""

    row: Row
    arguments: dict[str, Any]
    only_value: bool = False

    def objective(self, xp: Any) -> Callable[..., Any]:
        """The objective as a function of the arguments alone, in order."""
        return functools.partial(self.row.workload.objective, xp, **self.row.static)

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments, in order."""
        return tuple(self.arguments)

    @property
    def as_passed(self) -> list[Any]:
        """The arguments as one passes them to NumPy's functions: Python's numbers for scalars."""
        return [v.item() if v.ndim == 0 else v for v in self.arguments.values()]

    @property
    def positions(self) -> tuple[int, ...]:
        """Where those arguments stand by which is differentiated."""
        return tuple(self.names.index(name) for name in self.row.workload.wrt)

    @property
    def along(self) -> int | None:
        """Where the vector stands that the Hessian is multiplied by."""
        along = self.row.workload.along
        return None if along is None else self.names.index(along)


class Names:
    """A namespace: a module, with some names added or said otherwise."""

    def __init__(self, module: Any, **own: Any) -> None:
        self.module = module
        self.__dict__.update(own)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)
