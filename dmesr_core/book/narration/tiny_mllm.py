"""Appendix A in words: what the tiny MLLM gets right, and what it gets wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

# Measures of `features.tiny_mllm.evaluate.measure` -> their names in the table.
MEASURES = {
    "category": "category right",
    "colour": "colour right",
    "pattern": "pattern right",
    "shape": "shape right",
    "all_right": "all four right",
    "wrong_picture_colour": "colour right, shown another picture",
    "summary_exact": "summary exactly right",
    "question_exact": "open question right",
    "yes_no_exact": "yes/no question right",
    "keyword_true": "sampled keywords that are true",
    "keyword_distinct": "different lists among 8 samples",
    "keyword_entropy": "entropy of keywords (nats per token)",
}


def scope_note(mllm: str, data: str) -> str:
    """Which model the numbers are about, whatever model and data the other chapters use."""
    note = "All numbers are those of the tiny MLLM, in its own small world."
    others = "The other chapters of this copy used"
    if mllm != "tiny":
        note += f" {others} another model; this appendix is about the tiny one all the same."
    if data != "bazaar":
        note += f" {others} other data; what the tiny MLLM learnt are products of the Bazaar."
    return note


def reproduction(n_equal: int, n_tensors: int, differences: Mapping[str, float]) -> str:
    """How a model that was trained again compares with the shipped one.

    Args:
        n_equal: weight tensors that are equal, of `n_tensors`; differences: measure -> new minus model card.
    """
    listed = ", ".join(f"{name.replace('_', ' ')} {change:+.3f}" for name, change in differences.items())
    return (
        f"Trained again: {n_equal} of {n_tensors} tensors of weights are equal, bit for bit;"
        f" share of right captions minus that of the model card: {listed}."
    )


NOT_REPRODUCED = "This run did not train the checkpoint again (parameter reproduce)."


def wrong_captions(n: int, n_wrong: int, missed: Counter[str], n_wrong_shown: int) -> str:
    """How many of `n` captions are wrong, in which facts, and how many of the six that are shown."""
    sentence = f"Of {n:,} captions, {n_wrong:,} {'is' if n_wrong == 1 else 'are'} wrong"
    if n_wrong:
        counts = ", ".join(f"{fact} {count}" for fact, count in missed.most_common())
        sentence += f" (facts missed: {counts}). Wrong among the six above: {n_wrong_shown}"
    return sentence + "."


def answers_to_other_pictures(n_products: int, n_empty: int, n: int) -> str:
    """How the model answers to pictures that are no products."""
    return f"{n_products} of {n} answers name a product of the Bazaar, {n_empty} are empty"


def yes_no_verdict(low: float) -> str:
    """Whether yes/no questions are answered better than by chance; `low` is the lower end of the interval."""
    return "no better than a coin" if low <= 0.5 else "better than a coin"
