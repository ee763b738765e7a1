"""Derivatives: reverse mode by Algorithms 6.5 and 6.6, and the modes made of it."""

from .backprop import Contribution, GradTable, Step, backprop, grad, vjp
from .batching import vectorize
from .jacobian import Mode, hessian, jacobian, jacobian_mode
from .modes import hvp, jvp
from .structures import Structure, structure

__all__ = [
    "Contribution",
    "GradTable",
    "Mode",
    "Step",
    "Structure",
    "backprop",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jacobian_mode",
    "jvp",
    "structure",
    "vectorize",
    "vjp",
]
