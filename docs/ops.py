"""Prints docs/ops.md from the op records: python -m docs.ops > docs/ops.md"""

import graphc as gc
from graphc.ir import OPS, cuts_path
from graphc.records import FAMILIES, derivatives, formula, program_text, signature

HEAD = """\
# The operations

Printed from the op records by `python -m docs.ops > docs/ops.md`; a test keeps it current.

**Formula** is the sympy expression that specifies the op. **Derivative** is what the op's `bprop`
builds for a gradient of 1, read back as sympy, by one input after the other. *Own rule* stands
where the gradient is made of operations that are not elementwise, *none* where the op cuts the path
of gradients. **NumPy** is the text that a program holds for the first of the record's own examples,
with `x0`, `x1` for the inputs.

Many public functions are compositions of these and have no record: `mean`, `var`, `std`, `norm`,
`median`, `quantile`, `logsumexp`, `softmax`, `log_softmax`, `ndtr`, `log_ndtr`, `gelu`, `matmul`,
`dot`, `outer`, `tensordot`, `stack`, `one_hot` and more. `help(gc.softmax)` tells about each."""


def main() -> None:
    print(HEAD)
    for heading in dict.fromkeys(FAMILIES.values()):
        print(f"\n## {heading}\n")
        print("| op | call | formula | derivative | NumPy |")
        print("|---|---|---|---|---|")
        for op in (op for op in OPS.values() if FAMILIES[op.family] == heading):
            texts = code(signature(op)), code(formula(op)), derivative(op), code(program_text(op))
            cells = [op.name, *texts]
            print("| " + " | ".join(cells) + " |")


def code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def derivative(op: gc.Op) -> str:
    found = derivatives(op)
    if found is None:
        return "*own rule*"
    return "; ".join(map(code, found)) or ("none" if op.bprop is cuts_path else "")


if __name__ == "__main__":
    main()
