"""graphc compile, draw, check, explain: what is done with the graph of a user's file."""

from __future__ import annotations

import argparse
import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..autodiff import grad
from ..check import check
from ..check.point import point
from ..compile import Function, compile
from ..draw import draw, tree
from ..draw.subject import VIEWS
from ..errors import ArgumentError
from ..explain import explain
from ..forms import leaves
from ..ir import Graph, Node
from ..passes import Mode
from . import voice
from .files import Found, find
from .given import Usage, names, picked, values

_MODES: dict[str, Mode] = {"on": True, "strict": "strict", "off": False}
# A program and the reference interpreter may differ by reordered sums.
_TOLERANCE = 1e-6
_EVERY = "every input of floats"


def _file(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE[:NAME]", help="a Python file that builds nodes")


def _wrt(command: argparse.ArgumentParser, default: str = "none") -> None:
    command.add_argument(
        "--wrt", metavar="W,b", help=f"differentiate by these names; else {default}"
    )


def _at(command: argparse.ArgumentParser, default: str) -> None:
    command.add_argument("--at", metavar="x=2,w=[1,2],X=f.npy", help=f"the point; else {default}")


def _found(options: argparse.Namespace) -> tuple[Found, list[Node]]:
    with voice.working(f"running {options.file}"):
        found = find(options.file)
    if found.chosen:
        voice.note(found.chosen)
    wrt = picked(names(options.wrt), found.known, "--wrt") if options.wrt else []
    return found, wrt


def _inputs(z: Node) -> list[Node]:
    """What to differentiate by where nothing is named."""
    inputs = [v for v in Graph([z]).parameters if v.type.is_float]
    if not inputs:
        raise Usage(f"{z.label} has no input of floats to differentiate by")
    return inputs


def _given(options: argparse.Namespace, found: Found) -> dict[Any, Any] | None:
    at = values(options.at)
    picked(at, found.known, "--at")
    return at or None


# -- compile -----------------------------------------------------------------------------------


def compile_options(command: argparse.ArgumentParser) -> None:
    _file(command)
    _wrt(command)
    command.add_argument("-o", "--output", metavar="DIR", default=".", help="where to write to")
    command.add_argument(
        "--simplify", choices=tuple(_MODES), default="on", help="rewrite the graph (default: on)"
    )
    command.add_argument("--seed", type=int, default=0, help="of the random point (default: 0)")
    command.add_argument("--show", action="store_true", help="print the program too")


def run_compile(options: argparse.Namespace) -> bool:
    found, wrt = _found(options)
    outputs = _with_gradients(found, wrt)
    with voice.working("compiling"):
        f = compile(outputs, name=_identifier(found.name), simplify=_MODES[options.simplify])
    program, picture = found.file(".py", options.output), found.file(".svg", options.output)
    Path(options.output).mkdir(parents=True, exist_ok=True)
    f.save(program)
    with voice.working("drawing"):
        draw(f).save(picture)
    _report(f)
    voice.say()
    if options.show:
        voice.source(f.source)
    voice.say(f"program: {program}")
    voice.say(f"picture: {picture}")
    runs = _runs_right(f, outputs, options.seed)
    if not wrt:
        voice.say("gradient: none asked for (--wrt W,b asks)")
        return runs
    voice.say()
    report = check(found.one, wrt, seed=options.seed)
    voice.show(report)
    return runs and report.ok


def _with_gradients(found: Found, wrt: list[Node]) -> Any:
    """What the program returns: the outputs, and the gradients by name."""
    if not wrt:
        return found.outputs
    gradients = grad(found.one, wrt)
    named = {f"grad_{v.label}": g for v, g in zip(wrt, gradients, strict=True)}
    return {found.name: found.one, **named}


def _identifier(name: str) -> str:
    plain = re.sub(r"\W", "_", name)
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def _report(f: Function) -> None:
    """The table of passes and costs."""
    first, *lines = str(f.report).splitlines()
    voice.heading(first)
    for line in lines:
        voice.say(line)


def _runs_right(f: Function, outputs: Any, seed: int) -> bool:
    """Whether the program gives what the reference interpreter gives, at a random point."""
    nodes = leaves(outputs)
    try:
        here = point([*nodes, *f.graph.parameters], None, seed)
    except ArgumentError as error:
        voice.say(f"program: not tried, for {error.sentence}")
        return True
    results = leaves(f(**{str(v.name): here.values[v] for v in f.graph.parameters}))
    largest = max(_distance(a, here.values[v]) for a, v in zip(results, nodes, strict=True))
    verdict = "as" if largest <= _TOLERANCE else "OTHER THAN"
    voice.say(
        f"at a random point the program computes {verdict} the reference interpreter does "
        f"(largest relative difference {largest:.0e})"
    )
    if here.drawn:
        voice.say(f"({here.drawn})")
    return bool(largest <= _TOLERANCE)


def _distance(a: Any, b: Any) -> float:
    """How far two results are apart, beside their size; NaN is as good as NaN."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if np.all(same):
        return 0.0
    with np.errstate(all="ignore"):
        scale = max(1.0, float(np.max(np.abs(b[~same]))))
        return float(np.max(np.abs(a - b)[~same])) / scale


# -- draw --------------------------------------------------------------------------------------


def draw_options(command: argparse.ArgumentParser) -> None:
    _file(command)
    _wrt(command)
    command.add_argument(
        "-o", "--output", metavar="PATH", help="its suffix decides: .svg .html .png .pdf .dot"
    )
    command.add_argument(
        "--view", choices=VIEWS, help="what to show (default: all that there is)"
    )
    command.add_argument("--fold", action="store_true", help="fold every scope and repetition")
    command.add_argument("--tree", action="store_true", help="print an outline instead")


def run_draw(options: argparse.Namespace) -> bool:
    found, wrt = _found(options)
    if options.tree:
        voice.show(tree(*found.nodes))
        return True
    path = Path(options.output) if options.output else found.file(".svg")
    if options.view == "plan":
        draw(compile(_with_gradients(found, wrt)), view="plan", title=found.name).save(path)
        voice.say(f"picture: {path}")
        return True
    with voice.working("drawing"):
        drawing = draw(
            *found.nodes, wrt=wrt or None, view=options.view, fold=options.fold or None
        )
        drawing.save(path)
    voice.say(f"picture: {path} ({drawing.picture.description})")
    return True


# -- check -------------------------------------------------------------------------------------


def check_options(command: argparse.ArgumentParser) -> None:
    _file(command)
    _wrt(command, _EVERY)
    _at(command, "one is drawn at random")
    command.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    command.add_argument("--plot", metavar="FILE", help="draw the error against the step, as SVG")


def run_check(options: argparse.Namespace) -> bool:
    found, wrt = _found(options)
    wrt = wrt or _inputs(found.one)
    report = check(found.one, wrt, at=_given(options, found), seed=options.seed)
    voice.show(report)
    if options.plot:
        Path(options.plot).write_text(report.plot(), encoding="utf-8")
        voice.note(f"the error against the step is drawn in {options.plot}")
    return report.ok


# -- explain -----------------------------------------------------------------------------------


def explain_options(command: argparse.ArgumentParser) -> None:
    _file(command)
    _wrt(command, _EVERY)
    _at(command, "formulas alone")
    command.add_argument(
        "--format", choices=("text", "markdown", "latex"), default="text", help="default: text"
    )
    command.add_argument(
        "--limit", type=int, default=40, metavar="N", help="steps to write out (40); 0: all"
    )
    command.add_argument("--why", metavar="NAME", help="only why this value is there, or is not")


def run_explain(options: argparse.Namespace) -> bool:
    found, wrt = _found(options)
    if options.limit < 0:
        raise Usage(f"--limit is a number of steps, or 0 for all, and not {options.limit}")
    wrt = wrt or _inputs(found.one)
    e = explain(found.one, wrt, _given(options, found), limit=options.limit or None)
    if options.why:
        voice.say(e.why(_asked(options.why, found.known)))
    else:
        voice.say(getattr(e, options.format))
    return True


def _asked(name: str, known: Mapping[str, Node]) -> Node | str:
    return known.get(name, name)
