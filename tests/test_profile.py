"""Where a program's memory and time go: the plan as a table and as lanes, and the profile."""

import re
import sys

import numpy as np
import pytest

import graphc as gc
from graphc.errors import BindError
from graphc.plan.arranged.together import together
from graphc.plan.program import small_sizes
from graphc.profile import _cost_of_a_mark

n, d, k = gc.dims("n d k")
X = gc.input("X", (n, d))
W = gc.input("W", (d, k))
V = gc.input("V", (d, d))
y = gc.input("y", (n, k))
a, b = gc.input("a", ()), gc.input("b", ())


def classifier():
    p = gc.softmax(X @ W, axis=1)
    loss = -gc.mean(y * gc.log(p))
    return {"loss": loss, "slope": gc.grad(loss, W)}


def layer_norm():
    centred = X - gc.mean(X, axis=1, keepdims=True)
    out = centred / gc.sqrt(gc.mean(centred**2, axis=1, keepdims=True) + 1e-5)
    return [out, gc.grad(gc.sum(gc.sin(out)), X)]


def chain():
    h = X
    for _ in range(30):
        h = gc.tanh(h @ V)
    return [h, gc.grad(gc.sum(h), V)]


GRAPHS = {"classifier": classifier, "layer_norm": layer_norm, "chain": chain}


def compiled(name):
    return gc.compile(GRAPHS[name](), name=name, simplify=False)


def arrays(rows, width=6):
    rng = np.random.default_rng(0)
    of = {"X": (rows, width), "W": (width, width), "V": (width, width), "y": (rows, width)}
    return {name: rng.uniform(0.1, 1.0, shape) for name, shape in of.items()}


def given(f, rows):
    names = [v.name for v in f.graph.parameters]
    return {name: x for name, x in arrays(rows).items() if name in names}


# -- the plan ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
def test_no_slot_holds_two_values_at_once(name):
    """A value begins in a slot when the one before it is read last: it may be written over."""
    lanes = compiled(name).plan.lanes()
    for slot in {lane.lane for lane in lanes if isinstance(lane.lane, int)}:
        lives = sorted((lane.first, lane.last) for lane in lanes if lane.lane == slot)
        assert all(end <= start for (_, end), (start, _) in zip(lives, lives[1:], strict=False))


@pytest.mark.parametrize("name", GRAPHS)
def test_the_largest_number_of_bytes_is_that_of_the_lanes_at_some_step(name):
    """The table adds formulas up step by step; here numbers are added for each step anew."""
    plan = compiled(name).plan
    sizes = {"n": 100, "d": 7, "k": 7}
    lanes = [(lane.first, lane.last, eval(lane.bytes, sizes)) for lane in plan.lanes()]
    live = [sum(size for first, last, size in lanes if first <= step <= last)
            for step in range(len(plan.steps))]  # fmt: skip
    told = re.findall(r"([^ ].*?) at step (\d+)", str(plan).splitlines()[-1][len("peak: ") :])
    told = [(formula.rpartition("or ")[2], int(step)) for formula, step in told]
    peaks = {step: eval(formula, sizes) for formula, step in told}
    assert max(live) == max(peaks.values())
    assert all(live[step] == size for step, size in peaks.items())


def test_of_many_peaks_those_are_told_that_are_mostly_the_largest():
    """The points of a mixture lie beside all centres at once: that is what its memory goes to."""
    centres = gc.input("centres", ("k", d))
    widths, weights = gc.input("widths", ("k", d)), gc.input("weights", ("k",))
    scaled = (X[:, None, :] - centres[None, :, :]) / gc.exp(widths)
    logs = gc.log_softmax(weights) - gc.sum(widths, axis=1) - 0.5 * gc.sum(scaled**2, axis=2)
    loss = -gc.mean(gc.logsumexp(logs, axis=1))
    f = gc.compile([loss, *gc.grad(loss, [centres, widths, weights])])
    told = str(f.plan).splitlines()[-1]
    assert "8*d*k*n" in told and re.search(r" or one of \d+ others$", told)


def test_a_plan_tells_each_step_its_place_its_cost_and_the_line():
    """Formulas in the sizes; a region says how much it holds and what costs most."""
    A = gc.input("A", (n, n))
    f = gc.compile(gc.sum(gc.exp(X) * gc.tanh(X), axis=1) @ A, simplify=False)
    rows = [re.split(r"  +", line) for line in str(f.plan).splitlines()]
    assert ["step", "operation", "result", "place", "bytes live", "flops", "line"] == rows[0]
    region = next(row for row in rows if "operations" in row[1])
    assert "4 operations: tanh, exp, multiply ..." == region[1]
    assert ["f64[n]", "slot 0", "8*n", "4*d*n"] == region[2:6]
    assert "test_profile.py:" in region[6]
    assert "workspace: 8*n in 1 slots, kept between calls" in str(f.plan)


def test_what_the_caller_gets_and_what_numpy_makes_lies_in_no_slot():
    """Only the workspace is kept from call to call."""
    f = gc.compile([X @ W, gc.flip(X @ W, axis=0)])
    assert {"new array"} <= {lane.lane for lane in f.plan.lanes()} <= {"new array", "NumPy's array"}
    f = gc.compile(gc.take(X, [0], axis=0) @ W)
    assert ["NumPy's array", "new array"] == [lane.lane for lane in f.plan.lanes()]


def test_a_plan_is_drawn_with_a_bar_for_each_value():
    """Pictures take the lanes as they are."""
    f = compiled("classifier")
    lanes = f.plan.lanes()
    assert {"operation", "gradient"} == {lane.kind for lane in lanes}
    svg = gc.draw(f, view="plan").svg
    assert "The plan of classifier" in svg and len(lanes) == svg.count('<g class="bar ')


def test_a_long_plan_shows_its_ends_and_counts_what_lies_between():
    """Nobody reads a thousand rows."""
    h = X
    for _ in range(300):
        h = gc.tanh(h @ V)
    lines = str(gc.compile(h, simplify=False).plan).splitlines()
    assert 44 == len(lines)
    remark = next(line for line in lines if "more steps" in line)
    assert "560 more steps" in remark and "280 times tanh" in remark


def test_a_graph_that_is_written_line_by_line_has_a_plan_when_it_is_asked_for(monkeypatch):
    """Beyond some size no plan is made while compiling."""
    monkeypatch.setattr(sys.modules["graphc.compile"], "_MOST_PLANNED", 1)
    f = compiled("classifier")
    assert "in_tiles" not in f.source
    assert str(f.plan) == str(f.plan) and len(f.plan.steps) > 2


# -- the profile ------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """A few runs are enough to see what is told."""
    monkeypatch.setattr("graphc.profile._LONGEST", 5_000_000)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("rows", (3, 5_000))
def test_every_step_of_the_face_that_runs_is_timed_once(name, rows, monkeypatch):
    """Line by line for small arrays, by the plan for large ones."""
    monkeypatch.setattr(small_sizes, "SMALL", 1_000)
    f = compiled(name)
    profile = f.profile(**given(f, rows))
    nodes = [timing.step.nodes for timing in profile.steps]
    small = together(f.graph, lambda v: True)
    computed = [(v,) for v in small.nodes if v.op.name not in ("input", "constant")]
    planned = [step.nodes for step in f.plan.steps]
    assert nodes == (planned if rows > 3 else computed)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("rows", (3, 5_000))
def test_the_steps_together_take_no_longer_than_a_call(name, rows):
    """Marks are taken off; the machine has other things to do as well, hence the slack."""
    f = compiled(name)
    for _ in range(5):
        profile = f.profile(**given(f, rows))
        inside = sum(timing.seconds for timing in profile.steps)
        if 0 < inside <= 1.5 * profile.seconds:
            break
    assert 0 < inside <= 1.5 * profile.seconds


@pytest.mark.parametrize("rows", (3, 5_000))
def test_heat_shares_all_the_seconds_among_the_nodes(rows):
    """What a region takes is spread over its operations: the dear ones get most."""
    f = compiled("classifier")
    profile = f.profile(**given(f, rows))
    computed = {v for v in f.graph.nodes if v.op.name not in ("input", "constant")}
    assert set(profile.heat) <= computed
    assert np.isclose(sum(profile.heat.values()), sum(t.seconds for t in profile.steps))
    region = next((t.step for t in profile.steps if t.step.region), None)
    if region is not None:
        dearest = max(region.computed, key=profile.heat.__getitem__)
        assert dearest.op.name in ("exp", "log")
    assert "seconds, " in profile.draw().svg and profile.draw(title="T").picture.title == "T"


def test_a_profile_counts_work_and_bytes_at_the_actual_sizes():
    """2 d k n operations for a product; what is read and written in bytes."""
    f = gc.compile(X @ W)
    (timing,) = f.profile(X=np.ones((100, 30)), W=np.ones((30, 20))).steps
    assert 2 * 100 * 30 * 20 == timing.flops
    assert 8 * (100 * 30 + 30 * 20 + 100 * 20) == timing.bytes


def test_a_profile_prints_as_a_table_in_the_order_of_the_program():
    """With times, shares, speeds where arrays are not tiny, and the user's lines."""
    f = compiled("classifier")
    text = str(f.profile(**given(f, 5_000)))
    title, head, first, *rows = text.splitlines()
    assert re.match(r"classifier\(.*X: f64\[5000, 6\].*\): ", title)
    assert head.split()[:5] == ["step", "operation", "result", "seconds", "share"]
    assert "arguments, sizes, memory" in first and "results" in rows[-2]
    numbers = [int(row.split()[0]) for row in rows[:-2]]
    assert numbers == list(range(len(f.plan.steps)))
    product = next(row for row in rows if "einsum" in row)
    assert re.search(r"\d+(\.\d+)? (ms|us) +\d+\.\d%", product) and "test_profile.py:" in product
    assert re.fullmatch(r"steps .+, a whole call .+", rows[-1])


def test_alike_steps_of_a_long_program_share_a_row():
    """A program of a thousand steps has a table that one can read."""
    f = compiled("chain")
    lines = str(f.profile(**given(f, 5))).splitlines()
    assert len(lines) < 30
    tanh = next(line for line in lines if "tanh" in line and "gradient of" not in line)
    assert " and 29 more" in tanh


def test_single_floats_are_profiled_as_numpy_computes_them():
    """Python's own steps are shorter than a mark: the table says what it shows."""
    f = gc.compile([gc.exp(a) * b, gc.sin(a * b)])
    profile = f.profile(1.0, 2.0)
    assert 4 == len(profile.steps) and "Python's floats" in str(profile)
    assert "Python's floats" not in str(f.profile(np.float64(1.0), 2.0))


def test_profiling_changes_neither_the_program_nor_what_it_refuses():
    """The marked program is another one; arguments are checked as in a call."""
    f = compiled("classifier")
    source = f.source
    f.profile(**given(f, 10))
    assert "mark(" not in source and source == f.source
    with pytest.raises(BindError, match="has size [56]"):
        f.profile(X=np.ones((3, 6)), W=np.ones((5, 6)), y=np.ones((3, 6)))
    with pytest.raises(BindError, match="no input x"):
        f.profile(x=1.0)


def test_an_input_may_have_the_name_of_the_recorder():
    """Names of inputs are the user's; a program gives way."""
    mark = gc.input("mark", (n,))
    assert 1 == len(gc.compile(gc.exp(mark)).profile(mark=np.ones(3)).steps)


def test_a_mark_costs_little():
    """What is taken off each step is less than a microsecond or so."""
    assert 0 < _cost_of_a_mark() < 5_000
