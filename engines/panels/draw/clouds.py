"""Clouds of points in lettered panels two by two, perhaps each with a straight line."""

from engines.base import Style
from engines.canvas import Canvas
from engines.marks import Apart, Drawing
from engines.panels.draw.charts import text_px
from engines.panels.draw.window import Window, draw_windows
from engines.panels.scene import LETTERS, Clouds
from engines.panels.scene.clouds import SPAN, Line
from engines.style import colour_of, theme_of

QUARTERS = (25, 50, 75)
LEAST_PART_PX = 3.0  # of a twentieth of an axis


def draw_clouds(scene: Clouds, size_px: int, style: Style) -> Drawing:
    """Draw four panels."""
    theme, height = theme_of(style), text_px(size_px) * 1.15
    canvas, colour = Canvas(size_px, theme.background), colour_of(scene.colour, style)
    windows, lines, spots = [], [], []
    for place, letter in enumerate(LETTERS[: max(len(scene.clouds), len(scene.lines))]):
        left, top = 0.06 + 0.48 * (place % 2), 0.06 + 0.48 * (place // 2)
        box = (left * size_px, top * size_px, (left + 0.42) * size_px, (top + 0.42) * size_px)
        windows.append(Window(box, (0, SPAN), (0, SPAN)))
        if scene.lines:
            lines.append([windows[-1].at(*spot) for spot in _ends(scene.lines[place])])
        points = scene.clouds[0 if scene.lines else place].points
        spots += [windows[-1].at(*point) for point in points]
        at = (box[0] - 0.028 * size_px, box[1] + 0.02 * size_px)
        canvas.text(at, letter, height, theme.ink, font=theme.font)
        canvas.part(f"panel {letter}", box)
    grid = [way for window in windows for way in window.grid(QUARTERS, QUARTERS)]
    draw_windows(canvas, theme, windows, grid, [way for window in windows for way in window.grid((0,), (0,))])
    canvas.lines(lines, theme.ink, max(1.4, size_px / 230) * theme.line_scale)
    canvas.circles(spots, max(1.9, size_px / 130), colour, theme.ink, max(0.64, size_px / 525))
    return canvas.drawing([Apart(window.at(0, 0), window.at(5, 0), LEAST_PART_PX) for window in windows])


def _ends(line: Line) -> list[tuple[float, float]]:
    """Where a line enters and leaves the window."""
    slope, height = float(line.slope), float(line.height)
    spots = [(x, height + slope * (x - SPAN / 2)) for x in (0.0, float(SPAN))]
    if slope:
        spots += [(SPAN / 2 + (y - height) / slope, y) for y in (0.0, float(SPAN))]
    inside = sorted({spot for spot in spots if all(-1e-9 <= number <= SPAN + 1e-9 for number in spot)})
    return [inside[0], inside[-1]]
