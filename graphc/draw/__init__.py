"""Pictures: what a graph looks like, as SVG, DOT, HTML, PNG or PDF."""

from .drawing import Drawing, draw

__all__ = ["Drawing", "draw"]
