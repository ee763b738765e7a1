"""Calls that a function has no parameters for: told with what graphc calls them, or has instead."""

from __future__ import annotations

import difflib
import functools
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

from .errors import ArgumentError
from .wording import counted, in_words

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")

# What other libraries call a parameter, and what it may be called here.
_CALLED = {
    "dim dims axes ax": "axis",
    "keepdim keep_dims": "keepdims",
    "dims size sizes": "shape",
    "type kind": "dtype",
    "ddof": "correction",
    "lo low a_min lower": "min",
    "hi high a_max upper": "max",
    "in_dims axis": "in_axes",
    "out_dims": "out_axes",
    "lr rate alpha eta step_size stepsize": "learning_rate",
    "momentum mu": "beta",
    "epsilon": "eps",
    "decay wd l2": "weight_decay",
    "n_epochs num_epochs nb_epoch iterations max_iter": "epochs",
    "batch_size batchsize": "size",
    "data dataset train_data x_train": "batches",
    "parameters variables weights init p0 x0": "params",
    "optim method opt": "optimizer",
    "argnum arg wrt": "argnums",
    "x variables params inputs parameters targets": "wrt",
    "v tangents": "tangent",
    "cotangents": "cotangent",
    "values feed_dict inputs point params": "at",
    "feed_dict inputs at": "values",
    "args arguments params parameters": "inputs",
    "allow_unused unconnected_gradients": "disconnected",
    "fn fun func f": "function",
    "file filename fname": "path",
}

# What no function here has, or this one has not, and what there is instead.
_INSTEAD = {
    "batch_size batchsize": "gc.optim.Batches(data, size=...) makes batches",
    "lr learning_rate rate": "optimizers have it, as gc.optim.adam(learning_rate=...)",
    "momentum": "gc.optim.momentum is the optimizer that has one",
    "weight_decay decay": "gc.optim.adamw is the optimizer that has it",
    "betas": "they are beta1= and beta2=",
    "argnums argnum": "gc.grad_fn and its kin take functions and argnums=, gc.grad nodes",
    "requires_grad trainable": "gc.grad(loss, x) is by any node",
    "create_graph retain_graph": "a gradient is made of nodes, and nothing is dropped",
    "inplace copy": "no tensor is changed",
    "unbiased": "correction=1 divides by n - 1",
    "p ord": "it is the root of a sum of squares: of absolute values write gc.sum(gc.abs(x))",
    "has_aux aux": "the function returns the loss alone, and another what else is wanted",
    "static_argnums static_argnames": "ints, strings, truth values and None are static unasked",
    "device gpu": "programs run on NumPy",
    "verbose": "progress= shows a bar",
    "callbacks": "gc.optim.Training runs step by step",
    "tol rtol atol": "the verdict comes of estimated errors",
    "explain.format explain.fmt explain.latex explain.markdown": "what it returns has .text, "
    ".markdown and .latex",
    "file filename format fmt": "write .save(path), whose suffix decides",
    "opt optimize optimization_level O": "simplify= says what may be rewritten",
    "debug": "f.debug(...) finds where NaN and inf begin",
}

# Parameters that hold several things, by the last that is given by position.
_IN_ONE = {
    "shape": " (sizes stand in one tuple, as in (3, 4))",
    "axes": " (axes stand in one tuple, as in (1, 0))",
    "names": ' (names stand in one string, as in "n d")',
    "outputs": " (outputs stand in one list, and inputs= orders the arguments)",
    "wrt": " (several nodes stand in one list, tuple or dict)",
}

# What takes nodes, where gc.grad_fn and its kin take functions.
_OF_NODES = ("grad", "jacobian", "hessian")


def _among(words: Mapping[str, str], key: str) -> list[str]:
    return [found for names, found in words.items() if key in names.split()]


def written(name: str, parameters: Sequence[inspect.Parameter]) -> str:
    """How a function is called: `sum(x, axis=None, keepdims=False)`."""
    texts: list[str] = []
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not any(text.startswith("*") for text in texts):
            texts.append("*")
        texts.append(_parameter(p))
    return f"{name}({', '.join(texts)})"


def _parameter(p: inspect.Parameter) -> str:
    """A parameter of a public function: its name, and its default as people write it."""
    if p.default is p.empty:
        return str(p.replace(annotation=p.empty))
    return f"{p.name}={getattr(p.default, '__name__', repr(p.default))}"


def misfit(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    name: str = "",
    is_method: bool = False,
) -> str:
    """What is wrong with the arguments of a call, in one sentence; empty where they fit.

    >>> def softmax(x, axis=-1): ...
    >>> misfit(softmax, [1], {"dim": 0})
    'softmax has no dim=, but axis=: softmax(x, axis=-1)'
    """
    parameters = list(inspect.signature(function).parameters.values())
    if is_method:
        parameters, args = parameters[1:], args[1:]
    name = name or getattr(function, "__name__", "this")
    if name in _OF_NODES and args and isinstance(args[0], FunctionType):
        return f"{name} takes nodes, and gc.{name}_fn functions"
    wrong = _wrong(name, parameters, args, kwargs)
    return f"{wrong}: {written(name, parameters)}" if wrong else ""


def _wrong(
    name: str,
    parameters: Sequence[inspect.Parameter],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> str:
    kinds = {p.kind for p in parameters}
    placed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    unknown = [key for key in kwargs if key not in named]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        return _no_parameter(name, unknown[0], [key for key in named if key not in kwargs])
    if len(args) > len(placed) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        cure = _IN_ONE.get(placed[-1].name, "") if placed else ""
        taken = counted(len(placed), "argument")
        return f"{name} takes {taken} by position, not {len(args)}{cure}"
    given = {p.name for p in placed[: len(args)]}
    twice = [key for key in kwargs if key in given]
    if twice:
        return f"{name} was given {twice[0]} twice"
    given |= kwargs.keys()
    single = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    missing = [p.name for p in single if p.default is p.empty and p.name not in given]
    return f"{name} needs {in_words(missing)}" if missing else ""


def _no_parameter(name: str, key: str, named: Sequence[str]) -> str:
    said = f"{name} has no {key}="
    called = [here for here in _among(_CALLED, key) if here in named]
    instead = _among(_INSTEAD, f"{name}.{key}") or _among(_INSTEAD, key)
    if instead and not called:
        return f"{said} ({instead[0]})"
    here = [*called, *difflib.get_close_matches(key, named, 1)]
    if not here and "values" in named:
        return f"{said}, but values= in a dict"
    return f"{said}, but {here[0]}=" if here else said


def explained(function: Callable[P, R], name: str = "", is_method: bool = False) -> Callable[P, R]:
    """The function, which tells of arguments that it has no parameters for at the user's line."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if _was_entered(function, error):
                raise
            said = misfit(function, args, kwargs, name=name, is_method=is_method)
            if not said:
                raise
            raise ArgumentError(said) from None

    return called


def _was_entered(function: Callable[..., Any], error: TypeError) -> bool:
    """Whether an error came of what the function did, and not of calling it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return any(frame.f_code is code for frame, _ in traceback.walk_tb(error.__traceback__))


def explained_methods(cls: type[C]) -> type[C]:
    """The class, whose public methods tell the same, and making one of it."""
    for name, method in list(vars(cls).items()):
        if isinstance(method, FunctionType) and (name == "__init__" or name[0] != "_"):
            called = cls.__name__ if name == "__init__" else name
            setattr(cls, name, explained(method, called, is_method=True))
    return cls


def explained_as(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The same for a method, that people call by another name."""
    return lambda method: explained(method, name, is_method=True)


class _Elsewhere:
    """An attribute that others have: to ask for it is to be told what there is instead."""

    def __init__(self, name: str, told: Callable[[str], str]) -> None:
        self.name, self.told = name, told

    def __get__(self, instance: object, owner: type) -> _Elsewhere:
        if instance is None:
            return self
        # With an object, and no name: else Python adds the name that is nearest in letters.
        raise AttributeError(self.told(self.name), obj=self)


class Telling(type):
    """A class whose names, which `help` and the Tab key show too, are those that it has."""

    def __dir__(cls) -> list[str]:
        names = super().__dir__()
        return [name for name in names if type(vars(cls).get(name)) is not _Elsewhere]


def elsewhere(kind: str, instead: Mapping[str, str]) -> Callable[[type[C]], type[C]]:
    """A class decorator that knows what others call what the class has.

    >>> @elsewhere("a program", {"run eval": "call it"})
    ... class Program: ...
    >>> Program().run
    Traceback (most recent call last):
        ...
    AttributeError: a program has no run: call it
    >>> hasattr(Program(), "eval"), "eval" in dir(Program())
    (False, False)
    """
    cures = {name: cure for names, cure in instead.items() for name in names.split()}

    def explaining(cls: type[C]) -> type[C]:
        tell_instead(cls, cures, lambda name: f"{kind} has no {name}: {cures[name]}")
        return cls

    return explaining


def tell_instead(cls: type, names: Iterable[str], told: Callable[[str], str]) -> None:
    """Let a class say something of names that it does not have.

    No `__getattr__`: in its presence Python 3.11 takes twice as long for every attribute.
    """
    for name in names:
        if not hasattr(cls, name):
            setattr(cls, name, _Elsewhere(name, told))

    def has(self: object) -> list[str]:
        names = object.__dir__(self)
        return [name for name in names if type(getattr(cls, name, None)) is not _Elsewhere]

    cls.__dir__ = has  # type: ignore[method-assign, assignment]


def explain_calls(package: dict[str, Any], names: Sequence[str]) -> None:
    """Make a package's public functions tell the same: by its list of them none is forgotten."""
    for name in names:
        function = package[name]
        if isinstance(function, FunctionType) and not hasattr(function, "tells_misfits"):
            package[name] = told = explained(function)
            # A pickle looks for it where it was defined.
            setattr(sys.modules[function.__module__], function.__name__, told)
