"""Sentences on DMESR in other places: with other backbones, by time, in other worlds, on films, with fewer shoppers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, Verdict, by_verdict, choose, listed, with_interval
from dmesr_core.book.narration.views import NAMES
from dmesr_core.evaluation.results import Result

Interval = tuple[float, float, float]  # difference, low, high


def scores(
    results: Mapping[tuple[str, str, str], Result], titles: Mapping[str, str], labels: Mapping[str, str]
) -> pd.DataFrame:
    """NDCG@10 with SASRec: a row per model, a column per place; empty where a model was not trained."""
    cells = {
        title: {
            label: f"{results[place, 'sasrec', variant].mean()['ndcg@10']:.3f}"
            for variant, label in labels.items()
            if (place, "sasrec", variant) in results
        }
        for place, title in titles.items()
    }
    table = pd.DataFrame(cells)
    return table.reindex([label for label in labels.values() if label in table.index]).fillna("")


def seeds(results: Mapping[tuple[str, str, str], Result], cells: Mapping[tuple[str, str], str]) -> str:
    """How many trainings stand behind each number: "3 seeds each (films); 1 seed each (world 1)".

    Args:
        cells: place and backbone -> their name in a sentence.
    """
    found: dict[int, list[str]] = {}
    for cell, name in cells.items():
        counts = [result.n_seeds for (*at, variant), result in results.items() if (*at,) == cell and variant in NAMES]
        if counts:
            found.setdefault(max(counts), []).append(name)
    return "; ".join(f"{n} seed{'s' * (n > 1)} each ({listed(names)})" for n, names in sorted(found.items())[::-1])


def tally(gains: Mapping[str, Mapping[str, Difference]]) -> str:
    """In how many places DMESR is ahead of each opponent; those of whom the same can be said share a sentence.

    Args:
        gains: opponent -> name of the place in a sentence -> gain of ours.
    """
    said: dict[str, list[str]] = {}
    for name, some in gains.items():
        said.setdefault(_standing(by_verdict(some)), []).append(NAMES[name])
    return " ".join(f"It is {words.format(listed(names))}." for words, names in said.items())


def _standing(found: Mapping[Verdict, Sequence[str]]) -> str:
    """Places by verdict as words, with {} where the opponents are named."""
    counts = {verdict: len(places) for verdict, places in found.items()}
    n = sum(counts.values())
    if counts["better"] == n:
        return f"ahead of {{}} in {'all ' if n > 1 else ''}{n} place{'s' * (n > 1)} where they were tried"
    rest = [f"not told apart: {listed(found['undecided'])}"] * bool(counts["undecided"])
    rest += [f"behind: {listed(found['worse'])}"] * bool(counts["worse"])
    return f"ahead of {{}} in {counts['better']} of {n} ({'; '.join(rest)})"


def earned(costs: Mapping[str, Mapping[str, Difference]]) -> str:
    """In how many places each part earns its place.

    Args:
        costs: part -> place -> what taking it away changes.
    """
    said = []
    for part, some in costs.items():
        found = by_verdict(some)
        rest = [f"not shown to matter: {listed(found['undecided'])}"] * bool(found["undecided"])
        rest += [f"the score rises without it: {listed(found['better'])}"] * bool(found["better"])
        also = f" ({'; '.join(rest)})" if rest else ""
        said.append(f"{part} earns its place in {len(found['worse'])} of {len(some)} places{also}")
    return "; ".join(said)


def films(ndcg: Mapping[str, float], gain: Difference, alone: Difference, most: float = 0.003) -> str:
    """How DMESR does beside ID vectors on films, and whether a loss of more than `most` is excluded.

    Args:
        ndcg: variant -> NDCG@10 there, with `dmesr_views`.
        gain, alone: of ours over ID vectors of one length, with the interval among all comparisons and with its own.
    """
    place = 1 + sum(score > ndcg["dmesr_views"] for score in ndcg.values())
    both = f"{with_interval(gain)} among all comparisons, and {alone.low:+.4f} to {alone.high:+.4f} by itself"
    own = choose(alone, "ahead of them", "behind them", "not told apart from them")
    loss = "excludes" if alone.low > -most else "does not exclude"
    return (
        f"By its mean DMESR is number {place} of {len(ndcg)} there. Its difference to ID vectors of one length is "
        f"{both}: taken alone, it is {own}, and the interval {loss} a loss of more than {most:g}."
    )


def worth(
    panels: Mapping[str, Mapping[str, Mapping[float, Interval]]], histories: Mapping[str, Mapping[float, int]]
) -> str:
    """With how many histories DMESR is ahead of every opponent, and of whom not.

    Args:
        panels: title of the catalogue -> label of the opponent -> events per item -> difference, low, high.
        histories: title of the catalogue -> events per item -> histories of training.
    """
    said = []
    for title, lines in panels.items():
        amounts = sorted({amount for line in lines.values() for amount in line})
        counts = {amount: f"{histories[title][amount]:,}" for amount in amounts}
        open_, clear = [], []
        for amount in amounts:
            level = [name for name, line in lines.items() if amount in line and line[amount][1] <= 0 <= line[amount][2]]
            lost = [name for name, line in lines.items() if amount in line and line[amount][2] < 0]
            parts = [f"not told apart from {listed(level)}"] * bool(level) + [f"behind {listed(lost)}"] * bool(lost)
            if parts:
                open_.append(f"with {counts[amount]} {' and '.join(parts)}")
            else:
                clear.append(counts[amount])
        text = f"ahead of all others with {listed(clear)} histories" if clear else "nowhere ahead of all others"
        said.append(f"of {title} it is {text}" + (f" ({'; '.join(open_)})" if open_ else ""))
    return f"With a catalogue {'; '.join(said)}."
