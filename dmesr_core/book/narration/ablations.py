"""What an ablation shows, in words: which parts carry a gain, and how much the settings matter."""

from __future__ import annotations

from collections.abc import Mapping

from dmesr_core.book.narration.verdicts import Difference, by_verdict, listed, verdict, with_interval
from dmesr_core.evaluation.bootstrap import Paired
from dmesr_core.evaluation.results import Result

PARTS = {  # variant -> the part that it lacks
    "no_fusion": "the fusion",
    "no_alignment": "the alignment",
    "picture_only": "the text view",
    "text_only": "the picture view",
    "no_id": "the ID vector",
}
ENTRIES = {"injection_concat": "concatenation", "injection_two_towers": "two towers"}  # in place of the sum


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


def opposite(change: Paired) -> Paired:
    """b - a from a - b."""
    return Paired(-change.diff, -change.high, -change.low, change.p)


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


def notes(
    labels: Mapping[str, str], results: Mapping[str, Result], changes: Mapping[str, Difference]
) -> dict[str, str]:
    """Label of a variant -> its NDCG@10, and the difference to DMESR where `changes` has one."""
    found = {}
    for name, label in labels.items():
        score = f"{results[name].mean()['ndcg@10']:.4f}"
        found[label] = f"{score}   {with_interval(changes[name])}" if name in changes else score
    return found


def story(changes: Mapping[str, Difference]) -> str:
    """Which of `PARTS` are missed when they are taken away alone, the largest cost first."""
    order = sorted(PARTS, key=lambda name: changes[name].diff)
    found = by_verdict({PARTS[name]: changes[name] for name in order})
    missed = found["worse"]
    parts = ["No part is shown to be missed when it is taken away alone"]
    if missed:
        only = "Only " if len(missed) < len(PARTS) else ""
        verb = "is missed when it is" if len(missed) == 1 else "are missed when they are"
        parts = [f"{only}{listed(missed)} {verb} taken away alone"]
    if found["better"]:
        parts.append(f"the score rises without {listed(found['better'])}")
    if found["undecided"]:
        parts.append(f"zero is inside the intervals for {listed(found['undecided'])}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def one_by_one(single: Mapping[str, Difference], at_once: Mapping[str, Difference]) -> str:
    """Whether intervals that hold one at a time give other verdicts on `PARTS` than those that hold at once."""
    other = {name: part for name, part in PARTS.items() if verdict(single[name]) != verdict(at_once[name])}
    if not other:
        return "Intervals that hold one by one, as there, give the same verdict on each part."
    named = listed(f"{part} ({with_interval(single[name])})" for name, part in other.items())
    return (
        f"Intervals that hold one by one, as there, have another verdict on {named}; "
        "among so many comparisons that may be luck."
    )


def entries(changes: Mapping[str, Difference]) -> str:
    """Whether other ways into the recommender are as good as the sum."""
    found = by_verdict({ENTRIES[name]: changes[name] for name in ENTRIES})
    words = {"better": "better", "worse": "worse", "undecided": "not told apart"}
    return "; ".join(f"{words[kind]}: {listed(names)}" for kind, names in found.items() if names)


def settings(
    moves: Mapping[tuple[str, float], Difference], labels: Mapping[str, str], whole_gain: Difference
) -> str:  # fmt: skip
    """Whether any setting matters, and how much beside the whole gain.

    Args:
        moves: (setting, value) -> difference to the default.
        labels: setting -> what it is called.
        whole_gain: of DMESR over ID only.
    """
    found = by_verdict({f"{labels[name]} {value:g}": move for (name, value), move in sorted(moves.items())})
    clear = [f"clearly {kind}{{}}: {listed(found[kind])}" for kind in ("worse", "better") if found[kind]]
    parts = [text.format("" if i else " than the default") for i, text in enumerate(clear)]
    largest = max(abs(move.diff) for move in moves.values())
    beside = f"the largest move is {largest:.4f}, and there is no clear gain over ID only to compare it with"
    if verdict(whole_gain) == "better":
        size = "smaller" if largest < whole_gain.diff else "no smaller"
        beside = f"the largest move, {largest:.4f}, is {size} than the whole gain over ID only ({whole_gain.diff:.4f})"
    text = "; ".join([*(parts or ["no value is clearly better or worse than the default"]), beside])
    return text[0].upper() + text[1:] + "."
