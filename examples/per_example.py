"""The gradient of each example by itself: its norm, clipping by it, and how noisy the batch is.

The gradients of a batch of 64 by the weights of a 784-256-10 network fill 103 MB. What people want
of them are their lengths (is a label wrong?), their sum with the long ones cut (training that keeps
each example private), and their mean squares (optimizers, noise). The program for these builds none
of them: the square of the length of an outer product is the product of two squares of lengths, and
its weighted sum over the examples is a matrix product.
"""

import time
import tracemalloc

import numpy as np

import graphc as gc

features, hidden, classes = 784, 256, 10
n = gc.dim("n")
x, label = gc.input("x", (features,)), gc.input("label", (), "int64")
weights = [
    gc.input("W1", (features, hidden)),
    gc.input("b1", (hidden,)),
    gc.input("W2", (hidden, classes)),
    gc.input("b2", (classes,)),
]
W1, b1, W2, b2 = weights

# The loss of one example, and its gradient; vectorize makes many of them.
scores = gc.tanh(x @ W1 + b1) @ W2 + b2
loss = gc.logsumexp(scores) - gc.take_along_axis(scores, label[None])[0]
batch = {x: gc.input("X", (n, features)), label: gc.input("labels", (n,), "int64")}
each = gc.vectorize(gc.grad(loss, weights), batch)

norms = gc.sqrt(sum(gc.sum(g**2, axis=tuple(range(1, g.ndim))) for g in each))
bound = gc.input("bound")
factors = gc.minimum(1.0, bound / norms)
clipped = [gc.mean(gc.reshape(factors, (n,) + (1,) * (g.ndim - 1)) * g, axis=0) for g in each]
mean = [gc.mean(g, axis=0) for g in each]
# The trace of the covariance of the gradients, over the square of their mean: how many examples
# the batch needs until its gradient is more signal than noise.
signal = sum(gc.sum(g**2) for g in mean)
noise_scale = (gc.mean(norms**2) - signal) / signal

inputs = [*batch.values(), *weights]
programs = {
    "gradient of the batch": gc.compile(mean, inputs=inputs),
    "norm of each": gc.compile(norms, inputs=inputs),
    "mean of the clipped": gc.compile(clipped, inputs=[*inputs, bound]),
    "noise scale": gc.compile(noise_scale, inputs=inputs),
    "all 64 gradients": gc.compile(each, inputs=inputs),
}

rng = np.random.default_rng(0)
labels = rng.integers(0, classes, 64)
centres = rng.normal(size=(classes, features))
images = (centres[labels] + rng.normal(size=(64, features))) / np.sqrt(features)
labels[:3] = (labels[:3] + 1) % classes  # three labels are wrong
W = [rng.normal(scale=1 / np.sqrt(v.shape[0]), size=v.shape) for v in weights]
right = images[3:], labels[3:]
for _ in range(30):  # learned from those that are right
    steps = programs["gradient of the batch"](*right, *W)
    W = [w - 0.5 * g for w, g in zip(W, steps, strict=True)]

lengths = programs["norm of each"](images, labels, *W)
print("longest gradients:", ", ".join(str(k) for k in sorted(np.argsort(lengths)[-3:])))
print(f"their lengths {np.sort(lengths)[-3:].mean():.2f}; of the others {np.median(lengths):.2f}")
assert set(np.argsort(lengths)[-3:]) == {0, 1, 2}
print(f"noise scale: {programs['noise scale'](images, labels, *W):.0f} examples")

gradients = programs["all 64 gradients"](images, labels, *W)
cut = np.minimum(1, 1.0 / lengths)
got = programs["mean of the clipped"](images, labels, *W, 1.0)
for g, value in zip(gradients, got, strict=True):
    np.testing.assert_allclose(value, np.tensordot(cut, g, 1) / 64, rtol=1e-10, atol=1e-14)

print(f"\n{'':24}{'MB':>8}{'ms':>8}")
for name, f in programs.items():
    arguments = [images, labels, *W] + [1.0] * (name == "mean of the clipped")
    tracemalloc.start()
    f(*arguments)
    megabytes = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        f(*arguments)
        spent.append(time.perf_counter() - start)
    print(f"{name:24}{megabytes:8.1f}{min(spent) * 1e3:8.1f}")
