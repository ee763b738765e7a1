"""Fitting a Gaussian mixture with a Wishart prior: the objective, its gradient, and some ascent.

One of the four objectives that automatic differentiation is usually measured on. `objective` is
plain NumPy: it runs on arrays, and graphc takes it as it is.
"""

import math

import numpy as np

import graphc as gc


def logsumexp(x):
    top = np.max(x, axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.sum(np.exp(x - top), axis=-1))


def lower_triangles(low, d):
    """Matrices with the given numbers below their diagonals, zeros elsewhere."""
    places = np.zeros((d, d), np.int64)
    places[np.tril_indices(d, -1)] = 1 + np.arange(d * (d - 1) // 2)
    return np.take(np.concatenate([np.zeros((low.shape[0], 1)), low], axis=1), places, axis=1)


def log_wishart_prior(diagonals, low, sums, gamma, m):
    k, d = diagonals.shape
    n = d + m + 1
    log_gamma = d * (d - 1) / 4 * math.log(math.pi)
    log_gamma += sum(math.lgamma(0.5 * n + 0.5 * (1 - j)) for j in range(1, d + 1))
    scale = n * d * (math.log(gamma) - 0.5 * math.log(2)) - log_gamma
    squares = np.sum(diagonals**2, axis=1) + np.sum(low**2, axis=1)
    return np.sum(0.5 * gamma**2 * squares - m * sums) - k * scale


def objective(alphas, means, inverse_factors, x, gamma=1.0, m=0):
    """The log-likelihood of points x: `inverse_factors` hold, for each component, the logarithms of
    the diagonal of a triangular factor of the inverse covariance, then what is below it."""
    n, d = x.shape
    logs, low = inverse_factors[:, :d], inverse_factors[:, d:]
    diagonals, sums = np.exp(logs), np.sum(logs, axis=1)
    centred = x[:, None, :] - means[None, :, :]
    turned = diagonals * centred + np.einsum("kij,nkj->nki", lower_triangles(low, d), centred)
    parts = alphas + sums - 0.5 * np.sum(turned**2, axis=2)
    likelihood = (
        np.sum(logsumexp(parts)) - n * logsumexp(alphas) - 0.5 * n * d * math.log(2 * math.pi)
    )
    return likelihood + log_wishart_prior(diagonals, low, sums, gamma, m)


def problem(n=200, d=3, k=4, seed=0):
    """Parameters and points, drawn at random."""
    rng = np.random.default_rng(seed)
    shapes = [(k,), (k, d), (k, d * (d + 1) // 2)]
    return [*(0.5 * rng.normal(size=shape) for shape in shapes), rng.normal(size=(n, d))]


if __name__ == "__main__":
    *parameters, x = problem()
    both = gc.value_and_grad(objective, argnums=(0, 1, 2))
    for step in range(51):
        value, slopes = both(*parameters, x)
        if step % 10 == 0:
            print(f"step {step:2}: log-likelihood {value:.3f}")
        parameters = [p + 1e-3 * g for p, g in zip(parameters, slopes, strict=True)]
