"""Texts of users in every plot: drawn as they are, whatever their signs, script and length, and without a warning."""

from __future__ import annotations

import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from dmesr_core.data.catalogue import Catalogue
from dmesr_core.plots import (
    ablations,
    backbones,
    bazaar,
    comparisons,
    data,
    embeddings,
    mistakes,
    mllm,
    results,
    speed,
    tiny_mllm,
)

TEXTS = {
    "signs": "Ba$$in $x_{1$ <b>|`東م🙂\x07\x00\ufffe",
    "long": "one\r\ntwo\tthree " + "very long title " * 60 + "x" * 500,
    "empty": " \n",
}
INTERVAL = (0.2, 0.1, 0.3)
PICTURE = Image.new("RGB", (8, 8), "red")


def catalogue_of(text):
    return Catalogue(("a", "b"), (text, "plain"), (text, text), (None, None))


def draw_comparisons(draw, **options):
    return lambda t: draw({t: {t: {t: INTERVAL, "b": INTERVAL}}}, t, **options)


SQUARE = np.full((2, 2), 0.5)
VIEWS = np.arange(8.0).reshape(4, 2)
PLOTS = {
    "rows": lambda t: data.picture_rows([[data.Tile(PICTURE, t, label=t), data.Tile(None, t)]], [t], lines=3),
    "grid": lambda t: data.picture_grid(catalogue_of(t), [1, 2]),
    "card": lambda t: data.product_card(PICTURE, t, t),
    "case": lambda t: data.picture_rows(
        [mistakes.labelled_tiles(catalogue_of(t), [(1, t)], (2, t), [(1, t)], lambda k: t)]
    ),
    "timelines": lambda t: data.split_timelines(
        [np.arange(3.0)], {t: [np.array(["train", "valid", "test"])]}, {t: [1.5]}, unit=t
    ),
    "tail": lambda t: data.long_tail(np.arange(1, 900), {t: {t: 0.5, "b": 0.5}}),
    "learning": lambda t: data.learning_curve([2.0, 1.0], [0.1, 0.2], 1, metric=t),
    "sampled": lambda t: data.sampled_hit_rates([10, 20], {t: [0.5, 0.4]}, {t: 0.1}, k=10),
    "umap": lambda t: embeddings.umap_panels({t[:9]: (VIEWS, VIEWS + 1)}, [t, "b", t, "b"]),
    "heatmaps": lambda t: mllm.heatmaps({"probes": SQUARE}, [t, "b"], [t, "b"], "accuracy"),
    "bars": lambda t: mllm.grouped_bars({t[:40]: [0.5, 0.2]}, [t, "b"], t[:40], None, [0.1, 0.2], t[:40]),
    "model": lambda t: mllm.model_diagram(PICTURE, f"{t} a", f"{t} b"),
    "cards": lambda t: mllm.item_cards([PICTURE, None], [{t: t, "picture": t}, {"text": t}], {t: "red"}),
    "cross": lambda t: mllm.cross_attention_diagram([t, "b"], {t[:40]: [0.5, 0.5], "b": [0.1, 0.9]}),
    "attention": lambda t: mllm.attention_maps([(t, np.full((8, 2), 0.5), [t, "b"])], "abcdefgh", [[True, False]]),
    "settings": lambda t: mllm.setting_curves([0.1, 1.0], {t: {t: [1, 2], "b": [2, 3]}}, t, 0.1),
    "scores": lambda t: results.normalised_scores({t: INTERVAL, "b": (0.5, 0.4, 0.6)}, t, "b", t),
    "differences": lambda t: results.paired_differences({t: INTERVAL}, t, t),
    "groups": lambda t: results.scores_by_group({t: {t: INTERVAL}}, t, {t: 3}),
    "curves": lambda t: results.training_curves({t: [[0.1, 0.2]]}, t),
    "compared scores": draw_comparisons(comparisons.scores),
    "compared differences": draw_comparisons(comparisons.paired_differences),
    "protocols": lambda t: comparisons.protocol_comparison({t: {t: (0.1, 0.2), "b": (0.2, 0.1)}}, t, t),
    "components": lambda t: ablations.component_table({t: [t]}, [t, "b"], {t: INTERVAL}, t, {t: t}),
    "sensitivity": lambda t: ablations.sensitivity({t: {1.0: INTERVAL, 2.0: INTERVAL}}, {t: 1.0}, t),
    "amounts": lambda t: comparisons.differences_by_amount({t: {t: {1.5: INTERVAL, 3.0: INTERVAL}}}, t, t),
    "probes": lambda t: ablations.probe_heatmaps({t: {t[:9]: {t[:9]: 0.5}}}, {t[:9]: [t[:9]]}),
    "shares": lambda t: ablations.stacked_shares({t: {t: 0.4, "b": 0.6}}, {t: 5}),
    "influence": lambda t: backbones.influence_maps({t: SQUARE}),
    "ratios": lambda t: speed.ratios({t: {t: (2.0, 1.0, 9.0)}}, t, {t: 2.0}),
    "split": lambda t: tiny_mllm.split_map({t: np.zeros((9, 9), int)}, [t[:9]] * 9, [t[:9]] * 9, [t, "b"]),
    "stages": lambda t: tiny_mllm.stage_losses([(0, 0, 3.0), (0, 1, 0.001)], {0: t}),
}


def ticks(figure):
    """The texts of all tick labels, also of those that a formatter writes."""
    figure.canvas.draw()
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    return [label.get_text() for axis in axes for label in axis.get_ticklabels(which="both")]


# Plots of titles, words, descriptions, and facts with their values; the others name models, data sets and settings.
OF_DATA = ("rows", "grid", "card", "case", "umap", "heatmaps", "bars", "model", "cards", "cross", "attention")
CASES = [(plot, text) for plot in PLOTS for text in TEXTS if text != "long" or plot in OF_DATA]


@pytest.mark.parametrize(("plot", "text"), CASES)
def test_any_text_is_drawn(plot, text, tmp_path):
    draw, text = PLOTS[plot], TEXTS[text]
    with warnings.catch_warnings(record=True) as caught, mpl.rc_context(mpl.rcParamsDefault):
        warnings.simplefilter("always")
        figure = draw(text)
        figure.savefig(tmp_path / "a.png", bbox_inches="tight", dpi=40)  # as notebooks do, long after it was made
        width, height = figure.get_size_inches()
    assert [str(w.message) for w in caught] == []
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.width < 40 * 3 * width and drawn.height < 40 * 3 * height  # long texts are cut


@pytest.mark.parametrize("draw", PLOTS.values(), ids=PLOTS)
def test_numbers_on_axes_are_not_written_as_formulas(draw):
    assert not [tick for tick in ticks(draw("a")) if "$" in tick]


@pytest.mark.parametrize("draw", [backbones.backbone_diagrams, bazaar.hidden_markov_model])
def test_formulas_of_diagrams_are_drawn_as_formulas(draw):
    with mpl.rc_context(mpl.rcParamsDefault):
        found = [text for text in draw().findobj(Text) if "$" in text.get_text()]
    assert len(found) > 3 and all(text.get_parse_math() for text in found)
