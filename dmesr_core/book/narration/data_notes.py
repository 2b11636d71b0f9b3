"""What a chapter says about its data set and its multimodal LLM: how far its numbers carry."""

from __future__ import annotations

_UNKNOWN_FACTS = " The true facts about these items are not known; what needs them is left out."


def alignment_note(dataset: str, n_train: int, n_held_out: int, mllm: str, facts_known: bool) -> str:
    """Chapter 4: the items that it aligns and measures on, and what its vectors are worth on them."""
    note = f"This run aligns {n_train:,} items of the data set {dataset} and measures on {n_held_out:,} others."
    if mllm == "tiny" and not facts_known:
        note += " The vectors come from the tiny MLLM, which knows the Bazaar only and does not understand these"
        note += " pictures: its picture view says little about them, so do not expect much."
    return note if facts_known else note + _UNKNOWN_FACTS


def fusion_note(dataset: str, n_items: int, mllm: str, facts_known: bool) -> str:
    """Chapter 5: the items that it uses, and what their vectors and token states are worth."""
    note = f"This run uses {n_items:,} items of the data set {dataset}."
    if mllm == "tiny" and not facts_known:
        note += " The coarse vectors come from the tiny MLLM, which knows the Bazaar only and does not understand these"
        note += " pictures. The fine states come from MiniLM, which has read a lot of ordinary English."
    return note if facts_known else note + _UNKNOWN_FACTS


def comparison_note(data: str, mllm: str) -> str:
    """Chapter 6: what its comparison of models can and cannot say.

    Args:
        data: source of the data: bazaar, movielens or folder.
        mllm: "tiny" for the shipped one, else a hub name or a folder.
    """
    if data == "bazaar":
        return (
            "The Bazaar is a small closed world, and its tiny MLLM was trained on pictures of its kind: "
            "what holds here must be tried again on your data."
        )
    if mllm == "tiny":
        return (
            "The tiny MLLM knows the Bazaar's products and nothing else. It does not understand these pictures and "
            "words, so its two views are close to noise; the numbers are whatever they are."
        )
    return f"The views come from {mllm}."
