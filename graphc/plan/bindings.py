"""The head of a program: arguments become arrays, sizes are read from them, both are checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import shapes
from ..ir import Graph
from ..ops.leaves import literal
from ..passes.facts import ANYTHING, declared
from ..shapes import Reading
from .texts import Texts


def bindings(
    graph: Graph, readings: Sequence[Reading], texts: Texts, check_facts: bool
) -> Iterator[str]:
    """Arguments to arrays, then sizes from their shapes, then the sizes checked."""
    parameters, use, name_of, size_of = graph.parameters, texts.use, texts.name, texts.size
    for v in parameters:
        x = name_of(v)
        yield f"{x} = {use('as_input')}({v.name!r}, {x}, np.{v.dtype.name}, {v.ndim})"
        if check_facts and (fact := declared(v)) != ANYTHING and v.dtype != bool:
            low, high = (literal(bound, v.dtype) for bound in fact)
            said = "positive" if v.attrs.get("positive") else f"between {low} and {high}"
            said = "a distribution" if v.attrs.get("distribution") else said
            yield f"{use('check_fact')}({v.name!r}, {x}, {low}, {high}, {said!r})"
            if v.attrs.get("distribution"):
                yield f"{use('check_total')}({v.name!r}, {x})"
    for r in readings:
        v = parameters[r.input]
        size = f"{name_of(v)}.shape[{r.axis}]"
        if not r.is_bare:
            rest, text = size_of(r.rest), shapes.show(v.shape[r.axis])
            size = (
                f"{use('solve_size')}({v.name!r}, {r.axis}, {size}, "
                f"{r.factor}, {rest}, {text!r})"
            )
        yield f"{texts.dim_names[r.symbol.name]} = {size}"
    read = {(r.input, r.axis) for r in readings if r.is_bare}
    sources = shapes.sources(readings, [str(v.name) for v in parameters])
    for i, v in enumerate(parameters):
        if all((i, k) in read for k in range(v.ndim)):
            continue
        wanted = size_of(v.shape)
        shown = tuple(map(shapes.show, v.shape))
        reasons = tuple(
            "" if (i, k) in read else shapes.reason(d, sources) for k, d in enumerate(v.shape)
        )
        shape = f"{name_of(v)}.shape"
        yield f"if {shape} != {wanted}:"
        yield (
            f"    raise {use('wrong_shape')}"
            f"({v.name!r}, {shape}, {wanted}, {shown!r}, {reasons!r})"
        )
    for d in shapes.doubtful(v.shape for v in graph.nodes):
        size = size_of(d)
        reason = shapes.reason(d, sources)
        yield f"if {size} < 0:"
        yield f"    raise {use('no_size')}({shapes.show(d)!r}, {size}, {reason!r})"
