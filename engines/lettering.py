"""Letters as grey masks, from the open fonts that matplotlib carries: DejaVu, STIX, Computer Modern.

A text is rasterised once at `OVERSAMPLE` times its size, reduced, and kept; writing it again costs one blend. Sizes are
normalised: whatever the font, small letters are `X_HEIGHT` of the given height, and digits `DIGIT` of it in texts that
have no small letters, so that legibility and layout do not depend on the look. No font is proprietary: their licences
lie beside them.
"""

import functools
import importlib.util
import string
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

OVERSAMPLE = 3
X_HEIGHT, DIGIT = 0.547, 0.742  # height of small letters and of digits, in font heights: those of DejaVu Sans
FONTS = {
    "sans": "DejaVuSans.ttf",
    "sans-bold": "DejaVuSans-Bold.ttf",
    "sans-italic": "DejaVuSans-Oblique.ttf",
    "serif": "DejaVuSerif.ttf",
    "serif-bold": "DejaVuSerif-Bold.ttf",
    "mono": "DejaVuSansMono.ttf",
    "mono-bold": "DejaVuSansMono-Bold.ttf",
    "times": "STIXGeneral.ttf",
    "times-bold": "STIXGeneralBol.ttf",
    "modern": "cmr10.ttf",
}
# Computer Modern has TeX's order of characters: elsewhere in ASCII it shows something else ("<" is an upside-down "!").
# Its small letters are so small that words would have to tower over all others: Times stands in for them.
_MODERN = frozenset(string.ascii_uppercase + string.digits + " !#%&'()*+,-./:;=?@[]")
_STAND_IN = {"modern": "times"}


class Letters(NamedTuple):
    """A text as it is blended onto a picture, relative to the place that its anchor names."""

    mask: np.ndarray  # uint8 [h, w], 255 where the ink covers the pixel
    left_px: int
    top_px: int


@functools.cache
def font_path(font: str) -> Path:
    """File of a font. matplotlib is only looked up, not imported."""
    package = Path(importlib.util.find_spec("matplotlib").origin).parent
    return package / "mpl-data" / "fonts" / "ttf" / FONTS[font]


def font_for(text: str, font: str) -> str:
    """The font itself, or the one that stands in for it where it lacks a character."""
    return font if font not in _STAND_IN or _MODERN.issuperset(text) else _STAND_IN[font]


def em_scale(text: str, font: str) -> float:
    """Font size per height for a text: what makes its small letters `X_HEIGHT` high, or else its digits `DIGIT`."""
    return _em_scale(font_for(text, font), text == text.upper())


@functools.cache
def _em_scale(font: str, is_tall: bool) -> float:
    letter, share = ("0", DIGIT) if is_tall else ("x", X_HEIGHT)
    large = ImageFont.truetype(str(font_path(font)), 1000, layout_engine=ImageFont.Layout.BASIC)
    return share * 1000 / -large.getbbox(letter, anchor="ls")[1]


@functools.lru_cache(maxsize=512)
def _face(font: str, fine: int, is_tall: bool) -> ImageFont.FreeTypeFont:
    """A font whose height is `fine` pixels of the fine raster."""
    size = max(1.0, fine * _em_scale(font, is_tall))
    return ImageFont.truetype(str(font_path(font)), size, layout_engine=ImageFont.Layout.BASIC)


def _face_for(text: str, font: str, fine: int) -> ImageFont.FreeTypeFont:
    return _face(font_for(text, font), fine, text == text.upper())


def fine_height(height_px: float) -> int:
    """The height in pixels of the fine raster on which letters are made."""
    return max(1, round(height_px * OVERSAMPLE))


@functools.lru_cache(maxsize=4096)
def extent(text: str, font: str, fine: int, anchor: str, turns: int) -> tuple[int, int, int, int]:
    """Box of the ink around the anchor, in pixels of the fine raster, after quarter turns counter-clockwise."""
    left, top, right, bottom = map(round, _face_for(text, font, fine).getbbox(text, anchor=anchor))
    for _ in range(turns % 4):
        left, top, right, bottom = top, -right, bottom, -left
    return left, top, right, bottom


@functools.lru_cache(maxsize=2048)
def _fine_mask(text: str, font: str, fine: int, anchor: str, turns: int) -> np.ndarray:
    """A text on the fine raster, uint8, with a rim of one pixel around the box of its `extent`."""
    left, top, right, bottom = extent(text, font, fine, anchor, 0)
    ink = Image.new("L", (right - left + 2, bottom - top + 2))
    face = _face_for(text, font, fine)
    ImageDraw.Draw(ink).text((1 - left, 1 - top), text, fill=255, font=face, anchor=anchor)
    return np.rot90(np.asarray(ink), turns)


@functools.lru_cache(maxsize=4096)
def letters(text: str, font: str, fine: int, anchor: str, turns: int, column: int, row: int) -> Letters:
    """A text whose anchor stands at (column, row) of the fine raster, 0 <= column, row < OVERSAMPLE."""
    mask = _fine_mask(text, font, fine, anchor, turns)
    left, top, _, _ = extent(text, font, fine, anchor, turns)
    left_px, left_fine = divmod(left - 1 + column, OVERSAMPLE)
    top_px, top_fine = divmod(top - 1 + row, OVERSAMPLE)
    height, width = (
        -(-(size + rest) // OVERSAMPLE) for size, rest in zip(mask.shape, (top_fine, left_fine), strict=True)
    )
    padded = np.zeros((height * OVERSAMPLE, width * OVERSAMPLE), np.uint8)
    padded[top_fine : top_fine + mask.shape[0], left_fine : left_fine + mask.shape[1]] = mask
    return Letters(cv2.resize(padded, (width, height), interpolation=cv2.INTER_AREA), left_px, top_px)


@functools.lru_cache(maxsize=4096)
def text_width_px(text: str, height_px: float, font: str = "sans") -> float:
    """Width of a text in final pixels."""
    return _face_for(text, font, fine_height(height_px)).getlength(text) / OVERSAMPLE
