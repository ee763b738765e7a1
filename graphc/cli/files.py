"""A user's file: run it, and find the nodes that it builds."""

from __future__ import annotations

import contextlib
import inspect
import linecache
import sys
import tokenize
import traceback
import types
from pathlib import Path
from typing import Any, NamedTuple

from .. import forms
from ..compile import Function
from ..errors import GraphcError
from ..ir import Graph, Node, topo
from ..lines import raised_at
from ..wording import in_words
from .given import Usage

MODULE = "graphc_file"


class Found(NamedTuple):
    """What a command works on: an output, or a form of several, and how it was chosen."""

    name: str
    outputs: Any
    known: dict[str, Node]
    """Every node that can be named: inputs by theirs, the file's variables."""
    chosen: str
    path: Path

    @property
    def nodes(self) -> list[Node]:
        return forms.leaves(self.outputs)

    @property
    def one(self) -> Node:
        """The only output."""
        if len(self.nodes) != 1:
            raise Usage(f"{self.name} holds {len(self.nodes)} nodes, and this takes one: name it")
        return self.nodes[0]

    def file(self, suffix: str, folder: str | None = None) -> Path:
        """Where something about it is written: `train_loss.svg`."""
        path = Path(folder or ".") / f"{self.path.stem}_{self.name}{suffix}"
        if path.exists() and path.samefile(self.path):
            raise Usage(f"{path} is the file that was given, and is not written over")
        return path


def find(argument: str) -> Found:
    """`train.py` or `train.py:loss`."""
    file, name = _split(argument)
    path = Path(file)
    variables = run(path)
    candidates = {k: v for k, v in variables.items() if _outputs(v) is not None}
    if name is not None:
        return _named(path, name, variables)
    if not candidates:
        raise Usage(f"{path} builds no nodes: give a file that does, or name one as {path}:NAME")
    chosen = _choice(path, candidates)
    others = [k for k in candidates if k != chosen]
    told = f"{path}: {chosen} is taken"
    told += f"; {path}:NAME takes another: {in_words(others)}" if others else ""
    return Found(chosen, _outputs(variables[chosen]), _known(variables, chosen), told, path)


def _split(argument: str) -> tuple[str, str | None]:
    """File and name; a path may hold a colon itself."""
    if Path(argument).exists() or ":" not in argument:
        return argument, None
    file, _, name = argument.rpartition(":")
    return file, name


def _named(path: Path, name: str, variables: dict[str, Any]) -> Found:
    if name not in variables:
        there = [k for k, v in variables.items() if _outputs(v) is not None]
        raise Usage(f"{path} has nothing called {name}: there are {in_words(there) or 'no nodes'}")
    outputs = _outputs(_called(path, name, variables[name]))
    if outputs is None:
        value = variables[name]
        kind = type(value).__name__
        if isinstance(value, Node):
            kind = f"node of the kind {value.op.name}"
        raise Usage(
            f"{name} in {path} is a {kind}: a node that is computed, a dict or list of nodes, a "
            "compiled function, or a function of no arguments that returns one of them is needed"
        )
    return Found(name, outputs, _known(variables, name), "", path)


def _called(path: Path, name: str, value: Any) -> Any:
    """What a function of no arguments returns; anything else as it is."""
    if not isinstance(value, types.FunctionType):
        return value
    needed = [
        p.name for p in inspect.signature(value).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]  # fmt: skip
    if needed:
        raise Usage(
            f"{name} in {path} is a function of {', '.join(needed)}: call it in the file with "
            "inputs, and name the result"
        )
    with _as_users(path):
        return value()


def _outputs(value: Any) -> Any:
    """The nodes that a variable stands for, in their form; None where it stands for none."""
    if isinstance(value, Function):
        return list(value.graph.outputs)
    if isinstance(value, Node):
        return None if value.op.family == "leaf" else value
    if isinstance(value, dict | list | tuple):
        found = forms.leaves(value)
        if found and all(isinstance(v, Node) for v in found):
            return None if all(v.op.name == "input" for v in found) else value
    return None


def _choice(path: Path, candidates: dict[str, Any]) -> str:
    """The variable that everything else leads to."""
    single = {k: v for k, v in candidates.items() if isinstance(v, Node) and v.origin is None}
    below = {x for v in single.values() for x in topo([v]) if x is not v}
    ends = [k for k, v in single.items() if v not in below]
    if not ends:
        ends = list(candidates)
    if len({id(candidates[k]) for k in ends}) == 1:
        return ends[0]
    losses = [k for k in ends if k in ("loss", "cost", "objective", "error")]
    if len(losses) == 1:
        return losses[0]
    raise Usage(f"{path} builds several nodes: name one as {path}:NAME, of {in_words(ends)}")


def _known(variables: dict[str, Any], name: str) -> dict[str, Node]:
    given = variables[name]
    parts = forms.leaves(given) if isinstance(given, dict | list | tuple) else [given]
    graphs = [list(p.graph.outputs) if isinstance(p, Function) else [p] for p in parts]
    outputs = [v for part in graphs for v in part if isinstance(v, Node)]
    own = {k: v for k, v in variables.items() if isinstance(v, Node)}
    named = {str(v.name): v for v in Graph(outputs).nodes if v.name}
    return own | named


# -- running it --------------------------------------------------------------------------------


def run(path: Path) -> dict[str, Any]:
    """The variables that a file defines. What it prints goes to stderr."""
    try:
        with tokenize.open(path) as file:  # as Python reads it: with its mark or its declaration
            text = file.read()
    except (UnicodeDecodeError, SyntaxError):
        raise Usage(f"{path} is no text in UTF-8, as Python files are") from None
    except OSError as error:
        raise Usage(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    module = types.ModuleType(MODULE)
    module.__file__ = str(path)
    sys.modules[MODULE] = module
    linecache.checkcache(str(path))
    with _as_users(path):
        exec(compile(text, str(path), "exec", dont_inherit=True), module.__dict__)
    return {k: v for k, v in vars(module).items() if not k.startswith("_")}


@contextlib.contextmanager
def _as_users(path: Path) -> Any:
    """The user's code runs as if by `python FILE`; its errors are told with its own line."""
    old_path, old_arguments = list(sys.path), sys.argv
    sys.path.insert(0, str(path.resolve().parent))
    sys.argv = [str(path)]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except SystemExit as stopped:
        if stopped.code not in (None, 0):
            raise Usage(f"{path} stops by itself, saying {stopped.code!r}") from None
    except Exception as error:
        raise Usage(_told(path, error)) from error
    finally:
        sys.path[:], sys.argv = old_path, old_arguments


def _told(path: Path, error: Exception) -> str:
    """An error of the user's file, with the line of it that was running."""
    head = f"{path} does not run: {type(error).__name__}: {error}"
    if isinstance(error, GraphcError):
        return head  # it shows its lines itself
    if isinstance(error, SyntaxError):
        shown = traceback.format_exception_only(error)
        place = "".join(shown[:-1]).rstrip()
        return f"{path} does not run: {type(error).__name__}: {error.msg}\n{place}"
    where = raised_at(error, lambda file: file == str(path))
    lines = where.underlined() if where is not None else []
    return "\n".join([head, *(f"    {line}" for line in lines)])
