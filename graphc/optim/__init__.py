"""Training: optimizers as nodes of the program, schedules, batches, fit.

>>> import numpy as np, graphc as gc
>>> w, X = gc.input("w", ("d",)), gc.input("X", ("n", "d"))
>>> loss = gc.mean((X @ w - 1) ** 2)
>>> batches = gc.optim.Batches({X: np.eye(2)}, size=1)
>>> adam = gc.optim.adam(gc.optim.cosine(0.1, steps=100))
>>> gc.fit(loss, {w: np.zeros(2)}, batches, adam, epochs=50).params["w"].round(1)
array([1., 1.])
"""

from typing import TYPE_CHECKING

from ..misfits import explain_calls
from ..ops.as_numpy.other_names import otherwise
from .batches import Batches
from .fit import fit
from .optimizers import (
    Optimizer,
    adam,
    adamw,
    clip_by_norm,
    clip_by_value,
    momentum,
    sgd,
)
from .schedules import (
    Schedule,
    constant,
    cosine,
    exponential_decay,
    linear,
    step_decay,
    warmup,
)
from .training import Training

__all__ = [
    "adam",
    "adamw",
    "Batches",
    "clip_by_norm",
    "clip_by_value",
    "constant",
    "cosine",
    "exponential_decay",
    "fit",
    "linear",
    "momentum",
    "Optimizer",
    "Schedule",
    "sgd",
    "step_decay",
    "Training",
    "warmup",
]

if not TYPE_CHECKING:  # a checker shall find the name missing
    explain_calls(globals(), __all__)
    __getattr__ = otherwise([f"optim.{name}" for name in __all__], "gc.optim")


def __dir__() -> list[str]:
    """What the Tab key shows: the public names alone, not the rooms they come from."""
    return sorted(__all__)
