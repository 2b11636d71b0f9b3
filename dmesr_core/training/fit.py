"""The training loop: any `Recommender`, any objective, on `accelerate`.

A step computes the vectors of exactly the items that it needs, once, runs the backbone on the histories, and compares
its prediction at each position with the item that came. Early stopping watches NDCG@10 of the validation cases on the
full catalogue.
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import set_seed
from torch import Tensor
from tqdm import tqdm

from dmesr_core.data.sequences import Sequences, Split, check_split, length_batches, pad
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.evaluation.metrics import metrics
from dmesr_core.evaluation.ranking import rank_cases
from dmesr_core.models.recommender import Recommender
from dmesr_core.models.scorers import model_scorer
from dmesr_core.setting_types import check_settings
from dmesr_core.training.callbacks import Callback
from dmesr_core.training.checkpoint import Checkpoint, training_identity
from dmesr_core.training.objectives import Step
from dmesr_core.training.optim import make_accelerator, make_optimizer, warmup_cosine
from dmesr_core.training.settings import TrainSettings


@dataclass
class TrainReport:
    """The course of a training, as `fit` gives it; lists have one entry per epoch.

    Attributes:
        settings: of the training, as a dict.
        callbacks: their names.
        loss: mean loss in nats per predicted position.
        auxiliary_loss: mean of what the model adds to it, such as alignment.
        valid: validation score, NDCG@10 unless `fit` was given another.
        best_epoch: whose weights the model ended with, counted from 0.
        seconds: of training, validation included.
        targets_per_second: predicted positions per second.
    """

    settings: dict
    callbacks: list[str] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    auxiliary_loss: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    best_epoch: int = -1
    seconds: float = 0.0
    targets_per_second: float = 0.0

    def __repr__(self) -> str:
        if not self.valid:
            return "<TrainReport: no epoch>"
        epochs = "1 epoch" if len(self.valid) == 1 else f"{len(self.valid):,} epochs"
        best = f"best_epoch {self.best_epoch} with validation {self.valid[self.best_epoch]:.4f}"
        return f"<TrainReport: {epochs}, {best}, {self.seconds:,.0f} s>"


def fit(
    model: Recommender,
    split: Split,
    settings: TrainSettings | None = None,
    *,
    callbacks: Callback | Sequence[Callback] = (),
    validate: Callable[[Recommender], float] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    label: str = "",
) -> TrainReport:
    """Train `model` in place; it ends with the weights of its best epoch.

    Args:
        model: such as `DMESR.build(features, split)`.
        split: of the same items; its training part is learned from, its validation cases choose the best epoch.
        settings: None: the defaults.
        callbacks: a list, such as `[EMA(0.996), TimeLimit(180)]`.
        validate: model -> score, higher is better; the default ranks the validation cases of `split` (NDCG@10).
        checkpoint: a folder; training continues from what is there, and leaves the best weights in it. The settings
            must be the same, also the number of epochs: the learning rate depends on it.
        progress: show a progress bar (on a terminal).
        label: the name of the bar.

    Returns:
        `TrainReport`: loss and validation score of each epoch, the best epoch, and the time.

    Raises:
        SettingsError: settings that the backbone cannot use, or a checkpoint of another training.
        DataError: nothing to train on or to validate with, a loss or score that is not finite, or a checkpoint that
            cannot be read.

    Example:
        >>> from dmesr_core import BackboneSettings, IDRecommender, Interactions, TrainSettings, fit
        >>> users = [user for user in "abcdef" for _ in range(4)]
        >>> split = Interactions.from_columns(users, [1, 2, 3, 4] * 6, range(24), 4).leave_one_out()
        >>> model = IDRecommender.build(split, BackboneSettings(width=8))
        >>> report = fit(model, split, TrainSettings(epochs=2))
        >>> report
        <TrainReport: 2 epochs, best_epoch ...>
        >>> len(report.loss)
        2
    """
    run = Training(model, split, settings or TrainSettings(), callbacks, validate, checkpoint)
    run.resume()
    left = run.settings.epochs - run.first_epoch
    quiet = None if progress else True  # None: quiet where the output is not a terminal
    bar = tqdm(run.epochs(), label or "training", total=left, disable=quiet, leave=False, mininterval=1.0)
    for epoch in bar:
        loss, auxiliary_loss = run.train_epoch(epoch)
        score = run.validate(epoch)
        run.record(epoch, loss, auxiliary_loss, score)
        bar.set_postfix(loss=f"{loss:.3f}", valid=f"{score:.4f}", best=f"{run.best_score:.4f}", refresh=False)
        run.save(epoch)
    return run.finish()


class Training:
    """One training: the model, everything that changes while it is trained, and the parts of the loop.

    `callbacks.Run` lists what callbacks may use and set.
    """

    def __init__(
        self,
        model: Recommender,
        split: Split,
        settings: TrainSettings,
        callbacks: Callback | Sequence[Callback] = (),
        validate: Callable[[Recommender], float] | None = None,
        checkpoint: str | Path | None = None,
    ):
        callbacks = [callbacks] if isinstance(callbacks, Callback) else callbacks
        check_arguments(model, split, settings, callbacks, checkpoint)
        settings.check_backbone(model.backbone.objective, model.backbone.softmaxes)
        model.check_items(split)
        if split.n_items < 2:
            raise DataError("the catalogue has one item: there is nothing to choose between")
        if validate is None and not len(split.valid):
            raise DataError(
                "the split has no validation cases to choose the best epoch by: pass `validate`, or split anew"
            )
        self.model, self.split, self.settings, self.callbacks = model, split, settings, tuple(callbacks)
        self.score_model = validate or (lambda m: validation_ndcg(m, split))
        self.histories = training_histories(split.train, model.max_len + 1)
        self.lengths = np.array([len(history) for history in self.histories])
        self.report = TrainReport(asdict(settings), [callback.name for callback in self.callbacks])
        self.first_epoch, self.best_score, self.stop = 0, -math.inf, False
        self.began, self.targets_seen = time.perf_counter(), 0
        self._set_up_optimisation()
        self._set_up_checkpoint(checkpoint)

    def _set_up_optimisation(self) -> None:
        s = self.settings
        set_seed(s.seed)  # dropout draws from torch's global generator; all else from `generator`
        self.generator = torch.Generator().manual_seed(s.seed)
        self.accelerator = make_accelerator(s.mixed_precision)
        total = s.epochs * math.ceil(len(self.histories) / s.batch_size)
        # Where the schedule is, and where it ends.
        self.position: Callable[[int], tuple[float, float]] = lambda step: (step, total)
        for callback in self.callbacks:
            callback.on_setup(self)
        optimizer = make_optimizer(self.model, s)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warmup_cosine(*self.position(step), s.warmup)
        )
        self.wrapped, self.optimizer, self.schedule = self.accelerator.prepare(self.model, optimizer, schedule)
        self.step_loss = Step(self.model, np.asarray(self.split.train_counts), s, self.accelerator.device)

    def _set_up_checkpoint(self, folder: str | Path | None) -> None:
        self.evaluated: Recommender = self.model  # what is validated, and whose best weights are kept
        self.parts: dict[str, Any] = {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule}
        if self.accelerator.scaler is not None:  # fp16 on a GPU
            self.parts["scaler"] = self.accelerator.scaler
        for callback in self.callbacks:
            callback.on_start(self)
        settings = asdict(self.settings) | {"callbacks": ", ".join(self.report.callbacks)}
        identity = training_identity(self.model, self.split, settings) if folder else {}
        self.checkpoint = Checkpoint(folder, identity, self.parts, self.generator)

    def seconds(self) -> float:
        """Seconds of training so far, validation included."""
        return self.report.seconds + time.perf_counter() - self.began

    def resume(self) -> None:
        """Load the checkpoint, if there is one; the clock starts here."""
        self.best_weights = copy_of_weights(self.evaluated)
        if self.checkpoint.exists():
            self.first_epoch, self.best_score, self.best_weights, report = self.checkpoint.load()
            self.report = TrainReport(self.report.settings, self.report.callbacks, **report)
        self.began = time.perf_counter()

    def epochs(self) -> Iterator[int]:
        """The epochs that are left, until there has been no better one for `patience` epochs, or a callback stops."""
        for epoch in range(self.first_epoch, self.settings.epochs):
            for callback in self.callbacks:
                callback.on_epoch_start(self)
            out_of_patience = epoch - 1 - self.report.best_epoch >= self.settings.patience
            if self.report.loss and (out_of_patience or self.stop):
                return
            yield epoch

    def train_epoch(self, epoch: int) -> tuple[float, float]:
        """One pass over all histories: mean loss per predicted position, and mean auxiliary loss per step."""
        self.wrapped.train()
        losses, auxiliary, positions = [], [], []
        for rows in self.batches():
            loss, extra, n = self.step([self.histories[row] for row in rows])
            losses.append(loss * n)
            auxiliary.append(extra)
            positions.append(n)
            if self.stop:
                break
        self.targets_seen += sum(positions)
        mean = float(torch.stack(losses).sum() / sum(positions))
        if not math.isfinite(mean):
            raise DataError(
                f"the loss of epoch {epoch} is {mean}: check the features for NaN, or lower the learning rate"
            )
        return mean, float(torch.stack(auxiliary).mean())

    def batches(self) -> list[np.ndarray]:
        """The rows of each batch of an epoch: histories of similar length, in random order."""
        seed = int(torch.randint(2**31, (1,), generator=self.generator))
        return length_batches(self.lengths, self.settings.batch_size, np.random.default_rng(seed))

    def step(self, histories: Sequence[np.ndarray]) -> tuple[Tensor, Tensor, int]:
        """One optimisation step: mean loss, auxiliary loss (0 where there is none), number of predicted positions."""
        items = pad(histories, self.model.max_len + 1).to(self.accelerator.device)  # (B, T)
        with self.accelerator.autocast():
            loss, auxiliary, n = self.step_loss(items, self.generator)
        self.accelerator.backward(loss if auxiliary is None else loss + auxiliary)
        self.accelerator.clip_grad_norm_(self.wrapped.parameters(), self.settings.max_grad_norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        for callback in self.callbacks:
            callback.on_step(self)
        return loss.detach(), torch.zeros(()) if auxiliary is None else auxiliary.detach(), n

    def validate(self, epoch: int) -> float:
        """The score of the evaluated model."""
        self.evaluated.eval()
        score = self.score_model(self.evaluated)
        if not isinstance(score, numbers.Real):
            raise SettingsError(f"`validate` must return a number, got {score!r}")
        score = float(score)
        if not math.isfinite(score):
            raise DataError(f"the validation score of epoch {epoch} is {score}: `validate` must give a finite number")
        return score

    def record(self, epoch: int, loss: float, auxiliary_loss: float, score: float) -> None:
        """Write an epoch into the report, and keep its weights if it is the best so far."""
        self.report.loss.append(loss)
        self.report.auxiliary_loss.append(auxiliary_loss)
        self.report.valid.append(score)
        if score > self.best_score:
            self.best_score, self.report.best_epoch = score, epoch
            self.best_weights = copy_of_weights(self.evaluated)

    def save(self, epoch: int) -> None:
        """Leave a checkpoint after `epoch`, if a folder was given."""
        self.report.seconds, self.began = self.seconds(), time.perf_counter()
        course = {name: value for name, value in vars(self.report).items() if name not in ("settings", "callbacks")}
        self.checkpoint.save(epoch + 1, self.best_score, self.best_weights, course)

    def finish(self) -> TrainReport:
        """Give the model its best weights."""
        self.report.targets_per_second = self.targets_seen / max(self.report.seconds, 1e-9)
        self.model.load_state_dict(self.best_weights)
        self.model.eval()
        return self.report


def check_arguments(
    model: Recommender, split: Split, settings: TrainSettings, callbacks: object, checkpoint: object
) -> None:
    """SettingsError for an argument of `fit` that is something else; says what it should be."""
    if not isinstance(model, Recommender):
        raise SettingsError(f"wanted a model, as DMESR.build(features, split) makes it; got {type(model).__name__}")
    check_split(split)
    check_settings(settings, TrainSettings)
    if not isinstance(callbacks, Iterable) or not all(isinstance(callback, Callback) for callback in callbacks):
        raise SettingsError("callbacks must be a list of callbacks, as in [EMA(0.99), TimeLimit(60)]")
    if checkpoint is not None and (not isinstance(checkpoint, str | Path) or Path(checkpoint).is_file()):
        raise SettingsError(f"checkpoint must be the name of a folder, and {checkpoint!r} is none")


def training_histories(train: Sequences, longest: int) -> list[np.ndarray]:
    """Histories of 2 to `longest` items: a longer one is cut, from its end, into pieces that share one item.

    So each event but the first of a user is predicted once, however long the history.

    Raises:
        DataError: no history has two events.
    """
    pieces = []
    for history in train:
        while len(history) > longest:
            pieces.append(history[-longest:])
            history = history[: -longest + 1]
        pieces.append(history)
    pieces = [piece for piece in pieces if len(piece) > 1]
    if not pieces:
        raise DataError("no training history has two events: nothing to learn the next item from")
    return pieces


def validation_ndcg(model: Recommender, split: Split) -> float:
    """NDCG@10 of the validation cases: full catalogue, seen items not ranked."""
    scorer = model_scorer(model, split.n_items, model.max_len)
    return float(metrics(rank_cases(scorer, split.valid, split.n_items), (10,))["ndcg@10"].mean())


def copy_of_weights(model: torch.nn.Module) -> dict[str, Tensor]:
    """All weights of `model`, as copies that further training does not change."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
