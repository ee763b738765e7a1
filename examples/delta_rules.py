"""The delta rules of a two-layer network, equal to the gradients that graphc derives.

    E = 1/2 sum (t - o)^2        o = sigmoid(h V)        h = sigmoid(x U)

    output units   delta_k = o_k (1 - o_k) (t_k - o_k)
    hidden units   delta_j = h_j (1 - h_j) sum_k V_jk delta_k
    weights        each moves by rate * (what comes in) * (delta of where it goes)
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import graphc as gc

x, t = gc.input("x", ("n", 4)), gc.input("t", ("n", 3))
U, V = gc.input("U", (4, 5)), gc.input("V", (5, 3))
net_hidden = x @ U
h = gc.sigmoid(net_hidden)
net_output = h @ V
o = gc.sigmoid(net_output)
E = gc.sum((t - o) ** 2) / 2

delta_output = o * (1 - o) * (t - o)
delta_hidden = h * (1 - h) * (delta_output @ V.T)

by_hand = {
    "delta of the output units": delta_output,
    "delta of the hidden units": delta_hidden,
    "step of V": h.T @ delta_output,
    "step of U": x.T @ delta_hidden,
}
derived = [-g for g in gc.grad(E, [net_output, net_hidden, V, U])]

rng = np.random.default_rng(0)
at = {v: rng.normal(size=[7 if d == gc.dim("n") else d for d in v.shape]) for v in (x, t, U, V)}
print(f"{'rule':27} {'shape':10} largest difference from the derived gradient")
for (rule, one), other in zip(by_hand.items(), derived, strict=True):
    difference = np.max(np.abs(gc.evaluate(one - other, at)))
    print(f"{rule:27} {str(list(one.shape)):10} {difference:.1e}")
    assert difference < 1e-14

picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "delta_rules.svg"
gc.draw(E, wrt=[U, V], title="Two layers of sigmoid units").save(picture)
print(f"\nThe graph: {picture}")
