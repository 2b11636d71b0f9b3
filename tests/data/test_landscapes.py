"""Landscapes: square, different each time, the same for the same random state."""

from __future__ import annotations

import numpy as np

from dmesr_core.data.landscapes import landscape


def test_the_random_state_decides_the_picture():
    rng = np.random.default_rng(0)
    first, second, again = landscape(rng, 32), landscape(rng, 32), landscape(np.random.default_rng(0), 32)
    assert first.size == (32, 32) and first.mode == "RGB"
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
