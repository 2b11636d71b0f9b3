"""Small drawn landscapes: pictures that show no product of any shop, for models that know nothing else."""

from __future__ import annotations

import numpy as np
from PIL import Image


def landscape(rng: np.random.Generator, side: int = 128) -> Image.Image:
    """A sky, a sun and a hill in random colours, `side` pixels square."""
    y, x = np.mgrid[0:side, 0:side] / side
    top, low, hill = rng.integers(40, 230, (3, 3))
    out = top + (low - top) * y[..., None]
    cx, cy, size = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.4), rng.uniform(0.05, 0.12)
    out[(x - cx) ** 2 + (y - cy) ** 2 < size**2] = (255, 240, 180)
    out[y > 0.7 + 0.1 * np.sin(x * rng.uniform(4, 9))] = hill
    return Image.fromarray(out.astype(np.uint8))
