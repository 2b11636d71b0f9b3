"""Gains by group of test cases, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dmesr_core.book.narration.verdicts import Difference, choose, verdict, with_interval
from dmesr_core.evaluation.groups import ALL

BY_TARGET = ("head", "tail", "cold")  # these three make up all cases


def gains(changes: Mapping[str, Difference], groups: Iterable[str]) -> str:
    """Better, worse or undecided in each group."""
    return "; ".join(
        f"{choose(changes[g], 'better', 'worse', 'not told apart')} on {g} ({with_interval(changes[g])})"
        for g in groups
    )


def composition(changes: Mapping[str, Difference], sizes: Mapping[str, int], n_cases: int) -> str:
    """How much of the difference over all cases comes from head, tail and cold targets."""
    parts = ", ".join(
        f"{changes[g].diff * sizes[g] / n_cases:+.4f} from {g} ({sizes[g] / n_cases:.0%} of the cases)"
        for g in BY_TARGET
        if g in sizes
    )
    whole = changes[ALL]
    unclear = ", which is not told apart from zero" if verdict(whole) == "undecided" else ""
    return f"Over all cases the difference is {with_interval(whole)}{unclear}. It is made up of {parts}."


def oracle(scores: Mapping[str, Mapping[str, Sequence[float]]], models: Sequence[str], of_facts: str) -> str:
    """In which groups the fact oracle scores higher than the best of the models.

    Args:
        scores: label -> group -> mean with interval.
        models: labels; of_facts: label of the oracle.
    """
    if of_facts not in scores:
        return "Facts are not known for this data, so there is no oracle to compare with"
    ahead = [g for g, of in scores[of_facts].items() if max(scores[m][g][0] for m in models) >= of[0]]
    where = f"all groups but {', '.join(ahead)}" if ahead else "every group"
    return f"The fact oracle, which is told the truth, has a higher mean than DMESR of either kind in {where}"
