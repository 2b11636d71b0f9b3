"""Chapter 3 in words: which model describes which items, and what its descriptions and vectors hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd


def run_note(data: str, n_items: int, mllm: str, facts_known: bool) -> str:
    """What this run uses, and which of its checks are left out.

    Args:
        data: name of the data set; mllm: "tiny" for the model that comes with the package, or another name.
    """
    tiny = mllm == "tiny"
    who = "the tiny MLLM that comes with this book" if tiny else f"the model {mllm}"
    note = f"In this run {who} looks at {n_items:,} items of the data set {data}."
    if tiny and not facts_known:
        note += " It was trained on drawn products of the Bazaar only: it does not understand these pictures,"
        note += " and what it says about them is wrong. The numbers below show what that looks like."
    if not facts_known:
        note += " The true facts about these items are not known, so every check against the truth is left out."
    return note


def named_facts(picture: Mapping[str, float] | None, text: Mapping[str, float] | None) -> str:
    """Which facts most descriptions name, and which neither view does.

    Args:
        picture, text: fact -> share of the items whose description names it; None or empty if facts are not known.
    """
    if not picture or not text:
        return "The facts about these items are not known, so there is nothing to count."
    in_picture, in_text = ([fact for fact in shares if shares[fact] > 0.5] for shares in (picture, text))
    neither = [fact for fact in picture if fact not in in_picture + in_text]
    return (
        f"Most descriptions of pictures name {_enumerated(in_picture)}. "
        f"Most summaries of words name {_enumerated(in_text)}. Neither usually names {_enumerated(neither)}."
    )


def series_probe(accuracy: Mapping[str, float] | None) -> str:
    """From which vectors a linear probe reads the series.

    Args:
        accuracy: "picture", "text" and "fine (mean)" -> accuracy; None or empty if the facts are not known.
    """
    if not accuracy:
        return "Where the series is not known, there is nothing to probe here."
    sentence = (
        f"The series can be read off the picture vector for {accuracy['picture']:.0%} of the items, off the"
        f" text vector for {accuracy['text']:.0%}, and off the fine states for {accuracy['fine (mean)']:.0%}."
    )
    fine_is_best = max(accuracy, key=lambda name: accuracy[name]) == "fine (mean)"
    return sentence + (" What the summary dropped is in the words all along." if fine_is_best else "")


def missed_facts(n_wrong: int, n_items: int, missed: Mapping[str, float] | None) -> str:
    """How many descriptions of pictures miss a visible fact, and which fact is missed most often.

    Args:
        n_wrong: descriptions that miss at least one; missed: fact -> share of the items, None or empty if
            the facts are not known.
    """
    if not missed:
        return "Here, where the truth is not known, only your own eyes can tell: look again at the cards above."
    sentence = f"{n_wrong:,} of {n_items:,} descriptions miss at least one of {_enumerated(missed)}."
    if n_wrong:
        most = max(missed, key=lambda fact: missed[fact])
        sentence += f" Missed most often: the {most} ({missed[most]:.1%} of the items)."
    return sentence


def grey_pictures(named: pd.DataFrame, texts: Sequence[str], facts: Mapping[str, Sequence[str]] | None) -> list[str]:
    """What descriptions of grey pictures still name, and which colours they claim; no line if facts are not known.

    Args:
        named: (n, facts) bool, whether each of the n `texts` names the true value.
        facts: of the whole catalogue. The first of its colours in alphabetical order that a text has as a word counts
            as its claim.
    """
    if named.empty or not facts:
        return []
    shares = str(named.mean().round(2).to_dict())
    if "colour" not in facts:
        return [shares]
    names = sorted(set(facts["colour"]))
    claimed = pd.Series([next((name for name in names if name in text.split()), "none") for text in texts])
    return [shares, str(claimed.value_counts().to_dict())]


def _enumerated(names: Iterable[str]) -> str:
    """Names as a phrase: "a, b and c"."""
    *others, last = list(names) or ["nothing"]
    return f"{', '.join(others)} and {last}" if others else last
