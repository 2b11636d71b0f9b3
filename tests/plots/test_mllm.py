"""Figures of views: they draw what they are given, and nothing else."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image

from dmesr_core.errors import DataError
from dmesr_core.plots import embeddings, mllm
from dmesr_core.plots.style import FINE, PICTURE, TEXT


def square(colour="red"):
    return Image.new("RGB", (32, 32), colour)


def words(figure):
    return [t.get_text() for ax in figure.axes for t in ax.texts]


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    left = plt.get_fignums()
    plt.close("all")
    assert not left, "a figure that stays open is shown twice in a notebook"


def test_flow_puts_each_word_of_the_answer_above_and_below():
    drawn = words(mllm.flow(square(), "What is it?", "a red square"))
    assert [drawn.count(w) for w in ("What", "red", "square")] == [1, 2, 2]


def test_flow_states_that_predict_are_as_many_as_the_words_of_the_answer():
    figure = mllm.flow(square(), "What is it?", "a red square")
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    filled = [i for i, line in enumerate(dots) if to_hex(line.get_markerfacecolor()) == FINE.lower()]
    assert len(dots) == 4 + 3 + 3
    assert filled == [6, 7, 8]  # from the last word of the question to the last but one of the answer


def test_flow_cuts_long_answers():
    drawn = words(mllm.flow(square(), "What is it?", " ".join(f"word{i}" for i in range(40))))
    assert "…" in drawn and "word30" not in drawn


def test_cards_show_every_note_and_headings_in_their_colours():
    notes = [{"picture": "a red square", "truth": "a circle"}, {"text": "costs $5 and $6", "other": ""}]
    figure = mllm.cards([square(), None], notes, {"truth": FINE})
    drawn = {t.get_text(): t for ax in figure.axes for t in ax.texts}
    assert {"a red square", "a circle", "costs $5 and $6", "(nothing)", "no picture"} <= set(drawn)
    assert [drawn[h].get_color() for h in ("picture", "text", "truth")] == [PICTURE, TEXT, FINE]
    assert not drawn["costs $5 and $6"].get_parse_math()  # dollars are not mathematics


def test_cards_shorten_long_texts_and_replace_what_the_font_lacks():
    figure = mllm.cards(
        [square()],
        [
            {"words": "word " * 500},
        ][:1],
    )
    assert sum(len(t) for t in words(figure)) < 300
    figure = mllm.cards([square()], [{"words": "東京 🙂 שלום"}])
    assert any("□" in t for t in words(figure))
    figure.canvas.draw()  # no warning about glyphs


def test_cards_refuse_uneven_input():
    with pytest.raises(DataError, match="one set of notes per picture"):
        mllm.cards([square()], [])


def test_bars_have_the_heights_intervals_and_chance_that_were_given():
    figure = mllm.bars(
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
    assert len(hatches) == 2  # told apart without colour


def test_bars_refuse_values_that_do_not_fit_the_labels():
    with pytest.raises(DataError, match="one value per label"):
        mllm.bars({"a": [1, 2, 3]}, ["x", "y"], "share")


def test_heat_shows_its_numbers_where_there_is_room():
    table = np.array([[0.0, 1.0], [0.25, -0.5]])
    figure = mllm.heat({"before": table, "after": table}, ["a", "b"], ["c", "d"], "cosine")
    assert words(figure) == ["0.00", "1.00", "0.25", "-0.50"] * 2
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), table)
    assert not words(mllm.heat({"wide": np.zeros((2, 9))}, ["a", "b"], list("abcdefghi"), "cosine"))
    with pytest.raises(DataError, match="wide"):
        mllm.heat({"wide": table}, ["a", "b", "c"], ["c", "d"], "cosine")


def test_asking_draws_a_line_per_view_and_token_as_thick_as_its_weight():
    figure = mllm.asking(["sto", "##vael", "hat"], {"picture": [0.1, 0.9, 0.0], "text": [0.2, 0.2, 0.6]})
    lines = figure.axes[0].lines
    assert [line.get_color() for line in lines] == [PICTURE] * 3 + [TEXT] * 3
    widths = [line.get_linewidth() for line in lines]
    assert sorted(range(6), key=widths.__getitem__) == [2, 0, 3, 4, 5, 1]
    assert {"##vael", "picture, aligned", "text, fused"} <= set(words(figure))
    with pytest.raises(DataError, match="picture"):
        mllm.asking(["sto"], {"picture": [0.5, 0.5]})


def test_attention_draws_weights_tokens_and_marks():
    weights = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    tokens = ["[CLS]", "sto", "##vael"]
    figure = mllm.attention([("Stovael", weights, tokens)], ["picture", "text"], [[False, True, True]])
    ax = figure.axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), weights)
    labels = ax.get_xticklabels()
    assert [t.get_text() for t in labels] == tokens
    assert [t.get_fontweight() == "bold" for t in labels] == [False, True, True]
    with pytest.raises(DataError, match="Stovael"):
        mllm.attention([("Stovael", weights, tokens[:2])], ["picture", "text"])


def test_sweep_draws_each_curve_over_the_settings():
    figure = mllm.sweep(
        [0.1, 0.2, 0.4], {"recall": {"a": [1, 2, 3], "b": [3, 2, 1]}, "loss": {"a": [0, 0, 1]}}, "τ", 0.2
    )
    first, second = figure.axes
    assert [line.get_ydata().tolist() for line in first.lines[1:]] == [[1, 2, 3], [3, 2, 1]]
    assert first.lines[1].get_marker() != first.lines[2].get_marker()
    assert second.get_ylabel() == "loss" and second.get_xscale() == "log"
    assert second.lines[0].get_xdata()[0] == 0.2


def two_views(n=40, groups=4, seed=0):
    rng = np.random.default_rng(seed)
    centres = 3 * rng.standard_normal((groups, 16))
    code = np.arange(n) % groups
    return centres[code] + 0.1 * rng.standard_normal((2, n, 16)), code


def test_the_map_is_repeatable_and_keeps_neighbours_together():
    (picture, text), code = two_views()
    threads = torch.get_num_threads()
    xy, other = embeddings.two_dimensions(picture, text, seed=3)
    assert torch.get_num_threads() == threads
    again, _ = embeddings.two_dimensions(picture, text, seed=3)
    np.testing.assert_array_equal(xy, again)
    assert xy.shape == other.shape == (40, 2)
    distance = np.linalg.norm(xy[:, None] - other[None], axis=2)
    assert (code[distance.argmin(1)] == code).mean() > 0.9
    with pytest.raises(DataError, match="at least 5"):
        embeddings.two_dimensions(picture[:4], text[:4])


def test_umap_panels_join_the_views_and_name_the_groups():
    near, far = np.random.default_rng(0).random((2, 12, 2)), np.full((12, 2), 9.0)
    names = ["hat", "cup", "bag"] * 4
    figure = embeddings.umap_panels({"before": (near[0], near[1] + far), "after": (near[0], near[0])}, names)
    before, after = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["before", "after"]
    assert len(before.lines) == 12
    np.testing.assert_array_equal(before.lines[3].get_xydata(), [near[0, 3], near[1, 3] + far[3]])
    assert [len(c.get_offsets()) for c in before.collections] == [12, 12]
    assert sorted(words(figure)) == sorted([*["hat", "cup", "bag"] * 2, "hat", "cup", "bag"])
    assert len({tuple(c) for c in after.collections[0].get_facecolors()}) == 3
    plain = embeddings.umap_panels({"all": (near[0], near[1])})
    assert not words(plain)
