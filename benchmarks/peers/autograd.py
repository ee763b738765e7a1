"""autograd: the gradient is traced anew at every call."""

import autograd
import autograd.numpy as np

from .numpy import with_compositions


def build(job):
    objective = job.objective(with_compositions(np))
    arguments = job.as_passed
    if job.along is not None:
        (i,), v = job.positions, arguments[job.along]
        product = autograd.hessian_vector_product(objective, i)
        return lambda: (product(*arguments, v),)
    both = autograd.value_and_grad(objective, job.positions)

    def call():
        value, gradients = both(*arguments)
        return value, *gradients

    return call
