"""sympy.lambdify: formulas of elements, with common subexpressions shared."""

import numpy as np
import sympy

from ..workload import Names

xp = Names(sympy, sum=lambda x: x, log1p=lambda x: sympy.log(1 + x))


def build(job):
    if not job.row.workload.elementwise:
        raise NotImplementedError("has formulas of elements only")
    inputs = sympy.symbols(job.names, real=True)
    value = job.objective(xp)(*inputs)
    outputs = (value, *(sympy.diff(value, inputs[i]) for i in job.positions))
    arguments = job.as_passed
    if all(isinstance(v, float) for v in arguments):
        on_numbers = sympy.lambdify(inputs, outputs, modules="math", cse=True)
        return lambda: on_numbers(*arguments)
    f = sympy.lambdify(inputs, outputs, modules="numpy", cse=True)

    def call():
        terms, *gradients = f(*arguments)
        return np.sum(terms), *gradients

    return call
