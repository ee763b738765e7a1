"""Logistic regression: declare it, differentiate it, compile it, train it.

    python examples/logistic.py [directory for the program]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import graphc as gc

n, d = gc.dims("n d")
X = gc.input("X", (n, d))
y = gc.input("y", (n,))  # -1 or 1
w = gc.input("w", (d,))
z = X @ w
loss = gc.mean(gc.softplus(-y * z)) + 0.01 * gc.sum(w**2)
slope = gc.grad(loss, w)

f = gc.compile({"loss": loss, "slope": slope}, name="logistic")
print("What the program costs, for any n and d:\n")
print(f.report, end="\n\n")

program = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "logistic.py"
f.save(program)
print(f"The program, kept in {program}. Line by line it is this function.\n")
first, last = f.plain.index("@np.errstate"), f.plain.index("class BindError")
print(f.plain[first:last].rstrip(), end="\n\n")

rng = np.random.default_rng(0)
points = rng.normal(size=(1000, 5))
sides = np.sign(points @ [2.0, -1.0, 0.5, 0.0, 1.0] + 0.3 * rng.normal(size=1000))

weights = np.zeros(5)
print("Gradient descent on made-up data:\n")
for step in range(101):
    out = f(X=points, y=sides, w=weights)
    weights -= out["slope"]
    if step % 20 == 0:
        print(f"step {step:3}   loss {out['loss']:.4f}")
