"""This package: the same model size, trained by `training.fit`, ranked by `evaluation.metrics`."""

from __future__ import annotations

import json
import time

import numpy as np
import torch
from torch import Tensor

from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Cases, Sequences
from dmesr_core.evaluation.metrics import evaluate_cases, metrics
from dmesr_core.evaluation.ranking import EvalSettings, rank_cases
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.recommender import known_items
from dmesr_core.models.scorers import model_scorer
from dmesr_core.training.callbacks import TimeLimit
from dmesr_core.training.fit import fit
from dmesr_core.training.settings import TrainSettings

from . import common


class Ours(common.Peer):
    package, loss, own_name = "dmesr-core", "full softmax cross-entropy", "dmesr_core.evaluation.metrics"
    clock_steps = (1, 2)  # a step is an epoch here: one of warm-up, then two or more that are measured

    def __init__(self, settings: common.RunSettings, data: common.Data):
        s = self.settings = settings
        users = np.repeat(np.arange(len(data.sequences)), [len(q) for q in data.sequences])
        items, times = np.concatenate(data.sequences), np.concatenate([np.arange(len(q)) for q in data.sequences])
        self.split = Interactions.from_columns(users, items, times, data.n_items).leave_one_out()
        self.n_items, self.columns = data.n_items, np.arange(-1, data.n_items)
        self.rows_per_epoch = int((self.split.train.lengths > 1).sum())
        # A history longer than the model reads is cut into pieces: each event but the first of a user is predicted.
        # The number of positions that the cloze objective hides is random, and not reported by `fit`.
        targets = int((self.split.train.lengths - 1).clip(min=0).sum())
        self.targets_per_epoch = 0 if s.model == "bert4rec" else targets
        layers = 1 if s.model == "gru4rec" else s.layers
        backbone = BackboneSettings(s.model, s.width, s.max_len, layers, s.heads, s.dropout)
        self.module = IDRecommender(backbone, known_items(self.split))

    def train(self, clock: common.Clock, watch: common.Watch) -> None:
        """`fit` ends after the time of a quality run or the epochs of `--ours`; else `TimeUp` ends it."""
        s = self.settings
        given = json.loads(s.ours)
        endless = {"epochs": 100_000, "patience": 100_000}
        if s.phase == "wall":
            given |= endless
        elif "epochs" in given:
            given |= {"patience": given["epochs"]}
        else:  # a schedule needs an end: without one the learning rate is constant, as it is elsewhere
            given |= endless | {"warmup": 0.0}
        base = dict(
            batch_size=s.batch_size, learning_rate=s.learning_rate, mask_probability=s.mask_probability, seed=s.seed
        )

        def told(model: torch.nn.Module) -> float:
            """Replaces validation, so it is called after each epoch; weights with a higher number are better."""
            up = clock.step(self.rows_per_epoch, self.targets_per_epoch)
            if s.phase == "wall":
                return float(clock.seen)  # keeps the last weights
            if up or watch.epoch(self):
                raise common.TimeUp
            return watch.valid[-1] if watch.valid else 0.0

        def before_batch(backbone: torch.nn.Module, _: object) -> None:
            # Preparations of `fit` are set-up, so the clock starts with the first batch.
            clock.start()
            if s.phase == "converge" and backbone.training:  # may stop in the middle of an epoch, as the others do
                clock.elapsed = time.perf_counter() - clock.began
                if clock.is_up:
                    raise common.TimeUp

        hook = self.module.backbone.register_forward_pre_hook(before_batch)
        settings = TrainSettings(**base | given)
        try:
            limit = [TimeLimit(s.seconds)] if s.phase == "wall" else []
            report = fit(self.module, self.split, settings, callbacks=limit, validate=told, progress=False)
        except common.TimeUp:
            return
        finally:
            hook.remove()
        if s.phase == "wall":  # the last epoch may have been cut short
            clock.elapsed, epochs = time.perf_counter() - clock.began, float(clock.seen)
            if self.targets_per_epoch:
                epochs = report.targets_per_second * report.seconds / self.targets_per_epoch
            clock.rows = round(epochs * self.rows_per_epoch)

    def prepare_scoring(self) -> None:
        self.scorer = model_scorer(self.module, self.n_items)

    def score(self, histories: list[np.ndarray]) -> Tensor:
        return self.scorer(histories, np.arange(len(histories)))[:, 1:]

    def own_ranking(self, histories: list[np.ndarray], targets: np.ndarray) -> tuple[float, dict[str, float]]:
        cases = _cases(histories, targets)
        began = time.perf_counter()
        ranks = rank_cases(model_scorer(self.module, self.n_items), cases, self.n_items, EvalSettings(mask_seen=False))
        seconds = time.perf_counter() - began
        return seconds, {name: float(value.mean()) for name, value in metrics(ranks, (10,)).items()}

    def own_evaluation(self, users: int) -> tuple[float, dict[str, float]]:
        test = self.split.test
        cases = _cases([test.histories[c] for c in range(users)], test.targets[:users])
        began = time.perf_counter()
        result = evaluate_cases(model_scorer(self.module, self.n_items), cases, self.n_items)
        return time.perf_counter() - began, {name: float(value) for name, value in result.mean().items()}

    def extra(self) -> dict:
        return {
            "targets_per_epoch": self.targets_per_epoch,
            "softmax_items": int(self.module.known.sum()),
            "train_settings": json.loads(self.settings.ours),
        }


def _cases(histories: list[np.ndarray], targets: np.ndarray) -> Cases:
    numbers = np.arange(len(targets))
    return Cases(Sequences.from_lists(histories), targets, numbers.astype(np.float64), numbers)


if __name__ == "__main__":
    common.main(Ours)
