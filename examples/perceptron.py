"""A sigmoid perceptron with mean squared error: the gradient by hand, and the one derived.

    o = sigmoid(X w + b)        E = mean((t - o)^2)
    dE/dw = -2/n sum_i (t_i - o_i) o_i (1 - o_i) x_i
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import graphc as gc

n, d = gc.dims("n d")
X, t = gc.input("X", (n, d)), gc.input("t", (n,))
w, b = gc.input("w", (d,)), gc.input("b", ())
o = gc.sigmoid(X @ w + b)
E = gc.mean((t - o) ** 2)

by_hand = -2 * ((t - o) * o * (1 - o)) @ X / n
derived = gc.grad(E, w)

rng = np.random.default_rng(0)
at = {X: rng.normal(size=(50, 4)), t: rng.integers(0, 2, 50), w: rng.normal(size=4), b: 0.5}
one, other = gc.evaluate([by_hand, derived], at)
print(f"dE/dw by hand: {one}")
print(f"dE/dw derived: {other}")
print(f"largest difference: {np.max(np.abs(one - other)):.0e}\n")
assert np.allclose(one, other, rtol=1e-12, atol=1e-15)

corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
for gate, wanted in {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}.items():
    training = gc.fit(
        E, {w: np.zeros(2), b: 0.0}, {X: corners, t: wanted}, gc.optim.sgd(4.0), epochs=500
    )
    answers = gc.evaluate(o, {"X": corners, **training.params})
    print(f"{gate:4} learnt as {answers.round(2)}   E = {training.history['loss'][-1]:.4f}")
print("No line parts the corners of xor: one perceptron cannot learn it.")

picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "perceptron.svg"
gc.draw(E, wrt=[w, b], title="A sigmoid perceptron").save(picture)
print(f"\nThe graph: {picture}")
