"""Pictures: what a graph looks like, as SVG, DOT, HTML, PNG or PDF."""

from .drawing import Drawing, draw
from .listing import folded_listing
from .tree import Outline, tree

__all__ = ["Drawing", "Outline", "draw", "folded_listing", "tree"]
