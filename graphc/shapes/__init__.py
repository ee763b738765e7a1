"""Shapes: symbolic dims, what is known of them, broadcasting, sizes in programs."""

from ..sizes import Dim, Shape
from .axes import as_axes, as_axis, as_bound, from_zero, is_outside, span_length
from .broadcasting import broadcast
from .dims import (
    as_dim,
    as_shape,
    dim,
    dims,
    is_expression,
    is_symbol,
    not_an_expression,
    own_dim,
    plain,
    symbols,
)
from .elements import size, unknown_size
from .facts import (
    covers,
    is_at_least,
    is_polynomial,
    linear,
    may_be_negative,
    of_terms,
    ratio,
    terms,
)
from .texts import show, source
from .values import from_sources, number, numbers, typical

__all__ = [
    "Dim",
    "Shape",
    "as_axes",
    "as_axis",
    "as_bound",
    "as_dim",
    "as_shape",
    "broadcast",
    "covers",
    "dim",
    "dims",
    "from_sources",
    "from_zero",
    "is_at_least",
    "is_expression",
    "is_outside",
    "is_polynomial",
    "is_symbol",
    "linear",
    "may_be_negative",
    "not_an_expression",
    "number",
    "numbers",
    "of_terms",
    "own_dim",
    "plain",
    "ratio",
    "show",
    "size",
    "source",
    "span_length",
    "symbols",
    "terms",
    "typical",
    "unknown_size",
]
