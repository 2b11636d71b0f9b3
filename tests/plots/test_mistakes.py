"""A test case as a row of tiles."""

from __future__ import annotations

from dmesr_core.plots.mistakes import labelled_tiles


def test_a_case_shows_the_history_the_answer_and_what_is_recommended(make_catalogue):
    catalogue = make_catalogue(9)
    tiles = labelled_tiles(catalogue, [(1, "taken"), (2, "taken")], (3, "next"), [(4, "60%"), (3, "20%")], str)
    assert [tile.label for tile in tiles] == ["taken", "taken", "next", "60%", "20%"]
    assert [tile.mark for tile in tiles] == ["", "", "answer", "guess", "hit"]
    assert [tile.picture for tile in tiles] == [catalogue.item(k).picture for k in (1, 2, 3, 4, 3)]
    assert [tile.caption for tile in tiles] == ["1", "2", "3", "4", "3"]
