"""The operations: one record each, in a file for each family."""

from . import (
    as_numpy,
    chain,
    contract,
    elementwise,
    from_formula,
    index,
    joins,
    layout,
    leaves,
    linalg,
    positions,
    reduce,
    scan,
    slices,
    sort,
    special,
)

__all__ = [
    "as_numpy",
    "chain",
    "contract",
    "elementwise",
    "from_formula",
    "index",
    "joins",
    "layout",
    "leaves",
    "linalg",
    "positions",
    "reduce",
    "scan",
    "slices",
    "sort",
    "special",
]
