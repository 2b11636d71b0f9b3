"""What a study of several backbones and data sets shows, in the words of chapter 7."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from dmesr_core.book.narration.verdicts import Difference, by_verdict, listed, verdict, with_interval
from dmesr_core.data.bazaar.facts import CATEGORIES
from dmesr_core.experiments.budget import LongerTraining
from dmesr_core.experiments.contrasts import Interval
from dmesr_core.experiments.records import RunRecord
from dmesr_core.experiments.repeat import same_ranks
from dmesr_core.experiments.study import BACKBONE_NAMES, DATA_TITLES, VARIANT_NAMES, Cell, DataSplit

Backbones = Mapping[DataSplit, Sequence[str]]  # data set and split -> backbones that have all contenders there
PLANNED = tuple(DATA_TITLES)[:4]  # data sets of the book


def grid_note(backbones: Backbones, own_data: bool, smoke: bool) -> str:
    """What is missing or smaller than planned."""
    notes = []
    missing = [] if own_data else [DATA_TITLES[at] for at in PLANNED if at not in backbones]
    if missing:
        notes.append(f"Of the planned data sets, there are no rows yet for: {', '.join(missing)}.")
    for at, some in backbones.items():
        absent = [name for b, name in BACKBONE_NAMES.items() if b not in some]
        if absent:
            notes.append(f"There are no rows yet with {', '.join(absent)} on {DATA_TITLES[at]}.")
    if own_data:
        notes.append("The data was named from outside, so a smaller grid was trained for this page.")
    if smoke:
        notes.append(
            "This run is a test of the chapter on tiny data (where none was named, a tiny Bazaar stands "
            "in for every data set), and nothing below says anything about the models."
        )
    return " ".join(notes) or "All planned data sets are there."


def where(keys: Iterable[tuple[DataSplit, str] | Cell], backbones: Backbones) -> str:
    """Data sets and backbones in words: a data set alone stands for all its backbones."""
    places = {key[:2] for key in keys}
    words = []
    for at, some in backbones.items():
        names = [BACKBONE_NAMES[b] for b in some if (at, b) in places]
        if names:
            words.append(DATA_TITLES[at] + (f" ({', '.join(names)})" if len(names) < len(some) else ""))
    return "; ".join(words)


def below_popularity(
    scores: Mapping[Cell, Interval], popularity: Mapping[DataSplit, Interval], backbones: Backbones
) -> str:
    """Contenders whose mean is not above popularity's, and where."""
    below: dict[str, list[Cell]] = {}
    for variant in VARIANT_NAMES:
        keys = [key for key, s in scores.items() if key[2] == variant and s[0] <= popularity[key[0]][0]]
        if keys:
            below[variant] = keys
    words = [f"{VARIANT_NAMES[variant]} on {where(keys, backbones)}" for variant, keys in below.items()]
    return " · ".join(words) or "(there is none)"


def wins(scores: Mapping[Cell, Interval]) -> tuple[str, int]:
    """How often each contender has the highest mean, in words, and the number of combinations of data and backbone."""
    best: dict[tuple[DataSplit, str], Cell] = {}
    for key, score in scores.items():
        if key[:2] not in best or score[0] > scores[best[key[:2]]][0]:
            best[key[:2]] = key
    winners = [key[2] for key in best.values()]
    counts = {name: winners.count(variant) for variant, name in VARIANT_NAMES.items()}
    return ", ".join(f"{name} ({n})" for name, n in counts.items() if n), len(best)


def verdicts(gains: Mapping[Cell, Difference], backbones: Backbones, names: Collection[str] | None = None) -> str:
    """In how many comparisons the first is better, worse, or neither, and where it is not better.

    Args:
        names: only comparisons with these names; None: all.
    """
    found = by_verdict({key: gain for key, gain in gains.items() if names is None or key[2] in names})
    better, worse, undecided = found["better"], found["worse"], found["undecided"]
    text = f"better in {len(better)} of {len(better) + len(worse) + len(undecided)}"
    text += f", worse in {len(worse)}" + (f" ({where(worse, backbones)})" if worse else "")
    text += f", and zero is inside in {len(undecided)}"
    return text + (f" ({where(undecided, backbones)})" if undecided else "")


def by_backbone(gains: Mapping[Cell, Difference], at: DataSplit, opponent: str) -> str:
    """The gain over one opponent on one data set, backbone by backbone."""
    return "; ".join(
        f"{BACKBONE_NAMES[key[1]]} {with_interval(gain, '+.3f')}"
        for key, gain in gains.items()
        if (key[0], key[2]) == (at, opponent)
    )


def home_name(at: DataSplit) -> str:
    """A data set within a sentence."""
    return {"Bazaar": "the Bazaar"}.get(DATA_TITLES[at], DATA_TITLES[at])


def home_verdict(gains: Mapping[Cell, Difference], at: DataSplit, opponents: Collection[str]) -> tuple[str, str]:
    """On one data set: how many intervals lie above zero, and whether all do, so that the claim stands."""
    some = {key: gain for key, gain in gains.items() if key[0] == at and key[2] in opponents}
    clear = len(by_verdict(some)["better"])
    count = f"{clear} of {len(some)}"
    if clear < len(some):
        return count, "so even against these two the claim does not stand there as it was made"
    names = dict.fromkeys(BACKBONE_NAMES[key[1]] for key in some)
    return count, f"so against these two the claim stands there, for {' and '.join(names)}"


def seed_note(shares: Iterable[float]) -> str:
    """How much of the variance of a difference comes from the seeds; nan where there is one seed only."""
    known = np.array([share for share in shares if np.isfinite(share)])
    if not known.size:
        return "There is only one seed, so nothing is known about the spread between trainings."
    return (
        f"The spread between seeds makes up {np.median(known):.0%} of the variance of a "
        f"typical difference here, and {known.max():.0%} where it is largest. A handful of "
        "seeds underestimates that part, so an interval in which it is large is too narrow."
    )


def decay_story(decays: Mapping[tuple[str, str], Mapping[float, float]], shared: float) -> str:
    """For whom the shared weight decay is the best of those that were tried, and what the others like."""
    if not decays:
        return "These two checks exist on the Bazaar only."
    best = {
        f"{VARIANT_NAMES[variant]} ({BACKBONE_NAMES[backbone]})": max(scores, key=lambda decay: scores[decay])
        for (backbone, variant), scores in decays.items()
    }
    content = [name for name, decay in best.items() if decay == shared]
    others = [f"{name} likes {decay:g}" for name, decay in best.items() if decay != shared]
    return (
        f"The shared weight decay, {shared:g}, is the best of these for {listed(content, 'nobody')}"
        + (f"; {', '.join(others)}" if others else "")
        + "."
    )


def longer_story(longer: LongerTraining, backbones: Backbones, opponents: Collection[str]) -> str:
    """DMESR against the opponents and against ID vectors of unit length, with more epochs for all."""
    if not longer.gains:
        return "These two checks exist on the Bazaar only."
    return (
        "With twice the epochs, DMESR against the four opponents is "
        f"{verdicts(longer.gains, backbones, opponents)}. Against ID vectors of equal length it is "
        f"{verdicts(longer.gains, backbones, ('id_unit',))}."
    )


def lifted(longer: LongerTraining) -> str:
    """What more epochs add to ID only and to DMESR, backbone by backbone."""
    added = {key: longer.longer[key] - usual for key, usual in longer.usual.items()}
    backbones = dict.fromkeys(backbone for backbone, _ in added)
    words = [
        f"{BACKBONE_NAMES[b]}: {added[b, 'id_only']:+.3f} to ID only, {added[b, 'dmesr']:+.3f} to DMESR"
        for b in backbones
    ]
    return "; ".join(words) or "not tried on this data"


def simple_opponent(duels: Mapping[Cell, Difference], name: str) -> str:
    """In how many comparisons of this name the second was not clearly behind."""
    found = by_verdict({key: duel for key, duel in duels.items() if key[2] == name})
    total = sum(map(len, found.values()))
    return f"were not clearly behind in {total - len(found['better'])} of {total} combinations of data and backbone"


def lost_gains(
    duels: Mapping[Cell, Difference], name: str, gains: Mapping[Cell, Difference], backbones: Backbones
) -> str:
    """Where a gain over ID only is clear, and the comparison of this name undecided."""
    lost = [
        key[:2]
        for key, duel in duels.items()
        if key[2] == name and verdict(duel) != "better" and verdict(gains[key[0], key[1], "id_only"]) == "better"
    ]
    if lost:
        return f"Of the gains over ID only that were clear above, these are no longer clear: {where(lost, backbones)}"
    return "No gain over ID only that was clear above is lost"


def first_rank(average: Mapping[str, Interval]) -> str:
    """The contender with the best average rank."""
    name = min(average, key=lambda contender: average[contender][0])
    return f"{name} (average rank {average[name][0]:.2f})"


def rank_spread(average: Mapping[str, Interval]) -> float:
    """How far the best and the worst average rank lie apart."""
    means = [rank[0] for rank in average.values()]
    return max(means) - min(means)


def again_verdict(stored: Sequence[RunRecord], again: Sequence[RunRecord]) -> str:
    """Whether trainings came out as stored; where they did not, by how much, and what may explain it."""
    pairs = list(zip(stored, again, strict=True))
    if all(same_ranks(old, new) == 1 for old, new in pairs):
        return "every test case has the rank that was stored"
    largest = max(abs(old.metrics["full"]["ndcg@10"] - new.metrics["full"]["ndcg@10"]) for old, new in pairs)
    reason = "The stored rows were made by an earlier state of this code, which may explain it"
    if all(record.made_by_this_code for record in stored):
        reason = (
            "Another machine, another version of a library or another order of additions changes "
            "the last bits, and training makes them larger"
        )
    return f"the largest difference in NDCG@10 is {largest:.4f}. {reason}"


def product_names(answers: Iterable[str]) -> int:
    """How many answers name a kind of product of the Bazaar."""
    return sum(any(category in text.lower() for category in CATEGORIES) for text in answers)
