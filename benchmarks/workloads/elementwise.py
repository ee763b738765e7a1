"""Formulas applied to every element and summed: a scalar, vectors, and rows with a softmax."""

import math

import numpy as np

from ..workload import Case, Workload, exactly, normal

SIZES = (10**3, 10**5, 4 * 10**6)
DTYPES = ("float64", "float32")


# -- twelve operations on two scalars -------------------------------------------------------------


def scalar(xp, x, y):
    return xp.sin(x * y) * xp.exp(x) + xp.log(1 + y * y) / xp.sqrt(1 + x * x)


def scalar_by_hand(x, y):
    p, e, q, r2 = x * y, math.exp(x), 1 + y * y, 1 + x * x
    s, g, r = math.sin(p), math.log(q), math.sqrt(r2)
    ce = math.cos(p) * e
    return s * e + g / r, ce * y + s * e - g * x / (r2 * r), ce * x + 2 * y / (q * r)


# -- tanh, exp, log1p -----------------------------------------------------------------------------


def transcendental(xp, x, y):
    return xp.sum(xp.tanh(x * y) * xp.exp(-(x**2)) + xp.log1p(y**2))


def transcendental_by_hand(x, y):
    t, e, y2 = np.tanh(x * y), np.exp(-x * x), y * y
    s = (1 - t * t) * e
    t *= e
    return np.sum(t + np.log1p(y2)), s * y - 2 * x * t, s * x + 2 * y / (1 + y2)


TRANSCENDENTAL_C = """
double total = 0;
#pragma omp parallel for simd reduction(+:total) if(n > 20000)
for (long i = 0; i < n; i++) {
    REAL a = x[i], b = y[i], t = tanh(a * b), e = exp(-a * a), s = (1 - t * t) * e;
    total += t * e + log1p(b * b);
    grad_x[i] = s * b - 2 * a * t * e;
    grad_y[i] = s * a + 2 * b / (1 + b * b);
}
value[0] = total;
"""


# -- thirty operations ----------------------------------------------------------------------------


def thirty(xp, x, y):
    x2, y2 = x * x, y * y
    wave = xp.tanh(x * y) * xp.exp(-x2)
    s = wave + xp.sin(x) / xp.sqrt(1 + y2) - xp.cos(y) * xp.log1p(x2)
    v = xp.tanh(x - y) / (1 + xp.exp(-s))
    return (v * v + 0.1 * (s * s)) / (2 + y2) + 0.5 * wave


def thirty_by_hand(x, y):
    """The formula's value at each element, and a function that takes a gradient by it back."""
    x2, y2 = x * x, y * y
    t, e, r = np.tanh(x * y), np.exp(-x2), np.sqrt(1 + y2)
    sin, cos, h = np.sin(x), np.cos(y), np.log1p(x2)
    wave = t * e
    s = wave + sin / r - cos * h
    d, p = np.tanh(x - y), 1 / (1 + np.exp(-s))
    v = d * p
    w = (v * v + 0.1 * (s * s)) / (2 + y2)

    def back():
        over = 1 / (2 + y2)
        gv = 2 * v * over
        gs = gv * v * (1 - p) + 0.2 * s * over
        gd = gv * p * (1 - d * d)
        gw = 0.5 + gs
        gt = gw * (1 - t * t) * e
        dx = gt * y - 2 * gw * wave * x + gs * (np.cos(x) / r - 2 * cos * x / (1 + x2)) + gd
        dy = gt * x + gs * (np.sin(y) * h - sin * y / (r * (1 + y2))) - gd - 2 * y * w * over
        return dx, dy

    return w + 0.5 * wave, back


def thirty_summed(xp, x, y):
    return xp.sum(thirty(xp, x, y))


def thirty_summed_by_hand(x, y):
    value, back = thirty_by_hand(x, y)
    return np.sum(value), *back()


THIRTY_FORWARD = """
    REAL a = x[i], b = y[i], a2 = a * a, b2 = b * b;
    REAL t = tanh(a * b), e = exp(-a2), r = sqrt(1 + b2), h = log1p(a2), wave = t * e;
    REAL sa = sin(a), cb = cos(b), s = wave + sa / r - cb * h;
    REAL d = tanh(a - b), p = 1 / (1 + exp(-s)), v = d * p, over = 1 / (2 + b2);
    REAL w = (v * v + (REAL)0.1 * s * s) * over;
"""
THIRTY_BACK = """
    REAL gv = 2 * v * over, gs = gv * v * (1 - p) + (REAL)0.2 * s * over;
    REAL gd = gv * p * (1 - d * d), gw = (REAL)0.5 + gs, gt = gw * (1 - t * t) * e;
    REAL dx = gt * b - 2 * gw * wave * a + gs * (cos(a) / r - 2 * cb * a / (1 + a2)) + gd;
    REAL dy = gt * a + gs * (sin(b) * h - sa * b / (r * (1 + b2))) - gd - 2 * b * w * over;
"""
THIRTY_C = f"""
double total = 0;
#pragma omp parallel for simd reduction(+:total) if(n > 20000)
for (long i = 0; i < n; i++) {{{THIRTY_FORWARD}{THIRTY_BACK}
    total += w + (REAL)0.5 * wave; grad_x[i] = dx; grad_y[i] = dy;
}}
value[0] = total;
"""


# -- the same, with a softmax over each row -------------------------------------------------------


def rowwise(xp, x, y):
    return xp.sum(xp.softmax(thirty(xp, x, y), axis=1) * y)


def rowwise_by_hand(x, y):
    z, back = thirty_by_hand(x, y)
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)
    means = (z * y).sum(axis=1, keepdims=True)
    gradient = z * (y - means)
    dx, dy = back()
    return means.sum(), gradient * dx, gradient * dy + z


# Softmax needs a row's values twice: they are kept in a small buffer, all else is computed again.
ROWWISE_C = f"""
double total = 0;
#pragma omp parallel for reduction(+:total) if(n > 200)
for (long row = 0; row < n; row++) {{
    REAL z[100], top = -INFINITY, mass = 0, mean = 0;
    const REAL *restrict xr = x + 100 * row, *restrict yr = y + 100 * row;
    REAL *restrict gx = grad_x + 100 * row, *restrict gy = grad_y + 100 * row;
#define x xr
#define y yr
#pragma omp simd reduction(max:top)
    for (int i = 0; i < 100; i++) {{{THIRTY_FORWARD}{THIRTY_BACK}
        z[i] = w + (REAL)0.5 * wave; gx[i] = dx; gy[i] = dy; top = z[i] > top ? z[i] : top;
    }}
#pragma omp simd reduction(+:mass,mean)
    for (int i = 0; i < 100; i++) {{ z[i] = exp(z[i] - top); mass += z[i]; mean += z[i] * y[i]; }}
    mean /= mass;
    REAL scale = 1 / mass;
#pragma omp simd
    for (int i = 0; i < 100; i++) {{
        REAL q = z[i] * scale, g = q * (y[i] - mean);
        gx[i] *= g; gy[i] = gy[i] * g + q;
    }}
#undef x
#undef y
    total += mean;
}}
value[0] = total;
"""


def both(*shape):
    return {"x": normal(*shape), "y": normal(*shape)}


EVERY = tuple(Case({"n": n}, dtype) for n in SIZES for dtype in DTYPES)

WORKLOADS = (
    Workload(
        "scalar formula",
        inputs={"x": exactly(0.3), "y": exactly(0.7)},
        wrt=("x", "y"),
        objective=scalar,
        by_hand=scalar_by_hand,
        cases=(Case({}),),
        elementwise=True,
    ),
    Workload(
        "tanh-exp-log1p",
        inputs=both("n"),
        wrt=("x", "y"),
        objective=transcendental,
        by_hand=transcendental_by_hand,
        cases=EVERY,
        elementwise=True,
        c=TRANSCENDENTAL_C,
    ),
    Workload(
        "30 operations",
        inputs=both("n"),
        wrt=("x", "y"),
        objective=thirty_summed,
        by_hand=thirty_summed_by_hand,
        cases=EVERY,
        elementwise=True,
        c=THIRTY_C,
    ),
    Workload(
        "30 operations, softmax over rows of 100",
        inputs=both("n", 100),
        wrt=("x", "y"),
        objective=rowwise,
        by_hand=rowwise_by_hand,
        cases=tuple(Case({"n": n // 100}, dtype) for n in SIZES for dtype in DTYPES),
        c=ROWWISE_C,
    ),
)
