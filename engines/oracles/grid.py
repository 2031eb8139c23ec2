"""Second opinions on grids: tables and arrays rebuilt from the scene's JSON, counted, labelled and turned by numpy,
OpenCV and shapely."""

import collections

import cv2
import numpy as np

from engines.base import Sample
from engines.oracles import compose

SIDES = {"left of": (0, -1), "right of": (0, 1), "above": (-1, 0), "below": (1, 0)}
TURNS = {
    "quarter turn clockwise": lambda a: np.rot90(a, -1),
    "quarter turn anticlockwise": lambda a: np.rot90(a),
    "half turn": lambda a: a[::-1, ::-1],
    "mirrored left to right": np.fliplr,
    "flipped top to bottom": np.flipud,
}
WAYS = {"up": -1j, "down": 1j, "left": -1, "right": 1}


def _cells(scene: dict) -> dict[tuple[int, int], tuple[str, str]]:
    """Filled cells as {(row, column): (colour, shape)}, counted from 1."""
    columns = scene["columns"]
    return {
        (place // columns + 1, place % columns + 1): tuple(mark) for place, mark in enumerate(scene["cells"]) if mark
    }


def _table(sample: Sample) -> dict[tuple[int, int], tuple[str, str]]:
    return _cells(sample.scene)


def _image(sample: Sample, key: str) -> np.ndarray:
    """Shaded cells as uint8 [rows, columns]."""
    image = np.zeros((sample.scene["rows"], sample.scene["columns"]), np.uint8)
    for row, column in sample.scene[key]:
        image[row - 1, column - 1] = 1
    return image


def _read(part: int):
    return lambda sample: _table(sample)[sample.query["row"], sample.query["column"]][part]


def _matching(sample: Sample) -> list[tuple[int, int]]:
    colour, shape = sample.query.get("colour"), sample.query.get("shape")
    return [p for p, (c, s) in _table(sample).items() if colour in (None, "", c) and shape in (None, "", s)]


def _count(sample: Sample) -> str:
    return str(len(_matching(sample)))


def _locate(sample: Sample) -> str:
    ((row, column),) = _matching(sample)
    return f"({row}, {column})"


def _neighbour(sample: Sample) -> str:
    ((row, column),) = _matching(sample)
    down, right = SIDES[sample.query["side"]]
    return _table(sample)[row + down, column + right][0]


def _most_common(sample: Sample) -> str:
    (winner, most), *rest = collections.Counter(colour for colour, _ in _table(sample).values()).most_common()
    if any(count > most - 2 for _, count in rest):
        raise ValueError("the commonest colour must lead by two")
    return winner


def rows(scene: dict) -> list[compose.Row]:
    """The shapes of a grid, for question programs."""
    return [{"row": r, "column": c, "colour": m[0], "shape": m[1]} for (r, c), m in _cells(scene).items()]


def _compose(sample: Sample) -> str:
    return compose.answer(sample.query["program"], rows(sample.scene))


def _perimeter(sample: Sample) -> str:
    image = np.pad(_image(sample, "shaded"), 1).astype(int)
    contours, _ = cv2.findContours(image.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    outside = cv2.connectedComponents((1 - image).astype(np.uint8), connectivity=4)[0] - 1
    if outside != 1 or not contours:
        raise ValueError("the region must have no hole")
    return str(int(np.abs(np.diff(image, axis=0)).sum() + np.abs(np.diff(image, axis=1)).sum()))


def _components(sample: Sample) -> str:
    return str(cv2.connectedComponents(_image(sample, "shaded"), connectivity=4)[0] - 1)


def _difference(sample: Sample) -> str:
    ((row, column),) = np.argwhere(_image(sample, "left") != _image(sample, "right")) + 1
    return f"({row}, {column})"


def _differences(sample: Sample) -> str:
    return str(int((_image(sample, "left") ^ _image(sample, "right")).sum()))


def _symmetry(sample: Sample) -> str:
    left, right = _image(sample, "left"), _image(sample, "right")
    names = sample.query["options"]
    (place,) = (i for i, name in enumerate(names) if np.array_equal(TURNS[name](left), right))
    return "ABCDE"[place]


def _trail(sample: Sample) -> tuple[complex, int]:
    """Where the trail leaves the grid, and after how many arrows; places are column + row i."""
    arrows = {complex(column, row): WAYS[way] for row, column, way in sample.scene["arrows"]}
    row, column = sample.scene["start"]
    at, count = complex(column, row), 0
    while at in arrows and count <= len(arrows):
        at, count = at + arrows[at], count + 1
    return at, count


def _exit(sample: Sample) -> str:
    at, _ = _trail(sample)
    return {complex(column, row): letter for row, column, letter in sample.scene["exits"]}[at]


def _discs(sample: Sample) -> dict[str, tuple]:
    from shapely import Point

    return {colour: (Point(x, y), radius) for x, y, radius, colour in sample.scene["rings"]}


def _circles(sample: Sample) -> str:
    discs = _discs(sample)
    (one, r), (two, s) = discs[sample.query["one"]], discs[sample.query["two"]]
    gap = one.distance(two) - r - s
    return "touch" if abs(gap) < 1 else "apart" if gap > 0 else "overlap"


def _overlaps(sample: Sample) -> str:
    discs = [point.buffer(radius, quad_segs=64) for point, radius in _discs(sample).values()]
    return str(
        sum(
            a.boundary.crosses(b.boundary) or a.boundary.intersects(b.boundary)
            for i, a in enumerate(discs)
            for b in discs[:i]
        )
    )


ORACLES = {
    "read_colour": _read(0),
    "read_shape": _read(1),
    "count_colour": _count,
    "count_both": _count,
    "locate": _locate,
    "grid_size": lambda sample: str(sample.scene[sample.query["lines"]]),
    "neighbour": _neighbour,
    "most_common": _most_common,
    "compose": _compose,
    "area": lambda sample: str(cv2.countNonZero(_image(sample, "shaded"))),
    "perimeter": _perimeter,
    "components": _components,
    "difference": _difference,
    "differences": _differences,
    "symmetry": _symmetry,
    "exit": _exit,
    "trail_length": lambda sample: str(_trail(sample)[1]),
    "circles": _circles,
    "overlaps": _overlaps,
    "nested": lambda sample: str(len(set(sample.scene["sides"]))),
}
