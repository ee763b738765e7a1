"""The command `graphc`: its options, and what it answers. 0: fine, 1: a check failed, 2: misuse."""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn

from ..errors import GraphcError
from ..wording import did_you_mean
from . import derive, inspection, work
from .given import Usage

FINE, FAILED, MISUSED = 0, 1, 2
_WIDTH = 79
_LEFT = re.compile(r"unrecognized arguments: ([^-].*)")
_CHOICE = re.compile(r"argument (\S+): invalid choice: (.*) \(choose from (.*)\)")


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one paragraph, and whose help is 80 columns wide."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            formatter_class=lambda prog: argparse.HelpFormatter(
                prog, max_help_position=24, width=_WIDTH
            ),
            allow_abbrev=False,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        unknown = re.search(r"argument COMMAND: invalid choice: '(.*?)'", message)
        if unknown:
            hint = did_you_mean(unknown[1], COMMANDS) or f"there are {', '.join(COMMANDS)}"
            message = f"there is no command {unknown[1]!r}: {hint}"
        elif choice := _CHOICE.search(message):
            option, given, choices = (part.replace("'", "") for part in choice.groups())
            message = f"{option} is one of {choices}, and not {given}"
        elif left := _LEFT.match(message):
            one = "a command takes one argument, and the rest by options, as in --wrt x,z --at x=2"
            message = f"{left[1]} is left over: {one}"
        elif "arguments are required: COMMAND" in message:
            message = f"give a command: {', '.join(COMMANDS)}"
        raise Usage(f"{message} (`{self.prog} --help` tells more)")


# How each is told of its options, what it does, and returns whether all is fine, and its help.
COMMANDS = {
    "derive": (derive.add_options, derive.run, "the derivatives of an expression, in four ways"),
    "compile": (work.compile_options, work.run_compile, "write a file's graph as a NumPy program"),
    "draw": (work.draw_options, work.run_draw, "draw a file's graph"),
    "check": (work.check_options, work.run_check, "hold gradients against other ways to get them"),
    "explain": (work.explain_options, work.run_explain, "tell where a gradient comes from"),
    "ops": (inspection.ops_options, inspection.run_ops, "the operations, or all about one"),
    "bench": (inspection.bench_options, inspection.run_bench, "run the benchmarks"),
}


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = _Parser(
        prog="graphc",
        description="A static compiler for symbolic computation graphs.",
        epilog="FILE is a Python file that builds nodes; FILE:NAME picks one of its variables. "
        "Exit codes: 0 fine, 1 a check failed, 2 wrong usage.",
    )
    top.add_argument("--version", action="version", version=f"graphc {metadata.version('graphc')}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (add_options, run, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=_sentence(summary))
        add_options(command)
        command.add_argument("--traceback", action="store_true", help="show where errors arise")
        command.set_defaults(run=run)
    return top


def _sentence(summary: str) -> str:
    return summary[0].upper() + summary[1:] + "."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code.

    >>> main(["derive", "x**2", "--at", "x=3"])
    y = x**2
    ...
    0
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["bench"] and given[1:2] not in (["-h"], ["--help"]):
        given.insert(1, "--")  # what follows is the benchmarks' own
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters
    try:
        options = parser().parse_args(given)
        is_fine: bool = options.run(options)
        sys.stdout.flush()
        return FINE if is_fine else FAILED
    except SystemExit as stopped:  # --help
        return stopped.code if isinstance(stopped.code, int) else FINE
    except BrokenPipeError:  # `graphc ops | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except KeyboardInterrupt:
        return _refused("stopped", given, None)
    except GraphcError as error:
        error.where = None  # a line of ours: the user's are told with the operands
        return _refused(str(error), given, error)
    except Usage as error:
        return _refused(str(error), given, error)
    except OSError as error:
        named = f" {error.filename}" if error.filename else ""
        return _refused(f"{(error.strerror or str(error)).lower()}:{named}", given, error)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        return _refused(f"a mistake of graphc itself (--traceback shows it): {told}", given, error)


def _refused(message: str, given: Sequence[str], error: BaseException | None) -> int:
    """One clear paragraph on stderr."""
    if error is not None and "--traceback" in given:
        traceback.print_exception(error)
    first, *others = message.splitlines() or [""]
    command = f"graphc {given[0]}" if given and given[0] in COMMANDS else "graphc"
    wrapped = textwrap.fill(
        f"{command}: {first}", _WIDTH, break_long_words=False, break_on_hyphens=False
    )
    print("\n".join([wrapped, *others]), file=sys.stderr)
    return MISUSED
