"""An anti-aliased canvas on Pillow alone: it draws three times too large and reduces.

Coordinates, sizes and widths are floats in *final* pixels; x grows to the right, y downwards, (0, 0) is the top-left
corner. Colours are (r, g, b) in 0..255. Text uses the open fonts that matplotlib carries.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from engines.marks import Box, Drawing, Margin, Mark, Point

Colour = tuple[int, int, int]

SUPERSAMPLE = 3
FONTS = {
    "sans": "DejaVuSans.ttf",
    "sans-bold": "DejaVuSans-Bold.ttf",
    "serif": "DejaVuSerif.ttf",
    "mono": "DejaVuSansMono.ttf",
}


@functools.cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / FONTS[name]), size, layout_engine=ImageFont.Layout.BASIC)


class Canvas:
    """A square picture under construction."""

    def __init__(self, size_px: int, background: Colour):
        self.size_px = size_px
        self._marks: list[Mark] = []
        self._image = Image.new("RGB", (size_px * SUPERSAMPLE,) * 2, background)
        self._draw = ImageDraw.Draw(self._image)

    @staticmethod
    def _scaled(points: Sequence[Point]) -> list[Point]:
        return [(x * SUPERSAMPLE, y * SUPERSAMPLE) for x, y in points]

    @staticmethod
    def _width(width_px: float) -> int:
        return max(1, round(width_px * SUPERSAMPLE))

    def line(self, points: Sequence[Point], colour: Colour, width_px: float = 1.5, dash_px: float = 0.0) -> None:
        """Draw a polyline with round joints; with `dash_px`, dashes and gaps of that length."""
        pieces = _dashes(points, dash_px) if dash_px else [points]
        for piece in pieces:
            self._draw.line(self._scaled(piece), fill=colour, width=self._width(width_px), joint="curve")

    def polygon(
        self, points: Sequence[Point], fill: Colour | None = None, outline: Colour | None = None, width_px: float = 1.5
    ) -> None:
        """Draw a closed polygon."""
        if fill is not None:
            self._draw.polygon(self._scaled(points), fill=fill)
        if outline is not None:
            self.line([*points, points[0], points[1]], outline, width_px)

    def rectangle(
        self,
        corner: Point,
        size: Point,
        fill: Colour | None = None,
        outline: Colour | None = None,
        width_px: float = 1.5,
    ) -> None:
        """Draw a rectangle by its top-left corner and (width, height)."""
        (x, y), (w, h) = corner, size
        self.polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], fill, outline, width_px)

    def circle(
        self,
        centre: Point,
        radius_px: float,
        fill: Colour | None = None,
        outline: Colour | None = None,
        width_px: float = 1.5,
    ) -> None:
        """Draw a disc, a circle or both; the outline is centred on the radius."""
        (x, y), s, half = centre, SUPERSAMPLE, width_px / 2 if outline is not None else 0.0
        r = radius_px + half
        box = ((x - r) * s, (y - r) * s, (x + r) * s, (y + r) * s)
        width = self._width(width_px) if outline is not None else 0
        self._draw.ellipse(box, fill=fill, outline=outline, width=width)

    def arc(
        self, centre: Point, radius_px: float, start: float, end: float, colour: Colour, width_px: float = 1.5
    ) -> None:
        """Draw an arc from angle `start` to `end` in radians, counter-clockwise as seen (y up)."""
        count = max(3, math.ceil(abs(end - start) * radius_px / 2))
        angles = [start + (end - start) * i / count for i in range(count + 1)]
        self.line(
            [(centre[0] + radius_px * math.cos(a), centre[1] - radius_px * math.sin(a)) for a in angles],
            colour,
            width_px,
        )

    def pie(
        self, centre: Point, radius_px: float, start: float, end: float, fill: Colour, outline: Colour | None = None
    ) -> None:
        """Draw a sector from angle `start` to `end` in radians, counter-clockwise as seen (y up)."""
        count = max(3, math.ceil(abs(end - start) * radius_px / 2))
        angles = [start + (end - start) * i / count for i in range(count + 1)]
        rim = [(centre[0] + radius_px * math.cos(a), centre[1] - radius_px * math.sin(a)) for a in angles]
        self.polygon([centre, *rim], fill, outline)

    def text(
        self, at: Point, text: str, height_px: float, colour: Colour, anchor: str = "mm", font: str = "sans"
    ) -> None:
        """Write text with Pillow's two-letter anchor ("mm" is the middle); `height_px` is the font size."""
        size = max(1, round(height_px * SUPERSAMPLE))
        place, face = (at[0] * SUPERSAMPLE, at[1] * SUPERSAMPLE), _font(font, size)
        self._draw.text(place, text, fill=colour, font=face, anchor=anchor)
        box = self._draw.textbbox(place, text, font=face, anchor=anchor)
        x_height_px = -face.getbbox("x", anchor="ls")[1] / SUPERSAMPLE
        self._marks.append(Mark(text, tuple(side / SUPERSAMPLE for side in box), "text", x_height_px))

    def part(self, name: str, box: Box | Point) -> None:
        """Record where a part of the scene stands: a box, or one position."""
        self._marks.append(Mark(name, box if len(box) == 4 else (*box, *box)))

    def drawing(self, margins: Sequence[Margin] = ()) -> Drawing:
        """The finished RGB picture of size_px x size_px, with its texts and parts."""
        return Drawing(self._image.reduce(SUPERSAMPLE), tuple(self._marks), tuple(margins))

    def image(self) -> Image.Image:
        """The finished RGB picture of size_px x size_px."""
        return self._image.reduce(SUPERSAMPLE)


def text_width_px(text: str, height_px: float, font: str = "sans") -> float:
    """Width of a text in final pixels."""
    return _font(font, max(1, round(height_px * SUPERSAMPLE))).getlength(text) / SUPERSAMPLE


def _dashes(points: Sequence[Point], dash_px: float) -> list[list[Point]]:
    """Cut a polyline into dashes, gaps as long as dashes."""
    pieces, drawn, is_dash = [[points[0]]], 0.0, True
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length, at = math.hypot(x1 - x0, y1 - y0), 0.0
        while length - at > dash_px - drawn:
            at += dash_px - drawn
            drawn, is_dash = 0.0, not is_dash
            point = (x0 + (x1 - x0) * at / length, y0 + (y1 - y0) * at / length)
            pieces[-1].append(point)
            pieces.append([point])
        drawn += length - at
        pieces[-1].append((x1, y1))
    return [piece for piece in pieces[::2] if len(piece) > 1]
