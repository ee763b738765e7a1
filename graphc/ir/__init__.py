"""The graph: `Op` (what an operation means), `Node` (an interned value), `Graph` (a closed set).

No operation is known here by anything but its record. A Node is immutable: same op, same inputs,
same attributes are the same object, so common subexpressions are shared by construction.
"""

from .building import adopt, belong, building_for, standing_for
from .declared import declaration, declare
from .functions import FUNCTIONS
from .graph import Graph, refuse_shared_names
from .interning import key_of
from .lifting import lift
from .node import Attrs, Node, is_number, listed, no_node, operands, tell
from .numbers import is_literal, is_positive_zero, number_of
from .op import (
    OPS,
    Example,
    GuardRule,
    Op,
    cuts_path,
    example,
    interned,
    no_flops,
    size_of_result,
    spelling,
    with_inputs,
)
from .pickling import PackedGraph
from .walks import rebuild, topo

__all__ = [
    "Attrs",
    "Example",
    "FUNCTIONS",
    "Graph",
    "GuardRule",
    "Node",
    "OPS",
    "Op",
    "PackedGraph",
    "adopt",
    "belong",
    "building_for",
    "cuts_path",
    "declaration",
    "declare",
    "example",
    "interned",
    "is_literal",
    "is_number",
    "is_positive_zero",
    "key_of",
    "lift",
    "listed",
    "no_node",
    "no_flops",
    "number_of",
    "operands",
    "rebuild",
    "refuse_shared_names",
    "size_of_result",
    "spelling",
    "standing_for",
    "tell",
    "topo",
    "with_inputs",
]
