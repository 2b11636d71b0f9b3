"""The experiments of the book by name: which data, backbones, variants, trainings and seeds are combined.

A grid is a few blocks; a block is every combination of what it lists. `dmesr experiment NAME` runs one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dmesr_core import profiles
from dmesr_core.errors import SettingsError
from dmesr_core.experiments.grid import Block, Data, Grid
from dmesr_core.experiments.variants import VARIANTS, Variant
from dmesr_core.training.settings import TrainSettings


def _rows(*names: str) -> dict[str, Variant]:
    return {name: VARIANTS[name] for name in names}


def _dmesr(**changes: Any) -> dict[str, Variant]:
    """A variant for each value: `_dmesr(alpha=(0, 1))` gives "alpha=0" and "alpha=1"."""
    return {f"{key}={value}": Variant("dmesr", {key: value}) for key, values in changes.items() for value in values}


_THREE = ("sasrec", "gru4rec", "bert4rec")
_STEADY = ("sasrec", "gru4rec")
_LEARNED = _rows("id_only", "id_unit", "raw", "llm_esr", "llm_emb", "dmesr", "dmesr_unit")
COMPARED = _rows("popularity") | _LEARNED
_ABLATED = COMPARED | _rows(
    "fact_oracle", "no_fusion", "no_alignment", "picture_only", "text_only", "no_id", "injection_concat",
    "injection_two_towers",
)  # fmt: skip
# What learned words and a mixture of views bring, beside opponents with the same. Opponents that have ID vectors beside
# something else are tried with three kinds of these, some with two dropouts: seed 0 says which are trained again.
_LOUD_ID = _rows(
    "popularity", "id_unit", "id_mixture", "llm_emb", "words", "words_mixture", "fact_oracle", "fact_mixture", "dmesr",
    "views_loud_id",
)  # fmt: skip
_TRIED = _rows(
    "words_quiet", "words_no_id", "words_mixture_quiet", "words_mixture_no_id", "words_both_mixture",
    "words_both_mixture_no_id",
)  # fmt: skip
_TRIED_ONCE = _rows(
    "raw_mixture_quiet", "fact_oracle_quiet", "fact_oracle_no_id", "fact_mixture_quiet", "fact_mixture_no_id"
)
_VIEWS = _rows(
    "dmesr_views", "views_no_words", "views_one_softmax", "views_text_only", "views_no_alignment", "views_no_fusion",
    "views_no_id",
)  # fmt: skip
_DROPOUT, _WHOLE_AND_SPARSE = {"dropout": 0.4}, (Data("bazaar"), Data("bazaar-sparse"))
# The strongest of each kind on the Bazaar, with the settings that did best there in validation; ID vectors apart, all
# have a dropout of 0.2.
_STRONGEST = _rows("llm_emb", "words_both_mixture", "dmesr", "dmesr_views")
_WORLDS = tuple(Data(f"bazaar-{world}") for world in (1, 2, 3))
_WRITINGS = (Data("bazaar-unwritten"), Data("bazaar-written"))
# Some of these do not improve in their first epochs: none is stopped early.
_LOSSES: tuple[dict[str, Any], ...] = (
    {"loss": "ce"},
    {"loss": "sampled", "negatives": 64}, {"loss": "sampled", "negatives": 512},
    {"loss": "gbce", "negatives": 64}, {"loss": "gbce", "negatives": 256},
    {"loss": "bce", "negatives": 1}, {"loss": "bce", "negatives": 64},
)  # fmt: skip
_LOSSES = tuple(loss | {"patience": 1_000} for loss in _LOSSES)


def _three(name: str, title: str, data: Data) -> Grid:
    return Grid(f"three_backbones_{name}", title, (Block((data,), COMPARED, _THREE),))


def _quality(name: str, title: str) -> Grid:
    long = {"batch_size": 256, "patience": 1_000}
    plain = Block((Data(name),), _rows("id_only", "id_unit"), trains=(long,), sizes={"layers": 2}, seeds=3)
    # Nobody reviews an item twice: a model that learns this (`history_loss_weight`) needs half of the epochs.
    once = replace(
        plain, variants={"id_once": VARIANTS["id_only"]}, trains=(long | {"history_loss_weight": 0.1, "epochs": 30},),
        sizes={"layers": 2, "head": True},
    )  # fmt: skip
    # A model twice as wide overfits: more dropout, items masked in histories, and an average of the weights.
    wide = replace(
        once, variants={"id_wide": VARIANTS["id_only"]},
        trains=(once.trains[0] | {"item_dropout": 0.2},), ema_decay=0.996,
        sizes=once.sizes | {"width": 128, "dropout": 0.4},
    )  # fmt: skip
    return Grid(f"quality_{name}", f"how good SASRec by ID gets on {title}", (plain, once, wide), epochs=60)


def _fewer(name: str, share: float, rows: dict[str, Variant], sizes: dict[str, Any], seeds: int) -> Block:
    """A share of the shoppers. Their epochs are shorter, so there are more: as many steps as with all."""
    epochs, patience = profiles.get("cpu").max_epochs, TrainSettings.patience
    longer = {"epochs": round(epochs / share), "patience": round(patience / share)}
    return Block((Data(name, share=share),), rows, trains=(longer,), sizes=sizes, seeds=seeds)


_FEWER = _rows("popularity", "id_only", "id_unit", "dmesr", "dmesr_unit", "fact_oracle")
_SHARES = (("bazaar", 0.125), ("bazaar", 0.25), ("bazaar", 0.5), ("bazaar-sparse", 0.25), ("bazaar-sparse", 0.5))


_ALL = (
    Grid(
        "three_backbones",
        "three backbones, seven ways to know an item, four data sets",
        parts=tuple(f"three_backbones_{name}" for name in ("bazaar", "sparse", "movielens", "time")),
    ),
    _three("bazaar", "the Bazaar, leave-one-out", Data("bazaar")),
    _three("sparse", "four times as many products for as many shoppers, leave-one-out", Data("bazaar-sparse")),
    _three("movielens", "films with posters, leave-one-out", Data("movielens")),
    _three("time", "the Bazaar, split at one moment in time", Data("bazaar", "global-time")),
    Grid(
        "care",
        "whether the opponents had what they need: other weight decays, twice the epochs",
        (
            Block(
                (Data("bazaar"),),
                _rows("id_only", "id_unit", "dmesr", "dmesr_unit"),
                _STEADY,
                trains=tuple({"weight_decay": decay} for decay in (0.5, 1.0, 2.0, 4.0)),
                seeds=1,
            ),
            Block((Data("bazaar"),), _LEARNED, _STEADY, trains=({"epochs": 50, "patience": 12},), seeds=3),
        ),
    ),
    Grid(
        "ablations",
        "what carries DMESR's gain: parts, settings, amount of data (SASRec)",
        (
            Block((Data("bazaar"),), _ABLATED, seeds=3),
            Block(
                (Data("bazaar"),),
                # What DMESR is by default (`dmesr`), and alpha 0 (`no_alignment`), is among the variants already.
                _dmesr(
                    alpha=(0.01, 0.2, 1.0),
                    temperature=(0.05, 0.1, 0.5),
                    fine_tokens=(4, 12, 40),
                    items_per_step=(32, 512, None),
                ),
                seeds=3,
            ),
            *(_fewer("bazaar", share, _FEWER, {}, 3) for share in (0.125, 0.25, 0.5)),
        ),
    ),
    Grid(
        "views",
        "words that learn and a mixture of views, taken apart (SASRec), and with other backbones",
        (
            Block(_WHOLE_AND_SPARSE, _LOUD_ID, sizes=_DROPOUT, seeds=3),
            Block((Data("bazaar"),), _rows("words_unit", "raw_mixture", "views_no_id"), sizes=_DROPOUT, seeds=3),
            Block(_WHOLE_AND_SPARSE, _VIEWS, seeds=3),
            Block(_WHOLE_AND_SPARSE, _TRIED | _TRIED_ONCE, seeds=1),
            Block(_WHOLE_AND_SPARSE, _TRIED, sizes=_DROPOUT, seeds=1),
            Block(
                _WHOLE_AND_SPARSE, _rows("id_unit", "words_mixture", "views_loud_id"), ("gru4rec",), ({},), _DROPOUT, 3
            ),
            Block(_WHOLE_AND_SPARSE, _rows("dmesr_views"), ("gru4rec",), seeds=3),
            Block(_WHOLE_AND_SPARSE, _rows("words_mixture_quiet"), ("gru4rec",), ({},), _DROPOUT, 3),
            # What did best of all that was tried with seed 0, by validation:
            Block((Data("bazaar"),), _rows("words_both_mixture", "fact_mixture_no_id"), seeds=3),
            Block(
                (Data("bazaar-sparse"),), _rows("words_quiet", "raw_mixture_quiet", "fact_mixture_no_id"), seeds=3
            ),
            Block(
                (Data("bazaar-sparse"),), _rows("words_mixture_quiet", "words_both_mixture"), sizes=_DROPOUT, seeds=3
            ),
            # BERT4Rec, and opponents of GRU4Rec; with a dropout of 0.2 some are among the three backbones already.
            Block(_WHOLE_AND_SPARSE, _rows("id_unit", "llm_emb"), ("bert4rec",), ({},), _DROPOUT, 1),
            Block(_WHOLE_AND_SPARSE, _rows("dmesr_views", "words_both_mixture"), ("bert4rec",), seeds=1),
            Block(_WHOLE_AND_SPARSE, _rows("words_both_mixture"), ("gru4rec",), seeds=3),
            Block(_WHOLE_AND_SPARSE, _rows("llm_emb"), ("gru4rec",), ({},), _DROPOUT, 3),
            # The loud ID vector with the dropout of ours, and a setting that was nearly the best:
            Block(_WHOLE_AND_SPARSE, _rows("views_loud_id"), seeds=3),
            Block((Data("bazaar-sparse"),), _rows("words_mixture_no_id"), sizes=_DROPOUT, seeds=3),
        ),
    ),
    Grid(
        "views_elsewhere",
        "the same order elsewhere? by time, other worlds, other texts, films (SASRec)",
        (
            Block((Data("bazaar", "global-time"),), _STRONGEST | _rows("popularity", "fact_mixture_no_id"), seeds=3),
            Block((Data("bazaar", "global-time"),), _rows("id_unit", "words_mixture_quiet"), sizes=_DROPOUT, seeds=3),
            Block(_WRITINGS, _rows("id_unit"), sizes=_DROPOUT, seeds=2),
            Block(_WORLDS, _STRONGEST | _rows("popularity", "fact_mixture_no_id"), seeds=1),
            Block(_WORLDS, _rows("id_unit", "words_mixture_quiet"), sizes=_DROPOUT, seeds=1),
            Block(
                _WRITINGS,
                _rows("popularity", "words_mixture_quiet", "words_both_mixture", "dmesr_views", "views_text_only",
                      "views_no_alignment", "views_no_fusion"),
                seeds=2,
            ),
            Block((Data("movielens"),), _STRONGEST | _rows("popularity", "id_unit", "words_mixture_quiet"), seeds=3),
            Block((Data("movielens"),), _rows("id_unit", "words_mixture_quiet"), sizes=_DROPOUT, seeds=3),
        ),
    ),
    Grid(
        "views_fewer",
        "fewer shoppers: where does it pay? (SASRec)",
        (
            *(_fewer(name, share, _STRONGEST | _rows("popularity"), {}, 1) for name, share in _SHARES),
            *(_fewer(name, share, _rows("id_unit", "words_mixture_quiet"), _DROPOUT, 1) for name, share in _SHARES),
        ),
    ),
    Grid(
        "losses", "four losses (SASRec by ID)", (Block((Data("bazaar"),), _rows("id_only"), trains=_LOSSES, seeds=3),)
    ),
    _quality("beauty", "Amazon Beauty"),
    _quality("toys", "Amazon Toys"),
    Grid(
        "losses_beauty",
        "four losses on a catalogue ten times as large (SASRec by ID)",
        (Block((Data("beauty"),), _rows("id_only"), trains=_LOSSES, seeds=1),),
    ),
)
GRIDS: dict[str, Grid] = {grid.name: grid for grid in _ALL}


def get(name: str, profile: str = "cpu") -> Grid:
    """The grid called `name`; in profile `smoke` with the smallest Bazaar, two epochs and at most two seeds.

    Raises:
        SettingsError: an unknown name.
    """
    if name not in GRIDS:
        raise SettingsError(f"unknown grid {name!r}: choose one of {', '.join(GRIDS)}")
    grid = GRIDS[name]
    if profiles.get(profile).name != "smoke":
        return grid
    blocks = tuple(replace(block, seeds=2 if block.seeds > 3 else 1) for block in grid.blocks)
    return replace(grid, blocks=blocks, epochs=profiles.get("smoke").max_epochs, mini=True)


def whole(grid: Grid, profile: str = "cpu") -> list[Grid]:
    """The grids that have jobs of their own: the parts of this one, or itself."""
    return [get(part, profile) for part in grid.parts] or [grid]


def only_on(grid: Grid, data: str) -> Grid:
    """The part of a grid that is about one data set."""
    blocks = (replace(block, data=tuple(d for d in block.data if d.name == data)) for block in grid.blocks)
    return replace(grid, blocks=tuple(block for block in blocks if block.data))
