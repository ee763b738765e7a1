"""Prints docs/api.md from the docstrings: python -m docs.api > docs/api.md"""

import functools
import inspect
import types
from collections.abc import Iterator
from typing import Any

import graphc as gc
from graphc.debug import Diagnosis
from graphc.objective import Objective
from graphc.ops.as_numpy.protocols import spelled
from graphc.ops.as_numpy.table import TABLE
from graphc.ops.as_numpy.ufuncs import SCIPYS, UFUNCS
from graphc.passes import Log
from graphc.plan.plan import Plan
from graphc.profile import Profile
from graphc.sparse import SparseFunction, Sparsity

HEAD = """\
# The public names

For looking up: what every public name is for, how it is called, and an example. Printed from the
docstrings by `python -m docs.api > docs/api.md`; a test keeps it current, and each example is run
where it stands. `help(gc.grad)` shows the same in a shell. The place to begin is the
[tutorial](tutorial.md)."""

# What each part of the page is about, and the names in it; what is in none is an operation.
PARTS = {
    "Sizes, inputs and constants": "dim dims TensorType input constant size",
    "Differentiating": "grad vjp jvp hvp jacobian hessian structure jacobian_mode vectorize "
    "sparsity sparse_jacobian sparse_hessian backprop stop_gradient",
    "Computing": "compile evaluate",
    "Functions written with NumPy": "jit grad_fn value_and_grad jacobian_fn hessian_fn vmap trace",
    "Looking": "draw tree latex scope explain",
    "Checking": "check check_op",
    "Linear algebra": "linalg",
    "Operations of your own": "elementwise example OPS",
    "Training": "fit optim",
    "What you are handed": "Node Graph GradTable Function Jit Drawing Explanation Report OpReport "
    "Op",
    "Errors": "GraphcError ArgumentError ShapeError IndexingError DTypeError NameClash NotConcrete "
    "NotDifferentiable Disconnected BindError MissingInput WrongGradient LawBroken InvalidGraph",
}
# What has names of its own: they follow it.
ROOMS = {"linalg", "optim"}
HANDED_OUT = {
    "What you are handed": {
        "f.log": Log, "f.plan": Plan, "f.profile(...)": Profile, "f.debug(...)": Diagnosis,
        "f.as_scipy(...)": Objective, "gc.sparsity(...)": Sparsity,
        "gc.sparse_jacobian(...)": SparseFunction,
    }
}  # fmt: skip

COVERED = """
NumPy's functions of tensors: {}. Also `.outer` of ufuncs, `.reduce` of `np.add`, `np.multiply`,
`np.maximum`, `np.minimum`, `np.logical_and`, `np.logical_or` and `np.logaddexp`, and
`.accumulate` of `np.add` and `np.multiply`; of scipy.special {}.
What is not here is refused by name."""

VALUES = {
    "gc.OPS": "A dict: the records of all operations, by name. `gc.Op` tells what a record holds.",
    "gc.optim.Schedule": "A function from the step (0, 1, 2, ... as a node) to the rate (a node).",
}


def main() -> None:
    print(HEAD)
    placed = {name for names in PARTS.values() for name in names.split()}
    for part, names in PARTS.items():
        print(f"\n## {part}")
        for name in names.split():
            print("\n".join(["", *entry(f"gc.{name}", getattr(gc, name))]))
        for room in ROOMS & {*names.split()}:
            within = getattr(gc, room)
            for name in within.__all__:
                if name not in names.split():
                    print("\n".join(["", *entry(f"gc.{room}.{name}", getattr(within, name))]))
        for name, cls in HANDED_OUT.get(part, {}).items():
            print("\n".join(["", *entry(name, cls)]))
        if part == "Functions written with NumPy":
            print(COVERED.format(listed("np.", covered()), listed("", sorted(SCIPYS))))
    operations(sorted(set(gc.__all__) - placed, key=str.lower))


def covered() -> list[str]:
    return sorted({*map(spelled, TABLE), *UFUNCS}, key=str.lower)


def listed(room: str, names: list[str]) -> str:
    return ", ".join(f"`{room}{name}`" for name in names)


def operations(names: list[str]) -> None:
    records = [name for name in names if isinstance(getattr(gc, name), gc.Op)]
    print("\n## Operations")
    print("\nWith a formula, derivatives and NumPy text in [ops.md](ops.md):")
    print(", ".join(f"`{name}`" for name in records) + ".")
    for name in names:
        if name not in records:
            print("\n".join(["", *entry(f"gc.{name}", getattr(gc, name))]))


def entry(name: str, value: Any) -> Iterator[str]:
    """A heading with the way to call it, what it is for, its examples, and its members."""
    yield f"### `{name}{call(value)}`"
    yield from ["", *told(VALUES.get(name) or text_of(value))]
    cls = value if inspect.isclass(value) else type(value)
    if cls.__module__.startswith("graphc") and not isinstance(value, gc.Op):
        rows = [f"- `.{name}{given}`: {says}" for name, given, says in members(cls)]
        if cls is gc.Node:
            rows.append(f"- What methods of arrays do, as nodes: {', '.join(of_arrays())}.")
        yield from ["", *rows] if rows else []


def text_of(value: Any) -> str:
    """Its docstring; of an object that is called, that of the call, and of a record its own."""
    has_own = any(f(value) for f in (inspect.isclass, inspect.ismodule, inspect.isroutine))
    is_told = has_own or isinstance(value, gc.Op)
    return inspect.getdoc(value if is_told else type(value).__call__) or ""


def told(text: str) -> Iterator[str]:
    """A docstring as Markdown: what it says, and its examples as a block of code."""
    is_code = False
    for line in text.split("\n"):
        if line.startswith(">>>") and not is_code:
            yield "```python"
            is_code = True
        elif is_code and not line:
            yield from ("```", "")
            is_code = False
            continue
        yield "" if line == "<BLANKLINE>" else line
    if is_code:
        yield "```"


def call(value: Any) -> str:
    """The parameters, with their defaults; nothing of what is not called by users."""
    if not callable(value) or isinstance(value, (gc.Op, types.GenericAlias)):
        return ""
    if inspect.isclass(value) and not value.__module__.startswith("graphc.optim"):
        return ""
    try:
        return parameters(value)
    except (TypeError, ValueError):
        return ""


def parameters(function: Any) -> str:
    found = inspect.signature(function)
    kept = [p for p in found.parameters.values() if p.name != "self"]
    bare = [p.replace(annotation=p.empty, default=shown(p)) for p in kept]
    return str(found.replace(parameters=bare, return_annotation=found.empty))


class _Text(str):
    """Prints as it is: `float64` where Python would print <class 'numpy.float64'>."""

    __repr__ = str.__str__


def shown(p: inspect.Parameter) -> Any:
    if repr(p.default) == "<factory>":
        return {}
    if inspect.isfunction(p.default):
        return ...
    is_type = inspect.isclass(p.default) and p.default is not p.empty
    return _Text(p.default.__name__) if is_type else p.default


def of_arrays() -> list[str]:
    return [f"`.{name}`" for name, member in written(gc.Node) if is_of_arrays(member)]


def written(cls: type) -> list[tuple[str, Any]]:
    """What is written in a class, and then in what it inherits that has no entry of its own."""
    own = [c for c in cls.__mro__[:-1] if c is cls or not hasattr(gc, c.__name__)]
    return [row for c in own if c.__module__.startswith("graphc") for row in vars(c).items()]


def is_of_arrays(member: Any) -> bool:
    return (getattr(member, "__doc__", None) or "").startswith("What the method `")


def members(cls: type) -> Iterator[tuple[str, str, str]]:
    """What a class offers: a name, how it is called, the first paragraph of its docstring."""
    for name, member in written(cls):
        member = getattr(member, "__func__", member)
        is_property = isinstance(member, property | functools.cached_property)
        if name.startswith("_") or not (is_property or inspect.isfunction(member)):
            continue
        first = " ".join((inspect.getdoc(member) or "").split("\n\n")[0].split())
        if not is_of_arrays(member) and not first.startswith("Refused"):
            yield name, "" if is_property else parameters(member), first


if __name__ == "__main__":
    main()
