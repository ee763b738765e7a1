"""The page of a picture: its SVG, what is folded in it, and a script. One file, no network."""

from __future__ import annotations

import functools
import json
from html import escape
from pathlib import Path

from .build import Builder
from .layout import Layout, lay_out
from .picture import Picture
from .style import css
from .svg import svg

# So many folded boxes are laid out to be opened on the page, those inside others included.
_MOST_INSIDE = 24

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{css}
{page_css}
</style>
</head>
<body>
<header>
<nav id="trail" aria-label="Where you are"></nav>
<input id="search" type="search" placeholder="Search  ( / )" aria-label="Search">
<span id="found" role="status"></span>
<button id="smaller" title="Zoom out (-)">−</button>
<button id="larger" title="Zoom in (+)">+</button>
<button id="whole" title="Show all (0)">Fit</button>
</header>
<main>
<div id="stage" tabindex="0" aria-label="The graph">
{views}
</div>
<aside id="facts" aria-live="polite"></aside>
{player}
</main>
<script type="application/json" id="steps">{steps}</script>
<script>
{script}
</script>
</body>
</html>
"""

_PLAYER = """<section id="player">
<div><button id="play" title="Play (space)">Play</button>
<input id="slider" type="range" min="0" max="{count}" value="0" aria-label="Step of backprop">
<output id="step">0 / {count}</output></div>
<p id="told" role="status">Algorithm 6.6: move the slider, or press an arrow key.</p>
<table><thead><tr><th>V</th><th>what its consumers add</th><th>grad_table[V]</th></tr></thead>
<tbody id="table"></tbody></table>
</section>"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@functools.cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def page(builder: Builder, picture: Picture, layout: Layout) -> str:
    """A picture as an HTML document."""
    views = [_view("", picture, layout)]
    waiting = [box for box in picture.boxes if box.folded > 1]
    while waiting and len(views) <= _MOST_INSIDE:
        box = waiting.pop(0)
        inside = builder.inside(box)
        if inside is not None:
            views.append(_view(box.id, inside, lay_out(inside)))
            waiting += [inner for inner in inside.boxes if inner.folded > 1]
    steps = [
        {
            "node": m.node, "gradient": m.gradient, "name": m.name, "total": m.total,
            "shares": [list(share) for share in m.shares],
        }
        for m in picture.steps
    ]  # fmt: skip
    return _PAGE.format(
        policy=_POLICY,
        title=escape(picture.title),
        css=css(),
        page_css=_asset("page.css"),
        views="\n".join(views),
        player=_PLAYER.format(count=len(steps)) if steps else "",
        # Nothing inside may end the element.
        steps=json.dumps(steps).replace("<", "\\u003c"),
        script=_asset("page.js"),
    )


def _view(of: str, picture: Picture, layout: Layout) -> str:
    hidden = " hidden" if of else ""
    title = escape(picture.title)
    drawn = svg(picture, layout, with_style=False)
    return f'<div class="view" data-of="{of}" data-title="{title}"{hidden}>{drawn}</div>'


