"""How a function graph looks: a plot area with grid, thick axes, numbers along its left and lower edge, curves."""

import itertools
import math

from PIL import Image

from engines.base import Style
from engines.canvas import Canvas, Point, text_width_px
from engines.function.scene import Curve, FunctionScene
from engines.style import colour_of, theme_of

LEFT, RIGHT, TOP, BOTTOM = 0.165, 0.055, 0.065, 0.135  # margins around the plot area, shares of the picture
DOT_UNITS = 0.4  # radius of a marked point in grid units, within DOT_PX
DOT_PX = (4.0, 10.0)


class Plot:
    """The map from data units to pixels of a picture of `size_px`."""

    def __init__(self, scene: FunctionScene, size_px: int):
        self.scene, self.size_px = scene, size_px
        self.left, self.top = LEFT * size_px, TOP * size_px
        self.width, self.height = size_px * (1 - LEFT - RIGHT), size_px * (1 - TOP - BOTTOM)
        self.unit_x = self.width / (scene.x_high - scene.x_low)
        self.unit_y = self.height / (scene.y_high - scene.y_low)

    def pixel(self, x: float, y: float) -> Point:
        """The place of a data point in final pixels."""
        return self.left + (x - self.scene.x_low) * self.unit_x, self.top + (self.scene.y_high - y) * self.unit_y

    def visible(self, curve: Curve) -> list[list[Point]]:
        """The parts of a curve inside the window, cut exactly at its border, in pixels."""
        scene = self.scene
        low, high = float(scene.x_low), float(scene.x_high)
        count = max(24, self.size_px // 3)
        if len(curve.numbers) == 2 or curve.corners:
            count = 1
        stops = sorted({low, high, *curve.turns(low, high), *(low + (high - low) * i / count for i in range(count))})
        data = [(x, curve.height(x)) for x in stops]
        parts: list[list[Point]] = [[]]
        for start, end in itertools.pairwise(data):
            piece = clipped(start, end, scene.y_low, scene.y_high)
            if piece is None:
                continue
            if not parts[-1] or parts[-1][-1] != piece[0]:
                parts.append([piece[0]])
            parts[-1].append(piece[1])
        return [[self.pixel(*point) for point in part] for part in parts if len(part) > 1]


def clipped(start: Point, end: Point, low: float, high: float) -> tuple[Point, Point] | None:
    """The part of a segment with low <= y <= high, or None."""
    (x0, y0), (x1, y1) = start, end
    if max(y0, y1) < low or min(y0, y1) > high:
        return None

    def cut(x: float, y: float) -> Point:
        edge = min(max(y, low), high)
        return (x, y) if edge == y else (x0 + (x1 - x0) * (edge - y0) / (y1 - y0), edge)

    return cut(x0, y0), cut(x1, y1)


def draw(scene: FunctionScene, size_px: int, style: Style) -> Image.Image:
    """Draw the scene as an RGB picture of size_px x size_px."""
    theme, plot = theme_of(style), Plot(scene, size_px)
    canvas = Canvas(size_px, theme.background)
    corner, area = (plot.left, plot.top), (plot.width, plot.height)
    canvas.rectangle(corner, area, fill=theme.panel)
    thin = max(0.8, size_px / 300)
    for x in range(scene.x_low, scene.x_high + 1):
        canvas.line([plot.pixel(x, scene.y_low), plot.pixel(x, scene.y_high)], theme.faint, thin)
    for y in range(scene.y_low, scene.y_high + 1):
        canvas.line([plot.pixel(scene.x_low, y), plot.pixel(scene.x_high, y)], theme.faint, thin)
    thick = (1.2 + size_px / 280) * theme.line_scale
    canvas.line([plot.pixel(scene.x_low, 0), plot.pixel(scene.x_high, 0)], theme.ink, thick)
    canvas.line([plot.pixel(0, scene.y_low), plot.pixel(0, scene.y_high)], theme.ink, thick)
    _numbers(canvas, plot, style)
    bold = (1.7 + size_px / 130) * min(theme.line_scale, 1.25)
    for curve in scene.curves:
        for part in plot.visible(curve):
            canvas.line(part, colour_of(curve.colour, style), bold, dash_px=bold * 2.2 if curve.dashed else 0.0)
    radius = min(max(DOT_UNITS * plot.unit_x, DOT_PX[0]), DOT_PX[1])
    for x, y in scene.dots:
        canvas.circle(plot.pixel(x, y), radius, fill=theme.ink, outline=theme.panel, width_px=max(1.0, radius / 4))
    return canvas.image()


def _numbers(canvas: Canvas, plot: Plot, style: Style) -> None:
    """Write the numbers of the ticks, as many as there is room for; 0 is always among them."""
    theme, scene, size_px = theme_of(style), plot.scene, plot.size_px
    font_px = 5.5 + size_px / 28
    widest = max(text_width_px(str(x), font_px, theme.font) for x in (scene.x_low, scene.x_high))
    step = next(
        s for s in (1, 2, 5, 10, 20) if s * plot.unit_x >= widest + 0.3 * font_px and s * plot.unit_y >= font_px
    )
    gap = max(1.5, size_px / 80)
    corner_taken = scene.x_low % step == scene.y_low % step == 0
    for x in range(math.ceil(scene.x_low / step) * step, scene.x_high + 1, step):
        if corner_taken and x == scene.x_low:
            continue  # the lowest y is written there
        canvas.text((plot.pixel(x, 0)[0], plot.top + plot.height + gap), str(x), font_px, theme.ink, "mt", theme.font)
    for y in range(math.ceil(scene.y_low / step) * step, scene.y_high + 1, step):
        canvas.text((plot.left - gap, plot.pixel(0, y)[1]), str(y), font_px, theme.ink, "rm", theme.font)
