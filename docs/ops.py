"""Prints docs/ops.md from the op records: python -m docs.ops > docs/ops.md"""

import inspect
from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

import graphc as gc
from graphc.ir import FUNCTIONS, OPS, cuts_path
from graphc.meaning import expression

HEAD = """\
# The operations

Printed from the op records by `python -m docs.ops > docs/ops.md`; a test keeps it current.

**Formula** is the sympy expression that specifies the op. **Derivative** is what the op's `bprop`
builds for a gradient of 1, read back as sympy, by one input after the other. *Own rule* stands
where the gradient is made of operations that are not elementwise, *none* where the op cuts the path
of gradients. **NumPy** is the text that a program holds for the first of the record's own examples,
with `x0`, `x1` for the inputs.

Many public functions are compositions of these and have no record: `mean`, `var`, `std`, `norm`,
`logsumexp`, `softmax`, `log_softmax`, `matmul`, `dot`, `outer`, `tensordot`, `stack`,
`one_hot` and more. `help(gc.softmax)` tells about each."""

FAMILIES = {
    "elementwise": "Elementwise",
    "reduce": "Reductions",
    "contract": "Contractions",
    "layout": "Layout",
    "pad": "Layout",
    "index": "Indexing",
    "scan": "Along an axis",
    "leaf": "Leaves",
}


class Printer(StrPrinter):
    """sympy's text, with cases and relations as people write them."""

    def _print_Piecewise(self, e: Any) -> str:
        *cases, (otherwise, _) = e.args
        texts = [f"{self._print(value)} where {self._print(c)}" for value, c in cases]
        return f"({', '.join(texts)}, else {self._print(otherwise)})"

    def _print_Relational(self, e: Any) -> str:
        relation = {"Eq": "==", "Ne": "!="}.get(type(e).__name__.replace("uality", ""), e.rel_op)
        return f"{self._print(e.lhs)} {relation} {self._print(e.rhs)}"


def main() -> None:
    print(HEAD)
    for heading in dict.fromkeys(FAMILIES.values()):
        print(f"\n## {heading}\n")
        print("| op | call | formula | derivative | NumPy |")
        print("|---|---|---|---|---|")
        for op in (op for op in OPS.values() if FAMILIES[op.family] == heading):
            cells = [op.name, call(op), formula(op), derivative(op), numpy(op)]
            print("| " + " | ".join(cells) + " |")


def code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def mathematics(e: Any) -> str:
    rounded = {r: sp.Float(r, 6) for r in e.atoms(sp.Rational) if r.q > 10**6}
    folded = sp.piecewise_fold(e.xreplace(rounded))
    text: str = Printer().doprint(folded)
    return code(text[1:-1] if folded.is_Piecewise else text)


def call(op: gc.Op) -> str:
    """How people write it: the signature of the public function, else the record's own inputs."""
    function = public(op)
    if function is op:
        attributes = op.examples[0].attrs if op.examples else {}
        names = [*variables(op), *(f"{name}=" for name in attributes)]
    else:
        names = [parameter(p) for p in inspect.signature(function).parameters.values()]
    return code(f"{op.name}({', '.join(names)})")


def public(op: gc.Op) -> Any:
    return getattr(gc, op.name, FUNCTIONS[op.name])


def parameter(p: inspect.Parameter) -> str:
    if p.default is p.empty:
        return str(p.replace(annotation=p.empty))
    return f"{p.name}={getattr(p.default, '__name__', p.default)}"


def variables(op: gc.Op) -> list[str]:
    """What to call the inputs: as the public function does, else as the formula does."""
    function = public(op)
    if op.meaning is not None:
        count = len(op.meaning.variables)
        if function is not op:
            return list(inspect.signature(function).parameters)[:count]
        return [str(v).strip("_") for v in op.meaning.variables]
    return ["x", "y", "z"][: len(op.examples[0].shapes)] if op.examples else []


def meaning(op: gc.Op) -> Any:
    return op.meaning(*sp.symbols(variables(op), real=True))


def formula(op: gc.Op) -> str:
    return mathematics(meaning(op)) if op.meaning is not None else ""


def derivative(op: gc.Op) -> str:
    if op.bprop is cuts_path:
        return "none"
    if op.bprop is None:
        return ""
    if op.meaning is None or op.name == "where":
        return "*own rule*"
    inputs = [gc.input(name, ()) for name in variables(op)]
    known = dict(zip(inputs, sp.symbols(variables(op), real=True), strict=True))
    node, one = op(*inputs), gc.constant(1.0)
    built = [op.bprop(node, i, one) for i in range(len(inputs))]
    return "; ".join(mathematics(expression(g, known)) for g in built)


def numpy(op: gc.Op) -> str:
    if not op.examples:
        return ""
    shapes, attrs, _, dtypes = vars(op.examples[0]).values()
    inputs = [gc.input(f"x{i}", *of) for i, of in enumerate(zip(shapes, dtypes, strict=False))]
    return code(op.text(op(*inputs, **attrs)))


if __name__ == "__main__":
    main()
