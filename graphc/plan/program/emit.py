"""Emission: a graph becomes the source of a NumPy program.

Small arrays are computed line by line. For large ones the program follows the plan: regions over
tiles, in memory that is kept from call to call.
"""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable, Iterator
from typing import Any, NamedTuple

from ... import forms, shapes
from ...binding import Binding
from ...ir import Graph, Node, is_number
from ...wording import printable
from ..arranged.together import together
from ..memory import base, is_fresh
from ..plan import Plan
from ..schedule import Step
from . import scalars
from .bindings import bindings
from .comments import Comments
from .module import RESERVED, module
from .names import Identifiers
from .planned import Planned
from .small_sizes import small_size
from .straight import Straight
from .texts import Texts

# What a program calls that marks its steps.
MARK = "mark"


class Program(NamedTuple):
    """A text, the name of the function in it, and the steps that it marks."""

    source: str
    function: str
    marks: tuple[Step | None, ...] = ()
    on_floats: bool = False
    """Whether single numbers given as floats are computed by Python itself."""


def emit(
    graph: Graph,
    form: Any,
    name: str,
    check_facts: bool = False,
    plan: Plan | None = None,
    threads: int | None = None,
    marked: bool = False,
) -> Program:
    """The program of a graph, whose outputs are returned in a form; line by line without a plan.

    A `marked` one calls `mark(k)`, which it does not define, when it has done step k of its marks,
    and with that of None when it has its inputs. Python's floats have no part in it.
    """
    writer = _Writer(graph, form, name, check_facts, plan, threads, [] if marked else None)
    source, marks = writer.source(), tuple(writer.marks or ())
    return Program(source, writer.function, marks, writer.is_scalar)


class _Writer:
    """Writes a program: one function, then what it uses: regions, helpers and constants."""

    def __init__(
        self,
        graph: Graph,
        form: Any,
        name: str,
        check_facts: bool,
        plan: Plan | None,
        threads: int | None,
        marks: list[Step | None] | None = None,
    ) -> None:
        self.graph, self.form, self.check_facts = graph, form, check_facts
        self.plan, self.threads, self.marks = plan, threads, marks
        self.small = together(graph, self._is_small) if plan else graph
        self.identifiers = Identifiers(RESERVED if marks is None else (*RESERVED, MARK))
        self.function = self.identifiers.take(name)
        given = {v: self.identifiers.take(str(v.name)) for v in graph.parameters}
        self.binding = Binding(graph.parameters, graph.nodes)
        symbols = [str(r.symbol) for r in self.binding.readings]
        dims = {symbol: self.identifiers.take(symbol) for symbol in symbols}
        is_fast = plan is not None
        self.texts = Texts(self.identifiers, given, dims, self._called(), for_speed=is_fast)
        self.pieces: list[str] = []

    def source(self) -> str:
        parameters = ", ".join(self.texts.name(v) for v in self.graph.parameters)
        functions = []
        called, told = self.function, self._docstring()
        if self.is_scalar:
            functions += [f"def {called}({parameters}):", *_indented([*told, *self._scalars()])]
            called, told = self.identifiers.take(f"{called}_numpy"), []
            functions += [f"    return {called}({parameters})", "", ""]
        head = bindings(self.binding, self.texts, self.check_facts)
        body = [*told, *head, *self._faces()]
        functions += [
            '@np.errstate(all="ignore")', f"def {called}({parameters}):", *_indented(body)
        ]  # fmt: skip
        return module(self.function, functions, self.pieces, self.texts)

    # Names

    def _called(self) -> dict[Node, str]:
        """The user's names; an output without one is called by its key."""
        called = {**self.small.names, **self.graph.names}
        for graph in (self.small, self.graph):
            for v, path in zip(graph.outputs, forms.paths(self.form), strict=True):
                if path and (v not in called or v.adjoint_of is not None):
                    called[v] = f"result_{path}" if path[0].isdigit() else path
        return called

    # Numbers

    @functools.cached_property
    def is_scalar(self) -> bool:
        """Whether all is single numbers that Python computes with as NumPy does."""
        if self.plan is None or self.check_facts or self.marks is not None:
            return False
        return scalars.is_on_floats(self.graph)

    def _scalars(self) -> Iterator[str]:
        """On Python's floats, which give floats: many times as fast as NumPy on single numbers."""
        tests = [f"type({self.texts.name(v)}) is float" for v in self.graph.parameters]
        yield f"if {' and '.join(tests)}:"
        lines = scalars.written(self.graph, self.texts)
        results = forms.write(self.form, list(map(self.texts.number, self.graph.outputs)))
        yield "    try:"
        yield from _indented(_indented([*lines, f"return {results}"]))
        yield "    except (ArithmeticError, ValueError):"
        yield "        pass  # where Python refuses, NumPy answers: inf or NaN"

    # The two faces

    def _faces(self) -> Iterator[str]:
        """Line by line where all is small; else by the plan."""
        large = self.plan.sizes if self.plan else []
        if any(isinstance(d, int) and d > self.small_size for d in large):
            yield from self._planned()
        elif all(isinstance(d, int) for d in large):
            yield from self._plain()
        else:
            sizes = [self.texts.size(d) for d in large if not isinstance(d, int)]
            yield f"if {' and '.join(f'{size} <= {self.small_size}' for size in sizes)}:"
            yield from _indented(self._plain())
            yield from self._planned()

    @functools.cached_property
    def small_size(self) -> int:
        """Up to how many elements the program goes line by line."""
        assert self.plan is not None
        return small_size(self.plan)

    def _is_small(self, v: Node) -> bool:
        """Whether a value is small wherever the straight path is taken."""
        assert self.plan is not None
        size = v.type.size
        if isinstance(size, int):
            return size <= self.small_size
        return any(shapes.covers(d, size) for d in self.plan.sizes if not isinstance(d, int))

    def _mark(self, step: Step | None) -> Iterator[str]:
        if self.marks is not None:
            yield f"{MARK}({len(self.marks)})"
            self.marks.append(step)

    def _plain(self) -> Iterator[str]:
        return self._face(Straight(self.small, self.texts, keeps_memory=self.plan is not None))

    def _planned(self) -> Iterator[str]:
        assert self.plan is not None
        planned = Planned(self.plan, self.texts, self.function, self.threads)
        yield from self._face(planned)
        self.pieces += planned.functions

    def _face(self, face: Straight | Planned) -> Iterator[str]:
        """Lines that compute a graph, in the memory that they borrow, and then its result."""
        comments, lines = Comments(), [*self._mark(None)]
        for step in face.steps:
            lines += [*comments.above(step.node), *face.lines(step)]
            if ended := face.ended(step):
                lines.append(f"del {', '.join(map(self.texts.name, ended))}")
            lines += self._mark(step)
        if face.workspace is not None:
            copied = self._copied(face.graph, face.kept)
            lines = [*face.workspace.borrowed(), *lines, *copied, *face.workspace.given_back()]
            self.pieces.append(face.workspace.made())
        yield from lines
        yield from self._result(face.graph, face.kept)

    # The result

    def _copied(self, graph: Graph, kept: Container[Node]) -> Iterator[str]:
        """Results that are parts of kept memory, which the next call may have once it is back."""
        for v in dict.fromkeys(graph.outputs):
            if not is_fresh(v) and base(v) in kept:
                copy = ".copy()" if v.ndim else "[()]"
                yield f"{self.texts.name(v)} = {self.texts.name(v)}{copy}"

    def _result(self, graph: Graph, kept: Container[Node]) -> Iterator[str]:
        written: list[str] = []
        given: set[Node] = set()
        for v in graph.outputs:
            if is_number(v):
                written.append(self.texts.of(v))
                continue
            written.append(self.texts.name(v))
            is_whole = is_fresh(v)
            memory = base(v) if is_whole else v
            if not v.ndim:
                written[-1] += "[()]"
            elif memory in given or not is_whole and base(v) not in kept:
                written[-1] += ".copy()"
            given.add(memory)
        yield "return " + forms.write(self.form, written)

    def _docstring(self) -> list[str]:
        inputs = [f"{_harmless(str(v.name))} : {v.type}" for v in self.graph.parameters]
        result = _harmless(forms.write(self.form, [str(v.type) for v in self.graph.outputs]))
        return ['"""', *inputs, f"-> {result}", '"""'] if inputs else [f'"""{result}"""']


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" if line else line for line in lines]


def _harmless(text: str) -> str:
    """Foreign text as it may stand inside a docstring."""
    return printable(text).replace("\\", "\\\\").replace('"', "'")
