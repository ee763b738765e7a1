"""Basic indexing: positions and slices, which may be symbolic, and new axes."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import shapes
from ..errors import IndexingError, ShapeError
from ..ir import FUNCTIONS, Node, Op, example, lift, no_flops, spelling
from ..shapes import Dim, Shape, as_axes, as_axis
from ..wording import counted
from .layout import reshape

MASK = (
    "a mask selects a number of elements that only its values decide: "
    "keep the shape with gc.where(mask, x, 0)"
)


class Span(NamedTuple):
    """A slice as an attribute. Its bounds may be symbolic."""

    start: Dim | None
    stop: Dim | None
    step: int

    @property
    def is_whole(self) -> bool:
        return self == (None, None, 1)

    @property
    def begin(self) -> Dim:
        """Its start, which may be left out."""
        return 0 if self.start is None else self.start

    def end(self, size: Dim) -> Dim:
        """Its stop on an axis of some size, which may be left out."""
        return size if self.stop is None else self.stop

    def length(self, size: Dim) -> Dim:
        """How many elements of an axis it takes."""
        return size if self.is_whole else shapes.span_length(size, *self)

    def __repr__(self) -> str:
        start, stop = ("" if b is None else str(b) for b in (self.start, self.stop))
        return f"{start}:{stop}" + (f":{self.step}" if self.step != 1 else "")

    def source(self) -> str:
        start, stop = ("" if b is None else _bound_source(b) for b in (self.start, self.stop))
        return f"{start}:{stop}" + (f":{self.step}" if self.step != 1 else "")


def _bound_source(bound: Dim) -> str:
    return str(bound) if isinstance(bound, int) else shapes.source(bound)


Entry = int | Dim | Span | None
Index = tuple[Entry, ...]


def _index_source(index: Index) -> str:
    def one(entry: int | Dim | Span | None) -> str:
        if entry is None:
            return "None"
        return entry.source() if isinstance(entry, Span) else _bound_source(entry)

    entries = list(index)
    while len(entries) > 1 and isinstance(entries[-1], Span) and entries[-1].is_whole:
        entries.pop()
    return ", ".join(map(one, entries)) or "()"


@functools.lru_cache(maxsize=4096)
def _indexed_shape(shape: Shape, index: Index) -> Shape:
    taken: list[Dim] = []
    axis = 0
    for entry in index:
        if entry is None:
            taken.append(1)
            continue
        if isinstance(entry, Span):
            taken.append(entry.length(shape[axis]))
        elif shapes.is_outside(entry, shape[axis]):
            raise IndexingError(
                f"index {entry} is out of range for axis {axis} of size {shape[axis]}"
            )
        axis += 1
    return tuple(taken)


def source_axes(v: Node, axis: int) -> list[int | None]:
    """For each input the axis along which an element lies where it lies along one of v's, if any.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n", 3))
    >>> source_axes(x.T, 1), source_axes(x[:, None], 2), source_axes(x[:, 1:], 1)
    ([0], [1], [None])
    """
    if "index" in v.attrs:
        return [_indexed_axis(v.attrs["index"], axis, is_placed=v.op.name == "place")]
    if "indices" in v.attrs:
        return [_indexed_axis(index, axis, is_placed=True) for index in v.attrs["indices"]]
    if "axes" in v.attrs:
        return [v.attrs["axes"][axis]]
    if "axis" in v.attrs:
        return [None if v.attrs["axis"] == axis else axis] * len(v.inputs)
    if "shape" in v.attrs:
        return [_reshaped_axis(x.shape, v.shape, axis) for x in v.inputs]
    return [None] * len(v.inputs)


def _indexed_axis(index: Index, axis: int, is_placed: bool) -> int | None:
    """The axis of x that is that of x[index]; or the other way round, where x is placed."""
    whole = outer = 0
    for e in index:
        mine, other = (whole, outer) if is_placed else (outer, whole)
        if mine == axis and isinstance(e, Span):
            return other if e.is_whole else None
        whole += e is not None
        outer += e is None or isinstance(e, Span)
    return None


def _reshaped_axis(shape: Shape, target: Shape, axis: int) -> int | None:
    """The axis with as many elements, and as many in front of it."""
    before = shapes.size(target[:axis])
    for k, d in enumerate(shape):
        if d == target[axis] and shapes.size(shape[:k]) == before:
            return k
    return None


def taken_for_granted(v: Node) -> Iterator[tuple[Dim, int]]:
    """Sizes of axes, and how large they at least are where a slice is as long as its type says.

    A symbol is positive, so x[:1] has one element: but for a call that gives it the size 0.

    >>> import graphc as gc
    >>> list(taken_for_granted(gc.input("x", ("n",))[:1]))
    [(n, 1)]
    """
    if v.op is not at_index:
        return
    entries = [e for e in v.attrs["index"] if e is not None]
    for e, d in zip(entries, v.inputs[0].shape, strict=True):
        if isinstance(e, Span) and not isinstance(d, int):
            length = e.length(d)
            if isinstance(length, int) and not shapes.covers(d, length):
                yield d, length


def keeps_all(shape: Shape, index: Index) -> bool:
    """Whether indexing only adds and drops axes of size 1."""
    entries = [e for e in index if e is not None]
    return all(
        e.is_whole if isinstance(e, Span) else d == 1 for e, d in zip(entries, shape, strict=True)
    )


def is_reshape(v: Node) -> bool:
    """Whether v is its input in another shape: a reshape, or what an index makes that keeps all."""
    if v.op is not at_index:
        return v.op.name == "reshape"
    return keeps_all(v.inputs[0].shape, v.attrs["index"])


def _getitem_bprop(node: Node, i: int, g: Node) -> Node:
    x, index = node.inputs[0], node.attrs["index"]
    if keeps_all(x.shape, index):
        return reshape(g, x.shape)
    return place(g, shape=x.shape, index=index)


WHOLE = Span(None, None, 1)

at_index = Op(
    "getitem",
    infer=lambda x, index: x.with_shape(_indexed_shape(x.shape, index)),
    numpy=lambda n: f"x0[{_index_source(n.attrs['index'])}]",
    bprop=_getitem_bprop,
    flops=no_flops,
    view=True,
    family="layout",
    examples=(
        example([4, 3], index=(1, WHOLE)),
        example([4, 3], index=(WHOLE, None, Span(None, None, -1))),
        example([5, 2], index=(Span(1, 4, 2), -1)),
        example([3], index=(0,)),
        example(["n", 1], index=(WHOLE, 0)),
        example(["n"], index=(Span(1, None, 1),)),
    ),
)


def _placing(x: int, n: Node, index: Index, out: str = "") -> str:
    return f"place(x{x}, {shapes.source(n.shape)}, np.s_[{_index_source(index)}]{out})"


def _place_text(n: Node, out: str = "") -> str:
    return _placing(0, n, n.attrs["index"], out)


place = Op(
    "place",
    infer=lambda x, shape, index: x.with_shape(shape),
    numpy=_place_text,
    into=lambda n: _place_text(n, ", out=out"),
    bprop=lambda n, i, g: at_index(g, index=n.attrs["index"]),
    flops=no_flops,
    family="layout",
    examples=(
        example([3], shape=(4, 3), index=(1, WHOLE)),
        example([2], shape=(5, 2), index=(Span(1, 4, 2), -1)),
    ),
    doc="Zeros of a shape with x written at a basic index: the adjoint of getitem.",
)


def _places_text(n: Node, out: str = "") -> str:
    terms = (
        f"x{k}, np.s_[{_index_source(index)}]" for k, index in enumerate(n.attrs["indices"])
    )
    return f"places({shapes.source(n.shape)}, {', '.join(terms)}{out})"


places = Op(
    "places",
    infer=lambda x, *others, shape, indices: x.with_shape(shape),
    numpy=_places_text,
    into=lambda n: _places_text(n, ", out=out"),
    bprop=lambda n, i, g: at_index(g, index=n.attrs["indices"][i]),
    flops=lambda n: shapes.as_dim(sum(x.type.size for x in n.inputs[1:])),
    family="layout",
    complex_step=lambda n: " + ".join(_placing(k, n, i) for k, i in enumerate(n.attrs["indices"])),
    examples=(
        example([2], [3], shape=(4,), indices=((Span(1, 3, 1),), (Span(None, 3, 1),))),
        example([3], [2], [4, 3], shape=(4, 3), indices=(
            (1, WHOLE), (Span(None, None, 2), 0), (WHOLE, WHOLE),
        )),
    ),
    doc="Zeros of a shape with each operand added at a basic index of its own.",
)  # fmt: skip


def is_laid(v: Node) -> bool:
    """Whether operand 0 is laid into zeros as some of its rows, which stand together."""
    if v.op is not place and v.op is not places:
        return False
    rows, *others = v.attrs["index"] if v.op is place else v.attrs["indices"][0]
    is_run = isinstance(rows, Span) and rows.step == 1
    return is_run and all(e == WHOLE for e in others)


def index_of_first(v: Node) -> str:
    """The text of the index at which a value that is laid has its operand 0."""
    return _index_source(v.attrs["index"] if v.op is place else v.attrs["indices"][0])


@spelling
def getitem(x: Node, index: Any) -> Node:
    """`x[index]` by ints, slices, None, Ellipsis, integer nodes and arrays, and arrays of bools.

    >>> import graphc as gc
    >>> gc.input("x", ("n", 4))[1:, ::2].type
    f64[n - 1, 2]
    """
    if isinstance(index, Node):
        if index.dtype == bool:
            raise IndexingError(MASK)
        return FUNCTIONS["take"](x, index, axis=0)  # type: ignore[no-any-return]
    given = index if isinstance(index, tuple) else (index,)
    if any(isinstance(entry, Node | np.ndarray | list | tuple) for entry in given):
        return FUNCTIONS["getitem_at_positions"](x, given)  # type: ignore[no-any-return]
    return at_index(x, index=tuple(map(_canonical, for_each_axis(x, given))))


def for_each_axis(x: Node, given: Sequence[Any]) -> Iterator[Any]:
    """One entry for each axis and each None, with the Ellipsis written out."""
    ellipses = sum(entry is Ellipsis for entry in given)
    used = sum(entry is not None and entry is not Ellipsis for entry in given)
    if ellipses > 1:
        raise IndexingError("an index holds at most one Ellipsis")
    if used > x.ndim:
        raise IndexingError(f"too many indices: {used} for {counted(x.ndim, 'axis', 'axes')}")
    for entry in given if ellipses else (*given, Ellipsis):
        yield from [slice(None)] * (x.ndim - used) if entry is Ellipsis else [entry]


def _canonical(entry: Any) -> Dim | Span | None:
    """An int, a size, a slice or None, as it stands in an index."""
    if not isinstance(entry, slice):
        return _bound(entry)
    step = 1 if entry.step is None else entry.step
    if not isinstance(step, int | np.integer) or step == 0:
        raise IndexingError(f"a slice's step must be an int that is not 0, not {step!r}")
    return Span(_bound(entry.start), _bound(entry.stop), int(step))


def _bound(value: Any) -> Dim | None:
    if value is None:
        return None
    is_int = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
    if is_int or shapes.is_expression(value):
        return shapes.as_bound(value)
    raise IndexingError(
        f"an index must be made of ints, slices, None and Ellipsis, and {value!r} is none of them; "
        "by integer tensors use gc.take, by masks gc.where"
    )


@spelling
def expand_dims(x: Any, axis: int = 0) -> Node:
    """x with a new axis of size 1.

    >>> import graphc as gc
    >>> gc.expand_dims(gc.input("x", ("n",)), axis=1).type
    f64[n, 1]
    """
    (value,) = lift([x], "expand_dims")
    at = as_axis(axis, value.ndim + 1, "result")
    return at_index(value, index=(WHOLE,) * at + (None,) + (WHOLE,) * (value.ndim - at))


@spelling
def squeeze(x: Any, axis: int | tuple[int, ...]) -> Node:
    """x without the given axes, which must be of size 1.

    >>> import graphc as gc
    >>> gc.squeeze(gc.input("x", ("n", 1)), axis=1).type
    f64[n]
    """
    (value,) = lift([x], "squeeze")
    axes = as_axes(axis, value.ndim)
    for a in axes:
        if value.shape[a] != 1:
            raise ShapeError(f"squeeze drops axes of size 1, and axis {a} has {value.shape[a]}")
    return at_index(value, index=tuple(0 if k in axes else WHOLE for k in range(value.ndim)))


@spelling
def flip(x: Any, axis: int | tuple[int, ...] | None = None) -> Node:
    """x with the order of its elements reversed along the given axes (all by default).

    >>> import graphc as gc
    >>> gc.evaluate(gc.flip(gc.constant([1, 2, 3])), {})
    array([3, 2, 1])
    """
    (value,) = lift([x], "flip")
    axes = as_axes(axis, value.ndim)
    back = Span(None, None, -1)
    return at_index(value, index=tuple(back if k in axes else WHOLE for k in range(value.ndim)))
