"""Lines and areas over categories, and points over two axes of numbers."""

import itertools
import math

from engines.canvas import Colour, Point
from engines.chart.draw.axes import Plot, draw_axes, draw_frame, lay_out
from engines.chart.draw.bars import part_name
from engines.chart.draw.sheet import Entry, Sheet
from engines.chart.scene import Chart, Scatter
from engines.marks import Apart, Margin

DOT, LEAST_DOT_PX = 0.2, 2.4  # radius of a point: in font sizes, and at least
LARGER = 1.75  # points of a scatter plot, which stand alone
THINNER = 0.7  # their outlines, which leave more of a colour that may be asked for
DOT_GAP = 1.5  # least distance of two points, in radii


def dot_px(sheet: Sheet) -> float:
    """Radius of a point."""
    return max(LEAST_DOT_PX, DOT * sheet.text_px)


def _sample(sheet: Sheet, colour: Colour, marker: str, name: str, has_line: bool) -> Entry:
    """A legend's line for a marker, with a piece of its line."""

    def paint(left: float, top: float, width: float, height: float) -> None:
        y = top + height / 2
        if has_line:
            sheet.canvas.line([(left, y), (left + width, y)], colour, 2.0 * sheet.line_px)
        radius_px = dot_px(sheet) * (1.0 if has_line else LARGER)
        sheet.canvas.marker((left + width / 2, y), marker, radius_px, colour, sheet.theme.ink, sheet.line_px)

    return Entry(paint, name)


def _tint(colour: Colour, panel: Colour) -> Colour:
    """A lighter colour, for areas."""
    red, green, blue = (round(0.45 * a + 0.55 * b) for a, b in zip(colour, panel, strict=True))
    return red, green, blue


def draw_lines(sheet: Sheet, scene: Chart) -> list[Margin]:
    """Draw a line or area chart; gives the margins of its values."""
    colours = [sheet.colour(row[0]) for row in scene.colours]
    markers = scene.markers or ("circle",) * len(colours)
    sheet.title()
    if scene.series:
        named = zip(colours, markers, scene.series, strict=True)
        sheet.legend([_sample(sheet, *entry, has_line=True) for entry in named])
    plot = lay_out(sheet, scene.axis, scene.categories)
    draw_axes(sheet, plot, scene.categories)
    draw_frame(sheet, plot)
    margins: list[Margin] = []
    for s, row in enumerate(scene.values):
        points = [plot.at((c + 0.5) / len(row), value) for c, value in enumerate(row)]
        if scene.kind == "area":
            foot = [plot.at((len(row) - 0.5) / len(row), scene.axis.low), plot.at(0.5 / len(row), scene.axis.low)]
            sheet.canvas.polygon([*points, *foot], _tint(colours[s], sheet.theme.panel))
        sheet.canvas.line(points, colours[s], 2.0 * sheet.line_px)
    for s, row in enumerate(scene.values):
        for c, value in enumerate(row):
            point = plot.at((c + 0.5) / len(row), value)
            sheet.canvas.marker(point, markers[s], dot_px(sheet), colours[s], sheet.theme.ink, sheet.line_px)
            sheet.canvas.part(part_name(scene, s, c), point)
    for column in zip(*scene.values, strict=True):
        margins += plot.margins(column, sheet.floor_px)[:-1]
    return [*margins, *plot.margins(scene.values[0], sheet.floor_px)]


def draw_scatter(sheet: Sheet, scene: Scatter) -> list[Margin]:
    """Draw points over two axes; gives the margins between points, and between points and guides."""
    colours = [sheet.colour(name) for name in scene.colours]
    sheet.title()
    if scene.series:
        named = zip(colours, scene.markers, scene.series, strict=True)
        sheet.legend([_sample(sheet, *entry, has_line=False) for entry in named])
    plot = lay_out(sheet, scene.axis, (), x_axis=scene.x_axis)
    draw_axes(sheet, plot, ())
    draw_frame(sheet, plot)
    if scene.guides:
        _guides(sheet, plot, scene.guides)
    radius_px = LARGER * dot_px(sheet)
    points = [plot.point(dot.x, dot.y) for dot in scene.dots]
    for dot, point in zip(scene.dots, points, strict=True):
        marker, colour = scene.markers[dot.series], colours[dot.series]
        sheet.canvas.marker(point, marker, radius_px, colour, sheet.theme.ink, THINNER * sheet.line_px)
        sheet.canvas.part(f"{dot.x}, {dot.y}", point)
    return [*apart(points, DOT_GAP * radius_px), *_clear_of_guides(sheet, plot, scene)]


def _guides(sheet: Sheet, plot: Plot, guides: tuple[int, int]) -> None:
    """Two dashed lines across the plot."""
    x, y = plot.point(*guides)
    for ends in ([(x, plot.top), (x, plot.bottom)], [(plot.left, y), (plot.right, y)]):
        sheet.canvas.line(ends, sheet.theme.ink, 1.4 * sheet.line_px, dash_px=0.4 * sheet.text_px)


def apart(points: list[Point], floor_px: float) -> list[Margin]:
    """The closest pairs keep their distance; pairs three times as far apart need no word."""
    pairs = itertools.combinations(points, 2)
    return [Apart(one, other, floor_px) for one, other in pairs if math.dist(one, other) < 3 * floor_px]


def _clear_of_guides(sheet: Sheet, plot: Plot, scene: Scatter) -> list[Margin]:
    """Points keep clear of the guides, on their side of each."""
    if not scene.guides:
        return []
    x, y = scene.guides
    margins: list[Margin] = []
    for dot in scene.dots:
        here = plot.point(dot.x, dot.y)
        margins += [
            Apart(here, plot.point(x, dot.y), sheet.floor_px),
            Apart(here, plot.point(dot.x, y), sheet.floor_px),
        ]
    return margins
