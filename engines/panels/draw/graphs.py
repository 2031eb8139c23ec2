"""Graphs in windows of one width, with their letters beside them; a graph over strips."""

import itertools

import numpy as np

from engines.base import Style
from engines.canvas import Canvas
from engines.marks import Apart, Box, Drawing
from engines.panels.draw.charts import text_px
from engines.panels.draw.window import Window, curve_colour, curve_px, draw_windows
from engines.panels.scene import HALF, Graph, Graphs, Strips
from engines.style import theme_of

FINE = 15  # points of a curve in a square of the grid
SPARE = 0.12  # of a window, free above and below a curve's middle part
BEYOND = 4  # points beyond the middle part that are to be seen too
LEAST_SQUARE_PX = 6.0
LETTER = 0.055  # room for the letter to the left of a window, in pictures
XS = np.linspace(-HALF, HALF, 2 * HALF * FINE + 1)


def draw_graphs(scene: Graphs, size_px: int, style: Style) -> Drawing:
    """Draw graphs one above the other, or one above and the options two by two."""
    theme, height = theme_of(style), text_px(size_px) * 1.15
    canvas, windows, curves = Canvas(size_px, theme.background), [], []
    for graph, box in zip(scene.graphs, _boxes(scene), strict=True):
        left, top, right, foot = (share * size_px for share in box)
        ys = np.polyval([float(number) for number in reversed(graph.numbers)], XS)
        windows.append(Window((left, top, right, foot), (-HALF, HALF), _range(graph, ys)))
        curves += windows[-1].curve(XS, ys)
        at = (left - LETTER / 2 * size_px, (top + foot) / 2)
        canvas.text(at, graph.name, height, theme.ink, font=theme.font)
        canvas.part(f"graph {graph.name}", (left, top, right, foot))
    grid = [way for window in windows for way in window.grid(range(1 - HALF, HALF), ())]
    draw_windows(canvas, theme, windows, grid, [way for window in windows for way in window.grid((0,), (0,))])
    canvas.lines(curves, curve_colour(style), curve_px(size_px, theme))
    return canvas.drawing([Apart(window.at(0, 0), window.at(1, 0), LEAST_SQUARE_PX) for window in windows])


def _boxes(scene: Graphs) -> list[Box]:
    """Windows in pictures: left, top, right, bottom."""
    if not scene.given:
        high = 0.96 / len(scene.options)
        tops = [0.02 + place * high for place in range(len(scene.options))]
        return [(0.02 + LETTER, top + 0.012, 0.98, top + high - 0.012) for top in tops]
    boxes = [(0.27 + LETTER / 2, 0.02, 0.73 + LETTER / 2, 0.325)]
    for row, column in itertools.product(range(2), range(2)):
        left, top = 0.015 + 0.49 * column + LETTER, 0.36 + 0.32 * row
        boxes.append((left, top, left + 0.425, top + 0.295))
    return boxes


def _range(graph: Graph, ys: np.ndarray) -> tuple[float, float]:
    """Heights that a window shows: of the graph's middle part, and its axis."""
    start, end = (graph.low + HALF) * FINE - BEYOND, (graph.high + HALF) * FINE + BEYOND
    middle = ys[max(0, start) : end + 1]
    low, high = min(0.0, float(middle.min())), max(0.0, float(middle.max()))
    spare = SPARE * (high - low)
    return low - spare, high + spare


def draw_strips(scene: Strips, size_px: int, style: Style) -> Drawing:
    """Draw the graph of f or f' over its strips, which dashed lines part."""
    theme, height = theme_of(style), text_px(size_px) * 1.15
    canvas, count = Canvas(size_px, theme.background), len(scene.letters)
    xs = np.linspace(0, count, count * 4 * FINE + 1)
    slopes = np.interp(xs, range(count + 1), scene.slopes)
    if scene.is_slope:
        ys = slopes
    else:
        first = np.minimum(xs.astype(int), count - 1)
        starts = np.array([float(value) for value in scene.heights()])[first]
        ys = starts + (np.array(scene.slopes)[first] + slopes) / 2 * (xs - first)
    low, high = float(ys.min()), float(ys.max())
    if scene.is_slope:
        low, high = min(low, 0.0), max(high, 0.0)
    spare = 0.08 * max(high - low, 0.5)
    box = (0.07 * size_px, 0.11 * size_px, 0.97 * size_px, 0.96 * size_px)
    window = Window(box, (0, count), (low - spare, high + spare))
    draw_windows(canvas, theme, [window], [], window.grid((), (0,) if scene.is_slope else ()))
    for edge in range(1, count):
        ends = [(window.x(edge), box[1] - 0.02 * size_px), (window.x(edge), box[3])]
        canvas.line(ends, theme.ink, max(1.0, size_px / 380), dash_px=max(2.5, size_px / 90))
    canvas.lines(window.curve(xs, ys), curve_colour(style), curve_px(size_px, theme))
    for place, letter in enumerate(scene.letters):
        canvas.text((window.x(place + 0.5), 0.06 * size_px), letter, height, theme.ink, font=theme.font)
        canvas.part(f"strip {letter}", (window.x(place), box[1], window.x(place + 1), box[3]))
    name = "f'" if scene.is_slope else "f"
    canvas.text((0.035 * size_px, 0.14 * size_px), name, height, theme.ink, font=theme.font)
    bends = [window.y(0) - window.y(abs(b - a) / 8) for a, b in itertools.pairwise(scene.slopes)]
    least = 0.0 if scene.is_slope else 0.015 * size_px
    margins = [Apart((0.0, 0.0), (0.0, bend), least) for bend in bends]
    return canvas.drawing(margins)
