"""Sentences of chapter 4: what alignment keeps, what its temperature does, which items it confuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dmesr_core.book.narration.probes import accuracy_change, each_fact
from dmesr_core.models.alignment import recall_from_groups

Facts = Mapping[str, Sequence[str]] | None  # name -> one value per item, where known


def recall_by_category(facts: Facts, items: np.ndarray) -> float | None:
    """`recall_from_groups` of the categories of these items (numbers from 1); None where they are not known."""
    if not facts or "category" not in facts:
        return None
    return recall_from_groups(np.array(facts["category"])[items - 1])


def same_category(facts: Facts, items: np.ndarray, others: np.ndarray) -> float | None:
    """How many of the `items` have the category of their partner in `others`, as a share.

    None without items or known facts. Both hold numbers from 1.
    """
    if not facts or "category" not in facts or not len(items):
        return None
    category = np.array(facts["category"])
    return float((category[items - 1] == category[others - 1]).mean())


def category_recall(recall: float | None) -> str:
    """What knowing the category alone would reach; empty where the categories are not known."""
    if recall is None:
        return ""
    return f"Someone who knew nothing but the category of each would find {recall:.0%}."


def kept_facts(hits: Mapping[tuple[str, str, str], np.ndarray], n: int, seed: int) -> str:
    """Whether probes read facts off the aligned vectors as well as off the coarse ones.

    Args:
        hits: (view, stage, fact) -> (m,) bool, where a probe is right. Views are "picture" and "text", stages "coarse"
            and "aligned" (others are ignored). Empty where the facts are not known.
        n, seed: resamples of the bootstrap.
    """
    if not hits:
        return "Without known facts there is nothing to probe."

    def change(view: str, fact: str) -> str:
        return accuracy_change(hits[view, "coarse", fact], hits[view, "aligned", fact], n, seed)

    facts = list(dict.fromkeys(fact for _, _, fact in hits))
    if not {"category", "colour", "material", "use"} <= {*facts}:  # facts of a reader's own
        return each_fact(facts, lambda fact: (change("picture", fact), change("text", fact)))
    return (
        f"Category, which both views know, {change('picture', 'category')} in the picture view and"
        f" {change('text', 'category')} in the text view. Colour, which only the picture shows,"
        f" {change('picture', 'colour')}; material, which only the words say, {change('text', 'material')};"
        f" use, only in the words as well, {change('text', 'use')}."
    )


def best_temperature(
    temperatures: Sequence[float], recalls: Sequence[float], colour: Sequence[float] | None = None
) -> str:
    """Where recall is highest, and how the accuracy for colour differs between both ends.

    Args:
        temperatures: ascending; `recalls` has recall@10 at each.
        colour: accuracy of a probe for colour at each temperature; None where colours are not known.
    """
    best = max(range(len(recalls)), key=lambda i: recalls[i])
    sentence = f"Here recall@10 is highest at a temperature of {temperatures[best]:g}."
    if colour is not None:
        sentence += f" A probe reads the colour of {colour[0]:.0%} of the items at {temperatures[0]:g} and of"
        sentence += f" {colour[-1]:.0%} at {temperatures[-1]:g}."
    return sentence


def confused(n_held_out: int, n_confused: int, same_category: float | None) -> str:
    """How many pictures have another item's text nearest to them.

    Args:
        same_category: share of these whose other item has the same category; None where there is nothing to say.
    """
    sentence = f"Of {n_held_out:,} held-out pictures, {n_confused:,} have another item's text nearest to them."
    if same_category is not None:
        sentence += f" In {same_category:.0%} of these cases the other item has the same category."
    return sentence
