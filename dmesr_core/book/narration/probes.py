"""How what a probe reads off item vectors changes from one stage of a model to another, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dmesr_core.book.narration.verdicts import choose
from dmesr_core.evaluation.bootstrap import paired_bootstrap


def accuracy_change(before: np.ndarray, after: np.ndarray, n: int, seed: int) -> str:
    """"rises (81.0% to 95.5%)": the change of a probe's accuracy, on the same items.

    Args:
        before, after: (m,) bool, where the probe is right.
        n, seed: resamples of the bootstrap that decides whether the change exceeds noise.
    """
    change = paired_bootstrap(after.astype(float), before.astype(float), n, seed)
    word = choose(change, "rises", "falls", "does not change beyond noise")
    return f"{word} ({before.mean():.1%} to {after.mean():.1%})"


def each_fact(facts: Sequence[str], change: Callable[[str], tuple[str, str]], at_most: int = 4) -> str:
    """The change of the first `at_most` facts in both views: fact -> as `accuracy_change`, of picture and text."""
    sentences = []
    for fact in facts[:at_most]:
        picture, text = change(fact)
        sentences.append(f"The fact {fact!r} {picture} in the picture view and {text} in the text view.")
    return " ".join(sentences)
