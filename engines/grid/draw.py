"""How a grid looks: square cells, thin lines, one filled shape in the middle of a cell."""

import math

from PIL import Image

from engines.base import Style, make_rng
from engines.canvas import Canvas, Colour, Point
from engines.grid.scene import GridScene
from engines.style import colour_of, theme_of

HEADER_SHARE = 0.075  # of the picture, kept at the top and left for row and column numbers
MARGIN_SHARE = 0.035


def draw(scene: GridScene, size_px: int, style: Style) -> Image.Image:
    """Draw a grid as an RGB picture of size_px x size_px; the grid is as large as fits, centred."""
    theme, rng = theme_of(style), make_rng("grid", style.rng_seed)
    canvas = Canvas(size_px, theme.background)
    header = size_px * HEADER_SHARE if scene.has_headers else 0.0
    margin = size_px * MARGIN_SHARE
    cell = (size_px - 2 * margin - header) / max(scene.rows, scene.columns)
    left = header + (size_px - header - cell * scene.columns) / 2
    top = header + (size_px - header - cell * scene.rows) / 2
    size = (cell * scene.columns, cell * scene.rows)
    canvas.rectangle((left, top), size, fill=theme.panel)

    width = max(1.0, size_px / 224) * theme.line_scale
    for row in range(1, scene.rows):
        canvas.line([(left, top + row * cell), (left + size[0], top + row * cell)], theme.ink, width)
    for column in range(1, scene.columns):
        canvas.line([(left + column * cell, top), (left + column * cell, top + size[1])], theme.ink, width)
    canvas.rectangle((left, top), size, outline=theme.ink, width_px=width * 1.5)

    radius = cell * rng.uniform(0.31, 0.37)
    paints = {mark.colour: colour_of(mark.colour, style) for _, _, mark in scene.marks()}
    for row, column, mark in scene.marks():
        centre = (left + (column - 0.5) * cell, top + (row - 0.5) * cell)
        _shape(canvas, mark.shape, centre, radius, paints[mark.colour])
    if scene.has_headers:
        height = header * 0.75
        for row in range(scene.rows):
            canvas.text(
                (left - header * 0.55, top + (row + 0.5) * cell), str(row + 1), height, theme.ink, font=theme.font
            )
        for column in range(scene.columns):
            canvas.text(
                (left + (column + 0.5) * cell, top - header * 0.55), str(column + 1), height, theme.ink, font=theme.font
            )
    return canvas.image()


def _shape(canvas: Canvas, shape: str, centre: Point, radius: float, colour: Colour) -> None:
    """Draw a filled shape of about the same visual size for each kind."""
    x, y = centre
    if shape == "circle":
        canvas.circle(centre, radius, fill=colour)
    elif shape == "square":
        half = radius * 0.88
        canvas.rectangle((x - half, y - half), (2 * half, 2 * half), fill=colour)
    elif shape == "cross":
        arm, half = radius * 1.05, radius * 0.36
        canvas.rectangle((x - arm, y - half), (2 * arm, 2 * half), fill=colour)
        canvas.rectangle((x - half, y - arm), (2 * half, 2 * arm), fill=colour)
    elif shape == "triangle":
        canvas.polygon(_ring((x, y + radius * 0.2), [radius * 1.2] * 3), fill=colour)
    elif shape == "diamond":
        canvas.polygon(
            [(x, y - radius * 1.2), (x + radius * 0.8, y), (x, y + radius * 1.2), (x - radius * 0.8, y)], fill=colour
        )
    elif shape == "star":
        canvas.polygon(_ring(centre, [radius * 1.2, radius * 0.5] * 5), fill=colour)


def _ring(centre: Point, radii: list[float]) -> list[Point]:
    """Points at equal angles, the first at the top."""
    turns = [2 * math.pi * i / len(radii) for i in range(len(radii))]
    return [(centre[0] + r * math.sin(a), centre[1] - r * math.cos(a)) for r, a in zip(radii, turns, strict=True)]
