"""Random elementwise expressions and tensor graphs for the tests of passes, by their seeds."""

from __future__ import annotations

import numpy as np

import graphc as gc

CONSTANTS = (0.0, 1.0, -1.0, 2.0, 0.5, 3.0, -0.5, 1e-3, 10.0, 0.1, -0.0, 7.0)
EXPONENTS = (0.0, 1.0, 2.0, 3.0, -1.0, 0.5, -2.0, 4.0)
FLOATS = [
    op
    for op in gc.OPS.values()
    if op.family == "elementwise"
    and op.name not in ("astype", "where", "power", "clip", "stop_gradient")
    and all(t == "float64" for e in op.examples[:1] for t in e.dtypes)
]
UNARY = [op for op in FLOATS if len(op.examples[0].shapes) == 1]
BINARY = [op for op in FLOATS if len(op.examples[0].shapes) == 2]
ARITHMETIC = [gc.add, gc.subtract, gc.multiply, gc.divide]
TESTS = [op for op in (*UNARY, *BINARY) if op(*[gc.constant(1.0)] * len(op.examples[0].shapes)).dtype == bool]
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
