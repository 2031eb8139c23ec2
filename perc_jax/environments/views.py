"""What of a picture is shown to a model, and how large: the whole, or a detail of it at its own resolution or larger.

Sides of what is shown are multiples of the merged patch, at least two of them and at most `view_px` long, so that the
picture reaches the model as it is and fills no more attention windows than a square of that side.

Worked example, a picture of 1,024 px shown at 448: the box 0, 0, 112, 112 of what is shown is 256 px wide in the
picture; `Crop` shows it at 252 px (the nearest multiple of 28), `Zoom` with k = 2 at 448.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from perc_jax.environments.base import Picture
from perc_jax.environments.calls import Refused, Signature

LEAST_BOX_PX = 8  # of what is shown
MOST_ASPECT = 8
MOST_ZOOM = 8
BOX = (("x1", "number"), ("y1", "number"), ("x2", "number"), ("y2", "number"))
CROP, ZOOM = Signature(BOX), Signature((*BOX, ("k", "number")))
TOLD = "Crop shows a box in pixels of the picture, Zoom enlarges it k times."


class Box(NamedTuple):
    """A rectangle in px, ends exclusive."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def area(self) -> float:
        """Its area; 0 where it is none."""
        return max(0.0, self.x2 - self.x1) * max(0.0, self.y2 - self.y1)

    def scaled(self, x: float, y: float) -> "Box":
        """The same in a picture that is so many times as wide and as high."""
        return Box(self.x1 * x, self.y1 * y, self.x2 * x, self.y2 * y)

    def shared(self, other: "Box") -> float:
        """The area that lies in both."""
        x1, y1, x2, y2 = zip(self, other, strict=True)
        return Box(max(x1), max(y1), min(x2), min(y2)).area


class Viewer(NamedTuple):
    """How pictures are shown."""

    unit_px: int  # side of a merged patch
    view_px: int  # longest side

    def size(self, height: float, width: float) -> tuple[int, int]:
        """Height and width at which a picture of this size, in px, is shown."""
        most = self.view_px // self.unit_px
        scale = min(1.0, self.view_px / max(height, width)) / self.unit_px
        units = (min(most, max(2, round(side * scale))) for side in (height, width))
        rows, columns = units
        return rows * self.unit_px, columns * self.unit_px

    def whole(self, picture: Picture) -> Picture:
        """All of a picture."""
        return _resized(picture, Box(0, 0, picture.shape[1], picture.shape[0]), self.size(*picture.shape[:2]))

    def box(self, picture: Picture, given: tuple[float, ...]) -> Box:
        """The box that a call names, in px of what is shown. Raises `calls.Refused`."""
        height, width = self.size(*picture.shape[:2])
        box = Box(*given)
        is_within = 0 <= box.x1 < box.x2 <= width and 0 <= box.y1 < box.y2 <= height
        if not is_within:
            raise Refused("arguments", f"The box must lie within 0, 0, {width}, {height}.")
        sides = box.x2 - box.x1, box.y2 - box.y1
        if min(sides) < LEAST_BOX_PX or max(sides) > MOST_ASPECT * min(sides):
            rule = f"at least {LEAST_BOX_PX} px a side, neither {MOST_ASPECT} times the other"
            raise Refused("arguments", f"The box must have {rule}.")
        return box

    def detail(self, picture: Picture, box: Box, k: float = 1.0) -> Picture:
        """What lies in a box of what is shown, at the picture's own resolution times k as far as there is room.

        Raises `calls.Refused` for a k that is not within 1 and `MOST_ZOOM`.
        """
        if not 1 <= k <= MOST_ZOOM:
            raise Refused("arguments", f"k must be within 1 and {MOST_ZOOM}.")
        height, width = self.size(*picture.shape[:2])
        there = box.scaled(picture.shape[1] / width, picture.shape[0] / height)
        return _resized(picture, there, self.size((there.y2 - there.y1) * k, (there.x2 - there.x1) * k))


def within(picture: Picture, longest_px: int) -> Picture:
    """A picture, made smaller where a side is longer."""
    height, width = picture.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return _resized(picture, Box(0, 0, width, height), size)


def _resized(picture: Picture, box: Box, size: tuple[int, int]) -> Picture:
    """What lies in a box, bicubic, at a height and width."""
    height, width = size
    if tuple(box) == (0, 0, width, height) and picture.shape[:2] == size:
        return picture
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC, box=tuple(box))
    return np.asarray(resized)
