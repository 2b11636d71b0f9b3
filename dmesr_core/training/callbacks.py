"""Callbacks: what a training can do beside the plain loop. Pass them to `fit(..., callbacks=[EMA(0.996)])`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dmesr_core.errors import SettingsError

if TYPE_CHECKING:
    from dmesr_core.models.recommender import Recommender
    from dmesr_core.training.fit import Training


class Callback:
    """Hooks of a training, called with the `Training` that runs; overwrite those that you need."""

    @property
    def name(self) -> str:
        """Says what the callback does to a training, settings included: a checkpoint of another one is refused."""
        return type(self).__qualname__

    def on_setup(self, run: Training) -> None:
        """Before optimiser and schedule are made: `run.settings` and `run.model` are there."""

    def on_start(self, run: Training) -> None:
        """Before the first step, and before a checkpoint is loaded into `run.parts`."""

    def on_epoch_start(self, run: Training) -> None:
        """Before each epoch. Set `run.stop` to train no further epoch (the first one is begun in any case)."""

    def on_step(self, run: Training) -> None:
        """After each optimisation step. Set `run.stop` to end the training with this step."""


@dataclass
class EMA(Callback):
    """Exponential moving average of the weights: the average is validated, and kept, instead of the last weights.

    Raises:
        SettingsError: a decay outside 0 < decay < 1.
    """

    decay: float  # share of the average that remains after a step

    def __post_init__(self) -> None:
        if not 0 < self.decay < 1:
            raise SettingsError(f"the decay of an EMA must be above 0 and below 1, got {self.decay!r}")

    @property
    def name(self) -> str:
        return f"EMA({float(self.decay)!r})"

    def on_start(self, run: Training) -> None:
        self.average = AveragedModel(run.model, multi_avg_fn=get_ema_multi_avg_fn(float(self.decay)))
        run.parts["ema"] = self.average
        run.evaluated = cast("Recommender", self.average.module)

    def on_step(self, run: Training) -> None:
        self.average.update_parameters(run.model)


@dataclass
class TimeLimit(Callback):
    """Ends a training after so many seconds, validation included; the learning rate follows the clock, not the steps.

    Raises:
        SettingsError: a limit that is not positive.
    """

    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise SettingsError(f"a time limit must be positive and finite, got {self.seconds!r}")

    @property
    def name(self) -> str:
        return f"TimeLimit({float(self.seconds)!r})"

    def on_setup(self, run: Training) -> None:
        # Thousandths of the time take the place of steps.
        run.position = lambda step: (int(1000 * run.seconds() / self.seconds), 1000)

    def on_epoch_start(self, run: Training) -> None:
        run.stop = run.stop or run.seconds() >= self.seconds

    on_step = on_epoch_start
