"""New items: tiles of what is recommended, and ranks beside pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from dmesr_core.errors import DataError
from dmesr_core.plots.new_items import RankedItem, ranks_of_new_items, tiles_of

MODELS = {"popularity": np.full(4, 95.5), "DMESR": np.array([1.0, 10, 40, 100])}


def draw(items=()):
    return ranks_of_new_items(MODELS, items, n_items=100, chance=50.5)


def test_recommendations_are_numbered_and_say_what_is_new_and_what_was_bought(make_catalogue):
    catalogue = make_catalogue(5)
    tiles = tiles_of(catalogue, ["a4", "a1", "a5"], new={"a4", "a5"}, bought="a5")
    assert [tile.label for tile in tiles] == ["1, new", "2", "3, new, bought next"]
    assert [tile.mark for tile in tiles] == ["guess", "guess", "hit"]
    assert [tile.caption for tile in tiles] == [catalogue.item(k).title for k in (4, 1, 5)]


def test_purchases_are_not_numbered(make_catalogue):
    tiles = tiles_of(make_catalogue(3), ["a1", "a2", "a3"], new={"a3"}, bought="a3", places=False)
    assert [(tile.label, tile.mark) for tile in tiles] == [("", ""), ("", ""), ("new, bought next", "answer")]


def test_the_summary_shows_median_and_quartiles_of_each_model():
    top = draw().axes[0]
    first, second = top.containers
    assert first.lines[0].get_xdata().tolist() == [95.5] and second.lines[0].get_xdata().tolist() == [25]
    assert second.lines[2][0].get_segments()[0][:, 0] == pytest.approx([7.75, 55])
    assert [text.get_text() for text in top.get_yticklabels()] == ["all cases: popularity", "all cases: DMESR"]


def test_each_item_has_its_picture_its_title_and_a_marker_per_case():
    picture = Image.new("RGB", (4, 4))
    items = [RankedItem(picture, "A lamp", {"DMESR": np.array([3.0, 9])}), RankedItem(None, "A $1 pot", {})]
    fig = draw(items)
    _, shown, cases, missing, empty = fig.axes
    assert len(shown.images) == 1 and "no picture" in missing.texts[0].get_text() and not missing.images
    points = [line for line in cases.lines if line.get_linestyle() == "None"]
    assert points[0].get_xdata().tolist() == [3, 9]
    assert points[0].get_marker() == fig.axes[0].containers[1].lines[0].get_marker()  # as DMESR above
    assert not [line for line in empty.lines if line.get_linestyle() == "None"]
    assert ["A lamp", "A $1 pot"] == [text.get_text() for text in fig.texts]


def test_all_panels_have_one_axis_with_chance_on_it():
    fig = draw([RankedItem(None, "A lamp", {"DMESR": np.array([3.0])})])
    panels = [fig.axes[0], fig.axes[2]]
    assert len({ax.get_xlim() for ax in panels}) == 1
    for ax in panels:
        (line,) = [line for line in ax.lines if line.get_linestyle() == ":"]
        assert line.get_xdata() == [50.5, 50.5]
        assert ax.get_xticks().tolist() == [1, 10, 100]
    assert [text.get_text() for text in panels[-1].get_xticklabels()] == ["1", "10", "100"]


def test_titles_are_drawn_as_they_are():
    fig = draw([RankedItem(None, "Ba$$in: $5, $6 \u4fa1 and a second line of words", {})])
    fig.canvas.draw()  # a formula, or a sign that the font lacks, would be an error here
    assert fig.texts[0].get_text() == "Ba$$in: $5, $6 \u4fa1 and a\nsecond line of words"
    assert not fig.texts[0].get_parse_math()


@pytest.mark.parametrize("models", [{}, {"DMESR": np.zeros(0)}])
def test_without_cases_there_is_nothing_to_draw(models):
    with pytest.raises(DataError, match="no case asks for a new item"):
        ranks_of_new_items(models, [], 10, 5)
