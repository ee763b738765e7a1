"""jax on the processor, in float64 where the row is."""

import jax
import jax.numpy as jnp

from ..workload import Names

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

xp = Names(
    jnp,
    softplus=jax.nn.softplus,
    sigmoid=jax.nn.sigmoid,
    relu=jax.nn.relu,
    softmax=jax.nn.softmax,
    log_softmax=jax.nn.log_softmax,
    logsumexp=jax.nn.logsumexp,
    pick=lambda x, labels: jnp.take_along_axis(x, labels[:, None], axis=1)[:, 0],
)


def build(job):
    objective = job.objective(xp)
    arguments = [jax.device_put(v) for v in job.arguments.values()]
    if job.along is not None:
        (i,) = job.positions
        slope = jax.grad(objective, argnums=i)

        def product(*values):
            def along(x):
                return slope(*values[:i], x, *values[i + 1 :])

            return (jax.jvp(along, (values[i],), (values[job.along],))[1],)

        f = jax.jit(product)
    else:
        f = jax.jit(jax.value_and_grad(objective, argnums=job.positions))

    def call():
        return jax.tree.leaves(jax.block_until_ready(f(*arguments)))

    call()
    return call
