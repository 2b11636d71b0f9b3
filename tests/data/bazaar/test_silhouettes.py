"""The outlines: two per category, with paints that the drawing knows."""

from __future__ import annotations

import numpy as np

from dmesr_core.data.bazaar.drawing import PAINTS
from dmesr_core.data.bazaar.facts import SHAPES
from dmesr_core.data.bazaar.silhouettes import SILHOUETTES


def test_every_category_has_its_two_shapes():
    assert set(SILHOUETTES) == {(c, s) for c, pair in SHAPES.items() for s in pair}


def test_parts_stay_near_the_unit_square_and_have_known_paints():
    for key, outline in SILHOUETTES.items():
        parts = outline()
        assert {part.paint for part in parts} <= {"body", "trim", "dark", *PAINTS}, key
        assert any(part.paint == "body" and not part.width for part in parts), key  # where the pattern is drawn
        for part in parts:
            assert part.points.ndim == 2 and part.points.shape[1] == 2
            assert np.abs(part.points).max() < 1.05, key
