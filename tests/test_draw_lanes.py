"""The plan as a picture: a lane for each buffer, a bar for each value, time runs down."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

import graphc as gc
from graphc.draw.lanes import lanes_svg
from graphc.errors import ArgumentError
from graphc.plan.table import Bar

SVG = "{http://www.w3.org/2000/svg}"
BARS = [
    Bar(0, "h", 0, 0, 3, "8*n", "operation", "train.py:3"),
    Bar(1, "t1", 1, 1, 2, "8*d", "operation", "train.py:4"),
    Bar(3, "∇h", 0, 3, 4, "8*n", "gradient", "train.py:3"),
    Bar(2, "a", "new arrays", 2, 5, "8", "constant"),
    Bar(3, "b", "new arrays", 3, 5, "8", "loss"),
]


class Planned:
    """Anything with a plan that tells its lanes, as plain rows."""

    name = "step"

    class plan:
        lanes = staticmethod(lambda: [tuple(bar) for bar in BARS])


def bars(svg):
    """For each bar: its name, its class, its rectangle (x, y, width, height), what it tells."""
    found = {}
    for g in ElementTree.fromstring(svg).iter(SVG + "g"):
        if g.get("class", "").startswith("bar "):
            title, rect, *_ = g
            place = tuple(float(rect.get(k)) for k in ("x", "y", "width", "height"))
            found[title.text.partition("\n")[0]] = g.get("class"), place, title.text
    return found


def test_values_of_one_buffer_stand_in_one_lane_from_definition_to_last_use():
    """One may begin where the other is read last, and never before."""
    found = bars(gc.draw(Planned(), view="plan").svg)
    (_, h, _), (_, t1, _), (_, grad, _) = found["h"], found["t1"], found["∇h"]
    assert h[0] == grad[0] != t1[0]
    assert h[1] < t1[1] and t1[1] + t1[3] < h[1] + h[3]
    assert 0 < grad[1] - (h[1] + h[3]) < 3


def test_what_is_no_slot_may_hold_several_values_side_by_side():
    """Arrays that NumPy makes are not one buffer, though they have one heading."""
    svg = gc.draw(Planned(), view="plan").svg
    found = bars(svg)
    assert found["a"][1][0] + found["a"][1][2] <= found["b"][1][0]
    assert 1 == svg.count(">new arrays</text>")
    assert ["slot 0", "slot 1"] == re.findall(r">(slot \d)</text>", svg)


def test_a_bar_has_the_colour_of_its_kind_and_tells_the_rest():
    """Bytes, steps and the user's line."""
    drawing = gc.draw(Planned(), view="plan")
    kind, _, told = bars(drawing.svg)["∇h"]
    assert "bar gradient" == kind
    assert "∇h\ncomputed by step 3, read last by step 4\n8*n bytes in slot 0\ntrain.py:3" == told
    assert "A plan of 6 steps: 5 values in 3 buffers." in drawing.svg
    assert "The plan of step" in drawing.svg and "prefers-color-scheme: dark" in drawing.svg


def test_a_plan_is_saved_and_shown_as_svg_and_in_no_other_format(tmp_path):
    """There are no boxes and edges for Graphviz to lay out."""
    drawing = gc.draw(Planned(), view="plan")
    drawing.save(tmp_path / "plan.svg")
    assert drawing.svg == (tmp_path / "plan.svg").read_text(encoding="utf-8")
    assert drawing.svg == drawing._repr_mimebundle_()["image/svg+xml"]
    for format in ("dot", "html", "png", "pdf"):
        with pytest.raises(ArgumentError, match="as SVG"):
            getattr(drawing, format)
    with pytest.raises(ArgumentError, match="one compiled function"):
        gc.draw(gc.input("x", ()), view="plan")


@pytest.mark.parametrize("count", [0, 1, 3000])
def test_any_number_of_steps_fits_on_a_page_that_one_scrolls(count):
    """Rows grow thin; only bars with room for it bear text."""
    many = [Bar(k, f"t{k}", k % 7, k, k + 7, "8*n", "operation", "t.py:1") for k in range(count)]
    svg = lanes_svg(many, "many")
    root = ElementTree.fromstring(svg)
    assert float(root.get("height")) < 10_000
    assert count == len(bars(svg))
    assert len(re.findall("<text class=.step", svg)) < 2000


def test_hostile_names_are_shown_and_do_nothing():
    """As in every picture."""
    bar = Bar(0, "<script>alert(1)</script>\n", "]]>", 0, 9, "&amp;", "nothing known", "\0")
    svg = lanes_svg([bar], "<b>")
    ElementTree.fromstring(svg)
    assert "<script" not in svg and "&lt;script&gt;" in svg


def test_a_value_is_called_by_its_formula_and_what_is_returned_can_be_read():
    """Products were called einsum, two values h; the last result had no room for its name."""
    X, W = gc.input("X", ("n", "d")), [gc.input(f"W{k}", ("d", "d")) for k in range(2)]
    h = X
    for k in range(2):
        h = gc.tanh(h @ W[k])
    f = gc.compile(gc.grad(gc.sum(h**2), W))
    svg = gc.draw(f, view="plan").svg
    names = list(bars(svg))
    assert {"X @ W0", "h", "∇W0", "∇W1"} <= set(names)
    assert "einsum" not in svg
    assert {"∇W0", "∇W1"} <= set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
