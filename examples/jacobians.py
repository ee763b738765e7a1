"""The Jacobians in s = u . f(W x + b), each by its formula, and the chain rule as their product.

    z = W x + b     dz/dx = W          dz/db = I
    h = f(z)        dh/dz = diag(f'(z))
    s = u . h       ds/du = h          ds/dh = u

With delta = ds/dz = u * f'(z): ds/db = delta, ds/dx = W^T delta, and ds/dW = delta x^T, which has
the shape of W.
"""

import numpy as np

import graphc as gc

W, b = gc.input("W", ("m", "n")), gc.input("b", ("m",))
x, u = gc.input("x", ("n",)), gc.input("u", ("m",))
z = W @ x + b
h = gc.tanh(z)
s = u @ h

rng = np.random.default_rng(0)
m, n = 3, 4
Wv, bv, xv, uv = (rng.normal(size=shape) for shape in [(m, n), m, n, m])
at = {W: Wv, b: bv, x: xv, u: uv}
hv = np.tanh(Wv @ xv + bv)
delta = uv * (1 - hv**2)

formulas = {
    "dz/dx = W": (z, x, Wv),
    "dz/db = I": (z, b, np.eye(m)),
    "dh/dz = diag(f'(z))": (h, z, np.diag(1 - hv**2)),
    "dh/dx = diag(f'(z)) W": (h, x, np.diag(1 - hv**2) @ Wv),
    "ds/dh = u": (s, h, uv),
    "ds/du = h": (s, u, hv),
    "ds/db = delta": (s, b, delta),
    "ds/dx = W^T delta": (s, x, Wv.T @ delta),
    "ds/dW = delta x^T": (s, W, np.outer(delta, xv)),
}
print(f"{'formula':24}{'shape':10}{'structure':12}largest difference")
for formula, (value, wrt, expected) in formulas.items():
    J = gc.jacobian(value, wrt)
    difference = np.max(np.abs(gc.evaluate(J, at) - expected))
    kind = gc.structure(J).kind if value is not s else ""
    print(f"{formula:24}{str(list(J.shape)):10}{kind:12}{difference:.1e}")
    assert difference < 1e-14
