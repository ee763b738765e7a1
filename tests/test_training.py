"""Training: optimizers by their formulas, schedules, clipping, and runs that stop and go on."""

import math
import os
import pty
import runpy
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess
from scipy.special import expit

import graphc as gc
from graphc import optim
from graphc.check import complex_step

X, Y = gc.input("X", ("n", 3)), gc.input("Y", ("n", 2))
W, B = gc.input("W", (3, 2)), gc.input("b", (2,))
LOSS = gc.mean((gc.tanh(X @ W + B) - Y) ** 2)


def problem(rows=12, dtype="float64"):
    rng = np.random.default_rng(0)
    data = {X: rng.normal(size=(rows, 3)), Y: rng.normal(size=(rows, 2))}
    first = {"W": rng.normal(size=(3, 2)).astype(dtype), "b": np.zeros(2, dtype)}
    return data, first


def same_bits(a, b):
    """Whether two dicts of arrays are equal bit for bit."""
    return a.keys() == b.keys() and all(
        np.asarray(a[k]).tobytes() == np.asarray(b[k]).tobytes() for k in a
    )


# -- optimizers, as their papers write them ---------------------------------------------------


def by_sgd(w, g, kept, rate, t):
    return w - rate * g


def by_momentum(w, g, kept, rate, t, beta=0.8):
    kept["v"] = beta * kept.get("v", 0) + g
    return w - rate * kept["v"]


def by_nesterov(w, g, kept, rate, t, beta=0.8):
    kept["v"] = beta * kept.get("v", 0) + g
    return w - rate * (g + beta * kept["v"])


def by_adam(w, g, kept, rate, t, decay=0.0):
    kept["m"] = 0.9 * kept.get("m", 0) + 0.1 * g
    kept["s"] = 0.99 * kept.get("s", 0) + 0.01 * g**2
    m, s = kept["m"] / (1 - 0.9**t), kept["s"] / (1 - 0.99**t)
    return w - rate * (m / (np.sqrt(s) + 1e-6) + decay * w)


def by_adamw(w, g, kept, rate, t):
    return by_adam(w, g, kept, rate, t, decay=0.1)


OPTIMIZERS = [
    (optim.sgd, {}, by_sgd),
    (optim.momentum, {"beta": 0.8}, by_momentum),
    (optim.momentum, {"beta": 0.8, "nesterov": True}, by_nesterov),
    (optim.adam, {"beta2": 0.99, "eps": 1e-6}, by_adam),
    (optim.adamw, {"beta2": 0.99, "eps": 1e-6, "weight_decay": 0.1}, by_adamw),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("make, options, rule", OPTIMIZERS)
def test_an_optimizer_is_its_formula(make, options, rule, dtype):
    """Ten steps with a rate that falls, beside plain NumPy; no dtype widens on the way."""
    w, a = gc.input("w", (4,), dtype=dtype), gc.input("a", (4,), dtype=dtype)
    loss = gc.sum(gc.cosh(w - a))
    optimizer = make(optim.exponential_decay(0.3, every=10, factor=0.5), **options)
    step = gc.compile({"loss": loss, **optimizer.update(loss, [w])}, name="step")
    at = np.linspace(-1, 1, 4).astype(dtype)
    params, expected, kept = {"w": np.ones(4, dtype)}, np.ones(4), {}
    state = optimizer.init(params)
    for t in range(10):
        out = step(**params, **state, a=at)
        expected = rule(expected, np.sinh(expected - at), kept, 0.3 * 0.5 ** (t / 10), t + 1)
        params, state = out["params"], out["state"]
    assert {np.dtype(dtype)} == {x.dtype for x in (*params.values(), *list(state.values())[1:])}
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(params["w"], expected, rtol=tolerance, atol=tolerance)
    assert 10 == state[f"{optimizer.name}.step"]


def test_one_call_is_the_whole_step():
    """Loss, gradients and update are one program, which needs NumPy alone."""
    adam = optim.adam(0.1)
    step = gc.compile({"loss": LOSS, **adam.update(LOSS, [W, B])}, name="adam_step")
    namespace = {}
    exec(step.source, namespace)
    data, first = problem()
    values = {**first, **adam.init(first), "X": data[X], "Y": data[Y]}
    out = namespace[step.name](*[values[v.name] for v in step.graph.parameters])
    assert same_bits(step(**values)["params"], out["params"])


SCHEDULES = [
    (optim.constant(0.3), lambda t: 0.3),
    (optim.step_decay(0.3, every=4, factor=0.5), lambda t: 0.3 * 0.5 ** (t // 4)),
    (optim.exponential_decay(0.3, every=4, factor=0.5), lambda t: 0.3 * 0.5 ** (t / 4)),
    (optim.linear(0.3, 0.1, steps=8), lambda t: 0.3 - 0.2 * min(t, 8) / 8),
    (optim.cosine(0.3, steps=8), lambda t: 0.15 * (1 + math.cos(math.pi * min(t, 8) / 8))),
    (optim.warmup(0.3, steps=5), lambda t: 0.3 * min(t + 1, 5) / 5),
    (
        optim.warmup(optim.step_decay(0.3, every=4), steps=5),
        lambda t: 0.3 * (t + 1) / 5 if t < 5 else 0.3 * 0.1 ** ((t - 5) // 4),
    ),
    (lambda t: 0.3 / gc.sqrt(1 + t), lambda t: 0.3 / math.sqrt(1 + t)),
]


@pytest.mark.parametrize("schedule, formula", SCHEDULES)
def test_a_schedule_is_a_function_of_the_step(schedule, formula):
    """Seen in the steps themselves: each takes the rate times a gradient of -1 from w."""
    w = gc.input("w", ())
    sgd = optim.sgd(schedule)
    step = gc.compile(sgd.update(-w, [w]))
    params = {"w": 0.0}
    state, rates = sgd.init(params), []
    for _ in range(16):
        out = step(w=0.0, **state)
        state = out["state"]
        rates.append(float(out["params"]["w"]))
    np.testing.assert_allclose(rates, [formula(t) for t in range(16)], rtol=1e-14, atol=1e-17)


@pytest.mark.parametrize("scale", [0.0, 0.1, 10.0])
def test_clipping_by_norm_is_by_the_norm_of_all(scale):
    """A gradient of 0 stays 0, a short one is left as it is, bit for bit."""
    given = [scale * np.array([[3.0, 0.0]]), scale * np.array(4.0)]
    found = gc.evaluate(optim.clip_by_norm([gc.constant(g) for g in given], 1.0))
    factor = min(1.0, 1.0 / (5 * scale)) if scale else 1.0
    for g, clipped in zip(given, found, strict=True):
        np.testing.assert_allclose(clipped, factor * g, rtol=1e-15)
        assert scale > 1 or np.array_equal(clipped, g)


def test_clipping_by_norm_outlives_single_precision():
    """The square of 1e30 is no float32; the gradient of an exploding network may be."""
    given = gc.constant(np.float32([3e30, 4e30]))
    (found,) = gc.evaluate(optim.clip_by_norm([given], 1.0))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0.6, 0.8], rtol=1e-6)


def test_values_are_clipped_before_the_norm():
    """Both asked for: the norm is the last word."""
    w = gc.input("w", (2,))
    sgd = optim.sgd(1.0).clipped(value=3.0, norm=1.0)
    step = gc.compile(sgd.update(gc.sum(w * [-300.0, 4.0]), [w]))
    out = step(w=np.zeros(2), **sgd.init({"w": np.zeros(2)}))
    np.testing.assert_allclose(out["params"]["w"], [math.sqrt(0.5), -math.sqrt(0.5)])


# -- batches ----------------------------------------------------------------------------------


def test_an_epoch_meets_every_row_once_and_the_next_in_another_order():
    """So an order depends on its number alone, whatever came before."""
    batches = optim.Batches({"x": np.arange(10), "y": np.arange(10) * 2, "c": 3.0}, 4, seed=5)
    orders = [np.concatenate([b["x"] for b in batches.epoch(k)]).tolist() for k in (0, 1, 0)]
    assert [list(range(10))] * 3 == [sorted(order) for order in orders]
    assert orders[0] == orders[2] != orders[1]
    assert all(np.array_equal(2 * b["x"], b["y"]) and 3.0 == b["c"] for b in batches)
    assert [4, 4, 2] == [len(b["x"]) for b in batches]
    assert [4, 4] == [len(b["x"]) for b in optim.Batches({"x": np.arange(10)}, 4, drop_last=True)]


# -- fit --------------------------------------------------------------------------------------


def test_fit_on_one_batch_is_gradient_descent():
    """As a loop by hand: values, losses, and nothing changed that belongs to the caller."""
    data, first = problem()
    kept = {name: value.copy() for name, value in first.items()}
    f = gc.compile((LOSS, gc.grad(LOSS, {"W": W, "b": B})))
    expected, losses = dict(first), []
    for _ in range(5):
        loss, slopes = f(X=data[X], Y=data[Y], **expected)
        losses.append(loss)
        expected = {name: expected[name] - 0.5 * slopes[name] for name in expected}
    training = gc.fit(LOSS, first, data, optim.sgd(0.5), epochs=5)
    for name, value in expected.items():
        np.testing.assert_allclose(training.params[name], value, rtol=1e-13)
    np.testing.assert_allclose(training.history["loss"], losses, rtol=1e-13)
    assert (5, 5, "all epochs done") == (training.epoch, training.steps, training.stopped)
    assert same_bits(kept, first)


def test_batches_may_be_a_list_or_a_function_of_the_epoch():
    """What `Batches` draws may come from elsewhere."""
    data, first = problem()
    batches = optim.Batches(data, 5)
    listed = [list(batches.epoch(k)) for k in range(2)]
    expected = gc.fit(LOSS, first, batches, optim.adam(0.1), epochs=2).params
    assert same_bits(expected, gc.fit(LOSS, first, listed.__getitem__, optim.adam(0.1), 2).params)
    once = gc.fit(LOSS, first, batches, optim.adam(0.1), epochs=1).params
    assert same_bits(once, gc.fit(LOSS, first, listed[0], optim.adam(0.1)).params)


def test_patience_ends_a_training_and_the_best_parameters_are_kept():
    """Steps that are too long: the loss on what validates is lowest somewhere, then rises."""
    w, at = gc.input("w", ()), gc.input("at", ())
    training = gc.fit(
        (w - at) ** 2, {w: 0.0}, {at: 10.0}, optim.sgd(0.05), epochs=100,
        validation={at: 3.0}, patience=4,
    )  # fmt: skip
    path = [10 * (1 - 0.9**k) for k in range(1, 101)]
    nearest = min(range(100), key=lambda k: abs(path[k] - 3))
    assert (nearest + 1, nearest + 5) == (training.best_epoch, training.epoch)
    assert "no lower loss in 4 epochs" == training.stopped
    assert path[nearest] == pytest.approx(training.best["w"])
    assert path[nearest + 4] == pytest.approx(training.params["w"])


def test_a_loss_that_is_not_finite_ends_a_training_before_it_spoils_the_parameters():
    """The parameters are those that the loss was infinite at, not the NaN after them."""
    w = gc.input("w", ())
    training = gc.fit(w**4, {w: 10.0}, {}, optim.sgd(1.0), epochs=9)
    assert "the loss is inf at step 5" == training.stopped
    assert np.isfinite(training.params["w"]) and 4 == training.steps


def test_a_callback_hears_of_each_epoch_and_may_end_the_training():
    """By StopIteration, as in scipy."""
    heard = []

    def callback(training):
        heard.append(training.history["loss"][-1])
        if len(heard) == 3:
            raise StopIteration

    data, first = problem()
    training = gc.fit(LOSS, first, data, optim.sgd(0.1), epochs=50, callback=callback)
    assert (3, "the callback ended it") == (training.epoch, training.stopped)
    assert tuple(heard) == training.history["loss"]


# -- stopping and going on --------------------------------------------------------------------


class Broken(Exception):
    """A run that ends without having been asked."""


def breaking(batches, after):
    """The same batches, until so many were taken."""
    left = iter(range(after))

    def epoch(k):
        for batch in batches.epoch(k):
            if next(left, None) is None:
                raise Broken
            yield batch

    return epoch


def test_a_run_broken_after_any_step_goes_on_to_the_same_bits(tmp_path):
    """Step, place in the epoch, optimizer, history, best parameters: all of it is in the file."""
    data, first = problem()
    batches, optimizer = optim.Batches(data, 5, seed=1), optim.adamw(0.1)
    options = {"validation": data, "checkpoint_every": 1}
    expected = gc.fit(LOSS, first, batches, optimizer, 2, **options)
    for after in range(6):
        path = tmp_path / f"{after}.npz"
        with pytest.raises(Broken):
            gc.fit(LOSS, first, breaking(batches, after), optimizer, 2, checkpoint=path, **options)
        again = breaking(batches, 99)  # batches that come from elsewhere, as before
        found = gc.fit(LOSS, first, again, optimizer, 2, checkpoint=path, **options)
        for part in ("params", "state", "best_params"):
            assert same_bits(getattr(expected, part), getattr(found, part))
        assert expected.history == found.history and expected.steps == found.steps == 6


SCRIPT = textwrap.dedent("""
    import signal
    import sys
    import time
    import numpy as np
    import graphc as gc

    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run where it is ignored
    n = gc.dim("n")
    X, y = gc.input("X", (n, 4)), gc.input("y", (n,))
    w, b = gc.input("w", (4,), dtype="float32"), gc.input("b", ())
    loss = gc.mean(gc.softplus(-y * (X @ w + b)))
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 4))
    data = {X: points, y: np.sign(points[:, 0] + 0.5 * rng.normal(size=60))}
    training = gc.fit(
        loss, {w: np.zeros(4, np.float32), b: 0.0}, gc.optim.Batches(data, 7, seed=3),
        gc.optim.adam(gc.optim.cosine(0.05, 200)).clipped(norm=0.5), epochs=int(sys.argv[2]),
        checkpoint=sys.argv[1], checkpoint_every=2,
        callback=lambda training: time.sleep(float(sys.argv[3])),
    )
    print(training.stopped, training.steps, training.params["w"].tobytes().hex())
""")


def started(folder, path, epochs, pause=0.0, **options):
    """The script in a process of its own, which pauses after each epoch."""
    script = folder / "train.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-W", "error", str(script), str(path), str(epochs), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def wait_for(claim):
    """Wait until something holds, at most a minute."""
    end = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.002)


def steps_in(path):
    return optim.Training.load(path).steps if path.exists() else 0


def test_a_killed_run_resumes_to_bit_identical_parameters(tmp_path, monkeypatch, capfd):
    """Killed twice by the system, at no point in particular, in a process of its own."""
    whole, broken = tmp_path / "whole.npz", tmp_path / "broken.npz"
    for more in (3, 50):
        run, before = started(tmp_path, broken, 40, pause=0.1), steps_in(broken)
        wait_for(lambda more=more, before=before: steps_in(broken) >= before + more)
        run.kill()
        run.communicate()
        assert -signal.SIGKILL == run.returncode
    assert 53 <= steps_in(broken) < 360
    resumed = started(tmp_path, broken, 40).communicate()[0]
    monkeypatch.setattr(sys, "argv", ["train.py", str(whole), "40", "0"])
    runpy.run_path(str(tmp_path / "train.py"))
    expected, said = capfd.readouterr()
    assert expected.startswith("all epochs done 360 ") and not said
    assert expected == resumed
    with np.load(whole) as one, np.load(broken) as other:
        assert same_bits(dict(one), dict(other))


def test_ctrl_c_keeps_what_was_learnt(tmp_path):
    """The call returns, the file holds the same, and the next run goes on from there."""
    path = tmp_path / "run.npz"
    run = started(tmp_path, path, 10**6)
    wait_for(lambda: steps_in(path) >= 20)
    run.send_signal(signal.SIGINT)
    printed = run.communicate(timeout=60)[0].split()
    assert (0, "interrupted") == (run.returncode, printed[0])
    kept = optim.Training.load(path)
    assert [str(kept.steps), kept.params["w"].tobytes().hex()] == printed[1:]


def test_a_file_is_whole_whenever_the_writing_breaks(tmp_path, monkeypatch):
    """A new one takes the place of the old one at once, or not at all."""
    path = tmp_path / "run.npz"
    first, second = ({"w": np.full(3, value)} for value in (1.0, 2.0))
    optim.Training(first, {}).save(path)
    for broken in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, broken, lambda *_: (_ for _ in ()).throw(Broken))
            with pytest.raises(Broken):
                optim.Training(second, {}).save(path)
        assert same_bits(first, optim.Training.load(path).params)
    optim.Training(second, {}).save(path)
    assert same_bits(second, optim.Training.load(path).params)


OTHERS = [
    ("its program was", {"optimizer": optim.sgd(0.2)}),
    ("its program was", {"optimizer": optim.sgd(0.1).clipped(norm=1.0)}),
    ("its program was", {"loss": 2 * LOSS}),
    ("its data was Batches.12 rows of X, Y, size=5, .*seed=0", {"seed": 1}),
    ("its data was", {"size": 4}),
]


@pytest.mark.parametrize("message, change", OTHERS)
def test_a_checkpoint_of_another_run_is_refused(message, change, tmp_path):
    """To go on would be neither the old run nor a new one; `resume=False` begins anew."""
    data, first = problem()

    def run(loss=LOSS, optimizer=None, size=5, seed=0, **options):
        batches = optim.Batches(data, size, seed=seed)
        optimizer = optimizer or optim.sgd(0.1)
        path = tmp_path / "run.npz"
        return gc.fit(loss, first, batches, optimizer, 2, checkpoint=path, **options)

    run()
    with pytest.raises(gc.ArgumentError, match=message):
        run(**change)
    assert 2 == run(**change, resume=False).epoch


def test_a_finished_run_is_only_read_and_a_longer_one_goes_on(tmp_path):
    """The number of epochs is no part of what makes a run."""
    data, first = problem()
    path = tmp_path / "run.npz"
    options = {"optimizer": optim.sgd(0.1), "checkpoint": path}
    done = gc.fit(LOSS, first, data, epochs=4, **options)
    assert same_bits(done.params, gc.fit(LOSS, first, data, epochs=4, **options).params)
    longer = gc.fit(LOSS, first, data, epochs=7, **options)
    assert same_bits(gc.fit(LOSS, first, data, optim.sgd(0.1), epochs=7).params, longer.params)


def test_a_bar_shows_on_a_terminal_only(tmp_path):
    """Into a pipe goes nothing, as the run that nobody killed shows."""
    main, terminal = pty.openpty()
    run = started(tmp_path, tmp_path / "run.npz", 3, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(main, 4096):
            shown += part
    except OSError:  # the other end is closed
        pass
    assert run.communicate()[0].startswith("all epochs done")
    assert b"epoch 3/3" in shown and b"loss 0." in shown


# -- what is refused --------------------------------------------------------------------------

v = gc.input("v", (2,))
SCALE, SHIFT = gc.input("scale", ()), gc.input("shift", ())
MISTAKES = [
    (gc.MissingInput, "the loss has no input w: it depends on v",
     lambda: gc.fit(gc.sum(v**2), {"w": 0.0}, {})),
    (gc.MissingInput, "the loss needs scale, shift, and a batch holds x: give params a first value",
     lambda: gc.fit(gc.sum(v * SCALE + SHIFT), {v: [0, 0]}, {"x": 1})),
    (gc.MissingInput, "the loss needs shift, and a batch holds nothing",
     lambda: gc.fit(gc.sum(v + SHIFT), {v: [0, 0]}, {SHIFT: 1}, validation={})),
    (gc.ArgumentError, "fit needs parameters", lambda: gc.fit(gc.sum(v**2), {}, {})),
    (gc.ArgumentError, "v is given twice",
     lambda: gc.fit(gc.sum(v**2), {v: [0, 0], "v": [0, 0]}, {})),
    (gc.ArgumentError, "epochs= counts walks",
     lambda: gc.fit(gc.sum(v**2), {v: [0, 0]}, {}, epochs=1.5)),
    (gc.ArgumentError, "a learning rate is a number", lambda: optim.sgd("fast")),
    (gc.ArgumentError, "a learning rate is a number", lambda: optim.adam(-0.1)),
    (gc.ArgumentError, "weight_decay is a number", lambda: optim.adamw(weight_decay=-1)),
    (gc.ArgumentError, "into a folder that is there, and nowhere is not",
     lambda: gc.fit(gc.sum(v**2), {v: [0, 0]}, {}, checkpoint="nowhere/run.npz")),
    (gc.ArgumentError, "clipped needs a limit", lambda: optim.sgd(0.1).clipped()),
    (gc.ArgumentError, "a limit above 0", lambda: optim.sgd(0.1).clipped(norm=0)),
    (gc.BindError, "v needs 1 axis", lambda: gc.fit(gc.sum(v**2), {v: 0.0}, {})),
    (gc.BindError, "has no input x", lambda: gc.fit(gc.sum(v**2), {v: [0, 0]}, {"x": 1})),
    (gc.ArgumentError, "no batches in epoch 2: a generator",
     lambda: gc.fit(gc.sum(v**2), {v: [0, 0]}, ({} for _ in "a"), epochs=2)),
    (gc.ArgumentError, "in a dict from inputs, or their names, to arrays, not in a list",
     lambda: gc.fit(gc.sum(v**2), [v], {})),
    (gc.ArgumentError, "not in a list", lambda: gc.compile(gc.sum(v)).as_scipy([v])),
    (gc.ArgumentError, "not in a ndarray",
     lambda: gc.fit(gc.sum(v**2), {v: [0, 0]}, np.zeros((2, 2)))),
    (gc.ArgumentError, "gc.optim.adam.. and others, and 'adam' is a str",
     lambda: gc.fit(gc.sum(v**2), {v: [0, 0]}, {}, "adam")),
    (gc.ArgumentError, "patience= counts", lambda: gc.fit(v, {v: [0]}, {}, patience=0)),
    (gc.ArgumentError, "need equally many rows",
     lambda: optim.Batches({"x": [1, 2], "y": [1]}, 1)),
    (gc.ArgumentError, "at most 2, not 3", lambda: optim.Batches({"x": [1, 2]}, 3)),
    (gc.ArgumentError, "a learning rate is", lambda: optim.cosine(-1.0, 10)),
    (gc.ArgumentError, "steps= counts", lambda: optim.cosine(1.0, 0)),
    (gc.ArgumentError, "beta1 is", lambda: optim.adam(beta1=1.0)),
    (gc.ArgumentError, "limit above 0", lambda: optim.clip_by_value(v, 0)),
    (gc.ArgumentError, "parameters are inputs", lambda: optim.sgd().update(gc.sum(v), [v + 1])),
    (gc.ShapeError, r"odd makes f64\[\] of the parameter v",
     lambda: optim.Optimizer("odd", lambda p, g, *_: (gc.sum(p), {})).update(gc.sum(v), [v])),
    (gc.ArgumentError, "keeps .'a'., and returned ..",
     lambda: optim.Optimizer("odd", lambda p, g, *_: (p, {}), ("a",)).update(gc.sum(v), [v])),
    (gc.ArgumentError, "one float, the first", lambda: gc.compile(v).as_scipy({v: [0, 0]})),
    (gc.MissingInput, "no input is called u",
     lambda: gc.compile(gc.sum(v)).as_scipy({"u": [0, 0]})),
    (gc.ArgumentError, "a vector of 2", lambda: gc.compile(gc.sum(v)).as_scipy({v: [0, 0]}).fun(3)),
    (gc.MissingInput, "the loss needs scale too: params has what is to be learnt, and data the",
     lambda: gc.compile(gc.sum(v) * gc.input("scale")).as_scipy({v: [0, 0]})),
    (gc.BindError, "has no input V: .*; did you mean v",
     lambda: gc.compile(gc.sum(v)).as_scipy({v: [0, 0]}, {"V": [0, 0]})),
]  # fmt: skip


@pytest.mark.parametrize("error, message, mistake", MISTAKES)
def test_a_mistake_is_told(error, message, mistake):
    """In one sentence: what was needed, what came."""
    with pytest.raises(error, match=message):
        mistake()


def test_a_file_that_holds_no_training_is_told(tmp_path):
    """Another's .npz, no .npz at all, and one that is cut off."""
    np.savez(tmp_path / "other.npz", a=1)
    (tmp_path / "text.npz").write_text("text")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:60])
    with open(tmp_path / "array.npz", "wb") as file:
        np.save(file, np.ones(3))
    for name in ("other", "text", "cut", "array"):
        with pytest.raises(gc.ArgumentError, match="holds no training"):
            optim.Training.load(tmp_path / f"{name}.npz")


# -- scipy ------------------------------------------------------------------------------------

METHODS = {
    "BFGS": ("jac",),
    "L-BFGS-B": ("jac",),
    "Newton-CG": ("jac", "hessp"),
    "trust-ncg": ("jac", "hess"),
    "trust-krylov": ("jac", "hessp"),
    "trust-exact": ("jac", "hess"),
}


def minimised(s, method):
    derivatives = {what: getattr(s, what) for what in METHODS[method]}
    with np.errstate(all="ignore"):  # trust-krylov multiplies what it finds in new memory
        return minimize(s.fun, s.x0, method=method, tol=1e-12, **derivatives)


@pytest.mark.parametrize("method", METHODS)
def test_scipy_finds_the_minimum_of_rosenbrock(method):
    """In five dimensions, from where scipy's own documentation begins."""
    x = gc.input("x", ("d",))
    f = gc.compile(gc.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))
    s = f.as_scipy({x: [1.3, 0.7, 0.8, 1.9, 1.2]})
    np.testing.assert_allclose(minimised(s, method).x, np.ones(5), atol=1e-6)


def test_the_derivatives_of_rosenbrock_are_scipys_own():
    """Value, gradient, Hessian, and its product."""
    x = gc.input("x", ("d",))
    f = gc.compile(gc.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))
    at, p = np.random.default_rng(0).normal(size=(2, 6))
    s = f.as_scipy({x: at})
    assert s.fun(at) == pytest.approx(rosen(at), rel=1e-13)
    np.testing.assert_allclose(s.jac(at), rosen_der(at), rtol=1e-11)
    np.testing.assert_allclose(s.hess(at), rosen_hess(at), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(s.hessp(at, p), rosen_hess(at) @ p, rtol=1e-11)


def logistic():
    """Weights and an intercept of logistic regression, with a decay: one smooth minimum."""
    n, d = gc.dims("n d")
    X, y = gc.input("X", (n, d)), gc.input("y", (n,))
    w, b = gc.input("w", (d,)), gc.input("b", ())
    loss = gc.mean(gc.softplus(-y * (X @ w + b))) + 0.01 * gc.sum(w**2)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 4))
    sides = np.sign(points @ [1.0, -2.0, 0.5, 0.0] + 0.3 + rng.normal(size=200))
    return loss, {w: np.zeros(4), b: 0.0}, {X: points, y: sides}


@pytest.mark.parametrize("method", METHODS)
def test_scipy_fits_a_logistic_regression(method):
    """Where it ends, the gradient by hand is zero."""
    loss, params, data = logistic()
    s = gc.compile(loss).as_scipy(params, data)
    found = s.params(minimised(s, method).x)
    points, sides = data.values()
    pull = -sides * expit(-sides * (points @ found["w"] + found["b"])) / 200
    np.testing.assert_allclose(pull @ points + 0.02 * found["w"], np.zeros(4), atol=1e-6)
    assert pull.sum() == pytest.approx(0, abs=1e-6)
    assert (4,) == found["w"].shape and () == found["b"].shape


def test_the_hessian_of_several_parameters_is_one_matrix():
    """Blocks in the order of the parameters, each row a derivative of the gradient."""
    data, first = problem()
    s = gc.compile({"other": LOSS, "z": X}).as_scipy(first, data)
    at = np.random.default_rng(1).normal(size=8)
    matrix = s.hess(at)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-15)
    np.testing.assert_allclose([s.hessp(at, e) for e in np.eye(8)], matrix, rtol=1e-11, atol=1e-15)
    values = {**s.params(at), X: data[X], Y: data[Y]}
    slope = gc.grad(LOSS, B)[0]
    expected = [complex_step(slope, x, values).ravel() for x in (W, B)]
    np.testing.assert_allclose(matrix[6], np.concatenate(expected), rtol=1e-12)


def test_value_and_gradient_at_one_vector_are_one_run():
    """scipy asks for both; a vector that was changed in place is another one."""
    loss, params, data = logistic()
    s = gc.compile(loss).as_scipy(params, data)
    runs, run = [], s._first
    s.__dict__["_first"] = lambda **values: runs.append(1) or run(**values)
    x = s.x0.copy()
    values = [s.fun(x), s.jac(x), s.fun(x)]
    assert 1 == len(runs) and values[0] == values[2]
    assert f"<{loss.label} as a function of w, b in one vector>" == repr(s)
    x[0] = 1.0
    assert values[0] != s.fun(x) and 2 == len(runs)
    s.jac(x)[:] = 0
    assert s.jac(x).any()


def test_parameters_in_float32_meet_scipy_in_float64():
    """Rounded on the way in, as their inputs are declared."""
    w = gc.input("w", (2,), dtype="float32")
    s = gc.compile(gc.sum((w - 0.1) ** 2)).as_scipy({w: [1, 2]})
    assert np.float32 == s.params(s.x0)["w"].dtype and np.float64 == s.jac(s.x0).dtype
    np.testing.assert_allclose(minimize(s.fun, s.x0, jac=s.jac, tol=1e-4).x, [0.1, 0.1], atol=1e-3)


@pytest.mark.parametrize(
    "optimizer, shown",
    [
        (optim.adam(0.1), "<optimizer adam: learning rate 0.1>"),
        (optim.sgd(optim.cosine(0.1, steps=9)), "<optimizer sgd: learning rate of a schedule>"),
        (optim.sgd(1e-3).clipped(norm=1), "<optimizer sgd: learning rate 0.001, clipped>"),
    ],
)
def test_an_optimizer_is_shown_in_a_line_that_is_the_same_every_time(optimizer, shown):
    """It showed the addresses of the functions that it is made of."""
    assert shown == repr(optimizer)
