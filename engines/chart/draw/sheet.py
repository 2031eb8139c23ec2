"""The sheet a chart is drawn on: sizes, free choices of the look, and the furniture that eats into its free room.

Lengths are final pixels. A sheet starts with the whole picture inside a margin; the title, the legend and the titles of
the axes each take their strip from one side, and what is left is for the plot.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from engines.base import Style, make_rng
from engines.canvas import Canvas, Colour, Point
from engines.chart.scene import Furniture
from engines.lettering import OVERSAMPLE, X_HEIGHT, extent, text_width_px
from engines.marks import x_height_floor_px
from engines.style import colour_of, theme_of

MARGIN = 0.03  # of the picture's side, free on every edge
INSETS = 7
INSET = 0.006  # of the picture's side, per step of the scene's inset
PLAIN_TEXT, LEAST_PLAIN_PX, MOST_PLAIN_PX = 0.075, 11.0, 20.0  # font size where single letters are all that is written
DESCENT = 0.25  # depth of a "g", in font sizes
GAP = 0.45  # between a text and what it belongs to, in font sizes
ABOVE, SMALL_PX, ABOVE_IN_SMALL = 1.05, 336, 1.2  # of the least size of text: thin letters survive a photograph
TITLE = 1.12  # size of the title, in font sizes
LEAST_FLOOR_PX = 2.0  # of a difference between values
FLOOR_PX = 4.0  # the same in a picture of 448 px


class Look(NamedTuple):
    """Free choices of the drawing."""

    is_title_left: bool
    is_upright: bool  # the title of a vertical axis is turned
    fill: float  # share of a category's slot that its bars take
    has_outlines: bool
    has_box: bool  # the plot has a frame on four sides, or two axis lines
    is_framed: bool  # the legend has a frame


def look_of(style: Style) -> Look:
    """The free choices of a style."""
    draw = make_rng("chart", style.rng_seed).random(6).tolist()
    return Look(draw[0] < 0.35, draw[1] < 0.6, 0.62 + 0.2 * draw[2], draw[3] < 0.6, draw[4] < 0.25, draw[5] < 0.3)


def least_text_px(size_px: int) -> float:
    """The font size of most charts: little above the smallest that is legible in a picture of this size."""
    above = ABOVE if size_px >= SMALL_PX else ABOVE_IN_SMALL
    return math.ceil(OVERSAMPLE * above * x_height_floor_px(size_px) / X_HEIGHT) / OVERSAMPLE


def least_difference_px(size_px: int) -> float:
    """Least difference of two values that may be compared, in a picture of this size."""
    return max(LEAST_FLOOR_PX, FLOOR_PX * size_px / 448)


@functools.cache
def _capital(font: str) -> float:
    """Height of a capital of a font, in font sizes."""
    return -extent("H", font, 300, "ls", 0)[1] / 300


@functools.lru_cache(maxsize=4096)
def _width_px(text: str, height_px: float, font: str) -> float:
    return text_width_px(text, height_px, font)


class Entry(NamedTuple):
    """A line of a legend: a sample of the mark, drawn into a box (left, top, width, height), and a name."""

    paint: Callable[[float, float, float, float], None]
    name: str


class Sheet:
    """A canvas, the sizes of its text and lines, and the free room left, top, right, bottom.

    `is_plain`: a few single letters and short numbers are all that is written, so they may be larger.
    """

    def __init__(self, size_px: int, style: Style, furniture: Furniture, is_plain: bool):
        self.size_px, self.style, self.furniture = size_px, style, furniture
        self.theme, self.look = theme_of(style), look_of(style)
        # Seen at an angle, the height of a bar and that of a tick far beside it cannot be compared by eye alone.
        self.has_gridlines = furniture.gridlines or style.is_photographed
        self.canvas = Canvas(size_px, self.theme.background)  # an unsteady hand would bend what is read
        least_px = least_text_px(size_px)
        plain_px = min(max(PLAIN_TEXT * size_px, LEAST_PLAIN_PX), MOST_PLAIN_PX)
        self.text_px = max(plain_px, least_px) if is_plain else least_px
        self.line_px = max(1.0, 0.0035 * size_px) * self.theme.line_scale
        edge = size_px * (MARGIN + INSET * furniture.inset)
        self.floor_px = least_difference_px(size_px)
        self.left = self.top = edge
        self.right = self.bottom = size_px - edge
        self.gap = GAP * self.text_px
        self.letter = _capital(self.theme.font) * self.text_px
        self.row = self.letter + DESCENT * self.text_px

    def colour(self, name: str) -> Colour:
        """A palette colour as this picture paints it."""
        return colour_of(name, self.style)

    def width(self, text: str, scale: float = 1.0) -> float:
        """Width of a text in font size `scale`."""
        return _width_px(text, self.text_px * scale, self.theme.font)

    def write(self, at: Point, text: str, anchor: str = "mm", scale: float = 1.0) -> None:
        """Write a text; vertical anchors t, m and b count from the height of capitals, not from the font's box."""
        rise = {"t": 1.0, "m": 0.5, "b": 0.0}[anchor[1]] * self.letter * scale
        # On whole pixels, so that letters made once serve again.
        place, height_px = (round(at[0]), round(at[1] + rise)), self.text_px * scale
        self.canvas.text(place, text, height_px, self.theme.ink, anchor[0] + "s", self.theme.font)

    def write_up(self, middle: Point, text: str) -> None:
        """Write a text that is read from below, its middle at a position."""
        place = (round(middle[0]), round(middle[1]))
        self.canvas.text(place, text, self.text_px, self.theme.ink, "mm", self.theme.font, turns=1)

    def on_patch(self, at: Point, text: str, anchor: str) -> None:
        """Write a text on a patch of the panel's colour, so that no line runs through it."""
        width, height, pad = self.width(text), self.letter, 0.12 * self.text_px
        left = at[0] - {"l": 0.0, "m": width / 2, "r": width}[anchor[0]]
        top = at[1] - {"t": 0.0, "m": height / 2, "b": height}[anchor[1]]
        size = (width + 2 * pad, height + 2 * pad)
        self.canvas.rectangle((left - pad, top - pad), size, self.theme.panel)
        self.write(at, text, anchor)

    def title(self) -> None:
        """Write the title at the top, if there is one."""
        if self.furniture.title:
            x = self.left if self.look.is_title_left else (self.left + self.right) / 2
            self.write((x, self.top), self.furniture.title, "lt" if self.look.is_title_left else "mt", TITLE)
            self.top += TITLE * self.row + self.gap

    def legend(self, entries: Sequence[Entry]) -> None:
        """Draw the legend on its side of the sheet."""
        if not self.furniture.legend or not entries:
            return
        sample, pad = 1.5 * self.text_px, 0.35 * self.text_px
        widths = [sample + pad + self.width(entry.name) for entry in entries]
        if self.furniture.legend == "right":
            left = self.right - max(widths)
            rows = [[index] for index in range(len(entries))]
            top = self.top + max(0.0, (self.bottom - self.top) * 0.42 - len(rows) * (self.row + pad) / 2)
            self.right = left - 1.4 * self.gap
        else:
            rows = _wrapped(widths, self.right - self.left, 2 * pad)
            height = len(rows) * (self.row + pad)
            left, top = self.left, self.top if self.furniture.legend == "top" else self.bottom - height + pad
            if self.furniture.legend == "top":
                self.top += height + 0.6 * self.gap
            else:
                self.bottom -= height + 0.6 * self.gap
        for number, row in enumerate(rows):
            x = left
            if self.furniture.legend != "right":
                x += (self.right - left - sum(widths[i] for i in row) - 2 * pad * (len(row) - 1)) / 2
            y = top + number * (self.row + pad)
            for index in row:
                entries[index].paint(x, y, sample, self.letter)
                self.write((x + sample + pad, y), entries[index].name, "lt")
                x += widths[index] + 2 * pad


def _wrapped(widths: Sequence[float], room: float, space: float) -> list[list[int]]:
    """Indices of the entries, row by row, so that no row is wider than the room."""
    rows, used = [[]], 0.0
    for index, width in enumerate(widths):
        if rows[-1] and used + space + width > room:
            rows.append([])
            used = 0.0
        used += width + (space if rows[-1] else 0.0)
        rows[-1].append(index)
    return rows
