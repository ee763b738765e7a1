"""A two-layer classifier with cross-entropy and weight decay on scikit-learn's handwritten digits,
trained by gradient descent on all examples at once, on one at a time, and on batches of 32.

    pip install scikit-learn
    python examples/digits.py [folder for the picture]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import graphc as gc

try:
    from sklearn.datasets import load_digits
except ImportError:
    sys.exit("this example learns scikit-learn's digits: pip install scikit-learn")

n, hidden_units = gc.dim("n"), 32
X = gc.input("X", (n, 64))
labels = gc.input("labels", (n,), dtype="int64")
W1, b1 = gc.input("W1", (64, hidden_units)), gc.input("b1", (hidden_units,))
W2, b2 = gc.input("W2", (hidden_units, 10)), gc.input("b2", (10,))

hidden = gc.relu(X @ W1 + b1)
scores = hidden @ W2 + b2
with gc.scope("log softmax"):
    log_p = gc.log_softmax(scores)
cross_entropy = -gc.mean(gc.take_along_axis(log_p, labels[:, None]))
weight_decay = 1e-4 * (gc.sum(W1**2) + gc.sum(W2**2))
J = cross_entropy + weight_decay

images, digits = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
order = rng.permutation(len(images))
images, digits = images[order] / 16, digits[order]
train, held_out = slice(0, 1347), slice(1347, None)  # three quarters, one quarter
data = {X: images[train], labels: digits[train]}
first = {
    W1: rng.normal(scale=np.sqrt(2 / 64), size=W1.shape),
    b1: np.zeros(hidden_units),
    W2: rng.normal(scale=np.sqrt(1 / hidden_units), size=W2.shape),
    b2: np.zeros(10),
}

classify = gc.compile(gc.softmax(scores), name="classify")


def accuracy(params, rows):
    return np.mean(np.argmax(classify(X=images[rows], **params), axis=1) == digits[rows])


ways = {
    "all at once": (data, gc.optim.momentum(0.3), 100),
    "one at a time": (gc.optim.Batches(data, 1), gc.optim.sgd(gc.optim.linear(0.08, 0.0, 2694)), 2),
    "batches of 32": (gc.optim.Batches(data, 32), gc.optim.adam(0.01), 10),
}
print("examples per step   optimizer   steps        J   right in training   held out")
for way, (batches, optimizer, epochs) in ways.items():
    done = gc.fit(J, first, batches, optimizer, epochs)
    seen, new = accuracy(done.params, train), accuracy(done.params, held_out)
    loss = done.history["loss"][-1]
    print(f"{way:20}{optimizer.name:9}{done.steps:8}   {loss:.4f}{seen:20.1%}{new:11.1%}")
    assert new > 0.95

picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "digits.svg"
gc.draw(J, wrt=[W1, b1, W2, b2], fold=True, title="A classifier of digits").save(picture)
print(f"\nThe graph: {picture}")
