"""How pictures look: themes (paper, ink, type) and the palette of colours that may be named in a question.

Any two colours of the palette differ by at least 20 in CIEDE2000, jitter included, and stand out from the paper of
every theme; the photograph stage keeps their names apart. The last theme is held out for test_d. Nothing here changes
an answer.
"""

import functools
from typing import NamedTuple

from engines.base import Style, make_rng
from engines.canvas import Colour

# In the order in which levels take them into use: the first are the easiest to tell apart.
PALETTE: dict[str, Colour] = {
    "red": (230, 26, 38),
    "blue": (22, 95, 216),
    "green": (34, 150, 62),
    "yellow": (250, 216, 30),
    "black": (22, 22, 24),
    "purple": (152, 38, 162),
    "orange": (252, 136, 10),
    "cyan": (34, 190, 214),
    "pink": (252, 144, 200),
    "brown": (112, 78, 34),
}
COLOURS = tuple(PALETTE)
# Colours of which people call one by the other's name where they do not see both.
ALIKE = {"blue": "cyan", "cyan": "blue"}
JITTER = 4  # per channel, so that a colour is a region and not one value


class Theme(NamedTuple):
    """Colours and type of one look."""

    background: Colour
    panel: Colour  # fill of boards and plot areas
    ink: Colour  # text and main lines
    faint: Colour  # secondary lines
    font: str  # a name of `engines.canvas.FONTS`
    line_scale: float  # multiplies line widths
    wobble_px: float = 0.0  # for `Canvas`: how far lines stray, as if drawn by hand


THEMES = (
    Theme((255, 255, 255), (255, 255, 255), (30, 30, 34), (176, 176, 184), "sans", 1.0),
    Theme((250, 244, 228), (255, 251, 240), (58, 44, 34), (190, 176, 152), "sans-bold", 1.2),
    Theme((228, 236, 246), (246, 249, 254), (22, 38, 72), (160, 176, 198), "sans", 1.35),
    Theme((255, 255, 255), (255, 255, 255), (16, 16, 16), (186, 186, 186), "modern", 0.9),  # a paper set in TeX
    Theme((252, 249, 240), (252, 249, 240), (34, 28, 24), (186, 180, 166), "times", 1.0),  # a schoolbook
    Theme((236, 238, 240), (250, 250, 250), (40, 44, 52), (170, 176, 184), "mono", 1.1),  # a screen
    Theme((251, 250, 244), (251, 250, 244), (26, 38, 96), (172, 186, 210), "sans-italic", 1.25, 0.7),  # a notebook
    Theme((222, 226, 218), (234, 238, 228), (28, 50, 40), (158, 172, 158), "serif", 1.15),
)


def theme_of(style: Style) -> Theme:
    """The theme of a style."""
    return THEMES[style.theme % len(THEMES)]


@functools.lru_cache(maxsize=512)
def colour_of(name: str, style: Style) -> Colour:
    """A palette colour as this style paints it: slightly different in every picture."""
    jitter = make_rng("colour", name, style.rng_seed).integers(-JITTER, JITTER + 1, size=3)
    red, green, blue = (int(min(255, max(0, base + move))) for base, move in zip(PALETTE[name], jitter, strict=True))
    return red, green, blue


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """A colour on the way from one to another."""
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
