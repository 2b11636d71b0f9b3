"""Plots of an MLLM draw what they are given."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from dmesr_core.errors import DataError
from dmesr_core.plots import mllm
from dmesr_core.plots.style import FINE, PICTURE, TEXT


def square(colour="red"):
    return Image.new("RGB", (32, 32), colour)


def words(figure):
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def test_the_model_diagram_puts_each_word_of_the_answer_above_and_below():
    drawn = words(mllm.model_diagram(square(), "What is it?", "a red square"))
    assert [drawn.count(w) for w in ("What", "red", "square")] == [1, 2, 2]


def test_the_model_diagram_states_that_predict_are_as_many_as_the_words_of_the_answer():
    figure = mllm.model_diagram(square(), "What is it?", "a red square")
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    filled = [i for i, line in enumerate(dots) if to_hex(line.get_markerfacecolor()) == FINE.lower()]
    assert len(dots) == 4 + 3 + 3
    assert filled == [6, 7, 8]  # from the last word of the question to the last but one of the answer


def test_the_model_diagram_cuts_long_answers():
    drawn = words(mllm.model_diagram(square(), "What is it?", " ".join(f"word{i}" for i in range(40))))
    assert "…" in drawn and "word30" not in drawn


def test_item_cards_show_every_note_and_headings_in_their_colours():
    notes = [{"picture": "a red square", "truth": "a circle"}, {"text": "costs $5 and $6", "other": ""}]
    figure = mllm.item_cards([square(), None], notes, {"truth": FINE})
    drawn = {t.get_text(): t for ax in figure.axes for t in ax.texts}
    assert {"a red square", "a circle", "costs $5 and $6", "(nothing)", "no picture"} <= set(drawn)
    assert [drawn[h].get_color() for h in ("picture", "text", "truth")] == [PICTURE, TEXT, FINE]
    assert not drawn["costs $5 and $6"].get_parse_math()  # dollars are not mathematics


def test_item_cards_shorten_long_texts_and_keep_every_script():
    figure = mllm.item_cards(
        [square()],
        [
            {"words": "word " * 500},
        ][:1],
    )
    assert sum(len(t) for t in words(figure)) < 300
    figure = mllm.item_cards([square()], [{"words": "東京 🙂 שלום"}])
    assert "東京 🙂 שלום" in words(figure)
    figure.canvas.draw()  # no warning about glyphs


def test_item_cards_have_a_place_for_a_picture_that_cannot_be_opened(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    figure = mllm.item_cards([tmp_path / "broken.png", tmp_path / "none.png", None], [{"a": "b"}] * 3)
    assert words(figure).count("cannot\nbe opened") == 2 and "no picture" in words(figure)


def test_item_cards_refuse_uneven_input():
    with pytest.raises(DataError, match="one set of notes per picture"):
        mllm.item_cards([square()], [])


def test_grouped_bars_have_the_heights_intervals_and_chance_that_were_given():
    figure = mllm.grouped_bars(
        {"picture": [0.2, 0.9], "text": [0.5, 0.4]}, ["colour", "brand"], "share",
        {"picture": [(0.1, 0.3), (0.8, 1.0)], "text": [(0.5, 0.5), (0.3, 0.6)]}, chance=[0.1, 0.2],
    )  # fmt: skip
    ax = figure.axes[0]
    assert [round(bar.get_height(), 3) for bar in ax.patches] == [0.2, 0.9, 0.5, 0.4]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["colour", "brand"]
    assert {"picture", "text", "always the most frequent"} == {t.get_text() for t in figure.legends[0].get_texts()}
    ends = {round(float(y), 3) for lines in ax.collections for segment in lines.get_segments() for y in segment[:, 1]}
    assert {0.1, 0.3, 0.8, 1.0, 0.6, 0.2} <= ends
    hatches = {bar.get_hatch() for bar in ax.patches}
    assert len(hatches) == 2  # they differ without colour


def test_grouped_bars_refuse_values_that_do_not_fit_the_labels():
    with pytest.raises(DataError, match="one value per label"):
        mllm.grouped_bars({"a": [1, 2, 3]}, ["x", "y"], "share")


def test_heatmaps_show_their_numbers_where_there_is_room():
    table = np.array([[0.0, 1.0], [0.25, -0.5]])
    figure = mllm.heatmaps({"before": table, "after": table}, ["a", "b"], ["c", "d"], "cosine")
    assert words(figure) == ["0.00", "1.00", "0.25", "-0.50"] * 2
    np.testing.assert_array_equal(figure.axes[1].collections[0].get_array(), table)
    assert not words(mllm.heatmaps({"wide": np.zeros((2, 9))}, ["a", "b"], list("abcdefghi"), "cosine"))
    with pytest.raises(DataError, match="wide"):
        mllm.heatmaps({"wide": table}, ["a", "b", "c"], ["c", "d"], "cosine")


def test_the_cross_attention_diagram_draws_a_line_per_view_and_token_as_thick_as_its_weight():
    weights = {"picture": [0.1, 0.9, 0.0], "text": [0.2, 0.2, 0.6]}
    figure = mllm.cross_attention_diagram(["sto", "##vael", "hat"], weights)
    lines = figure.axes[0].lines
    assert [line.get_color() for line in lines] == [PICTURE] * 3 + [TEXT] * 3
    widths = [line.get_linewidth() for line in lines]
    assert sorted(range(6), key=widths.__getitem__) == [2, 0, 3, 4, 5, 1]
    assert {"##vael", "picture, aligned", "text, fused"} <= set(words(figure))
    with pytest.raises(DataError, match="picture"):
        mllm.cross_attention_diagram(["sto"], {"picture": [0.5, 0.5]})


def test_attention_maps_draw_weights_tokens_and_marks():
    weights = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    tokens = ["[CLS]", "sto", "##vael"]
    figure = mllm.attention_maps([("Stovael", weights, tokens)], ["picture", "text"], [[False, True, True]])
    ax = figure.axes[0]
    np.testing.assert_array_equal(ax.collections[0].get_array(), weights)
    labels = ax.get_xticklabels()
    assert [t.get_text() for t in labels] == tokens
    assert [t.get_fontweight() == "bold" for t in labels] == [False, True, True]
    with pytest.raises(DataError, match="Stovael"):
        mllm.attention_maps([("Stovael", weights, tokens[:2])], ["picture", "text"])


def test_setting_curves_draw_each_curve_over_the_settings():
    figure = mllm.setting_curves(
        [0.1, 0.2, 0.4], {"recall": {"a": [1, 2, 3], "b": [3, 2, 1]}, "loss": {"a": [0, 0, 1]}}, "τ", 0.2
    )
    first, second = figure.axes
    assert [line.get_ydata().tolist() for line in first.lines[1:]] == [[1, 2, 3], [3, 2, 1]]
    assert first.lines[1].get_marker() != first.lines[2].get_marker()
    assert second.get_ylabel() == "loss" and second.get_xscale() == "log"
    assert second.lines[0].get_xdata()[0] == 0.2
