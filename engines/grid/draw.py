"""How grid scenes look: square cells with thin lines; shapes, shading or arrows in them; rings and nested squares."""

import math
from typing import NamedTuple

import numpy as np

from engines.base import Style, make_rng
from engines.canvas import Canvas, Colour, Point, painted_maps
from engines.grid.scene import STEPS, Cell, GridScene, NestScene, PanelsScene, RegionScene, RingsScene, TrailScene
from engines.marks import Apart, Drawing
from engines.style import Theme, colour_of, theme_of

HEADER_SHARE = 0.075  # of the picture, kept at the top and left for row and column numbers
MARGIN_SHARE = 0.035
LETTER_SHARE = 0.1  # of the picture, kept on every side for the letters around a trail
GAP_SHARE = 0.06  # of the picture, between two panels
GAP_FLOOR_PX = 5 / 448  # of the picture: what tells overlap, touch and apart from each other

OPEN_RATE = 0.25  # of boards without a frame around their lines
BAND_RATE = 0.15  # of boards of shapes whose rows are tinted in turn, and as many whose columns are
BAND_SHARE = 0.3  # of the theme's secondary colour, in a tint

Scene = GridScene | RegionScene | PanelsScene | TrailScene | RingsScene | NestScene


class Board(NamedTuple):
    """Where a grid lies in the picture, in pixels."""

    left: float
    top: float
    cell: float

    def centre(self, cell: Cell) -> Point:
        """The middle of a cell, also of one outside the grid."""
        return self.left + (cell[1] - 0.5) * self.cell, self.top + (cell[0] - 0.5) * self.cell


def draw(scene: Scene, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px, as large as fits, centred."""
    theme = theme_of(style)
    canvas = Canvas(size_px, theme.background, theme.wobble_px)
    if isinstance(scene, GridScene):
        return _draw_cells(canvas, scene, style)
    if isinstance(scene, RegionScene):
        board = _board(canvas, theme, scene.rows, scene.columns, (0, 0), size_px)
        _shade(canvas, board, scene.rows, scene.columns, scene.shaded, colour_of(scene.colour, style), style)
        return canvas.drawing()
    if isinstance(scene, PanelsScene):
        width = size_px * (1 - GAP_SHARE) / 2
        sides = (("left", scene.left, 0.0, 1), ("right", scene.right, size_px - width, len(scene.left) + 1))
        for name, side, left, first in sides:
            board = _board(canvas, theme, scene.rows, scene.columns, (left, 0), width, height=size_px)
            canvas.part(name, board.centre((1, 1)))
            _shade(canvas, board, scene.rows, scene.columns, side, colour_of(scene.colour, style), style, first)
        return canvas.drawing()
    if isinstance(scene, TrailScene):
        return _draw_trail(canvas, scene, theme, style)
    return _draw_rings(canvas, scene, style) if isinstance(scene, RingsScene) else _draw_nest(canvas, scene, style)


def maps(scene: Scene, size_px: int, style: Style) -> dict[str, np.ndarray]:
    """Segments and occupancy of the clean picture: shapes, shaded cells, arrows, or the strokes of rings and squares.

    They are numbered in reading order, as the scene has them; the right one of two grids goes on after the left one.
    """
    return painted_maps(draw(scene, size_px, style), size_px)


def _line_px(canvas: Canvas, theme: Theme) -> float:
    return max(1.0, canvas.size_px / 224) * theme.line_scale


def _board(
    canvas: Canvas, theme: Theme, rows: int, columns: int, corner: Point, width: float, height: float = 0.0
) -> Board:
    """Fill the board of a grid, centred in a box, and say where it is; its lines are drawn by `_lines`."""
    margin = canvas.size_px * MARGIN_SHARE
    height = height or width
    cell = min((width - 2 * margin) / columns, (height - 2 * margin) / rows)
    board = Board(corner[0] + (width - cell * columns) / 2, corner[1] + (height - cell * rows) / 2, cell)
    canvas.rectangle((board.left, board.top), (cell * columns, cell * rows), fill=theme.panel)
    return board


def _lines(canvas: Canvas, board: Board, rows: int, columns: int, style: Style) -> None:
    """The lines between cells, with a frame around them or (as in a table of a book) without one."""
    theme = theme_of(style)
    width, size = _line_px(canvas, theme), (board.cell * columns, board.cell * rows)
    for row in range(1, rows):
        y = board.top + row * board.cell
        canvas.line([(board.left, y), (board.left + size[0], y)], theme.ink, width)
    for column in range(1, columns):
        x = board.left + column * board.cell
        canvas.line([(x, board.top), (x, board.top + size[1])], theme.ink, width)
    if make_rng("board", style.rng_seed).random() >= OPEN_RATE:
        canvas.rectangle((board.left, board.top), size, outline=theme.ink, width_px=width * 1.5)


def _bands(canvas: Canvas, board: Board, rows: int, columns: int, style: Style) -> None:
    """Tint every other row of a board, or every other column, or none."""
    manner = make_rng("bands", style.rng_seed).random()
    if manner >= 2 * BAND_RATE:
        return
    theme, is_rows = theme_of(style), manner < BAND_RATE
    tint = tuple(round(p + BAND_SHARE * (f - p)) for p, f in zip(theme.panel, theme.faint, strict=True))
    for place in range(1, rows if is_rows else columns, 2):
        if is_rows:
            canvas.rectangle((board.left, board.top + place * board.cell), (columns * board.cell, board.cell), tint)
        else:
            canvas.rectangle((board.left + place * board.cell, board.top), (board.cell, rows * board.cell), tint)


def _shade(
    canvas: Canvas,
    board: Board,
    rows: int,
    columns: int,
    shaded: frozenset[Cell],
    colour: Colour,
    style: Style,
    first: int = 1,
) -> None:
    """Shade cells and draw the lines; shaded cells are things, numbered from `first` in reading order."""
    for number, (row, column) in enumerate(sorted(shaded), first):
        x, y = board.centre((row, column))
        with canvas.thing(number):
            canvas.rectangle((x - board.cell / 2, y - board.cell / 2), (board.cell, board.cell), fill=colour)
        canvas.part(f"{row},{column}", (x, y))
    _lines(canvas, board, rows, columns, style)


def _draw_cells(canvas: Canvas, scene: GridScene, style: Style) -> Drawing:
    theme, size_px = theme_of(style), canvas.size_px
    rng = make_rng("grid", style.rng_seed)
    header = size_px * HEADER_SHARE if scene.has_headers else 0.0
    board = _board(canvas, theme, scene.rows, scene.columns, (header, header), size_px - header)
    _bands(canvas, board, scene.rows, scene.columns, style)
    _lines(canvas, board, scene.rows, scene.columns, style)
    radius = board.cell * rng.uniform(0.31, 0.37)
    paints = {mark.colour: colour_of(mark.colour, style) for _, _, mark in scene.marks()}
    for number, (row, column, mark) in enumerate(scene.marks(), 1):
        centre = board.centre((row, column))
        with canvas.thing(number):
            _shape(canvas, mark.shape, centre, radius, paints[mark.colour])
        canvas.part(f"{row},{column}", centre)
    if scene.has_headers:
        height = header * 0.75
        for row in range(1, scene.rows + 1):
            at = (board.left - header * 0.55, board.centre((row, 1))[1])
            canvas.text(at, str(row), height, theme.ink, font=theme.font)
        for column in range(1, scene.columns + 1):
            at = (board.centre((1, column))[0], board.top - header * 0.55)
            canvas.text(at, str(column), height, theme.ink, font=theme.font)
    return canvas.drawing()


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


def _draw_trail(canvas: Canvas, scene: TrailScene, theme: Theme, style: Style) -> Drawing:
    size_px = canvas.size_px
    edge = size_px * (LETTER_SHARE - MARGIN_SHARE)
    board = _board(canvas, theme, scene.side, scene.side, (edge, edge), size_px - 2 * edge)
    _lines(canvas, board, scene.side, scene.side, style)
    reach, width = board.cell * 0.32, max(1.5, board.cell * 0.09)
    for number, (cell, way) in enumerate(scene.arrows, 1):
        x, y = board.centre(cell)
        down, right = STEPS[way]
        tail, tip = (x - right * reach, y - down * reach), (x + right * reach, y + down * reach)
        base = (x + right * reach * 0.05, y + down * reach * 0.05)
        wide = reach * 0.62
        wings = [(base[0] + a * down * wide, base[1] - a * right * wide) for a in (-1, 1)]
        with canvas.thing(number):
            canvas.line([tail, (x + right * reach * 0.2, y + down * reach * 0.2)], theme.ink, width)
            canvas.polygon([tip, *wings], fill=theme.ink)
        canvas.part(f"{cell[0]},{cell[1]}", (x, y))
    x, y = board.centre(scene.start)
    (down, right), dot = STEPS[dict(scene.arrows)[scene.start]], board.cell * 0.16
    canvas.circle((x - right * reach, y - down * reach), dot, fill=colour_of("red", style))
    height = size_px * LETTER_SHARE * 0.78
    for place, letter in scene.exits:
        x, y = board.centre(place)
        near = min(board.cell / 2, size_px * LETTER_SHARE * 0.52)
        shift = board.cell / 2 - near  # towards the grid, where cells are large
        x += shift * ((place[1] == 0) - (place[1] > scene.side))
        y += shift * ((place[0] == 0) - (place[0] > scene.side))
        x = min(max(x, height * 0.45), size_px - height * 0.45)
        y = min(max(y, height * 0.45), size_px - height * 0.45)
        canvas.text((x, y), letter, height, theme.ink, font=theme.font)
    return canvas.drawing()


def _draw_rings(canvas: Canvas, scene: RingsScene, style: Style) -> Drawing:
    unit, margins = canvas.size_px / 1000, []
    width = max(1.5, canvas.size_px / 160)
    for number, ring in enumerate(scene.rings, 1):
        centre = (ring.x * unit, ring.y * unit)
        with canvas.thing(number):
            canvas.circle(centre, ring.radius * unit, outline=colour_of(ring.colour, style), width_px=width)
        canvas.part(ring.colour, centre)
    floor_px = max(2.0, GAP_FLOOR_PX * canvas.size_px)
    for i, one in enumerate(scene.rings):
        for two in scene.rings[:i]:
            distance = math.hypot(one.x - two.x, one.y - two.y)
            if abs(distance - one.radius - two.radius) > 1:  # not a touch, which any view keeps
                way = ((two.x - one.x) / distance, (two.y - one.y) / distance)
                near = tuple((one.x, one.y)[i] * unit + way[i] * one.radius * unit for i in range(2))
                far = tuple((two.x, two.y)[i] * unit - way[i] * two.radius * unit for i in range(2))
                margins.append(Apart(near, far, floor_px))
    return canvas.drawing(margins)


def _draw_nest(canvas: Canvas, scene: NestScene, style: Style) -> Drawing:
    unit, width = canvas.size_px / 1000, max(1.5, canvas.size_px / 200)
    turn = math.radians(scene.tilt_deg)
    x, y = (part * unit for part in scene.centre)
    margins: list[Apart] = []
    for place, (side, colour) in enumerate(zip(scene.sides, scene.colours, strict=True)):
        half = side * unit / 2
        corners = [
            (x + half * (a * math.cos(turn) - b * math.sin(turn)), y + half * (a * math.sin(turn) + b * math.cos(turn)))
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        with canvas.thing(place + 1):
            canvas.polygon(corners, outline=colour_of(colour, style), width_px=width)
        canvas.part(f"square {place + 1}", corners[0])
        if place:
            gap = (scene.sides[place - 1] - side) * unit / 2
            edge = (x + half * math.cos(turn), y + half * math.sin(turn))
            outer = (edge[0] + gap * math.cos(turn), edge[1] + gap * math.sin(turn))
            margins.append(Apart(edge, outer, max(3.0, 5 / 448 * canvas.size_px)))
    return canvas.drawing(margins)
