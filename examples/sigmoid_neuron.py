"""A sigmoid neuron with values on its edges: forwards what is computed, backwards the gradients.

    y = 1 / (1 + exp(-(w0 x0 + w1 x1 + w2)))
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import graphc as gc

names = "w0 x0 w1 x1 w2"
w0, x0, w1, x1, w2 = inputs = [gc.input(name, ()) for name in names.split()]
dot = w0 * x0 + w1 * x1 + w2
y = 1 / (1 + gc.exp(-dot))

at = dict(zip(inputs, [2.0, -1.0, -3.0, -2.0, -3.0], strict=True))
table = gc.backprop(y, inputs)

print("node                   value   gradient")
for v in gc.Graph([y]).nodes:
    if v in table:
        value, slope = gc.evaluate([v, table[v]], at)
        print(f"{v.label:20}{value:8.2f}{slope:11.2f}")

sigmoid = gc.evaluate(y, at)
slope = gc.evaluate(table[dot], at)
print(f"\nThe gates from dot to y together are sigmoid, whose slope is (1 - y) y = {slope:.4f}.")
assert np.isclose(slope, (1 - sigmoid) * sigmoid, rtol=1e-14)

picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "sigmoid_neuron.svg"
gc.draw(table, at=at, title="A sigmoid neuron, with values").save(picture)
print(f"The graph: {picture}")
