"""Maps of things on a floor: what is seen at each pixel, and how far back it stands."""

import numpy as np

from engines.base import Style
from engines.relief import Relief
from engines.scene.scene import Floor
from engines.scene.scene.things import CUBE_HEIGHT, FLAT, HALF_CUBE, HEIGHTS, Thing, foot

EDGE = 0.022  # of the picture, around the floor
WALL = 0.24  # of the picture, from the top to where the floor begins


def maps(scene: Floor, size_px: int, style: Style) -> dict[str, np.ndarray]:
    """Depth, segments and occupancy of the clean picture, each [size_px, size_px]; a look changes none.

    Depth 0 is the near edge of the floor and 1 the wall. Segment k is the scene's k-th thing; shadows are floor.
    """
    relief = Relief(size_px, 1000 * WALL, 1000 * EDGE)
    for number, thing in sorted(enumerate(scene.things, 1), key=lambda pair: pair[1].y):
        _put(relief, number, thing)
    return relief.maps()


def _put(relief: Relief, number: int, thing: Thing) -> None:
    x, y, radius = thing.x, thing.y, thing.radius
    if thing.shape == "cube":
        base = foot(thing)
        left, right = base[base[:, 0].argmin()], base[base[:, 0].argmax()]
        front, back = base[base[:, 1].argmax()], base[base[:, 1].argmin()]
        sides = (np.stack([left, middle, right]) for middle in (front, back))
        relief.prism(number, *sides, CUBE_HEIGHT * HALF_CUBE * radius)
    elif thing.shape == "sphere":
        relief.ball(number, x, y, radius, y - radius * (1 - FLAT / 2))
    elif thing.shape == "cylinder":
        relief.column(number, x, y, radius, HEIGHTS["cylinder"] * radius)
    else:
        relief.cone(number, x, y, radius, HEIGHTS["cone"] * radius)
