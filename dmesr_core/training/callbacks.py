"""Callbacks: what a training can do beside the plain loop. Pass them to `fit(..., callbacks=[EMA(0.996)])`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dmesr_core.errors import SettingsError
from dmesr_core.models.recommender import Recommender
from dmesr_core.setting_types import check_types
from dmesr_core.training.settings import TrainSettings


class Run(Protocol):
    """What a callback may use of the training that calls it, a `fit.Training`."""

    settings: TrainSettings
    model: Recommender  # what is trained
    evaluated: Recommender  # what is validated, and whose best weights are kept; a callback may replace it
    parts: dict[str, Any]  # everything with a `state_dict` that a checkpoint stores; a callback may add to it
    position: Callable[[int], tuple[float, float]]  # step -> position in the schedule, and its end; may be replaced
    stop: bool  # True: end the training; may be set

    def seconds(self) -> float:
        """Seconds of training so far, validation included."""
        ...


class Callback:
    """Hooks of a training; overwrite those that you need."""

    @property
    def name(self) -> str:
        """Says what the callback does to a training, settings included: a checkpoint of another one is refused."""
        return type(self).__qualname__

    def on_setup(self, run: Run) -> None:
        """Before optimiser and schedule are made: `run.settings` and `run.model` are there."""

    def on_start(self, run: Run) -> None:
        """Before the first step, and before a checkpoint is loaded into `run.parts`."""

    def on_epoch_start(self, run: Run) -> None:
        """Before each epoch. Set `run.stop` to train no further epoch (the first one is begun in any case)."""

    def on_step(self, run: Run) -> None:
        """After each optimisation step. Set `run.stop` to end the training with this step."""


@dataclass
class EMA(Callback):
    """Exponential moving average of the weights: the average is validated, and kept, instead of the last weights.

    Raises:
        SettingsError: a decay outside 0 < decay < 1.
    """

    decay: float  # share of the average that remains after a step

    def __post_init__(self) -> None:
        check_types(self)
        if not 0 < self.decay < 1:
            raise SettingsError(f"the decay of an EMA must be above 0 and below 1, got {self.decay!r}")

    @property
    def name(self) -> str:
        return f"EMA({float(self.decay)!r})"

    def on_start(self, run: Run) -> None:
        self.average = AveragedModel(run.model, multi_avg_fn=get_ema_multi_avg_fn(float(self.decay)))
        run.parts["ema"] = self.average
        run.evaluated = cast(Recommender, self.average.module)

    def on_step(self, run: Run) -> None:
        self.average.update_parameters(run.model)


@dataclass
class TimeLimit(Callback):
    """Ends a training after so many seconds, validation included; the learning rate follows the clock, not the steps.

    Raises:
        SettingsError: a limit that is not positive.
    """

    seconds: float

    def __post_init__(self) -> None:
        check_types(self)
        if not 0 < self.seconds < math.inf:
            raise SettingsError(f"a time limit must be positive and finite, got {self.seconds!r}")

    @property
    def name(self) -> str:
        return f"TimeLimit({float(self.seconds)!r})"

    def on_setup(self, run: Run) -> None:
        # Thousandths of the time take the place of steps.
        run.position = lambda step: (int(1000 * run.seconds() / self.seconds), 1000)

    def on_epoch_start(self, run: Run) -> None:
        run.stop = run.stop or run.seconds() >= self.seconds

    on_step = on_epoch_start
