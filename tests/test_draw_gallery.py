"""The gallery: committed drawings are what the code draws, byte for byte, and no text overlaps."""

import importlib.util
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from graphc.draw import layout
from graphc.draw.picture import SMALL
from graphc.draw.text import width

FOLDER = Path(__file__).parent.parent / "docs" / "gallery"
_spec = importlib.util.spec_from_file_location("drawings", FOLDER / "drawings.py")
drawings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(drawings)
NAMES = list(drawings.DRAWINGS)


pytestmark = pytest.mark.usefixtures("bundled")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The drawings, made in a process of their own, where no other test holds nodes alive."""
    folder = tmp_path_factory.mktemp("gallery")
    root = FOLDER.parent.parent
    subprocess.run(
        [sys.executable, "-m", "docs.gallery", folder], cwd=root, env={"PATH": ""}, check=True
    )
    return {name: (folder / f"{name}.svg").read_text(encoding="utf-8") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_drawing_is_what_the_code_draws(name, drawn):
    """`python -m docs.gallery` writes them anew."""
    committed = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    if committed != drawn[name]:
        # Another build of Graphviz may place boxes elsewhere; what they say must not differ.
        assert structure(committed) == structure(drawn[name])
        assert layout.run("digraph { a -> b }", "plain") != PLAIN, "run python -m docs.gallery"


# What the Graphviz that drew the committed files makes of two boxes.
PLAIN = b"""graph 1 0.75 1.5
node a 0.375 1.25 0.75 0.5 a solid ellipse black lightgrey
node b 0.375 0.25 0.75 0.5 b solid ellipse black lightgrey
edge a b 4 0.375 0.99579 0.375 0.89454 0.375 0.77398 0.375 0.66022 solid black
stop
"""


def structure(svg):
    """The texts and the classes of a drawing, without places."""
    root = ElementTree.fromstring(svg)
    return [(e.tag, e.get("class"), e.get("data-from"), e.get("data-to"), e.text)
            for e in root.iter()]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_text_of_a_drawing_overlaps(name):
    """Boxes and edge labels, by the layout's own rectangles."""
    drawing = drawings.DRAWINGS[name]()
    places, found = drawing.layout.places, []
    for box in drawing.picture.boxes:
        (x, y), (w, h) = places[box.id], box.size
        found.append((box.id, x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    for edge in drawing.picture.edges:
        if edge.label:
            (x, y), w = drawing.layout.lines[edge.id].label, width(edge.label, SMALL)
            found.append((edge.id, x - w / 2, y - 4, x + w / 2, y + 4))
    assert [] == [
        (a[0], b[0])
        for k, a in enumerate(found)
        for b in found[:k]
        if min(a[3], b[3]) > max(a[1], b[1]) + 0.5 and min(a[4], b[4]) > max(a[2], b[2]) + 0.5
    ]


def test_the_gallery_shows_every_drawing():
    """Its page names each file, and each file is drawn."""
    shown = re.findall(r"\((\w+)\.svg\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert NAMES == shown
    assert sorted(NAMES) == sorted(path.stem for path in FOLDER.glob("*.svg"))
