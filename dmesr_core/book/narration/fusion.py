"""Sentences of chapter 5: where the attention of the fusion falls, and what the fused vectors know."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dmesr_core.book.narration.probes import accuracy_change, each_fact


def twins(same: bool) -> str:
    """Introduces two items, which have the `same` description or not."""
    return "These two have the same, word for word:" if same else "Here no two are the same. The first two items:"


def most_attended(ratios: Mapping[str, Mapping[str, float]]) -> str:
    """The kind of word that each view looks at most.

    Args:
        ratios: view -> kind of word -> its attention as a multiple of even attention. Empty where the kinds are not
            known.
    """
    if not ratios:
        return "Which words are names and which are filler is not known here, so this is left to your eyes."
    top = {view: max(kinds, key=lambda kind: kinds[kind]) for view, kinds in ratios.items()}
    return " ".join(
        f"The {view} looks most at {kind}: {ratios[view][kind]:.1f} times as much as evenly."
        for view, kind in top.items()
    )


def gained_facts(hits: Mapping[tuple[int, str, str], np.ndarray], n: int, seed: int) -> str:
    """Whether probes read facts off the fused vectors better than off the aligned ones.

    Args:
        hits: (view, stage, fact) -> (m,) bool, where a probe is right. Views are 0 (picture) and 1 (text), stages
            "aligned" and "fused" (others are ignored). Empty where the facts are not known.
        n, seed: resamples of the bootstrap.
    """
    if not hits:
        return "Without known facts there is nothing to probe."

    def change(view: int, fact: str) -> str:
        return accuracy_change(hits[view, "aligned", fact], hits[view, "fused", fact], n, seed)

    facts = list(dict.fromkeys(fact for _, _, fact in hits))
    if not {"series", "brand", "colour", "use"} <= {*facts}:  # facts of a reader's own
        return each_fact(facts, lambda fact: (change(0, fact), change(1, fact)))
    return (
        f"The series {change(0, 'series')} in the picture view and {change(1, 'series')} in the text view; the"
        f" brand {change(0, 'brand')} and {change(1, 'brand')}. And what the views knew before? The colour, in the"
        f" picture view, {change(0, 'colour')}; the use, in the text view, {change(1, 'use')}."
    )
