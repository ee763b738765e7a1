"""Bundle adjustment: how far cameras see points from where they were seen, and the sparse Jacobian.

One of the four objectives that automatic differentiation is usually measured on. Each row of the
Jacobian meets 15 parameters: 11 of a camera, 3 of a point, 1 weight. One of them it never depends
on (the horizontal error on the vertical principal point, or the other way round): 14 elements are
stored.

    pip install scipy
    python examples/bundle_adjustment.py
"""

import sys

import numpy as np

import graphc as gc

try:
    from scipy import sparse
except ImportError:
    sys.exit("this example builds a sparse matrix: pip install scipy")


def rotated(axis, x):
    """x turned about an axis by the axis' length (Rodrigues), right at the angle 0 too."""
    square = np.sum(axis**2, axis=-1, keepdims=True)
    is_still = square == 0
    angle = np.sqrt(np.where(is_still, 1.0, square))
    sine = np.where(is_still, 1.0, np.sin(angle) / angle)
    versine = np.where(is_still, 0.5, (1 - np.cos(angle)) / angle**2)
    turned = np.cross(axis, x)
    return x + sine * turned + versine * np.cross(axis, turned)


def projected(cameras, x):
    """Where cameras see points. A camera is its rotation, centre, focal length, principal point and
    two coefficients of radial distortion."""
    rotation, centre, focal = cameras[:, 0:3], cameras[:, 3:6], cameras[:, 6:7]
    principal, radial = cameras[:, 7:9], cameras[:, 9:11]
    seen = rotated(rotation, x - centre)
    plane = seen[:, 0:2] / seen[:, 2:3]
    r = np.sum(plane**2, axis=1, keepdims=True)
    distortion = 1 + radial[:, 0:1] * r + radial[:, 1:2] * r**2
    return plane * distortion * focal + principal


def residuals(cameras, points, weights, which_camera, which_point, features):
    """The weighted errors of all observations, in pixels."""
    seen = projected(np.take(cameras, which_camera, axis=0), np.take(points, which_point, axis=0))
    return weights[:, None] * (seen - features)


def problem(n=4, m=20, p=60, seed=0):
    """n cameras, m points, p observations; the first camera is not turned at all."""
    rng = np.random.default_rng(seed)
    cameras = 0.1 * rng.normal(size=(n, 11))
    cameras[0, :3] = 0
    cameras[:, 5] -= 5
    cameras[:, 6] = 500
    which_camera, which_point = rng.integers(0, n, p), rng.integers(0, m, p)
    return (
        cameras, rng.normal(size=(m, 3)), rng.uniform(0.5, 1, p), which_camera, which_point,
        rng.normal(size=(p, 2)),
    )  # fmt: skip


def jacobian(which_camera, which_point, features, n, m):
    """A function of cameras, points and weights: the Jacobian by all of them, one block for
    each."""
    p = len(which_camera)
    given = gc.input("cameras", (n, 11)), gc.input("points", (m, 3)), gc.input("weights", (p,))
    error = residuals(*given, which_camera, which_point, features)
    blocks = [gc.sparse_jacobian(error, x) for x in given]
    return lambda *values: sparse.hstack(
        [f(**{v.name: values[given.index(v)] for v in f.inputs}) for f in blocks], format="csr"
    )


if __name__ == "__main__":
    cameras, points, weights, which_camera, which_point, features = problem()
    derive = jacobian(which_camera, which_point, features, len(cameras), len(points))
    matrix = derive(cameras, points, weights)
    per_row = np.diff(matrix.indptr)
    print(f"{matrix.shape[0]} rows, {matrix.shape[1]} columns")
    print(f"{per_row.min()} to {per_row.max()} elements in a row")
