"""Derivatives: reverse mode by Algorithms 6.5 and 6.6, and the modes made of it."""

from .batching import vectorize
from .backprop import Contribution, GradTable, Step, backprop, grad, vjp
from .modes import hvp, jvp

__all__ = ["Contribution", "GradTable", "Step", "backprop", "grad", "hvp", "jvp", "vectorize", "vjp"]
