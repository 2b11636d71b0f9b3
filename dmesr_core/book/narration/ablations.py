"""What an ablation shows, in words: which parts carry a gain, and how much the settings matter."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from dmesr_core.book.narration.verdicts import Difference, by_verdict, choose, listed, verdict, with_interval
from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.results import Result

PARTS = {  # variant -> the part that it lacks
    "no_fusion": "the fusion",
    "no_alignment": "the alignment",
    "picture_only": "the text view",
    "text_only": "the picture view",
    "no_id": "the ID vector",
}
ALTERNATIVES = ("injection_concat", "injection_two_towers", "dmesr_unit", "id_unit")  # compared with DMESR as a whole


def seeds(n: int) -> str:
    """A number of seeds: "one seed" or "3 seeds"."""
    return "one seed" if n == 1 else f"{n} seeds"


def conditions(n_seeds: int, own_data: bool, smoke: bool) -> str:
    """What a reader must know about the trainings behind the tables."""
    notes = []
    if n_seeds == 1:
        notes.append("With one seed, the intervals know nothing of how much trainings differ.")
    if own_data:
        notes.append("The data was named from outside, so the experiments were trained for this page, with one seed.")
    if smoke:
        notes.append(
            "This run is a test of the chapter on tiny data, and nothing below says anything about the models."
        )
    return " ".join(notes) or "Every cell has the same seeds."


def table(labels: Mapping[str, str], results: Mapping[str, Result], changes: Mapping[str, Paired]) -> pd.DataFrame:
    """One row per variant: its NDCG@10, and the difference to DMESR where `changes` has one."""
    rows = {
        label: {
            "NDCG@10": f"{results[name].mean()['ndcg@10']:.4f}",
            "difference to DMESR": with_interval(changes[name]) if name in changes else "",
            "p, adjusted": f"{changes[name].p:.4f}" if name in changes else "",
        }
        for name, label in labels.items()
    }
    return pd.DataFrame(rows).T


def opposite(change: Paired) -> Paired:
    """b - a from a - b."""
    return Paired(-change.diff, -change.high, -change.low, change.p)


def contribution(change: Difference, whole_gain: Difference) -> str:
    """Whether a part earns its place.

    Args:
        change: of the score when the part is taken away.
        whole_gain: of the whole over the baseline; where it is clear, the cost is given as a share of it.
    """
    words = choose(
        change,
        better="does not earn its place here: without it the score rises",
        worse="earns its place: without it the score falls",
        undecided="is not shown to matter here: zero is inside the interval",
    )
    share = ""
    if verdict(change) == "worse" and verdict(whole_gain) == "better":
        cost, gain = -change.diff, whole_gain.diff
        share = f", {'more than' if cost > gain else f'{cost / gain:.0%} of'} the whole gain over ID only"
    return f"{words} ({with_interval(change)}{share})"


def alternative(change: Difference) -> str:
    """Whether another way to do the same is better or worse."""
    return f"{choose(change, 'better', 'worse', 'not told apart from it')} ({with_interval(change)})"


def story(changes: Mapping[str, Difference]) -> str:
    """Which of `PARTS` carry the gain, which do not matter, which are in the way; the largest cost first."""
    order = sorted(PARTS, key=lambda name: changes[name].diff)
    found = by_verdict({PARTS[name]: changes[name] for name in order})
    text = "No single part is shown to carry."
    if found["worse"]:
        text = f"What carries, the largest difference first: {listed(found['worse'])}."
    if found["undecided"]:
        text += f" Not shown to matter: {listed(found['undecided'])}."
    if found["better"]:
        text += f" Better without: {listed(found['better'])}."
    return text


def sum_of_differences(changes: Mapping[str, Difference]) -> float:
    """Of all `PARTS`, each taken away alone."""
    return sum(changes[name].diff for name in PARTS)


def setting(moves: Mapping[float, Difference]) -> str:
    """How much one setting matters; `moves`: value -> difference to the default."""
    found = by_verdict(dict(sorted(moves.items())))
    better, worse = ([f"{value:g}" for value in found[which]] for which in ("better", "worse"))
    diffs = [0.0, *(move.diff for move in moves.values())]
    text = f"from the worst to the best value NDCG@10 moves by {max(diffs) - min(diffs):.4f}; "
    text += f"clearly worse than the default: {listed(worse)}" if worse else "none is clearly worse than the default"
    return text + (f"; clearly better: {listed(better)}" if better else ", none clearly better")


def largest_move(moves: Mapping[object, Difference]) -> float:
    """The largest difference that any setting makes, in either direction."""
    return max(abs(move.diff) for move in moves.values())


def move_beside_gain(move: float, whole_gain: Difference) -> str:
    """Whether the largest move is smaller than the whole gain, if that is clear."""
    if verdict(whole_gain) != "better":
        return "There is no clear gain over ID only here to compare it with"
    words = "smaller than" if move < whole_gain.diff else "no smaller than"
    return f"That is {words} the whole gain over ID only ({whole_gain.diff:.4f})"


def retrained(agreement: float | None) -> str:
    """How well a model that was trained now repeats its record.

    Args:
        agreement: share of the test cases with the rank that was stored; None: there is no record of it.
    """
    if agreement is None:
        return "This DMESR is not a row of the ablation: that one was trained on other data or with another seed."
    words = f"{agreement:.1%} of the test cases have the rank that was stored"
    if agreement == 1:
        words = "it puts every test case at the rank that was stored"
    return f"This DMESR is also a row of the ablation: {words}."
