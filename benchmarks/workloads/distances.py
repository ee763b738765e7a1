"""All distances between two sets of points in space, summed, and how the points pull."""

import numpy as np

from ..workload import Case, Workload, normal


def distances(xp, X, Y):
    difference = X[:, None, :] - Y[None, :, :]
    return xp.sum(xp.sqrt(xp.sum(difference**2, axis=2) + 1e-6))


def distances_by_hand(X, Y):
    difference = X[:, None, :] - Y[None, :, :]
    lengths = np.einsum("ijk,ijk->ij", difference, difference)
    lengths += 1e-6
    np.sqrt(lengths, out=lengths)
    value = lengths.sum()
    difference /= lengths[:, :, None]
    return value, difference.sum(axis=1), -difference.sum(axis=0)


DISTANCES_C = """
double total = 0;
for (long j = 0; j < 3 * m; j++) grad_Y[j] = 0;
#pragma omp parallel for reduction(+:total) reduction(+:grad_Y[:3*m])
for (long i = 0; i < n; i++) {
    REAL a = X[3 * i], b = X[3 * i + 1], c = X[3 * i + 2], ga = 0, gb = 0, gc = 0, row = 0;
#pragma omp simd reduction(+:ga,gb,gc,row)
    for (long j = 0; j < m; j++) {
        REAL u = a - Y[3 * j], v = b - Y[3 * j + 1], w = c - Y[3 * j + 2];
        REAL length = sqrt(u * u + v * v + w * w + (REAL)1e-6), over = 1 / length;
        row += length;
        u *= over; v *= over; w *= over;
        ga += u; gb += v; gc += w;
        grad_Y[3 * j] -= u; grad_Y[3 * j + 1] -= v; grad_Y[3 * j + 2] -= w;
    }
    grad_X[3 * i] = ga; grad_X[3 * i + 1] = gb; grad_X[3 * i + 2] = gc;
    total += row;
}
value[0] = total;
"""

WORKLOADS = (
    Workload(
        "pairwise distances in space",
        inputs={"X": normal("n", 3), "Y": normal("m", 3)},
        wrt=("X", "Y"),
        objective=distances,
        by_hand=distances_by_hand,
        cases=(Case({"n": 2000, "m": 2000}),),
        tiny={"n": 4, "m": 5},
        c=DISTANCES_C,
    ),
)
