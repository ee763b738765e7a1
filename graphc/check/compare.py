"""gc.check: reverse mode, forward mode, exact arithmetic and differences, side by side."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import forms
from ..autodiff.backprop import backprop, check_differentiable
from ..errors import Disconnected, NotDifferentiable
from ..ir import FUNCTIONS, Graph, Node, topo
from ..notation import gradient_term, names_of, text
from ..ops.leaves import placeholder
from ..options import whole
from ..wording import in_words
from .blame import Finding
from .locate import Search
from .numeric import Array
from .plot import Curve
from .point import Point, point
from .progress import watched
from .report import Report, Row
from .sample import sampled
from .together import line, one_by_one
from .ways import Coordinate, Ways


@np.errstate(all="ignore")
def check(z: Node, wrt: Any, at: Mapping[Any, Any] | None = None, *, seed: int = 0) -> Report:
    """Whether the gradient of z by some nodes is right, at a point: a `Report`.

    Reverse mode is held against forward mode, against exact arithmetic (sympy's expressions at
    more than 50 digits) and against numeric differences. A gradient is wrong where they differ by
    more than rounding and their own uncertainty explain; then the first node whose own rule
    disagrees is named. Inputs that `at` omits are drawn, by `seed`, from what they were declared to
    be. Of more than 100 inputs a sample is checked, and the others along one direction.

    >>> import graphc as gc
    >>> w = gc.input("w", (3,))
    >>> report = gc.check(gc.sum(gc.tanh(w)), [w], at={w: [0.1, 0.2, 0.3]})
    >>> report.ok, report.rows[0].verdict
    (True, 'right')
    """
    parameters = forms.leaves(wrt)
    check_differentiable(z, parameters)
    seed = whole(seed, "seed= is a whole number that is not negative, and is", least=0)
    notes = []
    v = z
    if z.shape:
        weights = placeholder(z.type, "weights of its elements")
        v = FUNCTIONS["sum"](weights * z)
        notes.append(f"{z.label} is {z.type}: a random combination of its elements was checked")
    names = _names(parameters)
    here = point([v, *parameters], at, seed)
    try:
        table = backprop(v, parameters)
        gradients = [table[x] for x in parameters]
        here = point([v, *gradients, *parameters], at, seed)
    except (Disconnected, NotDifferentiable):
        raise
    except Exception:  # a rule that breaks down: whose?
        search = Search(v, here, seed)
        finding = search.find(parameters).get("wrong")
        if finding is None:
            raise
        rows = [_broken(x, name, finding) for x, name in zip(parameters, names, strict=True)]
        measure = functools.partial(search.errors, parameters)
        return Report(_title(z, at), tuple(rows), (), ((),) * len(rows), measure)
    if here.drawn:
        notes.append(here.drawn)
    each = [_Parameter(*x) for x in zip(parameters, gradients, names, strict=True)]
    alone = one_by_one(parameters, seed)
    compared = [_compared(v, each[k], here, seed) for k in alone]
    search = Search(v, here, seed)
    found = {k: (_row(c, search), c.curves) for k, c in zip(alone, compared, strict=True)}
    notes += _samples(compared)
    others = [k for k in range(len(each)) if k not in found]
    if others:
        told, note = _together(v, [each[k] for k in others], here, seed)
        found.update(zip(others, told, strict=True))
        notes.append(f"{len(alone)} of {len(each)} were checked one by one, and {note}")
    if any(c.is_inexact for c in compared):
        notes += sampled(v, parameters, here, seed)
    in_order = [found[k] for k in range(len(each))]
    return Report(
        _title(z, at),
        tuple(row for row, _ in in_order),
        tuple(notes),
        tuple(curves for _, curves in in_order),
        functools.partial(search.errors, parameters),
    )


def _title(z: Node, at: Any) -> str:
    where = "a random point" if not at else "the given point"
    called = z.label
    if z.adjoint_of is not None and not z.name:
        names = names_of(Graph([z]))
        called = text(gradient_term(z.differentiated, z.adjoint_of, names, has_one=False))
    return f"gradient of {called} : {z.type} at {where}"


def _names(parameters: Sequence[Node]) -> list[str]:
    """What to call each: its label, numbered where two are called the same."""
    labels = [x.label for x in parameters]
    return [
        f"{label}_{labels[:k].count(label)}" if label in labels[:k] else label
        for k, label in enumerate(labels)
    ]


class _Parameter(NamedTuple):
    """What is differentiated by, and its gradient."""

    node: Node
    gradient: Node
    name: str


class _Compared(NamedTuple):
    """One parameter, and what each way gives for its elements."""

    node: Node
    name: str
    size: int
    coordinates: list[Coordinate]
    is_inexact: bool  # too large, or not all of it has an exact meaning
    curves: tuple[Curve, ...]
    order: float | None

    @property
    def checked(self) -> int:
        return sum(c.place is not None for c in self.coordinates)


def _compared(v: Node, parameter: _Parameter, here: Point, seed: int) -> _Compared:
    x, gradient, name = parameter
    size = int(np.size(here.values[x]))
    if not np.all(np.isfinite(here.values[v])):
        return _Compared(x, name, size, [], False, (), None)
    ways = Ways(v, x, gradient, here.values, here.sizes, seed)
    places = ways.places
    exactly = ways.exact_places(places)
    found = [
        ways.coordinate(place, place in exactly) for place in watched(places, f"checking {name}")
    ]
    along = ways.along()
    if len(places) < size:
        found.append(along)
    curves, order = ways.curves(along.best[0])
    return _Compared(x, name, size, found, ways.exact is None, curves, order)


def _samples(compared: Iterable[_Compared]) -> list[str]:
    """Which parameters were sampled."""
    names = [c.name for c in compared if c.coordinates and c.checked < c.size]
    if not names:
        return []
    return [f"of {in_words(names)} a random sample was checked, and all of it along one direction"]


def _together(
    v: Node, others: Sequence[_Parameter], here: Point, seed: int
) -> tuple[list[tuple[Row, tuple[Curve, ...]]], str]:
    """Many parameters moved together: what is known of each, and a note."""
    moved = line(v, [x.node for x in others], [x.gradient for x in others], here, seed)
    along = _compared(moved.value, _Parameter(moved.t, moved.slope, ""), moved.here, seed)
    row = _row(along, Search(moved.value, moved.here, seed))
    blamed = moved.known.get(row.node, row.node)
    leads = None if blamed is None else set(topo([blamed]))

    def told(x: _Parameter) -> Row:
        size = int(np.size(here.values[x.node]))
        right = Row(x.name, repr(x.node.type), "right", 0, size, None, "")
        if leads is not None and x.node not in leads:
            return right
        return right._replace(verdict=row.verdict, node=blamed, reason=row.reason)

    note = (
        f"the {len(others)} others together along one direction: {row.reverse:.7g} by reverse "
        f"mode, {row.absolute:.1e} off"
    )
    return [(told(x), along.curves) for x in others], note


# -- verdicts ---------------------------------------------------------------------------------


# Of so many elements it is asked what flips as they move.
_EDGES = 6


def _row(compared: _Compared, search: Search) -> Row:
    """The verdict on one parameter, and the numbers where the difference is largest."""
    if not compared.size:
        return _numbers(compared, None, "right", None, "it has no elements")
    if not compared.coordinates:
        finding = search.outside(compared.node)
        return _numbers(compared, None, "outside", finding.node, finding.reason)
    largest = max(abs(c.reverse) for c in compared.coordinates)
    doubtful = [c for c in compared.coordinates if c.is_suspect or c.is_unknown or c.kink]
    verdict, node, reason = "right", None, ""
    if doubtful:
        verdict, node, reason = _explained(compared, doubtful, search)
    if verdict == "right" and not all(c.is_known(largest) for c in compared.coordinates):
        verdict = "noisy"
        reason = "rounding hides all but a few digits: the ways agree as far as they are known"
    chosen: Sequence[Coordinate] = [c for c in compared.coordinates if c.exact is not None]
    if verdict in ("wrong", "kink", "outside"):
        chosen = doubtful
    chosen = chosen or compared.coordinates
    return _numbers(compared, max(chosen, key=_apart), verdict, node, reason)


def _apart(c: Coordinate) -> float:
    difference = c.difference
    return difference if difference == difference else float("inf")


def _explained(
    compared: _Compared, doubtful: Sequence[Coordinate], search: Search
) -> tuple[str, Node | None, str]:
    """What is behind a difference or a kink: verdict, node, reason."""
    suspect = [c for c in doubtful if c.is_suspect]
    findings = search.find([compared.node])
    stray = None
    if suspect and "wrong" not in findings:
        stray = search.stray(compared.node)
    finding = findings.get("wrong") or stray or findings.get("kink")
    if finding is None:
        # No op has a kink of its own: a comparison flips, or one is at the edge of its domain.
        edges = (search.edge(compared.node, c.place) for c in doubtful[:_EDGES])
        edge = next((e for e in edges if e is not None and e.kind == "kink"), None)
        if edge is None and any(c.kink is not None for c in doubtful):
            edge = findings.get("outside")
        if edge is not None:
            return "kink", edge.node, edge.reason
    if finding is None and not all(np.isfinite(c.reverse) for c in suspect):
        finding = findings.get("outside")
    unknown = next((c for c in doubtful if c.is_unknown), None)
    if finding is None and unknown is not None:
        finding = search.edge(compared.node, unknown.place) or findings.get("outside")
        if finding is None:
            return "outside", None, "no differences stay inside the domain"
    if finding is not None:
        return finding.kind, finding.node, finding.reason
    if any(c.is_refuted for c in suspect):
        reason = "the ways differ, though the rule of each node agrees with its differences"
        return "wrong", None, reason
    if all(c.is_exact for c in suspect):
        return "right", None, ""  # it is the differences that rounding spoils
    if suspect:
        return "noisy", None, "the ways differ, by no more than rounding may explain"
    return "right", None, ""


def _broken(x: Node, name: str, finding: Finding) -> Row:
    nothing = _Compared(x, name, 0, [], False, (), None)
    return _numbers(nothing, None, "wrong", finding.node, finding.reason)


def _numbers(
    compared: _Compared, c: Coordinate | None, verdict: str, node: Node | None, reason: str
) -> Row:
    x = compared.node
    told = Row(compared.name, repr(x.type), verdict, 0, compared.size, node, reason)
    if c is None:
        return told
    best = c.best[0]
    return told._replace(
        checked=compared.checked, at=c.place, order=compared.order,
        reverse=c.reverse, forward=c.forward, exact=c.exact, numeric=c.numeric,
        method=c.method, uncertainty=c.uncertainty, absolute=c.difference,
        relative=c.difference / abs(best) if best else (0.0 if not c.difference else np.inf),
        ulps=_ulps(c.difference, best, x),
    )  # fmt: skip


def _ulps(difference: float, best: float, x: Node) -> float:
    """A difference in units of the last place of the derivative, in the parameter's dtype."""
    with np.errstate(all="ignore"):
        unit: Array = np.spacing(np.abs(x.dtype.type(best)))
    return float(difference / float(unit))
