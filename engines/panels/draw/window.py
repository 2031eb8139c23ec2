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

    def paper(self, canvas: Canvas, theme: Theme, xs: Sequence[float] = (), ys: Sequence[float] = ()) -> None:
        """The window's ground, with faint lines at numbers of both axes."""
        left, top, right, foot = self.box
        thin = max(0.8, canvas.size_px / 420)
        canvas.rectangle((left, top), (right - left, foot - top), theme.panel)
        upright = [[(self.x(x), top), (self.x(x), foot)] for x in xs]
        canvas.lines(upright + [[(left, self.y(y)), (right, self.y(y))] for y in ys], theme.faint, thin * 0.8)

    def axes(self, canvas: Canvas, theme: Theme, x: float | None, y: float | None) -> None:
        """The vertical axis at an x and the horizontal one at a y, and the frame."""
        left, top, right, foot = self.box
        thin = max(0.8, canvas.size_px / 420)
        ways = [] if x is None else [[(self.x(x), top), (self.x(x), foot)]]
        ways += [] if y is None else [[(left, self.y(y)), (right, self.y(y))]]
        canvas.lines(ways, theme.ink, thin * 1.6)
        canvas.rectangle((left, top), (right - left, foot - top), None, theme.ink, thin)

    def curve(self, canvas: Canvas, xs: np.ndarray, ys: np.ndarray, colour: Colour, width_px: float) -> None:
        """What of a curve through points, float [n] each, lies within the window."""
        low, high = self.y_range
        columns = (self.box[0] + (xs - self.x_range[0]) / np.ptp(self.x_range) * (self.box[2] - self.box[0])).tolist()
        rows = (self.box[3] - (ys - low) / (high - low) * (self.box[3] - self.box[1])).tolist()
        ways: list[list[Point]] = [[]]
        for column, row, is_inside in zip(columns, rows, ((ys >= low) & (ys <= high)).tolist(), strict=True):
            if is_inside:
                ways[-1].append((column, row))
            elif ways[-1]:
                ways.append([])
        canvas.lines([way for way in ways if len(way) > 1], colour, width_px)


def curve_colour(style: Style) -> Colour:
    """The colour of all curves of a picture."""
    return colour_of(CURVES[int(make_rng("curves", style.rng_seed).integers(len(CURVES)))], style)


def curve_px(size_px: int, theme: Theme) -> float:
    """Width of a curve."""
    return max(1.6, size_px / 200) * theme.line_scale
