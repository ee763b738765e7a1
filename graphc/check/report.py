"""The report of a comparison: a row for each parameter, the reasons, a picture of the errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import ArgumentError, WrongGradient
from ..ir import Node, operands
from ..printed import Printed
from ..wording import columns, in_words
from .plot import Curve, plotted

# From the best to the worst: what a parameter is called is the worst that was found of it.
VERDICTS = ("right", "noisy", "kink", "outside", "wrong")
_WORDS = {"outside": "outside the domain"}
_NAN = float("nan")


class Row(NamedTuple):
    """What was found of one parameter; the numbers are those where the difference is largest."""

    parameter: str
    type: str
    verdict: str  # right, noisy, kink, outside, wrong
    checked: int  # elements that were compared one by one
    of: int
    node: Node | None  # what is to blame
    reason: str
    at: tuple[int, ...] | None = None  # where; None: along a random direction
    reverse: float = _NAN
    forward: float | None = None
    exact: float | None = None  # in arithmetic with more than 50 digits, rounded
    numeric: float | None = None
    method: str = "-"  # complex step, or central differences
    uncertainty: float = _NAN  # of the numeric derivative, as it estimates itself
    absolute: float = _NAN
    relative: float = _NAN
    ulps: float = _NAN
    order: float | None = None  # of the Taylor remainder: 2 where the gradient is right


@dataclass(frozen=True, repr=False)
class Report(Printed):
    """What `gc.check` found: it shows itself as a table, and `ok` tells whether all is well.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> report = gc.check(gc.sin(x), x, at={x: 1.0})
    >>> report.ok, report.rows[0].verdict, report.rows[0].method
    (True, 'right', 'complex step')
    >>> print(report.table)
    parameter  verdict  reverse    forward    exact      numeric    by ...
    x : f64[]  right    0.5403023  0.5403023  0.5403023  0.5403023  complex ...
    """

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    curves: tuple[tuple[Curve, ...], ...]  # for each row, the errors against the step
    measure: Callable[[], dict[Node, float]] = field(default=dict, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, and nothing outside its domain."""
        return all(row.verdict not in ("wrong", "outside") for row in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    @functools.cached_property
    def heat(self) -> dict[Node, float]:
        """For each node by how much its own rule is off, as `gc.draw(..., heat=...)` takes it.

        Measured when it is asked for: the rule against differences of the node alone, beside its
        size. Rounding is 1e-16 or a few times that; where the rule is wrong it is far more.

        >>> import graphc as gc
        >>> x = gc.input("x", (2,))
        >>> z = gc.sum(gc.tanh(x))
        >>> report = gc.check(z, x, at={x: [0.5, 1.0]})
        >>> max(report.heat.values()) < 1e-12, gc.draw(z, wrt=x, heat=report.heat).svg[:4]
        (True, '<svg')
        """
        return self.measure()

    @property
    def table(self) -> str:
        """The rows as text, a line for each parameter."""
        return "\n".join(columns([_HEAD, *map(_cells, self.rows)]))

    def __str__(self) -> str:
        return "\n".join([self.title, self.table, *self._reasons(), *self.notes])

    def _reasons(self) -> list[str]:
        """Each reason once, with the line of the user that it is about."""
        found: dict[tuple[Node | None, str], list[str]] = {}
        for row in self.rows:
            if row.reason:
                found.setdefault((row.node, row.reason), []).append(row.parameter)
        lines = []
        for (node, reason), names in found.items():
            about = "" if node is None or node.label == node.op.name else f"{node.label}: "
            lines.append(f"{', '.join(names)}: {about}{reason}")
            if node is not None and node.where is not None:
                lines += ["    " + line for line in node.where.underlined()]
        return lines

    def raise_if_wrong(self) -> None:
        """Raise `WrongGradient` if some gradient is wrong: for tests.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> gc.check(gc.exp(x), x, at={x: 1.0}).raise_if_wrong()
        """
        wrong = [row for row in self.rows if row.verdict == "wrong"]
        if not wrong:
            return
        names = ", ".join(row.parameter for row in wrong)
        first = wrong[0]
        blamed = "" if first.node is None else f", first at {first.node.label}"
        error = WrongGradient(f"the gradient by {names} is wrong{blamed}: {first.reason}")
        if first.node is not None:
            error.where = first.node.where or error.where
            error.locate(operands([first.node, *first.node.inputs]))
        raise error

    def plot(self, parameter: str | None = None) -> str:
        """An SVG picture: how the error of differences falls with the step, and rises again.

        Of the parameter that looks worst, unless one is named.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> gc.check(gc.exp(x), x, at={x: 1.0}).plot()[:4]
        '<svg'
        """
        names = [row.parameter for row in self.rows]
        if parameter not in (None, *names):
            raise ArgumentError(f"there is no parameter {parameter!r}: there are {in_words(names)}")
        worst = max(range(len(names)), key=lambda k: VERDICTS.index(self.rows[k].verdict))
        k = worst if parameter is None else names.index(parameter)
        row = self.rows[k]
        verdict = _WORDS.get(row.verdict, row.verdict)
        return plotted(self.curves[k], f"derivative by {row.parameter}: {verdict}")

    def __rich__(self) -> Any:
        """The same for rich's console, in colours."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title=self.title, title_justify="left")
        for name in _HEAD:
            table.add_column(name)
        for row in self.rows:
            cells = [Text(cell) for cell in _cells(row)]
            cells[1].stylize(_STYLES[row.verdict])
            table.add_row(*cells)
        return Group(table, *(Text(line) for line in [*self._reasons(), *self.notes]))


_STYLES = {
    "right": "green", "noisy": "yellow", "kink": "yellow", "outside": "red", "wrong": "bold red",
}  # fmt: skip

_HEAD = (
    "parameter", "verdict", "reverse", "forward", "exact", "numeric", "by", "difference",
    "relative", "ulps", "at", "known to", "order", "checked",
)  # fmt: skip


def _cells(row: Row) -> tuple[str, ...]:
    at = str(list(row.at)) if row.at else "a direction" if row.at is None and row.checked else "-"
    by = {"complex step": "complex", "central differences": "central"}.get(row.method, row.method)
    return (
        f"{row.parameter} : {row.type}",
        _WORDS.get(row.verdict, row.verdict),
        *map(_number, (row.reverse if row.checked else None, row.forward, row.exact, row.numeric)),
        by,
        *(f"{v:.1e}" if v == v else "-" for v in (row.absolute, row.relative)),
        _ulps(row.ulps),
        at,
        f"{row.uncertainty:.0e}" if row.uncertainty == row.uncertainty else "-",
        "-" if row.order is None else f"{row.order:.1f}",
        "all" if 0 < row.checked == row.of else f"{row.checked} of {row.of}",
    )


def _ulps(value: float) -> str:
    if value != value:
        return "-"
    return f"{value:.0f}" if value < 1e6 else f"{value:.0e}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value + 0.0:.7g}"
