"""Plots of data draw what they are given, and say so when they cannot."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.errors import DataError, SettingsError
from dmesr_core.plots import data
from dmesr_core.plots.data import Tile

RED = Image.new("RGB", (40, 60), (200, 20, 20))


def words(fig: Figure) -> list[str]:
    return [t.get_text() for t in fig.texts] + [t.get_text() for ax in fig.axes for t in ax.texts]


def pictures(fig: Figure) -> list[np.ndarray]:
    return [image.get_array() for ax in fig.axes for image in ax.images]


def test_picture_rows_draw_every_picture_with_its_words_below_its_heading(tmp_path):
    RED.save(tmp_path / "red.png")
    rows = [[Tile(RED, "a red thing"), Tile(tmp_path / "red.png", label="came next", mark="answer")], [Tile(RED)]]
    fig = data.picture_rows(rows, ["Anna", "Ben"])
    assert len(pictures(fig)) == 3 and all((p[0, 0] == (200, 20, 20)).all() for p in pictures(fig))
    assert {"Anna", "Ben", "a red thing", "came next"} <= set(words(fig))
    boxes = [ax.get_position() for ax in fig.axes]
    assert boxes[0].x1 < boxes[1].x0 and boxes[0].y0 == boxes[1].y0, "one row is side by side"
    assert boxes[2].y1 < boxes[0].y0, "the second row lies below the first"
    assert min(b.y0 for b in boxes) > 0 and max(b.y1 for b in boxes) < 1 and max(b.x1 for b in boxes) <= 1
    widths = [ax.patches[0].get_linewidth() for ax in fig.axes]
    assert widths[1] > widths[0], "the answer has a thicker frame"


def test_a_picture_that_is_lacking_or_broken_becomes_a_tile_that_says_so(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    fig = data.picture_rows([[Tile(None), Tile(tmp_path / "broken.jpg"), Tile(tmp_path / "nowhere.png")]])
    assert not pictures(fig)
    assert words(fig).count("no picture") == 1 and words(fig).count("cannot\nbe opened") == 2


def test_a_picture_to_be_guessed_is_a_question_mark():
    fig = data.picture_rows([[Tile(RED), Tile(data.UNKNOWN)]])
    assert len(pictures(fig)) == 1 and "?" in words(fig) and "no picture" not in words(fig)


def test_long_captions_are_cut_and_short_ones_are_not():
    long = "one two three four five six seven eight nine ten eleven twelve"
    fig = data.picture_rows([[Tile(RED, long), Tile(RED, "short")]], lines=2)
    cut = next(w for w in words(fig) if w.startswith("one"))
    assert cut.count("\n") == 1 and cut.endswith("…") and "short" in words(fig)


@pytest.mark.parametrize(
    ("rows", "headings", "error", "message"),
    [
        ([], (), DataError, "no pictures"),
        ([[]], (), DataError, "no pictures"),
        ([[Tile(RED)]], ("a", "b"), DataError, "2 headings do not fit 1 rows"),
        ([[Tile(RED, mark="wrong")]], (), SettingsError, "unknown mark 'wrong'.*'answer'"),
    ],
)
def test_picture_rows_refuse_what_they_cannot_draw(rows, headings, error, message):
    with pytest.raises(error, match=message):
        data.picture_rows(rows, headings)
    assert not plt.get_fignums()


def test_a_grid_breaks_into_rows(make_catalogue):
    catalogue = make_catalogue(7)
    fig = data.picture_grid(catalogue, range(1, 8), [f"number {i}" for i in range(7)], columns=3)
    tops = sorted({round(ax.get_position().y1, 6) for ax in fig.axes})
    assert len(fig.axes) == 7 and len(tops) == 3
    assert [w for w in words(fig) if w.startswith("number")] == [f"number {i}" for i in range(7)]
    assert [w for w in words(data.picture_grid(catalogue, [2, 1])) if w.startswith("T")] == ["Title a2", "Title a1"]
    with pytest.raises(DataError, match="2 captions do not fit 1 pictures"):
        data.picture_grid(catalogue, [1], ["a", "b"])


def test_a_grid_shows_the_pictures_of_its_items(tmp_path):
    RED.save(tmp_path / "red.png")
    Image.new("RGB", (8, 8), (0, 0, 200)).save(tmp_path / "blue.png")
    catalogue = Catalogue(("a", "b"), ("A", "B"), ("", ""), (tmp_path / "red.png", tmp_path / "blue.png"))
    assert [tuple(p[0, 0]) for p in pictures(data.picture_grid(catalogue, [2, 1]))] == [(0, 0, 200), (200, 20, 20)]


def test_a_card_shows_picture_title_and_text_and_survives_extremes():
    fig = data.product_card(RED, "A title", "Some text.")
    assert len(pictures(fig)) == 1 and {"A title", "Some text."} <= set(words(fig))
    long = data.product_card(None, "A very long title " * 5, "word " * 2_000)
    body = words(long)
    assert any(w.endswith("…") for w in body) and "no picture" in body
    renderer = FigureCanvasAgg(long).get_renderer()
    assert all(t.get_window_extent(renderer).y0 >= -1 for t in long.texts), "text runs out of the card"
    assert "(no text)" in words(data.product_card(RED, "t", ""))


def test_split_timelines_put_each_event_into_its_part():
    times = [np.array([0.0, 1.0, 5.0]), np.array([2.0, 3.0])]
    loo = [np.array(["train", "valid", "test"]), np.array(["train", "train"])]
    by_time = [np.array(["train", "train", "test"]), np.array(["train", "valid"])]
    fig = data.split_timelines(times, {"one": loo, "two": by_time}, {"two": [2.5, 4.0]})
    for ax, want in zip(fig.axes, ([(0, 0), (2, 1), (3, 1)], [(0, 0), (1, 0), (2, 1)]), strict=True):
        points = {c.get_label(): [tuple(p) for p in c.get_offsets()] for c in ax.collections if c.get_label() in
                  ("train", "valid", "test")}  # fmt: skip
        assert points["train"] == want and points["test"] == [(5, 0)]
    assert [line.get_xdata()[0] for line in fig.axes[1].lines] == [2.5, 4.0] and not fig.axes[0].lines
    assert fig.axes[0].get_title(loc="left") == "one" and "time" in fig.axes[0].get_xlabel()


def test_the_long_tail_is_sorted_and_its_shares_fill_the_bars():
    shares = {"items": {"head": 0.2, "tail": 0.8}, "events": {"head": 0.7, "tail": 0.3}}
    fig = data.long_tail(np.array([0, 3, 9, 1]), shares)
    left, right = fig.axes
    assert left.lines[0].get_ydata().tolist() == [9, 3, 1] and left.get_yscale() == "log"
    ends = [bar.get_x() + bar.get_width() for bar in right.containers[-1]]
    assert ends == pytest.approx([1, 1])
    hatches = {c[0].get_hatch() for c in right.containers if len(c)}
    assert len(hatches) == 2, "groups differ without colour"
    with pytest.raises(DataError, match="no item has an event"):
        data.long_tail(np.zeros(3), shares)


def test_the_learning_curve_marks_the_epoch_that_stays():
    fig = data.learning_curve([3.0, 2.0, 1.5], [0.1, 0.3, 0.2], best=1)
    left, right = fig.axes
    assert left.lines[0].get_xydata().tolist() == [[1, 3.0], [2, 2.0], [3, 1.5]]
    assert right.lines[1].get_xdata()[0] == 2 and right.get_legend().get_texts()[0].get_text() == "best epoch: 2"
    assert "nats" in left.get_ylabel() and right.get_ylabel() == "validation NDCG@10"


def test_sampled_hit_rates_end_in_the_full_ranking():
    fig = data.sampled_hit_rates([10, 100], {"a": [0.9, 0.5], "b": [0.8, 0.6]}, {"a": 0.1, "b": 0.2}, k=10)
    ax = fig.axes[0]
    chance, *rest = ax.lines
    assert chance.get_ydata().tolist() == pytest.approx([10 / 11, 10 / 101])
    assert [line.get_ydata()[-1] for line in rest] == [0.5, 0.1, 0.6, 0.2]
    assert rest[1].get_xdata()[0] > 100 and ax.get_ylabel() == "HR@10"
    assert len({line.get_marker() for line in rest}) == 2
