"""Nodes, graphs and compiled functions go through pickle, and come back as what they were."""

import collections
import copy
import multiprocessing
import pickle
import subprocess
import sys

import numpy as np
import pytest

import graphc as gc

Pair = collections.namedtuple("Pair", "loss slope")

X, y, w = gc.input("X", ("n", "d")), gc.input("y", ("n",)), gc.input("w", ("d",))
error = gc.tanh(X @ w) - y
loss = gc.mean(error**2)
slope = gc.grad(loss, w)
AT = {"X": np.arange(6.0).reshape(3, 2), "y": np.ones(3), "w": np.array([0.1, -0.2])}
LARGE = {"X": np.linspace(-2, 2, 90_000).reshape(30_000, 3), "y": np.ones(30_000), "w": np.ones(3)}


def again(value):
    return pickle.loads(pickle.dumps(value))


def elsewhere(value, question):
    """What another process prints, to which a pickle of the value is all that is known."""
    program = f"import pickle, sys\nv = pickle.load(sys.stdin.buffer)\n{question}"
    ran = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(value), capture_output=True, check=True
    )
    return ran.stdout.decode()


def bits(results):
    return [(a.dtype.str, a.shape, a.tobytes()) for a in map(np.asarray, results)]


# -- nodes and graphs -------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_node_comes_back_as_the_same_object(protocol):
    """There is one node for each meaning, also for what a pickle means."""
    one, two = pickle.loads(pickle.dumps([loss, {"g": slope}], protocol))
    assert one is loss and two["g"] is slope
    assert again(gc.tanh) is gc.tanh


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_of_what_never_changes_are_itself(copied):
    """Nodes, operations, graphs and compiled functions."""
    f = gc.compile(loss)
    for value in (loss, gc.tanh, gc.Graph([loss]), f):
        assert copied(value) is value
    assert copied({"of": [loss]})["of"][0] is loss


def test_every_operation_goes_through_a_pickle():
    """With its attributes: values, dims, dtypes, bounds, axes."""
    met = 0
    for op in list(gc.OPS.values()):
        for example in op.examples:
            dtypes = example.dtypes
            inputs = [
                gc.input(f"p{k}", shape, dtype)
                for k, (shape, dtype) in enumerate(zip(example.shapes, dtypes, strict=False))
            ]
            try:
                v = op(*inputs, **example.attrs)
            except gc.GraphcError:
                continue  # the laws give it other operands
            assert again(v) is v
            met += 1
    assert met > 150


def test_another_process_has_the_graph_with_its_names_and_lines():
    """Errors, pictures and programs there tell of the lines that were written here."""
    graph = gc.Graph([loss, slope])
    second, first = gc.input("second", ()), gc.input("first", ())
    ratio = first / second  # arguments come in the order of declaration, there as here
    said = elsewhere(
        {"graph": graph, "ratio": ratio},
        "import graphc as gc\n"
        "print(v['graph'])\n"
        "print(v['graph'].outputs[0].where.text)\n"
        "print(gc.compile(v['ratio'])(1.0, 2.0))\n"
        "try: v['graph'].outputs[0] + v['graph'].outputs[1] @ v['ratio']\n"
        "except Exception as error: print(error)\n",
    )
    assert said.startswith(f"{graph}\nloss = gc.mean(error**2)\n2.0\n")
    assert f"ratio  : f64[]    test_pickles.py:{ratio.where.line}" in said


def test_a_node_that_exists_keeps_what_is_told_of_it():
    """Who reads a pickle does not rename what he has."""
    v = gc.exp(gc.input("v", ()))
    v.named("before")
    written = pickle.dumps(v)
    v.named("after")
    assert pickle.loads(written) is v and "after" == v.name


def test_a_deep_graph_is_no_deep_pickle():
    """pickle is recursive, and Python's stack is not deep."""
    v = gc.input("v", ())
    for _ in range(3_000):
        v = gc.sin(v)
    assert again(v) is v and again(gc.Graph([v])).outputs == (v,)


def test_a_pickle_of_many_gradients_has_the_graph_once():
    """Each gradient needs nearly all of it."""

    def size(layers):
        v, weights = gc.input("v", ("d",)), [gc.input(f"W{k}", ("d", "d")) for k in range(layers)]
        for W in weights:
            v = gc.tanh(W @ v)
        found = gc.grad(gc.sum(v), weights)
        written = pickle.dumps({"value": v, "slopes": found})
        assert found == pickle.loads(written)["slopes"]
        return len(written)

    assert size(40) < 5 * size(10)


def test_an_operation_that_is_not_defined_there_is_named():
    """A pickle names operations; the module that defines one must be imported."""
    import sympy as sp

    cubed = gc.elementwise(
        "cubed_in_a_test", lambda x: sp.Pow(x, 3), numpy="x0**3", like=np.square
    )
    v = cubed(gc.input("v", ("n",)))
    said = elsewhere(
        (gc.compile(v), pickle.dumps(v)),
        "print(v[0]([1.0, 2.0]))\n"  # a program needs no record
        "try: pickle.loads(v[1])\n"
        "except Exception as error: print(error)\n",
    )
    assert said.startswith(
        "[1. 8.]\nthe pickle has the operation cubed_in_a_test, which nothing has defined here: "
        "import the module that defines it first\n"
    )


# -- compiled functions -----------------------------------------------------------------------


FUNCTIONS = {
    "as it comes": dict(),
    "one thread": dict(threads=1),
    "two threads": dict(threads=2),
    "little memory": dict(memory="low"),
    "strict": dict(simplify="strict"),
    "as written": dict(simplify=False),
    "facts checked": dict(check_facts=True),
}


@pytest.mark.parametrize("options", FUNCTIONS)
def test_a_function_comes_back_and_gives_the_same_bits(options):
    """Small arrays and large ones, which go in tiles; what it can tell of itself is the same."""
    f = gc.compile([loss, slope], name="network", inputs=[w, X, y], **FUNCTIONS[options])
    g = again(f)
    for at in (AT, LARGE):
        assert bits(f(**at)) == bits(g(**at)) == bits(g(at["w"], at["X"], at["y"]))
    assert (f.source, f.name, repr(f)) == (g.source, g.name, repr(g))
    assert "_made" not in vars(g)  # nothing was compiled to call it
    assert (str(f.report), str(f.plan), f.plain) == (str(g.report), str(g.plan), g.plain)
    assert f.graph.outputs == g.graph.outputs and f.unused == g.unused
    assert bits(again(g)(**AT)) == bits(f(**AT))
    assert bits(again(again(f))(**AT)) == bits(f(**AT))


@pytest.mark.parametrize(
    "form", [loss, [loss], (loss, slope), {"a": {"b": loss}, 1: [slope]}, Pair(loss, slope)]
)
def test_a_function_keeps_the_form_of_its_results(form):
    """Named tuples too, which no program can write."""
    f = gc.compile(form)
    one, two = f(**AT), again(f)(**AT)
    assert type(one) is type(two) and repr(one) == repr(two)


def test_a_function_refuses_in_the_same_words():
    """Names, sizes, dtypes and facts are checked where it was read."""
    p = gc.input("p", (), between=(0, 1))
    f = gc.compile(loss * p, check_facts=True)
    wrong = [
        dict(AT), dict(AT, p=0.5, q=1.0), dict(AT, p=2.0), dict(AT, p=0.5, w=np.ones(3)),
        dict(AT, p=0.5, y=np.ones(3, complex)),
    ]  # fmt: skip
    for values in wrong:
        said = []
        for g in (f, again(f)):
            with pytest.raises(gc.BindError) as caught:
                g(**values)
            said.append(caught.value.sentence)
        assert said[0] == said[1]


def _apply(f, at):
    return bits(f(**at))


def _refused(f):
    f(**dict(AT, w=np.ones(3)))


def test_a_pool_of_spawned_processes_calls_a_function():
    """The function and its errors travel: both ways."""
    f = gc.compile((loss, slope), threads=1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert [_apply(f, AT), _apply(f, LARGE)] == pool.starmap(_apply, [(f, AT), (f, LARGE)])
        with pytest.raises(gc.BindError, match="axis 0 of w has size 3, and needs d = 2"):
            pool.apply(_refused, (f,))


def test_an_error_of_a_graph_goes_through_a_pickle_with_its_lines():
    """A worker's mistake is told where its result was awaited."""
    with pytest.raises(gc.ShapeError) as caught:
        X @ y
    assert str(caught.value) == str(again(caught.value))
    assert gc.ShapeError is type(again(caught.value))


# -- functions that are traced ----------------------------------------------------------------


def _square(x):
    return np.sum(x**2)


@gc.jit
def decorated(x):
    """A function whose name is that of its compiled form."""
    return np.sum(np.sin(x))


@pytest.mark.parametrize("make", [gc.jit, gc.grad_fn, gc.value_and_grad, gc.hessian_fn, gc.vmap])
def test_a_traced_function_is_made_again(make):
    """The plain function goes by its name, as functions do."""
    x = np.array([[1.0, 2.0]]) if make is gc.vmap else np.array([1.0, 2.0])
    f = make(_square)
    f(x)  # has programs already
    assert repr(f(x)) == repr(again(f)(x)) == repr(copy.deepcopy(f)(x))


def test_a_decorated_function_goes_by_its_name():
    """As every function of a module does."""
    assert again(decorated) is decorated


def test_an_objective_goes_to_the_process_that_minimises_it():
    """With what it has compiled."""
    s = gc.compile(loss).as_scipy({w: AT["w"]}, {X: AT["X"], y: AT["y"]})
    assert s.fun(s.x0) == again(s).fun(s.x0)
    assert s.jac(s.x0).tolist() == again(s).jac(s.x0).tolist()
