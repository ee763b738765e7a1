"""The chain rule for tensors: flatten them, multiply by a Jacobian matrix, fold the result again.

For Y = g(X), z = f(Y) the book (section 6.5.2) writes the gradient as a sum over the elements of Y,

    grad_X z = sum_j (grad_X Y_j) dz/dY_j        that is, J^T vec(grad_Y z), folded like X.

graphc never builds J: it calls bprop, which multiplies by J^T directly. Both give the same.
"""

import numpy as np

import graphc as gc

A, X = gc.input("A", (2, 3)), gc.input("X", (3, 4, 5))
functions = {
    "tanh(X)": gc.tanh(X),
    "X * X[::-1]": X * X[::-1],
    "A X, over the first axis": gc.tensordot(A, X, axes=1),
    "softmax over the last": gc.softmax(X, axis=-1),
    "running sums": gc.cumulative_sum(X, axis=1),
    "X transposed, reshaped": gc.reshape(X.T, (10, 6)),
}

rng = np.random.default_rng(0)
at = {A: rng.normal(size=A.shape), X: rng.normal(size=X.shape)}
print(f"{'Y':26}{'shape of Y':14}{'J, flattened':14}{'direct':12}largest difference")
for text, Y in functions.items():
    z = gc.sum(gc.sin(Y) * gc.iota(Y.size, dtype="float64").reshape(Y.shape))
    jacobian = gc.jacobian(Y, X)
    flat = gc.reshape(jacobian, (Y.size, X.size))
    flattened = gc.reshape(flat.T @ gc.reshape(gc.grad(z, Y), (Y.size,)), X.shape)
    direct = gc.grad(z, X)
    one, other = gc.evaluate([flattened, direct], at)
    difference = np.max(np.abs(one - other))
    shapes = f"{list(Y.shape)!s:14}{list(flat.shape)!s:14}{list(direct.shape)!s:12}"
    print(f"{text:26}{shapes}{difference:.1e}")
    assert difference < 1e-12

M, B = gc.input("M", (3, 4)), gc.input("B", (4, 5))
C = M @ B
z = gc.sum(gc.cos(C))
G = gc.grad(z, C)
at = {v: rng.normal(size=v.shape) for v in (M, B)}
pairs = [(gc.grad(z, M), G @ B.T), (gc.grad(z, B), M.T @ G)]
by_M, by_B = (np.max(np.abs(gc.evaluate(one - other, at))) for one, other in pairs)
print("\nThe book's rule for C = M B and G, the gradient by C: by M it is G B^T, by B it is M^T G.")
print(f"largest differences: {by_M:.1e}, {by_B:.1e}")
assert max(by_M, by_B) < 1e-14
