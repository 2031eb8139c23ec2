"""One panel: lines at the numbers of its axis, its bars or lines, and what is printed at them."""

from typing import NamedTuple

from engines.canvas import Canvas, Colour, Point
from engines.lettering import text_width_px
from engines.marks import Apart, Margin
from engines.panels.scene import INTERVALS, Axis, Panel, Panels
from engines.style import Theme

LEAST_GRAIN_PX = 3.2  # of what tells a value from the next one, at any size; printed numbers need none


class Look(NamedTuple):
    """Free choices of the drawing, by series."""

    colours: tuple[Colour, ...]
    hatches: tuple[str, ...]
    strokes: tuple[str, ...]
    symbols: tuple[str, ...]
    fill: float  # share of a category's slot that bars take


class Plot(NamedTuple):
    """The area of a panel in pixels, and its axis."""

    left: float
    top: float
    right: float
    bottom: float
    axis: Axis

    def y(self, value: float) -> float:
        """Where a value stands."""
        return self.bottom - (value - self.axis.low) / (self.axis.high - self.axis.low) * (self.bottom - self.top)

    def x(self, place: float, count: int) -> float:
        """The middle of a category's slot."""
        return self.left + (place + 0.5) * (self.right - self.left) / count


def draw_plot(
    canvas: Canvas, scene: Panels, panel: Panel, plot: Plot, theme: Theme, look: Look, height: float
) -> list[Margin]:
    """Draw a panel; gives the margins of its values."""
    thin = max(0.8, canvas.size_px / 380)
    canvas.rectangle((plot.left, plot.top), (plot.right - plot.left, plot.bottom - plot.top), fill=theme.panel)
    for i in range(INTERVALS + 1):
        value = plot.axis.low + i * plot.axis.step
        y = plot.y(value)
        canvas.line([(plot.left, y), (plot.right, y)], theme.faint, thin)
        canvas.text((plot.left - 0.35 * height, y), str(value), height, theme.ink, anchor="rm", font=theme.font)
    zero = plot.y(max(0, plot.axis.low))
    canvas.line([(plot.left, plot.top), (plot.left, plot.bottom)], theme.ink, thin * 1.6)
    draw_values = _bars if scene.kind == "bar" else _lines
    if scene.kind == "line":
        canvas.line([(plot.left, zero), (plot.right, zero)], theme.ink, thin * 1.6)
    draw_values(canvas, scene, panel, plot, theme, look, height)
    if scene.kind == "bar":  # over the ends of bars
        canvas.line([(plot.left, zero), (plot.right, zero)], theme.ink, thin * 1.6)
    count = len(scene.categories)
    for place, category in enumerate(scene.categories):
        at = (plot.x(place, count), plot.bottom + 0.75 * height)
        canvas.text(at, category, height, theme.ink, font=theme.font)
    if scene.has_numbers:
        return []
    tick = (plot.left, plot.y(plot.axis.low)), (plot.left, plot.y(plot.axis.low + scene.grain(plot.axis)))
    return [Apart(*tick, LEAST_GRAIN_PX)]


def _printed(canvas: Canvas, at: Point, value: int, is_below: bool, theme: Theme, height: float) -> None:
    """A number beyond the end of a bar, or over a point, on a plate that covers the lines behind it."""
    x, y = at[0], at[1] + (0.7 if is_below else -0.66) * height
    wide = text_width_px(str(value), height, theme.font) + 0.2 * height
    canvas.rectangle((x - wide / 2, y - 0.44 * height), (wide, 0.88 * height), fill=theme.panel)
    canvas.text((x, y), str(value), height, theme.ink, font=theme.font)


def _bars(canvas: Canvas, scene: Panels, panel: Panel, plot: Plot, theme: Theme, look: Look, height: float) -> None:
    count, many = len(scene.categories), len(scene.series)
    slot = (plot.right - plot.left) / count
    wide = slot * look.fill / many
    zero = plot.y(max(0, plot.axis.low))
    for place in range(count):
        for series in range(many):
            value = panel.values[series][place]
            left = plot.x(place, count) + (series - many / 2) * wide
            top, bottom = sorted((plot.y(value), zero))
            hatch = look.hatches[series] if many > 1 else ""
            if bottom - top > 0.5:
                canvas.rectangle((left, top), (wide, bottom - top), look.colours[series], theme.ink, 1.0, hatch)
            name = f"{panel.name} {scene.series[series]} {scene.categories[place]}"
            canvas.part(name, (left, top, left + wide, bottom))
            if scene.has_numbers:
                end = plot.y(value)
                _printed(canvas, (left + wide / 2, end), value, value < 0, theme, height)


def _lines(canvas: Canvas, scene: Panels, panel: Panel, plot: Plot, theme: Theme, look: Look, height: float) -> None:
    count, width = len(scene.categories), max(1.6, canvas.size_px / 210)
    for series, row in enumerate(panel.values):
        points = [(plot.x(place, count), plot.y(value)) for place, value in enumerate(row)]
        stroke = look.strokes[series] if len(panel.values) > 1 else "solid"
        canvas.line(points, look.colours[series], width, stroke=stroke)
        if scene.has_numbers:
            for place, (point, value) in enumerate(zip(points, row, strict=True)):
                beside = [row[i] for i in (place - 1, place + 1) if 0 <= i < count]
                # Where the line comes down to it and rises again, if there is room.
                is_below = value * len(beside) < sum(beside) and point[1] + 1.3 * height < plot.bottom
                _printed(canvas, point, value, is_below, theme, height)
        for place, point in enumerate(points):
            canvas.marker(point, look.symbols[series], max(2.2, 0.26 * height), look.colours[series])
            canvas.part(f"{panel.name} {scene.series[series]} {scene.categories[place]}", point)
