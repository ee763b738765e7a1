"""The log-likelihood of a Gaussian mixture with full covariances, and its gradient."""

import numpy as np

from ..workload import Case, Workload, normal

# A component's inverse covariance is Q'Q, where Q = diag(exp(logs)) + the strict lower part of low.


def mixture(xp, x, alphas, means, logs, low):
    centred = x[None, :, :] - means[:, None, :]
    turned = centred @ xp.matrix_transpose(xp.tril(low, -1))
    turned = turned + xp.exp(logs)[:, None, :] * centred
    parts = (alphas + xp.sum(logs, axis=1))[:, None] - 0.5 * xp.sum(turned**2, axis=2)
    return xp.sum(xp.logsumexp(parts, axis=0)) - x.shape[0] * xp.logsumexp(alphas, axis=0)


def mixture_by_hand(x, alphas, means, logs, low):
    n, d = x.shape
    diagonal = np.arange(d)
    Q = np.tril(low, -1)
    Q[:, diagonal, diagonal] = np.exp(logs)
    centred = x[None, :, :] - means[:, None, :]
    turned = centred @ Q.swapaxes(1, 2)
    parts = np.einsum("kni,kni->kn", turned, turned)
    parts *= -0.5
    parts += (alphas + logs.sum(axis=1))[:, None]
    top = parts.max(axis=0)
    parts -= top
    np.exp(parts, out=parts)
    mass = parts.sum(axis=0)
    weights = np.exp(alphas - alphas.max())
    total = weights.sum()
    value = top.sum() + np.log(mass).sum() - n * (alphas.max() + np.log(total))

    parts /= mass
    counts = parts.sum(axis=1)
    turned *= parts[:, :, None]
    g_Q = turned.swapaxes(1, 2) @ centred
    g_means = (turned.sum(axis=1)[:, None, :] @ Q)[:, 0, :]
    g_logs = counts[:, None] - g_Q[:, diagonal, diagonal] * Q[:, diagonal, diagonal]
    g_low = np.tril(g_Q, -1)
    np.negative(g_low, out=g_low)
    return value, counts - n * weights / total, g_means, g_logs, g_low


WORKLOADS = (
    Workload(
        "Gaussian mixture",
        inputs={
            "x": normal("n", "d"),
            "alphas": normal("k"),
            "means": normal("k", "d"),
            "logs": normal("k", "d", scale=0.1),
            "low": normal("k", "d", "d", scale=0.1),
        },
        wrt=("alphas", "means", "logs", "low"),
        objective=mixture,
        by_hand=mixture_by_hand,
        cases=tuple(
            Case({"n": n, "d": d, "k": k})
            for n, d, k in [(1000, 10, 25), (1000, 64, 50), (10_000, 20, 50)]
        ),
        tiny={"n": 5, "d": 3, "k": 2},
    ),
)
