"""`Node`: a symbolic tensor, an immutable value that operators and NumPy's functions build on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .. import shapes
from ..errors import ArgumentError, NameClash, NotConcrete, Operand
from ..lines import OnTheWay, Where, is_internal
from ..parts import WHOLE, Part, at_work
from ..shapes import Dim, Shape, TensorType
from ..wording import with_kind
from .building import building, tracing
from .functions import FUNCTIONS

if TYPE_CHECKING:
    from .op import Op

Attrs = Mapping[str, Any]

NO_ATTRS: Attrs = MappingProxyType({})


def _operator(name: str, mirror: str = "", reflected: bool = False) -> Callable[[Node, Any], Any]:
    """The method of Node that calls the function `name` on itself and one operand; `mirror` is the
    method by which another type may answer in its place.
    """

    def method(self: Node, other: Any) -> Any:
        if not is_liftable(other) and _may_answer(other, mirror):
            return NotImplemented
        return FUNCTIONS[name](other, self) if reflected else FUNCTIONS[name](self, other)

    return method


# What to write where Python asks a tensor for something that only a value has.
_INSTEAD = {
    "truth value": "choose with gc.where(condition, a, b)",
    "array": "join tensors with gc.stack or gc.concat",
}


def _method(name: str, arguments: str, becomes: str) -> Callable[..., Any]:
    """The method of Node that does what the array method of that name does."""

    def method(self: Node, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS["array_method"](self, name, args, kwargs)

    method.__name__ = name
    method.__doc__ = f"""What the method `{name}` of a NumPy array does, as nodes.

    >>> import graphc as gc
    >>> X = gc.input("X", (2, 3))
    >>> X.{name}({arguments}).type
    {becomes}
    """
    return method


def _no_method(name: str, arguments: str) -> Callable[..., Any]:
    """A method that arrays have and tensors cannot have: its error tells what to do instead."""
    method = _method(name, arguments, "")
    method.__doc__ = f"""Refused, for only an array can do this: the error tells what to write.

    >>> import graphc as gc
    >>> gc.input("X", (2, 3)).{name}({arguments})
    Traceback (most recent call last):
        ...
    graphc.errors...
    """
    return method


class Node:
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

    @staticmethod
    def _new(op: Op, inputs: tuple[Node, ...], attrs: Attrs, type_: TensorType) -> Node:
        origin, where, part = building.state
        if where is None:
            frame, part = at_work()
            where = None if frame is None else Where(frame.f_code, frame.f_lasti)
        node = object.__new__(_Draft)
        node.op, node.inputs, node.attrs, node.type = op, inputs, attrs, type_
        node.where, node.part, node.origin = where, part, origin
        node.adjoint_of = node.differentiated = node.given_name = None
        node.__class__ = Node  # type: ignore[assignment]
        return node

    def _on(self, inputs: tuple[Node, ...], type_: TensorType) -> Node:
        """This node's operation on other inputs, and all else that is told of it."""
        node = object.__new__(_Draft)
        node.op, node.inputs, node.attrs, node.type = self.op, inputs, self.attrs, type_
        node.where, node.part, node.origin = self.where, self.part, self.origin
        node.adjoint_of, node.differentiated = self.adjoint_of, self.differentiated
        node.given_name = self.given_name
        node.__class__ = Node  # type: ignore[assignment]
        return node

    def _meet(self, rebuilt: Node | None = None) -> None:
        """Note that this node, which exists already, is asked for once more: by the user, or as
        what a node that is rebuilt becomes.
        """
        _, where, part = building.state if rebuilt is None else (None, rebuilt.where, rebuilt.part)
        is_users = where is None
        if is_users:
            frame, part = at_work()
        # A scope keeps what it made; of the calls that made a node, the last one has it.
        if part is not self.part and self.inputs and (is_users or self.origin is not None):
            if self.part is WHOLE or self.part.is_call:
                object.__setattr__(self, "part", part)
        if not is_users:
            return
        where = None if frame is None else Where(frame.f_code, frame.f_lasti)
        if self.origin is not None or (where is not None and where.assigned_name):
            # What a gradient built first, or what is given a variable again, is the user's here.
            object.__setattr__(self, "origin", None)
            object.__setattr__(self, "adjoint_of", None)
            object.__setattr__(self, "differentiated", None)
            object.__setattr__(self, "where", where)

    def _leave_name(self) -> None:
        """What the call that made this node built on the way is not what its variable holds."""
        is_users = building.state[1] is None
        waiting, met = [self] if is_users else [], {self}
        while waiting:
            for v in waiting.pop().inputs:
                if v not in met and v.part is self.part and v.where == self.where:
                    met.add(v)
                    waiting.append(v)
                    if type(v.where) is Where:
                        object.__setattr__(v, "where", OnTheWay(*v.where))

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
        """Its sizes: ints, symbols, or expressions in symbols."""
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
        object.__setattr__(self, "given_name", name)
        return self

    def __repr__(self) -> str:
        return f"<{self.label}: {self.type} = {applied(self, [x.label for x in self.inputs])}>"

    # What Python asks of it

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        """Identity between nodes; the elementwise comparison against numbers and arrays, and
        between tensors in a plain function that is traced.
        """
        if _is_identity(other):
            return self is other
        return FUNCTIONS["equal"](self, other)

    def __ne__(self, other: object) -> Any:
        if _is_identity(other):
            return self is not other
        return FUNCTIONS["not_equal"](self, other)

    def _no_value(self, wanted: str) -> NoReturn:
        error = NotConcrete(
            f"{self.label} has no value while the graph is built, so it has no {wanted}: "
            f"{_INSTEAD.get(wanted, 'keep it a tensor')}, or compute with gc.evaluate or gc.compile"
        )
        error.locate(operands([self]))
        raise error

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
        """`n * x` of a dim and a node: sympy must leave it to Node.__rmul__."""
        raise shapes.not_an_expression(self)

    def __len__(self) -> int:
        if not self.shape:
            raise NotConcrete(f"{self.label} is a scalar and has no length")
        if not isinstance(self.shape[0], int):
            raise NotConcrete(
                f"the length of {self.label} is the symbol {self.shape[0]}, known only when the "
                "program runs: use its shape, or an operation along the axis"
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Node]:
        return (self[k] for k in range(len(self)))

    def __setitem__(self, index: object, value: object) -> NoReturn:
        raise ArgumentError(
            f"{self.label} cannot be assigned into: build a new tensor with gc.where, gc.concat "
            "or gc.scatter_add"
        )

    # Operators: each looks its function up by name

    __add__ = _operator("add", "__radd__")
    __radd__ = _operator("add", reflected=True)
    __sub__ = _operator("subtract", "__rsub__")
    __rsub__ = _operator("subtract", reflected=True)
    __mul__ = _operator("multiply", "__rmul__")
    __rmul__ = _operator("multiply", reflected=True)
    __truediv__ = _operator("divide", "__rtruediv__")
    __rtruediv__ = _operator("divide", reflected=True)
    __floordiv__ = _operator("floor_divide", "__rfloordiv__")
    __rfloordiv__ = _operator("floor_divide", reflected=True)
    __mod__ = _operator("remainder", "__rmod__")
    __rmod__ = _operator("remainder", reflected=True)
    __pow__ = _operator("power", "__rpow__")
    __rpow__ = _operator("power", reflected=True)
    __matmul__ = _operator("matmul", "__rmatmul__")
    __rmatmul__ = _operator("matmul", reflected=True)
    __lt__ = _operator("less", "__gt__")
    __le__ = _operator("less_equal", "__ge__")
    __gt__ = _operator("greater", "__lt__")
    __ge__ = _operator("greater_equal", "__le__")
    __and__ = _operator("logical_and", "__rand__")
    __rand__ = _operator("logical_and", reflected=True)
    __or__ = _operator("logical_or", "__ror__")
    __ror__ = _operator("logical_or", reflected=True)
    __xor__ = _operator("logical_xor", "__rxor__")
    __rxor__ = _operator("logical_xor", reflected=True)

    def __neg__(self) -> Node:
        return FUNCTIONS["negative"](self)  # type: ignore[no-any-return]

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return FUNCTIONS["abs"](self)  # type: ignore[no-any-return]

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __round__(self, digits: int | None = None) -> Node:
        return self.round(digits or 0)  # type: ignore[no-any-return]

    def __invert__(self) -> Node:
        return FUNCTIONS["logical_not"](self)  # type: ignore[no-any-return]

    def __getitem__(self, index: Any) -> Node:
        return FUNCTIONS["getitem"](self, index)  # type: ignore[no-any-return]

    @property
    def T(self) -> Node:
        """All axes in reverse order."""
        return FUNCTIONS["transpose"](self)  # type: ignore[no-any-return]

    @property
    def mT(self) -> Node:
        """The last two axes exchanged."""
        return FUNCTIONS["matrix_transpose"](self)  # type: ignore[no-any-return]

    # NumPy's protocols and methods: floors above say what each name builds

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return FUNCTIONS["array_ufunc"](ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return FUNCTIONS["array_function"](function, args, kwargs)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return FUNCTIONS["array_namespace"]()

    if not TYPE_CHECKING:  # a type checker shall refuse such names itself

        def __getattr__(self, name: str) -> NoReturn:
            FUNCTIONS["missing_method"](name)

    sum = _method("sum", "axis=0", "f64[3]")
    prod = _method("prod", "axis=0", "f64[3]")
    mean = _method("mean", "axis=0", "f64[3]")
    std = _method("std", "axis=0", "f64[3]")
    var = _method("var", "axis=0", "f64[3]")
    max = _method("max", "axis=0", "f64[3]")
    min = _method("min", "axis=0", "f64[3]")
    all = _method("all", "axis=0", "bool[3]")
    any = _method("any", "axis=0", "bool[3]")
    cumsum = _method("cumsum", "axis=1", "f64[2, 3]")
    cumprod = _method("cumprod", "axis=1", "f64[2, 3]")
    dot = _method("dot", "X.T", "f64[2, 2]")
    trace = _method("trace", "", "f64[]")
    diagonal = _method("diagonal", "", "f64[2]")
    reshape = _method("reshape", "3, 2", "f64[3, 2]")
    ravel = _method("ravel", "", "f64[6]")
    flatten = _method("flatten", "", "f64[6]")
    transpose = _method("transpose", "", "f64[3, 2]")
    swapaxes = _method("swapaxes", "0, 1", "f64[3, 2]")
    squeeze = _method("squeeze", "", "f64[2, 3]")
    astype = _method("astype", "'float32'", "f32[2, 3]")
    clip = _method("clip", "0, 1", "f64[2, 3]")
    round = _method("round", "", "f64[2, 3]")
    take = _method("take", "[0, 2], axis=1", "f64[2, 2]")
    repeat = _method("repeat", "2, axis=0", "f64[4, 3]")
    copy = _method("copy", "", "f64[2, 3]")
    conj = _method("conj", "", "f64[2, 3]")
    item = _no_method("item", "")
    tolist = _no_method("tolist", "")
    fill = _no_method("fill", "0")
    put = _no_method("put", "0, 1")


class _Draft(Node):
    """A node while it is made: what it consists of can be set, as fast as that of any object."""

    __slots__ = ()
    __setattr__, __delattr__ = object.__setattr__, object.__delattr__  # type: ignore[assignment]


def _is_identity(other: object) -> bool:
    """Whether `==` of a node and this asks for identity. Python asks too: for lists and tuples."""
    if not isinstance(other, Node):
        return not is_liftable(other)
    return not tracing.depth or is_internal[sys._getframe(2).f_code.co_filename]


def is_liftable(value: object) -> bool:
    """Whether `lift` can make a node of it."""
    numeric = isinstance(value, Node | bool | int | float | np.ndarray | np.generic | list)
    return numeric or shapes.is_expression(value)


# Whose types have nothing to say about tensors: what they give is refused, and told of.
_SILENT = {"builtins", "datetime", "decimal", "fractions", "numpy", "pandas", "scipy"}


def _may_answer(value: object, method: str) -> bool:
    """Whether another type's own method may know what to do with a node."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in _SILENT:
        return False
    return getattr(kind, method, None) is not getattr(object, method, None)


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
            raise ArgumentError(f"{role} must be nodes, and {with_kind(v)}")
    return given
