"""PyTensor, with Numba where that is installed, else with C."""

import importlib.util

import pytensor
import pytensor.tensor as pt

from ..workload import Names

MODE = "NUMBA" if importlib.util.find_spec("numba") else "CVM"

xp = Names(
    pt,
    relu=lambda x: pt.maximum(x, 0),
    softmax=pt.special.softmax,
    log_softmax=pt.special.log_softmax,
    matrix_transpose=lambda x: x.mT,
    permute_dims=lambda x, axes: x.transpose(*axes),
    pick=lambda x, labels: x[pt.arange(labels.shape[0]), labels],
)


def build(job):
    inputs = [
        pt.tensor(name, dtype=str(value.dtype), shape=shape)
        for name, value in job.arguments.items()
        for shape in [[d if isinstance(d, int) else None for d in job.row.shape_of(name)]]
    ]
    value = job.objective(xp)(*inputs)
    wrt = [inputs[i] for i in job.positions]
    gradients = pytensor.grad(value, wrt)
    if job.along is not None:
        product = pt.sum(gradients[0] * inputs[job.along])
        outputs = [pytensor.grad(product, wrt[0])]
    else:
        outputs = [value, *gradients]
    # trust_input spares the checks of the arguments, as its documentation advises for speed.
    f = pytensor.function(inputs, outputs, mode=MODE, trust_input=True, on_unused_input="ignore")
    arguments = list(job.arguments.values())

    def call():
        return f(*arguments)

    call()
    return call
