"""A character model: an LSTM unrolled over a text of 256 characters, and the gradient through time.
1,024 of them make a graph of some 50,000 nodes, without a loop.

One of the four objectives that automatic differentiation is usually measured on.

    python examples/character_model.py [folder] [characters]
"""

import sys
import time

import numpy as np

import graphc as gc


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cell_step(weight, bias, hidden, cell, x):
    """One layer for one character: gates, then what is kept and what is told."""
    forget = sigmoid(x * weight[0] + bias[0])
    entering = sigmoid(hidden * weight[1] + bias[1])
    leaving = sigmoid(x * weight[2] + bias[2])
    change = np.tanh(hidden * weight[3] + bias[3])
    cell = cell * forget + entering * change
    return leaving * np.tanh(cell), cell


def objective(main, extra, state, text):
    """The mean log-probability of each character after those before it, negated.

    main[layer] holds weights and biases of four gates, state[layer] what is told and what is kept.
    """
    layers, steps, width = main.shape[0], text.shape[0] - 1, text.shape[1]
    states = [(state[k, 0], state[k, 1]) for k in range(layers)]
    weights = [([main[k, 0, g] for g in range(4)], [main[k, 1, g] for g in range(4)])
               for k in range(layers)]  # fmt: skip
    predictions = []
    for t in range(steps):
        x = text[t] * extra[0]
        for k in range(layers):
            states[k] = cell_step(*weights[k], *states[k], x)
            x = states[k][0]
        predictions.append(x)
    y = np.stack(predictions) * extra[1] + extra[2]
    log_probability = y - np.log(np.sum(np.exp(y), axis=1, keepdims=True) + 2)
    return -np.sum(text[1:] * log_probability) / (steps * width)


def problem(steps=1024, layers=1, width=4, seed=0):
    """Parameters, a state, and a text of one-hot characters."""
    rng = np.random.default_rng(seed)
    text = np.eye(width)[rng.integers(0, width, steps + 1)]
    shapes = [(layers, 2, 4, width), (3, width), (layers, 2, width)]
    return [*(0.5 * rng.normal(size=shape) for shape in shapes), text]


if __name__ == "__main__":
    values = problem(steps=int(sys.argv[2]) if len(sys.argv) > 2 else 256)
    both = gc.value_and_grad(objective, argnums=(0, 1))
    start = time.perf_counter()
    value, slopes = both(*values)
    print(f"traced and compiled in {time.perf_counter() - start:.0f} s", file=sys.stdout)
    print(f"loss {value:.4f}, largest slope {max(np.abs(g).max() for g in slopes):.4f}")
