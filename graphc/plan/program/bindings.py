"""The head of a program: arguments become arrays, sizes are read from them, both are checked."""

from __future__ import annotations

from collections.abc import Iterator

from ... import shapes
from ...binding import Binding
from ...ops.leaves import literal
from ...passes.facts import ANYTHING, declared
from .texts import Texts


def bindings(binding: Binding, texts: Texts, check_facts: bool) -> Iterator[str]:
    """Arguments to arrays, then sizes from their shapes, then the sizes checked."""
    yield from _arrays(binding, texts, check_facts)
    yield from _sizes(binding, texts)
    yield from _checks(binding, texts)


def _arrays(binding: Binding, texts: Texts, check_facts: bool) -> Iterator[str]:
    for v in binding.inputs:
        x, use = texts.name(v), texts.use
        yield f"{x} = {use('as_input')}({v.name!r}, {x}, np.{v.dtype.name}, {v.ndim})"
        if check_facts and (fact := declared(v)) != ANYTHING and v.dtype != bool:
            low, high = (literal(bound, v.dtype) for bound in fact)
            ends = (bound.strip("()").replace("np.", "") for bound in (low, high))
            said = "positive" if v.attrs.get("positive") else f"between {' and '.join(ends)}"
            said = "a distribution" if v.attrs.get("distribution") else said
            yield f"{use('check_fact')}({v.name!r}, {x}, {low}, {high}, {said!r})"
            if v.attrs.get("distribution"):
                yield f"{use('check_total')}({v.name!r}, {x})"


def _sizes(binding: Binding, texts: Texts) -> Iterator[str]:
    for r in binding.readings:
        v = binding.inputs[r.input]
        size = f"{texts.name(v)}.shape[{r.axis}]"
        if not r.is_bare:
            rest, text = texts.size(r.rest), shapes.show(v.shape[r.axis])
            size = (
                f"{texts.use('solve_size')}({v.name!r}, {r.axis}, {size}, "
                f"{r.factor}, {rest}, {text!r})"
            )
        yield f"{texts.dim_names[str(r.symbol)]} = {size}"


def _checks(binding: Binding, texts: Texts) -> Iterator[str]:
    for i, shown, reasons in binding.fits:
        v = binding.inputs[i]
        shape, wanted = f"{texts.name(v)}.shape", texts.size(v.shape)
        yield f"if {shape} != {wanted}:"
        yield (
            f"    raise {texts.use('wrong_shape')}"
            f"({v.name!r}, {shape}, {wanted}, {shown!r}, {reasons!r})"
        )
    for d, least, reason in binding.needs:
        size, more = texts.size(d), f", {least}" if least else ""
        yield f"if {size} < {least}:"
        yield f"    raise {texts.use('no_size')}({shapes.show(d)!r}, {size}, {reason!r}{more})"
