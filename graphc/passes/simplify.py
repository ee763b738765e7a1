"""simplify: elementwise regions through sympy, and back where that is cheaper and audited.

A region is written in canonical symbols, so that equal layers are one region; what was found for
one is remembered for the process. sympy sees bounded formulas, under a lock, within a budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any, NamedTuple

import sympy as sp

from ..errors import GraphcError
from ..ir import OPS, Graph, Node, adopt, building_for, is_number, number_of, topo, with_inputs
from ..meaning import recipe
from ..notation import Term, cut, term, text
from ..tensor_type import tensor
from .audit import audit
from .cost import weight
from .exactly import work
from .facts import ANYTHING, Interval, interval
from .formulas import OPEN, applied, forms, written
from .log import Log
from .rewrite import Refusal, Rewrite, fitted, observed, rewritten, sign_is_seen
from .rules import RULES
from .searches import Budget, Memo
from .steps import Steps, steps_of

# Bounds of a region. They are counts (also of forms, and of points that are compared with exact
# arithmetic): what becomes of a region must not depend on how busy the machine is.
_MOST_NODES, _MOST_VALUES, _NEAR = 16, 5, 4
# A formula is a tree: what is shared is written, and walked, once for each use.
_LARGEST = 40
# The operations of exact arithmetic that its audits may take.
_MOST_WORK = 2000
# Seconds that one of them takes, and that sympy takes for each part of a formula: as measured.
_OPERATION, _PART = 12e-6, 0.5e-3

# A form must be as good wherever what surrounds the region magnifies its error: closer than what
# is promised for a whole program.
_TIMES, _PLUS = 2.0, 1.0
# The error in ulp from which on a form is wrong, and up to which another is right.
_WRONG, _RIGHT = 1e6, 1e3
# In how many characters each side of an equation is written.
_LONGEST = 120
# What one number costs beside one element of a tensor.
_SCALAR = 1 / 64

# A region is worth sympy's time when it holds one of these, or a sum with something in common.
_WORTH_IT = {"exp", "log", "sqrt", "sinh", "cosh", "cos", "divide", "reciprocal", "power"}
_SUMS = ("add", "subtract")

# What sympy makes of 1 / (x - x), and of the root of a negative number.
_NO_NUMBERS = (sp.zoo, sp.nan, sp.oo, sp.I)


class Found(NamedTuple):
    """What was found for a region (no steps: nothing better), its equation, what was refused."""

    steps: Steps | None = None
    equation: str = ""
    refused: tuple[str, ...] = ()


_NOTHING = Found()

_memo: Memo[Found] = Memo()


def simplify(graph: Graph, log: Log) -> Graph:
    """Rewrite elementwise regions where the new text is cheaper or stabler and the audit holds."""
    rewrites: list[Rewrite] = []
    refusals: list[Refusal] = []
    becomes: dict[Node, Node] = {}
    roots = _roots(graph)
    counts, changed = dict(graph.uses) if roots else {}, becomes.keys()
    for v in graph.nodes if roots else ():
        node = v
        if not changed.isdisjoint(v.inputs):
            node = with_inputs(v, tuple(map(becomes.get, v.inputs, v.inputs)))
        if v in roots:
            fit, found = _searched(node, counts, log.budget)
            refusals += [Refusal(text, node) for text in found.refused]
            if fit is not None:
                adopt(fit, node)
                rewrites.append(Rewrite("region", found.equation, node, fit))
                node = fit
        if node is not v:
            becomes[v] = node
            counts[node] = counts.get(node, 0) + counts[v]
    if rewrites:
        graph = Graph([becomes.get(v, v) for v in graph.outputs], graph.parameters)
    if rewrites or all(step.name != "simplify" for step in log.steps):
        log.add("simplify", graph, rewrites, refusals)
    return graph


def _roots(graph: Graph) -> set[Node]:
    """Where regions end: at what no open op alone carries on, near something worth sympy's time."""
    sums = (v for name in _SUMS for v in graph.by_op.get(name, ()))
    worth_it = {v for v in sums if _has_common_factor(v)}
    worth_it.update(*(graph.by_op.get(name, ()) for name in _WORTH_IT))
    if not worth_it:
        return worth_it
    near: list[Node] = []
    carried: set[Node] = set()
    far: dict[Node, int] = {}
    for v in graph.nodes:
        if v.op.name not in OPEN:
            continue
        carried.update(v.inputs)
        steps = 0 if v in worth_it else 1 + min(map(far.get, v.inputs, repeat(_NEAR)))
        if steps < _NEAR:
            far[v] = steps
            if v.type.is_float:
                near.append(v)
    ends = {v for v in near if v not in carried or graph.uses[v] > 1}
    return ends - observed(graph) - sign_is_seen(graph) if ends else ends


def _has_common_factor(v: Node) -> bool:
    """Whether a sum is of two products of one value, or of two squares."""
    a, b = [x.inputs if x.op.name in ("multiply", "square") else () for x in v.inputs]
    return not set(a).isdisjoint(b) or (len(a), len(b)) == (1, 1)


class Region(NamedTuple):
    """An elementwise expression: its root, its nodes, and the values that it is a function of,
    which are what stands at its boundary but for small numbers.
    """

    root: Node
    nodes: tuple[Node, ...]
    boundary: tuple[Node, ...]
    values: tuple[Node, ...]


def _searched(
    root: Node, uses: Mapping[Node, int], budget: Budget
) -> tuple[Node | None, Found]:
    """A better node for the root of a region (None: there is none), and what the search found."""
    region = _region(root)
    if region is None:
        return None, _NOTHING
    values = region.values
    # What is used elsewhere too stays: it is no gain to do without it here.
    kept = _kept(region, uses)
    facts = tuple(interval(x) for x in values)
    key = (_structure(region), facts, kept)
    found = _memo.find(key, budget, lambda: _search(region, facts, kept)) or _NOTHING
    if found.steps is None:
        return None, found
    with building_for(root):
        fit = fitted(found.steps.on(values), root)
    return (None if fit is root else fit), found


def _region(root: Node) -> Region | None:
    """The region of a root, without walking further than its bounds."""
    inside: dict[Node, None] = {root: None}
    waiting = list(root.inputs)  # the inputs of all that is inside
    for v in waiting:  # more come
        if len(inside) == _MOST_NODES:
            break
        if v not in inside and v.op.name in OPEN and v.dtype == root.dtype:
            inside[v] = None
            waiting.extend(v.inputs)
    outside = set(waiting) - inside.keys()
    values = {x for x in outside if _small_number(x) is None}
    if len(inside) < 2 or not 1 <= len(values) <= _MOST_VALUES:
        return None
    if any(x.dtype != root.dtype for x in values):
        return None
    order = topo([root], beyond=outside)
    boundary = dict.fromkeys(x for v in order for x in v.inputs if x in outside)
    return Region(root, tuple(order), tuple(boundary), tuple(x for x in boundary if x in values))


def _small_number(v: Node) -> Any:
    """1, -3, 0.25 stand as they are; any other number is a symbol, so that no digit is lost."""
    if not is_number(v) or not v.type.is_float:
        return None
    value = number_of(v).item()
    if abs(value) <= 8 and value * 4 == int(value * 4) and value != 0:
        return sp.Rational(int(value * 4), 4)
    return None


def _kept(region: Region, uses: Mapping[Node, int]) -> tuple[int, ...]:
    """Positions of nodes that others need, with all that they are computed from."""
    inside = set(region.nodes)
    within: dict[Node, int] = {}
    for v in region.nodes:
        for x in set(v.inputs) & inside:
            within[x] = within.get(x, 0) + 1
    kept = {v for v in region.nodes if v is not region.root and uses.get(v, 0) > within.get(v, 0)}
    for v in reversed(region.nodes):
        if v in kept:
            kept.update(x for x in v.inputs if x in inside)
    return tuple(k for k, v in enumerate(region.nodes) if v in kept)


def _structure(region: Region) -> Any:
    """A region up to the names of its boundary: equal layers have equal structures."""
    values = region.values
    at: dict[Node, Any] = {x: f"x{k}" for k, x in enumerate(values)}
    lines: list[Any] = []
    for x in region.boundary:
        if x not in at:
            at[x] = str(number_of(x))  # no number: of the nodes the second is 1
    for k, v in enumerate(region.nodes):
        lines.append((v.op.name, *(at[x] for x in v.inputs)))
        at[v] = k
    return tuple(lines), _kinds(region), region.root.dtype.name


def _kinds(region: Region) -> tuple[bool, ...]:
    """Which of the values are as large as the result; the others cost next to nothing."""
    return tuple(x.shape == region.root.shape for x in region.values)


class InLetters(NamedTuple):
    """A region with letters for its values: inputs that stand there, what its nodes are on these,
    and what sympy sees: symbols, and the formula of the root.
    """

    places: tuple[Node, ...]
    on_places: dict[Node, Node]
    symbols: tuple[Any, ...]
    formula: Any


def _in_letters(region: Region, facts: tuple[Interval, ...]) -> InLetters:
    dtype = region.root.dtype.name
    full, scalar = tensor(("k",), dtype), tensor((), dtype)
    places = tuple(
        OPS["input"](name=f"x{k}", type=full if is_full else scalar)
        for k, is_full in enumerate(_kinds(region))
    )
    symbols = tuple(_symbol(k, fact) for k, fact in enumerate(facts))
    new: dict[Node, Node] = dict(zip(region.values, places, strict=True))
    formulas: dict[Node, Any] = dict(zip(region.values, symbols, strict=True))
    for x in region.boundary:
        if x not in new:
            new[x], formulas[x] = x, _small_number(x)
    for v in region.nodes:
        new[v] = v.op(*(new[x] for x in v.inputs), **v.attrs)
        formulas[v] = applied(v.op.name, *(formulas[x] for x in v.inputs))
    return InLetters(places, new, symbols, formulas[region.root])


def _symbol(k: int, fact: Interval) -> Any:
    known: dict[str, bool] = {"real": True}
    if fact.is_positive:
        known = {"positive": True}
    elif fact != ANYTHING and fact.is_not_negative:
        known = {"nonnegative": True}
    return sp.Symbol(f"x{k}", **known)


# -- the search -------------------------------------------------------------------------------

def _search(
    region: Region, facts: tuple[Interval, ...], kept: tuple[int, ...]
) -> tuple[Found, float]:
    """What is found, and the seconds that it is counted for."""
    size = _size_as_tree(region)
    if size > _LARGEST:
        return _NOTHING, 0.0
    start = work.done
    found = _best(region, facts, kept)
    return found, _OPERATION * (work.done - start) + _PART * size


def _best(region: Region, facts: tuple[Interval, ...], kept: tuple[int, ...]) -> Found:
    """The cheapest form that passes the audit, and a stable one before those that are not."""
    places, on_places, symbols, formula = _in_letters(region, facts)
    if not formula.is_finite and formula.has(*_NO_NUMBERS):
        return _NOTHING
    before, free = on_places[region.root], {on_places[region.nodes[k]] for k in kept}
    price, whole = _price(before, free), _price(before, ())
    best, rank, equation, refused = None, (True, price), "", []
    known = dict(zip(places, facts, strict=True))
    most = work.done + _MOST_WORK
    for form, candidate in forms(formula):
        built = _node(candidate, symbols, places)
        if built is None or built is before or built.dtype != before.dtype:
            continue
        cost = _price(built, free)
        if cost > (form.worth * whole if form.worth > 1 else price) or (False, cost) >= rank:
            continue
        left = most - work.done
        if left <= 0:
            break
        verdict = audit(
            before, built, places, True, known, times=_TIMES, plus=_PLUS, most_work=left
        )
        said = f"{_written(before, places)} = {_written(built, places)} ({form.name}"
        is_stabler = verdict.before > _WRONG and verdict.after < _RIGHT
        if not verdict.holds:
            refused.append(f"{said}; {verdict})")
        elif (not is_stabler, cost) < rank:
            best, rank = built, (not is_stabler, cost)
            equation = f"{said}; cost {price:.3g} -> {cost:.3g}; {verdict})"
    steps = None if best is None else steps_of(best, places)
    return Found(steps, equation, tuple(refused))


def _size_as_tree(region: Region) -> int:
    """How many parts the formula of a region has."""
    size: dict[Node, int] = {}
    for v in region.nodes:
        size[v] = 1 + sum(size.get(x, 1) for x in v.inputs)
    return size[region.root]


def _node(formula: Any, symbols: tuple[Any, ...], places: tuple[Node, ...]) -> Node | None:
    """The nodes of a formula as the rules leave them; None where no op of ours says it."""
    try:
        node = recipe(written(formula), symbols).build(places, places[0].dtype)
    except (GraphcError, TypeError, ValueError, OverflowError):
        return None
    return rewritten(Graph([node]), RULES)[0].outputs[0]


def _price(v: Node, free: Iterable[Node]) -> float:
    """What it takes to compute v by the measured table, when some nodes are there already."""
    needed = topo([v], beyond=set(free))
    return sum(weight(u) * (1 if u.ndim else _SCALAR) for u in needed)


def _written(v: Node, places: tuple[Node, ...]) -> str:
    """One side of an equation as people write it, what is long left out."""
    names = {x: Term("name", x.attrs["name"]) for x in places}
    return text(cut(term(v, names, _MOST_NODES), _LONGEST))
