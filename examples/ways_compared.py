"""Finite differences, formulas, forward mode and reverse mode: what a gradient costs, and how exact
it is, as the number of variables grows.

    f(x) = log(1 + (x_1 x_2)^2 + (x_2 x_3)^2 + ... )

    python examples/ways_compared.py [folder for the plots] [largest number of variables]
"""

import sys
import tempfile
import timeit
from pathlib import Path

import numpy as np
import sympy as sp

import graphc as gc
from graphc.check.plot import Curve, plotted

x, direction = gc.input("x", ("d",)), gc.input("direction", ("d",))
y = gc.log(1 + gc.sum((x[1:] * x[:-1]) ** 2))
value = gc.compile(y, name="value")
reverse_mode = gc.compile(gc.grad(y, x), name="reverse_mode")
derivative = gc.compile(gc.jvp(y, x, direction), name="derivative", inputs=[x, direction])


def differences(at, h=1e-5):
    """Two values of f for each variable."""
    return [(value(at + h * e) - value(at - h * e)) / (2 * h) for e in np.eye(len(at))]


def forward_mode(at):
    """One derivative along each variable."""
    return [derivative(at, e) for e in np.eye(len(at))]


def formulas(at):
    """A formula for each variable, each as long as f."""
    return formulas_for[len(at)](at)


def symbolic(d):
    s = sp.symbols(f"x:{d}")
    f = sp.log(1 + sum((p * q) ** 2 for p, q in zip(s, s[1:], strict=False)))
    return sp.lambdify([s], [sp.diff(f, v) for v in s], "math")


def by_hand(at):
    """In extended precision, to measure the others by."""
    squares = np.pad(at.astype(np.longdouble) ** 2, 1)
    return 2 * at * (squares[:-2] + squares[2:]) / (1 + np.sum(squares[1:] * squares[:-1]))


largest = int(sys.argv[2]) if len(sys.argv) > 2 else 256
counts = [2**k for k in range(1, 20) if 2**k <= largest]
formulas_for = {d: symbolic(d) for d in counts if d <= 64}  # d formulas of d terms: no further
ways = (differences, formulas, forward_mode, reverse_mode)
names = ("differences", "formulas", "forward mode", "reverse mode")
times, errors = np.full((2, len(ways), len(counts)), np.nan)

rng = np.random.default_rng(0)
for k, d in enumerate(counts):
    at = rng.uniform(0.5, 1.5, d)
    exact = by_hand(at)
    for i, gradient in enumerate(ways):
        if gradient is not formulas or d in formulas_for:
            errors[i, k] = np.max(np.abs(gradient(at) - exact)) / np.max(np.abs(exact))
            runs = timeit.repeat(lambda f=gradient, at=at: f(at), number=1, repeat=5)
            times[i, k] = 1e6 * min(runs)

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
for quantity, table, digits in [("microseconds", times, ".0f"), ("relative error", errors, ".0e")]:
    print(f"{quantity}\n{'variables':>9}" + "".join(f"{name:>14}" for name in names))
    for d, row in zip(counts, table.T, strict=True):
        print(f"{d:9}" + "".join(f"{number:14{digits}}" for number in row))
    curves = [Curve(name, counts, row) for name, row in zip(names, table, strict=True)]
    plot = plotted(curves, f"A gradient in four ways: {quantity}", "variables", quantity)
    picture = folder / f"ways_compared_{quantity.replace(' ', '_')}.svg"
    picture.write_text(plot)
    print(f"{picture}\n")

print("Differences lose half of the digits. The first three grow with the number of variables, for")
print("each is worked out anew; reverse mode costs a small multiple of f, however many there are.")
assert np.nanmax(errors[1:]) < 1e-14
