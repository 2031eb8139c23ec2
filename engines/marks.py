"""Where things stand in a picture, and what must stay apart for its answer to be readable there.

A `Drawing` is a picture with `Mark`s (every text, every part that a question may mean) and margins: relations between
pixel positions on which the answer rests. Coordinates are final pixels, x to the right, y downwards. When a picture is
photographed its positions move, and `faults` is asked again about the moved ones.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom
View = Callable[[np.ndarray], np.ndarray]  # float [n, 2] positions -> where a photograph puts them

X_HEIGHT_PX = 8.0  # of text in a picture of 448 px; smaller pictures scale it, but not below the least
LEAST_X_HEIGHT_PX = 4.5
PHOTO_SHARE = 0.8  # of these heights is enough in a photograph, which shows more than the picture
CONTRAST = 60  # least difference of luminance (0..255) between a text and what it stands on
TOUCH_PX = 1.0  # texts whose boxes share no more than this do not overlap


class Mark(NamedTuple):
    """A text as it is written, or a part of the scene by the name that questions or the scene's JSON give it."""

    name: str
    box: Box
    kind: Literal["text", "part"] = "part"
    x_height_px: float = 0.0  # of a text: height of its small letters


class Apart(NamedTuple):
    """Two positions that must be at least `floor_px` apart: a gap, or two heights over one place."""

    first: Point
    second: Point
    floor_px: float

    def points(self) -> list[Point]:
        """The positions it speaks of."""
        return [self.first, self.second]

    def at(self, points: list[Point]) -> "Apart":
        """The same about other positions."""
        return Apart(*points, self.floor_px)

    def fault(self, moved: np.ndarray) -> str | None:
        """What is wrong with the moved positions, if anything."""
        found = math.dist(*moved)
        return None if found >= self.floor_px else f"positions {found:.1f} px apart, need {self.floor_px:.1f}"


class Longer(NamedTuple):
    """A segment that must be at least `ratio` times as long as another."""

    long: tuple[Point, Point]
    short: tuple[Point, Point]
    ratio: float

    def points(self) -> list[Point]:
        """The positions it speaks of."""
        return [*self.long, *self.short]

    def at(self, points: list[Point]) -> "Longer":
        """The same about other positions."""
        return Longer((points[0], points[1]), (points[2], points[3]), self.ratio)

    def fault(self, moved: np.ndarray) -> str | None:
        """What is wrong with the moved positions, if anything."""
        found = math.dist(moved[0], moved[1]) / max(math.dist(moved[2], moved[3]), 1e-9)
        return None if found >= self.ratio else f"length ratio {found:.2f}, need {self.ratio:.2f}"


class Turn(NamedTuple):
    """An angle at the middle of three positions that must stay within bounds, in degrees 0..180."""

    arms: tuple[Point, Point, Point]  # end, vertex, end
    low_deg: float
    high_deg: float

    def points(self) -> list[Point]:
        """The positions it speaks of."""
        return list(self.arms)

    def at(self, points: list[Point]) -> "Turn":
        """The same about other positions."""
        return Turn((points[0], points[1], points[2]), self.low_deg, self.high_deg)

    def fault(self, moved: np.ndarray) -> str | None:
        """What is wrong with the moved positions, if anything."""
        one, two = moved[0] - moved[1], moved[2] - moved[1]
        found = abs(math.degrees(math.atan2(one[0] * two[1] - one[1] * two[0], float(one @ two))))
        is_inside = self.low_deg <= found <= self.high_deg
        return None if is_inside else f"angle {found:.1f} degrees, need {self.low_deg:.1f}..{self.high_deg:.1f}"


class Skew(NamedTuple):
    """Two segments whose lines must make an angle within bounds, in degrees 0..90; near 0 they are parallel."""

    first: tuple[Point, Point]
    second: tuple[Point, Point]
    low_deg: float
    high_deg: float

    def points(self) -> list[Point]:
        """The positions it speaks of."""
        return [*self.first, *self.second]

    def at(self, points: list[Point]) -> "Skew":
        """The same about other positions."""
        return Skew((points[0], points[1]), (points[2], points[3]), self.low_deg, self.high_deg)

    def fault(self, moved: np.ndarray) -> str | None:
        """What is wrong with the moved positions, if anything."""
        one, two = moved[1] - moved[0], moved[3] - moved[2]
        found = abs(math.degrees(math.atan2(abs(one[0] * two[1] - one[1] * two[0]), abs(float(one @ two)))))
        is_inside = self.low_deg <= found <= self.high_deg
        return None if is_inside else f"lines at {found:.1f} degrees, need {self.low_deg:.1f}..{self.high_deg:.1f}"


Margin = Apart | Longer | Turn | Skew


class Drawing(NamedTuple):
    """A square RGB picture and what stands where in it."""

    image: Image.Image
    marks: tuple[Mark, ...] = ()
    margins: tuple[Margin, ...] = ()
    painted: tuple[Any, ...] = ()  # the outlines of things in a clean picture: `engines.canvas.Painted`


def x_height_floor_px(size_px: int) -> float:
    """Least height of small letters in a picture of this size."""
    return max(LEAST_X_HEIGHT_PX, X_HEIGHT_PX * size_px / 448)


def moved_marks(marks: tuple[Mark, ...], view: View) -> tuple[Mark, ...]:
    """The marks where a photograph puts them: boxes around the moved corners, text heights by the change of area."""
    boxes, heights = _moved_boxes(marks, view)
    return tuple(
        mark._replace(box=tuple(box), x_height_px=height)
        for mark, box, height in zip(marks, boxes.tolist(), heights.tolist(), strict=True)
    )


def _moved_boxes(marks: tuple[Mark, ...], view: View | None) -> tuple[np.ndarray, np.ndarray]:
    """Boxes, float [n, 4], and text heights, float [n], of marks where a photograph puts them."""
    boxes = np.array([mark.box for mark in marks], float).reshape(-1, 4)
    heights = np.array([mark.x_height_px for mark in marks], float)
    if view is None or not marks:
        return boxes, heights
    corners = view(boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)).reshape(-1, 4, 2)
    upright = np.linalg.norm(corners[:, [1, 3]] - corners[:, [2, 0]], axis=2).mean(1)
    shrink = upright / np.maximum(boxes[:, 3] - boxes[:, 1], 1e-9)
    return np.concatenate([corners.min(1), corners.max(1)], 1), heights * shrink


def moved_margins(margins: tuple[Margin, ...], view: View) -> tuple[Margin, ...]:
    """The margins between the positions where a photograph puts theirs."""
    moved = _moved_points(margins, view)
    return tuple(margin.at([(float(x), float(y)) for x, y in at]) for margin, at in zip(margins, moved, strict=True))


def _moved_points(margins: tuple[Margin, ...], view: View | None) -> list[np.ndarray]:
    """The positions of each margin, float [n, 2], seen through one call of the view."""
    points = [margin.points() for margin in margins]
    if not points:
        return []
    flat = np.array([point for group in points for point in group], float)
    flat = flat if view is None else view(flat)
    return np.split(flat, np.cumsum([len(group) for group in points])[:-1])


def faults(drawing: Drawing, view: View | None = None, *, is_photo: bool = False) -> Iterator[str]:
    """Everything that makes a picture, or a photograph of it seen through `view`, unfit to be answered.

    With `is_photo` the drawing is a photograph already. In photographs text may be `PHOTO_SHARE` of its usual size.
    Checked: marks inside the frame, texts large enough and clear of each other, margins kept. The picture's pixels are
    not read; see `contrast_faults`.
    """
    size_px, marks = drawing.image.size[0], drawing.marks
    boxes, heights = _moved_boxes(marks, view)
    for index in np.flatnonzero((boxes.min(1, initial=0) < 0) | (boxes.max(1, initial=0) > size_px)):
        yield f"{marks[index].kind} {marks[index].name!r} leaves the frame: {tuple(boxes[index].round(1).tolist())}"
    texts = [index for index, mark in enumerate(marks) if mark.kind == "text"]
    floor_px = x_height_floor_px(size_px) * (PHOTO_SHARE if is_photo or view else 1.0)
    yield from _text_faults([marks[index].name for index in texts], boxes[texts], heights[texts], floor_px)
    for margin, points in zip(drawing.margins, _moved_points(drawing.margins, view), strict=True):
        fault = margin.fault(points)
        if fault:
            yield fault


def _text_faults(names: list[str], boxes: np.ndarray, heights: np.ndarray, floor_px: float) -> Iterator[str]:
    """Texts that are too small or run into each other; boxes float [n, 4], heights of small letters float [n]."""
    for index in np.flatnonzero(heights < floor_px - 1e-6):
        yield f"text {names[index]!r} has small letters of {heights[index]:.1f} px, need {floor_px:.1f}"
    shared = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    for i, j in np.argwhere(np.triu((shared > TOUCH_PX).all(-1), 1)):
        yield f"texts {names[i]!r} and {names[j]!r} overlap"


def contrast_faults(image: np.ndarray, marks: tuple[Mark, ...]) -> Iterator[str]:
    """Texts that do not stand out from what they are written on, in the finished picture (uint8 [H, W, 3])."""
    luminance = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    for mark in marks:
        left, top, right, bottom = (round(x) for x in mark.box)
        inside = luminance[max(top, 0) : bottom + 1, max(left, 0) : right + 1]
        if mark.kind == "text" and mark.name.strip() and inside.size:
            found = float(np.percentile(inside, 98) - np.percentile(inside, 2))
            if found < CONTRAST:
                yield f"text {mark.name!r} has a contrast of {found:.0f} grey levels, need {CONTRAST}"
