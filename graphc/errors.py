"""What goes wrong, said well: the exceptions, and how a message is laid out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

from .lines import Where, caller


class Operand(NamedTuple):
    """One line below an error: a value that took part, its type, and where it was made."""

    name: str
    type: str
    where: Where | None


class GraphcError(Exception):
    """Root of every error that graphc raises: one sentence, then where it happened.

    >>> import graphc as gc
    >>> try:
    ...     gc.input("x", ("n",)) + gc.input("y", ("m",))
    ... except gc.GraphcError as error:
    ...     print(error.sentence, [operand.name for operand in error.operands])
    add needs shapes that broadcast, and n is not m (axis -1) ['x', 'y']
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.where = caller()
        self.operands: tuple[Operand, ...] = ()

    def locate(self, operands: Iterable[Operand]) -> Self:
        """This error, with the values that took part. The innermost account, told first, is kept.

        >>> import graphc as gc
        >>> gc.ShapeError("the halves differ").locate([]).operands
        ()
        """
        self.operands = self.operands or tuple(operands)
        return self

    def __str__(self) -> str:
        lines = [self.sentence]
        if self.where is not None:
            lines += ["    " + line for line in self.where.underlined()]
        width = max((len(o.name) for o in self.operands), default=0)
        for operand in self.operands:
            place = f"    {operand.where.place}" if operand.where else ""
            lines.append(f"        {operand.name:{width}} : {operand.type}{place}")
        return "\n".join(lines)


class ShapeError(GraphcError, ValueError):
    """Sizes or axes that do not fit.

    >>> import graphc as gc
    >>> gc.input("X", ("n", "d")) @ gc.input("w", ("h",))
    Traceback (most recent call last):
        ...
    graphc.errors.ShapeError: matmul needs equal inner sizes, and d is not h
    ...
    """


class IndexingError(ShapeError, IndexError):
    """An index that is out of range, or of a kind that a graph cannot hold.

    >>> import graphc as gc
    >>> gc.input("v", (3,))[5]
    Traceback (most recent call last):
        ...
    graphc.errors.IndexingError: ...
    ...
    """


class DTypeError(GraphcError, TypeError):
    """An element type that an operation does not take.

    >>> import graphc as gc
    >>> gc.mean(gc.input("k", ("n",), "int64"))
    Traceback (most recent call last):
        ...
    graphc.errors.DTypeError: mean needs floats, and was given i64[n]; convert with gc.astype
    ...
    """


class NotConcrete(GraphcError, TypeError):
    """Python asked a symbolic tensor for a value (`if node`, `float(node)`, `for row in node`).

    >>> import graphc as gc
    >>> float(gc.input("x", ()))
    Traceback (most recent call last):
        ...
    graphc.errors.NotConcrete: x has no value while the graph is built, so it has no float value...
    """


class ArgumentError(GraphcError, TypeError, ValueError):
    """An argument that is not of the kind a function takes.

    >>> import graphc as gc
    >>> gc.concat([])
    Traceback (most recent call last):
        ...
    graphc.errors.ArgumentError: concat takes a list of at least one tensor
    ...
    """


class NotDifferentiable(GraphcError, TypeError):
    """A derivative was asked for where there is none to give.

    >>> import graphc as gc
    >>> k = gc.input("k", (), "int64")
    >>> gc.grad(k * k, k)
    Traceback (most recent call last):
        ...
    graphc.errors.NotDifferentiable: ...
    ...
    """


class Disconnected(GraphcError, ValueError):
    """The value does not depend on the target, or its path is cut.

    >>> import graphc as gc
    >>> x = gc.input("x", ())
    >>> gc.grad(gc.floor(x), x)
    Traceback (most recent call last):
        ...
    graphc.errors.Disconnected: no gradient: every path from x to floor is cut...
    ...
    """


class NameClash(GraphcError, ValueError):
    """A name that cannot be used, or one name for two things.

    >>> import graphc as gc
    >>> gc.compile(gc.input("x", ()) + gc.sum(gc.input("x", (3,))))
    Traceback (most recent call last):
        ...
    graphc.errors.NameClash: two inputs of one graph are called 'x'
    ...
    """


class BindError(GraphcError, TypeError, ValueError):
    """An argument of a compiled function that does not fit its declaration.

    >>> import graphc as gc
    >>> gc.compile(gc.sum(gc.input("v", (3,))))([1.0, 2.0])
    Traceback (most recent call last):
        ...
    graphc.errors.BindError: axis 0 of v has size 2, and needs 3
    ...
    """


class MissingInput(BindError, KeyError):
    """An input without a value.

    >>> import graphc as gc
    >>> gc.evaluate(gc.exp(gc.input("x", ())), {})
    Traceback (most recent call last):
        ...
    graphc.errors.MissingInput: ...
    ...
    """

    __str__ = GraphcError.__str__


class InvalidGraph(GraphcError, ValueError):
    """A graph that breaks an invariant of the IR: not the user's mistake but ours.

    >>> from graphc import InvalidGraph
    >>> raise InvalidGraph("a node is said to be f64[n], and is f64[]")
    Traceback (most recent call last):
        ...
    graphc.errors.InvalidGraph: a node is said to be f64[n], and is f64[]
    ...
    """


class WrongGradient(GraphcError, AssertionError):
    """A gradient that differs from the derivative by more than rounding explains.

    >>> import numpy as np, sympy as sp, graphc as gc
    >>> bad_twice = gc.elementwise(
    ...     "bad_twice", lambda x: 2 * x, numpy="2 * x0", like=np.square, d=lambda: [sp.Integer(3)]
    ... )
    >>> x = gc.input("x", ())
    >>> gc.check(bad_twice(x), x, at={x: 1.0}).raise_if_wrong()
    Traceback (most recent call last):
        ...
    graphc.errors.WrongGradient: the gradient by x is wrong, first at bad_twice: ...
    ...
    """


class LawBroken(GraphcError, AssertionError):
    """An op that does not keep a law that all ops must keep.

    >>> import numpy as np, graphc as gc
    >>> bad_half = gc.Op(
    ...     "bad_half", infer=lambda t: t, numpy="x0 / 2", bprop=lambda node, i, g: g,
    ...     examples=[gc.example([3])],
    ... )
    >>> gc.check_op(bad_half).raise_if_wrong()
    Traceback (most recent call last):
        ...
    graphc.errors.LawBroken: bad_half breaks a law
    ...
    """
