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
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import set_seed
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from dmesr_core.backbones import Recommender
from dmesr_core.checkpoint import Checkpoint, made_of
from dmesr_core.errors import DataError
from dmesr_core.evaluate import metrics, model_scorer, rank_cases
from dmesr_core.interactions import Sequences, Split, length_batches, pad
from dmesr_core.losses import binary_loss, gbce_beta, history_loss, softmax_loss
from dmesr_core.train_settings import TrainSettings, check

# Cloze: how many times a step hides other positions of the same histories (few are predicted at a time; the authors'
# code writes each history ten times for that reason), and the share of these copies that end at the one hidden item.
# That can be the last item of any beginning of a history: so as many questions of the kind that a test asks as there
# are events, and not only one per history.
MASK_COPIES = 4
LAST_SHARE = 0.8


@dataclass
class TrainReport:
    """What happened: one entry per epoch."""

    settings: dict
    loss: list[float] = field(default_factory=list)  # mean loss in nats per predicted position
    side_loss: list[float] = field(default_factory=list)  # mean alignment part of it
    valid: list[float] = field(default_factory=list)  # validation NDCG@10
    best_epoch: int = -1
    seconds: float = 0.0
    targets_per_second: float = 0.0


def known_items(split: Split) -> Tensor:
    """(N+1,) bool: items that occur in training."""
    return torch.as_tensor(np.asarray(split.train_counts) > 0)


def predictions(
    model: Recommender, table: Tensor, items: Tensor, generator: torch.Generator, hide: float
) -> tuple[Tensor, Tensor]:
    """What the model expects, and what it should have: hidden (P, D), targets (P,) rows of `table`.

    Args:
        items: (B, T) right-padded rows of `table`, 0 where padded.
        hide: share of positions hidden: by the cloze objective, which asks for them, or from a causal backbone, which
            must do without them.
    """
    if model.backbone.objective == "next":
        inputs, targets = items[:, :-1], items[:, 1:]
        x = F.embedding(inputs, table)
        if hide:
            x = x * (torch.rand(inputs.shape, generator=generator) >= hide).to(x.device)[..., None]
        hidden = model.backbone(x, inputs > 0)
        real = targets > 0
        return hidden[real], targets[real]
    items = items.repeat(MASK_COPIES, 1)
    real = items > 0
    lot = torch.rand(items.shape, generator=generator).to(items.device)
    hidden_at = (lot < hide) & real
    # Else it is the last item of a beginning of the history, as at inference; so is it where the lot hides nothing.
    length, n = real.sum(1), len(items)
    beginning = (torch.rand(n, generator=generator) < LAST_SHARE).to(items.device) | ~hidden_at.any(1)
    end = (torch.rand(n, generator=generator).to(items.device) * (length - 1)).long() + 1  # column of its last item
    end = torch.where(beginning, torch.minimum(end, length - 1), length - 1)[:, None]
    column = torch.arange(items.shape[1], device=items.device)
    hidden_at = torch.where(beginning[:, None], column == end, hidden_at)
    real = column <= end
    x = torch.where(hidden_at[..., None], model.backbone.hidden_item(), F.embedding(items, table))
    return model.backbone(x, real)[hidden_at], items[hidden_at]


class Step:
    """One training loss: which items are needed, their table, the recommendation loss and the side loss."""

    def __init__(self, model: Recommender, counts: np.ndarray, settings: TrainSettings, device: torch.device):
        self.model, self.settings = model, settings
        self.known = torch.as_tensor(np.flatnonzero(counts > 0), device=device)  # no loss ever sees unseen items
        self.row_of = torch.zeros(len(counts), dtype=torch.long, device=device)
        self.beta = 1.0
        if settings.loss == "gbce":
            self.beta = gbce_beta(len(self.known), settings.negatives, settings.gbce_t)

    def __call__(self, items: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None, int]:
        """Items (B, T) -> mean loss, side loss or None, number of predicted positions."""
        model, s = self.model, self.settings
        if s.loss == "ce":
            needed = self.known
        else:
            # One row of rivals for all positions (sampled), or one for each (there are no more than events).
            positions = int((items > 0).sum()) * (MASK_COPIES if model.backbone.objective == "cloze" else 1)
            shape = (1 if s.loss == "sampled" else positions, s.negatives)
            drawn = self.known[torch.randint(len(self.known), shape, generator=generator).to(items.device)]
            needed = torch.cat([items[items > 0], drawn.flatten()]).unique()
        table = model.item_table(F.pad(needed, (1, 0)))  # row 0: padding
        self.row_of[needed] = torch.arange(1, len(needed) + 1, device=needed.device)
        hide = s.mask_probability if model.backbone.objective == "cloze" else s.item_dropout
        hidden, targets = predictions(model, table, self.row_of[items], generator, hide)  # (P, D), (P,)
        bias = model.item_bias(needed)  # (n,), or None
        if s.loss in ("ce", "sampled"):
            if s.loss == "sampled":
                log_q = self._expected(items, needed).log()
                bias = -log_q if bias is None else bias - log_q
            loss = softmax_loss(hidden, table[1:], targets - 1, bias)
        else:
            rivals = self.row_of[drawn[: len(targets)]]  # (P, k)
            positive = (hidden * table[targets]).sum(1)
            negative = (F.embedding(rivals, table) @ hidden[:, :, None]).squeeze(2)  # (P, k)
            if bias is not None:
                positive, negative = positive + bias[targets - 1], negative + bias[rivals - 1]
            # With many negatives to one positive the best constant score is far below zero. Given as a constant, it
            # need not be learned; else all histories and all items become alike first, and stay so.
            usual = math.log(s.negatives / self.beta)
            positive, negative = positive - usual, negative - usual
            loss = binary_loss(positive, negative, self.beta)
        if s.not_again:
            rows = self.row_of[items]
            expected = hidden.new_zeros(*rows[:, 1:].shape, hidden.shape[1])  # (B, T, D)
            expected[rows[:, 1:] > 0] = hidden
            loss = loss + s.not_again * history_loss(expected, rows, table)
        return loss, model.side_loss(), len(targets)

    def _expected(self, items: Tensor, needed: Tensor) -> Tensor:
        """How often each of `needed` was to be expected in this step's sample, (n,): the Q of logQ."""
        present, counts = items[items > 0].unique(return_counts=True)
        expected = torch.full((len(needed),), self.settings.negatives / len(self.known), device=items.device)
        expected[torch.searchsorted(needed, present)] += counts
        return expected


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
    if s.averaging:
        averaged = _running_mean(bare, float(s.averaging))
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
            accelerator.clip_grad_norm_(model.parameters(), s.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            if s.averaging:
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
        report.side_loss.append(float(torch.stack(sides).mean()))
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


def _accelerator(precision: str) -> Accelerator:
    """An accelerator of this precision, whatever the last one in this process had."""
    if is_initialized() and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()  # there is no public way, and accelerate refuses a second precision
    return Accelerator(mixed_precision=precision)


def _running_mean(model: Recommender, share: float) -> AveragedModel:
    """A copy of `model` whose weights follow its own: each update leaves it this share of what it was."""
    model.eval()
    with torch.no_grad():
        model.item_table()  # takes the place of what the model remembers of its last step, which cannot be copied
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(share))


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


def _rate(i: float, total: float, warmup: float) -> float:
    rise = max(1, int(warmup * total))
    if i < rise:
        return (i + 1) / rise
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (i - rise) / max(1, total - rise)))


def _parameter_groups(model: torch.nn.Module, decay: float) -> list[dict]:
    """Weight decay for matrices, ID vectors among them (what features explain, an ID need not); none for the rest."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]


def _weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in model.state_dict().items()}


def _validation_ndcg(model: Recommender, split: Split) -> float:
    """NDCG@10 of the validation cases: full catalogue, seen items not ranked."""
    scorer = model_scorer(model, split.n_items, model.max_len)
    return float(metrics(rank_cases(scorer, split.valid, split.n_items), (10,))["ndcg@10"].mean())
