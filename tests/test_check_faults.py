"""Planted faults: gc.check finds each, calls it wrong, and names the node and the user's line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from planted_faults import FAULTS

import graphc as gc
from graphc.ir import FUNCTIONS, OPS


@pytest.fixture(autouse=True)
def own_ops() -> Iterator[None]:
    """Ops made in a test are gone after it: the laws are for those of graphc."""
    known = dict(OPS), dict(FUNCTIONS)
    yield
    for table, before in zip((OPS, FUNCTIONS), known, strict=True):
        for name in set(table) - set(before):
            del table[name]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_found_and_located(fault) -> None:
    """Called wrong, at the right node, with the line that made it; raise_if_wrong says so."""
    planted = fault()
    report = gc.check(planted.z, planted.wrt, planted.at)
    wrong = [row for row in report.rows if row.verdict == "wrong"]
    assert wrong and not report.ok, f"\n{report}"
    assert {planted.culprit} == {row.node for row in wrong}, f"\n{report}"
    assert planted.culprit.where.text in str(report)
    with pytest.raises(gc.WrongGradient, match=planted.culprit.label):
        report.raise_if_wrong()
