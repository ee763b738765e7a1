"""CasADi: vectors and matrices in float64, evaluated by its virtual machine."""

import casadi as ca
import numpy as np

from ..workload import Names

xp = Names(
    ca,
    sum=lambda x: ca.sum1(ca.sum2(x)),
    mean=lambda x: ca.sum1(ca.sum2(x)) / x.numel(),
    softplus=lambda x: ca.fmax(x, 0) + ca.log1p(ca.exp(-ca.fabs(x))),
)


def build(job):
    shapes = {name: value.shape for name, value in job.arguments.items()}
    if any(len(shape) > 2 for shape in shapes.values()):
        raise NotImplementedError("has matrices only")
    if job.row.case.dtype != "float64":
        raise NotImplementedError("has float64 only")
    inputs = [ca.MX.sym(name, *shape) for name, shape in shapes.items()]
    value = job.objective(xp)(*inputs)
    wrt = [inputs[i] for i in job.positions]
    if job.along is not None:
        slope = ca.gradient(value, wrt[0])
        outputs = [ca.jtimes(slope, wrt[0], inputs[job.along])]
    else:
        outputs = [value, *(ca.gradient(value, x) for x in wrt)]
    f = ca.Function("f", inputs, outputs)
    # In the form of DM once: its order is Fortran's.
    arguments = [ca.DM(np.asarray(v)) for v in job.arguments.values()]
    return lambda: f.call(arguments)
