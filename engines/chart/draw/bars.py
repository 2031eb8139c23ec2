"""Bars side by side or on top of each other, the bins of a histogram, and boxes with whiskers."""

from engines.canvas import Colour, Point
from engines.chart.draw.axes import Plot, draw_axes, draw_break, draw_frame, lay_out
from engines.chart.draw.sheet import Entry, Sheet
from engines.chart.scene import Axis, BoxPlot, Chart, Histogram
from engines.marks import Margin

STACKED = ("stacked", "hstacked")
BOX_SHARE = 0.5  # of a category's slot that its box takes


def part_name(scene: Chart, series: int, category: int) -> str:
    """What the mark of a value is called: its category, or its colour where none is written, and its series."""
    named = scene.categories[category] if scene.categories else scene.colours[series][category]
    if len(scene.values) == 1:
        return named
    return f"{named} {scene.series[series] if scene.series else scene.colours[series][category]}"


def swatch(sheet: Sheet, colour: Colour, name: str) -> Entry:
    """A legend's line for a filled area."""

    def paint(left: float, top: float, width: float, height: float) -> None:
        sheet.canvas.rectangle((left, top), (width, height), colour, sheet.theme.ink, sheet.line_px)

    return Entry(paint, name)


def bar_boxes(scene: Chart, plot: Plot, fill: float) -> list[list[tuple[Point, Point]]]:
    """Two opposite corners of every bar or part of a bar, [series][category], in final pixels."""
    count, series, low = len(scene.values[0]), len(scene.values), plot.axis.low
    is_stacked = scene.kind in STACKED
    width = fill / count / (1 if is_stacked else series)
    feet, boxes = [low] * count, []
    for s, row in enumerate(scene.values):
        line = []
        for c, value in enumerate(row):
            start = (c + (1 - fill) / 2) / count + (0.0 if is_stacked else s * width)
            end = feet[c] + value if is_stacked else value
            line.append((plot.at(start, feet[c]), plot.at(start + width, end)))
            feet[c] = end if is_stacked else low
        boxes.append(line)
    return boxes


def draw_bars(sheet: Sheet, scene: Chart) -> list[Margin]:
    """Draw a bar chart of any kind; gives the margins of its values."""
    sheet.title()
    if scene.series:
        colours = [sheet.colour(row[0]) for row in scene.colours]
        sheet.legend([swatch(sheet, *entry) for entry in zip(colours, scene.series, strict=True)])
    has_numbers = scene.furniture.has_numbers
    plot = lay_out(
        sheet, scene.axis, scene.categories, scene.is_sideways, ends=int(has_numbers and not scene.is_sideways)
    )
    if has_numbers and scene.is_sideways:
        plot = plot._replace(right=plot.right - sheet.width(scene.axis.text(scene.axis.high)))
    draw_axes(sheet, plot, scene.categories)
    outline = sheet.theme.ink if sheet.look.has_outlines or scene.kind in STACKED else None
    boxes = bar_boxes(scene, plot, sheet.look.fill)
    for s, row in enumerate(boxes):
        for c, ((x0, y0), (x1, y1)) in enumerate(row):
            box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            size = (box[2] - box[0], box[3] - box[1])
            with sheet.canvas.thing(s * len(row) + c + 1):
                sheet.canvas.rectangle(box[:2], size, sheet.colour(scene.colours[s][c]), outline, sheet.line_px)
            sheet.canvas.part(part_name(scene, s, c), box)
    if scene.threshold is not None:
        ends = [plot.at(0, scene.threshold), plot.at(1, scene.threshold)]
        sheet.canvas.line(ends, sheet.theme.panel, 3.2 * sheet.line_px)
        sheet.canvas.line(ends, sheet.theme.ink, 1.8 * sheet.line_px, dash_px=0.4 * sheet.text_px)
    draw_frame(sheet, plot)
    if scene.axis.low > 0 and not scene.axis.is_log:
        draw_break(sheet, plot)
    if has_numbers:
        _write_values(sheet, scene, boxes)
    return plot.margins(bar_ends(scene), sheet.floor_px)


def _write_values(sheet: Sheet, scene: Chart, boxes: list[list[tuple[Point, Point]]]) -> None:
    """Write every value at the end of its bar, over the frame where that is in the way."""
    for row, line in zip(scene.values, boxes, strict=True):
        for value, ((x0, y0), (x1, y1)) in zip(row, line, strict=True):
            across, up = (x0 + x1) / 2, (y0 + y1) / 2
            at = (max(x0, x1) + 0.3 * sheet.gap, up) if scene.is_sideways else (across, min(y0, y1) - 0.5 * sheet.gap)
            sheet.on_patch(at, scene.axis.text(value), "lm" if scene.is_sideways else "mb")


def bar_ends(scene: Chart) -> list[int]:
    """Every value at which a bar ends or a threshold stands."""
    ends = [] if scene.threshold is None else [scene.threshold]
    if scene.kind not in STACKED:
        return ends + [value for row in scene.values for value in row]
    totals = [0] * len(scene.values[0])
    for row in scene.values:
        totals = [total + value for total, value in zip(totals, row, strict=True)]
        ends += row
    return ends + totals


def draw_histogram(sheet: Sheet, scene: Histogram) -> list[Margin]:
    """Draw bars over the bins between numbered edges; gives the margins of the counts."""
    sheet.title()
    edges = scene.edges
    width = edges[1] - edges[0]
    slot = 0.8 * (sheet.right - sheet.left) / len(scene.counts)
    fits = (n for n in range(1, len(edges)) if n * slot >= 1.15 * sheet.width(str(edges[-1])) + 0.3 * sheet.text_px)
    x_axis = Axis(edges[0], edges[-1], next(fits) * width, width, title=scene.x_title)
    plot = lay_out(sheet, scene.axis, (), x_axis=x_axis)
    draw_axes(sheet, plot, ())
    colour = sheet.colour(scene.colour)
    bins = zip(edges, edges[1:], scene.counts, strict=False)
    for number, (low, high, count) in enumerate(bins, 1):
        (left, top), (right, bottom) = plot.point(low, count), plot.point(high, scene.axis.low)
        with sheet.canvas.thing(number):
            sheet.canvas.rectangle((left, top), (right - left, bottom - top), colour, sheet.theme.ink, sheet.line_px)
        sheet.canvas.part(f"{low} to {high}", (left, top, right, bottom))
    if sheet.style.is_photographed:  # bars side by side hide the gridlines behind them
        for value in scene.axis.numbers()[1:-1]:
            sheet.canvas.line([plot.at(0, value), plot.at(1, value)], sheet.theme.faint, sheet.line_px)
    draw_frame(sheet, plot)
    return plot.margins(scene.counts, sheet.floor_px)


def draw_boxes(sheet: Sheet, scene: BoxPlot) -> list[Margin]:
    """Draw boxes with whiskers; gives the margins between the five values of each and between medians."""
    sheet.title()
    plot = lay_out(sheet, scene.axis, scene.categories)
    draw_axes(sheet, plot, scene.categories)
    canvas, ink, width_px = sheet.canvas, sheet.theme.ink, sheet.line_px
    margins: list[Margin] = plot.margins([box.median for box in scene.boxes], sheet.floor_px)
    for index, box in enumerate(scene.boxes):
        middle, half = (index + 0.5) / len(scene.boxes), BOX_SHARE / 2 / len(scene.boxes)
        for inner, outer in ((box.lower, box.low), (box.upper, box.high)):
            canvas.line([plot.at(middle, inner), plot.at(middle, outer)], ink, width_px)
            canvas.line([plot.at(middle - half / 2, outer), plot.at(middle + half / 2, outer)], ink, width_px)
        (left, top), (right, bottom) = plot.at(middle - half, box.upper), plot.at(middle + half, box.lower)
        canvas.rectangle((left, top), (right - left, bottom - top), sheet.colour(scene.colours[index]), ink, width_px)
        canvas.line([plot.at(middle - half, box.median), plot.at(middle + half, box.median)], ink, 2.4 * width_px)
        canvas.part(scene.categories[index], (left, plot.at(0, box.high)[1], right, plot.at(0, box.low)[1]))
        margins += plot.margins(box, sheet.floor_px)[:-1]
    draw_frame(sheet, plot)
    return margins
