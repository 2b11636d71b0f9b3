"""Shared by the runs of all frameworks: settings, data, the interface `Peer` of a wrapper, and the row of a run.

Runs inside each framework's own environment, so it imports nothing but numpy and torch. A wrapper implements a `Peer`,
and `main` measures it: set-up, training, full ranking, the framework's own evaluator, quality.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .instruments import Clock, TimeUp, peak_megabytes, quality, rank, square_gflops

__all__ = ["Clock", "Data", "Peer", "RunSettings", "TimeUp", "Watch", "batches", "main", "pad_left", "read_data"]


@dataclass(frozen=True)
class RunSettings:
    """One run of one framework."""

    path: str  # file of sequences, see `read_data`
    model: str = "sasrec"  # sasrec | gru4rec | bert4rec
    phase: str = "speed"  # speed | wall | converge: what the training time is for
    seconds: float = 20.0  # of training, from the first batch (converge: at most)
    warm_up: int = 2  # first steps, which do not count for the speed
    steps: int = 4  # least number of steps that count, whatever `seconds` says
    seed: int = 0
    threads: int = 2
    width: int = 64
    layers: int = 2  # a GRU has one, as in the frameworks' own settings
    heads: int = 2
    max_len: int = 50  # longest history that is read, in items
    batch_size: int = 256
    learning_rate: float = 1e-3
    dropout: float = 0.2
    mask_probability: float = 0.2  # cloze: share of positions hidden
    own_users: int = 5000  # number of users for the framework's own evaluator
    score_users: int = 0  # users of the full ranking; 0: all
    patience: int = 5  # converge: epochs without a better validation NDCG@10 before training stops
    ours: str = "{}"  # JSON: our training settings in the phases wall and converge
    out: str = ""  # file of the row; "": it is printed


@dataclass(frozen=True)
class Data:
    """Sequences of items 1..N, leave-one-out: the last item is for the test, the one before it for validation."""

    sequences: list[np.ndarray]
    n_items: int

    @property
    def train(self) -> list[np.ndarray]:
        return [s[:-2] for s in self.sequences]

    def cases(self, part: str, users: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
        """Histories and targets (C,) of "valid" or "test", of the first `users` users (0: of all)."""
        last = {"valid": 2, "test": 1}[part]
        chosen = self.sequences[: users or None]
        return [s[:-last] for s in chosen], np.array([s[-last] for s in chosen])


def read_data(path: str | Path) -> Data:
    """A text file with a line per user: the user, then at least three items (1..N), oldest first.

    Raises:
        ValueError: a line with fewer items, or an item below 1.
    """
    sequences = []
    for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
        if not line.strip():
            continue
        sequence = np.array(line.split()[1:], dtype=np.int64)
        if len(sequence) < 3 or sequence.min() < 1:
            raise ValueError(f"{path}, line {number}: wanted a user and three items or more, numbered from 1")
        sequences.append(sequence)
    return Data(sequences, max(int(s.max()) for s in sequences))


def pad_left(sequences: list[np.ndarray], length: int, padding: int = 0) -> np.ndarray:
    """The last `length` items of each sequence, padded on the left, (B, length) int64."""
    out = np.full((len(sequences), length), padding, np.int64)
    for row, sequence in zip(out, sequences, strict=True):
        tail = sequence[-length:]
        row[length - len(tail) :] = tail
    return out


class Watch:
    """Early stopping for training until convergence: the same for all frameworks, by the shared ranking."""

    def __init__(self, settings: RunSettings, data: Data, clock: Clock):
        self.settings, self.data, self.clock = settings, data, clock
        self.valid: list[float] = []
        self.weights: dict[str, Tensor] = {}
        self.best_seconds = 0.0

    def epoch(self, peer: Peer) -> bool:
        """Call after each epoch: validates in the phase "converge". Returns whether training is to stop."""
        if self.settings.phase != "converge":
            return False
        histories, targets = self.data.cases("valid")
        was_training = peer.module.training
        peer.module.eval()
        ranks = rank(peer, histories, targets)
        peer.module.train(was_training)
        score = quality(ranks.greater, ranks.ties)["ndcg@10"]
        if score > max(self.valid, default=-1.0):
            self.weights = {k: v.detach().clone() for k, v in peer.module.state_dict().items()}
            self.best_seconds = self.clock.elapsed
        self.valid.append(score)
        return len(self.valid) - 1 - int(np.argmax(self.valid)) >= self.settings.patience

    def restore(self, peer: Peer) -> None:
        if self.weights:
            peer.module.load_state_dict(self.weights)


class Peer:
    """A framework with its model; wrappers implement it.

    Attributes:
        columns: (N+1,) int64, the column of each item in the scores of `score`; -1 for an item without one.
        rows_per_epoch: training rows (histories) in an epoch, as the framework counts them.
    """

    package: str  # whose version is reported
    loss: str
    module: nn.Module
    columns: np.ndarray
    rows_per_epoch: int
    own_name = "none"  # what the framework's own evaluator is called
    clock_steps: tuple[int, ...] = ()  # warm-up steps and least number of steps after them, if not as in the settings

    def train(self, clock: Clock, watch: Watch) -> None:
        """Train until `clock.step` or `watch.epoch` returns True."""
        raise NotImplementedError

    def prepare_scoring(self) -> None:
        """Work that the framework does once before it scores; it counts as scoring time."""

    def score(self, histories: list[np.ndarray]) -> Tensor:
        """(B, C): for each history a score of all items, higher is better."""
        raise NotImplementedError

    def own_evaluation(self, users: int) -> tuple[float, dict[str, float]] | None:
        """Seconds of the framework's own evaluator for the first `users` users, and its metrics; None without one."""
        return None

    def own_ranking(self, histories: list[np.ndarray], targets: np.ndarray) -> tuple[float, dict[str, float]] | None:
        """Seconds of a full ranking (nothing masked) by the framework's code, and its metrics; None without one."""
        return None

    def extra(self) -> dict:
        """More fields of the row."""
        return {}


def batches(n: int, size: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers of one epoch in random order, `size` at a time."""
    order = generator.permutation(n)
    for start in range(0, n, size):
        yield order[start : start + size]


def measure(settings: RunSettings, build: Callable[[RunSettings, Data], Peer], spawned: float) -> dict:
    """Build, train and rank one framework; the row of this run.

    Args:
        spawned: start of the process in seconds since 1970; set-up lasts from there to the first batch.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    np.random.seed(settings.seed)  # noqa: NPY002 - RecBole and RecTools draw from it
    began = time.perf_counter()
    before = square_gflops()
    calibration = time.perf_counter() - began
    imported = peak_megabytes()
    data = read_data(settings.path)
    peer = build(settings, data)
    clock = Clock(settings, *peer.clock_steps)
    watch = Watch(settings, data, clock)
    peer.train(clock, watch)
    watch.restore(peer)
    trained = peak_megabytes()
    peer.module.eval()
    torch.set_num_threads(settings.threads)
    row = about(settings, peer, data) | {"setup_seconds": clock.began_at - spawned - calibration}
    row |= training_numbers(peer, clock, watch)
    row |= {"peak_mb_imported": imported, "peak_mb_trained": trained}
    row |= ranking_numbers(peer, *data.cases("test", settings.score_users))
    row |= own_numbers(peer, min(settings.own_users, len(data.sequences)))
    row |= {"peak_mb": peak_megabytes(), "gflops_before": before, "gflops_after": square_gflops()}
    return row | peer.extra()


def about(settings: RunSettings, peer: Peer, data: Data) -> dict:
    """Settings, versions and sizes."""
    return {
        **{k: v for k, v in asdict(settings).items() if k not in ("path", "out")},
        "package": peer.package,
        "versions": {name: version(name) for name in (peer.package, "torch", "numpy")},
        "loss": peer.loss,
        "parameters": sum(p.numel() for p in peer.module.parameters()),
        "users": len(data.sequences),
        "items": data.n_items,
    }


def training_numbers(peer: Peer, clock: Clock, watch: Watch) -> dict:
    """Length and speed of training; validation scores where it went until convergence."""
    speed = clock.speed()
    row = {
        "train_seconds": clock.elapsed,
        "train_steps": clock.seen,
        "train_epochs": clock.rows / peer.rows_per_epoch,
        **speed,
    }
    if speed:
        row["seconds_per_epoch"] = peer.rows_per_epoch / speed["rows_per_second"]
    if watch.valid:
        row |= {"valid": watch.valid, "best_seconds": watch.best_seconds}
    return row


def ranking_numbers(peer: Peer, histories: list[np.ndarray], targets: np.ndarray) -> dict:
    """Speed, memory and quality of the shared ranking, and of the framework's own full ranking where there is one."""
    ranks = rank(peer, histories, targets)
    row = {
        "ranked_users": len(targets),
        "score_users_per_second": len(targets) / ranks.score_seconds,
        "rank_users_per_second": len(targets) / (ranks.score_seconds + ranks.count_seconds),
        "peak_mb_ranked": peak_megabytes(),
        "quality": quality(ranks.greater, ranks.ties),
        "quality_masked": quality(ranks.greater_masked, ranks.ties_masked),
    }
    full = peer.own_ranking(histories, targets)
    if full is not None:
        row |= {"own_ranking_users_per_second": len(targets) / full[0], "own_ranking_quality": full[1]}
    return row


def own_numbers(peer: Peer, users: int) -> dict:
    """Speed and result of the framework's own evaluator for the first `users` users."""
    own = peer.own_evaluation(users) if users else None
    numbers = {} if own is None else {"own_users": users, "own_users_per_second": users / own[0], "own_quality": own[1]}
    return {"own_evaluator": peer.own_name} | numbers


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "in this repository"


def main(build: Callable[[RunSettings, Data], Peer]) -> None:
    """The program of every wrapper: settings as JSON in, a row as JSON out."""
    settings = RunSettings(**json.loads(sys.argv[1]))
    row = measure(settings, build, float(os.environ.get("BENCH_SPAWNED", time.time())))
    text = json.dumps(row)
    if settings.out:
        Path(settings.out).write_text(text)
    else:
        print(text)
