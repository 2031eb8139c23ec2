"""Stacks of cubes on a floor, and how much of each an onlooker sees.

Cell (row, column) of the floor: rows run from the far corner to the lower left, columns to the lower right, so the
onlooker faces the near sides of the last row and of the last column. Heights are in cubes. The projection is parallel,
from 45 degrees above: with half the width of a tile as unit of screen length, a point moves by

    (-1, +DEPTH) per row,   (+1, +DEPTH) per column,   (0, -1) per cube of height        (x right, y down)

A line of sight that leaves a point towards the onlooker gains RISE cubes of height per cell it crosses diagonally.
Visible shares of faces follow from that in closed form; nothing here is measured on pixels.
"""

import math
from dataclasses import dataclass
from typing import Any

DEPTH = math.sqrt(0.5)
RISE = 2 * DEPTH
SEEN = 0.4  # share of a face that must show, for a cube or a column to count as seen

Heights = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class CubeScene:
    """Columns of cubes.

    `stacks[row][column]` names the colours of a column from the floor upwards; `dot` is the cell whose top cube carries
    a dot. `zoom` (0..3) and `shift` (0..7 each way) place the drawing in its frame. `lettered` writes letters at the
    rows' near ends and numbers at the columns' near ends.
    """

    stacks: tuple[tuple[tuple[str, ...], ...], ...]
    dot: tuple[int, int] | None = None
    zoom: int = 0
    shift: tuple[int, int] = (0, 0)
    lettered: bool = False

    @property
    def heights(self) -> Heights:
        """Cubes per cell."""
        return tuple(tuple(len(stack) for stack in row) for row in self.stacks)

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "stacks": [[list(stack) for stack in row] for row in self.stacks],
            "dot": None if self.dot is None else list(self.dot),
            "zoom": self.zoom,
            "shift": list(self.shift),
            "lettered": self.lettered,
        }


def _highest(heights: Heights, row: int, column: int, first: int) -> float:
    """Largest height along the near diagonal of a cell, less what a line of sight gains on its way there.

    Counts cells (row + k, column + k) for k >= first; -inf if there is none.
    """
    reach = min(len(heights) - row, len(heights[0]) - column)
    return max((heights[row + k][column + k] - RISE * k for k in range(first, reach)), default=-math.inf)


def top_seen(heights: Heights, row: int, column: int) -> float:
    """Share of a column's top face (or of an empty tile) that shows, 0..1.

    With (u, v) the place on the face along rows and columns, a line of sight from u < v passes the cells right of the
    diagonal and on it: it is free iff v <= `right` and u <= `ahead`. The half u > v is its mirror image.
    """
    height = heights[row][column]

    def half(side: float) -> float:
        ahead = min(max(1 - (_highest(heights, row, column, 1) + RISE - height) / RISE, 0), 1)
        side = min(max(1 - (side - height) / RISE, 0), 1)
        return side**2 / 2 if ahead >= side else ahead * side - ahead**2 / 2

    return half(_highest(heights, row, column + 1, 0)) + half(_highest(heights, row + 1, column, 0))


def _side_seen(heights: Heights, row: int, column: int, level: int, step: tuple[int, int]) -> float:
    """Share of a cube's near side that shows: the one towards the next column (step 0, 1) or row (step 1, 0).

    A place at height z and offset u from the far edge is free iff z >= `before` and z - RISE u >= `ahead`.
    """
    before = max(_highest(heights, row + step[0], column + step[1], 0), level)
    ahead, top = _highest(heights, row, column, 1), level + 1
    if before >= top:
        return 0.0
    if ahead == -math.inf:
        return top - before
    start = min(max((before - ahead) / RISE, 0), 1)
    end = min(max((top - ahead) / RISE, start), 1)
    return start * (top - before) + (end - start) * (top - ahead - RISE * (start + end) / 2)


def cube_seen(heights: Heights, row: int, column: int, level: int) -> float:
    """Largest visible share of the faces of the cube at a level (0 on the floor) of a column."""
    sides = max(_side_seen(heights, row, column, level, step) for step in ((0, 1), (1, 0)))
    return max(sides, top_seen(heights, row, column)) if level == heights[row][column] - 1 else sides


def is_readable(heights: Heights, share: float = SEEN) -> bool:
    """Whether every column and every empty tile shows at least this share of its top.

    Then the picture has no other reading: a top's place on the screen belongs to one cell and one height (RISE is
    irrational), and what is under a top is known since no cube floats.
    """
    cells = ((row, column) for row, line in enumerate(heights) for column in range(len(line)))
    return all(top_seen(heights, row, column) >= share for row, column in cells)
