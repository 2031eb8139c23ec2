"""Pies, donuts and radar charts."""

import itertools
import math

from engines.canvas import Point
from engines.chart.draw.bars import part_name, swatch
from engines.chart.draw.lines import dot_px
from engines.chart.draw.sheet import Entry, Sheet
from engines.chart.scene import Chart
from engines.marks import Apart, Margin, Turn

HOLE = 0.5  # of a donut's radius
LEAST_TURN_DEG = 4.0  # between two sectors that may be compared
STRAIGHT_DEG = 172.0  # sectors up to this wide are seen as an angle below 180 degrees


def _on_rim(centre: Point, radius_px: float, angle: float) -> Point:
    return centre[0] + radius_px * math.cos(angle), centre[1] - radius_px * math.sin(angle)


def draw_pie(sheet: Sheet, scene: Chart) -> list[Margin]:
    """Draw a pie or donut with ticks at its rim if the scene has them; gives the margins of its sectors."""
    sheet.title()
    colours = [sheet.colour(name) for name in scene.colours[0]]
    if scene.categories:
        sheet.legend([swatch(sheet, *entry) for entry in zip(colours, scene.categories, strict=True)])
    tick = 0.35 * sheet.text_px if scene.axis.unit else 0.0
    radius_px = min(sheet.right - sheet.left, sheet.bottom - sheet.top) / 2 - tick - sheet.line_px
    centre = ((sheet.left + sheet.right) / 2, sheet.top + sheet.line_px + tick + radius_px)
    centre = (centre[0], max(centre[1], (sheet.top + sheet.bottom) / 2))
    hole_px = HOLE * radius_px if scene.kind == "donut" else 0.0
    whole, angles = scene.axis.high, [math.radians(scene.turn)]
    for share in scene.values[0]:
        angles.append(angles[-1] + 2 * math.pi * share / whole)
    for c, (start, end) in enumerate(itertools.pairwise(angles)):
        with sheet.canvas.thing(c + 1):
            sheet.canvas.pie(centre, radius_px, start, end, colours[c], hole_px=hole_px)
        middle = _on_rim(centre, (radius_px + hole_px) / 2, (start + end) / 2)
        sheet.canvas.part(part_name(scene, 0, c), middle)
    ink, width_px = sheet.theme.ink, sheet.line_px
    for angle in angles[:-1]:
        sheet.canvas.line([_on_rim(centre, radius_px, angle), _on_rim(centre, hole_px, angle)], ink, width_px)
    for ring_px in (radius_px, hole_px) if hole_px else (radius_px,):
        sheet.canvas.circle(centre, ring_px, outline=ink, width_px=width_px)
    for value in range(0, whole, scene.axis.unit) if scene.axis.unit else ():
        angle = angles[0] + 2 * math.pi * value / whole
        sheet.canvas.line(
            [_on_rim(centre, radius_px, angle), _on_rim(centre, radius_px + tick, angle)], ink, 1.3 * width_px
        )
    return _turns(scene, centre, radius_px, angles)


def _turns(scene: Chart, centre: Point, radius_px: float, angles: list[float]) -> list[Margin]:
    """Every sector keeps half the way to the next one in size, so that the order of all sectors stays."""
    wide = [math.degrees(end - start) for start, end in itertools.pairwise(angles)]
    margins: list[Margin] = []
    for one, (start, end) in zip(wide, itertools.pairwise(angles), strict=True):
        gaps = [abs(one - other) for other in wide if abs(one - other) > 1e-6]
        half = max(min(gaps, default=360.0), LEAST_TURN_DEG) / 2
        if one <= STRAIGHT_DEG:
            arms = (_on_rim(centre, radius_px, start), centre, _on_rim(centre, radius_px, end))
            margins.append(Turn(arms, max(0.0, one - half), min(180.0, one + half)))
    return margins


def draw_radar(sheet: Sheet, scene: Chart) -> list[Margin]:
    """Draw series as closed lines over spokes, numbers along the first; gives the margins of the values."""
    sheet.title()
    colours = [sheet.colour(row[0]) for row in scene.colours]
    if scene.series:
        sheet.legend([_stroke(sheet, *entry) for entry in zip(colours, scene.series, strict=True)])
    count, axis, canvas = len(scene.categories), scene.axis, sheet.canvas
    turns = [math.pi / 2 - 2 * math.pi * c / count for c in range(count)]
    widest = max(sheet.width(name) for name in scene.categories)
    across = (sheet.right - sheet.left) / 2 - (widest + sheet.gap) * max(abs(math.cos(turn)) ** 0.2 for turn in turns)
    top = sheet.top + 0.6 * sheet.row
    down = (sheet.bottom - top) / 2 - sheet.row - sheet.gap
    radius_px = min(across, down)
    centre = ((sheet.left + sheet.right) / 2, (top + sheet.bottom) / 2)

    def at(c: int, value: float) -> Point:
        return _on_rim(centre, radius_px * axis.share(value), turns[c])

    # Numbers lie under the lines: a line through a number can be read, a point under one could not.
    canvas.polygon([at(c, axis.high) for c in range(count)], sheet.theme.panel, sheet.theme.ink, sheet.line_px)
    for value in axis.numbers()[1:-1]:
        canvas.polygon([at(c, value) for c in range(count)], None, sheet.theme.faint, sheet.line_px)
    for value in axis.numbers()[1:]:
        x, y = at(0, value)
        sheet.on_patch((x - 1.3 * sheet.gap, y), axis.text(value), "rm")
    for c, name in enumerate(scene.categories):
        canvas.line([centre, at(c, axis.high)], sheet.theme.faint, sheet.line_px)
        for value in axis.ticks()[1:]:
            _cross_tick(sheet, at(c, value), turns[c])
        dx, dy = math.cos(turns[c]), -math.sin(turns[c])
        anchor = ("m" if abs(dx) < 0.2 else "l" if dx > 0 else "r") + (
            "m" if abs(dy) < 0.35 else "t" if dy > 0 else "b"
        )
        # Numbers stand beside the first spoke, up to its end: its name keeps above them.
        away = 0.9 * sheet.gap + (0.6 * sheet.row if c == 0 else 0.0)
        end = _on_rim(centre, radius_px + away, turns[c])
        sheet.write(end, name, anchor)
    for s, row in enumerate(scene.values):
        corners = [at(c, value) for c, value in enumerate(row)]
        canvas.line([*corners, corners[0], corners[1]], colours[s], 1.8 * sheet.line_px)
    for s, row in enumerate(scene.values):
        for c, value in enumerate(row):
            canvas.circle(at(c, value), dot_px(sheet), colours[s], sheet.theme.ink, sheet.line_px)
            canvas.part(part_name(scene, s, c), at(c, value))
    return _spoke_margins(sheet, scene, at)


def _spoke_margins(sheet: Sheet, scene: Chart, at) -> list[Margin]:
    """On each spoke, different values stand apart."""
    margins: list[Margin] = []
    for c, column in enumerate(zip(*scene.values, strict=True)):
        ordered = sorted(set(column))
        margins += [Apart(at(c, low), at(c, high), sheet.floor_px) for low, high in itertools.pairwise(ordered)]
    low, high = scene.axis.ticks()[-2:]
    return [*margins, Apart(at(0, low), at(0, high), sheet.floor_px)]


def _cross_tick(sheet: Sheet, point: Point, turn: float) -> None:
    """A short stroke across a spoke."""
    dx, dy = math.sin(turn) * 0.18 * sheet.text_px, math.cos(turn) * 0.18 * sheet.text_px
    ends = [(point[0] - dx, point[1] - dy), (point[0] + dx, point[1] + dy)]
    sheet.canvas.line(ends, sheet.theme.ink, sheet.line_px)


def _stroke(sheet: Sheet, colour, name: str) -> Entry:
    """A legend's line for a closed line."""

    def paint(left: float, top: float, width: float, height: float) -> None:
        y = top + height / 2
        sheet.canvas.line([(left, y), (left + width, y)], colour, 1.8 * sheet.line_px)
        sheet.canvas.circle((left + width / 2, y), dot_px(sheet), colour, sheet.theme.ink, sheet.line_px)

    return Entry(paint, name)
