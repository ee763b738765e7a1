"""Deep graphs: an LSTM unrolled over a sequence, and a chain of many small layers."""

import numpy as np

from ..workload import Case, Workload, normal

# -- LSTM -----------------------------------------------------------------------------------------


def lstm(xp, X, h, c, Wx, Wh, b, length, width, gates):
    for t in range(length):
        a = X[t] @ Wx + h @ Wh + b
        keep, enter, tell, change = (a[:, i : i + width] for i in range(0, gates, width))
        keep, enter, tell, change = *map(xp.sigmoid, (keep, enter, tell)), xp.tanh(change)
        c = keep * c + enter * change
        h = tell * xp.tanh(c)
    return xp.mean(h**2)


def lstm_by_hand(X, h, c, Wx, Wh, b, length, width, gates):
    w, batch = width, X.shape[1]
    given = (X.reshape(length * batch, -1) @ Wx + b).reshape(length, batch, gates)
    hs, cs, told = [h], [c], []
    for t in range(length):
        a = given[t]
        a += h @ Wh
        a[:, : 3 * w] = 1 / (1 + np.exp(-a[:, : 3 * w]))
        np.tanh(a[:, 3 * w :], out=a[:, 3 * w :])
        c = a[:, :w] * c + a[:, w : 2 * w] * a[:, 3 * w :]
        s = np.tanh(c)
        h = a[:, 2 * w : 3 * w] * s
        hs.append(h)
        cs.append(c)
        told.append(s)

    g_gates = np.empty_like(given)
    g_h, g_c = h * (2 / h.size), np.zeros_like(c)
    for t in reversed(range(length)):
        a, g, s = given[t], g_gates[t], told[t]
        keep, enter, tell, change = (a[:, i * w : (i + 1) * w] for i in range(4))
        g_c = g_c + g_h * tell * (1 - s * s)
        g[:, :w] = g_c * cs[t] * (keep * (1 - keep))
        g[:, w : 2 * w] = g_c * change * (enter * (1 - enter))
        g[:, 2 * w : 3 * w] = g_h * s * (tell * (1 - tell))
        g[:, 3 * w :] = g_c * enter * (1 - change * change)
        g_c = g_c * keep
        g_h = g @ Wh.T
    flat = g_gates.reshape(length * batch, gates)
    g_Wx = X.reshape(length * batch, -1).T @ flat
    g_Wh = np.concatenate(hs[:-1]).T @ flat
    return np.mean(h * h), g_Wx, g_Wh, flat.sum(axis=0)


# -- a chain --------------------------------------------------------------------------------------


def chain(xp, v, W, b, layers):
    for _ in range(layers):
        v = xp.tanh(W @ v + b)
    return xp.sum(v)


def chain_by_hand(v, W, b, layers):
    kept = np.empty((layers + 1, len(v)), v.dtype)
    kept[0] = v
    for i in range(layers):
        v = np.tanh(W @ v + b, out=kept[i + 1])
    slopes = 1 - kept[1:] ** 2
    back = np.empty_like(slopes)
    g = np.ones_like(v)
    for i in reversed(range(layers)):
        g = np.multiply(g, slopes[i], out=back[i]) @ W
    return np.sum(v), g, back.T @ kept[:-1], back.sum(axis=0)


WORKLOADS = (
    Workload(
        "LSTM",
        inputs={
            "X": normal("length", "batch", "width"),
            "h": normal("batch", "width"),
            "c": normal("batch", "width"),
            "Wx": normal("width", "gates", scale=0.1),
            "Wh": normal("width", "gates", scale=0.1),
            "b": normal("gates"),
        },
        wrt=("Wx", "Wh", "b"),
        objective=lstm,
        by_hand=lstm_by_hand,
        cases=(
            Case({"length": 100, "batch": 1, "width": 32, "gates": 128}, "float32"),
            Case({"length": 100, "batch": 32, "width": 64, "gates": 256}, "float32"),
        ),
        static=("length", "width", "gates"),
        tiny={"length": 2, "batch": 3, "width": 2, "gates": 8},
    ),
    Workload(
        "chain of small layers",
        inputs={
            "v": normal("width"),
            "W": normal("width", "width", scale=0.3),
            "b": normal("width", scale=0.1),
        },
        wrt=("v", "W", "b"),
        objective=chain,
        by_hand=chain_by_hand,
        cases=(
            Case({"layers": 1_000, "width": 16}),
            Case({"layers": 100, "width": 16}, only_compiling=True),
            Case({"layers": 10_000, "width": 16}, only_compiling=True),
        ),
        static=("layers",),
        tiny={"layers": 3, "width": 4},
    ),
)
