"""graphc ops and bench: what graphc knows, and how fast it is."""

from __future__ import annotations

import argparse
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from .. import records
from ..draw.text import short
from ..ir import FUNCTIONS, OPS, Op, cuts_path
from ..misfits import written
from ..wording import did_you_mean
from . import voice
from .given import Usage

_WIDTH, _WIDEST = 79, 44
# How many types and kinks are listed of one op.
_MOST = 6

# -- ops ---------------------------------------------------------------------------------------


def ops_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", nargs="?", help="one; else a table")


def run_ops(options: argparse.Namespace) -> bool:
    if options.name is None:
        _all()
    elif options.name in OPS:
        _record(OPS[options.name])
    elif options.name in _compositions():
        _composition(options.name, _compositions()[options.name])
    else:
        alike = did_you_mean(options.name, [*OPS, *_compositions()], most=3)
        hint = alike or "`graphc ops` lists them"
        raise Usage(f"there is no operation {options.name}: {hint}")
    return True


def _all() -> None:
    """Every record, a line each, by families."""
    for heading in dict.fromkeys(records.FAMILIES.values()):
        voice.heading(heading)
        ops = [op for op in OPS.values() if records.FAMILIES.get(op.family) == heading]
        rows = [(short(records.signature(op), _WIDEST), *_formulas(op)) for op in ops]
        voice.table(("call", "formula", "derivative"), rows)
        voice.say()
    names = ", ".join(sorted(n for n in _compositions() if n in _public()))
    voice.heading("Made of these")
    voice.say(textwrap.fill(names, _WIDTH))


def _formulas(op: Op) -> tuple[str, str]:
    return short(records.formula(op), _WIDEST), short(_derivative(op), _WIDEST)


def _derivative(op: Op) -> str:
    found = records.derivatives(op)
    if found is None:
        return "its own rule"
    return "; ".join(found) or ("none" if op.bprop is cuts_path else "")


def _compositions() -> dict[str, Any]:
    """Public functions that are no records."""
    return {n: f for n, f in FUNCTIONS.items() if n not in OPS and inspect.getdoc(f)}


def _public() -> set[str]:
    return set(sys.modules["graphc"].__all__)


def _record(op: Op) -> None:
    """All that one record says."""
    voice.heading(records.signature(op))
    _documentation(records.public(op) if records.public(op) is not op else None, op.doc)
    facts = {
        "family": records.FAMILIES.get(op.family, op.family).lower(),
        "formula": records.formula(op),
        "derivative": _derivative(op),
        "NumPy": records.program_text(op),
        "memory": "its result may share memory with its input" if op.view else "",
    }
    voice.say()
    for name, fact in facts.items():
        if fact:
            voice.say(f"{name + ':':12}{fact}")
    for title, lines in {
        "kinks": [f"where {k.where}, the derivative is {k.taken}" for k in records.kinks(op)],
        "types": records.type_rules(op),
        "example": [records.worked(op)],
    }.items():
        shown = [line for line in lines if line]
        more = [f"and {len(shown) - _MOST} more"] if len(shown) > _MOST else []
        for k, line in enumerate(shown[:_MOST] + more):
            voice.say(f"{(title + ':') * (not k):12}{line}")


def _composition(name: str, function: Any) -> None:
    voice.heading(written(name, [*inspect.signature(function).parameters.values()]))
    _documentation(function, "")
    voice.say()
    voice.say("It is made of other operations, and has no record of its own.")


def _documentation(function: Any, text: str) -> None:
    told = inspect.getdoc(function) if function is not None else inspect.cleandoc(text)
    if told:
        voice.say()
        voice.source(told, "pycon")


# -- bench -------------------------------------------------------------------------------------


def bench_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "arguments", metavar="...", nargs=argparse.REMAINDER, help="options of the benchmarks"
    )


def run_bench(options: argparse.Namespace) -> bool:
    root = _benchmarks()
    if root is None:
        raise Usage(
            "the benchmarks are not here: they come with graphc's source, in its folder "
            "`benchmarks`, and not with the installed package. In a clone of the source, "
            "`graphc bench` or `python -m benchmarks` runs them"
        )
    given = [a for a in options.arguments if a not in ("--", "--traceback")]
    done = subprocess.run([sys.executable, "-m", "benchmarks", *given], cwd=root, check=False)
    return done.returncode == 0


def _benchmarks() -> Path | None:
    """The folder that holds `benchmarks`: here, or where graphc's own source is."""
    for root in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (root / "benchmarks" / "__main__.py").is_file() and (root / "graphc").is_dir():
            return root
    return None
