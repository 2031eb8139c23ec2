"""Maps: lines of equal height, every second one bold and numbered, tops with their heights, points and arrows."""

import functools
import math

import numpy as np
from contourpy import contour_generator

from engines.base import Style
from engines.canvas import Canvas, Point
from engines.lettering import text_width_px
from engines.marks import Apart, Box, Drawing
from engines.panels.draw.charts import text_px
from engines.panels.draw.window import Window, curve_colour, draw_windows
from engines.panels.scene import LETTERS, SIDE, Map
from engines.style import mixed, theme_of

EDGE = 0.03  # around the map, in pictures
GRID = 49  # places each way at which heights are taken
BOLD = 2  # every so many lines
FREE = 0.7  # of a text's height, between texts
CANDIDATES = 40  # places of a line that are tried for its number


def draw_map(scene: Map, size_px: int, style: Style) -> Drawing:
    """Draw a map with north up."""
    theme, height = theme_of(style), text_px(size_px)
    canvas = Canvas(size_px, theme.background)
    window = Window((EDGE * size_px, EDGE * size_px, (1 - EDGE) * size_px, (1 - EDGE) * size_px), (0, SIDE), (0, SIDE))
    draw_windows(canvas, theme, [window], [], [])
    ink, thin = mixed(theme.ink, (150, 90, 40), 0.55), max(0.8, size_px / 400)
    marks = _marks(scene, window, height)
    taken = [_box(at, text, height, theme.font) for at, text in marks]
    for start, end in scene.arrows:  # numbers keep off them
        for share in np.linspace(0, 1, 9).tolist():
            x, y = window.at(*(a + (b - a) * share for a, b in zip(start, end, strict=True)))
            taken.append((x - 0.4 * height, y - 0.4 * height, x + 0.4 * height, y + 0.4 * height))
    tops = _tops(scene, window, height, theme.font, taken)
    numbers: list[tuple[Point, str]] = []
    lines: dict[bool, list[list[Point]]] = {False: [], True: []}
    for value, ways in _contours(scene, window):
        is_bold = value // scene.step % BOLD == 0
        lines[is_bold] += [way.tolist() for way in ways]
        if is_bold and ways:
            numbers += _number(np.concatenate(ways), str(value), height, theme.font, taken, window.box)
    for is_bold, ways in lines.items():
        canvas.lines(ways, ink, thin * (2.0 if is_bold else 1.0))
    canvas.polygons([_plate(at, text, height, theme.font) for at, text in (*numbers, *marks)], theme.panel, None)
    for at, text in numbers:
        canvas.text(at, text, height, ink, font=theme.font)
    for hill, (at, text) in zip(scene.hills, tops, strict=True):
        canvas.marker(window.at(hill.x, hill.y), "triangle", 0.26 * height, theme.ink)
        canvas.text(at, text, height, theme.ink, font=theme.font)
    margins = _signs(canvas, scene, window, marks, style, height)
    return canvas.drawing(margins)


def _signs(
    canvas: Canvas, scene: Map, window: Window, marks: list[tuple[Point, str]], style: Style, height: float
) -> list[Apart]:
    """Points or arrows with their letters."""
    theme, colour = theme_of(style), curve_colour(style)
    radius, margins = 0.24 * height, []
    for at, letter in marks:
        canvas.text(at, letter, height, theme.ink, font=theme.font)
    for point, letter in zip(scene.points, LETTERS, strict=False):
        x, y = window.at(*point)
        canvas.circle((x, y), radius, colour, theme.ink, 1.0)
        canvas.part(f"point {letter}", (x - radius, y - radius, x + radius, y + radius))
    for (start, end), letter in zip(scene.arrows, LETTERS, strict=False):
        width = max(1.8, canvas.size_px / 170)
        canvas.arrow(window.at(*start), window.at(*end), colour, width, 0.9 * height)
        canvas.part(f"arrow {letter}", (*window.at(*start), *window.at(*end)))
        margins.append(Apart(window.at(*start), window.at(*end), 20.0))
    return margins


def _marks(scene: Map, window: Window, height: float) -> list[tuple[Point, str]]:
    """Letters: to the right of points, behind the start of arrows."""
    found = []
    for (x, y), letter in zip(scene.points, LETTERS, strict=False):
        column, row = window.at(x, y)
        found.append(((column + 0.85 * height, row), letter))
    for (start, end), letter in zip(scene.arrows, LETTERS, strict=False):
        span = math.dist(start, end)
        column, row = window.at(*start)
        away = 0.75 * height
        found.append(((column - away * (end[0] - start[0]) / span, row + away * (end[1] - start[1]) / span), letter))
    return found


def _tops(scene: Map, window: Window, height: float, font: str, taken: list[Box]) -> list[tuple[Point, str]]:
    """Heights beside the triangles, on the side that is farthest from what is taken; takes it."""
    found = []
    for hill in scene.hills:
        (column, row), text = window.at(hill.x, hill.y), str(int(scene.at(hill.x, hill.y)))
        across = 0.55 * text_width_px(text, height, font) + 0.45 * height
        sides = ((0.0, 0.85 * height), (0.0, -0.75 * height), (across, 0.0), (-across, 0.0))
        spots = np.array([(column + dx, row + dy) for dx, dy in sides])
        at = spots[int(np.minimum(_free(spots, text, height, font, taken), height).argmax())].tolist()
        taken.append(_box(at, text, height, font))
        found.append(((at[0], at[1]), text))
    return found


@functools.cache
def _places() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of a way, and x and y at all places of the grid."""
    line = np.linspace(0, SIDE, GRID)
    return (line, *np.meshgrid(line, line))


def _contours(scene: Map, window: Window) -> list[tuple[int, list[np.ndarray]]]:
    """Lines by height: ways in pixels, float [n, 2]."""
    line, x, y = _places()
    z = np.full(x.shape, float(scene.base))
    for hill in scene.hills:
        z += hill.tall / (1 + ((x - hill.x) ** 2 + (y - hill.y) ** 2) / hill.wide**2)
    left, top, right, foot = window.box
    made = contour_generator(left + line / SIDE * (right - left), foot - line / SIDE * (foot - top), z)
    low, high = math.ceil(z.min() / scene.step), math.floor(z.max() / scene.step)
    return [(level * scene.step, made.lines(level * scene.step)) for level in range(low, high + 1)]


def _box(at: Point, text: str, height: float, font: str) -> Box:
    """What a text in the middle of a place covers, and a little more."""
    wide = text_width_px(text, height, font) + 0.25 * height
    return at[0] - wide / 2, at[1] - 0.45 * height, at[0] + wide / 2, at[1] + 0.45 * height


def _plate(at: Point, text: str, height: float, font: str) -> list[Point]:
    """Corners of what hides the lines behind a text."""
    left, top, right, foot = _box(at, text, height, font)
    return [(left, top), (right, top), (right, foot), (left, foot)]


def _free(spots: np.ndarray, text: str, height: float, font: str, taken: list[Box]) -> np.ndarray:
    """How far a text at spots, float [n, 2], is from what is taken, float [n]; below 0 where it meets any."""
    half = np.array([text_width_px(text, height, font) / 2 + 0.125 * height, 0.45 * height])
    low, high = spots[:, None] - half, spots[:, None] + half
    boxes = np.array(taken or [(-1e4, -1e4, -1e4, -1e4)])
    return np.maximum(boxes[:, :2] - high, low - boxes[:, 2:]).max(2).min(1)


def _number(
    way: np.ndarray, text: str, height: float, font: str, taken: list[Box], frame: Box
) -> list[tuple[Point, str]]:
    """Where on a line, float [n, 2], its number stands: far from all other texts; nowhere if there is no room."""
    spots = way[:: max(1, len(way) // CANDIDATES)]
    half = text_width_px(text, height, font) / 2 + 0.2 * height
    is_inside = (spots > np.array(frame[:2]) + half).all(1) & (spots < np.array(frame[2:]) - half).all(1)
    spots = spots[is_inside]
    free = _free(spots, text, height, font, taken)
    if not len(spots) or free.max() < FREE * height:
        return []
    place = (float(spots[free.argmax(), 0]), float(spots[free.argmax(), 1]))
    taken.append(_box(place, text, height, font))
    return [(place, text)]
