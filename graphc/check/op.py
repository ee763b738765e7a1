"""gc.check_op: all laws, tried on one record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError, GraphcError, LawBroken
from ..ir import Op
from ..printed import Printed
from ..wording import a_kind
from . import specification as specification  # its laws enter the list
from .laws import LAWS, Law
from .progress import watched

# A text need not go on into the complex plane: differences tell as well.
_OF_GRAPHCS_OWN = ("gradient_by_complex_step",)


class Trial(NamedTuple):
    """One law tried on one example, or once (example None)."""

    law: str
    example: int | None
    reason: str  # empty where the law holds

    @property
    def holds(self) -> bool:
        return not self.reason


@dataclass(frozen=True, repr=False)
class OpReport(Printed):
    """What `gc.check_op` found: `ok`, `rows`, and a table that tells which law is broken where.

    >>> import graphc as gc
    >>> report = gc.check_op(gc.relu)
    >>> report.ok, report.rows[0].holds, report.table.splitlines()[0]
    (True, True, 'holds   a record with a gradient has examples')
    """

    op: Op
    rows: tuple[Trial, ...]

    @property
    def ok(self) -> bool:
        """Whether every law holds."""
        return all(row.holds for row in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def table(self) -> str:
        """A line for each law, and for each example that breaks it."""
        lines = []
        for law in dict.fromkeys(row.law for row in self.rows):
            tried = [row for row in self.rows if row.law == law]
            broken = [row for row in tried if not row.holds]
            lines.append(f"{'broken' if broken else 'holds':6}  {law}")
            for row in broken:
                where = "" if row.example is None else f"example {row.example}: "
                lines.append(f"{'':8}{where}{row.reason}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return f"laws of {self.op.name}\n{self.table}"

    def raise_if_wrong(self) -> None:
        """Raise `LawBroken` with the table if some law is broken: for tests.

        >>> import graphc as gc
        >>> gc.check_op(gc.tanh).raise_if_wrong()
        """
        if not self.ok:
            raise LawBroken(f"{self.op.name} breaks a law\n{self.table}")


@np.errstate(all="ignore")
def check_op(op: Op) -> OpReport:
    """Whether an op keeps the laws that graphc's own are held to: tried on the op's examples.

    >>> import graphc as gc
    >>> print(gc.check_op(gc.relu))
    laws of relu
    holds   a record with a gradient has examples
    holds   its flops are a formula in the sizes that is not negative
    holds   it computes the same every time, and writes into no operand
    holds   only a view shares memory with its operands
    holds   its shape and its dtype are what NumPy returns
    holds   every dtype is NumPy's, or refused
    holds   its text parses, and uses operands, sizes, NumPy and what programs carry
    holds   its gradient, of orders 1 and 2, is that of differences
    holds   forward and reverse mode are one Jacobian from two sides
    holds   its NumPy text is its expression to 4 ulp, extremes included
    holds   NaN in gives NaN out
    holds   its gradient is finite where the truth is
    holds   its gradient is that of its expression at 50 digits
    """
    if not isinstance(op, Op):
        raise ArgumentError(f"check_op takes an op, as gc.Op makes it, not {a_kind(op)}")
    laws = [law for name, law in LAWS.items() if name not in _OF_GRAPHCS_OWN and law.applies(op)]
    return OpReport(op, tuple(t for law in watched(laws, op.name) for t in _trials(op, law)))


def _trials(op: Op, law: Law) -> Iterator[Trial]:
    for k in range(len(op.examples)) if law.is_by_example else (None,):
        yield Trial(law.says, k, _broken(op, law, k))


def _broken(op: Op, law: Law, k: int | None) -> str:
    """Why a law does not hold; an op that raises breaks it too."""
    try:
        law(op, *(() if k is None else (k,)))
    except GraphcError as error:
        return error.sentence
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
