"""Boards of queens: pale regions with thick outlines, and crowns where queens are shown."""

from engines.base import Style, make_rng
from engines.canvas import Canvas, Colour
from engines.logic.scene.queens import Queens
from engines.marks import Drawing
from engines.style import COLOURS, colour_of, theme_of

MARGIN_SHARE = 0.05
PALE = 0.55  # share of white in a region's colour
CROWN = ((-0.3, 0.26), (-0.34, -0.2), (-0.14, 0.02), (0.0, -0.3), (0.14, 0.02), (0.34, -0.2), (0.3, 0.26))


def draw_queens(canvas: Canvas, scene: Queens, style: Style) -> Drawing:
    """Draw a board as large as fits."""
    theme, size_px, side = theme_of(style), canvas.size_px, scene.side
    order = make_rng("queens", style.rng_seed).permutation(len(COLOURS)).tolist()
    paints = [_pale(colour_of(COLOURS[i], style)) for i in order if COLOURS[i] != "black"]
    left = size_px * MARGIN_SHARE
    cell = size_px * (1 - 2 * MARGIN_SHARE) / side
    width = side * cell
    for place, region in enumerate(scene.regions):
        corner = (left + place % side * cell, left + place // side * cell)
        canvas.rectangle(corner, (cell, cell), fill=paints[region])
        canvas.part(f"{place // side + 1},{place % side + 1}", (corner[0] + cell / 2, corner[1] + cell / 2))
    thin = max(0.8, size_px / 320) * theme.line_scale
    for line in range(1, side):
        at = left + line * cell
        canvas.line([(left, at), (left + width, at)], theme.ink, thin)
        canvas.line([(at, left), (at, left + width)], theme.ink, thin)
    for place, region in enumerate(scene.regions):
        x, y = left + (place % side + 1) * cell, left + (place // side + 1) * cell
        if (place + 1) % side and scene.regions[place + 1] != region:
            canvas.line([(x, y - cell), (x, y)], theme.ink, thin * 3.4)
        if place + side < side * side and scene.regions[place + side] != region:
            canvas.line([(x - cell, y), (x, y)], theme.ink, thin * 3.4)
    canvas.rectangle((left, left), (width, width), outline=theme.ink, width_px=thin * 3.4)
    for row, column in scene.shown:
        x, y = left + (column - 0.5) * cell, left + (row - 0.5) * cell
        canvas.polygon([(x + a * cell, y + b * cell) for a, b in CROWN], fill=(30, 30, 34))
    return canvas.drawing()


def _pale(colour: Colour) -> Colour:
    return tuple(round(part + (255 - part) * PALE) for part in colour)
