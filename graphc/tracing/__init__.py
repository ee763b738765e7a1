"""Plain functions of arrays: what makes graphs of them, and programs, derivatives, maps."""

from .jit import Jit, jit
from .trace import trace
from .transforms import grad_fn, hessian_fn, jacobian_fn, value_and_grad
from .vmap import vmap

__all__ = [
    "Jit",
    "grad_fn",
    "hessian_fn",
    "jacobian_fn",
    "jit",
    "trace",
    "value_and_grad",
    "vmap",
]
