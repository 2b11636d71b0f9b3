"""What a study of several backbones and data sets shows, in the words of chapter 7."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dmesr_core.book.narration.verdicts import Difference, by_verdict
from dmesr_core.experiments.budget import LongerTraining
from dmesr_core.experiments.contrasts import Interval
from dmesr_core.experiments.records import RunRecord
from dmesr_core.experiments.repeat import same_ranks
from dmesr_core.experiments.study import BACKBONE_NAMES, DATA_TITLES, VARIANT_NAMES, Cell, DataSplit

Backbones = Mapping[DataSplit, Sequence[str]]  # data set and split -> backbones that have all contenders there
PLANNED = tuple(DATA_TITLES)[:4]  # data sets of the book
_IN_A_SENTENCE = VARIANT_NAMES | {"id_unit": "ID vectors of one length", "dmesr_unit": "DMESR of one length"}


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
            words.append(_place(at) + (f" ({', '.join(names)})" if len(names) < len(some) else ""))
    return "; ".join(words)


def score_story(scores: Mapping[Cell, Interval], popularity: Mapping[DataSplit, Interval]) -> str:
    """How often who has the highest mean, and who is not above popularity; the most frequent first."""
    best: dict[tuple[DataSplit, str], Cell] = {}
    for key, score in scores.items():
        if key[:2] not in best or score[0] > scores[best[key[:2]]][0]:
            best[key[:2]] = key
    below = [key for key, score in scores.items() if score[0] <= popularity[key[0]][0]]
    return (
        f"The highest mean in {len(best)} combinations of data and backbone belongs to {_counted(best.values())}"
        + (f"; not above popularity: {_counted(below)}." if below else ", and every contender is above popularity.")
    )


def lead(gains: Mapping[Cell, Difference], backbones: Backbones) -> str:
    """How often DMESR is clearly ahead of each opponent, and where it is clearly behind; not empty.

    Args:
        gains: DMESR minus a variant, which the name of the comparison says.
    """
    found = _by_name(gains)
    first, *others = [(_IN_A_SENTENCE[name], some) for name, some in found.items()]
    ahead = [f"ahead of {first[0]} in {_better(first[1])} combinations of data and backbone"]
    ahead += [f"of {name} in {_better(some)}" for name, some in others]
    behind = [
        f"{_IN_A_SENTENCE[name]} on {where(worse, backbones)}"
        for name, some in found.items()
        if (worse := by_verdict(some)["worse"])
    ]
    lost = f"clearly behind {' and '.join(behind)}" if behind else "nowhere clearly behind"
    return f"{_enumerated(ahead)}; it is {lost}"


def clear_by_data(gains: Mapping[Cell, Difference]) -> str:
    """In how many comparisons on each data set the first is clearly better."""
    places = dict.fromkeys(at for at, _, _ in gains)
    return _enumerated(
        f"{_better({key: gain for key, gain in gains.items() if key[0] == at})} on {_place(at)}" for at in places
    )


def stronger_story(
    plain: Mapping[Cell, Difference], against: Mapping[Cell, Difference], equal: Mapping[Cell, Difference],
    backbones: Backbones,
) -> str:  # fmt: skip
    """What ID vectors of one length leave of DMESR's lead.

    Args:
        plain: DMESR minus plain ID vectors; against: minus those of one length; equal: one length on both sides.
    """
    behind = [key for some in (against, equal) for key in by_verdict(some)["worse"]]
    return (
        f"DMESR is clearly ahead of plain ID vectors in {_better(plain)} combinations of data and backbone, of ID "
        f"vectors of one length in {_better(against)}, and with vectors of one length itself in {_better(equal)}; it "
        + (f"is clearly behind those on {where(behind, backbones)}." if behind else "is nowhere clearly behind those.")
    )


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


def longer_story(longer: LongerTraining, backbones: Backbones) -> str:
    """DMESR against its opponents with more epochs for all."""
    if not longer.gains:
        return "More epochs were tried on the Bazaar only."
    return f"With twice the epochs for all, DMESR is clearly {lead(longer.gains, backbones)}."


def decay_story(decays: Mapping[tuple[str, str], Mapping[float, float]], shared: float) -> str:
    """How much the shared weight decay costs ID only, and the model that it suits least."""
    if not decays:
        return "Other weight decays were tried on the Bazaar only."
    cost = {key: max(scores.values()) - scores[shared] for key, scores in decays.items()}
    backbone, variant = most = max(cost, key=lambda key: cost[key])
    by_id = max(c for (_, name), c in cost.items() if name == "id_only")
    return (
        f"Against the best of those tried, the shared weight decay, {shared:g}, costs ID only at most {by_id:.3f}, and "
        f"no model more than {cost[most]:.3f} ({_IN_A_SENTENCE[variant]} with {BACKBONE_NAMES[backbone]})."
    )


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


def _place(at: DataSplit) -> str:
    """A data set within a sentence: the Bazaars have an article."""
    return ("the " if "Bazaar" in DATA_TITLES[at] else "") + DATA_TITLES[at]


def _by_name(changes: Mapping[Cell, Difference]) -> dict[str, dict[Cell, Difference]]:
    """Comparisons by their names."""
    found: dict[str, dict[Cell, Difference]] = {}
    for key, change in changes.items():
        found.setdefault(key[2], {})[key] = change
    return found


def _better(changes: Mapping[Cell, Difference]) -> str:
    return f"{len(by_verdict(changes)['better'])} of {len(changes)}"


def _counted(cells: Iterable[Cell]) -> str:
    """How often each contender is among the cells, the most frequent first; at least one."""
    counts = Counter(_IN_A_SENTENCE[name] for _, _, name in cells)
    return _enumerated(f"{name} ({n})" for name, n in counts.most_common())


def _enumerated(parts: Iterable[str]) -> str:
    """With commas, and "and" before the last; at least one."""
    *some, last = parts
    return f"{', '.join(some)} and {last}" if some else last
