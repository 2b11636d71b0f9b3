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
    """Hooks of a training; overwrite those that you need.

    Each gets the training, `run`, with its `model`, `settings` and `seconds()`; `run.stop = True` ends it.

    Example:
        >>> from dmesr_core import Callback, IDRecommender, Interactions, fit
        >>> class FourSteps(Callback):
        ...     steps = 0
        ...
        ...     def on_step(self, run):
        ...         self.steps += 1
        ...         run.stop = self.steps == 4
        >>> users = [user for user in "abcdef" for _ in range(4)]
        >>> split = Interactions.from_columns(users, [1, 2, 3, 4] * 6, range(24), 4).leave_one_out()
        >>> report = fit(IDRecommender.build(split), split, callbacks=[FourSteps()])
        >>> len(report.loss)  # one step per epoch
        4
    """

    @property
    def name(self) -> str:
        """What the callback does to a training, with its settings; a checkpoint of another one is refused."""
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

    Args:
        decay: share of the average that remains after a step, such as 0.996.

    Raises:
        SettingsError: a decay outside 0 < decay < 1.

    Example:
        >>> from dmesr_core import EMA, IDRecommender, Interactions, TrainSettings, fit
        >>> users = [user for user in "abcdef" for _ in range(4)]
        >>> split = Interactions.from_columns(users, [1, 2, 3, 4] * 6, range(24), 4).leave_one_out()
        >>> fit(IDRecommender.build(split), split, TrainSettings(epochs=2), callbacks=[EMA(0.9)]).callbacks
        ['EMA(0.9)']
    """

    decay: float

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

    Args:
        seconds: above 0. At least one step is taken.

    Raises:
        SettingsError: a limit that is not positive.

    Example:
        >>> from dmesr_core import IDRecommender, Interactions, TimeLimit, TrainSettings, fit
        >>> users = [user for user in "abcdef" for _ in range(4)]
        >>> split = Interactions.from_columns(users, [1, 2, 3, 4] * 6, range(24), 4).leave_one_out()
        >>> many = TrainSettings(epochs=100_000, patience=100_000)
        >>> fit(IDRecommender.build(split), split, many, callbacks=[TimeLimit(0.1)]).seconds < 60
        True
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
