"""f(f(f(w))), and why a table avoids computing twice.

With x = f(w), y = f(x), z = f(y) the chain rule says dz/dw = f'(y) f'(x) f'(w). Written out in w
alone, f'(f(f(w))) f'(f(w)) f'(w) computes f(w) again and again; a graph holds it once.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import graphc as gc


def parabola(v):
    return 2 * v * (1 - v)


def applied(f, v, times):
    for _ in range(times):
        v = f(v)
    return v


def written_out(v):
    """How many operations the formula of v has when nothing in it is shared."""
    size = {}
    for u in gc.Graph([v]).nodes:
        size[u] = (u.op.family != "leaf") + sum(size[inner] for inner in u.inputs)
    return size[v]


def in_graph(v):
    return sum(u.op.family != "leaf" for u in gc.Graph([v]).nodes)


w = gc.input("w", ())
print("Operations in dz/dw, written out as a formula and as a graph:\n")
print(f"{'f applied':>9}{'f = sin':>16}{'as graph':>10}{'f = 2 w (1 - w)':>30}{'as graph':>10}")
for times in (1, 2, 3, 4, 8, 16, 32):
    row = f"{times:9}"
    for f, width in ((gc.sin, 16), (parabola, 30)):
        slope = gc.grad(applied(f, w, times), w)
        row += f"{written_out(slope):{width},}{in_graph(slope):10}"
    print(row)

x = gc.sin(w)
y = gc.sin(x)
z = gc.sin(y)
table = gc.backprop(z, [w])
print("\nThe table for f = sin at w = 0.5, filled from z to w; each entry is used by the next:\n")
for step in table.steps:
    value = gc.evaluate(step.gradient, {w: 0.5})
    print(f"    grad_table[{step.node.label}] = {value:.6f}")

X, Y = np.sin(0.5), np.sin(np.sin(0.5))
product = np.cos(Y) * np.cos(X) * np.cos(0.5)
print(f"    f'(y) f'(x) f'(w) = {product:.6f}")
assert np.isclose(gc.evaluate(table[w], {w: 0.5}), product, rtol=1e-14)

picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "composed.svg"
gc.draw(table, title="z = f(f(f(w))) and its gradient").save(picture)
print(f"\nThe graph: {picture}")
