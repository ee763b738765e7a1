"""Every public name tells what it is for and shows it, in an example that runs.

The examples of functions, classes and their methods are run where they stand (pytest's
`--doctest-modules`). Those of operations are made from their records: they are run here.
"""

import copy
import doctest
import functools
import html
import inspect
import pickle
import re

import numpy as np
import pytest

import graphc as gc
from graphc.debug import Diagnosis
from graphc.objective import Objective
from graphc.ops.as_numpy.ufuncs import UFUNCS
from graphc.passes import Log
from graphc.plan.plan import Plan
from graphc.profile import Profile
from graphc.sparse import SparseFunction, Sparsity

PUBLIC = {
    **{f"gc.{name}": getattr(gc, name) for name in gc.__all__},
    **{f"gc.optim.{name}": getattr(gc.optim, name) for name in gc.optim.__all__},
    **{f"gc.linalg.{name}": getattr(gc.linalg, name) for name in gc.linalg.__all__},
}
HANDED_OUT = (Diagnosis, Log, Objective, Plan, Profile, SparseFunction, Sparsity)
CLASSES = [c for c in PUBLIC.values() if inspect.isclass(c)] + list(HANDED_OUT)

# Names of values, which have no docstring: gc.Op tells about the one, gc.optim about the other.
VALUES = {"gc.OPS", "gc.optim.Schedule"}

EXAMPLE_LINE = re.compile(r"^\s*(?:>>>|\.\.\.) (.*)$", re.MULTILINE)


def shown_in(text):
    """The code of the examples in a docstring."""
    return "\n".join(EXAMPLE_LINE.findall(text or ""))


def members(cls):
    """What a class of ours offers by names without an underscore: (name, docstring)."""
    for name, member in vars(cls).items():
        if isinstance(member, staticmethod | classmethod):
            member = member.__func__
        if isinstance(member, functools.cached_property):
            member = member.func
        is_offered = inspect.isfunction(member) or isinstance(member, property)
        if is_offered and not name.startswith("_"):
            yield name, member.__doc__


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - VALUES))
def test_a_public_name_has_an_example(name):
    """Help is asked for at the name: what stands there must be enough to begin."""
    text = inspect.getdoc(PUBLIC[name])
    assert text and shown_in(text)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_all_that_a_class_offers_is_told_and_shown(cls):
    """A method is shown in its own example, or in that of its class."""
    silent = [name for name, text in members(cls) if not text]
    shown = shown_in(cls.__doc__)
    unseen = [
        name for name, text in members(cls)
        if not shown_in(text) and not re.search(rf"\.{name}\b", shown)
    ]  # fmt: skip
    assert ([], []) == (silent, unseen)


@pytest.mark.parametrize("package", [gc, gc.optim], ids=["gc", "gc.optim"])
def test_the_tab_key_shows_the_public_names_alone(package):
    """The rooms that they come from are there for those who ask: they were a fifth of the list."""
    assert sorted(package.__all__) == dir(package)
    assert inspect.ismodule(gc.shapes) and inspect.ismodule(gc.optim.schedules)


def read_as_text():
    """All that shows itself as text, most of it tables."""
    w = gc.input("w", (3,))
    loss = gc.sum(gc.tanh(w) ** 2)
    f, values = gc.compile(loss), [1.0, 2.0, 3.0]
    yield from (f.report, f.log, f.plan, f.profile(values), f.debug(values))
    yield from (gc.check(loss, w), gc.check_op(gc.tanh), gc.tree(loss))


def test_tables_show_themselves_in_shells_and_in_notebooks():
    """With lines that do not break: a wide table could not be read in a notebook."""
    for shown in read_as_text():
        assert str(shown) == repr(shown)
        assert re.fullmatch(r"(?s)<pre style=.*?>.*</pre>", shown._repr_html_())
        assert html.escape(str(shown)) in shown._repr_html_()


OPERATIONS = [name for name, value in PUBLIC.items() if isinstance(value, gc.Op)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_example_of_an_operation_computes_what_its_formula_gives(name):
    """The numbers are sympy's, the computation NumPy's."""
    test = doctest.DocTestParser().get_doctest(PUBLIC[name].__doc__, {}, name, None, 0)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert test.examples and not doctest.DocTestRunner(optionflags=options).run(test).failed


def test_an_operation_of_ones_own_is_described_as_well():
    """It is spelled as it can be reached."""
    own = gc.elementwise("own_cube", lambda x: x**3, numpy="x0**3", like=np.square)
    assert own.__doc__.startswith("own_cube(x): x**3, element by element. Derivative: 3*x**2.")
    assert 'f = gc.OPS["own_cube"](x)' in own.__doc__


ELSEWHERE = {
    "arctan": ": it is called gc.atan",
    "absolute": ": it is called gc.abs",
    "concatenate": ": it is called gc.concat",
    "cumsum": ": it is called gc.cumulative_sum",
    "pow": ": it is called gc.power",  # the standard's name: what it gives was said to stand beside
    "mod": ": it is called gc.remainder",
    "bitwise_and": ": it is called gc.logical_and",
    "placeholder": ": it is called gc.input",
    "ravel": " of its own: np.ravel takes its tensors",
    "heaviside": " of its own: np.heaviside takes its tensors",
    "cholesky": ": it is called gc.linalg.cholesky",
    "lstsq": "; the nearest is np.linalg.solve(A.T @ A, A.T @ b)",
    "svd": "; nothing is like it: compute it outside, and pass the result in as an argument",
    "solve_triangular": "; write gc.linalg.solve(x, b): NumPy makes no use of triangles",
    "logdet": "; write gc.linalg.slogdet(x).logabsdet",
    "norm_cdf": ": it is called gc.ndtr",
    "argpartition": "; the nearest is np.argsort",
    "topk": "; write gc.sort(x, descending=True)[..., :k]; gc.argsort has the positions",
    "kron": " of its own: np.kron takes its tensors",
    "matrix_power": " of its own: np.linalg.matrix_power takes its tensors",
    "linspace": "; the nearest is a + (b - a) * np.linspace(0, 1, n)",
    "geomspace": " of its own: what np.geomspace gives stands beside tensors",
    "gammaln": "; NumPy has none, and programs need NumPy alone: gc.elementwise makes an operation "
    "of a formula and a NumPy text",
    "randn": "; no graph draws random numbers: draw them with NumPy, and pass them in as an input",
    "Softmax": "; did you mean gc.softmax?",
    "jacobean": "; did you mean gc.jacobian?",
    "Adam": "; did you mean gc.optim.adam?",
    "linagl": "; did you mean gc.linalg?",
    "leaky_relu": "; write gc.maximum(x, 0.01 * x)",
    "nn": "; a layer is a function of yours: gc.tanh(x @ W + b), where W and b are inputs",
    "save": "; f.save(path) writes a program, pickle keeps nodes and functions",
    "cat": ": it is called gc.concat",
    "unsqueeze": ": it is called gc.expand_dims",  # squeeze, nearest in letters, is its opposite
    "expit": ": it is called gc.sigmoid",
    "gather": ": it is called gc.take_along_axis",
    "Parameter": ": it is called gc.input",
    "gradients": "; gc.grad(z, x) is the gradient of any node by any other",
    "diff": "; gc.grad(z, x) is a derivative; np.diff and np.gradient take tensors too, "
    "and compare neighbours",
    "loop": "; no graph holds loops or branches: Python's loops over known sizes are unrolled, and "
    "gc.where chooses",
    "formula": "; gc.tree(z) writes it out, gc.latex(z) for documents, gc.explain(z, x) with its "
    "gradient",
    "bool": "; a dtype is a string or NumPy's: gc.input(\"x\", (3,), \"float32\")",
    "float32": "; a dtype is a string or NumPy's: gc.input(\"x\", (3,), \"float32\")",
    "wronggradients": "",
    "nothing_like_it": "",
    "__path_hooks__": "",
}


@pytest.mark.parametrize("name, instead", ELSEWHERE.items())
def test_a_name_that_numpy_has_leads_to_what_it_is_called_here(name, instead):
    """People type what they know; a name with another meaning, or none, is just not there."""
    with pytest.raises(AttributeError) as caught:
        getattr(gc, name)
    assert f"graphc has no {name}{instead}" == str(caught.value)
    assert caught.value.name is None  # with one Python would add what is nearest in letters


def test_a_room_of_the_package_tells_what_is_near_too():
    """Elsewhere optimizers are classes."""
    with pytest.raises(AttributeError, match=r"gc\.optim has no Adam; did you mean gc.optim.adam"):
        getattr(gc.optim, "Adam")  # noqa: B009


@pytest.mark.parametrize("name, said", [
    ("backward", ": gc.grad(z, x) is the gradient of any node by any other"),
    ("detach", ": write gc.stop_gradient(x)"),
    ("numpy", ": gc.evaluate and gc.compile compute what it is"),
    ("unsqueeze", ": write x[:, None]"),
    ("clamp", ": write gc.clip(x, min, max)"),
    ("masked_fill", ": write gc.where(mask, value, x)"),
    ("softmax", ": write gc.softmax(x)"),
    ("subs", ": gc.evaluate puts numbers for nodes, gc.Graph([x]).substitute other nodes"),
    ("partition", "; the nearest is np.sort"),
    ("median", ": write gc.median(x)"),
    ("quantile", ": write gc.quantile(x, q)"),
    ("inv", ": write gc.linalg.inv(x)"),
    ("add_", ": no tensor is changed: take the value of the operator"),
    ("nbytes", ""),
])  # fmt: skip
def test_a_method_that_tensors_have_elsewhere_leads_to_what_to_write(name, said):
    """Asking whether it is there is answered as ever; `help` and the Tab key ask the class too."""
    x = gc.input("x", (2,))
    assert not hasattr(x, name) and getattr(x, name, None) is None
    with pytest.raises(AttributeError) as caught:
        getattr(x, name)
    assert f"a tensor has no {name}{said}" == str(caught.value)
    assert name not in dir(x) and name not in dir(type(x))


def test_tensors_have_no_getattr():
    """In its presence Python 3.11 takes twice as long for every attribute of every node."""
    assert not hasattr(type(gc.input("x")), "__getattr__")
    with pytest.raises(AttributeError, match="no attribute 'nothing_like_it'"):
        gc.input("x").nothing_like_it  # noqa: B018


def test_every_ufunc_that_is_covered_leads_somewhere():
    """No name of the table is a dead end."""
    for name in vars(np):
        if isinstance(getattr(np, name), np.ufunc) and name in UFUNCS and not hasattr(gc, name):
            with pytest.raises(AttributeError, match="gc\\.|np\\."):
                getattr(gc, name)


NOT_OURS = {
    "f.run": "a compiled function has no run: call it",
    "f.outputs": "a compiled function has no outputs: its .graph.outputs are",
    "f.grad": "a compiled function has no grad: gc.grad(z, x) is a node, to be compiled too",
    "adam.step": "an optimizer has no step: gc.fit trains; .update(loss, params) builds one",
    "adam.lr": "an optimizer has no lr: it is called .learning_rate",
    "adam.clip": "an optimizer has no clip: .clipped(norm=...) is one that clips first",
    "jitted.source": "a function that is compiled on call has no source: .compiled(...) of some "
    "arguments is their program, which has it",
    "drawing.show": 'a drawing has no show: write .save("graph.html"), or .png, .svg, .pdf, .dot, '
    "to look at; notebooks show it by itself",
    "told.md": "an explanation has no md: it is called .markdown",
    "told.save": "an explanation has no save: print it, or keep its .text, .markdown or .latex; "
    "notebooks show it by itself",
    "x.draw": "a tensor has no draw: write gc.draw(x, ...)",
    "x.maximum": "a tensor has no maximum: write gc.maximum(x, y)",
    "x.add_": "a tensor has no add_: no tensor is changed: take the value of the operator",
    "x.cuda": "a tensor has no cuda: programs run on NumPy",
    "x.place": "a tensor has no place",  # of ours there is one that is not public
}


@pytest.mark.parametrize("expression, message", NOT_OURS.items())
def test_an_attribute_that_others_have_leads_to_what_there_is(expression, message):
    """hasattr, copies and pickles see no more than that it is missing."""
    x = gc.input("x")
    known = {
        "f": gc.compile(x * 2), "adam": gc.optim.adam(), "x": x, "jitted": gc.jit(np.sin),
        "drawing": gc.draw(x * 2), "told": gc.explain(x * 2, x),
    }  # fmt: skip
    name, attribute = expression.split(".")
    with pytest.raises(AttributeError) as caught:
        getattr(known[name], attribute)
    assert message == str(caught.value) and caught.value.name is None
    assert not hasattr(copy.deepcopy(known[name]), attribute)


def test_a_function_that_tells_of_arguments_is_the_one_that_was_defined():
    """For pickles, signatures, help and sources."""
    for function in (gc.grad, gc.compile, gc.fit, gc.optim.adam, gc.vmap):
        assert pickle.loads(pickle.dumps(function)) is function
        assert inspect.signature(function) == inspect.signature(function.__wrapped__)
        assert inspect.getsource(function).startswith(f"def {function.__name__}(")


def test_an_error_of_what_a_function_does_is_left_as_it_is():
    """Only arguments that do not fit are told of in graphc's words."""

    def wrong(x):
        return sorted(x, by=3)

    with pytest.raises(TypeError, match="'by'") as caught:
        gc.grad_fn(wrong)(np.ones(2))
    assert not isinstance(caught.value, gc.GraphcError)
