"""The book's network of section 6.5.7: J = cross-entropy + lambda (sum W1^2 + sum W2^2), trained.

Learns a spiral of three arms, which no straight line can tell apart.
"""

import numpy as np

import graphc as gc

n = gc.dim("n")
X = gc.input("X", (n, 2))
labels = gc.input("labels", (n,), dtype="int64")
W1 = gc.input("W1", (2, 64))
b1 = gc.input("b1", (64,))
W2 = gc.input("W2", (64, 3))

hidden = gc.relu(X @ W1 + b1)
scores = hidden @ W2
cross_entropy = -gc.mean(gc.take_along_axis(gc.log_softmax(scores), labels[:, None]))
weight_decay = 1e-4 * (gc.sum(W1**2) + gc.sum(W2**2))
J = cross_entropy + weight_decay

parameters = {"W1": W1, "b1": b1, "W2": W2}
train = gc.compile({"J": J, "slopes": gc.grad(J, parameters)}, name="train")
classify = gc.compile(scores, name="classify")  # the part of the graph that the scores need

rng = np.random.default_rng(0)
radius = np.tile(np.linspace(0.1, 1, 100), 3)
arm = np.repeat(np.arange(3), 100)
angle = 4 * radius + arm * 2 * np.pi / 3 + rng.normal(scale=0.15, size=300)
points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)

values = {
    "W1": rng.normal(size=(2, 64)),
    "b1": np.zeros(64),
    "W2": rng.normal(size=(64, 3)) / 8,
}
for step in range(1001):
    out = train(X=points, labels=arm, **values)
    for name, slope in out["slopes"].items():
        values[name] -= 0.5 * slope
    if step % 200 == 0:
        right = np.mean(np.argmax(classify(X=points, **values), axis=1) == arm)
        print(f"step {step:4}   J {out['J']:.4f}   right {right:.0%}")
