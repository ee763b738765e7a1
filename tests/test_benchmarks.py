"""The benchmarks measure right answers, and say so where there is none."""

import json
import math
import re

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.measure import TOLERANCE, Cell, Measured, difference, measure
from benchmarks.peers import BY_HAND, LIMIT, OURS, PEERS
from benchmarks.peers.numpy import build, with_compositions
from benchmarks.table import behind, best, document
from benchmarks.worker import Bench, Failed
from benchmarks.workload import Case, Row
from benchmarks.workloads import FIRST, ROWS, WORKLOADS

each = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
tiny = FIRST.smallest


def slope(workload, arguments, name, direction, step=1e-6):
    """The derivative of the objective, in NumPy, along a direction of one argument."""
    xp, ends = with_compositions(np), []
    for move in (step, -step):
        moved = arguments | {name: arguments[name] + move * direction}
        ends.append(workload.objective(xp, *moved.values(), **workload.smallest.static))
    return (ends[0] - ends[1]) / (2 * step)


@each
def test_by_hand_is_the_derivative_of_the_mathematics(workload):
    """The two texts of a workload, the formula and what a person made of it, say the same."""
    row = Row(workload, Case(workload.smallest.case.sizes, "float64"))
    arguments = row.arguments
    if workload.along is not None:  # H v is the derivative along v of the slope along anything
        (name,), v, step = workload.wrt, arguments[workload.along], 1e-4
        u = np.ones_like(v)
        ends = [
            slope(workload, arguments | {name: arguments[name] + move * v}, name, u, step)
            for move in (step, -step)
        ]
        assert np.vdot(*row.reference, u) == pytest.approx((ends[0] - ends[1]) / (2 * step))
        return
    value, *gradients = row.reference
    assert value == pytest.approx(float(build(row.job(only_value=True))()[0]), rel=1e-12)
    rng = np.random.default_rng(0)
    for name, gradient in zip(workload.wrt, gradients, strict=True):
        direction = rng.standard_normal(np.shape(gradient))
        expected = slope(workload, arguments, name, direction)
        assert np.vdot(gradient, direction) == pytest.approx(expected, rel=1e-6), name


@each
@pytest.mark.parametrize("peer", [OURS, BY_HAND])
def test_results_are_those_by_hand_in_float64(workload, peer):
    """In the dtype of the row, as they are compared before anything is timed."""
    row = workload.smallest
    results = [np.asarray(v) for v in PEERS[peer].build(row.job())()]
    assert difference(results, row.reference) < TOLERANCE[row.case.dtype]
    assert {np.dtype(row.case.dtype)} == {v.dtype for v in results}


class Here:
    """A worker without a process of its own."""

    def __init__(self, peer):
        self.bench = Bench(peer)

    def ask(self, name, *details, limit):
        return getattr(self.bench, name)(*details)


class Broken:
    def ask(self, *order, limit):
        raise Failed("is not well")


class Wrong(Here):
    def ask(self, name, *details, limit):
        answer = super().ask(name, *details, limit=limit)
        answer.results[1] *= 1.001
        return answer


def test_wrong_and_broken_peers_are_shown_without_a_time(monkeypatch):
    """A fast wrong answer is no answer; and nothing of it stops the others."""
    monkeypatch.setitem(ROWS, tiny.name, tiny)
    peers = [OURS, BY_HAND, "torch", LIMIT]
    workers = dict(zip(peers, [Here(OURS), Here(BY_HAND), Wrong(BY_HAND), Broken()], strict=True))
    m = measure(tiny, workers, limit=1, seconds=0)
    assert m.cells["torch"].is_wrong and not m.cells[LIMIT].is_wrong
    assert {OURS: 3, BY_HAND: 3, "torch": 0, LIMIT: 0} == {n: len(m.cells[n].times) for n in peers}
    assert m.ratio(OURS) == 1 and m.slowdown(OURS) > 0 and m.cells[OURS].peak_bytes > 0
    text = document([m], peers, threads=1)
    (line,) = re.findall(rf"^\| {re.escape(tiny.name)} \| \S+ \| \*\*\S+\*\* .*", text, re.M)
    assert line.endswith("| - | - |")
    assert "- torch: WRONG: results differ by 1.0e-03 (tanh-exp-log1p)" in text
    assert "- C: is not well (tanh-exp-log1p)" in text


def test_ratios_are_taken_round_by_round():
    """Where a machine slows down for some rounds, both slow down: the ratio stays."""
    cells = {OURS: Cell(times=[1.0, 9.0, 2.0]), BY_HAND: Cell(times=[2.0, 18.0, 4.0])}
    m = Measured(tiny, cells | {"jax": Cell(times=[1.0, 1.0, 9.0]), LIMIT: Cell(times=[0.1] * 3)})
    assert (2.0, 1.0, 0.05) == (m.ratio(BY_HAND), m.ratio("jax"), m.ratio(LIMIT))
    assert 1.0 == best(m) and [] == behind(m)


def test_the_page_tells_where_others_do_better():
    """In time, memory, compiling and the gradient's price: whoever reads it need not search."""
    ours = Cell(2.0, [2.0] * 3, [0.1] * 3, peak_bytes=3000)
    by_hand = Cell(None, [1.0] * 3, [0.5] * 3, peak_bytes=1000)
    m = Measured(tiny, {OURS: ours, BY_HAND: by_hand, "jax": Cell(1.0, [3.0] * 3)})
    assert [
        "NumPy takes 0.5 of our time",
        "3.0 times the memory of NumPy",
        "jax compiles in 0.5 of our time",
        "the gradient takes 20.0 times the value's time, by hand 2.0",
    ] == behind(m)
    assert [] == behind(Measured(tiny, {OURS: by_hand, BY_HAND: ours}))


def test_results_are_compared_to_their_largest_element():
    """Missing, reshaped and undefined results differ; a scalar of another form does not."""
    ones = np.ones((2, 3))
    assert 0 == difference([1.0, ones.ravel()], (np.array([1.0]), ones))
    assert 0.5 == difference([0.5 * ones], (ones,))
    assert math.isinf(difference([ones], (ones, ones))) and math.isinf(difference([1.0], (ones,)))
    assert not difference([math.nan, 1.0], (1.0, 1.0)) < 1


def test_rows_have_names_of_their_own():
    """`--only` and the workers find a row by its name."""
    assert len(ROWS) == sum(len(workload.cases) for workload in WORKLOADS)


def test_the_command_measures_in_processes_and_prints_a_table(capsys, tmp_path):
    """From the command line to Markdown and JSON."""
    file = tmp_path / "found.json"
    options = ["--only", "scalar", "--peers", BY_HAND, "--seconds", "0", "--json", str(file)]
    assert 0 == main(options)
    printed = capsys.readouterr().out
    assert re.search(r"^\| scalar formula, float64 \| [\d.]+ \| [*\d.]+ \|$", printed, re.M)
    cells = json.loads(file.read_text())["rows"]["scalar formula, float64"]
    assert {OURS, BY_HAND} == set(cells) and cells[BY_HAND]["ratio"] > 0


WRONG = {
    "no row holds nosuch; --list": ["--only", "nosuch"],
    "argument --threads: 0 is not at least 1": ["--threads", "0"],
    "argument --threads: invalid threads value: 'inf'": ["--threads", "inf"],
    "argument --limit: 0 is not above 0": ["--limit", "0"],
    "argument --limit: -3 is no number from 0 on": ["--limit", "-3"],
    "argument --limit: inf is no number from 0 on": ["--limit", "inf"],
    "argument --seconds: nan is no number from 0 on": ["--seconds", "nan"],
    "argument --json: .* No such file": ["--json", "no/such/folder.json"],
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_options_are_refused_before_anything_is_measured(message, capsys):
    """With a sentence, and the status of argparse."""
    with pytest.raises(SystemExit) as refused:
        main(WRONG[message])
    assert 2 == refused.value.code and re.search(message, capsys.readouterr().err)


def test_an_unknown_peer_is_refused():
    """With the names that there are."""
    with pytest.raises(SystemExit, match="no peer numpi: there are graphc, NumPy"):
        main(["--peers", "numpi"])
