"""Times of building, and of calls beside hand-written NumPy: python -m benchmarks [--only chain]

Calls are timed by turns in one process, ours and NumPy's, and medians compared. Results are
compared first: a fast wrong answer is no answer.
"""

import argparse
import statistics
import subprocess
import sys
from time import perf_counter

import numpy as np

import graphc as gc


def seconds(work):
    start = perf_counter()
    work()
    return perf_counter() - start


def median_of(work, rounds=5):
    return statistics.median(seconds(work) for _ in range(rounds))


# -- building ---------------------------------------------------------------------------------


def importing():
    subprocess.run([sys.executable, "-c", "import graphc"], check=True)


def network():
    n = gc.dim("n")
    X, Y = gc.input("X", (n, 784)), gc.input("Y", (n, 10))
    W1, W2 = gc.input("W1", (784, 256)), gc.input("W2", (256, 10))
    scores = gc.relu(X @ W1) @ W2
    loss = -gc.sum(Y * gc.log_softmax(scores)) / n + 1e-4 * (gc.sum(W1**2) + gc.sum(W2**2))
    gc.compile([loss, gc.grad(loss, [W1, W2])])


def chain(depth):
    x, w, b = (gc.input(name, ()) for name in "xwb")
    v = x
    for _ in range(depth):
        v = gc.tanh(w * v + b)
    gc.compile(gc.grad(v, x))(0.1, 0.9, 0.1)


BUILDS = {
    "import graphc, in a new process": importing,
    "network 784-256-10: build, grad, compile": network,
    "chain of 1,000 layers: build, grad, compile, call": lambda: chain(1_000),
    "chain of 10,000 layers: build, grad, compile, call": lambda: chain(10_000),
}


# -- calls: a workload is our function, NumPy's, and arguments for both ---------------------------


def elementwise(size):
    x, y = gc.input("x", ("n",)), gc.input("y", ("n",))
    z = gc.sum(gc.tanh(x * y) * gc.exp(-(x**2)) + gc.log1p(y**2))

    def by_hand(x, y):
        t, e, q = np.tanh(x * y), np.exp(-x * x), 1 + y * y
        s = (1 - t * t) * e
        return np.sum(t * e + np.log(q)), s * y - 2 * x * t * e, s * x + 2 * y / q

    rng = np.random.default_rng(0)
    return gc.compile((z, *gc.grad(z, [x, y]))), by_hand, rng.normal(size=(2, size))


def logistic():
    X, y, w = gc.input("X", ("n", "d")), gc.input("y", ("n",)), gc.input("w", ("d",))
    loss = gc.mean(gc.softplus(-y * (X @ w)))

    def by_hand(X, y, w):
        m = -y * (X @ w)
        s = 1 / (1 + np.exp(-m))
        return np.mean(np.logaddexp(0, m)), (-y * s / len(y)) @ X

    rng = np.random.default_rng(0)
    X_, w_ = rng.normal(size=(10_000, 50)), rng.normal(size=50)
    y_ = np.sign(rng.normal(size=10_000))
    return gc.compile((loss, gc.grad(loss, w))), by_hand, (X_, y_, w_)


CALLS = {
    "tanh(xy) exp(-x^2) + log1p(y^2), 1,000 elements": lambda: elementwise(1_000),
    "tanh(xy) exp(-x^2) + log1p(y^2), 1,000,000 elements": lambda: elementwise(1_000_000),
    "logistic regression, 10,000 x 50": logistic,
}


def by_turns(ours, numpys, arguments, rounds=15):
    """Median times of one call of each, the two taking turns."""
    for a, b in zip(ours(*arguments), numpys(*arguments), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    repeats = max(1, int(0.01 / seconds(lambda: numpys(*arguments))))
    times = [], []
    for _ in range(rounds):
        for f, found in zip((ours, numpys), times, strict=True):
            found.append(seconds(lambda f=f: [f(*arguments) for _ in range(repeats)]) / repeats)
    return tuple(map(statistics.median, times))


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", default="", help="run what has this text in its name")
    only = parser.parse_args().only
    print("| build | s |\n|---|---|")
    for name, build in BUILDS.items():
        if only in name:
            print(f"| {name} | {median_of(build, 3):.3f} |")
    print("\n| value and gradient | graphc, ms | NumPy, ms | NumPy / graphc |\n|---|---|---|---|")
    for name, workload in CALLS.items():
        if only in name:
            ours, numpys = by_turns(*workload())
            print(f"| {name} | {1e3 * ours:.3f} | {1e3 * numpys:.3f} | {numpys / ours:.2f} |")


if __name__ == "__main__":
    main()
