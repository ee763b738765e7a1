"""Emission: a graph becomes the source of a NumPy program, one line for each operation.

Names of the user never reach the program as they are: identifiers are made here.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import itertools
import keyword
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

from .. import forms, shapes
from ..errors import ShapeError, Where
from ..ir import Graph, Node
from ..ops.leaves import literal
from ..passes.facts import ANYTHING, declared
from . import runtime

HELPERS = {
    name: value
    for name, value in vars(runtime).items()
    if getattr(value, "__module__", None) == runtime.__name__
}
_WORD = re.compile(r"[^\W\d]\w*")
_OPERAND = re.compile(r"\b(?:x(\d+)|dim_(\w+))\b")


class Identifiers:
    """Hands out identifiers: like the names that people gave, safe, and each only once."""

    def __init__(self) -> None:
        modules = ("np", "Any", "base64", "annotations")
        self.taken = {*keyword.kwlist, *dir(builtins), *HELPERS, *modules}
        self.last: dict[str, int] = {}

    def take(self, name: str) -> str:
        found = base = _identifier(name)
        while found in self.taken:
            self.last[base] = self.last.get(base, 0) + 1
            found = f"{base}_{self.last[base]}"
        self.taken.add(found)
        return found


@functools.lru_cache(maxsize=4096)
def _identifier(name: str) -> str:
    """The identifier nearest to a name, in the form that Python itself would bring it to."""
    base = unicodedata.normalize("NFKC", name[:200])
    base = unicodedata.normalize("NFKC", re.sub(r"\W+", "_", base).strip("_")[:40])
    if not base.isidentifier():
        base = f"v_{base}" if f"v_{base}".isidentifier() else "v"
    return base


class Program(NamedTuple):
    """A text, and the name of the function in it."""

    source: str
    function: str


def emit(graph: Graph, form: Any, name: str, check_facts: bool = False) -> Program:
    """The program of a graph, whose outputs are returned in a form."""
    writer = _Writer(graph, form, name, check_facts)
    return Program(writer.source(), writer.function)


class _Writer:
    """Writes a program: one function, then the helpers and constants that it uses."""

    def __init__(self, graph: Graph, form: Any, name: str, check_facts: bool) -> None:
        self.graph, self.form, self.check_facts = graph, form, check_facts
        self.identifiers = Identifiers()
        self.function = self.identifiers.take(name)
        self.names: dict[Node, str] = {
            v: self.identifiers.take(str(v.name)) for v in graph.parameters
        }
        self.readings = shapes.readings([v.shape for v in graph.parameters])
        self.dims = {r.symbol: self.identifiers.take(r.symbol.name) for r in self.readings}
        self.dim_names = {symbol.name: given for symbol, given in self.dims.items()}
        self.temporaries = itertools.count(1)
        self.helpers: set[str] = set()
        self.constants: list[str] = []
        self.place = ""
        self.places: dict[tuple[Where, bool], str] = {}

    def source(self) -> str:
        self._name_outputs()
        body = [*self._bindings(), *self._steps(), self._result()]
        parameters = ", ".join(self.names[v] for v in self.graph.parameters)
        function = [
            '@np.errstate(all="ignore")',
            f"def {self.function}({parameters}):",
            *("    " + line for line in [*self._docstring(), *body]),
        ]
        return "\n".join([*self._head(), *function, *self._tail(), ""])

    # Names

    def _name_outputs(self) -> None:
        """An output that the user did not name otherwise is called by its key."""
        self.called = dict(self.graph.names)
        for v, path in zip(self.graph.outputs, forms.paths(self.form), strict=True):
            if path and (v not in self.called or v.adjoint_of is not None):
                self.called[v] = f"result_{path}" if path[0].isdigit() else path

    def _name(self, v: Node) -> str:
        """The identifier of a value, from now on."""
        found = self.names.get(v)
        if found is None:
            given = self.called.get(v)
            if given is None:
                given = "constant" if v.op.name == "constant" else f"t{next(self.temporaries)}"
            found = self.names[v] = self.identifiers.take(given)
        return found

    # Inputs and sizes

    def _bindings(self) -> Iterable[str]:
        """Arguments to arrays, then sizes from their shapes, then the sizes checked."""
        parameters = self.graph.parameters
        for v in parameters:
            x = self.names[v]
            yield f"{x} = {self._use('as_input')}({v.name!r}, {x}, np.{v.dtype.name}, {v.ndim})"
            if self.check_facts and (fact := declared(v)) != ANYTHING and v.dtype != bool:
                low, high = (literal(bound, v.dtype) for bound in fact)
                said = "positive" if v.attrs.get("positive") else f"between {low} and {high}"
                yield f"{self._use('check_fact')}({v.name!r}, {x}, {low}, {high}, {said!r})"
        for r in self.readings:
            v = parameters[r.input]
            size = f"{self.names[v]}.shape[{r.axis}]"
            if not r.is_bare:
                rest, text = self._dims(shapes.source(r.rest)), shapes.show(v.shape[r.axis])
                size = (
                    f"{self._use('solve_size')}({v.name!r}, {r.axis}, {size}, "
                    f"{r.factor}, {rest}, {text!r})"
                )
            yield f"{self.dims[r.symbol]} = {size}"
        read = {(r.input, r.axis) for r in self.readings if r.is_bare}
        sources = shapes.sources(self.readings, [str(v.name) for v in parameters])
        for i, v in enumerate(parameters):
            if all((i, k) in read for k in range(v.ndim)):
                continue
            wanted = self._dims(shapes.source(v.shape))
            texts = tuple(map(shapes.show, v.shape))
            reasons = tuple(
                "" if (i, k) in read else shapes.reason(d, sources) for k, d in enumerate(v.shape)
            )
            shape = f"{self.names[v]}.shape"
            yield f"if {shape} != {wanted}:"
            yield (
                f"    raise {self._use('wrong_shape')}"
                f"({v.name!r}, {shape}, {wanted}, {texts!r}, {reasons!r})"
            )
        for d in shapes.doubtful(v.shape for v in self.graph.nodes):
            size = self._dims(shapes.source(d))
            reason = shapes.reason(d, sources)
            yield f"if {size} < 0:"
            yield f"    raise {self._use('no_size')}({shapes.show(d)!r}, {size}, {reason!r})"

    def _dims(self, text: str) -> str:
        return _OPERAND.sub(lambda m: self._dim(m[2]), text)

    def _dim(self, name: str) -> str:
        if name not in self.dim_names:
            raise ShapeError(
                f"the program needs the size {name}, which no input shows: "
                "list an input that does in compile(..., inputs=[...])"
            )
        return self.dim_names[name]

    # Operations

    def _steps(self) -> Iterable[str]:
        for v in self.graph.nodes:
            if v.op.name == "input":
                continue
            if v.op.name == "constant":
                if v.ndim:
                    self._write_constant(v)
                continue
            place = self._place(v)
            if place and place != self.place:
                self.place = place
                yield f"# {place}"
            text = self._text(v)
            yield f"{self._name(v)} = {text}"

    def _write_constant(self, v: Node) -> None:
        # Its text holds foreign bytes: it is written as it is, and never looked through or kept.
        text = v.op.text(v)
        if text.startswith("from_bytes("):
            self._use("from_bytes")
        self.constants.append(f"{self._name(v)} = {text}")

    def _text(self, v: Node) -> str:
        """The NumPy text of a node, with the program's names for its operands and sizes."""
        pieces, helpers = _template(v.op.text(v))
        self.helpers |= helpers
        parts = []
        for part, operand, dim in pieces:
            parts.append(part)
            if operand is not None:
                parts.append(self._operand(v, v.inputs[operand]))
            elif dim is not None:
                parts.append(self._dim(dim))
        return "".join(parts)

    def _operand(self, v: Node, x: Node) -> str:
        if x.op.name != "constant" or x.ndim:
            return self._name(x)
        # A bare number is weak: right only beside an operand that has the constant's dtype.
        if v.op.family == "elementwise" and any(
            y.dtype == x.dtype and y.op.name != "constant" for y in v.inputs
        ):
            return literal(x.attrs["value"].array[()], x.dtype)
        return x.op.text(x)

    def _place(self, v: Node) -> str:
        """The user's line that a node belongs to."""
        if v.where is None:
            return ""
        key = v.where, v.origin is not None
        if key not in self.places:
            role = "gradient of " if v.origin is not None else ""
            self.places[key] = f"{role}{v.where.place}   {v.where.text}".rstrip()
        return self.places[key]

    # The result, and what surrounds the function

    def _result(self) -> str:
        texts, given = [], set()
        for v in self.graph.outputs:
            if v.op.name == "constant" and not v.ndim:
                texts.append(self._text(v))
                continue
            base, is_fresh = _base(v)
            texts.append(self._name(v))
            if not v.ndim:
                texts[-1] += "[()]"
            elif not is_fresh or base in given:
                texts[-1] += ".copy()"
            given.add(base)
        return "return " + forms.write(self.form, texts)

    def _docstring(self) -> list[str]:
        inputs = [f"    {_harmless(str(v.name))} : {v.type}" for v in self.graph.parameters]
        types = [str(v.type) for v in self.graph.outputs]
        result = _harmless(forms.write(self.form, types))
        if not inputs:
            return [f'"""{result}"""']
        return ['"""', *(line.strip() for line in inputs), f"-> {result}", '"""']

    def _use(self, helper: str) -> str:
        self.helpers.add(helper)
        return helper

    def _head(self) -> list[str]:
        return [
            f'"""{self.function}: a NumPy program written by graphc. It needs NumPy alone."""',
            "",
            "from __future__ import annotations",
            "",
            *(["import base64"] if "from_bytes" in self.helpers else []),
            *(["from typing import Any", ""] if self.helpers else []),
            "import numpy as np",
            "",
            "",
        ]

    def _tail(self) -> list[str]:
        """What the function uses: helpers from the runtime, then constants, which may call them."""
        tail = []
        for name in _closure(self.helpers):
            tail += ["", "", inspect.getsource(HELPERS[name]).rstrip()]
        return [*tail, "", "", *self.constants] if self.constants else tail


def _base(v: Node) -> tuple[Node, bool]:
    """Whose memory a value lies in, and whether that is nobody else's and the value all of it."""
    is_fresh = True
    while v.op.view:
        # What NumPy broadcasts is read-only, even where nothing repeats.
        is_fresh &= v.type.size == v.inputs[0].type.size and v.op.name != "broadcast_to"
        v = v.inputs[0]
    return v, is_fresh and v.op.name not in ("input", "constant")


def _harmless(text: str) -> str:
    """Foreign text as it may stand inside a docstring."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable.replace("\\", "\\\\").replace('"', "'")


Piece = tuple[str, int | None, str | None]


@functools.lru_cache(maxsize=4096)
def _template(text: str) -> tuple[tuple[Piece, ...], frozenset[str]]:
    """A NumPy text cut at its operands and sizes, and the helpers that it calls."""
    pieces: list[Piece] = []
    end = 0
    for m in _OPERAND.finditer(text):
        pieces.append((text[end : m.start()], int(m[1]) if m[1] else None, m[2]))
        end = m.end()
    return (*pieces, (text[end:], None, None)), _helpers(text)


@functools.lru_cache(maxsize=4096)
def _helpers(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text)) & HELPERS.keys()


def _closure(names: Iterable[str]) -> list[str]:
    """Some helpers and all those that they use, in the order of the runtime."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_helpers(inspect.getsource(HELPERS[name])))
    return [name for name in HELPERS if name in found]
