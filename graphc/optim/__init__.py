"""Training: optimizers as nodes of the program, schedules, batches, fit."""

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
