"""One formula and its derivatives in four ways: symbolic, numeric, reverse mode, forward mode.

    y = exp(x z) + x z / log(x) + sin(log(x)) / (x z)        at x = 2, z = 3

    python examples/quiz_formula.py [folder for the picture]
"""

import sys
import tempfile
from pathlib import Path

import sympy as sp

import graphc as gc
from graphc.check import central

x, z = gc.input("x", ()), gc.input("z", ())
xz, log_x = x * z, gc.log(x)
y = gc.exp(xz) + xz / log_x + gc.sin(log_x) / xz

at = {x: 2.0, z: 3.0}
X, Z = sp.symbols("x z")
formula = sp.exp(X * Z) + X * Z / sp.log(X) + sp.sin(sp.log(X)) / (X * Z)

ways = {
    "symbolic, 50 digits": [sp.diff(formula, s).evalf(50, subs={X: 2, Z: 3}) for s in (X, Z)],
    "reverse mode": gc.evaluate(gc.grad(y, [x, z]), at),
    "forward mode": gc.evaluate([gc.jvp(y, [x, z], t) for t in ([1.0, 0.0], [0.0, 1.0])], at),
    "numeric differences": [central(y, v, at)[0] for v in (x, z)],
}
print(f"y = {gc.evaluate(y, at):.2f}\n")
print(f"{'way':22}{'dy/dx':>18}{'dy/dz':>18}{'relative error':>18}")
for way, slopes in ways.items():
    pairs = zip(slopes, ways["symbolic, 50 digits"], strict=True)
    error = max(abs(float(s / exact - 1)) for s, exact in pairs)
    print(f"{way:22}{float(slopes[0]):18.10f}{float(slopes[1]):18.10f}{error:18.0e}")
    assert error < 1e-9

report = gc.check(y, [x, z], at=at)
print(f"\nAll of that in one call, gc.check:\n\n{report}\n")
assert report.ok

f = gc.compile({"y": y, "slopes": gc.grad(y, {"dx": x, "dz": z})}, name="quiz")
count = f.graph.count()
calls = ", ".join(f"{count[name]} {name}" for name in ("exp", "log", "sin", "cos"))
print(f"One program for y and both slopes computes {calls}: nothing twice.")

picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "quiz_formula.svg"
gc.draw(y, wrt=[x, z], title="The quiz formula and its gradients").save(picture)
print(f"The graph: {picture}")
