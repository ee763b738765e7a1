"""A transformer's attention block: layer norm, four heads, a projection, added to the input."""

import math

import numpy as np

from ..workload import Case, Workload, normal

HEADS = 4


def attention(xp, X, target, gain, shift, Wq, Wk, Wv, Wo, batch, length, width):
    split, each = (batch, length, HEADS, width // HEADS), width // HEADS
    centred = X - xp.mean(X, axis=2, keepdims=True)
    spread = xp.sqrt(xp.mean(centred**2, axis=2, keepdims=True) + 1e-5)
    H = gain * (centred / spread) + shift
    Q, K, V = (xp.permute_dims(xp.reshape(H @ W, split), (0, 2, 1, 3)) for W in (Wq, Wk, Wv))
    P = xp.softmax(Q @ xp.matrix_transpose(K) / math.sqrt(each), axis=-1)
    heads = xp.reshape(xp.permute_dims(P @ V, (0, 2, 1, 3)), (batch, length, width))
    return xp.mean((X + heads @ Wo - target) ** 2)


def attention_by_hand(X, target, gain, shift, Wq, Wk, Wv, Wo, batch, length, width):
    each, rows = width // HEADS, (batch * length, width)

    def split(a):
        return a.reshape(batch, length, HEADS, each).transpose(0, 2, 1, 3)

    def join(a):
        return a.transpose(0, 2, 1, 3).reshape(rows)

    x = X.reshape(rows)
    normed = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.mean(normed * normed, axis=1, keepdims=True) + 1e-5)
    normed /= spread
    h = gain * normed
    h += shift
    q, k, v = split(h @ Wq), split(h @ Wk), split(h @ Wv)
    p = q @ k.swapaxes(2, 3)
    p *= 1 / math.sqrt(each)
    p -= p.max(axis=3, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(axis=3, keepdims=True)
    heads = join(p @ v)
    error = heads @ Wo
    error += x
    error -= target.reshape(rows)
    loss = np.vdot(error, error) / error.size
    error *= 2 / error.size

    g_heads = split(error @ Wo.T)
    g_v = p.swapaxes(2, 3) @ g_heads
    g_p = g_heads @ v.swapaxes(2, 3)
    g_p -= np.einsum("bhij,bhij->bhi", g_p, p)[..., None]
    g_p *= p
    g_p *= 1 / math.sqrt(each)
    g_q, g_k, g_v = join(g_p @ k), join(g_p.swapaxes(2, 3) @ q), join(g_v)
    g_h = g_q @ Wq.T
    g_h += g_k @ Wk.T
    g_h += g_v @ Wv.T
    g_gain, g_shift = np.einsum("ij,ij->j", g_h, normed), g_h.sum(axis=0)
    g_h *= gain
    g_x = g_h - g_h.mean(axis=1, keepdims=True)
    g_x -= normed * np.mean(g_h * normed, axis=1, keepdims=True)
    g_x /= spread
    g_x += error
    g_W = h.T @ g_q, h.T @ g_k, h.T @ g_v, heads.T @ error
    return loss, g_x.reshape(X.shape), g_gain, g_shift, *g_W


SQUARE = normal("width", "width", scale=0.06)
WORKLOADS = (
    Workload(
        "layer norm and attention",
        inputs={
            "X": normal("batch", "length", "width"),
            "target": normal("batch", "length", "width"),
            "gain": normal("width", scale=0.1, around=1.0),
            "shift": normal("width", scale=0.1),
            **dict.fromkeys(("Wq", "Wk", "Wv", "Wo"), SQUARE),
        },
        wrt=("X", "gain", "shift", "Wq", "Wk", "Wv", "Wo"),
        objective=attention,
        by_hand=attention_by_hand,
        cases=(Case({"batch": 8, "length": 128, "width": 256}, "float32"),),
        static=("batch", "length", "width"),
        tiny={"batch": 2, "length": 3, "width": 8},
    ),
)
