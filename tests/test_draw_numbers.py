"""Numbers in pictures: heat by whatever is measured, values on edges, NaN in red."""

import math

import numpy as np
import pytest

import graphc as gc
from graphc.draw.heat import Heat
from graphc.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("bundled")


def chain():
    x = gc.input("x", ("n",))
    a = gc.exp(x)
    b = gc.sin(a)
    c = gc.sum(b)
    return x, a, b, c


def boxes(drawing):
    return {box.lines[0].split(" =")[0]: box for box in drawing.picture.boxes}


# Numbers for a, b and c -> their heat.
SCALES = {
    "of one magnitude, from zero": ((1.0, 2.0, 4.0), (0.25, 0.5, 1.0)),
    "of many magnitudes, by magnitude": ((1e-9, 1e-6, 1e-3), (0.0, 0.5, 1.0)),
    "none is no heat": ((0.0, 1.0, 2.0), (None, 0.5, 1.0)),
    "what is no number is hottest": ((1.0, math.nan, math.inf), (1.0, 1.0, 1.0)),
    "all zero": ((0.0, 0.0, 0.0), (None, None, None)),
    "signed": ((-2.0, 2.0, 0.0), (0.0, 1.0, None)),
}  # fmt: skip


@pytest.mark.parametrize("case", SCALES)
def test_heat_is_a_mapping_from_nodes_to_numbers(case):
    """Whoever measures hands it over: seconds, errors, bytes."""
    numbers, expected = SCALES[case]
    x, a, b, c = chain()
    found = boxes(gc.draw(c, heat=dict(zip((a, b, c), numbers, strict=True))))
    assert found["x"].heat is None
    heats = tuple(found[name].heat for name in "abc")
    assert all(
        one == two or (one is not None and one == pytest.approx(two))
        for one, two in zip(heats, expected, strict=True)
    )


def test_heat_has_a_title_and_its_numbers_are_told():
    """In the legend from where to where, on hover each."""
    x, a, b, c = chain()
    drawing = gc.draw(c, heat=("seconds", {a: 0.25, b: 0.5}))
    assert "seconds, 0.25 to 0.5" in drawing.svg
    assert "seconds: 0.25" in boxes(drawing)["a"].facts
    assert "#a83a15" in drawing.dot


def test_heat_of_a_folded_box_joins_those_within():
    """Costs add up; of errors the largest counts."""
    x, a, b, c = chain()
    for join, expected in ((sum, [3.0, 8.0]), (max, [2.0, 8.0])):
        heats, _ = Heat("", {a: 1.0, b: 2.0, c: 8.0}, join).of([[a, b], [c]])
        assert [e / 8.0 for e in expected] == heats


def test_values_stand_on_edges_and_nan_is_red_from_where_it_arises():
    """The first box with NaN is filled; what it reaches is outlined; other edges stay."""
    x = gc.input("x", (2,))
    u = gc.log(x)
    v = u * 2.0
    s = gc.sum(x) + gc.sum(v)
    drawing = gc.draw(s, at={"x": [1.0, -3.0]})
    found = boxes(drawing)
    assert "first_nan" == found["u"].state and "" == found["x"].state == found["sum(x)"].state
    assert {"nan"} == {found[name].state for name in ("v", "s")}
    ids = {box.id: name for name, box in found.items()}
    edges = {(ids[e.tail], ids[e.head]): e for e in drawing.picture.edges}
    assert "[0, NaN]" == edges["u", "v"].label and "nan" == edges["u", "v"].state
    assert "−2" == edges["sum(x)", "s"].label and "" == edges["sum(x)", "s"].state
    assert "from 0 to 0, 1 of 2 NaN" in found["u"].facts
    assert "NaN or inf arises here" in drawing.svg


def test_recorded_values_are_taken_as_they_are():
    """A debugger hands over what it saw; large arrays are told in a sentence, on hover."""
    x, a, b, c = chain()
    seen = {a: np.arange(10.0), b: np.full(10, np.nan), c: np.float64(np.nan)}
    found = boxes(gc.draw(c, values=seen))
    assert ["", "", "first_nan", "nan"] == [found[k].state for k in ("x", "a", "b", "c")]
    assert "from 0 to 9" in found["a"].facts
    folded = gc.draw(c, values=seen, fold=2).picture.boxes
    assert "first_nan" in {box.state for box in folded}


def test_what_is_no_mapping_of_nodes_is_refused():
    """With what is wanted instead."""
    x, a, b, c = chain()
    other = gc.input("other", ())
    for wrong in (
        {"heat": "time"}, {"heat": {"a": 1.0}}, {"heat": {other: 1.0}}, {"values": [1.0]},
        {"values": {"a": 1.0}}, {"values": {other: 1.0}},
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match="heat=|values="):
            gc.draw(c, **wrong)
