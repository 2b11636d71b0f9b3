"""A test case as a row of tiles."""

from __future__ import annotations

import numpy as np

from dmesr_core.plots.mistakes import case_tiles, labelled_tiles


def test_a_case_shows_the_last_purchases_the_answer_and_what_is_recommended(make_catalogue):
    tiles = case_tiles(
        make_catalogue(9), np.array([1, 2, 3, 4]), 5, {"DMESR": np.array([5, 6]), "ID only": np.array([7, 8])}, str
    )
    assert [tile.caption for tile in tiles] == ["2", "3", "4", "5", "5", "6", "7", "8"]
    assert [tile.mark for tile in tiles] == ["", "", "", "answer", "hit", "guess", "guess", "guess"]
    assert [tile.label for tile in tiles] == [
        "bought", "", "", "came next", "DMESR 1", "DMESR 2", "ID only 1", "ID only 2",
    ]  # fmt: skip


def test_a_short_history_is_shown_whole(make_catalogue):
    tiles = case_tiles(make_catalogue(3), np.array([1]), 2, {}, str)
    assert [(tile.caption, tile.label) for tile in tiles] == [("1", "bought"), ("2", "came next")]


def test_labels_can_be_given_for_each_picture(make_catalogue):
    catalogue = make_catalogue(9)
    tiles = labelled_tiles(catalogue, [(1, "taken"), (2, "taken")], (3, "next"), [(4, "60%"), (3, "20%")], str)
    assert [tile.label for tile in tiles] == ["taken", "taken", "next", "60%", "20%"]
    assert [tile.mark for tile in tiles] == ["", "", "answer", "guess", "hit"]
    assert [tile.picture for tile in tiles] == [catalogue.item(k).picture for k in (1, 2, 3, 4, 3)]
