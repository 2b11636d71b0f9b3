"""The training loop: any `Recommender`, any objective, on `accelerate`.

One pass per step: compute the vectors of exactly the items that the step needs (once), run the backbone on the
histories, and compare what it expects at each position with what came. Early stopping watches validation
NDCG@10 on the full catalogue.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from accelerate.utils import set_seed
from torch import Tensor
from tqdm import tqdm

from dmesr_core.data.sequences import Sequences, Split, length_batches, pad
from dmesr_core.errors import DataError
from dmesr_core.evaluation.metrics import metrics
from dmesr_core.evaluation.ranking import rank_cases
from dmesr_core.evaluation.scorers import model_scorer
from dmesr_core.models.recommender import Recommender
from dmesr_core.training.checkpoint import Checkpoint, made_of
from dmesr_core.training.objectives import Step
from dmesr_core.training.optim import _accelerator, _parameter_groups, _rate, _running_mean
from dmesr_core.training.settings import TrainSettings, check


@dataclass
class TrainReport:
    """What happened: one entry per epoch."""

    settings: dict
    loss: list[float] = field(default_factory=list)  # mean loss in nats per predicted position
    auxiliary_loss: list[float] = field(default_factory=list)  # mean alignment part of it
    valid: list[float] = field(default_factory=list)  # validation NDCG@10
    best_epoch: int = -1
    seconds: float = 0.0
    targets_per_second: float = 0.0


def fit(
    model: Recommender,
    split: Split,
    settings: TrainSettings | None = None,
    *,
    validate: Callable[[Recommender], float] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    label: str = "",
) -> TrainReport:
    """Train `model` in place; it ends with the weights of its best epoch.

    Args:
        validate: model -> score, higher is better; the default ranks the validation cases of `split`.
        checkpoint: a folder; training continues from what is there, and leaves the best weights in it.

    Raises:
        SettingsError: settings that make no sense, or a checkpoint of another training. DataError: nothing to train on
            or to validate with, a loss or a score that is not finite, or a checkpoint that cannot be read.
    """
    s = settings or TrainSettings()
    check(s, model.backbone.objective)
    if validate is None and not len(split.valid):
        raise DataError("the split has no validation cases to choose the best epoch by: pass `validate`, or split anew")
    histories = [h for h in _histories(split.train, model.max_len + 1) if len(h) > 1]
    if not histories:
        raise DataError("no training history has two events: nothing to learn the next item from")
    set_seed(s.seed)  # dropout draws from torch's global generator; all else from `generator`
    generator = torch.Generator().manual_seed(s.seed)
    accelerator = _accelerator(s.mixed_precision)
    lengths = np.array([len(h) for h in histories])
    steps_per_epoch = math.ceil(len(histories) / s.batch_size)
    # Plain numbers: a checkpoint with numpy's could not be read again without running what it holds.
    groups = _parameter_groups(model, float(s.weight_decay))
    optimizer = torch.optim.AdamW(groups, lr=float(s.learning_rate), betas=(0.9, 0.98), fused=True)
    total = s.epochs * steps_per_epoch
    report, best, first, started = TrainReport(asdict(s)), -math.inf, 0, time.perf_counter()

    def spent() -> float:
        """Seconds of training so far, validation included."""
        return report.seconds + time.perf_counter() - started

    def rate(i: int) -> float:
        if s.max_seconds is None:
            return _rate(i, total, s.warmup)
        return _rate(int(1000 * spent() / s.max_seconds), 1000, s.warmup)  # thousandths of the time stand for steps

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    model, optimizer, schedule = accelerator.prepare(model, optimizer, schedule)
    bare: Recommender = accelerator.unwrap_model(model)
    step = Step(bare, np.asarray(split.train_counts), s, accelerator.device)
    validate = validate or (lambda m: _validation_ndcg(m, split))
    parts = {"model": bare, "optimizer": optimizer, "schedule": schedule}
    judged = bare  # what is validated, and whose weights stay
    if s.ema_decay:
        averaged = _running_mean(bare, float(s.ema_decay))
        parts["averaged"], judged = averaged, cast(Recommender, averaged.module)
    if accelerator.scaler is not None:  # fp16 on a GPU
        parts["scaler"] = accelerator.scaler
    saved = Checkpoint(checkpoint, made_of(bare, split, asdict(s)) if checkpoint else {}, parts, generator)
    if saved.exists():
        first, best, best_weights, done = saved.load()
        report = TrainReport(asdict(s), **done)
    else:
        best_weights = _weights(judged)
    started, targets_seen = time.perf_counter(), 0
    bar = tqdm(range(first, s.epochs), desc=label or "training", disable=not progress, leave=False, mininterval=1.0)
    for epoch in bar:
        time_is_up = s.max_seconds is not None and spent() >= s.max_seconds
        if report.loss and (epoch - 1 - report.best_epoch >= s.patience or time_is_up):
            break
        model.train()
        losses, sides, positions = [], [], []
        order_seed = int(torch.randint(2**31, (1,), generator=generator))
        for rows in length_batches(lengths, s.batch_size, np.random.default_rng(order_seed)):
            items = pad([histories[r] for r in rows], bare.max_len + 1).to(accelerator.device)
            with accelerator.autocast():
                loss, side, n = step(items, generator)
            accelerator.backward(loss if side is None else loss + side)
            accelerator.clip_grad_norm_(model.parameters(), s.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            if s.ema_decay:
                averaged.update_parameters(bare)
            losses.append(loss.detach() * n)
            sides.append(torch.zeros(()) if side is None else side.detach())
            positions.append(n)
            if s.max_seconds is not None and spent() >= s.max_seconds:
                break
        mean = float(torch.stack(losses).sum() / sum(positions))
        if not math.isfinite(mean):
            raise DataError(
                f"the loss of epoch {epoch} is {mean}: check the features for NaN, or lower the learning rate"
            )
        judged.eval()
        score = float(validate(judged))
        if not math.isfinite(score):
            raise DataError(f"the validation score of epoch {epoch} is {score}: `validate` must give a finite number")
        targets_seen += sum(positions)
        report.loss.append(mean)
        report.auxiliary_loss.append(float(torch.stack(sides).mean()))
        report.valid.append(score)
        if score > best:
            best, report.best_epoch, best_weights = score, epoch, _weights(judged)
        bar.set_postfix(loss=f"{mean:.3f}", valid=f"{score:.4f}", best=f"{best:.4f}")
        report.seconds += time.perf_counter() - started
        started = time.perf_counter()
        saved.save(epoch + 1, best, best_weights, {k: v for k, v in vars(report).items() if k != "settings"})
    report.targets_per_second = targets_seen / max(report.seconds, 1e-9)
    bare.load_state_dict(best_weights)
    bare.eval()
    return report


def _histories(train: Sequences, longest: int) -> list[np.ndarray]:
    """Histories of at most `longest` items: a longer one is cut, from its end, into pieces that share one item.

    So each event but the first of a user is predicted once, however long the history.
    """
    pieces = []
    for history in train:
        while len(history) > longest:
            pieces.append(history[-longest:])
            history = history[: -longest + 1]
        pieces.append(history)
    return pieces


def _weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in model.state_dict().items()}


def _validation_ndcg(model: Recommender, split: Split) -> float:
    """NDCG@10 of the validation cases: full catalogue, seen items not ranked."""
    scorer = model_scorer(model, split.n_items, model.max_len)
    return float(metrics(rank_cases(scorer, split.valid, split.n_items), (10,))["ndcg@10"].mean())
