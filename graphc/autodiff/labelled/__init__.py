"""Tensors of many rows whose zeros are known: a dense tensor, and which axes are tied together.

A `Term` is T[batch, own] = dense[axes] where tied axes agree, and 0 elsewhere. An identity is the
number 1 with its two axes tied: an elementwise product with it is a diagonal that is never spread
out, and in a contraction it only renames a letter. `push` carries terms through a graph that is
linear in them.
"""

from .pushing import push
from .terms import Axis, Terms, fresh, identity, total

__all__ = ["Axis", "Terms", "fresh", "identity", "push", "total"]
