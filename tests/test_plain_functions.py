"""Functions as people write them with NumPy: traced, they give the same numbers, and
derivatives."""

import math
import zlib

import numpy as np
import pytest

import graphc as gc
from graphc.check import complex_step

pi = math.pi


def logistic(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def logsumexp(x, axis=-1):
    top = np.max(x, axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.sum(np.exp(x - top), axis=axis))


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / pi) * (x + 0.044715 * x**3)))


def huber(r, d=1.0):
    return np.where(np.abs(r) <= d, 0.5 * r**2, d * (np.abs(r) - 0.5 * d))


def sq_distances(X, Y):
    return np.sum((X[:, None, :] - Y[None, :, :]) ** 2, axis=-1)


def attention(Q, K, V):
    return softmax(Q @ K.T / math.sqrt(Q.shape[-1])) @ V


def lotka_volterra(y, a=1.1, b=0.4, c=0.1, d=0.4):
    return np.stack([a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1]])


def runge_kutta(f, y, h=0.1):
    k1 = f(y)
    k2 = f(y + h / 2 * k1)
    k3 = f(y + h / 2 * k2)
    k4 = f(y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def rotation(w):
    t = np.linalg.norm(w)
    k = w / t
    K = np.stack(
        [
            np.stack([0 * t, -k[2], k[1]]),
            np.stack([k[2], 0 * t, -k[0]]),
            np.stack([-k[1], k[0], 0 * t]),
        ]
    )
    return np.eye(3) + np.sin(t) * K + (1 - np.cos(t)) * (K @ K)


def mixture(X, logits, means, spreads):
    z = (X[:, None, :] - means) / np.exp(spreads)
    parts = -0.5 * np.sum(z**2, -1) - np.sum(spreads, -1) - X.shape[1] / 2 * math.log(2 * pi)
    return np.sum(logsumexp(parts + logits - logsumexp(logits)))


def nbody(p, m):
    gap = p[:, None, :] - p[None, :, :]
    r = np.sqrt(np.sum(gap**2, -1) + 1e-2)
    return -0.5 * np.sum(np.outer(m, m) / r)


def batch_norm(X, g, b):
    return g * (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + 1e-5) + b


def layer_norm(X, g, b):
    return g * (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1e-5) + b


def kepler(M, e):
    E = M
    for _ in range(5):
        E = E - (E - e * np.sin(E) - M) / (1 - e * np.cos(E))
    return E


def quaternion_product(p, q):
    a, u, b, v = p[0], p[1:], q[0], q[1:]
    return np.concatenate([(a * b - u @ v)[None], a * v + b * u + np.cross(u, v)])


def lstm_cell(x, h, W, U):
    i, f, o, g = np.split(x @ W + h @ U, 4)
    c = logistic(f) * h + logistic(i) * np.tanh(g)
    return logistic(o) * np.tanh(c)


def gru_cell(x, h, W, U):
    r, z, n = np.split(x @ W, 3)
    a, b, c = np.split(h @ U, 3)
    z = logistic(z + b)
    return (1 - z) * np.tanh(n + logistic(r + a) * c) + z * h


def cubic_spline(x):
    a = np.abs(x)
    inner, outer = 2 / 3 - a**2 + a**3 / 2, (2 - a) ** 3 / 6
    return np.where(a < 1, inner, np.where(a < 2, outer, 0.0))


def lagrange(x, y):
    nodes = [-1.0, -0.3, 0.4, 1.0]
    value = 0.0
    for j, a in enumerate(nodes):
        basis = 1.0
        for b in nodes[:j] + nodes[j + 1 :]:
            basis = basis * (x - b) / (a - b)
        value = value + y[j] * basis
    return value


def conv2d(x, k):
    n, m = x.shape[0] - k.shape[0] + 1, x.shape[1] - k.shape[1] + 1
    parts = [
        x[i : i + n, j : j + m] * k[i, j] for i in range(k.shape[0]) for j in range(k.shape[1])
    ]
    return sum(parts[1:], parts[0])


def max_pool(x):
    return x.reshape(2, 2, 2, 3).max(axis=(1, 3))


def heat(u):
    return u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])


def gauss_legendre(f):
    x, w = np.polynomial.legendre.leggauss(5)
    return np.sum(w * f(x))


S, V3, V4, V5, M, Q = (), (3,), (4,), (5,), (2, 3), (3, 3)
UP = (0.3, 2.0)

# name: the function, the shapes of its arguments (a tuple), and where they lie unless in (-2, 2)
TABLE = {
    # activations
    "sigmoid": (logistic, (V3,)),
    "tanh": (lambda x: np.tanh(x), (V3,)),
    "relu": (lambda x: np.maximum(x, 0), (V5,)),
    "leaky relu": (lambda x: np.where(x > 0, x, 0.01 * x), (V5,)),
    "parametric relu": (lambda x, a: np.where(x > 0, x, a * x), (V5, S)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), (V5,)),
    "selu": (lambda x: 1.0507 * np.where(x > 0, x, 1.6733 * (np.exp(x) - 1)), (V5,)),
    "gelu": (gelu, (V3,)),
    "silu": (lambda x: x * logistic(x), (V3,)),
    "mish": (lambda x: x * np.tanh(np.log1p(np.exp(x))), (V3,)),
    "softplus": (lambda x: np.logaddexp(x, 0), (V3,)),
    "softsign": (lambda x: x / (1 + np.abs(x)), (V5,)),
    "hard sigmoid": (lambda x: np.clip(0.2 * x + 0.5, 0, 1), (V5,)),
    "hard swish": (lambda x: x * np.clip(x + 3, 0, 6) / 6, (V5,)),
    "softmax": (softmax, (V4,)),
    "log softmax": (lambda x: x - logsumexp(x), (V4,)),
    "softmax of rows": (lambda x: softmax(x, axis=1), (M,)),
    "maxout": (lambda x: x.reshape(2, 2).max(axis=1), (V4,)),
    "gated unit": (lambda x: x[:2] * logistic(x[2:]), (V4,)),
    "bent identity": (lambda x: (np.sqrt(x**2 + 1) - 1) / 2 + x, (V3,)),
    "gaussian": (lambda x: np.exp(-(x**2)), (V3,)),
    "sinc": (lambda x: np.sinc(x), (V3,)),
    "snake": (lambda x, a: x + np.sin(a * x) ** 2 / a, (V3, S), UP),
    # losses
    "squared error": (lambda y, t: np.mean((y - t) ** 2), (V4, V4)),
    "absolute error": (lambda y, t: np.abs(y - t).mean(), (V4, V4)),
    "root mean square": (lambda y, t: np.sqrt(np.mean(np.square(y - t))), (V4, V4)),
    "huber": (lambda y, t: np.sum(huber(y - t)), (V5, V5)),
    "pseudo-huber": (lambda r: np.sum(np.sqrt(1 + r**2) - 1), (V4,)),
    "log cosh": (lambda r: np.sum(np.log(np.cosh(r))), (V4,)),
    "hinge": (lambda z: np.sum(np.maximum(0, 1 - z)), (V5,)),
    "squared hinge": (lambda z: np.sum(np.maximum(0, 1 - z) ** 2), (V5,)),
    "logistic loss": (lambda z: np.mean(np.log1p(np.exp(-z))), (V4,)),
    "cross-entropy": (lambda z: -np.log(softmax(z)[1]), (V4,)),
    "binary cross-entropy": (
        lambda z, t: -np.mean(t * np.log(logistic(z)) + (1 - t) * np.log(1 - logistic(z))),
        (V4, V4),
    ),
    "focal": (lambda z: np.sum(-((1 - logistic(z)) ** 2) * np.log(logistic(z))), (V4,)),
    "quantile": (lambda r: np.sum(np.maximum(0.3 * r, -0.7 * r)), (V5,)),
    "poisson": (lambda u, t: np.mean(np.exp(u) - t * u), (V4, V4)),
    "divergence": (lambda p, q: np.sum(softmax(p) * np.log(softmax(p) / softmax(q))), (V3, V3)),
    "cosine loss": (
        lambda a, b: 1 - np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)),
        (V3, V3),
    ),
    "triplet": (
        lambda a, p, n: np.maximum(np.sum((a - p) ** 2) - np.sum((a - n) ** 2) + 9, 0),
        (V3, V3, V3),
    ),
    "contrastive": (lambda X: np.sum(logsumexp(X @ X.T) - np.diag(X @ X.T)), (M,)),
    "tikhonov": (lambda A, x, b: np.sum((A @ x - b) ** 2) + 0.1 * x @ x, (M, V3, (2,))),
    "lasso": (lambda x: np.sum(np.abs(x)) + 0.5 * np.sum(x**2), (V4,)),
    "tukey": (lambda r: np.sum(np.where(np.abs(r) < 1, 1 - (1 - r**2) ** 3, 1.0)), (V5,)),
    "cauchy": (lambda r: np.sum(np.log1p((r / 2) ** 2)), (V4,)),
    # statistics
    "mean": (lambda x: np.mean(x, axis=0), (M,)),
    "variance": (lambda x: np.var(x, axis=1), (M,)),
    "sample variance": (lambda x: x.var(ddof=1), (V4,)),
    "standard deviation": (lambda x: np.std(x), (V4,)),
    "standardised": (lambda x: (x - x.mean()) / x.std(), (V4,)),
    "covariance": (lambda x: np.cov(x), (M,)),
    "correlation": (lambda x: np.corrcoef(x), (M,)),
    "skewness": (lambda x: np.mean((x - x.mean()) ** 3) / np.std(x) ** 3, (V4,)),
    "kurtosis": (lambda x: np.mean((x - np.mean(x)) ** 4) / np.var(x) ** 2, (V4,)),
    "geometric mean": (lambda x: np.prod(x) ** (1 / 4), (V4,), UP),
    "harmonic mean": (lambda x: 4 / np.sum(1 / x), (V4,), UP),
    "weighted mean": (lambda x, w: np.average(x, weights=w), (V4, V4), UP),
    "entropy": (lambda x: -np.sum(softmax(x) * np.log(softmax(x))), (V4,)),
    "log-normal density": (
        lambda x: np.exp(-(np.log(x) ** 2) / 2) / (x * math.sqrt(2 * pi)),
        (V3,),
        UP,
    ),
    "normal log density": (
        lambda x, m, s: np.sum(-0.5 * ((x - m) / s) ** 2 - np.log(s)),
        (V4, S, S),
        UP,
    ),
    "laplace log density": (lambda x, m: -np.sum(np.abs(x - m)), (V4, S)),
    "student log density": (lambda x: -2 * np.sum(np.log(1 + x**2 / 3)), (V4,)),
    "mahalanobis": (lambda x, A: np.sqrt(x @ (A @ A.T + np.eye(3)) @ x), (V3, Q)),
    "mixture log-likelihood": (mixture, ((4, 2), V3, (3, 2), (3, 2))),
    "range": (lambda x: np.ptp(x), (V5,)),
    "soft quantiles": (lambda x: logsumexp(4 * x) / 4 - logsumexp(-4 * x) / -4, (V4,)),
    "autocorrelation": (lambda x: np.sum((x[1:] - x.mean()) * (x[:-1] - x.mean())), (V5,)),
    "moving average": (lambda x: np.convolve(x, np.ones(3) / 3, mode="valid"), (V5,)),
    "exponential smoothing": (
        lambda x: 0.5 * x[2] + 0.5 * (0.5 * x[1] + 0.5 * x[0]),
        (V3,),
    ),
    # distances and kernels
    "euclidean": (lambda a, b: np.linalg.norm(a - b), (V3, V3)),
    "manhattan": (lambda a, b: np.sum(np.abs(a - b)), (V3, V3)),
    "chebyshev": (lambda a, b: np.max(np.abs(a - b)), (V5, V5)),
    "minkowski": (lambda a, b: np.linalg.norm(a - b, ord=3), (V3, V3)),
    "canberra": (lambda a, b: np.sum(np.abs(a - b) / (np.abs(a) + np.abs(b))), (V4, V4)),
    "bray-curtis": (lambda a, b: np.abs(a - b).sum() / np.abs(a + b).sum(), (V3, V3), UP),
    "pairwise squared": (sq_distances, (M, M)),
    "hellinger": (lambda p, q: np.linalg.norm(np.sqrt(p) - np.sqrt(q)), (V3, V3), UP),
    "rbf kernel": (lambda X, Y: np.exp(-sq_distances(X, Y) / 2), (M, M)),
    "laplace kernel": (lambda x, y: np.exp(-np.abs(np.subtract.outer(x, y))), (V3, V3)),
    "polynomial kernel": (lambda X, Y: (X @ Y.T + 1) ** 3, (M, M)),
    "rational quadratic": (lambda X: (1 + sq_distances(X, X) / 4) ** -2.0, (M,)),
    "periodic kernel": (lambda x: np.exp(-2 * np.sin(x[:, None] - x[None, :]) ** 2), (V3,)),
    "arc-cosine similarity": (
        lambda a, b: np.arccos(0.9 * a @ b / np.sqrt((a @ a) * (b @ b))),
        (V3, V3),
    ),
    "haversine": (
        lambda p, q: (
            2
            * np.arcsin(
                np.sqrt(
                    np.sin((p[0] - q[0]) / 2) ** 2
                    + np.cos(p[0]) * np.cos(q[0]) * np.sin((p[1] - q[1]) / 2) ** 2
                )
            )
        ),
        ((2,), (2,)),
        (0.1, 1.0),
    ),
    # test functions of optimisation
    "rosenbrock": (
        lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
        (V4,),
    ),
    "himmelblau": (
        lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2,
        ((2,),),
    ),
    "ackley": (
        lambda x: (
            -20 * np.exp(-0.2 * np.sqrt(np.mean(x**2)))
            - np.exp(np.mean(np.cos(2 * pi * x)))
            + 20
            + math.e
        ),
        (V3,),
    ),
    "rastrigin": (lambda x: 10 * x.size + np.sum(x**2 - 10 * np.cos(2 * pi * x)), (V3,)),
    "griewank": (
        lambda x: np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(np.arange(1.0, 4.0)))) + 1,
        (V3,),
    ),
    "beale": (
        lambda x: (1.5 - x[0] + x[0] * x[1]) ** 2 + (2.25 - x[0] + x[0] * x[1] ** 2) ** 2,
        ((2,),),
    ),
    "booth": (lambda x: (x[0] + 2 * x[1] - 7) ** 2 + (2 * x[0] + x[1] - 5) ** 2, ((2,),)),
    "sphere": (lambda x: np.sum(x * x), (V4,)),
    "styblinski-tang": (lambda x: 0.5 * np.sum(x**4 - 16 * x**2 + 5 * x), (V4,)),
    "levy": (
        lambda x: np.sin(pi * x[0]) ** 2 + (x[1] - 1) ** 2 * (1 + np.sin(2 * pi * x[1]) ** 2),
        ((2,),),
    ),
    "branin": (
        lambda x, y: (y - 0.13 * x**2 + 1.6 * x - 6) ** 2 + 9.6 * np.cos(x) + 10,
        (S, S),
    ),
    "six-hump camel": (
        lambda x, y: (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2,
        (S, S),
    ),
    "easom": (
        lambda x, y: -np.cos(x) * np.cos(y) * np.exp(-((x - pi) ** 2) - (y - pi) ** 2),
        (S, S),
    ),
    "michalewicz": (lambda x: -np.sum(np.sin(x) * np.sin(x**2 / pi) ** 4), (V3,)),
    "dixon-price": (
        lambda x: (x[0] - 1) ** 2 + np.sum(np.arange(2, 5) * (2 * x[1:] ** 2 - x[:-1]) ** 2),
        (V4,),
    ),
    "powell": (
        lambda x: (x[0] + 10 * x[1]) ** 2 + 5 * (x[2] - x[3]) ** 2 + (x[1] - 2 * x[2]) ** 4,
        (V4,),
    ),
    # physics and dynamics
    "lotka-volterra step": (lambda y: y + 0.1 * lotka_volterra(y), ((2,),), UP),
    "runge-kutta step": (lambda y: runge_kutta(lotka_volterra, y), ((2,),), UP),
    "n-body energy": (nbody, (M, (2,)), UP),
    "lennard-jones": (lambda r: np.sum(4 * (r**-12 - r**-6)), (V3,), (0.9, 2.0)),
    "morse": (lambda r: (1 - np.exp(-(r - 1))) ** 2, (V3,)),
    "pendulum": (
        lambda y: np.array([1.0, 0.0]) * y[1] - np.array([0.0, 9.8]) * np.sin(y[0]),
        ((2,),),
    ),
    "double pendulum energy": (
        lambda a, p: (
            (p[0] ** 2 + 2 * p[1] ** 2 - 2 * p[0] * p[1] * np.cos(a[0] - a[1]))
            / (2 * (1 + np.sin(a[0] - a[1]) ** 2))
            - 3 * np.cos(a[0])
            - np.cos(a[1])
        ),
        ((2,), (2,)),
    ),
    "kepler": (kepler, (V3, S), (0.1, 0.5)),
    "leapfrog": (lambda q, p: q + 0.1 * (p - 0.05 * np.sin(q)), (V3, V3)),
    "van der pol": (lambda y, mu: np.stack([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]]), ((2,), S)),
    "lorenz": (
        lambda y: np.stack(
            [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 2.7 * y[2]]
        ),
        (V3,),
    ),
    "logistic map": (lambda x: 3.7 * (3.7 * x * (1 - x)) * (1 - 3.7 * x * (1 - x)), (V3,)),
    "heat step": (heat, (V5,)),
    "burgers": (lambda u: u[1:-1] * (u[2:] - u[:-2]) / 2, (V5,)),
    "wave energy": (lambda u, v: np.sum(v**2) / 2 + np.sum(np.diff(u) ** 2) / 2, (V4, V4)),
    "ising energy": (lambda s: -np.sum(s * np.roll(s, 1)) - 0.3 * s.sum(), (V5,)),
    "planck": (lambda x: x**3 / np.expm1(x), (V3,), UP),
    "relativistic energy": (lambda p: np.sqrt(np.sum(p**2) + 1), (V3,)),
    "torque": (lambda r, f: np.cross(r, f), (V3, V3)),
    "kuramoto": (lambda a: np.sum(np.sin(a[None, :] - a[:, None]), axis=1), (V4,)),
    # geometry
    "rodrigues rotation": (lambda w, x: rotation(w) @ x, (V3, V3)),
    "spherical": (
        lambda r, t, p: np.stack(
            [r * np.sin(t) * np.cos(p), r * np.sin(t) * np.sin(p), r * np.cos(t)]
        ),
        (S, S, S),
    ),
    "polar": (lambda x, y: np.stack([np.hypot(x, y), np.arctan2(y, x)]), (S, S), UP),
    "quaternion product": (quaternion_product, (V4, V4)),
    "triangle area": (lambda a, b, c: np.linalg.norm(np.cross(b - a, c - a)) / 2, (V3, V3, V3)),
    "tetrahedron volume": (lambda a, b, c: np.dot(a, np.cross(b, c)) / 6, (V3, V3, V3)),
    "polygon area": (
        lambda p: 0.5 * np.sum(p[:, 0] * np.roll(p[:, 1], -1) - p[:, 1] * np.roll(p[:, 0], -1)),
        ((4, 2),),
    ),
    "pinhole camera": (lambda X: X[:2] / X[2] * (1 + 0.1 * np.sum((X[:2] / X[2]) ** 2)), (V3,), UP),
    "path length": (lambda p: np.sum(np.linalg.norm(np.diff(p, axis=0), axis=1)), ((4, 2),)),
    "torus": (lambda p: (np.hypot(p[0], p[1]) - 1) ** 2 + p[2] ** 2, (V3,), UP),
    # interpolation and series
    "spline basis": (cubic_spline, (V5,)),
    "lagrange": (lagrange, (V3, V4)),
    "horner": (lambda x: np.polyval([2.0, -1.0, 0.5, 3.0], x), (V3,)),
    "chebyshev series": (
        lambda x: np.sum(np.cos(np.arange(4) * np.arccos(x[:, None])), 1),
        (V3,),
        (-0.9, 0.9),
    ),
    "fourier series": (lambda t, a: np.sin(np.outer(t, np.arange(1, 4))) @ a, (V4, V3)),
    "vandermonde fit": (lambda x, c: np.vander(x, 3) @ c, (V4, V3)),
    "trapezoid rule": (lambda y: np.trapezoid(y, dx=0.5), (V5,)),
    "gauss-legendre": (lambda a: gauss_legendre(lambda x: np.exp(-a * x**2)), (S,)),
    "padé exponential": (lambda x: (1 + x / 2 + x**2 / 12) / (1 - x / 2 + x**2 / 12), (V3,)),
    "newton root": (lambda a: (1 + a) / 2 - ((1 + a) ** 2 / 4 - a) / (1 + a), (V3,), UP),
    "linear interpolation": (lambda y: np.interp(np.array([0.2, 1.5]), np.arange(3.0), y), (V3,)),
    # linear algebra
    "quadratic form": (lambda x, A: x @ A @ x, (V3, Q)),
    "frobenius": (lambda A: np.linalg.norm(A), (M,)),
    "trace of a product": (lambda A, B: np.trace(A @ B), (Q, Q)),
    "gram": (lambda A: A.T @ A, (M,)),
    "determinant of 3 x 3": (lambda A: A[0] @ np.cross(A[1], A[2]), (Q,)),
    "matrix power": (lambda A: np.linalg.matrix_power(A, 3), (Q,)),
    "kronecker": (lambda A, B: np.kron(A, B), ((2, 2), M)),
    "bilinear": (lambda x, A, y: np.einsum("i,ij,j->", x, A, y), ((2,), M, V3)),
    "batched products": (lambda A, B: np.einsum("bij,bjk->bik", A, B), ((2, 2, 3), (2, 3, 2))),
    "tensor contraction": (lambda A, B: np.tensordot(A, B, axes=([0, 1], [0, 1])), (M, M)),
    "outer products": (lambda x, y: np.outer(x, y) - np.outer(y, x)[:3, :3], (V3, V3)),
    "commutator": (lambda A, B: A @ B - B @ A, (Q, Q)),
    "rayleigh quotient": (lambda x, A: (x @ (A + A.T) @ x) / (x @ x), (V3, Q)),
    "gram-schmidt": (lambda a, b: b - (a @ b) / (a @ a) * a, (V3, V3)),
    "power iteration": (
        lambda A: A @ (A @ np.ones(3)) / np.linalg.norm(A @ (A @ np.ones(3))),
        (Q,),
    ),
    "triangular part": (lambda A: np.tril(A) @ np.triu(A, 1), (Q,)),
    "orthogonality": (lambda A: np.sum((A.T @ A - np.eye(3)) ** 2), (M,)),
    "soft-thresholding": (lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), (V5,)),
    # networks
    "softmax regression": (
        lambda W, X: -np.mean(np.log(softmax(X @ W))[:, 0]),
        ((3, 2), (4, 3)),
    ),
    "two layers": (lambda X, W, v: np.tanh(X @ W) @ v, (M, (3, 4), V4)),
    "attention": (attention, (M, (4, 3), (4, 2))),
    "batch normalisation": (batch_norm, ((4, 2), (2,), (2,))),
    "layer normalisation": (layer_norm, (M, V3, V3)),
    "lstm cell": (lstm_cell, (V3, (2,), (3, 8), (2, 8))),
    "gru cell": (gru_cell, (V3, (2,), (3, 6), (2, 6))),
    "residual block": (lambda x, W: x + np.maximum(W @ x, 0), (V3, Q)),
    "convolution": (conv2d, ((3, 4), (2, 2))),
    "convolution 1d": (lambda x, k: np.convolve(x, k, mode="same"), (V5, V3)),
    "max pooling": (max_pool, ((4, 6),)),
    "average pooling": (lambda x: x.reshape(2, 2, 3).mean(axis=(0, 2)), ((4, 3),)),
    "dropout mask": (lambda x: x * np.array([1.0, 0.0, 1.0, 1.0]) / 0.75, (V4,)),
    "embedding": (lambda E: E[np.array([0, 2, 2])].sum(axis=0), ((3, 2),)),
    "positional": (lambda x: np.concatenate([np.sin(x), np.cos(x)], axis=-1), (V3,)),
    "mixture of experts": (lambda x, G, E: softmax(G @ x) @ (E @ x), (V3, (2, 3), (2, 3))),
    "autoencoder": (lambda x, W: np.sum((W.T @ np.tanh(W @ x) - x) ** 2), (V3, M)),
    "graph convolution": (
        lambda X, W: np.tanh(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1.0]]) @ X @ W),
        ((3, 2), (2, 2)),
    ),
    "weight decay": (lambda W, b: np.sum(W**2) + 0.0 * np.sum(b), (M, V3)),
    "adam step": (
        lambda w, g: w - 0.01 * (0.1 * g) / (np.sqrt(0.001 * g**2 / 0.001) + 1e-8),
        (V3, V3),
        UP,
    ),
}
every_row = pytest.mark.parametrize("row", TABLE)


def case(row):
    function, sizes, *where = TABLE[row]
    rng = np.random.default_rng(zlib.crc32(row.encode()))
    low, high = where[0] if where else (-2.0, 2.0)
    return function, [rng.uniform(low, high, shape) for shape in sizes]


def test_the_table_is_long_enough_to_mean_something():
    """What people write is more varied than what a test's author thinks of at once."""
    assert len(TABLE) >= 150


@every_row
def test_a_plain_function_keeps_its_values(row):
    """Compiled, it returns what NumPy returns: shape, dtype and numbers."""
    function, values = case(row)
    with np.errstate(all="ignore"):
        expected = function(*values)
    actual = gc.jit(function)(*values)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)
    assert (np.shape(expected), np.asarray(expected).dtype) == (np.shape(actual), actual.dtype)


@every_row
def test_a_plain_function_has_the_derivatives_of_the_complex_step(row):
    """The gradient by every argument, and the Hessian by each of those of few elements."""
    function, values = case(row)
    inputs, outputs = gc.trace(function, *values)
    at = dict(zip(inputs, values, strict=True))
    weights = np.random.default_rng(1).uniform(0.5, 1.5, outputs.shape)
    total = gc.sum(outputs * weights)
    for x, gradient in zip(inputs, gc.grad(total, inputs), strict=True):
        close(gc.evaluate(gradient, at), complex_step(total, x, at))
        if x.size <= 6:
            close(gc.evaluate(gc.hessian(total, x), at), complex_step(gradient, x, at))


def close(actual, expected):
    """To 1e-9 of each element, or of a thousandth of the largest."""
    largest = np.max(np.abs(expected), initial=1e-3)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12 * largest)
