"""How charts look: a plot area inside fixed margins, marks, axes and labels."""

import math
from typing import NamedTuple

from PIL import Image

from engines.base import Style
from engines.canvas import Canvas, Point, text_width_px
from engines.chart.scene import ChartScene
from engines.style import Theme, colour_of, theme_of

MARGIN = 0.035  # of the picture's side, free on every edge
MIN_TEXT_PX, MAX_TEXT_PX, TEXT = 11.0, 20.0, 0.075  # font size: a share of the side, within bounds
CAPITAL = 0.73  # height of a capital or digit, in font sizes
GAP = 0.5  # between an axis and its numbers or labels, in font sizes
FILL = 0.72  # share of a category's slot that its bars take
INSETS = 7
INSET = 0.006  # of the picture's side, per step of the scene's inset


class Plot(NamedTuple):
    """The plot area in final pixels, and the map from values to it."""

    left: float
    top: float
    right: float
    bottom: float
    text_px: float
    is_sideways: bool  # values grow to the right, categories run downwards
    highest: int  # value at the far end of the value axis

    def at(self, place: float, value: float) -> Point:
        """The point of a value at a place 0..1 along the category axis."""
        share = value / self.highest
        if self.is_sideways:
            return self.left + share * (self.right - self.left), self.top + place * (self.bottom - self.top)
        return self.left + place * (self.right - self.left), self.bottom - share * (self.bottom - self.top)


def text_size_px(size_px: int) -> float:
    """Font size of every text of a chart."""
    return min(max(TEXT * size_px, MIN_TEXT_PX), MAX_TEXT_PX)


def layout(scene: ChartScene, size_px: int, font: str) -> Plot:
    """Place the plot area so that numbers, labels and title stay inside the margins."""
    text_px, edge = text_size_px(size_px), size_px * (MARGIN + INSET * scene.inset)
    letter, gap = CAPITAL * text_px, GAP * text_px
    number = text_width_px(str(scene.top), text_px, font)
    label = max((text_width_px(text, text_px, font) for text in scene.labels), default=0.0)
    is_sideways = scene.kind == "hbar"
    numbers_room, labels_room = (letter, label) if is_sideways else (number, letter)
    left, below = (labels_room, numbers_room) if is_sideways else (numbers_room, labels_room)
    head = letter + gap if scene.title else 0.0
    # The last number is centred on the end of its axis: half of it needs room beyond.
    over = number / 2 if is_sideways else 0.0
    return Plot(
        left=edge + left + gap,
        top=edge + head + (0.0 if is_sideways else letter / 2),
        right=size_px - edge - over,
        bottom=size_px - edge - (below + gap if below else 0.0),
        text_px=text_px,
        is_sideways=is_sideways,
        highest=scene.top,
    )


def _axes(canvas: Canvas, scene: ChartScene, plot: Plot, theme: Theme, width_px: float) -> None:
    """Panel, gridlines, ticks and numbers of the value axis, labels of the category axis."""
    corner, size = (plot.left, plot.top), (plot.right - plot.left, plot.bottom - plot.top)
    canvas.rectangle(corner, size, theme.panel)
    tick = 0.25 * plot.text_px
    for value in range(0, scene.top + 1, scene.unit):
        is_numbered = value % scene.step == 0
        x, y = plot.at(1.0 if plot.is_sideways else 0.0, value)
        if is_numbered and scene.gridlines and value:
            canvas.line([plot.at(0, value), plot.at(1, value)], theme.faint, width_px)
        length = tick if is_numbered else 0.5 * tick
        end = (x, y + length) if plot.is_sideways else (x - length, y)
        canvas.line([(x, y), end], theme.ink, width_px)
        if is_numbered:
            at = (x, y + GAP * plot.text_px) if plot.is_sideways else (x - GAP * plot.text_px, y)
            _write(canvas, at, str(value), plot.text_px, theme, "mt" if plot.is_sideways else "rm")
    for index, text in enumerate(scene.labels):
        x, y = plot.at((index + 0.5) / len(scene.values[0]), 0)
        at = (x - GAP * plot.text_px, y) if plot.is_sideways else (x, y + GAP * plot.text_px)
        _write(canvas, at, text, plot.text_px, theme, "rm" if plot.is_sideways else "mt")


def _write(canvas: Canvas, at: Point, text: str, text_px: float, theme: Theme, anchor: str) -> None:
    """Write capitals or digits; vertical anchors count from their true height, not from the font's box."""
    x, y = at
    rise = {"t": CAPITAL, "m": CAPITAL / 2, "s": 0.0}[anchor[1]]
    canvas.text((x, y + rise * text_px), text, text_px, theme.ink, anchor[0] + "s", theme.font)


def _frame(canvas: Canvas, scene: ChartScene, plot: Plot, style: Style, width_px: float) -> None:
    """The two axis lines."""
    corners = [(plot.left, plot.top), (plot.left, plot.bottom), (plot.right, plot.bottom)]
    canvas.line(corners, theme_of(style).ink, 1.3 * width_px)


def bar_boxes(scene: ChartScene, plot: Plot) -> list[list[tuple[Point, Point]]]:
    """Two opposite corners of every bar, [series][category], in final pixels."""
    count, series = len(scene.values[0]), len(scene.values)
    boxes = []
    for s, row in enumerate(scene.values):
        starts = [(i + (1 - FILL) / 2 + FILL * s / series) / count for i in range(count)]
        width = FILL / series / count
        boxes.append([(plot.at(at, 0), plot.at(at + width, value)) for at, value in zip(starts, row, strict=True)])
    return boxes


def _bars(canvas: Canvas, scene: ChartScene, plot: Plot, style: Style, width_px: float) -> None:
    theme = theme_of(style)
    for row, names in zip(bar_boxes(scene, plot), scene.colours, strict=True):
        for ((x0, y0), (x1, y1)), name in zip(row, names, strict=True):
            corner = (min(x0, x1), min(y0, y1))
            canvas.rectangle(corner, (abs(x1 - x0), abs(y1 - y0)), colour_of(name, style), theme.ink, width_px)
    if scene.threshold is not None:
        ends = [plot.at(0, scene.threshold), plot.at(1, scene.threshold)]
        canvas.line(ends, theme.panel, 3.2 * width_px)
        canvas.line(ends, theme.ink, 1.8 * width_px, dash_px=0.4 * plot.text_px)


def _lines(canvas: Canvas, scene: ChartScene, plot: Plot, style: Style, width_px: float) -> None:
    radius_px = max(2.6, 0.22 * plot.text_px)
    for row, names in zip(scene.values, scene.colours, strict=True):
        points = [plot.at((i + 0.5) / len(row), value) for i, value in enumerate(row)]
        colour = colour_of(names[0], style)
        canvas.line(points, colour, 2.0 * width_px)
        for point in points:
            canvas.circle(point, radius_px, colour, theme_of(style).ink, width_px)


def _pie(canvas: Canvas, scene: ChartScene, size_px: int, style: Style, width_px: float) -> None:
    theme, text_px = theme_of(style), text_size_px(size_px)
    edge = size_px * (MARGIN + INSET * scene.inset)
    head = CAPITAL * text_px + 0.6 * text_px if scene.title else 0.0
    tick = 0.35 * text_px if scene.unit else 0.0
    radius_px = (size_px - 2 * edge - head) / 2 - tick - width_px
    centre = (size_px / 2, edge + head + width_px + tick + radius_px)
    start, turns = math.radians(scene.turn), []
    for share, name in zip(scene.values[0], scene.colours[0], strict=True):
        end = start + 2 * math.pi * share / scene.top
        canvas.pie(centre, radius_px, start, end, colour_of(name, style))
        turns.append(start)
        start = end
    rim = [(_on_rim(centre, radius_px, angle), centre) for angle in turns]
    for outer, inner in rim:
        canvas.line([outer, inner], theme.ink, width_px)
    canvas.circle(centre, radius_px, outline=theme.ink, width_px=width_px)
    for value in range(0, scene.top, scene.unit) if scene.unit else ():
        angle = math.radians(scene.turn) + 2 * math.pi * value / scene.top
        ends = [_on_rim(centre, radius_px, angle), _on_rim(centre, radius_px + tick, angle)]
        canvas.line(ends, theme.ink, 1.3 * width_px)


def _on_rim(centre: Point, radius_px: float, angle: float) -> Point:
    return centre[0] + radius_px * math.cos(angle), centre[1] - radius_px * math.sin(angle)


def draw(scene: ChartScene, size_px: int, style: Style) -> Image.Image:
    """Draw the scene as an RGB picture of size_px x size_px."""
    theme = theme_of(style)
    width_px = max(1.0, 0.0035 * size_px) * theme.line_scale
    canvas = Canvas(size_px, theme.background)
    if scene.title:
        at = (size_px / 2, size_px * (MARGIN + INSET * scene.inset))
        _write(canvas, at, scene.title, text_size_px(size_px), theme, "mt")
    if scene.kind == "pie":
        _pie(canvas, scene, size_px, style, width_px)
        return canvas.image()
    plot = layout(scene, size_px, theme.font)
    _axes(canvas, scene, plot, theme, width_px)
    # Points stand on the axes, bars behind them.
    for layer in (_frame, _lines) if scene.kind == "line" else (_bars, _frame):
        layer(canvas, scene, plot, style, width_px)
    return canvas.image()
