"""Axes: where the plot stands on its sheet, how values become pixels, ticks, numbers and the names of categories."""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engines.canvas import Point
from engines.chart.draw.sheet import DESCENT, Sheet
from engines.chart.scene import Axis
from engines.marks import Apart, Margin


class Plot(NamedTuple):
    """The plot area in final pixels, and the map from values to it."""

    left: float
    top: float
    right: float
    bottom: float
    axis: Axis
    is_sideways: bool = False  # values grow to the right, categories run downwards
    x_axis: Axis | None = None  # where the other axis has numbers too

    def at(self, place: float, value: float) -> Point:
        """The point of a value at a place 0..1 along the other axis."""
        share = self.axis.share(value)
        if self.is_sideways:
            return self.left + share * (self.right - self.left), self.top + place * (self.bottom - self.top)
        return self.left + place * (self.right - self.left), self.bottom - share * (self.bottom - self.top)

    def point(self, x: float, y: float) -> Point:
        """The point of a pair of numbers, where both axes have numbers."""
        return self.at(self.x_axis.share(x), y)

    def margins(self, values: Iterable[int], floor_px: float) -> list[Margin]:
        """Different values stand apart, and so do two neighbouring ticks."""
        ticks = self.axis.ticks()[-2:]
        ordered = sorted(set(values))
        pairs = [*itertools.pairwise(ordered), (ticks[0], ticks[1])]
        return [Apart(self.at(0.5, low), self.at(0.5, high), floor_px) for low, high in pairs]


def lay_out(
    sheet: Sheet, axis: Axis, names: Sequence[str], is_sideways: bool = False, x_axis: Axis | None = None, ends: int = 0
) -> Plot:
    """Take the rooms of axis titles, numbers and names from the sheet, write the titles, and give the plot area.

    `names` are written along the axis of categories, or `x_axis` stands there; `ends` are rows of text kept free above.
    """
    number = max(sheet.width(axis.text(value)) for value in (axis.low, axis.high, axis.high - axis.step))
    upright = axis.label() if not is_sideways else sheet.furniture.axis_title
    below = sheet.furniture.axis_title if not is_sideways else axis.label()
    if x_axis is not None:
        below = x_axis.label()
    if below:
        sheet.bottom -= sheet.row + sheet.gap
    if upright and sheet.look.is_upright:
        sheet.left += sheet.row + sheet.gap
    elif upright:
        sheet.write((sheet.left, sheet.top), upright, "lt")
        sheet.top += sheet.row + sheet.gap
    widest = max((sheet.width(name) for name in names), default=0.0)
    # A number is centred on the end of its axis: half of it needs room beyond.
    first = sheet.width(axis.text(axis.low)) / 2
    left = sheet.left + (max(widest + sheet.gap, first) if is_sideways else number + sheet.gap)
    over = sheet.width(axis.text(axis.high)) / 2 if is_sideways else 0.0
    over = sheet.width(x_axis.text(x_axis.high)) / 2 if x_axis is not None else over
    right = sheet.right - over
    names_room = 0.0 if is_sideways or not names else _names_room(sheet, names, right - left)
    numbers_room = sheet.letter if is_sideways or x_axis is not None else 0.0
    room = names_room + numbers_room
    bottom = sheet.bottom - (room + sheet.gap if room else sheet.letter / 2)
    top = sheet.top + (0.0 if is_sideways else sheet.letter / 2) + ends * (sheet.row + 0.3 * sheet.gap)
    if below:
        sheet.write(((left + right) / 2, sheet.bottom + sheet.gap), below, "mt")
    if upright and sheet.look.is_upright:
        sheet.write_up((sheet.left - sheet.gap - sheet.row / 2, (top + bottom) / 2), upright)
    return Plot(left, top, right, bottom, axis, is_sideways, x_axis)


def _names_room(sheet: Sheet, names: Sequence[str], width: float) -> float:
    """Height of the names of categories below a plot of this width."""
    if is_flat(sheet, names, width):
        has_descent = any(set(name) & set("gjpqy") for name in names)
        return sheet.letter + (DESCENT * sheet.text_px if has_descent else 0.0)
    return max(sheet.width(name) for name in names)


def is_flat(sheet: Sheet, names: Sequence[str], width: float) -> bool:
    """The names have room side by side; otherwise they are turned."""
    slot = width / len(names) - 0.35 * sheet.text_px
    return all(sheet.width(name) <= slot for name in names)


def draw_axes(sheet: Sheet, plot: Plot, names: Sequence[str]) -> None:
    """Panel, gridlines, ticks and numbers of the value axis, names of the categories."""
    canvas, theme = sheet.canvas, sheet.theme
    canvas.rectangle((plot.left, plot.top), (plot.right - plot.left, plot.bottom - plot.top), theme.panel)
    numbers = plot.axis.numbers()
    if sheet.has_gridlines:
        for value in numbers[1:]:
            canvas.line([plot.at(0, value), plot.at(1, value)], theme.faint, sheet.line_px)
    _value_ticks(sheet, plot, numbers)
    if plot.x_axis is not None:
        _x_ticks(sheet, plot)
    is_turned = bool(names) and not plot.is_sideways and not is_flat(sheet, names, plot.right - plot.left)
    for index, name in enumerate(names):
        x, y = plot.at((index + 0.5) / len(names), plot.axis.low)
        if plot.is_sideways:
            sheet.write((x - sheet.gap, y), name, "rm")
        elif is_turned:
            sheet.write_up((x, y + sheet.gap + sheet.width(name) / 2), name)
        else:
            sheet.write((x, y + sheet.gap), name, "mt")


def _value_ticks(sheet: Sheet, plot: Plot, numbers: list[int]) -> None:
    """Ticks and numbers of the value axis."""
    feet = [plot.at(1.0 if plot.is_sideways else 0.0, value) for value in plot.axis.ticks()]
    _comb(sheet, feet, [value in numbers for value in plot.axis.ticks()], is_down=plot.is_sideways)
    for value in numbers:
        x, y = plot.at(1.0 if plot.is_sideways else 0.0, value)
        at = (x, y + sheet.gap) if plot.is_sideways else (x - sheet.gap, y)
        sheet.write(at, plot.axis.text(value), "mt" if plot.is_sideways else "rm")


def _x_ticks(sheet: Sheet, plot: Plot) -> None:
    """Ticks and numbers of a horizontal axis of numbers, and its gridlines."""
    axis, numbers = plot.x_axis, plot.x_axis.numbers()
    _comb(
        sheet,
        [plot.point(value, plot.axis.low) for value in axis.ticks()],
        [value in numbers for value in axis.ticks()],
        is_down=True,
    )
    for value in numbers:
        x, y = plot.point(value, plot.axis.low)
        sheet.write((x, y + sheet.gap), axis.text(value), "mt")
        if sheet.has_gridlines and value != axis.low:
            sheet.canvas.line([(x, y), (x, plot.top)], sheet.theme.faint, sheet.line_px)


def _comb(sheet: Sheet, feet: Sequence[Point], is_long: Sequence[bool], is_down: bool) -> None:
    """Ticks as the teeth of one line, which costs the canvas no more than a single tick."""
    points: list[Point] = []
    for (x, y), is_one in zip(feet, is_long, strict=True):
        length = (0.25 if is_one else 0.125) * sheet.text_px
        points += [(x, y), (x, y + length) if is_down else (x - length, y), (x, y)]
    sheet.canvas.line(points, sheet.theme.ink, sheet.line_px)


def draw_frame(sheet: Sheet, plot: Plot) -> None:
    """The two axis lines or a box, and the mark of a bar axis that does not start at zero."""
    corners = [(plot.left, plot.top), (plot.left, plot.bottom), (plot.right, plot.bottom)]
    if sheet.look.has_box:
        corners += [(plot.right, plot.top), (plot.left, plot.top), (plot.left, plot.bottom)]
    sheet.canvas.line(corners, sheet.theme.ink, 1.3 * sheet.line_px)


def draw_break(sheet: Sheet, plot: Plot) -> None:
    """Two slanted strokes across the foot of the value axis, which is cut between them: numbers are left out below."""
    reach, canvas = 0.4 * sheet.text_px, sheet.canvas
    x, y = plot.left, plot.bottom
    strokes = []
    for step in (0.8, 1.7):
        if plot.is_sideways:
            strokes.append([(x + step * reach - reach / 2, y + reach), (x + step * reach + reach / 2, y - reach)])
        else:
            strokes.append([(x - reach, y - step * reach + reach / 2), (x + reach, y - step * reach - reach / 2)])
    canvas.polygon([*strokes[0], *reversed(strokes[1])], fill=sheet.theme.background)
    for ends in strokes:
        canvas.line(ends, sheet.theme.ink, 1.3 * sheet.line_px)
