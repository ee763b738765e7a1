"""Models that people train: every gradient is right, and the saved program needs NumPy alone."""

import subprocess
import sys

import numpy as np
import pytest

import graphc as gc
from graphc.check import complex_step

n, d, h, k = gc.dims("n d h k")


def perceptron():
    """Sigmoid units and the squared error."""
    X, y = gc.input("X", (n, d)), gc.input("y", (n,))
    w, b = gc.input("w", (d,)), gc.input("b")
    prediction = gc.sigmoid(X @ w + b)
    return gc.sum((prediction - y) ** 2) / 2, [w, b]


def logistic_regression():
    """Labels are -1 and 1; the loss is softplus of the negative margin, with weight decay."""
    X, y = gc.input("X", (n, d)), gc.input("y", (n,))
    w, b = gc.input("w", (d,)), gc.input("b")
    margin = y * (X @ w + b)
    return gc.mean(gc.softplus(-margin)) + 0.01 * gc.sum(w**2), [w, b]


def two_layers():
    """J = cross-entropy + lambda * (sum W1^2 + sum W2^2), the book's example in section 6.5.7."""
    X, labels = gc.input("X", (n, d)), gc.input("labels", (n,), dtype="int64")
    W1, W2 = gc.input("W1", (d, h)), gc.input("W2", (h, k))
    decay = gc.input("decay")
    H = gc.relu(X @ W1)
    U = gc.log_softmax(H @ W2)
    cross_entropy = -gc.mean(gc.take_along_axis(U, gc.expand_dims(labels, 1), axis=1))
    return cross_entropy + decay * (gc.sum(W1**2) + gc.sum(W2**2)), [W1, W2]


def two_layers_with_one_hot():
    """The same, with tanh, biases, and the labels spread out: another way through the rules."""
    X, labels = gc.input("X", (n, d)), gc.input("labels", (n,), dtype="int64")
    W1, b1 = gc.input("W1", (d, h)), gc.input("b1", (h,))
    W2, b2 = gc.input("W2", (h, k)), gc.input("b2", (k,))
    scores = gc.tanh(X @ W1 + b1) @ W2 + b2
    chosen = gc.sum(scores * gc.one_hot(labels, k), axis=1)
    cross_entropy = gc.mean(gc.logsumexp(scores, axis=1) - chosen)
    return cross_entropy + 0.1 * (gc.sum(W1**2) + gc.sum(W2**2)), [W1, b1, W2, b2]


MODELS = [perceptron, logistic_regression, two_layers, two_layers_with_one_hot]
each = pytest.mark.parametrize("model", MODELS, ids=[model.__name__ for model in MODELS])


def numbers(inputs, batch):
    """Values for a model's inputs: 3 features, 4 hidden units, 5 classes."""
    rng = np.random.default_rng(3)
    known = {n: batch, d: 3, h: 4, k: 5}
    values = {}
    for x in inputs:
        shape = tuple(known[s] for s in x.shape)
        if x.name == "labels":
            values[x] = rng.integers(0, 5, shape)
        elif x.name == "y":
            values[x] = rng.choice([-1.0, 1.0], shape)
        else:
            values[x] = rng.standard_normal(shape) / 2
    return values


def compiled(model):
    loss, parameters = model()
    gradients = {p.name: g for p, g in zip(parameters, gc.grad(loss, parameters), strict=True)}
    f = gc.compile({"loss": loss, "grad": gradients}, name=model.__name__)
    return loss, parameters, f


@each
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_every_gradient_element_agrees_with_the_complex_step(model, batch):
    """To 1e-9 relative; the batch size is a symbol, one program serves all."""
    loss, parameters, f = compiled(model)
    values = numbers(f.graph.parameters, batch)
    got = f(*values.values())
    np.testing.assert_allclose(got["loss"], gc.evaluate(loss, values), rtol=1e-15)
    for p in parameters:
        want = complex_step(loss, p, values)
        np.testing.assert_allclose(got["grad"][p.name], want, rtol=1e-9, atol=0)
        assert np.any(want != 0)


def test_the_two_layer_network_is_that_of_the_book():
    """Against the formulas by hand: G on U is softmax less one-hot, and so on down."""
    _, _, f = compiled(two_layers)
    values = {x.name: v for x, v in numbers(f.graph.parameters, 6).items()}
    X, labels, W1, W2, decay = (values[name] for name in ("X", "labels", "W1", "W2", "decay"))
    H = np.maximum(X @ W1, 0)
    U = H @ W2
    P = np.exp(U - U.max(1, keepdims=True))
    P /= P.sum(1, keepdims=True)
    G = (P - np.eye(5)[labels]) / len(X)
    J = -np.log(P[np.arange(6), labels]).mean() + decay * ((W1**2).sum() + (W2**2).sum())
    got = f(**values)
    np.testing.assert_allclose(got["loss"], J, rtol=1e-13)
    np.testing.assert_allclose(got["grad"]["W2"], H.T @ G + 2 * decay * W2, rtol=1e-12)
    G = (G @ W2.T) * (H > 0)
    np.testing.assert_allclose(got["grad"]["W1"], X.T @ G + 2 * decay * W1, rtol=1e-12)


@each
def test_an_empty_batch_is_no_crash(model):
    """Sums over nothing are 0, means of nothing NaN, as in NumPy."""
    _, parameters, f = compiled(model)
    values = numbers(f.graph.parameters, 0)
    got = f(*values.values())
    assert model is perceptron or np.isnan(got["loss"])
    for p in parameters:
        assert values[p].shape == got["grad"][p.name].shape


ALONE = """
import importlib.util, sys

class NoGraphc:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("graphc", "sympy", "networkx"):
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, NoGraphc())
folder, file, values, results, packages = sys.argv[1:]
sys.path.append(packages)
import numpy as np
try:
    import graphc
except ImportError:
    pass
else:
    raise SystemExit("graphc could be imported")
spec = importlib.util.spec_from_file_location("program", file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
given = np.load(values)
got = getattr(module, folder)(*given.values())
np.savez(results, loss=got["loss"], **got["grad"])
assert not {"graphc", "sympy", "networkx"} & set(sys.modules)
"""


@each
def test_the_saved_program_gives_the_same_bits_where_graphc_cannot_be_imported(model, tmp_path):
    """In a fresh interpreter, isolated, with NumPy's folder for its packages and graphc blocked."""
    _, _, f = compiled(model)
    values = numbers(f.graph.parameters, 7)
    f.save(tmp_path / "saved.py")
    np.savez(tmp_path / "values.npz", **{x.name: v for x, v in values.items()})
    packages = str(np.__path__[0]).rsplit("numpy", 1)[0]
    paths = [str(tmp_path / name) for name in ("saved.py", "values.npz", "results.npz")]
    command = [sys.executable, "-I", "-S", "-c", ALONE, model.__name__, *paths, packages]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    with np.load(tmp_path / "results.npz") as results:
        got = {name: results[name] for name in results.files}
    want = f(*values.values())
    flat = {"loss": want["loss"], **want["grad"]}
    assert set(flat) == set(got)
    for name, value in flat.items():
        assert np.asarray(value).dtype == got[name].dtype
        assert np.asarray(value).tobytes() == got[name].tobytes()


@pytest.mark.parametrize("model", [logistic_regression, two_layers_with_one_hot])
def test_training_goes_downhill(model):
    """What gradients are for: a hundred small steps lower the loss at every step."""
    _, parameters, f = compiled(model)
    values = {x.name: v for x, v in numbers(f.graph.parameters, 20).items()}
    losses = []
    for _ in range(100):
        got = f(**values)
        losses.append(got["loss"])
        for p in parameters:
            values[p.name] = values[p.name] - 0.05 * got["grad"][p.name]
    assert all(after < before for before, after in zip(losses, losses[1:], strict=False))
