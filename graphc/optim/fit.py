"""fit: steps of a compiled program over batches, to be stopped and resumed at any time."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from ..compile import Function, compile
from ..errors import ArgumentError, BindError, MissingInput
from ..evaluate import by_name
from ..folders import in_folder
from ..ir import Graph, Node, no_node
from ..options import whole
from ..plan.carried import arguments
from ..wording import a_kind, with_kind
from .batches import Batch, Source, count_of, description, epoch_of
from .optimizers import Optimizer, adam
from .training import Training

Tell = Callable[[Training], None]


def fit(
    loss: Node,
    params: Mapping[Any, Any],
    batches: Source,
    optimizer: Optimizer | None = None,
    epochs: int = 1,
    *,
    validation: Source | None = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume: bool = True,
    callback: Callable[[Training], object] | None = None,
    progress: bool | None = None,
) -> Training:
    """Train: find parameters that make a loss small, beginning with the values given.

    `params` maps inputs of the loss, or their names, to their first values. `batches` holds the
    other inputs: a dict of arrays is one batch for each epoch (gradient descent);
    `gc.optim.Batches(data, size)` draws mini-batches; a list of dicts, or a function from the
    epoch to one, is anything else. The optimizer is `gc.optim.adam()` unless another is given.

    After each epoch the loss on `validation` (batches too) is noted in the history; with
    `patience=k` the training ends when k epochs in a row bring nothing lower, and `.best` are the
    parameters of the lowest. `callback(training)` is told of each epoch, and ends the training by
    raising StopIteration. Ctrl-C ends it too, and what was learnt until then is returned.

    With `checkpoint="run.npz"` the training is written after each epoch (and after every
    `checkpoint_every` steps), and the same call goes on from what it finds there, to the same bits
    that it would have reached without the break; `resume=False` begins anew.

    A bar shows on a terminal how far the training is; `progress=` True or False decides that.

    >>> import numpy as np, graphc as gc
    >>> X, y = gc.input("X", ("n", 2)), gc.input("y", ("n",))
    >>> w, b = gc.input("w", (2,)), gc.input("b", ())
    >>> loss = gc.mean((X @ w + b - y) ** 2)
    >>> points = np.random.default_rng(0).normal(size=(100, 2))
    >>> data = {X: points, y: points @ [2.0, -1.0] + 0.5}
    >>> batches = gc.optim.Batches(data, size=20)
    >>> training = gc.fit(loss, {w: np.zeros(2), b: 0.0}, batches, gc.optim.sgd(0.1), epochs=30)
    >>> print(training.params["w"].round(3), training.params["b"].round(3))
    [ 2. -1.] 0.5
    """
    optimizer = optimizer or adam()
    run = _Run(loss, params, batches, optimizer, epochs, validation, patience)
    if checkpoint_every is not None:
        wanted = "checkpoint_every= counts steps, at least 1, and is"
        checkpoint_every = whole(checkpoint_every, wanted)
    if callback is not None and not callable(callback):
        raise ArgumentError(f"callback= is a function of the training, not {a_kind(callback)}")
    path = None if checkpoint is None else in_folder(checkpoint, "a checkpoint")
    now = run.begun
    if path is not None and resume and os.path.exists(path):
        now = Training.load(path, run.description)

    def keep(training: Training) -> None:
        if path is not None:
            training.save(path, run.description)

    with _bar(progress, epochs, count_of(batches)) as tell:
        try:
            while not (reason := run.end(now)):
                for batch in itertools.islice(epoch_of(batches, now.epoch), now.position, None):
                    now = run.after_a_step(now, batch)
                    if now.stopped:
                        return now
                    tell(now)
                    if checkpoint_every and now.steps % checkpoint_every == 0:
                        keep(now)
                now = run.after_an_epoch(now)
                keep(now)
                tell(now)
                if callback is not None and _ends(callback, now):
                    return replace(now, stopped="the callback ended it")
        except KeyboardInterrupt:
            reason = "interrupted"
            keep(now)
    return replace(now, stopped=reason)


def _ends(callback: Callable[[Training], object], now: Training) -> bool:
    try:
        callback(now)
    except StopIteration:
        return True
    return False


class _Run:
    """What stays the same during a training: the programs, and how long it goes on."""

    def __init__(
        self,
        loss: Node,
        params: Mapping[Any, Any],
        batches: Source,
        optimizer: Optimizer,
        epochs: int,
        validation: Source | None,
        patience: int | None,
    ) -> None:
        if not isinstance(loss, Node):
            raise ArgumentError(f"the loss must be a node, and {no_node(loss)}")
        if patience is not None:
            patience = whole(patience, "patience= counts epochs, at least 1, and is")
        epochs = whole(epochs, "epochs= counts walks through the data, and is", least=0)
        if not isinstance(optimizer, Optimizer):
            cure = ": call it" if callable(optimizer) else ""
            raise ArgumentError(
                f"an optimizer is made by gc.optim.adam() and others, and {with_kind(optimizer)}"
                f"{cure}"
            )
        self.loss = loss
        self.epochs, self.validation, self.patience = epochs, validation, patience
        given = by_name(params)
        inputs = {str(v.name): v for v in Graph([loss]).parameters}
        targets = _inputs_called(given, inputs)
        self.data = [name for name in inputs if name not in given]
        values = {name: _first_value(targets[name], value) for name, value in given.items()}
        self.begun = Training(values, optimizer.init(values))
        update = optimizer.update(loss, list(targets.values()))
        self.step = compile({"loss": loss, **update}, name=f"{optimizer.name}_step")
        self.description = {"program": _digest(self.step), "data": description(batches)}

    @functools.cached_property
    def measure(self) -> Function:
        """The loss alone."""
        return compile(self.loss, name="loss")

    def after_a_step(self, now: Training, batch: Batch) -> Training:
        out = self.step(**now.params, **now.state, **self._whole(batch))
        loss = float(out["loss"])
        if not np.isfinite(loss):
            return replace(now, stopped=f"the loss is {loss} at step {now.steps + 1}")
        return replace(
            now, params=out["params"], state=out["state"], position=now.position + 1,
            steps=now.steps + 1, total=now.total + loss,
        )  # fmt: skip

    def after_an_epoch(self, now: Training) -> Training:
        if not now.position:
            raise ArgumentError(
                f"there were no batches in epoch {now.epoch + 1}: a generator can be walked once, "
                "so pass a list, gc.optim.Batches, or a function of the epoch that makes one"
            )
        losses = {"loss": now.total / now.position}
        if self.validation is not None:
            batches = epoch_of(self.validation, 0)
            measured = [float(self.measure(**now.params, **self._whole(b))) for b in batches]
            losses["validation"] = float(np.mean(measured))
        history = {key: (*now.history.get(key, ()), value) for key, value in losses.items()}
        after = replace(now, epoch=now.epoch + 1, position=0, total=0.0, history=history)
        is_watched = self.validation is not None or self.patience is not None
        if is_watched and after.best_epoch == after.epoch:
            after = replace(after, best_params=after.params)
        return after

    def _whole(self, batch: Batch) -> dict[str, Any]:
        """A batch, which must hold what the loss depends on besides its parameters."""
        given = by_name(batch)
        twice = [name for name in given if name in self.begun.params]
        if twice:
            raise ArgumentError(
                f"{twice[0]} is a parameter, and a batch holds it too: params are what is learnt"
            )
        missing = [name for name in self.data if name not in given]
        if missing:
            raise MissingInput(
                f"the loss needs {', '.join(missing)}, and a batch holds "
                f"{', '.join(given) or 'nothing'}: give params a first value of what is to be "
                "learnt, and each batch the rest"
            )
        return given

    def end(self, now: Training) -> str:
        """Why the training is over; empty while it is not."""
        if now.epoch >= self.epochs:
            return "all epochs done"
        if self.patience is not None and now.epoch - now.best_epoch >= self.patience:
            return f"no lower loss in {self.patience} epochs"
        return ""


def _inputs_called(params: Mapping[str, Any], known: Mapping[str, Node]) -> dict[str, Node]:
    """Those of the inputs of a loss that have these names."""
    if not params:
        raise ArgumentError("fit needs parameters to change: a dict from inputs to first values")
    for name in params:
        if name not in known:
            raise MissingInput(f"the loss has no input {name}: it depends on {', '.join(known)}")
    return {name: known[name] for name in params}


def _first_value(v: Node, value: Any) -> Any:
    """A copy of its own: nobody changes it while the training goes on."""
    try:
        return arguments.as_input(str(v.name), value, v.dtype, v.ndim).copy()
    except arguments.BindError as error:
        raise BindError(str(error)) from None


def _digest(step: Function) -> str:
    """A mark of what a program computes, however the simplifier and the planner arrange it."""
    graph = step.log.steps[0].graph
    number = {v: k for k, v in enumerate(graph.nodes)}
    lines = [
        f"{v.type} {v.op.name} {v.name} {v.op.text(v)} {[number[x] for x in v.inputs]}"
        for v in graph.nodes
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@contextmanager
def _bar(progress: bool | None, epochs: int, batches: int | None) -> Iterator[Tell]:
    """Shows how far a training is, on a terminal; yields what to tell of each step."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    if not (is_terminal if progress is None else progress):
        yield lambda training: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, force_terminal=progress or None)
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"), BarColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[losses]}"),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=epochs, epoch=0, losses="")

        def tell(now: Training) -> None:
            part = now.position / batches if batches else 0.0
            bar.update(task, completed=now.epoch + part, epoch=now.epoch, losses=_losses(now))

        yield tell


def _losses(now: Training) -> str:
    known = {key: losses[-1] for key, losses in now.history.items()}
    if now.position:
        known["loss"] = now.total / now.position
    return "  ".join(f"{key} {value:.4g}" for key, value in known.items())
