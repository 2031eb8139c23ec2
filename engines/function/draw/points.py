"""Sizes of text and dots, and where the letters of points stand: beside their dots, clear of curves and frame."""

import numpy as np

from engines.function.draw.frame import Frame
from engines.function.scene import Curve, FunctionScene, Number
from engines.marks import Point

WAYS = np.array([(0.75, -0.75), (-0.75, -0.75), (0.75, 0.75), (-0.75, 0.75), (0, -1), (0, 1), (1, 0), (-1, 0)])
CLEAR = 0.62  # of the height of a letter: as far from its middle it is clear
DENSE = 40  # points that stand for a straight piece


def text_px(size_px: int) -> float:
    """Height of all text in a picture."""
    return 5.5 + size_px / 28


def dot_px(size_px: int) -> float:
    """Radius of the dot at an end of a piece."""
    return max(3.0, size_px / 75)


def ends(curve: Curve, scene: FunctionScene) -> list[tuple[float, float, bool]]:
    """Dots (x, y, filled) of a curve of branches, open ones first; none where two pieces join or leave the window."""
    if not curve.branches:
        return []
    found: dict[tuple[Number, Number], bool] = {}
    joints: set[tuple[Number, Number]] = set()
    for x0, y0, x1, y1, c0, c1 in curve.branches:
        for place, is_filled in (((x0, y0), bool(c0)), ((x1, y1), bool(c1))):
            if place in found and (x0, y0) != (x1, y1):
                joints.add(place)
            found[place] = found.get(place, False) or is_filled
    dots = [(float(x), float(y), filled) for (x, y), filled in found.items() if (x, y) not in joints]
    dots = [dot for dot in dots if scene.x_low < dot[0] < scene.x_high]
    return sorted(dots, key=lambda dot: dot[2])


def letter_places(
    scene: FunctionScene, lines: list[list[np.ndarray]], frame: Frame, radius_px: float, size_px: int
) -> list[Point]:
    """Middles of the letters of the points, each on the side of its dot where there is most room."""
    if not scene.points:
        return []
    height = text_px(size_px)
    dots = np.array([frame.pixel(float(point.x), float(point.y)) for point in scene.points])
    axes = [
        np.array([[scene.x_low, 0], [scene.x_high, 0]], float),
        np.array([[0, scene.y_low], [0, scene.y_high]], float),
    ]
    drawn = [*axes, *(part for parts in lines for part in parts)]
    crowd = np.concatenate([dots, *(_dense(frame.pixels(part)) for part in drawn)])
    low = np.array([frame.left, frame.top]) + CLEAR * height
    high = np.array([frame.left + frame.width, frame.top + frame.height]) - CLEAR * height
    places = []
    for index, dot in enumerate(dots):
        options = dot + WAYS * (radius_px + 0.68 * height)
        room = np.abs(options[:, None] - np.delete(crowd, index, axis=0)).max(-1).min(1)
        if places:  # letters are as wide as what they keep clear of
            letters = np.abs(options[:, None] - np.array(places)).max(-1).min(1)
            room = np.minimum(room, letters - CLEAR * height)
        room[((options < low) | (options > high)).any(1)] -= size_px
        best = options[int(np.minimum(room, CLEAR * height).argmax())]
        places.append(best)
    return [(float(x), float(y)) for x, y in places]


def _dense(part: np.ndarray) -> np.ndarray:
    """A line with more points, so that none of its segments is long."""
    if len(part) >= DENSE:
        return part
    shares = np.linspace(0, 1, DENSE)[:, None, None]
    return (part[:-1] * (1 - shares) + part[1:] * shares).reshape(-1, 2)
