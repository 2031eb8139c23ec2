"""How a geometry picture looks: thick strokes on plain paper, dots, arcs across angles, letters where there is room."""

import math

import numpy as np

from engines.base import Style
from engines.canvas import Canvas, Colour, painted_maps
from engines.geometry.exact import Place
from engines.geometry.labels import arc_radius, dot_px, letter_px, stands, stroke_px
from engines.geometry.scene import FRAME, INK, Angle, GeometryScene, Lattice, Shape
from engines.marks import Apart, Drawing, Longer, Margin
from engines.style import Theme, colour_of, theme_of

ASSOCIATION = 1.5  # a letter is so many times nearer to its dot than to any other


def draw(scene: GeometryScene, size_px: int, style: Style) -> Drawing:
    """Draw the scene as an RGB picture of size_px x size_px."""
    theme, unit = theme_of(style), size_px / FRAME
    canvas = Canvas(size_px, theme.panel, theme.wobble_px * min(1.0, unit))
    stroke = stroke_px(size_px) * min(theme.line_scale, 1.25)

    def pixel(at: Place) -> Place:
        return at[0] * unit, at[1] * unit

    def paint(name: str) -> Colour:
        return theme.ink if name == INK else colour_of(name, style)

    if scene.lattice:
        _net(canvas, scene.lattice, theme, unit)
    for number, shape in enumerate(scene.shapes, 1):
        points = [pixel(point) for point in shape.points]
        with canvas.thing(number):
            _shape(canvas, shape, points, paint(shape.colour), stroke)
        for point in points:
            canvas.part(f"{shape.colour} {shape.kind}{shape.letter and ' ' + shape.letter}", point)
    for angle in scene.angles:
        _angle(canvas, angle, paint(angle.colour), stroke, unit)
    for note in scene.notes:
        if note.ticks:
            length = 4.5 + 2.2 * stroke
            canvas.ticks(pixel(note.start), pixel(note.end), note.ticks, theme.ink, 0.75 * stroke, length_px=length)
    for mark in scene.marks:
        canvas.circle(pixel(mark.at), dot_px(size_px), fill=paint(mark.colour))
        canvas.part(mark.letter or f"{mark.colour} dot", pixel(mark.at))
    for label, place in stands(scene, size_px):
        canvas.text(pixel(place), label.text, letter_px(size_px), theme.ink, "mm", theme.font)
    return canvas.drawing(_margins(scene, size_px))


def maps(scene: GeometryScene, size_px: int, style: Style) -> dict[str, np.ndarray]:
    """Segments and occupancy of the clean picture: the scene's shapes; of those that are not filled the strokes."""
    return painted_maps(draw(scene, size_px, style), size_px)


def _shape(canvas: Canvas, shape: Shape, points: list[Place], colour: Colour, stroke: float) -> None:
    """Draw a shape through its points in pixels."""
    fill = colour if shape.filled else None
    if shape.kind == "circle":
        canvas.circle(points[0], shape.radius * canvas.size_px / FRAME, fill, colour, stroke)
    elif shape.kind == "polygon":
        canvas.polygon(points, fill, colour, stroke)
    else:
        canvas.line(points, colour, stroke * (0.8 if shape.stroke == "dashed" else 1.0), stroke=shape.stroke)


def _margins(scene: GeometryScene, size_px: int) -> list[Margin]:
    """The scene's own margins in pixels, and that each letter stands by its dot."""
    unit = size_px / FRAME

    def pixels(points: list[Place]) -> list[Place]:
        return [(x * unit, y * unit) for x, y in points]

    found = []
    for margin in scene.margins:
        moved = margin.at(pixels(margin.points()))
        is_gap = isinstance(margin, Apart)
        found.append(moved._replace(floor_px=max(2.0, margin.floor_px * unit)) if is_gap else moved)
    for label, place in stands(scene, size_px):
        others = [mark.at for i, mark in enumerate(scene.marks) if i != label.owner]
        if label.owner >= 0 and others:
            nearest = min(others, key=lambda at: math.dist(at, place))
            far = pixels([place, nearest])
            near = pixels([place, scene.marks[label.owner].at])
            found.append(Longer(tuple(far), tuple(near), ASSOCIATION))
    return found


def _angle(canvas: Canvas, angle: Angle, colour: Colour, stroke: float, unit: float) -> None:
    """The arms of an angle and the arc across it, the short way round."""
    first, vertex, second = ((x * unit, y * unit) for x, y in (angle.first, angle.vertex, angle.second))
    if angle.has_arms:
        canvas.line([first, vertex, second], colour, stroke)
    start, end = (math.atan2(vertex[1] - y, x - vertex[0]) for x, y in (first, second))
    turn = (end - start + math.pi) % math.tau - math.pi
    canvas.arc(vertex, arc_radius(angle) * unit, start, start + turn, colour, 0.6 * stroke)
    canvas.part(f"{angle.colour} angle", vertex)


def _net(canvas: Canvas, net: Lattice, theme: Theme, unit: float) -> None:
    """Thin lines in both directions; with axes, the left and lower lines in ink and numbers beside them."""
    left, top, right, bottom = (
        unit * value for value in (net.left, net.top, net.left + net.cells * net.step, net.top + net.cells * net.step)
    )
    width = max(1.0, canvas.size_px / 260)
    for i in range(net.cells + 1):
        x, y = left + i * net.step * unit, bottom - i * net.step * unit
        canvas.line([(x, top), (x, bottom)], theme.faint, width)
        canvas.line([(left, y), (right, y)], theme.faint, width)
    if not net.has_axes:
        return
    canvas.line([(left, top), (left, bottom), (right, bottom)], theme.ink, 1.8 * width)
    high = letter_px(canvas.size_px) * 0.88
    for i in range(net.cells + 1):
        x, y = left + i * net.step * unit, bottom - i * net.step * unit
        canvas.text((x, bottom + 0.72 * high), str(i), high, theme.ink, "mm", theme.font)
        canvas.text((left - 0.4 * high, y), str(i), high, theme.ink, "rm", theme.font)
