"""Random elementwise expressions and tensor graphs for the tests of passes, by their seeds."""

from __future__ import annotations

import numpy as np

import graphc as gc

CONSTANTS = (0.0, 1.0, -1.0, 2.0, 0.5, 3.0, -0.5, 1e-3, 10.0, 0.1, -0.0, 7.0)
EXPONENTS = (0.0, 1.0, 2.0, 3.0, -1.0, 0.5, -2.0, 4.0)
# They came later, and have expressions of their own: what a seed gives hangs on the list below.
SPECIAL = [gc.erf, gc.erfc, gc.erfcx]
FLOATS = [
    op
    for op in gc.OPS.values()
    if op.family == "elementwise" and op not in SPECIAL
    and op.name not in ("astype", "where", "power", "clip", "stop_gradient")
    and all(t == "float64" for e in op.examples[:1] for t in e.dtypes)
]
UNARY = [op for op in FLOATS if len(op.examples[0].shapes) == 1]
BINARY = [op for op in FLOATS if len(op.examples[0].shapes) == 2]
ARITHMETIC = [gc.add, gc.subtract, gc.multiply, gc.divide]
TESTS = [
    op
    for op in (*UNARY, *BINARY)
    if op(*[gc.constant(1.0)] * len(op.examples[0].shapes)).dtype == bool
]
UNARY = [op for op in UNARY if op not in TESTS]
BINARY = [op for op in BINARY if op not in TESTS]


def expression(seed, inputs, depth=12):
    """An elementwise expression of floats; parts are shared, as people share them."""
    rng = np.random.default_rng(seed)
    made = list(inputs)

    def pick(level):
        if level <= 0 or rng.random() < 0.15:
            if rng.random() < 0.3:
                return gc.constant(float(rng.choice(CONSTANTS)), dtype=inputs[0].dtype)
            return made[rng.integers(0, len(made))]
        return build(level - 1)

    def build(level):
        draw = rng.random()
        if draw < 0.35:
            v = ARITHMETIC[rng.integers(0, 4)](pick(level), pick(level - 2))
        elif draw < 0.65:
            v = UNARY[rng.integers(0, len(UNARY))](pick(level))
        elif draw < 0.75:
            v = BINARY[rng.integers(0, len(BINARY))](pick(level), pick(level - 2))
        elif draw < 0.8:
            exponent = gc.constant(float(rng.choice(EXPONENTS)), dtype=inputs[0].dtype)
            v = gc.power(pick(level), exponent)
        elif draw < 0.85:
            v = gc.clip(pick(level), -2.0, float(rng.choice([0.0, 3.0])))
        elif draw < 0.95:
            test = TESTS[rng.integers(0, len(TESTS))]
            condition = test(*[pick(level - 3) for _ in test.examples[0].shapes])
            v = gc.where(condition, pick(level - 1), pick(level - 2))
        else:
            v = gc.negative(pick(level))
        made.append(v)
        return v

    v = build(int(rng.integers(1, depth + 1)))
    # An expression of constants alone has no input to be a function of.
    return v + inputs[0] if v.shape != inputs[0].shape else v


def tensor_graph(seed, inputs, steps=14):
    """A graph of layout, contraction, reduction and arithmetic on some vectors, matrices."""
    rng = np.random.default_rng(seed)
    made = list(inputs)

    def pick(holds=lambda v: True):
        found = [v for v in made if holds(v)]
        return found[rng.integers(0, len(found))] if found else None

    def matching(v):
        def broadcasts(u):
            try:
                return gc.shapes.broadcast(u.shape, v.shape) == v.shape
            except gc.ShapeError:
                return False

        return pick(broadcasts)

    def axis(v):
        return int(rng.integers(0, v.ndim))

    def contracted(v):
        other = pick(lambda u: u.ndim == 2 and u.shape[0] == v.shape[-1])
        return v @ other if other is not None else gc.square(v)

    def sliced(v):
        k = axis(v)
        pieces = [v[(slice(None),) * k + (slice(0, 1),)], v[(slice(None),) * k + (slice(1, None),)]]
        return gc.concat(pieces, axis=k)

    moves = [
        lambda v: v + matching(v),
        lambda v: v - matching(v),
        lambda v: v * matching(v),
        lambda v: v / (2 + gc.square(matching(v))),
        lambda v: -v,
        lambda v: v * float(rng.choice(CONSTANTS)),
        lambda v: v / float(rng.choice([2.0, 3.0, -4.0])),
        lambda v: v ** float(rng.choice([0.0, 1.0, 2.0, 3.0])),
        lambda v: gc.tanh(v),
        lambda v: gc.relu(v),
        lambda v: gc.abs(v),
        lambda v: gc.where(v > 0, v, matching(v)),
        lambda v: gc.transpose(v),
        lambda v: gc.reshape(gc.reshape(v, (-1,)), v.shape),
        lambda v: gc.sum(v, axis=axis(v), keepdims=True) if v.ndim else v,
        lambda v: gc.sum(v),
        lambda v: gc.mean(v, axis=axis(v)) if v.ndim else v,
        lambda v: gc.sum(v * matching(v)),
        lambda v: gc.softmax(v) if v.ndim else v,
        lambda v: gc.log(gc.softmax(v)) if v.ndim else v,
        lambda v: gc.log(gc.sum(gc.exp(v), axis=axis(v), keepdims=True)) if v.ndim else v,
        lambda v: gc.max(v, axis=axis(v), keepdims=True) if v.ndim else v,
        lambda v: contracted(v) if v.ndim else v,
        lambda v: gc.transpose(contracted(v)) if v.ndim else v,
        lambda v: gc.broadcast_to(v, (2, *v.shape))[0] if v.ndim < 3 else v,
        lambda v: sliced(v) if v.ndim else v,
        lambda v: gc.astype(gc.astype(v, "float64"), v.dtype),
    ]
    for _ in range(steps):
        v = pick(lambda u: u.ndim < 3)
        made.append(moves[rng.integers(0, len(moves))](v))
    return gc.tanh(gc.mean(made[-1])) + gc.sum(gc.tanh(made[-2] / 8))
