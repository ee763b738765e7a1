"""The chain rule's product, with guards: what a branch not taken contributes is exactly 0.

A gradient `where(c, a, 0)` is guarded by c. Multiplied by a derivative that is infinite where c is false,
0 * inf would be NaN; so the guard is carried into the product: where(c, a * d, 0).
"""

from __future__ import annotations

from ..ir import FUNCTIONS, Node

# A sum of more terms than this is taken to be unguarded.
_MOST_TERMS = 16


def is_literal(node: Node, number: float) -> bool:
    """Whether a node is this number, alone or broadcast."""
    while node.op.name == "broadcast_to":
        node = node.inputs[0]
    return node.op.name == "constant" and node.ndim == 0 and bool(node.attrs["value"].array == number)


def times(g: Node, d: Node) -> Node:
    """g * d: a gradient times a local derivative.

    Literal ones and zeros are skipped, reciprocals become divisions, guards are kept.
    """
    f = FUNCTIONS
    shape = f["broadcast_shape"](g, d)
    if g.op.name == "broadcast_to" and f["broadcast_shape"](g.inputs[0], d) == shape:
        g = g.inputs[0]  # the product stretches it anyhow
    if is_literal(d, 0.0) or is_literal(g, 0.0):
        product = f["zeros"](shape, dtype=g.dtype)
    elif is_literal(d, 1.0):
        product = g
    elif is_literal(g, 1.0) and d.dtype == g.dtype:
        product = d
    elif is_literal(d, -1.0):
        product = f["negative"](g)
    elif (condition := guard(g)) is not None:
        product = guarded(condition, times(_inside(g), d))
    elif d.op.name == "where" and (condition := guard(d)) is not None:
        product = guarded(condition, times(g, _inside(d)))
    elif d.op.name == "negative":
        product = f["negative"](times(g, d.inputs[0]))
    elif d.op.name == "reciprocal":
        product = f["divide"](g, d.inputs[0])
    else:
        product = f["multiply"](g, d)
    return product if product.shape == shape else f["broadcast_to"](product, shape)  # type: ignore[no-any-return]


def guarded(condition: Node, value: Node) -> Node:
    """where(condition, value, 0), once."""
    if value.op.name == "where" and guard(value) is condition:
        return value
    zero = FUNCTIONS["constant"](0.0, dtype=value.dtype)
    return FUNCTIONS["where"](condition, value, zero)  # type: ignore[no-any-return]


def guard(g: Node, depth: int = 4) -> Node | None:
    """A condition outside of which g is zero because a branch was not taken, if g has one."""
    moves = []
    while True:
        name, inputs = g.op.name, g.inputs
        if name == "where" and is_literal(inputs[2], 0.0):
            condition = inputs[0]
        elif name == "where" and is_literal(inputs[1], 0.0):
            condition = FUNCTIONS["logical_not"](inputs[0])
        elif name == "add" and depth:
            found = _guard_of_sum(g, depth - 1)
            if found is None:
                return None
            condition = found
        elif name in ("sum", "negative", "astype") or (g.op.family == "layout" and len(inputs) == 1):
            moves.append(g)
            g = inputs[0]
            continue
        else:
            return None
        break
    if condition.shape != g.shape:
        condition = FUNCTIONS["broadcast_to"](condition, g.shape)
    for move in reversed(moves):
        if move.op.name == "sum":
            condition = FUNCTIONS["any"](condition, **move.attrs)
        elif move.op.family == "layout":
            condition = move.op(condition, **move.attrs)
    return condition


def _guard_of_sum(total: Node, depth: int) -> Node | None:
    """A sum is zero where all its terms are."""
    terms, conditions = [total], dict[Node, None]()
    for _ in range(_MOST_TERMS):
        if not terms:
            break
        term = terms.pop()
        if term.op.name == "add":
            terms.extend(term.inputs)
        elif (condition := guard(term, depth)) is not None:
            conditions[condition] = None
        else:
            return None
    if terms:
        return None
    either, *others = conditions
    for other in others:
        either = FUNCTIONS["logical_or"](either, other)
    return either


def _inside(g: Node) -> Node:
    """What a guarded g is where its guard holds."""
    if g.op.name == "where":
        return g.inputs[1] if is_literal(g.inputs[2], 0.0) else g.inputs[2]
    return g
