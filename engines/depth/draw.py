"""How a hall looks: boards of a floor before a wall, bodies from the back to the front, marks as discs with letters."""

import itertools
import math

import numpy as np

from engines.base import Style
from engines.canvas import Canvas, Colour
from engines.canvas import Point as Place
from engines.depth.scene import EDGE, WALL, Body, Hall, Point, foot
from engines.marks import Apart, Drawing, x_height_floor_px
from engines.relief import FLAT, Relief
from engines.style import colour_of, mixed, theme_of

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
BOARDS = 7  # of the floor
RING = [(math.cos(math.tau * i / 32), math.sin(math.tau * i / 32)) for i in range(32)]
NEAR_RIM = RING[16::-1]  # from left to right
SHADES = (0.24, 0.06, 0.0, 0.08, 0.2, 0.34)  # of a round side, in stripes from the left
TURNS = [math.pi * (1 - i / 36) for i in range(37)]
STRIPES = [[(math.cos(a), math.sin(a)) for a in TURNS[6 * i : 6 * i + 7]] for i in range(6)]  # of the near rim
X_HEIGHT = 0.547  # small letters by the height of a font
DISC = 0.62  # radius of a mark's disc by the height of its letter's font
GAP_PX = 3.0  # least distance in depth by which points are told apart


def draw(scene: Hall, size_px: int, style: Style) -> Drawing:
    """Draw a hall as an RGB picture of size_px x size_px."""
    theme, unit = theme_of(style), size_px / 1000
    canvas = Canvas(size_px, theme.background)
    floor = _room(canvas, style)
    for body in scene.bodies:
        r = body.radius * unit * 1.14
        x, y = body.x * unit + 0.22 * r, body.y * unit
        canvas.polygon([(x + r * a, y + FLAT * r * b) for a, b in RING], fill=mixed(floor, theme.ink, 0.32))
    for body in sorted(scene.bodies, key=lambda body: body.y):
        _paint(canvas, body, style)
    for point in scene.points:
        _mark(canvas, point)
    rows = sorted(scene.place(point) * unit for point in scene.points)
    middle = size_px / 2
    return canvas.drawing([Apart((middle, a), (middle, b), GAP_PX) for a, b in itertools.pairwise(rows)])


def maps(scene: Hall, size_px: int, style: Style) -> dict[str, np.ndarray]:
    """Depth, segments and occupancy of the clean picture, each [size_px, size_px]; a look changes none.

    Depth 0 is the near edge of the floor and 1 the wall. Segment k is the scene's k-th thing; marks lie on what they
    mark and are no things.
    """
    relief = Relief(size_px, WALL, EDGE)
    for number, body in sorted(enumerate(scene.bodies, 1), key=lambda pair: pair[1].y):
        if body.shape == "box":
            left, front, right, back = foot(body)
            relief.prism(number, np.stack([left, front, right]), np.stack([left, back, right]), body.height)
        elif body.shape == "ball":
            relief.ball(number, body.x, body.y, body.radius, _middle(body))
        else:
            put = relief.column if body.shape == "column" else relief.cone
            put(number, body.x, body.y, body.radius, body.height)
    return relief.maps()


def _room(canvas: Canvas, style: Style) -> Colour:
    """Paint wall and floor; gives the floor's colour."""
    theme, size_px = theme_of(style), canvas.size_px
    unit = size_px / 1000
    edge, width, wall = EDGE * unit, (1000 - 2 * EDGE) * unit, WALL * unit
    floor = mixed(theme.panel, theme.faint, 0.42)
    canvas.rectangle((edge, edge), (width, width), fill=mixed(theme.panel, theme.faint, 0.14))
    canvas.rectangle((edge, wall), (width, size_px - edge - wall), fill=floor)
    for board in range(1, BOARDS):
        y = wall + (size_px - edge - wall) * board / BOARDS
        canvas.line([(edge, y), (edge + width, y)], mixed(floor, theme.ink, 0.16), max(0.6, size_px / 448))
    return floor


def _paint(canvas: Canvas, body: Body, style: Style) -> None:
    """Paint a body over what stands behind it."""
    unit, colour = canvas.size_px / 1000, colour_of(body.colour, style)
    edge, width_px = mixed(colour, BLACK, 0.55), max(0.8, canvas.size_px / 420)
    x, y, r, rise = (part * unit for part in (body.x, body.y, body.radius, body.height))
    if body.shape == "ball":
        middle = _middle(body) * unit
        for step in (1.0, 0.8, 0.58, 0.36):
            shade = mixed(mixed(colour, BLACK, 0.3 * step), WHITE, 0.2 * (1 - step))
            canvas.circle((x - (1 - step) * 0.34 * r, middle - (1 - step) * 0.38 * r), r * step, fill=shade)
        canvas.circle((x, middle), r, outline=edge, width_px=width_px)
        box = (x - r, middle - r, x + r, middle + r)
    elif body.shape == "box":
        left, front, right, back = (corner for corner in (foot(body) * unit).tolist())
        for side, shade in ((left, 0.04), (right, 0.28)):
            canvas.polygon([front, side, _up(side, rise), _up(front, rise)], fill=mixed(colour, BLACK, shade))
        canvas.polygon([_up(at, rise) for at in (left, front, right, back)], fill=mixed(colour, WHITE, 0.34))
        shape = [left, front, right, _up(right, rise), _up(back, rise), _up(left, rise)]
        canvas.polygon(shape, outline=edge, width_px=width_px)
        box = (left[0], back[1] - rise, right[0], front[1])
    else:
        _round(canvas, (x, y), r, rise, body.shape == "cone", colour)
        rim = [(x + r * a, y + FLAT * r * b) for a, b in NEAR_RIM]
        lid = [(x, y - rise)] if body.shape == "cone" else [(x + r * a, y - FLAT * r * b - rise) for a, b in RING[:17]]
        canvas.polygon([*rim, *lid], outline=edge, width_px=width_px)
        box = (x - r, y - rise - (0 if body.shape == "cone" else FLAT * r), x + r, y + FLAT * r)
    canvas.part(f"{body.colour} {body.shape}", box)


def _round(canvas: Canvas, at: Place, r: float, rise: float, is_cone: bool, colour: Colour) -> None:
    """Fill a column or a cone in stripes of shade, and a column's lid."""
    x, y = at
    for stripe, shade in zip(STRIPES, SHADES, strict=True):
        rim = [(x + r * a, y + FLAT * r * b) for a, b in stripe]
        top = [(x, y - rise)] if is_cone else [_up(corner, rise) for corner in rim[::-1]]
        canvas.polygon([*rim, *top], fill=mixed(colour, BLACK, shade))
    if not is_cone:
        canvas.polygon([(x + r * a, y + FLAT * r * b - rise) for a, b in RING], fill=mixed(colour, WHITE, 0.36))


def _mark(canvas: Canvas, point: Point) -> None:
    """Draw a point's disc, with its letter on it."""
    size_px = canvas.size_px
    height_px = x_height_floor_px(size_px) * 1.03 / X_HEIGHT
    at, radius_px = (point.x * size_px / 1000, point.y * size_px / 1000), DISC * height_px
    canvas.circle(at, radius_px, fill=WHITE, outline=BLACK, width_px=max(1.0, size_px / 280))
    canvas.text((at[0], at[1] + 0.02 * height_px), point.letter, height_px, BLACK, font="sans-bold")
    (x, y), r = at, radius_px
    canvas.part(f"point {point.letter}", (x - r, y - r, x + r, y + r))


def _middle(body: Body) -> float:
    """The row of a ball's middle."""
    return body.y - body.radius * (1 - FLAT / 2)


def _up(at: Place, rise: float) -> Place:
    return at[0], at[1] - rise
