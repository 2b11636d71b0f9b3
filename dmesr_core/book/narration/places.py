"""Sentences on DMESR in other places: with other backbones, by time, in other worlds, on films, with fewer shoppers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, Verdict, by_verdict, listed, with_interval
from dmesr_core.book.narration.views import NAMES
from dmesr_core.evaluation.results import Result


def scores(
    results: Mapping[tuple[str, str, str], Result], titles: Mapping[str, str], labels: Mapping[str, str]
) -> pd.DataFrame:
    """NDCG@10 with SASRec: a row per place, a column per model; empty where a model was not trained."""
    cells = {
        title: {
            label: f"{results[place, 'sasrec', variant].mean()['ndcg@10']:.3f}"
            for variant, label in labels.items()
            if (place, "sasrec", variant) in results
        }
        for place, title in titles.items()
    }
    table = pd.DataFrame(cells).T
    return table[[label for label in labels.values() if label in table]].fillna("")


def seeds(results: Mapping[tuple[str, str, str], Result], titles: Mapping[str, str]) -> str:
    """How many trainings stand behind each number: "3 seeds each (films); 1 seed each (world 1)"."""
    found: dict[int, list[str]] = {}
    for place, title in titles.items():
        count = max(result.n_seeds for (at, _, _), result in results.items() if at == place)
        found.setdefault(count, []).append(title)
    return "; ".join(f"{n} seed{'s' * (n > 1)} each ({listed(names)})" for n, names in sorted(found.items())[::-1])


def tally(gains: Mapping[str, Mapping[str, Difference]], where: str = "everywhere") -> str:
    """In which places DMESR is ahead of its opponents; those of whom the same can be said share a sentence.

    Args:
        gains: opponent -> name of the place in a sentence -> gain of ours.
        where: what to say if it is ahead in all of them.
    """
    said: dict[str, list[str]] = {}
    for name, some in gains.items():
        said.setdefault(_standing(by_verdict(some), where), []).append(NAMES[name])
    return " ".join(f"It is {words.format(listed(names))}." for words, names in said.items())


def _standing(found: Mapping[Verdict, Sequence[str]], where: str) -> str:
    """Places by verdict as words, with {} where the opponents are named."""
    better, undecided, worse = found["better"], found["undecided"], found["worse"]
    behind = f"; behind: {listed(worse)}" if worse else ""
    if better and not undecided and not worse:
        return f"ahead of {{}} {where}"
    if not better:
        return f"not told apart from {{}} ({listed(undecided)}{behind})" if undecided else f"behind {{}} {where}"
    if len(better) < len(undecided) + len(worse):
        apart = f"not told apart: {listed(undecided)}" if undecided else ""
        return f"ahead of {{}} in this only: {listed(better)} ({(apart + behind).removeprefix('; ')})"
    rest = [f"{listed(undecided)} (not told apart)"] * bool(undecided) + [f"{listed(worse)} (behind)"] * bool(worse)
    return f"ahead of {{}} {where}, but for {listed(rest)}"


def films(ndcg: Mapping[str, float], gain: Difference, most: float = 0.003) -> str:
    """How DMESR does beside ID vectors on films, and whether a loss of more than `most` is excluded.

    Args:
        ndcg: variant -> NDCG@10 there, with `dmesr_views`; gain: of ours over ID vectors of one length.
    """
    place = 1 + sum(score > ndcg["dmesr_views"] for score in ndcg.values())
    loss = "excludes" if gain.low > -most else "does not exclude"
    return (
        f"By its mean DMESR is number {place} of the {len(ndcg)} models there. It has {with_interval(gain)} more than "
        f"ID vectors of one length: the interval {loss} a loss of more than {most:g}."
    )


def worth(panels: Mapping[str, Mapping[str, Mapping[float, tuple[float, float, float]]]]) -> str:
    """At how many events per item DMESR is ahead of every opponent but the true facts, and of whom not.

    Args:
        panels: title of the catalogue -> label of the opponent -> events per item -> difference, low, high.
    """
    said = []
    for title, lines in panels.items():
        rivals: dict[float, list[str]] = {}
        for label, line in lines.items():
            for amount, (_, low, _) in line.items():
                if not label.startswith("fact"):
                    rivals.setdefault(amount, []).extend([label] if low <= 0 else [])
        clear = ", ".join(f"{amount:.2g}" for amount in sorted(rivals) if not rivals[amount])
        open_ = [f"at {amount:.2g}, not of: {listed(rivals[amount])}" for amount in sorted(rivals) if rivals[amount]]
        text = f"ahead of all of them at {clear} events per item" if clear else "nowhere ahead of all of them"
        said.append(f"of {title} it is {text}" + (f" ({'; '.join(open_)})" if open_ else ""))
    return f"Leave the true facts aside. With a catalogue {'; '.join(said)}."
