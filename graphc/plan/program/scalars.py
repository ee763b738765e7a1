"""Single numbers: whether Python's floats compute as NumPy does, and how that is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from ...ir import Graph, Node
from ..memory import computed
from .comments import Comments
from .texts import Texts, mentioned

# How long a formula may be: what has no name of the user's and is used once is written where it is
# used, which takes Python a fifth less time than a line of its own.
_LONGEST = 60


def is_on_floats(graph: Graph) -> bool:
    """Whether all inputs are single floats, and the text of all that is computed is for such."""
    parameters, outputs, nodes = graph.parameters, graph.outputs, computed(graph)
    if not nodes or not parameters:
        return False
    return (
        all(v.dtype == np.float64 and not v.ndim for v in parameters)
        and all(v.dtype in (np.float64, np.int64, np.bool_) and not v.ndim for v in outputs)
        and all(map(_means_the_same, nodes))
    )


def written(graph: Graph, texts: Texts) -> Iterator[str]:
    """The lines that compute a graph on floats."""
    comments = Comments()
    users = {x: v for v in graph.nodes for x in v.inputs}
    within: dict[Node, str] = {}
    for v in computed(graph):
        text = texts.scalar(v, within)
        goes_within = v not in texts.called and graph.uses[v] == 1 and v in users
        if goes_within and _takes_once(users[v], v) and len(text) < _LONGEST:
            within[v] = f"({text})"
            continue
        yield from comments.above(v)
        yield _plain(f"{texts.name(v)} = {text}")


def _plain(line: str) -> str:
    """A line without the parentheses that it can do without, and with x for --x."""
    found = ast.unparse(ast.parse(line))
    return _plain(found.replace("--", "")) if "--" in found else found


def _takes_once(user: Node, x: Node) -> bool:
    """Whether a node's text mentions an operand once."""
    return [user.inputs[k] for k in mentioned(user.op.scalar or "")].count(x) == 1


def _means_the_same(v: Node) -> bool:
    """Whether v's text for floats computes what NumPy does. To Python True + True is 2."""
    if v.op.scalar is None or v.ndim or v.dtype not in (np.float64, np.bool_):
        return False
    if v.dtype == bool and v.op.name.startswith("logical_"):
        return True
    return all(map(_is_float, v.inputs[1:] if v.op.name == "where" else v.inputs))


def _is_float(x: Node) -> bool:
    """Whether an operand is a float, or a constant that is one to the last digit."""
    if x.op.name != "constant" or x.dtype == bool:
        return x.dtype == np.float64
    if x.ndim:
        return False
    number = x.attrs["value"].array.item()
    return bool(number == float(number) or np.isnan(number))
