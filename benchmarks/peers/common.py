"""What every framework's run shares: settings, data, clock, ranking, memory, calibration and the row that comes out.

Runs inside each framework's own environment, so it needs nothing but numpy and torch. A wrapper builds a `Peer`, and
`main` measures it: set-up, training, full ranking, the framework's own evaluator, quality.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

NEVER = -1e30  # the score of an item that cannot win; finite, so that no framework stumbles over it


@dataclass(frozen=True)
class RunSettings:
    """One run of one framework."""

    path: str  # file of sequences, see `read_data`
    model: str = "sasrec"  # sasrec | gru4rec | bert4rec
    phase: str = "speed"  # speed | wall | converge: what the training time is for
    seconds: float = 20.0  # of training, from the first batch (converge: at most)
    warm_up: int = 2  # steps that do not count for the speed
    steps: int = 4  # steps that count, at least, however long they take
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
    own_users: int = 2000  # users that the framework's own evaluator is given
    score_users: int = 0  # users of the full ranking; 0: all
    patience: int = 5  # converge: epochs without a better validation NDCG@10 before training stops
    ours: str = "{}"  # JSON: training settings of our own for the phases wall and converge
    out: str = ""  # where the row goes


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
    sequences = [np.array(line.split()[1:], dtype=np.int64) for line in Path(path).read_text().splitlines() if line]
    for number, sequence in enumerate(sequences, start=1):
        if len(sequence) < 3 or sequence.min() < 1:
            raise ValueError(f"{path}, line {number}: wanted a user and three items or more, numbered from 1")
    return Data(sequences, max(int(s.max()) for s in sequences))


def pad_left(sequences: list[np.ndarray], length: int, padding: int = 0) -> np.ndarray:
    """The last `length` items of each sequence, padded on the left, (B, length) int64."""
    out = np.full((len(sequences), length), padding, np.int64)
    for row, sequence in zip(out, sequences, strict=True):
        tail = sequence[-length:]
        row[length - len(tail) :] = tail
    return out


class TimeUp(Exception):
    """The training time is used up: for loops that cannot be told to stop."""


class Clock:
    """Counts training from its first batch; speed is counted behind the warm-up.

    A "step" is an optimizer step, or an epoch where the loop tells of nothing smaller.
    """

    def __init__(self, settings: RunSettings, warm_up: int | None = None, steps: int | None = None):
        self.limit, self.phase, self.threads = settings.seconds, settings.phase, settings.threads
        self.warm_up = settings.warm_up if warm_up is None else warm_up
        self.at_least = settings.steps if steps is None else steps
        self.began: float | None = None
        self.began_at = math.nan  # the same moment as seconds since 1970, which other processes understand
        self.seen, self.elapsed = 0, 0.0
        self.marks: list[tuple[float, int, int]] = []  # (seconds, rows, targets) from the end of the warm-up on
        self.rows = self.targets = 0

    def start(self) -> None:
        """The first batch is about to be trained on; later calls do nothing."""
        if self.began is None:
            torch.set_num_threads(self.threads)  # some frameworks choose their own number
            self.began, self.began_at = time.perf_counter(), time.time()

    def step(self, rows: int, targets: int) -> bool:
        """A step is done, it had so many rows (histories) and predicted positions. Returns whether time is up."""
        assert self.began is not None
        self.elapsed = time.perf_counter() - self.began
        self.seen, self.rows, self.targets = self.seen + 1, self.rows + rows, self.targets + targets
        if self.seen >= self.warm_up:
            self.marks.append((self.elapsed, self.rows, self.targets))
        return self.is_up

    @property
    def is_up(self) -> bool:
        enough = self.phase != "speed" or len(self.marks) > self.at_least
        return enough and self.elapsed >= self.limit

    def speed(self) -> dict[str, float]:
        """Rows, targets and steps per second behind the warm-up."""
        if len(self.marks) < 2:
            return {}
        (t0, rows0, targets0), (t1, rows1, targets1) = self.marks[0], self.marks[-1]
        span = t1 - t0
        return {
            "rows_per_second": (rows1 - rows0) / span,
            "targets_per_second": (targets1 - targets0) / span,
            "seconds_per_step": span / (len(self.marks) - 1),
        }


class Watch:
    """Early stopping for frameworks trained until convergence: all are watched alike, by the shared ranking."""

    def __init__(self, settings: RunSettings, data: Data, clock: Clock):
        self.settings, self.data, self.clock = settings, data, clock
        self.valid: list[float] = []
        self.weights: dict[str, Tensor] = {}
        self.best_seconds = 0.0

    def epoch(self, peer: Peer) -> bool:
        """An epoch is done: validate where that is wanted. Returns whether training is to stop."""
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
    """A framework with its model. Wrappers fill it in.

    Attributes:
        columns: (N+1,) int64, the column of each item in what `score` returns; -1 for an item without one.
        rows_per_epoch: training rows (histories) in an epoch, as the framework counts them.
    """

    package: str  # whose version is reported
    loss: str
    module: nn.Module
    columns: np.ndarray
    rows_per_epoch: int
    own_name = "none"  # what the framework's own evaluator is called

    def train(self, clock: Clock, watch: Watch) -> None:
        """Train until `clock.step` says that time is up, or `watch.epoch` that it is enough."""
        raise NotImplementedError

    def prepare_scoring(self) -> None:
        """What the framework does once before it scores anybody; it counts as scoring time."""

    def score(self, histories: list[np.ndarray]) -> Tensor:
        """(B, C): for each history a score of all items, higher is better."""
        raise NotImplementedError

    def own_evaluation(self, users: int) -> tuple[float, dict[str, float]] | None:
        """Seconds that the framework's own evaluator takes for the first `users` users, and what it finds."""
        return None

    def own_ranking(self, histories: list[np.ndarray], targets: np.ndarray) -> tuple[float, dict[str, float]] | None:
        """Seconds of a full ranking (nothing masked) by code of the framework, where it has such; its metrics."""
        return None

    def extra(self) -> dict:
        """More for the row."""
        return {}


@dataclass(frozen=True)
class Ranked:
    """Where the targets of C cases stand, and how long that took."""

    greater: np.ndarray  # (C,) items that score higher than the target
    ties: np.ndarray  # (C,) items that score the same, the target included
    greater_masked: np.ndarray  # the same without the items of the history
    ties_masked: np.ndarray
    score_seconds: float
    count_seconds: float  # of the ranking without masking


def rank(peer: Peer, histories: list[np.ndarray], targets: np.ndarray, batch_size: int = 256) -> Ranked:
    """Rank each target among all items by what `peer.score` says: the same code for all frameworks.

    A target without a column is ranked behind everything; other items without a column are behind all others.
    """
    counts = np.zeros((4, len(targets)), np.int64)
    began = time.perf_counter()
    peer.prepare_scoring()
    scoring, counting = time.perf_counter() - began, 0.0
    columns = peer.columns
    for start in range(0, len(targets), batch_size):
        batch = histories[start : start + batch_size]
        began = time.perf_counter()
        with torch.no_grad():
            scores = peer.score(batch).numpy()  # (B, C)
        scored = time.perf_counter()
        wanted = columns[targets[start : start + batch_size]]  # (B,)
        bars = np.where(wanted >= 0, scores[np.arange(len(batch)), wanted], np.float32(-np.inf))
        for at, (row, bar) in enumerate(zip(scores, bars, strict=True), start=start):
            counts[0, at], counts[1, at] = np.count_nonzero(row > bar), np.count_nonzero(row == bar)
        scoring, counting = scoring + scored - began, counting + time.perf_counter() - scored
        for at, (row, bar, history) in enumerate(zip(scores, bars, batch, strict=True), start=start):
            seen = np.unique(history[history != targets[at]])
            seen = row[columns[seen][columns[seen] >= 0]]
            counts[2, at] = counts[0, at] - np.count_nonzero(seen > bar)
            counts[3, at] = counts[1, at] - np.count_nonzero(seen == bar)
    counts[1::2][:, columns[targets] < 0] = 1  # it ties with nothing but itself
    return Ranked(*counts, scoring, counting)


def quality(greater: np.ndarray, ties: np.ndarray, k: int = 10) -> dict[str, float]:
    """Mean HR@k and NDCG@k; tied items are in random order, so each case counts by its expected value."""
    gain = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])  # sum of the gains of the first ranks
    first, last = np.minimum(greater, k), np.minimum(greater + ties, k)
    return {
        f"hr@{k}": float(((last - first) / ties).mean()),
        f"ndcg@{k}": float(((gain[last] - gain[first]) / ties).mean()),
    }


def square_gflops(size: int = 1024, seconds: float = 0.6) -> float:
    """Billions of floating-point operations per second that a product of two square matrices reaches (median)."""
    a = torch.randn(size, size)
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 5:
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * size**3 / float(np.median(times)) / 1e9


def peak_megabytes() -> float:
    """Largest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count the memory of the process that started this one, if that was larger.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if platform.system() == "Darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def batches(n: int, size: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers of one epoch in random order, `size` at a time."""
    order = generator.permutation(n)
    for start in range(0, n, size):
        yield order[start : start + size]


def measure(settings: RunSettings, build: Callable[[RunSettings, Data], Peer], spawned: float) -> dict:
    """Build, train, rank and judge one framework: the row of one run.

    Args:
        spawned: when the process was started, in seconds since 1970: set-up counts from there to the first batch.
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
    clock = Clock(settings, *getattr(peer, "clock_steps", ()))
    watch = Watch(settings, data, clock)
    peer.train(clock, watch)
    watch.restore(peer)
    training_memory = peak_megabytes()
    peer.module.eval()
    torch.set_num_threads(settings.threads)
    histories, targets = data.cases("test", settings.score_users)
    ranks = rank(peer, histories, targets)
    ranking_memory = peak_megabytes()
    speed = clock.speed()
    row = {
        **{k: v for k, v in asdict(settings).items() if k not in ("path", "out")},
        "package": peer.package,
        "versions": {name: version(name) for name in (peer.package, "torch", "numpy")},
        "loss": peer.loss,
        "parameters": sum(p.numel() for p in peer.module.parameters()),
        "users": len(data.sequences),
        "items": data.n_items,
        "setup_seconds": clock.began_at - spawned - calibration,
        "train_seconds": clock.elapsed,
        "train_steps": clock.seen,
        "train_epochs": clock.rows / peer.rows_per_epoch,
        **speed,
        "ranked_users": len(targets),
        "score_users_per_second": len(targets) / ranks.score_seconds,
        "rank_users_per_second": len(targets) / (ranks.score_seconds + ranks.count_seconds),
        "peak_mb_imported": imported,
        "peak_mb_trained": training_memory,
        "peak_mb_ranked": ranking_memory,
        "quality": quality(ranks.greater, ranks.ties),
        "quality_masked": quality(ranks.greater_masked, ranks.ties_masked),
        "own_evaluator": peer.own_name,
    }
    if speed:
        row["seconds_per_epoch"] = peer.rows_per_epoch / speed["rows_per_second"]
    if settings.phase == "converge" and watch.valid:
        row |= {"valid": watch.valid, "best_seconds": watch.best_seconds}
    full = peer.own_ranking(histories, targets)
    if full is not None:
        row |= {"own_ranking_users_per_second": len(targets) / full[0], "own_ranking_quality": full[1]}
    users = min(settings.own_users, len(data.sequences))
    own = peer.own_evaluation(users) if users else None
    if own is not None:
        row |= {"own_users": users, "own_users_per_second": users / own[0], "own_quality": own[1]}
    row |= {"peak_mb": peak_megabytes(), "gflops_before": before, "gflops_after": square_gflops()}
    return row | peer.extra()


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
