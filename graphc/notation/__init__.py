"""How values are written: terms read off the records, and their two faces, plain text and LaTeX."""

from .equations import latex
from .fitting import cut, fitted
from .in_latex import aligned, term_latex
from .in_text import number_text, text
from .reading import (
    axes_of,
    gradient_term,
    has_one_gradient,
    is_written_inside,
    leaf_term,
    names_of,
    op_word,
    reference,
    size_text,
    term,
)
from .terms import ELIDED, Term

__all__ = [
    "ELIDED",
    "Term",
    "aligned",
    "axes_of",
    "cut",
    "fitted",
    "gradient_term",
    "has_one_gradient",
    "is_written_inside",
    "latex",
    "leaf_term",
    "names_of",
    "number_text",
    "op_word",
    "reference",
    "size_text",
    "term",
    "term_latex",
    "text",
]
