"""Cold items in words: whether they are known, and whether they are offered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from dmesr_core.book.narration.verdicts import Difference, choose, verdict, with_interval
from dmesr_core.evaluation.cold_items import Stretched

_NONE = "No test case asks for a cold item here."
AMONG_COLD, OFFERED = "only cold items compete", "cold items among the first ten"  # columns of the table


def table(rows: Mapping[str, Mapping[str, float]]) -> Styler:
    """Label of a model -> column -> value, as a table; without cold cases it is empty."""
    frame = pd.DataFrame(rows).T.rename_axis("NDCG@10 of cold targets, and what is offered")
    return frame.style.format("{:.3f}", na_rep="")


def numbers(scores: Mapping[str, Mapping[str, float]], stretched: Stretched | None) -> dict[str, Any]:
    """Name in the chapter's file of numbers -> value; empty where no test case asks for a cold item."""
    if stretched is None:
        return {}
    return {"cold": scores, "stretched": stretched.changes, "stretched_total": stretched.total}


def story(scores: Mapping[str, Mapping[str, float]], gain: Difference | None) -> str:
    """Whether DMESR tells cold items apart, and how many of them it offers.

    Args:
        scores: label of a model ("DMESR", and "ceiling" where it is known) -> column -> value.
        gain: of DMESR over ID only among cold items; None: no test case asks for one.
    """
    if gain is None:
        return _NONE
    ours, ceiling = scores["DMESR"][OFFERED], scores.get("ceiling")
    knows = choose(
        gain,
        "DMESR tells cold items apart",
        "DMESR tells cold items apart less well than a guess",
        "DMESR is not shown to tell cold items apart",
    )
    among = f"where they compete alone, {with_interval(gain, '+.3f')} over ID only, which must guess"
    offers = f"they are {ours:.1%} of its first ten places"
    if ceiling is not None:
        offers += f", with the ceiling {ceiling[OFFERED]:.1%}"
        if verdict(gain) == "better" and ours < 0.5 * ceiling[OFFERED]:
            return f"{knows} ({among}) and hardly offers them: {offers}."
    return f"{knows} ({among}); {offers}."


def stretching(found: Stretched | None) -> str:
    """What changes when the vectors of cold items are made as long as the others; None: no case asks for one."""
    if found is None:
        return _NONE
    parts = " and ".join(f"{with_interval(change)} for {group}" for group, change in found.changes.items())
    return (
        f"DMESR's vectors of cold items are {found.length_ratio:.2f} times as long as the others; made as long as "
        f"those, NDCG@10 changes by {parts}, over all cases by {found.total:+.4f}."
    )
