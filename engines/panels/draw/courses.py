"""Courses: marked points over numbered axes, one panel above the other."""

from engines.base import Style
from engines.canvas import Canvas
from engines.lettering import text_width_px
from engines.marks import Apart, Drawing, Margin
from engines.panels.draw.charts import text_px
from engines.panels.draw.window import Window, curve_px, draw_windows
from engines.panels.scene import Courses
from engines.panels.scene.courses import MOST_X
from engines.style import colour_of, theme_of

LEAST_GRAIN_PX = 3.2  # of a quarter of a step


def draw_courses(scene: Courses, size_px: int, style: Style) -> Drawing:
    """Draw the panels with a number at every step and at every second x."""
    theme, height = theme_of(style), text_px(size_px)
    canvas, colour = Canvas(size_px, theme.background), colour_of(scene.colour, style)
    left = 0.015 * size_px + text_width_px(str(scene.high), height, theme.font) + 0.5 * height
    high = 0.98 / len(scene.courses)
    margins: list[Margin] = []
    for place, (name, points) in enumerate(scene.courses):
        top = 0.01 + place * high
        box = (left, (top + 0.075) * size_px, 0.96 * size_px, (top + high - 0.07) * size_px)
        window = Window(box, (0, MOST_X), (0, scene.high))
        numbers = [i * scene.step for i in range(5)]
        grid = window.grid(range(MOST_X + 1), numbers)
        draw_windows(canvas, theme, [window], grid, window.grid((0,), (0,)))
        for number in numbers:
            at = (box[0] - 0.35 * height, window.y(number))
            canvas.text(at, str(number), height, theme.ink, anchor="rm", font=theme.font)
        for x in range(0, MOST_X + 1, 2):
            canvas.text((window.x(x), box[3] + 0.75 * height), str(x), height, theme.ink, font=theme.font)
        canvas.text((box[0], box[1] - 0.75 * height), name, height, theme.ink, anchor="lm", font=theme.font)
        spots = [window.at(*point) for point in points]
        if scene.is_joined:
            canvas.line(spots, colour, curve_px(size_px, theme) * 0.8)
        radius = max(2.4, size_px / 110)
        canvas.circles(spots, radius, colour, theme.ink, max(0.8, size_px / 420))
        for (x, _), (column, row) in zip(points, spots, strict=True):
            canvas.part(f"{name} {x}", (column - radius, row - radius, column + radius, row + radius))
        margins.append(Apart(window.at(0, 0), window.at(0, scene.step / 4), LEAST_GRAIN_PX))
    return canvas.drawing(margins)
