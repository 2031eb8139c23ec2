"""How pictures look: themes (paper, ink, type) and the palette of colours that may be named in a question.

The palette's colours stay apart under the photograph stage: every pair differs by at least 20 in CIE76, also on every
theme's background. The last theme is held out for test_d. Nothing here changes an answer.
"""

from typing import NamedTuple

from engines.base import Style, make_rng
from engines.canvas import Colour

# In the order in which levels take them into use: the first are the easiest to tell apart.
PALETTE: dict[str, Colour] = {
    "red": (218, 32, 40),
    "blue": (32, 84, 214),
    "green": (34, 150, 62),
    "yellow": (246, 208, 22),
    "black": (22, 22, 24),
    "purple": (132, 48, 172),
    "orange": (246, 124, 12),
    "cyan": (34, 190, 214),
    "pink": (246, 128, 192),
    "brown": (122, 72, 34),
}
COLOURS = tuple(PALETTE)
JITTER = 10  # per channel, so that a colour is a region and not one value


class Theme(NamedTuple):
    """Colours and type of one look."""

    background: Colour
    panel: Colour  # fill of boards and plot areas
    ink: Colour  # text and main lines
    faint: Colour  # secondary lines
    font: str  # a name of `engines.canvas.FONTS`
    line_scale: float  # multiplies line widths


THEMES = (
    Theme((255, 255, 255), (255, 255, 255), (30, 30, 34), (176, 176, 184), "sans", 1.0),
    Theme((250, 244, 228), (255, 251, 240), (58, 44, 34), (190, 176, 152), "sans-bold", 1.2),
    Theme((228, 236, 246), (246, 249, 254), (22, 38, 72), (160, 176, 198), "sans", 1.35),
    Theme((222, 226, 218), (234, 238, 228), (28, 50, 40), (158, 172, 158), "serif", 1.15),
)


def theme_of(style: Style) -> Theme:
    """The theme of a style."""
    return THEMES[style.theme % len(THEMES)]


def colour_of(name: str, style: Style) -> Colour:
    """A palette colour as this style paints it: slightly different in every picture."""
    jitter = make_rng("colour", name, style.rng_seed).integers(-JITTER, JITTER + 1, size=3)
    red, green, blue = (int(min(255, max(0, base + move))) for base, move in zip(PALETTE[name], jitter, strict=True))
    return red, green, blue
