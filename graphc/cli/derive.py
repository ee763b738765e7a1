"""graphc derive: an expression, its derivatives in four ways, their formulas."""

from __future__ import annotations

import argparse
from typing import Any

from ..check import check
from ..draw import draw
from ..errors import Disconnected
from ..explain import Explanation, explain
from ..ir import Graph, Node, tell, topo
from . import voice
from .expression import CONSTANTS, parse
from .four_ways import DIGITS, FourWays, Slopes, four_ways
from .given import Usage, names, picked, values

_EXAMPLE = 'graphc derive "exp(x*z) + x*z/log(x)" --wrt x,z --at x=2,z=3'
_VERDICTS = {"kink": "", "outside": "the point is outside the domain: "}
WAYS = ("reverse mode", "forward mode", f"sympy, {DIGITS} digits", "differences")


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "expression", metavar="EXPRESSION", help="names, numbers, + - * / **, functions"
    )
    command.add_argument("--wrt", metavar="x,z", help="what to differentiate by; else every name")
    command.add_argument("--at", metavar="x=2,z=3", help="the point; without it, formulas alone")
    command.add_argument("--svg", metavar="FILE", help="draw the graph with its gradients")
    command.add_argument("--explain", action="store_true", help="tell the derivation step by step")
    command.add_argument("--latex", action="store_true", help="write the formulas in LaTeX")
    command.epilog = f"Example: {_EXAMPLE}"


def run(options: argparse.Namespace) -> bool:
    at = values(options.at)
    wanted = names(options.wrt) if options.wrt else []
    y = parse(options.expression, {*at, *wanted})
    inputs = {str(v.name): v for v in Graph([y]).parameters}
    wrt = picked(wanted, inputs, "--wrt") if wanted else list(inputs.values())
    picked(at, inputs, "--at")
    if not wrt:
        raise Usage("the expression has no names to differentiate by")
    missing = [name for name in inputs if name not in at]
    if at and missing:
        raise Usage(f"--at gives no value for {', '.join(missing)}")
    y = _named(y, inputs)
    e = explain(y, wrt, {inputs[k]: v for k, v in at.items()} or None)
    voice.heading(f"{y.label} = {options.expression.strip()}")
    agree = True
    if at:
        agree = _compare(y, wrt, at)
    _formulas(e, options.latex)
    if options.explain:
        voice.say()
        voice.say(e)
    if options.svg:
        draw(y, wrt=wrt).save(options.svg)
        voice.note(f"the graph is drawn in {options.svg}")
    return agree


def _named(y: Node, inputs: dict[str, Node]) -> Node:
    """The expression as a value called y, or f where y is one of its names; with no line."""
    for v in topo([y]):
        tell(v, where=None)  # nobody's program made it
    if y.op.family == "leaf":
        return y
    name = next(n for n in ("y", "f", "value", "result_") if n not in {*inputs, *CONSTANTS})
    return y.named(name)


def _compare(y: Node, wrt: list[Node], at: dict[str, Any]) -> bool:
    """The table of the four ways; whether they agree."""
    found = four_ways(y, wrt, at)
    point = ", ".join(f"{name} = {value:g}" for name, value in at.items())
    voice.say(f"{y.label} = {found.value:.10g}   at {point}")
    voice.say()
    pairs = list(zip(wrt, found.slopes, strict=True))
    rows = [_row(f"d{y.label}/d{x.name}", slopes) for x, slopes in pairs]
    voice.table(("", *WAYS, "differ by"), rows, numbers=True)
    voice.say()
    for x in wrt:
        _remark(y, x, at)
    wrong = [str(x.name) for x, s in pairs if not s.agree]
    _exactly(y, wrt, found)
    if wrong:
        voice.say(f"The ways differ by more than rounding: by {', '.join(wrong)}.")
    return not wrong


def _remark(y: Node, x: Node, at: dict[str, Any]) -> None:
    """What there is to know of the point: it is on a kink, or outside the domain."""
    try:
        (row,) = check(y, x, at=at).rows
    except Disconnected:
        return
    if row.verdict in _VERDICTS:
        voice.say(f"By {x.name}: {_VERDICTS[row.verdict]}{row.reason}.")
        voice.say()


def _row(name: str, s: Slopes) -> tuple[str, ...]:
    symbolic = "-" if s.symbolic is None else f"{float(s.symbolic):.10g}"
    largest = "-" if s.largest != s.largest else f"{s.largest:.0e}" if s.largest else "0"
    numeric = f"{s.numeric:.10g}" if s.is_known_numerically else "-"
    return name, f"{s.reverse:.10g}", f"{s.forward:.10g}", symbolic, numeric, largest


def _exactly(y: Node, wrt: list[Node], found: FourWays) -> None:
    """The 50 digits, or why there are none."""
    if found.refusal:
        voice.say(f"sympy is left out: {found.refusal}.")
        voice.say()
        return
    voice.heading(f"To {DIGITS} digits, by sympy")
    voice.say(f"{y.label} = {found.symbolic}")
    for x, s in zip(wrt, found.slopes, strict=True):
        told = "none that is finite" if s.symbolic is None else s.symbolic
        voice.say(f"d{y.label}/d{x.name} = {told}")
    voice.say()


def _formulas(e: Explanation, latex: bool) -> None:
    y = e.table.z
    voice.heading("Formulas")
    for x in e.table.targets:
        if x not in e.table:
            voice.say(f"d{y.label}/d{x.name} = 0: {e.missing[x].removeprefix('no gradient: ')}")
            continue
        formula = e.derivation.result(x)
        if latex:
            name = rf"\frac{{\partial {y.label}}}{{\partial {x.name}}}"
            voice.say(f"{name} = {formula.latex}")
        else:
            voice.say(f"d{y.label}/d{x.name} = {formula}")
