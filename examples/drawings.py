"""Four graphs to look at, each with its gradients: as SVG, and as pages to zoom and step.

    python examples/drawings.py [folder for the pictures]
"""

import sys
import tempfile
from pathlib import Path

import graphc as gc

n, d = gc.dims("n d")
X, y = gc.input("X", (n, d)), gc.input("y", (n,))
w, b = gc.input("w", (d,)), gc.input("b", ())


def multiplication():
    """z = x y: each factor is the other's gradient."""
    x, y = gc.input("x", ()), gc.input("y", ())
    z = x * y
    return z, [x, y]


def logistic_regression():
    """L = mean(softplus(-y (X w + b))), for y = -1 or 1."""
    score = X @ w + b
    L = gc.mean(gc.softplus(-y * score))
    return L, [w, b]


def relu_layer():
    """H = relu(X W + b): where a unit is off, nothing comes back."""
    X, W, b = gc.input("X", (n, 3)), gc.input("W", (3, 5)), gc.input("b", (5,))
    H = gc.relu(X @ W + b)
    L = gc.sum(H)
    return L, [W, b]


def linear_regression():
    """J = mean((X w - y)^2) + 0.1 sum(w^2): squared error and weight decay."""
    y_hat = X @ w
    error = gc.mean((y_hat - y) ** 2)
    weight_decay = 0.1 * gc.sum(w**2)
    J = error + weight_decay
    return J, [w]


folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
drawings = {
    "A product": multiplication,
    "Logistic regression": logistic_regression,
    "A layer of rectified linear units": relu_layer,
    "Linear regression with weight decay": linear_regression,
}
for title, make in drawings.items():
    value, wrt = make()
    drawing = gc.draw(value, wrt=wrt, title=title)
    drawing.save(folder / f"{make.__name__}.svg")
    drawing.save(folder / f"{make.__name__}.html")
    print(f"{folder / make.__name__}.svg, .html   {make.__doc__}")
