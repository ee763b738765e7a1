"""`Node`: a symbolic tensor, an immutable value: what it is, what it is called, what it refuses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .. import shapes
from ..errors import ArgumentError, NameClash, NotConcrete, Operand
from ..lines import OnTheWay, Where, caller
from ..parts import Part
from ..shapes import Dim, Shape
from ..tensor_type import TensorType
from ..wording import with_kind
from .operators import Operators

if TYPE_CHECKING:
    from .op import Op

Attrs = Mapping[str, Any]

NO_ATTRS: Attrs = MappingProxyType({})

# What to write where Python asks a tensor for something that only a value has.
_INSTEAD = {
    "truth value": "choose with gc.where(condition, a, b), join conditions by & | ~, take the "
    "larger of two with gc.maximum",
    "float value": "functions of tensors are gc.sin, gc.exp and their like, not those of math",
    "int value": "whole numbers in a tensor are made by gc.floor and gc.astype",
    "integer value": "elements are picked by gc.take, loops run over known sizes",
    "array": "a tensor needs no np.asarray, several are joined by np.stack or np.concatenate",
}


class Node(Operators):
    """A symbolic tensor: the value of one operation. Immutable; `==` between nodes is identity.

    >>> import graphc as gc
    >>> X, w = gc.input("X", ("n", 3)), gc.input("w", (3,))
    >>> z = X @ w
    >>> z.shape, z.dtype, z.ndim, z.size
    ((n,), dtype('float64'), 1, n)
    >>> z.op, z.inputs, z.name, z.label
    (Op(einsum), (<X: f64[n, 3] = input>, <w: f64[3] = input>), None, 'z')
    >>> X.T.shape, X.mT.shape, z.scope
    ((3, n), (3, n), ())
    >>> X @ w is z
    True
    """

    __slots__ = (
        "op", "inputs", "attrs", "type", "where", "part", "origin", "adjoint_of", "differentiated",
        "given_name", "__weakref__",
    )  # fmt: skip
    __match_args__ = ("op", "inputs", "attrs")

    op: Op
    inputs: tuple[Node, ...]
    attrs: Attrs
    type: TensorType
    where: Where | None
    part: Part  # the call, or the `with gc.scope(...)`, that it was made in
    origin: Node | None  # the forward node on whose behalf backprop built this one
    adjoint_of: Node | None  # the forward node whose whole gradient this is
    differentiated: Node | None  # the value that it is the gradient of
    given_name: str | None

    # Beats ndarray's operators: `array * node` comes to Node.__rmul__ by way of __array_ufunc__.
    __array_priority__ = 1000

    def __init__(self) -> None:
        raise ArgumentError("nodes are made by gc.input, gc.constant and operations on them")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise ArgumentError(f"a node is immutable: its {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise ArgumentError(f"a node is immutable: its {name} cannot be deleted")

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: object) -> Node:
        return self

    # What it is

    @property
    def shape(self) -> Shape:
        """Its sizes: ints, symbols, or formulas in symbols."""
        return self.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.type.shape)

    @property
    def size(self) -> Dim:
        """How many elements it has: a number, or a formula in the sizes."""
        return self.type.size

    @property
    def scope(self) -> tuple[str, ...]:
        """The names of the parts of the graph that it is a part of, outermost first."""
        return self.part.path

    @property
    def name(self) -> str | None:
        """The name of an input, or the name given by `named`."""
        return self.attrs["name"] if self.op.name == "input" else self.given_name

    @property
    def label(self) -> str:
        """What to call this node in a sentence: its name, or the variable it was assigned to."""
        if self.name:
            return self.name
        if self.adjoint_of is not None and self.adjoint_of.label != self.adjoint_of.op.name:
            return f"grad_{self.adjoint_of.label}"
        if self.origin is None and self.where is not None and self.where.assigned_name:
            return self.where.assigned_name
        return self.op.name

    def named(self, name: str) -> Node:
        """This node, called `name` in programs, pictures and messages; the latest name holds.

        >>> import graphc as gc
        >>> gc.exp(gc.input("x", ())).named("growth")
        <growth: f64[] = exp(x)>
        """
        if not isinstance(name, str) or not name:
            raise NameClash(f"a name must be a string that is not empty, and {name!r} is not")
        if self.op.name == "input":
            raise NameClash(f"an input has its name from gc.input: this one is {self.name!r}")
        tell(self, given_name=name)
        return self

    def __repr__(self) -> str:
        return f"<{self.label}: {self.type} = {applied(self, [x.label for x in self.inputs])}>"

    # What Python asks of it

    def _no_value(self, wanted: str) -> NoReturn:
        if self.where == caller() and type(self.where) is Where:  # `y = max(a, b)`: a > b is no y
            tell(self, where=OnTheWay(*self.where))
        raise NotConcrete(
            f"{self.label} has no value while the graph is built, so it has no {wanted}: "
            f"{_INSTEAD.get(wanted, 'keep it a tensor')}, or compute with gc.evaluate or gc.compile"
        ).locate(operands([self]))

    def __bool__(self) -> bool:
        self._no_value("truth value")

    def __float__(self) -> float:
        self._no_value("float value")

    def __int__(self) -> int:
        self._no_value("int value")

    def __index__(self) -> int:
        self._no_value("integer value")

    def __complex__(self) -> complex:
        self._no_value("complex value")

    def __format__(self, specification: str) -> str:
        if specification:
            self._no_value(f"digits to show as {specification!r}")
        return str(self)

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        self._no_value("array")

    def _sympy_(self) -> NoReturn:
        """`n * x` of a formula and a node: sympy must leave it to Node.__rmul__."""
        raise shapes.not_an_expression(self)

    def __len__(self) -> int:
        if not self.shape:
            raise NotConcrete(f"{self.label} is a scalar and has no length")
        if not isinstance(self.shape[0], int):
            raise NotConcrete(
                f"the length of {self.label} is the symbol {self.shape[0]}, known only when the "
                "program runs: use its shape, or an operation along the axis; a loop needs a size "
                "that is declared as a number"
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Node]:
        return (self[k] for k in range(len(self)))

    def __contains__(self, value: object) -> NoReturn:
        raise NotConcrete(
            f"what {self.label} holds is known only when the program runs: gc.any(x == value) "
            "tells then; whether a node is in a list of nodes, a list tells"
        )

    def __setitem__(self, index: object, value: object) -> NoReturn:
        raise ArgumentError(
            f"{self.label} cannot be assigned into: build a new tensor with gc.where, gc.concat "
            "or gc.scatter_add"
        )

    def __delitem__(self, index: object) -> NoReturn:
        raise ArgumentError(f"nothing can be deleted from {self.label}: gc.concat joins its slices")


def tell(node: Node, **facts: Where | Part | Node | str | None) -> None:
    """Change what is told of a node: its line, its part, its name, whose gradient it is.

    What it computes never changes, and neither does who it is: it is one object for all its users.
    """
    for name, fact in facts.items():
        object.__setattr__(node, name, fact)


def is_number(v: Node) -> bool:
    """Whether a node is a number written out: a constant without axes."""
    return v.op.name == "constant" and not v.ndim


def applied(v: Node, names: Sequence[str]) -> str:
    """An operation on named operands: `power(w, 2.0)`. Numbers are written out."""
    if v.op.name == "input":
        return "input"
    arguments = [
        str(x.attrs["value"]) if is_number(x) else name
        for x, name in zip(v.inputs, names, strict=True)
    ]
    arguments += [f"{key}={value}" for key, value in v.attrs.items()]
    return f"{v.op.name}({', '.join(arguments)})"


def operands(nodes: Iterable[Node]) -> list[Operand]:
    """The lines about some nodes that stand below an error."""
    return [
        Operand(node.label, repr(node.type), node.where)
        for node in dict.fromkeys(nodes)
        if node.op.family != "leaf" or node.name
    ]


def listed(nodes: Iterable[Node], role: str) -> tuple[Node, ...]:
    """Some nodes as a tuple, where a list of nodes was asked for."""
    given = (nodes,) if isinstance(nodes, Node) or not isinstance(nodes, Iterable) else tuple(nodes)
    for v in given:
        if not isinstance(v, Node):
            raise ArgumentError(f"{role} must be nodes, and {no_node(v)}")
    return given


def no_node(value: object) -> str:
    """What stands where a node should, its kind, and what to give in its place."""
    cure = ""
    if isinstance(value, str):
        cure = ": give the node itself, not its name"
    elif isinstance(value, np.ndarray):
        cure = ": gc.input declares a tensor, whose value is given when it runs"
    elif hasattr(value, "graph"):  # what is compiled is known to no room below it
        cure = ": its nodes are .graph.outputs"
    elif hasattr(value, "outputs"):
        cure = ": its nodes are .outputs"
    elif hasattr(value, "compiled"):
        cure = ": the program for some arguments is .compiled(...), its nodes are .graph.outputs"
    elif callable(value):
        cure = ": gc.jit, gc.grad_fn and their kin take functions, gc.trace makes nodes of one"
    return with_kind(value) + cure
