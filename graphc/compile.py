"""compile: passes, then emission, then a Function that runs the program and can show it."""

from __future__ import annotations

import builtins
import functools
import inspect
import itertools
import linecache
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np

from . import forms, passes, shapes
from .binding import in_order, refusal, signature
from .debug import Diagnosis, diagnosed
from .draw import Drawing, draw
from .errors import ArgumentError, BindError, IndexingError
from .evaluate import evaluate
from .folders import in_folder
from .ir import Graph, Node, PackedGraph, declaration, no_node, topo
from .misfits import elsewhere, explained_methods
from .objective import Objective
from .options import truth, whole
from .passes import Log
from .plan.arranged.order import as_they_lie
from .plan.arranged.placed import placed
from .plan.arranged.planes import planes
from .plan.plan import Plan
from .plan.program.emit import Program, emit
from .plan.recompute import Saving, sparing
from .plan.table import peak
from .printed import Printed
from .profile import Marked, Profile, profiled
from .shapes import Dim


def compile(
    outputs: Any,
    *,
    name: str = "program",
    inputs: Iterable[Node] | None = None,
    simplify: passes.Mode = True,
    check_facts: bool = False,
    threads: int | None = None,
    memory: Literal["low"] | None = None,
) -> Function:
    """A NumPy program for a node, or for a list, tuple or dict of nodes.

    `name` is the function's. `inputs` fixes the order of the arguments, which is otherwise that of
    declaration. The program is simplified: what was finite stays finite and as accurate. With
    `simplify="strict"` NaN, inf and signed zeros are kept too; with `False` it is the program as
    written. `check_facts=True` has the program refuse arguments that do not lie where their inputs
    were declared to lie. `threads` is how many a call may use, by default one for each processor.
    With `memory="low"` gradients compute again what takes much memory to keep, where that pays.

    >>> import graphc as gc
    >>> x = gc.input("x", ("n",))
    >>> f = gc.compile({"total": gc.sum(x * x)}, name="squares")
    >>> f([1.0, 2.0])
    {'total': np.float64(5.0)}
    """
    nodes = forms.leaves(outputs)
    if not nodes:
        raise ArgumentError("compile needs at least one output")
    for v in nodes:
        if not isinstance(v, Node):
            raise ArgumentError(f"an output must be a node, and {no_node(v)}")
    for key in forms.keys(outputs):
        if not isinstance(key, str | Integral):
            raise ArgumentError(f"outputs are keyed by strings or ints, and {key!r} is neither")
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"a program's name must be a string that is not empty, not {name!r}")
    check_facts = truth("check_facts", check_facts)
    if threads is not None:
        threads = whole(threads, "threads= is a number of at least 1, or None for all, not")
    if memory not in (None, "low"):
        raise ArgumentError(f"memory= is 'low' or None, not {memory!r}")
    written = Graph(nodes, inputs)
    if inputs is None:
        written = _with_sizes(written)
    form = forms.map_leaves(lambda v: None, outputs)
    return Function(_Wish(name, form, simplify, check_facts, threads, memory), written)


# A program of more nodes is written line by line alone: its text is long enough.
_MOST_PLANNED = 20_000


def _with_sizes(graph: Graph) -> Graph:
    """The graph, taking also the inputs that it needs for nothing but their sizes.

    The gradient of sum(x) is ones in the shape of x: x itself is only met in the forward graph.
    """
    shown = set(shapes.symbols(d for v in graph.parameters for d in v.shape))
    sizes = {d: v for v in graph.nodes for d in (*v.shape, *_dims(v)) if not isinstance(d, int)}
    lacking = {s: v for d, v in sizes.items() for s in shapes.symbols([d]) if s not in shown}
    forward = topo([v.origin for v in lacking.values() if v.origin is not None])
    extra = [
        x for x in forward if x.op.name == "input" and not lacking.keys().isdisjoint(x.shape)
    ]
    if not extra:
        return graph
    return Graph(graph.outputs, sorted({*graph.parameters, *extra}, key=declaration))


def _dims(v: Node) -> tuple[Dim, ...]:
    return (v.attrs["dim"],) if "dim" in v.attrs else ()


class _Wish(NamedTuple):
    """How a graph is to be compiled; the form of the results has None for each."""

    name: str
    form: Any
    simplify: passes.Mode
    check_facts: bool
    threads: int | None
    memory: Literal["low"] | None

    def granted(self, written: Graph) -> _Made:
        graph, log = passes.run(written, self.simplify)
        if self.simplify is not False:
            graph = as_they_lie(planes(graph))
        if self.simplify is True:
            graph = placed(graph)
        plan, saving = None, None
        if self.memory == "low":
            saving = sparing(graph)
            graph, plan = saving.graph, saving.plan
        elif len(graph) <= _MOST_PLANNED:
            plan = Plan(graph)
        write = functools.partial(
            emit, graph, self.form, self.name, self.check_facts, plan=plan, threads=self.threads
        )
        return _Made(graph, log, write, plan, saving)


class _Made(NamedTuple):
    """What compiling makes of a graph, and how its program is written."""

    graph: Graph
    log: Log
    write: Callable[..., Program]
    plan: Plan | None
    saving: Saving | None


class _Text(NamedTuple):
    """What a call needs. A pickle has it: the program that runs elsewhere is the one that ran."""

    source: str
    function: str
    on_floats: bool
    arguments: dict[str, str]
    """Their types, by their names."""


_programs = itertools.count(1)

# What compiled functions of other libraries have, and what there is instead.
_ELSEWHERE = {
    "grad gradient backward": "gc.grad(z, x) is a node, to be compiled too",
    "run execute eval forward predict": "call it",
    "inputs arguments": "its .graph.parameters are",
    "outputs results": "its .graph.outputs are",
    "code": "write .source",
    "export to_file": "write .save(path)",
}


@elsewhere("a compiled function", _ELSEWHERE)
@explained_methods
class Function:
    """A compiled program: call it, read its `source`, `save` it, ask what it costs (`report`).

    >>> import tempfile, pathlib, graphc as gc
    >>> x, y = gc.input("x", ("n",)), gc.input("y", ("n",))
    >>> f = gc.compile(gc.sum(x * x), name="squares", inputs=[x, y])
    >>> f([1.0, 2.0], [0.0, 0.0]), f(y=[0.0], x=[3.0])
    (np.float64(5.0), np.float64(9.0))
    >>> f.unused, "def squares(x, y):" in f.source
    ((<y: f64[n] = input>,), True)
    >>> f.report
    squares(x: f64[n], y: f64[n])
    pass        nodes  flops  peak bytes
    as written      3  2*n    8*n + 8
    ...
    >>> print(f.plan)
    step  operation  result  place ...
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "squares.py"
    >>> f.save(path)
    >>> path.read_text() == f.source
    True
    """

    def __init__(
        self, wish: _Wish, written: Graph | PackedGraph, text: _Text | None = None
    ) -> None:
        self.name, form = wish.name, wish.form
        self._wish, self._written = wish, written
        self._known: _Made | None = None
        self._text = text = text or self._new_text()
        self.source = text.source
        namespace: dict[str, Any] = {"__name__": f"graphc.programs.{self.name}"}
        file = f"<graphc {self.name!r} {next(_programs)}>"
        exec(builtins.compile(self.source, file, "exec"), namespace)
        # A traceback through the program shows its lines, as long as the function lives.
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(True), file)
        weakref.finalize(self, linecache.cache.pop, file, None)
        self._run = namespace[text.function]
        # The program is standalone, so its errors are its own; here they become graphc's.
        self._misfit = namespace.get("BindError", BindError)
        # Python binds by name at once, where the program's parameters have the names of the inputs.
        self._binds_names = [*inspect.signature(self._run).parameters] == [*text.arguments]
        if not forms.is_written(form):
            run = self._run
            self._run = lambda *a, **named: forms.fill(form, forms.leaves(run(*a, **named)))

    def _new_text(self) -> _Text:
        program = self._made.write()
        arguments = {str(v.name): str(v.type) for v in self.graph.parameters}
        return _Text(program.source, program.function, program.on_floats, arguments)

    @property
    def _made(self) -> _Made:
        """Made again where the function comes from a pickle, and only if it is asked for."""
        # Python 3.11's cached_property has one lock for all functions: threads would compile one
        # after the other, and a process that is forked meanwhile would wait for ever.
        if self._known is None:
            self._known = self._wish.granted(self._as_written())
        return self._known

    def _as_written(self) -> Graph:
        written = self._written
        return written.graph if isinstance(written, PackedGraph) else written

    @property
    def graph(self) -> Graph:
        """The graph that runs: what the passes left.

        >>> import graphc as gc
        >>> gc.compile(gc.sqrt(gc.input("x", ()) ** 2)).graph.count()["power"]
        0
        """
        return self._made.graph

    @property
    def log(self) -> Log:
        """What the passes did: the graph after each, and its rewrites.

        >>> import graphc as gc
        >>> gc.compile(gc.sqrt(gc.input("x", ()) ** 2)).log.steps[0].name
        'as written'
        """
        return self._made.log

    @property
    def saving(self) -> Saving | None:
        """What is computed again in low memory, and what that saves and costs.

        >>> import graphc as gc
        >>> gc.compile(gc.exp(gc.input("x", ()))).saving is None
        True
        """
        return self._made.saving

    def __reduce__(self) -> tuple[Any, ...]:
        written = self._written
        packed = PackedGraph.of(written) if isinstance(written, Graph) else written
        return Function, (self._wish, packed, self._text)

    def __copy__(self) -> Function:
        return self

    def __deepcopy__(self, memo: object) -> Function:
        return self

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if kwargs and not self._binds_names:
            args, kwargs = self._bound(args, kwargs), {}
        try:
            return self._run(*args, **kwargs) if kwargs else self._run(*args)
        except TypeError as error:
            if isinstance(error, self._misfit):
                raise refusal(self.name, error, (*args, *kwargs.values())) from None
            self._bound(args, kwargs)  # refuses a wrong number of arguments, and strange names
            raise
        except (IndexError, np.linalg.LinAlgError) as error:
            self._tell(error, args, kwargs)
            raise

    def _tell(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise what the reference interpreter says: it knows whose index or matrix it is, and the
        line."""
        given = zip(self._text.arguments, self._bound(args, kwargs), strict=True)
        try:
            evaluate(self._as_written().outputs, dict(given))
        except (IndexingError, np.linalg.LinAlgError) as told:
            raise told.with_traceback(None) from error

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments in order, some given by position and some by name."""
        return in_order(self.name, self._text.arguments, args, kwargs)

    @property
    def _signature(self) -> str:
        return signature(self.name, self._text.arguments)

    @property
    def unused(self) -> tuple[Node, ...]:
        """The inputs that no output depends on."""
        return tuple(v for v in self.graph.parameters if v not in self.graph)

    @property
    def report(self) -> Report:
        """Nodes, flops and peak bytes after each pass, and what `memory="low"` saves: formulas."""
        return Report(self)

    @property
    def plain(self) -> str:
        """The program without tiles, threads and kept memory: one line for each operation, to read.

        >>> import graphc as gc
        >>> f = gc.compile(gc.exp(gc.input("x", ("n",))) + 1)
        >>> f.plain.count("in_tiles"), f.source.count("in_tiles")
        (0, 2)
        """
        return self._made.write(plan=None).source

    @functools.cached_property
    def plan(self) -> Plan:
        """In which order values are computed, together with what, and in which memory: a table."""
        return self._made.plan or Plan(self.graph)

    def profile(self, /, *args: Any, **kwargs: Any) -> Profile:
        """How long each step takes at some arguments: a table, and heat for drawings.

        >>> import numpy as np, graphc as gc
        >>> x = gc.input("x", ("n",))
        >>> profile = gc.compile(gc.sum(gc.exp(x))).profile(x=np.ones(100))
        >>> len(profile.steps), max(profile.heat.values()) < profile.seconds
        (2, True)
        """
        given = self._bound(args, kwargs)
        on_floats = self._text.on_floats and all(type(x) is float for x in given)
        return profiled(self.name, self.graph, self._marked, self, given, on_floats)

    def debug(self, /, *args: Any, **kwargs: Any) -> Diagnosis:
        """Where the first NaN or inf of a run comes from, and what to do about it.

        >>> import graphc as gc
        >>> x = gc.input("x", ("n",))
        >>> f = gc.compile(gc.sum(1 / x))
        >>> found = f.debug([2.0, 0.0])
        >>> found.node.op.name, found.index, found.values[x]
        ('divide', (1,), array([2., 0.]))
        """
        return diagnosed(self.name, self.graph, self._bound(args, kwargs), self._results())

    def _results(self) -> dict[Node, str]:
        """What to call results that have lost their names: as they were written, or by keys."""
        written = self.log.steps[0].graph
        keys = [key if key.isidentifier() else "" for key in forms.paths(self._wish.form)]
        names = [written.names.get(v, key) for v, key in zip(written.outputs, keys, strict=True)]
        return {v: name for v, name in zip(self.graph.outputs, names, strict=True) if name}

    @functools.cached_property
    def _marked(self) -> Marked:
        return Marked(self._made.write(marked=True))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program to a file that runs with NumPy alone."""
        into = in_folder(path, "a program")
        with open(into, "w", encoding="utf-8", newline="\n") as file:
            file.write(self.source)

    def draw(self, **options: Any) -> Drawing:
        """A drawing of the graph that runs; the options are those of `gc.draw`.

        >>> import graphc as gc
        >>> gc.compile(gc.exp(gc.input("x", ()))).draw().svg[:4]
        '<svg'
        """
        return draw(self, **options)

    def as_scipy(
        self, params: Mapping[Any, Any], data: Mapping[Any, Any] | None = None
    ) -> Objective:
        """`fun`, `jac`, `hess` and `hessp` of the first result, as scipy.optimize takes them.

        `params` maps inputs, or their names, to first values; `data` has the other inputs.

        >>> import numpy as np, graphc as gc
        >>> w, X = gc.input("w", ("d",)), gc.input("X", ("n", "d"))
        >>> f = gc.compile(gc.sum((X @ w - 1) ** 2))
        >>> s = f.as_scipy({w: np.zeros(2)}, {X: [[1.0, 2.0], [3.0, 4.0]]})
        >>> s.x0, s.fun(s.x0), s.jac(s.x0)
        (array([0., 0.]), 2.0, array([ -8., -12.]))
        """
        return Objective(self.log.steps[0].graph, params, data or {}, compile)

    def __repr__(self) -> str:
        return f"<compiled {self._signature}>"


class Report(Printed):
    """What a compilation did and what the program costs; printing it tells."""

    def __init__(self, function: Function) -> None:
        self.function = function

    def __str__(self) -> str:
        lines = [self.function._signature, self.function.log.table]
        if self.function._made.plan is not None:
            lines.append(f"planned: {peak(self.function.plan)}, beside inputs and tiles")
        if self.function.saving is not None:
            lines.append(str(self.function.saving))
        if self.function.unused:
            names = ", ".join(str(v.name) for v in self.function.unused)
            lines.append(f"unused inputs: {names}")
        return "\n".join(lines)
