"""Classifiers: logistic regression, a network with a hidden layer, the loss of many classes."""

import numpy as np

from ..workload import Case, Workload, labels, normal, signs

# -- logistic regression --------------------------------------------------------------------------


def logistic(xp, X, y, w):
    return xp.mean(xp.softplus(-y * (X @ w)))


def logistic_by_hand(X, y, w):
    m = -y * (X @ w)
    e = np.exp(-np.abs(m))
    s = np.where(m > 0, 1, e) / (1 + e)
    return np.mean(np.maximum(m, 0) + np.log1p(e)), (-y * s / len(y)) @ X


# Each row of X is read from memory once, for its margin and for its share of the gradient.
LOGISTIC_C = """
double total = 0;
for (long j = 0; j < d; j++) grad_w[j] = 0;
#pragma omp parallel for reduction(+:total) reduction(+:grad_w[:d])
for (long i = 0; i < n; i++) {
    const REAL *restrict row = X + i * d;
    REAL m = 0;
#pragma omp simd reduction(+:m)
    for (long j = 0; j < d; j++) m += row[j] * w[j];
    m *= -y[i];
    REAL e = exp(-fabs(m)), share = -y[i] * (m > 0 ? 1 : e) / (1 + e) / n;
    total += (m > 0 ? m : 0) + log1p(e);
#pragma omp simd
    for (long j = 0; j < d; j++) grad_w[j] += share * row[j];
}
value[0] = total / n;
"""


# -- a network ------------------------------------------------------------------------------------


def network(xp, X, labels, W1, W2):
    scores = xp.relu(X @ W1) @ W2
    decay = 1e-4 * (xp.sum(W1**2) + xp.sum(W2**2))
    return decay - xp.mean(xp.pick(xp.log_softmax(scores, axis=1), labels))


def network_by_hand(X, labels, W1, W2):
    rows = np.arange(len(X))
    hidden = np.maximum(X @ W1, 0)
    z = hidden @ W2
    z -= z.max(axis=1, keepdims=True)
    picked = z[rows, labels]
    np.exp(z, out=z)
    mass = z.sum(axis=1, keepdims=True)
    loss = np.mean(np.log(mass[:, 0]) - picked)
    loss += 1e-4 * (np.vdot(W1, W1) + np.vdot(W2, W2))
    z /= mass
    z[rows, labels] -= 1
    z /= len(X)
    g2 = hidden.T @ z
    g2 += 2e-4 * W2
    back = z @ W2.T
    back *= hidden > 0
    g1 = X.T @ back
    g1 += 2e-4 * W1
    return loss, g1, g2


# -- cross-entropy --------------------------------------------------------------------------------


def cross_entropy(xp, Z, labels):
    return -xp.mean(xp.pick(xp.log_softmax(Z, axis=1), labels))


def cross_entropy_by_hand(Z, labels):
    rows = np.arange(len(Z))
    p = Z - Z.max(axis=1, keepdims=True)
    picked = p[rows, labels]
    np.exp(p, out=p)
    mass = p.sum(axis=1, keepdims=True)
    p *= 1 / (len(Z) * mass)
    p[rows, labels] -= 1 / len(Z)
    return np.mean(np.log(mass[:, 0]) - picked), p


CROSS_ENTROPY_C = """
double total = 0;
#pragma omp parallel for reduction(+:total)
for (long i = 0; i < n; i++) {
    const REAL *restrict z = Z + i * k;
    REAL *restrict g = grad_Z + i * k;
    REAL top = -INFINITY, mass = 0;
#pragma omp simd reduction(max:top)
    for (long j = 0; j < k; j++) top = z[j] > top ? z[j] : top;
#pragma omp simd reduction(+:mass)
    for (long j = 0; j < k; j++) { g[j] = exp(z[j] - top); mass += g[j]; }
    REAL scale = 1 / (n * mass);
#pragma omp simd
    for (long j = 0; j < k; j++) g[j] *= scale;
    g[labels[i]] -= (REAL)1 / n;
    total += log(mass) + top - z[labels[i]];
}
value[0] = total / n;
"""


WORKLOADS = (
    Workload(
        "logistic regression",
        inputs={"X": normal("n", "d"), "y": signs("n"), "w": normal("d", scale=0.2)},
        wrt=("w",),
        objective=logistic,
        by_hand=logistic_by_hand,
        cases=(Case({"n": 100_000, "d": 50}),),
        c=LOGISTIC_C,
    ),
    Workload(
        "network 784-256-10",
        inputs={
            "X": normal("n", 784),
            "labels": labels("n", classes=10),
            "W1": normal(784, 256, scale=0.05),
            "W2": normal(256, 10, scale=0.05),
        },
        wrt=("W1", "W2"),
        objective=network,
        by_hand=network_by_hand,
        cases=tuple(Case({"n": n}, "float32") for n in (1, 32, 256, 2048)),
    ),
    Workload(
        "softmax cross-entropy",
        inputs={"Z": normal("n", "k", scale=2.0), "labels": labels("n", classes="k")},
        wrt=("Z",),
        objective=cross_entropy,
        by_hand=cross_entropy_by_hand,
        cases=(Case({"n": 4096, "k": 1000}, "float32"),),
        tiny={"n": 3, "k": 5},
        c=CROSS_ENTROPY_C,
    ),
)
