"""Cold items in words: whether they are known, and whether they are offered."""

from __future__ import annotations

from collections.abc import Mapping

from dmesr_core.book.narration.verdicts import Difference, verdict, with_interval

NONE = "No test case asks for a cold item here."
AMONG_COLD, OFFERED = "only cold items compete", "cold items among the first ten"  # columns of the table


def story(scores: Mapping[str, Mapping[str, float]], gain: Difference) -> str:
    """Whether DMESR tells cold items apart, and how many of them it offers.

    Args:
        scores: label of a model ("DMESR", and "ceiling" where it is known) -> column -> value.
        gain: of DMESR over ID only among cold items.
    """
    ours, ceiling = scores["DMESR"], scores.get("ceiling")
    text = (
        f"Among cold items alone, DMESR's NDCG@10 is {ours[AMONG_COLD]:.3f}, that is {with_interval(gain, '+.3f')} "
        f"over ID only, which must guess. In its first ten places, {ours[OFFERED]:.1%} are cold items"
    )
    if ceiling is None:
        return text + "."
    text += f"; with the ceiling it is {ceiling[OFFERED]:.1%}."
    hidden = ours[OFFERED] < 0.5 * ceiling[OFFERED]
    return text + (
        " So it can tell new items apart, and hardly offers them." if verdict(gain) == "better" and hidden else ""
    )


def total_change(changes: Mapping[str, Difference], share_of_cold: float) -> float:
    """Change over all cases, from those of cold targets and of all others, in this order."""
    return sum(c.diff * w for c, w in zip(changes.values(), (share_of_cold, 1 - share_of_cold), strict=True))


def stretching(length_ratio: float, changes: Mapping[str, Difference], total: float) -> str:
    """What changes when the vectors of cold items are made as long as the others.

    Args:
        length_ratio: mean length of cold vectors, divided by that of the others.
        changes: kind of case -> change of NDCG@10.
    """
    parts = ", ".join(f"{with_interval(change)} for {group}" for group, change in changes.items())
    return (
        f"DMESR's vectors of cold items are {length_ratio:.2f} times as long as the others. "
        f"Made as long as those, NDCG@10 changes by {parts}. Over all cases that is {total:+.4f}."
    )
