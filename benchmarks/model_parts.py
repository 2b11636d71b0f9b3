"""What `bench_model.py` measures, one function each: it gives rows, and knows nothing of files, limits and tables.

Nothing here depends on what the features say, only on how many numbers they are, so random ones will do.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.peers.instruments import peak_megabytes
from dmesr_core.data import datasets
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Split, length_batches, pad
from dmesr_core.evaluation.ranking import EvalSettings, rank_cases, score_batches, top_k
from dmesr_core.evaluation.scorers import Scorer, model_scorer
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.dmesr import DMESR, DMESRSettings
from dmesr_core.models.recommender import IDRecommender, Recommender, known_items
from dmesr_core.provenance import PeakMemory
from dmesr_core.training.losses import softmax_loss
from dmesr_core.training.objectives import Step
from dmesr_core.training.optim import _parameter_groups
from dmesr_core.training.settings import TrainSettings

# Layers and batch: as the book trains, and as the benchmark against other frameworks does.
SETTINGS = {"book": (1, 128), "benchmark": (2, 256)}
COARSE, TOKENS, FINE = 128, 24, 384  # the tiny MLLM's width; tokens that the fusion reads; the text encoder's width
BEAUTY = (12_000, 22_000, 8.9)  # about as many items, users and items of a user as in the Amazon Beauty sequences


@dataclass(frozen=True)
class Options:
    """How to measure."""

    turns: int = 5  # alternating repeats
    steps: int = 12  # training steps of each model in a turn
    threads: tuple[int, ...] = (1, 2)
    device: str = "cpu"
    precision: str = "no"  # of training: no | bf16
    profile: str = "cpu"  # of the Bazaar, the smaller of the two catalogues
    large: tuple[int, int, float] = BEAUTY  # the larger one: items, users, mean length


def alternate(works: dict[str, Callable[[], object]], turns: int, device: str = "cpu") -> dict[str, list[float]]:
    """Seconds of each of `works` in each turn. They go one after the other, and each turn begins with another one."""
    names, seconds = list(works), {name: [] for name in works}
    for turn in range(-1, turns):  # the turn before the first warms up
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            took = timed(works[name], device)
            if turn >= 0:
                seconds[name].append(took)
    return seconds


def timed(work: Callable[[], object], device: str = "cpu") -> float:
    began = _now(device)
    work()
    return _now(device) - began


def _now(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def spread(numbers: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(numbers), "low": min(numbers), "high": max(numbers), "turns": len(numbers)}


def paired(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Median and range of the ratios within turns."""
    return spread([a / b for a, b in zip(above, below, strict=True)])


def small_split(options: Options) -> Split:
    """The Bazaar's."""
    return datasets.load("bazaar", options.profile, 0).interactions.leave_one_out()


def large_split(options: Options) -> Split:
    """Random items; histories as many, and about as long, as the larger catalogue's."""
    n_items, n_users, mean = options.large
    rng = np.random.default_rng(0)
    lengths = 4 + rng.geometric(1 / (mean - 4), n_users)
    users = np.repeat(np.arange(n_users), lengths)
    times = np.arange(len(users))
    return Interactions.from_columns(users, rng.integers(1, n_items + 1, len(users)), times, n_items).leave_one_out()


def features(n_items: int) -> SimpleNamespace:
    """Random features of the sizes that the tiny MLLM and the text encoder give."""
    g = torch.Generator().manual_seed(0)
    mask = torch.ones(n_items + 1, TOKENS, dtype=torch.bool)
    mask[0] = False
    return SimpleNamespace(
        coarse_picture=torch.randn(n_items + 1, COARSE, generator=g),
        coarse_text=torch.randn(n_items + 1, COARSE, generator=g),
        fine=torch.randn(n_items + 1, TOKENS, FINE, generator=g).half(),
        fine_mask=mask,
    )


def models(split: Split, layers: int, given: SimpleNamespace, **changes) -> dict[str, Recommender]:
    """DMESR and ID-only SASRec with the same backbone."""
    backbone, known = BackboneSettings(layers=layers), known_items(split)
    return {
        "dmesr": DMESR(DMESRSettings(backbone=backbone, **changes), given, known),
        "id_only": IDRecommender(backbone, known),
    }


class Trainer:
    """Steps as `train.fit` takes them, without validation and schedule."""

    def __init__(self, model: Recommender, split: Split, batch_size: int, options: Options):
        self.model, self.options, self.batch_size = model.to(options.device), options, batch_size
        settings = TrainSettings(batch_size=batch_size)
        self.step = Step(model, np.asarray(split.train_counts), settings, torch.device(options.device))
        groups = _parameter_groups(model, settings.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), fused=True)
        self.generator = torch.Generator().manual_seed(0)
        histories = [h[-model.max_len - 1 :] for h in split.train if len(h) > 1]
        lengths = np.array([len(h) for h in histories])
        self.batches = [[histories[r] for r in rows] for rows in length_batches(lengths, batch_size, _rng())]
        self.at = 0

    def run(self, steps: int) -> int:
        """So many steps; how many positions were predicted."""
        targets = 0
        for _ in range(steps):
            batch = self.batches[self.at % len(self.batches)]
            self.at += 1
            items = pad(batch, self.model.max_len + 1).to(self.options.device)
            with self._autocast():
                loss, side, n = self.step(items, self.generator)
            (loss if side is None else loss + side).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            targets += n
        return targets

    def begin_epoch(self) -> None:
        """What `fit` does before an epoch, and the epoch's first step, in which a model may have to catch up."""
        self.model.train()
        self.run(1)

    def _autocast(self):
        kind = self.options.device.split(":")[0]
        return torch.autocast(kind, torch.bfloat16) if self.options.precision == "bf16" else nullcontext()


def step_time(split: Split, setting: str, threads: int, options: Options, **changes) -> list[dict]:
    """Time of a training step of DMESR and of ID-only SASRec: the mean over an epoch, its beginning included.

    Also how much of a square matrix product ID-only training reaches, by the product with the item table alone.
    """
    torch.set_num_threads(threads)
    layers, batch = SETTINGS[setting]
    both = models(split, layers, features(split.n_items), **changes)
    trainers = {name: Trainer(model, split, batch, options) for name, model in both.items()}
    epoch = len(trainers["dmesr"].batches)
    per_step: dict[str, list[float]] = {name: [] for name in trainers}
    begin, targets, square = {name: [] for name in trainers}, [], []
    for turn in range(-1, options.turns):
        names = list(trainers)[:: 1 if turn % 2 else -1]
        for name in names:
            trainer = trainers[name]
            trainer.at = max(turn, 0) * options.steps  # both see the same batches
            first = timed(trainer.begin_epoch, options.device)
            counted: list[int] = []
            took = timed(lambda t=trainer, c=counted: c.append(t.run(options.steps)), options.device) / options.steps
            if turn >= 0:
                per_step[name].append((first + took * (epoch - 1)) / epoch)
                begin[name].append(first)
                if name == "id_only":
                    targets.append(counted[0] / options.steps)
        if turn >= 0:
            square.append(square_flops(options))
    common = {
        "items": split.n_items, "setting": setting, "layers": layers, "batch": batch, "threads": threads,
        "steps_per_epoch": epoch, "changes": changes,
        "ms": {name: 1e3 * statistics.median(seconds) for name, seconds in per_step.items()},
        "first_step_ms": {name: 1e3 * statistics.median(seconds) for name, seconds in begin.items()},
    }  # fmt: skip
    flops = [6 * n * int(known_items(split).sum()) * 64 / s for n, s in zip(targets, per_step["id_only"], strict=True)]
    rows = [{"part": "step", **common, "ratio": paired(per_step["dmesr"], per_step["id_only"])}]
    if not changes:
        speed = [n / s for n, s in zip(targets, per_step["id_only"], strict=True)]
        rows.append({"part": "roofline", **common, "targets_per_second": statistics.median(speed),
                     "square_gflops": statistics.median(square) / 1e9, "ratio": paired(flops, square)})  # fmt: skip
    return rows


def table_time(split: Split, threads: int, options: Options) -> list[dict]:
    """Time of the vectors of all items, as an evaluation computes them once."""
    torch.set_num_threads(threads)
    both = {n: m.to(options.device).eval() for n, m in models(split, 1, features(split.n_items)).items()}

    def work(model: Recommender) -> Callable[[], object]:
        return torch.no_grad()(lambda: model.item_table())

    seconds = alternate({name: work(model) for name, model in both.items()}, options.turns, options.device)
    each = [split.n_items / s for s in seconds["dmesr"]]
    return [{"part": "table", "items": split.n_items, "threads": threads, "ratio": None,
             "seconds": spread(seconds["dmesr"]), "items_per_second": spread(each)}]  # fmt: skip


def evaluation_time(split: Split, threads: int, options: Options, users: int = 3000) -> list[dict]:
    """Time of ranking with the item table computed before: DMESR's users per second over ID-only's."""
    torch.set_num_threads(threads)
    cases = replace(
        split.test, histories=split.test.histories.take(np.arange(min(users, len(split.test)))),
        **{name: getattr(split.test, name)[:users] for name in ("targets", "times", "users")},
    )  # fmt: skip
    both = {n: m.to(options.device).eval() for n, m in models(split, 1, features(split.n_items)).items()}
    scorers = {name: model_scorer(model, split.n_items) for name, model in both.items()}
    works = {n: (lambda s=s: rank_cases(s, cases, split.n_items)) for n, s in scorers.items()}
    seconds = alternate(works, options.turns, options.device)
    return [{"part": "evaluation", "items": split.n_items, "users": len(cases), "threads": threads,
             "users_per_second": {n: len(cases) / statistics.median(s) for n, s in seconds.items()},
             "ratio": paired(seconds["id_only"], seconds["dmesr"])}]  # fmt: skip


def ranking_floor(split: Split, threads: int, options: Options) -> list[dict]:
    """How much of the time of a full ranking by ID-only SASRec its scores take, and the one product with all items."""
    torch.set_num_threads(threads)
    n, cases = split.n_items, split.test
    model = IDRecommender(BackboneSettings(layers=SETTINGS["benchmark"][0]), known_items(split)).to(options.device)
    scorer = model_scorer(model, n)
    table = model.item_table().detach()
    users = torch.randn(len(cases), table.shape[1], device=options.device)

    def product(histories: list[np.ndarray], index: np.ndarray) -> torch.Tensor:
        return users[index] @ table.T

    product.concurrent = scorer.concurrent  # type: ignore[attr-defined]

    def nothing(*_: object) -> None:
        """What is done with the scores of a batch."""

    def scores_of(scorer: Scorer) -> Callable[[], object]:
        return lambda: score_batches(nothing, scorer, cases.histories, n, EvalSettings())

    works = {"whole": lambda: rank_cases(scorer, cases, n), "scores": scores_of(scorer), "product": scores_of(product)}
    seconds = alternate(works, options.turns, options.device)
    return [{"part": "ranking", "items": n, "users": len(cases), "threads": threads,
             "users_per_second": {name: len(cases) / statistics.median(s) for name, s in seconds.items()},
             "ratio": paired(seconds["scores"], seconds["whole"]),
             "product": paired(seconds["product"], seconds["whole"])}]  # fmt: skip


def big_ranking(items: int, users: int, k: int, threads: int, device: str = "cpu") -> dict:
    """The best `k` of very many items for each user; run it in a process of its own, whose peak memory it reports."""
    torch.set_num_threads(threads)
    imported = peak_megabytes()
    torch.manual_seed(0)
    model = IDRecommender(BackboneSettings(layers=1), torch.ones(items + 1).bool()).to(device).eval()
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, items + 1, n) for n in rng.integers(2, 20, users)]
    began = _now(device)
    best, _ = top_k(model_scorer(model, items), histories, k, items)
    seconds = _now(device) - began
    assert best.shape == (users, k)
    row = {"part": "million", "items": items, "users": users, "k": k, "threads": threads, "seconds": seconds,
           "users_per_second": users / seconds, "imported_mb": imported, "peak_mb": peak_megabytes()}  # fmt: skip
    if device != "cpu":
        row["device_peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
    # A dot product with each item: what a machine must at least do for it.
    flops = square_flops(Options(device=device))
    return row | {"share_of_square_product": 2 * users * items * 64 / seconds / flops}


def softmax_time(options: Options, threads: int, positions: int = 2048) -> list[dict]:
    """The full softmax, forward and backward: ours against one plain line, and against its three products alone."""
    torch.set_num_threads(threads)
    n, d = options.large[0], 64
    torch.manual_seed(0)
    hidden, table = (torch.randn(rows, d, device=options.device).requires_grad_() for rows in (positions, n))
    targets = torch.randint(n, (positions,), device=options.device)
    piece = torch.randn(min(positions, 174), n, device=options.device)

    def ours() -> None:
        softmax_loss(hidden, table, targets).backward()

    def plain() -> None:
        F.cross_entropy(hidden @ table.T, targets).backward()

    @torch.no_grad()
    def products() -> None:
        for start in range(0, positions, len(piece)):
            h = hidden[start : start + len(piece)]
            scores = torch.mm(h, table.T, out=piece[: len(h)])
            torch.mm(scores, table)
            torch.mm(scores.T, h)

    works = {"ours": ours, "plain": plain, "products": products}
    hidden.detach() @ hidden.detach().T  # what a first product sets up belongs to nobody
    # Memory first: later the process keeps what it once had.
    memory = {name: extra_megabytes(works[name], options.device) for name in ("ours", "plain")}
    seconds = alternate(works, options.turns, options.device)
    row = {"part": "softmax", "positions": positions, "items": n, "threads": threads, "extra_mb": memory,
           "ms": {name: 1e3 * statistics.median(s) for name, s in seconds.items()},
           "ratio": paired(seconds["plain"], seconds["ours"]),
           "floor_share": paired(seconds["products"], seconds["ours"])}  # fmt: skip
    return [row]


def extra_megabytes(work: Callable[[], object], device: str) -> float | None:
    """The most memory that `work` holds beyond what was held before it."""
    gc.collect()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back to the system, or it would hide what is taken now
    peak = PeakMemory()
    before = peak.megabytes()  # just reset: what is held now
    work()
    after = peak.megabytes()
    return None if before is None or after is None else after - before


def square_flops(options: Options, size: int = 1024, times: int = 20) -> float:
    """Operations per second of a product of two square matrices, on the device and in the precision of training."""
    size = size if options.device == "cpu" else 8192
    a = torch.randn(size, size, device=options.device)
    a = a.bfloat16() if options.precision == "bf16" else a
    a @ a
    return 2 * size**3 / statistics.median(timed(lambda: a @ a, options.device) for _ in range(times))


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
