"""The four fundamental equations of backpropagation, on networks of any depth.

    (1)  delta^L = dC/da^L * sigma'(z^L)
    (2)  delta^l = (W^(l+1)T delta^(l+1)) * sigma'(z^l)
    (3)  dC/db^l = delta^l
    (4)  dC/dW^l = delta^l a^(l-1)T

By delta^l is meant dC/dz^l. The derivatives come from one compiled program, the right-hand sides
from its values, by NumPy.
"""

import numpy as np

import graphc as gc


def network(sizes):
    """C = |a^L - y|^2 / 2, and the W, b, z, a of the layers 1 to L; a[0] is the input x."""
    a, W, b, z = [gc.input("x", (sizes[0],))], [], [], []
    for k, (before, after) in enumerate(zip(sizes, sizes[1:], strict=False), 1):
        W.append(gc.input(f"W{k}", (after, before)))
        b.append(gc.input(f"b{k}", (after,)))
        z.append(W[-1] @ a[-1] + b[-1])
        a.append(gc.sigmoid(z[-1]))
    y = gc.input("y", (sizes[-1],))
    return gc.sum((a[-1] - y) ** 2) / 2, {"W": W, "b": b, "z": z, "a": a}


rng = np.random.default_rng(0)
print("Largest differences between the two sides of each equation:\n")
print(f"{'layers':>6}{'(1)':>12}{'(2)':>12}{'(3)':>12}{'(4)':>12}")
for layers in (1, 2, 3, 5, 10, 20):
    C, parts = network(rng.integers(3, 8, layers + 1).tolist())
    f = gc.compile({"values": parts, "dC": gc.grad(C, parts)}, name="network")
    out = f(*[rng.normal(size=v.shape) for v in f.graph.parameters])
    W, z, a = (out["values"][name] for name in "Wza")
    dC = out["dC"]
    delta = dC["z"]
    slope = [s * (1 - s) for s in a[1:]]  # sigma'(z)
    sides = [
        [(delta[-1], dC["a"][-1] * slope[-1])],
        [(delta[k], W[k + 1].T @ delta[k + 1] * slope[k]) for k in range(layers - 1)],
        [(dC["b"][k], delta[k]) for k in range(layers)],
        [(dC["W"][k], np.outer(delta[k], a[k])) for k in range(layers)],
    ]
    worst = [max([np.max(np.abs(one - other)) for one, other in pairs] or [0]) for pairs in sides]
    print(f"{layers:6}" + "".join(f"{d:12.1e}" for d in worst))
    assert max(worst) < 1e-14
