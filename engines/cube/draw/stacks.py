"""How stacks of cubes look: parallel projection, painted from the far corner to the near one.

What hides what in a parallel projection follows from the line of sight alone, not from how the plane of the picture is
turned. So pictures are seen from more than one side (`Slant`), and all of them show the same shares of every face.
"""

import math
from typing import NamedTuple

import numpy as np

from engines.base import Style, make_rng
from engines.canvas import Canvas, Colour, Point
from engines.cube.scene.sight import DEPTH
from engines.cube.scene.stacks import Heights, StackScene, ViewScene, cell_name
from engines.marks import Apart
from engines.style import Theme, colour_of, theme_of

MARGIN = 0.035  # of the picture's side, free on every edge
LABEL = 0.95  # room for the names of rows and columns below the floor, in half tiles
ARROW = 1.7  # the same for an arrow
ZOOMS = (1.0, 0.95, 0.9, 0.85)
SHIFTS = 7  # the largest shift; 0 is left or top, SHIFTS right or bottom
STEP_PX = 5.0  # at 448 px: least height of a cube
VIEW_SHARE = 0.66  # of a picture with options, for the stacks
VIEW_SHARE_OF_ROWS, ROWS_TEXT = 0.48, 0.75  # the same, and the size of letters, where options stand in two rows
ONE_ROW = 4  # options; more stand in two rows
DISC = 0.46  # radius of the disc under a letter, in tiles
ROUND = tuple((math.cos(math.tau * i / 24), math.sin(math.tau * i / 24)) for i in range(24))
BELOW = 0.06  # of the side, for the letter of an option


class Slant(NamedTuple):
    """How the picture's plane is turned against the floor; upright edges stay upright."""

    lean: float = 0.0  # by which columns fall more steeply than rows, per tile, in half tiles
    width: float = 1.0  # of all that runs sideways, beside what stands upright


PLAIN = Slant()
LEANS, WIDTHS = (0.0, -0.16, 0.16, -0.08, 0.08), (1.0, 0.93, 0.86)
SHADOW_RATE = 0.5
SHADOW = (-0.12, 0.34)  # rows and columns by which the end of a shadow moves per cube of height
SHADOW_SHARE = 0.2  # of the ink, in a shadow on the floor


def slant_of(style: Style, scene: StackScene) -> Slant:
    """From where a picture is seen; straight from the front corner where letters tell how near columns are."""
    lean, width = make_rng("cube slant", style.rng_seed).integers([len(LEANS), len(WIDTHS)]).tolist()
    return Slant(0.0 if scene.letters else LEANS[lean], WIDTHS[width])


class Frame(NamedTuple):
    """A part of a picture: corner and size in pixels."""

    left: float
    top: float
    width: float
    height: float


class View:
    """The map from floor coordinates (row, column, height) to final pixels; `unit_px` is the height of a cube."""

    def __init__(self, scene: StackScene, frame: Frame, slant: Slant = PLAIN):
        heights = scene.heights
        rows, columns = len(heights), len(heights[0])
        label = ARROW if scene.arrow else LABEL if scene.lettered else 0.0
        self._wide, self._row, self._column = slant.width, DEPTH - slant.lean, DEPTH + slant.lean
        width = (rows + columns + label) * self._wide
        height = rows * self._row + columns * self._column + label * max(self._row, self._column)
        # A column rises above the floor's outline by what its own place does not give back.
        places = ((r * self._row + c * self._column, h) for r, line in enumerate(heights) for c, h in enumerate(line))
        above = max(0.0, *(h - down for down, h in places))
        height += above
        self.unit_px = min(frame.width / width, frame.height / height) * ZOOMS[scene.zoom]
        extents = zip((width, height), frame[2:], scene.shift, strict=True)
        spare = [(room - extent * self.unit_px) * move / SHIFTS for extent, room, move in extents]
        self._x = frame.left + spare[0] + (rows + label / 2) * self._wide * self.unit_px
        self._y = frame.top + spare[1] + above * self.unit_px

    def __call__(self, row: float, column: float, height: float = 0.0) -> Point:
        """The place of a point in the picture."""
        down = row * self._row + column * self._column - height
        return self._x + (column - row) * self._wide * self.unit_px, self._y + down * self.unit_px

    def steps(self, x_px: np.ndarray, y_px: np.ndarray) -> np.ndarray:
        """How many rows and columns together the places of the floor are from its far corner that are seen there."""
        across, down = (x_px - self._x) / (self._wide * self.unit_px), (y_px - self._y) / self.unit_px
        return across + 2 * (down - across * self._column) / (self._row + self._column)


def shade(colour: Colour, factor: float) -> Colour:
    """A darker colour."""
    red, green, blue = (round(value * factor) for value in colour)
    return red, green, blue


def tint(colour: Colour, share: float) -> Colour:
    """A lighter colour."""
    red, green, blue = (round(value + (255 - value) * share) for value in colour)
    return red, green, blue


def faces(colour: Colour) -> tuple[Colour, Colour, Colour]:
    """Colours of a cube's top, of its side towards the lower left, and of its side towards the lower right."""
    return tint(colour, 0.16), shade(colour, 0.86), shade(colour, 0.68)


def floor(
    canvas: Canvas, view: View, rows: int, columns: int, theme: Theme, width_px: float, shadows: Heights = ()
) -> None:
    """Draw the tiles; `shadows` are the heights of what casts one on them."""
    rim = [view(0, 0), view(0, columns), view(rows, columns), view(rows, 0)]
    canvas.polygon(rim, theme.panel, theme.ink, width_px)
    dark = tuple(round(p + SHADOW_SHARE * (i - p)) for p, i in zip(theme.panel, theme.ink, strict=True))
    for row, line in enumerate(shadows):
        for column, height in enumerate(line[:-1]):
            if height and not line[column + 1]:  # elsewhere another column stands on the shadow
                canvas.polygon([view(*at) for at in _shadow(row, column, height, columns)], dark)
    for row in range(1, rows):
        canvas.line([view(row, 0), view(row, columns)], theme.faint, width_px)
    for column in range(1, columns):
        canvas.line([view(0, column), view(rows, column)], theme.faint, width_px)


def _shadow(row: int, column: int, height: int, columns: int) -> list[Point]:
    """Where on the floor a column casts its shadow, as (row, column): to the right, where sides are dark."""
    far_row, far_column = max(row + SHADOW[0] * height, 0), min(column + 1 + SHADOW[1] * height, columns)
    return [(row, column + 1), (far_row, far_column), (far_row + 1, far_column), (row + 1, column + 1)]


def _names(canvas: Canvas, view: View, rows: int, columns: int, theme: Theme) -> None:
    height_px = view.unit_px * 0.9
    for row in range(rows):
        canvas.text(view(row + 0.5, columns + 0.5), cell_name(row, 0)[0], height_px, theme.ink, font=theme.font)
    for column in range(columns):
        canvas.text(view(rows + 0.5, column + 0.5), str(column + 1), height_px, theme.ink, font=theme.font)


def _arrow(canvas: Canvas, view: View, scene: StackScene, theme: Theme) -> None:
    rows, columns = len(scene.stacks), len(scene.stacks[0])
    unit_px = view.unit_px
    if scene.arrow == "left":
        tail, tip = view(rows + 1.5, columns / 2), view(rows + 0.3, columns / 2)
    else:
        tail, tip = view(rows / 2, columns + 1.5), view(rows / 2, columns + 0.3)
    canvas.arrow(tail, tip, theme.ink, 0.22 * unit_px, 0.75 * unit_px)
    canvas.part("arrow", tip)


def _column(
    canvas: Canvas, view: View, scene: StackScene, row: int, column: int, style: Style, width_px: float
) -> None:
    """The faces of a column that nothing next to it covers."""
    theme, heights = theme_of(style), scene.heights
    height = heights[row][column]
    right = heights[row][column + 1] if column + 1 < len(heights[0]) else 0
    left = heights[row + 1][column] if row + 1 < len(heights) else 0
    r, c = row + 1, column + 1
    for z in range(min(left, right), height):
        top_colour, left_colour, right_colour = faces(colour_of(scene.stacks[row][column][z], style))
        if left <= z:
            side = [view(r, column, z), view(r, c, z), view(r, c, z + 1), view(r, column, z + 1)]
            canvas.polygon(side, left_colour, theme.ink, width_px)
        if right <= z:
            side = [view(row, c, z), view(r, c, z), view(r, c, z + 1), view(row, c, z + 1)]
            canvas.polygon(side, right_colour, theme.ink, width_px)
    if height:
        top_colour = faces(colour_of(scene.stacks[row][column][-1], style))[0]
        top = [view(row, column, height), view(row, c, height), view(r, c, height), view(r, column, height)]
        canvas.polygon(top, top_colour, theme.ink, width_px)


def _stacks(canvas: Canvas, view: View, scene: StackScene, style: Style) -> list[Apart]:
    """Draw a scene within its view; gives its margins: the height of the uppermost cube of every column."""
    theme, heights = theme_of(style), scene.heights
    rows, columns = len(heights), len(heights[0])
    width_px = max(1.0, 0.05 * view.unit_px) * theme.line_scale
    has_shadows = make_rng("cube shadows", style.rng_seed).random() < SHADOW_RATE
    floor(canvas, view, rows, columns, theme, width_px, heights if has_shadows else ())
    letters = {(row, column): letter for letter, row, column in scene.letters}
    margins = []
    for row in range(rows):
        for column in range(columns):
            height = heights[row][column]
            _column(canvas, view, scene, row, column, style, width_px)
            centre = view(row + 0.5, column + 0.5, height)
            canvas.part(cell_name(row, column), centre)
            if scene.dot == (row, column):
                canvas.circle(centre, 0.34 * view.unit_px, (255, 255, 255), (0, 0, 0), 0.12 * view.unit_px)
            if (row, column) in letters:
                # A disc that lies on the top: letters read on any colour.
                disc = [view(row + 0.5 + DISC * x, column + 0.5 + DISC * y, height) for x, y in ROUND]
                canvas.polygon(disc, (255, 255, 255), (0, 0, 0), max(0.8, 0.04 * view.unit_px))
                canvas.text(centre, letters[row, column], 0.8 * view.unit_px, (0, 0, 0), font=theme.font)
            if height:
                near = view(row + 1, column + 1, height), view(row + 1, column + 1, height - 1)
                margins.append(Apart(*near, STEP_PX * canvas.size_px / 448))
    if scene.lettered:
        _names(canvas, view, rows, columns, theme)
    if scene.arrow:
        _arrow(canvas, view, scene, theme)
    return margins


def view_of(scene: StackScene | ViewScene, size_px: int, style: Style) -> View:
    """From where stacks are seen in a picture, which they share with outlines or have to themselves."""
    free = MARGIN * size_px
    stack, height = scene, size_px - 2 * free
    if isinstance(scene, ViewScene):
        stack, height = scene.stack, (VIEW_SHARE if len(scene.options) <= ONE_ROW else VIEW_SHARE_OF_ROWS) * size_px
        height -= free
    return View(stack, Frame(free, free, size_px - 2 * free, height), slant_of(style, stack))


def draw_stacks(canvas: Canvas, scene: StackScene, style: Style) -> list[Apart]:
    """Draw stacks that have the picture to themselves."""
    return _stacks(canvas, view_of(scene, canvas.size_px, style), scene, style)


def draw_view(canvas: Canvas, scene: ViewScene, style: Style) -> list[Apart]:
    """Draw stacks with lettered outlines below them."""
    theme, size = theme_of(style), canvas.size_px
    free = MARGIN * size
    rows = 1 if len(scene.options) <= ONE_ROW else 2
    share, columns = VIEW_SHARE if rows == 1 else VIEW_SHARE_OF_ROWS, -(-len(scene.options) // rows)
    margins = _stacks(canvas, view_of(scene, size, style), scene.stack, style)
    left, top, width = free, (share + 0.02) * size, (size - 2 * free) / columns
    height = (size - free - top) / rows
    text_px = max(BELOW * size * (1.0 if rows == 1 else ROWS_TEXT), 8.4)
    tallest, places = max(map(max, scene.options)), len(scene.options[0])
    cell = min((width * 0.86) / places, (height - 1.3 * text_px) / tallest, 0.1 * size)
    line_px = max(1.0, size / 300) * theme.line_scale
    for number, option in enumerate(scene.options):
        row, column = divmod(number, columns)
        middle, foot = left + (column + 0.5) * width, top + row * height + (height - 1.3 * text_px + tallest * cell) / 2
        start = middle - places * cell / 2
        for place, squares in enumerate(option):
            for z in range(squares):
                corner = (start + place * cell, foot - (z + 1) * cell)
                canvas.rectangle(corner, (cell, cell), theme.faint, theme.ink, line_px)
        canvas.line([(start, foot), (start + places * cell, foot)], theme.ink, 2 * line_px)
        canvas.text((middle, foot + 0.75 * text_px), chr(65 + number), text_px, theme.ink, font=theme.font)
        canvas.part(f"option {chr(65 + number)}", (start, foot - tallest * cell, start + places * cell, foot))
    return margins
