"""How stacks of cubes look: parallel projection, painted from the far corner to the near one."""

from PIL import Image

from engines.base import Style
from engines.canvas import Canvas, Colour, Point
from engines.cube.scene import DEPTH, CubeScene
from engines.style import Theme, colour_of, theme_of

MARGIN = 0.035  # of the picture's side, free on every edge
LABEL = 0.95  # room for letters and numbers below the floor, in half tiles
ZOOMS = (1.0, 0.95, 0.9, 0.85)
SHIFTS = 7  # the largest shift; 0 is left or top, SHIFTS right or bottom


class _View:
    """The map from floor coordinates (row, column, height) to final pixels."""

    def __init__(self, scene: CubeScene, size_px: int):
        rows, columns = len(scene.stacks), len(scene.stacks[0])
        label = LABEL if scene.lettered else 0.0
        width, height = rows + columns + label, (rows + columns) * DEPTH + label * DEPTH
        # A column rises above the floor's outline by what its own place does not give back.
        above = max(h - (r + c) * DEPTH for r, line in enumerate(scene.heights) for c, h in enumerate(line))
        height += max(above, 0.0)
        room_px = size_px * (1 - 2 * MARGIN)
        self.unit_px = min(room_px / width, room_px / height) * ZOOMS[scene.zoom]
        extents = zip((width, height), scene.shift, strict=True)
        spare = [(room_px - extent * self.unit_px) * move / SHIFTS for extent, move in extents]
        self._x = size_px * MARGIN + spare[0] + (rows + label / 2) * self.unit_px
        self._y = size_px * MARGIN + spare[1] + max(above, 0.0) * self.unit_px

    def __call__(self, row: float, column: float, height: float = 0.0) -> Point:
        return self._x + (column - row) * self.unit_px, self._y + ((row + column) * DEPTH - height) * self.unit_px


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (round(value * factor) for value in colour)
    return red, green, blue


def _tint(colour: Colour, share: float) -> Colour:
    red, green, blue = (round(value + (255 - value) * share) for value in colour)
    return red, green, blue


def faces(colour: Colour) -> tuple[Colour, Colour, Colour]:
    """Colours of a cube's top, of its side towards the lower left, and of its side towards the lower right."""
    return _tint(colour, 0.16), _shade(colour, 0.92), _shade(colour, 0.7)


def _floor(canvas: Canvas, view: _View, rows: int, columns: int, theme: Theme, width_px: float) -> None:
    canvas.polygon([view(0, 0), view(0, columns), view(rows, columns), view(rows, 0)], theme.panel, theme.ink, width_px)
    for row in range(1, rows):
        canvas.line([view(row, 0), view(row, columns)], theme.faint, width_px)
    for column in range(1, columns):
        canvas.line([view(0, column), view(rows, column)], theme.faint, width_px)


def _labels(canvas: Canvas, view: _View, rows: int, columns: int, theme: Theme) -> None:
    height_px = view.unit_px * 0.9
    for row in range(rows):
        canvas.text(view(row + 0.5, columns + 0.5), chr(ord("A") + row), height_px, theme.ink, font=theme.font)
    for column in range(columns):
        canvas.text(view(rows + 0.5, column + 0.5), str(column + 1), height_px, theme.ink, font=theme.font)


def draw(scene: CubeScene, size_px: int, style: Style) -> Image.Image:
    """Draw the scene as an RGB picture of size_px x size_px."""
    theme, view, heights = theme_of(style), _View(scene, size_px), scene.heights
    rows, columns = len(heights), len(heights[0])
    width_px = max(1.0, 0.05 * view.unit_px) * theme.line_scale
    canvas = Canvas(size_px, theme.background)
    _floor(canvas, view, rows, columns, theme, width_px)
    for row in range(rows):
        for column in range(columns):
            right = heights[row][column + 1] if column + 1 < columns else 0
            left = heights[row + 1][column] if row + 1 < rows else 0
            r, c = row + 1, column + 1
            for z, name in enumerate(scene.stacks[row][column]):
                top_colour, left_colour, right_colour = faces(colour_of(name, style))
                if left <= z:
                    side = [view(r, column, z), view(r, c, z), view(r, c, z + 1), view(r, column, z + 1)]
                    canvas.polygon(side, left_colour, theme.ink, width_px)
                if right <= z:
                    side = [view(row, c, z), view(r, c, z), view(r, c, z + 1), view(row, c, z + 1)]
                    canvas.polygon(side, right_colour, theme.ink, width_px)
                if z == heights[row][column] - 1:
                    top = [view(row, column, z + 1), view(row, c, z + 1), view(r, c, z + 1), view(r, column, z + 1)]
                    canvas.polygon(top, top_colour, theme.ink, width_px)
            if scene.dot == (row, column):
                centre = view(row + 0.5, column + 0.5, heights[row][column])
                canvas.circle(centre, 0.34 * view.unit_px, (255, 255, 255), (0, 0, 0), 0.12 * view.unit_px)
    if scene.lettered:
        _labels(canvas, view, rows, columns, theme)
    return canvas.image()
