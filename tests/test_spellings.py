"""The tables of docs/coming-from.md: every graphc spelling in them runs, down to numbers."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import graphc as gc

DOCUMENT = Path(__file__).parent.parent / "docs" / "coming-from.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`.*`.*) \| (.*`.*) \|$", TEXT, re.MULTILINE)
SPELLINGS = list(dict.fromkeys(code for _, ours in ROWS for code in re.findall("`([^`]+)`", ours)))


def names_of_the_document():
    """What its first block of code defines."""
    (block, *_) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names = {}
    for example in doctest.DocTestParser().get_examples(block):
        exec(example.source, names)
    return names


def values_of(node):
    """Numbers for all inputs of a node: 0 where they are labels."""
    return {
        v: np.zeros([d if isinstance(d, int) else 2 for d in v.shape], v.dtype)
        if v.dtype.kind == "i"
        else np.full([d if isinstance(d, int) else 2 for d in v.shape], 0.5, v.dtype)
        for v in gc.Graph([node]).parameters
    }


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_in_a_table_runs(spelling):
    """People copy the right column: a name that moved must be found here first."""
    names = names_of_the_document()
    if spelling.startswith("import "):
        exec(spelling, names)
        return
    made = eval(spelling, names)
    if isinstance(made, gc.Node):
        assert np.all(np.isfinite(gc.evaluate(made, values_of(made))))
    elif callable(made) and spelling.endswith("(f)"):
        assert made(np.ones((2, 3)) if "vmap" in spelling else np.ones(3)) is not None
    elif isinstance(made, bool):
        assert made
    else:
        assert made is not None or spelling.startswith("print")


def test_no_row_of_the_tables_is_missed():
    """Each table row has a spelling of theirs and one of ours."""
    rows = [line for line in TEXT.splitlines() if line.startswith("| `")]
    assert len(rows) == len(ROWS) and len(ROWS) > 80
