"""Two protocols and two splits in words: changes of order that are clear, unclear, or not there."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from helpers.study_records import BY_TIME, HOME

from dmesr_core.book.narration import protocols
from dmesr_core.evaluation.bootstrap import Paired

BETTER, WORSE, OPEN = Paired(0.02, 0.01, 0.03, 0), Paired(-0.02, -0.03, -0.01, 0), Paired(0.01, -0.01, 0.03, 0.4)
TURNED = {"a": (0.4, 0.1), "b": (0.2, 0.3)}  # a leads in the one, b in the other
VARIANTS = ("id_only", "dmesr")


def orders(full, sampled, at=HOME):
    return {((at, "full"), "a", "b"): full, ((at, "sampled"), "a", "b"): sampled}


def test_changes_of_order_are_counted_within_data_sets():
    same = {"a": (0.1, 0.2), "b": (0.3, 0.4), "c": (0.5, 0.6)}
    assert protocols.order_changes(same) == []
    assert protocols.protocol_story({HOME: same, BY_TIME: TURNED}, []) == (
        "Of 4 pairs of contenders, 1 change their order with the protocol, none of them clearly under both."
    )


@pytest.mark.parametrize(
    ("full", "sampled", "clear"),
    [(BETTER, WORSE, 1), (WORSE, BETTER, 1), (BETTER, BETTER, 0), (BETTER, OPEN, 0), (OPEN, WORSE, 0), (OPEN, OPEN, 0)],
)
def test_a_reversal_is_clear_under_both_protocols(full, sampled, clear):
    assert len(protocols.reversals({HOME: TURNED}, orders(full, sampled))) == clear


def test_the_example_is_the_one_with_the_largest_lead():
    means = {HOME: TURNED, BY_TIME: {"a": (0.1, 0.3), "b": (0.9, 0.1)}}
    found = protocols.reversals(means, orders(BETTER, WORSE) | orders(WORSE, BETTER, BY_TIME))
    assert [(r.ahead, r.behind) for r in found] == [("a", "b"), ("b", "a")]
    assert protocols.protocol_story(means, found) == (
        "Of 2 pairs of contenders, 2 change their order with the protocol, 2 of them clearly under both: in panel "
        "Bazaar by time, b is 9.00 times as good as a in the full ranking, and behind it in the sample."
    )


def test_the_rank_of_an_even_chance():
    assert protocols.even_chance_rank(np.array([1.0, 0.9, 0.5, 0.4, 0.0])) == 3


def split_story(first, second, clear, gain=(BETTER, BETTER)):
    """Two contenders on two splits; `first` and `second`: their means; `clear`: the order under each split."""
    names = ["ID only + SASRec", "DMESR + SASRec"]
    means = {HOME: dict(zip(VARIANTS, first, strict=True)), BY_TIME: dict(zip(VARIANTS, second, strict=True))}
    scores = {(at, "sasrec", v): (m, 0, 1) for at, some in means.items() for v, m in some.items()}
    told = {
        ((at, "full"), *pair): order
        for at, order in zip((HOME, BY_TIME), clear, strict=True)
        for pair in combinations(names, 2)
    }
    gains = {(at, "sasrec", "id_only"): g for at, g in zip((HOME, BY_TIME), gain, strict=True)}
    return protocols.split_story(scores, gains, told, "bazaar")


@pytest.mark.parametrize(
    ("second", "clear", "counts"),
    [
        ((0.1, 0.2), (WORSE, WORSE), (0, "none")),
        ((0.2, 0.1), (WORSE, BETTER), (1, 1)),
        ((0.2, 0.1), (WORSE, OPEN), (1, "none")),
    ],
)
def test_the_order_of_contenders_from_one_split_to_the_other(second, clear, counts):
    assert split_story((0.1, 0.2), second, clear).endswith(
        f"; of 1 pairs of contenders, {counts[0]} change their order with the split, {counts[1]} of them clearly."
    )


@pytest.mark.parametrize(
    ("gain", "wanted"), [(BETTER, "clearly ahead of"), (WORSE, "clearly behind"), (OPEN, "not told apart from")]
)
def test_what_is_left_of_the_gain_without_the_leak(gain, wanted):
    story = split_story((0.1, 0.2), (0.1, 0.2), (OPEN, OPEN), gain=(BETTER, gain))
    assert story.startswith(f"Without the leak, DMESR is {wanted} ID only with SASRec; ")


def test_with_one_split_nothing_is_said():
    scores = {(HOME, "sasrec", v): (0.1, 0, 1) for v in VARIANTS}
    assert protocols.split_story(scores, {}, {}, "bazaar") == "There is only one split here, so nothing can be said."


def test_a_backbone_that_only_one_split_has_is_left_out():
    scores = {(at, "sasrec", v): (0.1, 0, 1) for at in (HOME, BY_TIME) for v in VARIANTS}
    scores[HOME, "gru4rec", "dmesr"] = (0.2, 0, 1)
    gains = {(at, "sasrec", "id_only"): BETTER for at in (HOME, BY_TIME)} | {(HOME, "gru4rec", "id_only"): WORSE}
    assert protocols.split_story(scores, gains, {}, "bazaar") == (
        "Without the leak, DMESR is clearly ahead of ID only with SASRec; of 1 pairs of contenders, 0 change their "
        "order with the split, none of them clearly."
    )
    gains[BY_TIME, "gru4rec", "id_only"] = OPEN
    assert "ahead of ID only with SASRec, not told apart from ID only with GRU4Rec; " in protocols.split_story(
        scores, gains, {}, "bazaar"
    )
