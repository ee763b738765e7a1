"""`Op`: what one operation means, and what a call of it makes: the node of that meaning."""

from __future__ import annotations

import functools
import operator
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn, ParamSpec, TypeVar

from ..errors import ArgumentError, GraphcError, NameClash
from ..misfits import misfit
from ..parts import Part, is_spelled_by
from ..shapes import Dim, Shape
from ..tensor_type import TensorType
from .building import built, leave_name, leave_others, meet, rebuilt
from .functions import FUNCTIONS
from .interning import Interned, key_of
from .lifting import lift
from .node import NO_ATTRS, Attrs, Node, operands

P = ParamSpec("P")
R = TypeVar("R")

# One table each for the process: the records by their names, and the node of each meaning.
OPS: dict[str, Op] = {}
interned: Interned[Node] = Interned()

# The word `out` in a text, but for the argument of that name.
_OUT = re.compile(r"\bout\b(?!=)")
_SPARE = re.compile(r", spare=(\d+)")


@dataclass(frozen=True)
class Example:
    """Inputs on which the laws try an op: shapes, attributes, and where the numbers lie."""

    shapes: tuple[tuple[Dim | str, ...], ...]
    attrs: Attrs
    between: tuple[float, float]
    dtypes: tuple[str, ...]
    diagonal: float = 0.0


def example(
    *shapes: Sequence[Dim | str],
    between: tuple[float, float] = (-2.0, 2.0),
    dtypes: tuple[str, ...] = (),
    diagonal: float = 0.0,
    **attrs: Any,
) -> Example:
    """Inputs to try an op on: a shape each, float64 unless `dtypes` says otherwise; attributes.

    What `diagonal` adds along the diagonal of square matrices makes them far from singular.

    >>> import graphc as gc
    >>> gc.example([2, 3], ["n"], axis=0).shapes
    ((2, 3), ('n',))
    """
    filled = dtypes + ("float64",) * (len(shapes) - len(dtypes))
    return Example(tuple(tuple(s) for s in shapes), attrs, between, filled, diagonal)


def size_of_result(node: Node) -> Dim:
    """One operation for each element of the result."""
    return node.type.size


def no_flops(node: Node) -> Dim:
    """Data is moved or described, nothing is computed."""
    return 0


def cuts_path(node: Node, i: int, g: Node) -> NoReturn:
    """The bprop of an op that no gradient passes: a step function, a cast to integers, a stop."""
    raise NotImplementedError(f"{node.op.name} cuts the path of gradients")


GuardRule = Callable[[Node, Node, bool], Node | None]


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
    >>> y.op.text_into(y, "b1"), y.op.spare(y), y.op.text_of_part(y)
    ('np.tanh(x0, out=b1)', 0, 'np.tanh(x0)')
    """

    name: str
    infer: Callable[..., TensorType]
    """(*types, **attrs) -> the type of the result; raises with one sentence."""
    numpy: str | Callable[[Node], str]
    """The NumPy text in x0, x1, ...; sizes are written by `shapes.source`."""
    into: str | Callable[[Node], str | None] | None = None
    """NumPy text that writes the result into the array `out`, where there is such a text. An
    elementwise op's `out` may be one of its operands. The argument `spare=2` stands for a tuple of
    two other arrays like the result to write into, or is left out."""
    adds_to: bool = False
    """`into` adds something to operand 0, whose memory `out` may be."""
    scalar: str | None = None
    """Python text on floats, by `math`; it may raise where NumPy answers with inf or NaN."""
    fold: str = ""
    """The ufunc that joins the results of parts of a reduction's input."""
    part: Callable[[Node], str | None] | None = None
    """NumPy text for the result of such a part, where another than `numpy` is better for few rows
    and beside other threads."""
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
    """leaf, elementwise, layout, reduce, contract, linalg, index or scan: each is treated alike."""
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
            raise NameClash(
                f"there is an op named {self.name} already: give another name, or first "
                f"del graphc.OPS[{self.name!r}], where a notebook's cell is run again"
            )
        OPS[self.name] = self
        FUNCTIONS[self.name] = self

    def __call__(self, *inputs: Any, **attrs: Any) -> Node:
        """The node of this op on these inputs: the one that exists, or a new one."""
        for x in inputs:
            if type(x) is not Node:
                inputs = lift(inputs, self.name)
                break
        return self._of(inputs, MappingProxyType(attrs) if attrs else NO_ATTRS)

    def _of(self, nodes: tuple[Node, ...], attrs: Attrs) -> Node:
        """What a call makes of nodes."""
        key = key_of(self, nodes, attrs)
        try:
            found = interned.find(key)
        except TypeError as error:
            raise ArgumentError(f"{self.name} cannot take this: {error}") from None
        if found is not None:
            meet(found)
            return found
        return interned.keep(key, built(self, nodes, attrs, self._inferred(nodes, attrs)))

    def _inferred(self, nodes: tuple[Node, ...], attrs: Attrs) -> TensorType:
        try:
            found = self.infer(*[x.type for x in nodes], **attrs)
            if not isinstance(found, TensorType):
                needed = "the TensorType of a result, as x.with_shape((3,)) is"
                raise ArgumentError(f"infer of {self.name} must return {needed}, not {found!r}")
            return found
        except GraphcError as error:
            error.locate(operands(nodes))
            raise error.with_traceback(None) from None
        except TypeError as error:  # an attribute that the record does not know
            said = misfit(self.infer, nodes, attrs, name=self.name)
            raise ArgumentError(said or f"{self.name} cannot take this: {error}") from error

    def text(self, node: Node) -> str:
        """The NumPy text for a node of this op."""
        return self.numpy if isinstance(self.numpy, str) else self.numpy(node)

    def text_of_part(self, node: Node) -> str:
        """The NumPy text for a part of a reduction's input, to be joined with others by `fold`."""
        return self.part and self.part(node) or self.text(node)

    def text_into(self, node: Node, out: str, spare: Sequence[str] = ()) -> str | None:
        """The NumPy text that writes a node of this op into an array; None if there is none."""
        text = self.into(node) if callable(self.into) else self.into
        if text is None:
            return None
        given = f", spare=({', '.join(spare)}{',' * (len(spare) == 1)})" if spare else ""
        return _OUT.sub(lambda _: out, _SPARE.sub(lambda _: given, text))

    def spare(self, node: Node) -> int:
        """How many arrays like the result the text that writes into one can use besides."""
        text = self.into(node) if callable(self.into) else self.into
        found = _SPARE.search(text) if text else None
        return int(found[1]) if found else 0

    def __repr__(self) -> str:
        return f"Op({self.name})"

    def __reduce__(self) -> tuple[Any, ...]:
        return named_op, (self.name,)


def named_op(name: str) -> Op:
    """The record of a name that a pickle has."""
    if name not in OPS:
        raise ArgumentError(
            f"the pickle has the operation {name}, which nothing has defined here: "
            "import the module that defines it first"
        )
    return OPS[name]


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """A node's operation on other inputs, keeping its line and its name."""
    op, attrs = node.op, node.attrs
    key = key_of(op, inputs, attrs)
    found = interned.find(key)
    if found is not None:
        meet(found, node)
        return found
    is_alike = [*map(_type_of, inputs)] == [*map(_type_of, node.inputs)]
    known = node.type if is_alike else op._inferred(inputs, attrs)
    return interned.keep(key, rebuilt(node, inputs, known))


_type_of = operator.attrgetter("type")


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
            made = function(*args, **kwargs)
            if isinstance(made, Node):
                leave_name(made)
                call = sys._getframe().f_trace  # the part, of what the user has called
                if type(call) is Part and call.met:
                    leave_others(made, call)
            return made
        except GraphcError as error:
            error.locate(operands(a for a in (*args, *kwargs.values()) if isinstance(a, Node)))
            raise error.with_traceback(None) from None  # what lies within is no news to the user
        except (TypeError, ValueError, OverflowError) as error:
            said = misfit(function, args, kwargs) if isinstance(error, TypeError) else ""
            if said:
                raise ArgumentError(said) from None
            raise ArgumentError(f"{function.__name__} cannot take this: {error}") from error

    vars(spelled)["tells_misfits"] = True
    FUNCTIONS[function.__name__] = spelled
    is_spelled_by(spelled)
    return spelled
