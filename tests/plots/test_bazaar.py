"""Plots of the Bazaar's process draw what they are given, and refuse wrong shapes."""

import numpy as np
import pytest
from PIL import Image

from dmesr_core.errors import DataError
from dmesr_core.plots import bazaar

RED = Image.new("RGB", (20, 20), (200, 20, 20))


def test_the_hidden_markov_model_shows_types_above_purchases():
    fig = bazaar.hidden_markov_model([RED, RED], steps=4)
    (ax,) = fig.axes
    texts = [t.get_text() for t in ax.texts]
    assert [f"$z_{{{t}}}$" in texts for t in (1, 2, 3, 4)] == [True] * 4
    assert "$x_{3}$" in texts and "?" in texts and "$x_{1}$" not in texts
    assert sum(bool(inset.images) for inset in ax.child_axes) == 2
    with pytest.raises(DataError, match="fewer pictures than steps"):
        bazaar.hidden_markov_model([RED] * 4, steps=4)


def test_the_belief_map_shows_each_belief_and_the_picture_that_led_to_it():
    belief = np.array([[0.5, 0.5, 0.0], [0.2, 0.7, 0.1]])
    fig = bazaar.belief_map(belief, [RED])
    above, ax, _ = fig.axes
    np.testing.assert_allclose(ax.collections[0].get_array(), belief.T)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["1", "2", "3"]
    assert not ax.yaxis_inverted()
    assert len(above.child_axes) == 1 and above.child_axes[0].images
    with pytest.raises(DataError, match="one row more"):
        bazaar.belief_map(belief, [RED, RED])
    with pytest.raises(DataError, match="sum to 1"):
        bazaar.belief_map(2 * belief, [RED])


def test_launches_are_drawn_week_by_week():
    fig = bazaar.launches(np.array([5, 5, 8]), np.array([1, 4, 2]))
    left, right = fig.axes
    assert left.lines[0].get_ydata().tolist() == [5, 5, 8] and left.get_ylim()[0] == 0
    assert [bar.get_height() for bar in right.patches] == [1, 4, 2]
    with pytest.raises(DataError, match="do not fit"):
        bazaar.launches(np.ones(3), np.ones(2))
