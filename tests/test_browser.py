"""In a real browser: the gallery is seen, and the page does what it says, without the network."""

import json
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

import graphc as gc

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no chromium on the path")

FOLDER = Path(__file__).parent.parent / "docs" / "gallery"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--enable-logging=stderr", "--window-size=1200,900",
)  # fmt: skip


def browse(folder, *arguments):
    """What the browser prints, and what its console said."""
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def pixels(path):
    """The rows of an 8-bit PNG without interlacing: enough to see whether something is drawn."""
    data = path.read_bytes()
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    channels = {2: 3, 6: 4}[colour]
    body, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body += data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return zlib.decompress(body), width * channels + 1, height


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.svg")), ids=lambda path: path.stem)
def test_a_drawing_of_the_gallery_is_seen(path, tmp_path):
    """Rendered to a bitmap that is not blank, with nothing said on the console."""
    image = tmp_path / "seen.png"
    _, console = browse(tmp_path, f"--screenshot={image}", path.as_uri())
    assert [] == console
    raw, stride, height = pixels(image)
    rows = {raw[k * stride + 1 : (k + 1) * stride] for k in range(height)}
    assert len(rows) > 60  # a blank sheet has one or two kinds of rows


# Put before the page's own script: errors and requests are noted from the first moment.
WATCH = """<script>
const told = { errors: [] };
addEventListener("error", (e) => told.errors.push(String(e.message)));
addEventListener("securitypolicyviolation", (e) => told.errors.push("refused " + e.blockedURI));
</script>"""

# Does by events what a person does with hand and keyboard.
PERSON = """<script>
const $ = (id) => document.getElementById(id);
const stage = $("stage");
const view = () => [...document.querySelectorAll(".view")].find((v) => !v.hidden);
const place = () => view().style.transform;
const key = (k, target = document) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key: k, bubbles: true, cancelable: true }));
const point = (kind, x, y, target = stage) =>
  target.dispatchEvent(new PointerEvent(kind, { clientX: x, clientY: y, bubbles: true }));
const dimmed = () => view().querySelectorAll(".box.dim").length;

told.start = place();
point("pointerdown", 300, 300); point("pointermove", 340, 320); point("pointerup", 340, 320);
told.panned = place();
stage.dispatchEvent(new WheelEvent("wheel",
  { deltaY: -200, clientX: 200, clientY: 200, bubbles: true, cancelable: true }));
told.zoomed = place();
key("0");
told.fitted = place();
point("pointerdown", 300, 300); point("pointerup", 300, 300);

$("search").value = "loss";
$("search").dispatchEvent(new Event("input"));
told.found = $("found").textContent;
key("Enter", $("search"));
told.searched = place();
told.matches = document.querySelectorAll(".match").length;
$("search").value = "";
$("search").dispatchEvent(new Event("input"));

const box = view().querySelector(".box.input");
box.dispatchEvent(new PointerEvent("pointerenter"));
told.dimmedByHover = dimmed();
told.facts = $("facts").textContent;
box.dispatchEvent(new PointerEvent("pointerleave"));
told.dimmedAfter = dimmed();

const frame = view().querySelector(".frame");
if (frame) {
  frame.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  told.closed = frame.classList.contains("closed") && frame === frame.parentNode.lastElementChild;
  frame.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  told.opened = !frame.classList.contains("closed") && frame === frame.parentNode.firstElementChild;
}
const folded = view().querySelector(".box.folded");
if (folded) {
  folded.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  told.inside = view().dataset.of === folded.id;
  key("Escape");
  told.outside = view().dataset.of === "";
}

told.steps = [];
if ($("slider")) {
  const count = Number($("slider").max);
  for (let k = 0; k < count; k++) {
    key("ArrowRight");
    told.steps.push([
      $("told").textContent, document.querySelectorAll("#table tr").length,
      document.querySelectorAll(".now.box").length, dimmed(),
    ]);
  }
}
told.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
const note = document.createElement("pre");
note.id = "note";
note.textContent = JSON.stringify(told);
document.body.append(note);
</script>"""


def visit(drawing, folder):
    """What a person who tries everything on the page has to tell."""
    page = re.sub(r'<meta http-equiv="Content[^>]*>', lambda m: m[0] + WATCH, drawing.html)
    path = folder / "page.html"
    path.write_text(page.replace("</body>", PERSON + "</body>"), encoding="utf-8")
    printed, console = browse(folder, "--dump-dom", path.as_uri())
    assert [] == console
    note = re.search(r'<pre id="note">(.*?)</pre>', printed, re.DOTALL)
    assert note is not None, printed[-500:]
    plain = note[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    told = json.loads(plain)
    assert [] == told["errors"]
    assert [] == told["requests"]
    return told


def network(layers, is_scoped):
    h = gc.input("x", ("n", 4))
    weights = []
    for k in range(layers):
        weights.append(gc.input(f"W{k}", (4, 4)))
        if is_scoped:
            with gc.scope(f"layer{k}"):
                h = gc.tanh(h @ weights[-1])
        else:
            h = gc.tanh(h @ weights[-1])
    loss = gc.sum(h * h)
    return loss, weights


def test_the_page_pans_zooms_searches_folds_and_plays(tmp_path):
    """From file://, with no error and no request."""
    loss, weights = network(3, is_scoped=True)
    told = visit(gc.draw(loss, wrt=weights), tmp_path)
    assert len({told["start"], told["panned"], told["zoomed"]}) == 3
    assert told["fitted"] == told["start"]
    assert re.fullmatch(r"[1-9]\d* found", told["found"]) and told["matches"] > 0
    assert told["searched"] != told["fitted"]
    assert told["dimmedByHover"] > 0 == told["dimmedAfter"]
    assert "f64[" in told["facts"]
    assert told["closed"] and told["opened"]


def test_the_slider_plays_every_step_of_backprop(tmp_path):
    """The table fills row by row; V and its gradient stand out; what is not reached yet is dim."""
    loss, weights = network(2, is_scoped=False)
    table = gc.backprop(loss, weights)
    told = visit(gc.draw(table), tmp_path)
    assert len(table.steps) == len(told["steps"])
    dim = [row[3] for row in told["steps"]]
    assert dim == sorted(dim, reverse=True) and dim[0] > dim[-1]
    for k, (sentence, rows, marked, _) in enumerate(told["steps"], 1):
        assert sentence.startswith(f"Step {k}: V = ")
        assert k == rows
        assert 1 <= marked <= 2


def test_what_is_folded_opens_and_closes(tmp_path):
    """A click goes in, Escape comes back."""
    loss, _ = network(24, is_scoped=False)
    told = visit(gc.draw(loss, fold=10), tmp_path)
    assert told["inside"] and told["outside"]
