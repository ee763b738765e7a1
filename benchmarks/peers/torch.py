"""torch, eager and compiled."""

import torch

from ..workload import Names

xp = Names(
    torch,
    max=torch.amax,
    softplus=torch.nn.functional.softplus,
    matrix_transpose=lambda x: x.mT,
    permute_dims=torch.permute,
    pick=lambda x, labels: torch.gather(x, 1, labels[:, None])[:, 0],
)


def tensors(job):
    # A 0-d NumPy value makes a 0-d tensor; from_numpy shares what is an array.
    return [torch.as_tensor(v) for v in job.arguments.values()]


def eager(job):
    objective, arguments = job.objective(xp), tensors(job)
    wrt = [arguments[i].requires_grad_() for i in job.positions]

    def call():
        value = objective(*arguments)
        return value.detach(), *torch.autograd.grad(value, wrt)

    def product():
        (slope,) = torch.autograd.grad(objective(*arguments), wrt, create_graph=True)
        return torch.autograd.grad(slope, wrt, grad_outputs=arguments[job.along])

    return call if job.along is None else product


def compiled(job):
    objective, arguments = job.objective(xp), tensors(job)
    torch._dynamo.reset()
    if job.along is not None:
        (i,) = job.positions
        slope = torch.func.grad(objective, argnums=i)

        def product(*values):
            def along(x):
                return slope(*values[:i], x, *values[i + 1 :])

            return (torch.func.jvp(along, (values[i],), (values[job.along],))[1],)

        f = torch.compile(product, dynamic=False)
    else:

        def both(*values):
            gradients, value = torch.func.grad_and_value(objective, argnums=job.positions)(*values)
            return value, *gradients

        f = torch.compile(both, dynamic=False)

    def call():
        return f(*arguments)

    call()
    return call
