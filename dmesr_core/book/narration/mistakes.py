"""Mistakes in words and tables: where two models disagree, what luck has to do with it, and why things were bought."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from dmesr_core.data.bazaar.reasons import REASONS, why
from dmesr_core.data.datasets import Dataset
from dmesr_core.data.sequences import Cases, Split
from dmesr_core.evaluation.disagreements import OURS, THEIRS, mean_chances, share_foreseen
from dmesr_core.evaluation.ranking import Ranks

Masks = Mapping[str, np.ndarray]  # kind of case -> (C,) bool
Shares = Mapping[str, Mapping[str, float]]
_FORESEEING = {"id_only": "ID only", "dmesr": "DMESR", "ceiling": "ceiling"}  # model -> label, in the order of tables


def table(kinds: Masks, split: Split, ceiling_right: np.ndarray | None = None) -> dict[str, dict]:
    """Column -> kind of case -> value, ready for `pd.DataFrame`.

    Args:
        ceiling_right: (C,) bool, whether the ceiling is right, where it is known.
    """

    def column(values: np.ndarray, summary, fmt: str) -> dict[str, str]:
        return {kind: f"{summary(values[mask]):{fmt}}" if mask.any() else "" for kind, mask in kinds.items()}

    purchases = split.train_counts[split.test.targets]
    columns: dict[str, dict] = {
        "cases": {kind: int(mask.sum()) for kind, mask in kinds.items()},
        "cold targets": column(purchases == 0, np.mean, ".0%"),
        "median purchases of the target in training": column(purchases, np.median, ".0f"),
        "median length of history": column(split.test.histories.lengths, np.median, ".0f"),
    }
    if ceiling_right is not None:
        columns["the ceiling is right"] = column(ceiling_right, np.mean, ".0%")
    return columns


def luck(disagreement: float | None, counts: Mapping[str, int]) -> str:
    """How many disagreements may be the luck of a training.

    Args:
        disagreement: mean number of cases in which one training is right and another, with another seed, is wrong;
            None: there is one training only.
        counts: kind of case -> number.
    """
    if disagreement is None:
        return "With a single training of each, nobody can say how many of these cases are the luck of that training."

    def beside(kind: str) -> str:
        n = counts[kind]
        return "more than that" if n > disagreement else "fewer than that" if n < disagreement else "as many as that"

    return (
        "Two trainings of DMESR that differ in nothing but the seed disagree as well: "
        f"on average the one is right where the other is wrong in {disagreement:,.0f} cases. "
        "So many may be the luck of a training. "
        f"The cases that only the ID model foresees are {beside(THEIRS)}; "
        f"those that only DMESR foresees are {beside(OURS)}."
    )


def hopeless(ours: np.ndarray, ceiling_right: np.ndarray | None) -> tuple[float | str, str]:
    """Share of our misses that the ceiling misses, too, and its format; a text where there is no ceiling.

    Args:
        ours, ceiling_right: (C,) bool.
    """
    if ceiling_right is None:
        return "An unknown share", ""
    return float((~ceiling_right)[~ours].mean()) if (~ours).any() else 0.0, ".0%"


def hopeless_note(ceiling_is_known: bool) -> str:
    """What the share of hopeless cases is a share of."""
    if ceiling_is_known:
        return "of DMESR's misses are missed by the ceiling as well, which knows the whole process"
    return "of DMESR's misses could not have been foreseen by anybody: this data has no known ceiling"


def heading(kind: str, case: int, ranks: Mapping[str, Ranks], chances: np.ndarray | None) -> str:
    """The line above a case: who is right, the ranks, and the most probable reason.

    Args:
        ranks: "dmesr" and "id_only" -> ranks of all cases.
        chances: (C, R) of each reason, where they are known.
    """
    ours, theirs = (f"{ranks[name].rank[case]:.0f}" for name in ("dmesr", "id_only"))
    text = f"{kind}: rank {ours} for DMESR, {theirs} for ID only"
    if chances is not None:
        most = int(chances[case].argmax())
        text += f" · {REASONS[most]} ({chances[case][most]:.0%})"
    return text


def item(dataset: Dataset, k: int) -> str:
    """Item `k` in a few words: its facts where they are known, else its title."""
    if dataset.world is None:
        return dataset.require_catalogue().item(k).title
    facts = dataset.world.facts.of(k - 1)
    return f"{facts['pattern']} {facts['colour']} {facts['category']}, {facts['series']}"


def by_reason(chances: np.ndarray) -> dict[str, float]:
    """Reason -> chance; chances (R,)."""
    return dict(zip(REASONS, chances.tolist(), strict=True))


def chances_of_reasons(dataset: Dataset, cases: Cases) -> np.ndarray | None:
    """Probability of each reason for each purchase, (C, R); None where reasons are not known."""
    return None if dataset.world is None else why(dataset.world.process, cases)


def reasons_by_kind(chances: np.ndarray | None, kinds: Masks) -> dict[str, dict[str, float]]:
    """Kind of case -> reason -> mean chance; empty where reasons are not known, `chances` being None."""
    if chances is None:
        return {}
    return {kind: by_reason(mean) for kind, mean in mean_chances(chances, kinds).items()}


def reasons(chances: np.ndarray | None, by_kind: Shares) -> str:
    """Why things were bought, and in which reasons the two kinds of disagreement differ most.

    Args:
        chances: (C, R) of all cases; None where reasons are not known.
        by_kind: as `reasons_by_kind` gives it.
    """
    if chances is None:
        return "Why things are bought is known in the Bazaar only."
    overall = by_reason(chances.mean(0))
    text = f"Over all cases: {', '.join(f'{name} {value:.0%}' for name, value in overall.items())}."
    if OURS not in by_kind or THEIRS not in by_kind:
        return text
    ours, theirs = by_kind[OURS], by_kind[THEIRS]
    lead = {r: ours[r] - theirs[r] for r in overall}
    up, down = max(lead, key=lambda r: lead[r]), min(lead, key=lambda r: lead[r])
    return (
        f"{text} The two kinds of disagreement differ most in these: cases that only DMESR foresees are more often "
        f"“{up}” ({ours[up]:.0%} against {theirs[up]:.0%}), cases that only the ID model foresees "
        f"more often “{down}” ({theirs[down]:.0%} against {ours[down]:.0%})."
    )


def foreseen_by_reason(
    chances: np.ndarray | None, right: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]] | None:  # fmt: skip
    """Reason -> label of a model -> share of the purchases with this reason that it foresees.

    Args:
        chances: (C, R); None where reasons are not known: there are no such shares then.
        right: "id_only", "dmesr" and "ceiling" -> (C,) bool.
    """
    if chances is None:
        return None
    shares = {label: by_reason(share_foreseen(chances, right[name])) for name, label in _FORESEEING.items()}
    return {reason: {label: shares[label][reason] for label in shares} for reason in REASONS}


def foreseen_table(foreseen: Shares | None) -> Styler:
    """What `foreseen_by_reason` gives, as a table; where it is None, there is one row that says why."""
    rows = {"this needs the Bazaar": dict.fromkeys(_FORESEEING.values(), 0.0)} if foreseen is None else foreseen
    return pd.DataFrame(rows).T.rename_axis("share that is among the first ten").style.format("{:.0%}")


def farthest_from_ceiling(table: Shares | None) -> str:
    """The reason at which DMESR is farthest from the ceiling; `table` as `foreseen_by_reason` gives it."""
    if table is None:
        return "Without the process behind the log there is nothing to compare with."
    worst = max(table, key=lambda reason: table[reason]["ceiling"] - table[reason]["DMESR"])
    return (
        f"The largest distance from DMESR to the ceiling is at “{worst}”: {table[worst]['DMESR']:.0%} against "
        f"{table[worst]['ceiling']:.0%}. A next idea could look there."
    )
