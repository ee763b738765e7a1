"""Write the drawings of this folder anew: `python -m docs.gallery`."""

from pathlib import Path

from .drawings import DRAWINGS

for name, draw in DRAWINGS.items():
    draw().save(Path(__file__).parent / f"{name}.svg")
