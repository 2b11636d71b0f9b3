"""The outline of every product: 12 categories, two shapes each, as simple parts in a unit square.

Coordinates run from -1 to 1, x to the right and y downwards; a product stands on y = 0.8. A part is a closed outline
or a thick line. Its `paint`: "body" has the colour and pattern of the product, "trim" and "dark" are darker tones of
the colour, the other names are fixed neutral colours (see `drawing.PAINTS`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Part:
    """One piece of a product."""

    paint: str  # "body", "trim", "dark" or the name of a neutral colour
    points: np.ndarray  # (n, 2) float, unit coordinates
    width: float = 0.0  # 0: a filled outline; above 0: an open line of this thickness


def _smooth(points: list, closed: bool = True, steps: int = 7) -> np.ndarray:
    """A smooth curve through the points (Catmull-Rom spline), (n * steps, 2)."""
    p = np.asarray(points, dtype=float)
    around = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (around[i : len(around) - 3 + i, None] for i in range(4))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, p[-1:]])


def _ellipse(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> np.ndarray:
    """An ellipse, or the arc of it between two angles in degrees (0 = right, 90 = down)."""
    angle = np.radians(np.linspace(start, end, 41))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def _box(x0: float, y0: float, x1: float, y1: float, r: float) -> np.ndarray:
    """A box with corners rounded by radius `r`."""
    corners = ((x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180), (x1 - r, y0 + r, 270))
    return np.concatenate([_ellipse(x, y, r, r, a, a + 90)[::8] for x, y, a in corners])


def _turned(profile: list) -> np.ndarray:
    """A symmetric outline from (y, radius) pairs, top to bottom, smoothed and mirrored."""
    right = _smooth([(r, y) for y, r in profile], closed=False)
    return np.concatenate([right, right[::-1] * (-1, 1)])


def _poly(*points) -> np.ndarray:
    return np.asarray(points, dtype=float)


def _teapot_round() -> list[Part]:
    return [
        Part("trim", _smooth([(0.5, -0.08), (0.86, -0.1), (0.88, 0.28), (0.5, 0.42)], closed=False), 0.11),
        Part("trim", _poly((-0.4, 0.42), (-0.62, 0.14), (-0.76, -0.2), (-0.94, -0.24), (-0.84, 0.26), (-0.44, 0.6))),
        Part("trim", _ellipse(0, -0.5, 0.1, 0.1)),
        Part("body", _ellipse(0, 0.22, 0.62, 0.57)),
        Part("trim", _ellipse(0, -0.28, 0.34, 0.15)),
    ]


def _teapot_tall() -> list[Part]:
    return [
        Part("trim", _smooth([(0.3, -0.5), (0.74, -0.48), (0.7, 0.2), (0.4, 0.4)], closed=False), 0.11),
        Part("trim", _poly((-0.3, 0.42), (-0.55, -0.02), (-0.62, -0.42), (-0.8, -0.48), (-0.76, 0.04), (-0.36, 0.66))),
        Part("trim", _ellipse(0, -0.86, 0.09, 0.09)),
        Part("body", _poly((-0.29, -0.62), (0.29, -0.62), (0.48, 0.72), (0.42, 0.8), (-0.42, 0.8), (-0.48, 0.72))),
        Part("trim", _ellipse(0, -0.63, 0.32, 0.15)),
    ]


def _cup_straight() -> list[Part]:
    return [
        Part("trim", _smooth([(0.36, -0.26), (0.8, -0.26), (0.8, 0.42), (0.36, 0.42)], closed=False), 0.13),
        Part("body", _box(-0.5, -0.52, 0.44, 0.8, 0.12)),
        Part("dark", _ellipse(-0.03, -0.5, 0.47, 0.11)),
    ]


def _cup_flared() -> list[Part]:
    return [
        Part("trim", _ellipse(0, 0.66, 0.86, 0.14)),
        Part("trim", _smooth([(0.5, -0.12), (0.9, -0.2), (0.74, 0.24), (0.34, 0.36)], closed=False), 0.09),
        Part("body", _turned([(-0.36, 0.72), (0.0, 0.62), (0.36, 0.44), (0.6, 0.24), (0.66, 0.24)])),
        Part("dark", _ellipse(0, -0.36, 0.72, 0.13)),
    ]


def _bowl_deep() -> list[Part]:
    return [
        Part("trim", _poly((-0.3, 0.6), (0.3, 0.6), (0.36, 0.8), (-0.36, 0.8))),
        Part("body", _ellipse(0, -0.38, 0.72, 1.08, 0, 180)),
        Part("dark", _ellipse(0, -0.38, 0.72, 0.19)),
    ]


def _bowl_shallow() -> list[Part]:
    return [
        Part("trim", _poly((-0.34, 0.52), (0.34, 0.52), (0.42, 0.68), (-0.42, 0.68))),
        Part("body", _ellipse(0, 0.02, 0.95, 0.58, 0, 180)),
        Part("dark", _ellipse(0, 0.02, 0.95, 0.2)),
    ]


def _sprig(y: float) -> list[Part]:
    """Three twigs with leaves, coming out of a vase whose mouth is at height `y`."""
    parts = []
    for x, top in ((-0.24, -0.3), (0.02, -0.42), (0.26, -0.26)):
        parts.append(Part("leaf", _poly((0, y), (x * 0.6, y + top * 0.6), (x, y + top)), 0.035))
        parts.append(Part("leaf", _ellipse(x, y + top, 0.075, 0.115)))
    return parts


def _vase_slim() -> list[Part]:
    profile = [(-0.5, 0.25), (-0.38, 0.19), (-0.2, 0.23), (0.05, 0.34), (0.3, 0.37), (0.56, 0.32), (0.8, 0.23)]
    return [*_sprig(-0.5), Part("body", _turned(profile)), Part("trim", _ellipse(0, -0.5, 0.25, 0.07))]


def _vase_bulbous() -> list[Part]:
    profile = [(-0.36, 0.3), (-0.26, 0.22), (-0.14, 0.32), (0.14, 0.66), (0.42, 0.68), (0.68, 0.48), (0.8, 0.34)]
    return [*_sprig(-0.36), Part("body", _turned(profile)), Part("trim", _ellipse(0, -0.36, 0.31, 0.08))]


def _lamp_foot(top: float) -> list[Part]:
    return [
        Part("metal", _poly((0, top), (0, 0.75)), 0.09),
        Part("metal", _ellipse(0, 0.8, 0.4, 0.26, 180, 360)),
    ]


def _lamp_cone() -> list[Part]:
    return [*_lamp_foot(0), Part("body", _poly((-0.3, -0.82), (0.3, -0.82), (0.72, 0.14), (-0.72, 0.14)))]


def _lamp_globe() -> list[Part]:
    return [
        *_lamp_foot(0.2),
        Part("trim", _box(-0.2, 0.2, 0.2, 0.4, 0.05)),
        Part("body", _ellipse(0, -0.26, 0.58, 0.58)),
    ]


def _clock_face(y: float) -> list[Part]:
    ticks = [
        Part("ink", _ellipse(0.27 * np.cos(a), y + 0.27 * np.sin(a), 0.025, 0.025)) for a in np.arange(4) * np.pi / 2
    ]
    hands = [Part("ink", _poly((0, y), (0.13, y - 0.1)), 0.055), Part("ink", _poly((0, y), (-0.06, y - 0.23)), 0.045)]
    return [Part("cream", _ellipse(0, y, 0.37, 0.37)), *ticks, *hands]


def _clock_round() -> list[Part]:
    bells = [Part("trim", _ellipse(x, -0.66, 0.2, 0.17)) for x in (-0.42, 0.42)]
    feet = [Part("trim", _poly((x, 0.5), (x * 1.3, 0.78)), 0.11) for x in (-0.42, 0.42)]
    return [*bells, *feet, Part("body", _ellipse(0, 0.02, 0.73, 0.73)), *_clock_face(0.02)]


def _clock_square() -> list[Part]:
    feet = [Part("trim", _poly((x, 0.66), (x, 0.78)), 0.14) for x in (-0.46, 0.46)]
    return [*feet, Part("body", _box(-0.7, -0.68, 0.7, 0.7, 0.09)), *_clock_face(0.0)]


def _chair_high() -> list[Part]:
    legs = [Part("wood", _poly((x, 0.2), (x * 1.1, 0.82)), 0.1) for x in (-0.4, 0.4)]
    return [*legs, Part("body", _box(-0.42, -0.9, 0.42, 0.14, 0.16)), Part("trim", _box(-0.52, 0.08, 0.52, 0.32, 0.09))]


def _chair_low() -> list[Part]:
    legs = [Part("wood", _poly((x, 0.5), (x * 1.06, 0.8)), 0.11) for x in (-0.56, 0.56)]
    arms = [Part("trim", _box(s * 0.72 - 0.17, -0.04, s * 0.72 + 0.17, 0.62, 0.14)) for s in (-1, 1)]
    return [
        *legs,
        Part("body", _box(-0.64, -0.4, 0.64, 0.5, 0.2)),
        Part("trim", _box(-0.6, 0.28, 0.6, 0.6, 0.1)),
        *arms,
    ]


def _cushion_square() -> list[Part]:
    edge = [
        (-0.76, -0.72),
        (0, -0.66),
        (0.76, -0.72),
        (0.7, 0.03),
        (0.76, 0.78),
        (0, 0.72),
        (-0.76, 0.78),
        (-0.7, 0.03),
    ]
    tassels = [Part("trim", _ellipse(x, y, 0.1, 0.1)) for x in (-0.78, 0.78) for y in (-0.72, 0.78)]
    return [*tassels, Part("body", _smooth(edge))]


def _cushion_round() -> list[Part]:
    return [
        Part("trim", _ellipse(0, 0.1, 0.8, 0.7)),
        Part("body", _ellipse(0, 0.08, 0.71, 0.61)),
        Part("trim", _ellipse(0, 0.08, 0.1, 0.09)),
    ]


def _bag_tote() -> list[Part]:
    handle = _smooth([(-0.3, -0.2), (-0.27, -0.72), (0, -0.88), (0.27, -0.72), (0.3, -0.2)], closed=False)
    body = _poly((-0.56, -0.24), (0.56, -0.24), (0.72, 0.74), (0.66, 0.8), (-0.66, 0.8), (-0.72, 0.74))
    return [Part("trim", handle, 0.1), Part("body", body), Part("trim", _box(-0.58, -0.3, 0.58, -0.14, 0.04))]


def _bag_backpack() -> list[Part]:
    straps = [Part("trim", _poly((s * 0.46, -0.3), (s * 0.72, 0.0), (s * 0.66, 0.56)), 0.13) for s in (-1, 1)]
    right = [(0.42, -0.6), (0.56, -0.1), (0.56, 0.72)]
    left = [(-x, y) for x, y in reversed(right)]
    return [
        Part("trim", _ellipse(0, -0.74, 0.17, 0.16), 0.09),
        *straps,
        Part("body", _smooth([(0, -0.76), *right, (0, 0.8), *left])),
        Part("trim", _box(-0.36, 0.3, 0.36, 0.7, 0.1)),
        Part("cream", _poly((-0.26, 0.42), (0.26, 0.42)), 0.04),
    ]


def _umbrella_open() -> list[Part]:
    dome = _ellipse(0, 0.08, 0.94, 0.86, 180, 360)
    scallops = [_ellipse(x, 0.08, 0.235, 0.12, 0, -180)[::4] for x in (0.705, 0.235, -0.235, -0.705)]
    hook = [(0, -0.8), (0, 0.66), (0.06, 0.8), (0.18, 0.82), (0.26, 0.72), (0.26, 0.64)]
    return [
        Part("wood", _poly((0, -0.92), (0, -0.7)), 0.06),
        Part("wood", _poly(*hook), 0.075),
        Part("body", np.concatenate([dome, *scallops])),
    ]


def _umbrella_folded() -> list[Part]:
    hook = [(0, -0.4), (0, -0.78), (0.06, -0.9), (0.18, -0.93), (0.28, -0.84), (0.28, -0.72)]
    body = _poly((-0.24, -0.56), (0.24, -0.56), (0.39, -0.3), (0.06, 0.78), (-0.06, 0.78), (-0.39, -0.3))
    return [
        Part("wood", _poly(*hook), 0.085),
        Part("wood", _poly((0, 0.7), (0, 0.9)), 0.06),
        Part("body", body),
        Part("trim", _poly((-0.23, 0.14), (0.23, 0.14)), 0.1),
    ]


def _hat_brimmed() -> list[Part]:
    crown = _poly((-0.46, 0.34), (-0.42, -0.24), (-0.3, -0.5), (0.0, -0.42), (0.3, -0.5), (0.42, -0.24), (0.46, 0.34))
    return [
        Part("trim", _ellipse(0, 0.38, 0.96, 0.24)),
        Part("body", _smooth(list(crown))),
        Part("ink", _smooth([(-0.455, 0.22), (0, 0.32), (0.455, 0.22)], closed=False), 0.13),
    ]


def _hat_beanie() -> list[Part]:
    return [
        Part("cream", _ellipse(0, -0.68, 0.21, 0.2)),
        Part("body", _ellipse(0, 0.36, 0.62, 0.94, 180, 360)),
        Part("trim", _box(-0.7, 0.26, 0.7, 0.62, 0.14)),
    ]


def _boot(top: float, half: float) -> list[Part]:
    left, right = -0.12 - half, -0.12 + half
    body = _poly((left, top), (right, top), (right + 0.02, 0.16), (0.5, 0.26), (0.74, 0.46), (0.76, 0.7), (left, 0.7))
    return [
        Part("ink", _box(left - 0.04, 0.66, 0.8, 0.82, 0.05)),
        Part("body", body),
        Part("trim", _box(left - 0.05, top - 0.06, right + 0.05, top + 0.12, 0.05)),
    ]


def _boot_ankle() -> list[Part]:
    loop = Part("trim", _ellipse(-0.56, -0.2, 0.09, 0.13), 0.06)
    laces = [Part("cream", _poly((0.0, y), (0.26, y + 0.05)), 0.06) for y in (0.0, 0.16)]
    return [loop, *_boot(-0.2, 0.42), *laces]


def _boot_tall() -> list[Part]:
    return _boot(-0.84, 0.36)


SILHOUETTES: dict[tuple[str, str], Callable[[], list[Part]]] = {
    ("teapot", "round"): _teapot_round, ("teapot", "tall"): _teapot_tall,
    ("cup", "straight"): _cup_straight, ("cup", "flared"): _cup_flared,
    ("bowl", "deep"): _bowl_deep, ("bowl", "shallow"): _bowl_shallow,
    ("vase", "slim"): _vase_slim, ("vase", "bulbous"): _vase_bulbous,
    ("lamp", "cone"): _lamp_cone, ("lamp", "globe"): _lamp_globe,
    ("clock", "round"): _clock_round, ("clock", "square"): _clock_square,
    ("chair", "high"): _chair_high, ("chair", "low"): _chair_low,
    ("cushion", "square"): _cushion_square, ("cushion", "round"): _cushion_round,
    ("bag", "tote"): _bag_tote, ("bag", "backpack"): _bag_backpack,
    ("umbrella", "open"): _umbrella_open, ("umbrella", "folded"): _umbrella_folded,
    ("hat", "brimmed"): _hat_brimmed, ("hat", "beanie"): _hat_beanie,
    ("boot", "ankle"): _boot_ankle, ("boot", "tall"): _boot_tall,
}  # fmt: skip
