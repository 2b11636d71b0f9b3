"""Draw a product on a pastel ground, as a pure function of its facts and a random generator.

The picture is drawn `SUPERSAMPLE` times larger and scaled down, which smooths the edges. Position, size, tilt, ground
and the phase of the pattern vary; the outlines come from `silhouettes`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from dmesr_core.data.bazaar.facts import COLOURS, PATTERNS
from dmesr_core.data.bazaar.silhouettes import SILHOUETTES, Part
from dmesr_core.errors import SettingsError
from dmesr_core.provenance import hash_of_statements

SUPERSAMPLE = 3
# Neutral paints (RGB); those of large areas are not close to the colour of any product.
PAINTS = {
    "cream": (252, 246, 232),
    "metal": (104, 100, 104),
    "wood": (178, 138, 100),
    "ink": (62, 58, 66),
    "leaf": (150, 164, 136),
}
GROUNDS = ((250, 243, 230), (240, 244, 248), (246, 240, 246), (240, 246, 238), (250, 240, 236), (244, 242, 236))
CREAM = (255, 250, 240)
BLACK = (30, 24, 34)


def drawing_version() -> str:
    """Hash of the code that draws, without comments and docstrings; stored pictures of another version are stale."""
    here = Path(__file__).parent
    names = ("drawing.py", "silhouettes.py", "facts.py")
    return hash_of_statements((here / name).read_text(encoding="utf-8") for name in names)


def _mix(a: tuple, b: tuple, share: float) -> tuple[int, int, int]:
    """Colour `a` with a share of colour `b` (0..1) mixed in."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))


@cache
def _parts(category: str, shape: str) -> tuple[Part, ...]:
    if (category, shape) not in SILHOUETTES:
        known = ", ".join(f"{c}/{s}" for c, s in SILHOUETTES)
        raise SettingsError(f"cannot draw category {category!r} with shape {shape!r}: known are {known}")
    return tuple(SILHOUETTES[category, shape]())


def _stripes(pitch: float, share: float, shift: float) -> list[np.ndarray]:
    """Vertical bars over the unit square, each (4, 2); one per `pitch`, as wide as a `share` of it."""
    starts = np.arange(-1.3 - pitch, 1.3, pitch) + shift * pitch
    return [np.array([(x, -1.4), (x + share * pitch, -1.4), (x + share * pitch, 1.4), (x, 1.4)]) for x in starts]


def _dots(pitch: float, phase: np.ndarray) -> np.ndarray:
    """Centres of dots in staggered rows, (n, 2)."""
    x, row = np.meshgrid(np.arange(-1.3, 1.4, pitch), np.arange(int(2.8 / (0.87 * pitch))))
    x, y = x + pitch * (phase[0] + 0.5 * (row % 2)), -1.3 + 0.87 * pitch * (row + phase[1])
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def draw_marks(pattern: str, size: tuple, place, scale: float, pitch: float, phase: np.ndarray) -> Image.Image:
    """The pattern as a mask of `size`, with period `pitch` (unit coordinates), shifted by `phase` (2,) periods."""
    marks = Image.new("L", size, 0)
    pen = ImageDraw.Draw(marks)
    if pattern == "dotted":
        r = 0.27 * pitch * scale
        for x, y in place(_dots(pitch, phase)):
            if -r < x < size[0] + r and -r < y < size[1] + r:
                pen.ellipse([x - r, y - r, x + r, y + r], fill=255)
        return marks
    share, pitch = (0.42, pitch) if pattern == "striped" else (0.5, 1.1 * pitch)
    for bar in _stripes(pitch, share, phase[0]):
        pen.polygon(place(bar), fill=255)
    if pattern == "checked":  # horizontal bars, without the crossings of both kinds
        across = Image.new("L", size, 0)
        pen = ImageDraw.Draw(across)
        for bar in _stripes(pitch, share, phase[1]):
            pen.polygon(place(bar[:, ::-1]), fill=255)
        marks = ImageChops.difference(marks, across)
    return marks


def draw(
    category: str, colour: str, pattern: str, shape: str, rng: np.random.Generator, size: int = 128
) -> Image.Image:
    """The picture of one product, an RGB image of `size` × `size` pixels; equal generators give equal bytes.

    Raises:
        SettingsError: an unknown category, colour, pattern or shape.
    """
    parts = _parts(category, shape)
    if colour not in COLOURS:
        raise SettingsError(f"cannot draw in colour {colour!r}: choose one of {', '.join(COLOURS)}")
    if pattern not in PATTERNS:
        raise SettingsError(f"cannot draw pattern {pattern!r}: choose one of {', '.join(PATTERNS)}")
    big = size * SUPERSAMPLE
    tilt = np.radians(rng.uniform(-7, 7))
    scale = big * 0.5 * rng.uniform(0.76, 0.92)
    centre = big * (0.5 + rng.uniform(-0.04, 0.04, 2))
    turn = scale * np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    base = tuple(int(c) for c in np.clip(np.array(COLOURS[colour]) + rng.integers(-7, 8, 3), 0, 255))
    ground = tuple(int(c) for c in np.array(GROUNDS[rng.integers(len(GROUNDS))]) + rng.integers(-5, 6, 3))
    pitch, phase = rng.uniform(0.29, 0.35), rng.uniform(0, 1, 2)

    def place(points: np.ndarray) -> list[tuple[float, float]]:
        return list(map(tuple, (points @ turn.T + centre).tolist()))

    picture = Image.new("RGB", (big, big), ground)
    pen = ImageDraw.Draw(picture)
    halo = 0.92 * scale
    pen.ellipse([*(centre - halo), *(centre + halo)], fill=_mix(ground, (255, 255, 255), 0.55))
    lowest = max(float(part.points[:, 1].max()) for part in parts)
    x, y, reach = centre[0], centre[1] + lowest * scale, 0.74 * scale
    pen.ellipse([x - reach, y - 0.09 * scale, x + reach, y + 0.09 * scale], fill=_mix(ground, BLACK, 0.13))

    outline = _mix(base, BLACK, 0.66)
    line = max(1, round(0.03 * scale))
    paint = {**PAINTS, "body": base, "trim": _mix(base, BLACK, 0.2), "dark": _mix(base, BLACK, 0.32)}
    for part in parts:
        points = place(part.points)
        if part.width:
            _thick_line(pen, points, part.width * scale + 2 * line, outline)
            _thick_line(pen, points, part.width * scale, paint[part.paint])
            continue
        if part.paint == "body":
            _fill_body(picture, points, base, (pattern, pitch, phase), place, scale)
        else:
            pen.polygon(points, fill=paint[part.paint])
        pen.line([*points, *points[:2]], fill=outline, width=line, joint="curve")
    return picture.resize((size, size), Image.Resampling.BOX)


def _thick_line(pen: ImageDraw.ImageDraw, points: list, width: float, fill: tuple) -> None:
    """A line with round ends."""
    pen.line(points, fill=fill, width=round(width), joint="curve")
    for x, y in (points[0], points[-1]):
        pen.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=fill)


def _fill_body(picture: Image.Image, points: list, base: tuple, pattern: tuple, place, scale: float) -> None:
    """Fill the outline with the colour, the pattern in a lighter tone, a darker right edge and a lighter left one.

    `pattern` is (name, pitch, phase). Only the bounding box of the outline is computed, which halves the time.
    """
    xs, ys = zip(*points, strict=True)
    left, top = max(0, int(min(xs))), max(0, int(min(ys)))
    size = (int(max(xs)) + 2 - left, int(max(ys)) + 2 - top)
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], fill=255)
    picture.paste(base, (left, top), mask)
    if pattern[0] != "plain":
        marks = draw_marks(pattern[0], size, lambda p: [(x - left, y - top) for x, y in place(p)], scale, *pattern[1:])
        picture.paste(_mix(base, CREAM, 0.72), (left, top), ImageChops.darker(mask, marks))
    # A crescent on each side: the mask minus the same mask, shifted.
    step = round(0.13 * scale)
    for shift, tone, strength in ((-step, BLACK, 0.16), (step, (255, 255, 255), 0.22)):
        shifted = Image.new("L", size, 0)
        shifted.paste(mask, (shift, 0))
        crescent = ImageChops.subtract(mask, shifted)
        picture.paste(tone, (left, top), crescent.point([int(v * strength) for v in range(256)]))
