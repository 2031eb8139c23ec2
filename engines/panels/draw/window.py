"""A window on the plane: where numbers stand in a box of pixels, and how its grid, axes and curves are drawn."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engines.base import Style, make_rng
from engines.canvas import Canvas, Colour, Point
from engines.marks import Box
from engines.style import Theme, colour_of

CURVES = ("blue", "red", "green", "purple", "orange")


class Window(NamedTuple):
    """A box in pixels and the ranges of x and y that it shows."""

    box: Box
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, x: float) -> float:
        """Where a number of the horizontal axis stands."""
        (left, _, right, _), (low, high) = self.box, self.x_range
        return left + (x - low) / (high - low) * (right - left)

    def y(self, y: float) -> float:
        """Where a number of the vertical axis stands."""
        (_, top, _, foot), (low, high) = self.box, self.y_range
        return foot - (y - low) / (high - low) * (foot - top)

    def at(self, x: float, y: float) -> Point:
        """Where a point stands."""
        return self.x(x), self.y(y)

    @property
    def ring(self) -> list[Point]:
        """The corners."""
        left, top, right, foot = self.box
        return [(left, top), (right, top), (right, foot), (left, foot)]

    def grid(self, xs: Sequence[float], ys: Sequence[float]) -> list[list[Point]]:
        """Straight lines from end to end at numbers of both axes."""
        left, top, right, foot = self.box
        upright = [[(self.x(x), top), (self.x(x), foot)] for x in xs]
        return upright + [[(left, self.y(y)), (right, self.y(y))] for y in ys]

    def curve(self, xs: np.ndarray, ys: np.ndarray) -> list[list[Point]]:
        """What of a curve through points, float [n] each, lies within the window."""
        (left, top, right, foot), (x_low, x_high), (low, high) = self
        columns = left + (xs - x_low) * ((right - left) / (x_high - x_low))
        rows = foot - (ys - low) * ((foot - top) / (high - low))
        is_inside = (ys >= low) & (ys <= high)
        spots, cuts = np.stack([columns, rows], 1), np.flatnonzero(is_inside[1:] != is_inside[:-1]) + 1
        runs = zip(np.split(spots, cuts), np.split(is_inside, cuts), strict=True)
        return [spots.tolist() for spots, flags in runs if flags[0] and len(spots) > 1]


def draw_windows(
    canvas: Canvas, theme: Theme, windows: Sequence[Window], grid: list[list[Point]], axes: list[list[Point]]
) -> None:
    """The ground of windows with faint lines, stronger axes, and frames."""
    thin, rings = max(0.8, canvas.size_px / 420), [window.ring for window in windows]
    canvas.polygons(rings, theme.panel, None)
    canvas.lines(grid, theme.faint, thin * 0.8)
    canvas.lines(axes, theme.ink, thin * 1.6)
    canvas.polygons(rings, None, theme.ink, thin)


def curve_colour(style: Style) -> Colour:
    """The colour of all curves of a picture."""
    return colour_of(CURVES[int(make_rng("curves", style.rng_seed).integers(len(CURVES)))], style)


def curve_px(size_px: int, theme: Theme) -> float:
    """Width of a curve."""
    return max(1.6, size_px / 200) * theme.line_scale
