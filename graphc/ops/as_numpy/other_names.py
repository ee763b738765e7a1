"""What to write where a name is looked for that the package does not have: `gc.arctan`."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import NoReturn

import numpy as np

from ... import errors
from ...ir import FUNCTIONS, OPS, Node, Op
from ...misfits import tell_instead
from .protocols import nearest
from .table import TABLE
from .ufuncs import UFUNCS

# Besides the ufuncs: functions whose parameters have other names, and words for inputs.
_CALLED = {
    "amax": "max", "amin": "min", "around": "round", "concatenate": "concat", "arange": "iota",
    "cumsum": "cumulative_sum", "cumprod": "cumulative_prod", "array": "constant",
    "asarray": "constant", "tensor": "constant", "placeholder": "input", "symbol": "input",
    "variable": "input", "cat": "concat", "mm": "matmul", "bmm": "matmul",
    "permute": "permute_dims", "unsqueeze": "expand_dims", "clamp": "clip", "expit": "sigmoid",
    "logistic": "sigmoid", "gather": "take_along_axis", "detach": "stop_gradient",
    "symbols": "input", "parameter": "input", "jacfwd": "jacobian_fn", "jacrev": "jacobian_fn",
    "hessian_vector_product": "hvp", "train": "fit", "pow": "power", "norm_cdf": "ndtr",
    "normcdf": "ndtr",
}  # fmt: skip

# What no graph holds, by the names under which people look for it.
_WHY = {
    "erfinv gamma gammaln lgamma digamma betaln": "NumPy has none, and programs need NumPy "
    "alone: gc.elementwise makes an operation of a formula and a NumPy text",
    "random rand randn normal uniform dropout": "no graph draws random numbers: draw them with "
    "NumPy, and pass them in as an input",
    "lax scan cond loop for_loop while_loop fori_loop switch ifelse": "no graph holds loops or "
    "branches: Python's loops over known sizes are unrolled, and gc.where chooses",
    "leaky_relu prelu": "write gc.maximum(x, 0.01 * x)",
    "elu celu": "write gc.where(x > 0, x, gc.expm1(x))",
    "silu swish": "write x * gc.sigmoid(x)",
    "mish": "write x * gc.tanh(gc.softplus(x))",
    "cross_entropy nll_loss softmax_cross_entropy CrossEntropyLoss": "write "
    "-gc.mean(gc.sum(labels * gc.log_softmax(scores), axis=-1))",
    "binary_cross_entropy bce BCELoss": "write gc.mean(gc.softplus(scores) - labels * scores)",
    "mse mse_loss MSELoss": "write gc.mean((a - b) ** 2)",
    "nn layers Module Linear Dense Sequential Model": "a layer is a function of yours: "
    "gc.tanh(x @ W + b), where W and b are inputs",
    "conv1d conv2d Conv2d": "write the sum over the kernel of shifted slices, "
    "x[:, i : i + h, j : j + w] @ kernel[i, j]",
    "layer_norm LayerNorm": "write (x - mean) / gc.sqrt(variance + eps), of gc.mean and "
    "gc.var with axis=-1, keepdims=True",
    "rsqrt": "write 1 / gc.sqrt(x)",
    "logit": "write gc.log(p) - gc.log1p(-p)",
    "topk top_k": "write gc.sort(x, descending=True)[..., :k]; gc.argsort has the positions",
    "percentile": "write gc.quantile(x, q / 100)",
    "logdet": "write gc.linalg.slogdet(x).logabsdet",
    "solve_triangular cho_solve lu_solve": "write gc.linalg.solve(x, b): NumPy makes no use of "
    "triangles",
    "flatten": "write gc.reshape(x, (-1,))",
    "make_jaxpr": "gc.tree(z) and print(gc.Graph([z])) show a graph",
    "backward gradients derivative differentiate": "gc.grad(z, x) is the gradient of any node by "
    "any other",
    "diff gradient": "gc.grad(z, x) is a derivative; np.diff and np.gradient take tensors too, "
    "and compare neighbours",
    "formula pretty pprint": "gc.tree(z) writes it out, gc.latex(z) for documents, "
    "gc.explain(z, x) with its gradient",
    "shared": "what changes between calls is an input, and its next value an output",
    "bool int8 int16 uint8 float32 float64 int32 int64": "a dtype is a string or NumPy's: "
    'gc.input("x", (3,), "float32")',
    "numpy jnp np": "NumPy's own functions take tensors: import numpy as np",
    "lambdify compile_function theano_function function Session": "gc.compile makes a function of "
    "nodes",
    "simplify": "gc.compile does, and its .log.story tells how",
    "rmsprop RMSprop adagrad Adagrad adadelta nadam lion lbfgs LBFGS": "gc.optim.Optimizer "
    "makes one of a rule",
    "DataLoader Dataset": "gc.optim.Batches(data, size=...) makes batches",
    "no_grad inference_mode": "there is no gradient unless gc.grad builds it",
    "checkpoint remat": 'gc.compile(..., memory="low") computes again what takes much memory',
    "custom_vjp custom_jvp custom_gradient primitive": "gc.elementwise and gc.Op make operations "
    "with derivatives of yours",
    "save load export": "f.save(path) writes a program, pickle keeps nodes and functions",
}

# What np.linalg calls by a name that means something else in the package itself.
_IN_LINALG = {
    "trace": ": write x.trace()",
    "cond": nearest("np.linalg.cond"),
}

# What tensors of other libraries have, and arrays have not.
_OF_TENSORS = {
    "backward grad requires_grad requires_grad_ retain_grad diff": "gc.grad(z, x) is the "
    "gradient of any node by any other",
    "detach": "write gc.stop_gradient(x)",
    "numpy cpu eval": "gc.evaluate and gc.compile compute what it is",
    "subs replace": "gc.evaluate puts numbers for nodes, gc.Graph([x]).substitute other nodes",
    "view": "write x.reshape(...)",
    "clamp": "write gc.clip(x, min, max)",
    "pow": "write x**y",
    "clone": "a tensor never changes: another name is as good",
    "masked_fill": "write gc.where(mask, value, x)",
    "at set": "write gc.scatter_add, or gc.where",
    "expand": "write gc.broadcast_to(x, shape)",
    "numel": "write x.size",
    "permute": "write x.transpose(...)",
    "unsqueeze": "write x[:, None]",
    "t": "write x.T",
    "mm mv bmm matmul": "write x @ y",
    "float double int long": 'write x.astype("float64")',
    "dim": "write x.ndim",
    "data value values": "gc.evaluate and gc.compile compute what it is",
    "to cuda device": "programs run on NumPy",
}

# What takes tensors, and asks for more than them or is not of their mathematics.
_TAKING = ("backprop", "check", "compile", "draw", "evaluate", "explain", "hessian", "jacobian",
           "latex", "tree")  # fmt: skip
_STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
# Operators that write into their operand, as torch spells them.
_IN_PLACE = [f"{name[2:-2]}_" for name in dir(Node) if name.startswith("__")]


def tell_of_tensors(public: Sequence[str]) -> None:
    """Let tensors say what to write for what they do not have, by a package's list of its names.

    >>> import graphc as gc
    >>> gc.input("x").detach()
    Traceback (most recent call last):
        ...
    AttributeError: a tensor has no detach: write gc.stop_gradient(x)
    """
    of_tensors = " ".join(_OF_TENSORS).split()
    of_arrays = [name for name in (*dir(np.ndarray), *dir(np)) if not name.startswith("_")]
    ours = {name.rpartition(".")[2]: name for name in public}
    ours = {name: full for name, full in ours.items() if name in FUNCTIONS}
    names = (*of_tensors, *ours, *_TAKING, *_IN_PLACE, *of_arrays)
    tell_instead(Node, names, functools.partial(_no_method, ours))


def _no_method(ours: Mapping[str, str], name: str) -> str:
    said = next((text for had, text in _OF_TENSORS.items() if name in had.split()), "")
    if not said and name in ours:
        said = f"write gc.{ours[name]}({', '.join(_taken(name))})"
    if name in _TAKING:
        said = f"write gc.{name}(x, ...)"
    if not said and name in _IN_PLACE:
        said = "no tensor is changed: take the value of the operator"
    return f"a tensor has no {name}{f': {said}' if said else nearest(f'np.{name}')}"


def _taken(name: str) -> Sequence[str]:
    """What a function of ours cannot do without, the first of it a tensor x."""
    op = OPS.get(name)
    if op is not None and op.examples:
        return "xyz"[: len(op.examples[0].shapes)]
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in _STARRED]
    return ["x", *needed[1:]]


def otherwise(names: Sequence[str], room: str = "graphc") -> Callable[[str], NoReturn]:
    """The `__getattr__` of a package, or of a room of it, where there are these names.

    >>> otherwise(["atan", "softmax"])("arctan")
    Traceback (most recent call last):
        ...
    AttributeError: graphc has no arctan: it is called gc.atan
    """

    def missing(name: str) -> NoReturn:
        # With an object, and no name: else Python adds the name that is nearest in letters.
        of_linalg = _IN_LINALG.get(name, "") if room == "gc.linalg" else ""
        said = f"{room} has no {name}{of_linalg or _instead(name, names)}"
        raise AttributeError(said, obj=otherwise)

    return missing


def _instead(name: str, names: Sequence[str]) -> str:
    if name.startswith("_"):
        return ""
    alias = vars(np).get(name)  # np.pow is np.power
    found = UFUNCS.get(name) or UFUNCS.get(getattr(alias, "__name__", ""))
    called = found.name if isinstance(found, Op) else _CALLED.get(name.lower())
    called = next((ours for ours in (called, name, f"linalg.{name}") if ours in names), None)
    if called is not None:
        return f": it is called gc.{called}"
    if found is not None:
        return f" of its own: np.{name} takes its tensors"
    for refused, why in _WHY.items():
        if name in refused.split():
            return f"; {why}"
    return _of_numpy(name) or _alike(name, names)


def _of_numpy(name: str) -> str:
    """What to do with NumPy's thing of this name, if there is one."""
    for room, things in {"np": vars(np), "np.linalg": vars(np.linalg)}.items():
        thing = things.get(name)
        if callable(thing) and thing in TABLE:
            return f" of its own: {room}.{name} takes its tensors"
        if callable(thing) and nearest(f"{room}.{name}"):
            return nearest(f"{room}.{name}")
    thing = vars(np).get(name)
    if thing is None or isinstance(thing, ModuleType):
        return ""
    return f" of its own: what np.{name} gives stands beside tensors"


def _alike(name: str, names: Sequence[str]) -> str:
    # Nobody means an error by what is not there: `gradients` is near to WrongGradient.
    alike = {
        known.rpartition(".")[2].lower(): known
        for known in reversed(names)
        if not hasattr(errors, known)
    }
    close = difflib.get_close_matches(name.lower(), alike, 1, cutoff=0.7)
    return f"; did you mean gc.{alike[close[0]]}?" if close else ""
