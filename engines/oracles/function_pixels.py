"""Graphs read off the picture's own pixels: the written numbers give the scale, a curve is where its colour is."""

from typing import NamedTuple

import numpy as np

from engines.base import Sample
from engines.style import PALETTE

SAME_ROW_PX = 6.0  # the numbers of the x-axis stand this evenly
NEAR = 14  # per channel: a pixel of a colour, hardly blended with another
GAP_PX = 18  # of a dashed line, at most
STROKE_PX = 2.1  # half a curve's width, without its blended edge
THICK_PX = 3  # thicker than half of any line
RING_PX = 8.0  # around the dot of a point, where the region shows


class Scale(NamedTuple):
    """Data units from pixels: x = x_zero + column * x_step, and so on."""

    x_zero: float
    x_step: float
    y_zero: float
    y_step: float

    def column(self, x: float) -> float:
        """The column of an x."""
        return (x - self.x_zero) / self.x_step

    def row(self, y: float) -> float:
        """The row of a y."""
        return (y - self.y_zero) / self.y_step


def _scale(sample: Sample) -> Scale:
    """From where the numbers are written: the lowest row of them belongs to the x-axis."""
    texts = [(mark.name, *mark.box) for mark in sample.marks if mark.kind == "text" and _is_number(mark.name)]
    places = np.array([((a + c) / 2, (b + d) / 2, int(name)) for name, a, b, c, d in texts])
    is_x = places[:, 1] > places[:, 1].max() - SAME_ROW_PX
    across, up = places[is_x], places[~is_x]
    x_step, x_zero = np.polyfit(across[:, 0], across[:, 2], 1)
    y_step, y_zero = np.polyfit(up[:, 1], up[:, 2], 1)
    return Scale(x_zero, x_step, y_zero, y_step)


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _ink(sample: Sample, scale: Scale, colour: str) -> np.ndarray:
    """Pixels of a colour inside the plot area, bool [H, W]."""
    near = np.abs(sample.image.astype(np.int16) - np.array(PALETTE[colour], np.int16)).max(-1) < NEAR
    x_low, x_high, y_low, y_high = sample.scene["window"]
    left, right = round(scale.column(x_low)), round(scale.column(x_high))
    top, bottom = round(scale.row(y_high)), round(scale.row(y_low))
    keep = np.zeros_like(near)
    keep[max(top - 3, 0) : bottom + 4, max(left - 1, 0) : right + 2] = True
    return near & keep


def y_intercept(sample: Sample) -> str:
    """The height of the colour at the column of x = 0; across the gap of a dashed line, between its neighbours."""
    scale = _scale(sample)
    ink = _ink(sample, scale, sample.query["curve"])
    middle = round(scale.column(0) - 0.5)
    ends = []
    for way in (-1, 1):
        columns = (middle + way * step for step in range(GAP_PX))
        column = next(column for column in columns if ink[:, column].any())
        ends.append((column + 0.5, float(np.flatnonzero(ink[:, column]).mean()) + 0.5))
    (a, top), (b, bottom) = ends
    row = top if a == b else top + (bottom - top) * (scale.column(0) - a) / (b - a)
    return str(round(scale.y_zero + scale.y_step * row))


def extremum(sample: Sample) -> str:
    """The first row of the colour from above or from below, or column from a side, and the middle of what is there."""
    scale, word = _scale(sample), sample.query["word"]
    is_level = word in ("highest", "lowest")
    ink = _ink(sample, scale, sample.query["curve"])
    ink = ink if is_level else ink.T
    rows, is_first = np.flatnonzero(ink.any(1)), word in ("highest", "leftmost")
    row = int(rows[0] if is_first else rows[-1])
    along = row + 0.5 + (STROKE_PX if is_first else -STROKE_PX)
    near = slice(row, row + 3) if is_first else slice(row - 2, row + 1)
    across = float(np.flatnonzero(ink[near].any(0)).mean()) + 0.5
    x, y = (across, along) if is_level else (along, across)
    found = scale.x_zero + scale.x_step * x if sample.query["axis"] == "x" else scale.y_zero + scale.y_step * y
    return str(round(found))


def _box(sample: Sample) -> tuple[float, float, float, float]:
    """The box around a curve's colour, in data units: left, right, low, high."""
    scale = _scale(sample)
    ink = _ink(sample, scale, sample.query["curve"])
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    left, right = columns[0] + STROKE_PX, columns[-1] + 1 - STROKE_PX
    top, bottom = rows[0] + STROKE_PX, rows[-1] + 1 - STROKE_PX
    across = [scale.x_zero + scale.x_step * column for column in (left, right)]
    up = [scale.y_zero + scale.y_step * row for row in (bottom, top)]
    return across[0], across[1], up[0], up[1]


def centre(sample: Sample) -> str:
    """The middle of that box."""
    left, right, low, high = _box(sample)
    return f"({round((left + right) / 2)}, {round((low + high) / 2)})"


def radius(sample: Sample) -> str:
    """Half the width of that box, to the nearest half."""
    left, right, _, _ = _box(sample)
    return f"{round(right - left) / 2:.1f}"


def region(sample: Sample) -> str:
    """Points around whose dot the tint is: of the two commonest colours of the plot the one nearer to a border's.

    A pixel counts whose neighbours at some distance have its colour, so that lines, of which there are many, do not.
    """
    scale, image = _scale(sample), sample.image.astype(int)
    x_low, x_high, y_low, y_high = sample.scene["window"]
    rows = slice(round(scale.row(y_high)), round(scale.row(y_low)))
    codes = image[rows, round(scale.column(x_low)) : round(scale.column(x_high))] @ np.array([65536, 256, 1])
    inner = codes[THICK_PX:-THICK_PX, THICK_PX:-THICK_PX]
    is_solid = np.all(
        [
            inner == np.roll(codes, shift, axis)[THICK_PX:-THICK_PX, THICK_PX:-THICK_PX]
            for axis in (0, 1)
            for shift in (-THICK_PX, THICK_PX)
        ],
        axis=0,
    )
    found, counts = np.unique(inner[is_solid], return_counts=True)
    colours = [np.array([code >> 16, code >> 8 & 255, code & 255]) for code in found[np.argsort(counts)[-2:]]]
    borders = [np.array(PALETTE[curve["colour"]]) for curve in sample.scene["curves"]]
    tint, paper = sorted(colours, key=lambda colour: min(abs(colour - border).sum() for border in borders))
    turns = np.arange(24) * np.pi / 12
    found = []
    for mark in sample.marks:
        if mark.kind == "part" and len(mark.name) == 1:
            columns = np.round(mark.box[0] + RING_PX * np.cos(turns) - 0.5).astype(int)
            rows = np.round(mark.box[1] + RING_PX * np.sin(turns) - 0.5).astype(int)
            ring = image[rows, columns]
            if np.count_nonzero(abs(ring - tint).max(1) < 6) > np.count_nonzero(abs(ring - paper).max(1) < 6):
                found.append(mark.name)
    return ", ".join(found) or "none"
