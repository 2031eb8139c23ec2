"""How dice look, alone or about to roll along a path."""

import math
from collections.abc import Callable

from engines.base import Style
from engines.canvas import Canvas, Colour, Point
from engines.cube.draw.stacks import MARGIN, SHIFTS, Frame, View, faces, floor, slant_of
from engines.cube.scene.dice import DiceScene, Die, RollScene
from engines.cube.scene.sight import DEPTH
from engines.cube.scene.stacks import StackScene
from engines.marks import Apart
from engines.style import colour_of, theme_of

PIP = 0.2  # radius of a pip, in half sides of its face
PIP_PX = 4.0  # at 448 px: least distance between pips of a face
LEAST_PX = 2.0  # the same in any picture
SPREAD = 0.52  # of pips from the middle of their face, in half sides
BEYOND = 0.2  # of a step: how far the arrow goes past the middle of the last tile
RIM = 10  # corners of a pip
LIGHT, DARK = (255, 255, 255), (16, 16, 18)
BRIGHT = ("yellow", "cyan", "pink", "orange")  # colours on which pips are dark

_CORNERS = ((-1, -1), (1, 1))
PLACES = {
    1: ((0, 0),),
    2: _CORNERS,
    3: (*_CORNERS, (0, 0)),
    4: (*_CORNERS, (-1, 1), (1, -1)),
    5: (*_CORNERS, (-1, 1), (1, -1), (0, 0)),
    6: (*_CORNERS, (-1, 1), (1, -1), (-1, 0), (1, 0)),
}


def _die(canvas: Canvas, at: Callable[..., Point], die: Die, colour: str, style: Style, unit_px: float) -> list[Apart]:
    """Draw a die in the cell (0, 0) of a floor that `at` maps to pixels; gives the margins between its pips."""
    theme, (top, left, right) = theme_of(style), faces(colour_of(colour, style))
    ink: Colour = DARK if colour in BRIGHT else LIGHT
    width_px = max(1.0, 0.05 * unit_px) * theme.line_scale
    sides = (  # pips, colour, place (u, v) of the face in 0..1
        (die[0], top, lambda u, v: at(u, v, 1)),
        (die[1], left, lambda u, v: at(1, u, v)),
        (die[2], right, lambda u, v: at(u, 1, v)),
    )
    margins = []
    for pips, paint, place in sides:
        canvas.polygon([place(0, 0), place(1, 0), place(1, 1), place(0, 1)], paint, theme.ink, width_px)
        for across, up in PLACES[pips]:
            u, v = 0.5 + across * SPREAD / 2, 0.5 + up * SPREAD / 2
            canvas.polygon([place(u + PIP / 2 * x, v + PIP / 2 * y) for x, y in _RIM], ink, ink, 0.4)
        for near in (place(0.5 + SPREAD / 2, 0.5), place(0.5, 0.5 + SPREAD / 2)):
            margins.append(Apart(place(0.5, 0.5), near, max(PIP_PX * canvas.size_px / 448, LEAST_PX)))
    return margins


def _circle() -> list[Point]:
    return [(math.cos(math.tau * i / RIM), math.sin(math.tau * i / RIM)) for i in range(RIM)]


_RIM = _circle()


def draw_dice(canvas: Canvas, scene: DiceScene, style: Style) -> list[Apart]:
    """Draw the dice in lines."""
    size, count = canvas.size_px, len(scene.dice)
    free, lines = MARGIN * size, -(-count // scene.width)
    width, height = (size - 2 * free) / scene.width, (size - 2 * free) / lines
    unit_px = min(width / 2.7, height / (1 + 2 * DEPTH) / 1.2, size * 0.2)
    span = 2 * unit_px, (1 + 2 * DEPTH) * unit_px
    margins = []
    for place, die in enumerate(scene.dice):
        line, along = divmod(place, scene.width)
        # Every die lies a little otherwise within its cell, so that they do not stand in file.
        moves = [(move + 3 * place * (axis + 1)) % (SHIFTS + 1) / SHIFTS for axis, move in enumerate(scene.shift)]
        x = free + along * width + span[0] / 2 + (width - span[0]) * moves[0]
        y = free + line * height + unit_px + (height - span[1]) * (0.1 + 0.8 * moves[1])

        def at(row: float, column: float, up: float, x: float = x, y: float = y) -> Point:
            return x + (column - row) * unit_px, y + ((row + column) * DEPTH - up) * unit_px

        margins += _die(canvas, at, die, scene.colour, style, unit_px)
        canvas.part(f"die {place + 1}", at(1, 1, 1))
    return margins


def draw_roll(canvas: Canvas, scene: RollScene, style: Style) -> list[Apart]:
    """Draw the floor, the path with an arrow at its end, and the die at its start."""
    theme, free = theme_of(style), MARGIN * canvas.size_px
    side = canvas.size_px - 2 * free
    row, column = scene.way[0]
    stacks = [[() for _ in range(scene.columns)] for _ in range(scene.rows)]
    stacks[row][column] = ("red",)  # for its height only
    floored = StackScene(tuple(map(tuple, stacks)), zoom=scene.zoom, shift=scene.shift)
    view = View(floored, Frame(free, free, side, side), slant_of(style, floored))
    unit_px = view.unit_px
    width_px = max(1.0, 0.04 * unit_px) * theme.line_scale
    floor(canvas, view, scene.rows, scene.columns, theme, width_px)
    points = [view(r + 0.5, c + 0.5) for r, c in scene.way]
    path_px = max(2.0, 0.16 * unit_px)
    if len(points) > 2:
        canvas.line(points[:-1], theme.ink, path_px)
    (x0, y0), (x1, y1) = points[-2:]
    tip = x1 + BEYOND * (x1 - x0), y1 + BEYOND * (y1 - y0)
    canvas.arrow(points[-2], tip, theme.ink, path_px, 0.55 * unit_px)
    for (r, c), point in zip(scene.way, points, strict=True):
        canvas.part(f"{r},{c}", point)

    def at(u: float, v: float, up: float) -> Point:
        return view(row + u, column + v, up)

    return _die(canvas, at, scene.die, scene.colour, style, unit_px)
