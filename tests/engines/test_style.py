"""Looks: enough themes, legible everywhere, and a palette whose names survive jitter, paper and each other."""

import itertools

import cv2
import numpy as np
import pytest

from engines.base import Engine, Style
from engines.canvas import FONTS
from engines.style import COLOURS, JITTER, PALETTE, THEMES, colour_of, theme_of


def lab(colours):
    """CIELAB of colours 0..255: float [n, 3]."""
    return cv2.cvtColor(np.float32(colours).reshape(1, -1, 3) / 255, cv2.COLOR_RGB2LAB)[0].astype(float)


def ciede2000(one, other):
    """Colour difference of CIE 142-2001, after Sharma, Wu and Dalal (2005); float [n, 3] each in CIELAB."""
    (l1, a1, b1), (l2, a2, b2) = one.T, other.T
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean**7 / (mean**7 + 25.0**7))
    (c1, h1), (c2, h2) = ((np.hypot(stretch * a, b), np.arctan2(b, stretch * a)) for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    light, chroma, hue = (l1 + l2) / 2, (c1 + c2) / 2, np.degrees(h1 + turn / 2)
    weight = 1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.2 * _cos(4 * hue - 63)
    part_l = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    part_c = (c2 - c1) / (1 + 0.045 * chroma)
    part_h = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2) / (1 + 0.015 * chroma * weight)
    lean = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    lean = lean * np.sin(np.radians(60 * np.exp(-((((hue % 360) - 275) / 25) ** 2))))
    return np.sqrt(part_l**2 + part_c**2 + part_h**2 + lean * part_c * part_h)


def _cos(degrees):
    return np.cos(np.radians(degrees))


def test_the_measure_agrees_with_published_pairs():
    one = np.array([[50, 2.6772, -79.7751], [50, 2.5, 0], [60.2574, -34.0099, 36.2677], [2.0776, 0.0795, -1.135]])
    other = np.array([[50, 0, -82.7485], [73, 25, -18], [60.4626, -34.1751, 39.4387], [0.9033, -0.0636, -0.5514]])
    assert ciede2000(one, other) == pytest.approx([2.0425, 27.1492, 1.2644, 0.9082], abs=1e-3)


def test_palette_colours_are_far_apart_whatever_their_jitter():
    corners = np.array(list(itertools.product((-JITTER, 0, JITTER), repeat=3)))
    shades = {name: lab(np.clip(np.array(PALETTE[name]) + corners, 0, 255)) for name in COLOURS}
    for one, other in itertools.combinations(COLOURS, 2):
        pairs = [np.broadcast_arrays(a, shades[other]) for a in shades[one]]
        assert min(ciede2000(*pair).min() for pair in pairs) >= 20, (one, other)


def test_palette_colours_stand_out_from_every_paper():
    papers = lab([paper for theme in THEMES for paper in (theme.background, theme.panel)])
    for name in COLOURS:
        assert ciede2000(*np.broadcast_arrays(lab([PALETTE[name]]), papers)).min() >= 20, name


def test_every_engine_has_all_themes_and_the_last_is_held_out():
    fields = Engine.__dataclass_fields__
    assert fields["themes"].default == len(THEMES) >= 6 and fields["held_out_themes"].default == 1
    assert len(set(THEMES)) == len(THEMES)
    assert [theme_of(Style(index, 0)) for index in range(len(THEMES))] == list(THEMES)


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_can_be_read(theme):
    light = lab([theme.background, theme.panel, theme.ink, theme.faint])[:, 0]
    assert theme.font in FONTS and 0.8 <= theme.line_scale <= 1.5 and 0 <= theme.wobble_px <= 1
    assert min(light[0], light[1]) - light[2] >= 55  # ink on paper
    assert light[1] - light[3] >= 12  # secondary lines are seen, and are not ink
    assert light[3] - light[2] >= 30


def test_a_style_paints_a_name_in_one_shade_near_its_own():
    shades = {colour_of("red", Style(0, seed)) for seed in range(50)}
    assert len(shades) > 30 and colour_of("red", Style(0, 3)) == colour_of("red", Style(5, 3))
    assert all(max(abs(a - b) for a, b in zip(shade, PALETTE["red"], strict=True)) <= JITTER for shade in shades)
