"""Sparse Jacobians and Hessians: columns that never meet share one derivative.

The pattern is read off the graph. Needs scipy, the extra `special`.
"""

from .colouring import colour_columns, colour_star
from .function import SparseFunction, sparse_hessian, sparse_jacobian
from .pattern import Sparsity, sparsity

__all__ = [
    "SparseFunction",
    "Sparsity",
    "colour_columns",
    "colour_star",
    "sparse_hessian",
    "sparse_jacobian",
    "sparsity",
]
