"""The peers. Each file says how one of them builds a function for a job, and how it is called.

`build(job)` returns a function of no arguments that computes the job's results, all of them ready
when it returns. What can be prepared once is: arguments are in the peer's own form already.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..workload import Job


@dataclass(frozen=True)
class Peer:
    """Where a peer's `build` is, and what it needs to be there."""

    name: str
    build_in: str  # "file:function"
    packages: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    how: str = ""  # how it is run, for the page that shows the table
    compiles: bool = True
    in_numpy: bool = False  # its arrays are NumPy's, so tracemalloc sees them all

    @property
    def lacking(self) -> list[str]:
        """What it needs and is not installed."""
        packages = [name for name in self.packages if importlib.util.find_spec(name) is None]
        return packages + [name for name in self.commands if shutil.which(name) is None]

    @property
    def build(self) -> Callable[[Job], Callable[[], Any]]:
        """The function that builds; importing the peer may take seconds."""
        file, function = self.build_in.split(":")
        build: Callable[[Job], Callable[[], Any]]
        build = getattr(importlib.import_module(f"{__name__}.{file}"), function)
        return build


OURS, BY_HAND, LIMIT = "graphc", "NumPy", "C"
PEERS = {
    peer.name: peer
    for peer in (
        Peer(OURS, "graphc:build", in_numpy=True, how="`gc.compile` with its defaults"),
        Peer(
            BY_HAND,
            "numpy:build",
            in_numpy=True,
            compiles=False,
            how="value and gradient written by hand",
        ),
        Peer(
            "autograd",
            "autograd:build",
            ("autograd",),
            in_numpy=True,
            compiles=False,
            how="`value_and_grad`",
        ),
        Peer("pytensor", "pytensor:build", ("pytensor",), how="Numba where installed, else C"),
        Peer("jax", "jax:build", ("jax",), how="`jit(value_and_grad)`, arrays on its device"),
        Peer("torch", "torch:eager", ("torch",), compiles=False, how="eager, `autograd.grad`"),
        Peer(
            "torch.compile",
            "torch:compiled",
            ("torch",),
            ("g++",),
            how="value and gradient in one graph, static shapes",
        ),
        Peer("casadi", "casadi:build", ("casadi",), how="`MX`, its virtual machine, one thread"),
        Peer(
            "sympy",
            "sympy:build",
            ("sympy",),
            in_numpy=True,
            how="`lambdify(cse=True)` to math for scalars, to NumPy for arrays",
        ),
        Peer(
            LIMIT,
            "c:build",
            (),
            ("gcc",),
            how="by hand, `gcc -O3 -march=native -ffast-math -fopenmp`: the limit",
        ),
    )
}
