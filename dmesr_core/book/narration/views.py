"""Sentences on learned words and the mixture of views: whom DMESR leads, what its parts cost, which view does what."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, by_verdict, choose, listed, with_interval
from dmesr_core.data.bazaar.reasons import LOOK, REASONS, SERIES
from dmesr_core.evaluation.results import Result

_OURS, _ALL = "dmesr_views", "all purchases"
_ONE_AWAY = {"views_no_words": "giving up the words alone", "views_one_softmax": "giving up the mixture alone",
             "views_loud_id": "giving up the quiet ID vector alone"}  # fmt: skip
_MANY = 3  # more than so many names are counted, not listed
NAMES = {  # variant -> its name in a sentence
    "id_unit": "ID vectors of one length",
    "id_mixture": "a mixture on ID vectors alone",
    "raw": "the MLLM's raw vectors",
    "llm_esr": "the LLM-ESR-like model",
    "llm_emb": "the LLMEmb-like model",
    "words": "the bag of words",
    "words_unit": "the bag of words with ID, of one length",
    "words_mixture": "the mixture on words",
    "words_both_mixture": "the mixture on the words of text and picture",
    "raw_mixture": "the mixture on the MLLM's raw vectors",
    "dmesr": "the DMESR of chapter 6",
    "fact_oracle": "the fact oracle",
    "fact_mixture": "the mixture on the true facts",
}


def table(
    results: Mapping[str, Result], gains: Mapping[str, Difference], labels: Mapping[str, str],
    settings: Mapping[str, str],
) -> pd.DataFrame:  # fmt: skip
    """One row per variant: its settings, NDCG@10 over all cases, and what ours has more."""
    rows = {
        labels[name]: {
            "settings": settings.get(name, ""),
            "NDCG@10": f"{result.mean()['ndcg@10']:.4f}",
            "ours has more": with_interval(gains[name]) if name in gains else "",
        }
        for name, result in results.items()
        if name in labels
    }
    return pd.DataFrame(rows).T


def lead(gains: Mapping[str, Difference]) -> str:
    """How many others DMESR is ahead of, which it is not told apart from, and which are ahead of it."""
    found = by_verdict({NAMES[name]: gain for name, gain in gains.items()})
    better, rest = found["better"], found["undecided"] + found["worse"]
    parts = []
    if better:
        many = f"{len(better)} of {len(gains)} others" if rest else f"all {len(gains)} others"
        parts.append(f"is ahead of {many if len(better) > _MANY else listed(better)}")
    if found["undecided"]:
        parts.append(f"is not told apart from {listed(found['undecided'])}")
    if found["worse"]:
        parts.append(f"is behind {listed(found['worse'])}")
    return "; ".join(parts)


def against(gain: Difference | None) -> str:
    """The difference to one opponent in words and numbers."""
    if gain is None:
        return "not compared here"
    return f"{choose(gain, 'ahead', 'behind', 'not told apart')} ({with_interval(gain)})"


def on_cases(results: Mapping[str, Result], mask: np.ndarray) -> dict[str, float]:
    """Variant -> NDCG@10 on the cases of the mask (C,); empty where there are none."""
    if not mask.any():
        return {}
    return {name: float(result.where(mask, "").mean()["ndcg@10"]) for name, result in results.items()}


def cold(scores: Mapping[str, float], warm: Mapping[str, float]) -> str:
    """How well items without purchases are recommended, beside items with some.

    Args:
        scores: variant -> NDCG@10 on cold cases, with ours; warm: of ours on all other cases. Empty: no such case.
    """
    if not scores or not warm:
        return "No test case asks for a cold item here."
    ours, beside = scores[_OURS], warm[_OURS]
    share = f", {ours / beside:.0%} of what it reaches on the others ({beside:.3f})" if beside > 0 else ""
    rest = ", ".join(f"{NAMES[name]} {score:.3f}" for name, score in scores.items() if name != _OURS)
    return f"DMESR has an NDCG@10 of {ours:.3f} on cold items{share}; beside it: {rest}."


def cold_parts(scores: Mapping[str, float]) -> str:
    """Which parts make a model offer cold items; `scores`: variant of the ablation -> NDCG@10 on cold cases."""
    if not scores:
        return "No test case asks for a cold item here."
    without = {
        "views_no_words": "without learned words",
        "views_one_softmax": "without a mixture",
        "views_loud_id": "with the ID vector of chapter 6",
        "dmesr": "with none of the three",
    }
    said = ", ".join(f"{scores[name]:.3f} {words}" for name, words in without.items() if name in scores)
    return f"NDCG@10 on cold items is {scores[_OURS]:.3f} with all three parts; {said}."


def need_each_other(costs: Mapping[str, Difference]) -> str:
    """Whether one part taken away does more harm than all three; `costs`: variant of the ablation minus ours."""
    worse = [words for name, words in _ONE_AWAY.items() if name in costs and costs[name].diff < costs["dmesr"].diff]
    if not worse:
        return "No part taken away alone costs more than all three together."
    return (
        f"Mind that parts need each other: {listed(worse)} costs more than giving up all three, as in chapter 6. So "
        "the three differences are no shares of one gain."
    )


def road_shares(ndcg: Mapping[str, float]) -> dict[str, float]:
    """Variant -> share of the road from popularity to the ceiling; empty where no ceiling is known."""
    if "ceiling" not in ndcg:
        return {}
    start, end = ndcg["popularity"], ndcg["ceiling"]
    return {name: (score - start) / (end - start) for name, score in ndcg.items()}


def rest_of_the_road(shares: Mapping[str, float]) -> str:
    """How far along the road the models get; `shares`: as `road_shares`."""
    if not shares:
        return "Nobody knows the ceiling of this data."
    best = max(shares["fact_oracle"], shares["fact_mixture"])
    return (
        f"Of the road from popularity to the ceiling the DMESR of chapter 6 covers {shares['dmesr']:.0%}, "
        f"this one {shares[_OURS]:.0%}, and the better of the two fact oracles {best:.0%}. What is left is known "
        "to the ceiling alone: each shopper's hidden type, the day on which an item was launched, the numbers of the "
        "process. A model has to learn them from a few thousand histories."
    )


def sparse_intro(n_data: int) -> str:
    """What the second table is about."""
    if n_data == 1:
        return "Here is one data set only, so this is its table again:"
    return "Here are four times as many items, and as many shoppers as before:"


def advice(gains: Mapping[str, Difference]) -> str:
    """What to try first on data like these, from whom DMESR is ahead of; true facts are nobody's option."""
    found = by_verdict({NAMES[name]: gain for name, gain in gains.items() if not name.startswith("fact")})
    if found["worse"]:
        return f"DMESR is not the one to take: {listed(found['worse'])} did better"
    if found["undecided"]:
        return f"try the simpler first: DMESR is not shown to be ahead of {listed(found['undecided'])}"
    return "DMESR is worth it: it is ahead of everything that it was compared with"


def mixing(changes: Mapping[str, Difference]) -> str:
    """Whether a mixture helps models other than DMESR; `changes`: variant -> mixed minus unmixed."""
    named = {"words": "words", "fact_oracle": "the true facts", "id_unit": "ID vectors"}
    said = [f"{named[name]} {choose(change, 'gain', 'lose', 'are not shown to change')} ({with_interval(change)})"
            for name, change in changes.items()]  # fmt: skip
    return "; ".join(said) or "not compared here"


def price(ours: float | None, by_id: float | None) -> str:
    """What an epoch of ours costs beside one of ID vectors; in seconds."""
    if not ours or not by_id:
        return "What it costs was not measured here."
    return (
        f"An epoch of DMESR with words and mixture took {ours / by_id:.1f} times as long as one of ID vectors (medians "
        "over the trainings of this table, several of them side by side on one machine: no more than a rough measure)."
    )


VIEWS = ("the whole item, with its ID", "the picture", "the text")  # in the order of the mixture's softmaxes


def shares_by_reason(view_shares: np.ndarray, chances: np.ndarray | None) -> dict[str, dict[str, float]]:
    """Reason -> view -> mean share of the view in explaining what was bought for that reason.

    Args:
        view_shares: (C, 3), each row sums to 1; chances: (C, R) of each reason; None where reasons are not known: then
            there is one row for all cases.
    """
    if chances is None:
        return {_ALL: dict(zip(VIEWS, view_shares.mean(0).tolist(), strict=True))}
    means = (chances / chances.sum(0)).T @ view_shares  # (R, 3)
    return {reason: dict(zip(VIEWS, row.tolist(), strict=True)) for reason, row in zip(REASONS, means, strict=True)}


def purchases_by_reason(chances: np.ndarray | None, n: int) -> dict[str, int]:
    """Reason -> expected number of the `n` purchases that were made for it."""
    if chances is None:
        return {_ALL: n}
    return {reason: round(total) for reason, total in zip(REASONS, chances.sum(0).tolist(), strict=True)}


def division_of_labour(rows: Mapping[str, Mapping[str, float]]) -> str:
    """How the softmaxes divide the purchases between them."""
    if len(rows) < 2:
        return "Reasons are known in the Bazaar only."
    whole = {reason: row[VIEWS[0]] for reason, row in rows.items()}
    said = ", ".join(f"{share:.0%} where the reason is “{reason}”" for reason, share in whole.items())
    text = f"The softmax of the whole item gives {said}; the views give the rest."
    pulled, others = [whole[SERIES], whole[LOOK]], [whole[reason] for reason in whole if reason not in (SERIES, LOOK)]
    if min(pulled) > 0.5 > max(others):
        text += " So one softmax took what goes with the last purchase, by series or look, and the others took taste."
    return text
