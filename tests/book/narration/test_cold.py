"""Cold items in words."""

from __future__ import annotations

import pytest
from helpers.small_differences import BETTER, UNDECIDED, WORSE

from dmesr_core.book.narration import cold
from dmesr_core.evaluation.cold_items import Stretched


def scores(offered: float, ceiling: float | None = None) -> dict:
    found = {"DMESR": {cold.AMONG_COLD: 0.25, cold.OFFERED: offered}}
    return found if ceiling is None else found | {"ceiling": {cold.AMONG_COLD: 0.5, cold.OFFERED: ceiling}}


def test_known_and_hardly_offered():
    assert cold.story(scores(0.01, 0.1), BETTER) == (
        "DMESR tells cold items apart (where they compete alone, +0.020 [+0.010, +0.030] over ID only, which must "
        "guess) and hardly offers them: they are 1.0% of its first ten places, with the ceiling 10.0%."
    )


@pytest.mark.parametrize(
    ("found", "gain", "begins"),
    [
        (scores(0.09, 0.1), BETTER, "DMESR tells cold items apart ("),
        (scores(0.01, 0.1), UNDECIDED, "DMESR is not shown to tell cold items apart ("),
        (scores(0.01, 0.1), WORSE, "DMESR tells cold items apart less well than a guess ("),
        (scores(0.01), BETTER, "DMESR tells cold items apart ("),
    ],
)
def test_nothing_more_is_said_where_they_are_offered_or_not_known_or_no_ceiling_is(found, gain, begins):
    text = cold.story(found, gain)
    assert text.startswith(begins) and "hardly" not in text
    assert ("ceiling" in text) == ("ceiling" in found)


def test_stretching_in_words():
    changes = {"cold targets": BETTER, "all others": WORSE}
    assert cold.stretching(Stretched(0.5, changes, 0.25)) == (
        "DMESR's vectors of cold items are 0.50 times as long as the others; made as long as those, NDCG@10 changes by "
        "+0.0200 [+0.0100, +0.0300] for cold targets and -0.0200 [-0.0300, -0.0100] for all others, over all cases by "
        "-0.0100."
    )


def test_without_cold_cases_the_texts_say_so_and_there_is_no_number():
    assert cold.story({}, None) == cold.stretching(None) == "No test case asks for a cold item here."
    assert cold.numbers({}, None) == {}
    assert cold.table({}).data.empty


def test_table_and_numbers_hold_what_was_found():
    rows, stretched = scores(0.01, 0.1), Stretched(0.5, {"cold targets": BETTER, "all others": WORSE}, 0.25)
    table = cold.table(rows).data
    assert table.loc["ceiling", cold.OFFERED] == 0.1 and table.index.name.startswith("NDCG@10 of cold targets")
    found = cold.numbers(rows, stretched)
    assert found == {"cold": rows, "stretched": stretched.changes, "stretched_total": stretched.total}
