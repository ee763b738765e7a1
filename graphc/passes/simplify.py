"""simplify: elementwise regions through sympy, and back where that is cheaper and audited.

A region is written in canonical symbols, so that equal layers are one region; what was found for
one is remembered for the process. sympy sees bounded expressions, under a lock, within a budget.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sympy as sp

from ..errors import GraphcError
from ..ir import OPS, Graph, Node, building_for, topo, with_inputs
from ..meaning import recipe
from ..shapes import tensor
from .audit import Mode, audit
from .cost import weight
from .facts import ANYTHING, Interval, interval
from .log import Log
from .rewrite import Rewrite, adopt, fitted, observed, sign_is_seen

# Seconds for a compilation. A region is bounded by its size, not by the clock: what becomes of it
# must not depend on how busy the machine is.
BUDGET = 2.0
_MOST_NODES, _MOST_SYMBOLS, _NEAR = 16, 3, 4

# How much more a stable form may cost, and the error in ulp that makes a form unstable.
_STABLE, _WRONG = 4.0, 1e6

# What sympy may see; anything else is a symbol to it.
_OPEN = {
    "add", "subtract", "multiply", "divide", "negative", "square", "reciprocal", "exp", "log",
    "sqrt", "sinh", "cosh", "tanh", "sigmoid", "power",
}  # fmt: skip
# A region is worth sympy's time when it holds one of these, or a quotient.
_WORTH_IT = {"exp", "log", "sqrt", "sinh", "cosh", "divide", "reciprocal", "power"}

_sympy = threading.Lock()


class Found(NamedTuple):
    """What was found for a region: a graph on placeholders (None: nothing better), and why."""

    after: Node | None
    reason: str


# Regions by their structure, for all compilations of the process. Placeholders keep graphs alive.
_memo: dict[Any, Found] = {}
_MEMO_SIZE = 4096


def simplify(graph: Graph, log: Log, mode: Mode = True, budget: float = BUDGET) -> Graph:
    """Rewrite elementwise regions where the new text is cheaper and the audit holds."""
    deadline = time.perf_counter() + budget
    rewrites: list[Rewrite] = []
    notes: list[str] = []
    watched = observed(graph) | sign_is_seen(graph)
    uses: dict[Node, int] = dict.fromkeys(graph.outputs, 1)
    for v in graph.nodes:
        for x in set(v.inputs):
            uses[x] = uses.get(x, 0) + 1
    roots = {v for v in graph.nodes if _is_root(v, graph)}
    near = _distances(graph)
    new: dict[Node, Node] = {}
    with building_for(graph.outputs[0]) as belonging_to:
        for v in graph.nodes:
            inputs = tuple([new[x] for x in v.inputs])
            node = v if inputs == v.inputs else with_inputs(v, inputs)
            if node is v and near.get(v, _NEAR) < _NEAR and v not in watched and v in roots:
                if time.perf_counter() > deadline:
                    notes = [f"simplify stopped: its budget of {budget:g} s was spent"]
                else:
                    belonging_to(v)
                    found = _better(v, mode, uses)
                    if found is not None:
                        adopt(found[0], v)
                        rewrites.append(Rewrite("region", found[1], v, found[0]))
                        node = found[0]
            new[v] = node
    if not rewrites:
        result = graph
    else:
        result = Graph([new[v] for v in graph.outputs], graph.parameters)
    log.add("simplify", result, rewrites, notes)
    return result


def _distances(graph: Graph) -> dict[Node, int]:
    """How far back the nearest op that is worth sympy's time is, within open ops."""
    far: dict[Node, int] = {}
    for v in graph.nodes:
        if v.op.name in _WORTH_IT:
            far[v] = 0
        elif v.op.name in _OPEN:
            far[v] = 1 + min((far.get(x, _NEAR) for x in v.inputs), default=_NEAR)
    return far


def _is_root(v: Node, graph: Graph) -> bool:
    """Whether a region ends here: no consumer carries it on."""
    if v.op.name not in _OPEN or not v.type.is_float:
        return False
    return v in graph.outputs or any(c.op.name not in _OPEN for c in graph.consumers(v)) or (
        len(graph.consumers(v)) > 1
    )


class Region(NamedTuple):
    """An elementwise expression: its root, its nodes, and the values that it is a function of."""

    root: Node
    nodes: tuple[Node, ...]
    boundary: tuple[Node, ...]


def _better(root: Node, mode: Mode, uses: dict[Node, int]) -> tuple[Node, str] | None:
    """A cheaper node for the root of a region, and the equation, if there is one."""
    cut = _cut(root)
    if cut is None:
        return None
    symbols = [b for b in cut.boundary if not _small_integer(b)]
    if not 1 <= len(symbols) <= _MOST_SYMBOLS or any(x.dtype != root.dtype for x in symbols):
        return None
    if not any(v.op.name in _WORTH_IT for v in cut.nodes):
        return None
    facts = tuple(interval(x) for x in symbols)
    # What is used elsewhere too stays: it is no gain to do without it here.
    kept = _kept(cut, uses)
    key = (_structure(cut, symbols), facts, kept, mode)
    found = _memo.get(key)
    if found is None:
        with _sympy:
            found = _memo.get(key) or _search(cut, symbols, facts, kept, mode)
            if len(_memo) < _MEMO_SIZE:
                _memo[key] = found
    if found.after is None:
        return None
    places = _placeholders(len(symbols), root.dtype.name)
    built = _transplant(found.after, dict(zip(places, symbols, strict=True)))
    fit = fitted(built, root)
    return None if fit is None or fit is root else (fit, found.reason)


def _cut(root: Node) -> Region | None:
    """The region of a root, without walking further than its bound."""
    inside: dict[Node, None] = {root: None}
    waiting = list(root.inputs)
    while waiting and len(inside) < _MOST_NODES:
        v = waiting.pop(0)
        if v not in inside and v.op.name in _OPEN and v.dtype == root.dtype:
            inside[v] = None
            waiting.extend(v.inputs)
    if len(inside) < 2:
        return None
    order: list[Node] = []
    done: set[Node] = set()
    stack = [root]
    while stack:
        v = stack.pop()
        if v in done:
            continue
        missing = [x for x in v.inputs if x in inside and x not in done]
        if missing:
            stack += [v, *missing]
        else:
            done.add(v)
            order.append(v)
    boundary = dict.fromkeys(x for v in order for x in v.inputs if x not in inside)
    return Region(root, tuple(order), tuple(boundary))


def _small_integer(v: Node) -> bool:
    """0, 1, 2, ... stand as they are; any other number is a symbol, so that no digit is lost."""
    if v.op.name != "constant" or v.ndim:
        return False
    value = v.attrs["value"].array.item()
    return bool(value == int(value) and abs(value) <= 8) if abs(value) < 1e9 else False


def _kept(cut: Region, uses: dict[Node, int]) -> tuple[int, ...]:
    """Positions of nodes that others need, with all that they are computed from."""
    inside = set(cut.nodes)
    within: dict[Node, int] = {}
    for v in cut.nodes:
        for x in set(v.inputs) & inside:
            within[x] = within.get(x, 0) + 1
    kept = {v for v in cut.nodes if v is not cut.root and uses.get(v, 0) > within.get(v, 0)}
    for v in reversed(cut.nodes):
        if v in kept:
            kept.update(x for x in v.inputs if x in inside)
    return tuple(k for k, v in enumerate(cut.nodes) if v in kept)


def _structure(cut: Region, symbols: list[Node]) -> Any:
    """A region up to the names of its boundary: equal layers have equal structures."""
    at: dict[Node, Any] = {x: f"x{k}" for k, x in enumerate(symbols)}
    lines = []
    for x in cut.boundary:
        if x not in at:
            at[x] = x.attrs["value"].array.item()
    for k, v in enumerate(cut.nodes):
        lines.append((v.op.name, *(at[x] for x in v.inputs)))
        at[v] = k
    return tuple(lines), cut.root.dtype.name


@functools.cache
def _placeholders(count: int, dtype: str) -> tuple[Node, ...]:
    """Inputs that stand for the boundary of a region."""
    type_ = tensor(("k",), dtype)
    return tuple(OPS["input"](name=f"region {k}", type=type_) for k in range(count))


def _transplant(v: Node, places: dict[Node, Node]) -> Node:
    """A graph on placeholders, built on others."""
    new = dict(places)
    for u in topo([v]):
        if u not in new:
            new[u] = u.op(*(new[x] for x in u.inputs), **u.attrs) if u.inputs else u
    return new[v]


# -- the search -------------------------------------------------------------------------------

def _search(
    cut: Region, symbols: list[Node], facts: tuple[Interval, ...], kept: tuple[int, ...], mode: Mode
) -> Found:
    """The cheapest candidate that passes the audit, within the region's budget."""
    places = _placeholders(len(symbols), cut.root.dtype.name)
    letters = [_symbol(k, fact) for k, fact in enumerate(facts)]
    new: dict[Node, Node] = dict(zip(symbols, places, strict=True))
    formulas: dict[Node, Any] = dict(zip(places, letters, strict=True))
    for x in cut.boundary:
        if x not in new:
            new[x] = x
            formulas[x] = sp.Integer(int(x.attrs["value"].array.item()))
    try:
        for v in cut.nodes:
            new[v] = v.op(*(new[x] for x in v.inputs), **v.attrs)
            formulas[new[v]] = v.op.meaning(*(formulas[x] for x in new[v].inputs))
        before = new[cut.root]
        free = {new[cut.nodes[k]] for k in kept}
        best, price, reason = None, _price(before, free), ""
        for name, candidate in _candidates(formulas[before]):
            built = recipe(candidate, tuple(letters)).build(places, cut.root.dtype)
            # A stable form may cost more than one that overflows.
            limit = _STABLE * price if name == "sigmoid" and best is None else price
            if built.type != before.type or _price(built, free) >= limit:
                continue
            verdict = audit(before, built, places, mode, dict(zip(places, facts, strict=True)))
            is_stabler = verdict.before > _WRONG > verdict.after
            if verdict.holds and (is_stabler or _price(built, free) < price):
                best, price = built, _price(built, free)
                reason = f"{formulas[before]} = {candidate} ({name}; {verdict})"
        return Found(best, reason)
    except (GraphcError, ArithmeticError, AttributeError, TypeError, ValueError, RecursionError):
        return Found(None, "")  # sympy, or no op of ours, can say it


def _symbol(k: int, fact: Interval) -> Any:
    known: dict[str, bool] = {"real": True}
    if fact.is_positive:
        known = {"positive": True}
    elif fact != ANYTHING and fact.is_not_negative:
        known = {"nonnegative": True}
    return sp.Symbol(f"x{k}", **known)


def _price(v: Node, free: set[Node]) -> float:
    """What it takes to compute v by the measured table, when some nodes are there already."""
    total, seen, stack = 0.0, set(free), [v]
    while stack:
        u = stack.pop()
        if u not in seen:
            seen.add(u)
            total += weight(u)
            stack.extend(u.inputs)
    return total


_sigmoid = sp.Function("sigmoid")


def _with_sigmoids(e: Any) -> Any:
    """exp(a) / (1 + exp(a)) and 1 / (1 + exp(a)) as sigmoids, in any power."""

    def is_one_plus_exp(f: Any) -> bool:
        base = f.base if f.is_Pow else f
        return bool(
            f.is_Pow and f.exp.is_Integer and f.exp.is_negative
            and base.is_Add and len(base.args) == 2 and base.args[0] == 1
            and isinstance(base.args[1], sp.exp)
        )  # fmt: skip

    def with_sigmoid(product: Any) -> Any:
        factors = list(sp.Mul.make_args(product))
        result = []
        for f in factors:
            if is_one_plus_exp(f):
                result.append(_sigmoid(-f.base.args[1].args[0]) ** (-f.exp))
            else:
                result.append(f)
        whole = sp.Mul(*result)
        for f in factors:
            # exp(a) * sigmoid(-a) = sigmoid(a)
            if isinstance(f, sp.exp) and whole.has(_sigmoid(-f.args[0])):
                whole = whole / f / _sigmoid(-f.args[0]) * _sigmoid(f.args[0])
        return whole

    return e.replace(
        lambda f: (f.is_Mul or f.is_Pow) and any(map(is_one_plus_exp, sp.Mul.make_args(f))),
        with_sigmoid,
    )


def _hyperbolic(e: Any) -> Any:
    """sinh(a) / cosh(a) = tanh(a), also where both are written in exponentials."""
    exponents = {f.args[0] for f in e.atoms(sp.exp)}
    for a in sorted(exponents, key=sp.default_sort_key):
        if -a in exponents and not a.could_extract_minus_sign():
            t = sp.Dummy(positive=True)
            ratio = sp.cancel(e.subs({sp.exp(a): t, sp.exp(-a): 1 / t}))
            for known, function in (
                ((t**2 - 1) / (t**2 + 1), sp.tanh(a)), ((t**2 + 1) / (t**2 - 1), 1 / sp.tanh(a)),
                ((t - 1 / t) / 2, sp.sinh(a)), ((t + 1 / t) / 2, sp.cosh(a)),
            ):  # fmt: skip
                if sp.cancel(ratio - known) == 0:
                    return function
    return e


def _ratios(e: Any) -> Any:
    """sinh(a) / cosh(a) = tanh(a)."""
    for f in e.atoms(sp.sinh):
        a = f.args[0]
        e = e.subs(sp.sinh(a) / sp.cosh(a), sp.tanh(a))
    return e


_REWRITES: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("canonical", lambda e: e),
    ("sigmoid", _with_sigmoids),
    ("tanh", _hyperbolic),
    ("sinh/cosh", _ratios),
    ("powsimp", sp.powsimp),
    ("cancel", sp.cancel),
    ("factor", sp.factor_terms),
)


def _candidates(e: Any) -> Iterator[tuple[str, Any]]:
    """Each rewrite of an expression, without those that change nothing."""
    seen = set()
    for name, change in _REWRITES:
        changed = change(e)
        if changed not in seen:
            seen.add(changed)
            yield name, changed
