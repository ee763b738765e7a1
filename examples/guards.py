"""Gradients at the points where a plain chain rule meets 0 * inf and returns NaN."""

import numpy as np

import graphc as gc

x = gc.input("x", ())
v = gc.input("v", (3,))
s = gc.sum(v * v)
functions = {
    "where(x > 0, sqrt(x), 0)": (gc.where(x > 0, gc.sqrt(x), 0), x, 0.0),
    "where(x > 0, log(x), 0)": (gc.where(x > 0, gc.log(x), 0), x, 0.0),
    "where(x != 0, sin(x)/x, 1)": (gc.where(gc.not_equal(x, 0), gc.sin(x) / x, 1), x, 0.0),
    "where(s > 0, sqrt(s), 0)": (gc.where(s > 0, gc.sqrt(s), 0), v, np.zeros(3)),
    "norm(v)": (gc.norm(v), v, np.zeros(3)),
    "abs(x)": (gc.abs(x), x, 0.0),
    "prod(v)": (gc.prod(v), v, np.array([0.0, 2.0, 3.0])),
    "logsumexp(v)": (gc.logsumexp(v), v, np.array([1000.0, 1000.0, -np.inf])),
}

print(f"{'function':28} {'at':22} {'value':>8}   first and second derivative")
for text, (f, wrt, at) in functions.items():
    first = gc.grad(f, wrt)
    second = gc.hvp(f, wrt, gc.ones_like(wrt))
    value, *slopes = gc.compile([f, first, second], inputs=[wrt])(at)
    print(f"{text:28} {str(at):22} {value:8.6g}   {slopes[0]}   {slopes[1]}")
    assert np.isfinite(slopes[0]).all() and np.isfinite(slopes[1]).all()
