"""Forward and backward through a deep network, line by line as Algorithms 6.3 and 6.4 of the book,
in plain NumPy; and by the general Algorithms 6.5 and 6.6 on its graph.

    python examples/deep_network.py [folder for the picture] [layers]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import graphc as gc

layers = int(sys.argv[2]) if len(sys.argv) > 2 else 4
sizes = [5, *[4] * (layers - 1), 3]
decay = 0.01  # lambda, times Omega = the sum of the squares of all weights

rng = np.random.default_rng(0)
W = [rng.normal(size=(after, before)) for before, after in zip(sizes, sizes[1:], strict=False)]
b = [rng.normal(size=after) for after in sizes[1:]]
x, y = rng.normal(size=sizes[0]), rng.normal(size=sizes[-1])


def f_prime(a):
    return 1 - np.tanh(a) ** 2


# Algorithm 6.3: forward propagation, the cost J = L(y_hat, y) + lambda Omega
h, a = [x], []
for k in range(layers):
    a.append(b[k] + W[k] @ h[k])
    h.append(np.tanh(a[k]))
y_hat = h[-1]
J = np.sum((y_hat - y) ** 2) + decay * sum(np.sum(w**2) for w in W)

# Algorithm 6.4: backward
gradients = {}
g = 2 * (y_hat - y)  # by the output
for k in reversed(range(layers)):
    g = g * f_prime(a[k])  # by the activation a(k), before f
    gradients[f"b{k + 1}"] = g
    gradients[f"W{k + 1}"] = np.outer(g, h[k]) + decay * 2 * W[k]
    g = W[k].T @ g  # by the layer below

# Algorithms 6.5 and 6.6: the same cost as a graph, and its grad_table
weights = [gc.input(f"W{k + 1}", w.shape) for k, w in enumerate(W)]
biases = [gc.input(f"b{k + 1}", v.shape) for k, v in enumerate(b)]
hidden = gc.input("x", x.shape)
for k in range(layers):
    with gc.scope(f"layer {k + 1}"):
        hidden = gc.tanh(biases[k] + weights[k] @ hidden)
target = gc.input("y", y.shape)
L = gc.sum((hidden - target) ** 2)
Omega = gc.sum(gc.stack([gc.sum(w**2) for w in weights]))
cost = L + decay * Omega
table = gc.backprop(cost, [*weights, *biases])

at = {**dict(zip(weights, W, strict=True)), **dict(zip(biases, b, strict=True)), "x": x, "y": y}
print(f"J by Algorithm 6.3: {J:.12f}")
print(f"J of the graph:     {gc.evaluate(cost, at):.12f}\n")
print("largest difference between Algorithm 6.4 and the table of Algorithms 6.5 and 6.6:")
for v in [*weights, *biases]:
    difference = np.max(np.abs(gc.evaluate(table[v], at) - gradients[v.name]))
    print(f"    {v.name}  {str(list(v.shape)):8} {difference:.1e}")
    assert difference < 1e-13

picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "deep_network.svg"
gc.draw(cost, title=f"A network of {layers} layers").save(picture)
print(f"\nThe graph: {picture}")
