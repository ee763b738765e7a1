"""graphc itself: every size that is not static is a symbol."""

import graphc as gc

from ..workload import Names


def pick(x, labels):
    return gc.take_along_axis(x, gc.expand_dims(labels, 1), axis=1)[:, 0]


def tril(x, k):
    rows, columns = (gc.iota(size) for size in x.shape[-2:])
    return gc.where(gc.expand_dims(rows, 1) + k >= columns, x, 0)


xp = Names(gc, pick=pick, tril=tril)


def build(job):
    inputs = [
        gc.input(name, job.row.shape_of(name), dtype=str(value.dtype))
        for name, value in job.arguments.items()
    ]
    value = job.objective(xp)(*inputs)
    wrt = [inputs[i] for i in job.positions]
    if job.only_value:
        outputs = (value,)
    elif job.along is not None:
        outputs = (gc.hvp(value, wrt[0], inputs[job.along]),)
    else:
        outputs = (value, *gc.grad(value, wrt))
    f = gc.compile(outputs, inputs=inputs)
    arguments = job.as_passed
    return lambda: f(*arguments)
