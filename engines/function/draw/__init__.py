"""How graphs look: a plot area with grid, axes and numbers along its edge; or four small ones; or matplotlib's look."""

import math

import numpy as np

from engines.base import Style
from engines.canvas import Canvas, Point, text_width_px
from engines.function.draw.face import face
from engines.function.draw.frame import Frame, Pixel, margins, shaded, strands
from engines.function.draw.panels import draw_panels
from engines.function.draw.points import dot_px, ends, letter_places, text_px
from engines.function.scene import FunctionScene, PanelsScene
from engines.marks import Drawing
from engines.plot import looks_matplotlib
from engines.style import colour_of, theme_of

LEFT, RIGHT, TOP, BOTTOM = 0.165, 0.055, 0.065, 0.135  # margins around the plot area, shares of the picture
LEGEND = 0.085  # the same of a legend above it
DOT_UNITS = 0.4  # radius of a marked node in grid units, within DOT_PX
DOT_PX = (4.0, 10.0)
TINT = 0.72  # share of the paper in the colour of a shaded region


def draw(scene: FunctionScene | PanelsScene, size_px: int, style: Style) -> Drawing:
    """Draw the scene as an RGB picture of size_px x size_px, with its marks and margins."""
    theme = theme_of(style)
    canvas = Canvas(size_px, theme.background)  # an unsteady hand would bend what is read
    if isinstance(scene, PanelsScene):
        return draw_panels(canvas, scene, style)
    if looks_matplotlib(style):
        return face(scene, size_px, style)
    top = TOP + (LEGEND if scene.names else 0.0)
    box = (LEFT * size_px, top * size_px, size_px * (1 - LEFT - RIGHT), size_px * (1 - top - BOTTOM))
    frame = Frame(scene, box)
    canvas.rectangle(box[:2], box[2:], fill=theme.panel)
    lines = [strands(curve, scene, frame.width) for curve in scene.curves]
    _shade(canvas, frame, style)
    _axes(canvas, frame, style)
    _numbers(canvas, frame, style)
    bold = (1.7 + size_px / 130) * min(theme.line_scale, 1.25)
    for curve, parts in zip(scene.curves, lines, strict=True):
        for part in parts:
            gap_px = bold * 2.2 if curve.dashed else 0.0
            canvas.line(frame.pixels(part), colour_of(curve.colour, style), bold, dash_px=gap_px)
    _dots(canvas, frame, style, bold)
    _points(canvas, frame, style, lines)
    _legend(canvas, frame, style, bold)
    for index, parts in enumerate(lines):
        if parts:
            middle = max(parts, key=len)
            canvas.part(f"graph {scene.curves[index].colour}", _at(frame.pixel, middle[len(middle) // 2]))
    canvas.part("origin", frame.pixel(0, 0))
    return canvas.drawing(margins(scene, lines, frame.pixel, size_px))


def _at(pixel: Pixel, place: np.ndarray) -> Point:
    return pixel(float(place[0]), float(place[1]))


def _shade(canvas: Canvas, frame: Frame, style: Style) -> None:
    """Fill the shaded region with a tint of its first border's colour."""
    scene = frame.scene
    if not any(scene.shade):
        return
    colour = next(curve.colour for curve, side in zip(scene.curves, scene.shade, strict=True) if side)
    paper = theme_of(style).panel
    tint = tuple(round(TINT * a + (1 - TINT) * b) for a, b in zip(paper, colour_of(colour, style), strict=True))
    for outline in shaded(scene, frame.width):
        canvas.polygon(frame.pixels(outline), fill=tint)


def _axes(canvas: Canvas, frame: Frame, style: Style) -> None:
    """Grid lines, the two axes, and dashed guides."""
    theme, scene, size_px = theme_of(style), frame.scene, canvas.size_px
    thin = max(0.8, size_px / 300)
    for x in range(scene.x_low, scene.x_high + 1):
        canvas.line([frame.pixel(x, scene.y_low), frame.pixel(x, scene.y_high)], theme.faint, thin)
    for y in range(scene.y_low, scene.y_high + 1):
        canvas.line([frame.pixel(scene.x_low, y), frame.pixel(scene.x_high, y)], theme.faint, thin)
    thick = (1.2 + size_px / 280) * theme.line_scale
    canvas.line([frame.pixel(scene.x_low, 0), frame.pixel(scene.x_high, 0)], theme.ink, thick)
    canvas.line([frame.pixel(0, scene.y_low), frame.pixel(0, scene.y_high)], theme.ink, thick)
    for axis, value in scene.guides:
        low, high = ((value, scene.y_low), (value, scene.y_high)) if axis == "x" else (
            (scene.x_low, value), (scene.x_high, value)
        )  # fmt: skip
        canvas.line([frame.pixel(*low), frame.pixel(*high)], theme.ink, 1.6 * thin, dash_px=size_px / 70)


def _numbers(canvas: Canvas, frame: Frame, style: Style) -> None:
    """Write the numbers of the ticks, as many as there is room for; 0 is always among them."""
    theme, scene, size_px = theme_of(style), frame.scene, canvas.size_px
    font_px = text_px(size_px)
    widest = max(text_width_px(str(x), font_px, theme.font) for x in (scene.x_low, scene.x_high))
    step = next(
        s for s in (1, 2, 5, 10, 20) if s * frame.unit_x >= widest + 0.3 * font_px and s * frame.unit_y >= font_px
    )
    gap = max(1.5, size_px / 80)
    lowest = math.ceil(scene.y_low / step) * step
    is_low = frame.pixel(0, lowest)[1] + 0.5 * font_px > frame.top + frame.height + gap - 1
    for x in range(math.ceil(scene.x_low / step) * step, scene.x_high + 1, step):
        middle = frame.pixel(x, 0)[0]
        if is_low and middle - text_width_px(str(x), font_px, theme.font) / 2 < frame.left - gap + 2:
            continue  # the lowest y is written there
        canvas.text((middle, frame.top + frame.height + gap), str(x), font_px, theme.ink, "mt", theme.font)
    for y in range(lowest, scene.y_high + 1, step):
        canvas.text((frame.left - gap, frame.pixel(0, y)[1]), str(y), font_px, theme.ink, "rm", theme.font)


def _dots(canvas: Canvas, frame: Frame, style: Style, bold: float) -> None:
    """Marked nodes, and the ends of separate pieces: filled where the end belongs to the piece, else open."""
    theme, size_px = theme_of(style), canvas.size_px
    radius = min(max(DOT_UNITS * frame.unit_x, DOT_PX[0]), DOT_PX[1])
    for x, y in frame.scene.dots:
        canvas.circle(frame.pixel(x, y), radius, fill=theme.ink, outline=theme.panel, width_px=max(1.0, radius / 4))
    radius = dot_px(size_px)
    for curve in frame.scene.curves:
        colour = colour_of(curve.colour, style)
        for x, y, is_filled in ends(curve, frame.scene):
            fill = colour if is_filled else theme.panel
            canvas.circle(frame.pixel(x, y), radius, fill=fill, outline=colour, width_px=min(bold, 0.55 * radius))


def _points(canvas: Canvas, frame: Frame, style: Style, lines: list[list[np.ndarray]]) -> None:
    """Dots with letters."""
    scene, theme, size_px = frame.scene, theme_of(style), canvas.size_px
    radius = dot_px(size_px) * 0.85
    places = letter_places(scene, lines, frame, radius, size_px)
    for point, place in zip(scene.points, places, strict=True):
        at = frame.pixel(float(point.x), float(point.y))
        canvas.circle(at, radius, fill=theme.ink, outline=theme.panel, width_px=max(0.8, radius / 5))
        canvas.text(place, point.letter, text_px(size_px), theme.ink, "mm", theme.font)
        canvas.part(point.letter, at)


def _legend(canvas: Canvas, frame: Frame, style: Style, bold: float) -> None:
    """A line and a name per curve, above the plot area."""
    scene, theme, size_px = frame.scene, theme_of(style), canvas.size_px
    if not scene.names:
        return
    font_px, sample = text_px(size_px), 0.09 * size_px
    y, slot = (TOP + LEGEND) * 0.5 * size_px, frame.width / len(scene.names)
    for index, (name, curve) in enumerate(zip(scene.names, scene.curves, strict=True)):
        x = frame.left + (index + 0.5) * slot - (sample + font_px) / 2
        gap_px = bold * 2.2 if curve.dashed else 0.0
        canvas.line([(x, y), (x + sample, y)], colour_of(curve.colour, style), bold, dash_px=gap_px)
        canvas.text((x + sample + 0.35 * font_px, y), name, font_px, theme.ink, "lm", theme.font)
