"""Questions on a square net: the coordinates of a point, the area of a polygon."""

import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import is_simple, twice_area
from engines.geometry.labels import letter_px
from engines.geometry.layout import COLOURS, MAX_TRIES, pick, whole
from engines.geometry.questions.make import fitted, letters, mixed, posed
from engines.geometry.scene import FRAME, GeometryScene, Lattice, Mark, Shape

SIZES = (112, 112, 140, 168, 168, 224, 224, 280, 280, 336)
AREA_SIZES = (112, 112, 112, 112, 112, 168, 168, 224, 224, 280)

# By level.
AXES = (4, 5, 5, 6, 6, 7, 8, 9, 10, 11)  # largest coordinate
POINTS = (1, 1, 2, 2, 3, 3, 4, 4, 5, 6)
CELLS = (4, 4, 5, 5, 6, 6, 7, 8, 9, 10)
CORNERS = ((3, 4), (3, 4), (3, 4), (3, 5), (3, 5), (4, 5), (4, 6), (4, 6), (5, 7), (5, 8))
AREAS = ((1, 6), (1, 8), (2, 10), (2, 12), (3, 15), (3, 18), (4, 22), (4, 26), (5, 32), (6, 40))

COORDINATES = (
    "What are the coordinates (x, y) of point {name}?",
    "Read off (x, y) for point {name}.",
    "Where is point {name}? Answer (x, y).",
    "Give the coordinates of {name} as (x, y).",
)


def pose_coordinates(rng: np.random.Generator, level: int) -> Posed:
    """The coordinates of a point on a net with numbered axes."""
    cells, count = AXES[level], POINTS[level]
    high = letter_px(SIZES[level]) * FRAME / SIZES[level]
    left, top = round(1.75 * high), round(0.7 * high)  # room for the numbers
    step = int((FRAME - left - top) / cells * (0.82 + 0.18 * rng.random()))
    free = FRAME - top - step * cells
    net = Lattice(whole(rng, left, free), top + whole(rng, 0, free - left), step, cells, has_axes=True)
    for _ in range(MAX_TRIES):
        nodes = [(whole(rng, 1, cells), whole(rng, 1, cells)) for _ in range(count)]
        names = letters(rng, count)
        marks = [Mark(net.point(*node), letter) for node, letter in zip(nodes, names, strict=True)]
        scene = fitted(GeometryScene(marks=mixed(rng, marks), lattice=net), level, SIZES)
        if scene:
            answer, query = Answer.pair(*nodes[0]), {"ask": "coordinates", "point": names[0]}
            return posed(rng, COORDINATES, {"name": names[0]}, scene, answer, 1 / cells**2, query)
    raise RuntimeError(f"no room for {count} points at level {level}")


AREA = (
    "Each cell has area 1. What is the area of the shape?",
    "How large is the shape, if each cell has area 1?",
    "Find the area of the shape in cells.",
    "A cell is 1 wide and 1 high. What is the area of the shape?",
)


def pose_lattice_area(rng: np.random.Generator, level: int) -> Posed:
    """The area of a polygon with corners on a net, a whole number of cells."""
    (low, high), cells = AREAS[level], CELLS[level]
    wanted, step = whole(rng, low, high), (FRAME - 40) // cells
    left, top = (whole(rng, 20, FRAME - 20 - step * cells) for _ in range(2))
    net = Lattice(left, top, step, cells, has_axes=False)
    for _ in range(MAX_TRIES):
        corners = _with_area(rng, cells, whole(rng, *CORNERS[level]), wanted)
        if corners:
            break
    else:
        raise RuntimeError(f"no polygon of area {wanted} at level {level}")
    points = tuple(net.point(*corner) for corner in corners)
    scene = GeometryScene((Shape("polygon", points, pick(rng, COLOURS), filled=False),), lattice=net)
    rate = 1 / (high - low + 1)
    return posed(rng, AREA, {}, scene, Answer.integer(wanted), rate, {"ask": "lattice_area"})


def _with_area(rng: np.random.Generator, cells: int, count: int, wanted: int):
    """A simple polygon on the net with this area: corners around a middle, the last one where the area comes right."""
    first = rng.integers(0, cells + 1, size=(count - 1, 2)).tolist()
    x, y = sum(p[0] for p in first) / len(first), sum(p[1] for p in first) / len(first)
    chain = sorted({tuple(p) for p in first}, key=lambda p: math.atan2(p[1] - y, p[0] - x))
    if len(chain) < count - 1:
        return None
    # Twice the area is a + b x + c y in the last corner.
    (px, py), (qx, qy) = chain[-1], chain[0]
    fixed = twice_area(chain) - (px * qy - py * qx)
    nodes = rng.permutation((cells + 1) ** 2)
    xs, ys = nodes // (cells + 1), nodes % (cells + 1)
    values = abs(fixed + px * ys - py * xs + xs * qy - ys * qx)
    for i in np.flatnonzero(values == 2 * wanted)[:6].tolist():
        corners = (*chain, (int(xs[i]), int(ys[i])))
        if len(set(corners)) == count and is_simple(corners) and _bends(corners):
            return corners
    return None


def _bends(corners: tuple) -> bool:
    """Say whether every corner turns clearly, by 15 to 155 degrees."""
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(corners, (*corners[1:], corners[0]), strict=True)]
    for (a, b), (c, d) in zip(steps, (*steps[1:], steps[0]), strict=True):
        if not 15 <= abs(math.degrees(math.atan2(a * d - b * c, a * c + b * d))) <= 155:
            return False
    return True
