"""The parts of `bench_model.py`: each function measures one of them and returns its rows.

Costs depend on the size of the features, not on their values, so the features are random.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.measuring import alternate, extra_megabytes, now, paired, square_flops, timed
from benchmarks.peers.instruments import peak_megabytes
from dmesr_core.book.narration.speed.rows import spread_of
from dmesr_core.data.datasets import load_dataset
from dmesr_core.data.interactions import Interactions
from dmesr_core.data.sequences import Split
from dmesr_core.evaluation.ranking import rank_cases, top_k
from dmesr_core.models.backbones import BackboneSettings
from dmesr_core.models.dmesr import DMESR
from dmesr_core.models.dmesr_settings import PLAIN, DMESRSettings
from dmesr_core.models.id_recommender import IDRecommender
from dmesr_core.models.recommender import Recommender, known_items
from dmesr_core.models.scorers import Scorer, model_scorer
from dmesr_core.models.scoring import score_batches
from dmesr_core.training.fit import Training
from dmesr_core.training.losses import softmax_loss
from dmesr_core.training.settings import TrainSettings

# Layers and batch: as the book trains, and as the benchmark against other frameworks does.
SETTINGS = {"book": (1, 128), "benchmark": (2, 256)}
COARSE, TOKENS, FINE = 128, 24, 384  # the tiny MLLM's width; tokens that the fusion reads; the text encoder's width
WIDTH = BackboneSettings.width
BEAUTY = (12_000, 22_000, 8.9)  # items, users and mean history length: about those of the Amazon Beauty sequences


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


def small_split(options: Options) -> Split:
    """The Bazaar's."""
    return load_dataset("bazaar", profile=options.profile).interactions.leave_one_out()


def large_split(options: Options) -> Split:
    """Random items in histories of random lengths, as many and as long as `options.large` says."""
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
        "dmesr": DMESR(DMESRSettings(**(PLAIN | {"backbone": backbone} | changes)), given, known),
        "id_only": IDRecommender(backbone, known),
    }


class Trainer:
    """Optimisation steps on the batches of one epoch, again and again; no validation.

    Two trainers of the same split and batch size have the same batches.
    """

    def __init__(self, model: Recommender, split: Split, batch_size: int, options: Options):
        settings = TrainSettings(batch_size=batch_size, mixed_precision=options.precision)
        self.training = Training(model, split, settings)
        self.batches = [[self.training.histories[row] for row in rows] for rows in self.training.batches()]
        self.next_batch = 0

    def run(self, steps: int) -> int:
        """Take `steps` steps; the number of predicted positions."""
        targets = 0
        for _ in range(steps):
            targets += self.training.step(self.batches[self.next_batch % len(self.batches)])[2]
            self.next_batch += 1
        return targets

    def begin_epoch(self) -> None:
        """The first step of an epoch, in which DMESR may have stale item vectors to encode anew."""
        self.training.wrapped.train()
        self.run(1)


def step_time(split: Split, setting: str, threads: int, options: Options, **changes) -> list[dict]:
    """Time of a training step of DMESR and of ID-only SASRec: the mean over an epoch, its first step included.

    Also the share of a square matrix product that ID-only training reaches, counting the product with the item table.
    """
    torch.set_num_threads(threads)
    layers, batch = SETTINGS[setting]
    both = models(split, layers, features(split.n_items), **changes)
    trainers = {name: Trainer(model, split, batch, options) for name, model in both.items()}
    turns, square = [], []
    for turn in range(-1, options.turns):  # the first turn warms up
        found = step_turn(trainers, turn, options)
        if turn >= 0:
            turns.append(found)
            square.append(square_flops(options.device, options.precision))
    per_step, begin = ({name: [turn[name][key] for turn in turns] for name in trainers} for key in ("step", "first"))
    targets = [turn["id_only"]["targets"] for turn in turns]
    common = {
        "items": split.n_items, "setting": setting, "layers": layers, "batch": batch, "threads": threads,
        "steps_per_epoch": len(trainers["dmesr"].batches), "changes": changes,
        "ms": {name: 1e3 * statistics.median(seconds) for name, seconds in per_step.items()},
        "first_step_ms": {name: 1e3 * statistics.median(seconds) for name, seconds in begin.items()},
    }  # fmt: skip
    rows = [{"part": "step", **common, "ratio": paired(per_step["dmesr"], per_step["id_only"])}]
    if not changes:
        speed = [n / seconds for n, seconds in zip(targets, per_step["id_only"], strict=True)]
        flops = [6 * int(known_items(split).sum()) * WIDTH * targets_per_second for targets_per_second in speed]
        rows.append({"part": "roofline", **common, "targets_per_second": statistics.median(speed),
                     "square_gflops": statistics.median(square) / 1e9, "ratio": paired(flops, square)})  # fmt: skip
    return rows


def step_turn(trainers: dict[str, Trainer], turn: int, options: Options) -> dict[str, dict[str, float]]:
    """One turn of `step_time`: for each trainer seconds per step ("step"), of the first step, targets per step."""
    found = {}
    for name in list(trainers)[:: 1 if turn % 2 else -1]:
        trainer = trainers[name]
        trainer.next_batch = max(turn, 0) * options.steps  # all trainers see the same batches
        first = timed(trainer.begin_epoch, options.device)
        began = now(options.device)
        targets = trainer.run(options.steps)
        took, epoch = (now(options.device) - began) / options.steps, len(trainer.batches)
        step = (first + took * (epoch - 1)) / epoch
        found[name] = {"step": step, "first": first, "targets": targets / options.steps}
    return found


def table_time(split: Split, threads: int, options: Options) -> list[dict]:
    """Time to compute the vectors of all items, as an evaluation does once."""
    torch.set_num_threads(threads)
    both = {n: m.to(options.device).eval() for n, m in models(split, 1, features(split.n_items)).items()}

    def work(model: Recommender) -> Callable[[], object]:
        return torch.no_grad()(lambda: model.item_table())

    seconds = alternate({name: work(model) for name, model in both.items()}, options.turns, options.device)
    each = [split.n_items / s for s in seconds["dmesr"]]
    return [{"part": "table", "items": split.n_items, "threads": threads, "ratio": None,
             "seconds": spread_of(seconds["dmesr"]), "items_per_second": spread_of(each)}]  # fmt: skip


def evaluation_time(split: Split, threads: int, options: Options, users: int = 3000) -> list[dict]:
    """Time of ranking when the item table is computed already: DMESR's users per second over ID-only's."""
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
    """Share of the time of a full ranking by ID-only SASRec: of its scores, and of the product with all items alone."""
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
        return lambda: score_batches(nothing, scorer, cases.histories, n)

    works = {"whole": lambda: rank_cases(scorer, cases, n), "scores": scores_of(scorer), "product": scores_of(product)}
    seconds = alternate(works, options.turns, options.device)
    return [{"part": "ranking", "items": n, "users": len(cases), "threads": threads,
             "users_per_second": {name: len(cases) / statistics.median(s) for name, s in seconds.items()},
             "ratio": paired(seconds["scores"], seconds["whole"]),
             "product": paired(seconds["product"], seconds["whole"])}]  # fmt: skip


def big_ranking(items: int, users: int, k: int, threads: int, device: str = "cpu") -> dict:
    """The best `k` of very many items for each user. Run it in its own process, whose peak memory it reports."""
    torch.set_num_threads(threads)
    imported = peak_megabytes()
    torch.manual_seed(0)
    model = IDRecommender(BackboneSettings(layers=1), torch.ones(items + 1).bool()).to(device).eval()
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, items + 1, n) for n in rng.integers(2, 20, users)]
    began = now(device)
    best, _ = top_k(model_scorer(model, items), histories, k, items)
    seconds = now(device) - began
    assert best.shape == (users, k)
    row = {"part": "million", "items": items, "users": users, "k": k, "threads": threads, "seconds": seconds,
           "users_per_second": users / seconds, "imported_mb": imported, "peak_mb": peak_megabytes()}  # fmt: skip
    if device != "cpu":
        row["device_peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
    # The least that must be computed: a dot product with the vector of each item.
    return row | {"share_of_square_product": 2 * users * items * WIDTH / seconds / square_flops(device)}


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
    hidden.detach() @ hidden.detach().T  # a first product allocates work space, which is not to be counted below
    # Memory first: later the process may reuse memory that it has kept.
    memory = {name: extra_megabytes(works[name], options.device) for name in ("ours", "plain")}
    seconds = alternate(works, options.turns, options.device)
    row = {"part": "softmax", "positions": positions, "items": n, "threads": threads, "extra_mb": memory,
           "ms": {name: 1e3 * statistics.median(s) for name, s in seconds.items()},
           "ratio": paired(seconds["plain"], seconds["ours"]),
           "floor_share": paired(seconds["products"], seconds["ours"])}  # fmt: skip
    return [row]
