"""How a geometry picture looks: thick strokes on plain paper, dots, arcs across angles, letters where there is room."""

import math

from PIL import Image

from engines.base import Style
from engines.canvas import Canvas
from engines.geometry.scene import FRAME, Angle, GeometryScene, Place, segment_distance
from engines.style import colour_of, theme_of

DIRECTIONS = tuple((math.cos(k * math.pi / 8), math.sin(k * math.pi / 8)) for k in range(16))


def letter_px(size_px: int) -> float:
    """Font size of the letters."""
    return 8.5 + size_px / 28


def dot_px(size_px: int) -> float:
    """Radius of the dots."""
    return 2.8 + size_px / 90


def stroke_px(size_px: int) -> float:
    """Width of the lines before the theme's scale."""
    return 1.5 + size_px / 120


def label_places(scene: GeometryScene, size_px: int) -> list[Place]:
    """Middles of the letters of the lettered marks, in units: for each the freest of sixteen places around its dot."""
    unit = size_px / FRAME
    font, reach = letter_px(size_px) / unit, (dot_px(size_px) + 0.62 * letter_px(size_px)) / unit
    arms = [(angle.vertex, end) for angle in scene.angles for end in (angle.first, angle.second)]
    places: list[Place] = []
    for mark in (m for m in scene.marks if m.letter):

        def room(place: Place, own: Place = mark.at) -> float:
            edge = min(*place, FRAME - place[0], FRAME - place[1])
            strokes = [shape.distance(place) for shape in scene.shapes]
            strokes += [segment_distance(place, *arm) for arm in arms]
            others = [math.dist(place, other.at) * 0.8 for other in scene.marks if other.at != own]
            written = [math.dist(place, other) * 0.6 for other in places]
            return min([edge, *strokes, *others, *written, 1.2 * font])

        options = [(mark.at[0] + reach * x, mark.at[1] + reach * y) for x, y in DIRECTIONS]
        places.append(max(options, key=room))
    return places


def draw(scene: GeometryScene, size_px: int, style: Style) -> Image.Image:
    """Draw the scene as an RGB picture of size_px x size_px."""
    theme, unit = theme_of(style), size_px / FRAME
    canvas = Canvas(size_px, theme.panel)
    stroke = stroke_px(size_px) * min(theme.line_scale, 1.25)

    def pixel(at: Place) -> Place:
        return at[0] * unit, at[1] * unit

    for shape in scene.shapes:
        colour = colour_of(shape.colour, style)
        fill = colour if shape.filled else None
        if shape.kind == "circle":
            canvas.circle(pixel(shape.points[0]), shape.radius * unit, fill, colour, stroke)
        elif shape.kind == "polygon":
            canvas.polygon([pixel(point) for point in shape.points], fill, colour, stroke)
        else:
            canvas.line([pixel(point) for point in shape.points], colour, stroke)
    for angle in scene.angles:
        colour = colour_of(angle.colour, style)
        canvas.line([pixel(at) for at in (angle.first, angle.vertex, angle.second)], colour, stroke)
        start, end = _arc_ends(angle)
        radius = 0.4 * min(math.dist(angle.vertex, angle.first), math.dist(angle.vertex, angle.second)) * unit
        canvas.arc(pixel(angle.vertex), radius, start, end, colour, 0.6 * stroke)
    for mark in scene.marks:
        colour = theme.ink if mark.colour == "black" else colour_of(mark.colour, style)
        canvas.circle(pixel(mark.at), dot_px(size_px), fill=colour)
    lettered = [mark for mark in scene.marks if mark.letter]
    for mark, place in zip(lettered, label_places(scene, size_px), strict=True):
        canvas.text(pixel(place), mark.letter, letter_px(size_px), theme.ink, "mm", theme.font)
    return canvas.image()


def _arc_ends(angle: Angle) -> tuple[float, float]:
    """Start and end of the arc in radians with y up, the short way round."""
    start, end = (math.atan2(angle.vertex[1] - arm[1], arm[0] - angle.vertex[0]) for arm in (angle.first, angle.second))
    turn = (end - start + math.pi) % math.tau - math.pi
    return start, start + turn
