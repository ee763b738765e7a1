"""A training as one value: all that its next step depends on, kept in a file that is whole."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ..errors import ArgumentError
from ..folders import in_folder
from ..misfits import explained_methods
from ..wording import counted

Array = Any


@explained_methods
@dataclass(frozen=True)
class Training:
    """Where a training stands. It never changes: a step makes another, so a break leaves it whole.

    >>> import numpy as np, graphc as gc
    >>> w = gc.input("w", (2,))
    >>> training = gc.fit(gc.sum((w - 3) ** 2), {w: np.zeros(2)}, {}, gc.optim.sgd(0.25), epochs=3)
    >>> training
    <training of w: 3 steps in 3 epochs, loss 1.125, all epochs done>
    >>> training.params, training.steps, training.stopped
    ({'w': array([2.625, 2.625])}, 3, 'all epochs done')
    >>> training.history
    {'loss': (18.0, 4.5, 1.125)}
    >>> training.best_epoch, training.watched[-1], training.best["w"]
    (3, 1.125, array([2.625, 2.625]))
    """

    params: Mapping[str, Array]
    """The parameters as they are now, by name."""
    state: Mapping[str, Array]
    """What the optimizer remembers."""
    epoch: int = 0
    """How many epochs are done."""
    position: int = 0
    """How many batches of the next epoch are done."""
    steps: int = 0
    """How many steps are done."""
    total: float = 0.0
    """The sum of the losses of the epoch that is not over."""
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """For each epoch: the mean loss of its batches, and the loss on what validates, if any does."""
    best_params: Mapping[str, Array] = field(default_factory=dict)
    """The parameters after the epoch of the lowest loss, where something watches for it."""
    stopped: str = ""
    """Why the training ended."""

    def __repr__(self) -> str:
        """In one line: parameters can be large."""
        losses = [f"{name} {values[-1]:.4g}" for name, values in self.history.items() if values]
        ran = f"{counted(self.steps, 'step')} in {counted(self.epoch, 'epoch')}"
        done = [ran, *losses, self.stopped]
        return f"<training of {', '.join(self.params)}: {', '.join(filter(None, done))}>"

    @property
    def best(self) -> Mapping[str, Array]:
        """The parameters to use: those of the best epoch, where one was looked for."""
        return self.best_params or self.params

    @property
    def watched(self) -> tuple[float, ...]:
        """The losses that tell which epoch was best: those on what validates, if any does."""
        return self.history.get("validation", self.history.get("loss", ()))

    @property
    def best_epoch(self) -> int:
        """The number of the epoch with the lowest loss, from 1; 0 before any."""
        losses = [math.inf if math.isnan(x) else x for x in self.watched]
        return 1 + losses.index(min(losses)) if losses else 0

    def save(self, path: str | os.PathLike[str], run: Mapping[str, str] | None = None) -> None:
        """Write an .npz file. Whoever is stopped on the way leaves the file as it was before.

        `run` says what makes the training, for `load` to compare.

        >>> import tempfile, pathlib, numpy as np, graphc as gc
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.npz"
        >>> gc.optim.Training({"w": np.ones(2)}, {}).save(path)
        >>> gc.optim.Training.load(path).params, sorted(np.load(path))
        ({'w': array([1., 1.])}, ['params/w', 'training'])
        """
        arrays: dict[str, Any] = {
            f"{part}/{name}": np.asarray(value)
            for part in ("params", "state", "best_params")
            for name, value in getattr(self, part).items()
        }
        told = {name: getattr(self, name) for name in _TOLD}
        arrays["training"] = np.array(json.dumps({**told, "run": dict(run or {})}))
        unfinished = f"{in_folder(path, 'a training')}.unfinished"
        with open(unfinished, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)  # at once: the name is of the old file or of the new one

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], run: Mapping[str, str] | None = None
    ) -> Training:
        """A training that was saved; where `run` is given, it must have been made in that way.

        >>> import tempfile, pathlib, numpy as np, graphc as gc
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.npz"
        >>> gc.optim.Training({"w": np.ones(2)}, {}, epoch=3).save(path)
        >>> gc.optim.Training.load(path).epoch
        3
        """
        parts: dict[str, Any] = {"params": {}, "state": {}, "best_params": {}}
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                told = json.loads(str(file["training"]))
                for key in file.files:
                    part, _, name = key.partition("/")
                    if part in parts:
                        parts[part][name] = file[key][()]
        except (ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
            raise ArgumentError(f"{os.fspath(path)} holds no training: {error}") from None
        made = told.pop("run")
        for what, now in (run or {}).items():
            if made.get(what) != now:
                raise ArgumentError(
                    f"{os.fspath(path)} was written by another run: its {what} was "
                    f"{made.get(what)}, and is {now}; begin anew with resume=False, or from its "
                    "parameters, which gc.optim.Training.load(path).params are"
                )
        history = {name: tuple(losses) for name, losses in told.pop("history").items()}
        return cls(**parts, **told, history=history)


_TOLD = ("epoch", "position", "steps", "total", "history")
