"""Nonograms: an empty ruled square with numbers to the left of its rows and above its columns."""

from engines.base import Style
from engines.canvas import Canvas
from engines.logic.scene.nonogram import Nonogram
from engines.marks import Drawing
from engines.style import theme_of

MARGIN_SHARE = 0.035
NUMBER = 0.52  # height of a number, in cells
ALONG, ACROSS = 0.62, 0.56  # distance of numbers of one line, in cells: in a column, and in a row


def draw_nonogram(canvas: Canvas, scene: Nonogram, style: Style) -> Drawing:
    """Draw a nonogram as large as fits."""
    theme, size_px, side = theme_of(style), canvas.size_px, len(scene.rows)
    longest = max(map(len, (*scene.rows, *scene.columns)))
    gutter = longest * ALONG + 0.25
    cell = size_px * (1 - 2 * MARGIN_SHARE) / (side + gutter)
    left = size_px * MARGIN_SHARE + gutter * cell
    right = left + side * cell
    canvas.rectangle((left, left), (right - left, right - left), fill=theme.panel)
    thin = max(0.8, size_px / 300) * theme.line_scale
    for line in range(1, side):
        at = left + line * cell
        canvas.line([(left, at), (right, at)], theme.ink, thin)
        canvas.line([(at, left), (at, right)], theme.ink, thin)
    canvas.rectangle((left, left), (right - left, right - left), outline=theme.ink, width_px=thin * 2.4)
    height = cell * NUMBER
    for place in range(side):
        middle = left + (place + 0.5) * cell
        for back, number in enumerate(scene.rows[place][::-1]):
            at = (left - (0.42 + back * ACROSS) * cell, middle)
            canvas.text(at, str(number), height, theme.ink, font=theme.font)
        for back, number in enumerate(scene.columns[place][::-1]):
            at = (middle, left - (0.42 + back * ALONG) * cell)
            canvas.text(at, str(number), height, theme.ink, font=theme.font)
        for column in range(side):
            canvas.part(f"{place + 1},{column + 1}", (left + (column + 0.5) * cell, middle))
    return canvas.drawing()
