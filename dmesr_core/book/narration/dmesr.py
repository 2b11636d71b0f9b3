"""Sentences of chapter 6: how DMESR compares with other models, and what each of its parts adds."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dmesr_core.book.narration.verdicts import Difference, choose


def compared(change: Difference) -> str:
    """The verdict on a model, from its difference to another one."""
    return choose(
        change,
        better="better, and the interval leaves zero out",
        worse="worse, and the interval leaves zero out",
        undecided="not shown to be better or worse: the interval holds zero",
    )


def without_part(change: Difference) -> str:
    """The verdict on a part of the model, from the difference that removing it makes, with the numbers."""
    words = choose(
        change,
        better="does not earn its place here: without it the score rises",
        worse="earns its place: without it the score falls",
        undecided="is not shown to matter here: the interval holds zero",
    )
    return f"{words} ({change.diff:+.3f}, 95% interval {change.low:+.3f} to {change.high:+.3f})"


def with_alternative(change: Difference) -> str:
    """The verdict on another way to do the same, from the difference that it makes, with the numbers."""
    return f"{compared(change)} ({change.diff:+.3f}, {change.low:+.3f} to {change.high:+.3f})"


def road(covered: Mapping[str, float], share_of_oracle: float) -> str:
    """How far the models get on the road from popularity to the ceiling.

    Args:
        covered: variant -> share of the road; empty where the ceiling is not known.
        share_of_oracle: of what the fact oracle gains over ID only, the share that DMESR gains; nan where it gains
            nothing.
    """
    if not covered:
        return "This data has no known ceiling and no known facts, so the figure's road ends at its best model."
    sentence = (
        f"ID only covers {covered['id_only']:.0%} of the road from popularity to the ceiling, "
        f"DMESR {covered['dmesr']:.0%}, and the fact oracle {covered['fact_oracle']:.0%}."
    )
    if math.isfinite(share_of_oracle):
        sentence += f" So of what the true facts add to ID only, DMESR adds {share_of_oracle:.0%}."
    return sentence


def cold_items(ndcg: Mapping[str, float]) -> str:
    """How the models do on items that training never saw.

    Args:
        ndcg: variant -> NDCG@10 on cold items, with "ceiling" where it is known; empty without such test cases.
    """
    if not ndcg:
        return "No test case asks for a cold item here."
    sentence = f"On cold items alone ID only has {ndcg['id_only']:.3f}, DMESR {ndcg['dmesr']:.3f}"
    sentence += f" and the raw vectors {ndcg['raw']:.3f}"
    sentence += f", where the ceiling is {ndcg['ceiling']:.3f}." if "ceiling" in ndcg else "."
    if ndcg["raw"] > ndcg["dmesr"]:
        sentence += " The plain way does better there."
    return sentence


def repeated(identical: bool) -> str:
    """What a second training with the same seed gives."""
    return "the same metrics, to the last bit" if identical else "metrics that differ in the last bits"


def best_rank(rank: float | None) -> str:
    """Where the best possible predictor puts the target; None where it is not known."""
    if rank is None:
        return "Nobody can compute it for this data."
    return f"Here it can be computed: the best possible predictor puts it at rank {rank:.0f}."
