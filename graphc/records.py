"""What an op's record says, as text: how it is called, its formula, derivative, program, kinks."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from sympy.printing.str import StrPrinter

from .errors import GraphcError
from .evaluate import evaluate
from .ir import FUNCTIONS, Example, Node, Op, cuts_path
from .meaning import expression
from .misfits import written
from .ops import elementwise, leaves
from .ops.leaves import constant, input

FAMILIES = {
    "elementwise": "Elementwise",
    "reduce": "Reductions",
    "contract": "Contractions",
    "linalg": "Linear algebra",
    "layout": "Layout",
    "pad": "Layout",
    "index": "Indexing",
    "scan": "Along an axis",
    "leaf": "Leaves",
}


class _Printer(StrPrinter):  # type: ignore[misc]
    """sympy's text, with cases and relations as people write them."""

    def _print_Piecewise(self, e: Any) -> str:
        *cases, (otherwise, _) = e.args
        texts = [f"{self._print(value)} where {self._print(c)}" for value, c in cases]
        return f"({', '.join(texts)}, else {self._print(otherwise)})"

    def _print_Relational(self, e: Any) -> str:
        return f"{self._print(e.lhs)} {e.rel_op} {self._print(e.rhs)}"


def mathematics(e: Any) -> str:
    """A sympy expression as people write it, numbers to six digits."""
    rounded = {r: sp.Float(r, 6) for r in e.atoms(sp.Rational) if r.q > 10**6}
    folded = sp.piecewise_fold(e.xreplace(rounded))
    text: str = _Printer().doprint(folded)
    return text[1:-1] if folded.is_Piecewise else text


def public(op: Op) -> Any:
    """What people call: the spelling of that name, or the record itself."""
    return getattr(leaves, op.name, FUNCTIONS[op.name])


def variables(op: Op) -> list[str]:
    """What to call the inputs: as the public function does, else as the formula does."""
    function = public(op)
    if op.meaning is not None:
        count = len(op.meaning.variables)
        if function is not op:
            return list(inspect.signature(function).parameters)[:count]
        return [str(v).strip("_") for v in op.meaning.variables]
    return ["x", "y", "z"][: len(op.examples[0].shapes)] if op.examples else []


def signature(op: Op) -> str:
    """How people write it: the signature of the public function, else the record's own inputs."""
    if public(op) is not op:
        return written(op.name, [*inspect.signature(public(op)).parameters.values()])
    attributes = op.examples[0].attrs if op.examples else {}
    return f"{op.name}({', '.join([*variables(op), *(f'{name}=' for name in attributes)])})"


def _meaning(op: Op) -> Any:
    return op.meaning(*sp.symbols(variables(op), real=True))


def formula(op: Op) -> str:
    """The expression that specifies an elementwise op; nothing for others."""
    return mathematics(_meaning(op)) if op.meaning is not None else ""


def derivatives(op: Op) -> list[str] | None:
    """What the bprop builds for a gradient of 1, for one input after the other.

    Empty where it cuts the path, None where it is made of operations that are not elementwise.

    >>> import graphc as gc
    >>> derivatives(gc.OPS["multiply"])
    ['y', 'x']
    """
    if op.bprop is cuts_path or op.bprop is None:
        return []
    if op.meaning is None or op.name == "where":
        return None
    inputs = [input(name, ()) for name in variables(op)]
    known = dict(zip(inputs, sp.symbols(variables(op), real=True), strict=True))
    node, one = op(*inputs), constant(1.0)
    built = [op.bprop(node, i, one) for i in range(len(inputs))]
    return [mathematics(expression(g, known)) for g in built]


def applied(op: Op, example: Example) -> Node:
    """The op on inputs x0, x1, ... of an example."""
    filled = zip(example.shapes, example.dtypes, strict=False)
    inputs = [input(f"x{i}", *of) for i, of in enumerate(filled)]
    return op(*inputs, **example.attrs)


def program_text(op: Op) -> str:
    """The text that a program holds for the first example."""
    return op.text(applied(op, op.examples[0])) if op.examples else ""


def description(op: Op) -> str:
    """The docstring of an op: its formula, its derivatives, and all that at a point.

    The numbers are those of the formula, to six digits: what the example computes must agree.

    >>> import graphc as gc
    >>> lines = description(gc.square).splitlines()
    >>> lines[0]
    'square(x): x**2, element by element. Derivative: 2*x.'
    >>> print(lines[-1])
    [0.25, 1.0]
    """
    if op.meaning is None:
        return f"{signature(op)}: one of graphc's operations ({op.family or 'of no family'})."
    slopes = derivatives(op)
    told = "No gradient passes." if slopes == [] else ""
    if slopes:
        told = f"Derivative{'s' * (len(slopes) > 1)}: {'; '.join(slopes)}."
    named = dict.fromkeys((signature(op), formula(op)))  # exp(x) is its own formula
    head = f"{': '.join(named)}, element by element. {told}".rstrip()
    return "\n".join([head, "", *_shown_at_a_point(op, bool(slopes))])


def _shown_at_a_point(op: Op, has_slopes: bool) -> Iterator[str]:
    names = variables(op)
    takes_truth = op.examples[0].dtypes[0] == "bool"
    low, high = op.examples[0].between
    inside = [p if low < p < high else round(low + (high - low) * p, 2) for p in (0.5, 0.75, 0.25)]
    points = [True, False, True] if takes_truth else inside
    at = dict(zip(names, points, strict=False))
    declared = ", ".join(f'gc.input("{x}", (){", bool" * takes_truth})' for x in names)
    yield ">>> import graphc as gc"
    yield f">>> {', '.join(names)} = {declared}"
    is_ours = getattr(elementwise, op.name, None) is op
    spelled = f"gc.{op.name}" if is_ours else f'gc.OPS["{op.name}"]'
    yield f">>> f = {spelled}({', '.join(names)})"
    values = ", ".join(f"{x}: {value}" for x, value in at.items())
    meaning = _meaning(op)
    symbols = sp.symbols(names, real=True)
    wanted = [meaning, *(sp.diff(meaning, x) for x in symbols if has_slopes)]
    found = [e.subs(dict(zip(symbols, points, strict=False))) for e in wanted]
    if found[0] in (sp.true, sp.false):
        yield f">>> bool(gc.evaluate(f, {{{values}}}))"
        yield str(bool(found[0]))
        return
    asked = ", ".join(["f", *(f"gc.grad(f, {x})" for x in names if has_slopes)])
    yield f">>> [round(float(v), 6) for v in gc.evaluate([{asked}], {{{values}}})]"
    yield str([round(float(e.evalf(50)), 6) for e in found])


FUNCTIONS["description"] = description


class Kink(NamedTuple):
    """Where an op has no derivative, and what is taken for it, for one input after the other."""

    where: str
    taken: str


def kinks(op: Op) -> list[Kink]:
    """The kinks of an elementwise op, read off its formula, with our derivative at each.

    >>> import graphc as gc
    >>> kinks(gc.OPS["abs"])
    [Kink(where='x == 0', taken='0')]
    """
    if op.meaning is None or not derivatives(op):
        return []
    symbols = sp.symbols(variables(op), real=True)
    found = []
    for switch in _switches(_meaning(op)):
        at = _point(switch, symbols)
        if at:
            found.append(Kink(mathematics(switch), _taken(op, [at[s] for s in symbols])))
    return list(dict.fromkeys(found))


def _switches(e: Any) -> Iterator[Any]:
    """The equations on which an expression changes from one formula to another."""
    for part in sorted(e.atoms(sp.Abs, sp.sign, sp.Max, sp.Min), key=str):
        if isinstance(part, sp.Abs | sp.sign):
            yield sp.Eq(part.args[0], 0, evaluate=False)
        else:
            plain = [a for a in part.args if not a.has(sp.Max, sp.Min)]
            inner = [b for a in part.args if a not in plain for b in a.args]
            first, *others = sorted([*plain, *inner], key=lambda a: (not a.is_Symbol, str(a)))
            for other in others if not inner else [b for b in inner if b is not first]:
                yield sp.Eq(plain[0] if inner else first, other, evaluate=False)


def _point(switch: Any, symbols: Iterable[Any]) -> dict[Any, float]:
    """A point that lies on an equation; nothing where none is found."""
    at = {s: sp.Integer(1) for s in symbols}
    for s in switch.free_symbols:
        for solution in sp.solve(switch.lhs - switch.rhs, s)[:1]:
            at[s] = solution.subs(at)
            return {k: float(v) for k, v in at.items()}
    return {}


def _taken(op: Op, at: list[float]) -> str:
    inputs = [input(name, ()) for name in variables(op)]
    node = op(*inputs)
    assert op.bprop is not None
    slopes = [op.bprop(node, i, constant(1.0)) for i in range(len(inputs))]
    values = dict(zip(inputs, at, strict=True))
    return "; ".join(f"{float(value):g}" for value in evaluate(slopes, values))


def type_rules(op: Op) -> list[str]:
    """The types of the results on the record's own examples."""
    lines = []
    for example in op.examples:
        node = applied(op, example)
        given = ", ".join(repr(x.type) for x in node.inputs)
        attrs = ", ".join(f"{k}={_shown(v)}" for k, v in node.attrs.items())
        lines.append(f"{', '.join(filter(None, [given, attrs]))} -> {node.type!r}")
    return list(dict.fromkeys(lines))


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else text[:39] + "…"


def worked(op: Op) -> str:
    """The op on small numbers, computed: nothing where its examples are symbolic or large."""
    for example in op.examples:
        node = applied(op, example)
        sizes = [d for x in (*node.inputs, node) for d in x.shape]
        if not all(isinstance(d, int) for d in sizes) or len(sizes) > 6 or not node.inputs:
            continue
        rng = np.random.default_rng(0)
        low, high = example.between
        values = {
            x: (np.round(rng.uniform(low, high, x.shape), 1) + 0.0).astype(x.dtype)
            for x in node.inputs
        }
        try:
            result = evaluate(node, values)
        except (GraphcError, IndexError, ValueError):
            continue
        given = ", ".join(_array(v) for v in values.values())
        attrs = "".join(f", {k}={_shown(v)}" for k, v in node.attrs.items())
        return f"{op.name}({given}{attrs}) = {_array(result)}"
    return ""


def _array(value: Any) -> str:
    return " ".join(np.array2string(np.asarray(value), precision=4, separator=", ").split())
