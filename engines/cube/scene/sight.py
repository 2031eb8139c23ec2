"""How much of each cube in stacks an onlooker sees, in closed form; nothing here is measured on pixels.

The projection is parallel, from 45 degrees above: with half the width of a tile as unit of screen length, a point moves

    (-1, +DEPTH) per row,   (+1, +DEPTH) per column,   (0, -1) per cube of height        (x right, y down)

A line of sight that leaves a point towards the onlooker gains RISE cubes of height per cell it crosses diagonally.
All functions take heights of many floors at once: whole numbers [n, rows, columns].
"""

import math

import numpy as np

DEPTH = math.sqrt(0.5)
RISE = 2 * DEPTH
SEEN = 0.4  # share of a face that must show, for a cube or a column to count as seen
_NOTHING = -1e9


def _highest(heights: np.ndarray) -> np.ndarray:
    """Largest height along the near diagonal from each cell on, less what a line of sight gains on its way there.

    Float [n, rows + 1, columns + 1]: entry (r, c) is the maximum of height(r + k, c + k) - RISE k over k >= 0.
    """
    count, rows, columns = heights.shape
    highest = np.full((count, rows + 1, columns + 1), _NOTHING)
    for row in range(rows - 1, -1, -1):
        np.maximum(heights[:, row], highest[:, row + 1, 1:] - RISE, out=highest[:, row, :-1])
    return highest


def top_shares(heights: np.ndarray, highest: np.ndarray | None = None) -> np.ndarray:
    """Share of each column's top face (or of an empty tile) that shows, float [n, rows, columns] in 0..1.

    With (u, v) the place on the face along rows and columns, a line of sight from u < v passes the cells right of the
    diagonal and on it: it is free iff v <= `side` and u <= `ahead`. The half u > v is its mirror image.
    """
    highest = _highest(heights) if highest is None else highest
    ahead = np.clip((heights - highest[:, 1:, 1:]) / RISE + 1, 0, 1)

    def half(beside: np.ndarray) -> np.ndarray:
        side = np.clip((heights - beside) / RISE + 1, 0, 1)
        low = np.minimum(ahead, side)
        return low * (side - low / 2)

    return half(highest[:, :-1, 1:]) + half(highest[:, 1:, :-1])


def cube_shares(heights: np.ndarray) -> np.ndarray:
    """Largest visible share of a face of each cube, float [n, rows, columns, tallest]; -1 where there is none.

    A place at height z and offset u from the far edge of a near side is free iff z >= `before` and
    z - RISE u >= `ahead`.
    """
    highest, tallest = _highest(heights), int(heights.max(initial=1))
    levels = np.arange(tallest)
    ahead = (highest[:, 1:, 1:] - RISE)[..., None]

    def side(beside: np.ndarray) -> np.ndarray:
        before = np.minimum(np.maximum(beside[..., None], levels), levels + 1)
        start = np.clip((before - ahead) / RISE, 0, 1)
        end = np.clip((levels + 1 - ahead) / RISE, start, 1)
        return start * (levels + 1 - before) + (end - start) * (levels + 1 - ahead - RISE * (start + end) / 2)

    shares = np.maximum(side(highest[:, :-1, 1:]), side(highest[:, 1:, :-1]))
    is_top = levels == heights[..., None] - 1
    shares = np.where(is_top, np.maximum(shares, top_shares(heights, highest)[..., None]), shares)
    return np.where(levels < heights[..., None], shares, -1.0)


def is_readable(heights: np.ndarray, share: float = SEEN) -> np.ndarray:
    """Whether every column and every empty tile shows at least this share of its top, bool [n].

    Then the picture has no other reading: a top's place on the screen belongs to one cell and one height (RISE is
    irrational), and what is under a top is known since no cube floats.
    """
    return top_shares(heights).min((1, 2)) >= share


def is_clear(shares: np.ndarray) -> np.ndarray:
    """Whether every cube shows at least the share `SEEN` of a face or nothing at all, bool [n]; from `cube_shares`."""
    return ~((shares > 1e-9) & (shares < SEEN)).any((1, 2, 3))
