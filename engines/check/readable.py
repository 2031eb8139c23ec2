"""Whether a photographed chart can be read to the precision that its question asks for.

A reader holds a bar against its axis in one of a few natural ways, and a photograph taken at an angle bends each of
them differently. They are gone through in the photograph, by the camera's map of the drawing: where gridlines are
drawn, the end of a bar is placed between the two that are next to it; where there are none, its length is held against
the axis, and its end is carried to the axis along the baseline. Each of them must give the tick that is true.

The scale comes from the written numbers, the ends from the marked parts, and whether there are gridlines from the
pixels, so nothing here relies on what the engine says that it drew.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from engines.marks import Drawing, Mark, View

NEAR_AXIS = 0.6  # of the written height of numbers: from their edge to the axis
STROKE_PX = 5  # from where a number says that its gridline is to what is clear of it
SEEN = 12.0  # grey levels by which a gridline differs from what is beside it
CROSSED = 0.04  # of the width of a plot, along which a gridline must show
MOST_LINES = 0.6  # of the numbers must have a gridline, for the eye to go by them
KINDS = ("bar", "hbar", "line", "area", "histogram")  # what is read from one value axis


class Scale(NamedTuple):
    """A value axis as it is written: pixels of a value are `slope` * value + `origin`, along x or y."""

    is_across: bool
    slope: float
    origin: float
    beside: float  # where the axis stands, along the other direction

    def at(self, value: float) -> float:
        """Where a value stands along the axis, in pixels of the drawing."""
        return self.slope * value + self.origin

    def point(self, beside: float, along: float) -> np.ndarray:
        """A position of the drawing, float [2]."""
        return np.array([along, beside] if self.is_across else [beside, along])


def misread(drawing: Drawing, view: View, scene: dict[str, Any]) -> Iterator[str]:
    """Ends of bars or points that a natural reading of the photograph puts at another tick than the true one."""
    axis = scene.get("axis")
    if scene.get("kind") not in KINDS or axis is None or axis["is_log"] or axis["decimals"] or not axis["unit"]:
        return
    scale = _scale(drawing.marks, axis, scene["kind"] == "hbar")
    parts = [mark for mark in drawing.marks if mark.kind == "part"]
    if scale is None or not parts:
        return
    has_lines = _has_gridlines(drawing, scale, axis, parts)
    for mark in parts:
        beside, along = _end(mark, scale)
        true = (along - scale.origin) / scale.slope
        found = _between(scale, view, axis, beside, along) if has_lines else _carried(scale, view, axis, beside, along)
        for manner, value in found:
            if abs(value - true) > axis["unit"] / 2:
                off = abs(value - true) / axis["unit"]
                yield f"{mark.name!r} read by {manner} is {off:.1f} ticks off"


def _scale(marks: tuple[Mark, ...], axis: dict[str, Any], is_across: bool) -> Scale | None:
    """The scale from the numbers: texts in one line that say what the axis should."""
    wanted = {str(value): value for value in range(axis["low"], axis["high"] + 1, axis["step"])}
    lines: dict[int, list[tuple[float, float, Mark]]] = {}
    for mark in marks:
        if mark.kind == "text" and mark.name in wanted:
            left, top, right, bottom = mark.box
            edge, middle = (top, (left + right) / 2) if is_across else (right, (top + bottom) / 2)
            lines.setdefault(round(edge / 4), []).append((wanted[mark.name], middle, mark))
    line = max(lines.values(), key=len, default=[])
    if len(line) < 2:
        return None
    slope, origin = np.polyfit([value for value, _, _ in line], [at for _, at, _ in line], 1)
    height = line[0][2].box[3] - line[0][2].box[1]
    edges = [mark.box[1] if is_across else mark.box[2] for _, _, mark in line]
    beside = min(edges) - NEAR_AXIS * height if is_across else max(edges) + NEAR_AXIS * height
    return Scale(is_across, float(slope), float(origin), beside)


def _end(mark: Mark, scale: Scale) -> tuple[float, float]:
    """Where the end of a bar, or a point, stands: across the axis and along it."""
    left, top, right, bottom = mark.box
    if scale.is_across:
        return (top + bottom) / 2, right
    return (left + right) / 2, top if bottom - top > 1 else (top + bottom) / 2


def _has_gridlines(drawing: Drawing, scale: Scale, axis: dict[str, Any], parts: list[Mark]) -> bool:
    """Say whether most numbers have a line across the plot."""
    grey = np.asarray(drawing.image).astype(np.float32).mean(2)
    grey = grey.T if scale.is_across else grey
    last = max(mark.box[3] if scale.is_across else mark.box[2] for mark in parts)
    low, high = sorted((int(scale.beside), int(last)))
    found = []
    for value in range(axis["low"] + axis["step"], axis["high"], axis["step"]):
        row = round(scale.at(value))
        if not STROKE_PX <= row < len(grey) - STROKE_PX:
            continue
        near = grey[row - STROKE_PX + 1 : row + STROKE_PX, low:high]
        above, below = grey[row - STROKE_PX, low:high], grey[row + STROKE_PX, low:high]
        beside, is_even = (above + below) / 2, abs(above - below) < SEEN / 2
        shows = (abs(near - beside).max(0) > SEEN) & is_even
        found.append(shows.mean() > CROSSED)
    return not found or float(np.mean(found)) >= MOST_LINES


def _between(
    scale: Scale, view: View, axis: dict[str, Any], beside: float, along: float
) -> Iterator[tuple[str, float]]:
    """The value by the two gridlines next to the end, at its own place."""
    value = (along - scale.origin) / scale.slope
    step = axis["step"]
    low = min(axis["low"] + int((value - axis["low"]) // step) * step, axis["high"] - step)
    ends = np.stack([scale.point(beside, scale.at(v)) for v in (low, low + step)] + [scale.point(beside, along)])
    one, two, at = view(ends)
    way = two - one
    yield "the gridlines beside it", low + step * float((at - one) @ way / (way @ way))


def _carried(
    scale: Scale, view: View, axis: dict[str, Any], beside: float, along: float
) -> Iterator[tuple[str, float]]:
    """The value by the length from the foot, and by the end carried to the axis along the baseline."""
    ticks = np.arange(axis["low"], axis["high"] + 1, axis["unit"])
    rail = view(np.stack([scale.point(scale.beside, scale.at(tick)) for tick in ticks]))
    foot, end = view(np.stack([scale.point(beside, scale.at(axis["low"])), scale.point(beside, along)]))
    lengths = np.linalg.norm(rail - rail[0], axis=1)
    yield "its length", _inverse(lengths, ticks, float(np.linalg.norm(end - foot)))
    base = foot - rail[0]
    heights = (rail - rail[0]) @ np.array([-base[1], base[0]])
    height = (end - rail[0]) @ np.array([-base[1], base[0]])
    sign = 1.0 if heights[-1] > 0 else -1.0
    yield "its end along the baseline", _inverse(sign * heights, ticks, float(sign * height))


def _inverse(places: np.ndarray, ticks: np.ndarray, at: float) -> float:
    """The value at a place of the axis, beyond its end in a straight line."""
    if at <= places[-1]:
        return float(np.interp(at, places, ticks))
    slope = (ticks[-1] - ticks[-2]) / (places[-1] - places[-2])
    return float(ticks[-1] + (at - places[-1]) * slope)
