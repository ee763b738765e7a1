"""Write the drawings of this folder anew, or into another: `python -m docs.gallery [folder]`."""

import sys
from pathlib import Path

from .drawings import DRAWINGS

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
for name, draw in DRAWINGS.items():
    draw().save(folder / f"{name}.svg")
