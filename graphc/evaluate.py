"""The reference interpreter: node after node, no passes, no plan. The oracle of the tests."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import forms, shapes
from .binding import Binding, no_input
from .errors import ArgumentError, GraphcError, IndexingError, MissingInput
from .ir import Node, no_node, operands, refuse_shared_names, topo
from .plan.carried import HELPERS
from .wording import a_kind

_NAMESPACE = {
    "np": np,
    **{name: f for name, f in HELPERS.items() if inspect.isfunction(f)},
}


def evaluate(outputs: Any, values: Mapping[Any, Any] | None = None) -> Any:
    """The values of nodes, given those of the inputs by node or by name; in the form asked for.

    >>> import graphc as gc
    >>> x = gc.input("x", (2,))
    >>> gc.evaluate({"double": x + x}, {x: [1.0, 2.0]})
    {'double': array([2., 4.])}
    """
    nodes = forms.leaves(outputs)
    for v in nodes:
        if not isinstance(v, Node):
            raise ArgumentError(f"evaluate takes nodes, and {no_node(v)}")
    if not isinstance(values, Mapping | None):
        raise ArgumentError(f"evaluate takes a dict of values, not {a_kind(values)}")
    order = topo(nodes)
    found, sizes = bind(order, values or {})
    with np.errstate(all="ignore"):
        interpret(order, found, sizes)
    for v in order:
        if not _is_of(v, np.shape(found[v])):
            given = f"gives an array of shape {np.shape(found[v])} where its infer says {v.type}"
            raise ArgumentError(f"the NumPy text of {v.op.name} {given}")
    return forms.fill(outputs, [np.array(found[v])[()] for v in nodes])


def by_name(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Values given by inputs or by the names of inputs, all by name."""
    if not isinstance(values, Mapping):
        raise ArgumentError(
            "values come in a dict from inputs, or their names, to arrays, not in "
            f"{a_kind(values)}"
        )
    named: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key.name) if isinstance(key, Node) else key
        if name in named:
            raise ArgumentError(f"{name} is given twice: two keys have that name")
        named[name] = value
    return named


def interpret(
    order: Iterable[Node],
    values: dict[Node, Any],
    sizes: Mapping[str, int],
    text: Callable[[Node], str] = lambda node: node.op.text(node),
) -> None:
    """Add to `values` the value of every node of an order that has none yet."""
    for v in order:
        if v.op.name == "constant" and v not in values:
            values[v] = v.attrs["value"].array[()]
        elif v not in values:
            try:
                values[v] = computed_by(text(v), [values[x] for x in v.inputs], sizes)
            except (NameError, SyntaxError) as error:
                raise _unreadable(v, error) from None
            except IndexError:
                if v.op.family != "index":
                    raise
                raise _outside(v, values) from None
            except np.linalg.LinAlgError as error:
                error.add_note(_asked_for(v))
                raise


def _asked_for(v: Node) -> str:
    """The line that asked for a value, and what it is computed of."""
    line = v.where.underlined() if v.where is not None else []
    taken = [f"        {x.label} : {x.type}" for x in v.inputs]
    return "\n".join([f"raised by {v.op.name}", *(f"    {one}" for one in line), *taken])


def _is_of(v: Node, shape: tuple[int, ...]) -> bool:
    """Whether an array of some shape may be the value of a node."""
    same = [not isinstance(d, int) or d == k for d, k in zip(v.shape, shape, strict=False)]
    return len(shape) == v.ndim and all(same)


def _outside(v: Node, values: Mapping[Node, Any]) -> IndexingError:
    """The error of a node that was handed an index which is none: which, and by what name."""
    given, axis = v.inputs[1], v.attrs["axis"]
    size, array = np.shape(values[v.inputs[0]])[axis], values[given]
    wrong = array[(array < -size) | (array >= size)]
    while given.op.name in ("astype", "getitem", "reshape", "broadcast_to"):
        given = given.inputs[0]
    return IndexingError(
        f"{given.label} holds the index {wrong.flat[0]}, which is out of range for axis {axis} of "
        f"size {size}"
    ).locate(operands([v, *v.inputs[:2]]))


def _unreadable(v: Node, error: NameError | SyntaxError) -> GraphcError:
    """The error of a text that has a size without a value, or that a record has wrong."""
    if isinstance(error, SyntaxError):
        return ArgumentError(f"the NumPy text of {v.op.name} is no expression: {error.msg}")
    unknown = str(error.name)
    if unknown.startswith("dim_"):
        size = unknown.removeprefix("dim_")
        return MissingInput(f"no value shows the size {size}: give an input's that does")
    return ArgumentError(
        f"the NumPy text of {v.op.name} has the name {unknown}: a program knows np, and x0, x1, ..."
    )


def computed_by(text: str, operands: Iterable[Any], sizes: Mapping[str, int]) -> Any:
    """What a NumPy text computes of operands x0, x1, ... where sizes are known.

    >>> computed_by("x0 + np.ones(dim_n)", [2.0], {"dim_n": 3})
    array([3., 3., 3.])
    """
    names = {f"x{i}": x for i, x in enumerate(operands)}
    return eval(code(text), _NAMESPACE, {**names, **sizes})


@functools.lru_cache(maxsize=4096)
def code(text: str) -> Any:
    """A NumPy text, compiled once."""
    return compile(text, "<numpy text>", "eval")


def bind(
    order: Sequence[Node], values: Mapping[Any, Any]
) -> tuple[dict[Node, Any], dict[str, int]]:
    """Arrays for the inputs of an order, and its sizes: checked as a compiled program would.

    Inputs given beside those of the order count too: a gradient may need only their sizes.
    """
    given = [v for v in values if isinstance(v, Node)]
    inputs = [v for v in dict.fromkeys([*order, *given]) if v.op.name == "input"]
    others = [v for v in inputs if v not in values]
    refuse_shared_names(v for v in others if v.name in values)
    missing = [v for v in others if v.name not in values]
    _refuse_unknown(values, inputs, bool(missing))
    for v in missing:
        raise MissingInput(f"{v.name} has no value").locate(operands([v]))
    binding = Binding(inputs, order)
    arrays = binding.arrays(values[v] if v in values else values[v.name] for v in inputs)
    sizes = binding.sizes(list(map(np.shape, arrays)))
    by_symbol = {shapes.source(symbol): size for symbol, size in sizes.items()}
    return dict(zip(inputs, arrays, strict=True)), by_symbol


def _refuse_unknown(values: Mapping[Any, Any], inputs: Sequence[Node], is_short: bool) -> None:
    """Raise where a value is for what is no input, as a name that is misspelled is none.

    Other names pass where no value is missing: one dict may be for several graphs, some of which
    have lost an input.
    """
    nodes, names = set(inputs), {v.name for v in inputs}
    for key in values:
        known = key in nodes if isinstance(key, Node) else key in names or not is_short
        if not known:
            raise no_input("graph", key, inputs)
