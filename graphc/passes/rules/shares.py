"""Sums of exponentials that are written out, `exp(x) + exp(y) + 1`: their logs, and shares of them.

Beside the largest term no exponential overflows; as with softmax, a share that is `exp(-300)` times
as large as the largest is right within 300 ulp.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from ...ir import Node
from ...ops.chain import is_literal
from ..rewrite import rule
from .softmax import _is_shifted
from .vocabulary import f, like, number, op, sides

# Sums of more terms are left as they are, and so is what lies deeper in a product.
_MOST_TERMS, _DEPTH = 12, 6


def _exponents(total: Node) -> list[Node] | None:
    """x, y and 0 for exp(x) + exp(y) + 1, in order; None for what is no such sum, or is shifted."""
    found: list[Node] = []
    waiting = [total]
    while waiting and len(found) + len(waiting) <= _MOST_TERMS:
        v = waiting.pop()
        if v.op is op.add:
            waiting += reversed(v.inputs)
        elif v.op is op.exp and not _is_shifted(v.inputs[0]):
            found.append(v.inputs[0])
        elif is_literal(v, 1):
            found.append(like(total, 0))
        else:
            return None
    is_whole = not waiting and all(x.dtype == total.dtype for x in found)
    return found if is_whole and sum(number(x) is None for x in found) >= 2 else None


def _largest(exponents: list[Node]) -> Node:
    """The largest of some values, and 0 where that is infinite or NaN."""
    top = functools.reduce(f.maximum, exponents)
    found: Node = f.where(f.isfinite(top), top, like(top, 0))
    return found


def _shifted(total: Node, top: Node) -> Node:
    """A sum of exponentials with each exponent less the largest, its terms in the same order."""
    if total.op is op.add:
        made: Node = f.add(*(_shifted(v, top) for v in total.inputs))
        return made
    return _less(total.inputs[0] if total.op is op.exp else like(total, 0), top)


def _less(x: Node, top: Node) -> Node:
    found: Node = f.exp(f.negative(top) if number(x) == 0 else f.subtract(x, top))
    return found


def _share(e: Node, total: Node) -> Node | None:
    """exp(x) as a part of a sum that it is a term of."""
    exponents = _exponents(total) if total.op is op.add and e.op is op.exp else None
    if exponents is None or e.inputs[0] not in exponents:
        return None
    (x,) = e.inputs
    if len(exponents) == 2:
        first, second = exponents
        share: Node = f.sigmoid(_difference(x, second if x is first else first))
    else:
        top = _largest(exponents)
        share = f.divide(_less(x, top), _shifted(total, top))
    return share


def _difference(x: Node, y: Node) -> Node:
    """x - y, where that may be 2 * x."""
    if y.op is op.negative and y.inputs[0] is x:
        return f.multiply(like(x, 2), x)
    if x.op is op.negative and x.inputs[0] is y:
        return f.multiply(like(x, -2), y)
    found: Node = f.subtract(x, y)
    return found


@rule("log", over=("add", "multiply", "divide"))
def log_of_exponentials(n: Node) -> Node | None:
    """log(c * (exp(x) + exp(y) + 1)) = log(c * (exp(x - t) + ...)) + t for t = max(x, y, 0)"""
    (v,) = n.inputs
    parts = ((v, None),) if v.op is op.add else sides(v) if v.op is op.multiply else (v.inputs,)
    for total, c in parts:
        exponents = _exponents(total) if total.op is op.add else None
        if exponents is None or c is None and len(exponents) == 2:  # which is logaddexp
            continue
        if c is None or 1e-3 <= (number(c) or 0) <= 1e3:
            top = _largest(exponents)
            whole = _shifted(total, top)
            return f.add(f.log(whole if c is None else v.op(whole, c)), top)
    return None


@rule("log", over=("divide",))
def log_of_exponential_share(n: Node) -> Node | None:
    """log(exp(x) / (exp(x) + exp(y) + 1)) = x - log(exp(x) + exp(y) + 1), less the largest"""
    (v,) = n.inputs
    if v.op is not op.divide:
        return None
    e, total = v.inputs
    if e.op is op.exp and _is_shifted(e.inputs[0]) and total.op is op.add and e in _added(total):
        return f.subtract(e.inputs[0], f.log(total))
    return None


def _added(total: Node, depth: int = _MOST_TERMS) -> Iterator[Node]:
    """The terms of a sum."""
    if total.op is not op.add or not depth:
        yield total
    else:
        for v in total.inputs:
            yield from _added(v, depth - 1)


@rule("divide", over=("exp",))
def share_of_exponentials(n: Node) -> Node | None:
    """exp(x) / (exp(x) + exp(y)) = sigmoid(x - y), and a softmax where there are more terms"""
    e, total = n.inputs
    return _share(e, total)


@rule("multiply", over=("exp",))
def shares_of_exponentials(n: Node) -> Node | None:
    """(g / s + h / e) * e = g * (e / s) + h for e = exp(x), s = exp(x) + exp(y)"""
    for v, e in sides(n):
        for total in _divisors(v) if e.op is op.exp else ():
            share = _share(e, total)
            parts = None if share is None else _over(v, e, total)
            if parts is not None and parts[0] is not None:
                above, rest = parts
                product: Node = f.multiply(above, share)
                return product if rest is None else f.add(product, rest)
    return None


def _divisors(v: Node, depth: int = _DEPTH) -> Iterator[Node]:
    """The sums that terms of v are divided by."""
    if v.op in (op.divide, op.reciprocal) and v.inputs[-1].op is op.add:
        yield v.inputs[-1]
    if depth and v.op in (op.add, op.subtract, op.negative, op.multiply, op.divide):
        for u in v.inputs:
            yield from _divisors(u, depth - 1)


_Parts = tuple[Node | None, Node | None]


def _over(v: Node, e: Node, total: Node, depth: int = _DEPTH) -> _Parts | None:
    """The (g, h) of v = g / total + h / e, None for what is missing, or where v is no such sum."""
    if not depth:
        return None
    if v.op in (op.divide, op.reciprocal) and v.inputs[-1] in (total, e):
        above = v.inputs[0] if v.op is op.divide else like(v, 1)
        return (above, None) if v.inputs[-1] is total else (None, above)
    if v.op in (op.add, op.subtract):
        first, second = (_over(u, e, total, depth - 1) for u in v.inputs)
        if first is None or second is None:
            return None
        return _joined(v, first[0], second[0]), _joined(v, first[1], second[1])
    if v.op not in (op.negative, op.multiply, op.divide):
        return None
    for u, *others in sides(v) if v.op is op.multiply else (v.inputs,):
        found = _over(u, e, total, depth - 1)
        if found is not None:
            g, h = (None if a is None else v.op(a, *others) for a in found)
            return g, h
    return None


def _joined(v: Node, a: Node | None, b: Node | None) -> Node | None:
    """a + b or a - b, as v is a sum or a difference, where one may be missing."""
    if b is None:
        return a
    if a is None:
        return b if v.op is op.add else f.negative(b)
    return v.op(a, b)
