"""Binding: how sizes are read from the shapes of arguments, and what must then hold of them.

A program does as text what the interpreter does with numbers: both do what is said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import shapes
from .errors import BindError, MissingInput, ShapeError
from .ir import Node, declaration
from .ops.slices import taken_for_granted
from .plan.carried import arguments
from .shapes import Dim, Shape
from .sizes import Size
from .wording import a_kind, counted, did_you_mean


def no_input(of: str, key: object, inputs: Iterable[Node] | Mapping[str, str]) -> BindError:
    """The error about a value for what is no input: for a name that is misspelled, above all."""
    if not isinstance(inputs, Mapping):
        inputs = {str(v.name): str(v.type) for v in sorted(inputs, key=declaration)}
    name = key.label if isinstance(key, Node) else str(key)
    hint = did_you_mean(name, inputs, before="; ")
    return BindError(f"{of} has no input {name}: {signature(of, inputs)}{hint}")


def signature(of: str, inputs: Mapping[str, str]) -> str:
    """What takes what: `model(X: f64[n, d], w: f64[d])`."""
    return f"{of}({', '.join(f'{name}: {type_}' for name, type_ in inputs.items())})"


def refusal(of: str, error: TypeError, values: Iterable[Any]) -> BindError:
    """What a program says of an argument that it cannot take, as graphc says it."""
    for value in values:
        if isinstance(value, Node):
            return BindError(
                f"{of} takes arrays and numbers, and {value.label} is a node: nodes are put "
                "together before a program is made"
            )
    return BindError(str(error))


def in_order(
    of: str, inputs: Mapping[str, str], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, ...]:
    """The arguments in the order of the inputs, some given by position and some by name."""
    if len(args) > len(inputs):
        taken = counted(len(inputs), "argument")
        raise BindError(f"{of} takes {taken}, and was given {len(args)}")
    values = dict(zip(inputs, args, strict=False))
    for key, value in kwargs.items():
        if key not in inputs:
            raise no_input(of, key, inputs)
        if key in values:
            raise BindError(f"{of} was given {key} twice")
        values[key] = value
    missing = [name for name in inputs if name not in values]
    if len(args) == 1 and isinstance(args[0], Mapping):
        names = ", ".join(f"{name}=..." for name in inputs)
        raise BindError(f"{of} takes its values by name, not in {a_kind(args[0])}: {of}({names})")
    if missing:
        raise MissingInput(f"{of} needs {', '.join(missing)}: {signature(of, inputs)}")
    return tuple(values[name] for name in inputs)


class Reading(NamedTuple):
    """Where a program learns a symbol: size of an axis = factor * symbol + rest."""

    symbol: Size
    input: int
    axis: int
    factor: int
    rest: Dim

    @property
    def is_bare(self) -> bool:
        return self.factor == 1 and self.rest == 0


def _readings(inputs: Sequence[Shape]) -> list[Reading]:
    """How to learn every symbol from the sizes of some inputs.

    A symbol is read where it stands bare, else where it is the only unknown of a linear expression.
    """
    found: dict[Size, Reading] = {}
    places = [(i, k, d) for i, shape in enumerate(inputs) for k, d in enumerate(shape)]
    for i, k, d in places:
        if shapes.is_symbol(d):
            found.setdefault(d, Reading(d, i, k, 1, 0))
    waiting = [place for place in places if set(shapes.symbols([place[2]])) - set(found)]
    progress = True
    while waiting and progress:
        progress = False
        for i, k, d in waiting:
            unknown = [s for s in shapes.symbols([d]) if s not in found]
            known = shapes.linear(d, unknown[0]) if len(unknown) == 1 else None
            if known is not None:
                found[unknown[0]] = Reading(unknown[0], i, k, *known)
                progress = True
        waiting = [place for place in waiting if set(shapes.symbols([place[2]])) - set(found)]
    missing = [s for s in shapes.symbols(d for _, _, d in places) if s not in found]
    if missing:
        raise ShapeError(f"no input shows the size {missing[0]} in a form it can be read from")
    return list(found.values())


class Fit(NamedTuple):
    """An input that has sizes which others decide."""

    input: int
    texts: tuple[str, ...]
    """What its sizes have to be, as people read it."""
    reasons: tuple[str, ...]
    """Why, for each axis."""


class Need(NamedTuple):
    """A size that a program cannot do with where it is less."""

    size: Dim
    least: int
    reason: str


class Binding:
    """The sizes of some inputs, for computing some nodes.

    >>> import graphc as gc
    >>> x, y = gc.input("x", ("n",)), gc.input("y", ("n",))
    >>> binding = Binding([x, y], [x[1:], y[1:]])
    >>> binding.readings, binding.needs
    ([Reading(symbol=n, input=0, axis=0, factor=1, rest=0)], [Need(size=n - 1, least=0, ...)])
    >>> binding.sizes([(3,), (3,)])
    {n: 3}
    >>> binding.arrays([[1, 2], [3, 4]])[0]
    array([1., 2.])
    """

    def __init__(self, inputs: Sequence[Node], nodes: Iterable[Node]) -> None:
        self.inputs = inputs
        self.readings = _readings([v.shape for v in inputs])
        self._read = {(r.input, r.axis) for r in self.readings if r.is_bare}
        self._sources = {
            r.symbol: f"axis {r.axis} of {inputs[r.input].name}" for r in self.readings
        }
        self.fits = list(self._fits())
        self.needs = list(self._needs(nodes))

    def _fits(self) -> Iterator[Fit]:
        for i, v in enumerate(self.inputs):
            read = [(i, k) in self._read for k in range(v.ndim)]
            if not all(read):
                reasons = [
                    "" if bare else self._reason(d) for d, bare in zip(v.shape, read, strict=True)
                ]
                yield Fit(i, tuple(map(shapes.show, v.shape)), tuple(reasons))

    def _needs(self, nodes: Iterable[Node]) -> Iterator[Need]:
        wanted: dict[tuple[Dim, int], None] = {}
        for v in nodes:
            wanted.update(dict.fromkeys((d, 0) for d in v.shape if shapes.may_be_negative(d)))
            wanted.update(dict.fromkeys(taken_for_granted(v)))
        for size, least in wanted:
            if self._sources.keys() >= set(shapes.symbols([size])):
                yield Need(size, least, self._reason(size))

    def _reason(self, size: Dim) -> str:
        """Why a size must be what it is: ` (n is axis 0 of X)`."""
        known = [f"{s} is {self._sources[s]}" for s in shapes.symbols([size])]
        return f" ({', '.join(known)})" if known else ""

    def arrays(self, values: Iterable[Any]) -> list[Any]:
        """Values of the inputs in their dtypes, by conversions that lose nothing."""
        given = list(values)
        named = zip(self.inputs, given, strict=True)
        try:
            return [arguments.as_input(str(v.name), a, v.dtype, v.ndim) for v, a in named]
        except arguments.BindError as error:  # that of programs, which stand alone
            raise refusal("a program", error, given) from None

    def sizes(self, given: Sequence[tuple[int, ...]]) -> dict[Size, int]:
        """What the symbols are for inputs of some shapes, which are checked."""
        try:
            return self._solved(given)
        except arguments.BindError as error:
            raise BindError(str(error)) from None

    def _solved(self, given: Sequence[tuple[int, ...]]) -> dict[Size, int]:
        known: dict[Size, int] = {}
        for symbol, i, axis, factor, rest in self.readings:
            v = self.inputs[i]
            known[symbol] = arguments.solve_size(
                str(v.name), axis, given[i][axis], factor, shapes.number(rest, known),
                shapes.show(v.shape[axis]),
            )  # fmt: skip
        for i, texts, reasons in self.fits:
            v = self.inputs[i]
            wanted = shapes.numbers(v.shape, known)
            if given[i] != wanted:
                raise arguments.wrong_shape(str(v.name), given[i], wanted, texts, reasons)
        for size, least, reason in self.needs:
            found = shapes.number(size, known)
            if found < least:
                raise arguments.no_size(shapes.show(size), found, reason, least)
        return known
