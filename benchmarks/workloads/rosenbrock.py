"""The Hessian of Rosenbrock's function times a vector."""

import numpy as np

from ..workload import Case, Workload, normal


def rosenbrock(xp, x, v):
    a, b = x[:-1], x[1:]
    return xp.sum(100 * (b - a**2) ** 2 + (1 - a) ** 2)


def product_by_hand(x, v):
    a, va, vb = x[:-1], v[:-1], v[1:]
    dr = vb - 2 * a * va
    out = np.zeros_like(x)
    out[:-1] = 2 * va - 400 * (va * (x[1:] - a * a) + a * dr)
    out[1:] += 200 * dr
    return (out,)


PRODUCT_C = """
#pragma omp parallel for simd if(n > 20000)
for (long i = 0; i < n; i++) {
    REAL a = x[i], h = 0;
    if (i + 1 < n)
        h = 2 * v[i] - 400 * (v[i] * (x[i + 1] - a * a) + a * (v[i + 1] - 2 * a * v[i]));
    if (i > 0)
        h += 200 * (v[i] - 2 * x[i - 1] * v[i - 1]);
    product[i] = h;
}
"""

WORKLOADS = (
    Workload(
        "Rosenbrock, Hessian times vector",
        inputs={"x": normal("n"), "v": normal("n")},
        wrt=("x",),
        along="v",
        objective=rosenbrock,
        by_hand=product_by_hand,
        cases=(Case({"n": 100_000}),),
        c=PRODUCT_C,
    ),
)
