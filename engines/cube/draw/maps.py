"""Maps of stacks of cubes: what is seen at each pixel, and how far back on the floor it stands."""

import numpy as np

from engines.base import Style
from engines.cube.draw.stacks import view_of
from engines.cube.scene import Scene, StackScene, ViewScene
from engines.relief import Relief

DEEPEST = 12  # rows and columns together of the largest floor


def maps(scene: Scene, size_px: int, style: Style) -> dict[str, np.ndarray]:
    """Depth, segments and occupancy of the clean picture, each [size_px, size_px]; none of other scenes than stacks.

    Depth counts rows and columns from the floor's near corner, 0, in shares of `DEEPEST`; beyond the floor it is 1.
    Segment k is the k-th column, row by row, empty ones counted; outlines of options are no things.
    """
    if not isinstance(scene, StackScene | ViewScene):
        return {}
    stack, view, unit = (
        scene.stack if isinstance(scene, ViewScene) else scene,
        view_of(scene, size_px, style),
        1000 / size_px,
    )
    rows, columns = len(stack.heights), len(stack.heights[0])

    def at(row: int, column: int) -> tuple[float, float]:
        x, y = view(row, column)
        return x * unit, y * unit

    relief = Relief(size_px, 0, 0)
    for number, (row, column) in enumerate(np.ndindex(rows, columns), 1):
        if stack.heights[row][column]:
            left, right = at(row + 1, column), at(row, column + 1)
            near, far = (np.array([left, at(row + side, column + side), right]) for side in (1, 0))
            relief.prism(number, near, far, stack.heights[row][column] * view.unit_px * unit)
    found = relief.maps()
    middles = np.arange(size_px) + 0.5
    steps = view.steps(middles[None, :], relief.places() / unit)
    ends = np.array([at(rows, 0), at(rows, columns), at(0, columns)]), np.array([at(rows, 0), at(0, 0), at(0, columns)])
    x, y = middles * unit, middles[:, None] * unit
    front, back = (
        np.interp(x, *end.T, left=at_none, right=at_none) for end, at_none in zip(ends, (-1.0, 1e4), strict=True)
    )
    is_floor = (y >= back) & (y <= front)
    depth = np.where(is_floor | found["occupancy"], (rows + columns - steps) / DEEPEST, 1.0)
    return found | {"depth": depth.clip(0, 1).astype(np.float32)}
