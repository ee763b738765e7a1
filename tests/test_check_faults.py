"""Planted faults: gc.check finds each, calls it wrong, and names the node and the user's line."""

from __future__ import annotations

import pytest
from planted_faults import FAULTS

import graphc as gc


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
