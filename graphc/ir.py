"""The graph: `Op` (what an operation means), `Node` (an interned value), `Graph` (a closed set).

No operation is known here by anything but its record. A Node is immutable: same op, same inputs,
same attributes are the same object, so common subexpressions are shared by construction.
"""

from __future__ import annotations

import functools
import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from . import shapes
from .errors import (
    ArgumentError,
    DTypeError,
    GraphcError,
    InvalidGraph,
    MissingInput,
    NameClash,
    NotConcrete,
    Operand,
    ShapeError,
    Where,
    caller,
)
from .parts import WHOLE, Part, at_work, is_spelled_by
from .shapes import Dim, Shape, TensorType

if TYPE_CHECKING:
    import networkx

Attrs = Mapping[str, Any]
P = ParamSpec("P")
R = TypeVar("R")

# Every record by its name, and every public function that builds nodes, records included.
OPS: dict[str, Op] = {}
FUNCTIONS: dict[str, Callable[..., Any]] = {}


# The word `out` in a text, but for the argument of that name.
_OUT = re.compile(r"\bout\b(?!=)")


# -- Op ---------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Example:
    """Inputs on which the laws try an op: shapes, attributes, and where the numbers lie."""

    shapes: tuple[tuple[Dim, ...], ...]
    attrs: Attrs
    between: tuple[float, float]
    dtypes: tuple[str, ...]


def example(
    *shapes: Sequence[Dim],
    between: tuple[float, float] = (-2.0, 2.0),
    dtypes: tuple[str, ...] = (),
    **attrs: Any,
) -> Example:
    """Inputs to try an op on: a shape each, float64 unless `dtypes` says otherwise; attributes.

    >>> import graphc as gc
    >>> gc.example([2, 3], ["n"], axis=0).shapes
    ((2, 3), ('n',))
    """
    filled = dtypes + ("float64",) * (len(shapes) - len(dtypes))
    return Example(tuple(tuple(s) for s in shapes), attrs, between, filled)


def size_of_result(node: Node) -> Dim:
    """One operation for each element of the result."""
    return node.type.size


def no_flops(node: Node) -> Dim:
    """Data is moved or described, nothing is computed."""
    return 0


def cuts_path(node: Node, i: int, g: Node) -> NoReturn:
    """The bprop of an op that no gradient passes: a step function, a cast to integers, a stop."""
    raise NotImplementedError(f"{node.op.name} cuts the path of gradients")


GuardRule = Callable[["Node", "Node", bool], "Node | None"]


@dataclass(frozen=True, eq=False)
class Op:
    """What one operation means: the only place where graphc knows anything about it.

    Called on tensors it makes a node.

    >>> import graphc as gc
    >>> gc.OPS["tanh"] is gc.tanh, gc.tanh.family, gc.tanh.meaning.expr
    (True, 'elementwise', tanh(x))
    >>> y = gc.tanh(gc.input("x", ()))
    >>> y.op.text(y), y.op.flops(y)
    ('np.tanh(x0)', 1)
    >>> y.op.text_into(y, "b1")
    'np.tanh(x0, out=b1)'
    """

    name: str
    infer: Callable[..., TensorType]
    """(*types, **attrs) -> the type of the result; raises with one sentence."""
    numpy: str | Callable[[Node], str]
    """The NumPy text in x0, x1, ...; sizes are written by `shapes.source`."""
    into: str | Callable[[Node], str | None] | None = None
    """NumPy text that writes the result into the array `out` (None: a new one), where there is one.
    An elementwise op's may be one of its operands."""
    scalar: str | None = None
    """Python text on floats, by `math`; it may raise where NumPy answers with inf or NaN."""
    fold: str = ""
    """The ufunc that joins the results of parts of a reduction's input."""
    bprop: Callable[[Node, int, Node], Node] | None = None
    """(node, i, g) -> the book's op.bprop(inputs, X, G) for X = inputs[i]."""
    jvp: Callable[[Node, Sequence[Node | None]], Node] | None = None
    """(node, tangents) -> the tangent; derived from bprop when absent."""
    meaning: Any = None
    """The sympy Lambda that an elementwise op computes."""
    flops: Callable[[Node], Dim] = size_of_result
    view: bool = False
    """The result may share memory with input 0."""
    family: str = ""
    """leaf, elementwise, layout, reduce, contract, index or scan: a family is treated alike."""
    batch: Callable[[Node, Sequence[Node], Sequence[bool], Shape], Node] | None = None
    """(node, inputs, batched, lead) -> the op where some inputs carry the axes `lead` in front; the
    family's rule when absent."""
    guard: tuple[int, GuardRule] | None = None
    """(i, rule): where input i is 0 outside a condition, the result is 0 outside
    rule(node, condition, is_urgent); a rule may give up (None) on what is dear and not urgent.
    What only moves the elements of its one input needs none."""
    complex_step: str | Callable[[Node], str] | None = None
    """NumPy text that continues the op into the complex plane, where the NumPy text does not."""
    cure: str = ""
    """What to do where it makes NaN or inf of finite numbers, or its gradient does."""
    examples: tuple[Example, ...] = ()
    doc: str = ""

    def __post_init__(self) -> None:
        if self.name in OPS:
            raise NameClash(f"there is an op named {self.name} already")
        OPS[self.name] = self
        FUNCTIONS[self.name] = self

    def __call__(self, *inputs: Any, **attrs: Any) -> Node:
        """The node of this op on these inputs: the one that exists, or a new one."""
        nodes = inputs if all(type(x) is Node for x in inputs) else lift(inputs, self.name)
        return self._of(nodes, attrs)

    def _of(self, nodes: tuple[Node, ...], attrs: Attrs, known: TensorType | None = None) -> Node:
        """What a call makes of nodes; its type is inferred where it is not known."""
        key = (self, nodes, tuple(sorted(attrs.items())))
        try:
            found = _interned.get(key)
        except TypeError as error:
            raise ArgumentError(f"{self.name} cannot take this: {error}") from None
        if found is not None:
            found._meet()
            return found
        node = Node._new(self, nodes, attrs, known or self._inferred(nodes, attrs))
        with _interning:
            return _interned.setdefault(key, node)

    def _inferred(self, nodes: tuple[Node, ...], attrs: Attrs) -> TensorType:
        try:
            return self.infer(*[x.type for x in nodes], **attrs)
        except GraphcError as error:
            error.locate(operands(nodes))
            raise error.with_traceback(None) from None
        except TypeError as error:  # an attribute that the record does not know
            raise ArgumentError(f"{self.name} cannot take this: {error}") from error

    def text(self, node: Node) -> str:
        """The NumPy text for a node of this op."""
        return self.numpy if isinstance(self.numpy, str) else self.numpy(node)

    def text_into(self, node: Node, out: str) -> str | None:
        """The NumPy text that writes a node of this op into an array; None if there is none."""
        text = self.into(node) if callable(self.into) else self.into
        return None if text is None else _OUT.sub(lambda _: out, text)

    def __repr__(self) -> str:
        return f"Op({self.name})"


class _Described:
    """The `__doc__` of the class is its own; an op's is read off its record when asked for."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __get__(self, op: Op | None, owner: type) -> str | None:
        return self.text if op is None else op.doc or FUNCTIONS["description"](op)


setattr(Op, "__doc__", _Described(Op.__doc__))  # noqa: B010


def spelling(function: Callable[P, R]) -> Callable[P, R]:
    """A public function that comes down to records: found by name, its errors list its operands."""

    @functools.wraps(function)
    def spelled(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except GraphcError as error:
            error.locate(operands(a for a in (*args, *kwargs.values()) if isinstance(a, Node)))
            raise error.with_traceback(None) from None  # what lies within is no news to the user
        except (TypeError, ValueError, OverflowError) as error:
            raise ArgumentError(f"{function.__name__} cannot take this: {error}") from error

    FUNCTIONS[function.__name__] = spelled
    is_spelled_by(spelled)
    return spelled


def operands(nodes: Iterable[Node]) -> list[Operand]:
    """The lines about some nodes that stand below an error."""
    return [
        Operand(node.label, repr(node.type), node.where)
        for node in dict.fromkeys(nodes)
        if node.op.family != "leaf" or node.name
    ]


# -- Node -------------------------------------------------------------------------------------

_NO_ATTRS: Attrs = MappingProxyType({})

# One table for the process. It holds nodes weakly: dropping a graph forgets it.
_interned: WeakValueDictionary[Any, Node] = WeakValueDictionary()
_interning = threading.Lock()


class _Building(threading.local):
    """For whom this thread builds nodes: the forward node while backprop runs, else nobody."""

    state: tuple[Node | None, Where | None, Part] = (None, None, WHOLE)


_building = _Building()


@contextmanager
def building_for(origin: Node) -> Iterator[Callable[[Node], None]]:
    """Nodes built inside belong to the line of `origin`; call what is yielded to change it."""
    outer = _building.state

    def change(node: Node) -> None:
        _building.state = node, node.where, node.part

    try:
        change(origin)
        yield change
    finally:
        _building.state = outer


@contextmanager
def standing_for(node: Node) -> Iterator[None]:
    """Nodes built inside do in another graph what `node` does in its own: they have its line."""
    outer = _building.state
    try:
        _building.state = node.origin, node.where, node.part
        yield
    finally:
        _building.state = outer


def _operator(name: str, reflected: bool = False) -> Callable[[Node, Any], Any]:
    """The method of Node that calls the function `name` on itself and one operand."""

    def method(self: Node, other: Any) -> Any:
        if not is_liftable(other):
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
        node = object.__new__(Node)
        origin, where, part = _building.state
        if where is None:
            frame, part = at_work()
            where = None if frame is None else Where(frame.f_code, frame.f_lasti)
        put = object.__setattr__
        put(node, "op", op)
        put(node, "inputs", inputs)
        put(node, "attrs", MappingProxyType(attrs) if attrs else _NO_ATTRS)
        put(node, "type", type_)
        put(node, "where", where)
        put(node, "part", part)
        put(node, "origin", origin)
        put(node, "adjoint_of", None)
        put(node, "differentiated", None)
        put(node, "given_name", None)
        return node

    def _meet(self) -> None:
        """Note that this node, which exists already, is asked for once more."""
        _, where, part = _building.state
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
        return f"<{self.label}: {self.type} = {_applied(self, [x.label for x in self.inputs])}>"

    # What Python asks of it

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        """Identity between nodes; against numbers and arrays the elementwise comparison."""
        if isinstance(other, Node) or not is_liftable(other):
            return self is other
        return FUNCTIONS["equal"](self, other)

    def __ne__(self, other: object) -> Any:
        if isinstance(other, Node) or not is_liftable(other):
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

    __add__ = _operator("add")
    __radd__ = _operator("add", reflected=True)
    __sub__ = _operator("subtract")
    __rsub__ = _operator("subtract", reflected=True)
    __mul__ = _operator("multiply")
    __rmul__ = _operator("multiply", reflected=True)
    __truediv__ = _operator("divide")
    __rtruediv__ = _operator("divide", reflected=True)
    __pow__ = _operator("power")
    __rpow__ = _operator("power", reflected=True)
    __matmul__ = _operator("matmul")
    __rmatmul__ = _operator("matmul", reflected=True)
    __lt__ = _operator("less")
    __le__ = _operator("less_equal")
    __gt__ = _operator("greater")
    __ge__ = _operator("greater_equal")
    __and__ = _operator("logical_and")
    __rand__ = _operator("logical_and", reflected=True)
    __or__ = _operator("logical_or")
    __ror__ = _operator("logical_or", reflected=True)
    __xor__ = _operator("logical_xor")
    __rxor__ = _operator("logical_xor", reflected=True)

    def __neg__(self) -> Node:
        return FUNCTIONS["negative"](self)  # type: ignore[no-any-return]

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return FUNCTIONS["abs"](self)  # type: ignore[no-any-return]

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


def _applied(v: Node, names: Sequence[str]) -> str:
    """An operation on named operands: `power(w, 2.0)`. Numbers are written out."""
    if v.op.name == "input":
        return "input"
    arguments = [
        str(x.attrs["value"]) if x.op.name == "constant" and not x.ndim else name
        for x, name in zip(v.inputs, names, strict=True)
    ]
    arguments += [f"{key}={value}" for key, value in v.attrs.items()]
    return f"{v.op.name}({', '.join(arguments)})"


# -- Python values as nodes -------------------------------------------------------------------

_NUMBERS = (bool, int, float)
_ARRAYS = (np.ndarray, np.generic, list, tuple)


def is_liftable(value: object) -> bool:
    """Whether `lift` can make a node of it."""
    numeric = isinstance(value, Node | bool | int | float | np.ndarray | np.generic | list)
    return numeric or shapes.is_expression(value)


def lift(values: Sequence[Any], taker: str) -> tuple[Node, ...]:
    """Nodes for some operands. Python numbers are weak: they take their peers' dtype (NEP 50)."""
    given = [_typed(value, taker) for value in values]
    peers = [value.dtype for value in given if isinstance(value, Node)]
    return tuple(
        value if isinstance(value, Node) else _weak(value, peers, taker) for value in given
    )


def _typed(value: Any, taker: str) -> Node | bool | int | float:
    """A node, or a Python number whose dtype its peers decide."""
    if isinstance(value, Node) or type(value) in _NUMBERS:
        return value  # type: ignore[no-any-return]
    if shapes.is_expression(value):
        return FUNCTIONS["size"](value)  # type: ignore[no-any-return]
    if isinstance(value, _ARRAYS):
        return FUNCTIONS["constant"](value)  # type: ignore[no-any-return]
    raise ArgumentError(
        f"{taker} takes symbolic tensors, numbers and arrays, not a {type(value).__name__}"
    )


def _weak(value: bool | int | float, peers: list[np.dtype[Any]], taker: str) -> Node:
    # Integers beyond int64 have no dtype of their own: 1 stands for them.
    kind = 1 if type(value) is int else value
    dtype = np.result_type(*peers, kind) if peers else None
    try:
        return FUNCTIONS["constant"](value, dtype=dtype)  # type: ignore[no-any-return]
    except DTypeError:
        raise DTypeError(f"{taker}: {value} does not fit in {dtype or 'int64'}") from None


# The order in which this thread, or else any thread, last declared its inputs.
_declared = itertools.count()
_latest: WeakKeyDictionary[Node, int] = WeakKeyDictionary()


class _Declarations(threading.local):
    def __init__(self) -> None:
        self.order: WeakKeyDictionary[Node, int] = WeakKeyDictionary()


_mine = _Declarations()


def declare(node: Node) -> Node:
    """Note that the user declares this input here and now, whoever may have done so before."""
    object.__setattr__(node, "where", caller())
    _mine.order[node] = _latest[node] = next(_declared)
    return node


def declaration(node: Node) -> int:
    """Where an input stands in the order of declaration."""
    return _mine.order.get(node, _latest.get(node, 0))


# -- walks ------------------------------------------------------------------------------------

def topo(outputs: Iterable[Node], beyond: Container[Node] = ()) -> list[Node]:
    """Every ancestor of the outputs and they themselves, inputs before consumers.

    The walk does not enter what lies `beyond`.
    """
    done: dict[Node, None] = {}
    opened: set[Node] = set()
    for output in outputs:
        stack = [output]
        while stack:
            node = stack.pop()
            if node in done or node in beyond:
                continue
            if node in opened:  # its inputs are done
                done[node] = None
                continue
            opened.add(node)
            stack.append(node)
            stack.extend([x for x in reversed(node.inputs) if x not in done])
    return list(done)


def ancestors(nodes: Iterable[Node]) -> set[Node]:
    """What some nodes are computed from, themselves included."""
    return set(topo(nodes))


def consumers(order: Iterable[Node]) -> dict[Node, list[Node]]:
    """For each node in an order, the nodes there that take it as an input, each once."""
    found: dict[Node, list[Node]] = {}
    for node in order:
        found[node] = []
        for x in dict.fromkeys(node.inputs):
            found[x].append(node)
    return found


def rebuild(
    order: Iterable[Node],
    rule: Callable[[Node], Node] = lambda node: node,
    replacements: Mapping[Node, Node] | None = None,
) -> dict[Node, Node]:
    """What each node of an order becomes when some are replaced and a rule changes the rest."""
    new: dict[Node, Node] = dict(replacements or {})
    for node in order:
        if node not in new:
            inputs = tuple([new[x] for x in node.inputs])
            new[node] = rule(node if inputs == node.inputs else with_inputs(node, inputs))
    return new


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """A node's operation on other inputs, keeping its line and its name."""
    are_alike = all([x.type == v.type for x, v in zip(inputs, node.inputs, strict=True)])
    outer = _building.state
    _building.state = node, node.where, node.part
    try:
        new = node.op._of(inputs, dict(node.attrs), node.type if are_alike else None)
    finally:
        _building.state = outer
    if new.origin is node:
        object.__setattr__(new, "origin", node.origin)
        object.__setattr__(new, "adjoint_of", node.adjoint_of)
        object.__setattr__(new, "differentiated", node.differentiated)
        object.__setattr__(new, "given_name", node.given_name)
    return new


# -- Graph ------------------------------------------------------------------------------------

def listed(nodes: Iterable[Node], role: str) -> tuple[Node, ...]:
    """Some nodes as a tuple, where a list of nodes was asked for."""
    given = (nodes,) if isinstance(nodes, Node) or not isinstance(nodes, Iterable) else tuple(nodes)
    for v in given:
        if not isinstance(v, Node):
            raise ArgumentError(f"{role} must be nodes, and {v!r} is a {type(v).__name__}")
    return given


class Graph:
    """Some outputs and everything they are computed from, as a function of `parameters`.

    The book's words: `operation(v)` made v; its parents are `inputs(v)`, its children
    `consumers(v)`.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> s = gc.sin(x)
    >>> graph = gc.Graph([x * s])
    >>> graph
    graph(x)
      x : f64[] = input
      s : f64[] = sin(x)
      multiply : f64[] = multiply(x, s)
      return multiply
    >>> graph.operation(s), graph.inputs(s), [c.op for c in graph.consumers(s)]
    (Op(sin), (<x: f64[] = input>,), [Op(multiply)])
    >>> graph.ancestors(s) == {x, s}, graph.descendants(s) == {s, *graph.outputs}
    (True, True)
    >>> graph.names[s], graph.tags[graph.outputs[0]], graph.count()["sin"]
    ('s', 'multiply', 1)
    >>> print(graph.listing([graph.line(s)]))
    graph(x)
      s : f64[] = sin(x)
      return multiply
    """

    def __init__(self, outputs: Iterable[Node], parameters: Iterable[Node] | None = None) -> None:
        self.outputs = listed(outputs, "outputs")
        self.nodes = topo(self.outputs)
        free = [v for v in self.nodes if v.op.name == "input"]
        self._refuse_shared_names(free)
        if parameters is None:
            self.parameters = tuple(sorted(free, key=declaration))
        else:
            self.parameters = listed(parameters, "inputs")
            for v, times in Counter(self.parameters).items():
                if v.op.name != "input" or times > 1:
                    reason = f"{v.label} twice" if times > 1 else f"{v.label}, which is computed"
                    error = ArgumentError(f"inputs are what gc.input made, each once, not {reason}")
                    error.locate(operands([v]))
                    raise error
            self._refuse_shared_names(self.parameters)
        missing = set(free) - set(self.parameters)
        if missing:
            names = ", ".join(sorted(str(v.name) for v in missing))
            raise MissingInput(f"the graph needs {names}, which its inputs do not list")

    @staticmethod
    def _refuse_shared_names(inputs: Iterable[Node]) -> None:
        seen: dict[str | None, Node] = {}
        for v in inputs:
            other = seen.setdefault(v.name, v)
            if other is not v:
                error = NameClash(f"two inputs of one graph are called {v.name!r}")
                error.locate(operands([other, v]))
                raise error

    @functools.cached_property
    def _consumers(self) -> dict[Node, list[Node]]:
        return consumers(self.nodes)

    def operation(self, v: Node) -> Op:
        """The book's get_operation: the op that computes v."""
        return v.op

    def inputs(self, v: Node) -> tuple[Node, ...]:
        """The book's get_inputs: what v is computed from."""
        return v.inputs

    def consumers(self, v: Node) -> tuple[Node, ...]:
        """The book's get_consumers: the nodes of this graph that v is an input of."""
        return tuple(self._consumers[v])

    def ancestors(self, v: Node) -> set[Node]:
        """What v is computed from, itself included."""
        return ancestors([v])

    def descendants(self, *sources: Node) -> set[Node]:
        """What is computed from any of the sources, themselves included."""
        reached = {v for v in sources if v in self}
        for v in self.nodes:
            if not reached.isdisjoint(v.inputs):
                reached.add(v)
        return reached

    def substitute(self, replacements: Mapping[Node, Node]) -> Graph:
        """This graph with some nodes replaced by others of the same type.

        >>> import graphc as gc
        >>> x, y = gc.input("x", ()), gc.input("y", ())
        >>> gc.Graph([gc.sin(x)]).substitute({x: y * y}).outputs[0]
        <sin: f64[] = sin(multiply)>
        """
        for old, new in replacements.items():
            listed((old, new), "what is replaced and its substitute")
            if old.type != new.type:
                raise ShapeError(f"{old.label} is {old.type}, and its substitute is {new.type}")
        return self.rewritten(replacements=replacements)

    def rewritten(
        self,
        rule: Callable[[Node], Node] = lambda node: node,
        replacements: Mapping[Node, Node] | None = None,
    ) -> Graph:
        """This graph with a rule applied to every node, inputs first.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> def to_cosines(v):
        ...     return gc.cos(*v.inputs) if v.op is gc.sin else v
        >>> gc.Graph([gc.sin(x)]).rewritten(to_cosines).outputs[0]
        <cos: f64[] = cos(x)>
        """
        new = rebuild(self.nodes, rule, replacements)
        if all(old is node for old, node in new.items()):
            return self
        outputs = [new[v] for v in self.outputs]
        if not replacements:
            return Graph(outputs, self.parameters)
        # A parameter that is replaced gives way to what its substitute needs.
        kept = [p for p in self.parameters if new.get(p, p) is p]
        needed = [v for v in topo(outputs) if v.op.name == "input"]
        return Graph(outputs, dict.fromkeys([*kept, *needed]))

    @functools.cached_property
    def names(self) -> dict[Node, str]:
        """What the user calls nodes: given names, then the variables they were assigned to."""
        names: dict[Node, str] = {}
        for v in self.nodes:
            name = v.name or self._assigned_name(v)
            if name is None and v.adjoint_of in names:
                name = f"grad_{names[v.adjoint_of]}"
            if name is not None:
                names[v] = name
        return names

    def _assigned_name(self, v: Node) -> str | None:
        if v.origin is not None or v.where is None or v.op.family == "leaf":
            return None
        # One call may build several nodes; the variable holds the last of them. A consumer of
        # another op on the same instruction means that v is not the last.
        siblings = (c for c in self._consumers[v] if c.origin is None and c.where == v.where)
        if any(c.op is not v.op for c in siblings):
            return None
        return v.where.assigned_name

    def typecheck(self) -> None:
        """Infer every type again: a graph that a pass has left is as sound as one just built.

        >>> import graphc as gc
        >>> gc.Graph([gc.exp(gc.input("x", ()))]).typecheck()
        """
        for v in self.nodes:
            inferred = v.op.infer(*[x.type for x in v.inputs], **v.attrs)
            if inferred != v.type:
                raise InvalidGraph(f"{v.label} is said to be {v.type}, and is {inferred}")

    def to_networkx(self) -> networkx.MultiDiGraph:
        """A view for graph algorithms: an edge from each input, keyed by its position.

        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> gc.Graph([x * x]).to_networkx().number_of_edges()
        2
        """
        import networkx

        graph = networkx.MultiDiGraph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from((x, v, i) for v in self.nodes for i, x in enumerate(v.inputs))
        return graph

    def count(self) -> Counter[str]:
        """How many nodes there are of each op."""
        return Counter(v.op.name for v in self.nodes)

    def __contains__(self, v: object) -> bool:
        return v in self._consumers

    def __len__(self) -> int:
        return len(self.nodes)

    @functools.cached_property
    def tags(self) -> dict[Node, str]:
        """A name for each node that no other has: the user's or the op's, numbered."""
        tags: dict[Node, str] = {}
        used: Counter[str] = Counter()
        for v in self.nodes:
            base = self.names.get(v, v.op.name)
            tags[v] = base if not used[base] else f"{base}_{used[base]}"
            used[base] += 1
        return tags

    def line(self, v: Node) -> str:
        """`z : f64[n] = einsum(X, w, subscripts=ij,j->i)`"""
        return f"{self.tags[v]} : {v.type} = {_applied(v, [self.tags[x] for x in v.inputs])}"

    def listing(self, lines: Iterable[str]) -> str:
        """Some lines between the inputs and the outputs."""
        head = f"graph({', '.join(str(p.name) for p in self.parameters)})"
        foot = f"return {', '.join(self.tags[v] for v in self.outputs)}"
        return "\n  ".join([head, *lines, foot])

    def __repr__(self) -> str:
        """Every node, a line each; numbers stand where they are used."""
        return self.listing(
            self.line(v)
            for v in self.nodes
            if v.op.name != "constant" or v.ndim or v in self.outputs
        )

    def __str__(self) -> str:
        """As it is printed: like its picture, folded where it is large."""
        return FUNCTIONS["folded_listing"](self)  # type: ignore[no-any-return]
