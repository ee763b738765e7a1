"""What the edges of the jacobians view bear: the derivative of one operation by one input."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import GraphcError
from ..ir import FUNCTIONS, OPS, Node
from ..notation import Term, is_written_inside, reference, term, text


def local_derivative(v: Node, x: Node, names: Mapping[Node, Term]) -> str:
    """∂v/∂x of one operation, as textbooks write it at the edge from x to v."""
    return " + ".join(_derivative(v, i, names) for i, u in enumerate(v.inputs) if u is x)


def _derivative(v: Node, i: int, names: Mapping[Node, Term]) -> str:
    if v.op.bprop is None or not v.type.is_float or not v.inputs[i].type.is_float:
        return "none"
    known = {u: reference(u, names) for u in (*v.inputs, v)}
    try:
        if v.op.family == "elementwise":
            # On scalars the rule is the derivative itself, without sums over what was stretched.
            scalars = [_scalar(u, k) for k, u in enumerate(v.inputs)]
            alone = v.op(*scalars, **v.attrs)
            one = FUNCTIONS["constant"](1.0, dtype=v.dtype)
            found = v.op.bprop(alone, i, one)
            told = {s: known[u] for s, u in zip(scalars, v.inputs, strict=True) if s is not u}
            return text(term(found, {**told, alone: known[v]}, 4))
        if "subscripts" in v.attrs:
            others = [known[u] for k, u in enumerate(v.inputs) if k != i]
            return " ".join(text(t, 6) for t in others) or "1"
        incoming = OPS["input"](name="G", type=v.type)
        found = v.op.bprop(v, i, incoming)
        written = text(term(found, {**known, incoming: Term("name", "G")}, 3))
    except (NotImplementedError, GraphcError):
        return "none"
    return "1" if written == "G" else f"G ↦ {written}"


def _scalar(u: Node, k: int) -> Node:
    if is_written_inside(u):
        while u.inputs:
            u = u.inputs[0]
        return u
    return OPS["input"](name=f"x{k}", type=u.type.with_shape(()))
