"""The chain rule's product, with guards: what a branch not taken contributes is exactly 0.

A gradient `where(c, a, 0)` is guarded by c. Multiplied by a derivative that is infinite where c is
false, 0 * inf would be NaN; so the guard is carried into the product: where(c, a * d, 0).
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir import FUNCTIONS, GuardRule, Node, is_literal
from ..shapes import Shape, broadcast

# A sum of more terms than this is taken to be unguarded.
_MOST_TERMS = 16


def times(g: Node, d: Node) -> Node:
    """g * d: a gradient times a local derivative.

    Literal ones and zeros are skipped, reciprocals become divisions, guards are kept.
    """
    f = FUNCTIONS
    shape = _shape(g, d)
    g, d, conditions, is_negative = _bare(g, d)
    if is_literal(d, 0.0) or is_literal(g, 0.0):
        return f["zeros"](shape, dtype=g.dtype)  # type: ignore[no-any-return]
    if is_literal(d, 1.0):
        product = g
    elif is_literal(g, 1.0) and d.dtype == g.dtype:
        product = d
    elif is_literal(d, -1.0):
        product, is_negative = g, not is_negative
    else:
        product = _product(g, d)
    product = f["negative"](product) if is_negative else product
    product = guarded(_all(conditions), product) if conditions else product
    return product if product.shape == shape else f["broadcast_to"](product, shape)


def _bare(g: Node, d: Node) -> tuple[Node, Node, list[Node], bool]:
    """g and d without the choices that they hang on and d's signs: +-g * d where all hold, else 0.

    What stretches g goes too where the product stretches it anyhow.
    """
    conditions, is_negative = dict[Node, None](), False
    while True:
        if g.op.name == "broadcast_to" and _shape(g.inputs[0], d) == _shape(g, d):
            g = g.inputs[0]
        elif (choice := _choice(g)) is not None:
            conditions[choice[0]], g = None, choice[1]
        elif (choice := _choice(d)) is not None:
            conditions[choice[0]], d = None, choice[1]
        elif d.op.name == "negative":
            is_negative, d = not is_negative, d.inputs[0]
        else:
            return g, d, list(conditions), is_negative


def _shape(g: Node, d: Node) -> Shape:
    """That of g * d."""
    return broadcast(g.shape, d.shape)


def _product(g: Node, d: Node) -> Node:
    """g * d, 0 where a branch was not taken that g hangs on further in."""
    f = FUNCTIONS
    is_division = d.op.name == "reciprocal"
    product: Node = f["divide"](g, d.inputs[0]) if is_division else f["multiply"](g, d)
    # What divides may be infinite at an ordinary point: there no guard is too dear.
    condition = guard(g, is_urgent=d.op.name in ("reciprocal", "divide", "power"))
    return product if condition is None else guarded(condition, product)


def guarded(condition: Node, value: Node) -> Node:
    """where(condition, value, 0), once."""
    choice = _choice(value)
    if choice is not None and choice[0] is condition:
        return value
    zero = FUNCTIONS["constant"](0.0, dtype=value.dtype)
    return FUNCTIONS["where"](condition, value, zero)  # type: ignore[no-any-return]


def guard(g: Node, depth: int = 4, is_urgent: bool = False) -> Node | None:
    """A condition outside of which g is zero because a branch was not taken, if g has one."""
    moves = []
    while (way := _way(g)) is not None:
        moves.append((g, *way))
        g = g.inputs[way[0]]
    conditions, inner = _unwrapped(g)
    if depth and (inner is not g or g.op.name == "add"):
        find = _guard_of_sum if inner.op.name == "add" else guard
        deeper = find(inner, depth - 1, is_urgent)
        conditions += [] if deeper is None else [deeper]
    if not conditions:
        return None
    condition: Node | None = _all(conditions)
    for move, i, rule in reversed(moves):
        if condition is None:
            break
        full = FUNCTIONS["broadcast_to"](condition, move.inputs[i].shape)
        condition = rule(move, full, is_urgent)
    return condition


def _way(g: Node) -> tuple[int, GuardRule] | None:
    """The input whose zeros g keeps, and the rule for its guard."""
    if g.op.guard is None and g.op.family == "layout" and len(g.inputs) == 1:
        return 0, _moved
    return g.op.guard


def _moved(node: Node, condition: Node, is_urgent: bool) -> Node:
    """The condition goes where the elements go."""
    return node.op(condition, **node.attrs)


def unchanged(node: Node, condition: Node, is_urgent: bool) -> Node:
    """The guard rule of what works on each element by itself."""
    return condition


def where_any(count: Callable[[Node, Node], Node]) -> GuardRule:
    """The guard rule of what adds elements up: it holds where some holding one is counted."""

    def rule(node: Node, condition: Node, is_urgent: bool) -> Node:
        ones = FUNCTIONS["astype"](condition, "int64")
        return FUNCTIONS["greater"](count(node, ones), 0)  # type: ignore[no-any-return]

    return rule


def _guard_of_sum(total: Node, depth: int, is_urgent: bool) -> Node | None:
    """A sum is zero where all its terms are."""
    terms, conditions = [total], dict[Node, None]()
    for _ in range(_MOST_TERMS):
        if not terms:
            break
        term = terms.pop()
        if term.op.name == "add":
            terms.extend(term.inputs)
        elif (condition := guard(term, depth, is_urgent)) is not None:
            conditions[condition] = None
        else:
            return None
    if terms:
        return None
    either, *others = conditions
    for other in others:
        either = FUNCTIONS["logical_or"](either, other)
    return either


def _choice(g: Node) -> tuple[Node, Node] | None:
    """The condition c and the branch a of `where(c, a, 0)`."""
    if g.op.name == "where":
        condition, a, b = g.inputs
        if is_literal(b, 0.0):
            return condition, a
        if is_literal(a, 0.0):
            return FUNCTIONS["logical_not"](condition), b
    return None


def _unwrapped(g: Node) -> tuple[list[Node], Node]:
    """The conditions of all the choices that g is wrapped in, and what is inside."""
    conditions: dict[Node, None] = {}
    while (choice := _choice(g)) is not None:
        conditions[choice[0]], g = None, choice[1]
    return list(conditions), g


def _all(conditions: list[Node]) -> Node:
    """The conditions together, each once."""
    both, *others = dict.fromkeys(conditions)
    for other in others:
        both = FUNCTIONS["logical_and"](both, other)
    return both
