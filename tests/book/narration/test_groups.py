"""Gains by group in words."""

from __future__ import annotations

from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration import groups


def test_each_group_has_its_verdict():
    changes = {"head": WORSE, "cold": BETTER, "short": UNDECIDED, "all": BETTER}
    assert groups.gains(changes, ("head", "cold", "short")) == (
        "worse on head (-0.0200 [-0.0300, -0.0100]); better on cold (+0.0200 [+0.0100, +0.0300]); "
        "not told apart on short (+0.0100 [-0.0100, +0.0300])"
    )


def test_the_difference_is_made_up_of_the_groups_by_target():
    text = groups.composition({"head": WORSE, "tail": BETTER, "all": BETTER}, {"head": 30, "tail": 70, "long": 5}, 100)
    assert text == (
        "Over all cases the difference is +0.0200 [+0.0100, +0.0300]. It is made up of "
        "-0.0060 from head (30% of the cases), +0.0140 from tail (70% of the cases)."
    )
    for change, unclear in ((UNDECIDED, True), (WORSE, False)):
        text = groups.composition({"head": change, "all": change}, {"head": 5}, 5)
        assert ("which is not told apart from zero" in text) == unclear


def test_the_oracle_is_ahead_everywhere_or_but_for_some_groups_or_unknown():
    scores = {"DMESR": {"head": (0.1,), "cold": (0.3,)}, "DMESR unit": {"head": (0.2,), "cold": (0.1,)}}
    ahead = scores | {"oracle": {"head": (0.5,), "cold": (0.5,)}}
    behind = scores | {"oracle": {"head": (0.2,), "cold": (0.5,)}}
    models = ("DMESR", "DMESR unit")
    assert groups.oracle(ahead, models, "oracle").endswith("in every group")
    assert groups.oracle(behind, models, "oracle").endswith("in all groups but head")
    assert groups.oracle(scores, models, "oracle").startswith("Facts are not known for this data")
