"""Exact maps of solids that stand on a floor: how far back what is seen stands, and which thing it is.

Units are thousandths of the picture's side, x to the right and y downwards, as scenes on floors use them. The floor is
seen from a little above without vanishing points: a place on it is a row of the picture, and what stands `up` units
above that place is seen `up` rows higher. So each pixel shows something that stands above one row of the floor, its
*place*; depth is that row, from 0 at the floor's near edge to 1 at the wall.

Things are put down from the back to the front, as they are painted: each covers what is there. Pixels count by their
middles.
"""

import numpy as np

FLAT = 0.36  # height of a circle that lies on the floor, by its width


class Relief:
    """A floor before a wall, and what stands on it; `edge` is the width of the empty frame around both."""

    def __init__(self, size_px: int, wall: float, edge: float):
        """Begin with the bare floor: it reaches from row `wall` to row 1000 - `edge`."""
        self._wall, self._front = wall, 1000 - edge
        self._at = (np.arange(size_px) + 0.5) * (1000 / size_px)
        floor = np.where(self._at <= self._front, np.maximum(self._at, wall), wall)
        self._place = np.repeat(floor[:, None], size_px, 1)
        self._place[:, (self._at < edge) | (self._at > self._front)] = wall
        self._things = np.zeros((size_px, size_px), np.int32)

    def prism(self, number: int, near: np.ndarray, far: np.ndarray, rise: float) -> None:
        """Put down an upright solid of some height; `near`, `far`: the sides of its foot from left to right, [n, 2]."""
        rows, columns = self._window(near[0, 0], far[:, 1].min() - rise, near[-1, 0], near[:, 1].max())
        x, y = self._at[columns], self._at[rows][:, None]
        front, back = np.interp(x, *near.T), np.interp(x, *far.T)
        self._cover(number, rows, columns, (y >= back - rise) & (y <= front), np.minimum(front, y + rise))

    def column(self, number: int, x: float, y: float, radius: float, rise: float) -> None:
        """Put down an upright cylinder by the middle of its foot."""
        rows, columns = self._window(x - radius, y - FLAT * radius - rise, x + radius, y + FLAT * radius)
        half = FLAT * np.sqrt(np.maximum(radius**2 - (self._at[columns] - x) ** 2, 0))
        v = self._at[rows][:, None]
        is_seen = (v >= y - half - rise) & (v <= y + half)
        self._cover(number, rows, columns, is_seen, np.minimum(y + half, v + rise))

    def cone(self, number: int, x: float, y: float, radius: float, rise: float) -> None:
        """Put down an upright cone by the middle of its foot."""
        rows, columns = self._window(x - radius, y - rise, x + radius, y + FLAT * radius)
        across, down = abs(self._at[columns] - x), self._at[rows][:, None] - y
        half = FLAT * np.sqrt(np.maximum(radius**2 - across**2, 0))
        is_seen = (down <= half) & (down >= -rise * (1 - across / radius))
        # At height h the cone is a circle of radius r - k h: (down + h)^2 = FLAT^2 ((r - k h)^2 - across^2).
        k = radius / rise
        a, b = 1 - (FLAT * k) ** 2, down + FLAT**2 * radius * k
        c = down**2 - FLAT**2 * (radius**2 - across**2)
        up = (np.sqrt(np.maximum(b**2 - a * c, 0)) - b) / a
        self._cover(number, rows, columns, is_seen, y + down + np.maximum(up, 0))

    def ball(self, number: int, x: float, y: float, radius: float, middle: float) -> None:
        """Put down a sphere that rests above (x, y); `middle` is the row of its own middle in the picture."""
        rows, columns = self._window(x - radius, middle - radius, x + radius, middle + radius)
        across, down = (self._at[columns] - x) / radius, (self._at[rows][:, None] - middle) / radius
        depth = 1 - across**2 - down**2
        # Towards the viewer along the floor is a little down in the picture, and mostly out of it.
        out = FLAT * down + np.sqrt(1 - FLAT**2) * np.sqrt(np.maximum(depth, 0))
        self._cover(number, rows, columns, depth >= 0, y + FLAT * radius * out)

    def places(self) -> np.ndarray:
        """The row of the floor above which each pixel's point lies, float64 [H, W]."""
        return self._place.copy()

    def maps(self) -> dict[str, np.ndarray]:
        """The maps: "depth" float32, "segments" int32 and "occupancy" bool, each [H, W]."""
        depth = np.clip((self._front - self._place) / (self._front - self._wall), 0, 1).astype(np.float32)
        return {"depth": depth, "segments": self._things.copy(), "occupancy": self._things > 0}

    def _window(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        """Rows and columns whose middles lie within a box."""
        (low_x, low_y), (high_x, high_y) = (
            np.searchsorted(self._at, ends, side) for ends, side in (((left, top), "left"), ((right, bottom), "right"))
        )
        return slice(int(low_y), int(high_y)), slice(int(low_x), int(high_x))

    def _cover(self, number: int, rows: slice, columns: slice, is_seen: np.ndarray, place: np.ndarray) -> None:
        self._place[rows, columns] = np.where(is_seen, place, self._place[rows, columns])
        self._things[rows, columns] = np.where(is_seen, number, self._things[rows, columns])
