"""Some graphs, drawn. A test keeps the files beside this one as these functions draw them."""

import graphc as gc


def logistic_regression():
    """loss = mean(softplus(-y z)) + 0.01 sum(w^2), and where the sizes go."""
    n, d = gc.dims("n d")
    X, y, w = gc.input("X", (n, d)), gc.input("y", (n,)), gc.input("w", (d,))
    z = X @ w
    loss = gc.mean(gc.softplus(-y * z)) + 0.01 * gc.sum(w**2)
    return gc.draw(loss, title="Logistic regression")


def network():
    """The book's section 6.5.7: two layers, cross-entropy, weight decay."""
    n, k = gc.dims("n k")
    X, Y = gc.input("X", (n, 784)), gc.input("Y", (n, 10))
    W1, W2 = gc.input("W1", (784, k)), gc.input("W2", (k, 10))
    H = gc.relu(X @ W1)
    U = H @ W2
    cross_entropy = gc.sum(gc.logsumexp(U, axis=1)) - gc.sum(Y * U)
    decay = 0.01 * (gc.sum(W1**2) + gc.sum(W2**2))
    J = cross_entropy + decay
    return J, [W1, W2]


def two_layers_forward():
    J, _ = network()
    return gc.draw(J, title="A two-layer network with weight decay")


def two_layers_both():
    J, weights = network()
    title = "A two-layer network and its gradients"
    return gc.draw(J, wrt=weights, view="both", title=title)


def product():
    """The smallest: each factor is the other's gradient."""
    x, y = gc.input("x", ()), gc.input("y", ())
    z = x * y
    return gc.draw(z, wrt=[x, y], title="z = xy and its gradients")


def relu_layer():
    """The guard of ReLU: where the unit is off, nothing comes back."""
    n = gc.dim("n")
    X, W, b = gc.input("X", (n, 3)), gc.input("W", (3, 5)), gc.input("b", (5,))
    H = gc.relu(X @ W + b)
    L = gc.sum(H)
    return gc.draw(L, wrt=[W, b], title="A layer of rectified linear units")


def linear_regression():
    """What the book draws with a squared error and a weight decay."""
    n, d = gc.dims("n d")
    X, y, w = gc.input("X", (n, d)), gc.input("y", (n,)), gc.input("w", (d,))
    y_hat = X @ w
    r = y_hat - y
    J = gc.mean(r**2) + 0.1 * gc.sum(w**2)
    return gc.draw(J, wrt=w, title="Linear regression with weight decay")


def repeated():
    """The book's figure 6.9: z = f(f(f(w))), every value used twice and computed once."""
    w = gc.input("w", ())
    x = gc.exp(w)
    y = gc.sin(x)
    z = gc.tanh(y)
    return gc.draw(z, wrt=w, title="z = f(f(f(w))), with f = exp, sin, tanh")


def layer(x, k):
    """One of several: each call of it is a frame of the picture."""
    W, b = gc.input(f"W{k}", (8, 8)), gc.input(f"b{k}", (8,))
    return gc.tanh(x @ W + b)


def layers():
    """Functions that build a graph are its parts; graphc's own are one operation each."""
    x, y = gc.input("x", ("n", 8)), gc.input("y", ("n", 8))
    h = x
    for k in range(1, 4):
        h = layer(h, k)
    loss = gc.mean((gc.softmax(h) - y) ** 2)
    return gc.draw(loss, title="Three calls of one function")


def classifier():
    """The network of the tutorial, which tells on which of two rings a point lies."""
    X, label = gc.input("X", ("n", 2)), gc.input("label", ("n",), dtype="int64")
    W, b, V = gc.input("W", (2, 16)), gc.input("b", (16,)), gc.input("V", (16, 2))
    hidden = gc.tanh(X @ W + b)
    scores = hidden @ V
    right = gc.take_along_axis(gc.log_softmax(scores), label[:, None])
    loss = -gc.mean(right)
    return gc.draw(loss, wrt=[W, b, V], title="A classifier with one hidden layer")


def neuron():
    """Numbers on the edges instead of sizes."""
    w, x, b = gc.input("w", ()), gc.input("x", ()), gc.input("b", ())
    z = w * x + b
    s = gc.sigmoid(z)
    at = {w: -1.0, x: 2.0, b: 0.5}
    return gc.draw(s, wrt=[w, b], at=at, title="A sigmoid unit at w = -1, x = 2, b = 0.5")


DRAWINGS = {
    "logistic_regression": logistic_regression,
    "two_layers_forward": two_layers_forward,
    "two_layers_both": two_layers_both,
    "product": product,
    "relu_layer": relu_layer,
    "linear_regression": linear_regression,
    "f_f_f": repeated,
    "layers": layers,
    "classifier": classifier,
    "neuron": neuron,
}
